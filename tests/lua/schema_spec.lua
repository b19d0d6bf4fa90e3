-- tide.schema and tide.decimal: what scripts store under a schema and read of it.
local boot = testlib.boot
local tide = boot.tide("source")

-- Runs fn(r) over one record with the given value; the record's value as an envelope.
local function run(fn, value)
    testlib.batch { value or { value = '{"a":1}', conv = "json" } }
    for _, r in boot.batch:each() do fn(r) end
    return testlib.encode("envelope")[1]
end

local function raises(fn, pattern, value)
    testlib.batch { value or { value = '{"a":1}', conv = "json" } }
    for _, r in boot.batch:each() do
        assert.error_matches(function() fn(r) end, pattern)
    end
end

local LOGICAL = "org.apache.kafka.connect.data."

describe("tide.schema", function()
    it("reads the text form of every type", function()
        local function text(s) return tostring(tide.schema(s)) end
        assert.equal('{"type":"int64","optional":false}', text "int64")
        assert.equal('{"type":"double","optional":true}', text "float64?")
        assert.equal('{"type":"bytes","optional":false,"name":"' .. LOGICAL
            .. 'Decimal","version":1,"parameters":{"scale":"2"}}', text "decimal(2)")
        assert.equal('{"type":"int64","optional":true,"name":"' .. LOGICAL
            .. 'Timestamp","version":1}', text " timestamp ? ")
        assert.equal('{"type":"array","items":{"type":"map","keys":{"type":"int32",'
            .. '"optional":false},"values":{"type":"string","optional":true},'
            .. '"optional":false},"optional":true}',
            text "array<map<int32, string?>>?")
    end)

    it("makes structs with defaults, docs, names and nested schemas", function()
        local s = tide.schema { name = "com.acme.Order", version = 3, doc = "An order.",
            parameters = { pk = "id" },
            "id: int64", { "state", "string", default = "new", doc = "Where it stands." },
            { "address", tide.schema { "city: string", "zip: string?" } } }
        assert.equal('{"type":"struct","fields":[{"type":"int64","optional":false,"field":"id"},'
            .. '{"type":"string","optional":false,"doc":"Where it stands.","default":"new",'
            .. '"field":"state"},{"type":"struct","fields":[{"type":"string","optional":false,'
            .. '"field":"city"},{"type":"string","optional":true,"field":"zip"}],"optional":false,'
            .. '"field":"address"}],"optional":false,"name":"com.acme.Order","version":3,'
            .. '"doc":"An order.","parameters":{"pk":"id"}}', tostring(s))
        assert.equal("struct", s.type)
        assert.equal("com.acme.Order", s.name)
        assert.equal("state", s.fields[2].name)
        assert.equal("new", s.fields[2].schema.default)
        assert.equal("string", s.fields[3].schema.fields[1].schema.type)
        assert.is_true(tide.schema "int64" == tide.schema "int64")
    end)

    it("says what is wrong with a text", function()
        local function wrong(s, pattern)
            assert.error_matches(function() tide.schema(s) end, pattern)
        end
        wrong("int46", "'int46' is no type")
        wrong("decimal", "needs its scale")
        wrong("int64 x", "stands behind the type")
        wrong("array<int64", "is no type")
        wrong({ "x" }, "field 1 must be")
        wrong({ "x: int64", nmae = "y" }, "unknown member 'nmae'")
        wrong(5, "needs a text")
    end)

    it("stores data under the schema, exactly", function()
        local s = tide.schema { "b: boolean", "i: int8", "l: int64", "f: float32", "d: float64",
            "s: string", "y: bytes", "m: map<string, int32>", "a: array<string?>",
            "p: map<int32, string>", "x: decimal(2)", "t: timestamp", "n: string?" }
        local out = run(function(r)
            r.value = s { b = true, i = -128, l = 9223372036854775807LL, f = 1.5, d = 1e300,
                s = "ü", y = "\0\255", m = { z = 1, a = 2 }, a = { "q", tide.null },
                p = { [7] = "s" }, x = tide.decimal "-12.3", t = 1577880000123 }
        end)
        assert.equal('{"b":true,"i":-128,"l":9223372036854775807,"f":1.5,"d":1.0E300,"s":"ü",'
            .. '"y":"AP8=","m":{"a":2,"z":1},"a":["q",null],"p":[[7,"s"]],"x":"+zI=",'
            .. '"t":1577880000123,"n":null}', out:match('"payload":(.*)}$'))
    end)

    it("fills defaults and refuses what is missing or does not fit", function()
        local s = tide.schema { "i: int32", { "d", "string", default = "x" } }
        assert.equal('{"i":1,"d":"x"}', run(function(r) r.value = s { i = 1 } end)
            :match('"payload":(.*)}$'))
        raises(function(r) r.value = s {} end, "field 'i': null or nothing where the schema wants")
        raises(function(r) r.value = s { i = 1.5 } end, "field 'i': 1.5 does not fit.*INT32")
        raises(function(r) r.value = s { i = 2147483648 } end, "does not fit the schema")
        raises(function(r) r.value = s { i = 1, j = 2 } end, "has no field 'j'")
        raises(function(r) r.value = s { i = "1" } end, "field 'i': a string does not fit")
        raises(function(r) r.value = tide.schema "array<int8>" { 1, 300 } end, "element 2: 300")
        raises(function(r) r.value = tide.schema "string" "\255" end, "not UTF%-8")
        raises(function(r) r.value = tide.schema "decimal(1)" "1.25" end, "more decimals than")
    end)

    it("leaves the record alone when it refuses", function()
        local s = tide.schema { "i: int32" }
        local out = run(function(r)
            assert.is_false(pcall(function() r.value = s { i = "no" } end))
        end)
        assert.equal('{"a":1}', out:match('"payload":(.*)}$'))
    end)

    it("gives a schema to what JSON brought", function()
        local s = tide.schema { "a: int32", "b: string?", "c: decimal(2)?" }
        local out = run(function(r) r.value = s(r.value) end,
            { value = '{"a":1,"b":"x","c":12.34}', conv = "json" })
        assert.equal('{"a":1,"b":"x","c":"BNI="}', out:match('"payload":(.*)}$'))
        raises(function(r) r.value = s(r.value) end, "a", { value = '{"a":"x"}', conv = "json" })
    end)

    it("serves keys, headers, fields and scalars", function()
        testlib.batch { { value = '{"a":1}', conv = "json" } }
        for _, r in boot.batch:each() do
            r.key = tide.schema "int32" (5)
            r.headers:add("h", tide.schema "timestamp" (1577880000123))
            r.value = tide.schema { "o: int8" } { o = 1 }
            r.value.nested = tide.schema { "z: string" } { z = "q" }
            assert.equal("int32", tide.schema.of(r, "key").type)
            assert.equal("struct", tide.schema.of(r).fields[2].schema.type)
            assert.equal("z", tide.schema.of(r.value.nested).fields[1].name)
            assert.equal("q", r.value.nested.z)
            assert.equal(5, r.key)
        end
        assert.matches('"nested":{"z":"q"}', testlib.encode("envelope")[1])
    end)

    it("is nil where there is no schema", function()
        run(function(r)
            assert.is_nil(tide.schema.of(r))
            assert.is_nil(tide.schema.of(r, "key"))
        end)
    end)
end)

describe("tide.decimal", function()
    local d = tide.decimal

    it("keeps text and scale", function()
        for _, s in ipairs { "0", "12.30", "-0.01", "123456789012345678901234567890.12345678",
            "1E+3", "1.5E-9", "0.000001", "0E-7" } do
            assert.equal(s, tostring(d(s)))
        end
        assert.equal("5", tostring(d(5)))
        assert.equal("0.1", tostring(d(0.1)))
        assert.equal("9223372036854775807", tostring(d(9223372036854775807LL)))
        assert.equal("12.3", tostring(d "+12.3"))
        assert.equal("0.5", tostring(d ".5"))
        assert.equal(2, d("12.30"):scale())
        assert.equal(12.3, d("12.30"):number())
    end)

    it("calculates exactly", function()
        assert.equal("0.3", tostring(d "0.1" + d "0.2"))
        assert.equal("-99999999999999999999.99", tostring(d "0.01" - d "100000000000000000000"))
        assert.equal("14.7600", tostring(d "12.30" * d "1.20"))
        assert.equal("14.760", tostring(d "12.30" * 1.2))
        assert.equal("1.00", tostring(d "0.99" + d "0.01"))
        assert.equal("-5", tostring(-d(5)))
        assert.is_true(d "1.0" == d "1.00")
        assert.is_true(d "-2" < d "1.5")
        assert.is_true(d "1.50" <= d "1.5")
        assert.equal("sum: 3", "sum: " .. (d(1) + 2))
    end)

    it("rounds and divides", function()
        assert.equal("2.35", tostring(d("2.345"):round(2)))
        assert.equal("2.34", tostring(d("2.345"):round(2, "half_even")))
        assert.equal("-2.34", tostring(d("-2.349"):round(2, "down")))
        assert.equal("2.3400", tostring(d("2.34"):round(4)))
        assert.equal("0.33", tostring(d(1):div(3, 2)))
        assert.equal("0.67", tostring(d(2):div(3, 2)))
        assert.equal("-12345678901234567890.5",
            tostring(d("-24691357802469135781"):div(2, 1)))
        assert.error_matches(function() d(1):div(0, 2) end, "division by zero")
        assert.error_matches(function() return d(1) / 3 end, "use a:div")
    end)

    it("agrees with whole numbers", function()
        math.randomseed(7)
        for _ = 1, 300 do
            local a, b = math.random(-999999, 999999), math.random(-999999, 999999)
            assert.equal(("%d"):format(a * b), tostring(d(a) * d(b)))
            assert.equal(("%d"):format(a + b), tostring(d(a) + d(b)))
            assert.equal(("%d"):format(a - b), tostring(d(a) - d(b)))
            if b ~= 0 then
                local q = a / b
                q = q < 0 and math.ceil(q) or math.floor(q)
                assert.equal(("%d"):format(q), tostring(d(a):div(b, 0, "down")))
            end
        end
    end)

    it("refuses what is no number", function()
        for _, s in ipairs { "", "x", "1,5", "1e", "--1", "0x10", " 1" } do
            assert.error_matches(function() d(s) end, "tide.decimal needs")
        end
        assert.error_matches(function() d {} end, "tide.decimal needs")
    end)

    local function envelope(payload)
        return { conv = "envelope", value = '{"schema":{"type":"struct","optional":false,"fields":['
            .. '{"type":"bytes","optional":true,"field":"p","name":"' .. LOGICAL .. 'Decimal",'
            .. '"version":1,"parameters":{"scale":"2"}},{"type":"int32","optional":false,'
            .. '"field":"q"}]},"payload":' .. payload .. '}' }
    end

    it("is what a Decimal field reads as and is written with", function()
        local out = run(function(r)
            local v = r.value
            assert.equal("12.34", tostring(v.p))
            v.p = (v.p * v.q):round(2)
        end, envelope '{"p":"BNI=","q":3}')
        assert.equal('{"p":"DnY=","q":3}', out:match('"payload":(.*)}$'))
        run(function(r) assert.equal("0.07", tostring(r.value.p)) end,
            envelope '{"p":0.07,"q":1}')
    end)

    it("is never written with digits lost, and text is refused", function()
        raises(function(r) r.value.p = tide.decimal "1.005" end, "more decimals",
            envelope '{"p":"BNI=","q":3}')
        raises(function(r) r.value.p = "12.30" end, "tide.decimal", envelope '{"p":"BNI=","q":3}')
    end)

    it("makes new fields Decimal, and JSON numbers without a schema", function()
        local out = run(function(r) r.value.z = tide.decimal "1.500" end,
            envelope '{"p":null,"q":3}')
        assert.matches('"parameters":{"scale":"3"},"field":"z"', out)
        testlib.batch { { value = '{"a":1}', conv = "json" } }
        for _, r in boot.batch:each() do r.value.z = tide.decimal "123456789012345678901.50" end
        assert.equal('{"a":1,"z":123456789012345678901.50}', testlib.encode("json")[1])
    end)
end)

-- A record with two Decimals, lists and structs of them, and dates.
local function money()
    local function dec(n)
        return '{"type":"bytes","optional":true,"name":"' .. LOGICAL
            .. 'Decimal","version":1,"parameters":{"scale":"' .. n .. '"}'
    end
    local function field(s, name) return s .. ',"field":"' .. name .. '"}' end
    local list, struct = '{"type":"array","optional":true,"items":', '{"type":"struct",'
        .. '"optional":true,"fields":['
    local function plain(t, name)
        return field('{"type":"' .. t .. '","optional":true', name)
    end
    return { conv = "envelope", value = '{"schema":{"type":"struct","optional":false,"fields":['
        .. table.concat({ field(dec(2), "p"), field(dec(3), "q"), field(list .. dec(2) .. "}", "l"),
            field(list .. dec(3) .. "}", "k"),
            field(struct .. field(dec(2), "x") .. "]", "st"),
            field(struct .. field(dec(3), "x") .. "]", "su"),
            field('{"type":"int64","optional":true,"version":1,"name":"' .. LOGICAL
                .. 'Timestamp"', "ts"),
            field('{"type":"int32","optional":true,"version":1,"name":"' .. LOGICAL
                .. 'Date"', "day"), plain("double", "d"), plain("int32", "i"),
            plain("string", "s") }, ",")
        .. ']},"payload":{"p":"BNI=","q":"BNI=","l":["BNI="],"k":["BNI="],"st":{"x":"BNI="},'
        .. '"su":{"x":"BNI="},"ts":5,"day":7,"d":0.5,"i":1,"s":"t"}}' }
end

describe("a value with a meaning", function()
    local function payload(fn)
        return (run(fn, money()):match('"payload":(.*)}$'))
    end

    it("keeps it where the scale is another", function()
        local changed = {
            function(v) tide.copy(v, "p", "q") end,
            function(v) v.q = tide.schema "decimal(2)" (tide.decimal "12.34") end,
        }
        for _, fn in ipairs(changed) do
            assert.matches('"q":"MDQ="', payload(function(r) fn(r.value) end))
        end
        assert.matches('"k":%["MDQ="%]', payload(function(r) tide.copy(r.value, "l", "k") end))
        assert.matches('"k":%["MDQ="%]', payload(function(r) r.value.k = r.value.l end))
        assert.matches('"su":{"x":"MDQ="}', payload(function(r) r.value.su = r.value.st end))
        assert.matches('"l":%["AJY="%]', payload(function(r)
            r.value.l = tide.schema "array<decimal(3)>" { tide.decimal "1.500" }
        end))
        assert.matches('"st":{"x":"AJY="}', payload(function(r)
            r.value.st = tide.schema { "x: decimal(3)" } { x = tide.decimal "1.5" }
        end))
        assert.matches('"d":12.34', payload(function(r) tide.copy(r.value, "p", "d") end))
    end)

    it("is an error where it would change", function()
        for _, to in ipairs { "i", "s", "su" } do
            raises(function(r) tide.copy(r.value, "p", to) end, "does not fit", money())
        end
        raises(function(r) r.value.l = tide.schema "array<decimal(3)>" { tide.decimal "1.505" } end,
            "more decimals", money())
        raises(function(r) tide.copy(r.value, "day", "ts") end, "Date does not fit field \"ts\"",
            money())
    end)

    it("goes to new fields with its schema", function()
        local s = tide.schema "decimal(2)?"
        run(function(r)
            local v = r.value
            tide.copy(v, "p", "copied")
            tide.copy(v, "ts", "when")
            v.typed = tide.schema "decimal(3)" (tide.decimal "1.5")
            v.day2 = tide.schema "date" (8)
            v.none = tide.schema "int8?" (nil)
            v.list = v.l
            local types = {}
            for _, f in ipairs(tide.schema.of(r).fields) do types[f.name] = f.schema end
            assert.is_true(types.copied == s)
            assert.equal(LOGICAL .. "Timestamp", types.when.name)
            assert.equal("3", types.typed.parameters.scale)
            assert.equal(LOGICAL .. "Date", types.day2.name)
            assert.equal("int8", types.none.type)
            assert.is_true(types.list.items == s)
            assert.equal("1.500", tostring(v.typed))
        end, money())
    end)

    it("becomes a number in a tree without a schema", function()
        testlib.batch { { value = '{"a":1}', conv = "json" } }
        for _, r in boot.batch:each() do
            r.value.x = tide.schema "decimal(2)" (tide.decimal "1.5")
            r.value.y = tide.schema "array<decimal(2)>" { 5 }
        end
        assert.equal('{"a":1,"x":1.50,"y":[5.00]}', testlib.encode("json")[1])
    end)

    it("takes plain numbers, exactly", function()
        assert.matches('"p":"AfQ="', payload(function(r) r.value.p = 5 end))
        assert.matches('"p":"AJY="', payload(function(r) r.value.p = 1.5 end))
        assert.matches('"p":"Arw="', payload(function(r) r.value.p = 7LL end))
        raises(function(r) r.value.p = 1.255 end, "more decimals", money())
        for _, was in ipairs { '"BNI="', "12.34" } do
            local same = '{"p": ' .. was .. ', "q":1}'
            assert.equal(same, (run(function(r) r.value.p = 12.34 end, {
                conv = "envelope", value = money().value:gsub('"fields":.*$', '"fields":['
                    .. '{"type":"bytes","optional":true,"name":"' .. LOGICAL .. 'Decimal",'
                    .. '"version":1,"parameters":{"scale":"2"},"field":"p"},'
                    .. '{"type":"int32","field":"q"}]},"payload":') .. same .. "}" })
                :match('"payload":(.*)}$')))
        end
    end)

    it("is a number and a text for handles", function()
        run(function(r)
            assert.equal(12.34, tide.number("p", -1)(r.value))
            assert.equal(1.234, tide.number("q")(r.value))
            assert.equal("12.34", tide.string("p")(r.value))
            assert.is_nil(tide.int64("p")(r.value))
            assert.equal(12.34, tide.number({ "l", 1 })(r.value))
            r.value.p = 12
            assert.is_true(tide.int64("p")(r.value) == 12)
        end, money())
    end)

    it("reads alike in lists of numbers", function()
        run(function(r)
            assert.equal("12.34", tostring(r.value[1]))
            assert.is_true(r.value[1] == tide.decimal "12.34")
        end, { conv = "envelope", value = '{"schema":{"type":"array","items":{"type":"bytes",'
            .. '"name":"' .. LOGICAL .. 'Decimal","version":1,"parameters":{"scale":"2"}}},'
            .. '"payload":[12.34]}' })
        run(function(r)
            r.value.o = tide.schema { "d: decimal(1)" } { d = 2 }
            assert.equal("2.0", tostring(r.value.o.d))
        end)
    end)
end)

describe("schemas made of others", function()
    it("take those of records", function()
        run(function(r)
            local s = tide.schema { { "k", tide.schema.of(r) }, { "p", "decimal(2)" } }
            r.value = s { k = r.value, p = 1 }
            assert.equal("12.34", tostring(r.value.k.p))
        end, money())
    end)

    it("have defaults of bytes and decimals", function()
        local s = tide.schema { { "c", "decimal(2)", default = tide.decimal "1.5" },
            { "n", "decimal(0)", default = 7 }, { "b", "bytes", default = "xy" },
            { "y", "bytes", default = tide.bytes "xyz" }, { "e", "bytes?", default = "" } }
        assert.equal('{"c":"AJY=","n":"Bw==","b":"eHk=","y":"eHl6","e":""}',
            (run(function(r) r.value = s {} end):match('"payload":(.*)}$')))
        assert.error_matches(function() tide.schema { { "c", "decimal(1)", default = 1.25 } } end,
            "more decimals than 1")
        assert.error_matches(function() tide.schema "decimal(99999999999)" end, "at most 9800")
    end)

    it("refuse a float that is too large", function()
        raises(function(r) r.value = tide.schema "float32" (1e300) end, "does not fit")
    end)
end)

describe("a header that is refused", function()
    it("leaves the others", function()
        run(function(r)
            r.headers:add("h", "x")
            for _, bad in ipairs { tide.schema "int8" (500), { [1.5] = 2 }, print } do
                assert.is_false(pcall(r.headers.add, r.headers, "g", bad))
                assert.is_false(pcall(r.headers.set, r.headers, "h", bad))
            end
            assert.equal(1, #r.headers)
            assert.equal("x", r.headers:get "h")
            r.headers:add("h", "y")
            r.headers:set("h", "z")
            assert.equal(1, #r.headers)
            assert.equal("z", r.headers:get "h")
        end)
    end)
end)

describe("undo", function()
    local writes = {
        ["new fields"] = function(r)
            r.value.new = tide.schema "decimal(3)" "1.5"
            r.value.deep = tide.schema { "a: map<string, decimal(1)>" } { a = { b = 2 } }
        end,
        copies = function(r)
            tide.copy(r.value, "p", "n")
            tide.copy(r.value, "l", "k")
            r.value.l[2] = tide.decimal "3"
            r.value.st.y = r.value.p
            r.value.st.z = r.value.l
        end,
        ["whole values"] = function(r)
            r.headers:set("h", tide.schema "int8" (5))
            r.headers:set("h", 6)
            r.key = tide.schema "decimal(2)" "1"
            r.value = tide.schema.of(r)(r.value)
        end,
        ["refused ones"] = function(r)
            r.value.p = 5
            pcall(function()
                r.value.l = tide.schema "array<decimal(3)>" { 1, "1.111" }
            end)
            pcall(function() r.value.new = tide.schema "int8" (500) end)
        end,
    }
    for name, fn in pairs(writes) do
        it("takes back " .. name, function()
            testlib.batch({ money() }, 3)
            local before = testlib.encode("envelope")
            testlib.begin()
            for _, r in boot.batch:each() do fn(r) end
            testlib.undo()
            testlib.commit()
            local after, keys = testlib.encode("envelope"), testlib.encode("envelope", "key")
            for i, r in boot.batch:each() do
                assert.equal(before[i], after[i])
                assert.is_false(keys[i])
                assert.equal(0, #r.headers)
                assert.equal("12.34", tostring(r.value.l[1]))
                assert.equal(11, #tide.schema.of(r).fields)
            end
        end)
    end
end)
