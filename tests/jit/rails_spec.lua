-- Where compiled code could fall off: batches of one record, values of changing
-- types, many nullable fields, many layouts. What five edits cost there is
-- printed, not judged; the goal is below 1,000 ns (null by null with v.x makes two
-- paths a field: typed handles are the way then).
local boot = testlib.boot
local N = 1000
local PASSES = testlib.jit and 40 or 3

local function inline(body)
    return boot.inline('local tide = require "tidegate"\nreturn tide.transform { new = function()\n'
        .. body .. "\nend }", "rails.lua")
end

local FIVE = [[
    return function(batch)
        for _, r in batch:each() do
            local v = r.value
            local x = v.amount
            v.amount = (type(x) == "number" and x or 0) * 1.2
            v.name = "***"
            v.id = (tonumber(v.id) or 0) + 1
            v.active = false
            v.fresh = 5
        end
    end]]

local function report(name, items, source, run)
    local inst = inline(source)
    local best = math.huge
    for _ = 1, PASSES do
        testlib.batch(items, N)
        best = math.min(best, testlib.time(function() run(inst) end))
    end
    print(("# %-28s %7.1f ns a record"):format(name, best / N * 1e9))
    assert.is_true(best > 0)
end

local function whole(inst) inst.apply() end

local function one_by_one(inst)
    for i = 0, N - 1 do
        testlib.range(i, i + 1)
        testlib.call(inst.apply)
    end
end

local A = '{"id":123456,"name":"customer 4711","amount":12.34,"currency":"EUR","active":true}'

describe("five edits", function()
    it("in batches of one record", function()
        report("batches of 1", { A }, FIVE, one_by_one)
    end)

    it("on values of changing types", function()
        report("mixed types", { A,
            '{"id":"77","name":null,"amount":null,"currency":"EUR","active":0}',
            '{"id":9007199254740993,"name":5,"amount":"1.5","currency":null,"active":"y"}',
            '{"id":1.5,"name":"a\\nb","amount":7,"currency":[1],"active":null}',
            '{"id":null,"name":{},"amount":1e300,"currency":true}',
        }, FIVE, whole)
    end)

    it("on records of 64 layouts", function()
        local items = {}
        for i = 1, 64 do
            items[i] = ('{"f%d":%d,"id":%d,"name":"n","amount":1.5,"active":true}'):format(i, i, i)
        end
        report("64 layouts", items, FIVE, whole)
    end)

    it("on ten nullable fields, through typed handles", function()
        local items = {}
        for i = 1, 97 do
            local fields = {}
            for f = 1, 10 do
                local x = (i * 31 + f * 17) % 3 == 0 and "null" or tostring(i * f)
                fields[f] = ('"f%d":%s'):format(f, x)
            end
            items[i] = "{" .. table.concat(fields, ",") .. "}"
        end
        report("10 nullable fields", items, [[
            local get = {}
            for i = 1, 10 do get[i] = tide.number("f" .. i, 0) end
            local a, b, c, d, e = get[1], get[2], get[3], get[4], get[5]
            local f, g, h, i, j = get[6], get[7], get[8], get[9], get[10]
            return function(batch)
                for _, r in batch:each() do
                    local v = r.value
                    v.sum = a(v) + b(v) + c(v) + d(v) + e(v) + f(v) + g(v) + h(v) + i(v) + j(v)
                end
            end]], whole)
        report("10 nullable fields, five edits", items, [[
            return function(batch)
                for _, r in batch:each() do
                    local v = r.value
                    if v.f1 ~= nil then v.f1 = v.f1 * 2 end
                    if v.f3 ~= nil then v.f3 = v.f3 + 1 end
                    if v.f5 ~= nil then v.f5 = "***" end
                    if v.f7 ~= nil then v.f7 = v.f7 - 1 end
                    if v.f9 ~= nil then v.f9 = 0 end
                end
            end]], whole)
        report("10 nullable fields, v.x", items, [[
            return function(batch)
                for _, r in batch:each() do
                    local v, sum = r.value, 0
                    if v.f1 ~= nil then sum = sum + v.f1 end
                    if v.f2 ~= nil then sum = sum + v.f2 end
                    if v.f3 ~= nil then sum = sum + v.f3 end
                    if v.f4 ~= nil then sum = sum + v.f4 end
                    if v.f5 ~= nil then sum = sum + v.f5 end
                    if v.f6 ~= nil then sum = sum + v.f6 end
                    if v.f7 ~= nil then sum = sum + v.f7 end
                    if v.f8 ~= nil then sum = sum + v.f8 end
                    if v.f9 ~= nil then sum = sum + v.f9 end
                    if v.f10 ~= nil then sum = sum + v.f10 end
                    v.sum = sum
                end
            end]], whole)
    end)
end)
