/*
 * Java date patterns: eight bytes of time, a line with the pattern, and a text.
 * Whatever is printed with years, months, days and time of day is read again
 * as the same time; any text gives a time or a sentence.
 */
#include "text/java_date.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(int ok)
{
    if (!ok)
        abort();
}

static void round_trip(int64_t ms)
{
    static const char pattern[] = "G yyyy-MM-dd HH:mm:ss.SSS Z";
    static tg_date_format *f;
    tg_buf text = {0};
    tg_err err = {0};
    int64_t again;

    if (!f)
        f = tg_date_format_new(pattern, sizeof pattern - 1, &err);
    tg_date_format_print(f, ms, &text);
    need(tg_date_format_parse(f, text.p, (uint32_t)text.len, &again, &err) ==
             0 &&
         again == ms);
    tg_buf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p, *end = (const char *)data + size, *stop;
    tg_date_format *f;
    tg_err err = {0};
    tg_buf out = {0};
    int64_t ms, t;

    if (size < sizeof ms)
        return 0;
    memcpy(&ms, data, sizeof ms);
    round_trip(ms);
    p = (const char *)data + sizeof ms;
    stop = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
    if (!stop)
        stop = end;
    f = tg_date_format_new(p, (uint32_t)(stop - p), &err);
    if (!f) {
        need(err.code == TG_ERR_CONFIG && err.text[0]);
        return 0;
    }
    tg_date_format_print(f, ms, &out);
    (void)tg_date_format_parse(f, out.p, (uint32_t)out.len, &t, &err);
    if (stop < end &&
        tg_date_format_parse(f, stop + 1, (uint32_t)(end - stop - 1), &t, &err))
        need(err.code == TG_ERR_DATA && err.text[0]);
    tg_buf_fini(&out);
    tg_date_format_free(f);
    return 0;
}
