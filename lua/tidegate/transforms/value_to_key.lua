local tide = require "tidegate"

return tide.transform {
    doc = "Replaces the key by a map (a struct when the value has a schema) of fields of the "
        .. "value.",
    class = { "org.apache.kafka.connect.transforms.ValueToKey" },
    config = {
        fields = { type = "list", required = true, non_empty = true,
            doc = "Fields of the value; with paths, the key's are called as their last steps." },
        ["replace.null.with.default"] = tide.stock.defaults(),
        ["field.syntax.version"] = tide.stock.syntax(),
    },
    check = function(cfg)
        return tide.stock.check_fields(cfg, "fields")
    end,
    new = function(cfg)
        return tide.stock.value_to_key(cfg, cfg.fields)
    end,
}
