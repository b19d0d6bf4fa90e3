--- Helpers of the stock transforms, which only tidegate's own files get (as
-- tide.stock). The work is done in C, one call a batch (core/transform).
-- Failures reject the record with Kafka Connect's text instead of raising: one
-- bad record in a batch costs the others nothing.
--
-- Each maker returns the function (batch) that transforms every record. cfg is
-- the transform's configuration: field.syntax.version says how texts name
-- fields, replace.null.with.default whether a null field of a struct reads as its
-- default.
local _, use = ...
local ffi = require "ffi"
local abi = use "abi"
local config = use "config"
local java = use "text"

local C = ffi.C
local slot = abi.slot

local M = {}

local function fail()
    error(ffi.string(C.tg_ffi_error()), 0)
end

local function check(status)
    if status < 0 then fail() end
end

local function owned(handle)
    if handle == nil then fail() end
    return ffi.gc(handle, C.tg_stock_free)
end

local function runner(handle)
    return function()
        if C.tg_stock_apply(handle, slot[0]) < 0 then fail() end
    end
end

local function side_of(side)
    return side == "key" and C.TG_KEY or C.TG_VALUE
end

local function defaults_of(cfg)
    return cfg.replace_null_with_default == false and 0 or 1
end

local function syntax_of(cfg)
    return (cfg.field_syntax_version or "V1"):upper() == "V2" and 1 or 0
end

--- configuration ---------------------------------------------------------------------

--- Definitions that several transforms share.
function M.syntax()
    return {
        default = "V1",
        doc = "How fields are named. V1: by their plain name. V2: by a path, where dots separate "
            .. "steps and a step in backticks may contain dots (a.b, `a.b`.c).",
        check = function(version)
            if not version:upper():match("^V[12]$") then
                return "String must be one of (case insensitive): V1, V2"
            end
        end,
    }
end

function M.defaults()
    return {
        type = "boolean", default = true,
        doc = "Whether a null field of a struct reads as its default.",
    }
end

--- What is wrong with the fields that a key names (a text or a list), as the
-- check of a transform returns it; nil when nothing is.
function M.check_fields(cfg, key)
    local fields = cfg[key]
    for _, field in ipairs(type(fields) == "table" and fields or { fields }) do
        local path = C.tg_stock_path_new(field, #field, syntax_of(cfg))
        if path == nil then
            return { key = key, message = ("Invalid value %s for configuration %s: %s")
                :format(field, key, ffi.string(C.tg_ffi_error())) }
        end
        C.tg_stock_path_free(path)
    end
end

--- fields ----------------------------------------------------------------------------

local types = { INT8 = C.TG_INT8, INT16 = C.TG_INT16, INT32 = C.TG_INT32, INT64 = C.TG_INT64,
    FLOAT32 = C.TG_FLOAT32, FLOAT64 = C.TG_FLOAT64, BOOLEAN = C.TG_BOOL, STRING = C.TG_STR }

--- Casts fields, a list of {field, type}, or the whole value: {{nil, type}}.
function M.cast(side, cfg, casts)
    local whole = not casts[1][1] and types[casts[1][2]] or 0
    local handle = owned(C.tg_stock_cast(side_of(side), defaults_of(cfg), whole))
    for _, cast in ipairs(casts) do
        if cast[1] then
            check(C.tg_stock_cast_field(handle, cast[1], #cast[1], syntax_of(cfg),
                types[cast[2]]))
        end
    end
    return runner(handle)
end

--- Replaces the whole key or value by one of its fields.
function M.extract_field(side, cfg, field)
    return runner(owned(C.tg_stock_extract_field(side_of(side), defaults_of(cfg), field, #field,
        syntax_of(cfg))))
end

--- Joins the names of nested fields with a delimiter.
function M.flatten(side, delimiter)
    return runner(owned(C.tg_stock_flatten(side_of(side), delimiter, #delimiter)))
end

--- Wraps the key or value in a map (a struct when it has a schema) with one field.
function M.hoist(side, field)
    return runner(owned(C.tg_stock_hoist(side_of(side), field, #field)))
end

local inserts = { topic = C.TG_INSERT_TOPIC, partition = C.TG_INSERT_PARTITION,
    offset = C.TG_INSERT_OFFSET, timestamp = C.TG_INSERT_TIMESTAMP, static = C.TG_INSERT_STATIC }

--- Adds fields, a list of {what, name, text}: what is "topic", "partition",
-- "offset", "timestamp" or "static" (text: its value); the name may end in "!"
-- (required) or "?" (optional).
function M.insert_field(side, cfg, fields)
    local handle = owned(C.tg_stock_insert_field(side_of(side), defaults_of(cfg)))
    for _, field in ipairs(fields) do
        local name, text = field[2]:gsub("[!?]$", ""), field[3]
        check(C.tg_stock_insert_field_add(handle, inserts[field[1]], name, #name, syntax_of(cfg),
            field[2]:sub(-1) == "!" and 1 or 0, text, text and #text or 0))
    end
    return runner(handle)
end

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

-- What a replacement is as a number: TG_MASK_*, and its values as such.
local function forms_of(text)
    local forms, int, real = 0, integer_of(text), config.parsers.double(text)
    if int then forms = forms + C.TG_MASK_INT end
    if real then forms = forms + C.TG_MASK_REAL end
    local tail = text:match("^%-?[1-9]%d*(.*)$") or text:match("^%-?0(.*)$")
    tail = tail and tail:gsub("^%.%d+", ""):gsub("^[eE][+-]?%d+$", "")
    if tail == "" then forms = forms + C.TG_MASK_JSON end
    return forms, int or 0, real or 0
end

--- Masks fields with a replacement (a text), or nil for the zero of their kind.
function M.mask_field(side, cfg, fields, replacement)
    local forms, int, real = 0, 0, 0
    if replacement then forms, int, real = forms_of(replacement) end
    local handle = owned(C.tg_stock_mask_field(side_of(side), defaults_of(cfg), replacement,
        replacement and #replacement or 0, forms, int, real))
    for _, field in ipairs(fields) do
        check(C.tg_stock_mask_field_add(handle, field, #field, syntax_of(cfg)))
    end
    return runner(handle)
end

--- Keeps, removes and renames fields; renames is a list of {old, new}.
function M.replace_field(side, cfg, exclude, include, renames)
    local handle = owned(C.tg_stock_replace_field(side_of(side), defaults_of(cfg)))
    local v2 = syntax_of(cfg)
    table.sort(include, function(a, b) return #a < #b end) -- what is whole comes first
    for _, field in ipairs(include) do
        check(C.tg_stock_replace_field_include(handle, field, #field, v2))
    end
    for _, field in ipairs(exclude) do
        check(C.tg_stock_replace_field_exclude(handle, field, #field, v2))
    end
    for _, pair in ipairs(renames) do
        check(C.tg_stock_replace_field_rename(handle, pair[1], #pair[1], v2, pair[2], #pair[2]))
    end
    return runner(handle)
end

--- Makes the key a map or struct of fields of the value.
function M.value_to_key(cfg, fields)
    local handle = owned(C.tg_stock_value_to_key(defaults_of(cfg)))
    for _, field in ipairs(fields) do
        check(C.tg_stock_value_to_key_field(handle, field, #field, syntax_of(cfg)))
    end
    return runner(handle)
end

--- schemas, headers, topics ------------------------------------------------------------

--- Gives the schema another name, another version (nil: the old one).
function M.schema_metadata(side, cfg, name, version)
    return runner(owned(C.tg_stock_schema_metadata(side_of(side), defaults_of(cfg), name,
        version and 1 or 0, version or 0)))
end

--- Removes all headers of these names.
function M.drop_headers(names)
    local handle = owned(C.tg_stock_drop_headers())
    for _, name in ipairs(names) do C.tg_stock_drop_headers_name(handle, name, #name) end
    return runner(handle)
end

--- Appends a header; the type is inferred from the text.
function M.insert_header(name, text)
    return runner(owned(C.tg_stock_insert_header(name, #name, text, #text)))
end

--- Appends headers made of fields, and removes these when move is true.
function M.header_from(side, cfg, fields, headers, move)
    local handle = owned(C.tg_stock_header_from(side_of(side), defaults_of(cfg), move and 1 or 0))
    for i, field in ipairs(fields) do
        check(C.tg_stock_header_from_pair(handle, field, #field, syntax_of(cfg), headers[i],
            #headers[i]))
    end
    return runner(handle)
end

-- syntax: "PLAIN", "JSON_PATH" (of field.format), or as field.syntax.version says.
local function topic_source(side, cfg)
    local syntax = cfg.field_format == "JSON_PATH" and C.TG_PATH_JSON or syntax_of(cfg)
    local from = side == "header" and 0 or side_of(side)
    return C.tg_stock_extract_topic(from, cfg.field, #cfg.field, syntax,
        cfg.skip_missing_or_null and 1 or 0)
end

--- Takes the topic from the key, the value, a field of them, or a header.
function M.extract_topic(side, cfg)
    return runner(owned(topic_source(side, cfg)))
end

--- What is wrong with the field of extract_topic; nil when nothing is.
function M.check_topic(side, cfg)
    local handle = topic_source(side, cfg)
    if handle == nil then
        return { key = "field", message = ("Invalid value %s for configuration field: %s")
            :format(cfg.field, ffi.string(C.tg_ffi_error())) }
    end
    C.tg_stock_free(handle)
end

--- Drops every record.
function M.filter()
    return runner(owned(C.tg_stock_filter()))
end

--- texts and times --------------------------------------------------------------------

--- Replaces topics that match a Java regular expression as a whole.
function M.regex_router(regex, replacement)
    return runner(owned(C.tg_stock_regex_router(regex, #regex, replacement, #replacement)))
end

--- Makes the topic of the topic and the timestamp.
function M.timestamp_router(topic_format, time_format)
    return runner(owned(C.tg_stock_timestamp_router(topic_format, #topic_format, time_format,
        #time_format)))
end

local time_forms = { string = C.TG_TIME_TO_STRING, unix = C.TG_TIME_TO_UNIX,
    Date = C.TG_TIME_TO_DATE, Time = C.TG_TIME_TO_TIME, Timestamp = C.TG_TIME_TO_TIMESTAMP }
local precisions = { seconds = C.TG_UNIX_SECONDS, milliseconds = C.TG_UNIX_MILLIS,
    microseconds = C.TG_UNIX_MICROS, nanoseconds = C.TG_UNIX_NANOS }

--- Converts a field (empty: the whole key or value) to cfg.target_type.
function M.timestamp_converter(side, cfg, pattern)
    local handle = owned(C.tg_stock_timestamp_converter(side_of(side), defaults_of(cfg),
        time_forms[cfg.target_type], precisions[cfg.unix_precision], pattern, #pattern))
    if cfg.field ~= "" then
        check(C.tg_stock_timestamp_converter_field(handle, cfg.field, #cfg.field, syntax_of(cfg)))
    end
    return runner(handle)
end

--- What is wrong with a pattern of dates; nil when nothing is.
M.wrong_date = java.check_date

-- What a predicate's new returns: hide(negate) over the batch.
local function predicate(what, name)
    local handle = C.tg_stock_test_new(what, name, #name)
    if handle == nil then fail() end
    ffi.gc(handle, C.tg_stock_test_free)
    return { hide = function(negate)
        return C.tg_stock_test_hide(handle, slot[0], negate and 1 or 0)
    end }
end

--- Records with a header of that name; whose value is null; whose topic matches.
function M.has_header(name) return predicate(C.TG_TEST_HEADER, name) end
function M.is_tombstone() return predicate(C.TG_TEST_TOMBSTONE, "") end
function M.topic_matches(regex) return predicate(C.TG_TEST_TOPIC, regex) end

return M
