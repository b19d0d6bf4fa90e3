/* Java properties syntax, case by case as Properties.load answers. */
#include "unit.h"
#include "base/config.h"
#include "base/file.h"

typedef struct sample {
    const char *text;
    const char *json; /* what is read, sorted as in the text */
} sample;

static const sample samples[] = {
    {"", "{}"},
    {"a=b", "{\"a\":\"b\"}"},
    {"a=b\nc=d\n", "{\"a\":\"b\",\"c\":\"d\"}"},
    {"a=b\rc=d\r\ne=f", "{\"a\":\"b\",\"c\":\"d\",\"e\":\"f\"}"},
    {"# a=b\n ! c=d\n\t\f# x\ne=f", "{\"e\":\"f\"}"},
    {"#no continuation \\\na=b", "{\"a\":\"b\"}"},
    {"a:b\nc d\ne\tf\ng\fh",
     "{\"a\":\"b\",\"c\":\"d\",\"e\":\"f\",\"g\":\"h\"}"},
    {"  a  =  b  ", "{\"a\":\"b  \"}"},
    {"a = = b", "{\"a\":\"= b\"}"},
    {"a := b", "{\"a\":\"= b\"}"},
    {"a b = c", "{\"a\":\"b = c\"}"},
    {"a\nb=\nc:", "{\"a\":\"\",\"b\":\"\",\"c\":\"\"}"},
    {"=x", "{\"\":\"x\"}"},
    {"a=b#c", "{\"a\":\"b#c\"}"},
    {"a\\ b=c", "{\"a b\":\"c\"}"},
    {"a\\=b\\:c=d", "{\"a=b:c\":\"d\"}"},
    {"a=\\t\\n\\r\\f\\\\\\q\\\"", "{\"a\":\"\\t\\n\\r\\f\\\\q\\\"\"}"},
    {"a=1,\\\n   2,\\\n\t3\nb=c", "{\"a\":\"1,2,3\",\"b\":\"c\"}"},
    {"a=1\\\r\n  2", "{\"a\":\"12\"}"},
    {"a\\\\=b", "{\"a\\\\\":\"b\"}"},
    {"a=1\\\\\nb=2", "{\"a\":\"1\\\\\",\"b\":\"2\"}"},
    {"a=1\\\n# 2\nb=3", "{\"a\":\"1# 2\",\"b\":\"3\"}"},
    {"a=1\\\n\nb=3", "{\"a\":\"1\",\"b\":\"3\"}"},
    {"a=1\\", "{\"a\":\"1\"}"},
    {"a=1\\\n", "{\"a\":\"1\"}"},
    {"a\\\n  =1", "{\"a\":\"1\"}"},
    {"a=1\nb=2\na=3", "{\"a\":\"3\",\"b\":\"2\"}"},
    {"a=\\u0041\\u00e9\\u20AC", "{\"a\":\"A\xc3\xa9\xe2\x82\xac\"}"},
    {"a=\\uD83D\\uDE00!", "{\"a\":\"\xf0\x9f\x98\x80!\"}"},
    {"a=\\uD83Dx\\uDE00\\uD83D", "{\"a\":\"?x??\"}"},
    {"a=\\uD83D\\uD83D\\uDE00", "{\"a\":\"?\xf0\x9f\x98\x80\"}"},
    {"\\u0061\\u003db=c", "{\"a=b\":\"c\"}"},
    {"a=\xe9", "{\"a\":\"\xc3\xa9\"}"},
    /* UTF-8 reads as two Latin-1 characters, as in Java. */
    {"a=\xc3\xa9", "{\"a\":\"\xc3\x83\xc2\xa9\"}"},
    {"a=\\\xe9", "{\"a\":\"\xc3\xa9\"}"},
    {"a=\\U0041", "{\"a\":\"U0041\"}"},
};

static void reads_as_java(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof samples / sizeof *samples; i++) {
        const sample *s = &samples[i];
        tg_err err = {0};
        json_t *map = tg_properties_parse(s->text, strlen(s->text), "x", &err);
        char *json;
        if (!map)
            fail_msg("\"%s\": %s", s->text, err.text);
        json = json_dumps(map, JSON_COMPACT);
        if (strcmp(json, s->json) != 0)
            fail_msg("\"%s\" reads as %s, not %s", s->text, json, s->json);
        free(json);
        json_decref(map);
    }
}

static void fails(const char *text, size_t len, const char *want)
{
    tg_err err = {0};

    assert_null(tg_properties_parse(text, len, "f.properties", &err));
    assert_int_equal(err.code, TG_ERR_CONFIG);
    assert_has(err.text, want);
}

static void names_the_line(void **state)
{
    const char *nul = "a=1\nb=x\0y";

    (void)state;
    fails("a=\\u12g4", 8, "f.properties:1: malformed escape \"\\u12g4\"");
    fails("a=1\n\n# x\nb=\\u12", 15, "f.properties:4: ");
    fails("a=1,\\\r\n 2,\\\r\n \\uxyzw\r\nb=2", 25, "f.properties:3: ");
    fails("\\u00", 4, "f.properties:1: ");
    fails("a=\\u\x01\xff", 6, "\"\\u\x3f\x3f\"");
    fails(nul, 9, "f.properties:2: a NUL character");
    fails("a=\\u0000", 8, "f.properties:1: a NUL character");
}

static void loads_files(void **state)
{
    tg_err err = {0};

    (void)state;
    assert_null(tg_properties_load("/nonexistent/x.properties", &err));
    assert_int_equal(err.code, TG_ERR_NOTFOUND);
    assert_has(err.text, "/nonexistent/x.properties");
    assert_null(tg_properties_load("/", &err));
    assert_int_equal(err.code, TG_ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_as_java),
        cmocka_unit_test(names_the_line),
        cmocka_unit_test(loads_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
