local tide = require "tidegate"
local ffi = require "ffi"
local bit = require "bit"

-- Record i is a function of the seed and i alone, so a restarted task makes the
-- same records again from its stored offset on.
local uint64 = ffi.typeof("uint64_t")

local function mix(seed, i)
    local z = ffi.cast(uint64, seed) + ffi.cast(uint64, i + 1) * 0x9E3779B97F4A7C15ULL
    z = bit.bxor(z, bit.rshift(z, 30)) * 0xBF58476D1CE4E5B9ULL
    z = bit.bxor(z, bit.rshift(z, 27)) * 0x94D049BB133111EBULL
    return bit.bxor(z, bit.rshift(z, 31))
end

-- Takes the next number in [0, n) out of the bits of a mixed word.
local function pick(z, shift, n)
    return tonumber(bit.rshift(z, shift) % n)
end

local EPOCH = 1767225600000 -- 2026-01-01, in ms
local cities = { "Hamburg", "Rotterdam", "Antwerp", "Le Havre", "Genoa", "Piraeus", "Gdansk",
    "Valencia" }
local pages = { "/", "/search", "/cart", "/checkout", "/help", "/item" }
local skus = { "rope", "anchor", "compass", "lantern", "chart", "buoy", "flag" }

local kinds = {}

function kinds.numbers(i)
    return ("n%d"):format(i), ('{"n":%d}'):format(i)
end

function kinds.orders(i, z)
    return ("o%08d"):format(i), (
        '{"id":%d,"customer":"c%05d","sku":"%s","quantity":%d,"amount":%d.%02d,'
        .. '"city":"%s","paid":%s,"ts":%d}'):format(i, pick(z, 0, 20000), skus[pick(z, 8, 7) + 1],
        pick(z, 16, 9) + 1, pick(z, 24, 500), pick(z, 32, 100), cities[pick(z, 40, 8) + 1],
        pick(z, 48, 4) > 0 and "true" or "false", EPOCH + i * 37)
end

function kinds.users(i, z)
    return ("u%06d"):format(i), (
        '{"id":%d,"name":"user %d","email":"user%d@example.com","age":%s,"tags":["%s","%s"],'
        .. '"address":{"city":"%s","zip":"%05d"}}'):format(i, i, i,
        pick(z, 0, 5) == 0 and "null" or tostring(18 + pick(z, 8, 70)), skus[pick(z, 16, 7) + 1],
        skus[pick(z, 24, 7) + 1], cities[pick(z, 32, 8) + 1], pick(z, 40, 100000))
end

function kinds.clicks(i, z)
    return ("u%06d"):format(pick(z, 0, 5000)), (
        '{"session":"%08x","page":"%s","ms":%d,"referrer":%s,"ts":%d}'):format(pick(z, 8, 2^31),
        pages[pick(z, 40, 6) + 1], pick(z, 16, 4000),
        pick(z, 24, 3) == 0 and "null" or '"https://example.com/"', EPOCH + i * 11)
end

local names = { "orders", "users", "clicks", "numbers" }
local make, partition
local first, done, limit = 0, 0, 0
local started

local function start(ctx)
    local cfg = ctx.config
    make = kinds[cfg.kind]
    -- A table of one member keeps the text of the partition stable.
    local name = { generator = ("%s/%d"):format(cfg.kind, cfg.part) }
    partition = ctx:partition(name, "count")
    local offset = ctx:offset(name)
    done = offset and offset.count or 0
    first = done
    limit = cfg.count < 0 and math.huge
        or math.floor(cfg.count / cfg.parts) + (cfg.part < cfg.count % cfg.parts and 1 or 0)
    started = tide.clock()
end

-- How many records may be made now: the limit, and the rate since the start.
local function due(cfg)
    local most = limit - done
    if cfg.rate > 0 then
        local elapsed = (tide.clock() - started) / 1e9
        most = math.min(most, math.floor(elapsed * cfg.rate / cfg.parts) - (done - first))
    end
    return most
end

local function append(batch, cfg, i)
    local r = batch:append()
    if not r then return false end
    local key, value = make(i, mix(cfg.seed, i))
    r.topic = cfg.topic
    r.key = key
    r.value = tide.raw("json", value)
    r:source(partition, done + 1)
    return true
end

return tide.source {
    doc = "Makes records for demonstrations and tests: JSON values with text keys, the same ones "
        .. "for the same seed. Each task makes its part; the offset is the number made so far.",
    class = { "DatagenSource", "DatagenSourceConnector",
        "io.confluent.kafka.connect.datagen.DatagenConnector" },
    config = {
        topic = { required = true, non_empty = true, importance = "high",
            doc = "Topic to write to." },
        kind = { default = "orders", choices = names,
            doc = "What the records are about." },
        count = { type = "long", default = -1, min = -1,
            doc = "Records to make in all, over all tasks; -1: no end." },
        rate = { type = "double", default = 0, min = 0,
            doc = "Records a second over all tasks; 0: as fast as possible." },
        seed = { type = "int", default = 1, doc = "Other seeds give other records." },
        part = { type = "int", default = 0, min = 0, importance = "low",
            doc = "Number of the part that a task makes; set by the connector." },
        parts = { type = "int", default = 1, min = 1, importance = "low",
            doc = "Number of parts; set by the connector." },
    },
    tasks = function(_, max)
        local tasks = {}
        for i = 1, max do tasks[i] = { part = i - 1, parts = max } end
        return tasks
    end,
    start = start,
    poll = function(batch, ctx)
        local cfg = ctx.config
        local n = math.min(due(cfg), batch.max)
        for _ = 1, n do
            if not append(batch, cfg, cfg.part + done * cfg.parts) then break end
            done = done + 1
        end
        if n > 0 then return 0 end
        return done >= limit and 1000 or 10
    end,
}
