/*
 * Versions of transforms in a chain: what is tried, taken, refused, handed on;
 * other lists of transforms; another VM; memory after many versions.
 */
#include "unit.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "convert/converter.h"
#include "task/chain.h"
#include <stdio.h>
#include <stdlib.h>

static char folder[64];
static tg_page page;

static char *path_of(const char *name)
{
    return tg_sprintf("%s/%s", folder, name);
}

static void save(const char *name, const char *text)
{
    char *path = path_of(name);
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    tg_free(path);
}

static int setup(void **state)
{
    (void)state;
    tg_convert_init();
    snprintf(folder, sizeof folder, "/tmp/tg-reload-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) ? -1 : 0;
}

static tg_vm *new_vm(void)
{
    json_t *folders = json_pack("[s]", folder);
    tg_vm_options options = {.plugin_path = folders,
                             .timeout_ns = 5000000000,
                             .jit = true,
                             .page = &page};
    tg_err err = {0};
    tg_vm *vm = tg_vm_new(&options, &err);

    if (!vm)
        fail_msg("%s", err.text);
    json_decref(folders);
    return vm;
}

/* list: "a,b": each alias of type a (file a.lua) or, for "x:type", that. */
static json_t *config_of(const char *transforms)
{
    json_t *config = json_pack(
        "{s:s, s:s, s:s, s:s}", "name", "orders", "transforms", transforms,
        "key.converter", "org.apache.kafka.connect.storage.StringConverter",
        "value.converter", "org.apache.kafka.connect.storage.StringConverter");
    char *copy = tg_strdup(transforms), *at = NULL;

    for (char *alias = strtok_r(copy, ",", &at); alias;
         alias = strtok_r(NULL, ",", &at)) {
        char *key = tg_sprintf("transforms.%s.type", alias);
        json_object_set_new(config, key, json_string(alias));
        tg_free(key);
    }
    tg_free(copy);
    return config;
}

static tg_chain *new_chain(tg_vm *vm, const char *transforms)
{
    json_t *config = config_of(transforms), *worker = json_object();
    tg_err err = {0};
    tg_chain *chain = tg_chain_new(vm, worker, config, true, true, &page, &err);

    if (!chain)
        fail_msg("%s", err.text);
    json_decref(config);
    json_decref(worker);
    return chain;
}

/* Runs records with these values through; what comes out, with '|' between, "-"
 * for what was rejected. Caller frees. */
static char *run(tg_chain *chain, const char *values)
{
    tg_batch *batch = tg_batch_new(100, 0);
    const tg_converter *conv = tg_converter_named("string");
    char *copy = tg_strdup(values), *at = NULL;
    tg_buf out = {0};
    tg_err err = {0};

    for (char *v = strtok_r(copy, "|", &at); v; v = strtok_r(NULL, "|", &at)) {
        tg_record *rec = tg_batch_append(batch);
        assert_int_equal(tg_record_set_topic(rec, "t", 1), 0);
        tg_cell_set_raw(&rec->value, conv, v, (int32_t)strlen(v));
    }
    if (tg_chain_run(chain, batch, &err))
        fail_msg("%s", err.text);
    for (uint32_t i = 0; i < batch->n; i++) {
        const tg_record *rec = batch->items[i];
        if (i)
            tg_buf_str(&out, "|");
        if (rec->verdict == TG_KEEP)
            tg_buf_add(&out, rec->value.out, (size_t)rec->value.outlen);
        else
            tg_buf_str(&out, "-");
    }
    tg_batch_free(batch);
    tg_free(copy);
    tg_buf_cstr(&out);
    return tg_buf_steal(&out);
}

static void expect(tg_chain *chain, const char *values, const char *want)
{
    char *got = run(chain, values);

    assert_string_equal(got, want);
    tg_free(got);
}

/* As the task does when it is told that files changed. */
static void reload(tg_chain *chain)
{
    json_t *uses = tg_chain_uses(chain), *seen = json_object(), *hash;
    const char *path;

    json_object_foreach(uses, path, hash)
    {
        char now[TG_SHA256_HEX];
        json_object_set_new(seen, path,
                            tg_text_hash_file(path, now) ? json_string(now)
                                                         : json_null());
    }
    tg_chain_reload(chain, seen, tg_clock_wall_ms());
    json_decref(uses);
    json_decref(seen);
}

/* Member of stage i as text, "" when it is null. */
static const char *told(tg_chain *chain, size_t i, const char *member)
{
    static char text[1200];
    json_t *list = tg_chain_describe(chain);
    json_t *v = json_object_get(json_array_get(list, i), member);

    if (json_is_object(v))
        v = json_object_get(v, "text");
    snprintf(text, sizeof text, "%s",
             json_is_string(v) ? json_string_value(v) : "");
    json_decref(list);
    return text;
}

#define VERSION(v, body)                                                       \
    "local tide = require 'tidegate'\n"                                        \
    "return tide.transform { version = '" v "', " body " }\n"
#define MARK(v)                                                                \
    VERSION(v, "record = function(r) r.value = r.value .. '" v "' end")

static void test_taken_and_refused(void **state)
{
    tg_vm *vm;
    tg_chain *chain;
    (void)state;
    save("a.lua", MARK("1"));
    vm = new_vm();
    chain = new_chain(vm, "a");
    assert_true(tg_chain_news(chain));
    assert_false(tg_chain_news(chain));
    expect(chain, "x|y", "x1|y1");
    reload(chain); /* nothing changed */
    assert_false(tg_chain_news(chain));

    save("a.lua", MARK("2"));
    reload(chain);
    assert_string_equal(told(chain, 0, "version"), "2");
    expect(chain, "x|y", "x2|y2");
    assert_true(tg_chain_news(chain));
    assert_int_equal(tg_page_get(page.reloads), 1);

    /* raises where the old one does not, after it has written and dropped */
    save("a.lua", VERSION("3", "record = function(r) r.value = 'no' "
                               "if r.offset ~= 1 then error('bad') end end"));
    reload(chain);
    expect(chain, "x|y", "x2|y2");
    assert_string_equal(told(chain, 0, "version"), "2");
    assert_non_null(strstr(told(chain, 0, "last_error"), "a.lua:2: bad"));
    assert_int_equal(tg_page_get(page.reload_failures), 1);
    /* and is not tried again */
    tg_chain_news(chain);
    reload(chain);
    assert_false(tg_chain_news(chain));
    expect(chain, "x", "x2");

    save("a.lua", "return 1 +");
    reload(chain);
    assert_non_null(strstr(told(chain, 0, "last_error"), "a.lua:1:"));
    save("a.lua", VERSION("4", "config = { k = { required = true } }, "
                               "record = function() end"));
    reload(chain);
    assert_non_null(strstr(told(chain, 0, "last_error"), "\"k\""));
    expect(chain, "x", "x2");

    /* back to what runs: no error any more */
    save("a.lua", MARK("2"));
    reload(chain);
    assert_string_equal(told(chain, 0, "last_error"), "");
    expect(chain, "x", "x2");

    /* a file that is being saved: empty, then gone */
    save("a.lua", "");
    reload(chain);
    assert_string_equal(told(chain, 0, "last_error"), "");
    tg_chain_free(chain);
    tg_vm_free(vm);
}

/* Where the old version fails as well, it is the record. */
static void test_bad_record(void **state)
{
    tg_vm *vm;
    tg_chain *chain;
    (void)state;
    save("a.lua", VERSION("1", "record = function(r) if r.value == 'bad' then "
                               "error('one') end r.value = r.value .. 1 end"));
    vm = new_vm();
    chain = new_chain(vm, "a");
    expect(chain, "x|bad|y", "x1|-|y1");
    save("a.lua", VERSION("2", "record = function(r) if r.value == 'bad' then "
                               "error('two') end r.value = r.value .. 2 end"));
    reload(chain);
    expect(chain, "x|bad|y", "x2|-|y2");
    assert_string_equal(told(chain, 0, "version"), "2");
    assert_string_equal(told(chain, 0, "last_error"), "");
    tg_chain_free(chain);
    tg_vm_free(vm);
}

/* A record that both fail for does not let in a version that fails for others,
 * wherever it stands. */
static void test_worse(void **state)
{
    static const char *const batches[][2] = {
        {"bad|x|y", "-|x1|y1"},
        {"x|bad|y", "x1|-|y1"},
        {"bad|bad|bad|y", "-|-|-|y1"},
        {"x|y|bad", "x1|y1|-"},
    };
    tg_vm *vm;
    tg_chain *chain;
    char text[300];
    (void)state;
    save("a.lua", VERSION("1", "record = function(r) if r.value == 'bad' then "
                               "error('one') end r.value = r.value .. 1 end"));
    vm = new_vm();
    chain = new_chain(vm, "a");
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
        snprintf(text, sizeof text,
                 VERSION("2", "record = function(r) r.value = 'no%zu' "
                              "error('two') end"),
                 i);
        save("a.lua", text);
        reload(chain);
        assert_string_equal(told(chain, 0, "version"), "2");
        expect(chain, batches[i][0], batches[i][1]);
        assert_string_equal(told(chain, 0, "version"), "1");
        assert_non_null(strstr(told(chain, 0, "last_error"), "a.lua:2: two"));
    }
    /* as bad as the one before, and better */
    save("a.lua", VERSION("3", "record = function(r) if r.value == 'bad' then "
                               "error('three') end r.value = r.value .. 3 "
                               "end"));
    reload(chain);
    expect(chain, "bad|x|bad|y", "-|x3|-|y3");
    assert_string_equal(told(chain, 0, "version"), "3");
    save("a.lua", MARK("4"));
    reload(chain);
    expect(chain, "x|bad", "x4|bad4");
    tg_chain_free(chain);
    tg_vm_free(vm);
}

/* tide.fatal of a new version does not end the task. */
static void test_fatal(void **state)
{
    tg_vm *vm;
    tg_chain *chain;
    (void)state;
    save("a.lua", MARK("1"));
    vm = new_vm();
    chain = new_chain(vm, "a");
    save("a.lua", VERSION("2", "record = function(r) error(tide.fatal('no')) "
                               "end"));
    reload(chain);
    expect(chain, "x|y", "x1|y1");
    assert_string_equal(told(chain, 0, "version"), "1");
    assert_non_null(strstr(told(chain, 0, "last_error"), "no"));
    tg_chain_free(chain);
    tg_vm_free(vm);
}

/* Everything that a refused version did is gone. */
static void test_nothing_left(void **state)
{
    tg_vm *vm;
    tg_chain *chain;
    (void)state;
    save("a.lua", MARK("1"));
    save("b.lua", VERSION("b", "record = function(r) if r.headers:get('h') or "
                               "r.topic ~= 't' or r.key ~= nil then "
                               "r.value = 'left' end end"));
    vm = new_vm();
    chain = new_chain(vm, "a,b");
    expect(chain, "x", "x1");
    save("a.lua",
         VERSION("2", "record = function(r) local v = r.value "
                      "if v == 'v' then r:drop() return end "
                      "if v == 'w' then r:reject('w') return end "
                      "r:split().value = 'more' r.headers:set('h', 'h') "
                      "r.topic = 'other' r.key = 'k' r.value = 'no' "
                      "if v == 'z' then error('end') end end"));
    reload(chain);
    assert_string_equal(told(chain, 0, "version"), "2");
    expect(chain, "v|x|w|y|z", "v1|x1|w1|y1|z1");
    assert_non_null(strstr(told(chain, 0, "last_error"), "end"));
    assert_string_equal(told(chain, 0, "version"), "1");
    tg_chain_free(chain);
    tg_vm_free(vm);
}

/* A module that the new version does not want any more may be gone; one that
 * is only gone is waited for. */
static void test_module_gone(void **state)
{
    tg_vm *vm;
    tg_chain *chain;
    char *module = path_of("words.lua");
    (void)state;
    save("words.lua", "return 'm'");
    save("a.lua", "local tide, w = require 'tidegate', require 'words'\n"
                  "return tide.transform { version = 'm', record = function(r) "
                  "r.value = r.value .. w end }");
    vm = new_vm();
    chain = new_chain(vm, "a");
    expect(chain, "x", "xm");
    assert_int_equal(unlink(module), 0);
    reload(chain);
    assert_string_equal(told(chain, 0, "last_error"), "");
    expect(chain, "x", "xm");
    save("a.lua", MARK("2"));
    reload(chain);
    expect(chain, "x", "x2");
    assert_string_equal(told(chain, 0, "version"), "2");
    tg_free(module);
    tg_chain_free(chain);
    tg_vm_free(vm);
}

/* A first batch that the predicate keeps away proves nothing. */
static void test_trial_needs_records(void **state)
{
    tg_vm *vm;
    tg_chain *chain;
    json_t *config = config_of("a"), *worker = json_object();
    tg_err err = {0};
    (void)state;
    json_object_set_new(config, "predicates", json_string("p"));
    json_object_set_new(config, "predicates.p.type", json_string("Lua"));
    json_object_set_new(config, "predicates.p.script",
                        json_string("r.value == 'yes'"));
    json_object_set_new(config, "transforms.a.predicate", json_string("p"));
    save("a.lua", MARK("1"));
    vm = new_vm();
    chain = tg_chain_new(vm, worker, config, true, true, &page, &err);
    assert_non_null(chain);
    save("a.lua", VERSION("2", "record = function(r) error('bad') end"));
    reload(chain);
    expect(chain, "no|no", "no|no");
    assert_string_equal(told(chain, 1, "version"), "2"); /* on trial yet */
    expect(chain, "no|yes", "no|yes1");
    assert_string_equal(told(chain, 1, "version"), "1");
    assert_non_null(strstr(told(chain, 1, "last_error"), "bad"));
    tg_chain_free(chain);
    tg_vm_free(vm);
    json_decref(config);
    json_decref(worker);
}

#define COUNTER(v)                                                             \
    VERSION(v, "new = function(_, _, s) local n = s and s.n or 0 "             \
               "return { record = function(r) n = n + 1 "                      \
               "r.value = r.value .. '" v "' .. n end, "                       \
               "state = function() return { n = n } end } end")

static void test_state(void **state)
{
    tg_vm *vm;
    tg_chain *chain;
    (void)state;
    save("a.lua", COUNTER("a"));
    vm = new_vm();
    chain = new_chain(vm, "a");
    expect(chain, "x|y", "xa1|ya2");
    save("a.lua", COUNTER("b"));
    reload(chain);
    expect(chain, "x", "xb3");
    save("a.lua", VERSION("c", "new = function(_, _, s) error('state ' .. "
                               "s.n) end"));
    reload(chain);
    assert_non_null(strstr(told(chain, 0, "last_error"), "state 3"));
    expect(chain, "x", "xb4");
    /* two saves between batches: the state of the proven one */
    save("a.lua", COUNTER("d"));
    reload(chain);
    save("a.lua", COUNTER("e"));
    reload(chain);
    expect(chain, "x", "xe5");
    tg_chain_free(chain);
    tg_vm_free(vm);
}

static void test_change(void **state)
{
    tg_vm *vm;
    tg_chain *chain;
    json_t *config;
    tg_err err = {0};
    (void)state;
    save("a.lua", COUNTER("a"));
    save("b.lua", MARK("B"));
    vm = new_vm();
    chain = new_chain(vm, "a");
    expect(chain, "x", "xa1");
    config = config_of("b,a");
    assert_int_equal(tg_chain_change(chain, config, &err), 0);
    expect(chain, "x", "xBa2");
    json_decref(config);
    config = config_of("a,nosuch,b");
    assert_int_equal(tg_chain_change(chain, config, &err), TG_ERR_NOTFOUND);
    assert_non_null(strstr(err.text, "transform nosuch"));
    expect(chain, "x", "xBa3");
    json_decref(config);
    config = config_of("");
    assert_int_equal(tg_chain_change(chain, config, &err), 0);
    expect(chain, "x", "x");
    json_decref(config);
    tg_chain_free(chain);
    tg_vm_free(vm);
}

static void test_other_vm(void **state)
{
    tg_vm *vm;
    tg_chain *chain;
    tg_texts texts = {0};
    tg_chain_states *states;
    tg_err err = {0};
    (void)state;
    save("a.lua", COUNTER("a"));
    vm = new_vm();
    chain = new_chain(vm, "a");
    expect(chain, "x", "xa1");
    states = tg_chain_leave_vm(chain, &texts);
    tg_vm_free(vm);
    /* what ran runs on, whatever the file says now */
    save("a.lua", "return nonsense");
    vm = new_vm();
    assert_int_not_equal(tg_chain_enter_vm(chain, vm, states, &err), 0);
    tg_vm_free(vm);
    vm = new_vm();
    tg_vm_overlay(vm, &texts);
    assert_int_equal(tg_chain_enter_vm(chain, vm, states, &err), 0);
    tg_vm_overlay(vm, NULL);
    expect(chain, "x", "xa2");
    tg_chain_states_free(states);
    tg_texts_fini(&texts);
    tg_chain_free(chain);
    tg_vm_free(vm);
}

static void test_timer(void **state)
{
    tg_vm *vm;
    tg_chain *chain;
    int64_t due;
    (void)state;
    save("a.lua",
         VERSION("1", "new = function() local n = 0 return { record = "
                      "function(r) r.value = r.value .. n end, every = { ms = "
                      "20, fn = function() n = n + 1 if n == 2 then "
                      "error('tick') end end } } end"));
    vm = new_vm();
    chain = new_chain(vm, "a");
    due = tg_chain_due(chain);
    assert_true(due != INT64_MAX);
    assert_int_equal(tg_chain_tick(chain), due);
    expect(chain, "x", "x0");
    for (int i = 0; i < 2; i++) {
        while (tg_clock_ns() < tg_chain_due(chain))
            usleep(1000);
        tg_chain_tick(chain);
    }
    expect(chain, "x", "x2");
    assert_int_equal(tg_page_get(page.timer_failures), 1);
    assert_true(tg_chain_due(chain) > due);
    tg_chain_free(chain);
    tg_vm_free(vm);
}

/* Versions that are gone leave nothing behind. */
static void test_memory(void **state)
{
    tg_vm *vm;
    tg_chain *chain;
    size_t lua = 0;
    int level = tg_log_level;
    char text[600], want[32];
    (void)state;
    save("a.lua", MARK("0"));
    vm = new_vm();
    chain = new_chain(vm, "a");
    tg_log_level = TG_LOG_WARN;
    for (int i = 1; i <= 1000; i++) {
        snprintf(text, sizeof text,
                 "local tide = require 'tidegate'\n"
                 "local get, set = tide.path('f%d')\n"
                 "return tide.transform { version = '%d', new = function(_, _, "
                 "s) return { record = function(r) r.value = r.value .. %d "
                 "end, state = function() return { n = { %d } } end } end }",
                 i % 7, i, i, i);
        save("a.lua", text);
        reload(chain);
        snprintf(want, sizeof want, "x%d", i);
        expect(chain, "x", want);
        if (i == 100)
            lua = tg_vm_memory(vm);
    }
    tg_log_level = level;
    if (tg_vm_memory(vm) > lua + lua / 10)
        fail_msg("%zu bytes after 100 versions, %zu after 1,000", lua,
                 tg_vm_memory(vm));
    tg_chain_free(chain);
    tg_vm_free(vm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken_and_refused),
        cmocka_unit_test(test_bad_record),
        cmocka_unit_test(test_worse),
        cmocka_unit_test(test_fatal),
        cmocka_unit_test(test_nothing_left),
        cmocka_unit_test(test_module_gone),
        cmocka_unit_test(test_trial_needs_records),
        cmocka_unit_test(test_state),
        cmocka_unit_test(test_change),
        cmocka_unit_test(test_other_vm),
        cmocka_unit_test(test_timer),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
