/*
 * Plans for writing: a Connect schema and the Avro type that it is written as
 * are compiled once: which branch of a union, which slot a field comes from,
 * the bytes of its default. The type is mostly the one made from the schema
 * itself; with use.latest.version and use.schema.id it is whatever the registry
 * holds: fields are matched by name, numbers widened, and fields that records
 * do not have get their defaults.
 *
 * Script thread.
 */
#include "convert/avro_out.h"
#include "convert/internal.h"
#include "data/node.h"

typedef struct planner {
    tg_avro_doc *doc;
    const tg_avro_settings *set;
    tg_err *err;
    bool strict;
} planner;

static const tg_avro_out *out_of(planner *c, tg_avro *a, const tg_schema *s);

/* --- which type takes which schema ---------------------------------------- */

static void *alloc(planner *c, size_t n)
{
    void *p = tg_arena_alloc(&c->doc->arena, n);
    memset(p, 0, n);
    return p;
}

static void *refuse_plan(planner *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void *refuse_plan(planner *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    tg_err_vset(c->err, TG_ERR_DATA, fmt, ap);
    va_end(ap);
    return NULL;
}

const char *tg__avro_type_text(const tg_avro *a)
{
    return a->full ? a->full : tg__avro_type_name(a->type);
}

/* The name that a struct's schema gets in Avro. */
static bool same_name(planner *c, const tg_avro *a, const char *name)
{
    tg_buf text = {0};
    if (!name)
        return strncmp(a->full, TG_AVRO_DEFAULT, strlen(TG_AVRO_DEFAULT)) == 0;
    for (const char *p = name;; p++) {
        size_t n = strcspn(p, ".");
        char *part = tg_strndup(p, n);
        tg__avro_scrub(&text, part, c->set);
        tg_free(part);
        p += n;
        if (!*p)
            break;
        tg_buf_str(&text, ".");
    }
    bool same = strcmp(tg_buf_cstr(&text), a->full) == 0;
    tg_buf_fini(&text);
    return same;
}

/* 2: the type is the schema's own, 1: it can hold its values, 0: it cannot. */
static int fit(planner *c, const tg_avro *a, const tg_schema *s)
{
    const char *prefix;
    switch (s->tag) {
    case TG_BOOL:
        return a->type == AVRO_BOOLEAN ? 2 : 0;
    case TG_INT8:
    case TG_INT16:
    case TG_INT32:
        return a->type == AVRO_INT
                   ? 2
                   : a->type >= AVRO_LONG && a->type <= AVRO_DOUBLE;
    case TG_INT64:
        return a->type == AVRO_LONG
                   ? 2
                   : a->type == AVRO_FLOAT || a->type == AVRO_DOUBLE;
    case TG_FLOAT32:
        return a->type == AVRO_FLOAT ? 2 : a->type == AVRO_DOUBLE;
    case TG_FLOAT64:
        return a->type == AVRO_DOUBLE ? 2 : 0;
    case TG_STR:
        if (tg__avro_enum(s, &prefix) && a->type == AVRO_ENUM)
            return strcmp(tg__avro_enum(s, &prefix), a->full) == 0 ? 3 : 1;
        return a->type == AVRO_STRING ? 2 : a->type == AVRO_ENUM;
    case TG_BYTES:
        if (a->type == AVRO_FIXED && tg__schema_param(s, TG_AVRO_FIXED_SIZE))
            return s->name && same_name(c, a, s->name) ? 3 : 1;
        return a->type == AVRO_BYTES ? 2 : a->type == AVRO_FIXED;
    case TG_ARRAY:
        return a->type == AVRO_ARRAY ? 2 : 0;
    case TG_MAP:
        return a->type == AVRO_MAP || tg__avro_is_pairs(a) ? 2 : 0;
    default:
        return a->type != AVRO_RECORD ? 0 : same_name(c, a, s->name) ? 2 : 1;
    }
}

static tg_avro *best_branch(planner *c, const tg_avro *a, const tg_schema *s,
                            uint32_t *at)
{
    int best = 0;
    for (uint32_t i = 0; i < a->n; i++) {
        int f = fit(c, a->branches[i], s);
        if (f > best) {
            best = f;
            *at = i;
        }
    }
    return best ? a->branches[*at] : NULL;
}

/* --- defaults ------------------------------------------------------------- */

/* The default of a schema as a plan writes it; false if it cannot. */
static bool encode_default(planner *c, const tg_avro_out *plan,
                           const tg_schema *s, const char **p, uint32_t *len)
{
    tg_batch *batch = tg_batch_new(1, 0);
    tg_record *rec = tg_batch_append(batch);
    tg_node *node = tg_node_new(batch, TG_ARRAY, tg_shape_array(), 1);
    tg_buf out = {0};
    tg_value v;
    tg_err why = {0};
    node->cell = &rec->value;
    bool ok = !tg__json_default(node, s, &v, &why) &&
              !tg__avro_write(plan, &out, batch, &v, &why);
    if (ok) {
        *p = tg_arena_dup(&c->doc->arena, tg_buf_cstr(&out), out.len);
        *len = (uint32_t)out.len;
    }
    tg_buf_fini(&out);
    tg_batch_free(batch);
    return ok;
}

/* What a field of the record gets that the schema does not have. */
static bool constant_field(planner *c, tg_avro_out_field *f, const tg_avro *a,
                           const tg_avro_field *af)
{
    const json_t *dflt = json_object_get(af->json, "default");
    tg_buf text = {0};
    bool ok = dflt != NULL;
    const tg_schema *s =
        ok ? tg__avro_connect(c->doc, af->type, c->set, 0, NULL) : NULL;
    f->slot = TG_AVRO_NO_SLOT;
    if (s && json_is_null(dflt))
        tg_buf_str(&text, "null");
    else if (s)
        ok = tg__avro_default_in(&text, dflt, af->type, s, c->set);
    if (ok && s) {
        tg_schema with = *s;
        with.has_default = true;
        with.default_json = tg_buf_cstr(&text);
        /* null is no default that the decoder of defaults knows */
        tg_schema plain = *s;
        plain.has_default = false;
        s = tg_schema_intern(&plain);
        f->plan = out_of(c, af->type, s);
        ok = f->plan != NULL;
        if (ok && json_is_null(dflt)) {
            f->constant = f->plan->null;
            f->len = f->plan->nulllen;
            ok = f->len > 0;
        } else if (ok) {
            ok = encode_default(c, f->plan, tg_schema_intern(&with),
                                &f->constant, &f->len);
        }
    }
    tg_buf_fini(&text);
    if (ok && s)
        return true;
    refuse_plan(c,
                "the records have no field \"%s\", for which the schema %s in"
                " the registry has no default",
                af->name, tg__avro_type_text(a));
    return false;
}

/* --- plans ---------------------------------------------------------------- */

static uint32_t field_of(planner *c, const tg_schema *s, const char *name)
{
    tg_buf text = {0};
    uint32_t at = TG_AVRO_NO_SLOT;
    for (uint32_t i = 0; i < s->nfields && at == TG_AVRO_NO_SLOT; i++) {
        text.len = 0;
        tg__avro_scrub(&text, s->fields[i].name->text, c->set);
        if (strcmp(tg_buf_cstr(&text), name) == 0)
            at = i;
    }
    tg_buf_fini(&text);
    return at;
}

static bool plan_field(planner *c, tg_avro_out_field *f, const tg_avro *a,
                       const tg_avro_field *af, const tg_schema *s)
{
    f->slot = field_of(c, s, af->name);
    if (f->slot == TG_AVRO_NO_SLOT)
        return constant_field(c, f, a, af);
    const tg_schema *fs = s->fields[f->slot].schema;
    f->plan = out_of(c, af->type, fs);
    if (!f->plan) {
        tg__converter_in(c->err, "field \"%s\"", af->name);
        return false;
    }
    if (fs->has_default && !c->set->ignore_default)
        encode_default(c, f->plan, fs, &f->constant, &f->len);
    return true;
}

static bool plan_struct(planner *c, tg_avro_out *p, tg_avro *a,
                        const tg_schema *s)
{
    uint32_t taken = 0;
    if (a->type != AVRO_RECORD)
        return false;
    p->op = OP_STRUCT;
    p->n = a->n;
    p->fields = alloc(c, a->n * sizeof *p->fields + 1);
    for (uint32_t i = 0; i < a->n; i++) {
        if (!plan_field(c, &p->fields[i], a, &a->fields[i], s))
            return false;
        taken += p->fields[i].slot != TG_AVRO_NO_SLOT;
    }
    for (uint32_t i = 0; taken < s->nfields && c->strict && i < s->nfields;
         i++) {
        tg_buf name = {0};
        tg__avro_scrub(&name, s->fields[i].name->text, c->set);
        bool there = tg__avro_field(a, tg_buf_cstr(&name));
        tg_buf_fini(&name);
        if (!there)
            return refuse_plan(
                c,
                "the records have a field \"%s\", for which the schema %s in"
                " the registry has no place; set"
                " latest.compatibility.strict=false to leave it out",
                s->fields[i].name->text, tg__avro_type_text(a));
    }
    return true;
}

/* A plan for a value in a branch of a union. */
static tg_avro_out *in_branch(planner *c, const tg_avro_out *sub, uint32_t at,
                              const tg_avro *a)
{
    tg_avro_out *p = alloc(c, sizeof *p);
    uint32_t null = tg__avro_null_branch(a);
    *p = *sub;
    p->in_union = true;
    p->prefixlen = (uint8_t)(tg__avro_put_long(p->prefix, at) - p->prefix);
    p->nulllen = 0;
    if (null < a->n)
        p->nulllen = (uint8_t)(tg__avro_put_long(p->null, null) - p->null);
    return p;
}

/* Branch for a field of a union's struct. */
static uint32_t member_branch(planner *c, const tg_avro *a, const tg_schema *s,
                              uint32_t field)
{
    const char *name = s->fields[field].name->text;
    for (uint32_t i = 0; i < a->n; i++)
        if (a->branches[i]->type != AVRO_NULL &&
            strcmp(tg__avro_member(&c->doc->arena, a->branches[i], i, c->set),
                   name) == 0)
            return i;
    for (uint32_t i = 0; i < a->n; i++)
        if (a->branches[i]->full && strcmp(a->branches[i]->full, name) == 0)
            return i;
    uint32_t at = 0;
    return best_branch(c, a, s->fields[field].schema, &at) ? at : a->n;
}

static bool plan_union(planner *c, tg_avro_out *p, tg_avro *a,
                       const tg_schema *s)
{
    uint32_t null = tg__avro_null_branch(a);
    p->op = OP_UNION;
    p->n = s->nfields;
    p->subs = alloc(c, s->nfields * sizeof *p->subs + 1);
    if (null < a->n)
        p->nulllen = (uint8_t)(tg__avro_put_long(p->null, null) - p->null);
    for (uint32_t i = 0; i < s->nfields; i++) {
        uint32_t at = member_branch(c, a, s, i);
        if (at == a->n)
            return refuse_plan(c, "no branch of the union takes \"%s\"",
                               s->fields[i].name->text);
        const tg_avro_out *sub = out_of(
            c, a->branches[at], tg_schema_optional(s->fields[i].schema, false));
        if (!sub)
            return false;
        p->subs[i] = in_branch(c, sub, at, a);
    }
    return true;
}

static bool plan_list(planner *c, tg_avro_out *p, tg_avro *a,
                      const tg_schema *s)
{
    p->subs = alloc(c, 2 * sizeof *p->subs);
    if (s->tag == TG_MAP && a->type == AVRO_ARRAY) {
        if (!tg__avro_is_pairs(a) || a->items->n != 2)
            return false;
        p->op = OP_PAIRS;
        p->value_first = strcmp(a->items->fields[0].name, "value") == 0;
        p->subs[0] = out_of(c, tg__avro_field(a->items, "key")->type, s->key);
        p->subs[1] =
            out_of(c, tg__avro_field(a->items, "value")->type, s->value);
        return p->subs[0] && p->subs[1];
    }
    if (a->type != (s->tag == TG_MAP ? AVRO_MAP : AVRO_ARRAY))
        return false;
    if (s->tag == TG_MAP && s->key->tag != TG_STR)
        return false;
    p->op = s->tag == TG_MAP ? OP_MAP : OP_ARRAY;
    if (!s->value) /* an array that a script made and left empty */
        return true;
    p->subs[0] = out_of(c, a->items, s->value);
    return p->subs[0] != NULL;
}

static bool plan_scalar(planner *c, tg_avro_out *p, const tg_avro *a,
                        const tg_schema *s)
{
    static const tg_avro_op ops[] = {
        [AVRO_BOOLEAN] = OP_BOOL,  [AVRO_INT] = OP_INT,
        [AVRO_LONG] = OP_LONG,     [AVRO_FLOAT] = OP_FLOAT,
        [AVRO_DOUBLE] = OP_DOUBLE, [AVRO_BYTES] = OP_BYTES,
        [AVRO_STRING] = OP_TEXT,   [AVRO_ENUM] = OP_ENUM,
        [AVRO_FIXED] = OP_FIXED};
    p->op = ops[a->type];
    p->n = a->type == AVRO_FIXED ? a->size : a->n;
    if (!tg_schema_is_decimal(s))
        return true;
    const char *text = tg__schema_param(s, "scale");
    char *end = NULL;
    long scale = text ? strtol(text, &end, 10) : 0;
    p->op = OP_DECIMAL;
    p->scale = (int32_t)scale;
    if (!text || end == text || *end || scale != p->scale)
        return refuse_plan(c, "a Decimal schema has no parameter scale that is"
                              " an integer");
    json_t *other = json_object_get(a->json, "scale");
    if (tg__avro_logical(a, "decimal") && tg__avro_int(other) != scale)
        return refuse_plan(c,
                           "decimals of scale %ld do not fit a schema in the"
                           " registry with scale %d",
                           scale, tg__avro_int(other));
    return true;
}

static bool plan_fill(planner *c, tg_avro_out *p, tg_avro *a,
                      const tg_schema *s)
{
    uint32_t at = 0;
    if (a->type == AVRO_UNION && tg__avro_is_union(s))
        return plan_union(c, p, a, s);
    if (a->type == AVRO_UNION) {
        tg_avro *b = best_branch(c, a, s, &at);
        const tg_avro_out *sub = b ? out_of(c, b, s) : NULL;
        if (!sub)
            return false;
        tg_avro_out *q = in_branch(c, sub, at, a);
        q->next = NULL;
        *p = *q;
        return true;
    }
    if (!fit(c, a, s))
        return false;
    if (s->tag == TG_STRUCT)
        return plan_struct(c, p, a, s);
    if (s->tag == TG_ARRAY || s->tag == TG_MAP)
        return plan_list(c, p, a, s);
    return plan_scalar(c, p, a, s);
}

static const tg_avro_out *out_of(planner *c, tg_avro *a, const tg_schema *s)
{
    for (const tg_avro_out *p = a->outs; p; p = p->next)
        if (p->schema == s)
            return p;
    tg_avro_out *p = alloc(c, sizeof *p);
    p->type = a;
    c->err->code = 0;
    if (!plan_fill(c, p, a, s)) {
        if (c->err->code)
            return NULL;
        return refuse_plan(c, "values of type %s%s%s%s cannot be written as %s",
                           tg_schema_type_name(s->tag), s->name ? " (" : "",
                           s->name ? s->name : "", s->name ? ")" : "",
                           tg__avro_type_text(a));
    }
    p->schema = s;
    p->next = a->outs;
    a->outs = p;
    return p;
}

const tg_avro_out *tg__avro_out(tg_avro_doc *doc, tg_avro *a,
                                const tg_schema *schema,
                                const tg_avro_settings *set, bool strict,
                                tg_err *err)
{
    tg_err local = {0};
    planner c = {
        .doc = doc, .set = set, .err = err ? err : &local, .strict = strict};
    if (schema)
        return out_of(&c, a, schema);
    if (!tg__avro_schemaless(a))
        return refuse_plan(&c,
                           "values without a schema cannot be written as %s",
                           tg__avro_type_text(a));
    tg_avro_out *p = alloc(&c, sizeof *p);
    p->op = OP_ANYTHING;
    p->type = a;
    return p;
}
