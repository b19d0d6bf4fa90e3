/*
 * Cast: fields, or the whole key or value, as another primitive type. Schemas
 * are derived once: a field keeps only whether it is optional, and its default,
 * cast. Script thread.
 */
#include "transform/cast_value.h"
#include "transform/stock.h"

typedef struct cast {
    tg_stock base;
    int whole; /* type of the whole value, 0: fields */
    tg_stock_paths paths;
    uint8_t *tags; /* paths.n */
    tg_stock_memo schemas;
} cast;

/* --- schemas ---------------------------------------------------------------
 */

/* The default of a schema, cast, as JSON. batch: any. */
static int cast_default(tg_node *at, const tg_schema *schema, int tag,
                        tg_schema *proto, tg_buf *json)
{
    tg_err *err = tg_err_ffi();
    tg_value was, now;
    int rc;

    proto->has_default = schema->has_default;
    if (!schema->has_default || !tg_schema_default_hook || !tg_value_json_hook)
        return 0;
    tg_err_clear(err);
    rc = tg_schema_default_hook(at, schema, &was, err);
    if (rc == 0 && was.tag <= TG_NULL) {
        proto->has_default = false;
        return 0;
    }
    if (rc == 0)
        rc = tg__cast_value(at->cell->record->batch, &was, schema, tag, &now);
    if (rc == 0)
        rc = tg_value_json_hook(json, &now, err);
    proto->default_json = tg_buf_cstr(json);
    return rc;
}

/* The schema of a field after the cast; NULL with the sentence. */
static const tg_schema *cast_field(tg_node *at, const tg_schema *schema,
                                   int tag)
{
    tg_schema proto = {.tag = (uint8_t)tag, .optional = schema->optional};
    const tg_schema *to = NULL;
    tg_buf json = {0};

    if (cast_default(at, schema, tag, &proto, &json) == 0)
        to = tg_schema_intern(&proto);
    tg_buf_fini(&json);
    return to;
}

static const tg_schema *cast_fields(cast *c, tg_node *root)
{
    const tg_schema *from = root->shape->schema, *to = from;

    if (from->has_default) { /* Struct defaults never match the new schema */
        tg_err_set(tg_err_ffi(), TG_ERR_DATA, "Invalid default value");
        return NULL;
    }
    for (uint32_t i = 0; i < c->paths.n; i++) {
        const tg_schema *field;

        if (tg_field_path_schema(c->paths.p[i], to, &field))
            return NULL;
        if (!field)
            continue;
        field = cast_field(root, field, c->tags[i]);
        if (!field)
            return NULL;
        to = tg_field_path_retype(c->paths.p[i], to, field, true);
    }
    return to;
}

static const tg_schema *result(cast *c, tg_node *root)
{
    const tg_schema *from = root->shape->schema;
    const tg_schema *to = tg__stock_known(&c->schemas, from);

    if (to)
        return to;
    to = cast_fields(c, root);
    if (to)
        tg__stock_learn(&c->schemas, from, to);
    return to;
}

/* --- fields ----------------------------------------------------------------
 */

static int put(const tg_field_at *at, const tg_value *v)
{
    const tg_value *old = &at->node->slots[at->slot];

    if (old->tag == v->tag && old->aux == 0 &&
        (v->tag == TG_STR ? old->u.p == v->u.p : old->u.i == v->u.i))
        return 0;
    return tg__stock_put(at->node, at->slot, v);
}

static int cast_one(cast *c, uint32_t i, tg_node *root)
{
    tg_batch *batch = root->cell->record->batch;
    tg_field_path *path = c->paths.p[i];
    tg_field_at at;
    tg_value v, to;
    int rc = tg__stock_read(path, root, c->base.defaults, &at, &v);

    if (rc || !at.node)
        return rc;
    if (at.slot < 0)
        return at.node->kind == TG_STRUCT
                   ? 0
                   : tg_put_null(at.node, -1, path->steps[path->n - 1].name);
    if (v.tag <= TG_NULL)
        return 0;
    rc = tg__cast_value(batch, &v, tg__stock_declared(&at), c->tags[i], &to);
    return rc ? rc : put(&at, &to);
}

static bool cast_object(cast *c, tg_record *rec, tg_cell *cell)
{
    const tg_schema *to = NULL;
    tg_node *root;

    if (cell->schema && cell->schema->tag != TG_STRUCT)
        return tg__stock_reject(rec,
                                "Cannot list fields on non-struct type (the "
                                "schema of this record is of type %s)",
                                tg_schema_type_upper(cell->schema->tag));
    root = tg__stock_object(rec, cell, "cast types", false);
    if (!root)
        return false;
    if (root->kind == TG_STRUCT) {
        to = result(c, root);
        if (!to || (c->base.defaults && tg__stock_defaults(root)))
            return tg__stock_refuse(rec);
    }
    for (uint32_t i = 0; i < c->paths.n; i++)
        if (cast_one(c, i, root))
            return tg__stock_refuse(rec);
    return !to || tg__stock_check(rec, tg__stock_retype(root, to));
}

/* --- whole values ----------------------------------------------------------
 */

/* The schema of the whole value keeps name, version, doc and parameters, unless
 * they say that it is of a logical type: it is none any more. (Kafka Connect
 * keeps these too, and then no converter can write the value.) NULL with the
 * sentence. */
static const tg_schema *whole_schema(cast *c, tg_cell *cell)
{
    const tg_schema *from = cell->schema;
    const tg_schema *to = tg__stock_known(&c->schemas, from);
    tg_schema proto = *from;
    tg_buf json = {0};
    tg_node *at;

    if (to)
        return to;
    at = tg__stock_node(cell, TG_MAP, tg_shape_empty(), 0);
    if (!at) {
        tg__stock_full(cell->record->batch);
        return NULL;
    }
    proto.tag = (uint8_t)c->whole;
    proto.nfields = 0;
    proto.key = proto.value = NULL;
    if (tg__stock_logical(&cell->value, from)) {
        proto.name = NULL;
        proto.has_version = false;
        proto.nparams = 0;
    }
    if (cast_default(at, from, c->whole, &proto, &json) == 0) {
        to = tg_schema_intern(&proto);
        tg__stock_learn(&c->schemas, from, to);
    }
    tg_buf_fini(&json);
    return to;
}

static bool cast_whole(cast *c, tg_record *rec, tg_cell *cell)
{
    const tg_schema *to = NULL;
    tg_value v;

    if (tg__cast_value(rec->batch, &cell->value, cell->schema, c->whole, &v))
        return tg__stock_refuse(rec);
    if (cell->schema) {
        to = whole_schema(c, cell);
        if (!to)
            return tg__stock_refuse(rec);
    }
    return tg__stock_check(rec, tg__stock_replace(cell, &v, to));
}

/* --- records ---------------------------------------------------------------
 */

static bool record(tg_stock *self, tg_record *rec)
{
    cast *c = (cast *)self;
    tg_cell *cell = tg__stock_cell(rec, self->side);

    if (!tg__stock_open(rec, cell))
        return false;
    if (tg__stock_null(cell))
        return true;
    return c->whole ? cast_whole(c, rec, cell) : cast_object(c, rec, cell);
}

static void fini(tg_stock *self)
{
    cast *c = (cast *)self;

    tg__stock_paths_fini(&c->paths);
    tg_free(c->tags);
}

tg_stock *tg_stock_cast(int32_t side, int32_t defaults, int32_t whole)
{
    cast *c = tg__stock_new(sizeof *c, record, fini, side, defaults);

    c->whole = whole;
    return &c->base;
}

int32_t tg_stock_cast_field(tg_stock *stock, const char *field, uint32_t len,
                            int32_t v2, int32_t tag)
{
    cast *c = (cast *)stock;
    int rc = tg__stock_paths_add(&c->paths, field, len, v2);

    if (rc)
        return rc;
    c->tags = tg_realloc(c->tags, c->paths.n * sizeof *c->tags);
    c->tags[c->paths.n - 1] = (uint8_t)tag;
    return 0;
}
