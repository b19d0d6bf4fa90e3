/*
 * How much an idempotent producer may have with librdkafka at a time.
 *
 * Order across retries needs idempotence: without it librdkafka prepares the
 * next request of a partition while one is in flight, and a refused request is
 * repeated behind it, whatever max.in.flight says. But an idempotent producer
 * that has records ready while a request of the same partition is in flight
 * keeps a thread spinning until the answer comes (measured with 20 ms of round
 * trip: 3.1 us of CPU a record instead of 0.5). So it is given one request's
 * worth for each partition, and the next when that is acknowledged. That is
 * batch.num.messages records exactly, so that librdkafka sends them at once
 * instead of lingering; or what surely fits the bytes of one request.
 *
 * The producer's thread only.
 */
#ifndef TG_KAFKA_WINDOW_H
#define TG_KAFKA_WINDOW_H
#include "kafka/rk.h"

typedef struct tg__window {
    bool open;             /* no limit: not idempotent */
    int64_t request_bytes; /* payload that surely fits one request */
    int64_t request_records;
    int64_t partitions;     /* of the topics in use, at least 1 */
    int64_t bytes, records; /* handed over and not reported */
} tg__window;

/* Reads the limits from the handle's configuration. */
void tg__window_init(tg__window *w, const rd_kafka_t *rk);
/* May a record of this size follow? Always when there is nothing else. */
bool tg__window_room(const tg__window *w, size_t size);
static inline void tg__window_take(tg__window *w, size_t size)
{
    w->bytes += (int64_t)size;
    w->records++;
}
static inline void tg__window_give(tg__window *w, size_t size)
{
    w->bytes -= (int64_t)size;
    w->records--;
}

#endif
