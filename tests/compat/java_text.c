/*
 * Checks the cases of JavaText.java on standard input against core/text and
 * prints each that differs; the last line sums up. What Java accepts and
 * core/text says that it does not support is counted, not a difference, and so
 * are groups that Java's loops over groups leave behind.
 */
#include "text/java_date.h"
#include "text/regex.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct counts {
    unsigned long cases, wrong, refused, stale;
} counts;

enum { FIELDS_MAX = 6, SHOWN_MAX = 200 };

/* "x" and hexadecimal digits, in place; the length. */
static uint32_t unhex(char *s)
{
    uint32_t n = 0;
    unsigned byte;

    for (char *p = s + 1; sscanf(p, "%2x", &byte) == 1; p += 2)
        s[n++] = (char)byte;
    s[n] = 0;
    return n;
}

static int split(char *line, char **fields)
{
    int n = 0;

    line[strcspn(line, "\n")] = 0;
    for (char *p = strtok(line, "\t"); p && n < FIELDS_MAX;
         p = strtok(NULL, "\t"))
        fields[n++] = p;
    return n;
}

static void differ(counts *c, const char *what, const char *pattern,
                   const char *text, const char *want, const char *got)
{
    if (c->wrong++ < SHOWN_MAX)
        printf("%s\n  pattern %s\n  text    %s\n  Java    %s\n  here    %s\n",
               what, pattern, text, want, got);
}

/* One format is used for all cases of its pattern that follow each other. */
static tg_date_format *date_format(const char *pattern, uint32_t len)
{
    tg_err err = {0};

    return tg_date_format_new(pattern, len, &err);
}

static void check_date(counts *c, char **f)
{
    uint32_t plen = unhex(f[1]), len = 0;
    tg_date_format *format = date_format(f[1], plen);
    const char *want = f[3];
    char number[32] = "-";
    tg_buf got = {0};
    tg_err err = {0};
    int64_t ms;

    if (*f[0] == 'C') {
        if (!format != (*f[2] == 'b'))
            differ(c, "compile", f[1], "", f[2], format ? "ok" : "bad");
    } else if (*f[0] == 'P') {
        len = unhex(f[3]);
        tg_date_format_print(format, strtoll(f[2], NULL, 10), &got);
        tg_buf_cstr(&got);
        if (got.len != len || memcmp(got.p, want, len) != 0)
            differ(c, "format", f[1], f[2], want, got.p);
    } else {
        len = unhex(f[2]);
        if (tg_date_format_parse(format, f[2], len, &ms, &err) == 0)
            snprintf(number, sizeof number, "%" PRId64, ms);
        if (strcmp(number, want) != 0)
            differ(c, "parse", f[1], f[2], want, number);
    }
    tg_buf_fini(&got);
    tg_date_format_free(format);
}

static void put_groups(const tg_regex *re, const char *text, uint32_t len,
                       tg_buf *out)
{
    uint32_t from = 0, start, end, a, b;
    tg_err err = {0};

    for (int n = 0;
         n < 3 && tg_regex_find(re, text, len, from, &start, &end, &err) == 1;
         n++) {
        for (uint32_t g = 0; g <= tg_regex_groups(re); g++)
            if (tg_regex_group(re, g, &a, &b))
                tg_buf_printf(out, "%u.%u;", a, b);
            else
                tg_buf_str(out, "-;");
        from = end;
        if (start == end)
            do
                from++;
            while (from < len && ((uint8_t)text[from] & 0xc0) == 0x80);
        if (from > len)
            break;
    }
}

static void put_hex(tg_buf *out, const char *p, size_t len)
{
    tg_buf_str(out, "x");
    for (size_t i = 0; i < len; i++)
        tg_buf_printf(out, "%02x", (uint8_t)p[i]);
}

static void put_answer(const tg_regex *re, char **f, uint32_t tlen,
                       uint32_t rlen, tg_buf *out)
{
    tg_buf result = {0};
    tg_err err = {0};
    char *tail;

    tg_buf_printf(out, "%d,", tg_regex_matches(re, f[2], tlen, &err));
    put_groups(re, f[2], tlen, out);
    tg_buf_str(out, ",");
    if (tg_regex_replace(re, f[2], tlen, f[3], rlen, true, &result, &err) >=
        0) {
        put_hex(out, result.p, result.len);
    } else {
        tail = strstr(err.text, " in the replacement ");
        tg_buf_str(out, "!");
        put_hex(out, err.text,
                tail ? (size_t)(tail - err.text) : strlen(err.text));
    }
    tg_buf_fini(&result);
}

/* A group is repeated, and only what groups captured differs, or what a back
 * reference made of it. */
static bool is_stale(const char *pattern, const char *a, const char *b)
{
    bool repeated = false;

    for (const char *p = strchr(pattern, ')'); p; p = strchr(p + 1, ')'))
        repeated = repeated || (p[1] && strchr("*+?{", p[1]));
    return repeated && *a == *b && (*a == '0' || *a == '1');
}

static void check_regex(counts *c, char **f)
{
    uint32_t plen = unhex(f[1]), tlen = unhex(f[2]), rlen = unhex(f[3]);
    tg_err err = {0};
    tg_regex *re = tg_regex_new(f[1], plen, &err);
    tg_buf got = {0};

    if (!re && strstr(err.text, "not supported") && strcmp(f[4], "bad") != 0) {
        c->refused++;
        return;
    }
    if (re)
        put_answer(re, f, tlen, rlen, &got);
    else
        tg_buf_str(&got, "bad");
    if (strcmp(tg_buf_cstr(&got), f[4]) == 0)
        ;
    else if (is_stale(f[1], got.p, f[4]))
        c->stale++;
    else
        differ(c, re ? "regex" : err.text, f[1], f[2], f[4], got.p);
    tg_buf_fini(&got);
    tg_regex_free(re);
}

int main(void)
{
    char *line = NULL, *fields[FIELDS_MAX];
    size_t cap = 0;
    counts c = {0};

    while (getline(&line, &cap, stdin) > 0) {
        int n = split(line, fields);
        if (n < 3)
            continue;
        c.cases++;
        if (*fields[0] == 'R' && n == 5)
            check_regex(&c, fields);
        else
            check_date(&c, fields);
    }
    free(line);
    printf("%lu cases, %lu differ, %lu not supported, %lu stale\n", c.cases,
           c.wrong, c.refused, c.stale);
    return c.wrong > 0;
}
