/*
 * Batches and records, as the C side uses them (Lua's part is in
 * ffi/tidegate.h). One batch is one poll: an arena, an array of records, and
 * references to foreign memory (Kafka messages, file buffers) that are let go
 * when the batch is reset. One owner at any time; the owner's thread only.
 */
#ifndef TG_DATA_BATCH_H
#define TG_DATA_BATCH_H
#include "base/err.h"
#include "base/mem.h"
#include "ffi/tidegate.h"

/* record.stage of what is no transform (those count from 1). */
enum {
    TG_STAGE_UNSET = 0,
    TG_STAGE_VALUE = 0xfff0,
    TG_STAGE_KEY = 0xfff1,
    TG_STAGE_HEADER = 0xfff2,
    TG_STAGE_SEND = 0xfff3,
    TG_STAGE_PUT = 0xfff4
};

/* max_records, limit: most records that tg_batch_append takes and most arena
 * bytes; 0: any number. Never NULL. */
tg_batch *tg_batch_new(uint32_t max_records, size_t limit);
void tg_batch_free(tg_batch *batch);
/* Empties it for the next poll: drops references, recycles the arena, takes a
 * new serial (views kept by scripts become errors). */
void tg_batch_reset(tg_batch *batch);
/* fn(arg) is called at reset or free, newest first. */
void tg_batch_on_release(tg_batch *batch, void (*fn)(void *), void *arg);

/*
 * How the headers of records with a message in unread are read: fills headers,
 * nheaders and capheaders, arena and message live as long as the batch.
 * TG_ERR_LIMIT when the arena is full. It can be called twice for one record,
 * when an undo took back the first. Until reset; arg must live as long.
 */
void tg_batch_on_headers(tg_batch *batch,
                         int (*load)(const void *arg, tg_record *rec),
                         const void *arg);

/* After a stage: commits it and puts split records behind their origin, in
 * order (a split of a split behind that one); lo and hi span all. Dropped and
 * rejected records stay in items with their verdict; the chain skips them and
 * the offset tracker counts them. */
void tg_batch_settle(tg_batch *batch);

/*
 * Undo of a user stage. tg_batch_begin starts a stage: the first write to a
 * node, cell or record saves what it was (its pre-image) in the arena.
 * tg_batch_undo puts everything back, drops the records that were split off
 * since, and leaves the stage open for the re-run; tg_batch_commit ends it.
 * tg_batch_begin in an open stage commits that one first.
 *
 * Finding a culprit: begin, call over all; on error undo, then for each record
 * (lo = i, hi = i + 1) begin, call, and on error undo and tg_record_reject.
 */
void tg_batch_begin(tg_batch *batch);
void tg_batch_undo(tg_batch *batch);
void tg_batch_commit(tg_batch *batch);

/*
 * Functions of core/convert that this folder needs although it stands below it.
 * tg_convert_init() sets them; until then the callers answer TG_ERR_STATE.
 *
 * tg_cell_open_hook: RAW -> DECODED; TG_ERR_DATA with a sentence (what
 * tg_cell_decode does). It must not touch the cell for undo: decoding is no
 * write. It fills value, state and schema and leaves raw, rawlen, conv alone.
 * tg_value_json_hook: appends the compact JSON of a value (tg_json_encode).
 * tg_schema_default_hook: the default of a schema, as a value below parent.
 * tg_decimal_hook: a Decimal of schema from, or (from NULL) a number, as the
 * Decimal that schema to asks for, or (to NULL) as number text; in the arena.
 * TG_ERR_DATA when digits would be lost.
 * tg_converter_named_hook: NULL if the name is unknown (tg_converter_named).
 */
extern int (*tg_cell_open_hook)(tg_cell *cell, tg_err *err);
extern int (*tg_value_json_hook)(tg_buf *out, const tg_value *v, tg_err *err);
extern int (*tg_schema_default_hook)(tg_node *parent, const tg_schema *schema,
                                     tg_value *out, tg_err *err);
extern int (*tg_decimal_hook)(tg_batch *batch, const tg_schema *from,
                              const tg_value *v, const tg_schema *to,
                              tg_value *out, tg_err *err);
extern const tg_converter *(*tg_converter_named_hook)(const char *name);

/* Sets a cell to bytes that conv can decode (NULL: null). Borrowed: they must
 * live as long as the batch. Clean. */
void tg_cell_set_raw(tg_cell *cell, const tg_converter *conv, const char *p,
                     int32_t len);
/* Sets a cell to a string value without copying or checking: p lives as long
 * as the batch and need not be UTF-8 (TG_F_NEW is set). Schemaless, clean. */
void tg_cell_set_text(tg_cell *cell, const char *p, uint32_t len);

/* Rejects a record with a formatted reason (arena). The host's decision: it is
 * not part of a stage, so a later tg_batch_undo keeps it unless the record had
 * been written in the stage before. */
void tg_record_reject(tg_record *rec, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* A copy of rec as it is now, in the arena of its batch but in no list: what a
 * script does to rec later does not show in it. NULL when the arena is full. */
tg_record *tg_record_copy(const tg_record *rec);

#endif
