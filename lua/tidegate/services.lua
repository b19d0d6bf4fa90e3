--- What the host does for connectors: lines of files, writers, sleeping,
-- logging, clocks, and the context that start() gets.
local host, use = ...
local ffi = require "ffi"
local abi = use "abi"
local json = use "json"
local view = use "view"

local C = ffi.C
local type, tostring, raise = type, tostring, abi.raise
local slot = abi.slot

local M = {}

local function ffi_error()
    return ffi.string(C.tg_ffi_error())
end

--- logging ---------------------------------------------------------------------

local levels = { trace = 0, debug = 1, info = 2, warn = 3, error = 4 }

local function logger(level)
    return function(format, ...)
        local text = tostring(format)
        if select("#", ...) > 0 then text = text:format(...) end
        host.log(level, text)
    end
end

--- tide.log.info(format, ...), also trace, debug, warn, error.
M.log = {}
for name, level in pairs(levels) do M.log[name] = logger(level) end

--- time --------------------------------------------------------------------------

--- Waits; false when the task is asked to stop: return from poll or put then.
function M.sleep(ms)
    if type(ms) ~= "number" or ms < 0 then
        raise("tide.sleep needs milliseconds, got " .. tostring(ms))
    end
    return host.sleep(ms)
end

--- Wall clock in ms since 1970.
function M.now()
    return tonumber(C.tg_clock_ms())
end

--- Monotonic clock in ns, for durations.
function M.clock()
    return tonumber(C.tg_clock_ns())
end

--- True when the task was asked to stop: long loops should return.
function M.stopping()
    return C.tg_task_stopping() ~= 0
end

--- lines of files -------------------------------------------------------------------

local modes = { text = C.TG_LINES_TEXT, json = C.TG_LINES_JSON, bytes = C.TG_LINES_BYTES }

local function in_batch(batch, what)
    if batch ~= view.batch then
        raise(what .. " needs the batch that poll or put got")
    end
    if slot[0] == nil or slot[0] == abi.none then
        raise("there is no batch outside poll, put and apply")
    end
    return slot[0]
end

local function whole(n, what)
    if type(n) == "number" and n % 1 == 0 or ffi.istype(abi.int64, n) then return n end
    raise(what .. " is a whole number, got " .. tostring(n))
end

local reader = {}
reader.__index = reader
local readers = setmetatable({}, { __mode = "k" })

local function open_reader(r, method)
    local handle = readers[r]
    if not handle then raise("lines:" .. method .. "() on a reader that is closed") end
    return handle
end

--- tide.lines(path, position): opens a file for tailing from a byte position
-- (path nil: standard input). A reader, or nil and why not. What reader:read
-- does about rotation, truncation and unfinished lines: core/ffi/tidegate.h.
function M.lines(path, position)
    if path ~= nil and type(path) ~= "string" then
        raise("tide.lines needs a path or nil, got " .. type(path))
    end
    local handle = C.tg_lines_open(path, whole(position or 0, "the position"))
    if handle == nil then return nil, ffi_error() end
    local r = setmetatable({}, reader)
    readers[r] = ffi.gc(handle, C.tg_lines_close)
    return r
end

--- Appends up to batch.max complete lines as records of a topic. partition:
-- what ctx:partition returned; mode: "text" (default), "json" or "bytes"; most:
-- at most so many lines. Returns how many; nil and why on an error of the file.
function reader:read(batch, topic, partition, mode, most)
    local handle = open_reader(self, "read")
    local p = in_batch(batch, "lines:read")
    local how = modes[mode or "text"]
    if not how then
        raise(("lines:read: mode is 'text', 'json' or 'bytes', got '%s'"):format(tostring(mode)))
    end
    if type(topic) ~= "string" then raise("lines:read needs a topic") end
    if most and tonumber(whole(most, "the number of lines")) < p.max then p.max = most end
    local n = C.tg_lines_read(handle, p, how, topic, #topic, whole(partition, "the partition"))
    if n < 0 then return nil, ffi_error() end
    return n
end

--- Why nothing was read although the file is not at its end: a sentence when it
-- does not exist yet, else nil. Asked right after read returned 0.
function reader:missing()
    open_reader(self, "missing")
    local why = ffi_error()
    return why ~= "" and why or nil
end

--- Byte position after the last line handed out.
function reader:position() return tonumber(C.tg_lines_position(open_reader(self, "position"))) end
--- Size of the file now.
function reader:size() return tonumber(C.tg_lines_size(open_reader(self, "size"))) end
--- How often the file was replaced or truncated so far.
function reader:restarts() return C.tg_lines_restarts(open_reader(self, "restarts")) end

--- Closes the file; closing twice is fine.
function reader:close()
    local handle = readers[self]
    if handle then
        readers[self] = nil
        C.tg_lines_close(ffi.gc(handle, nil))
    end
end

local writer = {}
writer.__index = writer
local writers = setmetatable({}, { __mode = "k" })

local function open_writer(w, method)
    local handle = writers[w]
    if not handle then raise("writer:" .. method .. "() on a writer that is closed") end
    return handle
end

--- tide.writer(path): opens a file for appending (path nil: standard output).
-- A writer, or nil and why not.
function M.writer(path)
    if path ~= nil and type(path) ~= "string" then
        raise("tide.writer needs a path or nil, got " .. type(path))
    end
    local handle = C.tg_writer_open(path)
    if handle == nil then return nil, ffi_error() end
    local w = setmetatable({}, writer)
    writers[w] = ffi.gc(handle, C.tg_writer_close)
    return w
end

--- Writes the value of every record of the batch as one line (buffered).
-- Returns how many; nil and why when the file does not take them.
function writer:put(batch)
    local handle = open_writer(self, "put")
    local n = C.tg_writer_put(handle, in_batch(batch, "writer:put"))
    if n < 0 then return nil, ffi_error() end
    return n
end

--- Writes out the buffer; sync: also to the disk. True, or nil and why not.
function writer:flush(sync)
    if C.tg_writer_flush(open_writer(self, "flush"), sync and 1 or 0) < 0 then
        return nil, ffi_error()
    end
    return true
end

--- Closes the file; flush first to learn of errors. Closing twice is fine.
function writer:close()
    local handle = writers[self]
    if handle then
        writers[self] = nil
        C.tg_writer_close(ffi.gc(handle, nil))
    end
end

reader.__metatable, writer.__metatable = false, false

--- the context of a connector --------------------------------------------------------

local function same(a, b)
    if type(a) ~= "table" or type(b) ~= "table" then return a == b end
    for k, v in pairs(a) do
        if not same(v, b[k]) then return false end
    end
    for k in pairs(b) do
        if a[k] == nil then return false end
    end
    return true
end

-- tide.ordered tables compare as the maps they stand for.
local function plain(t)
    if json.mark(t) ~= "ordered" then return t end
    local out = {}
    for i = 1, #t, 2 do out[t[i]] = t[i + 1] end
    return out
end

local context = {}
context.__index = context
context.__metatable = false

--- Source: the stored offset (a table) of a partition (a table), nil when there
-- is none.
function context:offset(partition)
    if type(partition) ~= "table" then
        raise("ctx:offset needs a partition (table), got " .. type(partition))
    end
    partition = plain(partition)
    for _, pair in ipairs(self.offsets) do
        if same(pair.partition, partition) then return pair.offset end
    end
    return nil
end

--- Source: the number of a partition (a table such as {filename = path}), for
-- r:source and lines:read. offset_name: member name of offsets given as one
-- number ("position"); without it offsets are tables.
function context.partition(_, partition, offset_name)
    if type(partition) ~= "table" then
        raise("ctx:partition needs a table such as { filename = path }, got " .. type(partition))
    end
    if offset_name ~= nil and type(offset_name) ~= "string" then
        raise("ctx:partition: the offset name is a string, got " .. type(offset_name))
    end
    local text = json.encode(partition)
    local id = C.tg_task_source_partition(text, #text, offset_name,
        offset_name and #offset_name or 0)
    if id < 0 then raise(ffi_error()) end
    return id
end

--- Source: how far it is behind (bytes, rows), shown in the status.
function context:lag(n)
    if type(n) ~= "number" or n < 0 then
        raise("ctx:lag needs a number >= 0, got " .. tostring(n))
    end
    self.lagging = n
end

--- A context: config (typed), offsets (list of {partition, offset}).
function M.context(cfg, offsets)
    local list = {}
    for i, pair in ipairs(offsets or {}) do
        list[i] = { partition = json.with_null(pair[1]), offset = json.with_null(pair[2]) }
    end
    return setmetatable({ config = cfg, offsets = list, lagging = -1 }, context)
end

return M
