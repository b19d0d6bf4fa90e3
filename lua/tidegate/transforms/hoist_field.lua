local tide = require "tidegate"

return tide.transform {
    doc = "Wraps the whole key or value in a map (a struct when it has a schema) with one field.",
    class = { "org.apache.kafka.connect.transforms.HoistField" },
    sides = true,
    config = {
        field = { required = true, non_empty = true, doc = "Name of the one field." },
    },
    new = function(cfg, side)
        return tide.stock.hoist(side, cfg.field)
    end,
}
