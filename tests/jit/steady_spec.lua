-- The loops of the SDK and of the stock transforms reach a steady state: after
-- warming up with batches of 1 and of 1,000, mixed types and two instances in a
-- chain, further batches start no trace and abort none, and nothing is
-- blacklisted. With the JIT off only the results are checked.
local boot = testlib.boot

-- Only the SDK and the plugins are watched, not the loops of the test itself.
jit.off(true, true)
jit.off(testlib.traces, true)
jit.off(testlib.count_traces, true)

local T = "org.apache.kafka.connect.transforms."

local A = '{"id":123456,"name":"customer 4711","amount":12.34,"currency":"EUR","active":true,'
    .. '"city":"Hamburg","note":"x"}'

-- Records with optional, null and mixed fields: 60 layouts and types.
local function mixed()
    local items = {}
    for k = 1, 240 do
        local f = { ('"id":%s'):format(k % 2 == 0 and k or k .. ".5") }
        f[#f + 1] = '"name":' .. (k % 5 == 0 and "null" or '"n' .. k .. '"')
        if k % 3 > 0 then f[#f + 1] = '"amount":' .. (k % 4 == 0 and 7 or "12.3" .. k) end
        f[#f + 1] = '"active":' .. (k % 7 < 3 and "true" or "false")
        if k % 6 > 0 then f[#f + 1] = '"note":"y"' end
        items[k] = "{" .. table.concat(f, ",") .. "}"
    end
    return items
end

local MIXED = mixed()

local function inline(body)
    return boot.inline('local tide = require "tidegate"\n' .. body, "t.lua")
end

local function run(chain, items, n)
    testlib.batch(items, n)
    for _, inst in ipairs(chain) do testlib.apply(inst) end
end

local function warm_up(chain)
    for _ = 1, 300 do run(chain, { A }, 1) end
    for _ = 1, 40 do run(chain, { A }, 1000) end
    for _ = 1, 60 do run(chain, MIXED, 960) end
    for _ = 1, 100 do run(chain, MIXED, 1) end
    for _ = 1, 40 do run(chain, MIXED, 960) end
    for _ = 1, 40 do run(chain, { A }, 1000) end
end

local function round(chain)
    local seen = testlib.count_traces(function()
        for _ = 1, 20 do
            run(chain, { A }, 1)
            run(chain, { A }, 1000)
            run(chain, MIXED, 960)
        end
    end)
    return seen.start == 0 and seen.abort == 0 and seen.flush == 0
end

-- Loops that LuaJIT gave up on, in the function and the ones it uses. (The entry
-- of a function may be given up: its loop is a trace of its own.)
local function dead_loops(fn, found, seen)
    if seen[fn] then return found end
    seen[fn] = true
    for _, place in ipairs(testlib.blacklisted(fn)) do
        if not place:find("FUNC") then found[#found + 1] = place end
    end
    for i = 1, 60 do
        local name, value = debug.getupvalue(fn, i)
        if not name then break end
        if type(value) == "function" and debug.getinfo(value).what == "Lua" then
            dead_loops(value, found, seen)
        end
    end
    return found
end

-- Three quiet rounds in a row out of twenty: LuaJIT tries again at random what it
-- gave up before, ever more rarely.
local function steady(chain)
    if not testlib.jit then return run(chain, MIXED, 960) end
    warm_up(chain)
    local quiet, rounds = 0, 0
    while quiet < 3 and rounds < 20 do
        quiet = round(chain) and quiet + 1 or 0
        rounds = rounds + 1
    end
    assert.equal(3, quiet, "quiet rounds")
    for _, inst in ipairs(chain) do
        assert.same({}, dead_loops(inst.apply, {}, {}))
    end
end

local function stock_chain()
    return {
        boot.instance("transform", T .. "ReplaceField$Value",
            { exclude = "note", renames = "city:town" }),
        boot.instance("transform", T .. "MaskField$Value", { fields = "name,amount" }),
        boot.instance("transform", T .. "InsertField$Value", { ["static.field"] = "s",
            ["static.value"] = "x", ["topic.field"] = "t" }),
    }
end

local function first(items)
    return testlib.encode()[1], items
end

describe("the stock transforms", function()
    it("are steady", function()
        local chain = stock_chain()
        steady(chain)
        run(chain, { A }, 1)
        assert.equal('{"id":123456,"name":"","amount":0.0,"currency":"EUR","active":true,'
            .. '"town":"Hamburg","t":"t","s":"x"}', (first()))
    end)

    it("are steady with two instances of each in a chain", function()
        local chain = stock_chain()
        chain[4] = boot.instance("transform", T .. "MaskField$Value", { fields = "id" })
        chain[5] = boot.instance("transform", T .. "ReplaceField$Value", { renames = "s:u" })
        chain[6] = boot.instance("transform", T .. "InsertField$Value",
            { ["static.field"] = "w", ["static.value"] = "y" })
        steady(chain)
        run(chain, { A }, 1)
        assert.equal('{"id":0,"name":"","amount":0.0,"currency":"EUR","active":true,'
            .. '"town":"Hamburg","t":"t","u":"x","w":"y"}', (first()))
    end)

    it("hoist steadily", function()
        local chain = { boot.instance("transform", T .. "HoistField$Value", { field = "h" }) }
        steady(chain)
        run(chain, { "[1]" }, 1)
        assert.equal('{"h":[1]}', (first()))
    end)
end)

describe("the loops of scripts", function()
    it("with five edits are steady", function()
        local chain = { inline [[
return tide.transform { new = function()
    return function(batch)
        for _, r in batch:each() do
            local v = r.value
            v.id = v.id + 1
            v.name = "***"
            v.active = not v.active
            v.fresh = 5
            if v.amount then v.amount = v.amount * 2 end
        end
    end
end }]] }
        steady(chain)
        run(chain, { A }, 1)
        assert.equal('{"id":123457,"name":"***","amount":24.68,"currency":"EUR","active":false,'
            .. '"city":"Hamburg","note":"x","fresh":5}', (first()))
    end)

    it("with r.value everywhere are steady", function()
        local chain = { inline [[
return tide.transform { record = function(r)
    r.value.id = r.value.id + 1
    r.value.name = "***"
    r.value.active = not r.value.active
    r.value.fresh = 5
    r.value.extra = r.value.id
end }]] }
        steady(chain)
        run(chain, { A }, 1)
        assert.matches('"id":123457,.*"extra":123457', (first()))
    end)

    it("with typed handles are steady", function()
        local chain = { inline [[
return tide.transform { new = function()
    local id, amount, gone = tide.number("id", 0), tide.number("amount", 0), tide.number("no.x", 1)
    local name = tide.string("name", "?")
    return function(batch)
        for _, r in batch:each() do
            local v = r.value
            v.sum = id(v) + amount(v) + gone(v)
            if name(v) == "?" or tide.eq(v, "name", "n7") then v.name = "unknown" end
        end
    end
end }]] }
        steady(chain)
        run(chain, { '{"id":1,"amount":2,"name":null}' }, 1)
        assert.equal('{"id":1,"amount":2,"name":"unknown","sum":4}', (first()))
    end)

    it("with a predicate are steady", function()
        local inst = boot.instance("transform", T .. "InsertField$Value",
            { ["static.field"] = "s", ["static.value"] = "x" })
        inst.predicate = inline [[
return tide.predicate { test = function(r) return r.value.id > 100 end }]]
        steady { inst }
        run({ inst }, { '{"id":1}', '{"id":101}' }, 2)
        assert.same({ '{"id":1}', '{"id":101,"s":"x"}' }, testlib.encode())
    end)

    it("dropping and rejecting are steady", function()
        local chain = { inline [[
return tide.transform { new = function()
    return function(batch)
        for _, r in batch:each() do
            local id = r.value.id
            if id % 3 == 0 then r:drop() elseif id % 5 == 0 then r:reject("five") end
        end
    end
end }]], stock_chain()[1] }
        steady(chain)
        run(chain, { '{"id":3}', '{"id":5}', '{"id":7}' }, 3)
        assert.same({ '{"id":7}' }, testlib.encode())
    end)
end)

describe("nothing", function()
    it("of the plugins is blacklisted", function()
        if not testlib.jit then return end
        local body = [[
return function(batch)
    local n = 0
    for _, r in batch:each() do
        local v = r.value
        v.id = v.id + 1
        n = n + 1
    end
    return n
end]]
        local loop = assert(loadstring(body))()
        for _ = 1, 2000 do
            testlib.batch({ A }, 1)
            loop(boot.batch)
        end
        for _ = 1, 50 do
            testlib.batch({ A }, 1000)
            loop(boot.batch)
        end
        assert.same({}, testlib.blacklisted(loop))
    end)
end)
