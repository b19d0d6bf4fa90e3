/*
 * `tidegate check` of a worker's properties. Main thread.
 */
#include "cli/check.h"
#include "base/config.h"
#include "base/mem.h"
#include "task/chain.h"
#include <stdio.h>
#include <sys/stat.h>

/* Number of a worker setting, or 'b' for a boolean. */
static const struct setting {
    const char *key;
    char kind;
    int64_t min, max;
} settings[] = {
    {"offset.flush.interval.ms", 'n', 1, INT32_MAX},
    {"offset.flush.timeout.ms", 'n', 1, INT32_MAX},
    {"task.shutdown.graceful.timeout.ms", 'n', 0, INT32_MAX},
    {"task.memory.max.mb", 'n', 0, 1 << 20},
    {"task.script.timeout.ms", 'n', 0, INT32_MAX},
    {"task.script.jit", 'b', 0, 0},
    {"tidegate.progress", 'b', 0, 0},
    {"topic.creation.enable", 'b', 0, 0},
};

/* Other keys that a worker knows, for "did you mean". */
static const char *const worker_keys[] = {
    "bootstrap.servers",
    "key.converter",
    "value.converter",
    "header.converter",
    "offset.storage.file.filename",
    "plugin.path",
    "listeners",
    "rest.advertised.host.name",
    "rest.advertised.port",
    "connector.client.config.override.policy",
    "client.id",
    "access.control.allow.origin",
    "access.control.allow.methods",
    "config.providers",
    "plugin.discovery",
    "metric.reporters",
};

static void check_settings(tg__check *c, const char *file, const json_t *config)
{
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        const struct setting *s = &settings[i];
        tg_err err = {0};
        int64_t n;
        bool b;
        if (s->kind == 'b' ? tg_config_bool(config, s->key, true, &b, &err)
                           : tg_config_int(config, s->key, s->min, s->min,
                                           s->max, &n, &err))
            tg__check_report(c, file, true, s->key, err.text);
    }
}

static void check_needed(tg__check *c, const char *file, const json_t *config)
{
    static const char *const needed[] = {"key.converter", "value.converter",
                                         "offset.storage.file.filename"};

    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (!*tg_config_get(config, needed[i], ""))
            tg__check_report(
                c, file, true, needed[i],
                "Missing required configuration, which has no default "
                "value");
}

static void check_converters(tg__check *c, const char *file,
                             const json_t *config)
{
    static const char *const roles[] = {"key", "value", "header"};
    json_t *none = json_object();

    for (size_t i = 0; i < 3; i++) {
        char *key = tg_sprintf("%s.converter", roles[i]);
        tg_err err = {0};
        tg_converter *conv = NULL;
        if (*tg_config_get(config, key, "")) {
            conv = tg_chain_converter(config, none, roles[i], &err);
            if (!conv)
                tg__check_report(c, file, true, key, err.text);
        }
        if (conv)
            tg_converter_free(conv);
        tg_free(key);
    }
    json_decref(none);
}

static void check_folders(tg__check *c, const char *file, const json_t *config)
{
    json_t *path = tg_config_list(config, "plugin.path");
    const json_t *v;
    size_t i;

    json_array_foreach(path, i, v)
    {
        const char *folder = json_string_value(v);
        struct stat st;
        char text[4200];
        if (folder && *folder &&
            (stat(folder, &st) != 0 || !S_ISDIR(st.st_mode))) {
            snprintf(text, sizeof text, "%s is not a folder that can be read",
                     folder);
            tg__check_report(c, file, false, "plugin.path", text);
        }
    }
    json_decref(path);
}

/* The first parts of the names are equal, or the last ones: the rest is where
 * somebody mistyped. */
static bool akin(const char *a, const char *b)
{
    size_t n = strcspn(a, "."), m = strcspn(b, ".");
    const char *x = strrchr(a, '.'), *y = strrchr(b, '.');

    return (n == m && strncmp(a, b, n) == 0) ||
           (x && y && strcmp(x, y) == 0 && n < m + 2 && m < n + 2);
}

/* A known key that looks like this one, or NULL; also when it is known. */
static const char *mistyped(const char *key, const json_t *known)
{
    json_t *like = json_array();
    const char *near;
    const json_t *k;
    bool is_known = false;
    size_t i;

    json_array_foreach(known, i, k)
    {
        is_known = is_known || strcmp(json_string_value(k), key) == 0;
        if (akin(key, json_string_value(k)))
            json_array_append(like, (json_t *)(uintptr_t)k);
    }
    near = is_known ? NULL : tg_nearest(key, like);
    json_decref(like);
    return near;
}

/* A worker's file also holds the settings of its Kafka clients, so an unknown
 * key is worth a word only when it looks like one that is known. */
static void check_unknown(tg__check *c, const char *file, const json_t *config)
{
    json_t *known = json_array();
    const char *key;
    json_t *v;

    for (size_t i = 0; i < sizeof worker_keys / sizeof *worker_keys; i++)
        json_array_append_new(known, json_string(worker_keys[i]));
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        json_array_append_new(known, json_string(settings[i].key));
    json_object_foreach((json_t *)(uintptr_t)config, key, v)
    {
        const char *near =
            strstr(key, ".converter.") ? NULL : mistyped(key, known);
        if (near) {
            char text[300];
            snprintf(text, sizeof text,
                     "Unknown configuration '%.100s', did you mean '%s'?", key,
                     near);
            tg__check_report(c, file, false, key, text);
        }
    }
    json_decref(known);
}

void tg__check_worker(tg__check *c, const char *file)
{
    tg_err err = {0};
    json_t *config = tg_properties_load(file, &err);
    int before = c->errors;

    if (!config) {
        tg__check_report(c, file, true, NULL, err.text);
        return;
    }
    check_needed(c, file, config);
    check_converters(c, file, config);
    check_settings(c, file, config);
    check_folders(c, file, config);
    check_unknown(c, file, config);
    if (c->errors == before)
        printf("%s: ok (worker)\n", file);
    json_decref(config);
}
