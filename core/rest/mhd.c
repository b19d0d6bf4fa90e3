/*
 * Loads libmicrohttpd by the name that the build found it under. It stays
 * loaded until the process ends.
 *
 * The thread that starts the server.
 */
#include "rest/mhd.h"

#include <dlfcn.h>
#include <string.h>

tg_mhd tg__mhd;

int tg__mhd_load(tg_err *err)
{
    if (tg__mhd.start_daemon)
        return TG_OK;
    void *library = dlopen(TG_MHD_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return tg_err_set(err, TG_ERR_IO,
                          "the REST API needs the library %s, which cannot be "
                          "loaded: %s; install it (on Debian: apt-get install "
                          "libmicrohttpd12)",
                          TG_MHD_LIBRARY, dlerror());
    tg_mhd found;
    const char *missing = NULL;
    void *at;
    /* A function's address comes as an object pointer: POSIX says that works,
     * C has no cast for it. */
#define TG_MHD_FIND(name)                                                      \
    at = dlsym(library, "MHD_" #name);                                         \
    missing = at ? missing : "MHD_" #name;                                     \
    memcpy(&found.name, &at, sizeof at);
    TG_MHD_FUNCTIONS(TG_MHD_FIND)
#undef TG_MHD_FIND
    if (missing)
        return tg_err_set(err, TG_ERR_IO,
                          "the library %s has no function %s; install "
                          "libmicrohttpd 0.9.75 or later",
                          TG_MHD_LIBRARY, missing);
    tg__mhd = found;
    return TG_OK;
}
