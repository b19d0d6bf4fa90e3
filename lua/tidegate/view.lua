--[[
Views: how scripts see records. This comment is the definition of what scripts
see; two implementations follow it and every SDK test runs over both:
  - this file, over FFI (host.jit true): opaque references with metatypes;
  - core/script, classic C metamethods (host.jit false): host.classic.

VALUES, as read from a field, an element, r.value, r.key or a header
  absent field, element past the end  nil
  null                                tide.null
  boolean                             boolean
  INT8..INT64                         number within +-2^53, else int64 cdata
  FLOAT32, FLOAT64                    number
  number text (NUM)                   number; an integer outside +-2^53 that
                                      fits int64 reads as int64 cdata
  string, escaped string, bytes       Lua string
  Decimal (by the schema)             tide.decimal
  array, map, struct, pairs           a view of it
tide.null is one cdata NULL pointer (both faces): `x == nil` is true for null
and for absent, `x == tide.null` only tells null from values by `x ~= nil`, and
null is TRUE in a condition. Anything done with it is an error: indexing
"field 'x' of null", length, concatenation, arithmetic, calling.

VALUES, as written to a field, an element, r.value, r.key or a header
  nil           deletes the field (no-op when absent); array: removes the last
                element, any other place is an error. r.value, r.key: null.
  tide.null     null
  boolean       boolean
  number        tg_put_number; NaN and infinities are kept, and JSON gets them
                as strings, as JsonConverter writes them
  int64 cdata   tg_put_int64; uint64 cdata up to 2^63-1 too; other cdata: error
  string        tg_put_text (which keeps bytes when the slot holds bytes)
  tide.bytes(s) tg_put_bytes: table {s} with metatable host markers.bytes
  tide.raw(c,s) cells only (r.value, r.key, header): tg_cell_put_encoded; table
                {s, c} with metatable markers.raw
  schema{...}   what the schema makes of the data: put_typed.c
  tide.decimal  under a Decimal schema its bytes (digits are never lost), else
                number text
  view          tg_put_copy of what it shows (deep; number text is kept)
  table         host.put_table: see TABLES
  others        error "cannot store a function in field 'x'"
A status < 0 from C becomes a Lua error with tg_ffi_error(), raised at level 2
(the script's line). A write of an equal value changes nothing (C does that).

VALUE VIEWS (v: map, struct, array, pairs)
  every access first checks node.born == serial of the current batch, else error
  "a value of an earlier batch was used: copy what you keep (tide.str, fields)".
  v.name, v["name"]  map, struct: the field. Any other key type is an error
                     "field names are strings, got number". A user's field may
                     have any name ("n", "slots"): no member hides it.
  v[i]               array: i an integer number (or int64 cdata), 1-based;
                     outside 1..#v reads nil; any other key type, also a
                     numeric string, is an error "array index must be a number,
                     got string 'x'"; fractions too.
  v[k]               pairs: linear search for an equal key (number, string,
                     boolean). Values can be written and entries removed
                     (nil), keys cannot be added.
  v.name = x         overwrites in place, or appends the field
  v[i] = x           1..#v, or #v + 1 to append; else error "array index 9 is
                     out of range 1..4"
  #v                 array: elements; map, struct: fields; pairs: entries
  pairs(v)           map, struct: name, value in order; array: as ipairs; pairs:
                     key, value. The current field may be changed or deleted;
                     nulls come as tide.null. State is {v, i}: next(state, key)
                     goes to slot i + 1, or stays when the name at slot i is no
                     longer `key` (it was deleted).
  ipairs(v)          array: 1..#v, including nulls; else error. next(v, i).
  tostring(v)        its JSON text
  v1 == v2           same node
  arithmetic, call, concatenation: errors

RECORDS (r)
  r.value r.key      read opens the cell (tg_cell_open; failing is an error with
                     tg_ffi_error()); write replaces the whole cell
  r.topic            string; write: string
  r.partition        number, nil when -1; write: integer >= 0, or nil
  r.timestamp        ms as number (int64 cdata outside +-2^53), nil when -1;
                     write: integral number or int64, or nil
  r.offset           origin_offset when origin_topic is set (sink), else nil;
                     read only, as:
  r.origin_topic r.origin_partition  consumed topic and partition, else nil
  r.headers          headers view
  r:drop()           verdict TG_DROP         r:keep()  verdict TG_KEEP
  r:reject(reason)   verdict TG_REJECT; reason string
  r:retry()          verdict TG_RETRY (sinks)   r:done()  TG_DONE
  r:split()          a new record after r (tg_record_split), as view
  r:source(part, offset)  sources: part the number ctx:partition returned,
                     offset integral number, int64 or a plain table (JSON)
  any other name: error "records have no field 'x'; there are value, key, topic,
  partition, timestamp, offset, headers, ..." for reads and writes.
  each access checks record.batch == current batch, else the error of views.

HEADERS (h = r.headers)
  h:get(name)        value of the last header of that name, nil when absent
  h:all(name)        plain table of all values of that name
  h:set(name, x)     removes all of that name, adds one
  h:add(name, x)     appends
  h:remove(name)     removes all, returns how many
  #h                 number of headers
  pairs(h)           name, value in order (one pair per header)
  h.name             error "use headers:get('name')"

BATCH (one object per VM; it shows the current batch of the slot)
  batch:each()       next, batch, lo: (i, r) for records of [lo, hi) with verdict
                     KEEP; i is 1-based in the batch; writes batch.cursor = i-1.
                     A generic step with a foreign or out-of-range control value
                     ends the loop; it never reads outside [lo, hi).
  #batch             hi - lo
  batch.max          most records wanted (source poll)
  batch:append()     source: new record view, nil when full
  outside a call: error "there is no batch outside poll, put and apply"

TABLES (host.put_table), raw access only
  metatable markers.array: array of t[1..#t]; markers.map: map, names sorted by
  bytes; markers.ordered: list name, value, name, value, ... in that order
  plain table: with t[1] an array (a string key beside it, or a hole, is an
  error); else a map with names sorted. {} is an empty map. Keys of maps are
  strings. Values as in "written" (nil impossible, markers.raw not allowed), at
  most 512 deep.
  host.put_table(ptr, is_cell, slot, name, t) -> true | nil, message
    ptr: pointer cdata (tg_node * or tg_cell *): C reads
    *(void *const *)lua_topointer(L, 1). slot, name as tg_put_*; name a string
    or nil.

WHAT C GETS FROM BOOT: host.adopt(t), once, both faces
  t.null             the null cdata; C pushes exactly this object for null
  t.markers          {array, map, ordered, bytes, raw}: metatables
  t.int64            cdata int64_t[1], t.int64_new() -> int64 cdata of it: how C
                     pushes an int64 outside +-2^53 (lua_topointer(t.int64))
  t.classify(x)      for a cdata (lua_type 10) or other value C does not know:
                     "null"; "int64" (stored in t.int64[0]); "view" (node address
                     stored in t.pointer, a void *[1] cdata); nil: not storable

WHAT boot.lua NEEDS OF host.classic (host.jit false); nodes and records pass as
addresses: light userdata C -> Lua, pointer cdata Lua -> C
  batch              the batch object (reads the slot given to host.batch_slot)
  node(x)            address of the node when x is a value view (raises the
                     error of views when it is stale), else nil
  record(x)          the same for record views
  wrap(ptr)          view of a tg_node *;  wrap_record(ptr)  of a tg_record *
  pairs, ipairs      replacements that know views; for the environments of
                     plugins (in the FFI face Lua's own work)
--]]
local host, use = ...
local ffi = require "ffi"
local abi = use "abi"
local json = use "json"
local decimal = use "decimal"

local C = ffi.C
local cast, istype, ffi_string = ffi.cast, ffi.istype, ffi.string
local type, tonumber, tostring, rawget, raise = type, tonumber, tostring, rawget, abi.raise
local abs = math.abs
local node_p, record_p, batch_pp = abi.node_p, abi.record_p, abi.batch_pp
local view_t, record_t, headers_t = abi.view, abi.record_view, abi.headers_view
local batch_t, int64_t, uint64_t = abi.batch_view, abi.int64, abi.uint64
local slot, null, ok, len, scratch = abi.slot, abi.null, abi.ok, abi.len, abi.value
local MAX53, MIN53 = abi.max_exact, -abi.max_exact

local NULL, BOOL = C.TG_NULL, C.TG_BOOL
local INT8, INT64 = C.TG_INT8, C.TG_INT64
local FLOAT32, FLOAT64 = C.TG_FLOAT32, C.TG_FLOAT64
local NUM, STR, ESC, BYTES = C.TG_NUM, C.TG_STR, C.TG_ESC, C.TG_BYTES
local ARRAY, MAP, PAIRS, STRUCT = C.TG_ARRAY, C.TG_MAP, C.TG_PAIRS, C.TG_STRUCT
local KEEP, DROP, RETRY = C.TG_KEEP, C.TG_DROP, C.TG_RETRY
local REJECT, DONE = C.TG_REJECT, C.TG_DONE
local CELL_NULL, CELL_DECODED = C.TG_CELL_NULL, C.TG_CELL_DECODED
local EXACT_SPAN = 18014398509481984ULL -- of i + 2^53, for i within +-2^53
local UINT64_LIMIT = 0x7fffffffffffffffULL

local markers = json.markers
local rawmeta = debug.getmetatable
local M = { markers = markers }

local function fail()
    raise(ffi_string(C.tg_ffi_error()))
end

local function stale()
    if slot[0] == abi.none or slot[0] == nil then
        raise("there is no batch outside poll, put and apply: records cannot be used here")
    end
    raise("a value of an earlier batch was used: copy what you keep (tide.str, fields)")
end

--- what scripts hold -> addresses ------------------------------------------------

-- Address of the node behind a value view, nil for anything else.
local to_node, to_record, wrap, wrap_record
if host.jit then
    to_node = function(x)
        if not istype(view_t, x) then return nil end
        local node = cast(node_p, x)
        if node.born ~= slot[0].serial then stale() end
        return node
    end
    to_record = function(x)
        if not istype(record_t, x) then return nil end
        local rec = cast(record_p, x)
        if rec.batch ~= slot[0] then stale() end
        return rec
    end
    wrap = function(node) return cast(view_t, node) end
    wrap_record = function(rec) return cast(record_t, rec) end
else
    local classic = host.classic
    to_node = function(x)
        local p = classic.node(x)
        return p and cast(node_p, p)
    end
    to_record = function(x)
        local p = classic.record(x)
        return p and cast(record_p, p)
    end
    wrap, wrap_record = classic.wrap, classic.wrap_record
end

--- null -----------------------------------------------------------------------

local function null_error(what)
    return function()
        raise(what .. " null: test with `x ~= nil` (null is true in a condition)")
    end
end
ffi.metatype("struct tg_null", {
    __index = function(_, k) raise("field '" .. tostring(k) .. "' of null") end,
    __newindex = function(_, k) raise("cannot set field '" .. tostring(k) .. "' of null") end,
    __tostring = function() return "null" end,
    __len = null_error("length of"),
    __concat = null_error("cannot concatenate"),
    __add = null_error("arithmetic on"),
    __sub = null_error("arithmetic on"),
    __mul = null_error("arithmetic on"),
    __div = null_error("arithmetic on"),
    __mod = null_error("arithmetic on"),
    __pow = null_error("arithmetic on"),
    __unm = null_error("arithmetic on"),
    __call = null_error("cannot call"),
})

--- field lookup: one array a name, indexed by shape id -------------------------
-- slot[id]: -1 absent, below -1 not looked up yet. Entry 0 (private shapes)
-- always stays "not looked up". All arrays have cap[0] entries.

local names = {}      -- name -> struct tg_slots
local arrays = {}     -- luacheck: ignore 241 -- name -> the array behind it (anchor)
local nnames = 0
local cap = ffi.new("uint32_t[1]", 64)
local MAX_NAMES = 512 -- names with a cache; more are looked up by text

local function new_array(n)
    local a = abi.int16s(n)
    ffi.fill(a, n * 2, 0xfe)
    return a
end

local function grow(id)
    local n, old = cap[0], cap[0]
    while n <= id do n = n * 2 end
    for name, s in pairs(names) do
        local a = new_array(n)
        ffi.copy(a, s.slot, old * 2)
        s.slot = a
        arrays[name] = a
    end
    cap[0] = n
end

local function intern(name)
    local p = C.tg_name_intern(name, #name)
    if p == nil then fail() end
    return p
end

--- The lookup cache of a name, made on first use; nil when there are too many
-- different names (a script that uses data as field names) unless always.
local function slots_of(name, always)
    local c = names[name]
    if c then return c end
    if nnames >= MAX_NAMES and not always then return nil end
    c = abi.slots()
    c.name = intern(name)
    local a = new_array(cap[0])
    c.slot = a
    arrays[name] = a
    names[name] = c
    nnames = nnames + 1
    return c
end

local function find_slow(node, c, id)
    local kind = node.kind
    if kind == ARRAY or kind == PAIRS then return -1 end
    if id >= cap[0] then grow(id) end
    local s = C.tg_slot_find(node, c.name)
    if id ~= 0 and s < 32767 then c.slot[id] = s end
    return s
end

--- Slot of a field of a map or struct, or -1 (also for arrays and pairs, whose
-- common shape never gets an entry).
local function find(node, c)
    local id = node.shape.id
    if id < cap[0] then
        local s = c.slot[id]
        if s >= -1 then return s end
    end
    local s = find_slow(node, c, id)
    return s
end

--- reading ---------------------------------------------------------------------

-- Few comparisons, the likely ones first: each is a guard and a snapshot in
-- compiled code, and a trace holds a limited number of them.

local function read_number(v)
    local d = C.tg_value_number(v, ok)
    if abs(d) < 9007199254740992 then return d end
    local i = C.tg_value_int64(v, ok)
    if ok[0] ~= 0 and (i > MAX53 or i < MIN53) then return i end
    return d
end

local function read_int(v)
    local i = v.u.i
    if cast(uint64_t, i + MAX53) <= EXACT_SPAN then return tonumber(i) end
    return i
end

local function read_decimal(p)
    if p == nil then fail() end
    return decimal.of_text(ffi_string(p, len[0]))
end

-- Of a slot of a node, when its schema says so; else nil.
local function slot_decimal(node, v)
    local p = C.tg_decimal_slot(slot[0], node, tonumber(v - node.slots), len)
    if p == nil and len[0] == 0 then return nil end
    return read_decimal(p)
end

local function read_other(v, tag, node)
    if tag >= INT8 and tag < INT64 then return tonumber(v.u.i) end
    if tag == FLOAT64 or tag == FLOAT32 then return v.u.d end
    if tag == ESC then
        local p = C.tg_value_text(slot[0], v, len)
        if p == nil then fail() end
        return ffi_string(p, len[0])
    end
    if tag == BYTES then
        return node and slot_decimal(node, v) or ffi_string(v.u.p, v.len)
    end
    return nil
end

-- Number text; in a tree with a schema it may be a Decimal.
local function read_text(v, node)
    if node and (node.kind == STRUCT or node.cell.schema ~= nil) then
        local d = slot_decimal(node, v)
        if d then return d end
    end
    local x = read_number(v)
    return x
end

--- A tg_value as a Lua value. node: the one whose slot it is, or nil.
local function read(v, node)
    local tag = v.tag
    if tag == STR then return ffi_string(v.u.p, v.len) end
    if tag == INT64 then
        local x = read_int(v)
        return x
    end
    if tag == NUM then
        local x = read_text(v, node)
        return x
    end
    if tag == BOOL then return v.u.i ~= 0 end
    if tag >= ARRAY then return wrap(v.u.node) end
    if tag == NULL then return null end
    local x = read_other(v, tag, node)
    return x
end

local function cell_open(cell)
    if C.tg_cell_open(cell) < 0 then fail() end
end

local function cell_value(cell, v)
    if cell.schema ~= nil and (v.tag == BYTES or v.tag == NUM) then
        local p = C.tg_decimal_cell(cell, len)
        if p ~= nil or len[0] ~= 0 then return read_decimal(p) end
    end
    local x = read(v)
    return x
end

local function cell_read(cell)
    if cell.state == CELL_DECODED then
        local v = cell.value
        if v.tag == MAP then return wrap(v.u.node) end
        local x = cell_value(cell, v)
        return x
    end
    if cell.state == CELL_NULL then return null end
    cell_open(cell)
    local x = cell_value(cell, cell.value)
    return x
end

--- writing ---------------------------------------------------------------------

local function marked(x, mark)
    return rawmeta(x) == mark
end

local function node_value(node)
    local v = scratch[0]
    v.tag = node.kind
    v.flags = 0
    v.u.node = node
    return v
end

local function check_node(x)
    local node = cast(node_p, x)
    if node.born ~= slot[0].serial then stale() end
    return node
end

local function unstorable(x, where)
    local t = type(x)
    if t == "cdata" then t = "C object (" .. tostring(ffi.typeof(x)) .. ")" end
    if to_record(x) then t = "record (store r.value)" end
    raise(("cannot store a %s in %s"):format(t, where))
end

local function field_text(name, s)
    if name ~= nil then return "field '" .. ffi_string(name.text, name.len) .. "'" end
    if s >= 0 then return "element " .. (s + 1) end
    return "a field"
end

-- Everything but numbers and strings. Returns a status.
local function put_other(node, s, name, x)
    local t = type(x)
    if t == "boolean" then return C.tg_put_bool(node, s, name, x and 1 or 0) end
    if t == "cdata" or t == "userdata" then
        local from = to_node(x)
        if from then return C.tg_put_copy(node, s, name, node_value(from)) end
        if istype(int64_t, x) then return C.tg_put_int64(node, s, name, x) end
        if x == nil and istype("struct tg_null *", x) then
            return C.tg_put_null(node, s, name)
        end
        if istype(uint64_t, x) and x <= UINT64_LIMIT then
            return C.tg_put_int64(node, s, name, cast(int64_t, x))
        end
    elseif t == "table" then
        if marked(x, markers.bytes) then
            local b = rawget(x, 1)
            return C.tg_put_bytes(node, s, name, b, #b)
        end
        if not marked(x, markers.raw) then
            local done, why = host.put_table(cast("void *", node), false, s,
                name ~= nil and ffi_string(name.text, name.len) or nil, x)
            if not done then raise(why) end
            return 0
        end
        raise("tide.raw can only be stored in r.value, r.key or a header")
    end
    unstorable(x, field_text(name, s))
end

-- Stores x in slot s of node, or appends it under name (s is -1).
local function put(node, s, name, x)
    local rc
    local t = type(x)
    if t == "number" then
        rc = C.tg_put_number(node, s, name, x)
    elseif t == "string" then
        rc = C.tg_put_text(node, s, name, x, #x)
    else
        rc = put_other(node, s, name, x)
    end
    if rc < 0 then fail() end
end

local function cell_put_other(cell, x, what)
    local t = type(x)
    if t == "nil" then return C.tg_cell_put_null(cell) end
    if t == "boolean" then return C.tg_cell_put_bool(cell, x and 1 or 0) end
    if t == "cdata" or t == "userdata" then
        local from = to_node(x)
        if from then return C.tg_cell_put_copy(cell, node_value(from)) end
        if istype(int64_t, x) then return C.tg_cell_put_int64(cell, x) end
        if x == nil and istype("struct tg_null *", x) then
            return C.tg_cell_put_null(cell)
        end
        if istype(uint64_t, x) and x <= UINT64_LIMIT then
            return C.tg_cell_put_int64(cell, cast(int64_t, x))
        end
    elseif t == "table" then
        if marked(x, markers.bytes) then
            local b = rawget(x, 1)
            return C.tg_cell_put_bytes(cell, b, #b)
        end
        if marked(x, markers.raw) then
            local b = rawget(x, 1)
            return C.tg_cell_put_encoded(cell, rawget(x, 2), b, #b)
        end
        local done, why = host.put_table(cast("void *", cell), true, -1, nil, x)
        if not done then raise(why) end
        return 0
    end
    unstorable(x, what)
end

local function cell_put(cell, x, what)
    local rc
    local t = type(x)
    if t == "string" then
        rc = C.tg_cell_put_text(cell, x, #x)
    elseif t == "number" then
        rc = C.tg_cell_put_number(cell, x)
    else
        rc = cell_put_other(cell, x, what)
    end
    if rc < 0 then fail() end
end

--- views of values ---------------------------------------------------------------

-- 0-based place of an array index: exact integers only. -1: not in 0..2^31-1.
local function place(k)
    if type(k) == "number" then
        if k >= 1 and k <= 2147483647 and k % 1 == 0 then return k - 1 end
        if k % 1 ~= 0 then
            raise("array index must be a whole number, got " .. tostring(k))
        end
        return -1
    end
    if istype(int64_t, k) then
        if k >= 1 and k <= 2147483647 then return tonumber(k) - 1 end
        return -1
    end
    raise(("array index must be a number, got %s '%s'"):format(type(k), tostring(k)))
end

local function same(v, k)
    local x = read(v)
    return x == k
end

-- Entry of a PAIRS node whose key equals k: its slot, or -1.
local function pairs_find(node, k)
    for i = 0, tonumber(node.n) - 2, 2 do
        if same(node.slots + i, k) then return i end
    end
    return -1
end

local function get_other(node, k)
    local kind = node.kind
    if kind == ARRAY then
        local i = place(k)
        if i < 0 or i >= node.n then return nil end
        local x = read(node.slots + i, node)
        return x
    end
    if kind == PAIRS then
        local i = pairs_find(node, k)
        if i < 0 then return nil end
        local x = read(node.slots + (i + 1), node)
        return x
    end
    if type(k) ~= "string" then
        raise(("field names are strings, got %s '%s'"):format(type(k), tostring(k)))
    end
    local c = slots_of(k)
    local s
    if c then
        s = find(node, c)
    else
        s = C.tg_slot_find_text(node, k, #k)
    end
    if s < 0 then return nil end
    local x = read(node.slots + s, node)
    return x
end

local function view_index(v, k)
    local node = cast(node_p, v)
    if node.born ~= slot[0].serial then stale() end
    if type(k) == "string" then
        local c = names[k]
        if c then
            local id = node.shape.id
            if id < cap[0] then
                local s = c.slot[id]
                if s >= 0 then
                    local x = read(node.slots + s, node)
                    return x
                end
                if s == -1 then return nil end
            end
        end
    end
    local x = get_other(node, k)
    return x
end

local function delete(node, s)
    if C.tg_delete(node, s) < 0 then fail() end
end

local function set_element(node, k, x)
    local i = place(k)
    local n = tonumber(node.n)
    if i < 0 or i > n then
        raise(("array index %s is out of range 1..%d"):format(tostring(k), n + 1))
    end
    if x ~= nil or type(x) ~= "nil" then
        put(node, i, nil, x)
    elseif i == n - 1 then
        delete(node, i)
    elseif i < n then
        raise(("element %d cannot be removed by storing nil, %d follow: use tide.remove(v, %d)")
            :format(i + 1, n - i - 1, i + 1))
    end
end

local function set_pair(node, k, x)
    local i = pairs_find(node, k)
    if type(x) == "nil" then
        if i >= 0 then delete(node, i) end -- key and value
        return
    end
    if i < 0 then
        raise(("cannot add the key %s: a map with keys that are no strings keeps its keys")
            :format(tostring(k)))
    end
    put(node, i + 1, nil, x)
end

local function set_other(node, k, x)
    local kind = node.kind
    if kind == ARRAY then
        set_element(node, k, x)
        return
    end
    if kind == PAIRS then
        set_pair(node, k, x)
        return
    end
    if type(k) ~= "string" then
        raise(("field names are strings, got %s '%s'"):format(type(k), tostring(k)))
    end
    local c = slots_of(k)
    local s
    if c then
        s = find(node, c)
    else
        s = C.tg_slot_find_text(node, k, #k)
    end
    if type(x) ~= "nil" then
        put(node, s, c and c.name or intern(k), x)
    elseif s >= 0 then
        delete(node, s)
    end
end

local function view_newindex(v, k, x)
    local node = cast(node_p, v)
    if node.born ~= slot[0].serial then stale() end
    if type(k) == "string" and type(x) ~= "nil" then
        local c = names[k]
        if c then
            local id = node.shape.id
            if id < cap[0] then
                local s = c.slot[id]
                if s >= -1 then
                    put(node, s, c.name, x)
                    return
                end
            end
        end
    end
    set_other(node, k, x)
end

local function view_len(v)
    local node = cast(node_p, v)
    if node.born ~= slot[0].serial then stale() end
    local n = tonumber(node.n)
    if node.kind == PAIRS then return n / 2 end
    return n
end

local function ipairs_next(v, i)
    if not istype(view_t, v) or type(i) ~= "number" then
        raise("ipairs: not a value of a record")
    end
    local node = cast(node_p, v)
    if node.born ~= slot[0].serial then stale() end
    if node.kind ~= ARRAY or i < 0 or i >= node.n or i % 1 ~= 0 then return nil end
    local x = read(node.slots + i, node)
    return i + 1, x
end

local function view_ipairs(v)
    local node = check_node(v)
    if node.kind ~= ARRAY then raise("ipairs needs an array, got a map") end
    return ipairs_next, v, 0
end

local function slot_name(node, i)
    local name = node.shape.names[i]
    return ffi_string(name.text, name.len)
end

-- Walks by slot; state is {view, slot}: closures would never compile.
local function fields_next(state, key)
    local v, i = state[1], state[2]
    if not istype(view_t, v) or type(i) ~= "number" or i < 0 then
        raise("pairs: not a value of a record")
    end
    local node = cast(node_p, v)
    if node.born ~= slot[0].serial then stale() end
    if node.kind == ARRAY or node.kind == PAIRS then return nil end
    if key ~= nil and i < node.n and slot_name(node, i) == key then
        i = i + 1
        state[2] = i
    end
    if i >= node.n then return nil end
    local x = read(node.slots + i, node)
    return slot_name(node, i), x
end

local function entries_next(state, key)
    local v, i = state[1], state[2]
    if not istype(view_t, v) or type(i) ~= "number" or i < 0 then
        raise("pairs: not a value of a record")
    end
    local node = cast(node_p, v)
    if node.born ~= slot[0].serial then stale() end
    if node.kind ~= PAIRS then return nil end
    if key ~= nil and i + 1 < node.n and same(node.slots + i, key) then
        i = i + 2
        state[2] = i
    end
    if i + 1 >= node.n then return nil end
    return read(node.slots + i, node), read(node.slots + (i + 1), node)
end

local function view_pairs(v)
    local kind = check_node(v).kind
    if kind == ARRAY then return ipairs_next, v, 0 end
    if kind == PAIRS then return entries_next, { v, 0 } end
    return fields_next, { v, 0 }
end

--- JSON text of a tg_value.
local function json_text(value)
    local p = C.tg_value_json(slot[0], value, len)
    if p == nil then fail() end
    return ffi_string(p, len[0])
end

local function view_tostring(v)
    return json_text(node_value(check_node(v)))
end

local function no_operator(what)
    return function()
        raise("cannot " .. what .. " an array or map of a record")
    end
end

local function operators(mt)
    for _, op in ipairs { "add", "sub", "mul", "div", "mod", "pow", "unm" } do
        mt["__" .. op] = no_operator("calculate with")
    end
    mt.__concat = no_operator("concatenate")
    mt.__call = no_operator("call")
    mt.__lt = no_operator("compare")
    mt.__le = no_operator("compare")
    return mt
end

ffi.metatype("struct tg_view", operators {
    __index = view_index,
    __newindex = view_newindex,
    __len = view_len,
    __pairs = view_pairs,
    __ipairs = view_ipairs,
    __tostring = view_tostring,
})

--- headers -------------------------------------------------------------------------

local function check_record(r, view_type, method)
    if not istype(view_type, r) then
        raise(("call it as %s, with a colon"):format(method))
    end
    local rec = cast(record_p, r)
    if rec.batch ~= slot[0] then stale() end
    return rec
end

-- The record of a headers view, with its headers read from the message.
local function check_headers(h, method)
    local rec = check_record(h, headers_t, method)
    if rec.unread ~= nil and C.tg_record_headers(rec) < 0 then fail() end
    return rec
end

local function header_name(name)
    if type(name) ~= "string" then
        raise("a header name is a string, got " .. type(name))
    end
    return name
end

local headers = {}

--- Value of the last header of that name, nil when there is none.
function headers.get(h, name)
    local rec = check_headers(h, "headers:get(name)")
    header_name(name)
    local at, found = -1, -1
    repeat
        at = C.tg_header_find(rec, name, #name, at + 1)
        if at >= 0 then found = at end
    until at < 0
    if found < 0 then return nil end
    local x = cell_read(rec.headers[found].cell)
    return x
end

--- Values of all headers of that name, in order.
function headers.all(h, name)
    local rec = check_headers(h, "headers:all(name)")
    header_name(name)
    local out, at = {}, -1
    repeat
        at = C.tg_header_find(rec, name, #name, at + 1)
        if at >= 0 then out[#out + 1] = cell_read(rec.headers[at].cell) end
    until at < 0
    return out
end

-- but: how many at the end stay.
local function remove_headers(rec, name, but)
    local removed = 0
    local at = C.tg_header_find(rec, name, #name, 0)
    while at >= 0 and at < rec.nheaders - but do
        if C.tg_header_remove(rec, at) < 0 then fail() end
        removed = removed + 1
        at = C.tg_header_find(rec, name, #name, at)
    end
    return removed
end

local function add_header(rec, name, x)
    local i = C.tg_header_add(rec, name, #name)
    if i < 0 then fail() end
    local done, why = pcall(cell_put, rec.headers[i].cell, x, "a header")
    if not done then
        C.tg_header_remove(rec, i)
        error(why, 0)
    end
end

--- Appends a header; others of that name stay.
function headers.add(h, name, x)
    local rec = check_headers(h, "headers:add(name, value)")
    header_name(name)
    add_header(rec, name, x)
end

--- Replaces all headers of that name by one.
function headers.set(h, name, x)
    local rec = check_headers(h, "headers:set(name, value)")
    header_name(name)
    add_header(rec, name, x)
    remove_headers(rec, name, 1)
end

--- Removes all headers of that name; returns how many there were.
function headers.remove(h, name)
    local rec = check_headers(h, "headers:remove(name)")
    header_name(name)
    return remove_headers(rec, name, 0)
end

local function headers_next(state)
    local h, i = state[1], state[2]
    if not istype(headers_t, h) or type(i) ~= "number" or i < 0 then
        raise("pairs: not the headers of a record")
    end
    local rec = cast(record_p, h)
    if rec.batch ~= slot[0] then stale() end
    if rec.unread ~= nil and C.tg_record_headers(rec) < 0 then fail() end
    if i >= rec.nheaders or i % 1 ~= 0 then return nil end
    state[2] = i + 1
    local header = rec.headers[i]
    local x = cell_read(header.cell)
    return ffi_string(header.name, header.namelen), x
end

ffi.metatype("struct tg_headers_view", operators {
    __index = function(_, k)
        local f = headers[k]
        if f == nil then
            raise(("use headers:get('%s')"):format(tostring(k)))
        end
        return f
    end,
    __newindex = function(_, k)
        raise(("use headers:set('%s', value)"):format(tostring(k)))
    end,
    __len = function(h)
        return tonumber(check_headers(h, "#headers").nheaders)
    end,
    __pairs = function(h) return headers_next, { h, 0 } end,
    __tostring = function() return "headers" end,
})

--- records ------------------------------------------------------------------------

local record = {}

local function verdict(r, what, method)
    local rec = check_record(r, record_t, method)
    if C.tg_record_set_verdict(rec, what, nil, 0) < 0 then fail() end
end

--- Filters the record out: later transforms and the destination never see it.
function record.drop(r) verdict(r, DROP, "r:drop()") end
--- Takes back drop or reject.
function record.keep(r) verdict(r, KEEP, "r:keep()") end
--- Sink: hand this record to put once more.
function record.retry(r) verdict(r, RETRY, "r:retry()") end
--- Sink: written (the default when put returns).
function record.done(r) verdict(r, DONE, "r:done()") end

--- Hands the record to the error policy (fail, tolerate, dead letter topic).
function record.reject(r, reason)
    local rec = check_record(r, record_t, "r:reject(reason)")
    if type(reason) ~= "string" then
        raise("r:reject needs a reason (string), got " .. type(reason))
    end
    if C.tg_record_set_verdict(rec, REJECT, reason, #reason) < 0 then fail() end
end

--- A copy of the record that follows it; returns it.
function record.split(r)
    local new = C.tg_record_split(check_record(r, record_t, "r:split()"))
    if new == nil then fail() end
    return cast(record_t, new)
end

--- Source: where the record came from. part: what ctx:partition returned;
-- offset: whole number (the short form) or a table.
function record.source(r, part, offset)
    local rec = check_record(r, record_t, "r:source(partition, offset)")
    if type(part) ~= "number" or part < 0 or part > 2147483647 or part % 1 ~= 0 then
        raise("r:source needs the number that ctx:partition returned")
    end
    local rc
    if type(offset) == "table" then
        local text = json.encode(offset)
        rc = C.tg_record_set_source_json(rec, part, text, #text)
    elseif type(offset) == "number" and offset % 1 == 0 or istype(int64_t, offset) then
        rc = C.tg_record_set_source(rec, part, offset)
    else
        raise("a source offset is a whole number or a table, got " .. tostring(offset))
    end
    if rc < 0 then fail() end
end

local function exact(i)
    if i <= MAX53 and i >= MIN53 then return tonumber(i) end
    return i
end

local function no_record_field(k)
    raise(("records have no field '%s'; there are value, key, topic, partition, timestamp, "
        .. "offset, headers, origin_topic, origin_partition and drop, keep, reject, retry, "
        .. "done, split, source"):format(tostring(k)))
end

local function record_other(rec, k)
    if k == "timestamp" then
        if rec.timestamp == -1 then return nil end
        return exact(rec.timestamp)
    elseif k == "partition" then
        if rec.partition < 0 then return nil end
        return rec.partition
    elseif k == "offset" then
        if rec.origin_topic == nil then return nil end
        return exact(rec.origin_offset)
    elseif k == "origin_topic" then
        if rec.origin_topic == nil then return nil end
        return ffi_string(rec.origin_topic, rec.origin_topiclen)
    elseif k == "origin_partition" then
        if rec.origin_topic == nil then return nil end
        return rec.origin_partition
    end
    local f = record[k]
    if f == nil then no_record_field(k) end
    return f
end

local function record_index(r, k)
    local rec = cast(record_p, r)
    if rec.batch ~= slot[0] then stale() end
    if k == "value" then
        local x = cell_read(rec.value)
        return x
    elseif k == "key" then
        local x = cell_read(rec.key)
        return x
    elseif k == "topic" then
        return ffi_string(rec.topic, rec.topiclen)
    elseif k == "headers" then
        return cast(headers_t, rec)
    end
    local x = record_other(rec, k)
    return x
end

local function set_partition(rec, x)
    if x == nil then x = -1 end
    if type(x) ~= "number" or x % 1 ~= 0 or x < -1 or x > 2147483647 then
        raise("r.partition is a whole number from 0 or nil, got " .. tostring(x))
    end
    return C.tg_record_set_partition(rec, x)
end

local function set_timestamp(rec, x)
    if x == nil then x = -1 end
    if not istype(int64_t, x) and (type(x) ~= "number" or x % 1 ~= 0
        or x > 9007199254740992 or x < -9007199254740992) then
        raise("r.timestamp is a whole number of milliseconds or nil, got " .. tostring(x))
    end
    return C.tg_record_set_timestamp(rec, x)
end

local function record_set_other(rec, k, x)
    local rc
    if k == "topic" then
        if type(x) ~= "string" then
            raise("r.topic is a string, got " .. type(x))
        end
        rc = C.tg_record_set_topic(rec, x, #x)
    elseif k == "partition" then
        rc = set_partition(rec, x)
    elseif k == "timestamp" then
        rc = set_timestamp(rec, x)
    elseif k == "offset" or k == "origin_topic" or k == "origin_partition" or k == "headers" then
        raise(("r.%s cannot be changed"):format(k))
    else
        no_record_field(k)
    end
    if rc < 0 then fail() end
end

local function record_newindex(r, k, x)
    local rec = cast(record_p, r)
    if rec.batch ~= slot[0] then stale() end
    if k == "value" then
        cell_put(rec.value, x, "r.value")
    elseif k == "key" then
        cell_put(rec.key, x, "r.key")
    else
        record_set_other(rec, k, x)
    end
end

ffi.metatype("struct tg_record_view", operators {
    __index = record_index,
    __newindex = record_newindex,
    __tostring = function(r)
        local rec = check_record(r, record_t, "tostring(r)")
        return ("record of topic %s"):format(ffi_string(rec.topic, rec.topiclen))
    end,
})

--- the batch ------------------------------------------------------------------------

local batch = {}

local function check_batch(b, method)
    if not istype(batch_t, b) then
        raise(("call it as %s, with a colon"):format(method))
    end
    local p = cast(batch_pp, b)[0]
    if p == abi.none or p == nil then
        raise("there is no batch outside poll, put and apply")
    end
    return p
end

local function each_next(b, i)
    if not istype(batch_t, b) or type(i) ~= "number" then
        raise("batch:each: not a batch")
    end
    local p = cast(batch_pp, b)[0]
    if i < p.lo or i >= p.hi or i % 1 ~= 0 then return nil end
    local rec = p.items[i]
    if rec.verdict ~= KEEP then return each_next(b, i + 1) end
    p.cursor = i
    return i + 1, cast(record_t, rec)
end

--- Walks the records: for i, r in batch:each() do ... end. Records that were
-- dropped or rejected before are left out; i is the place in the batch.
function batch.each(b)
    local p = check_batch(b, "batch:each()")
    return each_next, b, tonumber(p.lo)
end

--- Source: a new record at the end, nil when the batch is full.
function batch.append(b)
    local p = check_batch(b, "batch:append()")
    local rec = C.tg_batch_append(p)
    if rec == nil then return nil end
    return cast(record_t, rec)
end

ffi.metatype("struct tg_batch_view", operators {
    __index = function(b, k)
        local f = batch[k]
        if f ~= nil then return f end
        if k == "max" then return tonumber(check_batch(b, "batch.max").max) end
        raise(("a batch has no field '%s'; there are each, append, max and #batch")
            :format(tostring(k)))
    end,
    __newindex = function(_, k)
        raise(("a batch has no field '%s' to set"):format(tostring(k)))
    end,
    __len = function(b)
        local p = check_batch(b, "#batch")
        return tonumber(p.hi) - tonumber(p.lo)
    end,
    __tostring = function() return "batch" end,
})

--- for the other modules --------------------------------------------------------------

M.batch = host.jit and cast(batch_t, slot) or host.classic.batch
M.node, M.record, M.wrap, M.wrap_record = to_node, to_record, wrap, wrap_record
M.read, M.put, M.find, M.slots_of, M.intern = read, put, find, slots_of, intern
M.cell_read, M.cell_put, M.node_value, M.json_text = cell_read, cell_put, node_value, json_text
M.fail = fail

--- What a value is for C: see WHAT C GETS FROM BOOT above.
function M.classify(x)
    if type(x) ~= "cdata" then return nil end
    if x == nil and istype("struct tg_null *", x) then return "null" end
    if istype(int64_t, x) or istype(uint64_t, x) and x <= UINT64_LIMIT then
        abi.int64_cell[0] = cast(int64_t, x)
        return "int64"
    end
    if istype(view_t, x) then
        abi.pointer_cell[0] = check_node(x)
        return "view"
    end
    return nil
end

return M
