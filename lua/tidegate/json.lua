--- JSON of plain Lua values: offsets, partitions, configurations and what
-- scripts exchange with the world. Records never pass here (C encodes them).
local host, use = ...
local ffi = require "ffi"
local abi = use "abi"

local type, pairs, tostring = type, pairs, tostring
local concat, sort, format = table.concat, table.sort, string.format

local M = {}

--- Metatables that say what a table is. array and map are the host's own, so
-- decoded JSON keeps [] and {} apart.
M.markers = {
    array = host.array or {},
    map = host.object or {},
    ordered = {},
    bytes = {},
    raw = {},
    typed = {},
    decimal = {},
}
local markers = M.markers
for _, mt in pairs(markers) do
    mt.__metatable = false
end
-- getmetatable() of a marked table gives false, so marks are read past it.
local rawmeta = debug.getmetatable

--- Which marker a table carries: "array", "map", "ordered", "bytes", "raw" or nil.
function M.mark(t)
    local mt = rawmeta(t)
    if mt == nil then return nil end
    for name, marker in pairs(markers) do
        if mt == marker then return name end
    end
    return nil
end

local escapes = {
    ['"'] = '\\"', ['\\'] = '\\\\', ['\b'] = '\\b', ['\f'] = '\\f',
    ['\n'] = '\\n', ['\r'] = '\\r', ['\t'] = '\\t',
}

local function escape(c)
    return escapes[c] or format("\\u%04X", c:byte())
end

local function quote(s)
    return '"' .. s:gsub('[%c"\\]', escape):gsub("\\u007F", "\127") .. '"'
end

local function number_text(d)
    if d ~= d or d == math.huge or d == -math.huge then
        error("NaN and infinities cannot become JSON", 0)
    end
    if d % 1 == 0 and d <= 9007199254740992 and d >= -9007199254740992 then
        return format("%d", d)
    end
    for digits = 15, 17 do
        local s = format("%." .. digits .. "g", d)
        if tonumber(s) == d then return s end
    end
    return nil
end

local encode

local function encode_list(t, out, depth)
    local n = 0
    for _ in pairs(t) do n = n + 1 end
    if n ~= #t then error("an array with holes or names cannot become JSON", 0) end
    out[#out + 1] = "["
    for i = 1, #t do
        if i > 1 then out[#out + 1] = "," end
        encode(t[i], out, depth + 1)
    end
    out[#out + 1] = "]"
end

local function encode_member(first, name, x, out, depth)
    if type(name) ~= "string" then
        error("names of JSON members are strings, got " .. tostring(name), 0)
    end
    if not first then out[#out + 1] = "," end
    out[#out + 1] = quote(name)
    out[#out + 1] = ":"
    encode(x, out, depth + 1)
end

local function encode_map(t, out, depth)
    local names = {}
    for name in pairs(t) do
        if type(name) ~= "string" then
            error("names of JSON members are strings, got " .. tostring(name), 0)
        end
        names[#names + 1] = name
    end
    sort(names)
    out[#out + 1] = "{"
    for i, name in ipairs(names) do
        encode_member(i == 1, name, t[name], out, depth)
    end
    out[#out + 1] = "}"
end

local function encode_ordered(t, out, depth)
    out[#out + 1] = "{"
    for i = 1, #t, 2 do
        encode_member(i == 1, t[i], t[i + 1], out, depth)
    end
    out[#out + 1] = "}"
end

local function encode_table(t, out, depth)
    if depth > 512 then error("nested deeper than 512 levels, or in itself", 0) end
    local mark = M.mark(t)
    if mark == "bytes" or mark == "raw" then
        error("bytes cannot become JSON", 0)
    elseif mark == "decimal" then
        out[#out + 1] = t[1]
    elseif mark == "typed" then
        error("a value with a schema cannot become JSON: encode its data", 0)
    elseif mark == "ordered" then
        encode_ordered(t, out, depth)
    elseif mark == "array" or mark == nil and t[1] ~= nil then
        encode_list(t, out, depth)
    else
        encode_map(t, out, depth)
    end
end

encode = function(x, out, depth)
    local t = type(x)
    if t == "string" then
        out[#out + 1] = quote(x)
    elseif t == "number" then
        out[#out + 1] = number_text(x)
    elseif t == "boolean" then
        out[#out + 1] = tostring(x)
    elseif t == "table" then
        encode_table(x, out, depth)
    elseif t == "cdata" and x == nil or t == "nil" or x == host.null then
        out[#out + 1] = "null"
    elseif ffi.istype(abi.int64, x) or ffi.istype(abi.uint64, x) then
        out[#out + 1] = (tostring(x):gsub("U?LL$", ""))
    else
        error("a " .. t .. " cannot become JSON", 0)
    end
end

--- Compact JSON of a plain value; names of maps are sorted unless the table was
-- made by tide.ordered. Raises what cannot be written.
function M.encode(x)
    local out = {}
    encode(x, out, 0)
    return concat(out)
end

local function with_null(x)
    if type(x) == "table" then
        for k, v in pairs(x) do
            if type(v) == "table" then
                with_null(v)
            elseif v == host.null then
                x[k] = abi.null
            end
        end
    elseif x == host.null then
        return abi.null
    end
    return x
end
M.with_null = with_null

--- Lua value of a JSON text (null is tide.null), or nil and what is wrong.
function M.decode(text)
    local x, err = host.json_decode(text)
    if x == nil and err then return nil, err end
    return with_null(x)
end

return M
