/*
 * Nodes: making, marking as changed, copying.
 *
 * Invariant: what is above a dirty node is dirty up to the cell, and what is
 * above a node saved in this stage is saved too. So a second write to a node
 * stops at the first test of tg_node_touch. Saving comes first and for the
 * whole path, marking second: a full arena leaves no half-marked path behind.
 */
#include "data/internal.h"

enum { SPARE = 2 };

tg_node *tg_node_new(tg_batch *batch, int kind, tg_shape *shape, uint32_t n)
{
    size_t room = (size_t)n + SPARE;
    tg_node *node =
        tg_arena_alloc(batch->arena, sizeof *node + room * sizeof(tg_value));

    if (!node) {
        tg__fail_full(batch);
        return NULL;
    }
    *node = (tg_node){.shape = shape,
                      .slots = (tg_value *)(node + 1),
                      .cap = (uint32_t)room,
                      .born = batch->serial,
                      .kind = (uint8_t)kind};
    return node;
}

tg_node *tg__node_fresh(tg_batch *batch, tg_cell *cell, tg_node *parent,
                        int kind, tg_shape *shape, uint32_t room)
{
    tg_node *node = tg_node_new(batch, kind, shape, room);

    if (!node)
        return NULL;
    node->cell = cell;
    node->parent = parent;
    node->epoch = batch->epoch;
    node->dirty = 1;
    return node;
}

int tg_node_reserve(tg_node *node, uint32_t n)
{
    if (n <= node->cap)
        return 0;
    tg_batch *batch = tg__node_batch(node);
    size_t cap = (size_t)node->cap * 2;
    if (cap < n)
        cap = n;
    tg_value *slots = tg_arena_alloc(batch->arena, cap * sizeof *slots);
    if (!slots || cap > UINT32_MAX)
        return tg__fail_full(batch);
    memcpy(slots, node->slots, (size_t)node->n * sizeof *slots);
    node->slots = slots;
    node->cap = (uint32_t)cap;
    return 0;
}

int tg__node_depth(const tg_node *node)
{
    int depth = 0;

    for (; node && depth < TG_MAX_DEPTH; node = node->parent)
        depth++;
    return depth;
}

/* --- marks ---------------------------------------------------------------- */

int tg_cell_touch(tg_cell *cell)
{
    tg_batch *batch = cell->record->batch;

    if (batch->epoch && cell->epoch != batch->epoch) {
        if (tg__undo_cell(batch, cell))
            return TG_ERR_LIMIT;
        cell->epoch = batch->epoch;
    }
    cell->dirty = 1;
    return 0;
}

static bool marked(const tg_node *node, uint32_t epoch)
{
    return node->dirty && (epoch == 0 || node->epoch == epoch);
}

static int touch_path(tg_batch *batch, tg_node *node)
{
    uint32_t epoch = batch->epoch;

    for (tg_node *n = node; epoch && n && !marked(n, epoch); n = n->parent)
        if (n->epoch != epoch && tg__undo_node(batch, n))
            return TG_ERR_LIMIT;
    if (tg_cell_touch(node->cell))
        return TG_ERR_LIMIT;
    for (tg_node *n = node; n && !marked(n, epoch); n = n->parent) {
        n->dirty = 1;
        if (epoch)
            n->epoch = epoch;
    }
    return 0;
}

int tg_node_touch(tg_node *node)
{
    tg_batch *batch = tg__node_batch(node);

    return marked(node, batch->epoch) ? 0 : touch_path(batch, node);
}

int tg_record_touch(tg_record *rec)
{
    tg_batch *batch = rec->batch;

    if (batch->epoch && rec->epoch != batch->epoch) {
        if (tg__undo_record(batch, rec))
            return TG_ERR_LIMIT;
        rec->epoch = batch->epoch;
    }
    return 0;
}

void tg_node_relink(tg_node *node, tg_cell *cell)
{
    node->cell = cell;
    for (uint32_t i = 0; i < node->n; i++)
        if (tg_tag_is_node(node->slots[i].tag))
            tg_node_relink(node->slots[i].u.node, cell);
}

/* --- copies --------------------------------------------------------------- */

typedef struct copier {
    tg_batch *batch;
    tg_cell *cell;
    bool share; /* same batch: texts and src can be shared */
} copier;

/* A private shape of another batch, made again in this one. */
static tg_shape *copy_shape(const copier *c, const tg_node *from)
{
    tg_shape *shape = from->shape;

    if (shape->id || shape->schema || from->born == c->batch->serial)
        return shape;
    tg_shape *to = tg_shape_private(c->batch, shape->names, shape->n);
    for (uint32_t i = 0; to && i < shape->n; i++) {
        const tg_name *name = shape->names[i];
        if (name->id == 0)
            name = tg_name_private(c->batch, name->text, name->len);
        if (!name)
            return NULL;
        to->names[i] = name;
    }
    return to;
}

static int copy_value(const copier *c, tg_node *parent, const tg_value *from,
                      tg_value *to, int depth);

static tg_node *copy_node(const copier *c, tg_node *parent, const tg_node *from,
                          int depth)
{
    tg_shape *shape = copy_shape(c, from);
    tg_node *node = NULL;

    if (shape)
        node = tg__node_fresh(c->batch, c->cell, parent, from->kind, shape,
                              from->n);
    if (!node)
        return NULL;
    for (uint32_t i = 0; i < from->n; i++) {
        if (copy_value(c, node, &from->slots[i], &node->slots[i], depth + 1))
            return NULL;
        node->n = i + 1;
    }
    if (c->share) {
        node->src = from->src;
        node->srclen = from->srclen;
        node->dirty = from->dirty;
    }
    return node;
}

static int copy_text(const copier *c, const tg_value *from, tg_value *to)
{
    const char *p = c->share ? from->u.p : NULL;

    if (!p)
        p = tg_arena_dup(c->batch->arena, from->u.p, from->len);
    if (!p)
        return tg__fail_full(c->batch);
    to->u.p = p;
    return 0;
}

int tg__value_own(tg_batch *batch, tg_value *v)
{
    copier c = {batch, NULL, false};

    if (v->tag < TG_NUM || v->tag > TG_BYTES)
        return 0;
    return copy_text(&c, v, v);
}

static int copy_value(const copier *c, tg_node *parent, const tg_value *from,
                      tg_value *to, int depth)
{
    *to = *from;
    if (tg_tag_is_node(from->tag)) {
        if (depth >= TG_MAX_DEPTH)
            return tg__fail_deep();
        to->u.node = copy_node(c, parent, from->u.node, depth);
        return to->u.node ? 0 : tg_err_ffi()->code;
    }
    if (from->tag >= TG_NUM && from->tag <= TG_BYTES)
        return copy_text(c, from, to);
    if (!c->share)
        to->len = 0;
    return 0;
}

int tg_value_copy(tg_batch *batch, tg_cell *cell, tg_node *parent,
                  const tg_value *from, tg_value *to)
{
    copier c = {batch, cell, false};

    return copy_value(&c, parent, from, to, tg__node_depth(parent));
}

int tg__value_share(tg_batch *batch, tg_cell *cell, tg_node *parent,
                    const tg_value *from, tg_value *to)
{
    copier c = {batch, cell, true};

    return copy_value(&c, parent, from, to, 0);
}

/* --- schemas of a tree ---------------------------------------------------- */

static int32_t index_in(const tg_node *parent, const tg_node *node)
{
    for (uint32_t i = 0; i < parent->n; i++)
        if (parent->slots[i].u.node == node &&
            tg_tag_is_node(parent->slots[i].tag))
            return (int32_t)i;
    return -1;
}

static bool is_root(const tg_node *node)
{
    const tg_cell *cell = node->cell;

    return cell->state == TG_CELL_DECODED && tg_tag_is_node(cell->value.tag) &&
           cell->value.u.node == node;
}

const tg_schema *tg_node_schema(const tg_node *node)
{
    if (node->kind == TG_STRUCT)
        return node->shape->schema;
    if (!node->cell->schema)
        return NULL;
    const tg_node *parent = node->parent;
    if (!parent)
        return is_root(node) ? node->cell->schema : NULL;
    const tg_schema *s = tg_node_schema(parent);
    int32_t at = s ? index_in(parent, node) : -1;
    if (at < 0)
        return NULL;
    if (parent->kind != TG_STRUCT)
        return parent->kind == TG_PAIRS && at % 2 == 0 ? s->key : s->value;
    return s->fields[at].schema;
}

const tg_schema *tg_slot_schema(const tg_node *node, int32_t slot)
{
    const tg_schema *s = tg_node_schema(node);

    if (!s)
        return NULL;
    if (node->kind == TG_STRUCT)
        return s->fields[slot].schema;
    return node->kind == TG_PAIRS && slot % 2 == 0 ? s->key : s->value;
}

/* A nested struct stays as optional as it was; see tg_schema_with. */
static const tg_schema *as_optional(const tg_node *node, const tg_schema *was,
                                    const tg_schema *s)
{
    return node->parent ? tg_schema_optional(s, was->optional) : s;
}

void tg__schema_follow(tg_node *node, const tg_schema *s)
{
    for (tg_node *p; (p = node->parent) != NULL; node = p) {
        const tg_schema *ps = tg_node_schema(p);
        if (!ps || (p->kind != TG_STRUCT && ps->value == s))
            return;
        int32_t at = index_in(p, node);
        if (at < 0)
            return;
        if (p->kind == TG_STRUCT) {
            if (ps->fields[at].schema == s)
                return;
            s = as_optional(p, ps, tg_schema_refield(ps, (uint32_t)at, s));
            p->shape = tg_shape_of_schema(s);
        } else {
            if (p->kind == TG_PAIRS && at % 2 == 0)
                return;
            s = tg_schema_items(ps, s);
        }
    }
    if (is_root(node))
        node->cell->schema = s;
}

void tg__node_retype(tg_node *node, const tg_schema *s)
{
    s = as_optional(node, node->shape->schema, s);
    node->shape = tg_shape_of_schema(s);
    tg__schema_follow(node, s);
}
