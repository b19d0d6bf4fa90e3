/*
 * HoistField: wraps the whole key or value in a map with one field, or in an
 * anonymous struct when it has a schema. The tree below is moved, not copied.
 * Script thread.
 */
#include "transform/stock.h"

typedef struct hoist {
    tg_stock base;
    const tg_name *name;
    tg_shape *map; /* of the one field */
    tg_stock_memo structs;
} hoist;

static const tg_schema *wrapped(hoist *h, const tg_schema *schema)
{
    const tg_schema *to = tg__stock_known(&h->structs, schema);
    tg_schema_field field = {h->name, schema};
    tg_schema proto = {.tag = TG_STRUCT, .nfields = 1, .fields = &field};

    if (to)
        return to;
    to = tg_schema_intern(&proto);
    tg__stock_learn(&h->structs, schema, to);
    return to;
}

static tg_shape *map_shape(hoist *h, tg_batch *batch)
{
    tg_shape *shape = h->map;

    if (!shape)
        shape = tg_shape_intern(batch, NULL, &h->name, 1);
    if (shape && shape->id)
        h->map = shape;
    return shape;
}

static bool record(tg_stock *self, tg_record *rec)
{
    hoist *h = (hoist *)self;
    tg_cell *cell = tg__stock_cell(rec, self->side);
    const tg_schema *schema, *to;
    tg_shape *shape;
    tg_node *node;
    tg_value v = {.tag = TG_NULL, .flags = TG_F_NEW}, own;

    if (!tg__stock_open(rec, cell))
        return false;
    schema = cell->schema;
    if (!tg__stock_null(cell))
        v = cell->value;
    if (v.tag == TG_NULL && schema && !schema->optional)
        return tg__stock_reject(rec,
                                "Invalid value: null used for required field: "
                                "\"%s\", schema type: %s",
                                h->name->text,
                                tg_schema_type_upper(schema->tag));
    to = schema ? wrapped(h, schema) : NULL;
    shape = to ? tg_shape_of_schema(to) : map_shape(h, rec->batch);
    node =
        shape ? tg__stock_node(cell, to ? TG_STRUCT : TG_MAP, shape, 1) : NULL;
    if (!node || tg__stock_adopt(cell, node, &v)) {
        tg__stock_full(rec->batch);
        return tg__stock_refuse(rec);
    }
    node->slots[node->n++] = v;
    own = (tg_value){.tag = node->kind, .flags = TG_F_NEW, .u.node = node};
    return tg__stock_check(rec, tg__stock_replace(cell, &own, to));
}

tg_stock *tg_stock_hoist(int32_t side, const char *field, uint32_t len)
{
    const tg_name *name = tg_name_intern(field, len);
    hoist *h;

    if (!name)
        return NULL;
    h = tg__stock_new(sizeof *h, record, NULL, side, 0);
    h->name = name;
    return &h->base;
}
