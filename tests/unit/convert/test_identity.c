/*
 * The identity guarantee over random documents of all JSON types: untouched,
 * with every field read, and with every value written to itself, the bytes that
 * go out are those that came in; and what is made from values reads back equal.
 */
#include "cells.h"
#include <stdio.h>

enum { DOCUMENTS = 120000 };

static uint64_t seed = 0x2545F4914F6CDD1Du;

static uint32_t rnd(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 33) % n;
}

static const char *pick(const char *const *list, size_t n)
{
    return list[rnd((uint32_t)n)];
}
#define PICK(list) pick(list, sizeof list / sizeof *list)

static void gen_string(tg_buf *out)
{
    static const char *const parts[] = {"a",
                                        "hello ",
                                        "\xc3\xa9",
                                        "\xe2\x82\xac",
                                        "\xf0\x9f\x98\x80",
                                        "\\n",
                                        "\\\"",
                                        "\\\\",
                                        "\\/",
                                        "\\u00e9",
                                        "\\u001F",
                                        "\\u001f",
                                        "\\ud83d\\ude00",
                                        "\\uD800",
                                        "/",
                                        " ",
                                        "0123456789abcdef",
                                        "\xe2\x80\xa8",
                                        "\x7f",
                                        "'"};
    tg_buf_str(out, "\"");
    for (uint32_t n = rnd(6); n > 0; n--)
        tg_buf_str(out, PICK(parts));
    tg_buf_str(out, "\"");
}

static void gen_number(tg_buf *out)
{
    static const char *const texts[] = {"0",
                                        "-0",
                                        "1.10",
                                        "1e5",
                                        "1E+05",
                                        "-1.0",
                                        "100.000",
                                        "0.1e-7",
                                        "1e400",
                                        "9223372036854775807",
                                        "-9223372036854775808",
                                        "18446744073709551616",
                                        "123456789012345678901234567890.5",
                                        "0.30000000000000004",
                                        "-0.0"};
    if (rnd(2))
        tg_buf_str(out, PICK(texts));
    else
        tg_buf_printf(out, "%lld",
                      (long long)rnd(1u << 31) * (rnd(2) ? 1 : -1));
}

static void gen_value(tg_buf *out, int depth);

static void gen_ws(tg_buf *out, bool loose)
{
    static const char *const spaces[] = {"", "", " ", "\n  ", "\t", "\r\n"};
    if (loose)
        tg_buf_str(out, PICK(spaces));
}

static bool loose;

static void gen_object(tg_buf *out, int depth)
{
    static const char *const names[] = {"id",  "amount",    "a long field name",
                                        "x",   "nested",    "\xc3\xa9t\xc3\xa9",
                                        "",    "q\\\"uote", "n",
                                        "list"};
    uint32_t used = 0, n = rnd(6);
    bool any = false;
    tg_buf_str(out, "{");
    gen_ws(out, loose);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = rnd(3) ? i : rnd(10);
        if (used >> k & 1)
            continue;
        used |= 1u << k;
        tg_buf_printf(out, "%s", any ? "," : "");
        gen_ws(out, loose);
        tg_buf_printf(out, "\"%s\"", names[k]);
        gen_ws(out, loose);
        tg_buf_str(out, ":");
        gen_ws(out, loose);
        gen_value(out, depth + 1);
        gen_ws(out, loose);
        any = true;
    }
    if (rnd(20) == 0) /* a name that is seen once */
        tg_buf_printf(out, "%s\"r%u\":null", any ? "," : "", rnd(1u << 30));
    tg_buf_str(out, "}");
}

static void gen_value(tg_buf *out, int depth)
{
    static const char *const words[] = {"null", "true", "false", "[]", "{}"};
    uint32_t kind = rnd(depth == 0 ? 4 : depth > 6 ? 12 : 16);
    uint32_t n = rnd(5);
    if (depth == 0 ? kind > 0 : kind >= 13) {
        gen_object(out, depth);
    } else if (depth == 0 || kind == 12) {
        tg_buf_str(out, "[");
        for (uint32_t i = 0; i < n; i++) {
            tg_buf_str(out, i ? "," : "");
            gen_ws(out, loose);
            gen_value(out, depth + 1);
            gen_ws(out, loose);
        }
        tg_buf_str(out, "]");
    } else if (kind < 4) {
        gen_string(out);
    } else if (kind < 9) {
        gen_number(out);
    } else {
        tg_buf_str(out, PICK(words));
    }
}

/* A chain of containers down to the depth limit. */
static void gen_deep(tg_buf *out)
{
    uint32_t n = 1 + rnd(TG_MAX_DEPTH);
    size_t at = out->len;
    for (uint32_t i = 0; i < n; i++)
        tg_buf_str(out, rnd(2) ? "[" : "{\"d\":");
    tg_buf_str(out, "1");
    for (size_t i = out->len - 1; n > 0; n--) {
        while (i > at && out->p[i - 1] != '[' && out->p[i - 1] != '{')
            i--;
        char open = out->p[--i];
        tg_buf_str(out, open == '[' ? "]" : "}");
    }
}

static void read_all(tg_batch *batch, const tg_value *v)
{
    int32_t ok;
    uint32_t len;
    (void)tg_value_number(v, &ok);
    (void)tg_value_int64(v, &ok);
    (void)tg_value_text(batch, v, &len);
    (void)tg_value_eq(batch, v, "x", 1);
    if (v->tag < TG_ARRAY)
        return;
    for (uint32_t i = 0; i < v->u.node->n; i++)
        read_all(batch, &v->u.node->slots[i]);
    for (uint32_t i = 0; v->tag == TG_MAP && i < v->u.node->n; i++) {
        const tg_name *name = v->u.node->shape->names[i];
        assert_int_equal(tg_slot_find_text(v->u.node, name->text, name->len),
                         i);
    }
}

/* What `v.x = v.x` does for each kind. */
static void write_same(tg_batch *batch, tg_node *node)
{
    for (uint32_t i = 0; i < node->n; i++) {
        const tg_value *v = &node->slots[i];
        int32_t slot = (int32_t)i, ok = 0, rc = 0;
        uint32_t len = 0;
        const char *p;
        double d;
        switch (v->tag) {
        case TG_NULL:
            rc = tg_put_null(node, slot, NULL);
            break;
        case TG_BOOL:
            rc = tg_put_bool(node, slot, NULL, (int32_t)v->u.i);
            break;
        case TG_INT64:
            rc = tg_put_int64(node, slot, NULL, v->u.i);
            break;
        case TG_NUM:
            d = tg_value_number(v, &ok);
            if (d - d == 0)
                rc = tg_put_number(node, slot, NULL, d);
            break;
        case TG_STR:
        case TG_ESC:
            p = tg_value_text(batch, v, &len);
            rc = tg_put_text(node, slot, NULL, p, len);
            break;
        default:
            write_same(batch, v->u.node);
        }
        if (rc)
            fail_msg("%s", tg_ffi_error());
    }
}

static void expect_same(tg_cell *cell, const tg_converter *conv,
                        const tg_buf *doc, const char *when)
{
    tg_err err = {0};
    if (tg_cell_encode(cell, conv, &err))
        fail_msg("%s: %s", when, err.text);
    if ((size_t)cell->outlen != doc->len ||
        memcmp(cell->out, doc->p, doc->len) != 0)
        fail_msg("%s: %.*s became %.*s", when, (int)doc->len, doc->p,
                 cell->outlen, cell->out);
}

static void make(tg_buf *doc)
{
    doc->len = 0;
    if (rnd(100) == 0)
        gen_deep(doc);
    else
        gen_value(doc, 0);
}

static void test_identity(void **state)
{
    tg_batch *batch = tg_batch_new(0, 0);
    tg_converter *in = converter("Json", "schemas.enable=false", "value");
    tg_converter *out =
        converter("JsonConverter", "schemas.enable=false", "value");
    tg_buf doc = {0};
    (void)state;
    for (int i = 0; i < DOCUMENTS; i++) {
        loose = rnd(4) == 0;
        make(&doc);
        tg_cell *cell = cell_of(batch, in, doc.p, doc.len);
        expect_same(cell, out, &doc, "untouched");
        decoded(cell);
        read_all(batch, &cell->value);
        expect_same(cell, out, &doc, "every field read");
        if (cell->value.tag >= TG_ARRAY)
            write_same(batch, cell->value.u.node);
        assert_int_equal(cell->dirty, 0);
        expect_same(cell, out, &doc, "every value written to itself");
    }
    tg_buf_fini(&doc);
    tg_converter_free(in);
    tg_converter_free(out);
    tg_batch_free(batch);
}

/* Nodes above the touched leaf are written again: what is beside it keeps its
 * text. The nodes are all marked, so nothing is copied as a whole. */
static void mark_all(tg_value *v)
{
    if (v->tag < TG_ARRAY)
        return;
    assert_int_equal(tg_node_touch(v->u.node), 0);
    for (uint32_t i = 0; i < v->u.node->n; i++)
        mark_all(&v->u.node->slots[i]);
}

/* Keys keep their text too, as long as it is the canonical one. */
static void test_rewritten(void **state)
{
    tg_batch *batch = tg_batch_new(0, 0);
    const tg_converter *json = tg_converter_named("json");
    tg_buf doc = {0};
    (void)state;
    loose = false;
    for (int i = 0; i < DOCUMENTS / 4; i++) {
        make(&doc);
        tg_cell *cell = cell_of(batch, json, doc.p, doc.len);
        decoded(cell);
        mark_all(&cell->value);
        expect_same(cell, json, &doc, "written again");
    }
    tg_buf_fini(&doc);
    tg_batch_free(batch);
}

/* Copies between batches, and values that a script would make. */
static void test_values_read_back(void **state)
{
    tg_batch *batch = tg_batch_new(0, 0), *other = tg_batch_new(0, 0);
    const tg_converter *json = tg_converter_named("json");
    tg_buf doc = {0};
    tg_err err = {0};
    static tg_site site;
    (void)state;
    loose = true;
    for (int i = 0; i < DOCUMENTS / 8; i++) {
        make(&doc);
        tg_cell *cell = cell_of(batch, json, doc.p, doc.len);
        decoded(cell);
        tg_batch_reset(other);
        tg_record *rec = tg_batch_append(other);
        assert_int_equal(tg_cell_put_copy(&rec->value, &cell->value), 0);
        const char *text = encoded(&rec->value, json);
        tg_value back;
        assert_int_equal(tg_json_decode(other, &rec->value, &site, text,
                                        strlen(text), &back, &err),
                         0);
        assert_true(tg_value_equal(&cell->value, &back));
    }
    tg_buf_fini(&doc);
    tg_batch_free(batch);
    tg_batch_free(other);
}

static void test_random_strings(void **state)
{
    tg_batch *batch = tg_batch_new(0, 0);
    const tg_converter *json = tg_converter_named("json");
    (void)state;
    for (int i = 0; i < 20000; i++) {
        char s[64];
        uint32_t n = rnd(60), len;
        for (uint32_t k = 0; k < n; k++)
            s[k] = (char)rnd(128);
        tg_batch_reset(batch);
        tg_record *rec = tg_batch_append(batch);
        assert_int_equal(tg_cell_put_text(&rec->value, s, n), 0);
        const char *text = encoded(&rec->value, json);
        tg_value back;
        tg_err err = {0};
        assert_int_equal(tg_json_decode(batch, &rec->value, NULL, text,
                                        strlen(text), &back, &err),
                         0);
        const char *p = tg_value_text(batch, &back, &len);
        assert_int_equal(len, n);
        assert_memory_equal(p, s, n);
    }
    tg_batch_free(batch);
}

/* Any bytes go through String and ByteArray as they are, read or not. */
static void test_bytes(void **state)
{
    static const char *const classes[] = {"String", "ByteArray"};
    tg_batch *batch = tg_batch_new(0, 0);
    (void)state;
    for (int c = 0; c < 2; c++) {
        tg_converter *conv = converter(classes[c], "", "value");
        for (int i = 0; i < 10000; i++) {
            char s[100];
            tg_buf doc = {.p = s, .len = rnd(sizeof s)};
            for (size_t k = 0; k < doc.len; k++)
                s[k] = (char)rnd(256);
            tg_cell *cell = cell_of(batch, conv, s, doc.len);
            expect_same(cell, conv, &doc, "untouched");
            decoded(cell);
            read_all(batch, &cell->value);
            expect_same(cell, conv, &doc, "read");
            cell->dirty = 1;
            expect_same(cell, conv, &doc, "written again");
        }
        tg_converter_free(conv);
    }
    tg_batch_free(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_rewritten),
        cmocka_unit_test(test_values_read_back),
        cmocka_unit_test(test_random_strings),
        cmocka_unit_test(test_bytes),
    };
    tg_convert_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
