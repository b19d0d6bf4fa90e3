/*
 * Connect's Decimal: an unscaled two's complement integer, big-endian and of
 * minimal length, and a scale that the schema knows. Any thread.
 */
#ifndef TG_CONVERT_DECIMAL_H
#define TG_CONVERT_DECIMAL_H
#include "base/err.h"
#include "base/mem.h"
#include "data/schema.h"

#define TG_DECIMAL_NAME "org.apache.kafka.connect.data.Decimal"

/* Most bytes of an unscaled value, and most digits of a text: beyond them
 * conversion would take too long. */
enum { TG_DECIMAL_BYTES = 4096, TG_DECIMAL_DIGITS = 9800 };

/* The parameter scale of a Decimal schema; TG_ERR_DATA when it is missing or no
 * integer. */
int tg_decimal_scale(const tg_schema *schema, int32_t *scale, tg_err *err);
/* Appends the text of unscaled * 10^-scale as java.math.BigDecimal prints it
 * (10.00, 1E+3). */
int tg_decimal_text(tg_buf *out, const void *unscaled, size_t n, int32_t scale,
                    tg_err *err);
/* The same for an unscaled value of n decimal digits d without leading zeros,
 * without its sign. */
void tg_decimal_notation(tg_buf *out, const char *d, size_t n, int64_t scale);
/* Appends the text of the BigDecimal that Java makes of number text: 1e3
 * becomes 1E+3. */
void tg_decimal_canonical(tg_buf *out, const char *p, size_t len);
/* Number text to unscaled bytes, appended to out, and its scale. */
int tg_decimal_parse(tg_buf *out, const char *p, size_t len, int64_t *scale,
                     tg_err *err);

#endif
