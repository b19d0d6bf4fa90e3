/*
 * The crash handler: when a script's C call dies with SIGSEGV, SIGBUS, SIGFPE
 * or SIGILL, one line on standard error says what was running, and the shared
 * page gets the record, before the signal takes its course.
 *
 * It runs on a stack of its own, restores the earlier action first (so that a
 * second fault ends the process at once), uses only async-signal-safe calls and
 * never looks into Lua: the state may be anything. The supervisor sees the
 * signal itself in the exit status.
 *
 * Thread: any; the handler reports the script thread's breadcrumb.
 */
#include "script/internal.h"
#include <unistd.h>

enum { STACK = 64 * 1024, LINE = 512 };

static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
enum { NSIGNALS = sizeof signals / sizeof *signals };

static _Atomic(tg_vm *) watched;
static struct sigaction earlier[NSIGNALS];
static bool installed;
static char stack[STACK];

static char *add_text(char *to, const char *end, const char *s)
{
    while (*s && to < end)
        *to++ = *s++;
    return to;
}

static char *add_number(char *to, const char *end, uint64_t v)
{
    char digits[24], *p = digits + sizeof digits;
    *--p = '\0';
    do
        *--p = (char)('0' + v % 10);
    while (v /= 10);
    return add_text(to, end, p);
}

static const char *signal_name(int sig)
{
    switch (sig) {
    case SIGSEGV:
        return "SIGSEGV (invalid memory access)";
    case SIGBUS:
        return "SIGBUS (invalid memory access)";
    case SIGFPE:
        return "SIGFPE (arithmetic fault)";
    default:
        return "SIGILL (illegal instruction)";
    }
}

static const char *place_name(uint32_t at)
{
    static const char *const names[] = {"idle",   "start",  "poll", "transform",
                                        "decode", "encode", "send", "put",
                                        "flush",  "commit", "stop", "load"};
    return at < sizeof names / sizeof *names ? names[at] : "?";
}

static void report(const tg_vm *vm, int sig)
{
    char line[LINE] = "", *p = line;
    const char *end = line + sizeof line - 1;
    p = add_text(p, end, "tidegate: the task died of ");
    p = add_text(p, end, signal_name(sig));
    if (vm && vm->at && vm->at->name) {
        p = add_text(p, end, " in plugin ");
        p = add_text(p, end, vm->at->name);
    }
    if (vm && vm->page) {
        p = add_text(p, end, ", stage ");
        p = add_text(p, end, place_name(tg_page_get(vm->page->at)));
        p = add_text(p, end, " ");
        p = add_number(p, end, tg_page_get(vm->page->at_stage));
    }
    if (vm && vm->batch) {
        uint32_t cursor = vm->batch->cursor;
        p = add_text(p, end, ", record ");
        p = add_number(p, end, cursor);
        if (vm->page)
            tg_page_set(vm->page->at_record, cursor);
    }
    *p++ = '\n';
    ssize_t done = write(STDERR_FILENO, line, (size_t)(p - line));
    (void)done;
}

static void on_crash(int sig)
{
    for (int i = 0; i < NSIGNALS; i++)
        sigaction(signals[i], &earlier[i], NULL);
    report(atomic_load(&watched), sig);
    /* returning runs the faulting instruction again, with its real cause; a
     * signal that was only sent needs sending again */
    raise(sig);
}

void tg__crash_watch(tg_vm *vm)
{
    atomic_store(&watched, vm);
    if (installed)
        return;
    stack_t old;
    if (sigaltstack(NULL, &old) == 0 && (old.ss_flags & SS_DISABLE)) {
        stack_t own = {.ss_sp = stack, .ss_size = sizeof stack};
        sigaltstack(&own, NULL);
    }
    struct sigaction sa = {0};
    sa.sa_handler = on_crash;
    sa.sa_flags = SA_ONSTACK;
    sigemptyset(&sa.sa_mask);
    for (int i = 0; i < NSIGNALS; i++)
        sigaction(signals[i], &sa, &earlier[i]);
    installed = true;
}

void tg__crash_forget(tg_vm *vm)
{
    tg_vm *expected = vm;
    atomic_compare_exchange_strong(&watched, &expected, NULL);
}
