/*
 * Topics of a source task: a list of those already ensured, the creation rules
 * (compiled regular expressions in the order of topic.creation.groups, default
 * last) and the wait for the supervisor's answer on the embedded broker.
 *
 * The task's thread.
 */
#include "task/topics.h"
#include "base/log.h"
#include "base/mem.h"
#include "text/regex.h"
#include <stdio.h>

static const char MOD[] = "topics";

enum { ADMIN_TIMEOUT_MS = 30000, TOPIC_MAX = 249 };

typedef struct rule {
    char *group;
    tg_regex *include, *exclude; /* NULL: none given */
    int partitions, replication;
    json_t *configs;
} rule;

typedef struct known {
    char *name;
    uint32_t len;
    bool reported;
} known;

struct tg_topics {
    tg_task *task;
    tg_admin *admin; /* made when first needed */
    rule *rules;
    int nrules;
    known *known;
    int nknown, last;
    bool news;     /* one of them is not reported */
    char *awaited; /* topic whose topic.ok is awaited */
    bool answered;
    tg_err answer;
};

/* --- rules --------------------------------------------------------------- */

/* All alternatives in one pattern that must match the whole name. */
static int compile(const json_t *config, const char *key, tg_regex **out,
                   tg_err *err)
{
    json_t *list = tg_config_list(config, key);
    tg_buf text = {0};
    const json_t *item;
    size_t i;
    int rc = 0;

    json_array_foreach(list, i, item)
        tg_buf_printf(&text, "%s%s", i ? "|" : "", json_string_value(item));
    if (json_array_size(list) > 0) {
        *out = tg_regex_new(tg_buf_cstr(&text), (uint32_t)text.len, err);
        rc = *out ? 0 : TG_ERR_CONFIG;
    }
    if (rc)
        tg_err_prefix(err, "%s holds no valid regular expression (%s)", key,
                      tg_config_get(config, key, ""));
    tg_buf_fini(&text);
    json_decref(list);
    return rc;
}

static int group_number(const json_t *config, const char *group,
                        const char *what, int64_t dflt, int *out, tg_err *err)
{
    char *key = tg_sprintf("topic.creation.%s.%s", group, what);
    int64_t n = dflt;
    int rc;

    if (dflt == 0 && !tg_config_get(config, key, NULL))
        rc = tg_err_set(err, TG_ERR_CONFIG,
                        "%s is missing: it is required once any "
                        "topic.creation.* key is set; -1 takes the broker's "
                        "default",
                        key);
    else
        rc = tg_config_int(config, key, dflt, -1, INT32_MAX, &n, err);
    if (rc == 0 && n == 0)
        rc = tg_err_set(err, TG_ERR_CONFIG,
                        "%s is 0; it must be -1 (the broker's default) or at "
                        "least 1",
                        key);
    *out = (int)n;
    tg_free(key);
    return rc;
}

static json_t *group_configs(const json_t *config, const char *group)
{
    char *prefix = tg_sprintf("topic.creation.%s.", group);
    json_t *configs = tg_config_prefixed(config, prefix);

    json_object_del(configs, "include");
    json_object_del(configs, "exclude");
    json_object_del(configs, "partitions");
    json_object_del(configs, "replication.factor");
    tg_free(prefix);
    return configs;
}

static int add_rule(tg_topics *t, const char *group, const rule *dflt,
                    tg_err *err)
{
    const json_t *config = t->task->config;
    rule *r = &t->rules[t->nrules++];
    char *include = tg_sprintf("topic.creation.%s.include", group);
    char *exclude = tg_sprintf("topic.creation.%s.exclude", group);
    int rc;

    *r = (rule){.group = tg_strdup(group)};
    r->configs = group_configs(config, group);
    rc = group_number(config, group, "partitions", dflt ? dflt->partitions : 0,
                      &r->partitions, err);
    if (rc == 0)
        rc = group_number(config, group, "replication.factor",
                          dflt ? dflt->replication : 0, &r->replication, err);
    if (rc == 0 && dflt)
        rc = compile(config, include, &r->include, err);
    if (rc == 0 && dflt)
        rc = compile(config, exclude, &r->exclude, err);
    tg_free(include);
    tg_free(exclude);
    return rc;
}

static bool configured(const json_t *config)
{
    json_t *keys = tg_config_prefixed(config, "topic.creation.");
    bool any = json_object_size(keys) > 0;

    json_decref(keys);
    return any;
}

/* rules[0] is the default group, the others follow in order. */
static int add_rules(tg_topics *t, tg_err *err)
{
    json_t *groups = tg_config_list(t->task->config, "topic.creation.groups");
    const json_t *group;
    size_t i;
    int rc;

    t->rules = tg_calloc((json_array_size(groups) + 1) * sizeof *t->rules);
    rc = add_rule(t, "default", NULL, err);
    json_array_foreach(groups, i, group)
    {
        const char *name = json_string_value(group);
        if (rc == 0 && strcmp(name, "default") != 0)
            rc = add_rule(t, name, &t->rules[0], err);
    }
    json_decref(groups);
    return rc;
}

static bool matches(const tg_regex *re, const char *topic)
{
    tg_err err = {0};
    int rc =
        re ? tg_regex_matches(re, topic, (uint32_t)strlen(topic), &err) : 0;

    if (rc < 0)
        tg_warn(MOD, "topic %s: topic.creation: %s", topic, err.text);
    return rc == 1;
}

static bool rule_matches(const rule *r, const char *topic)
{
    return matches(r->include, topic) && !matches(r->exclude, topic);
}

static const rule *find_rule(const tg_topics *t, const char *topic)
{
    for (int i = 1; i < t->nrules; i++)
        if (rule_matches(&t->rules[i], topic))
            return &t->rules[i];
    return t->nrules ? &t->rules[0] : NULL;
}

const char *tg_topics_group(const tg_topics *t, const char *topic)
{
    const rule *r = find_rule(t, topic);

    return r ? r->group : NULL;
}

/* --- life ---------------------------------------------------------------- */

tg_topics *tg_topics_new(tg_task *task, tg_err *err)
{
    tg_topics *t = tg_calloc(sizeof *t);
    bool enabled = true;

    t->task = task;
    if (tg_config_bool(task->worker, "topic.creation.enable", true, &enabled,
                       err))
        goto fail;
    if (!enabled || task->embedded || !configured(task->config))
        return t;
    if (add_rules(t, err) == 0)
        return t;
fail:
    tg_topics_free(t);
    return NULL;
}

void tg_topics_free(tg_topics *t)
{
    if (!t)
        return;
    for (int i = 0; i < t->nrules; i++) {
        rule *r = &t->rules[i];
        tg_regex_free(r->include);
        tg_regex_free(r->exclude);
        json_decref(r->configs);
        tg_free(r->group);
    }
    for (int i = 0; i < t->nknown; i++)
        tg_free(t->known[i].name);
    if (t->admin)
        tg_admin_free(t->admin);
    tg_free(t->rules);
    tg_free(t->known);
    tg_free(t->awaited);
    tg_free(t);
}

/* --- making topics ------------------------------------------------------- */

static int make_admin(tg_topics *t, tg_err *err)
{
    tg_client_scope scope = tg__task_scope(t->task);
    json_t *config;

    if (t->admin)
        return 0;
    config = tg_client_config_admin(&scope, err);
    if (config)
        t->admin = tg_admin_new(config, err);
    json_decref(config);
    return t->admin ? 0 : err->code;
}

static int create(tg_topics *t, const char *topic, const rule *r, tg_err *err)
{
    int partitions = 0, rc = make_admin(t, err);

    if (rc)
        return rc;
    rc = tg_admin_topic_exists(t->admin, topic, ADMIN_TIMEOUT_MS, &partitions,
                               err);
    if (rc == 0) {
        rc = tg_admin_create_topic(t->admin, topic, r->partitions,
                                   r->replication, r->configs, ADMIN_TIMEOUT_MS,
                                   err);
        if (rc == 0)
            tg_info(MOD, "Created topic %s by topic.creation group %s", topic,
                    r->group);
    } else if (rc > 0) {
        rc = 0;
    }
    if (rc)
        tg_err_prefix(err, "topic %s (topic.creation group %s)", topic,
                      r->group);
    return rc;
}

void tg_topics_answer(tg_topics *t, const json_t *msg)
{
    const char *topic = json_string_value(json_object_get(msg, "topic"));
    const char *error = json_string_value(json_object_get(msg, "error"));

    if (!topic || !t->awaited || strcmp(topic, t->awaited) != 0)
        return;
    t->answered = true;
    tg_err_clear(&t->answer);
    if (error)
        tg_err_set(&t->answer, TG_ERR_KAFKA,
                   "topic %s could not be made on the embedded broker: %s",
                   topic, error);
}

static int ask_supervisor(tg_topics *t, const char *topic, tg_err *err)
{
    tg_free(t->awaited);
    t->awaited = tg_strdup(topic);
    t->answered = false;
    tg_control_send(t->task->control,
                    json_pack("{s:s, s:s}", "op", "writes", "topic", topic));
    while (!t->answered) {
        if (tg__task_stopping(t->task))
            return tg_err_set(err, TG_ERR_STOPPED, "the task stops");
        tg__task_heartbeat(t->task);
        tg__task_control(t->task, 500);
    }
    if (t->answer.code)
        *err = t->answer;
    return t->answer.code;
}

static known *add_known(tg_topics *t, const char *name, uint32_t len)
{
    t->known = tg_realloc(t->known, (size_t)(t->nknown + 1) * sizeof(known));
    t->last = t->nknown++;
    t->news = true;
    t->known[t->last] =
        (known){.name = tg_strndup(name, len), .len = len, .reported = false};
    return &t->known[t->last];
}

static bool is_known(tg_topics *t, const char *name, uint32_t len)
{
    for (int k = 0; k < t->nknown; k++) {
        int i = (t->last + k) % t->nknown;
        if (t->known[i].len != len || memcmp(t->known[i].name, name, len) != 0)
            continue;
        t->last = i;
        return true;
    }
    return false;
}

int tg_topics_ensure(tg_topics *t, const char *name, uint32_t len, bool *fresh,
                     tg_err *err)
{
    char topic[TOPIC_MAX + 1];
    const rule *r;
    int rc = 0;

    *fresh = false;
    if (is_known(t, name, len))
        return 0;
    if (len > TOPIC_MAX)
        return tg_err_set(err, TG_ERR_DATA,
                          "topic name %.40s... is longer than %d bytes", name,
                          TOPIC_MAX);
    memcpy(topic, name, len);
    topic[len] = 0;
    r = find_rule(t, topic);
    if (t->task->embedded)
        rc = ask_supervisor(t, topic, err);
    else if (r)
        rc = create(t, topic, r, err);
    if (rc)
        return rc;
    add_known(t, name, len);
    *fresh = true;
    return 0;
}

void tg_topics_report(tg_topics *t)
{
    json_t *list;

    if (!t->news)
        return;
    t->news = false;
    list = json_array();
    for (int i = 0; i < t->nknown; i++) {
        if (t->known[i].reported)
            continue;
        t->known[i].reported = true;
        json_array_append_new(list, json_string(t->known[i].name));
    }
    tg__task_report_topics(t->task, list);
}
