/*
 * The herder: which connectors there are, what is wanted of them, and the way
 * from a configuration to running tasks.
 *
 *   config --plan child--> task configs --broker there--> tasks
 *
 * A plan runs connector code (validation, taskConfigs), so it has a process of
 * its own, a few at a time. During start-up a plan that fails ends the worker,
 * as a failing connector file does in Kafka Connect; later it makes the
 * connector FAILED.
 *
 * Owner thread only.
 */
#include "worker/internal.h"
#include "base/config.h"
#include "base/log.h"

#include <signal.h>
#include <stdio.h>
#include <strings.h>

enum { PLANS_AT_ONCE = 4 };

static void plan_next(tg_worker *worker);

/* -------------------------------------------------------------- connectors */

static int target_of(const char *initial_state)
{
    if (initial_state && strcasecmp(initial_state, "PAUSED") == 0)
        return TG_TARGET_PAUSED;
    if (initial_state && strcasecmp(initial_state, "STOPPED") == 0)
        return TG_TARGET_STOPPED;
    return TG_TARGET_STARTED;
}

tg_connector *tg__connector_new(tg_worker *worker, const char *name,
                                json_t *config, const char *file)
{
    tg_connector *c = tg_calloc(sizeof *c);
    c->worker = worker;
    c->name = tg_strdup(name);
    c->config = json_incref(config);
    c->file = tg_strdup(file);
    c->topics = json_object();
    c->task_configs = json_array();
    int n = worker->n_connectors;
    worker->connectors =
        tg_realloc(worker->connectors, (size_t)(n + 1) * sizeof c);
    worker->connectors[worker->n_connectors++] = c;
    return c;
}

void tg__connector_free(tg_connector *c)
{
    for (int i = 0; i < c->n_tasks; i++)
        tg__task_free(c->tasks[i]);
    tg_free(c->tasks);
    tg_free(c->name);
    json_decref(c->config);
    tg_free(c->file);
    tg_free(c->trace);
    tg_free(c->version);
    json_decref(c->task_configs);
    json_decref(c->topics);
    tg__change_stop(c);
    tg_free(c->script_error);
    tg_free(c);
}

int tg_worker_add(tg_worker *worker, json_t *connector, const char *file,
                  tg_err *err)
{
    const char *name = json_string_value(json_object_get(connector, "name"));
    json_t *config = json_object_get(connector, "config");
    if (!name || !*name || !json_is_object(config))
        return tg_err_set(err, TG_ERR_CONFIG,
                          "%s: a connector needs a name and a config", file);
    tg_connector *other = tg_herder_find(worker, name);
    if (other) {
        char where[2][600];
        tg_worker_where(file, "name", where[0], sizeof where[0]);
        tg_worker_where(other->file, "name", where[1], sizeof where[1]);
        return tg_err_set(err, TG_ERR_CONFIG,
                          "%s: name=%s is taken: %s has a connector of that "
                          "name already; give one of them another name",
                          where[0], name, where[1]);
    }
    tg_connector *c = tg__connector_new(worker, name, config, file);
    c->target = target_of(
        json_string_value(json_object_get(connector, "initial_state")));
    return TG_OK;
}

tg_connector *tg_herder_find(tg_worker *worker, const char *name)
{
    for (int i = 0; i < worker->n_connectors; i++)
        if (strcmp(worker->connectors[i]->name, name) == 0)
            return worker->connectors[i];
    return NULL;
}

int tg_herder_count(tg_worker *worker)
{
    return worker->n_connectors;
}

tg_connector *tg_herder_at(tg_worker *worker, int i)
{
    return worker->connectors[i];
}

const char *tg_connector_name(const tg_connector *connector)
{
    return connector->name;
}

/* ------------------------------------------------------------------- plans */

/* The connector cannot be planned. lines: what is wrong, "" or one a line. */
static void plan_failed(tg_connector *c, const char *text, const char *trace)
{
    if (!c->worker->ready) {
        if (trace && strstr(trace, ".lua:"))
            tg_error("herder", "%s", trace);
        tg__worker_fatal(c->worker, 1, "connector %s cannot be started: %s",
                         c->name, text);
        return;
    }
    char *full = tg_sprintf("ConfigException: %s%s%s", text,
                            trace && *trace ? "\n" : "", trace ? trace : "");
    tg_error("herder", "connector %s FAILED: %s", c->name, full);
    tg_free(c->trace);
    c->trace = full;
    c->state = TG_STATE_FAILED;
}

/* errors: [{key, value, message}] with the place of each in its file. */
static void plan_invalid(tg_connector *c, const json_t *errors)
{
    tg_buf text = {0};
    size_t i, n = json_array_size(errors);
    json_t *e;
    if (n > 1)
        tg_buf_printf(&text, "its configuration has %zu errors:", n);
    json_array_foreach(errors, i, e)
    {
        char where[600];
        const char *key = json_string_value(json_object_get(e, "key"));
        const char *message = json_string_value(json_object_get(e, "message"));
        tg_worker_where(c->file, key ? key : "name", where, sizeof where);
        tg_buf_printf(&text, "%s%s%s%s", n > 1 ? "\n  " : "", where,
                      *where ? ": " : "",
                      message ? message : "invalid configuration");
    }
    plan_failed(c, tg_buf_cstr(&text), NULL);
    tg_buf_fini(&text);
}

void tg__herder_accept(tg_connector *c, const json_t *msg)
{
    const char *kind = json_string_value(json_object_get(msg, "kind"));
    json_t *tasks = json_object_get(msg, "tasks");
    c->type = kind && strcmp(kind, "sink") == 0     ? TG_SINK
              : kind && strcmp(kind, "source") == 0 ? TG_SOURCE
                                                    : 0;
    tg__set_text(&c->version,
                 json_string_value(json_object_get(msg, "version")));
    json_decref(c->task_configs);
    c->task_configs = json_is_array(tasks) ? json_incref(tasks) : json_array();
    c->planned = true;
    c->state = c->target == TG_TARGET_PAUSED    ? TG_STATE_PAUSED
               : c->target == TG_TARGET_STOPPED ? TG_STATE_STOPPED
                                                : TG_STATE_RUNNING;
}

static void plan_message(void *ctx, json_t *msg)
{
    tg_connector *c = ctx;
    const char *op = json_string_value(json_object_get(msg, "op"));
    if (!op || strcmp(op, "planned") != 0)
        return;
    size_t i;
    json_t *warning;
    json_array_foreach(json_object_get(msg, "warnings"), i, warning)
        tg_warn("herder", "connector %s: %s", c->name,
                tg_config_get(warning, "message", ""));
    json_t *errors = json_object_get(msg, "errors");
    json_t *error = json_object_get(msg, "error");
    c->plan_answered = true;
    if (json_is_object(error)) {
        const char *text = json_string_value(json_object_get(error, "text"));
        char where[600];
        tg_worker_where(c->file, "connector.class", where, sizeof where);
        char *full = tg_sprintf("%s%s%s", where, *where ? ": " : "",
                                text ? text : "unknown error");
        plan_failed(c, full,
                    json_string_value(json_object_get(error, "trace")));
        tg_free(full);
    } else if (json_array_size(errors) > 0)
        plan_invalid(c, errors);
    else
        tg__herder_accept(c, msg);
}

static void plan_exited(void *ctx, const tg_child_exit *how)
{
    tg_connector *c = ctx;
    tg_worker *worker = c->worker;
    c->plan = NULL;
    worker->plans_running--;
    if (!c->plan_answered && !worker->stopping) {
        char text[512];
        if (how->fault)
            snprintf(
                text, sizeof text,
                "its validation was stopped: %s; look at the code that "
                "runs when the plugin is loaded, and at its tasks function",
                how->fault);
        else if (how->signal)
            snprintf(text, sizeof text,
                     "its validation was killed by signal %d, %s; look at the "
                     "code that runs when the plugin is loaded, and at its "
                     "tasks function",
                     how->signal, strsignal(how->signal));
        else
            snprintf(text, sizeof text,
                     "its validation ended with exit code %d and no answer; "
                     "the lines above may tell why",
                     how->code);
        plan_failed(c, text, NULL);
    }
    if (worker->stopping) {
        tg__worker_stop_step(worker);
        return;
    }
    plan_next(worker);
    tg__herder_go_on(worker);
    tg__change_go_on(c);
}

static void plan_start(tg_connector *c)
{
    tg_err err = {0};
    tg_child_hooks hooks = {plan_message, plan_exited, c};
    char label[300];
    snprintf(label, sizeof label, "%s (plan)", c->name);
    c->plan_queued = false;
    c->plan_answered = false;
    c->plan_started_ns = tg__now_ns();
    c->plan = tg__child_start(&c->worker->loop, c->worker->exe, "task", label,
                              -1, &hooks, &err);
    if (!c->plan) {
        plan_failed(c, err.text, NULL);
        return;
    }
    c->worker->plans_running++;
    tg__child_send(c->plan, json_pack("{s:s, s:O, s:s, s:O}", "op", "plan",
                                      "worker", c->worker->config, "name",
                                      c->name, "config", c->config));
}

static void plan_next(tg_worker *worker)
{
    for (int i = 0; i < worker->n_connectors && !worker->stopping; i++) {
        if (worker->plans_running >= PLANS_AT_ONCE)
            return;
        if (worker->connectors[i]->plan_queued)
            plan_start(worker->connectors[i]);
    }
}

void tg__connector_plan(tg_connector *c)
{
    c->planned = false;
    c->plan_queued = true;
    plan_next(c->worker);
}

void tg__herder_stop_plans(tg_worker *worker)
{
    for (int i = 0; i < worker->n_connectors; i++) {
        worker->connectors[i]->plan_queued = false;
        if (worker->connectors[i]->plan)
            tg__child_kill(worker->connectors[i]->plan, SIGKILL,
                           "the worker stops");
        tg__change_stop(worker->connectors[i]);
    }
}

/* ------------------------------------------------------------------- tasks */

static void start_tasks(tg_connector *c)
{
    size_t i, n = json_array_size(c->task_configs);
    json_t *config;
    c->tasks = tg_calloc((n ? n : 1) * sizeof *c->tasks);
    json_array_foreach(c->task_configs, i, config) c->tasks[i] =
        tg__task_new(c, (int)i, config);
    c->n_tasks = (int)n;
    for (i = 0; i < n; i++)
        tg__task_start_soon(c->tasks[i]);
    if (n == 0)
        tg_warn("herder", "connector %s has no tasks to run", c->name);
}

static void startup_complete(tg_worker *worker)
{
    int tasks = 0;
    worker->ready = true;
    tg__calls_stage_done(worker->calls);
    tg__calls_started(worker->calls);
    for (int i = 0; i < worker->n_connectors; i++)
        tasks += worker->connectors[i]->n_tasks;
    tg_info("worker", "started: %d connector%s, %d task%s, REST at %s",
            worker->n_connectors, worker->n_connectors == 1 ? "" : "s", tasks,
            tasks == 1 ? "" : "s", worker->id);
    tg_call *call = worker->waiting_ready;
    worker->waiting_ready = NULL;
    while (call) {
        tg_call *next = call->next;
        tg_worker_when_ready(worker, call);
        call = next;
    }
}

bool tg__herder_planned(const tg_worker *worker)
{
    for (int i = 0; i < worker->n_connectors; i++)
        if (!worker->connectors[i]->planned &&
            worker->connectors[i]->state != TG_STATE_FAILED)
            return false;
    return true;
}

void tg__herder_go_on(tg_worker *worker)
{
    if (worker->stopping || !worker->broker_ready ||
        !tg__herder_planned(worker))
        return;
    if (worker->embedded && !tg__embedded_prepare(worker->embedded))
        return;
    for (int i = 0; i < worker->n_connectors; i++) {
        tg_connector *c = worker->connectors[i];
        if (c->planned && c->target == TG_TARGET_STARTED && !c->tasks)
            start_tasks(c);
    }
    if (!worker->ready)
        startup_complete(worker);
}

void tg_herder_set_target(tg_connector *c, int target)
{
    c->target = target;
    if (c->planned && c->state != TG_STATE_FAILED)
        c->state =
            target == TG_TARGET_PAUSED ? TG_STATE_PAUSED : TG_STATE_RUNNING;
    for (int i = 0; i < c->n_tasks; i++)
        tg__task_send(c->tasks[i],
                      target == TG_TARGET_PAUSED ? "pause" : "resume");
    tg__herder_go_on(c->worker);
}

bool tg_herder_restart_task(tg_connector *c, int id)
{
    if (id < 0 || id >= c->n_tasks)
        return false;
    tg_run_task *task = c->tasks[id];
    tg_info("herder", "task %s is restarted on request", task->name);
    task->restarts = 0;
    if (task->child)
        tg__task_stop(task, c->worker->stop_timeout_ms, TG_NEXT_START);
    else
        tg__task_start(task);
    return true;
}
