-- The holes of a careless sandbox, tried from everything that a configuration
-- brings in: bodies, expressions, whole plugins, files, modules, and from every
-- function of a plugin that the host calls.
local boot = testlib.boot

local BYTECODE = string.dump(function() return 1 end, true)

-- Each of these succeeds only where it is let through.
local HOLES = {
    'assert(getfenv(0))', 'assert(getfenv(1))', 'assert(getfenv(print))', 'setfenv(1, {})',
    'setfenv(pairs, {})', 'coroutine.wrap(function() return assert(getfenv(0)) end)()',
    'require "ffi"', 'require "jit.util"', 'require "jit"', 'require "debug"',
    'require "package"', 'require "tidegate.abi"', 'require "tidegate.sandbox"', 'require "abi"',
    'require "cjson"', 'require "../evil"', 'require "/etc/passwd"', 'require ""',
    'assert(require "os".execute)', 'assert(require "io".open)', 'assert(require "string".dump)',
    'assert(getmetatable("").__index)', 'getmetatable("").__index.format = 1', 'assert(("").dump)',
    'assert(string.dump)', 'assert(load(BYTECODE))', 'assert(loadstring(BYTECODE))',
    'assert(load(function() local x = BYTECODE BYTECODE = nil return x end))',
    'assert(load(BYTECODE, "x", "b", {}))',
    'io.open("/dev/null")', 'io.write("")', 'io.popen("true")', 'os.execute("true")',
    'os.getenv("PATH")', 'os.remove("/nonexistent")', 'os.rename("/a", "/b")', 'os.tmpname()',
    'os.exit(0)', 'os.setlocale("C")', 'debug.getinfo(1)', 'debug.sethook()',
    'debug.getregistry()', 'debug.getmetatable("")', 'debug.getupvalue(tide.path, 1)',
    'debug.setmetatable(1, {})', 'newproxy(true)', 'collectgarbage("stop")', 'collectgarbage()',
    'jit.off()', 'jit.opt.start("hotloop=1")', 'jit.flush()', 'jit.attach(print)',
    'package.loadlib("x", "y")', 'assert(package.loaded)', 'assert(package.preload)',
    'dofile("/dev/null")', 'loadfile("/dev/null")', 'module("x")', 'tide.path = nil',
    'tide.log = print', 'assert(getmetatable(tide))', 'setmetatable(tide, {})',
    'assert(getmetatable(tide.null) ~= "ffi")', 'tide.null.x = 1', 'assert(tide.null[0])',
    'assert(tide.null + 1)', 'setmetatable("", {})',
    'assert(load("return getfenv(1)", "x", "t", _G))()',
    'assert(load("return io", "x", "t", {}))().open("/dev/null")',
}

-- A text that runs all of them and raises the names of those that are open.
local PROBE = [[
do
    local open = {}
    for _, code in ipairs(]] .. (function()
    local list = {}
    for i, code in ipairs(HOLES) do list[i] = ("%q"):format(code) end
    return "{" .. table.concat(list, ", ") .. "}"
end)() .. [[) do
        BYTECODE = ]] .. ("%q"):format(BYTECODE):gsub("\r", "\\r"):gsub("%z", "\\0") .. [[

        tide = tide or require "tidegate"
        local fn = assert(load(code))
        if pcall(fn) then open[#open + 1] = code end
    end
    tried = (tried or 0) + 1
    if #open > 0 then error("open: " .. table.concat(open, "; "), 0) end
end
]]

local folder, count = os.tmpname(), 0
os.remove(folder)
assert(os.execute("mkdir " .. folder) == 0)

local function file(name, text)
    local path = folder .. "/" .. name
    local f = assert(io.open(path, "w"))
    f:write(text)
    f:close()
    return path
end

local function make(kind, raw)
    return boot.instance(kind, "Lua", raw, "orders.transforms.t")
end

local function run(inst)
    testlib.batch { '{"a":1}' }
    testlib.apply(inst)
end

-- The whole plugin; code stands in the function of that name.
local function plugin(where)
    local function at(name) return where == name and PROBE or "" end
    return ([[local tide = require "tidegate"
        %s
        return tide.transform {
            check = function() %s end,
            selftest = function() %s end,
            new = function()
                %s
                return {
                    apply = function(batch) %s end,
                    state = function() %s return {} end,
                    stop = function() %s end,
                    every = { ms = 1, fn = function() %s end },
                }
            end,
        }]]):format(at "load", at "check", at "selftest", at "new", at "apply", at "state",
        at "stop", at "every")
end

describe("the probe", function()
    it("is text that Lua takes, and finds what is open", function()
        for _, code in ipairs(HOLES) do assert.truthy(loadstring(code), code) end
        local env = { tide = {}, getfenv = getfenv, assert = assert, pcall = pcall,
            ipairs = ipairs, error = error, table = table }
        env.load = function(code) return setfenv(loadstring(code), env) end
        local ok, why = pcall(setfenv(assert(loadstring(PROBE)), env))
        assert.falsy(ok)
        assert.matches("open: ", why)
    end)
end)

describe("nothing is open", function()
    it("in a body", function()
        run(make("transform", { script = PROBE .. "assert(tried)" }))
        assert.error_matches(function()
            make("transform", { script = "end\n" .. PROBE .. "\ndo" }) -- out of the function
        end, "script:1: '<eof>' expected")
    end)

    it("in a predicate", function()
        local p = make("predicate", { script = PROBE .. "return true" })
        testlib.batch { '{"a":1}' }
        local inst = make("transform", { script = "r.value.b = 1" })
        inst.predicate = p
        testlib.apply(inst)
        assert.equal('{"a":1,"b":1}', testlib.records()[1].value)
    end)

    for _, where in ipairs { "load", "check", "selftest", "new", "apply", "state", "stop",
        "every" } do
        it("in " .. where .. " of a plugin, from the configuration or a file", function()
            local text = plugin(where)
            count = count + 1
            for _, raw in ipairs { { script = text }, { file = file(count .. ".lua", text) } } do
                local inst = boot.reload(make("transform", raw), raw, "orders.transforms.t")
                run(inst)
                boot.state(inst)
                inst.tick()
                inst.stop()
            end
        end)
    end

    it("in a module, when it is loaded and when it is called", function()
        file("words.lua", PROBE .. "return function() " .. PROBE .. " return 1 end")
        local raw = { file = file("main.lua",
            'r.value.a = require("words")() + require("words")()') }
        local inst = make("transform", raw)
        testlib.batch { '{"a":1}' }
        testlib.apply(inst)
        assert.equal('{"a":2}', testlib.records()[1].value)
    end)

    it("and nothing is left behind", function()
        assert.equal(0, os.execute("rm -r " .. folder))
    end)
end)
