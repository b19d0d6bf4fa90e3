/*
 * Records that the broker refused together. A request carries many records,
 * and one that is too large for its topic, or invalid, makes the broker refuse
 * all of them. So they are sent again in small groups, and the groups that are
 * refused again record by record; what is refused alone is the culprit.
 *
 *   first send -> SENT_IN_GROUP (GROUP_BYTES at most) -> SENT_ALONE -> policy
 *
 * Each of these requests is made only when nothing else is with the producer,
 * and nothing new is handed over meanwhile. Records of the same partition that
 * were queued behind the refused request have overtaken it by then: with one
 * request's worth in the window (kafka/window.h) that is nothing unless a batch
 * goes to several partitions.
 *
 * A record that waits has the verdict TG__AGAIN; how it was sent last is in its
 * stage. Its segment of the offset tracker stays open.
 *
 * The task's thread.
 */
#include "base/log.h"
#include "task/source.h"

static const char MOD[] = "source";

enum {
    TG__AGAIN = 0x7d,
    SENT_IN_GROUP = 0xffe1,
    SENT_ALONE = 0xffe2,
    GROUP_BYTES = 16384 /* Java's batch.size */
};

bool tg__source_again(tg__source *s, tg__source_batch *sb, tg_record *rec,
                      const tg_err *why)
{
    if (why->code != TG_ERR_DATA || rec->stage == SENT_ALONE)
        return false;
    if (s->again == 0)
        tg_debug(MOD, "Looking for the culprit of a refused request: %s",
                 why->text);
    rec->verdict = TG__AGAIN;
    sb->again++;
    s->again++;
    return true;
}

static tg__source_batch *oldest(tg__source *s)
{
    tg__source_batch *found = NULL;

    for (tg__source_batch *sb = s->all; sb; sb = sb->all)
        if (sb->again > 0 && (!found || sb->age < found->age))
            found = sb;
    return found;
}

static int64_t size_of(const tg_record *rec)
{
    return 64 + (rec->key.outlen > 0 ? rec->key.outlen : 0) +
           (rec->value.outlen > 0 ? rec->value.outlen : 0);
}

/* The next records to be sent in one request: [*from, end). */
static uint32_t next_group(const tg_batch *batch, uint32_t *from, bool *alone)
{
    int64_t bytes = 0;
    uint32_t i = 0;

    while (batch->items[i]->verdict != TG__AGAIN)
        i++;
    *from = i;
    *alone = batch->items[i]->stage == SENT_IN_GROUP;
    if (*alone)
        return i + 1;
    for (; i < batch->n && batch->items[i]->verdict == TG__AGAIN &&
           batch->items[i]->stage != SENT_IN_GROUP;
         i++) {
        bytes += size_of(batch->items[i]);
        if (bytes > GROUP_BYTES && i > *from)
            break;
    }
    *alone = i == *from + 1;
    return i;
}

static void mark(tg_batch *batch, uint32_t from, uint32_t end, uint8_t verdict,
                 uint16_t stage)
{
    for (uint32_t i = from; i < end; i++) {
        batch->items[i]->verdict = verdict;
        batch->items[i]->stage = stage;
    }
}

static void refused_at_once(tg__source *s, tg__source_batch *sb, uint32_t at,
                            const tg_err *why)
{
    tg_err err = {0};

    if (tg__source_refuse(s, sb, sb->batch->items[at], why, &err) == 0) {
        tg_offset_tracker_ack(s->tracker, sb->seg, NULL, 0, -1);
    } else if (!s->failed) {
        s->failed = true;
        s->failure = err;
    }
}

static void send_group(tg__source *s, tg__source_batch *sb)
{
    tg_batch *batch = sb->batch;
    uint32_t from, end, at, n = batch->n, queued = 0;
    uint16_t was;
    bool alone;
    tg_err why = {0};
    int rc;

    end = next_group(batch, &from, &alone);
    was = batch->items[from]->stage;
    mark(batch, from, end, TG_KEEP, alone ? SENT_ALONE : SENT_IN_GROUP);
    at = from;
    batch->n = end;
    rc = tg_producer_send(s->producer, batch, &at, &queued, &why);
    batch->n = n;
    sb->pending += queued;
    if (rc < 0 && !why.retriable && !why.fatal && at < end)
        refused_at_once(s, sb, at++, &why);
    mark(batch, at, end, TG__AGAIN, was);
    sb->again -= at - from;
    s->again -= at - from;
}

void tg__source_send_again(tg__source *s)
{
    tg__source_batch *sb;

    if (s->closing || s->failed || tg_producer_outstanding(s->producer) > 0)
        return;
    sb = oldest(s);
    if (!sb)
        return;
    send_group(s, sb);
    if (sb->pending == 0 && sb->again == 0 && sb->handed) {
        sb->next = s->done;
        s->done = sb;
    }
}
