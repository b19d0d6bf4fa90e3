/*
 * Puts of a sink task. A polled batch runs through the chain, then stands in a
 * queue until all of it was put; usually that is one put. Records that put
 * marked "retry", or all that are left when it raised a retriable error, are
 * put again after a pause in which the consumer is paused and still polled.
 *
 * How a record can leave, all of them explicit: put took it; a script dropped
 * it; a tolerated error; its partition was taken away (another task reads it
 * again: TG_UNPROCESSED, never counted). Anything else keeps the offsets of the
 * whole batch from being counted.
 *
 * The task's thread.
 */
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "host/services.h"
#include "task/sink.h"

static const char MOD[] = "sink";

enum { BACKOFF_MS = 300, BACKOFF_MAX_MS = 60000, BATCH_LIMIT = 512 << 20 };

/* --- batches ------------------------------------------------------------- */

tg__sink_batch *tg__sink_take(tg__sink *s)
{
    tg__sink_batch *sb = s->pool;

    if (sb) {
        s->pool = sb->next;
    } else {
        sb = tg_calloc(sizeof *sb);
        sb->batch = tg_batch_new(s->batch_max, BATCH_LIMIT);
        sb->batch->owner = sb;
    }
    sb->next = NULL;
    sb->todo = 0;
    sb->fails = false;
    sb->retry_ns = 0;
    sb->backoff_ms = BACKOFF_MS;
    sb->batch->max = s->batch_max;
    return sb;
}

static void batch_free(tg__sink_batch *sb)
{
    tg_batch_free(sb->batch);
    tg_free(sb);
}

void tg__sink_give(tg__sink *s, tg__sink_batch *sb)
{
    if (s->pool) { /* one spare is enough: batches are put at once */
        batch_free(sb);
        return;
    }
    tg_batch_reset(sb->batch);
    sb->next = NULL;
    s->pool = sb;
}

void tg__sink_drop_queue(tg__sink *s)
{
    while (s->queue) {
        tg__sink_batch *next = s->queue->next;
        tg__sink_give(s, s->queue);
        s->queue = next;
    }
    s->queue_tail = NULL;
    tg_page_set(s->task->page->in_flight, 0);
}

void tg__sink_trim(tg__sink *s)
{
    if (s->pool)
        batch_free(s->pool);
    s->pool = NULL;
}

void tg__sink_free_batches(tg__sink *s)
{
    tg__sink_drop_queue(s);
    tg__sink_trim(s);
}

/* --- before put ---------------------------------------------------------- */

/* Brings the records with the verdict to the front, in order; the others keep
 * their order behind. Returns how many are in front. */
static uint32_t bring_forward(tg_batch *batch, uint8_t verdict)
{
    uint32_t front = 0, i = 0;
    tg_record **rest;

    while (i < batch->n && batch->items[i]->verdict == verdict)
        i++;
    front = i;
    for (; i < batch->n; i++)
        if (batch->items[i]->verdict == verdict)
            break;
    if (i == batch->n)
        return front;
    rest = tg_alloc(batch->n * sizeof *rest);
    i = front;
    for (uint32_t k = front, r = 0; k < batch->n; k++) {
        if (batch->items[k]->verdict == verdict)
            batch->items[i++] = batch->items[k];
        else
            rest[r++] = batch->items[k];
    }
    front = i;
    memcpy(batch->items + front, rest, (batch->n - front) * sizeof *rest);
    tg_free(rest);
    return front;
}

static bool same_origin(const tg_record *a, const tg_record *b)
{
    return a->origin_offset == b->origin_offset &&
           a->origin_partition == b->origin_partition &&
           a->origin_topiclen == b->origin_topiclen &&
           memcmp(a->origin_topic, b->origin_topic, a->origin_topiclen) == 0;
}

/* The task fails at items[at]: it and everything behind stays uncounted, and
 * what was split from the same record with it. */
static void cut(tg_batch *batch, uint32_t at)
{
    uint32_t from = at;

    while (from > 0 && same_origin(batch->items[from - 1], batch->items[at]))
        from--;
    for (uint32_t i = from; i < batch->n; i++)
        batch->items[i]->verdict = TG_UNPROCESSED;
}

/* Decides about what the chain rejected. */
static void judge(tg__sink *s, tg__sink_batch *sb)
{
    tg_batch *batch = sb->batch;
    int64_t filtered = 0;

    for (uint32_t i = 0; i < batch->n; i++) {
        tg_record *rec = batch->items[i];
        tg_error_stage stage;
        filtered += rec->verdict == TG_DROP;
        if (rec->verdict != TG_REJECT)
            continue;
        stage = tg_chain_stage(s->task->chain, rec);
        if (tg_error_policy_record(&s->task->policy, rec, &stage, &sb->err)) {
            sb->fails = true;
            cut(batch, i);
            break;
        }
    }
    tg_page_add(s->task->page->records_filtered, filtered);
}

int tg__sink_enqueue(tg__sink *s, tg__sink_batch *sb, tg_err *err)
{
    int rc;

    tg__sink_offsets_polled(&s->offsets, sb->batch);
    rc = tg_chain_run(s->task->chain, sb->batch, err);
    if (rc) {
        tg__sink_give(s, sb);
        if (rc != TG_ERR_STOPPED)
            tg_err_prefix(err, "Sink connector %s, task %d", s->task->name,
                          s->task->id);
        return rc;
    }
    judge(s, sb);
    sb->todo = bring_forward(sb->batch, TG_KEEP);
    if (s->queue_tail)
        s->queue_tail->next = sb;
    else
        s->queue = sb;
    s->queue_tail = sb;
    return 0;
}

/* --- put ----------------------------------------------------------------- */

/* put raised. 0: again later; TG_ERR_*: the task fails. */
static int put_raised(tg__sink *s, tg__sink_batch *sb, int rc, tg_err *err)
{
    tg_batch *batch = sb->batch;
    uint32_t at = batch->cursor < sb->todo ? batch->cursor : 0;
    char place[600];

    if (err->retriable && !err->fatal) {
        for (uint32_t i = 0; i < sb->todo; i++)
            if (batch->items[i]->verdict != TG_DONE)
                batch->items[i]->verdict = TG_RETRY;
        return 0;
    }
    if (rc == TG_ERR_STOPPED)
        return rc;
    tg_record_place(batch->items[at], place, sizeof place);
    tg_err_prefix(err,
                  "Sink connector %s, task %d: put failed near the record "
                  "%s",
                  s->task->name, s->task->id, place);
    return rc;
}

/* Looks at the verdicts of the records that put was given. */
static int settle_put(tg__sink *s, tg__sink_batch *sb, tg_err *err)
{
    tg_batch *batch = sb->batch;
    int64_t done = 0;

    for (uint32_t i = 0; i < sb->todo; i++) {
        tg_record *rec = batch->items[i];
        tg_error_stage stage;
        if (rec->verdict == TG_KEEP || rec->verdict == TG_DONE) {
            rec->verdict = TG_DONE;
            done++;
        }
        if (rec->verdict != TG_REJECT)
            continue;
        rec->stage = TG_STAGE_PUT;
        stage = tg_chain_stage(s->task->chain, rec);
        if (tg_error_policy_record(&s->task->policy, rec, &stage, err))
            return err->code;
    }
    tg_page_add(s->task->page->records_out, done);
    return 0;
}

static void retry_later(tg__sink *s, tg__sink_batch *sb, const tg_err *why)
{
    tg_batch *batch = sb->batch;

    for (uint32_t i = 0; i < sb->todo; i++)
        batch->items[i]->verdict = TG_KEEP;
    tg_warn(MOD, "%u records are put again in %d ms%s%s", sb->todo,
            sb->backoff_ms, why->code ? ": " : "", why->code ? why->text : "");
    tg_page_add(s->task->page->retries, 1);
    sb->retry_ns = tg_clock_ns() + sb->backoff_ms * 1000000LL;
    sb->backoff_ms = sb->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS
                                                         : sb->backoff_ms * 2;
}

/* One put of what is left of the batch. 0 also when some must be put again:
 * then todo is not 0. */
static int put_once(tg__sink *s, tg__sink_batch *sb, tg_err *err)
{
    tg_batch *batch = sb->batch;
    uint32_t n = batch->n;
    int64_t start = tg_clock_ns();
    tg_err why = {0};
    int rc;

    batch->n = batch->hi = batch->max = sb->todo;
    batch->lo = 0;
    tg__task_at(s->task, TG_AT_PUT);
    tg_task_take_told();
    rc = tg_instance_put(s->task->instance, batch, &why);
    batch->n = batch->hi = n;
    tg_page_add(s->task->page->ns_put, tg_clock_ns() - start);
    s->unflushed = true;
    /* A put that learnt of the stop may have returned before its work was done;
     * the records are read again after the restart. */
    if (rc == 0 && tg_task_take_told())
        return tg_err_set(err, TG_ERR_STOPPED, "the task stops");
    if (rc)
        rc = put_raised(s, sb, rc, &why);
    if (rc) {
        *err = why;
        return rc;
    }
    rc = settle_put(s, sb, err);
    if (rc)
        return rc;
    sb->todo = bring_forward(batch, TG_RETRY);
    if (sb->todo > 0)
        retry_later(s, sb, &why);
    return 0;
}

/* The batch was put completely: its offsets count. */
static int complete(tg__sink *s, tg__sink_batch *sb, tg_err *err)
{
    int rc = 0;

    tg__sink_offsets_done(&s->offsets, sb->batch);
    s->uncommitted_bytes +=
        (int64_t)sb->batch->bytes + (int64_t)sb->batch->n * 80;
    s->uncommitted_records += sb->batch->n;
    tg_page_add(s->task->page->bytes_out, (int64_t)sb->batch->bytes);
    s->queue = sb->next;
    if (!s->queue)
        s->queue_tail = NULL;
    if (sb->fails) {
        *err = sb->err;
        rc = err->code;
    }
    tg__sink_give(s, sb);
    return rc;
}

int tg__sink_put(tg__sink *s, tg_err *err)
{
    int rc = 0;

    while (rc == 0 && s->queue && !tg__task_stopping(s->task)) {
        tg__sink_batch *sb = s->queue;
        if (sb->todo > 0) {
            if (sb->retry_ns && tg_clock_ns() < sb->retry_ns)
                break;
            rc = put_once(s, sb, err);
            if (rc || sb->todo > 0)
                break;
        }
        rc = complete(s, sb, err);
    }
    tg_page_set(s->task->page->in_flight, s->queue ? s->queue->todo : 0);
    return rc;
}

/* --- partitions that went ------------------------------------------------ */

static bool is_of(const tg_record *rec, const tg_partition *parts, int n)
{
    for (int i = 0; i < n; i++)
        if (parts[i].partition == rec->origin_partition &&
            strlen(parts[i].topic) == rec->origin_topiclen &&
            memcmp(parts[i].topic, rec->origin_topic, rec->origin_topiclen) ==
                0)
            return true;
    return false;
}

void tg__sink_forget(tg__sink *s, const tg_partition *parts, int n)
{
    for (tg__sink_batch *sb = s->queue; sb; sb = sb->next) {
        for (uint32_t i = 0; i < sb->batch->n; i++)
            if (is_of(sb->batch->items[i], parts, n))
                sb->batch->items[i]->verdict = TG_UNPROCESSED;
        sb->todo = bring_forward(sb->batch, TG_KEEP);
    }
}
