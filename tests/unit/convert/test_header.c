/*
 * SimpleHeaderConverter: types inferred from texts beside Kafka Connect's own
 * answers, writing, and that headers nobody looks at stay unread.
 */
#include "cells.h"
#include "convert/header_infer.h"
#include "convert/logical.h"
#include "header_cases.h"
#include <stdio.h>

static tg_batch *batch;
static tg_converter *simple;

/* --- describing what was read --------------------------------------------- */

static void put_schema(tg_buf *out, const tg_schema *s)
{
    if (!s) {
        tg_buf_str(out, "null");
        return;
    }
    tg_buf_printf(out, "%s%s", tg_schema_type_upper(s->tag),
                  s->optional ? "?" : "");
    if (s->name)
        tg_buf_printf(out, "(%s%s)", strrchr(s->name, '.') + 1,
                      s->nparams ? s->params[0].value : "");
    if (s->tag != TG_ARRAY && s->tag != TG_MAP)
        return;
    tg_buf_str(out, "<");
    if (s->tag == TG_MAP) {
        put_schema(out, s->key);
        tg_buf_str(out, ",");
    }
    put_schema(out, s->value);
    tg_buf_str(out, ">");
}

static void put_real(tg_buf *out, const tg_value *v)
{
    float f = (float)v->u.d;
    uint64_t bits;
    uint32_t low;
    memcpy(&bits, &v->u.d, sizeof bits);
    memcpy(&low, &f, sizeof low);
    if (v->tag == TG_FLOAT32)
        tg_buf_printf(out, "f%x", low);
    else
        tg_buf_printf(out, "d%llx", (unsigned long long)bits);
}

static void put_value(tg_buf *out, const tg_value *v);

static void put_node(tg_buf *out, const tg_node *node)
{
    bool pairs = node->kind == TG_PAIRS;
    tg_buf_str(out, node->kind == TG_ARRAY ? "[" : "{");
    for (uint32_t i = 0; i < node->n; i++) {
        if (node->kind == TG_MAP)
            tg_buf_printf(out, "'%s'=", node->shape->names[i]->text);
        put_value(out, &node->slots[i]);
        tg_buf_str(out, pairs && i % 2 == 0 ? "=" : ";");
    }
    tg_buf_str(out, node->kind == TG_ARRAY ? "]" : "}");
}

static void put_value(tg_buf *out, const tg_value *v)
{
    int64_t ms;
    if (tg_tag_is_node(v->tag))
        put_node(out, v->u.node);
    else if (tg_logical_instant(v, NULL, &ms))
        tg_buf_printf(out, "D%lld", (long long)ms);
    else if (tg_tag_is_int(v->tag))
        tg_buf_printf(out, "%c%lld", "bsil"[v->tag - TG_INT8],
                      (long long)v -> u.i);
    else if (tg_tag_is_float(v->tag))
        put_real(out, v);
    else if (v->tag == TG_NUM)
        tg_buf_printf(out, "N%.*s", (int)v->len, v->u.p);
    else if (v->tag == TG_STR)
        tg_buf_printf(out, "'%.*s'", (int)v->len, v->u.p);
    else
        tg_buf_str(out, v->tag == TG_NULL ? "null" : v->u.i ? "true" : "false");
}

static tg_cell *read_text(const char *text, size_t len)
{
    tg_cell *cell = cell_of(batch, simple, text, len);
    decoded(cell);
    return cell;
}

/* --- tests ---------------------------------------------------------------- */

static void test_java_cases(void **state)
{
    tg_buf out = {0};
    (void)state;
    for (size_t i = 0; i < sizeof header_cases / sizeof *header_cases; i++) {
        const char *text = header_cases[i].text;
        tg_cell *cell = read_text(text, strlen(text));
        assert_string_equal(cell->state == TG_CELL_DECODED &&
                                    cell->value.tag != TG_NULL
                                ? encoded(cell, simple)
                                : text,
                            text); /* looked at, and still the same bytes */
        out.len = 0;
        put_schema(&out, cell->schema);
        tg_buf_str(&out, " ");
        put_value(&out, &cell->value);
        cell->dirty = 1;
        tg_buf_printf(&out, " -> %s", encoded(cell, simple));
        assert_string_equal(tg_buf_cstr(&out), header_cases[i].expected);
    }
    tg_buf_fini(&out);
}

static void test_unread(void **state)
{
    (void)state;
    tg_cell *cell = cell_of(batch, simple, "1.0", 3);
    size_t before = tg_arena_size(batch->arena);
    assert_string_equal(encoded(cell, simple), "1.0");
    assert_int_equal(cell->state, TG_CELL_RAW);
    assert_true(tg_arena_size(batch->arena) - before < 64);
    decoded(cell);
    assert_int_equal(cell->value.tag, TG_INT8);
    assert_string_equal(encoded(cell, simple), "1.0");
    assert_int_equal(tg_cell_put_int64(cell, 1), 0); /* equal: no write */
    assert_string_equal(encoded(cell, simple), "1.0");
    assert_int_equal(tg_cell_put_int64(cell, 2), 0);
    assert_string_equal(encoded(cell, simple), "2");
}

/* A copy in another place is still a date. */
static void test_copied(void **state)
{
    static const char text[] = "[2020-01-01,\"x\",9223372036854775808]";
    tg_cell *cell = read_text(text, sizeof text - 1);
    tg_cell *copy = &cell->record->key;
    (void)state;
    assert_int_equal(tg_cell_put_copy(copy, &cell->value), 0);
    assert_string_equal(encoded(copy, simple), text);
    assert_int_equal(copy->value.u.node->slots[0].aux, TG_LOGICAL_DATE);
    assert_int_equal(copy->value.u.node->slots[2].aux, TG_LOGICAL_DECIMAL);
}

/* Random bytes: what is not UTF-8 reads as bytes, everything keeps its bytes
 * and can be written anew. */
static void test_any_bytes(void **state)
{
    static const char *const parts[] = {"[",
                                        "]",
                                        "{",
                                        "}",
                                        ",",
                                        ":",
                                        "\"",
                                        "\\",
                                        " ",
                                        "1",
                                        "-",
                                        ".5",
                                        "e9",
                                        "null",
                                        "true",
                                        "2020-01-01",
                                        "12:34:56.789Z",
                                        "a",
                                        "\xc3\xa9",
                                        "\xff",
                                        "99999999999999999999"};
    uint64_t seed = 88172645463325252u;
    char text[512];
    (void)state;
    for (int i = 0; i < 100000; i++) {
        size_t len = 0;
        for (int n = (int)(seed % 17); n > 0; n--) {
            seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
            const char *part = parts[(seed >> 33) % 21];
            memcpy(text + len, part, strlen(part));
            len += strlen(part);
        }
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        tg_cell *cell = read_text(text, len);
        encoded(cell, simple);
        assert_ptr_equal(cell->out, text);
        if (memchr(text, 0xff, len))
            assert_int_equal(cell->value.tag, TG_BYTES);
        cell->dirty = 1;
        encoded(cell, simple);
        assert_true(cell->outlen >= 0 || cell->value.tag == TG_NULL);
    }
}

static void test_limits(void **state)
{
    enum { MANY = 10 << 20 };
    char *text = tg_alloc(MANY);
    (void)state;
    memset(text, '[', MANY); /* deeper than anything: a string */
    tg_cell *cell = read_text(text, MANY);
    assert_int_equal(cell->value.tag, TG_STR);
    assert_int_equal(cell->value.len, MANY);
    memset(text, '1', MANY); /* ten million digits: a decimal */
    cell = read_text(text, MANY);
    assert_int_equal(cell->value.tag, TG_NUM);
    memset(text, 'x', MANY);
    assert_int_equal(read_text(text, MANY)->value.tag, TG_STR);
    for (int i = 0; i < MANY; i += 2) /* five million elements */
        memcpy(text + i, i ? ",1" : "[1", 2);
    text[MANY - 1] = ']';
    cell = read_text(text, MANY); /* a comma at the end is allowed */
    assert_int_equal(cell->value.tag, TG_ARRAY);
    assert_int_equal(cell->value.u.node->n, MANY / 2 - 1);
    tg_free(text);
}

static void test_depth(void **state)
{
    char text[2 * TG_MAX_DEPTH + 4];
    (void)state;
    for (int n = TG_MAX_DEPTH; n <= TG_MAX_DEPTH + 1; n++) {
        memset(text, '[', (size_t)n);
        memset(text + n, ']', (size_t)n);
        tg_cell *cell = read_text(text, 2 * (size_t)n);
        assert_int_equal(cell->value.tag, n > TG_MAX_DEPTH ? TG_STR : TG_ARRAY);
        cell->dirty = 1;
        encoded(cell, simple);
        assert_memory_equal(cell->out, text, 2 * (size_t)n);
    }
}

/* Thousands of equal and of different keys take no quadratic time. */
static void test_many_keys(void **state)
{
    tg_buf text = {0};
    (void)state;
    tg_buf_str(&text, "{");
    for (int i = 0; i < 200000; i++)
        tg_buf_printf(&text, "%s%d:%d", i ? "," : "", i % 150000, i);
    tg_buf_str(&text, "}");
    tg_cell *cell = read_text(text.p, text.len);
    assert_int_equal(cell->value.tag, TG_PAIRS);
    assert_int_equal(cell->value.u.node->n, 300000);
    assert_int_equal(cell->value.u.node->slots[1].u.i, 150000);
    for (size_t i = 0; i < text.len; i++)
        if (text.p[i] == ':')
            text.p[i] = ' '; /* "1 2" is no number: all of it a string */
    assert_int_equal(read_text(text.p, text.len)->value.tag, TG_STR);
    tg_buf_fini(&text);
}

/* Values that no text gives: structs with defaults, bytes inside. */
static void test_structs(void **state)
{
    tg_schema number = {.tag = TG_INT32,
                        .optional = true,
                        .has_default = true,
                        .default_json = "7"};
    tg_schema_field fields[] = {
        {tg_name_intern("a\"b", 3), tg_schema_intern(&number)},
        {tg_name_intern("t", 1), tg_schema_of(TG_INT64, 1, "timestamp")},
        {tg_name_intern("x", 1), tg_schema_of(TG_BYTES, 1, NULL)},
        {tg_name_intern("n", 1), tg_schema_of(TG_STR, 1, NULL)}};
    tg_schema proto = {.tag = TG_STRUCT, .nfields = 4, .fields = fields};
    const tg_schema *s = tg_schema_intern(&proto);
    tg_cell *cell = cell_of(batch, simple, "x", 1);
    (void)state;
    tg_node *node = tg_node_new(batch, TG_STRUCT, tg_shape_of_schema(s), 4);
    node->n = 4;
    node->cell = cell;
    node->slots[0] = node->slots[3] = (tg_value){.tag = TG_NULL};
    node->slots[1] = (tg_value){.tag = TG_INT64, .u.i = 1577880000123};
    node->slots[2] = (tg_value){.tag = TG_BYTES, .len = 3, .u.p = "\1\2\3"};
    cell->value = (tg_value){.tag = TG_STRUCT, .u.node = node};
    cell->schema = s;
    cell->state = TG_CELL_DECODED;
    cell->dirty = 1;
    assert_string_equal(encoded(cell, simple),
                        "{\"a\\\"b\":7,\"t\":2020-01-01T12:00:00.123Z,"
                        "\"x\":\"AQID\",\"n\":null}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_java_cases), cmocka_unit_test(test_unread),
        cmocka_unit_test(test_copied),     cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_limits),     cmocka_unit_test(test_depth),
        cmocka_unit_test(test_many_keys),  cmocka_unit_test(test_structs)};
    tg_convert_init();
    batch = tg_batch_new(0, 0);
    simple = converter("SimpleHeaderConverter", "", "header");
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    tg_converter_free(simple);
    tg_batch_free(batch);
    return rc;
}
