--- Config tables of plugins: definitions, parsing and validation with the rules
-- and messages of Kafka's ConfigDef (values are trimmed and read strictly).
--
-- A definition table maps a key to
--   type        "string" (default), "int", "long", "boolean", "double", "list",
--               "password", "class" or "regex"
--   required    true: no default; default: a value of the type
--   choices     list of accepted texts; min, max: range of numbers
--   non_empty   true: the empty text or list is refused
--   check       function (value) -> nil, or what is wrong with it
--   doc, importance ("high", "medium", "low"), group, display, order
-- A key that ends in ".*" collects every key with that prefix: cfg.headers for
-- ["headers.*"] is a table without the prefix.
local host, use = ...
local ffi = require "ffi"
local abi = use "abi"
local nearest = use "nearest"
local java = use "text"

local M = {}

local INT_MAX, INT_MIN = 2147483647, -2147483648
local known_members = {
    "type", "required", "default", "choices", "min", "max", "non_empty", "check", "doc",
    "importance", "group", "display", "order", "name",
}

local function trim(s)
    return (s:match("^%s*(.-)%s*$"))
end

--- types -------------------------------------------------------------------------

local function parse_long(text)
    if not text:match("^[+-]?%d+$") then return nil, "Not a number of type LONG" end
    local negative = text:sub(1, 1) == "-"
    local digits = text:gsub("^[+-]", ""):gsub("^0+", "")
    if #digits > 19 or #digits == 19 and digits > "9223372036854775807"
        and not (negative and digits == "9223372036854775808") then
        return nil, "Not a number of type LONG"
    end
    local value = 0LL
    for digit in digits:gmatch("%d") do
        value = value * 10LL + tonumber(digit)
    end
    if negative then value = -value end
    if value <= abi.max_exact and value >= -abi.max_exact then return tonumber(value) end
    return value
end

--- type -> function (text) -> value, or nil and what is wrong.
local parsers = {}
M.parsers = parsers

function parsers.string(text) return text end
parsers.password = parsers.string
parsers.class = parsers.string

function parsers.regex(pattern)
    local wrong = java.check_regex(pattern)
    if wrong then return nil, "Invalid regex: " .. wrong end
    return pattern
end

parsers.long = parse_long

function parsers.int(text)
    local value = parse_long(text)
    if type(value) ~= "number" or value > INT_MAX or value < INT_MIN then
        return nil, "Not a number of type INT"
    end
    return value
end

function parsers.boolean(text)
    local word = text:lower()
    if word == "true" then return true end
    if word == "false" then return false end
    return nil, "Expected value to be either true or false"
end

function parsers.double(text)
    local word = text:gsub("[dDfF]$", "")
    if word == "NaN" then return 0/0 end
    if word == "Infinity" or word == "+Infinity" then return math.huge end
    if word == "-Infinity" then return -math.huge end
    if not word:match("^[+-]?%d+%.?%d*[eE]?[+-]?%d*$")
        and not word:match("^[+-]?%.%d+[eE]?[+-]?%d*$") then
        return nil, "Not a number of type DOUBLE"
    end
    local value = tonumber(word)
    if not value then return nil, "Not a number of type DOUBLE" end
    return value
end

function parsers.list(text)
    local out = {}
    if text == "" then return out end
    for item in (text .. ","):gmatch("%s*(.-)%s*,") do
        out[#out + 1] = item
    end
    return out
end

local type_names = {}
for name in pairs(parsers) do type_names[#type_names + 1] = name end
table.sort(type_names)

--- definitions ------------------------------------------------------------------

local function check_definition(name, def)
    if type(def) ~= "table" then
        error(("config key '%s': the definition is a table, got %s"):format(name, type(def)), 0)
    end
    for member in pairs(def) do
        if type(member) == "string" then
            local found = false
            for _, k in ipairs(known_members) do found = found or k == member end
            if not found then
                error(("config key '%s': unknown member '%s'%s"):format(name, member,
                    nearest.hint(member, known_members)), 0)
            end
        end
    end
    local kind = def.type or "string"
    if not parsers[kind] then
        error(("config key '%s': unknown type '%s'%s; there are %s"):format(name, tostring(kind),
            nearest.hint(tostring(kind), type_names), table.concat(type_names, ", ")), 0)
    end
    if def.required and def.default ~= nil then
        error(("config key '%s' is required and has a default: drop one"):format(name), 0)
    end
    local default = def.default
    local expect = { boolean = "boolean", int = "number", long = "number", double = "number",
        list = "table" }
    if default ~= nil and type(default) ~= (expect[kind] or "string")
        and not (kind == "long" and ffi.istype(abi.int64, default)) then
        error(("config key '%s': the default must be a %s, got %s"):format(name,
            expect[kind] or "string", type(default)), 0)
    end
end

--- Checks a plugin's config table and returns its definitions as a list in
-- order: by `order`, then required ones, then by name.
function M.definitions(config)
    local list = {}
    for name, def in pairs(config or {}) do
        if type(name) == "number" then name = type(def) == "table" and def.name or name end
        if type(name) ~= "string" then
            error(("config key '%s': a key is a string"):format(tostring(name)), 0)
        end
        check_definition(name, def)
        list[#list + 1] = { name = name, kind = def.type or "string", def = def,
            prefix = name:match("^(.*%.)%*$") }
    end
    table.sort(list, function(a, b)
        local x, y = a.def.order or math.huge, b.def.order or math.huge
        if x ~= y then return x < y end
        if (a.def.required or false) ~= (b.def.required or false) then
            return a.def.required or false
        end
        return a.name < b.name
    end)
    return list
end

local function default_text(d)
    local default = d.def.default
    if default == nil then return nil end
    if type(default) == "table" then return table.concat(default, ",") end
    if d.kind == "double" and default % 1 == 0 then return ("%.1f"):format(default) end
    if type(default) == "number" then return ("%.17g"):format(default) end
    return (tostring(default):gsub("U?LL$", ""))
end

--- The definitions as the REST API shows them (ConfigKeyInfo).
function M.describe(definitions)
    local out = {}
    for i, d in ipairs(definitions) do
        out[i] = {
            name = d.name,
            type = d.kind == "regex" and "STRING" or d.kind:upper(),
            required = d.def.required and true or false,
            default_value = default_text(d) or host.null,
            importance = (d.def.importance or (d.def.required and "high" or "medium")):upper(),
            documentation = d.def.doc or "",
            group = d.def.group or host.null,
            display_name = d.def.display or d.name,
            width = "NONE",
            order = i,
            choices = d.def.choices,
        }
    end
    return out
end

--- parsing ------------------------------------------------------------------------

local function shown(d, text)
    return d.kind == "password" and "[hidden]" or text
end

local function check_range(d, value)
    local def = d.def
    if type(value) ~= "number" and not ffi.istype(abi.int64, value) then return nil end
    if def.min and value < def.min then
        return "Value must be at least " .. def.min
    end
    if def.max and value > def.max then
        return "Value must be no more than " .. def.max
    end
end

local function check_choices(d, value)
    local choices = d.def.choices
    if not choices then return nil end
    for _, item in ipairs(type(value) == "table" and value or { value }) do
        local found = false
        for _, choice in ipairs(choices) do found = found or choice == item end
        if not found then
            return "String must be one of: " .. table.concat(choices, ", ")
                .. nearest.hint(tostring(item), choices)
        end
    end
end

local function check_value(d, value)
    if d.def.non_empty then
        if value == "" then return "String must be non-empty" end
        if type(value) == "table" and #value == 0 then return "Empty list" end
    end
    return check_range(d, value) or check_choices(d, value)
        or d.def.check and d.def.check(value) or nil
end

local function problem(key, value, message)
    return { key = key, value = value, message = message }
end

local function text_of(raw)
    if type(raw) == "boolean" then return tostring(raw) end
    if type(raw) == "number" then return ("%.17g"):format(raw) end
    return raw
end

-- Value of one key, or nil and a problem.
local function parse_one(d, raw)
    local text = text_of(raw)
    if type(text) ~= "string" then
        return nil, problem(d.name, nil, ("Invalid value for configuration %s: expected a string")
            :format(d.name))
    end
    text = trim(text)
    local value, wrong = parsers[d.kind](text)
    if value ~= nil then wrong = check_value(d, value) end
    if wrong then
        return nil, problem(d.name, shown(d, text), ("Invalid value %s for configuration %s: %s")
            :format(shown(d, text), d.name, wrong))
    end
    return value
end

local function parse_prefix(d, config, errors)
    local out = {}
    for key, raw in pairs(config) do
        if key:sub(1, #d.prefix) == d.prefix and #key > #d.prefix then
            local one = setmetatable({ name = key }, { __index = d })
            local value, wrong = parse_one(one, raw)
            if wrong then errors[#errors + 1] = wrong end
            out[key:sub(#d.prefix + 1)] = value
        end
    end
    return out
end

local function absent(raw)
    return raw == nil or type(raw) == "userdata" or type(raw) == "cdata"
end

local function parse_key(d, config, errors)
    if d.prefix then return parse_prefix(d, config, errors) end
    local raw = config[d.name]
    if not absent(raw) then
        local value, wrong = parse_one(d, raw)
        if wrong then errors[#errors + 1] = wrong end
        return value
    end
    if d.def.required then
        errors[#errors + 1] = problem(d.name, nil,
            ('Missing required configuration "%s" which has no default value.'):format(d.name))
        return nil
    end
    local default = d.def.default
    if type(default) == "table" then default = { unpack(default) } end
    return default
end

--- Parses a configuration (a table of texts). Returns cfg, errors: cfg holds the
-- typed values under their keys, and under the key with "." and "-" as "_".
function M.parse(definitions, config)
    local cfg, errors = {}, {}
    for _, d in ipairs(definitions) do
        local value = parse_key(d, config, errors)
        local key = d.prefix and d.prefix:sub(1, -2) or d.name
        cfg[key] = value
        local alias = key:gsub("[.-]", "_")
        if cfg[alias] == nil then cfg[alias] = value end
    end
    return cfg, errors
end

local function is_known(key, known)
    for _, k in ipairs(known) do
        if k == key then return true end
        local prefix = k:match("^(.*[.])%*?$")
        if prefix and key:sub(1, #prefix) == prefix then return true end
    end
    return false
end

--- Warnings about keys that nobody knows. known: keys of the framework; one that
-- ends in "." or ".*" stands for every key with that prefix.
function M.unknown(definitions, config, known)
    local names, out = {}, {}
    for _, d in ipairs(definitions) do names[#names + 1] = d.name end
    local keys = {}
    for key in pairs(config) do keys[#keys + 1] = key end
    table.sort(keys)
    local all = { unpack(names) }
    for _, k in ipairs(known or {}) do all[#all + 1] = k end
    for _, key in ipairs(keys) do
        if not is_known(key, names) and not is_known(key, known or {}) then
            out[#out + 1] = problem(key, text_of(config[key]), ("Unknown configuration '%s'%s")
                :format(key, nearest.hint(key, all)))
        end
    end
    return out
end

return M
