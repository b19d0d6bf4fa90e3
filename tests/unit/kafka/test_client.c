/* The client map: Java names, values that differ, security, defaults, and the
 * sentences about what cannot be used. */
#include "kafka/client.h"
#include "base/config.h"
#include "kafka/consumer_priv.h"
#include "base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static json_t *warnings;

static json_t *map(int kind, const char *json, tg_err *err)
{
    json_t *config = json_loads(json, 0, NULL), *out;

    assert_non_null(config);
    if (!json_object_get(config, "bootstrap.servers"))
        json_object_set_new(config, "bootstrap.servers",
                            json_string("127.0.0.1:1"));
    json_decref(warnings);
    warnings = json_array();
    tg_err_clear(err);
    out = tg_client_map(config, kind, warnings, err);
    json_decref(config);
    return out;
}

/* Maps one setting and compares one result; NULL: it must not be there. */
static void expect(int kind, const char *json, const char *rk,
                   const char *value)
{
    tg_err err;
    json_t *out = map(kind, json, &err);

    if (!out)
        fail_msg("%s: %s", json, err.text);
    if (value)
        assert_string_equal(tg_config_get(out, rk, "(absent)"), value);
    else
        assert_null(json_object_get(out, rk));
    json_decref(out);
}

static void expect_error(int kind, const char *json, const char *part)
{
    tg_err err;
    json_t *out = map(kind, json, &err);

    assert_null(out);
    assert_int_equal(err.code, TG_ERR_CONFIG);
    if (!strstr(err.text, part))
        fail_msg("\"%s\" is not in: %s", part, err.text);
}

static void expect_warning(int kind, const char *json, const char *part)
{
    tg_err err;
    json_t *out = map(kind, json, &err), *warning;
    size_t i;

    assert_non_null(out);
    json_decref(out);
    json_array_foreach(warnings, i, warning)
    {
        if (strstr(json_string_value(warning), part))
            return;
    }
    fail_msg("no warning with \"%s\"; the first is: %s", part,
             json_array_size(warnings)
                 ? json_string_value(json_array_get(warnings, 0))
                 : "(none)");
}

static void expect_silent(int kind, const char *json)
{
    tg_err err;
    json_t *out = map(kind, json, &err);

    if (!out)
        fail_msg("%s", err.text);
    json_decref(out);
    if (json_array_size(warnings))
        fail_msg("%s", json_string_value(json_array_get(warnings, 0)));
}

enum { P = TG_CLIENT_PRODUCER, C = TG_CLIENT_CONSUMER, A = TG_CLIENT_ADMIN };

static void test_producer_names(void **state)
{
    static const char *const rows[][3] = {
        {"{\"acks\":\"1\"}", "acks", "1"},
        {"{\"acks\":\"All\"}", "acks", "all"},
        {"{\"linger.ms\":\"7\"}", "linger.ms", "7"},
        {"{\"queue.buffering.max.ms\":\"7\"}", "linger.ms", "7"},
        {"{\"batch.size\":\"16384\"}", "batch.size", "16384"},
        {"{\"compression.type\":\"LZ4\"}", "compression.codec", "lz4"},
        {"{\"compression.codec\":\"zstd\"}", "compression.codec", "zstd"},
        {"{\"compression.type\":\"zstd\",\"compression.zstd.level\":\"5\"}",
         "compression.level", "5"},
        {"{\"compression.type\":\"gzip\",\"compression.zstd.level\":\"5\"}",
         "compression.level", NULL},
        {"{\"max.request.size\":\"5242880\"}", "message.max.bytes", "5242880"},
        {"{\"max.request.size\":\"10\"}", "message.max.bytes", "1000"},
        {"{\"buffer.memory\":\"67108864\"}", "queue.buffering.max.kbytes",
         "65536"},
        {"{\"delivery.timeout.ms\":\"2147483647\"}", "message.timeout.ms", "0"},
        {"{\"delivery.timeout.ms\":\"120000\"}", "message.timeout.ms",
         "120000"},
        {"{\"delivery.timeout.ms\":\"1\",\"message.timeout.ms\":\"5\"}",
         "message.timeout.ms", "5"},
        {"{\"request.timeout.ms\":\"40000\"}", "request.timeout.ms", "40000"},
        {"{\"enable.idempotence\":\"true\"}", "enable.idempotence", "true"},
        {"{\"transactional.id\":\"t-1\"}", "transactional.id", "t-1"},
        {"{\"transactional.id\":\"t-1\"}", "message.timeout.ms", NULL},
        {"{\"client.id\":\"connector-producer-a-0\"}", "client.id",
         "connector-producer-a-0"},
        {"{\"retries\":\"3\"}", "message.send.max.retries", "3"},
        {"{\"send.buffer.bytes\":\"-1\"}", "socket.send.buffer.bytes", "0"},
        {"{\"receive.buffer.bytes\":\"32768\"}", "socket.receive.buffer.bytes",
         "32768"},
        {"{\"connections.max.idle.ms\":\"-1\"}", "connections.max.idle.ms",
         "0"},
        {"{\"metadata.max.age.ms\":\"300000\"}",
         "topic.metadata.refresh.interval.ms", "300000"},
        {"{\"linger.ms\":\" 9 \"}", "linger.ms", "9"},
        {"{\"socket.timeout.ms\":\"1234\"}", "socket.timeout.ms", "1234"},
        {"{\"group.id\":\"g\"}", "group.id", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect(P, rows[i][0], rows[i][1], rows[i][2]);
}

static void test_consumer_names(void **state)
{
    static const char *const rows[][3] = {
        {"{\"fetch.max.wait.ms\":\"100\"}", "fetch.wait.max.ms", "100"},
        {"{\"fetch.wait.max.ms\":\"50\",\"fetch.max.wait.ms\":\"100\"}",
         "fetch.wait.max.ms", "50"},
        {"{\"fetch.min.bytes\":\"2\"}", "fetch.min.bytes", "2"},
        {"{\"max.partition.fetch.bytes\":\"4096\"}",
         "max.partition.fetch.bytes", "4096"},
        {"{\"auto.offset.reset\":\"none\"}", "auto.offset.reset", "error"},
        {"{\"auto.offset.reset\":\"latest\"}", "auto.offset.reset", "latest"},
        {"{\"isolation.level\":\"READ_COMMITTED\"}", "isolation.level",
         "read_committed"},
        {"{\"request.timeout.ms\":\"30000\"}", "socket.timeout.ms", "30000"},
        {"{\"partition.assignment.strategy\":"
         "\"org.apache.kafka.clients.consumer.RangeAssignor,"
         "org.apache.kafka.clients.consumer.CooperativeStickyAssignor\"}",
         "partition.assignment.strategy", "range"},
        {"{\"partition.assignment.strategy\":"
         "\"org.apache.kafka.clients.consumer.CooperativeStickyAssignor\"}",
         "partition.assignment.strategy", "cooperative-sticky"},
        {"{\"partition.assignment.strategy\":\"roundrobin, range\"}",
         "partition.assignment.strategy", "roundrobin,range"},
        {"{\"session.timeout.ms\":\"6000\"}", "session.timeout.ms", "6000"},
        {"{\"group.instance.id\":\"i1\"}", "group.instance.id", "i1"},
        {"{\"enable.auto.commit\":\"true\"}", "enable.auto.commit", "false"},
        {"{\"group.protocol\":\"classic\"}", "acks", NULL},
        {"{\"acks\":\"all\"}", "acks", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect(C, rows[i][0], rows[i][1], rows[i][2]);
}

static void test_defaults(void **state)
{
    static const char *const producer[][2] = {
        {"acks", "all"},
        {"max.in.flight.requests.per.connection", "1"},
        {"enable.idempotence", "true"},
        {"batch.num.messages", "5000"},
        {"message.timeout.ms", "0"},
        {"partitioner", "murmur2_random"},
        {"queue.buffering.max.messages", "20000"},
        {"message.max.bytes", "1048576"},
        {"reconnect.backoff.max.ms", "1000"}};
    static const char *const consumer[][2] = {
        {"partition.assignment.strategy", "range"},
        {"isolation.level", "read_uncommitted"},
        {"auto.offset.reset", "earliest"},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"queued.min.messages", "30000"},
        {"allow.auto.create.topics", "true"},
        {"reconnect.backoff.max.ms", "1000"}};

    (void)state;
    for (size_t i = 0; i < sizeof producer / sizeof *producer; i++)
        expect(P, "{}", producer[i][0], producer[i][1]);
    for (size_t i = 0; i < sizeof consumer / sizeof *consumer; i++)
        expect(C, "{}", consumer[i][0], consumer[i][1]);
    expect(A, "{}", "allow.auto.create.topics", "false");
    expect(P, "{\"max.request.size\":\"100000000\"}",
           "queue.buffering.max.kbytes", "195313");
    expect_warning(P,
                   "{\"max.request.size\":\"100000000\","
                   "\"buffer.memory\":\"1000000\"}",
                   "buffer.memory is raised");
}

static void test_silent(void **state)
{
    (void)state;
    expect_silent(
        P,
        "{\"key.serializer\":\"x.ByteArraySerializer\","
        "\"value.serializer\":\"x\",\"max.block.ms\":\"9223372036854775807\","
        "\"metric.reporters\":\"\",\"metrics.num.samples\":\"2\","
        "\"client.dns.lookup\":\"use_all_dns_ips\","
        "\"acks\":\"all\",\"max.in.flight.requests.per.connection\":\"1\","
        "\"partitioner.ignore.keys\":\"false\"}");
    expect_silent(C, "{\"key.deserializer\":\"x\",\"max.poll.records\":\"500\","
                     "\"group.id\":\"g\",\"auto.offset.reset\":\"earliest\","
                     "\"enable.auto.commit\":\"false\"}");
    /* A whole worker configuration, as admin clients get it. */
    expect_silent(
        A,
        "{\"key.converter\":\"org.apache.kafka.connect.json.JsonConverter\","
        "\"key.converter.schemas.enable\":\"true\","
        "\"offset.storage.file.filename\":\"/x\","
        "\"offset.flush.interval.ms\":\"10000\",\"plugin.path\":\"/y\","
        "\"listeners\":\"http://:8083\",\"rest.advertised.port\":\"1\","
        "\"group.id\":\"connect-cluster\",\"config.storage.topic\":\"c\","
        "\"producer.acks\":\"1\",\"task.shutdown.graceful.timeout.ms\":\"1\"}");
}

static void test_unknown(void **state)
{
    (void)state;
    expect_warning(P, "{\"linger.mss\":\"5\"}", "did you mean linger.ms?");
    expect_warning(P, "{\"zzzzzzzzzzzzzzzzzzzzzzzz\":\"5\"}",
                   "zzzzzzzzzzzzzzzzzzzzzzzz is unknown and ignored");
    expect_warning(P, "{\"interceptor.classes\":\"com.x.Y\"}", "Java classes");
    expect_warning(P, "{\"partitioner.class\":\"com.x.Y\"}", "partitioners");
    expect_warning(C, "{\"enable.auto.commit\":\"true\"}", "is ignored");
    expect_warning(C, "{\"partition.assignment.strategy\":\"com.x.Mine\"}",
                   "com.x.Mine is ignored");
}

static void test_bad_values(void **state)
{
    (void)state;
    expect_error(P, "{\"linger.ms\":\"soon\"}", "linger.ms=soon");
    expect_error(P, "{\"buffer.memory\":\"32m\"}", "whole number");
    expect_error(P, "{\"acks\":\"most\"}", "acks=most");
    expect_error(P, "{\"compression.type\":\"rar\"}", "compression.type=rar");
    expect_error(P, "{\"bootstrap.servers\":\"\"}",
                 "bootstrap.servers is not set");
    expect_error(C, "{\"auto.offset.reset\":\"by_duration:PT1H\"}",
                 "earliest, latest or none");
    expect_error(C, "{\"security.protocol\":\"TLS\"}", "SASL_SSL");
}

static void test_sasl(void **state)
{
    tg_err err;
    json_t *out;

    (void)state;
    out = map(P,
              "{\"security.protocol\":\"SASL_SSL\","
              "\"sasl.mechanism\":\"SCRAM-SHA-512\",\"sasl.jaas.config\":"
              "\"org.apache.kafka.common.security.scram.ScramLoginModule "
              "required username=\\\"al ice\\\" password='p\\\\'w;=x' ;\"}",
              &err);
    if (!out)
        fail_msg("%s", err.text);
    assert_string_equal(tg_config_get(out, "security.protocol", ""),
                        "sasl_ssl");
    assert_string_equal(tg_config_get(out, "sasl.mechanisms", ""),
                        "SCRAM-SHA-512");
    assert_string_equal(tg_config_get(out, "sasl.username", ""), "al ice");
    assert_string_equal(tg_config_get(out, "sasl.password", ""), "p'w;=x");
    json_decref(out);

    expect(P,
           "{\"security.protocol\":\"SASL_PLAINTEXT\","
           "\"sasl.mechanism\":\"PLAIN\",\"sasl.jaas.config\":"
           "\"org.apache.kafka.common.security.plain.PlainLoginModule required "
           "username=u password=\\\"p\\\";\"}",
           "sasl.username", "u");
    expect_error(P,
                 "{\"security.protocol\":\"SASL_PLAINTEXT\","
                 "\"sasl.jaas.config\":\"x.PlainLoginModule required "
                 "username=u;\"}",
                 "password=");
    expect_error(P,
                 "{\"security.protocol\":\"SASL_PLAINTEXT\","
                 "\"sasl.jaas.config\":\"com.x.MyLoginModule required;\"}",
                 "com.x.MyLoginModule is unknown");
    expect(P,
           "{\"security.protocol\":\"SASL_PLAINTEXT\","
           "\"sasl.mechanism\":\"GSSAPI\",\"sasl.jaas.config\":"
           "\"com.sun.security.auth.module.Krb5LoginModule required "
           "useKeyTab=true keyTab=\\\"/e/k.keytab\\\" "
           "principal=\\\"c@R\\\";\"}",
           "sasl.kerberos.keytab", "/e/k.keytab");
    /* librdkafka may be built without OIDC; then it says so. */
    out = map(P,
              "{\"security.protocol\":\"SASL_SSL\","
              "\"sasl.mechanism\":\"OAUTHBEARER\","
              "\"sasl.oauthbearer.token.endpoint.url\":\"https://i/t\","
              "\"sasl.jaas.config\":\"x.OAuthBearerLoginModule required "
              "clientId='c' clientSecret='s';\"}",
              &err);
    if (out)
        assert_string_equal(tg_config_get(out, "sasl.oauthbearer.method", ""),
                            "oidc");
    else
        assert_non_null(strstr(err.text, "OIDC"));
    json_decref(out);
}

static void test_tls(void **state)
{
    (void)state;
    expect(P,
           "{\"security.protocol\":\"SSL\",\"ssl.truststore.type\":\"PEM\","
           "\"ssl.truststore.location\":\"/e/ca.pem\"}",
           "ssl.ca.location", "/e/ca.pem");
    expect(P,
           "{\"security.protocol\":\"SSL\",\"ssl.keystore.type\":\"PEM\","
           "\"ssl.keystore.location\":\"/e/me.pem\"}",
           "ssl.certificate.location", "/e/me.pem");
    expect(P,
           "{\"security.protocol\":\"SSL\",\"ssl.keystore.type\":\"PKCS12\","
           "\"ssl.keystore.location\":\"/e/me.p12\","
           "\"ssl.keystore.password\":\"x\"}",
           "ssl.keystore.location", "/e/me.p12");
    expect(P,
           "{\"security.protocol\":\"SSL\","
           "\"ssl.endpoint.identification.algorithm\":\"\"}",
           "ssl.endpoint.identification.algorithm", "none");
    expect_error(P,
                 "{\"security.protocol\":\"SSL\","
                 "\"ssl.truststore.location\":\"/e/trust.jks\"}",
                 "keytool -exportcert");
    expect_error(P,
                 "{\"security.protocol\":\"SSL\","
                 "\"ssl.keystore.location\":\"/e/key.jks\"}",
                 "keytool -importkeystore");
    /* Without TLS the stores are not looked at. */
    expect_silent(P, "{\"ssl.truststore.location\":\"/e/trust.jks\"}");
}

static void regex(const char *java, const char *posix)
{
    tg_err err;
    char *text;

    tg_err_clear(&err);
    text = tg__regex_posix(java, &err);
    if (posix) {
        if (!text)
            fail_msg("%s: %s", java, err.text);
        assert_string_equal(text, posix);
    } else {
        assert_null(text);
        assert_non_null(strstr(err.text, "topics.regex="));
    }
    tg_free(text);
}

static void test_regex(void **state)
{
    (void)state;
    regex("orders-.*", "^(orders-.*)$");
    regex("a|b", "^(a|b)$");
    regex("(?:a|b)\\.c", "^((a|b)\\.c)$");
    regex("t\\d+", "^(t[0-9]+)$");
    regex("t\\D", "^(t[^0-9])$");
    regex("[\\w.-]+?", "^([A-Za-z0-9_.-]+)$");
    regex("[a\\-z]", "^([az-])$");
    regex("[^\\].]", "^([^].])$");
    regex("\\Qx", NULL);
    regex("(?!x).*", NULL);
    regex("(?i)abc", NULL);
    regex("a++", NULL);
    regex("[a-z&&[x]]", NULL);
    regex("[a", NULL);
    regex("(a", NULL);
    regex("a\\", NULL);
}

static void test_version(void **state)
{
    (void)state;
    assert_true(strlen(tg_kafka_version()) >= 5);
}

static int clean(void **state)
{
    (void)state;
    json_decref(warnings);
    warnings = NULL;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_producer_names),
        cmocka_unit_test(test_consumer_names),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_silent),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_sasl),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_regex),
        cmocka_unit_test(test_version),
    };

    return cmocka_run_group_tests(tests, NULL, clean);
}
