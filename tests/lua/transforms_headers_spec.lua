-- DropHeaders, HeaderFrom, InsertHeader and Filter beside what Kafka Connect makes
-- of the same records.
local boot = testlib.boot
local run_cases = assert(loadfile(testlib.host.home .. "/tests/lua/cases.lua"))

describe("headers", function()
    run_cases(testlib, it, assert, "headers")

    it("come from nested fields", function()
        local inst = boot.instance("transform", "HeaderFrom", { fields = "a.b,q.r,n", headers =
            "x,y,z", operation = "move", ["field.syntax.version"] = "V2" })
        testlib.batch { '{"a":{"b":{"c":[1.10]},"d":1},"n":"s"}' }
        testlib.apply(inst)
        assert.same({ '{"a":{"d":1}}' }, testlib.encode())
        assert.same({ { "x", '{"c":[1.10]}' }, { "y" }, { "z", '"s"' } },
            testlib.encode("json", "headers")[1])
    end)

    it("leave the schemas of nested structs without the fields that moved", function()
        local function typed(fields, payload)
            return ('{"schema":{"type":"struct","fields":[{"type":"struct","fields":[%s],'
                .. '"optional":true,"field":"a"}],"optional":false},"payload":{"a":%s}}')
                :format(fields, payload)
        end
        local b, d = '{"type":"int32","optional":true,"field":"b"}',
            '{"type":"int32","optional":true,"field":"d"}'
        local inst = boot.instance("transform", "HeaderFrom", { fields = "a.b", headers = "x",
            operation = "move", ["field.syntax.version"] = "V2" })
        testlib.batch {
            { conv = "envelope", value = typed(b .. "," .. d, '{"b":1,"d":2}') },
            { conv = "envelope", value = typed(b .. "," .. d, "null") },
        }
        testlib.apply(inst)
        assert.same({ typed(d, '{"d":2}'), typed(d, "null") }, testlib.encode("envelope"))
    end)

    it("are inserted into every record of a batch", function()
        testlib.batch({ "1" }, 50)
        testlib.apply(boot.instance("transform", "InsertHeader",
            { header = "h", ["value.literal"] = '{"a":"x"}' }))
        local all = testlib.encode("json", "headers")
        assert.equal(50, #all)
        for _, headers in ipairs(all) do assert.same({ { "h", '{"a":"x"}' } }, headers) end
    end)
end)
