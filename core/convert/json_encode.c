/*
 * Values -> JSON text, byte for byte as Kafka Connect's JsonConverter writes
 * it, with what was not touched copied as it was received: clean subtrees, the
 * texts of numbers, strings with their escapes. Compact. Strings made by a
 * script are escaped and must be UTF-8.
 *
 * Only JSON decoders set node->src, so it can be copied here. Script thread.
 */
#include "convert/base64.h"
#include "convert/decimal.h"
#include "convert/internal.h"
#include "convert/json_scan.h"
#include "convert/json_write.h"
#include "convert/logical.h"
#include "data/node.h"
#include <math.h>

typedef struct json_out {
    tg_buf *buf;
    const tg_json_style *style;
    tg_err *err;
    uint32_t depth;
} json_out;

const tg_json_style tg_json_plain_style = {
    .numeric = false, .replace_null = true, .copy = true};

static int write_value(json_out *o, const tg_value *v, const tg_schema *schema);

/* --- strings -------------------------------------------------------------- */

static void escape(tg_buf *out, unsigned char c)
{
    static const char hex[] = "0123456789ABCDEF";
    static const char letters[] = "btn\0fr"; /* \b \t \n \v \f \r */
    char *p = tg__buf_room(out, 6);
    p[0] = '\\';
    if (c == '"' || c == '\\') {
        p[1] = (char)c;
        out->len += 2;
    } else if (c >= 8 && c <= 13 && c != 11) {
        p[1] = letters[c - 8];
        out->len += 2;
    } else {
        memcpy(p + 1, "u00", 3);
        p[4] = hex[c >> 4];
        p[5] = hex[c & 15];
        out->len += 6;
    }
}

static void write_quoted(tg_buf *out, const char *p, size_t len)
{
    char *to = tg__buf_room(out, len + 2);
    to[0] = '"';
    tg__copy_short(to + 1, p, len);
    to[len + 1] = '"';
    out->len += len + 2;
}

/* Bytes that are no UTF-8 become U+FFFD; the first one is returned. */
static const char *write_string(tg_buf *out, const char *s, size_t len)
{
    const char *end = s + len, *bad = NULL;
    if (tg__json_plain(s, end) == end) {
        write_quoted(out, s, len);
        return NULL;
    }
    *tg__buf_room(out, 1) = '"';
    out->len++;
    while (s < end) {
        const char *p = tg__json_plain(s, end);
        while (p < end && (unsigned char)*p >= 0x80) {
            int n = tg__utf8_length(p, end);
            if (n == 0)
                break;
            p = tg__json_plain(p + n, end);
        }
        tg_buf_add(out, s, (size_t)(p - s));
        s = p;
        if (p == end)
            break;
        if ((unsigned char)*p >= 0x80) {
            bad = bad ? bad : p;
            tg_buf_add(out, "\xef\xbf\xbd", 3);
        } else {
            escape(out, (unsigned char)*p);
        }
        s++;
    }
    *tg__buf_room(out, 1) = '"';
    out->len++;
    return bad;
}

void tg_json_string(tg_buf *out, const char *s, size_t len)
{
    write_string(out, s, len);
}

static int write_new_string(json_out *o, const tg_value *v)
{
    const char *bad = write_string(o->buf, v->u.p, v->len);
    if (!bad)
        return 0;
    return tg_err_set(o->err, TG_ERR_DATA,
                      "a string cannot be written as JSON: byte 0x%02X at"
                      " position %zu is not UTF-8; write it as bytes or convert"
                      " it",
                      (unsigned char)*bad, (size_t)(bad - v->u.p));
}

/* --- numbers and bytes ---------------------------------------------------- */

static void write_real(tg_buf *out, const tg_value *v)
{
    char *p = tg__buf_room(out, TG_NUMBER_MAX + 2);
    bool quote = !isfinite(v->u.d);
    *p = '"';
    int n = v->tag == TG_FLOAT32 ? tg_float_text(p + quote, (float)v->u.d)
                                 : tg_double_text(p + quote, v->u.d);
    if (quote)
        p[++n] = '"', n++;
    out->len += (size_t)n;
}

static void write_base64(tg_buf *out, const char *p, size_t n)
{
    size_t size = tg_base64_size(n);
    char *to = tg__buf_room(out, size + 2);
    to[0] = '"';
    tg_base64_encode(to + 1, p, n);
    to[size + 1] = '"';
    out->len += size + 2;
}

static bool is_decimal(const tg_schema *schema)
{
    return schema && schema->tag == TG_BYTES && schema->name &&
           strcmp(schema->name, TG_DECIMAL_NAME) == 0;
}

/* A decimal that is a number in memory, as base64 of its unscaled bytes. */
static int write_unscaled(json_out *o, const char *text, size_t len,
                          const tg_schema *schema)
{
    tg_buf bytes = {0};
    int64_t found = 0;
    int32_t scale;
    int rc = tg_decimal_scale(schema, &scale, o->err);
    if (!rc)
        rc = tg_decimal_parse(&bytes, text, len, &found, o->err);
    if (!rc && found != scale)
        rc = tg_err_set(o->err, TG_ERR_DATA,
                        "the decimal %.*s has scale %lld where the schema says"
                        " %d",
                        (int)(len < 40 ? len : 40), text, (long long)found,
                        scale);
    if (!rc)
        write_base64(o->buf, bytes.p, bytes.len);
    tg_buf_fini(&bytes);
    return rc;
}

static int write_decimal(json_out *o, const tg_value *v,
                         const tg_schema *schema)
{
    char text[TG_NUMBER_MAX];
    const char *p = v->u.p;
    size_t len = v->len;
    int32_t scale;
    if (v->tag == TG_BYTES && !o->style->numeric) {
        write_base64(o->buf, p, len);
        return 0;
    }
    if (v->tag == TG_BYTES) {
        int rc = tg_decimal_scale(schema, &scale, o->err);
        return rc ? rc : tg_decimal_text(o->buf, p, len, scale, o->err);
    }
    if (v->tag >= TG_INT8 && v->tag <= TG_INT64) {
        len = (size_t)tg_int64_text(text, v->u.i);
        p = text;
    } else if (v->tag == TG_FLOAT32 || v->tag == TG_FLOAT64) {
        if (!isfinite(v->u.d))
            return tg_err_set(o->err, TG_ERR_DATA,
                              "a decimal cannot be NaN or infinite");
        len = (size_t)tg_double_text(text, v->u.d);
        p = text;
    } else if (v->tag != TG_NUM) {
        return tg_err_set(o->err, TG_ERR_DATA,
                          "a Decimal field holds a value that is no number");
    }
    if (!o->style->numeric)
        return write_unscaled(o, p, len, schema);
    tg_buf_add(o->buf, p, len);
    return 0;
}

/* --- containers ----------------------------------------------------------- */

static int write_null(json_out *o, const tg_schema *schema)
{
    if (schema && schema->has_default && o->style->replace_null)
        tg_buf_str(o->buf, schema->default_json);
    else if (!schema || schema->optional)
        tg_buf_add(o->buf, "null", 4);
    else
        return tg_err_set(o->err, TG_ERR_DATA,
                          "Conversion error: null value for field that is"
                          " required and has no default value (%s)",
                          tg_schema_type_upper(schema->tag));
    return 0;
}

/* Room of a scalar beside its text; names are written by words. */
enum { MEMBER_ROOM = TG_NUMBER_MAX + 8, SMALL_DEPTH = 16 };

/* Room for a name and a scalar without growing in between. */
static inline size_t member_room(const tg_name *name, const tg_value *v)
{
    return (size_t)name->jsonlen + v->len + MEMBER_ROOM;
}

/* Writes the kinds that most fields have and returns the end; NULL for the
 * others. There is room. */
static inline char *put_simple(char *at, const tg_value *v)
{
    switch (v->tag) {
    case TG_STR:
        if (v->flags & TG_F_NEW &&
            tg__json_plain(v->u.p, v->u.p + v->len) != v->u.p + v->len)
            return NULL; /* fall through */
    case TG_ESC:
        *at++ = '"';
        tg__copy_short(at, v->u.p, v->len);
        at += v->len;
        *at++ = '"';
        return at;
    case TG_NUM:
        if (v->aux)
            return NULL;
        tg__copy_short(at, v->u.p, v->len);
        return at + v->len;
    case TG_INT64:
        return v->aux ? NULL : at + tg_int64_text(at, v->u.i);
    case TG_FLOAT64:
        return isfinite(v->u.d) ? at + tg_double_text(at, v->u.d) : NULL;
    case TG_BOOL:
        memcpy(at, v->u.i ? "true " : "false", 5);
        return at + (v->u.i ? 4 : 5);
    case TG_NULL:
        memcpy(at, "null", 4);
        return at + 4;
    default:
        return NULL;
    }
}

/* `,"name":`, the comma left out in front of the first. The text is padded, so
 * it can be copied by words. */
static inline char *put_name(char *at, const tg_name *name, bool first)
{
    const char *from = name->json + first;
    size_t n = name->jsonlen - first;
    for (size_t i = 0; i < n; i += 8)
        memcpy(at + i, from + i, 8);
    return at + n;
}

/* The buffer is left alone while fields are simple: the place to write at
 * stays in a register. */
static int write_members(json_out *o, const tg_node *node,
                         const tg_schema *items)
{
    tg_buf *out = o->buf;
    const tg_schema *schema =
        node->kind == TG_STRUCT ? node->shape->schema : NULL;
    bool first = true;
    char *at = tg__buf_room(out, 1), *limit = out->p + out->cap;
    *at++ = '{';
    for (uint32_t i = 0; i < node->n; i++) {
        const tg_value *v = &node->slots[i];
        const tg_name *name = node->shape->names[i];
        const tg_schema *of = schema ? schema->fields[i].schema : items;
        if (v->tag == TG_ABSENT && !schema)
            continue;
        if ((size_t)(limit - at) < member_room(name, v)) {
            out->len = (size_t)(at - out->p);
            at = tg__buf_room(out, member_room(name, v));
            limit = out->p + out->cap;
        }
        at = put_name(at, name, first);
        first = false;
        char *end = of ? NULL : put_simple(at, v);
        if (end) {
            at = end;
            continue;
        }
        out->len = (size_t)(at - out->p);
        int rc = write_value(o, v, of);
        if (rc) {
            tg__converter_in_field(o->err, name->text);
            return rc;
        }
        at = out->p + out->len;
        limit = out->p + out->cap;
    }
    out->len = (size_t)(at - out->p);
    tg_buf_add(out, "}", 1);
    return 0;
}

/* Elements; pairs: two of them each in brackets of their own. */
static int write_elements(json_out *o, const tg_node *node,
                          const tg_schema *schema)
{
    bool pairs = node->kind == TG_PAIRS;
    tg_buf_add(o->buf, "[", 1);
    for (uint32_t i = 0; i < node->n; i++) {
        bool key = pairs && i % 2 == 0;
        const tg_schema *of =
            schema ? (key ? schema->key : schema->value) : NULL;
        if (i > 0)
            tg_buf_add(o->buf, ",", 1);
        if (key)
            tg_buf_add(o->buf, "[", 1);
        int rc = write_value(o, &node->slots[i], of);
        if (rc) {
            if (o->err && strlen(o->err->text) < sizeof o->err->text / 2)
                tg__converter_in(o->err, "element %u", (pairs ? i / 2 : i) + 1);
            return rc;
        }
        if (pairs && !key)
            tg_buf_add(o->buf, "]", 1);
    }
    tg_buf_add(o->buf, "]", 1);
    return 0;
}

/* Kafka Connect writes a map as an object when its keys are strings, as pairs
 * else; an empty one without a schema is an object. */
static bool string_keys(const tg_node *node, const tg_schema *schema)
{
    if (node->kind != TG_PAIRS)
        return false;
    if (schema)
        return schema->key && schema->key->tag == TG_STR;
    for (uint32_t i = 0; i < node->n; i += 2)
        if (node->slots[i].tag != TG_STR && node->slots[i].tag != TG_ESC)
            return false;
    return true;
}

static int write_string_keys(json_out *o, const tg_node *node,
                             const tg_schema *schema)
{
    tg_buf_add(o->buf, "{", 1);
    for (uint32_t i = 0; i < node->n; i++) {
        const tg_schema *of =
            schema ? (i % 2 ? schema->value : schema->key) : NULL;
        if (i > 0)
            tg_buf_add(o->buf, i % 2 ? ":" : ",", 1);
        int rc = write_value(o, &node->slots[i], of);
        if (rc)
            return rc;
    }
    tg_buf_add(o->buf, "}", 1);
    return 0;
}

static int write_container(json_out *o, const tg_node *node,
                           const tg_schema *schema)
{
    bool named = node->kind == TG_MAP || node->kind == TG_STRUCT;
    if (o->style->java && schema && schema->tag == TG_MAP && !schema->key)
        return tg_err_set(o->err, TG_ERR_DATA,
                          "a map whose keys have no common schema cannot be"
                          " written by JsonConverter");
    if (named)
        return write_members(o, node, schema ? schema->value : NULL);
    return string_keys(node, schema) ? write_string_keys(o, node, schema)
                                     : write_elements(o, node, schema);
}

static int write_node(json_out *o, const tg_node *node, const tg_schema *schema)
{
    if (!node->dirty && node->src && o->style->copy) {
        tg_buf_add(o->buf, node->src, node->srclen);
        return 0;
    }
    if (++o->depth > TG_MAX_DEPTH)
        return tg_err_set(o->err, TG_ERR_DATA,
                          "objects and arrays are nested more than %d levels"
                          " deep",
                          TG_MAX_DEPTH);
    int rc = write_container(o, node, schema);
    o->depth--;
    return rc;
}

static int refuse_logical(json_out *o, const tg_value *v)
{
    return tg_err_set(o->err, TG_ERR_DATA,
                      "Java class class %s does not have corresponding schema"
                      " type.",
                      tg__java_class(v, NULL));
}

/* Whether an int32 is a Time that is none. */
static bool beyond_day(const json_out *o, const tg_value *v,
                       const tg_schema *schema)
{
    return (v->u.i < 0 || v->u.i > 86400000) && schema && schema->name &&
           o->style->java && tg_logical_schema(schema) == TG_LOGICAL_TIME;
}

static int refuse_time(json_out *o, const tg_value *v)
{
    return tg_err_set(o->err, TG_ERR_DATA,
                      "Kafka Connect Time type should not have any date fields"
                      " set to non-zero values. (%lld ms)",
                      (long long)v->u.i);
}

static int write_value(json_out *o, const tg_value *v, const tg_schema *schema)
{
    char *p;
    if (v->aux && !schema && o->style->java)
        return refuse_logical(o, v);
    if (v->tag == TG_NULL || v->tag == TG_ABSENT)
        return write_null(o, schema);
    if (is_decimal(schema))
        return write_decimal(o, v, schema);
    switch (v->tag) {
    case TG_BOOL:
        tg_buf_str(o->buf, v->u.i ? "true" : "false");
        return 0;
    case TG_INT32:
        if (beyond_day(o, v, schema))
            return refuse_time(o, v); /* fall through */
    case TG_INT8:
    case TG_INT16:
    case TG_INT64:
        p = tg__buf_room(o->buf, 20);
        o->buf->len += (size_t)tg_int64_text(p, v->u.i);
        return 0;
    case TG_FLOAT32:
    case TG_FLOAT64:
        write_real(o->buf, v);
        return 0;
    case TG_NUM:
        tg_buf_add(o->buf, v->u.p, v->len);
        return 0;
    case TG_STR:
        if (v->flags & TG_F_NEW)
            return write_new_string(o, v);
        write_quoted(o->buf, v->u.p, v->len);
        return 0;
    case TG_ESC:
        write_quoted(o->buf, v->u.p, v->len);
        return 0;
    case TG_BYTES:
        write_base64(o->buf, v->u.p, v->len);
        return 0;
    default:
        return write_node(o, v->u.node, schema);
    }
}

/* --- small objects in one go ---------------------------------------------- */

typedef struct small_out {
    char *limit;
    uint32_t depth;
    bool copies;
} small_out;

static char *put_object(small_out *o, char *at, const tg_node *node);

static char *put_below(small_out *o, char *at, const tg_node *node)
{
    if (node->dirty || !node->src) {
        bool fits = node->kind == TG_MAP && o->depth < SMALL_DEPTH;
        return fits ? put_object(o, at, node) : NULL;
    }
    if ((size_t)(o->limit - at) < (size_t)node->srclen + MEMBER_ROOM)
        return NULL;
    o->copies = true;
    memcpy(at, node->src, node->srclen);
    return at + node->srclen;
}

static char *put_object(small_out *o, char *at, const tg_node *node)
{
    bool first = true;
    if ((size_t)(o->limit - at) < MEMBER_ROOM)
        return NULL;
    o->depth++;
    *at++ = '{';
    for (uint32_t i = 0; i < node->n; i++) {
        const tg_value *v = &node->slots[i];
        const tg_name *name = node->shape->names[i];
        if (v->tag == TG_ABSENT)
            continue;
        if ((size_t)(o->limit - at) < member_room(name, v))
            return NULL;
        at = put_name(at, name, first);
        first = false;
        at = v->tag == TG_MAP || v->tag == TG_ARRAY
                 ? put_below(o, at, v->u.node)
                 : put_simple(at, v);
        if (!at)
            return NULL;
    }
    o->depth--;
    if (at == o->limit)
        return NULL;
    *at++ = '}';
    return at;
}

char *tg__json_put_small(char *at, size_t room, const tg_value *v, bool *copies)
{
    small_out o = {.limit = at + room};
    if (v->tag != TG_MAP)
        return NULL;
    char *end = put_below(&o, at, v->u.node);
    *copies = o.copies;
    return end;
}

int tg__json_write(tg_buf *out, const tg_value *v, const tg_schema *schema,
                   const tg_json_style *style, tg_err *err)
{
    json_out o = {.buf = out, .style = style, .err = err};
    return write_value(&o, v, schema);
}

int tg_json_encode(tg_buf *out, const tg_value *v, tg_err *err)
{
    return tg__json_write(out, v, NULL, &tg_json_plain_style, err);
}
