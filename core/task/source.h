/*
 * A running source task: what the loop (source_task.c) and the sending half
 * (source_send.c) share. Internal to core/task; the task's thread.
 */
#ifndef TG_TASK_SOURCE_H
#define TG_TASK_SOURCE_H
#include "kafka/producer.h"
#include "task/dead_letter.h"
#include "task/offset_tracker.h"
#include "task/task.h"
#include "task/topics.h"

/*
 * A batch and what of it is under way. It is in one of three places: with the
 * loop, in flight (pending > 0 or not completely handed over), in the pool.
 * Invariant: a batch is reset only when no message of it is with librdkafka.
 */
typedef struct tg__source_batch {
    struct tg__source_batch *next; /* pool or done list */
    struct tg__source_batch *all;  /* every batch, for the end */
    tg_batch *batch;
    tg_originals originals;
    tg_segment *seg;  /* what is being sent now; waits for `pending` reports */
    uint32_t pending; /* handed to the producer, no report yet */
    uint32_t again;   /* refused in company: to be sent again */
    uint64_t age;     /* order in which batches were taken */
    bool handed;      /* nothing more of it will be sent */
    int64_t out_bytes;
} tg__source_batch;

typedef struct tg__source {
    tg_task *task;
    tg_producer *producer;
    tg_offset_tracker *tracker;
    tg_topics *topics;
    tg__source_batch *pool, *done, *all;
    int pooled;
    uint32_t batch_max;                 /* records a poll */
    int64_t slice_bytes, slice_records; /* of a segment; 0: whole batches */
    int64_t acked;  /* records since the counters were written */
    uint32_t again; /* records of all batches to be sent again */
    uint64_t ages;
    bool closing; /* reports are of our own purge: they say nothing */
    bool failed;  /* a record could not be delivered */
    tg_err failure;
    int64_t next_commit_ns;
    int64_t released_ns; /* last progress of a release */
    int64_t told_ns;     /* last log line about waiting */
} tg__source;

/* An empty batch from the pool. Never NULL. */
tg__source_batch *tg__source_take(tg__source *s);
/* Gives back a batch of which nothing is in flight. */
void tg__source_give(tg__source *s, tg__source_batch *sb);
/* Frees the batches of the pool. */
void tg__source_trim(tg__source *s);
/* Frees every batch; the producer is gone. */
void tg__source_free_batches(tg__source *s);

/* The producer's delivery function; ctx is the tg__source. */
void tg__source_delivered(void *ctx, tg_record *rec, const char *topic,
                          int32_t partition, int64_t kafka_offset,
                          const tg_err *err);
/* What a report or a failed call says about a record that is not delivered:
 * asks the policy. 0: skipped; TG_ERR_*: the task fails. */
int tg__source_refuse(tg__source *s, tg__source_batch *sb, tg_record *rec,
                      const tg_err *why, tg_err *err);
/* Serves delivery reports and messages of the supervisor; waits up to ms for a
 * report. */
void tg__source_serve(tg__source *s, int ms);

/* Runs the chain over a polled batch; while it waits to try something again,
 * reports and messages are served and offsets committed. 0 or TG_ERR_*. */
int tg__source_cook(tg__source *s, tg__source_batch *sb, tg_err *err);
/* Takes a batch that ran through the chain: decides about rejected records,
 * makes topics, hands the rest to the producer. The batch belongs to the
 * sending half afterwards. 0; TG_ERR_STOPPED when time ran out (what was not
 * sent stays uncommitted); other TG_ERR_*: the task fails. */
int tg__source_send(tg__source *s, tg__source_batch *sb, tg_err *err);

/* --- source_again.c ------------------------------------------------------- */
/* The broker refused the request that rec was in. True: rec is sent again, in
 * less company. */
bool tg__source_again(tg__source *s, tg__source_batch *sb, tg_record *rec,
                      const tg_err *why);
/* Sends what is to be sent again, one request after the other. */
void tg__source_send_again(tg__source *s);

/* --- source_task.c ------------------------------------------------------- */
bool tg__source_commit_due(const tg__source *s);
/* Reports what is committable and, if tell, tells the connector. Waits for dead
 * letters first; without them nothing is reported. */
void tg__source_commit(tg__source *s, bool tell);

#endif
