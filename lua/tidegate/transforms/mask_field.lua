local tide = require "tidegate"

return tide.transform {
    doc = "Replaces the values of fields by the zero of their type (0, \"\", false, [], {}), or "
        .. "strings and numbers by a replacement. Null stays null.",
    class = { "org.apache.kafka.connect.transforms.MaskField" },
    sides = true,
    config = {
        fields = { type = "list", required = true, non_empty = true, doc = "Fields to mask." },
        replacement = { non_empty = true, doc = "Text or number to put instead of the zero." },
        ["replace.null.with.default"] = {
            type = "boolean", default = true,
            doc = "Whether a null field of a struct reads as its default.",
        },
    },
    new = function(cfg, side)
        local steps = tide.stock.steps {
            side = side, purpose = "mask fields", defaults = cfg.replace_null_with_default,
        }
        for _, field in ipairs(cfg.fields) do steps:mask(field, cfg.replacement) end
        return steps:apply()
    end,
}
