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
#include "transform/field_path.h"

/*
 * A stock transform, made from its configuration: tg_stock_<what>() allocates
 * a larger structure that begins with this one. One owner, who frees it with
 * tg_stock_free.
 */
struct tg_stock {
    /* What happens to one record to keep; false: it was rejected. */
    bool (*record)(tg_stock *self, tg_record *rec);
    void (*fini)(tg_stock *self); /* what it owns, not itself; may be NULL */
    int32_t side;                 /* TG_KEY or TG_VALUE */
    bool defaults; /* null fields of a struct read as their default */
};

/* Cleared beyond the head. */
void *tg__stock_new(size_t size, bool (*record)(tg_stock *, tg_record *),
                    void (*fini)(tg_stock *), int32_t side, int32_t defaults);

/* Paths to fields, owned. Zero-initialised is empty. */
typedef struct tg_stock_paths {
    tg_field_path **p;
    uint32_t n;
} tg_stock_paths;

/* 0, or TG_ERR_CONFIG with tg_ffi_error(). */
int tg__stock_paths_add(tg_stock_paths *paths, const char *text, uint32_t len,
                        int32_t v2);
void tg__stock_paths_fini(tg_stock_paths *paths);

/* Java class of a value with this schema (NULL: none), as Kafka Connect names
 * it: "java.lang.Long", "[B"; "null" for null. */
const char *tg__stock_class(const tg_value *v, const tg_schema *schema);

/* Whether a value, which is a number as text, is an integer for Java: with this
 * schema (NULL: none, then it has neither fraction nor exponent). */
bool tg__stock_integral(const tg_value *v, const tg_schema *schema);
/* The low bits of i that TG_INT8 ... TG_INT64 holds, as Java's casts. */
int64_t tg__stock_narrow(int tag, int64_t i);

/* Logical type of a value, TG_LOGICAL_*: from the schema if there is one. */
int tg__stock_logical(const tg_value *v, const tg_schema *schema);

/* TG_ERR_DATA: "Only Map objects supported in absence of schema for [purpose],
 * found: ..." or, for typed, the one about structs. */
int tg__stock_wrong_object(bool typed, const char *purpose, const tg_value *v,
                           const tg_schema *schema);

/* Rejects the record. Always false. */
bool tg__stock_reject(tg_record *rec, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
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

/* The field at a path below root, as Java's get() reads it: a null with a
 * default is the default when defaults is set. v->tag is TG_ABSENT when there
 * is no such field, or no parent of it. 0 or TG_ERR_*. */
int tg__stock_read(tg_field_path *path, tg_node *root, bool defaults,
                   tg_field_at *at, tg_value *v);
/* Schema of what tg_field_path_find found; NULL in maps. */
static inline const tg_schema *tg__stock_declared(const tg_field_at *at)
{
    return at->slot >= 0 && at->node->kind == TG_STRUCT
               ? at->node->shape->schema->fields[at->slot].schema
               : NULL;
}

/* A node for a cell, with room for n slots and none in use; the caller fills
 * them and sets n. NULL at the arena's limit. */
tg_node *tg__stock_node(tg_cell *cell, int kind, tg_shape *shape, uint32_t n);
/* Moves the tree of v below parent (NULL: to the root) of a cell; it keeps its
 * source text. Nothing for scalars. 0 or TG_ERR_LIMIT. */
int tg__stock_adopt(tg_cell *cell, tg_node *parent, const tg_value *v);
/* A copy of v for another cell of the record. 0 or TG_ERR_*. */
int tg__stock_copy(tg_cell *cell, tg_node *parent, const tg_value *v,
                   tg_value *out);
/* TG_ERR_LIMIT with the sentence about the batch's memory. */
int tg__stock_full(const tg_batch *batch);
/* Makes v, which lives in the batch, the cell's value with a schema (NULL:
 * none). Nodes are taken over, also from another cell of the record when
 * nothing else refers to them. 0 or TG_ERR_LIMIT. */
int tg__stock_replace(tg_cell *cell, const tg_value *v,
                      const tg_schema *schema);
/* Gives a struct that is the root of its cell another schema, for which it has
 * the slots already; nested structs follow where their schemas differ. 0 or
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
