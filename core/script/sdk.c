/*
 * The few objects that the SDK and C must agree on: tide.null, int64 boxes,
 * the markers of tables, and what a cdata is. LuaJIT's C API can neither make
 * nor inspect cdata, so the SDK hands over boxes and functions once
 * (host.adopt); lua/tidegate/view.lua describes them.
 *
 * Thread: the script thread.
 */
#include "script/internal.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const int64_t EXACT = 9007199254740992; /* 2^53 */

static int take_ref(lua_State *L, const char *name, int type)
{
    lua_getfield(L, 1, name);
    if (lua_type(L, -1) != type)
        luaL_error(L, "host.adopt: field '%s' is a %s", name,
                   luaL_typename(L, -1));
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

/* Payload of a cdata array of one element; kept alive for ever. */
static void *take_box(lua_State *L, const char *name)
{
    lua_getfield(L, 1, name);
    if (lua_type(L, -1) != TG_LUA_TCDATA)
        luaL_error(L, "host.adopt: field '%s' is a %s, expected a cdata", name,
                   luaL_typename(L, -1));
    void *p = (void *)lua_topointer(L, -1);
    luaL_ref(L, LUA_REGISTRYINDEX);
    return p;
}

int tg__adopt(lua_State *L)
{
    static const char *const names[] = {"array", "map",   "ordered", "bytes",
                                        "raw",   "typed", "decimal"};
    tg__sdk *sdk = &tg__vm_of(L)->sdk_refs;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    sdk->null = take_ref(L, "null", TG_LUA_TCDATA);
    sdk->classify = take_ref(L, "classify", LUA_TFUNCTION);
    sdk->int64_new = take_ref(L, "int64_new", LUA_TFUNCTION);
    sdk->decimal = take_ref(L, "decimal", LUA_TFUNCTION);
    sdk->int64 = take_box(L, "int64");
    sdk->pointer = take_box(L, "pointer");
    lua_getfield(L, 1, "markers");
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_replace(L, 1);
    for (int i = 0; i < TG_MARKS; i++)
        sdk->markers[i] = take_ref(L, names[i], LUA_TTABLE);
    sdk->given = true;
    return 0;
}

/* Before the SDK has come: int64 by its text. */
static int classify_plain(lua_State *L, int idx, int64_t *i)
{
    if (!luaL_callmeta(L, idx, "__tostring"))
        return TG_CDATA_OTHER;
    const char *text = lua_tostring(L, -1);
    char *end = NULL;
    errno = 0;
    int64_t v = text ? strtoll(text, &end, 10) : 0;
    bool ok = text && end != text && strcmp(end, "LL") == 0 && errno == 0;
    lua_pop(L, 1);
    if (ok && i)
        *i = v;
    return ok ? TG_CDATA_INT64 : TG_CDATA_OTHER;
}

int tg__classify(lua_State *L, int idx, int64_t *i, tg_node **node)
{
    tg__sdk *sdk = &tg__vm_of(L)->sdk_refs;
    if (!sdk->given)
        return classify_plain(L, idx, i);
    lua_rawgeti(L, LUA_REGISTRYINDEX, sdk->null);
    bool null = lua_rawequal(L, -1, idx);
    lua_pop(L, 1);
    if (null)
        return TG_CDATA_NULL;
    lua_rawgeti(L, LUA_REGISTRYINDEX, sdk->classify);
    lua_pushvalue(L, idx);
    lua_call(L, 1, 1);
    const char *kind = lua_tostring(L, -1);
    int is = TG_CDATA_OTHER;
    if (!kind)
        is = TG_CDATA_OTHER;
    else if (strcmp(kind, "null") == 0)
        is = TG_CDATA_NULL;
    else if (strcmp(kind, "int64") == 0)
        is = TG_CDATA_INT64;
    else if (strcmp(kind, "view") == 0)
        is = TG_CDATA_VIEW;
    lua_pop(L, 1);
    if (is == TG_CDATA_INT64 && i)
        *i = *sdk->int64;
    if (is == TG_CDATA_VIEW && node)
        *node = *sdk->pointer;
    return is;
}

void tg__push_null(lua_State *L)
{
    const tg__sdk *sdk = &tg__vm_of(L)->sdk_refs;
    if (sdk->given)
        lua_rawgeti(L, LUA_REGISTRYINDEX, sdk->null);
    else
        lua_pushlightuserdata(L, NULL);
}

void tg__push_int64(lua_State *L, int64_t v)
{
    tg_vm *vm = tg__vm_of(L);
    if (v >= -EXACT && v <= EXACT) {
        lua_pushnumber(L, (double)v);
    } else if (vm->sdk_refs.given) {
        *vm->sdk_refs.int64 = v;
        lua_rawgeti(L, LUA_REGISTRYINDEX, vm->sdk_refs.int64_new);
        lua_call(L, 0, 1);
    } else {
        lua_rawgeti(L, LUA_REGISTRYINDEX, vm->ref_int64);
        lua_pushnumber(L, (double)(v >> 32));
        lua_pushnumber(L, (double)(uint32_t)v);
        lua_call(L, 2, 1);
    }
}

void *tg__address(lua_State *L, int idx)
{
    if (lua_type(L, idx) == LUA_TLIGHTUSERDATA)
        return lua_touserdata(L, idx);
    if (lua_type(L, idx) != TG_LUA_TCDATA)
        luaL_argerror(L, idx, "pointer expected");
    return *(void *const *)lua_topointer(L, idx);
}

int tg__raise(lua_State *L, const char *fmt, ...)
{
    char text[1024], at[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (tg__user_position(L, 1, at, sizeof at))
        lua_pushfstring(L, "%s: %s", at, text);
    else
        lua_pushstring(L, text);
    return lua_error(L);
}
