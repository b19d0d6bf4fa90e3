/*
 * What the stock transforms share: opening the key or value of a record,
 * refusing it with Kafka Connect's sentences, and writing what it becomes.
 * A function that gives false has rejected the record. Script thread.
 */
#ifndef TG_TRANSFORM_STOCK_H
#define TG_TRANSFORM_STOCK_H
#include "base/err.h"
#include "data/batch.h"
#include "data/node.h"
#include "data/schema.h"
#include "data/shape.h"

/* Java class of a value with this schema (NULL: none), as Kafka Connect names
 * it: "java.lang.Long", "[B"; "null" for null. */
const char *tg__stock_class(const tg_value *v, const tg_schema *schema);

/* TG_ERR_DATA: "Only Map objects supported in absence of schema for [purpose],
 * found: ..." or, for typed, the one about structs. */
int tg__stock_wrong_object(bool typed, const char *purpose, const tg_value *v,
                           const tg_schema *schema);

/* Rejects the record with the sentence of the last failed call. */
bool tg__stock_refuse(tg_record *rec);
/* True for a status >= 0, else rejects the record with its sentence. */
static inline bool tg__stock_check(tg_record *rec, int rc)
{
    return rc >= 0 || tg__stock_refuse(rec);
}

static inline tg_cell *tg__stock_cell(tg_record *rec, int32_t side)
{
    return side == TG_KEY ? &rec->key : &rec->value;
}

/* Decodes a cell. One that cannot be is rejected with the stage of its
 * converter. */
bool tg__stock_open(tg_record *rec, tg_cell *cell);
static inline bool tg__stock_null(const tg_cell *cell)
{
    return cell->state == TG_CELL_NULL || cell->value.tag <= TG_NULL;
}

/* The map (no schema) or struct in a cell that is open. NULL for null when
 * null_passes; anything else is refused, with NULL too. */
tg_node *tg__stock_object(tg_record *rec, tg_cell *cell, const char *purpose,
                          bool null_passes);
/* Null fields of a struct get their schema's default, as Struct.get() reads
 * them. 0 or TG_ERR_*. */
int tg__stock_defaults(tg_node *node);

/* Makes v, which lives in the batch, the cell's value with a schema (NULL:
 * none). Nodes are taken over, also from another cell of the record when
 * nothing else refers to them. 0 or TG_ERR_LIMIT. */
int tg__stock_replace(tg_cell *cell, const tg_value *v,
                      const tg_schema *schema);
/* Gives a struct that is the root of its cell another schema with as many
 * fields: nested structs follow where their schemas differ. 0 or
 * TG_ERR_LIMIT. */
int tg__stock_retype(tg_node *root, const tg_schema *to);
/* Writes a slot as it is, without asking a schema. 0 or TG_ERR_LIMIT. */
int tg__stock_put(tg_node *node, int32_t slot, const tg_value *v);

/* Results by schema: what a transform derived from it. Direct-mapped; zero-
 * initialised is empty. */
enum { TG_STOCK_MEMO = 32 };
typedef struct tg_stock_memo {
    struct {
        const tg_schema *from;
        const void *to;
    } list[TG_STOCK_MEMO];
} tg_stock_memo;

static inline const void *tg__stock_known(const tg_stock_memo *memo,
                                          const tg_schema *from)
{
    uint32_t i = from->id % TG_STOCK_MEMO;

    return memo->list[i].from == from ? memo->list[i].to : NULL;
}

static inline void tg__stock_learn(tg_stock_memo *memo, const tg_schema *from,
                                   const void *to)
{
    uint32_t i = from->id % TG_STOCK_MEMO;

    memo->list[i].from = from;
    memo->list[i].to = to;
}

#endif
