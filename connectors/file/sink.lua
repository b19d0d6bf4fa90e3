local tide = require "tidegate"

local writer

return tide.sink {
    doc = "Appends each record's value as one line to a file: text and bytes as they are, JSON "
        .. "values as JSON text, null as \"null\". Lines are on disk before offsets are committed.",
    class = { "org.apache.kafka.connect.file.FileStreamSinkConnector", "FileStreamSink",
        "FileStreamSinkConnector" },
    config = {
        file = { doc = "File to append to, created if missing. Without it: standard output." },
    },
    start = function(ctx)
        local err
        writer, err = tide.writer(ctx.config.file)
        if not writer then error(err, 0) end
    end,
    put = function(batch)
        local n, err = writer:put(batch)
        -- Readers of the file see records at once, not after the next commit.
        if n then n, err = writer:flush(false) end
        if not n then error(err, 0) end
    end,
    flush = function()
        local done, err = writer:flush(true)
        if not done then error(err, 0) end
    end,
    stop = function()
        if writer then writer:close() end
    end,
}
