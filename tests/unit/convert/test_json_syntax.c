/* What the JSON decoder takes and what it refuses, and its sentences. Texts are
 * copied to memory of their exact size, so that a read behind the end is seen
 * by the address sanitizer. */
#include "cells.h"

typedef struct text {
    const char *p;
    size_t n;
} text;
#define T(s)                                                                   \
    {                                                                          \
        s, sizeof(s) - 1                                                       \
    }

static const text good[] = {
    T("null"),
    T("true"),
    T("false"),
    T("0"),
    T("-0"),
    T("1"),
    T("-1"),
    T("123456789012345678"),
    T("1234567890123456789"),
    T("123456789012345678901234567890"),
    T("-123456789012345678"),
    T("0.0"),
    T("-0.0"),
    T("0e0"),
    T("0E+1"),
    T("1e5"),
    T("1E-5"),
    T("1.10"),
    T("123.456e78"),
    T("1e400"),
    T("1e-400"),
    T("0.1e1"),
    T("\"\""),
    T("\"a\""),
    T("\"\\\"\""),
    T("\"\\\\\""),
    T("\"\\/\""),
    T("\"\\b\\f\\n\\r\\t\""),
    T("\"\\u0000\""),
    T("\"\\u00e9\""),
    T("\"\\uD83D\\uDE00\""),
    T("\"\\ud800\""),
    T("\"\\uDFFF x\""),
    T("\"\xc3\xa9\""),
    T("\"\xe2\x82\xac\""),
    T("\"\xf0\x9f\x98\x80\""),
    T("\"\xef\xbf\xbf\""),
    T("\"\xf4\x8f\xbf\xbf\""),
    T("\"\x7f\""),
    T("\"\xc2\x80\""),
    T("\"\xe0\xa0\x80\""),
    T("\"\xed\x9f\xbf\""),
    T("\"\xee\x80\x80\""),
    T("\"\xf0\x90\x80\x80\""),
    T("\"\xef\xbb\xbf\""),
    T("\"12345678\""),
    T("\"1234567\\n\""),
    T("\"12345678\xc3\xa9"
      "abcdefgh\""),
    T("[]"),
    T("[ ]"),
    T("[1]"),
    T("[1,2]"),
    T("[ 1 , 2 ]"),
    T("[[]]"),
    T("[[],{}]"),
    T("[null,true,false,0,\"\",[],{}]"),
    T("[\n\t1\r\n]"),
    T("{}"),
    T("{ }"),
    T("{\"a\":1}"),
    T("{ \"a\" : 1 }"),
    T("{\"a\":1,\"b\":2}"),
    T("{\"a\":1,\"a\":2}"),
    T("{\"\":0}"),
    T("{\"a\\nb\":1}"),
    T("{\"\\u0061\":1}"),
    T("{\"a\":{\"b\":{\"c\":[]}}}"),
    T("{\"\xc3\xa9\":1}"),
    T(" 1 "),
    T("\t\r\n 1\t\r\n "),
    T("\" \""),
    T("{\"a\":[{\"x\":1},{\"x\":2,\"y\":3}]}"),
    T("[\"\\u005C\\u0022\"]"),
    T("[1e1,1E1,1e+1,1e-1,1.0e1]"),
    T("{\"a\" :1}"),
    T("{\"a\": 1}"),
};

static const text bad[] = {
    T(""),
    T(" "),
    T("\n"),
    T("nul"),
    T("nulL"),
    T("nullx"),
    T("NULL"),
    T("True"),
    T("tru"),
    T("fals"),
    T("undefined"),
    T("NaN"),
    T("Infinity"),
    T("-Infinity"),
    T("-"),
    T("+1"),
    T("01"),
    T("-01"),
    T("00"),
    T("007"),
    T("1."),
    T(".5"),
    T("-.5"),
    T("1.e5"),
    T("1e"),
    T("1e+"),
    T("1e-"),
    T("1.5.5"),
    T("1e5.5"),
    T("0x10"),
    T("1_000"),
    T("1a"),
    T("1 2"),
    T("--1"),
    T("1-"),
    T("0.1."),
    T("2e.3"),
    T("-a"),
    T("1e5e5"),
    T("\xef\xbc\x91"),
    T("\""),
    T("\"a"),
    T("\"\\"),
    T("\"\\\""),
    T("\"\\x41\""),
    T("\"\\u\""),
    T("\"\\u12\""),
    T("\"\\u12G4\""),
    T("\"\\u123"),
    T("\"\\U0041\""),
    T("\"\\a\""),
    T("\"\\'\""),
    T("\"\\\n\""),
    T("\"\\\0\""),
    T("\"\n\""),
    T("\"\t\""),
    T("\"\0\""),
    T("\"\x1f\""),
    T("'a'"),
    T("\"a\" \"b\""),
    T("\"\x80\""),
    T("\"\xbf\""),
    T("\"\xc0\x80\""),
    T("\"\xc1\xbf\""),
    T("\"\xc3\""),
    T("\"\xc3(\""),
    T("\"\xe0\x80\x80\""),
    T("\"\xe2\x82\""),
    T("\"\xe2\x28\xac\""),
    T("\"\xed\xa0\x80\""),
    T("\"\xed\xbf\xbf\""),
    T("\"\xf0\x80\x80\x80\""),
    T("\"\xf0\x9f\x98\""),
    T("\"\xf4\x90\x80\x80\""),
    T("\"\xf5\x80\x80\x80\""),
    T("\"\xff\""),
    T("\"\xfe\""),
    T("\"\xe9\""),
    T("\xef\xbb\xbf{}"),
    T("\xff\xfe{\0}\0"),
    T("\xc3\xa9"),
    T("\xa0"),
    T("["),
    T("]"),
    T("[1"),
    T("[1,"),
    T("[1,]"),
    T("[,1]"),
    T("[,]"),
    T("[1,,2]"),
    T("[1 2]"),
    T("[1;2]"),
    T("[1}"),
    T("[\"a\""),
    T("[1]]"),
    T("[1],"),
    T("[][]"),
    T("[a]"),
    T("[1,2\f]"),
    T("[\v1]"),
    T("[:]"),
    T("{"),
    T("}"),
    T("{\"a\"}"),
    T("{\"a\":}"),
    T("{\"a\":1"),
    T("{\"a\":1,"),
    T("{\"a\":1,}"),
    T("{,\"a\":1}"),
    T("{\"a\" 1}"),
    T("{\"a\"::1}"),
    T("{a:1}"),
    T("{'a':1}"),
    T("{1:1}"),
    T("{null:1}"),
    T("{\"a\":1]"),
    T("{\"a\":1 \"b\":2}"),
    T("{\"a\":1;\"b\":2}"),
    T("{\"a\":1}}"),
    T("{\"a\":1}#"),
    T("{\"a\":1}/**/"),
    T("//x\n{}"),
    T("{/*c*/}"),
    T("{\"a\\x\":1}"),
    T("{\"\xff\":1}"),
    T("{\"a"),
    T("{\"a\"\n"),
    T("{\"a\":tru}"),
    T("{\"a\":1}{\"b\":2}"),
    T("{} x"),
    T("[] \0"),
    T("{\"a\":1,\"b\":}"),
    T("{\"a\":1,\"b\""),
    T("{\"a\":1,\"b\":[}"),
    T("\0\0\0\0\1{}"),
    T("hello"),
    T("<a/>"),
    T("a,b,c"),
    T("*"),
};

static int decode_copy(tg_batch *batch, tg_site *site, text t, tg_err *err)
{
    tg_value v;
    char *copy = malloc(t.n ? t.n : 1);
    tg_batch_reset(batch);
    tg_record *rec = tg_batch_append(batch);
    memcpy(copy, t.p, t.n);
    tg_err_clear(err);
    int rc = tg_json_decode(batch, &rec->value, site, copy, t.n, &v, err);
    tg_batch_reset(batch);
    free(copy);
    return rc;
}

static void test_accepts(void **state)
{
    tg_batch *batch = *state;
    static tg_site site;
    tg_err err;
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < sizeof good / sizeof *good; i++)
            if (decode_copy(batch, &site, good[i], &err))
                fail_msg("refused %s: %s", good[i].p, err.text);
}

/* Also with a shape that was guessed right up to the mistake. */
static void test_refuses(void **state)
{
    tg_batch *batch = *state;
    static tg_site site;
    tg_err err;
    static const text known = T("{\"a\":1,\"b\":2}");
    assert_int_equal(decode_copy(batch, &site, known, &err), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int rc = decode_copy(batch, &site, bad[i], &err);
        if (rc != TG_ERR_DATA)
            fail_msg("%zu: took %s (%d)", i, bad[i].p, rc);
        assert_has(err.text, "invalid JSON at byte ");
    }
}

/* Every proper prefix of a document is refused. */
static void test_prefixes(void **state)
{
    tg_batch *batch = *state;
    static const char doc[] =
        "{\"id\":12,\"n\":-1.5e3,\"s\":\"a\\u00e9\xc3\xa9\",\"l\":[1,{\"x\":"
        "null}],\"t\":true,\"f\":false}";
    static tg_site site;
    tg_err err;
    for (size_t n = 0; n < sizeof doc - 1; n++)
        assert_int_equal(decode_copy(batch, &site, (text){doc, n}, &err),
                         TG_ERR_DATA);
    assert_int_equal(
        decode_copy(batch, &site, (text){doc, sizeof doc - 1}, &err), 0);
}

static void expect_error(tg_batch *batch, text t, const char *sentence)
{
    static tg_site site;
    tg_err err;
    assert_int_equal(decode_copy(batch, &site, t, &err), TG_ERR_DATA);
    assert_has(err.text, sentence);
}

static void test_sentences(void **state)
{
    tg_batch *batch = *state;
    expect_error(batch, (text)T("{\"a\":1 x}"),
                 "at byte 7: found 'x', expected ',' or '}' after a member");
    expect_error(batch, (text)T("{\"a\":\"b"),
                 "at byte 7: the text ends, expected the closing '\"' of a"
                 " string; the value seems to have been cut off");
    expect_error(batch, (text)T("\xef\xbb\xbf{}"), "byte order mark");
    expect_error(batch, (text)T("{\"a\":\"\xe9t\xe9\"}"),
                 "at byte 6: found byte 0xE9, expected UTF-8; the text may be"
                 " in another encoding");
    expect_error(batch, (text)T("\0\0\0\0\7\2x"), "schema registry");
    expect_error(batch, (text)T("hello world"), "looks like plain text");
    expect_error(batch, (text)T(""), "the value is empty");
    expect_error(batch, (text)T("012"), "no digit after a leading 0");
    expect_error(batch, (text)T("[1,2]3"), "nothing after the end");
    expect_error(batch, (text)T("\"a\nb\""), "control characters");
}

static void test_depth(void **state)
{
    tg_batch *batch = *state;
    tg_err err;
    static tg_site site;
    char doc[2 * TG_MAX_DEPTH + 2];
    memset(doc, '[', TG_MAX_DEPTH);
    memset(doc + TG_MAX_DEPTH, ']', TG_MAX_DEPTH);
    assert_int_equal(
        decode_copy(batch, &site, (text){doc, 2 * TG_MAX_DEPTH}, &err), 0);
    memset(doc, '[', TG_MAX_DEPTH + 1);
    memset(doc + TG_MAX_DEPTH + 1, ']', TG_MAX_DEPTH + 1);
    assert_int_equal(
        decode_copy(batch, &site, (text){doc, 2 * TG_MAX_DEPTH + 2}, &err),
        TG_ERR_DATA);
    assert_has(err.text, "more than 512 levels");
    size_t n = 100000;
    char *deep = malloc(n);
    memset(deep, '{', n);
    for (size_t i = 0; i + 5 <= n; i += 5)
        memcpy(deep + i, "{\"a\":", 5);
    assert_int_equal(decode_copy(batch, &site, (text){deep, n}, &err),
                     TG_ERR_DATA);
    free(deep);
}

static tg_value decode(tg_batch *batch, const char *p)
{
    static tg_site site;
    tg_err err = {0};
    tg_value v;
    tg_record *rec = tg_batch_append(batch);
    if (tg_json_decode(batch, &rec->value, &site, p, strlen(p), &v, &err))
        fail_msg("%s", err.text);
    return v;
}

static void test_kinds(void **state)
{
    tg_batch *batch = *state;
    tg_batch_reset(batch);
    assert_int_equal(decode(batch, "999999999999999999").tag, TG_INT64);
    assert_int_equal(decode(batch, "-999999999999999999").u.i,
                     -999999999999999999);
    assert_int_equal(decode(batch, "1000000000000000000").tag, TG_NUM);
    assert_int_equal(decode(batch, "-0").tag, TG_NUM);
    assert_int_equal(decode(batch, "1.0").tag, TG_NUM);
    assert_int_equal(decode(batch, "\"abc\"").tag, TG_STR);
    assert_int_equal(decode(batch, "\"a\\nc\"").tag, TG_ESC);
    assert_int_equal(decode(batch, "{}").tag, TG_MAP);
    assert_int_equal(decode(batch, "[]").tag, TG_ARRAY);
    assert_int_equal(decode(batch, "true").u.i, 1);
}

static void test_duplicates(void **state)
{
    tg_batch *batch = *state;
    tg_batch_reset(batch);
    for (int round = 0; round < 3; round++) {
        tg_value v = decode(batch, "{\"a\":1,\"b\":2,\"a\":3,\"c\":4}");
        assert_int_equal(v.u.node->n, 3);
        assert_int_equal(v.u.node->shape->n, 3);
        assert_int_equal(slot_of(v.u.node, "a"), 0);
        assert_int_equal(v.u.node->slots[0].u.i, 3);
        assert_int_equal(v.u.node->slots[2].u.i, 4);
    }
    tg_buf doc = {0};
    for (int i = 0; i < 500; i++)
        tg_buf_printf(&doc, "%s\"k%d\":%d", i ? "," : "{", i % 100, i);
    tg_buf_str(&doc, "}");
    tg_value v = decode(batch, tg_buf_cstr(&doc));
    assert_int_equal(v.u.node->n, 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(v.u.node->slots[i].u.i, 400 + i);
    tg_buf_fini(&doc);
}

/* Maps with ever new keys neither grow the process nor lose fields. */
static void test_arbitrary_keys(void **state)
{
    tg_batch *batch = *state;
    uint32_t shapes = 0;
    for (int i = 0; i < 3000; i++) {
        char doc[256], key[32];
        tg_batch_reset(batch);
        snprintf(doc, sizeof doc,
                 "{\"user-%d\":{\"n\":%d,\"m\":[1]},\"user-%d\":2,\"user-%d\":"
                 "3}",
                 i, i, i + 7777, i);
        tg_value v = decode(batch, doc);
        snprintf(key, sizeof key, "user-%d", i);
        assert_int_equal(v.u.node->n, 2);
        assert_int_equal(slot_of(v.u.node, key), 0);
        assert_int_equal(v.u.node->slots[0].u.i, 3);
        if (i == 500)
            shapes = tg_shape_count();
    }
    assert_int_equal(tg_shape_count(), shapes);
}

static int setup(void **state)
{
    tg_convert_init();
    *state = tg_batch_new(0, 0);
    return 0;
}

static int teardown(void **state)
{
    tg_batch_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_sentences),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_arbitrary_keys),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
