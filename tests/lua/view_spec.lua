-- What scripts see of records: lua/tidegate/view.lua has the definition.
local boot, host = testlib.boot, testlib.host
local tide = boot.tide("source")
local null = tide.null
local pairs = host.jit and pairs or host.classic.pairs
local ipairs = host.jit and ipairs or host.classic.ipairs

-- A batch of one record with this JSON as value; the record.
local function one(value, more)
    local item = more or {}
    item.value = value
    testlib.batch { item }
    local step, b, i = boot.batch:each()
    return select(2, step(b, i))
end

local function out()
    return testlib.encode()[1]
end

-- fn must raise an error that matches, at a line of this file.
local function fails(pattern, fn)
    local err = assert.error_matches(fn, pattern)
    assert.matches("^%S*view_spec.lua:%d+: ", err)
end

describe("reading", function()
    it("gives every JSON type", function()
        local v = one('{"s":"x","e":"a\\nb","i":42,"n":1.5,"t":true,"f":false,"z":null,'
            .. '"a":[],"m":{},"neg":-0,"exp":1e3}').value
        assert.equal("x", v.s)
        assert.equal("a\nb", v.e)
        assert.equal(42, v.i)
        assert.equal(1.5, v.n)
        assert.is_true(v.t)
        assert.is_false(v.f)
        assert.equal(1000, v.exp)
        assert.equal(0, v.neg)
        assert.equal("array", tide.kind(v.a))
        assert.equal("map", tide.kind(v.m))
        assert.equal(0, #v.a)
        assert.equal(0, #v.m)
        assert.is_nil(v.nothing)
    end)

    it("tells null from absent, and both are == nil", function()
        local v = one('{"z":null}').value
        assert.is_true(v.z == nil)
        assert.is_true(v.gone == nil)
        assert.equal("cdata", type(v.z))
        assert.equal("nil", type(v.gone))
        assert.is_true(rawequal(v.z, null))
        assert.is_true(tide.has(v, "z"))
        assert.is_false(tide.has(v, "gone"))
        if not v.z then error("null is true in a condition") end
    end)

    it("keeps integers beyond 2^53 exact", function()
        local v = one('{"a":9007199254740993,"b":9223372036854775807,"c":-9223372036854775808,'
            .. '"d":9007199254740992,"e":-9007199254740992,"f":18446744073709551616}').value
        assert.is_true(v.a == 9007199254740993LL)
        assert.equal("cdata", type(v.a))
        assert.is_true(v.b == 9223372036854775807LL)
        assert.is_true(v.c == -9223372036854775807LL - 1LL)
        assert.equal("number", type(v.d))
        assert.equal("number", type(v.e))
        assert.equal(2 ^ 64, v.f)
        assert.equal("9223372036854775807", tide.str(v.b))
        v.a = v.a + 1
        assert.matches('"a":9007199254740994,', out())
    end)

    it("has no names of its own", function()
        local v = one('{"n":1,"shape":2,"slots":3,"kind":4,"value":5,"__index":6,"each":7}').value
        assert.equal(1, v.n)
        assert.equal(2, v.shape)
        assert.equal(3, v.slots)
        assert.equal(4, v.kind)
        assert.equal(5, v.value)
        assert.equal(6, v.__index)
        assert.is_nil(v.born)
        assert.equal("ffi", host.jit and getmetatable(v) or "ffi")
    end)

    it("walks nested values", function()
        local v = one('{"a":{"b":[{"c":1},{"c":2}]}}').value
        assert.equal(2, v.a.b[2].c)
        assert.equal(2, #v.a.b)
        assert.is_nil(v.a.b[3])
        assert.is_nil(v.a.b[0])
        assert.is_nil(v.a.b[-1])
        assert.is_true(v.a == v.a)
        assert.is_false(v.a == v.a.b)
        assert.equal('{"b":[{"c":1},{"c":2}]}', tostring(v.a))
    end)

    it("reads many layouts through one access", function()
        local items = {}
        for i = 1, 200 do
            items[i] = ('{"f%d":0,"x":%d,"g%d":0}'):format(i, i, i * 7)
        end
        testlib.batch(items)
        local sum = 0
        for _, r in boot.batch:each() do sum = sum + r.value.x end
        assert.equal(20100, sum)
    end)

    it("reads more names than it caches", function()
        local parts = {}
        for i = 1, 2000 do parts[i] = ('"k%d":%d'):format(i, i) end
        local v = one("{" .. table.concat(parts, ",") .. "}").value
        for i = 1, 2000 do assert.equal(i, v["k" .. i]) end
        v.k1999 = "x"
        v.brandnew = 1
        assert.equal("x", v.k1999)
        assert.equal(1, v.brandnew)
    end)

    it("refuses what has no meaning", function()
        local v = one('{"a":[1,2],"z":null}').value
        fails("field names are strings, got number", function() return v[1] end)
        fails("array index must be a number, got string 'x'", function() return v.a.x end)
        fails("array index must be a whole number", function() return v.a[1.5] end)
        fails("field 'x' of null", function() return v.z.x end)
        fails("field 'x' of null", function() v.z.x = 1 end)
        fails("null", function() return #v.z end)
        fails("null", function() return v.z + 1 end)
        fails("null", function() return v.z .. "" end)
        fails("calculate", function() return v + 1 end)
        fails("concatenate", function() return v .. "" end)
        fails("call", function() v() end)
    end)
end)

describe("writing", function()
    it("stores every type", function()
        local v = one('{"a":1}').value
        v.s = "x"
        v.n = 1.5
        v.i = 7
        v.t = true
        v.z = null
        v.big = 9223372036854775807LL
        v.u = 5ULL
        v.m = { b = 1, a = { true } }
        v.l = { 1, "x", null, { k = 2 } }
        v.e = tide.array {}
        v.o = {}
        v.ord = tide.ordered { "z", 1, "a", 2 }
        assert.equal('{"a":1,"s":"x","n":1.5,"i":7,"t":true,"z":null,"big":9223372036854775807,'
            .. '"u":5,"m":{"a":[true],"b":1},"l":[1,"x",null,{"k":2}],"e":[],"o":{},'
            .. '"ord":{"z":1,"a":2}}', out())
    end)

    it("overwrites in place, appends, deletes", function()
        local v = one('{"a":1,"b":2,"c":3}').value
        v.b = "two"
        v.a = nil
        v.d = 4
        v.nothing = nil
        assert.equal('{"b":"two","c":3,"d":4}', out())
        assert.equal(3, #v)
    end)

    it("leaves an equal write alone", function()
        local text = '{ "n" : 1.10, "i":10, "s":"a\\u0041", "z":null, "t":true }'
        local v = one(text).value
        v.n, v.i, v.s, v.z, v.t = v.n, v.i, v.s, v.z, v.t
        assert.equal(text, out())
    end)

    it("keeps number texts and kinds of the neighbours", function()
        local v = one('{"a":1.10,"b":1e2,"c":5.0,"d":7,"e":12345678901234567890}').value
        v.c = v.c * 2
        v.d = v.d * 2
        assert.equal('{"a":1.10,"b":1e2,"c":10.0,"d":14,"e":12345678901234567890}', out())
    end)

    it("writes NaN and infinities as JsonConverter does", function()
        local v = one('{"a":1,"b":2,"c":3}').value
        v.a = 0 / 0
        v.b = math.huge
        v.c = -math.huge
        assert.equal('{"a":"NaN","b":"Infinity","c":"-Infinity"}', out())
    end)

    it("copies views deeply", function()
        local v = one('{"a":{"n":1.10,"l":[1]}}').value
        v.b = v.a
        v.b.l[1] = 2
        v.c = v
        assert.equal('{"a":{"n":1.10,"l":[1]},"b":{"n":1.10,"l":[2]},'
            .. '"c":{"a":{"n":1.10,"l":[1]},"b":{"n":1.10,"l":[2]}}}', out())
    end)

    it("changes arrays", function()
        local v = one('{"a":[1,2,3]}').value
        v.a[2] = "x"
        v.a[#v.a + 1] = { k = 1 }
        v.a[#v.a] = nil
        assert.equal('{"a":[1,"x",3]}', out())
        tide.remove(v.a, 1)
        assert.equal('{"a":["x",3]}', out())
        v.a[3] = nil
        fails("array index 9 is out of range 1..3", function() v.a[9] = 1 end)
        fails("out of range", function() v.a[0] = 1 end)
        fails("out of range", function() v.a[1e7] = 1 end)
        fails("tide.remove", function() v.a[1] = nil end)
        fails("array index must be a number", function() v.a.x = 1 end)
        assert.equal('{"a":["x",3]}', out())
    end)

    it("replaces whole values", function()
        local r = one('{"a":1}')
        r.value = { b = 2 }
        assert.equal('{"b":2}', out())
        assert.equal(2, r.value.b)
        r.value = "text"
        assert.equal('"text"', out())
        assert.equal("text", r.value)
        r.value = { 1, 2 }
        assert.equal("[1,2]", out())
        r.value = nil
        assert.is_false(out())
        assert.is_true(r.value == nil)
        r.value = 7
        assert.equal("7", out())
        r.key = tide.raw("json", '{"k": 1.0}')
        assert.equal('{"k": 1.0}', testlib.records()[1].key)
        assert.equal(1, r.key.k)
        r.value = r.key
        assert.equal('{"k":1.0}', out())
    end)

    it("makes one layout of a table", function()
        local count = require("ffi").C.tg_shape_count
        local before = count()
        local r = one('{"t":null}')
        r.value.t = { l1 = 1, l2 = null, l3 = { l4 = 2, l5 = {} }, l6 = "x" }
        assert.equal('{"t":{"l1":1,"l2":null,"l3":{"l4":2,"l5":{}},"l6":"x"}}', out())
        assert.equal(1, r.value.t.l1)
        assert.is_true(count() - before <= 3)
        r.value.t = { x = r.value.t, y = 1 }
        assert.equal('{"t":{"x":{"l1":1,"l2":null,"l3":{"l4":2,"l5":{}},"l6":"x"},"y":1}}', out())
        pcall(function() r.value.t = { a = 1, b = print, c = 2 } end)
        assert.equal('{"t":{}}', out())
        fails("UTF%-8", function() r.value.t = { ["\255"] = 1, b = 2 } end)
        before = count()
        for i = 1, 2000 do
            r.value = { ["a" .. i] = i, ["b" .. i] = { ["c" .. i] = i, d = 1 } }
            assert.equal(i, r.value["a" .. i])
        end
        assert.equal('{"a2000":2000,"b2000":{"c2000":2000,"d":1}}', out())
        assert.is_true(count() - before < 300)
    end)

    it("refuses what cannot be stored", function()
        local r = one('{"a":1,"l":[1]}')
        local v = r.value
        fails("cannot store a function in field 'a'", function() v.a = print end)
        fails("cannot store a thread", function() v.a = coroutine.create(print) end)
        fails("cannot store a record", function() v.a = r end)
        fails("tide.raw", function() v.a = tide.raw("json", "1") end)
        fails("field names are strings", function() v[1] = 2 end)
        fails("UTF%-8", function() v.a = "\255" end)
        assert.equal('{"a":1,"l":[1]}', out())
    end)

    it("refuses tables that are no value", function()
        local v = one('{"a":1}').value
        fails("", function() v.a = { [1] = 1, x = 2 } end)
        fails("", function() v.a = { [1] = 1, [3] = 2 } end)
        fails("", function() v.a = { f = print } end)
        fails("", function() v.a = { [true] = 1 } end)
        fails("", function() v.a = tide.ordered { "x" } end)
        local loop = {}
        loop.loop = loop
        fails("", function() v.a = loop end)
    end)

    it("refuses a value of an earlier batch", function()
        local old = one('{"a":{"b":1}}').value
        local deep = old.a
        one('{"a":2}')
        fails("earlier batch", function() return old.a end)
        fails("earlier batch", function() old.a = 1 end)
        fails("earlier batch", function() return #deep end)
        local number = tide.number("b", 0)
        fails("earlier batch", function() print(tide.str(deep)) end)
        fails("earlier batch", function() print(number(deep)) end)
    end)

    -- the memory of like batches is laid out alike
    it("refuses records and values of like batches before", function()
        local kept, values = {}, {}
        for i = 1, 20 do
            local r = one('{"a":{"b":1}}')
            for k = 1, i - 1 do
                fails("earlier batch", function() return kept[k].value end)
            end
            for k = math.max(1, i - 4), i - 1 do
                fails("earlier batch", function() return values[k].b end)
            end
            kept[i], values[i] = r, r.value.a
        end
    end)
end)

describe("maps with other keys", function()
    local MAP = '{"schema":{"type":"map","keys":{"type":"int32","optional":false},"values":'
        .. '{"type":"string","optional":true},"optional":false},"payload":[[1,"x"],[2,null]]}'

    it("read, write and iterate", function()
        local v = one(MAP, { conv = "envelope" }).value
        assert.equal("map", tide.kind(v))
        assert.equal(2, #v)
        assert.equal("x", v[1])
        assert.is_true(rawequal(v[2], null))
        assert.is_nil(v[3])
        assert.is_nil(v.x)
        local keys = {}
        for k in pairs(v) do keys[#keys + 1] = k end
        assert.same({ 1, 2 }, keys)
        v[2] = "y"
        v[1] = nil
        v[7] = nil
        assert.matches('"payload":%[%[2,"y"%]%]', testlib.encode("envelope")[1])
        fails("cannot add the key 3", function() v[3] = "z" end)
        fails("ipairs needs an array", function() ipairs(v) end)
    end)
end)

describe("iteration", function()
    it("walks fields in order, with nulls", function()
        local v = one('{"b":1,"a":null,"c":"x"}').value
        local names, kinds = {}, {}
        for name, x in pairs(v) do
            names[#names + 1] = name
            kinds[#kinds + 1] = tide.kind(x)
        end
        assert.same({ "b", "a", "c" }, names)
        assert.same({ "number", "null", "string" }, kinds)
    end)

    it("may change and delete the current field", function()
        local v = one('{"a":1,"b":2,"c":3,"d":4}').value
        local seen = {}
        for name, x in pairs(v) do
            seen[#seen + 1] = name
            if x % 2 == 0 then v[name] = nil else v[name] = x * 10 end
        end
        assert.same({ "a", "b", "c", "d" }, seen)
        assert.equal('{"a":10,"c":30}', out())
    end)

    it("walks arrays with ipairs and pairs", function()
        local v = one('{"a":[1,null,"x"],"e":[]}').value
        local n, last = 0, nil
        for i, x in ipairs(v.a) do n, last = i, x end
        assert.equal(3, n)
        assert.equal("x", last)
        n = 0
        for i in pairs(v.a) do n = n + i end
        assert.equal(6, n)
        for _ in ipairs(v.e) do error("no elements") end
        fails("ipairs needs an array", function() ipairs(v) end)
    end)

    it("keeps to plain tables elsewhere", function()
        local n = 0
        for _, x in ipairs { 1, 2 } do n = n + x end
        for _, x in pairs { a = 3 } do n = n + x end
        assert.equal(6, n)
    end)

    it("checks what its steps get", function()
        local v = one('{"a":[1,2,3]}').value
        local step = ipairs(v.a)
        assert.is_nil((step(v.a, -1e6)))
        assert.is_nil((step(v.a, 1e9)))
        assert.error(function() step("x", 0) end)
        assert.error(function() step(4096, 0) end)
        assert.error(function() step(v.a, "x") end)
        local fields = pairs(v)
        assert.error(function() fields({ 4096, 0 }, nil) end)
        assert.error(function() fields({ v, -5 }, nil) end)
        local each = boot.batch:each()
        assert.is_nil((each(boot.batch, -1e6)))
        assert.is_nil((each(boot.batch, 1e6)))
        assert.error(function() each("x", 0) end)
        assert.error(function() each(0x1000, 0) end)
    end)
end)

describe("records", function()
    it("have topic, partition, timestamp and origin", function()
        local r = one("1", { topic = "in", partition = 3, timestamp = 1700000000123, offset = 42 })
        assert.equal("in", r.topic)
        assert.equal(3, r.partition)
        assert.equal(1700000000123, r.timestamp)
        assert.equal(42, r.offset)
        assert.equal("t", r.origin_topic)
        assert.equal(0, r.origin_partition)
        r.topic, r.partition, r.timestamp = "other", 4, 5
        local now = testlib.records()[1]
        assert.equal("other", now.topic)
        assert.equal(4, now.partition)
        assert.equal(5, now.timestamp)
        r.partition, r.timestamp = nil, nil
        assert.is_nil(r.partition)
        assert.is_nil(r.timestamp)
        r.timestamp = 1234567890123LL
        assert.equal(1234567890123, r.timestamp)
    end)

    it("refuse wrong values", function()
        local r = one("1")
        fails("r.topic is a string", function() r.topic = 5 end)
        fails("", function() r.topic = "a b" end)
        fails("", function() r.topic = "" end)
        fails("r.partition", function() r.partition = -2 end)
        fails("r.partition", function() r.partition = 1.5 end)
        fails("r.partition", function() r.partition = "1" end)
        fails("r.timestamp", function() r.timestamp = 1.5 end)
        fails("r.offset cannot be changed", function() r.offset = 1 end)
        fails("r.headers cannot be changed", function() r.headers = {} end)
        fails("records have no field 'valeu'", function() r.valeu = 1 end)
        fails("records have no field 'valeu'", function() return r.valeu end)
        fails("with a colon", function() r.drop() end)
        fails("with a colon", function() r.drop(4096) end)
        fails("with a colon", function() r.drop(r.headers) end)
        fails("reason", function() r:reject() end)
    end)

    it("take verdicts", function()
        testlib.batch { "1", "2", "3", "4" }
        for i, r in boot.batch:each() do
            if i == 2 then r:drop() elseif i == 3 then r:reject("because") end
        end
        local verdicts = {}
        for i, r in ipairs(testlib.records()) do verdicts[i] = r.verdict end
        local V = testlib.verdict
        assert.same({ V.keep, V.drop, V.reject, V.keep }, verdicts)
        assert.equal("because", testlib.records()[3].reason)
        local seen = {}
        for i in boot.batch:each() do seen[#seen + 1] = i end
        assert.same({ 1, 4 }, seen)
        assert.equal(4, #boot.batch)
    end)

    it("split", function()
        testlib.batch { '{"l":[1,2,3]}', '{"l":[9]}' }
        for _, r in boot.batch:each() do
            local l = r.value.l
            for i = 1, #l - 1 do
                local new = r:split()
                new.value = { x = l[i + 1] }
            end
            r.value = { x = l[1] }
        end
        testlib.settle()
        assert.same({ '{"x":1}', '{"x":2}', '{"x":3}', '{"x":9}' }, testlib.encode())
    end)

    it("have headers", function()
        local r = one("1", { headers = { { "a", "1" }, { "b", '"x"' }, { "a", '{"k":[]}' } } })
        local h = r.headers
        assert.equal(3, #h)
        assert.equal("x", h:get("b"))
        assert.equal("map", tide.kind(h:get("a")))
        assert.equal(2, #h:all("a"))
        assert.equal(1, h:all("a")[1])
        assert.is_nil(h:get("none"))
        local names = {}
        for name in pairs(h) do names[#names + 1] = name end
        assert.same({ "a", "b", "a" }, names)
        assert.equal(2, h:remove("a"))
        h:add("c", { 1 })
        h:set("b", "y")
        h:add("z", null)
        assert.same({ { "c", "[1]" }, { "b", '"y"' }, { "z", nil } }, testlib.records()[1].headers)
        fails("headers:get%('c'%)", function() return h.c end)
        fails("headers:set%('c', value%)", function() h.c = 1 end)
        fails("header name", function() h:get(1) end)
        fails("with a colon", function() h.get("c") end)
    end)

    it("take sources", function()
        testlib.empty(3)
        local made = 0
        while true do
            local r = boot.batch:append()
            if not r then break end
            made = made + 1
            r.topic, r.value = "out", { n = made }
            if made == 1 then r:source(0, 77) else r:source(0, { at = made, b = "x" }) end
        end
        assert.equal(3, made)
        assert.equal(3, boot.batch.max)
        local all = testlib.records()
        assert.equal(77, all[1].offset)
        assert.equal('{"at":2,"b":"x"}', all[2].source_offset)
        assert.equal('{"n":3}', all[3].value)
    end)
end)

describe("the batch", function()
    it("walks the narrowed range", function()
        testlib.batch { "1", "2", "3", "4" }
        testlib.range(1, 3)
        local seen = {}
        for i, r in boot.batch:each() do seen[#seen + 1] = i * 10 + r.value end
        assert.same({ 22, 33 }, seen)
        assert.equal(2, #boot.batch)
    end)

    it("is no plain table", function()
        testlib.batch { "1" }
        fails("no field 'foo'", function() return boot.batch.foo end)
        fails("no field 'foo'", function() boot.batch.foo = 1 end)
        fails("with a colon", function() boot.batch.each() end)
        fails("with a colon", function() boot.batch.each(4096) end)
        fails("with a colon", function() boot.batch.append("x") end)
    end)
end)
