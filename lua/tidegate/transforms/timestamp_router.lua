local tide = require "tidegate"

return tide.transform {
    doc = "Makes the topic of the record's topic and its timestamp (UTC).",
    class = { "org.apache.kafka.connect.transforms.TimestampRouter" },
    config = {
        ["topic.format"] = {
            default = "${topic}-${timestamp}", importance = "high",
            doc = "New topic; ${topic} and ${timestamp} are replaced wherever they stand.",
        },
        ["timestamp.format"] = {
            default = "yyyyMMdd", importance = "high",
            doc = "Pattern of the timestamp, as java.text.SimpleDateFormat reads it.",
            check = tide.stock.wrong_date,
        },
    },
    new = function(cfg)
        return tide.stock.timestamp_router(cfg.topic_format, cfg.timestamp_format)
    end,
}
