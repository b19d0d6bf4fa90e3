/*
 * Offsets of a sink task, one entry per assigned partition:
 *
 *   start      first record that this assignment may have to read again
 *   processed  next record: everything below was put (or dropped, tolerated)
 *   requested  what the last commit asked for
 *   committed  what the broker confirmed
 *
 * Invariant: processed moves only for batches that were put completely, and a
 * commit never asks for more than processed. Pure; the task's thread.
 */
#ifndef TG_TASK_SINK_OFFSETS_H
#define TG_TASK_SINK_OFFSETS_H
#include "data/batch.h"
#include "kafka/consumer.h"

typedef struct tg__sink_part {
    char *topic;
    uint32_t topiclen;
    int32_t partition;
    int64_t start, processed, requested, committed; /* -1: none */
    bool consumed;                                  /* records came of it */
} tg__sink_part;

typedef struct tg__sink_offsets {
    tg__sink_part *parts;
    int n, cap, last;
    bool news; /* a part has become consumed; the caller clears it */
} tg__sink_offsets;

void tg__sink_offsets_fini(tg__sink_offsets *o);
/* Starts afresh for a partition; offset is its position, -1 when unknown. */
void tg__sink_offsets_assign(tg__sink_offsets *o, const char *topic,
                             int32_t partition, int64_t offset);
void tg__sink_offsets_remove(tg__sink_offsets *o, const char *topic,
                             int32_t partition);
/* NULL when the partition is not assigned. Valid until the next assign or
 * remove. */
tg__sink_part *tg__sink_offsets_find(tg__sink_offsets *o, const char *topic,
                                     uint32_t topiclen, int32_t partition);
/* A batch was polled: remembers where partitions with unknown positions began.
 * Records of partitions that are not assigned are marked TG_UNPROCESSED. */
void tg__sink_offsets_polled(tg__sink_offsets *o, tg_batch *batch);
/* A batch was put completely: counts every record that is not
 * TG_UNPROCESSED. */
void tg__sink_offsets_done(tg__sink_offsets *o, const tg_batch *batch);
/* What is to be committed: entries with processed beyond requested. Fills out
 * (room for o->n; topics are borrowed) and returns how many; only parts in
 * `only` when that is given. Sets requested. */
int tg__sink_offsets_take(tg__sink_offsets *o, tg_partition *out,
                          const tg_partition *only, int nonly);
/* The broker's answer for one partition; ok false: it is asked for again. */
void tg__sink_offsets_answer(tg__sink_offsets *o, const char *topic,
                             int32_t partition, int64_t offset, bool ok);
/* Something is processed and not requested. */
bool tg__sink_offsets_dirty(const tg__sink_offsets *o);

#endif
