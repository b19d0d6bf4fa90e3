/*
 * Helpers of the stock transforms (stock.h). Script thread.
 */
#include "transform/stock.h"
#include <stdio.h>

void *tg__stock_new(size_t size, bool (*record)(tg_stock *, tg_record *),
                    void (*fini)(tg_stock *), int32_t side, int32_t defaults)
{
    tg_stock *stock = tg_calloc(size);

    *stock = (tg_stock){record, fini, side, defaults != 0};
    return stock;
}

void tg_stock_free(tg_stock *stock)
{
    if (!stock)
        return;
    if (stock->fini)
        stock->fini(stock);
    tg_free(stock);
}

int32_t tg_stock_apply(tg_stock *stock, tg_batch *batch)
{
    if (!stock || !batch)
        return tg_err_set(tg_err_ffi(), TG_ERR_ARG,
                          "there is no batch to work on");
    for (uint32_t i = batch->lo; i < batch->hi; i++) {
        tg_record *rec = batch->items[i];

        if (rec->verdict != TG_KEEP)
            continue;
        batch->cursor = i;
        stock->record(stock, rec);
    }
    return 0;
}

int tg__stock_paths_add(tg_stock_paths *paths, const char *text, uint32_t len,
                        int32_t v2)
{
    tg_field_path *path = tg_stock_path_new(text, len, v2);

    if (!path)
        return TG_ERR_CONFIG;
    paths->p = tg_realloc(paths->p, (paths->n + 1) * sizeof *paths->p);
    paths->p[paths->n++] = path;
    return 0;
}

void tg__stock_paths_fini(tg_stock_paths *paths)
{
    for (uint32_t i = 0; i < paths->n; i++)
        tg_field_path_free(paths->p[i]);
    tg_free(paths->p);
}

/* --- sentences ------------------------------------------------------------ */

int tg__stock_logical(const tg_value *v, const tg_schema *schema)
{
    static const char prefix[] = "org.apache.kafka.connect.data.";
    static const char *const names[] = {
        [TG_LOGICAL_DECIMAL] = "Decimal",
        [TG_LOGICAL_DATE] = "Date",
        [TG_LOGICAL_TIME] = "Time",
        [TG_LOGICAL_TIMESTAMP] = "Timestamp",
    };
    const char *name = schema ? schema->name : NULL;

    if (!schema)
        return v->aux;
    if (!name || strncmp(name, prefix, sizeof prefix - 1) != 0)
        return TG_LOGICAL_NONE;
    for (int i = TG_LOGICAL_DECIMAL; i <= TG_LOGICAL_TIMESTAMP; i++)
        if (strcmp(name + sizeof prefix - 1, names[i]) == 0)
            return i;
    return TG_LOGICAL_NONE;
}

bool tg__stock_integral(const tg_value *v, const tg_schema *schema)
{
    if (schema)
        return tg_tag_is_int(schema->tag);
    for (uint32_t i = 0; i < v->len; i++)
        if (v->u.p[i] == '.' || (v->u.p[i] | 32) == 'e')
            return false;
    return true;
}

int64_t tg__stock_narrow(int tag, int64_t i)
{
    switch (tag) {
    case TG_INT8:
        return (int8_t)i;
    case TG_INT16:
        return (int16_t)i;
    case TG_INT32:
        return (int32_t)i;
    default:
        return i;
    }
}

const char *tg__stock_class(const tg_value *v, const tg_schema *schema)
{
    static const char *const names[] = {
        [TG_BOOL] = "java.lang.Boolean",
        [TG_INT8] = "java.lang.Byte",
        [TG_INT16] = "java.lang.Short",
        [TG_INT32] = "java.lang.Integer",
        [TG_INT64] = "java.lang.Long",
        [TG_FLOAT32] = "java.lang.Float",
        [TG_FLOAT64] = "java.lang.Double",
        [TG_STR] = "java.lang.String",
        [TG_ESC] = "java.lang.String",
        [TG_BYTES] = "[B",
        [TG_ARRAY] = "java.util.ArrayList",
        [TG_MAP] = "java.util.HashMap",
        [TG_STRUCT] = "org.apache.kafka.connect.data.Struct",
        [TG_PAIRS] = "java.util.HashMap",
    };
    int logical = tg__stock_logical(v, schema);

    if (v->tag <= TG_NULL)
        return "null";
    if (logical == TG_LOGICAL_NONE && v->tag == TG_NUM && schema)
        return names[schema->tag];
    if (logical == TG_LOGICAL_NONE && v->tag == TG_NUM)
        return names[tg__stock_integral(v, NULL) ? TG_INT64 : TG_FLOAT64];
    if (logical == TG_LOGICAL_NONE)
        return names[v->tag];
    return logical == TG_LOGICAL_DECIMAL ? "java.math.BigDecimal"
                                         : "java.util.Date";
}

int tg__stock_wrong_object(bool typed, const char *purpose, const tg_value *v,
                           const tg_schema *schema)
{
    return tg_err_set(tg_err_ffi(), TG_ERR_DATA,
                      typed
                          ? "Only Struct objects supported for [%s], found: %s"
                          : "Only Map objects supported in absence of schema "
                            "for [%s], found: %s",
                      purpose, tg__stock_class(v, schema));
}

int tg__stock_full(const tg_batch *batch)
{
    return tg_err_set(tg_err_ffi(), TG_ERR_LIMIT,
                      "the batch needs more than its limit of %zu bytes of "
                      "memory; use smaller batches or records",
                      batch->arena->limit);
}

bool tg__stock_reject(tg_record *rec, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    tg_err_vset(tg_err_ffi(), TG_ERR_DATA, fmt, ap);
    va_end(ap);
    return tg__stock_refuse(rec);
}

bool tg__stock_refuse(tg_record *rec)
{
    if (rec->verdict != TG_REJECT)
        tg_record_reject(rec, "%s", tg_ffi_error());
    return false;
}

/* --- reading -------------------------------------------------------------- */

bool tg__stock_open(tg_record *rec, tg_cell *cell)
{
    if (cell->state == TG_CELL_NULL || cell->state == TG_CELL_DECODED ||
        tg_cell_open(cell) >= 0)
        return true;
    return tg__stock_refuse(rec);
}

tg_node *tg__stock_object(tg_record *rec, tg_cell *cell, const char *purpose,
                          bool null_passes)
{
    static const tg_value none = {.tag = TG_NULL};
    const tg_value *v = cell->state == TG_CELL_NULL ? &none : &cell->value;

    if (v->tag <= TG_NULL && null_passes)
        return NULL;
    if (v->tag == TG_STRUCT || (v->tag == TG_MAP && !cell->schema))
        return v->u.node;
    tg__stock_wrong_object(cell->schema != NULL, purpose, v, cell->schema);
    tg__stock_refuse(rec);
    return NULL;
}

static int default_of(tg_node *node, const tg_schema *field, tg_value *v)
{
    tg_err_clear(tg_err_ffi());
    return tg_schema_default_hook(node, field, v, tg_err_ffi());
}

int tg__stock_read(tg_field_path *path, tg_node *root, bool defaults,
                   tg_field_at *at, tg_value *v)
{
    const tg_schema *s;
    int rc = tg_field_path_find(path, root, defaults, at);

    *v = (tg_value){.tag = TG_ABSENT};
    if (rc || at->slot < 0)
        return rc;
    *v = at->node->slots[at->slot];
    s = tg__stock_declared(at);
    if (v->tag > TG_NULL || !defaults || !s || !s->has_default ||
        !tg_schema_default_hook)
        return 0;
    return default_of(at->node, s, v);
}

int tg__stock_defaults(tg_node *node)
{
    const tg_schema *schema = node->shape->schema;

    if (node->kind != TG_STRUCT || !tg_schema_default_hook)
        return 0;
    for (uint32_t i = 0; i < node->n; i++) {
        const tg_schema *field = schema->fields[i].schema;
        tg_value v;
        int rc;

        if (!field->has_default || node->slots[i].tag > TG_NULL)
            continue;
        rc = tg_node_touch(node);
        if (rc == 0)
            rc = default_of(node, field, &v);
        if (rc)
            return rc;
        node->slots[i] = v;
    }
    return 0;
}

/* --- writing -------------------------------------------------------------- */

tg_node *tg__stock_node(tg_cell *cell, int kind, tg_shape *shape, uint32_t n)
{
    tg_batch *batch = cell->record->batch;
    tg_node *node = tg_node_new(batch, kind, shape, n);

    if (!node)
        return NULL;
    node->cell = cell;
    node->epoch = batch->epoch;
    node->dirty = 1;
    return node;
}

int tg__stock_adopt(tg_cell *cell, tg_node *parent, const tg_value *v)
{
    tg_node *node;

    if (!tg_tag_is_node(v->tag))
        return 0;
    node = v->u.node;
    if (cell->record->batch->epoch && tg_node_touch(node))
        return TG_ERR_LIMIT;
    node->parent = parent;
    if (node->cell != cell)
        tg_node_relink(node, cell);
    return 0;
}

int tg__stock_copy(tg_cell *cell, tg_node *parent, const tg_value *v,
                   tg_value *out)
{
    *out = *v;
    if (!tg_tag_is_node(v->tag))
        return 0;
    return tg_value_copy(cell->record->batch, cell, parent, v, out);
}

int tg__stock_replace(tg_cell *cell, const tg_value *v, const tg_schema *schema)
{
    tg_value own = *v;

    if (tg_cell_touch(cell) || tg__stock_adopt(cell, NULL, &own))
        return TG_ERR_LIMIT;
    cell->value = own;
    cell->schema = schema;
    cell->state =
        own.tag <= TG_NULL && !schema ? TG_CELL_NULL : TG_CELL_DECODED;
    return 0;
}

static int retype(tg_node *node, const tg_schema *to)
{
    const tg_schema *was = node->shape->schema;

    if (was == to)
        return 0;
    if (tg_node_touch(node))
        return TG_ERR_LIMIT;
    for (uint32_t i = 0; i < was->nfields && i < to->nfields; i++) {
        const tg_value *v = &node->slots[i];
        const tg_schema *field = to->fields[i].schema;

        if (v->tag == TG_STRUCT && field->tag == TG_STRUCT &&
            field != was->fields[i].schema && retype(v->u.node, field))
            return TG_ERR_LIMIT;
    }
    node->shape = tg_shape_of_schema(to);
    return 0;
}

int tg__stock_retype(tg_node *root, const tg_schema *to)
{
    if (retype(root, to))
        return TG_ERR_LIMIT;
    root->cell->schema = to;
    return 0;
}

int tg__stock_put(tg_node *node, int32_t slot, const tg_value *v)
{
    if (tg_node_touch(node))
        return TG_ERR_LIMIT;
    node->slots[slot] = *v;
    return 0;
}
