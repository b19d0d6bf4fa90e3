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
        .. "is empty or lists it; names are compared before they are renamed.",
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
        ["replace.null.with.default"] = {
            type = "boolean", default = true,
            doc = "Whether a null field of a struct reads as its default.",
        },
    },
    new = function(cfg, side)
        local steps = tide.stock.steps {
            side = side, purpose = "field replacement", null_passes = true,
            defaults = cfg.replace_null_with_default,
        }
        steps:plan(tide.stock.plan {
            include = cfg.include, exclude = cfg.exclude, rename = parse_renames(cfg.renames),
        })
        return steps:apply()
    end,
}
