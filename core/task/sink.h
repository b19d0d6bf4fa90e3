/*
 * A running sink task: what the loop (sink_task.c), the commits (sink_commit.c)
 * and the puts (sink_put.c) share. Internal to core/task; the task's thread.
 */
#ifndef TG_TASK_SINK_H
#define TG_TASK_SINK_H
#include "task/sink_offsets.h"
#include "task/task.h"

/* A polled batch that was not put completely yet. */
typedef struct tg__sink_batch {
    struct tg__sink_batch *next;
    tg_batch *batch;
    uint32_t todo; /* records at the front of items that put must still take */
    bool fails;    /* the task fails with err once todo is put */
    tg_err err;
    int64_t retry_ns; /* not before */
    int backoff_ms;
} tg__sink_batch;

typedef struct tg__sink {
    tg_task *task;
    tg_consumer *consumer;
    tg__sink_offsets offsets;
    tg__sink_batch *queue, *queue_tail; /* put in this order */
    tg__sink_batch *pool;
    uint32_t batch_max;
    int64_t window_bytes, window_records; /* embedded: commit at; 0: none */
    int64_t uncommitted_bytes, uncommitted_records;
    bool unflushed; /* something was put since the last flush */
    bool closing;
    bool failed; /* inside a hook of the consumer */
    tg_err failure;
    int64_t next_commit_ns, next_lag_ns, next_retry_commit_ns;
} tg__sink;

/* --- sink_put.c ---------------------------------------------------------- */
tg__sink_batch *tg__sink_take(tg__sink *s);
void tg__sink_give(tg__sink *s, tg__sink_batch *sb);
void tg__sink_trim(tg__sink *s);
void tg__sink_free_batches(tg__sink *s);
/* A batch was polled: runs it through the chain and queues it. 0 or TG_ERR_*:
 * the task fails. Takes sb. */
int tg__sink_enqueue(tg__sink *s, tg__sink_batch *sb, tg_err *err);
/* Puts what is due. 0, or TG_ERR_*: the task fails. */
int tg__sink_put(tg__sink *s, tg_err *err);
/* Records of a partition that was taken away are not put any more. */
void tg__sink_forget(tg__sink *s, const tg_partition *parts, int n);
/* Drops the queue: the consumer was set back. */
void tg__sink_drop_queue(tg__sink *s);

/* --- sink_commit.c ------------------------------------------------------- */
extern const tg_consumer_hooks tg__sink_hooks; /* without ctx */
/* Flush, then commit of what was processed. 0, or TG_ERR_*: the task fails. */
int tg__sink_commit(tg__sink *s, bool sync, tg_err *err);

#endif
