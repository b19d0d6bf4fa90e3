/*
 * SetSchemaMetadata: another name or version for the schema of a struct. The
 * value stays. Script thread.
 */
#include "transform/stock.h"

typedef struct metadata {
    tg_stock base;
    char *name; /* NULL: as it is */
    bool has_version;
    int32_t version;
    tg_stock_memo schemas;
} metadata;

static const tg_schema *renamed(metadata *m, const tg_schema *schema)
{
    const tg_schema *to = tg__stock_known(&m->schemas, schema);
    tg_schema proto = *schema;

    if (to)
        return to;
    if (m->name)
        proto.name = m->name;
    if (m->has_version) {
        proto.has_version = true;
        proto.version = m->version;
    }
    to = tg_schema_intern(&proto);
    tg__stock_learn(&m->schemas, schema, to);
    return to;
}

static bool change(metadata *m, tg_record *rec, tg_cell *cell)
{
    const tg_schema *to = renamed(m, cell->schema);
    tg_value v = {.tag = TG_NULL, .flags = TG_F_NEW};
    tg_node *root;

    if (tg__stock_null(cell))
        return tg__stock_check(rec, tg__stock_replace(cell, &v, to));
    root = cell->value.u.node;
    if (m->base.defaults && tg__stock_defaults(root))
        return tg__stock_refuse(rec);
    return tg__stock_check(rec, tg__stock_retype(root, to));
}

static bool record(tg_stock *self, tg_record *rec)
{
    tg_cell *cell = tg__stock_cell(rec, self->side);

    if (!tg__stock_open(rec, cell))
        return false;
    if (!cell->schema)
        return tg__stock_null(cell) ||
               tg__stock_reject(
                   rec, "Schema required for [updating schema metadata]");
    if (cell->schema->tag != TG_STRUCT)
        return tg__stock_reject(rec,
                                "Cannot list fields on non-struct type (the "
                                "schema of this record is of type %s)",
                                tg_schema_type_upper(cell->schema->tag));
    return change((metadata *)self, rec, cell);
}

static void fini(tg_stock *self)
{
    tg_free(((metadata *)self)->name);
}

tg_stock *tg_stock_schema_metadata(int32_t side, int32_t defaults,
                                   const char *name, int32_t has_version,
                                   int32_t version)
{
    metadata *m = tg__stock_new(sizeof *m, record, fini, side, defaults);

    m->name = tg_strdup(name);
    m->has_version = has_version != 0;
    m->version = version;
    return &m->base;
}
