-- A transform of your own: change it, then restart the task (see the hints of
-- scripts/quickstart) and watch new lines of orders.jsonl come out differently.
local tide = require "tidegate"

return tide.transform {
    version = "1.0.0",
    doc = "Adds what an order costs, in cents.",
    new = function()
        return function(batch) -- once per poll batch
            for _, r in batch:each() do
                local order = r.value
                order.total = order.price * order.quantity
            end
        end
    end,
}
