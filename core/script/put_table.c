/*
 * Lua values and tables -> values of records. Both faces of the views use it
 * for tables; the classic one for everything. What is accepted is written in
 * lua/tidegate/view.lua ("VALUES, as written", "TABLES").
 *
 * Access is raw: no metamethod of a script runs in here, apart from the SDK's
 * own classify for cdata. Failures are statuses with the sentence in
 * tg_err_ffi(), as those of the functions of tidegate.h that this calls.
 *
 * Thread: the script thread.
 */
#include "script/internal.h"
#include "data/node.h"
#include "data/shape.h"
#include "host/services.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static int32_t refuse(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));

static int32_t refuse(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    tg_err_vset(tg_err_ffi(), TG_ERR_DATA, fmt, ap);
    va_end(ap);
    return TG_ERR_DATA;
}

/* "field 'x'", "element 3", "the value": for messages. Static per thread. */
static const char *place(const tg_target *to)
{
    static _Thread_local char text[160];
    const tg_name *name = to->name;
    if (to->cell)
        return "the value";
    if (!name && to->node->kind == TG_ARRAY)
        snprintf(text, sizeof text, "element %d", to->slot + 1);
    else if (!name && to->slot >= 0 && to->node->shape->names)
        name = to->node->shape->names[to->slot];
    if (name)
        snprintf(text, sizeof text, "field '%.100s'", name->text);
    else if (to->node->kind != TG_ARRAY)
        return "the entry";
    return text;
}

/* --- scalars ------------------------------------------------------------- */

static int32_t put_string(lua_State *L, const tg_target *to, int idx)
{
    size_t len;
    const char *p = lua_tolstring(L, idx, &len);
    if (len > INT32_MAX)
        return refuse("the string for %s has %zu bytes; at most 2 GB fit",
                      place(to), len);
    uint32_t n = (uint32_t)len;
    return to->cell ? tg_cell_put_text(to->cell, p, n)
                    : tg_put_text(to->node, to->slot, to->name, p, n);
}

static int32_t put_null(const tg_target *to)
{
    return to->cell ? tg_cell_put_null(to->cell)
                    : tg_put_null(to->node, to->slot, to->name);
}

static int32_t put_int64(const tg_target *to, int64_t i)
{
    return to->cell ? tg_cell_put_int64(to->cell, i)
                    : tg_put_int64(to->node, to->slot, to->name, i);
}

static int32_t put_copy(const tg_target *to, tg_node *from)
{
    tg_value v = {.tag = from->kind, .u.node = from};
    return to->cell ? tg_cell_put_copy(to->cell, &v)
                    : tg_put_copy(to->node, to->slot, to->name, &v);
}

/* --- tables -------------------------------------------------------------- */

/* First member of a wrapper such as {s}, a string. */
static const char *wrapped(lua_State *L, int idx, int i, size_t *len)
{
    lua_rawgeti(L, idx, i);
    const char *p =
        lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, len) : NULL;
    lua_pop(L, 1); /* the table holds it */
    return p;
}

static int32_t put_wrapped_bytes(lua_State *L, const tg_target *to, int idx)
{
    size_t len;
    const char *p = wrapped(L, idx, 1, &len);
    if (!p || len > INT32_MAX)
        return refuse("tide.bytes for %s holds no string", place(to));
    return to->cell
               ? tg_cell_put_bytes(to->cell, p, (uint32_t)len)
               : tg_put_bytes(to->node, to->slot, to->name, p, (uint32_t)len);
}

static int32_t put_wrapped_raw(lua_State *L, const tg_target *to, int idx)
{
    size_t len, clen;
    const char *p = wrapped(L, idx, 1, &len);
    const char *conv = wrapped(L, idx, 2, &clen);
    if (!to->cell)
        return refuse("tide.raw is for whole values, keys and headers, not "
                      "for %s",
                      place(to));
    if (!p || !conv || len > INT32_MAX)
        return refuse("tide.raw needs a converter name and a string");
    return tg_cell_put_encoded(to->cell, conv, p, (uint32_t)len);
}

static tg_node *put_container(const tg_target *to, int32_t kind)
{
    return to->cell ? tg_cell_put_node(to->cell, kind)
                    : tg_put_node(to->node, to->slot, to->name, kind);
}

static int32_t put_array(lua_State *L, const tg_target *to, int idx, int depth)
{
    tg_node *node = put_container(to, TG_ARRAY);
    if (!node)
        return tg_err_ffi()->code;
    int n = (int)lua_objlen(L, idx);
    for (int i = 0; i < n; i++) {
        lua_rawgeti(L, idx, i + 1);
        if (lua_isnil(L, -1))
            return refuse("element %d of the array for %s is nil; use "
                          "tide.null",
                          i + 1, place(to));
        tg_target item = {.node = node, .slot = i};
        int32_t rc = tg__put_lua(L, &item, lua_gettop(L), depth + 1);
        lua_pop(L, 1);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* batch: for a name that is not interned; NULL: interned. */
static const tg_name *name_of(tg_batch *batch, const char *key, size_t len)
{
    const tg_name *name;
    if (len > UINT16_MAX) {
        refuse("a field name of %zu bytes is too long", len);
        return NULL;
    }
    if (!batch || tg_text_check(key, len) >= 0)
        return tg_name_intern(key, (uint32_t)len); /* says what is wrong */
    name = tg_name_private(batch, key, (uint32_t)len);
    if (!name)
        refuse("the batch has no room for a field name");
    return name;
}

static int32_t put_field(lua_State *L, tg_node *node, const char *key,
                         size_t len, int idx, int depth)
{
    const tg_name *name = name_of(NULL, key, len);
    if (!name)
        return tg_err_ffi()->code;
    tg_target field = {
        .node = node, .slot = tg_slot_find(node, name), .name = name};
    return tg__put_lua(L, &field, idx, depth + 1);
}

static int compare_keys(const void *a, const void *b)
{
    const tg__key *x = a, *y = b;
    size_t n = x->len < y->len ? x->len : y->len;
    int c = memcmp(x->p, y->p, n);
    return c ? c : (x->len > y->len) - (x->len < y->len);
}

tg__key *tg__sorted_keys(lua_State *L, int idx, size_t *count)
{
    size_t n = 0, i = 0;
    for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1), n++)
        if (lua_type(L, -2) != LUA_TSTRING) {
            refuse("a table with a %s among its keys cannot be stored; a map "
                   "has strings as keys, an array 1..n without holes",
                   luaL_typename(L, -2));
            return NULL;
        }
    tg__key *keys = lua_newuserdata(L, (n + 1) * sizeof *keys);
    for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1), i++)
        keys[i].p = lua_tolstring(L, -2, &keys[i].len);
    qsort(keys, n, sizeof *keys, compare_keys);
    *count = n;
    return keys;
}

/* A few sites, by the name under which a table is stored: one that gets data as
 * keys leaves the budgets of the others and most of the decoders' alone. */
static tg_site *site_of(const tg_target *to)
{
    static tg_site sites[4];
    const tg_name *name = to->name;
    if (!name && to->node && to->slot >= 0 && to->node->shape->names)
        name = to->node->shape->names[to->slot];
    return &sites[name ? name->hash % 4 : 0];
}

/* Gives a new map of a tree without schema all its fields at once, null: one by
 * one, every part of the layout on the way would be a layout too. */
int32_t tg__lay_out(tg_node *node, tg_site *site, const tg__key *keys, size_t n)
{
    tg_batch *batch = node->cell->record->batch;
    const tg_name **names =
        tg_arena_alloc(batch->arena, n * sizeof *names); /* with the batch */
    tg_batch *own = tg_site_open(site) ? NULL : batch;
    tg_shape *shape = NULL;
    for (size_t i = 0; names && i < n; i++) {
        names[i] = name_of(own, keys[i].p, keys[i].len);
        if (!names[i])
            return tg_err_ffi()->code;
    }
    if (names)
        shape = tg_shape_intern(batch, site, names, (uint32_t)n);
    if (!shape)
        return refuse("the batch has no room for a table of %zu fields", n);
    if (tg_node_touch(node) || tg_node_reserve(node, (uint32_t)n))
        return tg_err_ffi()->code;
    for (size_t i = 0; i < n; i++)
        node->slots[i] = (tg_value){.tag = TG_NULL, .flags = TG_F_NEW};
    node->shape = shape;
    node->n = (uint32_t)n;
    return 0;
}

static int32_t put_map(lua_State *L, const tg_target *to, int idx, int depth)
{
    size_t n;
    tg__key *keys = tg__sorted_keys(L, idx, &n);
    if (!keys)
        return TG_ERR_DATA;
    tg_site *site = site_of(to);
    tg_node *node = put_container(to, TG_MAP);
    int32_t rc = node ? 0 : tg_err_ffi()->code;
    bool whole = node && node->kind == TG_MAP && node->n == 0 && n > 1 &&
                 !node->cell->schema;
    if (whole)
        rc = tg__lay_out(node, site, keys, n);
    for (size_t i = 0; i < n && rc >= 0; i++) {
        lua_pushlstring(L, keys[i].p, keys[i].len);
        lua_rawget(L, idx);
        int at = lua_gettop(L);
        tg_target field = {.node = node, .slot = (int32_t)i};
        rc = whole ? tg__put_lua(L, &field, at, depth + 1)
                   : put_field(L, node, keys[i].p, keys[i].len, at, depth);
        lua_pop(L, 1);
    }
    if (rc >= 0)
        return 0;
    if (whole) { /* none of the fields that have no value yet */
        node->n = 0;
        node->shape = tg_shape_empty();
    }
    return rc;
}

/* {name, value, name, value, ...} */
static int32_t put_ordered(lua_State *L, const tg_target *to, int idx,
                           int depth)
{
    int n = (int)lua_objlen(L, idx);
    if (n % 2)
        return refuse("an ordered map for %s needs pairs of name and value, "
                      "it has %d items",
                      place(to), n);
    tg_node *node = put_container(to, TG_MAP);
    if (!node)
        return tg_err_ffi()->code;
    for (int i = 1; i < n; i += 2) {
        size_t len;
        const char *p = wrapped(L, idx, i, &len);
        if (!p)
            return refuse("item %d of an ordered map must be a name (string)",
                          i);
        lua_rawgeti(L, idx, i + 1);
        if (lua_isnil(L, -1))
            return refuse("field '%.100s' of an ordered map is nil; use "
                          "tide.null",
                          p);
        int32_t rc = put_field(L, node, p, len, lua_gettop(L), depth);
        lua_pop(L, 1);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* The keys are 1..n and nothing else. */
static bool is_list(lua_State *L, int idx)
{
    size_t n = lua_objlen(L, idx), count = 0;
    for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1), count++)
        if (lua_type(L, -2) != LUA_TNUMBER) {
            lua_pop(L, 2);
            return false;
        }
    return count == n;
}

static int32_t put_plain(lua_State *L, const tg_target *to, int idx, int depth)
{
    lua_rawgeti(L, idx, 1);
    bool first = !lua_isnil(L, -1);
    lua_pop(L, 1);
    if (!first)
        return put_map(L, to, idx, depth);
    if (!is_list(L, idx))
        return refuse("the table for %s has an element 1 and also other keys "
                      "or holes; an array has the keys 1..n, a map strings",
                      place(to));
    return put_array(L, to, idx, depth);
}

int tg__marker(lua_State *L, int idx)
{
    const tg_vm *vm = tg__vm_of(L);
    int found = -1;
    if (!lua_getmetatable(L, idx))
        return -1;
    for (int i = -2; i < TG_MARKS && found < 0; i++) {
        int ref = i == -2   ? vm->ref_array
                  : i == -1 ? vm->ref_object
                            : vm->sdk_refs.markers[i];
        if (i >= 0 && !vm->sdk_refs.given)
            break;
        lua_rawgeti(L, LUA_REGISTRYINDEX, ref);
        if (lua_rawequal(L, -1, -2))
            found = i == -2 ? TG_MARK_ARRAY : i == -1 ? TG_MARK_MAP : i;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return found;
}

static int32_t put_any_table(lua_State *L, const tg_target *to, int idx,
                             int depth)
{
    if (depth >= TG_MAX_DEPTH || !lua_checkstack(L, 24))
        return refuse("the table for %s is nested deeper than %d levels, or "
                      "contains itself",
                      place(to), TG_MAX_DEPTH);
    int top = lua_gettop(L);
    int32_t rc;
    switch (tg__marker(L, idx)) {
    case TG_MARK_ARRAY:
        rc = put_array(L, to, idx, depth);
        break;
    case TG_MARK_MAP:
        rc = put_map(L, to, idx, depth);
        break;
    case TG_MARK_ORDERED:
        rc = put_ordered(L, to, idx, depth);
        break;
    case TG_MARK_BYTES:
        rc = put_wrapped_bytes(L, to, idx);
        break;
    case TG_MARK_RAW:
        rc = put_wrapped_raw(L, to, idx);
        break;
    case TG_MARK_TYPED:
        rc = tg__put_typed(L, to, idx);
        break;
    case TG_MARK_DECIMAL:
        rc = tg__put_decimal(L, to, idx);
        break;
    default:
        rc = put_plain(L, to, idx, depth);
        break;
    }
    lua_settop(L, top);
    return rc;
}

static int32_t put_cdata(lua_State *L, const tg_target *to, int idx)
{
    int64_t i;
    tg_node *from;
    switch (tg__classify(L, idx, &i, &from)) {
    case TG_CDATA_NULL:
        return put_null(to);
    case TG_CDATA_INT64:
        return put_int64(to, i);
    case TG_CDATA_VIEW:
        return put_copy(to, from);
    default:
        return refuse("cannot store this cdata in %s", place(to));
    }
}

int32_t tg__put_lua(lua_State *L, const tg_target *to, int idx, int depth)
{
    tg_node *from;
    double d;
    switch (lua_type(L, idx)) {
    case LUA_TBOOLEAN:
        return to->cell ? tg_cell_put_bool(to->cell, lua_toboolean(L, idx))
                        : tg_put_bool(to->node, to->slot, to->name,
                                      lua_toboolean(L, idx));
    case LUA_TNUMBER:
        d = lua_tonumber(L, idx);
        return to->cell ? tg_cell_put_number(to->cell, d)
                        : tg_put_number(to->node, to->slot, to->name, d);
    case LUA_TSTRING:
        return put_string(L, to, idx);
    case LUA_TTABLE:
        return put_any_table(L, to, idx, depth);
    case TG_LUA_TCDATA:
        return put_cdata(L, to, idx);
    case LUA_TLIGHTUSERDATA:
        if (!lua_touserdata(L, idx))
            return put_null(to);
        from = tg__classic_node(L, idx);
        if (from)
            return put_copy(to, from);
        return refuse("cannot store a record in %s; store r.value", place(to));
    default:
        break;
    }
    return refuse("cannot store a %s in %s", luaL_typename(L, idx), place(to));
}

int tg__put_table(lua_State *L)
{
    void *p = tg__address(L, 1);
    bool is_cell = lua_toboolean(L, 2);
    tg_target to = {.slot = (int32_t)luaL_checkinteger(L, 3)};
    luaL_checktype(L, 5, LUA_TTABLE);
    lua_settop(L, 5);
    luaL_argcheck(L, p != NULL, 1, "NULL pointer");
    if (is_cell)
        to.cell = p;
    else
        to.node = p;
    if (!is_cell && lua_isstring(L, 4)) {
        size_t len;
        const char *name = lua_tolstring(L, 4, &len);
        to.name = tg_name_intern(name, (uint32_t)len);
    }
    int32_t rc = tg__put_lua(L, &to, 5, 0);
    if (rc < 0) {
        lua_pushnil(L);
        lua_pushstring(L, tg_ffi_error());
        return 2;
    }
    lua_pushboolean(L, true);
    return 1;
}
