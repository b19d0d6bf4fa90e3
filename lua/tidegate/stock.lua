--- Helpers of the stock transforms: they work on addresses of C structures, so
-- only tidegate's own files get them (as tide.stock). Failures reject the record
-- with Kafka Connect's text instead of raising: one bad record in a batch costs
-- the others nothing.
local _, use = ...
local ffi = require "ffi"
local view = use "view"
local loop = use "loop"
local config = use "config"

local C = ffi.C
local ffi_string = ffi.string
local to_record, find, slots_of = view.record, view.find, view.slots_of
local CELL_NULL, CELL_DECODED, REJECT = C.TG_CELL_NULL, C.TG_CELL_DECODED, C.TG_REJECT
local NULL, BOOL, INT8, INT16, INT32 = C.TG_NULL, C.TG_BOOL, C.TG_INT8, C.TG_INT16, C.TG_INT32
local INT64, FLOAT32, FLOAT64, NUM = C.TG_INT64, C.TG_FLOAT32, C.TG_FLOAT64, C.TG_NUM
local STR, ESC, BYTES, ARRAY = C.TG_STR, C.TG_ESC, C.TG_BYTES, C.TG_ARRAY
local MAP, STRUCT, PAIRS = C.TG_MAP, C.TG_STRUCT, C.TG_PAIRS

local M = { steps = loop.steps }

local java_names = {
    [NULL] = "null", [BOOL] = "java.lang.Boolean", [INT8] = "java.lang.Byte",
    [INT16] = "java.lang.Short", [INT32] = "java.lang.Integer", [INT64] = "java.lang.Long",
    [FLOAT32] = "java.lang.Float", [FLOAT64] = "java.lang.Double", [NUM] = "java.lang.Double",
    [STR] = "java.lang.String", [ESC] = "java.lang.String", [BYTES] = "[B",
    [ARRAY] = "java.util.ArrayList", [MAP] = "java.util.HashMap", [PAIRS] = "java.util.HashMap",
    [STRUCT] = "org.apache.kafka.connect.data.Struct",
}

--- Rejects a record with a reason.
local function reject(rec, reason)
    C.tg_record_set_verdict(rec, REJECT, reason, #reason)
end
M.reject = reject

--- Rejects a record with the reason of the last failed C call.
local function reject_ffi(rec)
    reject(rec, ffi_string(C.tg_ffi_error()))
end

local function wrong_shape(rec, cell, purpose)
    local tag = cell.state == CELL_NULL and NULL or cell.value.tag
    local what = cell.schema ~= nil and "Only Struct objects supported for [%s], found: %s"
        or "Only Map objects supported in absence of schema for [%s], found: %s"
    reject(rec, what:format(purpose, java_names[tag] or "null"))
    return nil
end

--- A function (r) -> node, rec of the key or value when it is a map or struct.
-- side: "key" or "value". Null gives nil when null_passes, else it is an error
-- like every other kind: the record is rejected and nil returned.
function M.opener(side, purpose, null_passes)
    local is_key = side == "key"
    return function(r)
        local rec = to_record(r)
        local cell = is_key and rec.key or rec.value
        if cell.state ~= CELL_DECODED then
            if cell.state == CELL_NULL then
                if null_passes then return nil end
                return wrong_shape(rec, cell, purpose)
            end
            if C.tg_cell_open(cell) < 0 then
                if rec.verdict ~= REJECT then reject_ffi(rec) end
                return nil
            end
        end
        local tag = cell.value.tag
        if tag == STRUCT or tag == MAP and cell.schema == nil then
            return cell.value.u.node, rec
        end
        if tag == NULL and null_passes then return nil end
        return wrong_shape(rec, cell, purpose)
    end
end

--- A step (node, rec) that applies a plan.
function M.planner(plan)
    return function(node, rec)
        if C.tg_plan_apply(plan, node) < 0 then
            reject_ffi(rec)
            return false
        end
        return true
    end
end

--- inserting -----------------------------------------------------------------------

local inserters = {}

function inserters.topic(rec, node, s, name)
    return C.tg_put_text(node, s, name, rec.topic, rec.topiclen)
end

function inserters.partition(rec, node, s, name)
    if rec.partition < 0 then return 0 end
    return C.tg_put_int64(node, s, name, rec.partition)
end

function inserters.offset(rec, node, s, name)
    return C.tg_put_int64(node, s, name, rec.origin_offset)
end

function inserters.timestamp(rec, node, s, name)
    if rec.timestamp == -1 then return 0 end
    return C.tg_put_int64(node, s, name, rec.timestamp)
end

local schemas = {
    topic = { STR }, partition = { INT32 }, offset = { INT64 },
    timestamp = { INT64, "timestamp" }, static = { STR },
}

local NO_OFFSET = "Only SinkRecord supported for [field insertion], found: "
    .. "org.apache.kafka.connect.source.SourceRecord"

--- A step (node, rec) -> true that adds a field, false when the record was
-- rejected. what: "topic", "partition", "offset", "timestamp" or "static" (with
-- its text); spec: the name with suffix "!" (required) or "?" (optional).
function M.inserter(what, spec, text)
    local required = spec:sub(-1) == "!"
    local name = spec:gsub("[!?]$", "")
    local c = slots_of(name, true)
    local schema = C.tg_schema_of(schemas[what][1], required and 0 or 1, schemas[what][2])
    local insert = inserters[what] or function(_, node, s, field)
        return C.tg_put_text(node, s, field, text, #text)
    end
    local needs_origin = what == "offset"
    return function(node, rec)
        if needs_origin and rec.origin_topic == nil then
            reject(rec, NO_OFFSET)
            return false
        end
        local s = find(node, c)
        if node.kind == STRUCT then
            if s >= 0 then
                reject(rec, "Cannot create field because of field name duplication " .. name)
                return false
            end
            s = C.tg_add_field(node, c.name, schema)
            if s < 0 then
                reject_ffi(rec)
                return false
            end
        end
        if insert(rec, node, s, c.name) < 0 then
            reject_ffi(rec)
            return false
        end
        return true
    end
end

--- masking -----------------------------------------------------------------------

-- Integer part of a decimal text modulo 2^64, as int64; nil when it is no number.
local function integer_of(text)
    local sign, int, frac, exp = text:match("^([+-]?)(%d*)%.?(%d*)[eE]?([+-]?%d*)$")
    if not sign or int == "" and frac == "" or not tonumber(text) then return nil end
    local shift = tonumber(exp) or 0
    if shift > 400 or shift < -400 then return nil end
    local digits = int .. frac
    local keep = #int + shift
    if keep > #digits then digits = digits .. ("0"):rep(keep - #digits) end
    local value = 0LL
    for digit in digits:sub(1, math.max(keep, 0)):gmatch("%d") do
        value = value * 10LL + tonumber(digit)
    end
    return sign == "-" and -value or value
end

local widths = { [INT8] = "int8_t", [INT16] = "int16_t", [INT32] = "int32_t" }

-- What the replacement is in a field of a kind: a Lua value, nil when it is no
-- number.
local function replacement_of(text, tag)
    if tag == STR or tag == ESC then return text end
    if tag == FLOAT32 or tag == FLOAT64 or tag == NUM then
        return (config.parsers.double(text))
    end
    local value = integer_of(text)
    if value and widths[tag] then return tonumber(ffi.cast(widths[tag], value)) end
    return value
end

local function mask_zero(rec, node, s)
    local tag = node.slots[s].tag
    if C.tg_put_zero(node, s) >= 0 then return true end
    if tag == BYTES or tag == STRUCT then
        reject(rec, ("Cannot mask value of type: class %s"):format(java_names[tag]))
    else
        reject_ffi(rec)
    end
    return false
end

local function mask_text(rec, node, s, name, text, values)
    local tag = node.slots[s].tag
    if tag == NULL then return true end
    if tag == BOOL or tag >= BYTES then
        reject(rec, ("Cannot mask value of type class %s with custom replacement.")
            :format(java_names[tag]))
        return false
    end
    local value = values[tag]
    if value == nil then
        reject(rec, ("Unable to convert %s (class java.lang.String) to a number"):format(text))
        return false
    end
    local rc
    if type(value) == "string" then
        rc = C.tg_put_text(node, s, name, value, #value)
    elseif type(value) == "number" then
        rc = C.tg_put_number(node, s, name, value)
    else
        rc = C.tg_put_int64(node, s, name, value)
    end
    if rc < 0 then
        reject_ffi(rec)
        return false
    end
    return true
end

--- A step (node, rec) -> true that masks one field, false when the record was
-- rejected. replacement: a text, or nil for the zero of the field's kind.
function M.masker(name, replacement)
    local c = slots_of(name, true)
    local values = {}
    if replacement then
        for tag in pairs(java_names) do values[tag] = replacement_of(replacement, tag) end
    end
    return function(node, rec)
        local s = find(node, c)
        if s < 0 then
            if node.kind == MAP and C.tg_put_null(node, -1, c.name) < 0 then
                reject_ffi(rec)
                return false
            end
            return true
        end
        if replacement then
            return (mask_text(rec, node, s, c.name, replacement, values))
        end
        return (mask_zero(rec, node, s))
    end
end

--- hoisting ----------------------------------------------------------------------

-- Puts the saved value into a new map, or into a new struct whose field has the
-- old schema.
local function hoist(cell, name, old, schema)
    local node = C.tg_cell_put_node(cell, schema ~= nil and STRUCT or MAP)
    if node == nil then return -1 end
    local s = -1
    if schema ~= nil then
        s = C.tg_add_field(node, name, schema)
        if s < 0 then return s end
        if old.tag <= NULL then return 0 end
    end
    if old.tag <= NULL then return C.tg_put_null(node, s, name) end
    return C.tg_put_copy(node, s, name, old)
end

--- A function (r) that wraps the key or value in a map (struct) with one field.
function M.hoister(side, field)
    local name = view.intern(field)
    local is_key = side == "key"
    local saved = ffi.new("tg_value[1]")
    return function(r)
        local rec = to_record(r)
        local cell = is_key and rec.key or rec.value
        if cell.state ~= CELL_DECODED and cell.state ~= CELL_NULL and C.tg_cell_open(cell) < 0 then
            if rec.verdict ~= REJECT then reject_ffi(rec) end
            return
        end
        saved[0] = cell.value
        if cell.state == CELL_NULL then saved[0].tag = NULL end
        if hoist(cell, name, saved[0], cell.schema) < 0 then reject_ffi(rec) end
    end
end

return M
