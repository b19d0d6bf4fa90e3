/*
 * Loads libcurl by the name that the build found it under. It stays loaded
 * until the process ends.
 *
 * Script thread.
 */
#include "registry/curl.h"

#include <dlfcn.h>
#include <string.h>

tg_curl tg__curl;

int tg__curl_load(tg_err *err)
{
    if (tg__curl.easy_init)
        return TG_OK;
    void *library = dlopen(TG_CURL_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return tg_err_set(err, TG_ERR_IO,
                          "converters with a schema registry need the library"
                          " %s, which cannot be loaded: %s; install it (on"
                          " Debian: apt-get install libcurl4)",
                          TG_CURL_LIBRARY, dlerror());
    tg_curl found;
    const char *missing = NULL;
    void *at;
    /* A function's address comes as an object pointer: POSIX says that works,
     * C has no cast for it. */
#define TG_CURL_FIND(name)                                                     \
    at = dlsym(library, "curl_" #name);                                        \
    missing = at ? missing : "curl_" #name;                                    \
    memcpy(&found.name, &at, sizeof at);
    TG_CURL_FUNCTIONS(TG_CURL_FIND)
#undef TG_CURL_FIND
    if (missing)
        return tg_err_set(err, TG_ERR_IO,
                          "the library %s has no function %s; install libcurl"
                          " 7.77 or later",
                          TG_CURL_LIBRARY, missing);
    if (found.global_init(CURL_GLOBAL_DEFAULT))
        return tg_err_set(err, TG_ERR_IO, "the library %s cannot be set up",
                          TG_CURL_LIBRARY);
    tg__curl = found;
    return TG_OK;
}
