/* Base64, three bytes at a time. Any thread. */
#include "convert/base64.h"
#include <string.h>

static const char ALPHABET[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void tg_base64_encode(char *out, const void *p, size_t n)
{
    const uint8_t *s = p;
    for (; n >= 3; n -= 3, s += 3, out += 4) {
        uint32_t v = (uint32_t)s[0] << 16 | (uint32_t)s[1] << 8 | s[2];
        out[0] = ALPHABET[v >> 18];
        out[1] = ALPHABET[v >> 12 & 63];
        out[2] = ALPHABET[v >> 6 & 63];
        out[3] = ALPHABET[v & 63];
    }
    if (n == 0)
        return;
    uint32_t v = (uint32_t)s[0] << 16 | (n == 2 ? (uint32_t)s[1] << 8 : 0);
    out[0] = ALPHABET[v >> 18];
    out[1] = ALPHABET[v >> 12 & 63];
    out[2] = n == 2 ? ALPHABET[v >> 6 & 63] : '=';
    out[3] = '=';
}

static int digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

ssize_t tg_base64_decode(uint8_t *out, const char *p, size_t len, size_t *bad)
{
    size_t padding = 0, n = 0;
    *bad = len;
    if (len % 4 != 0)
        return -1;
    while (padding < 2 && padding < len && p[len - 1 - padding] == '=')
        padding++;
    uint32_t v = 0;
    for (size_t i = 0; i < len; i++) {
        int d = i < len - padding ? digit(p[i]) : 0;
        if (d < 0) {
            *bad = i;
            return -1;
        }
        v = v << 6 | (uint32_t)d;
        if (i % 4 != 3)
            continue;
        out[n++] = (uint8_t)(v >> 16);
        out[n++] = (uint8_t)(v >> 8);
        out[n++] = (uint8_t)v;
        v = 0;
    }
    return (ssize_t)(n - padding);
}
