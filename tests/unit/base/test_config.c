/* Typed reads, connector files, "did you mean". */
#include "unit.h"
#include "base/config.h"
#include "base/file.h"
#include <stdio.h>

static json_t *object(const char *text)
{
    json_t *json = json_loads(text, 0, NULL);

    assert_non_null(json);
    return json;
}

static void int_is(const char *text, int64_t want)
{
    json_t *config = json_pack("{s:s}", "k", text);
    tg_err err = {0};
    int64_t v = 0;

    if (tg_config_int(config, "k", 1, INT64_MIN, INT64_MAX, &v, &err) != TG_OK)
        fail_msg("%s", err.text);
    assert_true(v == want);
    json_decref(config);
}

static void int_fails(const char *text, int64_t min, int64_t max,
                      const char *want)
{
    json_t *config = json_pack("{s:s}", "tasks.max", text);
    tg_err err = {0};
    int64_t v = 77;

    assert_int_equal(tg_config_int(config, "tasks.max", 1, min, max, &v, &err),
                     TG_ERR_CONFIG);
    assert_string_equal(err.text, want);
    assert_int_equal(v, 77);
    json_decref(config);
}

static void integers(void **state)
{
    json_t *config = object("{\"n\":null}");
    int64_t v = 0;

    (void)state;
    int_is("5", 5);
    int_is(" +5\t", 5);
    int_is("-0", 0);
    int_is("007", 7);
    int_is("9223372036854775807", INT64_MAX);
    int_is("-9223372036854775808", INT64_MIN);
    int_fails("two", 1, INT64_MAX,
              "tasks.max is \"two\", but must be an integer of at least 1");
    int_fails("0", 1, INT64_MAX,
              "tasks.max is \"0\", but must be an integer of at least 1");
    int_fails("11", 1, 10,
              "tasks.max is \"11\", but must be an integer from 1 to 10");
    int_fails("9223372036854775808", INT64_MIN, INT64_MAX,
              "tasks.max is \"9223372036854775808\", but must be an integer");
    int_fails("-9223372036854775809", INT64_MIN, INT64_MAX,
              "tasks.max is \"-9223372036854775809\", but must be an integer");
    int_fails("99999999999999999999999", INT64_MIN, 5,
              "tasks.max is \"99999999999999999999999\", but must be an "
              "integer of at most 5");
    int_fails("", 1, 10,
              "tasks.max is \"\", but must be an integer from 1 to "
              "10");
    int_fails("+", 1, 10,
              "tasks.max is \"+\", but must be an integer from 1 "
              "to 10");
    int_fails("1_0", 1, 10,
              "tasks.max is \"1_0\", but must be an integer from "
              "1 to 10");
    int_fails("0x1", 1, 10,
              "tasks.max is \"0x1\", but must be an integer from "
              "1 to 10");
    int_fails("1.0", 1, 10,
              "tasks.max is \"1.0\", but must be an integer from "
              "1 to 10");
    /* The default need not be within the bounds. */
    assert_int_equal(tg_config_int(config, "k", -1, 1, 10, &v, NULL), TG_OK);
    assert_int_equal(v, -1);
    assert_int_equal(tg_config_int(config, "n", 4, 1, 10, &v, NULL), TG_OK);
    assert_int_equal(v, 4);
    json_decref(config);
}

static void booleans(void **state)
{
    json_t *config = object("{\"t\":\" TRUE \",\"f\":\"False\",\"y\":\"yes\","
                            "\"e\":\"\",\"n\":\"1\"}");
    tg_err err = {0};
    bool v = false;

    (void)state;
    assert_int_equal(tg_config_bool(config, "t", false, &v, &err), TG_OK);
    assert_true(v);
    assert_int_equal(tg_config_bool(config, "f", true, &v, &err), TG_OK);
    assert_false(v);
    assert_int_equal(tg_config_bool(config, "absent", true, &v, &err), TG_OK);
    assert_true(v);
    assert_int_equal(tg_config_bool(config, "y", false, &v, &err),
                     TG_ERR_CONFIG);
    assert_string_equal(err.text, "y is \"yes\", but must be true or false");
    assert_int_equal(tg_config_bool(config, "e", false, &v, NULL),
                     TG_ERR_CONFIG);
    assert_int_equal(tg_config_bool(config, "n", false, &v, NULL),
                     TG_ERR_CONFIG);
    json_decref(config);
}

static void list_is(const char *text, const char *want)
{
    json_t *config = json_pack("{s:s}", "k", text);
    json_t *list = tg_config_list(config, "k");
    char *json = json_dumps(list, JSON_COMPACT);

    assert_string_equal(json, want);
    free(json);
    json_decref(list);
    json_decref(config);
}

static void lists(void **state)
{
    json_t *config = json_object();
    json_t *list = tg_config_list(config, "k");

    (void)state;
    assert_int_equal(json_array_size(list), 0);
    json_decref(list);
    json_decref(config);
    list_is("", "[]");
    list_is("  ", "[]");
    list_is("a", "[\"a\"]");
    list_is(" a , b\t,\nc ", "[\"a\",\"b\",\"c\"]");
    list_is("a,,b", "[\"a\",\"\",\"b\"]");
    list_is(",", "[\"\",\"\"]");
    list_is("a b, c", "[\"a b\",\"c\"]");
}

static void prefixes(void **state)
{
    json_t *config = object("{\"producer.acks\":\"1\",\"producer.\":\"x\","
                            "\"producer\":\"y\",\"producer.b.c\":\"2\"}");
    json_t *sub = tg_config_prefixed(config, "producer.");
    char *json = json_dumps(sub, JSON_COMPACT);

    (void)state;
    assert_string_equal(json, "{\"acks\":\"1\",\"b.c\":\"2\"}");
    free(json);
    json_decref(sub);
    json_decref(config);
}

static char *write_file(const char *name, const char *text)
{
    char *path = tg_sprintf("%s/%s", getenv("TEST_DIR"), name);
    tg_err err;

    if (tg_file_replace(path, text, strlen(text), &err) != TG_OK)
        fail_msg("%s", err.text);
    return path;
}

static void file_is(const char *name, const char *text, const char *want)
{
    char *path = write_file(name, text);
    tg_err err = {0};
    json_t *got = tg_connector_file_load(path, &err);
    char *json;

    if (!got)
        fail_msg("%s", err.text);
    json = json_dumps(got, JSON_COMPACT);
    assert_string_equal(json, want);
    free(json);
    json_decref(got);
    unlink(path);
    tg_free(path);
}

static void file_fails(const char *name, const char *text, const char *want)
{
    char *path = write_file(name, text);
    tg_err err = {0};

    assert_null(tg_connector_file_load(path, &err));
    assert_int_equal(err.code, TG_ERR_CONFIG);
    assert_memory_equal(err.text, path, strlen(path));
    assert_has(err.text, want);
    unlink(path);
    tg_free(path);
}

static void connector_files(void **state)
{
    (void)state;
    file_is("a.properties", "name=a\nfile=x",
            "{\"name\":\"a\",\"config\":{\"name\":\"a\",\"file\":\"x\"}}");
    file_is("a.json", "{\"name\":\"a\",\"n\":1.10,\"b\":true,\"i\":-7}",
            "{\"name\":\"a\",\"config\":{\"name\":\"a\",\"n\":\"1.10\","
            "\"b\":\"true\",\"i\":\"-7\"}}");
    file_is("b.json",
            " \n{\"name\":\"b\",\"x\":[],\"initial_state\":\"paused\","
            "\"config\":{\"k\":12345678901234567890123,\"e\":1e999,"
            "\"s\":\"a\\\"1\\\\\"}}",
            "{\"name\":\"b\",\"config\":{\"k\":\"12345678901234567890123\","
            "\"e\":\"1e999\",\"s\":\"a\\\"1\\\\\",\"name\":\"b\"},"
            "\"initial_state\":\"PAUSED\"}");
    file_is("s.json",
            "{\"name\":\"s1\",\"k2\":\"3 x\\\" 4\",\"-5\":\"\\\\\",\"6\":7}",
            "{\"name\":\"s1\",\"config\":{\"name\":\"s1\","
            "\"k2\":\"3 x\\\" 4\",\"-5\":\"\\\\\",\"6\":\"7\"}}");
    file_is("c.json", "{\"config\":{\"name\":\"c\"},\"initial_state\":null}",
            "{\"name\":\"c\",\"config\":{\"name\":\"c\"}}");
    /* The flat form may have a key of its own called config. */
    file_is("d.json", "{\"name\":\"d\",\"config\":\"x\"}",
            "{\"name\":\"d\",\"config\":{\"name\":\"d\",\"config\":\"x\"}}");
}

static void bad_connector_files(void **state)
{
    (void)state;
    file_fails("a.properties", "file=x", ": name is missing");
    file_fails("a.properties", "name=\nfile=x", ": name is missing");
    file_fails("a.properties", "name=a\n\nx=\\u00", "a.properties:3: ");
    file_fails("a.json", "{\"a\":\"b\"}", ": name is missing");
    file_fails("a.json", "{\"name\":\"a\",\n\"b\":}",
               "a.json:2:5: invalid JSON");
    file_fails("a.json", "{\"name\":\"a\",\"k\":null}",
               ": k is null: Null value can not be supplied as the "
               "configuration value.");
    file_fails("a.json", "{\"name\":\"a\",\"config\":{\"k\":null}}",
               ": k is null: Null value");
    file_fails("a.json", "{\"name\":\"a\",\"k\":[1]}", ": k is an array, but");
    file_fails("a.json", "{\"name\":\"a\",\"config\":{\"k\":{}}}",
               ": k is an object, but");
    file_fails("a.json", "{\"name\":\"a\",\"config\":{\"name\":\"b\"}}",
               "name is \"a\", but \"config\" says name is \"b\"");
    file_fails("a.json",
               "{\"name\":\"a\",\"config\":{},\"initial_state\":\"up\"}",
               "initial_state is \"up\", but must be RUNNING, PAUSED or "
               "STOPPED");
    file_fails("a.json", "{\"name\":\"a\"} x", "invalid JSON");
    file_fails("a.json", "{\"name\":\"a\",\"k\":\"\\u0000\"}", "invalid JSON");
}

static void near(const char *word, const char *want)
{
    static const char list[] =
        "[\"topic.prefix\",\"tasks.max\",\"file\",\"batch.size\","
        "\"org.apache.kafka.connect.transforms.InsertField$Value\","
        "\"org.apache.kafka.connect.transforms.InsertField$Key\","
        "\"org.apache.kafka.connect.file.FileStreamSourceConnector\"]";
    json_t *candidates = object(list);
    const char *got = tg_nearest(word, candidates);

    if (!want && got)
        fail_msg("%s: %s", word, got);
    if (want && (!got || !strstr(got, want)))
        fail_msg("%s: %s instead of %s", word, got ? got : "nothing", want);
    json_decref(candidates);
}

static void nearest(void **state)
{
    (void)state;
    near("task.max", "tasks.max");
    near("TASKS.MAX", "tasks.max");
    near("taks.smax", "tasks.max");
    near("flie", "file");
    near("bacth.size", "batch.size");
    near("InsertFeild$Value", "InsertField$Value");
    near("org.apache.kafka.connect.transform.InsertField$Key",
         "InsertField$Key");
    near("com.example.InsertField$Value", "InsertField$Value");
    near("FileStreamSorceConnector", "FileStreamSourceConnector");
    near("xyzzy", NULL);
    near("", NULL);
    near("x", NULL);
    near("completely.different.name.of.something", NULL);
}

static void nearest_long_words(void **state)
{
    json_t *candidates = json_array();
    char word[1000];

    (void)state;
    memset(word, 'a', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    json_array_append_new(candidates, json_string(word));
    json_array_append_new(candidates, json_integer(5));
    word[500] = 'b';
    assert_null(tg_nearest(word, candidates));
    assert_null(tg_nearest("a", candidates));
    json_decref(candidates);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers),
        cmocka_unit_test(booleans),
        cmocka_unit_test(lists),
        cmocka_unit_test(prefixes),
        cmocka_unit_test(connector_files),
        cmocka_unit_test(bad_connector_files),
        cmocka_unit_test(nearest),
        cmocka_unit_test(nearest_long_words),
    };
    char dir[] = "/tmp/tidegate-test-XXXXXX";
    int failed;

    if (!mkdtemp(dir))
        return 1;
    setenv("TEST_DIR", dir, 1);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(dir);
    return failed;
}
