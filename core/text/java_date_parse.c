/*
 * Date patterns: parsing, field by field as SimpleDateFormat does when lenient.
 * Works on UTF-16, because field widths count those units. Fields are collected
 * in the order of the pattern and the calendar resolves them; a week year, when
 * it comes after the year, is turned into a date at the end.
 *
 * Thread: as the object.
 */
#include "text/java_date_priv.h"

typedef struct parser {
    const tg_date_format *f;
    const uint16_t *p;
    uint32_t n;
    uint32_t at;
    tg_calendar_set set;
    bool ambiguous; /* a two-digit year on the border of the century */
} parser;

/* --- numbers
 * ------------------------------------------------------------------- */

/* Digits outside of ASCII that Character.isDigit knows in the first plane: the
 * zero of each script. */
static const uint16_t zeros[] = {
    0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6,
    0x0c66, 0x0ce6, 0x0d66, 0x0de6, 0x0e50, 0x0ed0, 0x0f20, 0x1040, 0x1090,
    0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40,
    0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10};

static int digit_of(uint16_t c)
{
    if (c < 0x80)
        return c >= '0' && c <= '9' ? c - '0' : -1;
    for (uint32_t i = 0; i < sizeof zeros / sizeof *zeros; i++)
        if (c >= zeros[i] && c < zeros[i] + 10)
            return c - zeros[i];
    return -1;
}

/* A number that is being read: the first digits after leading zeros, how many
 * there are in all, and whether any digit was seen. */
typedef struct digits {
    uint8_t d[20];
    int64_t count;
    bool seen, negative;
    bool more; /* one behind d is not 0 */
} digits;

static uint32_t read_digits(const parser *s, uint32_t at, uint32_t end,
                            digits *out)
{
    *out = (digits){0};
    if (at < end && s->p[at] == '-') {
        out->negative = true;
        at++;
    }
    for (int digit; at < end && (digit = digit_of(s->p[at])) >= 0; at++) {
        out->seen = true;
        if (digit == 0 && out->count == 0)
            continue;
        if (out->count < (int64_t)sizeof out->d)
            out->d[out->count] = (uint8_t)digit;
        else
            out->more = out->more || digit;
        out->count++;
    }
    return at;
}

/* Java's (int) of the number with exponent: wraps when it fits a long and has
 * no fraction, else goes by way of a double and saturates. */
static int32_t narrow(const digits *x, int64_t exponent)
{
    int64_t point = (int32_t)(uint32_t)(x->count + exponent);
    int64_t used = x->count;
    uint64_t value = 0;
    double real = 0;

    if (used > (int64_t)sizeof x->d)
        used = sizeof x->d;
    while (used > 0 && x->d[used - 1] == 0 && !x->more)
        used--;
    if (used == 0)
        return 0;
    if (used <= point && point <= 19 && !x->more) {
        for (int64_t i = 0; i < point; i++)
            value = value * 10 + (i < used ? x->d[i] : 0);
        if (value <= (uint64_t)INT64_MAX + x->negative)
            return (int32_t)(uint32_t)(x->negative ? -value : value);
    }
    if (point > 12)
        return x->negative ? INT32_MIN : INT32_MAX;
    for (int64_t i = 0; i < used && i < point; i++)
        real = real * 10 + x->d[i];
    for (int64_t i = used; i < point; i++)
        real *= 10;
    if (real > INT32_MAX)
        return x->negative ? INT32_MIN : INT32_MAX;
    return x->negative ? -(int32_t)real : (int32_t)real;
}

/* E and an integer behind at: its value in 32 bits, *at moves behind it. */
static int64_t read_exponent(const parser *s, uint32_t *at, uint32_t end)
{
    uint64_t value = 0;
    uint32_t next;
    digits x;

    if (*at >= end || s->p[*at] != 'E')
        return 0;
    next = read_digits(s, *at + 1, end, &x);
    if (!x.seen || x.count > 19) /* fits no long: Java leaves it */
        return 0;
    for (int64_t i = 0; i < x.count; i++)
        value = value * 10 + x.d[i];
    if (value > (uint64_t)INT64_MAX + x.negative)
        return 0;
    *at = next;
    return (int32_t)(uint32_t)(x.negative ? -value : value);
}

/* An integer as java.text.DecimalFormat reads it, from s->at up to end. */
static bool number(parser *s, uint32_t end, int32_t *out)
{
    bool negative = s->at < end && s->p[s->at] == '-';
    uint32_t at = s->at;
    int64_t exponent;
    digits x;

    if (end - at >= 3 && s->p[at] == 'N' && s->p[at + 1] == 'a' &&
        s->p[at + 2] == 'N') {
        s->at += 3;
        *out = 0;
        return true;
    }
    if (at + negative < end && s->p[at + negative] == 0x221e) {
        s->at += negative + 1u;
        *out = negative ? INT32_MIN : INT32_MAX;
        return true;
    }
    at = read_digits(s, at, end, &x);
    if (!x.seen)
        return false;
    exponent = read_exponent(s, &at, end);
    s->at = at;
    *out = narrow(&x, exponent);
    return true;
}

/* --- names and zones
 * ------------------------------------------------------------ */

static uint16_t lower(uint16_t c)
{
    switch (c) {
    case 0x0130:
    case 0x0131:
        return 'i';
    case 0x017f:
        return 's';
    case 0x212a:
        return 'k';
    default:
        return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
    }
}

bool tg__date_begins(const uint16_t *p, uint32_t n, const char *name)
{
    uint32_t i = 0;

    for (; name[i]; i++)
        if (i >= n || lower(p[i]) != lower((uint8_t)name[i]))
            return false;
    return true;
}

/* The longest of the names at from; its index, or -1. */
static int find_name(parser *s, uint32_t from, const char *const *names, int n)
{
    size_t best = 0;
    int found = -1;

    for (int i = 0; i < n; i++)
        if (strlen(names[i]) > best &&
            tg__date_begins(s->p + from, s->n - from, names[i])) {
            best = strlen(names[i]);
            found = i;
        }
    if (found >= 0)
        s->at = from + (uint32_t)best;
    return found;
}

static bool name(parser *s, uint32_t from, int field, const char *const *names,
                 int n, int32_t base)
{
    int i = find_name(s, from, names, n * (field == TG_CAL_AM_PM ? 1 : 2));

    if (i >= 0)
        tg_calendar_put(&s->set, field, i % n + base);
    return i >= 0;
}

static void set_offset(parser *s, int32_t minutes)
{
    tg_calendar_put(&s->set, TG_CAL_ZONE_OFFSET, minutes * 60000);
    tg_calendar_put(&s->set, TG_CAL_DST_OFFSET, 0);
}

static int ascii_digit(const parser *s, uint32_t at)
{
    return at < s->n && s->p[at] >= '0' && s->p[at] <= '9' ? s->p[at] - '0'
                                                           : -1;
}

/* hh[[:]mm] behind the sign; count: 0, or the number of X. */
static bool numeric_zone(parser *s, int sign, uint32_t count, bool colon)
{
    uint32_t at = s->at;
    int hours = ascii_digit(s, at++), digit, tens;
    int minutes = 0;

    if (hours < 0 || at >= s->n)
        return false;
    digit = ascii_digit(s, at);
    if (digit >= 0) {
        hours = hours * 10 + digit;
        at++;
    } else if (count > 0 || !colon) {
        return false;
    }
    if (hours > 23)
        return false;
    if (count != 1) {
        if (colon && (at >= s->n || s->p[at++] != ':'))
            return false;
        tens = ascii_digit(s, at++);
        digit = ascii_digit(s, at++);
        if (tens < 0 || digit < 0 || tens > 5)
            return false;
        minutes = tens * 10 + digit;
    }
    s->at = at;
    set_offset(s, (hours * 60 + minutes) * sign);
    return true;
}

static int sign_of(const parser *s, uint32_t at)
{
    uint16_t c = at < s->n ? s->p[at] : 0;

    return c == '+' ? 1 : c == '-' ? -1 : 0;
}

/* z and Z, which read the same. from: before white space. */
static bool zone(parser *s, uint32_t from)
{
    int sign = sign_of(s, s->at);
    uint16_t c = s->p[s->at];
    int32_t minutes;
    uint32_t len;

    if (sign) {
        s->at++;
        return numeric_zone(s, sign, 0, false);
    }
    if ((c == 'G' || c == 'g') &&
        tg__date_begins(s->p + from, s->n - from, "GMT")) {
        s->at = from + 3;
        sign = sign_of(s, s->at);
        if (sign) {
            s->at++;
            return numeric_zone(s, sign, 0, true);
        }
        set_offset(s, 0);
        return true;
    }
    len = tg__date_zone(s->p + s->at, s->n - s->at, &minutes);
    if (!len)
        return false;
    if (!tg__date_begins(s->p + s->at, s->n - s->at,
                         "UTC")) /* changes nothing */
        set_offset(s, minutes);
    s->at += len;
    return true;
}

static bool iso_zone(parser *s, uint32_t count)
{
    int sign = sign_of(s, s->at);

    if (s->p[s->at++] == 'Z') {
        set_offset(s, 0);
        return true;
    }
    return sign && numeric_zone(s, sign, count, count == 3);
}

/* --- fields
 * --------------------------------------------------------------------- */

/* What a numeric letter sets, and what its largest value wraps to 0 from. */
static int field_of(char letter)
{
    switch (letter) {
    case 'y':
        return TG_CAL_YEAR;
    case 'Y':
        return TG_CAL_WEEK_YEAR;
    case 'M':
    case 'L':
        return TG_CAL_MONTH;
    case 'd':
        return TG_CAL_DATE;
    case 'k':
    case 'H':
        return TG_CAL_HOUR_OF_DAY;
    case 'm':
        return TG_CAL_MINUTE;
    case 's':
        return TG_CAL_SECOND;
    case 'S':
        return TG_CAL_MILLISECOND;
    case 'D':
        return TG_CAL_DAY_OF_YEAR;
    case 'F':
        return TG_CAL_DAY_OF_WEEK_IN_MONTH;
    case 'w':
        return TG_CAL_WEEK_OF_YEAR;
    case 'W':
        return TG_CAL_WEEK_OF_MONTH;
    case 'h':
    case 'K':
        return TG_CAL_HOUR;
    default:
        return TG_CAL_DAY_OF_WEEK;
    }
}

/* Two digits are a year of the 100 years around now. */
static int32_t full_year(parser *s, uint32_t count, uint32_t from,
                         int32_t value)
{
    int32_t border = s->f->century_year % 100;

    if (count > 2 || s->at - from != 2 || digit_of(s->p[from]) < 0 ||
        digit_of(s->p[from + 1]) < 0)
        return value;
    s->ambiguous = value == border;
    return value + s->f->century_year / 100 * 100 + (value < border ? 100 : 0);
}

static bool numeric(parser *s, const tg__date_item *item, uint32_t end)
{
    uint32_t from = s->at;
    int32_t value;

    if (!number(s, end, &value))
        return false;
    switch (item->letter) {
    case 'y':
    case 'Y':
        value = full_year(s, item->count, from, value);
        break;
    case 'M':
    case 'L':
        value = (int32_t)((uint32_t)value - 1);
        break;
    case 'k':
        value = value == 24 ? 0 : value;
        break;
    case 'h':
        value = value == 12 ? 0 : value;
        break;
    case 'u':
        if (value >= 1 && value <= 7)
            value = value % 7 + 1;
        break;
    default:
        break;
    }
    tg_calendar_put(&s->set, field_of(item->letter), value);
    return true;
}

static bool is_name(const tg__date_item *item)
{
    return item->letter == 'G' || item->letter == 'E' || item->letter == 'a' ||
           ((item->letter == 'M' || item->letter == 'L') && item->count > 2);
}

static bool is_zone(const tg__date_item *item)
{
    return item->letter == 'z' || item->letter == 'Z' || item->letter == 'X';
}

/* A number that another one follows takes no more than its width. */
static bool is_number(const tg__date_item *item)
{
    return item->letter && !is_name(item) && !is_zone(item);
}

static bool field(parser *s, const tg__date_item *item, bool obey)
{
    uint32_t from = s->at, end = s->n;

    while (s->at < s->n && (s->p[s->at] == ' ' || s->p[s->at] == '\t'))
        s->at++;
    if (s->at == s->n)
        return false;
    if (item->letter == 'X')
        return iso_zone(s, item->count);
    if (is_zone(item))
        return zone(s, from);
    if (item->letter == 'G')
        return name(s, from, TG_CAL_ERA, tg__date_eras[0], 2, 0);
    if (item->letter == 'E')
        return name(s, from, TG_CAL_DAY_OF_WEEK, tg__date_days[0], 7, 1);
    if (item->letter == 'a')
        return name(s, from, TG_CAL_AM_PM, tg__date_halves, 2, 0);
    if (is_name(item))
        return name(s, from, TG_CAL_MONTH, tg__date_months[0], 12, 0);
    if (obey && (uint64_t)from + item->count > s->n)
        return false;
    if (obey)
        end = from + item->count;
    return (s->at <= end || !obey) && numeric(s, item, end);
}

static bool items(parser *s)
{
    const tg_date_format *f = s->f;

    for (uint32_t i = 0; i < f->n; i++) {
        const tg__date_item *item = &f->items[i];
        bool obey = i + 1 < f->n && is_number(&f->items[i + 1]);

        if (item->letter) {
            if (!field(s, item, obey))
                return false;
            continue;
        }
        if (s->n - s->at < item->count ||
            memcmp(s->p + s->at, f->units + item->at,
                   item->count * sizeof *s->p) != 0)
            return false;
        s->at += item->count;
    }
    return s->at > 0;
}

/* --- resolving
 * ------------------------------------------------------------------ */

static int64_t day_of(int64_t ms)
{
    return ms / TG_DAY_MS - (ms % TG_DAY_MS < 0);
}

/* Year, week and day of the week as era, year, month and date. */
static bool week_date(tg_calendar_set *set)
{
    const int32_t *s = set->stamp, *v = set->value;
    int64_t week = s[TG_CAL_WEEK_OF_YEAR] ? v[TG_CAL_WEEK_OF_YEAR] : 1;
    int64_t dow = s[TG_CAL_DAY_OF_WEEK] ? v[TG_CAL_DAY_OF_WEEK] : 1;
    int32_t fields[TG_CAL_FIELDS];
    tg_calendar_set first = {0};
    int64_t ms;

    if (dow >= 8) {
        dow--;
        week += dow / 7;
        dow = dow % 7 + 1;
    } else if (dow <= 0) {
        week -= (7 - dow) / 7;
        dow += (7 - dow) / 7 * 7;
    }
    if (s[TG_CAL_DAY_OF_WEEK] &&
        (v[TG_CAL_DAY_OF_WEEK] < 1 || v[TG_CAL_DAY_OF_WEEK] > 7))
        dow = dow % 7 + 1;
    if (!tg_calendar_time(set, &ms))
        return false;
    ms = (int64_t)((uint64_t)ms + (uint64_t)(int64_t)v[TG_CAL_ZONE_OFFSET]);
    tg_calendar_day(day_of(ms), fields);
    tg_calendar_put(&first, TG_CAL_ERA, fields[TG_CAL_ERA]);
    tg_calendar_put(&first, TG_CAL_YEAR, v[TG_CAL_WEEK_YEAR]);
    tg_calendar_put(&first, TG_CAL_WEEK_OF_YEAR, 1);
    tg_calendar_put(&first, TG_CAL_DAY_OF_WEEK, 1);
    if (!tg_calendar_time(&first, &ms))
        return false;
    tg_calendar_day(day_of(ms) + (int32_t)(uint32_t)(dow - 1 + 7 * (week - 1)),
                    fields);
    for (int i = TG_CAL_ERA; i <= TG_CAL_DATE; i++)
        if (i != TG_CAL_WEEK_OF_YEAR && i != TG_CAL_WEEK_OF_MONTH)
            tg_calendar_put(set, i, fields[i]);
    return true;
}

static bool establish(tg_calendar_set set, int64_t *ms)
{
    if (set.stamp[TG_CAL_WEEK_YEAR] > set.stamp[TG_CAL_YEAR] &&
        !week_date(&set))
        return false;
    return tg_calendar_time(&set, ms);
}

static void add_century(int32_t *year)
{
    *year = (int32_t)((uint32_t)*year + 100);
}

static bool resolve(parser *s, int64_t *ms)
{
    if (!establish(s->set, ms))
        return false;
    if (s->ambiguous && *ms < s->f->century) {
        add_century(&s->set.value[TG_CAL_YEAR]);
        add_century(&s->set.value[TG_CAL_WEEK_YEAR]);
        return establish(s->set, ms);
    }
    return true;
}

int tg_date_format_parse(const tg_date_format *f, const char *text,
                         uint32_t len, int64_t *ms, tg_err *err)
{
    tg__date_scratch *scratch = f->scratch;
    parser s = {.f = f};

    if (len > scratch->cap) {
        tg_free(scratch->units);
        scratch->units = tg_alloc(len * sizeof *scratch->units);
        scratch->cap = len;
    }
    s.n = len ? tg__utf16(text, len, scratch->units) : 0;
    s.p = scratch->units;
    if (items(&s) && resolve(&s, ms))
        return 0;
    return tg_err_set(err, TG_ERR_DATA, "Unparseable date: \"%.*s\"",
                      len > 200 ? 200 : (int)len, text ? text : "");
}
