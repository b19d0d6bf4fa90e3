/*
 * Inside of the client map: its state and the parts that live in files of
 * their own (client.c drives, client_table.c holds the names, client_secure.c
 * knows TLS and SASL). Any thread; no global state.
 */
#ifndef TG_KAFKA_MAP_H
#define TG_KAFKA_MAP_H
#include "kafka/rk.h"

enum { ON_P = 1, ON_C = 2, ON_A = 4, ON_ALL = 7 };

typedef struct tg__map {
    const json_t *config;
    int kind;         /* TG_CLIENT_* */
    int on;           /* its ON_ bit */
    json_t *out;      /* librdkafka name -> value */
    json_t *warnings; /* may be NULL */
    rd_kafka_conf_t *scratch;
} tg__map;

/* Handles one key with its trimmed value. 0 or TG_ERR_CONFIG. */
typedef int (*tg__map_fn)(tg__map *map, const char *key, const char *value,
                          tg_err *err);

typedef struct tg__map_entry {
    const char *java; /* name; a trailing '*' stands for any rest */
    int on;           /* kinds it has an effect on; others ignore it */
    const char *rk;   /* librdkafka's name; NULL: no effect unless fn */
    tg__map_fn fn;    /* NULL: copied under rk */
} tg__map_entry;

const tg__map_entry *tg__map_find(const char *key);
/* All names of the table without patterns, for "did you mean". */
void tg__map_names(json_t *names);

/* The TLS and SASL settings, which depend on each other: looked at together
 * after all other keys. */
int tg__map_security(tg__map *map, tg_err *err);
/* Value of a key of the configuration as text, trimmed into buf; NULL when it
 * is absent. */
const char *tg__map_value(tg__map *map, const char *key, char *buf,
                          size_t size);

/* Sets a librdkafka setting, tried on the scratch configuration first; key is
 * the name for the error. */
int tg__map_set(tg__map *map, const char *rk, const char *value,
                const char *key, tg_err *err);
void tg__map_default(tg__map *map, const char *rk, const char *value);
void tg__map_warn(tg__map *map, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
