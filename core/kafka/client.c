/*
 * The client map: one merged object of Java (or librdkafka) names becomes an
 * object of librdkafka names. Each key is looked up in the table of
 * client_table.c; a key that is not there is tried on a scratch librdkafka
 * configuration, which decides whether it is one of librdkafka's own; what is
 * still unknown is a warning with the nearest name. Then TLS and SASL are
 * mapped as a whole, and the defaults of each kind of client are filled in.
 *
 * Any thread; no global state.
 */
#include "kafka/map.h"
#include "base/config.h"
#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>

enum { MAX_VALUE = 64 * 1024 };

/* --- helpers shared with the other parts ---------------------------------- */

void tg__map_warn(tg__map *map, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    if (!map->warnings)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    json_array_append_new(map->warnings, json_string(text));
}

int tg__map_set(tg__map *map, const char *rk, const char *value,
                const char *key, tg_err *err)
{
    char text[512];

    if (rd_kafka_conf_set(map->scratch, rk, value, text, sizeof text) !=
        RD_KAFKA_CONF_OK) {
        bool secret = strstr(key, "password") || strstr(key, "jaas") ||
                      strstr(key, ".key");
        return tg_err_set(err, TG_ERR_CONFIG,
                          "client setting %s=%s is not accepted: %s", key,
                          secret ? "[hidden]" : value, text);
    }
    json_object_set_new(map->out, rk, json_string(value));
    return TG_OK;
}

void tg__map_default(tg__map *map, const char *rk, const char *value)
{
    char text[128];

    if (!json_object_get(map->out, rk) &&
        rd_kafka_conf_set(map->scratch, rk, value, text, sizeof text) ==
            RD_KAFKA_CONF_OK)
        json_object_set_new(map->out, rk, json_string(value));
}

static void trim(const char *text, char *buf, size_t size)
{
    size_t n;

    while (*text && (unsigned char)*text <= ' ')
        text++;
    n = strlen(text);
    while (n && (unsigned char)text[n - 1] <= ' ')
        n--;
    if (n >= size)
        n = size - 1;
    memcpy(buf, text, n);
    buf[n] = 0;
}

const char *tg__map_value(tg__map *map, const char *key, char *buf, size_t size)
{
    char number[32];
    const char *text = tg__config_text(json_object_get(map->config, key),
                                       number, sizeof number);

    if (!text)
        return NULL;
    trim(text, buf, size);
    return buf;
}

/* --- one key -------------------------------------------------------------- */

/* The nearest name as a whole: tg_nearest compares dotted names by their last
 * part too, as class names want it, and all settings end in "ms". */
static void undotted(json_t *names, const char *name)
{
    char text[128];
    size_t n = 0;

    for (; name[n] && n < sizeof text - 1; n++)
        text[n] = name[n] == '.' ? '_' : name[n];
    text[n] = 0;
    json_array_append_new(names, json_string(text));
}

static void warn_unknown(tg__map *map, const char *key)
{
    json_t *names = json_array(), *flat = json_array(), *name;
    const char **dump, *near, *found = NULL;
    size_t n, i;

    tg__map_names(names);
    dump = rd_kafka_conf_dump(map->scratch, &n);
    for (i = 0; i + 1 < n; i += 2)
        json_array_append_new(names, json_string(dump[i]));
    rd_kafka_conf_dump_free(dump, n);
    json_array_foreach(names, i, name) undotted(flat, json_string_value(name));
    undotted(flat, key);
    n = json_array_size(names);
    name = json_incref(json_array_get(flat, n));
    json_array_remove(flat, n);
    near = tg_nearest(json_string_value(name), flat);
    json_decref(name);
    json_array_foreach(flat, i, name) if (json_string_value(name) == near)
        found = json_string_value(json_array_get(names, i));
    tg__map_warn(map, "client setting %s is unknown and ignored%s%s%s", key,
                 found ? "; did you mean " : "", found ? found : "",
                 found ? "?" : "");
    json_decref(flat);
    json_decref(names);
}

static int map_unlisted(tg__map *map, const char *key, const char *value,
                        tg_err *err)
{
    char text[512];

    switch (rd_kafka_conf_set(map->scratch, key, value, text, sizeof text)) {
    case RD_KAFKA_CONF_OK:
        json_object_set_new(map->out, key, json_string(value));
        return TG_OK;
    case RD_KAFKA_CONF_INVALID:
        return tg_err_set(err, TG_ERR_CONFIG,
                          "client setting %s=%s is not accepted: %s", key,
                          value, text);
    default:
        warn_unknown(map, key);
        return TG_OK;
    }
}

static int map_key(tg__map *map, const char *key, const json_t *value,
                   char *buf, tg_err *err)
{
    const tg__map_entry *entry;
    char number[32];
    const char *text = tg__config_text(value, number, sizeof number);

    if (!text) {
        tg__map_warn(map, "client setting %s is ignored: its value is no text",
                     key);
        return TG_OK;
    }
    trim(text, buf, MAX_VALUE);
    entry = tg__map_find(key);
    if (!entry)
        return map_unlisted(map, key, buf, err);
    if (!(entry->on & map->on))
        return TG_OK;
    if (entry->fn)
        return entry->fn(map, key, buf, err);
    if (!entry->rk)
        return TG_OK;
    /* A librdkafka name in the configuration wins over its Java synonym. */
    if (strcmp(entry->rk, key) && json_object_get(map->config, entry->rk))
        return TG_OK;
    return tg__map_set(map, entry->rk, buf, key, err);
}

/* --- defaults ------------------------------------------------------------- */

static int64_t out_int(tg__map *map, const char *rk, int64_t dflt)
{
    const char *text = json_string_value(json_object_get(map->out, rk));

    return text ? atoll(text) : dflt;
}

/* The queue must hold at least a few of the largest messages. */
static void fit_queue(tg__map *map)
{
    char text[32];
    int64_t least = out_int(map, "message.max.bytes", 1048576) * 2 / 1024 + 1;
    int64_t kbytes = out_int(map, "queue.buffering.max.kbytes", 32768);

    if (kbytes >= least)
        return;
    if (json_object_get(map->out, "queue.buffering.max.kbytes"))
        tg__map_warn(map,
                     "buffer.memory is raised to %lld bytes: the queue must "
                     "hold two messages of max.request.size",
                     (long long)least * 1024);
    snprintf(text, sizeof text, "%lld", (long long)least);
    json_object_set_new(map->out, "queue.buffering.max.kbytes",
                        json_string(text));
}

static void producer_defaults(tg__map *map)
{
    const char *acks;

    tg__map_default(map, "acks", "all");
    acks = tg_config_get(map->out, "acks", "all");
    /* Order across retries: window.h, which also says why requests are small.
     */
    tg__map_default(map, "enable.idempotence",
                    !strcmp(acks, "all") || !strcmp(acks, "-1") ? "true"
                                                                : "false");
    if (!strcmp(tg_config_get(map->out, "enable.idempotence", ""), "true"))
        tg__map_default(map, "batch.num.messages", "5000");
    tg__map_default(map, "max.in.flight.requests.per.connection", "1");
    /* A transactional producer's time-out must fit transaction.timeout.ms;
     * librdkafka chooses it. */
    if (!json_object_get(map->out, "transactional.id"))
        tg__map_default(map, "message.timeout.ms", "0");
    tg__map_default(map, "message.max.bytes", "1048576");
    fit_queue(map);
    tg__map_default(map, "queue.buffering.max.kbytes", "32768");
    tg__map_default(map, "queue.buffering.max.messages", "20000");
    tg__map_default(map, "partitioner", "murmur2_random");
}

static void consumer_defaults(tg__map *map)
{
    tg__map_default(map, "enable.auto.commit", "false");
    tg__map_default(map, "enable.auto.offset.store", "false");
    tg__map_default(map, "auto.offset.reset", "earliest");
    tg__map_default(map, "isolation.level", "read_uncommitted");
    tg__map_default(map, "partition.assignment.strategy", "range");
    tg__map_default(map, "allow.auto.create.topics", "true");
    tg__map_default(map, "queued.min.messages", "30000");
    tg__map_default(map, "queued.max.messages.kbytes", "32768");
    tg__map_default(map, "fetch.error.backoff.ms", "100");
    if (tg__rk_gate(TG_GATE_QUEUE_BACKOFF))
        tg__map_default(map, "fetch.queue.backoff.ms", "10");
    if (tg__rk_gate(TG_GATE_GROUP_PROTOCOL))
        tg__map_default(map, "group.protocol", "classic");
}

static void defaults(tg__map *map)
{
    switch (map->kind) {
    case TG_CLIENT_PRODUCER:
        producer_defaults(map);
        break;
    case TG_CLIENT_CONSUMER:
        consumer_defaults(map);
        break;
    default:
        tg__map_default(map, "isolation.level", "read_uncommitted");
        tg__map_default(map, "allow.auto.create.topics", "false");
    }
    tg__map_default(map, "client.id", "tidegate");
    tg__map_default(map, "reconnect.backoff.ms", "50");
    tg__map_default(map, "reconnect.backoff.max.ms", "1000");
    tg__map_default(map, "socket.keepalive.enable", "true");
    tg__map_default(map, "socket.nagle.disable", "true");
    tg__map_default(map, "log.connection.close", "false");
}

static void guard_client_id(tg__map *map)
{
    const char *id = tg_config_get(map->out, "client.id", "");
    char cut[129];

    if (tg__rk_gate(TG_GATE_LONG_CLIENT_ID) || strlen(id) < sizeof cut)
        return;
    snprintf(cut, sizeof cut, "%.*s", (int)sizeof cut - 1, id);
    tg__map_warn(map,
                 "client.id is cut to 128 characters (%s): librdkafka %s "
                 "cannot send longer ones safely",
                 cut, tg_kafka_version());
    json_object_set_new(map->out, "client.id", json_string(cut));
}

json_t *tg_client_map(const json_t *config, int kind, json_t *warnings,
                      tg_err *err)
{
    static const int on[] = {[TG_CLIENT_PRODUCER] = ON_P,
                             [TG_CLIENT_CONSUMER] = ON_C,
                             [TG_CLIENT_ADMIN] = ON_A};
    tg__map map = {config,        kind,     on[kind],
                   json_object(), warnings, rd_kafka_conf_new()};
    char *buf = tg_alloc(MAX_VALUE);
    const char *key;
    json_t *value, *result = NULL;

    json_object_foreach((json_t *)config, key, value)
    {
        if (map_key(&map, key, value, buf, err))
            goto out;
    }
    if (tg__map_security(&map, err))
        goto out;
    if (!*tg_config_get(map.out, "bootstrap.servers", "")) {
        tg_err_set(err, TG_ERR_CONFIG,
                   "bootstrap.servers is not set: it takes host:port of one or "
                   "more brokers, separated by commas");
        goto out;
    }
    defaults(&map);
    guard_client_id(&map);
    result = json_incref(map.out);
out:
    tg_free(buf);
    rd_kafka_conf_destroy(map.scratch);
    json_decref(map.out);
    return result;
}
