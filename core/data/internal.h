/* What the files of this folder share with each other only. */
#ifndef TG_DATA_INTERNAL_H
#define TG_DATA_INTERNAL_H
#include "data/batch.h"
#include "data/node.h"
#include "data/schema.h"
#include "data/shape.h"

/* Names from 0 on have ids; more than this many are refused. */
enum { TG_NAME_MAX = 4000000 };

/* A record and what links it to the others that were split off its origin. */
typedef struct tg_record_full {
    tg_record rec;
    struct tg_record_full *origin; /* record it was split from, or NULL */
    struct tg_record_full *last;   /* end of the chain that starts here */
} tg_record_full;

/* --- name.c --------------------------------------------------------------- */
/* The interned name of a text, or NULL; never interns. */
const tg_name *tg__name_lookup(const char *text, uint32_t len, uint32_t hash);
static inline bool tg__name_same(const tg_name *a, const tg_name *b)
{
    if (a == b)
        return true;
    return (a->id == 0 || b->id == 0) && a->hash == b->hash &&
           a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

/* --- shape.c -------------------------------------------------------------- */
/* A new shape for a struct schema. */
tg_shape *tg__shape_struct(const tg_schema *schema);

/* --- fail.c --------------------------------------------------------------- */
/* Sets tg_ffi_error() and returns code. */
int tg__fail(int code, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* TG_ERR_LIMIT: the arena is full. */
int tg__fail_full(const tg_batch *batch);
/* TG_ERR_DATA: nested too deeply. */
int tg__fail_deep(void);

/* --- node.c --------------------------------------------------------------- */
static inline tg_batch *tg__node_batch(const tg_node *node)
{
    return node->cell->record->batch;
}
/* A fresh array or map with no slots in use, made in the current stage. */
tg_node *tg__node_fresh(tg_batch *batch, tg_cell *cell, tg_node *parent,
                        int kind, tg_shape *shape, uint32_t room);
/* Containers from the root down to node, itself included; 0 for NULL, at most
 * TG_MAX_DEPTH. */
int tg__node_depth(const tg_node *node);
/* Clone within one batch: texts are shared, clean subtrees keep their src. */
int tg__value_share(tg_batch *batch, tg_cell *cell, tg_node *parent,
                    const tg_value *from, tg_value *to);
/* Gives a struct node another schema (a nested one stays as optional as it was)
 * and tells its parents. */
void tg__node_retype(tg_node *node, const tg_schema *s);
/* Copies the text of a value (if it has one) into the arena. */
int tg__value_own(tg_batch *batch, tg_value *v);
/* Tells the parents of a node (and the cell) that its schema is now s. The
 * parents were touched before. */
void tg__schema_follow(tg_node *node, const tg_schema *s);

/* --- batch.c -------------------------------------------------------------- */
/* A record of the batch that is not among its items yet. */
tg_record_full *tg__record_new(tg_batch *batch);
/* Reads the headers of a record from its message; 0 or TG_ERR_LIMIT. */
int tg__batch_load_headers(tg_record *rec);

/* --- undo.c --------------------------------------------------------------- */
int tg__undo_node(tg_batch *batch, tg_node *node);
int tg__undo_cell(tg_batch *batch, tg_cell *cell);
int tg__undo_record(tg_batch *batch, tg_record *rec);
/* A write in the next stage saves again. */
uint32_t tg__batch_next_epoch(tg_batch *batch);

/* --- fit.c: what a new value becomes in its place --------------------------
 */
/* Where a value goes: for kinds, schema and error texts. */
typedef struct tg_place {
    tg_node *node; /* NULL: a whole cell */
    tg_cell *cell;
    const tg_value *old;     /* NULL: a new field or element */
    const tg_schema *schema; /* what it must fit, NULL: anything */
    const tg_schema *from;   /* of a value that is copied, NULL: none */
    const tg_name *name;     /* of an object's field */
    uint32_t slot;
    bool typed; /* the tree has a schema: a new field gets one */
} tg_place;

/* Each gives 1 with the value to store in *out, 0 when the place holds an equal
 * value, or TG_ERR_* with the sentence. */
int tg__fit_null(const tg_place *at, tg_value *out);
int tg__fit_bool(const tg_place *at, bool b, tg_value *out);
int tg__fit_number(const tg_place *at, double d, tg_value *out);
int tg__fit_int64(const tg_place *at, int64_t i, tg_value *out);
int tg__fit_text(const tg_place *at, const char *p, uint32_t len,
                 tg_value *out);
int tg__fit_bytes(const tg_place *at, const char *p, uint32_t len,
                  tg_value *out);
/* A scalar of any kind. */
int tg__fit_scalar(const tg_place *at, const tg_value *v, tg_value *out);
/* An empty container of kind TG_ARRAY, TG_MAP or TG_STRUCT; with 0 *out is the
 * one that is there already. */
int tg__fit_node(const tg_place *at, int kind, tg_value *out);
bool tg__is_decimal(const tg_schema *s);
/* Optional schema of a value, NULL for null. */
const tg_schema *tg__schema_infer(const tg_value *v);
/* "field \"x\"", "element 3", "the value": for messages; in a static buffer. */
const char *tg__place_text(const tg_place *at);

/* --- value.c -------------------------------------------------------------- */
/* Integer text that fits an int64: 1 and *out, else 0. */
bool tg__text_int64(const char *p, uint32_t len, int64_t *out);
/* Number text without fraction and exponent. */
bool tg__text_integral(const char *p, uint32_t len);
/* Numeric value of any kind; the value must be a number. */
double tg__number(const tg_value *v);

#endif
