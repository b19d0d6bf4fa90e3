/*
 * The error policy's settings and pauses, originals of records, and the search
 * for the culprits of a put.
 */
#include "unit.h"
#include "base/mem.h"
#include "task/chain.h"
#include "task/sink.h"
#include <stdio.h>

/* --- settings ------------------------------------------------------------ */

static const char *complaint(json_t *config, const char **key)
{
    static json_t *errors;
    const json_t *first;
    json_t *worker = json_object();

    json_decref(errors);
    errors = json_array();
    tg_error_policy_check(worker, config, false, errors);
    json_decref(worker);
    json_decref(config);
    if (json_array_size(errors) == 0)
        return NULL;
    assert_int_equal(json_array_size(errors), 1);
    first = json_array_get(errors, 0);
    *key = json_string_value(json_object_get(first, "key"));
    return json_string_value(json_object_get(first, "message"));
}

static void test_check(void **state)
{
    static const char dlq[] = "errors.deadletterqueue.topic.name";
    const char *key = NULL;
    (void)state;

    assert_null(complaint(json_object(), &key));
    assert_null(
        complaint(json_pack("{s:s, s:s, s:s, s:s, s:s}", "errors.tolerance",
                            "all", "errors.retry.timeout", "-1", dlq, "d",
                            "topics", "a,b", "errors.log.enable", "TRUE"),
                  &key));
    assert_has(complaint(json_pack("{s:s}", "errors.tolerance", "ALL"), &key),
               "none, all");
    assert_string_equal(key, "errors.tolerance");
    assert_non_null(
        complaint(json_pack("{s:s}", "errors.retry.timeout", "-2"), &key));
    assert_string_equal(key, "errors.retry.timeout");
    assert_non_null(
        complaint(json_pack("{s:s}", "errors.retry.delay.max.ms", "x"), &key));
    assert_string_equal(key, "errors.retry.delay.max.ms");
    assert_non_null(complaint(
        json_pack("{s:s}", "errors.deadletterqueue.topic.replication.factor",
                  "0"),
        &key));
    assert_string_equal(key, "errors.deadletterqueue.topic.replication.factor");
    assert_has(
        complaint(json_pack("{s:s, s:s}", dlq, "b", "topics", "a, b"), &key),
        "may not be included in the list of topics ('topics=a, b')");
    assert_string_equal(key, "topics");
    assert_has(complaint(json_pack("{s:s, s:s}", dlq, "data-dlq",
                                   "topics.regex", "data-.*"),
                         &key),
               "may not be included in the regex");
    assert_string_equal(key, "topics.regex");
    assert_null(complaint(
        json_pack("{s:s, s:s}", dlq, "x-data-dlq", "topics.regex", "data-.*"),
        &key));
}

static void test_delay(void **state)
{
    tg_retry_limits limits = {-1, 60000};
    (void)state;

    assert_int_equal(tg_retry_delay_ms(&limits, 1), 300);
    assert_int_equal(tg_retry_delay_ms(&limits, 2), 600);
    assert_int_equal(tg_retry_delay_ms(&limits, 8), 38400);
    for (int i = 9; i < 2000; i++)
        assert_in_range(tg_retry_delay_ms(&limits, i), 0, 59999);
    limits.delay_max_ms = 0;
    assert_int_equal(tg_retry_delay_ms(&limits, 5), 0);
}

/* --- originals ----------------------------------------------------------- */

static void test_originals(void **state)
{
    static int something;
    const tg_dead_letters *some = (const tg_dead_letters *)&something;
    tg_batch *batch = tg_batch_new(10, 0);
    tg_originals kept, none;
    tg_record *rec[3], *split;
    (void)state;

    tg_dead_letters_keep(NULL, batch, &none);
    for (int i = 0; i < 3; i++) {
        rec[i] = tg_batch_append(batch);
        tg_cell_put_text(&rec[i]->value, i ? "other" : "first", 5);
        tg_record_set_source(rec[i], 1, i);
    }
    tg_dead_letters_keep(some, batch, &kept);
    tg_cell_put_text(&rec[1]->value, "changed", 7);
    split = tg_record_split(rec[0]);
    assert_int_equal(kept.n, 3);
    assert_ptr_equal(tg_dead_letters_original(&kept, rec[1]),
                     kept.items[1].copy);
    assert_int_equal(kept.items[1].copy->value.value.len, 5);
    assert_ptr_equal(tg_dead_letters_original(&kept, split),
                     kept.items[0].copy);
    assert_null(tg_dead_letters_original(&none, rec[0]));
    tg_batch_free(batch);
}

/* --- the search ---------------------------------------------------------- */

enum { AT_CULPRIT, NO_HINT, AT_END };

typedef struct trial {
    tg__sink_batch sb;
    bool bad[300];
    int given[300]; /* times */
    int puts, hint;
} trial;

static int number_of(const tg_record *rec)
{
    return (int)rec->origin_offset;
}

/* As sink_put.c does it: a put of the next piece, then its outcome. */
static void one_put(trial *t)
{
    tg_batch *batch = t->sb.batch;
    uint32_t n = tg__sink_next_piece(&t->sb), culprit = UINT32_MAX;
    tg_err why = {.code = TG_ERR_SCRIPT, .text = "bad"};

    assert_in_range(n, 1, t->sb.todo);
    t->puts++;
    for (uint32_t i = 0; i < n; i++) {
        int no = number_of(batch->items[i]);
        assert_int_equal(batch->items[i]->verdict, TG_KEEP);
        if (i > 0)
            assert_true(number_of(batch->items[i - 1]) < no);
        t->given[no]++;
        if (t->bad[no] && culprit == UINT32_MAX)
            culprit = i;
        if (t->bad[no] && t->hint == AT_CULPRIT)
            break;
    }
    batch->cursor = t->hint == AT_CULPRIT ? culprit
                    : t->hint == AT_END   ? n - 1
                                          : 0;
    if (culprit != UINT32_MAX) {
        tg__sink_search_raised(&t->sb, n, &why);
    } else {
        for (uint32_t i = 0; i < n; i++)
            batch->items[i]->verdict = TG_DONE;
        tg__sink_search_passed(&t->sb);
    }
    t->sb.todo = tg__sink_bring_forward(batch);
}

static void search(trial *t, int n, int most_puts, int most_given)
{
    tg_batch *batch = tg_batch_new((uint32_t)n, 0);

    t->sb = (tg__sink_batch){.batch = batch, .todo = (uint32_t)n};
    t->puts = 0;
    memset(t->given, 0, sizeof t->given);
    for (int i = 0; i < n; i++)
        tg_batch_append(batch)->origin_offset = i;
    while (t->sb.todo > 0) {
        one_put(t);
        assert_in_range(t->puts, 1, 4 * n + 10);
    }
    for (int i = 0; i < n; i++) {
        const tg_record *rec = batch->items[i];
        bool bad = t->bad[number_of(rec)];
        assert_int_equal(rec->verdict, bad ? TG__CULPRIT : TG_DONE);
        assert_in_range(t->given[i], 1, most_given);
    }
    assert_in_range(t->puts, 1, most_puts);
    tg__sink_search_free(&t->sb);
    tg_batch_free(batch);
}

static void test_search(void **state)
{
    trial t = {.hint = AT_CULPRIT};
    (void)state;

    search(&t, 300, 1, 1);
    t.bad[123] = true;
    search(&t, 300, 4, 2); /* all, before, it, rest */
    t.bad[0] = t.bad[124] = t.bad[299] = true;
    search(&t, 300, 13, 3);
    t.hint = NO_HINT;
    search(&t, 300, 80, 12);
    t.hint = AT_END;
    search(&t, 300, 80, 12);
    memset(t.bad, 1, sizeof t.bad);
    search(&t, 1, 1, 1);
    search(&t, 300, 600, 12);
    t.hint = AT_CULPRIT;
    search(&t, 300, 600, 3);
}

static tg_err bad_put(void)
{
    return (tg_err){.code = TG_ERR_SCRIPT, .text = "bad"};
}

/* What put has marked before it raised: the sink works. A record that is left
 * alone by such marks is not the culprit before it was put alone. */
static void test_search_marks(void **state)
{
    tg_batch *batch = tg_batch_new(4, 0);
    tg__sink_batch sb = {.batch = batch, .todo = 4};
    tg_err why = bad_put();
    (void)state;

    for (int i = 0; i < 4; i++)
        tg_batch_append(batch)->origin_offset = i;
    batch->items[0]->verdict = TG_DONE;
    batch->items[1]->verdict = TG_REJECT;
    batch->items[2]->verdict = TG_REJECT;
    tg__sink_search_raised(&sb, 4, &why);
    assert_true(sb.search->passed);
    assert_int_equal(batch->items[3]->verdict, TG_KEEP);
    sb.todo = tg__sink_bring_forward(batch);
    assert_int_equal(sb.todo, 1);
    assert_int_equal(tg__sink_next_piece(&sb), 1);
    tg__sink_search_raised(&sb, 1, &why);
    assert_int_equal(sb.search->culprits, 1);
    tg__sink_search_free(&sb);
    tg_batch_free(batch);
}

/* A piece that raised for records that could not be read. */
static void test_search_explained(void **state)
{
    tg_batch *batch = tg_batch_new(10, 0);
    tg__sink_batch sb = {.batch = batch, .todo = 10};
    tg_err why = bad_put();
    uint32_t given = 0;
    (void)state;

    for (int i = 0; i < 10; i++)
        tg_batch_append(batch)->origin_offset = i;
    tg__sink_search_explained(&sb, 10); /* there is no search */
    assert_null(sb.search);
    tg__sink_search_raised(&sb, 10, &why);
    batch->items[0]->verdict = TG_REJECT;
    given = tg__sink_next_piece(&sb);
    tg__sink_search_explained(&sb, given);
    sb.todo = tg__sink_bring_forward(batch);
    assert_int_equal(sb.todo, 9);
    for (given = 0; sb.todo > 0; sb.todo -= given) {
        given = tg__sink_next_piece(&sb);
        assert_in_range(given, 1, sb.todo);
        tg__sink_search_passed(&sb);
    }
    assert_int_equal(sb.search->n, 0);
    tg__sink_search_free(&sb);
    tg_batch_free(batch);
}

/* --- partitions that go while the chain waits ----------------------------- */

static void test_forget_splits(void **state)
{
    tg_batch *batch = tg_batch_new(4, 0);
    tg__sink_batch sb = {.batch = batch};
    tg__sink sink = {.cooking = &sb};
    tg_partition gone = {"t", 1, -1};
    (void)state;

    for (int i = 0; i < 2; i++) {
        tg_record *rec = tg_batch_append(batch);
        rec->origin_topic = "t";
        rec->origin_topiclen = 1;
        rec->origin_partition = i;
        rec->origin_offset = i;
    }
    tg_batch_begin(batch);
    assert_non_null(tg_record_split(batch->items[0]));
    assert_non_null(tg_record_split(batch->items[1]));
    tg_batch_commit(batch);
    tg__sink_forget(&sink, &gone, 1);
    tg_batch_settle(batch);
    assert_int_equal(batch->n, 4);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(batch->items[i]->verdict,
                         i < 2 ? TG_KEEP : TG_UNPROCESSED);
    tg_batch_free(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_check),
                                       cmocka_unit_test(test_delay),
                                       cmocka_unit_test(test_originals),
                                       cmocka_unit_test(test_search),
                                       cmocka_unit_test(test_search_marks),
                                       cmocka_unit_test(test_search_explained),
                                       cmocka_unit_test(test_forget_splits)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
