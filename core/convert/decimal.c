/*
 * Decimals of any length between bytes and text. Big integers are arrays of
 * 32-bit digits, least significant first; conversion is quadratic, hence the
 * limits of the header. Any thread.
 */
#include "convert/decimal.h"
#include "base/number.h"

#include <stdlib.h>

enum { WORDS = TG_DECIMAL_BYTES / 4 + 2 };

typedef struct big {
    uint32_t w[WORDS];
    size_t n;
} big;

int tg_decimal_scale(const tg_schema *schema, int32_t *scale, tg_err *err)
{
    const char *text = NULL;
    char *end = NULL;
    for (uint32_t i = 0; schema && i < schema->nparams; i++)
        if (strcmp(schema->params[i].key, "scale") == 0)
            text = schema->params[i].value;
    long n = text ? strtol(text, &end, 10) : 0;
    *scale = (int32_t)n;
    if (!text || end == text || *end || n != *scale)
        return tg_err_set(err, TG_ERR_DATA,
                          "a Decimal schema has the parameter scale %s%s%s, an"
                          " integer is needed",
                          text ? "\"" : "", text ? text : "missing",
                          text ? "\"" : "");
    return 0;
}

static void big_muladd(big *b, uint32_t factor, uint32_t add)
{
    uint64_t carry = add;
    for (size_t i = 0; i < b->n; i++) {
        carry += (uint64_t)b->w[i] * factor;
        b->w[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry)
        b->w[b->n++] = (uint32_t)carry;
}

static uint32_t big_divide(big *b, uint32_t by)
{
    uint64_t rest = 0;
    for (size_t i = b->n; i-- > 0;) {
        rest = rest << 32 | b->w[i];
        b->w[i] = (uint32_t)(rest / by);
        rest %= by;
    }
    while (b->n && b->w[b->n - 1] == 0)
        b->n--;
    return (uint32_t)rest;
}

/* Magnitude of a big-endian two's complement number; true if negative. */
static bool big_load(big *b, const uint8_t *p, size_t n)
{
    bool negative = n && (p[0] & 0x80);
    uint32_t carry = negative;
    memset(b->w, 0, sizeof b->w);
    for (size_t i = 0; i < n; i++) {
        uint32_t byte = p[n - 1 - i];
        if (negative) {
            byte = (byte ^ 0xff) + carry;
            carry = byte >> 8;
            byte &= 0xff;
        }
        b->w[i / 4] |= byte << (i % 4 * 8);
    }
    if (carry && n)
        b->w[n / 4] |= 1u << (n % 4 * 8);
    b->n = n / 4 + 1;
    while (b->n && b->w[b->n - 1] == 0)
        b->n--;
    return negative;
}

static void big_store(tg_buf *out, const big *b, bool negative)
{
    uint8_t le[WORDS * 4 + 1] = {0};
    size_t n = b->n * 4;
    for (size_t i = 0; i < n; i++)
        le[i] = (uint8_t)(b->w[i / 4] >> (i % 4 * 8));
    n++; /* room for the sign */
    for (size_t i = 0, carry = 1; negative && i < n; i++) {
        carry += le[i] ^ 0xffu;
        le[i] = (uint8_t)carry;
        carry >>= 8;
    }
    uint8_t sign = negative && b->n ? 0xff : 0;
    while (n > 1 && le[n - 1] == sign && (le[n - 2] & 0x80) == (sign & 0x80))
        n--;
    char *p = tg_buf_room(out, n);
    for (size_t i = 0; i < n; i++)
        p[i] = (char)le[n - 1 - i];
    out->len += n;
}

/* Decimal digits of b (destroyed) into the end of buf; their number. */
static size_t big_digits(big *b, char *end)
{
    char *p = end;
    do {
        uint32_t part = b->n ? big_divide(b, 1000000000) : 0;
        for (int i = 0; i < 9; i++, part /= 10)
            *--p = (char)('0' + part % 10);
    } while (b->n);
    while (p < end - 1 && *p == '0')
        p++;
    return (size_t)(end - p);
}

void tg_decimal_notation(tg_buf *out, const char *d, size_t n, int64_t scale)
{
    int64_t adjusted = (int64_t)n - 1 - scale;
    if (scale == 0) {
        tg_buf_add(out, d, n);
    } else if (scale > 0 && adjusted >= -6) {
        int64_t whole = (int64_t)n - scale;
        if (whole > 0)
            tg_buf_add(out, d, (size_t)whole);
        else
            tg_buf_str(out, "0");
        tg_buf_str(out, ".");
        for (int64_t i = whole; i < 0; i++)
            tg_buf_str(out, "0");
        if (whole < 0)
            whole = 0;
        tg_buf_add(out, d + whole, n - (size_t)whole);
    } else {
        tg_buf_add(out, d, 1);
        if (n > 1) {
            tg_buf_str(out, ".");
            tg_buf_add(out, d + 1, n - 1);
        }
        if (adjusted != 0)
            tg_buf_printf(out, "E%+lld", (long long)adjusted);
    }
}

int tg_decimal_text(tg_buf *out, const void *unscaled, size_t n, int32_t scale,
                    tg_err *err)
{
    char buf[TG_DECIMAL_DIGITS + 128];
    big b;
    if (n > TG_DECIMAL_BYTES)
        return tg_err_set(err, TG_ERR_DATA,
                          "a decimal has an unscaled value of %zu bytes, at"
                          " most %d can be written as a number",
                          n, TG_DECIMAL_BYTES);
    bool negative = big_load(&b, unscaled, n);
    if (negative)
        tg_buf_str(out, "-");
    size_t digits = big_digits(&b, buf + sizeof buf);
    tg_decimal_notation(out, buf + sizeof buf - digits, digits, scale);
    return 0;
}

static int64_t parse_exponent(const char *p, const char *end)
{
    bool minus = p < end && *p == '-';
    int64_t e = 0;
    for (p += p < end && (*p == '-' || *p == '+'); p < end; p++)
        if (e < 1000000000000)
            e = e * 10 + (*p - '0');
    return minus ? -e : e;
}

void tg_decimal_canonical(tg_buf *out, const char *p, size_t len)
{
    const char *end = p + len;
    bool point = false;
    int64_t scale = 0;
    size_t n = 0;
    bool negative = p < end && *p == '-';
    char *digits = tg_alloc(len + 1);
    for (p += negative; p < end && (*p | 32) != 'e'; p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        scale += point;
        if (n > 0 || *p != '0')
            digits[n++] = *p;
    }
    if (p < end)
        scale -= parse_exponent(p + 1, end);
    if (n > 0 && negative)
        tg_buf_add(out, "-", 1);
    if (n == 0)
        digits[n++] = '0';
    tg_decimal_notation(out, digits, n, scale);
    tg_free(digits);
}

int tg_decimal_parse(tg_buf *out, const char *p, size_t len, int64_t *scale,
                     tg_err *err)
{
    const char *end = p + len;
    bool negative = len && *p == '-', point = false;
    big b = {.n = 0};
    *scale = 0;
    if (len > TG_DECIMAL_DIGITS)
        return tg_err_set(err, TG_ERR_DATA,
                          "a decimal has %zu digits, at most %d are accepted",
                          len, TG_DECIMAL_DIGITS);
    for (p += negative; p < end && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        big_muladd(&b, 10, (uint32_t)(*p - '0'));
        *scale += point;
    }
    if (p < end)
        *scale -= parse_exponent(p + 1, end);
    big_store(out, &b, negative);
    return 0;
}
