/* JsonConverter with schemas.enable=true: envelopes to the byte, all types,
 * nulls and defaults, decimals, and what is refused. */
#include "cells.h"
#include <malloc.h>
#ifdef __SANITIZE_ADDRESS__
size_t __sanitizer_get_current_allocated_bytes(void);
#endif

#define ENVELOPE(s, p) "{\"schema\":" s ",\"payload\":" p "}"
#define INT32_SCHEMA   "{\"type\":\"int32\",\"optional\":false}"
#define DECIMAL_SCHEMA                                                         \
    "{\"type\":\"bytes\",\"optional\":false,\"name\":\"org.apache.kafka."      \
    "connect.data.Decimal\",\"version\":1,\"parameters\":{\"scale\":\"2\"}}"
#define RECORD_SCHEMA                                                          \
    "{\"type\":\"struct\",\"fields\":[{\"type\":\"int64\",\"optional\":false," \
    "\"field\":\"id\"},{\"type\":\"string\",\"optional\":true,\"default\":"    \
    "\"dflt\",\"field\":\"n\"},{\"type\":\"array\",\"items\":{\"type\":"       \
    "\"int32\",\"optional\":false},\"optional\":true,\"field\":\"arr\"}],"     \
    "\"optional\":false,\"name\":\"com.x.Rec\",\"version\":3,\"doc\":\"d\","   \
    "\"parameters\":{\"pk\":\"pv\"}}"

static tg_batch *batch;
static tg_converter *json, *numeric, *keep_null;

static tg_cell *cell(const tg_converter *conv, const char *text)
{
    return cell_of(batch, conv, text, strlen(text));
}

/* Decodes and writes the whole tree again, nothing copied. */
static const char *rewritten(const tg_converter *in, const tg_converter *out,
                             const char *text)
{
    tg_cell *c = cell(in, text);
    decoded(c);
    c->dirty = 1;
    if (c->value.tag >= TG_ARRAY)
        for (uint32_t i = 0; i < c->value.u.node->n; i++)
            if (c->value.u.node->slots[i].tag >= TG_ARRAY)
                tg_node_touch(c->value.u.node->slots[i].u.node);
    if (c->value.tag >= TG_ARRAY)
        tg_node_touch(c->value.u.node);
    return encoded(c, out);
}

static void expect_same(const char *text)
{
    assert_string_equal(encoded(cell(json, text), json), text);
    assert_string_equal(rewritten(json, json, text), text);
    /* the second time the schema is known */
    assert_string_equal(rewritten(json, json, text), text);
}

static void expect_error(const char *text, const char *part)
{
    tg_err err = {0};
    tg_cell *c = cell(json, text);
    assert_int_equal(tg_cell_decode(c, &err), TG_ERR_DATA);
    assert_int_equal(c->state, TG_CELL_BAD);
    assert_has(err.text, part);
}

static void test_types(void **state)
{
    (void)state;
    expect_same(ENVELOPE(INT32_SCHEMA, "5"));
    expect_same(ENVELOPE("{\"type\":\"int8\",\"optional\":true}", "-128"));
    expect_same(ENVELOPE("{\"type\":\"int16\",\"optional\":true}", "32767"));
    expect_same(ENVELOPE("{\"type\":\"int64\",\"optional\":false}",
                         "-9223372036854775808"));
    expect_same(ENVELOPE("{\"type\":\"float\",\"optional\":false}", "1.10"));
    expect_same(ENVELOPE("{\"type\":\"double\",\"optional\":false}", "5"));
    expect_same(
        ENVELOPE("{\"type\":\"double\",\"optional\":false}", "\"NaN\""));
    expect_same(
        ENVELOPE("{\"type\":\"float\",\"optional\":false}", "\"-Infinity\""));
    expect_same(ENVELOPE("{\"type\":\"boolean\",\"optional\":false}", "true"));
    expect_same(ENVELOPE("{\"type\":\"string\",\"optional\":false}",
                         "\"a\\u00e9\\n\""));
    expect_same(
        ENVELOPE("{\"type\":\"bytes\",\"optional\":false}", "\"AP8=\""));
    expect_same(ENVELOPE("{\"type\":\"string\",\"optional\":true}", "null"));
    expect_same(ENVELOPE("{\"type\":\"array\",\"items\":" INT32_SCHEMA
                         ",\"optional\":false}",
                         "[1,2]"));
    expect_same(ENVELOPE("{\"type\":\"map\",\"keys\":{\"type\":\"string\","
                         "\"optional\":false},\"values\":" INT32_SCHEMA
                         ",\"optional\":false}",
                         "{\"a\":1,\"b\":2}"));
    expect_same(ENVELOPE("{\"type\":\"map\",\"keys\":" INT32_SCHEMA
                         ",\"values\":{\"type\":\"string\",\"optional\":true},"
                         "\"optional\":false}",
                         "[[1,\"x\"],[2,null]]"));
    expect_same(ENVELOPE(RECORD_SCHEMA, "{\"id\":7,\"n\":\"x\",\"arr\":null}"));
    expect_same(
        ENVELOPE("{\"type\":\"int64\",\"optional\":false,\"name\":\"org."
                 "apache.kafka.connect.data.Timestamp\",\"version\":1}",
                 "1577880000123"));
    expect_same(
        ENVELOPE("{\"type\":\"int32\",\"optional\":false,\"name\":\"org."
                 "apache.kafka.connect.data.Date\",\"version\":1}",
                 "18262"));
    expect_same(ENVELOPE(DECIMAL_SCHEMA, "\"BNI=\""));
    expect_same(ENVELOPE("null", "{\"a\":[1.10,null]}"));
    expect_same(ENVELOPE("null", "[]"));
}

static void test_kinds(void **state)
{
    (void)state;
    tg_cell *c = cell(json, ENVELOPE(RECORD_SCHEMA, "{\"arr\":[1],\"id\":7,"
                                                    "\"extra\":{\"x\":[1]}}"));
    decoded(c);
    assert_int_equal(c->value.tag, TG_STRUCT);
    assert_string_equal(c->schema->name, "com.x.Rec");
    tg_node *node = c->value.u.node;
    assert_int_equal(node->n, 3);
    assert_int_equal(node->slots[0].tag, TG_INT64);
    assert_int_equal(node->slots[1].tag, TG_STR);
    assert_int_equal(node->slots[2].u.node->slots[0].tag, TG_INT32);
    tg_node_touch(node);
    assert_string_equal(
        encoded(c, json),
        ENVELOPE(RECORD_SCHEMA, "{\"id\":7,\"n\":\"dflt\",\"arr\":[1]}"));
}

static void test_defaults(void **state)
{
    (void)state;
    const char *null =
        ENVELOPE(RECORD_SCHEMA, "{\"id\":7,\"n\":null,\"arr\":null}");
    assert_string_equal(
        rewritten(json, json, null),
        ENVELOPE(RECORD_SCHEMA, "{\"id\":7,\"n\":\"dflt\",\"arr\":null}"));
    assert_string_equal(rewritten(keep_null, keep_null, null), null);
    assert_string_equal(encoded(cell(json, null), json), null);
    assert_string_equal(
        rewritten(json, json,
                  ENVELOPE("{\"type\":\"int32\",\"optional\":false,\"default\":"
                           "9}",
                           "null")),
        ENVELOPE("{\"type\":\"int32\",\"optional\":false,\"default\":9}", "9"));
    expect_error(ENVELOPE("{\"type\":\"int32\",\"default\":\"x\"}", "1"),
                 "default of a schema");
}

static void test_decimals(void **state)
{
    (void)state;
    static const struct {
        const char *base64, *text;
    } pairs[] = {{"\"BNI=\"", "12.34"},
                 {"\"/w==\"", "-0.01"},
                 {"\"AA==\"", "0.00"},
                 {"\"AIA=\"", "1.28"},
                 {"\"gA==\"", "-1.28"},
                 {"\"/38=\"", "-1.29"},
                 {"\"AP//////////////\"", "3094850098213450687247810.55"},
                 {"\"/wAAAAAAAAAAAAAB\"", "-3094850098213450687247810.55"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char b[512], n[512];
        snprintf(b, sizeof b, ENVELOPE(DECIMAL_SCHEMA, "%s"), pairs[i].base64);
        snprintf(n, sizeof n, ENVELOPE(DECIMAL_SCHEMA, "%s"), pairs[i].text);
        assert_string_equal(rewritten(json, numeric, b), n);
        assert_string_equal(rewritten(numeric, json, n), b);
        assert_string_equal(rewritten(numeric, numeric, n), n);
        assert_string_equal(encoded(cell(json, b), numeric), n);
    }
    tg_err err = {0};
    tg_cell *c = cell(numeric, ENVELOPE(DECIMAL_SCHEMA, "1.234"));
    decoded(c);
    assert_int_equal(tg_cell_encode(c, json, &err), TG_ERR_DATA);
    assert_has(err.text, "has scale 3 where the schema says 2");
}

static void test_tombstones(void **state)
{
    (void)state;
    const tg_converter *plain = tg_converter_named("json");
    tg_batch_reset(batch);
    tg_cell *c = &tg_batch_append(batch)->value;
    tg_cell_set_raw(c, json, NULL, 0);
    assert_string_equal(encoded(c, json), "(null)");
    assert_string_equal(encoded(c, plain), "(null)");
    c = cell(json, ENVELOPE("{\"type\":\"string\",\"optional\":true}", "null"));
    assert_string_equal(encoded(c, plain), "null");
    c = cell(json, ENVELOPE("null", "null"));
    assert_string_equal(encoded(c, plain), "(null)");
    c = cell(plain, "");
    assert_string_equal(encoded(c, json), "(null)");
}

static void test_between_settings(void **state)
{
    (void)state;
    const tg_converter *plain = tg_converter_named("json");
    tg_cell *c = cell(plain, "{\"a\" : 1.10}");
    assert_string_equal(encoded(c, json), ENVELOPE("null", "{\"a\" : 1.10}"));
    c = cell(json, ENVELOPE(RECORD_SCHEMA, "{\"id\":1,\"arr\":[]}"));
    assert_string_equal(encoded(c, plain), "{\"id\":1,\"arr\":[]}");
    c = cell(tg_converter_named("string"), "li\"ne");
    assert_string_equal(
        encoded(c, json),
        ENVELOPE("{\"type\":\"string\",\"optional\":true}", "\"li\\\"ne\""));
}

static void test_order_and_space(void **state)
{
    (void)state;
    tg_cell *c =
        cell(json, " { \"payload\" : 5 , \"schema\" : " INT32_SCHEMA " } ");
    decoded(c);
    assert_int_equal(c->value.tag, TG_INT32);
    assert_int_equal(c->value.u.i, 5);
    c->dirty = 1;
    assert_string_equal(encoded(c, json), ENVELOPE(INT32_SCHEMA, "5"));
}

static void test_refused(void **state)
{
    (void)state;
    const char *no = "requires \"schema\" and \"payload\" fields";
    expect_error("{\"a\":1}", no);
    expect_error("{}", no);
    expect_error("null", no);
    expect_error("5", no);
    expect_error("{\"schema\":null}", no);
    expect_error("{\"schema\":null,\"payload\":1,\"x\":2}", no);
    expect_error("{\"schema\":null,\"payload\":1} x", "nothing after");
    expect_error("", "the value is empty");
    expect_error(ENVELOPE("{\"type\":\"float64\"}", "1"),
                 "unknown type \"float64\"");
    expect_error(ENVELOPE("{\"type\":\"array\"}", "[]"), "\"items\"");
    expect_error(ENVELOPE("{\"type\":\"map\"}", "{}"), "\"keys\"");
    expect_error(ENVELOPE("{\"type\":\"struct\"}", "{}"), "\"fields\"");
    expect_error(ENVELOPE("{}", "{}"), "\"type\"");
    expect_error(ENVELOPE("7", "{}"), "must be an object");
    expect_error(ENVELOPE(INT32_SCHEMA, "\"5\""),
                 "found a string where the schema says int32");
    expect_error(ENVELOPE(INT32_SCHEMA, "1.5"), "found the number 1.5");
    expect_error(ENVELOPE(INT32_SCHEMA, "3000000000"),
                 "does not fit into int32");
    expect_error(ENVELOPE("{\"type\":\"int8\"}", "300"), "fit into int8");
    expect_error(ENVELOPE("{\"type\":\"int64\"}", "9223372036854775808"),
                 "fit into int64");
    expect_error(ENVELOPE(INT32_SCHEMA, "null"), "required INT32 field");
    expect_error(ENVELOPE("{\"type\":\"string\"}", "5"), "says string");
    expect_error(ENVELOPE("{\"type\":\"bytes\"}", "\"A?==\""), "not base64");
    expect_error(ENVELOPE("{\"type\":\"boolean\"}", "[1]"), "found an array");
    expect_error(ENVELOPE(RECORD_SCHEMA, "{\"id\":\"x\"}"),
                 "field \"id\": found");
    expect_error(ENVELOPE(RECORD_SCHEMA, "{}"),
                 "field \"id\": Invalid null value");
    expect_error(ENVELOPE(RECORD_SCHEMA, "[]"), "found an array");
    expect_error(ENVELOPE(RECORD_SCHEMA, "{\"id\":1,\"arr\":[1,\"x\"]}"),
                 "field \"arr\"");
}

/* A changed struct carries a changed schema. */
static void test_changed_schema(void **state)
{
    (void)state;
    tg_cell *c = cell(json, ENVELOPE(RECORD_SCHEMA, "{\"id\":7,\"n\":\"x\"}"));
    decoded(c);
    tg_node *node = c->value.u.node;
    assert_int_equal(tg_delete(node, slot_of(node, "n")), 0);
    assert_int_equal(tg_delete(node, slot_of(node, "arr")), 0);
    assert_int_equal(tg_add_field(node, tg_name_intern("new", 3),
                                  tg_schema_of(TG_STR, 1, NULL)),
                     1);
    assert_int_equal(tg_put_text(node, 1, NULL, "v", 1), 0);
    assert_string_equal(
        encoded(c, json),
        ENVELOPE("{\"type\":\"struct\",\"fields\":[{\"type\":\"int64\","
                 "\"optional\":false,\"field\":\"id\"},{\"type\":\"string\","
                 "\"optional\":true,\"field\":\"new\"}],\"optional\":false,"
                 "\"name\":\"com.x.Rec\",\"version\":3,\"doc\":\"d\","
                 "\"parameters\":{\"pk\":\"pv\"}}",
                 "{\"id\":7,\"new\":\"v\"}"));
}

/* An array that a script made and left empty has no schema of elements yet. */
static void test_empty_new_array(void **state)
{
    (void)state;
    tg_cell *c = cell(json, ENVELOPE(RECORD_SCHEMA, "{\"id\":7,\"n\":\"x\"}"));
    decoded(c);
    tg_node *node = c->value.u.node;
    assert_int_equal(tg_delete(node, slot_of(node, "n")), 0);
    assert_int_equal(tg_delete(node, slot_of(node, "arr")), 0);
    assert_non_null(tg_put_node(node, -1, tg_name_intern("t", 1), TG_ARRAY));
    assert_string_equal(encoded(c, tg_converter_named("json")),
                        "{\"id\":7,\"t\":[]}");
    assert_has(encoded(c, json),
               "{\"type\":\"array\",\"items\":{\"type\":\"string\","
               "\"optional\":true},\"optional\":true,\"field\":\"t\"}");
}

static size_t allocated(void)
{
#ifdef __SANITIZE_ADDRESS__
    return __sanitizer_get_current_allocated_bytes();
#else
    return mallinfo2().uordblks;
#endif
}

/* Whatever is refused, nothing of it stays behind. */
static void test_refused_again(void **state)
{
    (void)state;
    static const char schema[] =
        "{\"type\":\"map\",\"keys\":{\"type\":\"string\"},\"values\":"
        "{\"type\":\"int32\"}}";
    char text[256];
    size_t before = 0;
    for (int i = 0; i < 30000; i++) {
        tg_err err = {0};
        snprintf(text, sizeof text,
                 "{\"schema\":%s,\"payload\":{\"a%d\":1,\"b\":2,\"c\":%s}}",
                 schema, i % 50, i == 0 ? "3" : "\"x\"");
        tg_cell *c = cell(json, text);
        assert_int_equal(tg_cell_decode(c, &err), i == 0 ? 0 : TG_ERR_DATA);
        if (i == 100)
            before = allocated();
    }
    assert_true(allocated() < before + 100000);
}

static void test_many_schemas(void **state)
{
    (void)state;
    tg_converter *small = converter("Json", "schemas.cache.size=3", "value");
    for (int i = 0; i < 40; i++) {
        char text[256];
        snprintf(text, sizeof text,
                 ENVELOPE("{\"type\":\"int32\",\"optional\":false,\"name\":\"t%"
                          "d\"}",
                          "%d"),
                 i % 10, i);
        assert_string_equal(rewritten(small, small, text), text);
    }
    tg_converter_free(small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_decimals),
        cmocka_unit_test(test_tombstones),
        cmocka_unit_test(test_between_settings),
        cmocka_unit_test(test_order_and_space),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_changed_schema),
        cmocka_unit_test(test_empty_new_array),
        cmocka_unit_test(test_refused_again),
        cmocka_unit_test(test_many_schemas),
    };
    tg_convert_init();
    batch = tg_batch_new(0, 0);
    json = converter("Json", "", "value");
    numeric = converter("Json", "decimal.format=numeric", "value");
    keep_null = converter("Json", "replace.null.with.default=false", "value");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    tg_batch_free(batch);
    tg_converter_free(json);
    tg_converter_free(numeric);
    tg_converter_free(keep_null);
    return failed;
}
