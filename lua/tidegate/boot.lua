--- Starts the SDK in a fresh VM: the host runs this file once with its table of
-- C functions and keeps what it returns. Everything the host asks of the Lua side
-- goes through that table; core/script/script.h says what each function must do.
local host = ...

-- Loops over many fields need more than LuaJIT's defaults for one trace (500
-- snapshots, 4,000 instructions, 500 constants); the host sets loopunroll.
if host.jit then
    jit.opt.start("maxsnap=1500", "maxrecord=10000", "maxirconst=1500")
end

local modules, chunks = {}, {}

local function use(name)
    local module = modules[name]
    if module == nil then
        local text = assert(host.readfile(host.home .. "/lua/tidegate/" .. name .. ".lua"))
        local chunk = assert(host.compile(text, "@tidegate/" .. name .. ".lua"))
        chunks[#chunks + 1] = chunk
        module = chunk(host, use)
        modules[name] = module
    end
    return module
end

local abi = use "abi"
local json = use "json"
local view = use "view"

host.adopt {
    null = abi.null,
    markers = json.markers,
    int64 = abi.int64_cell,
    pointer = abi.pointer_cell,
    int64_new = function() return abi.int64_cell[0] end,
    decimal = use("decimal").of_text,
    classify = view.classify,
}
host.batch_slot(abi.slot)
abi.leave()

local plugin = use "plugin"
local find = use "find"
local inline = use "inline"
local config = use "config"

-- For tests: the batch object that hooks get, and what plugins of a kind get
-- from require "tidegate".
local M = { batch = view.batch, tide = use("init").build }

--- Description of the plugin that a class name means, or nil and why not.
function M.find(kind, class)
    abi.leave()
    local p, side = find.find(kind, class)
    if not p then return nil, side end
    return plugin.info(p, side)
end

--- Descriptions of all plugins.
function M.list()
    abi.leave()
    return setmetatable(find.list(), host.array)
end

--- Checks a configuration: errors, warnings (lists of {key, value, message}); or
-- nil and why there is no such plugin. known: keys of the framework.
function M.validate(kind, class, raw, known)
    abi.leave()
    if inline.is(kind, class) then
        return setmetatable(inline.validate(kind, raw), host.array), setmetatable({}, host.array)
    end
    local p, side = find.find(kind, class)
    if not p then return nil, side end
    local _, errors = plugin.configure(p, raw, side)
    local warnings = config.unknown(p.definitions, raw, known)
    return setmetatable(errors, host.array), setmetatable(warnings, host.array)
end

--- Globals that the code of a plugin uses and nobody defines: a list of {line,
-- message}, for `tidegate check`.
function M.lint(kind, class)
    abi.leave()
    local p, why = find.find(kind, class)
    if not p then return nil, why end
    return setmetatable(use("lint").globals(p.chunk, getfenv(p.chunk)), host.array)
end

--- Task configurations of a connector: a list of tables of texts.
function M.tasks(class, raw, max)
    abi.leave()
    local p, why = find.find("connector", class)
    if not p then return nil, why end
    return setmetatable(plugin.tasks(p, raw, max), host.array)
end

local function not_found(why)
    error({ code = abi.status.notfound, message = why }, 0)
end

--- A new instance of a plugin: a table of hooks (start, poll, commit, put, flush,
-- open, close, stop, apply, lag, tick; absent ones are nil) and name, version,
-- file, stock, kind, per_record, every_ms. predicate and negate may be set on a
-- transform. label: what messages call a script of a configuration; handed: the
-- state of the version before, as M.state gave it.
function M.instance(kind, class, raw, label, handed)
    abi.leave()
    if inline.is(kind, class) then
        local p, own = inline.load(kind, raw, label)
        return plugin.instance(p, own, nil, handed)
    end
    local p, side = find.find(kind, class)
    if not p then not_found(side) end
    return plugin.instance(p, raw, side, handed)
end

--- The next version of an instance (not of a connector), from its files as they
-- are now; its own test has passed.
function M.reload(inst, raw, label, handed)
    abi.leave()
    local entry, own = inst.plugin.entry, raw
    local p
    if entry.inline then
        p, own = inline.load(inst.kind, raw, label)
    else
        p = plugin.load(entry)
    end
    if p.kind ~= inst.kind then
        error(("%s: the file makes a %s now, a %s is expected"):format(entry.file, p.kind,
            inst.kind), 0)
    end
    plugin.selftest(p)
    return plugin.instance(p, own, inst.side, handed)
end

--- The state of an instance as a text, nil when it has none.
M.state = plugin.state
--- {path, text, ...} of an instance; of the last load, whatever became of it.
M.files = plugin.files

function M.attempt()
    return plugin.attempt or {}
end

--- The same from the text of a plugin, as if it stood in a file of that name.
function M.inline(text, name, raw, side)
    abi.leave()
    local folder = name:match("^(.*)/[^/]*$") or "."
    local p = plugin.run(text, { name = name:match("([^/]+)%.lua$") or name, file = name,
        folder = folder })
    if p.spec.sides then side = side or "value" end
    return plugin.instance(p, raw or {}, side)
end

--- Lets the JIT compile every function of the SDK and of the plugins again, after
-- it gave some up while traffic was low.
function M.heal()
    jit.flush()
    for _, chunk in ipairs(chunks) do jit.on(chunk, true) end
    plugin.heal()
end

return M
