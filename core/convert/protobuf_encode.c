/*
 * Values -> Protobuf bytes, by a plan (protobuf_bind.c): fields by ascending
 * number, as Protobuf's own writers do. The length of a nested message is
 * written behind its body, which moves when the length needs more than the one
 * byte that was left for it. Script thread.
 */
#include "convert/internal.h"
#include "convert/json_scan.h"
#include "convert/protobuf.h"
#include "convert/protobuf_wire.h"
#include "data/shape.h"
#include <math.h>
#include <stdlib.h>

typedef struct writing {
    const tg_pb_writer *writer;
    tg_buf *out;
    tg_batch *batch;
    tg_cell *cell;
    tg_err *err;
    uint32_t depth;
} writing;

static int write_message(writing *w, const tg_pb_out *plan, const tg_value *v);

static bool nothing(const tg_value *v)
{
    return v->tag == TG_NULL || v->tag == TG_ABSENT;
}

/* --- lengths -------------------------------------------------------------- */

static size_t open_length(writing *w)
{
    *tg_pb_room(w->out, 1) = 0;
    return w->out->len++;
}

static void close_length(writing *w, size_t at)
{
    size_t len = w->out->len - at - 1, more = tg_pb_size(len) - 1;
    if (more) {
        tg_pb_room(w->out, more);
        memmove(w->out->p + at + 1 + more, w->out->p + at + 1, len);
        w->out->len += more;
    }
    tg_pb_store(w->out->p + at, len);
}

/* --- scalars -------------------------------------------------------------- */

static int misfit(writing *w, const tg_pb_put *put)
{
    return tg_err_set(w->err, TG_ERR_DATA,
                      "the value does not fit the Protobuf type %s",
                      tg_proto_type_name(put->type));
}

static bool in_range(int type, int64_t i)
{
    switch (type) {
    case TG_PROTO_INT32:
    case TG_PROTO_SINT32:
    case TG_PROTO_SFIXED32:
        return i == (int32_t)i;
    case TG_PROTO_UINT32:
    case TG_PROTO_FIXED32:
        return i >= 0 && i <= UINT32_MAX;
    default:
        return true;
    }
}

static inline void put_fixed(tg_buf *out, uint64_t v, size_t n)
{
    char *p = tg_pb_room(out, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    memcpy(p, &v, n);
    out->len += n;
}

static void put_integer(tg_buf *out, int type, int64_t i)
{
    switch (type) {
    case TG_PROTO_SINT32:
    case TG_PROTO_SINT64:
        tg_pb_add(out, tg_pb_zigzag(i));
        return;
    case TG_PROTO_FIXED32:
    case TG_PROTO_SFIXED32:
        put_fixed(out, (uint32_t)i, 4);
        return;
    case TG_PROTO_FIXED64:
    case TG_PROTO_SFIXED64:
        put_fixed(out, (uint64_t)i, 8);
        return;
    default:
        tg_pb_add(out, (uint64_t)i);
        return;
    }
}

/* Number of an enum's constant. */
static bool enum_number(writing *w, const tg_pb_put *put, const tg_value *v,
                        int64_t *out)
{
    uint32_t len;
    int32_t ok = 1;
    const tg_proto_enum *e = put->field->enumeration;
    if (v->tag != TG_STR && v->tag != TG_ESC) {
        *out = tg_value_int64(v, &ok);
        return ok && *out == (int32_t)*out;
    }
    const char *p = tg_value_text(w->batch, v, &len);
    if (!p)
        return false;
    for (const tg_proto_constant *c = e->first; c; c = c->next) {
        if (strlen(c->name) == len && memcmp(c->name, p, len) == 0) {
            *out = c->number;
            return true;
        }
    }
    static const char head[] = "UNKNOWN_ENUM_VALUE_";
    size_t skip = sizeof head - 1 + strlen(e->name) + 1;
    char number[16], *end;
    if (len <= skip || len - skip >= sizeof number ||
        memcmp(p, head, sizeof head - 1) != 0 ||
        memcmp(p + sizeof head - 1, e->name, strlen(e->name)) != 0)
        return false;
    memcpy(number, p + skip, len - skip);
    number[len - skip] = 0;
    *out = strtol(number, &end, 10);
    return !*end && *out == (int32_t)*out;
}

static void put_key(writing *w, const tg_pb_put *put, bool keyed)
{
    if (keyed)
        tg_pb_add(w->out, put->key);
}

static int write_enum(writing *w, const tg_pb_put *put, const tg_value *v,
                      bool keyed)
{
    int64_t i;
    uint32_t len = 0;
    if (enum_number(w, put, v, &i)) {
        if (keyed && put->skip_zero && i == 0)
            return 0;
        put_key(w, put, keyed);
        tg_pb_add(w->out, (uint64_t)i);
        return 0;
    }
    const char *p = tg_value_text(w->batch, v, &len);
    return tg_err_set(w->err, TG_ERR_DATA, "%s%.*s%s is no constant of enum %s",
                      p ? "\"" : "", (int)(len < 60 ? len : 60),
                      p ? p : "the value", p ? "\"" : "",
                      put->field->enumeration->full);
}

static int write_integer(writing *w, const tg_pb_put *put, const tg_value *v,
                         bool keyed)
{
    int32_t ok = 1;
    int64_t i = tg_tag_is_int(v->tag) || v->tag == TG_BOOL
                    ? v->u.i
                    : tg_value_int64(v, &ok);
    if (!ok || !in_range(put->type, i))
        return misfit(w, put);
    if (keyed && put->skip_zero && i == 0)
        return 0;
    put_key(w, put, keyed);
    put_integer(w->out, put->type, i);
    return 0;
}

static int write_real(writing *w, const tg_pb_put *put, const tg_value *v,
                      bool keyed)
{
    int32_t ok = 1;
    uint64_t bits = 0;
    double d = tg_tag_is_float(v->tag) ? v->u.d : tg_value_number(v, &ok);
    float f = (float)d;
    if (!ok)
        return misfit(w, put);
    if (put->type == TG_PROTO_FLOAT)
        memcpy(&bits, &f, 4);
    else
        memcpy(&bits, &d, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    if (put->type == TG_PROTO_FLOAT)
        bits >>= 32;
#endif
    if (keyed && put->skip_zero && bits == 0)
        return 0;
    put_key(w, put, keyed);
    put_fixed(w->out, bits, put->type == TG_PROTO_FLOAT ? 4 : 8);
    return 0;
}

static int write_bytes(writing *w, const tg_pb_put *put, const tg_value *v,
                       bool keyed)
{
    uint32_t len = v->len;
    const char *p = v->u.p;
    bool text = v->tag == TG_STR || v->tag == TG_ESC;
    if (!text && v->tag != TG_BYTES)
        return misfit(w, put);
    if (v->tag == TG_ESC && !(p = tg_value_text(w->batch, v, &len)))
        return tg__converter_full(w->err);
    if (put->type == TG_PROTO_STRING && v->flags & TG_F_NEW &&
        tg__json_plain(p, p + len) != p + len && tg__utf8_check(p, len))
        return tg_err_set(w->err, TG_ERR_DATA,
                          "a string cannot be written to Protobuf: it is not"
                          " UTF-8; write it as bytes or convert it");
    if (keyed && put->skip_zero && len == 0)
        return 0;
    char *to = tg_pb_room(w->out, (size_t)len + 20);
    char *at = keyed ? tg_pb_store(to, put->key) : to;
    at = tg_pb_store(at, len);
    if (len)
        memcpy(at, p, len);
    w->out->len += (size_t)(at - to) + len;
    return 0;
}

/* --- one value ------------------------------------------------------------ */

static int write_nested(writing *w, const tg_pb_put *put, const tg_value *v)
{
    size_t at = 0;
    bool group = put->type == TG_PROTO_GROUP;
    int rc;
    tg_pb_add(w->out, put->key);
    if (!group)
        at = open_length(w);
    if (put->special == TG_PB_WRAPPED) {
        const tg_pb_put *inner = &put->sub->puts[0];
        tg_pb_put field = *inner;
        field.skip_zero = !put->field->message->file->proto2;
        rc = field.missing ? misfit(w, put) : 0;
        if (!rc &&
            (field.type == TG_PROTO_FLOAT || field.type == TG_PROTO_DOUBLE))
            rc = write_real(w, &field, v, true);
        else if (!rc && (field.type == TG_PROTO_STRING ||
                         field.type == TG_PROTO_BYTES))
            rc = write_bytes(w, &field, v, true);
        else if (!rc)
            rc = write_integer(w, &field, v, true);
    } else if (put->special) {
        rc = tg_pb_write_special(put->special, w->out, v, put->schema, w->err);
    } else if (!put->sub) {
        rc = v->tag == TG_BYTES ? 0 : misfit(w, put);
        if (!rc)
            tg_buf_add(w->out, v->u.p, v->len);
    } else {
        rc = v->tag == TG_STRUCT ? write_message(w, put->sub, v)
                                 : misfit(w, put);
    }
    if (!group)
        close_length(w, at);
    else
        tg_pb_add(w->out, (put->key & ~7u) | TG_PB_STOP);
    return rc;
}

/* keyed: with its key, and left out when it is the default of proto3. */
static int write_single(writing *w, const tg_pb_put *put, const tg_value *v,
                        bool keyed)
{
    switch (put->type) {
    case TG_PROTO_MESSAGE:
    case TG_PROTO_GROUP:
        return write_nested(w, put, v);
    case TG_PROTO_STRING:
    case TG_PROTO_BYTES:
        return write_bytes(w, put, v, keyed);
    case TG_PROTO_FLOAT:
    case TG_PROTO_DOUBLE:
        return write_real(w, put, v, keyed);
    case TG_PROTO_ENUM:
        return write_enum(w, put, v, keyed);
    default:
        return write_integer(w, put, v, keyed);
    }
}

/* --- lists and maps ------------------------------------------------------- */

static int write_list(writing *w, const tg_pb_put *put, const tg_value *v)
{
    if (v->tag != TG_ARRAY)
        return misfit(w, put);
    const tg_node *node = v->u.node;
    tg_pb_put each = *put;
    size_t at = 0;
    int rc = 0;
    each.skip_zero = false;
    if (node->n == 0)
        return 0;
    if (put->packed) {
        tg_pb_add(w->out, put->key);
        at = open_length(w);
    }
    for (uint32_t i = 0; i < node->n && !rc; i++) {
        if (nothing(&node->slots[i]))
            rc = tg_err_set(w->err, TG_ERR_DATA,
                            "element %u is null, which Protobuf cannot hold in"
                            " a repeated field",
                            i + 1);
        else
            rc = write_single(w, &each, &node->slots[i], !put->packed);
    }
    if (put->packed)
        close_length(w, at);
    return rc;
}

static const tg_pb_put *entry_put(const tg_pb_put *put, int32_t slot)
{
    for (uint32_t i = 0; i < put->sub->n; i++)
        if (put->sub->puts[i].slot == slot)
            return &put->sub->puts[i];
    return NULL;
}

static int write_slot(writing *w, const tg_pb_put *put, const tg_value *v);

static int write_entry(writing *w, const tg_pb_put *put, const tg_value *key,
                       const tg_value *value)
{
    tg_pb_add(w->out, put->key);
    size_t at = open_length(w);
    int rc = write_slot(w, entry_put(put, 0), key);
    if (!rc)
        rc = write_slot(w, entry_put(put, 1), value);
    close_length(w, at);
    return rc;
}

static int write_map(writing *w, const tg_pb_put *put, const tg_value *v)
{
    if (v->tag != TG_MAP && v->tag != TG_PAIRS)
        return misfit(w, put);
    const tg_node *node = v->u.node;
    int rc = 0;
    if (v->tag == TG_PAIRS) {
        for (uint32_t i = 0; i + 1 < node->n && !rc; i += 2)
            rc = write_entry(w, put, &node->slots[i], &node->slots[i + 1]);
        return rc;
    }
    for (uint32_t i = 0; i < node->n && !rc; i++) {
        const tg_name *name = node->shape->names[i];
        tg_value key = {.tag = TG_STR, .len = name->len};
        key.u.p = name->text;
        if (node->slots[i].tag != TG_ABSENT)
            rc = write_entry(w, put, &key, &node->slots[i]);
    }
    return rc;
}

/* --- messages ------------------------------------------------------------- */

static int write_slot(writing *w, const tg_pb_put *put, const tg_value *v)
{
    if (nothing(v) || (put->missing && w->writer->lenient))
        return 0;
    if (put->missing)
        return tg_err_set(w->err, TG_ERR_DATA,
                          "the Protobuf schema has no field \"%s\"", put->name);
    if (put->map)
        return write_map(w, put, v);
    if (put->repeated)
        return write_list(w, put, v);
    return write_single(w, put, v, true);
}

/* The default of a field that is null, as Java's Struct.get gives it. */
static int default_of(writing *w, const tg_pb_put *put, tg_node *node,
                      tg_value *out)
{
    if (!put->whole->has_default || w->writer->set->ignore_default)
        return 0;
    return tg_schema_default_hook
               ? tg_schema_default_hook(node, put->whole, out, w->err)
               : 0;
}

static int write_message(writing *w, const tg_pb_out *plan, const tg_value *v)
{
    tg_node *node = v->u.node;
    if (++w->depth > TG_PB_DEPTH)
        return tg_err_set(w->err, TG_ERR_DATA,
                          "structs are nested more than %d deep", TG_PB_DEPTH);
    for (uint32_t i = 0; i < plan->n; i++) {
        const tg_pb_put *put = &plan->puts[i];
        tg_node *from = node;
        if (put->within >= 0) {
            const tg_value *u = &node->slots[put->within];
            if (u->tag != TG_STRUCT)
                continue;
            from = u->u.node;
        }
        if ((uint32_t)put->slot >= from->n)
            continue;
        tg_value value = from->slots[put->slot];
        int rc = 0;
        if (nothing(&value))
            rc = default_of(w, put, from, &value);
        if (!rc)
            rc = write_slot(w, put, &value);
        if (rc) {
            tg__converter_in(w->err, "field \"%s\"", put->name);
            return rc;
        }
    }
    w->depth--;
    return 0;
}

int tg_pb_encode(const tg_pb_writer *writer, tg_buf *out, tg_batch *batch,
                 tg_cell *cell, const tg_value *v, tg_err *err)
{
    writing w = {
        .writer = writer, .out = out, .batch = batch, .cell = cell, .err = err};
    if (writer->schema->tag == TG_STRUCT)
        return v->tag == TG_STRUCT
                   ? write_message(&w, writer->root, v)
                   : tg_err_set(err, TG_ERR_DATA,
                                "the value is no struct, as its schema says");
    return write_slot(&w, &writer->root->puts[0], v);
}
