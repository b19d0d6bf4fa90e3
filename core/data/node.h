/*
 * Building and walking trees of values: what the codecs use. Lua's accessors
 * (tg_put_*, tg_value_*) are declared in ffi/tidegate.h and implemented in this
 * folder. Nodes live in the batch arena. Script thread.
 */
#ifndef TG_DATA_NODE_H
#define TG_DATA_NODE_H
#include "data/batch.h"

enum { TG_MAX_DEPTH = 512 };

/* A node with room for n slots (plus spare). NULL at the arena's limit. */
tg_node *tg_node_new(tg_batch *batch, int kind, tg_shape *shape, uint32_t n);
/* Marks a node and its parents and cell as changed; saves for undo. 0 or
 * TG_ERR_LIMIT. Every writer calls it before the first change. */
int tg_node_touch(tg_node *node);
int tg_cell_touch(tg_cell *cell);
int tg_record_touch(tg_record *rec);

/* Equality of values as Connect compares them (kind-insensitive between integer
 * widths; number texts by value). */
bool tg_value_equal(const tg_value *a, const tg_value *b);
int tg_value_copy(tg_batch *batch, tg_cell *cell, tg_node *parent,
                  const tg_value *from, tg_value *to);

#endif
