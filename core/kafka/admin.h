/*
 * Admin calls. All of them block up to timeout_ms: in the supervisor they run
 * on its Kafka thread only, in a task on the task's thread before it polls.
 */
#ifndef TG_KAFKA_ADMIN_H
#define TG_KAFKA_ADMIN_H
#include "kafka/client.h"

typedef struct tg_admin tg_admin;

tg_admin *tg_admin_new(const json_t *config, tg_err *err);
void tg_admin_free(tg_admin *admin);

/* Cluster id; caller frees with tg_free. The error for an unreachable broker
 * names the address and the cause. */
char *tg_admin_cluster_id(tg_admin *admin, int timeout_ms, tg_err *err);
/* 1 exists (number of partitions in *partitions), 0 not, TG_ERR_*. Does not
 * create it. */
int tg_admin_topic_exists(tg_admin *admin, const char *topic, int timeout_ms,
                          int *partitions, tg_err *err);
/* -1: broker default. configs: object or NULL. Existing topic: 0. */
int tg_admin_create_topic(tg_admin *admin, const char *topic, int partitions,
                          int replication, const json_t *configs,
                          int timeout_ms, tg_err *err);

#endif
