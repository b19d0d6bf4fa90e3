--- Globals of a plugin's code that nobody defines: misspelt names that would only
-- show when the line is reached. Read from the bytecode, so that every branch is
-- seen and nothing is run.
local util = require "jit.util"
local band, rshift = bit.band, bit.rshift

local M = {}

local function opcode(source, at)
    return band((util.funcbc(assert(loadstring(source)), at)), 0xff)
end

-- Instruction 0 is the function's head.
local GET = opcode("local a = b", 1)
local SET = opcode("b = nil", 2)

local function name_of(f, instruction)
    return util.funck(f, -rshift(instruction, 16) - 1)
end

local function walk(f, found)
    local info = util.funcinfo(f)
    for pc = 1, info.bytecodes - 1 do
        local instruction = util.funcbc(f, pc)
        local op = band(instruction, 0xff)
        if op == GET or op == SET then
            found[#found + 1] = { name = name_of(f, instruction), set = op == SET,
                line = util.funcinfo(f, pc).currentline }
        end
    end
    for i = 1, info.gcconsts do
        local inner = util.funck(f, -i)
        if type(inner) == "proto" then walk(inner, found) end
    end
end

--- What is wrong with the globals of a chunk that has run: a list of {line, message}
-- in the order of the lines. names: what there is besides what the chunk defines.
function M.globals(chunk, names)
    local found, defined, out = {}, {}, {}
    walk(chunk, found)
    for _, use in ipairs(found) do
        if use.set then defined[use.name] = true end
    end
    local seen = {}
    for _, use in ipairs(found) do
        local message
        if use.set then
            message = ("'%s' is a global of this file; write local before it"):format(use.name)
        elseif not defined[use.name] and rawget(names, use.name) == nil then
            message = ("'%s' is not defined"):format(use.name)
        end
        local id = message and use.line .. message
        if message and not seen[id] then
            seen[id] = true
            out[#out + 1] = { line = use.line, message = message }
        end
    end
    table.sort(out, function(a, b) return a.line < b.line end)
    return out
end

return M
