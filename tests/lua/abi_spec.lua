-- gcc and LuaJIT agree on the layout of every structure of core/ffi/tidegate.h.
local ffi = require "ffi"

ffi.cdef [[
typedef struct test_abi_entry {
    const char *type;
    const char *member;
    uint32_t offset;
} test_abi_entry;
extern const test_abi_entry tg_ffi_abi_table[];
]]

-- Names of the members of every structure with a body in the cdef.
local function declared(cdef)
    local out = {}
    for body, name in cdef:gmatch("typedef%s+struct%s+[%w_]+%s*(%b{})%s*([%w_]+);") do
        local members = {}
        body = body:sub(2, -2):gsub("union%s*%b{}%s*(%w+);", "int %1;")
        for member in body:gmatch("([%w_]+)%s*;") do members[member] = true end
        for list in body:gmatch("([%w_%s%*,]+);") do
            for member in list:gmatch("([%w_]+)%s*,") do members[member] = true end
        end
        out[name] = members
    end
    return out
end

describe("the FFI contract", function()
    it("has one layout on both sides", function()
        local i, compared = 0, {}
        while ffi.C.tg_ffi_abi_table[i].type ~= nil do
            local e = ffi.C.tg_ffi_abi_table[i]
            local type_name = ffi.string(e.type)
            compared[type_name] = compared[type_name] or {}
            if e.member == nil then
                assert.equal(e.offset, ffi.sizeof(type_name), "size of " .. type_name)
            else
                local member = ffi.string(e.member)
                compared[type_name][member] = true
                assert.equal(e.offset, ffi.offsetof(type_name, member),
                    type_name .. "." .. member)
            end
            i = i + 1
        end
        local structs = 0
        for name, members in pairs(declared(testlib.host.cdef)) do
            structs = structs + 1
            assert.is_not_nil(compared[name], name .. " is not compared")
            assert.same(members, compared[name], name)
        end
        assert.equal(8, structs)
    end)

    it("exports every function", function()
        local functions = 0
        for name in testlib.host.cdef:gmatch("([%w_]+)%s*%([^()]*%)%s*;") do
            assert.is_not_nil(ffi.C[name], name)
            functions = functions + 1
        end
        assert.is_true(functions > 60)
    end)
end)
