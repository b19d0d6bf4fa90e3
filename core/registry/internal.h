/* What the files of this folder share with each other only. */
#ifndef TG_REGISTRY_INTERNAL_H
#define TG_REGISTRY_INTERNAL_H
#include "registry/curl.h"
#include "registry/registry.h"

/* --- settings.c ----------------------------------------------------------- */

typedef enum tg_strategy {
    TG_TOPIC_NAME,
    TG_RECORD_NAME,
    TG_TOPIC_RECORD_NAME
} tg_strategy;

/* One base URL, without the user and password that it was written with. */
typedef struct tg_reg_url {
    char *text;
    char *user; /* "user:password", NULL for none */
} tg_reg_url;

/* Certificates and keys as PEM text (PKCS12 for the key store). */
typedef struct tg_reg_tls {
    char *trust;
    char *chain; /* of the client, with its key when key is NULL */
    char *key;
    char *password;
    size_t chainlen;
    bool p12;
    bool any_host; /* do not compare the server's name */
} tg_reg_tls;

typedef struct tg_reg_settings {
    tg_reg_url *urls;
    uint32_t nurls;
    char *user;  /* "user:password" for all URLs, NULL for theirs */
    char *token; /* bearer */
    char *cluster, *pool;
    char *proxy;
    tg_reg_tls tls;
    int64_t connect_ms, read_ms;
    int64_t retries, wait_ms, max_wait_ms;
    int64_t max_schemas;
    int64_t use_id;        /* -1: none */
    int64_t latest_ttl_ms; /* -1: for ever */
    int64_t missing_ms;
    bool auto_register, latest, normalize, strict, randomize;
    tg_strategy strategy;
    const char *strategy_key; /* for messages */
} tg_reg_settings;

int tg__reg_settings_read(tg_reg_settings *s, const json_t *config,
                          const char *role, tg_err *err);
void tg__reg_settings_fini(tg_reg_settings *s);
/* The two of it that read files (tls.c). get: a setting by its name behind
 * "ssl.", NULL for none. */
int tg__reg_tls_read(tg_reg_tls *tls, const json_t *config, tg_err *err);
void tg__reg_tls_fini(tg_reg_tls *tls);
/* A setting by its name, or by its name behind "schema.registry."; NULL when it
 * is in neither form or empty. */
const char *tg__reg_get(const json_t *config, const char *key);

/* --- http.c --------------------------------------------------------------- */

typedef struct tg_http tg_http;

/* settings live as long as the client. */
tg_http *tg__http_new(const tg_reg_settings *settings, tg_err *err);
void tg__http_free(tg_http *http);
/*
 * One request to the first of the URLs that answers, again after a while when
 * none does. body NULL: GET, else POST. 200: the answer as a new reference.
 * NULL: err says what happened, with *status (0: no answer) and *code, the
 * registry's error_code, for the caller to choose a better sentence.
 */
json_t *tg__http_ask(tg_http *http, const char *path, const json_t *body,
                     int *status, int *code, tg_err *err);
/* Appends text as one segment of a path. */
void tg__http_escape(tg_buf *out, const char *text);

/* --- refs.c --------------------------------------------------------------- */

/* Schemas that others refer to, by subject and version. */
typedef struct tg_reg_refs {
    tg_http *http;
    tg_arena *arena;
    struct tg_reg_version *known;
} tg_reg_refs;

/* Reads the array "references" of an answer, and what these need in turn. */
int tg__reg_refs_read(tg_reg_refs *refs, const json_t *list,
                      const tg_registry_ref **out, uint32_t *n, tg_err *err);
/* The same as JSON, for requests. New reference, NULL when there are none. */
json_t *tg__reg_refs_json(const tg_registry_ref *refs, uint32_t n);

#endif
