/*
 * The hybrid calendar. Days are counted as Java does, 1 January 1 (Gregorian)
 * being day 1; both calendars are closed formulas over that count. Where Java
 * computes with 32 bits and wraps, so does this.
 *
 * Any thread; no state.
 */
#include "text/java_calendar.h"
#include <string.h>

enum {
    EPOCH = 719163,   /* 1970-01-01 */
    CUTOVER = 577736, /* 1582-10-15, the first Gregorian day */
    CUTOVER_YEAR = 1582,
    SUNDAY = 1
};

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static int32_t wrap(int64_t x)
{
    return (int32_t)(uint32_t)(uint64_t)x;
}

static bool is_leap(bool gregorian, int64_t year)
{
    return (year & 3) == 0 &&
           (!gregorian || year % 100 != 0 || year % 400 == 0);
}

/* Day of a date; month 1 to 12. */
static int64_t fixed_date(bool gregorian, int64_t year, int month, int64_t dom)
{
    int64_t y = year - 1;
    int64_t n = dom + (367 * month - 362) / 12 + floor_div(y, 4);

    if (month > 2)
        n -= is_leap(gregorian, year) ? 1 : 2;
    if (gregorian)
        return n + 365 * y - floor_div(y, 100) + floor_div(y, 400);
    return n + 365 * y - 2;
}

/* The last day on or before fd that is a given day of the week. */
static int64_t on_or_before(int64_t fd, int32_t dow)
{
    int64_t rest = (fd - wrap((int64_t)dow - SUNDAY)) % 7;

    return fd - (rest < 0 ? rest + 7 : rest);
}

/* Number of the week that holds fd, in the period that begins at first. */
static int32_t week_number(int64_t first, int64_t fd)
{
    int64_t sunday = on_or_before(first + 6, SUNDAY);

    if (sunday > first)
        sunday -= 7;
    return (int32_t)floor_div(fd - sunday, 7) + 1;
}

/* --- fields of a day ---------------------------------------------------------
 */

typedef struct date {
    bool gregorian;
    int64_t year;
    int month, day;       /* month 1 to 12 */
    int64_t jan1, month1; /* first days as Java takes them */
} date;

static void split(int64_t fd, date *d)
{
    int64_t prior;

    d->gregorian = fd >= CUTOVER;
    if (d->gregorian) {
        int64_t d0 = fd - 1, n400 = floor_div(d0, 146097);
        int64_t d1 = d0 - n400 * 146097, n100 = d1 / 36524;
        int64_t d2 = d1 % 36524, n4 = d2 / 1461, n1 = d2 % 1461 / 365;
        d->year = 400 * n400 + 100 * n100 + 4 * n4 + n1;
        d->year += n100 == 4 || n1 == 4 ? 0 : 1;
    } else {
        d->year = floor_div(4 * (fd + 1) + 1464, 1461);
    }
    prior = fd - fixed_date(d->gregorian, d->year, 1, 1);
    if (fd >= fixed_date(d->gregorian, d->year, 3, 1))
        prior += is_leap(d->gregorian, d->year) ? 1 : 2;
    d->month = (int)floor_div(12 * prior + 373, 367);
    d->day = (int)(fd - fixed_date(d->gregorian, d->year, d->month, 1)) + 1;
    d->jan1 = fixed_date(d->gregorian, d->year, 1, 1);
    d->month1 = fd - d->day + 1;
    if (d->gregorian && d->year == CUTOVER_YEAR) {
        d->jan1 = fixed_date(false, CUTOVER_YEAR, 1, 1);
        if (d->month == 10)
            d->month1 = fixed_date(false, CUTOVER_YEAR, 10, 1);
    }
}

static int32_t week_of_year(const date *d, int64_t fd)
{
    int32_t week = week_number(d->jan1, fd);
    bool regular = d->year > CUTOVER_YEAR || d->year < CUTOVER_YEAR - 1;
    int64_t next, sunday;

    if (regular && week < 52)
        return week;
    if (regular)
        next = d->jan1 + 365 + is_leap(d->gregorian, d->year);
    else
        next = fixed_date(d->gregorian && d->year != CUTOVER_YEAR - 1,
                          d->year + 1, 1, 1);
    sunday = on_or_before(next + 6, SUNDAY);
    return sunday > next && fd >= sunday - 7 ? 1 : week;
}

/* The first day of a year. */
static int64_t first_day(int64_t year)
{
    return fixed_date(year > CUTOVER_YEAR, year, 1, 1);
}

static int64_t week_year(const date *d, int32_t week, int32_t doy)
{
    int64_t next, jan1;
    int32_t length, before;

    if (d->year > CUTOVER_YEAR + 1)
        return d->month == 1 ? d->year - (week >= 52) : d->year + (week == 1);
    length =
        d->year == CUTOVER_YEAR ? 355 : 365 + is_leap(d->gregorian, d->year);
    if (doy < length - 6)
        return d->year;
    /* Java takes the year after a year BC for one of the same era. */
    next = d->year <= 0 ? -d->year : d->year + 1;
    if (d->year == 0)
        next = 0;
    jan1 = first_day(next);
    before = (int32_t)(on_or_before(jan1 + 6, SUNDAY) - jan1);
    if (before == 0)
        before = 7;
    return length - doy + 1 <= 7 - before ? d->year + 1 : d->year;
}

void tg_calendar_day(int64_t day, int32_t f[TG_CAL_FIELDS])
{
    int64_t fd = day + EPOCH;
    int32_t doy;
    date d;

    split(fd, &d);
    doy = (int32_t)(fd - d.jan1) + 1;
    f[TG_CAL_ERA] = d.year > 0;
    f[TG_CAL_YEAR] = (int32_t)(d.year > 0 ? d.year : 1 - d.year);
    f[TG_CAL_MONTH] = d.month - 1;
    f[TG_CAL_DATE] = d.day;
    f[TG_CAL_DAY_OF_YEAR] = doy;
    f[TG_CAL_DAY_OF_WEEK] = (int32_t)(fd - on_or_before(fd, SUNDAY)) + 1;
    f[TG_CAL_DAY_OF_WEEK_IN_MONTH] = (int32_t)(fd - d.month1) / 7 + 1;
    f[TG_CAL_WEEK_OF_YEAR] = week_of_year(&d, fd);
    f[TG_CAL_WEEK_OF_MONTH] = week_number(d.month1, fd);
    f[TG_CAL_WEEK_YEAR] = (int32_t)week_year(&d, f[TG_CAL_WEEK_OF_YEAR], doy);
}

/* --- a time from fields
 * -------------------------------------------------------- */

void tg_calendar_put(tg_calendar_set *set, int field, int32_t value)
{
    set->value[field] = value;
    set->stamp[field] = ++set->next;
}

/* The later of two fields, 0 when one of them is not set. */
static int32_t both(int32_t a, int32_t b)
{
    if (a == 0 || b == 0)
        return 0;
    return a > b ? a : b;
}

static int32_t later(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* Which fields say the day. */
typedef struct choice {
    bool month, date, week_of_month, dow, dow_in_month, day_of_year;
} choice;

static void choose(const int32_t *s, choice *c)
{
    int32_t dow = s[TG_CAL_DAY_OF_WEEK], dom = s[TG_CAL_DATE];
    int32_t wom = both(s[TG_CAL_WEEK_OF_MONTH], dow);
    int32_t dowim = both(s[TG_CAL_DAY_OF_WEEK_IN_MONTH], dow);
    int32_t doy = s[TG_CAL_DAY_OF_YEAR];
    int32_t woy = both(s[TG_CAL_WEEK_OF_YEAR], dow);
    int32_t best = later(later(later(dom, wom), later(dowim, doy)), woy);

    *c = (choice){0};
    if (best == 0) {
        wom = s[TG_CAL_WEEK_OF_MONTH];
        dowim = later(s[TG_CAL_DAY_OF_WEEK_IN_MONTH], dow);
        woy = s[TG_CAL_WEEK_OF_YEAR];
        best = later(later(wom, dowim), woy);
        if (best == 0)
            best = dom = s[TG_CAL_MONTH];
    }
    if (best == dom) {
        c->month = c->date = true;
    } else if ((best == wom &&
                s[TG_CAL_WEEK_OF_MONTH] >= s[TG_CAL_WEEK_OF_YEAR]) ||
               (best == dowim &&
                s[TG_CAL_DAY_OF_WEEK_IN_MONTH] >= s[TG_CAL_WEEK_OF_YEAR])) {
        c->month = true;
        c->dow = dow != 0;
        if (wom == dowim)
            c->week_of_month =
                s[TG_CAL_WEEK_OF_MONTH] >= s[TG_CAL_DAY_OF_WEEK_IN_MONTH];
        else
            c->week_of_month = best == wom;
        c->dow_in_month =
            !c->week_of_month && s[TG_CAL_DAY_OF_WEEK_IN_MONTH] != 0;
    } else {
        c->day_of_year = best == doy;
        c->dow = best != doy && dow != 0;
    }
}

static int32_t month_length(int month, int64_t year)
{
    static const int8_t days[] = {31, 28, 31, 30, 31, 30,
                                  31, 31, 30, 31, 30, 31};

    return days[month] +
           (month == 1 && is_leap(year > CUTOVER_YEAR, wrap(year)));
}

/* A day of the week in the month that begins at fd. */
static int64_t by_weekday(const tg_calendar_set *set, const choice *c,
                          int64_t fd, int month, int64_t year)
{
    const int32_t *v = set->value;
    int32_t dow = c->dow ? v[TG_CAL_DAY_OF_WEEK] : SUNDAY;
    int32_t nth = c->dow_in_month ? v[TG_CAL_DAY_OF_WEEK_IN_MONTH] : 1;

    if (nth >= 0)
        return on_or_before(fd + wrap(7 * (int64_t)nth) - 1, dow);
    return on_or_before(
        fd + wrap(month_length(month, year) + 7 * ((int64_t)nth + 1)) - 1, dow);
}

static int64_t by_week(const tg_calendar_set *set, const choice *c, int64_t fd)
{
    int64_t sunday = on_or_before(fd + 6, SUNDAY);

    if (sunday > fd)
        sunday -= 7;
    if (c->dow &&
        (c->week_of_month || set->value[TG_CAL_DAY_OF_WEEK] != SUNDAY))
        sunday = on_or_before(sunday + 6, set->value[TG_CAL_DAY_OF_WEEK]);
    if (c->week_of_month)
        return sunday +
               wrap(7 * ((int64_t)set->value[TG_CAL_WEEK_OF_MONTH] - 1));
    return sunday + 7 * ((int64_t)set->value[TG_CAL_WEEK_OF_YEAR] - 1);
}

/* The chosen day in one of the two calendars. */
static int64_t day_in(const tg_calendar_set *set, const choice *c,
                      bool gregorian, int32_t year)
{
    const int32_t *v = set->value;
    int32_t month = 0;
    int64_t fd;

    if (c->month) {
        month = v[TG_CAL_MONTH];
        year = wrap(year + floor_div(month, 12));
        month -= (int32_t)floor_div(month, 12) * 12;
    }
    fd = fixed_date(gregorian, year, month + 1, 1);
    if (c->date)
        return set->stamp[TG_CAL_DATE] ? fd + v[TG_CAL_DATE] - 1 : fd;
    if (c->month)
        return c->week_of_month ? by_week(set, c, fd)
                                : by_weekday(set, c, fd, month, year);
    if (c->day_of_year)
        return fd + v[TG_CAL_DAY_OF_YEAR] - 1;
    return by_week(set, c, fd);
}

/* In one calendar or the other; extra: days from the time of day. */
static int64_t day_of(const tg_calendar_set *set, int32_t year, int64_t extra)
{
    int64_t julian, gregorian;
    choice c;

    choose(set->stamp, &c);
    if (year > CUTOVER_YEAR) {
        gregorian = extra + day_in(set, &c, true, year);
        if (gregorian >= CUTOVER)
            return gregorian;
        julian = extra + day_in(set, &c, false, year);
    } else if (year < CUTOVER_YEAR) {
        julian = extra + day_in(set, &c, false, year);
        if (julian < CUTOVER)
            return julian;
        gregorian = julian;
    } else {
        julian = extra + day_in(set, &c, false, year);
        gregorian = extra + day_in(set, &c, true, year);
    }
    if (c.day_of_year || !c.month)
        return julian;
    return gregorian >= CUTOVER ? gregorian : julian;
}

/* Milliseconds of the time of day, of any size. */
static int64_t time_of_day(const tg_calendar_set *set)
{
    const int32_t *s = set->stamp, *v = set->value;
    int32_t hour = both(s[TG_CAL_HOUR], s[TG_CAL_AM_PM]);
    int32_t best = later(hour, s[TG_CAL_HOUR_OF_DAY]);
    int64_t t;

    if (best == 0)
        best = later(s[TG_CAL_HOUR], s[TG_CAL_AM_PM]);
    if (best != 0 && best == s[TG_CAL_HOUR_OF_DAY]) {
        t = v[TG_CAL_HOUR_OF_DAY];
    } else {
        t = v[TG_CAL_HOUR];
        if (best != 0 && s[TG_CAL_AM_PM])
            t += wrap(12 * (int64_t)v[TG_CAL_AM_PM]);
    }
    t = t * 60 + v[TG_CAL_MINUTE];
    t = t * 60 + v[TG_CAL_SECOND];
    return t * 1000 + v[TG_CAL_MILLISECOND];
}

bool tg_calendar_time(const tg_calendar_set *set, int64_t *ms)
{
    const int32_t *v = set->value;
    int64_t t = time_of_day(set), days = floor_div(t, TG_DAY_MS);
    int32_t year = set->stamp[TG_CAL_YEAR] ? v[TG_CAL_YEAR] : 1970;
    int32_t era = set->stamp[TG_CAL_ERA] ? v[TG_CAL_ERA] : 1;
    uint64_t sum; /* wraps, as Java's */

    if (era == 0)
        year = wrap(1 - (int64_t)year);
    else if (era != 1)
        return false;
    t -= days * TG_DAY_MS;
    sum = (uint64_t)(day_of(set, year, days) - EPOCH) * TG_DAY_MS;
    sum += (uint64_t)t - (uint64_t)(int64_t)v[TG_CAL_ZONE_OFFSET] -
           (uint64_t)(int64_t)v[TG_CAL_DST_OFFSET];
    *ms = (int64_t)sum;
    return true;
}
