--- Typed handles and helpers over fields: the fast way for many nullable fields,
-- and the way for paths that come from the configuration. All of them take a
-- value of a record (r.value, r.key or something below); null counts as "no
-- field", anything else is an error.
local _, use = ...
local ffi = require "ffi"
local abi = use "abi"
local view = use "view"
local json = use "json"

local C = ffi.C
local type, tostring, raise = type, tostring, abi.raise
local ffi_string = ffi.string
local to_node, find, read, put = view.node, view.find, view.read, view.put
local slots_of, fail = view.slots_of, view.fail
local slot, len = abi.slot, abi.len
local ARRAY, MAP, STRUCT = C.TG_ARRAY, C.TG_MAP, C.TG_STRUCT

local M = {}

--- paths ---------------------------------------------------------------------

-- "a.b.c" or {"a", "b.with.dots", 1} as a list of names and element numbers.
local function steps_of(path, what)
    local steps = {}
    if type(path) == "string" then
        for step in (path .. "."):gmatch("([^.]*)%.") do
            steps[#steps + 1] = step
        end
    elseif type(path) == "table" then
        for i, step in ipairs(path) do steps[i] = step end
    end
    if #steps == 0 then
        raise(what .. " needs a path: \"a.b\" or {\"a\", \"b\", 1}, got " .. tostring(path))
    end
    for _, step in ipairs(steps) do
        if type(step) ~= "string" and not (type(step) == "number" and step >= 1 and step % 1 == 0)
            or step == "" then
            raise(("%s: '%s' is no step of a path: names, or element numbers from 1")
                :format(what, tostring(step)))
        end
    end
    return steps
end

local function not_a_value(v, what)
    if v == nil then return nil end
    raise(("%s: expected an array or map of a record, got %s '%s'"):format(what, type(v),
        tostring(v)))
end

-- Slot of one step below a node, or -1.
local function step_slot(node, step, c)
    if c then
        if node.kind ~= MAP and node.kind ~= STRUCT then return -1 end
        local s = find(node, c)
        return s
    end
    if node.kind ~= ARRAY or step > node.n then return -1 end
    return step - 1
end

-- A function (v) -> node, slot of the last step; slot -1 when it is missing,
-- node nil when something above it is.
local function locator(path, what)
    local steps = steps_of(path, what)
    local caches = {}
    for i, step in ipairs(steps) do
        caches[i] = type(step) == "string" and slots_of(step, true) or false
    end
    local n = #steps
    local first, cache = steps[1], caches[1]
    local function one(v)
        local node = to_node(v)
        if not node then return not_a_value(v, what), -1 end
        return node, step_slot(node, first, cache)
    end
    if n == 1 then return one, steps, caches end
    return function(v)
        local node = to_node(v)
        if not node then return not_a_value(v, what), -1 end
        for i = 1, n - 1 do
            local s = step_slot(node, steps[i], caches[i])
            if s < 0 then return nil, -1 end
            local child = node.slots + s
            if child.tag < ARRAY then return nil, -1 end
            node = child.u.node
        end
        return node, step_slot(node, steps[n], caches[n])
    end, steps, caches
end

-- Makes the absent maps above the last step.
local function make_parents(v, steps, caches, what)
    local node = to_node(v)
    if not node then
        raise(("%s: cannot set a field of %s"):format(what, v == nil and "null" or type(v)))
    end
    for i = 1, #steps - 1 do
        local c = caches[i]
        local s = step_slot(node, steps[i], c)
        if s < 0 then
            if not c then
                raise(("%s: there is no element %d"):format(what, steps[i]))
            end
            local made = C.tg_put_node(node, -1, c.name, MAP)
            if made == nil then fail() end
            node = made
        else
            local child = node.slots + s
            if child.tag < ARRAY then
                raise(("%s: '%s' is not an array or map"):format(what, tostring(steps[i])))
            end
            node = child.u.node
        end
    end
    return node, step_slot(node, steps[#steps], caches[#steps])
end

--- get, set = tide.path("a.b"): reads and writes one path. get gives nil when
-- the field or something above it is absent or not a map; set makes absent maps
-- on the way, and removes the field for nil.
function M.path(path)
    local locate, steps, caches = locator(path, "tide.path")
    local last, cache = steps[#steps], caches[#steps]
    local function get(v)
        local node, s = locate(v)
        if s < 0 then return nil end
        local x = read(node.slots + s, node)
        return x
    end
    local function set(v, x)
        local node, s = locate(v)
        if type(x) == "nil" then
            if s >= 0 and C.tg_delete(node, s) < 0 then fail() end
            return
        end
        if not node then
            node, s = make_parents(v, steps, caches, "tide.path")
        end
        if s < 0 then
            if not cache then
                if node.kind ~= ARRAY or last ~= node.n + 1 then
                    raise(("tide.path: there is no element %d"):format(last))
                end
                s = last - 1
            elseif node.kind == ARRAY then
                raise(("tide.path: '%s' is no element of an array"):format(last))
            end
        end
        put(node, s, cache and cache.name or nil, x)
    end
    return get, set
end

--- typed handles: their result has one type, so nothing branches ----------------

--- tide.number("a.b", 0): a function (v) -> the field as a number; the default
-- for absent, null and anything that is no number.
function M.number(path, default)
    local locate = locator(path, "tide.number")
    if default ~= nil and type(default) ~= "number" then
        raise("tide.number: the default is a number, got " .. type(default))
    end
    local dflt = default or 0/0
    return function(v)
        local node, s = locate(v)
        if not node then return default end
        local x = C.tg_slot_number(node, s, dflt)
        if default == nil and x ~= x then return nil end
        return x
    end
end

--- tide.string("name", ""): the text of a string field, else the default.
function M.string(path, default)
    local locate = locator(path, "tide.string")
    if default ~= nil and type(default) ~= "string" then
        raise("tide.string: the default is a string, got " .. type(default))
    end
    return function(v)
        local node, s = locate(v)
        if not node then return default end
        local p = C.tg_slot_text(slot[0], node, s, len)
        if p == nil then return default end
        return ffi_string(p, len[0])
    end
end

--- tide.int64("id", 0): the field as an exact int64 cdata, else the default.
function M.int64(path, default)
    local locate = locator(path, "tide.int64")
    if default ~= nil and type(default) ~= "number" and not ffi.istype(abi.int64, default) then
        raise("tide.int64: the default is a whole number, got " .. type(default))
    end
    local dflt = abi.int64(default or 0)
    local ok = abi.ok
    return function(v)
        local node, s = locate(v)
        if not node then return default and dflt end
        local x = C.tg_slot_int64(node, s, dflt, ok)
        if default == nil and ok[0] == 0 then return nil end
        return x
    end
end

--- functions over one field -------------------------------------------------------

local function field(v, name, what)
    local node = to_node(v)
    if not node then return not_a_value(v, what), -1 end
    if type(name) ~= "string" then
        if node.kind == ARRAY and type(name) == "number" and name >= 1 and name % 1 == 0
            and name <= node.n then
            return node, name - 1
        end
        return node, -1
    end
    if node.kind ~= MAP and node.kind ~= STRUCT then return node, -1 end
    local c = slots_of(name)
    if c then return node, find(node, c) end
    return node, C.tg_slot_find_text(node, name, #name)
end

--- tide.has(v, "name"): the field exists, also when it is null.
function M.has(v, name)
    local _, s = field(v, name, "tide.has")
    return s >= 0
end

--- tide.eq(v, "name", x): the field equals x; a string is compared in place,
-- without making a Lua string of the field.
function M.eq(v, name, x)
    local node, s = field(v, name, "tide.eq")
    if s < 0 then return false end
    if type(x) == "string" then
        return C.tg_value_eq(slot[0], node.slots + s, x, #x) ~= 0
    end
    return read(node.slots + s, node) == x
end

--- tide.copy(v, "from", "to"[, target]): copies a field as it is, with number
-- text and everything below, to another name (in target, else in v). False
-- when there is no such field.
function M.copy(v, from, to, target)
    local node, s = field(v, from, "tide.copy")
    if s < 0 then return false end
    local into, t = field(target == nil and v or target, to, "tide.copy")
    if not into then raise("tide.copy: the target is null") end
    if type(to) ~= "string" then raise("tide.copy: a name is a string, got " .. type(to)) end
    if C.tg_put_slot(into, t, view.intern(to), node, s) < 0 then fail() end
    return true
end

--- tide.rename(v, "from", "to"): renames in place; false when there is none.
function M.rename(v, from, to)
    local node, s = field(v, from, "tide.rename")
    if s < 0 then return false end
    if type(to) ~= "string" then raise("tide.rename: a name is a string, got " .. type(to)) end
    if C.tg_rename(node, s, view.intern(to)) < 0 then fail() end
    return true
end

--- tide.remove(array, i): removes an element; later ones move down. False when
-- there is none. Also takes the name of a field.
function M.remove(v, i)
    local node, s = field(v, i, "tide.remove")
    if s < 0 then return false end
    if C.tg_delete(node, s) < 0 then fail() end
    return true
end

--- tide.kind(x): "array", "map", "null" or the Lua type; "int64" for int64 cdata.
function M.kind(x)
    local node = to_node(x)
    if node then return node.kind == ARRAY and "array" or "map" end
    local what = view.classify(x)
    if what == "null" or what == "int64" then return what end
    return type(x)
end

--- tide.str(x): text of a value without loss: int64 without "LL", JSON for
-- arrays and maps. tide.str(v, "name"): text of a field as it was received,
-- nil when there is none.
function M.str(x, name)
    if name == nil then
        if to_node(x) then return tostring(x) end
        if view.classify(x) == "int64" then return (tostring(x):gsub("U?LL$", "")) end
        if type(x) == "number" then return json.encode(x) end
        return tostring(x)
    end
    local node, s = field(x, name, "tide.str")
    if s < 0 then return nil end
    local v = node.slots + s
    local p = C.tg_value_text(slot[0], v, len)
    if p ~= nil then return ffi_string(p, len[0]) end
    return view.json_text(v)
end

--- plans ------------------------------------------------------------------------

--- tide.plan{ include = {..}, exclude = {..}, rename = {old = "new"} }: a
-- function (v) that keeps and renames fields in one pass, compiled once per
-- layout. A field is kept when it is not excluded and include is empty or lists
-- it; names are tested before renaming. rename may also be a list of {old, new}.
function M.plan(spec)
    local plan = ffi.gc(C.tg_plan_new(), C.tg_plan_free)
    for _, name in ipairs(spec.include or {}) do C.tg_plan_include(plan, view.intern(name)) end
    for _, name in ipairs(spec.exclude or {}) do C.tg_plan_exclude(plan, view.intern(name)) end
    for from, to in pairs(spec.rename or {}) do
        if type(to) == "table" then from, to = to[1], to[2] end
        C.tg_plan_rename(plan, view.intern(from), view.intern(to))
    end
    return function(v)
        local node = to_node(v)
        if not node then
            raise("a plan applies to a map of a record, got " .. tostring(v))
        end
        if C.tg_plan_apply(plan, node) < 0 then fail() end
    end, plan
end

return M
