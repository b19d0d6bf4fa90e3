/*
 * Avro types to Connect schemas, with the names, parameters, defaults and
 * versions that Confluent's converter gives them.
 *
 * A type that stands in several places is converted once; what a field adds
 * (its default, its documentation) is why the ones of fields with such are not
 * shared. Connect schemas cannot refer to themselves, so recursive types are
 * refused, except the one that stands for values without a schema.
 *
 * Script thread.
 */
#include "convert/internal.h"
#include "convert/avro.h"
#include "convert/decimal.h"
#include "data/node.h"
#include <stdio.h>

/* Types that are being converted, innermost first. */
typedef struct frame {
    const struct frame *up;
    const tg_avro *type;
} frame;

typedef struct convert {
    tg_avro_doc *doc;
    const tg_avro_settings *set;
    tg_err *err;
    uint32_t unions; /* named so far */
    int version;     /* of the outermost type */
} convert;

/* A schema in the making. */
typedef struct making {
    tg_schema s;
    tg_schema_param *params;
    uint32_t cap;
} making;

static const tg_schema *to_connect(convert *c, tg_avro *a, bool optional,
                                   const json_t *dflt, const char *doc,
                                   const frame *up);

static const void *refuse(convert *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static const void *refuse(convert *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    tg_err_vset(c->err, TG_ERR_DATA, fmt, ap);
    va_end(ap);
    return NULL;
}

static void add_param(convert *c, making *m, const char *key, const char *value)
{
    for (uint32_t i = 0; i < m->s.nparams; i++) {
        if (strcmp(m->params[i].key, key) == 0) {
            m->params[i].value = value;
            return;
        }
    }
    if (m->s.nparams == m->cap) {
        uint32_t cap = m->cap ? m->cap * 2 : 8;
        tg_schema_param *p = tg_arena_alloc(&c->doc->arena, cap * sizeof *p);
        if (m->cap)
            memcpy(p, m->params, m->cap * sizeof *p);
        m->params = p;
        m->cap = cap;
    }
    m->params[m->s.nparams++] = (tg_schema_param){key, value};
    m->s.params = m->params;
}

static const char *printed(convert *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static const char *printed(convert *c, const char *fmt, ...)
{
    va_list ap;
    char small[64];
    va_start(ap, fmt);
    int n = vsnprintf(small, sizeof small, fmt, ap);
    va_end(ap);
    char *p = tg_arena_alloc(&c->doc->arena, (size_t)n + 1);
    va_start(ap, fmt);
    vsnprintf(p, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return p;
}

/* --- logical types -------------------------------------------------------- */

static void logical(making *m, const char *name)
{
    m->s.name = name;
    m->s.has_version = true;
    m->s.version = 1;
}

static bool make_decimal(convert *c, making *m, const tg_avro *a)
{
    const json_t *scale = json_object_get(a->json, "scale");
    const json_t *precision = json_object_get(a->json, "precision");
    logical(m, TG_DECIMAL_NAME);
    add_param(c, m, "scale", printed(c, "%d", tg__avro_int(scale)));
    if (!precision || json_is_null(precision))
        return true;
    if (!json_is_number(precision))
        return refuse(c, "the precision of an Avro decimal is no number");
    int digits = tg__avro_int(precision);
    if (digits != TG_AVRO_PRECISION_DEFAULT)
        add_param(c, m, TG_AVRO_PRECISION, printed(c, "%d", digits));
    return true;
}

static bool make_int(convert *c, making *m, const tg_avro *a)
{
    const char *type = tg__avro_prop(a, "connect.type");
    m->s.tag = TG_INT32;
    if (tg__avro_prop(a, "logicalType")) {
        if (tg__avro_logical(a, "date"))
            logical(m, "org.apache.kafka.connect.data.Date");
        else if (tg__avro_logical(a, "time-millis"))
            logical(m, "org.apache.kafka.connect.data.Time");
        return true;
    }
    if (!type)
        return true;
    if (strcmp(type, "int8") == 0)
        m->s.tag = TG_INT8;
    else if (strcmp(type, "int16") == 0)
        m->s.tag = TG_INT16;
    else
        return refuse(c,
                      "an Avro int has the connect.type \"%.40s\"; known are"
                      " int8 and int16",
                      type);
    return true;
}

/* --- records, enums, unions ----------------------------------------------- */

/* Parameters that a field gives to the schema of its type. */
static const tg_schema *with_params(convert *c, const tg_schema *s,
                                    const json_t *params)
{
    making m = {.s = *s};
    const char *key;
    json_t *v;
    bool changed = false;
    m.s.nparams = 0;
    for (uint32_t i = 0; i < s->nparams; i++)
        add_param(c, &m, s->params[i].key, s->params[i].value);
    json_object_foreach((json_t *)params, key, v)
    {
        const char *was = tg__schema_param(s, key);
        if (!json_is_string(v) || (was && !strcmp(was, json_string_value(v))))
            continue;
        add_param(c, &m, key, json_string_value(v));
        changed = true;
    }
    return changed ? tg_schema_intern(&m.s) : s;
}

static bool make_record(convert *c, making *m, tg_avro *a, const frame *up)
{
    bool docs = c->set->meta && !c->set->discard;
    const char *doc = tg__avro_prop(a, "doc");
    tg_schema_field *fields =
        tg_arena_alloc(&c->doc->arena, a->n * sizeof *fields + 1);
    if (docs && doc)
        add_param(c, m, TG_AVRO_RECORD_DOC, doc);
    for (uint32_t i = 0; i < a->n; i++) {
        const tg_avro_field *f = &a->fields[i];
        const json_t *params = json_object_get(f->json, "connect.parameters");
        doc = json_string_value(json_object_get(f->json, "doc"));
        if (docs && doc)
            add_param(c, m, printed(c, TG_AVRO_FIELD_DOC "%s", f->name), doc);
        fields[i].name = tg_name_intern(f->name, (uint32_t)strlen(f->name));
        if (!fields[i].name)
            return refuse(c, "too many different field names");
        const tg_schema *s = to_connect(
            c, f->type, false, json_object_get(f->json, "default"), doc, up);
        if (!s) {
            tg__converter_in(c->err, "field \"%s\"", f->name);
            return false;
        }
        if (c->set->meta && json_is_object(params))
            s = with_params(c, s, params);
        fields[i].schema = s;
    }
    m->s.tag = TG_STRUCT;
    m->s.fields = fields;
    m->s.nfields = a->n;
    return true;
}

static void make_enum(convert *c, making *m, const tg_avro *a)
{
    const char *doc = tg__avro_prop(a, "doc");
    const char *dflt = tg__avro_prop(a, "default");
    const char *key = c->set->generalized ? TG_SUM_ENUM : TG_AVRO_ENUM;
    m->s.tag = TG_STR;
    if (c->set->meta && doc)
        add_param(c, m,
                  c->set->discard ? "connect.enum.doc"
                                  : printed(c, TG_AVRO_ENUM_DOC "%s", a->name),
                  doc);
    if (c->set->meta && dflt && !c->set->discard)
        add_param(c, m, printed(c, TG_AVRO_ENUM_DEFAULT "%s", a->name), dflt);
    add_param(c, m, key, a->full);
    for (uint32_t i = 0; i < a->n; i++)
        add_param(c, m, printed(c, "%s.%s", key, a->symbols[i]),
                  c->set->generalized ? printed(c, "%u", i) : a->symbols[i]);
}

static bool make_union(convert *c, making *m, tg_avro *a, const frame *up)
{
    tg_schema_field *fields =
        tg_arena_alloc(&c->doc->arena, a->n * sizeof *fields + 1);
    m->s.tag = TG_STRUCT;
    m->s.name = TG_AVRO_UNION;
    if (c->set->generalized) {
        m->s.name = printed(c, TG_SUM_NAME "%u", c->unions++);
        add_param(c, m, TG_SUM_UNION, m->s.name);
    }
    for (uint32_t i = 0; i < a->n; i++) {
        tg_avro *b = a->branches[i];
        if (b->type == AVRO_NULL) {
            m->s.optional = true;
            continue;
        }
        const char *name = tg__avro_member(&c->doc->arena, b, i, c->set);
        tg_schema_field *f = &fields[m->s.nfields];
        f->name = tg_name_intern(name, (uint32_t)strlen(name));
        if (!f->name)
            return refuse(c, "too many different field names");
        for (uint32_t j = 0; j < m->s.nfields; j++)
            if (fields[j].name == f->name)
                return refuse(c,
                              "two branches of an Avro union are both called"
                              " %s; set enhanced.avro.schema.support=true to"
                              " tell them apart by namespace",
                              name);
        f->schema = to_connect(c, b, true, NULL, NULL, up);
        if (!f->schema)
            return false;
        m->s.nfields++;
    }
    m->s.fields = fields;
    return true;
}

static bool make_pairs(convert *c, making *m, tg_avro *a, const frame *up)
{
    const tg_avro_field *key = tg__avro_field(a->items, "key");
    const tg_avro_field *value = tg__avro_field(a->items, "value");
    if (a->items->n != 2 || !key || !value)
        return refuse(c, "an Avro array of map entries needs records with the"
                         " fields key and value");
    m->s.tag = TG_MAP;
    m->s.key = to_connect(c, key->type, false, NULL, NULL, up);
    m->s.value =
        m->s.key ? to_connect(c, value->type, false, NULL, NULL, up) : NULL;
    return m->s.value != NULL;
}

static bool make_base(convert *c, making *m, tg_avro *a, const frame *up)
{
    static const uint8_t tags[] = {
        [AVRO_BOOLEAN] = TG_BOOL,  [AVRO_LONG] = TG_INT64,
        [AVRO_FLOAT] = TG_FLOAT32, [AVRO_DOUBLE] = TG_FLOAT64,
        [AVRO_BYTES] = TG_BYTES,   [AVRO_STRING] = TG_STR};
    switch (a->type) {
    case AVRO_NULL:
        return refuse(c, "an Avro null that is no part of a union has no"
                         " Connect schema");
    case AVRO_INT:
        return make_int(c, m, a);
    case AVRO_BYTES:
    case AVRO_FIXED:
        m->s.tag = TG_BYTES;
        if (tg__avro_logical(a, "decimal") && !make_decimal(c, m, a))
            return false;
        if (a->type == AVRO_FIXED)
            add_param(c, m, TG_AVRO_FIXED_SIZE, printed(c, "%u", a->size));
        return true;
    case AVRO_RECORD:
        return make_record(c, m, a, up);
    case AVRO_ENUM:
        make_enum(c, m, a);
        return true;
    case AVRO_UNION:
        return make_union(c, m, a, up);
    case AVRO_ARRAY:
        if (tg__avro_is_pairs(a))
            return make_pairs(c, m, a, up);
        m->s.tag = TG_ARRAY;
        m->s.value = to_connect(c, a->items, false, NULL, NULL, up);
        return m->s.value != NULL;
    case AVRO_MAP:
        m->s.tag = TG_MAP;
        m->s.key = tg_schema_of(TG_STR, 0, NULL);
        m->s.value = to_connect(c, a->items, false, NULL, NULL, up);
        return m->s.value != NULL;
    case AVRO_LONG:
        m->s.tag = TG_INT64;
        if (tg__avro_logical(a, "timestamp-millis"))
            logical(m, "org.apache.kafka.connect.data.Timestamp");
        return true;
    default:
        m->s.tag = tags[a->type];
        return true;
    }
}

/* --- what properties add -------------------------------------------------- */

static bool add_version(convert *c, making *m, const tg_avro *a, int version)
{
    const json_t *v = json_object_get(a->json, "connect.version");
    if (v && !json_is_number(v))
        return refuse(c, "connect.version of an Avro schema is no number");
    if (v)
        version = tg__avro_int(v);
    if (m->s.has_version && v && version != m->s.version)
        return refuse(c,
                      "connect.version is %d, but %s is always of version"
                      " %d",
                      version, m->s.name, (int)m->s.version);
    if (m->s.has_version || (!v && version <= 0) || version < 0)
        return true;
    m->s.has_version = true;
    m->s.version = version;
    return true;
}

static bool add_parameters(convert *c, making *m, const tg_avro *a)
{
    json_t *all = json_object_get(a->json, "connect.parameters");
    const char *key;
    json_t *v;
    if (c->set->meta && all) {
        if (!json_is_object(all))
            return refuse(c, "connect.parameters of an Avro schema is no"
                             " object");
        json_object_foreach(all, key, v)
        {
            if (!json_is_string(v))
                return refuse(c, "the values of connect.parameters must be"
                                 " texts");
            add_param(c, m, key, json_string_value(v));
        }
    }
    json_object_foreach((json_t *)a->json, key, v)
    {
        if (strncmp(key, "avro", 4) == 0 && json_is_string(v))
            add_param(c, m, key, json_string_value(v));
    }
    return true;
}

/* An invalid default is ignored, as in Java. */
static void add_default(convert *c, making *m, const tg_avro *a,
                        const json_t *dflt)
{
    const json_t *own = json_object_get(a->json, "connect.default");
    tg_buf out = {0};
    if (dflt && !own && !c->set->discard && c->set->meta)
        add_param(c, m, TG_AVRO_FIELD_DEFAULT, "true");
    if (!dflt)
        dflt = own;
    if (dflt && !json_is_null(dflt) &&
        tg__avro_default_in(&out, dflt, a, &m->s, c->set)) {
        m->s.has_default = true;
        m->s.default_json =
            tg_arena_dup(&c->doc->arena, tg_buf_cstr(&out), out.len + 1);
    }
    tg_buf_fini(&out);
}

static bool add_name(convert *c, making *m, const tg_avro *a)
{
    const json_t *given = json_object_get(a->json, "connect.name");
    const char *name = json_string_value(given);
    if (given && !name)
        return refuse(c, "connect.name of an Avro schema is no text");
    if (!name && (a->type == AVRO_RECORD || a->type == AVRO_ENUM ||
                  (a->type == AVRO_FIXED && !tg_schema_is_decimal(&m->s))))
        name = a->full;
    if (!name || strncmp(name, TG_AVRO_DEFAULT, strlen(TG_AVRO_DEFAULT)) == 0)
        return true;
    if (m->s.name && strcmp(m->s.name, name) != 0)
        return refuse(c, "connect.name is %s, but the logical type is %s", name,
                      m->s.name);
    m->s.name = name;
    return true;
}

static void add_doc(convert *c, making *m, const tg_avro *a, const char *doc)
{
    const char *own = tg__avro_prop(a, "doc");
    if (!c->set->discard) {
        m->s.doc = c->set->meta ? tg__avro_prop(a, "connect.doc") : NULL;
        return;
    }
    m->s.doc = doc ? doc : own ? own : tg__avro_prop(a, "connect.doc");
    if (c->set->meta && own)
        add_param(c, m, "connect.record.doc", own);
}

/* --- types ---------------------------------------------------------------- */

static const tg_schema *recursive(convert *c, const tg_avro *a)
{
    return refuse(c,
                  "the Avro type %s contains itself; recursive types have no"
                  " Connect schema here",
                  a->full);
}

static const tg_schema *make(convert *c, tg_avro *a, bool optional,
                             const json_t *dflt, const char *doc,
                             const frame *up)
{
    making m = {0};
    int version = up ? 0 : c->version;
    const frame here = {up, a};
    for (const frame *f = up; f && a->full; f = f->up)
        if (f->type == a)
            return recursive(c, a);
    if (!make_base(c, &m, a, &here))
        return NULL;
    add_doc(c, &m, a, doc);
    if (!add_version(c, &m, a, version) || !add_parameters(c, &m, a))
        return NULL;
    /* Java looks at the field's default before the logical type has a name */
    add_default(c, &m, a, dflt);
    if (!add_name(c, &m, a))
        return NULL;
    m.s.optional = m.s.optional || optional;
    return tg_schema_intern(&m.s);
}

static const tg_schema *to_connect(convert *c, tg_avro *a, bool optional,
                                   const json_t *dflt, const char *doc,
                                   const frame *up)
{
    uint32_t at;
    if (a->type == AVRO_UNION) {
        tg_avro_kind kind = tg__avro_union(a, c->set, &at);
        if (kind != TG_UNION_STRUCT)
            return to_connect(c, a->branches[at], kind == TG_UNION_NULLABLE,
                              NULL, doc, up);
    }
    bool shared = up && !dflt && !c->set->discard;
    if (shared && a->made[optional])
        return a->made[optional];
    const tg_schema *s = make(c, a, optional, dflt, doc, up);
    if (s && shared)
        a->made[optional] = s;
    return s;
}

const tg_schema *tg__avro_connect(tg_avro_doc *doc, tg_avro *a,
                                  const tg_avro_settings *set, int version,
                                  tg_err *err)
{
    tg_err local = {0};
    convert c = {
        .doc = doc, .set = set, .err = err ? err : &local, .version = version};
    return to_connect(&c, a, false, NULL, NULL, NULL);
}
