/*
 * Header values as text (Values.convertToString). Java prints an instant by
 * its value, whatever its schema: before 1970-01-02 as a time, at midnight as a
 * date, else as a timestamp; all in UTC. Script thread.
 */
#include "convert/base64.h"
#include "convert/header_infer.h"
#include "convert/internal.h"
#include "convert/java_text.h"
#include "convert/logical.h"
#include "data/node.h"

typedef struct text_out {
    tg_buf *buf;
    tg_batch *batch;
    tg_err *err;
    uint32_t depth;
} text_out;

static int write_value(text_out *o, const tg_value *v, const tg_schema *schema);

static void write_quoted(tg_buf *out, const char *p, size_t len)
{
    const char *end = p + len, *from = p;
    tg_buf_add(out, "\"", 1);
    for (; p < end; p++) {
        if (*p != '"' && *p != '\\')
            continue;
        tg_buf_add(out, from, (size_t)(p - from));
        tg_buf_add(out, "\\", 1);
        from = p;
    }
    tg_buf_add(out, from, (size_t)(p - from));
    tg_buf_add(out, "\"", 1);
}

static int write_text(text_out *o, const tg_value *v)
{
    uint32_t len;
    const char *p = tg_value_text(o->batch, v, &len);
    if (!p)
        return tg__converter_full(o->err);
    if (o->depth)
        write_quoted(o->buf, p, len);
    else
        tg_buf_add(o->buf, p, len);
    return 0;
}

static void write_base64(text_out *o, const tg_value *v)
{
    size_t size = tg_base64_size(v->len);
    const char *quote = o->depth ? "\"" : "";
    tg_buf_str(o->buf, quote);
    tg_base64_encode(tg_buf_room(o->buf, size), v->u.p, v->len);
    o->buf->len += size;
    tg_buf_str(o->buf, quote);
}

/* A null field of a struct reads as its default. */
static int write_field(text_out *o, const tg_node *node, uint32_t i,
                       const tg_schema *schema)
{
    tg_value v = node->slots[i];
    if (v.tag <= TG_NULL && node->kind == TG_STRUCT && schema->has_default) {
        int rc = tg__json_default((tg_node *)node, schema, &v, o->err);
        if (rc)
            return rc;
    }
    return write_value(o, &v, schema);
}

static int write_members(text_out *o, const tg_node *node,
                         const tg_schema *items)
{
    const tg_schema *own = node->kind == TG_STRUCT ? node->shape->schema : NULL;
    bool first = true;
    for (uint32_t i = 0; i < node->n; i++) {
        const tg_name *name = node->shape->names[i];
        if (node->slots[i].tag == TG_ABSENT && !own)
            continue;
        if (!first)
            tg_buf_add(o->buf, ",", 1);
        first = false;
        write_quoted(o->buf, name->text, name->len);
        tg_buf_add(o->buf, ":", 1);
        int rc = write_field(o, node, i, own ? own->fields[i].schema : items);
        if (rc)
            return rc;
    }
    return 0;
}

static int write_elements(text_out *o, const tg_node *node,
                          const tg_schema *schema)
{
    bool pairs = node->kind == TG_PAIRS;
    for (uint32_t i = 0; i < node->n; i++) {
        bool key = pairs && i % 2 == 0;
        const tg_schema *of =
            schema ? (key ? schema->key : schema->value) : NULL;
        if (i > 0)
            tg_buf_add(o->buf, pairs && !key ? ":" : ",", 1);
        int rc = write_value(o, &node->slots[i], of);
        if (rc)
            return rc;
    }
    return 0;
}

static int write_node(text_out *o, const tg_node *node, const tg_schema *schema)
{
    if (++o->depth > TG_MAX_DEPTH)
        return tg_err_set(o->err, TG_ERR_DATA,
                          "objects and arrays are nested more than %d levels"
                          " deep",
                          TG_MAX_DEPTH);
    bool list = node->kind == TG_ARRAY;
    tg_buf_add(o->buf, list ? "[" : "{", 1);
    int rc = node->kind == TG_MAP || node->kind == TG_STRUCT
                 ? write_members(o, node, schema ? schema->value : NULL)
                 : write_elements(o, node, schema);
    tg_buf_add(o->buf, list ? "]" : "}", 1);
    o->depth--;
    return rc;
}

static int write_value(text_out *o, const tg_value *v, const tg_schema *schema)
{
    int64_t ms;
    if (v->tag == TG_STR || v->tag == TG_ESC)
        return write_text(o, v);
    if (tg_tag_is_node(v->tag))
        return write_node(o, v->u.node, schema);
    if (tg_logical_instant(v, schema, &ms)) {
        tg_logical_iso(o->buf, ms);
        return 0;
    }
    if (v->tag == TG_BYTES && tg_logical_of(v, schema) != TG_LOGICAL_DECIMAL) {
        write_base64(o, v);
        return 0;
    }
    return tg_java_scalar(o->buf, v, schema, o->err);
}

int tg_header_text(tg_buf *out, tg_batch *batch, const tg_value *v,
                   const tg_schema *schema, tg_err *err)
{
    text_out o = {.buf = out, .batch = batch, .err = err};
    return write_value(&o, v, schema);
}
