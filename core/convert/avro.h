/*
 * Avro 1.11 (specification: schemas as JSON, the binary encoding) onto values
 * and Connect schemas, as Confluent's AvroConverter maps them.
 *
 *   text of a schema --parse--> tg_avro --connect--> tg_schema
 *                                  |                     |
 *                                  +------- plan --------+--> decode
 *   tg_schema --write--> text of a schema, parsed again: plan --> encode
 *
 * Everything that is made of one schema text lives in its tg_avro_doc, which
 * hangs on the schema of the registry client. Script thread.
 */
#ifndef TG_CONVERT_AVRO_H
#define TG_CONVERT_AVRO_H
#include "convert/script_schema.h"
#include "registry/registry.h"

#define TG_AVRO_SPACE    "io.confluent.connect.avro"
#define TG_AVRO_DEFAULT  TG_AVRO_SPACE ".ConnectDefault"
#define TG_AVRO_UNION    TG_AVRO_SPACE ".Union"
#define TG_AVRO_ENUM     TG_AVRO_SPACE ".Enum"
#define TG_AVRO_ANYTHING TG_AVRO_SPACE ".Anything"
/* With generalized.sum.type.support. */
#define TG_SUM_UNION "org.apache.kafka.connect.data.Union"
#define TG_SUM_ENUM  "org.apache.kafka.connect.data.Enum"
#define TG_SUM_FIELD "connect_union_field_"
#define TG_SUM_NAME  "connect_union_"
/* Parameters of Connect schemas and properties of Avro's. */
#define TG_AVRO_RECORD_DOC    TG_AVRO_SPACE ".record.doc"
#define TG_AVRO_FIELD_DOC     TG_AVRO_SPACE ".field.doc."
#define TG_AVRO_ENUM_DOC      TG_AVRO_SPACE ".enum.doc."
#define TG_AVRO_ENUM_DEFAULT  TG_AVRO_SPACE ".enum.default."
#define TG_AVRO_FIELD_DEFAULT TG_AVRO_SPACE ".field.default"
#define TG_AVRO_FIXED_SIZE    "connect.fixed.size"
#define TG_AVRO_PRECISION     "connect.decimal.precision"
enum { TG_AVRO_PRECISION_DEFAULT = 64 };

/* The settings of AvroConverter that change schemas. */
typedef struct tg_avro_settings {
    bool enhanced;       /* enhanced.avro.schema.support */
    bool generalized;    /* generalized.sum.type.support */
    bool meta;           /* connect.meta.data */
    bool scrub;          /* scrub.invalid.names */
    bool discard;        /* discard.type.doc.default */
    bool flatten;        /* flatten.singleton.unions */
    bool optional_keys;  /* allow.optional.map.keys */
    bool ignore_default; /* ignore.default.for.nullables */
} tg_avro_settings;

/* --- schemas (avro_schema.c) ---------------------------------------------- */

typedef enum tg_avro_type {
    AVRO_NULL,
    AVRO_BOOLEAN,
    AVRO_INT,
    AVRO_LONG,
    AVRO_FLOAT,
    AVRO_DOUBLE,
    AVRO_BYTES,
    AVRO_STRING,
    AVRO_RECORD,
    AVRO_ENUM,
    AVRO_FIXED,
    AVRO_ARRAY,
    AVRO_MAP,
    AVRO_UNION
} tg_avro_type;

typedef struct tg_avro tg_avro;

typedef struct tg_avro_field {
    const char *name;
    tg_avro *type;
    const json_t *json; /* its object: doc, default, connect.parameters */
} tg_avro_field;

/* One type. Named ones are shared by their references, so this is a graph. */
struct tg_avro {
    tg_avro_type type;
    const char *full;      /* name with its namespace; NULL for unnamed types */
    const char *name;      /* what follows the last dot */
    const json_t *json;    /* its object, NULL for "int" and the like */
    tg_avro_field *fields; /* n, of a record */
    tg_avro **branches;    /* n, of a union */
    const char **symbols;  /* n, of an enum */
    uint32_t n;
    uint32_t size;              /* fixed */
    tg_avro *items;             /* array: elements, map: values */
    const tg_schema *made[2];   /* as Connect schema, [1]: optional */
    struct tg_avro_plan *plans; /* made for it */
    struct tg_avro_out *outs;
};

/* A schema text with what was made of it. */
typedef struct tg_avro_doc {
    tg_arena arena;
    tg_avro *root;
    json_t **texts; /* parsed JSON that the types point into */
    size_t ntexts;
    struct tg_avro_named *names;
    struct tg_avro_reader *readers; /* avro_converter.c */
    struct tg_avro_writer *writers;
} tg_avro_doc;

/* Parses a schema and those it refers to. NULL with TG_ERR_DATA. */
tg_avro_doc *tg__avro_parse(const tg_registry_schema *schema, tg_err *err);
void tg__avro_free(void *doc);
/* "int", "record", ... */
const char *tg__avro_type_name(tg_avro_type type);
/* Text property of a type, NULL when it is missing or no text. */
const char *tg__avro_prop(const tg_avro *a, const char *key);
/* A number as Java's intValue() takes it: integers by their low 32 bits, others
 * up to the nearest. 0 for what is no number. */
int32_t tg__avro_int(const json_t *number);
/* True for a type whose logicalType is that one (any case). */
bool tg__avro_logical(const tg_avro *a, const char *name);

/* How Connect sees a union: a type that may be null, a type by itself, or a
 * struct with a field for each branch. */
typedef enum tg_avro_kind {
    TG_UNION_STRUCT,
    TG_UNION_NULLABLE, /* *at: the branch that is not null */
    TG_UNION_SINGLE
} tg_avro_kind;
tg_avro_kind tg__avro_union(const tg_avro *a, const tg_avro_settings *set,
                            uint32_t *at);
/* Branch of null, or a->n. */
uint32_t tg__avro_null_branch(const tg_avro *a);
/* Field of the union's struct for a branch; in the arena. */
const char *tg__avro_member(tg_arena *arena, const tg_avro *branch, uint32_t at,
                            const tg_avro_settings *set);
/* An array of records with key and value: a map. */
bool tg__avro_is_pairs(const tg_avro *a);
/* Field of a record, or NULL. */
const tg_avro_field *tg__avro_field(const tg_avro *record, const char *name);

/* --- Avro to Connect (avro_connect.c) ------------------------------------- */

/* The Connect schema of a type. version: of the schema in its subject, 0 if
 * unknown. NULL with TG_ERR_DATA. */
const tg_schema *tg__avro_connect(tg_avro_doc *doc, tg_avro *a,
                                  const tg_avro_settings *set, int version,
                                  tg_err *err);
/* True for the type that values without a schema are written as. */
bool tg__avro_schemaless(const tg_avro *a);

/* --- Connect to Avro (avro_write.c) --------------------------------------- */

/* Text of the Avro schema of a Connect schema, NULL: of values without one. New
 * string, or NULL with TG_ERR_DATA. */
char *tg__avro_text(const tg_schema *schema, const tg_avro_settings *set,
                    tg_err *err);
/* A union as a struct. */
bool tg__avro_is_union(const tg_schema *schema);
/* Name of the Avro enum that a string is (io.confluent.connect.avro.Enum or its
 * general form), NULL if it is none; *prefix: of its parameters. */
const char *tg__avro_enum(const tg_schema *schema, const char **prefix);
const char *tg__schema_param(const tg_schema *schema, const char *key);
/* Name as Avro allows it, appended; as it is without scrub.invalid.names. */
void tg__avro_scrub(tg_buf *out, const char *name, const tg_avro_settings *set);

/* --- default values (avro_default.c) -------------------------------------- */

/* Default in an Avro schema as JsonConverter writes it, appended. False when it
 * is none of the schema's. */
bool tg__avro_default_in(tg_buf *out, const json_t *v, const tg_avro *a,
                         const tg_schema *schema, const tg_avro_settings *set);
/* The other way round; false when Avro has no form for it. */
bool tg__avro_default_out(tg_buf *out, const json_t *v, const tg_schema *schema,
                          const tg_avro_settings *set);

/* --- binary (avro_decode.c, avro_encode.c) -------------------------------- */

typedef struct tg_avro_plan tg_avro_plan;
typedef struct tg_avro_out tg_avro_out;

/* How to read a type as its Connect schema (NULL: values without one). */
const tg_avro_plan *tg__avro_plan(tg_avro_doc *doc, tg_avro *a,
                                  const tg_schema *schema,
                                  const tg_avro_settings *set, tg_err *err);
/* Reads p[0..len) completely. */
int tg__avro_decode(const tg_avro_plan *plan, const char *p, size_t len,
                    tg_batch *batch, tg_cell *cell, tg_site *site,
                    tg_value *out, tg_err *err);

/* How to write values of a Connect schema as a type. strict: refuse when the
 * type has no place for a field. NULL with TG_ERR_DATA. */
const tg_avro_out *tg__avro_out(tg_avro_doc *doc, tg_avro *a,
                                const tg_schema *schema,
                                const tg_avro_settings *set, bool strict,
                                tg_err *err);
int tg__avro_encode(const tg_avro_out *plan, tg_buf *out, tg_batch *batch,
                    const tg_value *v, tg_err *err);

/* --- the wire's numbers --------------------------------------------------- */

static inline char *tg__avro_put_long(char *at, int64_t v)
{
    uint64_t u = (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
    while (u >= 0x80) {
        *at++ = (char)(u | 0x80);
        u >>= 7;
    }
    *at++ = (char)u;
    return at;
}

#endif
