/*
 * Avro's binary encoding to values, by a plan: one function over plans, with
 * the usual scalars of a struct read in its own loop. Texts and bytes point
 * into the input. Every length is compared with what is left before anything is
 * allocated for it.
 *
 * Plans do not recurse, so their depth is that of the schema; values without a
 * schema (io.confluent.connect.avro.Anything) do, and are counted.
 *
 * Script thread.
 */
#include "convert/avro_plan.h"
#include "convert/internal.h"
#include "convert/map_build.h"
#include "data/node.h"
#include <endian.h>

/* An empty record takes no bytes: so many of them in the arrays of one value at
 * most. */
enum { EMPTY_MAX = 100000 };

typedef struct reader {
    const char *p, *end, *start;
    tg_batch *batch;
    tg_cell *cell;
    tg_err *err;
    uint32_t depth; /* of values without a schema */
    uint32_t empty; /* items that took no bytes */
} reader;

/* --- numbers -------------------------------------------------------------- */

static int refuse(reader *in, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), cold));
static int refuse(reader *in, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    tg_err_vset(in->err, TG_ERR_DATA, fmt, ap);
    va_end(ap);
    return TG_ERR_DATA;
}

static int cut_off(reader *in, const char *what)
{
    return refuse(in, "the bytes end in the middle of %s (%zu of them)", what,
                  (size_t)(in->end - in->start));
}

static int read_long_slow(reader *in, int64_t *out)
{
    uint64_t v = 0;
    const char *p = in->p;
    for (int shift = 0; shift < 70; shift += 7) {
        if (p == in->end)
            return cut_off(in, "a number");
        uint8_t b = (uint8_t)*p++;
        if (shift == 63 && b > 1)
            break;
        v |= (uint64_t)(b & 0x7F) << shift;
        if (b < 0x80) {
            in->p = p;
            *out = (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
            return 0;
        }
    }
    return refuse(in, "a number at byte %zu has more than 64 bits",
                  (size_t)(in->p - in->start));
}

static inline int read_long(reader *in, int64_t *out)
{
    if (in->p < in->end && (uint8_t)*in->p < 0x80) {
        uint8_t b = (uint8_t)*in->p++;
        *out = (int8_t)(b >> 1) ^ -(int8_t)(b & 1);
        return 0;
    }
    return read_long_slow(in, out);
}

static inline void set_value(tg_value *out, uint8_t tag, int64_t i)
{
    out->tag = tag;
    out->flags = 0;
    out->aux = 0;
    out->len = 0;
    out->u.i = i;
}

static int read_int(reader *in, tg_value *out, uint8_t tag, int64_t max)
{
    int64_t v;
    int rc = read_long(in, &v);
    if (rc)
        return rc;
    if (v > max || v < -max - 1)
        return refuse(in, "the number %lld does not fit into %s", (long long)v,
                      tg_schema_type_name(tag));
    set_value(out, tag, v);
    return 0;
}

static int read_real(reader *in, tg_value *out, bool is_double)
{
    uint64_t u;
    uint32_t w;
    float f;
    double d;
    size_t n = is_double ? 8 : 4;
    if ((size_t)(in->end - in->p) < n)
        return cut_off(in, is_double ? "a double" : "a float");
    if (is_double) {
        memcpy(&u, in->p, 8);
        u = le64toh(u);
        memcpy(&d, &u, 8);
    } else {
        memcpy(&w, in->p, 4);
        w = le32toh(w);
        memcpy(&f, &w, 4);
        d = (double)f;
    }
    in->p += n;
    set_value(out, is_double ? TG_FLOAT64 : TG_FLOAT32, 0);
    out->u.d = d;
    return 0;
}

/* --- texts and bytes ------------------------------------------------------ */

static int read_length(reader *in, uint32_t *len, const char *what)
{
    int64_t n;
    int rc = read_long(in, &n);
    if (rc)
        return rc;
    if (n < 0 || n > in->end - in->p)
        return refuse(in,
                      "%s of %lld bytes at byte %zu, where %zu are left: the"
                      " bytes do not fit the schema",
                      what, (long long)n, (size_t)(in->p - in->start),
                      (size_t)(in->end - in->p));
    *len = (uint32_t)n;
    return 0;
}

static int read_text(reader *in, tg_value *out)
{
    uint32_t len = 0;
    int rc = read_length(in, &len, "a text");
    if (rc)
        return rc;
    out->tag = TG_STR;
    out->flags = TG_F_NEW;
    out->aux = 0;
    out->len = len;
    out->u.p = in->p;
    in->p += len;
    return 0;
}

/* Java keeps decimals as numbers: bytes that only repeat the sign are gone. */
static int trim_decimal(reader *in, tg_value *v)
{
    if (v->len == 0)
        return refuse(in, "a decimal without bytes");
    const signed char *p = (const signed char *)v->u.p;
    while (v->len > 1 && ((p[0] == 0 && p[1] >= 0) || (p[0] == -1 && p[1] < 0)))
        p++, v->len--;
    v->u.p = (const char *)p;
    return 0;
}

static int take_bytes(reader *in, const tg_avro_plan *p, tg_value *out,
                      uint32_t len)
{
    out->tag = TG_BYTES;
    out->flags = 0;
    out->aux = 0;
    out->len = len;
    out->u.p = in->p;
    in->p += len;
    return p->decimal ? trim_decimal(in, out) : 0;
}

static int read_bytes(reader *in, const tg_avro_plan *p, tg_value *out)
{
    uint32_t len = p->n;
    int rc = 0;
    if (p->op == OP_BYTES)
        rc = read_length(in, &len, "bytes");
    else if ((size_t)(in->end - in->p) < len)
        rc = cut_off(in, "a fixed value");
    return rc ? rc : take_bytes(in, p, out, len);
}

static int read_enum(reader *in, const tg_avro_plan *p, tg_value *out)
{
    int64_t i;
    int rc = read_long(in, &i);
    if (rc)
        return rc;
    if (i < 0 || i >= p->n)
        return refuse(in, "symbol %lld of enum %s, which has %u", (long long)i,
                      p->type->full, p->n);
    set_value(out, TG_STR, 0);
    out->u.p = p->type->symbols[i];
    out->len = (uint32_t)strlen(out->u.p);
    return 0;
}

/* --- containers ----------------------------------------------------------- */

static int read_value(reader *in, const tg_avro_plan *p, tg_value *out,
                      tg_node *parent, tg_site *site);

static int full(reader *in)
{
    return tg__converter_full(in->err);
}

static tg_node *node_new(reader *in, int kind, tg_shape *shape, uint32_t n,
                         tg_node *parent, tg_value *out)
{
    tg_node *node = tg_node_new(in->batch, kind, shape, n);
    if (!node)
        return NULL;
    node->parent = parent;
    node->cell = in->cell;
    set_value(out, (uint8_t)kind, 0);
    out->u.node = node;
    return node;
}

static int read_struct(reader *in, const tg_avro_plan *p, tg_value *out,
                       tg_node *parent)
{
    tg_node *node = node_new(in, TG_STRUCT, p->shape, p->n, parent, out);
    if (!node)
        return full(in);
    node->n = p->n;
    memset(node->slots, 0, p->n * sizeof *node->slots);
    for (uint32_t i = 0; i < p->n; i++) {
        const tg_avro_plan *sub = p->subs[i];
        tg_value *slot = &node->slots[i];
        int64_t v;
        int rc;
        switch (sub->op) {
        case OP_TEXT:
            rc = read_text(in, slot);
            break;
        case OP_LONG:
            rc = read_long(in, &v);
            if (!rc)
                set_value(slot, TG_INT64, v);
            break;
        case OP_INT:
            rc = read_int(in, slot, TG_INT32, INT32_MAX);
            break;
        default:
            rc = read_value(in, sub, slot, node,
                            sub->op >= OP_NULLABLE ? tg_shape_site(p->shape, i)
                                                   : NULL);
        }
        if (rc) {
            if (rc == TG_ERR_DATA)
                tg__converter_in(in->err, "field \"%s\"",
                                 p->shape->names[i]->text);
            return rc;
        }
    }
    return 0;
}

/* Index of a union's branch. */
static int read_branch(reader *in, const tg_avro_plan *p, uint32_t *at)
{
    int64_t i;
    int rc = read_long(in, &i);
    if (rc)
        return rc;
    if (i < 0 || i >= p->n)
        return refuse(in,
                      "branch %lld of a union that has %u: the bytes do not"
                      " fit the schema",
                      (long long)i, p->n);
    *at = (uint32_t)i;
    return 0;
}

static int read_union(reader *in, const tg_avro_plan *p, tg_value *out,
                      tg_node *parent)
{
    uint32_t at = 0;
    int rc = read_branch(in, p, &at);
    if (rc)
        return rc;
    if (at == p->null) {
        set_value(out, TG_NULL, 0);
        return 0;
    }
    tg_shape *shape = p->shape;
    tg_node *node = node_new(in, TG_STRUCT, shape, shape->n, parent, out);
    if (!node)
        return full(in);
    node->n = shape->n;
    for (uint32_t i = 0; i < shape->n; i++)
        set_value(&node->slots[i], TG_NULL, 0);
    return read_value(in, p->subs[at], &node->slots[p->slots[at]], node,
                      tg_shape_site(shape, p->slots[at]));
}

/* The next block of an array or map: its number of items, 0 at the end. least:
 * bytes that an item takes at least. */
static int read_block(reader *in, uint32_t least, uint32_t *n)
{
    int64_t count, size;
    int rc = read_long(in, &count);
    if (rc)
        return rc;
    if (count < 0) {
        rc = read_long(in, &size);
        if (rc)
            return rc;
        if (count == INT64_MIN)
            return refuse(in, "a block of 2^63 items");
        count = -count;
    }
    int64_t left = in->end - in->p;
    if (least > 0 ? count > left / least
                  : count > EMPTY_MAX - (int64_t)in->empty)
        return refuse(in,
                      "a block of %lld items at byte %zu, where %lld bytes are"
                      " left: the bytes do not fit the schema",
                      (long long)count, (size_t)(in->p - in->start),
                      (long long)left);
    if (least == 0)
        in->empty += (uint32_t)count;
    *n = (uint32_t)count;
    return 0;
}

static int read_array(reader *in, const tg_avro_plan *p, tg_value *out,
                      tg_node *parent, tg_site *site)
{
    const tg_avro_plan *sub = p->subs[0];
    uint32_t n;
    tg_node *node = node_new(in, TG_ARRAY, tg_shape_array(), 4, parent, out);
    if (!node)
        return full(in);
    for (;;) {
        int rc = read_block(in, sub->least, &n);
        if (rc || n == 0)
            return rc;
        if (tg__slots_grow(in->batch, node, n))
            return full(in);
        for (; n > 0; n--) {
            rc = read_value(in, sub, &node->slots[node->n], node, site);
            if (rc == TG_ERR_DATA)
                tg__converter_in(in->err, "element %u", node->n);
            if (rc)
                return rc;
            node->n++;
        }
    }
}

/* All keys of pairs are texts: a map. Duplicates: the last one wins. */
static int settle_pairs(reader *in, tg_value *out, tg_node *pairs,
                        tg_node *parent, tg_site *site)
{
    tg_map_build m;
    for (uint32_t i = 0; i < pairs->n; i += 2)
        if (pairs->slots[i].tag != TG_STR)
            return 0;
    if (tg__map_begin(&m, in->batch, in->cell, parent, site))
        return full(in);
    for (uint32_t i = 0; i < pairs->n; i += 2) {
        const tg_value *key = &pairs->slots[i], *v = &pairs->slots[i + 1];
        tg_site *below;
        bool bad;
        tg_value *slot = tg__map_key(&m, key->u.p, key->len, &below, &bad);
        if (!slot) {
            tg__map_drop(&m);
            return bad ? refuse(in, "a key of a map is not UTF-8") : full(in);
        }
        *slot = *v;
        if (v->tag >= TG_ARRAY)
            v->u.node->parent = m.node;
    }
    set_value(out, TG_MAP, 0);
    out->u.node = m.node;
    return tg__map_end(&m) ? full(in) : 0;
}

static int read_pairs(reader *in, const tg_avro_plan *p, tg_value *out,
                      tg_node *parent, tg_site *site)
{
    uint32_t n, first = p->key_first ? 0 : 1;
    tg_node *node = node_new(in, TG_PAIRS, tg_shape_array(), 8, parent, out);
    if (!node)
        return full(in);
    for (;;) {
        int rc = read_block(
            in, tg__avro_plus(p->subs[0]->least, p->subs[1]->least), &n);
        if (rc)
            return rc;
        if (n == 0)
            break;
        if (n > UINT32_MAX / 2 || tg__slots_grow(in->batch, node, n * 2))
            return full(in);
        for (; n > 0; n--) {
            tg_value *slots = &node->slots[node->n];
            rc = read_value(in, p->subs[first], &slots[first], node, site);
            if (!rc)
                rc =
                    read_value(in, p->subs[!first], &slots[!first], node, site);
            if (rc)
                return rc;
            node->n += 2;
        }
    }
    return p->schema->key->tag == TG_STR
               ? settle_pairs(in, out, node, parent, site)
               : 0;
}

static int read_entry(reader *in, const tg_avro_plan *sub, tg_map_build *m)
{
    uint32_t len = 0;
    bool bad;
    tg_site *below;
    int rc = read_length(in, &len, "a key");
    if (rc)
        return rc;
    const char *key = in->p;
    in->p += len;
    tg_value *slot = tg__map_key(m, key, len, &below, &bad);
    if (!slot)
        return bad ? refuse(in, "a key of a map at byte %zu is not UTF-8",
                            (size_t)(key - in->start))
                   : full(in);
    rc = read_value(in, sub, slot, m->node, below);
    if (rc == TG_ERR_DATA)
        tg__converter_in(in->err, "key \"%.*s\"", len < 64 ? (int)len : 64,
                         key);
    return rc;
}

static int read_map(reader *in, const tg_avro_plan *p, tg_value *out,
                    tg_node *parent, tg_site *site)
{
    const tg_avro_plan *sub = p->subs[0];
    tg_map_build m;
    uint32_t n;
    if (tg__map_begin(&m, in->batch, in->cell, parent, site))
        return full(in);
    set_value(out, TG_MAP, 0);
    out->u.node = m.node;
    for (;;) {
        int rc = read_block(in, tg__avro_plus(1, sub->least), &n);
        if (!rc && n == 0)
            return tg__map_end(&m) ? full(in) : 0;
        for (; !rc && n > 0; n--)
            rc = read_entry(in, sub, &m);
        if (rc) {
            tg__map_drop(&m);
            return rc;
        }
    }
}

static int read_nullable(reader *in, const tg_avro_plan *p, tg_value *out,
                         tg_node *parent, tg_site *site)
{
    uint32_t at = 0;
    int rc = read_branch(in, p, &at);
    if (rc)
        return rc;
    if (at != p->null)
        return read_value(in, p->subs[at], out, parent, site);
    set_value(out, TG_NULL, 0);
    return 0;
}

/* --- values without a schema ---------------------------------------------- */

static int read_anything(reader *in, tg_value *out, tg_node *parent);

static int read_things(reader *in, tg_value *out, tg_node *parent, bool pairs)
{
    uint32_t n, each = pairs ? 2 : 1;
    tg_node *node = node_new(in, pairs ? TG_PAIRS : TG_ARRAY, tg_shape_array(),
                             4, parent, out);
    if (!node)
        return full(in);
    for (;;) {
        int rc = read_block(in, 9 * each, &n);
        if (rc)
            return rc;
        if (n == 0)
            break;
        if (tg__slots_grow(in->batch, node, n * each))
            return full(in);
        for (; n > 0; n--) {
            for (uint32_t i = 0; !rc && i < each; i++)
                rc = read_anything(in, &node->slots[node->n + i], node);
            if (rc)
                return rc;
            node->n += each;
        }
    }
    return pairs ? settle_pairs(in, out, node, parent, NULL) : 0;
}

/* One of the nine fields; field is its place in the record. */
static int read_thing(reader *in, int field, tg_value *out, tg_node *parent)
{
    static const tg_avro_plan bytes = {.op = OP_BYTES};
    int64_t v;
    int rc;
    switch (field) {
    case 0:
        if (in->p == in->end)
            return cut_off(in, "a boolean");
        set_value(out, TG_BOOL, *in->p++ == 1);
        return 0;
    case 1:
        return read_bytes(in, &bytes, out);
    case 2:
    case 3:
        return read_real(in, out, field == 2);
    case 4:
        return read_int(in, out, TG_INT32, INT32_MAX);
    case 5:
        rc = read_long(in, &v);
        if (!rc)
            set_value(out, TG_INT64, v);
        return rc;
    case 6:
        return read_text(in, out);
    default:
        return read_things(in, out, parent, field == 8);
    }
}

static int read_anything(reader *in, tg_value *out, tg_node *parent)
{
    tg_value v, found = {.tag = TG_NULL};
    if (++in->depth > TG_MAX_DEPTH)
        return refuse(in, "the value is nested more than %d levels deep",
                      TG_MAX_DEPTH);
    for (int field = 0; field < 9; field++) {
        int64_t branch;
        int rc = read_long(in, &branch);
        if (!rc && branch != 0 && branch != 1)
            rc = refuse(in, "branch %lld of a union that has 2",
                        (long long)branch);
        if (!rc && branch == 1)
            rc = read_thing(in, field, &v, parent);
        if (rc)
            return rc;
        if (branch == 1 && found.tag == TG_NULL)
            found = v;
    }
    in->depth--;
    *out = found;
    return 0;
}

/* --- values --------------------------------------------------------------- */

static int read_value(reader *in, const tg_avro_plan *p, tg_value *out,
                      tg_node *parent, tg_site *site)
{
    int64_t v;
    int rc;
    switch (p->op) {
    case OP_NULL:
        set_value(out, TG_NULL, 0);
        return 0;
    case OP_BOOL:
        if (in->p == in->end)
            return cut_off(in, "a boolean");
        if ((uint8_t)*in->p > 1)
            return refuse(in, "the byte 0x%02X where a boolean is 0 or 1",
                          (uint8_t)*in->p);
        set_value(out, TG_BOOL, *in->p++);
        return 0;
    case OP_INT8:
        return read_int(in, out, TG_INT8, INT8_MAX);
    case OP_INT16:
        return read_int(in, out, TG_INT16, INT16_MAX);
    case OP_INT:
        return read_int(in, out, TG_INT32, INT32_MAX);
    case OP_LONG:
        rc = read_long(in, &v);
        if (!rc)
            set_value(out, TG_INT64, v);
        return rc;
    case OP_FLOAT:
    case OP_DOUBLE:
        return read_real(in, out, p->op == OP_DOUBLE);
    case OP_TEXT:
        return read_text(in, out);
    case OP_BYTES:
    case OP_FIXED:
        return read_bytes(in, p, out);
    case OP_ENUM:
        return read_enum(in, p, out);
    case OP_NULLABLE:
        return read_nullable(in, p, out, parent, site);
    case OP_STRUCT:
        return read_struct(in, p, out, parent);
    case OP_ARRAY:
        return read_array(in, p, out, parent, site);
    case OP_MAP:
        return read_map(in, p, out, parent, site);
    case OP_PAIRS:
        return read_pairs(in, p, out, parent, site);
    case OP_UNION:
        return read_union(in, p, out, parent);
    case OP_ANYTHING:
        return read_anything(in, out, parent);
    }
    return refuse(in, "an unknown type");
}

int tg__avro_decode(const tg_avro_plan *plan, const char *p, size_t len,
                    tg_batch *batch, tg_cell *cell, tg_site *site,
                    tg_value *out, tg_err *err)
{
    reader in = {.p = p,
                 .start = p,
                 .end = p + len,
                 .batch = batch,
                 .cell = cell,
                 .err = err};
    if (plan->op == OP_BYTES) /* alone they stand without their length */
        return take_bytes(&in, plan, out, (uint32_t)len);
    int rc = read_value(&in, plan, out, NULL, site);
    if (rc)
        return rc;
    if (in.p != in.end)
        return refuse(&in,
                      "%zu bytes are left behind the value: the bytes do not"
                      " fit the schema",
                      (size_t)(in.end - in.p));
    return 0;
}
