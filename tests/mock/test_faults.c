/*
 * timeout: 180
 *
 * Producer and consumer against a mock cluster that answers with errors, goes
 * away and comes back: nothing is lost, each queued record gets exactly one
 * delivery call, and permanent errors read well.
 */
#include "kafka/cluster.h"
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

enum { API_PRODUCE = 0, API_FETCH = 1, API_COMMIT = 8 };

static rd_kafka_t *handle;
static rd_kafka_mock_cluster_t *cluster;

static void quiet(const rd_kafka_t *rk, int level, const char *fac,
                  const char *buf)
{
    (void)rk;
    (void)level;
    (void)fac;
    (void)buf;
}

static int start(void **state)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    (void)state;
    rd_kafka_conf_set_log_cb(conf, quiet);
    handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, NULL, 0);
    cluster = rd_kafka_mock_cluster_new(handle, 3);
    assert_non_null(cluster);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(handle);
    return 0;
}

static const char *address(void)
{
    return rd_kafka_mock_cluster_bootstraps(cluster);
}

static void topic(const char *name)
{
    assert_int_equal(rd_kafka_mock_topic_create(cluster, name, 1, 3), 0);
}

/* Numbers [from, to) as values. */
static void add_numbers(tg_batch *batch, const char *name, int from, int to)
{
    tg_batch_reset(batch);
    for (; from < to; from++) {
        char value[32];

        snprintf(value, sizeof value, "%d", from);
        add_record(batch, name, NULL, value);
    }
}

/* Every number is in the topic; first occurrences in order if wanted. */
static void expect_numbers(const char *name, int n, bool ordered, int *doubles)
{
    char *seen = tg_calloc((size_t)n);
    json_t *config =
        config_of(address(), "group.id", name, "enable.partition.eof", "true",
                  "fetch.max.wait.ms", "50", NULL);
    tg_consumer *consumer = consumer_on(config, NULL);
    tg_batch *batch = tg_batch_new(1000, 0);
    int64_t until = now_ms() + 30000;
    char parts[64];
    int next = 0, distinct = 0;

    snprintf(parts, sizeof parts, "[[\"%s\",0,-2]]", name);
    assign(consumer, parts);
    *doubles = 0;
    while (!(distinct == n && tg_consumer_at_end(consumer)) &&
           now_ms() < until) {
        tg_batch_reset(batch);
        poll_batch(consumer, batch, 50);
        for (uint32_t i = 0; i < batch->n; i++) {
            const tg_cell *value = &batch->items[i]->value;
            char text[32] = "";
            int number;

            assert_true(value->rawlen < (int)sizeof text);
            memcpy(text, value->raw, (size_t)value->rawlen);
            number = atoi(text);
            assert_in_range(number, 0, n - 1);
            if (ordered)
                assert_true(number <= next);
            if (number == next)
                next++;
            *doubles += seen[number];
            distinct += !seen[number];
            seen[number] = 1;
        }
    }
    assert_int_equal(distinct, n);
    tg_free(seen);
    tg_batch_free(batch);
    tg_consumer_free(consumer);
}

static const rd_kafka_resp_err_t passing[] = {
    RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
    RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
    RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
    RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
    RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
};

static void errors_pass(const char *name, const char *idempotence)
{
    enum { N = 6000 };
    deliveries d;
    tg_producer *producer = producer_on(
        config_of(address(), "retry.backoff.ms", "20", "batch.num.messages",
                  "200", "enable.idempotence", idempotence, NULL),
        &d);
    tg_batch *batch = tg_batch_new(1000, 0);
    uint32_t queued = 0;
    int doubles;

    topic(name);
    for (int i = 0; i < 6; i++) {
        for (int k = 0; k < 3; k++)
            rd_kafka_mock_push_request_errors(cluster, API_PRODUCE, 1,
                                              passing[i]);
        add_numbers(batch, name, i * 1000, (i + 1) * 1000);
        send_all(producer, batch, &queued);
        flush_all(producer);
    }
    assert_int_equal(queued, N);
    assert_int_equal(d.good, N);
    assert_int_equal(d.bad, 0);
    tg_producer_free(producer, 0);
    tg_batch_free(batch);
    expect_numbers(name, N, !strcmp(idempotence, "true"), &doubles);
}

/* librdkafka has a request ready while one is in flight, so a refused one is
 * repeated behind it: only an idempotent producer keeps the order then. */
static void test_produce_errors_pass(void **state)
{
    (void)state;
    errors_pass("passing", "false");
    errors_pass("passing-in-order", "true");
}

static void permanent(rd_kafka_resp_err_t code, const char *part)
{
    deliveries d;
    tg_producer *producer = producer_on(config_of(address(), NULL), &d);
    tg_batch *batch = tg_batch_new(10, 0);
    uint32_t queued = 0;

    rd_kafka_mock_push_request_errors(cluster, API_PRODUCE, 1, code);
    add_numbers(batch, "permanent", 0, 10);
    send_all(producer, batch, &queued);
    flush_all(producer);
    assert_int_equal(queued, 10);
    assert_int_equal(d.good + d.bad, 10);
    assert_true(d.bad > 0);
    assert_has(d.err.text, "topic permanent");
    assert_has(d.err.text, part);
    assert_false(d.err.retriable);
    rd_kafka_mock_clear_request_errors(cluster, API_PRODUCE);
    tg_producer_free(producer, 0);
    tg_batch_free(batch);
}

static void test_produce_errors_stay(void **state)
{
    (void)state;
    topic("permanent");
    permanent(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, "max.message.bytes");
    permanent(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, "ACL");
    permanent(RD_KAFKA_RESP_ERR_INVALID_RECORD, "compacted topic");
}

/* All brokers away for a while: sending goes on filling the queue, and all of
 * it arrives. */
static void test_outage(void **state)
{
    enum { N = 20000 };
    deliveries d;
    tg_producer *producer = producer_on(
        config_of(address(), "queue.buffering.max.messages", "2000", NULL), &d);
    tg_batch *batch = tg_batch_new(N, 0);
    uint32_t queued = 0, from = 0;
    bool down = false, seen = false;
    int64_t back_at = 0;
    int doubles, rc;
    tg_err err;

    (void)state;
    topic("outage");
    tg_err_clear(&err);
    add_numbers(batch, "outage", 0, N);
    while ((rc = tg_producer_send(producer, batch, &from, &queued, &err)) ==
           1) {
        tg_producer_poll(producer, 50);
        seen |= tg_producer_error(producer, &err);
        if (!down && from > N / 2) {
            for (int i = 1; i <= 3; i++)
                rd_kafka_mock_broker_set_down(cluster, i);
            down = true;
            back_at = now_ms() + 1500;
        }
        if (back_at && now_ms() > back_at) {
            for (int i = 1; i <= 3; i++)
                rd_kafka_mock_broker_set_up(cluster, i);
            back_at = 0;
        }
    }
    assert_int_equal(rc, 0);
    assert_true(down && seen);
    flush_all(producer);
    assert_int_equal(queued, N);
    assert_int_equal(d.good, N);
    assert_int_equal(d.bad, 0);
    tg_producer_free(producer, 0);
    tg_batch_free(batch);
    expect_numbers("outage", N, false, &doubles);
}

static void test_fetch_errors(void **state)
{
    enum { N = 5000 };
    deliveries d;
    tg_producer *producer = producer_on(config_of(address(), NULL), &d);
    tg_batch *batch = tg_batch_new(N, 0);
    uint32_t queued = 0;
    int doubles;

    (void)state;
    topic("fetching");
    add_numbers(batch, "fetching", 0, N);
    send_all(producer, batch, &queued);
    flush_all(producer);
    tg_producer_free(producer, 0);
    tg_batch_free(batch);
    for (int i = 0; i < 3; i++)
        rd_kafka_mock_push_request_errors(
            cluster, API_FETCH, 4, RD_KAFKA_RESP_ERR_NO_ERROR,
            RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
            RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
            RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION);
    expect_numbers("fetching", N, true, &doubles);
    assert_int_equal(doubles, 0);
}

static void test_commit_errors(void **state)
{
    tg_consumer *consumer =
        consumer_on(config_of(address(), "group.id", "committers", NULL), NULL);
    tg_partition part = {(char *)"commits", 0, 17};
    int64_t started;
    tg_err err;
    int rc;

    (void)state;
    topic("commits");
    assign(consumer, "[[\"commits\",0]]");
    tg_err_clear(&err);
    rd_kafka_mock_push_request_errors(
        cluster, API_COMMIT, 1, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED);
    rc = tg_consumer_commit(consumer, &part, 1, true, 3000, &err);
    assert_int_equal(rc, TG_ERR_KAFKA);
    assert_has(err.text, "commit of group committers");
    assert_has(err.text, "ACL");
    tg_err_clear(&err);
    rd_kafka_mock_push_request_errors(cluster, API_COMMIT, 1,
                                      RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION);
    rc = tg_consumer_commit(consumer, &part, 1, true, 3000, &err);
    assert_int_equal(rc, TG_ERR_KAFKA);
    assert_true(err.retriable);
    assert_int_equal(tg_consumer_commit(consumer, &part, 1, true, 3000, &err),
                     0);
    /* A broker that does not answer does not hold the caller. */
    for (int i = 1; i <= 3; i++)
        rd_kafka_mock_broker_set_rtt(cluster, i, 3000);
    started = now_ms();
    tg_err_clear(&err);
    rc = tg_consumer_commit(consumer, &part, 1, true, 200, &err);
    assert_int_equal(rc, TG_ERR_TIMEOUT);
    assert_true(now_ms() - started < 1000);
    started = now_ms();
    tg_consumer_free(consumer);
    assert_true(now_ms() - started < 8000);
    for (int i = 1; i <= 3; i++)
        rd_kafka_mock_broker_set_rtt(cluster, i, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_produce_errors_pass),
        cmocka_unit_test(test_produce_errors_stay),
        cmocka_unit_test(test_outage),
        cmocka_unit_test(test_fetch_errors),
        cmocka_unit_test(test_commit_errors),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
