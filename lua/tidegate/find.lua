--- Finding plugins: which files there are, and which one a class name means.
--
-- Places, in this order (a later plugin never hides an earlier one):
--   <home>/lua/tidegate/transforms/*.lua, predicates/*.lua     stock
--   <home>/connectors/NAME/source.lua, sink.lua
--   for each folder P of plugin.path: P/*.lua, P/NAME/source.lua, P/NAME/sink.lua,
--   P/connectors/NAME/{source,sink}.lua, P/transforms/*.lua, P/predicates/*.lua
--
-- A class name is a Java class (org.apache.kafka.connect.transforms.InsertField$Value:
-- file insert_field.lua, side "value"), a name or alias that the plugin declares
-- (class = {...}), the file name of a transform or the folder name of a connector.
local host, use = ...
local nearest = use "nearest"
local plugin = use "plugin"

local M = {}

local STOCK_PACKAGES = {
    ["org.apache.kafka.connect.transforms"] = true,
    ["org.apache.kafka.connect.transforms.predicates"] = true,
}
local JAVA_KIND = { source = "Connector", sink = "Connector", connector = "Connector",
    transform = "Transformation", predicate = "Predicate" }

--- entries ------------------------------------------------------------------------

local function is_kind(path, what)
    local st = host.stat(path)
    return st ~= nil and st.type == what
end

local function add_files(list, folder, kind, stock, skip)
    for _, file in ipairs(host.listdir(folder) or {}) do
        local name = file:match("^([^.].*)%.lua$")
        if name and not name:find("_spec$") and not (skip and skip[name]) then
            list[#list + 1] = { kind = kind, name = name, file = folder .. "/" .. file,
                folder = folder, stock = stock }
        end
    end
end

local function add_connectors(list, folder, stock)
    for _, name in ipairs(host.listdir(folder) or {}) do
        for _, kind in ipairs { "source", "sink" } do
            local file = ("%s/%s/%s.lua"):format(folder, name, kind)
            if is_kind(file, "file") then
                list[#list + 1] = { kind = kind, name = name, file = file,
                    folder = folder .. "/" .. name, stock = stock }
            end
        end
    end
end

local warned = {}

local function add_user_folder(list, folder)
    if not is_kind(folder, "directory") then
        if not warned[folder] then
            warned[folder] = true
            host.log(3, ("plugin.path: %s is not a folder that can be read"):format(folder))
        end
        return
    end
    -- a folder may itself be one connector: its source.lua and sink.lua
    add_files(list, folder, nil, false, { source = true, sink = true })
    local own = folder:match("([^/]+)/*$")
    for _, kind in ipairs { "source", "sink" } do
        local file = folder .. "/" .. kind .. ".lua"
        if is_kind(file, "file") then
            list[#list + 1] = { kind = kind, name = own, file = file, folder = folder }
        end
    end
    add_connectors(list, folder, false)
    add_connectors(list, folder .. "/connectors", false)
    add_files(list, folder .. "/transforms", "transform", false)
    add_files(list, folder .. "/predicates", "predicate", false)
end

--- All plugin files: {kind (nil: unknown), name, file, folder, stock}.
local function entries()
    local list = {}
    add_files(list, host.home .. "/lua/tidegate/transforms", "transform", true)
    add_files(list, host.home .. "/lua/tidegate/predicates", "predicate", true)
    add_connectors(list, host.home .. "/connectors", true)
    for _, folder in ipairs(host.plugin_path or {}) do
        add_user_folder(list, (folder:gsub("(.)/+$", "%1")))
    end
    return list
end

local function message_of(err)
    if type(err) == "table" then return tostring(err.message) end
    return tostring(err)
end

-- Connectors are loaded once for all questions: they may declare C types, which
-- a VM accepts only once.
local connectors = {}

-- Loads an entry; a file that does not load gives nil and why.
local function try(entry)
    local known = connectors[entry.file]
    if known then return known end
    local ok, result = pcall(plugin.load, entry)
    if not ok then
        local why = message_of(result)
        local named = why:find(entry.file:match("[^/]*$"), 1, true)
        return nil, named and why or entry.file .. ": " .. why
    end
    if result.kind == "source" or result.kind == "sink" then
        connectors[entry.file] = result
    end
    return result
end

--- names ----------------------------------------------------------------------------

--- "InsertField" -> "insert_field", "HTTPSink" -> "http_sink".
local function snake(name)
    return (name:gsub("(%l%d*)(%u)", "%1_%2"):gsub("(%u)(%u%l)", "%1_%2"):gsub("-", "_"):lower())
end

-- {full, package (nil when there is none), simple, snake, side}
local function parse(class)
    local full, side = class:match("^(.-)%$(%a+)$")
    if side ~= "Key" and side ~= "Value" then full, side = class, nil end
    local package, simple = full:match("^(.*)%.([^.]+)$")
    simple = simple or full
    return { full = full, package = package, simple = simple, snake = snake(simple),
        side = side and side:lower() }
end

local function wants(kind, found)
    return found == nil or kind == found
        or kind == "connector" and (found == "source" or found == "sink")
end

-- The file name of a transform or predicate is its name. Stock ones stand for
-- classes of Kafka's packages only, so that a foreign class of the same simple
-- name is not taken for one of them.
local function file_matches(entry, want)
    if entry.kind == "source" or entry.kind == "sink" then return false end
    if entry.name ~= want.simple and snake(entry.name) ~= want.snake then return false end
    return not (entry.stock and want.package and not STOCK_PACKAGES[want.package])
end

local function folder_matches(entry, want)
    if entry.kind ~= "source" and entry.kind ~= "sink" or want.package then return false end
    local name = snake(entry.name)
    local plain = want.snake:gsub("_connector$", "")
    return plain == name or plain == name .. "_" .. entry.kind
end

local function declares(p, want)
    for _, class in ipairs(plugin.classes(p)) do
        if class == want.full then return true end
        -- the simple name of a declared Java class is an alias, as is the one
        -- without "Connector"
        local simple = class:match("([^.]+)$")
        if not want.package
            and (simple == want.full or simple:gsub("Connector$", "") == want.full) then
            return true
        end
    end
    return false
end

--- finding ---------------------------------------------------------------------------

local function available(list, kind)
    local names, shown, broken = {}, {}, {}
    for _, entry in ipairs(list) do
        if wants(kind, entry.kind) then
            local p, err = try(entry)
            if p and wants(kind, p.kind) then
                local name = plugin.class_name(p)
                if p.spec.sides then
                    names[#names + 1] = name .. "$Key"
                    name = name .. "$Value"
                end
                shown[#shown + 1] = name
                names[#names + 1] = name
                names[#names + 1] = p.name
                for _, class in ipairs(plugin.classes(p)) do
                    names[#names + 1] = class
                    names[#names + 1] = class:match("([^.]+)$")
                end
                names[#names + 1] = name:match("([^.]+)$")
            elseif err then
                broken[#broken + 1] = err
            end
        end
    end
    return names, shown, broken
end

local function not_found(list, kind, class)
    local names, shown, broken = available(list, kind)
    table.sort(shown)
    local text = ("Failed to find any class that implements %s and which name matches %s%s "
        .. "Available: %s."):format(JAVA_KIND[kind] or kind, class,
        nearest.word(class, names) and nearest.hint(class, names) or ".",
        #shown > 0 and table.concat(shown, ", ") or "none")
    if #broken > 0 then
        text = text .. " These files do not load: " .. table.concat(broken, "; ")
    end
    return nil, text
end

local function check_side(p, want, class)
    if want.side and not p.spec.sides then
        return nil, ("%s has no $Key and $Value forms, remove the suffix: found %s"):format(class,
            p.file)
    end
    if p.spec.sides then
        return p, want.side or class:match("%$Header$") and "header" or "value"
    end
    return p, nil
end

local function candidates(list, kind, want)
    local out, rest = {}, {}
    for _, entry in ipairs(list) do
        if wants(kind, entry.kind) then
            if file_matches(entry, want) or folder_matches(entry, want) then
                out[#out + 1] = entry
            else
                rest[#rest + 1] = entry
            end
        end
    end
    return out, rest
end

local function ambiguous(kind, want, found)
    if kind ~= "connector" or #found < 2 or found[1].kind == found[2].kind
        or found[1].name ~= found[2].name then
        return nil
    end
    local plain = want.snake:gsub("_connector$", "")
    if plain ~= snake(found[1].name) then return nil end
    return ("'%s' is both a source and a sink: write %s_source or %s_sink"):format(want.full,
        want.full, want.full)
end

local function by_declaration(list, kind, want, class)
    for _, entry in ipairs(list) do
        local p = try(entry)
        if p and wants(kind, p.kind) and declares(p, want) then
            return check_side(p, want, class)
        end
    end
end

-- Says once which files a name does not mean because an earlier one has it.
local function warn_hidden(found, used)
    for _, entry in ipairs(found) do
        if entry.file ~= used.file and (entry.kind or used.kind) == used.kind
            and not warned[entry.file] then
            warned[entry.file] = true
            host.log(3, ("%s is not used: %s has the same name and comes first")
                :format(entry.file, used.file))
        end
    end
end

local function by_name(found, kind, want, class)
    local text = ambiguous(kind, want, found)
    if text then
        local p = by_declaration(found, kind, want, class)
        return p, not p and text or nil
    end
    for _, entry in ipairs(found) do
        local p, err = try(entry)
        if not p then return nil, ("%s does not load: %s"):format(class, err) end
        if wants(kind, p.kind) then
            warn_hidden(found, p)
            return check_side(p, want, class)
        end
    end
end

--- The plugin that a class name means, freshly loaded, and its side; or nil and a
-- sentence with the nearest names.
function M.find(kind, class)
    if not JAVA_KIND[kind] then return nil, "unknown kind of plugin: " .. tostring(kind) end
    local list = entries()
    local want = parse(class)
    local found, rest = candidates(list, kind, want)
    local p, more = by_name(found, kind, want, class)
    if p or more then return p, more end
    p, more = by_declaration(rest, kind, want, class)
    if p or more then return p, more end
    return not_found(list, kind, class)
end

local function sides_of(p)
    if not p.spec.sides then return { false } end
    for _, class in ipairs(plugin.classes(p)) do
        if class:match("%$Header$") then return { "key", "value", "header" } end
    end
    return { "key", "value" }
end

--- All plugins; a file that does not load is listed with its error.
function M.list()
    local out, seen = {}, {}
    for _, entry in ipairs(entries()) do
        local p, err = try(entry)
        if not p then
            out[#out + 1] = { kind = entry.kind or "unknown", name = entry.name, file = entry.file,
                error = err }
        else
            for _, side in ipairs(sides_of(p)) do
                local info = plugin.info(p, side or nil)
                info.config = nil
                local id = info.kind .. " " .. info.class
                if seen[id] then
                    info.error = ("hidden by %s, which has the same name"):format(seen[id])
                end
                seen[id] = seen[id] or info.file
                out[#out + 1] = info
            end
        end
    end
    return out
end

return M
