/*
 * A running sink task: what the loop (sink_task.c), the commits (sink_commit.c)
 * and the puts (sink_put.c) share. Internal to core/task; the task's thread.
 */
#ifndef TG_TASK_SINK_H
#define TG_TASK_SINK_H
#include "task/dead_letter.h"
#include "task/sink_offsets.h"
#include "task/task.h"

/* How the culprit of a put that raised is looked for: todo in pieces, the next
 * one last. See sink_put.c. */
typedef struct tg__sink_search {
    struct tg__sink_piece {
        uint32_t n;
        uint8_t kind;
    } * pieces;
    int n, cap;
    bool guess;        /* the script's cursor has been right so far */
    bool passed;       /* a piece was put */
    uint32_t culprits; /* found; their verdict is TG__CULPRIT */
    int64_t since_ns;  /* 0: no search */
    tg_err why;        /* of the first culprit */
} tg__sink_search;

/* A polled batch that was not put completely yet. */
typedef struct tg__sink_batch {
    struct tg__sink_batch *next;
    tg_batch *batch;
    tg_originals originals;
    uint32_t todo; /* records at the front of items that put must still take */
    bool fails;    /* the task fails with err once todo is put */
    tg_err err;
    int64_t retry_ns;        /* not before; 0: now */
    int attempts;            /* puts that asked for a retry */
    int64_t unread_ns;       /* end of the tries to read keys and headers; 0 */
    tg__sink_search *search; /* NULL: put has not raised */
} tg__sink_batch;

typedef struct tg__sink {
    tg_task *task;
    tg_consumer *consumer;
    tg__sink_offsets offsets;
    tg__sink_batch *queue, *queue_tail; /* put in this order */
    tg__sink_batch *pool;
    tg__sink_batch *cooking;        /* in the chain, that waits to try again */
    tg__sink_batch *raw, *raw_tail; /* came meanwhile; the chain comes next */
    uint32_t batch_max;
    int64_t window_bytes, window_records; /* embedded: commit at; 0: none */
    int64_t uncommitted_bytes, uncommitted_records;
    bool unflushed; /* something was put since the last flush */
    bool closing;
    bool put_failed; /* the error of the turn is one that put raised */
    bool failed;     /* inside a hook of the consumer */
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
/* Records of a partition that was taken away are not put any more. Inside a
 * hook of the consumer. */
void tg__sink_forget(tg__sink *s, const tg_partition *parts, int n);
/* What the last put made of its records, which it raised for, does not count:
 * another version gets them all. */
void tg__sink_put_anew(tg__sink *s);
/* Drops the queue: the consumer was set back. */
void tg__sink_drop_queue(tg__sink *s);

/* Brings the records to keep to the front, in order; the others keep their
 * order behind. Returns how many are in front. */
uint32_t tg__sink_bring_forward(tg_batch *batch);

/* --- sink_search.c -------------------------------------------------------- */
enum { TG__CULPRIT = 0x7e }; /* verdict: put raises for it alone */
/* Records that the next put is to take. */
uint32_t tg__sink_next_piece(const tg__sink_batch *sb);
/* May the culprit of this error be looked for? */
bool tg__sink_may_search(const tg__sink *s, const tg_err *why);
/* put raised for the first n records. Those of them with the verdict KEEP are
 * put again in pieces, or the one is a culprit. */
void tg__sink_search_raised(tg__sink_batch *sb, uint32_t n, const tg_err *why);
/* The put of a piece raised for records that are rejected by now; the others of
 * its n are put again. */
void tg__sink_search_explained(tg__sink_batch *sb, uint32_t n);
/* The piece was put. */
void tg__sink_search_passed(tg__sink_batch *sb);
/* todo changed behind its back: the pieces are forgotten. */
void tg__sink_search_forget(tg__sink_batch *sb);
/* Nothing is left to put, or the search lasts too long: asks the policy about
 * the culprits. TG_ERR_*: the task fails. */
int tg__sink_search_end(tg__sink *s, tg__sink_batch *sb, tg_err *err);
void tg__sink_search_free(tg__sink_batch *sb);

/* --- sink_wait.c ---------------------------------------------------------- */
/* tg_chain_wait_fn of sinks; ctx is the tg__sink. */
int tg__sink_wait(void *ctx, int64_t ms, tg_err *err);

/* --- sink_commit.c ------------------------------------------------------- */
extern const tg_consumer_hooks tg__sink_hooks; /* without ctx */
/* Flush, then commit of what was processed. 0, or TG_ERR_*: the task fails. */
int tg__sink_commit(tg__sink *s, bool sync, tg_err *err);

#endif
