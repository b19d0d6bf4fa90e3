/*
 * Java regular expressions: the first line is the pattern, the second the
 * replacement, the rest the text. Whatever they are, there is a result or a
 * sentence, and what is found lies in the text.
 */
#include "text/regex.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *line(const char **p, const char *end, uint32_t *len)
{
    const char *start = *p;
    const char *stop =
        start < end ? memchr(start, '\n', (size_t)(end - start)) : NULL;

    if (!stop)
        stop = end;
    *len = (uint32_t)(stop - start);
    *p = stop < end ? stop + 1 : end;
    return start;
}

static void need(int ok)
{
    if (!ok)
        abort();
}

static void check(tg_regex *re, const char *text, uint32_t len,
                  const char *replacement, uint32_t replen)
{
    uint32_t start, end, from = 0;
    tg_err err = {0};
    tg_buf out = {0};
    int rc;

    rc = tg_regex_matches(re, text, len, &err);
    need(rc >= 0 || err.text[0]);
    while ((rc = tg_regex_find(re, text, len, from, &start, &end, &err)) == 1) {
        need(start >= from || end >= from); /* a look-behind may go back */
        need(start <= end && end <= len);
        from = end > from ? end : from + 1;
    }
    need(rc == 0 || err.text[0]);
    rc = tg_regex_replace(re, text, len, replacement, replen, true, &out, &err);
    need(rc >= 0 || (err.text[0] && out.len == 0));
    tg_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data, *end = p + size;
    uint32_t len, replen;
    const char *pattern, *replacement;
    tg_err err = {0};
    tg_regex *re;

    if (size > 400) /* long texts only take long */
        return 0;
    pattern = line(&p, end, &len);
    replacement = line(&p, end, &replen);
    re = tg_regex_new(pattern, len, &err);
    need(re || (err.code == TG_ERR_CONFIG && err.text[0]));
    if (re)
        check(re, p, (uint32_t)(end - p), replacement, replen);
    tg_regex_free(re);
    return 0;
}
