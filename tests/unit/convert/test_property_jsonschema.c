/*
 * Random values of all types through JsonSchemaConverter, with a registry in a
 * thread. The schema of a required text key is not kept.
 *
 * timeout: 300
 */
#include "base/log.h"
#include "random_value.h"
#include "registry/fake_registry.h"

enum { RECORDS = 100000 };

static const tg_schema *fix(const tg_schema *schema, int depth)
{
    tg_schema s = *schema;
    (void)depth;
    if (s.tag == TG_MAP && s.key->tag == TG_STR && !s.key->optional)
        s.key = tg_schema_of(TG_STR, 0, NULL);
    return tg_schema_intern(&s);
}

static const random_options all = {.kinds = RANDOM_ALL,
                                   .root = RANDOM_ALL,
                                   .logical = true,
                                   .optional = true,
                                   .items_null = true,
                                   .root_null = true,
                                   .any_keys = true,
                                   .metadata = true,
                                   .defaults = true,
                                   .scale = 12,
                                   .fix = fix};

static void check(const char *settings, uint32_t records)
{
    char text[256];
    fake_registry *fake = fake_start();
    fake->no_versions = true;
    snprintf(text, sizeof text,
             "schema.registry.url=%s,max.schemas.per.subject=1000000%s",
             fake->url, settings);
    tg_converter *conv = converter("JsonSchema", text, "value");
    random_check(&(random_run){
        .options = &all, .conv = conv, .records = records, .seed = 13});
    tg_converter_free(conv);
    fake_stop(fake);
}

static void test_all(void **state)
{
    (void)state;
    check("", RECORDS);
}

static void test_numeric(void **state)
{
    (void)state;
    check(",decimal.format=NUMERIC,object.additional.properties=false",
          RECORDS / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all),
                                       cmocka_unit_test(test_numeric)};
    tg_convert_init();
    tg_log_level = TG_LOG_WARN;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
