/*
 * One value as another primitive type, the way Kafka Connect's Cast does it.
 * Script thread.
 */
#ifndef TG_TRANSFORM_CAST_VALUE_H
#define TG_TRANSFORM_CAST_VALUE_H
#include "data/batch.h"
#include "data/schema.h"

/* v, which is not null and has this schema (NULL: none), as tag: TG_INT8 ...
 * TG_FLOAT64, TG_BOOL or TG_STR. Texts are made in the arena of the batch. 0,
 * TG_ERR_DATA with Kafka Connect's sentence in tg_ffi_error(), or
 * TG_ERR_LIMIT. */
int tg__cast_value(tg_batch *batch, const tg_value *v, const tg_schema *schema,
                   int tag, tg_value *out);

#endif
