/*
 * ProtobufConverter: messages that protobuf's Python library wrote
 * (proto/cases.json) are read, shown by JsonConverter, and written again to a
 * message with the same values; the Connect schemas and .proto texts that
 * Confluent's converter makes; settings; what is refused.
 */
#include "base/log.h"
#include "cells.h"
#include "convert/json_write.h"
#include "convert/proto_file.h"
#include "convert/protobuf.h"
#include "registry/fake_registry.h"
#include "registry/registry.h"

static fake_registry *fake;
static tg_batch *batch;
static tg_converter *json, *envelope;

static tg_converter *protobuf(const char *more, const char *role)
{
    char settings[512];
    snprintf(settings, sizeof settings,
             "schema.registry.url=%s,max.retries=0%s%s", fake->url,
             *more ? "," : "", more);
    return converter("Protobuf", settings, role);
}

static size_t unhex(const char *hex, char *out)
{
    size_t n = 0;
    unsigned c;
    for (; sscanf(hex, "%2x", &c) == 1; hex += 2)
        out[n++] = (char)c;
    return n;
}

/* A value of topic "t": id, what stands behind it, and the message, both in
 * hexadecimal. */
static tg_cell *cell_with(const tg_converter *conv, int id, const char *path,
                          const char *hex)
{
    static char bytes[1 << 16];
    tg_registry_write_id(bytes, id);
    size_t n = 5 + unhex(path, bytes + 5);
    n += unhex(hex, bytes + n);
    tg_cell *cell = cell_of(batch, conv, bytes, n);
    tg_record_set_topic(cell->record, "t", 1);
    return cell;
}

static void mark(tg_value *v)
{
    if (v->tag < TG_ARRAY)
        return;
    v->u.node->dirty = 1;
    for (uint32_t i = 0; i < v->u.node->n; i++)
        mark(&v->u.node->slots[i]);
}

/* --- bytes of another library --------------------------------------------- */

static void path_hex(const json_t *path, char *out)
{
    size_t n = json_array_size(path);
    if (n == 1 && json_integer_value(json_array_get(path, 0)) == 0) {
        strcpy(out, "00");
        return;
    }
    out += sprintf(out, "%02x", (unsigned)n * 2);
    for (size_t i = 0; i < n; i++)
        out +=
            sprintf(out, "%02x",
                    (unsigned)json_integer_value(json_array_get(path, i)) * 2);
}

static void run_value(const tg_converter *conv, int id, const char *path,
                      const char *hex, const char *want)
{
    tg_err err = {0};
    tg_cell *cell = cell_with(conv, id, path, hex);
    decoded(cell);
    const char *text = encoded(cell, json);
    if (strcmp(text, want) != 0)
        fail_msg("%s: %s instead of %s", hex, text, want);
    if (tg_cell_encode(cell, conv, &err) || cell->out != cell->raw)
        fail_msg("%s: untouched, but not sent as received", hex);
    mark(&cell->value);
    cell->dirty = 1;
    if (tg_cell_encode(cell, conv, &err))
        fail_msg("%s: %s", hex, err.text);
    /* The new schema has no keyword optional: null has become 0 there. */
    if (strstr(want, "null"))
        return;
    static char bytes[1 << 16];
    size_t n = (size_t)cell->outlen;
    memcpy(bytes, cell->out, n);
    cell = cell_of(batch, conv, bytes, n);
    tg_record_set_topic(cell->record, "t", 1);
    decoded(cell);
    text = encoded(cell, json);
    if (strcmp(text, want) != 0)
        fail_msg("%s: %s instead of %s after writing it", hex, text, want);
}

static void run_case(const json_t *c, const char *text)
{
    char settings[256] = "", path[64];
    const char *key;
    json_t *v;
    size_t i;
    json_object_foreach(json_object_get(c, "settings"), key, v)
        snprintf(settings, sizeof settings, "%s=%s", key, json_string_value(v));
    tg_converter *conv = protobuf(settings, "value");
    int id = fake_add(fake, "t-value", text, "PROTOBUF", NULL);
    path_hex(json_object_get(c, "path"), path);
    json_array_foreach(json_object_get(c, "values"), i, v)
        run_value(conv, id, path, json_string_value(json_object_get(v, "hex")),
                  json_string_value(json_object_get(v, "json")));
    tg_converter_free(conv);
}

static void test_cases(void **state)
{
    char file[512];
    size_t i;
    json_t *c;
    (void)state;
    snprintf(file, sizeof file, "%s/tests/unit/convert/proto/cases.json",
             getenv("SOURCE_DIR") ? getenv("SOURCE_DIR") : ".");
    json_t *cases = json_load_file(file, 0, NULL);
    assert_non_null(cases);
    json_array_foreach(cases, i, c)
    {
        run_case(c, json_string_value(json_object_get(c, "proto")));
        run_case(c, json_string_value(json_object_get(c, "descriptor")));
    }
    assert_true(i >= 12);
    json_decref(cases);
}

/* --- schemas -------------------------------------------------------------- */

/* The text that a Connect schema (as JsonConverter's envelope) becomes. */
static void text_is(const char *settings, const char *schema, const char *want)
{
    tg_converter *conv = protobuf(settings, "value");
    tg_err err = {0};
    char *text = tg_sprintf("{\"schema\":%s,\"payload\":{}}", schema);
    tg_cell *cell = cell_of(batch, envelope, text, strlen(text));
    tg_record_set_topic(cell->record, "s", 1);
    if (tg_cell_encode(cell, conv, &err))
        fail_msg("%s: %s", schema, err.text);
    const char *got = fake->schemas[fake->n - 1].text;
    if (strcmp(got, want) != 0)
        fail_msg("%s instead of %s", got, want);
    tg_proto_set *set = tg_proto_load(got, NULL, 0, &err);
    if (!set)
        fail_msg("%s", err.text);
    tg_proto_free(set);
    tg_free(text);
    tg_converter_free(conv);
}

#define FIELD(name, type, more)                                                \
    "{\"field\":\"" name "\",\"type\":\"" type "\",\"optional\":true" more "}"
#define TAG(n)                                                                 \
    ",\"parameters\":{\"io.confluent.connect.protobuf.Tag\":\"" #n "\"}"
#define LOGICAL(name)                                                          \
    ",\"name\":\"org.apache.kafka.connect.data." name "\",\"version\":1"

static void test_texts(void **state)
{
    (void)state;
    text_is(
        "",
        "{\"type\":\"struct\",\"name\":\"shop.Order\",\"fields\":[" FIELD("id", "int64", "") "," FIELD(
            "tiny", "int8",
            "") "," FIELD("day", "int32",
                          LOGICAL(
                              "Date")) "," FIELD("line", "struct",
                                                 ",\"name\":\"shop.line\","
                                                 "\"fields\":[" FIELD(
                                                     "sku", "string",
                                                     "") "]") "," FIELD("tags",
                                                                        "map",
                                                                        ",\"key"
                                                                        "s\":{"
                                                                        "\"type"
                                                                        "\":"
                                                                        "\"stri"
                                                                        "ng\"},"
                                                                        "\"valu"
                                                                        "es\":{"
                                                                        "\"type"
                                                                        "\":"
                                                                        "\"int3"
                                                                        "2\"},"
                                                                        "\"name"
                                                                        "\":"
                                                                        "\"tags"
                                                                        "\"") "," FIELD("list",
                                                                                        "array",
                                                                                        ",\"items\":{\"type\":\"boolean\"}") "]}",
        "syntax = \"proto3\";\npackage shop;\n\n"
        "import \"confluent/meta.proto\";\n"
        "import \"google/type/date.proto\";\n\n"
        "message Order {\n"
        "  int64 id = 1;\n"
        "  int32 tiny = 2 [(confluent.field_meta) = {\n"
        "    params: [\n"
        "      {key: \"connect.type\", value: \"int8\"}\n"
        "    ]\n"
        "  }];\n"
        "  google.type.Date day = 3;\n"
        "  lineMessage line = 4;\n"
        "  repeated tagsEntry tags = 5;\n"
        "  repeated bool list = 6;\n"
        "  message lineMessage {\n"
        "    string sku = 1;\n"
        "  }\n"
        "  message tagsEntry {\n"
        "    string key = 1;\n"
        "    int32 value = 2;\n"
        "  }\n"
        "}\n");
    /* a field without a number is above the others, one with a number that is
     * taken too; nullable as optional; no name */
    text_is("optional.for.nullables=true",
            "{\"type\":\"struct\",\"fields\":[" FIELD(
                "a", "int32", TAG(7)) "," FIELD("b", "string",
                                                "") "," FIELD("c", "int32",
                                                              TAG(7)) "]}",
            "syntax = \"proto3\";\n\nmessage ConnectDefault1 {\n"
            "  optional int32 a = 7;\n  optional string b = 8;\n"
            "  optional int32 c = 9;\n}\n");
    text_is("scrub.invalid.names=true,wrapper.for.nullables=true",
            "{\"type\":\"struct\",\"name\":\"my-space.1st\",\"fields\":[" FIELD(
                "a b", "int32", "") "," FIELD("_x", "string", "") "]}",
            "syntax = \"proto3\";\npackage my_space;\n\n"
            "import \"google/protobuf/wrappers.proto\";\n\n"
            "message x1st {\n"
            "  google.protobuf.Int32Value a_b = 1;\n"
            "  google.protobuf.StringValue x_x = 2;\n}\n");
}

/* The Connect schema of a message, as the envelope shows it. */
static void schema_is(const char *settings, const char *proto, const char *want)
{
    tg_converter *conv = protobuf(settings, "value");
    int id = fake_add(fake, "other", proto, "PROTOBUF", NULL);
    tg_cell *cell = cell_with(conv, id, "00", "");
    size_t len;
    decoded(cell);
    const char *got = tg_json_schema_text(cell->schema, &len);
    if (strcmp(got, want) != 0)
        fail_msg("%s instead of %s", got, want);
    tg_converter_free(conv);
}

static void test_connect_schemas(void **state)
{
    static const char proto[] =
        "syntax = \"proto3\"; package p; message M { uint32 u = 1;"
        " enum E { A = 0; B = 2; } E e = 2; repeated sint64 l = 3;"
        " map<string, bool> my_map = 4; optional string o = 5; N n = 6; }"
        " message N { int32 x = 1; }";
    (void)state;
    schema_is(
        "", proto,
        "{\"type\":\"struct\",\"fields\":[{\"type\":\"int64\",\"optional\":"
        "true,"
        "\"parameters\":{\"io.confluent.connect.protobuf.Type\":\"uint32\","
        "\"io.confluent.connect.protobuf.Tag\":\"1\"},\"field\":\"u\"},"
        "{\"type\":\"string\",\"optional\":true,\"name\":\"E\",\"parameters\":{"
        "\"io.confluent.connect.protobuf.Enum\":\"E\","
        "\"io.confluent.connect.protobuf.Enum.A\":\"0\","
        "\"io.confluent.connect.protobuf.Enum.B\":\"2\","
        "\"io.confluent.connect.protobuf.Tag\":\"2\"},\"field\":\"e\"},"
        "{\"type\":\"array\",\"items\":{\"type\":\"int64\",\"optional\":true,"
        "\"parameters\":{\"io.confluent.connect.protobuf.Type\":\"sint64\"}},"
        "\"optional\":true,\"parameters\":{"
        "\"io.confluent.connect.protobuf.Tag\":\"3\"},\"field\":\"l\"},"
        "{\"type\":\"map\",\"keys\":{\"type\":\"string\",\"optional\":true,"
        "\"parameters\":{\"io.confluent.connect.protobuf.Tag\":\"1\"}},"
        "\"values\":{\"type\":\"boolean\",\"optional\":true,"
        "\"parameters\":{\"io.confluent.connect.protobuf.Tag\":\"2\"}},"
        "\"optional\":true,\"name\":\"my_map\",\"parameters\":{"
        "\"io.confluent.connect.protobuf.Tag\":\"4\"},\"field\":\"my_map\"},"
        "{\"type\":\"string\",\"optional\":true,\"parameters\":{"
        "\"io.confluent.connect.protobuf.Tag\":\"5\"},\"field\":\"o\"},"
        "{\"type\":\"struct\",\"fields\":[{\"type\":\"int32\",\"optional\":"
        "true,"
        "\"parameters\":{\"io.confluent.connect.protobuf.Tag\":\"1\"},"
        "\"field\":\"x\"}],\"optional\":true,\"name\":\"N\",\"parameters\":{"
        "\"io.confluent.connect.protobuf.Tag\":\"6\"},\"field\":\"n\"}],"
        "\"optional\":false,\"name\":\"M\"}");
    schema_is(
        "enhanced.protobuf.schema.support=true,optional.for.nullables="
        "true,int.for.enums=true",
        "syntax = \"proto3\"; package p; message M { optional int32 a = 1;"
        " int32 b = 2; enum E { Z = 0; } E e = 3; }",
        "{\"type\":\"struct\",\"fields\":[{\"type\":\"int32\","
        "\"optional\":true,\"parameters\":{"
        "\"io.confluent.connect.protobuf.Tag\":\"1\"},\"field\":\"a\"},"
        "{\"type\":\"int32\",\"optional\":false,\"parameters\":{"
        "\"io.confluent.connect.protobuf.Tag\":\"2\"},\"field\":\"b\"},"
        "{\"type\":\"int32\",\"optional\":true,\"name\":\"p.M.E\","
        "\"parameters\":{\"io.confluent.connect.protobuf.Enum\":\"E\","
        "\"io.confluent.connect.protobuf.Enum.Z\":\"0\","
        "\"io.confluent.connect.protobuf.Tag\":\"3\"},\"field\":\"e\"}],"
        "\"optional\":false,\"name\":\"p.M\"}");
}

/* --- schemas of others ---------------------------------------------------- */

static const char row[] =
    "{\"schema\":{\"type\":\"struct\",\"name\":\"x.Mine\",\"fields\":[{"
    "\"field\":\"a\",\"type\":\"int32\"},{\"field\":\"b\",\"type\":"
    "\"string\"}]},\"payload\":{\"a\":5,\"b\":\"x\"}}";

static void by_newest(const char *more, const char *want, const char *refused)
{
    char settings[128];
    snprintf(settings, sizeof settings,
             "auto.register.schemas=false,use.latest.version=true%s", more);
    tg_converter *conv = protobuf(settings, "value");
    tg_err err = {0};
    tg_cell *cell = cell_of(batch, envelope, row, strlen(row));
    tg_record_set_topic(cell->record, "n", 1);
    int rc = tg_cell_encode(cell, conv, &err);
    if (refused) {
        assert_int_equal(rc, TG_ERR_DATA);
        assert_has(err.text, refused);
    } else {
        char bytes[64];
        size_t n = unhex(want, bytes);
        if (rc)
            fail_msg("%s", err.text);
        assert_int_equal(cell->outlen, n + 5);
        assert_memory_equal(cell->out + 5, bytes, n);
    }
    tg_converter_free(conv);
}

/* Written by name into the newest version; the message of that name, else the
 * first. */
static void test_newest_version(void **state)
{
    (void)state;
    fake_add(fake, "n-value",
             "syntax = \"proto3\"; message Z {}  message Y {"
             " sint64 a = 9; bytes c = 3; string b = 2; }",
             "PROTOBUF", NULL);
    by_newest("", NULL, "the Protobuf schema has no field \"a\"");
    by_newest(",latest.compatibility.strict=false", "00", NULL);
    fake_add(fake, "n-value",
             "syntax = \"proto3\"; package x; message Z {} message Mine {"
             " sint64 a = 9; bytes c = 3; string b = 2; }",
             "PROTOBUF", NULL);
    by_newest("",
              "0202"
              "120178"
              "480a",
              NULL);
    fake_add(fake, "n-value",
             "syntax = \"proto3\"; message Mine { bool a = 1; }", "PROTOBUF",
             NULL);
    by_newest("", NULL, "field \"a\" is int32 in the record, but bool");
}

/* --- whole scalars -------------------------------------------------------- */

static void test_scalars(void **state)
{
    static const char *const values[] = {
        "{\"schema\":{\"type\":\"string\"},\"payload\":\"x\"}",
        "{\"schema\":{\"type\":\"int32\"},\"payload\":-5}",
        "{\"schema\":{\"type\":\"bytes\"},\"payload\":\"AA==\"}",
        "{\"schema\":{\"type\":\"double\"},\"payload\":0.0}"};
    tg_converter *conv = protobuf("", "value");
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        tg_cell *cell = cell_of(batch, envelope, values[i], strlen(values[i]));
        tg_record_set_topic(cell->record, "w", 1);
        tg_err err = {0};
        if (tg_cell_encode(cell, conv, &err))
            fail_msg("%s: %s", values[i], err.text);
        static char bytes[64];
        size_t n = (size_t)cell->outlen;
        memcpy(bytes, cell->out, n);
        if (i == 0)
            assert_memory_equal(bytes + 5, "\x02\x0e\x0a\x01x", 5);
        cell = cell_of(batch, conv, bytes, n);
        decoded(cell);
        const char *text = encoded(cell, json);
        assert_non_null(strstr(values[i], text));
    }
    tg_converter_free(conv);
}

/* Files that two others import each, level below level: 2^30 ways, 60 files. */
static void test_shared_imports(void **state)
{
    (void)state;
    json_t *refs = NULL;
    char name[2][32], *text = NULL;
    for (int level = 0; level <= 30; level++) {
        json_t *next = json_array();
        for (int i = 0; i < (level < 30 ? 2 : 1); i++) {
            snprintf(name[i], sizeof name[i], "f%d_%d.proto", level, i);
            text = tg_sprintf("syntax = \"proto3\";\n");
            for (int j = 0; j < 2 && level > 0; j++) {
                char *more = tg_sprintf("%simport \"f%d_%d.proto\";\n", text,
                                        level - 1, j);
                tg_free(text);
                text = more;
            }
            char *all = tg_sprintf("%smessage M%d_%d { int32 a = 1; }\n", text,
                                   level, i);
            fake_add(fake, name[i], all, "PROTOBUF", refs);
            json_array_append_new(next,
                                  json_pack("{s:s,s:s,s:i}", "name", name[i],
                                            "subject", name[i], "version", 1));
            tg_free(text);
            tg_free(all);
        }
        json_decref(refs);
        refs = next;
    }
    json_decref(refs);
    tg_converter *conv = protobuf("", "value");
    tg_cell *cell = cell_with(conv, fake_find(fake, "f30_0.proto", NULL, 0)->id,
                              "00", "0807");
    decoded(cell);
    assert_string_equal(encoded(cell, json), "{\"a\":7}");
    tg_converter_free(conv);
}

/* A Decimal field that holds the number, as an envelope. */
static const char *decimal_as(tg_value number)
{
    static const char text[] =
        "{\"schema\":{\"type\":\"struct\",\"fields\":[{\"field\":\"d\","
        "\"type\":\"bytes\",\"name\":\"org.apache.kafka.connect.data."
        "Decimal\",\"version\":1,\"parameters\":{\"scale\":\"1\"}}]},"
        "\"payload\":{\"d\":\"AQ==\"}}";
    static char bytes[16384];
    tg_err err = {0};
    tg_converter *conv = protobuf("", "value");
    tg_converter *plain = converter(
        "Json", "schemas.enable=false,decimal.format=NUMERIC", "value");
    tg_cell *cell = cell_of(batch, envelope, text, strlen(text));
    tg_record_set_topic(cell->record, "d", 1);
    decoded(cell);
    cell->value.u.node->slots[0] = number;
    cell->dirty = cell->value.u.node->dirty = 1;
    const char *out = NULL;
    if (tg_cell_encode(cell, conv, &err)) {
        out = tg_arena_dup(batch->arena, err.text, strlen(err.text) + 1);
    } else {
        size_t n = (size_t)cell->outlen;
        assert_true(n <= sizeof bytes);
        memcpy(bytes, cell->out, n);
        cell = cell_of(batch, conv, bytes, n);
        decoded(cell);
        out = encoded(cell, plain);
    }
    tg_converter_free(plain);
    tg_converter_free(conv);
    return out;
}

/* Scripts may write any kind of number under a Decimal schema. */
static void test_decimals(void **state)
{
    static char big[4200];
    (void)state;
    assert_string_equal(decimal_as((tg_value){.tag = TG_FLOAT64, .u.d = 0.1}),
                        "{\"d\":0.1}");
    assert_string_equal(decimal_as((tg_value){.tag = TG_FLOAT64, .u.d = -2.5}),
                        "{\"d\":-2.5}");
    assert_string_equal(
        decimal_as((tg_value){.tag = TG_INT64, .u.i = INT64_MIN}),
        "{\"d\":-9223372036854775808}");
    assert_string_equal(
        decimal_as((tg_value){.tag = TG_NUM, .len = 5, .u.p = "12.34"}),
        "{\"d\":12.34}");
    assert_has(decimal_as((tg_value){.tag = TG_FLOAT64, .u.d = 1.0 / 0.0}),
               "no number");
    /* its precision cannot be counted: no wrong one is written */
    big[0] = 1;
    assert_has(
        decimal_as((tg_value){.tag = TG_BYTES, .len = sizeof big, .u.p = big}),
        "4200 bytes");
}

/* --- what is refused ------------------------------------------------------ */

static void bad_schema(const char *proto, const char *part)
{
    tg_err err = {0};
    tg_proto_set *set = tg_proto_load(proto, NULL, 0, &err);
    if (set)
        fail_msg("accepted: %s", proto);
    assert_has(err.text, part);
}

static void test_bad_schemas(void **state)
{
    (void)state;
    bad_schema("message M { int32 x = 1 }",
               "protobuf schema, line 1: a field needs optional, required or"
               " repeated in proto2");
    bad_schema("syntax = \"proto3\";\nmessage M {\n int32 x = 1\n}",
               "line 4: found \"}\", expected ';'");
    bad_schema("syntax = \"proto3\"; message M { int32 x = 0; }",
               "field x has the number 0; numbers are 1 to 536870911");
    bad_schema("syntax = \"proto3\"; message M { int32 x = 536870912; }",
               "numbers are 1 to");
    bad_schema("syntax = \"proto3\"; message M { int32 x = 99999999999; }",
               "does not fit");
    bad_schema("syntax = \"proto3\"; message M { int32 x = 19000; }",
               "keeps for itself");
    bad_schema("syntax = \"proto3\"; message M { int32 x = 1; int32 y = 1; }",
               "has the number of another field");
    bad_schema("syntax = \"proto3\"; message M { int32 x = 1; int64 x = 2; }",
               "exists twice");
    bad_schema("syntax = \"proto3\"; message M { Foo x = 1; }",
               "has the type Foo, which is not defined");
    bad_schema("syntax = \"proto3\"; import \"a.proto\";",
               "imports \"a.proto\", which is neither among the references");
    bad_schema("syntax = \"proto4\";", "supported are proto2 and proto3");
    bad_schema("edition = \"2023\";", "edition \"2023\" is not supported");
    bad_schema("syntax = \"proto3\"; message M { map<float, int32> x = 1; }",
               "keys of a map are integers, bool or string, not float");
    bad_schema("syntax = \"proto3\"; /* open", "a comment is not closed");
    bad_schema("syntax = \"proto3", "a string is not closed");
    bad_schema("syntax = \"proto3\"; message M { required int32 x = 1; }",
               "proto3 has no required fields");
    tg_buf deep = {0};
    tg_buf_str(&deep, "syntax = \"proto3\";");
    for (int i = 0; i < 100000; i++)
        tg_buf_str(&deep, "message M{");
    bad_schema(tg_buf_cstr(&deep), "blocks are nested more than 64 deep");
    tg_buf_fini(&deep);
}

static void bad_bytes(const tg_converter *conv, int id, const char *path,
                      const char *hex, const char *part)
{
    tg_err err = {0};
    tg_cell *cell = cell_with(conv, id, path, hex);
    if (!tg_cell_decode(cell, &err))
        fail_msg("accepted: %s", hex);
    assert_int_equal(err.code, TG_ERR_DATA);
    assert_has(err.text, part);
}

static void test_bad_bytes(void **state)
{
    tg_converter *conv = protobuf("", "value");
    int id = fake_add(fake, "bad",
                      "syntax = \"proto3\"; message M { int32 x = 1;"
                      " string s = 2; M m = 3; repeated fixed64 l = 4;"
                      " N n = 5; } message N { O o = 1; repeated N up = 2; }"
                      " message O { bytes b = 1; }",
                      "PROTOBUF", NULL);
    (void)state;
    bad_bytes(conv, id, "00", "08", "malformed Protobuf at byte");
    bad_bytes(conv, id, "00", "08ffffffffffffffffffff01", "malformed");
    bad_bytes(conv, id, "00", "12ff", "malformed");
    bad_bytes(conv, id, "00", "12ffffffff0f61", "malformed");
    bad_bytes(conv, id, "00", "12ffffffffffffffffff0161", "malformed");
    bad_bytes(conv, id, "00", "0a", "malformed");
    bad_bytes(conv, id, "00", "00", "malformed");
    bad_bytes(conv, id, "00", "0f", "malformed");
    bad_bytes(conv, id, "00", "0c", "malformed");
    bad_bytes(conv, id, "00", "2207", "field \"l\"");
    bad_bytes(conv, id, "00", "1201ff", "a string is not UTF-8: byte 0xFF");
    bad_bytes(conv, id, "", "", "the path to the message");
    bad_bytes(conv, id, "0208", "", "has no message at the place");
    bad_bytes(conv, id, "0201", "", "has no message at the place");
    bad_bytes(conv, id, "ffffffffffffff7f", "", "the path to the message");
    bad_bytes(conv, id, "02", "", "the path to the message");
    char deep[1000] = "";
    for (int i = 0; i < 120; i++)
        strcat(deep, "7b");
    bad_bytes(conv, id, "00", deep, "malformed");
    tg_converter_free(conv);
}

static void bad_value(const char *text, const char *part)
{
    tg_converter *conv = protobuf("", "value");
    tg_err err = {0};
    tg_cell *cell = cell_of(batch, envelope, text, strlen(text));
    tg_record_set_topic(cell->record, "b", 1);
    if (!tg_cell_encode(cell, conv, &err))
        fail_msg("accepted: %s", text);
    assert_has(err.text, part);
    tg_converter_free(conv);
}

static void test_bad_values(void **state)
{
    tg_err err = {0};
    json_t *config = json_pack("{s:s}", "schema.registry.url", fake->url);
    (void)state;
    bad_value("{\"schema\":null,\"payload\":{\"a\":1}}",
              "writes values with a schema");
    bad_value("{\"schema\":{\"type\":\"array\",\"items\":{\"type\":\"int32\"}},"
              "\"payload\":[]}",
              "writes structs and scalars; the whole value is array");
    bad_value("{\"schema\":{\"type\":\"struct\",\"fields\":[{\"field\":\"a-b\","
              "\"type\":\"int32\"}]},\"payload\":{\"a-b\":1}}",
              "set scrub.invalid.names=true");
    bad_value("{\"schema\":{\"type\":\"struct\",\"fields\":[{\"field\":\"a\","
              "\"type\":\"array\",\"items\":{\"type\":\"int32\",\"optional\":"
              "true}}]},\"payload\":{\"a\":[1,null]}}",
              "field \"a\": element 2 is null");
    bad_value("{\"schema\":{\"type\":\"struct\",\"fields\":[{\"field\":\"a\","
              "\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":{"
              "\"type\":\"int32\"}}}]},\"payload\":{\"a\":[]}}",
              "an array of arrays, maps or unions");
    assert_null(tg_converter_new("Protobuf", config, "header", &err));
    assert_has(err.text, "is no header converter");
    json_object_set_new(config, "flatten.unions", json_string("perhaps"));
    assert_null(tg_converter_new("Protobuf", config, "value", &err));
    assert_has(err.text, "flatten.unions");
    json_decref(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases),
                                       cmocka_unit_test(test_texts),
                                       cmocka_unit_test(test_scalars),
                                       cmocka_unit_test(test_decimals),
                                       cmocka_unit_test(test_shared_imports),
                                       cmocka_unit_test(test_bad_schemas),
                                       cmocka_unit_test(test_bad_bytes),
                                       cmocka_unit_test(test_bad_values),
                                       cmocka_unit_test(test_connect_schemas),
                                       cmocka_unit_test(test_newest_version)};
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
