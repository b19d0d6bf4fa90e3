--- Helpers of the stock transforms, which only tidegate's own files get (as
-- tide.stock). The work is done in C, one call a batch (core/data/steps.c).
-- Failures reject the record with Kafka Connect's text instead of raising: one
-- bad record in a batch costs the others nothing.
local _, use = ...
local ffi = require "ffi"
local abi = use "abi"
local config = use "config"
local view = use "view"

local C = ffi.C
local slot = abi.slot

local M = {}

local function fail()
    error(ffi.string(C.tg_ffi_error()), 0)
end

local function side_of(side)
    return side == "key" and C.TG_KEY or C.TG_VALUE
end

--- steps ---------------------------------------------------------------------------

local inserts = { topic = C.TG_INSERT_TOPIC, partition = C.TG_INSERT_PARTITION,
    offset = C.TG_INSERT_OFFSET, timestamp = C.TG_INSERT_TIMESTAMP, static = C.TG_INSERT_STATIC }

-- Integer part of a decimal text modulo 2^64, as int64; nil when it is no number.
local function integer_of(text)
    local sign, int, frac, exp = text:match("^([+-]?)(%d*)%.?(%d*)[eE]?([+-]?%d*)$")
    if not sign or int == "" and frac == "" or not tonumber(text) then return nil end
    local shift = tonumber(exp) or 0
    if shift > 400 or shift < -400 then return nil end
    local digits = int .. frac
    local keep = #int + shift
    if keep > #digits then digits = digits .. ("0"):rep(keep - #digits) end
    local value = 0LL
    for digit in digits:sub(1, math.max(keep, 0)):gmatch("%d") do
        value = value * 10LL + tonumber(digit)
    end
    return sign == "-" and -value or value
end

-- What a replacement is as a number: TG_MASK_*, and its values as such.
local function forms_of(text)
    local forms, int, real = 0, integer_of(text), config.parsers.double(text)
    if int then forms = forms + C.TG_MASK_INT end
    if real then forms = forms + C.TG_MASK_REAL end
    local tail = text:match("^%-?[1-9]%d*(.*)$") or text:match("^%-?0(.*)$")
    tail = tail and tail:gsub("^%.%d+", ""):gsub("^[eE][+-]?%d+$", "")
    if tail == "" then forms = forms + C.TG_MASK_JSON end
    return forms, int or 0, real or 0
end

local steps = {}
steps.__index = steps

--- Selects and renames fields by a plan (stock.plan).
function steps:plan(plan)
    self.anchors[#self.anchors + 1] = plan
    C.tg_steps_plan(self.handle, plan)
end

--- Adds a field. what: "topic", "partition", "offset", "timestamp" or "static"
-- (with its text); spec: the name with suffix "!" (required) or "?" (optional).
function steps:insert(what, spec, text)
    local name = spec:gsub("[!?]$", "")
    C.tg_steps_insert(self.handle, inserts[what], view.intern(name), spec:sub(-1) == "!" and 1 or 0,
        text, text and #text or 0)
end

--- Masks a field. replacement: a text, or nil for the zero of the field's kind.
function steps:mask(name, replacement)
    if replacement then
        C.tg_steps_mask(self.handle, view.intern(name), replacement, #replacement,
            forms_of(replacement))
    else
        C.tg_steps_mask(self.handle, view.intern(name), nil, 0, 0, 0, 0)
    end
end

--- The function (batch) that takes the steps for every record.
function steps:apply()
    return function() -- self keeps the plans
        if C.tg_steps_apply(self.handle, slot[0]) < 0 then fail() end
    end
end

--- Steps over the maps and structs of a batch. options: side ("key", "value"),
-- purpose (for messages), null_passes (null is left alone, else refused),
-- defaults (null fields of a struct get their default first).
function M.steps(options)
    local handle = C.tg_steps_new(side_of(options.side), options.purpose,
        options.null_passes and 1 or 0, options.defaults and 1 or 0)
    return setmetatable({ handle = ffi.gc(handle, C.tg_steps_free), anchors = {} }, steps)
end

--- A function (batch) that wraps every key or value in a map (a struct when it
-- has a schema) with one field.
function M.hoister(side, field)
    local name, which = view.intern(field), side_of(side)
    return function()
        if C.tg_steps_hoist(slot[0], which, name) < 0 then fail() end
    end
end

return M
