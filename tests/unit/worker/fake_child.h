/*
 * A child that speaks the protocol and misbehaves on request: the test binary
 * itself, started as `tidegate task` or `tidegate broker`. What to do stands in
 * the connector's config under "fake".
 */
#ifndef TG_TEST_FAKE_CHILD_H
#define TG_TEST_FAKE_CHILD_H
#include "base/frame.h"
#include "base/page.h"
#include "task/protocol.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static tg_buf fake_in;

static json_t *fake_read(void)
{
    json_t *msg = NULL;
    tg_err err = {0};
    for (;;) {
        if (tg_frame_decode(&fake_in, &msg, &err) == 1)
            return msg;
        if (tg_frame_fill(TG_FD_SOCKET, &fake_in, -1, &err) < 0)
            _exit(0);
    }
}

static void fake_send(json_t *msg)
{
    tg_err err = {0};
    if (tg_frame_write(TG_FD_SOCKET, msg, &err) != TG_OK)
        _exit(0);
    json_decref(msg);
}

static const char *fake_text(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

static void fake_plan(const json_t *msg)
{
    const json_t *config = json_object_get(msg, "config");
    const char *fake = fake_text(config, "fake");
    json_t *tasks = json_array();
    int n = atoi(fake_text(config, "tasks.max"));
    if (strcmp(fake, "plan-crash") == 0)
        abort();
    if (strncmp(fake, "late-", 5) == 0) /* "late-sinks50" */
        usleep(400000);
    for (int i = 0; i < n; i++)
        json_array_append_new(tasks, json_pack("{s:i}", "task", i));
    json_t *errors = json_array();
    if (strcmp(fake, "plan-error") == 0)
        json_array_append_new(errors,
                              json_pack("{s:s, s:s, s:s}", "key", "tasks.max",
                                        "value", "0", "message",
                                        "Invalid value 0 for configuration "
                                        "tasks.max: Value must be at least "
                                        "1"));
    json_t *planned = json_pack(
        "{s:s, s:s, s:s, s:s, s:o, s:o, s:[]}", "op", "planned", "kind",
        fake_text(config, "topics")[0] ? "sink" : "source", "class", "Fake",
        "version", "1.2.3", "tasks", tasks, "errors", errors, "warnings");
    if (strcmp(fake, "plan-unknown") == 0)
        json_object_set_new(
            planned, "error",
            json_pack("{s:s, s:s}", "text",
                      "connector.class=Fiel: no such class; did you mean "
                      "File?",
                      "trace", ""));
    fake_send(planned);
}

static int64_t fake_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void fake_at(tg_page *page, uint32_t at)
{
    tg_page_set(page->at, at);
    tg_page_set(page->at_record, 17);
    snprintf(page->at_plugin, sizeof page->at_plugin, "%s",
             "connectors/x/source.lua");
    tg_page_set(page->heartbeat_ns, fake_now());
}

/* A topic that the broker refuses is refused every time it is asked for. */
static void fake_bad_topic(void)
{
    for (int i = 0; i < 2; i++) {
        json_t *msg;
        fake_send(json_pack("{s:s, s:s}", "op", "writes", "topic", "bad"));
        while (strcmp(fake_text(msg = fake_read(), "op"), "topic.ok") != 0)
            json_decref(msg);
        if (!*fake_text(msg, "error"))
            _exit(4);
        json_decref(msg);
    }
}

/* What is wrong with this task; returns for those that just run. */
static void fake_misbehave(const char *fake, tg_page *page)
{
    if (strcmp(fake, "segv") == 0) {
        fake_at(page, TG_AT_POLL);
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
    } else if (strcmp(fake, "hang") == 0) {
        fake_at(page, TG_AT_PUT);
        tg_page_set(page->call_start_ns, fake_now());
        for (;;)
            pause();
    } else if (strcmp(fake, "exit") == 0) {
        _exit(3);
    } else if (strcmp(fake, "garbage") == 0) {
        if (write(TG_FD_SOCKET, "\x00\x00\x00\x05hello", 9) != 9)
            _exit(1);
        pause();
    } else if (strcmp(fake, "close") == 0) {
        close(TG_FD_SOCKET);
        for (;;)
            pause();
    } else if (strcmp(fake, "bad-topic") == 0) {
        fake_bad_topic();
    } else if (strcmp(fake, "stays") == 0) {
        fake_send(json_pack("{s:s, s:s}", "op", "status", "state", "STOPPED"));
        for (;;)
            pause();
    } else if (strcmp(fake, "memory") == 0) {
        for (;;) {
            memset(malloc(4 << 20), 1, 4 << 20);
            usleep(20000);
        }
    } else if (strcmp(fake, "failed") == 0) {
        fake_send(json_pack("{s:s, s:s, s:s, s:b}", "op", "status", "state",
                            "FAILED", "trace",
                            "ScriptError: x.lua:3: boom\nCaused by: Lua: boom",
                            "retriable", 0));
        _exit(1);
    }
}

static void fake_status(const char *state)
{
    fake_send(json_pack("{s:s, s:s, s:s}", "op", "status", "state", state,
                        "version", "1.2.3"));
}

static void fake_offsets(const json_t *start, json_int_t position)
{
    fake_send(json_pack("{s:s, s:[[{s:i}, {s:I}]]}", "op", "offsets", "offsets",
                        "part",
                        (int)json_integer_value(json_object_get(start, "id")),
                        "position", position));
}

static json_int_t fake_position = 7;

static void fake_obey(const json_t *start, const json_t *msg)
{
    const char *op = fake_text(msg, "op");
    if (strcmp(op, "pause") == 0)
        fake_status("PAUSED");
    else if (strcmp(op, "resume") == 0)
        fake_status("RUNNING");
    else if (strcmp(op, "commit") == 0 &&
             strcmp(fake_text(start, "kind"), "source") == 0)
        fake_offsets(start, fake_position);
    else if (strcmp(op, "released") == 0) {
        fake_position = json_integer_value(json_object_get(msg, "offset"));
        fake_offsets(start, fake_position);
    } else if (strcmp(op, "stop") == 0) {
        fake_status("STOPPED");
        _exit(0);
    }
}

static void fake_task(void)
{
    tg_err err = {0};
    json_t *start = fake_read();
    if (strcmp(fake_text(start, "op"), "plan") == 0) {
        fake_plan(start);
        _exit(0);
    }
    tg_page *page = tg_page_map(TG_FD_PAGE, &err);
    const json_t *config = json_object_get(start, "config");
    const char *fake = fake_text(config, "fake");
    fake += strncmp(fake, "late-", 5) == 0 ? 5 : 0;
    bool misbehaves =
        json_integer_value(json_object_get(start, "id")) == 0 && *fake;
    if (!page)
        _exit(9);
    fake_status(json_is_true(json_object_get(start, "paused")) ? "PAUSED"
                                                               : "RUNNING");
    if (misbehaves)
        fake_misbehave(fake, page);
    if (strcmp(fake_text(start, "kind"), "source") == 0)
        fake_send(json_pack("{s:s, s:s}", "op", "writes", "topic", "t"));
    else if (strncmp(fake, "sinks", 5) == 0) /* "sinks50": up to 50 */
        fake_send(json_pack("{s:s, s:[[s, i, i]]}", "op", "sunk", "offsets",
                            "t", 0, fake[5] ? atoi(fake + 5) : 123));
    tg_page_add(page->records_out, 1000);
    for (;;) {
        json_t *msg = fake_read();
        fake_obey(start, msg);
        json_decref(msg);
    }
}

static void fake_broker(void)
{
    char bootstrap[64];
    snprintf(bootstrap, sizeof bootstrap, "127.0.0.1:%d", (int)getpid());
    fake_send(json_pack("{s:s, s:s}", "op", "up", "bootstrap", bootstrap));
    for (;;) {
        json_t *msg = fake_read();
        json_t *ok = json_pack("{s:s, s:s}", "op", "topic.ok", "topic",
                               fake_text(msg, "topic"));
        if (strcmp(fake_text(msg, "topic"), "bad") == 0)
            json_object_set_new(ok, "error", json_string("no such luck"));
        fake_send(ok);
        json_decref(msg);
    }
}

/* -1 when this process is the test. */
static int fake_main(int argc, char **argv)
{
    if (argc < 2)
        return -1;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGINT, SIG_IGN);
    if (strcmp(argv[1], "task") == 0)
        fake_task();
    else if (strcmp(argv[1], "broker") == 0)
        fake_broker();
    else
        return -1;
    return 0;
}

#endif
