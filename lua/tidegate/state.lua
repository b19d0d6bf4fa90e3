--- State that one version of a plugin hands to the next: plain data as one
-- string, so that it outlives the environment, or the VM, that made it.
--
--   N null, T true, F false, D<text>; number, I<text>; int64, S<length>:bytes,
--   { or a marker's letter, then key and value of every entry, then }
local _, use = ...
local ffi = require "ffi"
local abi = use "abi"
local json = use "json"

local type, tostring, tonumber, pairs = type, tostring, tonumber, pairs
local concat, format = table.concat, string.format
local int64, uint64 = abi.int64, abi.uint64

local M = {}

local MAX_DEPTH = 100

local letters = { array = "A", map = "M", ordered = "O", bytes = "B", raw = "R", decimal = "C" }
local markers = {}
for name, letter in pairs(letters) do markers[letter] = json.markers[name] end

local rawmeta = debug.getmetatable

local function refuse(path, what)
    error(("%s is %s; a state holds null, booleans, numbers, int64, strings and tables of these")
        :format(path, what), 0)
end

local function number_text(x)
    if x ~= x then return "nan" end
    if x == math.huge then return "inf" end
    if x == -math.huge then return "-inf" end
    return format("%.17g", x)
end

local encode

local function encode_table(x, out, path, depth)
    if depth > MAX_DEPTH then
        refuse(path, ("nested deeper than %d levels, or in itself"):format(MAX_DEPTH))
    end
    local mark = json.mark(x)
    if not letters[mark or "map"] or not mark and rawmeta(x) ~= nil then
        refuse(path, "a table with a metatable")
    end
    out[#out + 1] = mark and letters[mark] or "{"
    for k, v in pairs(x) do
        local kind = type(k)
        if kind ~= "string" and kind ~= "number" and kind ~= "boolean" then
            refuse(path, "a table with a " .. kind .. " as key")
        end
        encode(k, out, path, depth)
        encode(v, out, ("%s[%s]"):format(path, kind == "string" and format("%q", k)
            or tostring(k)), depth + 1)
    end
    out[#out + 1] = "}"
end

function encode(x, out, path, depth)
    local kind = type(x)
    if kind == "boolean" then
        out[#out + 1] = x and "T" or "F"
    elseif kind == "number" then
        out[#out + 1] = "D" .. number_text(x) .. ";"
    elseif kind == "string" then
        out[#out + 1] = "S" .. #x .. ":"
        out[#out + 1] = x
    elseif kind == "table" then
        encode_table(x, out, path, depth)
    elseif kind == "cdata" and ffi.istype(int64, x) then
        out[#out + 1] = "I" .. tostring(x):match("^%-?%d+") .. ";"
    elseif kind == "cdata" and ffi.istype(uint64, x) then
        out[#out + 1] = "U" .. tostring(x):match("^%d+") .. ";"
    elseif x == nil then -- tide.null, or nothing
        out[#out + 1] = "N"
    elseif kind == "cdata" then
        refuse(path, "a view of a record, which is gone after the batch")
    else
        refuse(path, "a " .. kind)
    end
end

--- Text of plain data; raises a sentence that names what is not plain.
function M.encode(x)
    local out = {}
    encode(x, out, "the state", 0)
    return concat(out)
end

local decode

local function decode_table(text, at, marker)
    local t = {}
    while text:sub(at, at) ~= "}" do
        local k, v
        k, at = decode(text, at)
        v, at = decode(text, at)
        t[k] = v
    end
    return marker and setmetatable(t, marker) or t, at + 1
end

local function integer(digits, zero)
    local negative = digits:sub(1, 1) == "-"
    for d in digits:gmatch("%d") do
        zero = negative and zero * 10 - tonumber(d) or zero * 10 + tonumber(d)
    end
    return zero
end

local numbers = { nan = 0 / 0, inf = math.huge, ["-inf"] = -math.huge }

function decode(text, at)
    local tag = text:sub(at, at)
    if tag == "N" then return abi.null, at + 1 end
    if tag == "T" or tag == "F" then return tag == "T", at + 1 end
    if tag == "S" then
        local n, from = text:match("^(%d+):()", at + 1)
        return text:sub(from, from + n - 1), from + n
    end
    if tag == "D" or tag == "I" or tag == "U" then
        local digits, after = text:match("^([^;]*);()", at + 1)
        if tag == "D" then return numbers[digits] or tonumber(digits), after end
        return integer(digits, tag == "I" and 0LL or 0ULL), after
    end
    return decode_table(text, at + 1, markers[tag])
end

--- The data of a text that encode made.
function M.decode(text)
    return (decode(text, 1))
end

return M
