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
        local stock = tide.stock
        local open = stock.opener(side, "mask fields", false)
        local masks = {}
        for i, field in ipairs(cfg.fields) do
            masks[i] = stock.masker(field, cfg.replacement)
        end
        return stock.steps(open, masks)
    end,
}
