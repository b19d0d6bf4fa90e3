/*
 * Chain of a task.
 *
 * A user's transform runs under an undo log: if the call raises, everything it
 * wrote is put back and the records are given to it one by one, so that only
 * the culprit is rejected and its neighbours are what a run without the error
 * would have made of them. Stock transforms reject record by record and need
 * no undo; if one raises all the same, the task fails, since what it half wrote
 * cannot be told apart.
 *
 * The task's thread.
 */
#include "task/chain_priv.h"
#include "base/config.h"
#include "base/log.h"
#include "base/mem.h"
#include <stdio.h>

static const char MOD[] = "chain";

enum {
    MAX_TIMEOUTS = 3, /* in one batch, before the transform is given up */
    HIDDEN = 255 /* kept from the transform by its predicate: the SDK's mark,
                    left behind when the call fails */
};

/* --- running it ---------------------------------------------------------- */

static void reject_at(tg_record *rec, uint16_t stage_no, const tg_err *err)
{
    tg_record_reject(rec, "%s", err->text);
    rec->stage = stage_no;
}

/* Values are checked on receipt: a converter that is strict decodes now, even
 * if nobody looks; keys and headers wait until somebody does. */
static void decode(tg_chain *chain, tg_batch *batch)
{
    int64_t start = tg_clock_ns();
    tg_err err = {0};

    tg_page_set(chain->page->at, TG_AT_DECODE);
    for (uint32_t i = 0; i < batch->n; i++) {
        tg_record *rec = batch->items[i];
        tg_cell *cell = &rec->value;
        if (cell->state != TG_CELL_RAW || !cell->conv || !cell->conv->strict ||
            rec->verdict != TG_KEEP)
            continue;
        batch->cursor = i;
        if (tg_cell_decode(cell, &err) != 0)
            reject_at(rec, TG_STAGE_VALUE, &err);
    }
    tg_page_add(chain->page->ns_decode, tg_clock_ns() - start);
}

static int encode_headers(tg_chain *chain, tg_record *rec, tg_err *err)
{
    for (uint32_t i = 0; i < rec->nheaders; i++) {
        int rc = tg_cell_encode(&rec->headers[i].cell, chain->header, err);
        if (rc)
            return rc;
    }
    return 0;
}

static void encode(tg_chain *chain, tg_batch *batch)
{
    int64_t start = tg_clock_ns();
    tg_err err = {0};

    tg_page_set(chain->page->at, TG_AT_ENCODE);
    for (uint32_t i = 0; i < batch->n; i++) {
        tg_record *rec = batch->items[i];
        if (rec->verdict != TG_KEEP)
            continue;
        batch->cursor = i;
        if (tg_cell_encode(&rec->value, chain->value, &err) != 0)
            reject_at(rec, TG_STAGE_VALUE, &err);
        else if (tg_cell_encode(&rec->key, chain->key, &err) != 0)
            reject_at(rec, TG_STAGE_KEY, &err);
        else if (rec->nheaders && encode_headers(chain, rec, &err) != 0)
            reject_at(rec, TG_STAGE_HEADER, &err);
    }
    tg_page_add(chain->page->ns_encode, tg_clock_ns() - start);
}

static void keep_trace(tg_chain *chain, const tg_record *rec, const tg_err *err)
{
    if (chain->traced)
        return;
    chain->traced = rec;
    tg_free(chain->trace);
    chain->trace = tg_strdup(err->trace);
}

/* The whole transform is at fault, or the task is. */
static bool beyond_repair(const tg_err *err)
{
    return err->fatal || err->code == TG_ERR_STOPPED ||
           err->code == TG_ERR_LIMIT;
}

/* One call under the undo log, for the records [lo, hi). When it fails, nothing
 * of it is left. */
static int apply_undoable(tg_chain *chain, int i, tg_batch *batch, uint32_t lo,
                          uint32_t hi, tg_err *err)
{
    int rc;

    batch->lo = lo;
    batch->hi = hi;
    tg_batch_begin(batch);
    rc = tg_instance_apply(chain->stages[i].inst, batch, i, err);
    if (rc) {
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
    keep_trace(chain, batch->items[at], err);
    leave_rest(batch, at);
    return true;
}

static int apply_one(tg_chain *chain, int i, tg_batch *batch, uint32_t at,
                     tg_err *err)
{
    tg_record *rec = batch->items[at];
    int rc;

    tg_err_clear(err);
    rc = apply_undoable(chain, i, batch, at, at + 1, err);
    if (rc == 0 || beyond_repair(err))
        return rc;
    reject_at(rec, (uint16_t)(i + 1), err);
    keep_trace(chain, rec, err);
    return rc;
}

/* Gives the records to the stage one at a time. */
static int isolate(tg_chain *chain, int i, tg_batch *batch, tg_err *err)
{
    int timeouts = 0, rc = 0;
    uint32_t n = batch->n;

    tg_debug(MOD, "Looking for the culprit in transform %s: %s",
             chain->stages[i].alias, err->text);
    for (uint32_t at = 0; at < n; at++) {
        if (batch->items[at]->verdict != TG_KEEP)
            continue;
        rc = apply_one(chain, i, batch, at, err);
        if (rc && beyond_repair(err))
            break;
        if (rc && err->code == TG_ERR_TIMEOUT && ++timeouts == MAX_TIMEOUTS)
            break;
        rc = 0;
        if (!chain->tolerate && batch->items[at]->verdict == TG_REJECT) {
            leave_rest(batch, at);
            break;
        }
    }
    return rc;
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

    chain->traced = NULL;
    batch->lo = 0;
    batch->hi = batch->n;
    decode(chain, batch);
    look(chain, -1, batch);
    for (int i = 0; i < chain->n && kept > 0; i++) {
        tg__stage *s = &chain->stages[i];
        int rc;
        tg_page_set(chain->page->at, TG_AT_TRANSFORM);
        rc = s->stock ? tg_instance_apply(s->inst, batch, i, err)
                      : run_user(chain, i, batch, err);
        if (rc) {
            tg_err_prefix(err, "transform %s", s->alias);
            return rc;
        }
        tg_batch_settle(batch);
        batch->lo = 0;
        batch->hi = batch->n;
        kept = mark_rejected(batch, (uint16_t)(i + 1));
        look(chain, i, batch);
    }
    if (chain->source && kept > 0)
        encode(chain, batch);
    batch->cursor = 0;
    return 0;
}

tg_error_stage tg_chain_stage(const tg_chain *chain, const tg_record *rec)
{
    tg_error_stage out = {
        .stage = "TRANSFORMATION", .what = "the task", .class_name = "unknown"};

    if (rec == chain->traced)
        out.trace = chain->trace;
    if (rec->stage == TG_STAGE_VALUE) {
        out = (tg_error_stage){"VALUE_CONVERTER", "value.converter",
                               chain->value->ops->class_name, NULL};
    } else if (rec->stage == TG_STAGE_KEY) {
        out = (tg_error_stage){"KEY_CONVERTER", "key.converter",
                               chain->key->ops->class_name, NULL};
    } else if (rec->stage == TG_STAGE_HEADER) {
        out = (tg_error_stage){"HEADER_CONVERTER", "header.converter",
                               chain->header->ops->class_name, NULL};
    } else if (rec->stage == TG_STAGE_SEND) {
        out = (tg_error_stage){
            "KAFKA_PRODUCE", "sending to Kafka",
            "org.apache.kafka.connect.runtime.WorkerSourceTask", NULL};
    } else if (rec->stage == TG_STAGE_PUT) {
        out = (tg_error_stage){"TASK_PUT", "put",
                               "org.apache.kafka.connect.sink.SinkTask", NULL};
    } else if (rec->stage > 0 && rec->stage <= chain->n) {
        const tg__stage *s = &chain->stages[rec->stage - 1];
        out.what = s->what;
        out.class_name = s->class_name;
    }
    return out;
}
