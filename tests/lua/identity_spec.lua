-- A transform that changes nothing leaves every byte as it was; one that reads
-- every field too; and after one write the neighbours keep their text.
local boot = testlib.boot

local texts = { '""', '"x"', '"\\u0041\\n"', '"\\ud83d\\ude00"', '"äöü"', '"\\/"' }
local numbers = { "0", "-0", "1", "1.10", "1e5", "1E+5", "-0.0", "12345678901234567890",
    "9007199254740993", "9223372036854775807", "-9223372036854775808", "1.0", "0.1",
    "3.141592653589793238462643383279", "1e-400" }
local words = { "true", "false", "null", "[]", "{}", "[ ]", "{ }" }

local state = 42
local function random(n)
    state = (state * 1103515245 + 12345) % 2147483648
    return math.floor(state / 65536) % n + 1
end

local function pick(list)
    return list[random(#list)]
end

local SPACES = { "", "", "", " ", "\n\t" }

local function document(depth)
    local kind = random(depth > 4 and 3 or 5)
    if kind == 1 then return pick(texts) end
    if kind == 2 then return pick(numbers) end
    if kind == 3 then return pick(words) end
    local parts = {}
    for i = 1, random(5) do
        local value = pick(SPACES) .. document(depth + 1) .. pick(SPACES)
        parts[i] = kind == 4 and value or ('%s"k%d"%s:%s'):format(pick(SPACES), i * random(3),
            pick(SPACES), value)
    end
    if kind == 4 then return "[" .. table.concat(parts, ",") .. "]" end
    local names, out = {}, {}
    for _, part in ipairs(parts) do
        local name = part:match('"(k%d+)"')
        if not names[name] then out[#out + 1] = part end
        names[name] = true
    end
    return "{" .. table.concat(out, ",") .. "}"
end

local function documents(n)
    local out = {}
    for i = 1, n do out[i] = document(0) end
    return out
end

local function inline(body)
    return boot.inline('local tide = require "tidegate"\n' .. body, "t.lua")
end

local function same(expected, actual)
    assert.equal(#expected, #actual)
    for i = 1, #expected do assert.equal(expected[i], actual[i]) end
end

describe("identity", function()
    it("holds for a transform that changes nothing", function()
        local docs = documents(2000)
        local nothing = inline "return tide.transform { record = function() end }"
        testlib.batch(docs)
        testlib.apply(nothing)
        same(docs, testlib.encode())
    end)

    it("holds for one that reads everything", function()
        local reader = inline [[
local function walk(x)
    local kind = tide.kind(x)
    if kind == "map" then
        for name, y in pairs(x) do
            walk(y)
            walk(x[name])
            assert(tide.has(x, name))
        end
    elseif kind == "array" then
        for i, y in ipairs(x) do walk(y) walk(x[i]) end
    end
    return tostring(x)
end
return tide.transform { record = function(r) walk(r.value) end }]]
        local docs = documents(2000)
        testlib.batch(docs)
        testlib.apply(reader)
        same(docs, testlib.encode())
    end)

    it("holds for one that writes every field back", function()
        local writer = inline [[
local function back(x)
    local kind = tide.kind(x)
    if kind == "map" then
        for name, y in pairs(x) do
            back(y)
            if type(y) ~= "number" then x[name] = y end
        end
    elseif kind == "array" then
        for i, y in ipairs(x) do
            back(y)
            if type(y) ~= "number" then x[i] = y end
        end
    end
end
return tide.transform { record = function(r)
    local v = r.value
    back(v)
    for name, y in pairs(tide.kind(v) == "map" and v or {}) do
        if tide.eq(v, name, y) then v[name] = y end
    end
end }]]
        local docs = documents(1000)
        testlib.batch(docs)
        testlib.apply(writer)
        for i, text in ipairs(testlib.encode()) do
            -- views written back are deep copies: white space may go, values not
            assert.equal((docs[i]:gsub("[ \n\t]", "")), (text:gsub("[ \n\t]", "")))
        end
    end)

    it("keeps the neighbours of a write", function()
        local docs = {}
        for i = 1, 500 do docs[i] = ('{"a":1,"b":%s,"c":2}'):format(document(1)) end
        local one = inline "return tide.transform { record = function(r) r.value.a = 5 end }"
        testlib.batch(docs)
        testlib.apply(one)
        for i, text in ipairs(testlib.encode()) do
            assert.equal((docs[i]:gsub('^{"a":1', '{"a":5')), text)
        end
    end)

    it("holds after an undone write", function()
        local docs = documents(300)
        local changer = inline [[
return tide.transform { record = function(r)
    local kind = tide.kind(r.value)
    if kind == "map" then
        for name in pairs(r.value) do r.value[name] = "changed" end
        r.value.new = { 1, 2, { 3 } }
    elseif kind == "array" then
        for i = #r.value, 1, -1 do tide.remove(r.value, i) end
    else
        r.value = { x = r.value }
    end
    r.key, r.topic, r.timestamp = "k", "elsewhere", 5
    r.headers:add("h", 1)
end }]]
        testlib.batch(docs)
        testlib.begin()
        testlib.call(changer.apply)
        testlib.undo()
        testlib.commit()
        same(docs, testlib.encode())
        for _, r in ipairs(testlib.records()) do
            assert.equal("t", r.topic)
            assert.is_nil(r.key)
            assert.same({}, r.headers)
        end
    end)
end)
