/*
 * Avro schemas: their JSON text to a graph of types. Names are resolved against
 * the enclosing namespace; schemas that the text refers to (references of the
 * registry) are parsed before it, each once. What is kept of the JSON is read
 * where it is needed: documentation, defaults and the connect.* properties.
 *
 * Script thread.
 */
#include "convert/avro.h"
#include "data/node.h"
#include <strings.h>

typedef struct tg_avro_named {
    struct tg_avro_named *next;
    uint32_t hash;
    tg_avro *type;
} tg_avro_named;

typedef struct parser {
    tg_avro_doc *doc;
    tg_err *err;
    uint32_t depth;
    const char *space; /* enclosing namespace, "" for none */
} parser;

static const char *const type_names[] = {
    "null",   "boolean", "int",  "long",  "float", "double", "bytes",
    "string", "record",  "enum", "fixed", "array", "map",    "union"};

static tg_avro *parse(parser *p, const json_t *json);

const char *tg__avro_type_name(tg_avro_type type)
{
    return type_names[type];
}

/* --- helpers -------------------------------------------------------------- */

static void *alloc(parser *p, size_t n)
{
    void *at = tg_arena_alloc(&p->doc->arena, n);
    memset(at, 0, n);
    return at;
}

static tg_avro *refuse(parser *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static tg_avro *refuse(parser *p, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    tg_err_vset(p->err, TG_ERR_DATA, fmt, ap);
    va_end(ap);
    tg_err_prefix(p->err, "invalid Avro schema");
    return NULL;
}

static tg_avro *type_new(parser *p, tg_avro_type type, const json_t *json)
{
    tg_avro *a = alloc(p, sizeof *a);
    a->type = type;
    a->json = json;
    return a;
}

static const char *text_of(const json_t *json, const char *key)
{
    return json_string_value(json_object_get(json, key));
}

/* --- names ---------------------------------------------------------------- */

static tg_avro *find_name(const parser *p, const char *full)
{
    uint32_t hash = tg_name_hash(full, (uint32_t)strlen(full));
    for (const tg_avro_named *n = p->doc->names; n; n = n->next)
        if (n->hash == hash && strcmp(n->type->full, full) == 0)
            return n->type;
    return NULL;
}

static const char *full_name(parser *p, const char *space, const char *name)
{
    size_t m = strlen(space), n = strlen(name);
    char *full = alloc(p, m + n + 2);
    if (m > 0) {
        memcpy(full, space, m);
        full[m++] = '.';
    }
    memcpy(full + m, name, n + 1);
    return full;
}

/* Gives a type its name, and p->space its namespace. */
static bool define(parser *p, tg_avro *a, const json_t *json)
{
    const char *name = text_of(json, "name"), *dot;
    const char *space = text_of(json, "namespace");
    if (!name || !*name)
        return refuse(p, "a type \"%s\" without a name", type_names[a->type]);
    dot = strrchr(name, '.');
    a->full = dot ? full_name(p, "", name)
                  : full_name(p, space ? space : p->space, name);
    dot = strrchr(a->full, '.');
    a->name = dot ? dot + 1 : a->full;
    if (!*a->name)
        return refuse(p, "the name \"%s\" ends with a dot", a->full);
    char *own = alloc(p, strlen(a->full) + 1);
    memcpy(own, a->full, dot ? (size_t)(dot - a->full) : 0);
    p->space = own;
    if (find_name(p, a->full))
        return refuse(p, "the name %s is defined twice", a->full);
    tg_avro_named *n = alloc(p, sizeof *n);
    n->type = a;
    n->hash = tg_name_hash(a->full, (uint32_t)strlen(a->full));
    n->next = p->doc->names;
    p->doc->names = n;
    return true;
}

/* "int", or the name of a type defined before. */
static tg_avro *named(parser *p, const char *name)
{
    for (int i = AVRO_NULL; i <= AVRO_STRING; i++)
        if (strcmp(name, type_names[i]) == 0)
            return type_new(p, (tg_avro_type)i, NULL);
    tg_avro *found = NULL;
    if (!strchr(name, '.') && *p->space)
        found = find_name(p, full_name(p, p->space, name));
    if (!found)
        found = find_name(p, name);
    return found ? found : refuse(p, "the type \"%.200s\" is unknown", name);
}

/* --- complex types -------------------------------------------------------- */

static bool parse_fields(parser *p, tg_avro *a, const json_t *list)
{
    if (!json_is_array(list))
        return refuse(p, "record %s has no array \"fields\"", a->full);
    size_t n = json_array_size(list);
    a->fields = alloc(p, n * sizeof *a->fields + 1);
    for (size_t i = 0; i < n; i++) {
        const json_t *json = json_array_get(list, i);
        tg_avro_field *f = &a->fields[i];
        f->name = text_of(json, "name");
        f->json = json;
        if (!f->name)
            return refuse(p, "a field of record %s has no name", a->full);
        if (tg__avro_field(a, f->name))
            return refuse(p, "record %s has two fields %s", a->full, f->name);
        const json_t *type = json_object_get(json, "type");
        if (!type)
            return refuse(p, "field %s of record %s has no type", f->name,
                          a->full);
        f->type = parse(p, type);
        if (!f->type)
            return false;
        a->n++;
    }
    return true;
}

static bool parse_symbols(parser *p, tg_avro *a, const json_t *list)
{
    size_t n = json_array_size(list);
    a->symbols = alloc(p, n * sizeof *a->symbols + 1);
    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        const tg_name *name =
            text ? tg_name_intern(text, (uint32_t)strlen(text)) : NULL;
        if (!name)
            return refuse(p, "the symbols of enum %s are no texts", a->full);
        a->symbols[i] = name->text;
    }
    a->n = (uint32_t)n;
    return n > 0 || refuse(p, "enum %s has no symbols", a->full);
}

static bool parse_size(parser *p, tg_avro *a, const json_t *size)
{
    json_int_t n = json_integer_value(size);
    if (!json_is_integer(size) || n < 0 || n > INT32_MAX)
        return refuse(p, "fixed %s has no size", a->full);
    a->size = (uint32_t)n;
    return true;
}

static tg_avro *parse_named(parser *p, tg_avro_type type, const json_t *json)
{
    const char *outer = p->space;
    tg_avro *a = type_new(p, type, json);
    bool ok = define(p, a, json);
    if (ok && type == AVRO_RECORD)
        ok = parse_fields(p, a, json_object_get(json, "fields"));
    else if (ok && type == AVRO_ENUM)
        ok = parse_symbols(p, a, json_object_get(json, "symbols"));
    else if (ok)
        ok = parse_size(p, a, json_object_get(json, "size"));
    p->space = outer;
    return ok ? a : NULL;
}

static tg_avro *parse_list(parser *p, tg_avro_type type, const json_t *json)
{
    const char *key = type == AVRO_ARRAY ? "items" : "values";
    const json_t *items = json_object_get(json, key);
    tg_avro *a = type_new(p, type, json);
    if (!items)
        return refuse(p, "a type \"%s\" without \"%s\"", type_names[type], key);
    a->items = parse(p, items);
    return a->items ? a : NULL;
}

static tg_avro *parse_object(parser *p, const json_t *json)
{
    const json_t *type = json_object_get(json, "type");
    const char *text = json_string_value(type);
    if (type && !text)
        return parse(p, type);
    if (!text)
        return refuse(p, "an object without \"type\"");
    if (strcmp(text, "error") == 0)
        text = "record";
    for (int i = AVRO_NULL; i <= AVRO_MAP; i++) {
        if (strcmp(text, type_names[i]) != 0)
            continue;
        if (i >= AVRO_ARRAY)
            return parse_list(p, (tg_avro_type)i, json);
        return i >= AVRO_RECORD ? parse_named(p, (tg_avro_type)i, json)
                                : type_new(p, (tg_avro_type)i, json);
    }
    return named(p, text);
}

static tg_avro *parse_union(parser *p, const json_t *json)
{
    size_t n = json_array_size(json);
    tg_avro *a = type_new(p, AVRO_UNION, NULL);
    a->branches = alloc(p, n * sizeof *a->branches + 1);
    for (size_t i = 0; i < n; i++) {
        tg_avro *b = parse(p, json_array_get(json, i));
        if (!b)
            return NULL;
        if (b->type == AVRO_UNION)
            return refuse(p, "a union directly in a union");
        for (uint32_t j = 0; j < i; j++)
            if (a->branches[j]->type == b->type &&
                (!b->full || a->branches[j] == b))
                return refuse(p, "a union has two branches %s",
                              b->full ? b->full : type_names[b->type]);
        a->branches[i] = b;
    }
    a->n = (uint32_t)n;
    return n > 0 ? a : refuse(p, "a union without branches");
}

static tg_avro *parse(parser *p, const json_t *json)
{
    tg_avro *a;
    if (++p->depth > TG_MAX_DEPTH)
        return refuse(p, "it is nested more than %d levels deep", TG_MAX_DEPTH);
    if (json_is_string(json))
        a = named(p, json_string_value(json));
    else if (json_is_array(json))
        a = parse_union(p, json);
    else if (json_is_object(json))
        a = parse_object(p, json);
    else
        a = refuse(p, "a type must be a text, an object or an array");
    p->depth--;
    return a;
}

/* --- documents ------------------------------------------------------------ */

static tg_avro *parse_text(parser *p, const char *text)
{
    json_error_t why;
    json_t *json = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
    if (!json) {
        /* "int" without quotes is what some registries give for "\"int\"" */
        for (int i = AVRO_NULL; i <= AVRO_STRING; i++)
            if (strcmp(text, type_names[i]) == 0)
                return type_new(p, (tg_avro_type)i, NULL);
        return refuse(p, "%s (line %d)", why.text, why.line);
    }
    tg_avro_doc *doc = p->doc;
    doc->texts = tg_realloc(doc->texts, (doc->ntexts + 1) * sizeof *doc->texts);
    doc->texts[doc->ntexts++] = json;
    p->space = "";
    p->depth = 0;
    return parse(p, json);
}

/* Texts that were parsed already, by their address. */
typedef struct seen {
    const char **p;
    size_t n;
} seen;

static bool parse_refs(parser *p, const tg_registry_ref *refs, uint32_t n,
                       seen *done)
{
    for (uint32_t i = 0; i < n; i++) {
        bool known = false;
        for (size_t j = 0; j < done->n && !known; j++)
            known = done->p[j] == refs[i].text;
        if (known)
            continue;
        if (!parse_refs(p, refs[i].refs, refs[i].nrefs, done))
            return false;
        done->p = tg_realloc(done->p, (done->n + 1) * sizeof *done->p);
        done->p[done->n++] = refs[i].text;
        if (!parse_text(p, refs[i].text)) {
            tg_err_prefix(p->err, "reference %s (subject %s, version %d)",
                          refs[i].name, refs[i].subject, refs[i].version);
            return false;
        }
    }
    return true;
}

tg_avro_doc *tg__avro_parse(const tg_registry_schema *schema, tg_err *err)
{
    tg_err local = {0};
    tg_avro_doc *doc = tg_calloc(sizeof *doc);
    parser p = {.doc = doc, .err = err ? err : &local};
    seen done = {0};
    tg_arena_init(&doc->arena, 0);
    if (parse_refs(&p, schema->refs, schema->nrefs, &done))
        doc->root = parse_text(&p, schema->text);
    tg_free(done.p);
    if (doc->root)
        return doc;
    tg__avro_free(doc);
    return NULL;
}

void tg__avro_free(void *of)
{
    tg_avro_doc *doc = of;
    for (size_t i = 0; i < doc->ntexts; i++)
        json_decref(doc->texts[i]);
    tg_free(doc->texts);
    tg_arena_fini(&doc->arena);
    tg_free(doc);
}

/* --- questions ------------------------------------------------------------ */

const char *tg__avro_prop(const tg_avro *a, const char *key)
{
    return text_of(a->json, key);
}

int32_t tg__avro_int(const json_t *number)
{
    double d = json_number_value(number);
    if (json_is_integer(number))
        return (int32_t)(uint64_t)json_integer_value(number);
    return d >= INT32_MAX ? INT32_MAX : d <= INT32_MIN ? INT32_MIN : (int32_t)d;
}

bool tg__avro_logical(const tg_avro *a, const char *name)
{
    const char *text = tg__avro_prop(a, "logicalType");
    return text && strcasecmp(text, name) == 0;
}

uint32_t tg__avro_null_branch(const tg_avro *a)
{
    uint32_t i = 0;
    while (i < a->n && a->branches[i]->type != AVRO_NULL)
        i++;
    return i;
}

tg_avro_kind tg__avro_union(const tg_avro *a, const tg_avro_settings *set,
                            uint32_t *at)
{
    *at = 0;
    if (a->n == 1 && set->flatten)
        return TG_UNION_SINGLE;
    uint32_t null = tg__avro_null_branch(a);
    if (a->n != 2 || null == a->n)
        return TG_UNION_STRUCT;
    *at = 1 - null;
    return TG_UNION_NULLABLE;
}

const char *tg__avro_member(tg_arena *arena, const tg_avro *branch, uint32_t at,
                            const tg_avro_settings *set)
{
    if (set->generalized) {
        char text[sizeof TG_SUM_FIELD + 12];
        int n = snprintf(text, sizeof text, TG_SUM_FIELD "%u", at);
        return tg_arena_dup(arena, text, (size_t)n + 1);
    }
    if (!branch->full)
        return type_names[branch->type];
    return set->enhanced ? branch->full : branch->name;
}

const tg_avro_field *tg__avro_field(const tg_avro *record, const char *name)
{
    for (uint32_t i = 0; i < record->n; i++)
        if (strcmp(record->fields[i].name, name) == 0)
            return &record->fields[i];
    return NULL;
}

bool tg__avro_is_pairs(const tg_avro *a)
{
    const tg_avro *e = a->items;
    if (a->type != AVRO_ARRAY || e->type != AVRO_RECORD)
        return false;
    const char *internal = tg__avro_prop(e, "connect.internal.type");
    return strcmp(e->full, TG_AVRO_SPACE ".MapEntry") == 0 ||
           (internal && strcmp(internal, "MapEntry") == 0);
}

bool tg__avro_schemaless(const tg_avro *a)
{
    return a->type == AVRO_RECORD && strcmp(a->full, TG_AVRO_ANYTHING) == 0;
}
