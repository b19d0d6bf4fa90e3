/* Numbers as text: Java's notation, shortest digits, exact parsing. */
#include "base/number.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void expect_double(double d, const char *text)
{
    char buf[TG_NUMBER_MAX + 1];
    int n = tg_double_text(buf, d);
    assert_in_range(n, 1, TG_NUMBER_MAX);
    buf[n] = 0;
    assert_string_equal(buf, text);
}

static void expect_float(float f, const char *text)
{
    char buf[TG_NUMBER_MAX + 1];
    buf[tg_float_text(buf, f)] = 0;
    assert_string_equal(buf, text);
}

static void test_double_notation(void **state)
{
    (void)state;
    expect_double(0.0, "0.0");
    expect_double(-0.0, "-0.0");
    expect_double(1.0, "1.0");
    expect_double(100.0, "100.0");
    expect_double(-12.5, "-12.5");
    expect_double(0.001, "0.001");
    expect_double(0.00123, "0.00123");
    expect_double(0.1, "0.1");
    expect_double(0.010625, "0.010625");
    expect_double(9.99e-4, "9.99E-4");
    expect_double(1e-7, "1.0E-7");
    expect_double(9999999.0, "9999999.0");
    expect_double(1e7, "1.0E7");
    expect_double(12345678.9, "1.23456789E7");
    expect_double(1234567.25, "1234567.25");
    expect_double(1e10, "1.0E10");
    expect_double(1.2e40, "1.2E40");
    expect_double(1e100, "1.0E100");
    expect_double(1.7976931348623157e308, "1.7976931348623157E308");
    expect_double(2.2250738585072014e-308, "2.2250738585072014E-308");
    expect_double(4.9e-324, "4.9E-324");
    expect_double(2e-323, "2.0E-323");
    expect_double(2e23, "2.0E23");
    expect_double(0.1 + 0.2, "0.30000000000000004");
    expect_double(-1.5e-308, "-1.5E-308");
    expect_double(NAN, "NaN");
    expect_double(INFINITY, "Infinity");
    expect_double(-INFINITY, "-Infinity");
}

static void test_float_notation(void **state)
{
    (void)state;
    expect_float(0.1f, "0.1");
    expect_float(1.5f, "1.5");
    expect_float(16777216.0f, "1.6777216E7");
    expect_float(3.4028235e38f, "3.4028235E38");
    expect_float(1.4e-45f, "1.4E-45");
    expect_float(12345678901.5f, "1.2345679E10");
    expect_float(-0.0f, "-0.0");
}

static void test_int64(void **state)
{
    (void)state;
    const int64_t values[] = {0,         1,   -1,        9,        10,
                              99,        100, -100,      12345,    1000000,
                              INT64_MAX, 42,  INT64_MIN, -9999999, 1ll << 53};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char got[32], want[32];
        int n = tg_int64_text(got, values[i]);
        assert_in_range(n, 1, 20);
        got[n] = 0;
        snprintf(want, sizeof want, "%lld", (long long)values[i]);
        assert_string_equal(got, want);
    }
}

static double parse(const char *text)
{
    return tg_double_parse(text, strlen(text));
}

static void test_parse(void **state)
{
    (void)state;
    static const char *texts[] = {"0",
                                  "1",
                                  "-1",
                                  "1.5",
                                  "0.1",
                                  "123456789012345678",
                                  "1e22",
                                  "1e23",
                                  "9007199254740993",
                                  "1E+3",
                                  "1.10",
                                  "12345678901234567890123",
                                  "4.9e-324",
                                  "2.5e-324",
                                  "1.7976931348623157e308",
                                  "8.5e-2",
                                  "0.30000000000000004",
                                  "5e-22",
                                  "1234.5e-25",
                                  "0.000000000000000000000000000001"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        double got = parse(texts[i]), want = strtod(texts[i], NULL);
        assert_memory_equal(&got, &want, sizeof got);
    }
    assert_true(signbit(parse("-0")));
    assert_true(parse("1e400") == INFINITY);
    assert_true(parse("-1e400") == -INFINITY);
    assert_true(parse("1e-400") == 0.0);
    assert_true(signbit(parse("-1e-400")));
    assert_true(parse("1e99999999999999999999") == INFINITY);
    assert_true(parse("1e-99999999999999999999") == 0.0);
    assert_true(parse("0e99999999999999999999") == 0.0);
    assert_true(isnan(parse("")));
    assert_true(isnan(parse("x")));
    assert_true(isnan(parse("1x")));
    assert_true(isnan(parse("1e")));
    assert_true(isnan(parse("-")));
}

/* Text is only read up to its length: the bytes behind it are not ours. */
static void test_parse_length(void **state)
{
    (void)state;
    assert_true(tg_double_parse("123456", 3) == 123.0);
    assert_true(tg_double_parse("1.5e77", 3) == 1.5);
}

static void test_round_trip(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252u;
    for (int i = 0; i < 200000; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        double d, back;
        memcpy(&d, &seed, sizeof d);
        if (!isfinite(d))
            continue;
        char buf[TG_NUMBER_MAX];
        back = tg_double_parse(buf, (size_t)tg_double_text(buf, d));
        assert_memory_equal(&d, &back, sizeof d);
        double cents = (double)(int64_t)(seed >> 40) / 100;
        back = tg_double_parse(buf, (size_t)tg_double_text(buf, cents));
        assert_memory_equal(&cents, &back, sizeof d);
        float f = (float)cents;
        float fback =
            (float)tg_double_parse(buf, (size_t)tg_float_text(buf, f));
        assert_memory_equal(&f, &fback, sizeof f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_double_notation),
        cmocka_unit_test(test_float_notation),
        cmocka_unit_test(test_int64),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_length),
        cmocka_unit_test(test_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
