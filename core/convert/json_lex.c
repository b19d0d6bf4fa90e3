/*
 * The rarer half of the JSON lexer (json_scan.h has the hot one): escapes, long
 * numbers, UTF-8, skipping, keys, and the sentences about malformed text.
 *
 * Script thread.
 */
#include "convert/json_scan.h"
#include <stdarg.h>

/* --- errors --------------------------------------------------------------- */

static void show_found(char *out, size_t size, const tg_json_in *in,
                       const char *at)
{
    unsigned char c = at < in->end ? (unsigned char)*at : 0;
    if (at >= in->end)
        snprintf(out, size, "the text ends");
    else if (c == '\'')
        snprintf(out, size, "found a single quote");
    else if (c > 0x20 && c < 0x7f)
        snprintf(out, size, "found '%c'", c);
    else
        snprintf(out, size, "found byte 0x%02X", c);
}

/* What a wrong text probably is. */
static const char *hint(const tg_json_in *in, const char *at)
{
    size_t len = (size_t)(in->end - in->start);
    const unsigned char *s = (const unsigned char *)in->start;
    if (len == 0)
        return "; the value is empty";
    if (s[0] == 0 && len >= 5)
        return "; a leading byte 0 is the mark of Avro, Protobuf or JSON Schema"
               " with a schema registry: set the converter that wrote it";
    if (len >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0)
        return "; the text starts with a byte order mark, which JSON forbids";
    if (len >= 2 &&
        ((s[0] == 0xff && s[1] == 0xfe) || (s[0] == 0xfe && s[1] == 0xff)))
        return "; the text looks like UTF-16, JSON must be UTF-8";
    if (at >= in->end)
        return "; the value seems to have been cut off";
    if ((unsigned char)*at >= 0x80)
        return "; the text may be in another encoding, JSON must be UTF-8";
    if (at - in->start == 0 && (*at == '<' || (*at | 32) >= 'a'))
        return "; the value looks like plain text: if it is no JSON, use"
               " StringConverter";
    return "";
}

int tg__json_fail(tg_json_in *in, const char *at, const char *expected)
{
    char found[32];
    show_found(found, sizeof found, in, at);
    return tg_err_set(in->err, TG_ERR_DATA,
                      "invalid JSON at byte %zu: %s, expected %s%s",
                      (size_t)(at - in->start), found, expected, hint(in, at));
}

/* Takes a character away that was cut in two at the end of a full buffer. */
static void cut_whole(char *s)
{
    char *end = s + strlen(s), *p = end;
    while (p > s && ((unsigned char)p[-1] & 0xc0) == 0x80)
        p--;
    if (p > s && (unsigned char)p[-1] >= 0x80 && !tg__utf8_length(p - 1, end))
        p[-1] = 0;
}

int tg__json_misfit(tg_json_in *in, const char *at, const char *fmt, ...)
{
    char what[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    cut_whole(what);
    return tg_err_set(in->err, TG_ERR_DATA, "%s (at byte %zu)", what,
                      (size_t)(at - in->start));
}

int tg__json_no_room(tg_json_in *in)
{
    return tg_err_set(in->err, TG_ERR_LIMIT,
                      "the batch reached its memory limit while a JSON value of"
                      " %zu bytes was decoded; poll fewer records at a time",
                      (size_t)(in->end - in->start));
}

int tg__json_too_deep(tg_json_in *in)
{
    return tg_err_set(in->err, TG_ERR_DATA,
                      "invalid JSON at byte %zu: objects and arrays are nested"
                      " more than %d levels deep",
                      (size_t)(in->p - in->start), TG_MAX_DEPTH);
}

/* --- UTF-8 ---------------------------------------------------------------- */

int tg__utf8_length(const char *p, const char *end)
{
    const unsigned char *s = (const unsigned char *)p;
    size_t left = (size_t)(end - p);
    unsigned char c = s[0];
    if (c < 0xc2 || c > 0xf4)
        return 0;
    if (left < 2 || (s[1] & 0xc0) != 0x80)
        return 0;
    if (c < 0xe0)
        return 2;
    if ((c == 0xe0 && s[1] < 0xa0) || (c == 0xed && s[1] > 0x9f) ||
        (c == 0xf0 && s[1] < 0x90) || (c == 0xf4 && s[1] > 0x8f))
        return 0;
    if (left < 3 || (s[2] & 0xc0) != 0x80)
        return 0;
    if (c < 0xf0)
        return 3;
    return left >= 4 && (s[3] & 0xc0) == 0x80 ? 4 : 0;
}

const char *tg__utf8_check(const char *p, size_t len)
{
    const char *end = p + len;
    while (p < end) {
        if (end - p >= 8 && !(tg__json_word(p) & 0x8080808080808080u)) {
            p += 8;
            continue;
        }
        int n = (unsigned char)*p < 0x80 ? 1 : tg__utf8_length(p, end);
        if (n == 0)
            return p;
        p += n;
    }
    return NULL;
}

/* --- strings and numbers -------------------------------------------------- */

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f');
}

int tg__json_escape(tg_json_in *in)
{
    const char *p = in->p;
    if (p == in->end)
        return tg__json_fail(in, p, "an escape after '\\'");
    if (*p == 'u') {
        for (int i = 1; i <= 4; i++)
            if (p + i >= in->end || !is_hex(p[i]))
                return tg__json_fail(in, p + i < in->end ? p + i : in->end,
                                     "four hexadecimal digits after \\u");
        in->p = p + 5;
        return 0;
    }
    if (!strchr("\"\\/bfnrt", *p) || *p == 0)
        return tg__json_fail(in, p,
                             "one of \" \\ / b f n r t u after a backslash");
    in->p = p + 1;
    return 0;
}

static const char *digits(const char *p, const char *end)
{
    while (p < end && (unsigned char)(*p - '0') < 10)
        p++;
    return p;
}

int tg__json_number_tail(tg_json_in *in, const char *text, tg_value *out)
{
    const char *end = in->end, *first = text + (*text == '-');
    const char *p = digits(first, end), *q;
    if (p == first)
        return tg__json_fail(in, p, "a digit after '-'");
    if (*first == '0' && p - first > 1)
        return tg__json_fail(in, first + 1,
                             "no digit after a leading 0 of a number");
    if (p < end && *p == '.') {
        q = digits(p + 1, end);
        if (q == p + 1)
            return tg__json_fail(in, q, "a digit after the decimal point");
        p = q;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        q = digits(p, end);
        if (q == p)
            return tg__json_fail(in, q, "a digit in the exponent");
        p = q;
    }
    out->tag = TG_NUM;
    out->flags = 0;
    out->aux = 0;
    out->len = (uint32_t)(p - text);
    out->u.p = text;
    in->p = p;
    return 0;
}

/* --- keys and skipping ---------------------------------------------------- */

int tg__json_key_text(tg_json_in *in, const char **text, uint32_t *len)
{
    tg_value key;
    if (in->p == in->end || *in->p != '"')
        return tg__json_fail(in, in->p, "a name in double quotes");
    int rc = tg__json_string_at(in, &key);
    if (rc)
        return rc;
    tg__json_ws(in);
    if (in->p == in->end || *in->p != ':')
        return tg__json_fail(in, in->p, "':' after a name");
    in->p++;
    tg__json_ws(in);
    *text = key.u.p;
    *len = key.len;
    if (key.tag == TG_STR)
        return 0;
    *text = tg_value_text(in->batch, &key, len);
    return *text ? 0 : tg__json_no_room(in);
}

const tg_name *tg__json_key(tg_json_in *in, bool private_names)
{
    const char *text;
    uint32_t len;
    if (tg__json_key_text(in, &text, &len))
        return NULL;
    const tg_name *name = private_names ? NULL : tg_name_intern(text, len);
    if (!name)
        name = tg_name_private(in->batch, text, len);
    if (!name)
        tg__json_no_room(in);
    return name;
}

static int skip_members(tg_json_in *in, char close)
{
    in->p++;
    tg__json_ws(in);
    if (in->p < in->end && *in->p == close) {
        in->p++;
        return 0;
    }
    for (;;) {
        const char *text;
        uint32_t len;
        int rc = close == '}' ? tg__json_key_text(in, &text, &len) : 0;
        if (!rc)
            rc = tg__json_skip(in);
        if (rc)
            return rc;
        tg__json_ws(in);
        char c = in->p < in->end ? *in->p : 0;
        if (c != ',' && c != close)
            return tg__json_fail(in, in->p,
                                 close == '}' ? "',' or '}' after a member"
                                              : "',' or ']' after an element");
        in->p++;
        if (c == close)
            return 0;
        tg__json_ws(in);
    }
}

int tg__json_skip(tg_json_in *in)
{
    tg_value unused;
    char c = in->p < in->end ? *in->p : 0;
    if (c != '{' && c != '[')
        return tg__json_scalar(in, &unused);
    if (++in->depth > TG_MAX_DEPTH)
        return tg__json_too_deep(in);
    int rc = skip_members(in, c == '{' ? '}' : ']');
    in->depth--;
    return rc;
}
