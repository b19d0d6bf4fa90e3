/*
 * The registry client against a registry in a thread: what it asks, what it
 * remembers, and what it says when the answer is no.
 */
#include "registry/registry.h"
#include "base/config.h"
#include "registry/fake_registry.h"
#include <time.h>

static fake_registry *fake;

/* Settings with the fake's URL; the rest as "a=b" up to NULL. */
static json_t *settings(const char *const *more)
{
    json_t *config =
        json_pack("{s:s,s:s,s:s}", "schema.registry.url", fake->url,
                  "retries.wait.ms", "1", "max.retries", "1");
    for (; more && *more; more++) {
        const char *eq = strchr(*more, '=');
        char *key = tg_strndup(*more, (size_t)(eq - *more));
        json_object_set_new(config, key, json_string(eq + 1));
        tg_free(key);
    }
    return config;
}

static tg_registry *open_with(const char *const *more)
{
    tg_err err = {0};
    json_t *config = settings(more);
    tg_registry *reg = tg_registry_open(config, "value", &err);
    json_decref(config);
    if (!reg)
        fail_msg("%s", err.text);
    return reg;
}

#define OPEN(...) open_with((const char *const[]){__VA_ARGS__, NULL})

static void refused(const char *setting, const char *part)
{
    tg_err err = {0};
    json_t *config = settings((const char *const[]){setting, NULL});
    assert_null(tg_registry_open(config, "value", &err));
    json_decref(config);
    assert_int_equal(err.code, TG_ERR_CONFIG);
    assert_has(err.text, part);
}

static int setup(void **state)
{
    (void)state;
    fake = fake_start();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_stop(fake);
    return 0;
}

static void fetches_each_id_once(void **state)
{
    (void)state;
    tg_registry *reg = OPEN("a=b");
    int id = fake_put(fake, "t-value", "\"int\"");
    for (int i = 0; i < 3; i++) {
        tg_err err = {0};
        tg_registry_schema *s =
            tg_registry_by_id(reg, id, TG_SCHEMA_AVRO, &err);
        assert_non_null(s);
        assert_string_equal(s->text, "\"int\"");
        assert_int_equal(s->id, id);
    }
    assert_int_equal(fake_requests(fake), 1);
    tg_registry_close(reg);
}

static void unknown_ids_are_asked_once(void **state)
{
    (void)state;
    tg_registry *reg = OPEN("a=b");
    for (int i = 0; i < 3; i++) {
        tg_err err = {0};
        assert_null(tg_registry_by_id(reg, 77, TG_SCHEMA_AVRO, &err));
        assert_int_equal(err.code, TG_ERR_NOTFOUND);
        assert_false(err.retriable);
        assert_has(err.text, "no schema with id 77");
        assert_has(err.text, fake->url);
    }
    assert_int_equal(fake_requests(fake), 1);
    tg_registry_close(reg);
}

static void types_are_compared(void **state)
{
    (void)state;
    tg_registry *reg = OPEN("a=b");
    tg_err err = {0};
    int id = fake_add(fake, "p", "syntax = \"proto3\";", "PROTOBUF", NULL);
    assert_null(tg_registry_by_id(reg, id, TG_SCHEMA_AVRO, &err));
    assert_int_equal(err.code, TG_ERR_DATA);
    assert_has(err.text, "is of type PROTOBUF, but this converter reads AVRO");
    assert_non_null(tg_registry_by_id(reg, id, TG_SCHEMA_PROTOBUF, &err));
    tg_registry_close(reg);
}

static void references_come_with_the_schema(void **state)
{
    (void)state;
    tg_registry *reg = OPEN("a=b");
    tg_err err = {0};
    fake_put(fake, "c", "\"inner\"");
    json_t *c =
        json_pack("[{s:s,s:s,s:i}]", "name", "C", "subject", "c", "version", 1);
    fake_add(fake, "b/x", "\"middle\"", NULL, c);
    json_t *b = json_pack("[{s:s,s:s,s:i},{s:s,s:s,s:i}]", "name", "B",
                          "subject", "b/x", "version", 1, "name", "C",
                          "subject", "c", "version", 1);
    int id = fake_add(fake, "a", "\"outer\"", NULL, b);
    tg_registry_schema *s = tg_registry_by_id(reg, id, TG_SCHEMA_AVRO, &err);
    assert_non_null(s);
    assert_int_equal(s->nrefs, 2);
    assert_string_equal(s->refs[0].name, "B");
    assert_string_equal(s->refs[0].text, "\"middle\"");
    assert_int_equal(s->refs[0].nrefs, 1);
    assert_string_equal(s->refs[0].refs[0].text, "\"inner\"");
    assert_ptr_equal(s->refs[0].refs[0].text, s->refs[1].text);
    assert_int_equal(fake_requests(fake), 3);
    json_decref(b);
    json_decref(c);
    tg_registry_close(reg);
}

static void circular_references_are_refused(void **state)
{
    (void)state;
    tg_registry *reg = OPEN("a=b");
    tg_err err = {0};
    json_t *self =
        json_pack("[{s:s,s:s,s:i}]", "name", "A", "subject", "a", "version", 1);
    int id = fake_add(fake, "a", "\"a\"", NULL, self);
    assert_null(tg_registry_by_id(reg, id, TG_SCHEMA_AVRO, &err));
    assert_int_equal(err.code, TG_ERR_DATA);
    assert_has(err.text, "lead back to it");
    json_decref(self);
    tg_registry_close(reg);
}

static void registers_once_and_counts_versions(void **state)
{
    (void)state;
    tg_registry *reg = OPEN("normalize.schemas=true");
    tg_err err = {0};
    tg_registry_ref ref = {
        .name = "C", .subject = "c", .version = 4, .text = "x"};
    tg_registry_schema *s = tg_registry_for_write(
        reg, "a b/c", TG_SCHEMA_PROTOBUF, "text", &ref, 1, &err);
    assert_non_null(s);
    assert_has(fake->last, "POST /subjects/a%20b%2Fc/versions?normalize=true");
    assert_string_equal(fake->body,
                        "{\"schema\":\"text\",\"schemaType\":\"PROTOBUF\","
                        "\"references\":[{\"name\":\"C\",\"subject\":\"c\","
                        "\"version\":4}]}");
    assert_ptr_equal(s, tg_registry_for_write(reg, "a b/c", TG_SCHEMA_PROTOBUF,
                                              "text", &ref, 1, &err));
    assert_int_equal(fake_requests(fake), 1);
    assert_true(tg_registry_given(reg));
    assert_string_equal(s->text, "text");
    assert_int_equal(tg_registry_version(reg, "a b/c", s, &err), 1);
    assert_int_equal(tg_registry_version(reg, "a b/c", s, &err), 1);
    assert_int_equal(tg_registry_version(reg, "other", s, &err), 0);
    assert_int_equal(tg_registry_version(reg, "other", s, &err), 0);
    assert_int_equal(fake_requests(fake), 3);
    tg_registry_close(reg);
}

static void looks_up_without_registering(void **state)
{
    (void)state;
    tg_registry *reg = OPEN("auto.register.schemas=false");
    tg_err err = {0};
    assert_null(tg_registry_for_write(reg, "s", TG_SCHEMA_AVRO, "\"int\"", NULL,
                                      0, &err));
    assert_int_equal(err.code, TG_ERR_DATA);
    assert_has(err.text, "auto.register.schemas=true");
    assert_string_equal(fake->last, "POST /subjects/s");
    tg_registry_close(reg);
    fake_put(fake, "s", "\"int\"");
    reg = OPEN("auto.register.schemas=false");
    assert_non_null(tg_registry_for_write(reg, "s", TG_SCHEMA_AVRO, "\"int\"",
                                          NULL, 0, &err));
    tg_registry_close(reg);
}

static void newest_version_and_fixed_id(void **state)
{
    (void)state;
    tg_err err = {0};
    int first = fake_put(fake, "s", "\"int\"");
    fake_put(fake, "s", "\"long\"");
    tg_registry *reg =
        OPEN("auto.register.schemas=false", "use.latest.version=true",
             "latest.cache.ttl.sec=0");
    tg_registry_schema *s =
        tg_registry_for_write(reg, "s", TG_SCHEMA_AVRO, "\"x\"", NULL, 0, &err);
    assert_non_null(s);
    assert_string_equal(s->text, "\"long\"");
    assert_false(tg_registry_given(reg));
    assert_true(tg_registry_strict(reg));
    while (tg_registry_fresh(s))
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    fake_put(fake, "s", "\"double\"");
    s = tg_registry_for_write(reg, "s", TG_SCHEMA_AVRO, "\"x\"", NULL, 0, &err);
    assert_string_equal(s->text, "\"double\"");
    tg_registry_close(reg);

    char id[32];
    snprintf(id, sizeof id, "use.schema.id=%d", first);
    reg = OPEN("auto.register.schemas=false", id);
    s = tg_registry_for_write(reg, "s", TG_SCHEMA_AVRO, "\"x\"", NULL, 0, &err);
    assert_string_equal(s->text, "\"int\"");
    tg_registry_close(reg);
}

/* Asked again and again for the same answer: one schema, and with it one of
 * whatever the codec made of it. While there is no answer the one known is
 * used, without a request for each record. */
static void newest_version_that_stays(void **state)
{
    (void)state;
    tg_err err = {0};
    fake_put(fake, "s", "\"long\"");
    tg_registry *reg =
        OPEN("auto.register.schemas=false", "use.latest.version=true",
             "latest.cache.ttl.sec=0", "max.retries=0");
    tg_registry_schema *s =
        tg_registry_for_write(reg, "s", TG_SCHEMA_AVRO, "\"x\"", NULL, 0, &err);
    for (int i = 0; i < 3; i++) {
        while (tg_registry_fresh(s))
            nanosleep(&(struct timespec){0, 1000000}, NULL);
        assert_ptr_equal(tg_registry_for_write(reg, "s", TG_SCHEMA_AVRO,
                                               "\"x\"", NULL, 0, &err),
                         s);
    }
    assert_int_equal(fake->requests, 4);
    while (tg_registry_fresh(s))
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    fake_fail(fake, 1, 500, "{\"error_code\":50001,\"message\":\"no\"}");
    assert_ptr_equal(
        tg_registry_for_write(reg, "s", TG_SCHEMA_AVRO, "\"x\"", NULL, 0, &err),
        s);
    assert_true(tg_registry_fresh(s));
    tg_registry_close(reg);
}

static void refusals_are_shown_and_remembered(void **state)
{
    (void)state;
    tg_registry *reg = OPEN("a=b");
    fake_fail(fake, 1, 409,
              "{\"error_code\":409,\"message\":\"READER_FIELD_MISSING at"
              " /fields/3\"}");
    for (int i = 0; i < 3; i++) {
        tg_err err = {0};
        assert_null(tg_registry_for_write(reg, "s", TG_SCHEMA_AVRO, "\"int\"",
                                          NULL, 0, &err));
        assert_int_equal(err.code, TG_ERR_DATA);
        assert_false(err.retriable);
        assert_has(err.text, "not compatible with what subject s allows:"
                             " READER_FIELD_MISSING at /fields/3");
    }
    assert_int_equal(fake_requests(fake), 1);
    tg_registry_close(reg);
}

static void servers_that_fail_are_asked_again(void **state)
{
    (void)state;
    tg_registry *reg = OPEN("a=b");
    tg_err err = {0};
    int id = fake_put(fake, "s", "\"int\"");
    fake_fail(fake, 1, 503, "{\"error_code\":50003,\"message\":\"leader\"}");
    assert_non_null(tg_registry_by_id(reg, id, TG_SCHEMA_AVRO, &err));
    assert_int_equal(fake_requests(fake), 2);
    fake_fail(fake, 2, 500, "{\"error_code\":50001,\"message\":\"store\"}");
    assert_null(tg_registry_by_id(reg, 5, TG_SCHEMA_AVRO, &err));
    assert_int_equal(err.code, TG_ERR_IO);
    assert_true(err.retriable);
    assert_has(err.text, "HTTP 500: store");
    int before = fake_requests(fake);
    assert_null(tg_registry_by_id(reg, 6, TG_SCHEMA_AVRO, &err));
    assert_true(err.retriable);
    assert_int_equal(fake_requests(fake), before);
    tg_registry_close(reg);
}

static void next_url_takes_over(void **state)
{
    (void)state;
    tg_err err = {0};
    fake_registry *dead = fake_start();
    char *urls =
        tg_sprintf("schema.registry.url=%s , %s/", dead->url, fake->url);
    fake_stop(dead);
    int id = fake_put(fake, "s", "\"int\"");
    tg_registry *reg = OPEN(urls, "max.retries=0");
    assert_non_null(tg_registry_by_id(reg, id, TG_SCHEMA_AVRO, &err));
    tg_registry_close(reg);
    tg_free(urls);
}

static void nobody_answers(void **state)
{
    (void)state;
    tg_err err = {0};
    fake_registry *dead = fake_start();
    char *url = tg_sprintf("schema.registry.url=%s", dead->url);
    fake_stop(dead);
    tg_registry *reg = OPEN(url);
    assert_null(tg_registry_by_id(reg, 1, TG_SCHEMA_AVRO, &err));
    assert_int_equal(err.code, TG_ERR_IO);
    assert_true(err.retriable);
    assert_has(err.text, "no answer from the schema registry at http://127");
    tg_registry_close(reg);
    tg_free(url);
}

static bool stop_now(void)
{
    return true;
}

static void a_task_that_stops_does_not_wait(void **state)
{
    (void)state;
    tg_err err = {0};
    int fd = socket(AF_INET, SOCK_STREAM, 0); /* listens, never answers */
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t len = sizeof a;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 1), 0);
    getsockname(fd, (struct sockaddr *)&a, &len);
    char *url = tg_sprintf("schema.registry.url=http://127.0.0.1:%d",
                           ntohs(a.sin_port));
    tg_registry *reg = OPEN(url, "retries.wait.ms=60000");
    tg_registry_stopping_hook = stop_now;
    assert_null(tg_registry_by_id(reg, 1, TG_SCHEMA_AVRO, &err));
    assert_int_equal(err.code, TG_ERR_STOPPED);
    tg_registry_stopping_hook = NULL;
    tg_registry_close(reg);
    tg_free(url);
    close(fd);
}

static void what_is_no_registry_is_said(void **state)
{
    (void)state;
    tg_registry *reg = OPEN("a=b");
    tg_err err = {0};
    fake_fail(fake, 1, 200, "<html>\nhello");
    assert_null(tg_registry_by_id(reg, 1, TG_SCHEMA_AVRO, &err));
    assert_int_equal(err.code, TG_ERR_IO);
    assert_false(err.retriable);
    assert_has(err.text, "\"<html> hello\", which no schema registry does");
    fake_fail(fake, 1, 404, "<html>");
    assert_null(tg_registry_by_id(reg, 2, TG_SCHEMA_AVRO, &err));
    assert_has(err.text, "/schemas/ids/2 was answered with HTTP 404");
    fake_fail(fake, 1, 200, "{}");
    assert_null(tg_registry_by_id(reg, 3, TG_SCHEMA_AVRO, &err));
    assert_has(err.text, "answers without a schema");
    tg_registry_close(reg);
}

static void rules_are_not_left_out(void **state)
{
    (void)state;
    tg_registry *reg = OPEN("a=b");
    tg_err err = {0};
    fake_fail(fake, 1, 200,
              "{\"schema\":\"x\",\"ruleSet\":{\"domainRules\":[{\"type\":"
              "\"ENCRYPT\"}]}}");
    assert_null(tg_registry_by_id(reg, 1, TG_SCHEMA_AVRO, &err));
    assert_int_equal(err.code, TG_ERR_DATA);
    assert_has(err.text, "the schema has rules");
    tg_registry_close(reg);
}

static void credentials(void **state)
{
    (void)state;
    tg_err err = {0};
    char *url =
        tg_sprintf("schema.registry.url=http://me:p%%40ss@%s", fake->url + 7);
    tg_registry *reg = OPEN(url);
    tg_registry_by_id(reg, 1, TG_SCHEMA_AVRO, &err);
    assert_has(fake->head, "Authorization: Basic bWU6cEBzcw=="); /* me:p@ss */
    tg_registry_close(reg);
    reg = OPEN(url, "basic.auth.credentials.source=USER_INFO",
               "schema.registry.basic.auth.user.info=a:b:c");
    tg_registry_by_id(reg, 1, TG_SCHEMA_AVRO, &err);
    assert_has(fake->head, "Authorization: Basic YTpiOmM="); /* a:b:c */
    tg_registry_close(reg);
    reg = OPEN("basic.auth.credentials.source=SASL_INHERIT",
               "sasl.jaas.config=org.apache.kafka.X required username=\"u\""
               " password=\"p;w\";");
    tg_registry_by_id(reg, 1, TG_SCHEMA_AVRO, &err);
    assert_has(fake->head, "Authorization: Basic dTpwO3c="); /* u:p;w */
    tg_registry_close(reg);
    reg = OPEN("bearer.auth.credentials.source=STATIC_TOKEN",
               "bearer.auth.token=tok", "bearer.auth.logical.cluster=lsrc-1");
    tg_registry_by_id(reg, 1, TG_SCHEMA_AVRO, &err);
    assert_has(fake->head, "Authorization: Bearer tok");
    assert_has(fake->head, "target-sr-cluster: lsrc-1");
    fake_fail(fake, 1, 401, "{\"error_code\":401,\"message\":\"who?\"}");
    assert_null(tg_registry_by_id(reg, 2, TG_SCHEMA_AVRO, &err));
    assert_int_equal(err.code, TG_ERR_IO);
    assert_false(err.retriable);
    assert_has(err.text, "refuses the credentials (HTTP 401: who?)");
    assert_null(strstr(err.text, "tok"));
    tg_registry_close(reg);
    tg_free(url);
}

/* What is wrong with a URL is said without the password in it. */
static void wrong_urls_keep_their_secret(void **state)
{
    static const char *const urls[] = {
        "me:s3cret@host:8081",         "htps://me:s3cret@host:8081",
        "http://me:s3cret@",           "http://me:s3/cret@host:8081",
        "http://me:s3?cret@host:8081", "http://me:@s3cret@/"};
    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        tg_err err = {0};
        json_t *config = json_pack("{s:s}", "schema.registry.url", urls[i]);
        tg_registry *reg = tg_registry_open(config, "value", &err);
        json_decref(config);
        if (reg || err.code != TG_ERR_CONFIG || strstr(err.text, "s3") ||
            strstr(err.text, "cret"))
            fail_msg("%s: %s", urls[i], reg ? "accepted" : err.text);
    }
}

static void wrong_settings_name_their_key(void **state)
{
    (void)state;
    refused("schema.registry.url=", "schema.registry.url is missing");
    refused("schema.registry.url=localhost:8081", "begin with http://");
    refused("schema.registry.url=mock://x", "begin with http://");
    refused("schema.registry.url=http://u@h", "basic.auth.user.info");
    refused("basic.auth.credentials.source=FILE", "USER_INFO");
    refused("basic.auth.credentials.source=USER_INFO", "user:password");
    refused("basic.auth.credentials.source=SASL_INHERIT", "sasl.jaas.config");
    refused("bearer.auth.credentials.source=OAUTHBEARER", "STATIC_TOKEN");
    refused("bearer.auth.credentials.source=STATIC_TOKEN", "bearer.auth.token");
    refused("value.subject.name.strategy=com.x.Mine", "TopicNameStrategy");
    refused("context.name.strategy=com.x.Mine", "NullContextNameStrategy");
    refused("auto.register.schemas=maybe", "auto.register.schemas");
    refused("max.retries=-1", "max.retries");
    refused("http.read.timeout.ms=soon", "http.read.timeout.ms");
    refused("schema.registry.proxy.host=x", "proxy.port");
    refused("schema.registry.ssl.truststore.location=/nowhere/x.pem",
            "ssl.truststore.location");
    refused("schema.registry.ssl.keystore.key=x", "go together");
}

static void java_key_stores_are_refused(void **state)
{
    (void)state;
    char path[] = "/tmp/tg-jks-XXXXXX", setting[128];
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "\xfe\xed\xfe\xed....", 8), 8);
    close(fd);
    snprintf(setting, sizeof setting,
             "schema.registry.ssl.truststore.location=%s", path);
    refused(setting, "keytool -importkeystore");
    unlink(path);
}

static void subjects(void **state)
{
    (void)state;
    static const struct {
        const char *strategy, *record, *subject;
    } all[] = {
        {"io.confluent.kafka.serializers.subject.TopicNameStrategy", "a.R",
         "top-value"},
        {"RecordNameStrategy", "a.R", "a.R"},
        {"io.x.TopicRecordNameStrategy", "a.R", "top-a.R"},
        {"RecordNameStrategy", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        tg_err err = {0};
        tg_buf out = {0};
        char *setting =
            tg_sprintf("value.subject.name.strategy=%s", all[i].strategy);
        tg_registry *reg = OPEN(setting);
        int rc =
            tg_registry_subject(reg, "topic", 3, all[i].record, &out, &err);
        if (all[i].subject) {
            assert_string_equal(tg_buf_cstr(&out), all[i].subject);
        } else {
            assert_int_equal(rc, TG_ERR_DATA);
            assert_has(err.text, "value.subject.name.strategy");
        }
        tg_registry_close(reg);
        tg_buf_fini(&out);
        tg_free(setting);
    }
}

static void settings_are_shared_and_identify(void **state)
{
    (void)state;
    json_t *config = settings(NULL);
    tg_registry *a = tg_registry_open(config, "value", NULL);
    tg_registry *b = tg_registry_open(config, "value", NULL);
    tg_registry *key = tg_registry_open(config, "key", NULL);
    json_object_set_new(config, "normalize.schemas", json_string("true"));
    tg_registry *other = tg_registry_open(config, "value", NULL);
    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, key);
    assert_int_equal(tg_registry_identity(a), tg_registry_identity(key));
    assert_int_not_equal(tg_registry_identity(a), tg_registry_identity(other));
    tg_registry_close(a);
    tg_registry_close(b);
    tg_registry_close(key);
    tg_registry_close(other);
    json_decref(config);
}

static void wire_format(void **state)
{
    (void)state;
    tg_err err = {0};
    char head[5];
    int32_t id = 0;
    tg_registry_write_id(head, 0x01020304);
    assert_memory_equal(head, "\0\1\2\3\4", 5);
    assert_int_equal(tg_registry_read_id(head, 5, &id, &err), 5);
    assert_int_equal(id, 0x01020304);
    assert_int_equal(tg_registry_read_id("\0\0\0\0", 4, &id, &err),
                     TG_ERR_DATA);
    assert_has(err.text, "4 bytes are too few");
    assert_int_equal(tg_registry_read_id("{\"a\":1}", 7, &id, &err),
                     TG_ERR_DATA);
    assert_has(err.text, "begin with 0x7B");
    assert_int_equal(tg_registry_read_id("", 0, &id, &err), TG_ERR_DATA);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(fetches_each_id_once),
        TEST(unknown_ids_are_asked_once),
        TEST(types_are_compared),
        TEST(references_come_with_the_schema),
        TEST(circular_references_are_refused),
        TEST(registers_once_and_counts_versions),
        TEST(looks_up_without_registering),
        TEST(newest_version_and_fixed_id),
        TEST(newest_version_that_stays),
        TEST(refusals_are_shown_and_remembered),
        TEST(servers_that_fail_are_asked_again),
        TEST(next_url_takes_over),
        TEST(nobody_answers),
        TEST(a_task_that_stops_does_not_wait),
        TEST(what_is_no_registry_is_said),
        TEST(rules_are_not_left_out),
        TEST(credentials),
        TEST(wrong_urls_keep_their_secret),
        TEST(wrong_settings_name_their_key),
        TEST(java_key_stores_are_refused),
        TEST(subjects),
        TEST(settings_are_shared_and_identify),
        TEST(wire_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
