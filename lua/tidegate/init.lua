--- What `require "tidegate"` gives to plugins.
--
--   tide.transform, predicate, source, sink   declare a plugin (one per file)
--   tide.null                                 null; nil means "no such field"
--   tide.path, number, string, int64          handles on a path of a record
--   tide.has, eq, str, copy, rename, remove, kind, plan
--                                             over one field of a record
--   tide.array{..}, map{..}, ordered{n, v, ..}, bytes(s), raw(conv, s)
--                                             values that Lua cannot tell apart
--   tide.schema{..}, tide.decimal(x)          schemas and exact decimals
--   tide.json.encode(x), decode(text)         JSON of plain values
--   tide.log, now, clock                      logging and clocks
--   tide.regex, time.format, parse, formatter Java's regular expressions and dates
--   tide.retriable(text), fatal(text)         errors to raise: try again; give up
--   connectors only: tide.sleep, stopping, lines, writer
-- Each is documented where it is defined: handles.lua, services.lua, json.lua,
-- schema.lua, decimal.lua.
local _, use = ...
local abi = use "abi"
local json = use "json"
local handles = use "handles"
local services = use "services"
local view = use "view"
local schema = use "schema"
local decimal = use "decimal"
local stock = use "stock"
local java = use "text"

local raise = abi.raise
local M = {}
local declares = {}

--- plugin.lua gives the declaring functions.
function M.declare(kind, fn)
    declares[kind] = fn
end

local function mark(marker, name)
    return function(t)
        if type(t) ~= "table" then
            raise(("tide.%s needs a table, got %s"):format(name, type(t)))
        end
        return setmetatable(t, marker)
    end
end

--- tide.bytes(s): s as bytes, not text, when it is stored.
local function bytes(s)
    if type(s) ~= "string" then raise("tide.bytes needs a string, got " .. type(s)) end
    return setmetatable({ s }, json.markers.bytes)
end

--- tide.raw("json", text): a whole value, key or header value in the encoding of
-- a converter ("json", "string", "bytes"); decoded only when somebody looks.
local function raw(conv, s)
    if type(conv) ~= "string" or type(s) ~= "string" then
        raise("tide.raw needs a converter ('json', 'string', 'bytes') and a string")
    end
    return setmetatable({ s, conv }, json.markers.raw)
end

--- JSON text of a value of a record, or of a plain value.
local function encode(x)
    local node = view.node(x)
    if node then return view.json_text(view.node_value(node)) end
    local ok, text = pcall(json.encode, x)
    if not ok then raise("tide.json.encode: " .. tostring(text)) end
    return text
end

local function decode(text)
    if type(text) ~= "string" then
        raise("tide.json.decode needs a string, got " .. type(text))
    end
    return json.decode(text)
end

local raised = { __tostring = function(e) return e.message end }

local function failure(name, flag)
    return function(message)
        if type(message) ~= "string" then
            raise(("tide.%s needs a message (string), got %s"):format(name, type(message)))
        end
        return setmetatable({ message = message, [flag] = true }, raised)
    end
end

local function shared()
    return {
        null = abi.null,
        path = handles.path, number = handles.number, string = handles.string,
        int64 = handles.int64, has = handles.has, eq = handles.eq, str = handles.str,
        copy = handles.copy, rename = handles.rename, remove = handles.remove,
        kind = handles.kind,
        plan = function(spec) return (handles.plan(spec)) end,
        array = mark(json.markers.array, "array"),
        map = mark(json.markers.map, "map"),
        ordered = mark(json.markers.ordered, "ordered"),
        bytes = bytes, raw = raw, decimal = decimal.new, schema = schema.module(),
        json = { encode = encode, decode = decode },
        log = services.log, now = services.now, clock = services.clock,
        regex = java.regex,
        time = { format = java.format, parse = java.parse, formatter = java.formatter },
        -- error(tide.retriable("..")): the same call may succeed later; in a transform it
        -- is tried again as errors.retry.timeout says, in poll, put and flush for ever.
        retriable = failure("retriable", "retriable"),
        -- error(tide.fatal("..")): the task fails, whatever errors.tolerance says.
        fatal = failure("fatal", "fatal"),
    }
end

--- The table for plugins of a kind; a fresh one, so that no plugin can change
-- what another sees. Stock plugins get tide.stock.
function M.build(kind, is_stock)
    local tide = shared()
    local log = {}
    for name, fn in pairs(services.log) do log[name] = fn end
    tide.log = log
    for name, fn in pairs(declares) do tide[name] = fn end
    if kind == "source" or kind == "sink" then
        tide.sleep, tide.stopping = services.sleep, services.stopping
        tide.lines, tide.writer = services.lines, services.writer
    elseif is_stock then
        tide.stock = { plan = function(spec) return select(2, handles.plan(spec)) end }
        for name, fn in pairs(stock) do tide.stock[name] = fn end
    end
    return tide
end

return M
