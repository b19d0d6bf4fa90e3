/*
 * The JSON decoder and encoder. Whatever is taken must come out as it came in
 * while untouched, and once it is written anew it must read back as the same
 * value; what is refused must come with a sentence. The text has its exact size
 * in memory, so that a read behind the end is seen.
 */
#include "convert/converter.h"
#include "convert/json.h"
#include "data/node.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static tg_batch *batch;
static tg_site site;

static void mark_all(const tg_value *v)
{
    if (v->tag < TG_ARRAY)
        return;
    if (tg_node_touch(v->u.node))
        abort();
    for (uint32_t i = 0; i < v->u.node->n; i++)
        mark_all(&v->u.node->slots[i]);
}

static void read_all(const tg_value *v)
{
    uint32_t len;
    int32_t ok;
    tg_value_text(batch, v, &len);
    tg_value_number(v, &ok);
    tg_value_int64(v, &ok);
    for (uint32_t i = 0; v->tag >= TG_ARRAY && i < v->u.node->n; i++)
        read_all(&v->u.node->slots[i]);
}

static void write_and_read_back(tg_cell *cell)
{
    const tg_converter *json = tg_converter_named("json");
    tg_value again;
    tg_err err = {0};
    mark_all(&cell->value);
    cell->dirty = 1;
    if (tg_cell_encode(cell, json, &err))
        abort();
    if (cell->outlen < 0)
        return;
    if (tg_json_decode(batch, cell, &site, cell->out, (size_t)cell->outlen,
                       &again, &err) ||
        !tg_value_equal(&cell->value, &again))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tg_err err = {0};
    if (!batch)
        batch = tg_batch_new(0, 0);
    const tg_converter *json = tg_converter_named("json");
    char *text = malloc(size + !size);
    if (size)
        memcpy(text, data, size);
    tg_batch_reset(batch);
    tg_cell *cell = &tg_batch_append(batch)->value;
    tg_cell_set_raw(cell, json, text, (int32_t)size);
    if (tg_cell_decode(cell, &err)) {
        if (err.code != TG_ERR_DATA || !err.text[0])
            abort();
    } else {
        read_all(&cell->value);
        if (tg_cell_encode(cell, json, &err) || cell->out != text)
            abort();
        write_and_read_back(cell);
    }
    tg_batch_reset(batch);
    free(text);
    return 0;
}
