/*
 * The type of a header from its text, as Kafka Connect's SimpleHeaderConverter
 * and its transform InsertHeader find it (Values.parseString): smallest integer
 * type, float, decimal, date, time, timestamp, arrays and maps with a common
 * schema of their elements, else the text itself. Dates and times of day are
 * UTC. Script thread.
 */
#ifndef TG_CONVERT_HEADER_INFER_H
#define TG_CONVERT_HEADER_INFER_H
#include "base/err.h"
#include "base/mem.h"
#include "data/schema.h"

/*
 * Reads text[0..len), which is UTF-8 and lives as long as the batch of cell:
 * strings in the result point at it. Every text has a type, so only
 * TG_ERR_LIMIT (the arena is full) can go wrong.
 *
 * *schema is required (not optional), as in Java, and NULL for "null". Arrays
 * without a common type of elements have a schema without value, such maps one
 * without value or without key and value. Logical values also carry aux;
 * decimals are TG_NUM. Nodes belong to cell, which is not written: to insert a
 * header, add it, infer for its cell and store value and schema with
 * tg_cell_store.
 */
int tg_header_infer(tg_cell *cell, const char *text, uint32_t len,
                    tg_value *out, const tg_schema **schema, tg_err *err);

/* Appends the text of a value as SimpleHeaderConverter writes it
 * (Values.convertToString): strings as they are at the top and quoted inside,
 * bytes as base64, [1,2], {"a":1}, dates and times in ISO 8601 and UTC. schema:
 * of v, NULL for none. */
int tg_header_text(tg_buf *out, tg_batch *batch, const tg_value *v,
                   const tg_schema *schema, tg_err *err);

#endif
