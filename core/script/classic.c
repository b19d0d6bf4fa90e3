/*
 * The classic face of the views: what scripts hold when the JIT is off. It has
 * the same meaning as the FFI views of lua/tidegate/view.lua, whose header
 * comment defines both, over the same functions of tidegate.h; an access costs
 * some 40 ns whether or not anything is compiled, where an FFI view costs 600
 * in the interpreter.
 *
 * A view is a light userdata: the address of a node or record with its kind in
 * the low bits (everything in an arena is 8-aligned). So views cost no memory
 * and two views of one node are equal. All light userdata of a VM share one
 * metatable, which this file sets; scripts cannot make any of their own. Like
 * the FFI views they are checked at every access against the serial of the
 * current batch.
 *
 *   classic.c         metatable, batch object, host.classic
 *   classic_node.c    fields, elements, iteration
 *   classic_record.c  records and headers
 *   classic_read.c    values to Lua and back
 *
 * Thread: the script thread.
 */
#include "script/classic.h"

static int no_null(lua_State *L)
{
    if (lua_type(L, 2) == LUA_TSTRING)
        return tg__raise(L, "field '%s' of null", lua_tostring(L, 2));
    return tg__raise(L, "index of null");
}

static int view_index(lua_State *L)
{
    tg_vm *vm = tg__vm_of(L);
    void *p = lua_touserdata(L, 1);
    if (!p)
        return no_null(L);
    switch (tg__view_kind(p)) {
    case TG_VIEW_NODE:
        return tg__node_index(L, vm, p);
    case TG_VIEW_RECORD:
        return tg__record_index(L, vm, tg__view_address(p));
    default:
        return tg__headers_index(L);
    }
}

static int view_newindex(lua_State *L)
{
    tg_vm *vm = tg__vm_of(L);
    void *p = lua_touserdata(L, 1);
    if (!p)
        return no_null(L);
    switch (tg__view_kind(p)) {
    case TG_VIEW_NODE:
        return tg__node_newindex(L, vm, p);
    case TG_VIEW_RECORD:
        return tg__record_newindex(L, vm, tg__view_address(p));
    default:
        lua_pushvalue(L, 2);
        return tg__raise(L, "use headers:set('%s', value)",
                         lua_isstring(L, -1) ? lua_tostring(L, -1) : "?");
    }
}

static int view_len(lua_State *L)
{
    tg_vm *vm = tg__vm_of(L);
    void *p = lua_touserdata(L, 1);
    if (!p)
        return tg__raise(L, "length of null");
    if (tg__view_kind(p) == TG_VIEW_NODE)
        return tg__node_len(L, vm, p);
    if (tg__view_kind(p) == TG_VIEW_RECORD)
        return tg__raise(L, "a record has no length; use #r.value");
    tg_record *rec = tg__view_address(p);
    tg__check_record(L, vm, rec);
    int32_t n = tg_record_headers(rec);
    if (n < 0)
        return tg__raise_ffi(L);
    lua_pushinteger(L, n);
    return 1;
}

static int view_tostring(lua_State *L)
{
    tg_vm *vm = tg__vm_of(L);
    void *p = lua_touserdata(L, 1);
    if (!p) {
        lua_pushliteral(L, "null");
        return 1;
    }
    if (tg__view_kind(p) == TG_VIEW_NODE)
        return tg__node_tostring(L, vm, p);
    if (tg__view_kind(p) == TG_VIEW_HEADERS) {
        lua_pushliteral(L, "headers");
        return 1;
    }
    tg_record *rec = tg__view_address(p);
    tg__check_record(L, vm, rec);
    lua_pushliteral(L, "record of topic ");
    lua_pushlstring(L, rec->topic ? rec->topic : "", rec->topiclen);
    lua_concat(L, 2);
    return 1;
}

/* Upvalue 1 says what was tried. */
static int no_operator(lua_State *L)
{
    const char *what = lua_tostring(L, lua_upvalueindex(1));
    for (int i = 1; i <= 2; i++) {
        if (lua_type(L, i) != LUA_TLIGHTUSERDATA)
            continue;
        const void *p = lua_touserdata(L, i);
        if (!p)
            return tg__raise(L, "cannot %s null: test with `x ~= nil`", what);
        if (tg__view_kind(p) != TG_VIEW_NODE)
            return tg__raise(L, "cannot %s a record", what);
        break;
    }
    return tg__raise(L, "cannot %s an array or map of a record", what);
}

static void add_function(lua_State *L, const char *name, lua_CFunction fn)
{
    lua_pushcfunction(L, fn);
    lua_setfield(L, -2, name);
}

static void add_operator(lua_State *L, const char *name, const char *what)
{
    lua_pushstring(L, what);
    lua_pushcclosure(L, no_operator, 1);
    lua_setfield(L, -2, name);
}

/* The metatable of all light userdata. */
static void set_metatable(lua_State *L)
{
    static const char *const arithmetic[] = {"__add", "__sub", "__mul", "__div",
                                             "__mod", "__pow", "__unm"};
    lua_pushlightuserdata(L, NULL);
    lua_newtable(L);
    add_function(L, "__index", view_index);
    add_function(L, "__newindex", view_newindex);
    add_function(L, "__len", view_len);
    add_function(L, "__tostring", view_tostring);
    for (size_t i = 0; i < sizeof arithmetic / sizeof *arithmetic; i++)
        add_operator(L, arithmetic[i], "calculate with");
    add_operator(L, "__concat", "concatenate");
    add_operator(L, "__call", "call");
    add_operator(L, "__lt", "compare");
    add_operator(L, "__le", "compare");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
}

/* --- the batch ----------------------------------------------------------- */

static tg_vm *check_batch(lua_State *L, const char *method)
{
    tg_vm *vm = tg__vm_of(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->ref_batch);
    bool is = lua_gettop(L) > 1 && lua_rawequal(L, 1, -1);
    lua_pop(L, 1);
    if (!is)
        tg__raise(L, "call it as %s, with a colon", method);
    if (!vm->batch)
        tg__raise(L, "there is no batch outside poll, put and apply");
    return vm;
}

/* (batch, i) -> i, r; i counts from 1 and may be anything a script passes */
static int each_next(lua_State *L)
{
    tg_vm *vm = tg__vm_of(L);
    if (lua_type(L, 1) != LUA_TUSERDATA || lua_type(L, 2) != LUA_TNUMBER)
        return tg__raise(L, "batch:each: not a batch");
    double d = lua_tonumber(L, 2);
    tg_batch *batch = vm->batch;
    if (!batch || !(d >= batch->lo && d < batch->hi))
        return 0;
    uint32_t i = (uint32_t)d;
    if (i != d)
        return 0;
    for (; i < batch->hi; i++) {
        tg_record *rec = batch->items[i];
        if (rec->verdict != TG_KEEP)
            continue;
        batch->cursor = i;
        lua_pushnumber(L, i + 1);
        tg__push_view(L, rec, TG_VIEW_RECORD);
        return 2;
    }
    return 0;
}

static int batch_each(lua_State *L)
{
    tg_vm *vm = check_batch(L, "batch:each()");
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->ref_each_next);
    lua_pushvalue(L, 1);
    lua_pushnumber(L, vm->batch->lo);
    return 3;
}

static int batch_append(lua_State *L)
{
    tg_vm *vm = check_batch(L, "batch:append()");
    tg_record *rec = tg_batch_append(vm->batch);
    if (!rec)
        return 0;
    tg__push_view(L, rec, TG_VIEW_RECORD);
    return 1;
}

static int batch_index(lua_State *L)
{
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
    if (!lua_isnil(L, -1))
        return 1;
    const char *name = lua_isstring(L, 2) ? lua_tostring(L, 2) : "?";
    if (strcmp(name, "max") != 0)
        return tg__raise(L,
                         "a batch has no field '%s'; there are each, "
                         "append, max and #batch",
                         name);
    lua_pushnumber(L, check_batch(L, "batch.max")->batch->max);
    return 1;
}

static int batch_newindex(lua_State *L)
{
    return tg__raise(L, "a batch has no field '%s' to set",
                     lua_isstring(L, 2) ? lua_tostring(L, 2) : "?");
}

static int batch_len(lua_State *L)
{
    tg_batch *batch = check_batch(L, "#batch")->batch;
    lua_pushnumber(L, (double)batch->hi - batch->lo);
    return 1;
}

static int batch_tostring(lua_State *L)
{
    lua_pushliteral(L, "batch");
    return 1;
}

/* Pushes the one batch object of the VM. */
static void push_batch(lua_State *L, tg_vm *vm)
{
    lua_newuserdata(L, 1);
    lua_newtable(L);
    lua_newtable(L);
    add_function(L, "each", batch_each);
    add_function(L, "append", batch_append);
    lua_pushcclosure(L, batch_index, 1);
    lua_setfield(L, -2, "__index");
    add_function(L, "__newindex", batch_newindex);
    add_function(L, "__len", batch_len);
    add_function(L, "__tostring", batch_tostring);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    vm->ref_batch = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushcfunction(L, each_next);
    vm->ref_each_next = luaL_ref(L, LUA_REGISTRYINDEX);
}

/* --- host.classic -------------------------------------------------------- */

tg_node *tg__classic_node(lua_State *L, int idx)
{
    void *p = lua_touserdata(L, idx);
    if (lua_type(L, idx) != LUA_TLIGHTUSERDATA || !p ||
        tg__view_kind(p) != TG_VIEW_NODE)
        return NULL;
    tg__check_node(L, tg__vm_of(L), p);
    return p;
}

static int classic_node(lua_State *L)
{
    tg_node *node = tg__classic_node(L, 1);
    if (!node)
        return 0;
    lua_settop(L, 1);
    return 1;
}

static int classic_record(lua_State *L)
{
    void *p = lua_touserdata(L, 1);
    if (lua_type(L, 1) != LUA_TLIGHTUSERDATA ||
        tg__view_kind(p) != TG_VIEW_RECORD)
        return 0;
    tg_record *rec = tg__view_address(p);
    tg__check_record(L, tg__vm_of(L), rec);
    lua_pushlightuserdata(L, rec);
    return 1;
}

static int classic_wrap(lua_State *L)
{
    tg__push_view(L, tg__address(L, 1), TG_VIEW_NODE);
    return 1;
}

static int classic_wrap_record(lua_State *L)
{
    tg__push_view(L, tg__address(L, 1), TG_VIEW_RECORD);
    return 1;
}

static void add_iterator(lua_State *L, const char *name, lua_CFunction fn)
{
    lua_getglobal(L, name);
    lua_pushcclosure(L, fn, 1);
    lua_setfield(L, -2, name);
}

void tg__classic_open(tg_vm *vm)
{
    lua_State *L = vm->L;
    set_metatable(L);
    tg__record_open(L, vm);
    lua_newtable(L);
    push_batch(L, vm);
    lua_setfield(L, -2, "batch");
    add_function(L, "node", classic_node);
    add_function(L, "record", classic_record);
    add_function(L, "wrap", classic_wrap);
    add_function(L, "wrap_record", classic_wrap_record);
    add_iterator(L, "pairs", tg__classic_pairs);
    add_iterator(L, "ipairs", tg__classic_ipairs);
}
