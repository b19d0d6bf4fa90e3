local tide = require "tidegate"

return tide.predicate {
    doc = "True for records with at least one header of the given name.",
    class = { "org.apache.kafka.connect.transforms.predicates.HasHeaderKey" },
    config = {
        name = { required = true, non_empty = true, doc = "Name of the header." },
    },
    new = function(cfg) return tide.stock.has_header(cfg.name) end,
}
