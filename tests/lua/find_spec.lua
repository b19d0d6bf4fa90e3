-- Finding plugins, their configuration tables, and connectors' hooks.
local boot, host = testlib.boot, testlib.host
local T = "org.apache.kafka.connect.transforms."

local root, saved

local function sh(command)
    assert(os.execute(command) == 0)
end

local function write(name, text)
    sh(("mkdir -p '%s/%s'"):format(root, name:match("^(.*)/") or "."))
    local f = assert(io.open(root .. "/" .. name, "w"))
    f:write('local tide = require "tidegate"\n', text)
    f:close()
end

local function setup()
    local p = io.popen("mktemp -d")
    root = p:read("*l")
    p:close()
    saved = host.plugin_path
    host.plugin_path = { root }
end

local function teardown()
    host.plugin_path = saved
    sh(("rm -rf '%s'"):format(root))
end

local function each(fn)
    before_each(setup)
    after_each(teardown)
    fn()
end

local MASK = [[return tide.transform {
    version = "2.1", doc = "Masks.",
    config = { field = { type = "string", required = true, doc = "The field." },
        keep = { type = "int", default = 4, min = 0, max = 9 } },
    new = function(cfg)
        local get, set = tide.path(cfg.field)
        return function(batch)
            for _, r in batch:each() do
                local s = get(r.value)
                if s then set(r.value, ("*"):rep(#s - cfg.keep) .. s:sub(-cfg.keep)) end
            end
        end
    end,
}]]

local SOURCE = [[
local ctx, part, next_at
return tide.source {
    class = { "com.acme.kafka.NumbersSourceConnector", "Numbers" },
    config = { topic = { required = true }, n = { type = "long", default = 3 } },
    tasks = function(cfg, max)
        local out = {}
        for i = 1, math.min(max, 2) do out[i] = { topic = cfg.topic .. i, n = cfg.n * i } end
        return out
    end,
    start = function(c)
        ctx = c
        part = ctx:partition({ name = "numbers" }, "at")
        local stored = ctx:offset { name = "numbers" }
        next_at = stored and stored.at + 1 or 1
    end,
    poll = function(batch)
        if next_at > ctx.config.n then
            ctx:lag(0)
            return 50
        end
        local r = batch:append()
        r.topic, r.value = ctx.config.topic, { at = next_at }
        r:source(part, next_at)
        next_at = next_at + 1
        ctx:lag(ctx.config.n - next_at + 1)
    end,
    stop = function() if next_at > 100 then error("late") end end,
}]]

local SINK = [[
local seen = {}
return tide.sink {
    class = "com.acme.kafka.SeenSinkConnector",
    open = function(parts)
        for _, p in ipairs(parts) do seen[#seen + 1] = p.topic .. p.partition end
    end,
    put = function(batch)
        for i, r in batch:each() do
            if r.value == 2 then r:retry() elseif r.value == 3 then r:reject("three") end
        end
    end,
    flush = function() if #seen == 0 then error("nothing open") end end,
}]]

describe("finding transforms", function() each(function()
    it("by Java class, by name", function()
        for _, class in ipairs { T .. "InsertField$Value", "InsertField$Value", "InsertField",
            "insert_field", "insert_field$Value" } do
            local info = assert(boot.find("transform", class))
            assert.equal("insert_field", info.name)
            assert.equal(T .. "InsertField$Value", info.class)
        end
        assert.equal(T .. "InsertField$Key", boot.find("transform", T .. "InsertField$Key").class)
        assert.is_nil((boot.find("transform", "com.other.InsertField$Value")))
        assert.is_nil((boot.find("sink", "InsertField$Value")))
    end)

    it("in folders of plugin.path", function()
        write("mask_card.lua", MASK)
        write("transforms/other-one.lua", MASK)
        for _, class in ipairs { "mask_card", "MaskCard", "com.acme.MaskCard", "other-one",
            "OtherOne" } do
            local info, err = boot.find("transform", class)
            assert(info, err)
            assert.equal("2.1", info.version)
        end
        local info = boot.find("transform", "MaskCard")
        assert.equal(root .. "/mask_card.lua", info.file)
        assert.equal("Masks.", info.doc)
        assert.equal("field", info.config[1].name)
        assert.equal("STRING", info.config[1].type)
        assert.is_true(info.config[1].required)
        assert.equal("4", info.config[2].default_value)
        local none, why = boot.find("transform", "mask_card$Key")
        assert.is_nil(none)
        assert.matches("no %$Key and %$Value forms", why)
    end)

    it("says what is near and what is there", function()
        write("mask_card.lua", MASK)
        local none, why = boot.find("transform", "MaskCrad")
        assert.is_nil(none)
        assert.matches("Failed to find any class that implements Transformation and which name "
            .. "matches MaskCrad, did you mean 'mask_card'", why)
        assert.matches("Available: .*mask_card", why)
        none, why = boot.find("connector", "FileStreamSorce")
        assert.is_nil(none)
        assert.matches("implements Connector and which name matches FileStreamSorce", why)
    end)

    it("in spite of broken files", function()
        write("mask_card.lua", MASK)
        write("broken.lua", "this is no Lua")
        write("wrong.lua", "return { new = print }")
        write("typo.lua", "return tide.transform { nwe = print }")
        write("kind.lua", "return tide.transform { new = print, config = { a = { tpye = 1 } } }")
        assert(boot.find("transform", "mask_card"))
        local errors = {}
        for _, info in ipairs(boot.list()) do errors[info.name] = info.error end
        assert.matches("broken.lua:2:", errors.broken)
        assert.matches("a plugin file returns what tide.source", errors.wrong)
        assert.matches("unknown member 'nwe', did you mean 'new'", errors.typo)
        assert.matches("unknown member 'tpye', did you mean 'type'", errors.kind)
        assert.is_nil(errors.mask_card)
        local none, why = boot.find("transform", "broken")
        assert.is_nil(none)
        assert.matches("broken does not load: .*broken.lua:2:", why)
        none, why = boot.find("transform", "nowhere")
        assert.is_nil(none)
        assert.matches("do not load: .*broken.lua:2:", why)
    end)

    it("never hides tidegate's own", function()
        write("insert_field.lua", MASK)
        assert.is_true(boot.find("transform", "InsertField").stock)
        local hidden
        for _, info in ipairs(boot.list()) do
            if info.file == root .. "/insert_field.lua" then hidden = info end
        end
        assert.is_not_nil(hidden)
    end)
end) end)

describe("finding connectors", function() each(function()
    it("by folder, by declared class", function()
        write("numbers/source.lua", SOURCE)
        write("numbers/sink.lua", SINK)
        write("connectors/more/source.lua", SOURCE)
        for _, class in ipairs { "com.acme.kafka.NumbersSourceConnector", "Numbers",
            "NumbersSourceConnector", "NumbersSource", "numbers_source" } do
            local info, err = boot.find("connector", class)
            assert(info, err)
            assert.equal("source", info.kind)
            assert.equal("com.acme.kafka.NumbersSourceConnector", info.class)
        end
        assert.equal("sink", boot.find("connector", "com.acme.kafka.SeenSinkConnector").kind)
        assert.equal("sink", boot.find("sink", "numbers").kind)
        assert.equal("source", boot.find("source", "numbers").kind)
        assert.equal("source", boot.find("connector", "more").kind)
        local none, why = boot.find("connector", "numbers")
        assert.is_nil(none)
        assert.matches("both a source and a sink", why)
    end)
end) end)

describe("configurations", function() each(function()
    local function validate(config, known)
        write("mask_card.lua", MASK)
        return boot.validate("transform", "mask_card", config, known or {})
    end

    it("are accepted", function()
        local errors, warnings = validate { field = " card ", keep = "2" }
        assert.equal(0, #errors)
        assert.equal(0, #warnings)
    end)

    it("are checked with Kafka's messages", function()
        local errors = validate {}
        assert.equal('Missing required configuration "field" which has no default value.',
            errors[1].message)
        assert.equal("field", errors[1].key)
        errors = validate { field = "x", keep = "four" }
        assert.equal("Invalid value four for configuration keep: Not a number of type INT",
            errors[1].message)
        assert.equal("four", errors[1].value)
        errors = validate { field = "x", keep = "-1" }
        assert.equal("Invalid value -1 for configuration keep: Value must be at least 0",
            errors[1].message)
        errors = validate { field = "x", keep = "10" }
        assert.matches("Value must be no more than 9", errors[1].message)
    end)

    it("warn about unknown keys", function()
        local errors, warnings = validate({ field = "x", kep = "1", type = "mask_card",
            ["errors.x"] = "1" }, { "type", "predicate", "errors." })
        assert.equal(0, #errors)
        assert.equal(1, #warnings)
        assert.equal("Unknown configuration 'kep', did you mean 'keep'?", warnings[1].message)
    end)

    it("stop an instance", function()
        write("mask_card.lua", MASK)
        local err = assert.error(function() boot.instance("transform", "mask_card", {}) end)
        assert.equal(-2, err.code)
        assert.matches("^mask_card: Missing required", err.message)
    end)
end) end)

describe("instances", function() each(function()
    it("run the example of the design", function()
        write("mask_card.lua", MASK)
        local inst = boot.instance("transform", "mask_card", { field = "card.number" })
        assert.equal("2.1", inst.version)
        assert.is_false(inst.stock)
        testlib.batch { '{"card":{"number":"1234567890"}}', '{"card":{}}', '{"x":1.10}' }
        testlib.apply(inst)
        assert.same({ '{"card":{"number":"******7890"}}', '{"card":{}}', '{"x":1.10}' },
            testlib.encode())
    end)

    it("load their file anew", function()
        write("count.lua", [[
            local n = 0
            return tide.transform { record = function(r)
                n = n + 1
                r.value = n
            end }]])
        local a = boot.instance("transform", "count", {})
        local b = boot.instance("transform", "count", {})
        assert.is_true(a.per_record)
        testlib.batch { "0", "0" }
        testlib.apply(a)
        testlib.batch { "0" }
        testlib.apply(b)
        assert.same({ "1" }, testlib.encode())
    end)

    it("of connectors may declare C types", function()
        write("typed/source.lua", [[
require("ffi").cdef("typedef struct find_spec_type { int a; } find_spec_type;")
return tide.source { class = "TypedSource", poll = print }]])
        assert(boot.find("connector", "typed"))
        assert(boot.find("connector", "TypedSource"))
        assert.equal(1, #boot.tasks("typed", {}, 1))
        assert(boot.validate("connector", "typed", {}, {}))
        assert(boot.instance("source", "typed", {}))
    end)

    it("of sources poll and report", function()
        write("numbers/source.lua", SOURCE)
        local raw = { topic = "t", n = "2" }
        local tasks = boot.tasks("Numbers", raw, 5)
        assert.same({ { topic = "t1", n = "2" }, { topic = "t2", n = "4" } },
            { { topic = tasks[1].topic, n = tasks[1].n }, { topic = tasks[2].topic,
                n = tasks[2].n } })
        local inst = boot.instance("source", "Numbers", tasks[2])
        testlib.reset()
        inst.start { { { name = "other" }, { at = 9 } }, { { name = "numbers" }, { at = 2 } } }
        testlib.empty(10)
        assert.is_nil(inst.poll())
        assert.equal(1, inst.lag())
        assert.is_nil(inst.poll())
        assert.equal(50, inst.poll())
        local rs = testlib.records()
        assert.equal(2, #rs)
        assert.equal("t2", rs[1].topic)
        assert.equal('{"at":3}', rs[1].value)
        assert.equal(3, rs[1].offset)
        assert.is_nil(inst.commit)
        inst.stop()
    end)

    it("of sinks put, flush, open", function()
        write("seen/sink.lua", SINK)
        local inst = boot.instance("sink", "seen", {})
        assert.error_matches(function() inst.flush() end, "nothing open")
        inst.open { { "t", 0 } }
        inst.flush()
        testlib.batch { "1", "2", "3" }
        inst.put()
        local V, got = testlib.verdict, {}
        for i, r in ipairs(testlib.records()) do got[i] = r.verdict end
        assert.same({ V.keep, V.retry, V.reject }, got)
        assert.is_nil(inst.stop)
        assert.is_nil(inst.apply)
    end)

    it("have no batch outside their calls", function()
        local inst = boot.inline([[
            local tide = require "tidegate"
            local kept, batch_kept
            return tide.sink {
                put = function(batch) batch_kept = batch
                    for _, r in batch:each() do kept = r.value end end,
                flush = function() return kept.a end,
                stop = function() return #batch_kept end,
            }]], "t.lua")
        testlib.batch { '{"a":1}' }
        inst.put()
        if not host.jit then testlib.reset() end -- what the host does after a call
        assert.error_matches(function() inst.flush() end, "no batch")
        assert.error_matches(function() inst.stop() end, "no batch")
    end)

    it("split work within tasks.max", function()
        write("many/source.lua", [[return tide.source { poll = print,
            tasks = function() return { {}, {}, {} } end }]])
        assert.error_matches(function() boot.tasks("many", {}, 2) end, "tasks.max is 2")
        write("plain/source.lua", "return tide.source { poll = print }")
        assert.same({ { a = "b" } }, { boot.tasks("plain", { a = "b" }, 4)[1] })
        assert.equal(1, #boot.tasks("plain", { a = "b" }, 4))
    end)
end) end)

describe("predicates", function() each(function()
    it("decide", function()
        write("big.lua", [[return tide.predicate {
            config = { than = { type = "int", default = 5 } },
            test = function(r, cfg) return r.value.n > cfg.than end }]])
        write("seen.lua", [[return tide.transform {
            record = function(r) r.value.seen = true end }]])
        local inst = boot.instance("transform", "seen", {})
        inst.predicate = boot.instance("predicate", "big", { than = "1" })
        testlib.batch { '{"n":1}', '{"n":2}' }
        testlib.apply(inst)
        assert.same({ '{"n":1}', '{"n":2,"seen":true}' }, testlib.encode())
        inst.negate = true
        testlib.batch { '{"n":1}', '{"n":2}' }
        testlib.apply(inst)
        assert.same({ '{"n":1,"seen":true}', '{"n":2}' }, testlib.encode())
    end)
end) end)

describe("heal", function()
    it("can be called at any time", function()
        boot.heal()
        testlib.batch { '{"a":1}' }
        for _, r in boot.batch:each() do r.value.a = r.value.a + 1 end
        assert.same({ '{"a":2}' }, testlib.encode())
    end)
end)
