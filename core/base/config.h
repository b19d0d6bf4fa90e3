/*
 * Configurations are jansson objects of strings everywhere in the control
 * plane: order is kept, values are echoed as they were given. This file reads
 * them: from Java properties and JSON files, and value by value with the
 * parsing rules of Kafka's ConfigDef (trimmed, strict; connect-config section
 * 1). Any thread; no global state.
 */
#ifndef TG_BASE_CONFIG_H
#define TG_BASE_CONFIG_H
#include "base/err.h"
#include <jansson.h>

/* Java .properties text (Properties.load, ISO-8859-1 and \uXXXX; UTF-8 result).
 * A later duplicate wins and keeps the first one's place. name is used in
 * errors ("config/x.properties:12: ..."). New reference or NULL. */
json_t *tg_properties_parse(const char *text, size_t len, const char *name,
                            tg_err *err);
json_t *tg_properties_load(const char *path, tg_err *err);

/* JSON text as configurations hold it: numbers come as strings with the text
 * they were written with (1.10 stays "1.10"; any size), everything else as
 * jansson reads it. Syntax errors name "name:line:column". New or NULL. */
json_t *tg_config_json_parse(const char *text, size_t len, const char *name,
                             tg_err *err);
/* Flat object of scalars -> new object of strings. A null value, an array or an
 * object is an error that names the key: TG_ERR_CONFIG. */
json_t *tg_config_strings(const json_t *object, tg_err *err);

/* A connector file as ConnectStandalone accepts it (connect-config section 4):
 * flat JSON object with "name", {"name","config","initial_state"} or
 * properties with name. Returns a new {"name","config","initial_state"?} with
 * all config values as strings, or NULL. */
json_t *tg_connector_file_load(const char *path, tg_err *err);

/* Text of a key, or dflt. Borrowed from the object. */
const char *tg_config_get(const json_t *config, const char *key,
                          const char *dflt);
/* Typed reads. dflt is used when the key is absent. Errors name key, value and
 * what is accepted; TG_ERR_CONFIG. */
int tg_config_int(const json_t *config, const char *key, int64_t dflt,
                  int64_t min, int64_t max, int64_t *out, tg_err *err);
int tg_config_bool(const json_t *config, const char *key, bool dflt, bool *out,
                   tg_err *err);
/* Comma list, split on \s*,\s*; "" is the empty list. New array of strings. */
json_t *tg_config_list(const json_t *config, const char *key);
/* Sub-object of the keys that start with prefix, without it. New reference. */
json_t *tg_config_prefixed(const json_t *config, const char *prefix);

/* Nearest of the candidates (array of strings) to word by edit distance, or
 * NULL when nothing is near: for "did you mean". Borrowed. */
const char *tg_nearest(const char *word, const json_t *candidates);

#endif
