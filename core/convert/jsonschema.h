/*
 * JSON Schema (drafts 4 to 2020-12) onto Connect schemas and JSON onto values,
 * as Confluent's JsonSchemaConverter maps them.
 *
 * What Connect has no schema for, the empty schema ("anything") and a schema
 * inside itself, is a string with the JSON text as received (TG_JS_ANY).
 * Script thread.
 */
#ifndef TG_CONVERT_JSONSCHEMA_H
#define TG_CONVERT_JSONSCHEMA_H
#include "convert/converter.h"
#include "registry/registry.h"

#define TG_JS_SPACE  "io.confluent.connect.json"
#define TG_JS_ENUM   TG_JS_SPACE ".Enum"
#define TG_JS_ONE_OF TG_JS_SPACE ".OneOf"
#define TG_JS_NULL   "<NULL>"
#define TG_JS_ANY    "tidegate.Json"
/* With generalized.sum.type.support. */
#define TG_JS_SUM_UNION "org.apache.kafka.connect.data.Union"
#define TG_JS_SUM_ENUM  "org.apache.kafka.connect.data.Enum"
#define TG_JS_SUM_NAME  "connect_union_"

/* The settings of JsonSchemaConverter that change schemas and values. */
typedef struct tg_js_settings {
    bool generalized;    /* generalized.sum.type.support */
    bool ignore_default; /* ignore.default.for.nullables */
    bool flatten;        /* flatten.singleton.unions */
    bool optional;       /* use.optional.for.nonrequired */
    bool additional;     /* object.additional.properties */
    bool numeric;        /* decimal.format is NUMERIC */
} tg_js_settings;

/* The Connect schema of a JSON Schema. version: for a schema that names none, 0
 * for none. NULL with TG_ERR_DATA. */
const tg_schema *tg_js_read(const char *text, const tg_registry_ref *refs,
                            uint32_t nrefs, const tg_js_settings *set,
                            int version, tg_err *err);
/* JSON Schema text of a Connect schema; new. */
char *tg_js_text(const tg_schema *schema, const tg_js_settings *set);
/* Reads exactly one value of the schema from p[0..len) into cell->value and
 * cell->schema. */
int tg_js_decode(const tg_schema *schema, const char *p, size_t len,
                 tg_batch *batch, tg_cell *cell, tg_site *site, tg_err *err);
/* Appends JSON. A required null without a default is left out (nothing is
 * appended for a whole value). */
int tg_js_encode(tg_buf *out, const tg_value *v, const tg_schema *schema,
                 const tg_js_settings *set, tg_batch *batch, tg_err *err);

/* False for a schema whose values JsonConverter has in another form. */
bool tg__js_ordinary(const tg_schema *schema);
bool tg_js_is_union(const tg_schema *schema);
static inline bool tg_js_is_any(const tg_schema *schema)
{
    return schema->tag == TG_STR && schema->name &&
           strcmp(schema->name, TG_JS_ANY) == 0;
}
/* Maps with required text keys are objects, others arrays of entries. */
static inline bool tg_js_is_object(const tg_schema *map)
{
    return map->key->tag == TG_STR && !map->key->optional;
}
const char *tg_js_param(const tg_schema *schema, const char *key);

#endif
