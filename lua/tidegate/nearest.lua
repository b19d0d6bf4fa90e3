--- "did you mean": the nearest of some words, by edit distance.
local M = {}

local min, abs = math.min, math.abs

-- Edits (insert, delete, replace, swap of neighbours) between two words.
local function distance(a, b)
    local two, one = {}, {}
    for j = 0, #b do one[j] = j end
    for i = 1, #a do
        local row = { [0] = i }
        for j = 1, #b do
            local same = a:byte(i) == b:byte(j)
            local d = min(row[j - 1] + 1, one[j] + 1, one[j - 1] + (same and 0 or 1))
            if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
                d = min(d, two[j - 2] + 1)
            end
            row[j] = d
        end
        two, one = one, row
    end
    return one[#b]
end
M.distance = distance

--- The nearest of the words (a list), or nil when none is near. Case does not
-- count; at most a third of the letters may differ.
function M.word(word, words)
    local best, best_distance
    local lower = word:lower()
    local limit = math.max(1, math.floor(#word / 3))
    for _, candidate in ipairs(words) do
        if abs(#candidate - #word) <= limit then
            local d = distance(lower, candidate:lower())
            if d <= limit and (not best or d < best_distance) then
                best, best_distance = candidate, d
            end
        end
    end
    return best
end

--- ", did you mean 'x'?" or "".
function M.hint(word, words)
    local near = M.word(word, words)
    return near and (", did you mean '%s'?"):format(near) or ""
end

return M
