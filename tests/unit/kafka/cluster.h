/*
 * What the Kafka tests share: an embedded broker per test, clients on it, and
 * ways to make and count records.
 */
#ifndef TG_TEST_CLUSTER_H
#define TG_TEST_CLUSTER_H
#include "unit.h"
#include "base/config.h"
#include "base/mem.h"
#include "kafka/admin.h"
#include "kafka/consumer.h"
#include "kafka/embedded.h"
#include "kafka/producer.h"
#include <stdio.h>
#include <time.h>

/* Only its address matters here: cells remember who can read them. */
static __attribute__((unused)) tg_converter test_conv = {.identity = 1};

static inline int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Configuration with bootstrap.servers and further key, value, ..., NULL. */
static inline json_t *config_of(const char *bootstrap, ...)
{
    json_t *config = json_object();
    const char *key;
    va_list ap;

    json_object_set_new(config, "bootstrap.servers", json_string(bootstrap));
    va_start(ap, bootstrap);
    while ((key = va_arg(ap, const char *)))
        json_object_set_new(config, key, json_string(va_arg(ap, const char *)));
    va_end(ap);
    return config;
}

/* What the deliveries of a producer came to. */
typedef struct deliveries {
    int64_t good, bad, last_offset;
    tg_err err;
    tg_batch *batch; /* of the last one */
} deliveries;

static inline void count_delivery(void *ctx, tg_record *rec, const char *topic,
                                  int32_t partition, int64_t kafka_offset,
                                  const tg_err *err)
{
    deliveries *d = ctx;

    (void)topic;
    (void)partition;
    d->batch = rec->batch;
    if (err) {
        d->bad++;
        d->err = *err;
        assert_int_equal(kafka_offset, -1);
    } else {
        d->good++;
        d->last_offset = kafka_offset;
        assert_true(kafka_offset >= 0);
    }
}

static inline tg_producer *producer_on(json_t *config, deliveries *d)
{
    tg_err err;
    tg_producer *producer;

    tg_err_clear(&err);
    memset(d, 0, sizeof *d);
    producer = tg_producer_new(config, count_delivery, d, &err);
    if (!producer)
        fail_msg("%s", err.text);
    json_decref(config);
    return producer;
}

/* A record whose bytes live in the arena of the batch. NULL: null. */
static inline tg_record *add_record(tg_batch *batch, const char *topic,
                                    const char *key, const char *value)
{
    tg_record *rec = tg_batch_append(batch);

    assert_non_null(rec);
    rec->topic = topic;
    rec->topiclen = (uint32_t)strlen(topic);
    rec->partition = -1;
    rec->timestamp = -1;
    rec->key.outlen = key ? (int32_t)strlen(key) : -1;
    rec->key.out = key ? tg_arena_dup(batch->arena, key, strlen(key)) : NULL;
    rec->value.outlen = value ? (int32_t)strlen(value) : -1;
    rec->value.out =
        value ? tg_arena_dup(batch->arena, value, strlen(value)) : NULL;
    return rec;
}

/* Sends a whole batch, serving reports when the queue is full. Returns how
 * often it was full. */
static inline int send_all(tg_producer *producer, tg_batch *batch,
                           uint32_t *queued)
{
    uint32_t from = 0;
    int full = 0, rc;
    tg_err err;

    tg_err_clear(&err);
    while ((rc = tg_producer_send(producer, batch, &from, queued, &err)) == 1) {
        full++;
        tg_producer_poll(producer, 100);
    }
    if (rc)
        fail_msg("%s", err.text);
    assert_int_equal(from, batch->n);
    return full;
}

static inline void flush_all(tg_producer *producer)
{
    tg_err err;

    tg_err_clear(&err);
    if (tg_producer_flush(producer, 20000, &err))
        fail_msg("%s", err.text);
    assert_int_equal(tg_producer_outstanding(producer), 0);
}

static inline tg_consumer *consumer_on(json_t *config,
                                       const tg_consumer_hooks *hooks)
{
    tg_err err;
    tg_consumer *consumer;

    tg_err_clear(&err);
    consumer = tg_consumer_new(config, hooks, &err);
    if (!consumer)
        fail_msg("%s", err.text);
    json_decref(config);
    return consumer;
}

static inline void assign(tg_consumer *consumer, const char *json)
{
    json_t *parts = json_loads(json, 0, NULL);
    tg_err err;

    tg_err_clear(&err);
    assert_non_null(parts);
    if (tg_consumer_assign(consumer, parts, &err))
        fail_msg("%s", err.text);
    json_decref(parts);
}

static inline int poll_batch(tg_consumer *consumer, tg_batch *batch,
                             int timeout_ms)
{
    tg_err err;
    int n;

    tg_err_clear(&err);
    n = tg_consumer_poll(consumer, batch, timeout_ms, 5, &test_conv, &test_conv,
                         &test_conv, &err);
    if (n < 0)
        fail_msg("%s", err.text);
    return n;
}

static inline bool cell_is(const tg_cell *cell, const char *text)
{
    if (!text)
        return cell->state == TG_CELL_NULL && !cell->raw;
    return cell->state == TG_CELL_RAW && cell->conv == &test_conv &&
           cell->rawlen == (int32_t)strlen(text) &&
           !memcmp(cell->raw, text, strlen(text));
}

#endif
