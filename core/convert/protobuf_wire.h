/*
 * Protobuf's wire format: a cursor over bytes, and what is appended to a
 * buffer. Inline, since this is where the time of a record goes. Nothing at or
 * behind end is read. Any thread.
 */
#ifndef TG_CONVERT_PROTOBUF_WIRE_H
#define TG_CONVERT_PROTOBUF_WIRE_H
#include "base/mem.h"
#include <stdbool.h>

enum {
    TG_PB_VARINT = 0,
    TG_PB_FIXED64 = 1,
    TG_PB_BYTES = 2,
    TG_PB_START = 3, /* of a group */
    TG_PB_STOP = 4,
    TG_PB_FIXED32 = 5,
    TG_PB_DEPTH = 100 /* nested messages, as Protobuf's own parsers allow */
};

typedef struct tg_pb_in {
    const char *p, *end;
} tg_pb_in;

/* Wire type of a single value of a TG_PROTO_* type. */
uint32_t tg_pb_wire(int type);

bool tg_pb_varint_slow(tg_pb_in *in, uint64_t *v);
/* Passes over the value that follows a key. depth: groups above it. */
bool tg_pb_skip(tg_pb_in *in, uint32_t key, int depth);

static inline bool tg_pb_varint(tg_pb_in *in, uint64_t *v)
{
    if (in->p < in->end && (unsigned char)*in->p < 0x80) {
        *v = (unsigned char)*in->p++;
        return true;
    }
    return tg_pb_varint_slow(in, v);
}

/* A length and so many bytes. */
static inline bool tg_pb_bytes(tg_pb_in *in, tg_pb_in *out)
{
    uint64_t n;
    if (!tg_pb_varint(in, &n) || n > (uint64_t)(in->end - in->p))
        return false;
    out->p = in->p;
    out->end = in->p += n;
    return true;
}

static inline bool tg_pb_fixed32(tg_pb_in *in, uint32_t *v)
{
    if (in->end - in->p < 4)
        return false;
    memcpy(v, in->p, 4);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    *v = __builtin_bswap32(*v);
#endif
    in->p += 4;
    return true;
}

static inline bool tg_pb_fixed64(tg_pb_in *in, uint64_t *v)
{
    if (in->end - in->p < 8)
        return false;
    memcpy(v, in->p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    *v = __builtin_bswap64(*v);
#endif
    in->p += 8;
    return true;
}

static inline int64_t tg_pb_unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static inline uint64_t tg_pb_zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static inline size_t tg_pb_size(uint64_t v)
{
    return (size_t)(9 * (64 - __builtin_clzll(v | 1)) + 64) / 64;
}

/* Writes and returns the end; there is room for 10 bytes. */
static inline char *tg_pb_store(char *p, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        *p++ = (char)(v | 0x80);
    *p++ = (char)v;
    return p;
}

static inline char *tg_pb_room(tg_buf *b, size_t n)
{
    return b->cap - b->len >= n ? b->p + b->len : tg_buf_room(b, n);
}

static inline void tg_pb_add(tg_buf *b, uint64_t v)
{
    char *p = tg_pb_room(b, 10);
    b->len += (size_t)(tg_pb_store(p, v) - p);
}

#endif
