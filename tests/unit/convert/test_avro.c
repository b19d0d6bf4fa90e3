/*
 * AvroConverter: values that fastavro wrote (avro/cases.json) are read, shown
 * by JsonConverter, and written again to the same bytes; schemas in both
 * directions as Confluent's converter has them; settings; what is refused.
 */
#include "base/log.h"
#include "cells.h"
#include "convert/avro.h"
#include "convert/json_write.h"
#include "registry/fake_registry.h"
#include "registry/registry.h"

static fake_registry *fake;
static tg_batch *batch;
static tg_converter *json, *envelope;

static tg_converter *avro(const char *more, const char *role)
{
    char settings[512];
    snprintf(settings, sizeof settings,
             "schema.registry.url=%s,max.retries=0%s%s", fake->url,
             *more ? "," : "", more);
    return converter("Avro", settings, role);
}

/* The registry client of such a converter. */
static tg_registry *shared_registry(const char *more, const char *role)
{
    tg_err err = {0};
    json_t *config = json_pack("{s:s,s:s}", "schema.registry.url", fake->url,
                               "max.retries", "0");
    char *copy = tg_strdup(more), *save = NULL;
    for (char *s = strtok_r(copy, ",", &save); s;
         s = strtok_r(NULL, ",", &save)) {
        char *eq = strchr(s, '=');
        *eq = 0;
        json_object_set_new(config, s, json_string(eq + 1));
    }
    tg_registry *reg = tg_registry_open(config, role, &err);
    json_decref(config);
    tg_free(copy);
    return reg;
}

static size_t unhex(const char *hex, char *out)
{
    size_t n = 0;
    unsigned c;
    for (; sscanf(hex, "%2x", &c) == 1; hex += 2)
        out[n++] = (char)c;
    return n;
}

/* A value of topic "t" with the id and the bytes (hexadecimal). */
static tg_cell *cell_with(const tg_converter *conv, int id, const char *hex)
{
    static char bytes[1 << 16];
    tg_registry_write_id(bytes, id);
    size_t n = unhex(hex, bytes + 5);
    tg_cell *cell = cell_of(batch, conv, bytes, n + 5);
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

static void must_be(const tg_cell *cell, int id, const char *hex,
                    const char *what)
{
    char bytes[1 << 16], head[5];
    size_t n = unhex(hex, bytes);
    tg_registry_write_id(head, id);
    if (cell->outlen != (int32_t)n + 5 || memcmp(cell->out, head, 5) != 0 ||
        memcmp(cell->out + 5, bytes, n) != 0)
        fail_msg("%s: other bytes than %s", what, hex);
}

/* --- bytes of fastavro ---------------------------------------------------- */

static void run_value(const tg_converter *conv, const tg_converter *same,
                      const char *name, int id, const char *hex,
                      const char *want)
{
    tg_err err = {0};
    tg_cell *cell = cell_with(conv, id, hex);
    decoded(cell);
    const char *text = encoded(cell, json);
    if (strcmp(text, want) != 0)
        fail_msg("%s %s: %s instead of %s", name, hex, text, want);
    if (tg_cell_encode(cell, conv, &err) || cell->out != cell->raw)
        fail_msg("%s %s: untouched, but not sent as received", name, hex);
    mark(&cell->value);
    cell->dirty = 1;
    /* by the schema that the registry has */
    if (tg_cell_encode(cell, same, &err))
        fail_msg("%s %s: %s", name, hex, err.text);
    must_be(cell, id, hex, name);
    /* By the one made from the Connect schema: other branches, same value.
     * General unions number their fields by branch, and null comes first. */
    if (strcmp(name, "union, general") == 0)
        return;
    if (tg_cell_encode(cell, conv, &err))
        fail_msg("%s %s: %s", name, hex, err.text);
    char *copy = tg_alloc((size_t)cell->outlen);
    memcpy(copy, cell->out, (size_t)cell->outlen);
    cell = cell_of(batch, conv, copy, (size_t)cell->outlen);
    tg_record_set_topic(cell->record, "t", 1);
    decoded(cell);
    text = encoded(cell, json);
    if (strcmp(text, want) != 0)
        fail_msg("%s %s: %s after a round instead of %s", name, hex, text,
                 want);
    tg_free(copy);
}

static void run_case(const json_t *c)
{
    const char *name = json_string_value(json_object_get(c, "name"));
    const char *set = json_string_value(json_object_get(c, "settings"));
    const char *schema = json_string_value(json_object_get(c, "schema"));
    char more[256];
    size_t i;
    json_t *v;
    int id = fake_put(fake, name, schema);
    tg_converter *conv = avro(set, "value");
    snprintf(more, sizeof more,
             "auto.register.schemas=false,use.schema.id=%d%s%s", id,
             *set ? "," : "", set);
    tg_converter *same = avro(more, "value");
    json_array_foreach(json_object_get(c, "values"), i, v)
    {
        run_value(conv, same, name, id,
                  json_string_value(json_object_get(v, "hex")),
                  json_string_value(json_object_get(v, "json")));
    }
    tg_converter_free(conv);
    tg_converter_free(same);
}

static void bytes_of_fastavro(void **state)
{
    (void)state;
    char *path = tg_sprintf("%s/tests/unit/convert/avro/cases.json",
                            getenv("SOURCE_DIR") ? getenv("SOURCE_DIR") : ".");
    json_t *all = json_load_file(path, 0, NULL), *c;
    size_t i;
    if (!all)
        fail_msg("cannot read %s", path);
    assert_true(json_array_size(all) >= 35);
    json_array_foreach(all, i, c) run_case(c);
    json_decref(all);
    tg_free(path);
}

/* --- schemas -------------------------------------------------------------- */

/* The envelope that JsonConverter writes for a value of an Avro schema. */
static const char *seen_as(const char *settings, const char *schema,
                           const char *hex)
{
    tg_converter *conv = avro(settings, "value");
    int id = fake_put(fake, "t-value", schema);
    tg_cell *cell = cell_with(conv, id, hex);
    decoded(cell);
    const char *text = encoded(cell, envelope);
    tg_converter_free(conv);
    return text;
}

static void to_connect(void **state)
{
    (void)state;
    static const char *const all[][4] = {
        {"", "\"int\"", "02",
         "{\"schema\":{\"type\":\"int32\",\"optional\":false,\"version\":1},"
         "\"payload\":1}"},
        /* numbers beyond an int as Java's intValue() takes them */
        {"", "{\"type\":\"int\",\"connect.version\":4294967301}", "02",
         "{\"schema\":{\"type\":\"int32\",\"optional\":false,\"version\":5},"
         "\"payload\":1}"},
        {"", "{\"type\":\"int\",\"connect.version\":1e300}", "02",
         "{\"schema\":{\"type\":\"int32\",\"optional\":false,\"version\":"
         "2147483647},\"payload\":1}"},
        {"",
         "{\"type\":\"record\",\"name\":\"a.b.R\",\"doc\":\"rd\",\"fields\":["
         "{\"name\":\"x\",\"type\":\"int\",\"doc\":\"fd\",\"default\":7},"
         "{\"name\":\"y\",\"type\":[\"null\",\"string\"],\"default\":null}]}",
         "0200",
         "{\"schema\":{\"type\":\"struct\",\"fields\":[{\"type\":\"int32\","
         "\"optional\":false,\"parameters\":{\"io.confluent.connect.avro.field."
         "default\":\"true\"},\"default\":7,\"field\":\"x\"},{\"type\":"
         "\"string\",\"optional\":true,\"field\":\"y\"}],\"optional\":false,"
         "\"name\":\"a.b.R\",\"version\":1,\"parameters\":{\"io.confluent."
         "connect.avro.record.doc\":\"rd\",\"io.confluent.connect.avro.field."
         "doc.x\":\"fd\"}},\"payload\":{\"x\":1,\"y\":null}}"},
        {"discard.type.doc.default=true",
         "{\"type\":\"record\",\"name\":\"R\",\"doc\":\"rd\",\"fields\":["
         "{\"name\":\"x\",\"type\":\"int\",\"doc\":\"fd\",\"default\":7}]}",
         "02",
         "{\"schema\":{\"type\":\"struct\",\"fields\":[{\"type\":\"int32\","
         "\"optional\":false,\"doc\":\"fd\",\"default\":7,\"field\":\"x\"}],"
         "\"optional\":false,\"name\":\"R\",\"version\":1,\"doc\":\"rd\","
         "\"parameters\":{\"connect.record.doc\":\"rd\"}},\"payload\":{\"x\":"
         "1}}"},
        {"connect.meta.data=false",
         "{\"type\":\"record\",\"name\":\"R\",\"doc\":\"rd\",\"fields\":["
         "{\"name\":\"x\",\"type\":{\"type\":\"int\",\"connect.doc\":\"d\","
         "\"connect.parameters\":{\"a\":\"b\"},\"connect.version\":3}}]}",
         "02",
         "{\"schema\":{\"type\":\"struct\",\"fields\":[{\"type\":\"int32\","
         "\"optional\":false,\"version\":3,\"field\":\"x\"}],\"optional\":"
         "false,\"name\":\"R\",\"version\":1},\"payload\":{\"x\":1}}"},
        {"",
         "{\"type\":\"bytes\",\"scale\":2,\"precision\":38,\"connect.version\":"
         "1,\"connect.parameters\":{\"scale\":\"2\",\"connect.decimal."
         "precision\":\"38\"},\"connect.name\":\"org.apache.kafka.connect.data."
         "Decimal\",\"logicalType\":\"decimal\"}",
         "0096",
         "{\"schema\":{\"type\":\"bytes\",\"optional\":false,\"name\":\"org."
         "apache.kafka.connect.data.Decimal\",\"version\":1,\"parameters\":{"
         "\"scale\":\"2\",\"connect.decimal.precision\":\"38\"}},\"payload\":"
         "\"AJY=\"}"},
        {"",
         "{\"type\":\"enum\",\"name\":\"a.E\",\"doc\":\"ed\",\"symbols\":"
         "[\"A\",\"B\"],\"default\":\"A\"}",
         "02",
         "{\"schema\":{\"type\":\"string\",\"optional\":false,\"name\":\"a.E\","
         "\"version\":1,\"parameters\":{\"io.confluent.connect.avro.enum.doc."
         "E\":\"ed\",\"io.confluent.connect.avro.enum.default.E\":\"A\",\"io."
         "confluent.connect.avro.Enum\":\"a.E\",\"io.confluent.connect.avro."
         "Enum.A\":\"A\",\"io.confluent.connect.avro.Enum.B\":\"B\"}},"
         "\"payload\":\"B\"}"},
        {"",
         "[\"null\",{\"type\":\"fixed\",\"name\":\"F\",\"size\":1,\"avro.x\":"
         "\"y\"},\"string\"]",
         "0207",
         "{\"schema\":{\"type\":\"struct\",\"fields\":[{\"type\":\"bytes\","
         "\"optional\":true,\"name\":\"F\",\"parameters\":{\"connect.fixed."
         "size\":\"1\",\"avro.x\":\"y\"},\"field\":\"F\"},{\"type\":\"string\","
         "\"optional\":true,\"field\":\"string\"}],\"optional\":true,\"name\":"
         "\"io.confluent.connect.avro.Union\",\"version\":1},\"payload\":{"
         "\"F\":\"Bw==\",\"string\":null}}"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        fake_stop(fake);
        fake = fake_start();
        assert_string_equal(seen_as(all[i][0], all[i][1], all[i][2]),
                            all[i][3]);
    }
}

/* The schema that is registered for an envelope of JsonConverter. */
static const char *registered_for(const char *settings, const char *text)
{
    tg_err err = {0};
    tg_converter *conv = avro(settings, "value");
    tg_cell *cell = cell_of(batch, envelope, text, strlen(text));
    tg_record_set_topic(cell->record, "t", 1);
    decoded(cell);
    int rc = tg_cell_encode(cell, conv, &err);
    tg_converter_free(conv);
    if (rc)
        return tg_arena_dup(batch->arena, err.text, strlen(err.text) + 1);
    return fake->schemas[fake->n - 1].text;
}

/* As AvroData of Confluent's schema registry writes them. */
static void from_connect(void **state)
{
    (void)state;
    static const char *const all[][3] = {
        {"",
         "{\"schema\":{\"type\":\"int32\",\"optional\":false},"
         "\"payload\":1}",
         "\"int\""},
        {"",
         "{\"schema\":{\"type\":\"string\",\"optional\":true},\"payload\":"
         "\"x\"}",
         "[\"null\",\"string\"]"},
        {"",
         "{\"schema\":{\"type\":\"int8\",\"optional\":false,\"doc\":\"d\","
         "\"version\":2,\"name\":\"n\",\"parameters\":{\"k\":\"v\"}},"
         "\"payload\":1}",
         "{\"type\":\"int\",\"connect.doc\":\"d\",\"connect.version\":2,"
         "\"connect.parameters\":{\"k\":\"v\"},\"connect.name\":\"n\","
         "\"connect.type\":\"int8\"}"},
        {"connect.meta.data=false",
         "{\"schema\":{\"type\":\"int16\",\"optional\":false,\"doc\":\"d\"},"
         "\"payload\":1}",
         "\"int\""},
        {"",
         "{\"schema\":{\"type\":\"struct\",\"name\":\"a.b.R\",\"version\":"
         "3,\"optional\":false,\"fields\":[{\"field\":\"x\",\"type\":"
         "\"int32\",\"optional\":true},{\"field\":\"y\",\"type\":\"string\""
         ",\"optional\":false,\"default\":\"z\"},{\"field\":\"w\",\"type\":"
         "\"int64\",\"optional\":true,\"default\":5}]},\"payload\":{\"x\":"
         "1,\"y\":\"s\",\"w\":2}}",
         "{\"type\":\"record\",\"name\":\"R\",\"namespace\":\"a.b\",\"fields\":"
         "[{\"name\":\"x\",\"type\":[\"null\",\"int\"],\"default\":null},"
         "{\"name\":\"y\",\"type\":{\"type\":\"string\",\"connect.default\":"
         "\"z\"},\"default\":\"z\"},{\"name\":\"w\",\"type\":[{\"type\":"
         "\"long\",\"connect.default\":5},\"null\"],\"default\":5}],"
         "\"connect.version\":3,\"connect.name\":\"a.b.R\"}"},
        {"",
         "{\"schema\":{\"type\":\"bytes\",\"optional\":false,\"name\":"
         "\"org.apache.kafka.connect.data.Decimal\",\"version\":1,"
         "\"parameters\":{\"scale\":\"2\"}},\"payload\":\"AJY=\"}",
         "{\"type\":\"bytes\",\"scale\":2,\"precision\":64,\"connect.version\":"
         "1,\"connect.parameters\":{\"scale\":\"2\"},\"connect.name\":\"org."
         "apache.kafka.connect.data.Decimal\",\"logicalType\":\"decimal\"}"},
        {"",
         "{\"schema\":{\"type\":\"int32\",\"optional\":false,\"name\":"
         "\"org.apache.kafka.connect.data.Date\",\"version\":1},"
         "\"payload\":3}",
         "{\"type\":\"int\",\"connect.version\":1,\"connect.name\":\"org.apache"
         ".kafka.connect.data.Date\",\"logicalType\":\"date\"}"},
        {"",
         "{\"schema\":{\"type\":\"struct\",\"optional\":false,\"fields\":["
         "{\"field\":\"a\",\"type\":\"struct\",\"optional\":false,"
         "\"fields\":[{\"field\":\"x\",\"type\":\"int32\",\"optional\":"
         "false}]},{\"field\":\"m\",\"type\":\"map\",\"optional\":false,"
         "\"keys\":{\"type\":\"int32\",\"optional\":false},\"values\":{"
         "\"type\":\"string\",\"optional\":false}}]},\"payload\":{\"a\":{"
         "\"x\":1},\"m\":[[1,\"a\"]]}}",
         "{\"type\":\"record\",\"name\":\"ConnectDefault\",\"namespace\":\"io."
         "confluent.connect.avro\",\"fields\":[{\"name\":\"a\",\"type\":{"
         "\"type\":\"record\",\"name\":\"ConnectDefault2\",\"fields\":[{"
         "\"name\":\"x\",\"type\":\"int\"}]}},{\"name\":\"m\",\"type\":{"
         "\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":"
         "\"MapEntry\",\"fields\":[{\"name\":\"key\",\"type\":\"int\"},{"
         "\"name\":\"value\",\"type\":\"string\"}]}}}]}"},
        {"",
         "{\"schema\":{\"type\":\"struct\",\"name\":\"n.O\",\"optional\":"
         "false,\"fields\":[{\"field\":\"a\",\"type\":\"struct\",\"name\":"
         "\"n.I\",\"optional\":false,\"fields\":[]},{\"field\":\"b\","
         "\"type\":\"struct\",\"name\":\"n.I\",\"optional\":true,"
         "\"fields\":[]}]},\"payload\":{\"a\":{},\"b\":null}}",
         "{\"type\":\"record\",\"name\":\"O\",\"namespace\":\"n\",\"fields\":["
         "{\"name\":\"a\",\"type\":{\"type\":\"record\",\"name\":\"I\","
         "\"fields\":[],\"connect.name\":\"n.I\"}},{\"name\":\"b\",\"type\":["
         "\"null\",\"I\"],\"default\":null}],\"connect.name\":\"n.O\"}"},
        {"enhanced.avro.schema.support=true",
         "{\"schema\":{\"type\":\"string\",\"optional\":false,\"name\":\"a.E\","
         "\"parameters\":{\"io.confluent.connect.avro.Enum\":\"a.E\",\"io."
         "confluent.connect.avro.Enum.A\":\"A\",\"io.confluent.connect.avro."
         "Enum.B\":\"B\"}},\"payload\":\"B\"}",
         "{\"type\":\"enum\",\"name\":\"E\",\"namespace\":\"a\",\"symbols\":["
         "\"A\",\"B\"],\"connect.parameters\":{\"io.confluent.connect.avro."
         "Enum\":\"a.E\",\"io.confluent.connect.avro.Enum.A\":\"A\",\"io."
         "confluent.connect.avro.Enum.B\":\"B\"},\"connect.name\":\"a.E\"}"},
        {"scrub.invalid.names=true",
         "{\"schema\":{\"type\":\"struct\",\"name\":\"a-b.1R\",\"optional\":"
         "false,\"fields\":[{\"field\":\"x y\xc3\xa9\",\"type\":\"int32\","
         "\"optional\":false}]},\"payload\":{\"x y\xc3\xa9\":1}}",
         "{\"type\":\"record\",\"name\":\"x1R\",\"namespace\":\"a_b\","
         "\"fields\":[{\"name\":\"x_y_C3_A9\",\"type\":\"int\"}],\"connect."
         "name\":\"a-b.1R\"}"},
        {"",
         "{\"schema\":{\"type\":\"struct\",\"optional\":false,\"fields\":["
         "{\"field\":\"b\",\"type\":\"bytes\",\"optional\":false,"
         "\"default\":\"AP8=\"}]},\"payload\":{\"b\":\"AA==\"}}",
         "{\"type\":\"record\",\"name\":\"ConnectDefault\",\"namespace\":\"io."
         "confluent.connect.avro\",\"fields\":[{\"name\":\"b\",\"type\":{"
         "\"type\":\"bytes\",\"connect.default\":\"\\u0000\xc3\xbf\"},"
         "\"default\":\"\\u0000\xc3\xbf\"}]}"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        fake_stop(fake);
        fake = fake_start();
        assert_string_equal(registered_for(all[i][0], all[i][1]), all[i][2]);
    }
}

static void names_that_avro_refuses(void **state)
{
    (void)state;
    assert_has(registered_for("", "{\"schema\":{\"type\":\"struct\",\"optional"
                                  "\":false,\"fields\":[{\"field\":\"x-y\","
                                  "\"type\":\"int32\",\"optional\":false}]},"
                                  "\"payload\":{\"x-y\":1}}"),
               "field name \"x-y\" is none that Avro allows");
    assert_has(
        registered_for("", "{\"schema\":{\"type\":\"struct\",\"name\":\"a b\","
                           "\"optional\":false,\"fields\":[]},\"payload\":"
                           "{}}"),
        "schema name \"a b\" is none that Avro allows");
    assert_has(
        registered_for(
            "",
            "{\"schema\":{\"type\":\"struct\",\"name\":\"O\",\"optional\":"
            "false,\"fields\":[{\"field\":\"a\",\"type\":\"struct\",\"name\":"
            "\"I\",\"optional\":false,\"fields\":[]},{\"field\":\"b\","
            "\"type\":\"struct\",\"name\":\"I\",\"optional\":false,\"fields\":"
            "[{\"field\":\"x\",\"type\":\"int32\",\"optional\":false}]}]},"
            "\"payload\":{\"a\":{},\"b\":{\"x\":1}}}"),
        "two different schemas have the name I");
}

/* --- values --------------------------------------------------------------- */

static void nulls_and_tombstones(void **state)
{
    (void)state;
    tg_err err = {0};
    tg_converter *conv = avro("", "value");
    tg_batch_reset(batch);
    tg_record *rec = tg_batch_append(batch);
    tg_cell_set_raw(&rec->value, conv, NULL, -1);
    assert_int_equal(tg_cell_encode(&rec->value, conv, &err), 0);
    assert_int_equal(rec->value.outlen, -1);
    tg_cell *cell = cell_of(
        batch, envelope,
        "{\"schema\":{\"type\":\"int32\",\"optional\":true},\"payload\":null}",
        68);
    cell->rawlen = (int32_t)strlen(cell->raw);
    decoded(cell);
    assert_int_equal(tg_cell_encode(cell, conv, &err), 0);
    assert_int_equal(cell->outlen, -1);
    assert_int_equal(fake_requests(fake), 0);
    tg_converter_free(conv);
}

static void bytes_alone_have_no_length(void **state)
{
    (void)state;
    tg_err err = {0};
    tg_converter *conv = avro("", "value");
    int id = fake_put(fake, "x", "\"bytes\"");
    tg_cell *cell = cell_with(conv, id, "00ff10");
    decoded(cell);
    assert_string_equal(encoded(cell, json), "\"AP8Q\"");
    cell->dirty = 1;
    assert_int_equal(tg_cell_encode(cell, conv, &err), 0);
    assert_int_equal(cell->outlen, 8);
    assert_memory_equal(cell->out + 5, "\x00\xff\x10", 3);
    tg_converter_free(conv);
}

static void defaults_replace_nulls(void **state)
{
    (void)state;
    static const char text[] =
        "{\"schema\":{\"type\":\"struct\",\"optional\":false,\"fields\":[{"
        "\"field\":\"x\",\"type\":\"string\",\"optional\":true,\"default\":"
        "\"d\"}]},\"payload\":{\"x\":null}}";
    tg_err err = {0};
    tg_converter *keep =
        converter("Json", "replace.null.with.default=false", "value");
    static const char *const settings[] = {"",
                                           "ignore.default.for.nullables=true"};
    static const char *const bytes[] = {"000264", "02"};
    for (int i = 0; i < 2; i++) {
        tg_converter *conv = avro(settings[i], "value");
        tg_cell *cell = cell_of(batch, keep, text, sizeof text - 1);
        tg_record_set_topic(cell->record, "t", 1);
        decoded(cell);
        if (tg_cell_encode(cell, conv, &err))
            fail_msg("%s", err.text);
        must_be(cell, 1, bytes[i], settings[i]);
        tg_converter_free(conv);
    }
    tg_converter_free(keep);
}

static void values_without_a_schema(void **state)
{
    (void)state;
    static const char *const all[] = {
        "{\"a\":1,\"b\":[true,false,null,1.5,\"x\"],\"c\":{\"d\":{}}}",
        "[]",
        "\"text\"",
        "7",
        "-1.25",
        "true"};
    tg_err err = {0};
    tg_converter *conv = avro("", "value");
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        tg_cell *cell = cell_of(batch, json, all[i], strlen(all[i]));
        tg_record_set_topic(cell->record, "t", 1);
        decoded(cell);
        if (tg_cell_encode(cell, conv, &err))
            fail_msg("%s", err.text);
        size_t n = (size_t)cell->outlen;
        char *copy = tg_strndup("", 0);
        copy = tg_realloc(copy, n);
        memcpy(copy, cell->out, n);
        tg_cell *back = cell_of(batch, conv, copy, n);
        tg_record_set_topic(back->record, "t", 1);
        decoded(back);
        assert_null(back->schema);
        assert_string_equal(encoded(back, json), all[i]);
        back->dirty = 1;
        assert_int_equal(tg_cell_encode(back, conv, &err), 0);
        assert_int_equal(back->outlen, n);
        assert_memory_equal(back->out, copy, n);
        tg_free(copy);
    }
    assert_has(fake->schemas[0].text, "\"Anything\"");
    tg_converter_free(conv);
}

static void references(void **state)
{
    (void)state;
    tg_converter *conv = avro("", "value");
    fake_put(fake, "inner",
             "{\"type\":\"record\",\"name\":\"n.Inner\",\"fields\":[{\"name\":"
             "\"x\",\"type\":\"int\"}]}");
    json_t *refs = json_pack("[{s:s,s:s,s:i}]", "name", "n.Inner", "subject",
                             "inner", "version", 1);
    int id = fake_add(fake, "outer",
                      "{\"type\":\"record\",\"name\":\"n.Outer\",\"fields\":[{"
                      "\"name\":\"a\",\"type\":\"Inner\"},{\"name\":\"b\","
                      "\"type\":[\"null\",\"n.Inner\"]}]}",
                      NULL, refs);
    json_decref(refs);
    tg_cell *cell = cell_with(conv, id, "020204");
    decoded(cell);
    assert_string_equal(encoded(cell, json),
                        "{\"a\":{\"x\":1},\"b\":{\"x\":2}}");
    tg_converter_free(conv);
}

/* --- writing by the registry's schema ------------------------------------- */

static const char *written_by(const char *schema, const char *more,
                              const char *text)
{
    char settings[256];
    tg_err err = {0};
    fake_put(fake, "t-value", schema);
    snprintf(settings, sizeof settings,
             "auto.register.schemas=false,use.latest.version=true%s", more);
    tg_converter *conv = avro(settings, "value");
    tg_cell *cell = cell_of(batch, envelope, text, strlen(text));
    tg_record_set_topic(cell->record, "t", 1);
    decoded(cell);
    int rc = tg_cell_encode(cell, conv, &err);
    tg_converter_free(conv);
    if (rc)
        return tg_arena_dup(batch->arena, err.text, strlen(err.text) + 1);
    char *hex = tg_arena_alloc(batch->arena, (size_t)cell->outlen * 2 + 1);
    *hex = 0;
    for (int32_t i = 5; i < cell->outlen; i++)
        sprintf(hex + 2 * (i - 5), "%02x", (unsigned char)cell->out[i]);
    return hex;
}

static void newest_version(void **state)
{
    (void)state;
    static const char text[] =
        "{\"schema\":{\"type\":\"struct\",\"name\":\"R\",\"optional\":false,"
        "\"fields\":[{\"field\":\"a\",\"type\":\"int32\",\"optional\":false},{"
        "\"field\":\"b\",\"type\":\"string\",\"optional\":true}]},\"payload\":{"
        "\"a\":1,\"b\":\"x\"}}";
#define R(fields)     "{\"type\":\"record\",\"name\":\"R\",\"fields\":[" fields "]}"
#define F(name, type) "{\"name\":\"" name "\",\"type\":" type "}"
    /* other order, wider number, null second, defaults for what is new */
    assert_string_equal(
        written_by(R(F("b", "[\"string\",\"null\"]") "," F("a", "\"long\"")),
                   "", text),
        "00027802");
    assert_string_equal(
        written_by(R(F("a", "\"double\"") ",{\"name\":\"n\",\"type\":{\"type\":"
                                          "\"array\",\"items\":\"int\"},"
                                          "\"default\":[3]}," F(
                                              "b", "[\"null\",\"string\"]")),
                   "", text),
        "000000000000f03f02060002"
        "0278");
    assert_string_equal(
        written_by(
            R("{\"name\":\"z\",\"type\":[\"null\",\"int\"],\"default\":"
              "null}," F("a", "\"int\"") "," F("b", "[\"null\",\"string\"]")),
            "", text),
        "0002020278");
    assert_has(written_by(R(F("a", "\"int\"")), "", text),
               "have a field \"b\", for which the schema R in the registry has"
               " no place");
    assert_string_equal(written_by(R(F("a", "\"int\"")),
                                   ",latest.compatibility.strict=false", text),
                        "02");
    assert_has(
        written_by(R(F("a", "\"int\"") "," F(
                       "b", "[\"null\",\"string\"]") "," F("c", "\"int\"")),
                   "", text),
        "have no field \"c\"");
    assert_has(
        written_by(R(F("a", "\"string\"") "," F("b", "[\"null\",\"string\"]")),
                   "", text),
        "values of type int32 cannot be written as string");
}

/* --- what is refused ------------------------------------------------------ */

static void refused_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *hex, *part;
    } all[] = {
        {"\"int\"", "", "end in the middle of a number"},
        {"\"int\"", "80", "end in the middle of a number"},
        {"\"int\"", "ffffffffffffffffff7f", "more than 64 bits"},
        {"\"int\"", "8080808020", "does not fit into int32"},
        {"\"int\"", "0200", "1 bytes are left behind the value"},
        {"\"boolean\"", "02", "0x02 where a boolean"},
        {"\"float\"", "000000", "middle of a float"},
        {"\"string\"", "0a61", "a text of 5 bytes at byte 1, where 1 are left"},
        {"\"string\"", "01", "a text of -1 bytes"},
        {"\"string\"", "feffffffffffffffff01", "a text of 9223372036854775807"},
        {"{\"type\":\"int\",\"connect.type\":\"int8\"}", "8002",
         "128 does not fit into int8"},
        {"{\"type\":\"array\",\"items\":\"int\"}", "80808080808080808001",
         "a block of"},
        {"{\"type\":\"array\",\"items\":\"int\"}", "ffffffffffffffffff0100",
         "a block of 2^63"},
        {"{\"type\":\"array\",\"items\":\"double\"}", "0400000000000000", ""},
        {"{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"E\","
         "\"fields\":[]}}",
         "80808080808001", "a block of"},
        {"{\"type\":\"array\",\"items\":\"int\"}", "02", "a block of 1 items"},
        {"{\"type\":\"map\",\"values\":\"int\"}", "0202ff0200",
         "key of a map at byte 2 is not UTF-8"},
        {"{\"type\":\"map\",\"values\":\"int\"}", "80808080808080808001",
         "a block of"},
        {"[\"null\",\"int\"]", "04", "branch 2 of a union that has 2"},
        {"[\"null\",\"int\"]", "01", "branch -1 of a union"},
        {"{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}", "02",
         "symbol 1 of enum E, which has 1"},
        {"{\"type\":\"fixed\",\"name\":\"F\",\"size\":4}", "000000",
         "middle of a fixed value"},
        {"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\","
         "\"type\":{\"type\":\"array\",\"items\":\"string\"}}]}",
         "02ff", "field \"a\": element 0: "},
        {"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"d\","
         "\"type\":{\"type\":\"bytes\",\"logicalType\":\"decimal\"}}]}",
         "00", "a decimal without bytes"},
        /* twice 60000 that take no bytes */
        {"{\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":{"
         "\"type\":\"record\",\"name\":\"E\",\"fields\":[]}}}",
         "04c0a90700c0a9070000", "element 1: a block of 60000 items"},
    };
    tg_converter *conv = avro("", "value");
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        tg_err err = {0};
        int id = fake_put(fake, "t-value", all[i].schema);
        tg_cell *cell = cell_with(conv, id, all[i].hex);
        if (tg_cell_decode(cell, &err) != TG_ERR_DATA)
            fail_msg("%s %s is not refused", all[i].schema, all[i].hex);
        assert_has(err.text, "Avro with schema id ");
        assert_has(err.text, all[i].part);
    }
    tg_converter_free(conv);
}

static void refused_schemas(void **state)
{
    (void)state;
    static const char *const all[][2] = {
        {"{", "invalid Avro schema"},
        {"\"null\"", "null that is no part of a union"},
        {"\"Unknown\"", "the type \"Unknown\" is unknown"},
        {"{\"type\":\"record\",\"fields\":[]}", "without a name"},
        {"{\"type\":\"record\",\"name\":\"R\"}", "no array \"fields\""},
        {"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\","
         "\"type\":\"int\"},{\"name\":\"a\",\"type\":\"int\"}]}",
         "two fields a"},
        {"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"next\","
         "\"type\":[\"null\",\"R\"]}]}",
         "field \"next\": the Avro type R contains itself"},
        {"{\"type\":\"array\"}", "without \"items\""},
        {"{\"type\":\"fixed\",\"name\":\"F\"}", "fixed F has no size"},
        {"{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[]}", "no symbols"},
        {"[\"int\",[\"string\"]]", "a union directly in a union"},
        {"[\"int\",\"int\"]", "two branches int"},
        {"[]", "without branches"},
        {"5", "must be a text, an object or an array"},
        {"[\"string\",{\"type\":\"record\",\"name\":\"a.P\",\"fields\":[]},{"
         "\"type\":\"record\",\"name\":\"b.P\",\"fields\":[]}]",
         "enhanced.avro.schema.support=true"},
        {"{\"type\":\"int\",\"connect.version\":\"x\"}", "connect.version"},
        {"{\"type\":\"int\",\"connect.name\":5}", "connect.name"},
        {"{\"type\":\"int\",\"connect.parameters\":[]}", "connect.parameters"},
    };
    tg_converter *conv = avro("", "value");
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        tg_err err = {0};
        int id = fake_put(fake, "t-value", all[i][0]);
        tg_cell *cell = cell_with(conv, id, "00");
        if (tg_cell_decode(cell, &err) != TG_ERR_DATA)
            fail_msg("%s is not refused", all[i][0]);
        assert_has(err.text, "schema id ");
        assert_has(err.text, all[i][1]);
    }
    tg_converter_free(conv);
}

/* What a bad schema costs is paid once, not by every record that has it. */
static void refused_schemas_cost_once(void **state)
{
    (void)state;
    tg_err err = {0}, first = {0};
    tg_buf text = {0};
    tg_buf_str(&text, "{\"type\":\"record\",\"name\":\"R\",\"fields\":[");
    for (int i = 0; i < 200; i++)
        tg_buf_printf(&text, "{\"name\":\"f%d\",\"type\":\"int\"},", i);
    tg_buf_str(&text, "{\"name\":\"next\",\"type\":\"R\"}]}");
    int id = fake_put(fake, "t-value", tg_buf_cstr(&text));
    tg_converter *conv = avro("", "value");
    tg_registry *reg = shared_registry("", "value");
    for (int i = 0; i < 2; i++)
        assert_int_equal(tg_cell_decode(cell_with(conv, id, "00"), &first),
                         TG_ERR_DATA);
    assert_has(first.text, "contains itself");
    const tg_avro_doc *doc =
        tg_registry_by_id(reg, id, TG_SCHEMA_AVRO, &err)->compiled;
    size_t size = tg_arena_size(&doc->arena);
    for (int i = 0; i < 1000; i++) {
        memset(&err, 0, sizeof err);
        assert_int_equal(tg_cell_decode(cell_with(conv, id, "00"), &err),
                         TG_ERR_DATA);
        assert_string_equal(err.text, first.text);
    }
    assert_int_equal(tg_arena_size(&doc->arena), size);
    tg_registry_close(reg);
    tg_converter_free(conv);
    tg_buf_fini(&text);
}

/* The same for schemas that records cannot be written by. */
static void misfits_cost_once(void **state)
{
    (void)state;
    static const char set[] = "auto.register.schemas=false,"
                              "use.latest.version=true";
    tg_err err = {0}, first = {0};
    fake_put(fake, "t-value",
             "{\"type\":\"record\",\"name\":\"R\",\"fields\":[]}");
    tg_buf text = {0};
    tg_buf_str(&text, "{\"schema\":{\"type\":\"struct\",\"name\":\"R\","
                      "\"fields\":[{\"field\":\"a\",\"type\":\"int32\"}]},"
                      "\"payload\":{\"a\":1}}");
    tg_converter *conv = avro(set, "value");
    tg_registry *reg = shared_registry(set, "value");
    size_t size = 0;
    for (int i = 0; i < 1000; i++) {
        tg_cell *cell = cell_of(batch, envelope, text.p, text.len);
        tg_record_set_topic(cell->record, "t", 1);
        memset(&err, 0, sizeof err);
        assert_int_equal(tg_cell_encode(cell, conv, &err), TG_ERR_DATA);
        if (i == 0)
            first = err;
        assert_string_equal(err.text, first.text);
        const tg_avro_doc *doc =
            tg_registry_for_write(reg, "t-value", TG_SCHEMA_AVRO, "x", NULL, 0,
                                  &err)
                ->compiled;
        size = i ? size : tg_arena_size(&doc->arena);
        assert_int_equal(tg_arena_size(&doc->arena), size);
    }
    assert_has(first.text, "have a field \"a\"");
    tg_registry_close(reg);
    tg_converter_free(conv);
    tg_buf_fini(&text);
}

static void symbols_end_where_they_end(void **state)
{
    (void)state;
    tg_err err = {0};
    static char text[4096] = "NEW";
    tg_converter *conv = avro("enhanced.avro.schema.support=true", "value");
    int id = fake_put(fake, "t-value",
                      "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":["
                      "\"NEW\"]}");
    for (uint32_t len = 4; len <= sizeof text; len++) {
        tg_cell *cell = cell_with(conv, id, "00");
        decoded(cell);
        cell->value.u.p = text; /* NEW and zero bytes */
        cell->value.len = len;
        cell->dirty = 1;
        assert_int_equal(tg_cell_encode(cell, conv, &err), TG_ERR_DATA);
        assert_has(err.text, "is no symbol of the enum");
    }
    tg_converter_free(conv);
}

/* Far down in a value the sentence is there, not only the path to it. */
static void long_paths_keep_the_sentence(void **state)
{
    (void)state;
    tg_err err = {0};
    tg_buf text = {0};
    char hex[256] = "";
    tg_converter *conv = avro("", "value");
    for (int i = 0; i < 60; i++)
        tg_buf_printf(&text,
                      "{\"type\":\"record\",\"name\":\"R%d\",\"fields\":[{"
                      "\"name\":\"a_field_with_a_long_name_%d\",\"type\":",
                      i, i);
    for (int i = 0; i < 60; i++)
        tg_buf_str(&text, "{\"type\":\"array\",\"items\":");
    tg_buf_str(&text, "\"boolean\"");
    for (int i = 0; i < 60; i++)
        tg_buf_str(&text, "}");
    for (int i = 0; i < 60; i++)
        tg_buf_str(&text, "}]}");
    for (int i = 0; i < 60; i++)
        strcat(hex, "02");
    strcat(hex, "07"); /* no boolean */
    int id = fake_put(fake, "t-value", tg_buf_cstr(&text));
    assert_int_equal(tg_cell_decode(cell_with(conv, id, hex), &err),
                     TG_ERR_DATA);
    assert_has(err.text, "Avro with schema id ");
    assert_has(err.text, "the byte 0x07 where a boolean is 0 or 1");
    tg_buf_fini(&text);
    tg_converter_free(conv);
}

static void nesting_is_limited(void **state)
{
    (void)state;
    tg_err err = {0};
    tg_buf text = {0};
    tg_converter *conv = avro("", "value");
    for (int i = 0; i < 600; i++)
        tg_buf_str(&text, "{\"type\":\"array\",\"items\":");
    tg_buf_str(&text, "\"int\"");
    for (int i = 0; i < 600; i++)
        tg_buf_str(&text, "}");
    int id = fake_put(fake, "t-value", tg_buf_cstr(&text));
    tg_cell *cell = cell_with(conv, id, "00");
    assert_int_equal(tg_cell_decode(cell, &err), TG_ERR_DATA);
    assert_has(err.text, "nested more than 512 levels");

    /* types used twice at each level: 2^40 fields if each were made anew */
    text.len = 0;
    tg_buf_str(&text, "[");
    for (int i = 0; i < 40; i++)
        tg_buf_printf(&text,
                      "{\"type\":\"record\",\"name\":\"R%d\",\"fields\":[{"
                      "\"name\":\"a\",\"type\":%s%d%s},{\"name\":\"b\","
                      "\"type\":%s%d%s}]}%s",
                      i, i ? "\"R" : "\"int\"", i - 1, i ? "\"" : "",
                      i ? "\"R" : "\"int\"", i - 1, i ? "\"" : "",
                      i < 39 ? "," : "]");
    char *first = strstr(text.p, "\"int\"-1");
    while (first) { /* the first record has plain numbers */
        memcpy(first, "\"int\"  ", 7);
        first = strstr(tg_buf_cstr(&text), "\"int\"-1");
    }
    id = fake_put(fake, "t-value", tg_buf_cstr(&text));
    cell = cell_with(conv, id, "0202");
    assert_int_equal(tg_cell_decode(cell, &err), TG_ERR_DATA);
    tg_buf_fini(&text);
    tg_converter_free(conv);
}

static void recursion_without_a_schema_is_limited(void **state)
{
    (void)state;
    tg_err err = {0};
    tg_buf text = {0};
    tg_converter *conv = avro("", "value");
    tg_cell *cell = cell_of(batch, json, "[]", 2);
    tg_record_set_topic(cell->record, "t", 1);
    assert_int_equal(tg_cell_encode(cell, conv, &err), 0);
    for (int i = 0; i < 600; i++) /* arrays of one array */
        tg_buf_str(&text, "0000000000000002"
                          "02");
    cell = cell_with(conv, 1, tg_buf_cstr(&text));
    assert_int_equal(tg_cell_decode(cell, &err), TG_ERR_DATA);
    assert_has(err.text, "nested more than 512 levels");
    tg_buf_fini(&text);
    tg_converter_free(conv);
}

static void refused_settings(void **state)
{
    (void)state;
    tg_err err = {0};
    json_t *config = json_pack("{s:s}", "schema.registry.url", fake->url);
    assert_null(tg_converter_new("Avro", config, "header", &err));
    assert_has(err.text, "is no header converter");
    json_object_set_new(config, "connect.meta.data", json_string("perhaps"));
    assert_null(tg_converter_new("AvroConverter", config, "value", &err));
    assert_has(err.text, "connect.meta.data");
    json_object_clear(config);
    assert_null(tg_converter_new("io.confluent.connect.avro.AvroConverter",
                                 config, "key", &err));
    assert_int_equal(err.code, TG_ERR_CONFIG);
    assert_has(err.text, "schema.registry.url");
    json_decref(config);
}

static void subjects_follow_the_strategy(void **state)
{
    (void)state;
    static const char text[] =
        "{\"schema\":{\"type\":\"struct\",\"name\":\"a.R\",\"optional\":false,"
        "\"fields\":[]},\"payload\":{}}";
    static const char *const all[][3] = {
        {"value", "", "t-value"},
        {"key", "", "t-key"},
        {"value", "value.subject.name.strategy=RecordNameStrategy", "a.R"},
        {"key",
         "key.subject.name.strategy=io.confluent.kafka.serializers.subject."
         "TopicRecordNameStrategy",
         "t-a.R"},
    };
    for (size_t i = 0; i < 4; i++) {
        tg_err err = {0};
        tg_converter *conv = avro(all[i][1], all[i][0]);
        tg_cell *cell = cell_of(batch, envelope, text, sizeof text - 1);
        tg_record_set_topic(cell->record, "t", 1);
        if (tg_cell_encode(cell, conv, &err))
            fail_msg("%s", err.text);
        assert_string_equal(fake->schemas[fake->n - 1].subject, all[i][2]);
        tg_converter_free(conv);
    }
}

static void few_requests(void **state)
{
    (void)state;
    tg_converter *conv = avro("", "value");
    int id = fake_put(fake, "t-value", "\"int\"");
    for (int i = 0; i < 100; i++)
        decoded(cell_with(conv, id, "02"));
    assert_int_equal(fake_requests(fake), 2); /* schema and version */
    tg_converter_free(conv);
}

static int setup(void **state)
{
    (void)state;
    fake = fake_start();
    batch = tg_batch_new(0, 0);
    json = converter("Json", "schemas.enable=false", "value");
    envelope = converter("Json", "schemas.enable=true", "value");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tg_batch_free(batch);
    tg_converter_free(json);
    tg_converter_free(envelope);
    fake_stop(fake);
    return 0;
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(bytes_of_fastavro),
        TEST(to_connect),
        TEST(from_connect),
        TEST(names_that_avro_refuses),
        TEST(nulls_and_tombstones),
        TEST(bytes_alone_have_no_length),
        TEST(defaults_replace_nulls),
        TEST(values_without_a_schema),
        TEST(references),
        TEST(newest_version),
        TEST(refused_bytes),
        TEST(refused_schemas),
        TEST(refused_schemas_cost_once),
        TEST(misfits_cost_once),
        TEST(symbols_end_where_they_end),
        TEST(long_paths_keep_the_sentence),
        TEST(nesting_is_limited),
        TEST(recursion_without_a_schema_is_limited),
        TEST(refused_settings),
        TEST(subjects_follow_the_strategy),
        TEST(few_requests),
    };
    tg_convert_init();
    tg_log_level = TG_LOG_WARN;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
