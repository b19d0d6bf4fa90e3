local tide = require "tidegate"

return tide.transform {
    doc = "Gives the schema of structs another name or version.",
    class = { "org.apache.kafka.connect.transforms.SetSchemaMetadata" },
    sides = true,
    config = {
        ["schema.name"] = { doc = "New name." },
        ["schema.version"] = { type = "int", doc = "New version." },
        ["replace.null.with.default"] = tide.stock.defaults(),
    },
    check = function(cfg)
        if not cfg.schema_name and not cfg.schema_version then
            return { key = "schema.name",
                message = "Neither schema name nor version configured: set schema.name or "
                    .. "schema.version" }
        end
    end,
    new = function(cfg, side)
        return tide.stock.schema_metadata(side, cfg, cfg.schema_name, cfg.schema_version)
    end,
}
