/*
 * Which field of a message each field of a Connect struct is written to, and
 * how: fields are matched by name, members of unions by theirs. Made once per
 * schema. Script thread.
 */
#include "convert/decimal.h"
#include "convert/protobuf.h"
#include "convert/protobuf_wire.h"
#include <stdlib.h>

enum { DEPTH_MAX = TG_PB_DEPTH };

typedef struct binder {
    tg_pb_writer *writer;
    uint32_t depth;
    tg_err *err;
} binder;

static void *alloc(binder *b, size_t n)
{
    void *p = tg_arena_alloc(&b->writer->arena, n);
    if (!p)
        tg_err_set(b->err, TG_ERR_LIMIT,
                   "a Connect schema takes too much"
                   " memory as a Protobuf schema");
    else
        memset(p, 0, n);
    return p;
}

static const tg_proto_field *exactly(const tg_proto_message *m,
                                     const char *name)
{
    for (uint32_t i = 0; i < m->nfields; i++)
        if (strcmp(m->fields[i]->name, name) == 0)
            return m->fields[i];
    return NULL;
}

/* The name as it is, or as it would have been written. */
static const tg_proto_field *field_named(binder *b, const tg_proto_message *m,
                                         const char *name)
{
    const tg_proto_field *found = exactly(m, name);
    if (!found && b->writer->set->scrub) {
        tg_buf text = {0};
        tg_pb_scrub(&text, name, b->writer->set);
        found = exactly(m, tg_buf_cstr(&text));
        tg_buf_fini(&text);
    }
    return found;
}

static int mismatch(binder *b, const tg_pb_put *put)
{
    bool message = put->field->message != NULL;
    return tg_err_set(
        b->err, TG_ERR_DATA,
        "field \"%s\" is %s%s%s%s in the record, but %s%s%s in the"
        " Protobuf schema",
        put->name, tg_schema_type_name(put->schema->tag),
        put->schema->name ? " (" : "",
        put->schema->name ? put->schema->name : "",
        put->schema->name ? ")" : "", put->repeated ? "repeated " : "",
        message ? "message " : "",
        message ? put->field->message->full
                : tg_proto_type_name(put->field->type));
}

/* --- what fits what ------------------------------------------------------- */

static bool scalar_fits(const tg_schema *s, int type)
{
    switch (type) {
    case TG_PROTO_BOOL:
        return s->tag == TG_BOOL;
    case TG_PROTO_STRING:
        return s->tag == TG_STR;
    case TG_PROTO_BYTES:
        return s->tag == TG_BYTES &&
               !(s->name && strcmp(s->name, TG_DECIMAL_NAME) == 0);
    case TG_PROTO_ENUM:
        return s->tag == TG_STR || s->tag == TG_INT32 || s->tag == TG_INT64;
    case TG_PROTO_FLOAT:
        return s->tag == TG_FLOAT32;
    case TG_PROTO_DOUBLE:
        return s->tag == TG_FLOAT32 || s->tag == TG_FLOAT64;
    default:
        return s->tag >= TG_INT8 && s->tag <= TG_INT64;
    }
}

static bool special_fits(const tg_schema *s, int special)
{
    static const char *const names[] = {
        [TG_PB_DECIMAL] = TG_DECIMAL_NAME,
        [TG_PB_DATE] = "org.apache.kafka.connect.data.Date",
        [TG_PB_TIME] = "org.apache.kafka.connect.data.Time",
        [TG_PB_TIMESTAMP] = "org.apache.kafka.connect.data.Timestamp"};
    return s->name && strcmp(s->name, names[special]) == 0;
}

static tg_pb_out *bind(binder *b, const tg_schema *schema,
                       const tg_proto_message *m);

/* The entry of a map as a struct of its two schemas. */
static const tg_schema *entry_schema(const tg_schema *map)
{
    tg_schema_field fields[] = {{tg_name_intern("key", 3), map->key},
                                {tg_name_intern("value", 5), map->value}};
    tg_schema s = {.tag = TG_STRUCT, .fields = fields, .nfields = 2};
    return tg_schema_intern(&s);
}

static const tg_schema *value_schema(const tg_schema *s)
{
    tg_schema_field field = {tg_name_intern("value", 5), s};
    tg_schema of = {.tag = TG_STRUCT, .fields = &field, .nfields = 1};
    return tg_schema_intern(&of);
}

static int bind_message(binder *b, tg_pb_put *put)
{
    const tg_schema *s = put->schema;
    const tg_proto_message *m = put->field->message;
    int special = tg_pb_special(m);
    if (s->tag == TG_MAP) {
        put->map = true;
        if (!put->repeated || !tg_proto_is_entry(m))
            if (m->nfields != 2)
                return mismatch(b, put);
        put->sub = bind(b, entry_schema(s), m);
        return put->sub ? 0 : TG_ERR_DATA;
    }
    if (s->tag == TG_BYTES && tg_pb_param(s, TG_PB_RECURSIVE))
        return 0;
    if (s->tag == TG_STRUCT) {
        put->sub = bind(b, s, m);
        return put->sub ? 0 : TG_ERR_DATA;
    }
    if (special == TG_PB_WRAPPED && scalar_fits(s, m->first->type)) {
        put->special = TG_PB_WRAPPED;
        put->sub = bind(b, value_schema(s), m);
        return put->sub ? 0 : TG_ERR_DATA;
    }
    if (special == TG_PB_ORDINARY || special == TG_PB_WRAPPED ||
        !special_fits(s, special))
        return mismatch(b, put);
    put->special = (uint8_t)special;
    return 0;
}

static int bind_field(binder *b, const tg_proto_message *m, tg_pb_put *put,
                      const tg_schema_field *field, int32_t slot,
                      int32_t within)
{
    const tg_proto_field *f = field_named(b, m, field->name->text);
    *put = (tg_pb_put){.slot = slot,
                       .within = within,
                       .schema = field->schema,
                       .whole = field->schema,
                       .field = f,
                       .name = field->name->text};
    put->missing = f == NULL;
    if (!f)
        return 0;
    put->type = f->type;
    put->repeated = f->label == TG_PROTO_REPEATED;
    put->packed = f->packed;
    put->key = (uint32_t)f->number << 3 |
               (f->packed ? TG_PB_BYTES : tg_pb_wire(f->type));
    put->skip_zero = !m->file->proto2 && !f->presence && f->oneof < 0;
    bool array = field->schema->tag == TG_ARRAY;
    if (array)
        put->schema = field->schema->value ? field->schema->value
                                           : tg_schema_of(TG_STR, 1, NULL);
    if (put->schema->tag == TG_ARRAY || (array && put->schema->tag == TG_MAP) ||
        tg_pb_is_union(put->schema))
        return tg_err_set(b->err, TG_ERR_DATA,
                          "field \"%s\" is an array of arrays, maps or unions,"
                          " which Protobuf cannot hold",
                          put->name);
    if (put->repeated != (array || put->schema->tag == TG_MAP))
        return mismatch(b, put);
    if (f->message)
        return bind_message(b, put);
    return scalar_fits(put->schema, f->type) ? 0 : mismatch(b, put);
}

/* --- structs -------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    const tg_pb_put *x = a, *y = b;
    return (x->key > y->key) - (x->key < y->key);
}

static uint32_t count_puts(const tg_schema *s)
{
    uint32_t n = s->nfields;
    for (uint32_t i = 0; i < s->nfields; i++)
        if (tg_pb_is_union(s->fields[i].schema))
            n += s->fields[i].schema->nfields;
    return n;
}

static int bind_fields(binder *b, tg_pb_out *out)
{
    const tg_schema *s = out->schema;
    out->puts = alloc(b, (count_puts(s) + 1) * sizeof *out->puts);
    if (!out->puts)
        return TG_ERR_LIMIT;
    int rc = 0;
    for (uint32_t i = 0; i < s->nfields && !rc; i++) {
        const tg_schema *fs = s->fields[i].schema;
        if (!tg_pb_is_union(fs)) {
            rc = bind_field(b, out->message, &out->puts[out->n++],
                            &s->fields[i], (int32_t)i, -1);
            continue;
        }
        for (uint32_t j = 0; j < fs->nfields && !rc; j++)
            rc = bind_field(b, out->message, &out->puts[out->n++],
                            &fs->fields[j], (int32_t)j, (int32_t)i);
    }
    if (!rc)
        qsort(out->puts, out->n, sizeof *out->puts, by_number);
    return rc;
}

static tg_pb_out *bind(binder *b, const tg_schema *schema,
                       const tg_proto_message *m)
{
    for (tg_pb_out *o = b->writer->made; o; o = o->next)
        if (o->schema == schema && o->message == m)
            return o;
    if (b->depth == DEPTH_MAX) {
        tg_err_set(b->err, TG_ERR_DATA,
                   "the schema nests structs more than %d deep", DEPTH_MAX);
        return NULL;
    }
    tg_pb_out *out = alloc(b, sizeof *out);
    if (!out)
        return NULL;
    out->schema = schema;
    out->message = m;
    b->depth++;
    int rc = bind_fields(b, out);
    b->depth--;
    if (rc)
        return NULL;
    out->next = b->writer->made;
    b->writer->made = out;
    return out;
}

tg_pb_writer *tg_pb_writer_new(const tg_proto_message *message,
                               const tg_schema *schema,
                               const tg_pb_settings *set, tg_err *err)
{
    tg_pb_writer *w = tg_calloc(sizeof *w);
    binder b = {.writer = w, .err = err};
    tg_arena_init(&w->arena, 64 << 20);
    w->set = set;
    w->schema = schema;
    w->root = bind(&b, schema->tag == TG_STRUCT ? schema : value_schema(schema),
                   message);
    if (w->root)
        return w;
    tg_pb_writer_free(w);
    return NULL;
}

void tg_pb_writer_free(tg_pb_writer *writer)
{
    if (!writer)
        return;
    tg_arena_fini(&writer->arena);
    tg_free(writer);
}
