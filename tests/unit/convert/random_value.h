/*
 * Random schemas and values of all of Connect's types, and the property that
 * every converter must have:
 *
 *   encode -> decode gives an equal value and schema;
 *   decoded and untouched, the bytes stay the same ones (identity);
 *   decoded and marked as changed everywhere, equal bytes are written anew.
 *
 * A test says what its converter can express and calls random_check:
 *
 *     static const random_options options = {
 *         .kinds = RANDOM_ALL, .root = RANDOM_ALL, .logical = true, ...};
 *     random_check(&(random_run){.options = &options, .conv = conv,
 *                                .records = 100000, .seed = 1});
 *
 * A new schema is made every RANDOM_PER_SCHEMA records, so that caches are used
 * and missed. What a converter changes on purpose is told by `fix` (the last
 * word on each schema that is made: names that it needs, types that it cannot
 * nest) and by `expect` (the schema that comes back). For other uses take
 * random_schema, random_value and random_plain alone. A failure prints seed and
 * number of the record: run with that seed to see it again.
 */
#ifndef TG_TEST_RANDOM_VALUE_H
#define TG_TEST_RANDOM_VALUE_H
#include "cells.h"
#include "convert/decimal.h"
#include "convert/json_write.h"
#include <math.h>
#include <stdio.h>

#define RANDOM_INTS                                                            \
    (1u << TG_INT8 | 1u << TG_INT16 | 1u << TG_INT32 | 1u << TG_INT64)
#define RANDOM_SCALARS                                                         \
    (RANDOM_INTS | 1u << TG_BOOL | 1u << TG_FLOAT32 | 1u << TG_FLOAT64 |       \
     1u << TG_STR | 1u << TG_BYTES)
#define RANDOM_ALL                                                             \
    (RANDOM_SCALARS | 1u << TG_ARRAY | 1u << TG_MAP | 1u << TG_STRUCT)

enum { RANDOM_PER_SCHEMA = 40, RANDOM_FIELDS = 8 };

typedef struct random_options {
    uint32_t kinds;   /* 1u << TG_BOOL ...: kinds below the root */
    uint32_t root;    /* kinds of the whole value */
    bool logical;     /* Decimal, Date, Time, Timestamp */
    bool optional;    /* optional schemas below the root, with nulls */
    bool items_null;  /* elements and map values too */
    bool root_null;   /* an optional root; never null itself */
    bool any_keys;    /* maps with keys that are no strings */
    bool metadata;    /* name, version, doc and parameters on any schema */
    bool defaults;    /* default values of scalar fields */
    bool identifiers; /* field names of letters, digits and _ only */
    bool finite;      /* no NaN and no infinities */
    bool no_nul;      /* no U+0000 in strings */
    uint32_t scale;   /* decimals with scales from -scale to 2 * scale */
    uint32_t depth;   /* levels of containers; 0: 4 */
    const tg_schema *(*fix)(const tg_schema *schema, int depth);
} random_options;

typedef struct random_state {
    uint64_t seed;
    const random_options *o;
    tg_batch *batch;
    uint32_t made;
} random_state;

typedef struct random_run {
    const random_options *options;
    const tg_converter *conv;
    uint32_t records;
    uint64_t seed;
    const tg_schema *(*expect)(const tg_schema *schema); /* NULL: the same */
    bool other_bytes; /* bytes written anew may differ (hash order) but must
                         decode to an equal value */
} random_run;

static inline uint32_t rnd(random_state *r, uint32_t n)
{
    r->seed ^= r->seed << 13;
    r->seed ^= r->seed >> 7;
    r->seed ^= r->seed << 17;
    return (uint32_t)(r->seed >> 33) % n;
}

static inline uint64_t rnd64(random_state *r)
{
    return (uint64_t)rnd(r, UINT32_MAX) << 32 ^ (uint64_t)rnd(r, UINT32_MAX);
}

/* --- scalars -------------------------------------------------------------- */

static inline int64_t random_integer(random_state *r, int tag)
{
    int bits = tag == TG_INT8    ? 8
               : tag == TG_INT16 ? 16
               : tag == TG_INT32 ? 32
                                 : 64;
    int64_t max = (int64_t)(UINT64_MAX >> (65 - bits));
    switch (rnd(r, 6)) {
    case 0:
        return max;
    case 1:
        return -max - 1;
    case 2:
        return (int64_t)rnd(r, 3) - 1;
    default: {
        uint64_t u = rnd64(r) >> (64 - bits) >> rnd(r, (uint32_t)bits);
        return rnd(r, 2) ? (int64_t)(u & (uint64_t)max)
                         : -(int64_t)(u & (uint64_t)max);
    }
    }
}

static inline double random_real(random_state *r, int tag)
{
    static const double some[] = {
        0.0,      -0.0,      1.0,    -1.5,  0.1,    1e10,
        1e-7,     16777217,  5e-324, 1e308, 1e-310, 3.4028234663852886e38,
        INFINITY, -INFINITY, NAN};
    double d;
    do {
        uint64_t bits = rnd64(r);
        uint32_t low = (uint32_t)bits;
        float f;
        memcpy(&d, &bits, sizeof d);
        memcpy(&f, &low, sizeof f);
        if (rnd(r, 3) == 0)
            d = some[rnd(r, 15)];
        else if (tag == TG_FLOAT32)
            d = (double)f;
        if (tag == TG_FLOAT32)
            d = (double)(float)d;
    } while (r->o->finite && !isfinite(d));
    return isnan(d) ? NAN : d;
}

static inline tg_value random_text(random_state *r, bool identifier)
{
    static const char *const some[] = {"a",
                                       "b",
                                       "Z",
                                       "_",
                                       "0",
                                       "9",
                                       " ",
                                       "\"",
                                       "\\",
                                       "/",
                                       "\n",
                                       "\t",
                                       "\x01",
                                       "=",
                                       ",",
                                       "\xc3\xa9",
                                       "\xe2\x82\xac",
                                       "\xf0\x9f\x98\x80",
                                       "\xe2\x80\xa8",
                                       "\x7f",
                                       "null"};
    char text[2048];
    uint32_t len = 0, n = rnd(r, 12);
    if (!identifier && rnd(r, 50) == 0)
        n = rnd(r, 200);
    for (uint32_t i = 0; i < n; i++) {
        const char *part = some[rnd(r, identifier ? 4 : 21)];
        if (!identifier && !r->o->no_nul && rnd(r, 100) == 0)
            text[len++] = 0;
        memcpy(text + len, part, strlen(part));
        len += (uint32_t)strlen(part);
    }
    return (tg_value){.tag = TG_STR,
                      .flags = TG_F_NEW,
                      .len = len,
                      .u.p = tg_arena_dup(r->batch->arena, text, len)};
}

static inline tg_value random_bytes(random_state *r, bool decimal)
{
    char bytes[64];
    uint32_t n = decimal ? 1 + rnd(r, 17) : rnd(r, rnd(r, 8) ? 6 : 64);
    for (uint32_t i = 0; i < n; i++)
        bytes[i] = (char)rnd(r, 256);
    const char *p = bytes;
    while (decimal && n > 1 &&
           ((p[0] == 0 && p[1] >= 0) || (p[0] == -1 && p[1] < 0)))
        p++, n--; /* of minimal length, as BigInteger writes it */
    return (tg_value){
        .tag = TG_BYTES, .len = n, .u.p = tg_arena_dup(r->batch->arena, p, n)};
}

static inline bool random_named(const tg_schema *s, const char *last)
{
    const char *dot = s->name ? strrchr(s->name, '.') : NULL;
    return dot && strcmp(dot + 1, last) == 0;
}

/* A scalar of the schema, never null. */
static inline tg_value random_scalar(random_state *r, const tg_schema *s)
{
    tg_value v = {.tag = s->tag};
    if (s->tag == TG_STR)
        return random_text(r, false);
    if (s->tag == TG_BYTES)
        return random_bytes(r, random_named(s, "Decimal"));
    if (s->tag == TG_FLOAT32 || s->tag == TG_FLOAT64)
        v.u.d = random_real(r, s->tag);
    else if (s->tag == TG_BOOL)
        v.u.i = rnd(r, 2);
    else
        v.u.i = random_integer(r, s->tag);
    if (random_named(s, "Time"))
        v.u.i = rnd(r, 86400000);
    return v;
}

/* --- schemas -------------------------------------------------------------- */

static inline const tg_schema *random_schema_at(random_state *r, int depth,
                                                uint32_t kinds, bool optional);

static inline void random_logical(random_state *r, tg_schema *s, char *scale,
                                  tg_schema_param *param)
{
    static const char prefix[] = "org.apache.kafka.connect.data.";
    static char names[4][64];
    static const char *const last[] = {"Decimal", "Date", "Time", "Timestamp"};
    int which = s->tag == TG_BYTES   ? 0
                : s->tag == TG_INT32 ? 1 + (int)rnd(r, 2)
                : s->tag == TG_INT64 ? 3
                                     : -1;
    if (which < 0)
        return;
    snprintf(names[which], sizeof names[which], "%s%s", prefix, last[which]);
    s->name = names[which];
    s->has_version = true;
    s->version = 1;
    if (which != 0)
        return;
    int n = (int)rnd(r, 3 * r->o->scale + 1) - (int)r->o->scale;
    snprintf(scale, 16, "%d", n);
    *param = (tg_schema_param){"scale", scale};
    s->params = param;
    s->nparams = 1;
}

static inline void random_metadata(random_state *r, tg_schema *s, char *name,
                                   tg_schema_param *params)
{
    if (s->name || !r->o->metadata || rnd(r, 3))
        return;
    snprintf(name, 32, "com.acme.n%u", rnd(r, 9));
    s->name = rnd(r, 4) ? name : NULL;
    s->doc = rnd(r, 2) ? "a \"doc\" \xc3\xa9\n" : NULL;
    s->has_version = rnd(r, 2);
    s->version = s->has_version ? (int32_t)rnd(r, 100) : 0;
    params[0] = (tg_schema_param){"p", "v\\"};
    params[1] = (tg_schema_param){"\xc3\xa9 q", ""};
    s->params = params;
    s->nparams = rnd(r, 3);
}

/* The default as JsonConverter writes it; in the arena. */
static inline void random_default(random_state *r, tg_schema *s)
{
    tg_buf out = {0};
    tg_err err = {0};
    if (!r->o->defaults || s->tag >= TG_ARRAY || rnd(r, 4))
        return;
    const tg_schema *plain = tg_schema_intern(s);
    tg_value v = random_scalar(r, plain);
    if (tg__json_write(&out, &v, plain, &tg_json_plain_style, &err))
        fail_msg("%s", err.text);
    tg_buf_cstr(&out);
    s->has_default = true;
    s->default_json = tg_arena_dup(r->batch->arena, out.p, out.len + 1);
    tg_buf_fini(&out);
}

static inline uint32_t random_fields(random_state *r, tg_schema_field *fields,
                                     int depth)
{
    uint32_t n = rnd(r, RANDOM_FIELDS + 1), made = 0;
    for (uint32_t i = 0; i < n; i++) {
        char name[96];
        tg_value text = random_text(r, r->o->identifiers);
        if (text.len > 60 || memchr(text.u.p, 0, text.len))
            text.len = 0;
        snprintf(name, sizeof name, "%s%.*s%u", rnd(r, 2) ? "f" : "Name",
                 (int)text.len, text.u.p, rnd(r, 40));
        bool known = false;
        fields[made].name = tg_name_intern(name, (uint32_t)strlen(name));
        assert_non_null(fields[made].name);
        for (uint32_t j = 0; j < made; j++)
            known = known || fields[j].name == fields[made].name;
        if (known)
            continue;
        fields[made].schema = random_schema_at(
            r, depth + 1, r->o->kinds, r->o->optional && rnd(r, 3) == 0);
        made++;
    }
    return made;
}

static inline int random_kind(random_state *r, int depth, uint32_t kinds)
{
    uint32_t limit = r->o->depth ? r->o->depth : 4;
    if ((uint32_t)depth >= limit && (kinds & RANDOM_SCALARS))
        kinds &= RANDOM_SCALARS;
    for (;;) {
        uint32_t tag = TG_BOOL + rnd(r, TG_STRUCT - TG_BOOL + 1);
        if (kinds & 1u << tag)
            return (int)tag;
    }
}

static inline const tg_schema *random_schema_at(random_state *r, int depth,
                                                uint32_t kinds, bool optional)
{
    tg_schema s = {.optional = optional};
    tg_schema_field fields[RANDOM_FIELDS];
    tg_schema_param params[2];
    char scale[16], name[32];
    bool nulls = r->o->optional && r->o->items_null;
    s.tag = (uint8_t)random_kind(r, depth, kinds);
    if (s.tag == TG_STRUCT) {
        s.nfields = random_fields(r, fields, depth);
        s.fields = fields;
    } else if (s.tag == TG_ARRAY || s.tag == TG_MAP) {
        s.value = random_schema_at(r, depth + 1, r->o->kinds,
                                   nulls && rnd(r, 3) == 0);
    }
    if (s.tag == TG_MAP)
        s.key = r->o->any_keys && rnd(r, 2)
                    ? random_schema_at(r, depth + 1, r->o->kinds, false)
                    : tg_schema_of(TG_STR, 0, NULL);
    if (r->o->logical && rnd(r, 3) == 0)
        random_logical(r, &s, scale, params);
    random_metadata(r, &s, name, params);
    random_default(r, &s);
    const tg_schema *made = tg_schema_intern(&s);
    return r->o->fix ? r->o->fix(made, depth) : made;
}

static inline const tg_schema *random_schema(random_state *r)
{
    return random_schema_at(r, 0, r->o->root, r->o->root_null && rnd(r, 2));
}

/* --- values --------------------------------------------------------------- */

static inline tg_value random_value(random_state *r, tg_cell *cell,
                                    tg_node *parent, const tg_schema *s);

static inline tg_node *random_node(random_state *r, int kind, tg_shape *shape,
                                   uint32_t n, tg_cell *cell, tg_node *parent)
{
    tg_node *node = tg_node_new(r->batch, kind, shape, n);
    assert_non_null(node);
    node->n = n;
    node->cell = cell;
    node->parent = parent;
    node->dirty = 1;
    for (uint32_t i = 0; i < n; i++)
        node->slots[i] = (tg_value){.tag = TG_NULL};
    return node;
}

/* A name of a map's key that differs from the ones before. */
static inline const tg_name *random_key(random_state *r, uint32_t i)
{
    char text[96];
    tg_value v = random_text(r, false);
    if (v.len > 60 || memchr(v.u.p, 0, v.len))
        v.len = 0;
    int n = snprintf(text, sizeof text, "%.*s%u", (int)v.len, v.u.p, i);
    return rnd(r, 2)
               ? tg_name_private(r->batch, text, (uint32_t)n)
               : tg_name_private(r->batch, text + v.len, (uint32_t)n - v.len);
}

static inline tg_node *random_map(random_state *r, tg_cell *cell,
                                  tg_node *parent, uint32_t n)
{
    const tg_name *names[8];
    for (uint32_t i = 0; i < n; i++)
        names[i] = random_key(r, i);
    return random_node(r, TG_MAP, tg_shape_private(r->batch, names, n), n, cell,
                       parent);
}

static inline bool random_known_key(const tg_node *node, uint32_t n)
{
    for (uint32_t i = 0; i < n; i += 2)
        if (tg_value_equal(&node->slots[i], &node->slots[n]))
            return true;
    return false;
}

static inline tg_value random_container(random_state *r, tg_cell *cell,
                                        tg_node *parent, const tg_schema *s)
{
    uint32_t n = rnd(r, 5);
    bool pairs = s->tag == TG_MAP && s->key->tag != TG_STR;
    tg_node *node;
    if (s->tag == TG_STRUCT)
        node = random_node(r, TG_STRUCT, tg_shape_of_schema(s), s->nfields,
                           cell, parent);
    else if (s->tag == TG_MAP && !pairs)
        node = random_map(r, cell, parent, n);
    else
        node = random_node(r, pairs ? TG_PAIRS : TG_ARRAY, tg_shape_array(),
                           pairs ? 2 * n : n, cell, parent);
    for (uint32_t i = 0; i < node->n; i++) {
        const tg_schema *of = s->tag == TG_STRUCT   ? s->fields[i].schema
                              : pairs && i % 2 == 0 ? s->key
                                                    : s->value;
        node->slots[i] = random_value(r, cell, node, of);
        if (pairs && i % 2 == 0 && random_known_key(node, i)) {
            node->n = i;
            break;
        }
    }
    return (tg_value){.tag = node->kind, .u.node = node};
}

/* A value of the schema below parent; null only where it is optional and has no
 * default, which some converters write instead. */
static inline tg_value random_value(random_state *r, tg_cell *cell,
                                    tg_node *parent, const tg_schema *s)
{
    if (parent && s->optional && !s->has_default && rnd(r, 4) == 0)
        return (tg_value){.tag = TG_NULL};
    return s->tag < TG_ARRAY ? random_scalar(r, s)
                             : random_container(r, cell, parent, s);
}

/* A value without a schema: what JSON can hold. */
static inline tg_value random_plain(random_state *r, tg_cell *cell,
                                    tg_node *parent, int depth)
{
    uint32_t n = rnd(r, 5);
    tg_value v = {.tag = TG_NULL};
    tg_node *node;
    switch (depth > 3 ? rnd(r, 5) : depth == 0 ? 5 + rnd(r, 2) : rnd(r, 8)) {
    case 0:
        return v;
    case 1:
        return (tg_value){.tag = TG_BOOL, .u.i = rnd(r, 2)};
    case 2:
        return (tg_value){.tag = TG_INT64, .u.i = random_integer(r, TG_INT64)};
    case 3:
        v.tag = TG_FLOAT64;
        do
            v.u.d = random_real(r, TG_FLOAT64);
        while (!isfinite(v.u.d));
        return v;
    case 4:
        return random_text(r, false);
    case 5:
        node = random_node(r, TG_ARRAY, tg_shape_array(), n, cell, parent);
        break;
    default:
        node = random_map(r, cell, parent, n);
    }
    for (uint32_t i = 0; i < n; i++)
        node->slots[i] = random_plain(r, cell, node, depth + 1);
    return (tg_value){.tag = node->kind, .u.node = node};
}

/* --- equality ------------------------------------------------------------- */

/* Bits of a real, however it is held. */
static inline uint64_t random_bits(const tg_value *v, int tag)
{
    double d = v->tag == TG_FLOAT32 || v->tag == TG_FLOAT64
                   ? v->u.d
                   : tg_value_number(v, NULL);
    uint64_t bits;
    if (tag == TG_FLOAT32)
        d = (double)(float)d;
    memcpy(&bits, &d, sizeof bits);
    return isnan(d) ? 1 : bits;
}

/* Unscaled bytes of a decimal, however it is held; its scale must be right. */
static inline void random_unscaled(tg_buf *out, const tg_value *v,
                                   const tg_schema *s)
{
    char text[TG_NUMBER_MAX];
    tg_err err = {0};
    int64_t found = 0;
    int32_t scale = 0;
    if (v->tag == TG_BYTES) {
        tg_buf_add(out, v->u.p, v->len);
        return;
    }
    int n = v->tag == TG_NUM ? 0 : tg_int64_text(text, v->u.i);
    assert_int_equal(tg_decimal_scale(s, &scale, &err), 0);
    assert_int_equal(tg_decimal_parse(out, v->tag == TG_NUM ? v->u.p : text,
                                      v->tag == TG_NUM ? v->len : (size_t)n,
                                      &found, &err),
                     0);
    assert_int_equal(found, scale);
}

static inline bool random_same(const tg_value *a, const tg_value *b,
                               const tg_schema *s);

static inline bool random_same_nodes(const tg_node *a, const tg_node *b,
                                     const tg_schema *s)
{
    if (a->kind != b->kind || a->n != b->n)
        return false;
    for (uint32_t i = 0; i < a->n; i++) {
        const tg_schema *of = !s                    ? NULL
                              : s->tag == TG_STRUCT ? s->fields[i].schema
                              : a->kind == TG_PAIRS && i % 2 == 0 ? s->key
                                                                  : s->value;
        uint32_t at = i;
        if (a->kind == TG_MAP) { /* in any order */
            int32_t slot = tg_slot_find_text(b, a->shape->names[i]->text,
                                             a->shape->names[i]->len);
            if (slot < 0)
                return false;
            at = (uint32_t)slot;
        }
        if (!random_same(&a->slots[i], &b->slots[at], of))
            return false;
    }
    return true;
}

/* Equal values of one schema (NULL: none), bit for bit, however they are held:
 * numbers as text, strings with escapes, decimals as bytes or numbers. */
static inline bool random_same(const tg_value *a, const tg_value *b,
                               const tg_schema *s)
{
    bool null = a->tag <= TG_NULL;
    if (null || b->tag <= TG_NULL)
        return null && b->tag <= TG_NULL;
    if (tg_tag_is_node(a->tag) || tg_tag_is_node(b->tag))
        return tg_tag_is_node(a->tag) && tg_tag_is_node(b->tag) &&
               random_same_nodes(a->u.node, b->u.node, s);
    if (s && s->tag == TG_BYTES && random_named(s, "Decimal")) {
        tg_buf x = {0}, y = {0};
        random_unscaled(&x, a, s);
        random_unscaled(&y, b, s);
        bool same = x.len == y.len && memcmp(x.p, y.p, x.len) == 0;
        tg_buf_fini(&x);
        tg_buf_fini(&y);
        return same;
    }
    int tag = s ? s->tag : a->tag;
    if (tg_tag_is_float(tag))
        return tg_tag_is_number(a->tag) && tg_tag_is_number(b->tag) &&
               random_bits(a, tag) == random_bits(b, tag);
    if (s && tg_tag_is_int(tag) && (a->tag != tag || b->tag != tag))
        return false;
    return tg_value_equal(a, b);
}

/* --- the property --------------------------------------------------------- */

/* Everything looks changed: nothing may be copied from what was received. */
static inline void random_mark(tg_value *v)
{
    if (!tg_tag_is_node(v->tag))
        return;
    v->u.node->dirty = 1;
    for (uint32_t i = 0; i < v->u.node->n; i++)
        random_mark(&v->u.node->slots[i]);
}

static inline void random_wrong(const random_run *run, uint32_t i,
                                const char *what, const tg_cell *cell,
                                const tg_err *err)
{
    const tg_schema *s = cell->schema;
    size_t len = 4;
    const char *text = s ? tg_json_schema_text(s, &len) : "null";
    fail_msg("seed %llu, record %u: %s (%s); schema %.*s",
             (unsigned long long)run->seed, i, what, err->text, (int)len, text);
}

static inline void random_check_one(const random_run *run, random_state *r,
                                    tg_batch *back, const tg_schema *s,
                                    uint32_t i)
{
    tg_err err = {0};
    tg_batch_reset(r->batch);
    tg_cell *from = &tg_batch_append(r->batch)->value;
    from->value =
        s ? random_value(r, from, NULL, s) : random_plain(r, from, NULL, 0);
    from->schema = s;
    from->state = TG_CELL_DECODED;
    from->dirty = 1;
    if (tg_cell_encode(from, run->conv, &err))
        random_wrong(run, i, "cannot be encoded", from, &err);
    tg_cell *cell = cell_of(back, run->conv, from->out,
                            from->outlen < 0 ? 0 : (size_t)from->outlen);
    if (tg_cell_decode(cell, &err))
        random_wrong(run, i, "cannot be decoded", from, &err);
    if (cell->schema != (s && run->expect ? run->expect(s) : s))
        random_wrong(run, i, "another schema", cell, &err);
    if (!random_same(&from->value, &cell->value, s))
        random_wrong(run, i, "another value", from, &err);
    if (tg_cell_encode(cell, run->conv, &err) || cell->out != cell->raw)
        random_wrong(run, i, "untouched, but not sent as received", from, &err);
    random_mark(&cell->value);
    cell->dirty = 1;
    if (tg_cell_encode(cell, run->conv, &err))
        random_wrong(run, i, "cannot be encoded again", from, &err);
    if (!run->other_bytes &&
        (cell->outlen != from->outlen ||
         memcmp(cell->out, from->out, (size_t)from->outlen) != 0))
        random_wrong(run, i, "other bytes", from, &err);
}

/* Takes run->records random records through the property. Schemaless ones
 * (random_plain) when options->root is 0. */
static inline void random_check(const random_run *run)
{
    random_state r = {.seed = run->seed * 0x9E3779B97F4A7C15u + 1,
                      .o = run->options,
                      .batch = tg_batch_new(0, 0)};
    tg_batch *back = tg_batch_new(0, 0);
    const tg_schema *s = NULL;
    for (uint32_t i = 0; i < run->records; i++) {
        if (i % RANDOM_PER_SCHEMA == 0 && run->options->root)
            s = random_schema(&r);
        random_check_one(run, &r, back, s, i);
    }
    tg_batch_free(r.batch);
    tg_batch_free(back);
}

#endif
