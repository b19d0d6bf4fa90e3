/*
 * ReplaceField: keeps, removes and renames fields. The paths are sorted into
 * one plan for every object that they name fields of; nested objects come
 * before the ones that hold them. Script thread.
 */
#include "transform/stock.h"

enum { EXCLUDE, INCLUDE, RENAME };

/* What happens to the fields of one object. */
typedef struct level {
    const tg_name *name; /* in the object above; NULL at the top */
    tg_plan *plan;
    bool whole; /* named as such: all of it is included */
    struct level *below;
    uint32_t n;
} level;

typedef struct replace {
    tg_stock base;
    level top;
    tg_stock_memo schemas;
} replace;

/* --- plans -----------------------------------------------------------------
 */

static level *below(level *l, const tg_name *name)
{
    for (uint32_t i = 0; i < l->n; i++)
        if (l->below[i].name == name)
            return &l->below[i];
    l->below = tg_realloc(l->below, (l->n + 1) * sizeof *l->below);
    l->below[l->n] = (level){.name = name, .plan = tg_plan_new()};
    return &l->below[l->n++];
}

static void free_level(level *l)
{
    for (uint32_t i = 0; i < l->n; i++)
        free_level(&l->below[i]);
    tg_free(l->below);
    tg_plan_free(l->plan);
}

static level *find_level(level *l, const tg_name *name)
{
    for (uint32_t i = 0; i < l->n; i++)
        if (l->below[i].name == name)
            return &l->below[i];
    return NULL;
}

/* --- schemas ---------------------------------------------------------------
 */

/* NULL with the sentence when two fields get one name. */
static const tg_schema *derive(const level *l, const tg_schema *s)
{
    const tg_schema *to = s;

    for (uint32_t i = 0; i < s->nfields; i++) {
        const tg_schema *field = s->fields[i].schema, *now;
        const level *under = find_level((level *)l, s->fields[i].name);

        if (!under || field->tag != TG_STRUCT)
            continue;
        now = derive(under, field);
        if (!now)
            return NULL;
        now = tg_schema_optional(now, field->optional);
        if (now != field)
            to = tg_schema_refield(to, i, now);
    }
    return tg_plan_schema(l->plan, to);
}

static const tg_schema *result(replace *x, const tg_schema *schema)
{
    const tg_schema *to = tg__stock_known(&x->schemas, schema);

    if (to)
        return to;
    to = derive(&x->top, schema);
    if (!to)
        return NULL;
    to = tg_schema_fields(to, to->fields, to->nfields);
    tg__stock_learn(&x->schemas, schema, to);
    return to;
}

/* --- records ---------------------------------------------------------------
 */

static int apply(level *l, tg_node *node)
{
    for (uint32_t i = 0; i < l->n; i++) {
        int32_t slot = tg_slot_find(node, l->below[i].name);
        const tg_value *v = slot < 0 ? NULL : &node->slots[slot];
        int rc = 0;

        if (v && v->tag == node->kind)
            rc = apply(&l->below[i], v->u.node);
        if (rc)
            return rc;
    }
    return tg_plan_apply(l->plan, node);
}

static bool record(tg_stock *self, tg_record *rec)
{
    replace *x = (replace *)self;
    tg_cell *cell = tg__stock_cell(rec, self->side);
    const tg_schema *to = NULL;
    tg_node *root;

    if (!tg__stock_open(rec, cell))
        return false;
    root = tg__stock_object(rec, cell, "field replacement", true);
    if (!root)
        return rec->verdict == TG_KEEP;
    if (root->kind == TG_STRUCT) {
        to = result(x, root->shape->schema);
        if (!to || (self->defaults && tg__stock_defaults(root)))
            return tg__stock_refuse(rec);
    }
    return tg__stock_check(rec, apply(&x->top, root)) &&
           (!to || tg__stock_check(rec, tg__stock_retype(root, to)));
}

static void fini(tg_stock *self)
{
    free_level(&((replace *)self)->top);
}

tg_stock *tg_stock_replace_field(int32_t side, int32_t defaults)
{
    replace *x = tg__stock_new(sizeof *x, record, fini, side, defaults);

    x->top.plan = tg_plan_new();
    return &x->base;
}

/* An include also keeps what leads to the field; one below an object that is
 * included whole adds nothing. */
static int add(tg_stock *stock, int what, const char *field, uint32_t len,
               int32_t v2, const tg_name *to)
{
    tg_field_path *path = tg_stock_path_new(field, len, v2);
    level *l = &((replace *)stock)->top;

    if (!path)
        return TG_ERR_CONFIG;
    for (uint32_t i = 0; i < path->n && !(what == INCLUDE && l->whole); i++) {
        const tg_name *name = path->steps[i].name;
        bool last = i + 1 == path->n;

        if (what == INCLUDE)
            tg_plan_include(l->plan, name);
        else if (last && what == EXCLUDE)
            tg_plan_exclude(l->plan, name);
        else if (last)
            tg_plan_rename(l->plan, name, to);
        if (!last || (what == INCLUDE && v2))
            l = below(l, name);
        if (last && what == INCLUDE && v2)
            l->whole = true;
    }
    tg_field_path_free(path);
    return 0;
}

int32_t tg_stock_replace_field_exclude(tg_stock *stock, const char *field,
                                       uint32_t len, int32_t v2)
{
    return add(stock, EXCLUDE, field, len, v2, NULL);
}

int32_t tg_stock_replace_field_include(tg_stock *stock, const char *field,
                                       uint32_t len, int32_t v2)
{
    return add(stock, INCLUDE, field, len, v2, NULL);
}

int32_t tg_stock_replace_field_rename(tg_stock *stock, const char *field,
                                      uint32_t len, int32_t v2, const char *to,
                                      uint32_t tolen)
{
    const tg_name *name = tg_name_intern(to, tolen);

    return name ? add(stock, RENAME, field, len, v2, name) : TG_ERR_CONFIG;
}
