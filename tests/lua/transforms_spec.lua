-- The stock transforms do what Kafka Connect's do, schemaless and with schemas.
local boot = testlib.boot
local T = "org.apache.kafka.connect.transforms."
local V = testlib.verdict

-- Applies one transform to the items; the records afterwards.
local function apply(class, config, items)
    local inst = boot.instance("transform", T .. class, config)
    assert.is_true(inst.stock)
    testlib.batch(items)
    testlib.apply(inst)
    return testlib.records()
end

-- Value of one record after a transform, which must keep it.
local function value(class, config, item)
    local r = apply(class, config, { item })[1]
    assert.equal(V.keep, r.verdict, r.reason)
    return r.value
end

local function rejected(class, config, item)
    local r = apply(class, config, { item })[1]
    assert.equal(V.reject, r.verdict)
    return r.reason
end

local function field(name, kind, optional, more)
    return ('{"type":"%s","optional":%s%s,"field":"%s"}'):format(kind, tostring(optional or false),
        more or "", name)
end

local function struct(fields, payload)
    return ('{"schema":{"type":"struct","fields":[%s],"optional":false},"payload":%s}')
        :format(table.concat(fields, ","), payload)
end

local function with_schema(text)
    return { value = text, conv = "envelope", timestamp = 1577880000123, partition = 2, offset = 9 }
end

local function typed(class, config, text)
    local r = apply(class, config, { with_schema(text) })[1]
    assert.equal(V.keep, r.verdict, r.reason)
    return testlib.encode("envelope")[1]
end

local TIMESTAMP = ',"name":"org.apache.kafka.connect.data.Timestamp","version":1'
local I, S, F = field("i", "int32"), field("s", "string", true), field("f", "double")
local ISF = struct({ I, S, F }, '{"i":300,"s":"12","f":1.5}')

describe("ReplaceField", function()
    it("drops, keeps and renames", function()
        local item = '{"i":300,"s":"12","f":1}'
        assert.equal('{"ii":300,"s":"12"}',
            value("ReplaceField$Value", { exclude = "f", renames = "i:ii" }, item))
        assert.equal("{}", value("ReplaceField$Value", { include = "ii", renames = "i:ii" },
            '{"i":300}'))
        assert.equal('{"s":"12"}', value("ReplaceField$Value", { include = "i,s", exclude = "i" },
            item))
        assert.equal('{"f":300,"s":"12"}', value("ReplaceField$Value",
            { exclude = "f", renames = "i:f" }, item))
        assert.equal(item, value("ReplaceField$Value", {}, item))
        assert.equal('{"a":{"b":1}}', value("ReplaceField$Value", { exclude = "b,a.b" },
            '{"a":{"b":1}}'))
    end)

    it("keeps number texts and the rest of the record", function()
        assert.equal('{"b":1.10,"c":[1, 2]}', value("ReplaceField$Value", { exclude = "a" },
            '{"a":1, "b":1.10, "c":[1, 2]}'))
    end)

    it("works on structs", function()
        assert.equal(struct({ field("ii", "int32"), S }, '{"ii":300,"s":"12"}'),
            typed("ReplaceField$Value", { exclude = "f", renames = "i:ii" }, ISF))
    end)

    it("works on keys", function()
        local r = apply("ReplaceField$Key", { exclude = "a" },
            { { key = '{"a":1,"b":2}', value = '{"a":1}' } })[1]
        assert.equal('{"b":2}', r.key)
        assert.equal('{"a":1}', r.value)
    end)

    it("passes null and refuses other kinds", function()
        assert.is_nil(value("ReplaceField$Value", { exclude = "a" }, {}))
        assert.equal("null", value("ReplaceField$Value", { exclude = "a" }, "null"))
        assert.equal("Only Map objects supported in absence of schema for [field replacement], "
            .. "found: java.lang.String", rejected("ReplaceField$Value", {}, '"x"'))
        assert.equal("Only Map objects supported in absence of schema for [field replacement], "
            .. "found: java.util.ArrayList", rejected("ReplaceField$Value", {}, "[1]"))
        assert.equal("Only Struct objects supported for [field replacement], found: "
            .. "java.lang.Integer", rejected("ReplaceField$Value", {},
            with_schema('{"schema":{"type":"int32","optional":false},"payload":1}')))
    end)

    it("refuses bad renames", function()
        local err = assert.error(function()
            boot.instance("transform", T .. "ReplaceField$Value", { renames = "a:b:c" })
        end)
        assert.matches("Invalid rename mapping: a:b:c", err.message)
    end)
end)

describe("MaskField", function()
    it("puts the zero of every type", function()
        assert.equal('{"i":0,"s":""}', value("MaskField$Value", { fields = "i,s" },
            '{"i":300,"s":"12"}'))
        assert.equal('{"b":false,"f":0.0,"l":[],"m":{},"z":null,"e":""}',
            value("MaskField$Value", { fields = "b,f,l,m,z,e" },
                '{"b":true,"f":1.5,"l":[1],"m":{"a":1},"z":null,"e":"\\n"}'))
        assert.equal(struct({ I, S, F }, '{"i":0,"s":"","f":0.0}'),
            typed("MaskField$Value", { fields = "i,s,f" }, ISF))
    end)

    it("puts a replacement", function()
        assert.equal('{"i":77,"s":"77"}', value("MaskField$Value",
            { fields = "i,s", replacement = "77" }, '{"i":300,"s":"12"}'))
        assert.equal(struct({ I, S, F }, '{"i":3,"s":"3.7","f":3.7}'),
            typed("MaskField$Value", { fields = "i,s,f", replacement = "3.7" }, ISF))
        local bytes = struct({ field("b", "int8"), field("h", "int16"), field("l", "int64") },
            '{"b":1,"h":1,"l":1}')
        assert.equal(struct({ field("b", "int8"), field("h", "int16"), field("l", "int64") },
            '{"b":44,"h":300,"l":300}'),
            typed("MaskField$Value", { fields = "b,h,l", replacement = "300" }, bytes))
        assert.equal(struct({ field("l", "int64") }, '{"l":9223372036854775807}'),
            typed("MaskField$Value", { fields = "l", replacement = "9223372036854775807" },
                struct({ field("l", "int64") }, '{"l":1}')))
    end)

    it("reads replacements as Java does", function()
        local reason = rejected("MaskField$Value", { fields = "n", replacement = "0x10" },
            '{"n":1.5}')
        assert.matches("Unable to convert 0x10", reason)
        assert.equal('{"n":1500.0,"i":1500}', value("MaskField$Value",
            { fields = "n,i", replacement = "1.5e3" }, '{"n":1.5,"i":1}'))
        assert.equal('{"i":-3}', value("MaskField$Value", { fields = "i", replacement = "-3.9" },
            '{"i":1}'))
    end)

    it("treats missing and null fields as Kafka Connect", function()
        assert.equal('{"a":1,"x":null}', value("MaskField$Value", { fields = "x" }, '{"a":1}'))
        assert.equal('{"x":null}', value("MaskField$Value", { fields = "x", replacement = "1" },
            '{"x":null}'))
        assert.equal(ISF, typed("MaskField$Value", { fields = "x" }, ISF))
    end)

    it("refuses what cannot be masked", function()
        assert.equal("Only Map objects supported in absence of schema for [mask fields], "
            .. "found: null", rejected("MaskField$Value", { fields = "a" }, {}))
        assert.equal("Cannot mask value of type class java.lang.Boolean with custom replacement.",
            rejected("MaskField$Value", { fields = "b", replacement = "1" }, '{"b":true}'))
        assert.equal("Unable to convert xx (class java.lang.String) to a number",
            rejected("MaskField$Value", { fields = "b", replacement = "xx" }, '{"b":1}'))
        local b = struct({ field("b", "bytes") }, '{"b":"AQID"}')
        assert.equal("Cannot mask value of type: class [B",
            rejected("MaskField$Value", { fields = "b" }, with_schema(b)))
    end)

    it("masks dates and decimals, and gives dates no replacement", function()
        local function decimal(scale)
            return ',"name":"org.apache.kafka.connect.data.Decimal","version":1,'
                .. ('"parameters":{"scale":"%d"}'):format(scale)
        end
        local fields = { field("t", "int64", false, TIMESTAMP),
            field("d", "bytes", false, decimal(0)), field("e", "bytes", false, decimal(2)) }
        local text = struct(fields, '{"t":1577880000123,"d":"AZA=","e":"AZA="}')
        assert.equal(struct(fields, '{"t":0,"d":"AA==","e":"AZA="}'),
            typed("MaskField$Value", { fields = "t,d" }, text))
        assert.equal(struct(fields, '{"t":1577880000123,"d":"AZA=","e":"Au4="}'),
            typed("MaskField$Value", { fields = "e", replacement = "7.50" }, text))
        assert.error_matches(function() typed("MaskField$Value", { fields = "e" }, text) end,
            "scale") -- as in Kafka Connect: the zero has none
        assert.equal("Cannot mask value of type class java.util.Date with custom replacement.",
            rejected("MaskField$Value", { fields = "t", replacement = "7" }, with_schema(text)))
        assert.equal("Unable to convert x (class java.lang.String) to a number",
            rejected("MaskField$Value", { fields = "d", replacement = "x" }, with_schema(text)))
        local moment = '{"schema":{"type":"int64","optional":false' .. TIMESTAMP .. '},"payload":1}'
        assert.equal("Only Struct objects supported for [mask fields], found: java.util.Date",
            rejected("MaskField$Value", { fields = "t" }, with_schema(moment)))
    end)

    it("needs fields", function()
        local function make(config)
            return function() boot.instance("transform", T .. "MaskField$Value", config) end
        end
        assert.error_matches(make {},
            'Missing required configuration "fields" which has no default value%.')
        assert.error_matches(make { fields = "" }, "Invalid value  for configuration fields: Empty")
        assert.error_matches(make { fields = "a", replacement = "" }, "must be non%-empty")
    end)
end)

describe("InsertField", function()
    local all = { ["topic.field"] = "t", ["partition.field"] = "p", ["offset.field"] = "o",
        ["timestamp.field"] = "ts", ["static.field"] = "s", ["static.value"] = "x" }

    it("adds fields in Kafka Connect's order", function()
        assert.equal('{"a":1,"t":"top","p":2,"o":9,"ts":1577880000123,"s":"x"}',
            value("InsertField$Value", all, { value = '{"a":1}', topic = "top", partition = 2,
                offset = 9, timestamp = 1577880000123 }))
    end)

    it("overwrites in maps, leaves out what there is not", function()
        assert.equal('{"t":"t"}', value("InsertField$Value", { ["topic.field"] = "t" },
            '{"t":5}'))
        assert.equal('{"a":1}', value("InsertField$Value", { ["timestamp.field"] = "ts",
            ["partition.field"] = "p" }, { value = '{"a":1}' }))
    end)

    it("adds typed fields to structs", function()
        local line = struct({ field("line", "string") }, '{"line":"x"}')
        assert.equal(struct({ field("line", "string"), field("t", "string"),
            field("ts", "int64", true, TIMESTAMP), field("src", "string", true) },
            '{"line":"x","t":"t","ts":1577880000123,"src":"sa"}'),
            typed("InsertField$Value", { ["topic.field"] = "t!", ["static.field"] = "src",
                ["static.value"] = "sa", ["timestamp.field"] = "ts?" }, line))
        assert.equal("Cannot create field because of field name duplication i",
            rejected("InsertField$Value", { ["topic.field"] = "i" }, with_schema(ISF)))
    end)

    it("passes null", function()
        assert.is_nil(value("InsertField$Value", { ["topic.field"] = "t" }, {}))
    end)

    it("has no offset for source records", function()
        local inst = boot.instance("transform", T .. "InsertField$Value",
            { ["offset.field"] = "o" })
        testlib.empty(1)
        boot.batch:append().value = { a = 1 }
        testlib.settle()
        testlib.apply(inst)
        assert.equal("Only SinkRecord supported for [field insertion], found: "
            .. "org.apache.kafka.connect.source.SourceRecord", testlib.records()[1].reason)
    end)

    it("needs something to insert", function()
        local function make(config)
            return function() boot.instance("transform", T .. "InsertField$Value", config) end
        end
        assert.error_matches(make {}, "No field insertion configured")
        assert.error_matches(make { ["static.field"] = "x" }, "No value specified for static field")
    end)
end)

describe("HoistField", function()
    it("wraps everything", function()
        local function hoist(item)
            return value("HoistField$Value", { field = "line" }, item)
        end
        assert.equal('{"line":"one"}', hoist { value = "one", conv = "string" })
        assert.equal('{"line":{"a":1.10}}', hoist '{"a":1.10}')
        assert.equal('{"line":[1,2]}', hoist "[1,2]")
        assert.equal('{"line":null}', hoist {})
        assert.equal('{"line":null}', hoist "null")
        assert.equal(struct({ field("line", "string") }, '{"line":"x"}'),
            typed("HoistField$Value", { field = "line" },
                '{"schema":{"type":"string","optional":false},"payload":"x"}'))
    end)

    it("gives lines of a file the schema that Kafka Connect gives them", function()
        local name = os.tmpname()
        local f = assert(io.open(name, "w"))
        f:write('say "x"\n')
        f:close()
        local source = boot.instance("source", "FileStreamSource", { file = name, topic = "t" })
        source.start {}
        testlib.empty(10)
        testlib.call(source.poll)
        testlib.settle()
        local hoist = boot.instance("transform", T .. "HoistField$Value", { field = "line" })
        assert.same({ '{"schema":{"type":"string","optional":false},"payload":"say \\"x\\""}' },
            testlib.encode("envelope"))
        testlib.apply(hoist)
        os.remove(name)
        assert.same({ struct({ field("line", "string") }, '{"line":"say \\"x\\""}') },
            testlib.encode("envelope"))
    end)

    it("keeps the schema of null", function()
        local function hoist(item)
            return typed("HoistField$Value", { field = "line" }, item)
        end
        testlib.batch { { conv = "string" }, { conv = "bytes" }, { conv = "json" } }
        testlib.apply(boot.instance("transform", T .. "HoistField$Value", { field = "line" }))
        assert.same({ struct({ field("line", "string", true) }, '{"line":null}'),
            struct({ field("line", "bytes", true) }, '{"line":null}'),
            '{"schema":null,"payload":{"line":null}}' }, testlib.encode("envelope"))
        assert.equal(struct({ field("line", "int32", true) }, '{"line":null}'),
            hoist '{"schema":{"type":"int32","optional":true},"payload":null}')
    end)
end)

describe("replace.null.with.default", function()
    -- the field keeps its default in the schema, but holds null
    local dflt = field("d", "int32", true, ',"default":5')
    local item = struct({ dflt, field("e", "string", true) }, '{"d":1,"e":null}')
    local empty = boot.inline([[
        local tide = require "tidegate"
        return tide.transform { record = function(r) r.value.d = tide.null end }]], "t.lua")
    local seen = boot.inline([[
        local tide = require "tidegate"
        return tide.transform { record = function(r)
            if r.value.d == nil then r:reject("null") else r:reject(tostring(r.value.d)) end
        end }]], "t.lua")

    local function reads(class, config)
        testlib.batch { with_schema(item) }
        testlib.apply(empty)
        testlib.apply(boot.instance("transform", T .. class, config))
        testlib.apply(seen)
        return testlib.records()[1].reason
    end

    for class, config in pairs {
        ["InsertField$Value"] = { ["topic.field"] = "t" }, ["ReplaceField$Value"] = {},
        ["MaskField$Value"] = { fields = "e" },
    } do
        it("is honoured by " .. class, function()
            assert.equal("5", reads(class, config))
            config["replace.null.with.default"] = "false"
            assert.equal("null", reads(class, config))
        end)
    end

    it("masks the default", function()
        assert.equal("0", reads("MaskField$Value", { fields = "d" }))
        assert.equal("null", reads("MaskField$Value",
            { fields = "d", ["replace.null.with.default"] = "false" }))
    end)
end)

describe("a chain", function()
    it("isolates the records that fail", function()
        local mask = boot.instance("transform", T .. "MaskField$Value", { fields = "a" })
        local insert = boot.instance("transform", T .. "InsertField$Value",
            { ["static.field"] = "s", ["static.value"] = "x" })
        testlib.batch { '{"a":1}', '"bad"', '{"a":2}' }
        testlib.apply(mask)
        testlib.apply(insert)
        assert.same({ '{"a":0,"s":"x"}', '{"a":0,"s":"x"}' }, testlib.encode())
        assert.equal(V.reject, testlib.records()[2].verdict)
    end)

    it("honours predicates", function()
        local p = { test = function(r) return r.value.a > 1 end }
        local insert = boot.instance("transform", T .. "InsertField$Value",
            { ["static.field"] = "s", ["static.value"] = "x" })
        insert.predicate = p
        testlib.batch { '{"a":1}', '{"a":2}', '{"a":3}' }
        testlib.apply(insert)
        assert.same({ '{"a":1}', '{"a":2,"s":"x"}', '{"a":3,"s":"x"}' }, testlib.encode())
        insert.negate = true
        testlib.batch { '{"a":1}', '{"a":2}' }
        testlib.apply(insert)
        assert.same({ '{"a":1,"s":"x"}', '{"a":2}' }, testlib.encode())
    end)

    it("shows hidden records again after an error", function()
        local inst = boot.inline([[
            local tide = require "tidegate"
            return tide.transform { record = function(r)
                if r.value.a == 3 then error("three") end
                r.value.seen = true
            end }]], "t.lua")
        inst.predicate = { test = function(r) return r.value.a ~= 2 end }
        testlib.batch { '{"a":1}', '{"a":2}', '{"a":3}' }
        assert.error_matches(function() testlib.call(inst.apply) end, "three")
        for i = 0, 1 do
            testlib.range(i, i + 1)
            testlib.call(inst.apply)
        end
        for _, r in ipairs(testlib.records()) do assert.equal(V.keep, r.verdict) end
    end)
end)
