/*
 * Instances of plugins: hooks as registry references, batch calls, the time
 * each takes, and the healing of loops that LuaJIT gave up on.
 *
 * Healing: LuaJIT may blacklist a loop while traffic is low; it is then
 * interpreted for ever, some fifty times slower. The host sees that as CPU time
 * per record over several batches. It then throws all machine code away and
 * enables compilation of every function again, at most once a minute. A plugin
 * that stays slow is named in one warning and left alone.
 *
 * Thread: the script thread.
 */
#include "script/internal.h"
#include "base/log.h"

enum {
    HEAL_RECORDS = 64, /* smaller batches say nothing */
    HEAL_BATCHES = 5,  /* slow ones in a row */
    HEAL_TRIES = 2,
    IDLE_WAIT_MS = 100
};
static const int64_t HEAL_NS = 1500; /* CPU per record */
static const int64_t HEAL_EVERY_NS = 60000000000;

static const char *const hook_names[TG_HOOKS] = {
    "start", "poll", "commit", "put", "flush", "open",
    "close", "stop", "apply",  "lag", "tick"};

/* --- making -------------------------------------------------------------- */

typedef struct making {
    tg_instance *inst;
    const tg_instance_options *options;
} making;

static char *field_text(lua_State *L, int table, const char *name)
{
    lua_getfield(L, table, name);
    char *text = tg_strdup(lua_tostring(L, -1));
    lua_pop(L, 1);
    return text;
}

/* boot.instance(kind, class, config, label, state), or
 * boot.reload(previous, config, label, state) */
static void call_maker(lua_State *L, const tg_instance_options *o)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, tg__vm_of(L)->ref_boot);
    lua_getfield(L, -1, o->previous ? "reload" : "instance");
    int at = lua_gettop(L);
    if (o->previous) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, o->previous->ref);
    } else {
        lua_pushstring(L, o->kind);
        lua_pushstring(L, o->class_name);
    }
    tg__json_push(L, o->config);
    lua_pushstring(L, o->label); /* nil for NULL */
    if (o->state && o->state->len > 0)
        lua_pushlstring(L, o->state->p, o->state->len);
    else
        lua_pushnil(L);
    lua_call(L, lua_gettop(L) - at, 1);
}

static void take_hooks(lua_State *L, int table, tg_instance *inst)
{
    for (int i = 0; i < TG_HOOKS; i++) {
        lua_getfield(L, table, hook_names[i]);
        if (lua_isfunction(L, -1))
            inst->hooks[i] = luaL_ref(L, LUA_REGISTRYINDEX);
        else
            lua_pop(L, 1);
    }
    lua_getfield(L, table, "every_ms");
    double ms = lua_tonumber(L, -1);
    if (inst->hooks[TG_HOOK_TICK] != LUA_NOREF && ms >= 1) {
        inst->every_ns = ms < 1e12 ? (int64_t)(ms * 1e6) : INT64_MAX / 4;
        inst->due_ns = tg_clock_ns() + inst->every_ns;
    }
    lua_settop(L, table);
}

static int make(lua_State *L)
{
    making *m = tg__arg(L);
    tg_instance *inst = m->inst;
    call_maker(L, m->options);
    if (!lua_istable(L, -1))
        return luaL_error(L, "no instance of %s was made",
                          m->options->class_name);
    int table = lua_gettop(L);
    take_hooks(L, table, inst);
    char *name = field_text(L, table, "name");
    if (name) {
        tg_free(inst->name);
        inst->name = name;
    }
    inst->version = field_text(L, table, "version");
    inst->file = field_text(L, table, "file");
    lua_getfield(L, table, "stock");
    inst->stock = lua_toboolean(L, -1);
    lua_settop(L, table);
    inst->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    tg__read_texts(L, inst);
    return 0;
}

static void set_place(tg_vm *vm, tg_instance *inst, int at, int stage)
{
    tg_page *page = vm->page;
    bool other = vm->at != inst;
    vm->at = inst;
    if (!page)
        return;
    tg_page_set(page->at, (uint32_t)at);
    tg_page_set(page->at_stage, (uint32_t)stage);
    if (other && inst) {
        size_t n = strlen(inst->name);
        if (n >= sizeof page->at_plugin)
            n = sizeof page->at_plugin - 1;
        memcpy(page->at_plugin, inst->name, n);
        page->at_plugin[n] = '\0';
    }
}

/* The plugin's name stays in the page: it says what ran last. */
static void leave_place(tg_vm *vm)
{
    if (vm->page)
        tg_page_set(vm->page->at, TG_AT_IDLE);
}

tg_instance *tg_instance_make(tg_vm *vm, const tg_instance_options *options,
                              tg_err *err)
{
    tg_instance *inst = tg_calloc(sizeof *inst);
    inst->vm = vm;
    inst->ref = LUA_NOREF;
    inst->lag = -1;
    inst->due_ns = INT64_MAX;
    inst->name = tg_strdup(options->class_name);
    for (int i = 0; i < TG_HOOKS; i++)
        inst->hooks[i] = LUA_NOREF;
    inst->next = vm->instances;
    vm->instances = inst;
    making m = {inst, options};
    set_place(vm, inst, TG_AT_LOAD, 0);
    int rc = tg__protect(vm, make, &m, err);
    leave_place(vm);
    if (rc) {
        tg_instance_free(inst);
        return NULL;
    }
    tg__vm_collect(vm);
    return inst;
}

tg_instance *tg_instance_new(tg_vm *vm, const char *kind,
                             const char *class_name, const json_t *config,
                             tg_err *err)
{
    tg_instance_options options = {
        .kind = kind, .class_name = class_name, .config = config};
    return tg_instance_make(vm, &options, err);
}

void tg_instance_free(tg_instance *inst)
{
    if (!inst)
        return;
    tg_vm *vm = inst->vm;
    tg_instance **at = &vm->instances;
    while (*at != inst)
        at = &(*at)->next;
    *at = inst->next;
    if (vm->at == inst)
        vm->at = NULL;
    /* setting a slot of the registry to a number allocates nothing */
    luaL_unref(vm->L, LUA_REGISTRYINDEX, inst->ref);
    for (int i = 0; i < TG_HOOKS; i++)
        luaL_unref(vm->L, LUA_REGISTRYINDEX, inst->hooks[i]);
    tg_free(inst->name);
    tg_free(inst->version);
    tg_free(inst->file);
    tg_texts_fini(&inst->texts);
    tg_free(inst);
}

const char *tg_instance_name(const tg_instance *inst)
{
    return inst->name;
}

const char *tg_instance_version(const tg_instance *inst)
{
    return inst->version ? inst->version : "";
}

bool tg_instance_stock(const tg_instance *inst)
{
    return inst->stock;
}

int64_t tg_instance_lag(const tg_instance *inst)
{
    return inst->lag;
}

/* --- healing ------------------------------------------------------------- */

static int heal(lua_State *L)
{
    luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_FLUSH);
    lua_rawgeti(L, LUA_REGISTRYINDEX, tg__vm_of(L)->ref_boot);
    lua_getfield(L, -1, "heal");
    if (lua_isfunction(L, -1))
        lua_call(L, 0, 0);
    return 0;
}

static void warn_slow(tg_instance *inst, int64_t each)
{
    inst->warned = true;
    tg_warn("script",
            "%s costs %lld.%lld us a record and stays slow after its code was "
            "compiled anew %d times; hoist closures out of the record loop and "
            "use tide.number, tide.string for fields that are often null",
            inst->name, (long long)(each / 1000),
            (long long)(each % 1000 / 100), HEAL_TRIES);
}

/* cpu: ns that the call took for n records. */
static void watch_cost(tg_instance *inst, uint32_t n, int64_t cpu)
{
    tg_vm *vm = inst->vm;
    if (n < HEAL_RECORDS || !vm->jit || inst->warned)
        return;
    int64_t each = cpu / n;
    if (each <= HEAL_NS) {
        inst->slow = 0;
        return;
    }
    if (++inst->slow < HEAL_BATCHES)
        return;
    int64_t now = tg_clock_ns();
    if (inst->heals >= HEAL_TRIES) {
        warn_slow(inst, each);
        return;
    }
    if (vm->last_heal_ns && now - vm->last_heal_ns < HEAL_EVERY_NS)
        return;
    tg_err err = {0};
    vm->last_heal_ns = now;
    inst->slow = 0;
    inst->heals++;
    if (tg__protect(vm, heal, NULL, &err))
        tg_warn("script", "cannot compile %s anew: %s", inst->name, err.text);
    else if (vm->page)
        tg_page_add(vm->page->jit_heals, 1);
}

/* --- calls --------------------------------------------------------------- */

typedef struct hook_call {
    tg_instance *inst;
    int hook;
    const json_t *arg;
    double result; /* of poll: ms; NaN when nil */
} hook_call;

static void read_lag(lua_State *L, tg_instance *inst)
{
    if (inst->hooks[TG_HOOK_LAG] == LUA_NOREF)
        return;
    lua_rawgeti(L, LUA_REGISTRYINDEX, inst->hooks[TG_HOOK_LAG]);
    lua_call(L, 0, 1);
    double lag = lua_tonumber(L, -1);
    inst->lag =
        lua_isnumber(L, -1) && lag >= 0 && lag < 9e18 ? (int64_t)lag : -1;
}

static int run_hook(lua_State *L)
{
    hook_call *c = tg__arg(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, c->inst->hooks[c->hook]);
    if (c->arg)
        tg__json_push(L, c->arg);
    lua_call(L, c->arg != NULL, 1);
    if (c->hook == TG_HOOK_POLL) {
        if (lua_isnumber(L, -1))
            c->result = lua_tonumber(L, -1);
        read_lag(L, c->inst);
    }
    return 0;
}

static int call_hook(tg_instance *inst, int hook, int at, const json_t *arg,
                     tg_err *err)
{
    if (!inst || inst->hooks[hook] == LUA_NOREF)
        return 0; /* NULL: it is being replaced */
    hook_call c = {inst, hook, arg, -1};
    set_place(inst->vm, inst, at, 0);
    int rc = tg__protect(inst->vm, run_hook, &c, err);
    leave_place(inst->vm);
    return rc;
}

static int64_t cpu_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

void tg__show_batch(tg_vm *vm, tg_batch *batch)
{
    vm->batch = batch;
    if (vm->slot)
        *vm->slot = batch ? batch : vm->slot_none;
}

static int call_batch(tg_instance *inst, hook_call *c, tg_batch *batch, int at,
                      int stage, tg_err *err)
{
    tg_vm *vm = inst->vm;
    uint32_t before = batch->n;
    bool poll = c->hook == TG_HOOK_POLL;
    bool timed = poll || batch->hi - batch->lo >= HEAL_RECORDS;
    int64_t begin = timed ? cpu_ns() : 0; /* a system call */
    batch->cursor = batch->lo;
    tg__show_batch(vm, batch);
    set_place(vm, inst, at, stage);
    int rc = tg__protect(vm, run_hook, c, err);
    leave_place(vm);
    tg__show_batch(vm, NULL);
    if (rc)
        return rc;
    if (timed)
        watch_cost(inst, poll ? batch->n - before : batch->hi - batch->lo,
                   cpu_ns() - begin);
    return 0;
}

int tg_instance_start(tg_instance *inst, const json_t *offsets, tg_err *err)
{
    json_t *none = offsets ? NULL : json_array();
    int rc = call_hook(inst, TG_HOOK_START, TG_AT_START,
                       offsets ? offsets : none, err);
    json_decref(none);
    return rc;
}

int tg_instance_poll(tg_instance *inst, tg_batch *batch, tg_err *err)
{
    if (inst->hooks[TG_HOOK_POLL] == LUA_NOREF)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "%s has no poll function; a "
                          "source needs one",
                          inst->name);
    hook_call c = {inst, TG_HOOK_POLL, NULL, -1};
    int rc = call_batch(inst, &c, batch, TG_AT_POLL, 0, err);
    if (rc)
        return rc;
    if (c.result >= 0)
        return c.result < INT32_MAX ? (int)c.result : INT32_MAX;
    return batch->n ? 0 : IDLE_WAIT_MS;
}

int tg_instance_commit(tg_instance *inst, tg_err *err)
{
    return call_hook(inst, TG_HOOK_COMMIT, TG_AT_COMMIT, NULL, err);
}

int tg_instance_put(tg_instance *inst, tg_batch *batch, tg_err *err)
{
    if (inst->hooks[TG_HOOK_PUT] == LUA_NOREF)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "%s has no put function; a sink "
                          "needs one",
                          inst->name);
    hook_call c = {inst, TG_HOOK_PUT, NULL, -1};
    return call_batch(inst, &c, batch, TG_AT_PUT, 0, err);
}

int tg_instance_flush(tg_instance *inst, tg_err *err)
{
    return call_hook(inst, TG_HOOK_FLUSH, TG_AT_FLUSH, NULL, err);
}

int tg_instance_open(tg_instance *inst, const json_t *parts, tg_err *err)
{
    return call_hook(inst, TG_HOOK_OPEN, TG_AT_START, parts, err);
}

int tg_instance_close(tg_instance *inst, const json_t *parts, tg_err *err)
{
    return call_hook(inst, TG_HOOK_CLOSE, TG_AT_STOP, parts, err);
}

int tg_instance_stop(tg_instance *inst, tg_err *err)
{
    return call_hook(inst, TG_HOOK_STOP, TG_AT_STOP, NULL, err);
}

/* Counted from the call, not from when it was due: a timer that is late is not
 * made up for. */
int tg_instance_tick(tg_instance *inst, int64_t now_ns, tg_err *err)
{
    if (now_ns < inst->due_ns)
        return 0;
    inst->due_ns = now_ns + inst->every_ns;
    int rc = call_hook(inst, TG_HOOK_TICK, TG_AT_IDLE, NULL, err);
    return rc ? rc : 1;
}

int64_t tg_instance_due(const tg_instance *inst)
{
    return inst->due_ns;
}

int tg_instance_apply(tg_instance *inst, tg_batch *batch, int stage,
                      tg_err *err)
{
    if (inst->hooks[TG_HOOK_APPLY] == LUA_NOREF)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "%s is no transform: it has no apply function",
                          inst->name);
    hook_call c = {inst, TG_HOOK_APPLY, NULL, -1};
    int64_t begin = tg_clock_ns();
    int rc = call_batch(inst, &c, batch, TG_AT_TRANSFORM, stage, err);
    tg_page *page = inst->vm->page;
    if (page && stage >= 0 && stage < TG_PAGE_STAGES) {
        tg_page_add(page->ns_stage[stage], tg_clock_ns() - begin);
        tg_page_add(page->records_stage[stage], batch->hi - batch->lo);
    }
    return rc;
}

/* --- predicates ---------------------------------------------------------- */

typedef struct predicate_call {
    tg_instance *inst, *predicate;
    bool negate;
} predicate_call;

static int set_predicate(lua_State *L)
{
    predicate_call *c = tg__arg(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, c->inst->ref);
    if (c->predicate)
        lua_rawgeti(L, LUA_REGISTRYINDEX, c->predicate->ref);
    else
        lua_pushnil(L);
    lua_setfield(L, -2, "predicate");
    lua_pushboolean(L, c->negate);
    lua_setfield(L, -2, "negate");
    return 0;
}

void tg_instance_predicate(tg_instance *inst, tg_instance *predicate,
                           bool negate)
{
    predicate_call c = {inst, predicate, negate};
    tg_err err;
    if (tg__protect_quiet(inst->vm, set_predicate, &c, &err))
        tg_error("script", "cannot set the predicate of %s: %s", inst->name,
                 err.text);
}
