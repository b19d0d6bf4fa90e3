--- tide.schema: Connect schemas, for records that say what they hold.
--
--   local order = tide.schema {
--       name = "com.acme.Order", version = 1,
--       "id: int64", "price: decimal(2)", "at: timestamp", "note: string?",
--       "tags: array<string>", "counts: map<string, int32>",
--       { "state", "string", default = "new", doc = "Where it stands." },
--       { "address", tide.schema { "city: string", "zip: string?" } },
--   }
--   r.value = order { id = 1, price = tide.decimal "12.30", at = tide.now(), ... }
--   r.value = order(r.value)                a JSON value gets the schema
--
-- Types: int8 int16 int32 int64 float32 float64 boolean string bytes decimal(n)
-- date time timestamp array<T> map<K, V>; T? is optional. tide.schema "int64?" and
-- tide.schema { type = "string", optional = .., default = .., name = .., version = ..,
-- doc = .., parameters = {..} } make schemas that are no structs.
--
-- A schema has: type, name, version, doc, parameters, optional, default, fields (list
-- of {name, schema}), keys, values, items. tide.schema.of(r, "key" | "value") is the
-- schema of a record's key or value, tide.schema.of(r.value.x) that of a nested struct,
-- array or map; nil when there is none.
local _, use = ...
local ffi = require "ffi"
local abi = use "abi"
local decimal = use "decimal"
local json = use "json"
local nearest = use "nearest"
local view = use "view"

local C, raise, len = ffi.C, abi.raise, abi.len
local ordered, typed = json.markers.ordered, json.markers.typed
local rawmeta = debug.getmetatable

local M = {}
local meta = { __metatable = false }
local LOGICAL = "org.apache.kafka.connect.data."
local MAX_SCALE = 9800

--- the text form -> the form of JsonConverter's envelope ----------------------------

local plain = { int8 = "int8", int16 = "int16", int32 = "int32", int64 = "int64",
    float32 = "float", float64 = "double", float = "float", double = "double",
    boolean = "boolean", string = "string", bytes = "bytes" }
local logical = { date = { "int32", "Date" }, time = { "int32", "Time" },
    timestamp = { "int64", "Timestamp" } }

local function type_names()
    local names = { "decimal", "array", "map" }
    for name in pairs(plain) do names[#names + 1] = name end
    for name in pairs(logical) do names[#names + 1] = name end
    table.sort(names)
    return names
end

local parse

-- After "array" or "map": <T> or <K, V> at p. Returns the list and where it ends.
local function parse_inner(text, p, n)
    local parts = {}
    p = text:match("^%s*<()", p)
    for i = 1, n do
        if not p then return nil end
        parts[i], p = parse(text, p)
        p = text:match(i < n and "^%s*,()" or "^%s*>()", p)
    end
    return p and parts, p
end

-- A type at p: its members as {name, value, ...} without "optional", and where it ends.
local function parse_base(text, p)
    local word, at = text:match("^%s*([%a][%w]*)()", p)
    if plain[word] then return { "type", plain[word] }, at end
    if logical[word] then
        local t = logical[word]
        return { "type", t[1], "name", LOGICAL .. t[2], "version", 1 }, at
    end
    if word == "decimal" then
        local scale, after = text:match("^%s*%(%s*(%-?%d+)%s*%)()", at)
        if scale and math.abs(tonumber(scale)) > MAX_SCALE then
            raise(("schema '%s': a decimal has a scale of at most %d"):format(text, MAX_SCALE))
        end
        if not scale then raise("schema '" .. text .. "': decimal needs its scale: decimal(2)") end
        return { "type", "bytes", "name", LOGICAL .. "Decimal", "version", 1, "parameters",
            { scale = scale } }, after
    end
    local n = word == "array" and 1 or word == "map" and 2
    local parts, after
    if n then parts, after = parse_inner(text, at, n) end
    if not parts then
        raise(("schema '%s': '%s' is no type%s; there are %s"):format(text,
            word or text:sub(p), nearest.hint(word or "", type_names()),
            table.concat(type_names(), ", ")))
    end
    if n == 1 then return { "type", "array", "items", parts[1] }, after end
    return { "type", "map", "keys", parts[1], "values", parts[2] }, after
end

-- The same with "optional", as an ordered table.
parse = function(text, p)
    local members, at = parse_base(text, p)
    local after = text:match("^%s*%?()", at)
    members[#members + 1] = "optional"
    members[#members + 1] = after ~= nil
    return setmetatable(members, ordered), after or at
end

local function parse_all(text)
    local members, at = parse(text, 1)
    if text:find("%S", at) then
        raise(("schema '%s': '%s' stands behind the type"):format(text, text:sub(at)))
    end
    return members
end

local function member(members, name, value)
    for i = 1, #members, 2 do
        if members[i] == name then
            members[i + 1] = value
            return
        end
    end
    members[#members + 1] = name
    members[#members + 1] = value
end

local function is(x)
    return rawmeta(x) == meta
end

local function copy(list)
    local out = {}
    for i, x in ipairs(list) do out[i] = x end
    return setmetatable(out, ordered)
end

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local function base64(s)
    local out = {}
    for i = 1, #s, 3 do
        local a, b, c = s:byte(i, i + 2)
        local n = a * 65536 + (b or 0) * 256 + (c or 0)
        for shift = 3, 0, -1 do
            local at = math.floor(n / 64 ^ shift) % 64 + 1
            out[#out + 1] = (b or shift > 1) and (c or shift > 0) and ALPHABET:sub(at, at) or "="
        end
    end
    return table.concat(out)
end

local find

-- The default of a schema as the envelope has it: bytes as base64, decimals with
-- all their digits.
local function default_of(members, value)
    if find(members, "type") ~= "bytes" or value == nil then return value end
    if find(members, "name") ~= LOGICAL .. "Decimal" then
        if rawmeta(value) == json.markers.bytes then value = rawget(value, 1) end
        return type(value) == "string" and base64(value) or value
    end
    local scale = tonumber(find(members, "parameters").scale)
    local exact = decimal.new(value)
    local fits = exact:round(scale)
    if fits ~= exact then
        raise(("tide.schema: the default %s has more decimals than %d"):format(exact:text(), scale))
    end
    return fits
end

local known = { optional = true, name = true, version = true, doc = true, parameters = true,
    default = true, type = true }
local in_order = { "optional", "name", "version", "doc", "parameters", "default" }

-- Lays the members of a table over those of its type.
local function overlay(members, spec)
    for name in pairs(spec) do
        if type(name) == "string" and not known[name] then
            raise(("tide.schema: unknown member '%s'%s; there are type, optional, name, version, "
                .. "doc, parameters and default"):format(name, nearest.hint(name, in_order)))
        end
    end
    for _, name in ipairs(in_order) do
        local value = spec[name]
        if name == "default" then value = default_of(members, value) end
        if type(value) ~= "nil" then member(members, name, value) end
    end
    return members
end

local build, members_of

local function build_field(item, i)
    local name, of
    if type(item) == "string" then
        name, of = item:match("^%s*([^:]-)%s*:%s*(.+)$")
    elseif type(item) == "table" then
        name, of = item[1], item[2]
    end
    if type(name) ~= "string" or name == "" or type(of) == "nil" then
        raise(("tide.schema: field %d must be \"name: type\" or {\"name\", type, ..}, got %s")
            :format(i, tostring(item)))
    end
    local members = copy(build(of))
    if type(item) == "table" then
        local rest = {}
        for k, v in pairs(item) do
            if type(k) == "string" then rest[k] = v end
        end
        overlay(members, rest)
    end
    member(members, "field", name)
    return members
end

local function build_struct(spec)
    local fields = setmetatable({}, json.markers.array)
    for i, item in ipairs(spec) do fields[i] = build_field(item, i) end
    return overlay(setmetatable({ "type", "struct", "fields", fields, "optional", false },
        ordered), spec)
end

build = function(spec)
    if is(spec) then return members_of(spec) end
    if type(spec) == "string" then return parse_all(spec) end
    if type(spec) ~= "table" then
        raise("tide.schema needs a text such as \"int64?\" or a table, got " .. type(spec))
    end
    if spec.type == nil then return build_struct(spec) end
    return overlay(copy(build(spec.type)), spec)
end

--- objects ----------------------------------------------------------------------------

local by_address = {}

local function address(ptr)
    return tostring(ffi.cast("uintptr_t", ptr))
end

local function object(ptr, members)
    local key = address(ptr)
    local made = by_address[key]
    if not made then
        made = setmetatable({ ptr = ptr, members = members }, meta)
        by_address[key] = made
    end
    return made
end

local function of_members(members)
    local text = json.encode(members)
    local ptr = C.tg_schema_parse(text, #text)
    if ptr == nil then raise("tide.schema: " .. ffi.string(C.tg_ffi_error())) end
    return object(ptr, members)
end

local function text_of(self)
    local p = C.tg_schema_json(rawget(self, "ptr"), len)
    return ffi.string(p, len[0])
end

-- Members of a schema that came with a record.
members_of = function(self)
    local members = rawget(self, "members")
    if members then return members end
    local function convert(t)
        local out = {}
        for _, name in ipairs { "type", "items", "keys", "values", "fields", "optional", "name",
            "version", "doc", "parameters", "default", "field" } do
            local value = t[name]
            if type(value) ~= "nil" then
                if name == "items" or name == "keys" or name == "values" then
                    value = convert(value)
                elseif name == "fields" then
                    local list = setmetatable({}, json.markers.array)
                    for i, f in ipairs(value) do list[i] = convert(f) end
                    value = list
                end
                out[#out + 1] = name
                out[#out + 1] = value
            end
        end
        return setmetatable(out, ordered)
    end
    members = convert(json.decode(text_of(self)))
    rawset(self, "members", members)
    return members
end

find = function(members, name)
    for i = 1, #members, 2 do
        if members[i] == name then return members[i + 1] end
    end
    return nil
end

local function without_field(members)
    local out = {}
    for i = 1, #members, 2 do
        if members[i] ~= "field" then
            out[#out + 1] = members[i]
            out[#out + 1] = members[i + 1]
        end
    end
    return setmetatable(out, ordered)
end

meta.__index = function(self, name)
    local value = find(members_of(self), name)
    if name == "fields" and value then
        local list = {}
        for i, f in ipairs(value) do
            list[i] = { name = find(f, "field"), schema = of_members(without_field(f)) }
        end
        return list
    end
    if value and (name == "items" or name == "keys" or name == "values") then
        return of_members(value)
    end
    return value
end

meta.__newindex = function() raise("a schema cannot be changed: make a new one") end
meta.__tostring = text_of
meta.__eq = function(a, b) return rawget(a, "ptr") == rawget(b, "ptr") end
meta.__call = function(self, data)
    return setmetatable({ rawget(self, "ptr"), data }, typed)
end

--- What tide.schema is: callable, with of().
function M.module()
    return setmetatable({ of = M.of }, {
        __metatable = false,
        __call = function(_, spec)
            if is(spec) then return spec end
            return of_members(build(spec))
        end,
    })
end

--- Schema of a record's "key" or "value" (the default), or of a nested value.
function M.of(x, which)
    local rec = view.record(x)
    local ptr
    if rec then
        local cell = which == "key" and rec.key or rec.value
        if which ~= nil and which ~= "key" and which ~= "value" then
            raise("tide.schema.of(r, which): which is 'key' or 'value', got " .. tostring(which))
        end
        if C.tg_cell_open(cell) < 0 then raise(ffi.string(C.tg_ffi_error())) end
        ptr = cell.schema
    else
        local node = view.node(x)
        if not node then
            raise("tide.schema.of needs a record, or a map or array of one, got " .. type(x))
        end
        ptr = C.tg_schema_at(node)
    end
    if ptr == nil then return nil end
    return object(ptr)
end

return M
