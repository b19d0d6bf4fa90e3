/*
 * Changes of a connector that runs: another configuration (REST), or its own
 * script was saved. Either is planned in a child of its own first, as a start
 * is; what has mistakes changes nothing.
 *
 *   plan child -> mistakes                     old stays, they are told
 *              -> only transforms differ       `chain` to the tasks
 *              -> the script, same task configs    `renew` to the tasks
 *              -> anything else                the tasks start again
 *
 * One change at a time a connector; others wait behind it.
 *
 * Owner thread only.
 */
#include "worker/internal.h"
#include "base/config.h"
#include "base/file.h"
#include "base/log.h"

#include <signal.h>
#include <stdio.h>

struct tg_change {
    tg_change *next;
    tg_connector *connector;
    json_t *config;     /* the new one, or the old one again */
    tg_call *call;      /* who waits for it; NULL: a script was saved */
    tg_child *child;    /* NULL: it waits */
    json_t *planned;    /* what the child said */
    int64_t started_ns; /* of the child */
};

static void start_next(tg_connector *c);

static void change_free(tg_change *change)
{
    json_decref(change->config);
    json_decref(change->planned);
    tg_free(change);
}

/* --- what follows -------------------------------------------------------- */

static bool of_chain(const char *key)
{
    return strcmp(key, "transforms") == 0 || strcmp(key, "predicates") == 0 ||
           strncmp(key, "transforms.", 11) == 0 ||
           strncmp(key, "predicates.", 11) == 0;
}

static json_t *without_chain(const json_t *config)
{
    json_t *rest = json_object(), *v;
    const char *key;

    json_object_foreach((json_t *)(uintptr_t)config, key, v) if (!of_chain(key))
        json_object_set(rest, key, v);
    return rest;
}

static bool same_but_chain(const json_t *a, const json_t *b)
{
    json_t *x = without_chain(a), *y = without_chain(b);
    bool same = json_equal(x, y);

    json_decref(x);
    json_decref(y);
    return same;
}

static bool same_tasks_but_chain(const json_t *a, const json_t *b)
{
    size_t n = json_array_size(a);

    if (n != json_array_size(b))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!same_but_chain(json_array_get(a, i), json_array_get(b, i)))
            return false;
    return true;
}

/* The configuration and its tasks, for whatever starts from now on. */
static void take_over(tg_connector *c, json_t *config, json_t *tasks)
{
    json_incref(config);
    json_decref(c->config);
    c->config = config;
    json_incref(tasks);
    json_decref(c->task_configs);
    c->task_configs = tasks;
}

static void send_chain(tg_connector *c)
{
    for (int i = 0; i < c->n_tasks; i++) {
        tg_run_task *task = c->tasks[i];
        tg__task_configure(task, json_array_get(c->task_configs, (size_t)i));
        if (task->child && !task->said_failed)
            tg__child_send(task->child, json_pack("{s:s, s:O}", "op", "chain",
                                                  "config", c->config));
    }
    tg_info("herder", "connector %s: its transforms change while it runs",
            c->name);
}

static void send_renew(tg_connector *c)
{
    for (int i = 0; i < c->n_tasks; i++)
        tg__task_send(c->tasks[i], "renew");
}

static void restart_tasks(tg_connector *c)
{
    int n = (int)json_array_size(c->task_configs), old = c->n_tasks;

    tg_info("herder",
            "connector %s: its tasks start again with another "
            "configuration",
            c->name);
    for (int i = n; i < old; i++)
        tg__task_retire(c->tasks[i]);
    c->generation++;
    c->n_tasks = n < old ? n : old;
    c->tasks = tg_realloc(c->tasks, (size_t)(n > 0 ? n : 1) * sizeof *c->tasks);
    for (int i = 0; i < c->n_tasks; i++) {
        tg_run_task *task = c->tasks[i];
        tg__task_configure(task, json_array_get(c->task_configs, (size_t)i));
        if (task->child)
            tg__task_stop(task, c->worker->stop_timeout_ms, TG_NEXT_START);
        else
            tg__task_start_soon(task);
    }
    for (; c->n_tasks < n; c->n_tasks++) {
        tg_run_task *task = tg__task_new(
            c, c->n_tasks, json_array_get(c->task_configs, (size_t)c->n_tasks));
        c->tasks[c->n_tasks] = task;
        tg__task_start_soon(task);
    }
}

static void set_version(tg_connector *c, const json_t *planned)
{
    const char *version =
        json_string_value(json_object_get(planned, "version"));

    if (version)
        tg__set_text(&c->version, version);
}

static void apply_config(tg_connector *c, json_t *config, json_t *planned)
{
    json_t *tasks = json_object_get(planned, "tasks");
    bool running = c->tasks && c->planned && c->state != TG_STATE_FAILED;
    bool same = running && json_equal(c->config, config) &&
                json_equal(c->task_configs, tasks);
    bool chain = running && same_but_chain(c->config, config) &&
                 same_tasks_but_chain(c->task_configs, tasks);

    take_over(c, config, tasks);
    if (!same && !chain)
        tg__herder_accept(c, planned); /* of another type, perhaps */
    set_version(c, planned);
    if (same)
        return;
    if (chain)
        send_chain(c);
    else if (c->tasks)
        restart_tasks(c);
    else
        tg__herder_go_on(c->worker);
}

static void apply_script(tg_connector *c, json_t *planned)
{
    json_t *tasks = json_object_get(planned, "tasks");

    tg_free(c->script_error);
    c->script_error = NULL;
    set_version(c, planned);
    if (!c->tasks)
        return;
    if (json_equal(tasks, c->task_configs)) {
        send_renew(c);
        return;
    }
    take_over(c, c->config, tasks);
    restart_tasks(c);
}

/* --- what is wrong ------------------------------------------------------- */

static void list_errors(const json_t *errors, tg_buf *text)
{
    const json_t *e;
    size_t i;

    json_array_foreach(errors, i, e)
    {
        const char *message = json_string_value(json_object_get(e, "message"));
        const char *key = json_string_value(json_object_get(e, "key"));
        bool tell = key && of_chain(key) && message && !strstr(message, key);
        tg_buf_printf(text, "%s%s%s%s", i ? "\n" : "", tell ? key : "",
                      tell ? ": " : "",
                      message ? message : "invalid configuration");
    }
}

/* Why the change cannot be, "" when it can. */
static void find_fault(const tg_change *change, const tg_child_exit *how,
                       tg_buf *text)
{
    const json_t *errors = json_object_get(change->planned, "errors");
    const json_t *error = json_object_get(change->planned, "error");

    if (!change->planned && how->signal)
        tg_buf_printf(text, "its validation was killed by signal %d, %s",
                      how->signal, strsignal(how->signal));
    else if (!change->planned)
        tg_buf_printf(text,
                      "its validation ended with exit code %d and no answer",
                      how->code);
    else if (json_array_size(errors) > 0)
        list_errors(errors, text);
    else if (json_is_object(error))
        tg_buf_str(text, tg_config_get(error, "text", "unknown error"));
    tg_buf_cstr(text);
}

static void refuse(tg_change *change, const char *why)
{
    tg_connector *c = change->connector;
    size_t n = json_array_size(json_object_get(change->planned, "errors"));

    if (!change->call) {
        tg__set_text(&c->script_error, why);
        c->script_error_ms = tg_clock_wall_ms();
        tg_warn("herder",
                "connector %s: its new script is not used, the old one goes "
                "on: %s",
                c->name, why);
    } else if (n > 0) {
        tg_call_error(change->call, 400,
                      "Connector configuration is invalid and contains the "
                      "following %zu error(s):\n%s\nYou can also find the "
                      "above list of errors at the endpoint "
                      "`/connector-plugins/{connectorType}/config/validate`",
                      n, why);
    } else {
        tg_call_error(change->call, 400, "%s", why);
    }
}

/* --- one change ---------------------------------------------------------- */

/* The body of Kafka Connect's answer: the new configuration with the tasks as
 * they were. */
static json_t *answer_of(tg_change *change)
{
    json_t *info = tg_herder_info(change->connector);

    json_object_set(info, "config", change->config);
    return info;
}

static void finish(tg_change *change, const tg_child_exit *how)
{
    tg_connector *c = change->connector;
    tg_buf why = {0};
    json_t *answer;

    find_fault(change, how, &why);
    if (why.len > 0) {
        refuse(change, why.p);
    } else if (change->call) {
        answer = answer_of(change);
        apply_config(c, change->config, change->planned);
        tg_info("herder",
                "connector %s has a new configuration; it is kept until the "
                "worker ends: change %s too if it is to stay",
                c->name, c->file ? c->file : "its file");
        tg_call_json(change->call, 200, answer);
    } else {
        apply_script(c, change->planned);
    }
    change->call = NULL;
    tg_buf_fini(&why);
}

static void on_message(void *ctx, json_t *msg)
{
    tg_change *change = ctx;
    const char *op = json_string_value(json_object_get(msg, "op"));
    const json_t *warning;
    size_t i;

    if (!op || strcmp(op, "planned") != 0 || change->planned)
        return;
    change->planned = json_incref(msg);
    json_array_foreach(
        json_object_get(msg, "warnings"), i,
        warning) if (change->call) /* the others were told before */
        tg_warn("herder", "connector %s: %s", change->connector->name,
                tg_config_get(warning, "message", ""));
}

static void on_exited(void *ctx, const tg_child_exit *how)
{
    tg_change *change = ctx;
    tg_connector *c = change->connector;
    tg_worker *worker = c->worker;

    worker->plans_running--;
    change->child = NULL;
    c->change = change->next;
    if (!worker->stopping)
        finish(change, how);
    else if (change->call)
        tg_call_error(change->call, 500, "Worker is shutting down");
    change_free(change);
    if (worker->stopping)
        tg__worker_stop_step(worker);
    else
        start_next(c);
}

static void start_next(tg_connector *c)
{
    tg_change *change = c->change;
    tg_child_hooks hooks = {on_message, on_exited, change};
    char label[300];
    tg_err err = {0};

    if (!change || change->child || c->plan || c->plan_queued)
        return; /* nothing to do, or it waits for the plan of the start */
    if (!change->config) /* the script with whatever is configured by now */
        change->config = json_incref(c->config);
    change->started_ns = tg__now_ns();
    snprintf(label, sizeof label, "%s (plan)", c->name);
    change->child = tg__child_start(&c->worker->loop, c->worker->exe, "task",
                                    label, -1, &hooks, &err);
    if (!change->child) {
        c->change = change->next;
        refuse(change, err.text);
        change_free(change);
        start_next(c);
        return;
    }
    c->worker->plans_running++;
    tg__child_send(change->child,
                   json_pack("{s:s, s:O, s:s, s:O}", "op", "plan", "worker",
                             c->worker->config, "name", c->name, "config",
                             change->config));
}

static void enqueue(tg_connector *c, json_t *config, tg_call *call)
{
    tg_change **at = &c->change;
    tg_change *change = tg_calloc(sizeof *change);

    *change = (tg_change){
        .connector = c, .config = json_incref(config), .call = call};
    while (*at)
        at = &(*at)->next;
    *at = change;
    start_next(c);
}

void tg__change_watch(tg_connector *c, int64_t now_ns, int max_s)
{
    const tg_change *change = c->change;
    char why[64];

    snprintf(why, sizeof why, "it took longer than %d s", max_s);
    if (change && change->child &&
        now_ns - change->started_ns > max_s * 1000000000LL)
        tg__child_kill(change->child, SIGKILL, why);
}

void tg__change_go_on(tg_connector *c)
{
    start_next(c);
}

void tg_herder_put_config(tg_connector *c, tg_call *call)
{
    enqueue(c, call->body, call);
}

/* A change of the script that waits already will see this one too. */
void tg__change_script(tg_connector *c)
{
    for (tg_change *change = c->change; change; change = change->next)
        if (!change->call && !change->child)
            return;
    enqueue(c, NULL, NULL);
}

void tg__change_stop(tg_connector *c)
{
    tg_change **at = &c->change;

    while (*at) {
        tg_change *change = *at;
        if (change->child) {
            tg__child_kill(change->child, SIGKILL, "the worker stops");
            at = &change->next;
            continue;
        }
        *at = change->next;
        if (change->call)
            tg_call_error(change->call, 500, "Worker is shutting down");
        change_free(change);
    }
}
