/*
 * A Protobuf message as a Connect schema, and the plan to read it: one pass
 * over the message makes both. Messages that occur again share what was made,
 * unless they were cut where they contain themselves. Script thread.
 */
#include "convert/decimal.h"
#include "convert/protobuf.h"
#include "convert/protobuf_wire.h"
#include "data/shape.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { PLANS_MAX = 10000, DEPTH_MAX = TG_PB_DEPTH };

typedef struct known_plan {
    struct known_plan *next;
    const tg_proto_message *message;
    tg_pb_plan *plan;
} known_plan;

typedef struct builder {
    tg_pb_reader *reader;
    const tg_pb_settings *set;
    const tg_proto_message *chain[DEPTH_MAX];
    uint32_t depth;
    uint32_t lowest; /* of the chain that a cut refers to */
    uint32_t plans;
    known_plan *known;
    tg_err *err;
} builder;

/* --- small parts ---------------------------------------------------------- */

int tg_pb_special(const tg_proto_message *message)
{
    static const struct {
        const char *name;
        int special;
    } names[] = {{"confluent.type.Decimal", TG_PB_DECIMAL},
                 {"google.type.Date", TG_PB_DATE},
                 {"google.type.TimeOfDay", TG_PB_TIME},
                 {"google.protobuf.Timestamp", TG_PB_TIMESTAMP},
                 {"google.protobuf.DoubleValue", TG_PB_WRAPPED},
                 {"google.protobuf.FloatValue", TG_PB_WRAPPED},
                 {"google.protobuf.Int64Value", TG_PB_WRAPPED},
                 {"google.protobuf.UInt64Value", TG_PB_WRAPPED},
                 {"google.protobuf.Int32Value", TG_PB_WRAPPED},
                 {"google.protobuf.UInt32Value", TG_PB_WRAPPED},
                 {"google.protobuf.BoolValue", TG_PB_WRAPPED},
                 {"google.protobuf.StringValue", TG_PB_WRAPPED},
                 {"google.protobuf.BytesValue", TG_PB_WRAPPED}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i].name, message->full) == 0)
            return names[i].special;
    return TG_PB_ORDINARY;
}

const char *tg_pb_param(const tg_schema *schema, const char *key)
{
    for (uint32_t i = 0; i < schema->nparams; i++)
        if (strcmp(schema->params[i].key, key) == 0)
            return schema->params[i].value;
    return NULL;
}

bool tg_pb_is_union(const tg_schema *schema)
{
    return schema->tag == TG_STRUCT &&
           ((schema->name &&
             strncmp(schema->name, TG_PB_UNION, strlen(TG_PB_UNION)) == 0) ||
            tg_pb_param(schema, TG_PB_SUM_UNION));
}

static void *alloc(builder *b, size_t n)
{
    void *p = tg_arena_alloc(&b->reader->arena, n);
    if (!p)
        tg_err_set(b->err, TG_ERR_LIMIT,
                   "a Protobuf schema takes too much memory as a Connect"
                   " schema");
    else
        memset(p, 0, n);
    return p;
}

/* A schema while it is made; texts live in buf's memory until it is done. */
typedef struct draft {
    tg_schema schema;
    tg_schema_param *params;
    uint32_t cap;
    char texts[3][24]; /* numbers among the parameters */
} draft;

static void add_param(draft *d, const char *key, const char *value)
{
    if (d->schema.nparams == d->cap) {
        d->cap = d->cap ? d->cap * 2 : 4;
        d->params = tg_realloc(d->params, d->cap * sizeof *d->params);
    }
    d->params[d->schema.nparams++] = (tg_schema_param){key, value};
    d->schema.params = d->params;
}

static const tg_schema *finish(draft *d)
{
    const tg_schema *s = tg_schema_intern(&d->schema);
    tg_free(d->params);
    d->params = NULL;
    return s;
}

/* --- enums ---------------------------------------------------------------- */

static void draft_enum(builder *b, draft *d, const tg_proto_enum *e)
{
    const char *prefix = b->set->generalized ? TG_PB_SUM_ENUM : TG_PB_ENUM;
    d->schema.tag = b->set->int_enums ? TG_INT32 : TG_STR;
    d->schema.name = b->set->enhanced ? e->full : e->name;
    d->schema.optional = true;
    add_param(d, prefix, e->name);
    for (const tg_proto_constant *c = e->first; c; c = c->next) {
        char *key = tg_sprintf("%s.%s", prefix, c->name);
        char *value = tg_sprintf("%d", c->number);
        size_t lk = strlen(key) + 1, lv = strlen(value) + 1;
        char *own = tg_arena_alloc(&b->reader->arena, lk + lv);
        if (own) {
            memcpy(own, key, lk);
            memcpy(own + lk, value, lv);
            add_param(d, own, own + lk);
        }
        tg_free(key);
        tg_free(value);
    }
}

/* --- scalars -------------------------------------------------------------- */

static const char *meta(const tg_proto_field *f, const char *key)
{
    for (const tg_proto_param *p = f->params; p; p = p->next)
        if (strcmp(p->key, key) == 0)
            return p->value;
    return NULL;
}

static void draft_scalar(builder *b, draft *d, const tg_proto_field *f)
{
    const char *connect = meta(f, "connect.type");
    switch (f->type) {
    case TG_PROTO_INT32:
    case TG_PROTO_SINT32:
    case TG_PROTO_SFIXED32:
        d->schema.tag = TG_INT32;
        if (connect && strcmp(connect, "int8") == 0)
            d->schema.tag = TG_INT8;
        else if (connect && strcmp(connect, "int16") == 0)
            d->schema.tag = TG_INT16;
        else if (f->type != TG_PROTO_INT32)
            add_param(d, TG_PB_TYPE, tg_proto_type_name(f->type));
        break;
    case TG_PROTO_FLOAT:
        d->schema.tag = TG_FLOAT32;
        break;
    case TG_PROTO_DOUBLE:
        d->schema.tag = TG_FLOAT64;
        break;
    case TG_PROTO_BOOL:
        d->schema.tag = TG_BOOL;
        break;
    case TG_PROTO_STRING:
        d->schema.tag = TG_STR;
        break;
    case TG_PROTO_BYTES:
        d->schema.tag = TG_BYTES;
        break;
    case TG_PROTO_ENUM:
        draft_enum(b, d, f->enumeration);
        break;
    default:
        d->schema.tag = TG_INT64;
        if (f->type != TG_PROTO_INT64)
            add_param(d, TG_PB_TYPE, tg_proto_type_name(f->type));
        break;
    }
}

/* The scalar that a wrapper message stands for. */
static int wrapped_tag(const tg_proto_message *m)
{
    switch (m->first->type) {
    case TG_PROTO_DOUBLE:
        return TG_FLOAT64;
    case TG_PROTO_FLOAT:
        return TG_FLOAT32;
    case TG_PROTO_INT32:
        return TG_INT32;
    case TG_PROTO_BOOL:
        return TG_BOOL;
    case TG_PROTO_STRING:
        return TG_STR;
    case TG_PROTO_BYTES:
        return TG_BYTES;
    default:
        return TG_INT64;
    }
}

/* --- logical types -------------------------------------------------------- */

static const char *integer(char *out, size_t size, const char *text)
{
    char *end;
    long n = text ? strtol(text, &end, 10) : 0;
    if (!text || end == text || *end || n != (int32_t)n)
        return NULL;
    snprintf(out, size, "%d", (int)n);
    return out;
}

static void draft_special(draft *d, const tg_proto_field *f, int special)
{
    static const char *const names[] = {
        [TG_PB_DECIMAL] = TG_DECIMAL_NAME,
        [TG_PB_DATE] = "org.apache.kafka.connect.data.Date",
        [TG_PB_TIME] = "org.apache.kafka.connect.data.Time",
        [TG_PB_TIMESTAMP] = "org.apache.kafka.connect.data.Timestamp"};
    d->schema.name = names[special];
    d->schema.has_version = true;
    d->schema.version = 1;
    d->schema.tag = special == TG_PB_DECIMAL     ? TG_BYTES
                    : special == TG_PB_TIMESTAMP ? TG_INT64
                                                 : TG_INT32;
    if (special != TG_PB_DECIMAL)
        return;
    const char *scale =
        integer(d->texts[0], sizeof d->texts[0], meta(f, "scale"));
    const char *precision =
        integer(d->texts[1], sizeof d->texts[1], meta(f, "precision"));
    add_param(d, "scale", scale ? scale : "0");
    if (precision)
        add_param(d, TG_PB_PRECISION, precision);
}

/* --- fields --------------------------------------------------------------- */

static tg_pb_plan *plan_message(builder *b, const tg_proto_message *m);

static bool in_chain(builder *b, const tg_proto_message *m)
{
    for (uint32_t i = 0; i < b->depth; i++) {
        if (b->chain[i] != m)
            continue;
        if (i < b->lowest)
            b->lowest = i;
        return true;
    }
    return false;
}

/* "FooBarEntry" gives "foo_bar", as Confluent names maps. */
static const char *map_name(builder *b, const tg_proto_message *entry)
{
    const char *full = b->set->enhanced ? entry->full : entry->name;
    const char *dot = strrchr(full, '.');
    size_t head = dot ? (size_t)(dot + 1 - full) : 0, len = strlen(full);
    char *out = alloc(b, len * 2 + 1);
    if (!out)
        return NULL;
    if (len - head < 5 || strcmp(full + len - 5, "Entry") != 0) {
        memcpy(out, full, len);
        return out;
    }
    memcpy(out, full, head);
    char *at = out + head;
    for (const char *c = full + head; c < full + len - 5; c++) {
        bool upper = *c >= 'A' && *c <= 'Z';
        if (upper && c > full + head)
            *at++ = '_';
        *at++ = (char)(upper ? *c + 32 : *c);
    }
    return out;
}

static int draft_map(builder *b, draft *d, tg_pb_field *out)
{
    const tg_proto_message *entry = out->field->message;
    out->sub = plan_message(b, entry);
    if (!out->sub)
        return TG_ERR_DATA;
    d->schema.tag = TG_MAP;
    d->schema.name = map_name(b, entry);
    d->schema.key = out->sub->schema->fields[0].schema;
    d->schema.value = out->sub->schema->fields[1].schema;
    out->map = true;
    out->tag = d->schema.key->tag == TG_STR ? TG_MAP : TG_PAIRS;
    return d->schema.name ? 0 : TG_ERR_LIMIT;
}

static int draft_message(builder *b, draft *d, tg_pb_field *out)
{
    const tg_proto_field *f = out->field;
    int special = tg_pb_special(f->message);
    d->schema.optional = true;
    if (special == TG_PB_WRAPPED && !b->set->wrapper_nullables)
        special = TG_PB_ORDINARY;
    out->special = (uint8_t)special;
    if (f->label == TG_PROTO_REPEATED && tg_proto_is_entry(f->message) &&
        !in_chain(b, f->message))
        return draft_map(b, d, out);
    if (special == TG_PB_WRAPPED) {
        d->schema.tag = (uint8_t)wrapped_tag(f->message);
        out->sub = plan_message(b, f->message);
        return out->sub ? 0 : TG_ERR_DATA;
    }
    if (special != TG_PB_ORDINARY) {
        draft_special(d, f, special);
        return 0;
    }
    if (in_chain(b, f->message)) {
        d->schema.tag = TG_BYTES;
        add_param(d, TG_PB_RECURSIVE, f->message->full);
        out->raw = true;
        return 0;
    }
    out->sub = plan_message(b, f->message);
    if (!out->sub)
        return TG_ERR_DATA;
    tg_schema s = *out->sub->schema;
    s.optional = true;
    d->schema = s;
    return 0;
}

/* The keyword optional, or proto2's kind of it. */
static bool has_keyword(const tg_proto_message *m, const tg_proto_field *f)
{
    return f->presence ||
           (m->file->proto2 && f->label == TG_PROTO_OPTIONAL && f->oneof < 0);
}

static void tag_field(draft *d, const tg_proto_field *f)
{
    snprintf(d->texts[2], sizeof d->texts[2], "%d", f->number);
    add_param(d, TG_PB_TAG, d->texts[2]);
}

/* Schema of a field; out learns how to read it. */
static const tg_schema *field_schema(builder *b, const tg_proto_message *m,
                                     const tg_proto_field *f, tg_pb_field *out)
{
    draft d = {0}, array = {0};
    *out = (tg_pb_field){
        .number = (uint32_t)f->number,
        .key = (uint32_t)f->number << 3 |
               (f->packed ? (uint32_t)TG_PB_BYTES : tg_pb_wire(f->type)),
        .type = f->type,
        .wire = (uint8_t)tg_pb_wire(f->type),
        .within = -1,
        .oneof = f->oneof,
        .closed = f->type == TG_PROTO_ENUM && f->enumeration->file->proto2,
        .field = f};
    if (f->type == TG_PROTO_MESSAGE || f->type == TG_PROTO_GROUP) {
        if (draft_message(b, &d, out)) {
            tg_free(d.params);
            return NULL;
        }
    } else {
        draft_scalar(b, &d, f);
    }
    if (!out->map)
        out->tag = d.schema.tag;
    draft *last = &d;
    if (f->label == TG_PROTO_REPEATED && !out->map) {
        d.schema.optional = true;
        out->schema = finish(&d);
        out->repeated = true;
        array.schema = (tg_schema){
            .tag = TG_ARRAY, .optional = true, .value = out->schema};
        last = &array;
    }
    if (f->oneof >= 0) {
        last->schema.optional = true;
        if (out->special == TG_PB_WRAPPED)
            add_param(last, TG_PB_WRAPPER, "true");
    } else if (b->set->optional_nullables) {
        last->schema.optional |= has_keyword(m, f);
    } else if (!b->set->wrapper_nullables) {
        last->schema.optional = true;
    }
    tag_field(last, f);
    const tg_schema *s = finish(last);
    if (!out->repeated)
        out->schema = s;
    if (out->schema->tag == TG_STRUCT)
        out->shape = tg_shape_of_schema(out->schema);
    return s;
}

/* --- first values --------------------------------------------------------- */

static void set_number(tg_value *v, int tag, const char *text)
{
    v->tag = (uint8_t)tag;
    if (tag == TG_FLOAT32 || tag == TG_FLOAT64) {
        v->u.d = !text                       ? 0
                 : strcmp(text, "nan") == 0  ? (double)NAN
                 : strcmp(text, "inf") == 0  ? (double)INFINITY
                 : strcmp(text, "-inf") == 0 ? -(double)INFINITY
                                             : strtod(text, NULL);
        if (tag == TG_FLOAT32)
            v->u.d = (float)v->u.d;
    } else if (text && *text == '-') {
        v->u.i = strtoll(text, NULL, 0);
    } else {
        v->u.i = text ? (int64_t)strtoull(text, NULL, 0) : 0;
    }
}

static void set_enum(tg_value *v, const tg_pb_field *f)
{
    const tg_proto_constant *c = f->field->enumeration->first;
    const char *want = f->field->dflt;
    for (; want && c && strcmp(c->name, want) != 0;)
        c = c->next;
    if (!c)
        c = f->field->enumeration->first;
    v->tag = f->tag;
    if (f->tag == TG_INT32) {
        v->u.i = c->number;
        return;
    }
    v->u.p = c->name;
    v->len = (uint32_t)strlen(c->name);
}

/* Default of a scalar field. */
static tg_value first_value(const tg_pb_field *f)
{
    tg_value v = {0};
    const char *text = f->field->dflt;
    if (f->raw) {
        v.tag = TG_BYTES;
        v.u.p = "";
    } else if (f->type == TG_PROTO_ENUM) {
        set_enum(&v, f);
    } else if (f->tag == TG_STR || f->tag == TG_BYTES) {
        v.tag = f->tag;
        v.flags = TG_F_NEW;
        v.u.p = text ? text : "";
        v.len = text ? f->field->dfltlen : 0;
    } else if (f->tag == TG_BOOL) {
        v.tag = TG_BOOL;
        v.u.i = text && strcmp(text, "true") == 0;
    } else {
        set_number(&v, f->tag, text);
    }
    return v;
}

/* What the field holds when the bytes say nothing of it. */
static void first_of(builder *b, tg_pb_plan *plan, const tg_pb_field *f)
{
    tg_value *v = &plan->first[f->slot];
    const tg_proto_field *pf = f->field;
    bool message = pf->type == TG_PROTO_MESSAGE || pf->type == TG_PROTO_GROUP;
    bool many = f->repeated || f->map;
    bool optional = pf->presence ||
                    (b->set->optional_proto2 && has_keyword(plan->message, pf));
    v->tag = TG_NULL;
    if (pf->oneof >= 0)
        return;
    if (!b->set->struct_nulls && ((message && !many) || optional))
        return;
    if (many || message)
        plan->fills[plan->nfills++] = (tg_pb_fill){(uint32_t)f->slot, f};
    else
        *v = first_value(f);
    if (v->tag == TG_STR || v->tag == TG_BYTES)
        if (v->len)
            plan->fills[plan->nfills++] = (tg_pb_fill){(uint32_t)f->slot, f};
}

/* --- messages ------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    const tg_pb_field *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

static const tg_name *name_of(builder *b, const char *text)
{
    const tg_name *name = tg_name_intern(text, (uint32_t)strlen(text));
    if (!name)
        tg_err_set(b->err, TG_ERR_LIMIT, "too many different field names");
    return name;
}

/* The struct of a oneof. */
static const tg_schema *union_schema(builder *b, const tg_proto_message *m,
                                     uint32_t at, tg_schema_field *fields,
                                     uint32_t n)
{
    draft d = {.schema = {.tag = TG_STRUCT,
                          .optional = true,
                          .fields = fields,
                          .nfields = n}};
    const char *own = m->oneofs[at];
    char *name = NULL;
    if (b->set->generalized) {
        d.schema.name = own;
        add_param(&d, TG_PB_SUM_UNION, own);
    } else {
        bool full = b->set->enhanced;
        name = tg_sprintf("%s.%s%s%s", TG_PB_UNION, full ? m->full : "",
                          full ? "." : "", own);
        d.schema.name = name;
    }
    const tg_schema *s = finish(&d);
    tg_free(name);
    return s;
}

typedef struct members {
    tg_schema_field *fields;
    uint32_t n;
    uint32_t planned;
} members;

static int add_member(builder *b, tg_pb_plan *plan, members *to,
                      const tg_proto_field *f, int32_t within,
                      tg_schema_field *into, uint32_t *n)
{
    tg_pb_field *out = &plan->fields[to->planned];
    const tg_schema *s = field_schema(b, plan->message, f, out);
    const tg_name *name = s ? name_of(b, f->name) : NULL;
    if (!name)
        return TG_ERR_DATA;
    out->slot = (int32_t)*n;
    out->within = within;
    into[(*n)++] = (tg_schema_field){name, s};
    to->planned++;
    return 0;
}

static int add_oneof(builder *b, tg_pb_plan *plan, members *to, uint32_t at)
{
    const tg_proto_message *m = plan->message;
    tg_schema_field *own = alloc(b, (m->nfields + 1) * sizeof *own);
    uint32_t n = 0;
    int rc = own ? 0 : TG_ERR_LIMIT;
    for (uint32_t i = 0; i < m->nfields && !rc; i++)
        if (m->fields[i]->oneof == (int32_t)at)
            rc = b->set->flatten ? add_member(b, plan, to, m->fields[i], -1,
                                              to->fields, &to->n)
                                 : add_member(b, plan, to, m->fields[i],
                                              (int32_t)to->n, own, &n);
    if (rc || b->set->flatten)
        return rc;
    char *text = b->set->index_unions ? tg_sprintf("%s_%u", m->oneofs[at], at)
                                      : tg_strdup(m->oneofs[at]);
    const tg_name *name = name_of(b, text);
    tg_free(text);
    if (!name)
        return TG_ERR_LIMIT;
    to->fields[to->n++] =
        (tg_schema_field){name, union_schema(b, m, at, own, n)};
    return 0;
}

static int check_names(builder *b, const tg_pb_plan *plan, const members *to)
{
    for (uint32_t i = 0; i < to->n; i++)
        for (uint32_t j = 0; j < i; j++)
            if (to->fields[i].name == to->fields[j].name)
                return tg_err_set(b->err, TG_ERR_DATA,
                                  "message %s gives two fields the name %s",
                                  plan->message->full,
                                  to->fields[i].name->text);
    return 0;
}

static int plan_fields(builder *b, tg_pb_plan *plan)
{
    const tg_proto_message *m = plan->message;
    uint32_t room = m->nfields + m->noneofs + 1;
    members to = {.fields = alloc(b, room * sizeof *to.fields)};
    plan->fields = alloc(b, room * sizeof *plan->fields);
    plan->first = alloc(b, room * sizeof *plan->first);
    plan->fills = alloc(b, room * sizeof *plan->fills);
    if (!to.fields || !plan->fields || !plan->first || !plan->fills)
        return TG_ERR_LIMIT;
    int rc = 0;
    for (uint32_t i = 0; i < m->noneofs && !rc; i++)
        rc = add_oneof(b, plan, &to, i);
    for (uint32_t i = 0; i < m->nfields && !rc; i++)
        if (m->fields[i]->oneof < 0)
            rc = add_member(b, plan, &to, m->fields[i], -1, to.fields, &to.n);
    if (!rc && m->nfields < 2000)
        rc = check_names(b, plan, &to);
    if (rc)
        return rc;
    tg_schema s = {.tag = TG_STRUCT,
                   .name = b->set->enhanced ? m->full : m->name,
                   .fields = to.fields,
                   .nfields = to.n};
    plan->n = to.planned;
    plan->schema = tg_schema_intern(&s);
    plan->shape = tg_shape_of_schema(plan->schema);
    return 0;
}

static void settle(builder *b, tg_pb_plan *plan)
{
    qsort(plan->fields, plan->n, sizeof *plan->fields, by_number);
    for (uint32_t i = 0; i < plan->schema->nfields; i++)
        plan->first[i].tag = TG_NULL;
    for (uint32_t i = 0; i < plan->n; i++) {
        tg_pb_field *f = &plan->fields[i];
        if (f->number < 64 && i < UINT8_MAX)
            plan->direct[f->number] = (uint8_t)(i + 1);
        if (f->within < 0)
            first_of(b, plan, f);
        plan->stateful |= f->map || f->special || f->sub || f->raw;
    }
    plan->noneofs = plan->message->noneofs;
}

static tg_pb_plan *plan_message(builder *b, const tg_proto_message *m)
{
    for (known_plan *k = b->known; k; k = k->next)
        if (k->message == m)
            return k->plan;
    if (b->depth == DEPTH_MAX || ++b->plans > PLANS_MAX) {
        tg_err_set(b->err, TG_ERR_LIMIT,
                   "message %s holds messages nested more than %d deep or more"
                   " than %d of them",
                   b->chain[0]->full, DEPTH_MAX, PLANS_MAX);
        return NULL;
    }
    tg_pb_plan *plan = alloc(b, sizeof *plan);
    if (!plan)
        return NULL;
    uint32_t before = b->lowest;
    plan->message = m;
    b->chain[b->depth++] = m;
    b->lowest = DEPTH_MAX;
    int rc = plan_fields(b, plan);
    b->depth--;
    if (rc)
        return NULL;
    settle(b, plan);
    if (b->lowest >= b->depth) {
        known_plan *k = alloc(b, sizeof *k);
        if (!k)
            return NULL;
        *k = (known_plan){b->known, m, plan};
        b->known = k;
    }
    if (before < b->lowest)
        b->lowest = before;
    return plan;
}

/* --- whole values --------------------------------------------------------- */

static const tg_schema *root_schema(const tg_pb_reader *r, int version)
{
    tg_schema s = *r->plan->schema;
    if (r->scalar)
        s = (tg_schema){.tag = (uint8_t)wrapped_tag(r->plan->message)};
    s.has_version = version > 0;
    s.version = version;
    return tg_schema_intern(&s);
}

tg_pb_reader *tg_pb_reader_new(const tg_proto_message *message,
                               const tg_pb_settings *set, int version,
                               tg_err *err)
{
    tg_pb_reader *r = tg_calloc(sizeof *r);
    builder *b = tg_calloc(sizeof *b);
    tg_arena_init(&r->arena, 64 << 20);
    *b = (builder){.reader = r, .set = set, .lowest = DEPTH_MAX, .err = err};
    r->set = set;
    b->chain[0] = message;
    r->plan = plan_message(b, message);
    tg_free(b);
    if (!r->plan) {
        tg_pb_reader_free(r);
        return NULL;
    }
    r->scalar = set->wrapper_raw && tg_pb_special(message) == TG_PB_WRAPPED;
    r->schema = root_schema(r, version);
    r->shape = r->scalar ? NULL : tg_shape_of_schema(r->schema);
    return r;
}

void tg_pb_reader_free(tg_pb_reader *reader)
{
    if (!reader)
        return;
    tg_arena_fini(&reader->arena);
    tg_free(reader);
}
