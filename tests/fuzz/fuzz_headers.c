/*
 * Header texts: whatever arrives gets a type and keeps its bytes, and the value
 * can be written anew by every converter or is refused with a sentence. The
 * text has its exact size in memory, so that a read behind the end is seen.
 */
#include "convert/converter.h"
#include "data/node.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CONVERTERS = 7 };

static tg_batch *batch;
static tg_converter *convs[CONVERTERS];

static void setup(void)
{
    static const char *const classes[CONVERTERS] = {
        "SimpleHeaderConverter", "JsonConverter",    "StringConverter",
        "ByteArrayConverter",    "IntegerConverter", "DoubleConverter",
        "BooleanConverter"};
    batch = tg_batch_new(0, 0);
    for (int i = 0; i < CONVERTERS; i++)
        convs[i] = tg_converter_new(classes[i], NULL, "header", NULL);
}

static void mark_all(const tg_value *v)
{
    if (v->tag < TG_ARRAY)
        return;
    v->u.node->dirty = 1;
    for (uint32_t i = 0; i < v->u.node->n; i++)
        mark_all(&v->u.node->slots[i]);
}

static void write_anew(tg_cell *cell)
{
    tg_err err = {0};
    mark_all(&cell->value);
    cell->dirty = 1;
    for (int i = 0; i < CONVERTERS; i++) {
        int rc = tg_cell_encode(cell, convs[i], &err);
        bool simple = i == 0 || i == 2; /* they write everything */
        if (rc && (simple || rc != TG_ERR_DATA || !err.text[0]))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tg_err err = {0};
    if (!batch)
        setup();
    char *text = malloc(size + !size);
    if (size)
        memcpy(text, data, size);
    tg_cell *cell = &tg_batch_append(batch)->value;
    tg_cell_set_raw(cell, convs[0], text, (int32_t)size);
    if (tg_cell_encode(cell, convs[0], &err) || cell->state != TG_CELL_RAW)
        abort(); /* nobody looked */
    if (tg_cell_decode(cell, &err) || tg_cell_encode(cell, convs[0], &err) ||
        cell->out != text)
        abort();
    write_anew(cell);
    tg_batch_reset(batch);
    free(text);
    return 0;
}
