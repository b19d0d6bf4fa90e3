local tide = require "tidegate"

-- {{old, new}, ...} of "old:new" texts, or nil and the text that is none.
local function parse_renames(list)
    local renames = {}
    for i, text in ipairs(list) do
        local old, new = text:match("^([^:]+):([^:]+)$")
        if not old then return nil, text end
        renames[i] = { old, new }
    end
    return renames
end

return tide.transform {
    doc = "Keeps, removes and renames fields. A field stays when it is not excluded and include "
        .. "is empty or lists it; names are compared before they are renamed. With paths (V2), "
        .. "including a field keeps the objects that it is in, and the new name of a field is "
        .. "plain: it stays where it is.",
    class = { "org.apache.kafka.connect.transforms.ReplaceField" },
    sides = true,
    config = {
        exclude = { type = "list", default = {}, doc = "Fields to remove; wins over include." },
        include = { type = "list", default = {}, doc = "Fields to keep; empty: all." },
        renames = {
            type = "list", default = {}, doc = "Fields to rename, as old:new.",
            check = function(list)
                local _, wrong = parse_renames(list)
                if wrong then return "Invalid rename mapping: " .. wrong end
            end,
        },
        ["replace.null.with.default"] = tide.stock.defaults(),
        ["field.syntax.version"] = tide.stock.syntax(),
    },
    check = function(cfg)
        local old = { field_syntax_version = cfg.field_syntax_version, renames = {} }
        for i, pair in ipairs(parse_renames(cfg.renames)) do old.renames[i] = pair[1] end
        return tide.stock.check_fields(cfg, "exclude") or tide.stock.check_fields(cfg, "include")
            or tide.stock.check_fields(old, "renames")
    end,
    new = function(cfg, side)
        return tide.stock.replace_field(side, cfg, cfg.exclude, cfg.include,
            parse_renames(cfg.renames))
    end,
}
