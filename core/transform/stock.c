/*
 * Helpers of the stock transforms (stock.h). Script thread.
 */
#include "transform/stock.h"
#include <stdio.h>

/* --- sentences ------------------------------------------------------------ */

enum { LOGICAL_NONE, LOGICAL_DECIMAL, LOGICAL_DATE };

static int logical(const tg_schema *schema)
{
    static const char prefix[] = "org.apache.kafka.connect.data.";
    const char *name = schema ? schema->name : NULL;

    if (!name || strncmp(name, prefix, sizeof prefix - 1) != 0)
        return LOGICAL_NONE;
    name += sizeof prefix - 1;
    if (strcmp(name, "Decimal") == 0)
        return LOGICAL_DECIMAL;
    return strcmp(name, "Date") == 0 || strcmp(name, "Time") == 0 ||
                   strcmp(name, "Timestamp") == 0
               ? LOGICAL_DATE
               : LOGICAL_NONE;
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
        [TG_NUM] = "java.lang.Double",
        [TG_STR] = "java.lang.String",
        [TG_ESC] = "java.lang.String",
        [TG_BYTES] = "[B",
        [TG_ARRAY] = "java.util.ArrayList",
        [TG_MAP] = "java.util.HashMap",
        [TG_STRUCT] = "org.apache.kafka.connect.data.Struct",
        [TG_PAIRS] = "java.util.HashMap",
    };
    int kind = logical(schema);

    if (v->tag <= TG_NULL)
        return "null";
    if (kind == LOGICAL_DECIMAL)
        return "java.math.BigDecimal";
    return kind == LOGICAL_DATE ? "java.util.Date" : names[v->tag];
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

int tg__stock_defaults(tg_node *node)
{
    const tg_schema *schema = node->shape->schema;
    tg_err *err = tg_err_ffi();

    if (node->kind != TG_STRUCT || !tg_schema_default_hook)
        return 0;
    for (uint32_t i = 0; i < node->n; i++) {
        const tg_schema *field = schema->fields[i].schema;
        tg_value v;
        int rc;

        if (!field->has_default || node->slots[i].tag > TG_NULL)
            continue;
        tg_err_clear(err);
        rc = tg_node_touch(node);
        if (rc == 0)
            rc = tg_schema_default_hook(node, field, &v, err);
        if (rc)
            return rc;
        node->slots[i] = v;
    }
    return 0;
}

/* --- writing -------------------------------------------------------------- */

int tg__stock_replace(tg_cell *cell, const tg_value *v, const tg_schema *schema)
{
    tg_value own = *v;

    if (tg_cell_touch(cell))
        return TG_ERR_LIMIT;
    if (tg_tag_is_node(own.tag) && own.u.node->parent) {
        tg_node *node = own.u.node;
        if (tg_node_touch(node))
            return TG_ERR_LIMIT;
        node->parent = NULL;
    }
    if (tg_tag_is_node(own.tag))
        tg_node_relink(own.u.node, cell);
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
    for (uint32_t i = 0; i < node->n; i++) {
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
