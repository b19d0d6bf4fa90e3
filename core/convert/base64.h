/* Base64 with the standard alphabet and padding (RFC 4648). Any thread. */
#ifndef TG_CONVERT_BASE64_H
#define TG_CONVERT_BASE64_H
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Characters for n bytes. */
static inline size_t tg_base64_size(size_t n)
{
    return (n + 2) / 3 * 4;
}

/* Writes tg_base64_size(n) characters, not terminated. */
void tg_base64_encode(char *out, const void *p, size_t n);

/* Writes at most len / 4 * 3 bytes and returns their number, or -1 and the
 * place of the first wrong character. Padding is required. */
ssize_t tg_base64_decode(uint8_t *out, const char *p, size_t len, size_t *bad);

#endif
