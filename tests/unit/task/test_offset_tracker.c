/*
 * The offset tracker: fixed cases, and long random histories compared with a
 * model that recomputes everything from the list of all records.
 */
#include "base/mem.h"
#include "task/offset_tracker.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { SOURCES = 4 };

typedef struct seen {
    int64_t offset[SOURCES];
    char json[SOURCES][32];
    int calls;
} seen;

static void on_offset(void *ctx, int32_t partition, int64_t offset,
                      const char *json, uint32_t jsonlen)
{
    seen *s = ctx;

    assert_in_range(partition, 0, SOURCES - 1);
    s->offset[partition] = offset;
    s->json[partition][0] = 0;
    if (json)
        snprintf(s->json[partition], sizeof s->json[partition], "%.*s",
                 (int)jsonlen, json);
    s->calls++;
}

static seen *new_seen(void)
{
    seen *s = tg_calloc(sizeof *s);

    for (int i = 0; i < SOURCES; i++)
        s->offset[i] = -1;
    return s;
}

static void test_prefix(void **state)
{
    tg_offset_tracker *t = tg_offset_tracker_new(1000, 100, false);
    seen *s = new_seen();
    tg_segment *a, *b, *c;
    (void)state;

    a = tg_offset_tracker_open(t, 100, 2);
    tg_offset_tracker_mark(t, a, 0, 10, NULL, 0);
    b = tg_offset_tracker_open(t, 100, 1);
    tg_offset_tracker_mark(t, b, 0, 20, NULL, 0);
    tg_offset_tracker_mark(t, b, 1, 0, "{\"x\":1}....", 7);
    c = tg_offset_tracker_open(t, 100, 0);
    tg_offset_tracker_mark(t, c, 0, 30, NULL, 0);
    assert_int_equal(tg_offset_tracker_take(t, on_offset, s), 0);
    tg_offset_tracker_ack(t, b, "t", 0, 5);
    assert_int_equal(tg_offset_tracker_take(t, on_offset, s), 0);
    tg_offset_tracker_ack(t, a, "t", 0, 3);
    assert_int_equal(tg_offset_tracker_take(t, on_offset, s), 0);
    assert_int_equal(tg_offset_tracker_unacked(t), 1);
    tg_offset_tracker_ack(t, a, "t", 0, 4);
    assert_int_equal(tg_offset_tracker_take(t, on_offset, s), 2);
    assert_int_equal(s->offset[0], 30);
    assert_string_equal(s->json[1], "{\"x\":1}");
    assert_int_equal(tg_offset_tracker_take(t, on_offset, s), 0);
    assert_true(tg_offset_tracker_idle(t));
    assert_int_equal(tg_offset_tracker_bytes(t), 0);
    tg_free(s);
    tg_offset_tracker_free(t);
}

static void test_window(void **state)
{
    tg_offset_tracker *t = tg_offset_tracker_new(1000, 10, true);
    tg_segment *a, *b;
    int32_t partition;
    int64_t offset;
    (void)state;

    assert_true(tg_offset_tracker_room(t, 5000, 50));
    a = tg_offset_tracker_open(t, 600, 4);
    assert_true(tg_offset_tracker_room(t, 400, 6));
    assert_false(tg_offset_tracker_room(t, 401, 1));
    assert_false(tg_offset_tracker_room(t, 1, 7));
    for (int i = 0; i < 4; i++)
        tg_offset_tracker_ack(t, a, "t", 1, i);
    assert_false(tg_offset_tracker_room(t, 401, 1));
    assert_string_equal(tg_offset_tracker_waits_for(t, &partition, &offset),
                        "t");
    assert_int_equal(partition, 1);
    assert_int_equal(offset, 4);
    assert_false(tg_offset_tracker_release(t, "t", 0, 4));
    assert_false(tg_offset_tracker_release(t, "t", 1, 3));
    assert_true(tg_offset_tracker_release(t, "t", 1, 4));
    assert_true(tg_offset_tracker_room(t, 1000, 10));
    assert_null(tg_offset_tracker_waits_for(t, &partition, &offset));
    /* released before the acknowledgement came */
    b = tg_offset_tracker_open(t, 600, 1);
    tg_offset_tracker_release(t, "t", 1, 9);
    tg_offset_tracker_ack(t, b, "t", 1, 8);
    assert_true(tg_offset_tracker_idle(t));
    /* no sink, then a sink again */
    b = tg_offset_tracker_open(t, 600, 2);
    tg_offset_tracker_ack(t, b, "u", 0, 0);
    assert_true(tg_offset_tracker_release(t, "u", 0, -1));
    tg_offset_tracker_ack(t, b, "u", 3, 7);
    assert_true(tg_offset_tracker_idle(t));
    tg_offset_tracker_release(t, "u", 0, 0);
    b = tg_offset_tracker_open(t, 600, 1);
    tg_offset_tracker_ack(t, b, "u", 0, 1);
    assert_false(tg_offset_tracker_idle(t));
    tg_offset_tracker_free(t);
}

/* Freeing with everything open must not leak or touch freed memory. */
static void test_free_open(void **state)
{
    tg_offset_tracker *t = tg_offset_tracker_new(1000, 10, true);
    (void)state;

    for (int i = 0; i < 50; i++) {
        tg_segment *seg = tg_offset_tracker_open(t, 10, 2);
        tg_offset_tracker_mark(t, seg, i % 3, i, "{}", 2);
        tg_offset_tracker_mark(t, seg, i % 3, i, "{\"a\":1}", 7);
        tg_offset_tracker_ack(t, seg, "t", i % 5, i);
    }
    tg_offset_tracker_free(t);
}

/* --- the model ----------------------------------------------------------- */

enum { TOPICS = 3, PARTITIONS = 3, SEGMENTS = 3000, PER_SEGMENT = 6 };

static const char *const topics[TOPICS] = {"a", "b", "c"};

typedef struct model_record {
    int topic, partition;
    int64_t offset; /* -1: not acknowledged */
    bool held;      /* acknowledged and waiting for a release */
    bool given_up;
} model_record;

typedef struct model_segment {
    tg_segment *seg;
    int n, acked;
    int64_t bytes;
    int source;
    bool marked;
    model_record rec[PER_SEGMENT];
} model_segment;

typedef struct model {
    tg_offset_tracker *t;
    model_segment *segs;
    int nsegs;
    bool hold;
    int64_t next[TOPICS][PARTITIONS];     /* next Kafka offset */
    int64_t released[TOPICS][PARTITIONS]; /* what was released so far */
    bool free[TOPICS];
    unsigned seed;
} model;

static int roll(model *m, int n)
{
    return (int)((unsigned)rand_r(&m->seed) % (unsigned)n);
}

static bool model_done(const model_segment *s)
{
    for (int i = 0; i < s->n; i++)
        if (!s->rec[i].given_up && (s->rec[i].offset < 0 || s->rec[i].held))
            return false;
    return true;
}

static void model_open(model *m)
{
    model_segment *s;

    if (m->nsegs == SEGMENTS)
        return;
    s = &m->segs[m->nsegs++];
    s->n = roll(m, PER_SEGMENT + 1);
    s->bytes = s->n ? roll(m, 500) : 0;
    s->source = roll(m, SOURCES);
    s->marked = roll(m, 5) != 0;
    s->seg = tg_offset_tracker_open(m->t, s->bytes, (uint32_t)s->n);
    for (int i = 0; i < s->n; i++)
        s->rec[i] = (model_record){.offset = -1};
    if (s->marked)
        tg_offset_tracker_mark(m->t, s->seg, s->source, m->nsegs, NULL, 0);
}

static void model_ack(model *m)
{
    int open[64], n = 0;

    for (int i = 0; i < m->nsegs && n < 64; i++)
        if (m->segs[i].acked < m->segs[i].n)
            open[n++] = i;
    if (n == 0)
        return;
    model_segment *s = &m->segs[open[roll(m, n)]];
    model_record *r = &s->rec[s->acked++];
    if (roll(m, 20) == 0) {
        r->given_up = true;
        tg_offset_tracker_ack(m->t, s->seg, NULL, 0, -1);
        return;
    }
    r->topic = roll(m, TOPICS);
    r->partition = roll(m, PARTITIONS);
    r->offset = m->next[r->topic][r->partition]++;
    r->held = m->hold && !m->free[r->topic] &&
              r->offset >= m->released[r->topic][r->partition];
    tg_offset_tracker_ack(m->t, s->seg, topics[r->topic], r->partition,
                          r->offset);
}

static void model_release(model *m)
{
    int topic = roll(m, TOPICS), partition = roll(m, PARTITIONS);
    int64_t upto = roll(m, (int)m->next[topic][partition] + 3);

    if (roll(m, 40) == 0)
        upto = -1;
    if (m->hold) {
        m->free[topic] = upto < 0;
        if (upto > m->released[topic][partition])
            m->released[topic][partition] = upto;
        for (int i = 0; i < m->nsegs; i++) {
            for (int k = 0; k < m->segs[i].acked; k++) {
                model_record *r = &m->segs[i].rec[k];
                if (r->given_up || r->topic != topic)
                    continue;
                if (upto < 0 || (r->partition == partition &&
                                 r->offset < m->released[topic][partition]))
                    r->held = false;
            }
        }
    }
    tg_offset_tracker_release(m->t, topics[topic], partition, upto);
}

/* A segment's hold stands for its highest offset in a partition, so a record
 * below a release may stay held with its neighbours: the tracker may be late,
 * never early. With the last offsets released both must agree. */
static void model_check(model *m, seen *s, bool exact)
{
    int64_t want[SOURCES] = {-1, -1, -1, -1}, bytes = 0, records = 0;
    int i;

    for (i = 0; i < m->nsegs && model_done(&m->segs[i]); i++)
        if (m->segs[i].marked)
            want[m->segs[i].source] = i + 1;
    for (i = 0; i < m->nsegs; i++) {
        if (model_done(&m->segs[i]))
            continue;
        bytes += m->segs[i].bytes;
        records += m->segs[i].n;
    }
    tg_offset_tracker_take(m->t, on_offset, s);
    for (i = 0; i < SOURCES; i++) {
        if (exact)
            assert_int_equal(s->offset[i], want[i]);
        else
            assert_true(s->offset[i] <= want[i]);
    }
    assert_true(tg_offset_tracker_bytes(m->t) >= bytes);
    assert_true(tg_offset_tracker_records(m->t) >= records);
    if (exact) {
        assert_int_equal(tg_offset_tracker_bytes(m->t), bytes);
        assert_int_equal(tg_offset_tracker_records(m->t), records);
    }
}

static void run_model(unsigned seed, bool hold)
{
    model *m = tg_calloc(sizeof *m);
    seen *s = new_seen();

    m->t = tg_offset_tracker_new(1 << 20, 1 << 20, hold);
    m->segs = tg_calloc(SEGMENTS * sizeof *m->segs);
    m->hold = hold;
    m->seed = seed;
    for (int i = 0; i < 1500; i++) {
        int what = roll(m, 10);
        if (what < 2)
            model_open(m);
        else if (what < 8)
            model_ack(m);
        else
            model_release(m);
        if (i % 7 == 0)
            model_check(m, s, !hold);
    }
    for (int i = 0; i < m->nsegs; i++)
        while (m->segs[i].acked < m->segs[i].n)
            model_ack(m);
    model_check(m, s, !hold);
    if (!hold)
        goto out;
    for (int t = 0; t < TOPICS; t++) {
        for (int p = 0; p < PARTITIONS; p++) {
            assert_true(m->next[t][p] >= 0);
            tg_offset_tracker_release(m->t, topics[t], p, m->next[t][p]);
        }
    }
    for (int i = 0; i < m->nsegs; i++)
        for (int k = 0; k < m->segs[i].n; k++)
            m->segs[i].rec[k].held = false;
    model_check(m, s, true);
out:
    assert_true(tg_offset_tracker_idle(m->t));
    assert_int_equal(tg_offset_tracker_unacked(m->t), 0);
    assert_int_equal(tg_offset_tracker_bytes(m->t), 0);
    tg_offset_tracker_free(m->t);
    tg_free(m->segs);
    tg_free(m);
    tg_free(s);
}

static void test_random(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 60; seed++) {
        run_model(seed, false);
        run_model(seed, true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prefix),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_free_open),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
