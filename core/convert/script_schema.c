/*
 * Schemas and decimals as scripts ask for them (ffi/tidegate.h). Script thread.
 */
#include "base/number.h"
#include "convert/decimal.h"
#include "convert/internal.h"
#include "convert/json_scan.h"
#include "convert/json_write.h"
#include "convert/script_schema.h"
#include "data/node.h"
#include <stdio.h>
#include <stdlib.h>

const tg_schema *tg_schema_parse(const char *json, uint32_t len)
{
    tg_err *err = tg_err_ffi();
    tg_batch *batch = tg_batch_new(0, 0);
    char *text = tg_arena_dup(batch->arena, json, len);
    const tg_schema *schema = NULL;

    tg_err_clear(err);
    if (text)
        schema = tg_json_schema_read(batch, text, len, err);
    else
        tg_err_set(err, TG_ERR_LIMIT, "the schema is too large");
    tg_batch_free(batch);
    return schema;
}

const char *tg_schema_json(const tg_schema *schema, uint32_t *len)
{
    size_t n;
    const char *text = tg_json_schema_text(schema, &n);

    *len = (uint32_t)n;
    return text;
}

const tg_schema *tg_schema_at(const tg_node *node)
{
    return tg_node_schema(node);
}

bool tg_schema_is_decimal(const tg_schema *s)
{
    return s && s->tag == TG_BYTES && s->name &&
           strcmp(s->name, TG_DECIMAL_NAME) == 0;
}

static int32_t scale_of(const tg_schema *s)
{
    for (uint32_t i = 0; i < s->nparams; i++)
        if (strcmp(s->params[i].key, "scale") == 0)
            return (int32_t)strtol(s->params[i].value, NULL, 10);
    return 0;
}

static const char *text_of(tg_batch *batch, const tg_schema *schema,
                           const tg_value *v, uint32_t *len)
{
    tg_buf out = {0};
    const char *text = NULL;

    *len = 0;
    if (!tg_schema_is_decimal(schema) ||
        (v->tag != TG_BYTES && v->tag != TG_NUM))
        return NULL;
    *len = 1;
    if (v->tag == TG_NUM) {
        *len = v->len;
        return v->u.p;
    }
    tg_err_clear(tg_err_ffi());
    if (tg_decimal_text(&out, v->u.p, v->len, scale_of(schema), tg_err_ffi()) ==
        0) {
        text = tg_arena_dup(batch->arena, out.p, out.len);
        if (text)
            *len = (uint32_t)out.len;
        else
            tg_err_set(tg_err_ffi(), TG_ERR_LIMIT,
                       "the batch has no room for the text of a decimal");
    }
    tg_buf_fini(&out);
    return text;
}

const char *tg_decimal_slot(tg_batch *batch, const tg_node *node, int32_t slot,
                            uint32_t *len)
{
    *len = 0;
    if (slot < 0 || (uint32_t)slot >= node->n)
        return NULL;
    return text_of(batch, tg_slot_schema(node, slot), &node->slots[slot], len);
}

const char *tg_decimal_cell(tg_cell *cell, uint32_t *len)
{
    *len = 0;
    if (cell->state != TG_CELL_DECODED)
        return NULL;
    return text_of(cell->record->batch, cell->schema, &cell->value, len);
}

/* --- values of a schema --------------------------------------------------- */

const tg_schema *tg_decimal_schema(const char *p, size_t len, tg_err *err)
{
    tg_buf unscaled = {0};
    int64_t scale;
    char text[24];
    int rc = tg_decimal_parse(&unscaled, p, len, &scale, err);

    tg_buf_fini(&unscaled);
    if (rc)
        return NULL;
    snprintf(text, sizeof text, "%lld", (long long)scale);
    tg_schema_param param = {"scale", text};
    tg_schema proto = {.tag = TG_BYTES,
                       .optional = true,
                       .has_version = true,
                       .version = 1,
                       .name = TG_DECIMAL_NAME,
                       .params = &param,
                       .nparams = 1};
    return tg_schema_intern(&proto);
}

/* Digits and sign of a number text as one integer, and its scale. */
static int digits_of(tg_buf *out, const char *p, size_t len, int64_t *scale,
                     tg_err *err)
{
    tg_buf unscaled = {0};
    int rc = tg_decimal_parse(&unscaled, p, len, scale, err);

    if (rc == 0)
        rc = tg_decimal_text(out, unscaled.p, unscaled.len, 0, err);
    tg_buf_fini(&unscaled);
    return rc;
}

/* digits * 10^-from as digits * 10^-to. */
static int rescale(tg_buf *digits, int64_t from, int64_t to, const char *p,
                   size_t len, tg_err *err)
{
    if (to - from > TG_DECIMAL_DIGITS)
        return tg_err_set(err, TG_ERR_DATA,
                          "%.*s has too many digits at scale %lld",
                          (int)(len < 60 ? len : 60), p, (long long)to);
    for (; from < to; from++)
        tg_buf_str(digits, "0");
    for (; from > to; from--) {
        bool zero = digits->len == 1 && digits->p[0] == '0';
        if (zero)
            return 0;
        if (digits->p[digits->len - 1] != '0')
            return tg_err_set(err, TG_ERR_DATA,
                              "%.*s has more decimals than the %lld that the "
                              "Decimal schema holds; round it first",
                              (int)(len < 60 ? len : 60), p, (long long)to);
        digits->len--;
    }
    return 0;
}

int tg_decimal_value(tg_batch *batch, const tg_schema *schema, const char *p,
                     size_t len, tg_value *out, tg_err *err)
{
    tg_buf digits = {0}, unscaled = {0};
    int64_t scale;
    int rc = digits_of(&digits, p, len, &scale, err);

    if (rc == 0)
        rc = rescale(&digits, scale, scale_of(schema), p, len, err);
    if (rc == 0)
        rc = tg_decimal_parse(&unscaled, digits.p, digits.len, &scale, err);
    if (rc == 0) {
        *out = (tg_value){
            .tag = TG_BYTES,
            .flags = TG_F_NEW,
            .len = (uint32_t)unscaled.len,
            .u.p = tg_arena_dup(batch->arena, unscaled.p, unscaled.len)};
        if (!out->u.p)
            rc = tg__converter_full(err);
    }
    tg_buf_fini(&digits);
    tg_buf_fini(&unscaled);
    return rc;
}

/* The text of a number, in buf. */
static int number_text(tg_buf *buf, const tg_schema *from, const tg_value *v,
                       tg_err *err)
{
    char *room;

    if (v->tag == TG_BYTES)
        return tg_decimal_text(buf, v->u.p, v->len, scale_of(from), err);
    if (v->tag == TG_NUM) {
        tg_buf_add(buf, v->u.p, v->len);
        return 0;
    }
    room = tg_buf_room(buf, TG_NUMBER_MAX);
    if (v->tag == TG_FLOAT32)
        buf->len += (size_t)tg_float_text(room, (float)v->u.d);
    else if (tg_tag_is_float(v->tag))
        buf->len += (size_t)tg_double_text(room, v->u.d);
    else
        buf->len += (size_t)tg_int64_text(room, v->u.i);
    return 0;
}

int tg__script_decimal(tg_batch *batch, const tg_schema *from,
                       const tg_value *v, const tg_schema *to, tg_value *out,
                       tg_err *err)
{
    tg_buf text = {0};
    int rc;

    if (v->tag == TG_BYTES && to && scale_of(from) == scale_of(to)) {
        *out = *v;
        return 0;
    }
    rc = number_text(&text, from, v, err);
    if (rc == 0 && to) {
        rc = tg_decimal_value(batch, to, text.p, text.len, out, err);
    } else if (rc == 0) {
        *out = (tg_value){.tag = TG_NUM,
                          .flags = TG_F_NEW,
                          .len = (uint32_t)text.len,
                          .u.p = tg_arena_dup(batch->arena, text.p, text.len)};
        rc = out->u.p ? 0 : tg__converter_full(err);
    }
    tg_buf_fini(&text);
    return rc;
}

int tg_schema_convert(tg_batch *batch, tg_cell *cell, tg_node *parent,
                      const tg_schema *schema, const tg_value *from,
                      tg_value *out, tg_err *err)
{
    tg_buf json = {0};
    char *text = NULL;
    int rc = tg_json_encode(&json, from, err);

    if (rc == 0)
        text = tg_arena_dup(batch->arena, json.p, json.len);
    if (text) {
        tg_json_in in = {.start = text,
                         .p = text,
                         .end = text + json.len,
                         .batch = batch,
                         .cell = cell,
                         .err = err,
                         .defaults = true};
        tg_value v; /* its nodes remember a text that is not the cell's */
        rc = tg__json_typed(&in, &v, NULL, tg__json_wild_site(), schema);
        if (rc == 0)
            rc = tg_value_copy(batch, cell, parent, &v, out);
    } else if (rc == 0) {
        rc = tg__converter_full(err);
    }
    tg_buf_fini(&json);
    return rc;
}
