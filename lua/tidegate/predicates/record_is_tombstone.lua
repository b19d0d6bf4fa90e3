local tide = require "tidegate"

return tide.predicate {
    doc = "True for records whose value is null, with or without a schema.",
    class = { "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone" },
    new = function() return tide.stock.is_tombstone() end,
}
