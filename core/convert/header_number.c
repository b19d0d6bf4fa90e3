/*
 * Numbers and times in header texts. A number is what Java's BigDecimal reads,
 * digits of any script included; it is brought into the form
 * digits * 10^-scale, from which everything follows without big integers. Times
 * in the usual form are read here, others (lenient: month 13, years before
 * 1583) by the date patterns of core/text. Script thread.
 */
#include "base/number.h"
#include "convert/decimal.h"
#include "convert/header_parse.h"
#include "convert/internal.h"
#include "text/java_date.h"
#include <math.h>
#include <stdio.h>

enum { DAY_MS = 86400000 };

/* --- digits --------------------------------------------------------------- */

/* The zeros of the decimal digits that Java 17 knows in the basic plane. */
static const uint16_t zeros[] = {
    0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6,
    0x0C66, 0x0CE6, 0x0D66, 0x0DE6, 0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x1090,
    0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40,
    0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10};

int tg__header_digit(const char *p, const char *end, int *bytes)
{
    const unsigned char *u = (const unsigned char *)p;
    uint32_t c;
    *bytes = 1;
    if (p == end)
        return -1;
    if (u[0] < 0x80)
        return u[0] >= '0' && u[0] <= '9' ? u[0] - '0' : -1;
    if (u[0] < 0xE0 && end - p >= 2) {
        c = (u[0] & 0x1Fu) << 6 | (u[1] & 0x3F);
        *bytes = 2;
    } else if (u[0] < 0xF0 && end - p >= 3) {
        c = (u[0] & 0x0Fu) << 12 | (u[1] & 0x3Fu) << 6 | (u[2] & 0x3F);
        *bytes = 3;
    } else {
        return -1;
    }
    for (size_t i = 0; i < sizeof zeros / sizeof *zeros; i++)
        if (c >= zeros[i] && c < zeros[i] + 10u)
            return (int)(c - zeros[i]);
    return -1;
}

/* --- numbers -------------------------------------------------------------- */

typedef struct number {
    const char *digits; /* of the unscaled value, none for zero */
    size_t n;
    int64_t scale;
    bool negative;
} number;

/* The exponent behind 'e'; false if there is none or it is beyond an int. */
static bool exponent(const char *p, const char *end, int64_t *out)
{
    bool minus = p < end && *p == '-';
    int64_t e = 0;
    int bytes, n = 0;
    p += p < end && (*p == '-' || *p == '+');
    for (; p < end; p += bytes, n++) {
        int digit = tg__header_digit(p, end, &bytes);
        if (digit < 0 || e > INT32_MAX)
            return false;
        e = e * 10 + digit;
    }
    *out = minus ? -e : e;
    return n > 0 && *out == (int32_t)*out;
}

/* BigDecimal's grammar; the digits go to text, as ASCII. */
static bool read_number(tg_buf *text, const char *p, size_t len, number *out)
{
    const char *end = p + len;
    bool point = false, any = false;
    int64_t e = 0;
    char *to = tg_buf_room(text, len);
    *out = (number){.digits = to};
    out->negative = len && *p == '-';
    p += len && (*p == '-' || *p == '+');
    while (p < end && *p != 'e' && *p != 'E') {
        int bytes, digit = tg__header_digit(p, end, &bytes);
        if (digit < 0 && (*p != '.' || point))
            return false;
        p += bytes;
        if (digit < 0) {
            point = true;
            continue;
        }
        any = true;
        out->scale += point;
        if (digit || out->n)
            to[out->n++] = (char)('0' + digit);
    }
    if (!any || (p < end && !exponent(p + 1, end, &e)))
        return false;
    out->scale -= e;
    return out->scale == (int32_t)out->scale;
}

/* The value when it is whole and fits into 64 bits. */
static bool whole(const number *num, int64_t *out)
{
    size_t n = num->n;
    int64_t scale = num->scale;
    uint64_t limit = (uint64_t)INT64_MAX + num->negative, u = 0;
    *out = 0;
    if (n == 0)
        return true;
    for (; scale > 0 && n > 0 && num->digits[n - 1] == '0'; n--)
        scale--;
    if (scale > 0 || (int64_t)n - scale > 19)
        return false;
    for (int64_t i = 0; i < (int64_t)n - scale; i++) {
        unsigned digit = i < (int64_t)n ? (unsigned)(num->digits[i] - '0') : 0;
        if (u > limit / 10 || u * 10 > limit - digit)
            return false;
        u = u * 10 + digit;
    }
    *out = num->negative ? (int64_t)(0 - u) : (int64_t)u;
    return true;
}

static void set_whole(tg_typed *out, int64_t i)
{
    int tag = i == (int8_t)i    ? TG_INT8
              : i == (int16_t)i ? TG_INT16
              : i == (int32_t)i ? TG_INT32
                                : TG_INT64;
    out->v = (tg_value){.tag = (uint8_t)tag, .u.i = i};
    out->schema = tg_schema_of(tag, 0, NULL);
}

/* Float or double, whatever holds it; never for text without fraction and
 * exponent. */
static bool set_real(tg_typed *out, const number *num)
{
    tg_buf text = {0};
    if (num->scale == 0)
        return false;
    tg_buf_str(&text, num->negative ? "-" : "");
    tg_buf_add(&text, num->digits, num->n);
    tg_buf_printf(&text, "e%lld", -(long long)num->scale);
    double d = (double)tg_float_parse(text.p, text.len);
    int tag = isinf(d) ? TG_FLOAT64 : TG_FLOAT32;
    if (isinf(d))
        d = tg_double_parse(text.p, text.len);
    tg_buf_fini(&text);
    out->v = (tg_value){.tag = (uint8_t)tag, .u.d = d};
    out->schema = tg_schema_of(tag, 0, NULL);
    return !isinf(d);
}

static const tg_schema *decimal_schema(int64_t scale)
{
    char text[24];
    tg_schema_param param = {"scale", text};
    tg_schema proto = {.tag = TG_BYTES,
                       .name = TG_DECIMAL_NAME,
                       .has_version = true,
                       .version = 1,
                       .nparams = 1,
                       .params = &param};
    snprintf(text, sizeof text, "%lld", (long long)scale);
    return tg_schema_intern(&proto);
}

/* 1, or TG_ERR_LIMIT. */
static int set_decimal(tg_batch *batch, tg_typed *out, const number *num)
{
    tg_buf text = {0};
    tg_buf_str(&text, num->negative ? "-" : "");
    tg_decimal_notation(&text, num->digits, num->n, num->scale);
    const char *p = tg_arena_dup(batch->arena, text.p, text.len);
    out->v = (tg_value){.tag = TG_NUM,
                        .aux = TG_LOGICAL_DECIMAL,
                        .len = (uint32_t)text.len,
                        .u.p = p};
    tg_buf_fini(&text);
    out->schema = decimal_schema(num->scale);
    return p ? 1 : TG_ERR_LIMIT;
}

int tg__header_number(tg_batch *batch, const char *p, size_t len, tg_typed *out)
{
    number num;
    int64_t i;
    if (!read_number(tg__converter_scratch(), p, len, &num))
        return 0;
    if (whole(&num, &i)) {
        set_whole(out, i);
        return 1;
    }
    return set_real(out, &num) ? 1 : set_decimal(batch, out, &num);
}

/* --- dates and times ------------------------------------------------------ */

enum { DATE_LENGTH = 10, TIME_LENGTH = 13, TIMESTAMP_LENGTH = 24 };

/* Characters as Java counts them. */
static size_t utf16_length(const char *p, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)p[i];
        n += (c < 0x80 || c >= 0xC0) + (c >= 0xF0);
    }
    return n;
}

/* Digits where form has 0 and its other characters where they stand. */
static bool matches(const char *p, const char *form)
{
    for (; *form; p++, form++)
        if (*form == '0' ? *p < '0' || *p > '9' : *p != *form)
            return false;
    return true;
}

static int64_t digits(const char *p, int n)
{
    int64_t v = 0;
    for (int i = 0; i < n; i++)
        v = v * 10 + (p[i] - '0');
    return v;
}

/* Days from 1970-01-01 to a day of the Gregorian calendar; month and day may
 * lie outside of theirs. */
static int64_t days_from(int64_t year, int64_t month, int64_t day)
{
    year += (month + 9) / 12 - 1; /* years begin in March */
    int64_t past = (month + 9) % 12;
    int64_t era = year / 400, of_era = year % 400;
    int64_t of_year = (153 * past + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year -
           719468;
}

/* "2020-01-01" at p; false for years that Java counts in the old calendar. */
static bool read_date(const char *p, int64_t *ms)
{
    if (!matches(p, "0000-00-00") || digits(p, 4) < 1600)
        return false;
    *ms = days_from(digits(p, 4), digits(p + 5, 2), digits(p + 8, 2)) * DAY_MS;
    return true;
}

/* "12:34:56.789Z" at p. */
static bool read_time(const char *p, int64_t *ms)
{
    if (!matches(p, "00:00:00.000Z"))
        return false;
    *ms = ((digits(p, 2) * 60 + digits(p + 3, 2)) * 60 + digits(p + 6, 2)) *
              1000 +
          digits(p + 9, 3);
    return true;
}

/* As SimpleDateFormat reads what is not in the usual form. */
static bool read_lenient(const char *p, size_t len, int which, int64_t *ms)
{
    static const char *const patterns[] = {"yyyy-MM-dd", "HH:mm:ss.SSS'Z'",
                                           "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'"};
    static tg_date_format *formats[3];
    if (!formats[which])
        formats[which] = tg_date_format_new(
            patterns[which], (uint32_t)strlen(patterns[which]), NULL);
    return formats[which] && tg_date_format_parse(formats[which], p,
                                                  (uint32_t)len, ms, NULL) == 0;
}

/* Java holds an instant; a day count or a time of day beyond an int32 keeps
 * what is written of it. */
static void set_temporal(tg_typed *out, int which, int64_t ms)
{
    static const char *const names[] = {"date", "time", "timestamp"};
    int64_t value = ms;
    if (which == 0)
        value = ms / DAY_MS - (ms % DAY_MS < 0);
    else if (which == 1 && ms != (int32_t)ms)
        value = (ms % DAY_MS + DAY_MS) % DAY_MS;
    int tag = which == 2 ? TG_INT64 : TG_INT32;
    out->v = (tg_value){.tag = (uint8_t)tag,
                        .aux = (uint16_t)(TG_LOGICAL_DATE + which),
                        .u.i = value};
    out->schema = tg_schema_of(tag, 0, names[which]);
}

bool tg__header_temporal(const char *p, size_t len, tg_typed *out)
{
    char text[192];
    size_t n = 0;
    int64_t day, ms = 0;
    if (len < DATE_LENGTH || len > sizeof text)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!(p[i] == '\\' && i + 1 < len && p[i + 1] == ':'))
            text[n++] = p[i];
    size_t chars = utf16_length(text, n);
    int which = chars == DATE_LENGTH        ? 0
                : chars == TIME_LENGTH      ? 1
                : chars == TIMESTAMP_LENGTH ? 2
                                            : -1;
    if (which < 0)
        return false;
    bool usual = n == chars;
    if (usual && which == 0)
        usual = read_date(text, &ms);
    else if (usual && which == 1)
        usual = read_time(text, &ms);
    else if (usual && (usual = text[10] == 'T' && read_date(text, &day) &&
                               read_time(text + 11, &ms)))
        ms += day;
    if (!usual && !read_lenient(text, n, which, &ms))
        return false;
    set_temporal(out, which, ms);
    return true;
}
