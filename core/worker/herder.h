/*
 * What the REST resources see of connectors and tasks. Every function here runs
 * on the owner thread: inside a tg_call.
 */
#ifndef TG_WORKER_HERDER_H
#define TG_WORKER_HERDER_H
#include "worker/worker.h"
#include "base/mem.h"

typedef struct tg_connector tg_connector;
typedef struct tg_run_task tg_run_task;

enum {
    TG_STATE_NONE,
    TG_STATE_UNASSIGNED,
    TG_STATE_RUNNING,
    TG_STATE_PAUSED,
    TG_STATE_FAILED,
    TG_STATE_RESTARTING,
    TG_STATE_STOPPED,
    TG_STATES
};
enum { TG_TARGET_STARTED, TG_TARGET_PAUSED, TG_TARGET_STOPPED };
enum { TG_SOURCE = 1, TG_SINK = 2 };

/* "RUNNING", ... */
const char *tg_state_name(int state);

/* Connector of that name, or NULL. */
tg_connector *tg_herder_find(tg_worker *worker, const char *name);
int tg_herder_count(tg_worker *worker);
tg_connector *tg_herder_at(tg_worker *worker, int i);
const char *tg_connector_name(const tg_connector *connector);

/* Bodies of replies, new references. status: NULL while nothing is known. */
json_t *tg_herder_info(tg_connector *connector);
json_t *tg_herder_status(tg_connector *connector);
json_t *tg_herder_config(tg_connector *connector);
json_t *tg_herder_tasks(tg_connector *connector);
json_t *tg_herder_topics(tg_connector *connector);
/* NULL: there is no such task. */
json_t *tg_herder_task_status(tg_connector *connector, int task);

/* Versions of the scripts of its tasks: new array. */
json_t *tg_herder_transforms(tg_connector *connector);
/* Checks call->body as the new configuration, takes it over, and answers the
 * call as PUT /connectors/{c}/config does. */
void tg_herder_put_config(tg_connector *connector, tg_call *call);

/* Target state; the tasks follow. */
void tg_herder_set_target(tg_connector *connector, int target);
/* Stops and starts a task; false: there is no such task. */
bool tg_herder_restart_task(tg_connector *connector, int task);

/* {"version","commit","kafka_cluster_id"} */
json_t *tg_worker_root(tg_worker *worker);
/* Answers when the start-up is complete. */
void tg_worker_when_ready(tg_worker *worker, tg_call *call);
/* Value of a worker property, or dflt. Borrowed. */
const char *tg_worker_property(tg_worker *worker, const char *key,
                               const char *dflt);
/* Prometheus text of everything. */
void tg_metrics_write(tg_worker *worker, tg_buf *out);

#endif
