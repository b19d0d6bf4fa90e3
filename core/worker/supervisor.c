/*
 * The supervisor: one libuv loop that owns everything, from the first check of
 * the worker's properties to the exit code.
 *
 * Start: REST is up already (its calls wait in the queue) -> plans run, and
 * beside them the broker is looked for -> tasks start.
 * Stop (SIGINT, SIGTERM): with a real cluster all tasks at once; with the
 * embedded broker sources first, so that the sinks can take what is on its way
 * -> broker -> offsets to the file -> end. A second signal ends at once.
 *
 * Signals are taken by libuv on the loop. SIGHUP is ignored: a closed terminal
 * must not end a worker. SIGPIPE too.
 */
#include "worker/internal.h"
#include "base/config.h"
#include "base/file.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <linux/close_range.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { WATCH_MS = 250, PROGRESS_MS = 1000, STOP_EXTRA_MS = 10000 };

/* ----------------------------------------------------------------- helpers */

int64_t tg__now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void tg__set_text(char **s, const char *text)
{
    char *copy = tg_strdup(text);
    tg_free(*s);
    *s = copy;
}

/* Does this line of a properties or JSON file set key? */
static bool sets_key(const char *line, size_t len, const char *key)
{
    size_t n = strlen(key);
    while (len && (*line == ' ' || *line == '\t' || *line == '{'))
        line++, len--;
    bool quoted = len && *line == '"';
    if (quoted)
        line++, len--;
    if (len < n || memcmp(line, key, n) != 0)
        return false;
    char after = len > n ? line[n] : '=';
    return quoted
               ? after == '"'
               : after == '=' || after == ':' || after == ' ' || after == '\t';
}

void tg_worker_where(const char *file, const char *key, char *out, size_t size)
{
    size_t len = 0;
    int line = 1, found = 0;
    char *text = file ? tg_file_read(file, 16 << 20, &len, NULL) : NULL;
    for (char *p = text; p && *p; line++) {
        size_t n = strcspn(p, "\n");
        if (sets_key(p, n, key))
            found = line;
        p += n + (p[n] == '\n');
    }
    if (found)
        snprintf(out, size, "%s:%d", file, found);
    else
        snprintf(out, size, "%s", file ? file : "");
    tg_free(text);
}

/* --------------------------------------------------------------- open, free */

static void on_wake(uv_async_t *async)
{
    tg_worker *worker = async->data;
    tg__calls_run(worker->calls, worker);
}

static void wake(void *ctx)
{
    uv_async_send(&((tg_worker *)ctx)->wake);
}

static void begin_stop(tg_worker *worker);

static void on_stop_async(uv_async_t *async)
{
    begin_stop(async->data);
}

/* Children get descriptors 0 to 4 and nothing else; so they must be there, and
 * what was inherited from a shell stays here. */
static void tidy_descriptors(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd <= 2 && fcntl(fd, F_SETFD, 0) == 0);
    if (fd > 2)
        close(fd);
    if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
        return;
    for (fd = 3; fd < 1024; fd++) { /* a kernel before 5.11 */
        int flags = fcntl(fd, F_GETFD);
        if (flags >= 0)
            fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
    }
}

/* A task takes two descriptors. */
static void raise_limits(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
        limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int read_settings(tg_worker *worker, tg_err *err)
{
    const json_t *c = worker->config;
    int rc = tg_config_int(c, "offset.flush.interval.ms", 60000, 1, INT32_MAX,
                           &worker->flush_interval_ms, err);
    if (!rc)
        rc = tg_config_int(c, "offset.flush.timeout.ms", 5000, 1, INT32_MAX,
                           &worker->flush_timeout_ms, err);
    if (!rc)
        rc = tg_config_int(c, "task.shutdown.graceful.timeout.ms", 5000, 0,
                           INT32_MAX, &worker->stop_timeout_ms, err);
    return rc;
}

/* "embedded:" or false. */
static int is_embedded(const tg_worker *worker, bool *yes, tg_err *err)
{
    const char *servers =
        tg_config_get(worker->config, "bootstrap.servers", "localhost:9092");
    *yes = strncmp(servers, "embedded", 8) == 0;
    if (!*yes || strcmp(servers, "embedded:") == 0 || servers[8] == 0)
        return TG_OK;
    char where[600];
    tg_worker_where(worker->config_name, "bootstrap.servers", where,
                    sizeof where);
    return tg_err_set(err, TG_ERR_CONFIG,
                      "%s: bootstrap.servers=%s: the embedded broker chooses "
                      "its port itself; write bootstrap.servers=embedded:",
                      where, servers);
}

static int open_offsets(tg_worker *worker, tg_err *err)
{
    const char *path =
        tg_config_get(worker->config, "offset.storage.file.filename", NULL);
    char where[600];
    if (!path || !*path)
        return tg_err_set(
            err, TG_ERR_CONFIG,
            "%s: Missing required configuration "
            "\"offset.storage.file.filename\" which has no default value; name "
            "the file that keeps the positions of the sources",
            worker->config_name);
    worker->offsets = tg_offsets_open_file(path, err);
    if (!worker->offsets) {
        tg_worker_where(worker->config_name, "offset.storage.file.filename",
                        where, sizeof where);
        tg_err_prefix(err, "%s", where);
        return err->code;
    }
    char *dir = tg_strdup(tg_offsets_path(worker->offsets));
    char *slash = strrchr(dir, '/');
    if (slash)
        slash[slash == dir] = 0;
    int rc = access(slash ? dir : ".", W_OK | X_OK);
    if (rc != 0) {
        tg_worker_where(worker->config_name, "offset.storage.file.filename",
                        where, sizeof where);
        rc = tg_err_set(err, TG_ERR_CONFIG,
                        "%s: offset.storage.file.filename=%s cannot be "
                        "written: the folder %s: %s",
                        where, path, slash ? dir : ".", strerror(errno));
    }
    tg_free(dir);
    return rc;
}

static void init_handles(tg_worker *w)
{
    uv_timer_t *timers[] = {&w->watch_timer, &w->commit_timer,
                            &w->flush_timer, &w->progress_timer,
                            &w->stop_timer,  &w->start_timer};
    uv_signal_t *signals[] = {&w->sigint, &w->sigterm, &w->sighup};
    uv_loop_init(&w->loop);
    uv_async_init(&w->loop, &w->wake, on_wake);
    uv_async_init(&w->loop, &w->stop_async, on_stop_async);
    w->wake.data = w->stop_async.data = w;
    for (size_t i = 0; i < sizeof timers / sizeof *timers; i++) {
        uv_timer_init(&w->loop, timers[i]);
        timers[i]->data = w;
    }
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        uv_signal_init(&w->loop, signals[i]);
        signals[i]->data = w;
    }
}

tg_worker *tg_worker_new(const tg_worker_options *options, tg_err *err)
{
    tg_worker *w = tg_calloc(sizeof *w);
    bool embedded = false;
    tidy_descriptors();
    raise_limits();
    signal(SIGPIPE, SIG_IGN);
    w->started_ns = tg__now_ns();
    w->config = json_incref(options->config);
    w->config_name = tg_strdup(options->config_name);
    w->exe = tg_strdup(options->child_exe ? options->child_exe : tg_exe());
    w->progress = options->progress;
    snprintf(w->id, sizeof w->id, "%s", "127.0.0.1:8083");
    init_handles(w);
    w->files = tg__files_new(w);
    w->calls = tg__calls_new(wake, w);
    tg__calls_stage(w->calls, "awaiting startup");
    int rc = read_settings(w, err);
    if (rc)
        tg_err_prefix(err, "%s", w->config_name);
    if (!rc)
        rc = is_embedded(w, &embedded, err);
    if (!rc)
        rc = open_offsets(w, err);
    if (!rc && embedded)
        w->embedded = tg__embedded_new(w);
    else if (!rc && !(w->kafka = tg__kafka_new(w, err)))
        rc = err->code;
    if (rc == TG_OK)
        return w;
    tg_worker_free(w);
    return NULL;
}

static void close_all(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void tg_worker_free(tg_worker *w)
{
    if (!w)
        return;
    tg__calls_free(w->calls);
    tg__kafka_free(w->kafka);
    tg__embedded_free(w->embedded);
    for (int i = 0; i < w->n_connectors; i++)
        tg__connector_free(w->connectors[i]);
    tg_free(w->connectors);
    while (w->retired) {
        tg_run_task *next = w->retired->retired;
        tg__task_free(w->retired);
        w->retired = next;
    }
    tg__files_stop(w->files);
    uv_walk(&w->loop, close_all, NULL);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    uv_loop_close(&w->loop);
    tg__files_free(w->files);
    tg_offsets_free(w->offsets);
    json_decref(w->config);
    tg_free(w->config_name);
    tg_free(w->exe);
    tg_free(w->cluster_id);
    tg_free(w);
}

void tg_worker_set_id(tg_worker *worker, const char *id)
{
    snprintf(worker->id, sizeof worker->id, "%s", id);
}

bool tg_worker_ask(tg_worker *worker, tg_call *call, int timeout_ms,
                   tg_reply *reply)
{
    return tg__calls_ask(worker->calls, call, timeout_ms, reply);
}

void tg_worker_stage(tg_worker *worker, char *text, size_t size, bool *started)
{
    tg__calls_stage_text(worker->calls, text, size, started);
}

void tg_worker_stop(tg_worker *worker)
{
    uv_async_send(&worker->stop_async);
}

/* -------------------------------------------------------------------- stop */

static void each_task(tg_worker *w, int type, void (*fn)(tg_run_task *task))
{
    for (int i = 0; i < w->n_connectors; i++)
        for (int k = 0; k < w->connectors[i]->n_tasks; k++)
            if (!type || w->connectors[i]->type == type)
                fn(w->connectors[i]->tasks[k]);
    for (tg_run_task *t = w->retired, *next; t; t = next) {
        next = t->retired;
        fn(t);
    }
}

static bool any_running(const tg_worker *w, int type)
{
    for (int i = 0; i < w->n_connectors; i++)
        for (int k = 0; k < w->connectors[i]->n_tasks; k++)
            if ((!type || w->connectors[i]->type == type) &&
                w->connectors[i]->tasks[k]->child)
                return true;
    return w->retired != NULL;
}

static void stop_task(tg_run_task *task)
{
    tg__task_stop(task, task->connector->worker->stop_timeout_ms, TG_NEXT_IDLE);
}

static void kill_task(tg_run_task *task)
{
    tg__task_kill(task, TG_NEXT_IDLE);
}

enum { STOP_SOURCES = 1, STOP_REST, STOP_BROKER, STOP_OFFSETS, STOP_DONE };

/* Nothing runs any more: what sources reported at last goes to the file. */
static void stop_offsets(tg_worker *w)
{
    tg_err err = {0};
    if (w->flushing)
        return;
    w->stop_phase = STOP_DONE;
    if (tg_offsets_flush(w->offsets, &err) != TG_OK) {
        tg_error("offsets",
                 "source offsets could not be saved: %s; sources will repeat "
                 "the records since the last save",
                 err.text);
        w->exit_code = w->exit_code ? w->exit_code : 1;
    }
    uv_stop(&w->loop);
}

void tg__worker_stop_step(tg_worker *w)
{
    if (w->stop_phase == STOP_SOURCES && !any_running(w, TG_SOURCE)) {
        w->stop_phase = STOP_REST;
        each_task(w, 0, stop_task);
        tg__herder_stop_plans(w);
    }
    if (w->stop_phase == STOP_REST && !any_running(w, 0) && !w->plans_running) {
        w->stop_phase = STOP_BROKER;
        if (w->embedded)
            tg__embedded_stop(w->embedded);
    }
    if (w->stop_phase == STOP_BROKER &&
        !(w->embedded && tg__embedded_running(w->embedded)))
        w->stop_phase = STOP_OFFSETS;
    if (w->stop_phase == STOP_OFFSETS)
        stop_offsets(w);
}

/* A process does not even end by SIGKILL (a dead disk, for instance). */
static void on_stop_overdue(uv_timer_t *timer)
{
    tg_worker *w = timer->data;
    tg_err err = {0};
    for (int i = 0; i < w->n_connectors; i++)
        for (int k = 0; k < w->connectors[i]->n_tasks; k++)
            if (w->connectors[i]->tasks[k]->child)
                tg_error("worker", "task %s (process %d) does not end",
                         w->connectors[i]->tasks[k]->name,
                         tg__child_pid(w->connectors[i]->tasks[k]->child));
    if (!w->flushing && tg_offsets_flush(w->offsets, &err) != TG_OK)
        tg_error("offsets", "source offsets could not be saved: %s", err.text);
    tg_error("worker", "the worker ends without waiting any longer");
    _exit(1);
}

static void begin_stop(tg_worker *w)
{
    if (w->stopping) {
        tg_warn("worker", "second request to stop: tasks are killed");
        w->exit_code = 1;
        w->stop_phase = STOP_REST;
        each_task(w, 0, kill_task);
        tg__herder_stop_plans(w);
        tg__worker_stop_step(w);
        return;
    }
    w->stopping = true;
    w->stop_ns = tg__now_ns();
    tg_info("worker", "stopping");
    tg__calls_stage(w->calls, "shutting down");
    tg__calls_close(w->calls);
    while (w->waiting_ready) {
        tg_call *call = w->waiting_ready;
        w->waiting_ready = call->next;
        tg_call_error(call, 500, "Worker is shutting down");
    }
    uv_timer_stop(&w->commit_timer);
    uv_timer_start(&w->stop_timer, on_stop_overdue,
                   (uint64_t)w->stop_timeout_ms * 2 + STOP_EXTRA_MS, 0);
    w->stop_phase = STOP_SOURCES;
    each_task(w, w->embedded ? TG_SOURCE : 0, stop_task);
    tg__worker_stop_step(w);
}

void tg__worker_fatal(tg_worker *w, int exit_code, const char *fmt, ...)
{
    char text[4096];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    tg_log_write(TG_LOG_FATAL, "worker", "%s", text);
    w->exit_code = exit_code;
    if (!w->stopping)
        uv_async_send(&w->stop_async); /* not from inside a callback's loop */
}

/* --------------------------------------------------------------------- run */

static void on_signal(uv_signal_t *handle, int number)
{
    tg_worker *w = handle->data;
    if (number == SIGHUP) {
        tg_info("worker", "SIGHUP is ignored; SIGTERM stops the worker");
        return;
    }
    begin_stop(w);
}

static void on_watch(uv_timer_t *timer)
{
    tg__watch(timer->data);
}

static void on_commit(uv_timer_t *timer)
{
    tg__commits_tick(timer->data);
}

static void on_progress(uv_timer_t *timer)
{
    tg__progress(timer->data);
}

int tg_worker_run(tg_worker *w)
{
    uint64_t interval = (uint64_t)w->flush_interval_ms;
    uv_update_time(&w->loop);
    uv_signal_start(&w->sigint, on_signal, SIGINT);
    uv_signal_start(&w->sigterm, on_signal, SIGTERM);
    uv_signal_start(&w->sighup, on_signal, SIGHUP);
    uv_timer_start(&w->watch_timer, on_watch, WATCH_MS, WATCH_MS);
    uv_timer_start(&w->commit_timer, on_commit, interval, interval);
    if (w->progress)
        uv_timer_start(&w->progress_timer, on_progress, PROGRESS_MS,
                       PROGRESS_MS);
    tg__calls_stage(w->calls, "starting the connectors of the command line");
    if (w->embedded)
        tg__embedded_start(w->embedded);
    else
        tg__kafka_find_cluster(w);
    for (int i = 0; i < w->n_connectors; i++)
        tg__connector_plan(w->connectors[i]);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    tg_info("worker", "stopped after %.1f s",
            (double)(tg__now_ns() - w->stop_ns) / 1e9);
    return w->exit_code;
}
