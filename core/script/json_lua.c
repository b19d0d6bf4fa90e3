/*
 * jansson values <-> Lua values, for control data only (configurations,
 * offsets, plugin descriptions); records never pass here.
 *
 * null is host.null (light userdata NULL). Arrays carry the metatable
 * host.array and objects made from an empty one host.object, so that [] and {}
 * stay apart; a table without either is an array when its keys are 1..n, n > 0.
 * Integers beyond 2^53 are int64 cdata on the Lua side.
 *
 * Both directions raise Lua errors. What was built so far is kept in a full
 * userdata on the Lua stack, so an error loses no reference.
 */
#include "script/internal.h"
#include <math.h>
#include <stdio.h>

enum { DEPTH = 100 };
static const double EXACT = 9007199254740992; /* 2^53 */

static void push(lua_State *L, const json_t *v, int depth);

static void push_array(lua_State *L, const json_t *v, int depth)
{
    size_t i;
    json_t *item;
    lua_createtable(L, (int)json_array_size(v), 0);
    json_array_foreach((json_t *)v, i, item)
    {
        push(L, item, depth + 1);
        lua_rawseti(L, -2, (int)i + 1);
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, tg__vm_of(L)->ref_array);
    lua_setmetatable(L, -2);
}

static void push_object(lua_State *L, const json_t *v, int depth)
{
    const char *key;
    json_t *item;
    lua_createtable(L, 0, (int)json_object_size(v));
    json_object_foreach((json_t *)v, key, item)
    {
        lua_pushstring(L, key);
        push(L, item, depth + 1);
        lua_rawset(L, -3);
    }
    if (json_object_size(v) == 0) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, tg__vm_of(L)->ref_object);
        lua_setmetatable(L, -2);
    }
}

static void push(lua_State *L, const json_t *v, int depth)
{
    if (depth > DEPTH)
        luaL_error(L, "JSON nested deeper than %d levels", DEPTH);
    luaL_checkstack(L, 6, "JSON nested too deeply");
    switch (v ? json_typeof(v) : JSON_NULL) {
    case JSON_OBJECT:
        push_object(L, v, depth);
        break;
    case JSON_ARRAY:
        push_array(L, v, depth);
        break;
    case JSON_STRING:
        lua_pushlstring(L, json_string_value(v), json_string_length(v));
        break;
    case JSON_INTEGER:
        tg__push_int64(L, json_integer_value(v));
        break;
    case JSON_REAL:
        lua_pushnumber(L, json_real_value(v));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        lua_pushboolean(L, json_is_true(v));
        break;
    case JSON_NULL:
        lua_pushlightuserdata(L, NULL);
        break;
    }
}

void tg__json_push(lua_State *L, const json_t *v)
{
    push(L, v, 0);
}

/* --- Lua to JSON --------------------------------------------------------- */

/* A slot on the Lua stack that owns a reference. */
static int holder_gc(lua_State *L)
{
    json_t **slot = lua_touserdata(L, 1);
    json_decref(*slot);
    *slot = NULL;
    return 0;
}

static json_t **new_holder(lua_State *L)
{
    json_t **slot = lua_newuserdata(L, sizeof *slot);
    *slot = NULL;
    if (luaL_newmetatable(L, "tidegate.json")) {
        lua_pushcfunction(L, holder_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    return slot;
}

static json_t *read_value(lua_State *L, int idx, int depth, const char *key);

static bool has_metatable(lua_State *L, int idx, int ref)
{
    if (!lua_getmetatable(L, idx))
        return false;
    lua_rawgeti(L, LUA_REGISTRYINDEX, ref);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

/* Array by marker, or because its keys are 1..n. */
static bool is_array(lua_State *L, int idx)
{
    tg_vm *vm = tg__vm_of(L);
    if (has_metatable(L, idx, vm->ref_array))
        return true;
    size_t n = lua_objlen(L, idx), count = 0;
    if (n == 0)
        return false;
    for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TNUMBER) {
            lua_pop(L, 2);
            return false;
        }
        count++;
    }
    return count == n;
}

static void read_array(lua_State *L, int idx, int depth, json_t *to)
{
    int n = (int)lua_objlen(L, idx);
    for (int i = 1; i <= n; i++) {
        char key[24];
        snprintf(key, sizeof key, "[%d]", i);
        lua_rawgeti(L, idx, i);
        json_array_append_new(to, read_value(L, lua_gettop(L), depth + 1, key));
        lua_pop(L, 1);
    }
}

static void read_object(lua_State *L, int idx, int depth, json_t *to)
{
    for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING && lua_type(L, -2) != LUA_TNUMBER)
            luaL_error(L,
                       "a table with a %s as key cannot become JSON; keys "
                       "must be strings",
                       luaL_typename(L, -2));
        size_t len;
        lua_pushvalue(L, -2);
        const char *key = lua_tolstring(L, -1, &len);
        lua_insert(L, -2);
        json_t *v = read_value(L, lua_gettop(L), depth + 1, key);
        if (memchr(key, 0, len) || json_object_set_new(to, key, v)) {
            if (memchr(key, 0, len))
                json_decref(v);
            luaL_error(L,
                       "key '%s' is not UTF-8 text without NUL bytes and "
                       "cannot become JSON",
                       key);
        }
        lua_remove(L, -2);
    }
}

static json_t *read_number(lua_State *L, int idx, const char *key)
{
    double d = lua_tonumber(L, idx);
    if (d != d || isinf(d))
        luaL_error(L, "'%s' is not a finite number and cannot become JSON",
                   key);
    if (d == floor(d) && fabs(d) <= EXACT)
        return json_integer((json_int_t)d);
    return json_real(d);
}

static json_t *read_table(lua_State *L, int idx, int depth, const char *key)
{
    if (depth > DEPTH)
        luaL_error(L,
                   "'%s' is nested deeper than %d levels (or contains "
                   "itself) and cannot become JSON",
                   key, DEPTH);
    luaL_checkstack(L, 12, "table nested too deeply");
    json_t **slot = new_holder(L);
    if (is_array(L, idx)) {
        *slot = json_array();
        read_array(L, idx, depth, *slot);
    } else {
        *slot = json_object();
        read_object(L, idx, depth, *slot);
    }
    json_t *v = *slot;
    *slot = NULL;
    lua_pop(L, 1);
    return v;
}

/* idx is absolute. */
static json_t *read_value(lua_State *L, int idx, int depth, const char *key)
{
    int64_t i;
    switch (lua_type(L, idx)) {
    case LUA_TTABLE:
        return read_table(L, idx, depth, key);
    case LUA_TSTRING: {
        size_t len;
        const char *s = lua_tolstring(L, idx, &len);
        json_t *v = json_stringn(s, len);
        if (!v)
            luaL_error(L, "'%s' is not UTF-8 text and cannot become JSON", key);
        return v;
    }
    case LUA_TNUMBER:
        return read_number(L, idx, key);
    case LUA_TBOOLEAN:
        return json_boolean(lua_toboolean(L, idx));
    case LUA_TNIL:
        return json_null();
    case LUA_TLIGHTUSERDATA:
        if (!lua_touserdata(L, idx))
            return json_null();
        break;
    case TG_LUA_TCDATA:
        switch (tg__classify(L, idx, &i, NULL)) {
        case TG_CDATA_INT64:
            return json_integer(i);
        case TG_CDATA_NULL:
            return json_null();
        default:
            break;
        }
        break;
    default:
        break;
    }
    luaL_error(L, "'%s' is a %s and cannot become JSON", key,
               luaL_typename(L, idx));
    return NULL;
}

json_t *tg__json_read(lua_State *L, int idx)
{
    if (idx < 0 && idx > LUA_REGISTRYINDEX)
        idx = lua_gettop(L) + idx + 1;
    return read_value(L, idx, 0, "value");
}
