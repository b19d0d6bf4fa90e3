local tide = require "tidegate"

return tide.transform {
    doc = "Replaces the whole key or value by one of its fields. A missing field of a map gives "
        .. "null; one that the schema of a struct does not know is refused.",
    class = { "org.apache.kafka.connect.transforms.ExtractField" },
    sides = true,
    config = {
        field = { required = true, doc = "Field to extract." },
        ["replace.null.with.default"] = tide.stock.defaults(),
        ["field.syntax.version"] = tide.stock.syntax(),
    },
    check = function(cfg)
        return tide.stock.check_fields(cfg, "field")
    end,
    new = function(cfg, side)
        return tide.stock.extract_field(side, cfg, cfg.field)
    end,
}
