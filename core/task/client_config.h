/*
 * Settings of a connector's Kafka clients: defaults, then the worker's
 * producer.*, consumer.* or admin keys, then the connector's *.override.* keys
 * as far as the worker's policy allows them. Java property names; core/kafka
 * maps them. Any thread.
 */
#ifndef TG_TASK_CLIENT_CONFIG_H
#define TG_TASK_CLIENT_CONFIG_H
#include "base/config.h"

/* What a client is made for. */
typedef struct tg_client_scope {
    const json_t *worker;  /* worker properties */
    const json_t *config;  /* connector configuration */
    const char *connector; /* name */
    int task;              /* number */
    const char *embedded;  /* bootstrap of the embedded broker, or NULL */
} tg_client_scope;

/* New object, or NULL when the override policy refuses a key. */
json_t *tg_client_config_producer(const tg_client_scope *scope, tg_err *err);
json_t *tg_client_config_consumer(const tg_client_scope *scope, tg_err *err);
json_t *tg_client_config_admin(const tg_client_scope *scope, tg_err *err);
/* The same for dead letters; only the client ids differ. */
json_t *tg_client_config_dlq_producer(const tg_client_scope *scope,
                                      tg_err *err);
json_t *tg_client_config_dlq_admin(const tg_client_scope *scope, tg_err *err);

/* "connect-<name>", or what consumer.override.group.id says. Caller frees with
 * tg_free. */
char *tg_client_config_group(const tg_client_scope *scope);

/* Appends {"key","value","message"} to errors for each override key that the
 * worker's policy refuses. prefix: "producer.override." and the like. */
void tg_client_config_check(const json_t *worker, const json_t *config,
                            const char *prefix, json_t *errors);

#endif
