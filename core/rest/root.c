/* GET / and GET /health. */
#include "rest/internal.h"
#include "worker/herder.h"

#include <stdio.h>
#include <stdlib.h>

enum { HEALTH_TIMEOUT_MS = 10000 };

static void root(tg_worker *worker, tg_call *call)
{
    tg_call_json(call, 200, tg_worker_root(worker));
}

static void get_root(tg_request *req, tg_answer *answer)
{
    tg__rest_ask(req, answer, root, 0);
}

/* The worker did not answer in time: still starting, or stuck. */
static void not_healthy(tg_request *req, tg_answer *answer)
{
    char stage[512];
    bool started;
    tg_worker_stage(req->worker, stage, sizeof stage, &started);
    char *text = tg_sprintf(
        "%s%s%s",
        started ? "Worker was unable to handle this request and may be unable "
                  "to handle other requests."
                : "Worker is still starting up.",
        *stage ? " " : "", stage);
    json_t *body =
        json_pack("{s:s, s:s}", "status", started ? "unhealthy" : "starting",
                  "message", text);
    char *dump = json_dumps(body, JSON_COMPACT);
    answer->reply = (tg_reply){.status = started ? 500 : 503,
                               .body = tg_strdup(dump),
                               .len = strlen(dump),
                               .type = "application/json"};
    free(dump);
    json_decref(body);
    tg_free(text);
}

static void get_health(tg_request *req, tg_answer *answer)
{
    tg_call *call = tg_call_new(tg_worker_when_ready, NULL, 0, 0);
    if (!tg_worker_ask(req->worker, call, HEALTH_TIMEOUT_MS, &answer->reply))
        not_healthy(req, answer);
}

const tg_route tg__rest_root[] = {
    {"GET", "/", get_root},
    {"GET", "/health", get_health},
    {NULL, NULL, NULL},
};
