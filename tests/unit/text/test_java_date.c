/* Java date patterns: printing, lenient parsing, the change of calendars. */
#include "unit.h"
#include "text/java_calendar.h"
#include "text/java_date.h"
#include <stdio.h>
#include <time.h>

static tg_date_format *compile(const char *pattern)
{
    tg_err err = {0};
    tg_date_format *f =
        tg_date_format_new(pattern, (uint32_t)strlen(pattern), &err);

    if (!f)
        fail_msg("%s: %s", pattern, err.text);
    return f;
}

static void prints(const char *pattern, int64_t ms, const char *want)
{
    tg_date_format *f = compile(pattern);
    tg_buf out = {0};

    tg_date_format_print(f, ms, &out);
    assert_string_equal(tg_buf_cstr(&out), want);
    tg_buf_fini(&out);
    tg_date_format_free(f);
}

static const int64_t NEW_YEAR = 1577880000123; /* 2020-01-01T12:00:00.123Z */

static void test_print(void **state)
{
    (void)state;
    prints("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", NEW_YEAR,
           "2020-01-01T12:00:00.123Z");
    prints("yy yyy yyyyy y", NEW_YEAR, "20 2020 02020 2020");
    prints("YYYY-'W'ww-u W F D", NEW_YEAR, "2020-W01-3 1 1 1");
    prints("YYYY ww", 1577620800000, "2020 01"); /* Sunday, 2019-12-29 */
    prints("h K k H a", NEW_YEAR, "12 0 12 12 PM");
    prints("hh KK kk HH a", 1577836800000, "12 00 24 00 AM");
    prints("E EEEE M MM MMM MMMM G GGGG", NEW_YEAR,
           "Wed Wednesday 1 01 Jan January AD AD");
    prints("z zzzz Z X XX XXX", NEW_YEAR,
           "UTC Coordinated Universal Time +0000 Z Z Z");
    prints("'o''clock' '' \xc3\xa9", 0, "o'clock ' \xc3\xa9");
    prints("SSSSSS", 7, "000007");
    prints("", 0, "");
    prints("yyyy-MM-dd HH:mm:ss.SSS", -1, "1969-12-31 23:59:59.999");
}

static void test_calendars(void **state)
{
    (void)state;
    prints("yyyy-MM-dd", -12219292800000, "1582-10-15");
    prints("yyyy-MM-dd D W F", -12219292800001, "1582-10-04 277 1 1");
    prints("yyyy-MM-dd D", -12219292800000 + 77 * 86400000LL, "1582-12-31 355");
    prints("yyyy-MM-dd G YYYY", -62135769600001, "0001-12-31 BC 0001");
    prints("yyyy", INT64_MAX, "292278994");
}

static void parses(const char *pattern, const char *text, int64_t want)
{
    tg_date_format *f = compile(pattern);
    int64_t got;
    tg_err err = {0};

    if (tg_date_format_parse(f, text, (uint32_t)strlen(text), &got, &err))
        fail_msg("%s: %s", pattern, err.text);
    if (got != want)
        fail_msg("%s on %s: %lld", pattern, text, (long long)got);
    tg_date_format_free(f);
}

static void fails(const char *pattern, const char *text)
{
    tg_date_format *f = compile(pattern);
    int64_t got;
    tg_err err = {0};

    assert_int_equal(
        tg_date_format_parse(f, text, (uint32_t)strlen(text), &got, &err),
        TG_ERR_DATA);
    assert_has(err.text, "Unparseable date: \"");
    tg_date_format_free(f);
}

static void test_parse(void **state)
{
    (void)state;
    parses("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", "2020-01-01T12:00:00.123Z",
           NEW_YEAR);
    parses("yyyy-MM-dd", "2020-02-30 and more", 1583020800000);
    parses("yyyyMMdd", "20200101", 1577836800000);
    parses("yyyy-MM-dd", "  2020- 1-\t1", 1577836800000);
    parses("dd MMM yyyy", "1 jANUARY 2020", 1577836800000);
    parses("EEE, dd MMM yyyy HH:mm:ss Z", "Wed, 01 Jan 2020 13:30:00 +0130",
           1577880000000);
    parses("yyyy-MM-dd HH:mm z", "2020-01-01 07:00 EST", 1577880000000);
    parses("yyyy-MM-dd HH:mm z", "2020-01-01 07:00 GMT-5:00", 1577880000000);
    parses("yyyy-MM-dd HH:mmXXX", "2020-01-01 14:00+02:00", 1577880000000);
    parses("hh:mm a", "12:30 am", 30 * 60000);
    parses("HH:mm", "25:-1", (25 * 60 - 1) * 60000);
    parses("yyyy-DDD", "2020-366", 1609372800000);
    parses("YYYY-'W'ww-u", "2020-W01-3", 1577836800000);
    parses("y", "-1", -62198928000000);
    parses("S", "1E3", 1000);
    parses("S", "\xd9\xa3", 3);
    parses("yyyy-MM-dd", "1582-10-10", -12218860800000); /* was skipped */
}

static void test_no_parse(void **state)
{
    (void)state;
    fails("yyyy-MM-dd", "zzz");
    fails("yyyy-MM-dd", "");
    fails("", "");
    fails("yyyyMMdd", "20201");
    fails("MMM", "Foo");
    fails("z", "Nowhere");
    fails("XXX", "+0100");
    fails("G", " AD"); /* names take no white space before them */
}

/* 80 years back, 20 ahead, whatever today is. */
static void test_two_digits(void **state)
{
    tg_date_format *f = compile("yy");
    time_t now = time(NULL);
    struct tm tm;
    int year;

    (void)state;
    gmtime_r(&now, &tm);
    year = tm.tm_year + 1900;
    for (int yy = 0; yy < 100; yy++) {
        int32_t fields[TG_CAL_FIELDS];
        char text[16];
        tg_err err = {0};
        int64_t ms;

        snprintf(text, sizeof text, "%02d", yy);
        assert_int_equal(tg_date_format_parse(f, text, 2, &ms, &err), 0);
        tg_calendar_day(ms / 86400000 - (ms % 86400000 < 0), fields);
        assert_int_equal(fields[TG_CAL_YEAR] % 100, yy);
        assert_in_range(fields[TG_CAL_YEAR], year - 80, year + 20);
    }
    tg_date_format_free(f);
}

static void refuse(const char *pattern, const char *part)
{
    tg_err err = {0};

    assert_null(tg_date_format_new(pattern, (uint32_t)strlen(pattern), &err));
    assert_int_equal(err.code, TG_ERR_CONFIG);
    assert_has(err.text, part);
}

static void test_refused(void **state)
{
    (void)state;
    refuse("yyyy-b", "Illegal pattern character 'b'");
    refuse("'yyyy", "Unterminated quote");
    refuse("XXXX", "invalid ISO 8601 format: length=4");
}

static void check_unit(const char *pattern, int64_t want)
{
    tg_date_format *f = compile(pattern);

    assert_int_equal(tg_date_format_unit(f), want);
    tg_date_format_free(f);
}

static void test_unit(void **state)
{
    (void)state;
    check_unit("yyyyMMdd", 86400000);
    check_unit("yyyyMMdd a", 3600000);
    check_unit("HH:mm", 60000);
    check_unit("s", 1000);
    check_unit("S's'", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_print),      cmocka_unit_test(test_calendars),
        cmocka_unit_test(test_parse),      cmocka_unit_test(test_no_parse),
        cmocka_unit_test(test_two_digits), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_unit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
