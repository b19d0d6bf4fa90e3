/* Character sets to and from UTF-8, one code point at a time. Any thread. */
#include "convert/charset.h"
#include "convert/json_scan.h"
#include <strings.h>

static const struct {
    const char *name;
    tg_charset charset;
} aliases[] = {{"UTF-8", TG_UTF8},        {"UTF8", TG_UTF8},
               {"ISO-8859-1", TG_LATIN1}, {"ISO8859_1", TG_LATIN1},
               {"ISO8859-1", TG_LATIN1},  {"latin1", TG_LATIN1},
               {"US-ASCII", TG_ASCII},    {"ASCII", TG_ASCII},
               {"UTF-16", TG_UTF16},      {"UTF16", TG_UTF16},
               {"UTF-16BE", TG_UTF16BE},  {"UTF-16LE", TG_UTF16LE}};

bool tg_charset_parse(const char *name, tg_charset *out)
{
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++) {
        if (strcasecmp(name, aliases[i].name) == 0) {
            *out = aliases[i].charset;
            return true;
        }
    }
    return false;
}

const char *tg_charset_name(tg_charset charset)
{
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (aliases[i].charset == charset)
            return aliases[i].name;
    return "UTF-8";
}

static void put_utf8(tg_buf *out, uint32_t c)
{
    char *p = tg_buf_room(out, 4);
    int n = 0;
    if (c < 0x80) {
        p[n++] = (char)c;
    } else if (c < 0x800) {
        p[n++] = (char)(0xc0 | c >> 6);
        p[n++] = (char)(0x80 | (c & 63));
    } else if (c < 0x10000) {
        p[n++] = (char)(0xe0 | c >> 12);
        p[n++] = (char)(0x80 | (c >> 6 & 63));
        p[n++] = (char)(0x80 | (c & 63));
    } else {
        p[n++] = (char)(0xf0 | c >> 18);
        p[n++] = (char)(0x80 | (c >> 12 & 63));
        p[n++] = (char)(0x80 | (c >> 6 & 63));
        p[n++] = (char)(0x80 | (c & 63));
    }
    out->len += (size_t)n;
}

/* Next code point of UTF-8 text; U+FFFD for a malformed byte. */
static uint32_t next_utf8(const char **at, const char *end)
{
    const unsigned char *s = (const unsigned char *)*at;
    int n = s[0] < 0x80 ? 1 : tg__utf8_length(*at, end);
    *at += n ? n : 1;
    switch (n) {
    case 1:
        return s[0];
    case 2:
        return (s[0] & 31u) << 6 | (s[1] & 63u);
    case 3:
        return (s[0] & 15u) << 12 | (s[1] & 63u) << 6 | (s[2] & 63u);
    case 4:
        return (s[0] & 7u) << 18 | (s[1] & 63u) << 12 | (s[2] & 63u) << 6 |
               (s[3] & 63u);
    default:
        return 0xfffd;
    }
}

static void decode_utf16(tg_buf *out, const unsigned char *s, size_t len,
                         bool little)
{
    for (size_t i = 0; i + 1 < len; i += 2) {
        uint32_t c = little ? s[i] | (uint32_t)s[i + 1] << 8
                            : (uint32_t)s[i] << 8 | s[i + 1];
        if (c >= 0xd800 && c < 0xe000) {
            uint32_t low = 0;
            if (c < 0xdc00 && i + 3 < len)
                low = little ? s[i + 2] | (uint32_t)s[i + 3] << 8
                             : (uint32_t)s[i + 2] << 8 | s[i + 3];
            if (low >= 0xdc00 && low < 0xe000) {
                c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
                i += 2;
            } else {
                c = 0xfffd;
            }
        }
        put_utf8(out, c);
    }
    if (len % 2)
        put_utf8(out, 0xfffd);
}

void tg_charset_decode(tg_buf *out, tg_charset charset, const char *p,
                       size_t len)
{
    const unsigned char *s = (const unsigned char *)p;
    bool little = charset == TG_UTF16LE;
    switch (charset) {
    case TG_UTF8:
        for (const char *end = p + len; p < end;)
            put_utf8(out, next_utf8(&p, end));
        break;
    case TG_LATIN1:
    case TG_ASCII:
        for (size_t i = 0; i < len; i++)
            put_utf8(out, charset == TG_ASCII && s[i] > 127 ? 0xfffd : s[i]);
        break;
    case TG_UTF16:
        if (len >= 2 && ((s[0] == 0xff && s[1] == 0xfe) ||
                         (s[0] == 0xfe && s[1] == 0xff))) {
            little = s[0] == 0xff;
            s += 2;
            len -= 2;
        }
        decode_utf16(out, s, len, little);
        break;
    default:
        decode_utf16(out, s, len, little);
    }
}

static void put_unit(tg_buf *out, uint32_t unit, bool little)
{
    char *p = tg_buf_room(out, 2);
    p[little ? 1 : 0] = (char)(unit >> 8);
    p[little ? 0 : 1] = (char)unit;
    out->len += 2;
}

void tg_charset_encode(tg_buf *out, tg_charset charset, const char *p,
                       size_t len)
{
    bool little = charset == TG_UTF16LE;
    if (charset == TG_UTF8) {
        tg_buf_add(out, p, len);
        return;
    }
    if (charset == TG_UTF16 && len)
        put_unit(out, 0xfeff, false);
    for (const char *end = p + len; p < end;) {
        uint32_t c = next_utf8(&p, end);
        if (charset == TG_LATIN1 || charset == TG_ASCII) {
            char byte =
                c < (charset == TG_LATIN1 ? 256u : 128u) ? (char)c : '?';
            tg_buf_add(out, &byte, 1);
        } else if (c < 0x10000) {
            put_unit(out, c, little);
        } else {
            put_unit(out, 0xd800 + ((c - 0x10000) >> 10), little);
            put_unit(out, 0xdc00 + ((c - 0x10000) & 1023), little);
        }
    }
}
