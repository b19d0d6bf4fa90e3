/*
 * Numbers as text: shortest digits that read back as the same number, in
 * Java's notation, and exactly rounded parsing. Independent of the locale.
 * Any thread; no state.
 */
#ifndef TG_BASE_NUMBER_H
#define TG_BASE_NUMBER_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Room that every writer of this file needs at most. */
enum { TG_NUMBER_MAX = 32 };

/* Shortest text that reads back as d, as Java prints it: 1.0, 100.0, 1.0E10,
 * 1.23456789E7, 1.0E-7; plain from 10^-3 up to 10^7, with an exponent outside.
 * NaN, Infinity and -Infinity are written as these words. Returns the length
 * (at most TG_NUMBER_MAX); not terminated. */
int tg_double_text(char *out, double d);
int tg_float_text(char *out, float f);

/* Number text (JSON's grammar) to the nearest double. Too large gives an
 * infinity, too small a zero; what is no number gives NaN. */
double tg_double_parse(const char *p, size_t len);

/* The same to the nearest float: rounded once, where a cast of the double
 * rounds twice. */
float tg_float_parse(const char *p, size_t len);

/* Decimal text of i; returns the length, at most 20. */
int tg_int64_text(char *out, int64_t i);

#ifdef __cplusplus
}
#endif
#endif
