/* What the files of the date patterns share with each other only. */
#ifndef TG_TEXT_JAVA_DATE_PRIV_H
#define TG_TEXT_JAVA_DATE_PRIV_H
#include "text/java_calendar.h"
#include "text/java_date.h"

/* One field or literal of a pattern. letter 0: the literal of count UTF-16
 * units at units + at, and of len bytes at text + from. */
typedef struct tg__date_item {
    char letter;
    uint32_t count;
    uint32_t at;
    uint32_t from, len;
} tg__date_item;

/* Scratch: fields of the last day that was printed, and the text to parse. */
typedef struct tg__date_scratch {
    int64_t day; /* INT64_MAX: none */
    int32_t fields[TG_CAL_FIELDS];
    uint16_t *units;
    uint32_t cap;
} tg__date_scratch;

struct tg_date_format {
    tg__date_item *items;
    uint32_t n;
    uint16_t *units; /* literals as UTF-16 */
    tg_buf text;     /* and as UTF-8 */
    int64_t unit;
    int64_t
        century; /* two-digit years are in the 100 years from here on (ms) */
    int32_t century_year;
    tg__date_scratch *scratch;
};

extern const char *const tg__date_eras[2][2]; /* [long][era] */
extern const char *const tg__date_months[2][12];
extern const char *const tg__date_days[2][7]; /* Sunday first */
extern const char *const tg__date_halves[2];

/* UTF-8 to UTF-16; bytes that are no UTF-8 become U+FFFD. Returns the number of
 * units; out has room for len. */
uint32_t tg__utf16(const char *p, uint32_t len, uint16_t *out);
/* Minutes east of UTC of a zone whose name the text begins with, in any case;
 * the length of the name, 0 when there is none. */
uint32_t tg__date_zone(const uint16_t *p, uint32_t n, int32_t *minutes);
/* The text begins with a name, in any case. */
bool tg__date_begins(const uint16_t *p, uint32_t n, const char *name);

#endif
