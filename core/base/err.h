/*
 * Errors: an int status (TG_ERR_* of core/ffi/tidegate.h) and a caller-owned
 * tg_err that carries the sentence for the operator. No allocation is needed
 * to report a failure, and the text reaches the REST status unchanged.
 *
 * Any thread; a tg_err belongs to one.
 */
#ifndef TG_BASE_ERR_H
#define TG_BASE_ERR_H
#include "ffi/tidegate.h"
#include <stdbool.h>
#include <stdarg.h>

typedef struct tg_err {
    int code;       /* TG_OK or TG_ERR_* */
    bool retriable; /* the same call may succeed later */
    bool fatal;     /* the object it came from is dead */
    char
        text[1024]; /* one sentence: what, where, found, accepted, what to do */
    char trace[3072]; /* further lines (Lua traceback, "Caused by: ..."); "" */
} tg_err;

/* Fills err (NULL is allowed) and returns code, so that failing functions can
 * `return tg_err_set(err, TG_ERR_IO, "cannot open %s: %s", ...)`. Texts that
 * are too long are cut at a character border. */
int tg_err_set(tg_err *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int tg_err_vset(tg_err *err, int code, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));

/* Puts "prefix: " before the text of err; keeps code and flags. */
void tg_err_prefix(tg_err *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends to the first line of err's text, which is cut for it if need be. */
void tg_err_suffix(tg_err *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends a line to err->trace. */
void tg_err_trace(tg_err *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* "CONFIG", "DATA", ... */
const char *tg_err_name(int code);

void tg_err_clear(tg_err *err);

/* err of functions declared in tidegate.h: per thread, behind tg_ffi_error. */
tg_err *tg_err_ffi(void);

#endif
