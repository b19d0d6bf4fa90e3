/*
 * timeout: 120
 *
 * Members of a group come and go while records flow. Each commits what it has
 * handled when its partitions are revoked: no record is lost, and none is
 * handled twice. The mock cluster refuses commits while a group rebalances,
 * which Kafka does not; then records are handled again. With a topic "shared"
 * of four partitions on a real broker, BOOTSTRAP=host:port runs the test there
 * and allows no double.
 */
#include "kafka/cluster.h"

enum { N = 24000, PARTS = 4 };

typedef struct member {
    tg_consumer *consumer;
    int64_t next[PARTS]; /* offset to commit, -1: nothing handled */
    bool owns[PARTS];
    int assigned, revoked;
} member;

static int handled[PARTS][N];
static int refused; /* commits */

static void on_assigned(void *ctx, const tg_partition *parts, int n)
{
    member *m = ctx;

    m->assigned++;
    for (int i = 0; i < n; i++) {
        assert_string_equal(parts[i].topic, "shared");
        assert_false(m->owns[parts[i].partition]);
        m->owns[parts[i].partition] = true;
        m->next[parts[i].partition] = -1;
    }
}

static void on_revoked(void *ctx, const tg_partition *parts, int n, bool lost)
{
    member *m = ctx;
    tg_partition list[PARTS];
    tg_err err;

    assert_false(lost);
    m->revoked++;
    for (int i = 0; i < n; i++) {
        int p = parts[i].partition;

        assert_true(m->owns[p]);
        /* What was handed out last is what was handled last. */
        if (m->next[p] >= 0)
            assert_int_equal(parts[i].offset, m->next[p]);
        list[i] = (tg_partition){(char *)"shared", p, m->next[p]};
        m->owns[p] = false;
    }
    tg_err_clear(&err);
    if (tg_consumer_commit(m->consumer, list, n, true, 5000, &err)) {
        assert_has(err.text, "REBALANCE_IN_PROGRESS");
        assert_true(err.retriable);
        refused++;
    }
}

static void join_group(member *m, const char *bootstrap)
{
    tg_consumer_hooks hooks = {
        .assigned = on_assigned, .revoked = on_revoked, .ctx = m};
    json_t *topics = json_pack("[s]", "shared");
    tg_err err;

    memset(m, 0, sizeof *m);
    tg_err_clear(&err);
    m->consumer = consumer_on(config_of(bootstrap, "group.id", "crowd",
                                        "session.timeout.ms", "6000",
                                        "heartbeat.interval.ms", "200", NULL),
                              &hooks);
    assert_int_equal(tg_consumer_subscribe(m->consumer, topics, &err), 0);
    json_decref(topics);
}

/* Polls a member once. Returns how many records were new. */
static int handle(member *m, tg_batch *batch, uint32_t most)
{
    int fresh = 0;

    tg_batch_reset(batch);
    batch->max = most;
    poll_batch(m->consumer, batch, 10);
    for (uint32_t i = 0; i < batch->n; i++) {
        const tg_record *rec = batch->items[i];

        assert_true(m->owns[rec->origin_partition]);
        m->next[rec->origin_partition] = rec->origin_offset + 1;
        fresh += !handled[rec->origin_partition][rec->origin_offset]++;
    }
    return fresh;
}

static void fill_topic(const char *bootstrap)
{
    deliveries d;
    tg_producer *producer = producer_on(config_of(bootstrap, NULL), &d);
    tg_batch *batch = tg_batch_new(N, 0);
    uint32_t queued = 0;

    for (int i = 0; i < N; i++)
        add_record(batch, "shared", NULL, "0123456789")->partition = i % PARTS;
    send_all(producer, batch, &queued);
    flush_all(producer);
    assert_int_equal(d.good, N);
    tg_producer_free(producer, 0);
    tg_batch_free(batch);
}

/* Each partition has an owner, and both members own some. */
static bool shared_out(const member *a, const member *b)
{
    int na = 0, nb = 0;

    for (int p = 0; p < PARTS; p++) {
        na += a->owns[p];
        nb += b->owns[p];
    }
    return na && nb && na + nb == PARTS;
}

static void test_members_come_and_go(void **state)
{
    tg_err err;
    tg_embedded *broker = tg_embedded_new(&err);
    tg_batch *batch = tg_batch_new(100, 0);
    int64_t until = now_ms() + 60000;
    const char *bootstrap;
    int done = 0, doubles = 0;
    member a, b;

    (void)state;
    assert_non_null(broker);
    bootstrap = getenv("BOOTSTRAP");
    if (!bootstrap)
        bootstrap = tg_embedded_bootstrap(broker);
    assert_int_equal(tg_embedded_topic(broker, "shared", PARTS, &err), 0);
    fill_topic(bootstrap);
    join_group(&a, bootstrap);
    while (done < N / 6 && now_ms() < until)
        done += handle(&a, batch, 50);
    assert_int_equal(a.assigned, 1);

    /* A second member takes over some partitions while the first goes on. */
    join_group(&b, bootstrap);
    while (!shared_out(&a, &b) && now_ms() < until) {
        done += handle(&a, batch, 5);
        done += handle(&b, batch, 5);
    }
    assert_true(shared_out(&a, &b));
    for (int p = 0; p < PARTS; p++)
        assert_int_equal(a.owns[p] + b.owns[p], 1);
    for (int i = 0; i < 100; i++) {
        done += handle(&a, batch, 20);
        done += handle(&b, batch, 20);
    }
    assert_true(done < N);

    /* It leaves, and the first gets all of them back. */
    tg_batch_reset(batch);
    tg_consumer_free(b.consumer);
    assert_true(b.revoked >= 1);
    while (done < N && now_ms() < until)
        done += handle(&a, batch, 100);
    assert_int_equal(done, N);
    for (int p = 0; p < PARTS; p++)
        for (int i = 0; i < N / PARTS; i++)
            doubles += handled[p][i] - 1;
    if (!refused)
        assert_int_equal(doubles, 0);
    if (getenv("BOOTSTRAP"))
        assert_int_equal(refused, 0);
    tg_batch_free(batch);
    tg_consumer_free(a.consumer);
    tg_embedded_free(broker);
}

static void test_pattern(void **state)
{
    tg_err err;
    tg_embedded *broker = tg_embedded_new(&err);
    tg_batch *batch = tg_batch_new(100, 0);
    json_t *topics = json_pack("[s]", "^log-[a-c]\\d?");
    static const char *const names[] = {"log-a", "log-b2", "log-d", "xlog-a",
                                        "log-a2x"};
    int64_t until = now_ms() + 30000;
    tg_consumer *consumer;
    tg_producer *producer;
    uint32_t queued = 0;
    deliveries d;
    int got = 0;

    (void)state;
    assert_non_null(broker);
    producer = producer_on(config_of(tg_embedded_bootstrap(broker), NULL), &d);
    for (int i = 0; i < 5; i++) {
        tg_embedded_topic(broker, names[i], 1, &err);
        add_record(batch, names[i], NULL, names[i]);
    }
    send_all(producer, batch, &queued);
    flush_all(producer);
    tg_producer_free(producer, 0);
    tg_batch_reset(batch);
    consumer = consumer_on(
        config_of(tg_embedded_bootstrap(broker), "group.id", "p", NULL), NULL);
    assert_int_equal(tg_consumer_subscribe(consumer, topics, &err), 0);
    json_decref(topics);
    topics = json_pack("[s]", "^(?!x).*");
    assert_int_equal(tg_consumer_subscribe(consumer, topics, &err),
                     TG_ERR_CONFIG);
    assert_has(err.text, "look-ahead");
    json_decref(topics);
    for (int idle = 0; idle < 20 && now_ms() < until;) {
        tg_batch_reset(batch);
        got += poll_batch(consumer, batch, 100);
        if (got)
            idle += !batch->n;
        for (uint32_t i = 0; i < batch->n; i++)
            assert_true(!strcmp(batch->items[i]->topic, "log-a") ||
                        !strcmp(batch->items[i]->topic, "log-b2"));
    }
    assert_int_equal(got, 2);
    tg_batch_free(batch);
    tg_consumer_free(consumer);
    tg_embedded_free(broker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members_come_and_go),
        cmocka_unit_test(test_pattern),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
