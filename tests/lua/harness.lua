--[[
The part of the Lua test runner that is Lua: describe, it, before_each,
after_each, pending and assert with the meaning busted gives them, a TAP writer,
and counters for what the JIT does. core hands over `testlib` (tests/lua/
runner.c lists its functions); both are globals of every spec.
--]]
local testlib = ...
local M = {}

local out = io.stdout
local counts = { run = 0, failed = 0, pending = 0 }
local tests = {}
local scopes = {}

-- ---------------------------------------------------------------- registering

local function scope_names(name)
    local names = {}
    for _, scope in ipairs(scopes) do names[#names + 1] = scope.name end
    names[#names + 1] = name
    return table.concat(names, " ")
end

local function copy_hooks(kind)
    local hooks = {}
    for _, scope in ipairs(scopes) do
        for _, fn in ipairs(scope[kind]) do hooks[#hooks + 1] = fn end
    end
    return hooks
end

local globals = {}

function globals.describe(name, fn)
    scopes[#scopes + 1] = { name = name, before = {}, after = {} }
    fn()
    scopes[#scopes] = nil
end

function globals.it(name, fn)
    tests[#tests + 1] = {
        name = scope_names(name), fn = fn,
        before = copy_hooks("before"), after = copy_hooks("after"),
    }
end

function globals.pending(name)
    tests[#tests + 1] = { name = scope_names(name) }
end

local function hook(kind)
    return function(fn)
        local scope = scopes[#scopes] or error(kind .. "_each outside describe", 2)
        scope[kind][#scope[kind] + 1] = fn
    end
end
globals.before_each = hook("before")
globals.after_each = hook("after")

-- ------------------------------------------------------------------ assertions

local function show(v, depth)
    if type(v) == "string" then return string.format("%q", v) end
    if type(v) ~= "table" or (depth or 0) > 4 then return tostring(v) end
    local keys, parts = {}, {}
    for k in pairs(v) do keys[#keys + 1] = k end
    table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
    for _, k in ipairs(keys) do
        parts[#parts + 1] = tostring(k) .. " = " .. show(v[k], (depth or 0) + 1)
    end
    return "{" .. table.concat(parts, ", ") .. "}"
end

local function same(a, b)
    if type(a) ~= "table" or type(b) ~= "table" then
        return a == b and type(a) == type(b)
    end
    for k, v in pairs(a) do
        if not same(v, b[k]) then return false end
    end
    for k in pairs(b) do
        if a[k] == nil then return false end
    end
    return true
end

local function fail(message, text, level)
    if message then text = tostring(message) .. ": " .. text end
    error(text, (level or 1) + 2)
end

local A = {}

function A.equal(expected, actual, message)
    if not (expected == actual) then -- luacheck: ignore 581
        fail(message, "expected " .. show(expected) .. ", got " .. show(actual))
    end
end

function A.not_equal(expected, actual, message)
    if expected == actual then fail(message, "did not expect " .. show(actual)) end
end

function A.same(expected, actual, message)
    if not same(expected, actual) then
        fail(message, "expected " .. show(expected) .. ", got " .. show(actual))
    end
end

function A.truthy(v, message)
    if not v then fail(message, "expected something true, got " .. show(v)) end
end

function A.falsy(v, message)
    if v then fail(message, "expected nil or false, got " .. show(v)) end
end

function A.is_true(v, message)
    if v ~= true then fail(message, "expected true, got " .. show(v)) end
end

function A.is_false(v, message)
    if v ~= false then fail(message, "expected false, got " .. show(v)) end
end

function A.is_nil(v, message)
    if type(v) ~= "nil" then fail(message, "expected nil, got " .. show(v)) end
end

function A.is_not_nil(v, message)
    if type(v) == "nil" then fail(message, "expected a value, got nil") end
end

function A.near(expected, actual, tolerance, message)
    local off = math.abs(expected - actual)
    if off > tolerance or off ~= off then
        fail(message, ("expected %s +- %s, got %s"):format(expected, tolerance, actual))
    end
end

--- text must contain the Lua pattern.
function A.matches(pattern, text, message)
    if type(text) ~= "string" or not text:find(pattern) then
        fail(message, "expected a match of " .. show(pattern) .. " in " .. show(text))
    end
end

--- Calls fn, which must raise; returns the error.
function A.error(fn, message)
    local ok, err = pcall(fn)
    if ok then fail(message, "expected an error, none was raised") end
    return err
end

--- Calls fn, which must raise an error whose text matches the pattern.
function A.error_matches(fn, pattern, message)
    local ok, err = pcall(fn)
    if ok then fail(message, "expected an error, none was raised") end
    if type(err) == "table" and err.message then err = err.message end
    if not tostring(err):find(pattern) then
        fail(message, "expected an error like " .. show(pattern) .. ", got " ..
            show(tostring(err)))
    end
    return err
end

function A.no_error(fn, message)
    local ok, err = pcall(fn)
    if not ok then fail(message, "unexpected error: " .. tostring(err)) end
end

A.equals, A.is_equal, A.are_equal, A.not_equals = A.equal, A.equal, A.equal, A.not_equal
A.is_truthy, A.is_falsy, A.has_error, A.has_no_error = A.truthy, A.falsy, A.error, A.no_error
A.are = A
A.is = A
A.has = A

globals.assert = setmetatable(A, {
    __call = function(_, v, message, ...)
        if not v then error(message or "assertion failed!", 2) end
        return v, message, ...
    end,
})

-- ------------------------------------------------------------------ JIT counters

local traces = { start = 0, stop = 0, abort = 0, flush = 0, reasons = {} }

local function on_trace(what, _, _, _, otr, oex)
    traces[what] = (traces[what] or 0) + 1
    if what == "abort" then
        local vmdef = require("jit.vmdef")
        local text = vmdef.traceerr[otr] or otr
        if type(oex) == "function" then oex = "function" end
        text = tostring(text):format(oex)
        traces.reasons[text] = (traces.reasons[text] or 0) + 1
    end
end

if testlib.jit then jit.attach(on_trace, "trace") end

--- Counters of trace events since start: {start, stop, abort, flush, reasons}.
function testlib.traces()
    local copy = { reasons = {} }
    for k, v in pairs(traces) do
        if k ~= "reasons" then copy[k] = v end
    end
    for k, v in pairs(traces.reasons) do copy.reasons[k] = v end
    return copy
end

--- Runs fn and returns how many traces were started, finished and aborted in it.
function testlib.count_traces(fn)
    local before = testlib.traces()
    fn()
    local after = testlib.traces()
    return {
        start = after.start - before.start, stop = after.stop - before.stop,
        abort = after.abort - before.abort, flush = after.flush - before.flush,
    }
end

--- Places in fn, and in functions defined inside it, that the JIT gave up on: a list of
-- "file:line opcode".
function testlib.blacklisted(fn, found)
    found = found or {}
    local util, vmdef = require("jit.util"), require("jit.vmdef")
    local info = util.funcinfo(fn)
    if not info.bytecodes then return found end
    local dead = { ILOOP = true, IFORL = true, IITERL = true, IFUNCF = true, IFUNCV = true }
    for pc = 0, info.bytecodes - 1 do
        local ins = util.funcbc(fn, pc)
        if not ins then break end
        local op = bit.band(ins, 0xff)
        local name = vmdef.bcnames:sub(op * 6 + 1, op * 6 + 6):gsub(" ", "")
        if dead[name] then
            local at = util.funcinfo(fn, pc)
            found[#found + 1] = ("%s %s"):format(at.loc, name)
        end
    end
    for n = -1, -(info.gcconsts or 0), -1 do
        local child = util.funck(fn, n)
        if type(child) == "proto" then testlib.blacklisted(child, found) end
    end
    return found
end

-- ---------------------------------------------------------------------- running

local function report(ok, name, note)
    counts.run = counts.run + 1
    out:write(ok and "ok " or "not ok ", counts.run, " - ", name, "\n")
    if note then out:write("  # ", (tostring(note):gsub("\n", "\n  # ")), "\n") end
end

local function handler(err)
    if type(err) == "table" and err.message then err = err.message end
    return debug.traceback(tostring(err), 2)
end

local function run_one(test)
    for _, fn in ipairs(test.before) do fn() end
    test.fn()
end

local function run_after(test)
    for i = #test.after, 1, -1 do test.after[i]() end
end

local function run_test(test)
    if not test.fn then
        counts.pending = counts.pending + 1
        return report(true, test.name .. " # SKIP pending")
    end
    local ok, err = xpcall(function() run_one(test) end, handler)
    local ok2, err2 = xpcall(function() run_after(test) end, handler)
    testlib.reset()
    if not (ok and ok2) then counts.failed = counts.failed + 1 end
    report(ok and ok2, test.name, not ok and err or not ok2 and err2 or nil)
end

--- Runs one spec file; tests whose name does not contain filter are left out.
function M.run(text, name, filter)
    for k, v in pairs(globals) do _G[k] = v end
    _G.testlib = testlib
    tests, scopes = {}, {}
    local chunk, err = loadstring(text, "@" .. name)
    local ok = chunk ~= nil
    if chunk then ok, err = xpcall(chunk, handler) end
    if not ok then
        counts.failed = counts.failed + 1
        return report(false, name .. " loads", err)
    end
    for _, test in ipairs(tests) do
        if not filter or test.name:find(filter, 1, true) then run_test(test) end
    end
end

--- Prints the plan; returns the numbers of tests run and failed.
function M.finish()
    out:write("1..", counts.run, "\n")
    out:write(("# %d passed, %d failed, %d pending, jit %s\n"):format(
        counts.run - counts.failed - counts.pending, counts.failed, counts.pending,
        testlib.jit and "on" or "off"))
    out:flush()
    return counts.run, counts.failed
end

return M
