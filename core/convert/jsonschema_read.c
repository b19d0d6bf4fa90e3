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
#include "convert/internal.h"
#include "convert/jsonschema_parts.h"
#include "convert/json_scan.h"
#include "data/shape.h"
#include <stdio.h>
#include <stdlib.h>

enum { SCHEMAS_MAX = 20000 };

static const tg_schema *read_part(tg_js_reader *r, tg_js_part p, int version,
                                  bool optional);

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

static bool add_field(tg_js_reader *r, draft *d, const char *name,
                      const tg_schema *schema)
{
    tg_schema *s = &d->schema;
    const tg_name *n = tg_name_intern(name, (uint32_t)strlen(name));
    if (!n) {
        tg__js_refuse(r,
                      "a property's name is no UTF-8, or there are too many");
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

/* False for a schema whose values the typed reader does not read alike.
 */
bool tg__js_ordinary(const tg_schema *s)
{
    if (tg_js_is_any(s) || tg_js_is_union(s))
        return false;
    if (s->tag == TG_MAP && (!tg_js_is_object(s) || !tg__js_ordinary(s->value)))
        return false;
    if (s->tag == TG_ARRAY && !tg__js_ordinary(s->value))
        return false;
    for (uint32_t i = 0; i < s->nfields; i++)
        if (!tg__js_ordinary(s->fields[i].schema))
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

static bool read_default(tg_js_reader *r, draft *d, const json_t *v)
{
    if (!v || json_is_null(v) || !tg__js_ordinary(&d->schema))
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

static bool read_common(tg_js_reader *r, draft *d, const json_t *s, int version)
{
    const json_t *v = json_object_get(s, "connect.version");
    const char *title = tg__js_text_of(s, "title"), *key;
    json_t *params = json_object_get(s, "connect.parameters"), *param;
    if (title && !d->schema.name)
        d->schema.name = title;
    if (json_is_integer(v))
        version = (int)json_integer_value(v);
    if (version > 0 || json_is_integer(v)) {
        d->schema.has_version = true;
        d->schema.version = version;
    }
    d->schema.doc = tg__js_text_of(s, "description");
    json_object_foreach(params, key, param)
    {
        if (json_is_string(param))
            add_param(d, key, json_string_value(param));
    }
    return read_default(r, d, json_object_get(s, "default"));
}

static const tg_schema *finish(tg_js_reader *r, draft *d, const tg_js_part *p,
                               int version, bool optional)
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

static int number_tag(const json_t *s, tg_js_kind kind)
{
    static const struct {
        const char *name;
        int tag;
    } all[] = {{"int8", TG_INT8},       {"int16", TG_INT16},
               {"int32", TG_INT32},     {"int64", TG_INT64},
               {"float32", TG_FLOAT32}, {"float64", TG_FLOAT64},
               {"bytes", TG_BYTES}};
    const char *type = tg__js_text_of(s, "connect.type");
    if (!type)
        return kind == P_INTEGER ? TG_INT64 : TG_FLOAT64;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(all[i].name, type) == 0)
            return all[i].tag;
    return -1;
}

static const tg_schema *read_scalar(tg_js_reader *r, const tg_js_part *p,
                                    int version, bool optional)
{
    draft d = {0};
    const char *type = tg__js_text_of(p->json, "connect.type");
    int tag = TG_BOOL;
    if (p->kind == P_STRING)
        tag = type && strcmp(type, "bytes") == 0 ? TG_BYTES : TG_STR;
    else if (p->kind != P_BOOLEAN)
        tag = number_tag(p->json, p->kind);
    if (tag < 0)
        return tg__js_refuse(r, "connect.type is \"%.40s\" for a number", type);
    d.schema.tag = (uint8_t)tag;
    return finish(r, &d, p, version, optional);
}

static void add_symbol(tg_js_reader *r, draft *d, const json_t *v, size_t at)
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

static const tg_schema *read_enum(tg_js_reader *r, const tg_js_part *p,
                                  int version, bool optional)
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

static const tg_schema *read_json(tg_js_reader *r, json_t *s,
                                  const tg_js_document *doc, bool optional)
{
    return read_part(r, tg__js_part_of(s, doc), 0, optional);
}

static bool is_map(const json_t *s)
{
    const char *type = tg__js_text_of(s, "connect.type");
    return type && strcmp(type, "map") == 0;
}

static const tg_schema *read_array(tg_js_reader *r, const tg_js_part *p,
                                   int version, bool optional)
{
    draft d = {.schema.tag = TG_ARRAY};
    json_t *items = json_object_get(p->json, "items");
    if (!json_is_object(items) && !json_is_boolean(items))
        return tg__js_refuse(
            r, "an array does not say the one schema of its items");
    tg_js_part of = tg__js_part_of(items, p->doc);
    if (is_map(p->json) && of.kind == P_OBJECT) {
        json_t *props = json_object_get(items, "properties");
        json_t *key = json_object_get(props, "key");
        json_t *value = json_object_get(props, "value");
        if (!key || !value)
            return tg__js_refuse(
                r, "a map's items need the properties key and value");
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

static const tg_schema *read_object(tg_js_reader *r, const tg_js_part *p,
                                    int version, bool optional)
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
            tg__converter_in(r->err, "property \"%.60s\"", list[i].name);
    }
    tg_free(list);
    if (good)
        return finish(r, &d, p, version, optional);
    drop(&d);
    return NULL;
}

/* --- oneOf, anyOf --------------------------------------------------------- */

/* A schema or null: the schema. */
static bool nullable(const tg_js_part *p, uint32_t n, tg_js_part *out)
{
    bool found = false, other = false;
    if (n != 2)
        return false;
    for (uint32_t i = 0; i < 2; i++) {
        tg_js_part of = tg__js_below(p, i);
        if (of.kind == P_NULL) {
            found = true;
        } else {
            *out = of;
            other = true;
        }
    }
    return found && other;
}

static const tg_schema *read_union(tg_js_reader *r, const tg_js_part *p,
                                   int version, bool optional)
{
    draft d = {.schema.tag = TG_STRUCT};
    uint32_t n = tg__js_count(p), at = 0;
    bool sum = r->set->generalized, good = true;
    tg_js_part only;
    if (n == 1 && r->set->flatten)
        return read_part(r, tg__js_below(p, 0), 0, false);
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
        tg_js_part of = tg__js_below(p, i);
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
    const tg_js_document **docs;
    bool *required;
    size_t n;
} collected;

static void collect_object(collected *c, const tg_js_part *p)
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

static bool collect(tg_js_reader *r, collected *c, tg_js_part p, int depth)
{
    tg_js_part to;
    if (depth > TG_JS_DEPTH)
        return true; /* a schema that contains itself adds nothing more */
    if (p.kind == P_REF)
        return tg__js_resolve(r, &p, &to) && collect(r, c, to, depth + 1);
    if (p.kind == P_OBJECT)
        collect_object(c, &p);
    if (p.kind != P_MANY && p.kind != P_ALL_OF)
        return true;
    uint32_t n = tg__js_count(&p);
    for (uint32_t i = 0; i < n; i++)
        if (++r->made > SCHEMAS_MAX ||
            !collect(r, c, tg__js_below(&p, i), depth + 1))
            return false;
    return true;
}

static const tg_schema *struct_of(tg_js_reader *r, const collected *c,
                                  bool optional)
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
static bool deciding(const tg_js_part *p, tg_js_part *out)
{
    tg_js_part of[P_MANY + 1];
    bool has[P_MANY + 1] = {false};
    uint32_t n = tg__js_count(p);
    for (uint32_t i = 0; i < n; i++) {
        tg_js_part b = tg__js_below(p, i);
        tg_js_kind k = b.kind;
        if (k == P_TYPES || k == P_ONE_OF || k == P_ANY_OF || k == P_ALL_OF)
            k = P_MANY;
        if (k == P_INTEGER)
            k = P_NUMBER;
        has[k] = true;
        of[k] = b;
    }
    tg_js_kind k;
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

static const tg_schema *read_all(tg_js_reader *r, const tg_js_part *p,
                                 int version, bool optional)
{
    collected c = {.props = json_object()};
    const tg_schema *s = NULL;
    tg_js_part only;
    if (collect(r, &c, *p, 0)) {
        if (c.n > 0)
            s = struct_of(r, &c, optional);
        else if (deciding(p, &only))
            s = read_part(r, only, version, optional);
        else
            tg__js_refuse(r, "an allOf says no type that Connect has");
    } else if (r->err && !r->err->code) {
        tg__js_refuse(r, "too many schemas");
    }
    json_decref(c.props);
    tg_free(c.docs);
    tg_free(c.required);
    return s;
}

/* --- any schema ----------------------------------------------------------- */

static bool in_chain(const tg_js_reader *r, const json_t *s)
{
    for (uint32_t i = 0; i < r->depth; i++)
        if (r->chain[i] == s)
            return true;
    return false;
}

static const tg_schema *read_kind(tg_js_reader *r, const tg_js_part *p,
                                  int version, bool optional)
{
    tg_js_part to;
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
        if (!tg__js_resolve(r, p, &to))
            return NULL;
        return in_chain(r, to.json) ? anything(true)
                                    : read_part(r, to, version, optional);
    default:
        return tg__js_refuse(r, "Connect has no schema for \"%s\"",
                             p->kind == P_NULL  ? "type\": \"null"
                             : p->kind == P_NOT ? "not"
                                                : "false");
    }
}

static const tg_schema *read_part(tg_js_reader *r, tg_js_part p, int version,
                                  bool optional)
{
    if (r->depth == TG_JS_DEPTH)
        return tg__js_refuse(r, "schemas are nested more than %d deep",
                             TG_JS_DEPTH);
    if (++r->made > SCHEMAS_MAX)
        return tg__js_refuse(r, "more than %d schemas", SCHEMAS_MAX);
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
    tg_js_reader *r = tg_calloc(sizeof *r);
    r->set = set;
    r->err = err ? err : &local;
    r->err->code = 0;
    const tg_js_document *doc = tg__js_document(r, "", text, refs, nrefs);
    const tg_schema *s =
        doc ? read_part(r, tg__js_part_of(doc->root, doc), version, false)
            : NULL;
    for (uint32_t i = 0; i < r->ndocs; i++) {
        json_decref(r->docs[i]->root);
        tg_free(r->docs[i]);
    }
    tg_free(r);
    return s;
}
