/*
 * Building maps with text keys from binary formats: the layout is guessed from
 * the last one at the same place, so that a map with the keys of the one before
 * costs a comparison each and no hashing. Script thread; maps nest.
 */
#ifndef TG_CONVERT_MAP_BUILD_H
#define TG_CONVERT_MAP_BUILD_H
#include "data/node.h"
#include "data/shape.h"

typedef struct tg_map_build {
    tg_batch *batch;
    tg_node *node; /* TG_MAP; cell and parent are set */
    tg_site *site;
    tg_shape *guess;
    size_t base; /* names below are those of maps around it */
    bool as_guessed;
} tg_map_build;

/* Begins a map; site NULL: nothing is known of its keys. 0 or TG_ERR_LIMIT. */
int tg__map_begin(tg_map_build *m, tg_batch *batch, tg_cell *cell,
                  tg_node *parent, tg_site *site);
/* Slot for the value of the next key, and the site of objects in it. The slot
 * is valid until the next call. NULL: the key is no UTF-8 (*bad), or the batch
 * is full. A key that was there before wins over the earlier one. */
tg_value *tg__map_key(tg_map_build *m, const char *key, uint32_t len,
                      tg_site **below, bool *bad);
/* Gives the node its layout. 0 or TG_ERR_LIMIT. */
int tg__map_end(tg_map_build *m);
/* Instead of tg__map_end, after an error. */
void tg__map_drop(tg_map_build *m);

/* Room for one more slot of a node; 0 or TG_ERR_LIMIT. */
int tg__slots_grow(tg_batch *batch, tg_node *node, uint32_t n);

#endif
