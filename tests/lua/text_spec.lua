-- Regular expressions and dates for plugins, the config type regex, and the stock
-- transforms and predicates made of them.
local boot = testlib.boot
local V = testlib.verdict
local T = "org.apache.kafka.connect.transforms."

-- What the body of record = function(r) returns, as text.
local function run(body, config)
    local inst = boot.inline(([[local tide = require "tidegate"
return tide.transform { new = function(cfg)
    %s
end }]]):format(body), "t.lua", config or {})
    testlib.batch { { value = "0" } }
    testlib.apply(inst)
    local r = testlib.records()[1]
    return (tostring(r.value):gsub('^"(.*)"$', "%1")), r
end

local function eval(expression, setup)
    return run(("%s return { record = function(r) r.value = tide.json.encode({ %s }) end }")
        :format(setup or "", expression)):gsub('\\"', '"')
end

local function rejected(body)
    local ok, err = pcall(function() return select(2, run(body)) end)
    if not ok then return type(err) == "table" and err.message or tostring(err) end
    return err.reason
end

describe("tide.regex", function()
    local setup = [[local re = tide.regex "(\\w+)-(?<n>\\d+)?x"]]

    it("matches, finds and captures as Java", function()
        assert.equal("[true,false,false]",
            eval("re:matches 'ab-12x', re:matches 'ab-12x ', re:matches ''", setup))
        assert.equal('[3,8,"ab","12"]', eval("re:find '  ab-12x '", setup))
        assert.equal('["ab","1"]', eval("re:match 'ab-1x'", setup))
        assert.equal('[8,10,"c"]', eval("re:find(' ab-1x c-x', 8)", setup):gsub(",null", ""))
        assert.equal("[true]", eval("re:find 'zz' == nil and re:find('a-x', 9) == nil", setup))
        assert.equal('["abc"]', eval("tide.regex('[a-c]+'):match 'abc'"))
    end)

    it("replaces by Java templates", function()
        assert.equal('["[1:a]$ [2:b]$"]', eval([[re:replace("a-1x b-2x", "[${n}:$1]\\$")]], setup))
        assert.equal('["A b-2x"]', eval([[re:replace_first("a-1x b-2x", "A")]], setup))
        assert.equal('["-a-"]', eval([[tide.regex("x*"):replace("a", "-")]]))
    end)

    it("says what is wrong, and where", function()
        assert.matches("tide.regex: Unclosed group near index 2: %(a",
            rejected [[tide.regex "(a" return {}]])
        assert.matches("No group 7 in the replacement",
            rejected [[local re = tide.regex "a"
                return { record = function() re:replace("a", "$7") end }]])
        assert.matches("needs a string, got nil",
            rejected [[local re = tide.regex "a"
                return { record = function() re:matches() end }]])
        assert.matches("too many steps",
            rejected [[local re = tide.regex "(?:(?:a?){20}|b)*(?:(?:a?){20}|b)*(a|aa)+$"
                return { record = function() re:matches(("a"):rep(400) .. "c") end }]])
        assert.matches("called with ':'",
            rejected [[local re = tide.regex "a"
                return { record = function() re.matches("a", "b") end }]])
    end)
end)

describe("tide.time", function()
    it("formats in UTC", function()
        assert.equal('["2020-01-01T12:00:00.123Z","1969-12-31"]', eval(
            [[tide.time.format(1577880000123, "yyyy-MM-dd'T'HH:mm:ss.SSSX"),
              tide.time.format(-1, "yyyy-MM-dd")]]))
    end)

    it("parses leniently and says why not", function()
        assert.equal("[1583020800000]", eval([[tide.time.parse("2020-02-30 tail", "yyyy-MM-dd")]]))
        assert.equal('[true,"Unparseable date: \\"x\\""]',
            eval([[(tide.time.parse("x", "yyyy")) == nil, select(2, tide.time.parse("x", "yyyy"))]])
                :gsub('\\\\"', '\\"'):gsub('date: "x""', 'date: \\"x\\""'))
    end)

    it("gives a formatter and its parser", function()
        assert.equal('["01.01.1970",86400000]',
            eval([[format(0), parse "02.01.1970"]],
                [[local format, parse = tide.time.formatter "dd.MM.yyyy"]]))
        assert.matches("Illegal pattern character 'b'",
            rejected [[tide.time.formatter "b" return {}]])
    end)
end)

describe("the config type regex", function()
    it("checks the syntax as Kafka Connect words it", function()
        local err = assert.error(function()
            boot.instance("transform", T .. "RegexRouter", { regex = "[", replacement = "x" })
        end)
        assert.matches("Invalid value %[ for configuration regex: Invalid regex: Unclosed "
            .. "character class near index 0", err.message)
    end)
end)

-- The records after one transform.
local function apply(class, config, items)
    local inst = boot.instance("transform", T .. class, config)
    testlib.batch(items)
    testlib.apply(inst)
    return testlib.records()
end

local function topics(class, config, items)
    local out = {}
    for i, r in ipairs(apply(class, config, items)) do
        out[i] = r.verdict == V.keep and r.topic or "! " .. r.reason
    end
    return table.concat(out, " ")
end

describe("RegexRouter", function()
    it("changes topics that match as a whole", function()
        local items = { { topic = "top" }, { topic = "other" }, { topic = "top" },
            { topic = "xt" } }
        assert.equal("op-t other op-t xt",
            topics("RegexRouter", { regex = "(t)(.*)", replacement = "$2-$1" }, items))
        assert.equal("xb", topics("RegexRouter", { regex = "a|ab", replacement = "x" },
            { { topic = "ab" } }))
    end)

    it("rejects what the template cannot give, each time", function()
        local items = { { topic = "a" }, { topic = "a" }, { topic = "b" } }
        local got = topics("RegexRouter", { regex = "a", replacement = "$3" }, items)
        assert.equal("! topic a: No group 3 in the replacement $3 "
            .. "! topic a: No group 3 in the replacement $3 b", got)
    end)
end)

describe("TimestampRouter", function()
    it("puts topic and time together", function()
        local t = 1577880000123
        assert.equal("top-20200101 top-20200102 b-20200101", topics("TimestampRouter", {}, {
            { topic = "top", timestamp = t }, { topic = "top", timestamp = t + 86400000 },
            { topic = "b", timestamp = t } }))
        assert.equal("x-2020.w01-top", topics("TimestampRouter", {
            ["topic.format"] = "x-${timestamp}-${topic}", ["timestamp.format"] = "YYYY.'w'ww" },
            { { topic = "top", timestamp = t } }))
    end)

    it("needs a timestamp and a pattern", function()
        assert.matches("Timestamp missing on record",
            topics("TimestampRouter", {}, { { topic = "top", timestamp = -1 } }))
        local err = assert.error(function()
            boot.instance("transform", T .. "TimestampRouter", { ["timestamp.format"] = "yyyy-b" })
        end)
        assert.matches("timestamp.format: Illegal pattern character 'b'", err.message)
    end)
end)

local TS = '{"type":"int64","optional":%s,"name":"org.apache.kafka.connect.data.Timestamp",'
    .. '"version":1,"field":"ts"}'

local function struct(field, payload)
    return { conv = "envelope", value =
        ('{"schema":{"type":"struct","fields":[%s],"optional":false},"payload":%s}')
            :format(field, payload) }
end

local function convert(config, item)
    local r = apply("TimestampConverter$Value", config, { item })[1]
    if r.verdict ~= V.keep then return "! " .. r.reason end
    return item.conv and testlib.encode(item.conv)[1] or r.value
end

describe("TimestampConverter", function()
    local t = '{"ts":1577880000123}'

    it("converts fields without a schema", function()
        assert.equal('{"ts":"2020-01-01"}', convert({ field = "ts", ["target.type"] = "string",
            format = "yyyy-MM-dd" }, { value = t }))
        assert.equal('{"ts":1577880000}', convert({ field = "ts", ["target.type"] = "unix",
            ["unix.precision"] = "seconds" }, { value = '{"ts":1577880000}' }))
        assert.equal('{"ts":1583020800000}', convert({ field = "ts", ["target.type"] = "unix",
            format = "yyyy-MM-dd" }, { value = '{"ts":"2020-02-30"}' }))
        assert.equal('{"ts":null}', convert({ field = "ts", ["target.type"] = "unix" },
            { value = '{"ts":null}' }))
        assert.equal('{"a":1,"ts":null}', convert({ field = "ts", ["target.type"] = "unix" },
            { value = '{"a":1}' }))
        assert.equal('{"a":{"ts":"1970"}}', convert({ field = "a.ts", ["target.type"] = "string",
            format = "yyyy", ["field.syntax.version"] = "V2" }, { value = '{"a":{"ts":0}}' }))
    end)

    it("converts fields with a schema", function()
        local S = function(to, more)
            local config = more or {}
            config.field, config["target.type"] = "ts", to
            return convert(config, struct(TS:format("true"), t))
        end
        local function out(field, payload) return struct(field, payload).value end
        assert.equal(out('{"type":"string","optional":true,"field":"ts"}', '{"ts":"2020-01-01"}'),
            S("string", { format = "yyyy-MM-dd" }))
        assert.equal(out('{"type":"int64","optional":true,"field":"ts"}', '{"ts":1577880000}'),
            S("unix", { ["unix.precision"] = "seconds" }))
        assert.equal(out('{"type":"int32","optional":true,'
            .. '"name":"org.apache.kafka.connect.data.Date","version":1,"field":"ts"}',
            '{"ts":18262}'), S("Date"))
        assert.equal(out('{"type":"int32","optional":true,'
            .. '"name":"org.apache.kafka.connect.data.Time","version":1,"field":"ts"}',
            '{"ts":43200123}'), S("Time"))
        assert.equal(out(TS:format("true"), t), S("Timestamp"))
    end)

    it("converts whole values", function()
        assert.equal('"2020"', convert({ ["target.type"] = "string", format = "yyyy" },
            { value = "1577880000123" }))
        assert.equal("1577880000123", convert({ ["target.type"] = "unix" },
            { value = "1577880000123" }))
    end)

    it("refuses what is no time", function()
        assert.equal("! Could not parse timestamp: value (zzz) does not match pattern (yyyy-MM-dd)",
            convert({ ["target.type"] = "unix", format = "yyyy-MM-dd" }, { value = '"zzz"' }))
        assert.equal("! TimestampConverter does not support class java.lang.Double objects as "
            .. "timestamps", convert({ ["target.type"] = "unix" }, { value = "1.5" }))
        assert.equal("! Only Map objects supported in absence of schema for [converting timestamp "
            .. "formats], found: java.lang.Long", convert({ field = "f", ["target.type"] = "unix" },
            { value = "1" }))
        assert.equal("! Schema Schema{INT32} does not correspond to a known timestamp type format",
            convert({ field = "ts", ["target.type"] = "unix" },
                struct('{"type":"int32","optional":false,"field":"ts"}', '{"ts":1}')))
        assert.matches("needs format", convert({ ["target.type"] = "unix" }, { value = '"x"' }))
    end)

    it("is refused with a wrong configuration", function()
        local function message(config)
            return assert.error(function()
                boot.instance("transform", T .. "TimestampConverter$Value", config)
            end).message
        end
        assert.matches("requires format option", message { ["target.type"] = "string" })
        assert.matches("SimpleDateFormat%-compatible pattern for string timestamps: b: Illegal",
            message { ["target.type"] = "string", format = "b" })
        assert.matches("String must be one of", message { ["target.type"] = "Unix" })
    end)
end)

describe("predicates", function()
    -- Values after a transform that replaces those it sees.
    local function seen(predicate, config, negate, items)
        local inst = boot.inline([[local tide = require "tidegate"
            return tide.transform { record = function(r) r.topic = "seen" end }]], "t.lua", {})
        inst.predicate = boot.instance("predicate", T .. "predicates." .. predicate, config)
        inst.negate = negate
        testlib.batch(items)
        testlib.apply(inst)
        local out = {}
        for i, r in ipairs(testlib.records()) do
            assert.equal(V.keep, r.verdict, r.reason)
            out[i] = r.topic == "seen" and "1" or "0"
        end
        return table.concat(out)
    end

    it("TopicNameMatches looks at the whole topic", function()
        local items = { { topic = "ab" }, { topic = "abc" }, { topic = "ab" } }
        assert.equal("101", seen("TopicNameMatches", { pattern = "a[a-c&&[^a]]" }, false, items))
        assert.equal("010", seen("TopicNameMatches", { pattern = "a[a-c&&[^a]]" }, true, items))
    end)

    it("RecordIsTombstone sees null, also when it is written out", function()
        local items = { { topic = "a" }, { topic = "a", value = "null" },
            { topic = "a", value = "0" } }
        assert.equal("110", seen("RecordIsTombstone", {}, false, items))
    end)

    it("HasHeaderKey looks for one header", function()
        local items = { { topic = "a", headers = { { "h", '"1"' } } }, { topic = "a" } }
        assert.equal("10", seen("HasHeaderKey", { name = "h" }, false, items))
        assert.equal("01", seen("HasHeaderKey", { name = "h" }, true, items))
    end)
end)
