local tide = require "tidegate"

return tide.transform {
    doc = "Removes every header that has one of these names.",
    class = { "org.apache.kafka.connect.transforms.DropHeaders" },
    config = {
        headers = { type = "list", required = true, non_empty = true,
            doc = "Names of headers, compared exactly." },
    },
    new = function(cfg)
        return tide.stock.drop_headers(cfg.headers)
    end,
}
