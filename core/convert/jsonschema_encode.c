/*
 * Values -> JSON as JsonSchemaConverter writes it; see jsonschema_decode.c for
 * what differs from JsonConverter. Nothing is copied as it was received: the
 * same text can mean another value under another schema. Script thread.
 */
#include "convert/internal.h"
#include "convert/json_scan.h"
#include "convert/json_write.h"
#include "convert/jsonschema.h"
#include "data/node.h"

typedef struct writing {
    tg_buf *out;
    const tg_js_settings *set;
    tg_json_style style;
    tg_batch *batch;
    tg_err *err;
    uint32_t depth;
} writing;

static int write_value(writing *w, const tg_value *v, const tg_schema *schema);

static bool nothing(const tg_value *v)
{
    return v->tag == TG_NULL || v->tag == TG_ABSENT;
}

/* A null that is not written at all. */
static bool left_out(const writing *w, const tg_value *v, const tg_schema *s)
{
    return nothing(v) && !s->optional &&
           (!s->has_default || w->set->ignore_default);
}

/* JSON as text. Scripts may have written it, so it is looked at: anything else
 * would spoil the record. */
static int write_any(writing *w, const tg_value *v)
{
    uint32_t len;
    const char *p = tg_value_text(w->batch, v, &len);
    if (!p)
        return tg_err_set(w->err, TG_ERR_DATA,
                          "a field that holds JSON text holds something else");
    tg_err why = {0};
    tg_json_in in = {
        .start = p, .p = p, .end = p + len, .batch = w->batch, .err = &why};
    tg__json_ws(&in);
    int rc = tg__json_skip(&in);
    tg__json_ws(&in);
    if (!rc && in.p != in.end)
        rc = tg__json_fail(&in, in.p, "nothing after the end of the value");
    if (rc)
        return tg_err_set(w->err, rc, "the text is no JSON: %s", why.text);
    tg_buf_add(w->out, p, len);
    return 0;
}

static int write_members(writing *w, const tg_node *node, const tg_schema *s)
{
    bool first = true, map = s->tag == TG_MAP;
    tg_buf_str(w->out, "{");
    for (uint32_t i = 0; i < node->n; i++) {
        const tg_name *name = node->shape->names[i];
        const tg_schema *of = map ? s->value : s->fields[i].schema;
        const tg_value *v = &node->slots[i];
        if ((map && v->tag == TG_ABSENT) || left_out(w, v, of))
            continue;
        tg_buf_add(w->out, name->json + first, name->jsonlen - first);
        first = false;
        int rc = write_value(w, v, of);
        if (rc) {
            tg__converter_in(w->err, "field \"%s\"", name->text);
            return rc;
        }
    }
    tg_buf_str(w->out, "}");
    return 0;
}

static int write_array(writing *w, const tg_node *node, const tg_schema *s)
{
    const tg_schema *items =
        s->value ? s->value : tg_schema_of(TG_STR, 1, NULL);
    tg_buf_str(w->out, "[");
    for (uint32_t i = 0; i < node->n; i++) {
        tg_buf_str(w->out, i ? "," : "");
        int rc = left_out(w, &node->slots[i], items)
                     ? tg_err_set(w->err, TG_ERR_DATA, "null for a required %s",
                                  tg_schema_type_name(items->tag))
                     : write_value(w, &node->slots[i], items);
        if (rc) {
            tg__converter_in(w->err, "element %u", i + 1);
            return rc;
        }
    }
    tg_buf_str(w->out, "]");
    return 0;
}

static int write_entry(writing *w, const tg_value *key, const tg_value *value,
                       const tg_schema *s, bool first)
{
    tg_buf_str(w->out, first ? "{\"key\":" : ",{\"key\":");
    int rc = write_value(w, key, s->key);
    if (rc)
        return rc;
    tg_buf_str(w->out, ",\"value\":");
    rc = write_value(w, value, s->value);
    tg_buf_str(w->out, "}");
    return rc;
}

/* A map as an array of entries. */
static int write_entries(writing *w, const tg_node *node, const tg_schema *s)
{
    int rc = 0;
    tg_buf_str(w->out, "[");
    if (node->kind == TG_PAIRS) {
        for (uint32_t i = 0; i + 1 < node->n && !rc; i += 2)
            rc =
                write_entry(w, &node->slots[i], &node->slots[i + 1], s, i == 0);
    } else {
        bool first = true;
        for (uint32_t i = 0; i < node->n && !rc; i++) {
            const tg_name *name = node->shape->names[i];
            tg_value key = {.tag = TG_STR, .flags = TG_F_NEW, .len = name->len};
            key.u.p = name->text;
            if (node->slots[i].tag == TG_ABSENT)
                continue;
            rc = write_entry(w, &key, &node->slots[i], s, first);
            first = false;
        }
    }
    tg_buf_str(w->out, "]");
    return rc;
}

static int write_union(writing *w, const tg_node *node, const tg_schema *s)
{
    for (uint32_t i = 0; i < node->n; i++)
        if (!nothing(&node->slots[i]))
            return write_value(w, &node->slots[i], s->fields[i].schema);
    if (s->optional) {
        tg_buf_str(w->out, "null");
        return 0;
    }
    return tg_err_set(w->err, TG_ERR_DATA, "a required union is empty");
}

static int write_node(writing *w, const tg_value *v, const tg_schema *s)
{
    const tg_node *node = v->u.node;
    if (v->tag == TG_STRUCT)
        return tg_js_is_union(s) ? write_union(w, node, s)
                                 : write_members(w, node, s);
    if (v->tag == TG_ARRAY)
        return write_array(w, node, s);
    return v->tag == TG_MAP && tg_js_is_object(s) ? write_members(w, node, s)
                                                  : write_entries(w, node, s);
}

static bool kind_fits(const tg_value *v, const tg_schema *s)
{
    if (s->tag == TG_MAP)
        return v->tag == TG_MAP || v->tag == TG_PAIRS;
    return v->tag == s->tag;
}

static int write_value(writing *w, const tg_value *v, const tg_schema *s)
{
    if (nothing(v) || s->tag < TG_ARRAY) {
        if (!nothing(v) && tg_js_is_any(s))
            return write_any(w, v);
        return tg__json_write(w->out, v, s, &w->style, w->err);
    }
    if (!kind_fits(v, s))
        return tg_err_set(w->err, TG_ERR_DATA,
                          "the value is no %s, as its schema says",
                          tg_schema_type_name(s->tag));
    if (++w->depth > TG_MAX_DEPTH)
        return tg_err_set(w->err, TG_ERR_DATA,
                          "objects and arrays are nested more than %d levels"
                          " deep",
                          TG_MAX_DEPTH);
    int rc = write_node(w, v, s);
    w->depth--;
    return rc;
}

int tg_js_encode(tg_buf *out, const tg_value *v, const tg_schema *schema,
                 const tg_js_settings *set, tg_batch *batch, tg_err *err)
{
    writing w = {.out = out,
                 .set = set,
                 .style = {.numeric = set->numeric,
                           .replace_null = !set->ignore_default,
                           .copy = false},
                 .batch = batch,
                 .err = err};
    if (left_out(&w, v, schema))
        return 0;
    return write_value(&w, v, schema);
}
