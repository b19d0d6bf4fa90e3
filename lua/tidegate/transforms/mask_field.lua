local tide = require "tidegate"

return tide.transform {
    doc = "Replaces the values of fields by the zero of their type (0, \"\", false, [], {}), or "
        .. "strings and numbers by a replacement. Null stays null.",
    class = { "org.apache.kafka.connect.transforms.MaskField" },
    sides = true,
    config = {
        fields = { type = "list", required = true, non_empty = true, doc = "Fields to mask." },
        replacement = { non_empty = true, doc = "Text or number to put instead of the zero." },
        ["replace.null.with.default"] = tide.stock.defaults(),
        ["field.syntax.version"] = tide.stock.syntax(),
    },
    check = function(cfg)
        return tide.stock.check_fields(cfg, "fields")
    end,
    new = function(cfg, side)
        return tide.stock.mask_field(side, cfg, cfg.fields, cfg.replacement)
    end,
}
