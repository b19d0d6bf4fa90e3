/*
 * The Lua VM of a task: allocator, libraries, boot of the SDK, collector.
 *
 * Memory: all of Lua's memory goes through allocate(), which refuses what would
 * pass the limit; the refusal becomes Lua's "not enough memory" error. The
 * host's own work inside the VM (collecting, reporting an error) may use a
 * reserve above the limit, since a refusal there has no protected call around
 * it. A VM that was refused memory is dead after the running call: this LuaJIT
 * may leave a wrong frame when compiled code runs out of memory.
 *
 * Order matters: the profiler must be in line mode and loopunroll must be set
 * before any Lua code runs, since traces keep the settings they were made with.
 *
 * Thread: the script thread; tg_vm_interrupt (watchdog.c) is the exception.
 */
#include "script/internal.h"
#include "base/config.h"
#include "base/file.h"
#include "base/log.h"
#include "convert/converter.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    RESERVE = 2 * 1024 * 1024,
    BOOT_MAX = 4 * 1024 * 1024,
    IDLE_GROWTH = 128 * 1024
};

static void *allocate(void *ud, void *p, size_t osize, size_t nsize)
{
    tg_vm *vm = ud;
    if (nsize == 0) {
        free(p);
        vm->used -= p ? osize : 0;
        return NULL;
    }
    size_t old = p ? osize : 0;
    if (vm->max && nsize > old) {
        size_t limit = vm->max + (vm->reserve > 0 ? RESERVE : 0);
        if (vm->used - old + nsize > limit) {
            vm->oom = true;
            return NULL;
        }
    }
    void *q = realloc(p, nsize);
    if (q)
        vm->used += nsize - old;
    else
        vm->oom = true;
    return q;
}

/* An error outside of every protected call: a bug of this folder. */
static int at_panic(lua_State *L)
{
    const char *text = lua_tostring(L, -1);
    tg_log_write(TG_LOG_FATAL, "script",
                 "unprotected Lua error: %s; the process ends",
                 text ? text : "(no text)");
    abort();
    return 0;
}

tg_vm *tg__vm_of(lua_State *L)
{
    void *ud;
    lua_getallocf(L, &ud);
    return ud;
}

static void open_library(lua_State *L, const char *name, lua_CFunction fn)
{
    lua_pushcfunction(L, fn);
    lua_pushstring(L, name);
    lua_call(L, 1, 0);
}

/* What the trusted side (SDK and connectors) may use; transforms get the
 * environment that sandbox.lua builds from it. */
static void open_libraries(lua_State *L)
{
    static const luaL_Reg libs[] = {
        {"", luaopen_base},
        {LUA_LOADLIBNAME, luaopen_package},
        {LUA_TABLIBNAME, luaopen_table},
        {LUA_STRLIBNAME, luaopen_string},
        {LUA_MATHLIBNAME, luaopen_math},
        {LUA_BITLIBNAME, luaopen_bit},
        {LUA_JITLIBNAME, luaopen_jit},
        {LUA_IOLIBNAME, luaopen_io},
        {LUA_OSLIBNAME, luaopen_os},
        {LUA_DBLIBNAME, luaopen_debug},
        {NULL, NULL},
    };
    for (const luaL_Reg *lib = libs; lib->func; lib++)
        open_library(L, lib->name, lib->func);
    /* ffi is reached by require only, as in plain LuaJIT */
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "preload");
    lua_pushcfunction(L, luaopen_ffi);
    lua_setfield(L, -2, LUA_FFILIBNAME);
    lua_pop(L, 2);
}

static void run_text(lua_State *L, const char *text, const char *name, int nret)
{
    if (luaL_loadbuffer(L, text, strlen(text), name))
        lua_error(L);
    lua_call(L, 0, nret);
}

static void set_package_path(tg_vm *vm)
{
    lua_State *L = vm->L;
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "path");
    const char *rest = lua_tostring(L, -1);
    lua_pushfstring(L, "%s/lua/?.lua;%s/lua/?/init.lua;%s", vm->home, vm->home,
                    rest ? rest : "");
    lua_setfield(L, -3, "path");
    lua_pop(L, 2);
}

/* Everything that may raise while a VM is made; runs protected. */
static int setup(lua_State *L)
{
    tg_vm *vm = tg__vm_of(L);
    open_libraries(L);
    if (vm->jit)
        run_text(L, "jit.opt.start('loopunroll=100')", "=setup", 0);
    else
        luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    set_package_path(vm);
    run_text(L,
             "local ffi = require('ffi')\n"
             "return function(hi, lo)\n"
             "    return ffi.cast('int64_t', hi) * 4294967296LL + lo\n"
             "end",
             "=int64", 1);
    vm->ref_int64 = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

/* boot = chunk(host) */
static int boot(lua_State *L)
{
    tg_vm *vm = tg__vm_of(L);
    char *path = tg_sprintf("%s/lua/tidegate/boot.lua", vm->home);
    tg_err err = {0};
    size_t len;
    char *text = tg_file_read(path, BOOT_MAX, &len, &err);
    tg_free(path);
    if (!text)
        return luaL_error(L, "%s", err.text);
    int rc = luaL_loadbuffer(L, text, len, "@tidegate/boot.lua");
    tg_free(text);
    if (rc)
        return lua_error(L);
    lua_newtable(L);
    tg__host_open(vm);
    lua_pushvalue(L, -1);
    vm->ref_host = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_call(L, 1, 1);
    if (!lua_istable(L, -1))
        return luaL_error(L,
                          "lua/tidegate/boot.lua must return a table, "
                          "it returned a %s",
                          luaL_typename(L, -1));
    vm->ref_boot = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

static tg_vm *vm_alloc(const tg_vm_options *options)
{
    tg_vm *vm = tg_calloc(sizeof *vm);
    vm->max = options->memory_max;
    vm->page = options->page;
    vm->jit = options->jit;
    vm->plugin_path = options->plugin_path
                          ? json_deep_copy(options->plugin_path)
                          : json_array();
    vm->ref_boot = vm->ref_host = vm->ref_int64 = LUA_NOREF;
    vm->ref_enter = vm->ref_handler = LUA_NOREF;
    vm->ref_array = vm->ref_object = LUA_NOREF;
    return vm;
}

void tg_vm_free(tg_vm *vm)
{
    if (!vm)
        return;
    while (vm->instances)
        tg_instance_free(vm->instances);
    vm->reserve++;
    tg__watch_fini(vm);
    tg__crash_forget(vm);
    if (vm->L)
        lua_close(vm->L);
    json_decref(vm->plugin_path);
    tg_free(vm->home);
    tg_free(vm->sdk);
    tg_free(vm);
}

size_t tg_vm_memory(const tg_vm *vm)
{
    return vm->used;
}

/* One slice of a collection once the heap has grown, so that an idle task gives
 * memory back and a busy one does not collect twice. */
static int collect(lua_State *L)
{
    tg_vm *vm = tg__vm_of(L);
    if (vm->max && vm->used > vm->max / 4 * 3) {
        lua_gc(L, LUA_GCCOLLECT, 0);
        vm->settled = vm->used;
    } else if (lua_gc(L, LUA_GCSTEP, 32)) {
        vm->settled = vm->used;
    }
    return 0;
}

static int collect_all(lua_State *L)
{
    tg_vm *vm = tg__vm_of(L);
    lua_gc(L, LUA_GCCOLLECT, 0);
    vm->settled = vm->used;
    return 0;
}

void tg__vm_collect(tg_vm *vm)
{
    tg_err err;
    if (!vm->dead)
        tg__protect_quiet(vm, collect_all, NULL, &err);
}

static bool has_grown(tg_vm *vm)
{
    if (vm->used < vm->settled)
        vm->settled = vm->used;
    return vm->used > vm->settled + IDLE_GROWTH ||
           (vm->max && vm->used > vm->max / 4 * 3);
}

void tg_vm_idle(tg_vm *vm)
{
    tg_err err = {0};
    if (vm->dead)
        return;
    if (has_grown(vm) && tg__protect_quiet(vm, collect, NULL, &err))
        tg_warn("script", "a finalizer failed while collecting garbage: %s",
                err.text);
    if (vm->page)
        tg_page_set(vm->page->lua_bytes, (int64_t)vm->used);
}

tg_vm *tg_vm_new(const tg_vm_options *options, tg_err *err)
{
    const char *home = tg_home(err);
    if (!home)
        return NULL;
    tg_convert_init(); /* scripts may name converters: tide.raw */
    tg_vm *vm = vm_alloc(options);
    vm->home = tg_strdup(home);
    vm->sdk = tg_sprintf("@%s/lua/tidegate/", home);
    vm->reserve++; /* lua_newstate does not survive a refusal */
    vm->L = lua_newstate(allocate, vm);
    vm->reserve--;
    if (!vm->L) {
        tg_err_set(err, TG_ERR_LIMIT, "no memory for a Lua VM");
        goto fail;
    }
    lua_atpanic(vm->L, at_panic);
    if (tg__call_init(vm, err) || tg__watch_init(vm, options->timeout_ns, err))
        goto fail;
    tg__crash_watch(vm);
    if (tg__protect_quiet(vm, setup, NULL, err) ||
        tg__protect_quiet(vm, boot, NULL, err)) {
        tg_err_prefix(err, "cannot start the Lua SDK");
        goto fail;
    }
    tg__vm_collect(vm);
    if (vm->max && vm->used > vm->max) {
        tg_err_set(err, TG_ERR_LIMIT,
                   "the Lua SDK alone takes %zu bytes and the limit for Lua "
                   "is %zu; raise task.memory.max.mb",
                   vm->used, vm->max);
        goto fail;
    }
    return vm;
fail:
    tg_vm_free(vm);
    return NULL;
}
