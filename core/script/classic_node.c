/*
 * Value views of the classic face: fields of maps and structs, elements of
 * arrays, entries of maps with other keys, and walking them.
 *
 * A field name is looked up through a small cache keyed by the address of the
 * Lua string and the shape: strings are interned by Lua and names by us, so a
 * hit needs no hashing. Lua may reuse an address after a collection, so a hit
 * is believed only when the name's bytes are equal.
 *
 * Thread: the script thread.
 */
#include "script/classic.h"
#include <math.h>

enum { CACHE = 1024 };

typedef struct cached {
    const char *key;
    const tg_name *name;
    uint32_t shape; /* id, never 0 */
    int32_t slot;
} cached;

static cached cache[CACHE];

static bool is_name(const tg_name *name, const char *key, size_t len)
{
    return name->len == len && memcmp(name->text, key, len) == 0;
}

/* Slot of a field, or -1. *name is set when it is known for certain. */
static int32_t find_field(const tg_node *node, const char *key, size_t len,
                          const tg_name **name)
{
    uint32_t id = node->shape->id;
    size_t at = (((uintptr_t)key >> 4) * 31 + id * 17) % CACHE;
    cached *c = &cache[at];
    if (id && c->key == key && c->shape == id && is_name(c->name, key, len)) {
        *name = c->name;
        return c->slot;
    }
    if (!id) {
        *name = NULL;
        return tg_slot_find_text(node, key, (uint32_t)len);
    }
    const tg_name *n = tg_name_intern(key, (uint32_t)len);
    *name = n;
    if (!n)
        return tg_slot_find_text(node, key, (uint32_t)len);
    int32_t slot = tg_slot_find(node, n);
    *c = (cached){key, n, id, slot};
    return slot;
}

static const char *text_of(lua_State *L, int idx)
{
    if (lua_isstring(L, idx))
        return lua_tostring(L, idx);
    return luaL_callmeta(L, idx, "__tostring") ? lua_tostring(L, -1) : "?";
}

static int bad_name(lua_State *L)
{
    const char *kind = luaL_typename(L, 2); /* text_of makes it a string */
    return tg__raise(L, "field names are strings, got %s '%s'", kind,
                     text_of(L, 2));
}

/* 0-based place of an array index at idx, -1 when it is outside of any array;
 * raises for what is no whole number. */
static int64_t place(lua_State *L, int idx)
{
    int64_t i;
    if (lua_type(L, idx) == LUA_TNUMBER) {
        double d = lua_tonumber(L, idx);
        if (d >= 1 && d <= INT32_MAX && d == floor(d))
            return (int64_t)d - 1;
        if (!(d - floor(d) == 0)) /* infinities are no whole numbers */
            tg__raise(L, "array index must be a whole number, got %s",
                      text_of(L, idx));
        return -1;
    }
    if (lua_type(L, idx) == TG_LUA_TCDATA &&
        tg__classify(L, idx, &i, NULL) == TG_CDATA_INT64)
        return i >= 1 && i <= INT32_MAX ? i - 1 : -1;
    tg__raise(L, "array index must be a number, got %s '%s'",
              luaL_typename(L, idx), text_of(L, idx));
    return -1;
}

/* Entry of a PAIRS node whose key equals the Lua value at idx, or -1. */
static int32_t find_entry(lua_State *L, tg_vm *vm, const tg_node *node, int idx)
{
    for (uint32_t i = 0; i + 1 < node->n; i += 2) {
        tg__push_slot(L, vm, node, i);
        bool same = lua_equal(L, idx, -1);
        lua_pop(L, 1);
        if (same)
            return (int32_t)i;
    }
    return -1;
}

int tg__node_index(lua_State *L, tg_vm *vm, tg_node *node)
{
    tg__check_node(L, vm, node);
    int64_t i;
    if (node->kind == TG_ARRAY) {
        i = place(L, 2);
    } else if (node->kind == TG_PAIRS) {
        i = find_entry(L, vm, node, 2);
        i += i >= 0;
    } else {
        if (lua_type(L, 2) != LUA_TSTRING)
            return bad_name(L);
        size_t len;
        const tg_name *name;
        const char *key = lua_tolstring(L, 2, &len);
        i = find_field(node, key, len, &name);
    }
    if (i < 0 || i >= node->n)
        return 0;
    tg__push_slot(L, vm, node, i);
    return 1;
}

/* --- writing ------------------------------------------------------------- */

static void store(lua_State *L, const tg_target *to, int idx)
{
    if (tg__put_lua(L, to, idx, 0) < 0)
        tg__raise_ffi(L);
}

static void delete_slot(lua_State *L, tg_node *node, int32_t slot)
{
    if (tg_delete(node, slot) < 0)
        tg__raise_ffi(L);
}

static void set_element(lua_State *L, tg_node *node)
{
    int64_t i = place(L, 2), n = node->n;
    if (i < 0 || i > n)
        tg__raise(L, "array index %s is out of range 1..%d", text_of(L, 2),
                  (int)n + 1);
    if (!lua_isnil(L, 3)) {
        tg_target to = {.node = node, .slot = (int32_t)i};
        store(L, &to, 3);
    } else if (i == n - 1) {
        delete_slot(L, node, (int32_t)i);
    } else if (i < n) {
        tg__raise(L,
                  "element %d cannot be removed by storing nil, %d follow: "
                  "use tide.remove(v, %d)",
                  (int)i + 1, (int)(n - i - 1), (int)i + 1);
    }
}

static void set_entry(lua_State *L, tg_vm *vm, tg_node *node)
{
    int32_t i = find_entry(L, vm, node, 2);
    if (lua_isnil(L, 3)) {
        if (i >= 0)
            delete_slot(L, node, i); /* key and value */
        return;
    }
    if (i < 0)
        tg__raise(L,
                  "cannot add the key %s: a map with keys that are no "
                  "strings keeps its keys",
                  text_of(L, 2));
    tg_target to = {.node = node, .slot = i + 1};
    store(L, &to, 3);
}

static void set_field(lua_State *L, tg_node *node)
{
    if (lua_type(L, 2) != LUA_TSTRING)
        bad_name(L);
    size_t len;
    const char *key = lua_tolstring(L, 2, &len);
    tg_target to = {.node = node};
    to.slot = find_field(node, key, len, &to.name);
    if (lua_isnil(L, 3)) {
        if (to.slot >= 0)
            delete_slot(L, node, to.slot);
        return;
    }
    if (!to.name)
        to.name = tg_name_intern(key, (uint32_t)len);
    if (!to.name)
        tg__raise_ffi(L);
    store(L, &to, 3);
}

int tg__node_newindex(lua_State *L, tg_vm *vm, tg_node *node)
{
    tg__check_node(L, vm, node);
    if (node->kind == TG_ARRAY)
        set_element(L, node);
    else if (node->kind == TG_PAIRS)
        set_entry(L, vm, node);
    else
        set_field(L, node);
    return 0;
}

int tg__node_len(lua_State *L, tg_vm *vm, tg_node *node)
{
    tg__check_node(L, vm, node);
    lua_pushnumber(L, node->kind == TG_PAIRS ? node->n / 2 : node->n);
    return 1;
}

int tg__node_tostring(lua_State *L, tg_vm *vm, tg_node *node)
{
    tg__check_node(L, vm, node);
    tg_value v = {.tag = node->kind, .u.node = node};
    uint32_t len;
    const char *p = tg_value_json(vm->batch, &v, &len);
    if (!p)
        return tg__raise_ffi(L);
    lua_pushlstring(L, p, len);
    return 1;
}

/* --- walking ------------------------------------------------------------- */

static tg_node *walked(lua_State *L, int idx, const char *what)
{
    tg_node *node = tg__classic_node(L, idx);
    if (!node)
        tg__raise(L, "%s: not a value of a record", what);
    return node;
}

static int ipairs_next(lua_State *L)
{
    tg_vm *vm = tg__vm_of(L);
    if (lua_type(L, 2) != LUA_TNUMBER)
        return tg__raise(L, "ipairs: not a value of a record");
    tg_node *node = walked(L, 1, "ipairs");
    double d = lua_tonumber(L, 2);
    if (node->kind != TG_ARRAY || !(d >= 0 && d < node->n) || d != floor(d))
        return 0;
    lua_pushnumber(L, d + 1);
    tg__push_slot(L, vm, node, (uint32_t)d);
    return 2;
}

/* State {view, slot} of a walk at argument 1: the node, and the slot. */
static tg_node *walk_state(lua_State *L, double *slot)
{
    if (!lua_istable(L, 1))
        tg__raise(L, "pairs: not a value of a record");
    lua_settop(L, 2);
    lua_rawgeti(L, 1, 1);
    lua_rawgeti(L, 1, 2);
    *slot = lua_tonumber(L, 4);
    if (lua_type(L, 4) != LUA_TNUMBER || !(*slot >= 0))
        tg__raise(L, "pairs: not a value of a record");
    return walked(L, 3, "pairs");
}

static void set_walk(lua_State *L, double slot)
{
    lua_pushnumber(L, slot);
    lua_rawseti(L, 1, 2);
}

static int fields_next(lua_State *L)
{
    tg_vm *vm = tg__vm_of(L);
    double slot;
    tg_node *node = walk_state(L, &slot);
    if ((node->kind != TG_MAP && node->kind != TG_STRUCT) || !(slot < node->n))
        return 0;
    uint32_t i = (uint32_t)slot;
    const tg_name *name = node->shape->names[i];
    size_t len;
    const char *key =
        lua_type(L, 2) == LUA_TSTRING ? lua_tolstring(L, 2, &len) : NULL;
    if (key && is_name(name, key, len)) {
        set_walk(L, ++i);
        if (i >= node->n)
            return 0;
        name = node->shape->names[i];
    }
    lua_pushlstring(L, name->text, name->len);
    tg__push_slot(L, vm, node, i);
    return 2;
}

static int entries_next(lua_State *L)
{
    tg_vm *vm = tg__vm_of(L);
    double slot;
    tg_node *node = walk_state(L, &slot);
    if (node->kind != TG_PAIRS || !(slot + 1 < node->n))
        return 0;
    uint32_t i = (uint32_t)slot;
    if (!lua_isnil(L, 2)) {
        tg__push_slot(L, vm, node, i);
        if (lua_equal(L, 2, -1))
            set_walk(L, i += 2);
    }
    if (i + 1 >= node->n)
        return 0;
    tg__push_slot(L, vm, node, i);
    tg__push_slot(L, vm, node, i + 1);
    return 2;
}

static int call_original(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

static int start_walk(lua_State *L, lua_CFunction next)
{
    lua_pushcfunction(L, next);
    lua_createtable(L, 2, 0);
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, 1);
    lua_pushnumber(L, 0);
    lua_rawseti(L, -2, 2);
    return 2;
}

static int start_list(lua_State *L)
{
    lua_pushcfunction(L, ipairs_next);
    lua_pushvalue(L, 1);
    lua_pushnumber(L, 0);
    return 3;
}

int tg__classic_pairs(lua_State *L)
{
    void *p = lua_touserdata(L, 1);
    if (lua_type(L, 1) != LUA_TLIGHTUSERDATA || !p)
        return call_original(L);
    tg_vm *vm = tg__vm_of(L);
    if (tg__view_kind(p) == TG_VIEW_RECORD)
        return tg__raise(L, "a record cannot be walked; use pairs(r.value)");
    if (tg__view_kind(p) == TG_VIEW_HEADERS) {
        tg__check_record(L, vm, tg__view_address(p));
        return start_walk(L, tg__headers_next);
    }
    tg_node *node = p;
    tg__check_node(L, vm, node);
    if (node->kind == TG_ARRAY)
        return start_list(L);
    return start_walk(L, node->kind == TG_PAIRS ? entries_next : fields_next);
}

int tg__classic_ipairs(lua_State *L)
{
    void *p = lua_touserdata(L, 1);
    if (lua_type(L, 1) != LUA_TLIGHTUSERDATA || !p)
        return call_original(L);
    tg_node *node = tg__classic_node(L, 1);
    if (!node || node->kind != TG_ARRAY)
        return tg__raise(L, "ipairs needs an array, got a %s",
                         node ? "map" : "record");
    return start_list(L);
}
