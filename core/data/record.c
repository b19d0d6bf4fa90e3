/*
 * Records: where they go, what becomes of them, headers, and splitting.
 *
 * Records split off one origin hang on it as one chain, each behind the record
 * it was made from and behind what was made from that before: the order in
 * which tg_batch_settle puts them into the batch. last shortens the walk.
 * Script thread; arguments come from scripts.
 */
#include "data/internal.h"
#include <stdio.h>

enum { TOPIC_MAX = 249, FIRST_HEADERS = 4, REASON_MAX = 1024 };

static int no_record(void)
{
    return tg__fail(TG_ERR_ARG, "there is no record to write to");
}

/* Touches the record and copies a text for it. */
static int touch_dup(tg_record *rec, const char *p, uint32_t len,
                     const char **out)
{
    char *copy = tg_arena_alloc(rec->batch->arena, (size_t)len + 1);

    if (!copy)
        return tg__fail_full(rec->batch);
    if (len)
        memcpy(copy, p, len);
    copy[len] = 0;
    if (tg_record_touch(rec))
        return TG_ERR_LIMIT;
    *out = copy;
    return 0;
}

/* --- where it goes -------------------------------------------------------- */

static bool legal_topic(const char *p, uint32_t len)
{
    if (len == 0 || len > TOPIC_MAX)
        return false;
    for (uint32_t i = 0; i < len; i++) {
        char c = p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'))
            return false;
    }
    return !(p[0] == '.' && (len == 1 || (len == 2 && p[1] == '.')));
}

int32_t tg_record_set_topic(tg_record *rec, const char *p, uint32_t len)
{
    if (!rec || !p)
        return no_record();
    if (rec->topic && rec->topiclen == len && memcmp(rec->topic, p, len) == 0)
        return 0;
    if (!legal_topic(p, len))
        return tg__fail(TG_ERR_DATA,
                        "'%.*s' is no topic name; 1 to %d characters of a-z, "
                        "A-Z, 0-9, '.', '_' and '-' are accepted",
                        (int)(len < 300 ? len : 300), p, TOPIC_MAX);
    int rc = touch_dup(rec, p, len, &rec->topic);
    if (!rc)
        rec->topiclen = len;
    return rc;
}

int32_t tg_record_set_partition(tg_record *rec, int32_t partition)
{
    if (!rec)
        return no_record();
    if (partition < -1)
        return tg__fail(TG_ERR_DATA,
                        "partition %d is not possible; 0 and above, or -1 to "
                        "let the producer choose",
                        partition);
    if (rec->partition == partition)
        return 0;
    if (tg_record_touch(rec))
        return TG_ERR_LIMIT;
    rec->partition = partition;
    return 0;
}

int32_t tg_record_set_timestamp(tg_record *rec, int64_t ms)
{
    if (!rec)
        return no_record();
    if (ms < -1)
        return tg__fail(TG_ERR_DATA,
                        "timestamp %lld is not possible; milliseconds since "
                        "1970 are accepted, or -1 for none",
                        (long long)ms);
    if (rec->timestamp == ms)
        return 0;
    if (tg_record_touch(rec))
        return TG_ERR_LIMIT;
    rec->timestamp = ms;
    rec->timestamp_type = ms < 0 ? TG_TIME_NONE : TG_TIME_CREATE;
    return 0;
}

/* --- verdicts ------------------------------------------------------------- */

int32_t tg_record_set_verdict(tg_record *rec, int32_t verdict,
                              const char *reason, uint32_t len)
{
    const char *copy = NULL;
    int rc;

    if (!rec)
        return no_record();
    if (verdict < TG_KEEP || verdict > TG_DONE)
        return tg__fail(TG_ERR_ARG, "verdict %d is unknown", verdict);
    if (!reason)
        len = 0;
    if (rec->verdict == verdict && len == 0 && rec->reasonlen == 0)
        return 0;
    rc = len ? touch_dup(rec, reason, len, &copy) : tg_record_touch(rec);
    if (rc)
        return rc;
    rec->verdict = (uint8_t)verdict;
    rec->reason = copy;
    rec->reasonlen = len;
    return 0;
}

void tg_record_reject(tg_record *rec, const char *fmt, ...)
{
    static const char full[] = "rejected; the batch has no room for the reason";
    char text[REASON_MAX];
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    uint32_t len = n < 0                  ? 0
                   : n < (int)sizeof text ? (uint32_t)n
                                          : (uint32_t)sizeof text - 1;
    char *copy = tg_arena_dup(rec->batch->arena, text, len + 1u);
    rec->verdict = TG_REJECT;
    rec->reason = copy ? copy : full;
    rec->reasonlen = copy ? len : (uint32_t)sizeof full - 1;
}

/* --- sources -------------------------------------------------------------- */

int32_t tg_record_set_source(tg_record *rec, int32_t partition, int64_t offset)
{
    if (!rec)
        return no_record();
    if (tg_record_touch(rec))
        return TG_ERR_LIMIT;
    rec->origin_partition = partition;
    rec->origin_offset = offset;
    rec->source_offset = NULL;
    rec->source_offsetlen = 0;
    return 0;
}

int32_t tg_record_set_source_json(tg_record *rec, int32_t partition,
                                  const char *json, uint32_t len)
{
    if (!rec || !json || len == 0)
        return no_record();
    int rc = touch_dup(rec, json, len, &rec->source_offset);
    if (rc)
        return rc;
    rec->source_offsetlen = len;
    rec->origin_partition = partition;
    rec->origin_offset = -1;
    return 0;
}

/* --- headers -------------------------------------------------------------- */

int32_t tg_record_headers(tg_record *rec)
{
    if (!rec)
        return no_record();
    if (!rec->unread)
        return (int32_t)rec->nheaders;
    if (tg__batch_load_headers(rec)) {
        tg__fail(TG_ERR_DATA,
                 "%.*s-%d at offset %lld: the headers do not fit into the "
                 "memory of the batch; use smaller batches or records",
                 (int)rec->origin_topiclen, rec->origin_topic,
                 rec->origin_partition, (long long)rec->origin_offset);
        tg_record_reject(rec, "%s", tg_ffi_error());
        return TG_ERR_DATA;
    }
    rec->unread = NULL;
    return (int32_t)rec->nheaders;
}

int32_t tg_header_find(tg_record *rec, const char *name, uint32_t len,
                       int32_t from)
{
    if (!rec || (!name && len) || from < 0 || tg_record_headers(rec) < 0)
        return -1;
    for (uint32_t i = (uint32_t)from; i < rec->nheaders; i++)
        if (rec->headers[i].namelen == len &&
            (len == 0 || memcmp(rec->headers[i].name, name, len) == 0))
            return (int32_t)i;
    return -1;
}

/* Trees of header cells that moved point to where their cell is now. */
static void relink(tg_record *rec, uint32_t from)
{
    for (uint32_t i = from; i < rec->nheaders; i++) {
        tg_cell *cell = &rec->headers[i].cell;
        if (cell->state == TG_CELL_DECODED && tg_tag_is_node(cell->value.tag))
            tg_node_relink(cell->value.u.node, cell);
    }
}

static int headers_room(tg_record *rec)
{
    if (rec->nheaders < rec->capheaders)
        return 0;
    uint32_t cap = rec->capheaders ? rec->capheaders * 2 : FIRST_HEADERS;
    tg_header *headers =
        tg_arena_alloc(rec->batch->arena, cap * sizeof *headers);
    if (!headers)
        return tg__fail_full(rec->batch);
    if (rec->nheaders)
        memcpy(headers, rec->headers, rec->nheaders * sizeof *headers);
    rec->headers = headers;
    rec->capheaders = cap;
    relink(rec, 0);
    return 0;
}

int32_t tg_header_add(tg_record *rec, const char *name, uint32_t len)
{
    const char *copy = NULL;

    if (!rec || (!name && len))
        return no_record();
    int rc = tg_record_headers(rec);
    if (rc < 0 || (rc = touch_dup(rec, name, len, &copy)) ||
        (rc = headers_room(rec)))
        return rc;
    tg_header *h = &rec->headers[rec->nheaders];
    memset(h, 0, sizeof *h);
    h->name = copy;
    h->namelen = len;
    h->cell.record = rec;
    h->cell.outlen = -1;
    h->cell.value.tag = TG_NULL;
    h->cell.epoch = rec->epoch;
    h->cell.dirty = 1;
    return (int32_t)rec->nheaders++;
}

int32_t tg_header_remove(tg_record *rec, int32_t i)
{
    int rc = rec ? tg_record_headers(rec) : 0;
    if (rc < 0)
        return rc;
    if (i < 0 || i >= rc)
        return tg__fail(TG_ERR_ARG, "the record has no header %d", i + 1);
    if (tg_record_touch(rec))
        return TG_ERR_LIMIT;
    uint32_t rest = rec->nheaders - (uint32_t)i - 1;
    memmove(rec->headers + i, rec->headers + i + 1,
            rest * sizeof *rec->headers);
    rec->nheaders--;
    relink(rec, (uint32_t)i);
    return 0;
}

/* --- splitting ------------------------------------------------------------ */

static int copy_cell(tg_batch *batch, tg_cell *cell, const tg_cell *from,
                     tg_record *rec)
{
    *cell = *from;
    cell->record = rec;
    cell->epoch = batch->epoch;
    cell->out = NULL;
    cell->outlen = -1;
    if (cell->state != TG_CELL_DECODED)
        return 0;
    return tg__value_share(batch, cell, NULL, &from->value, &cell->value);
}

static int copy_headers(tg_batch *batch, tg_record *to, const tg_record *from)
{
    uint32_t n = from->nheaders;

    to->headers = NULL;
    to->nheaders = 0;
    to->capheaders = 0;
    if (n == 0)
        return 0;
    to->headers = tg_arena_alloc(batch->arena, n * sizeof *to->headers);
    if (!to->headers)
        return tg__fail_full(batch);
    to->capheaders = n;
    for (uint32_t i = 0; i < n; i++) {
        to->headers[i] = from->headers[i];
        int rc =
            copy_cell(batch, &to->headers[i].cell, &from->headers[i].cell, to);
        if (rc)
            return rc;
        to->nheaders = i + 1;
    }
    return 0;
}

/* Hangs r behind the chain that starts at its origin. */
static int link_split(tg_record_full *origin, tg_record_full *r)
{
    tg_record_full *tail = origin->last;

    if (tg_record_touch(&tail->rec))
        return TG_ERR_LIMIT;
    for (tg_record_full *o = origin; o && o->last == tail; o = o->origin)
        if (tg_record_touch(&o->rec))
            return TG_ERR_LIMIT;
    r->origin = origin;
    r->rec.split = tail->rec.split;
    tail->rec.split = &r->rec;
    for (tg_record_full *o = origin; o && o->last == tail; o = o->origin)
        o->last = r;
    return 0;
}

tg_record *tg_record_copy(const tg_record *rec)
{
    tg_batch *batch = rec->batch;
    tg_record_full *r = tg__record_new(batch);

    if (!r)
        return NULL;
    tg_record *to = &r->rec;
    *to = *rec;
    to->epoch = batch->epoch;
    to->split = NULL;
    to->verdict = TG_KEEP;
    to->reason = NULL;
    to->reasonlen = 0;
    if (copy_cell(batch, &to->key, &rec->key, to) ||
        copy_cell(batch, &to->value, &rec->value, to) ||
        copy_headers(batch, to, rec))
        return NULL;
    return to;
}

tg_record *tg_record_split(tg_record *rec)
{
    if (!rec) {
        no_record();
        return NULL;
    }
    tg_record *to = tg_record_copy(rec);
    if (!to || link_split((tg_record_full *)rec, (tg_record_full *)to))
        return NULL;
    return to;
}
