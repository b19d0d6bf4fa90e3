/*
 * Failures of the functions in ffi/tidegate.h: a status and the sentence behind
 * tg_ffi_error(). Script thread.
 */
#include "data/internal.h"

int tg__fail(int code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    tg_err_vset(tg_err_ffi(), code, fmt, ap);
    va_end(ap);
    return code;
}

int tg__fail_full(const tg_batch *batch)
{
    return tg__fail(TG_ERR_LIMIT,
                    "the batch needs more than its limit of %zu bytes of "
                    "memory; use smaller batches or records",
                    batch->arena->limit);
}

int tg__fail_deep(void)
{
    return tg__fail(TG_ERR_DATA,
                    "the value would be nested deeper than %d levels; flatten "
                    "it or write it as text",
                    TG_MAX_DEPTH);
}
