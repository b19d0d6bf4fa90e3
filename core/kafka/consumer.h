/*
 * Consumer of a sink task: batches of referenced messages, own offset tracking,
 * range assignor, and the kick that keeps librdkafka 2.0.2 from stalling
 * (feasibility-kafka 5.2, 5.3). One thread makes all calls; rebalance callbacks
 * run inside tg_consumer_poll/close on that thread.
 */
#ifndef TG_KAFKA_CONSUMER_H
#define TG_KAFKA_CONSUMER_H
#include "convert/converter.h"
#include "kafka/client.h"

typedef struct tg_consumer tg_consumer;

typedef struct tg_partition {
    char *topic;
    int32_t partition;
    int64_t offset; /* next offset to commit, -1: none */
} tg_partition;

typedef struct tg_consumer_hooks {
    /* New partitions; positions are known. */
    void (*assigned)(void *ctx, const tg_partition *parts, int n);
    /* About to be revoked (commit now), or lost (too late to commit). */
    void (*revoked)(void *ctx, const tg_partition *parts, int n, bool lost);
    /* Outcome of tg_consumer_commit (async). */
    void (*committed)(void *ctx, const tg_partition *parts, int n,
                      const tg_err *err);
    void *ctx;
} tg_consumer_hooks;

tg_consumer *tg_consumer_new(const json_t *config,
                             const tg_consumer_hooks *hooks, tg_err *err);
/* Leaves the group; bounded by 5 s. Every batch that it filled must have been
 * reset or freed before: they reference its messages. */
void tg_consumer_free(tg_consumer *consumer);

/* topics: array of names, or one "^regex" (Java's full match is added; what
 * POSIX regular expressions cannot do, such as look-ahead, is TG_ERR_CONFIG).
 */
int tg_consumer_subscribe(tg_consumer *consumer, const json_t *topics,
                          tg_err *err);
/* What subscribe says about a topics.regex: 0 or TG_ERR_CONFIG. Any thread. */
int tg_consumer_check_regex(const char *java, tg_err *err);
/* Static assignment (embedded broker): [["topic", partition], ...]; starts at
 * the group's committed offsets, else where auto.offset.reset says (earliest
 * unless configured). A third member of an entry is the offset to start at:
 * -2 is the beginning, -1 the end. Waits for metadata and offsets up to 10 s.
 */
int tg_consumer_assign(tg_consumer *consumer, const json_t *parts, tg_err *err);

/*
 * Fills an empty batch with up to batch->max records: waits up to timeout_ms
 * for the first, then takes what is there within linger_ms. Key and value cells
 * become RAW with the given converters, headers with the header converter;
 * nothing is copied (the batch holds the messages until reset). Returns the
 * number of records or TG_ERR_KAFKA.
 */
int tg_consumer_poll(tg_consumer *consumer, tg_batch *batch, int timeout_ms,
                     int linger_ms, const tg_converter *key,
                     const tg_converter *value, const tg_converter *header,
                     tg_err *err);

/* Commits offsets; async reports through hooks.committed. sync waits up to
 * timeout_ms. */
int tg_consumer_commit(tg_consumer *consumer, const tg_partition *parts, int n,
                       bool sync, int timeout_ms, tg_err *err);
/* Pauses or resumes every assigned partition (connector pause, redelivery).
 * Positions are kept; resume fetches at once. Idempotent. */
int tg_consumer_pause(tg_consumer *consumer, bool paused, tg_err *err);
/* Continues a partition at another offset. */
int tg_consumer_seek(tg_consumer *consumer, const char *topic,
                     int32_t partition, int64_t offset, tg_err *err);
/* Records between position and high watermark over all partitions as last
 * seen; -1 when unknown. */
int64_t tg_consumer_lag(tg_consumer *consumer);
/* An error of the client since the last call: true and err filled. Those that
 * librdkafka repairs by itself sooner or later are marked retriable. */
bool tg_consumer_error(tg_consumer *consumer, tg_err *err);
/* True when every assigned partition was read to its end when last seen. Needs
 * enable.partition.eof=true in the configuration. */
bool tg_consumer_at_end(tg_consumer *consumer);
/* First offset and high watermark of a partition, asked from the broker. */
int tg_consumer_watermarks(tg_consumer *consumer, const char *topic,
                           int32_t partition, int timeout_ms, int64_t *low,
                           int64_t *high, tg_err *err);

#endif
