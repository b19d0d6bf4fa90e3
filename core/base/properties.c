/*
 * Java properties text, read as java.util.Properties.load reads it.
 *
 * Natural lines are joined into logical lines (a line that ends with an odd
 * number of backslashes goes on in the next one, whose leading blanks are
 * skipped), a logical line is cut into key and value, and escapes are resolved
 * last. Bytes are ISO-8859-1, so a UTF-8 file reads as Java would read it: one
 * character a byte. What comes out is UTF-8.
 *
 * Any thread.
 */
#include "base/config.h"
#include "base/file.h"
#include "base/mem.h"

enum { FILE_MAX = 16 * 1024 * 1024 };

typedef struct reader {
    const char *p, *end;
    const char *name; /* of the file, for errors */
    int line;         /* of p */
    tg_buf text;      /* the logical line */
    tg_buf breaks;    /* size_t offsets in text where a natural line began */
    int first;        /* line number of the logical line */
} reader;

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\f';
}

static bool is_eol(char c)
{
    return c == '\n' || c == '\r';
}

/* Steps over one line end: \n, \r or \r\n. */
static void skip_eol(reader *r)
{
    if (*r->p == '\r' && r->p + 1 < r->end && r->p[1] == '\n')
        r->p++;
    r->p++;
    r->line++;
}

static void skip_blanks(reader *r)
{
    while (r->p < r->end && is_blank(*r->p))
        r->p++;
}

/* Stands before the first character of the next line that says something;
 * false at the end of the text. */
static bool next_start(reader *r)
{
    for (;;) {
        skip_blanks(r);
        if (r->p == r->end)
            return false;
        if (*r->p == '#' || *r->p == '!')
            while (r->p < r->end && !is_eol(*r->p))
                r->p++;
        else if (!is_eol(*r->p))
            return true;
        if (r->p < r->end)
            skip_eol(r);
    }
}

/* Appends the rest of a natural line; true if it goes on in the next one. */
static bool take_natural(reader *r)
{
    const char *from = r->p;
    bool escaped = false;

    for (; r->p < r->end && !is_eol(*r->p); r->p++)
        escaped = *r->p == '\\' && !escaped;
    tg_buf_add(&r->text, from, (size_t)(r->p - from) - escaped);
    if (r->p < r->end)
        skip_eol(r);
    return escaped && r->p < r->end;
}

/* Reads one logical line into r->text; false at the end. */
static bool next_logical(reader *r)
{
    r->text.len = 0;
    r->breaks.len = 0;
    if (!next_start(r))
        return false;
    r->first = r->line;
    while (take_natural(r)) {
        tg_buf_add(&r->breaks, &r->text.len, sizeof r->text.len);
        skip_blanks(r);
    }
    return true;
}

/* Line number of an offset in the logical line. */
static int line_of(const reader *r, size_t at)
{
    const char *p = r->breaks.p;
    size_t n = r->breaks.len / sizeof at;
    int line = r->first;
    size_t i;

    for (i = 0; i < n; i++) {
        size_t begin;
        memcpy(&begin, p + i * sizeof begin, sizeof begin);
        line += begin <= at;
    }
    return line;
}

static void put_utf8(tg_buf *out, uint32_t c)
{
    char *p = tg_buf_room(out, 4);
    size_t n = 0;

    if (c < 0x80) {
        p[n++] = (char)c;
    } else if (c < 0x800) {
        p[n++] = (char)(0xc0 | c >> 6);
        p[n++] = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        p[n++] = (char)(0xe0 | c >> 12);
        p[n++] = (char)(0x80 | (c >> 6 & 0x3f));
        p[n++] = (char)(0x80 | (c & 0x3f));
    } else {
        p[n++] = (char)(0xf0 | c >> 18);
        p[n++] = (char)(0x80 | (c >> 12 & 0x3f));
        p[n++] = (char)(0x80 | (c >> 6 & 0x3f));
        p[n++] = (char)(0x80 | (c & 0x3f));
    }
    out->len += n;
}

/* Appends a UTF-16 unit. *high holds a high surrogate that waits for its low
 * one; alone, either becomes '?', as when Java encodes it. */
static void put_unit(tg_buf *out, uint32_t unit, uint32_t *high)
{
    if (*high && unit >= 0xdc00 && unit <= 0xdfff) {
        put_utf8(out, 0x10000 + ((*high - 0xd800) << 10) + (unit - 0xdc00));
        *high = 0;
        return;
    }
    if (*high)
        put_utf8(out, '?');
    *high = unit >= 0xd800 && unit <= 0xdbff ? unit : 0;
    if (*high)
        return;
    put_utf8(out, unit >= 0xdc00 && unit <= 0xdfff ? '?' : unit);
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Four hexadecimal digits at text[at], or -1. */
static int hex4(const tg_buf *text, size_t at, size_t end)
{
    int unit = 0;
    size_t i;

    if (end - at < 4)
        return -1;
    for (i = at; i < at + 4; i++) {
        int digit = hex(text->p[i]);
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

static int bad_escape(const reader *r, size_t at, size_t end, tg_err *err)
{
    char shown[8];
    size_t n = 0;

    for (; n < 6 && at + n < end; n++) {
        char c = r->text.p[at + n];
        shown[n] = c >= ' ' && c <= '~' ? c : '?';
    }
    shown[n] = '\0';
    return tg_err_set(err, TG_ERR_CONFIG,
                      "%s:%d: malformed escape \"%s\": \\u must be followed by "
                      "four hexadecimal digits (write \\\\ for a backslash)",
                      r->name, line_of(r, at), shown);
}

/* Text [at, end) of the logical line with escapes resolved, as UTF-8. */
static int unescape(const reader *r, size_t at, size_t end, tg_buf *out,
                    tg_err *err)
{
    uint32_t high = 0;

    out->len = 0;
    while (at < end) {
        uint32_t unit = (unsigned char)r->text.p[at++];
        if (unit == '\\' && at < end) {
            unit = (unsigned char)r->text.p[at++];
            if (unit == 'u') {
                int code = hex4(&r->text, at, end);
                if (code < 0)
                    return bad_escape(r, at - 2, end, err);
                unit = (uint32_t)code;
                at += 4;
            } else if (unit == 't') {
                unit = '\t';
            } else if (unit == 'n') {
                unit = '\n';
            } else if (unit == 'r') {
                unit = '\r';
            } else if (unit == 'f') {
                unit = '\f';
            }
        }
        if (unit == 0)
            return tg_err_set(err, TG_ERR_CONFIG,
                              "%s:%d: a NUL character: no key or value can "
                              "hold one (is this a text file?)",
                              r->name, line_of(r, at - 1));
        put_unit(out, unit, &high);
    }
    if (high)
        put_utf8(out, '?');
    tg_buf_cstr(out);
    return TG_OK;
}

/* Where the key of the logical line ends and its value begins. */
static size_t split(const tg_buf *text, size_t *value)
{
    bool escaped = false;
    bool separated = false;
    size_t key = 0;
    size_t at;

    for (; key < text->len; key++) {
        char c = text->p[key];
        if (!escaped && (c == '=' || c == ':' || is_blank(c)))
            break;
        escaped = c == '\\' && !escaped;
    }
    for (at = key; at < text->len; at++) {
        char c = text->p[at];
        if (is_blank(c))
            continue;
        if (separated || (c != '=' && c != ':'))
            break;
        separated = true;
    }
    *value = at;
    return key;
}

json_t *tg_properties_parse(const char *text, size_t len, const char *name,
                            tg_err *err)
{
    reader r = {.p = text, .end = text + len, .name = name, .line = 1};
    tg_buf key = {0}, value = {0};
    json_t *map = json_object();
    bool ok = true;

    while (ok && next_logical(&r)) {
        size_t from;
        size_t to = split(&r.text, &from);
        ok = unescape(&r, 0, to, &key, err) == TG_OK &&
             unescape(&r, from, r.text.len, &value, err) == TG_OK;
        if (ok)
            json_object_set_new(map, key.p, json_stringn(value.p, value.len));
    }
    if (!ok) {
        json_decref(map);
        map = NULL;
    }
    tg_buf_fini(&key);
    tg_buf_fini(&value);
    tg_buf_fini(&r.text);
    tg_buf_fini(&r.breaks);
    return map;
}

json_t *tg_properties_load(const char *path, tg_err *err)
{
    size_t len;
    char *text = tg_file_read(path, FILE_MAX, &len, err);
    json_t *map;

    if (!text)
        return NULL;
    map = tg_properties_parse(text, len, path, err);
    tg_free(text);
    return map;
}
