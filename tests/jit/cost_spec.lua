-- What scripts cost per record: printed, not judged (machines differ). The goals
-- are 100 ns for three stock transforms and 200 ns for five edits.
local boot = testlib.boot
local T = "org.apache.kafka.connect.transforms."
local N = 1000
local PASSES = testlib.jit and 60 or 3

local A = '{"id":123456,"name":"customer 4711","amount":12.34,"currency":"EUR","active":true,'
    .. '"city":"Hamburg","note":"x"}'

local FLAT = '{"id":123456,"name":"customer 4711","amount":12.34,"city":"Hamburg","active":true,'
    .. '"note":"x"}'

local function report(name, chain)
    local best = math.huge
    for _ = 1, PASSES do
        testlib.batch({ A }, N)
        best = math.min(best, testlib.time(function()
            for _, inst in ipairs(chain) do inst.apply() end
        end))
    end
    print(("# %-28s %7.1f ns a record"):format(name, best / N * 1e9))
    return best / N
end

local function inline(body)
    return boot.inline('local tide = require "tidegate"\nreturn tide.transform { new = function()\n'
        .. body .. "\nend }", "t.lua")
end

describe("the cost of a record", function()
    it("is printed", function()
        report("read a field", { inline [[
            return function(batch)
                local s = 0
                for _, r in batch:each() do s = s + r.value.id end
            end]] })
        report("five edits", { inline [[
            return function(batch)
                for _, r in batch:each() do
                    local v = r.value
                    v.amount = v.amount * 1.2
                    v.name = "***"
                    v.id = v.id + 1
                    v.active = false
                    v.fresh = 5
                end
            end]] })
        report("five edits, r.value.x", { inline [[
            return function(batch)
                for _, r in batch:each() do
                    r.value.amount = r.value.amount * 1.2
                    r.value.name = "***"
                    r.value.id = r.value.id + 1
                    r.value.active = false
                    r.value.fresh = 5
                end
            end]] })
        local cost = report("three stock transforms", {
            boot.instance("transform", T .. "ReplaceField$Value",
                { exclude = "note", renames = "city:town" }),
            boot.instance("transform", T .. "MaskField$Value", { fields = "name" }),
            boot.instance("transform", T .. "InsertField$Value",
                { ["static.field"] = "s", ["static.value"] = "x" }),
        })
        assert.is_true(cost > 0)
    end)

    it("is printed for every stock transform, without decoding", function()
        local look = inline [[
            return function(batch)
                for _, r in batch:each() do local _ = r.value.id end
            end]]
        local every = {
            { "Cast$Value", { spec = "id:string,amount:int32" } },
            { "DropHeaders", { headers = "a,b" } },
            { "ExtractField$Value", { field = "name" } },
            { "Filter", {} },
            { "Flatten$Value", {} },
            { "HeaderFrom$Value", { fields = "name", headers = "h", operation = "copy" } },
            { "HoistField$Value", { field = "line" } },
            { "InsertField$Value", { ["static.field"] = "s", ["static.value"] = "x" } },
            { "InsertHeader", { header = "h", ["value.literal"] = "text" } },
            { "MaskField$Value", { fields = "name" } },
            { "ReplaceField$Value", { exclude = "note", renames = "city:town" } },
            { "ValueToKey", { fields = "id,name" } },
            { "MaskField$Value", { fields = "name", ["field.syntax.version"] = "V2" } },
        }
        local total, most = 0, {}
        for _, one in ipairs(every) do
            local inst = boot.instance("transform", T .. one[1], one[2])
            local best = math.huge
            for _ = 1, PASSES do
                testlib.batch({ FLAT }, N)
                look.apply()
                best = math.min(best, testlib.time(inst.apply))
            end
            print(("# %-28s %7.1f ns a record"):format(one[1], best / N * 1e9))
            total = total + best
            most[#most + 1] = best
        end
        table.sort(most, function(a, b) return a > b end)
        print(("# %-28s %7.1f ns a record"):format("the three dearest",
            (most[1] + most[2] + most[3]) / N * 1e9))
        assert.is_true(total > 0)
    end)
end)
