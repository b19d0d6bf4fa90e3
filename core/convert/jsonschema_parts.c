/*
 * Schemas in JSON Schema as parts: what an object says by type, enum, const and
 * the combining keywords; types guessed from keywords; and what a $ref leads
 * to: a pointer, an anchor, an $id, a reference of the registry. Script thread.
 */
#include "convert/jsonschema_parts.h"
#include <stdio.h>
#include <stdlib.h>

enum { PARTS_MAX = 12 };

const tg_schema *tg__js_refuse(tg_js_reader *r, const char *fmt, ...)
{
    char what[300];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    tg_err_set(r->err, TG_ERR_DATA, "JSON Schema: %s", what);
    return NULL;
}

const char *tg__js_text_of(const json_t *s, const char *key)
{
    return json_string_value(json_object_get(s, key));
}

/* --- parts ---------------------------------------------------------------- */

static tg_js_kind kind_of_type(const char *type)
{
    static const struct {
        const char *name;
        tg_js_kind kind;
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
static uint32_t guessed(const json_t *s, tg_js_kind *out)
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
static uint32_t parts_of(const json_t *s, tg_js_kind *out)
{
    static const struct {
        const char *key;
        tg_js_kind kind;
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

tg_js_part tg__js_part_of(json_t *s, const tg_js_document *doc)
{
    tg_js_kind kinds[PARTS_MAX];
    tg_js_part p = {.json = s, .doc = doc};
    if (json_is_boolean(s)) {
        p.kind = json_is_true(s) ? P_EMPTY : P_FALSE;
        return p;
    }
    uint32_t n = json_is_object(s) ? parts_of(s, kinds) : 0;
    p.kind = n == 1 ? kinds[0] : n ? P_MANY : P_FALSE;
    return p;
}

/* The schemas that a combined part is made of. */
uint32_t tg__js_count(const tg_js_part *p)
{
    tg_js_kind kinds[PARTS_MAX];
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

tg_js_part tg__js_below(const tg_js_part *p, uint32_t i)
{
    tg_js_kind kinds[PARTS_MAX];
    const char *key = p->kind == P_ONE_OF   ? "oneOf"
                      : p->kind == P_ANY_OF ? "anyOf"
                                            : "allOf";
    if (p->kind == P_MANY) {
        parts_of(p->json, kinds);
        return (tg_js_part){kinds[i], p->json, p->doc};
    }
    if (p->kind == P_TYPES) {
        const json_t *types = json_object_get(p->json, "type");
        const char *type = json_string_value(json_array_get(types, i));
        return (tg_js_part){kind_of_type(type), p->json, p->doc};
    }
    return tg__js_part_of(json_array_get(json_object_get(p->json, key), i),
                          p->doc);
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
        const char *id = tg__js_text_of(s, keys[i]);
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
    if (depth > TG_JS_DEPTH)
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

static json_t *parse(tg_js_reader *r, const char *text)
{
    json_error_t bad;
    json_t *root = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, &bad);
    if (!root)
        root = json_loads(
            text, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL,
            &bad);
    if (!root)
        tg__js_refuse(r, "the text is no JSON: line %d: %s", bad.line,
                      bad.text);
    return root;
}

const tg_js_document *tg__js_document(tg_js_reader *r, const char *name,
                                      const char *text,
                                      const tg_registry_ref *refs,
                                      uint32_t nrefs)
{
    if (r->ndocs == TG_JS_DOCS) {
        tg__js_refuse(r, "more than %d references", TG_JS_DOCS);
        return NULL;
    }
    json_t *root = parse(r, text);
    if (!root)
        return NULL;
    tg_js_document *d = tg_calloc(sizeof *d);
    *d = (tg_js_document){name, root, refs, nrefs};
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

static const tg_js_document *other_document(tg_js_reader *r,
                                            const tg_js_document *doc,
                                            const char *ref, size_t len)
{
    for (uint32_t i = 0; i < r->ndocs; i++)
        if (i > 0 && same_file(ref, len, r->docs[i]->name))
            return r->docs[i];
    for (uint32_t d = 0; d < 2; d++) {
        const tg_js_document *from = d ? r->docs[0] : doc;
        for (uint32_t i = 0; i < from->nrefs; i++)
            if (same_file(ref, len, from->refs[i].name))
                return tg__js_document(r, from->refs[i].name,
                                       from->refs[i].text, from->refs[i].refs,
                                       from->refs[i].nrefs);
    }
    return NULL;
}

bool tg__js_resolve(tg_js_reader *r, const tg_js_part *p, tg_js_part *out)
{
    const char *ref = tg__js_text_of(p->json, "$ref");
    const char *hash = strchr(ref, '#');
    size_t len = hash ? (size_t)(hash - ref) : strlen(ref);
    const tg_js_document *doc = p->doc;
    json_t *at = doc->root;
    if (len > 0) {
        char *file = tg_strndup(ref, len);
        at = with_id(doc->root, file, 0);
        tg_free(file);
        const tg_js_document *other =
            at ? NULL : other_document(r, doc, ref, len);
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
            tg__js_refuse(
                r,
                "$ref \"%.150s\" is neither in the schema nor among its"
                " references",
                ref);
        return false;
    }
    *out = tg__js_part_of(at, doc);
    return true;
}
