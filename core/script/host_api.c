/*
 * The host table: what the trusted Lua side (lua/tidegate) asks of C besides
 * the FFI functions. Everything here may raise Lua errors or wait, which is why
 * it is classic C and not FFI.
 *
 *   cdef, jit, home, plugin_path, version    values
 *   array, object, null                      JSON markers (json_lua.c)
 *   log(level, text)                         level: number of base/log.h
 *   readfile(path)                           text | nil, message
 *   listdir(path)                            sorted names | nil, message
 *   stat(path)                               {type, size, mtime, ino} | nil
 *   compile(text, chunkname, env)            function | nil, message; never
 *                                            bytecode; env may be nil
 *   sleep(ms)                                true, or false when the task stops
 *   now_ms()                                 wall clock
 *   json_encode(v), json_decode(text)        text | nil, message
 *   is_array(t)                              has the array marker
 *   uses_changed()                           an instance loaded another file
 *   batch_slot(cdata)                        a tg_batch *[1]: C writes it, and
 * puts back what it held outside a call adopt(t), put_table(...) view.lua
 * describes them position(level)                          "file.lua:12" of user
 * code | nil classic                                  classic.c
 *
 * Thread: the script thread.
 */
#include "script/internal.h"
#include "base/file.h"
#include "base/log.h"
#include "host/services.h"
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { FILE_MAX = 64 * 1024 * 1024, SLICE_MS = 20 };

static int failed(lua_State *L, const char *text)
{
    lua_pushnil(L);
    lua_pushstring(L, text);
    return 2;
}

static int host_log(lua_State *L)
{
    int level = (int)luaL_checkinteger(L, 1);
    const char *text = luaL_checkstring(L, 2);
    tg_vm *vm = tg__vm_of(L);
    if (level >= TG_LOG_OFF)
        level = TG_LOG_FATAL;
    const char *module = vm->at && vm->at->name ? vm->at->name : "script";
    tg_log_at(level, module, "%s", text);
    return 0;
}

static int host_readfile(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    const tg_texts *overlay = tg__vm_of(L)->overlay;
    const tg_text *given = overlay ? tg_texts_find(overlay, path) : NULL;
    tg_err err = {0};
    size_t len;
    if (given) {
        lua_pushlstring(L, given->text, given->len);
        return 1;
    }
    char *text = tg_file_read(path, FILE_MAX, &len, &err);
    if (!text)
        return failed(L, err.text);
    char **slot = lua_newuserdata(L, sizeof *slot);
    *slot = text;
    luaL_getmetatable(L, "tidegate.text");
    lua_setmetatable(L, -2); /* frees it if the push runs out of memory */
    lua_pushlstring(L, text, len);
    tg_free(text);
    *slot = NULL;
    return 1;
}

static int text_gc(lua_State *L)
{
    char **slot = lua_touserdata(L, 1);
    tg_free(*slot);
    *slot = NULL;
    return 0;
}

static int skip_dots(const struct dirent *e)
{
    return strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
}

typedef struct listing {
    struct dirent **names;
    int n;
} listing;

static void listing_free(listing *list)
{
    for (int i = 0; i < list->n; i++)
        free(list->names[i]);
    free(list->names);
    *list = (listing){0};
}

static int listing_gc(lua_State *L)
{
    listing_free(lua_touserdata(L, 1));
    return 0;
}

static int host_listdir(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    listing *list = lua_newuserdata(L, sizeof *list);
    *list = (listing){0};
    luaL_getmetatable(L, "tidegate.listing");
    lua_setmetatable(L, -2);
    int n = scandir(path, &list->names, skip_dots, alphasort);
    if (n < 0) {
        lua_pushnil(L);
        lua_pushfstring(L, "cannot list folder %s: %s", path, strerror(errno));
        return 2;
    }
    list->n = n;
    lua_createtable(L, n, 0);
    for (int i = 0; i < n; i++) {
        lua_pushstring(L, list->names[i]->d_name);
        lua_rawseti(L, -2, i + 1);
    }
    listing_free(list);
    return 1;
}

static int host_stat(lua_State *L)
{
    struct stat st;
    if (stat(luaL_checkstring(L, 1), &st))
        return failed(L, strerror(errno));
    lua_createtable(L, 0, 4);
    lua_pushstring(L, S_ISREG(st.st_mode)   ? "file"
                      : S_ISDIR(st.st_mode) ? "directory"
                                            : "other");
    lua_setfield(L, -2, "type");
    lua_pushnumber(L, (double)st.st_size);
    lua_setfield(L, -2, "size");
    lua_pushnumber(L, (double)st.st_mtim.tv_sec +
                          (double)st.st_mtim.tv_nsec / 1e9);
    lua_setfield(L, -2, "mtime");
    lua_pushnumber(L, (double)st.st_ino);
    lua_setfield(L, -2, "ino");
    return 1;
}

static int host_compile(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    const char *name = luaL_checkstring(L, 2);
    if (!lua_isnoneornil(L, 3))
        luaL_checktype(L, 3, LUA_TTABLE);
    if (len && *text == '\033') {
        lua_pushnil(L);
        lua_pushfstring(L, "%s: bytecode is not accepted; give the source text",
                        *name == '@' || *name == '=' ? name + 1 : "load");
        return 2;
    }
    if (luaL_loadbufferx(L, text, len, name, "t")) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    if (lua_istable(L, 3)) {
        lua_pushvalue(L, 3);
        lua_setfenv(L, -2);
    }
    return 1;
}

static int host_sleep(lua_State *L)
{
    double ms = luaL_checknumber(L, 1);
    luaL_argcheck(L, ms >= 0 && ms < 1e12, 1,
                  "milliseconds must be a number >= 0");
    int64_t begin = tg_clock_ns(), end = begin + (int64_t)(ms * 1e6);
    bool stopping = tg_task_stopping();
    tg_vm *vm = tg__vm_of(L);
    tg_pause pause = {0};
    tg__watch_pause(vm, &pause);
    for (int64_t now = begin;
         !stopping && now < end && !atomic_load(&vm->watch.overdue);) {
        int64_t left = (end - now + 999999) / 1000000;
        poll(NULL, 0, left < SLICE_MS ? (int)left : SLICE_MS);
        now = tg_clock_ns();
        stopping = tg_task_stopping();
    }
    tg__watch_resume(vm, &pause);
    lua_pushboolean(L, !stopping);
    return 1;
}

static int host_now_ms(lua_State *L)
{
    lua_pushnumber(L, (double)tg_clock_wall_ms());
    return 1;
}

static int encode_value(lua_State *L)
{
    char **slot = lua_newuserdata(L, sizeof *slot);
    *slot = NULL;
    luaL_getmetatable(L, "tidegate.text");
    lua_setmetatable(L, -2);
    json_t *v = tg__json_read(L, 1);
    *slot = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
    json_decref(v);
    if (!*slot)
        return luaL_error(L, "value cannot become JSON");
    lua_pushstring(L, *slot);
    free(*slot);
    *slot = NULL;
    return 1;
}

static int host_json_encode(lua_State *L)
{
    lua_settop(L, 1);
    lua_pushcfunction(L, encode_value);
    lua_insert(L, 1);
    if (lua_pcall(L, 1, 1, 0)) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    return 1;
}

static int json_gc(lua_State *L)
{
    json_t **slot = lua_touserdata(L, 1);
    json_decref(*slot);
    *slot = NULL;
    return 0;
}

static int host_json_decode(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    json_error_t e;
    json_t **slot = lua_newuserdata(L, sizeof *slot);
    *slot = NULL;
    luaL_getmetatable(L, "tidegate.jsonref");
    lua_setmetatable(L, -2);
    *slot = json_loadb(text, len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &e);
    if (!*slot) {
        lua_pushnil(L);
        lua_pushfstring(L, "invalid JSON at line %d, column %d: %s", e.line,
                        e.column, e.text);
        return 2;
    }
    tg__json_push(L, *slot);
    json_decref(*slot);
    *slot = NULL;
    return 1;
}

static int host_is_array(lua_State *L)
{
    bool is = false;
    if (lua_istable(L, 1) && lua_getmetatable(L, 1)) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, tg__vm_of(L)->ref_array);
        is = lua_rawequal(L, -1, -2);
    }
    lua_pushboolean(L, is);
    return 1;
}

static int host_uses_changed(lua_State *L)
{
    tg__vm_of(L)->uses++;
    return 0;
}

static int host_batch_slot(lua_State *L)
{
    if (lua_type(L, 1) != TG_LUA_TCDATA)
        return luaL_argerror(L, 1, "tg_batch *[1] expected");
    tg_vm *vm = tg__vm_of(L);
    vm->slot = (tg_batch **)lua_topointer(L, 1);
    vm->slot_none = *vm->slot;
    if (vm->batch)
        *vm->slot = vm->batch;
    lua_settop(L, 1);
    luaL_ref(L, LUA_REGISTRYINDEX); /* it must not be collected */
    return 0;
}

static int host_position(lua_State *L)
{
    char at[256];
    if (!tg__user_position(L, (int)luaL_optinteger(L, 1, 1), at, sizeof at))
        return 0;
    lua_pushstring(L, at);
    return 1;
}

static void add_metatable(lua_State *L, const char *name, lua_CFunction gc)
{
    luaL_newmetatable(L, name);
    lua_pushcfunction(L, gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
}

static void add_marker(lua_State *L, int host, const char *name, int *ref)
{
    lua_newtable(L);
    lua_pushvalue(L, -1);
    *ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_setfield(L, host, name);
}

void tg__host_open(tg_vm *vm)
{
    static const luaL_Reg functions[] = {
        {"log", host_log},
        {"readfile", host_readfile},
        {"listdir", host_listdir},
        {"stat", host_stat},
        {"compile", host_compile},
        {"sleep", host_sleep},
        {"now_ms", host_now_ms},
        {"json_encode", host_json_encode},
        {"json_decode", host_json_decode},
        {"is_array", host_is_array},
        {"uses_changed", host_uses_changed},
        {"batch_slot", host_batch_slot},
        {"adopt", tg__adopt},
        {"put_table", tg__put_table},
        {"position", host_position},
        {NULL, NULL},
    };
    lua_State *L = vm->L;
    int host = lua_gettop(L);
    add_metatable(L, "tidegate.text", text_gc);
    add_metatable(L, "tidegate.listing", listing_gc);
    add_metatable(L, "tidegate.jsonref", json_gc);
    luaL_register(L, NULL, functions);
    add_marker(L, host, "array", &vm->ref_array);
    add_marker(L, host, "object", &vm->ref_object);
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, host, "null");
    lua_pushstring(L, tg_ffi_cdef);
    lua_setfield(L, host, "cdef");
    lua_pushboolean(L, vm->jit);
    lua_setfield(L, host, "jit");
    lua_pushstring(L, vm->home);
    lua_setfield(L, host, "home");
    lua_pushliteral(L, TG_VERSION);
    lua_setfield(L, host, "version");
    tg__json_push(L, vm->plugin_path);
    lua_setfield(L, host, "plugin_path");
    tg__classic_open(vm);
    lua_setfield(L, host, "classic");
}
