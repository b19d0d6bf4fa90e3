-- Config tables: types, rules and messages of Kafka's ConfigDef.
local boot = testlib.boot

local function plugin(config, more)
    return ([[local tide = require "tidegate"
return tide.transform { config = %s, %s record = function(r, cfg)
    r.value = tide.json.encode(cfg[r.key])
end }]]):format(config, more or "")
end

-- The parsed value of key "k" as JSON text.
local function parsed(config, raw)
    local inst = boot.inline(plugin(config), "t.lua", raw)
    testlib.batch { { key = '"k"', value = "0" } }
    testlib.apply(inst)
    local r = testlib.records()[1]
    assert.equal(0, r.verdict, r.reason)
    return (r.value:gsub('^"(.*)"$', "%1"):gsub('\\"', '"'))
end

local function one(kind, text)
    return parsed(('{ k = { type = "%s" } }'):format(kind), { k = text })
end

local function message(config, raw, more)
    local err = assert.error(function() boot.inline(plugin(config, more), "t.lua", raw) end)
    return err.message
end

local function wrong(kind, text)
    return (message(('{ k = { type = "%s" } }'):format(kind), { k = text }):gsub("^t: ", ""))
end

describe("types", function()
    it("read what Kafka reads", function()
        assert.equal('"a b"', one("string", "  a b "))
        assert.equal("5", one("int", " +5 "))
        assert.equal("-2147483648", one("int", "-2147483648"))
        assert.equal("9223372036854775807", one("long", "9223372036854775807"))
        assert.equal("-9223372036854775808", one("long", "-9223372036854775808"))
        assert.equal("7", one("long", "007"))
        assert.equal("true", one("boolean", "TRUE"))
        assert.equal("false", one("boolean", "false"))
        assert.equal("1.5", one("double", "1.5"))
        assert.equal("1000", one("double", "1e3"))
        assert.equal("0.5", one("double", ".5"))
        assert.equal('["a","","b"]', one("list", "a , ,b"))
        assert.equal("[]", one("list", ""):gsub("{}", "[]"))
        assert.equal('"x"', one("password", "x"))
    end)

    it("refuse what Kafka refuses", function()
        local I = "Invalid value %s for configuration k: %s"
        assert.equal(I:format("1.5", "Not a number of type INT"), wrong("int", "1.5"))
        assert.equal(I:format("2147483648", "Not a number of type INT"), wrong("int", "2147483648"))
        assert.equal(I:format("0x10", "Not a number of type INT"), wrong("int", "0x10"))
        assert.equal(I:format("", "Not a number of type INT"), wrong("int", ""))
        assert.equal(I:format("9223372036854775808", "Not a number of type LONG"),
            wrong("long", "9223372036854775808"))
        assert.equal(I:format("yes", "Expected value to be either true or false"),
            wrong("boolean", "yes"))
        assert.equal(I:format("1,5", "Not a number of type DOUBLE"), wrong("double", "1,5"))
        assert.equal(I:format("x", "Not a number of type DOUBLE"), wrong("double", "x"))
    end)
end)

describe("rules", function()
    it("defaults, choices, ranges, checks", function()
        assert.equal("5", parsed('{ k = { type = "int", default = 5 } }', {}))
        assert.equal('["a"]', parsed('{ k = { type = "list", default = { "a" } } }', {}))
        assert.equal("null", parsed('{ k = {} }', {}))
        local choices = '{ k = { choices = { "fast", "slow" } } }'
        assert.equal('"fast"', parsed(choices, { k = "fast" }))
        assert.matches("String must be one of: fast, slow, did you mean 'fast'",
            message(choices, { k = "fsat" }))
        assert.matches("at least 1", message('{ k = { type = "int", min = 1 } }', { k = "0" }))
        assert.matches("odd", message('{ k = { type = "int", check = function(v) '
            .. 'if v % 2 == 1 then return "odd" end end } }', { k = "3" }))
        assert.matches("^t: both$", message("{ k = {} }", { k = "1" },
            'check = function(cfg) if cfg.k then return "both" end end,'))
    end)

    it("hide passwords", function()
        local err = message('{ k = { type = "password", min = 1, check = function() return "bad" '
            .. 'end } }', { k = "secret" })
        assert.matches("%[hidden%]", err)
        assert.is_nil(err:find("secret"))
    end)

    it("name every problem", function()
        local err = message('{ a = { required = true }, b = { type = "int" } }', { b = "x" })
        assert.matches('Missing required configuration "a" which has no default value%.', err)
        assert.matches("Invalid value x for configuration b", err)
    end)

    it("collect keys with a prefix", function()
        assert.equal('{"a":1,"b.c":2}', parsed('{ ["k.*"] = { type = "int" } }',
            { ["k.a"] = "1", ["k.b.c"] = "2", other = "3" }))
        assert.matches("Invalid value x for configuration k.a", message(
            '{ ["k.*"] = { type = "int" } }', { ["k.a"] = "x" }))
    end)

    it("refuse definitions that make no sense", function()
        local function bad(config, pattern)
            assert.error_matches(function() boot.inline(plugin(config), "t.lua", {}) end, pattern)
        end
        bad('{ k = { type = "strng" } }', "unknown type 'strng', did you mean 'string'")
        bad('{ k = { requird = true } }', "unknown member 'requird', did you mean 'required'")
        bad('{ k = { required = true, default = "x" } }', "is required and has a default")
        bad('{ k = { type = "int", default = "5" } }', "the default must be a number")
        bad('{ k = "int" }', "the definition is a table")
    end)
end)
