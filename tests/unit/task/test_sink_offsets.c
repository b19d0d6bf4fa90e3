/* The offsets of a sink task: only what was put completely is committed. */
#include "unit.h"
#include "base/mem.h"
#include "task/chain.h"
#include "task/sink_offsets.h"

static void add(tg_batch *batch, const char *topic, int32_t partition,
                int64_t offset, uint8_t verdict)
{
    tg_record *rec = tg_batch_append(batch);

    assert_non_null(rec);
    rec->origin_topic = topic;
    rec->origin_topiclen = (uint32_t)strlen(topic);
    rec->origin_partition = partition;
    rec->origin_offset = offset;
    rec->verdict = verdict;
}

static int64_t processed(tg__sink_offsets *o, const char *topic, int32_t p)
{
    const tg__sink_part *part =
        tg__sink_offsets_find(o, topic, (uint32_t)strlen(topic), p);

    assert_non_null(part);
    return part->processed;
}

static void test_counting(void **state)
{
    tg__sink_offsets o = {0};
    tg_batch *batch = tg_batch_new(100, 0);
    tg_partition out[4];
    (void)state;

    tg__sink_offsets_assign(&o, "t", 0, 5);
    tg__sink_offsets_assign(&o, "t", 1, -1);
    tg__sink_offsets_assign(&o, "tt", 0, -1);
    add(batch, "t", 0, 5, TG_DONE);
    add(batch, "t", 1, 70, TG_DROP);
    add(batch, "t", 0, 6, TG_DONE);
    add(batch, "t", 0, 7, TG_UNPROCESSED);
    add(batch, "x", 0, 9, TG_DONE); /* not assigned */
    tg__sink_offsets_polled(&o, batch);
    assert_int_equal(batch->items[4]->verdict, TG_UNPROCESSED);
    assert_int_equal(batch->items[0]->verdict, TG_DONE);
    assert_false(tg__sink_offsets_dirty(&o));
    tg__sink_offsets_done(&o, batch);
    assert_int_equal(processed(&o, "t", 0), 7);
    assert_int_equal(processed(&o, "t", 1), 71);
    assert_int_equal(processed(&o, "tt", 0), -1);
    assert_int_equal(tg__sink_offsets_find(&o, "t", 1, 1)->start, 70);
    assert_int_equal(tg__sink_offsets_find(&o, "t", 1, 0)->start, 5);
    assert_true(tg__sink_offsets_dirty(&o));
    assert_int_equal(tg__sink_offsets_take(&o, out, NULL, 0), 2);
    assert_int_equal(tg__sink_offsets_take(&o, out, NULL, 0), 0);
    assert_false(tg__sink_offsets_dirty(&o));
    /* a failed commit is asked for again, a good one is not */
    tg__sink_offsets_answer(&o, "t", 0, 7, false);
    tg__sink_offsets_answer(&o, "t", 1, 71, true);
    assert_int_equal(tg__sink_offsets_take(&o, out, NULL, 0), 1);
    assert_int_equal(out[0].partition, 0);
    assert_int_equal(out[0].offset, 7);
    tg_batch_free(batch);
    tg__sink_offsets_fini(&o);
}

static void test_revoked(void **state)
{
    tg__sink_offsets o = {0};
    tg_batch *batch = tg_batch_new(100, 0);
    tg_partition out[4], gone = {(char *)(uintptr_t) "t", 1, -1};
    (void)state;

    tg__sink_offsets_assign(&o, "t", 0, -1);
    tg__sink_offsets_assign(&o, "t", 1, -1);
    add(batch, "t", 0, 1, TG_DONE);
    add(batch, "t", 1, 2, TG_DONE);
    tg__sink_offsets_polled(&o, batch);
    tg__sink_offsets_done(&o, batch);
    assert_int_equal(tg__sink_offsets_take(&o, out, &gone, 1), 1);
    assert_int_equal(out[0].partition, 1);
    tg__sink_offsets_remove(&o, "t", 1);
    assert_null(tg__sink_offsets_find(&o, "t", 1, 1));
    assert_int_equal(processed(&o, "t", 0), 2);
    /* what came of an earlier life does not count for the new one */
    tg__sink_offsets_assign(&o, "t", 1, 0);
    assert_int_equal(processed(&o, "t", 1), -1);
    tg__sink_offsets_answer(&o, "zz", 0, 3, true);
    tg_batch_free(batch);
    tg__sink_offsets_fini(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counting),
        cmocka_unit_test(test_revoked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
