/*
 * Time limits: every form of endless loop ends with script:line, at any moment,
 * and the VM works afterwards.
 */
#include "mini.h"
#include "host/services.h"
#include <pthread.h>

typedef struct form {
    const char *name, *body;
} form;

static const form forms[] = {
    {"plain", "local x = 0\nwhile true do x = x + 1 end"},
    {"empty", "while true do end"},
    {"ffi", "local ffi = require 'ffi'\nlocal C = ffi.C\n"
            "pcall(ffi.cdef, 'int64_t tg_clock_ns(void);')\n"
            "local n = 0LL\nwhile true do n = n + C.tg_clock_ns() end"},
    {"pcall", "while true do pcall(function()\n"
              "local x = 0 while true do x = x + 1 end end) end"},
    {"pcall2", "local function inner() local x = 0 "
               "for i = 1, 1e12 do x = x + i % 7 end return x end\n"
               "while true do pcall(inner) end"},
    {"xpcall", "while true do xpcall(function()\n"
               "while true do end end, function(e) return e .. 'x' end) end"},
    {"loop in handler", "xpcall(error, function(e)\nwhile true do end end)"},
    {"strings", "while true do\nlocal t = {}\nfor i = 1, 100 do "
                "t[i] = tostring(i) .. ('x'):rep(i) end\n"
                "t = table.concat(t)\nend"},
    {"coroutine", "local co = coroutine.wrap(function()\n"
                  "while true do coroutine.yield(1) end end)\n"
                  "while true do co() end"},
    {"in coroutine", "coroutine.wrap(function()\nlocal x = 0\n"
                     "while true do x = x + 1 end end)()"},
    {"resume", "while true do coroutine.resume(coroutine.create(function()\n"
               "local x = 0 while true do x = x + 1 end end)) end"},
    {"calls", "local function f(n) if n == 0 then return 0 end "
              "return 1 + f(n - 1) end\nwhile true do f(50) end"},
    {"tail calls", "local function f() return f() end\nf()"},
    {"gsub", "local s = ('ab'):rep(100)\nwhile true do "
             "s:gsub('a', function(c) return c end) end"},
    {"sort", "local t = {}\nfor i = 1, 1000 do t[i] = -i end\nwhile true do "
             "table.sort(t, function(a, b) return a < b end)\n"
             "for i = 1, 1000 do t[i] = -i end end"},
};
enum { FORMS = sizeof forms / sizeof *forms };

static const char healthy[] = "local n = 0\nfor i = 1, 300 do n = n + i end\n"
                              "assert(n == 45150)\nlocal t = {}\n"
                              "for i = 1, 100 do t[i] = tostring(i) end\n"
                              "assert(#table.concat(t) == 192)";

static tg_instance *instance(tg_vm *vm, const char *body)
{
    char *code = tg_sprintf("return { flush = function()\n%s\nend }", body);
    tg_instance *inst = mini_instance(vm, "loop", code);
    tg_free(code);
    return inst;
}

static void check_error(const form *f, int rc, const tg_err *err)
{
    if (rc != TG_ERR_TIMEOUT)
        fail_msg("%s: %d %s", f->name, rc, err->text);
    if (!strstr(err->text, "time limit"))
        fail_msg("%s: %s", f->name, err->text);
}

static void check_healthy(tg_vm *vm, const form *f)
{
    tg_err err = {0};
    tg_instance *ok = instance(vm, healthy);
    if (tg_instance_flush(ok, &err))
        fail_msg("after %s: %s", f->name, err.text);
    tg_instance_free(ok);
}

static void check_limits(bool jit)
{
    static tg_page page;
    tg_vm_options options = {.jit = jit, .timeout_ns = 20000000, .page = &page};
    tg_vm *vm = mini_vm(&options);
    int64_t interrupts = tg_page_get(page.interrupts);
    for (int i = 0; i < FORMS; i++) {
        tg_instance *inst = instance(vm, forms[i].body);
        tg_err err = {0};
        int64_t begin = tg_clock_ns();
        int rc = tg_instance_flush(inst, &err);
        int64_t ms = (tg_clock_ns() - begin) / 1000000;
        check_error(&forms[i], rc, &err);
        assert_non_null(strstr(err.text, "20 ms"));
        if (ms < 19 || ms > 2000)
            fail_msg("%s: took %lld ms", forms[i].name, (long long)ms);
        tg_instance_free(inst);
        check_healthy(vm, &forms[i]);
    }
    assert_int_equal(tg_page_get(page.interrupts) - interrupts, FORMS);
    assert_int_equal(tg_page_get(page.call_start_ns), 0);
    tg_vm_free(vm);
}

static void test_limits(void **state)
{
    (void)state;
    check_limits(true);
}

static void test_limits_interpreted(void **state)
{
    (void)state;
    check_limits(false);
}

static void test_position(void **state)
{
    (void)state;
    tg_vm_options options = {.jit = true, .timeout_ns = 20000000};
    tg_vm *vm = mini_vm(&options);
    tg_err err = {0};
    tg_instance *inst = instance(vm, "local x = 0\nwhile true do\n"
                                     "    x = x + 1\nend");
    assert_int_equal(tg_instance_flush(inst, &err), TG_ERR_TIMEOUT);
    assert_non_null(strstr(err.text, "loop.lua:"));
    int line = atoi(err.text + strlen("loop.lua:"));
    assert_true(line == 3 || line == 4 || line == 5);
    assert_non_null(
        strstr(err.text, ": script exceeded its time limit of 20 ms"));
    assert_non_null(strstr(err.trace, "loop.lua"));
    tg_vm_free(vm);
}

/* Calls that are quick, or wait in the host, are left alone. */
static void test_not_overdue(void **state)
{
    (void)state;
    tg_vm_options options = {.jit = true, .timeout_ns = 300000000};
    tg_vm *vm = mini_vm(&options);
    tg_err err = {0};
    tg_instance *sleeper = instance(vm, "host.sleep(700)");
    if (tg_instance_flush(sleeper, &err))
        fail_msg("%s", err.text);
    tg_instance *quick = instance(vm, healthy);
    int64_t end = tg_clock_ns() + 500000000;
    while (tg_clock_ns() < end)
        if (tg_instance_flush(quick, &err))
            fail_msg("%s", err.text);
    tg_vm_free(vm);
}

/* A C call that blocks ends the call when it comes back. */
static void test_blocking_call(void **state)
{
    (void)state;
    tg_vm_options options = {.jit = true, .timeout_ns = 20000000};
    tg_vm *vm = mini_vm(&options);
    tg_err err = {0};
    tg_instance *inst =
        instance(vm, "local ffi = require 'ffi'\n"
                     "ffi.cdef 'int usleep(unsigned);'\n"
                     "for i = 1, 20 do ffi.C.usleep(10000) end\nreturn 1");
    assert_int_equal(tg_instance_flush(inst, &err), TG_ERR_TIMEOUT);
    tg_vm_free(vm);
}

static void test_one_limit_only(void **state)
{
    (void)state;
    tg_vm_options options = {.jit = true, .timeout_ns = 1000000000};
    tg_vm *vm = mini_vm(&options);
    tg_err err = {0};
    assert_null(tg_vm_new(&options, &err));
    assert_int_equal(err.code, TG_ERR_STATE);
    options.timeout_ns = 0;
    tg_vm *second = mini_vm(&options);
    tg_vm_free(second);
    tg_vm_free(vm);
    options.timeout_ns = 1000000000;
    tg_vm_free(mini_vm(&options));
}

/* --- interrupts at random moments ---------------------------------------- */

typedef struct poker {
    tg_vm *vm;
    _Atomic bool go, idle, stop;
    unsigned seed;
} poker;

static void *poke(void *arg)
{
    poker *p = arg;
    while (!p->stop) {
        p->idle = false;
        while (p->go) {
            usleep((useconds_t)(rand_r(&p->seed) % 3000));
            tg_vm_interrupt(p->vm);
        }
        p->idle = true;
        usleep(20);
    }
    return NULL;
}

static void test_random_moments(void **state)
{
    (void)state;
    tg_vm_options options = {.jit = true};
    poker p = {.vm = mini_vm(&options), .seed = 7};
    pthread_t thread;
    pthread_create(&thread, NULL, poke, &p);
    for (int round = 0; round < 30; round++)
        for (int i = 0; i < FORMS; i++) {
            tg_instance *inst = instance(p.vm, forms[i].body);
            tg_err err = {0};
            p.idle = false;
            p.go = true;
            int rc = tg_instance_flush(inst, &err);
            p.go = false;
            while (!p.idle)
                usleep(10);
            check_error(&forms[i], rc, &err);
            tg_instance_free(inst);
            check_healthy(p.vm, &forms[i]);
        }
    p.stop = true;
    pthread_join(thread, NULL);
    tg_vm_free(p.vm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_limits_interpreted),
        cmocka_unit_test(test_position),
        cmocka_unit_test(test_not_overdue),
        cmocka_unit_test(test_blocking_call),
        cmocka_unit_test(test_one_limit_only),
        cmocka_unit_test(test_random_moments),
    };
    return cmocka_run_group_tests(tests, mini_setup, mini_teardown);
}
