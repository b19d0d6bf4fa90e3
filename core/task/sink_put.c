/*
 * Puts of a sink task. A polled batch runs through the chain, then stands in a
 * queue until all of it was put; usually that is one put. Records that put
 * marked "retry", or all that are left when it raised a retriable error, are
 * put again, for ever, after a pause in which the consumer is paused and still
 * polled; so are all when put could not read a key or header for now, but only
 * within errors.retry.timeout. Any other error of put fails the task, unless
 * errors.tolerance=all: then the culprit is looked for (sink_search.c).
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

enum {
    BATCH_LIMIT = 512 << 20,
    SLICE_MS = 200 /* of puts in one turn of the loop */
};

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
    sb->attempts = 0;
    sb->unread_ns = 0;
    sb->originals = (tg_originals){0};
    sb->batch->max = s->batch_max;
    return sb;
}

static void batch_free(tg__sink_batch *sb)
{
    tg__sink_search_free(sb);
    tg_batch_free(sb->batch);
    tg_free(sb);
}

void tg__sink_give(tg__sink *s, tg__sink_batch *sb)
{
    if (s->pool) { /* one spare is enough: batches are put at once */
        batch_free(sb);
        return;
    }
    tg__sink_search_free(sb);
    tg_batch_reset(sb->batch);
    sb->next = NULL;
    s->pool = sb;
}

static void drop_list(tg__sink *s, tg__sink_batch **list, tg__sink_batch **tail)
{
    while (*list) {
        tg__sink_batch *next = (*list)->next;
        tg__sink_give(s, *list);
        *list = next;
    }
    *tail = NULL;
}

/* Another task, or this one later, reads the record again. What a transform has
 * just split off hangs on it. */
static void leave_out(tg_record *rec)
{
    for (; rec; rec = rec->split)
        rec->verdict = TG_UNPROCESSED;
}

void tg__sink_drop_queue(tg__sink *s)
{
    drop_list(s, &s->queue, &s->queue_tail);
    drop_list(s, &s->raw, &s->raw_tail);
    for (uint32_t i = 0; s->cooking && i < s->cooking->batch->n; i++)
        leave_out(s->cooking->batch->items[i]);
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

uint32_t tg__sink_bring_forward(tg_batch *batch)
{
    uint32_t front = 0, i = 0;
    tg_record **rest;

    while (i < batch->n && batch->items[i]->verdict == TG_KEEP)
        i++;
    front = i;
    for (; i < batch->n; i++)
        if (batch->items[i]->verdict == TG_KEEP)
            break;
    if (i == batch->n)
        return front;
    rest = tg_alloc(batch->n * sizeof *rest);
    i = front;
    for (uint32_t k = front, r = 0; k < batch->n; k++) {
        if (batch->items[k]->verdict == TG_KEEP)
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

static int ask_policy(tg__sink *s, tg__sink_batch *sb, const tg_record *rec,
                      tg_err *err)
{
    tg_error_stage stage = tg_chain_stage(s->task->chain, rec);

    return tg_error_policy_record(&s->task->policy, rec,
                                  tg_dead_letters_original(&sb->originals, rec),
                                  &stage, err);
}

/* Decides about what the chain rejected. */
static void judge(tg__sink *s, tg__sink_batch *sb)
{
    tg_batch *batch = sb->batch;
    int64_t filtered = 0;

    for (uint32_t i = 0; i < batch->n; i++) {
        tg_record *rec = batch->items[i];
        filtered += rec->verdict == TG_DROP;
        if (rec->verdict != TG_REJECT)
            continue;
        if (ask_policy(s, sb, rec, &sb->err)) {
            sb->fails = true;
            cut(batch, i);
            break;
        }
    }
    tg_page_add(s->task->page->records_filtered, filtered);
}

static int cook(tg__sink *s, tg__sink_batch *sb, tg_err *err)
{
    tg_task *task = s->task;
    int rc;

    tg_dead_letters_keep(task->policy.dead, sb->batch, &sb->originals);
    tg_chain_retry(task->chain, &task->policy.retry, tg__sink_wait, s);
    s->cooking = sb;
    rc = tg_chain_run(task->chain, sb->batch, err);
    s->cooking = NULL;
    if (rc) {
        tg__sink_give(s, sb);
        if (rc != TG_ERR_STOPPED)
            tg_err_prefix(err, "Sink connector %s, task %d", task->name,
                          task->id);
        return rc;
    }
    judge(s, sb);
    sb->todo = tg__sink_bring_forward(sb->batch);
    if (s->queue_tail)
        s->queue_tail->next = sb;
    else
        s->queue = sb;
    s->queue_tail = sb;
    return 0;
}

/* What came while the chain waited to try again follows it. */
int tg__sink_enqueue(tg__sink *s, tg__sink_batch *sb, tg_err *err)
{
    int rc;

    tg__sink_offsets_polled(&s->offsets, sb->batch);
    rc = cook(s, sb, err);
    while (rc == 0 && s->raw) {
        sb = s->raw;
        s->raw = sb->next;
        if (!s->raw)
            s->raw_tail = NULL;
        sb->next = NULL;
        rc = cook(s, sb, err);
    }
    return rc;
}

/* --- put ----------------------------------------------------------------- */

static bool is_unread(const tg_record *rec)
{
    return rec->verdict == TG_REJECT &&
           (rec->stage == TG_STAGE_KEY || rec->stage == TG_STAGE_HEADER ||
            rec->stage == TG_STAGE_VALUE);
}

/* Time is left to try again what cannot be read for now; counted from the first
 * failure in the batch. */
static bool in_time(const tg__sink *s, tg__sink_batch *sb)
{
    int64_t ms = s->task->policy.retry.timeout_ms, now = tg_clock_ns();

    if (ms <= 0)
        return ms < 0;
    if (sb->unread_ns == 0)
        sb->unread_ns = now + ms * 1000000;
    return now < sb->unread_ns;
}

/* A record that put looked at and could not read: true if it is to be put
 * again, since it may be readable then. */
static bool reread(tg__sink *s, tg__sink_batch *sb, tg_record *rec)
{
    if (!is_unread(rec) ||
        tg_chain_reread(s->task->chain, rec, in_time(s, sb)) < 0)
        return false;
    rec->stage = TG_STAGE_UNSET;
    return true;
}

static bool reread_any(tg__sink *s, tg__sink_batch *sb, uint32_t n)
{
    bool any = false;

    for (uint32_t i = 0; i < n; i++) {
        tg_record *rec = sb->batch->items[i];
        if (!reread(s, sb, rec))
            continue;
        rec->verdict = TG_RETRY;
        any = true;
    }
    return any;
}

static bool any_unread(const tg_batch *batch, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (is_unread(batch->items[i]))
            return true;
    return false;
}

static void put_again(tg_batch *batch, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (batch->items[i]->verdict != TG_DONE)
            batch->items[i]->verdict = TG_RETRY;
}

/* put raised for the first n records. 0: they are put again; TG_ERR_*: the task
 * fails. */
static int put_raised(tg__sink *s, tg__sink_batch *sb, uint32_t n, int rc,
                      tg_err *err)
{
    tg_batch *batch = sb->batch;
    uint32_t at = batch->cursor < n ? batch->cursor : 0;
    char place[600];

    if (rc == TG_ERR_STOPPED)
        return rc;
    if (!err->fatal && (err->retriable || reread_any(s, sb, n))) {
        put_again(batch, n);
        return 0;
    }
    if ((rc == TG_ERR_SCRIPT || rc == TG_ERR_DATA) && !err->fatal &&
        any_unread(batch, n)) {
        tg__sink_search_explained(sb, n); /* that is why it raised */
        return 0;
    }
    if (tg__sink_may_search(s, err)) {
        tg_page_add(s->task->page->records_failed, 1);
        tg__sink_search_raised(sb, n, err);
        return 0;
    }
    s->put_failed = true;
    tg_record_place(batch->items[at], place, sizeof place);
    tg_err_prefix(err,
                  "Sink connector %s, task %d: put failed near the record "
                  "%s",
                  s->task->name, s->task->id, place);
    tg_err_suffix(err, "; correct the data or what the sink writes to%s",
                  s->task->policy.tolerate || err->fatal
                      ? ""
                      : ", or set errors.tolerance=all to skip the records "
                        "that it fails for");
    return rc;
}

/* The task fails at rec: nothing at or behind it in its partition counts, nor
 * what waits to be put again. What was put of other partitions counts. */
static void cut_behind(tg_batch *batch, const tg_record *rec)
{
    for (uint32_t i = 0; i < batch->n; i++) {
        tg_record *other = batch->items[i];
        if (other->origin_partition == rec->origin_partition &&
            other->origin_topiclen == rec->origin_topiclen &&
            memcmp(other->origin_topic, rec->origin_topic,
                   rec->origin_topiclen) == 0 &&
            other->origin_offset >= rec->origin_offset)
            other->verdict = TG_UNPROCESSED;
    }
}

/* A record that put rejected fails the task: what was put before it counts. */
static void fail_at(tg__sink_batch *sb, tg_record *culprit, const tg_err *err)
{
    tg_batch *batch = sb->batch;

    sb->fails = true;
    sb->err = *err;
    cut_behind(batch, culprit);
    for (uint32_t i = 0; i < batch->n; i++) {
        tg_record *rec = batch->items[i];
        if (rec->verdict == TG_KEEP || rec->verdict == TG_RETRY ||
            rec->verdict == TG_REJECT || rec->verdict == TG__CULPRIT)
            cut_behind(batch, rec);
    }
}

/* Looks at the verdicts of the n records that put was given. True if some are
 * to be put again after a pause; their verdict is KEEP. */
static bool settle_put(tg__sink *s, tg__sink_batch *sb, uint32_t n, bool raised)
{
    tg_batch *batch = sb->batch;
    tg_record *culprit = NULL;
    int64_t done = 0;
    bool again = false;
    tg_err err = {0};

    for (uint32_t i = 0; i < n; i++) {
        tg_record *rec = batch->items[i];
        if (rec->verdict == TG_DONE || (rec->verdict == TG_KEEP && !raised)) {
            rec->verdict = TG_DONE;
            done++;
        } else if (rec->verdict == TG_RETRY) {
            rec->verdict = TG_KEEP;
            again = true;
        } else if (rec->verdict == TG_REJECT) {
            if (reread(s, sb, rec)) {
                rec->verdict = TG_KEEP;
                again = true;
                continue;
            }
            if (!is_unread(rec))
                rec->stage = TG_STAGE_PUT;
            if (ask_policy(s, sb, rec, &err) && !culprit)
                culprit = rec;
            if (culprit)
                break;
        }
    }
    tg_page_add(s->task->page->records_out, done);
    if (!culprit)
        return again;
    for (uint32_t i = 0; i < n; i++)
        if (batch->items[i]->verdict == TG_KEEP && !raised)
            batch->items[i]->verdict = TG_DONE; /* put has returned */
    fail_at(sb, culprit, &err);
    return false;
}

static void retry_later(tg__sink *s, tg__sink_batch *sb, const tg_err *why)
{
    int64_t ms = tg_retry_delay_ms(&s->task->policy.retry, ++sb->attempts);

    tg__sink_search_forget(sb);
    tg_warn(MOD, "%u records are put again in %lld ms%s%s", sb->todo,
            (long long)ms, why->code ? ": " : "", why->code ? why->text : "");
    tg_page_add(s->task->page->retries, 1);
    if (why->code)
        tg_page_add(s->task->page->records_failed, 1);
    sb->retry_ns = tg_clock_ns() + ms * 1000000;
}

/* One put, of what is left of the batch or of a piece. 0 also when some must be
 * put again: then todo is not 0. */
static int put_once(tg__sink *s, tg__sink_batch *sb, tg_err *err)
{
    tg_batch *batch = sb->batch;
    uint32_t n = batch->n, given = tg__sink_next_piece(sb);
    int64_t start = tg_clock_ns();
    tg_err why = {0};
    bool again, raised;
    int rc;

    sb->retry_ns = 0;
    batch->n = batch->hi = batch->max = given;
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
    raised = rc != 0;
    if (rc)
        rc = put_raised(s, sb, given, rc, &why);
    else
        tg__sink_search_passed(sb);
    if (rc) {
        *err = why;
        return rc;
    }
    again = settle_put(s, sb, given, raised);
    sb->todo = tg__sink_bring_forward(batch);
    if (sb->todo > 0 && again)
        retry_later(s, sb, &why);
    return 0;
}

void tg__sink_put_anew(tg__sink *s)
{
    tg__sink_batch *sb = s->queue;

    for (uint32_t i = 0; sb && i < sb->todo; i++) {
        tg_record *rec = sb->batch->items[i];
        rec->verdict = TG_KEEP;
        rec->reason = NULL;
        rec->reasonlen = 0;
        rec->stage = TG_STAGE_UNSET;
    }
    if (sb)
        tg__sink_search_forget(sb);
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
    int64_t end = tg_clock_ns() + SLICE_MS * 1000000LL;
    int rc = tg_dead_letters_serve(s->task->policy.dead, err);

    while (rc == 0 && s->queue && !tg__task_stopping(s->task)) {
        tg__sink_batch *sb = s->queue;
        if (sb->todo > 0) {
            if (sb->retry_ns && tg_clock_ns() < sb->retry_ns)
                break;
            rc = put_once(s, sb, err);
        }
        if (rc == 0)
            rc = tg__sink_search_end(s, sb, err);
        if (rc == 0 && sb->todo == 0)
            rc = complete(s, sb, err);
        if (tg_clock_ns() > end)
            break;
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

static void forget_of(tg_batch *batch, const tg_partition *parts, int n)
{
    for (uint32_t i = 0; i < batch->n; i++)
        if (is_of(batch->items[i], parts, n))
            leave_out(batch->items[i]);
}

void tg__sink_forget(tg__sink *s, const tg_partition *parts, int n)
{
    for (tg__sink_batch *sb = s->queue; sb; sb = sb->next) {
        forget_of(sb->batch, parts, n);
        tg__sink_search_forget(sb);
        sb->todo = tg__sink_bring_forward(sb->batch);
    }
    for (tg__sink_batch *sb = s->raw; sb; sb = sb->next)
        forget_of(sb->batch, parts, n);
    if (s->cooking)
        forget_of(s->cooking->batch, parts, n);
}
