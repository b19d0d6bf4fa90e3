/*
 * Offset stores: (connector, source partition) -> source offset, both JSON
 * objects. One small interface; standalone keeps a file. Supervisor thread
 * only, except that an image may be written on another thread: take it with
 * tg_offsets_image, write it anywhere, tell the store with tg_offsets_saved.
 *
 * Lookup is by parsed value, not by bytes; the key bytes of an existing entry
 * are kept (connect-storage section 4).
 */
#ifndef TG_STORE_OFFSETS_H
#define TG_STORE_OFFSETS_H
#include "base/err.h"
#include "base/mem.h"
#include <jansson.h>

typedef struct tg_offsets tg_offsets;

/* Kafka Connect's file (Java serialized HashMap, connect-storage section 5):
 * read and written in that format, so that a Java worker can go on with it. A
 * missing or empty file is an empty store. A damaged one is refused with what
 * is wrong at which byte and how to repair it. */
tg_offsets *tg_offsets_open_file(const char *path, tg_err *err);
void tg_offsets_free(tg_offsets *store);

/* Array of [partition, offset] of one connector. New reference. */
json_t *tg_offsets_get(const tg_offsets *store, const char *connector);
/* Sets in memory; offset json null removes. References are taken. */
void tg_offsets_set(tg_offsets *store, const char *connector, json_t *partition,
                    json_t *offset);
/* Makes what was set durable (atomic replace, fsync). 0 at once when nothing
 * changed. Blocks on the disk. */
int tg_offsets_flush(tg_offsets *store, tg_err *err);
bool tg_offsets_dirty(const tg_offsets *store);

/* The same in steps, for callers that must not block: appends the bytes of the
 * file to out and returns the version they stand for. */
uint64_t tg_offsets_image(const tg_offsets *store, tg_buf *out);
/* The image of that version is durable now. */
void tg_offsets_saved(tg_offsets *store, uint64_t version);
/* Path to write it to (symbolic links resolved). Borrowed. */
const char *tg_offsets_path(const tg_offsets *store);

#endif
