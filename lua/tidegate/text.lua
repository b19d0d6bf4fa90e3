--- Java regular expressions and date patterns for plugins.
--
--   local re = tide.regex("(\\w+)-(?<n>\\d+)")
--   re:matches(s)              the whole text matches
--   re:find(s, init)           first, last and the captures of the first match at
--                              or after init (default 1); nil when there is none
--   re:match(s)                the captures (all of it, when there are none) of a
--                              text that matches as a whole; nil
--   re:replace(s, r), re:replace_first(s, r)
--                              s with every match, or the first, replaced by a
--                              Java template ($1, ${name}, \$)
--   tide.time.format(ms, "yyyy-MM-dd"), tide.time.parse(s, "yyyy-MM-dd")
--   tide.time.formatter(pattern)   format = f(ms); its second result parses
--
-- Make regular expressions and formatters once, in new: the functions compile
-- nothing, so loops over records stay fast. What is wrong with a pattern is an
-- error at once. The pattern is Java's, the string in Lua's source needs its
-- backslashes doubled (or [[...]]).
local _, use = ...
local ffi = require "ffi"
local abi = use "abi"

local C = ffi.C
local raise = abi.raise
local span = ffi.new("uint32_t[2]")
local len = ffi.new("uint32_t[1]")
local ms_cell = ffi.new("int64_t[1]")

local M = {}

local function fail()
    raise(ffi.string(C.tg_ffi_error()))
end

local function need_string(s, what)
    if type(s) ~= "string" then raise(what .. " needs a string, got " .. type(s)) end
end

--- regular expressions ------------------------------------------------------------

local regex = {}
regex.__index = regex
regex.__metatable = false

-- What scripts hold is an empty table; the pointers are here.
local handles = setmetatable({}, { __mode = "k" })

local function handle_of(re, what)
    local handle = handles[re]
    if not handle then raise(what .. " is called with ':' on what tide.regex returned") end
    return handle
end

local function group(handle, s, i)
    if C.tg_regex_span(handle, i, span) == 0 then return nil end
    return s:sub(span[0] + 1, span[1])
end

-- Captures i to n; nil for a group that took no part.
local function captures(handle, s, i, n)
    if i > n then return end
    if i == n then return group(handle, s, i) end
    return group(handle, s, i), captures(handle, s, i + 1, n)
end

--- Whether the whole text matches.
function regex.matches(re, s)
    need_string(s, "matches")
    local found = C.tg_regex_test(handle_of(re, "matches"), s, #s)
    if found < 0 then fail() end
    return found == 1
end

--- First and last position of the first match at or after init, and captures; as
-- string.find.
function regex.find(re, s, init)
    need_string(s, "find")
    local handle = handle_of(re, "find")
    if init ~= nil and type(init) ~= "number" then
        raise("find needs a position, got " .. type(init))
    end
    local from = (init or 1) - 1
    if from < 0 then from = 0 end
    if from > #s then return nil end
    local found = C.tg_regex_search(handle, s, #s, from)
    if found < 0 then fail() end
    if found == 0 then return nil end
    C.tg_regex_span(handle, 0, span)
    return span[0] + 1, span[1] + 0, captures(handle, s, 1, C.tg_regex_groups(handle))
end

--- The captures of a text that matches as a whole (the text, when the pattern has
-- no groups); nil when it does not.
function regex.match(re, s)
    if not regex.matches(re, s) then return nil end
    local handle = handles[re]
    local n = C.tg_regex_groups(handle)
    if n == 0 then return s end
    return captures(handle, s, 1, n)
end

local function replace(re, s, template, all, what)
    need_string(s, what)
    need_string(template, what)
    local p = C.tg_regex_replaced(handle_of(re, what), s, #s, template, #template, all, len)
    if p == nil then fail() end
    return ffi.string(p, len[0])
end

--- s with every match replaced by a template: $1, ${name}, \$ as in Java.
function regex.replace(re, s, template)
    return replace(re, s, template, 1, "replace")
end

--- The same for the first match only.
function regex.replace_first(re, s, template)
    return replace(re, s, template, 0, "replace_first")
end

--- Compiles a Java regular expression.
function M.regex(pattern)
    need_string(pattern, "tide.regex")
    local handle = C.tg_regex_compile(pattern, #pattern)
    if handle == nil then
        raise(("tide.regex: %s: %s"):format(ffi.string(C.tg_ffi_error()), pattern))
    end
    local re = setmetatable({}, regex)
    handles[re] = ffi.gc(handle, C.tg_regex_free)
    return re
end

--- What is wrong with a pattern, or nil.
function M.check_regex(pattern)
    local handle = C.tg_regex_compile(pattern, #pattern)
    if handle == nil then return ffi.string(C.tg_ffi_error()) end
    C.tg_regex_free(handle)
    return nil
end

--- times ----------------------------------------------------------------------------

local function compile_date(pattern, what)
    need_string(pattern, what)
    local handle = C.tg_date_compile(pattern, #pattern)
    if handle == nil then raise(what .. ": " .. ffi.string(C.tg_ffi_error())) end
    return ffi.gc(handle, C.tg_date_format_free)
end

--- What is wrong with a date pattern, or nil.
function M.check_date(pattern)
    local handle = C.tg_date_compile(pattern, #pattern)
    if handle == nil then return ffi.string(C.tg_ffi_error()) end
    C.tg_date_format_free(handle)
    return nil
end

local function format_with(handle, ms)
    if type(ms) ~= "number" and not ffi.istype(abi.int64, ms) then
        raise("a time is a number of ms since 1970, got " .. type(ms))
    end
    if ms ~= ms then raise("a time is a number of ms since 1970, got NaN") end
    local p = C.tg_date_text(handle, ms, len)
    if p == nil then fail() end
    return ffi.string(p, len[0])
end

local function parse_with(handle, text)
    need_string(text, "parsing a time")
    if C.tg_date_parse(handle, text, #text, ms_cell) < 0 then
        return nil, ffi.string(C.tg_ffi_error())
    end
    return tonumber(ms_cell[0])
end

--- format, parse = tide.time.formatter(pattern): format(ms) gives the text of a
-- time in UTC; parse(text) gives ms, or nil and what is wrong, leniently as
-- SimpleDateFormat. Both are as fast as compiled code.
function M.formatter(pattern)
    local handle = compile_date(pattern, "tide.time.formatter")
    return function(ms) return format_with(handle, ms) end,
        function(text) return parse_with(handle, text) end
end

-- Patterns that format and parse met; few, so they are kept.
local known, known_count, KNOWN_MAX = {}, 0, 64

local function known_format(pattern, what)
    local handle = known[pattern]
    if handle then return handle end
    handle = compile_date(pattern, what)
    if known_count == KNOWN_MAX then known, known_count = {}, 0 end
    known[pattern] = handle
    known_count = known_count + 1
    return handle
end

--- Text of a time (ms since 1970) by a Java pattern, in UTC.
function M.format(ms, pattern)
    return format_with(known_format(pattern, "tide.time.format"), ms)
end

--- ms of a text by a Java pattern; nil and what is wrong.
function M.parse(text, pattern)
    return parse_with(known_format(pattern, "tide.time.parse"), text)
end

return M
