/*
 * What storing Lua values under a schema needs of the codecs. Script thread.
 */
#ifndef TG_CONVERT_SCRIPT_SCHEMA_H
#define TG_CONVERT_SCRIPT_SCHEMA_H
#include "convert/converter.h"

/* Connect's Decimal. */
bool tg_schema_is_decimal(const tg_schema *schema);
/* Optional Decimal schema with the scale of a number text; NULL when it is no
 * number. */
const tg_schema *tg_decimal_schema(const char *p, size_t len, tg_err *err);
/* Number text as value of a Decimal schema, with the schema's scale and exact:
 * TG_ERR_DATA when digits would be lost. Bytes in the arena. */
int tg_decimal_value(tg_batch *batch, const tg_schema *schema, const char *p,
                     size_t len, tg_value *out, tg_err *err);
/* A value of any record as a value of schema: what JsonConverter would read of
 * its JSON text. New nodes get cell and parent. */
int tg_schema_convert(tg_batch *batch, tg_cell *cell, tg_node *parent,
                      const tg_schema *schema, const tg_value *from,
                      tg_value *out, tg_err *err);

#endif
