/*
 * What the converters with a schema registry (Avro, Protobuf, JSON Schema)
 * share beside the registry's client: settings, topics and subjects. Script
 * thread.
 */
#ifndef TG_CONVERT_REGISTERED_H
#define TG_CONVERT_REGISTERED_H
#include "convert/converter.h"
#include "registry/registry.h"

typedef struct tg_flag {
    const char *key;
    bool dflt;
    bool *out;
} tg_flag;

/* Reads n settings that are true or false. */
int tg__registered_flags(const json_t *config, const tg_flag *flags, size_t n,
                         tg_err *err);
/* Refuses to be a header converter. */
int tg__registered_role(const tg_converter *conv, tg_err *err);
/* Opens the registry and gives the converter its identity; err is not NULL. */
int tg__registered_open(tg_converter *conv, const json_t *config,
                        tg_registry **out, tg_err *err);
/* The subject of the record's topic in out, terminated. name: of the schema. */
int tg__registered_subject(const tg_registry *reg, const tg_record *rec,
                           const char *name, tg_buf *out, tg_err *err);
/* The record's topic as a new string. */
char *tg__registered_topic(const tg_record *rec);

static inline bool tg__same_topic(const tg_record *rec, const char *topic,
                                  uint32_t len)
{
    return rec->topiclen == len &&
           (len == 0 || memcmp(rec->topic, topic, len) == 0);
}

#endif
