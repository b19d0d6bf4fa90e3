/*
 * Paths to fields, as KIP-821 writes them (`field.syntax.version`). In V1 a
 * text is the name of one field, dots included. In V2 dots separate steps; a
 * step in backticks may contain dots, and "\`" stands for a backtick where it
 * would end such a step.
 *
 * A path is compiled once for a transform and remembers the layouts it met
 * last, so that it belongs to one transform. Script thread.
 */
#ifndef TG_TRANSFORM_FIELD_PATH_H
#define TG_TRANSFORM_FIELD_PATH_H
#include "base/err.h"
#include "data/batch.h"
#include "data/schema.h"

typedef struct tg_path_step {
    const tg_name *name;
    const tg_shape *shape; /* of the last lookup, with its result */
    int32_t slot;
} tg_path_step;

struct tg_field_path {
    char *text; /* as configured */
    uint32_t n; /* steps, at least 1 */
    tg_path_step steps[];
};

/* Where a path ends in one value. */
typedef struct tg_field_at {
    tg_node *node; /* map or struct that the last step names a field of; NULL
                      when what a step before it names is null or missing */
    int32_t slot;  /* of the field in node, -1: there is no such field */
} tg_field_at;

/* v2: whether text is in KIP-821's syntax. NULL with TG_ERR_CONFIG when it is
 * empty, has an unclosed backtick or is not UTF-8. Free with
 * tg_field_path_free. */
tg_field_path *tg_field_path_parse(const char *text, uint32_t len, bool v2,
                                   tg_err *err);
/* The same from a JSON path that names one field: $.a.b, $['a']["b"]. */
tg_field_path *tg_field_path_json(const char *text, uint32_t len, tg_err *err);
void tg_field_path_free(tg_field_path *path);

/* The field's place below root, a map or struct; nothing is written. defaults:
 * a null struct on the way is read as its schema's default (then at->node hangs
 * on no record, for reading only). TG_ERR_DATA with Kafka Connect's sentence in
 * tg_ffi_error() when a step leads through something else than a map or
 * struct. */
int tg_field_path_find(tg_field_path *path, tg_node *root, bool defaults,
                       tg_field_at *at);

/* Schema of the field in a struct schema; *out is NULL when there is none of
 * that name. TG_ERR_DATA when a step leads through something else than a
 * struct. */
int tg_field_path_schema(const tg_field_path *path, const tg_schema *s,
                         const tg_schema **out);
/* A struct schema in which the field, which exists, has another schema. The
 * structs on the way keep everything but their default; s itself loses optional
 * and default unless keep is set. Interned at each call: keep the result. */
const tg_schema *tg_field_path_retype(const tg_field_path *path,
                                      const tg_schema *s,
                                      const tg_schema *field, bool keep);
/* A struct schema with one field more at the end of the struct that the path
 * leads to. NULL with Kafka Connect's sentence in tg_ffi_error() when the field
 * exists, or a struct on the way does not. */
const tg_schema *tg_field_path_insert(const tg_field_path *path,
                                      const tg_schema *s,
                                      const tg_schema *field);
/* The same without the field; s without it is s itself. */
const tg_schema *tg_field_path_remove(const tg_field_path *path,
                                      const tg_schema *s);

#endif
