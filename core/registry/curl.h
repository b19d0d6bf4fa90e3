/*
 * libcurl, loaded when the first registry is opened: few tasks have one, and
 * linked, the library with the TLS, SSH and LDAP ones behind it would cost each
 * task several MB and milliseconds of its start.
 */
#ifndef TG_REGISTRY_CURL_H
#define TG_REGISTRY_CURL_H
#include "base/err.h"

#include <curl/curl.h>

/* curl.h has macros of these names for type checks; calls through the table do
 * not need them. */
#undef curl_easy_setopt
#undef curl_easy_getinfo

#define TG_CURL_FUNCTIONS(f)                                                   \
    f(global_init) f(easy_init) f(easy_setopt) f(easy_perform) f(easy_getinfo) \
        f(easy_cleanup) f(easy_reset) f(easy_strerror) f(slist_append)         \
            f(slist_free_all)

typedef struct tg_curl {
#define TG_CURL_MEMBER(name) __typeof__(curl_##name) *name;
    TG_CURL_FUNCTIONS(TG_CURL_MEMBER)
#undef TG_CURL_MEMBER
} tg_curl;

/* The functions. Set by tg__curl_load, never changed again. */
extern tg_curl tg__curl;

/* Loads the library unless it is there. Script thread. */
int tg__curl_load(tg_err *err);

#endif
