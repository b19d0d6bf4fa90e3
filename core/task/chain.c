/*
 * Chain of a task.
 *
 * A user's transform runs under an undo log: if the call raises, everything it
 * wrote is put back and the culprit is looked for (isolate), so that only it is
 * rejected and its neighbours are what a run without the error would have made
 * of them. Stock transforms reject record by record and need
 * no undo; if one raises all the same, the task fails, since what it half wrote
 * cannot be told apart.
 *
 * The task's thread.
 */
#include "task/chain_priv.h"
#include "base/config.h"
#include "base/log.h"
#include "base/mem.h"
#include "host/services.h"
#include <stdio.h>

static const char MOD[] = "chain";

enum {
    MAX_NOTES = 1000, /* of a batch: the others have no trace */
    MAX_TIMEOUTS = 3, /* in one batch, before the transform is given up */
    HIDDEN = 255 /* kept from the transform by its predicate: the SDK's mark,
                    left behind when the call fails */
};

/* --- what failed --------------------------------------------------------- */

static const char CONNECT_EXCEPTION[] =
    "org.apache.kafka.connect.errors.ConnectException";
static const char RETRIABLE_EXCEPTION[] =
    "org.apache.kafka.connect.errors.RetriableException";

static void reject_at(tg_record *rec, uint16_t stage_no, const tg_err *err)
{
    tg_record_reject(rec, "%s", err->text);
    rec->stage = stage_no;
}

static void note(tg_chain *chain, const tg_record *rec, const tg_err *err,
                 const char *exception)
{
    tg__note *n;
    size_t len = strlen(err->trace);

    if (chain->n_notes == MAX_NOTES)
        return;
    if (chain->n_notes == chain->cap_notes) {
        chain->cap_notes = chain->cap_notes ? chain->cap_notes * 2 : 4;
        chain->notes =
            tg_realloc(chain->notes, chain->cap_notes * sizeof *chain->notes);
    }
    n = &chain->notes[chain->n_notes++];
    n->rec = rec;
    n->trace =
        len ? tg_arena_dup(rec->batch->arena, err->trace, len + 1) : NULL;
    n->exception = err->retriable ? RETRIABLE_EXCEPTION : exception;
}

static const tg__note *find_note(const tg_chain *chain, const tg_record *rec)
{
    for (uint32_t i = 0; i < chain->n_notes; i++)
        if (chain->notes[i].rec == rec)
            return &chain->notes[i];
    return NULL;
}

/* --- trying again -------------------------------------------------------- */

typedef struct attempts {
    int n;
    int64_t deadline_ns;
} attempts;

void tg_chain_retry(tg_chain *chain, const tg_retry_limits *limits,
                    tg_chain_wait_fn fn, void *ctx)
{
    chain->retry = *limits;
    chain->wait = fn;
    chain->wait_ctx = ctx;
}

/* After a failure: 1 to try again, after a wait; 0 when there is no use;
 * TG_ERR_*: the task stops. */
static int try_again(tg_chain *chain, attempts *a, const tg_err *why,
                     const char *what, tg_err *err)
{
    int64_t now = tg_clock_ns(), ms, left;
    int rc;

    /* Given up because the task stops: the record is read again later. */
    if (why->code == TG_ERR_STOPPED)
        return tg_err_set(err, TG_ERR_STOPPED, "%s", why->text);
    if (!why->retriable || why->fatal || !chain->wait ||
        chain->retry.timeout_ms == 0)
        return 0;
    if (a->n++ == 0)
        a->deadline_ns = chain->retry.timeout_ms < 0
                             ? INT64_MAX
                             : now + chain->retry.timeout_ms * 1000000;
    if (now >= a->deadline_ns)
        return 0;
    ms = tg_retry_delay_ms(&chain->retry, a->n);
    left = (a->deadline_ns - now + 999999) / 1000000;
    if (ms > left)
        ms = left;
    tg_log_write(a->n == 1 ? TG_LOG_WARN : TG_LOG_DEBUG, MOD,
                 "%s is tried again in %lld ms: %s", what, (long long)ms,
                 why->text);
    tg_page_add(chain->page->records_failed, 1);
    rc = chain->wait(chain->wait_ctx, ms, err);
    if (rc)
        return rc;
    tg_page_add(chain->page->retries, 1);
    return 1;
}

/* --- converters ---------------------------------------------------------- */

typedef int (*convert_fn)(tg_cell *cell, const tg_converter *conv, tg_err *err);

static int decode_cell(tg_cell *cell, const tg_converter *conv, tg_err *err)
{
    (void)conv;
    return tg_cell_decode(cell, err);
}

/* For good: no later stage tries again to read the cell, since the record must
 * not come through without those before it. */
static void unreadable(tg_chain *chain, tg_record *rec, tg_cell *cell,
                       uint16_t stage_no, const tg_err *why)
{
    reject_at(rec, stage_no, why);
    if (cell->state == TG_CELL_BAD)
        cell->state = TG_CELL_RAW;
    if (why->retriable)
        note(chain, rec, why, NULL);
}

/* Converts a cell, trying again within the limits. 0; 1: it cannot be done, the
 * record is rejected (or was taken away meanwhile); TG_ERR_*: the task stops.
 */
static int convert(tg_chain *chain, tg_record *rec, tg_cell *cell,
                   uint16_t stage_no, convert_fn fn, const tg_converter *conv,
                   tg_err *err)
{
    attempts a = {0};
    tg_err why = {0};
    int rc;

    for (;;) {
        if (cell->state == TG_CELL_BAD)
            cell->state = TG_CELL_RAW;
        if (fn(cell, conv, &why) == 0)
            return 0;
        rc = try_again(chain, &a, &why,
                       stage_no == TG_STAGE_KEY      ? "key.converter"
                       : stage_no == TG_STAGE_HEADER ? "header.converter"
                                                     : "value.converter",
                       err);
        if (rc < 0)
            return rc;
        if (rc > 0 && rec->verdict != TG_KEEP)
            return 1;
        if (rc == 0)
            break;
    }
    unreadable(chain, rec, cell, stage_no, &why);
    return 1;
}

/* Values are checked on receipt: a converter that is strict decodes now, even
 * if nobody looks; keys and headers wait until somebody does. */
static int decode(tg_chain *chain, tg_batch *batch, tg_err *err)
{
    int64_t start = tg_clock_ns();
    tg_err why = {0};
    int rc = 0;

    tg_page_set(chain->page->at, TG_AT_DECODE);
    for (uint32_t i = 0; i < batch->n && rc >= 0; i++) {
        tg_record *rec = batch->items[i];
        tg_cell *cell = &rec->value;
        if (cell->state != TG_CELL_RAW || !cell->conv || !cell->conv->strict ||
            rec->verdict != TG_KEEP)
            continue;
        batch->cursor = i;
        if (tg_cell_decode(cell, &why) == 0)
            continue;
        if ((why.retriable && chain->wait) || why.code == TG_ERR_STOPPED)
            rc = convert(chain, rec, cell, TG_STAGE_VALUE, decode_cell, NULL,
                         err);
        else
            unreadable(chain, rec, cell, TG_STAGE_VALUE, &why);
    }
    tg_page_add(chain->page->ns_decode, tg_clock_ns() - start);
    return rc < 0 ? rc : 0;
}

/* 0, 1 or TG_ERR_* as convert(). */
static int encode_one(tg_chain *chain, tg_record *rec, tg_err *err)
{
    int rc = convert(chain, rec, &rec->value, TG_STAGE_VALUE, tg_cell_encode,
                     chain->value, err);

    if (rc == 0)
        rc = convert(chain, rec, &rec->key, TG_STAGE_KEY, tg_cell_encode,
                     chain->key, err);
    for (uint32_t i = 0; i < rec->nheaders && rc == 0; i++)
        rc = convert(chain, rec, &rec->headers[i].cell, TG_STAGE_HEADER,
                     tg_cell_encode, chain->header, err);
    return rc;
}

static int encode(tg_chain *chain, tg_batch *batch, tg_err *err)
{
    int64_t start = tg_clock_ns();
    tg_err why = {0};
    int rc = 0;

    tg_page_set(chain->page->at, TG_AT_ENCODE);
    for (uint32_t i = 0; i < batch->n && rc >= 0; i++) {
        tg_record *rec = batch->items[i];
        if (rec->verdict != TG_KEEP)
            continue;
        batch->cursor = i;
        if (rec->nheaders ||
            tg_cell_encode(&rec->value, chain->value, &why) != 0 ||
            tg_cell_encode(&rec->key, chain->key, &why) != 0)
            rc = encode_one(chain, rec, err);
    }
    tg_page_add(chain->page->ns_encode, tg_clock_ns() - start);
    return rc < 0 ? rc : 0;
}

static tg_cell *bad_cell(tg_record *rec, uint16_t *stage_no)
{
    *stage_no = TG_STAGE_KEY;
    if (rec->key.state == TG_CELL_BAD)
        return &rec->key;
    *stage_no = TG_STAGE_VALUE;
    if (rec->value.state == TG_CELL_BAD)
        return &rec->value;
    *stage_no = TG_STAGE_HEADER;
    for (uint32_t i = 0; i < rec->nheaders; i++)
        if (rec->headers[i].cell.state == TG_CELL_BAD)
            return &rec->headers[i].cell;
    return NULL;
}

/* A key or header that could not be decoded when a transform looked at it: that
 * is the converter's failure. 1: it can be now, the record is to be kept; 0: it
 * cannot, the record is rejected; TG_ERR_*: the task stops. */
static int mend(tg_chain *chain, tg_record *rec, tg_cell *cell,
                uint16_t stage_no, tg_err *err)
{
    int rc;

    rec->verdict = TG_KEEP;
    rc = convert(chain, rec, cell, stage_no, decode_cell, NULL, err);
    if (rc)
        return rc < 0 ? rc : 0;
    rec->reason = NULL;
    rec->reasonlen = 0;
    rec->stage = TG_STAGE_UNSET;
    return 1;
}

int tg_chain_reread(tg_chain *chain, tg_record *rec, bool later)
{
    uint16_t stage_no;
    tg_cell *cell = rec->verdict == TG_REJECT ? bad_cell(rec, &stage_no) : NULL;
    tg_err why = {0};

    if (!cell)
        return -1;
    cell->state = TG_CELL_RAW;
    if (tg_cell_decode(cell, &why) == 0)
        return 1;
    if (why.code == TG_ERR_STOPPED || (why.retriable && later))
        return 0;
    unreadable(chain, rec, cell, stage_no, &why);
    return -1;
}

/* --- transforms ---------------------------------------------------------- */

/* The whole transform is at fault, or the task is. */
static bool beyond_repair(const tg_err *err)
{
    return err->fatal || err->code == TG_ERR_STOPPED ||
           err->code == TG_ERR_LIMIT;
}

static int apply_logged(tg_chain *chain, int i, tg_batch *batch, uint32_t lo,
                        uint32_t hi, bool keep, tg_err *err)
{
    int rc;

    batch->lo = lo;
    batch->hi = hi;
    tg_batch_begin(batch);
    rc = tg_instance_apply(chain->stages[i].inst, batch, i, err);
    if (rc || !keep) {
        tg_batch_undo(batch);
        for (uint32_t at = 0; at < batch->n; at++)
            if (batch->items[at]->verdict == HIDDEN)
                batch->items[at]->verdict = TG_KEEP;
    }
    tg_batch_commit(batch);
    batch->lo = 0;
    batch->hi = batch->n;
    return rc;
}

/* One call under the undo log, for the records [lo, hi). When it fails, nothing
 * of it is left. */
static int apply_undoable(tg_chain *chain, int i, tg_batch *batch, uint32_t lo,
                          uint32_t hi, tg_err *err)
{
    return apply_logged(chain, i, batch, lo, hi, true, err);
}

/* The task is going to fail at record at: what stands behind it has not been
 * through this stage and must not look as if it had. */
static void leave_rest(tg_batch *batch, uint32_t at)
{
    for (uint32_t i = at + 1; i < batch->n; i++)
        if (batch->items[i]->verdict == TG_KEEP)
            batch->items[i]->verdict = TG_UNPROCESSED;
}

/* A time-out is not searched record by record when the task will fail anyway:
 * the record that the script was looking at is the culprit. Those before it are
 * transformed again. */
static bool reject_timed_out(tg_chain *chain, int i, tg_batch *batch,
                             const tg_err *err)
{
    uint32_t at = batch->cursor;
    tg_err again = {0};
    int rc = 0;

    if (err->code != TG_ERR_TIMEOUT || chain->tolerate || at >= batch->n ||
        batch->items[at]->verdict != TG_KEEP)
        return false;
    if (at > 0)
        rc = apply_undoable(chain, i, batch, 0, at, &again);
    if (rc)
        return false;
    reject_at(batch->items[at], (uint16_t)(i + 1), err);
    note(chain, batch->items[at], err, CONNECT_EXCEPTION);
    leave_rest(batch, at);
    return true;
}

/* The record alone, tried again while its errors are retriable. 0: it passed,
 * or it is not the transform that failed; else it is rejected, or the task
 * stops or fails (beyond_repair). */
static int apply_one(tg_chain *chain, int i, tg_batch *batch, uint32_t at,
                     tg_err *err)
{
    tg_record *rec = batch->items[at];
    attempts a = {0};
    uint16_t stage_no;
    int rc;

    for (;;) {
        tg_err stop = {0};
        tg_cell *bad;
        int again;
        tg_err_clear(err);
        rc = apply_undoable(chain, i, batch, at, at + 1, err);
        if (rc == 0 || beyond_repair(err))
            return rc;
        bad = bad_cell(rec, &stage_no);
        if (bad)
            again = mend(chain, rec, bad, stage_no, &stop);
        else
            again = try_again(chain, &a, err, chain->stages[i].what, &stop);
        if (again < 0) {
            *err = stop;
            return again;
        }
        if (rec->verdict != TG_KEEP)
            return 0;
        if (!again)
            break;
    }
    reject_at(rec, (uint16_t)(i + 1), err);
    note(chain, rec, err, CONNECT_EXCEPTION);
    return rc;
}

/*
 * A call over the batch failed. The record that the script was looking at is
 * most likely the culprit: what stands before it goes in one call, it alone,
 * what follows in one call again, and so on for the next culprit. So each
 * record is seen twice at most, as when they go one by one, and one culprit
 * costs three calls. One by one as soon as the guess was wrong (the script
 * looked at another record, or does not walk the batch).
 */
static int isolate(tg_chain *chain, int i, tg_batch *batch, tg_err *err)
{
    uint32_t lo = 0, n = batch->n, at = batch->cursor;
    int timeouts = 0, rc;
    bool guess = true;

    tg_debug(MOD, "Looking for the culprit in %s: %s", chain->stages[i].what,
             err->text);
    for (; lo < n; lo++) {
        if (guess && at > lo && at < n) {
            rc = apply_undoable(chain, i, batch, lo, at, err);
            if (rc && beyond_repair(err))
                return rc;
            guess = rc == 0;
            lo = guess ? at : lo;
        }
        if (batch->items[lo]->verdict != TG_KEEP)
            continue;
        rc = apply_one(chain, i, batch, lo, err);
        if (rc && (beyond_repair(err) ||
                   (err->code == TG_ERR_TIMEOUT && ++timeouts == MAX_TIMEOUTS)))
            return rc;
        if (!chain->tolerate && batch->items[lo]->verdict == TG_REJECT) {
            leave_rest(batch, lo);
            return 0;
        }
        guess = guess && rc != 0;
        if (!guess || lo + 1 == n)
            continue;
        rc = apply_undoable(chain, i, batch, lo + 1, n, err);
        if (rc == 0 || beyond_repair(err))
            return rc;
        at = batch->cursor;
    }
    return 0;
}

static int run_user(tg_chain *chain, int i, tg_batch *batch, tg_err *err)
{
    int rc = apply_undoable(chain, i, batch, 0, batch->n, err);

    if (rc == 0 || beyond_repair(err))
        return rc;
    if (reject_timed_out(chain, i, batch, err))
        return 0;
    return isolate(chain, i, batch, err);
}

static int run_stock(tg_chain *chain, int i, tg_batch *batch, uint32_t lo,
                     uint32_t hi, tg_err *err)
{
    int rc;

    batch->lo = lo;
    batch->hi = hi;
    rc = tg_instance_apply(chain->stages[i].inst, batch, i, err);
    batch->lo = 0;
    batch->hi = batch->n;
    return rc;
}

/* Records that the stage rejected because their key or a header could not be
 * decoded just now: decoded again within the limits, then given to the stage
 * again. */
static int mend_rejected(tg_chain *chain, int i, tg_batch *batch, tg_err *err)
{
    for (uint32_t at = 0; at < batch->n; at++) {
        tg_record *rec = batch->items[at];
        uint16_t stage_no;
        tg_cell *bad;
        int rc;
        if (rec->verdict != TG_REJECT || !(bad = bad_cell(rec, &stage_no)))
            continue;
        rc = mend(chain, rec, bad, stage_no, err);
        if (rc < 0)
            return rc;
        if (rc == 0)
            continue;
        rc = chain->stages[i].stock
                 ? run_stock(chain, i, batch, at, at + 1, err)
                 : apply_one(chain, i, batch, at, err);
        if (rc && (chain->stages[i].stock || beyond_repair(err)))
            return rc;
    }
    return 0;
}

static int run_stage(tg_chain *chain, int i, tg_batch *batch, tg_err *err)
{
    const tg__stage *s = &chain->stages[i];
    int rc = 0;

    tg_page_set(chain->page->at, TG_AT_TRANSFORM);
    if (s->trial)
        rc = tg__chain_trial(chain, i, batch, apply_logged, err);
    if (rc == 0)
        rc = s->stock ? run_stock(chain, i, batch, 0, batch->n, err)
                      : run_user(chain, i, batch, err);
    else if (rc > 0)
        rc = 0; /* the trial has run it */
    if (rc == 0 && chain->wait && chain->retry.timeout_ms != 0)
        rc = mend_rejected(chain, i, batch, err);
    return rc;
}

/* Names the stage of what was rejected in it; counts what is left. A verdict
 * that only a sink's put may give is a mistake of the script: the record must
 * not vanish by it. */
static uint32_t mark_rejected(tg_batch *batch, uint16_t no)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < batch->n; i++) {
        tg_record *rec = batch->items[i];
        if (rec->verdict == TG_KEEP) {
            kept++;
            continue;
        }
        if (rec->verdict == TG_RETRY || rec->verdict == TG_DONE)
            tg_record_reject(rec, "the transform gave a verdict that belongs "
                                  "to a sink's put; keep, drop or reject");
        if (rec->verdict == TG_REJECT && rec->stage == TG_STAGE_UNSET)
            rec->stage = no;
    }
    return kept;
}

static void look(tg_chain *chain, int stage_no, tg_batch *batch)
{
    if (chain->watch)
        chain->watch(chain->watch_ctx, stage_no,
                     stage_no < 0 ? NULL : chain->stages[stage_no].alias,
                     batch);
}

void tg_chain_watch(tg_chain *chain, tg_chain_watch_fn fn, void *ctx)
{
    chain->watch = fn;
    chain->watch_ctx = ctx;
}

int tg_chain_run(tg_chain *chain, tg_batch *batch, tg_err *err)
{
    uint32_t kept = batch->n;
    int rc;

    chain->n_notes = 0;
    batch->lo = 0;
    batch->hi = batch->n;
    rc = decode(chain, batch, err);
    if (rc)
        return rc;
    look(chain, -1, batch);
    for (int i = 0; i < chain->n && kept > 0; i++) {
        rc = run_stage(chain, i, batch, err);
        if (rc) {
            if (rc != TG_ERR_STOPPED)
                tg_err_prefix(err, "transform %s", chain->stages[i].alias);
            return rc;
        }
        tg_batch_settle(batch);
        batch->lo = 0;
        batch->hi = batch->n;
        kept = mark_rejected(batch, (uint16_t)(i + 1));
        look(chain, i, batch);
    }
    if (chain->source && kept > 0)
        rc = encode(chain, batch, err);
    batch->cursor = 0;
    return rc;
}

/* --- where it failed ----------------------------------------------------- */

static tg_error_stage converter_stage(const char *stage, const char *what,
                                      const tg_converter *conv)
{
    return (tg_error_stage){
        .stage = stage, .what = what, .class_name = conv->ops->class_name};
}

static tg_error_stage transform_stage(const tg_chain *chain, uint16_t no)
{
    tg_error_stage out = {
        .stage = "TRANSFORMATION", .what = "the task", .class_name = "unknown"};

    if (no > 0 && no <= chain->n) {
        out.what = chain->stages[no - 1].what;
        out.class_name = chain->stages[no - 1].class_name;
    }
    return out;
}

tg_error_stage tg_chain_stage(const tg_chain *chain, const tg_record *rec)
{
    const tg__note *n = find_note(chain, rec);
    tg_error_stage out;

    switch (rec->stage) {
    case TG_STAGE_VALUE:
        out =
            converter_stage("VALUE_CONVERTER", "value.converter", chain->value);
        break;
    case TG_STAGE_KEY:
        out = converter_stage("KEY_CONVERTER", "key.converter", chain->key);
        break;
    case TG_STAGE_HEADER:
        out = converter_stage("HEADER_CONVERTER", "header.converter",
                              chain->header);
        break;
    case TG_STAGE_SEND:
        out = (tg_error_stage){
            .stage = "KAFKA_PRODUCE",
            .what = "sending to Kafka",
            .class_name = "org.apache.kafka.connect.runtime.WorkerSourceTask",
            .exception = "org.apache.kafka.common.KafkaException"};
        break;
    case TG_STAGE_PUT:
        out = (tg_error_stage){.stage = "TASK_PUT",
                               .what = "put",
                               .class_name =
                                   "org.apache.kafka.connect.sink.SinkTask"};
        break;
    default:
        out = transform_stage(chain, rec->stage);
    }
    if (n) {
        out.trace = n->trace;
        if (n->exception)
            out.exception = n->exception;
    }
    return out;
}
