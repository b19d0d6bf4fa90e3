/*
 * plan: the parts of a configuration that make a chain: converters, transforms
 * and predicates. Every mistake is found, each under its full key.
 *
 * Threads: the child's main thread.
 */
#include "base/mem.h"
#include "task/plan.h"

/* Settings of a converter that the connector does not name are not looked at:
 * the worker's converter has the worker's settings. */
static void warn_unused(tg__plan_state *p, const char *key)
{
    char *prefix = tg_sprintf("%s.", key);
    const char *name;
    json_t *v;

    if (!tg_config_get(p->config, key, NULL)) {
        json_object_foreach((json_t *)(uintptr_t)p->config, name, v)
        {
            char *text;
            if (strncmp(name, prefix, strlen(prefix)) != 0)
                continue;
            text = tg_sprintf("%s has no effect: it belongs to %s, which is "
                              "not set here",
                              name, key);
            tg__plan_add(p->warnings, p->config, name, text);
            tg_free(text);
        }
    }
    tg_free(prefix);
}

/* The full key of the setting that a converter's sentence begins with
 * ("value.converter: decimal.format is ..."), or the converter's own. Caller
 * frees. */
static char *key_at_fault(const tg__plan_state *p, const char *key,
                          const char *text)
{
    size_t n = strlen(key), word;
    char *full;

    if (strncmp(text, key, n) != 0 || strncmp(text + n, ": ", 2) != 0)
        return tg_strdup(key);
    text += n + 2;
    word = strspn(text, "abcdefghijklmnopqrstuvwxyz.");
    full = tg_sprintf("%s.%.*s", key, (int)word, text);
    if (memchr(text, '.', word) || json_object_get(p->config, full))
        return full;
    tg_free(full);
    return tg_strdup(key);
}

static void refuse_converter(tg__plan_state *p, const char *key,
                             const char *text)
{
    char *at = key_at_fault(p, key, text);

    tg__plan_add(p->errors, p->config, at, text);
    tg_free(at);
}

static void check_converters(tg__plan_state *p)
{
    static const char *const roles[] = {"key", "value", "header"};

    for (size_t i = 0; i < 3; i++) {
        char *key = tg_sprintf("%s.converter", roles[i]);
        tg_err err = {0};
        tg_converter *conv =
            tg_chain_converter(p->worker, p->config, roles[i], &err);
        if (conv)
            tg_converter_free(conv);
        else
            refuse_converter(p, key, err.text);
        warn_unused(p, key);
        tg_free(key);
    }
}

/* What is wrong only shows when the plugin is made: a pattern that does not
 * compile, a script that raises in new(). */
static void check_instance(tg__plan_state *p, const char *kind,
                           const char *type, const json_t *own,
                           const char *type_key)
{
    tg_err err = {0};
    tg_instance *inst = tg_instance_new(p->vm, kind, type, own, &err);

    if (inst)
        tg_instance_free(inst);
    else
        tg__plan_add(p->errors, p->config, type_key, err.text);
}

/* One alias of transforms or predicates. */
static void check_alias(tg__plan_state *p, const char *kind, const char *alias)
{
    char *prefix = tg_sprintf("%ss.%s.", kind, alias);
    char *type_key = tg_sprintf("%stype", prefix);
    const char *type = tg_config_get(p->config, type_key, NULL);
    char *list = tg_sprintf("%ss.", kind);
    json_t *own = tg_chain_plugin_config(p->config, list, alias);
    size_t before;

    if (!type) {
        char *text = tg_sprintf("%s is missing: it names the class of the %s "
                                "%s",
                                type_key, kind, alias);
        tg__plan_add(p->errors, p->config, type_key, text);
        tg_free(text);
    } else {
        before = json_array_size(p->errors);
        tg__plan_plugin(p, kind, type, own, prefix, type_key);
        if (json_array_size(p->errors) == before)
            check_instance(p, kind, type, own, type_key);
    }
    json_decref(own);
    tg_free(list);
    tg_free(type_key);
    tg_free(prefix);
}

static bool listed(const json_t *list, const char *text)
{
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item) if (strcmp(json_string_value(item),
                                                 text) == 0) return true;
    return false;
}

static void check_predicate_of(tg__plan_state *p, const char *alias,
                               const json_t *predicates)
{
    char *key = tg_sprintf("transforms.%s.predicate", alias);
    char *negate = tg_sprintf("transforms.%s.negate", alias);
    const char *predicate = tg_config_get(p->config, key, NULL);
    bool on = false;
    tg_err err = {0};

    if (tg_config_bool(p->config, negate, false, &on, &err))
        tg__plan_add(p->errors, p->config, negate, err.text);
    else if (!predicate && tg_config_get(p->config, negate, NULL))
        tg__plan_add(
            p->errors, p->config, negate,
            "there is no predicate to negate: set it or remove this key");
    if (predicate && !listed(predicates, predicate)) {
        char *text = tg_sprintf("the predicate %s is not listed in predicates",
                                predicate);
        tg__plan_add(p->errors, p->config, key, text);
        tg_free(text);
    }
    tg_free(negate);
    tg_free(key);
}

/* transforms.x.* when x is not listed: nothing of it is used. */
static void warn_unlisted(tg__plan_state *p, const char *list,
                          const json_t *aliases)
{
    char *prefix = tg_sprintf("%s.", list);
    const char *name;
    json_t *v;

    json_object_foreach((json_t *)(uintptr_t)p->config, name, v)
    {
        const char *rest = name + strlen(prefix);
        bool used = false;
        const json_t *alias;
        size_t i;
        if (strncmp(name, prefix, strlen(prefix)) != 0)
            continue;
        json_array_foreach(aliases, i, alias)
        {
            size_t n = json_string_length(alias);
            used = used || (strncmp(rest, json_string_value(alias), n) == 0 &&
                            rest[n] == '.');
        }
        if (!used) {
            char *text = tg_sprintf("%s has no effect: '%.*s' is not listed in "
                                    "%s",
                                    name, (int)strcspn(rest, "."), rest, list);
            tg__plan_add(p->warnings, p->config, name, text);
            tg_free(text);
        }
    }
    tg_free(prefix);
}

static void check_lists(tg__plan_state *p)
{
    static const char *const kinds[] = {"transform", "predicate"};
    json_t *predicates = tg_config_list(p->config, "predicates");

    for (int k = 0; k < 2; k++) {
        char *key = tg_sprintf("%ss", kinds[k]);
        json_t *aliases = tg_config_list(p->config, key);
        json_t *seen = json_array();
        const json_t *item;
        size_t i;
        json_array_foreach(aliases, i, item)
        {
            const char *alias = json_string_value(item);
            if (listed(seen, alias)) {
                tg__plan_add(p->errors, p->config, key,
                             "an alias is listed twice");
                continue;
            }
            json_array_append_new(seen, json_string(alias));
            check_alias(p, kinds[k], alias);
            if (k == 0)
                check_predicate_of(p, alias, predicates);
        }
        warn_unlisted(p, key, aliases);
        json_decref(seen);
        json_decref(aliases);
        tg_free(key);
    }
    json_decref(predicates);
}

void tg__plan_chain(tg__plan_state *p)
{
    check_converters(p);
    check_lists(p);
}
