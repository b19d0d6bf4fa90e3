-- What scripts cost per record: printed, not judged (machines differ). The goals
-- are 100 ns for three stock transforms and 200 ns for five edits.
local boot = testlib.boot
local T = "org.apache.kafka.connect.transforms."
local N = 1000
local PASSES = testlib.jit and 60 or 3

local A = '{"id":123456,"name":"customer 4711","amount":12.34,"currency":"EUR","active":true,'
    .. '"city":"Hamburg","note":"x"}'

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
end)
