-- ValueToKey, SetSchemaMetadata and HoistField beside what Kafka Connect makes of
-- the same records.
local boot = testlib.boot
local run_cases = assert(loadfile(testlib.host.home .. "/tests/lua/cases.lua"))

describe("keys, schemas and hoisting", function()
    run_cases(testlib, it, assert, "keys")

    it("keys are made of nested fields", function()
        testlib.batch { { value = '{"a":{"b":1.10,"c":[{"d":null}]},"x":null}', key = "5" } }
        testlib.apply(boot.instance("transform", "ValueToKey",
            { fields = "a.b,a.c,x.y", ["field.syntax.version"] = "V2" }))
        assert.same({ '{"b":1.10,"c":[{"d":null}],"y":null}' }, testlib.encode("json", "key"))
        assert.same({ '{"a":{"b":1.10,"c":[{"d":null}]},"x":null}' }, testlib.encode())
    end)

    it("keys share nothing with values", function()
        testlib.batch { '{"a":{"b":1}}' }
        testlib.apply(boot.instance("transform", "ValueToKey", { fields = "a" }))
        testlib.apply(boot.instance("transform", "Cast$Key",
            { spec = "a.b:string", ["field.syntax.version"] = "V2" }))
        assert.same({ '{"a":{"b":"1"}}' }, testlib.encode("json", "key"))
        assert.same({ '{"a":{"b":1}}' }, testlib.encode())
    end)

    it("hoisted trees can be written", function()
        testlib.batch { '{"a":{"b":1},"c":1.10}' }
        testlib.apply(boot.instance("transform", "HoistField", { field = "x" }))
        testlib.apply(boot.instance("transform", "MaskField",
            { fields = "x.a.b", ["field.syntax.version"] = "V2" }))
        testlib.apply(boot.instance("transform", "ExtractField", { field = "x" }))
        assert.same({ '{"a":{"b":0},"c":1.10}' }, testlib.encode())
    end)

    it("refuse what they cannot use", function()
        assert.error_matches(function()
            boot.instance("transform", "HoistField", { field = "" })
        end, "configuration field: String must be non%-empty")
        assert.error_matches(function()
            boot.instance("transform", "SetSchemaMetadata", { ["schema.version"] = "1.5" })
        end, "schema%.version: Not a number of type INT")
    end)
end)

describe("validation", function()
    local T = "org.apache.kafka.connect.transforms."
    local V2 = "field.syntax.version"
    local wrong = {
        { "Cast$Value", {}, "spec" }, { "Cast$Value", { spec = "a:b:c" }, "spec" },
        { "Cast$Key", { spec = "a:uint8" }, "spec" },
        { "Cast$Key", { spec = "`a:int8", [V2] = "V2" }, "spec" },
        { "DropHeaders", { headers = "" }, "headers" },
        { "ExtractField$Value", {}, "field" },
        { "ExtractField$Value", { field = "a", [V2] = "3" }, V2 },
        { "ExtractField$Value", { field = "", [V2] = "V2" }, "field" },
        { "HeaderFrom$Value", { fields = "a", headers = "b,c", operation = "copy" }, "headers" },
        { "HeaderFrom$Value", { fields = "a", headers = "b", operation = "cut" }, "operation" },
        { "HoistField$Key", {}, "field" },
        { "InsertField$Value", {}, "topic.field" },
        { "InsertField$Value", { ["static.field"] = "a" }, "static.value" },
        { "InsertField$Value", { ["offset.field"] = "`a", [V2] = "v2" }, "offset.field" },
        { "InsertHeader", { header = "h" }, "value.literal" },
        { "MaskField$Value", { fields = "a", replacement = "" }, "replacement" },
        { "ReplaceField$Value", { renames = "a" }, "renames" },
        { "ReplaceField$Value", { include = "`a", [V2] = "V2" }, "include" },
        { "SetSchemaMetadata$Value", {}, "schema.name" },
        { "SetSchemaMetadata$Value", { ["schema.version"] = "x" }, "schema.version" },
        { "ValueToKey", { fields = "" }, "fields" },
        { "ValueToKey", { fields = "a", ["replace.null.with.default"] = "x" },
            "replace.null.with.default" },
    }

    for i, case in ipairs(wrong) do
        it(("names the key of %s (%d)"):format(case[1], i), function()
            local errors = boot.validate("transform", T .. case[1], case[2], {})
            assert.equal(1, #errors)
            assert.equal(case[3], errors[1].key)
        end)
    end

    it("knows which form of ExtractTopic it checks", function()
        local C = "io.confluent.connect.transforms.ExtractTopic"
        assert.equal("field", boot.validate("transform", C .. "$Header", {}, {})[1].key)
        assert.equal(0, #boot.validate("transform", C .. "$Key", {}, {}))
    end)
end)
