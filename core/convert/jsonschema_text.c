/*
 * Connect schema -> JSON Schema text, as Confluent's converter writes it:
 * optional is oneOf null and the schema, the order of fields is connect.index,
 * what JSON Schema cannot say is connect.type, .version and .parameters. Script
 * thread.
 */
#include "convert/decimal.h"
#include "convert/json.h"
#include "convert/jsonschema.h"

typedef struct writer {
    tg_buf out;
    const tg_js_settings *set;
} writer;

static void write_schema(writer *w, const tg_schema *s, int index,
                         bool required);

static void member(writer *w, const char *key, const char *text)
{
    tg_buf_printf(&w->out, ",\"%s\":", key);
    tg_json_string(&w->out, text, strlen(text));
}

static const char *enum_prefix(const writer *w, const tg_schema *s)
{
    if (s->tag != TG_STR ||
        (!tg_js_param(s, TG_JS_SUM_ENUM) && !tg_js_param(s, TG_JS_ENUM)))
        return NULL;
    return w->set->generalized ? TG_JS_SUM_ENUM : TG_JS_ENUM;
}

static void write_enum(writer *w, const tg_schema *s, const char *prefix)
{
    size_t n = strlen(prefix);
    bool first = true;
    tg_buf_str(&w->out, "\"enum\":[");
    for (uint32_t i = 0; i < s->nparams; i++) {
        const char *key = s->params[i].key;
        if (strncmp(key, prefix, n) != 0 || key[n] != '.')
            continue;
        tg_buf_str(&w->out, first ? "" : ",");
        first = false;
        if (strcmp(key + n + 1, TG_JS_NULL) == 0)
            tg_buf_str(&w->out, "null");
        else
            tg_json_string(&w->out, key + n + 1, strlen(key + n + 1));
    }
    tg_buf_str(&w->out, "]");
}

static void write_scalar(writer *w, const tg_schema *s)
{
    static const char *const types[] = {
        [TG_INT8] = "int8",       [TG_INT16] = "int16",
        [TG_INT32] = "int32",     [TG_INT64] = "int64",
        [TG_FLOAT32] = "float32", [TG_FLOAT64] = "float64"};
    const char *prefix = enum_prefix(w, s);
    bool decimal = s->name && strcmp(s->name, TG_DECIMAL_NAME) == 0;
    if (prefix)
        write_enum(w, s, prefix);
    else if (s->tag == TG_BOOL)
        tg_buf_str(&w->out, "\"type\":\"boolean\"");
    else if (s->tag == TG_STR)
        tg_buf_str(&w->out, "\"type\":\"string\"");
    else if (s->tag == TG_BYTES)
        tg_buf_printf(&w->out, "\"type\":\"%s\",\"connect.type\":\"bytes\"",
                      decimal && w->set->numeric ? "number" : "string");
    else
        tg_buf_printf(&w->out, "\"type\":\"%s\",\"connect.type\":\"%s\"",
                      s->tag <= TG_INT64 ? "integer" : "number", types[s->tag]);
}

static void write_fields(writer *w, const tg_schema *s)
{
    tg_buf_str(&w->out, "\"type\":\"object\",\"properties\":{");
    for (uint32_t i = 0; i < s->nfields; i++) {
        const tg_name *name = s->fields[i].name;
        tg_buf_str(&w->out, i ? "," : "");
        tg_json_string(&w->out, name->text, name->len);
        tg_buf_str(&w->out, ":");
        write_schema(w, s->fields[i].schema, (int)i, false);
    }
    tg_buf_str(&w->out, "}");
    if (!w->set->additional)
        tg_buf_str(&w->out, ",\"additionalProperties\":false");
}

static void write_map(writer *w, const tg_schema *s)
{
    if (tg_js_is_object(s)) {
        tg_buf_str(&w->out, "\"type\":\"object\",\"connect.type\":\"map\","
                            "\"additionalProperties\":");
        write_schema(w, s->value, -1, false);
        return;
    }
    tg_buf_str(&w->out, "\"type\":\"array\",\"connect.type\":\"map\",\"items\":"
                        "{\"type\":\"object\",\"properties\":{\"key\":");
    write_schema(w, s->key, 0, false);
    tg_buf_str(&w->out, ",\"value\":");
    write_schema(w, s->value, 1, false);
    tg_buf_str(&w->out, "}}");
}

/* Inside the braces: the type and what belongs to it. */
static void write_type(writer *w, const tg_schema *s)
{
    if (s->tag == TG_STRUCT) {
        write_fields(w, s);
    } else if (s->tag == TG_MAP) {
        write_map(w, s);
    } else if (s->tag == TG_ARRAY) {
        tg_buf_str(&w->out, "\"type\":\"array\",\"items\":");
        write_schema(w, s->value ? s->value : tg_schema_of(TG_STR, 1, NULL), -1,
                     false);
    } else {
        write_scalar(w, s);
    }
}

static bool own_param(const char *key)
{
    return strncmp(key, TG_JS_SPACE, strlen(TG_JS_SPACE)) == 0;
}

static void write_common(writer *w, const tg_schema *s)
{
    bool first = true;
    if (s->name && !tg_js_is_any(s))
        member(w, "title", s->name);
    if (s->doc)
        member(w, "description", s->doc);
    if (s->has_version)
        tg_buf_printf(&w->out, ",\"connect.version\":%d", (int)s->version);
    for (uint32_t i = 0; i < s->nparams; i++) {
        if (own_param(s->params[i].key))
            continue;
        tg_buf_str(&w->out, first ? ",\"connect.parameters\":{" : ",");
        first = false;
        tg_json_string(&w->out, s->params[i].key, strlen(s->params[i].key));
        tg_buf_str(&w->out, ":");
        tg_json_string(&w->out, s->params[i].value, strlen(s->params[i].value));
    }
    tg_buf_str(&w->out, first ? "" : "}");
    if (s->has_default && tg__js_ordinary(s))
        tg_buf_printf(&w->out, ",\"default\":%s", s->default_json);
}

static void write_index(writer *w, int index)
{
    if (index >= 0)
        tg_buf_printf(&w->out, ",\"connect.index\":%d", index);
}

static void write_union(writer *w, const tg_schema *s, int index)
{
    bool first = !s->optional;
    tg_buf_printf(&w->out, "{\"oneOf\":[%s",
                  s->optional ? "{\"type\":\"null\"}" : "");
    for (uint32_t i = 0; i < s->nfields; i++) {
        tg_buf_str(&w->out, first ? "" : ",");
        first = false;
        write_schema(w, s->fields[i].schema, (int)i, true);
    }
    tg_buf_str(&w->out, "]");
    write_index(w, index);
    tg_buf_str(&w->out, "}");
}

/* index: place in the struct around it, -1 outside of structs. required: says
 * nothing of null. */
static void write_schema(writer *w, const tg_schema *s, int index,
                         bool required)
{
    if (tg_js_is_any(s)) {
        tg_buf_str(&w->out, "{");
        if (index >= 0)
            tg_buf_printf(&w->out, "\"connect.index\":%d", index);
        tg_buf_str(&w->out, "}");
        return;
    }
    if (tg_js_is_union(s)) {
        write_union(w, s, index);
        return;
    }
    bool null = s->optional && !required;
    tg_buf_str(&w->out, null ? "{\"oneOf\":[{\"type\":\"null\"},{" : "{");
    write_type(w, s);
    write_common(w, s);
    tg_buf_str(&w->out, null ? "}]" : "");
    write_index(w, index);
    tg_buf_str(&w->out, "}");
}

char *tg_js_text(const tg_schema *schema, const tg_js_settings *set)
{
    writer w = {.set = set};
    write_schema(&w, schema, -1, false);
    tg_buf_cstr(&w.out);
    return tg_buf_steal(&w.out);
}
