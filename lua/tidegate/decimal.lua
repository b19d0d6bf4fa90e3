--- tide.decimal: exact decimal numbers, what a Decimal field of a record reads as
-- and is written with. A value is a whole number and a scale (12.30 is 1230 and
-- 2), as java.math.BigDecimal's. Immutable; for money, not for speed.
--
--   tide.decimal "12.30", tide.decimal(5)    from text, a number, an int64
--   a + b, a - b, a * b, -a                  exact; b may be a number
--   a == b, a < b, a <= b                    by value; == between decimals only
--   a:round(scale, mode)                     "half_up" (default), "half_even", "down"
--   a:div(b, scale, mode)                    quotient with so many decimals
--   a:scale(), a:text(), tostring(a), a:number()
local _, use = ...
local ffi = require "ffi"
local abi = use "abi"
local json = use "json"

local raise = abi.raise
local floor, max = math.floor, math.max
local rawmeta = debug.getmetatable
local BASE, WIDTH = 10000000, 7
local MAX_DIGITS = 9800

local M = {}
local methods = {}
local meta = json.markers.decimal

local function is(x)
    return rawmeta(x) == meta
end

--- limbs: little-endian lists of numbers below 10^7 ---------------------------------

local function trim(a)
    while #a > 0 and a[#a] == 0 do a[#a] = nil end
    return a
end

local function limbs_of(digits)
    local a = {}
    for i = #digits, 1, -WIDTH do
        a[#a + 1] = tonumber(digits:sub(max(1, i - WIDTH + 1), i))
    end
    return trim(a)
end

local function digits_of(a)
    if #a == 0 then return "0" end
    local out = { ("%d"):format(a[#a]) }
    for i = #a - 1, 1, -1 do out[#out + 1] = ("%07d"):format(a[i]) end
    return table.concat(out)
end

local function compare(a, b)
    if #a ~= #b then return #a < #b and -1 or 1 end
    for i = #a, 1, -1 do
        if a[i] ~= b[i] then return a[i] < b[i] and -1 or 1 end
    end
    return 0
end

local function add(a, b)
    local out, carry = {}, 0
    for i = 1, max(#a, #b) do
        local s = (a[i] or 0) + (b[i] or 0) + carry
        carry = s >= BASE and 1 or 0
        out[i] = s - carry * BASE
    end
    if carry > 0 then out[#out + 1] = carry end
    return out
end

-- a - b for a >= b.
local function sub(a, b)
    local out, borrow = {}, 0
    for i = 1, #a do
        local s = a[i] - (b[i] or 0) - borrow
        borrow = s < 0 and 1 or 0
        out[i] = s + borrow * BASE
    end
    return trim(out)
end

local function mul(a, b)
    local out = {}
    for i = 1, #a + #b do out[i] = 0 end
    for i = 1, #a do
        local carry = 0
        for j = 1, #b do
            local s = out[i + j - 1] + a[i] * b[j] + carry
            carry = floor(s / BASE)
            out[i + j - 1] = s - carry * BASE
        end
        out[i + #b] = out[i + #b] + carry
    end
    return trim(out)
end

-- Quotient and remainder, digit by digit from above.
local function divide(a, b)
    local digits, rest, out = digits_of(a), {}, {}
    local ten = { 10 }
    for i = 1, #digits do
        rest = add(mul(rest, ten), limbs_of(digits:sub(i, i)))
        local n = 0
        while compare(rest, b) >= 0 do
            rest = sub(rest, b)
            n = n + 1
        end
        out[i] = n
    end
    return limbs_of(table.concat(out)), rest
end

local function power(n)
    return limbs_of("1" .. ("0"):rep(n))
end

--- values ---------------------------------------------------------------------------

-- As BigDecimal.toString.
local function text_of(negative, digits, scale)
    local exponent = #digits - 1 - scale
    local out
    if scale == 0 then
        out = digits
    elseif scale > 0 and exponent >= -6 then
        if #digits <= scale then digits = ("0"):rep(scale - #digits + 1) .. digits end
        out = digits:sub(1, -scale - 1) .. "." .. digits:sub(-scale)
    else
        out = digits:sub(1, 1) .. (#digits > 1 and "." .. digits:sub(2) or "")
            .. ("E%+d"):format(exponent)
    end
    return negative and "-" .. out or out
end

local function make(negative, limbs, scale)
    if #limbs * WIDTH > MAX_DIGITS then
        raise(("a decimal has at most %d digits"):format(MAX_DIGITS))
    end
    negative = negative and #limbs > 0
    local text = text_of(negative, digits_of(limbs), scale)
    return setmetatable({ text, negative = negative, limbs = limbs, places = scale }, meta)
end

local function parse(text)
    local sign, int, dot, frac, exp = text:match("^([+-]?)(%d*)(%.?)(%d*)[eE]?([+-]?%d*)$")
    local has_exp = text:find("[eE]")
    if not sign or int == "" and frac == "" or dot == "" and frac ~= ""
        or (has_exp ~= nil) ~= (tonumber(exp) ~= nil) then
        return nil
    end
    local scale = #frac - (tonumber(exp) or 0)
    if #int + #frac > MAX_DIGITS or scale > MAX_DIGITS or scale < -MAX_DIGITS then return nil end
    return make(sign == "-", limbs_of(int .. frac), scale)
end

local function number_text(x)
    if x % 1 == 0 and x < 1e15 and x > -1e15 then return ("%d"):format(x) end
    for digits = 15, 17 do
        local s = ("%." .. digits .. "g"):format(x)
        if tonumber(s) == x then return s end
    end
    return tostring(x)
end

--- A decimal of a text, a number, an int64 or a decimal; an error for anything else.
function M.new(x)
    if is(x) then return x end
    local t = type(x)
    local text = t == "string" and x or t == "number" and number_text(x)
        or ffi.istype("int64_t", x) and tostring(x):gsub("LL$", "")
    local made = text and parse(text)
    if not made then
        raise(("tide.decimal needs a number or its text, got %s '%s'"):format(t, tostring(x)))
    end
    return made
end

--- The same of a text that C wrote.
function M.of_text(text)
    return parse(text) or raise("'" .. text .. "' is no decimal")
end

M.is = is

-- Both as whole numbers of the larger scale.
local function align(a, b)
    a, b = M.new(a), M.new(b)
    local scale = max(a.places, b.places)
    local x, y = a.limbs, b.limbs
    if a.places < scale then x = mul(x, power(scale - a.places)) end
    if b.places < scale then y = mul(y, power(scale - b.places)) end
    return x, a.negative, y, b.negative, scale
end

local function signed_add(x, xneg, y, yneg, scale)
    if xneg == yneg then return make(xneg, add(x, y), scale) end
    if compare(x, y) >= 0 then return make(xneg, sub(x, y), scale) end
    return make(yneg, sub(y, x), scale)
end

local function order(a, b)
    local x, xneg, y, yneg = align(a, b)
    if xneg ~= yneg then return xneg and -1 or 1 end
    return xneg and -compare(x, y) or compare(x, y)
end

-- One more in the last place? rest: what was cut off, against half of unit.
local function rounds_up(mode, quotient, rest, unit)
    if mode == "down" then return false end
    local c = compare(add(rest, rest), unit)
    if mode == "half_even" and c == 0 then return (quotient[1] or 0) % 2 == 1 end
    return c >= 0
end

local modes = { half_up = true, half_even = true, down = true }

local function check(scale, mode, what)
    if type(scale) ~= "number" or scale % 1 ~= 0 or scale > MAX_DIGITS or scale < -MAX_DIGITS then
        raise(what .. " needs a whole number of decimals, got " .. tostring(scale))
    end
    mode = mode or "half_up"
    if not modes[mode] then
        raise(("%s: unknown mode '%s'; there are half_up, half_even and down")
            :format(what, tostring(mode)))
    end
    return mode
end

local function quotient(negative, a, b, scale, mode)
    local q, rest = divide(a, b)
    if rounds_up(mode, q, rest, b) then q = add(q, { 1 }) end
    return make(negative, q, scale)
end

--- With so many decimals, rounded where digits are lost.
function methods.round(a, scale, mode)
    mode = check(scale, mode, "decimal:round")
    if scale >= a.places then
        return make(a.negative, mul(a.limbs, power(scale - a.places)), scale)
    end
    return quotient(a.negative, a.limbs, power(a.places - scale), scale, mode)
end

--- a / b with so many decimals.
function methods.div(a, b, scale, mode)
    mode = check(scale, mode, "decimal:div")
    b = M.new(b)
    if #b.limbs == 0 then raise("decimal:div: division by zero") end
    local shift = scale + b.places - a.places
    local x, y = a.limbs, b.limbs
    if shift >= 0 then x = mul(x, power(shift)) else y = mul(y, power(-shift)) end
    return quotient(a.negative ~= b.negative, x, y, scale, mode)
end

--- Number of decimals.
function methods.scale(a) return a.places end
--- Exact text, as BigDecimal.toString.
function methods.text(a) return a[1] end
--- The nearest Lua number.
function methods.number(a) return tonumber(a[1]) end

meta.__index = methods
meta.__newindex = function() raise("a decimal cannot be changed: calculate a new one") end
meta.__tostring = function(a) return a[1] end
meta.__concat = function(a, b) return tostring(a) .. tostring(b) end
meta.__eq = function(a, b) return order(a, b) == 0 end
meta.__lt = function(a, b) return order(a, b) < 0 end
meta.__le = function(a, b) return order(a, b) <= 0 end
meta.__unm = function(a) return make(not a.negative, a.limbs, a.places) end
meta.__add = function(a, b) return signed_add(align(a, b)) end
meta.__sub = function(a, b)
    local x, xneg, y, yneg, scale = align(a, b)
    return signed_add(x, xneg, y, not yneg, scale)
end
meta.__mul = function(a, b)
    a, b = M.new(a), M.new(b)
    return make(a.negative ~= b.negative, mul(a.limbs, b.limbs), a.places + b.places)
end
meta.__div = function() raise("use a:div(b, decimals): a quotient has no exact end") end

return M
