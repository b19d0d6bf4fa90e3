/*
 * Escapes of a Java pattern that stand for one character: \n, \0oct, \xhh,
 * \x{h..h}, \uhhhh (two of them for a surrogate pair), \cX.
 *
 * Any thread; no state.
 */
#include "text/regex_priv.h"

static int hex_digit(uint32_t c)
{
    if (c >= '0' && c <= '9')
        return (int)(c - '0');
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? (int)(c - 'a' + 10) : -1;
}

static bool is_octal(uint32_t c, char top)
{
    return c >= '0' && c <= (uint32_t)top;
}

static int64_t octal(tg__re *t)
{
    uint32_t a = tg__re_read(t), b, c, save;

    if (!is_octal(a, '7')) {
        tg__re_fail(t, "Illegal octal escape sequence");
        return -2;
    }
    save = t->at;
    b = tg__re_read(t);
    if (!is_octal(b, '7')) {
        t->at = save;
        return a - '0';
    }
    save = t->at;
    c = tg__re_read(t);
    if (is_octal(c, '7') && is_octal(a, '3'))
        return (a - '0') * 64 + (b - '0') * 8 + (c - '0');
    t->at = save;
    return (a - '0') * 8 + (b - '0');
}

static int64_t hex(tg__re *t)
{
    uint32_t c = tg__re_read(t);
    int64_t value = 0;
    int a = hex_digit(c), b;

    if (a >= 0 && (b = hex_digit(tg__re_read(t))) >= 0)
        return a * 16 + b;
    if (a >= 0 || c != '{' || hex_digit(tg__re_peek(t)) < 0) {
        tg__re_fail(t, "Illegal hexadecimal escape sequence");
        return -2;
    }
    while ((a = hex_digit(c = tg__re_read(t))) >= 0) {
        value = value * 16 + a;
        if (value > 0x10ffff) {
            tg__re_fail(t, "Hexadecimal codepoint is too big");
            return -2;
        }
    }
    if (c != '}') {
        tg__re_fail(t, "Unclosed hexadecimal escape sequence");
        return -2;
    }
    return value;
}

static int64_t four_hex(tg__re *t)
{
    int64_t value = 0;

    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(tg__re_read(t));
        if (digit < 0) {
            tg__re_fail(t, "Illegal Unicode escape sequence");
            return -2;
        }
        value = value * 16 + digit;
    }
    return value;
}

static int64_t unicode(tg__re *t)
{
    int64_t high = four_hex(t), low;
    uint32_t save = t->at;

    if (high < 0xd800 || high > 0xdbff)
        return high;
    if (tg__re_read(t) == '\\' && tg__re_read(t) == 'u') {
        low = four_hex(t);
        if (low < 0)
            return low;
        if (low >= 0xdc00 && low <= 0xdfff)
            return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    }
    t->at = save;
    return high;
}

int64_t tg__re_escaped_char(tg__re *t, uint32_t letter)
{
    switch (letter) {
    case '0':
        return octal(t);
    case 'a':
        return 7;
    case 'c':
        if (t->at < t->n)
            return (tg__re_read(t) & ~TG_RE_QUOTED) ^ 64;
        tg__re_fail(t, "Illegal control escape sequence");
        return -2;
    case 'e':
        return 0x1b;
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'u':
        return unicode(t);
    case 'x':
        return hex(t);
    default:
        letter &= ~TG_RE_QUOTED;
        return letter < 128 && ((letter >= '1' && letter <= '9') ||
                                ((letter | 32) >= 'a' && (letter | 32) <= 'z'))
                   ? -1
                   : (int64_t)letter;
    }
}
