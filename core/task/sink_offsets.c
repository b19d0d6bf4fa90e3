/*
 * Table of a sink task's partitions. A handful of entries, so they are searched
 * from the one found last.
 *
 * The task's thread.
 */
#include "task/sink_offsets.h"
#include "base/mem.h"
#include "task/chain.h"

void tg__sink_offsets_fini(tg__sink_offsets *o)
{
    for (int i = 0; i < o->n; i++)
        tg_free(o->parts[i].topic);
    tg_free(o->parts);
    *o = (tg__sink_offsets){0};
}

tg__sink_part *tg__sink_offsets_find(tg__sink_offsets *o, const char *topic,
                                     uint32_t topiclen, int32_t partition)
{
    for (int k = 0; k < o->n; k++) {
        int i = o->last + k < o->n ? o->last + k : o->last + k - o->n;
        tg__sink_part *p = &o->parts[i];
        if (p->partition != partition || p->topiclen != topiclen ||
            memcmp(p->topic, topic, topiclen) != 0)
            continue;
        o->last = i;
        return p;
    }
    return NULL;
}

void tg__sink_offsets_assign(tg__sink_offsets *o, const char *topic,
                             int32_t partition, int64_t offset)
{
    uint32_t len = (uint32_t)strlen(topic);
    tg__sink_part *p = tg__sink_offsets_find(o, topic, len, partition);

    if (!p) {
        if (o->n == o->cap) {
            o->cap = o->cap ? o->cap * 2 : 4;
            o->parts = tg_realloc(o->parts, (size_t)o->cap * sizeof *o->parts);
        }
        p = &o->parts[o->n++];
        p->topic = tg_strdup(topic);
        p->topiclen = len;
        p->partition = partition;
    }
    p->start = p->committed = offset >= 0 ? offset : -1;
    p->processed = p->requested = -1;
    p->consumed = false;
}

void tg__sink_offsets_remove(tg__sink_offsets *o, const char *topic,
                             int32_t partition)
{
    tg__sink_part *p =
        tg__sink_offsets_find(o, topic, (uint32_t)strlen(topic), partition);

    if (!p)
        return;
    tg_free(p->topic);
    *p = o->parts[--o->n];
    o->last = 0;
}

static tg__sink_part *part_of(tg__sink_offsets *o, const tg_record *rec)
{
    return tg__sink_offsets_find(o, rec->origin_topic, rec->origin_topiclen,
                                 rec->origin_partition);
}

void tg__sink_offsets_polled(tg__sink_offsets *o, tg_batch *batch)
{
    for (uint32_t i = 0; i < batch->n; i++) {
        tg_record *rec = batch->items[i];
        tg__sink_part *p = part_of(o, rec);
        if (!p) {
            rec->verdict = TG_UNPROCESSED;
            continue;
        }
        if (p->start < 0)
            p->start = rec->origin_offset;
        if (!p->consumed)
            p->consumed = o->news = true;
    }
}

void tg__sink_offsets_done(tg__sink_offsets *o, const tg_batch *batch)
{
    for (uint32_t i = 0; i < batch->n; i++) {
        const tg_record *rec = batch->items[i];
        tg__sink_part *p;
        if (rec->verdict == TG_UNPROCESSED)
            continue;
        p = part_of(o, rec);
        if (p && rec->origin_offset + 1 > p->processed)
            p->processed = rec->origin_offset + 1;
    }
}

static bool among(const tg__sink_part *p, const tg_partition *only, int n)
{
    if (!only)
        return true;
    for (int i = 0; i < n; i++)
        if (only[i].partition == p->partition &&
            strcmp(only[i].topic, p->topic) == 0)
            return true;
    return false;
}

int tg__sink_offsets_take(tg__sink_offsets *o, tg_partition *out,
                          const tg_partition *only, int nonly)
{
    int n = 0;

    for (int i = 0; i < o->n; i++) {
        tg__sink_part *p = &o->parts[i];
        if (p->processed < 0 || p->processed == p->requested ||
            !among(p, only, nonly))
            continue;
        p->requested = p->processed;
        out[n++] = (tg_partition){p->topic, p->partition, p->processed};
    }
    return n;
}

void tg__sink_offsets_answer(tg__sink_offsets *o, const char *topic,
                             int32_t partition, int64_t offset, bool ok)
{
    tg__sink_part *p =
        tg__sink_offsets_find(o, topic, (uint32_t)strlen(topic), partition);

    if (!p)
        return;
    if (ok)
        p->committed = offset;
    else if (p->requested == offset)
        p->requested = p->committed;
}

bool tg__sink_offsets_dirty(const tg__sink_offsets *o)
{
    for (int i = 0; i < o->n; i++)
        if (o->parts[i].processed >= 0 &&
            o->parts[i].processed != o->parts[i].requested)
            return true;
    return false;
}
