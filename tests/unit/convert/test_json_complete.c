/*
 * What JsonConverter does at the edges of its types: schema.content, logical
 * values without a schema, maps without a schema of their keys, times beyond a
 * day, tombstones. The expected texts were printed by Kafka Connect 4.1.
 */
#include "cells.h"
#include "convert/header_infer.h"

static tg_batch *batch;

static tg_cell *cell_with(tg_value v, const tg_schema *schema)
{
    tg_batch_reset(batch);
    tg_cell *cell = &tg_batch_append(batch)->value;
    cell->value = v;
    cell->schema = schema;
    cell->state = TG_CELL_DECODED;
    cell->dirty = 1;
    return cell;
}

/* The value of a header text, as InsertHeader makes it. */
static tg_cell *inferred(const char *text)
{
    tg_cell *cell = cell_with((tg_value){.tag = TG_NULL}, NULL);
    tg_err err = {0};
    assert_int_equal(tg_header_infer(cell, text, (uint32_t)strlen(text),
                                     &cell->value, &cell->schema, &err),
                     0);
    return cell;
}

static void writes(tg_cell *cell, const char *settings, const char *expected)
{
    tg_converter *conv = converter("Json", settings, "header");
    assert_string_equal(encoded(cell, conv), expected);
    tg_converter_free(conv);
}

static void refuses(tg_cell *cell, const char *settings, const char *sentence)
{
    tg_converter *conv = converter("Json", settings, "header");
    tg_err err = {0};
    assert_int_equal(tg_cell_encode(cell, conv, &err), TG_ERR_DATA);
    assert_has(err.text, sentence);
    tg_converter_free(conv);
}

static void test_inferred(void **state)
{
    (void)state;
    writes(inferred("[1,\"a\"]"), "schemas.enable=false", "[1,\"a\"]");
    writes(inferred("[1,\"a\"]"), "",
           "{\"schema\":{\"type\":\"array\",\"items\":null,\"optional\":false}"
           ",\"payload\":[1,\"a\"]}");
    tg_cell *touched = inferred("[1,\"a\",[null]]");
    assert_int_equal(tg_node_touch(touched->value.u.node), 0);
    writes(touched, "",
           "{\"schema\":{\"type\":\"array\",\"items\":null,\"optional\":false}"
           ",\"payload\":[1,\"a\",[null]]}");
    writes(inferred("{\"a\":1,\"b\":\"x\"}"), "",
           "{\"schema\":{\"type\":\"map\",\"keys\":{\"type\":\"string\","
           "\"optional\":false},\"values\":null,\"optional\":false},"
           "\"payload\":{\"a\":1,\"b\":\"x\"}}");
    writes(inferred("{1:\"x\",2:3}"), "",
           "{\"schema\":{\"type\":\"map\",\"keys\":{\"type\":\"int8\","
           "\"optional\":false},\"values\":null,\"optional\":false},"
           "\"payload\":[[1,\"x\"],[2,3]]}");
    writes(inferred("2020-01-01"), "",
           "{\"schema\":{\"type\":\"int32\",\"optional\":false,\"name\":"
           "\"org.apache.kafka.connect.data.Date\",\"version\":1},"
           "\"payload\":18262}");
    writes(inferred("9223372036854775808"), "",
           "{\"schema\":{\"type\":\"bytes\",\"optional\":false,\"name\":"
           "\"org.apache.kafka.connect.data.Decimal\",\"version\":1,"
           "\"parameters\":{\"scale\":\"0\"}},\"payload\":\"AIAAAAAAAAAA\"}");
    refuses(inferred("{1:1,\"b\":2}"), "schemas.enable=false",
            "no common schema");
    refuses(inferred("{}"), "", "no common schema");
    refuses(inferred("[9223372036854775808,1]"), "",
            "Java class class java.math.BigDecimal does not have"
            " corresponding schema type.");
}

static void test_logical_without_schema(void **state)
{
    tg_value date = {.tag = TG_INT64, .aux = TG_LOGICAL_TIMESTAMP};
    tg_value decimal = {
        .tag = TG_NUM, .aux = TG_LOGICAL_DECIMAL, .len = 1, .u.p = "1"};
    static const char sentence[] =
        "Java class class java.util.Date does not have corresponding schema"
        " type.";
    (void)state;
    refuses(cell_with(date, NULL), "schemas.enable=false", sentence);
    refuses(cell_with(date, NULL), "", sentence);
    refuses(cell_with(decimal, NULL), "", "java.math.BigDecimal");
    tg_cell *cell = cell_with(date, NULL);
    tg_node *node = tg_cell_put_node(cell, TG_MAP);
    assert_int_equal(tg_put_int64(node, -1, tg_name_intern("a", 1), 5), 0);
    writes(cell, "schemas.enable=false", "{\"a\":5}");
    node->slots[0].aux = TG_LOGICAL_TIMESTAMP;
    refuses(cell, "schemas.enable=false", sentence);
}

static void test_times(void **state)
{
    const tg_schema *time = tg_schema_of(TG_INT32, 0, "time");
    tg_value v = {.tag = TG_INT32, .u.i = 86400000};
    (void)state;
    writes(cell_with(v, time), "schemas.enable=false", "86400000");
    v.u.i++;
    refuses(cell_with(v, time), "schemas.enable=false",
            "Kafka Connect Time type should not have any date fields set to"
            " non-zero values.");
    v.u.i = -1;
    refuses(cell_with(v, time), "", "Kafka Connect Time type should not");
}

static tg_node *pairs(tg_cell *cell, uint32_t n)
{
    tg_node *node = tg_node_new(batch, TG_PAIRS, tg_shape_array(), 2 * n);
    node->n = 2 * n;
    node->cell = cell;
    node->dirty = 1;
    for (uint32_t i = 0; i < 2 * n; i++)
        node->slots[i] = (tg_value){.tag = TG_INT64, .u.i = i};
    cell->value = (tg_value){.tag = TG_PAIRS, .u.node = node};
    return node;
}

static void test_pairs_without_schema(void **state)
{
    tg_cell *cell = cell_with((tg_value){.tag = TG_NULL}, NULL);
    (void)state;
    pairs(cell, 0);
    writes(cell, "schemas.enable=false", "{}");
    tg_node *node = pairs(cell, 2);
    writes(cell, "schemas.enable=false", "[[0,1],[2,3]]");
    node->slots[0] =
        (tg_value){.tag = TG_STR, .flags = TG_F_NEW, .len = 2, .u.p = "a\""};
    writes(cell, "schemas.enable=false", "[[\"a\\\"\",1],[2,3]]");
    node->slots[2] = node->slots[0];
    node->slots[2].len = 1;
    writes(cell, "schemas.enable=false", "{\"a\\\"\":1,\"a\":3}");
}

static void test_nulls(void **state)
{
    const tg_schema *optional = tg_schema_of(TG_INT32, 1, NULL);
    tg_schema proto = {
        .tag = TG_INT32, .has_default = true, .default_json = "7"};
    tg_value null = {.tag = TG_NULL};
    (void)state;
    writes(cell_with(null, NULL), "", "(null)");
    writes(cell_with(null, optional), "schemas.enable=false", "null");
    writes(cell_with(null, optional), "",
           "{\"schema\":{\"type\":\"int32\",\"optional\":true},"
           "\"payload\":null}");
    refuses(cell_with(null, tg_schema_of(TG_INT32, 0, NULL)), "",
            "Conversion error: null value for field that is required and has"
            " no default value");
    writes(cell_with(null, tg_schema_intern(&proto)), "schemas.enable=false",
           "7");
    refuses(cell_with(null, tg_schema_intern(&proto)),
            "replace.null.with.default=false", "Conversion error");
}

/* --- reading -------------------------------------------------------------- */

static tg_cell *read_with(const tg_converter *conv, const char *text)
{
    tg_cell *cell = cell_of(batch, conv, text, strlen(text));
    decoded(cell);
    return cell;
}

static void cannot_read(const tg_converter *conv, const char *text,
                        const char *sentence)
{
    tg_err err = {0};
    tg_cell *cell = cell_of(batch, conv, text, strlen(text));
    assert_int_equal(tg_cell_decode(cell, &err), TG_ERR_DATA);
    assert_has(err.text, sentence);
}

static tg_converter *with_content(const char *content, const char *enable,
                                  tg_err *err)
{
    json_t *config = json_pack("{s:s,s:s}", "schema.content", content,
                               "schemas.enable", enable);
    tg_converter *conv = tg_converter_new("Json", config, "value", err);
    json_decref(config);
    return conv;
}

static const char struct_schema[] =
    "{\"type\":\"struct\",\"fields\":[{\"type\":\"int32\",\"field\":\"a\"},"
    "{\"type\":\"string\",\"optional\":true,\"field\":\"b\"}]}";

static void test_schema_content(void **state)
{
    tg_err err = {0};
    tg_converter *conv = with_content(struct_schema, "true", &err);
    tg_converter *envelope = converter("Json", "", "value");
    (void)state;
    assert_non_null(conv);
    tg_cell *cell = read_with(conv, " {\"a\":1,\"c\":[true]} ");
    assert_int_equal(cell->value.tag, TG_STRUCT);
    assert_int_equal(cell->schema->nfields, 2);
    assert_int_equal(cell->value.u.node->slots[1].tag, TG_NULL);
    /* what is written is an envelope, with the same converter too */
    const char *text = "{\"schema\":{\"type\":\"struct\",\"fields\":[{\"type\":"
                       "\"int32\",\"optional\":false,\"field\":\"a\"},{\"type\""
                       ":\"string\",\"optional\":true,\"field\":\"b\"}],"
                       "\"optional\":false},\"payload\":{\"a\":1,\"b\":null}}";
    cell->value.u.node->dirty = 1;
    assert_string_equal(encoded(cell, conv), text);
    assert_string_equal(encoded(cell, envelope), text);
    cannot_read(conv, "{\"b\":\"x\"}", "field \"a\"");
    cannot_read(conv, "{\"schema\":null,\"payload\":{\"a\":1}}", "field \"a\"");
    cannot_read(conv, "null", "Invalid null value for required STRUCT field");
    cannot_read(conv, "", "expected");
    cannot_read(conv, "{\"a\":1} x", "nothing after");
    cell = cell_of(batch, conv, NULL, 0);
    tg_cell_set_raw(cell, conv, NULL, 0);
    assert_string_equal(encoded(cell, conv), "(null)");
    tg_converter_free(conv);
    tg_converter_free(envelope);
}

static void test_schema_content_settings(void **state)
{
    tg_err err = {0};
    (void)state;
    tg_converter *conv = with_content(struct_schema, "false", &err);
    assert_null(read_with(conv, "{\"x\":1}")->schema);
    tg_converter_free(conv);
    conv = with_content("", "true", &err);
    cannot_read(conv, "{\"a\":1}", "requires \"schema\" and \"payload\"");
    tg_converter_free(conv);
    conv = with_content("null", "true", &err);
    cannot_read(conv, "{\"a\":1}", "requires \"schema\" and \"payload\"");
    tg_converter_free(conv);
    conv = with_content("{\"type\":\"int32\",\"default\":3}", "true", &err);
    assert_int_equal(read_with(conv, "null")->value.u.i, 3);
    tg_converter_free(conv);
    assert_null(with_content("{\"type\":\"int99\"}", "true", &err));
    assert_int_equal(err.code, TG_ERR_CONFIG);
    assert_has(err.text, "schema.content cannot be read: ");
    assert_has(err.text, "int99");
    assert_null(with_content("{bad", "true", &err));
    assert_null(with_content("[]", "false", &err));
}

static void test_logical_read(void **state)
{
    tg_converter *conv = converter("Json", "", "value");
    (void)state;
    cannot_read(conv,
                "{\"schema\":{\"type\":\"int32\",\"name\":"
                "\"org.apache.kafka.connect.data.Time\"},\"payload\":90000000}",
                "Time values must use number of milliseconds greater than 0"
                " and less than 86400000");
    cannot_read(conv,
                "{\"schema\":{\"type\":\"bytes\",\"name\":"
                "\"org.apache.kafka.connect.data.Decimal\",\"parameters\":"
                "{\"scale\":\"2\"}},\"payload\":\"\"}",
                "Invalid bytes for Decimal field");
    cannot_read(conv,
                "{\"schema\":{\"type\":\"bytes\",\"name\":"
                "\"org.apache.kafka.connect.data.Decimal\"},\"payload\":"
                "\"AA==\"}",
                "scale");
    cannot_read(conv, "{\"schema\":{\"type\":\"int32\"},\"payload\":null}",
                "Invalid null value for required INT32 field");
    tg_cell *cell = read_with(conv, "{\"schema\":{\"type\":\"map\",\"keys\":"
                                    "{\"type\":\"int32\",\"optional\":true},"
                                    "\"values\":{\"type\":\"int32\"}},"
                                    "\"payload\":[[null,2]]}");
    assert_int_equal(cell->value.tag, TG_PAIRS);
    assert_int_equal(cell->value.u.node->slots[0].tag, TG_NULL);
    tg_converter_free(conv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inferred),
        cmocka_unit_test(test_logical_without_schema),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_pairs_without_schema),
        cmocka_unit_test(test_nulls),
        cmocka_unit_test(test_schema_content),
        cmocka_unit_test(test_schema_content_settings),
        cmocka_unit_test(test_logical_read)};
    tg_convert_init();
    batch = tg_batch_new(0, 0);
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    tg_batch_free(batch);
    return rc;
}
