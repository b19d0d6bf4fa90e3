/*
 * Dead letters of a sink task on a mock cluster that refuses to take them:
 * passing errors delay the commit, lasting ones fail the task, and the offset
 * never passes a record that is neither put nor in the dead-letter topic.
 * timeout: 180
 */
#include "harness.h"
#include "task/child.h"
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

enum { API_PRODUCE = 0, RECORDS = 20, BAD = 7 };

static rd_kafka_t *handle;
static rd_kafka_mock_cluster_t *cluster;

static const char collect_lua[] =
    "local tide = require \"tidegate\"\n"
    "local out\n"
    "return tide.sink {\n"
    "  config = { file = { required = true } },\n"
    "  start = function(ctx)\n"
    "    out = assert(io.open(ctx.config.file, \"a\"))\n"
    "  end,\n"
    "  put = function(batch)\n"
    "    for _, r in batch:each() do\n"
    "      local v = tide.str(r.value)\n"
    "      if v == \"v7\" then r:reject(\"seven\")\n"
    "      else out:write(v, \"\\n\") end\n"
    "    end\n"
    "  end,\n"
    "  flush = function() assert(out:flush()) end,\n"
    "  stop = function() out:close() end,\n"
    "}\n";

static void quiet(const rd_kafka_t *rk, int level, const char *fac,
                  const char *buf)
{
    (void)rk;
    (void)level;
    (void)fac;
    (void)buf;
}

static int set_up(void **state)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    (void)state;
    snprintf(folder, sizeof folder, "/tmp/tgdeadXXXXXX");
    if (!mkdtemp(folder))
        return -1;
    write_file("collect.lua", collect_lua);
    rd_kafka_conf_set_log_cb(conf, quiet);
    handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, NULL, 0);
    cluster = rd_kafka_mock_cluster_new(handle, 1);
    return cluster ? 0 : -1;
}

static int tear_down(void **state)
{
    char *cmd = tg_sprintf("rm -rf %s", folder);
    int rc = system(cmd);

    (void)state;
    tg_free(cmd);
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(handle);
    return rc;
}

static const char *boot(void)
{
    return rd_kafka_mock_cluster_bootstraps(cluster);
}

static void topic(const char *name)
{
    assert_int_equal(rd_kafka_mock_topic_create(cluster, name, 1, 1), 0);
}

/* --- records ------------------------------------------------------------- */

static void sent(void *ctx, tg_record *rec, const char *name, int32_t partition,
                 int64_t offset, const tg_err *err)
{
    (void)ctx;
    (void)rec;
    (void)name;
    (void)partition;
    (void)offset;
    assert_null(err);
}

static void produce(const char *name)
{
    json_t *config = json_pack("{s:s}", "bootstrap.servers", boot());
    tg_err err = {0};
    tg_producer *producer = tg_producer_new(config, sent, NULL, &err);
    tg_batch *batch = tg_batch_new(RECORDS, 0);
    uint32_t from = 0, queued = 0;

    assert_non_null(producer);
    for (int i = 0; i < RECORDS; i++) {
        tg_record *rec = tg_batch_append(batch);
        char *text = tg_sprintf("v%d", i);
        rec->topic = name;
        rec->topiclen = (uint32_t)strlen(name);
        rec->value.out = tg_arena_dup(batch->arena, text, strlen(text));
        rec->value.outlen = (int32_t)strlen(text);
        tg_free(text);
    }
    while (tg_producer_send(producer, batch, &from, &queued, &err) == 1)
        tg_producer_poll(producer, 50);
    assert_int_equal(tg_producer_flush(producer, 20000, &err), 0);
    tg_producer_free(producer, 0);
    tg_batch_free(batch);
    json_decref(config);
}

/* Values in a topic of one partition, after the reader saw its end. */
static int count(const char *name, const char *value)
{
    static tg_converter raw = {.identity = 1};
    json_t *config =
        json_pack("{s:s, s:s, s:s, s:s}", "bootstrap.servers", boot(),
                  "group.id", "reader", "auto.offset.reset", "earliest",
                  "enable.partition.eof", "true");
    json_t *parts = json_pack("[[s, i, i]]", name, 0, -2);
    tg_batch *batch = tg_batch_new(100, 0);
    tg_err err = {0};
    tg_consumer *consumer = tg_consumer_new(config, NULL, &err);
    int64_t end = now_ms() + 20000;
    int found = 0;

    assert_non_null(consumer);
    assert_int_equal(tg_consumer_assign(consumer, parts, &err), 0);
    while (!tg_consumer_at_end(consumer) && now_ms() < end) {
        int n =
            tg_consumer_poll(consumer, batch, 100, 5, &raw, &raw, &raw, &err);
        for (int i = 0; i < n; i++) {
            const tg_cell *cell = &batch->items[i]->value;
            found += cell->rawlen == (int)strlen(value) &&
                     memcmp(cell->raw, value, (size_t)cell->rawlen) == 0;
        }
        tg_batch_reset(batch);
    }
    tg_batch_free(batch);
    tg_consumer_free(consumer);
    json_decref(parts);
    json_decref(config);
    return found;
}

/* What the group has committed for partition 0; -1: nothing. */
static int64_t committed(const char *name)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new(1);
    rd_kafka_t *rk;
    char text[256];
    int64_t offset;

    rd_kafka_conf_set(conf, "bootstrap.servers", boot(), text, sizeof text);
    rd_kafka_conf_set(conf, "group.id", name, text, sizeof text);
    rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    assert_non_null(rk);
    rd_kafka_topic_partition_list_add(list, name, 0);
    assert_int_equal(rd_kafka_committed(rk, list, 10000), 0);
    offset = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(rk);
    return offset < 0 ? -1 : offset;
}

/* --- the task ------------------------------------------------------------ */

static child *start(const char *name, const char *dlq)
{
    char *file = tg_sprintf("%s/%s", folder, name);
    json_t *config = connector_config(
        "collect", "topics", name, "file", file, "errors.tolerance", "all",
        "errors.deadletterqueue.topic.name", dlq,
        "producer.override.retry.backoff.ms", "50",
        /* the mock's groups wait for members that have left */
        "consumer.override.group.id", name,
        "consumer.override.session.timeout.ms", "6000", NULL);

    tg_free(file);
    return task_start("sink", worker_config(boot()), config, NULL, NULL);
}

static void await(child *c, _Atomic int64_t *counter, int64_t n)
{
    int64_t end = now_ms() + 60000;

    while (tg_page_get(*counter) < n) {
        if (now_ms() > end || c->eof)
            fail_msg("%lld of %lld (state %s, trace %s)",
                     (long long)tg_page_get(*counter), (long long)n,
                     c->state ? c->state : "", c->trace ? c->trace : "");
        json_decref(child_next(c, 20));
    }
}

static void test_passing_errors(void **state)
{
    child *c;
    (void)state;

    topic("in1");
    topic("dlq1");
    produce("in1");
    rd_kafka_mock_push_request_errors(
        cluster, API_PRODUCE, 4, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE);
    c = start("in1", "dlq1");
    await(c, &c->page->commits, 1);
    assert_int_equal(tg_page_get(c->page->dlq_requests), 1);
    assert_int_equal(tg_page_get(c->page->dlq_failures), 0);
    assert_int_equal(tg_page_get(c->page->records_skipped), 1);
    assert_int_equal(tg_page_get(c->page->records_out), RECORDS - 1);
    child_stop(c);
    child_free(c);
    assert_int_equal(committed("in1"), RECORDS);
    assert_int_equal(count("dlq1", "v7"), 1);
}

static void test_lasting_error(void **state)
{
    child *c;
    (void)state;

    topic("in2");
    topic("dlq2");
    produce("in2");
    rd_kafka_mock_push_request_errors(
        cluster, API_PRODUCE, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    c = start("in2", "dlq2");
    child_wait_state(c, "FAILED", 30000);
    assert_has(c->trace, "in2-0@7");
    assert_has(c->trace, "dead-letter topic dlq2");
    assert_has(c->trace, "errors.deadletterqueue.topic.name");
    assert_int_equal(tg_page_get(c->page->dlq_failures), 1);
    child_end(c, 20000);
    child_free(c);
    assert_true(committed("in2") <= BAD);

    /* the topic is mended: the next start delivers what was held back */
    c = start("in2", "dlq2");
    await(c, &c->page->commits, 1);
    child_stop(c);
    child_free(c);
    assert_int_equal(committed("in2"), RECORDS);
    assert_int_equal(count("dlq2", "v7"), 1);
}

/* The broker does not answer: no commit, and the stop comes in time. */
static void test_no_answer(void **state)
{
    child *c;
    int64_t began;
    (void)state;

    topic("in3");
    topic("dlq3");
    produce("in3");
    for (int i = 0; i < 400; i++)
        rd_kafka_mock_push_request_errors(cluster, API_PRODUCE, 1,
                                          RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT);
    c = start("in3", "dlq3");
    await(c, &c->page->dlq_requests, 1);
    await(c, &c->page->commit_failures, 1);
    assert_int_equal(tg_page_get(c->page->commits), 0);
    began = now_ms();
    child_send(c, json_pack("{s:s, s:i}", "op", "stop", "timeout_ms", 3000));
    child_end(c, 15000);
    assert_true(now_ms() - began < 8000);
    child_free(c);
    rd_kafka_mock_clear_request_errors(cluster, API_PRODUCE);
    assert_int_equal(committed("in3"), -1);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_passing_errors),
                                       cmocka_unit_test(test_lasting_error),
                                       cmocka_unit_test(test_no_answer)};

    if (argc > 1 && strcmp(argv[1], "task") == 0)
        return tg_task_main();
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
