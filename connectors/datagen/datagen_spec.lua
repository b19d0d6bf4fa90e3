local boot, call = testlib.boot, testlib.call

local function instance(config, offsets)
    config.topic = "gen"
    local inst = boot.instance("source", "DatagenSource", config)
    call(inst.start, offsets or {})
    return inst
end

local function poll(inst, max)
    testlib.empty(max or 100)
    local wait = call(inst.poll)
    return testlib.records(), wait
end

local function values(records)
    local out = {}
    for i, r in ipairs(records) do out[i] = r.value end
    return out
end

describe("the datagen source", function()
    it("makes the same records for the same seed, others for another", function()
        local one = values(poll(instance { seed = "7" }, 20))
        assert.equal(20, #one)
        assert.same(one, values(poll(instance { seed = "7" }, 20)))
        assert.truthy(one[1] ~= values(poll(instance { seed = "8" }, 20))[1])
    end)

    it("makes valid JSON of each kind, with a key", function()
        for _, kind in ipairs { "orders", "users", "clicks", "numbers" } do
            local got = poll(instance { kind = kind }, 50)
            assert.equal(50, #got)
            for _, r in ipairs(got) do
                assert.truthy(testlib.host.json_decode(r.value))
                assert.truthy(#r.key > 2)
                assert.equal("gen", r.topic)
            end
        end
    end)

    it("goes on from its offset with the records that follow", function()
        local all = values(poll(instance {}, 30))
        local rest = values(poll(instance({}, {
            { { generator = "orders/0" }, { count = 10 } } }), 20))
        assert.equal(20, #rest)
        for i = 1, 20 do assert.equal(all[i + 10], rest[i]) end
    end)

    it("stops at count and then waits", function()
        local inst = instance { count = "5" }
        assert.equal(5, #(poll(inst)))
        local got, wait = poll(inst)
        assert.equal(0, #got)
        assert.truthy(wait > 0)
    end)

    it("splits the count over tasks without gap or overlap", function()
        local config = { topic = "gen", kind = "numbers", count = "10" }
        local tasks = boot.tasks("DatagenSource", config, 3)
        assert.equal(3, #tasks)
        local seen, n = {}, 0
        for _, task in ipairs(tasks) do
            for _, r in ipairs(poll(instance(task))) do
                local i = tonumber(r.value:match("%d+"))
                assert.equal(nil, seen[i])
                seen[i], n = true, n + 1
            end
        end
        assert.equal(10, n)
        for i = 0, 9 do assert.truthy(seen[i]) end
    end)

    it("keeps to its rate", function()
        local inst = instance { rate = "1" }
        local got, wait = poll(inst)
        assert.equal(0, #got)
        assert.truthy(wait > 0)
    end)
end)
