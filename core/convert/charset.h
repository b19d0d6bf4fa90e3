/*
 * The character sets of StringConverter's converter.encoding: UTF-8 is what
 * strings are in memory, the others are converted. Any thread.
 */
#ifndef TG_CONVERT_CHARSET_H
#define TG_CONVERT_CHARSET_H
#include "base/mem.h"
#include <stdbool.h>

typedef enum tg_charset {
    TG_UTF8,
    TG_LATIN1,
    TG_ASCII,
    TG_UTF16, /* read by its byte order mark, written big-endian with one */
    TG_UTF16BE,
    TG_UTF16LE
} tg_charset;

/* Java's names and aliases in any case; false if unknown. */
bool tg_charset_parse(const char *name, tg_charset *out);
/* "UTF-8", "ISO-8859-1", ... */
const char *tg_charset_name(tg_charset charset);
/* Appends text as UTF-8; malformed input becomes U+FFFD, as in Java. */
void tg_charset_decode(tg_buf *out, tg_charset charset, const char *p,
                       size_t len);
/* Appends UTF-8 text in the character set; what it cannot express becomes '?'
 * (UTF-16: U+FFFD), as in Java. */
void tg_charset_encode(tg_buf *out, tg_charset charset, const char *p,
                       size_t len);

#endif
