/*
 * From a request line to the function that answers it: percent-decoding, the
 * table of routes, and the replies that need no handler (404, 405, 406, 415,
 * OPTIONS). No state; any thread.
 */
#include "rest/internal.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ASK_TIMEOUT_MS = 90000 };

static const tg_route *const tables[] = {tg__rest_root, tg__rest_connectors,
                                         tg__rest_status, tg__rest_metrics};

/* ------------------------------------------------------------------- parse */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* In place; broken escapes stay as they are. plus: '+' is a space. */
static void decode(char *s, bool plus)
{
    char *to = s;
    for (; *s; s++) {
        int hi = *s == '%' ? hex(s[1]) : -1;
        int lo = hi >= 0 ? hex(s[2]) : -1;
        if (lo >= 0) {
            *to++ = (char)(hi * 16 + lo);
            s += 2;
        } else
            *to++ = plus && *s == '+' ? ' ' : *s;
    }
    *to = 0;
}

/* What the server refuses before any resource sees it. */
static const char *ambiguous(const char *path)
{
    for (const char *p = path; *p; p++) {
        if (strncasecmp(p, "%2f", 3) == 0)
            return "Ambiguous URI path separator";
        if (strncmp(p, "%25", 3) == 0)
            return "Ambiguous URI path encoding";
        if (strncmp(p, "%00", 3) == 0)
            return "Illegal character in path";
        if (p[0] == '/' && p[1] == '/')
            return "Ambiguous URI empty segment";
    }
    return NULL;
}

bool tg__request_parse(tg_request *req, const char *target, const char **why)
{
    const char *mark = strchr(target, '?');
    req->query = tg_strdup(mark ? mark + 1 : "");
    req->path =
        tg_strndup(target, mark ? (size_t)(mark - target) : strlen(target));
    req->n_segments = 0;
    *why = ambiguous(req->path);
    if (*why)
        return false;
    char *p = req->path;
    while (*p == '/') {
        *p++ = 0;
        if (!*p)
            break; /* a slash at the end */
        char *end = strchr(p, '/');
        char next = end ? '/' : 0;
        if (end)
            *end = 0;
        char *matrix = strchr(p, ';');
        if (matrix)
            *matrix = 0;
        decode(p, false);
        if (req->n_segments == TG_REST_SEGMENTS)
            return true; /* too long for any route: not found */
        req->segments[req->n_segments++] = p;
        if (!end)
            break;
        *end = next;
        p = end;
    }
    return true;
}

void tg__request_fini(tg_request *req)
{
    tg_free(req->path);
    tg_free(req->query);
}

bool tg__query_has(const tg_request *req, const char *name, const char *value)
{
    char *copy = tg_strdup(req->query), *save = NULL;
    bool found = false;
    for (char *p = strtok_r(copy, "&", &save); p && !found;
         p = strtok_r(NULL, "&", &save)) {
        char *equals = strchr(p, '=');
        if (equals)
            *equals = 0;
        decode(p, true);
        if (equals)
            decode(equals + 1, true);
        found = strcmp(p, name) == 0 &&
                (!value || strcmp(equals ? equals + 1 : "", value) == 0);
    }
    tg_free(copy);
    return found;
}

/* ------------------------------------------------------------------ answers */

void tg__answer_error(tg_answer *answer, int status, bool typed,
                      const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    json_t *body = json_pack("{s:i, s:o}", "error_code", status, "message",
                             tg_json_text(text));
    char *dump = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    tg_reply_fini(&answer->reply);
    answer->reply.status = status;
    answer->reply.body = tg_strdup(dump);
    answer->reply.len = strlen(dump);
    answer->reply.type = typed ? "application/json" : NULL;
    free(dump);
}

static void ask(tg_request *req, tg_answer *answer, tg_call *call)
{
    char stage[512];
    bool started;
    if (tg_worker_ask(req->worker, call, ASK_TIMEOUT_MS, &answer->reply))
        return;
    tg_worker_stage(req->worker, stage, sizeof stage, &started);
    tg__answer_error(answer, 500, true, "Request timed out%s%s",
                     *stage ? ". " : "", stage);
}

void tg__rest_ask(tg_request *req, tg_answer *answer, tg_call_fn fn,
                  unsigned flags)
{
    ask(req, answer, tg_call_new(fn, req->connector, req->task, flags));
}

void tg__rest_ask_with(tg_request *req, tg_answer *answer, tg_call_fn fn,
                       json_t *body)
{
    tg_call *call = tg_call_new(fn, req->connector, req->task, 0);
    call->body = body;
    ask(req, answer, call);
}

/* Text of a scalar; NULL for what is none. */
static json_t *as_text(const json_t *v)
{
    char *dump;
    json_t *text;
    if (json_is_string(v) || json_is_null(v))
        return json_incref((json_t *)(uintptr_t)v);
    if (json_is_object(v) || json_is_array(v))
        return NULL;
    dump = json_dumps(v, JSON_ENCODE_ANY);
    text = json_string(dump);
    free(dump);
    return text;
}

json_t *tg__rest_config(const tg_request *req, tg_answer *answer)
{
    json_error_t e;
    json_t *body = json_loadb(req->body ? req->body : "", req->body_len,
                              JSON_DECODE_ANY, &e);
    json_t *out = json_object(), *v;
    const char *key;
    if (!json_is_object(body)) {
        tg__answer_error(answer, 500, true,
                         "Cannot deserialize value of type "
                         "`java.util.LinkedHashMap<java.lang.String,"
                         "java.lang.String>` from the request: %s",
                         body ? "it is no JSON object" : e.text);
        goto fail;
    }
    json_object_foreach(body, key, v)
    {
        json_t *text = as_text(v);
        if (!text)
            tg__answer_error(answer, 500, true,
                             "Cannot deserialize value of type "
                             "`java.lang.String` from %s value (member %s)",
                             json_is_array(v) ? "Array" : "Object", key);
        else if (json_is_null(text))
            tg__answer_error(answer, 400, true,
                             "Null value can not be supplied as the "
                             "configuration value.");
        if (!json_is_string(text)) {
            json_decref(text);
            goto fail;
        }
        json_object_set_new(out, key, text);
    }
    json_decref(body);
    return out;
fail:
    json_decref(body);
    json_decref(out);
    return NULL;
}

/* ------------------------------------------------------------------- routes */

/* Java's Integer: an optional sign and digits. */
static bool parse_task(const char *s, int *task)
{
    char *end;
    const char *digits = *s == '-' || *s == '+' ? s + 1 : s;
    if (*digits < '0' || *digits > '9')
        return false;
    long v = strtol(s, &end, 10);
    if (*end || v < INT_MIN || v > INT_MAX)
        return false;
    *task = (int)v;
    return true;
}

static bool segment_matches(tg_request *req, const char *pattern, size_t n,
                            char *segment)
{
    if (n == 3 && memcmp(pattern, "{c}", 3) == 0) {
        req->connector = segment;
        return true;
    }
    if (n == 3 && memcmp(pattern, "{t}", 3) == 0)
        return parse_task(segment, &req->task);
    return strlen(segment) == n && memcmp(segment, pattern, n) == 0;
}

static bool matches(tg_request *req, const char *pattern)
{
    int i = 0;
    req->connector = NULL;
    req->task = 0;
    while (*pattern == '/' && pattern[1]) {
        size_t n = strcspn(++pattern, "/");
        if (i == req->n_segments ||
            !segment_matches(req, pattern, n, req->segments[i]))
            return false;
        pattern += n;
        i++;
    }
    return i == req->n_segments;
}

static void allow(tg_answer *answer, const char *method)
{
    size_t n = strlen(answer->allow);
    if (strstr(answer->allow, method))
        return;
    snprintf(answer->allow + n, sizeof answer->allow - n, "%s%s", n ? "," : "",
             method);
    if (strcmp(method, "GET") == 0)
        allow(answer, "HEAD");
}

static void answer_options(tg_answer *answer)
{
    tg_buf body = {0};
    allow(answer, "OPTIONS");
    for (const char *p = answer->allow; *p; p++)
        tg_buf_add(&body, *p == ',' ? ", " : p, *p == ',' ? 2 : 1);
    answer->reply.status = 200;
    answer->reply.type = "text/plain";
    answer->reply.len = body.len;
    tg_buf_cstr(&body);
    answer->reply.body = tg_buf_steal(&body);
}

static bool media_is(const char *header, const char *type)
{
    size_t n = strlen(type);
    while (*header == ' ')
        header++;
    return strncasecmp(header, type, n) == 0 &&
           (header[n] == 0 || header[n] == ';' || header[n] == ' ' ||
            header[n] == ',');
}

/* One of the alternatives of the Accept header is type. */
static bool accepts(const char *accept, const char *type)
{
    static const char *const wild[] = {"*/*", "application/*", "text/*"};
    size_t major = strcspn(type, "/") + 1;
    for (const char *p = accept; p;
         p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
        if (media_is(p, type) || media_is(p, wild[0]))
            return true;
        for (size_t i = 1; i < 3; i++)
            if (media_is(p, wild[i]) && strncmp(wild[i], type, major) == 0)
                return true;
    }
    return accept == NULL || *accept == 0;
}

/* Resources under /connectors take and give JSON only. */
static bool media_ok(const tg_request *req, tg_answer *answer)
{
    bool json = req->n_segments > 0 &&
                (strcmp(req->segments[0], "connectors") == 0 ||
                 strcmp(req->segments[0], "connector-plugins") == 0 ||
                 strcmp(req->segments[0], "admin") == 0);
    bool metrics =
        req->n_segments > 0 && strcmp(req->segments[0], "metrics") == 0;
    if (json &&
        (req->content_type ? !media_is(req->content_type, "application/json")
                           : req->body_len > 0)) {
        tg__answer_error(answer, 415, false, "HTTP 415 Unsupported Media Type");
        return false;
    }
    if (!metrics && !accepts(req->accept, "application/json")) {
        tg__answer_error(answer, 406, false, "HTTP 406 Not Acceptable");
        return false;
    }
    return true;
}

void tg__rest_route(tg_request *req, tg_answer *answer)
{
    const char *method = req->head ? "GET" : req->method;
    const tg_route *found = NULL;
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (const tg_route *r = tables[t]; r->method; r++) {
            if (!matches(req, r->path))
                continue;
            allow(answer, r->method);
            if (!found && strcmp(r->method, method) == 0)
                found = r;
        }
    if (!*answer->allow)
        tg__answer_error(answer, 404, false, "HTTP 404 Not Found");
    else if (strcmp(method, "OPTIONS") == 0)
        answer_options(answer);
    else if (!found)
        tg__answer_error(answer, 405, false, "HTTP 405 Method Not Allowed");
    else {
        answer->allow[0] = 0;      /* it belongs to 405 and OPTIONS */
        matches(req, found->path); /* its own {c} and {t} */
        if (media_ok(req, answer))
            found->handle(req, answer);
    }
}
