/* Listening sockets from the worker's properties. Any thread; no state. */
#ifndef TG_REST_LISTENER_H
#define TG_REST_LISTENER_H
#include "base/err.h"

typedef struct tg_listener {
    char host[256]; /* as configured; "" is every interface */
    int port;       /* the real one, once bound */
} tg_listener;

/* "http://host:port". where goes into errors ("config/x.properties:12"). */
int tg__listener_parse(const char *text, const char *where, tg_listener *out,
                       tg_err *err);
/* A bound, listening, close-on-exec socket; sets out->port. -1 with err. */
int tg__listener_open(tg_listener *listener, const char *where, tg_err *err);

#endif
