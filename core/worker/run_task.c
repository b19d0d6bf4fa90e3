/*
 * A task as the supervisor sees it: a process, its page, its state.
 *
 *   start --> process --status RUNNING|PAUSED--> ...
 *   process ends:
 *     somebody asked for it (task->next)      IDLE: UNASSIGNED, START: again
 *     killed by us (watchdog, memory)         FAILED, trace set before
 *     said FAILED before                      FAILED with its own trace
 *     crashed (SIGSEGV, SIGABRT, ...)         FAILED, the page tells where
 *     killed from outside (SIGKILL, SIGTERM)  starts again after a pause
 *
 * FAILED tasks stay down until somebody restarts them, as in Kafka Connect. A
 * kill from outside (the kernel short of memory, an operator) is not the
 * connector's fault, so the task comes back, with a growing pause.
 *
 * Traces: the first line is "Kind: sentence", then "Caused by: Kind: reason";
 * clients show what follows the last colon of these.
 *
 * Owner thread only.
 */
#include "worker/internal.h"
#include "base/config.h"
#include "base/log.h"
#include "task/protocol.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum {
    PAUSE_MIN_MS = 200,
    PAUSE_MAX_MS = 60000,
    RAN_WELL_S = 10,
    START_TURN_MS = 10
};

static void arm(tg_run_task *task, uv_timer_cb cb, int64_t ms);

bool tg__task_is_source(const tg_run_task *task)
{
    return task->connector->type == TG_SOURCE;
}

static int64_t setting(const tg_connector *c, const char *key, int64_t dflt)
{
    int64_t v = dflt;
    tg_err err = {0};
    const json_t *from =
        json_object_get(c->config, key) ? c->config : c->worker->config;
    if (tg_config_int(from, key, dflt, 0, INT_MAX, &v, &err) != TG_OK) {
        tg_warn("herder", "connector %s: %s; %lld is used", c->name, err.text,
                (long long)dflt);
        v = dflt;
    }
    return v;
}

void tg__task_configure(tg_run_task *task, json_t *config)
{
    tg_connector *c = task->connector;
    json_incref(config);
    json_decref(task->config);
    task->config = config;
    task->timeout_ns =
        setting(c, "task.script.timeout.ms", TG_SCRIPT_TIMEOUT_MS) * 1000000;
    task->memory_max =
        setting(c, "task.memory.max.mb", TG_TASK_MEMORY_MB) * 1024 * 1024;
}

tg_run_task *tg__task_new(tg_connector *c, int id, json_t *config)
{
    tg_run_task *task = tg_calloc(sizeof *task);
    task->connector = c;
    task->id = id;
    snprintf(task->name, sizeof task->name, "%s-%d", c->name, id);
    task->page_fd = -1;
    task->writes = json_array();
    task->needs = json_array();
    tg__task_configure(task, config);
    task->timer = tg_calloc(sizeof *task->timer);
    uv_timer_init(&c->worker->loop, task->timer);
    task->timer->data = task;
    return task;
}

static void timer_closed(uv_handle_t *handle)
{
    tg_free(handle);
}

void tg__task_free(tg_run_task *task)
{
    if (!task)
        return;
    uv_close((uv_handle_t *)task->timer, timer_closed);
    tg_page_unmap(task->page);
    if (task->page_fd >= 0)
        close(task->page_fd);
    json_decref(task->config);
    json_decref(task->writes);
    json_decref(task->uses);
    json_decref(task->transforms);
    json_decref(task->transforms_of);
    json_decref(task->needs);
    tg_free(task->trace);
    tg_free(task->version);
    tg_free(task);
}

/* ------------------------------------------------------------------ place */

static const char *const places[] = {
    [TG_AT_IDLE] = "its own loop",
    [TG_AT_START] = "start",
    [TG_AT_POLL] = "poll",
    [TG_AT_TRANSFORM] = "transform",
    [TG_AT_DECODE] = "decoding",
    [TG_AT_ENCODE] = "encoding",
    [TG_AT_SEND] = "sending to Kafka",
    [TG_AT_PUT] = "put",
    [TG_AT_FLUSH] = "flush",
    [TG_AT_COMMIT] = "commit",
    [TG_AT_STOP] = "stop",
    [TG_AT_LOAD] = "loading",
};

void tg__task_place(const tg_run_task *task, char *out, size_t size)
{
    const tg_page *page = task->page;
    uint32_t at = tg_page_get(page->at), record = tg_page_get(page->at_record);
    char plugin[sizeof page->at_plugin + 1] = "";
    memcpy(plugin, page->at_plugin, sizeof page->at_plugin);
    const char *what = at < sizeof places / sizeof *places && places[at]
                           ? places[at]
                           : "an unknown place";
    bool script = at == TG_AT_START || at == TG_AT_POLL ||
                  at == TG_AT_TRANSFORM || at == TG_AT_PUT ||
                  at == TG_AT_FLUSH || at == TG_AT_COMMIT || at == TG_AT_STOP ||
                  at == TG_AT_LOAD;
    int n = snprintf(out, size, "%s", what);
    if (at == TG_AT_TRANSFORM)
        n += snprintf(out + n, size - (size_t)n, " %u",
                      tg_page_get(page->at_stage));
    if (script && *plugin)
        n += snprintf(out + n, size - (size_t)n, " of %s", plugin);
    if (at == TG_AT_TRANSFORM || at == TG_AT_PUT || at == TG_AT_POLL ||
        at == TG_AT_DECODE || at == TG_AT_ENCODE || at == TG_AT_SEND)
        snprintf(out + n, size - (size_t)n, ", record %u", record);
}

/* ----------------------------------------------------------------- failing */

/* trace is taken. */
static void fail(tg_run_task *task, char *trace)
{
    tg_free(task->trace);
    task->trace = trace;
    task->state = TG_STATE_FAILED;
    task->failed_ns = tg__now_ns();
    task->connector->worker->task_startup_failures += task->starts <= 1;
    tg_error("herder", "task %s FAILED: %s", task->name, trace);
}

static const char *signal_name(int signal)
{
    const char *name = sigabbrev_np(signal);
    return name ? name : "?";
}

static char *crash_trace(const tg_run_task *task, const tg_child_exit *how)
{
    char place[300];
    tg__task_place(task, place, sizeof place);
    if (how->fault)
        return tg_sprintf(
            "TaskBroken: task %s was stopped while in %s: %s\n"
            "Caused by: BrokenProtocol: %s; something in the process writes "
            "where it must not",
            task->name, place, how->fault, how->fault);
    if (how->signal)
        return tg_sprintf(
            "TaskCrashed: task %s was killed by signal %d (SIG%s) while in "
            "%s\nCaused by: Signal: %s in process %d; other tasks go on. Look "
            "at what the plugin calls through FFI at that place, then restart "
            "the task",
            task->name, how->signal, signal_name(how->signal), place,
            strsignal(how->signal), how->pid);
    return tg_sprintf(
        "TaskExited: task %s ended with exit code %d while in %s\nCaused by: "
        "Exit: process %d ended and nobody had asked for it; the lines it "
        "logged before may tell why",
        task->name, how->code, place, how->pid);
}

/* Signals that come from outside: no fault of the task. It takes SIGTERM as a
 * request to stop, and says so. */
static bool killed_from_outside(const tg_run_task *task,
                                const tg_child_exit *how)
{
    return (task->said_stopped && !how->signal && !how->code) ||
           (!how->fault && (how->signal == SIGKILL || how->signal == SIGTERM ||
                            how->signal == SIGINT || how->signal == SIGHUP ||
                            how->signal == SIGQUIT));
}

/* ------------------------------------------------------------------ timers */

static void arm(tg_run_task *task, uv_timer_cb cb, int64_t ms)
{
    uv_update_time(&task->connector->worker->loop);
    uv_timer_start(task->timer, cb, (uint64_t)(ms > 0 ? ms : 0), 0);
}

static void on_pause_over(uv_timer_t *timer)
{
    tg__task_start(timer->data);
}

static void on_stop_overdue(uv_timer_t *timer)
{
    tg_run_task *task = timer->data;
    char place[300];
    if (!task->child)
        return;
    tg__task_place(task, place, sizeof place);
    tg_warn("herder",
            "task %s did not stop in time and is killed while in %s; raise "
            "task.shutdown.graceful.timeout.ms if it needs longer",
            task->name, place);
    tg__child_kill(task->child, SIGKILL, NULL);
}

/* ---------------------------------------------------------------- messages */

static void on_status(tg_run_task *task, const json_t *msg)
{
    tg_connector *c = task->connector;
    const char *state = json_string_value(json_object_get(msg, "state"));
    const char *trace = json_string_value(json_object_get(msg, "trace"));
    const char *version = json_string_value(json_object_get(msg, "version"));
    if (version)
        tg__set_text(&task->version, version);
    if (!state)
        return;
    if (strcmp(state, "STOPPED") == 0) {
        task->said_stopped = true; /* its process must end now */
        if (!uv_is_active((uv_handle_t *)task->timer))
            arm(task, on_stop_overdue, c->worker->stop_timeout_ms);
    } else if (strcmp(state, "FAILED") == 0) {
        task->said_failed = true;
        task->retriable = json_is_true(json_object_get(msg, "retriable"));
        fail(task, tg_strdup(trace && *trace ? trace
                                             : "TaskFailed: no reason given"));
        if (!uv_is_active((uv_handle_t *)task->timer))
            arm(task, on_stop_overdue, c->worker->stop_timeout_ms);
    } else if (strcmp(state, "RUNNING") == 0 || strcmp(state, "PAUSED") == 0) {
        bool paused = *state == 'P';
        if (task->next != TG_NEXT_NONE)
            return; /* it is being stopped */
        if (task->state != TG_STATE_RUNNING && !paused)
            tg_info("herder", "task %s is RUNNING (process %d)", task->name,
                    tg__child_pid(task->child));
        else if (task->state != TG_STATE_PAUSED && paused)
            tg_info("herder", "task %s is PAUSED", task->name);
        task->state = paused ? TG_STATE_PAUSED : TG_STATE_RUNNING;
        /* The target changed while the task was starting. */
        if (paused != (c->target == TG_TARGET_PAUSED))
            tg__task_send(task, paused ? "resume" : "pause");
    }
}

static void on_topics(tg_run_task *task, const json_t *list)
{
    size_t i;
    json_t *topic;
    json_array_foreach(list, i, topic) if (json_is_string(topic))
        json_object_set_new(task->connector->topics, json_string_value(topic),
                            json_true());
}

static void on_transforms(tg_run_task *task, json_t *list)
{
    json_decref(task->transforms);
    json_decref(task->transforms_of);
    task->transforms = json_is_array(list) ? json_incref(list) : NULL;
    task->transforms_of = json_incref(task->connector->config);
}

static void on_message(void *ctx, json_t *msg)
{
    tg_run_task *task = ctx;
    const char *op = json_string_value(json_object_get(msg, "op"));
    if (!op)
        return;
    if (strcmp(op, "status") == 0)
        on_status(task, msg);
    else if (strcmp(op, "offsets") == 0)
        tg__commits_take(task, json_object_get(msg, "offsets"));
    else if (strcmp(op, "sunk") == 0)
        tg__embedded_sunk(task, json_object_get(msg, "offsets"));
    else if (strcmp(op, "writes") == 0)
        tg__embedded_writes(task,
                            json_string_value(json_object_get(msg, "topic")));
    else if (strcmp(op, "needs") == 0)
        tg__embedded_needs(task,
                           json_string_value(json_object_get(msg, "topic")));
    else if (strcmp(op, "uses") == 0)
        tg__files_use(task, msg);
    else if (strcmp(op, "transforms") == 0)
        on_transforms(task, json_object_get(msg, "transforms"));
    else if (strcmp(op, "topics") == 0)
        on_topics(task, json_object_get(msg, "topics"));
    else
        tg_warn("herder", "task %s sent the unknown message %s", task->name,
                op);
}

/* -------------------------------------------------------------------- end */

static void come_back(tg_run_task *task, const tg_child_exit *how)
{
    char place[300];
    if (tg__now_ns() - task->started_ns > RAN_WELL_S * 1000000000LL)
        task->restarts = 0;
    int64_t pause = PAUSE_MIN_MS;
    for (int i = 0; i < task->restarts && pause < PAUSE_MAX_MS; i++)
        pause *= 2;
    pause = pause > PAUSE_MAX_MS ? PAUSE_MAX_MS : pause;
    task->restarts++;
    tg__task_place(task, place, sizeof place);
    tg_warn("herder",
            "task %s was ended from outside with SIG%s while in %s; it starts "
            "again in %lld ms",
            task->name, signal_name(how->signal ? how->signal : SIGTERM), place,
            (long long)pause);
    task->state = TG_STATE_RESTARTING;
    arm(task, on_pause_over, pause);
}

/* Starts the tasks that waited for the last process of another configuration
 * to go. */
static void start_waiting(tg_connector *c)
{
    for (int i = 0; i < c->n_tasks; i++)
        if (c->tasks[i]->waits)
            tg__task_start(c->tasks[i]);
}

static void free_retired(tg_run_task *task)
{
    tg_run_task **at = &task->connector->worker->retired;
    while (*at != task)
        at = &(*at)->retired;
    *at = task->retired;
    tg__task_free(task);
}

static void on_exited(void *ctx, const tg_child_exit *how)
{
    tg_run_task *task = ctx;
    tg_worker *worker = task->connector->worker;
    tg_next next = task->next;
    task->child = NULL;
    task->next = TG_NEXT_NONE;
    uv_timer_stop(task->timer);
    tg__commits_flush_soon(worker);
    tg__files_forget(task);

    if (worker->stopping && next != TG_NEXT_FAILED) {
        if (task->state != TG_STATE_FAILED)
            task->state = TG_STATE_UNASSIGNED;
    } else if (next == TG_NEXT_FAILED)
        ; /* the state was set when it was killed */
    else if (next == TG_NEXT_START)
        tg__task_start(task);
    else if (next == TG_NEXT_IDLE) {
        if (task->state != TG_STATE_FAILED)
            task->state = TG_STATE_UNASSIGNED;
    } else if (task->said_failed)
        ; /* FAILED with its own trace */
    else if (killed_from_outside(task, how))
        come_back(task, how);
    else
        fail(task, crash_trace(task, how));

    start_waiting(task->connector);
    if (worker->embedded)
        tg__embedded_task_gone(task);
    if (task->is_retired)
        free_retired(task);
    if (worker->stopping)
        tg__worker_stop_step(worker);
}

void tg__task_retire(tg_run_task *task)
{
    tg_worker *worker = task->connector->worker;
    if (!task->child) {
        tg__task_free(task);
        return;
    }
    task->is_retired = true;
    task->retired = worker->retired;
    worker->retired = task;
    tg__task_stop(task, worker->stop_timeout_ms, TG_NEXT_IDLE);
}

/* ------------------------------------------------------------------- start */

/* Versions that this task has refused and that may be what the files hold now:
 * [{kind, alias, hash, text}]. With another configuration they may be right. */
static json_t *refused(const tg_run_task *task)
{
    json_t *list = json_array(), *stage;
    size_t i;

    if (!json_equal(task->transforms_of, task->connector->config))
        return list;
    json_array_foreach(task->transforms, i, stage)
    {
        const json_t *error = json_object_get(stage, "last_error");
        const char *hash = tg_config_get(error, "hash", "");
        if (*hash)
            json_array_append_new(
                list, json_pack("{s:O, s:O, s:s, s:O}", "kind",
                                json_object_get(stage, "kind"), "alias",
                                json_object_get(stage, "alias"), "hash", hash,
                                "text", json_object_get(error, "text")));
    }
    return list;
}

static json_t *start_message(tg_run_task *task)
{
    tg_connector *c = task->connector;
    tg_worker *w = c->worker;
    json_t *offsets = tg__task_is_source(task)
                          ? tg_offsets_get(w->offsets, c->name)
                          : json_array();
    json_t *embedded =
        w->embedded ? tg__embedded_task(w->embedded, task) : json_null();
    return json_pack("{s:s, s:O, s:s, s:i, s:O, s:O, s:s, s:o, s:o, s:b, s:o}",
                     "op", "start", "worker", w->config, "name", c->name, "id",
                     task->id, "config", c->config, "task", task->config,
                     "kind", tg__task_is_source(task) ? "source" : "sink",
                     "offsets", offsets, "embedded", embedded, "paused",
                     c->target == TG_TARGET_PAUSED, "refused", refused(task));
}

/* Forgets what the process before left in the page; counters go on. */
static void page_renew(tg_page *page)
{
    tg_page_set(page->at, TG_AT_IDLE);
    tg_page_set(page->at_stage, 0);
    tg_page_set(page->at_record, 0);
    tg_page_set(page->call_start_ns, 0);
    tg_page_set(page->heartbeat_ns, 0);
    tg_page_set(page->in_flight, 0);
    tg_page_set(page->in_flight_bytes, 0);
    tg_page_set(page->lua_bytes, 0);
    memset(page->at_plugin, 0, sizeof page->at_plugin);
}

/* Does a process of another configuration still run? It may be at work on what
 * this task is to do now. */
static bool has_predecessors(const tg_run_task *task)
{
    const tg_connector *c = task->connector;

    for (int i = 0; i < c->n_tasks; i++)
        if (c->tasks[i]->child && c->tasks[i]->generation != c->generation)
            return true;
    for (const tg_run_task *t = c->worker->retired; t; t = t->retired)
        if (t->connector == c && t->child)
            return true;
    return false;
}

void tg__task_start(tg_run_task *task)
{
    tg_worker *worker = task->connector->worker;
    tg_err err = {0};
    if (task->child || worker->stopping)
        return;
    task->queued = false;
    uv_timer_stop(task->timer);
    if (task->starts > 0)
        task->state = TG_STATE_RESTARTING;
    task->waits = has_predecessors(task);
    if (task->waits)
        return;
    if (worker->embedded && !tg__embedded_may_start(task)) {
        task->held = true;
        return;
    }
    task->held = false;
    task->generation = task->connector->generation;
    task->said_failed = task->said_stopped = false;
    task->retriable = task->warned_silent = false;
    task->next = TG_NEXT_NONE;
    task->memory = 0;
    if (!task->page)
        task->page = tg_page_new(&task->page_fd, &err);
    if (task->page) {
        page_renew(task->page);
        tg_child_hooks hooks = {on_message, on_exited, task};
        task->child = tg__child_start(&worker->loop, worker->exe, "task",
                                      task->name, task->page_fd, &hooks, &err);
    }
    if (!task->child) {
        fail(task, tg_sprintf("TaskNotStarted: task %s has no process: %s\n"
                              "Caused by: System: %s",
                              task->name, err.text, err.text));
        return;
    }
    json_array_clear(task->writes); /* not before: may_start looks at them */
    json_array_clear(task->needs);
    task->starts++;
    worker->task_startups++;
    task->started_ns = tg__now_ns();
    tg__child_send(task->child, start_message(task));
    if (tg_log_level != TG_LOG_INFO)
        tg__child_send(task->child,
                       json_pack("{s:s, s:s}", "op", "log", "level",
                                 tg_log_level_name(tg_log_level)));
}

static void on_start_turn(uv_timer_t *timer)
{
    tg__tasks_start_queued(timer->data);
}

void tg__task_start_soon(tg_run_task *task)
{
    uv_timer_t *timer = &task->connector->worker->start_timer;
    task->queued = true;
    if (!uv_is_active((uv_handle_t *)timer))
        uv_timer_start(timer, on_start_turn, 0, 0);
}

void tg__tasks_start_queued(tg_worker *worker)
{
    int64_t until = tg__now_ns() + START_TURN_MS * 1000000LL;
    for (int i = 0; i < worker->n_connectors; i++)
        for (int k = 0; k < worker->connectors[i]->n_tasks; k++) {
            tg_run_task *task = worker->connectors[i]->tasks[k];
            if (!task->queued)
                continue;
            if (tg__now_ns() >= until) {
                uv_timer_start(&worker->start_timer, on_start_turn, 1, 0);
                return;
            }
            tg__task_start(task);
        }
}

/* -------------------------------------------------------------------- stop */

void tg__task_send(tg_run_task *task, const char *op)
{
    if (task->child && !task->said_failed)
        tg__child_send(task->child, json_pack("{s:s}", "op", op));
}

void tg__task_stop(tg_run_task *task, int64_t timeout_ms, tg_next next)
{
    if (!task->child) {
        uv_timer_stop(task->timer);
        task->held = task->queued = task->waits = false;
        if (task->state != TG_STATE_FAILED)
            task->state = TG_STATE_UNASSIGNED;
        return;
    }
    if (task->next == TG_NEXT_FAILED) {
        /* Being killed: it may start again, or stays FAILED. */
        task->next = next == TG_NEXT_START ? next : task->next;
        return;
    }
    bool asked = task->next != TG_NEXT_NONE;
    task->next = next;
    if (next == TG_NEXT_START)
        task->state = TG_STATE_RESTARTING;
    if (asked)
        return; /* it is on its way out: only what follows has changed */
    tg__child_send(task->child,
                   json_pack("{s:s, s:I}", "op", "stop", "timeout_ms",
                             (json_int_t)timeout_ms));
    arm(task, on_stop_overdue, timeout_ms + TG_KILL_GRACE_MS);
}

void tg__task_kill(tg_run_task *task, tg_next next)
{
    if (!task->child) {
        if (next == TG_NEXT_START && task->state != TG_STATE_FAILED)
            tg__task_start(task);
        return;
    }
    if (task->next != TG_NEXT_FAILED)
        task->next = next;
    if (next == TG_NEXT_START && task->state != TG_STATE_FAILED)
        task->state = TG_STATE_RESTARTING;
    tg__child_kill(task->child, SIGKILL, NULL);
}

void tg__task_kill_failed(tg_run_task *task, char *trace)
{
    task->next = TG_NEXT_FAILED;
    fail(task, trace);
    tg__child_kill(task->child, SIGKILL, NULL);
}
