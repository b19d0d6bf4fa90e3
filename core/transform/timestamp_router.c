/*
 * TimestampRouter: a topic made of the record's topic and its formatted
 * timestamp. The last result serves all records of the same topic whose times
 * have the same text. Script thread.
 */
#include "text/java_date.h"
#include "transform/stock.h"

typedef struct router {
    tg_stock base;
    tg_date_format *format;
    char *topic_format;
    uint32_t len;
    int64_t unit;   /* ms that share a text */
    int64_t moment; /* timestamp / unit of the last result */
    tg_buf from;    /* topic of the last result; len 0: none */
    tg_buf to;
} router;

/* Appends text with every place replaced by what. */
static void replace(tg_buf *out, const char *text, size_t len,
                    const char *place, const char *what, size_t whatlen)
{
    size_t n = strlen(place);

    for (size_t i = 0; i < len;) {
        if (len - i >= n && memcmp(text + i, place, n) == 0) {
            tg_buf_add(out, what, whatlen);
            i += n;
        } else {
            tg_buf_add(out, text + i++, 1);
        }
    }
}

static void route(router *r, const tg_record *rec)
{
    tg_buf with_topic = {0}, time = {0};

    tg_date_format_print(r->format, rec->timestamp, &time);
    replace(&with_topic, r->topic_format, r->len, "${topic}", rec->topic,
            rec->topiclen);
    r->to.len = r->from.len = 0;
    replace(&r->to, with_topic.p, with_topic.len, "${timestamp}", time.p,
            time.len);
    tg_buf_add(&r->from, rec->topic, rec->topiclen);
    tg_buf_fini(&with_topic);
    tg_buf_fini(&time);
}

static bool record(tg_stock *self, tg_record *rec)
{
    router *r = (router *)self;
    int64_t moment;

    if (rec->timestamp == -1)
        return tg__stock_reject(rec, "Timestamp missing on record: topic %.*s",
                                (int)rec->topiclen, rec->topic);
    moment = rec->timestamp / r->unit - (rec->timestamp % r->unit < 0);
    if (moment != r->moment || r->from.len != rec->topiclen ||
        rec->topiclen == 0 ||
        memcmp(r->from.p, rec->topic, rec->topiclen) != 0) {
        route(r, rec);
        r->moment = moment;
    }
    return tg__stock_check(rec, tg_record_set_topic(rec, r->to.p ? r->to.p : "",
                                                    (uint32_t)r->to.len));
}

static void fini(tg_stock *self)
{
    router *r = (router *)self;

    tg_date_format_free(r->format);
    tg_free(r->topic_format);
    tg_buf_fini(&r->from);
    tg_buf_fini(&r->to);
}

tg_stock *tg_stock_timestamp_router(const char *topic_format, uint32_t len,
                                    const char *timestamp_format,
                                    uint32_t timelen)
{
    tg_date_format *format = tg_date_compile(timestamp_format, timelen);
    router *r;

    if (!format)
        return NULL;
    r = tg__stock_new(sizeof *r, record, fini, TG_VALUE, 0);
    r->format = format;
    r->unit = tg_date_format_unit(format);
    r->topic_format = tg_strndup(topic_format, len);
    r->len = len;
    return &r->base;
}
