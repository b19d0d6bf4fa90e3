--- The environment that a plugin file runs in: a fresh one for every load, so
-- that no plugin can change what another, or the SDK, sees.
--
-- Transforms and predicates get the parts of Lua that only compute: no files, no
-- processes, no FFI, no bytecode, no access to other environments. A forbidden
-- thing says so when it is used. Connectors get all of Lua, since they bind C
-- libraries; only what would end or confuse the process is left out.
--
-- This keeps accidents and casual misuse out. It is no wall against a hostile
-- script: that is what the task's process is for.
local host = ...

local type, error, pcall, setmetatable, rawget = type, error, pcall, setmetatable, rawget
local pairs, tostring, select, concat = pairs, tostring, select, table.concat
local real = _G
local real_require = require
local classic = not host.jit and host.classic or nil

local M = {}

-- All strings of the VM share one metatable: plugins that reach it through
-- ("").rep must find neither string.dump nor a table that they can change.
local strings = {}
for name, fn in pairs(string) do
    if name ~= "dump" then strings[name] = fn end
end
local string_meta = getmetatable("")
if type(string_meta) == "table" then
    string_meta.__index = strings
    string_meta.__metatable = false
end

local function copy(t, without)
    local out = {}
    for name, value in pairs(t) do
        if not (without and without[name]) then out[name] = value end
    end
    return out
end

--- A view of t that cannot be changed. Members it does not have are errors.
local function read_only(t, name)
    local inner, meta = {}, debug.getmetatable(t)
    local call = meta and meta.__call
    for k, v in pairs(t) do
        if type(v) == "table" and k ~= "null" then v = read_only(v, name .. "." .. tostring(k)) end
        inner[k] = v
    end
    setmetatable(inner, {
        __index = function(_, k) error(("%s has no member '%s'"):format(name, tostring(k)), 2) end,
    })
    return setmetatable({}, {
        __index = inner,
        __newindex = function(_, k)
            error(("%s.%s cannot be set: %s is read-only"):format(name, tostring(k), name), 2)
        end,
        __call = call and function(_, ...) return call(t, ...) end,
        __metatable = false,
    })
end

--- what transforms do not get ------------------------------------------------------

local WHY = {
    io = "a transform changes records and has no files; reading and writing is what connectors do",
    os = "a transform has os.time, os.clock and os.date",
    debug = "a transform has debug.traceback",
    package = "a transform may require 'tidegate' and the Lua files of its own folder",
    jit = "a transform may read jit.version, jit.os and jit.arch",
    string = "bytecode is not accepted",
    getfenv = "environments of functions cannot be reached",
    setfenv = "environments of functions cannot be changed",
    loadfile = "use require for Lua files in the plugin's own folder",
    dofile = "use require for Lua files in the plugin's own folder",
    module = "return a table from the file instead",
    newproxy = "use a table",
    collectgarbage = "the host collects between batches; only \"count\" may be asked",
}

local function article(kind)
    return kind:find("^[aeiou]") and "an " .. kind or "a " .. kind
end

local function not_available(name, kind, why, level)
    error(("%s is not available in %s: %s"):format(name, article(kind), why), (level or 2) + 1)
end

-- A library of which only the given members exist; others are errors.
local function restricted(name, members, kind)
    return setmetatable(members, {
        __index = function(_, k)
            not_available(name .. "." .. tostring(k), kind, WHY[name], 2)
        end,
        __metatable = false,
    })
end

local function forbidden(name, kind)
    return function() not_available(name, kind, WHY[name], 2) end
end

--- loading of text ------------------------------------------------------------------

local function gather(reader)
    local parts = {}
    repeat
        local part = reader()
        if part ~= nil and type(part) ~= "string" then
            error("load: the reader function must return strings", 3)
        end
        parts[#parts + 1] = part
    until part == nil or part == ""
    return concat(parts)
end

-- load and loadstring: source text only, in the plugin's environment.
local function loader(env)
    return function(text, name, _, own)
        if type(text) == "function" then text = gather(text) end
        if type(text) ~= "string" then
            error("load needs a string or a function, got " .. type(text), 2)
        end
        if name ~= nil and type(name) ~= "string" then name = nil end
        return host.compile(text, name or "=(load)", type(own) == "table" and own or env)
    end
end

local function read_module(folder, name)
    local base = folder .. "/" .. name:gsub("%.", "/")
    for _, path in ipairs { base .. ".lua", base .. "/init.lua" } do
        local st = host.stat(path)
        if st and st.type == "file" then
            local text, err = host.readfile(path)
            if not text then error(err, 3) end
            return text, path
        end
    end
    return nil, ("%s.lua, %s/init.lua"):format(base, base)
end

--- Files of Lua packages (package.path) that connectors of this VM have loaded:
-- {path, text, path, text, ...}.
M.packages = {}

-- In front of Lua's own loader of files: these modules are watched too.
local function package_loader(name)
    local path = package.searchpath(name, package.path)
    local text = path and host.readfile(path)
    if not text then return nil end
    local chunk, err = host.compile(text, "@" .. path)
    if not chunk then error(err, 0) end
    M.packages[#M.packages + 1] = path
    M.packages[#M.packages + 1] = text
    host.uses_changed()
    return chunk
end
table.insert(package.loaders, 2, package_loader)

local LOADING = {}

-- A require of the plugin's own: its modules live and die with its environment.
-- fallback(name): what to do for names that are no file of the folder.
local function requirer(env, options, given, fallback)
    local folder = options.folder
    local loaded = {}
    return function(name)
        if type(name) ~= "string" then
            error("require needs a module name, got " .. type(name), 2)
        end
        if given[name] ~= nil then return given[name] end
        local module = loaded[name]
        if module == LOADING then
            error(("module '%s' requires itself"):format(name), 2)
        end
        if module ~= nil then return module end
        if not name:find("^[%w_][%w_.-]*$") or name:find("..", 1, true) then
            return fallback(name, "it is no plain module name")
        end
        if not folder then return fallback(name, "a script in a configuration has no folder") end
        local text, path = read_module(folder, name)
        if not text then return fallback(name, "there is no " .. path) end
        if options.used then options.used(path, text) end
        local chunk, err = host.compile(text, "@" .. path, env)
        if not chunk then error(err, 2) end
        loaded[name] = LOADING
        local ok, result = pcall(chunk, name)
        loaded[name] = nil
        if not ok then error(result, 0) end
        if result == nil then result = true end
        loaded[name] = result
        return result
    end
end

--- environments ------------------------------------------------------------------------

local function log_print(...)
    local parts = {}
    for i = 1, select("#", ...) do parts[i] = tostring((select(i, ...))) end
    host.log(2, concat(parts, "\t"))
end

local PLAIN = { "assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall", "rawequal",
    "rawget", "rawlen", "rawset", "select", "setmetatable", "tonumber", "tostring", "type",
    "unpack", "xpcall", "_VERSION" }

local function base()
    local env = {}
    for _, name in ipairs(PLAIN) do env[name] = rawget(real, name) end
    if classic then env.pairs, env.ipairs = classic.pairs, classic.ipairs end
    env._G = env
    env.print = log_print
    env.table, env.math, env.bit = copy(table), copy(math), copy(bit)
    env.coroutine = copy(coroutine)
    env.load = loader(env)
    env.loadstring = env.load
    return env
end

local function transform_env(options)
    local kind, tide = options.kind, options.tide
    local env = base()
    env.string = restricted("string", copy(strings), kind)
    env.os = restricted("os", { time = os.time, clock = os.clock, date = os.date }, kind)
    env.io = restricted("io", {}, kind)
    env.debug = restricted("debug", { traceback = debug.traceback }, kind)
    env.package = restricted("package", {}, kind)
    env.jit = restricted("jit", { version = jit.version, version_num = jit.version_num,
        os = jit.os, arch = jit.arch }, kind)
    for _, name in ipairs { "getfenv", "setfenv", "loadfile", "dofile", "module", "newproxy" } do
        env[name] = forbidden(name, kind)
    end
    function env.collectgarbage(what)
        if what == "count" then return collectgarbage("count") end
        not_available("collectgarbage", kind, WHY.collectgarbage, 2)
    end
    local given = { tidegate = read_only(tide, "tide") }
    for _, name in ipairs { "string", "table", "math", "bit", "coroutine", "os", "io" } do
        given[name] = env[name]
    end
    env.require = requirer(env, options, given, function(name, why)
        error(("module '%s' is not available in %s: %s; %s"):format(name, article(kind), why,
            WHY.package), 3)
    end)
    return env
end

local function connector_env(options)
    local kind, tide = options.kind, options.tide
    local env = base()
    env.string, env.io = copy(string), io
    env.os = copy(os, { exit = true, setlocale = true })
    setmetatable(env.os, { __index = function(_, k)
        if k == "exit" then
            error("os.exit would end the task without flush and commit: raise an error instead", 2)
        end
        if k == "setlocale" then
            error("os.setlocale would change how the whole task reads numbers", 2)
        end
    end })
    env.debug = copy(debug, { sethook = true }) -- the time limit of calls is a hook
    env.package, env.jit = package, jit
    for _, name in ipairs { "getfenv", "setfenv", "newproxy", "collectgarbage", "loadfile",
        "dofile", "module" } do
        env[name] = rawget(real, name)
    end
    local given = { tidegate = read_only(tide, "tide") }
    env.require = requirer(env, options, given, function(name, why)
        local ok, result = pcall(real_require, name)
        if ok then return result end
        error(("module '%s' cannot be loaded by %s: %s; %s"):format(name, article(kind), why,
            tostring(result)), 3)
    end)
    return env
end

--- A new environment. options: kind ("transform", "predicate", "source", "sink"),
-- folder (of the plugin file, for require; nil: none), tide (what require
-- "tidegate" gives; a table of the plugin's own, shown read-only), used
-- (function (path, text): told of every module that is loaded).
function M.new(options)
    local make = (options.kind == "source" or options.kind == "sink") and connector_env
        or transform_env
    return make(options)
end

return M
