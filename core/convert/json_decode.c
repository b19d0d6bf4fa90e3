/*
 * JSON text -> values on shapes.
 *
 * An object is guessed: the site it stands at remembers the last shape, and
 * each key is compared with the prepared text `"name":` of the next field, so a
 * known layout costs one comparison a field and no hashing. At the first key
 * that differs the object goes on in slow mode: the key is looked for among the
 * next names of the guess (optional fields that are missing), then interned,
 * and the whole layout is looked up at the closing brace. Sites that used up
 * their budget of layouts (maps with arbitrary keys) get private shapes and
 * intern nothing.
 *
 * Numbers of at most 18 digits become integers, whose text is canonical; all
 * others stay text. Strings point into the input. Script thread; the stack of
 * names is shared by nested objects of one call.
 */
#include "convert/json_scan.h"

enum {
    LOOK_AHEAD = 8,      /* names of the guess that a new key is compared to */
    MAX_INTERNED = 4096, /* fields of one object, beyond: private names */
    FIRST_SLOTS = 4,
    PAIRWISE = 16,       /* up to so many names are compared one by one */
    NAMES_KEPT = 1 << 16 /* room on the stack of names between calls */
};

static struct {
    const tg_name **p;
    size_t n, cap;
} names;

static tg_site wild;

tg_site *tg__json_wild_site(void)
{
    return &wild;
}

static void push_name(const tg_name *name)
{
    if (names.n == names.cap) {
        names.cap = names.cap ? names.cap * 2 : 256;
        names.p = tg_realloc(names.p, names.cap * sizeof *names.p);
    }
    names.p[names.n++] = name;
}

int tg__json_grow(tg_json_in *in, tg_node *node)
{
    if (node->n < node->cap)
        return 0;
    uint32_t cap = node->cap < FIRST_SLOTS ? FIRST_SLOTS : node->cap * 2;
    tg_value *slots =
        tg_arena_alloc(in->batch->arena, (size_t)cap * sizeof *slots);
    if (!slots)
        return tg__json_no_room(in);
    if (node->n)
        memcpy(slots, node->slots, node->n * sizeof *slots);
    node->slots = slots;
    node->cap = cap;
    return 0;
}

/* --- duplicate names ------------------------------------------------------ */

static bool same_name(const tg_name *a, const tg_name *b)
{
    if (a == b)
        return true;
    return (a->id == 0 || b->id == 0) && a->len == b->len &&
           memcmp(a->text, b->text, a->len) == 0;
}

/* Field that already has the name of field i, or i. table is NULL for few. */
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

/* The last of equal names wins and stands where the first one stood. */
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

/* --- objects -------------------------------------------------------------- */

static int element(tg_json_in *in, tg_value *out, tg_node *parent,
                   tg_site *site, const tg_schema *schema)
{
    return schema ? tg__json_typed(in, out, parent, site, schema)
                  : tg__json_value(in, out, parent, site);
}

static int end_of_object(tg_json_in *in, tg_node *node, const char *src)
{
    node->src = src;
    node->srclen = (uint32_t)(in->p - src);
    in->depth--;
    return 0;
}

/* ',' or '}' behind a member: 1 when another one follows, 0 at the end. */
static int next_member(tg_json_in *in)
{
    tg__json_ws(in);
    char c = in->p < in->end ? *in->p : 0;
    if (c == ',') {
        in->p++;
        tg__json_ws(in);
        return 1;
    }
    if (c != '}')
        return tg__json_fail(in, in->p, "',' or '}' after a member");
    in->p++;
    return 0;
}

static bool exhausted(const tg_site *site, uint32_t n)
{
    return n >= MAX_INTERNED || !tg_site_open(site);
}

/* The name of the next key and the site of what follows. Once a key is unknown
 * to the guess the object is likely a map with keys of its own. */
static const tg_name *slow_key(tg_json_in *in, tg_shape *guess, uint32_t *next,
                               bool *missed, bool private_names, tg_site **site)
{
    tg_site *unknown = tg_site_below(*site);
    uint32_t n = guess ? guess->n : 0;
    uint32_t look = *missed ? 2 : LOOK_AHEAD;
    uint32_t stop = n - *next > look ? *next + look : n;
    for (uint32_t i = *next; i < stop; i++) {
        if (tg__json_key_is(in, guess->names[i])) {
            *next = i + 1;
            *site = tg_shape_site(guess, i);
            return guess->names[i];
        }
    }
    *missed = true;
    *site = unknown;
    return tg__json_key(in, private_names);
}

/* The rest of an object from the key of field node->n on; the fields before it
 * have the names of guess. */
static int slow_members(tg_json_in *in, tg_node *node, tg_shape *guess,
                        tg_site *site, const tg_schema *schema)
{
    uint32_t next = node->n;
    int more = 1;
    bool missed = false;
    for (uint32_t i = 0; i < node->n; i++)
        push_name(guess->names[i]);
    while (more > 0) {
        tg_site *below = site;
        const tg_name *name = slow_key(in, guess, &next, &missed,
                                       exhausted(site, node->n), &below);
        if (!name || tg__json_grow(in, node))
            return in->err ? in->err->code : TG_ERR_DATA;
        push_name(name);
        more = element(in, &node->slots[node->n], node, below, schema);
        if (more)
            return more;
        node->n++;
        more = next_member(in);
    }
    return more;
}

/* Layout of the names from base on. */
static int settle(tg_json_in *in, tg_node *node, tg_site *site, size_t base)
{
    drop_duplicates(names.p + base, node);
    tg_shape *shape = tg_shape_intern(in->batch, site, names.p + base, node->n);
    if (!shape)
        return tg__json_no_room(in);
    node->shape = shape;
    if (shape->id)
        site->guess = shape;
    return 0;
}

/* Fields while they come as guessed. 1: the next key differs, 0: all read. */
static int guessed_members(tg_json_in *in, tg_node *node, tg_shape *guess,
                           const tg_schema *schema)
{
    for (uint32_t i = 0; i < guess->n; i++) {
        if (!tg__json_key_is(in, guess->names[i]))
            return 1;
        tg_value *slot = &node->slots[i];
        char c = in->p < in->end ? *in->p : 0;
        int rc = schema || c == '{' || c == '['
                     ? element(in, slot, node, tg_shape_site(guess, i), schema)
                     : tg__json_scalar(in, slot);
        if (rc)
            return rc;
        node->n = i + 1;
        if (in->p < in->end && *in->p == ',') {
            in->p++;
            tg__json_ws(in);
            continue;
        }
        rc = next_member(in);
        if (rc <= 0)
            return rc;
    }
    return 1;
}

int tg__json_object(tg_json_in *in, tg_value *out, tg_node *parent,
                    tg_site *site, const tg_schema *schema)
{
    const char *src = in->p++;
    if (++in->depth > TG_MAX_DEPTH)
        return tg__json_too_deep(in);
    tg_shape *guess = site->guess;
    tg_node *node =
        tg_node_new(in->batch, TG_MAP, guess ? guess : tg_shape_empty(),
                    guess ? guess->n : FIRST_SLOTS);
    if (!node)
        return tg__json_no_room(in);
    node->parent = parent;
    node->cell = in->cell;
    node->n = 0;
    out->tag = TG_MAP;
    out->flags = 0;
    out->aux = 0;
    out->len = 0;
    out->u.node = node;
    tg__json_ws(in);
    if (in->p < in->end && *in->p == '}') {
        in->p++;
        node->shape = tg_shape_empty();
        return end_of_object(in, node, src);
    }
    int rc = guess ? guessed_members(in, node, guess, schema) : 1;
    if (rc < 0)
        return rc;
    if (rc == 0 && node->n == guess->n)
        return end_of_object(in, node, src);
    size_t base = names.n;
    if (rc == 1)
        rc = slow_members(in, node, guess, site, schema);
    else
        for (uint32_t i = 0; i < node->n; i++)
            push_name(guess->names[i]);
    if (!rc)
        rc = settle(in, node, site, base);
    names.n = base;
    return rc ? rc : end_of_object(in, node, src);
}

int tg__json_array(tg_json_in *in, tg_value *out, tg_node *parent,
                   tg_site *site, const tg_schema *schema)
{
    const char *src = in->p++;
    if (++in->depth > TG_MAX_DEPTH)
        return tg__json_too_deep(in);
    tg_node *node =
        tg_node_new(in->batch, TG_ARRAY, tg_shape_array(), FIRST_SLOTS);
    if (!node)
        return tg__json_no_room(in);
    node->parent = parent;
    node->cell = in->cell;
    node->n = 0;
    out->tag = TG_ARRAY;
    out->flags = 0;
    out->aux = 0;
    out->len = 0;
    out->u.node = node;
    tg__json_ws(in);
    bool empty = in->p < in->end && *in->p == ']';
    while (!empty) {
        if (tg__json_grow(in, node))
            return TG_ERR_LIMIT;
        int rc = element(in, &node->slots[node->n], node, site, schema);
        if (rc)
            return rc;
        node->n++;
        tg__json_ws(in);
        char c = in->p < in->end ? *in->p : 0;
        if (c == ']')
            break;
        if (c != ',')
            return tg__json_fail(in, in->p, "',' or ']' after an element");
        in->p++;
        tg__json_ws(in);
    }
    in->p++;
    return end_of_object(in, node, src);
}

int tg_json_decode(tg_batch *batch, tg_cell *cell, tg_site *site, const char *p,
                   size_t len, tg_value *out, tg_err *err)
{
    tg_json_in in = {.start = p,
                     .p = p,
                     .end = p + len,
                     .batch = batch,
                     .cell = cell,
                     .err = err};
    names.n = 0;
    if (names.cap > NAMES_KEPT) {
        tg_free(names.p);
        names.p = NULL;
        names.cap = 0;
    }
    tg__json_ws(&in);
    int rc = tg__json_value(&in, out, NULL, site ? site : &wild);
    if (rc)
        return rc;
    tg__json_ws(&in);
    if (in.p != in.end)
        return tg__json_fail(&in, in.p, "nothing after the end of the value");
    return 0;
}
