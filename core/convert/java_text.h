/*
 * Values as Java's toString() prints them: what StringConverter writes for
 * values that are no strings. Script thread.
 */
#ifndef TG_CONVERT_JAVA_TEXT_H
#define TG_CONVERT_JAVA_TEXT_H
#include "base/err.h"
#include "base/mem.h"
#include "data/schema.h"

/* Appends {a=1, b=x}, [1, 2], Struct{a=1,b=q}, 1.0E10, ... Bytes are written as
 * they are at the top and as base64 below. */
int tg_java_text(tg_buf *out, tg_batch *batch, const tg_value *v,
                 const tg_schema *schema, tg_err *err);

/* Appends null, a boolean, a number or a decimal; bytes of no Decimal are
 * refused. */
int tg_java_scalar(tg_buf *out, const tg_value *v, const tg_schema *schema,
                   tg_err *err);

#endif
