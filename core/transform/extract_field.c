/*
 * ExtractField: the whole key or value becomes one of its fields. The result
 * has the schema of the field, also when there is no value. Script thread.
 */
#include "transform/stock.h"

typedef struct extract {
    tg_stock base;
    tg_field_path *path;
} extract;

static bool unknown(const extract *x, tg_record *rec)
{
    return tg__stock_reject(rec, "Unknown field: %s", x->path->text);
}

/* Null with a schema takes the schema of the field. */
static bool take_null(const extract *x, tg_record *rec, tg_cell *cell)
{
    static const tg_value null = {.tag = TG_NULL, .flags = TG_F_NEW};
    const tg_schema *field;

    if (!cell->schema)
        return true;
    if (tg_field_path_schema(x->path, cell->schema, &field))
        return tg__stock_refuse(rec);
    if (!field)
        return unknown(x, rec);
    return tg__stock_check(rec, tg__stock_replace(cell, &null, field));
}

static bool record(tg_stock *self, tg_record *rec)
{
    extract *x = (extract *)self;
    tg_cell *cell = tg__stock_cell(rec, self->side);
    const tg_schema *schema = NULL;
    tg_field_at at;
    tg_node *root;
    tg_value v;

    if (!tg__stock_open(rec, cell))
        return false;
    if (tg__stock_null(cell))
        return take_null(x, rec, cell);
    root = tg__stock_object(rec, cell, "field extraction", false);
    if (!root)
        return false;
    if (root->kind == TG_STRUCT &&
        tg_field_path_schema(x->path, root->shape->schema, &schema))
        return tg__stock_refuse(rec);
    if (root->kind == TG_STRUCT && !schema)
        return unknown(x, rec);
    if (tg__stock_read(x->path, root, self->defaults, &at, &v))
        return tg__stock_refuse(rec);
    if (v.tag == TG_ABSENT)
        v = (tg_value){.tag = TG_NULL, .flags = TG_F_NEW};
    return tg__stock_check(rec, tg__stock_replace(cell, &v, schema));
}

static void fini(tg_stock *self)
{
    tg_field_path_free(((extract *)self)->path);
}

tg_stock *tg_stock_extract_field(int32_t side, int32_t defaults,
                                 const char *field, uint32_t len, int32_t v2)
{
    tg_field_path *path = tg_stock_path_new(field, len, v2);
    extract *x;

    if (!path)
        return NULL;
    x = tg__stock_new(sizeof *x, record, fini, side, defaults);
    x->path = path;
    return &x->base;
}
