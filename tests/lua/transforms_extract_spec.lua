-- ExtractField and Flatten beside what Kafka Connect makes of the same records,
-- and ExtractTopic.
local boot = testlib.boot
local V = testlib.verdict
local run_cases = assert(loadfile(testlib.host.home .. "/tests/lua/cases.lua"))

describe("ExtractField and Flatten", function()
    run_cases(testlib, it, assert, "extract")

    it("keep layouts of mixed records apart", function()
        local items, want = {}, {}
        local pairs_of = {
            { '{"a":{"x":1},"b":2}', '{"a.x":1,"b":2}' },
            { '{"a":1,"b":{"x":2}}', '{"a":1,"b.x":2}' },
            { '{"a":{"x":1,"y":{}},"b":2}', '{"a.x":1,"b":2}' },
            { '{"a":{"x":{"y":null}}}', '{"a.x.y":null}' },
            { '{"flat": 1.10}', '{"flat": 1.10}' },
        }
        for i = 1, 200 do
            local pair = pairs_of[(i * 7) % #pairs_of + 1]
            items[i], want[i] = pair[1], pair[2]
        end
        testlib.batch(items)
        testlib.apply(boot.instance("transform", "Flatten", {}))
        assert.same(want, testlib.encode())
    end)

    it("flatten more layouts than are remembered", function()
        local items, want = {}, {}
        for i = 1, 300 do
            items[i] = ('{"a":{"f%d":%d}}'):format(i, i)
            want[i] = ('{"a.f%d":%d}'):format(i, i)
        end
        local inst = boot.instance("transform", "Flatten", {})
        for _ = 1, 3 do
            testlib.batch(items)
            testlib.apply(inst)
            assert.same(want, testlib.encode())
        end
    end)
end)

describe("ExtractTopic", function()
    local C = "io.confluent.connect.transforms.ExtractTopic"

    local function apply(side, config, item)
        local inst = boot.instance("transform", C .. "$" .. side, config)
        testlib.batch { item }
        testlib.apply(inst)
        return testlib.records()[1]
    end

    local function topic(...)
        local r = apply(...)
        assert.equal(V.keep, r.verdict, r.reason)
        return r.topic
    end

    it("takes keys, values, fields and headers", function()
        assert.equal("new", topic("Value", {}, '"new"'))
        assert.equal("new", topic("Key", {}, { key = '"new"', value = "1" }))
        assert.equal("new", topic("Value", { field = "a.b" }, '{"a.b":"new"}'))
        assert.equal("new", topic("Key", { field = "t" }, { key = '{"t":"new"}' }))
        assert.equal("new", topic("Header", { field = "h" },
            { value = "1", headers = { { "h", '"old"' }, { "h", '"new"' } } }))
        assert.equal("new", topic("Value", { field = "a.b", ["field.syntax.version"] = "V2" },
            '{"a":{"b":"new"}}'))
    end)

    it("follows JSON paths of names", function()
        for _, path in ipairs { "$.f1.f3", "$['f1']['f3']", '$["f1"].f3' } do
            assert.equal("new", topic("Value", { field = path, ["field.format"] = "JSON_PATH" },
                '{"f1":{"f3":"new"}}'))
        end
    end)

    it("refuses or skips what is missing", function()
        local skip = { field = "t", ["skip.missing.or.null"] = "true" }
        for _, item in ipairs { '{"a":1}', '{"t":null}', '{"t":""}', {} } do
            assert.equal("t", topic("Value", skip, item))
        end
        assert.matches("Field t is missing or null",
            apply("Value", { field = "t" }, '{"a":1}').reason)
        assert.matches("Value is missing or null", apply("Value", {}, {}).reason)
        assert.matches("Header h is missing or null",
            apply("Header", { field = "h" }, { value = "1" }).reason)
        assert.matches("must be a string, found: java.lang.Long",
            apply("Value", { field = "t" }, '{"t":5}').reason)
        assert.matches("found: java.lang.Long", apply("Value", {}, "5").reason)
    end)

    it("refuses texts that are no topics", function()
        local r = apply("Value", {}, '"no topic"')
        assert.equal(V.reject, r.verdict)
        assert.matches("no topic", r.reason)
    end)

    it("checks its settings", function()
        local function wrong(side, config, pattern)
            local err = assert.error(function()
                boot.instance("transform", C .. "$" .. side, config)
            end)
            assert.matches(pattern, err.message)
        end
        wrong("Header", {}, "configuration field: the name of the header")
        wrong("Header", { field = "h", ["field.format"] = "JSON_PATH" }, "field%.format")
        wrong("Value", { field = "$[0]", ["field.format"] = "JSON_PATH" },
            "configuration field: the JSON path %[%$%[0%]%]")
        wrong("Value", { field = "$.a..b", ["field.format"] = "JSON_PATH" }, "JSON path")
        wrong("Value", { field = "$.a[*]", ["field.format"] = "JSON_PATH" }, "JSON path")
        wrong("Value", { field = "a", ["field.format"] = "XPATH" }, "field%.format")
        wrong("Value", { ["skip.missing.or.null"] = "maybe" }, "skip%.missing%.or%.null")
        wrong("Value", { field = "`a", ["field.syntax.version"] = "V2" }, "Incomplete backtick")
    end)
end)
