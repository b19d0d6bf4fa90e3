/*
 * JSON Schema -> Connect schema.
 *
 * A schema object is first seen as parts, the way Confluent's converter (and
 * the validator below it) sees it: each of type, enum, const and the combining
 * keywords is one, several are an allOf of them, types are guessed from
 * keywords when they are missing. References are followed through local
 * pointers, anchors, $id and the references of the registry; one that leads
 * into itself becomes "anything". Script thread.
 */
#include "convert/jsonschema.h"
#include "convert/json_scan.h"
#include "data/shape.h"
#include <stdio.h>
#include <stdlib.h>

enum { DEPTH_MAX = 64, SCHEMAS_MAX = 20000, PARTS_MAX = 12, DOCS_MAX = 1000 };

typedef enum part_kind {
    P_EMPTY,
    P_FALSE,
    P_NULL,
    P_BOOLEAN,
    P_INTEGER,
    P_NUMBER,
    P_STRING,
    P_ARRAY,
    P_OBJECT,
    P_ENUM,
    P_CONST,
    P_NOT,
    P_ONE_OF,
    P_ANY_OF,
    P_ALL_OF,
    P_TYPES, /* an anyOf of the types in a list */
    P_REF,
    P_MANY /* an allOf of parts of one object */
} part_kind;

typedef struct document {
    const char *name;
    json_t *root;
    const tg_registry_ref *refs;
    uint32_t nrefs;
} document;

/* A schema, or a part of one. */
typedef struct part {
    part_kind kind;
    json_t *json;
    const document *doc;
} part;

typedef struct reader {
    document *docs[DOCS_MAX];
    uint32_t ndocs;
    const tg_js_settings *set;
    const json_t *chain[DEPTH_MAX];
    uint32_t depth;
    uint32_t made, unions;
    tg_err *err;
} reader;

static const tg_schema *read_part(reader *r, part p, int version,
                                  bool optional);

static const tg_schema *refuse(reader *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static const tg_schema *refuse(reader *r, const char *fmt, ...)
{
    char what[300];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    tg_err_set(r->err, TG_ERR_DATA, "JSON Schema: %s", what);
    return NULL;
}

static const char *text_of(const json_t *s, const char *key)
{
    return json_string_value(json_object_get(s, key));
}

const char *tg_js_param(const tg_schema *schema, const char *key)
{
    for (uint32_t i = 0; i < schema->nparams; i++)
        if (strcmp(schema->params[i].key, key) == 0)
            return schema->params[i].value;
    return NULL;
}

bool tg_js_is_union(const tg_schema *schema)
{
    return schema->tag == TG_STRUCT &&
           ((schema->name && strcmp(schema->name, TG_JS_ONE_OF) == 0) ||
            tg_js_param(schema, TG_JS_SUM_UNION));
}

/* --- parts ---------------------------------------------------------------- */

static part_kind kind_of_type(const char *type)
{
    static const struct {
        const char *name;
        part_kind kind;
    } all[] = {{"null", P_NULL},       {"boolean", P_BOOLEAN},
               {"integer", P_INTEGER}, {"number", P_NUMBER},
               {"string", P_STRING},   {"array", P_ARRAY},
               {"object", P_OBJECT}};
    for (size_t i = 0; type && i < sizeof all / sizeof *all; i++)
        if (strcmp(all[i].name, type) == 0)
            return all[i].kind;
    return P_EMPTY;
}

static bool has_any(const json_t *s, const char *const *keys)
{
    for (; *keys; keys++)
        if (json_object_get(s, *keys))
            return true;
    return false;
}

/* Types that keywords speak of when type is missing. */
static uint32_t guessed(const json_t *s, part_kind *out)
{
    static const char *const object[] = {
        "properties",    "required",      "additionalProperties",
        "minProperties", "maxProperties", "patternProperties",
        "propertyNames", "dependencies",  NULL};
    static const char *const array[] = {
        "items",       "additionalItems", "minItems", "maxItems",
        "uniqueItems", "contains",        NULL};
    static const char *const string[] = {"minLength", "maxLength", "pattern",
                                         "format", NULL};
    static const char *const number[] = {"minimum",          "maximum",
                                         "exclusiveMinimum", "exclusiveMaximum",
                                         "multipleOf",       NULL};
    uint32_t n = 0;
    if (has_any(s, object))
        out[n++] = P_OBJECT;
    if (has_any(s, array))
        out[n++] = P_ARRAY;
    if (has_any(s, string))
        out[n++] = P_STRING;
    if (has_any(s, number))
        out[n++] = P_NUMBER;
    return n;
}

/* The parts of a schema object; at least one. */
static uint32_t parts_of(const json_t *s, part_kind *out)
{
    static const struct {
        const char *key;
        part_kind kind;
    } words[] = {{"enum", P_ENUM},    {"oneOf", P_ONE_OF}, {"anyOf", P_ANY_OF},
                 {"allOf", P_ALL_OF}, {"not", P_NOT},      {"const", P_CONST}};
    uint32_t n = 0;
    const json_t *type = json_object_get(s, "type");
    if (json_string_value(json_object_get(s, "$ref"))) {
        out[0] = P_REF;
        return 1;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (json_object_get(s, words[i].key))
            out[n++] = words[i].kind;
    if (json_is_string(type))
        out[n++] = kind_of_type(json_string_value(type));
    else if (json_is_array(type) && json_array_size(type) == 1)
        out[n++] = kind_of_type(json_string_value(json_array_get(type, 0)));
    else if (json_is_array(type))
        out[n++] = P_TYPES;
    else
        n += guessed(s, out + n);
    if (n == 0)
        out[n++] = P_EMPTY;
    return n;
}

static part part_of(json_t *s, const document *doc)
{
    part_kind kinds[PARTS_MAX];
    part p = {.json = s, .doc = doc};
    if (json_is_boolean(s)) {
        p.kind = json_is_true(s) ? P_EMPTY : P_FALSE;
        return p;
    }
    uint32_t n = json_is_object(s) ? parts_of(s, kinds) : 0;
    p.kind = n == 1 ? kinds[0] : n ? P_MANY : P_FALSE;
    return p;
}

/* The schemas that a combined part is made of. */
static uint32_t count_below(const part *p)
{
    part_kind kinds[PARTS_MAX];
    switch (p->kind) {
    case P_MANY:
        return parts_of(p->json, kinds);
    case P_TYPES:
        return (uint32_t)json_array_size(json_object_get(p->json, "type"));
    case P_ONE_OF:
        return (uint32_t)json_array_size(json_object_get(p->json, "oneOf"));
    case P_ANY_OF:
        return (uint32_t)json_array_size(json_object_get(p->json, "anyOf"));
    default:
        return (uint32_t)json_array_size(json_object_get(p->json, "allOf"));
    }
}

static part below(const part *p, uint32_t i)
{
    part_kind kinds[PARTS_MAX];
    const char *key = p->kind == P_ONE_OF   ? "oneOf"
                      : p->kind == P_ANY_OF ? "anyOf"
                                            : "allOf";
    if (p->kind == P_MANY) {
        parts_of(p->json, kinds);
        return (part){kinds[i], p->json, p->doc};
    }
    if (p->kind == P_TYPES) {
        const json_t *types = json_object_get(p->json, "type");
        const char *type = json_string_value(json_array_get(types, i));
        return (part){kind_of_type(type), p->json, p->doc};
    }
    return part_of(json_array_get(json_object_get(p->json, key), i), p->doc);
}

/* --- references ----------------------------------------------------------- */

/* One step of a JSON pointer, with ~0, ~1 and %XX decoded. */
static json_t *step(json_t *at, const char *token, size_t len)
{
    char *key = tg_strndup(token, len), *to = key;
    for (const char *c = key; *c; c++) {
        unsigned byte;
        if (*c == '~' && (c[1] == '0' || c[1] == '1'))
            *to++ = *++c == '0' ? '~' : '/';
        else if (*c == '%' && sscanf(c + 1, "%2x", &byte) == 1 && c[1] && c[2])
            *to++ = (char)byte, c += 2;
        else
            *to++ = *c;
    }
    *to = 0;
    json_t *next = json_is_array(at)
                       ? json_array_get(at, (size_t)strtoul(key, NULL, 10))
                       : json_object_get(at, key);
    tg_free(key);
    return next;
}

static json_t *pointer(json_t *at, const char *path)
{
    while (at && *path == '/') {
        const char *end = strchr(++path, '/');
        size_t len = end ? (size_t)(end - path) : strlen(path);
        at = step(at, path, len);
        path += len;
    }
    return at;
}

static bool names_id(const json_t *s, const char *want, bool anchor)
{
    static const char *const keys[] = {"$id", "id", "$anchor",
                                       "$dynamicAnchor"};
    for (int i = anchor ? 0 : 0; i < 4; i++) {
        const char *id = text_of(s, keys[i]);
        if (!id)
            continue;
        if (i >= 2 && (!anchor || strcmp(id, want + 1) != 0))
            continue;
        if (i >= 2 || strcmp(id, want) == 0)
            return true;
        size_t n = strlen(id);
        if (n && id[n - 1] == '#' && strncmp(id, want, n - 1) == 0 &&
            !want[n - 1])
            return true;
    }
    return false;
}

/* The schema with an $id or $anchor. */
static json_t *with_id(json_t *at, const char *want, int depth)
{
    bool anchor = *want == '#';
    json_t *found = NULL, *v;
    const char *key;
    size_t i;
    if (depth > DEPTH_MAX)
        return NULL;
    if (json_is_object(at)) {
        if (names_id(at, want, anchor))
            return at;
        json_object_foreach(at, key, v)
        {
            if (!found)
                found = with_id(v, want, depth + 1);
        }
    } else if (json_is_array(at)) {
        json_array_foreach(at, i, v)
        {
            if (!found)
                found = with_id(v, want, depth + 1);
        }
    }
    return found;
}

static json_t *parse(reader *r, const char *text)
{
    json_error_t bad;
    json_t *root = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, &bad);
    if (!root)
        root = json_loads(
            text, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL,
            &bad);
    if (!root)
        refuse(r, "the text is no JSON: line %d: %s", bad.line, bad.text);
    return root;
}

static const document *add_document(reader *r, const char *name,
                                    const char *text,
                                    const tg_registry_ref *refs, uint32_t nrefs)
{
    if (r->ndocs == DOCS_MAX) {
        refuse(r, "more than %d references", DOCS_MAX);
        return NULL;
    }
    json_t *root = parse(r, text);
    if (!root)
        return NULL;
    document *d = tg_calloc(sizeof *d);
    *d = (document){name, root, refs, nrefs};
    r->docs[r->ndocs++] = d;
    return d;
}

/* Whether the reference of the registry is what a $ref without its fragment
 * names: equal, or the end of it. */
static bool same_file(const char *ref, size_t len, const char *name)
{
    size_t n = strlen(name);
    if (n > len || n == 0)
        return false;
    if (memcmp(ref + len - n, name, n) != 0)
        return false;
    return n == len || name[0] == '/' || ref[len - n - 1] == '/';
}

static const document *other_document(reader *r, const document *doc,
                                      const char *ref, size_t len)
{
    for (uint32_t i = 0; i < r->ndocs; i++)
        if (i > 0 && same_file(ref, len, r->docs[i]->name))
            return r->docs[i];
    for (uint32_t d = 0; d < 2; d++) {
        const document *from = d ? r->docs[0] : doc;
        for (uint32_t i = 0; i < from->nrefs; i++)
            if (same_file(ref, len, from->refs[i].name))
                return add_document(r, from->refs[i].name, from->refs[i].text,
                                    from->refs[i].refs, from->refs[i].nrefs);
    }
    return NULL;
}

static bool resolve(reader *r, const part *p, part *out)
{
    const char *ref = text_of(p->json, "$ref");
    const char *hash = strchr(ref, '#');
    size_t len = hash ? (size_t)(hash - ref) : strlen(ref);
    const document *doc = p->doc;
    json_t *at = doc->root;
    if (len > 0) {
        char *file = tg_strndup(ref, len);
        at = with_id(doc->root, file, 0);
        tg_free(file);
        const document *other = at ? NULL : other_document(r, doc, ref, len);
        if (other) {
            doc = other;
            at = other->root;
        }
    }
    if (at && hash && hash[1] == '/')
        at = pointer(at, hash + 1);
    else if (at && hash && hash[1])
        at = with_id(at, hash, 0);
    if (!at) {
        if (!r->err || !r->err->code)
            refuse(r,
                   "$ref \"%.150s\" is neither in the schema nor among its"
                   " references",
                   ref);
        return false;
    }
    *out = part_of(at, doc);
    return true;
}

/* --- schemas while they are made ------------------------------------------ */

typedef struct draft {
    tg_schema schema;
    tg_schema_param *params;
    tg_schema_field *fields;
    char **texts; /* to be freed */
    uint32_t capparams, capfields, ntexts;
} draft;

static const char *keep(draft *d, char *text)
{
    d->texts = tg_realloc(d->texts, (d->ntexts + 1) * sizeof *d->texts);
    return d->texts[d->ntexts++] = text;
}

static void add_param(draft *d, const char *key, const char *value)
{
    tg_schema *s = &d->schema;
    for (uint32_t i = 0; i < s->nparams; i++) {
        if (strcmp(d->params[i].key, key) == 0) {
            d->params[i].value = value;
            return;
        }
    }
    if (s->nparams == d->capparams) {
        d->capparams = d->capparams ? d->capparams * 2 : 4;
        d->params = tg_realloc(d->params, d->capparams * sizeof *d->params);
    }
    d->params[s->nparams++] = (tg_schema_param){key, value};
    s->params = d->params;
}

static bool add_field(reader *r, draft *d, const char *name,
                      const tg_schema *schema)
{
    tg_schema *s = &d->schema;
    const tg_name *n = tg_name_intern(name, (uint32_t)strlen(name));
    if (!n) {
        refuse(r, "a property's name is no UTF-8, or there are too many");
        return false;
    }
    if (s->nfields == d->capfields) {
        d->capfields = d->capfields ? d->capfields * 2 : 8;
        d->fields = tg_realloc(d->fields, d->capfields * sizeof *d->fields);
    }
    d->fields[s->nfields++] = (tg_schema_field){n, schema};
    s->fields = d->fields;
    return true;
}

static void drop(draft *d)
{
    for (uint32_t i = 0; i < d->ntexts; i++)
        tg_free(d->texts[i]);
    tg_free(d->texts);
    tg_free(d->params);
    tg_free(d->fields);
}

static const tg_schema *anything(bool optional)
{
    tg_schema s = {.tag = TG_STR, .optional = optional, .name = TG_JS_ANY};
    return tg_schema_intern(&s);
}

/* --- what all schemas have ------------------------------------------------ */

/* False for a schema whose values the typed reader does not read alike. */
static bool ordinary(const tg_schema *s)
{
    if (tg_js_is_any(s) || tg_js_is_union(s))
        return false;
    if (s->tag == TG_MAP && (!tg_js_is_object(s) || !ordinary(s->value)))
        return false;
    if (s->tag == TG_ARRAY && !ordinary(s->value))
        return false;
    for (uint32_t i = 0; i < s->nfields; i++)
        if (!ordinary(s->fields[i].schema))
            return false;
    return true;
}

static char *default_text(const json_t *v)
{
    char number[TG_NUMBER_MAX + 1];
    if (!json_is_real(v))
        return json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
    number[tg_double_text(number, json_real_value(v))] = 0;
    return tg_strdup(number);
}

static bool read_default(reader *r, draft *d, const json_t *v)
{
    if (!v || json_is_null(v) || !ordinary(&d->schema))
        return true;
    char *text = default_text(v);
    const char *kept = keep(d, tg_strdup(text));
    if (json_is_real(v))
        tg_free(text);
    else
        free(text);
    tg_batch *batch = tg_batch_new(0, 0);
    tg_value unused;
    tg_json_in in = {.start = kept,
                     .p = kept,
                     .end = kept + strlen(kept),
                     .batch = batch,
                     .err = r->err,
                     .defaults = true};
    int rc = tg__json_typed(&in, &unused, NULL, tg__json_wild_site(),
                            tg_schema_intern(&d->schema));
    tg_batch_free(batch);
    if (rc) {
        tg_err_prefix(r->err, "JSON Schema: the default of a schema");
        return false;
    }
    d->schema.has_default = true;
    d->schema.default_json = kept;
    return true;
}

static bool read_common(reader *r, draft *d, const json_t *s, int version)
{
    const json_t *v = json_object_get(s, "connect.version");
    const char *title = text_of(s, "title"), *key;
    json_t *params = json_object_get(s, "connect.parameters"), *param;
    if (title && !d->schema.name)
        d->schema.name = title;
    if (json_is_integer(v))
        version = (int)json_integer_value(v);
    if (version > 0 || json_is_integer(v)) {
        d->schema.has_version = true;
        d->schema.version = version;
    }
    d->schema.doc = text_of(s, "description");
    json_object_foreach(params, key, param)
    {
        if (json_is_string(param))
            add_param(d, key, json_string_value(param));
    }
    return read_default(r, d, json_object_get(s, "default"));
}

static const tg_schema *finish(reader *r, draft *d, const part *p, int version,
                               bool optional)
{
    const tg_schema *s = NULL;
    if (!json_is_object(p->json) || read_common(r, d, p->json, version)) {
        d->schema.optional |= optional;
        s = tg_schema_intern(&d->schema);
    }
    drop(d);
    return s;
}

/* --- scalars -------------------------------------------------------------- */

static int number_tag(const json_t *s, part_kind kind)
{
    static const struct {
        const char *name;
        int tag;
    } all[] = {{"int8", TG_INT8},       {"int16", TG_INT16},
               {"int32", TG_INT32},     {"int64", TG_INT64},
               {"float32", TG_FLOAT32}, {"float64", TG_FLOAT64},
               {"bytes", TG_BYTES}};
    const char *type = text_of(s, "connect.type");
    if (!type)
        return kind == P_INTEGER ? TG_INT64 : TG_FLOAT64;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(all[i].name, type) == 0)
            return all[i].tag;
    return -1;
}

static const tg_schema *read_scalar(reader *r, const part *p, int version,
                                    bool optional)
{
    draft d = {0};
    const char *type = text_of(p->json, "connect.type");
    int tag = TG_BOOL;
    if (p->kind == P_STRING)
        tag = type && strcmp(type, "bytes") == 0 ? TG_BYTES : TG_STR;
    else if (p->kind != P_BOOLEAN)
        tag = number_tag(p->json, p->kind);
    if (tag < 0)
        return refuse(r, "connect.type is \"%.40s\" for a number", type);
    d.schema.tag = (uint8_t)tag;
    return finish(r, &d, p, version, optional);
}

static void add_symbol(reader *r, draft *d, const json_t *v, size_t at)
{
    const char *prefix = r->set->generalized ? TG_JS_SUM_ENUM : TG_JS_ENUM;
    char *made = NULL, *symbol;
    if (json_is_string(v))
        symbol = tg_strdup(json_string_value(v));
    else if (json_is_null(v))
        symbol = tg_strdup(TG_JS_NULL);
    else {
        made = default_text(v);
        symbol = tg_strdup(made ? made : "");
        if (json_is_real(v))
            tg_free(made);
        else
            free(made);
    }
    keep(d, symbol);
    const char *key = keep(d, tg_sprintf("%s.%s", prefix, symbol));
    add_param(d, key,
              r->set->generalized ? keep(d, tg_sprintf("%zu", at)) : symbol);
}

static const tg_schema *read_enum(reader *r, const part *p, int version,
                                  bool optional)
{
    draft d = {.schema.tag = TG_STR};
    json_t *list = json_object_get(p->json, "enum"), *v;
    size_t i;
    add_param(&d, r->set->generalized ? TG_JS_SUM_ENUM : TG_JS_ENUM, "");
    if (p->kind == P_CONST)
        add_symbol(r, &d, json_object_get(p->json, "const"), 0);
    else
        json_array_foreach(list, i, v) add_symbol(r, &d, v, i);
    return finish(r, &d, p, version, optional);
}

/* --- containers ----------------------------------------------------------- */

static const tg_schema *read_json(reader *r, json_t *s, const document *doc,
                                  bool optional)
{
    return read_part(r, part_of(s, doc), 0, optional);
}

static bool is_map(const json_t *s)
{
    const char *type = text_of(s, "connect.type");
    return type && strcmp(type, "map") == 0;
}

static const tg_schema *read_array(reader *r, const part *p, int version,
                                   bool optional)
{
    draft d = {.schema.tag = TG_ARRAY};
    json_t *items = json_object_get(p->json, "items");
    if (!json_is_object(items) && !json_is_boolean(items))
        return refuse(r, "an array does not say the one schema of its items");
    part of = part_of(items, p->doc);
    if (is_map(p->json) && of.kind == P_OBJECT) {
        json_t *props = json_object_get(items, "properties");
        json_t *key = json_object_get(props, "key");
        json_t *value = json_object_get(props, "value");
        if (!key || !value)
            return refuse(r, "a map's items need the properties key and value");
        d.schema.tag = TG_MAP;
        d.schema.key = read_json(r, key, p->doc, false);
        d.schema.value =
            d.schema.key ? read_json(r, value, p->doc, false) : NULL;
    } else {
        d.schema.value = read_part(r, of, 0, false);
    }
    return d.schema.value ? finish(r, &d, p, version, optional) : NULL;
}

static bool is_required(const json_t *s, const char *name)
{
    json_t *list = json_object_get(s, "required"), *v;
    size_t i;
    json_array_foreach(list, i, v)
    {
        if (json_is_string(v) && strcmp(json_string_value(v), name) == 0)
            return true;
    }
    return false;
}

typedef struct property {
    const char *name;
    json_t *schema;
    json_int_t index;
    size_t at;
} property;

static int by_index(const void *a, const void *b)
{
    const property *x = a, *y = b;
    if (x->index != y->index)
        return x->index < y->index ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

static property *sorted(json_t *props, size_t *n)
{
    const char *name;
    json_t *v;
    size_t i = 0;
    property *list = tg_alloc((json_object_size(props) + 1) * sizeof *list);
    json_object_foreach(props, name, v)
    {
        const json_t *index = json_object_get(v, "connect.index");
        list[i] = (property){name, v,
                             json_is_integer(index) ? json_integer_value(index)
                                                    : (json_int_t)i,
                             i};
        i++;
    }
    qsort(list, i, sizeof *list, by_index);
    *n = i;
    return list;
}

static const tg_schema *read_object(reader *r, const part *p, int version,
                                    bool optional)
{
    draft d = {.schema.tag = TG_STRUCT};
    size_t n;
    if (is_map(p->json)) {
        json_t *more = json_object_get(p->json, "additionalProperties");
        d.schema.tag = TG_MAP;
        d.schema.key = tg_schema_of(TG_STR, 0, NULL);
        d.schema.value = more && !json_is_false(more)
                             ? read_json(r, more, p->doc, false)
                             : anything(true);
        return d.schema.value ? finish(r, &d, p, version, optional) : NULL;
    }
    property *list = sorted(json_object_get(p->json, "properties"), &n);
    bool good = true;
    for (size_t i = 0; i < n && good; i++) {
        bool may_miss = r->set->optional && !is_required(p->json, list[i].name);
        const tg_schema *s = read_json(r, list[i].schema, p->doc, may_miss);
        good = s && add_field(r, &d, list[i].name, s);
        if (!s && r->err)
            tg_err_prefix(r->err, "property \"%.60s\"", list[i].name);
    }
    tg_free(list);
    if (good)
        return finish(r, &d, p, version, optional);
    drop(&d);
    return NULL;
}

/* --- oneOf, anyOf --------------------------------------------------------- */

/* A schema or null: the schema. */
static bool nullable(const part *p, uint32_t n, part *out)
{
    bool found = false, other = false;
    if (n != 2)
        return false;
    for (uint32_t i = 0; i < 2; i++) {
        part of = below(p, i);
        if (of.kind == P_NULL) {
            found = true;
        } else {
            *out = of;
            other = true;
        }
    }
    return found && other;
}

static const tg_schema *read_union(reader *r, const part *p, int version,
                                   bool optional)
{
    draft d = {.schema.tag = TG_STRUCT};
    uint32_t n = count_below(p), at = 0;
    bool sum = r->set->generalized, good = true;
    part only;
    if (n == 1 && r->set->flatten)
        return read_part(r, below(p, 0), 0, false);
    const char *name =
        sum ? keep(&d, tg_sprintf("%s%u", TG_JS_SUM_NAME, r->unions++))
            : TG_JS_ONE_OF;
    if (nullable(p, n, &only)) {
        drop(&d);
        return read_part(r, only, version, true);
    }
    d.schema.name = name;
    if (sum)
        add_param(&d, TG_JS_SUM_UNION, name);
    for (uint32_t i = 0; i < n && good; i++) {
        part of = below(p, i);
        char field[80];
        if (of.kind == P_NULL) {
            d.schema.optional = true;
            continue;
        }
        if (sum)
            snprintf(field, sizeof field, "%sfield_%u", TG_JS_SUM_NAME, at++);
        else
            snprintf(field, sizeof field, "%s.field.%u", TG_JS_ONE_OF, at++);
        const tg_schema *s = read_part(r, of, 0, true);
        good = s && add_field(r, &d, field, s);
    }
    if (good)
        return finish(r, &d, p, version, optional);
    drop(&d);
    return NULL;
}

/* --- allOf ---------------------------------------------------------------- */

typedef struct collected {
    json_t *props; /* name -> {"s": schema} in order; owned */
    const document **docs;
    bool *required;
    size_t n;
} collected;

static void collect_object(collected *c, const part *p)
{
    const char *name;
    json_t *v;
    json_object_foreach(json_object_get(p->json, "properties"), name, v)
    {
        size_t at = c->n;
        const json_t *known = json_object_get(c->props, name);
        if (known)
            at = (size_t)json_integer_value(json_array_get(known, 0));
        json_t *entry = json_array();
        json_array_append_new(entry, json_integer((json_int_t)at));
        json_array_append(entry, v);
        json_object_set_new(c->props, name, entry);
        if (!known) {
            c->docs = tg_realloc(c->docs, (c->n + 1) * sizeof *c->docs);
            c->required =
                tg_realloc(c->required, (c->n + 1) * sizeof *c->required);
            c->n++;
        }
        c->docs[at] = p->doc;
        c->required[at] = is_required(p->json, name);
    }
}

static bool collect(reader *r, collected *c, part p, int depth)
{
    part to;
    if (depth > DEPTH_MAX)
        return true; /* a schema that contains itself adds nothing more */
    if (p.kind == P_REF)
        return resolve(r, &p, &to) && collect(r, c, to, depth + 1);
    if (p.kind == P_OBJECT)
        collect_object(c, &p);
    if (p.kind != P_MANY && p.kind != P_ALL_OF)
        return true;
    uint32_t n = count_below(&p);
    for (uint32_t i = 0; i < n; i++)
        if (++r->made > SCHEMAS_MAX || !collect(r, c, below(&p, i), depth + 1))
            return false;
    return true;
}

static const tg_schema *struct_of(reader *r, const collected *c, bool optional)
{
    draft d = {.schema = {.tag = TG_STRUCT, .optional = optional}};
    const char *name;
    json_t *entry;
    bool good = true;
    json_object_foreach(c->props, name, entry)
    {
        size_t at = (size_t)json_integer_value(json_array_get(entry, 0));
        const tg_schema *s =
            good ? read_json(r, json_array_get(entry, 1), c->docs[at],
                             r->set->optional && !c->required[at])
                 : NULL;
        good = s && add_field(r, &d, name, s);
    }
    const tg_schema *made = good ? tg_schema_intern(&d.schema) : NULL;
    drop(&d);
    return made;
}

/* The part that decides what an allOf without properties is; false: none. */
static bool deciding(const part *p, part *out)
{
    part of[P_MANY + 1];
    bool has[P_MANY + 1] = {false};
    uint32_t n = count_below(p);
    for (uint32_t i = 0; i < n; i++) {
        part b = below(p, i);
        part_kind k = b.kind;
        if (k == P_TYPES || k == P_ONE_OF || k == P_ANY_OF || k == P_ALL_OF)
            k = P_MANY;
        if (k == P_INTEGER)
            k = P_NUMBER;
        has[k] = true;
        of[k] = b;
    }
    part_kind k;
    if (has[P_MANY])
        k = P_MANY;
    else if (has[P_CONST])
        k = has[P_STRING] ? P_STRING : has[P_NUMBER] ? P_NUMBER : P_CONST;
    else if (has[P_ENUM])
        k = has[P_STRING] || !has[P_NUMBER] ? P_ENUM : P_NUMBER;
    else if (has[P_NUMBER])
        k = P_NUMBER;
    else if (has[P_STRING])
        k = P_STRING;
    else if (has[P_BOOLEAN])
        k = P_BOOLEAN;
    else if (has[P_REF])
        k = P_REF;
    else if (has[P_ARRAY])
        k = P_ARRAY;
    else if (has[P_OBJECT])
        k = P_OBJECT;
    else
        return false;
    *out = of[k];
    return true;
}

static const tg_schema *read_all(reader *r, const part *p, int version,
                                 bool optional)
{
    collected c = {.props = json_object()};
    const tg_schema *s = NULL;
    part only;
    if (collect(r, &c, *p, 0)) {
        if (c.n > 0)
            s = struct_of(r, &c, optional);
        else if (deciding(p, &only))
            s = read_part(r, only, version, optional);
        else
            refuse(r, "an allOf says no type that Connect has");
    } else if (r->err && !r->err->code) {
        refuse(r, "too many schemas");
    }
    json_decref(c.props);
    tg_free(c.docs);
    tg_free(c.required);
    return s;
}

/* --- any schema ----------------------------------------------------------- */

static bool in_chain(const reader *r, const json_t *s)
{
    for (uint32_t i = 0; i < r->depth; i++)
        if (r->chain[i] == s)
            return true;
    return false;
}

static const tg_schema *read_kind(reader *r, const part *p, int version,
                                  bool optional)
{
    part to;
    switch (p->kind) {
    case P_EMPTY:
        return anything(true);
    case P_BOOLEAN:
    case P_INTEGER:
    case P_NUMBER:
    case P_STRING:
        return read_scalar(r, p, version, optional);
    case P_ENUM:
    case P_CONST:
        return read_enum(r, p, version, optional);
    case P_ARRAY:
        return read_array(r, p, version, optional);
    case P_OBJECT:
        return read_object(r, p, version, optional);
    case P_ONE_OF:
    case P_ANY_OF:
    case P_TYPES:
        return read_union(r, p, version, optional);
    case P_ALL_OF:
    case P_MANY:
        return read_all(r, p, version, optional);
    case P_REF:
        if (!resolve(r, p, &to))
            return NULL;
        return in_chain(r, to.json) ? anything(true)
                                    : read_part(r, to, version, optional);
    default:
        return refuse(r, "Connect has no schema for \"%s\"",
                      p->kind == P_NULL  ? "type\": \"null"
                      : p->kind == P_NOT ? "not"
                                         : "false");
    }
}

static const tg_schema *read_part(reader *r, part p, int version, bool optional)
{
    if (r->depth == DEPTH_MAX)
        return refuse(r, "schemas are nested more than %d deep", DEPTH_MAX);
    if (++r->made > SCHEMAS_MAX)
        return refuse(r, "more than %d schemas", SCHEMAS_MAX);
    r->chain[r->depth++] = p.json;
    const tg_schema *s = read_kind(r, &p, version, optional);
    r->depth--;
    return s;
}

const tg_schema *tg_js_read(const char *text, const tg_registry_ref *refs,
                            uint32_t nrefs, const tg_js_settings *set,
                            int version, tg_err *err)
{
    tg_err local = {0};
    reader *r = tg_calloc(sizeof *r);
    r->set = set;
    r->err = err ? err : &local;
    r->err->code = 0;
    const document *doc = add_document(r, "", text, refs, nrefs);
    const tg_schema *s =
        doc ? read_part(r, part_of(doc->root, doc), version, false) : NULL;
    for (uint32_t i = 0; i < r->ndocs; i++) {
        json_decref(r->docs[i]->root);
        tg_free(r->docs[i]);
    }
    tg_free(r);
    return s;
}
