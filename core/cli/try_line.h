/*
 * The lines of `tidegate try`: one JSON object a record, read and written.
 * Main thread.
 */
#ifndef TG_CLI_TRY_LINE_H
#define TG_CLI_TRY_LINE_H
#include "convert/converter.h"

/* What a line becomes. */
typedef struct tg__try_shape {
    const tg_converter *key, *value, *header; /* how the bytes are encoded */
    bool source;       /* a record of a source: no Kafka coordinates */
    const char *topic; /* of lines without one */
    int64_t line;      /* number of the line, from 1 */
} tg__try_shape;

/* Where an output line's record came from; texts live as long as the batch. */
typedef struct tg__try_origin {
    const char *topic;
    uint32_t topiclen;
    int32_t partition; /* -1: none */
    int64_t offset;    /* -1: none */
    int64_t line;      /* 0: from a topic, no line */
} tg__try_origin;

/*
 * Reads one line into a new record of an empty batch. The record's bytes point
 * into *root (new reference), which must live until the batch is reset.
 * TG_ERR_DATA with a sentence that names the member; then no record is valid
 * and *root is NULL.
 */
int tg__try_read(const tg__try_shape *shape, tg_batch *batch, const char *p,
                 size_t len, json_t **root, tg_err *err);
/* Origin of the record that was read. */
tg__try_origin tg__try_origin_of(const tg_record *rec, int64_t line);

/* Appends the record as one line; every cell was encoded. */
void tg__try_write(tg_buf *out, tg_record *rec, const tg__try_origin *from);
/* Encodes every cell of a record for showing it; what cannot be encoded is
 * shown as {"error":"..."}. */
void tg__try_write_stage(tg_buf *out, tg_record *rec,
                         const tg__try_shape *shape, const tg__try_origin *from,
                         const char *stage);
/* Appends {"dropped":true,...}. */
void tg__try_write_dropped(tg_buf *out, const tg__try_origin *from);
/* Appends {"error":...}; stage may be NULL. Texts that are no UTF-8 are shown
 * with '?'. */
void tg__try_write_error(tg_buf *out, const char *text, size_t len,
                         const tg__try_origin *from, const char *stage);

#endif
