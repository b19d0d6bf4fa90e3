/*
 * Protected calls from C into Lua, and the shape of their errors.
 *
 * Every entry goes through enter(), whose closure is made once, so that
 * entering allocates nothing outside the protected call. The message handler
 * runs at the place of the error: it writes the finished tg_err at once, with
 * the first frame of user code as position (frames of the SDK are where a
 * mistake is noticed, not where it is made) and the traceback.
 *
 * Errors are strings, or tables {message, code, retriable, fatal} that the SDK
 * raises when the kind matters.
 *
 * Thread: the script thread.
 */
#include "script/internal.h"
#include "base/log.h"
#include <ctype.h>
#include <stdio.h>

enum { POSITION_MAX = 160 };

static bool starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* The SDK itself; its stock transforms and predicates count as user code. */
static bool is_sdk(const tg_vm *vm, const char *source)
{
    const char *rest;
    if (starts_with(source, "@tidegate/"))
        rest = source + strlen("@tidegate/");
    else if (vm->sdk && starts_with(source, vm->sdk))
        rest = source + strlen(vm->sdk);
    else
        return false;
    return !starts_with(rest, "transforms/") &&
           !starts_with(rest, "predicates/");
}

static bool frame_position(lua_State *L, int level, char *out, size_t size,
                           bool *sdk)
{
    lua_Debug ar;
    if (!lua_getstack(L, level, &ar))
        return false;
    *out = '\0';
    *sdk = true;
    lua_getinfo(L, "Sl", &ar);
    if (ar.currentline <= 0)
        return true;
    *sdk = is_sdk(tg__vm_of(L), ar.source);
    snprintf(out, size, "%s:%d", ar.short_src, ar.currentline);
    return true;
}

bool tg__user_position(lua_State *L, int level, char *out, size_t size)
{
    bool sdk;
    for (; frame_position(L, level, out, size, &sdk); level++)
        if (*out && !sdk)
            return true;
    *out = '\0';
    return false;
}

/* "name:12: " at the start of text: its length, else 0. */
static size_t position_length(const char *text)
{
    for (const char *p = text; *p && *p != '\n' && p - text < POSITION_MAX; p++)
        if (*p == ':' && isdigit((unsigned char)p[1])) {
            const char *q = p + 1;
            while (isdigit((unsigned char)*q))
                q++;
            if (p > text && q[0] == ':' && q[1] == ' ')
                return (size_t)(q + 2 - text);
        }
    return 0;
}

/* Drops the positions of SDK frames from the start of the text, so that the
 * user's place can stand there. True when a user's position remains. */
static bool strip_position(lua_State *L, const char **text)
{
    for (;;) {
        size_t len = position_length(*text);
        if (!len)
            return false;
        char at[POSITION_MAX];
        bool sdk, found = false;
        for (int level = 1; frame_position(L, level, at, sizeof at, &sdk);
             level++)
            if (*at && sdk && strlen(at) + 2 == len &&
                strncmp(*text, at, len - 2) == 0) {
                found = true;
                break;
            }
        if (!found)
            return true;
        *text += len;
    }
}

static bool table_flag(lua_State *L, int idx, const char *key)
{
    lua_pushstring(L, key);
    lua_rawget(L, idx);
    bool set = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return set;
}

/* Text of the error object at idx; leaves it on the stack. */
static const char *error_text(lua_State *L, int idx, tg_err *err)
{
    if (lua_type(L, idx) == LUA_TSTRING || lua_type(L, idx) == LUA_TNUMBER)
        lua_pushvalue(L, idx);
    else if (lua_istable(L, idx)) {
        lua_pushliteral(L, "code");
        lua_rawget(L, idx);
        if (lua_isnumber(L, -1) && lua_tointeger(L, -1) < 0)
            err->code = (int)lua_tointeger(L, -1);
        lua_pop(L, 1);
        err->retriable = table_flag(L, idx, "retriable");
        err->fatal = table_flag(L, idx, "fatal");
        lua_pushliteral(L, "message");
        lua_rawget(L, idx);
    } else
        lua_pushnil(L);
    if (!lua_isstring(L, -1)) {
        lua_pop(L, 1);
        if (!luaL_callmeta(L, idx, "__tostring"))
            lua_pushfstring(L,
                            "the script raised a %s value as its error; "
                            "raise a string",
                            luaL_typename(L, idx));
    }
    const char *text = lua_tostring(L, -1);
    return text ? text : "(error without text)";
}

/* lua_pcall's message handler. */
static int shape_error(lua_State *L)
{
    tg_vm *vm = tg__vm_of(L);
    tg_err *err = vm->err;
    lua_sethook(L, NULL, 0, 0);
    lua_settop(L, 1);
    if (!err)
        return 1;
    vm->reserve++;
    tg_err_clear(err);
    err->code = TG_ERR_SCRIPT;
    const char *text = error_text(L, 1, err);
    bool plain = err->code != TG_ERR_SCRIPT; /* about settings and the like */
    int code = err->code;
    bool retriable = err->retriable, fatal = err->fatal;
    char at[POSITION_MAX] = "";
    if (!plain && !strip_position(L, &text) &&
        tg__user_position(L, 1, at, sizeof at))
        tg_err_set(err, code, "%s: %s", at, text);
    else
        tg_err_set(err, code, "%s", text);
    err->retriable = retriable;
    err->fatal = fatal;
    luaL_traceback(L, L, NULL, 1);
    tg_err_trace(err, "%s", lua_tostring(L, -1));
    vm->shaped = true;
    vm->reserve--;
    return 1;
}

static int enter(lua_State *L)
{
    return tg__vm_of(L)->entry(L);
}

static int make_refs(lua_State *L)
{
    tg_vm *vm = tg__vm_of(L);
    lua_pushcfunction(L, enter);
    vm->ref_enter = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushcfunction(L, shape_error);
    vm->ref_handler = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

int tg__call_init(tg_vm *vm, tg_err *err)
{
    vm->reserve++;
    int rc = lua_cpcall(vm->L, make_refs, NULL);
    vm->reserve--;
    lua_settop(vm->L, 0);
    return rc ? tg_err_set(err, TG_ERR_LIMIT,
                           "a new Lua VM ran out of memory at once; raise "
                           "task.memory.max.mb")
              : 0;
}

void *tg__arg(lua_State *L)
{
    return tg__vm_of(L)->entry_ud;
}

static int call_failed(tg_vm *vm, int rc, tg_err *err)
{
    lua_State *L = vm->L;
    if (vm->shaped && rc == LUA_ERRRUN)
        return err->code;
    if (rc == LUA_ERRERR)
        return tg_err_set(err, TG_ERR_SCRIPT,
                          "the script failed, and reporting that failed too; "
                          "look for an error in a __tostring or in deep "
                          "recursion");
    const char *text = lua_isstring(L, -1) ? lua_tostring(L, -1) : NULL;
    return tg_err_set(err, TG_ERR_SCRIPT, "%s", text ? text : "unknown error");
}

static int out_of_memory(tg_vm *vm, tg_err *err)
{
    char trace[sizeof err->trace];
    memcpy(trace, err->trace, sizeof trace);
    vm->dead = true;
    tg_err_set(err, TG_ERR_LIMIT,
               "the script needs more memory than its limit of %zu bytes%s%s; "
               "raise task.memory.max.mb or keep less in memory",
               vm->max, vm->at ? ", in " : "", vm->at ? vm->at->name : "");
    memcpy(err->trace, trace, sizeof trace);
    err->fatal = true;
    return err->code;
}

/* The call was stopped, whatever the script made of the error. */
static int overdue(tg_vm *vm, int rc, tg_err *err)
{
    char other[256] = "", trace[sizeof err->trace] = "";
    const char *at = vm->watch.at;
    if (rc && vm->shaped) {
        memcpy(trace, err->trace, sizeof trace);
        if (!strstr(err->text, TG_OVERDUE))
            snprintf(other, sizeof other, " (it ended with: %.200s)",
                     err->text);
    }
    if (vm->watch.limit)
        tg_err_set(err, TG_ERR_TIMEOUT,
                   "%s%s" TG_OVERDUE " of %lld ms (task.script.timeout.ms)%s",
                   at, *at ? ": " : "", (long long)(vm->watch.limit / 1000000),
                   other);
    else
        tg_err_set(err, TG_ERR_TIMEOUT, "%s%s" TG_OVERDUE "%s", at,
                   *at ? ": " : "", other);
    memcpy(err->trace, trace, sizeof trace);
    return err->code;
}

static int refuse_dead(const tg_vm *vm, tg_err *err)
{
    return tg_err_set(err, TG_ERR_STATE,
                      "this Lua VM ran out of memory (limit %zu bytes) and "
                      "cannot be used any more; restart the task",
                      vm->max);
}

static int protect(tg_vm *vm, lua_CFunction fn, void *ud, tg_err *err)
{
    lua_State *L = vm->L;
    int top = lua_gettop(L);
    int reserve = vm->reserve; /* an error inside the handler skips its end */
    vm->entry = fn;
    vm->entry_ud = ud;
    vm->shaped = false;
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->ref_handler);
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->ref_enter);
    int rc = lua_pcall(L, 0, 0, top + 1);
    vm->reserve = reserve;
    if (rc)
        call_failed(vm, rc, err);
    lua_settop(L, top);
    return rc;
}

int tg__protect(tg_vm *vm, lua_CFunction fn, void *ud, tg_err *err)
{
    tg_err scratch;
    if (!err)
        err = &scratch;
    if (vm->dead)
        return refuse_dead(vm, err);
    tg_err *outer = vm->err;
    tg_err_clear(err);
    vm->err = err;
    vm->oom = false;
    tg__watch_begin(vm);
    int rc = protect(vm, fn, ud, err);
    bool late = tg__watch_end(vm);
    vm->err = outer;
    if (vm->oom)
        return out_of_memory(vm, err);
    if (late)
        return overdue(vm, rc, err);
    return rc ? err->code : 0;
}

int tg__protect_quiet(tg_vm *vm, lua_CFunction fn, void *ud, tg_err *err)
{
    tg_err *outer = vm->err;
    tg_err_clear(err);
    vm->err = err;
    vm->reserve++;
    int rc = protect(vm, fn, ud, err);
    vm->reserve--;
    vm->err = outer;
    return rc ? err->code : 0;
}
