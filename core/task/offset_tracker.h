/*
 * Which source offsets may be stored.
 *
 * A segment is a run of records that were handed to the producer together. It
 * is done when every record of it was acknowledged and, on an embedded broker
 * (hold), when every acknowledged record was also released: committed by all
 * sink groups that read its topic. Segments are kept in the order in which
 * they were polled; the offsets of the contiguous prefix of done segments are
 * committable, and nothing behind the first segment that is not done ever is.
 *
 * The tracker also accounts the window: bytes and records that are not done.
 *
 * Pure bookkeeping: no Kafka, no clock. One thread, the task's.
 */
#ifndef TG_TASK_OFFSET_TRACKER_H
#define TG_TASK_OFFSET_TRACKER_H
#include "base/err.h"
#include <stdint.h>

typedef struct tg_offset_tracker tg_offset_tracker;
typedef struct tg_segment tg_segment;

/* What a record is charged beside its payload. */
enum { TG_RECORD_CHARGE = 80 };

/* bytes, records: the window. hold: acknowledged records wait for
 * tg_offset_tracker_release. Never NULL. */
tg_offset_tracker *tg_offset_tracker_new(int64_t bytes, int64_t records,
                                         bool hold);
void tg_offset_tracker_free(tg_offset_tracker *t);

/* True when so much more fits into the window; always true when nothing is
 * open, so that one oversized record still passes. */
bool tg_offset_tracker_room(const tg_offset_tracker *t, int64_t bytes,
                            int64_t records);

/* Appends a segment that waits for `records` acknowledgements and is charged
 * `bytes`. It lives until it is done and all before it are; with records 0 it
 * is done at once. The caller marks its offsets before the next call of _ack,
 * _release or _take. */
tg_segment *tg_offset_tracker_open(tg_offset_tracker *t, int64_t bytes,
                                   uint32_t records);
/* The last offset of a source partition in this segment: json (copied), or the
 * number when json is NULL. A second mark of a partition replaces the first. */
void tg_offset_tracker_mark(tg_offset_tracker *t, tg_segment *seg,
                            int32_t partition, int64_t offset, const char *json,
                            uint32_t jsonlen);
/* True if the partition was marked in this segment, which must be the newest:
 * lets a caller walk a segment backwards and mark each partition once. */
bool tg_offset_tracker_marked(const tg_offset_tracker *t, const tg_segment *seg,
                              int32_t partition);

/* One record of the segment came to its end: at kafka_offset of a topic
 * partition, or without one (topic NULL) when it was given up on purpose. */
void tg_offset_tracker_ack(tg_offset_tracker *t, tg_segment *seg,
                           const char *topic, int32_t partition,
                           int64_t kafka_offset);

/* Sinks have committed up to kafka_offset (exclusive); -1: the topic has no
 * sink, its records are not held until an offset is given for it again. True
 * if that released anything. */
bool tg_offset_tracker_release(tg_offset_tracker *t, const char *topic,
                               int32_t partition, int64_t kafka_offset);

/* Reports the newest committable offset of each partition that changed since
 * the last call. Returns how many. json is NULL for the short form. */
typedef void (*tg_offset_fn)(void *ctx, int32_t partition, int64_t offset,
                             const char *json, uint32_t jsonlen);
int tg_offset_tracker_take(tg_offset_tracker *t, tg_offset_fn fn, void *ctx);

/* Reports the newest offset of every partition that was ever marked, whether it
 * is committable or not: where a source goes on that is not to repeat what is
 * under way. */
void tg_offset_tracker_newest(tg_offset_tracker *t, tg_offset_fn fn, void *ctx);

/* Records without an acknowledgement. */
int64_t tg_offset_tracker_unacked(const tg_offset_tracker *t);
/* Bytes and records inside the window. */
int64_t tg_offset_tracker_bytes(const tg_offset_tracker *t);
int64_t tg_offset_tracker_records(const tg_offset_tracker *t);
/* Nothing is open: all that was sent is committable. */
bool tg_offset_tracker_idle(const tg_offset_tracker *t);
/* A topic partition that holds acknowledged records, for messages; NULL when
 * none does. *kafka_offset: what must be committed (exclusive). */
const char *tg_offset_tracker_waits_for(const tg_offset_tracker *t,
                                        int32_t *partition,
                                        int64_t *kafka_offset);

#endif
