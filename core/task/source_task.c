/*
 * Source task: poll -> chain -> producer, and the report of what may be stored.
 *
 *   take messages -> commit if due -> (paused? wait) -> window full? wait for
 *   reports -> poll into a batch of the pool -> chain -> send -> again
 *
 * Nothing waits inside a poll longer than the connector asks for: a full
 * producer queue or window slows the poll down. Offsets go to the supervisor
 * every offset.flush.interval.ms, when it asks, and at the end.
 *
 * Threads: the task's. librdkafka's own threads do the network.
 */
#include "task/source.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "host/services.h"
#include "task/settings.h"

static const char MOD[] = "source";

enum {
    IDLE_MS = 1000,   /* longest wait without a turn of the loop */
    REPORT_MS = 10,   /* slice of a wait while reports are to come */
    BACKOFF_MS = 100, /* first wait after a retriable error in poll */
    BACKOFF_MAX_MS = 10000,
    LETTERS_MS = 500, /* to the next try to commit behind dead letters */
    RELEASE_PATIENCE_MS = 1000 /* at stop, since the last release */
};

/* --- offsets ------------------------------------------------------------- */

typedef struct collect {
    json_t *list;
    int bad;
} collect;

static void collect_offset(void *ctx, int32_t partition, int64_t offset,
                           const char *json, uint32_t jsonlen)
{
    collect *c = ctx;
    const char *name = NULL;
    const char *text = tg_partition_text(partition, &name);
    json_t *where = text ? json_loads(text, 0, NULL) : NULL;
    json_t *what =
        json ? json_loadb(json, jsonlen, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL)
             : json_pack("{s:I}", name ? name : "offset", (json_int_t)offset);

    if (where && what) {
        json_t *pair = json_array();
        json_array_append(pair, where);
        json_array_append(pair, what);
        json_array_append_new(c->list, pair);
    } else {
        c->bad++;
    }
    json_decref(where);
    json_decref(what);
}

/* Offsets may pass what failed only when Kafka has the dead letters. */
static bool letters_written(tg__source *s)
{
    tg_dead_letters *dead = s->task->policy.dead;
    int ms = tg__task_stop_left(s->task, (int)s->task->flush_timeout_ms);
    tg_err err = {0};
    int rc = tg_dead_letters_settle(dead, ms, &err);

    if (rc == 0)
        return true;
    tg_page_add(s->task->page->commit_failures, 1);
    tg_warn(MOD, "Offsets are not committed: %s%s",
            rc == 1 ? "dead letters wait for topic " : err.text,
            rc == 1 ? tg_dead_letters_topic(dead) : "");
    s->task->commit_asked = false;
    s->next_commit_ns = tg_clock_ns() + LETTERS_MS * 1000000LL;
    return false;
}

void tg__source_commit(tg__source *s, bool tell)
{
    collect c = {0};
    tg_page *page = s->task->page;
    tg_err err = {0};

    tg__task_at(s->task, TG_AT_COMMIT);
    if (!letters_written(s))
        return;
    c.list = json_array();
    tg_offset_tracker_take(s->tracker, collect_offset, &c);
    if (c.bad) {
        tg_page_add(page->commit_failures, 1);
        tg_warn(MOD,
                "%d offsets of the connector are no JSON and were not "
                "stored: those records are polled again after a restart",
                c.bad);
    }
    if (json_array_size(c.list) > 0)
        tg_control_send(
            s->task->control,
            json_pack("{s:s, s:O}", "op", "offsets", "offsets", c.list));
    json_decref(c.list);
    if (tell && tg_instance_commit(s->task->instance, &err) != 0) {
        tg_page_add(page->commit_failures, 1);
        tg_warn(MOD, "The connector's commit failed: %s", err.text);
    }
    tg_page_add(page->commits, 1);
    tg_page_set(page->last_commit_ms, tg_clock_wall_ms());
    s->task->commit_asked = false;
    s->next_commit_ns = tg_clock_ns() + s->task->flush_interval_ms * 1000000;
}

bool tg__source_commit_due(const tg__source *s)
{
    return s->task->commit_asked || tg_clock_ns() >= s->next_commit_ns;
}

/* --- messages ------------------------------------------------------------ */

static bool on_message(void *ctx, const char *op, const json_t *msg)
{
    tg__source *s = ctx;

    if (strcmp(op, "released") == 0) {
        const char *topic = json_string_value(json_object_get(msg, "topic"));
        const json_t *offset = json_object_get(msg, "offset");
        if (topic && json_is_integer(offset) &&
            tg_offset_tracker_release(
                s->tracker, topic,
                (int32_t)json_integer_value(json_object_get(msg, "partition")),
                json_integer_value(offset)))
            s->released_ns = tg_clock_ns();
        return true;
    }
    if (strcmp(op, "topic.ok") == 0) {
        tg_topics_answer(s->topics, msg);
        return true;
    }
    return false;
}

/* --- waiting ------------------------------------------------------------- */

static bool woken(const tg__source *s)
{
    return s->failed || tg_control_pending(s->task->control) ||
           s->task->reload.due || s->task->reload.renew ||
           tg__task_stopping(s->task);
}

static int ms_to_commit(const tg__source *s)
{
    int64_t ms = (s->next_commit_ns - tg_clock_ns()) / 1000000 + 1;

    return ms < 0 ? 0 : ms > IDLE_MS ? IDLE_MS : (int)ms;
}

/* Waits up to ms, serving delivery reports; ends early for messages and when
 * `room` was asked for and the window has room again. */
static void wait_ms(tg__source *s, int ms, bool room)
{
    int64_t end;
    int left = ms_to_commit(s);

    if (ms > left)
        ms = left;
    ms = tg__task_ms_to_timer(s->task, ms);
    end = tg_clock_ns() + (int64_t)ms * 1000000;
    tg__task_at(s->task, TG_AT_IDLE);
    for (;;) {
        left = (int)((end - tg_clock_ns() + 999999) / 1000000);
        if (left <= 0 || woken(s))
            break;
        if (room && tg_offset_tracker_room(s->tracker, 1, 1))
            break;
        if (tg_producer_outstanding(s->producer) > 0)
            tg__source_serve(s, left < REPORT_MS ? left : REPORT_MS);
        else
            tg__task_control(s->task, left);
    }
    tg__task_heartbeat(s->task);
}

/* --- polling ------------------------------------------------------------- */

static int poll_failed(tg__source *s, uint32_t n, int *backoff, tg_err *err)
{
    if (err->code == TG_ERR_STOPPED && tg__task_stopping(s->task))
        return 0;
    if (err->retriable && !err->fatal && n == 0) {
        tg_warn(MOD, "Poll failed and is tried again in %d ms: %s", *backoff,
                err->text);
        tg_page_add(s->task->page->retries, 1);
        wait_ms(s, *backoff, false);
        *backoff =
            *backoff * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : *backoff * 2;
        return 0;
    }
    if (err->retriable && n > 0)
        tg_err_trace(err,
                     "poll had appended %u records before it failed: they are "
                     "polled again after a restart",
                     n);
    tg_err_prefix(err, "Source connector %s, task %d: poll failed",
                  s->task->name, s->task->id);
    tg_err_suffix(err, "; see to what the source reads and restart the task");
    return err->code;
}

static void count_polled(tg__source *s, const tg_batch *batch)
{
    tg_page *page = s->task->page;
    int64_t now = tg_clock_wall_ms();

    tg_page_set(page->last_poll_ms, now);
    tg_page_set(page->lag, tg_instance_lag(s->task->instance));
    tg_page_set(page->lua_bytes, (int64_t)tg_vm_memory(s->task->vm));
    if (batch->n == 0)
        return;
    tg__task_busy(s->task);
    tg_page_set(page->last_record_ms, now);
    tg_page_add(page->records_in, batch->n);
    tg_page_add(page->bytes_in, (int64_t)batch->bytes);
    tg_page_add(page->batches, 1);
}

static int chain_and_send(tg__source *s, tg__source_batch *sb, tg_err *err)
{
    int rc = tg__source_cook(s, sb, err);

    if (rc == 0)
        return tg__source_send(s, sb, err);
    tg__source_give(s, sb);
    if (rc != TG_ERR_STOPPED)
        tg_err_prefix(err, "Source connector %s, task %d", s->task->name,
                      s->task->id);
    return rc;
}

/* --- reloading ----------------------------------------------------------- */

static bool same_partition(const json_t *a, const json_t *b)
{
    return json_equal(json_array_get(a, 0), json_array_get(b, 0));
}

/* Where a new instance of the connector goes on: behind everything that was
 * polled, acknowledged or not. New array of [partition, offset]. */
static json_t *newest_offsets(tg__source *s)
{
    collect c = {.list = json_array()};
    const json_t *stored;
    size_t i;

    tg_offset_tracker_newest(s->tracker, collect_offset, &c);
    json_array_foreach(s->task->offsets, i, stored)
    {
        const json_t *pair;
        size_t k, n = json_array_size(c.list);
        bool newer = false;
        for (k = 0; k < n && !newer; k++) {
            pair = json_array_get(c.list, k);
            newer = same_partition(pair, stored);
        }
        if (!newer)
            json_array_append(c.list, (json_t *)(uintptr_t)stored);
    }
    return c.list;
}

/* The connector's script has changed. */
static int renew(tg__source *s, tg_err *err)
{
    json_t *offsets = newest_offsets(s);
    int rc = tg__reload_renew(s->task, offsets, NULL, err);

    json_decref(offsets);
    if (rc)
        tg_err_prefix(err, "Source connector %s, task %d", s->task->name,
                      s->task->id);
    return rc;
}

/* A poll of a new version that has not given a record yet. 0: the version
 * before is back. */
static int trial_failed(tg__source *s, tg_err *err)
{
    json_t *offsets = newest_offsets(s);
    tg_err why = *err;
    int rc = tg__reload_revert(s->task, &why, offsets, NULL, err);

    json_decref(offsets);
    return rc;
}

/* One poll. 0, also when nothing came; TG_ERR_*. */
static int turn(tg__source *s, int *backoff, tg_err *err)
{
    tg__source_batch *sb = tg__source_take(s);
    int64_t start = tg_clock_ns();
    int wait;

    tg__task_at(s->task, TG_AT_POLL);
    wait = tg_instance_poll(s->task->instance, sb->batch, err);
    tg_page_add(s->task->page->ns_poll, tg_clock_ns() - start);
    count_polled(s, sb->batch);
    if (wait < 0) {
        uint32_t n = sb->batch->n;
        tg__source_give(s, sb);
        if (s->task->reload.trial && !tg__task_vm_gone(wait, err) &&
            !err->retriable && err->code != TG_ERR_STOPPED)
            return trial_failed(s, err);
        return poll_failed(s, n, backoff, err);
    }
    *backoff = BACKOFF_MS;
    if (s->task->reload.trial && sb->batch->n > 0)
        tg__reload_proven(s->task);
    if (tg_control_pending(s->task->control))
        tg__task_control(s->task, 0);
    if (s->task->reload.due) /* saved during the poll: these are its records */
        tg__task_between(s->task);
    if (sb->batch->n > 0)
        return chain_and_send(s, sb, err);
    tg__source_give(s, sb);
    if (tg__task_idle(s->task)) {
        tg__source_trim(s);
        tg__task_trim();
    }
    if (wait > 0)
        wait_ms(s, wait, false);
    return 0;
}

static int loop(tg__source *s, tg_err *err)
{
    int backoff = BACKOFF_MS, rc = 0;

    while (rc == 0 && !tg__task_stopping(s->task)) {
        tg__source_serve(s, 0);
        if (s->failed) {
            *err = s->failure;
            return err->code;
        }
        if (tg__source_commit_due(s))
            tg__source_commit(s, true);
        if (s->task->reload.renew)
            rc = renew(s, err);
        if (rc)
            break;
        tg__task_between(s->task);
        if (s->task->paused)
            wait_ms(s, IDLE_MS, false);
        else if (!tg_offset_tracker_room(s->tracker, 1, 1))
            wait_ms(s, IDLE_MS, true);
        else
            rc = turn(s, &backoff, err);
    }
    return tg__task_outcome(s->task, rc);
}

/* --- life ---------------------------------------------------------------- */

/* Waits for reports, and on the embedded broker for releases while they keep
 * coming, within the time for stopping. */
static void drain(tg__source *s)
{
    int64_t now = tg_clock_ns();
    int64_t end = now + (int64_t)tg__task_stop_left(
                            s->task, (int)s->task->flush_timeout_ms) *
                            1000000;

    s->released_ns = now;
    while (!tg_offset_tracker_idle(s->tracker) && now < end) {
        int64_t since;
        if (tg_offset_tracker_unacked(s->tracker) == 0) {
            since = (now - s->released_ns) / 1000000;
            if (since > RELEASE_PATIENCE_MS)
                break;
            tg__task_control(s->task, 20);
        } else if (tg_producer_outstanding(s->producer) == 0) {
            break; /* segments that a failure left open */
        } else {
            tg__source_serve(s, REPORT_MS);
        }
        tg__task_heartbeat(s->task);
        now = tg_clock_ns();
    }
    if (tg_offset_tracker_unacked(s->tracker) > 0)
        tg_warn(MOD,
                "%lld records were not acknowledged by Kafka before the task "
                "stopped; they are polled again when it starts",
                (long long)tg_offset_tracker_unacked(s->tracker));
}

static int start_producer(tg__source *s, tg_err *err)
{
    tg_client_scope scope = tg__task_scope(s->task);
    json_t *config = tg_client_config_producer(&scope, err);

    if (config)
        s->producer = tg_producer_new(config, tg__source_delivered, s, err);
    json_decref(config);
    if (s->producer)
        return 0;
    tg_err_prefix(err, "Source connector %s, task %d", s->task->name,
                  s->task->id);
    return err->code;
}

/* The window: memory for records in flight, or what the embedded broker keeps.
 * There a batch goes out in slices of a quarter of it. */
static int start_tracker(tg__source *s, tg_err *err)
{
    const json_t *e = s->task->embedded;
    int64_t bytes, records = INT64_MAX / 2;

    if (tg__setting_int(s->task->worker, s->task->config,
                        "tidegate.source.inflight.bytes", 32 << 20, 1 << 16,
                        (int64_t)1 << 40, &bytes, err))
        return TG_ERR_CONFIG;
    s->batch_max = TG_SOURCE_BATCH;
    if (e) {
        int64_t window = json_integer_value(json_object_get(e, "window"));
        int64_t most = json_integer_value(json_object_get(e, "max_records"));
        bytes = window > 0 ? window : 4 << 20;
        records = most > 0 ? most : 50000;
        s->slice_bytes = bytes / 4;
        s->slice_records = records / 4 > 0 ? records / 4 : 1;
        if (s->batch_max > s->slice_records)
            s->batch_max = (uint32_t)s->slice_records;
    }
    s->tracker = tg_offset_tracker_new(bytes, records, e != NULL);
    return 0;
}

static void stop_instance(tg__source *s)
{
    tg_err err = {0};

    tg__task_at(s->task, TG_AT_STOP);
    if (tg_instance_stop(s->task->instance, &err) != 0)
        tg_warn(MOD, "The connector's stop failed: %s", err.text);
}

static void end(tg__source *s)
{
    s->closing = true;
    if (s->producer)
        tg_producer_free(s->producer, 0);
    tg__source_free_batches(s);
    tg_offset_tracker_free(s->tracker);
    tg_topics_free(s->topics);
}

int tg__source_task_run(tg_task *task, tg_err *err)
{
    tg__source s = {.task = task};
    int rc = start_tracker(&s, err);

    if (rc == 0 && !(s.topics = tg_topics_new(task, err)))
        rc = err->code;
    task->on_message = on_message;
    task->ctx = &s;
    if (rc == 0)
        rc = start_producer(&s, err);
    if (rc == 0)
        rc = tg__task_start_instance(task, err);
    if (rc == 0) {
        s.next_commit_ns = tg_clock_ns() + task->flush_interval_ms * 1000000;
        rc = loop(&s, err);
        drain(&s);
        tg__source_commit(&s, !tg__task_vm_gone(rc, err));
        if (rc)
            tg__task_report_failed(task, err);
        if (!tg__task_vm_gone(rc, err))
            stop_instance(&s);
    }
    end(&s);
    task->on_message = NULL;
    return tg__task_outcome(task, rc);
}
