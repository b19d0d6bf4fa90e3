/*
 * Producer of a task: sends encoded batches without copying. One thread (the
 * task's) makes all calls; delivery reports are served inside
 * tg_producer_poll/flush on that thread.
 *
 * Hot path: rd_kafka_produce_batch for records without timestamp and headers,
 * rd_kafka_produceva for the others; _private is the record.
 * (feasibility-kafka 5.1: queue of 20,000, acks=all, max.in.flight 1,
 * idempotence on (window.h), no message timeout, murmur2_random.)
 */
#ifndef TG_KAFKA_PRODUCER_H
#define TG_KAFKA_PRODUCER_H
#include "kafka/client.h"

typedef struct tg_producer tg_producer;

/* The message of a record came to its end. kafka_offset is -1 unless
 * acknowledged; err is NULL or why it was not delivered. TG_ERR_DATA: the
 * broker refused what was in a request; another record of the same request may
 * be the cause. */
typedef void (*tg_delivery_fn)(void *ctx, tg_record *rec, const char *topic,
                               int32_t partition, int64_t kafka_offset,
                               const tg_err *err);

/* config: merged Java or librdkafka names. */
tg_producer *tg_producer_new(const json_t *config, tg_delivery_fn fn, void *ctx,
                             tg_err *err);
/* timeout_ms for what is still queued, then purges it. */
void tg_producer_free(tg_producer *producer, int timeout_ms);

/*
 * Hands records items[*from ..) with verdict KEEP to librdkafka: key.out,
 * value.out, headers[].cell.out, topic, partition, timestamp. Advances *from
 * past what was taken and adds the number of records really queued to
 * *queued; each of them leads to exactly one delivery call. Returns 0 when all
 * are taken, 1 when the queue is full (serve tg_producer_poll and call again),
 * or TG_ERR_* for record *from, which is not queued: err names topic and cause,
 * retriable or not.
 */
int tg_producer_send(tg_producer *producer, tg_batch *batch, uint32_t *from,
                     uint32_t *queued, tg_err *err);
/* Serves delivery reports; waits up to timeout_ms for the first. Returns how
 * many were served. */
int tg_producer_poll(tg_producer *producer, int timeout_ms);
/* Waits until all is delivered. TG_ERR_TIMEOUT when time is up. */
int tg_producer_flush(tg_producer *producer, int timeout_ms, tg_err *err);
/* Messages in the queue and in flight. */
int tg_producer_outstanding(tg_producer *producer);
/* A client-level error since the last call (all brokers down, fatal ...): true
 * and err filled. */
bool tg_producer_error(tg_producer *producer, tg_err *err);

#endif
