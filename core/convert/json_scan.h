/*
 * The lexer shared by the JSON decoders of this folder (RFC 8259, strict). A
 * cursor over text that is not terminated: nothing behind end is read. Strings
 * are scanned eight bytes at a time and checked to be UTF-8. Inline, since this
 * is where the time of a record goes. Script thread.
 */
#ifndef TG_CONVERT_JSON_SCAN_H
#define TG_CONVERT_JSON_SCAN_H
#include "convert/json.h"
#include "data/node.h"

typedef struct tg_json_in {
    const char *start, *p, *end;
    tg_batch *batch;
    tg_cell *cell;
    tg_err *err;
    uint32_t depth;
    bool defaults; /* typed: null becomes the default of the schema */
} tg_json_in;

/* Reports what stands at `at` and what was expected; always TG_ERR_DATA. The
 * sentence adds a hint where the text looks cut off or like another format. */
int tg__json_fail(tg_json_in *in, const char *at, const char *expected);
/* A value of the right syntax that does not fit. */
int tg__json_misfit(tg_json_in *in, const char *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int tg__json_no_room(tg_json_in *in);
int tg__json_too_deep(tg_json_in *in);

/* Bytes of the UTF-8 sequence at p (2 to 4), 0 if it is malformed, overlong, a
 * surrogate or beyond U+10FFFF. p[0] >= 0x80. */
int tg__utf8_length(const char *p, const char *end);
/* First byte that breaks UTF-8, or NULL. */
const char *tg__utf8_check(const char *p, size_t len);

/* The four parsers of containers. schema: of the elements, NULL for none. */
int tg__json_object(tg_json_in *in, tg_value *out, tg_node *parent,
                    tg_site *site, const tg_schema *schema);
int tg__json_array(tg_json_in *in, tg_value *out, tg_node *parent,
                   tg_site *site, const tg_schema *schema);
/* Any value against a schema. */
int tg__json_typed(tg_json_in *in, tg_value *out, tg_node *parent,
                   tg_site *site, const tg_schema *schema);
/* Passes over one value, checking it. */
int tg__json_skip(tg_json_in *in);
/* Any escape behind a backslash at in->p[-1]; moves on. */
int tg__json_escape(tg_json_in *in);
/* Number with fraction, exponent or many digits; text is the whole number. */
int tg__json_number_tail(tg_json_in *in, const char *text, tg_value *out);
/* Makes room for one more slot. */
int tg__json_grow(tg_json_in *in, tg_node *node);
/* Site of objects for which nothing better is known. */
tg_site *tg__json_wild_site(void);
/* Name of the key at in->p, moved behind the colon. private_names: without
 * interning. NULL on error. */
const tg_name *tg__json_key(tg_json_in *in, bool private_names);
/* An object key as text in the input or the arena. */
int tg__json_key_text(tg_json_in *in, const char **text, uint32_t *len);

static inline void tg__json_ws(tg_json_in *in)
{
    const char *p = in->p, *end = in->end;
    if (p < end && (unsigned char)*p > ' ')
        return;
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    in->p = p;
}

static inline uint64_t tg__json_word(const char *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    w = __builtin_bswap64(w);
#endif
    return w;
}

/* Bit 7 of the first byte that is a quote, a backslash, a control character or
 * not ASCII; 0 if there is none. Bits above the lowest may be wrong. */
static inline uint64_t tg__json_special(uint64_t w)
{
    const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    uint64_t quote = w ^ (ones * '"'), slash = w ^ (ones * '\\');
    return (((quote - ones) & ~quote) | ((slash - ones) & ~slash) |
            ((w - ones * 0x20) & ~w) | w) &
           high;
}

/* First byte from p on that is special as above, or end. */
static inline const char *tg__json_plain(const char *p, const char *end)
{
    while (end - p >= 8) {
        uint64_t m = tg__json_special(tg__json_word(p));
        if (m)
            return p + (__builtin_ctzll(m) >> 3);
        p += 8;
    }
    while (p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 &&
           *p != '"' && *p != '\\')
        p++;
    return p;
}

/* A string at in->p (on its opening quote): a TG_STR or TG_ESC value. */
static inline int tg__json_string_at(tg_json_in *in, tg_value *out)
{
    const char *text = ++in->p;
    uint8_t tag = TG_STR;
    for (;;) {
        const char *p = tg__json_plain(in->p, in->end);
        in->p = p;
        if (p == in->end)
            return tg__json_fail(in, p, "the closing '\"' of a string");
        if (*p == '"')
            break;
        if (*p == '\\') {
            tag = TG_ESC;
            in->p = p + 1;
            int rc = tg__json_escape(in);
            if (rc)
                return rc;
        } else if ((unsigned char)*p < 0x20) {
            return tg__json_fail(in, p,
                                 "control characters in strings as \\u00XX");
        } else {
            int n = tg__utf8_length(p, in->end);
            if (n == 0)
                return tg__json_fail(in, p, "UTF-8");
            in->p = p + n;
        }
    }
    out->tag = tag;
    out->flags = 0;
    out->aux = 0;
    out->len = (uint32_t)(in->p - text);
    out->u.p = text;
    in->p++;
    return 0;
}

static inline int tg__json_number_at(tg_json_in *in, tg_value *out)
{
    const char *text = in->p, *p = text, *end = in->end;
    bool negative = *p == '-';
    p += negative;
    const char *first = p;
    uint64_t v = 0;
    while (p < end && (unsigned char)(*p - '0') < 10)
        v = v * 10 + (uint64_t)(*p++ - '0');
    size_t n = (size_t)(p - first);
    in->p = p;
    if (n == 0 || n > 18 || (*first == '0' && (n > 1 || negative)) ||
        (p < end && (*p == '.' || *p == 'e' || *p == 'E')))
        return tg__json_number_tail(in, text, out);
    out->tag = TG_INT64;
    out->flags = 0;
    out->aux = 0;
    out->len = 0;
    out->u.i = negative ? -(int64_t)v : (int64_t)v;
    return 0;
}

static inline int tg__json_word_at(tg_json_in *in, const char *word, size_t n)
{
    if ((size_t)(in->end - in->p) < n || memcmp(in->p, word, n) != 0)
        return tg__json_fail(in, in->p, "a value");
    in->p += n;
    return 0;
}

static inline void tg__json_set(tg_value *out, uint8_t tag, int64_t i)
{
    out->tag = tag;
    out->flags = 0;
    out->aux = 0;
    out->len = 0;
    out->u.i = i;
}

/* Anything but an object or array at in->p. */
static inline int tg__json_scalar(tg_json_in *in, tg_value *out)
{
    if (in->p == in->end)
        return tg__json_fail(in, in->p, "a value");
    switch (*in->p) {
    case '"':
        return tg__json_string_at(in, out);
    case 't':
        tg__json_set(out, TG_BOOL, 1);
        return tg__json_word_at(in, "true", 4);
    case 'f':
        tg__json_set(out, TG_BOOL, 0);
        return tg__json_word_at(in, "false", 5);
    case 'n':
        tg__json_set(out, TG_NULL, 0);
        return tg__json_word_at(in, "null", 4);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return tg__json_number_at(in, out);
    default:
        return tg__json_fail(in, in->p, "a value");
    }
}

/* A schemaless value whose objects have the site of slot i of shape (NULL: no
 * such site). */
static inline int tg__json_value(tg_json_in *in, tg_value *out, tg_node *parent,
                                 tg_site *site)
{
    char c = in->p < in->end ? *in->p : 0;
    if (c == '{')
        return tg__json_object(in, out, parent, site, NULL);
    if (c == '[')
        return tg__json_array(in, out, parent, site, NULL);
    return tg__json_scalar(in, out);
}

/* The same bytes, without reading behind either of them. */
static inline bool tg__json_same(const char *a, const char *b, size_t n)
{
    if (n >= 8) {
        uint64_t x, y;
        for (; n > 8; n -= 8, a += 8, b += 8) {
            memcpy(&x, a, 8);
            memcpy(&y, b, 8);
            if (x != y)
                return false;
        }
        memcpy(&x, a + n - 8, 8);
        memcpy(&y, b + n - 8, 8);
        return x == y;
    }
    if (n >= 4) {
        uint32_t x, y, v, w;
        memcpy(&x, a, 4);
        memcpy(&y, b, 4);
        memcpy(&v, a + n - 4, 4);
        memcpy(&w, b + n - 4, 4);
        return x == y && v == w;
    }
    return memcmp(a, b, n) == 0;
}

/* Moves behind `"name":` and white space when that is what stands here. */
static inline bool tg__json_key_is(tg_json_in *in, const tg_name *name)
{
    size_t n = name->jsonlen - 1; /* without the comma in front */
    if ((size_t)(in->end - in->p) < n ||
        !tg__json_same(in->p, name->json + 1, n))
        return false;
    in->p += n;
    tg__json_ws(in);
    return true;
}

#endif
