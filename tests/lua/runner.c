/*
 * tg_lua_test: runs Lua specs inside a VM made exactly as a task makes it.
 *
 *   tg_lua_test [--jit on|off] [--plugins DIR] [--filter TEXT] spec.lua...
 *
 * Plugins are also found in tests/lua/plugins. Prints TAP. Exit code 0 when
 * every test passed and there was at least one. harness.lua gives specs
 * describe, it, assert; this file adds `testlib`:
 *
 *   jit, boot, host           what the SDK was given and gave back
 *   batch(items [, n])        a new current batch of n records (default: one an
 *                             item), items repeating. An item is the JSON text
 *                             of the value, or a table: value, key (JSON text,
 *                             or bytes for conv), conv ("json", "string",
 *                             "bytes", "envelope": JSON with schemas), topic,
 *                             partition, offset, timestamp, headers {{name,
 *                             text for header_conv}, ...}. Topic and the origin
 * default to "t", 0, index - 1. empty([max])              an empty batch for
 * polls range(lo, hi)             narrows the batch, 0-based, hi exclusive
 *   call(fn, ...)             calls as the host does: entered from C
 *   apply(inst)               inst.apply() over the batch, then settle
 *   settle(), begin(), undo(), commit(), reset()
 *   records()                 array of {value, key, topic, partition,
 *                             timestamp, verdict, reason, headers,
 *                             source_partition, source_offset, offset}; value
 *                             and key as JSON text, nil for null bytes
 *   encode([conv [, what]])   array of the values of the records to keep; what
 *                             "key": of their keys, "headers": of {{name,
 *                             text}, ...}; false for null bytes
 *   verdict                   names to numbers
 *   time(fn)                  CPU seconds of fn()
 */
#include "script/internal.h"
#include "base/file.h"
#include "convert/converter.h"
#include "data/node.h"
#include "host/services.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SPEC_MAX = 16 * 1024 * 1024, RECORDS_MAX = 1 << 20 };

typedef struct runner {
    const char **specs;
    int nspecs;
    const char *filter;
    int run, failed;
} runner;

static tg_batch *batch; /* the current one */

static void show(lua_State *L)
{
    tg__show_batch(tg__vm_of(L), batch);
}

static void start_batch(lua_State *L, uint32_t max)
{
    if (batch && batch->max < max) {
        tg_batch_free(batch);
        batch = NULL;
    }
    if (!batch)
        batch = tg_batch_new(max > 1024 ? max : 1024, 0);
    tg_batch_reset(batch);
    batch->max = max;
    batch->lo = batch->hi = 0;
    show(L);
}

static int lib_reset(lua_State *L)
{
    tg_batch_free(batch);
    batch = NULL;
    show(L);
    return 0;
}

static int lib_empty(lua_State *L)
{
    start_batch(L, (uint32_t)luaL_optinteger(L, 1, 1000));
    return 0;
}

/* --- making records ------------------------------------------------------ */

/* "envelope": JSON with schemas.enable=true; else a converter for scripts. */
static const tg_converter *converter_of(lua_State *L, const char *name)
{
    static tg_converter *envelope;
    tg_err err = {0};
    if (strcmp(name, "envelope") != 0) {
        const tg_converter *conv = tg_converter_named(name);
        if (!conv)
            luaL_error(L, "no converter '%s'", name);
        return conv;
    }
    if (!envelope) {
        json_t *config = json_pack("{ss}", "schemas.enable", "true");
        envelope = tg_converter_new("JsonConverter", config, "value", &err);
        json_decref(config);
    }
    if (!envelope)
        luaL_error(L, "%s", err.text);
    return envelope;
}

static void set_cell(lua_State *L, tg_cell *cell, const char *conv_name,
                     const char *what)
{
    tg_err err = {0};
    size_t len;
    const tg_converter *conv = converter_of(L, conv_name);
    if (!lua_isstring(L, -1)) {
        tg_cell_set_raw(cell, conv, NULL, -1);
        cell->schema = conv->null_schema;
        return;
    }
    const char *p = lua_tolstring(L, -1, &len);
    const char *copy = tg_arena_dup(batch->arena, p, len);
    tg_cell_set_raw(cell, conv, copy, (int32_t)len);
    if (conv->strict && tg_cell_decode(cell, &err))
        luaL_error(L, "%s of the test record: %s", what, err.text);
}

static double field_number(lua_State *L, int idx, const char *name, double dflt)
{
    lua_getfield(L, idx, name);
    double d = lua_isnumber(L, -1) ? lua_tonumber(L, -1) : dflt;
    lua_pop(L, 1);
    return d;
}

/* Headers as the message of a consumed record has them. */
typedef struct message {
    uint32_t n;
    tg_header headers[];
} message;

static int load_headers(const void *arg, tg_record *rec)
{
    const message *m = rec->unread;
    size_t size = m->n * sizeof *m->headers;

    (void)arg;
    rec->headers =
        (tg_header *)(void *)tg_arena_dup(rec->batch->arena, m->headers, size);
    if (!rec->headers)
        return TG_ERR_LIMIT;
    rec->nheaders = rec->capheaders = m->n;
    for (uint32_t i = 0; i < m->n; i++)
        rec->headers[i].cell.record = rec;
    return TG_OK;
}

/* Every test sees headers through the lazy loading of consumed records. */
static void make_unread(lua_State *L, tg_record *rec)
{
    size_t size = rec->nheaders * sizeof *rec->headers;
    message *m = tg_arena_alloc(rec->batch->arena, sizeof *m + size);

    if (!m)
        luaL_error(L, "no memory for the headers of a test record");
    m->n = rec->nheaders;
    if (size)
        memcpy(m->headers, rec->headers, size);
    rec->headers = NULL;
    rec->nheaders = rec->capheaders = 0;
    rec->unread = m;
}

static void fill_headers(lua_State *L, int idx, tg_record *rec)
{
    lua_getfield(L, idx, "header_conv");
    const char *conv = luaL_optstring(L, -1, "json");
    lua_getfield(L, idx, "headers");
    int n = lua_istable(L, -1) ? (int)lua_objlen(L, -1) : 0;
    for (int i = 1; i <= n; i++) {
        lua_rawgeti(L, -1, i);
        lua_rawgeti(L, -1, 1);
        size_t len;
        const char *name = luaL_checklstring(L, -1, &len);
        int at = tg_header_add(rec, name, (uint32_t)len);
        lua_rawgeti(L, -2, 2);
        set_cell(L, &rec->headers[at].cell, conv, "header");
        lua_pop(L, 3);
    }
    lua_pop(L, 2);
}

static void fill_record(lua_State *L, int idx, tg_record *rec)
{
    const char *conv = "json";
    bool table = lua_istable(L, idx);
    if (table) {
        lua_getfield(L, idx, "conv");
        conv = luaL_optstring(L, -1, "json");
        lua_getfield(L, idx, "key");
        set_cell(L, &rec->key, conv, "key");
        lua_getfield(L, idx, "value");
        set_cell(L, &rec->value, conv, "value");
        lua_getfield(L, idx, "topic");
        if (lua_isstring(L, -1)) {
            size_t len;
            const char *topic = lua_tolstring(L, -1, &len);
            tg_record_set_topic(rec, topic, (uint32_t)len);
        }
        lua_pop(L, 4);
        rec->partition = (int32_t)field_number(L, idx, "partition", -1);
        rec->timestamp = (int64_t)field_number(L, idx, "timestamp", -1);
        rec->origin_offset =
            (int64_t)field_number(L, idx, "offset", rec->origin_offset);
        fill_headers(L, idx, rec);
        make_unread(L, rec);
        return;
    }
    lua_pushvalue(L, idx);
    set_cell(L, &rec->value, conv, "value");
    lua_pop(L, 1);
}

static void place_record(tg_record *rec, uint32_t i)
{
    tg_record_set_topic(rec, "t", 1);
    rec->origin_topic = "t";
    rec->origin_topiclen = 1;
    rec->origin_partition = 0;
    rec->origin_offset = i;
}

static int lib_batch(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    int items = (int)lua_objlen(L, 1);
    int n = (int)luaL_optinteger(L, 2, items);
    luaL_argcheck(L, items > 0 && n >= 0 && n <= RECORDS_MAX, 1,
                  "at least one item expected");
    start_batch(L, (uint32_t)n);
    tg_batch_on_headers(batch, load_headers, NULL);
    for (int i = 0; i < n; i++) {
        tg_record *rec = tg_batch_append(batch);
        if (!rec)
            return luaL_error(L, "%s", tg_ffi_error());
        place_record(rec, (uint32_t)i);
        lua_rawgeti(L, 1, i % items + 1);
        fill_record(L, lua_gettop(L), rec);
        lua_pop(L, 1);
    }
    batch->lo = 0;
    batch->hi = batch->n;
    lua_pushinteger(L, n);
    return 1;
}

static tg_batch *need_batch(lua_State *L)
{
    if (!batch)
        luaL_error(L, "there is no batch; call testlib.batch first");
    return batch;
}

static int lib_range(lua_State *L)
{
    tg_batch *b = need_batch(L);
    b->lo = (uint32_t)luaL_checkinteger(L, 1);
    b->hi = (uint32_t)luaL_checkinteger(L, 2);
    luaL_argcheck(L, b->lo <= b->hi && b->hi <= b->n, 1, "outside the batch");
    return 0;
}

/* --- running ------------------------------------------------------------- */

static int lib_call(lua_State *L)
{
    show(L);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

static int lib_apply(lua_State *L)
{
    tg_batch *b = need_batch(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_getfield(L, 1, "apply");
    show(L);
    lua_call(L, 0, 0);
    tg_batch_settle(b);
    b->lo = 0;
    b->hi = b->n;
    return 0;
}

static int lib_settle(lua_State *L)
{
    tg_batch *b = need_batch(L);
    tg_batch_settle(b);
    b->hi = b->n;
    return 0;
}

static int lib_begin(lua_State *L)
{
    tg_batch_begin(need_batch(L));
    return 0;
}

static int lib_undo(lua_State *L)
{
    tg_batch_undo(need_batch(L));
    return 0;
}

static int lib_commit(lua_State *L)
{
    tg_batch_commit(need_batch(L));
    return 0;
}

static int lib_time(lua_State *L)
{
    struct timespec a, b;
    luaL_checktype(L, 1, LUA_TFUNCTION);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
    lua_call(L, lua_gettop(L) - 1, 0);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
    lua_pushnumber(L, (double)(b.tv_sec - a.tv_sec) +
                          (double)(b.tv_nsec - a.tv_nsec) / 1e9);
    return 1;
}

/* --- looking at results -------------------------------------------------- */

static void push_encoded(lua_State *L, tg_cell *cell, const char *conv)
{
    tg_err err = {0};
    const tg_converter *c = converter_of(L, conv);
    if (tg_cell_encode(cell, c, &err))
        luaL_error(L, "cannot encode a test record: %s", err.text);
    if (cell->outlen < 0)
        lua_pushnil(L);
    else
        lua_pushlstring(L, cell->out, (size_t)cell->outlen);
}

static void push_headers(lua_State *L, tg_record *rec, const char *conv)
{
    lua_createtable(L, (int)tg_record_headers(rec), 0);
    for (uint32_t i = 0; i < rec->nheaders; i++) {
        lua_createtable(L, 2, 0);
        lua_pushlstring(L, rec->headers[i].name, rec->headers[i].namelen);
        lua_rawseti(L, -2, 1);
        push_encoded(L, &rec->headers[i].cell, conv);
        lua_rawseti(L, -2, 2);
        lua_rawseti(L, -2, (int)i + 1);
    }
}

static void set_number(lua_State *L, const char *name, double d)
{
    lua_pushnumber(L, d);
    lua_setfield(L, -2, name);
}

static void push_record(lua_State *L, tg_record *rec)
{
    lua_createtable(L, 0, 12);
    push_encoded(L, &rec->value, "json");
    lua_setfield(L, -2, "value");
    push_encoded(L, &rec->key, "json");
    lua_setfield(L, -2, "key");
    lua_pushlstring(L, rec->topic ? rec->topic : "", rec->topiclen);
    lua_setfield(L, -2, "topic");
    set_number(L, "partition", rec->partition);
    set_number(L, "timestamp", (double)rec->timestamp);
    set_number(L, "verdict", rec->verdict);
    set_number(L, "offset", (double)rec->origin_offset);
    set_number(L, "source_partition", rec->origin_partition);
    if (rec->reason) {
        lua_pushlstring(L, rec->reason, rec->reasonlen);
        lua_setfield(L, -2, "reason");
    }
    if (rec->source_offset) {
        lua_pushlstring(L, rec->source_offset, rec->source_offsetlen);
        lua_setfield(L, -2, "source_offset");
    }
    push_headers(L, rec, "json");
    lua_setfield(L, -2, "headers");
}

static int lib_records(lua_State *L)
{
    tg_batch *b = need_batch(L);
    lua_createtable(L, (int)b->n, 0);
    for (uint32_t i = 0; i < b->n; i++) {
        push_record(L, b->items[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
    return 1;
}

static int lib_encode(lua_State *L)
{
    tg_batch *b = need_batch(L);
    const char *conv = luaL_optstring(L, 1, "json");
    const char *what = luaL_optstring(L, 2, "value");
    int n = 0;
    lua_newtable(L);
    for (uint32_t i = 0; i < b->n; i++) {
        if (b->items[i]->verdict != TG_KEEP)
            continue;
        if (*what == 'h')
            push_headers(L, b->items[i], conv);
        else
            push_encoded(L,
                         *what == 'k' ? &b->items[i]->key : &b->items[i]->value,
                         conv);
        if (lua_isnil(L, -1)) {
            lua_pop(L, 1);
            lua_pushboolean(L, false);
        }
        lua_rawseti(L, -2, ++n);
    }
    return 1;
}

/* --- setting up ---------------------------------------------------------- */

static void push_testlib(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"batch", lib_batch},     {"empty", lib_empty},
        {"range", lib_range},     {"call", lib_call},
        {"apply", lib_apply},     {"settle", lib_settle},
        {"begin", lib_begin},     {"undo", lib_undo},
        {"commit", lib_commit},   {"reset", lib_reset},
        {"records", lib_records}, {"encode", lib_encode},
        {"time", lib_time},       {NULL, NULL},
    };
    tg_vm *vm = tg__vm_of(L);
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    lua_pushboolean(L, vm->jit);
    lua_setfield(L, -2, "jit");
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->ref_boot);
    lua_setfield(L, -2, "boot");
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->ref_host);
    lua_setfield(L, -2, "host");
    lua_newtable(L);
    set_number(L, "keep", TG_KEEP);
    set_number(L, "drop", TG_DROP);
    set_number(L, "retry", TG_RETRY);
    set_number(L, "reject", TG_REJECT);
    set_number(L, "done", TG_DONE);
    lua_setfield(L, -2, "verdict");
}

static void push_file(lua_State *L, const char *path)
{
    tg_err err = {0};
    size_t len;
    char *text = tg_file_read(path, SPEC_MAX, &len, &err);
    if (!text)
        luaL_error(L, "%s", err.text);
    lua_pushlstring(L, text, len);
    tg_free(text);
}

static void load_harness(lua_State *L)
{
    char *path = tg_sprintf("%s/tests/lua/harness.lua", tg__vm_of(L)->home);
    lua_pushstring(L, path);
    tg_free(path);
    push_file(L, lua_tostring(L, -1));
    size_t len;
    const char *text = lua_tolstring(L, -1, &len);
    if (luaL_loadbuffer(L, text, len, "@tests/lua/harness.lua"))
        lua_error(L);
    push_testlib(L);
    lua_call(L, 1, 1);
}

static int run_specs(lua_State *L)
{
    runner *r = tg__arg(L);
    load_harness(L);
    int harness = lua_gettop(L);
    for (int i = 0; i < r->nspecs; i++) {
        lua_getfield(L, harness, "run");
        push_file(L, r->specs[i]);
        lua_pushstring(L, r->specs[i]);
        lua_pushstring(L, r->filter);
        lua_call(L, 3, 0);
    }
    lua_getfield(L, harness, "finish");
    lua_call(L, 0, 2);
    r->run = (int)lua_tointeger(L, -2);
    r->failed = (int)lua_tointeger(L, -1);
    return 0;
}

static int usage(void)
{
    fprintf(stderr, "usage: tg_lua_test [--jit on|off] [--plugins DIR] "
                    "[--filter TEXT] spec.lua...\n");
    return 2;
}

int main(int argc, char **argv)
{
    static tg_page page;
    json_t *folders = json_array();
    tg_err err = {0};
    const char *home = tg_home(&err);
    runner r = {.specs = calloc((size_t)argc, sizeof *r.specs)};
    tg_vm_options options = {.jit = true, .page = &page};
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--jit") == 0 && more)
            options.jit = strcmp(argv[++i], "off") != 0;
        else if (strcmp(argv[i], "--plugins") == 0 && more)
            json_array_append_new(folders, json_string(argv[++i]));
        else if (strcmp(argv[i], "--filter") == 0 && more)
            r.filter = argv[++i];
        else if (argv[i][0] == '-')
            return usage();
        else
            r.specs[r.nspecs++] = argv[i];
    }
    if (!r.nspecs)
        return usage();
    char *own = home ? tg_sprintf("%s/tests/lua/plugins", home) : NULL;
    if (own && access(own, R_OK) == 0)
        json_array_append_new(folders, json_string(own));
    tg_free(own);
    options.plugin_path = folders;
    tg_vm *vm = tg_vm_new(&options, &err);
    int rc = vm ? tg__protect(vm, run_specs, &r, &err) : err.code;
    if (rc)
        fprintf(stderr, "not ok - %s\n%s\n", err.text, err.trace);
    tg_batch_free(batch);
    tg_vm_free(vm);
    json_decref(folders);
    free(r.specs);
    if (!rc && !r.run)
        fprintf(stderr, "not ok - the specs hold no tests\n");
    return rc || r.failed || !r.run ? 1 : 0;
}
