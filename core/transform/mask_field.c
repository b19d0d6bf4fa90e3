/*
 * MaskField: puts the zero of a field's kind, or a replacement, in place of its
 * value. Script thread.
 */
#include "transform/stock.h"

typedef struct mask {
    tg_stock base;
    tg_stock_paths paths;
    char *text; /* the replacement, NULL: zeroes */
    uint32_t len;
    bool utf8;
    int forms; /* TG_MASK_* of the replacement, with its values */
    int64_t i;
    double d;
    const char *copy;   /* of the text, in the arena of the batch... */
    uint32_t copied_in; /* ...with this serial */
} mask;

/* --- zeroes ----------------------------------------------------------------
 */

static tg_value make(int tag, int logical)
{
    return (tg_value){
        .tag = (uint8_t)tag, .flags = TG_F_NEW, .aux = (uint16_t)logical};
}

/* A number as text, in constant memory. */
static tg_value number_text(const char *text, int logical)
{
    tg_value v = make(TG_NUM, logical);

    v.u.p = text;
    v.len = (uint32_t)strlen(text);
    return v;
}

static int cannot(const tg_value *v, const tg_schema *schema, bool replaced)
{
    return tg_err_set(tg_err_ffi(), TG_ERR_DATA,
                      replaced ? "Cannot mask value of type class %s with "
                                 "custom replacement."
                               : "Cannot mask value of type: class %s",
                      tg__stock_class(v, schema));
}

static int put_zero(const tg_field_at *at, int logical, const tg_schema *schema)
{
    const tg_value *old = &at->node->slots[at->slot];
    tg_value v;

    switch (old->tag) {
    case TG_STR:
    case TG_ESC:
        if (old->len == 0)
            return 0;
        v = make(TG_STR, 0);
        v.u.p = "";
        return tg__stock_put(at->node, at->slot, &v);
    case TG_NUM:
        if (logical != TG_LOGICAL_DECIMAL)
            break;
        v = number_text("0", logical);
        return tg__stock_put(at->node, at->slot, &v);
    case TG_BYTES:
        if (logical != TG_LOGICAL_DECIMAL)
            return cannot(old, NULL, false);
        v = number_text("0", logical);
        return tg__stock_put(at->node, at->slot, &v);
    case TG_STRUCT:
        return cannot(old, NULL, false);
    case TG_INT32:
    case TG_INT64:
        if (schema || !logical || old->u.i == 0)
            break;
        v = make(old->tag, logical);
        return tg__stock_put(at->node, at->slot, &v);
    default:
        break;
    }
    return tg_put_zero(at->node, at->slot);
}

/* --- replacements ----------------------------------------------------------
 */

/* The text in the arena; one copy of it serves a whole batch. */
static const char *text_in(mask *m, tg_batch *batch)
{
    if (!m->copy || m->copied_in != batch->serial) {
        m->copy = tg_arena_dup(batch->arena, m->text, m->len);
        m->copied_in = batch->serial;
    }
    return m->copy;
}

static int put_text(mask *m, const tg_field_at *at, int tag, int logical)
{
    tg_batch *batch = at->node->cell->record->batch;
    tg_value v = make(tag, logical);

    v.u.p = text_in(m, batch);
    v.len = m->len;
    if (!v.u.p)
        return tg__stock_full(batch);
    if (tag == TG_STR && !m->utf8)
        return tg_put_text(at->node, at->slot, NULL, v.u.p, v.len);
    if (tg_value_equal(&at->node->slots[at->slot], &v))
        return 0;
    return tg__stock_put(at->node, at->slot, &v);
}

static int put_replacement(mask *m, const tg_field_at *at, int logical,
                           const tg_schema *schema)
{
    const tg_value *old = &at->node->slots[at->slot];
    int tag = old->tag;
    bool decimal = logical == TG_LOGICAL_DECIMAL;
    bool integer = tag == TG_NUM && !decimal ? tg__stock_integral(old, schema)
                                             : tg_tag_is_int(tag);
    int form = integer ? TG_MASK_INT : TG_MASK_REAL;

    if ((logical && !decimal) || tag == TG_BOOL ||
        (tag >= TG_BYTES && !decimal))
        return cannot(old, schema, true);
    if (tag == TG_STR || tag == TG_ESC)
        return put_text(m, at, TG_STR, 0);
    if (!(m->forms & form))
        return tg_err_set(
            tg_err_ffi(), TG_ERR_DATA,
            "Unable to convert %s (class java.lang.String) to a number",
            m->text);
    if (decimal && m->forms & TG_MASK_JSON)
        return put_text(m, at, TG_NUM, logical);
    if (integer)
        return tg_put_int64(at->node, at->slot, NULL,
                            tg__stock_narrow(tag, m->i));
    return tg_put_number(at->node, at->slot, NULL, m->d);
}

/* --- records ---------------------------------------------------------------
 */

static int mask_field(mask *m, tg_field_path *path, tg_node *root)
{
    const tg_schema *schema;
    tg_field_at at;
    tg_value v;
    int logical, rc = tg__stock_read(path, root, m->base.defaults, &at, &v);

    if (rc || !at.node)
        return rc;
    if (at.slot < 0)
        return at.node->kind == TG_STRUCT
                   ? 0
                   : tg_put_null(at.node, -1, path->steps[path->n - 1].name);
    if (v.tag <= TG_NULL)
        return 0;
    if (at.node->slots[at.slot].tag <= TG_NULL) /* it reads as its default */
        rc = tg__stock_put(at.node, at.slot, &v);
    if (rc)
        return rc;
    schema = tg__stock_declared(&at);
    logical = tg__stock_logical(&v, schema);
    return m->text ? put_replacement(m, &at, logical, schema)
                   : put_zero(&at, logical, schema);
}

static bool record(tg_stock *self, tg_record *rec)
{
    mask *m = (mask *)self;
    tg_cell *cell = tg__stock_cell(rec, self->side);
    tg_node *root;

    if (!tg__stock_open(rec, cell))
        return false;
    root = tg__stock_object(rec, cell, "mask fields", false);
    if (!root)
        return false;
    if (self->defaults && tg__stock_defaults(root))
        return tg__stock_refuse(rec);
    for (uint32_t i = 0; i < m->paths.n; i++)
        if (mask_field(m, m->paths.p[i], root))
            return tg__stock_refuse(rec);
    return true;
}

static void fini(tg_stock *self)
{
    mask *m = (mask *)self;

    tg__stock_paths_fini(&m->paths);
    tg_free(m->text);
}

tg_stock *tg_stock_mask_field(int32_t side, int32_t defaults, const char *text,
                              uint32_t len, int32_t forms, int64_t i, double d)
{
    mask *m = tg__stock_new(sizeof *m, record, fini, side, defaults);

    m->text = text ? tg_strndup(text, len) : NULL;
    m->len = len;
    m->utf8 = text && tg_text_check(text, len) < 0;
    m->forms = forms;
    m->i = i;
    m->d = d;
    return &m->base;
}

int32_t tg_stock_mask_field_add(tg_stock *stock, const char *field,
                                uint32_t len, int32_t v2)
{
    return tg__stock_paths_add(&((mask *)stock)->paths, field, len, v2);
}
