/* The rarer half of protobuf_wire.h: long varints and unknown fields. Any
 * thread. */
#include "convert/protobuf_wire.h"
#include "convert/proto_file.h"

uint32_t tg_pb_wire(int type)
{
    switch (type) {
    case TG_PROTO_DOUBLE:
    case TG_PROTO_FIXED64:
    case TG_PROTO_SFIXED64:
        return TG_PB_FIXED64;
    case TG_PROTO_FLOAT:
    case TG_PROTO_FIXED32:
    case TG_PROTO_SFIXED32:
        return TG_PB_FIXED32;
    case TG_PROTO_STRING:
    case TG_PROTO_BYTES:
    case TG_PROTO_MESSAGE:
        return TG_PB_BYTES;
    case TG_PROTO_GROUP:
        return TG_PB_START;
    default:
        return TG_PB_VARINT;
    }
}

bool tg_pb_varint_slow(tg_pb_in *in, uint64_t *v)
{
    uint64_t out = 0;
    const char *p = in->p;
    for (int shift = 0; shift < 70 && p < in->end; shift += 7) {
        unsigned char c = (unsigned char)*p++;
        if (shift < 64)
            out |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80) {
            in->p = p;
            *v = out;
            return true;
        }
    }
    return false;
}

static bool skip_group(tg_pb_in *in, uint32_t number, int depth)
{
    uint64_t key;
    if (depth >= TG_PB_DEPTH)
        return false;
    while (tg_pb_varint(in, &key)) {
        if (key >> 32 || key >> 3 == 0)
            return false;
        if ((key & 7) == TG_PB_STOP)
            return key >> 3 == number;
        if (!tg_pb_skip(in, (uint32_t)key, depth + 1))
            return false;
    }
    return false;
}

bool tg_pb_skip(tg_pb_in *in, uint32_t key, int depth)
{
    uint64_t v;
    uint32_t w;
    tg_pb_in sub;
    switch (key & 7) {
    case TG_PB_VARINT:
        return tg_pb_varint(in, &v);
    case TG_PB_FIXED64:
        return tg_pb_fixed64(in, &v);
    case TG_PB_FIXED32:
        return tg_pb_fixed32(in, &w);
    case TG_PB_BYTES:
        return tg_pb_bytes(in, &sub);
    case TG_PB_START:
        return skip_group(in, key >> 3, depth);
    default:
        return false;
    }
}
