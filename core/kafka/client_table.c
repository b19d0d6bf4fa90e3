/*
 * The table of client settings: Java name, the kinds of client it means
 * something to, librdkafka's name, and a function where the value differs too.
 * Sorted by subject; looked up linearly (once per key and client).
 *
 * A name that librdkafka has under the same spelling and meaning needs no row,
 * unless it is here to be checked, normalised or ignored for other kinds.
 */
#include "kafka/map.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* --- values that differ --------------------------------------------------- */

static int need_int(const char *key, const char *value, int64_t *out,
                    tg_err *err)
{
    char *end;

    errno = 0;
    *out = strtoll(value, &end, 10);
    if (errno || end == value || *end)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "client setting %s=%s is not accepted: it takes a "
                          "whole number",
                          key, value);
    return TG_OK;
}

static const tg__map_entry *entry_of(const char *key);

/* Sets entry's librdkafka name to a number brought into [min, max]. */
static int set_clamped(tg__map *map, const char *key, int64_t n, int64_t min,
                       int64_t max, tg_err *err)
{
    const char *rk = entry_of(key)->rk;
    char text[32];

    if (strcmp(rk, key) && json_object_get(map->config, rk))
        return TG_OK;
    if (n < min || n > max) {
        int64_t was = n;

        n = n < min ? min : max;
        if (n > 0)
            tg__map_warn(map,
                         "client setting %s=%lld is used as %lld: librdkafka "
                         "takes %lld to %lld",
                         key, (long long)was, (long long)n, (long long)min,
                         (long long)max);
    }
    snprintf(text, sizeof text, "%lld", (long long)n);
    return tg__map_set(map, rk, text, key, err);
}

static int map_timeout(tg__map *map, const char *key, const char *value,
                       tg_err *err)
{
    int64_t n;

    if (need_int(key, value, &n, err))
        return TG_ERR_CONFIG;
    return set_clamped(map, key, n == INT32_MAX ? 0 : n, 0, INT32_MAX, err);
}

static int map_kbytes(tg__map *map, const char *key, const char *value,
                      tg_err *err)
{
    int64_t n;

    if (need_int(key, value, &n, err))
        return TG_ERR_CONFIG;
    n = n / 1024 + (n % 1024 > 0);
    return set_clamped(map, key, n < 1 ? 1 : n, 1, INT32_MAX, err);
}

static int map_message_max(tg__map *map, const char *key, const char *value,
                           tg_err *err)
{
    int64_t n;

    if (need_int(key, value, &n, err))
        return TG_ERR_CONFIG;
    return set_clamped(map, key, n, 1000, 1000000000, err);
}

static int map_request_timeout(tg__map *map, const char *key, const char *value,
                               tg_err *err)
{
    char text[32];
    int64_t n;

    if (need_int(key, value, &n, err))
        return TG_ERR_CONFIG;
    if (map->kind == TG_CLIENT_PRODUCER) {
        n = n < 1 ? 1 : n > 900000 ? 900000 : n;
        snprintf(text, sizeof text, "%lld", (long long)n);
        return tg__map_set(map, "request.timeout.ms", text, key, err);
    }
    if (json_object_get(map->config, "socket.timeout.ms"))
        return TG_OK;
    n = n < 10 ? 10 : n > 300000 ? 300000 : n;
    snprintf(text, sizeof text, "%lld", (long long)n);
    return tg__map_set(map, "socket.timeout.ms", text, key, err);
}

/* Socket buffers and idle times: -1 in Java, 0 in librdkafka. */
static int map_not_negative(tg__map *map, const char *key, const char *value,
                            tg_err *err)
{
    int64_t n;

    if (need_int(key, value, &n, err))
        return TG_ERR_CONFIG;
    return set_clamped(map, key, n < 0 ? 0 : n, 0, 100000000, err);
}

static int map_setup_timeout(tg__map *map, const char *key, const char *value,
                             tg_err *err)
{
    int64_t n;

    if (need_int(key, value, &n, err))
        return TG_ERR_CONFIG;
    return set_clamped(map, key, n, 1000, INT32_MAX, err);
}

/* Java's age is the refresh interval; librdkafka's cache lives longer. */
static int map_metadata_age(tg__map *map, const char *key, const char *value,
                            tg_err *err)
{
    char text[32];
    int64_t n;

    if (need_int(key, value, &n, err))
        return TG_ERR_CONFIG;
    n = n < 1 ? 1 : n > 3600000 ? 3600000 : n;
    snprintf(text, sizeof text, "%lld", (long long)n * 3);
    if (tg__map_set(map, "metadata.max.age.ms", text, key, err))
        return TG_ERR_CONFIG;
    if (json_object_get(map->config, "topic.metadata.refresh.interval.ms"))
        return TG_OK;
    snprintf(text, sizeof text, "%lld", (long long)n);
    return tg__map_set(map, "topic.metadata.refresh.interval.ms", text, key,
                       err);
}

static int map_compression_level(tg__map *map, const char *key,
                                 const char *value, tg_err *err)
{
    char codec[16], used[32];
    const char *type;

    if (sscanf(key, "compression.%15[a-z0-9].level", codec) != 1)
        return TG_OK;
    type = tg__map_value(map, "compression.type", used, sizeof used);
    if (!type)
        type = tg__map_value(map, "compression.codec", used, sizeof used);
    if (!type || strcasecmp(type, codec))
        return TG_OK;
    return tg__map_set(map, "compression.level", value, key, err);
}

static int map_partitioner(tg__map *map, const char *key, const char *value,
                           tg_err *err)
{
    const char *dot = strrchr(value, '.');
    const char *name = dot ? dot + 1 : value;

    (void)err;
    if (!*value || !strcmp(name, "DefaultPartitioner") ||
        !strcmp(name, "UniformStickyPartitioner"))
        return TG_OK;
    if (strcmp(name, "RoundRobinPartitioner"))
        tg__map_warn(map,
                     "%s=%s is ignored: partitioners written in Java cannot "
                     "run here; the default (murmur2 of the key) is used",
                     key, value);
    else
        tg__map_warn(map,
                     "%s=%s spreads records without a key at random here, and "
                     "those with a key by its murmur2 hash",
                     key, value);
    return TG_OK;
}

static int map_reset(tg__map *map, const char *key, const char *value,
                     tg_err *err)
{
    if (!strcasecmp(value, "none"))
        value = "error";
    else if (!strncasecmp(value, "by_duration", 11))
        return tg_err_set(err, TG_ERR_CONFIG,
                          "client setting %s=%s is not accepted: it takes "
                          "earliest, latest or none",
                          key, value);
    return tg__map_set(map, key, value, key, err);
}

/* Class names (or librdkafka's own) to librdkafka's; eager and cooperative
 * ones cannot be mixed there, so the eager ones of a mixed list stay, which is
 * also what Java's default list starts with. */
static int map_assignor(tg__map *map, const char *key, const char *value,
                        tg_err *err)
{
    static const char *const known[][2] = {
        {"RangeAssignor", "range"},
        {"RoundRobinAssignor", "roundrobin"},
        {"CooperativeStickyAssignor", "cooperative-sticky"},
        {"range", "range"},
        {"roundrobin", "roundrobin"},
        {"cooperative-sticky", "cooperative-sticky"}};
    char list[1024], eager[64] = "", *save, *item;
    bool sticky = false;

    snprintf(list, sizeof list, "%s", value);
    for (item = strtok_r(list, ", \t", &save); item;
         item = strtok_r(NULL, ", \t", &save)) {
        const char *dot = strrchr(item, '.'), *rk = NULL;

        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            if (!strcmp(dot ? dot + 1 : item, known[i][0]))
                rk = known[i][1];
        if (!rk)
            tg__map_warn(map,
                         "%s: %s is ignored: RangeAssignor, RoundRobinAssignor "
                         "and CooperativeStickyAssignor are available",
                         key, item);
        else if (*rk == 'c')
            sticky = true;
        else if (!strstr(eager, rk))
            snprintf(eager + strlen(eager), sizeof eager - strlen(eager),
                     "%s%s", *eager ? "," : "", rk);
    }
    if (!*eager && !sticky)
        return TG_OK;
    return tg__map_set(map, key, *eager ? eager : "cooperative-sticky", key,
                       err);
}

static int map_auto_commit(tg__map *map, const char *key, const char *value,
                           tg_err *err)
{
    (void)err;
    if (!strcasecmp(value, "true"))
        tg__map_warn(map,
                     "%s=true is ignored: offsets are committed once the "
                     "records are safely handed on",
                     key);
    return TG_OK;
}

static int map_group_protocol(tg__map *map, const char *key, const char *value,
                              tg_err *err)
{
    if (tg__rk_gate(TG_GATE_GROUP_PROTOCOL))
        return tg__map_set(map, key, value, key, err);
    if (strcasecmp(value, "classic"))
        tg__map_warn(map,
                     "%s=%s is ignored: librdkafka %s only has the classic "
                     "protocol",
                     key, value, tg_kafka_version());
    return TG_OK;
}

/* Settings of newer librdkafka versions under Java's own name. */
static int map_if_known(tg__map *map, const char *key, const char *value,
                        tg_err *err)
{
    char text[256];

    (void)err;
    if (rd_kafka_conf_set(map->scratch, key, value, text, sizeof text) ==
        RD_KAFKA_CONF_OK)
        json_object_set_new(map->out, key, json_string(value));
    return TG_OK;
}

static int map_lower(tg__map *map, const char *key, const char *value,
                     tg_err *err)
{
    char text[128];
    size_t n = 0;

    for (; value[n] && n < sizeof text - 1; n++)
        text[n] = (char)tolower((unsigned char)value[n]);
    text[n] = 0;
    return tg__map_set(map, entry_of(key)->rk, text, key, err);
}

static int warn_java_class(tg__map *map, const char *key, const char *value,
                           tg_err *err)
{
    (void)err;
    if (*value)
        tg__map_warn(map, "%s=%s is ignored: Java classes cannot run here", key,
                     value);
    return TG_OK;
}

/* --- the table ------------------------------------------------------------ */

static const tg__map_entry table[] = {
    /* every client */
    {"bootstrap.servers", ON_ALL, "bootstrap.servers", NULL},
    {"metadata.broker.list", ON_ALL, "bootstrap.servers", NULL},
    {"client.id", ON_ALL, "client.id", NULL},
    {"client.rack", ON_ALL, "client.rack", NULL},
    {"request.timeout.ms", ON_ALL, NULL, map_request_timeout},
    {"reconnect.backoff.ms", ON_ALL, "reconnect.backoff.ms", NULL},
    {"reconnect.backoff.max.ms", ON_ALL, "reconnect.backoff.max.ms", NULL},
    {"retry.backoff.ms", ON_P, "retry.backoff.ms", NULL},
    {"retry.backoff.max.ms", ON_P, NULL, map_if_known},
    {"metadata.max.age.ms", ON_ALL, NULL, map_metadata_age},
    {"connections.max.idle.ms", ON_ALL, "connections.max.idle.ms",
     map_not_negative},
    {"send.buffer.bytes", ON_ALL, "socket.send.buffer.bytes", map_not_negative},
    {"receive.buffer.bytes", ON_ALL, "socket.receive.buffer.bytes",
     map_not_negative},
    {"socket.connection.setup.timeout.ms", ON_ALL,
     "socket.connection.setup.timeout.ms", map_setup_timeout},
    {"client.dns.lookup", ON_ALL, NULL, map_if_known},
    {"enable.metrics.push", ON_ALL, NULL, map_if_known},
    {"metadata.recovery.strategy", ON_ALL, NULL, map_if_known},
    {"metadata.recovery.rebootstrap.trigger.ms", ON_ALL, NULL, map_if_known},
    {"socket.connection.setup.timeout.max.ms", ON_ALL, NULL, NULL},
    {"default.api.timeout.ms", ON_ALL, NULL, NULL},
    {"bootstrap.controllers", ON_ALL, NULL, NULL},
    {"auto.include.jmx.reporter", ON_ALL, NULL, NULL},
    {"metric.reporters", ON_ALL, NULL, NULL},
    {"metrics.*", ON_ALL, NULL, NULL},
    {"security.providers", ON_ALL, NULL, NULL},
    {"config.providers*", ON_ALL, NULL, NULL},

    /* producer */
    {"acks", ON_P, "acks", map_lower},
    {"request.required.acks", ON_P, "acks", NULL},
    {"linger.ms", ON_P, "linger.ms", NULL},
    {"queue.buffering.max.ms", ON_P, "linger.ms", NULL},
    {"batch.size", ON_P, "batch.size", NULL},
    {"compression.type", ON_P, "compression.codec", map_lower},
    {"compression.gzip.level", ON_P, NULL, map_compression_level},
    {"compression.lz4.level", ON_P, NULL, map_compression_level},
    {"compression.zstd.level", ON_P, NULL, map_compression_level},
    {"max.request.size", ON_P, "message.max.bytes", map_message_max},
    {"buffer.memory", ON_P, "queue.buffering.max.kbytes", map_kbytes},
    {"delivery.timeout.ms", ON_P, "message.timeout.ms", map_timeout},
    {"max.in.flight.requests.per.connection", ON_P,
     "max.in.flight.requests.per.connection", NULL},
    {"max.in.flight", ON_P, "max.in.flight.requests.per.connection", NULL},
    {"retries", ON_P, "message.send.max.retries", NULL},
    {"enable.idempotence", ON_P, "enable.idempotence", map_lower},
    {"transactional.id", ON_P, "transactional.id", NULL},
    {"transaction.timeout.ms", ON_P, "transaction.timeout.ms", NULL},
    {"partitioner.class", ON_P, NULL, map_partitioner},
    {"partitioner.*", ON_P, NULL, NULL},
    {"max.block.ms", ON_P, NULL, NULL},
    {"metadata.max.idle.ms", ON_P, NULL, NULL},
    {"transaction.two.phase.commit.enable", ON_P, NULL, NULL},
    {"key.serializer", ON_ALL, NULL, NULL},
    {"value.serializer", ON_ALL, NULL, NULL},

    /* consumer */
    {"group.id", ON_C, "group.id", NULL},
    {"group.instance.id", ON_C, "group.instance.id", NULL},
    {"group.protocol", ON_C, "group.protocol", map_group_protocol},
    {"group.remote.assignor", ON_C, NULL, map_if_known},
    {"fetch.min.bytes", ON_C, "fetch.min.bytes", NULL},
    {"fetch.max.bytes", ON_C, "fetch.max.bytes", NULL},
    {"fetch.max.wait.ms", ON_C, "fetch.wait.max.ms", NULL},
    {"max.partition.fetch.bytes", ON_C, "max.partition.fetch.bytes", NULL},
    {"fetch.message.max.bytes", ON_C, "max.partition.fetch.bytes", NULL},
    {"max.poll.interval.ms", ON_C, "max.poll.interval.ms", NULL},
    {"session.timeout.ms", ON_C, "session.timeout.ms", NULL},
    {"heartbeat.interval.ms", ON_C, "heartbeat.interval.ms", NULL},
    {"auto.offset.reset", ON_C, "auto.offset.reset", map_reset},
    {"isolation.level", ON_C, "isolation.level", map_lower},
    {"partition.assignment.strategy", ON_C, "partition.assignment.strategy",
     map_assignor},
    {"allow.auto.create.topics", ON_C, "allow.auto.create.topics", map_lower},
    {"check.crcs", ON_C, "check.crcs", map_lower},
    {"enable.auto.commit", ON_C, NULL, map_auto_commit},
    {"enable.auto.offset.store", ON_C, NULL, map_auto_commit},
    {"auto.commit.interval.ms", ON_C, NULL, NULL},
    {"max.poll.records", ON_C, NULL, NULL},
    {"exclude.internal.topics", ON_C, NULL, NULL},
    {"key.deserializer", ON_ALL, NULL, NULL},
    {"value.deserializer", ON_ALL, NULL, NULL},
    {"interceptor.classes", ON_ALL, NULL, warn_java_class},

    /* client_secure.c handles these together */
    {"security.protocol", ON_ALL, NULL, NULL},
    {"sasl.mechanism", ON_ALL, NULL, NULL},
    {"sasl.mechanisms", ON_ALL, NULL, NULL},
    {"sasl.jaas.config", ON_ALL, NULL, NULL},
    {"sasl.oauthbearer.token.endpoint.url", ON_ALL, NULL, NULL},
    {"sasl.oauthbearer.scope", ON_ALL, NULL, NULL},
    {"sasl.oauthbearer.client.credentials.*", ON_ALL, NULL, NULL},
    {"ssl.truststore.*", ON_ALL, NULL, NULL},
    {"ssl.keystore.*", ON_ALL, NULL, NULL},
    {"ssl.key.password", ON_ALL, NULL, NULL},
    {"ssl.cipher.suites", ON_ALL, NULL, NULL},
    {"ssl.endpoint.identification.algorithm", ON_ALL, NULL, NULL},
    /* and Java has these, which have no counterpart */
    {"ssl.protocol", ON_ALL, NULL, NULL},
    {"ssl.enabled.protocols", ON_ALL, NULL, NULL},
    {"ssl.provider", ON_ALL, NULL, NULL},
    {"ssl.keymanager.algorithm", ON_ALL, NULL, NULL},
    {"ssl.trustmanager.algorithm", ON_ALL, NULL, NULL},
    {"ssl.secure.random.implementation", ON_ALL, NULL, NULL},
    {"ssl.engine.factory.class", ON_ALL, NULL, warn_java_class},
    {"sasl.login.*", ON_ALL, NULL, NULL},
    {"sasl.login.callback.handler.class", ON_ALL, NULL, warn_java_class},
    {"sasl.client.callback.handler.class", ON_ALL, NULL, warn_java_class},
    {"sasl.kerberos.ticket.*", ON_ALL, NULL, NULL},

    /* settings of the worker itself: its top level is what the clients of
     * internal topics and connector admin clients start from */
    {"access.control.*", ON_ALL, NULL, NULL},
    {"admin.*", ON_ALL, NULL, NULL},
    {"config.storage.*", ON_ALL, NULL, NULL},
    {"connect.protocol", ON_ALL, NULL, NULL},
    {"connector.client.config.override.policy", ON_ALL, NULL, NULL},
    {"consumer.*", ON_ALL, NULL, NULL},
    {"coordination.storage.*", ON_ALL, NULL, NULL},
    {"exactly.once.source.support", ON_ALL, NULL, NULL},
    {"header.converter*", ON_ALL, NULL, NULL},
    {"inter.worker.*", ON_ALL, NULL, NULL},
    {"key.converter*", ON_ALL, NULL, NULL},
    {"listeners*", ON_ALL, NULL, NULL},
    {"offset.flush.*", ON_ALL, NULL, NULL},
    {"offset.storage.*", ON_ALL, NULL, NULL},
    {"plugin.*", ON_ALL, NULL, NULL},
    {"producer.*", ON_ALL, NULL, NULL},
    {"rebalance.timeout.ms", ON_ALL, NULL, NULL},
    {"response.http.*", ON_ALL, NULL, NULL},
    {"rest.*", ON_ALL, NULL, NULL},
    {"scheduled.rebalance.*", ON_ALL, NULL, NULL},
    {"status.storage.*", ON_ALL, NULL, NULL},
    {"task.*", ON_ALL, NULL, NULL},
    {"topic.creation.enable", ON_ALL, NULL, NULL},
    {"topic.tracking.*", ON_ALL, NULL, NULL},
    {"value.converter*", ON_ALL, NULL, NULL},
    {"worker.*", ON_ALL, NULL, NULL},
};

static bool matches(const char *name, const char *key)
{
    size_t n = strlen(name);

    if (n && name[n - 1] == '*')
        return !strncmp(name, key, n - 1);
    return !strcmp(name, key);
}

const tg__map_entry *tg__map_find(const char *key)
{
    const tg__map_entry *found = NULL;

    /* An exact name wins over a pattern. */
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (!strcmp(table[i].java, key))
            return &table[i];
        if (!found && matches(table[i].java, key))
            found = &table[i];
    }
    return found;
}

static const tg__map_entry *entry_of(const char *key)
{
    return tg__map_find(key);
}

void tg__map_names(json_t *names)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!strchr(table[i].java, '*'))
            json_array_append_new(names, json_string(table[i].java));
}
