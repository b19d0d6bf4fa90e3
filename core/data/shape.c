/*
 * Shapes: one table of whole layouts, found by a hash over the ids of their
 * names; transitions between them are cached in a list at the shape they start
 * from, and so are the sites of the objects below.
 *
 * Private shapes (id 0) live in a batch. Adding fields to one of them shares
 * the array of names while nobody else has appended to it, so an object of n
 * new fields costs n steps and not n * n. Script thread only.
 */
#include "data/internal.h"

enum { EDIT_ADD, EDIT_DROP, EDIT_RENAME };
enum { FIRST_CAP = 256, EDIT_BUDGET = 64, LINEAR = 8, SPARE = 4 };

struct tg_shape_edit {
    tg_shape_edit *next;
    const tg_name *name; /* add, rename */
    uint32_t op, at;
    tg_shape *to;
};

static struct {
    tg_shape **slots;
    uint32_t cap;   /* power of two */
    uint32_t n;     /* layouts without a schema */
    uint32_t edits; /* those of them that edits made */
    uint32_t ids;   /* ids given */
} shapes = {.ids = 3};

static tg_site array_site;
static tg_shape_priv array_priv = {.sites = &array_site};
static tg_shape array_shape = {.id = 1, .priv = &array_priv};
static tg_shape_priv empty_priv = {.sites = &array_site};
static tg_shape empty_shape = {.id = 2, .priv = &empty_priv};

tg_shape *tg_shape_array(void)
{
    return &array_shape;
}

tg_shape *tg_shape_empty(void)
{
    return &empty_shape;
}

uint32_t tg_shape_count(void)
{
    return shapes.ids;
}

/* --- sites ---------------------------------------------------------------- */

tg_site *tg__shape_sites(tg_shape *shape, uint32_t i)
{
    tg_shape_priv *priv = shape->priv;

    priv->sites = tg_calloc((shape->n + !shape->n) * sizeof *priv->sites);
    priv->site_mask = shape->n ? UINT32_MAX : 0;
    return priv->sites + (i & priv->site_mask);
}

/* Sites below live for ever, also when the one above goes with its converter:
 * private shapes point to them. Kept in a list so that they stay reachable. */
tg_site *tg_site_below(tg_site *site)
{
    static struct kept {
        tg_site site;
        struct kept *next;
    } * all;

    if (!site->below) {
        struct kept *k = tg_calloc(sizeof *k);
        k->next = all;
        all = k;
        site->below = &k->site;
    }
    return site->below;
}

/* --- lookup --------------------------------------------------------------- */

static void index_make(const tg_shape *shape)
{
    uint32_t cap = 32;
    tg_shape_priv *priv = shape->priv;

    while (cap < shape->n * 2)
        cap *= 2;
    priv->index = tg_calloc(cap * sizeof *priv->index);
    priv->index_mask = cap - 1;
    for (uint32_t i = 0; i < shape->n; i++) {
        uint32_t h = shape->names[i]->hash;
        while (priv->index[h & priv->index_mask])
            h++;
        priv->index[h & priv->index_mask] = i + 1;
    }
}

static int32_t find_indexed(const tg_shape *shape, const tg_name *name)
{
    const tg_shape_priv *priv = shape->priv;

    if (!priv->index)
        index_make(shape);
    for (uint32_t h = name->hash;; h++) {
        uint32_t i = priv->index[h & priv->index_mask];
        if (i == 0)
            return -1;
        if (shape->names[i - 1] == name)
            return (int32_t)(i - 1);
    }
}

int32_t tg_shape_find(const tg_shape *shape, const tg_name *name)
{
    uint32_t n = shape->n;

    if (shape->id == 0 || name->id == 0) {
        for (uint32_t i = 0; i < n; i++)
            if (tg__name_same(shape->names[i], name))
                return (int32_t)i;
        return -1;
    }
    if (n > LINEAR)
        return find_indexed(shape, name);
    for (uint32_t i = 0; i < n; i++)
        if (shape->names[i] == name)
            return (int32_t)i;
    return -1;
}

static bool named(const tg_node *node)
{
    return node && (node->kind == TG_MAP || node->kind == TG_STRUCT);
}

int32_t tg_slot_find(const tg_node *node, const tg_name *name)
{
    if (!named(node) || !name)
        return -1;
    return tg_shape_find(node->shape, name);
}

int32_t tg_slot_find_text(const tg_node *node, const char *text, uint32_t len)
{
    if (!named(node) || (!text && len))
        return -1;
    const tg_shape *shape = node->shape;
    uint32_t hash = tg_name_hash(text, len);
    if (shape->id) {
        const tg_name *name = tg__name_lookup(text, len, hash);
        return name ? tg_shape_find(shape, name) : -1;
    }
    for (uint32_t i = 0; i < shape->n; i++) {
        const tg_name *name = shape->names[i];
        if (name->hash == hash && name->len == len &&
            memcmp(name->text, text, len) == 0)
            return (int32_t)i;
    }
    return -1;
}

/* --- interned ------------------------------------------------------------- */

static uint32_t layout_hash(const tg_name *const *names, uint32_t n)
{
    uint64_t h = n;

    for (uint32_t i = 0; i < n; i++)
        h = (h ^ names[i]->id) * UINT64_C(0x9E3779B97F4A7C15) + (h >> 29);
    return (uint32_t)(h >> 32);
}

static tg_shape **table_find(const tg_name *const *names, uint32_t n)
{
    for (uint32_t i = layout_hash(names, n);; i++) {
        tg_shape **slot = &shapes.slots[i & (shapes.cap - 1)];
        if (!*slot)
            return slot;
        if ((*slot)->n == n &&
            memcmp((*slot)->names, names, n * sizeof *names) == 0)
            return slot;
    }
}

static void table_grow(void)
{
    uint32_t oldcap = shapes.cap;
    tg_shape **old = shapes.slots;

    shapes.cap = oldcap ? oldcap * 2 : FIRST_CAP;
    shapes.slots = tg_calloc(shapes.cap * sizeof *shapes.slots);
    for (uint32_t i = 0; i < oldcap; i++)
        if (old[i])
            *table_find((const tg_name *const *)old[i]->names, old[i]->n) =
                old[i];
    tg_free(old);
}

/* Immortal, with its own copy of names. */
static tg_shape *shape_new(const tg_name *const *names, uint32_t n,
                           const tg_schema *schema)
{
    tg_shape *shape =
        tg_calloc(sizeof *shape + sizeof(tg_shape_priv) + n * sizeof *names);

    shape->priv = (tg_shape_priv *)(shape + 1);
    shape->names = (const tg_name **)(shape->priv + 1);
    if (n)
        memcpy(shape->names, names, n * sizeof *names);
    shape->n = n;
    shape->schema = schema;
    shape->id = shapes.ids < TG_SHAPE_ID_MAX ? shapes.ids++ : 0;
    return shape;
}

/* The interned layout, made if may_make; NULL if there is none. */
static tg_shape *layout(const tg_name *const *names, uint32_t n, bool may_make,
                        uint32_t *made)
{
    if (n == 0)
        return &empty_shape;
    if (shapes.n >= shapes.cap / 2)
        table_grow();
    tg_shape **slot = table_find(names, n);
    if (*slot)
        return *slot;
    if (!may_make || shapes.ids >= TG_SHAPE_ID_MAX)
        return NULL;
    *slot = shape_new(names, n, NULL);
    shapes.n++;
    ++*made;
    return *slot;
}

/* --- private -------------------------------------------------------------- */

/* Room for cap names, the first n of them set by the caller. */
static tg_shape *private_new(tg_batch *batch, uint32_t n, uint32_t cap,
                             tg_site *sites)
{
    struct {
        tg_shape shape;
        tg_shape_priv priv;
        uint32_t used, pad;
    } *m = tg_arena_alloc(batch->arena,
                          sizeof *m + (size_t)cap * sizeof(tg_name *));

    if (!m)
        return NULL;
    memset(m, 0, sizeof *m);
    m->used = n;
    m->priv.used = &m->used;
    m->priv.cap = cap;
    m->priv.sites = sites ? sites : &array_site;
    m->shape.n = n;
    m->shape.names = (const tg_name **)(m + 1);
    m->shape.priv = &m->priv;
    return &m->shape;
}

tg_shape *tg_shape_private(tg_batch *batch, const tg_name **names, uint32_t n)
{
    tg_shape *shape = private_new(batch, n, n + SPARE, NULL);

    if (shape && n)
        memcpy(shape->names, names, n * sizeof *names);
    return shape;
}

/* A private shape with one name more; the array is shared if it has room. */
static tg_shape *private_add(tg_batch *batch, tg_shape *from,
                             const tg_name *name)
{
    tg_shape_priv *priv = from->priv;
    uint32_t n = from->n;
    tg_shape *to;

    if (from->id == 0 && priv->used && *priv->used == n && n < priv->cap) {
        to = private_new(batch, n + 1, 0, priv->sites);
        if (!to)
            return NULL;
        to->names = from->names;
        to->priv->used = priv->used;
        to->priv->cap = priv->cap;
        ++*priv->used;
    } else {
        to = private_new(batch, n + 1, n * 2 + SPARE,
                         from->id ? NULL : priv->sites);
        if (!to)
            return NULL;
        if (n)
            memcpy(to->names, from->names, n * sizeof *to->names);
    }
    to->names[n] = name;
    return to;
}

/* --- layouts of a site ---------------------------------------------------- */

/* Replaces private names by interned ones. NULL if one is not interned. */
static const tg_name **all_interned(const tg_name **names, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (names[i]->id == 0 &&
            !tg__name_lookup(names[i]->text, names[i]->len, names[i]->hash))
            return NULL;

    const tg_name **list = tg_alloc((n + !n) * sizeof *list);
    for (uint32_t i = 0; i < n; i++) {
        const tg_name *name = names[i];
        list[i] = name->id ? name
                           : tg__name_lookup(name->text, name->len, name->hash);
    }
    return list;
}

static bool has_private(const tg_name **names, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (names[i]->id == 0)
            return true;
    return false;
}

bool tg_site_open(const tg_site *site)
{
    return shapes.n - shapes.edits < TG_SHAPE_TOTAL &&
           (!site || site->made < TG_SHAPE_SITE_BUDGET);
}

tg_shape *tg_shape_intern(tg_batch *batch, tg_site *site, const tg_name **names,
                          uint32_t n)
{
    uint32_t none = 0;
    tg_shape *shape = NULL;

    if (has_private(names, n)) {
        const tg_name **list = all_interned(names, n);
        if (list)
            shape = layout(list, n, false, &none);
        tg_free(list);
    } else {
        uint32_t *made = site ? &site->made : &none;
        shape = layout(names, n, tg_site_open(site), made);
    }
    if (shape) {
        if (site)
            site->guess = shape;
        return shape;
    }
    shape = tg_shape_private(batch, names, n);
    if (shape && site)
        shape->priv->sites = tg_site_below(site);
    return shape;
}

/* --- transitions ---------------------------------------------------------- */

static tg_shape *edit_find(const tg_shape *from, uint32_t op, uint32_t at,
                           const tg_name *name)
{
    for (tg_shape_edit *e = from->priv->edits; e; e = e->next)
        if (e->name == name && e->at == at && e->op == op)
            return e->to;
    return NULL;
}

static void edit_keep(tg_shape *from, uint32_t op, uint32_t at,
                      const tg_name *name, tg_shape *to)
{
    tg_shape_edit *e = tg_alloc(sizeof *e);

    *e = (tg_shape_edit){from->priv->edits, name, op, at, to};
    from->priv->edits = e;
    from->priv->nedits++;
}

/* The names of from after an edit, in list. */
static uint32_t edited(const tg_shape *from, uint32_t op, uint32_t at,
                       const tg_name *name, const tg_name **list)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < from->n; i++) {
        if (op == EDIT_DROP && i == at)
            continue;
        list[n++] = op == EDIT_RENAME && i == at ? name : from->names[i];
    }
    if (op == EDIT_ADD)
        list[n++] = name;
    return n;
}

static tg_shape *edit_make(tg_batch *batch, tg_shape *from, uint32_t op,
                           uint32_t at, const tg_name *name)
{
    const tg_name *few[64];
    const tg_name **list = few;
    tg_shape *to = NULL;

    if (from->n >= 64)
        list = tg_alloc((from->n + 1) * sizeof *list);
    uint32_t n = edited(from, op, at, name, list);
    if (from->id && (!name || name->id)) {
        bool room = from->priv->nedits < EDIT_BUDGET;
        to = layout(list, n, room && shapes.edits < TG_SHAPE_EDITS,
                    &shapes.edits);
        if (to && room)
            edit_keep(from, op, at, name, to);
    }
    if (!to && op == EDIT_ADD)
        to = private_add(batch, from, name);
    else if (!to)
        to = tg_shape_private(batch, list, n);
    if (list != few)
        tg_free(list);
    return to;
}

static tg_shape *edit(tg_batch *batch, tg_shape *from, uint32_t op, uint32_t at,
                      const tg_name *name)
{
    tg_shape *to = NULL;

    if (from->id)
        to = edit_find(from, op, at, name);
    else if (op == EDIT_ADD)
        return private_add(batch, from, name);
    return to ? to : edit_make(batch, from, op, at, name);
}

tg_shape *tg_shape_add(tg_batch *batch, tg_shape *from, const tg_name *name,
                       const tg_schema *field)
{
    if (from->schema)
        return tg_shape_of_schema(tg_schema_with(from->schema, name, field));
    return edit(batch, from, EDIT_ADD, 0, name);
}

tg_shape *tg_shape_drop(tg_batch *batch, tg_shape *from, uint32_t at)
{
    if (from->schema)
        return tg_shape_of_schema(tg_schema_without(from->schema, at));
    return edit(batch, from, EDIT_DROP, at, NULL);
}

tg_shape *tg_shape_rename(tg_batch *batch, tg_shape *from, uint32_t at,
                          const tg_name *name)
{
    if (from->schema)
        return tg_shape_of_schema(tg_schema_renamed(from->schema, at, name));
    return edit(batch, from, EDIT_RENAME, at, name);
}

/* --- structs -------------------------------------------------------------- */

tg_shape *tg__shape_struct(const tg_schema *schema)
{
    const tg_name **names = tg_alloc((schema->nfields + 1) * sizeof *names);

    for (uint32_t i = 0; i < schema->nfields; i++)
        names[i] = schema->fields[i].name;
    tg_shape *shape = shape_new(names, schema->nfields, schema);
    tg_free(names);
    return shape;
}
