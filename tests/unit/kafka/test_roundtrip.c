/*
 * timeout: 180
 *
 * Producer, embedded broker and consumer together: counts, order and content
 * of what goes in and comes out, back pressure, pause, seek, static assignment.
 */
#include "cluster.h"

static tg_embedded *broker;
static const char *bootstrap;

static int start(void **state)
{
    tg_err err;

    (void)state;
    tg_err_clear(&err);
    broker = tg_embedded_new(&err);
    if (!broker)
        fail_msg("%s", err.text);
    bootstrap = tg_embedded_bootstrap(broker);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    tg_embedded_free(broker);
    return 0;
}

static void topic(const char *name, int partitions)
{
    tg_err err;

    tg_err_clear(&err);
    if (tg_embedded_topic(broker, name, partitions, &err))
        fail_msg("%s", err.text);
}

static json_t *consumer_config(const char *group)
{
    return config_of(bootstrap, "group.id", group, "enable.partition.eof",
                     "true", NULL);
}

/* --- content -------------------------------------------------------------- */

static void add_header(tg_batch *batch, tg_record *rec, const char *name,
                       const char *value)
{
    tg_header *headers =
        tg_arena_alloc(batch->arena, (rec->nheaders + 1) * sizeof *headers);

    memset(headers, 0, (rec->nheaders + 1) * sizeof *headers);
    if (rec->nheaders)
        memcpy(headers, rec->headers, rec->nheaders * sizeof *headers);
    headers[rec->nheaders].name = name;
    headers[rec->nheaders].namelen = (uint32_t)strlen(name);
    headers[rec->nheaders].cell.out = value;
    headers[rec->nheaders].cell.outlen = value ? (int32_t)strlen(value) : -1;
    rec->headers = headers;
    rec->nheaders++;
}

static void test_content(void **state)
{
    deliveries d;
    tg_producer *producer;
    tg_consumer *consumer;
    tg_batch *batch = tg_batch_new(100, 0);
    tg_record *rec;
    uint32_t queued = 0;
    int64_t before = (int64_t)time(NULL) * 1000 - 5000;

    (void)state;
    topic("content", 1);
    producer = producer_on(config_of(bootstrap, NULL), &d);
    add_record(batch, "content", "k0", "v0");
    add_record(batch, "content", NULL, "v1");
    add_record(batch, "content", "k2", NULL); /* tombstone */
    add_record(batch, "content", "", "");
    rec = add_record(batch, "content", "k4", "v4");
    rec->timestamp = 1234567890123;
    rec = add_record(batch, "content", "k5", "v5");
    add_header(batch, rec, "a", "1");
    add_header(batch, rec, "empty", "");
    add_header(batch, rec, "none", NULL);
    add_header(batch, rec, "a", "2");
    rec = add_record(batch, "content", NULL, NULL);
    rec->timestamp = 5;
    add_header(batch, rec, "h", "x");
    rec = add_record(batch, "content", "gone", "gone");
    rec->verdict = TG_DROP;
    add_record(batch, "content", "k7", "v7");
    send_all(producer, batch, &queued);
    assert_int_equal(queued, 8);
    flush_all(producer);
    assert_int_equal(d.good, 8);
    assert_int_equal(d.bad, 0);
    assert_int_equal(d.last_offset, 7);
    assert_ptr_equal(d.batch, batch);
    tg_producer_free(producer, 0);
    tg_batch_reset(batch);

    consumer = consumer_on(consumer_config("g"), NULL);
    assign(consumer, "[[\"content\",0]]");
    for (int i = 0; i < 50 && !tg_consumer_at_end(consumer); i++)
        poll_batch(consumer, batch, 100);
    assert_int_equal(batch->n, 8);
    for (uint32_t i = 0; i < 8; i++) {
        rec = batch->items[i];
        assert_int_equal(rec->origin_offset, i);
        assert_int_equal(rec->origin_partition, 0);
        assert_int_equal(rec->topiclen, 7);
        assert_memory_equal(rec->topic, "content", 7);
    }
    assert_true(cell_is(&batch->items[0]->key, "k0"));
    assert_true(cell_is(&batch->items[0]->value, "v0"));
    assert_true(batch->items[0]->timestamp >= before);
    assert_int_equal(batch->items[0]->timestamp_type, 1);
    assert_int_equal(tg_record_headers(batch->items[0]), 0);
    assert_true(cell_is(&batch->items[1]->key, NULL));
    assert_true(cell_is(&batch->items[1]->value, "v1"));
    assert_true(cell_is(&batch->items[2]->key, "k2"));
    assert_true(cell_is(&batch->items[2]->value, NULL));
    assert_true(cell_is(&batch->items[3]->key, ""));
    assert_true(cell_is(&batch->items[3]->value, ""));
    assert_int_equal(batch->items[4]->timestamp, 1234567890123);
    rec = batch->items[5];
    assert_int_equal(tg_record_headers(rec), 4);
    assert_string_equal(rec->headers[0].name, "a");
    assert_true(cell_is(&rec->headers[0].cell, "1"));
    assert_true(cell_is(&rec->headers[1].cell, ""));
    assert_true(cell_is(&rec->headers[2].cell, NULL));
    assert_string_equal(rec->headers[3].name, "a");
    assert_true(cell_is(&rec->headers[3].cell, "2"));
    assert_ptr_equal(rec->headers[3].cell.record, rec);
    rec = batch->items[6];
    assert_true(cell_is(&rec->key, NULL) && cell_is(&rec->value, NULL));
    assert_int_equal(rec->timestamp, 5);
    assert_int_equal(tg_record_headers(rec), 1);
    assert_true(cell_is(&batch->items[7]->value, "v7"));
    assert_int_equal(tg_consumer_lag(consumer), 0);
    tg_batch_free(batch);
    tg_consumer_free(consumer);
}

/* --- many records --------------------------------------------------------- */

enum { MANY = 200000, PARTS = 4, ROUND = 20000 };

/* Sends [from, to): number in key and value; every 10th with a timestamp,
 * every 10th a tombstone, every 50th with a header. */
static int send_numbers(tg_producer *producer, tg_batch *batch, int from,
                        int to, uint32_t *queued)
{
    int full = 0;

    while (from < to) {
        tg_batch_reset(batch);
        for (; from < to && batch->n < 5000; from++) {
            char key[32], value[64];
            tg_record *rec;

            snprintf(key, sizeof key, "key-%d", from);
            snprintf(value, sizeof value, "value %d of many", from);
            rec = add_record(batch, "many", key, from % 10 == 3 ? NULL : value);
            if (from % 10 == 7)
                rec->timestamp = 1700000000000 + from;
            if (from % 50 == 9)
                add_header(batch, rec, "h", "some header");
        }
        full += send_all(producer, batch, queued);
        flush_all(producer);
    }
    return full;
}

static void check_number(tg_record *rec, char *seen, int *next)
{
    char value[64];
    int number;

    assert_int_equal(sscanf(rec->key.raw, "key-%d", &number), 1);
    assert_in_range(number, 0, MANY - 1);
    assert_int_equal(seen[number], 0);
    seen[number] = 1;
    /* In order within the partition. */
    assert_true(number >= next[rec->origin_partition]);
    next[rec->origin_partition] = number + 1;
    snprintf(value, sizeof value, "value %d of many", number);
    assert_true(cell_is(&rec->value, number % 10 == 3 ? NULL : value));
    if (number % 10 == 7)
        assert_int_equal(rec->timestamp, 1700000000000 + number);
    assert_int_equal(tg_record_headers(rec), number % 50 == 9 ? 1 : 0);
    if (rec->nheaders)
        assert_true(cell_is(&rec->headers[0].cell, "some header"));
}

/* The broker keeps about 5 MB a partition, so reading follows writing. */
static void test_many(void **state)
{
    deliveries d;
    tg_batch *out = tg_batch_new(5000, 0), *in = tg_batch_new(1000, 0);
    tg_producer *producer;
    tg_consumer *consumer;
    char *seen = tg_calloc(MANY);
    int next[PARTS] = {0}, got = 0;
    uint32_t queued = 0;

    (void)state;
    topic("many", PARTS);
    producer = producer_on(config_of(bootstrap, NULL), &d);
    consumer = consumer_on(consumer_config("many"), NULL);
    assign(consumer, "[[\"many\",0],[\"many\",1],[\"many\",2],[\"many\",3]]");
    for (int sent = 0; sent < MANY; sent += ROUND) {
        int64_t until = now_ms() + 20000;

        send_numbers(producer, out, sent, sent + ROUND, &queued);
        while (got < sent + ROUND && now_ms() < until) {
            tg_batch_reset(in);
            got += poll_batch(consumer, in, 100);
            for (uint32_t i = 0; i < in->n; i++)
                check_number(in->items[i], seen, next);
        }
        assert_int_equal(got, sent + ROUND);
    }
    assert_int_equal(queued, MANY);
    assert_int_equal(d.good, MANY);
    assert_int_equal(d.bad, 0);
    tg_batch_free(in);
    tg_batch_free(out);
    tg_consumer_free(consumer);
    tg_producer_free(producer, 0);
    tg_free(seen);
}

/* --- back pressure, sizes, topics ----------------------------------------- */

static void test_queue_full(void **state)
{
    deliveries d;
    tg_batch *batch = tg_batch_new(5000, 0);
    tg_producer *producer;
    uint32_t from = 0, queued = 0, before;
    tg_err err;
    int full = 0, rc;

    (void)state;
    topic("full", 1);
    producer = producer_on(
        config_of(bootstrap, "queue.buffering.max.messages", "100", NULL), &d);
    for (int i = 0; i < 5000; i++) {
        tg_record *rec = add_record(batch, "full", NULL, "0123456789");

        if (i % 7 == 0) /* both ways of sending */
            rec->timestamp = i;
    }
    tg_err_clear(&err);
    for (;;) {
        before = from;
        rc = tg_producer_send(producer, batch, &from, &queued, &err);
        assert_int_equal(queued, from);
        assert_true(from >= before);
        if (rc != 1)
            break;
        full++;
        assert_true(tg_producer_outstanding(producer) <= 100);
        tg_producer_poll(producer, 1000);
    }
    assert_int_equal(rc, 0);
    assert_int_equal(from, 5000);
    assert_true(full >= 40);
    flush_all(producer);
    assert_int_equal(d.good, 5000);
    assert_int_equal(d.last_offset, 4999);
    tg_producer_free(producer, 0);
    tg_batch_free(batch);
}

static void test_too_large(void **state)
{
    deliveries d;
    tg_batch *batch = tg_batch_new(10, 0);
    char *big = tg_alloc(6001);
    tg_producer *producer;
    uint32_t from = 0, queued = 0;
    tg_err err;

    (void)state;
    memset(big, 'x', 6000);
    big[6000] = 0;
    topic("large", 1);
    producer =
        producer_on(config_of(bootstrap, "max.request.size", "5000", NULL), &d);
    add_record(batch, "large", NULL, "a");
    add_record(batch, "large", NULL, big);
    add_record(batch, "large", NULL, "c");
    tg_err_clear(&err);
    assert_int_equal(tg_producer_send(producer, batch, &from, &queued, &err),
                     TG_ERR_LIMIT);
    assert_int_equal(from, 1);
    assert_int_equal(queued, 1);
    assert_has(err.text, "topic large: a record of 6000 bytes");
    assert_has(err.text, "max.request.size=5000");
    from++;
    assert_int_equal(tg_producer_send(producer, batch, &from, &queued, &err),
                     0);
    assert_int_equal(queued, 2);
    flush_all(producer);
    assert_int_equal(d.good, 2);
    tg_producer_free(producer, 0);
    tg_batch_free(batch);
    tg_free(big);
}

static void test_topics_and_partitions(void **state)
{
    deliveries d;
    tg_batch *batch = tg_batch_new(3000, 0);
    tg_producer *producer;
    tg_consumer *consumer;
    uint32_t queued = 0, from = 0;
    int counts[2][3] = {{0}};
    char name[300];
    tg_record *rec;
    tg_err err;

    (void)state;
    topic("two-a", 1);
    topic("two-b", 3);
    producer = producer_on(config_of(bootstrap, NULL), &d);
    for (int i = 0; i < 3000; i++) {
        rec = add_record(batch, i % 3 ? "two-b" : "two-a", NULL, "x");
        if (i % 3)
            rec->partition = i % 2 ? 2 : 1;
    }
    send_all(producer, batch, &queued);
    flush_all(producer);
    assert_int_equal(d.good, 3000);
    tg_batch_reset(batch);

    consumer = consumer_on(consumer_config("two"), NULL);
    assign(consumer, "[[\"two-a\",0],[\"two-b\",0],[\"two-b\",1],"
                     "[\"two-b\",2]]");
    for (int i = 0; i < 100 && !tg_consumer_at_end(consumer); i++) {
        tg_batch_reset(batch);
        poll_batch(consumer, batch, 100);
        for (uint32_t k = 0; k < batch->n; k++) {
            rec = batch->items[k];
            counts[rec->topic[4] - 'a'][rec->origin_partition]++;
        }
    }
    assert_int_equal(counts[0][0], 1000);
    assert_int_equal(counts[1][0], 0);
    assert_int_equal(counts[1][1], 1000);
    assert_int_equal(counts[1][2], 1000);
    tg_batch_reset(batch);
    tg_consumer_free(consumer);

    /* A partition that does not exist, with headers too. */
    rec = add_record(batch, "two-b", "k", "x");
    rec->partition = 7;
    tg_err_clear(&err);
    queued = 0;
    assert_true(tg_producer_send(producer, batch, &from, &queued, &err) < 0);
    assert_has(err.text, "topic two-b has no such partition");
    add_header(batch, rec, "h", "v");
    assert_true(tg_producer_send(producer, batch, &from, &queued, &err) < 0);
    assert_int_equal(queued, 0);
    memset(name, 'n', sizeof name);
    rec->topic = name;
    rec->topiclen = sizeof name;
    assert_int_equal(tg_producer_send(producer, batch, &from, &queued, &err),
                     TG_ERR_DATA);
    assert_has(err.text, "no legal topic name");
    tg_producer_free(producer, 0);
    tg_batch_free(batch);
}

/* --- positions ------------------------------------------------------------ */

static void fill_topic(const char *name, int n)
{
    deliveries d;
    tg_batch *batch = tg_batch_new((uint32_t)n, 0);
    tg_producer *producer = producer_on(config_of(bootstrap, NULL), &d);
    uint32_t queued = 0;

    topic(name, 1);
    for (int i = 0; i < n; i++) {
        char value[32];

        snprintf(value, sizeof value, "%d", i);
        add_record(batch, name, NULL, value);
    }
    send_all(producer, batch, &queued);
    flush_all(producer);
    assert_int_equal(d.good, n);
    tg_producer_free(producer, 0);
    tg_batch_free(batch);
}

/* Next n records are offsets from, from + 1, ... */
static void expect_offsets(tg_consumer *consumer, tg_batch *batch, int64_t from,
                           int n)
{
    int64_t until = now_ms() + 20000;

    while (n > 0 && now_ms() < until) {
        tg_batch_reset(batch);
        batch->max = n < 1000 ? (uint32_t)n : 1000;
        poll_batch(consumer, batch, 100);
        for (uint32_t i = 0; i < batch->n; i++, n--)
            assert_int_equal(batch->items[i]->origin_offset, from++);
    }
    tg_batch_reset(batch);
    assert_int_equal(n, 0);
}

static void test_pause_and_seek(void **state)
{
    tg_batch *batch = tg_batch_new(1000, 0);
    tg_consumer *consumer;
    int64_t started, took, worst = 0;
    tg_err err;

    (void)state;
    tg_err_clear(&err);
    fill_topic("pause", 20000);
    consumer = consumer_on(consumer_config("pause"), NULL);
    assign(consumer, "[[\"pause\",0]]");
    expect_offsets(consumer, batch, 0, 100);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(tg_consumer_pause(consumer, true, &err), 0);
        assert_int_equal(tg_consumer_pause(consumer, true, &err), 0);
        assert_int_equal(poll_batch(consumer, batch, 20), 0);
        assert_int_equal(tg_consumer_pause(consumer, false, &err), 0);
        started = now_ms();
        expect_offsets(consumer, batch, 100 + i * 50, 50);
        took = now_ms() - started;
        if (took > worst)
            worst = took;
    }
    /* Without the kick each resumption takes up to a second. */
    assert_true(worst < 600);
    for (int i = 0; i < 50; i++) {
        int64_t to = (i * 7919) % 19000;

        assert_int_equal(tg_consumer_seek(consumer, "pause", 0, to, &err), 0);
        expect_offsets(consumer, batch, to, 100);
    }
    /* Seek while paused counts after the resumption. */
    tg_consumer_pause(consumer, true, &err);
    assert_int_equal(tg_consumer_seek(consumer, "pause", 0, 4321, &err), 0);
    assert_int_equal(poll_batch(consumer, batch, 20), 0);
    tg_consumer_pause(consumer, false, &err);
    expect_offsets(consumer, batch, 4321, 1000);
    assert_int_equal(tg_consumer_lag(consumer), 20000 - 5321);
    /* A pause right after a seek keeps where it led. */
    assert_int_equal(tg_consumer_seek(consumer, "pause", 0, 77, &err), 0);
    tg_consumer_pause(consumer, true, &err);
    assert_int_equal(poll_batch(consumer, batch, 20), 0);
    tg_consumer_pause(consumer, false, &err);
    expect_offsets(consumer, batch, 77, 100);
    assert_int_equal(tg_consumer_seek(consumer, "other", 0, 1, &err),
                     TG_ERR_STATE);
    assert_has(err.text, "other-0");
    tg_batch_free(batch);
    tg_consumer_free(consumer);
}

static int commits_seen;

static void on_committed(void *ctx, const tg_partition *parts, int n,
                         const tg_err *err)
{
    (void)ctx;
    if (err)
        fail_msg("%s", err->text);
    assert_int_equal(n, 1);
    assert_string_equal(parts[0].topic, "static");
    commits_seen++;
}

static int64_t assigned_offset;

static void on_assigned(void *ctx, const tg_partition *parts, int n)
{
    (void)ctx;
    assert_int_equal(n, 1);
    assigned_offset = parts[0].offset;
}

static void test_static_assignment(void **state)
{
    tg_consumer_hooks hooks = {.assigned = on_assigned,
                               .committed = on_committed};
    tg_batch *batch = tg_batch_new(1000, 0);
    tg_partition part = {(char *)"static", 0, 1234};
    tg_consumer *consumer;
    int64_t low, high;
    tg_err err;

    (void)state;
    tg_err_clear(&err);
    fill_topic("static", 5000);
    consumer = consumer_on(consumer_config("static"), &hooks);
    assign(consumer, "[[\"static\",0]]");
    assert_int_equal(assigned_offset, -1);
    expect_offsets(consumer, batch, 0, 10);
    if (tg_consumer_commit(consumer, &part, 1, true, 5000, &err))
        fail_msg("%s", err.text);
    tg_consumer_free(consumer);

    consumer = consumer_on(consumer_config("static"), &hooks);
    assign(consumer, "[[\"static\",0]]");
    assert_int_equal(assigned_offset, 1234);
    expect_offsets(consumer, batch, 1234, 500);
    part.offset = 2000;
    commits_seen = 0;
    assert_int_equal(tg_consumer_commit(consumer, &part, 1, false, 0, &err), 0);
    for (int i = 0; i < 100 && !commits_seen; i++) {
        poll_batch(consumer, batch, 20);
        tg_batch_reset(batch);
    }
    assert_int_equal(commits_seen, 1);
    part.offset = -1; /* nothing to commit */
    assert_int_equal(tg_consumer_commit(consumer, &part, 1, true, 100, &err),
                     0);
    tg_consumer_free(consumer);

    consumer = consumer_on(consumer_config("static"), &hooks);
    assign(consumer, "[[\"static\",0,-2]]");
    expect_offsets(consumer, batch, 0, 10);
    assert_int_equal(
        tg_consumer_watermarks(consumer, "static", 0, 5000, &low, &high, &err),
        0);
    assert_int_equal(low, 0);
    assert_int_equal(high, 5000);
    tg_consumer_free(consumer);

    consumer = consumer_on(consumer_config("static"), &hooks);
    assign(consumer, "[[\"static\",0]]");
    assert_int_equal(assigned_offset, 2000);
    tg_consumer_free(consumer);
    tg_batch_free(batch);
}

/* --- the other end is missing --------------------------------------------- */

static void test_unreachable(void **state)
{
    deliveries d;
    tg_batch *batch = tg_batch_new(1, 0);
    tg_producer *producer;
    tg_admin *admin;
    uint32_t queued = 0;
    json_t *config;
    tg_err err;

    (void)state;
    producer = producer_on(config_of("127.0.0.1:9", NULL), &d);
    add_record(batch, "t", NULL, "x");
    send_all(producer, batch, &queued);
    tg_err_clear(&err);
    for (int i = 0; i < 50 && !tg_producer_error(producer, &err); i++)
        tg_producer_poll(producer, 100);
    assert_string_equal(
        err.text, "cannot reach any broker of bootstrap.servers=127.0.0.1:9 "
                  "(connection refused): check the address and that the broker "
                  "runs");
    assert_true(err.retriable);
    assert_int_equal(tg_producer_flush(producer, 50, &err), TG_ERR_TIMEOUT);
    assert_has(err.text, "1 records were not acknowledged");
    assert_int_equal(d.bad, 0);
    tg_producer_free(producer, 10);
    /* Given up, and said so. */
    assert_int_equal(d.bad, 1);
    assert_has(d.err.text, "topic t was not sent");
    tg_batch_free(batch);

    config = config_of("127.0.0.1:9", NULL);
    admin = tg_admin_new(config, &err);
    json_decref(config);
    assert_non_null(admin);
    tg_err_clear(&err);
    assert_null(tg_admin_cluster_id(admin, 500, &err));
    assert_has(err.text, "bootstrap.servers=127.0.0.1:9 (connection refused)");
    tg_admin_free(admin);
}

static void test_admin(void **state)
{
    json_t *config = config_of(bootstrap, NULL);
    tg_admin *admin;
    int partitions = 0;
    char *id;
    tg_err err;

    (void)state;
    tg_err_clear(&err);
    admin = tg_admin_new(config, &err);
    json_decref(config);
    assert_non_null(admin);
    id = tg_admin_cluster_id(admin, 5000, &err);
    assert_non_null(id);
    assert_has(id, "mockCluster");
    tg_free(id);
    topic("there", 3);
    topic("there", 3);
    assert_int_equal(
        tg_admin_topic_exists(admin, "there", 5000, &partitions, &err), 1);
    assert_int_equal(partitions, 3);
    /* Asking creates nothing. */
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            tg_admin_topic_exists(admin, "nowhere", 5000, &partitions, &err),
            0);
    tg_admin_free(admin);
    assert_int_equal(tg_embedded_topic(broker, "a b", 1, &err), TG_ERR_ARG);
    assert_has(err.text, "a b");
    assert_int_equal(tg_embedded_topic(broker, "ab", 0, &err), TG_ERR_ARG);
}

static void test_bad_config(void **state)
{
    json_t *config = config_of(bootstrap, NULL);
    tg_err err;

    (void)state;
    tg_err_clear(&err);
    assert_null(tg_consumer_new(config, NULL, &err));
    assert_has(err.text, "group.id is not set");
    json_object_set_new(config, "linger.ms", json_string("x"));
    assert_null(tg_producer_new(config, count_delivery, NULL, &err));
    assert_has(err.text, "linger.ms=x");
    json_decref(config);
    /* What only librdkafka's own checks find. */
    config = config_of(bootstrap, "group.id", "g", "session.timeout.ms",
                       "20000", "max.poll.interval.ms", "10000", NULL);
    assert_null(tg_consumer_new(config, NULL, &err));
    assert_has(err.text, "max.poll.interval.ms");
    json_decref(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_queue_full),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_topics_and_partitions),
        cmocka_unit_test(test_pause_and_seek),
        cmocka_unit_test(test_static_assignment),
        cmocka_unit_test(test_unreachable),
        cmocka_unit_test(test_admin),
        cmocka_unit_test(test_bad_config),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
