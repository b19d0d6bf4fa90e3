--- The FFI contract as the SDK uses it: declares core/ffi/tidegate.h, refuses
-- another ABI, and holds the types, constants and scratch cells that the other
-- modules share. Scratch cells are valid until the next call that uses them.
local host = ...
local ffi = require "ffi"

ffi.cdef(host.cdef)
-- What scripts hold: references to types that are never defined, so that no C
-- member is visible and no pointer arithmetic exists.
ffi.cdef [[
struct tg_view; struct tg_record_view; struct tg_headers_view;
struct tg_batch_view; struct tg_null;
struct tg_slots { const tg_name *name; int16_t *slot; };
]]

local C = ffi.C
local WANTED = 1
if C.TG_ABI ~= WANTED then
    error(("the SDK in %s speaks ABI %d, this tidegate has ABI %d: install both from one version")
        :format(host.home, WANTED, C.TG_ABI), 0)
end

local M = {
    -- types
    node_p = ffi.typeof("tg_node *"),
    record_p = ffi.typeof("tg_record *"),
    cell_p = ffi.typeof("tg_cell *"),
    value_p = ffi.typeof("tg_value *"),
    batch_pp = ffi.typeof("tg_batch **"),
    view = ffi.typeof("struct tg_view &"),
    record_view = ffi.typeof("struct tg_record_view &"),
    headers_view = ffi.typeof("struct tg_headers_view &"),
    batch_view = ffi.typeof("struct tg_batch_view &"),
    slots = ffi.typeof("struct tg_slots"),
    int16s = ffi.typeof("int16_t[?]"),
    int64 = ffi.typeof("int64_t"),
    uint64 = ffi.typeof("uint64_t"),
    -- scratch
    ok = ffi.new("int32_t[1]"),
    len = ffi.new("uint32_t[1]"),
    value = ffi.new("tg_value[1]"),
    int64_cell = ffi.new("int64_t[1]"),
    pointer_cell = ffi.new("void *[1]"),
    -- limits of exact integers in a double
    max_exact = 9007199254740992LL,
    -- The current batch: C writes its address here before each call. Outside a
    -- batch it shows an empty one, so that nothing dangles.
    none = ffi.new("tg_batch[1]"),
    slot = ffi.new("tg_batch *[1]"),
    null = ffi.cast("struct tg_null *", nil),
    status = { config = C.TG_ERR_CONFIG, notfound = C.TG_ERR_NOTFOUND },
    verdict = { keep = C.TG_KEEP, drop = C.TG_DROP, retry = C.TG_RETRY, reject = C.TG_REJECT,
        done = C.TG_DONE },
}
M.slot[0] = M.none

local sizes = { tg_value = 16, tg_node = 64 }
for name, size in pairs(sizes) do
    if ffi.sizeof(name) ~= size then
        error(("%s takes %d bytes, %d were expected: tidegate.h and this LuaJIT disagree")
            :format(name, ffi.sizeof(name), size), 0)
    end
end

--- Raises an error at the line of the script, whatever lies between.
function M.raise(message)
    local at = host.position(1)
    error(at and at .. ": " .. message or message, 0)
end

--- Leaves the batch: called before hooks that have none.
function M.leave()
    M.slot[0] = M.none
end

return M
