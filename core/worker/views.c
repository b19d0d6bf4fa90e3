/*
 * What the REST API shows of connectors and tasks, as JSON. Configurations are
 * echoed exactly as they were given; `connector` holds strings only.
 *
 * Owner thread only.
 */
#include "worker/internal.h"
#include "base/config.h"

#ifndef TG_COMMIT
#define TG_COMMIT "unknown"
#endif

static const char *const state_names[TG_STATES] = {
    "NONE",   "UNASSIGNED", "RUNNING", "PAUSED",
    "FAILED", "RESTARTING", "STOPPED"};

const char *tg_state_name(int state)
{
    return state_names[state];
}

static const char *type_name(const tg_connector *c)
{
    return c->type == TG_SOURCE ? "source"
           : c->type == TG_SINK ? "sink"
                                : "unknown";
}

json_t *tg_herder_info(tg_connector *c)
{
    json_t *tasks = json_array();
    for (int i = 0; i < c->n_tasks; i++)
        json_array_append_new(
            tasks, json_pack("{s:s, s:i}", "connector", c->name, "task", i));
    return json_pack("{s:s, s:O, s:o, s:s}", "name", c->name, "config",
                     c->config, "tasks", tasks, "type", type_name(c));
}

static json_t *state_object(const tg_worker *worker, int state,
                            const char *version, const char *trace)
{
    json_t *o = json_pack("{s:s, s:s}", "state", tg_state_name(state),
                          "worker_id", worker->id);
    if (version)
        json_object_set_new(o, "version", tg_json_text(version));
    if (trace && *trace && state == TG_STATE_FAILED)
        json_object_set_new(o, "trace", tg_json_text(trace));
    return o;
}

static json_t *task_status(const tg_run_task *task)
{
    const tg_connector *c = task->connector;
    json_t *o = json_pack("{s:i}", "id", task->id);
    json_t *state =
        state_object(c->worker, task->state,
                     task->version ? task->version : c->version, task->trace);
    json_object_update(o, state);
    json_decref(state);
    return o;
}

json_t *tg_herder_status(tg_connector *c)
{
    if (c->state == TG_STATE_NONE)
        return NULL;
    json_t *tasks = json_array();
    for (int i = 0; i < c->n_tasks; i++)
        if (c->tasks[i]->state != TG_STATE_NONE)
            json_array_append_new(tasks, task_status(c->tasks[i]));
    return json_pack("{s:s, s:o, s:o, s:s}", "name", c->name, "connector",
                     state_object(c->worker, c->state, c->version, c->trace),
                     "tasks", tasks, "type", type_name(c));
}

json_t *tg_herder_config(tg_connector *c)
{
    return json_incref(c->config);
}

json_t *tg_herder_tasks(tg_connector *c)
{
    json_t *list = json_array();
    for (int i = 0; i < c->n_tasks; i++)
        json_array_append_new(list, json_pack("{s:{s:s, s:i}, s:O}", "id",
                                              "connector", c->name, "task", i,
                                              "config", c->tasks[i]->config));
    return list;
}

/* A connector's script that could not even be planned is an error of stage 0,
 * which the tasks know nothing of. */
static void add_script_error(json_t *stage, const tg_connector *c)
{
    json_t *error;
    if (!c->script_error ||
        json_integer_value(json_object_get(stage, "stage")) != 0)
        return;
    error = json_pack("{s:o, s:o, s:s}", "text", tg_json_text(c->script_error),
                      "at", tg_call_instant(c->script_error_ms), "hash", "");
    json_object_set_new(stage, "last_error", error);
}

json_t *tg_herder_transforms(tg_connector *c)
{
    json_t *all = json_array();
    for (int i = 0; i < c->n_tasks; i++) {
        size_t k;
        json_t *stage;
        json_array_foreach(c->tasks[i]->transforms, k, stage)
        {
            json_t *o = json_pack("{s:i}", "task", i);
            json_object_update(o, stage);
            add_script_error(o, c);
            json_array_append_new(all, o);
        }
    }
    return all;
}

json_t *tg_herder_topics(tg_connector *c)
{
    json_t *list = json_array();
    const char *topic;
    json_t *value;
    json_object_foreach(c->topics, topic, value)
        json_array_append_new(list, json_string(topic));
    return list;
}

json_t *tg_herder_task_status(tg_connector *c, int task)
{
    if (task < 0 || task >= c->n_tasks ||
        c->tasks[task]->state == TG_STATE_NONE)
        return NULL;
    return task_status(c->tasks[task]);
}

json_t *tg_worker_root(tg_worker *worker)
{
    return json_pack("{s:s, s:s, s:o}", "version", "4.1.1-tidegate-" TG_VERSION,
                     "commit", TG_COMMIT, "kafka_cluster_id",
                     worker->cluster_id ? tg_json_text(worker->cluster_id)
                                        : json_null());
}

void tg_worker_when_ready(tg_worker *worker, tg_call *call)
{
    if (worker->ready && !worker->stopping) {
        tg_call_json(call, 200,
                     json_pack("{s:s, s:s}", "status", "healthy", "message",
                               "Worker has completed startup and is ready to "
                               "handle requests."));
        return;
    }
    call->next = worker->waiting_ready;
    worker->waiting_ready = call;
}

const char *tg_worker_property(tg_worker *worker, const char *key,
                               const char *dflt)
{
    return tg_config_get(worker->config, key, dflt);
}
