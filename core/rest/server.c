/*
 * The HTTP server: libmicrohttpd with a thread for each connection, so that a
 * handler may simply wait for the owner thread. This file is the only one that
 * calls libmicrohttpd; it turns a connection into a tg_request and a tg_answer
 * into a response.
 *
 * The raw request target is taken before libmicrohttpd decodes it: the router
 * decides what %2F means.
 */
#include "rest/rest.h"
#include "base/config.h"
#include "base/log.h"
#include "rest/internal.h"
#include "rest/listener.h"
#include "rest/mhd.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    BODY_MAX = 32 * 1024 * 1024,
    CONNECTIONS_MAX = 512,
    IDLE_S = 90,
    STACK_SIZE = 512 * 1024
};

typedef struct server {
    struct MHD_Daemon *daemon;
    tg_listener listener;
    char url[300];
} server;

struct tg_rest {
    tg_worker *worker;
    server *servers;
    int n;
    char id[300];
};

/* What belongs to one request while it comes in. */
typedef struct exchange {
    char *target;
    tg_buf body;
    bool begun, too_large;
} exchange;

static void *on_target(void *cls, const char *uri, struct MHD_Connection *c)
{
    (void)cls;
    (void)c;
    exchange *x = tg_calloc(sizeof *x);
    x->target = tg_strdup(uri);
    return x;
}

static void on_completed(void *cls, struct MHD_Connection *c, void **con_cls,
                         enum MHD_RequestTerminationCode why)
{
    exchange *x = *con_cls;
    (void)cls;
    (void)c;
    (void)why;
    if (!x)
        return;
    tg_free(x->target);
    tg_buf_fini(&x->body);
    tg_free(x);
    *con_cls = NULL;
}

/* Sends the answer; takes its body. */
static enum MHD_Result respond(struct MHD_Connection *c, tg_answer *answer)
{
    tg_reply *reply = &answer->reply;
    struct MHD_Response *response = tg__mhd.create_response_from_buffer(
        reply->len, reply->body, MHD_RESPMEM_MUST_FREE);
    if (!response) {
        tg_reply_fini(reply);
        return MHD_NO;
    }
    reply->body = NULL; /* the response frees it: tg_free is free */
    if (reply->type)
        tg__mhd.add_response_header(response, "Content-Type", reply->type);
    if (*answer->allow)
        tg__mhd.add_response_header(response, "Allow", answer->allow);
    enum MHD_Result rc =
        tg__mhd.queue_response(c, (unsigned)reply->status, response);
    tg__mhd.destroy_response(response);
    return rc;
}

static void html_error(tg_answer *answer, int status, const char *title)
{
    answer->reply.status = status;
    answer->reply.type = "text/html; charset=utf-8";
    answer->reply.body = tg_sprintf("<html><head><title>Error %d %s</title>"
                                    "</head><body><h2>HTTP ERROR %d %s</h2>"
                                    "</body></html>\n",
                                    status, title, status, title);
    answer->reply.len = strlen(answer->reply.body);
}

static enum MHD_Result handle(tg_rest *rest, struct MHD_Connection *c,
                              const char *method, exchange *x)
{
    tg_answer answer = {0};
    const char *why = NULL;
    tg_request req = {
        .worker = rest->worker,
        .method = method,
        .head = strcmp(method, "HEAD") == 0,
        .content_type =
            tg__mhd.lookup_connection_value(c, MHD_HEADER_KIND, "Content-Type"),
        .accept = tg__mhd.lookup_connection_value(c, MHD_HEADER_KIND, "Accept"),
        .body = x->body.p,
        .body_len = x->body.len,
    };
    if (x->too_large)
        tg__answer_error(&answer, 413, true,
                         "The request body is larger than %d bytes", BODY_MAX);
    else if (!tg__request_parse(&req, x->target, &why)) {
        if (req.head || strcmp(method, "GET") == 0)
            html_error(&answer, 400, why);
        else
            answer.reply.status = 400; /* without a word */
    } else
        tg__rest_route(&req, &answer);
    tg_debug("rest", "%s %s -> %d", method, x->target, answer.reply.status);
    tg__request_fini(&req);
    return respond(c, &answer);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c,
                                  const char *url, const char *method,
                                  const char *version, const char *data,
                                  size_t *size, void **con_cls)
{
    exchange *x = *con_cls;
    (void)url;
    (void)version;
    if (!x)
        return MHD_NO;
    if (!x->begun) {
        x->begun = true;
        return MHD_YES;
    }
    if (*size) {
        if (x->body.len + *size > BODY_MAX)
            x->too_large = true;
        else
            tg_buf_add(&x->body, data, *size);
        *size = 0;
        return MHD_YES;
    }
    return handle(cls, c, method, x);
}

static void on_log(void *cls, const char *fmt, va_list ap)
{
    char text[512];
    (void)cls;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    int n = vsnprintf(text, sizeof text, fmt, ap);
#pragma GCC diagnostic pop
    if (n > 0 && (size_t)n < sizeof text && text[n - 1] == '\n')
        text[n - 1] = 0;
    tg_debug("rest", "%s", text);
}

static int start_one(tg_rest *rest, const char *text, const char *where,
                     tg_err *err)
{
    server *s = &rest->servers[rest->n];
    if (tg__listener_parse(text, where, &s->listener, err) != TG_OK)
        return err->code;
    int fd = tg__listener_open(&s->listener, where, err);
    if (fd < 0)
        return err->code;
    s->daemon = tg__mhd.start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION |
            MHD_USE_POLL | MHD_USE_ITC | MHD_USE_ERROR_LOG,
        0, NULL, NULL, on_request, rest, MHD_OPTION_EXTERNAL_LOGGER, on_log,
        NULL, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_URI_LOG_CALLBACK,
        on_target, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
        MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_SIZE, MHD_OPTION_END);
    if (!s->daemon) {
        close(fd);
        return tg_err_set(err, TG_ERR_IO,
                          "%s: listeners: the HTTP server for %s cannot start",
                          where, text);
    }
    bool v6 = strchr(s->listener.host, ':') != NULL;
    snprintf(s->url, sizeof s->url, "http://%s%s%s:%d", v6 ? "[" : "",
             *s->listener.host ? s->listener.host : "0.0.0.0", v6 ? "]" : "",
             s->listener.port);
    rest->n++;
    tg_info("rest", "REST server at %s", s->url);
    return TG_OK;
}

/* rest.advertised.*, else the first listener, else the name of the machine. */
static void find_id(tg_rest *rest, const json_t *config)
{
    const tg_listener *l = &rest->servers[0].listener;
    char name[256] = "localhost";
    const char *host = tg_config_get(config, "rest.advertised.host.name", "");
    const char *port = tg_config_get(config, "rest.advertised.port", "");
    if (!*host)
        host = l->host;
    if (!*host || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0) {
        gethostname(name, sizeof name - 1);
        host = name;
    }
    if (*port)
        snprintf(rest->id, sizeof rest->id, "%s:%s", host, port);
    else
        snprintf(rest->id, sizeof rest->id, "%s:%d", host, l->port);
}

tg_rest *tg_rest_start(tg_worker *worker, const json_t *config,
                       const char *config_name, tg_err *err)
{
    char where[600];
    json_t *list = tg_config_get(config, "listeners", NULL)
                       ? tg_config_list(config, "listeners")
                       : json_pack("[s]", "http://127.0.0.1:8083");
    size_t i, n = json_array_size(list);
    json_t *one;
    tg_rest *rest = tg_calloc(sizeof *rest);
    int rc = tg__mhd_load(err);
    rest->worker = worker;
    rest->servers = tg_calloc((n ? n : 1) * sizeof *rest->servers);
    tg_worker_where(config_name, "listeners", where, sizeof where);
    json_array_foreach(list, i, one) if (rc == TG_OK && *json_string_value(one))
        rc = start_one(rest, json_string_value(one), where, err);
    if (rc == TG_OK && rest->n == 0)
        rc = tg_err_set(err, TG_ERR_CONFIG,
                        "%s: listeners is empty; name at least one, as in "
                        "listeners=http://127.0.0.1:8083",
                        where);
    json_decref(list);
    if (rc != TG_OK) {
        tg_rest_stop(rest);
        return NULL;
    }
    find_id(rest, config);
    return rest;
}

void tg_rest_stop(tg_rest *rest)
{
    if (!rest)
        return;
    for (int i = 0; i < rest->n; i++)
        tg__mhd.stop_daemon(rest->servers[i].daemon);
    tg_free(rest->servers);
    tg_free(rest);
}

const char *tg_rest_id(const tg_rest *rest)
{
    return rest->id;
}

const char *tg_rest_url(const tg_rest *rest, int i)
{
    return i < rest->n ? rest->servers[i].url : "";
}
