local tide = require "tidegate"

return tide.transform {
    doc = "Changes topics that match a Java regular expression as a whole: the new topic is the "
        .. "replacement, in which $1 and ${name} stand for groups. Other topics stay.",
    class = { "org.apache.kafka.connect.transforms.RegexRouter" },
    config = {
        regex = { type = "regex", required = true, doc = "Regular expression that the whole topic "
            .. "must match." },
        replacement = { required = true, doc = "New topic; $1, ${name}: groups of the match." },
    },
    new = function(cfg)
        return tide.stock.regex_router(cfg.regex, cfg.replacement)
    end,
}
