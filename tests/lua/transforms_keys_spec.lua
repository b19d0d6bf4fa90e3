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
