/*
 * Sizes and offsets of the FFI contract as gcc sees them, for abi_spec.lua,
 * which compares them with what LuaJIT makes of the same header. The name
 * starts with tg_ffi_ so that the dynamic list of the executable exports it.
 */
#include "ffi/tidegate.h"
#include <stddef.h>

typedef struct abi_entry {
    const char *type;
    const char *member; /* NULL: offset is the size of the type */
    uint32_t offset;
} abi_entry;

#define SIZE(t)                                                                \
    {                                                                          \
#t, NULL, sizeof(t)                                                    \
    }
#define AT(t, m)                                                               \
    {                                                                          \
#t, #m, offsetof(t, m)                                                 \
    }

extern const abi_entry tg_ffi_abi_table[];
__attribute__((visibility("default"))) const abi_entry tg_ffi_abi_table[] = {
    SIZE(tg_value),
    AT(tg_value, tag),
    AT(tg_value, flags),
    AT(tg_value, aux),
    AT(tg_value, len),
    AT(tg_value, u),
    SIZE(tg_name),
    AT(tg_name, id),
    AT(tg_name, len),
    AT(tg_name, hash),
    AT(tg_name, jsonlen),
    AT(tg_name, text),
    AT(tg_name, json),
    SIZE(tg_shape),
    AT(tg_shape, id),
    AT(tg_shape, n),
    AT(tg_shape, names),
    AT(tg_shape, schema),
    AT(tg_shape, priv),
    SIZE(tg_node),
    AT(tg_node, shape),
    AT(tg_node, slots),
    AT(tg_node, parent),
    AT(tg_node, cell),
    AT(tg_node, src),
    AT(tg_node, srclen),
    AT(tg_node, n),
    AT(tg_node, cap),
    AT(tg_node, born),
    AT(tg_node, epoch),
    AT(tg_node, kind),
    AT(tg_node, dirty),
    AT(tg_node, reserved),
    SIZE(tg_cell),
    AT(tg_cell, value),
    AT(tg_cell, raw),
    AT(tg_cell, out),
    AT(tg_cell, conv),
    AT(tg_cell, schema),
    AT(tg_cell, record),
    AT(tg_cell, rawlen),
    AT(tg_cell, outlen),
    AT(tg_cell, state),
    AT(tg_cell, dirty),
    AT(tg_cell, reserved),
    AT(tg_cell, epoch),
    SIZE(tg_header),
    AT(tg_header, name),
    AT(tg_header, namelen),
    AT(tg_header, reserved),
    AT(tg_header, cell),
    SIZE(tg_record),
    AT(tg_record, key),
    AT(tg_record, value),
    AT(tg_record, headers),
    AT(tg_record, nheaders),
    AT(tg_record, capheaders),
    AT(tg_record, topic),
    AT(tg_record, topiclen),
    AT(tg_record, partition),
    AT(tg_record, timestamp),
    AT(tg_record, origin_topic),
    AT(tg_record, origin_partition),
    AT(tg_record, origin_topiclen),
    AT(tg_record, origin_offset),
    AT(tg_record, source_offset),
    AT(tg_record, source_offsetlen),
    AT(tg_record, timestamp_type),
    AT(tg_record, verdict),
    AT(tg_record, stage),
    AT(tg_record, reasonlen),
    AT(tg_record, epoch),
    AT(tg_record, reason),
    AT(tg_record, batch),
    AT(tg_record, split),
    AT(tg_record, unread),
    SIZE(tg_batch),
    AT(tg_batch, items),
    AT(tg_batch, n),
    AT(tg_batch, cap),
    AT(tg_batch, serial),
    AT(tg_batch, epoch),
    AT(tg_batch, cursor),
    AT(tg_batch, lo),
    AT(tg_batch, hi),
    AT(tg_batch, max),
    AT(tg_batch, arena),
    AT(tg_batch, undo),
    AT(tg_batch, bytes),
    AT(tg_batch, owner),
    {NULL, NULL, 0},
};
