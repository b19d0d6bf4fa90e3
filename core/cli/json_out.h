/*
 * JSON that the tools print: bytes of records as JSON text, or base64 where
 * they are no UTF-8. Any thread.
 */
#ifndef TG_CLI_JSON_OUT_H
#define TG_CLI_JSON_OUT_H
#include "base/mem.h"
#include <stdbool.h>

/* True when p is UTF-8 as RFC 3629 defines it. */
bool tg__out_utf8(const char *p, size_t n);
/* Appends p, which must be UTF-8, as a JSON string with its quotes. */
void tg__out_text(tg_buf *out, const char *p, size_t n);
/* Appends p as a JSON string of base64. */
void tg__out_base64(tg_buf *out, const char *p, size_t n);

#endif
