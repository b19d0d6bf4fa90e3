/*
 * JSON codec onto shapes: strict decoder (RFC 8259, UTF-8 checked, depth
 * limit TG_MAX_DEPTH, duplicate keys: last wins), encoder that keeps number
 * texts, escapes and clean subtrees. No JSON library is involved.
 */
#ifndef TG_CONVERT_JSON_H
#define TG_CONVERT_JSON_H
#include "base/number.h"
#include "convert/converter.h"

/* Decodes exactly one value from p[0..len) (white space around it allowed) into
 * *out. p must live as long as the batch. Errors name the byte offset and show
 * what stands there. */
int tg_json_decode(tg_batch *batch, tg_cell *cell, tg_site *site, const char *p,
                   size_t len, tg_value *out, tg_err *err);
/* Appends compact JSON. Values without a schema. TG_ERR_DATA for NaN inside
 * number texts and the like. */
int tg_json_encode(tg_buf *out, const tg_value *v, tg_err *err);
/* Appends s as a JSON string with quotes. */
void tg_json_string(tg_buf *out, const char *s, size_t len);

#endif
