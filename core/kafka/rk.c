/*
 * Handles: from a mapped configuration to an rd_kafka_t, and from librdkafka's
 * errors to sentences an operator can act on.
 *
 * librdkafka reports trouble in three ways: a return code, the error callback
 * (served on the thread that polls the handle) and log lines (its own threads).
 * The reason of a failed connection only comes with the error callback, so it
 * is kept here until the code that says "all brokers are down" asks for it.
 */
#include "kafka/rk.h"
#include "base/config.h"
#include "base/log.h"
#include "base/mem.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* --- callbacks ------------------------------------------------------------ */

static void on_log(const rd_kafka_t *rk, int level, const char *fac,
                   const char *buf)
{
    int at = level <= 2   ? TG_LOG_ERROR
             : level <= 4 ? TG_LOG_WARN
             : level == 5 ? TG_LOG_INFO
                          : TG_LOG_DEBUG;

    (void)rk;
    /* Connection failures come through the error callback too, with a name and
     * without repetition; unused settings are mapped and judged by us. */
    if (!strcmp(fac, "FAIL") || !strcmp(fac, "ERROR") ||
        !strcmp(fac, "CONFWARN") || !strcmp(fac, "SESSTMOUT") ||
        !strcmp(fac, "AUTOCREATE"))
        at = TG_LOG_DEBUG;
    tg_log_at(at, "kafka", "%s: %s", fac, buf);
}

/* The cause in "localhost:9/bootstrap: Connect to ipv4#127.0.0.1:9 failed:
 * Connection refused (after 0ms in state CONNECT)" is "connection refused". */
static void keep_cause(tg__rk *rk, const char *reason)
{
    const char *p = reason, *mark;
    size_t n;

    if ((mark = strstr(p, ": ")) && memchr(p, '/', (size_t)(mark - p)))
        p = mark + 2;
    if ((mark = strstr(p, "failed: ")))
        p = mark + strlen("failed: ");
    else if (!strncmp(p, "Failed to resolve", 17) && (mark = strstr(p, "': ")))
        p = mark + 3;
    mark = strstr(p, " (after ");
    n = mark ? (size_t)(mark - p) : strlen(p);
    if (n >= sizeof rk->cause)
        n = sizeof rk->cause - 1;
    memcpy(rk->cause, p, n);
    rk->cause[n] = 0;
    if (isupper((unsigned char)rk->cause[0]) &&
        !isupper((unsigned char)rk->cause[1]))
        rk->cause[0] = (char)tolower((unsigned char)rk->cause[0]);
}

static void say_once(tg__rk *rk, const char *text)
{
    if (!strncmp(rk->said, text, sizeof rk->said - 1))
        return;
    snprintf(rk->said, sizeof rk->said, "%s", text);
    tg_warn("kafka", "%s", text);
}

static void on_error(rd_kafka_t *handle, int code, const char *reason,
                     void *opaque)
{
    tg__rk *rk = opaque;
    char fatal[512];
    tg_err err;

    tg_err_clear(&err);
    switch (code) {
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
        /* One broker; librdkafka goes on trying and the others may do. */
        keep_cause(rk, reason);
        return;
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
        tg__rk_unreachable(rk, &err);
        break;
    case RD_KAFKA_RESP_ERR__FATAL:
        code = rd_kafka_fatal_error(handle, fatal, sizeof fatal);
        tg__rk_fail(rk, &err, code, NULL, fatal);
        err.fatal = true;
        err.retriable = false;
        break;
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
        keep_cause(rk, reason);
        tg__rk_fail(rk, &err, code, NULL, rk->cause);
        break;
    default:
        tg__rk_fail(rk, &err, code, NULL, reason);
    }
    say_once(rk, err.text);
    tg__rk_remember(rk, &err);
}

/* --- opening -------------------------------------------------------------- */

const char *tg__config_text(const json_t *value, char *buf, size_t size)
{
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_boolean(value))
        return json_is_true(value) ? "true" : "false";
    if (json_is_integer(value)) {
        snprintf(buf, size, "%lld", (long long)json_integer_value(value));
        return buf;
    }
    return NULL;
}

int tg__rk_open(tg__rk *rk, rd_kafka_type_t type, rd_kafka_conf_t *conf,
                const json_t *mapped, tg_err *err)
{
    char text[512];
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)mapped, key, value)
    {
        const char *v = json_string_value(value);

        if (rd_kafka_conf_set(conf, key, v, text, sizeof text) !=
            RD_KAFKA_CONF_OK) {
            rd_kafka_conf_destroy(conf);
            return tg_err_set(err, TG_ERR_CONFIG,
                              "client setting %s=%s is not accepted: %s", key,
                              v, text);
        }
    }
    rd_kafka_conf_set_opaque(conf, rk);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rk->bootstrap =
        tg_strdup(tg_config_get(mapped, "bootstrap.servers", "(not set)"));
    rk->client_id = tg_strdup(tg_config_get(mapped, "client.id", "rdkafka"));
    rk->max_bytes =
        atoll(tg_config_get(mapped, "message.max.bytes", "1000000"));
    rk->rk = rd_kafka_new(type, conf, text, sizeof text);
    if (!rk->rk) {
        rd_kafka_conf_destroy(conf);
        return tg_err_set(err, TG_ERR_CONFIG,
                          "cannot create the Kafka client for "
                          "bootstrap.servers=%s: %s",
                          rk->bootstrap, text);
    }
    return TG_OK;
}

int tg__rk_open_config(tg__rk *rk, int kind, rd_kafka_conf_t *conf,
                       const json_t *config, tg_err *err)
{
    json_t *warnings = json_array(), *warning;
    json_t *mapped = tg_client_map(config, kind, warnings, err);
    int rc = TG_ERR_CONFIG;
    size_t i;

    json_array_foreach(warnings, i, warning)
        tg_warn("kafka", "%s", json_string_value(warning));
    if (!mapped) {
        rd_kafka_conf_destroy(conf);
        goto out;
    }
    /* An admin handle is a consumer without a group (see admin.c). */
    rc = tg__rk_open(
        rk, kind == TG_CLIENT_PRODUCER ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER,
        conf, mapped, err);
out:
    json_decref(mapped);
    json_decref(warnings);
    return rc;
}

void tg__rk_close(tg__rk *rk)
{
    if (rk->rk)
        rd_kafka_destroy(rk->rk);
    rk->rk = NULL;
    tg_free(rk->bootstrap);
    tg_free(rk->client_id);
    rk->bootstrap = rk->client_id = NULL;
}

/* --- sentences ------------------------------------------------------------ */

int tg__rk_unreachable(tg__rk *rk, tg_err *err)
{
    tg_err_set(err, TG_ERR_KAFKA,
               "cannot reach any broker of bootstrap.servers=%s (%s): check "
               "the address and that the broker runs",
               rk->bootstrap, *rk->cause ? rk->cause : "no answer");
    if (err)
        err->retriable = true;
    return TG_ERR_KAFKA;
}

/* What to do about the errors that an operator can repair. */
static const struct {
    rd_kafka_resp_err_t code;
    bool retriable;
    const char *text;
} advice[] = {
    {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, true,
     "does not exist on the broker: create it, or allow the broker to create "
     "topics (auto.create.topics.enable)"},
    {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, true,
     "does not exist on the broker: create it, or allow the broker to create "
     "topics (auto.create.topics.enable)"},
    {RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, false,
     "has no such partition: set a partition below the topic's number of "
     "partitions, or none"},
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, false,
     "is not allowed for this user: grant the ACL (Write and Describe for "
     "producing, Read and Describe for consuming)"},
    {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, false,
     "is not allowed for this user: grant the ACL Read on the consumer group"},
    {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, false,
     "needs a right on the cluster that this user lacks: grant the ACL"},
    {RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, false,
     "needs the ACL Write on its transactional id"},
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, false,
     "refused a message as too large: raise max.message.bytes of the topic "
     "(or message.max.bytes of the broker), or send smaller records"},
    {RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, false,
     "refused a batch as too large: lower batch.size or raise segment.bytes "
     "of the topic"},
    {RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, false,
     "is no legal topic name: 1 to 249 letters, digits, '.', '_' and '-'"},
    {RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, false,
     "refused a timestamp as too far from the broker's clock: check the "
     "record's timestamp and message.timestamp.before.max.ms and "
     "message.timestamp.after.max.ms of the topic"},
    {RD_KAFKA_RESP_ERR_INVALID_RECORD, false,
     "refused a record as invalid: a compacted topic needs a key on every "
     "record"},
    {RD_KAFKA_RESP_ERR_POLICY_VIOLATION, false,
     "is refused by a policy of the broker"},
    {RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR, false,
     "cannot have that replication factor: it is more than the cluster has "
     "brokers"},
    {RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL, true,
     "has members of another kind or with another "
     "partition.assignment.strategy: stop them, or use another group"},
    {RD_KAFKA_RESP_ERR__AUTHENTICATION, false,
     "refused the login: check security.protocol, sasl.mechanism and "
     "sasl.jaas.config"},
    {RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, false,
     "refused the login: check sasl.mechanism and sasl.jaas.config"},
    {RD_KAFKA_RESP_ERR__SSL, false,
     "cannot be talked to over TLS: check security.protocol and the ssl.* "
     "settings (ssl.truststore.location must hold the broker's CA)"},
    {RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED, true,
     "was left because no records were polled for max.poll.interval.ms: raise "
     "it or lower max.poll.records"},
    {RD_KAFKA_RESP_ERR__FENCED, false,
     "was fenced by a newer client of the same identity"},
    {RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, false,
     "was fenced by another member with the same group.instance.id"},
    {RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, false,
     "has no committed offset in the range the broker still holds, and "
     "auto.offset.reset=none forbids choosing one: set earliest or latest, or "
     "commit an offset"},
    {RD_KAFKA_RESP_ERR__PURGE_QUEUE, true,
     "was not sent before the client was closed"},
    {RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, true,
     "was sent but not acknowledged before the client was closed"},
    {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, true,
     "was not acknowledged within delivery.timeout.ms"},
};

static bool code_retriable(rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR__WAIT_COORD:
    case RD_KAFKA_RESP_ERR__IN_PROGRESS:
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
    case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
    case RD_KAFKA_RESP_ERR_NOT_CONTROLLER:
        return true;
    default:
        return false;
    }
}

int tg__rk_fail(tg__rk *rk, tg_err *err, rd_kafka_resp_err_t code,
                const char *thing, const char *detail)
{
    const char *subject = thing;
    char broker[600];
    size_t i;
    int rc =
        code == RD_KAFKA_RESP_ERR__TIMED_OUT ? TG_ERR_TIMEOUT : TG_ERR_KAFKA;

    if (code == RD_KAFKA_RESP_ERR__TRANSPORT ||
        code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        return tg__rk_unreachable(rk, err);
    if (!subject) {
        snprintf(broker, sizeof broker, "the broker at bootstrap.servers=%s",
                 rk->bootstrap);
        subject = broker;
    }
    for (i = 0; i < sizeof advice / sizeof *advice; i++) {
        if (advice[i].code != code)
            continue;
        tg_err_set(err, rc, "%s %s%s%s%s", subject, advice[i].text,
                   detail ? " (" : "", detail ? detail : "", detail ? ")" : "");
        if (err)
            err->retriable = advice[i].retriable;
        return rc;
    }
    tg_err_set(err, rc, "%s: %s (%s)", subject,
               detail ? detail : rd_kafka_err2str(code),
               rd_kafka_err2name(code));
    if (err)
        err->retriable = code_retriable(code);
    return rc;
}

void tg__rk_remember(tg__rk *rk, const tg_err *err)
{
    if (rk->has_pending && (rk->pending.fatal || !err->fatal))
        return;
    rk->pending = *err;
    rk->has_pending = true;
}

bool tg__rk_take(tg__rk *rk, tg_err *err)
{
    if (!rk->has_pending)
        return false;
    rk->has_pending = false;
    if (err)
        *err = rk->pending;
    return true;
}
