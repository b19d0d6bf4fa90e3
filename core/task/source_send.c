/*
 * Sending half of a source task: batches, segments, delivery reports.
 *
 * A batch is handed to the producer as one segment of the offset tracker. On
 * the embedded broker it is cut into slices that fit the window; then one
 * slice at a time is in flight, so that a report, which names its batch, also
 * names its segment.
 *
 * How a record can leave, all of them explicit:
 *   acknowledged          tg__source_delivered        offset may be stored
 *   dropped by a script   not sent                    offset may be stored
 *   tolerated error       tg_error_policy_record = 0  offset may be stored
 *   anything else         its segment stays open: nothing at or behind it is
 *                         ever stored, and a restart polls it again
 *
 * The task's thread; delivery reports are served inside tg_producer_poll.
 */
#include "task/source.h"
#include "base/log.h"
#include "base/mem.h"
#include "host/services.h"

static const char MOD[] = "source";

enum {
    POOL_MAX = 8,
    BATCH_LIMIT = 256 << 20, /* arena bytes of one batch */
    WAIT_MS = 50,            /* for room or reports, between looks at control */
    TELL_S = 30
};

/* --- batches ------------------------------------------------------------- */

tg__source_batch *tg__source_take(tg__source *s)
{
    tg__source_batch *sb = s->pool;

    if (sb) {
        s->pool = sb->next;
        s->pooled--;
    } else {
        sb = tg_calloc(sizeof *sb);
        sb->batch = tg_batch_new(s->batch_max, BATCH_LIMIT);
        sb->batch->owner = sb;
        sb->all = s->all;
        s->all = sb;
    }
    sb->next = NULL;
    sb->originals = (tg_originals){0};
    sb->seg = NULL;
    sb->pending = 0;
    sb->again = 0;
    sb->age = ++s->ages;
    sb->handed = false;
    sb->out_bytes = 0;
    sb->batch->max = s->batch_max;
    return sb;
}

static void unlink_batch(tg__source *s, tg__source_batch *sb)
{
    tg__source_batch **at = &s->all;

    while (*at != sb)
        at = &(*at)->all;
    *at = sb->all;
    tg_batch_free(sb->batch);
    tg_free(sb);
}

void tg__source_give(tg__source *s, tg__source_batch *sb)
{
    if (s->pooled >= POOL_MAX) {
        unlink_batch(s, sb);
        return;
    }
    tg_batch_reset(sb->batch);
    sb->next = s->pool;
    s->pool = sb;
    s->pooled++;
}

void tg__source_trim(tg__source *s)
{
    while (s->pool) {
        tg__source_batch *sb = s->pool;
        s->pool = sb->next;
        unlink_batch(s, sb);
    }
    s->pooled = 0;
}

void tg__source_free_batches(tg__source *s)
{
    while (s->all)
        unlink_batch(s, s->all);
    s->pool = s->done = NULL;
}

/* --- delivery ------------------------------------------------------------ */

static int ask_policy(tg__source *s, const tg__source_batch *sb,
                      const tg_record *rec, const tg_error_stage *stage,
                      tg_err *err)
{
    return tg_error_policy_record(&s->task->policy, rec,
                                  tg_dead_letters_original(&sb->originals, rec),
                                  stage, err);
}

int tg__source_refuse(tg__source *s, tg__source_batch *sb, tg_record *rec,
                      const tg_err *why, tg_err *err)
{
    tg_error_stage stage;

    tg_record_reject(rec, "%s", why->text);
    rec->stage = TG_STAGE_SEND;
    stage = tg_chain_stage(s->task->chain, rec);
    if (strstr(why->text, "too large") || strstr(why->text, "larger than"))
        stage.exception =
            "org.apache.kafka.common.errors.RecordTooLargeException";
    return ask_policy(s, sb, rec, &stage, err);
}

static void delivery_failed(tg__source *s, tg__source_batch *sb, tg_record *rec,
                            const tg_err *why)
{
    tg_err err = {0};

    if (tg__source_again(s, sb, rec, why))
        return;
    if (tg__source_refuse(s, sb, rec, why, &err) == 0) {
        tg_offset_tracker_ack(s->tracker, sb->seg, NULL, 0, -1);
    } else if (!s->failed) {
        s->failed = true;
        s->failure = err;
    }
}

void tg__source_delivered(void *ctx, tg_record *rec, const char *topic,
                          int32_t partition, int64_t kafka_offset,
                          const tg_err *err)
{
    tg__source *s = ctx;
    tg__source_batch *sb = rec->batch->owner;

    sb->pending--;
    if (s->closing) {
        /* purged by ourselves: the segment stays open */
    } else if (err) {
        delivery_failed(s, sb, rec, err);
    } else {
        s->acked++;
        tg_offset_tracker_ack(s->tracker, sb->seg, topic, partition,
                              kafka_offset);
    }
    if (sb->pending == 0 && sb->again == 0 && sb->handed) {
        sb->next = s->done;
        s->done = sb;
    }
}

/* After reports were served: librdkafka has let go of these batches. */
static void sweep(tg__source *s)
{
    tg_page *page = s->task->page;

    while (s->done) {
        tg__source_batch *sb = s->done;
        s->done = sb->next;
        tg_page_add(page->bytes_out, sb->out_bytes);
        tg__source_give(s, sb);
    }
    if (s->acked) {
        tg_page_add(page->records_out, s->acked);
        s->acked = 0;
        tg_topics_report(s->topics);
    }
    tg_page_set(page->in_flight, tg_offset_tracker_unacked(s->tracker));
    tg_page_set(page->in_flight_bytes, tg_offset_tracker_bytes(s->tracker));
}

void tg__source_serve(tg__source *s, int ms)
{
    tg_err err = {0};

    tg_producer_poll(s->producer, ms);
    if (s->again > 0)
        tg__source_send_again(s);
    sweep(s);
    tg__task_heartbeat(s->task);
    if (tg_control_pending(s->task->control))
        tg__task_control(s->task, 0);
    if (tg_dead_letters_serve(s->task->policy.dead, &err) && !s->failed) {
        s->failed = true;
        s->failure = err;
    }
    if (tg_producer_error(s->producer, &err)) {
        tg_log_write(err.fatal ? TG_LOG_ERROR : TG_LOG_WARN, MOD, "%s",
                     err.text);
        if (err.fatal && !s->failed) {
            s->failed = true;
            s->failure = err;
            tg_err_prefix(&s->failure, "Source connector %s, task %d",
                          s->task->name, s->task->id);
        }
    }
}

/* --- segments ------------------------------------------------------------ */

static bool same_origin(const tg_record *a, const tg_record *b)
{
    if (a->origin_partition != b->origin_partition)
        return false;
    if (!a->source_offset || !b->source_offset)
        return !a->source_offset && !b->source_offset &&
               a->origin_offset == b->origin_offset;
    return a->source_offsetlen == b->source_offsetlen &&
           memcmp(a->source_offset, b->source_offset, a->source_offsetlen) == 0;
}

/* Records up to here may have their offsets marked when [0, to) was handed
 * over: the offset of a group that goes on behind `to` (a split record, a
 * source with one offset for many records) waits for its last record. */
static uint32_t markable(const tg_batch *batch, uint32_t to)
{
    uint32_t i = to;

    if (to == 0 || to >= batch->n ||
        !same_origin(batch->items[to - 1], batch->items[to]))
        return to;
    while (i > 0 && same_origin(batch->items[i - 1], batch->items[to]))
        i--;
    return i;
}

/* Last offset of each source partition in [from, to), newest first, so that
 * each partition is marked once. */
static void mark_offsets(tg__source *s, tg__source_batch *sb, uint32_t from,
                         uint32_t to)
{
    tg_batch *batch = sb->batch;
    int32_t last = -1;

    for (uint32_t i = to; i-- > from;) {
        const tg_record *rec = batch->items[i];
        int32_t p = rec->origin_partition;
        if (p < 0 || p == last)
            continue;
        last = p;
        if (tg_offset_tracker_marked(s->tracker, sb->seg, p))
            continue;
        tg_offset_tracker_mark(s->tracker, sb->seg, p, rec->origin_offset,
                               rec->source_offset, rec->source_offsetlen);
    }
}

static int64_t charge(const tg_record *rec)
{
    int64_t n = TG_RECORD_CHARGE;

    n += rec->key.outlen > 0 ? rec->key.outlen : 0;
    n += rec->value.outlen > 0 ? rec->value.outlen : 0;
    for (uint32_t i = 0; i < rec->nheaders; i++) {
        const tg_header *h = &rec->headers[i];
        n += h->namelen + (h->cell.outlen > 0 ? (uint32_t)h->cell.outlen : 0);
    }
    return n;
}

/* Where the slice that starts at from ends; its charge and what is to be sent
 * of it. */
static uint32_t slice_end(const tg__source *s, const tg_batch *batch,
                          uint32_t from, uint32_t to, int64_t *bytes,
                          uint32_t *records)
{
    uint32_t i = from;

    *bytes = 0;
    *records = 0;
    for (; i < to; i++) {
        const tg_record *rec = batch->items[i];
        int64_t n;
        if (rec->verdict != TG_KEEP)
            continue;
        n = charge(rec);
        if (s->slice_bytes && *records > 0 &&
            (*bytes + n > s->slice_bytes || *records >= s->slice_records))
            break;
        *bytes += n;
        ++*records;
    }
    return i;
}

/* 0 to go on, else why not. */
static int interrupted(tg__source *s, tg_err *err)
{
    if (s->failed) {
        *err = s->failure;
        return err->code;
    }
    if (tg__task_stopping(s->task) &&
        tg__task_stop_left(s->task, INT32_MAX) == 0)
        return tg_err_set(err, TG_ERR_STOPPED, "the task stops");
    return 0;
}

static void tell_waiting(tg__source *s)
{
    int32_t partition;
    int64_t offset, now = tg_clock_ns();
    const char *topic;

    if (s->told_ns && now - s->told_ns < TELL_S * 1000000000LL)
        return;
    topic = tg_offset_tracker_waits_for(s->tracker, &partition, &offset);
    if (topic && s->told_ns)
        tg_info(MOD,
                "Waiting: %lld records are held until every sink of topic %s "
                "has committed %s-%d up to offset %lld",
                (long long)tg_offset_tracker_records(s->tracker), topic, topic,
                partition, (long long)offset);
    s->told_ns = now;
}

static int wait_room(tg__source *s, int64_t bytes, uint32_t records,
                     tg_err *err)
{
    while (!tg_offset_tracker_room(s->tracker, bytes, records)) {
        int rc = interrupted(s, err);
        if (rc == 0 && tg__task_stopping(s->task))
            rc = tg_err_set(err, TG_ERR_STOPPED, "the task stops");
        if (rc)
            return rc;
        tell_waiting(s);
        if (tg_offset_tracker_unacked(s->tracker) > 0)
            tg__source_serve(s, WAIT_MS);
        else
            tg__task_control(s->task, WAIT_MS);
        tg__task_heartbeat(s->task);
    }
    s->told_ns = 0;
    return 0;
}

/* A send that failed for record at: waits and lets the caller try again, or
 * asks the policy. */
static int send_error(tg__source *s, tg__source_batch *sb, uint32_t *at,
                      const tg_err *why, tg_err *err)
{
    int rc;

    if (why->retriable && !why->fatal) {
        tg_warn(MOD, "Sending is tried again: %s", why->text);
        tg_page_add(s->task->page->retries, 1);
        tg__source_serve(s, 100);
        return interrupted(s, err);
    }
    if (why->fatal || *at >= sb->batch->n) {
        *err = *why;
        tg_err_prefix(err, "Source connector %s, task %d", s->task->name,
                      s->task->id);
        return err->code;
    }
    rc = tg__source_refuse(s, sb, sb->batch->items[*at], why, err);
    if (rc)
        return rc;
    tg_offset_tracker_ack(s->tracker, sb->seg, NULL, 0, -1);
    ++*at;
    return 0;
}

/* Hands [from, to) to the producer. */
static int send_range(tg__source *s, tg__source_batch *sb, uint32_t from,
                      uint32_t to, tg_err *err)
{
    tg_batch *batch = sb->batch;
    uint32_t n = batch->n;
    int rc = 0;

    while (from < to) {
        uint32_t queued = 0;
        tg_err why = {0};
        while (s->again > 0 && rc == 0) { /* those first: order */
            tg__source_serve(s, WAIT_MS);
            rc = interrupted(s, err);
        }
        if (rc)
            return rc;
        batch->n = to;
        rc = tg_producer_send(s->producer, batch, &from, &queued, &why);
        batch->n = n;
        sb->pending += queued;
        if (rc == 0)
            return 0;
        if (rc == 1) {
            tg__source_serve(s, WAIT_MS);
            rc = interrupted(s, err);
        } else {
            rc = send_error(s, sb, &from, &why, err);
        }
        if (rc)
            return rc;
    }
    return 0;
}

/* One slice at a time: the next one opens its segment when this one has no
 * report to come. */
static int wait_reports(tg__source *s, tg__source_batch *sb, tg_err *err)
{
    while (sb->pending > 0 || sb->again > 0) {
        int rc = interrupted(s, err);
        if (rc)
            return rc;
        tg__source_serve(s, WAIT_MS);
    }
    return s->failed ? interrupted(s, err) : 0;
}

static int send_slices(tg__source *s, tg__source_batch *sb, uint32_t end,
                       tg_err *err)
{
    uint32_t from = 0, marked = 0;
    int rc = 0;

    while (from < end && rc == 0) {
        int64_t bytes;
        uint32_t records;
        uint32_t to = slice_end(s, sb->batch, from, end, &bytes, &records);
        uint32_t upto = markable(sb->batch, to);
        if (s->slice_bytes)
            rc = wait_room(s, bytes, records, err);
        if (rc)
            break;
        sb->seg = tg_offset_tracker_open(s->tracker, bytes, records);
        if (upto > marked)
            mark_offsets(s, sb, marked, upto);
        if (upto > marked)
            marked = upto;
        sb->out_bytes += bytes - (int64_t)records * TG_RECORD_CHARGE;
        if (records > 0)
            rc = send_range(s, sb, from, to, err);
        from = to;
        if (rc == 0 && from < end)
            rc = wait_reports(s, sb, err);
    }
    return rc;
}

/* --- the chain ----------------------------------------------------------- */

/* tg_chain_wait_fn. */
static int wait_retry(void *ctx, int64_t ms, tg_err *err)
{
    tg__source *s = ctx;
    int64_t end = tg_clock_ns() + ms * 1000000;

    do {
        int64_t left = (end - tg_clock_ns()) / 1000000;
        int slice = left < 0 ? 0 : left < WAIT_MS ? (int)left : WAIT_MS;
        tg__task_at(s->task, TG_AT_IDLE);
        if (tg_producer_outstanding(s->producer) > 0)
            tg__source_serve(s, slice);
        else
            tg__task_control(s->task, slice);
        tg__source_serve(s, 0);
        if (s->failed) {
            *err = s->failure;
            return err->code;
        }
        if (tg__task_stopping(s->task))
            return tg_err_set(err, TG_ERR_STOPPED, "the task stops");
        if (tg__source_commit_due(s))
            tg__source_commit(s, true);
    } while (tg_clock_ns() < end);
    return 0;
}

int tg__source_cook(tg__source *s, tg__source_batch *sb, tg_err *err)
{
    tg_task *task = s->task;

    tg_dead_letters_keep(task->policy.dead, sb->batch, &sb->originals);
    tg_chain_retry(task->chain, &task->policy.retry, wait_retry, s);
    return tg_chain_run(task->chain, sb->batch, err);
}

/* --- what comes before sending ------------------------------------------- */

static void reject_topicless(tg_batch *batch)
{
    for (uint32_t i = 0; i < batch->n; i++) {
        tg_record *rec = batch->items[i];
        if (rec->verdict != TG_KEEP || rec->topiclen > 0)
            continue;
        tg_record_reject(rec, "it has no topic; the connector or a transform "
                              "must set one");
        rec->stage = TG_STAGE_SEND;
    }
}

/* How much of the batch goes on. With tolerance none the records before the
 * first rejected one are sent, and *fail is set. */
static uint32_t judge(tg__source *s, const tg__source_batch *sb, int *fail,
                      tg_err *err)
{
    tg_batch *batch = sb->batch;
    int64_t filtered = 0;

    *fail = 0;
    for (uint32_t i = 0; i < batch->n; i++) {
        tg_record *rec = batch->items[i];
        tg_error_stage stage;
        if (rec->verdict == TG_DROP)
            filtered++;
        if (rec->verdict == TG_KEEP || rec->verdict == TG_DROP)
            continue;
        if (rec->verdict != TG_REJECT)
            tg_record_reject(rec, "it was not processed");
        stage = tg_chain_stage(s->task->chain, rec);
        *fail = ask_policy(s, sb, rec, &stage, err);
        if (*fail) {
            tg_page_add(s->task->page->records_filtered, filtered);
            return i;
        }
    }
    if (filtered)
        tg_page_add(s->task->page->records_filtered, filtered);
    return batch->n;
}

static int ensure_topics(tg__source *s, tg_batch *batch, uint32_t end,
                         tg_err *err)
{
    const char *last = NULL;
    uint32_t lastlen = 0;

    for (uint32_t i = 0; i < end; i++) {
        const tg_record *rec = batch->items[i];
        bool fresh;
        int rc;
        if (rec->verdict != TG_KEEP ||
            (rec->topiclen == lastlen &&
             (rec->topic == last || memcmp(rec->topic, last, lastlen) == 0)))
            continue;
        last = rec->topic;
        lastlen = rec->topiclen;
        rc = tg_topics_ensure(s->topics, last, lastlen, &fresh, err);
        if (rc == TG_ERR_STOPPED)
            return rc;
        if (rc) {
            tg_err_prefix(err, "Source connector %s, task %d", s->task->name,
                          s->task->id);
            return rc;
        }
    }
    return 0;
}

int tg__source_send(tg__source *s, tg__source_batch *sb, tg_err *err)
{
    tg_batch *batch = sb->batch;
    tg_err rejected = {0};
    int64_t start = tg_clock_ns();
    int fail, rc;
    uint32_t end;

    tg__task_at(s->task, TG_AT_SEND);
    reject_topicless(batch);
    end = judge(s, sb, &fail, &rejected);
    rc = ensure_topics(s, batch, end, err);
    if (rc == 0)
        rc = send_slices(s, sb, end, err);
    sb->handed = true;
    if (sb->pending == 0 && sb->again == 0)
        tg__source_give(s, sb);
    tg_page_add(s->task->page->ns_send, tg_clock_ns() - start);
    if (rc == 0 && fail) {
        *err = rejected;
        rc = fail;
    }
    return rc;
}
