/*
 * A schema registry in a thread of the test: Confluent's REST API as far as the
 * client uses it, kept in memory. One request a connection. Tests look at what
 * was asked and tell it what to answer next.
 */
#ifndef TG_TEST_FAKE_REGISTRY_H
#define TG_TEST_FAKE_REGISTRY_H
#include "base/mem.h"
#include "unit.h"
#include <arpa/inet.h>
#include <jansson.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>

typedef struct fake_schema {
    char *subject, *text, *type;
    json_t *refs;
    int id, version;
} fake_schema;

typedef struct fake_registry {
    int fd;
    char url[64];
    pthread_t thread;
    pthread_mutex_t lock;
    bool stop;
    fake_schema *schemas;
    size_t n;
    int next_id;
    int requests;      /* answered so far */
    char last[1024];   /* "POST /subjects/x/versions" */
    char *head, *body; /* of the last request */
    int fail_times;    /* so many requests get this instead: */
    int fail_status;
    const char *fail_text;
    bool no_versions; /* a schema is in no subject */
} fake_registry;

static inline fake_schema *fake_find(fake_registry *r, const char *subject,
                                     const char *text, int version)
{
    fake_schema *found = NULL;
    for (size_t i = 0; i < r->n; i++) {
        fake_schema *s = &r->schemas[i];
        if ((!subject || strcmp(s->subject, subject) == 0) &&
            (!text || strcmp(s->text, text) == 0) &&
            (version <= 0 || s->version == version))
            found = s;
    }
    return found;
}

/* Adds a schema under a lock; its id. */
static inline int fake_add(fake_registry *r, const char *subject,
                           const char *text, const char *type, json_t *refs)
{
    fake_schema *same = fake_find(r, subject, text, 0);
    if (same)
        return same->id;
    fake_schema *newest = fake_find(r, subject, NULL, 0);
    fake_schema *other = fake_find(r, NULL, text, 0);
    int version = newest ? newest->version + 1 : 1;
    int id = other ? other->id : ++r->next_id;
    r->schemas = tg_realloc(r->schemas, (r->n + 1) * sizeof *r->schemas);
    r->schemas[r->n++] = (fake_schema){tg_strdup(subject),
                                       tg_strdup(text),
                                       type ? tg_strdup(type) : NULL,
                                       json_incref(refs),
                                       id,
                                       version};
    return id;
}

static inline int fake_put(fake_registry *r, const char *subject,
                           const char *text)
{
    pthread_mutex_lock(&r->lock);
    int id = fake_add(r, subject, text, NULL, NULL);
    pthread_mutex_unlock(&r->lock);
    return id;
}

static inline json_t *fake_error(int code, const char *message)
{
    return json_pack("{s:i,s:s}", "error_code", code, "message", message);
}

static inline json_t *fake_answer(const fake_schema *s)
{
    json_t *a = json_pack("{s:s,s:i,s:i,s:s}", "subject", s->subject, "id",
                          s->id, "version", s->version, "schema", s->text);
    if (s->type)
        json_object_set_new(a, "schemaType", json_string(s->type));
    if (s->refs)
        json_object_set(a, "references", s->refs);
    return a;
}

static inline void fake_unescape(char *text)
{
    char *to = text;
    for (char *p = text; *p; p++) {
        unsigned c;
        if (*p == '%' && sscanf(p + 1, "%2x", &c) == 1) {
            *to++ = (char)c;
            p += 2;
        } else {
            *to++ = *p;
        }
    }
    *to = 0;
}

static inline json_t *fake_route(fake_registry *r, bool post, char *path,
                                 const json_t *body, int *status)
{
    char subject[512] = "", rest[128] = "";
    const char *text = json_string_value(json_object_get(body, "schema"));
    fake_schema *s = NULL;
    int id;
    path[strcspn(path, "?")] = 0;
    if (sscanf(path, "/schemas/ids/%d", &id) == 1) {
        for (size_t i = 0; i < r->n; i++)
            if (r->schemas[i].id == id)
                s = &r->schemas[i];
        *status = s ? 200 : 404;
        return s ? fake_answer(s) : fake_error(40403, "Schema not found");
    }
    sscanf(path, "/subjects/%511[^/]%127s", subject, rest);
    fake_unescape(subject);
    if (post && strcmp(rest, "/versions") == 0) {
        *status = 200;
        return json_pack(
            "{s:i}", "id",
            fake_add(r, subject, text,
                     json_string_value(json_object_get(body, "schemaType")),
                     json_object_get(body, "references")));
    }
    if (post && !r->no_versions)
        s = fake_find(r, subject, text, 0);
    else if (post)
        s = NULL;
    else if (strcmp(rest, "/versions/latest") == 0)
        s = fake_find(r, subject, NULL, 0);
    else if (sscanf(rest, "/versions/%d", &id) == 1)
        s = fake_find(r, subject, NULL, id);
    *status = s ? 200 : 404;
    return s ? fake_answer(s) : fake_error(40401, "Subject not found");
}

static inline void fake_send(int fd, int status, const char *type,
                             const char *text)
{
    tg_buf out = {0};
    tg_buf_printf(&out,
                  "HTTP/1.1 %d X\r\nContent-Type: %s\r\nContent-Length: "
                  "%zu\r\nConnection: close\r\n\r\n%s",
                  status, type, strlen(text), text);
    for (size_t at = 0; at < out.len;) {
        ssize_t n = send(fd, out.p + at, out.len - at, MSG_NOSIGNAL);
        if (n <= 0)
            break;
        at += (size_t)n;
    }
    tg_buf_fini(&out);
}

/* The whole request as text: head and body. */
static inline bool fake_read(int fd, tg_buf *in, char **body)
{
    for (;;) {
        char *at = tg_buf_room(in, 65536);
        ssize_t n = recv(fd, at, 65535, 0);
        if (n <= 0)
            return false;
        in->len += (size_t)n;
        tg_buf_cstr(in);
        char *end = strstr(in->p, "\r\n\r\n");
        if (!end)
            continue;
        char *length = strstr(in->p, "Content-Length: ");
        size_t want = length ? strtoul(length + 16, NULL, 10) : 0;
        if (in->len - (size_t)(end + 4 - in->p) < want)
            continue;
        end[2] = 0;
        *body = end + 4;
        return true;
    }
}

static inline void fake_serve(fake_registry *r, int fd)
{
    tg_buf in = {0};
    char *body, method[8], path[1024];
    if (!fake_read(fd, &in, &body) ||
        sscanf(in.p, "%7s %1023s", method, path) != 2) {
        tg_buf_fini(&in);
        return;
    }
    pthread_mutex_lock(&r->lock);
    r->requests++;
    snprintf(r->last, sizeof r->last, "%s %s", method, path);
    tg_free(r->head);
    tg_free(r->body);
    r->head = tg_strdup(in.p);
    r->body = tg_strdup(body);
    int status = 200;
    if (r->fail_times > 0) {
        r->fail_times--;
        fake_send(fd, r->fail_status,
                  *r->fail_text == '{' ? "application/json" : "text/html",
                  r->fail_text);
    } else {
        json_t *json = json_loads(body, 0, NULL);
        json_t *out =
            fake_route(r, strcmp(method, "POST") == 0, path, json, &status);
        char *text = json_dumps(out, JSON_COMPACT);
        fake_send(fd, status, "application/vnd.schemaregistry.v1+json", text);
        free(text);
        json_decref(out);
        json_decref(json);
    }
    pthread_mutex_unlock(&r->lock);
    tg_buf_fini(&in);
}

static inline void *fake_run(void *of)
{
    fake_registry *r = of;
    for (;;) {
        int fd = accept(r->fd, NULL, NULL);
        if (fd < 0)
            return NULL;
        fake_serve(r, fd);
        close(fd);
    }
}

static inline fake_registry *fake_start(void)
{
    fake_registry *r = tg_calloc(sizeof *r);
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t len = sizeof a;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    r->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(r->fd, (struct sockaddr *)&a, sizeof a) || listen(r->fd, 16) ||
        getsockname(r->fd, (struct sockaddr *)&a, &len))
        abort();
    snprintf(r->url, sizeof r->url, "http://127.0.0.1:%d", ntohs(a.sin_port));
    pthread_mutex_init(&r->lock, NULL);
    pthread_create(&r->thread, NULL, fake_run, r);
    return r;
}

/* The next times requests are answered with status and text. */
static inline void fake_fail(fake_registry *r, int times, int status,
                             const char *text)
{
    pthread_mutex_lock(&r->lock);
    r->fail_times = times;
    r->fail_status = status;
    r->fail_text = text;
    pthread_mutex_unlock(&r->lock);
}

static inline int fake_requests(fake_registry *r)
{
    pthread_mutex_lock(&r->lock);
    int n = r->requests;
    pthread_mutex_unlock(&r->lock);
    return n;
}

static inline void fake_stop(fake_registry *r)
{
    shutdown(r->fd, SHUT_RDWR);
    pthread_join(r->thread, NULL);
    close(r->fd);
    for (size_t i = 0; i < r->n; i++) {
        tg_free(r->schemas[i].subject);
        tg_free(r->schemas[i].text);
        tg_free(r->schemas[i].type);
        json_decref(r->schemas[i].refs);
    }
    tg_free(r->schemas);
    tg_free(r->head);
    tg_free(r->body);
    pthread_mutex_destroy(&r->lock);
    tg_free(r);
}

#endif
