/*
 * JSON codec onto shapes: strict decoder (RFC 8259, UTF-8 checked, depth
 * limit TG_MAX_DEPTH, duplicate keys: last wins), encoder that keeps number
 * texts, escapes and clean subtrees. No JSON library is involved.
 */
#ifndef TG_CONVERT_JSON_H
#define TG_CONVERT_JSON_H
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

/* Shortest text that reads back as d, in Java's notation (1.0, 1.0E10, 1.0E-7);
 * at most 32 bytes; returns the length. Not for NaN and infinities. */
int tg_double_text(char *out, double d);
int tg_float_text(char *out, float f);
/* Parses JSON number text exactly rounded; locale-independent. */
double tg_double_parse(const char *p, size_t len);
int tg_int64_text(char *out, int64_t i); /* at most 20 bytes */

#endif
