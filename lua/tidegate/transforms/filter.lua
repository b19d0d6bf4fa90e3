local tide = require "tidegate"

return tide.transform {
    doc = "Drops every record; use it with a predicate.",
    class = { "org.apache.kafka.connect.transforms.Filter" },
    new = function()
        return tide.stock.filter()
    end,
}
