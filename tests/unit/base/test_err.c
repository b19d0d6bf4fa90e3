/*
 * Errors: formatting, cutting at character borders, prefixes, traces.
 * labels: tsan
 */
#include "unit.h"
#include "base/err.h"
#include <pthread.h>
#include <stdio.h>

static void sets_and_clears(void **state)
{
    tg_err err;

    (void)state;
    memset(&err, 0xff, sizeof err);
    assert_int_equal(tg_err_set(&err, TG_ERR_IO, "cannot open %s", "x"),
                     TG_ERR_IO);
    assert_int_equal(err.code, TG_ERR_IO);
    assert_false(err.retriable);
    assert_false(err.fatal);
    assert_string_equal(err.text, "cannot open x");
    assert_string_equal(err.trace, "");
    tg_err_clear(&err);
    assert_int_equal(err.code, TG_OK);
    assert_string_equal(err.text, "");
}

static void null_is_allowed(void **state)
{
    (void)state;
    assert_int_equal(tg_err_set(NULL, TG_ERR_ARG, "%d", 1), TG_ERR_ARG);
    tg_err_prefix(NULL, "x");
    tg_err_trace(NULL, "x");
    tg_err_clear(NULL);
}

static void cuts_whole_characters(void **state)
{
    char text[1200];
    tg_err err;
    int pad;

    (void)state;
    /* Whatever the phase, no half of a 2-, 3- or 4-byte character stays. */
    for (pad = 0; pad < 4; pad++) {
        static const char *const chars[] = {"\xc3\xa9", "\xe2\x82\xac",
                                            "\xf0\x9f\x98\x80"};
        size_t c;
        for (c = 0; c < 3; c++) {
            size_t width = strlen(chars[c]);
            size_t n = (size_t)pad;
            memset(text, 'a', n);
            while (n + width < sizeof text) {
                memcpy(text + n, chars[c], width);
                n += width;
            }
            text[n] = '\0';
            tg_err_set(&err, TG_ERR_DATA, "%s", text);
            n = strlen(err.text);
            assert_true(n < sizeof err.text);
            assert_true(n >= sizeof err.text - 1 - width);
            assert_int_equal((n - (size_t)pad) % width, 0);
            assert_memory_equal(err.text, text, n);
        }
    }
}

static void prefixes(void **state)
{
    char name[2000];
    tg_err err;

    (void)state;
    tg_err_set(&err, TG_ERR_CONFIG, "port is \"x\"");
    err.retriable = true;
    tg_err_prefix(&err, "%s:%d", "a.properties", 7);
    assert_string_equal(err.text, "a.properties:7: port is \"x\"");
    assert_true(err.retriable);
    assert_int_equal(err.code, TG_ERR_CONFIG);
    /* The old text as an argument. */
    tg_err_prefix(&err, "[%s]", err.text);
    assert_string_equal(err.text, "[a.properties:7: port is \"x\"]: "
                                  "a.properties:7: port is \"x\"");
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    tg_err_prefix(&err, "%s", name);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
}

static void suffixes(void **state)
{
    char name[1100] = "";
    tg_err err;

    (void)state;
    tg_err_set(&err, TG_ERR_DATA, "no such thing");
    tg_err_suffix(&err, "; try %s", "another");
    assert_string_equal(err.text, "no such thing; try another");
    /* The first line is what people see. */
    tg_err_set(&err, TG_ERR_DATA, "first\nsecond");
    tg_err_suffix(&err, "!");
    assert_string_equal(err.text, "first!\nsecond");
    /* The end stays. */
    memset(name, 'n', sizeof name - 1);
    tg_err_set(&err, TG_ERR_DATA, "%s", name);
    tg_err_suffix(&err, "; the end");
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    assert_string_equal(err.text + strlen(err.text) - 9, "; the end");
    tg_err_suffix(NULL, "x");
}

static void traces(void **state)
{
    tg_err err;
    int i;

    (void)state;
    tg_err_set(&err, TG_ERR_SCRIPT, "x");
    tg_err_trace(&err, "at %d", 1);
    tg_err_trace(&err, "at %d", 2);
    assert_string_equal(err.trace, "at 1\nat 2");
    for (i = 0; i < 1000; i++)
        tg_err_trace(&err, "a line of a trace that goes on");
    assert_true(strlen(err.trace) < sizeof err.trace);
    assert_true(strlen(err.trace) > sizeof err.trace - 40);
    tg_err_set(&err, TG_ERR_SCRIPT, "%s", err.text);
    assert_string_equal(err.text, "x");
    assert_string_equal(err.trace, "");
}

static void names(void **state)
{
    int code;

    (void)state;
    for (code = TG_OK; code >= TG_ERR_STOPPED; code--)
        assert_string_not_equal(tg_err_name(code), "UNKNOWN");
    assert_string_equal(tg_err_name(TG_ERR_NOTFOUND), "NOTFOUND");
    assert_string_equal(tg_err_name(-100), "UNKNOWN");
}

static void *other_thread(void *arg)
{
    (void)arg;
    tg_err_set(tg_err_ffi(), TG_ERR_ARG, "other");
    return NULL;
}

static void ffi_error_is_per_thread(void **state)
{
    pthread_t thread;

    (void)state;
    tg_err_set(tg_err_ffi(), TG_ERR_ARG, "mine");
    pthread_create(&thread, NULL, other_thread, NULL);
    pthread_join(thread, NULL);
    assert_string_equal(tg_ffi_error(), "mine");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_and_clears),
        cmocka_unit_test(null_is_allowed),
        cmocka_unit_test(cuts_whole_characters),
        cmocka_unit_test(prefixes),
        cmocka_unit_test(suffixes),
        cmocka_unit_test(traces),
        cmocka_unit_test(names),
        cmocka_unit_test(ffi_error_is_per_thread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
