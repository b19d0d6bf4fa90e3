/*
 * Commits of a sink task: flush first, then the offsets of what was put. On a
 * rebalance exactly the revoked partitions are committed before they go. A
 * retriable flush error sets the consumer back to what was committed last, as
 * Kafka Connect does: what the connector had buffered may be gone, so it is
 * read again.
 *
 * The task's thread; hooks run inside tg_consumer_poll and tg_consumer_assign.
 */
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "host/services.h"
#include "task/sink.h"

static const char MOD[] = "sink";

enum { RETRY_COMMIT_MS = 500, LEAST_COMMIT_MS = 200 };

static json_t *parts_json(const tg_partition *parts, int n)
{
    json_t *list = json_array();

    for (int i = 0; i < n; i++)
        json_array_append_new(
            list, json_pack("[s, i]", parts[i].topic, parts[i].partition));
    return list;
}

/* The broker has it: tells the supervisor. */
static void report_sunk(tg__sink *s, const tg_partition *parts, int n)
{
    json_t *list;

    if (!s->task->embedded)
        return;
    list = json_array();
    for (int i = 0; i < n; i++)
        if (parts[i].offset >= 0)
            json_array_append_new(list, json_pack("[s, i, I]", parts[i].topic,
                                                  parts[i].partition,
                                                  (json_int_t)parts[i].offset));
    tg_control_send(s->task->control,
                    json_pack("{s:s, s:o}", "op", "sunk", "offsets", list));
}

static void answered(tg__sink *s, const tg_partition *parts, int n,
                     const tg_err *err)
{
    tg_page *page = s->task->page;

    for (int i = 0; i < n; i++)
        tg__sink_offsets_answer(&s->offsets, parts[i].topic, parts[i].partition,
                                parts[i].offset, err == NULL);
    if (err) {
        tg_page_add(page->commit_failures, 1);
        tg_warn(MOD, "A commit of offsets failed and is tried again: %s",
                err->text);
        s->next_retry_commit_ns = tg_clock_ns() + RETRY_COMMIT_MS * 1000000LL;
        return;
    }
    tg_page_add(page->commits, 1);
    tg_page_set(page->last_commit_ms, tg_clock_wall_ms());
    report_sunk(s, parts, n);
}

/* --- flush --------------------------------------------------------------- */

/* Back to what is committed: everything behind it is read again. */
static int rewind_all(tg__sink *s, tg_err *err)
{
    for (int i = 0; i < s->offsets.n; i++) {
        tg__sink_part *p = &s->offsets.parts[i];
        int64_t to = p->committed >= 0 ? p->committed : p->start;
        int rc;
        if (to < 0)
            continue; /* nothing was read of it */
        rc = tg_consumer_seek(s->consumer, p->topic, p->partition, to, err);
        if (rc)
            return rc;
        p->processed = -1;
        p->requested = -1;
    }
    tg__sink_drop_queue(s);
    s->unflushed = false;
    s->uncommitted_bytes = s->uncommitted_records = 0;
    return 0;
}

/* 0: durable. 1: it failed for now, nothing may be committed. TG_ERR_*: the
 * task fails. */
static int flush(tg__sink *s, bool may_rewind, tg_err *err)
{
    int rc;

    if (!s->unflushed)
        return 0;
    tg__task_at(s->task, TG_AT_FLUSH);
    tg_task_take_told();
    rc = tg_instance_flush(s->task->instance, err);
    if (rc == 0 && tg_task_take_told())
        rc = tg_err_set(err, TG_ERR_STOPPED, "the task stops");
    if (rc == 0) {
        s->unflushed = false;
        return 0;
    }
    tg_page_add(s->task->page->commit_failures, 1);
    s->next_retry_commit_ns = tg_clock_ns() + RETRY_COMMIT_MS * 1000000LL;
    if (rc == TG_ERR_STOPPED)
        return 1;
    if (err->retriable && !err->fatal && may_rewind) {
        tg_warn(MOD,
                "Flush failed; the records since the last commit are read and "
                "put again: %s",
                err->text);
        rc = rewind_all(s, err);
        return rc ? rc : 1;
    }
    tg_err_prefix(err, "Sink connector %s, task %d: flush failed",
                  s->task->name, s->task->id);
    tg_err_suffix(err, "; see to what the sink writes to and restart the task: "
                       "it goes on behind the last commit");
    return rc;
}

/* --- commit -------------------------------------------------------------- */

static int commit_parts(tg__sink *s, bool sync, const tg_partition *only,
                        int nonly)
{
    tg_partition *parts = tg_alloc(((size_t)s->offsets.n + 1) * sizeof *parts);
    int n = tg__sink_offsets_take(&s->offsets, parts, only, nonly);
    int ms = tg__task_stop_left(s->task, (int)s->task->flush_timeout_ms);
    tg_err err = {0};
    int rc = 0;

    if (n > 0) {
        tg__task_at(s->task, TG_AT_COMMIT);
        rc = tg_consumer_commit(s->consumer, parts, n, sync,
                                ms > LEAST_COMMIT_MS ? ms : LEAST_COMMIT_MS,
                                &err);
        if (rc || sync)
            answered(s, parts, n, rc ? &err : NULL);
    }
    tg_free(parts);
    return rc;
}

/* Offsets may pass what failed only when Kafka has the dead letters. 0; 1: not
 * yet; TG_ERR_*: never, the task fails. */
static int await_letters(tg__sink *s, tg_err *err)
{
    int ms = tg__task_stop_left(s->task, (int)s->task->flush_timeout_ms);
    int rc = tg_dead_letters_settle(s->task->policy.dead, ms, err);

    if (rc != 1)
        return rc;
    tg_page_add(s->task->page->commit_failures, 1);
    tg_warn(MOD,
            "Offsets are not committed while dead letters wait for topic "
            "%s",
            tg_dead_letters_topic(s->task->policy.dead));
    s->next_retry_commit_ns = tg_clock_ns() + RETRY_COMMIT_MS * 1000000LL;
    return 1;
}

int tg__sink_commit(tg__sink *s, bool sync, tg_err *err)
{
    int rc = flush(s, !s->closing, err);
    int64_t pause_ms = s->task->flush_interval_ms;

    if (rc == 0) {
        rc = await_letters(s, err);
        if (rc == 1 && pause_ms > RETRY_COMMIT_MS)
            pause_ms = RETRY_COMMIT_MS;
    }

    s->task->commit_asked = false;
    s->next_commit_ns = tg_clock_ns() + pause_ms * 1000000;
    if (rc)
        return rc < 0 ? rc : 0;
    s->uncommitted_bytes = s->uncommitted_records = 0;
    commit_parts(s, sync, NULL, 0);
    return 0;
}

/* --- hooks of the consumer ----------------------------------------------- */

static void fail(tg__sink *s, const tg_err *err)
{
    if (s->failed)
        return;
    s->failed = true;
    s->failure = *err;
}

static void on_assigned(void *ctx, const tg_partition *parts, int n)
{
    tg__sink *s = ctx;
    json_t *list;
    tg_err err = {0};

    if (n == 0 || s->closing)
        return;
    for (int i = 0; i < n; i++) {
        tg_debug(MOD, "Assigned %s-%d at offset %lld", parts[i].topic,
                 parts[i].partition, (long long)parts[i].offset);
        tg__sink_offsets_assign(&s->offsets, parts[i].topic, parts[i].partition,
                                parts[i].offset);
    }
    list = parts_json(parts, n);
    if (tg_instance_open(s->task->instance, list, &err) != 0) {
        tg_err_prefix(&err, "Sink connector %s, task %d: open failed",
                      s->task->name, s->task->id);
        fail(s, &err);
    }
    json_decref(list);
}

static void on_revoked(void *ctx, const tg_partition *parts, int n, bool lost)
{
    tg__sink *s = ctx;
    json_t *list;
    tg_err err = {0};
    int rc = 0;

    if (n == 0 || s->closing)
        return;
    if (!lost) {
        rc = flush(s, false, &err);
        if (rc == 0)
            rc = await_letters(s, &err);
        if (rc == 0)
            commit_parts(s, true, parts, n);
        else if (rc < 0)
            fail(s, &err);
    }
    tg__sink_forget(s, parts, n);
    list = parts_json(parts, n);
    if (tg_instance_close(s->task->instance, list, &err) != 0)
        tg_warn(MOD, "The connector's close failed: %s", err.text);
    json_decref(list);
    for (int i = 0; i < n; i++)
        tg__sink_offsets_remove(&s->offsets, parts[i].topic,
                                parts[i].partition);
}

static void on_committed(void *ctx, const tg_partition *parts, int n,
                         const tg_err *err)
{
    answered(ctx, parts, n, err);
}

const tg_consumer_hooks tg__sink_hooks = {
    .assigned = on_assigned, .revoked = on_revoked, .committed = on_committed};
