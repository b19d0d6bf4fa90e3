/* Where the settings of a connector's clients come from. */
#include "unit.h"
#include "base/mem.h"
#include "task/client_config.h"

static json_t *object(const char *json)
{
    json_t *o = json_loads(json, 0, NULL);

    assert_non_null(o);
    return o;
}

static void has(const json_t *config, const char *key, const char *value)
{
    const char *got = tg_config_get(config, key, NULL);

    if (!got && !value)
        return;
    if (!got || !value || strcmp(got, value) != 0)
        fail_msg("%s is %s, not %s", key, got ? got : "absent",
                 value ? value : "absent");
}

static void test_producer(void **state)
{
    json_t *worker =
        object("{\"bootstrap.servers\":\"a:1\",\"linger.ms\":\"9\","
               "\"producer.linger.ms\":\"5\",\"producer.acks\":"
               "\"1\",\"security.protocol\":\"SSL\"}");
    json_t *config = object("{\"producer.override.linger.ms\":\"7\","
                            "\"consumer.override.x\":\"y\"}");
    tg_client_scope scope = {worker, config, "src", 3, NULL};
    tg_err err = {0};
    json_t *out = tg_client_config_producer(&scope, &err);
    (void)state;

    has(out, "bootstrap.servers", "a:1");
    has(out, "client.id", "connector-producer-src-3");
    has(out, "acks", "1");
    has(out, "linger.ms", "7");
    has(out, "max.in.flight.requests.per.connection", "1");
    has(out, "enable.idempotence", NULL);
    has(out, "delivery.timeout.ms", "2147483647");
    has(out, "security.protocol", NULL);
    has(out, "x", NULL);
    json_decref(out);
    out = tg_client_config_dlq_producer(&scope, &err);
    has(out, "client.id", "connector-dlq-producer-src-3");
    has(out, "linger.ms", "7");
    json_decref(out);
    out = tg_client_config_dlq_admin(&scope, &err);
    has(out, "client.id", "connector-dlq-adminclient-src-3");
    json_decref(out);
    /* the embedded broker: address and acknowledgements are not negotiable */
    json_object_set_new(config, "producer.override.bootstrap.servers",
                        json_string("elsewhere:1"));
    scope.embedded = "127.0.0.1:5";
    out = tg_client_config_producer(&scope, &err);
    has(out, "bootstrap.servers", "127.0.0.1:5");
    has(out, "acks", "all");
    json_decref(out);
    json_decref(worker);
    json_decref(config);
}

static void test_consumer(void **state)
{
    json_t *worker = object("{\"consumer.max.poll.records\":\"10\"}");
    json_t *config = object("{\"consumer.override.group.id\":\"mine\"}");
    json_t *none = json_object();
    tg_client_scope scope = {worker, config, "snk", 0, NULL};
    tg_err err = {0};
    json_t *out = tg_client_config_consumer(&scope, &err);
    char *group = tg_client_config_group(&scope);
    (void)state;

    has(out, "bootstrap.servers", "localhost:9092");
    has(out, "group.id", "mine");
    assert_string_equal(group, "mine");
    has(out, "auto.offset.reset", "earliest");
    has(out, "enable.auto.commit", "false");
    has(out, "isolation.level", "read_uncommitted");
    has(out, "max.poll.records", "10");
    has(out, "client.id", "connector-consumer-snk-0");
    json_decref(out);
    tg_free(group);
    scope.config = none;
    out = tg_client_config_consumer(&scope, &err);
    has(out, "group.id", "connect-snk");
    json_decref(out);
    json_decref(worker);
    json_decref(config);
    json_decref(none);
}

static void test_admin(void **state)
{
    json_t *worker =
        object("{\"bootstrap.servers\":\"a:1\",\"security.protocol\":\"SSL\","
               "\"key.converter\":\"x\",\"producer.acks\":\"1\","
               "\"admin.retries\":\"4\",\"offset.flush.interval.ms\":\"5\"}");
    json_t *config = object("{\"admin.override.retries\":\"6\"}");
    tg_client_scope scope = {worker, config, "src", 0, NULL};
    tg_err err = {0};
    json_t *out = tg_client_config_admin(&scope, &err);
    (void)state;

    has(out, "security.protocol", "SSL");
    has(out, "retries", "6");
    has(out, "key.converter", NULL);
    has(out, "offset.flush.interval.ms", NULL);
    has(out, "producer.acks", NULL);
    json_decref(out);
    json_decref(worker);
    json_decref(config);
}

static void test_policy(void **state)
{
    json_t *worker =
        object("{\"connector.client.config.override.policy\":\"None\"}");
    json_t *config = object("{\"producer.override.linger.ms\":\"7\"}");
    json_t *sasl = object("{\"producer.override.sasl.mechanism\":\"PLAIN\"}");
    tg_client_scope scope = {worker, config, "src", 0, NULL};
    tg_err err = {0};
    json_t *out;
    (void)state;

    assert_null(tg_client_config_producer(&scope, &err));
    assert_int_equal(err.code, TG_ERR_CONFIG);
    assert_has(err.text, "producer.override.linger.ms");
    assert_has(err.text, "'None' policy does not allow 'linger.ms'");
    json_object_set_new(
        worker, "connector.client.config.override.policy",
        json_string("org.apache.kafka.connect.connector.policy."
                    "PrincipalConnectorClientConfigOverridePolicy"));
    assert_null(tg_client_config_producer(&scope, &err));
    scope.config = sasl;
    out = tg_client_config_producer(&scope, &err);
    has(out, "sasl.mechanism", "PLAIN");
    json_decref(out);
    json_decref(worker);
    json_decref(config);
    json_decref(sasl);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_producer),
        cmocka_unit_test(test_consumer),
        cmocka_unit_test(test_admin),
        cmocka_unit_test(test_policy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
