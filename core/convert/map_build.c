/*
 * Maps from binary formats. The names of all maps that are being read are one
 * stack; a map takes its part off when it is done. Once the keys differ from
 * the guess they are interned, or private when the place used up its layouts.
 *
 * Script thread.
 */
#include "convert/map_build.h"

enum {
    MAX_INTERNED = 4096, /* keys of one map, beyond: private names */
    FIRST_SLOTS = 4,
    PAIRWISE = 16,       /* up to so many names are compared one by one */
    NAMES_KEPT = 1 << 16 /* room on the stack of names between maps */
};

static struct {
    const tg_name **p;
    size_t n, cap;
} names;

static tg_site nowhere;

static void push_name(const tg_name *name)
{
    if (names.n == names.cap) {
        names.cap = names.cap ? names.cap * 2 : 256;
        names.p = tg_realloc(names.p, names.cap * sizeof *names.p);
    }
    names.p[names.n++] = name;
}

int tg__slots_grow(tg_batch *batch, tg_node *node, uint32_t n)
{
    if (node->cap - node->n >= n)
        return 0;
    size_t cap = (size_t)node->cap * 2;
    if (cap < (size_t)node->n + n)
        cap = (size_t)node->n + n;
    tg_value *slots = cap > UINT32_MAX
                          ? NULL
                          : tg_arena_alloc(batch->arena, cap * sizeof *slots);
    if (!slots)
        return TG_ERR_LIMIT;
    if (node->n)
        memcpy(slots, node->slots, node->n * sizeof *slots);
    node->slots = slots;
    node->cap = (uint32_t)cap;
    return 0;
}

int tg__map_begin(tg_map_build *m, tg_batch *batch, tg_cell *cell,
                  tg_node *parent, tg_site *site)
{
    *m = (tg_map_build){.batch = batch,
                        .site = site ? site : &nowhere,
                        .base = names.n,
                        .as_guessed = true};
    m->guess = tg_shape_guess(m->site);
    m->node = tg_node_new(batch, TG_MAP, m->guess ? m->guess : tg_shape_empty(),
                          m->guess ? m->guess->n : FIRST_SLOTS);
    if (!m->node)
        return TG_ERR_LIMIT;
    m->node->cell = cell;
    m->node->parent = parent;
    m->node->n = 0;
    return 0;
}

static const tg_name *name_of(tg_map_build *m, const char *key, uint32_t len,
                              bool *bad)
{
    bool closed = m->node->n >= MAX_INTERNED || !tg_site_open(m->site);
    *bad = tg_text_check(key, len) >= 0;
    if (*bad)
        return NULL;
    const tg_name *name = closed ? NULL : tg_name_intern(key, len);
    return name ? name : tg_name_private(m->batch, key, len);
}

tg_value *tg__map_key(tg_map_build *m, const char *key, uint32_t len,
                      tg_site **below, bool *bad)
{
    tg_node *node = m->node;
    uint32_t i = node->n;
    const tg_name *name = NULL;
    *bad = false;
    if (tg__slots_grow(m->batch, node, 1))
        return NULL;
    if (m->as_guessed && m->guess && i < m->guess->n &&
        m->guess->names[i]->len == len &&
        memcmp(m->guess->names[i]->text, key, len) == 0) {
        name = m->guess->names[i];
        *below = tg_shape_site(m->guess, i);
    } else {
        m->as_guessed = false;
        name = name_of(m, key, len, bad);
        *below = tg_site_below(m->site);
    }
    if (!name)
        return NULL;
    push_name(name);
    node->n = i + 1;
    node->slots[i] = (tg_value){.tag = TG_NULL};
    return &node->slots[i];
}

/* --- duplicates ----------------------------------------------------------- */

static bool same_name(const tg_name *a, const tg_name *b)
{
    if (a == b)
        return true;
    return (a->id == 0 || b->id == 0) && a->len == b->len &&
           memcmp(a->text, b->text, a->len) == 0;
}

/* Key before i that is the same as key i, or i. table is NULL for few. */
static uint32_t first_of(const tg_name **list, uint32_t i, uint32_t *table,
                         uint32_t mask)
{
    if (!table) {
        for (uint32_t j = 0; j < i; j++)
            if (same_name(list[j], list[i]))
                return j;
        return i;
    }
    for (uint32_t h = list[i]->hash & mask;; h = (h + 1) & mask) {
        if (table[h] == 0) {
            table[h] = i + 1;
            return i;
        }
        if (same_name(list[table[h] - 1], list[i]))
            return table[h] - 1;
    }
}

static void drop_duplicates(const tg_name **list, tg_node *node)
{
    uint32_t size = 64, *table = NULL, kept = 0;
    if (node->n > PAIRWISE) {
        while (size < node->n * 2)
            size *= 2;
        table = tg_calloc(size * sizeof *table);
    }
    for (uint32_t i = 0; i < node->n; i++) {
        list[kept] = list[i];
        tg_value v = node->slots[i];
        uint32_t at = first_of(list, kept, table, size - 1);
        node->slots[at] = v;
        kept += at == kept;
    }
    node->n = kept;
    tg_free(table);
}

void tg__map_drop(tg_map_build *m)
{
    names.n = m->base;
    if (m->base == 0 && names.cap > NAMES_KEPT) {
        tg_free(names.p);
        names.p = NULL;
        names.cap = 0;
    }
}

int tg__map_end(tg_map_build *m)
{
    tg_node *node = m->node;
    tg_shape *shape = m->guess;
    if (node->n == 0) {
        shape = tg_shape_empty();
    } else if (!m->as_guessed || !m->guess || node->n != m->guess->n) {
        drop_duplicates(names.p + m->base, node);
        shape = tg_shape_intern(m->batch, m->site, names.p + m->base, node->n);
    }
    tg__map_drop(m);
    if (!shape)
        return TG_ERR_LIMIT;
    node->shape = shape;
    if (shape->id && node->n)
        m->site->guess = shape;
    return 0;
}
