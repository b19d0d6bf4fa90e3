local tide = require "tidegate"

-- In the order in which the fields are added.
local sources = { "topic", "partition", "offset", "timestamp", "static" }

-- {what, name, text} of every field that is configured.
local function fields_of(cfg)
    local fields = {}
    for _, what in ipairs(sources) do
        local name = cfg[what .. "_field"]
        if name then
            fields[#fields + 1] = { what, name, what == "static" and cfg.static_value or nil }
        end
    end
    return fields
end

return tide.transform {
    doc = "Adds fields from the record's topic, partition, offset and timestamp, or a constant. "
        .. "A field name may end in '!' (required field) or '?' (optional, the default). With "
        .. "paths (V2), a field is added to the object that its path leads to.",
    class = { "org.apache.kafka.connect.transforms.InsertField" },
    sides = true,
    config = {
        ["topic.field"] = { doc = "Field for the topic." },
        ["partition.field"] = { doc = "Field for the partition." },
        ["offset.field"] = { doc = "Field for the Kafka offset (sink connectors only)." },
        ["timestamp.field"] = { doc = "Field for the record's timestamp." },
        ["static.field"] = { doc = "Field for the constant." },
        ["static.value"] = { doc = "The constant; needed with static.field." },
        ["replace.null.with.default"] = tide.stock.defaults(),
        ["field.syntax.version"] = tide.stock.syntax(),
    },
    check = function(cfg)
        if #fields_of(cfg) == 0 then
            return { key = "topic.field", message = "No field insertion configured" }
        end
        if cfg.static_field and not cfg.static_value then
            return { key = "static.value", message = "No value specified for static field: "
                .. cfg.static_field }
        end
        for _, what in ipairs(sources) do
            local wrong = cfg[what .. "_field"]
                and tide.stock.check_fields(cfg, what .. ".field")
            if wrong then return wrong end
        end
    end,
    new = function(cfg, side)
        return tide.stock.insert_field(side, cfg, fields_of(cfg))
    end,
}
