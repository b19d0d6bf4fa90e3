/*
 * Inside of the consumer: its state, shared by consumer.c (polling and life),
 * consumer_group.c (assignment, commit, seek) and kick.c. Consumer's thread,
 * except where kick.c says otherwise.
 */
#ifndef TG_KAFKA_CONSUMER_PRIV_H
#define TG_KAFKA_CONSUMER_PRIV_H
#include "kafka/consumer.h"
#include "kafka/rk.h"

/* An assigned partition. */
typedef struct tg__part {
    char *topic;
    int32_t partition;
    int64_t next; /* offset after the last record handed out; -1: unknown */
    bool eof;     /* the end was seen at next */
} tg__part;

/* A rebalance that librdkafka announced while a batch was being filled. It is
 * carried out at the start of the next poll: until then the partitions are
 * still ours, so every record of that batch may be handed out, and the commit
 * of the revocation covers them all. */
typedef struct tg__rebalance {
    struct tg__rebalance *next;
    rd_kafka_resp_err_t code;
    rd_kafka_topic_partition_list_t *parts;
} tg__rebalance;

typedef struct tg__kick tg__kick;

struct tg_consumer {
    tg__rk rk; /* first: librdkafka's callbacks get its address */
    tg_consumer_hooks hooks;
    rd_kafka_queue_t *queue;
    tg__part *parts;
    int nparts;
    tg__part *last;                   /* partition of the last message */
    const rd_kafka_topic_t *last_rkt; /* and its handle */
    tg__rebalance *pending, **pending_end;
    bool filling; /* librdkafka is filling msgs */
    bool closing;
    bool paused;
    char *group;
    rd_kafka_message_t **msgs; /* received, not yet handed out: [at, n) */
    uint32_t at, n, cap;
    tg__kick *kick;
    /* When to kick: see kick_if_due() in consumer.c. */
    int64_t queued_min, queued_max_bytes;
    int64_t avg_size; /* bytes of a record, moving average */
    bool armed;
    int64_t idle_kick_ns;
};

/* --- consumer_group.c ----------------------------------------------------- */
void tg__consumer_on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code,
                               rd_kafka_topic_partition_list_t *parts,
                               void *opaque);
void tg__consumer_on_commit(rd_kafka_t *rk, rd_kafka_resp_err_t code,
                            rd_kafka_topic_partition_list_t *parts,
                            void *opaque);
/* Carries out the rebalances that were announced. */
void tg__consumer_settle(tg_consumer *consumer);
tg__part *tg__consumer_part(tg_consumer *consumer, const char *topic,
                            int32_t partition);
void tg__consumer_forget_parts(tg_consumer *consumer);

/* --- kick.c --------------------------------------------------------------- */
tg__kick *tg__kick_new(rd_kafka_t *rk);
void tg__kick_free(tg__kick *kick);
/* Asks the leaders of the partitions for their end offsets, soon, in the
 * background; a request that is still waiting is replaced. times: how often, a
 * few milliseconds apart. */
void tg__kick_request(tg__kick *kick, const tg__part *parts, int nparts,
                      int times);
/* End offset as of the last answer; -1 when there was none. */
int64_t tg__kick_end(tg__kick *kick, const char *topic, int32_t partition);

/* --- regex.c -------------------------------------------------------------- */
/* A Java regular expression as a POSIX one that matches whole names, with ^
 * in front as librdkafka wants it; caller frees with tg_free. NULL and
 * TG_ERR_CONFIG for what POSIX cannot do. */
char *tg__regex_posix(const char *java, tg_err *err);

#endif
