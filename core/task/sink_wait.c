/*
 * How a sink task waits while its chain has something to try again: the
 * consumer is paused and polled, so that the membership in the group lives;
 * offsets of what was put before are committed when it is time; a stop ends it.
 *
 * The batch that waits is in s->cooking, where a rebalance finds it. What the
 * paused consumer still hands out is kept in s->raw.
 *
 * The task's thread.
 */
#include "base/log.h"
#include "host/services.h"
#include "task/settings.h"
#include "task/sink.h"

static const char MOD[] = "sink";

enum { SLICE_MS = 100, RAW_MAX = 8 };

static void keep_raw(tg__sink *s, tg__sink_batch *sb)
{
    tg_page *page = s->task->page;

    tg__sink_offsets_polled(&s->offsets, sb->batch);
    tg_page_add(page->records_in, sb->batch->n);
    tg_page_add(page->bytes_in, (int64_t)sb->batch->bytes);
    tg_page_add(page->batches, 1);
    if (s->raw_tail)
        s->raw_tail->next = sb;
    else
        s->raw = sb;
    s->raw_tail = sb;
}

static int poll_paused(tg__sink *s, int ms, tg_err *err)
{
    const tg_chain *chain = s->task->chain;
    tg__sink_batch *sb;
    int depth = 0, n;

    if (tg_consumer_pause(s->consumer, true, err))
        return err->code;
    for (sb = s->raw; sb; sb = sb->next)
        depth++;
    sb = tg__sink_take(s);
    if (depth >= RAW_MAX)
        sb->batch->max = 1;
    n = tg_consumer_poll(s->consumer, sb->batch, ms, 0, tg_chain_key(chain),
                         tg_chain_value(chain), tg_chain_header(chain), err);
    if (n > 0)
        keep_raw(s, sb);
    else
        tg__sink_give(s, sb);
    if (s->failed) {
        *err = s->failure;
        return err->code;
    }
    if (n < 0 && err->retriable && !err->fatal) {
        tg_warn(MOD, "Consuming is tried again: %s", err->text);
        tg__task_control(s->task, ms);
        return 0;
    }
    return n < 0 ? n : 0;
}

static int slice(tg__sink *s, int ms, tg_err *err)
{
    tg_task *task = s->task;
    int rc;

    tg__task_heartbeat(task);
    if (tg_control_pending(task->control))
        tg__task_control(task, 0);
    if (tg__task_stopping(task))
        return tg_err_set(err, TG_ERR_STOPPED, "the task stops");
    rc = tg_dead_letters_serve(task->policy.dead, err);
    if (rc == 0 && (task->commit_asked || tg_clock_ns() >= s->next_commit_ns))
        rc = tg__sink_commit(s, false, err);
    tg__task_at(task, TG_AT_IDLE);
    return rc ? rc : poll_paused(s, ms, err);
}

int tg__sink_wait(void *ctx, int64_t ms, tg_err *err)
{
    tg__sink *s = ctx;
    int64_t end = tg_clock_ns() + ms * 1000000;
    int rc;

    do {
        int64_t left = (end - tg_clock_ns()) / 1000000;
        rc = slice(s,
                   left < 0          ? 0
                   : left < SLICE_MS ? (int)left
                                     : SLICE_MS,
                   err);
    } while (rc == 0 && tg_clock_ns() < end);
    return rc;
}
