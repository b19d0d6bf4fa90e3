/* GET /metrics: Prometheus text. */
#include "rest/internal.h"
#include "worker/herder.h"

static void metrics(tg_worker *worker, tg_call *call)
{
    tg_buf out = {0};
    tg_metrics_write(worker, &out);
    size_t len = out.len;
    tg_buf_cstr(&out);
    tg_call_text(call, 200, "text/plain; version=0.0.4; charset=utf-8",
                 tg_buf_steal(&out), len);
}

static void get_metrics(tg_request *req, tg_answer *answer)
{
    tg__rest_ask(req, answer, metrics, 0);
}

const tg_route tg__rest_metrics[] = {
    {"GET", "/metrics", get_metrics},
    {NULL, NULL, NULL},
};
