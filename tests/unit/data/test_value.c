/* Reading values. */
#include "tree.h"
#include <math.h>

static tg_record *rec;
static tg_batch *batch;

static int setup(void **state)
{
    (void)state;
    batch = one(&rec);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tg_batch_free(batch);
    return 0;
}

static tg_value num(const char *s)
{
    return (tg_value){.tag = TG_NUM, .len = (uint32_t)strlen(s), .u.p = s};
}

static tg_value str(int tag, const char *s)
{
    return (tg_value){
        .tag = (uint8_t)tag, .len = (uint32_t)strlen(s), .u.p = s};
}

static void int64_is_exact_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int32_t ok;
        int64_t want;
    } cases[] = {
        {"9223372036854775807", 1, INT64_MAX},
        {"9223372036854775808", 0, 0},
        {"-9223372036854775808", 1, INT64_MIN},
        {"-9223372036854775809", 0, 0},
        {"99999999999999999999999", 0, 0},
        {"1e3", 1, 1000},
        {"5.0", 1, 5},
        {"5.5", 0, 0},
        {"-0", 1, 0},
        {"1e19", 0, 0},
        {"1e400", 0, 0},
        {"9007199254740993.0", 0, 0},
        {"9007199254740992.5", 0, 0},
        {"4503599627370497.25", 0, 0},
        {"1000000000000.00", 1, 1000000000000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tg_value v = num(cases[i].text);
        int32_t ok = 7;
        int64_t have = tg_value_int64(&v, &ok);
        if (ok != cases[i].ok || have != cases[i].want)
            fail_msg("%s", cases[i].text);
    }
    int32_t ok;
    tg_value s = str(TG_STR, "5");
    tg_value_int64(&s, &ok);
    assert_int_equal(ok, 0);
    tg_value_int64(NULL, &ok);
    assert_int_equal(ok, 0);
    tg_value_number(NULL, &ok);
    assert_int_equal(ok, 0);
    tg_value n = num("0.1");
    assert_true(tg_value_number(&n, &ok) == 0.1);
    assert_true(tg_value_number(&n, NULL) == 0.1);
}

static void escapes_are_decoded(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"\\u0041\\n\\\"\\\\\\/\\b\\f\\r\\t", "A\n\"\\/\b\f\r\t"},
        {"\\u00e9\\u20AC", "\xC3\xA9\xE2\x82\xAC"},
        {"\\ud83d\\ude00", "\xF0\x9F\x98\x80"},
        {"\\ud83dx", "\xEF\xBF\xBDx"},
        {"\\ude00\\ud83d", "\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\\ud83d\\ud83d\\ude00", "\xEF\xBF\xBD\xF0\x9F\x98\x80"},
        {"\\ud83d\\u0041", "\xEF\xBF\xBD"
                           "A"},
        {"x\\", "x\\"}, /* no JSON: still safe */
        {"\\u12", "u12"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tg_value v = str(TG_ESC, cases[i].text);
        uint32_t len, want = (uint32_t)strlen(cases[i].want);
        const char *s = tg_value_text(batch, &v, &len);
        assert_int_equal(len, want);
        assert_memory_equal(s, cases[i].want, len);
        assert_true(len <= v.len);
        assert_int_equal(tg_value_eq(batch, &v, s, len), 1);
        assert_int_equal(tg_value_eq(batch, &v, s, len - 1), 0);
        assert_int_equal(tg_value_eq(batch, &v, "?", 1), 0);
    }
    tg_value v = str(TG_ESC, "a\\u0000b");
    uint32_t len;
    assert_memory_equal(tg_value_text(batch, &v, &len), "a\0b", 3);
    assert_int_equal(len, 3);
    assert_null(tg_value_text(batch, NULL, &len));
    tg_value i = {.tag = TG_INT64};
    assert_null(tg_value_text(batch, &i, &len));
    assert_int_equal(len, 0);
    assert_int_equal(tg_value_eq(batch, &i, "", 0), 0);
    assert_int_equal(tg_value_eq(batch, &v, NULL, 3), 0);
}

static void utf8_is_checked(void **state)
{
    (void)state;
    static const char *good[] = {"",
                                 "plain ascii text of some length",
                                 "\xC3\xA9",
                                 "\xED\x9F\xBF",
                                 "\xEE\x80\x80",
                                 "\xF4\x8F\xBF\xBF",
                                 "12345678\xE2\x82\xAC"};
    static const struct {
        const char *text;
        int64_t at;
    } bad[] = {
        {"\x80", 0},
        {"abc\xC3", 3},
        {"\xC0\x80", 0},
        {"\xE0\x80\x80", 0},
        {"\xED\xA0\x80", 0},
        {"\xF0\x80\x80\x80", 0},
        {"\xF5\x80\x80\x80", 0},
        {"\xF4\x90\x80\x80", 0},
        {"12345678\xFF", 8},
        {"ab\xE2\x82", 2},
        {"\xC3\xA9\xFE", 2},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(tg_text_check(good[i], strlen(good[i])), -1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (tg_text_check(bad[i].text, strlen(bad[i].text)) != bad[i].at)
            fail_msg("case %zu", i);
}

static bool eq(const char *a, const char *b)
{
    bool equal;
    tree(&rec->key, a);
    private_tree(&rec->value, b);
    equal = tg_value_equal(&rec->key.value, &rec->value.value);
    assert_int_equal(tg_value_equal(&rec->value.value, &rec->key.value), equal);
    return equal;
}

static void equality_is_by_value(void **state)
{
    (void)state;
    assert_true(eq("{\"a\":1,\"b\":[1.10]}", "{\"b\":[1.1],\"a\":1}"));
    assert_false(eq("{\"a\":1}", "{\"a\":1,\"b\":null}"));
    assert_false(eq("{\"a\":1}", "{\"b\":1}"));
    assert_false(eq("[1,2]", "[2,1]"));
    assert_false(eq("[1]", "[1,1]"));
    assert_false(eq("[]", "{}"));
    assert_true(eq("[5]", "[5.0]"));
    assert_false(eq("[5]", "[\"5\"]"));
    assert_true(eq("[\"\\u0041\"]", "[\"A\"]"));
    assert_true(eq("[\"\\u0041\"]", "[\"\\u0041\"]"));
    assert_true(eq("[\"\\n\"]", "[\"\\u000a\"]"));
    assert_false(eq("[\"\\n\"]", "[\"\\u000b\"]"));
    assert_false(eq("[null]", "[false]"));
    assert_false(eq("[true]", "[false]"));
    assert_false(eq("[10000000000000000001]", "[10000000000000000002]"));
    assert_false(eq("[0.10000000000000001]", "[0.10000000000000000]"));
    assert_false(eq("[9007199254740993.0]", "[9007199254740992.0]"));
    assert_true(eq("[9223372036854775807]", "[9223372036854775807]"));
    assert_false(eq("[9007199254740993.0]", "[9007199254740992]"));
    assert_false(eq("[1e400]", "[2e400]"));
    assert_false(eq("[1e-400]", "[2e-400]"));
    assert_false(eq("[1e-400]", "[0]"));
    assert_true(eq("[0e5]", "[0]"));
    assert_true(eq("[1e400]", "[1e400]"));
    assert_false(eq("[9223372036854775807]", "[9223372036854775806]"));
}

static void slots_have_defaults(void **state)
{
    (void)state;
    tg_node *n = tree(&rec->value, "{\"a\":1.5,\"s\":\"\\n\",\"n\":null,"
                                   "\"i\":9007199254740993}");
    int32_t ok;
    uint32_t len;
    assert_true(tg_slot_number(n, 0, 9) == 1.5);
    assert_true(tg_slot_number(n, 1, 9) == 9);
    assert_true(tg_slot_number(n, 2, 9) == 9);
    assert_true(tg_slot_number(NULL, 0, 9) == 9);
    assert_true(tg_slot_int64(n, 3, 0, &ok) == 9007199254740993);
    assert_int_equal(ok, 1);
    assert_true(tg_slot_int64(n, 0, -7, &ok) == -7);
    assert_int_equal(ok, 0);
    assert_memory_equal(tg_slot_text(batch, n, 1, &len), "\n", 1);
    assert_int_equal(len, 1);
    assert_null(tg_slot_text(batch, n, 4, &len));
    assert_null(tg_slot_text(batch, n, 0, &len));
}

static int fake_json(tg_buf *out, const tg_value *v, tg_err *err)
{
    if (v->tag == TG_NULL)
        return tg_err_set(err, TG_ERR_DATA, "not this one");
    tg_buf_str(out, "[1]");
    return 0;
}

static void json_goes_through_the_hook(void **state)
{
    (void)state;
    uint32_t len;
    tg_value v = {.tag = TG_NULL};
    tg_value_json_hook = NULL;
    assert_null(tg_value_json(batch, &v, &len));
    tg_value_json_hook = fake_json;
    assert_null(tg_value_json(batch, &v, &len));
    assert_string_equal(tg_ffi_error(), "not this one");
    v.tag = TG_BOOL;
    assert_memory_equal(tg_value_json(batch, &v, &len), "[1]", 3);
    assert_int_equal(len, 3);
    assert_null(tg_value_json(NULL, &v, &len));
    assert_null(tg_value_json(batch, NULL, &len));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(int64_is_exact_or_refused), T(escapes_are_decoded),
        T(utf8_is_checked),           T(equality_is_by_value),
        T(slots_have_defaults),       T(json_goes_through_the_hook),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
