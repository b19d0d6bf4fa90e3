local tide = require "tidegate"

-- Waits between polls when nothing is new: short right after activity, so that a
-- growing file is followed closely, long for a quiet one.
local SHORTEST, LONGEST = 20, 1000

local reader, partition, wait
local restarts = 0
local missing = false

local function open(ctx)
    local cfg = ctx.config
    local name = { filename = cfg.file or "stdin" }
    local offset = ctx:offset(name)
    local position = offset and offset.position or 0
    local err
    reader, err = tide.lines(cfg.file, position)
    if not reader then error(err, 0) end
    partition = ctx:partition(name, "position")
    wait = SHORTEST
    if position ~= 0 then
        tide.log.info("%s: going on at byte %s", name.filename, tostring(position))
    end
end

-- A file that does not exist yet is no error: it is looked for again.
local function look_for(file, err)
    if not missing then tide.log.warn("%s; waiting for it", err) end
    missing = true
    tide.log.debug("%s: still missing", file)
end

local function report(ctx, n)
    if reader:restarts() ~= restarts then
        restarts = reader:restarts()
        tide.log.info("%s was replaced or truncated; reading it from its start", ctx.config.file)
    end
    if n > 0 then missing = false end
    if ctx.config.file then
        ctx:lag(math.max(0, reader:size() - reader:position()))
    end
end

return tide.source {
    doc = "Reads a text file line by line and follows it as it grows, like tail -F. One record a "
        .. "line; a last line without newline waits for it. Survives rotation and truncation. "
        .. "Source partition {\"filename\": file}, offset {\"position\": byte after the line}.",
    class = { "org.apache.kafka.connect.file.FileStreamSourceConnector", "FileStreamSource",
        "FileStreamSourceConnector" },
    config = {
        file = { doc = "File to read. Without it: standard input of the worker, which has no "
            .. "offsets." },
        topic = { required = true, non_empty = true, importance = "high",
            doc = "Topic to write to." },
        ["batch.size"] = { type = "int", default = 2000, min = 1, importance = "low",
            doc = "Most records of one poll." },
        format = { default = "text", choices = { "text", "json", "bytes" }, importance = "low",
            doc = "What a line is: text, one JSON document (fields can be used by transforms), or "
                .. "bytes." },
    },
    check = function(cfg)
        if cfg.topic:find(",", 1, true) then
            return { key = "topic", message = "topic is \"" .. cfg.topic
                .. "\", but the file source writes to exactly one topic" }
        end
    end,
    tasks = function() return { {} } end,
    start = open,
    poll = function(batch, ctx)
        local cfg = ctx.config
        local n, err = reader:read(batch, cfg.topic, partition, cfg.format, cfg.batch_size)
        if not n then error(err, 0) end
        report(ctx, n)
        if n > 0 then
            wait = SHORTEST
            return 0
        end
        local why = reader:missing()
        if why then look_for(cfg.file, why) end
        wait = math.min(wait * 2, LONGEST)
        return wait
    end,
    stop = function()
        if reader then reader:close() end
    end,
}
