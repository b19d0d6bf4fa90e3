/*
 * Shapes: interned layouts of objects (tg_shape in ffi/tidegate.h).
 *
 * Whole layouts are interned by a hash over their name ids; never prefixes.
 * A decoder guesses the shape of the object at a site (parent shape and slot)
 * from the last one seen there, and compares names instead of hashing them.
 * Each site has a budget of 64 new layouts and the process one of 1,024; past
 * it objects get private shapes (id 0) in the batch arena. Edits (add, drop,
 * rename) are cached transitions between shapes with a budget of their own,
 * 64 from each shape and 4,096 in all.
 *
 * Immortal, process-wide, script thread only.
 */
#ifndef TG_DATA_SHAPE_H
#define TG_DATA_SHAPE_H
#include "data/batch.h"
#include "data/schema.h"
#include <string.h>

enum {
    TG_SHAPE_SITE_BUDGET = 64,
    TG_SHAPE_TOTAL = 1024, /* layouts that decoders found */
    TG_SHAPE_EDITS = 4096, /* layouts that writes and plans made from others */
    /* Struct shapes are one per schema and not counted above. Past this id they
     * get id 0 too (immortal all the same): Lua's caches index by id. */
    TG_SHAPE_ID_MAX = 32000
};

/* Where objects of one kind come from; one per converter root, and one per
 * (shape, slot) inside. Zero-initialised is valid. An array hands its own site
 * down to its elements. */
typedef struct tg_site {
    tg_shape *guess;       /* interned shape seen last, or NULL */
    struct tg_site *below; /* of the members of objects without a shape */
    uint32_t made;         /* new layouts made for this site */
} tg_site;

typedef struct tg_shape_edit tg_shape_edit;

struct tg_shape_priv {
    tg_site *sites;     /* NULL until asked for */
    uint32_t site_mask; /* 0: one site for all slots; else all ones */
    uint32_t nedits;
    tg_shape_edit *edits; /* cached transitions */
    uint32_t *index;      /* name -> slot for wide shapes; NULL until asked */
    uint32_t index_mask;
    uint32_t cap;   /* private: room in names */
    uint32_t *used; /* private: names in use, shared by those that append */
};

/* --- for decoders ---------------------------------------------------------
 * An object at a site: take g = tg_shape_guess(site); for member i test
 * tg_name_match(g->names[i], ...) first, then a few names further on (optional
 * fields). If all matched in order and i == g->n at the end, g is the shape.
 * Else collect the names and ask tg_shape_intern. Children of slot i use
 * tg_shape_site(g, i); those of members that have no slot yet,
 * tg_site_below(site).
 */

/* Likely shape of the next object, or NULL. Never a private one. */
static inline tg_shape *tg_shape_guess(const tg_site *site)
{
    return site->guess;
}

/* Whether the text after an opening quote is this name with its closing quote,
 * written as the encoder would write it: the place behind the closing quote, or
 * NULL. Never reads at or beyond end. A name that is written with other escapes
 * is not recognised: decode the key and ask tg_slot_find_text. */
static inline const char *tg_name_match(const tg_name *name, const char *p,
                                        const char *end)
{
    uint32_t n = name->jsonlen - 3;    /* name" out of ,"name": */
    const char *want = name->json + 2; /* padded: 8 bytes can be read */
    uint64_t a, b;

    if (end - p < 8)
        return end - p >= (int64_t)n && memcmp(p, want, n) == 0 ? p + n : 0;
    memcpy(&a, p, 8);
    memcpy(&b, want, 8);
    a ^= b;
    if (n <= 8) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        a <<= 64 - 8 * n;
#else
        a >>= 64 - 8 * n;
#endif
        return a == 0 ? p + n : 0;
    }
    if (a != 0 || end - p < (int64_t)n)
        return 0;
    return memcmp(p + 8, want + 8, n - 8) == 0 ? p + n : 0;
}

uint32_t tg_name_hash(const char *text, uint32_t len);

tg_site *tg__shape_sites(tg_shape *shape, uint32_t i);

/* Site of the objects in slot i of shape (elements of an array in the slot
 * share it). Private shapes share the site below the one they came from. */
static inline tg_site *tg_shape_site(tg_shape *shape, uint32_t i)
{
    struct tg_shape_priv *priv = shape->priv;

    if (priv->sites)
        return priv->sites + (i & priv->site_mask);
    return tg__shape_sites(shape, i);
}

/* Whether a new layout may still be made for the site (NULL: for any). If not,
 * a decoder should not intern names for it but take private ones. */
bool tg_site_open(const tg_site *site);

/* Site of the members of an object whose shape is not known yet. */
tg_site *tg_site_below(tg_site *site);

/* --- shapes ---------------------------------------------------------------*/

tg_shape *tg_shape_array(void); /* id 1 */
tg_shape *tg_shape_empty(void); /* id 2: no fields, no schema */
/* Shape of names[0..n) for the site (NULL: only the total budget counts), or a
 * private shape, which it always is when a name is private and no known layout
 * fits. Sets the guess of the site. NULL at a limit. Names must be distinct.
 * The way to make an object of many fields at once: adding them one by one
 * would intern every prefix. */
tg_shape *tg_shape_intern(tg_batch *batch, tg_site *site, const tg_name **names,
                          uint32_t n);
/* A shape in the arena whatever the budgets say; names may be private. */
tg_shape *tg_shape_private(tg_batch *batch, const tg_name **names, uint32_t n);
/* The shape of a struct schema; interned once per schema. */
tg_shape *tg_shape_of_schema(const tg_schema *schema);
/* Slot of a name in a shape, or -1. */
int32_t tg_shape_find(const tg_shape *shape, const tg_name *name);
/* Transitions. at: slot. A private shape gives a private shape. The schema
 * follows (field for add is NULL for maps). NULL at the arena's limit. */
tg_shape *tg_shape_add(tg_batch *batch, tg_shape *from, const tg_name *name,
                       const tg_schema *field);
tg_shape *tg_shape_drop(tg_batch *batch, tg_shape *from, uint32_t at);
tg_shape *tg_shape_rename(tg_batch *batch, tg_shape *from, uint32_t at,
                          const tg_name *name);
/* A name that is not interned (private shapes): lives in the arena, text is
 * copied. */
const tg_name *tg_name_private(tg_batch *batch, const char *text, uint32_t len);

#endif
