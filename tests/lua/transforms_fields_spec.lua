-- InsertField, MaskField and ReplaceField beside what Kafka Connect makes of the
-- same records, and with paths.
local boot = testlib.boot
local run_cases = assert(loadfile(testlib.host.home .. "/tests/lua/cases.lua"))

local function chain(class, config, items)
    config["field.syntax.version"] = "V2"
    testlib.batch(items)
    testlib.apply(boot.instance("transform", class, config))
    return testlib.records()
end

-- A struct a with the given fields, and next to it i.
local function typed(fields, payload, optional)
    return ('{"schema":{"type":"struct","fields":[{"type":"struct","fields":[%s],"optional":true,'
        .. '"field":"a"},{"type":"int32","optional":false,"field":"i"}],"optional":%s},"payload":'
        .. '{"a":%s,"i":1}}'):format(fields, tostring(optional or false), payload)
end

local function field(name, kind, optional)
    return ('{"type":"%s","optional":%s,"field":"%s"}'):format(kind, tostring(optional), name)
end

local B, C = field("b", "int32", false), field("c", "string", true)

local function envelopes(class, config, ...)
    local items = {}
    for i, payload in ipairs { ... } do
        items[i] = { conv = "envelope", value = typed(B .. "," .. C, payload, true) }
    end
    chain(class, config, items)
    return testlib.encode("envelope")
end

describe("fields", function()
    run_cases(testlib, it, assert, "fields")

    it("are masked along paths", function()
        chain("MaskField", { fields = "a.b,`x.y`,q.r,a.n" },
            { '{"a":{"b":5,"c":"s"},"x.y":"t"}', '{"a":null}' })
        assert.same({ '{"a":{"b":0,"c":"s","n":null},"x.y":""}', '{"a":null,"x.y":null}' },
            testlib.encode())
        assert.same({ typed(B .. "," .. C, '{"b":7,"c":"7"}', true),
            typed(B .. "," .. C, "null", true) },
            envelopes("MaskField", { fields = "a.b,a.c", replacement = "7" }, '{"b":5,"c":"s"}',
                "null"))
        assert.matches("Only Map objects .* for %[nested field access%], found: java.lang.Long",
            chain("MaskField", { fields = "a.b" }, { '{"a":5}' })[1].reason)
    end)

    it("are inserted where their paths lead", function()
        chain("InsertField", { ["topic.field"] = "a.t", ["static.field"] = "a.b.s",
            ["static.value"] = "x" }, { '{"a":{"b":{"s":1}}}', '{"a":{}}', '{"z":1}' })
        assert.same({ '{"a":{"b":{"s":"x"},"t":"t"}}', '{"a":{"t":"t"}}', '{"z":1}' },
            testlib.encode())
        local longer = B .. "," .. C .. "," .. field("t", "string", false)
        assert.same({ typed(longer, '{"b":5,"c":null,"t":"t"}'), typed(longer, "null") },
            envelopes("InsertField", { ["topic.field"] = "a.t!" }, '{"b":5,"c":null}', "null"))
        assert.matches("Unknown field: q.t", chain("InsertField", { ["topic.field"] = "q.t" },
            { { conv = "envelope", value = typed(B, '{"b":1}') } })[1].reason)
        assert.matches("duplication a.b", chain("InsertField", { ["topic.field"] = "a.b" },
            { { conv = "envelope", value = typed(B, '{"b":1}') } })[1].reason)
    end)

    it("of refused records are as they were", function()
        local inst = boot.instance("transform", "InsertField", { ["topic.field"] = "a.t",
            ["offset.field"] = "o", ["field.syntax.version"] = "V2" })
        testlib.empty(1)
        local r = boot.batch:append()
        r.value = { a = { b = 1 }, i = 1 }
        testlib.settle()
        testlib.apply(inst)
        assert.matches("Only SinkRecord supported", testlib.records()[1].reason)
        local typed_one = typed(B .. "," .. C, '{"b":1,"c":"s"}')
        testlib.batch { { conv = "envelope", value = typed_one } }
        local schema = boot.inline([[
            local tide = require "tidegate"
            return tide.transform { record = function(r) r.value.a.b = 2 end }]], "t.lua")
        testlib.apply(schema)
        testlib.apply(boot.instance("transform", "InsertField", { ["topic.field"] = "a.t",
            ["static.field"] = "a.c", ["static.value"] = "x", ["field.syntax.version"] = "V2" }))
        local refused = testlib.records()[1]
        assert.matches("duplication a.c", refused.reason)
        assert.equal('{"a":{"b":2,"c":"s"},"i":1}', refused.value)
    end)

    it("are kept, removed and renamed along paths", function()
        local item = '{"a":{"b":1,"c":{"d":2,"e":3}},"x":1.10,"y":[1]}'
        local function gives(config, want)
            chain("ReplaceField", config, { item })
            assert.same({ want }, testlib.encode())
        end
        gives({ exclude = "a.c.d,x" }, '{"a":{"b":1,"c":{"e":3}},"y":[1]}')
        gives({ include = "a.c,x" }, '{"a":{"c":{"d":2,"e":3}},"x":1.10}')
        gives({ include = "a.b,a" }, '{"a":{"b":1,"c":{"d":2,"e":3}}}')
        gives({ include = "a,a.c.d" }, '{"a":{"b":1,"c":{"d":2,"e":3}}}')
        gives({ include = "a.c.d" }, '{"a":{"c":{"d":2}}}')
        gives({ renames = "a.c.d:z,x:w" }, '{"a":{"b":1,"c":{"z":2,"e":3}},"w":1.10,"y":[1]}')
        gives({ include = "a.c", exclude = "a.c.e", renames = "a.c.d:q" }, '{"a":{"c":{"q":2}}}')
        gives({ exclude = "q.r,y.z" }, item)
    end)

    it("of structs change their schemas, also where they are null", function()
        assert.same({ typed(C, '{"c":"s"}'), typed(C, "null") },
            envelopes("ReplaceField", { exclude = "a.b" }, '{"b":5,"c":"s"}', "null"))
        local renamed = field("z", "int32", false) .. "," .. C
        assert.same({ typed(renamed, '{"z":5,"c":"s"}'), typed(renamed, "null") },
            envelopes("ReplaceField", { renames = "a.b:z" }, '{"b":5,"c":"s"}', "null"))
    end)

    for class, config in pairs {
        InsertField = { ["topic.field"] = "`a" }, MaskField = { fields = "b,`a" },
        ["ReplaceField "] = { exclude = "`a" }, ["ReplaceField  "] = { include = "`a" },
        ReplaceField = { renames = "`a:b" }, HeaderFrom = { fields = "`a", headers = "h",
            operation = "copy" }, ValueToKey = { fields = "`a" }, ExtractField = { field = "`a" },
    } do
        it("of " .. class .. " must be paths", function()
            config["field.syntax.version"] = "V2"
            local err = assert.error(function()
                boot.instance("transform", class:match("%w+"), config)
            end)
            assert.matches("Invalid value `a for configuration [%w.]+: Incomplete backtick pair",
                err.message)
            config["field.syntax.version"] = "V3"
            assert.error_matches(function()
                boot.instance("transform", class:match("%w+"), config)
            end, "configuration field%.syntax%.version: String must be one of")
        end)
    end
end)
