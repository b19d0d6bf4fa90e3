/*
 * Dead letters: records that failed, written to the topic that
 * errors.deadletterqueue.topic.name names, as they were before anything was
 * done to them, with the context headers of KIP-298. Sinks as in Kafka Connect;
 * sources by the same settings.
 *
 * Nothing is lost: offsets are committed only behind tg_dead_letters_settle,
 * and a letter that cannot be written for good fails the task.
 *
 * The task's thread.
 */
#ifndef TG_TASK_DEAD_LETTER_H
#define TG_TASK_DEAD_LETTER_H
#include "task/task.h"

typedef struct tg_dead_letters tg_dead_letters;

typedef struct tg_dead_letter_settings {
    const char *topic; /* NULL: no dead letters; borrowed */
    int replication;
    bool context; /* context headers */
} tg_dead_letter_settings;

/* *key: the key at fault. 0 or TG_ERR_CONFIG; what is right is set all the
 * same. */
int tg_dead_letter_settings_read(tg_dead_letter_settings *out,
                                 const json_t *config, const char **key,
                                 tg_err *err);

/* Sets task->policy.dead when a topic is configured, and makes the topic if it
 * is missing (up to 30 s). The producer is made with the first letter. */
int tg_dead_letters_start(tg_task *task, tg_err *err);
/* Waits up to timeout_ms for what is under way. */
void tg_dead_letters_free(tg_dead_letters *d, int timeout_ms);
const char *tg_dead_letters_topic(const tg_dead_letters *d);

/* Records of a batch and what each was when it came. */
typedef struct tg_originals {
    struct tg_original {
        const tg_record *rec;
        tg_record *copy; /* NULL: memory was short */
    } * items;           /* in the arena of the batch */
    uint32_t n;
} tg_originals;

/* Before the chain: copies of all records, when there are dead letters (d is
 * not NULL). Valid until the batch is reset. */
void tg_dead_letters_keep(const tg_dead_letters *d, tg_batch *batch,
                          tg_originals *out);
/* Of a record of the batch, split ones included; NULL if it is not known. */
tg_record *tg_dead_letters_original(const tg_originals *originals,
                                    const tg_record *rec);

/* Queues a letter; all bytes are copied. Waits while too many are under way. */
void tg_dead_letters_add(tg_dead_letters *d, const tg_record *rec,
                         tg_record *original, const tg_error_stage *stage);
/* Serves delivery reports without waiting. 0, or why the task must fail: a
 * letter was not written, nothing more may be committed. */
int tg_dead_letters_serve(tg_dead_letters *d, tg_err *err);
/* Before a commit: waits up to timeout_ms until every letter is written. 0: the
 * offsets may be committed; 1: not yet; TG_ERR_*: never. d may be NULL. */
int tg_dead_letters_settle(tg_dead_letters *d, int timeout_ms, tg_err *err);
/* topic.ok of the supervisor: true if it was awaited here. */
bool tg_dead_letters_answer(tg_dead_letters *d, const json_t *msg);

#endif
