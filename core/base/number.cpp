/*
 * Numbers as text. The digits come from std::to_chars (the shortest that read
 * back), the notation is Java's and printed here; text is read by an exact fast
 * path (digits below 2^53, power of ten within 10^22: one correctly rounded
 * operation), else by std::from_chars. This is the project's only C++ file:
 * no exceptions, no allocation, no other part of the C++ library.
 *
 * Any thread.
 */
#include "base/number.h"
#include <charconv>
#include <cmath>
#include <cstring>

namespace
{

const char PAIRS[] = "00010203040506070809101112131415161718192021222324252627"
                     "28293031323334353637383940414243444546474849505152535455"
                     "56575859606162636465666768697071727374757677787980818283"
                     "84858687888990919293949596979899";

const double POW10[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                        1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                        1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

const uint64_t TENS[] = {0,
                         10,
                         100,
                         1000,
                         10000,
                         100000,
                         1000000,
                         10000000,
                         100000000,
                         1000000000,
                         10000000000,
                         100000000000,
                         1000000000000,
                         10000000000000,
                         100000000000000,
                         1000000000000000,
                         10000000000000000,
                         100000000000000000,
                         1000000000000000000,
                         10000000000000000000u};

int digit_count(uint64_t v)
{
    int n = (64 - __builtin_clzll(v | 1)) * 1233 >> 12; /* log10(2) */
    return n + (v >= TENS[n]);
}

int unsigned_text(char *out, uint64_t v)
{
    int n = digit_count(v);
    char *p = out + n;
    while (v > UINT32_MAX) {
        p -= 2;
        memcpy(p, PAIRS + 2 * (v % 100), 2);
        v /= 100;
    }
    uint32_t w = (uint32_t)v;
    while (w >= 100) {
        p -= 2;
        memcpy(p, PAIRS + 2 * (w % 100), 2);
        w /= 100;
    }
    if (w >= 10)
        memcpy(out, PAIRS + 2 * w, 2);
    else if (n & 1)
        *out = (char)('0' + w);
    return n;
}

/* n digits with the first one worth 10^exp, in Java's notation. */
int java_notation(char *out, const char *digits, int n, int exp)
{
    char *o = out;
    if (exp >= -3 && exp < 0) {
        memcpy(o, "0.000", 5);
        o += 1 - exp;
        memcpy(o, digits, (size_t)n);
        return (int)(o + n - out);
    }
    int whole = exp >= 0 && exp < 7 ? exp + 1 : 1;
    for (int i = 0; i < whole; i++)
        *o++ = i < n ? digits[i] : '0';
    *o++ = '.';
    if (n > whole) {
        memcpy(o, digits + whole, (size_t)(n - whole));
        o += n - whole;
    } else {
        *o++ = '0';
    }
    if (whole == exp + 1)
        return (int)(o - out);
    *o++ = 'E';
    return (int)(o - out) + tg_int64_text(o, exp);
}

/* "d.ddde-XX" as std::to_chars writes it: digits without the point. */
int split_scientific(const char *p, const char *end, char *digits, int *exp)
{
    int n = 0;
    for (; p < end && *p != 'e'; p++)
        if (*p != '.')
            digits[n++] = *p;
    std::from_chars(p + (p[1] == '+' ? 2 : 1), end, *exp);
    return n;
}

template <typename T> int real_text(char *out, T d, T tiny)
{
    char *o = out;
    if (std::isnan(d)) {
        memcpy(out, "NaN", 3);
        return 3;
    }
    if (std::signbit(d)) {
        *o++ = '-';
        d = -d;
    }
    if (std::isinf(d)) {
        memcpy(o, "Infinity", 8);
        return (int)(o + 8 - out);
    }
    if (d < (T)1e7 && d == (T)(int32_t)d) {
        o += unsigned_text(o, (uint64_t)d);
        memcpy(o, ".0", 2);
        return (int)(o + 2 - out);
    }
    char buf[48], digits[24];
    int exp = 0;
    auto r =
        std::to_chars(buf, buf + sizeof buf, d, std::chars_format::scientific);
    int n = split_scientific(buf, r.ptr, digits, &exp);
    if (n == 1 && d < tiny) {
        /* Java prints two digits at least, the nearest ones: 4.9E-324. */
        r = std::to_chars(buf, buf + sizeof buf, d,
                          std::chars_format::scientific, 1);
        n = split_scientific(buf, r.ptr, digits, &exp);
        if (digits[1] == '0')
            n = 1;
    }
    return (int)(o - out) + java_notation(o, digits, n, exp);
}

/* What the text is worth when from_chars says "out of range". */
double beyond(const char *p, const char *end)
{
    bool negative = p < end && *p == '-';
    long magnitude = 0; /* of the first digit that is not 0 */
    bool seen = false, point = false;
    for (p += negative; p < end && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        seen = seen || *p != '0';
        if (seen && !point)
            magnitude++;
        else if (!seen && point)
            magnitude--;
    }
    if (p < end) {
        p += p + 1 < end && p[1] == '+' ? 2 : 1;
        bool minus = p < end && *p == '-';
        long e = 0;
        auto r = std::from_chars(p, end, e);
        if (r.ec == std::errc::result_out_of_range)
            e = minus ? -1000000000000L : 1000000000000L;
        magnitude += e;
    }
    double d = magnitude > 0 ? HUGE_VAL : 0.0;
    return negative ? -d : d;
}

template <typename T> T parse_slow(const char *p, size_t len)
{
    T d = 0;
    auto r = std::from_chars(p, p + len, d);
    if (r.ec == std::errc::result_out_of_range)
        return (T)beyond(p, p + len);
    if (r.ec != std::errc() || r.ptr != p + len)
        return (T)std::nan("");
    return d;
}

} // namespace

int tg_int64_text(char *out, int64_t i)
{
    if (i >= 0)
        return unsigned_text(out, (uint64_t)i);
    *out = '-';
    return 1 + unsigned_text(out + 1, 0 - (uint64_t)i);
}

int tg_double_text(char *out, double d)
{
    return real_text<double>(out, d, 1e-300);
}

int tg_float_text(char *out, float f)
{
    return real_text<float>(out, f, 1e-37f);
}

double tg_double_parse(const char *p, size_t len)
{
    const char *s = p, *end = p + len;
    bool negative = s < end && *s == '-';
    s += negative;
    uint64_t m = 0;
    const char *first = s;
    while (s < end && (unsigned char)(*s - '0') < 10)
        m = m * 10 + (uint64_t)(*s++ - '0');
    size_t n = (size_t)(s - first);
    int exp = 0;
    if (n == 0)
        return parse_slow<double>(p, len);
    if (s < end && *s == '.') {
        const char *fraction = ++s;
        while (s < end && (unsigned char)(*s - '0') < 10)
            m = m * 10 + (uint64_t)(*s++ - '0');
        exp = -(int)(s - fraction);
        n += (size_t)(s - fraction);
    }
    if (n > 19 || m > (1ull << 53))
        return parse_slow<double>(p, len);
    if (s < end && (*s == 'e' || *s == 'E')) {
        bool plus = s + 1 < end && s[1] == '+';
        int e = 0;
        auto r = std::from_chars(s + 1 + plus, end, e);
        if (r.ec != std::errc() || e > 1000 || e < -1000)
            return parse_slow<double>(p, len);
        exp += e;
        s = r.ptr;
    }
    if (s != end || exp < -22 || exp > 22)
        return parse_slow<double>(p, len);
    double d = (double)m;
    d = exp < 0 ? d / POW10[-exp] : d * POW10[exp];
    return negative ? -d : d;
}

float tg_float_parse(const char *p, size_t len)
{
    return parse_slow<float>(p, len);
}
