/*
 * GET /connectors, /connectors/{c}, its config, tasks and topics. The functions
 * that take a tg_call run on the owner thread.
 */
#include "rest/internal.h"
#include "worker/herder.h"

#include <string.h>
#include <strings.h>

static json_t *expanded(tg_worker *worker, unsigned flags)
{
    json_t *all = json_object();
    for (int i = 0; i < tg_herder_count(worker); i++) {
        tg_connector *c = tg_herder_at(worker, i);
        json_t *one = json_object();
        json_t *status = flags & TG_EXPAND_STATUS ? tg_herder_status(c) : NULL;
        if ((flags & TG_EXPAND_STATUS) && !status) {
            json_decref(one); /* half-born: left out */
            continue;
        }
        if (status)
            json_object_set_new(one, "status", status);
        if (flags & TG_EXPAND_INFO)
            json_object_set_new(one, "info", tg_herder_info(c));
        json_object_set_new(all, tg_connector_name(c), one);
    }
    return all;
}

static void list(tg_worker *worker, tg_call *call)
{
    if (call->flags & TG_EXPAND) {
        tg_call_json(call, 200, expanded(worker, call->flags));
        return;
    }
    json_t *names = json_array();
    for (int i = 0; i < tg_herder_count(worker); i++)
        json_array_append_new(
            names, json_string(tg_connector_name(tg_herder_at(worker, i))));
    tg_call_json(call, 200, names);
}

static void get_connectors(tg_request *req, tg_answer *answer)
{
    unsigned flags = 0;
    if (tg__query_has(req, "expand", NULL))
        flags |= TG_EXPAND;
    if (tg__query_has(req, "expand", "status"))
        flags |= TG_EXPAND_STATUS;
    if (tg__query_has(req, "expand", "info"))
        flags |= TG_EXPAND_INFO;
    tg__rest_ask(req, answer, list, flags);
}

/* Answers with what view makes of the connector, or 404. */
static void show(tg_worker *worker, tg_call *call,
                 json_t *(*view)(tg_connector *connector))
{
    tg_connector *c = tg_herder_find(worker, call->connector);
    if (c)
        tg_call_json(call, 200, view(c));
    else
        tg_call_error(call, 404, "Connector %s not found", call->connector);
}

static void info(tg_worker *worker, tg_call *call)
{
    show(worker, call, tg_herder_info);
}

static void config(tg_worker *worker, tg_call *call)
{
    show(worker, call, tg_herder_config);
}

static void tasks(tg_worker *worker, tg_call *call)
{
    show(worker, call, tg_herder_tasks);
}

static void transforms(tg_worker *worker, tg_call *call)
{
    show(worker, call, tg_herder_transforms);
}

static void config_put(tg_worker *worker, tg_call *call)
{
    tg_connector *c = tg_herder_find(worker, call->connector);
    if (c)
        tg_herder_put_config(c, call);
    else
        tg_call_error(call, 404, "Connector %s not found", call->connector);
}

/* An unknown connector has no topics: 200. */
static void topics(tg_worker *worker, tg_call *call)
{
    tg_connector *c = tg_herder_find(worker, call->connector);
    json_t *name = tg_json_text(call->connector);
    if (strcasecmp(tg_worker_property(worker, "topic.tracking.enable", "true"),
                   "false") == 0)
        tg_call_error(call, 403, "Topic tracking is disabled.");
    else
        tg_call_json(call, 200,
                     json_pack("{s:{s:o}}", json_string_value(name), "topics",
                               c ? tg_herder_topics(c) : json_array()));
    json_decref(name);
}

static void get_info(tg_request *req, tg_answer *answer)
{
    tg__rest_ask(req, answer, info, 0);
}

static void get_config(tg_request *req, tg_answer *answer)
{
    tg__rest_ask(req, answer, config, 0);
}

static void get_tasks(tg_request *req, tg_answer *answer)
{
    tg__rest_ask(req, answer, tasks, 0);
}

static void get_topics(tg_request *req, tg_answer *answer)
{
    tg__rest_ask(req, answer, topics, 0);
}

static void get_transforms(tg_request *req, tg_answer *answer)
{
    tg__rest_ask(req, answer, transforms, 0);
}

static void put_config(tg_request *req, tg_answer *answer)
{
    json_t *body = tg__rest_config(req, answer);
    const char *name;
    if (!body)
        return;
    name = json_string_value(json_object_get(body, "name"));
    if (name && strcmp(name, req->connector) != 0) {
        tg__answer_error(answer, 400, true,
                         "Connector name configuration (%s) doesn't match "
                         "connector name in the URL (%s)",
                         name, req->connector);
        json_decref(body);
        return;
    }
    if (!name)
        json_object_set_new(body, "name", tg_json_text(req->connector));
    tg__rest_ask_with(req, answer, config_put, body);
}

const tg_route tg__rest_connectors[] = {
    {"GET", "/connectors", get_connectors},
    {"GET", "/connectors/{c}", get_info},
    {"GET", "/connectors/{c}/config", get_config},
    {"PUT", "/connectors/{c}/config", put_config},
    {"GET", "/connectors/{c}/tasks", get_tasks},
    {"GET", "/connectors/{c}/transforms", get_transforms},
    {"GET", "/connectors/{c}/topics", get_topics},
    {NULL, NULL, NULL},
};
