--- Loops over a batch that the SDK owns. Compiled code belongs to the prototype
-- of a function, so each instance gets loops compiled anew from text, and a list
-- of steps is unrolled: an inner loop would be a trace of its own.
local host = ...

local M = {}

local chunks = setmetatable({}, { __mode = "k" }) -- loop -> its chunk, for boot.heal

--- chunk(...) of a text that returns one function.
function M.compile(text, ...)
    local chunk = assert(host.compile(text, "@tidegate/loop.lua"))
    local loop = chunk(...)
    chunks[loop] = chunk
    return loop
end

local STEPS = 40 -- steps in one loop; Lua allows 60 upvalues

local function steps_text(n)
    local names = {}
    for i = 1, n do names[i] = "s" .. i end
    local calls = {}
    for i = 1, n do calls[i] = names[i] .. "(node, rec)" end
    return ("local open, %s = ...\n"):format(table.concat(names, ", "))
        .. "return function(batch)\n"
        .. "    for _, r in batch:each() do\n"
        .. "        local node, rec = open(r)\n"
        .. ("        if node then local _ = %s end\n"):format(table.concat(calls, " and "))
        .. "    end\nend"
end

--- A function (batch) that opens every record and takes the steps, functions
-- (node, rec) -> true to go on. open: function (r) -> node, rec; nil: skip.
function M.steps(open, steps)
    local loops = {}
    for first = 1, #steps, STEPS do
        local last = math.min(first + STEPS - 1, #steps)
        loops[#loops + 1] = M.compile(steps_text(last - first + 1), open,
            unpack(steps, first, last))
    end
    if #loops == 1 then return loops[1] end
    return function(batch)
        for _, loop in ipairs(loops) do loop(batch) end
    end
end

--- Lets the JIT compile every loop again.
function M.heal()
    for _, chunk in pairs(chunks) do jit.on(chunk, true) end
end

return M
