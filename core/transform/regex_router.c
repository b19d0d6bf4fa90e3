/*
 * RegexRouter: topics that match a Java regular expression as a whole get the
 * text of a replacement. A topic is matched once and remembered. Script thread.
 */
#include "text/regex.h"
#include "transform/stock.h"
#include "transform/topic_memo.h"

typedef struct router {
    tg_stock base;
    tg_regex *re;
    char *replacement;
    uint32_t len;
    tg_topic_memo topics;
} router;

/* The result for a topic that is met for the first time; NULL: an error that
 * must not be remembered. */
static tg_topic_result *route(router *r, tg_topic_result *place,
                              const tg_record *rec)
{
    tg_err *err = tg_err_ffi();
    tg_buf out = {0};
    int rc;

    tg_err_clear(err);
    rc = tg_regex_replace_whole(r->re, rec->topic, rec->topiclen,
                                r->replacement, r->len, &out, err);
    if (rc < 0) {
        tg_err_prefix(err, "topic %.*s", (int)rec->topiclen, rec->topic);
        tg_buf_fini(&out);
        return NULL;
    }
    tg__topic_learn(place, rec->topic, rec->topiclen);
    place->tolen = (uint32_t)out.len;
    if (rc) {
        tg_buf_cstr(&out);
        place->to = tg_buf_steal(&out);
    }
    return place;
}

static bool record(tg_stock *self, tg_record *rec)
{
    router *r = (router *)self;
    tg_topic_result *place;
    bool known;

    place = tg__topic_place(&r->topics, rec->topic, rec->topiclen, &known);
    if (!known && !route(r, place, rec))
        return tg__stock_refuse(rec);
    return !place->to ||
           tg__stock_check(rec,
                           tg_record_set_topic(rec, place->to, place->tolen));
}

static void fini(tg_stock *self)
{
    router *r = (router *)self;

    tg_regex_free(r->re);
    tg_free(r->replacement);
    tg__topic_memo_fini(&r->topics);
}

tg_stock *tg_stock_regex_router(const char *regex, uint32_t len,
                                const char *replacement, uint32_t replen)
{
    tg_regex *re = tg_regex_compile(regex, len);
    router *r;

    if (!re)
        return NULL;
    r = tg__stock_new(sizeof *r, record, fini, TG_VALUE, 0);
    r->re = re;
    r->replacement = tg_strndup(replacement, replen);
    r->len = replen;
    return &r->base;
}
