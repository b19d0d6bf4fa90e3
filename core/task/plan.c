/*
 * plan: checks a connector's configuration and splits its work, in a process of
 * its own, so that a plugin that crashes or hangs takes nothing with it.
 *
 * What is checked here: the connector's own keys, converters, transforms,
 * predicates, error handling, client overrides, topics of sinks. The answer
 * lists every mistake, each under its key; tasks are only made without any.
 *
 * Threads: the child's main thread.
 */
#include "base/log.h"
#include "base/mem.h"
#include "kafka/consumer.h"
#include "task/plan.h"
#include "task/tools.h"
#include "task/topics.h"
#include <stdio.h>
#include <strings.h>

/* Keys that belong to the framework; those of prefixes are added from the
 * configuration itself. */
static const char *const known_keys[] = {
    "name",
    "connector.class",
    "connector.plugin.version",
    "tasks.max",
    "tasks.max.enforce",
    "key.converter",
    "value.converter",
    "header.converter",
    "key.converter.plugin.version",
    "value.converter.plugin.version",
    "header.converter.plugin.version",
    "transforms",
    "predicates",
    "config.action.reload",
    "errors.retry.timeout",
    "errors.retry.delay.max.ms",
    "errors.tolerance",
    "errors.log.enable",
    "errors.log.include.messages",
    "exactly.once.support",
    "transaction.boundary",
    "transaction.boundary.interval.ms",
    "offsets.storage.topic",
    "topic.creation.groups",
    "topics",
    "topics.regex",
    "errors.deadletterqueue.topic.name",
    "errors.deadletterqueue.topic.replication.factor",
    "errors.deadletterqueue.context.headers.enable",
    "tidegate.source.inflight.bytes",
    "task.memory.max.mb",
    "task.script.timeout.ms",
    "task.script.jit",
};

static const char *const known_prefixes[] = {
    "producer.override.", "consumer.override.", "admin.override.",
    "transforms.",        "predicates.",        "topic.creation.",
    "key.converter.",     "value.converter.",   "header.converter."};

void tg__plan_add(json_t *list, const json_t *config, const char *key,
                  const char *message)
{
    json_t *value = json_object_get(config, key);

    json_array_append_new(list, json_pack("{s:s, s:O, s:s}", "key", key,
                                          "value", value ? value : json_null(),
                                          "message", message));
}

static json_t *known_list(const json_t *config)
{
    json_t *known = json_array();
    const char *key;
    json_t *value;

    for (size_t i = 0; i < sizeof known_keys / sizeof *known_keys; i++)
        json_array_append_new(known, json_string(known_keys[i]));
    json_object_foreach((json_t *)(uintptr_t)config, key, value)
    {
        for (size_t i = 0; i < sizeof known_prefixes / sizeof *known_prefixes;
             i++)
            if (strncmp(key, known_prefixes[i], strlen(known_prefixes[i])) == 0)
                json_array_append_new(known, json_string(key));
    }
    return known;
}

/* --- checks -------------------------------------------------------------- */

/* The keys of a transform or predicate are named in full, in the message
 * too. */
static void full_key(json_t *problem, const char *prefix)
{
    const char *key = tg_config_get(problem, "key", "");
    const char *message = tg_config_get(problem, "message", "");
    size_t n = strlen(key);
    tg_buf text = {0};
    char *full = tg_sprintf("%s%s", prefix, key);

    while (n > 0 && *message) {
        const char *at = strstr(message, key);
        bool whole = at && (at == message || strchr(" '\"", at[-1])) &&
                     (!at[n] || strchr(" '\":,;.", at[n]));
        if (!at)
            break;
        tg_buf_add(&text, message, (size_t)(at - message));
        tg_buf_str(&text, whole ? full : key);
        message = at + n;
        if (whole)
            break;
    }
    tg_buf_str(&text, message);
    json_object_set_new(problem, "key", json_string(full));
    json_object_set_new(problem, "message", json_string(tg_buf_cstr(&text)));
    tg_free(full);
    tg_buf_fini(&text);
}

void tg__plan_plugin(tg__plan_state *p, const char *kind,
                     const char *class_name, const json_t *config,
                     const char *prefix, const char *type_key)
{
    json_t *errors = NULL, *warnings = NULL, *known = NULL;
    tg_err err = {0};
    const json_t *e;
    size_t i;

    if (!prefix)
        known = known_list(config);
    if (tg_plugin_validate(p->vm, kind, class_name, config, known, &errors,
                           &warnings, &err) != 0)
        tg__plan_add(p->errors, p->config, type_key, err.text);
    for (int w = 0; w < 2; w++) {
        json_array_foreach(w ? warnings : errors, i, e)
        {
            json_t *copy = json_copy((json_t *)(uintptr_t)e);
            if (prefix)
                full_key(copy, prefix);
            json_array_append_new(w ? p->warnings : p->errors, copy);
        }
    }
    json_decref(errors);
    json_decref(warnings);
    json_decref(known);
}

static void check_topics(tg__plan_state *p)
{
    json_t *topics = tg_config_list(p->config, "topics");
    bool list = json_array_size(topics) > 0;
    bool regex = *tg_config_get(p->config, "topics.regex", "") != 0;
    tg_err err = {0};

    if (list && regex)
        tg__plan_add(
            p->errors, p->config, "topics",
            "topics and topics.regex are mutually exclusive options, but both "
            "are set.");
    else if (!list && !regex)
        tg__plan_add(p->errors, p->config, "topics",
                     "Must configure one of topics or topics.regex");
    if (regex && !list &&
        tg_consumer_check_regex(tg_config_get(p->config, "topics.regex", ""),
                                &err))
        tg__plan_add(p->errors, p->config, "topics.regex", err.text);
    json_decref(topics);
}

static int check_number(tg__plan_state *p, const char *key, int64_t dflt,
                        int64_t min)
{
    tg_err err = {0};
    int64_t n = dflt;

    if (tg_config_int(p->config, key, dflt, min, INT32_MAX, &n, &err))
        tg__plan_add(p->errors, p->config, key, err.text);
    return (int)n;
}

static void check_errors(tg__plan_state *p)
{
    tg_err err = {0};
    bool b;

    if (tg_config_bool(p->config, "tasks.max.enforce", false, &b, &err))
        tg__plan_add(p->errors, p->config, "tasks.max.enforce", err.text);
    tg_error_policy_check(p->worker, p->config, p->source, p->errors);
}

/* Settings with a few accepted values. */
static void check_choices(tg__plan_state *p)
{
    static const struct choice {
        const char *key, *accepted[4];
    } choices[] = {
        {"config.action.reload", {"none", "restart"}},
        {"exactly.once.support", {"requested", "required"}},
        {"transaction.boundary", {"poll", "interval", "connector"}},
    };

    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
        const struct choice *c = &choices[i];
        const char *found = tg_config_get(p->config, c->key, NULL);
        bool ok = !found;
        tg_err err = {0};
        for (int k = 0; k < 4 && c->accepted[k] && !ok; k++)
            ok = strcasecmp(found, c->accepted[k]) == 0;
        if (ok)
            continue;
        tg_err_set(&err, TG_ERR_CONFIG,
                   "Invalid value %s for configuration %s: String must be one "
                   "of: %s, %s%s%s",
                   found, c->key, c->accepted[0], c->accepted[1],
                   c->accepted[2] ? ", " : "",
                   c->accepted[2] ? c->accepted[2] : "");
        tg__plan_add(p->errors, p->config, c->key, err.text);
    }
}

static void check_topic_creation(tg__plan_state *p)
{
    tg_task probe = {.worker = p->worker, .config = p->config, .name = p->name};
    tg_err err = {0};
    tg_topics *topics = tg_topics_new(&probe, &err);

    if (!topics)
        tg__plan_add(p->errors, p->config, "topic.creation.groups", err.text);
    else if (tg_topics_group(topics, ""))
        tg_client_config_check(p->worker, p->config, "admin.override.",
                               p->errors);
    tg_topics_free(topics);
}

static void check_all(tg__plan_state *p)
{
    tg__plan_plugin(p, p->source ? "source" : "sink", p->class_name, p->config,
                    NULL, "connector.class");
    tg__plan_chain(p);
    check_errors(p);
    check_choices(p);
    tg_client_config_check(
        p->worker, p->config,
        p->source ? "producer.override." : "consumer.override.", p->errors);
    if (p->source)
        check_topic_creation(p);
    else
        check_topics(p);
}

/* --- the answer ---------------------------------------------------------- */

static int find_connector(tg__plan_state *p, tg_err *err)
{
    const char *kind;
    int rc;

    p->class_name = tg_config_get(p->config, "connector.class", NULL);
    if (!p->class_name)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "Missing required configuration "
                          "\"connector.class\" which has no default value.");
    rc = tg_plugin_find(p->vm, "connector", p->class_name, &p->info, err);
    if (rc)
        return rc;
    kind = json_string_value(json_object_get(p->info, "kind"));
    p->source = kind && strcmp(kind, "source") == 0;
    return 0;
}

static int split(tg__plan_state *p, tg_err *err)
{
    int max = check_number(p, "tasks.max", 1, 1);
    json_t *topics, *task;
    size_t i;
    int rc;

    if (json_array_size(p->errors) > 0)
        return 0;
    rc = tg_plugin_tasks(p->vm, p->class_name, p->config, max, &p->tasks, err);
    if (rc || p->source)
        return rc;
    topics = json_object_get(p->config, "topics");
    json_array_foreach(p->tasks, i, task)
    {
        json_t *regex = json_object_get(p->config, "topics.regex");
        if (topics)
            json_object_set(task, "topics", topics);
        if (regex)
            json_object_set(task, "topics.regex", regex);
    }
    return 0;
}

static json_t *answer(tg__plan_state *p, const tg_err *err)
{
    json_t *out = json_pack("{s:s, s:O, s:O}", "op", "planned", "errors",
                            p->errors, "warnings", p->warnings);
    static const char *const copied[] = {"kind", "class", "version"};

    for (size_t i = 0; p->info && i < 3; i++) {
        json_t *v = json_object_get(p->info, copied[i]);
        if (v)
            json_object_set(out, copied[i], v);
    }
    json_object_set_new(out, "tasks",
                        p->tasks ? json_incref(p->tasks) : json_array());
    if (err->code)
        json_object_set_new(
            out, "error",
            json_pack("{s:s, s:s}", "text", err->text, "trace", err->trace));
    return out;
}

tg_vm *tg_task_vm(const json_t *worker, const json_t *config, tg_page *page,
                  tg_err *err)
{
    tg_vm_options options;
    json_t *path = NULL;
    tg_vm *vm = NULL;

    if (tg__vm_options(worker, config, &options, &path, err) == 0) {
        options.page = page;
        vm = tg_vm_new(&options, err);
    }
    json_decref(path);
    return vm;
}

static int run(tg__plan_state *p, tg_err *err)
{
    int rc;

    p->vm = tg_task_vm(p->worker, p->config, NULL, err);
    if (!p->vm)
        return err->code;
    rc = find_connector(p, err);
    if (rc) {
        tg__plan_add(p->errors, p->config, "connector.class", err->text);
        return rc;
    }
    check_all(p);
    rc = split(p, err);
    if (rc)
        tg_err_prefix(err, "connector %s: tasks failed", p->name);
    return rc;
}

json_t *tg__plan(const json_t *msg)
{
    tg__plan_state p = {.worker = json_object_get(msg, "worker"),
                        .config = json_object_get(msg, "config"),
                        .errors = json_array(),
                        .warnings = json_array()};
    tg_err err = {0};
    json_t *out;

    p.name = json_string_value(json_object_get(msg, "name"));
    if (!p.name)
        p.name = tg_config_get(p.config, "name", "?");
    if (!json_is_object(p.worker) || !json_is_object(p.config))
        tg_err_set(&err, TG_ERR_ARG, "plan lacks worker or config");
    else
        run(&p, &err);
    out = answer(&p, &err);
    if (p.vm)
        tg_vm_free(p.vm);
    json_decref(p.info);
    json_decref(p.tasks);
    json_decref(p.errors);
    json_decref(p.warnings);
    return out;
}

json_t *tg_task_check(const json_t *worker, const json_t *config,
                      const char *name)
{
    json_t *msg = json_pack("{s:O, s:O}", "worker", worker, "config", config);
    json_t *out;

    if (name)
        json_object_set_new(msg, "name", json_string(name));
    out = tg__plan(msg);
    json_decref(msg);
    return out;
}
