/*
 * Questions about plugins: find, list, validate, split into tasks. Each is one
 * call of a function of the table that boot.lua returned, with JSON in and out.
 *
 * Thread: the script thread.
 */
#include "script/internal.h"

enum { MAX_ARGS = 4 };

/* One call of boot[name](args...): values in, at most two JSON values out. */
typedef struct question {
    const char *name;
    const char *texts[2];    /* leading string arguments, NULL ends */
    const json_t *values[2]; /* then JSON arguments, NULL ends */
    int max;                 /* then a number, 0: none */
    json_t *answers[2];      /* new references */
    tg_err *err;
} question;

static int push_args(lua_State *L, const question *q)
{
    int n = 0;
    for (int i = 0; i < 2 && q->texts[i]; i++, n++)
        lua_pushstring(L, q->texts[i]);
    for (int i = 0; i < 2 && q->values[i]; i++, n++)
        tg__json_push(L, q->values[i]);
    if (q->max) {
        lua_pushinteger(L, q->max);
        n++;
    }
    return n;
}

/* A question whose first answer is nil failed with a message. */
static int refuse(lua_State *L, int at)
{
    lua_newtable(L);
    lua_pushvalue(L, at + 1);
    lua_setfield(L, -2, "message");
    lua_pushinteger(L, TG_ERR_NOTFOUND);
    lua_setfield(L, -2, "code");
    return lua_error(L);
}

static int ask(lua_State *L)
{
    question *q = tg__arg(L);
    luaL_checkstack(L, MAX_ARGS + 8, "asking the SDK");
    lua_rawgeti(L, LUA_REGISTRYINDEX, tg__vm_of(L)->ref_boot);
    lua_getfield(L, -1, q->name);
    if (!lua_isfunction(L, -1))
        return luaL_error(L, "lua/tidegate/boot.lua has no function '%s'",
                          q->name);
    int at = lua_gettop(L);
    lua_call(L, push_args(L, q), 2);
    if (lua_isnil(L, at))
        return refuse(L, at);
    for (int i = 0; i < 2; i++)
        if (!lua_isnil(L, at + i))
            q->answers[i] = tg__json_read(L, at + i);
    return 0;
}

static int put_question(tg_vm *vm, question *q, tg_err *err)
{
    vm->at = NULL; /* what is logged now is of no instance */
    if (vm->page)
        tg_page_set(vm->page->at, TG_AT_LOAD);
    int rc = tg__protect(vm, ask, q, err);
    if (vm->page)
        tg_page_set(vm->page->at, TG_AT_IDLE);
    if (rc == 0)
        return 0;
    for (int i = 0; i < 2; i++) {
        json_decref(q->answers[i]);
        q->answers[i] = NULL;
    }
    return rc;
}

int tg_plugin_find(tg_vm *vm, const char *kind, const char *class_name,
                   json_t **info, tg_err *err)
{
    question q = {.name = "find", .texts = {kind, class_name}};
    int rc = put_question(vm, &q, err);
    json_decref(q.answers[1]);
    *info = q.answers[0];
    return rc;
}

/* An empty Lua table reads as an object; these answers are arrays. */
static json_t *as_array(json_t *v)
{
    if (json_is_array(v))
        return v;
    json_decref(v);
    return json_array();
}

json_t *tg_plugin_list(tg_vm *vm)
{
    question q = {.name = "list"};
    tg_err err;
    put_question(vm, &q, &err);
    json_decref(q.answers[1]);
    return as_array(q.answers[0]);
}

int tg_plugin_validate(tg_vm *vm, const char *kind, const char *class_name,
                       const json_t *config, const json_t *known,
                       json_t **errors, json_t **warnings, tg_err *err)
{
    json_t *none = known ? NULL : json_array();
    question q = {.name = "validate",
                  .texts = {kind, class_name},
                  .values = {config, known ? known : none}};
    int rc = put_question(vm, &q, err);
    json_decref(none);
    *errors = rc ? NULL : as_array(q.answers[0]);
    *warnings = rc ? NULL : as_array(q.answers[1]);
    return rc;
}

int tg_plugin_lint(tg_vm *vm, const char *kind, const char *class_name,
                   json_t **warnings, tg_err *err)
{
    question q = {.name = "lint", .texts = {kind, class_name}};
    int rc = put_question(vm, &q, err);
    json_decref(q.answers[1]);
    *warnings = rc ? NULL : as_array(q.answers[0]);
    return rc;
}

int tg_plugin_tasks(tg_vm *vm, const char *class_name, const json_t *config,
                    int max, json_t **tasks, tg_err *err)
{
    question q = {.name = "tasks",
                  .texts = {class_name},
                  .values = {config},
                  .max = max > 0 ? max : 1};
    int rc = put_question(vm, &q, err);
    json_decref(q.answers[1]);
    *tasks = rc ? NULL : as_array(q.answers[0]);
    return rc;
}
