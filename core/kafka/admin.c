/*
 * Admin calls, over a consumer handle without a group: such a handle sees
 * offsets behind open transactions and never creates a topic by asking. Results
 * of the admin API come as events on a queue of the call.
 *
 * Thread: one at a time; every call blocks up to its time-out.
 */
#include "kafka/admin.h"
#include "kafka/rk.h"
#include "base/config.h"
#include "base/mem.h"
#include <stdio.h>

struct tg_admin {
    tg__rk rk; /* first: librdkafka's callbacks get its address */
};

tg_admin *tg_admin_new(const json_t *config, tg_err *err)
{
    tg_admin *admin = tg_calloc(sizeof *admin);

    if (tg__rk_open_config(&admin->rk, TG_CLIENT_ADMIN, rd_kafka_conf_new(),
                           config, err)) {
        tg_admin_free(admin);
        return NULL;
    }
    return admin;
}

void tg_admin_free(tg_admin *admin)
{
    if (!admin)
        return;
    tg__rk_close(&admin->rk);
    tg_free(admin);
}

/* A call got no answer. If the connection failed, its cause says more than the
 * time-out; the error callback has it. */
static int no_answer(tg_admin *admin, rd_kafka_resp_err_t code,
                     const char *thing, tg_err *err)
{
    tg_err pending;

    rd_kafka_poll(admin->rk.rk, 0);
    if (code == RD_KAFKA_RESP_ERR__TIMED_OUT ||
        code == RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE ||
        code == RD_KAFKA_RESP_ERR__TRANSPORT) {
        tg_err_clear(&pending);
        if (tg__rk_take(&admin->rk, &pending)) {
            if (err)
                *err = pending;
            return pending.code;
        }
        return tg__rk_unreachable(&admin->rk, err);
    }
    return tg__rk_fail(&admin->rk, err, code, thing, NULL);
}

char *tg_admin_cluster_id(tg_admin *admin, int timeout_ms, tg_err *err)
{
    char *id = rd_kafka_clusterid(admin->rk.rk, timeout_ms), *copy;

    if (!id) {
        no_answer(admin, RD_KAFKA_RESP_ERR__TIMED_OUT, NULL, err);
        return NULL;
    }
    copy = tg_strdup(id);
    rd_kafka_mem_free(admin->rk.rk, id);
    return copy;
}

/* All topics are listed: a question about one would make brokers before 0.11,
 * and the embedded one, create it. */
int tg_admin_topic_exists(tg_admin *admin, const char *topic, int timeout_ms,
                          int *partitions, tg_err *err)
{
    const struct rd_kafka_metadata *md = NULL;
    rd_kafka_resp_err_t code;
    char thing[320];
    int rc = 0;

    snprintf(thing, sizeof thing, "topic %.260s", topic);
    code = rd_kafka_metadata(admin->rk.rk, 1, NULL, &md, timeout_ms);
    if (code)
        return no_answer(admin, code, thing, err);
    for (int i = 0; i < md->topic_cnt; i++) {
        const struct rd_kafka_metadata_topic *found = &md->topics[i];

        if (strcmp(found->topic, topic))
            continue;
        if (found->err && found->err != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE)
            rc = tg__rk_fail(&admin->rk, err, found->err, thing, NULL);
        else
            rc = 1;
        if (partitions)
            *partitions = found->partition_cnt;
        break;
    }
    rd_kafka_metadata_destroy(md);
    return rc;
}

/* --- creating ------------------------------------------------------------- */

static int topic_result(tg_admin *admin, rd_kafka_event_t *event,
                        const char *topic, tg_err *err)
{
    const rd_kafka_CreateTopics_result_t *result =
        rd_kafka_event_CreateTopics_result(event);
    const rd_kafka_topic_result_t **topics;
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    char thing[320];
    size_t n = 0;

    snprintf(thing, sizeof thing, "topic %.260s", topic);
    if (code)
        return no_answer(admin, code, thing, err);
    topics = rd_kafka_CreateTopics_result_topics(result, &n);
    code =
        n ? rd_kafka_topic_result_error(topics[0]) : RD_KAFKA_RESP_ERR_UNKNOWN;
    if (!code || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        return TG_OK;
    return tg__rk_fail(&admin->rk, err, code, thing,
                       n ? rd_kafka_topic_result_error_string(topics[0])
                         : NULL);
}

static int set_configs(rd_kafka_NewTopic_t *spec, const char *topic,
                       const json_t *configs, tg_err *err)
{
    const char *key;
    json_t *value;
    char number[32];

    json_object_foreach((json_t *)configs, key, value)
    {
        const char *text = tg__config_text(value, number, sizeof number);

        if (!text || rd_kafka_NewTopic_set_config(spec, key, text))
            return tg_err_set(err, TG_ERR_CONFIG,
                              "cannot create topic %s: its setting %s has no "
                              "text as value",
                              topic, key);
    }
    return TG_OK;
}

int tg_admin_create_topic(tg_admin *admin, const char *topic, int partitions,
                          int replication, const json_t *configs,
                          int timeout_ms, tg_err *err)
{
    rd_kafka_NewTopic_t *spec = NULL;
    rd_kafka_AdminOptions_t *options = NULL;
    rd_kafka_queue_t *queue = NULL;
    rd_kafka_event_t *event = NULL;
    char text[512];
    int rc;

    spec = rd_kafka_NewTopic_new(topic, partitions, replication, text,
                                 sizeof text);
    if (!spec)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "cannot create topic %s with %d partitions and "
                          "replication factor %d: %s",
                          topic, partitions, replication, text);
    rc = set_configs(spec, topic, configs, err);
    if (rc)
        goto out;
    options =
        rd_kafka_AdminOptions_new(admin->rk.rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    if (rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, text,
                                                  sizeof text) ||
        rd_kafka_AdminOptions_set_operation_timeout(options, timeout_ms, text,
                                                    sizeof text)) {
        rc = tg_err_set(err, TG_ERR_ARG, "cannot create topic %s: %s", topic,
                        text);
        goto out;
    }
    queue = rd_kafka_queue_new(admin->rk.rk);
    rd_kafka_CreateTopics(admin->rk.rk, &spec, 1, options, queue);
    event = rd_kafka_queue_poll(queue, timeout_ms + 1000);
    rc = event ? topic_result(admin, event, topic, err)
               : no_answer(admin, RD_KAFKA_RESP_ERR__TIMED_OUT, NULL, err);
out:
    if (event)
        rd_kafka_event_destroy(event);
    if (queue)
        rd_kafka_queue_destroy(queue);
    if (options)
        rd_kafka_AdminOptions_destroy(options);
    rd_kafka_NewTopic_destroy(spec);
    return rc;
}
