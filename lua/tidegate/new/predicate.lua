local tide = require "tidegate"

return tide.predicate {
    version = "0.1.0",
    doc     = "True for records in which a field has a certain text.",
    config  = {
        field = { required = true, doc = "Field to look at; dots reach nested fields." },
        text  = { required = true, doc = "Text that it must have." },
    },
    new = function(cfg)
        local get = tide.path(cfg.field)
        return function(r) return get(r.value) == cfg.text end
    end,
}
