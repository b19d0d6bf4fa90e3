/*
 * Configuration texts: Java properties, JSON configurations and typed reads.
 * Whatever is read must be valid UTF-8 (jansson holds nothing else) and whole;
 * what is refused must come with a sentence.
 */
#include "base/config.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_values(const json_t *config)
{
    const char *key;
    json_t *v;

    json_object_foreach((json_t *)config, key, v)
    {
        int64_t n;
        bool b;
        if (!v)
            abort(); /* a value that was no UTF-8 */
        tg_config_int(config, key, 0, INT64_MIN, INT64_MAX, &n, NULL);
        tg_config_bool(config, key, false, &b, NULL);
        json_decref(tg_config_list(config, key));
        json_decref(tg_config_prefixed(config, key));
    }
}

static void properties(const char *text, size_t size)
{
    tg_err err = {0};
    json_t *map = tg_properties_parse(text, size, "fuzz", &err);

    if (!map) {
        if (err.code != TG_ERR_CONFIG || !err.text[0])
            abort();
        return;
    }
    read_values(map);
    json_decref(map);
}

/* Reading what was read gives the same again. */
static void json(const char *text, size_t size)
{
    tg_err err = {0};
    json_t *value = tg_config_json_parse(text, size, "fuzz", &err);
    json_t *strings;

    if (!value) {
        if (err.code != TG_ERR_CONFIG || !err.text[0])
            abort();
        return;
    }
    strings = tg_config_strings(value, &err);
    if (strings) {
        char *out = json_dumps(strings, 0);
        json_t *again = tg_config_json_parse(out, strlen(out), "again", &err);
        if (!again || !json_equal(strings, again))
            abort();
        read_values(strings);
        json_decref(again);
        free(out);
    }
    json_decref(strings);
    json_decref(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    properties((const char *)data, size);
    json((const char *)data, size);
    return 0;
}
