/*
 * Schemas: interned by content, so that equal schemas are one pointer and a
 * comparison is one instruction. What is derived from a schema (a field more, a
 * field less, optional) is remembered at it; so is the shape of its structs.
 *
 * Nested schemas are interned before the ones that hold them, hence hashing and
 * comparing one level is enough. Immortal; script thread only.
 */
#include "data/internal.h"
#include <stdio.h>

enum { FIRST_CAP = 256 };
enum {
    D_OPTIONAL,
    D_REQUIRED,
    D_WITH,
    D_WITHOUT,
    D_RENAMED,
    D_REFIELD,
    D_ITEMS
};

/* One remembered derivation. */
typedef struct derived {
    struct derived *next;
    uint32_t op, at;
    const void *arg; /* name or schema */
    const void *arg2;
    const tg_schema *to;
} derived;

struct tg_schema_cache {
    tg_shape *shape;
    derived *list;
};

static struct {
    tg_schema **slots;
    uint32_t cap, n;
} table;

/* --- hash and equality ---------------------------------------------------- */

static uint64_t fold(uint64_t h, uint64_t v)
{
    h = (h ^ v) * UINT64_C(0x9E3779B97F4A7C15);
    return h ^ (h >> 32);
}

static uint64_t fold_text(uint64_t h, const char *s)
{
    return s ? fold(h, tg_name_hash(s, (uint32_t)strlen(s)) + 1u) : fold(h, 0);
}

static uint32_t schema_hash(const tg_schema *s)
{
    uint64_t h = fold(s->tag, (uint64_t)s->optional * 2 + s->has_version);

    h = fold(h, s->has_version ? (uint32_t)s->version : 0);
    h = fold_text(h, s->name);
    h = fold_text(h, s->doc);
    h = fold_text(h, s->has_default ? s->default_json : NULL);
    h = fold(h, (uintptr_t)s->key);
    h = fold(h, (uintptr_t)s->value);
    for (uint32_t i = 0; i < s->nparams; i++)
        h = fold_text(fold_text(h, s->params[i].key), s->params[i].value);
    for (uint32_t i = 0; i < s->nfields; i++)
        h = fold(fold(h, s->fields[i].name->id),
                 (uintptr_t)s->fields[i].schema);
    return (uint32_t)h;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_parts(const tg_schema *a, const tg_schema *b)
{
    if (a->nparams != b->nparams || a->nfields != b->nfields)
        return false;
    for (uint32_t i = 0; i < a->nparams; i++)
        if (!same_text(a->params[i].key, b->params[i].key) ||
            !same_text(a->params[i].value, b->params[i].value))
            return false;
    for (uint32_t i = 0; i < a->nfields; i++)
        if (a->fields[i].name != b->fields[i].name ||
            a->fields[i].schema != b->fields[i].schema)
            return false;
    return true;
}

static bool same_schema(const tg_schema *a, const tg_schema *b)
{
    return a->tag == b->tag && a->optional == b->optional &&
           a->has_default == b->has_default &&
           a->has_version == b->has_version &&
           (!a->has_version || a->version == b->version) && a->key == b->key &&
           a->value == b->value && same_text(a->name, b->name) &&
           same_text(a->doc, b->doc) &&
           (!a->has_default || same_text(a->default_json, b->default_json)) &&
           same_parts(a, b);
}

/* --- the table ------------------------------------------------------------ */

static tg_schema **find(const tg_schema *proto)
{
    for (uint32_t i = schema_hash(proto);; i++) {
        tg_schema **slot = &table.slots[i & (table.cap - 1)];
        if (!*slot || same_schema(*slot, proto))
            return slot;
    }
}

static void grow(void)
{
    uint32_t oldcap = table.cap;
    tg_schema **old = table.slots;

    table.cap = oldcap ? oldcap * 2 : FIRST_CAP;
    table.slots = tg_calloc(table.cap * sizeof *table.slots);
    for (uint32_t i = 0; i < oldcap; i++)
        if (old[i])
            *find(old[i]) = old[i];
    tg_free(old);
}

static tg_schema *schema_copy(const tg_schema *proto)
{
    tg_schema *s = tg_alloc(sizeof *s);
    tg_schema_param *params = tg_calloc((proto->nparams + 1) * sizeof *params);
    tg_schema_field *fields = tg_calloc((proto->nfields + 1) * sizeof *fields);

    *s = *proto;
    s->name = tg_strdup(proto->name);
    s->doc = tg_strdup(proto->doc);
    s->default_json =
        proto->has_default ? tg_strdup(proto->default_json) : NULL;
    for (uint32_t i = 0; i < proto->nparams; i++)
        params[i] = (tg_schema_param){tg_strdup(proto->params[i].key),
                                      tg_strdup(proto->params[i].value)};
    if (proto->nfields)
        memcpy(fields, proto->fields, proto->nfields * sizeof *fields);
    s->params = params;
    s->fields = fields;
    s->priv = NULL;
    s->cache = tg_calloc(sizeof *s->cache);
    return s;
}

const tg_schema *tg_schema_intern(const tg_schema *proto)
{
    if (table.n >= table.cap / 2)
        grow();
    tg_schema **slot = find(proto);
    if (!*slot) {
        *slot = schema_copy(proto);
        (*slot)->id = ++table.n;
    }
    return *slot;
}

tg_shape *tg_shape_of_schema(const tg_schema *schema)
{
    if (!schema->cache->shape)
        schema->cache->shape = tg__shape_struct(schema);
    return schema->cache->shape;
}

/* --- derivations ---------------------------------------------------------- */

static const tg_schema *known(const tg_schema *s, uint32_t op, uint32_t at,
                              const void *arg, const void *arg2)
{
    for (const derived *d = s->cache->list; d; d = d->next)
        if (d->op == op && d->at == at && d->arg == arg && d->arg2 == arg2)
            return d->to;
    return NULL;
}

static const tg_schema *keep(const tg_schema *s, uint32_t op, uint32_t at,
                             const void *arg, const void *arg2,
                             const tg_schema *proto)
{
    derived *d = tg_alloc(sizeof *d);

    *d = (derived){s->cache->list, op, at, arg, arg2, tg_schema_intern(proto)};
    s->cache->list = d;
    return d->to;
}

const tg_schema *tg_schema_optional(const tg_schema *s, bool optional)
{
    uint32_t op = optional ? D_OPTIONAL : D_REQUIRED;

    if (s->optional == optional)
        return s;
    const tg_schema *to = known(s, op, 0, NULL, NULL);
    if (to)
        return to;
    tg_schema proto = *s;
    proto.optional = optional;
    return keep(s, op, 0, NULL, NULL, &proto);
}

/* A struct with other fields: optional and default are lost. */
static tg_schema with_fields(const tg_schema *s, const tg_schema_field *fields,
                             uint32_t n)
{
    tg_schema proto = *s;

    proto.optional = false;
    proto.has_default = false;
    proto.default_json = NULL;
    proto.fields = fields;
    proto.nfields = n;
    return proto;
}

const tg_schema *tg_schema_fields(const tg_schema *s,
                                  const tg_schema_field *fields, uint32_t n)
{
    tg_schema proto = with_fields(s, fields, n);

    return tg_schema_intern(&proto);
}

/* Copy of the fields with room for one more. Free with tg_free. */
static tg_schema_field *fields_copy(const tg_schema *s)
{
    tg_schema_field *fields = tg_alloc((s->nfields + 1) * sizeof *fields);

    if (s->nfields)
        memcpy(fields, s->fields, s->nfields * sizeof *fields);
    return fields;
}

/* Interns and remembers s with the given fields, and frees them. */
static const tg_schema *keep_fields(const tg_schema *s, uint32_t op,
                                    uint32_t at, const void *arg,
                                    const void *arg2, tg_schema_field *fields,
                                    uint32_t n)
{
    tg_schema proto = with_fields(s, fields, n);
    const tg_schema *to = keep(s, op, at, arg, arg2, &proto);

    tg_free(fields);
    return to;
}

const tg_schema *tg_schema_with(const tg_schema *s, const tg_name *name,
                                const tg_schema *field)
{
    const tg_schema *to = known(s, D_WITH, 0, name, field);

    if (to)
        return to;
    tg_schema_field *fields = fields_copy(s);
    fields[s->nfields] = (tg_schema_field){name, field};
    return keep_fields(s, D_WITH, 0, name, field, fields, s->nfields + 1);
}

const tg_schema *tg_schema_without(const tg_schema *s, uint32_t at)
{
    const tg_schema *to = known(s, D_WITHOUT, at, NULL, NULL);

    if (to)
        return to;
    tg_schema_field *fields = fields_copy(s);
    memmove(fields + at, fields + at + 1,
            (s->nfields - at - 1) * sizeof *fields);
    return keep_fields(s, D_WITHOUT, at, NULL, NULL, fields, s->nfields - 1);
}

const tg_schema *tg_schema_renamed(const tg_schema *s, uint32_t at,
                                   const tg_name *name)
{
    const tg_schema *to = known(s, D_RENAMED, at, name, NULL);

    if (to)
        return to;
    tg_schema_field *fields = fields_copy(s);
    fields[at].name = name;
    return keep_fields(s, D_RENAMED, at, name, NULL, fields, s->nfields);
}

const tg_schema *tg_schema_refield(const tg_schema *s, uint32_t at,
                                   const tg_schema *field)
{
    const tg_schema *to = known(s, D_REFIELD, at, field, NULL);

    if (to)
        return to;
    tg_schema_field *fields = fields_copy(s);
    fields[at].schema = field;
    return keep_fields(s, D_REFIELD, at, field, NULL, fields, s->nfields);
}

const tg_schema *tg_schema_items(const tg_schema *s, const tg_schema *value)
{
    if (s->value == value)
        return s;
    const tg_schema *to = known(s, D_ITEMS, 0, value, NULL);
    if (to)
        return to;
    tg_schema proto = *s;
    proto.value = value;
    return keep(s, D_ITEMS, 0, value, NULL, &proto);
}

/* --- primitive schemas and names ------------------------------------------ */

static const char *logical_name(int32_t tag, const char *logical)
{
    if (strcmp(logical, "timestamp") == 0 && tag == TG_INT64)
        return "org.apache.kafka.connect.data.Timestamp";
    if (strcmp(logical, "date") == 0 && tag == TG_INT32)
        return "org.apache.kafka.connect.data.Date";
    if (strcmp(logical, "time") == 0 && tag == TG_INT32)
        return "org.apache.kafka.connect.data.Time";
    return NULL;
}

static bool primitive(int32_t tag)
{
    return (tag >= TG_BOOL && tag <= TG_FLOAT64) || tag == TG_STR ||
           tag == TG_BYTES;
}

const tg_schema *tg_schema_of(int32_t tag, int32_t optional,
                              const char *logical)
{
    static const tg_schema *plain[TG_BYTES + 1][2];
    tg_schema proto = {.tag = (uint8_t)tag, .optional = optional != 0};

    if (!primitive(tag)) {
        tg__fail(TG_ERR_ARG, "kind %d has no schema of its own", tag);
        return NULL;
    }
    if (logical) {
        proto.name = logical_name(tag, logical);
        proto.has_version = true;
        proto.version = 1;
        if (!proto.name) {
            tg__fail(TG_ERR_ARG,
                     "no logical type '%s' of %s; known are 'timestamp' of "
                     "int64, 'date' and 'time' of int32",
                     logical, tg_schema_type_upper(tag));
            return NULL;
        }
        return tg_schema_intern(&proto);
    }
    const tg_schema **slot = &plain[tag][optional != 0];
    if (!*slot)
        *slot = tg_schema_intern(&proto);
    return *slot;
}

static const char *const type_names[][2] = {
    [TG_BOOL] = {"boolean", "BOOLEAN"},
    [TG_INT8] = {"int8", "INT8"},
    [TG_INT16] = {"int16", "INT16"},
    [TG_INT32] = {"int32", "INT32"},
    [TG_INT64] = {"int64", "INT64"},
    [TG_FLOAT32] = {"float", "FLOAT32"},
    [TG_FLOAT64] = {"double", "FLOAT64"},
    [TG_NUM] = {"double", "FLOAT64"},
    [TG_STR] = {"string", "STRING"},
    [TG_ESC] = {"string", "STRING"},
    [TG_BYTES] = {"bytes", "BYTES"},
    [TG_ARRAY] = {"array", "ARRAY"},
    [TG_MAP] = {"map", "MAP"},
    [TG_STRUCT] = {"struct", "STRUCT"},
    [TG_PAIRS] = {"map", "MAP"},
};

static const char *type_name(int tag, int upper)
{
    if (tag < TG_BOOL || tag > TG_PAIRS)
        return upper ? "NULL" : "null";
    return type_names[tag][upper];
}

const char *tg_schema_type_name(int tag)
{
    return type_name(tag, 0);
}

const char *tg_schema_type_upper(int tag)
{
    return type_name(tag, 1);
}
