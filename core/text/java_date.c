/*
 * Date patterns: compiling and printing. A pattern is a list of fields and
 * literals. Printing looks the day up once (records of one day follow each
 * other) and computes only the time of day.
 *
 * Thread: an object belongs to one (it keeps the last day as scratch).
 */
#include "text/java_date_priv.h"
#include <stdio.h>
#include <time.h>

enum { PAD_MAX = 309 }; /* as java.text.DecimalFormat */

const char *const tg__date_eras[2][2] = {{"BC", "AD"},
                                         {"Before Christ", "Anno Domini"}};
const char *const tg__date_months[2][12] = {
    {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct",
     "Nov", "Dec"},
    {"January", "February", "March", "April", "May", "June", "July", "August",
     "September", "October", "November", "December"}};
const char *const tg__date_days[2][7] = {
    {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"},
    {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday",
     "Saturday"}};
const char *const tg__date_halves[2] = {"AM", "PM"};

/* --- compiling
 * ----------------------------------------------------------------- */

uint32_t tg__utf16(const char *p, uint32_t len, uint16_t *out)
{
    const uint8_t *s = (const uint8_t *)p;
    uint32_t n = 0;

    for (uint32_t i = 0; i < len;) {
        uint32_t size = s[i] < 0x80 ? 1 : s[i] < 0xe0 ? 2 : s[i] < 0xf0 ? 3 : 4;
        uint32_t c = size == 1 ? s[i] : s[i] & (0x7fu >> size);
        uint32_t k = 1;

        while (k < size && i + k < len && (s[i + k] & 0xc0) == 0x80)
            c = c << 6 | (s[i + k++] & 0x3f);
        if (k < size || (s[i] >= 0x80 && s[i] < 0xc0) || s[i] >= 0xf8)
            c = 0xfffd;
        if (c >= 0x10000 && c <= 0x10ffff) {
            out[n++] = (uint16_t)(0xd7c0 + (c >> 10));
            c = 0xdc00 | (c & 0x3ff);
        }
        out[n++] = (uint16_t)(c > 0x10ffff ? 0xfffd : c);
        i += k;
    }
    return n;
}

typedef struct compiler {
    tg_date_format *f;
    const char *p;
    uint32_t len, at;
    tg_err *err;
} compiler;

static tg__date_item *add(tg_date_format *f)
{
    f->items = tg_realloc(f->items, (f->n + 1) * sizeof *f->items);
    f->items[f->n] = (tg__date_item){0};
    return &f->items[f->n++];
}

/* Bytes of a literal; neighbours become one item. */
static void add_literal(tg_date_format *f, const char *p, uint32_t len)
{
    tg__date_item *last = f->n ? &f->items[f->n - 1] : NULL;

    if (!last || last->letter) {
        last = add(f);
        last->from = (uint32_t)f->text.len;
    }
    tg_buf_add(&f->text, p, len);
    last->len += len;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int64_t unit_of(char letter)
{
    switch (letter) {
    case 'S':
        return 1;
    case 's':
        return 1000;
    case 'm':
        return 60000;
    case 'H':
    case 'k':
    case 'K':
    case 'h':
    case 'a':
        return 3600000;
    default:
        return TG_DAY_MS;
    }
}

/* A run of one letter. */
static int add_field(compiler *c)
{
    char letter = c->p[c->at];
    uint32_t count = 0;
    tg__date_item *item;

    while (c->at < c->len && c->p[c->at] == letter) {
        c->at++;
        count++;
    }
    if (!strchr("GyMdkHmsSEDFwWahKzZYuXL", letter))
        return tg_err_set(c->err, TG_ERR_CONFIG,
                          "Illegal pattern character '%c' in %.*s: letters "
                          "that are not of a date stand in single quotes",
                          letter, (int)c->len, c->p);
    if (letter == 'X' && count > 3)
        return tg_err_set(c->err, TG_ERR_CONFIG,
                          "invalid ISO 8601 format: length=%u in %.*s", count,
                          (int)c->len, c->p);
    item = add(c->f);
    item->letter = letter;
    item->count = count;
    if (unit_of(letter) < c->f->unit)
        c->f->unit = unit_of(letter);
    return 0;
}

static int compile(compiler *c)
{
    bool quoted = false;
    int rc = 0;

    while (rc == 0 && c->at < c->len) {
        const char *p = c->p + c->at;
        if (*p == '\'' && c->at + 1 < c->len && p[1] == '\'') {
            add_literal(c->f, p, 1);
            c->at += 2;
        } else if (*p == '\'') {
            quoted = !quoted;
            add_literal(c->f, p, 0); /* ends a run of letters */
            c->at++;
        } else if (quoted || !is_letter(*p)) {
            add_literal(c->f, p, 1);
            c->at++;
        } else {
            rc = add_field(c);
        }
    }
    if (rc == 0 && quoted)
        rc = tg_err_set(c->err, TG_ERR_CONFIG, "Unterminated quote in %.*s",
                        (int)c->len, c->p);
    return rc;
}

/* 80 years back from now. */
static void set_century(tg_date_format *f)
{
    struct timespec now;
    int32_t fields[TG_CAL_FIELDS];
    tg_calendar_set set = {0};
    int64_t day;

    clock_gettime(CLOCK_REALTIME, &now);
    day = now.tv_sec / 86400;
    tg_calendar_day(day, fields);
    f->century_year = fields[TG_CAL_YEAR] - 80;
    tg_calendar_put(&set, TG_CAL_YEAR, f->century_year);
    tg_calendar_put(&set, TG_CAL_MONTH, fields[TG_CAL_MONTH]);
    tg_calendar_put(&set, TG_CAL_DATE, fields[TG_CAL_DATE]);
    tg_calendar_time(&set, &f->century);
    f->century += now.tv_sec % 86400 * 1000 + now.tv_nsec / 1000000;
}

tg_date_format *tg_date_format_new(const char *pattern, uint32_t len,
                                   tg_err *err)
{
    tg_date_format *f = tg_calloc(sizeof *f);
    compiler c = {.f = f, .p = pattern, .len = len, .err = err};
    uint32_t units = 0;

    f->unit = TG_DAY_MS;
    f->scratch = tg_calloc(sizeof *f->scratch);
    f->scratch->day = INT64_MAX;
    if (compile(&c)) {
        tg_date_format_free(f);
        return NULL;
    }
    f->units = tg_alloc((f->text.len + 1) * sizeof *f->units);
    for (uint32_t i = 0; i < f->n; i++) {
        tg__date_item *item = &f->items[i];
        if (item->letter)
            continue;
        item->at = units;
        item->count = item->len ? tg__utf16(f->text.p + item->from, item->len,
                                            f->units + units)
                                : 0;
        units += item->count;
    }
    set_century(f);
    return f;
}

void tg_date_format_free(tg_date_format *f)
{
    if (!f)
        return;
    tg_free(f->scratch->units);
    tg_free(f->scratch);
    tg_free(f->items);
    tg_free(f->units);
    tg_buf_fini(&f->text);
    tg_free(f);
}

int64_t tg_date_format_unit(const tg_date_format *f)
{
    return f->unit;
}

/* --- printing
 * ------------------------------------------------------------------ */

static void put_number(tg_buf *out, int64_t value, uint32_t width)
{
    char digits[24], *p = digits + sizeof digits;
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    uint32_t n = 0;

    do {
        *--p = (char)('0' + rest % 10);
        rest /= 10;
        n++;
    } while (rest);
    if (value < 0)
        tg_buf_add(out, "-", 1);
    if (width > PAD_MAX)
        width = PAD_MAX;
    if (width > n) {
        char *room = tg_buf_room(out, width - n);
        memset(room, '0', width - n);
        out->len += width - n;
    }
    tg_buf_add(out, p, n);
}

static void put_year(tg_buf *out, int32_t year, uint32_t count)
{
    if (count == 2) {
        if (year < 0)
            tg_buf_add(out, "-", 1);
        put_number(out, (year < 0 ? -(int64_t)year : year) % 100, 2);
    } else {
        put_number(out, year, count);
    }
}

/* 12 or 24 for 0. */
static int32_t from_one(int32_t hour, int32_t top)
{
    return hour ? hour : top;
}

static void put_zone(tg_buf *out, char letter, uint32_t count)
{
    if (letter == 'Z')
        tg_buf_str(out, "+0000");
    else if (letter == 'X')
        tg_buf_str(out, "Z");
    else
        tg_buf_str(out, count < 4 ? "UTC" : "Coordinated Universal Time");
}

static void put_name(tg_buf *out, char letter, uint32_t count, const int32_t *f)
{
    int form = count >= 4;

    if (letter == 'G')
        tg_buf_str(out, tg__date_eras[0][f[TG_CAL_ERA]]); /* at any length */
    else if (letter == 'E')
        tg_buf_str(out, tg__date_days[form][f[TG_CAL_DAY_OF_WEEK] - 1]);
    else if (count < 3)
        put_number(out, f[TG_CAL_MONTH] + 1, count);
    else
        tg_buf_str(out, tg__date_months[form][f[TG_CAL_MONTH]]);
}

/* A field; time: ms of the day. */
static void put_field(tg_buf *out, const tg__date_item *item, const int32_t *f,
                      int32_t time)
{
    int32_t hour = time / 3600000, value;

    switch (item->letter) {
    case 'y':
        put_year(out, f[TG_CAL_YEAR], item->count);
        return;
    case 'Y':
        put_year(out, f[TG_CAL_WEEK_YEAR], item->count);
        return;
    case 'G':
    case 'E':
    case 'M':
    case 'L':
        put_name(out, item->letter, item->count, f);
        return;
    case 'a':
        tg_buf_str(out, tg__date_halves[hour / 12]);
        return;
    case 'z':
    case 'Z':
    case 'X':
        put_zone(out, item->letter, item->count);
        return;
    case 'd':
        value = f[TG_CAL_DATE];
        break;
    case 'k':
        value = from_one(hour, 24);
        break;
    case 'H':
        value = hour;
        break;
    case 'm':
        value = time / 60000 % 60;
        break;
    case 's':
        value = time / 1000 % 60;
        break;
    case 'S':
        value = time % 1000;
        break;
    case 'D':
        value = f[TG_CAL_DAY_OF_YEAR];
        break;
    case 'F':
        value = f[TG_CAL_DAY_OF_WEEK_IN_MONTH];
        break;
    case 'w':
        value = f[TG_CAL_WEEK_OF_YEAR];
        break;
    case 'W':
        value = f[TG_CAL_WEEK_OF_MONTH];
        break;
    case 'h':
        value = from_one(hour % 12, 12);
        break;
    case 'K':
        value = hour % 12;
        break;
    default: /* u: Monday is 1 */
        value = from_one(f[TG_CAL_DAY_OF_WEEK] - 1, 7);
    }
    put_number(out, value, item->count);
}

void tg_date_format_print(const tg_date_format *f, int64_t ms, tg_buf *out)
{
    tg__date_scratch *s = f->scratch;
    int64_t day = ms / TG_DAY_MS - (ms % TG_DAY_MS < 0);
    int32_t time = (int32_t)(ms % TG_DAY_MS);

    if (time < 0)
        time += TG_DAY_MS;
    if (s->day != day) {
        tg_calendar_day(day, s->fields);
        s->day = day;
    }
    for (uint32_t i = 0; i < f->n; i++) {
        const tg__date_item *item = &f->items[i];
        if (item->letter)
            put_field(out, item, s->fields, time);
        else if (item->len)
            tg_buf_add(out, f->text.p + item->from, item->len);
    }
}
