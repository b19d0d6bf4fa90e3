/*
 * bootstrap.servers=embedded: the broker child, and the rule that lets a
 * pipeline through a broker that keeps 5 MB a partition lose nothing:
 *
 *   source --writes--> topic --> sinks --sunk--> committed per sink, partition
 *      ^                                              |
 *      +----------------- released: the least of them +
 *
 * - Sources together may have WINDOW bytes that are not released. The window is
 *   dealt out over all source tasks of the worker, since any of them may write
 *   to any topic.
 * - A source's offset counts only as far as it is released. So when the broker
 *   dies, sources go back to what sinks have committed, and sinks begin the new
 *   topic at its start: repeated records, none missing.
 * - A source task that starts again has forgotten what it has in the topic. Its
 *   window is full again while the old records are still there, and the oldest
 *   may be dropped unread: those of its neighbours too. So all tasks that write
 *   to the same topics stop before it starts, and begin where sinks have
 *   committed (may_start).
 * - Sinks get partitions dealt out; a group member would wait 3 s for them.
 *
 * `life` counts the broker processes: what was said about an earlier one is not
 * believed.
 *
 * Owner thread only.
 */
#include "worker/internal.h"
#include "base/config.h"
#include "base/log.h"

#include <regex.h>
#include <signal.h>
#include <stdio.h>

enum {
    WINDOW_BYTES = 4 * 1024 * 1024,
    WINDOW_RECORDS = 50000,
    AGAIN_MS = 100,
    AGAIN_MAX_MS = 5000,
    JUST_FAILED_S = 5
};

typedef struct reader {
    tg_connector *sink;
    int64_t *committed; /* per partition, exclusive */
} reader;

typedef struct topic {
    char *name;
    int partitions;
    bool ready;  /* the broker has answered */
    char *error; /* ... that it cannot make it; else NULL */
    reader *readers;
    int n_readers;
} topic;

struct tg_embedded_broker {
    tg_worker *worker;
    tg_child *child;
    char *bootstrap; /* NULL: not up */
    unsigned life;
    int partitions; /* of a new topic */
    int failures;   /* in a row: sets the pause before the next one */
    int64_t started_ns;
    bool was_up, explained;
    uv_timer_t *timer;
    topic *topics;
    int n_topics;
};

/* ------------------------------------------------------------------ topics */

static topic *find_topic(tg_embedded_broker *b, const char *name)
{
    for (int i = 0; i < b->n_topics; i++)
        if (strcmp(b->topics[i].name, name) == 0)
            return &b->topics[i];
    return NULL;
}

/* Java's full match, by POSIX rules. */
static bool regex_matches(const tg_connector *c, const char *pattern,
                          const char *name)
{
    regex_t re;
    char *full = tg_sprintf("^(%s)$", pattern);
    int rc = regcomp(&re, full, REG_EXTENDED | REG_NOSUB);
    bool yes = false;
    if (rc == 0) {
        yes = regexec(&re, name, 0, NULL, 0) == 0;
        regfree(&re);
    } else
        tg_warn("embedded",
                "connector %s: topics.regex=%s is not understood by the "
                "embedded broker; use topics, or plain POSIX syntax",
                c->name, pattern);
    tg_free(full);
    return yes;
}

static bool reads(const tg_connector *c, const char *name)
{
    if (c->type != TG_SINK)
        return false;
    const char *pattern = tg_config_get(c->config, "topics.regex", NULL);
    if (pattern && *pattern)
        return regex_matches(c, pattern, name);
    json_t *list = tg_config_list(c->config, "topics"), *one;
    bool yes = false;
    size_t i;
    json_array_foreach(list, i, one) yes =
        yes || strcmp(json_string_value(one), name) == 0;
    json_decref(list);
    return yes;
}

static void find_readers(tg_embedded_broker *b, topic *t)
{
    tg_worker *w = b->worker;
    for (int i = 0; i < w->n_connectors; i++) {
        if (!reads(w->connectors[i], t->name))
            continue;
        t->readers = tg_realloc(t->readers, (size_t)(t->n_readers + 1) *
                                                sizeof *t->readers);
        reader *r = &t->readers[t->n_readers++];
        r->sink = w->connectors[i];
        r->committed = tg_calloc((size_t)t->partitions * sizeof(int64_t));
    }
    if (t->n_readers == 0)
        tg_warn("embedded",
                "no sink reads the topic %s: the embedded broker keeps its "
                "last 5 MB and drops the rest",
                t->name);
}

/* Asks the broker for a topic; known ones are left alone. */
static topic *need_topic(tg_embedded_broker *b, const char *name)
{
    topic *t = find_topic(b, name);
    if (t)
        return t;
    b->topics =
        tg_realloc(b->topics, (size_t)(b->n_topics + 1) * sizeof *b->topics);
    t = &b->topics[b->n_topics++];
    *t = (topic){.name = tg_strdup(name), .partitions = b->partitions};
    find_readers(b, t);
    tg__child_send(b->child,
                   json_pack("{s:s, s:s, s:i}", "op", "topic", "topic", name,
                             "partitions", t->partitions));
    return t;
}

static void forget_topics(tg_embedded_broker *b)
{
    for (int i = 0; i < b->n_topics; i++) {
        for (int r = 0; r < b->topics[i].n_readers; r++)
            tg_free(b->topics[i].readers[r].committed);
        tg_free(b->topics[i].readers);
        tg_free(b->topics[i].error);
        tg_free(b->topics[i].name);
    }
    tg_free(b->topics);
    b->topics = NULL;
    b->n_topics = 0;
}

bool tg__embedded_prepare(tg_embedded_broker *b)
{
    tg_worker *w = b->worker;
    bool ready = b->bootstrap != NULL;
    for (int i = 0; i < w->n_connectors && ready; i++) {
        tg_connector *c = w->connectors[i];
        if (c->type != TG_SINK)
            continue;
        json_t *list = tg_config_list(c->config, "topics"), *one;
        size_t k;
        json_array_foreach(list, k, one) if (*json_string_value(one))
            need_topic(b, json_string_value(one));
        json_decref(list);
    }
    for (int i = 0; i < b->n_topics; i++)
        ready = ready && b->topics[i].ready;
    return ready;
}

/* --------------------------------------------------------------- releasing */

/* What every sink of the topic has committed; -1: it has none. */
static int64_t released(const topic *t, int partition)
{
    int64_t least = -1;
    for (int i = 0; i < t->n_readers; i++) {
        int64_t v = t->readers[i].committed[partition];
        if (least < 0 || v < least)
            least = v;
    }
    return least;
}

static bool among(const json_t *names, const char *name)
{
    size_t i;
    json_t *one;
    json_array_foreach(names, i, one) if (strcmp(json_string_value(one),
                                                 name) == 0) return true;
    return false;
}

static bool writes_to(const tg_run_task *task, const char *name)
{
    return among(task->writes, name);
}

static void send_released(tg_run_task *task, const topic *t, int partition)
{
    tg__child_send(task->child,
                   json_pack("{s:s, s:s, s:i, s:I}", "op", "released", "topic",
                             t->name, "partition", partition, "offset",
                             (json_int_t)released(t, partition)));
}

static void release_to_all(tg_embedded_broker *b, const topic *t, int partition)
{
    tg_worker *w = b->worker;
    for (int i = 0; i < w->n_connectors; i++)
        for (int k = 0; k < w->connectors[i]->n_tasks; k++) {
            tg_run_task *task = w->connectors[i]->tasks[k];
            if (task->child && task->broker_life == b->life &&
                writes_to(task, t->name))
                send_released(task, t, partition);
        }
}

static void send_ok(tg_run_task *task, const topic *t)
{
    json_t *msg = json_pack("{s:s, s:s}", "op", "topic.ok", "topic", t->name);
    if (t->error)
        json_object_set_new(msg, "error", json_string(t->error));
    tg__child_send(task->child, msg);
}

static void answer_writer(tg_run_task *task, const topic *t)
{
    send_ok(task, t);
    for (int p = 0; p < t->partitions && !t->error; p++)
        if (released(t, p) != 0)
            send_released(task, t, p);
}

void tg__embedded_writes(tg_run_task *task, const char *name)
{
    tg_embedded_broker *b = task->connector->worker->embedded;
    if (!b || !name || task->broker_life != b->life || !b->bootstrap)
        return;
    if (!writes_to(task, name))
        json_array_append_new(task->writes, json_string(name));
    topic *t = need_topic(b, name);
    if (t->ready)
        answer_writer(task, t);
}

void tg__embedded_needs(tg_run_task *task, const char *name)
{
    tg_embedded_broker *b = task->connector->worker->embedded;
    if (!b || !name || task->broker_life != b->life || !b->bootstrap)
        return;
    topic *t = need_topic(b, name);
    if (t->ready)
        send_ok(task, t);
    else if (!among(task->needs, name))
        json_array_append_new(task->needs, json_string(name));
}

void tg__embedded_sunk(tg_run_task *task, const json_t *offsets)
{
    tg_embedded_broker *b = task->connector->worker->embedded;
    size_t i;
    json_t *one;
    if (!b || task->broker_life != b->life)
        return;
    json_array_foreach(offsets, i, one)
    {
        const char *name = json_string_value(json_array_get(one, 0));
        json_int_t p = json_integer_value(json_array_get(one, 1));
        json_int_t offset = json_integer_value(json_array_get(one, 2));
        topic *t = name ? find_topic(b, name) : NULL;
        if (!t || p < 0 || p >= t->partitions)
            continue;
        int64_t before = released(t, (int)p);
        for (int r = 0; r < t->n_readers; r++)
            if (t->readers[r].sink == task->connector &&
                t->readers[r].committed[p] < offset)
                t->readers[r].committed[p] = offset;
        if (released(t, (int)p) != before)
            release_to_all(b, t, (int)p);
    }
}

/* A sink that reads by pattern gets the new topic: its tasks start again with
 * partitions dealt out anew. */
static void deal_again(tg_embedded_broker *b, const topic *t)
{
    for (int r = 0; r < t->n_readers; r++) {
        tg_connector *sink = t->readers[r].sink;
        if (!tg_config_get(sink->config, "topics.regex", NULL))
            continue;
        for (int k = 0; k < sink->n_tasks; k++)
            if (sink->tasks[k]->child && !sink->tasks[k]->said_failed)
                tg__task_stop(sink->tasks[k], b->worker->stop_timeout_ms,
                              TG_NEXT_START);
    }
}

/* -------------------------------------------------------------- the child */

/* All that may start now are found before the first one starts, and begin with
 * nothing written: one whose turn comes late would stop the others again. */
static void start_held(tg_embedded_broker *b)
{
    tg_worker *w = b->worker;
    for (int i = 0; i < w->n_connectors; i++)
        for (int k = 0; k < w->connectors[i]->n_tasks; k++) {
            tg_run_task *task = w->connectors[i]->tasks[k];
            if (!task->held || !tg__embedded_may_start(task))
                continue;
            task->held = false;
            json_array_clear(task->writes);
            tg__task_start_soon(task);
        }
}

/* Topics wait for all plans: until then it is not known who reads them, and a
 * sink that is left out loses what the others have committed. */
static void go_on(tg_embedded_broker *b)
{
    if (tg__herder_planned(b->worker) && !tg__embedded_prepare(b))
        return;
    b->worker->broker_ready = true;
    tg__herder_go_on(b->worker);
    start_held(b);
}

static void on_topic_ok(tg_embedded_broker *b, const json_t *msg)
{
    const char *name = json_string_value(json_object_get(msg, "topic"));
    const char *error = json_string_value(json_object_get(msg, "error"));
    topic *t = name ? find_topic(b, name) : NULL;
    tg_worker *w = b->worker;
    if (!t)
        return;
    if (error)
        tg_error("embedded", "the topic %s cannot be made: %s", name, error);
    t->ready = true;
    tg__set_text(&t->error, error);
    for (int i = 0; i < w->n_connectors; i++)
        for (int k = 0; k < w->connectors[i]->n_tasks; k++) {
            tg_run_task *task = w->connectors[i]->tasks[k];
            if (!task->child || task->broker_life != b->life)
                continue;
            if (writes_to(task, name))
                answer_writer(task, t);
            else if (among(task->needs, name))
                send_ok(task, t);
        }
    deal_again(b, t);
    go_on(b);
}

static void on_up(tg_embedded_broker *b, const json_t *msg)
{
    const char *bootstrap =
        json_string_value(json_object_get(msg, "bootstrap"));
    if (!bootstrap)
        return;
    tg__set_text(&b->bootstrap, bootstrap);
    tg__set_text(&b->worker->cluster_id, "embedded");
    tg_info("embedded", "the embedded broker listens on %s", bootstrap);
    if (!b->explained)
        tg_info("embedded",
                "it keeps records in memory, a few MB a partition, while they "
                "are on their way from a source to the sinks; use a Kafka "
                "cluster to keep them");
    b->explained = b->was_up = true;
    go_on(b);
}

static void on_message(void *ctx, json_t *msg)
{
    tg_embedded_broker *b = ctx;
    const char *op = json_string_value(json_object_get(msg, "op"));
    const char *error = json_string_value(json_object_get(msg, "error"));
    if (op && strcmp(op, "up") == 0 && error)
        tg_error("embedded", "the embedded broker cannot start: %s", error);
    else if (op && strcmp(op, "up") == 0)
        on_up(b, msg);
    else if (op && strcmp(op, "topic.ok") == 0)
        on_topic_ok(b, msg);
}

/* Every process talks to a broker that is gone: away with them, at once. They
 * start again when the next one is up. */
static void kill_clients(tg_embedded_broker *b)
{
    tg_worker *w = b->worker;
    int64_t now = tg__now_ns();
    for (int i = 0; i < w->n_connectors; i++)
        for (int k = 0; k < w->connectors[i]->n_tasks; k++) {
            tg_run_task *task = w->connectors[i]->tasks[k];
            json_array_clear(task->writes);
            bool its_fault =
                task->state == TG_STATE_FAILED &&
                !(task->retriable &&
                  now - task->failed_ns < JUST_FAILED_S * 1000000000LL);
            if (task->child)
                tg__task_kill(task, its_fault ? TG_NEXT_IDLE : TG_NEXT_START);
            else if (task->state == TG_STATE_FAILED && !its_fault)
                task->held = true; /* it only saw the broker die first */
        }
}

static void on_again(uv_timer_t *timer)
{
    tg__embedded_start(timer->data);
}

static void on_exited(void *ctx, const tg_child_exit *how)
{
    tg_embedded_broker *b = ctx;
    tg_worker *w = b->worker;
    b->child = NULL;
    tg__set_text(&b->bootstrap, NULL);
    w->broker_ready = false;
    forget_topics(b);
    if (w->stopping) {
        tg__worker_stop_step(w);
        return;
    }
    if (!b->was_up) {
        tg__worker_fatal(w, 1,
                         "the embedded broker did not start (exit code %d, "
                         "signal %d); the lines above may tell why",
                         how->code, how->signal);
        return;
    }
    if (tg__now_ns() - b->started_ns > 10 * 1000000000LL)
        b->failures = 0;
    int64_t pause = AGAIN_MS;
    for (int i = 0; i < b->failures && pause < AGAIN_MAX_MS; i++)
        pause *= 2;
    b->failures++;
    tg_warn("embedded",
            "the embedded broker is gone (exit code %d, signal %d): a new one "
            "starts in %lld ms, sources go back to what the sinks have "
            "committed",
            how->code, how->signal, (long long)pause);
    kill_clients(b);
    uv_timer_start(b->timer, on_again, (uint64_t)pause, 0);
}

void tg__embedded_start(tg_embedded_broker *b)
{
    tg_err err = {0};
    tg_child_hooks hooks = {on_message, on_exited, b};
    if (b->child || b->worker->stopping)
        return;
    b->life++;
    b->started_ns = tg__now_ns();
    b->child = tg__child_start(&b->worker->loop, b->worker->exe, "broker", NULL,
                               -1, &hooks, &err);
    if (!b->child)
        tg__worker_fatal(b->worker, 1, "the embedded broker has no process: %s",
                         err.text);
}

/* It keeps nothing that is worth a polite end. */
void tg__embedded_stop(tg_embedded_broker *b)
{
    uv_timer_stop(b->timer);
    if (b->child)
        tg__child_kill(b->child, SIGKILL, NULL);
}

bool tg__embedded_running(const tg_embedded_broker *b)
{
    return b->child != NULL;
}

tg_embedded_broker *tg__embedded_new(tg_worker *worker)
{
    tg_embedded_broker *b = tg_calloc(sizeof *b);
    tg_err err = {0};
    int64_t n = 1;
    b->worker = worker;
    if (tg_config_int(worker->config, "embedded.topic.partitions", 1, 1, 100,
                      &n, &err) != TG_OK)
        tg_warn("embedded", "%s; 1 is used", err.text);
    b->partitions = err.code ? 1 : (int)n;
    b->timer = tg_calloc(sizeof *b->timer);
    uv_timer_init(&worker->loop, b->timer);
    b->timer->data = b;
    return b;
}

static void timer_closed(uv_handle_t *handle)
{
    tg_free(handle);
}

void tg__embedded_free(tg_embedded_broker *b)
{
    if (!b)
        return;
    uv_close((uv_handle_t *)b->timer, timer_closed);
    forget_topics(b);
    tg_free(b->bootstrap);
    tg_free(b);
}

/* ------------------------------------------------------------------- tasks */

static json_t *deal(tg_embedded_broker *b, const tg_run_task *task)
{
    json_t *mine = json_array();
    int n = 0, tasks = task->connector->n_tasks;
    for (int i = 0; i < b->n_topics; i++) {
        if (!reads(task->connector, b->topics[i].name))
            continue;
        for (int p = 0; p < b->topics[i].partitions; p++)
            if (n++ % tasks == task->id)
                json_array_append_new(
                    mine, json_pack("[s, i]", b->topics[i].name, p));
    }
    return mine;
}

json_t *tg__embedded_task(tg_embedded_broker *b, const tg_run_task *task)
{
    tg_worker *w = b->worker;
    size_t sources = 0;
    for (int i = 0; i < w->n_connectors; i++)
        if (w->connectors[i]->type == TG_SOURCE)
            sources += json_array_size(w->connectors[i]->task_configs);
    sources = sources ? sources : 1;
    json_t *o = json_pack("{s:s, s:i, s:i}", "bootstrap", b->bootstrap,
                          "window", (int)(WINDOW_BYTES / sources),
                          "max_records", (int)(WINDOW_RECORDS / sources));
    if (!tg__task_is_source(task))
        json_object_set_new(o, "assign", deal(b, task));
    return o;
}

static bool shares_topic(const tg_run_task *a, const tg_run_task *other)
{
    size_t i;
    json_t *one;
    json_array_foreach(
        a->writes, i,
        one) if (writes_to(other, json_string_value(one))) return true;
    return false;
}

bool tg__embedded_may_start(tg_run_task *task)
{
    tg_worker *w = task->connector->worker;
    tg_embedded_broker *b = w->embedded;
    bool may = true;
    if (!b->bootstrap || !w->broker_ready)
        return false;
    for (int i = 0; i < w->n_connectors; i++)
        for (int k = 0; k < w->connectors[i]->n_tasks; k++) {
            tg_run_task *other = w->connectors[i]->tasks[k];
            if (other == task || !other->child || !shares_topic(task, other))
                continue;
            may = false;
            if (other->next == TG_NEXT_NONE && !other->said_failed)
                tg__task_stop(other, w->stop_timeout_ms, TG_NEXT_START);
        }
    if (may)
        task->broker_life = b->life;
    return may;
}

void tg__embedded_task_gone(tg_run_task *task)
{
    if (!task->connector->worker->stopping)
        start_held(task->connector->worker->embedded);
}

void tg__embedded_waits_for(const tg_run_task *task, char *out, size_t size)
{
    tg_embedded_broker *b = task->connector->worker->embedded;
    out[0] = 0;
    for (int i = 0; i < b->n_topics; i++) {
        const topic *t = &b->topics[i];
        if (!writes_to(task, t->name))
            continue;
        for (int r = 0; r < t->n_readers; r++) {
            const tg_connector *sink = t->readers[r].sink;
            if (sink->n_tasks == 0)
                snprintf(out, size, "sink %s (%s)", sink->name,
                         tg_state_name(sink->state));
            for (int k = 0; k < sink->n_tasks; k++)
                if (sink->tasks[k]->state != TG_STATE_RUNNING)
                    snprintf(out, size, "sink task %s (%s)",
                             sink->tasks[k]->name,
                             tg_state_name(sink->tasks[k]->state));
        }
    }
}
