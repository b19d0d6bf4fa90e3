/*
 * InsertField: adds fields from the record's coordinates and constants. In maps
 * a field of that name is overwritten; structs get a longer schema, derived
 * once. Script thread.
 */
#include "transform/stock.h"

typedef struct inserted {
    int what; /* TG_INSERT_* */
    tg_field_path *path;
    const tg_schema *schema;
    char *text; /* TG_INSERT_STATIC */
    uint32_t len;
    bool utf8;              /* the text may stand in a value as it is */
    const char *copy;       /* of the text, in the arena of the batch... */
    uint32_t copied_in;     /* ...with this serial */
    const tg_shape *before; /* layout without the field... */
    tg_shape *after;        /* ...and the same with it */
} inserted;

typedef struct insert {
    tg_stock base;
    inserted *list;
    uint32_t n;
    tg_stock_memo schemas;
} insert;

static const tg_name *last_step(const tg_field_path *path)
{
    return path->steps[path->n - 1].name;
}

/* --- values ----------------------------------------------------------------
 */

/* The text of the record that a field holds, in the batch; one copy of a
 * constant serves a whole batch. false: the arena is full. */
static bool text_of(inserted *f, const tg_record *rec, tg_value *v)
{
    bool topic = f->what == TG_INSERT_TOPIC;
    const char *p = topic ? rec->topic : f->text;
    uint32_t len = topic ? rec->topiclen : f->len;

    if (!topic && (!f->copy || f->copied_in != rec->batch->serial)) {
        f->copy = tg_arena_dup(rec->batch->arena, p, len);
        f->copied_in = rec->batch->serial;
    }
    *v = (tg_value){.tag = TG_STR,
                    .flags = TG_F_NEW,
                    .len = len,
                    .u.p = topic ? tg_arena_dup(rec->batch->arena, p, len)
                                 : f->copy};
    return v->u.p != NULL;
}

static tg_value integer(int tag, int64_t i)
{
    return (tg_value){.tag = (uint8_t)tag, .flags = TG_F_NEW, .u.i = i};
}

/* What goes into the field; TG_ABSENT: the record has none. false: rejected. */
static bool value_of(inserted *f, tg_record *rec, tg_value *v)
{
    *v = (tg_value){.tag = TG_ABSENT};
    switch (f->what) {
    case TG_INSERT_PARTITION:
        if (rec->partition >= 0)
            *v = integer(TG_INT32, rec->partition);
        return true;
    case TG_INSERT_OFFSET:
        if (!rec->origin_topic)
            return tg__stock_reject(
                rec, "Only SinkRecord supported for [field insertion], found: "
                     "org.apache.kafka.connect.source.SourceRecord");
        *v = integer(TG_INT64, rec->origin_offset);
        return true;
    case TG_INSERT_TIMESTAMP:
        if (rec->timestamp != -1)
            *v = integer(TG_INT64, rec->timestamp);
        return true;
    default:
        if (text_of(f, rec, v))
            return true;
        tg__stock_full(rec->batch);
        return tg__stock_refuse(rec);
    }
}

/* --- maps ------------------------------------------------------------------
 */

/* Behind the fields of a map. */
static int append(inserted *f, tg_node *node, const tg_value *v)
{
    tg_batch *batch = node->cell->record->batch;
    tg_shape *to = f->before == node->shape ? f->after : NULL;

    if (!to)
        to = tg_shape_add(batch, node->shape, last_step(f->path), NULL);
    if (!to)
        return tg__stock_full(batch);
    if (to->id && node->shape->id) {
        f->before = node->shape;
        f->after = to;
    }
    if (tg_node_touch(node) || tg_node_reserve(node, node->n + 1))
        return TG_ERR_LIMIT;
    node->slots[node->n++] = *v;
    node->shape = to;
    return 0;
}

static int put_map(inserted *f, tg_node *root, const tg_value *v)
{
    tg_field_at at;
    int rc = tg_field_path_find(f->path, root, false, &at);

    if (rc || !at.node)
        return rc;
    if (v->tag == TG_STR && !f->utf8 && f->what == TG_INSERT_STATIC)
        return tg_put_text(at.node, at.slot, last_step(f->path), v->u.p,
                           v->len);
    if (at.slot < 0)
        return append(f, at.node, v);
    if (tg_value_equal(&at.node->slots[at.slot], v))
        return 0;
    return tg__stock_put(at.node, at.slot, v);
}

/* --- structs ---------------------------------------------------------------
 */

/* NULL with the sentence when a field cannot be added. */
static const tg_schema *longer(insert *x, const tg_schema *schema)
{
    const tg_schema *to = tg__stock_known(&x->schemas, schema);

    if (to)
        return to;
    to = tg_schema_fields(schema, schema->fields, schema->nfields);
    for (uint32_t i = 0; i < x->n && to; i++)
        to = tg_field_path_insert(x->list[i].path, to, x->list[i].schema);
    if (to)
        tg__stock_learn(&x->schemas, schema, to);
    return to;
}

/* A slot for a field that no schema knows yet. */
static int put_struct(inserted *f, tg_node *root, const tg_value *v)
{
    tg_field_at at;
    int rc = tg_field_path_find(f->path, root, false, &at);

    if (rc || !at.node)
        return rc;
    if (tg_node_touch(at.node) || tg_node_reserve(at.node, at.node->n + 1))
        return TG_ERR_LIMIT;
    at.node->slots[at.node->n] = *v;
    if (v->tag == TG_ABSENT)
        at.node->slots[at.node->n].tag = TG_NULL;
    at.node->n++;
    return 0;
}

/* Takes back the slots that no schema knows, after a failure. */
static void trim(insert *x, tg_node *root)
{
    for (uint32_t i = 0; i < x->n; i++) {
        tg_field_at at;

        if (tg_field_path_find(x->list[i].path, root, false, &at) == 0 &&
            at.node && at.node->n > at.node->shape->n)
            at.node->n = at.node->shape->n;
    }
}

/* --- records ---------------------------------------------------------------
 */

static bool put_all(insert *x, tg_record *rec, tg_node *root)
{
    for (uint32_t i = 0; i < x->n; i++) {
        inserted *f = &x->list[i];
        tg_value v;
        int rc = 0;

        if (!value_of(f, rec, &v))
            return false;
        if (root->kind == TG_STRUCT)
            rc = put_struct(f, root, &v);
        else if (v.tag != TG_ABSENT)
            rc = put_map(f, root, &v);
        if (rc)
            return tg__stock_refuse(rec);
    }
    return true;
}

static bool record(tg_stock *self, tg_record *rec)
{
    insert *x = (insert *)self;
    tg_cell *cell = tg__stock_cell(rec, self->side);
    const tg_schema *to = NULL;
    tg_node *root;

    if (!tg__stock_open(rec, cell))
        return false;
    root = tg__stock_object(rec, cell, "field insertion", true);
    if (!root)
        return rec->verdict == TG_KEEP;
    if (root->kind == TG_STRUCT) {
        to = longer(x, root->shape->schema);
        if (!to || (self->defaults && tg__stock_defaults(root)))
            return tg__stock_refuse(rec);
    }
    if (put_all(x, rec, root) &&
        (!to || tg__stock_check(rec, tg__stock_retype(root, to))))
        return true;
    if (to)
        trim(x, root);
    return false;
}

static void fini(tg_stock *self)
{
    insert *x = (insert *)self;

    for (uint32_t i = 0; i < x->n; i++) {
        tg_field_path_free(x->list[i].path);
        tg_free(x->list[i].text);
    }
    tg_free(x->list);
}

tg_stock *tg_stock_insert_field(int32_t side, int32_t defaults)
{
    return tg__stock_new(sizeof(insert), record, fini, side, defaults);
}

int32_t tg_stock_insert_field_add(tg_stock *stock, int32_t what,
                                  const char *field, uint32_t len, int32_t v2,
                                  int32_t required, const char *text,
                                  uint32_t textlen)
{
    insert *x = (insert *)stock;
    int tag = what == TG_INSERT_PARTITION ? TG_INT32
              : what == TG_INSERT_OFFSET || what == TG_INSERT_TIMESTAMP
                  ? TG_INT64
                  : TG_STR;
    tg_field_path *path = tg_stock_path_new(field, len, v2);

    if (!path)
        return TG_ERR_CONFIG;
    x->list = tg_realloc(x->list, (x->n + 1) * sizeof *x->list);
    x->list[x->n++] = (inserted){
        .what = what,
        .path = path,
        .schema = tg_schema_of(
            tag, !required, what == TG_INSERT_TIMESTAMP ? "timestamp" : NULL),
        .text = text ? tg_strndup(text, textlen) : NULL,
        .len = text ? textlen : 0,
        .utf8 = text && tg_text_check(text, textlen) < 0};
    return 0;
}
