local tide = require "tidegate"

local out

return tide.sink {
    version = "0.1.0",
    doc     = "Appends one line a record to a file: its topic and its value.",
    config  = {
        file = { required = true, doc = "File to append to." },
    },
    start = function(ctx)
        out = assert(io.open(ctx.config.file, "a"))
    end,
    put = function(batch) -- records to write, once per batch
        for _, r in batch:each() do
            if r.value == nil then
                r:reject("there is no value") -- goes to the error policy
            else
                assert(out:write(r.topic, " ", tide.str(r.value), "\n"))
            end
        end
    end,
    flush = function() -- everything put so far must be safe when it returns
        assert(out:flush())
    end,
    stop = function()
        if out then out:close() end
    end,
}
