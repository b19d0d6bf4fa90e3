/*
 * Options of the small Kafka tools (consume, produce): "--name value" and
 * "--name=value", the client's properties, and a flag for Ctrl-C. The names of
 * Kafka's own console tools are taken as well.
 *
 * Main thread.
 */
#ifndef TG_CLI_OPTIONS_H
#define TG_CLI_OPTIONS_H
#include "base/err.h"
#include <jansson.h>
#include <signal.h>
#include <stdbool.h>

enum { TG_OPT_FLAG, TG_OPT_TEXT };

typedef struct tg__option {
    const char *name; /* with its dashes */
    char id;          /* what it means; 0: accepted, no effect */
    int kind;
} tg__option;

typedef struct tg__args {
    int argc, at;
    char **argv;
    const tg__option *options; /* ends with a NULL name */
    const char *value;         /* of the last TEXT option */
} tg__args;

/* The next option: its id; 1 for an argument that is no option (in value); 0 at
 * the end; TG_ERR_CONFIG when it is unknown or its value is missing. */
int tg__args_next(tg__args *args, tg_err *err);

/* Puts "key=value" into an object. */
int tg__args_pair(json_t *object, const char *text, const char *option,
                  tg_err *err);
/* A number within [min, max]. */
int tg__args_number(const char *text, const char *option, int64_t min,
                    int64_t max, int64_t *out, tg_err *err);
/* \t \n \r \0 \\ in separators; in place. */
void tg__args_unescape(char *text);

/* Client properties: file (may be NULL), then overrides, then bootstrap (may be
 * NULL; localhost:9092 when nothing else says). New reference or NULL. */
json_t *tg__client_config(const char *file, const json_t *overrides,
                          const char *bootstrap, tg_err *err);

/* Set by SIGINT, SIGTERM and SIGHUP after tg__catch_signals(), which also
 * ignores SIGPIPE. */
extern volatile sig_atomic_t tg__interrupted;
void tg__catch_signals(void);

/* Writes all of it; false when the reader is gone or the disk is full. */
bool tg__write_all(int fd, const char *p, size_t n);

#endif
