/*
 * The undo log of a stage: pre-images of nodes, cells and records in the arena,
 * newest first.
 *
 * An object is saved before its first write in a stage (its epoch differs from
 * the batch's), so putting the images back from the newest to the oldest gives
 * the state at tg_batch_begin. Objects made in the stage are not saved: nothing
 * that remains leads to them. A node is saved with the slots in use; its slot
 * memory stays where it was even when the node grew, as arenas free nothing. A
 * record is saved without key and value, which are cells of their own, but with
 * its array of headers; when they were still unread they are so again and are
 * read once more from the message.
 */
#include "data/internal.h"

enum { SAVED_NODE, SAVED_CELL, SAVED_RECORD };

struct tg_undo {
    tg_undo *next;
    void *target;
    uint32_t kind;
    uint32_t n; /* headers of a record */
};

/* What of a record is saved: all behind the two cells. */
typedef struct record_image {
    char bytes[sizeof(tg_record) - offsetof(tg_record, headers)];
    tg_record_full *last;
} record_image;

/* size: of the image behind the entry. NULL when the arena is full. */
static tg_undo *entry(tg_batch *batch, uint32_t kind, void *target, size_t size)
{
    tg_undo *u = tg_arena_alloc(batch->arena, sizeof *u + size);

    if (!u) {
        tg__fail_full(batch);
        return NULL;
    }
    *u = (tg_undo){batch->undo, target, kind, 0};
    batch->undo = u;
    return u;
}

int tg__undo_node(tg_batch *batch, tg_node *node)
{
    size_t slots = (size_t)node->n * sizeof *node->slots;
    tg_undo *u = entry(batch, SAVED_NODE, node, sizeof *node + slots);

    if (!u)
        return TG_ERR_LIMIT;
    tg_node *image = (tg_node *)(u + 1);
    *image = *node;
    if (slots)
        memcpy(image + 1, node->slots, slots);
    return 0;
}

int tg__undo_cell(tg_batch *batch, tg_cell *cell)
{
    tg_undo *u = entry(batch, SAVED_CELL, cell, sizeof *cell);

    if (!u)
        return TG_ERR_LIMIT;
    memcpy(u + 1, cell, sizeof *cell);
    return 0;
}

int tg__undo_record(tg_batch *batch, tg_record *rec)
{
    size_t headers = (size_t)rec->nheaders * sizeof *rec->headers;
    tg_undo *u =
        entry(batch, SAVED_RECORD, rec, sizeof(record_image) + headers);

    if (!u)
        return TG_ERR_LIMIT;
    record_image *image = (record_image *)(u + 1);
    memcpy(image->bytes, &rec->headers, sizeof image->bytes);
    image->last = ((tg_record_full *)rec)->last;
    u->n = rec->nheaders;
    if (headers)
        memcpy(image + 1, rec->headers, headers);
    return 0;
}

/* --- putting back --------------------------------------------------------- */

static void restore_node(const tg_undo *u)
{
    tg_node *node = u->target;
    const tg_node *image = (const tg_node *)(u + 1);

    *node = *image;
    if (node->n)
        memcpy(node->slots, image + 1, (size_t)node->n * sizeof *node->slots);
}

static void restore_record(const tg_undo *u)
{
    tg_record *rec = u->target;
    const record_image *image = (const record_image *)(u + 1);

    memcpy(&rec->headers, image->bytes, sizeof image->bytes);
    ((tg_record_full *)rec)->last = image->last;
    if (u->n)
        memcpy(rec->headers, image + 1, u->n * sizeof *rec->headers);
}

/* Header cells may have moved: their trees point to where they are again. */
static void relink_headers(tg_record *rec)
{
    for (uint32_t i = 0; i < rec->nheaders; i++) {
        tg_cell *cell = &rec->headers[i].cell;
        if (cell->state == TG_CELL_DECODED && tg_tag_is_node(cell->value.tag))
            tg_node_relink(cell->value.u.node, cell);
    }
}

static void restore_all(tg_batch *batch)
{
    for (const tg_undo *u = batch->undo; u; u = u->next) {
        if (u->kind == SAVED_NODE)
            restore_node(u);
        else if (u->kind == SAVED_CELL)
            memcpy(u->target, u + 1, sizeof(tg_cell));
        else
            restore_record(u);
    }
    for (const tg_undo *u = batch->undo; u; u = u->next)
        if (u->kind == SAVED_RECORD)
            relink_headers(u->target);
    batch->undo = NULL;
}

/* --- stages --------------------------------------------------------------- */

void tg_batch_begin(tg_batch *batch)
{
    batch->undo = NULL;
    batch->epoch = tg__batch_next_epoch(batch);
}

void tg_batch_undo(tg_batch *batch)
{
    if (batch->epoch == 0)
        return;
    restore_all(batch);
    batch->epoch = tg__batch_next_epoch(batch);
}

void tg_batch_commit(tg_batch *batch)
{
    batch->undo = NULL;
    batch->epoch = 0;
}
