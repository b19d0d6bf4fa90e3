/* The bytes that the JSON encoder writes: escapes, numbers, siblings of what
 * was changed. */
#include "cells.h"
#include <math.h>

static tg_batch *batch;

static tg_cell *open_json(const char *text)
{
    tg_cell *cell =
        cell_of(batch, tg_converter_named("json"), text, strlen(text));
    decoded(cell);
    return cell;
}

static void expect(tg_cell *cell, const char *text)
{
    assert_string_equal(encoded(cell, tg_converter_named("json")), text);
}

static void test_siblings_keep_their_text(void **state)
{
    (void)state;
    tg_cell *cell = open_json("{ \"n\" : 1.10, \"s\":\"a\\u00e9\\/\", \"o\":{ "
                              "\"x\" : [ 1 , 2 ] }, \"big\":1E+2,\"id\":7 }");
    tg_node *node = cell->value.u.node;
    assert_int_equal(tg_put_int64(node, slot_of(node, "id"), NULL, 8), 0);
    expect(cell, "{\"n\":1.10,\"s\":\"a\\u00e9\\/\",\"o\":{ \"x\" : [ 1 , 2 ] }"
                 ",\"big\":1E+2,\"id\":8}");
}

static void test_nested_change(void **state)
{
    (void)state;
    tg_cell *cell =
        open_json("{\"a\":{ \"b\":{\"c\":1}, \"d\":{ } },\"e\":[ ]}");
    tg_node *a = cell->value.u.node->slots[0].u.node;
    tg_node *b = a->slots[0].u.node;
    assert_int_equal(tg_put_text(b, 0, NULL, "x", 1), 0);
    expect(cell, "{\"a\":{\"b\":{\"c\":\"x\"},\"d\":{ }},\"e\":[ ]}");
    assert_int_equal(tg_delete(b, 0), 0);
    expect(cell, "{\"a\":{\"b\":{},\"d\":{ }},\"e\":[ ]}");
}

static void test_escapes(void **state)
{
    (void)state;
    static const char in[] = "\"\\/\b\f\n\r\t\0\1\x1f\x7f\xc3\xa9\xe2\x80\xa8"
                             "\xf0\x9f\x98\x80 plain text behind";
    tg_batch_reset(batch);
    tg_cell *cell = &tg_batch_append(batch)->value;
    assert_int_equal(tg_cell_put_text(cell, in, sizeof in - 1), 0);
    expect(cell, "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u0001\\u001F\x7f\xc3\xa9"
                 "\xe2\x80\xa8\xf0\x9f\x98\x80 plain text behind\"");
}

/* Every control character, at every place of a word. */
static void test_controls(void **state)
{
    (void)state;
    for (int c = 0; c < 0x20; c++) {
        for (int at = 0; at < 20; at++) {
            char s[20], want[8];
            memset(s, 'x', sizeof s);
            s[at] = (char)c;
            tg_buf out = {0};
            tg_json_string(&out, s, sizeof s);
            const char *letter = c == 8    ? "\\b"
                                 : c == 9  ? "\\t"
                                 : c == 10 ? "\\n"
                                 : c == 12 ? "\\f"
                                 : c == 13 ? "\\r"
                                           : NULL;
            snprintf(want, sizeof want, "\\u%04X", (unsigned)c);
            const char *esc = letter ? letter : want;
            assert_int_equal(out.len, 19 + strlen(esc) + 2);
            assert_memory_equal(out.p + 1 + at, esc, strlen(esc));
            tg_buf_fini(&out);
        }
    }
}

static void test_not_utf8(void **state)
{
    (void)state;
    tg_err err = {0};
    tg_cell *cell = cell_of(batch, tg_converter_named("string"), "ab\xe9z", 4);
    assert_int_equal(tg_cell_encode(cell, tg_converter_named("json"), &err),
                     TG_ERR_DATA);
    assert_has(err.text, "byte 0xE9 at position 2 is not UTF-8");
    tg_buf out = {0};
    tg_json_string(&out, "ab\xe9z", 4);
    assert_string_equal(tg_buf_cstr(&out), "\"ab\xef\xbf\xbdz\"");
    tg_buf_fini(&out);
}

static void expect_text(const tg_value *v, const char *text)
{
    tg_buf out = {0};
    tg_err err = {0};
    assert_int_equal(tg_json_encode(&out, v, &err), 0);
    assert_string_equal(tg_buf_cstr(&out), text);
    tg_buf_fini(&out);
}

static void test_scalars(void **state)
{
    (void)state;
    expect_text(&(tg_value){.tag = TG_FLOAT64, .u.d = 100}, "100.0");
    expect_text(&(tg_value){.tag = TG_FLOAT64, .u.d = 12345678.9},
                "1.23456789E7");
    expect_text(&(tg_value){.tag = TG_FLOAT32, .u.d = 0.1f}, "0.1");
    expect_text(&(tg_value){.tag = TG_FLOAT64, .u.d = NAN}, "\"NaN\"");
    expect_text(&(tg_value){.tag = TG_FLOAT64, .u.d = -INFINITY},
                "\"-Infinity\"");
    expect_text(&(tg_value){.tag = TG_INT8, .u.i = -128}, "-128");
    expect_text(&(tg_value){.tag = TG_INT64, .u.i = INT64_MIN},
                "-9223372036854775808");
    expect_text(&(tg_value){.tag = TG_BOOL, .u.i = 1}, "true");
    expect_text(&(tg_value){.tag = TG_NULL}, "null");
    expect_text(&(tg_value){.tag = TG_BYTES, .u.p = "\0\xff", .len = 2},
                "\"AP8=\"");
    expect_text(&(tg_value){.tag = TG_BYTES, .u.p = "", .len = 0}, "\"\"");
}

/* Names of every length, first and not first, beside values of every length. */
static void test_lengths(void **state)
{
    (void)state;
    for (int n = 0; n < 70; n++) {
        char doc[400], name[80], text[80];
        memset(name, 'n', sizeof name);
        memset(text, 't', sizeof text);
        snprintf(doc, sizeof doc, "{\"%.*s\":\"%.*s\",\"%.*s2\":%.*s1,\"z\":1}",
                 n, name, n, text, n, name, n > 18 ? 0 : n,
                 "111111111111111111");
        tg_cell *cell = open_json(doc);
        assert_int_equal(tg_node_touch(cell->value.u.node), 0);
        expect(cell, doc);
    }
}

static void test_error_names_the_field(void **state)
{
    (void)state;
    tg_err err = {0};
    tg_cell *cell = open_json("{\"a\":{\"b\":[1,2]}}");
    tg_node *b = cell->value.u.node->slots[0].u.node->slots[0].u.node;
    assert_int_equal(tg_put_bytes(b, 1, NULL, "x", 1), 0);
    b->slots[1] =
        (tg_value){.tag = TG_STR, .flags = TG_F_NEW, .u.p = "\xff", .len = 1};
    assert_int_equal(tg_cell_encode(cell, tg_converter_named("json"), &err),
                     TG_ERR_DATA);
    assert_has(err.text, "field \"a\": field \"b\": element 2: a string");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_siblings_keep_their_text),
        cmocka_unit_test(test_nested_change),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_controls),
        cmocka_unit_test(test_not_utf8),
        cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_error_names_the_field),
    };
    tg_convert_init();
    batch = tg_batch_new(0, 0);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    tg_batch_free(batch);
    return failed;
}
