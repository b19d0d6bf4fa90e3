/* The window of an idempotent producer: see window.h. */
#include "kafka/window.h"
#include <stdlib.h>
#include <string.h>

enum { RECORD_OVERHEAD = 36 }; /* most that a record adds to key and value */

static int64_t setting(const rd_kafka_t *rk, const char *name, int64_t dflt)
{
    char text[64];
    size_t size = sizeof text;

    if (rd_kafka_conf_get(rd_kafka_conf((rd_kafka_t *)(uintptr_t)rk), name,
                          text, &size) != RD_KAFKA_CONF_OK)
        return dflt;
    return strtoll(text, NULL, 10);
}

void tg__window_init(tg__window *w, const rd_kafka_t *rk)
{
    char text[16] = "";
    size_t size = sizeof text;
    int64_t batch = setting(rk, "batch.size", 1000000);
    int64_t message = setting(rk, "message.max.bytes", 1000000);

    rd_kafka_conf_get(rd_kafka_conf((rd_kafka_t *)(uintptr_t)rk),
                      "enable.idempotence", text, &size);
    *w = (tg__window){.open = strcmp(text, "true") != 0, .partitions = 1};
    w->request_bytes = batch < message ? batch : message;
    w->request_records = setting(rk, "batch.num.messages", 10000);
}

bool tg__window_room(const tg__window *w, size_t size)
{
    if (w->open || w->records == 0)
        return true;
    return w->records < w->request_records * w->partitions &&
           w->bytes + (int64_t)size + (w->records + 1) * RECORD_OVERHEAD <=
               w->request_bytes * w->partitions;
}
