/*
 * The REST server: Kafka Connect's API on one or more listeners.
 *
 * Threads: each connection has a thread of libmicrohttpd's. It parses the
 * request, asks the worker's owner thread with a tg_call and waits for the
 * answer; it never touches the worker's state. A slow call holds up nobody but
 * its own connection.
 */
#ifndef TG_REST_REST_H
#define TG_REST_REST_H
#include "worker/worker.h"

typedef struct tg_rest tg_rest;

/* Binds every listener of the worker property `listeners` (list of
 * http://host:port; empty host: all interfaces; port 0: any free one; default
 * http://127.0.0.1:8083) and answers from now on. NULL with a sentence that
 * names the listener. config_name is for errors. */
tg_rest *tg_rest_start(tg_worker *worker, const json_t *config,
                       const char *config_name, tg_err *err);
/* Waits for requests that are being answered. The worker must not wait for
 * calls any more (after tg_worker_run). */
void tg_rest_stop(tg_rest *rest);

/* "127.0.0.1:8083": host and port that the worker is known by (worker_id). */
const char *tg_rest_id(const tg_rest *rest);
/* "http://127.0.0.1:8083", one a listener, "" past the last. */
const char *tg_rest_url(const tg_rest *rest, int i);

#endif
