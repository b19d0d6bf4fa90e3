/* SHA-256 (FIPS 180-4), for telling texts apart. Any thread. */
#ifndef TG_BASE_SHA256_H
#define TG_BASE_SHA256_H
#include <stddef.h>
#include <stdint.h>

typedef struct tg_sha256 {
    uint32_t state[8];
    uint64_t length; /* bytes so far */
    unsigned char block[64];
} tg_sha256;

enum { TG_SHA256_HEX = 65 }; /* 64 digits and NUL */

void tg_sha256_init(tg_sha256 *sha);
void tg_sha256_add(tg_sha256 *sha, const void *data, size_t len);
/* Ends it: 64 lower-case digits. */
void tg_sha256_hex(tg_sha256 *sha, char out[TG_SHA256_HEX]);

#endif
