local tide = require "tidegate"

local function blank(text) return not text:find("%S") end

return tide.transform {
    doc = "Converts a field, or the whole key or value, between the forms of a point in time: "
        .. "text, unix time, and the logical types Date, Time and Timestamp (UTC). The form of "
        .. "the source comes from its schema; without one an integer is unix time.",
    class = { "org.apache.kafka.connect.transforms.TimestampConverter" },
    sides = true,
    config = {
        field = { default = "", importance = "high",
            doc = "Field to convert. Empty: the whole key or value." },
        ["target.type"] = {
            required = true, choices = { "string", "unix", "Date", "Time", "Timestamp" },
            doc = "What the time becomes.",
        },
        format = {
            default = "",
            doc = "Pattern of texts, as java.text.SimpleDateFormat reads it: needed to read and to "
                .. "write them.",
        },
        ["unix.precision"] = {
            default = "milliseconds", importance = "low",
            choices = { "nanoseconds", "microseconds", "milliseconds", "seconds" },
            doc = "What unix times count, read and written. Times keep milliseconds only.",
        },
        ["replace.null.with.default"] = tide.stock.defaults(),
        ["field.syntax.version"] = tide.stock.syntax(),
    },
    check = function(cfg)
        if cfg.target_type == "string" and blank(cfg.format) then
            return { key = "format", message = "TimestampConverter requires format option to be "
                .. "specified when using string timestamps" }
        end
        local wrong = not blank(cfg.format) and tide.stock.wrong_date(cfg.format)
        if wrong then
            return { key = "format", message = ("TimestampConverter requires a SimpleDateFormat-"
                .. "compatible pattern for string timestamps: %s: %s"):format(cfg.format, wrong) }
        end
        if cfg.field ~= "" then return tide.stock.check_fields(cfg, "field") end
    end,
    new = function(cfg, side)
        return tide.stock.timestamp_converter(side, cfg, blank(cfg.format) and "" or cfg.format)
    end,
}
