-- Cast beside what Kafka Connect makes of the same records, and its additions.
local boot = testlib.boot
local T = "org.apache.kafka.connect.transforms."
local run_cases = assert(loadfile(testlib.host.home .. "/tests/lua/cases.lua"))

describe("Cast", function()
    run_cases(testlib, it, assert, "cast")

    local function cast(config, item)
        testlib.batch { item }
        testlib.apply(boot.instance("transform", T .. "Cast$Value", config))
        local r = testlib.records()[1]
        assert.equal(testlib.verdict.keep, r.verdict, r.reason)
        return testlib.encode(item.conv or "json")[1]
    end

    it("follows paths", function()
        local config = { spec = "a.b:string,`x.y`.z:int32,q.r:int8,a.n:int8",
            ["field.syntax.version"] = "v2" }
        assert.equal('{"a":{"b":"1","n":null},"x.y":{"z":7},"l":[1.10]}',
            cast(config, { value = '{"a":{"b":1},"x.y":{"z":7.9},"l":[1.10]}' }))
        assert.equal('{"a":null}', cast(config, { value = '{"a":null}' }))
    end)

    it("changes nested schemas, also of records in which they are null", function()
        local function typed(kind, payload)
            return ('{"schema":{"type":"struct","fields":[{"type":"struct","fields":['
                .. '{"type":"%s","optional":false,"field":"b"}],"optional":true,"name":"In",'
                .. '"field":"a"}],"optional":true},"payload":{"a":%s}}'):format(kind, payload)
        end
        local config = { spec = "a.b:string", ["field.syntax.version"] = "V2" }
        assert.equal(typed("string", '{"b":"5"}'),
            cast(config, { value = typed("int32", '{"b":5}'), conv = "envelope" }))
        assert.equal(typed("string", "null"),
            cast(config, { value = typed("int32", "null"), conv = "envelope" }))
    end)

    it("drops the logical type of a whole value that it casts", function()
        assert.equal('{"schema":{"type":"string","optional":false},"payload":"1970-01-02"}',
            cast({ spec = "string" }, { conv = "envelope", value = '{"schema":{"type":"int32",'
                .. '"optional":false,"name":"org.apache.kafka.connect.data.Date","version":1},'
                .. '"payload":1}' }))
    end)

    it("refuses paths that are none", function()
        assert.error_matches(function()
            boot.instance("transform", T .. "Cast$Value",
                { spec = "`a:int8", ["field.syntax.version"] = "V2" })
        end, "configuration spec: Incomplete backtick pair")
    end)
end)
