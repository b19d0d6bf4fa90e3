/*
 * Status of connectors and tasks, pause, resume and the restart of a task. The
 * functions that take a tg_call run on the owner thread.
 */
#include "rest/internal.h"
#include "worker/herder.h"

static void status(tg_worker *worker, tg_call *call)
{
    tg_connector *c = tg_herder_find(worker, call->connector);
    json_t *body = c ? tg_herder_status(c) : NULL;
    if (body)
        tg_call_json(call, 200, body);
    else
        tg_call_error(call, 404, "No status found for connector %s",
                      call->connector);
}

static void task_status(tg_worker *worker, tg_call *call)
{
    tg_connector *c = tg_herder_find(worker, call->connector);
    json_t *body = c ? tg_herder_task_status(c, call->task) : NULL;
    if (body)
        tg_call_json(call, 200, body);
    else
        tg_call_error(call, 404, "No status found for task %s-%d",
                      call->connector, call->task);
}

static void set_target(tg_worker *worker, tg_call *call)
{
    tg_connector *c = tg_herder_find(worker, call->connector);
    if (!c) {
        tg_call_error(call, 404, "Unknown connector %s", call->connector);
        return;
    }
    tg_herder_set_target(c, (int)call->flags);
    tg_call_json(call, 202, NULL);
}

static void restart_task(tg_worker *worker, tg_call *call)
{
    tg_connector *c = tg_herder_find(worker, call->connector);
    if (!c)
        tg_call_error(call, 500,
                      "Failed to start task %s-%d since it is not a "
                      "recognizable type (source or sink)",
                      call->connector, call->task);
    else if (tg_herder_restart_task(c, call->task))
        tg_call_json(call, 204, NULL);
    else
        tg_call_error(call, 404, "Task %s-%d not found", call->connector,
                      call->task);
}

static void get_status(tg_request *req, tg_answer *answer)
{
    tg__rest_ask(req, answer, status, 0);
}

static void get_task_status(tg_request *req, tg_answer *answer)
{
    tg__rest_ask(req, answer, task_status, 0);
}

static void put_pause(tg_request *req, tg_answer *answer)
{
    tg__rest_ask(req, answer, set_target, TG_TARGET_PAUSED);
}

static void put_resume(tg_request *req, tg_answer *answer)
{
    tg__rest_ask(req, answer, set_target, TG_TARGET_STARTED);
}

static void post_task_restart(tg_request *req, tg_answer *answer)
{
    tg__rest_ask(req, answer, restart_task, 0);
}

const tg_route tg__rest_status[] = {
    {"GET", "/connectors/{c}/status", get_status},
    {"GET", "/connectors/{c}/tasks/{t}/status", get_task_status},
    {"PUT", "/connectors/{c}/pause", put_pause},
    {"PUT", "/connectors/{c}/resume", put_resume},
    {"POST", "/connectors/{c}/tasks/{t}/restart", post_task_restart},
    {NULL, NULL, NULL},
};
