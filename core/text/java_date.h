/*
 * Java date patterns (java.text.SimpleDateFormat, lenient, UTC, root English
 * names), compiled once. Times are ms since the epoch; years before 1583
 * follow the Julian calendar, as Java's GregorianCalendar does.
 */
#ifndef TG_TEXT_JAVA_DATE_H
#define TG_TEXT_JAVA_DATE_H
#include "base/err.h"
#include "base/mem.h"

typedef struct tg_date_format tg_date_format;

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

#endif
