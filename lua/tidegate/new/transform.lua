local tide = require "tidegate"

return tide.transform {
    version = "0.1.0",
    doc     = "Writes the text of a field in capitals.",
    config  = {
        field = { required = true, doc = "Field to change; dots reach nested fields." },
    },
    new = function(cfg)
        local get, set = tide.path(cfg.field)
        return function(batch) -- once per batch
            for _, r in batch:each() do
                local text = get(r.value)
                if type(text) == "string" then set(r.value, text:upper()) end
            end
        end
    end,
}
