local tide = require "tidegate"

-- In the order in which the fields are added.
local sources = { "topic", "partition", "offset", "timestamp" }

local function definition(doc, more)
    more = more or {}
    more.doc = doc
    return more
end

return tide.transform {
    doc = "Adds fields from the record's topic, partition, offset and timestamp, or a constant. "
        .. "A field name may end in '!' (required field) or '?' (optional, the default).",
    class = { "org.apache.kafka.connect.transforms.InsertField" },
    sides = true,
    config = {
        ["topic.field"] = definition "Field for the topic.",
        ["partition.field"] = definition "Field for the partition.",
        ["offset.field"] = definition "Field for the Kafka offset (sink connectors only).",
        ["timestamp.field"] = definition "Field for the record's timestamp.",
        ["static.field"] = definition "Field for the constant.",
        ["static.value"] = definition "The constant; needed with static.field.",
        ["replace.null.with.default"] = definition(
            "Whether a null field of a struct reads as its default.",
            { type = "boolean", default = true }),
    },
    check = function(cfg)
        local any = cfg.static_field
        for _, what in ipairs(sources) do any = any or cfg[what .. "_field"] end
        if not any then return "No field insertion configured" end
        if cfg.static_field and not cfg.static_value then
            return { key = "static.value", message = "No value specified for static field: "
                .. cfg.static_field }
        end
    end,
    new = function(cfg, side)
        local steps = tide.stock.steps {
            side = side, purpose = "field insertion", null_passes = true,
            defaults = cfg.replace_null_with_default,
        }
        for _, what in ipairs(sources) do
            local field = cfg[what .. "_field"]
            if field then steps:insert(what, field) end
        end
        if cfg.static_field then
            steps:insert("static", cfg.static_field, cfg.static_value)
        end
        return steps:apply()
    end,
}
