/* The registry of converters, String, ByteArray and header converters, and what
 * goes between different ones. */
#include "cells.h"

static tg_batch *batch;

static tg_cell *cell(const tg_converter *conv, const char *text)
{
    return cell_of(batch, conv, text, strlen(text));
}

static void test_names(void **state)
{
    static const char *const names[] = {
        "org.apache.kafka.connect.json.JsonConverter",
        "org.apache.kafka.connect.storage.StringConverter",
        "org.apache.kafka.connect.converters.ByteArrayConverter",
        "JsonConverter",
        "StringConverter",
        "ByteArrayConverter",
        "Json",
        "String",
        "ByteArray"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        tg_converter_free(converter(names[i], "", "value"));
    tg_converter_free(converter("SimpleHeaderConverter", "", "header"));
    json_t *classes = tg_converter_classes();
    assert_true(json_array_size(classes) >= 4);
    json_decref(classes);
    assert_null(tg_converter_named("xml"));
    assert_ptr_equal(tg_converter_named("json"), tg_converter_named("json"));
}

static void expect_refused(const char *name, const char *key, const char *value,
                           const char *role, const char *part)
{
    tg_err err = {0};
    json_t *config = json_object();
    if (key)
        json_object_set_new(config, key, json_string(value));
    assert_null(tg_converter_new(name, config, role, &err));
    assert_int_equal(err.code, TG_ERR_CONFIG);
    assert_has(err.text, part);
    json_decref(config);
}

static void test_refused(void **state)
{
    (void)state;
    expect_refused("JsonConvertor", NULL, NULL, "key",
                   "unknown key converter class \"JsonConvertor\": did you mean"
                   " org.apache.kafka.connect.json.JsonConverter?");
    expect_refused("org.example.AvroConverter", NULL, NULL, "value",
                   "known are StringConverter, ByteArrayConverter");
    expect_refused("Json", "schemas.enable", "yes", "value", "schemas.enable");
    expect_refused("Json", "schemas.cache.size", "x", "value",
                   "schemas.cache.size");
    expect_refused("Json", "decimal.format", "TEXT", "value",
                   "accepted are BASE64 and NUMERIC");
    expect_refused("String", "converter.encoding", "EBCDIC", "value",
                   "converter.encoding is \"EBCDIC\"");
    expect_refused("SimpleHeaderConverter", NULL, NULL, "value",
                   "can only be a header converter");
}

static void test_identities(void **state)
{
    (void)state;
    tg_converter *a = converter("Json", "schemas.enable=false", "key");
    tg_converter *b =
        converter("JsonConverter",
                  "schemas.enable=FALSE,decimal.format=NUMERIC", "value");
    tg_converter *c = converter("Json", "", "value");
    tg_converter *d = converter("Json", "decimal.format=NUMERIC", "value");
    tg_converter *e = converter("Json", "schemas.cache.size=5,x.y=z", "value");
    tg_converter *s = converter("String", "converter.encoding=utf8", "value");
    tg_converter *l = converter("String", "converter.encoding=latin1", "value");
    assert_int_equal(a->identity, b->identity);
    assert_int_equal(a->identity, tg_converter_named("json")->identity);
    assert_int_not_equal(a->identity, c->identity);
    assert_int_not_equal(c->identity, d->identity);
    assert_int_equal(c->identity, e->identity);
    assert_int_equal(s->identity, tg_converter_named("string")->identity);
    assert_int_not_equal(s->identity, l->identity);
    assert_int_not_equal(s->identity, tg_converter_named("bytes")->identity);
    assert_true(a->strict && !s->strict);
    tg_converter *all[] = {a, b, c, d, e, s, l};
    for (int i = 0; i < 7; i++)
        tg_converter_free(all[i]);
}

static void test_string_points_at_raw(void **state)
{
    (void)state;
    const char *text = "any \xff bytes";
    tg_cell *c = cell(tg_converter_named("string"), text);
    decoded(c);
    assert_int_equal(c->value.tag, TG_STR);
    assert_true(c->value.flags & TG_F_NEW);
    assert_ptr_equal(c->value.u.p, text);
    assert_int_equal(c->schema->tag, TG_STR);
    assert_true(c->schema->optional);
}

static void test_encodings(void **state)
{
    (void)state;
    static const struct {
        const char *name, *bytes;
        size_t n;
        const char *text;
    } rows[] = {
        {"ISO-8859-1", "caf\xe9", 4, "caf\xc3\xa9"},
        {"US-ASCII", "abc", 3, "abc"},
        {"UTF-16", "\xfe\xff\0a\x20\xac\xd8\x3d\xde\x00", 10,
         "a\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"UTF-16LE", "a\0\xac\x20", 4, "a\xe2\x82\xac"},
        {"UTF-16BE", "\0a\x20\xac", 4, "a\xe2\x82\xac"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char settings[64];
        snprintf(settings, sizeof settings, "converter.encoding=%s",
                 rows[i].name);
        tg_converter *conv = converter("String", settings, "value");
        tg_cell *c = cell_of(batch, conv, rows[i].bytes, rows[i].n);
        decoded(c);
        assert_int_equal(c->value.len, strlen(rows[i].text));
        assert_memory_equal(c->value.u.p, rows[i].text, c->value.len);
        c->dirty = 1;
        encoded(c, conv);
        assert_int_equal(c->outlen, rows[i].n);
        assert_memory_equal(c->out, rows[i].bytes, rows[i].n);
        c = cell_of(batch, conv, rows[i].bytes, rows[i].n);
        assert_string_equal(encoded(c, tg_converter_named("string")),
                            rows[i].text);
        tg_converter_free(conv);
    }
}

static void test_unmappable(void **state)
{
    (void)state;
    tg_converter *latin =
        converter("String", "converter.encoding=ISO-8859-1", "value");
    tg_cell *c = cell(tg_converter_named("string"), "a\xe2\x82\xac\xc3\xa9");
    assert_string_equal(encoded(c, latin), "a?\xe9");
    tg_converter *utf16 =
        converter("String", "converter.encoding=UTF-16BE", "value");
    c = cell_of(batch, utf16, "\xd8\x00\0a\0", 5);
    assert_string_equal(encoded(c, tg_converter_named("string")),
                        "\xef\xbf\xbd"
                        "a\xef\xbf\xbd");
    tg_converter_free(latin);
    tg_converter_free(utf16);
}

static void test_java_text(void **state)
{
    (void)state;
    const tg_converter *string = tg_converter_named("string");
    const tg_converter *json = tg_converter_named("json");
    assert_string_equal(
        encoded(cell(json, "{\"a\":1,\"b\":\"x\\ny\",\"c\":[1,2.50,null,true],"
                           "\"d\":{\"e\":1e10},\"f\":\"\"}"),
                string),
        "{a=1, b=x\ny, c=[1, 2.5, null, true], d={e=1.0E10}, f=}");
    assert_string_equal(encoded(cell(json, "\"te\\u0041xt\""), string),
                        "teAxt");
    assert_string_equal(encoded(cell(json, "12345678901234567890"), string),
                        "12345678901234567890");
    assert_string_equal(encoded(cell(json, "[]"), string), "[]");
    assert_string_equal(encoded(cell(json, "null"), string), "(null)");
    tg_converter *schemas = converter("Json", "", "value");
    assert_string_equal(
        encoded(cell(schemas,
                     "{\"schema\":{\"type\":\"struct\",\"fields\":[{\"type\":"
                     "\"int32\",\"field\":\"a\"},{\"type\":\"string\","
                     "\"optional\":true,\"field\":\"n\"},{\"type\":\"string\","
                     "\"field\":\"b\"},{\"type\":\"int64\",\"name\":\"org."
                     "apache.kafka.connect.data.Timestamp\",\"field\":\"t\"}]},"
                     "\"payload\":{\"a\":1,\"b\":\"q\",\"t\":0}}"),
                string),
        "Struct{a=1,b=q,t=Thu Jan 01 00:00:00 UTC 1970}");
    tg_converter_free(schemas);
}

static void test_between(void **state)
{
    (void)state;
    const tg_converter *string = tg_converter_named("string");
    const tg_converter *json = tg_converter_named("json");
    const tg_converter *bytes = tg_converter_named("bytes");
    tg_err err = {0};
    assert_string_equal(encoded(cell(string, "a \"line\""), json),
                        "\"a \\\"line\\\"\"");
    assert_string_equal(encoded(cell(bytes, "abc"), json), "\"YWJj\"");
    assert_string_equal(encoded(cell(bytes, "abc"), string), "abc");
    tg_cell *c = cell(string, "abc");
    assert_int_equal(tg_cell_encode(c, bytes, &err), TG_ERR_DATA);
    assert_has(err.text, "Invalid schema type for ByteArrayConverter: STRING");
}

/* Nobody looked at the value: malformed JSON is refused all the same. */
static void test_strict(void **state)
{
    (void)state;
    const tg_converter *json = tg_converter_named("json");
    tg_err err = {0};
    tg_cell *c = cell(json, "{\"a\":");
    assert_int_equal(tg_cell_encode(c, json, &err), TG_ERR_DATA);
    assert_has(err.text, "invalid JSON at byte 5");
    assert_int_equal(tg_cell_encode(c, json, &err), TG_ERR_DATA);
}

static void test_headers(void **state)
{
    (void)state;
    tg_converter *conv = converter("SimpleHeaderConverter", "", "header");
    static const char *const texts[] = {
        "1.0", "007", "", "\xff\x00z", "{bad", "true", "2020-01-01"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        tg_cell *c = cell(conv, texts[i]);
        assert_string_equal(encoded(c, conv), texts[i]);
        decoded(c);
        assert_string_equal(encoded(c, conv), texts[i]);
    }
    tg_cell *c = cell(conv, "\xff");
    decoded(c);
    assert_int_equal(c->value.tag, TG_BYTES);
    c->dirty = 1;
    assert_string_equal(encoded(c, conv), "/w==");
    tg_batch_reset(batch);
    c = &tg_batch_append(batch)->value;
    tg_cell_put_text(c, "t\"x", 3);
    assert_string_equal(encoded(c, conv), "t\"x");
    tg_cell_put_number(c, 1.5);
    assert_string_equal(encoded(c, conv), "1.5");
    tg_cell_put_bool(c, 1);
    assert_string_equal(encoded(c, conv), "true");
    tg_cell_put_null(c);
    assert_string_equal(encoded(c, conv), "(null)");
    tg_converter_free(conv);
}

/* core/data reaches converters through its hooks. */
static void test_hooks(void **state)
{
    (void)state;
    tg_cell *c = cell(tg_converter_named("json"), "{\"a\":[1]}");
    uint32_t len;
    assert_int_equal(tg_cell_open(c), 0);
    const char *text = tg_value_json(batch, &c->value, &len);
    assert_int_equal(len, 9);
    assert_memory_equal(text, "{\"a\":[1]}", 9);
    assert_int_equal(tg_cell_put_encoded(c, "json", "{\"b\":2}", 7), 0);
    assert_int_equal(tg_cell_open(c), 0);
    assert_int_equal(slot_of(c->value.u.node, "b"), 0);
    c = cell(tg_converter_named("json"), "{");
    assert_int_equal(tg_cell_open(c), TG_ERR_DATA);
    assert_int_equal(c->record->verdict, TG_REJECT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_identities),
        cmocka_unit_test(test_string_points_at_raw),
        cmocka_unit_test(test_encodings),
        cmocka_unit_test(test_unmappable),
        cmocka_unit_test(test_java_text),
        cmocka_unit_test(test_between),
        cmocka_unit_test(test_strict),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_hooks),
    };
    tg_convert_init();
    batch = tg_batch_new(0, 0);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    tg_batch_free(batch);
    return failed;
}
