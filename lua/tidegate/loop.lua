--- Loops over a batch that the SDK owns. Compiled code belongs to the prototype
-- of a function, so each instance gets loops compiled anew from text.
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

--- Lets the JIT compile every loop again.
function M.heal()
    for _, chunk in pairs(chunks) do jit.on(chunk, true) end
end

return M
