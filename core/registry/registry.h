/*
 * Client of a schema registry (Confluent's REST API, /subjects, /schemas/ids):
 * fetches, registers and remembers schemas. One object serves all converters of
 * a process that have equal settings. Blocking, script thread; answers are kept
 * for ever (ids are immutable), failures for a short while so that a batch of
 * bad ids does not ask the server once a record.
 */
#ifndef TG_REGISTRY_REGISTRY_H
#define TG_REGISTRY_REGISTRY_H
#include "base/err.h"
#include "base/mem.h"
#include <jansson.h>

typedef struct tg_registry tg_registry;

typedef enum tg_schema_type {
    TG_SCHEMA_AVRO,
    TG_SCHEMA_PROTOBUF,
    TG_SCHEMA_JSON
} tg_schema_type;

/* A schema of another subject that a schema needs. */
typedef struct tg_registry_ref {
    const char *name; /* what the text calls it: file, type or $ref */
    const char *subject;
    int version;
    const char *text;
    const struct tg_registry_ref *refs; /* what it needs itself */
    uint32_t nrefs;
} tg_registry_ref;

/* A schema with everything that it refers to; owned by the registry. */
typedef struct tg_registry_schema {
    int32_t id;
    tg_schema_type type;
    const char *text;
    const tg_registry_ref *refs;
    uint32_t nrefs;
    void *compiled;                /* the codec's, made on first use... */
    void (*compiled_free)(void *); /* ...and freed with the registry */
    int64_t until_ms; /* newest version only: CLOCK_MONOTONIC ms after which
                         tg_registry_for_write is to be asked again; 0: never */
} tg_registry_schema;

/*
 * config: settings of a converter without their prefix (schema.registry.url,
 * basic.auth.*, schema.registry.ssl.*, auto.register.schemas,
 * use.latest.version, normalize.schemas, *.subject.name.strategy, ...; all are
 * listed in docs/converters.md). role: "key" or "value". Nothing is asked yet.
 * NULL with the key that is wrong (TG_ERR_CONFIG), or when libcurl is missing
 * (TG_ERR_IO). Converters with equal settings get the same object; each open
 * needs a close.
 */
tg_registry *tg_registry_open(const json_t *config, const char *role,
                              tg_err *err);
void tg_registry_close(tg_registry *reg);

/* NULL: TG_ERR_NOTFOUND (no such id), TG_ERR_DATA (another type than the one
 * wanted), TG_ERR_IO with retriable set (server away), TG_ERR_IO (credentials
 * refused, no registry at that address), TG_ERR_STOPPED. */
tg_registry_schema *tg_registry_by_id(tg_registry *reg, int32_t id,
                                      tg_schema_type want, tg_err *err);
/* Subject of a topic by the configured strategy (TopicName, RecordName,
 * TopicRecordName). record_name: full name of the schema, or NULL. Appends to
 * out. */
int tg_registry_subject(const tg_registry *reg, const char *topic,
                        uint32_t topiclen, const char *record_name, tg_buf *out,
                        tg_err *err);
/*
 * The id to write under: registers the text (auto.register.schemas), looks it
 * up, takes the newest version (use.latest.version) or a fixed id
 * (use.schema.id). Remembered by subject and text. With the last two the
 * schema that comes back has another text than the one given: it is the one to
 * write with (tg_registry_given says which case it is). Errors as
 * tg_registry_by_id, and TG_ERR_DATA when the registry refuses the schema, with
 * its reasons.
 */
tg_registry_schema *tg_registry_for_write(tg_registry *reg, const char *subject,
                                          tg_schema_type type, const char *text,
                                          const tg_registry_ref *refs,
                                          uint32_t nrefs, tg_err *err);
/*
 * Number of a schema among the versions of a subject: what Connect schemas get
 * as their version. 0 when the subject has no such schema or there is no answer
 * (it is asked again later), TG_ERR_STOPPED, TG_ERR_IO with retriable set.
 */
int tg_registry_version(tg_registry *reg, const char *subject,
                        const tg_registry_schema *schema, tg_err *err);
/* True if tg_registry_for_write gives the text that it was asked with; false if
 * the codec has to write by what the registry holds. */
bool tg_registry_given(const tg_registry *reg);
/* Whether values must fit that schema completely (latest.compatibility.strict,
 * id.compatibility.strict). */
bool tg_registry_strict(const tg_registry *reg);
/* True while a schema from tg_registry_for_write need not be asked for again.
 */
bool tg_registry_fresh(const tg_registry_schema *schema);

/* Changes when settings differ: part of a converter's identity. The role is no
 * part of it: an id means the same in keys and values. */
uint32_t tg_registry_identity(const tg_registry *reg);

/* The wire format: 0, then the id big-endian. Reads it: the number of bytes
 * (5), or TG_ERR_DATA with a sentence. */
int tg_registry_read_id(const char *p, size_t len, int32_t *id, tg_err *err);
/* Writes it to 5 bytes. */
void tg_registry_write_id(char *to, int32_t id);

/* Asked about once a second while a request runs or waits for its next try:
 * true gives up (TG_ERR_STOPPED). Same thread. NULL: nobody is asked. */
extern bool (*tg_registry_stopping_hook)(void);

/* "AVRO", "PROTOBUF", "JSON". */
const char *tg_schema_type_text(tg_schema_type type);

#endif
