/*
 * Random values of all types through AvroConverter, with a registry in a
 * thread. Structs, and maps with keys that are no texts, become named types in
 * Avro, so each gets a name of its own; the schema of a text key is not kept.
 */
#include "base/log.h"
#include "random_value.h"
#include "registry/fake_registry.h"

enum { RECORDS = 100000 };

static uint32_t named;

static const tg_schema *fix(const tg_schema *schema, int depth)
{
    tg_schema s = *schema;
    char name[48];
    (void)depth;
    if (s.tag == TG_MAP && s.key->tag == TG_STR)
        s.key = tg_schema_of(TG_STR, 0, NULL);
    if (s.tag == TG_STRUCT || (s.tag == TG_MAP && s.key->tag != TG_STR)) {
        snprintf(name, sizeof name, "com.acme%u.T%u", named % 3, named);
        named++;
        s.name = name;
    }
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
                                   .identifiers = true,
                                   .scale = 12,
                                   .fix = fix};

static void check(const char *settings, const random_options *options,
                  uint32_t records)
{
    char text[256];
    fake_registry *fake = fake_start();
    fake->no_versions = true;
    snprintf(text, sizeof text,
             "schema.registry.url=%s,max.schemas.per.subject=1000000%s",
             fake->url, settings);
    tg_converter *conv = converter("Avro", text, "value");
    random_check(&(random_run){
        .options = options, .conv = conv, .records = records, .seed = 11});
    tg_converter_free(conv);
    fake_stop(fake);
}

static void test_all(void **state)
{
    (void)state;
    check("", &all, RECORDS);
}

static void test_enhanced(void **state)
{
    (void)state;
    check(",enhanced.avro.schema.support=true,allow.optional.map.keys=true",
          &all, RECORDS / 10);
}

static void test_scrubbed(void **state)
{
    static random_options flat;
    (void)state;
    flat = all;
    flat.identifiers = true;
    check(",scrub.invalid.names=true", &flat, RECORDS / 10);
}

static void test_schemaless(void **state)
{
    static const random_options none = {0};
    (void)state;
    check("", &none, RECORDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all), cmocka_unit_test(test_enhanced),
        cmocka_unit_test(test_scrubbed), cmocka_unit_test(test_schemaless)};
    tg_convert_init();
    tg_log_level = TG_LOG_WARN;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
