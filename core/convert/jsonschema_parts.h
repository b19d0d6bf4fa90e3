/* What jsonschema_read.c and jsonschema_parts.c share. Script thread. */
#ifndef TG_CONVERT_JSONSCHEMA_PARTS_H
#define TG_CONVERT_JSONSCHEMA_PARTS_H
#include "convert/jsonschema.h"

enum { TG_JS_DEPTH = 64, TG_JS_DOCS = 1000 };

typedef enum tg_js_kind {
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
} tg_js_kind;

typedef struct tg_js_document {
    const char *name;
    json_t *root;
    const tg_registry_ref *refs;
    uint32_t nrefs;
} tg_js_document;

/* A schema, or a part of one. */
typedef struct tg_js_part {
    tg_js_kind kind;
    json_t *json;
    const tg_js_document *doc;
} tg_js_part;

typedef struct tg_js_reader {
    tg_js_document *docs[TG_JS_DOCS];
    uint32_t ndocs;
    const tg_js_settings *set;
    const json_t *chain[TG_JS_DEPTH];
    uint32_t depth;
    uint32_t made, unions;
    tg_err *err;
} tg_js_reader;

/* TG_ERR_DATA with a sentence; always NULL. */
const tg_schema *tg__js_refuse(tg_js_reader *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* A schema (object or boolean) as a part. */
tg_js_part tg__js_part_of(json_t *s, const tg_js_document *doc);
/* The schemas that a combined part is made of. */
uint32_t tg__js_count(const tg_js_part *p);
tg_js_part tg__js_below(const tg_js_part *p, uint32_t i);
/* What a $ref leads to; false with a sentence. */
bool tg__js_resolve(tg_js_reader *r, const tg_js_part *p, tg_js_part *out);
/* Parses a text and keeps it with the reader. NULL with a sentence. */
const tg_js_document *tg__js_document(tg_js_reader *r, const char *name,
                                      const char *text,
                                      const tg_registry_ref *refs,
                                      uint32_t nrefs);
/* A text member, or NULL. */
const char *tg__js_text_of(const json_t *s, const char *key);

#endif
