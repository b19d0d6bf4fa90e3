/*
 * Regular expressions and date patterns for scripts: what tidegate.h declares
 * of them. Texts are made in one buffer, which the next call uses again.
 *
 * The script thread.
 */
#include "text/java_date.h"
#include "text/regex.h"

/* Beyond this the buffer is given back before the next text. */
enum { SCRATCH_KEEP = 1 << 20 };

static tg_buf scratch;

static tg_err *fresh_err(void)
{
    tg_err *err = tg_err_ffi();

    tg_err_clear(err);
    return err;
}

static tg_buf *fresh_scratch(void)
{
    if (scratch.cap > SCRATCH_KEEP)
        tg_buf_fini(&scratch);
    scratch.len = 0;
    return &scratch;
}

static const char *result(uint32_t *len)
{
    if (scratch.len > INT32_MAX) {
        tg_err_set(tg_err_ffi(), TG_ERR_LIMIT, "a text of more than 2 GB");
        return NULL;
    }
    *len = (uint32_t)scratch.len;
    return tg_buf_cstr(&scratch);
}

tg_regex *tg_regex_compile(const char *p, uint32_t len)
{
    return tg_regex_new(p, len, fresh_err());
}

int32_t tg_regex_test(const tg_regex *re, const char *p, uint32_t len)
{
    return tg_regex_matches(re, p, len, fresh_err());
}

int32_t tg_regex_search(const tg_regex *re, const char *p, uint32_t len,
                        uint32_t from)
{
    uint32_t start, end;

    return tg_regex_find(re, p, len, from, &start, &end, fresh_err());
}

int32_t tg_regex_span(const tg_regex *re, uint32_t i, uint32_t *span)
{
    return tg_regex_group(re, i, &span[0], &span[1]);
}

const char *tg_regex_replaced(const tg_regex *re, const char *p, uint32_t len,
                              const char *replacement, uint32_t replen,
                              int32_t all, uint32_t *outlen)
{
    tg_buf *out = fresh_scratch();

    if (tg_regex_replace(re, p, len, replacement, replen, all != 0, out,
                         fresh_err()) < 0)
        return NULL;
    return result(outlen);
}

tg_date_format *tg_date_compile(const char *p, uint32_t len)
{
    return tg_date_format_new(p, len, fresh_err());
}

const char *tg_date_text(const tg_date_format *format, int64_t ms,
                         uint32_t *len)
{
    tg_date_format_print(format, ms, fresh_scratch());
    return result(len);
}

int32_t tg_date_parse(const tg_date_format *format, const char *p, uint32_t len,
                      int64_t *ms)
{
    return tg_date_format_parse(format, p, len, ms, fresh_err());
}
