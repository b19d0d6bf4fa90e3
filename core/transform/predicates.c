/*
 * Stock predicates over a whole batch. Records that a predicate keeps from a
 * transform get a verdict that hides them from it, and are shown again after
 * it. Script thread.
 */
#include "text/regex.h"
#include "transform/stock.h"
#include "transform/topic_memo.h"

struct tg_stock_test {
    int what; /* TG_TEST_* */
    char *name;
    uint32_t len;
    tg_regex *re;
    tg_topic_memo topics;
};

/* 1, 0, or TG_ERR_*. */
static int topic_matches(tg_stock_test *test, const tg_record *rec)
{
    tg_topic_result *place;
    bool known;
    int rc;

    place = tg__topic_place(&test->topics, rec->topic, rec->topiclen, &known);
    if (known)
        return place->found;
    rc = tg_regex_test(test->re, rec->topic, rec->topiclen);
    if (rc >= 0) {
        tg__topic_learn(place, rec->topic, rec->topiclen);
        place->found = rc;
    }
    return rc;
}

/* A tombstone is a null value, whatever its bytes are. */
static int is_tombstone(tg_record *rec)
{
    if (!tg__stock_open(rec, &rec->value))
        return TG_ERR_DATA;
    return tg__stock_null(&rec->value);
}

static int holds(tg_stock_test *test, tg_record *rec)
{
    int rc;

    switch (test->what) {
    case TG_TEST_HEADER:
        rc = tg_record_headers(rec);
        return rc < 0 ? rc : tg_header_find(rec, test->name, test->len, 0) >= 0;
    case TG_TEST_TOMBSTONE:
        return is_tombstone(rec);
    default:
        return topic_matches(test, rec);
    }
}

int32_t tg_stock_test_hide(tg_stock_test *test, tg_batch *batch, int32_t negate)
{
    int32_t passed = 0;

    for (uint32_t i = batch->lo; i < batch->hi; i++) {
        tg_record *rec = batch->items[i];
        int rc;

        if (rec->verdict != TG_KEEP)
            continue;
        batch->cursor = i;
        rc = holds(test, rec);
        if (rc < 0)
            tg__stock_refuse(rec);
        else if ((rc != 0) == (negate != 0))
            rec->verdict = TG_HIDDEN;
        else
            passed++;
    }
    return passed;
}

void tg_stock_test_show(tg_batch *batch)
{
    for (uint32_t i = batch->lo; i < batch->hi; i++)
        if (batch->items[i]->verdict == TG_HIDDEN)
            batch->items[i]->verdict = TG_KEEP;
}

tg_stock_test *tg_stock_test_new(int32_t what, const char *text, uint32_t len)
{
    tg_regex *re = NULL;
    tg_stock_test *test;

    if (what == TG_TEST_TOPIC && !(re = tg_regex_compile(text, len)))
        return NULL;
    test = tg_calloc(sizeof *test);
    test->what = what;
    test->re = re;
    test->name = tg_strndup(text ? text : "", len);
    test->len = len;
    return test;
}

void tg_stock_test_free(tg_stock_test *test)
{
    if (!test)
        return;
    tg_regex_free(test->re);
    tg_free(test->name);
    tg__topic_memo_fini(&test->topics);
    tg_free(test);
}
