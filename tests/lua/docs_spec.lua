-- The examples of docs/sdk.md run as they are written.
local boot, host = testlib.boot, testlib.host

local function examples()
    local text = assert(host.readfile(host.home .. "/docs/sdk.md"))
    local out = {}
    for code in text:gmatch("```lua\n(.-)```") do
        if code:find("^local tide") then out[#out + 1] = code end
    end
    return out
end

local function temporary()
    local name = os.tmpname()
    return name
end

describe("the examples of docs/sdk.md", function()
    it("mask", function()
        local inst = boot.inline(examples()[1], "mask_tail.lua", { field = "card.number" })
        testlib.batch { '{"card":{"number":"1234567890"}}', '{"a":1.10}' }
        testlib.apply(inst)
        assert.same({ '{"card":{"number":"******7890"}}', '{"a":1.10}' }, testlib.encode())
    end)

    it("tail a file", function()
        local path = temporary()
        local f = assert(io.open(path, "w"))
        f:write("one\ntwo\nunfinished")
        f:close()
        local inst = boot.inline(examples()[2], "tail/source.lua", { file = path, topic = "lines" })
        inst.start {}
        testlib.empty(100)
        assert.is_nil(inst.poll())
        local rs = testlib.records()
        assert.equal(2, #rs)
        assert.equal('"two"', rs[2].value)
        assert.equal("lines", rs[2].topic)
        assert.equal(8, rs[2].offset)
        assert.equal(10, inst.lag())
        testlib.empty(100)
        assert.equal(200, inst.poll())
        inst.stop()
        -- a restarted task goes on from the stored offset
        inst = boot.inline(examples()[2], "tail/source.lua", { file = path, topic = "lines" })
        inst.start { { { filename = path }, { position = 4 } } }
        testlib.empty(100)
        inst.poll()
        assert.equal(1, #testlib.records())
        inst.stop()
        os.remove(path)
    end)

    it("write a file", function()
        local path = temporary()
        local inst = boot.inline(examples()[3], "out/sink.lua", { file = path })
        inst.start()
        testlib.batch { '{"a":1.10}', "[1]" }
        inst.put()
        inst.flush()
        inst.stop()
        local f = assert(io.open(path))
        assert.equal('{"a":1.10}\n[1]\n', f:read("*a"))
        f:close()
        os.remove(path)
    end)
end)

describe("the example of a state", function()
    it("goes on counting", function()
        local text = examples()[4]
        assert.matches("every minute", text)
        local inst = boot.inline(text, "numbers.lua", {})
        testlib.batch { "{}", "{}" }
        testlib.apply(inst)
        assert.same({ '{"n":1}', '{"n":2}' }, testlib.encode())
        assert.equal(60000, inst.every_ms)
        inst.tick()
        inst = boot.instance("transform", "Lua", { script = text }, "c.transforms.n",
            boot.state(inst))
        testlib.batch { "{}" }
        testlib.apply(inst)
        assert.same({ '{"n":3}' }, testlib.encode())
    end)
end)

describe("lines and writers", function()
    local tide = boot.tide("source")

    it("check what they get", function()
        assert.error_matches(function() tide.lines(5) end, "needs a path")
        assert.error_matches(function() tide.lines("x", 1.5) end, "whole number")
        local none, why = tide.writer("/nowhere/at/all")
        assert.is_nil(none)
        assert.matches("/nowhere/at/all", why)
        local path = temporary()
        local lines = assert(tide.lines(path))
        testlib.empty(1)
        assert.error_matches(function() lines:read("x", "t", 0) end, "needs the batch")
        assert.error_matches(function() lines:read(boot.batch, 5, 0) end, "needs a topic")
        assert.error_matches(function() lines:read(boot.batch, "t", "p") end, "whole number")
        assert.error_matches(function() lines:read(boot.batch, "t", 0, "xml") end, "mode is")
        assert.equal(0, lines:size())
        assert.equal(0, lines:restarts())
        lines:close()
        lines:close()
        assert.error_matches(function() lines:size() end, "closed")
        assert.error_matches(function() lines.read({}, boot.batch, "t", 0) end, "closed")
        os.remove(path)
    end)
end)
