/*
 * Plans for reading: an Avro type and its Connect schema are compiled once. A
 * type that stands in several places has one plan for each schema.
 *
 * Script thread.
 */
#include "convert/avro_plan.h"
#include "data/shape.h"

typedef struct planner {
    tg_avro_doc *doc;
    const tg_avro_settings *set;
    tg_err *err;
} planner;

static const tg_avro_plan *plan_of(planner *c, tg_avro *a, const tg_schema *s);

static bool plan_subs(planner *c, tg_avro_plan *p, uint32_t n)
{
    p->n = n;
    p->subs = tg_arena_alloc(&c->doc->arena, n * sizeof *p->subs + 1);
    memset(p->subs, 0, n * sizeof *p->subs);
    return true;
}

static bool plan_struct(planner *c, tg_avro_plan *p, tg_avro *a,
                        const tg_schema *s)
{
    p->op = OP_STRUCT;
    p->shape = tg_shape_of_schema(s);
    plan_subs(c, p, a->n);
    for (uint32_t i = 0; i < a->n; i++) {
        p->subs[i] = plan_of(c, a->fields[i].type, s->fields[i].schema);
        if (!p->subs[i])
            return false;
        p->least = tg__avro_plus(p->least, p->subs[i]->least);
    }
    return true;
}

static bool plan_union(planner *c, tg_avro_plan *p, tg_avro *a,
                       const tg_schema *s)
{
    uint32_t at, slot = 0;
    tg_avro_kind kind = tg__avro_union(a, c->set, &at);
    p->op = kind == TG_UNION_STRUCT ? OP_UNION : OP_NULLABLE;
    p->null = tg__avro_null_branch(a);
    p->least = 1;
    plan_subs(c, p, a->n);
    uint32_t *slots = tg_arena_alloc(&c->doc->arena, a->n * sizeof *slots + 1);
    p->slots = slots;
    if (kind == TG_UNION_STRUCT)
        p->shape = tg_shape_of_schema(s);
    for (uint32_t i = 0; i < a->n; i++) {
        slots[i] = slot;
        if (i == p->null)
            continue;
        p->subs[i] =
            plan_of(c, a->branches[i],
                    kind == TG_UNION_STRUCT ? s->fields[slot].schema : s);
        if (!p->subs[i])
            return false;
        slot++;
    }
    return true;
}

static bool plan_pairs(planner *c, tg_avro_plan *p, tg_avro *a,
                       const tg_schema *s)
{
    p->op = OP_PAIRS;
    p->least = 1;
    p->key_first = strcmp(a->items->fields[0].name, "key") == 0;
    plan_subs(c, p, 2);
    p->subs[0] = plan_of(c, tg__avro_field(a->items, "key")->type, s->key);
    p->subs[1] = plan_of(c, tg__avro_field(a->items, "value")->type, s->value);
    return p->subs[0] && p->subs[1];
}

static bool plan_scalar(tg_avro_plan *p, const tg_avro *a, const tg_schema *s)
{
    static const tg_avro_read ops[] = {
        [AVRO_NULL] = OP_NULL,   [AVRO_BOOLEAN] = OP_BOOL,
        [AVRO_INT] = OP_INT,     [AVRO_LONG] = OP_LONG,
        [AVRO_FLOAT] = OP_FLOAT, [AVRO_DOUBLE] = OP_DOUBLE,
        [AVRO_BYTES] = OP_BYTES, [AVRO_STRING] = OP_TEXT,
        [AVRO_ENUM] = OP_ENUM,   [AVRO_FIXED] = OP_FIXED};
    p->op = ops[a->type];
    p->decimal = tg_schema_is_decimal(s);
    p->least = a->type == AVRO_FLOAT    ? 4
               : a->type == AVRO_DOUBLE ? 8
               : a->type == AVRO_FIXED  ? tg__avro_plus(0, a->size)
                                        : 1;
    if (s->tag == TG_INT8)
        p->op = OP_INT8;
    else if (s->tag == TG_INT16)
        p->op = OP_INT16;
    p->n = a->type == AVRO_FIXED ? a->size : a->n;
    return true;
}

static bool plan_fill(planner *c, tg_avro_plan *p, tg_avro *a,
                      const tg_schema *s)
{
    switch (a->type) {
    case AVRO_RECORD:
        return plan_struct(c, p, a, s);
    case AVRO_UNION:
        return plan_union(c, p, a, s);
    case AVRO_ARRAY:
        if (tg__avro_is_pairs(a))
            return plan_pairs(c, p, a, s);
        /* fall through */
    case AVRO_MAP:
        p->op = a->type == AVRO_MAP ? OP_MAP : OP_ARRAY;
        p->least = 1;
        plan_subs(c, p, 1);
        p->subs[0] = plan_of(c, a->items, s->value);
        return p->subs[0] != NULL;
    default:
        return plan_scalar(p, a, s);
    }
}

/* The plan of a type for a schema is made once: types are shared. */
static const tg_avro_plan *plan_of(planner *c, tg_avro *a, const tg_schema *s)
{
    for (const tg_avro_plan *p = a->plans; p; p = p->next)
        if (p->schema == s)
            return p;
    tg_avro_plan *p = tg_arena_alloc(&c->doc->arena, sizeof *p);
    *p = (tg_avro_plan){.schema = s, .type = a};
    if (!plan_fill(c, p, a, s))
        return NULL;
    p->next = a->plans;
    a->plans = p;
    return p;
}

const tg_avro_plan *tg__avro_plan(tg_avro_doc *doc, tg_avro *a,
                                  const tg_schema *schema,
                                  const tg_avro_settings *set, tg_err *err)
{
    planner c = {.doc = doc, .set = set, .err = err};
    if (schema)
        return plan_of(&c, a, schema);
    tg_avro_plan *p = tg_arena_alloc(&doc->arena, sizeof *p);
    *p = (tg_avro_plan){.op = OP_ANYTHING, .type = a, .least = 9};
    return p;
}
