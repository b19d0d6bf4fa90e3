local tide = require "tidegate"

return tide.transform {
    doc = "Takes the topic from the key ($Key), the value ($Value), one of their fields, or a "
        .. "header ($Header). What is taken must be a string.",
    class = {
        "io.confluent.connect.transforms.ExtractTopic",
        "io.confluent.connect.transforms.ExtractTopic$Header",
    },
    sides = true,
    config = {
        field = { default = "", doc = "Field, or name of the header. Empty: the whole key or "
            .. "value is the topic." },
        ["field.format"] = {
            default = "PLAIN", choices = { "PLAIN", "JSON_PATH" },
            doc = "PLAIN: the field is named as field.syntax.version says. JSON_PATH: by a path "
                .. "of names, $.a.b or $['a']['b'].",
        },
        ["skip.missing.or.null"] = {
            type = "boolean", default = false,
            doc = "Whether records without the field keep their topic instead of being refused.",
        },
        ["field.syntax.version"] = tide.stock.syntax(),
    },
    check = function(cfg, side)
        if side == "header" and cfg.field == "" then
            return { key = "field", message = "Invalid value  for configuration field: the name "
                .. "of the header to take the topic from is needed" }
        end
        if side == "header" and cfg.field_format ~= "PLAIN" then
            return { key = "field.format", message = ("Invalid value %s for configuration "
                .. "field.format: headers have names only; leave it at PLAIN")
                :format(cfg.field_format) }
        end
        return tide.stock.check_topic(side, cfg)
    end,
    new = function(cfg, side)
        return tide.stock.extract_topic(side, cfg)
    end,
}
