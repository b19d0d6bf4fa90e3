/*
 * libmicrohttpd, loaded when the first server starts. Task processes are the
 * same binary and never serve HTTP: linked, the library and the TLS stack
 * behind it would cost each of them 0.4 MB of its own and 2 ms of its start.
 */
#ifndef TG_REST_MHD_H
#define TG_REST_MHD_H
#include "base/err.h"

#include <microhttpd.h>

#define TG_MHD_FUNCTIONS(f)                                                    \
    f(start_daemon) f(stop_daemon) f(lookup_connection_value)                  \
        f(create_response_from_buffer) f(add_response_header)                  \
            f(queue_response) f(destroy_response)

typedef struct tg_mhd {
#define TG_MHD_MEMBER(name) __typeof__(MHD_##name) *name;
    TG_MHD_FUNCTIONS(TG_MHD_MEMBER)
#undef TG_MHD_MEMBER
} tg_mhd;

/* The functions. Set by tg__mhd_load, never changed again. */
extern tg_mhd tg__mhd;

/* Loads the library unless it is there. Before any thread serves requests. */
int tg__mhd_load(tg_err *err);

#endif
