/*
 * Errors. A tg_err is a fixed-size struct of the caller, so reporting needs no
 * memory; the only work is formatting without cutting a UTF-8 character.
 *
 * Any thread; the error behind tg_ffi_error is per thread.
 */
#include "base/err.h"
#include <stdio.h>
#include <string.h>

static _Thread_local tg_err ffi_err;

/* Length of text[0..len) without a character that was cut at the end. */
static size_t whole_chars(const char *text, size_t len)
{
    size_t back = 0;
    size_t i = len;
    unsigned char lead;
    size_t need;

    while (i > 0 && back < 3 && ((unsigned char)text[i - 1] & 0xc0) == 0x80) {
        i--;
        back++;
    }
    if (i == 0)
        return len;
    lead = (unsigned char)text[i - 1];
    need = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
    return need > back ? i - 1 : len;
}

/* Formats into dst and cuts at a character border. The arguments may point
 * into dst itself. Returns the length. */
static size_t __attribute__((format(printf, 3, 0)))
format(char *dst, size_t cap, const char *fmt, va_list ap)
{
    char tmp[sizeof((tg_err *)0)->trace];
    size_t len;
    int n;

    if (cap > sizeof tmp)
        cap = sizeof tmp;
    n = vsnprintf(tmp, cap, fmt, ap);
    if (n < 0) {
        snprintf(tmp, cap, "%s", fmt);
        n = (int)strlen(tmp);
    }
    len = (size_t)n < cap ? (size_t)n : whole_chars(tmp, cap - 1);
    memcpy(dst, tmp, len);
    dst[len] = '\0';
    return len;
}

int tg_err_vset(tg_err *err, int code, const char *fmt, va_list ap)
{
    if (!err)
        return code;
    err->code = code;
    err->retriable = false;
    err->fatal = false;
    format(err->text, sizeof err->text, fmt, ap);
    err->trace[0] = '\0';
    return code;
}

int tg_err_set(tg_err *err, int code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    tg_err_vset(err, code, fmt, ap);
    va_end(ap);
    return code;
}

void tg_err_prefix(tg_err *err, const char *fmt, ...)
{
    char tmp[sizeof err->text];
    va_list ap;
    size_t len;
    int n;

    if (!err)
        return;
    va_start(ap, fmt);
    len = format(tmp, sizeof tmp - 2, fmt, ap);
    va_end(ap);
    n = snprintf(tmp + len, sizeof tmp - len, ": %s", err->text);
    len += (size_t)n;
    if (len >= sizeof tmp)
        len = whole_chars(tmp, sizeof tmp - 1);
    memcpy(err->text, tmp, len);
    err->text[len] = '\0';
}

void tg_err_suffix(tg_err *err, const char *fmt, ...)
{
    char tmp[sizeof err->text], end[sizeof err->text / 2];
    va_list ap;
    size_t len, endlen, room;
    int n;

    if (!err)
        return;
    va_start(ap, fmt);
    endlen = format(end, sizeof end, fmt, ap);
    va_end(ap);
    len = strcspn(err->text, "\n");
    memcpy(tmp, err->text, len);
    tmp[len] = '\0';
    room = sizeof tmp - 1 - endlen;
    if (len > room)
        len = whole_chars(tmp, room);
    n = snprintf(tmp + len, sizeof tmp - len, "%s%s", end,
                 err->text + strcspn(err->text, "\n"));
    len += (size_t)n;
    if (len >= sizeof tmp)
        len = whole_chars(tmp, sizeof tmp - 1);
    memcpy(err->text, tmp, len);
    err->text[len] = '\0';
}

void tg_err_trace(tg_err *err, const char *fmt, ...)
{
    va_list ap;
    size_t len;

    if (!err)
        return;
    len = strlen(err->trace);
    if (len > 0) {
        if (len + 2 >= sizeof err->trace)
            return;
        err->trace[len++] = '\n';
    }
    va_start(ap, fmt);
    format(err->trace + len, sizeof err->trace - len, fmt, ap);
    va_end(ap);
}

const char *tg_err_name(int code)
{
    switch (code) {
    case TG_OK:
        return "OK";
    case TG_ERR_ARG:
        return "ARG";
    case TG_ERR_CONFIG:
        return "CONFIG";
    case TG_ERR_DATA:
        return "DATA";
    case TG_ERR_IO:
        return "IO";
    case TG_ERR_KAFKA:
        return "KAFKA";
    case TG_ERR_SCRIPT:
        return "SCRIPT";
    case TG_ERR_TIMEOUT:
        return "TIMEOUT";
    case TG_ERR_LIMIT:
        return "LIMIT";
    case TG_ERR_STATE:
        return "STATE";
    case TG_ERR_NOTFOUND:
        return "NOTFOUND";
    case TG_ERR_STOPPED:
        return "STOPPED";
    default:
        return "UNKNOWN";
    }
}

void tg_err_clear(tg_err *err)
{
    if (!err)
        return;
    err->code = TG_OK;
    err->retriable = false;
    err->fatal = false;
    err->text[0] = '\0';
    err->trace[0] = '\0';
}

tg_err *tg_err_ffi(void)
{
    return &ffi_err;
}

const char *tg_ffi_error(void)
{
    return ffi_err.text;
}
