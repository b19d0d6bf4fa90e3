/*
 * The embedded broker: librdkafka's mock cluster, the real protocol on a local
 * port, in memory (feasibility-kafka section 6: what it keeps and what it
 * cannot do). Runs in its own child process, `tidegate broker`.
 */
#ifndef TG_KAFKA_EMBEDDED_H
#define TG_KAFKA_EMBEDDED_H
#include "base/err.h"

typedef struct tg_embedded tg_embedded;

tg_embedded *tg_embedded_new(tg_err *err);
void tg_embedded_free(tg_embedded *broker);
/* "127.0.0.1:40123" */
const char *tg_embedded_bootstrap(const tg_embedded *broker);
/* Creates a topic; an existing one is left alone (0). */
int tg_embedded_topic(tg_embedded *broker, const char *topic, int partitions,
                      tg_err *err);

#endif
