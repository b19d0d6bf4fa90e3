/*
 * Values to Avro's binary encoding, by a plan: one function over plans, which
 * appends to a buffer. Arrays and maps are one block.
 *
 * Script thread.
 */
#include "base/number.h"
#include "convert/avro_out.h"
#include "convert/decimal.h"
#include "convert/internal.h"
#include "convert/json_write.h"
#include "data/node.h"
#include <endian.h>

enum { NUMBER = 10 }; /* bytes of a long at most */

typedef struct writer {
    tg_buf *out;
    tg_batch *batch;
    tg_err *err;
    uint32_t depth;
} writer;

static int write_value(writer *w, const tg_avro_out *p, const tg_value *v);

/* --- scalars -------------------------------------------------------------- */

static int refuse(writer *w, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), cold));
static int refuse(writer *w, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    tg_err_vset(w->err, TG_ERR_DATA, fmt, ap);
    va_end(ap);
    return TG_ERR_DATA;
}

static int misfit(writer *w, const tg_avro_out *p, const tg_value *v)
{
    static const char *const names[] = {
        "nothing",  "null",     "a boolean", "an int8",  "an int16", "an int32",
        "an int64", "a float",  "a double",  "a number", "a text",   "a text",
        "bytes",    "an array", "a map",     "a struct", "a map"};
    return refuse(w, "found %s where the schema says %s",
                  names[v->tag <= TG_PAIRS ? v->tag : 0],
                  tg__avro_type_text(p->type));
}

static inline char *room(tg_buf *b, size_t n)
{
    return tg__buf_room(b, n);
}

static inline void put_long(tg_buf *out, int64_t v)
{
    char *at = room(out, NUMBER);
    out->len += (size_t)(tg__avro_put_long(at, v) - at);
}

static int write_integer(writer *w, const tg_avro_out *p, const tg_value *v)
{
    int ok = 1;
    int64_t i = v->u.i;
    if (v->tag == TG_NUM)
        i = tg_value_int64(v, &ok);
    else if (!tg_tag_is_int(v->tag))
        return misfit(w, p, v);
    if (!ok || (p->op == OP_INT && i != (int32_t)i))
        return refuse(w, "a number that does not fit into an Avro %s",
                      tg__avro_type_name(p->type->type));
    put_long(w->out, i);
    return 0;
}

static int write_real(writer *w, const tg_avro_out *p, const tg_value *v)
{
    int ok = 1;
    double d = v->u.d;
    if (!tg_tag_is_float(v->tag)) {
        if (!tg_tag_is_number(v->tag))
            return misfit(w, p, v);
        d = tg_value_number(v, &ok);
    }
    if (p->op == OP_FLOAT) {
        float f = (float)d;
        uint32_t u;
        memcpy(&u, &f, 4);
        u = htole32(u);
        memcpy(room(w->out, 4), &u, 4);
        w->out->len += 4;
    } else {
        uint64_t u;
        memcpy(&u, &d, 8);
        u = htole64(u);
        memcpy(room(w->out, 8), &u, 8);
        w->out->len += 8;
    }
    return 0;
}

static void put_bytes(tg_buf *out, const char *p, size_t len)
{
    char *at = room(out, NUMBER + len);
    char *end = tg__avro_put_long(at, (int64_t)len);
    if (len)
        tg__copy_short(end, p, len);
    out->len += (size_t)(end - at) + len;
}

static int write_text(writer *w, const tg_avro_out *p, const tg_value *v)
{
    const char *text = v->u.p;
    uint32_t len = v->len;
    if (v->tag == TG_ESC) {
        text = tg_value_text(w->batch, v, &len);
        if (!text)
            return tg__converter_full(w->err);
    } else if (v->tag != TG_STR) {
        return misfit(w, p, v);
    }
    if (p->op != OP_ENUM) {
        put_bytes(w->out, text, len);
        return 0;
    }
    for (uint32_t i = 0; i < p->n; i++) {
        const char *symbol = p->type->symbols[i];
        if (strlen(symbol) == len && memcmp(symbol, text, len) == 0) {
            put_long(w->out, i);
            return 0;
        }
    }
    return refuse(w, "\"%.*s\" is no symbol of the enum %s",
                  len < 100 ? (int)len : 100, text, p->type->full);
}

static int write_fixed(writer *w, const tg_avro_out *p, const char *bytes,
                       size_t len)
{
    if (len != p->n)
        return refuse(w, "%zu bytes where the schema says %s, which has %u",
                      len, p->type->full, p->n);
    memcpy(room(w->out, len), bytes, len);
    w->out->len += len;
    return 0;
}

static int write_bytes(writer *w, const tg_avro_out *p, const tg_value *v)
{
    if (v->tag != TG_BYTES)
        return misfit(w, p, v);
    if (p->op == OP_FIXED)
        return write_fixed(w, p, v->u.p, v->len);
    put_bytes(w->out, v->u.p, v->len);
    return 0;
}

/* Unscaled bytes, in a fixed type with the sign in front. */
static int put_unscaled(writer *w, const tg_avro_out *p, const char *bytes,
                        size_t len)
{
    if (p->type->type != AVRO_FIXED) {
        put_bytes(w->out, bytes, len);
        return 0;
    }
    if (len == 0 || len > p->type->size)
        return refuse(w,
                      "a decimal of %zu bytes does not fit into %s, which"
                      " has %u",
                      len, p->type->full, p->type->size);
    size_t more = p->type->size - len;
    char *at = room(w->out, p->type->size);
    memset(at, (signed char)bytes[0] < 0 ? 0xFF : 0, more);
    memcpy(at + more, bytes, len);
    w->out->len += p->type->size;
    return 0;
}

static int write_decimal(writer *w, const tg_avro_out *p, const tg_value *v)
{
    char text[TG_NUMBER_MAX];
    const char *number = v->u.p;
    size_t len = v->len;
    tg_buf bytes = {0};
    int64_t scale = 0;
    if (v->tag == TG_BYTES)
        return put_unscaled(w, p, v->u.p, v->len);
    if (tg_tag_is_int(v->tag))
        len = (size_t)tg_int64_text(text, v->u.i);
    else if (tg_tag_is_float(v->tag))
        len = (size_t)tg_double_text(text, v->u.d);
    else if (v->tag != TG_NUM)
        return misfit(w, p, v);
    if (v->tag != TG_NUM)
        number = text;
    int rc = tg_decimal_parse(&bytes, number, len, &scale, w->err);
    if (!rc && scale != p->scale)
        rc = refuse(w,
                    "the decimal %.*s has scale %lld where the schema says"
                    " %d",
                    len < 40 ? (int)len : 40, number, (long long)scale,
                    p->scale);
    if (!rc)
        rc = put_unscaled(w, p, bytes.p, bytes.len);
    tg_buf_fini(&bytes);
    return rc;
}

/* --- containers ----------------------------------------------------------- */

/* Slots of a node are the fields of the plan's schema. */
static bool fits_layout(const tg_avro_out *p, const tg_node *node)
{
    const tg_schema *s = p->schema;
    if (node->kind != TG_STRUCT || node->n != s->nfields)
        return false;
    for (uint32_t i = 0; i < s->nfields; i++)
        if (node->shape->names[i] != s->fields[i].name)
            return false;
    if (node->shape->id)
        ((tg_avro_out *)(uintptr_t)p)->checked = node->shape;
    return true;
}

static void put_raw(tg_buf *out, const char *p, size_t n)
{
    if (n == 0)
        return;
    tg__copy_short(room(out, n), p, n);
    out->len += n;
}

static int write_struct(writer *w, const tg_avro_out *p, const tg_value *v)
{
    if (v->tag != TG_STRUCT)
        return misfit(w, p, v);
    const tg_node *node = v->u.node;
    if ((node->shape != p->checked || node->n != node->shape->n) &&
        !fits_layout(p, node))
        return refuse(w, "a struct has other fields than its schema %s",
                      p->schema->name ? p->schema->name : "");
    for (uint32_t i = 0; i < p->n; i++) {
        const tg_avro_out_field *f = &p->fields[i];
        const tg_value *slot =
            f->slot == TG_AVRO_NO_SLOT ? NULL : &node->slots[f->slot];
        if (f->constant && (!slot || slot->tag <= TG_NULL)) {
            put_raw(w->out, f->constant, f->len);
            continue;
        }
        int rc = write_value(w, f->plan, slot);
        if (rc) {
            if (rc == TG_ERR_DATA)
                tg__converter_in(w->err, "field \"%s\"",
                                 p->type->fields
                                     ? p->type->fields[i].name
                                     : node->shape->names[f->slot]->text);
            return rc;
        }
    }
    return 0;
}

static int write_array(writer *w, const tg_avro_out *p, const tg_value *v)
{
    if (v->tag != TG_ARRAY)
        return misfit(w, p, v);
    const tg_node *node = v->u.node;
    if (node->n && !p->subs[0])
        return refuse(w, "the elements of an array have no schema");
    if (node->n)
        put_long(w->out, node->n);
    for (uint32_t i = 0; i < node->n; i++) {
        int rc = write_value(w, p->subs[0], &node->slots[i]);
        if (rc == TG_ERR_DATA)
            tg__converter_in(w->err, "element %u", i);
        if (rc)
            return rc;
    }
    put_long(w->out, 0);
    return 0;
}

static uint32_t count_members(const tg_node *node)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < node->n; i++)
        n += node->slots[i].tag != TG_ABSENT;
    return n;
}

static int write_map(writer *w, const tg_avro_out *p, const tg_value *v)
{
    if (v->tag != TG_MAP)
        return misfit(w, p, v);
    const tg_node *node = v->u.node;
    uint32_t n = count_members(node);
    if (n)
        put_long(w->out, n);
    for (uint32_t i = 0; i < node->n; i++) {
        const tg_name *name = node->shape->names[i];
        if (node->slots[i].tag == TG_ABSENT)
            continue;
        put_bytes(w->out, name->text, name->len);
        int rc = write_value(w, p->subs[0], &node->slots[i]);
        if (rc == TG_ERR_DATA)
            tg__converter_in(w->err, "key \"%s\"", name->text);
        if (rc)
            return rc;
    }
    put_long(w->out, 0);
    return 0;
}

static int write_pair(writer *w, const tg_avro_out *p, const tg_value *key,
                      const tg_value *value)
{
    int rc =
        write_value(w, p->subs[p->value_first], p->value_first ? value : key);
    if (!rc)
        rc = write_value(w, p->subs[!p->value_first],
                         p->value_first ? key : value);
    return rc;
}

static int write_pairs(writer *w, const tg_avro_out *p, const tg_value *v)
{
    if (v->tag != TG_PAIRS && v->tag != TG_MAP)
        return misfit(w, p, v);
    const tg_node *node = v->u.node;
    bool map = v->tag == TG_MAP;
    uint32_t n = map ? count_members(node) : node->n / 2;
    int rc = 0;
    if (n)
        put_long(w->out, n);
    for (uint32_t i = 0; !rc && i < node->n; i += map ? 1 : 2) {
        if (map && node->slots[i].tag == TG_ABSENT)
            continue;
        const tg_name *name = map ? node->shape->names[i] : NULL;
        tg_value key = {.tag = TG_STR};
        if (map) {
            key.u.p = name->text;
            key.len = name->len;
        }
        rc = write_pair(w, p, map ? &key : &node->slots[i],
                        &node->slots[map ? i : i + 1]);
    }
    if (!rc)
        put_long(w->out, 0);
    return rc;
}

static int write_union(writer *w, const tg_avro_out *p, const tg_value *v)
{
    if (v->tag != TG_STRUCT)
        return misfit(w, p, v);
    const tg_node *node = v->u.node;
    if ((node->shape != p->checked || node->n != p->n) && !fits_layout(p, node))
        return refuse(w, "the struct of a union has other fields than its"
                         " schema");
    for (uint32_t i = 0; i < node->n; i++)
        if (node->slots[i].tag > TG_NULL)
            return write_value(w, p->subs[i], &node->slots[i]);
    if (!p->nulllen)
        return refuse(w, "no field of a union's struct has a value");
    put_raw(w->out, p->null, p->nulllen);
    return 0;
}

/* --- values without a schema ---------------------------------------------- */

static int write_anything(writer *w, const tg_value *v);

static int write_things(writer *w, const tg_value *v)
{
    const tg_node *node = v->u.node;
    uint32_t each = v->tag == TG_PAIRS ? 2 : 1;
    uint32_t n = v->tag == TG_MAP ? count_members(node) : node->n / each;
    int rc = 0;
    if (n)
        put_long(w->out, n);
    for (uint32_t i = 0; !rc && i < node->n; i++) {
        if (v->tag == TG_MAP && node->slots[i].tag == TG_ABSENT)
            continue;
        if (v->tag == TG_MAP) {
            const tg_name *name = node->shape->names[i];
            tg_value key = {.tag = TG_STR, .len = name->len, .u.p = name->text};
            rc = write_anything(w, &key);
        }
        if (!rc)
            rc = write_anything(w, &node->slots[i]);
    }
    put_long(w->out, 0);
    return rc;
}

/* Field of the record for a value, 9 for null, -1 for what has none; a number
 * that is text becomes *number. */
static int thing_of(const tg_value *v, tg_value *number)
{
    static const int8_t fields[] = {
        [TG_ABSENT] = 9,  [TG_NULL] = 9,  [TG_BOOL] = 0,  [TG_INT8] = 4,
        [TG_INT16] = 4,   [TG_INT32] = 4, [TG_INT64] = 5, [TG_FLOAT32] = 3,
        [TG_FLOAT64] = 2, [TG_NUM] = -1,  [TG_STR] = 6,   [TG_ESC] = 6,
        [TG_BYTES] = 1,   [TG_ARRAY] = 7, [TG_MAP] = 8,   [TG_STRUCT] = -1,
        [TG_PAIRS] = 8};
    int ok;
    if (v->tag > TG_PAIRS || (v->tag < TG_ARRAY && v->aux))
        return -1; /* a decimal or a time: Java has no form for them here */
    if (v->tag != TG_NUM)
        return fields[v->tag];
    *number = (tg_value){.tag = TG_INT64, .u.i = tg_value_int64(v, &ok)};
    if (ok)
        return 5;
    for (uint32_t i = 0; i < v->len; i++)
        if (v->u.p[i] == '.' || (v->u.p[i] | 32) == 'e')
            ok = 1;
    *number = (tg_value){.tag = TG_FLOAT64, .u.d = tg_value_number(v, &ok)};
    return ok ? 2 : -1;
}

static int write_thing(writer *w, int field, const tg_value *v)
{
    static const tg_avro long_type = {.type = AVRO_LONG},
                         double_type = {.type = AVRO_DOUBLE},
                         text_type = {.type = AVRO_STRING};
    static const tg_avro_out text = {.op = OP_TEXT, .type = &text_type},
                             real = {.op = OP_DOUBLE, .type = &double_type},
                             single = {.op = OP_FLOAT, .type = &double_type},
                             whole = {.op = OP_LONG, .type = &long_type};
    switch (field) {
    case 0:
        *room(w->out, 1) = (char)v->u.i;
        w->out->len++;
        return 0;
    case 1:
        put_bytes(w->out, v->u.p, v->len);
        return 0;
    case 2:
        return write_real(w, &real, v);
    case 3:
        return write_real(w, &single, v);
    case 4:
    case 5:
        return write_integer(w, &whole, v);
    case 6:
        return write_text(w, &text, v);
    default:
        return write_things(w, v);
    }
}

static int write_anything(writer *w, const tg_value *v)
{
    tg_value number;
    int field = thing_of(v, &number);
    if (field < 0)
        return refuse(w, "%s in a value without a schema has no Avro form",
                      v->tag == TG_STRUCT ? "a struct"
                      : v->tag == TG_NUM  ? "a number of more than 64 bits"
                                          : "a decimal, date or time");
    if (++w->depth > TG_MAX_DEPTH)
        return refuse(w, "the value is nested more than %d levels deep",
                      TG_MAX_DEPTH);
    char *at = room(w->out, 9);
    memset(at, 0, 9);
    w->out->len += (size_t)field;
    int rc = 0;
    if (field < 9) {
        at[field] = 2;
        w->out->len++;
        rc = write_thing(w, field, v->tag == TG_NUM ? &number : v);
        memset(room(w->out, 8), 0, 8);
        w->out->len += (size_t)(8 - field);
    }
    w->depth--;
    return rc;
}

/* --- values --------------------------------------------------------------- */

static int write_null(writer *w, const tg_avro_out *p)
{
    if (!p->nulllen)
        return refuse(w, "null for a required %s", tg__avro_type_text(p->type));
    put_raw(w->out, p->null, p->nulllen);
    return 0;
}

static int write_value(writer *w, const tg_avro_out *p, const tg_value *v)
{
    if (p->op == OP_ANYTHING)
        return write_anything(w, v);
    if (v->tag <= TG_NULL)
        return write_null(w, p);
    if (p->in_union)
        put_raw(w->out, p->prefix, p->prefixlen);
    switch (p->op) {
    case OP_BOOL:
        if (v->tag != TG_BOOL)
            return misfit(w, p, v);
        *room(w->out, 1) = (char)v->u.i;
        w->out->len++;
        return 0;
    case OP_INT:
    case OP_LONG:
        return write_integer(w, p, v);
    case OP_FLOAT:
    case OP_DOUBLE:
        return write_real(w, p, v);
    case OP_TEXT:
    case OP_ENUM:
        return write_text(w, p, v);
    case OP_BYTES:
    case OP_FIXED:
        return write_bytes(w, p, v);
    case OP_DECIMAL:
        return write_decimal(w, p, v);
    case OP_STRUCT:
        return write_struct(w, p, v);
    case OP_ARRAY:
        return write_array(w, p, v);
    case OP_MAP:
        return write_map(w, p, v);
    case OP_PAIRS:
        return write_pairs(w, p, v);
    case OP_UNION:
        return write_union(w, p, v);
    case OP_ANYTHING:
        break;
    }
    return misfit(w, p, v);
}

int tg__avro_write(const tg_avro_out *plan, tg_buf *out, tg_batch *batch,
                   const tg_value *v, tg_err *err)
{
    writer w = {.out = out, .batch = batch, .err = err};
    return write_value(&w, plan, v);
}

int tg__avro_encode(const tg_avro_out *plan, tg_buf *out, tg_batch *batch,
                    const tg_value *v, tg_err *err)
{
    /* bytes alone stand without their length */
    if (plan->type->type == AVRO_BYTES && !plan->in_union &&
        v->tag == TG_BYTES) {
        put_raw(out, v->u.p, v->len);
        return 0;
    }
    return tg__avro_write(plan, out, batch, v, err);
}
