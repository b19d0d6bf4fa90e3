--- Transforms and predicates that stand in a connector's configuration:
-- type=Lua with script=<text> or file=<path>. The text is a whole plugin when it
-- calls tide.transform (tide.predicate), else what is done with each record r;
-- tide and cfg (the other keys, as texts) are there too.
local host, use = ...
local abi = use "abi"
local plugin = use "plugin"

local M = {}

local CLASSES = { Lua = true, lua = true, ["tidegate.Lua"] = true }
local KINDS = { transform = true, predicate = true }

--- Is this class the inline one?
function M.is(kind, class)
    return KINDS[kind] ~= nil and CLASSES[class] == true
end

local function config_error(key, message)
    error({ code = abi.status.config, key = key, message = message }, 0)
end

local function is_text(x)
    return type(x) == "string" and x:find("%S") ~= nil
end

local function read(raw)
    if is_text(raw.script) == is_text(raw.file) then
        config_error("script", is_text(raw.script)
            and "script and file are both set: keep one of them"
            or "type=Lua needs script (the text) or file (the path of a Lua file)")
    end
    if raw.script ~= nil and is_text(raw.script) then return raw.script end
    local text, why = host.readfile(raw.file)
    if not text then config_error("file", why) end
    return text
end

--- The plugin of a configuration, freshly compiled, and its own settings. label:
-- what messages call it, such as "orders.transforms.mask". Raises what is wrong.
function M.load(kind, raw, label)
    local text = read(raw)
    local file = is_text(raw.file) and raw.file or nil
    local own = {}
    for k, v in pairs(raw) do
        if k ~= "script" and k ~= "file" then own[k] = v end
    end
    local entry = { kind = kind, name = label or "script",
        file = file or (label and label .. ".script" or "script"),
        folder = file and (file:match("^(.*)/[^/]*$") or ".") or nil, inline = true,
        memory = not file }
    if text:find("%f[%w_.]tide%." .. kind .. "%f[%W]") then return plugin.run(text, entry), own end
    return plugin.body(text, entry, own), own
end

--- Errors of a configuration as boot.validate gives them.
function M.validate(kind, raw)
    local ok, p, own = pcall(M.load, kind, raw, nil)
    if not ok then
        local e = type(p) == "table" and p or { message = tostring(p) }
        return { { key = e.key or (is_text(raw.file) and "file" or "script"), value = nil,
            message = e.message } }
    end
    if p.body then return {} end
    local _, errors = plugin.configure(p, own)
    return errors
end

return M
