/*
 * Random values of all types through JsonConverter: with schemas (both forms of
 * decimals, defaults kept and replaced) and without.
 */
#include "random_value.h"

enum { RECORDS = 100000 };

static const random_options all = {.kinds = RANDOM_ALL,
                                   .root = RANDOM_ALL,
                                   .logical = true,
                                   .optional = true,
                                   .items_null = true,
                                   .root_null = true,
                                   .any_keys = true,
                                   .metadata = true,
                                   .defaults = true,
                                   .scale = 12};

static void check(const char *settings, const random_options *options,
                  uint32_t records)
{
    tg_converter *conv = converter("Json", settings, "value");
    random_check(&(random_run){
        .options = options, .conv = conv, .records = records, .seed = 7});
    tg_converter_free(conv);
}

static void test_base64(void **state)
{
    (void)state;
    check("schemas.cache.size=100", &all, RECORDS);
}

static void test_numeric(void **state)
{
    (void)state;
    check("decimal.format=NUMERIC,schemas.cache.size=3", &all, RECORDS / 4);
}

static void test_defaults_kept(void **state)
{
    (void)state;
    check("replace.null.with.default=false", &all, RECORDS / 4);
}

static void test_schemaless(void **state)
{
    static const random_options none = {0};
    (void)state;
    check("schemas.enable=false", &none, RECORDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_base64),
                                       cmocka_unit_test(test_numeric),
                                       cmocka_unit_test(test_defaults_kept),
                                       cmocka_unit_test(test_schemaless)};
    tg_convert_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
