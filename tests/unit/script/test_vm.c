/* The VM: memory limit, host functions, questions about plugins, JIT off. */
#include "mini.h"
#include "host/services.h"

static void test_lifecycle(void **state)
{
    (void)state;
    tg_vm *vm = mini_vm(NULL);
    assert_true(tg_vm_memory(vm) > 10000);
    tg_vm_idle(vm);
    tg_instance *a = mini_instance(vm, "a", "return {}");
    tg_instance *b = mini_instance(vm, "b", "return {}");
    assert_string_equal(tg_instance_name(a), "a");
    assert_string_equal(tg_instance_version(b), "1.2");
    assert_false(tg_instance_stock(a));
    tg_instance_free(a);
    tg_vm_free(vm); /* frees b */
}

/* Whatever way memory is asked for: an error, never an abort. */
static void check_limit(const char *code, bool jit)
{
    tg_vm_options options = {.memory_max = 8 * 1024 * 1024, .jit = jit};
    tg_vm *vm = mini_vm(&options);
    tg_instance *inst = mini_instance(vm, "greedy", code);
    tg_batch *batch = tg_batch_new(10, 0);
    tg_err err = {0};
    assert_int_equal(tg_instance_poll(inst, batch, &err), TG_ERR_LIMIT);
    assert_true(err.fatal);
    assert_non_null(strstr(err.text, "8388608 bytes"));
    assert_non_null(strstr(err.text, "greedy"));
    assert_int_equal(tg_instance_poll(inst, batch, &err), TG_ERR_STATE);
    assert_null(mini_try(vm, "other", "return {}", &err));
    tg_vm_idle(vm);
    tg_batch_free(batch);
    tg_vm_free(vm);
}

static void test_memory_limit(void **state)
{
    (void)state;
    static const char *const codes[] = {
        "return { poll = function() local t = {} while true do "
        "t[#t + 1] = ('x'):rep(1000) .. #t end end }",
        "return { poll = function() local s = 'x' while true do "
        "s = s .. s end end }",
        "return { poll = function() local ffi, t = require 'ffi', {} "
        "while true do t[#t + 1] = ffi.new('char[?]', 4096) end end }",
        "return { poll = function() local t = {} while true do "
        "t = { t } end end }",
        "return { poll = function() local t = {} "
        "while true do pcall(function() while true do "
        "t[#t + 1] = {} end end) if #t > 1e5 then return 1 end end end }",
        "return { poll = function() return ('x'):rep(1e9) end }",
        "return { poll = function() local function f() return f() + 1, "
        "('x'):rep(1e9) end return pcall(('x').rep, 'x', 1e9) end }",
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        check_limit(codes[i], true);
        check_limit(codes[i], false);
    }
}

static void test_limit_too_small(void **state)
{
    (void)state;
    for (size_t max = 1; max < 400000; max = max * 3 / 2 + 1) {
        tg_vm_options options = {.memory_max = max, .jit = true};
        tg_err err = {0};
        tg_vm *vm = tg_vm_new(&options, &err);
        if (!vm)
            assert_true(err.text[0] != '\0');
        tg_vm_free(vm);
    }
}

static void test_garbage_below_limit(void **state)
{
    (void)state;
    tg_vm_options options = {.memory_max = 8 * 1024 * 1024, .jit = true};
    tg_vm *vm = mini_vm(&options);
    tg_instance *inst =
        mini_instance(vm, "garbage",
                      "return { flush = function() for i = 1, 1000 do "
                      "local t = { i, ('y'):rep(200) .. i } end end }");
    for (int i = 0; i < 300; i++) {
        tg_err err = {0};
        if (tg_instance_flush(inst, &err))
            fail_msg("%d: %s", i, err.text);
        tg_vm_idle(vm);
    }
    tg_vm_free(vm);
}

static void must_flush(tg_vm *vm, const char *body)
{
    char *code = tg_sprintf("return { flush = function()\n%s\nend }", body);
    tg_instance *inst = mini_instance(vm, "t", code);
    tg_err err = {0};
    if (tg_instance_flush(inst, &err))
        fail_msg("%s\n%s", err.text, err.trace);
    tg_instance_free(inst);
    tg_free(code);
}

static void test_json(void **state)
{
    (void)state;
    tg_vm *vm = mini_vm(NULL);
    must_flush(
        vm, "local function round(s)\n"
            "    local v, e = host.json_decode(s)\n"
            "    assert(e == nil, e)\n"
            "    local out = assert(host.json_encode(v))\n"
            "    assert(out == s, out .. ' for ' .. s)\n"
            "end\n"
            "for _, s in ipairs { '[]', '{}', '[[],{}]', "
            "'{\"a\":[1,2,{\"b\":null}],"
            "\"c\":true}', '\"x\"', 'null', '9007199254740993', "
            "'-9223372036854775808', '1.5', '[null,null]', '\"\\\\u0001\"', "
            "'9223372036854775807' } do round(s) end\n"
            "assert(host.json_encode({}) == '{}')\n"
            "assert(host.json_encode({1,2}) == '[1,2]')\n"
            "assert(host.json_encode(setmetatable({}, host.array)) == '[]')\n"
            "assert(host.json_encode({b=1,a=2}) == '{\"a\":2,\"b\":1}')\n"
            "assert(host.json_encode(12345678901234567LL) == "
            "'12345678901234567')\n"
            "local t = {} t.t = t\n"
            "local v, e = host.json_encode(t)\n"
            "assert(v == nil and e:find('deeper'), e)\n"
            "v, e = host.json_encode({ a = { f = print } })\n"
            "assert(v == nil and e:find(\"'f' is a function\"), e)\n"
            "v, e = host.json_encode(0/0)\n"
            "assert(v == nil and e:find('finite'), e)\n"
            "v, e = host.json_encode('\\255')\n"
            "assert(v == nil and e:find('UTF%-8'), e)\n"
            "v, e = host.json_decode('{\"a\":')\n"
            "assert(v == nil and e:find('line 1'), e)\n"
            "v, e = host.json_encode({ [{}] = 1 })\n"
            "assert(v == nil and e:find('as key'), e)\n");
    tg_vm_free(vm);
}

static void test_files(void **state)
{
    (void)state;
    tg_vm *vm = mini_vm(NULL);
    must_flush(vm,
               "local dir = host.home .. '/lua/tidegate'\n"
               "local names = assert(host.listdir(dir))\n"
               "assert(#names == 2 and names[1] == 'boot.lua' and "
               "names[2] == 'init.lua')\n"
               "local v, e = host.listdir(dir .. '/none')\n"
               "assert(v == nil and e:find('none'), e)\n"
               "assert(host.stat(dir).type == 'directory')\n"
               "local st = host.stat(dir .. '/init.lua')\n"
               "assert(st.type == 'file' and st.size == 10 and st.ino > 0)\n"
               "assert(st.mtime > 1e9)\n"
               "assert(host.stat(dir .. '/none') == nil)\n"
               "assert(host.readfile(dir .. '/init.lua') == 'return {}\\n')\n"
               "v, e = host.readfile(dir .. '/none')\n"
               "assert(v == nil and e:find('none'), e)\n"
               "assert(host.now_ms() > 1e12)\n");
    tg_vm_free(vm);
}

static void test_compile(void **state)
{
    (void)state;
    tg_vm *vm = mini_vm(NULL);
    must_flush(vm, "local env = {}\n"
                   "local f = assert(host.compile('x = 5', '@c.lua', env))\n"
                   "f()\n"
                   "assert(env.x == 5 and x == nil)\n"
                   "local v, e = host.compile('x = = 5', '@c.lua')\n"
                   "assert(v == nil and e:find('^c.lua:1:'), e)\n"
                   "v, e = host.compile(string.dump(f), '@c.lua')\n"
                   "assert(v == nil and e:find('bytecode') or e:find('binary')"
                   " or e:find('mode'), e)\n");
    tg_vm_free(vm);
}

static void test_sleep(void **state)
{
    (void)state;
    tg_vm *vm = mini_vm(NULL);
    int64_t begin = tg_clock_ns();
    must_flush(vm, "assert(host.sleep(30) == true)");
    assert_true(tg_clock_ns() - begin >= 30000000);
    tg_task_set_stopping(true);
    begin = tg_clock_ns();
    must_flush(vm, "assert(host.sleep(5000) == false)");
    assert_true(tg_clock_ns() - begin < 1000000000);
    tg_task_set_stopping(false);
    tg_vm_free(vm);
}

static void test_plugins(void **state)
{
    (void)state;
    tg_vm *vm = mini_vm(NULL);
    tg_err err = {0};
    json_t *info, *errors, *warnings, *tasks;
    assert_int_equal(tg_plugin_find(vm, "sink", "x", &info, &err), 0);
    assert_string_equal(json_string_value(json_object_get(info, "class")), "x");
    assert_true(json_is_array(json_object_get(info, "config")));
    json_decref(info);
    assert_int_equal(tg_plugin_find(vm, "sink", "none", &info, &err),
                     TG_ERR_NOTFOUND);
    assert_string_equal(err.text, "no such class: none");
    assert_null(info);
    json_t *list = tg_plugin_list(vm);
    assert_true(json_is_array(list));
    json_decref(list);
    json_t *config = json_pack("{s:s}", "a", "7");
    assert_int_equal(tg_plugin_validate(vm, "sink", "x", config, NULL, &errors,
                                        &warnings, &err),
                     0);
    assert_int_equal(json_array_size(errors), 1);
    assert_true(json_is_array(warnings));
    assert_int_equal(json_array_size(warnings), 0);
    json_decref(errors);
    json_decref(warnings);
    assert_int_equal(tg_plugin_tasks(vm, "x", config, 3, &tasks, &err), 0);
    assert_int_equal(json_array_size(tasks), 3);
    json_decref(tasks);
    json_decref(config);
    tg_vm_free(vm);
}

static void test_jit_off(void **state)
{
    (void)state;
    tg_vm_options options = {.jit = false};
    tg_vm *vm = mini_vm(&options);
    must_flush(vm, "assert(jit.status() == false and host.jit == false)");
    tg_vm_free(vm);
    vm = mini_vm(NULL);
    must_flush(vm, "assert(jit.status() == true and host.jit == true)");
    tg_vm_free(vm);
}

/* A slow plugin is compiled anew, at most once a minute. */
static void test_heal(void **state)
{
    (void)state;
    static tg_page page;
    tg_vm_options options = {.jit = true, .page = &page};
    tg_vm *vm = mini_vm(&options);
    tg_instance *slow =
        mini_instance(vm, "slow",
                      "return { apply = function() local t = os.clock() "
                      "while os.clock() < t + 0.0005 do end end }");
    tg_instance *fast =
        mini_instance(vm, "fast", "return { apply = function() end }");
    tg_batch *batch = tg_batch_new(200, 0);
    tg_err err = {0};
    for (int i = 0; i < 100; i++)
        assert_non_null(tg_batch_append(batch));
    batch->lo = 0;
    batch->hi = batch->n;
    for (int i = 0; i < 20; i++)
        assert_int_equal(tg_instance_apply(fast, batch, 1, &err), 0);
    assert_int_equal(tg_page_get(page.jit_heals), 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(tg_instance_apply(slow, batch, 0, &err), 0);
    assert_int_equal(tg_page_get(page.jit_heals), 1);
    assert_int_equal(tg_page_get(page.records_stage[0]), 2000);
    assert_true(tg_page_get(page.ns_stage[0]) > 20 * 500000);
    must_flush(vm, "assert(M.healed == 1)");
    tg_batch_free(batch);
    tg_vm_free(vm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lifecycle),
        cmocka_unit_test(test_memory_limit),
        cmocka_unit_test(test_limit_too_small),
        cmocka_unit_test(test_garbage_below_limit),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_compile),
        cmocka_unit_test(test_sleep),
        cmocka_unit_test(test_plugins),
        cmocka_unit_test(test_jit_off),
        cmocka_unit_test(test_heal),
    };
    return cmocka_run_group_tests(tests, mini_setup, mini_teardown);
}
