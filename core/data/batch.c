/*
 * Batches: the arena, the array of records, and what is let go with them.
 *
 * Records come from slabs in the arena, so appending one is a bump of an index
 * and the clearing of 280 bytes. The array of pointers to them and the list of
 * release functions stay allocated from poll to poll. One owner at a time.
 */
#include "data/internal.h"
#include <stdatomic.h>

enum { FIRST_SLAB = 4, SLAB = 64, FIRST_ITEMS = 64, LAYOUTS = 31 };

typedef struct release {
    void (*fn)(void *);
    void *arg;
} release;

typedef struct tg_batch_full {
    tg_batch b;
    tg_arena arena;
    tg_record_full *slab; /* next free record, or NULL */
    uint32_t slab_left, slab_size;
    uint32_t epochs; /* stages so far */
    uint32_t resets;
    uint32_t nreleases, capreleases;
    release *releases;
    int (*load_headers)(const void *arg, tg_record *rec); /* or NULL */
    const void *load_arg;
} tg_batch_full;

int (*tg_cell_open_hook)(tg_cell *cell, tg_err *err);
int (*tg_schema_default_hook)(tg_node *parent, const tg_schema *schema,
                              tg_value *out, tg_err *err);
int (*tg_value_json_hook)(tg_buf *out, const tg_value *v, tg_err *err);
int (*tg_decimal_hook)(tg_batch *batch, const tg_schema *from,
                       const tg_value *v, const tg_schema *to, tg_value *out,
                       tg_err *err);
const tg_converter *(*tg_converter_named_hook)(const char *name);

static tg_batch_full *full(tg_batch *batch)
{
    return (tg_batch_full *)batch;
}

static uint32_t new_serial(void)
{
    static _Atomic uint32_t last;
    uint32_t serial;

    do
        serial = atomic_fetch_add(&last, 1) + 1;
    while (serial == 0);
    return serial;
}

/* --- life ----------------------------------------------------------------- */

tg_batch *tg_batch_new(uint32_t max_records, size_t limit)
{
    tg_batch_full *f = tg_calloc(sizeof *f);

    tg_arena_init(&f->arena, limit);
    f->b.arena = &f->arena;
    f->b.max = max_records;
    f->b.serial = new_serial();
    return &f->b;
}

static void release_all(tg_batch_full *f)
{
    while (f->nreleases > 0) {
        release r = f->releases[--f->nreleases];
        r.fn(r.arg);
    }
}

void tg_batch_free(tg_batch *batch)
{
    if (!batch)
        return;
    tg_batch_full *f = full(batch);
    release_all(f);
    tg_arena_fini(&f->arena);
    tg_free(f->releases);
    tg_free(f->b.items);
    tg_free(f);
}

/* Batches of like records are laid out alike, so that a view that a script kept
 * would point exactly at a record or node of the next batch, with the right
 * serial. Each batch starts a word further on than the one before, so that it
 * points between them and is found out, in any of the next few batches. */
static void shift_layout(tg_batch_full *f)
{
    if (f->arena.chunks)
        tg_arena_alloc(&f->arena, (1 + f->resets++ % LAYOUTS) * 8);
}

void tg_batch_reset(tg_batch *batch)
{
    tg_batch_full *f = full(batch);

    release_all(f);
    tg_arena_reset(&f->arena);
    shift_layout(f);
    f->slab = NULL;
    f->slab_left = 0;
    f->slab_size = 0;
    f->load_headers = NULL;
    batch->n = 0;
    batch->lo = 0;
    batch->hi = 0;
    batch->cursor = 0;
    batch->epoch = 0;
    batch->undo = NULL;
    batch->bytes = 0;
    batch->serial = new_serial();
}

void tg_batch_on_release(tg_batch *batch, void (*fn)(void *), void *arg)
{
    tg_batch_full *f = full(batch);

    if (f->nreleases == f->capreleases) {
        f->capreleases = f->capreleases ? f->capreleases * 2 : 16;
        f->releases =
            tg_realloc(f->releases, f->capreleases * sizeof *f->releases);
    }
    f->releases[f->nreleases++] = (release){fn, arg};
}

void tg_batch_on_headers(tg_batch *batch,
                         int (*load)(const void *arg, tg_record *rec),
                         const void *arg)
{
    tg_batch_full *f = full(batch);

    f->load_headers = load;
    f->load_arg = arg;
}

int tg__batch_load_headers(tg_record *rec)
{
    tg_batch_full *f = full(rec->batch);

    return f->load_headers ? f->load_headers(f->load_arg, rec) : TG_OK;
}

uint32_t tg__batch_next_epoch(tg_batch *batch)
{
    tg_batch_full *f = full(batch);

    if (++f->epochs == 0)
        f->epochs = 1;
    return f->epochs;
}

/* --- records -------------------------------------------------------------- */

static int slab_new(tg_batch_full *f)
{
    uint32_t n = f->slab_size ? f->slab_size * 4 : FIRST_SLAB;

    if (n > SLAB)
        n = SLAB;
    f->slab = tg_arena_alloc(&f->arena, n * sizeof *f->slab);
    if (!f->slab)
        return tg__fail_full(&f->b);
    f->slab_left = n;
    f->slab_size = n;
    return 0;
}

tg_record_full *tg__record_new(tg_batch *batch)
{
    tg_batch_full *f = full(batch);

    if (f->slab_left == 0 && slab_new(f))
        return NULL;
    tg_record_full *r = f->slab++;
    f->slab_left--;
    memset(r, 0, sizeof *r);
    r->last = r;
    r->rec.batch = batch;
    r->rec.key.record = &r->rec;
    r->rec.key.outlen = -1;
    r->rec.value.record = &r->rec;
    r->rec.value.outlen = -1;
    r->rec.partition = -1;
    r->rec.timestamp = -1;
    r->rec.origin_partition = -1;
    r->rec.origin_offset = -1;
    return r;
}

static void items_room(tg_batch *batch, uint32_t n)
{
    if (n <= batch->cap)
        return;
    uint32_t cap = batch->cap ? batch->cap * 2 : FIRST_ITEMS;
    if (cap < n)
        cap = n;
    batch->items = tg_realloc(batch->items, cap * sizeof *batch->items);
    batch->cap = cap;
}

tg_record *tg_batch_append(tg_batch *batch)
{
    if (!batch) {
        tg__fail(TG_ERR_ARG, "there is no batch to append to");
        return NULL;
    }
    if (batch->epoch) {
        tg__fail(TG_ERR_STATE, "only a source appends records to a batch; in a "
                               "transform make new ones from others (split)");
        return NULL;
    }
    if (batch->max && batch->n >= batch->max) {
        tg__fail(TG_ERR_LIMIT,
                 "the batch is full: it takes %u records; return from poll "
                 "and append the rest next time",
                 batch->max);
        return NULL;
    }
    tg_record_full *r = tg__record_new(batch);
    if (!r)
        return NULL;
    items_room(batch, batch->n + 1);
    batch->items[batch->n++] = &r->rec;
    batch->hi = batch->n;
    return &r->rec;
}

/* --- splits --------------------------------------------------------------- */

static uint32_t chain_length(const tg_record *rec)
{
    uint32_t n = 1;

    while ((rec = rec->split) != NULL)
        n++;
    return n;
}

/* Writes rec and what was split off it from items[at] on and unlinks them. */
static void chain_unfold(tg_record *rec, tg_record **at)
{
    while (rec) {
        tg_record_full *r = (tg_record_full *)rec;
        tg_record *next = rec->split;
        *at++ = rec;
        rec->split = NULL;
        r->origin = NULL;
        r->last = r;
        rec = next;
    }
}

void tg_batch_settle(tg_batch *batch)
{
    uint32_t total = 0;

    tg_batch_commit(batch);
    for (uint32_t i = 0; i < batch->n; i++)
        total += chain_length(batch->items[i]);
    if (total > batch->n) {
        uint32_t from = batch->n, to = total;
        items_room(batch, total);
        while (from > 0 && to > from) {
            tg_record *rec = batch->items[--from];
            to -= chain_length(rec);
            chain_unfold(rec, batch->items + to);
        }
        batch->n = total;
    }
    batch->lo = 0;
    batch->hi = batch->n;
}
