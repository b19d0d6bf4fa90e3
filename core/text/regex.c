/*
 * Java regular expressions: matching and replacement templates. The pattern was
 * made by regex_translate.c, so the options here are few: code points, no
 * Unicode rules for \w, and bytes that are no UTF-8 match nothing.
 *
 * Steps and memory of one match are limited: a pattern that backtracks for ever
 * becomes an error of the record.
 *
 * Thread: an object belongs to one (its match data is scratch).
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/regex_priv.h"
#include <pcre2.h>
#include <stdio.h>

enum {
    STEPS_MAX = 10000000, /* about half a second */
    HEAP_MAX_KB = 65536
};

struct tg_regex {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *limits;
    uint32_t groups;
    tg__re_name *names;
    uint32_t nnames;
};

/* --- compiling
 * ---------------------------------------------------------------- */

static int refuse(const tg__re *t, int code, size_t offset, tg_err *err)
{
    PCRE2_UCHAR why[160];
    uint32_t at = 0;

    for (uint32_t i = 0; i < t->nbehind && t->behind[i].out <= offset; i++)
        at = t->behind[i].source;
    if (code == PCRE2_ERROR_LOOKBEHIND_NOT_FIXED_LENGTH)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "a look-behind whose text has no fixed length is not "
                          "supported: give each length as an alternative, near "
                          "index %u",
                          at);
    pcre2_get_error_message(code, why, sizeof why);
    return tg_err_set(err, TG_ERR_CONFIG,
                      code == PCRE2_ERROR_UNKNOWN_UNICODE_PROPERTY
                          ? "Unknown character script name or property (%s) in "
                            "the translated pattern %s"
                          : "the pattern is not supported (%s), translated to "
                            "%s",
                      (const char *)why, t->out.p);
}

static pcre2_code *compile(const tg__re *t, tg_err *err)
{
    pcre2_compile_context *cc = pcre2_compile_context_create(NULL);
    pcre2_code *code = NULL;
    PCRE2_SIZE offset;
    int rc = 0;

    if (cc) {
        pcre2_set_compile_extra_options(cc,
                                        PCRE2_EXTRA_ALLOW_SURROGATE_ESCAPES);
        pcre2_set_newline(cc, PCRE2_NEWLINE_LF);
        code = pcre2_compile((PCRE2_SPTR)t->out.p, t->out.len,
                             PCRE2_UTF | PCRE2_MATCH_INVALID_UTF |
                                 PCRE2_DOTALL | PCRE2_NEVER_BACKSLASH_C,
                             &rc, &offset, cc);
    }
    if (!cc)
        tg_err_set(err, TG_ERR_LIMIT, "no memory for a regular expression");
    else if (!code)
        refuse(t, rc, offset, err);
    pcre2_compile_context_free(cc);
    return code;
}

tg_regex *tg_regex_new(const char *pattern, uint32_t len, tg_err *err)
{
    tg_regex *re = NULL;
    pcre2_code *code;
    tg__re t;

    if (tg__re_translate(pattern, len, &t, err))
        return NULL;
    code = compile(&t, err);
    if (!code)
        goto out;
    re = tg_calloc(sizeof *re);
    re->code = code;
    re->groups = t.groups;
    re->names = t.names;
    re->nnames = t.nnames;
    t.names = NULL;
    t.nnames = 0;
    re->data = pcre2_match_data_create_from_pattern(code, NULL);
    re->limits = pcre2_match_context_create(NULL);
    if (!re->data || !re->limits) {
        tg_err_set(err, TG_ERR_LIMIT, "no memory for a regular expression");
        tg_regex_free(re);
        re = NULL;
        goto out;
    }
    pcre2_set_match_limit(re->limits, STEPS_MAX);
    pcre2_set_heap_limit(re->limits, HEAP_MAX_KB);
out:
    tg__re_fini(&t);
    return re;
}

void tg_regex_free(tg_regex *re)
{
    if (!re)
        return;
    for (uint32_t i = 0; i < re->nnames; i++)
        tg_free(re->names[i].text);
    tg_free(re->names);
    pcre2_match_context_free(re->limits);
    pcre2_match_data_free(re->data);
    pcre2_code_free(re->code);
    tg_free(re);
}

/* --- matching
 * ----------------------------------------------------------------- */

static int match(const tg_regex *re, const char *text, uint32_t len,
                 uint32_t from, uint32_t options, tg_err *err)
{
    PCRE2_UCHAR why[160];
    int rc = pcre2_match(re->code, (PCRE2_SPTR)(text ? text : ""), len, from,
                         options, re->data, re->limits);

    if (rc >= 0)
        return 1;
    if (rc == PCRE2_ERROR_NOMATCH)
        return 0;
    if (rc == PCRE2_ERROR_MATCHLIMIT || rc == PCRE2_ERROR_HEAPLIMIT ||
        rc == PCRE2_ERROR_DEPTHLIMIT)
        return tg_err_set(err, TG_ERR_DATA,
                          "the regular expression needs too many steps on a "
                          "text of %u bytes: it backtracks over nested "
                          "repetitions; make them possessive (*+, ++)",
                          len);
    pcre2_get_error_message(rc, why, sizeof why);
    return tg_err_set(err, TG_ERR_DATA,
                      "the regular expression fails on a text of %u bytes: %s",
                      len, (const char *)why);
}

int tg_regex_matches(const tg_regex *re, const char *text, uint32_t len,
                     tg_err *err)
{
    return match(re, text, len, 0, PCRE2_ANCHORED | PCRE2_ENDANCHORED, err);
}

int tg_regex_find(const tg_regex *re, const char *text, uint32_t len,
                  uint32_t from, uint32_t *start, uint32_t *end, tg_err *err)
{
    int rc = from > len ? 0 : match(re, text, len, from, 0, err);

    if (rc == 1)
        tg_regex_group(re, 0, start, end);
    return rc;
}

uint32_t tg_regex_groups(const tg_regex *re)
{
    return re->groups;
}

uint32_t tg_regex_group_number(const tg_regex *re, const char *name,
                               uint32_t len)
{
    for (uint32_t i = 0; i < re->nnames; i++)
        if (re->names[i].len == len &&
            memcmp(re->names[i].text, name, len) == 0)
            return re->names[i].group;
    return 0;
}

bool tg_regex_group(const tg_regex *re, uint32_t i, uint32_t *start,
                    uint32_t *end)
{
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(re->data);

    if (i > re->groups || at[2 * i] == PCRE2_UNSET)
        return false;
    *start = (uint32_t)at[2 * i];
    *end = (uint32_t)at[2 * i + 1];
    return true;
}

/* --- replacement templates
 * ---------------------------------------------------- */

typedef struct template
{
    const tg_regex *re;
    const char *text; /* that was matched */
    const char *p;    /* the template */
    uint32_t len, at;
    tg_buf *out;
    tg_err *err;
}
template;

static bool broken(template *t, const char *what)
{
    tg_err_set(t->err, TG_ERR_DATA, "%s in the replacement %.*s", what,
               (int)t->len, t->p);
    return false;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name(char c)
{
    return is_digit(c) || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

/* ${name}, at the '{'. */
static bool named_group(template *t, uint32_t *group)
{
    const char *name = t->p + ++t->at;
    uint32_t n = 0;
    char what[128];

    while (t->at < t->len && is_name(t->p[t->at])) {
        t->at++;
        n++;
    }
    if (n == 0)
        return broken(t, "named capturing group has 0 length name");
    if (t->at == t->len || t->p[t->at] != '}')
        return broken(t, "named capturing group is missing trailing '}'");
    t->at++;
    *group = tg_regex_group_number(t->re, name, n);
    if (is_digit(*name))
        snprintf(what, sizeof what,
                 "capturing group name {%.*s} starts with digit character",
                 n > 40 ? 40 : (int)n, name);
    else if (!*group)
        snprintf(what, sizeof what, "No group with name {%.*s}",
                 n > 40 ? 40 : (int)n, name);
    else
        return true;
    return broken(t, what);
}

/* $12: as many digits as make a group that exists. */
static bool numbered_group(template *t, uint32_t *group)
{
    char what[48];
    uint32_t n;

    if (!is_digit(t->p[t->at]))
        return broken(t, "Illegal group reference");
    n = (uint32_t)(t->p[t->at++] - '0');
    while (t->at < t->len && is_digit(t->p[t->at])) {
        uint32_t more = n * 10 + (uint32_t)(t->p[t->at] - '0');
        if (more > t->re->groups)
            break;
        n = more;
        t->at++;
    }
    *group = n;
    if (n <= t->re->groups)
        return true;
    snprintf(what, sizeof what, "No group %u", n);
    return broken(t, what);
}

/* A reference behind '$'. */
static bool reference(template *t)
{
    uint32_t group = 0, start, end;

    if (t->at == t->len)
        return broken(t, "Illegal group reference: group index is missing");
    if (!(t->p[t->at] == '{' ? named_group(t, &group)
                             : numbered_group(t, &group)))
        return false;
    if (tg_regex_group(t->re, group, &start, &end))
        tg_buf_add(t->out, t->text + start, end - start);
    return true;
}

static bool expand(template *t)
{
    t->at = 0;
    while (t->at < t->len) {
        char c = t->p[t->at++];

        if (c == '$') {
            if (!reference(t))
                return false;
            continue;
        }
        if (c == '\\') {
            if (t->at == t->len)
                return broken(t, "character to be escaped is missing");
            c = t->p[t->at++];
        }
        tg_buf_add(t->out, &c, 1);
    }
    return true;
}

/* Behind an empty match the search goes on one character later. */
static uint32_t step(const char *text, uint32_t len, uint32_t at)
{
    do
        at++;
    while (at < len && ((uint8_t)text[at] & 0xc0) == 0x80);
    return at;
}

int tg_regex_replace(const tg_regex *re, const char *text, uint32_t len,
                     const char *replacement, uint32_t replen, bool all,
                     tg_buf *out, tg_err *err)
{
    template t = {.re = re,
                  .text = text,
                  .p = replacement,
                  .len = replen,
                  .out = out,
                  .err = err};
    uint32_t done = 0, from = 0, start = 0, end = 0;
    size_t was = out->len;
    int n = 0, rc;

    while ((rc = tg_regex_find(re, text, len, from, &start, &end, err)) == 1) {
        tg_buf_add(out, text + done, start - done);
        if (!expand(&t)) {
            rc = TG_ERR_DATA;
            break;
        }
        done = end;
        n++;
        if (!all)
            break;
        from = end > start ? end : step(text, len, end);
    }
    if (rc < 0) {
        out->len = was;
        return rc;
    }
    tg_buf_add(out, text + done, len - done);
    return n;
}

int tg_regex_replace_whole(const tg_regex *re, const char *text, uint32_t len,
                           const char *replacement, uint32_t replen,
                           tg_buf *out, tg_err *err)
{
    int rc = tg_regex_matches(re, text, len, err);

    if (rc != 1)
        return rc;
    rc = tg_regex_replace(re, text, len, replacement, replen, false, out, err);
    return rc < 0 ? rc : 1;
}
