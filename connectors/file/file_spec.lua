local boot, call = testlib.boot, testlib.call

local function write(path, text, mode)
    local f = assert(io.open(path, mode or "w"))
    f:write(text)
    f:close()
end

local function read(path)
    local f = assert(io.open(path))
    local text = f:read("*a")
    f:close()
    return text
end

describe("the file source", function()
    local path, inst

    local function open(config, offsets)
        config.file, config.topic = path, config.topic or "lines"
        inst = boot.instance("source", "FileStreamSource", config)
        call(inst.start, offsets or {})
    end

    local function poll(max)
        testlib.empty(max or 100)
        local wait = call(inst.poll)
        return testlib.records(), wait
    end

    before_each(function() path = os.tmpname() end)
    after_each(function()
        if inst then call(inst.stop) end
        inst = nil
        os.remove(path)
    end)

    it("makes a record of each complete line, with its position", function()
        write(path, "one\ntwo\r\nunfinished")
        open {}
        local got = poll()
        assert.equal(2, #got)
        assert.equal('"one"', got[1].value)
        assert.equal('"two"', got[2].value)
        assert.equal("lines", got[1].topic)
        assert.equal(4, tonumber(got[1].offset))
        assert.equal(9, tonumber(got[2].offset))
        write(path, " line\n", "a")
        got = poll()
        assert.equal('"unfinished line"', got[1].value)
    end)

    it("goes on at the stored position", function()
        write(path, "one\ntwo\nthree\n")
        open({}, { { { filename = path }, { position = 4 } } })
        local got = poll()
        assert.equal(2, #got)
        assert.equal('"two"', got[1].value)
    end)

    it("honours batch.size", function()
        write(path, ("x\n"):rep(10))
        open { ["batch.size"] = "3" }
        assert.equal(3, #(poll()))
        assert.equal(3, #(poll()))
    end)

    it("reads lines as JSON", function()
        write(path, '{"a":1.10}\n')
        open { format = "json" }
        assert.equal('{"a":1.10}', poll()[1].value)
    end)

    it("waits longer and longer while nothing is new", function()
        write(path, "")
        open {}
        local _, first = poll()
        local _, second = poll()
        assert.truthy(first > 0 and second > first)
        write(path, "x\n", "a")
        local got, wait = poll()
        assert.equal(1, #got)
        assert.equal(0, wait)
    end)

    it("waits for a file that does not exist yet", function()
        os.remove(path)
        open {}
        assert.equal(0, #(poll()))
        write(path, "late\n")
        assert.equal('"late"', poll()[1].value)
    end)

    it("starts again when the file was truncated or replaced", function()
        write(path, "one\ntwo\n")
        open {}
        assert.equal(2, #(poll()))
        write(path, "new\n")
        assert.equal('"new"', poll()[1].value)
        write(path .. ".next", "replaced by a longer text\n")
        os.rename(path .. ".next", path)
        assert.equal('"replaced by a longer text"', poll()[1].value)
    end)

    it("refuses two topics", function()
        local errors = boot.validate("source", "FileStreamSource", { topic = "a,b" }, {})
        assert.equal("topic", errors[1].key)
        assert.matches("exactly one topic", errors[1].message)
    end)

    it("reports how many bytes it is behind", function()
        write(path, "one\ntwo\n")
        open { ["batch.size"] = "1" }
        poll()
        assert.equal(4, tonumber(inst.lag()))
    end)
end)

describe("the file sink", function()
    local path, inst

    before_each(function() path = os.tmpname() end)
    after_each(function()
        if inst then call(inst.stop) end
        inst = nil
        os.remove(path)
    end)

    it("appends a line for each record and writes them out at flush", function()
        write(path, "before\n")
        inst = boot.instance("sink", "FileStreamSink", { file = path })
        call(inst.start)
        testlib.batch { '{"a":1.10,"b":[]}', "null", '"text"' }
        call(inst.put)
        call(inst.flush)
        assert.equal('before\n{"a":1.10,"b":[]}\nnull\ntext\n', read(path))
    end)

    it("says why a file cannot be opened", function()
        inst = nil
        local bad = boot.instance("sink", "FileStreamSink", { file = path .. "/no/such" })
        local ok, err = pcall(call, bad.start)
        assert.equal(false, ok)
        assert.matches("no/such", tostring(err))
    end)
end)
