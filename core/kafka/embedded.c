/*
 * The embedded broker: a mock cluster of one broker inside a producer handle
 * that never produces. The mock cluster serves its port from a thread of its
 * own; calls here are requests to that thread and return when it has answered.
 *
 * It cannot be told how many partitions an auto-created topic gets (four):
 * that is why topics that a configuration names are created here first.
 *
 * One thread (the broker process's main thread) makes all calls.
 */
#include "kafka/embedded.h"
#include "kafka/rk.h"
#include "base/log.h"
#include "base/mem.h"
#include <librdkafka/rdkafka_mock.h>

struct tg_embedded {
    rd_kafka_t *rk;
    rd_kafka_mock_cluster_t *cluster;
};

enum { MAX_PARTITIONS = 1000, MAX_TOPIC_NAME = 249 };

static void on_log(const rd_kafka_t *rk, int level, const char *fac,
                   const char *buf)
{
    (void)rk;
    tg_log_at(level <= 4 ? TG_LOG_WARN : TG_LOG_DEBUG, "embedded", "%s: %s",
              fac, buf);
}

tg_embedded *tg_embedded_new(tg_err *err)
{
    char text[256];
    tg_embedded *broker = tg_calloc(sizeof *broker);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set(conf, "client.id", "tidegate-broker", NULL, 0);
    broker->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (!broker->rk) {
        rd_kafka_conf_destroy(conf);
        tg_err_set(err, TG_ERR_KAFKA, "cannot start the embedded broker: %s",
                   text);
        goto fail;
    }
    broker->cluster = rd_kafka_mock_cluster_new(broker->rk, 1);
    if (!broker->cluster) {
        tg_err_set(err, TG_ERR_KAFKA,
                   "cannot start the embedded broker: no local port could be "
                   "opened on 127.0.0.1; check the limit of open files and the "
                   "loopback interface");
        goto fail;
    }
    return broker;
fail:
    tg_embedded_free(broker);
    return NULL;
}

void tg_embedded_free(tg_embedded *broker)
{
    if (!broker)
        return;
    if (broker->cluster)
        rd_kafka_mock_cluster_destroy(broker->cluster);
    if (broker->rk)
        rd_kafka_destroy(broker->rk);
    tg_free(broker);
}

const char *tg_embedded_bootstrap(const tg_embedded *broker)
{
    return rd_kafka_mock_cluster_bootstraps(broker->cluster);
}

static bool legal_topic(const char *topic)
{
    size_t n = strspn(topic, "abcdefghijklmnopqrstuvwxyz"
                             "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

    return n > 0 && n <= MAX_TOPIC_NAME && !topic[n] && strcmp(topic, ".") &&
           strcmp(topic, "..");
}

int tg_embedded_topic(tg_embedded *broker, const char *topic, int partitions,
                      tg_err *err)
{
    rd_kafka_resp_err_t code;

    if (!legal_topic(topic))
        return tg_err_set(err, TG_ERR_ARG,
                          "cannot create topic \"%s\": a topic name has 1 to "
                          "249 letters, digits, '.', '_' and '-'",
                          topic);
    if (partitions < 1 || partitions > MAX_PARTITIONS)
        return tg_err_set(err, TG_ERR_ARG,
                          "cannot create topic %s with %d partitions: the "
                          "embedded broker takes 1 to %d",
                          topic, partitions, MAX_PARTITIONS);
    code = rd_kafka_mock_topic_create(broker->cluster, topic, partitions, 1);
    if (code && code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        return tg_err_set(err, TG_ERR_KAFKA,
                          "the embedded broker cannot create topic %s: %s",
                          topic, rd_kafka_err2str(code));
    return TG_OK;
}
