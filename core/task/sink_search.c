/*
 * Who made put raise? With errors.tolerance=all the records of a put that
 * raised are put again in pieces until each culprit stands alone; it goes to
 * the error policy, its neighbours are written. So put must bear repeats, as it
 * must after any restart.
 *
 * Each piece is a put of its own, in the order of the records:
 *
 *   guess right so far   [before the record put was looking at] [it] [rest]
 *   else                 two halves
 *
 * With a right guess one culprit costs three puts more and no record is given
 * more than twice; the guess is wrong when the piece before raises or the
 * suspect passes.
 *
 * When not one record passes, the sink is at fault and not its records: the
 * task fails as it does in Kafka Connect, and nothing is skipped. A batch of
 * one record cannot tell; a sink whose destination is away should say so with
 * tide.retriable.
 *
 * The task's thread.
 */
#include "base/mem.h"
#include "host/services.h"
#include "task/sink.h"

enum { WHOLE, BEFORE, SUSPECT };

static const int64_t HOPELESS_NS = 30000000000; /* of search, none passed */

uint32_t tg__sink_next_piece(const tg__sink_batch *sb)
{
    const tg__sink_search *q = sb->search;

    return q && q->n > 0 ? q->pieces[q->n - 1].n : sb->todo;
}

bool tg__sink_may_search(const tg__sink *s, const tg_err *why)
{
    return s->task->policy.tolerate && !why->fatal && !s->task->reload.trial &&
           (why->code == TG_ERR_SCRIPT || why->code == TG_ERR_DATA);
}

static void push(tg__sink_search *q, uint32_t n, int kind)
{
    if (n == 0)
        return;
    if (q->n == q->cap) {
        q->cap = q->cap ? q->cap * 2 : 8;
        q->pieces = tg_realloc(q->pieces, (size_t)q->cap * sizeof *q->pieces);
    }
    q->pieces[q->n++] = (struct tg__sink_piece){n, (uint8_t)kind};
}

static tg__sink_search *begin(tg__sink_batch *sb)
{
    tg__sink_search *q = sb->search;

    if (q)
        return q;
    q = sb->search = tg_calloc(sizeof *q);
    q->guess = true;
    q->since_ns = tg_clock_ns();
    return q;
}

/* How many of the first n are still to be put, and how many of those stand
 * before the record the script was looking at (all of them: no idea). */
static uint32_t left(tg__sink_search *q, const tg_batch *batch, uint32_t n,
                     uint32_t *before)
{
    uint32_t m = 0;

    *before = UINT32_MAX;
    for (uint32_t i = 0; i < n; i++) {
        if (batch->items[i]->verdict == TG_DONE)
            q->passed = true; /* by its own mark */
        if (batch->items[i]->verdict != TG_KEEP)
            continue;
        if (i == batch->cursor)
            *before = m;
        m++;
    }
    return m;
}

static void found(tg__sink_batch *sb, uint32_t n, const tg_err *why)
{
    tg__sink_search *q = sb->search;

    for (uint32_t i = 0; i < n; i++) {
        tg_record *rec = sb->batch->items[i];
        if (rec->verdict != TG_KEEP)
            continue;
        tg_record_reject(rec, "%s", why->text);
        rec->verdict = TG__CULPRIT;
        rec->stage = TG_STAGE_PUT;
        if (q->culprits++ == 0)
            q->why = *why;
    }
}

void tg__sink_search_raised(tg__sink_batch *sb, uint32_t n, const tg_err *why)
{
    tg__sink_search *q = begin(sb);
    uint32_t before, m;

    if (q->n == 0) /* the first call took all that is left */
        push(q, sb->todo, WHOLE);
    if (q->pieces[--q->n].kind == BEFORE)
        q->guess = false;
    m = left(q, sb->batch, n, &before);
    if (m == 0)
        return;
    if (n == 1) {
        found(sb, n, why);
    } else if (m == 1) { /* another may have been why */
        push(q, 1, WHOLE);
    } else if (q->guess && before < m) {
        push(q, m - before - 1, WHOLE);
        push(q, 1, SUSPECT);
        push(q, before, BEFORE);
    } else {
        push(q, m - m / 2, WHOLE);
        push(q, m / 2, WHOLE);
    }
}

void tg__sink_search_explained(tg__sink_batch *sb, uint32_t n)
{
    tg__sink_search *q = sb->search;
    uint32_t before;

    if (!q || q->n == 0)
        return;
    q->n--;
    push(q, left(q, sb->batch, n, &before), WHOLE);
}

void tg__sink_search_passed(tg__sink_batch *sb)
{
    tg__sink_search *q = sb->search;

    if (!q)
        return;
    q->passed = true;
    if (q->n > 0 && q->pieces[--q->n].kind == SUSPECT)
        q->guess = false;
}

void tg__sink_search_forget(tg__sink_batch *sb)
{
    if (sb->search)
        sb->search->n = 0;
}

static int sink_at_fault(tg__sink *s, const tg__sink_search *q, tg_err *err)
{
    *err = q->why;
    tg_err_prefix(err,
                  "Sink connector %s, task %d: put failed for each of %u "
                  "records, so the sink is taken for broken and no record is "
                  "skipped",
                  s->task->name, s->task->id, q->culprits);
    tg_err_suffix(err, "; see to what the sink writes to and restart the task");
    return err->code;
}

static void ask_policy(tg__sink *s, tg__sink_batch *sb, tg_record *rec)
{
    const tg__sink_search *q = sb->search;
    tg_error_stage stage = tg_chain_stage(s->task->chain, rec);
    tg_err ignored = {0};

    stage.exception = "org.apache.kafka.connect.errors.ConnectException";
    if (strncmp(rec->reason, q->why.text, rec->reasonlen) == 0)
        stage.trace = q->why.trace;
    tg_error_policy_record(&s->task->policy, rec,
                           tg_dead_letters_original(&sb->originals, rec),
                           &stage, &ignored);
}

int tg__sink_search_end(tg__sink *s, tg__sink_batch *sb, tg_err *err)
{
    tg__sink_search *q = sb->search;

    if (!q)
        return 0;
    if (!q->passed && q->culprits > 1 &&
        (sb->todo == 0 || tg_clock_ns() - q->since_ns > HOPELESS_NS))
        return sink_at_fault(s, q, err);
    if (sb->todo > 0)
        return 0;
    /* each was moved in front of those found before it */
    for (uint32_t i = sb->batch->n; i-- > 0;) {
        tg_record *rec = sb->batch->items[i];
        if (rec->verdict != TG__CULPRIT)
            continue;
        rec->verdict = TG_REJECT;
        ask_policy(s, sb, rec);
    }
    tg__sink_search_free(sb);
    return 0;
}

void tg__sink_search_free(tg__sink_batch *sb)
{
    if (!sb->search)
        return;
    tg_free(sb->search->pieces);
    tg_free(sb->search);
    sb->search = NULL;
}
