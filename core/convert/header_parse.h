/* What the files of header inference share with each other only. */
#ifndef TG_CONVERT_HEADER_PARSE_H
#define TG_CONVERT_HEADER_PARSE_H
#include "convert/header_infer.h"
#include "data/node.h"

/* 1: the text is no array or map after all (Java throws and catches a
 * DataException). */
enum { TG_HEADER_NOT = 1 };

/* A value and its schema; schema NULL: null. */
typedef struct tg_typed {
    tg_value v;
    const tg_schema *schema;
} tg_typed;

/* The common schema of elements so far. */
typedef struct tg_merger {
    const tg_schema *common;
    bool incompatible;
} tg_merger;

void tg__header_merge(tg_merger *m, const tg_schema *latest);
/* Turns v into a value of the schema: TG_HEADER_NOT if that cannot be. */
int tg__header_align(tg_value *v, const tg_schema *to);
/* Entries with equal keys become one: the last value in the place of the
 * first. slots: key, value, ... */
void tg__header_unique(tg_value *slots, uint32_t *n);

/* A number (BigDecimal's grammar): false if text is none. Texts are made in the
 * arena. */
int tg__header_number(tg_batch *batch, const char *p, size_t len,
                      tg_typed *out);
/* ISO 8601 by length: false if text is no date, time or timestamp. */
bool tg__header_temporal(const char *p, size_t len, tg_typed *out);
/* Value of the decimal digit at p (any script of the basic plane, as Java's
 * Character.digit) or -1, and its bytes. */
int tg__header_digit(const char *p, const char *end, int *bytes);

#endif
