/*
 * Java date patterns (java.text.SimpleDateFormat, lenient, UTC, US English
 * names and weeks), compiled once. Times are ms since the epoch; days before
 * 15 October 1582 are of the Julian calendar, as Java's GregorianCalendar has
 * it. Objects belong to the thread that uses them.
 */
#ifndef TG_TEXT_JAVA_DATE_H
#define TG_TEXT_JAVA_DATE_H
#include "base/err.h"
#include "base/mem.h"

/* NULL with TG_ERR_CONFIG: illegal letter, unterminated quote. */
tg_date_format *tg_date_format_new(const char *pattern, uint32_t len,
                                   tg_err *err);
void tg_date_format_free(tg_date_format *format);
/* Appends the text of ms to out. */
void tg_date_format_print(const tg_date_format *format, int64_t ms,
                          tg_buf *out);
/* DateFormat.parse(text): lenient, what follows the pattern is ignored.
 * TG_ERR_DATA when it does not match. */
int tg_date_format_parse(const tg_date_format *format, const char *text,
                         uint32_t len, int64_t *ms, tg_err *err);
/* Times in the same multiple of so many ms have the same text: 1, 1000, 60000,
 * 3600000 or 86400000. */
int64_t tg_date_format_unit(const tg_date_format *format);

#endif
