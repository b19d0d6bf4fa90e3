local tide = require "tidegate"

return tide.transform {
    doc = "Appends a header. The literal gets a type as SimpleHeaderConverter would read it: 42 "
        .. "is an int8, {\"a\":1} a map, text a string.",
    class = { "org.apache.kafka.connect.transforms.InsertHeader" },
    config = {
        header = { required = true, doc = "Name of the header." },
        ["value.literal"] = { required = true, doc = "Its value." },
    },
    new = function(cfg)
        return tide.stock.insert_header(cfg.header, cfg.value_literal)
    end,
}
