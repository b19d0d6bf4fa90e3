/*
 * A supervisor for tests: starts this very program as `... task` over a
 * socketpair with a shared page, and talks to it as core/task/protocol.h says.
 * The plugins are Lua files written into a temporary folder.
 */
#ifndef TG_TEST_HARNESS_H
#define TG_TEST_HARNESS_H
#include "unit.h"
#include "base/config.h"
#include "base/file.h"
#include "base/frame.h"
#include "base/mem.h"
#include "base/page.h"
#include "kafka/consumer.h"
#include "kafka/embedded.h"
#include "kafka/producer.h"
#include "task/protocol.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

typedef struct child {
    pid_t pid;
    int fd;
    tg_page *page;
    tg_buf in;
    json_t *offsets; /* all pairs of `offsets`, in order */
    json_t *sunk;    /* all triples */
    json_t *topics;  /* active ones, as they were reported */
    char *state;     /* last status */
    char *trace;
    bool eof;
} child;

static char folder[64];

static inline int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static inline void write_file(const char *name, const char *text)
{
    char *path = tg_sprintf("%s/%s", folder, name);
    tg_err err = {0};

    if (tg_file_replace(path, text, strlen(text), &err))
        fail_msg("%s", err.text);
    tg_free(path);
}

static inline child *child_start(void)
{
    child *c = tg_calloc(sizeof *c);
    int pair[2], page_fd;
    tg_err err = {0};

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
                     0);
    c->page = tg_page_new(&page_fd, &err);
    assert_non_null(c->page);
    c->pid = fork();
    if (c->pid == 0) {
        /* out of the way of 3 and 4 first */
        int sock = fcntl(pair[1], F_DUPFD, 50),
            page = fcntl(page_fd, F_DUPFD, 50);
        dup2(sock, TG_FD_SOCKET);
        dup2(page, TG_FD_PAGE);
        for (int fd = 5; fd < 200; fd++)
            close(fd);
        execl("/proc/self/exe", "tidegate", "task", (char *)NULL);
        _exit(127);
    }
    close(pair[1]);
    close(page_fd);
    c->fd = pair[0];
    c->offsets = json_array();
    c->sunk = json_array();
    c->topics = json_array();
    return c;
}

static inline void child_send(child *c, json_t *msg)
{
    tg_err err = {0};

    assert_non_null(msg);
    if (tg_frame_write(c->fd, msg, &err))
        fail_msg("%s", err.text);
    json_decref(msg);
}

static inline void child_op(child *c, const char *op)
{
    child_send(c, json_pack("{s:s}", "op", op));
}

static inline void child_note(child *c, const json_t *msg)
{
    const char *op = json_string_value(json_object_get(msg, "op"));

    if (strcmp(op, "offsets") == 0) {
        json_array_extend(c->offsets, json_object_get(msg, "offsets"));
    } else if (strcmp(op, "sunk") == 0) {
        json_array_extend(c->sunk, json_object_get(msg, "offsets"));
    } else if (strcmp(op, "topics") == 0) {
        json_array_extend(c->topics, json_object_get(msg, "topics"));
    } else if (strcmp(op, "status") == 0) {
        const char *trace = json_string_value(json_object_get(msg, "trace"));
        tg_free(c->state);
        c->state = tg_strdup(json_string_value(json_object_get(msg, "state")));
        if (trace) {
            tg_free(c->trace);
            c->trace = tg_strdup(trace);
        }
    }
}

/* Takes one message (noted too); waits up to ms. NULL: none, or end. */
static inline json_t *child_next(child *c, int ms)
{
    int64_t end = now_ms() + ms;
    tg_err err = {0};
    json_t *msg;
    int rc;

    for (;;) {
        int left = (int)(end - now_ms());
        rc = tg_frame_decode(&c->in, &msg, &err);
        if (rc == 1) {
            child_note(c, msg);
            return msg;
        }
        if (rc < 0)
            fail_msg("%s", err.text);
        if (c->eof || left < 0)
            return NULL;
        rc = tg_frame_fill(c->fd, &c->in, left, &err);
        if (rc == TG_ERR_STOPPED)
            c->eof = true;
        else if (rc < 0)
            fail_msg("%s", err.text);
    }
}

/* Waits for a message of that op; the caller owns it. */
static inline json_t *child_wait(child *c, const char *op, int ms)
{
    int64_t end = now_ms() + ms;

    while (now_ms() < end && !(c->eof && c->in.len == 0)) {
        json_t *msg = child_next(c, (int)(end - now_ms()));
        if (!msg)
            break;
        if (strcmp(json_string_value(json_object_get(msg, "op")), op) == 0)
            return msg;
        json_decref(msg);
    }
    fail_msg("no %s within %d ms (state %s, trace %s)", op, ms,
             c->state ? c->state : "none", c->trace ? c->trace : "none");
    return NULL;
}

static inline void child_wait_state(child *c, const char *state, int ms)
{
    int64_t end = now_ms() + ms;

    while (!c->state || strcmp(c->state, state) != 0) {
        int left = (int)(end - now_ms());
        if (left <= 0 || c->eof)
            fail_msg("not %s within %d ms but %s: %s", state, ms,
                     c->state ? c->state : "nothing", c->trace ? c->trace : "");
        json_decref(child_next(c, left));
    }
}

/* Reads on for ms without expecting anything. */
static inline void child_drain(child *c, int ms)
{
    int64_t end = now_ms() + ms;

    while (now_ms() < end && !c->eof)
        json_decref(child_next(c, (int)(end - now_ms())));
}

/* Waits for the end; returns the wait status. */
static inline int child_end(child *c, int ms)
{
    int64_t end = now_ms() + ms;
    int status = -1;

    while (waitpid(c->pid, &status, WNOHANG) == 0) {
        if (now_ms() > end) {
            kill(c->pid, SIGKILL);
            waitpid(c->pid, &status, 0);
            fail_msg("the task did not end within %d ms (state %s)", ms,
                     c->state ? c->state : "none");
        }
        json_decref(child_next(c, 20));
        if (c->eof)
            usleep(5000);
    }
    while (!c->eof)
        json_decref(child_next(c, 100));
    return status;
}

static inline void child_free(child *c)
{
    close(c->fd);
    tg_page_unmap(c->page);
    tg_buf_fini(&c->in);
    json_decref(c->offsets);
    json_decref(c->sunk);
    json_decref(c->topics);
    tg_free(c->state);
    tg_free(c->trace);
    tg_free(c);
}

/* Stops it, expects a clean end, and frees it. */
static inline void child_stop(child *c)
{
    int status;

    child_send(c, json_pack("{s:s, s:i}", "op", "stop", "timeout_ms", 5000));
    status = child_end(c, 15000);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_string_equal(c->state, "STOPPED");
}

/* --- configurations ------------------------------------------------------ */

static inline json_t *worker_config(const char *bootstrap)
{
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "bootstrap.servers", bootstrap,
        "key.converter", "org.apache.kafka.connect.storage.StringConverter",
        "value.converter", "org.apache.kafka.connect.storage.StringConverter",
        "plugin.path", folder, "offset.flush.interval.ms", "200",
        "task.script.timeout.ms", "2000", "offset.flush.timeout.ms", "5000");
}

/* key, value, ..., NULL */
static inline json_t *connector_config(const char *class_name, ...)
{
    json_t *config = json_pack("{s:s}", "connector.class", class_name);
    const char *key;
    va_list ap;

    va_start(ap, class_name);
    while ((key = va_arg(ap, const char *)))
        json_object_set_new(config, key, json_string(va_arg(ap, const char *)));
    va_end(ap);
    return config;
}

/* worker and config are taken; embedded and offsets may be NULL. */
static inline child *task_start(const char *kind, json_t *worker,
                                json_t *config, json_t *embedded,
                                json_t *offsets)
{
    child *c = child_start();

    child_send(c, json_pack("{s:s, s:o, s:s, s:i, s:O, s:o, s:s, s:o, s:o, "
                            "s:b}",
                            "op", "start", "worker", worker, "name", "tst",
                            "id", 0, "config", config, "task", config, "kind",
                            kind, "offsets", offsets ? offsets : json_array(),
                            "embedded", embedded ? embedded : json_null(),
                            "paused", 0));
    if (getenv("TASK_DEBUG"))
        child_send(c, json_pack("{s:s, s:s}", "op", "log", "level", "DEBUG"));
    return c;
}

/* Last stored offset of the single member name, -1 when none came. */
static inline int64_t last_offset(const child *c, const char *name)
{
    size_t n = json_array_size(c->offsets);
    const json_t *pair = n ? json_array_get(c->offsets, n - 1) : NULL;

    return pair ? json_integer_value(
                      json_object_get(json_array_get(pair, 1), name))
                : -1;
}

#endif
