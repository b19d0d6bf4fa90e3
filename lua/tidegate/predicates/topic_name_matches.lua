local tide = require "tidegate"

return tide.predicate {
    doc = "True for records whose topic matches a Java regular expression as a whole.",
    class = { "org.apache.kafka.connect.transforms.predicates.TopicNameMatches" },
    config = {
        pattern = {
            type = "regex", required = true, non_empty = true,
            doc = "Regular expression that the whole topic must match.",
        },
    },
    new = function(cfg) return tide.stock.topic_matches(cfg.pattern) end,
}
