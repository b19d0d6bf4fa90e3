/*
 * Converters: bytes on the wire <-> cells. Made once per task and role (key,
 * value, header); stateless per record apart from caches. Script thread.
 *
 * Identity: cell->conv remembers which converter can read cell->raw. When a
 * clean cell meets an output converter with the same identity its bytes are
 * sent as received. Two converters are identical when class and settings are.
 */
#ifndef TG_CONVERT_CONVERTER_H
#define TG_CONVERT_CONVERTER_H
#include "data/batch.h"
#include "data/schema.h"
#include "data/shape.h"
#include <jansson.h>

typedef struct tg_converter_ops {
    const char *class_name; /* org.apache.kafka.connect.json.JsonConverter */
    const char *short_name; /* Json */
    /* RAW -> DECODED. TG_ERR_DATA with a sentence; strict. */
    int (*decode)(const tg_converter *conv, tg_cell *cell, tg_batch *batch,
                  tg_err *err);
    /* Sets cell->out/outlen from a DECODED cell. TG_ERR_DATA when the value
     * cannot be written by this converter. */
    int (*encode)(const tg_converter *conv, tg_cell *cell, tg_batch *batch,
                  tg_err *err);
    int (*configure)(tg_converter *conv, const json_t *config, tg_err *err);
    void (*fini)(tg_converter *conv);
} tg_converter_ops;

struct tg_converter {
    const tg_converter_ops *ops;
    uint32_t identity; /* equal for equal class and settings; 0: what it reads
                          is not in the form that it writes */
    bool strict;       /* decode on receipt even if no script looks */
    const char *role;  /* "key", "value" or "header"; set before configure */
    /* Of null bytes: what Kafka Connect's toConnectData(null) gives. */
    const tg_schema *null_schema;
    void *impl;
};

/* Gives core/data the functions of this folder that it calls. tg_converter_new
 * and tg_converter_named do it too; calling it again does no harm. */
void tg_convert_init(void);

/* class_name: full Java name, simple name or short name. config: the settings
 * without their prefix ("schemas.enable"); may be NULL. role: "key", "value" or
 * "header". NULL with the nearest names when unknown. */
tg_converter *tg_converter_new(const char *class_name, const json_t *config,
                               const char *role, tg_err *err);
void tg_converter_free(tg_converter *conv);
/* Process-wide converters for scripts and services: "json" (schemaless),
 * "string", "bytes". NULL if unknown. Never freed. */
const tg_converter *tg_converter_named(const char *name);
/* All class names, for validation and "did you mean". New array. */
json_t *tg_converter_classes(void);

/* Asked about once a second while a converter waits for a schema registry: true
 * gives up, and the conversion fails with TG_ERR_STOPPED. NULL: nobody. */
void tg_convert_on_wait(bool (*stopping)(void));

/* Decodes if RAW. */
int tg_cell_decode(tg_cell *cell, tg_err *err);
/* Makes cell->out for conv: received bytes if clean and identical, else
 * decode (if needed) and encode. */
int tg_cell_encode(tg_cell *cell, const tg_converter *conv, tg_err *err);

#endif
