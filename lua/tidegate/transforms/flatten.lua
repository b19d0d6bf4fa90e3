local tide = require "tidegate"

return tide.transform {
    doc = "Makes the fields of nested maps and structs fields of the top, with joined names. "
        .. "Arrays stay as they are.",
    class = { "org.apache.kafka.connect.transforms.Flatten" },
    sides = true,
    config = {
        delimiter = { default = ".", doc = "Text between the names of a path." },
    },
    new = function(cfg, side)
        return tide.stock.flatten(side, cfg.delimiter)
    end,
}
