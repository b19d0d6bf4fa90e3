local tide = require "tidegate"

local part, next_row

return tide.source {
    version = "0.1.0",
    doc     = "Makes numbered rows.",
    config  = {
        topic = { required = true, doc = "Topic to write to." },
        rows  = { type = "int", default = 10, min = 1, doc = "Rows to make." },
    },
    start = function(ctx)
        local name = { from = "@NAME@" }          -- the source partition
        local stored = ctx:offset(name)           -- where it stopped, or nil
        part = ctx:partition(name, "row")
        next_row = stored and stored.row + 1 or 1
    end,
    poll = function(batch, ctx)
        while next_row <= ctx.config.rows do
            local r = batch:append()
            if not r then return end              -- the batch is full
            r.topic = ctx.config.topic
            r.key = tostring(next_row)
            r.value = tide.ordered { "id", next_row, "text", "row " .. next_row }
            r:source(part, next_row)              -- stored once Kafka has it
            next_row = next_row + 1
        end
        return 1000                               -- ms until the next poll
    end,
}
