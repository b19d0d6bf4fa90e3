/*
 * A C call that crashes: one line names plugin, stage and record, the shared
 * page has the record, and the process still dies of the signal.
 */
#include "mini.h"
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void crash(tg_page *page, const char *body, bool jit)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    tg_vm_options options = {.jit = jit, .page = page};
    tg_vm *vm = mini_vm(&options);
    char *code = tg_sprintf("local ffi = require 'ffi'\nreturn { apply = "
                            "function()\n%s\nend }",
                            body);
    tg_instance *inst = mini_instance(vm, "faulty", code);
    tg_batch *batch = tg_batch_new(10, 0);
    tg_err err = {0};
    for (int i = 0; i < 5; i++)
        tg_batch_append(batch);
    batch->hi = batch->n;
    tg_instance_apply(inst, batch, 2, &err);
    _exit(0);
}

static size_t read_all(int fd, char *out, size_t size)
{
    size_t len = 0;
    ssize_t n;
    while (len < size - 1 && (n = read(fd, out + len, size - 1 - len)) > 0)
        len += (size_t)n;
    out[len] = '\0';
    return len;
}

static void check(const char *body, int sig, const char *name, bool jit)
{
    int fds[2], status;
    char out[65536], want[128];
    tg_page *page = mmap(NULL, TG_PAGE_SIZE, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_int_equal(pipe(fds), 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        /* cmocka and sanitizers catch these signals for their own reports */
        signal(SIGSEGV, SIG_DFL);
        signal(SIGFPE, SIG_DFL);
        signal(SIGBUS, SIG_DFL);
        signal(SIGILL, SIG_DFL);
        dup2(fds[1], STDERR_FILENO);
        close(fds[0]);
        close(fds[1]);
        crash(page, body, jit);
    }
    close(fds[1]);
    read_all(fds[0], out, sizeof out);
    close(fds[0]);
    waitpid(pid, &status, 0);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), sig);
    snprintf(want, sizeof want,
             "tidegate: the task died of %s in plugin faulty, stage transform "
             "2, record 3\n",
             name);
    if (!strstr(out, want))
        fail_msg("%s", out);
    assert_int_equal(tg_page_get(page->at_record), 3);
    assert_int_equal(tg_page_get(page->at_stage), 2);
    assert_int_equal(tg_page_get(page->at), TG_AT_TRANSFORM);
    assert_string_equal(page->at_plugin, "faulty");
    munmap(page, TG_PAGE_SIZE);
}

/* Puts the cursor on record 3, as batch:each() does. */
#define CURSOR                                                                 \
    "pcall(ffi.cdef, 'struct t_slot { void **items; uint32_t n, cap, serial, " \
    "epoch, cursor; };')\n"                                                    \
    "ffi.cast('struct t_slot *', slot[0]).cursor = 3\n"

static const char slot[] =
    "local slot = ffi.new('void *[1]')\nhost.batch_slot(slot)\n";

static void check_both(const char *body, int sig, const char *name)
{
    char *text = tg_sprintf("%s" CURSOR "%s", slot, body);
    check(text, sig, name, true);
    check(text, sig, name, false);
    tg_free(text);
}

static void test_null_read(void **state)
{
    (void)state;
    check_both("return ffi.cast('int *', 8)[0]", SIGSEGV,
               "SIGSEGV (invalid memory access)");
}

static void test_null_call(void **state)
{
    (void)state;
    check_both("for i = 1, 200 do\n"
               "if i == 150 then ffi.cast('void (*)(void)', 0)() end end",
               SIGSEGV, "SIGSEGV (invalid memory access)");
}

static void test_sent_signal(void **state)
{
    (void)state;
    check_both("ffi.cdef 'int raise(int);'\nffi.C.raise(8)", SIGFPE,
               "SIGFPE (arithmetic fault)");
}

static void test_stack(void **state)
{
    (void)state;
    check_both("ffi.cdef 'void qsort(void *, size_t, size_t, int (*)(const "
               "void *, const void *));'\n"
               "local f\nf = ffi.cast('int (*)(const void *, const void *)', "
               "function() return 0 end)\n"
               "ffi.C.qsort(ffi.cast('void *', 64), 1000, 4, f)",
               SIGSEGV, "SIGSEGV (invalid memory access)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_null_read), cmocka_unit_test(test_null_call),
        cmocka_unit_test(test_sent_signal), cmocka_unit_test(test_stack)};
    return cmocka_run_group_tests(tests, mini_setup, mini_teardown);
}
