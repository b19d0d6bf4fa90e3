/*
 * Whole cells: key, value, header value. The bytes as received stay in raw when
 * a script writes a value, for dead letters; dirty says that they no longer
 * count. A cell that had a schema gets one for its new value. Script thread.
 */
#include "data/internal.h"

/* --- the host's side ------------------------------------------------------ */

void tg_cell_set_raw(tg_cell *cell, const tg_converter *conv, const char *p,
                     int32_t len)
{
    cell->raw = p;
    cell->rawlen = p ? len : 0;
    cell->conv = conv;
    cell->schema = NULL;
    cell->state = p ? TG_CELL_RAW : TG_CELL_NULL;
    cell->value = (tg_value){.tag = TG_NULL};
    cell->dirty = 0;
}

void tg_cell_set_text(tg_cell *cell, const char *p, uint32_t len)
{
    cell->raw = NULL;
    cell->rawlen = 0;
    cell->conv = NULL;
    cell->schema = NULL;
    cell->state = TG_CELL_DECODED;
    cell->value =
        (tg_value){.tag = TG_STR, .flags = TG_F_NEW, .len = len, .u.p = p};
    cell->dirty = 0;
}

/* Who failed to read it: not the transform that looks. */
static uint16_t stage_of(const tg_cell *cell)
{
    if (cell == &cell->record->value)
        return TG_STAGE_VALUE;
    return cell == &cell->record->key ? TG_STAGE_KEY : TG_STAGE_HEADER;
}

int32_t tg_cell_open(tg_cell *cell)
{
    if (!cell)
        return tg__fail(TG_ERR_ARG, "there is no cell to open");
    if (cell->state == TG_CELL_NULL || cell->state == TG_CELL_DECODED)
        return 0;
    if (!tg_cell_open_hook)
        return tg__fail(TG_ERR_STATE, "no converters are set up yet");
    tg_err *err = tg_err_ffi();
    tg_err_clear(err);
    cell->state = TG_CELL_RAW;
    if (tg_cell_open_hook(cell, err) == 0)
        return 0;
    cell->state = TG_CELL_BAD;
    tg_record_reject(cell->record, "%s", err->text);
    cell->record->stage = stage_of(cell);
    return TG_ERR_DATA;
}

/* --- scripts -------------------------------------------------------------- */

static int no_cell(void)
{
    return tg__fail(TG_ERR_ARG, "there is no key, value or header to write to");
}

static tg_place place(tg_cell *cell)
{
    bool decoded = cell->state == TG_CELL_DECODED;

    return (tg_place){.cell = cell,
                      .old = decoded ? &cell->value : NULL,
                      .schema = decoded ? cell->schema : NULL};
}

int tg_cell_store(tg_cell *cell, tg_value *v, const tg_schema *schema)
{
    if (tg_cell_touch(cell) || tg__value_own(cell->record->batch, v))
        return TG_ERR_LIMIT;
    cell->value = *v;
    cell->schema = schema;
    cell->state = TG_CELL_DECODED;
    return 0;
}

/* Whether a scalar of this kind may be written under the schema. */
static bool takes(const tg_schema *s, int tag)
{
    if (tg_tag_is_number(tag))
        return tg_tag_is_number(s->tag);
    if (tag == TG_STR)
        return s->tag == TG_STR || s->tag == TG_BYTES;
    return s->tag == tag;
}

/* The place for a scalar: one that the schema does not fit replaces it. */
static tg_place scalar_place(tg_cell *cell, int tag)
{
    tg_place at = place(cell);

    if (at.schema && !takes(at.schema, tag))
        at.schema = NULL;
    return at;
}

static int finish(const tg_place *at, int rc, tg_value *v)
{
    if (rc <= 0)
        return rc;
    const tg_schema *schema = at->schema;
    if (!schema && at->cell->state == TG_CELL_DECODED && at->cell->schema)
        schema = tg__schema_infer(v);
    return tg_cell_store(at->cell, v, schema);
}

int32_t tg_cell_put_null(tg_cell *cell)
{
    if (!cell)
        return no_cell();
    if (cell->state == TG_CELL_NULL ||
        (cell->state == TG_CELL_DECODED && cell->value.tag == TG_NULL))
        return 0;
    if (tg_cell_touch(cell))
        return TG_ERR_LIMIT;
    cell->value = (tg_value){.tag = TG_NULL, .flags = TG_F_NEW};
    cell->schema = NULL;
    cell->state = TG_CELL_NULL;
    return 0;
}

int32_t tg_cell_put_bool(tg_cell *cell, int32_t b)
{
    tg_value v;

    if (!cell)
        return no_cell();
    tg_place at = scalar_place(cell, TG_BOOL);
    return finish(&at, tg__fit_bool(&at, b != 0, &v), &v);
}

int32_t tg_cell_put_number(tg_cell *cell, double d)
{
    tg_value v;

    if (!cell)
        return no_cell();
    tg_place at = scalar_place(cell, TG_FLOAT64);
    int rc = tg__fit_number(&at, d, &v);
    if (rc < 0) { /* does not fit the old schema: it gets its own */
        at.schema = NULL;
        rc = tg__fit_number(&at, d, &v);
    }
    return finish(&at, rc, &v);
}

int32_t tg_cell_put_int64(tg_cell *cell, int64_t i)
{
    tg_value v;

    if (!cell)
        return no_cell();
    tg_place at = scalar_place(cell, TG_INT64);
    int rc = tg__fit_int64(&at, i, &v);
    if (rc < 0) {
        at.schema = NULL;
        rc = tg__fit_int64(&at, i, &v);
    }
    return finish(&at, rc, &v);
}

int32_t tg_cell_put_text(tg_cell *cell, const char *p, uint32_t len)
{
    tg_value v;

    if (!cell || (!p && len))
        return no_cell();
    tg_place at = scalar_place(cell, TG_STR);
    return finish(&at, tg__fit_text(&at, p, len, &v), &v);
}

int32_t tg_cell_put_bytes(tg_cell *cell, const char *p, uint32_t len)
{
    tg_value v;

    if (!cell || (!p && len))
        return no_cell();
    tg_place at = scalar_place(cell, TG_BYTES);
    return finish(&at, tg__fit_bytes(&at, p, len, &v), &v);
}

static int copy_container(tg_cell *cell, const tg_value *from)
{
    const tg_schema *schema = tg_node_schema(from->u.node);
    tg_value v;

    if (cell->state == TG_CELL_DECODED && cell->schema == schema &&
        tg_value_equal(&cell->value, from))
        return 0;
    int rc = tg_value_copy(cell->record->batch, cell, NULL, from, &v);
    return rc ? rc : tg_cell_store(cell, &v, schema);
}

int32_t tg_cell_put_copy(tg_cell *cell, const tg_value *v)
{
    tg_value out;

    if (!cell || !v)
        return no_cell();
    tg_value from = *v;
    if (from.tag <= TG_NULL)
        return tg_cell_put_null(cell);
    if (tg_tag_is_node(from.tag))
        return copy_container(cell, &from);
    tg_place at = scalar_place(cell, from.tag == TG_ESC ? TG_STR : from.tag);
    int rc = tg__fit_scalar(&at, &from, &out);
    if (rc < 0) {
        at.schema = NULL;
        rc = tg__fit_scalar(&at, &from, &out);
    }
    return finish(&at, rc, &out);
}

tg_node *tg_cell_put_node(tg_cell *cell, int32_t kind)
{
    tg_value v;

    if (!cell || (kind != TG_ARRAY && kind != TG_MAP && kind != TG_STRUCT)) {
        tg__fail(TG_ERR_ARG, "kind %d is no array, map or struct", kind);
        return NULL;
    }
    tg_place at = place(cell);
    at.typed = at.schema && at.schema->tag == TG_STRUCT && kind == TG_MAP;
    if (at.schema && (kind == TG_STRUCT || at.schema->tag != kind))
        at.schema = NULL;
    int rc = tg__fit_node(&at, kind, &v);
    if (rc < 0) {
        at.schema = NULL;
        rc = tg__fit_node(&at, kind, &v);
    }
    if (rc < 0)
        return NULL;
    if (v.tag == TG_STRUCT)
        at.schema = v.u.node->shape->schema;
    if (rc > 0 && tg_cell_store(cell, &v, at.schema))
        return NULL;
    return v.u.node;
}

int32_t tg_cell_put_encoded(tg_cell *cell, const char *conv, const char *p,
                            uint32_t len)
{
    if (!cell || !conv || (!p && len))
        return no_cell();
    if (len > INT32_MAX)
        return tg__fail(TG_ERR_LIMIT,
                        "%u bytes are too many for one record; at most %d are "
                        "possible",
                        len, INT32_MAX);
    if (!tg_converter_named_hook)
        return tg__fail(TG_ERR_STATE, "no converters are set up yet");
    const tg_converter *found = tg_converter_named_hook(conv);
    if (!found)
        return tg__fail(TG_ERR_ARG,
                        "there is no converter '%s'; known are 'json', "
                        "'string' and 'bytes'",
                        conv);
    tg_batch *batch = cell->record->batch;
    char *copy = tg_arena_dup(batch->arena, p, len);
    if (!copy)
        return tg__fail_full(batch);
    if (tg_cell_touch(cell))
        return TG_ERR_LIMIT;
    tg_cell_set_raw(cell, found, copy, (int32_t)len);
    return 0;
}
