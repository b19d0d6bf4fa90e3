local tide = require "tidegate"

return tide.transform {
    doc = "Appends headers that hold fields of the key or value; move also removes the fields.",
    class = { "org.apache.kafka.connect.transforms.HeaderFrom" },
    sides = true,
    config = {
        fields = { type = "list", required = true, non_empty = true, doc = "Fields to take." },
        headers = { type = "list", required = true, non_empty = true,
            doc = "Names of the headers, one for each field." },
        operation = { required = true, choices = { "move", "copy" },
            doc = "Whether the fields are moved or copied." },
        ["replace.null.with.default"] = tide.stock.defaults(),
        ["field.syntax.version"] = tide.stock.syntax(),
    },
    check = function(cfg)
        if #cfg.fields ~= #cfg.headers then
            return { key = "headers", message = "'fields' config must have the same number of "
                .. "elements as 'headers' config." }
        end
        return tide.stock.check_fields(cfg, "fields")
    end,
    new = function(cfg, side)
        return tide.stock.header_from(side, cfg, cfg.fields, cfg.headers, cfg.operation == "move")
    end,
}
