/*
 * One task: the parts that both kinds share, from the start message to the exit
 * of the process.
 *
 * Threads: the task's; control.c has a reader.
 */
#include "task/task.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "host/services.h"
#include "task/dead_letter.h"
#include "task/protocol.h"
#include "task/settings.h"
#include <malloc.h>
#include <stdio.h>
#include <strings.h>

static const char MOD[] = "task";
static const int64_t IDLE_NS = 1000000000;

enum {

    LEASE_GRACE_MS = 30000
};

/* --- reports ------------------------------------------------------------- */

static const char *kind_name(int code)
{
    switch (code) {
    case TG_ERR_CONFIG:
        return "ConfigError";
    case TG_ERR_DATA:
        return "DataError";
    case TG_ERR_IO:
        return "IoError";
    case TG_ERR_KAFKA:
        return "KafkaError";
    case TG_ERR_SCRIPT:
        return "ScriptError";
    case TG_ERR_TIMEOUT:
        return "Timeout";
    case TG_ERR_LIMIT:
        return "LimitExceeded";
    case TG_ERR_NOTFOUND:
        return "NotFound";
    default:
        return "Error";
    }
}

static bool ends_with(const char *s, size_t len, const char *end)
{
    size_t n = strlen(end);

    return len >= n && strncasecmp(s + len - n, end, n) == 0;
}

/* The last line repeats the sentence: some clients show nothing but what
 * follows "Caused by: Kind:", and skip lines that end like a Java frame. */
char *tg__trace_text(const tg_err *err)
{
    size_t n = strcspn(err->text, "\n");
    bool skipped =
        ends_with(err->text, n, ")") || ends_with(err->text, n, "exception");

    return tg_sprintf("TaskFailed: %s%s%s\nCaused by: %s: %.*s%s", err->text,
                      err->trace[0] ? "\n" : "", err->trace,
                      kind_name(err->code), (int)n, err->text,
                      skipped ? "." : "");
}

void tg__task_report_state(tg_task *task)
{
    const char *version =
        task->instance ? tg_instance_version(task->instance) : NULL;
    json_t *msg = json_pack("{s:s, s:s}", "op", "status", "state",
                            task->paused ? "PAUSED" : "RUNNING");

    if (version && *version)
        json_object_set_new(msg, "version", json_string(version));
    tg_control_send(task->control, msg);
}

void tg__task_report_failed(tg_task *task, const tg_err *err)
{
    char *trace;

    if (task->failed)
        return;
    task->failed = true;
    trace = tg__trace_text(err);
    tg_error(MOD, "%s", err->text);
    tg_control_send(task->control,
                    json_pack("{s:s, s:s, s:s, s:b}", "op", "status", "state",
                              "FAILED", "trace", trace, "retriable",
                              err->retriable && !err->fatal));
    tg_free(trace);
}

void tg__task_report_topics(tg_task *task, json_t *topics)
{
    tg_control_send(task->control,
                    json_pack("{s:s, s:o}", "op", "topics", "topics", topics));
}

void tg__task_heartbeat(tg_task *task)
{
    tg_page_set(task->page->heartbeat_ns, tg_clock_ns());
}

void tg__task_busy(tg_task *task)
{
    task->busy_ns = tg_clock_ns();
    task->trimmed = false;
}

bool tg__task_idle(tg_task *task)
{
    tg_vm_idle(task->vm);
    if (task->trimmed || tg_clock_ns() - task->busy_ns < IDLE_NS)
        return false;
    task->trimmed = true;
    return true;
}

void tg__task_trim(void)
{
    malloc_trim(0);
}

/* --- messages ------------------------------------------------------------ */

int tg__task_stop_left(const tg_task *task, int cap)
{
    int64_t left;

    if (!task->stop_deadline_ns)
        return cap;
    left = (task->stop_deadline_ns - tg_clock_ns()) / 1000000;
    return left < 0 ? 0 : left < cap ? (int)left : cap;
}

/* A tenth of the time is left for the hooks and the way out. */
static void take_stop(tg_task *task, const json_t *msg)
{
    const json_t *ms = json_object_get(msg, "timeout_ms");
    int64_t timeout =
        json_is_integer(ms) ? json_integer_value(ms) : task->stop_timeout_ms;

    if (!task->stop_deadline_ns)
        task->stop_deadline_ns = tg_clock_ns() + timeout * 900000;
}

static void set_paused(tg_task *task, bool paused)
{
    if (task->paused == paused && !task->instance)
        return;
    task->paused = paused;
    if (task->instance || paused)
        tg__task_report_state(task);
}

static void take_log(const json_t *msg)
{
    const char *text = json_string_value(json_object_get(msg, "level"));
    int level = text ? tg_log_level_parse(text) : -1;

    if (level >= 0)
        tg_log_level = level;
}

static void take(tg_task *task, const json_t *msg)
{
    const char *op = json_string_value(json_object_get(msg, "op"));

    if (strcmp(op, "stop") == 0)
        take_stop(task, msg);
    else if (strcmp(op, "pause") == 0)
        set_paused(task, true);
    else if (strcmp(op, "resume") == 0)
        set_paused(task, false);
    else if (strcmp(op, "commit") == 0)
        task->commit_asked = true;
    else if (strcmp(op, "topic.ok") == 0 &&
             tg_dead_letters_answer(task->policy.dead, msg))
        return;
    else if (strcmp(op, "log") == 0)
        take_log(msg);
    else if (tg__reload_message(task, op, msg))
        ; /* done between two batches */
    else if (!task->on_message || !task->on_message(task->ctx, op, msg))
        tg_warn(MOD, "The supervisor sent the unknown message %s", op);
}

bool tg__task_control(tg_task *task, int wait_ms)
{
    json_t *msg = tg_control_next(task->control, wait_ms);
    bool any = msg != NULL;

    while (msg) {
        take(task, msg);
        json_decref(msg);
        msg = tg_control_next(task->control, 0);
    }
    return any;
}

/* --- start --------------------------------------------------------------- */

tg_client_scope tg__task_scope(const tg_task *task)
{
    return (tg_client_scope){.worker = task->worker,
                             .config = task->config,
                             .connector = task->name,
                             .task = task->id,
                             .embedded = json_string_value(
                                 json_object_get(task->embedded, "bootstrap"))};
}

int tg__vm_options(const json_t *worker, const json_t *config,
                   tg_vm_options *options, json_t **plugin_path, tg_err *err)
{
    int64_t mb, ms;

    *options = (tg_vm_options){.jit = true};
    if (tg__setting_int(worker, config, "task.memory.max.mb", TG_TASK_MEMORY_MB,
                        0, 1 << 20, &mb, err) ||
        tg__setting_int(worker, config, "task.script.timeout.ms",
                        TG_SCRIPT_TIMEOUT_MS, 0, INT32_MAX, &ms, err) ||
        tg__setting_bool(worker, config, "task.script.jit", true, &options->jit,
                         err))
        return TG_ERR_CONFIG;
    *plugin_path = tg_config_list(worker, "plugin.path");
    options->plugin_path = *plugin_path;
    options->memory_max = (size_t)mb << 20;
    options->timeout_ns = ms * 1000000;
    return 0;
}

static int read_times(tg_task *task, tg_err *err)
{
    const json_t *w = task->worker;

    if (tg_config_int(w, "offset.flush.interval.ms", 60000, 1, INT32_MAX,
                      &task->flush_interval_ms, err) ||
        tg_config_int(w, "offset.flush.timeout.ms", 5000, 1, INT32_MAX,
                      &task->flush_timeout_ms, err) ||
        tg_config_int(w, "task.shutdown.graceful.timeout.ms", 5000, 0,
                      INT32_MAX, &task->stop_timeout_ms, err))
        return TG_ERR_CONFIG;
    return 0;
}

int tg__task_make_vm(tg_task *task, tg_err *err)
{
    tg_vm_options options;
    json_t *path = NULL;
    int rc = tg__vm_options(task->worker, task->config, &options, &path, err);

    if (rc == 0) {
        options.page = task->page;
        task->vm = tg_vm_new(&options, err);
        rc = task->vm ? 0 : err->code;
    }
    json_decref(path);
    return rc;
}

/* Everything that can be wrong before the connector itself is made. */
static int prepare(tg_task *task, tg_err *err)
{
    int rc = read_times(task, err);

    task->class_name = tg_config_get(task->config, "connector.class", NULL);
    if (rc == 0 && !task->class_name)
        rc = tg_err_set(err, TG_ERR_CONFIG, "connector.class is missing");
    if (rc == 0)
        rc = tg_error_policy_init(&task->policy, task->config, task->name,
                                  task->id, task->source, task->page, err);
    if (rc == 0)
        rc = tg__task_make_vm(task, err);
    if (rc == 0) {
        task->chain =
            tg_chain_new(task->vm, task->worker, task->config, task->source,
                         task->policy.tolerate, task->page, err);
        rc = task->chain ? 0 : err->code;
    }
    if (rc == 0)
        rc = tg_dead_letters_start(task, err);
    if (rc)
        tg_err_prefix(err, "%s connector %s, task %d",
                      task->source ? "Source" : "Sink", task->name, task->id);
    return rc;
}

int tg__task_start_instance(tg_task *task, tg_err *err)
{
    int rc = 0;

    if (task->paused)
        tg__task_report_state(task);
    while (task->paused && !tg__task_stopping(task)) {
        tg__task_control(task, 1000);
        tg__task_heartbeat(task);
    }
    if (tg__task_stopping(task))
        return tg_err_set(err, TG_ERR_STOPPED, "the task stops");
    tg__task_at(task, TG_AT_LOAD);
    task->instance = tg_instance_new(task->vm, task->source ? "source" : "sink",
                                     task->class_name, task->task_config, err);
    rc = task->instance ? tg__reload_check(task, err) : err->code;
    if (rc == 0)
        rc = tg_instance_start(task->instance,
                               task->source ? task->offsets : NULL, err);
    if (rc && rc != TG_ERR_STOPPED) {
        tg_err_prefix(err, "%s connector %s, task %d: start failed",
                      task->source ? "Source" : "Sink", task->name, task->id);
        tg_err_suffix(err, "; correct the configuration, or what the connector "
                           "needs, and restart the task");
    }
    if (rc == 0)
        tg__task_report_state(task);
    return rc;
}

/* --- the whole ----------------------------------------------------------- */

static int read_start(tg_task *task, json_t *msg, tg_err *err)
{
    const char *kind = json_string_value(json_object_get(msg, "kind"));

    task->start = msg;
    task->worker = json_object_get(msg, "worker");
    task->config = json_object_get(msg, "config");
    task->task_config = json_object_get(msg, "task");
    task->offsets = json_object_get(msg, "offsets");
    task->embedded = json_object_get(msg, "embedded");
    if (json_is_null(task->embedded))
        task->embedded = NULL;
    task->name = json_string_value(json_object_get(msg, "name"));
    task->id = (int)json_integer_value(json_object_get(msg, "id"));
    task->paused = json_is_true(json_object_get(msg, "paused"));
    task->source = kind && strcmp(kind, "source") == 0;
    if (!task->name || !kind || !json_is_object(task->worker) ||
        !json_is_object(task->config) || !json_is_object(task->task_config))
        return tg_err_set(err, TG_ERR_ARG,
                          "the start message lacks name, kind, worker, config "
                          "or task");
    return 0;
}

/* The task whose converters may have to wait. */
static tg_task *converting;

static bool give_up_waiting(void)
{
    tg__task_heartbeat(converting);
    return tg__task_stopping(converting);
}

int tg__task_run(json_t *msg, tg_buf *in)
{
    tg_task task = {0};
    tg_err err = {0};
    char context[300];
    int rc = read_start(&task, msg, &err);

    snprintf(context, sizeof context, "%s|task-%d", task.name ? task.name : "?",
             task.id);
    tg_log_context(context);
    task.page = rc ? NULL : tg_page_map(TG_FD_PAGE, &err);
    if (task.page)
        task.control = tg_control_new(TG_FD_SOCKET, in, &err);
    if (!task.control) {
        tg_error(MOD, "%s", err.text);
        tg_page_unmap(task.page);
        return 1;
    }
    tg__task_heartbeat(&task);
    converting = &task;
    tg_convert_on_wait(give_up_waiting);
    rc = prepare(&task, &err);
    if (rc == 0)
        rc = task.source ? tg__source_task_run(&task, &err)
                         : tg__sink_task_run(&task, &err);
    rc = tg__task_outcome(&task, rc);
    if (rc)
        tg__task_report_failed(&task, &err);
    tg_dead_letters_free(task.policy.dead,
                         tg__task_stop_left(&task, (int)task.flush_timeout_ms));
    tg_instance_free(task.instance);
    tg_chain_free(task.chain);
    tg__reload_fini(&task);
    if (task.vm)
        tg_vm_free(task.vm);
    tg_convert_on_wait(NULL);
    if (rc == 0)
        tg_control_send(task.control, json_pack("{s:s, s:s}", "op", "status",
                                                "state", "STOPPED"));
    rc = tg_control_signalled(task.control);
    tg_control_free(task.control);
    tg_page_unmap(task.page);
    return rc;
}
