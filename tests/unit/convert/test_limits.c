/*
 * Values at the edges through every converter that can hold them: strings of
 * 10 MB, deep nesting, empty containers, 38-digit decimals, invalid UTF-8.
 */
#include "cells.h"
#include "convert/decimal.h"
#include "convert/json_write.h"

enum { MB10 = 10 << 20 };

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

/* --- long texts ----------------------------------------------------------- */

static void long_text(const char *class_name, const char *settings,
                      const char *part)
{
    tg_converter *conv = converter(class_name, settings, "header");
    size_t n = strlen(part);
    tg_buf text = {0};
    while (text.len < MB10)
        tg_buf_add(&text, part, n);
    tg_cell *cell = cell_with((tg_value){.tag = TG_STR,
                                         .flags = TG_F_NEW,
                                         .len = (uint32_t)text.len,
                                         .u.p = text.p},
                              NULL);
    tg_buf bytes = {0};
    tg_err err = {0};
    if (tg_cell_encode(cell, conv, &err))
        fail_msg("%s: %s", class_name, err.text);
    tg_buf_add(&bytes, cell->out, (size_t)cell->outlen);
    cell = cell_of(batch, conv, bytes.p, bytes.len);
    decoded(cell);
    assert_true(tg_value_eq(batch, &cell->value, text.p, (uint32_t)text.len));
    tg_buf_fini(&bytes);
    tg_buf_fini(&text);
    tg_converter_free(conv);
}

static void test_long_texts(void **state)
{
    (void)state;
    long_text("String", "", "text \xc3\xa9");
    long_text("String", "converter.encoding=UTF-16", "text \xf0\x9f\x98\x80");
    long_text("Json", "schemas.enable=false", "q\"\\\n\x01");
    long_text("Json", "", "\xe2\x82\xac plain");
    long_text("SimpleHeaderConverter", "", "header [1,2");
}

/* --- depth ---------------------------------------------------------------- */

/* n lists in each other, in maps, or in pairs. */
static tg_value nested(tg_cell *cell, int kind, int n)
{
    static const char letter[] = "k";
    const tg_name *name = tg_name_intern(letter, 1);
    tg_value v = {.tag = TG_INT64, .u.i = 1};
    for (int i = 0; i < n; i++) {
        tg_shape *shape = kind == TG_MAP ? tg_shape_private(batch, &name, 1)
                                         : tg_shape_array();
        uint32_t slots = kind == TG_PAIRS ? 2 : 1;
        tg_node *node = tg_node_new(batch, kind, shape, slots);
        node->n = slots;
        node->cell = cell;
        node->dirty = 1;
        node->slots[0] = (tg_value){.tag = TG_INT64};
        node->slots[slots - 1] = v;
        v = (tg_value){.tag = (uint8_t)kind, .u.node = node};
    }
    return v;
}

static void test_depth(void **state)
{
    static const char *const classes[] = {"Json", "String",
                                          "SimpleHeaderConverter"};
    static const int kinds[] = {TG_ARRAY, TG_MAP, TG_PAIRS};
    (void)state;
    for (int i = 0; i < 3; i++) {
        tg_converter *conv = converter(classes[i], "", "header");
        for (int k = 0; k < 3; k++) {
            tg_err err = {0};
            tg_cell *cell = cell_with((tg_value){.tag = TG_NULL}, NULL);
            cell->value = nested(cell, kinds[k], TG_MAX_DEPTH);
            assert_int_equal(tg_cell_encode(cell, conv, &err), 0);
            cell->value = nested(cell, kinds[k], TG_MAX_DEPTH + 1);
            assert_int_equal(tg_cell_encode(cell, conv, &err), TG_ERR_DATA);
            assert_has(err.text, "nested more than 512 levels");
            cell->value = nested(cell, kinds[k], 200000);
            assert_int_equal(tg_cell_encode(cell, conv, &err), TG_ERR_DATA);
        }
        tg_converter_free(conv);
    }
}

/* Schemas nest as deeply as values at most. */
static void test_schema_depth(void **state)
{
    tg_converter *conv = converter("Json", "", "value");
    tg_buf text = {0};
    (void)state;
    tg_buf_str(&text, "{\"schema\":");
    for (int i = 0; i < 100000; i++)
        tg_buf_str(&text, "{\"type\":\"array\",\"items\":");
    tg_cell *cell = cell_of(batch, conv, text.p, text.len);
    tg_err err = {0};
    assert_int_equal(tg_cell_decode(cell, &err), TG_ERR_DATA);
    assert_has(err.text, "512");
    tg_buf_fini(&text);
    tg_converter_free(conv);
}

/* --- empty containers ----------------------------------------------------- */

static void test_empty(void **state)
{
    static const char *const texts[] = {
        "{\"schema\":{\"type\":\"array\",\"items\":{\"type\":\"int8\","
        "\"optional\":false},\"optional\":false},\"payload\":[]}",
        "{\"schema\":{\"type\":\"map\",\"keys\":{\"type\":\"string\","
        "\"optional\":false},\"values\":{\"type\":\"int8\",\"optional\":false},"
        "\"optional\":false},\"payload\":{}}",
        "{\"schema\":{\"type\":\"map\",\"keys\":{\"type\":\"int8\","
        "\"optional\":false},\"values\":{\"type\":\"int8\",\"optional\":false},"
        "\"optional\":false},\"payload\":[]}",
        "{\"schema\":{\"type\":\"struct\",\"fields\":[],\"optional\":false},"
        "\"payload\":{}}"};
    static const char *const java[] = {"[]", "{}", "{}", "Struct{}"};
    static const char *const header[] = {"[]", "{}", "{}", "{}"};
    tg_converter *json = converter("Json", "", "value");
    tg_converter *string = converter("String", "", "value");
    tg_converter *simple = converter("SimpleHeaderConverter", "", "header");
    (void)state;
    for (int i = 0; i < 4; i++) {
        tg_cell *cell = cell_of(batch, json, texts[i], strlen(texts[i]));
        decoded(cell);
        assert_int_equal(tg_node_touch(cell->value.u.node), 0);
        assert_string_equal(encoded(cell, json), texts[i]);
        assert_string_equal(encoded(cell, string), java[i]);
        assert_string_equal(encoded(cell, simple), header[i]);
    }
    tg_converter_free(json);
    tg_converter_free(string);
    tg_converter_free(simple);
}

/* --- decimals ------------------------------------------------------------- */

static const tg_schema *decimal(const char *scale)
{
    tg_schema_param param = {"scale", scale};
    return tg_schema_intern(&(tg_schema){.tag = TG_BYTES,
                                         .name = TG_DECIMAL_NAME,
                                         .has_version = true,
                                         .version = 1,
                                         .nparams = 1,
                                         .params = &param});
}

static void expect_decimal(const char *digits, const char *scale,
                           const char *text)
{
    tg_converter *numeric = converter(
        "Json", "schemas.enable=false,decimal.format=NUMERIC", "value");
    tg_converter *string = converter("String", "", "value");
    tg_converter *simple = converter("SimpleHeaderConverter", "", "header");
    tg_buf unscaled = {0};
    tg_err err = {0};
    int64_t none;
    assert_int_equal(
        tg_decimal_parse(&unscaled, digits, strlen(digits), &none, &err), 0);
    tg_cell *cell = cell_with((tg_value){.tag = TG_BYTES,
                                         .len = (uint32_t)unscaled.len,
                                         .u.p = unscaled.p},
                              decimal(scale));
    assert_string_equal(encoded(cell, numeric), text);
    assert_string_equal(encoded(cell, string), text);
    assert_string_equal(encoded(cell, simple), text);
    tg_buf_fini(&unscaled);
    tg_converter_free(numeric);
    tg_converter_free(string);
    tg_converter_free(simple);
}

static void test_decimals(void **state)
{
    (void)state;
    expect_decimal("99999999999999999999999999999999999999", "0",
                   "99999999999999999999999999999999999999");
    expect_decimal("-99999999999999999999999999999999999999", "38",
                   "-0.99999999999999999999999999999999999999");
    expect_decimal("12345678901234567890123456789012345678", "-3",
                   "1.2345678901234567890123456789012345678E+40");
    expect_decimal("1", "-3", "1E+3");
    expect_decimal("0", "2", "0.00");
    expect_decimal("-1", "7", "-1E-7");
}

static void canonical(const char *text, const char *expected)
{
    tg_buf out = {0};
    tg_decimal_canonical(&out, text, strlen(text));
    assert_string_equal(tg_buf_cstr(&out), expected);
    tg_buf_fini(&out);
}

/* What java.math.BigDecimal prints for number text. */
static void test_canonical(void **state)
{
    (void)state;
    canonical("1e3", "1E+3");
    canonical("-0.00", "0.00");
    canonical("10.00", "10.00");
    canonical("0.0000001", "1E-7");
    canonical("-12.5E-3", "-0.0125");
    canonical("0e5", "0E+5");
    canonical("007", "7");
}

/* --- invalid UTF-8 -------------------------------------------------------- */

static void test_invalid_utf8(void **state)
{
    static const char bytes[] = "a\xff"
                                "b";
    tg_converter *string = converter("String", "", "value");
    tg_converter *utf16 =
        converter("String", "converter.encoding=UTF-16BE", "value");
    tg_converter *json = converter("Json", "schemas.enable=false", "value");
    tg_converter *simple = converter("SimpleHeaderConverter", "", "header");
    tg_err err = {0};
    (void)state;
    tg_cell *cell = cell_of(batch, string, bytes, 3);
    decoded(cell);
    cell->dirty = 1;
    assert_string_equal(encoded(cell, string), bytes);
    assert_int_equal(tg_cell_encode(cell, json, &err), TG_ERR_DATA);
    assert_has(err.text, "byte 0xFF at position 1 is not UTF-8");
    cell = cell_of(batch, json, "\"a\xff\"", 4);
    assert_int_equal(tg_cell_decode(cell, &err), TG_ERR_DATA);
    assert_has(err.text, "UTF-8");
    cell = cell_of(batch, simple, bytes, 3);
    decoded(cell);
    assert_int_equal(cell->value.tag, TG_BYTES);
    assert_string_equal(encoded(cell, simple), bytes);
    cell = cell_of(batch, utf16, "\xd8\x3d\0a", 4); /* a lone surrogate */
    decoded(cell);
    assert_true(tg_value_eq(batch, &cell->value,
                            "\xef\xbf\xbd"
                            "a",
                            4));
    tg_converter_free(string);
    tg_converter_free(utf16);
    tg_converter_free(json);
    tg_converter_free(simple);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_long_texts),   cmocka_unit_test(test_depth),
        cmocka_unit_test(test_schema_depth), cmocka_unit_test(test_empty),
        cmocka_unit_test(test_decimals),     cmocka_unit_test(test_canonical),
        cmocka_unit_test(test_invalid_utf8)};
    tg_convert_init();
    batch = tg_batch_new(0, 0);
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    tg_batch_free(batch);
    return rc;
}
