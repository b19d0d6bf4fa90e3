--- Plugins: what tide.source, tide.sink, tide.transform and tide.predicate accept,
-- loading of plugin files, and instances of them.
--
-- A plugin file is loaded again for every instance: compiled code belongs to the
-- loaded function, and two instances sharing one would spoil each other's.
local host, use = ...
local ffi = require "ffi"
local abi = use "abi"
local config = use "config"
local loop = use "loop"
local nearest = use "nearest"
local sdk = use "init"
local services = use "services"
local state = use "state"
local view = use "view"
local sandbox = use "sandbox"

local C = ffi.C
local raise = abi.raise
local M = {}

local CONFIG_ERROR = abi.status.config
local T = "org.apache.kafka.connect.transforms."

--- declarations -------------------------------------------------------------------

local common = { "version", "doc", "class", "config", "check" }
local members = {
    transform = { "new", "record", "sides", "stop", "selftest" },
    predicate = { "new", "test", "selftest" },
    source = { "tasks", "start", "poll", "commit", "stop", "state", "every", "selftest" },
    sink = { "tasks", "start", "put", "flush", "open", "close", "stop", "state", "every",
        "selftest" },
}
local functions = { new = true, record = true, test = true, tasks = true, start = true,
    poll = true, commit = true, stop = true, put = true, flush = true, open = true,
    close = true, check = true, state = true, selftest = true }

-- What the declaring functions returned -> its kind. A plugin is only what they
-- made.
local declared = setmetatable({}, { __mode = "k" })

local function check_member(kind, name, value)
    local all = { unpack(common) }
    for _, m in ipairs(members[kind]) do all[#all + 1] = m end
    local found = false
    for _, m in ipairs(all) do found = found or m == name end
    if not found then
        raise(("tide.%s: unknown member '%s'%s; there are %s"):format(kind, tostring(name),
            nearest.hint(tostring(name), all), table.concat(all, ", ")))
    end
    local want = functions[name] and "function"
        or ((name == "config" or name == "every") and "table") or (name == "sides" and "boolean")
        or (name ~= "class" and "string")
    if want and type(value) ~= want then
        raise(("tide.%s: '%s' must be a %s, got %s"):format(kind, name, want, type(value)))
    end
end

local function declare(kind, spec)
    if type(spec) ~= "table" then
        raise(("tide.%s needs a table, got %s"):format(kind, type(spec)))
    end
    for name, value in pairs(spec) do check_member(kind, name, value) end
    local needs = { transform = { "new", "record" }, predicate = { "new", "test" },
        source = { "poll" }, sink = { "put" } }
    local found = false
    for _, name in ipairs(needs[kind]) do found = found or spec[name] ~= nil end
    if not found then
        raise(("tide.%s: '%s' is missing"):format(kind, table.concat(needs[kind], "' or '")))
    end
    declared[spec] = kind
    return spec
end

for kind in pairs(members) do
    sdk.declare(kind, function(spec) return declare(kind, spec) end)
end

--- loading ----------------------------------------------------------------------

-- A file in a folder of mixed kinds says what it is only when it has run; its
-- text tells which environment to try first.
local function guess_kind(text)
    if text:find("%f[%w_.]tide%.source%f[%W]") then return "source" end
    if text:find("%f[%w_.]tide%.sink%f[%W]") then return "sink" end
    return "transform"
end

local chunks = setmetatable({}, { __mode = "k" }) -- loaded plugins, for boot.heal

-- Remembers a file that a plugin is made of, once; C is told when that happens
-- after the plugin was made.
local function remember(files, path, text)
    for i = 1, #files, 2 do
        if files[i] == path then return end
    end
    files[#files + 1] = path
    files[#files + 1] = text
    if files.made then host.uses_changed() end
end

local function new_env(kind, entry, files)
    return sandbox.new { kind = kind, folder = entry.folder,
        tide = sdk.build(kind, entry.stock),
        used = function(path, text) remember(files, path, text) end }
end

-- The files of a plugin: {path, text, path, text, ...}, its own first. A text
-- that is no file has the path "". M.attempt: those of the last load, whatever
-- became of it.
local function begin_files(entry, text)
    local files = { entry.memory and "" or entry.file, text }
    M.attempt = files
    return files
end

local function run_text(text, kind, entry)
    local files = begin_files(entry, text)
    local env = new_env(kind, entry, files)
    local chunk, err = host.compile(text, "@" .. entry.file, env)
    if not chunk then error(err, 0) end
    local spec = chunk()
    local made = type(spec) == "table" and declared[spec]
    if not made then
        error(("%s: a plugin file returns what tide.source, tide.sink, tide.transform or "
            .. "tide.predicate made; this one returned a %s"):format(entry.file, type(spec)), 0)
    end
    return spec, made, chunk, files
end

local function trusted(kind)
    return kind == "source" or kind == "sink"
end

local function new_plugin(kind, spec, definitions, chunk, entry, files)
    local plugin = { kind = kind, spec = spec, definitions = definitions, file = entry.file,
        name = entry.name, stock = entry.stock or false, chunk = chunk, entry = entry,
        files = files }
    chunks[plugin] = chunk
    return plugin
end

--- Runs the text of a plugin in a fresh environment. Raises what is wrong with it.
-- Returns {kind, spec, definitions, file, name, stock, files}.
function M.run(text, entry)
    local kind = entry.kind or guess_kind(text)
    local spec, made, chunk, files = run_text(text, kind, entry)
    if entry.kind and made ~= entry.kind then
        error(("%s: a %s is expected here, the file makes a %s"):format(entry.file, entry.kind,
            made), 0)
    end
    if trusted(made) ~= trusted(kind) then -- never run in the wrong environment
        spec, made, chunk, files = run_text(text, made, entry)
    end
    local ok, definitions = pcall(config.definitions, spec.config)
    if not ok then error(("%s: %s"):format(entry.file, definitions), 0) end
    return new_plugin(made, spec, definitions, chunk, entry, files)
end

-- Everything stands on the first line, so that lines count as in the text.
local BODY = "local tide, cfg = ... return function(r) %s\nend"
local EXPRESSION = "local tide, cfg = ... return function(r) return %s\nend"

--- A plugin whose text is only what is done with a record r. cfg: what the text
-- sees under that name.
function M.body(text, entry, cfg)
    local files = begin_files(entry, text)
    local env = new_env(entry.kind, entry, files)
    local name = "@" .. entry.file
    local chunk = entry.kind == "predicate" and host.compile(EXPRESSION:format(text), name, env)
    if not chunk then
        local ok, err = host.compile(text, name, env)
        if not ok then error(err, 0) end
        chunk, err = host.compile(BODY:format(text), name, env)
        if not chunk then error(err, 0) end
    end
    local fn = chunk(env.require "tidegate", cfg)
    local spec = entry.kind == "predicate" and { test = fn } or { record = fn }
    local plugin = new_plugin(entry.kind, spec, config.definitions(nil), chunk, entry, files)
    plugin.body = true
    return plugin
end

--- The same from the entry's file.
function M.load(entry)
    local text, err = host.readfile(entry.file)
    if not text then error(err, 0) end
    return M.run(text, entry)
end

--- Class names that a plugin declares, as a list.
function M.classes(plugin)
    local class = plugin.spec.class
    if type(class) == "string" then return { class } end
    return class or {}
end

local function camel(name)
    return (name:gsub("^%l", string.upper):gsub("[_-](%w)", string.upper))
end

--- The name that a plugin is known by: the first declared Java class, else the
-- one its file name stands for. side: "key", "value" or nil.
function M.class_name(plugin, side)
    local name
    for _, class in ipairs(M.classes(plugin)) do
        if class:find(".", 1, true) then name = name or class end
    end
    if not name then
        name = plugin.stock and (plugin.kind == "transform" and T .. camel(plugin.name)
            or plugin.kind == "predicate" and T .. "predicates." .. camel(plugin.name))
            or M.classes(plugin)[1] or plugin.name
    end
    if side then name = name .. "$" .. camel(side) end
    return name
end

--- What boot.find answers.
function M.info(plugin, side)
    return {
        kind = plugin.kind,
        name = plugin.name,
        class = M.class_name(plugin, side),
        version = plugin.spec.version or (plugin.stock and host.version) or "undefined",
        doc = plugin.spec.doc or "",
        file = plugin.file,
        stock = plugin.stock,
        config = setmetatable(config.describe(plugin.definitions), host.array),
    }
end

--- configurations ------------------------------------------------------------------

--- Parses a configuration: cfg, errors (a list of {key, value, message}).
function M.configure(plugin, raw, side)
    local cfg, errors = config.parse(plugin.definitions, raw)
    if #errors == 0 and plugin.spec.check then
        local wrong = plugin.spec.check(cfg, side)
        if type(wrong) == "string" then wrong = { message = wrong } end
        if wrong then
            errors[1] = { key = wrong.key or (plugin.definitions[1] or {}).name or "",
                value = wrong.key and raw[wrong.key] or nil, message = wrong.message }
        end
    end
    return cfg, errors
end

local function must_configure(plugin, raw, side)
    local cfg, errors = M.configure(plugin, raw, side)
    if #errors > 0 then
        local texts = {}
        for i, e in ipairs(errors) do texts[i] = e.message end
        error({ code = CONFIG_ERROR, message = ("%s: %s"):format(plugin.name,
            table.concat(texts, " ")) }, 0)
    end
    return cfg
end

local function text_value(x, where)
    if type(x) == "string" then return x end
    if type(x) == "boolean" then return tostring(x) end
    if type(x) == "number" then return ("%.17g"):format(x) end
    if type(x) == "table" then return table.concat(x, ",") end
    error(("%s: a task's configuration holds texts, numbers, booleans and lists, got %s")
        :format(where, type(x)), 0)
end

--- The configurations of a connector's tasks: what tasks(cfg, max) returns, each
-- laid over the connector's configuration.
function M.tasks(plugin, raw, max)
    local cfg = must_configure(plugin, raw)
    local parts = { {} }
    if plugin.spec.tasks then
        parts = plugin.spec.tasks(cfg, max)
        if type(parts) ~= "table" or #parts == 0 then
            error(("%s: tasks() must return a list with 1 to %d tables")
                :format(plugin.name, max), 0)
        end
        if #parts > max then
            error(("%s: tasks() returned %d task configurations, tasks.max is %d")
                :format(plugin.name, #parts, max), 0)
        end
    end
    local out = {}
    for i, part in ipairs(parts) do
        local task = {}
        for k, v in pairs(raw) do task[k] = v end
        for k, v in pairs(part) do task[k] = text_value(v, plugin.name .. ": task " .. i) end
        out[i] = task
    end
    return out
end

--- instances ----------------------------------------------------------------------

-- Loops that the SDK owns are compiled anew for every instance, like the plugin.
local RECORD_LOOP = [[
local record, batch, cfg = ...
return function()
    for _, r in batch:each() do record(r, cfg) end
end]]
local BODY_LOOP = [[
local record, batch, returned = ...
return function()
    for _, r in batch:each() do
        if record(r) ~= nil then returned() end
    end
end]]
local FILTER_LOOP = [[
local batch, hide = ...
return function(test, negate)
    local passed = 0
    for _, r in batch:each() do
        if (not test(r)) ~= negate then hide(r) else passed = passed + 1 end
    end
    return passed
end]]

local HIDDEN = C.TG_HIDDEN -- verdict of a record that the predicate keeps from a transform

local function hide(r)
    view.record(r).verdict = HIDDEN
end

local function show_hidden()
    C.tg_stock_test_show(abi.slot[0])
end

-- A transform whose call failed leaves records hidden; the next call of the host
-- (one record at a time) sees them again.
local function guarded(inst, apply)
    local filter
    return function()
        local predicate = inst.predicate
        if not predicate then return apply() end
        local batch = abi.slot[0]
        local lo, hi = batch.lo, batch.hi
        batch.lo, batch.hi = 0, batch.n
        show_hidden()
        batch.lo, batch.hi = lo, hi
        if predicate.hide then
            inst.passed = predicate.hide(inst.negate or false)
        else
            filter = filter or loop.compile(FILTER_LOOP, view.batch, hide)
            inst.passed = filter(predicate.test, inst.negate or false)
        end
        apply()
        show_hidden()
    end
end

local function bad_new(plugin, got)
    error(("%s: new(cfg) must return a function (batch), or a table with apply = function (batch) "
        .. "or record = function (r); it returned a %s"):format(plugin.name, type(got)), 0)
end

local function returned()
    error("the script returned a value: a transform returns nothing, r:drop() filters a record", 0)
end

-- every = { ms = 1000, fn = function() end }: called between batches.
local function set_timer(inst, plugin, every, argument)
    if every == nil then return end
    if type(every) ~= "table" or type(every.ms) ~= "number" or every.ms < 1
        or type(every.fn) ~= "function" then
        error(("%s: every is a table such as { ms = 1000, fn = function() end }")
            :format(plugin.name), 0)
    end
    inst.every_ms = every.ms
    inst.tick = function()
        abi.leave()
        every.fn(argument and argument())
    end
end

local function set_state(inst, plugin, fn, argument)
    if fn == nil then return end
    if type(fn) ~= "function" then
        error(("%s: state must be a function that returns plain data"):format(plugin.name), 0)
    end
    inst.state = function()
        abi.leave()
        return fn(argument and argument())
    end
end

local function make_transform(inst, plugin, cfg, side, handed)
    local spec = plugin.spec
    local made = spec.new and spec.new(cfg, side, handed) or { record = spec.record }
    local hooks = type(made) == "table" and made or { apply = made }
    local batch = view.batch
    local apply
    if plugin.body then
        inst.per_record = true
        apply = loop.compile(BODY_LOOP, hooks.record, batch, returned)
    elseif type(hooks.record) == "function" then
        inst.per_record = true
        apply = loop.compile(RECORD_LOOP, hooks.record, batch, cfg)
    elseif type(hooks.apply) == "function" then
        local fn = hooks.apply
        apply = function() fn(batch) end
    else
        bad_new(plugin, made)
    end
    inst.apply = guarded(inst, apply)
    set_timer(inst, plugin, hooks.every)
    set_state(inst, plugin, hooks.state)
    local stop = hooks.stop or spec.stop
    inst.stop = stop and function()
        abi.leave()
        stop()
    end
end

local function make_predicate(inst, plugin, cfg, _, handed)
    local spec = plugin.spec
    local test = spec.test and function(r) return spec.test(r, cfg) end
        or spec.new(cfg, nil, handed)
    local hooks = type(test) == "table" and test or { test = test }
    if type(hooks.test) ~= "function" and not (plugin.stock and hooks.hide) then
        error(("%s: new(cfg) must return a function (r) -> boolean, it returned a %s")
            :format(plugin.name, type(test)), 0)
    end
    inst.test = hooks.test
    inst.hide = plugin.stock and hooks.hide or nil -- a whole batch in one call
    set_timer(inst, plugin, hooks.every)
    set_state(inst, plugin, hooks.state)
end

local function hook(inst, spec, name, context)
    local fn = spec[name]
    if not fn then return end
    inst[name] = function(...)
        abi.leave()
        return fn(context(), ...)
    end
end

local function make_source(inst, plugin, cfg, _, handed)
    local spec, batch = plugin.spec, view.batch
    local ctx = services.context(cfg)
    local function context() return ctx end
    inst.start = function(offsets)
        abi.leave()
        ctx = services.context(cfg, offsets)
        ctx.state = handed
        if spec.start then spec.start(ctx) end
    end
    inst.poll = function()
        local wait = spec.poll(batch, ctx)
        if wait ~= nil and type(wait) ~= "number" then
            error(("%s: poll must return milliseconds to wait or nothing, it returned a %s")
                :format(plugin.name, type(wait)), 0)
        end
        return wait
    end
    inst.lag = function() return ctx.lagging end
    hook(inst, spec, "commit", context)
    hook(inst, spec, "stop", context)
    set_timer(inst, plugin, spec.every, context)
    set_state(inst, plugin, spec.state, context)
end

local function partitions(list)
    local out = {}
    for i, p in ipairs(list or {}) do
        out[i] = { topic = p[1] or p.topic, partition = p[2] or p.partition }
    end
    return out
end

local function make_sink(inst, plugin, cfg, _, handed)
    local spec, batch = plugin.spec, view.batch
    local ctx = services.context(cfg)
    local function context() return ctx end
    ctx.state = handed
    if spec.start then
        inst.start = function()
            abi.leave()
            spec.start(ctx)
        end
    end
    inst.put = function() spec.put(batch, ctx) end
    for _, name in ipairs { "open", "close" } do
        local fn = spec[name]
        inst[name] = fn and function(list)
            abi.leave()
            fn(partitions(list), ctx)
        end
    end
    hook(inst, spec, "flush", context)
    hook(inst, spec, "stop", context)
    set_timer(inst, plugin, spec.every, context)
    set_state(inst, plugin, spec.state, context)
end

local makers = { transform = make_transform, predicate = make_predicate, source = make_source,
    sink = make_sink }

--- An instance of a plugin; one that has an instance already is loaded again.
-- side: "key" or "value" of a transform that has both; handed: what the version
-- before gave (a text of state.lua), or nil.
function M.instance(plugin, raw, side, handed)
    abi.leave()
    if plugin.used then plugin = M.load(plugin.entry) end
    plugin.used = true
    local cfg = plugin.body and raw or must_configure(plugin, raw, side)
    local inst = {
        kind = plugin.kind, name = plugin.name, file = plugin.file, stock = plugin.stock,
        version = plugin.spec.version or (plugin.stock and host.version) or "undefined",
        plugin = plugin, side = side,
    }
    makers[plugin.kind](inst, plugin, cfg, side, handed and state.decode(handed) or nil)
    plugin.files.made = true
    return inst
end

--- Runs the plugin's own test, if it has one. Raises what it says.
function M.selftest(plugin)
    abi.leave()
    if plugin.spec.selftest then plugin.spec.selftest() end
end

--- What an instance hands to its next version, as a text; nil: nothing.
function M.state(inst)
    return inst.state and state.encode(inst.state()) or nil
end

--- The files that an instance is made of: {path, text, path, text, ...}.
function M.files(inst)
    local out = {}
    for i, x in ipairs(inst.plugin.files) do out[i] = x end
    if trusted(inst.kind) then
        for _, x in ipairs(sandbox.packages) do out[#out + 1] = x end
    end
    return out
end

--- Lets the JIT try every function of the loaded plugins again.
function M.heal()
    for _, chunk in pairs(chunks) do jit.on(chunk, true) end
    loop.heal()
end

return M
