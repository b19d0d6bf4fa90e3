-- Runs the cases of tests/lua/cases/NAME.jsonl: one transform over one record,
-- with the result that Kafka Connect 4.1.1 gave for it (numbers written as they
-- were received, members in their order). Used as
-- assert(loadfile(testlib.host.home .. "/tests/lua/cases.lua"))(testlib, it, assert, NAME)
--
-- A line: class, config, value, key, headers (envelopes), ts, conv ("json",
-- "envelope"), and want: value, key, headers (envelopes), or error (Kafka
-- Connect's sentence, to which ours may add), dropped, config_error, or
-- unwritable (what comes out is refused by JsonConverter).
local testlib, it, assert, name = ...
local boot = testlib.boot
local json = boot.tide("transform").json
local V = testlib.verdict
local T = "org.apache.kafka.connect.transforms."

local function text(x)
    return type(x) == "string" and x or nil
end

local function run(case)
    local inst = boot.instance("transform", T .. case.class, case.config)
    testlib.batch { { value = text(case.value), key = text(case.key), conv = case.conv,
        headers = case.headers, header_conv = "envelope", timestamp = case.ts, partition = 0,
        offset = 5 } }
    testlib.apply(inst)
end

local function check_headers(want, got)
    assert.equal(#want, #got, "number of headers")
    for i, header in ipairs(want) do
        assert.equal(header[1], got[i][1])
        assert.equal(text(header[2]), got[i][2])
    end
end

local function check_refused(case)
    local records = testlib.records()
    assert.equal(V.reject, records[1].verdict)
    assert.equal(case.want.error, records[1].reason:sub(1, #case.want.error))
end

local function check(case)
    local want, conv = case.want, case.conv
    if want.config_error then
        local err = assert.error(function() run(case) end)
        assert.equal(want.config_error, (err.message:gsub("^[%w_]+: ", "")))
        return
    end
    run(case)
    if want.error then return check_refused(case) end
    if want.dropped then return assert.equal(V.drop, testlib.records()[1].verdict) end
    if want.unwritable then return assert.error(function() testlib.encode(conv) end) end
    local value = testlib.encode(conv)
    assert.equal(1, #value, "records to keep")
    assert.equal(text(want.value) or false, value[1])
    assert.equal(text(want.key) or false, testlib.encode(conv, "key")[1])
    check_headers(want.headers or {}, testlib.encode("envelope", "headers")[1])
end

local at = 0
for line in io.lines(testlib.host.home .. "/tests/lua/cases/" .. name .. ".jsonl") do
    local case = json.decode(line)
    local settings = {}
    for k, v in pairs(case.config) do settings[#settings + 1] = k .. "=" .. tostring(v) end
    table.sort(settings)
    at = at + 1
    it(("%s:%d %s %s"):format(name, at, case.class, table.concat(settings, " ")),
        function() check(case) end)
end
assert.is_true(at > 0)
