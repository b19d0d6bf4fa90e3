/*
 * JsonSchemaConverter: Connect schemas that Confluent's converter makes of JSON
 * Schemas and back; values; what is refused.
 */
#include "base/log.h"
#include "cells.h"
#include "convert/json_write.h"
#include "convert/jsonschema.h"
#include "registry/fake_registry.h"
#include "registry/registry.h"

static fake_registry *fake;
static tg_batch *batch;
static tg_converter *json, *envelope;

static tg_converter *converter_of(const char *more)
{
    char settings[512];
    snprintf(settings, sizeof settings,
             "schema.registry.url=%s,max.retries=0%s%s", fake->url,
             *more ? "," : "", more);
    return converter("JsonSchema", settings, "value");
}

static tg_cell *cell_with(const tg_converter *conv, int id, const char *text)
{
    static char bytes[1 << 16];
    tg_registry_write_id(bytes, id);
    strcpy(bytes + 5, text);
    tg_cell *cell = cell_of(batch, conv, bytes, strlen(text) + 5);
    tg_record_set_topic(cell->record, "t", 1);
    return cell;
}

/* Value and Connect schema of a text, as JsonConverter shows them. want_schema
 * NULL: not looked at. */
static void read_as(const char *settings, const char *schema, const char *text,
                    const char *want, const char *want_schema)
{
    tg_converter *conv = converter_of(settings);
    fake->no_versions = true;
    int id = fake_add(fake, "other", schema, "JSON", NULL);
    tg_cell *cell = cell_with(conv, id, text);
    size_t len;
    decoded(cell);
    if (want_schema) {
        const char *got = tg_json_schema_text(cell->schema, &len);
        if (strcmp(got, want_schema) != 0)
            fail_msg("%s: %s instead of %s", schema, got, want_schema);
    }
    const char *got = encoded(cell, json);
    if (strcmp(got, want) != 0)
        fail_msg("%s: %s instead of %s", text, got, want);
    tg_err err = {0};
    if (tg_cell_encode(cell, conv, &err) || cell->out != cell->raw)
        fail_msg("%s: untouched, but not sent as received", text);
    tg_converter_free(conv);
}

#define OBJECT(props) "{\"type\":\"object\",\"properties\":{" props "}}"
#define STRUCT(fields)                                                         \
    "{\"type\":\"struct\",\"fields\":[" fields "],\"optional\":false}"

static void test_reading(void **state)
{
    (void)state;
    read_as(
        "",
        OBJECT("\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"number\""
               "},\"c\":{\"type\":\"string\"},\"d\":{\"type\":"
               "\"boolean\"},\"e\":{\"type\":\"array\",\"items\":{"
               "\"type\":\"integer\",\"connect.type\":\"int16\"}}"),
        "{\"e\":[1,2],\"a\":5,\"b\":1.50,\"c\":\"x\\n\",\"d\":true,\"z\":0}",
        "{\"a\":5,\"b\":1.50,\"c\":\"x\\n\",\"d\":true,\"e\":[1,2]}",
        STRUCT("{\"type\":\"int64\",\"optional\":false,\"field\":\"a\"},"
               "{\"type\":\"double\",\"optional\":false,\"field\":\"b\"},"
               "{\"type\":\"string\",\"optional\":false,\"field\":\"c\"},"
               "{\"type\":\"boolean\",\"optional\":false,\"field\":\"d\"},"
               "{\"type\":\"array\",\"items\":{\"type\":\"int16\","
               "\"optional\":false},\"optional\":false,\"field\":\"e\"}"));
    /* order by connect.index; required and optional; null of several kinds */
    read_as("use.optional.for.nonrequired=true",
            "{\"type\":\"object\",\"title\":\"shop.O\",\"description\":\"d\","
            "\"connect.version\":3,\"required\":[\"b\"],\"properties\":{"
            "\"a\":{\"type\":\"string\",\"connect.index\":1},"
            "\"b\":{\"type\":[\"null\",\"string\"],\"connect.index\":0},"
            "\"c\":{\"oneOf\":[{\"type\":\"null\"},{\"type\":\"integer\","
            "\"default\":7}],\"connect.index\":2}}}",
            "{\"b\":null,\"c\":1}", "{\"b\":null,\"a\":null,\"c\":1}",
            "{\"type\":\"struct\",\"fields\":["
            "{\"type\":\"string\",\"optional\":true,\"field\":\"b\"},"
            "{\"type\":\"string\",\"optional\":true,\"field\":\"a\"},"
            "{\"type\":\"int64\",\"optional\":true,\"default\":7,\"field\":"
            "\"c\"}],\"optional\":false,\"name\":\"shop.O\",\"version\":3,"
            "\"doc\":\"d\"}");
    /* logical types, maps, enums */
    read_as("",
            OBJECT("\"p\":{\"type\":\"string\",\"connect.type\":\"bytes\","
                   "\"title\":\"org.apache.kafka.connect.data.Decimal\","
                   "\"connect.version\":1,\"connect.parameters\":{\"scale\":"
                   "\"2\"}},\"m\":{\"type\":\"object\",\"connect.type\":\"map\""
                   ",\"additionalProperties\":{\"type\":\"integer\"}},"
                   "\"q\":{\"type\":\"array\",\"connect.type\":\"map\","
                   "\"items\":{\"type\":\"object\",\"properties\":{\"key\":{"
                   "\"type\":\"integer\",\"connect.index\":0},\"value\":{"
                   "\"type\":\"boolean\",\"connect.index\":1}}}},"
                   "\"k\":{\"type\":\"string\",\"enum\":[\"A\",\"B\"]}"),
            "{\"p\":\"BNI=\",\"m\":{\"x\":1,\"y\":2},\"q\":[{\"value\":true,"
            "\"key\":5}],\"k\":\"B\"}",
            "{\"p\":\"BNI=\",\"m\":{\"x\":1,\"y\":2},\"q\":[[5,true]],\"k\":"
            "\"B\"}",
            STRUCT("{\"type\":\"bytes\",\"optional\":false,\"name\":"
                   "\"org.apache.kafka.connect.data.Decimal\",\"version\":1,"
                   "\"parameters\":{\"scale\":\"2\"},\"field\":\"p\"},"
                   "{\"type\":\"map\",\"keys\":{\"type\":\"string\","
                   "\"optional\":false},\"values\":{\"type\":\"int64\","
                   "\"optional\":false},\"optional\":false,\"field\":\"m\"},"
                   "{\"type\":\"map\",\"keys\":{\"type\":\"int64\",\"optional\""
                   ":false},\"values\":{\"type\":\"boolean\",\"optional\":"
                   "false},\"optional\":false,\"field\":\"q\"},"
                   "{\"type\":\"string\",\"optional\":false,\"parameters\":{"
                   "\"io.confluent.connect.json.Enum\":\"\","
                   "\"io.confluent.connect.json.Enum.A\":\"A\","
                   "\"io.confluent.connect.json.Enum.B\":\"B\"},\"field\":"
                   "\"k\"}"));
}

static const char union_of[] =
    "{\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"string\"},"
    "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"}}},"
    "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},"
    "\"b\":{\"type\":\"object\",\"properties\":{\"c\":{\"type\":\"string\"}}}}}"
    "]}";

#define ONE "\"io.confluent.connect.json.OneOf.field."

static void test_unions(void **state)
{
    (void)state;
    read_as("", union_of, "5",
            "{" ONE "0\":5," ONE "1\":null," ONE "2\":null," ONE "3\":null}",
            NULL);
    read_as("", union_of, "\"x\"",
            "{" ONE "0\":null," ONE "1\":\"x\"," ONE "2\":null," ONE
            "3\":null}",
            NULL);
    read_as("", union_of, "{\"a\":1}",
            "{" ONE "0\":null," ONE "1\":null," ONE "2\":{\"a\":1}," ONE
            "3\":null}",
            NULL);
    read_as("", union_of, "{\"a\":1,\"b\":{\"c\":\"\"}}",
            "{" ONE "0\":null," ONE "1\":null," ONE "2\":null," ONE
            "3\":{\"a\":1,\"b\":{\"c\":\"\"}}}",
            NULL);
    read_as("generalized.sum.type.support=true",
            "{\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"boolean\"},"
            "{\"type\":\"null\"}]}",
            "true",
            "{\"connect_union_field_0\":null,\"connect_union_field_1\":true}",
            "{\"type\":\"struct\",\"fields\":[{\"type\":\"int64\",\"optional\":"
            "true,\"field\":\"connect_union_field_0\"},{\"type\":\"boolean\","
            "\"optional\":true,\"field\":\"connect_union_field_1\"}],"
            "\"optional\":true,\"name\":\"connect_union_0\",\"parameters\":{"
            "\"org.apache.kafka.connect.data.Union\":\"connect_union_0\"}}");
}

static void test_references(void **state)
{
    (void)state;
    read_as("",
            "{\"$ref\":\"#/$defs/A\",\"$defs\":{\"A\":{\"type\":\"object\","
            "\"properties\":{\"b\":{\"$ref\":\"#b\"},\"c\":{\"$ref\":"
            "\"https://x.org/c.json\"},\"me\":{\"$ref\":\"#/$defs/A\"},"
            "\"any\":true}},\"B\":{\"$anchor\":\"b\",\"type\":\"string\"},"
            "\"C\":{\"$id\":\"https://x.org/c.json\",\"type\":\"integer\"}}}",
            "{\"b\":\"x\",\"c\":3,\"me\":{\"b\":\"y\" , \"c\":4},\"any\":[1]}",
            "{\"b\":\"x\",\"c\":3,\"me\":\"{\\\"b\\\":\\\"y\\\" , "
            "\\\"c\\\":4}\",\"any\":\"[1]\"}",
            NULL);
    /* allOf of structs, and of a type with a const */
    read_as("",
            "{\"allOf\":[{\"$ref\":\"#/definitions/base\"},{\"properties\":{"
            "\"y\":{\"type\":\"integer\",\"const\":5}}}],\"definitions\":{"
            "\"base\":{\"type\":\"object\",\"properties\":{\"x\":{\"type\":"
            "\"string\",\"format\":\"date\"}}}}}",
            "{\"x\":\"2020-01-01\",\"y\":5}", "{\"x\":\"2020-01-01\",\"y\":5}",
            STRUCT("{\"type\":\"string\",\"optional\":false,\"field\":\"x\"},"
                   "{\"type\":\"int64\",\"optional\":false,\"field\":\"y\"}"));
    tg_registry_ref deep = {.name = "deep.json",
                            .text = "{\"type\":\"boolean\"}"};
    tg_registry_ref ref = {
        .name = "other.json",
        .text = "{\"type\":\"object\",\"properties\":{\"d\":{\"$ref\":"
                "\"deep.json\"}},\"$defs\":{\"s\":{\"type\":\"string\"}}}",
        .refs = &deep,
        .nrefs = 1};
    tg_js_settings set = {.flatten = true};
    tg_err err = {0};
    size_t len;
    const tg_schema *s =
        tg_js_read("{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":"
                   "\"other.json\"},\"b\":{\"$ref\":\"other.json#/$defs/s\"}}}",
                   &ref, 1, &set, 0, &err);
    if (!s)
        fail_msg("%s", err.text);
    assert_string_equal(
        tg_json_schema_text(s, &len),
        STRUCT("{\"type\":\"struct\",\"fields\":[{\"type\":\"boolean\","
               "\"optional\":false,\"field\":\"d\"}],\"optional\":false,"
               "\"field\":\"a\"},{\"type\":\"string\",\"optional\":false,"
               "\"field\":\"b\"}"));
}

/* --- writing -------------------------------------------------------------- */

static void write_is(const char *settings, const char *schema,
                     const char *payload, const char *want_schema,
                     const char *want)
{
    tg_converter *conv = converter_of(settings);
    tg_err err = {0};
    char *text = tg_sprintf("{\"schema\":%s,\"payload\":%s}", schema, payload);
    tg_cell *cell = cell_of(batch, envelope, text, strlen(text));
    tg_record_set_topic(cell->record, "w", 1);
    if (tg_cell_encode(cell, conv, &err))
        fail_msg("%s: %s", schema, err.text);
    if (want_schema && strcmp(fake->schemas[fake->n - 1].text, want_schema))
        fail_msg("%s instead of %s", fake->schemas[fake->n - 1].text,
                 want_schema);
    if (!want)
        assert_int_equal(cell->outlen, -1);
    else if (cell->outlen != (int32_t)strlen(want) + 5 ||
             memcmp(cell->out + 5, want, strlen(want)) != 0)
        fail_msg("%.*s instead of %s", (int)cell->outlen - 5, cell->out + 5,
                 want);
    tg_free(text);
    tg_converter_free(conv);
}

static void test_writing(void **state)
{
    (void)state;
    write_is(
        "",
        "{\"type\":\"struct\",\"name\":\"shop.O\",\"version\":2,\"fields\":"
        "[{\"field\":\"a\",\"type\":\"int32\"},{\"field\":\"b\",\"type\":"
        "\"string\",\"optional\":true,\"doc\":\"x\"},{\"field\":\"m\","
        "\"type\":\"map\",\"keys\":{\"type\":\"int8\"},\"values\":{"
        "\"type\":\"float\"}}]}",
        "{\"a\":1,\"b\":null,\"m\":[[1,2.5]]}",
        "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\","
        "\"connect.type\":\"int32\",\"connect.index\":0},\"b\":{\"oneOf\":"
        "[{\"type\":\"null\"},{\"type\":\"string\",\"description\":\"x\"}"
        "],\"connect.index\":1},\"m\":{\"type\":\"array\","
        "\"connect.type\":\"map\",\"items\":{\"type\":\"object\","
        "\"properties\":{\"key\":{\"type\":\"integer\",\"connect.type\":"
        "\"int8\",\"connect.index\":0},\"value\":{\"type\":\"number\","
        "\"connect.type\":\"float32\",\"connect.index\":1}}},"
        "\"connect.index\":2}},\"title\":\"shop.O\",\"connect.version\":2}",
        "{\"a\":1,\"b\":null,\"m\":[{\"key\":1,\"value\":2.5}]}");
    write_is("decimal.format=numeric,object.additional.properties=false",
             "{\"type\":\"struct\",\"fields\":[{\"field\":\"p\",\"type\":"
             "\"bytes\",\"name\":\"org.apache.kafka.connect.data.Decimal\","
             "\"version\":1,\"parameters\":{\"scale\":\"2\"}}]}",
             "{\"p\":\"BNI=\"}",
             "{\"type\":\"object\",\"properties\":{\"p\":{\"type\":\"number\","
             "\"connect.type\":\"bytes\",\"title\":"
             "\"org.apache.kafka.connect.data.Decimal\",\"connect.version\":1,"
             "\"connect.parameters\":{\"scale\":\"2\"},\"connect.index\":0}},"
             "\"additionalProperties\":false}",
             "{\"p\":12.34}");
    write_is("", "{\"type\":\"string\",\"optional\":true}", "null", NULL,
             "null");
}

/* A key that a script removed is gone, also where maps are lists of entries. */
static void test_removed_keys(void **state)
{
    static const char schema[] =
        "{\"type\":\"map\",\"keys\":{\"type\":\"string\",\"optional\":true},"
        "\"values\":{\"type\":\"int32\",\"optional\":true}}";
    tg_converter *conv = converter_of("");
    (void)state;
    for (int gone = 0; gone < 2; gone++) {
        char *text =
            tg_sprintf("{\"schema\":%s,\"payload\":{\"a\":1,\"b\":2}}", schema);
        tg_cell *cell = cell_of(batch, envelope, text, strlen(text));
        tg_record_set_topic(cell->record, "w", 1);
        decoded(cell);
        if (cell->value.tag == TG_MAP) {
            cell->value.u.node->slots[gone].tag = TG_ABSENT;
            cell->dirty = cell->value.u.node->dirty = 1;
            assert_string_equal(encoded(cell, conv) + 5,
                                gone ? "[{\"key\":\"a\",\"value\":1}]"
                                     : "[{\"key\":\"b\",\"value\":2}]");
        } else {
            fail_msg("a map with texts as keys is of kind %d", cell->value.tag);
        }
        tg_free(text);
    }
    tg_converter_free(conv);
}

/* What stands for any JSON is written as it is: only when it is JSON. */
static void test_any_is_json(void **state)
{
    static const struct {
        const char *text;
        bool good;
    } all[] = {{"{\"a\":[1,{\"b\":null}]}", true},
               {" 5 ", true},
               {"\"x\"", true},
               {"", false},
               {"x", false},
               {"1,\"b\":2", false},
               {"{\"a\":1", false},
               {"null}", false}};
    tg_converter *conv = converter_of("");
    tg_err err = {0};
    (void)state;
    int id = fake_add(fake, "any", OBJECT("\"a\":true"), "JSON", NULL);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        tg_cell *cell = cell_with(conv, id, "{\"a\":1}");
        decoded(cell);
        tg_node *node = cell->value.u.node;
        node->slots[0].u.p = all[i].text;
        node->slots[0].len = (uint32_t)strlen(all[i].text);
        node->slots[0].flags = TG_F_NEW;
        cell->dirty = node->dirty = 1;
        int rc = tg_cell_encode(cell, conv, &err);
        if (rc != (all[i].good ? 0 : TG_ERR_DATA))
            fail_msg("%s: %s", all[i].text, rc ? err.text : "accepted");
        if (rc)
            assert_has(err.text, "field \"a\": the text is no JSON");
    }
    tg_converter_free(conv);
}

/* --- what is refused ------------------------------------------------------ */

static void bad_schema(const char *text, const char *part)
{
    tg_js_settings set = {.flatten = true};
    tg_err err = {0};
    if (tg_js_read(text, NULL, 0, &set, 0, &err))
        fail_msg("accepted: %s", text);
    assert_int_equal(err.code, TG_ERR_DATA);
    assert_has(err.text, part);
}

static void bad_value(const char *schema, const char *text, const char *part)
{
    tg_converter *conv = converter_of("");
    int id = fake_add(fake, "other", schema, "JSON", NULL);
    tg_err err = {0};
    tg_cell *cell = cell_with(conv, id, text);
    if (!tg_cell_decode(cell, &err))
        fail_msg("accepted: %s", text);
    assert_int_equal(err.code, TG_ERR_DATA);
    assert_has(err.text, part);
    tg_converter_free(conv);
}

static void test_refused(void **state)
{
    (void)state;
    bad_schema("{", "the text is no JSON");
    bad_schema("false", "no schema for \"false\"");
    bad_schema("{\"type\":\"null\"}", "no schema for");
    bad_schema("{\"type\":\"array\"}", "the one schema of its items");
    bad_schema("{\"$ref\":\"#/nowhere\"}", "\"#/nowhere\" is neither in");
    bad_schema("{\"$ref\":\"x.json\"}", "is neither in the schema nor among");
    bad_schema("{\"type\":\"integer\",\"connect.type\":\"int128\"}",
               "connect.type is \"int128\"");
    bad_schema("{\"type\":\"integer\",\"default\":\"x\"}", "the default");
    tg_buf deep = {0};
    for (int i = 0; i < 1000; i++)
        tg_buf_str(&deep, "{\"type\":\"array\",\"items\":");
    tg_buf_str(&deep, "true");
    for (int i = 0; i < 1000; i++)
        tg_buf_str(&deep, "}");
    bad_schema(tg_buf_cstr(&deep), "nested more than 64 deep");
    tg_buf_fini(&deep);
    bad_value("{\"type\":\"integer\"}", "\"x\"", "found a string where");
    bad_value("{\"type\":\"integer\"}", "null", "null for a required int64");
    bad_value("{\"type\":\"integer\"}", "1 2", "nothing after the end");
    bad_value("{\"type\":\"integer\"}", "", "the value is empty");
    bad_value(OBJECT("\"a\":{\"type\":\"boolean\"}"), "[]", "an object");
    bad_value(OBJECT("\"a\":{\"type\":\"boolean\"}"), "{\"a\":1}",
              "field \"a\"");
    bad_value(union_of, "true", "fits none of the schemas of a oneOf");
    tg_err err = {0};
    json_t *config = json_pack("{s:s, s:s}", "schema.registry.url", fake->url,
                               "json.fail.invalid.schema", "true");
    assert_null(tg_converter_new("JsonSchema", config, "value", &err));
    assert_has(err.text, "json.fail.invalid.schema=true is not supported");
    json_decref(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading),      cmocka_unit_test(test_unions),
        cmocka_unit_test(test_references),   cmocka_unit_test(test_writing),
        cmocka_unit_test(test_removed_keys), cmocka_unit_test(test_any_is_json),
        cmocka_unit_test(test_refused)};
    tg_convert_init();
    tg_log_level = TG_LOG_WARN;
    fake = fake_start();
    batch = tg_batch_new(0, 0);
    json = converter("Json", "schemas.enable=false", "value");
    envelope = converter("Json", "", "value");
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    tg_converter_free(json);
    tg_converter_free(envelope);
    tg_batch_free(batch);
    fake_stop(fake);
    return rc;
}
