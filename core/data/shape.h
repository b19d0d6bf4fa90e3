/*
 * Shapes: interned layouts of objects (tg_shape in ffi/tidegate.h).
 *
 * Whole layouts are interned by a hash over their name ids; never prefixes.
 * A decoder guesses the shape of the object at a site (parent shape and slot)
 * from the last one seen there, and compares names instead of hashing them.
 * Each site has a budget of 64 new layouts and the process one of 1,024; past
 * it objects get private shapes (id 0) in the batch arena. Edits (add, drop,
 * rename) are cached transitions between shapes.
 *
 * Immortal, process-wide, script thread only.
 */
#ifndef TG_DATA_SHAPE_H
#define TG_DATA_SHAPE_H
#include "data/batch.h"
#include "data/schema.h"

enum { TG_SHAPE_SITE_BUDGET = 64, TG_SHAPE_TOTAL = 1024 };

/* Where objects of one kind come from; one per converter root, and one per
 * (shape, slot) inside. */
typedef struct tg_site {
    tg_shape *guess;
    uint32_t made; /* new layouts made for this site */
} tg_site;

tg_shape *tg_shape_array(void); /* id 1 */
tg_shape *tg_shape_empty(void); /* no fields, no schema */
/* Site of the objects in slot i of shape (arrays: elements share one). */
tg_site *tg_shape_site(tg_shape *shape, uint32_t i);
/* Interns names[0..n) for the site, or makes a private shape. NULL at a limit.
 * Names must be distinct. */
tg_shape *tg_shape_intern(tg_batch *batch, tg_site *site,
                          const tg_name **names, uint32_t n);
/* The shape of a struct schema; interned once per schema. */
tg_shape *tg_shape_of_schema(const tg_schema *schema);
/* Transitions. at: slot. A private shape gives a private shape. The schema
 * follows (field for add is NULL for maps). */
tg_shape *tg_shape_add(tg_batch *batch, tg_shape *from, const tg_name *name,
                       const tg_schema *field);
tg_shape *tg_shape_drop(tg_batch *batch, tg_shape *from, uint32_t at);
tg_shape *tg_shape_rename(tg_batch *batch, tg_shape *from, uint32_t at,
                          const tg_name *name);
/* A name that is not interned (private shapes): lives in the arena. */
const tg_name *tg_name_private(tg_batch *batch, const char *text, uint32_t len);

#endif
