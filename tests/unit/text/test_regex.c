/* Java regular expressions: matching, templates, refusals, limits. */
#include "unit.h"
#include "text/regex.h"

static tg_regex *compile(const char *pattern)
{
    tg_err err = {0};
    tg_regex *re = tg_regex_new(pattern, (uint32_t)strlen(pattern), &err);

    if (!re)
        fail_msg("%s: %s", pattern, err.text);
    return re;
}

static void check_matches(const char *pattern, const char *text, int want)
{
    tg_regex *re = compile(pattern);
    tg_err err = {0};
    int got = tg_regex_matches(re, text, (uint32_t)strlen(text), &err);

    if (got != want)
        fail_msg("%s on %s: %d", pattern, text, got);
    tg_regex_free(re);
}

static void test_matches(void **state)
{
    (void)state;
    check_matches("(t)(.*)", "top", 1);
    check_matches("to", "top", 0);
    check_matches("a|ab", "ab", 1);
    check_matches("", "", 1);
    check_matches("[a-z&&[^b]]+", "ac", 1);
    check_matches("[a-z&&[^b]]+", "ab", 0);
    check_matches("[^a&&b]", "a", 1);
    check_matches("\\Qa.b\\E", "a.b", 1);
    check_matches("\\Qa.b\\E", "axb", 0);
    check_matches("\\x41\\u0042\\0103\\x{44}\\cA", "ABCD\x01", 1);
    check_matches("\\ud83d\\ude00", "\xf0\x9f\x98\x80", 1);
    check_matches("(?i)stra\xc3\x9f"
                  "e\xc3\x84",
                  "STRA\xc3\x9f"
                  "E\xc3\xa4",
                  0);
    check_matches("(?iu)\xc3\x84", "\xc3\xa4", 1);
    check_matches("\\w+", "\xc3\xa4", 0);
    check_matches("(?U)\\w+", "\xc3\xa4", 1);
    check_matches("\\p{IsGreek}\\p{InGreek}\\p{Alpha}",
                  "\xce\xb1\xce\xb1"
                  "a",
                  1);
    check_matches(".", "\xe2\x80\xa8", 0);
    check_matches("(?s).", "\xe2\x80\xa8", 1);
    check_matches("a++a", "aaa", 0);
    check_matches("(?<x>a)\\k<x>", "aa", 1);
    check_matches("(?x) a b # c", "ab", 1);
    check_matches("{2}a{2}{3}", "aa", 1);
}

static void check_find(const char *pattern, const char *text, uint32_t from,
                       int start, int end)
{
    tg_regex *re = compile(pattern);
    uint32_t a = 0, b = 0;
    tg_err err = {0};
    int rc =
        tg_regex_find(re, text, (uint32_t)strlen(text), from, &a, &b, &err);

    assert_int_equal(rc, start >= 0);
    if (rc) {
        assert_int_equal(a, start);
        assert_int_equal(b, end);
    }
    tg_regex_free(re);
}

static void test_find(void **state)
{
    (void)state;
    check_find("b+", "abba", 0, 1, 3);
    check_find("b+", "abba", 2, 2, 3);
    check_find("b+", "abba", 3, -1, 0);
    check_find("b+", "abba", 9, -1, 0);
    check_find("(?<=a)b", "ab", 1, 1, 2);
    check_find("a$", "ba\r\n", 0, 1, 2);
    check_find("(?m)^a",
               "b\x0b"
               "a\xc2\x85"
               "a",
               0, 5, 6);
    check_find("(?m)^", "", 0, -1, 0);
    check_find("\\Gb", "ab", 1, 1, 2);
    check_find("b",
               "\xff"
               "b\xfe",
               0, 1, 2);
}

/* want: the result, or "!" and a part of the error. */
static void check_replace(const char *pattern, const char *text,
                          const char *replacement, const char *want)
{
    tg_regex *re = compile(pattern);
    tg_buf out = {0};
    tg_err err = {0};
    int rc;

    tg_buf_str(&out, "<");
    rc = tg_regex_replace(re, text, (uint32_t)strlen(text), replacement,
                          (uint32_t)strlen(replacement), true, &out, &err);
    if (*want == '!') {
        assert_int_equal(rc, TG_ERR_DATA);
        assert_has(err.text, want + 1);
        assert_string_equal(tg_buf_cstr(&out), "<");
    } else {
        assert_true(rc >= 0);
        assert_string_equal(tg_buf_cstr(&out) + 1, want);
    }
    tg_buf_fini(&out);
    tg_regex_free(re);
}

static void test_replace(void **state)
{
    (void)state;
    check_replace("b*", "abc", "-", "-a--c-");
    check_replace("(a)(b)?", "ac", "[$1$2]", "[a]c");
    check_replace("(a)", "a", "$12", "a2");
    check_replace("(?<n1>a)", "a", "${n1}\\$\\\\", "a$\\");
    check_replace("x*", "\xc3\xa4", "-", "-\xc3\xa4-");
    check_replace("a", "a", "$1", "!No group 1");
    check_replace("a", "a", "$", "!Illegal group reference: group index is");
    check_replace("a", "a", "$x", "!Illegal group reference in");
    check_replace("a", "a", "\\", "!character to be escaped is missing");
    check_replace("a", "a", "${n}", "!No group with name {n}");
    check_replace("a", "a", "${n", "!missing trailing '}'");
    check_replace("a", "a", "${}", "!0 length name");
    check_replace("a", "a", "${1}", "!starts with digit");
    check_replace("a", "b", "$9", "b");
}

static void test_replace_whole(void **state)
{
    tg_regex *re = compile("a|ab");
    tg_buf out = {0};
    tg_err err = {0};

    (void)state;
    assert_int_equal(tg_regex_replace_whole(re, "ab", 2, "x", 1, &out, &err),
                     1);
    assert_string_equal(tg_buf_cstr(&out), "xb"); /* find() finds the shorter */
    assert_int_equal(tg_regex_replace_whole(re, "abc", 3, "x", 1, &out, &err),
                     0);
    assert_int_equal(out.len, 2);
    tg_buf_fini(&out);
    tg_regex_free(re);
}

static void refuse(const char *pattern, const char *part)
{
    tg_err err = {0};

    if (tg_regex_new(pattern, (uint32_t)strlen(pattern), &err))
        fail_msg("%s was accepted", pattern);
    assert_int_equal(err.code, TG_ERR_CONFIG);
    assert_has(err.text, part);
}

static void test_refused(void **state)
{
    (void)state;
    refuse("a(b", "Unclosed group near index 3");
    refuse("ab)", "Unmatched closing ')' near index 1");
    refuse("[a", "Unclosed character class near index 1");
    refuse("a**", "Dangling meta character '*' near index 2");
    refuse("a{2,1}", "Illegal repetition range");
    refuse("\\y", "Illegal/unsupported escape sequence");
    refuse("\\p{Foo}", "Unknown character property name {Foo}");
    refuse("\\p{IsFoo}", "Unknown character script");
    refuse("(?<a>x)(?<a>y)", "<a> is already defined");
    refuse("\\k<q>", "<q> does not exist");
    refuse("(?<=a+)b", "look-behind whose text has no fixed length is not "
                       "supported");
    refuse("\\N{DIGIT ONE}", "is not supported: write \\x{...}");
    refuse("a{70000}", "more than 65535 times");
    refuse("\xff", "not valid UTF-8");
    refuse("\\", "Unescaped trailing backslash");
}

static void test_deep(void **state)
{
    char text[2001];

    (void)state;
    memset(text, '(', 2000);
    text[2000] = 0;
    refuse(text, "nested groups");
    memset(text, '[', 2000);
    refuse(text, "nested classes");
}

static void test_limit(void **state)
{
    tg_regex *re = compile("(a|a)*(a|a)*(a|a)*(a|a)*[^a]");
    char text[200];
    tg_err err = {0};

    (void)state;
    memset(text, 'a', sizeof text);
    assert_int_equal(tg_regex_matches(re, text, sizeof text, &err),
                     TG_ERR_DATA);
    assert_has(err.text, "too many steps");
    tg_regex_free(re);
}

static void test_groups(void **state)
{
    tg_regex *re = compile("(?<year>\\d+)(-(?<month>\\d+))?");
    uint32_t a, b;
    tg_err err = {0};

    (void)state;
    assert_int_equal(tg_regex_groups(re), 3);
    assert_int_equal(tg_regex_group_number(re, "month", 5), 3);
    assert_int_equal(tg_regex_group_number(re, "day", 3), 0);
    assert_int_equal(tg_regex_matches(re, "2020", 4, &err), 1);
    assert_true(tg_regex_group(re, 1, &a, &b));
    assert_int_equal(b - a, 4);
    assert_false(tg_regex_group(re, 3, &a, &b));
    assert_false(tg_regex_group(re, 4, &a, &b));
    tg_regex_free(re);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matches), cmocka_unit_test(test_find),
        cmocka_unit_test(test_replace), cmocka_unit_test(test_replace_whole),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_deep),
        cmocka_unit_test(test_limit),   cmocka_unit_test(test_groups),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
