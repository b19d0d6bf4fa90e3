-- Scripts in a configuration, the state that versions hand on, and timers.
local boot = testlib.boot
local V = testlib.verdict
local LABEL = "orders.transforms.t"

local function inline(script, more, label)
    local raw = { script = script }
    for k, v in pairs(more or {}) do raw[k] = v end
    return boot.instance("transform", "Lua", raw, label == nil and LABEL or label)
end

local function run(inst, items)
    testlib.batch(items)
    testlib.apply(inst)
    return testlib.records()
end

local function temporary(text)
    local path = os.tmpname()
    local f = assert(io.open(path, "w"))
    f:write(text)
    f:close()
    return path
end

describe("a script in the configuration", function()
    it("is what is done with each record", function()
        local inst = inline("r.value.a = r.value.a + 1\nif r.value.a > 5 then r:drop() end")
        local r = run(inst, { '{"a":1}', '{"a":7}' })
        assert.equal('{"a":2}', r[1].value)
        assert.equal(V.keep, r[1].verdict)
        assert.equal(V.drop, r[2].verdict)
    end)

    it("answers to three names", function()
        for _, class in ipairs { "Lua", "lua", "tidegate.Lua" } do
            assert.truthy(boot.instance("transform", class, { script = "r.topic = 'x'" }))
        end
    end)

    it("sees tide and the other keys", function()
        local inst = inline("r.value.at = cfg.field .. tide.str(r.value.a)", { field = "x" })
        assert.equal('{"a":9007199254740993,"at":"x9007199254740993"}',
            run(inst, { '{"a":9007199254740993}' })[1].value)
    end)

    it("keeps globals of its own", function()
        local one, two = inline("n = (n or 0) + 1 r.value.n = n"), inline("r.value.n = tostring(n)")
        assert.equal('{"n":2}', run(one, { "{}", "{}" })[2].value)
        assert.equal('{"n":"nil"}', run(two, { "{}" })[1].value)
    end)

    it("may be a whole plugin with settings", function()
        local text = [[
            local tide = require "tidegate"
            return tide.transform {
                config = { by = { type = "int", required = true } },
                record = function(r, cfg) r.value.a = r.value.a + cfg.by end,
            }]]
        assert.equal('{"a":4}', run(inline(text, { by = "3" }), { '{"a":1}' })[1].value)
        local err = assert.error(function() inline(text) end)
        assert.matches('required configuration "by"', err.message)
        local errors = boot.validate("transform", "Lua", { script = text }, {})
        assert.equal("by", errors[1].key)
    end)

    it("may stand in a file", function()
        local path = temporary("r.value.x = 1")
        local inst = boot.instance("transform", "Lua", { file = path }, LABEL)
        assert.equal('{"x":1}', run(inst, { "{}" })[1].value)
        assert.same({ path, "r.value.x = 1" }, boot.files(inst))
        os.remove(path)
        assert.matches("cannot", boot.validate("transform", "Lua", { file = path }, {})[1].message)
    end)

    it("may be a predicate", function()
        local function hits(script)
            local inst = inline("r.value.hit = 1")
            inst.predicate = boot.instance("predicate", "Lua", { script = script }, LABEL)
            local r = run(inst, { '{"a":1}', '{"a":9}' })
            return r[1].value .. r[2].value
        end
        assert.equal('{"a":1}{"a":9,"hit":1}', hits("r.value.a > 5"))
        assert.equal('{"a":1,"hit":1}{"a":9}', hits("if r.value.a > 5 then return false end "
            .. "return true"))
    end)

    it("names its line", function()
        assert.error_matches(function() inline("local x = 1\nx =") end,
            "orders%.transforms%.t%.script:2: unexpected symbol")
        local inst = inline("local x = r.value\nx.y.z = 1")
        assert.error_matches(function() run(inst, { "{}" }) end,
            "orders%.transforms%.t%.script:2:")
        assert.error_matches(function() run(inline("return 1"), { "{}" }) end,
            "returns nothing, r:drop%(%) filters")
    end)

    it("needs a text or a file, not both", function()
        for _, raw in ipairs { {}, { script = " \n" }, { script = "x = 1", file = "y" } } do
            local errors = boot.validate("transform", "Lua", raw, {})
            assert.equal("script", errors[1].key)
            assert.matches("script", errors[1].message)
        end
        assert.same({}, boot.validate("transform", "Lua", { script = "r.topic = 'x'" }, {}))
    end)

    it("computes only", function()
        local tries = {
            ["io.open('x')"] = "io.open is not available in a transform: .*connectors do",
            ["os.execute('true')"] = "os.execute is not available in a transform",
            ["os.getenv('HOME')"] = "os.getenv is not available in a transform",
            ["require 'ffi'"] = "module 'ffi' is not available in a transform",
            ["require 'words'"] = "a script in a configuration has no folder",
            ["debug.getinfo(1)"] = "debug.getinfo is not available in a transform",
            ["package.loadlib('x', 'y')"] = "package.loadlib is not available in a transform",
            ["getfenv(0)"] = "getfenv is not available in a transform",
            ["string.dump(print)"] = "string.dump is not available in a transform",
            ["tide.path = 1"] = "read%-only",
        }
        for code, pattern in pairs(tries) do
            assert.error_matches(function() run(inline(code), { "{}" }) end, pattern, code)
        end
        local f = inline("r.value.ok = tostring((loadstring('\\27LJ\\1\\2')))")
        assert.equal('{"ok":"nil"}', run(f, { "{}" })[1].value)
    end)
end)

describe("a state", function()
    local keeper = [[
        local tide = require "tidegate"
        return tide.transform { new = function(cfg, side, state)
            return { record = function(r) r.value.was = tostring(state and state.x) end,
                state = function() return %s end }
        end }]]

    local function handed(expression)
        return boot.state(inline(keeper:format(expression)))
    end

    it("reaches the next version as it was", function()
        local text = [[
            local tide = require "tidegate"
            return tide.transform { new = function(_, _, state)
                local seen
                if state then
                    local s = state
                    seen = table.concat({ tostring(s.null == tide.null), tostring(s.t),
                        tostring(s.f), ("%.17g"):format(s.n), tostring(s.inf), tostring(s.nan),
                        tostring(s.big), #s.text, tostring(s[1]), s.deep.a[2].b,
                        tide.json.encode(s.array), tide.json.encode(s.empty) }, " ")
                end
                return { record = function(r) r.value.seen = seen end,
                    state = function() return { null = tide.null, t = true, f = false, n = 0.1,
                        inf = 1/0, nan = 0/0, big = -9223372036854775808LL,
                        text = "\0\255}{;:", "first", deep = { a = { 1, { b = "x" } } },
                        array = tide.array { 1, 2 }, empty = tide.array {} } end }
            end }]]
        local path = temporary(text)
        local raw = { file = path }
        local one = boot.instance("transform", "Lua", raw, LABEL)
        local two = boot.reload(one, raw, LABEL, boot.state(one))
        os.remove(path)
        local r = run(two, { "{}" })[1]
        assert.equal(V.keep, r.verdict, r.reason)
        assert.matches('"true true false 0.10000000000000001 inf %-?nan '
            .. '%-9223372036854775808LL 6 first x %[1,2%] %[%]"', r.value)
    end)

    it("is plain data", function()
        assert.error_matches(function() handed("{ a = { print } }") end,
            'the state%["a"%]%[1%] is a function')
        assert.error_matches(function() handed("{ [{}] = 1 }") end, "table as key")
        assert.error_matches(function() handed("setmetatable({}, {})") end, "metatable")
        assert.error_matches(function() handed("(function() local t = {} t.t = t return t end)()")
            end, "in itself")
        assert.error_matches(function() handed("tide.path('a')") end, "is a function")
    end)

    it("need not be", function()
        assert.is_nil(boot.state(inline("r.topic = 'x'")))
        local inst = inline(keeper:format("nil"))
        assert.equal("N", boot.state(inst))
    end)
end)

describe("a reload", function()
    it("runs the new text, its test first", function()
        local path = temporary("r.value.v = 1")
        local raw = { file = path }
        local one = boot.instance("transform", "Lua", raw, LABEL)
        local function save(text)
            local f = io.open(path, "w")
            f:write(text)
            f:close()
            return boot.reload(one, raw, LABEL)
        end
        assert.equal('{"v":2}', run(save("r.value.v = 2"), { "{}" })[1].value)
        assert.equal('{"v":1}', run(one, { "{}" })[1].value) -- the old one lives on
        assert.error_matches(function()
            save("local tide = require 'tidegate' return tide.transform { "
                .. "selftest = function() error('no good') end, record = function() end }")
        end, "no good")
        assert.error_matches(function() save("r.value.v = ") end, ":1: unexpected symbol")
        assert.same({ path, "r.value.v = " }, boot.attempt())
        os.remove(path)
    end)
end)

describe("a timer", function()
    local text = [[
        local tide = require "tidegate"
        return tide.transform { new = function(cfg)
            local n = 0
            return { record = function(r) r.value.n = n end,
                every = { ms = %s, fn = function() n = n + 1 end } }
        end }]]

    it("is called beside the batches", function()
        local inst = inline(text:format("250"))
        assert.equal(250, inst.every_ms)
        inst.tick()
        inst.tick()
        assert.equal('{"n":2}', run(inst, { "{}" })[1].value)
    end)

    it("has milliseconds and a function", function()
        for _, ms in ipairs { "0", "-1", "'x'", "nil" } do
            assert.error_matches(function() inline(text:format(ms)) end, "every is a table such as")
        end
    end)
end)
