/*
 * Random schemas and payloads of all types through JsonConverter with
 * schemas.enable=true: untouched and read, the bytes stay; written anew without
 * any copying, they are the same too, since the texts are as it writes them.
 */
#include "cells.h"
#include "convert/json_write.h"

enum { SCHEMAS = 600, PAYLOADS = 40 };

static uint64_t seed = 0x9E3779B97F4A7C15u;

static uint32_t rnd(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 33) % n;
}

static void gen_schema(tg_buf *out, int depth, const char *field)
{
    static const char *const types[] = {"int8",  "int16",  "int32",   "int64",
                                        "float", "double", "boolean", "string",
                                        "bytes", "array",  "map",     "struct"};
    uint32_t kind = depth == 0 ? 9 + rnd(3) : rnd(depth > 3 ? 9 : 12);
    tg_buf_printf(out, "{\"type\":\"%s\"", types[kind]);
    if (kind == 9) {
        tg_buf_str(out, ",\"items\":");
        gen_schema(out, depth + 1, NULL);
    } else if (kind == 10) {
        tg_buf_str(out, ",\"keys\":");
        if (rnd(2))
            tg_buf_str(out, "{\"type\":\"string\",\"optional\":false}");
        else
            gen_schema(out, depth + 1, NULL);
        tg_buf_str(out, ",\"values\":");
        gen_schema(out, depth + 1, NULL);
    } else if (kind == 11) {
        tg_buf_str(out, ",\"fields\":[");
        for (uint32_t i = 0, n = rnd(6); i < n; i++) {
            char name[16];
            snprintf(name, sizeof name, "f%u_%u", i, rnd(4));
            tg_buf_str(out, i ? "," : "");
            gen_schema(out, depth + 1, name);
        }
        tg_buf_str(out, "]");
    }
    tg_buf_printf(out, ",\"optional\":%s", rnd(2) ? "true" : "false");
    if (kind == 8 && rnd(2))
        tg_buf_str(out, ",\"name\":\"org.apache.kafka.connect.data.Decimal\","
                        "\"version\":1,\"parameters\":{\"scale\":\"2\"}");
    else if (rnd(4) == 0)
        tg_buf_printf(out, ",\"name\":\"n%u\",\"version\":%u,\"doc\":\"d\\\"\"",
                      rnd(3), rnd(9));
    if (field)
        tg_buf_printf(out, ",\"field\":\"%s\"", field);
    tg_buf_str(out, "}");
}

static void gen_payload(tg_buf *out, const tg_schema *s);

static void gen_scalar(tg_buf *out, int tag)
{
    static const char *const reals[] = {
        "1.10", "5", "-0.0", "1E5", "\"NaN\"", "\"-Infinity\"", "1e-7", "-0"};
    static const char *const texts[] = {"\"\"", "\"abc\"", "\"\\u00e9\\/\"",
                                        "\"\xf0\x9f\x98\x80\"", "\"\\n\""};
    static const char *const bytes[] = {"\"AA==\"", "\"AP8=\"", "\"BNI=\"",
                                        "\"/v0=\"", "\"gA==\""};
    static const int64_t most[] = {INT8_MAX, INT16_MAX, INT32_MAX, INT64_MAX};
    int64_t max;
    switch (tag) {
    case TG_BOOL:
        tg_buf_str(out, rnd(2) ? "true" : "false");
        break;
    case TG_FLOAT32:
    case TG_FLOAT64:
        tg_buf_str(out, reals[rnd(8)]);
        break;
    case TG_STR:
        tg_buf_str(out, texts[rnd(5)]);
        break;
    case TG_BYTES:
        tg_buf_str(out, bytes[rnd(5)]);
        break;
    default:
        max = most[tag - TG_INT8];
        tg_buf_printf(out, "%lld",
                      (long long)(rnd(8) == 0   ? max
                                  : rnd(8) == 0 ? -max - 1
                                                : (int64_t)rnd(100) - 50));
    }
}

static void gen_elements(tg_buf *out, const tg_schema *s)
{
    bool object = s->tag == TG_MAP && s->key->tag == TG_STR;
    tg_buf_str(out, object ? "{" : "[");
    for (uint32_t i = 0, n = rnd(4); i < n; i++) {
        tg_buf_str(out, i ? "," : "");
        if (object) {
            tg_buf_printf(out, "\"k%u%u\":", i, rnd(30));
        } else if (s->tag == TG_MAP) {
            tg_buf_str(out, "[");
            gen_payload(out, s->key);
            tg_buf_str(out, ",");
        }
        gen_payload(out, s->value);
        tg_buf_str(out, s->tag == TG_MAP && !object ? "]" : "");
    }
    tg_buf_str(out, object ? "}" : "]");
}

static void gen_payload(tg_buf *out, const tg_schema *s)
{
    if (s->optional && rnd(4) == 0) {
        tg_buf_str(out, "null");
    } else if (s->tag < TG_ARRAY) {
        gen_scalar(out, s->tag);
    } else if (s->tag == TG_STRUCT) {
        tg_buf_str(out, "{");
        for (uint32_t i = 0; i < s->nfields; i++) {
            tg_buf_printf(out, "%s\"%s\":", i ? "," : "",
                          s->fields[i].name->text);
            gen_payload(out, s->fields[i].schema);
        }
        tg_buf_str(out, "}");
    } else {
        gen_elements(out, s);
    }
}

static void mark_all(const tg_value *v)
{
    if (v->tag < TG_ARRAY)
        return;
    assert_int_equal(tg_node_touch(v->u.node), 0);
    for (uint32_t i = 0; i < v->u.node->n; i++)
        mark_all(&v->u.node->slots[i]);
}

static void test_random_schemas(void **state)
{
    tg_batch *batch = tg_batch_new(0, 0);
    tg_converter *conv = converter("Json", "schemas.cache.size=100", "value");
    tg_converter *numeric =
        converter("Json", "decimal.format=NUMERIC", "value");
    tg_buf text = {0}, doc = {0};
    tg_err err = {0};
    (void)state;
    for (int i = 0; i < SCHEMAS; i++) {
        text.len = 0;
        gen_schema(&text, 0, NULL);
        tg_batch_reset(batch);
        const tg_schema *s = tg_json_schema_read(batch, text.p, text.len, &err);
        if (!s)
            fail_msg("%s: %s", err.text, tg_buf_cstr(&text));
        size_t len;
        assert_string_equal(tg_json_schema_text(s, &len), tg_buf_cstr(&text));
        for (int k = 0; k < PAYLOADS; k++) {
            doc.len = 0;
            tg_buf_printf(&doc,
                          "{\"schema\":%s,\"payload\":", tg_buf_cstr(&text));
            gen_payload(&doc, s);
            tg_buf_str(&doc, "}");
            tg_cell *cell = cell_of(batch, conv, tg_buf_cstr(&doc), doc.len);
            assert_string_equal(encoded(cell, conv), doc.p);
            assert_ptr_equal(cell->schema, s);
            mark_all(&cell->value);
            cell->dirty = 1;
            assert_string_equal(encoded(cell, conv), doc.p);
            const char *other = encoded(cell, numeric);
            char *copy = tg_strdup(other);
            cell = cell_of(batch, numeric, copy, strlen(copy));
            assert_string_equal(encoded(cell, conv), doc.p);
            tg_free(copy);
        }
    }
    tg_buf_fini(&text);
    tg_buf_fini(&doc);
    tg_converter_free(conv);
    tg_converter_free(numeric);
    tg_batch_free(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_schemas)};
    tg_convert_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
