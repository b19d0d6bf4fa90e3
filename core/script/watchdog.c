/*
 * The time limit of script calls, for interpreted and compiled code.
 *
 * Debug hooks do not fire in compiled code, but code that was compiled while
 * LuaJIT's profiler is in line mode polls a flag at every line. So the profiler
 * is started in that mode with its interval timer switched off at once, and a
 * POSIX timer aimed at the script thread delivers SIGPROF when a call's time is
 * up. The handler arms a Lua hook on everything and passes the signal on to
 * LuaJIT's own handler, which makes compiled code leave for the interpreter,
 * where the hook raises the error. Until the host is reached the hook comes
 * back at every instruction and the signal every 5 ms, so a pcall in the script
 * cannot swallow it.
 *
 * The timer costs one system call per time limit while calls are running and
 * none while the task is idle: it is armed when a call begins and it is not
 * armed, and re-armed by the handler only while a call runs.
 *
 * Only one VM of a process can have a time limit at a time.
 *
 * Threads: the script thread; the handler runs on it too. tg_vm_interrupt: any.
 */
#include "script/internal.h"
#include "base/log.h"
#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

enum { AGAIN_NS = 5000000 };

static _Atomic(tg_vm *) watched;
static struct sigaction chained; /* LuaJIT's handler, or what was there */
static struct sigaction before;  /* what was there before this file */

static int64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void arm(tg_watch *w, int64_t ns)
{
    struct itimerspec it = {0};
    if (ns < 1000000)
        ns = 1000000;
    it.it_value.tv_sec = ns / 1000000000;
    it.it_value.tv_nsec = ns % 1000000000;
    atomic_store(&w->armed, true);
    timer_settime(w->timer, 0, &it, NULL);
}

/* Raises the time-out error out of whatever runs. A pcall may catch it: then
 * it is raised again at the next instruction, until the host is reached. */
static void stop_script(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    tg_vm *vm = tg__vm_of(L);
    tg_watch *w = &vm->watch;
    if (!atomic_load(&w->overdue)) {
        lua_sethook(L, NULL, 0, 0);
        return;
    }
    lua_sethook(L, stop_script, LUA_MASKCOUNT, 1);
    vm->reserve++;
    if (!*w->at)
        tg__user_position(L, 0, w->at, sizeof w->at);
    lua_pushfstring(L, "%s%s" TG_OVERDUE, w->at, *w->at ? ": " : "");
    vm->reserve--;
    lua_error(L);
}

/* True when the running call must be stopped. */
static bool is_due(tg_watch *w)
{
    if (!atomic_load(&w->start))
        return false;
    uint32_t serial = atomic_load(&w->interrupt);
    if (serial && serial == atomic_load(&w->serial))
        return true;
    int64_t deadline = atomic_load(&w->deadline);
    return deadline && now_ns() >= deadline;
}

static void pass_on(int sig, siginfo_t *info, void *context)
{
    if (chained.sa_flags & SA_SIGINFO) {
        if (chained.sa_sigaction)
            chained.sa_sigaction(sig, info, context);
    } else if (chained.sa_handler != SIG_DFL && chained.sa_handler != SIG_IGN)
        chained.sa_handler(sig);
}

static void on_sigprof(int sig, siginfo_t *info, void *context)
{
    int saved = errno;
    tg_vm *vm = atomic_load(&watched);
    if (!vm || !pthread_equal(vm->watch.thread, pthread_self()))
        goto out;
    tg_watch *w = &vm->watch;
    if (is_due(w)) {
        atomic_store(&w->overdue, true);
        if (vm->page && vm->batch)
            tg_page_set(vm->page->at_record, vm->batch->cursor);
        lua_sethook(vm->L, stop_script,
                    LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT,
                    1);
        pass_on(sig, info, context);
        arm(w, AGAIN_NS); /* it may be caught and enter another loop */
        goto out;
    }
    int64_t deadline = atomic_load(&w->deadline);
    if (atomic_load(&w->start) && deadline)
        arm(w, deadline - now_ns());
    else
        atomic_store(&w->armed, false);
out:
    errno = saved;
}

static void profiled(void *data, lua_State *L, int samples, int vmstate)
{
    (void)data;
    (void)L;
    (void)samples;
    (void)vmstate;
}

/* Line mode without the interval timer, which would make the CPU clocks of the
 * whole process coarse. */
static int start_profiler(lua_State *L)
{
    tg_vm *vm = tg__vm_of(L);
    static const struct itimerval off;
    luaJIT_profile_start(L, "li3600000", profiled, NULL);
    setitimer(ITIMER_PROF, &off, NULL);
    vm->watch.profiling = true;
    return 0;
}

static int make_timer(tg_watch *w, tg_err *err)
{
    struct sigevent ev = {0};
    ev.sigev_notify = SIGEV_THREAD_ID;
    ev.sigev_signo = SIGPROF;
    ev.sigev_notify_thread_id = (int)syscall(SYS_gettid);
    if (timer_create(CLOCK_MONOTONIC, &ev, &w->timer))
        return tg_err_set(err, TG_ERR_LIMIT,
                          "cannot create the timer of the script time limit: "
                          "%s",
                          strerror(errno));
    w->has_timer = true;
    return 0;
}

int tg__watch_init(tg_vm *vm, int64_t timeout_ns, tg_err *err)
{
    tg_watch *w = &vm->watch;
    w->thread = pthread_self();
    w->limit = timeout_ns;
    tg_vm *none = NULL;
    if (!atomic_compare_exchange_strong(&watched, &none, vm)) {
        if (timeout_ns)
            return tg_err_set(err, TG_ERR_STATE,
                              "another Lua VM of this process already has a "
                              "time limit; free it first");
        return 0;
    }
    sigaction(SIGPROF, NULL, &before);
    if (vm->jit && tg__protect_quiet(vm, start_profiler, NULL, err))
        return err->code;
    struct sigaction sa = {0};
    sa.sa_sigaction = on_sigprof;
    sa.sa_flags = SA_SIGINFO | SA_RESTART;
    sigemptyset(&sa.sa_mask);
    sigaction(SIGPROF, &sa, &chained);
    return make_timer(w, err);
}

void tg__watch_fini(tg_vm *vm)
{
    tg_watch *w = &vm->watch;
    if (atomic_load(&watched) != vm)
        return;
    if (w->has_timer)
        timer_delete(w->timer);
    /* a signal on its way is handled, and ignored, before the handler goes */
    atomic_store(&watched, NULL);
    if (w->profiling)
        luaJIT_profile_stop(vm->L);
    if (before.sa_handler == SIG_DFL) /* one may still be pending */
        before.sa_handler = SIG_IGN;
    sigaction(SIGPROF, &before, NULL);
    w->has_timer = w->profiling = false;
}

void tg__watch_begin(tg_vm *vm)
{
    tg_watch *w = &vm->watch;
    int64_t now = now_ns();
    atomic_store_explicit(&w->deadline, w->limit ? now + w->limit : 0,
                          memory_order_relaxed);
    atomic_store_explicit(&w->overdue, false, memory_order_relaxed);
    w->at[0] = '\0';
    if (atomic_fetch_add_explicit(&w->serial, 1, memory_order_relaxed) ==
        UINT32_MAX)
        atomic_store_explicit(&w->serial, 1, memory_order_relaxed);
    atomic_store(&w->start, now);
    if (w->limit && !atomic_load_explicit(&w->armed, memory_order_relaxed))
        arm(w, w->limit);
    if (vm->page)
        tg_page_set(vm->page->call_start_ns, now);
}

bool tg__watch_end(tg_vm *vm)
{
    tg_watch *w = &vm->watch;
    atomic_store(&w->start, 0);
    if (vm->page)
        tg_page_set(vm->page->call_start_ns, 0);
    if (!atomic_load_explicit(&w->overdue, memory_order_relaxed))
        return false;
    lua_sethook(vm->L, NULL, 0, 0);
    atomic_store(&w->overdue, false);
    if (vm->page)
        tg_page_add(vm->page->interrupts, 1);
    return true;
}

void tg__watch_pause(tg_vm *vm, tg_pause *pause)
{
    tg_watch *w = &vm->watch;
    pause->begin = now_ns();
    pause->deadline = atomic_exchange(&w->deadline, 0);
    if (vm->page) {
        pause->start = tg_page_get(vm->page->call_start_ns);
        tg_page_set(vm->page->call_start_ns, 0);
    }
}

void tg__watch_resume(tg_vm *vm, const tg_pause *pause)
{
    tg_watch *w = &vm->watch;
    int64_t now = now_ns(), waited = now - pause->begin;
    if (pause->deadline) {
        atomic_store(&w->deadline, pause->deadline + waited);
        if (!atomic_load(&w->armed))
            arm(w, pause->deadline + waited - now);
    }
    if (vm->page && pause->start)
        tg_page_set(vm->page->call_start_ns, pause->start + waited);
}

void tg_vm_interrupt(tg_vm *vm)
{
    uint32_t serial = atomic_load(&vm->watch.serial);
    if (!atomic_load(&vm->watch.start))
        return;
    atomic_store(&vm->watch.interrupt, serial);
    pthread_kill(vm->watch.thread, SIGPROF);
}
