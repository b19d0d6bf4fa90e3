/*
 * Connect schemas: type, optional, default, name, version, doc, parameters,
 * fields. Immutable, interned by content (equal schemas are one pointer),
 * immortal, process-wide; script thread only.
 */
#ifndef TG_DATA_SCHEMA_H
#define TG_DATA_SCHEMA_H
#include "base/err.h"
#include "ffi/tidegate.h"

typedef struct tg_schema_param {
    const char *key, *value;
} tg_schema_param;

typedef struct tg_schema_field {
    const tg_name *name;
    const tg_schema *schema;
} tg_schema_field;

/* tag: TG_BOOL ... TG_FLOAT64, TG_STR, TG_BYTES, TG_ARRAY, TG_MAP (any key
 * type: key and value schema are set), TG_STRUCT. */
struct tg_schema {
    uint32_t id; /* > 0 */
    uint8_t tag;
    bool optional;
    bool has_default;
    bool has_version;
    int32_t version;
    const char *name; /* NULL: none; logical types are known by it */
    const char *doc;
    const char *default_json; /* as JsonConverter writes it; NULL unless
                                 has_default */
    uint32_t nparams, nfields;
    const tg_schema_param *params;
    const tg_schema_field *fields;
    const tg_schema *key, *value;  /* map; value: also array items, NULL while
                                      an array made by a script is empty */
    void *priv;                    /* for the codecs */
    struct tg_schema_cache *cache; /* derived schemas and the shape */
};

/* Interns a copy of proto (id, priv and cache are ignored; texts are copied;
 * nested schemas must be interned ones). Never NULL. */
const tg_schema *tg_schema_intern(const tg_schema *proto);
/* The same schema with another optional flag. */
const tg_schema *tg_schema_optional(const tg_schema *s, bool optional);
/* A struct schema with one field more, less or renamed; name, version, doc and
 * parameters stay; optional and default of the struct itself are lost, as in
 * Kafka Connect's transforms. */
const tg_schema *tg_schema_with(const tg_schema *s, const tg_name *name,
                                const tg_schema *field);
const tg_schema *tg_schema_without(const tg_schema *s, uint32_t at);
const tg_schema *tg_schema_renamed(const tg_schema *s, uint32_t at,
                                   const tg_name *name);
/* The same with the schema of one field replaced (a nested struct changed). */
const tg_schema *tg_schema_refield(const tg_schema *s, uint32_t at,
                                   const tg_schema *field);
/* The same struct schema with the fields fields[0..n). */
const tg_schema *tg_schema_fields(const tg_schema *s,
                                  const tg_schema_field *fields, uint32_t n);
/* The same array or map with another schema of its elements or values. */
const tg_schema *tg_schema_items(const tg_schema *s, const tg_schema *value);
/* What tg_plan_apply makes of a struct schema; NULL with tg_ffi_error() when
 * two fields would get one name. */
const tg_schema *tg_plan_schema(const tg_plan *plan, const tg_schema *s);
/* "int32", "struct": the names of JsonConverter; "INT32" for messages. */
const char *tg_schema_type_name(int tag);
const char *tg_schema_type_upper(int tag);

#endif
