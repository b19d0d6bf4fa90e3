/*
 * Client configuration: Java property names -> librdkafka, one table. This
 * folder is the only one that sees rdkafka.h; its headers do not show it.
 *
 * Precedence is the caller's business (connect-config section 6): it passes one
 * merged object. Names that librdkafka knows under the same name pass; Java
 * names are mapped (sasl.jaas.config, ssl.truststore.location of type PEM,
 * delivery.timeout.ms, ...); Java-only tuning without effect here is accepted
 * silently where harmless; everything else is a named warning in the log.
 */
#ifndef TG_KAFKA_CLIENT_H
#define TG_KAFKA_CLIENT_H
#include "base/err.h"
#include "data/batch.h"
#include <jansson.h>

enum { TG_CLIENT_PRODUCER, TG_CLIENT_CONSUMER, TG_CLIENT_ADMIN };

/* Maps config for one kind of client: new object librdkafka name -> value.
 * warnings (array, may be NULL) gets one sentence per ignored key. */
json_t *tg_client_map(const json_t *config, int kind, json_t *warnings,
                      tg_err *err);

/* "2.0.2": the librdkafka that is loaded. */
const char *tg_kafka_version(void);

#endif
