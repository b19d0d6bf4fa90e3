/*
 * Building and walking trees of values: what the codecs use. Lua's accessors
 * (tg_put_*, tg_value_*) are declared in ffi/tidegate.h and implemented in this
 * folder. Nodes live in the batch arena. Script thread.
 */
#ifndef TG_DATA_NODE_H
#define TG_DATA_NODE_H
#include "data/batch.h"

enum { TG_MAX_DEPTH = 512 };

/* A node with room for n slots (plus spare) and n == 0 in use: the caller sets
 * n, fills the slots, and sets parent, cell, src and srclen. Clean, unsaved
 * (epoch 0). NULL at the arena's limit. */
tg_node *tg_node_new(tg_batch *batch, int kind, tg_shape *shape, uint32_t n);
/* Marks a node and its parents and cell as changed; saves for undo. 0 or
 * TG_ERR_LIMIT. Every writer calls it before the first change. */
int tg_node_touch(tg_node *node);
int tg_cell_touch(tg_cell *cell);
int tg_record_touch(tg_record *rec);

/* A script's or transform's new value for a whole cell, with its schema (NULL:
 * none): saves for undo and marks the cell. A scalar's text is copied, a tree
 * must have the cell as its own. 0 or TG_ERR_LIMIT. */
int tg_cell_store(tg_cell *cell, tg_value *v, const tg_schema *schema);

/* Equality of values as Connect compares them (kind-insensitive between integer
 * widths; number texts by value). */
bool tg_value_equal(const tg_value *a, const tg_value *b);
/* Deep copy for a cell: texts, names and nodes are copied into the batch, so
 * from may live in any batch. New nodes get cell and parent, no src, dirty.
 * 0 or TG_ERR_LIMIT. */
int tg_value_copy(tg_batch *batch, tg_cell *cell, tg_node *parent,
                  const tg_value *from, tg_value *to);
/* Room for n slots in total; the slots may move. 0 or TG_ERR_LIMIT. */
int tg_node_reserve(tg_node *node, uint32_t n);
/* Schema of an object or array in a tree with a schema; NULL if it has none. */
const tg_schema *tg_node_schema(const tg_node *node);
/* Schema of a slot that exists: of the field, element, key or value. */
const tg_schema *tg_slot_schema(const tg_node *node, int32_t slot);
/* tg_put_copy of a value that has this schema (NULL: none). */
int32_t tg_put_copy_as(tg_node *node, int32_t slot, const tg_name *name,
                       const tg_value *v, const tg_schema *schema);
/* Sets the cell of a tree again after its cell moved in memory; of the whole
 * tree, as undo can have put back the cell of some nodes only. */
void tg_node_relink(tg_node *node, tg_cell *cell);
/* JSON string text (without the quotes) to UTF-8; out has room for len bytes.
 * Lone surrogates become U+FFFD. Returns the length. The text is known to be
 * valid JSON; anything else is copied as it is, never beyond out. */
uint32_t tg_text_unescape(char *out, const char *p, uint32_t len);
/* Byte offset of the first byte that is not UTF-8, or -1. */
int64_t tg_text_check(const char *p, size_t len);

static inline bool tg_tag_is_int(int tag)
{
    return tag >= TG_INT8 && tag <= TG_INT64;
}
static inline bool tg_tag_is_float(int tag)
{
    return tag == TG_FLOAT32 || tag == TG_FLOAT64;
}
static inline bool tg_tag_is_number(int tag)
{
    return tag >= TG_INT8 && tag <= TG_NUM;
}
static inline bool tg_tag_is_node(int tag)
{
    return tag >= TG_ARRAY && tag <= TG_PAIRS;
}

#endif
