/*
 * Plans: select and rename the fields of an object, as ReplaceField does.
 *
 * A plan is compiled once per shape into a list of source slots, one per field
 * that remains; applying it is one lookup by shape id and one pass over the
 * slots in place. That is possible because a source never lies before its
 * target: fields keep their order, and a field that is renamed to the name of
 * an earlier one only brings a later value forward (a map takes the last value
 * and keeps the place of the first, as Java's LinkedHashMap; in a struct it is
 * an error). Private shapes are compiled at every call. Script thread.
 */
#include "data/internal.h"

typedef struct name_list {
    const tg_name **p;
    uint32_t n, cap;
} name_list;

/* What a plan does with one shape. */
typedef struct compiled {
    tg_shape *to;            /* NULL: made privately for each node */
    const tg_schema *schema; /* of a struct */
    const tg_name *twice;    /* error: two fields of a struct get this name */
    bool same;               /* nothing changes */
    uint32_t n;
    const tg_name **names; /* n, behind src */
    uint32_t src[];
} compiled;

struct tg_plan {
    name_list include, exclude, from, to;
    compiled **cache; /* by shape id */
    uint32_t ncache;
};

/* --- making --------------------------------------------------------------- */

tg_plan *tg_plan_new(void)
{
    return tg_calloc(sizeof(tg_plan));
}

static void forget(tg_plan *plan)
{
    for (uint32_t i = 0; i < plan->ncache; i++)
        tg_free(plan->cache[i]);
    tg_free(plan->cache);
    plan->cache = NULL;
    plan->ncache = 0;
}

void tg_plan_free(tg_plan *plan)
{
    if (!plan)
        return;
    forget(plan);
    tg_free(plan->include.p);
    tg_free(plan->exclude.p);
    tg_free(plan->from.p);
    tg_free(plan->to.p);
    tg_free(plan);
}

static void push(name_list *list, const tg_name *name)
{
    if (list->n == list->cap) {
        list->cap = list->cap ? list->cap * 2 : 8;
        list->p = tg_realloc(list->p, list->cap * sizeof *list->p);
    }
    list->p[list->n++] = name;
}

void tg_plan_include(tg_plan *plan, const tg_name *name)
{
    if (!plan || !name)
        return;
    forget(plan);
    push(&plan->include, name);
}

void tg_plan_exclude(tg_plan *plan, const tg_name *name)
{
    if (!plan || !name)
        return;
    forget(plan);
    push(&plan->exclude, name);
}

void tg_plan_rename(tg_plan *plan, const tg_name *from, const tg_name *to)
{
    if (!plan || !from || !to)
        return;
    forget(plan);
    push(&plan->from, from);
    push(&plan->to, to);
}

/* --- compiling ------------------------------------------------------------ */

static int32_t index_of(const name_list *list, const tg_name *name)
{
    for (uint32_t i = 0; i < list->n; i++)
        if (tg__name_same(list->p[i], name))
            return (int32_t)i;
    return -1;
}

static bool keeps(const tg_plan *plan, const tg_name *name)
{
    return index_of(&plan->exclude, name) < 0 &&
           (plan->include.n == 0 || index_of(&plan->include, name) >= 0);
}

/* Field of c that has the name already, or c->n. */
static uint32_t taken(const tg_plan *plan, const compiled *c,
                      const tg_name *name)
{
    if (index_of(&plan->to, name) < 0)
        return c->n; /* only renaming makes names equal */
    for (uint32_t i = 0; i < c->n; i++)
        if (tg__name_same(c->names[i], name))
            return i;
    return c->n;
}

/* Sources and names of the fields that remain. */
static void select_fields(const tg_plan *plan, const tg_shape *shape,
                          compiled *c)
{
    c->same = true;
    for (uint32_t i = 0; i < shape->n; i++) {
        const tg_name *name = shape->names[i];
        if (!keeps(plan, name)) {
            c->same = false;
            continue;
        }
        int32_t r = index_of(&plan->from, name);
        const tg_name *to = r < 0 ? name : plan->to.p[r];
        uint32_t at = taken(plan, c, to);
        if (at < c->n)
            c->twice = to;
        if (at != i || to != name)
            c->same = false;
        c->src[at] = i;
        c->names[at] = to;
        c->n += at == c->n;
    }
}

static size_t compiled_size(const tg_shape *shape)
{
    size_t src = ((size_t)shape->n * sizeof(uint32_t) + 7) & ~(size_t)7;

    return sizeof(compiled) + src + shape->n * sizeof(tg_name *);
}

static void compile(const tg_plan *plan, const tg_shape *shape, compiled *c)
{
    size_t names = compiled_size(shape) - shape->n * sizeof(tg_name *);

    memset(c, 0, sizeof *c);
    c->names = (const tg_name **)(void *)((char *)c + names);
    select_fields(plan, shape, c);
    if (c->same || !shape->schema || c->twice)
        return;
    tg_schema_field *fields = tg_alloc((c->n + 1) * sizeof *fields);
    for (uint32_t i = 0; i < c->n; i++)
        fields[i] = (tg_schema_field){c->names[i],
                                      shape->schema->fields[c->src[i]].schema};
    c->schema = tg_schema_fields(shape->schema, fields, c->n);
    tg_free(fields);
}

/* For an interned shape; remembered. */
static const compiled *compiled_for(tg_plan *plan, tg_batch *batch,
                                    const tg_shape *shape)
{
    if (shape->id >= plan->ncache) {
        uint32_t n = tg_shape_count() + 16;
        plan->cache = tg_realloc(plan->cache, n * sizeof *plan->cache);
        memset(plan->cache + plan->ncache, 0,
               (n - plan->ncache) * sizeof *plan->cache);
        plan->ncache = n;
    }
    compiled *c = plan->cache[shape->id];
    if (!c) {
        c = tg_alloc(compiled_size(shape));
        compile(plan, shape, c);
        if (!c->same && !c->schema && !c->twice) {
            c->to = tg_shape_intern(batch, NULL, c->names, c->n);
            if (c->to && c->to->id == 0)
                c->to = NULL;
        }
        plan->cache[shape->id] = c;
    }
    return c;
}

static const compiled *compiled_private(const tg_plan *plan, tg_batch *batch,
                                        const tg_shape *shape)
{
    compiled *c = tg_arena_alloc(batch->arena, compiled_size(shape));

    if (c)
        compile(plan, shape, c);
    return c;
}

static int twice(const compiled *c)
{
    return tg__fail(TG_ERR_DATA,
                    "Cannot create field because of field name duplication "
                    "%s; exclude one of the two or choose another name",
                    c->twice->text);
}

const tg_schema *tg_plan_schema(const tg_plan *plan, const tg_schema *s)
{
    tg_shape *shape = tg_shape_of_schema(s);
    compiled *c = tg_alloc(compiled_size(shape));
    const tg_schema *to = NULL;

    compile(plan, shape, c);
    if (c->twice)
        twice(c);
    else
        to = c->same ? s : c->schema;
    tg_free(c);
    return to;
}

/* --- applying ------------------------------------------------------------- */

int32_t tg_plan_apply(tg_plan *plan, tg_node *node)
{
    if (!plan || !node || !node->cell ||
        (node->kind != TG_MAP && node->kind != TG_STRUCT))
        return tg__fail(TG_ERR_ARG,
                        "fields can be selected in a map or struct only");
    tg_batch *batch = tg__node_batch(node);
    tg_shape *shape = node->shape;
    const compiled *c = shape->id ? compiled_for(plan, batch, shape)
                                  : compiled_private(plan, batch, shape);
    if (!c)
        return tg__fail_full(batch);
    if (c->same)
        return 0;
    if (c->twice && shape->schema)
        return twice(c);
    tg_shape *to = c->to;
    if (!to && !c->schema)
        to = tg_shape_private(batch, c->names, c->n);
    if (!to && !c->schema)
        return tg__fail_full(batch);
    if (tg_node_touch(node))
        return TG_ERR_LIMIT;
    for (uint32_t i = 0; i < c->n; i++)
        node->slots[i] = node->slots[c->src[i]];
    node->n = c->n;
    if (c->schema)
        tg__node_retype(node, c->schema);
    else
        node->shape = to;
    return 0;
}
