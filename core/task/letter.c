/*
 * Making dead letters: what was kept of a record before the chain, and a letter
 * out of it: key, value and headers as they were on the wire, then the context
 * headers of KIP-298 in Kafka Connect's order.
 *
 * The task's thread.
 */
#include "task/letter.h"
#include "base/mem.h"
#include "host/services.h"
#include <stdio.h>

enum { CONTEXT_HEADERS = 10, TRACE_MAX = 8192 };

static const char STACKTRACE[] = "__connect.errors.exception.stacktrace";

/* --- originals ----------------------------------------------------------- */

void tg_dead_letters_keep(const tg_dead_letters *d, tg_batch *batch,
                          tg_originals *out)
{
    *out = (tg_originals){0};
    if (!d || batch->n == 0)
        return;
    out->items = tg_arena_alloc(batch->arena, batch->n * sizeof *out->items);
    if (!out->items)
        return;
    out->n = batch->n;
    for (uint32_t i = 0; i < batch->n; i++) {
        out->items[i].rec = batch->items[i];
        out->items[i].copy = tg_record_copy(batch->items[i]);
    }
}

static bool same_origin(const tg_record *a, const tg_record *b)
{
    if (a->origin_partition != b->origin_partition ||
        a->origin_offset != b->origin_offset ||
        a->origin_topiclen != b->origin_topiclen ||
        (a->origin_topiclen &&
         memcmp(a->origin_topic, b->origin_topic, a->origin_topiclen) != 0))
        return false;
    if (!a->source_offset || !b->source_offset)
        return !a->source_offset && !b->source_offset;
    return a->source_offsetlen == b->source_offsetlen &&
           memcmp(a->source_offset, b->source_offset, a->source_offsetlen) == 0;
}

/* A split record is not among them: what it was split from has its origin. */
tg_record *tg_dead_letters_original(const tg_originals *originals,
                                    const tg_record *rec)
{
    for (uint32_t i = 0; i < originals->n; i++)
        if (originals->items[i].rec == rec)
            return originals->items[i].copy;
    for (uint32_t i = 0; i < originals->n; i++)
        if (same_origin(originals->items[i].rec, rec))
            return originals->items[i].copy;
    return NULL;
}

/* --- making a letter ----------------------------------------------------- */

static void put_bytes(tg_batch *batch, tg_cell *cell, const char *p, size_t len)
{
    cell->out = p && len ? tg_arena_dup(batch->arena, p, len) : p ? "" : NULL;
    cell->outlen = p ? (int32_t)len : -1;
}

/* What a cell is on the wire: as received, else as the task's converter writes
 * it, else JSON. */
static void put_cell(tg_batch *batch, tg_cell *to, tg_cell *from,
                     const tg_converter *conv)
{
    tg_err err = {0};
    uint32_t len = 0;
    const char *text;

    to->out = NULL;
    to->outlen = -1;
    if (from->raw && !from->dirty) {
        put_bytes(batch, to, from->raw, (size_t)from->rawlen);
    } else if (from->state == TG_CELL_NULL) {
        return;
    } else if (tg_cell_encode(from, conv, &err) == 0) {
        if (from->outlen >= 0)
            put_bytes(batch, to, from->out ? from->out : "",
                      (size_t)from->outlen);
    } else if (from->state == TG_CELL_DECODED) {
        text = tg_value_json(from->record->batch, &from->value, &len);
        if (text)
            put_bytes(batch, to, text, len);
    }
}

static tg_header *add_header(tg_record *letter, const char *name, size_t len)
{
    tg_header *h = &letter->headers[letter->nheaders++];

    h->name = tg_arena_dup(letter->batch->arena, name, len);
    h->namelen = h->name ? (uint32_t)len : 0;
    h->cell.record = letter;
    h->cell.outlen = -1;
    return h;
}

static void context_header(tg_record *letter, const char *name,
                           const char *text, size_t len)
{
    tg_header *h = add_header(letter, name, strlen(name));

    put_bytes(letter->batch, &h->cell, text, len);
}

static void context_text(tg_record *letter, const char *name, const char *text)
{
    context_header(letter, name, text, strlen(text));
}

static void context_number(tg_record *letter, const char *name, int64_t n)
{
    char text[24];

    snprintf(text, sizeof text, "%lld", (long long)n);
    context_text(letter, name, text);
}

/* Sinks: the consumed record. Sources have no such coordinates: the topic that
 * the record was for, and the source partition and offset as JSON. */
static void add_origin(tg_record *letter, const tg_record *rec)
{
    static const char topic[] = "__connect.errors.topic",
                      partition[] = "__connect.errors.partition",
                      offset[] = "__connect.errors.offset";
    const char *name = NULL, *text;
    char shortform[128];

    if (rec->origin_topic) {
        context_header(letter, topic, rec->origin_topic, rec->origin_topiclen);
        context_number(letter, partition, rec->origin_partition);
        context_number(letter, offset, rec->origin_offset);
        return;
    }
    if (rec->topiclen)
        context_header(letter, topic, rec->topic, rec->topiclen);
    text = rec->origin_partition >= 0
               ? tg_partition_text(rec->origin_partition, &name)
               : NULL;
    if (!text)
        return;
    context_text(letter, partition, text);
    snprintf(shortform, sizeof shortform, "{\"%.80s\":%lld}",
             name ? name : "offset", (long long)rec->origin_offset);
    if (rec->source_offset)
        context_header(letter, offset, rec->source_offset,
                       rec->source_offsetlen);
    else
        context_text(letter, offset, shortform);
}

/* As Java prints a throwable: class, message, then where it happened. */
static void add_trace(tg_record *letter, const tg_record *rec,
                      const char *exception, const tg_error_stage *stage)
{
    tg_buf text = {0};
    size_t len;

    tg_buf_printf(&text, "%s", exception);
    if (rec->reason)
        tg_buf_printf(&text, ": %.*s", (int)rec->reasonlen, rec->reason);
    tg_buf_printf(&text, "\n\tat %s (%s)", stage->what, stage->class_name);
    if (stage->trace && *stage->trace)
        tg_buf_printf(&text, "\n%s", stage->trace);
    tg_buf_str(&text, "\n");
    len = text.len;
    if (len > TRACE_MAX)
        for (len = TRACE_MAX; len > 0 && (text.p[len] & 0xc0) == 0x80;)
            len--;
    context_header(letter, STACKTRACE, tg_buf_cstr(&text), len);
    tg_buf_fini(&text);
}

static void add_context(const tg_task *task, tg_record *letter,
                        const tg_record *rec, const tg_record *original,
                        const tg_error_stage *stage)
{
    const char *exception = stage->exception
                                ? stage->exception
                                : "org.apache.kafka.connect.errors."
                                  "DataException";

    add_origin(letter, original);
    context_text(letter, "__connect.errors.connector.name", task->name);
    context_number(letter, "__connect.errors.task.id", task->id);
    context_text(letter, "__connect.errors.stage", stage->stage);
    context_text(letter, "__connect.errors.class.name", stage->class_name);
    context_text(letter, "__connect.errors.exception.class.name", exception);
    context_header(letter, "__connect.errors.exception.message", rec->reason,
                   rec->reasonlen);
    add_trace(letter, rec, exception, stage);
}

uint32_t tg__letter_headers(tg_record *original)
{
    int n = tg_record_headers(original);

    /* no memory for them: better without than not at all */
    return (n > 0 ? (uint32_t)n : 0) + CONTEXT_HEADERS;
}

void tg__letter_write(const tg_task *task, bool context, tg_record *letter,
                      const tg_record *rec, tg_record *original,
                      const tg_error_stage *stage)
{
    tg_batch *batch = letter->batch;
    const tg_chain *chain = task->chain;
    char place[600];

    put_cell(batch, &letter->key, &original->key, tg_chain_key(chain));
    put_cell(batch, &letter->value, &original->value, tg_chain_value(chain));
    letter->timestamp = original->timestamp;
    letter->timestamp_type = original->timestamp_type;
    for (uint32_t i = 0; i < original->nheaders; i++) {
        tg_header *h = &original->headers[i];
        put_cell(batch, &add_header(letter, h->name, h->namelen)->cell,
                 &h->cell, tg_chain_header(chain));
    }
    if (context)
        add_context(task, letter, rec, original, stage);
    tg_record_place(rec, place, sizeof place);
    letter->reason = tg_arena_dup(batch->arena, place, strlen(place) + 1);
}

bool tg__letter_has_trace(const tg_record *letter)
{
    const tg_header *h;

    if (!letter->nheaders)
        return false;
    h = &letter->headers[letter->nheaders - 1];
    return h->namelen == sizeof STACKTRACE - 1 && h->cell.outlen >= 0 &&
           memcmp(h->name, STACKTRACE, h->namelen) == 0;
}

static void copy_bytes(tg_batch *batch, tg_cell *to, const tg_cell *from)
{
    put_bytes(batch, to, from->outlen < 0 ? NULL : from->out,
              (size_t)from->outlen);
}

void tg__letter_copy(tg_record *letter, const tg_record *old, uint32_t headers)
{
    tg_batch *batch = letter->batch;

    copy_bytes(batch, &letter->key, &old->key);
    copy_bytes(batch, &letter->value, &old->value);
    letter->timestamp = old->timestamp;
    letter->timestamp_type = old->timestamp_type;
    for (uint32_t i = 0; i < headers; i++) {
        const tg_header *h = &old->headers[i];
        copy_bytes(batch, &add_header(letter, h->name, h->namelen)->cell,
                   &h->cell);
    }
    letter->reason = old->reason ? tg_arena_dup(batch->arena, old->reason,
                                                strlen(old->reason) + 1)
                                 : NULL;
}
