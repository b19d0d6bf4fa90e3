/*
 * The calendar of Java's GregorianCalendar in UTC, with US weeks (Sunday first,
 * week 1 holds January 1): Julian before 15 October 1582, Gregorian from then
 * on. Fields from a time, and a time from fields by Java's lenient rules.
 *
 * Any thread; no state.
 */
#ifndef TG_TEXT_JAVA_CALENDAR_H
#define TG_TEXT_JAVA_CALENDAR_H
#include <stdbool.h>
#include <stdint.h>

enum { TG_DAY_MS = 86400000 };

/* java.util.Calendar's numbers. */
enum {
    TG_CAL_ERA,
    TG_CAL_YEAR,
    TG_CAL_MONTH, /* 0 to 11 */
    TG_CAL_WEEK_OF_YEAR,
    TG_CAL_WEEK_OF_MONTH,
    TG_CAL_DATE,
    TG_CAL_DAY_OF_YEAR,
    TG_CAL_DAY_OF_WEEK, /* 1: Sunday */
    TG_CAL_DAY_OF_WEEK_IN_MONTH,
    TG_CAL_AM_PM,
    TG_CAL_HOUR,
    TG_CAL_HOUR_OF_DAY,
    TG_CAL_MINUTE,
    TG_CAL_SECOND,
    TG_CAL_MILLISECOND,
    TG_CAL_ZONE_OFFSET,
    TG_CAL_DST_OFFSET,
    TG_CAL_WEEK_YEAR,
    TG_CAL_FIELDS
};

/* Fields of the day with the given number of days since 1970-01-01: ERA to
 * DAY_OF_WEEK_IN_MONTH, and WEEK_YEAR. */
void tg_calendar_day(int64_t day, int32_t fields[TG_CAL_FIELDS]);

/* Fields that were set, in an order: stamp 0 is not set, higher is later. */
typedef struct tg_calendar_set {
    int32_t value[TG_CAL_FIELDS];
    int32_t stamp[TG_CAL_FIELDS];
    int32_t next;
} tg_calendar_set;

/* Sets a field (a later one than all set before). */
void tg_calendar_put(tg_calendar_set *set, int field, int32_t value);
/* ms since the epoch; false: the era is neither 0 nor 1. */
bool tg_calendar_time(const tg_calendar_set *set, int64_t *ms);

#endif
