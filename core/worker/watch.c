/*
 * The watchdog: looks at every task's page and memory a few times a second.
 *
 * - A script call that runs longer than task.script.timeout.ms is stopped by
 *   the task itself; when that has not helped TG_KILL_GRACE_MS later it hangs
 *   in C, and the process is killed.
 * - Memory of its own (resident without shared pages) above
 *   task.memory.max.mb: killed. Read at every look; with many tasks once a
 *   second, unless it is above half of the limit.
 * - A loop that has not turned for a minute is reported, not killed: it may be
 *   a debugger, or a disk.
 *
 * Owner thread only. Reading /proc never blocks.
 */
#include "worker/internal.h"
#include "base/log.h"
#include "task/protocol.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SILENT_S = 60, PLAN_MAX_S = 60, FEW_TASKS = 64, MEMORY_EVERY = 4 };

/* Resident bytes that are not shared; -1 when the process is gone. */
static int64_t own_memory(int pid)
{
    char path[64], text[128];
    long size, resident, shared;
    snprintf(path, sizeof path, "/proc/%d/statm", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        return -1;
    text[n] = 0;
    if (sscanf(text, "%ld %ld %ld", &size, &resident, &shared) != 3)
        return -1;
    return (int64_t)(resident - shared) * sysconf(_SC_PAGESIZE);
}

static bool over_memory(tg_run_task *task, uint64_t turn)
{
    if (turn % MEMORY_EVERY != 0 && task->memory < task->memory_max / 2 &&
        task->connector->worker->n_running > FEW_TASKS)
        return false;
    int64_t memory = own_memory(tg__child_pid(task->child));
    if (memory >= 0)
        task->memory = memory;
    if (!task->memory_max || memory <= task->memory_max)
        return false;
    char place[300];
    tg__task_place(task, place, sizeof place);
    tg__task_kill_failed(
        task,
        tg_sprintf("TaskMemory: task %s was stopped at %lld MB of memory while "
                   "in %s; the limit is task.memory.max.mb=%lld\n"
                   "Caused by: Memory: %lld MB are more than "
                   "task.memory.max.mb=%lld; look for what the plugin keeps, "
                   "or raise the limit",
                   task->name, (long long)(memory >> 20), place,
                   (long long)(task->memory_max >> 20),
                   (long long)(memory >> 20),
                   (long long)(task->memory_max >> 20)));
    return true;
}

static bool overdue(tg_run_task *task, int64_t now)
{
    int64_t since = tg_page_get(task->page->call_start_ns);
    if (!since || !task->timeout_ns ||
        now - since < task->timeout_ns + TG_KILL_GRACE_MS * 1000000LL)
        return false;
    char place[300];
    tg__task_place(task, place, sizeof place);
    tg__task_kill_failed(
        task, tg_sprintf(
                  "TaskHangs: task %s was stopped: one call has run for %.1f s "
                  "in %s; the limit is task.script.timeout.ms=%lld\n"
                  "Caused by: Timeout: the call did not end and could not be "
                  "interrupted, so it is stuck outside of Lua; look at the C "
                  "function it calls, or raise task.script.timeout.ms",
                  task->name, (double)(now - since) / 1e9, place,
                  (long long)(task->timeout_ns / 1000000)));
    return true;
}

static void silent(tg_run_task *task, int64_t now)
{
    int64_t beat = tg_page_get(task->page->heartbeat_ns);
    bool late = beat && now - beat > SILENT_S * 1000000000LL;
    if (late && !task->warned_silent) {
        char place[300];
        tg__task_place(task, place, sizeof place);
        tg_warn("herder", "task %s has not moved for %d s; it is in %s",
                task->name, (int)((now - beat) / 1000000000), place);
    }
    task->warned_silent = late;
}

static void plan_overdue(tg_connector *c, int64_t now)
{
    if (c->plan && now - c->plan_started_ns > PLAN_MAX_S * 1000000000LL)
        tg__child_kill(c->plan, SIGKILL, "it took longer than 60 s");
    tg__change_watch(c, now, PLAN_MAX_S);
}

void tg__watch(tg_worker *worker)
{
    int64_t now = tg__now_ns();
    uint64_t turn = ++worker->watch_turn;
    int running = 0;
    for (int i = 0; i < worker->n_connectors; i++) {
        tg_connector *c = worker->connectors[i];
        plan_overdue(c, now);
        for (int t = 0; t < c->n_tasks; t++) {
            tg_run_task *task = c->tasks[t];
            if (!task->child || task->next == TG_NEXT_FAILED ||
                task->said_failed)
                continue;
            running++;
            tg__child_check(task->child);
            if (!overdue(task, now) && !over_memory(task, turn))
                silent(task, now);
        }
    }
    worker->n_running = running;
}
