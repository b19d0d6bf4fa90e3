/*
 * Versions of instances: the texts they are made of, the state that one hands
 * to the next. Everything is asked of boot.lua; a boot without these functions
 * (tests) has instances without texts and state.
 *
 * Thread: the script thread.
 */
#include "script/internal.h"
#include "base/log.h"

/* Pushes boot[name]; false when there is no such function. */
static bool push_boot(lua_State *L, const char *name)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, tg__vm_of(L)->ref_boot);
    lua_getfield(L, -1, name);
    lua_remove(L, -2);
    if (lua_isfunction(L, -1))
        return true;
    lua_pop(L, 1);
    return false;
}

void tg__read_texts(lua_State *L, tg_instance *inst)
{
    tg_texts_fini(&inst->texts);
    if (push_boot(L, "files")) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, inst->ref);
        lua_call(L, 1, 1);
        luaL_checktype(L, -1, LUA_TTABLE);
        for (int i = 1; i + 1 <= (int)lua_objlen(L, -1); i += 2) {
            size_t len = 0;
            lua_rawgeti(L, -1, i);
            lua_rawgeti(L, -2, i + 1);
            const char *path = lua_tostring(L, -2);
            const char *text = lua_tolstring(L, -1, &len);
            if (path && text)
                tg_texts_add(&inst->texts, path, text, len);
            lua_pop(L, 2);
        }
        lua_pop(L, 1);
    }
    tg_texts_hash(&inst->texts, inst->hash);
}

static int read_all(lua_State *L)
{
    tg_vm *vm = tg__vm_of(L);
    for (tg_instance *inst = vm->instances; inst; inst = inst->next)
        tg__read_texts(L, inst);
    return 0;
}

unsigned tg_vm_uses(tg_vm *vm)
{
    tg_err err = {0};
    if (vm->uses == vm->uses_seen || vm->dead)
        return vm->uses;
    vm->uses_seen = vm->uses;
    if (tg__protect_quiet(vm, read_all, NULL, &err))
        tg_warn("script", "the files of the plugins cannot be listed: %s",
                err.text);
    return vm->uses;
}

void tg_vm_flush(tg_vm *vm)
{
    if (!vm->dead)
        luaJIT_setmode(vm->L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_FLUSH);
}

void tg_vm_overlay(tg_vm *vm, const tg_texts *texts)
{
    vm->overlay = texts;
}

/* --- the last attempt ----------------------------------------------------- */

static int read_attempt(lua_State *L)
{
    json_t *paths = tg__arg(L);
    if (!push_boot(L, "attempt"))
        return 0;
    lua_call(L, 0, 1);
    luaL_checktype(L, -1, LUA_TTABLE);
    for (int i = 1; i <= (int)lua_objlen(L, -1); i += 2) {
        lua_rawgeti(L, -1, i);
        const char *path = lua_tostring(L, -1);
        if (path && *path)
            json_array_append_new(paths, json_string(path));
        lua_pop(L, 1);
    }
    return 0;
}

json_t *tg_vm_attempt(tg_vm *vm)
{
    json_t *paths = json_array();
    tg_err err = {0};
    if (!vm->dead && tg__protect_quiet(vm, read_attempt, paths, &err))
        tg_debug("script", "the files of a failed version are not known: %s",
                 err.text);
    return paths;
}

/* --- state ---------------------------------------------------------------- */

typedef struct state_call {
    tg_instance *inst;
    tg_buf *out;
} state_call;

static int read_state(lua_State *L)
{
    state_call *c = tg__arg(L);
    if (!push_boot(L, "state"))
        return 0;
    lua_rawgeti(L, LUA_REGISTRYINDEX, c->inst->ref);
    lua_call(L, 1, 1);
    size_t len = 0;
    const char *text = lua_tolstring(L, -1, &len);
    if (text)
        tg_buf_add(c->out, text, len);
    return 0;
}

int tg_instance_state(tg_instance *inst, tg_buf *out, tg_err *err)
{
    state_call c = {inst, out};
    return tg__protect(inst->vm, read_state, &c, err);
}

/* --- answers -------------------------------------------------------------- */

const tg_texts *tg_instance_texts(const tg_instance *inst)
{
    return &inst->texts;
}

const char *tg_instance_hash(const tg_instance *inst)
{
    return inst->hash;
}

const char *tg_instance_file(const tg_instance *inst)
{
    return inst->file ? inst->file : "";
}

typedef struct passed_call {
    tg_instance *inst;
    int64_t passed;
} passed_call;

static int read_passed(lua_State *L)
{
    passed_call *c = tg__arg(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, c->inst->ref);
    lua_getfield(L, -1, "predicate");
    bool any = !lua_isnil(L, -1);
    lua_getfield(L, -2, "passed");
    if (any && lua_isnumber(L, -1))
        c->passed = (int64_t)lua_tonumber(L, -1);
    return 0;
}

int64_t tg_instance_passed(tg_instance *inst)
{
    passed_call c = {inst, -1};
    tg_err err = {0};
    return tg__protect_quiet(inst->vm, read_passed, &c, &err) ? -1 : c.passed;
}
