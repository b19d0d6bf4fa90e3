/* Batches with one record, and short ways to decode and encode its value. */
#ifndef TG_TEST_CELLS_H
#define TG_TEST_CELLS_H
#include "base/config.h"
#include "convert/converter.h"
#include "convert/json.h"
#include "data/node.h"
#include "unit.h"

/* A new record's value holding the bytes; the batch is reset first. */
static inline tg_cell *cell_of(tg_batch *batch, const tg_converter *conv,
                               const char *p, size_t len)
{
    tg_batch_reset(batch);
    tg_record *rec = tg_batch_append(batch);
    tg_cell_set_raw(&rec->value, conv, p, (int32_t)len);
    return &rec->value;
}

/* "a=b,c=d" as settings. */
static inline tg_converter *converter(const char *class_name,
                                      const char *settings, const char *role)
{
    tg_err err = {0};
    json_t *config = json_object();
    char *copy = tg_strdup(settings), *save = NULL;
    for (char *s = strtok_r(copy, ",", &save); s;
         s = strtok_r(NULL, ",", &save)) {
        char *eq = strchr(s, '=');
        *eq = 0;
        json_object_set_new(config, s, json_string(eq + 1));
    }
    tg_converter *conv = tg_converter_new(class_name, config, role, &err);
    if (!conv)
        fail_msg("%s", err.text);
    json_decref(config);
    tg_free(copy);
    return conv;
}

/* Encoded value as a terminated text in the arena; "(null)" for null bytes. */
static inline const char *encoded(tg_cell *cell, const tg_converter *conv)
{
    tg_err err = {0};
    if (tg_cell_encode(cell, conv, &err))
        fail_msg("%s", err.text);
    if (cell->outlen < 0)
        return "(null)";
    char *s =
        tg_arena_alloc(cell->record->batch->arena, (size_t)cell->outlen + 1);
    if (cell->outlen)
        memcpy(s, cell->out, (size_t)cell->outlen);
    s[cell->outlen] = 0;
    return s;
}

static inline void decoded(tg_cell *cell)
{
    tg_err err = {0};
    if (tg_cell_decode(cell, &err))
        fail_msg("%s", err.text);
}

static inline int32_t slot_of(const tg_node *node, const char *name)
{
    return tg_slot_find_text(node, name, (uint32_t)strlen(name));
}

#endif
