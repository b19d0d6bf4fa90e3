/*
 * The lexer of .proto texts: names, numbers, strings with escapes, comments.
 * Texts end with a NUL, nothing behind it is read. Any thread.
 */
#include "convert/proto_lex.h"
#include <stdarg.h>
#include <stdio.h>

static bool name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

static int hex_digit(char c)
{
    if (digit(c))
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* --- errors --------------------------------------------------------------- */

int tg__proto_wrong(tg_proto_lexer *lex, uint32_t line, const char *fmt, ...)
{
    char what[512];
    va_list ap;
    if (lex->rc)
        return lex->rc;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    lex->rc = tg_err_set(lex->err, TG_ERR_DATA, "protobuf %s, line %u: %s",
                         lex->file->name, line, what);
    lex->token = TG_TOKEN_END;
    return lex->rc;
}

int tg__proto_fail(tg_proto_lexer *lex, const char *expected)
{
    if (lex->token == TG_TOKEN_END)
        return tg__proto_wrong(lex, lex->line, "the text ends, expected %s",
                               expected);
    if (lex->token == TG_TOKEN_STRING)
        return tg__proto_wrong(lex, lex->line, "found a string, expected %s",
                               expected);
    int n = (int)(lex->len < 40 ? lex->len : 40);
    return tg__proto_wrong(lex, lex->line, "found \"%.*s\", expected %s", n,
                           lex->text, expected);
}

/* --- white space ---------------------------------------------------------- */

static int skip_space(tg_proto_lexer *lex)
{
    const char *p = lex->p;
    for (;; p++) {
        if (*p == '\n') {
            lex->at_line++;
        } else if (*p == '/' && p[1] == '/') {
            while (p[1] && p[1] != '\n')
                p++;
        } else if (*p == '/' && p[1] == '*') {
            uint32_t line = lex->at_line;
            for (p += 2; *p && !(*p == '*' && p[1] == '/'); p++)
                lex->at_line += *p == '\n';
            if (!*p)
                return tg__proto_wrong(lex, line, "a comment is not closed");
            p++;
        } else if (*p != ' ' && *p != '\t' && *p != '\r' && *p != '\f' &&
                   *p != '\v') {
            break;
        }
    }
    lex->p = p;
    return 0;
}

/* --- strings -------------------------------------------------------------- */

static void put_utf8(tg_buf *out, uint32_t c)
{
    char b[4];
    size_t n = 0;
    if (c < 0x80) {
        b[n++] = (char)c;
    } else if (c < 0x800) {
        b[n++] = (char)(0xc0 | c >> 6);
    } else if (c < 0x10000) {
        b[n++] = (char)(0xe0 | c >> 12);
        b[n++] = (char)(0x80 | (c >> 6 & 63));
    } else {
        b[n++] = (char)(0xf0 | c >> 18);
        b[n++] = (char)(0x80 | (c >> 12 & 63));
        b[n++] = (char)(0x80 | (c >> 6 & 63));
    }
    if (c >= 0x80)
        b[n++] = (char)(0x80 | (c & 63));
    tg_buf_add(out, b, n);
}

/* Up to `most` digits in a base; -1 when there is none. */
static int64_t digits(const char **p, int base, int most)
{
    int64_t v = 0;
    int n = 0;
    for (; n < most; n++, (*p)++) {
        int d = hex_digit(**p);
        if (d < 0 || d >= base)
            break;
        v = v * base + d;
    }
    return n ? v : -1;
}

/* What follows a backslash at *p. */
static bool escape(tg_buf *out, const char **p)
{
    static const char letters[] = "abfnrtv\\'\"?";
    static const char meant[] = "\a\b\f\n\r\t\v\\'\"?";
    char c = **p;
    const char *at = c ? strchr(letters, c) : NULL;
    int64_t v;
    if (at) {
        (*p)++;
        tg_buf_add(out, meant + (at - letters), 1);
        return true;
    }
    if (c >= '0' && c <= '7') {
        v = digits(p, 8, 3);
    } else if (c == 'x' || c == 'X') {
        (*p)++;
        v = digits(p, 16, 2);
    } else if (c == 'u' || c == 'U') {
        (*p)++;
        v = digits(p, 16, c == 'u' ? 4 : 8);
        if (v < 0 || v > 0x10ffff)
            return false;
        put_utf8(out, (uint32_t)v);
        return true;
    } else {
        return false;
    }
    char byte = (char)v;
    tg_buf_add(out, &byte, 1);
    return v >= 0;
}

bool tg__proto_unescape(tg_buf *out, const char *p)
{
    while (*p) {
        const char *from = p;
        while (*p && *p != '\\')
            p++;
        tg_buf_add(out, from, (size_t)(p - from));
        if (*p && (p++, !escape(out, &p)))
            return false;
    }
    return true;
}

static int read_string(tg_proto_lexer *lex, tg_buf *out)
{
    char quote = *lex->p++;
    for (;;) {
        const char *p = lex->p;
        while (*p && *p != quote && *p != '\\' && *p != '\n')
            p++;
        tg_buf_add(out, lex->p, (size_t)(p - lex->p));
        lex->p = p;
        if (!*p || *p == '\n')
            return tg__proto_wrong(lex, lex->line, "a string is not closed");
        lex->p++;
        if (*p == quote)
            return 0;
        if (!escape(out, &lex->p))
            return tg__proto_wrong(lex, lex->line,
                                   "a string has an unknown escape");
    }
}

/* Strings that follow each other are one. */
static void take_string(tg_proto_lexer *lex)
{
    tg_buf out = {0};
    lex->token = TG_TOKEN_STRING;
    while (!lex->rc && (*lex->p == '"' || *lex->p == '\''))
        if (read_string(lex, &out) == 0)
            skip_space(lex);
    lex->len = out.len;
    if (!lex->rc) {
        lex->text = tg__proto_text(lex->file->set, out.p, out.len, lex->err);
        if (!lex->text)
            lex->rc = TG_ERR_LIMIT;
    }
    if (lex->rc)
        lex->token = TG_TOKEN_END;
    tg_buf_fini(&out);
}

/* --- numbers -------------------------------------------------------------- */

static void take_number(tg_proto_lexer *lex)
{
    const char *p = lex->p;
    int base = 10;
    lex->token = TG_TOKEN_INT;
    lex->text = p;
    lex->number = 0;
    if (*p == '0' && (p[1] | 32) == 'x') {
        base = 16;
        p += 2;
    } else if (*p == '0' && digit(p[1])) {
        base = 8;
    }
    bool over = false;
    const char *first = p;
    for (int d; (d = hex_digit(*p)) >= 0 && d < (base == 16 ? 16 : 10); p++) {
        over |=
            __builtin_mul_overflow(lex->number, (uint64_t)base, &lex->number) ||
            __builtin_add_overflow(lex->number, (uint64_t)d, &lex->number);
    }
    if (base != 16 && (*p == '.' || (*p | 32) == 'e')) {
        lex->token = TG_TOKEN_REAL;
        while (digit(*p) || *p == '.')
            p++;
        if ((*p | 32) == 'e') {
            p += 1 + (p[1] == '+' || p[1] == '-');
            while (digit(*p))
                p++;
        }
        if ((*p | 32) == 'f')
            p++;
    } else if (p == first || over) {
        lex->token = TG_TOKEN_REAL;
    }
    lex->len = (size_t)(p - lex->text);
    lex->p = p;
    if (name_start(*p))
        tg__proto_wrong(lex, lex->line, "a number ends with a letter");
}

/* --- the next token ------------------------------------------------------- */

static void take_character(tg_proto_lexer *lex)
{
    unsigned char c = (unsigned char)*lex->p;
    lex->token = c ? c : TG_TOKEN_END;
    if (c)
        lex->p++;
    if (!c || strchr(";{}[]()<>=,.:-+/", c))
        return;
    if (c < 0x20 || c >= 0x7f)
        tg__proto_wrong(lex, lex->line, "byte 0x%02X does not belong here", c);
    else
        tg__proto_wrong(lex, lex->line, "'%c' does not belong here", c);
}

void tg__proto_next(tg_proto_lexer *lex)
{
    if (lex->rc || skip_space(lex))
        return;
    lex->line = lex->at_line;
    lex->text = lex->p;
    lex->len = 1;
    char c = *lex->p;
    if (name_start(c)) {
        while (name_start(*lex->p) || digit(*lex->p))
            lex->p++;
        lex->token = TG_TOKEN_NAME;
        lex->len = (size_t)(lex->p - lex->text);
    } else if (digit(c) || (c == '.' && digit(lex->p[1]))) {
        take_number(lex);
    } else if (c == '"' || c == '\'') {
        take_string(lex);
    } else {
        take_character(lex);
    }
}

bool tg__proto_is(const tg_proto_lexer *lex, const char *word)
{
    return lex->token == TG_TOKEN_NAME && strlen(word) == lex->len &&
           memcmp(lex->text, word, lex->len) == 0;
}

bool tg__proto_take(tg_proto_lexer *lex, int token)
{
    if (lex->token != token)
        return false;
    tg__proto_next(lex);
    return true;
}
