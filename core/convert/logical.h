/*
 * Logical types: which one a value is of, by its schema or, where no schema
 * describes it, by its aux; instants and their ISO 8601 text. Any thread.
 */
#ifndef TG_CONVERT_LOGICAL_H
#define TG_CONVERT_LOGICAL_H
#include "base/mem.h"
#include "data/schema.h"

/* TG_LOGICAL_* that a schema's name and kind say; NULL: none. */
int tg_logical_schema(const tg_schema *schema);
/* TG_LOGICAL_* of a value under a schema. */
int tg_logical_of(const tg_value *v, const tg_schema *schema);
/* ms since 1970-01-01 UTC of a Date, Time or Timestamp (java.util.Date); false
 * for other values. */
bool tg_logical_instant(const tg_value *v, const tg_schema *schema,
                        int64_t *ms);
/* Appends an instant as Kafka Connect prints java.util.Date in headers and
 * Cast: "12:34:56.789Z" before 1970-01-02, "2020-01-01" at midnight,
 * "2020-01-01T12:34:56.789Z" else. UTC. */
void tg_logical_iso(tg_buf *out, int64_t ms);

#endif
