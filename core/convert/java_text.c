/*
 * Java's toString() of maps, lists, Structs, numbers, decimals and dates.
 * Script thread.
 */
#include "convert/java_text.h"
#include "base/number.h"
#include "convert/base64.h"
#include "convert/decimal.h"
#include "convert/logical.h"
#include "data/node.h"
#include <time.h>

typedef struct java_out {
    tg_buf *buf;
    tg_batch *batch;
    tg_err *err;
    uint32_t depth;
} java_out;

static int write_value(java_out *o, const tg_value *v, const tg_schema *schema);

/* java.util.Date in UTC: Thu Jan 01 00:00:00 UTC 1970. */
static void write_date(tg_buf *out, int64_t ms)
{
    time_t t = (time_t)(ms / 1000 - (ms % 1000 < 0));
    struct tm tm;
    char text[64];
    if (gmtime_r(&t, &tm) &&
        strftime(text, sizeof text, "%a %b %d %H:%M:%S UTC %Y", &tm))
        tg_buf_str(out, text);
    else
        tg_buf_printf(out, "%lld", (long long)ms);
}

/* --- scalars -------------------------------------------------------------- */

/* Number text: Java holds a Long, a Double, or a BigDecimal. */
static void write_number(tg_buf *out, const tg_value *v,
                         const tg_schema *schema)
{
    bool real = schema && schema->tag != TG_BYTES;
    for (uint32_t i = 0; i < v->len && !real && !schema; i++)
        real = v->u.p[i] == '.' || (v->u.p[i] | 32) == 'e';
    if (tg_logical_of(v, schema) == TG_LOGICAL_DECIMAL) {
        tg_decimal_canonical(out, v->u.p, v->len);
        return;
    }
    if (!real) {
        tg_buf_add(out, v->u.p, v->len);
        return;
    }
    double d = tg_double_parse(v->u.p, v->len);
    char *p = tg_buf_room(out, TG_NUMBER_MAX);
    out->len += (size_t)(schema && schema->tag == TG_FLOAT32
                             ? tg_float_text(p, (float)d)
                             : tg_double_text(p, d));
}

static int write_decimal(tg_buf *out, const tg_value *v,
                         const tg_schema *schema, tg_err *err)
{
    int32_t scale = 0;
    if (tg_logical_of(v, schema) != TG_LOGICAL_DECIMAL)
        return tg_err_set(err, TG_ERR_DATA, "bytes are no number");
    int rc = tg_decimal_scale(schema, &scale, err);
    return rc ? rc : tg_decimal_text(out, v->u.p, v->len, scale, err);
}

int tg_java_scalar(tg_buf *out, const tg_value *v, const tg_schema *schema,
                   tg_err *err)
{
    char *p = tg_buf_room(out, TG_NUMBER_MAX);
    switch (v->tag) {
    case TG_BOOL:
        tg_buf_str(out, v->u.i ? "true" : "false");
        return 0;
    case TG_INT8:
    case TG_INT16:
    case TG_INT32:
    case TG_INT64:
        out->len += (size_t)tg_int64_text(p, v->u.i);
        return 0;
    case TG_FLOAT32:
        out->len += (size_t)tg_float_text(p, (float)v->u.d);
        return 0;
    case TG_FLOAT64:
        out->len += (size_t)tg_double_text(p, v->u.d);
        return 0;
    case TG_NUM:
        write_number(out, v, schema);
        return 0;
    case TG_BYTES:
        return write_decimal(out, v, schema, err);
    default:
        tg_buf_str(out, "null");
        return 0;
    }
}

static int write_bytes(java_out *o, const tg_value *v, const tg_schema *schema)
{
    if (tg_logical_of(v, schema) == TG_LOGICAL_DECIMAL)
        return write_decimal(o->buf, v, schema, o->err);
    if (o->depth == 0) {
        tg_buf_add(o->buf, v->u.p, v->len);
        return 0;
    }
    size_t size = tg_base64_size(v->len);
    tg_base64_encode(tg_buf_room(o->buf, size), v->u.p, v->len);
    o->buf->len += size;
    return 0;
}

/* --- containers ----------------------------------------------------------- */

static int write_members(java_out *o, const tg_node *node,
                         const tg_schema *schema)
{
    const tg_schema *own = node->shape->schema;
    bool first = true;
    tg_buf_str(o->buf, own ? "Struct{" : "{");
    for (uint32_t i = 0; i < node->n; i++) {
        const tg_value *v = &node->slots[i];
        if (v->tag == TG_ABSENT || (own && v->tag == TG_NULL))
            continue;
        if (!first)
            tg_buf_str(o->buf, own ? "," : ", ");
        first = false;
        tg_buf_add(o->buf, node->shape->names[i]->text,
                   node->shape->names[i]->len);
        tg_buf_str(o->buf, "=");
        int rc = write_value(o, v,
                             own      ? own->fields[i].schema
                             : schema ? schema->value
                                      : NULL);
        if (rc)
            return rc;
    }
    tg_buf_str(o->buf, "}");
    return 0;
}

static int write_elements(java_out *o, const tg_node *node,
                          const tg_schema *schema)
{
    bool pairs = node->kind == TG_PAIRS;
    tg_buf_str(o->buf, pairs ? "{" : "[");
    for (uint32_t i = 0; i < node->n; i++) {
        bool key = pairs && i % 2 == 0;
        if (i > 0)
            tg_buf_str(o->buf, pairs && !key ? "=" : ", ");
        int rc =
            write_value(o, &node->slots[i],
                        schema ? (key ? schema->key : schema->value) : NULL);
        if (rc)
            return rc;
    }
    tg_buf_str(o->buf, pairs ? "}" : "]");
    return 0;
}

static int write_node(java_out *o, const tg_node *node, const tg_schema *schema)
{
    if (++o->depth > TG_MAX_DEPTH)
        return tg_err_set(o->err, TG_ERR_DATA,
                          "objects and arrays are nested more than %d levels"
                          " deep",
                          TG_MAX_DEPTH);
    int rc = node->kind == TG_MAP || node->kind == TG_STRUCT
                 ? write_members(o, node, schema)
                 : write_elements(o, node, schema);
    o->depth--;
    return rc;
}

static int write_value(java_out *o, const tg_value *v, const tg_schema *schema)
{
    uint32_t len;
    int64_t ms;
    if (tg_tag_is_node(v->tag))
        return write_node(o, v->u.node, schema);
    if (v->tag == TG_STR || v->tag == TG_ESC) {
        const char *text = tg_value_text(o->batch, v, &len);
        if (!text)
            return tg_err_set(o->err, TG_ERR_LIMIT,
                              "the batch reached its memory limit");
        tg_buf_add(o->buf, text, len);
        return 0;
    }
    if (tg_logical_instant(v, schema, &ms)) {
        write_date(o->buf, ms);
        return 0;
    }
    return v->tag == TG_BYTES ? write_bytes(o, v, schema)
                              : tg_java_scalar(o->buf, v, schema, o->err);
}

int tg_java_text(tg_buf *out, tg_batch *batch, const tg_value *v,
                 const tg_schema *schema, tg_err *err)
{
    java_out o = {.buf = out, .batch = batch, .err = err};
    return write_value(&o, v, schema);
}
