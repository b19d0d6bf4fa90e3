/* Errors of scripts: script:line first, trace, codes; in every hook. */
#include "mini.h"

typedef struct hook {
    const char *name;
    int (*call)(tg_instance *inst, tg_err *err);
} hook;

static tg_batch *batch;

static int call_start(tg_instance *inst, tg_err *err)
{
    return tg_instance_start(inst, NULL, err);
}

static int call_poll(tg_instance *inst, tg_err *err)
{
    return tg_instance_poll(inst, batch, err);
}

static int call_put(tg_instance *inst, tg_err *err)
{
    return tg_instance_put(inst, batch, err);
}

static int call_apply(tg_instance *inst, tg_err *err)
{
    return tg_instance_apply(inst, batch, 0, err);
}

static int call_open(tg_instance *inst, tg_err *err)
{
    json_t *parts = json_pack("[[si]]", "t", 0);
    int rc = tg_instance_open(inst, parts, err);
    json_decref(parts);
    return rc;
}

static int call_close(tg_instance *inst, tg_err *err)
{
    json_t *parts = json_pack("[[si]]", "t", 0);
    int rc = tg_instance_close(inst, parts, err);
    json_decref(parts);
    return rc;
}

static const hook hooks[] = {
    {"start", call_start},          {"poll", call_poll},
    {"commit", tg_instance_commit}, {"put", call_put},
    {"flush", tg_instance_flush},   {"open", call_open},
    {"close", call_close},          {"stop", tg_instance_stop},
    {"apply", call_apply},
};
enum { HOOKS = sizeof hooks / sizeof *hooks };

static void test_every_hook(void **state)
{
    (void)state;
    tg_vm *vm = mini_vm(NULL);
    batch = tg_batch_new(10, 0);
    for (int i = 0; i < HOOKS; i++) {
        char code[256];
        tg_err err = {0};
        snprintf(code, sizeof code,
                 "local M = {}\n"
                 "function M.%s()\n"
                 "    local t\n"
                 "    return t.field\n"
                 "end\nreturn M",
                 hooks[i].name);
        tg_instance *inst = mini_instance(vm, "bad", code);
        assert_int_equal(hooks[i].call(inst, &err), TG_ERR_SCRIPT);
        assert_string_equal(err.text, "bad.lua:4: attempt to index local 't' "
                                      "(a nil value)");
        assert_non_null(strstr(err.trace, "bad.lua:4: in function"));
        tg_instance_free(inst);
        inst = mini_instance(vm, "none", "return {}");
        int rc = hooks[i].call(inst, &err);
        bool needed = strcmp(hooks[i].name, "poll") == 0 ||
                      strcmp(hooks[i].name, "put") == 0 ||
                      strcmp(hooks[i].name, "apply") == 0;
        assert_int_equal(rc, needed ? TG_ERR_CONFIG : 0);
        tg_instance_free(inst);
    }
    tg_batch_free(batch);
    tg_vm_free(vm);
}

static tg_err failure(tg_vm *vm, const char *body)
{
    tg_err err = {0};
    char *code = tg_sprintf("return { flush = function()\n%s\nend }", body);
    tg_instance *inst = mini_instance(vm, "plug", code);
    int rc = tg_instance_flush(inst, &err);
    assert_int_equal(rc, err.code);
    assert_true(rc < 0);
    tg_instance_free(inst);
    tg_free(code);
    return err;
}

static void check(tg_vm *vm, const char *body, const char *text)
{
    tg_err err = failure(vm, body);
    assert_string_equal(err.text, text);
    assert_int_equal(err.code, TG_ERR_SCRIPT);
}

static void test_shapes(void **state)
{
    (void)state;
    tg_vm *vm = mini_vm(NULL);
    check(vm, "error('boom')", "plug.lua:2: boom");
    check(vm, "error('boom', 0)", "plug.lua:2: boom");
    check(vm, "error()",
          "plug.lua:2: the script raised a nil value as its "
          "error; raise a string");
    check(vm, "error({})",
          "plug.lua:2: the script raised a table value as its "
          "error; raise a string");
    check(vm, "error(42)", "plug.lua:2: 42");
    check(vm, "error({ message = 'm' })", "plug.lua:2: m");
    check(vm,
          "error(setmetatable({}, { __tostring = function() return 'obj' "
          "end }))",
          "plug.lua:2: obj");
    check(vm, "local ok, e = pcall(error, 'inner')\nerror(e, 0)",
          "plug.lua:3: inner");
    check(vm, "local f = assert(loadstring('x = = 1', '@gen.lua'))",
          "plug.lua:2: gen.lua:1: unexpected symbol near '='");
    check(vm,
          "local t = setmetatable({}, { __index = function(t, k) "
          "error('no ' .. k, 2) end })\nreturn t.abc",
          "plug.lua:3: no abc");
    check(vm, "return ('x'):rep(-1) + {}",
          "plug.lua:2: attempt to perform arithmetic on a string value");
    tg_vm_free(vm);
}

static void test_sdk_frames(void **state)
{
    (void)state;
    tg_vm *vm = mini_vm(NULL);
    check(vm, "\nsdk.fail('bad field')", "plug.lua:3: bad field");
    check(vm, "sdk.index({})\nreturn 1",
          "plug.lua:2: attempt to index field 'x' (a nil value)");
    tg_err err = failure(vm, "sdk.index({})\nreturn 1");
    assert_non_null(strstr(err.trace, "tidegate/boot.lua:4"));
    tg_vm_free(vm);
}

static void test_codes(void **state)
{
    (void)state;
    tg_vm *vm = mini_vm(NULL);
    tg_err err = failure(vm, "error({ code = -2, message = 'wrong setting' })");
    assert_int_equal(err.code, TG_ERR_CONFIG);
    assert_string_equal(err.text, "wrong setting");
    err = failure(vm, "error({ message = 'later', retriable = true })");
    assert_int_equal(err.code, TG_ERR_SCRIPT);
    assert_true(err.retriable);
    assert_false(err.fatal);
    err = failure(vm, "error({ message = 'x', code = 'y', fatal = true })");
    assert_true(err.fatal);
    tg_vm_free(vm);
}

static void test_hopeless(void **state)
{
    (void)state;
    tg_vm *vm = mini_vm(NULL);
    tg_err err =
        failure(vm, "local function f() return 1 + f() end return f()");
    assert_non_null(strstr(err.text, "stack overflow"));
    err = failure(vm, "error(setmetatable({}, { __tostring = function() "
                      "error('again') end }))");
    assert_int_equal(err.code, TG_ERR_SCRIPT);
    assert_true(err.text[0] != '\0');
    assert_int_equal(vm->reserve, 0); /* or the memory limit is another one */
    err = failure(vm, "local co = coroutine.wrap(function() error('in co') "
                      "end)\nco()");
    assert_non_null(strstr(err.text, "plug.lua:2: in co"));
    char body[8192];
    snprintf(body, sizeof body, "error(('x'):rep(100000))");
    err = failure(vm, body);
    assert_true(strlen(err.text) < sizeof err.text);
    /* the VM still works */
    tg_instance *inst = mini_instance(vm, "ok",
                                      "return { flush = function() "
                                      "return 1 end }");
    assert_int_equal(tg_instance_flush(inst, &err), 0);
    tg_vm_free(vm);
}

static void test_load_errors(void **state)
{
    (void)state;
    tg_vm *vm = mini_vm(NULL);
    tg_err err = {0};
    assert_null(mini_try(vm, "syn", "return {\n  poll = function(\n}", &err));
    assert_int_equal(err.code, TG_ERR_SCRIPT);
    assert_non_null(strstr(err.text, "syn.lua:3:"));
    assert_null(mini_try(vm, "run", "\nlocal x = nil + 1", &err));
    assert_non_null(strstr(err.text, "run.lua:2:"));
    tg_vm_free(vm);
}

static void test_poll_result(void **state)
{
    (void)state;
    tg_vm *vm = mini_vm(NULL);
    tg_err err = {0};
    batch = tg_batch_new(10, 0);
    tg_instance *inst = mini_instance(
        vm, "p",
        "local n = 0\nreturn { poll = function() n = n + 1\n"
        "if n == 1 then return 250 elseif n == 2 then return 0 end "
        "end, lag = function() return n * 10 end }");
    assert_int_equal(tg_instance_lag(inst), -1);
    assert_int_equal(tg_instance_poll(inst, batch, &err), 250);
    assert_int_equal(tg_instance_lag(inst), 10);
    assert_int_equal(tg_instance_poll(inst, batch, &err), 0);
    assert_true(tg_instance_poll(inst, batch, &err) > 0);
    assert_non_null(tg_batch_append(batch));
    assert_int_equal(tg_instance_poll(inst, batch, &err), 0);
    tg_batch_free(batch);
    tg_vm_free(vm);
}

/* Hooks get their arguments as Lua values. */
static void test_arguments(void **state)
{
    (void)state;
    tg_vm *vm = mini_vm(NULL);
    tg_err err = {0};
    tg_instance *inst = mini_instance(
        vm, "args",
        "local seen\nreturn { start = function(o) seen = o end,\n"
        "open = function(p) assert(p[1][1] == 't' and p[1][2] == 7"
        ") end,\nflush = function()\n"
        "assert(#seen == 1 and seen[1][1].file == 'x' and "
        "seen[1][2].position == 12) end }");
    json_t *offsets = json_pack("[[{s:s},{s:i}]]", "file", "x", "position", 12);
    json_t *parts = json_pack("[[si]]", "t", 7);
    assert_int_equal(tg_instance_start(inst, offsets, &err), 0);
    assert_int_equal(tg_instance_open(inst, parts, &err), 0);
    if (tg_instance_flush(inst, &err))
        fail_msg("%s", err.text);
    json_decref(offsets);
    json_decref(parts);
    tg_vm_free(vm);
}

static void test_predicate(void **state)
{
    (void)state;
    tg_vm *vm = mini_vm(NULL);
    tg_err err = {0};
    tg_instance *p = mini_instance(vm, "p", "return { mark = 5 }");
    tg_instance *t = mini_instance(
        vm, "t",
        "local inst = {}\nfunction inst.flush() "
        "assert(inst.predicate.mark == 5 and inst.negate == true) "
        "end\nreturn inst");
    tg_instance_predicate(t, p, true);
    if (tg_instance_flush(t, &err))
        fail_msg("%s", err.text);
    tg_vm_free(vm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_hook),  cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_sdk_frames),  cmocka_unit_test(test_codes),
        cmocka_unit_test(test_hopeless),    cmocka_unit_test(test_load_errors),
        cmocka_unit_test(test_poll_result), cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_predicate),
    };
    return cmocka_run_group_tests(tests, mini_setup, mini_teardown);
}
