local tide = require "tidegate"

local targets = { "INT8", "INT16", "INT32", "INT64", "FLOAT32", "FLOAT64", "BOOLEAN", "STRING" }
local is_target, is_type = {}, { ARRAY = true, MAP = true, STRUCT = true, BYTES = true }
for _, name in ipairs(targets) do
    is_target[name], is_type[name] = true, true
end

local function parse_type(text)
    local name = text:upper()
    if is_target[name] then return name end
    if is_type[name] then
        return nil, ("Cast transformation does not support casting to %s; supported types are "
            .. "[%s]"):format(name, table.concat(targets, ", "))
    end
    return nil, ("Invalid type found in casting spec: %s; supported types are [%s]"):format(text,
        table.concat(targets, ", "))
end

-- {{field, type}, ...} of "field:type" texts, or {{nil, type}} for the whole
-- value; nil and what is wrong.
local function parse_spec(list)
    if #list == 0 then return nil, "Must specify at least one field to cast." end
    local casts, whole = {}, false
    for i, text in ipairs(list) do
        local field, kind = text:gsub(":+$", ""):match("^([^:]*):([^:]*)$")
        if not field and text:gsub(":+$", ""):find(":", 1, true) then
            return nil, "Invalid rename mapping: " .. text
        end
        whole = whole or not field
        local target, wrong = parse_type((kind or text:gsub(":+$", "")):match("^%s*(.-)%s*$"))
        if not target then return nil, wrong end
        casts[i] = { field and field:match("^%s*(.-)%s*$"), target }
    end
    if whole and #casts > 1 then
        return nil, "Cast transformations that specify a type to cast the entire value to may "
            .. "only specify a single cast in their spec"
    end
    return casts
end

-- Of casts of one field the last one counts.
local function last_of_each(casts)
    local out, seen = {}, {}
    for i = #casts, 1, -1 do
        local field = casts[i][1]
        if not field or not seen[field] then table.insert(out, 1, casts[i]) end
        if field then seen[field] = true end
    end
    return out
end

return tide.transform {
    doc = "Casts fields, or the whole key or value, to another primitive type. Integers keep "
        .. "their low bits, numbers with a fraction are cut, texts must be numbers.",
    class = { "org.apache.kafka.connect.transforms.Cast" },
    sides = true,
    config = {
        spec = {
            type = "list", required = true,
            doc = "field:type, ... or one type for the whole value; types are int8, int16, "
                .. "int32, int64, float32, float64, boolean and string.",
            check = function(list)
                local _, wrong = parse_spec(list)
                return wrong
            end,
        },
        ["replace.null.with.default"] = tide.stock.defaults(),
        ["field.syntax.version"] = tide.stock.syntax(),
    },
    check = function(cfg)
        local fields = { field_syntax_version = cfg.field_syntax_version, spec = {} }
        for i, cast in ipairs(parse_spec(cfg.spec)) do fields.spec[i] = cast[1] end
        return tide.stock.check_fields(fields, "spec")
    end,
    new = function(cfg, side)
        return tide.stock.cast(side, cfg, last_of_each(parse_spec(cfg.spec)))
    end,
}
