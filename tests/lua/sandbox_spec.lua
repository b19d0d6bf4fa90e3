-- What a plugin can and cannot reach: every hole that an environment of "the usual
-- safe globals" has, tried from inside a transform.
local boot = testlib.boot

local function plugin(load_code, batch_code)
    return table.concat({
        "local tide = require 'tidegate' do " .. load_code .. " end",
        "return tide.transform { new = function() return function(batch)",
        batch_code or "", "end end }",
    }, "\n")
end

-- Runs code while the plugin file loads.
local function load(code)
    return boot.inline(plugin(code), "evil.lua", {})
end

-- Runs code over a batch; b is batch, r its first record.
local function apply(code, items)
    local inst = boot.inline(plugin("", "for i, r in batch:each() do\n" .. code .. "\nend"),
        "evil.lua", {})
    testlib.batch(items or { '{"a":1,"list":[1,2,3],"m":{"x":"y"}}' })
    testlib.apply(inst)
end

local function refused(code, pattern)
    assert.error_matches(function() load(code) end, pattern, code)
end

local function refused_in_batch(code, pattern)
    assert.error_matches(function() apply(code) end, pattern, code)
end

describe("a transform's environment", function()
    it("does not reach environments of functions", function()
        refused("getfenv(0)", "getfenv is not available in a transform")
        refused("getfenv(tide.path)", "getfenv is not available")
        refused("setfenv(tide.path, {})", "setfenv is not available in a transform")
        refused("coroutine.wrap(function() return getfenv(0) end)()", "getfenv is not available")
    end)

    it("calls what can be called in the SDK, schemas too", function()
        load("assert(tide.schema 'int64?'.optional and tide.decimal '1.5')")
        refused("tide.schema.of = 1", "read%-only")
    end)

    it("requires only its own folder and tidegate", function()
        for _, name in ipairs { "ffi", "jit", "jit.util", "jit.opt", "debug", "package", "os.x",
            "tidegate.view", "view" } do
            refused(("require %q"):format(name), "module '" .. name:gsub("%.", "%%.") ..
                "' is not available in a transform")
        end
        for _, name in ipairs { "../x", "/etc/passwd", "a..b", "", ".", "x\\0y", "a/b" } do
            refused("require '" .. name .. "'", "no plain module name")
        end
        refused("require(nil)", "needs a module name")
        load("assert(require('string') == string and require('bit') == bit)")
    end)

    it("has no package, debug, io, jit or ffi to dig in", function()
        refused("return package.loaded", "package.loaded is not available in a transform")
        refused("return debug.getregistry()", "debug.getregistry is not available")
        refused("debug.sethook()", "debug.sethook is not available")
        refused("io.open('x')", "io.open is not available in a transform: .*connectors")
        refused("io.write('x')", "io.write is not available")
        refused("os.execute('true')", "os.execute is not available in a transform: .*os.time")
        refused("os.getenv('HOME')", "os.getenv is not available")
        refused("os.exit(0)", "os.exit is not available")
        refused("os.remove('x')", "os.remove is not available")
        refused("jit.off()", "jit.off is not available")
        refused("jit.opt.start('hotloop=1')", "jit.opt is not available")
        refused("dofile('x')", "dofile is not available")
        refused("loadfile('x')", "loadfile is not available")
        refused("module('x')", "module is not available")
        load("assert(ffi == nil and os.time() > 1e9 and os.clock() >= 0 and os.date())")
        load("assert(debug.traceback('x'):find('x'))")
    end)

    it("cannot poison strings", function()
        load("assert(getmetatable('') == false)")
        refused("setmetatable('', {})", "bad argument")
        refused("return ('').dump(function() end)", "attempt to call")
        refused("return string.dump(function() end)", "string.dump is not available")
        load("string.rep = function() return 'evil' end")
        assert.equal("xx", ("x"):rep(2))
        load("assert(('x'):rep(2) == 'xx')")
        load("table.concat = nil math.floor = nil bit.band = nil coroutine.wrap = nil")
        load("assert(table.concat and math.floor and bit.band and coroutine.wrap)")
        assert.truthy(table.concat and math.floor and bit.band and coroutine.wrap)
    end)

    it("takes no bytecode", function()
        local code = string.dump(function() return 1 end)
        refused(("assert(loadstring(%q))"):format(code), "bytecode")
        refused(("assert(load(%q, 'x', 'b'))"):format(code), "bytecode")
        refused(("local s = %q local done assert(load(function() if done then return nil end "
            .. "done = true return s end))"):format(code), "bytecode")
        assert.error_matches(function() boot.inline(code, "evil.lua", {}) end, "bytecode")
    end)

    it("loads text into its own environment", function()
        load("x = 7 assert(load('return x')() == 7)")
        load("assert(loadstring('return _G')() == _G)")
        load("assert(load('return y', 'n', 't', { y = 3 })() == 3)")
        load("assert(load(function() return nil end) ~= nil)")
        refused("return load('return io.open')()", "io.open is not available")
        refused("load('return getfenv(0)')()", "getfenv is not available")
        load("local f, e = load('x = = 1', '@gen.lua') assert(f == nil and e:find('gen.lua:1'))")
        assert.equal(nil, rawget(_G, "x"))
    end)

    it("cannot change what other plugins see", function()
        refused("tide.path = print", "tide.path cannot be set: tide is read%-only")
        refused("tide.log.info = print", "tide.log.info cannot be set")
        load("rawset(tide, 'path', 5)")
        load("assert(type(tide.path) == 'function')")
        load("assert(getmetatable(tide) == false)")
        refused("setmetatable(tide, {})", "protected")
        refused("return tide.nothing", "tide has no member 'nothing'")
        load("_G.pairs = 5 leaked = 6")
        load("assert(type(pairs) == 'function' and leaked == nil)")
        assert.equal(nil, rawget(_G, "leaked"))
        refused("tide.null.x = 5", "null")
        load("assert(not getmetatable(tide.null) or type(getmetatable(tide.null)) == 'string')")
        load("local t = tide.array {} assert(getmetatable(t) == false)")
    end)

    it("has no finalizers and leaves the collector alone", function()
        refused("newproxy(true)", "newproxy is not available")
        refused("collectgarbage('stop')", "collectgarbage is not available")
        refused("collectgarbage()", "collectgarbage is not available")
        load("assert(collectgarbage('count') > 0)")
    end)

    it("logs what is printed", function()
        load("print('printed by a test', 1, nil)")
    end)

    it("names the plugin's line", function()
        local err = assert.error(function() load("\nos.execute('true')") end)
        assert.matches("evil.lua:2: os.execute is not available", tostring(err))
    end)
end)

describe("records from a transform", function()
    it("take no numbers or strings for addresses", function()
        refused_in_batch("batch.each(0x10)", "batch")
        refused_in_batch("batch.each('batch')", "batch")
        refused_in_batch("local f = batch:each() f(0x10, 0)", "batch")
        refused_in_batch("local f = batch:each() f('xxxxxxxx', 0)", "batch")
        refused_in_batch("r.drop(0x1234)", "call it as r:drop")
        refused_in_batch("r.drop(0x1234LL)", "call it as r:drop")
        refused_in_batch("r.drop('fake object of some length')", "call it as r:drop")
        refused_in_batch("r.headers.get(r, 'x')", "call it as")
        refused_in_batch("r.headers.get(0x10, 'x')", "call it as")
        refused_in_batch("r.drop(r.value)", "call it as")
        refused_in_batch("r.drop(tide.null)", "call it as")
        for _, name in ipairs { "has", "str", "kind", "remove", "copy", "rename", "eq" } do
            for _, x in ipairs { "0x10", "0x1234LL", "'fake object'", "nil", "{}", "tide.null" } do
                assert.no_error(function()
                    pcall(apply, ("tide.%s(%s, 'a', 'b')"):format(name, x))
                end)
            end
        end
    end)

    it("keep iterators within bounds", function()
        for _, i in ipairs { "-1e6", "1e6", "-1", "0/0", "1e300", "-1e300", "0.5", "3" } do
            apply(("local f = batch:each() local n, r2 = f(batch, %s) assert(n == nil)"):format(i))
            apply(("local f, v = ipairs(r.value.list) assert(f(v, %s) == nil)"):format(
                i == "3" and "3" or i))
        end
        refused_in_batch("local f = ipairs(r.value.list) f(0x10, 1)", "ipairs")
        refused_in_batch("local f = ipairs(r.value.list) f('xxxxxxxx', 1)", "ipairs")
        refused_in_batch("local f = pairs(r.value.m) f({ 0x10, 0 })", "pairs")
        refused_in_batch("local f = pairs(r.value.m) f({ 'x', 0 })", "pairs")
        refused_in_batch("local f, s = pairs(r.value.m) s[2] = -5 f(s)", "pairs")
        apply("local f, s = pairs(r.value.m) s[2] = 1e9 assert(f(s) == nil)")
        apply("local f, s = pairs(r.value.m) s[1] = r.value.list assert(f(s) == nil)")
    end)

    it("keep elements within bounds", function()
        refused_in_batch("r.value.list[1e7] = 1", "out of range 1..4")
        refused_in_batch("r.value.list[-1] = 1", "out of range")
        refused_in_batch("r.value.list[0] = 1", "out of range")
        refused_in_batch("r.value.list[0/0] = 1", "whole number")
        refused_in_batch("r.value.list[1/0] = 1", "whole number")
        apply("local l = r.value.list assert(l[1e7] == nil and l[-1] == nil and l[0] == nil)")
    end)

    it("show nothing of C", function()
        refused_in_batch("return r[1000000]", "records have no field")
        refused_in_batch("return r.value + 1", "calculate with")
        apply("assert(r.value.slots == nil and r.value.n == nil and r.value.shape == nil)")
        apply("local m = getmetatable(r) assert(type(m) ~= 'table')")
        apply("local m = getmetatable(r.value) assert(type(m) ~= 'table')")
        apply("local m = getmetatable(batch) assert(type(m) ~= 'table')")
    end)

    it("are of no use in the next batch", function()
        local inst = boot.inline(plugin("", [[
            for _, r in batch:each() do
                if kept then return kept.y end
                kept = r.value.m.x
            end]]), "keeper.lua", {})
        testlib.batch({ '{"a":1,"b":[1,2,3,4],"m":{"x":{"y":1}}}' })
        testlib.apply(inst)
        testlib.batch({ '{"a":2}' })
        assert.error_matches(function() testlib.apply(inst) end, "earlier batch")
    end)
end)

describe("a connector's environment", function()
    local function connector(code)
        return boot.inline("local tide = require 'tidegate'\n" .. code ..
            "\nreturn tide.source { poll = function() end }", "conn.lua", {})
    end

    it("has ffi, io and the rest", function()
        connector("local ffi = require 'ffi' assert(ffi.new('int[2]'))")
        connector("assert(io.open and os.getenv and debug.getinfo and require 'jit.util')")
        connector("assert(collectgarbage() == 0)")
    end)

    it("lacks what would end or confuse the process", function()
        assert.error_matches(function() connector("os.exit(1)") end, "without flush and commit")
        assert.error_matches(function() connector("os.setlocale('C')") end, "reads numbers")
        connector("assert(debug.sethook == nil)")
    end)

    it("says what cannot be loaded", function()
        assert.error_matches(function() connector("require 'no_such_module_x'") end,
            "module 'no_such_module_x' cannot be loaded by a source")
    end)
end)
