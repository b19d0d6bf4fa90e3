/*
 * Offset tracker: see offset_tracker.h for what it promises.
 *
 *   head                                              tail
 *   [done] -> [unacked 3] -> [acked, 2 holds] -> [unacked 900]
 *     |                            ^  ^
 *     v                            |  `--- hold {seg, last offset} --.
 *   ready[partition] = offset      `--- t/0: hold -> hold -> ...     | FIFO per
 *                                       t/1: hold <------------------' Kafka
 *                                                             partition
 *
 * A hold stands for the acknowledged records of one segment in one Kafka
 * partition that lie beside each other; a release takes holds off the front of
 * the partition's queue. What is done at the head is folded into ready[] at
 * once, so memory follows what is open.
 *
 * Threads: the task's.
 */
#include "task/offset_tracker.h"
#include "base/mem.h"
#include <assert.h>

typedef struct mark {
    int32_t partition;
    uint32_t jsonlen;
    int64_t offset;
    char *json;
} mark;

struct tg_segment {
    tg_segment *next;
    int64_t bytes;
    uint32_t records; /* opened with */
    uint32_t unacked;
    uint32_t holds;
    uint32_t nmarks, capmarks;
    mark *marks;
};

typedef struct held_run {
    tg_segment *seg;
    int64_t last; /* highest Kafka offset */
} held_run;

typedef struct held_partition {
    held_run *ring; /* capacity is a power of two */
    uint32_t cap, head, n;
    int64_t released; /* exclusive */
} held_partition;

typedef struct held_topic {
    char *name;
    held_partition *partitions;
    int32_t n;
    bool free; /* no sink reads it */
} held_topic;

typedef struct ready_offset {
    int64_t offset;
    char *json;
    uint32_t jsonlen;
    bool fresh;      /* not reported yet */
    bool known;      /* set at all */
    uint64_t marked; /* number of the segment that marked it last */
} ready_offset;

struct tg_offset_tracker {
    tg_segment *head, *tail;
    uint64_t opened;
    int64_t max_bytes, max_records;
    int64_t bytes, records, unacked;
    ready_offset *ready; /* by source partition id */
    int32_t nready;
    held_topic *topics;
    uint32_t ntopics;
    uint32_t last_topic;
    bool hold;
};

tg_offset_tracker *tg_offset_tracker_new(int64_t bytes, int64_t records,
                                         bool hold)
{
    tg_offset_tracker *t = tg_calloc(sizeof *t);

    t->max_bytes = bytes;
    t->max_records = records;
    t->hold = hold;
    return t;
}

static void segment_free(tg_segment *seg)
{
    for (uint32_t i = 0; i < seg->nmarks; i++)
        tg_free(seg->marks[i].json);
    tg_free(seg->marks);
    tg_free(seg);
}

void tg_offset_tracker_free(tg_offset_tracker *t)
{
    if (!t)
        return;
    while (t->head) {
        tg_segment *next = t->head->next;
        segment_free(t->head);
        t->head = next;
    }
    for (int32_t i = 0; i < t->nready; i++)
        tg_free(t->ready[i].json);
    for (uint32_t i = 0; i < t->ntopics; i++) {
        for (int32_t p = 0; p < t->topics[i].n; p++)
            tg_free(t->topics[i].partitions[p].ring);
        tg_free(t->topics[i].partitions);
        tg_free(t->topics[i].name);
    }
    tg_free(t->ready);
    tg_free(t->topics);
    tg_free(t);
}

bool tg_offset_tracker_room(const tg_offset_tracker *t, int64_t bytes,
                            int64_t records)
{
    if (t->records == 0)
        return true;
    return t->bytes + bytes <= t->max_bytes &&
           t->records + records <= t->max_records;
}

/* --- segments ------------------------------------------------------------ */

static ready_offset *ready_of(tg_offset_tracker *t, int32_t partition)
{
    assert(partition >= 0);
    if (partition >= t->nready) {
        int32_t n = t->nready ? t->nready : 8;
        while (n <= partition)
            n *= 2;
        t->ready = tg_realloc(t->ready, (size_t)n * sizeof *t->ready);
        memset(t->ready + t->nready, 0,
               (size_t)(n - t->nready) * sizeof *t->ready);
        t->nready = n;
    }
    return &t->ready[partition];
}

static bool segment_done(const tg_segment *seg)
{
    return seg->unacked == 0 && seg->holds == 0;
}

/* Folds the offsets of done segments at the head into ready[]. Invariant: a
 * segment leaves the list here and nowhere else, so no offset behind an open
 * segment can become committable. */
static void advance(tg_offset_tracker *t)
{
    while (t->head && segment_done(t->head)) {
        tg_segment *seg = t->head;
        for (uint32_t i = 0; i < seg->nmarks; i++) {
            mark *m = &seg->marks[i];
            ready_offset *r = ready_of(t, m->partition);
            tg_free(r->json);
            r->json = m->json;
            r->jsonlen = m->jsonlen;
            r->offset = m->offset;
            r->fresh = true;
            r->known = true;
            m->json = NULL;
        }
        t->head = seg->next;
        if (!t->head)
            t->tail = NULL;
        segment_free(seg);
    }
}

/* The window is given back when a segment is done, whatever stands before it:
 * its bytes are then safe in Kafka. */
static void settle(tg_offset_tracker *t, tg_segment *seg)
{
    if (!segment_done(seg))
        return;
    t->bytes -= seg->bytes;
    t->records -= seg->records;
    assert(t->bytes >= 0 && t->records >= 0);
    if (seg == t->head)
        advance(t);
}

tg_segment *tg_offset_tracker_open(tg_offset_tracker *t, int64_t bytes,
                                   uint32_t records)
{
    tg_segment *seg;

    advance(t);
    seg = tg_calloc(sizeof *seg);
    seg->bytes = records ? bytes : 0;
    seg->records = seg->unacked = records;
    t->bytes += seg->bytes;
    t->records += records;
    t->unacked += records;
    t->opened++;
    if (t->tail)
        t->tail->next = seg;
    else
        t->head = seg;
    t->tail = seg;
    return seg;
}

void tg_offset_tracker_mark(tg_offset_tracker *t, tg_segment *seg,
                            int32_t partition, int64_t offset, const char *json,
                            uint32_t jsonlen)
{
    mark *m = NULL;

    for (uint32_t i = 0; i < seg->nmarks && !m; i++)
        if (seg->marks[i].partition == partition)
            m = &seg->marks[i];
    if (!m) {
        if (seg->nmarks == seg->capmarks) {
            seg->capmarks = seg->capmarks ? seg->capmarks * 2 : 1;
            seg->marks =
                tg_realloc(seg->marks, seg->capmarks * sizeof *seg->marks);
        }
        m = &seg->marks[seg->nmarks++];
        *m = (mark){.partition = partition};
    }
    tg_free(m->json);
    m->json = json ? tg_strndup(json, jsonlen) : NULL;
    m->jsonlen = json ? jsonlen : 0;
    m->offset = offset;
    ready_of(t, partition)->marked = t->opened;
}

bool tg_offset_tracker_marked(const tg_offset_tracker *t, const tg_segment *seg,
                              int32_t partition)
{
    assert(seg == t->tail);
    (void)seg;
    return partition < t->nready && t->ready[partition].marked == t->opened;
}

/* --- holds --------------------------------------------------------------- */

static held_topic *topic_of(tg_offset_tracker *t, const char *name)
{
    held_topic *topic;

    if (t->last_topic < t->ntopics &&
        strcmp(t->topics[t->last_topic].name, name) == 0)
        return &t->topics[t->last_topic];
    for (uint32_t i = 0; i < t->ntopics; i++) {
        if (strcmp(t->topics[i].name, name) != 0)
            continue;
        t->last_topic = i;
        return &t->topics[i];
    }
    t->topics = tg_realloc(t->topics, (t->ntopics + 1) * sizeof *t->topics);
    t->last_topic = t->ntopics++;
    topic = &t->topics[t->last_topic];
    *topic = (held_topic){.name = tg_strdup(name)};
    return topic;
}

static held_partition *partition_of(held_topic *topic, int32_t partition)
{
    assert(partition >= 0);
    if (partition >= topic->n) {
        int32_t n = partition + 1;
        topic->partitions =
            tg_realloc(topic->partitions, (size_t)n * sizeof(held_partition));
        memset(topic->partitions + topic->n, 0,
               (size_t)(n - topic->n) * sizeof(held_partition));
        topic->n = n;
    }
    return &topic->partitions[partition];
}

static void hold_push(held_partition *p, held_run h)
{
    if (p->n == p->cap) {
        uint32_t cap = p->cap ? p->cap * 2 : 8;
        held_run *ring = tg_alloc(cap * sizeof *ring);
        for (uint32_t i = 0; i < p->n; i++)
            ring[i] = p->ring[(p->head + i) & (p->cap - 1)];
        tg_free(p->ring);
        p->ring = ring;
        p->cap = cap;
        p->head = 0;
    }
    p->ring[(p->head + p->n++) & (p->cap - 1)] = h;
}

static void hold_record(tg_offset_tracker *t, tg_segment *seg, const char *name,
                        int32_t partition, int64_t offset)
{
    held_topic *topic = topic_of(t, name);
    held_partition *p;

    if (topic->free)
        return;
    p = partition_of(topic, partition);
    if (offset < p->released)
        return;
    if (p->n) {
        held_run *last = &p->ring[(p->head + p->n - 1) & (p->cap - 1)];
        if (last->seg == seg) {
            if (offset > last->last)
                last->last = offset;
            return;
        }
    }
    hold_push(p, (held_run){.seg = seg, .last = offset});
    seg->holds++;
}

/* A record whose offset is not known (acknowledged without one) is held by an
 * offset that only "no sink" can release: never lost, and visible. */
void tg_offset_tracker_ack(tg_offset_tracker *t, tg_segment *seg,
                           const char *topic, int32_t partition,
                           int64_t kafka_offset)
{
    assert(seg->unacked > 0);
    if (t->hold && topic && partition >= 0)
        hold_record(t, seg, topic, partition,
                    kafka_offset >= 0 ? kafka_offset : INT64_MAX - 1);
    seg->unacked--;
    t->unacked--;
    if (seg->unacked == 0)
        settle(t, seg);
}

static bool release_partition(tg_offset_tracker *t, held_partition *p,
                              int64_t upto)
{
    bool any = false;

    while (p->n && p->ring[p->head].last < upto) {
        tg_segment *seg = p->ring[p->head].seg;
        p->head = (p->head + 1) & (p->cap - 1);
        p->n--;
        any = true;
        seg->holds--;
        if (segment_done(seg))
            settle(t, seg);
    }
    return any;
}

bool tg_offset_tracker_release(tg_offset_tracker *t, const char *name,
                               int32_t partition, int64_t kafka_offset)
{
    held_topic *topic;
    held_partition *p;
    bool any = false;

    if (!t->hold)
        return false;
    topic = topic_of(t, name);
    topic->free = kafka_offset < 0;
    if (topic->free) {
        for (int32_t i = 0; i < topic->n; i++)
            any |= release_partition(t, &topic->partitions[i], INT64_MAX);
        return any;
    }
    if (partition < 0)
        return false;
    p = partition_of(topic, partition);
    if (kafka_offset > p->released)
        p->released = kafka_offset;
    return release_partition(t, p, p->released);
}

/* --- reading ------------------------------------------------------------- */

int tg_offset_tracker_take(tg_offset_tracker *t, tg_offset_fn fn, void *ctx)
{
    int n = 0;

    advance(t);
    for (int32_t i = 0; i < t->nready; i++) {
        ready_offset *r = &t->ready[i];
        if (!r->fresh)
            continue;
        r->fresh = false;
        n++;
        fn(ctx, i, r->offset, r->json, r->jsonlen);
    }
    return n;
}

/* The last segment in which a partition was marked has its newest offset. */
void tg_offset_tracker_newest(tg_offset_tracker *t, tg_offset_fn fn, void *ctx)
{
    const mark **last = tg_calloc(((size_t)t->nready + 1) * sizeof *last);

    advance(t);
    for (const tg_segment *seg = t->head; seg; seg = seg->next)
        for (uint32_t i = 0; i < seg->nmarks; i++)
            last[seg->marks[i].partition] = &seg->marks[i];
    for (int32_t i = 0; i < t->nready; i++) {
        const ready_offset *r = &t->ready[i];
        if (last[i])
            fn(ctx, i, last[i]->offset, last[i]->json, last[i]->jsonlen);
        else if (r->known)
            fn(ctx, i, r->offset, r->json, r->jsonlen);
    }
    tg_free(last);
}

int64_t tg_offset_tracker_unacked(const tg_offset_tracker *t)
{
    return t->unacked;
}

int64_t tg_offset_tracker_bytes(const tg_offset_tracker *t)
{
    return t->bytes;
}

int64_t tg_offset_tracker_records(const tg_offset_tracker *t)
{
    return t->records;
}

bool tg_offset_tracker_idle(const tg_offset_tracker *t)
{
    return t->records == 0;
}

const char *tg_offset_tracker_waits_for(const tg_offset_tracker *t,
                                        int32_t *partition,
                                        int64_t *kafka_offset)
{
    for (uint32_t i = 0; i < t->ntopics; i++) {
        for (int32_t p = 0; p < t->topics[i].n; p++) {
            const held_partition *h = &t->topics[i].partitions[p];
            if (h->n == 0)
                continue;
            *partition = p;
            *kafka_offset =
                h->ring[(h->head + h->n - 1) & (h->cap - 1)].last + 1;
            return t->topics[i].name;
        }
    }
    return NULL;
}
