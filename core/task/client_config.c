/*
 * Client settings, merged in three layers: what Kafka Connect sets by itself,
 * the worker's, the connector's. Later layers win. Security settings at the
 * worker's top level reach admin clients only, as in Kafka Connect.
 *
 * Any thread.
 */
#include "task/client_config.h"
#include "base/mem.h"
#include <strings.h>

static const char *const principal_keys[] = {
    "sasl.jaas.config", "sasl.mechanism", "security.protocol"};

static const char POLICY[] = "connector.client.config.override.policy";

/* Last part of a class name without Kafka Connect's suffix: "All". */
static char *policy_of(const json_t *worker)
{
    static const char suffix[] = "ConnectorClientConfigOverridePolicy";
    const char *text = tg_config_get(worker, POLICY, "All");
    const char *dot = strrchr(text, '.');
    char *name = tg_strdup(dot ? dot + 1 : text);
    size_t n = strlen(name), m = sizeof suffix - 1;

    if (n > m && strcmp(name + n - m, suffix) == 0)
        name[n - m] = 0;
    return name;
}

static bool policy_allows(const char *policy, const char *key)
{
    if (strcasecmp(policy, "All") == 0)
        return true;
    if (strcasecmp(policy, "Principal") != 0)
        return false;
    for (size_t i = 0; i < sizeof principal_keys / sizeof *principal_keys; i++)
        if (strcmp(key, principal_keys[i]) == 0)
            return true;
    return false;
}

void tg_client_config_check(const json_t *worker, const json_t *config,
                            const char *prefix, json_t *errors)
{
    json_t *over = tg_config_prefixed(config, prefix);
    char *policy = policy_of(worker);
    const char *key;
    json_t *value;

    json_object_foreach(over, key, value)
    {
        char *name, *text;
        if (policy_allows(policy, key))
            continue;
        name = tg_sprintf("%s%s", prefix, key);
        text = tg_sprintf("The '%s' policy does not allow '%s' to be "
                          "overridden in the connector configuration.",
                          policy, key);
        json_array_append_new(errors,
                              json_pack("{s:s, s:O, s:s}", "key", name, "value",
                                        value, "message", text));
        tg_free(name);
        tg_free(text);
    }
    tg_free(policy);
    json_decref(over);
}

static int check_overrides(const tg_client_scope *scope, const char *prefix,
                           tg_err *err)
{
    json_t *errors = json_array();
    const json_t *first;
    int rc = 0;

    tg_client_config_check(scope->worker, scope->config, prefix, errors);
    first = json_array_get(errors, 0);
    if (first)
        rc = tg_err_set(
            err, TG_ERR_CONFIG,
            "connector %s: %s: %s Remove the key, or change %s of "
            "the worker.",
            scope->connector, json_string_value(json_object_get(first, "key")),
            json_string_value(json_object_get(first, "message")), POLICY);
    json_decref(errors);
    return rc;
}

static void set_text(json_t *out, const char *key, char *text)
{
    json_object_set_new(out, key, json_string(text));
    tg_free(text);
}

static void overlay(json_t *out, const json_t *config, const char *prefix)
{
    json_t *part = tg_config_prefixed(config, prefix);

    json_object_update(out, part);
    json_decref(part);
}

/* The settings that come last: on the embedded broker nobody may point a client
 * elsewhere or ask for acknowledgements that say nothing. */
static json_t *finish(json_t *out, const tg_client_scope *scope,
                      const char *prefix, tg_err *err)
{
    if (check_overrides(scope, prefix, err) != 0) {
        json_decref(out);
        return NULL;
    }
    overlay(out, scope->config, prefix);
    if (scope->embedded)
        json_object_set_new(out, "bootstrap.servers",
                            json_string(scope->embedded));
    return out;
}

static json_t *start(const tg_client_scope *scope, const char *kind)
{
    json_t *out = json_object();

    json_object_set_new(
        out, "bootstrap.servers",
        json_string(tg_config_get(scope->worker, "bootstrap.servers",
                                  "localhost:9092")));
    set_text(
        out, "client.id",
        tg_sprintf("connector-%s-%s-%d", kind, scope->connector, scope->task));
    return out;
}

static json_t *producer(const tg_client_scope *scope, const char *kind,
                        tg_err *err)
{
    json_t *out = start(scope, kind);

    json_object_set_new(out, "acks", json_string("all"));
    json_object_set_new(out, "max.in.flight.requests.per.connection",
                        json_string("1"));
    /* Elsewhere it keeps the order of retried records (kafka/window.h); the
     * embedded broker refuses nothing. */
    if (scope->embedded)
        json_object_set_new(out, "enable.idempotence", json_string("false"));
    json_object_set_new(out, "delivery.timeout.ms", json_string("2147483647"));
    if (scope->embedded)
        json_object_set_new(out, "compression.type", json_string("lz4"));
    overlay(out, scope->worker, "producer.");
    out = finish(out, scope, "producer.override.", err);
    if (out && scope->embedded)
        json_object_set_new(out, "acks", json_string("all"));
    return out;
}

json_t *tg_client_config_producer(const tg_client_scope *scope, tg_err *err)
{
    return producer(scope, "producer", err);
}

json_t *tg_client_config_dlq_producer(const tg_client_scope *scope, tg_err *err)
{
    return producer(scope, "dlq-producer", err);
}

json_t *tg_client_config_consumer(const tg_client_scope *scope, tg_err *err)
{
    json_t *out = start(scope, "consumer");

    set_text(out, "group.id", tg_sprintf("connect-%s", scope->connector));
    json_object_set_new(out, "auto.offset.reset", json_string("earliest"));
    json_object_set_new(out, "enable.auto.commit", json_string("false"));
    json_object_set_new(out, "isolation.level",
                        json_string("read_uncommitted"));
    /* The mock cluster answers a fetch that finds nothing when its wait is
     * over, whatever arrives meanwhile. */
    if (scope->embedded)
        json_object_set_new(out, "fetch.max.wait.ms", json_string("5"));
    overlay(out, scope->worker, "consumer.");
    return finish(out, scope, "consumer.override.", err);
}

/* Worker keys that are no business of a Kafka client. */
static const char *const worker_only[] = {
    "producer.",     "consumer.",       "admin.",
    "key.converter", "value.converter", "header.converter",
    "offset.",       "plugin.",         "rest.",
    "listeners",     "topic.creation.", "topic.tracking.",
    "config.",       "task.",           "tidegate.",
    "connector.",    "response.",       "access.",
    "group.id",      "status.",         "scheduled.",
    "worker.",       "exactly.",        "inter.",
    "coordination.", "connect.",        "internal."};

static bool is_worker_only(const char *key)
{
    for (size_t i = 0; i < sizeof worker_only / sizeof *worker_only; i++)
        if (strncmp(key, worker_only[i], strlen(worker_only[i])) == 0)
            return true;
    return false;
}

static json_t *admin(const tg_client_scope *scope, const char *kind,
                     tg_err *err)
{
    json_t *out = start(scope, kind);
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)scope->worker, key, value)
    {
        if (!is_worker_only(key))
            json_object_set(out, key, value);
    }
    overlay(out, scope->worker, "admin.");
    return finish(out, scope, "admin.override.", err);
}

json_t *tg_client_config_admin(const tg_client_scope *scope, tg_err *err)
{
    return admin(scope, "adminclient", err);
}

json_t *tg_client_config_dlq_admin(const tg_client_scope *scope, tg_err *err)
{
    return admin(scope, "dlq-adminclient", err);
}

char *tg_client_config_group(const tg_client_scope *scope)
{
    const char *own =
        tg_config_get(scope->config, "consumer.override.group.id", NULL);

    if (!own)
        own = tg_config_get(scope->worker, "consumer.group.id", NULL);
    return own ? tg_strdup(own) : tg_sprintf("connect-%s", scope->connector);
}
