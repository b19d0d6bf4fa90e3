/*
 * Messages that Connect has logical types for: confluent.type.Decimal,
 * google.type.Date and TimeOfDay, google.protobuf.Timestamp.
 *
 * Dates follow java.util.GregorianCalendar, which Confluent uses: Julian before
 * 1582-10-15. A decimal with another scale than its schema says stays a number
 * text, as Java keeps it a BigDecimal of that scale. Script thread.
 */
#include "base/number.h"
#include "convert/decimal.h"
#include "convert/protobuf.h"
#include "convert/protobuf_wire.h"
#include "data/node.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { DAY_MS = 86400000, CUTOVER = -141427 /* 1582-10-15 */ };
static const int64_t FIRST_SECOND = -62135596800, LAST_SECOND = 253402300799;

typedef struct parts {
    int64_t v[5];   /* integers by field number */
    tg_pb_in bytes; /* field 1 of Decimal */
    bool precise;   /* field 2 was there */
} parts;

static int read_parts(const char *p, size_t len, bool decimal, parts *out,
                      tg_err *err)
{
    tg_pb_in in = {p, p + len};
    uint64_t key, v;
    *out = (parts){0};
    while (in.p < in.end) {
        bool good = tg_pb_varint(&in, &key) && key >> 32 == 0 && key >> 3;
        uint32_t number = (uint32_t)(key >> 3), wire = key & 7;
        if (good && decimal && number == 1 && wire == TG_PB_BYTES) {
            good = tg_pb_bytes(&in, &out->bytes);
        } else if (good && number <= 4 && wire == TG_PB_VARINT) {
            good = tg_pb_varint(&in, &v);
            out->v[number] = (int64_t)v;
        } else if (good) {
            good = tg_pb_skip(&in, (uint32_t)key, 0);
        }
        if (!good)
            return tg_err_set(err, TG_ERR_DATA,
                              "malformed Protobuf at byte %zu of a nested"
                              " message of %zu bytes",
                              (size_t)(in.p - p), len);
    }
    return 0;
}

static void set_int(tg_value *out, int tag, int64_t i)
{
    *out = (tg_value){.tag = (uint8_t)tag};
    out->u.i = i;
}

/* --- dates ---------------------------------------------------------------- */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Day of a date in either calendar; year from 1. */
static int64_t day_of(int64_t y, int64_t m, int64_t d, bool julian)
{
    y -= m <= 2;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    int64_t days = 365 * y + floor_div(y, 4) + doy;
    return julian ? days - 719470
                  : days - floor_div(y, 100) + floor_div(y, 400) - 719468;
}

static void date_of(int64_t day, int64_t *y, int64_t *m, int64_t *d)
{
    int64_t doe, yoe, doy, era;
    if (day < CUTOVER) {
        int64_t z = day + 719470;
        era = floor_div(z, 1461);
        doe = z - era * 1461;
        yoe = (doe - doe / 1460) / 365;
        doy = doe - 365 * yoe;
        *y = yoe + era * 4;
    } else {
        int64_t z = day + 719468;
        era = floor_div(z, 146097);
        doe = z - era * 146097;
        yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
        doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        *y = yoe + era * 400;
    }
    int64_t mp = (5 * doy + 2) / 153;
    *d = doy - (153 * mp + 2) / 5 + 1;
    *m = mp < 10 ? mp + 3 : mp - 9;
    *y += *m <= 2;
}

static int read_date(const parts *p, tg_value *out, tg_err *err)
{
    int64_t y = (int32_t)p->v[1], m = (int32_t)p->v[2], d = (int32_t)p->v[3];
    int64_t yy = 0, mm = 0, dd = 0, day = 0;
    if (y >= 1 && y <= 5000000 && m >= 1 && m <= 12 && d >= 1 && d <= 31) {
        day = day_of(y, m, d, false);
        if (day < CUTOVER)
            day = day_of(y, m, d, true);
        date_of(day, &yy, &mm, &dd);
    }
    if (yy != y || mm != m || dd != d || y < 1)
        return tg_err_set(err, TG_ERR_DATA,
                          "a google.type.Date of year %lld, month %lld, day"
                          " %lld is no date of the calendar",
                          (long long)y, (long long)m, (long long)d);
    set_int(out, TG_INT32, day);
    return 0;
}

static int read_time(const parts *p, tg_value *out, tg_err *err)
{
    int64_t h = (int32_t)p->v[1], m = (int32_t)p->v[2], s = (int32_t)p->v[3];
    int64_t n = (int32_t)p->v[4];
    if (h < 0 || h > 23 || m < 0 || m > 59 || s < 0 || s > 59 || n < 0 ||
        n > 999999999)
        return tg_err_set(err, TG_ERR_DATA,
                          "a google.type.TimeOfDay of %lld:%lld:%lld and %lld"
                          " ns is no time of a day",
                          (long long)h, (long long)m, (long long)s,
                          (long long)n);
    set_int(out, TG_INT32, ((h * 60 + m) * 60 + s) * 1000 + n / 1000000);
    return 0;
}

static int read_timestamp(const parts *p, tg_value *out, tg_err *err)
{
    int64_t s = p->v[1], n = (int32_t)p->v[2];
    if (s < FIRST_SECOND || s > LAST_SECOND || n < 0 || n > 999999999)
        return tg_err_set(err, TG_ERR_DATA,
                          "a google.protobuf.Timestamp of %lld s and %lld ns is"
                          " outside of the years 1 to 9999",
                          (long long)s, (long long)n);
    set_int(out, TG_INT64, s * 1000 + n / 1000000);
    return 0;
}

/* --- decimals ------------------------------------------------------------- */

static int schema_scale(const tg_schema *schema)
{
    const char *text = tg_pb_param(schema, "scale");
    return text ? atoi(text) : 0;
}

/* Digits of a number text. */
static uint32_t count_digits(const char *text, size_t len)
{
    uint32_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += text[i] >= '0' && text[i] <= '9';
    return n;
}

/* Rounds digits[0..n) half up to `keep` of them; 1 when it grew by one. */
static int round_up(char *digits, uint32_t n, uint32_t keep)
{
    bool carry = keep < n && digits[keep] >= '5';
    for (uint32_t i = keep; carry && i-- > 0;) {
        carry = digits[i] == '9';
        digits[i] = carry ? '0' : (char)(digits[i] + 1);
    }
    return carry;
}

/* unscaled as text, rounded to precision digits, with its scale behind it. */
static int round_text(tg_buf *out, uint32_t precision, int32_t *scale)
{
    bool minus = out->p[0] == '-';
    char *digits = out->p + minus;
    uint32_t n = (uint32_t)out->len - minus;
    if (!precision || n <= precision)
        return 0;
    int grown = round_up(digits, n, precision);
    if ((int64_t)*scale - (n - precision) - grown < INT32_MIN)
        return TG_ERR_DATA;
    *scale -= (int32_t)(n - precision) + grown;
    if (grown)
        digits[0] = '1'; /* all were nines: 1000..., one digit taken away */
    out->len = minus + precision;
    return 0;
}

/* Digits of an unscaled value. */
static uint32_t precision_of(const char *p, size_t len)
{
    if (len <= 8) {
        int64_t v = len && *p < 0 ? -1 : 0;
        for (size_t i = 0; i < len; i++)
            v = (int64_t)((uint64_t)v << 8 | (unsigned char)p[i]);
        uint32_t n = 1;
        for (uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v; u >= 10;
             u /= 10)
            n++;
        return n;
    }
    tg_buf text = {0};
    uint32_t n = 1;
    if (tg_decimal_text(&text, p, len, 0, NULL) == 0)
        n = count_digits(text.p, text.len);
    tg_buf_fini(&text);
    return n;
}

/* A decimal of more digits than its precision, or of another scale than the
 * schema's, as number text; of the schema's as bytes. */
static int read_unusual(const tg_pb_in *value, uint32_t precision,
                        int32_t scale, const tg_schema *schema, tg_batch *batch,
                        tg_value *out, tg_err *err)
{
    size_t len = (size_t)(value->end - value->p);
    tg_buf digits = {0}, text = {0}, unscaled = {0};
    int64_t ignored;
    int32_t own = scale;
    int rc = tg_decimal_text(&digits, value->p, len, 0, err);
    if (!rc && round_text(&digits, precision, &own))
        rc = tg_err_set(err, TG_ERR_DATA, "a decimal's scale %d is too small",
                        (int)scale);
    if (!rc)
        rc = tg_decimal_parse(&unscaled, digits.p, digits.len, &ignored, err);
    bool same = own == schema_scale(schema);
    if (!rc && !same)
        rc = tg_decimal_text(&text, unscaled.p, unscaled.len, own, err);
    if (!rc) {
        const tg_buf *from = same ? &unscaled : &text;
        *out = (tg_value){.tag = same ? TG_BYTES : TG_NUM,
                          .len = (uint32_t)from->len};
        out->u.p = tg_arena_dup(batch->arena, from->p, from->len);
        if (!out->u.p)
            rc = tg_err_set(err, TG_ERR_LIMIT, "the batch is full");
    }
    tg_buf_fini(&digits);
    tg_buf_fini(&text);
    tg_buf_fini(&unscaled);
    return rc;
}

static int read_decimal(const parts *p, const tg_schema *schema,
                        tg_batch *batch, tg_value *out, tg_err *err)
{
    size_t len = (size_t)(p->bytes.end - p->bytes.p);
    int32_t scale = (int32_t)p->v[3];
    uint32_t precision = (uint32_t)p->v[2];
    if (len == 0)
        return tg_err_set(err, TG_ERR_DATA,
                          "a confluent.type.Decimal has an empty value");
    if (scale != schema_scale(schema) ||
        (precision && precision_of(p->bytes.p, len) > precision))
        return read_unusual(&p->bytes, precision, scale, schema, batch, out,
                            err);
    *out = (tg_value){.tag = TG_BYTES, .len = (uint32_t)len};
    out->u.p = p->bytes.p;
    return 0;
}

int tg_pb_read_special(int special, const char *p, size_t len,
                       const tg_schema *schema, tg_batch *batch, tg_value *out,
                       tg_err *err)
{
    parts got;
    int rc = read_parts(p, len, special == TG_PB_DECIMAL, &got, err);
    if (rc)
        return rc;
    switch (special) {
    case TG_PB_DATE:
        return read_date(&got, out, err);
    case TG_PB_TIME:
        return read_time(&got, out, err);
    case TG_PB_TIMESTAMP:
        return read_timestamp(&got, out, err);
    default:
        return read_decimal(&got, schema, batch, out, err);
    }
}

/* --- writing -------------------------------------------------------------- */

/* An integer field, left out when it is 0. */
static void put(tg_buf *out, uint32_t number, int64_t v)
{
    if (!v)
        return;
    tg_pb_add(out, number << 3 | TG_PB_VARINT);
    tg_pb_add(out, (uint64_t)v);
}

static int write_date(tg_buf *out, int64_t day, tg_err *err)
{
    int64_t y, m, d;
    date_of(day, &y, &m, &d);
    if (y < 1)
        return tg_err_set(err, TG_ERR_DATA,
                          "day %lld is before the year 1, which"
                          " google.type.Date cannot hold",
                          (long long)day);
    put(out, 1, y);
    put(out, 2, m);
    put(out, 3, d);
    return 0;
}

static int write_time(tg_buf *out, int64_t ms, tg_err *err)
{
    if (ms < 0 || ms > DAY_MS)
        return tg_err_set(err, TG_ERR_DATA,
                          "a time of %lld ms; times are 0 to 86400000 ms",
                          (long long)ms);
    ms %= DAY_MS;
    put(out, 1, ms / 3600000);
    put(out, 2, ms / 60000 % 60);
    put(out, 3, ms / 1000 % 60);
    put(out, 4, ms % 1000 * 1000000);
    return 0;
}

static int write_timestamp(tg_buf *out, int64_t ms, tg_err *err)
{
    int64_t s = floor_div(ms, 1000);
    if (s < FIRST_SECOND || s > LAST_SECOND)
        return tg_err_set(err, TG_ERR_DATA,
                          "a timestamp of %lld ms is outside of the years 1 to"
                          " 9999, which google.protobuf.Timestamp can hold",
                          (long long)ms);
    put(out, 1, s);
    put(out, 2, (ms - s * 1000) * 1000000);
    return 0;
}

/* Unscaled bytes and scale of any value that stands for a decimal. */
static int unscaled_of(tg_buf *out, const tg_value *v, const tg_schema *schema,
                       int32_t *scale, tg_err *err)
{
    char text[TG_NUMBER_MAX];
    const char *p = v->u.p;
    size_t len = v->len;
    int64_t found = 0;
    *scale = schema_scale(schema);
    if (v->tag == TG_BYTES) {
        tg_buf_add(out, p, len);
        return 0;
    }
    if (tg_tag_is_int(v->tag)) {
        len = (size_t)tg_int64_text(text, v->u.i);
        p = text;
    } else if (tg_tag_is_float(v->tag) && isfinite(v->u.d)) {
        len = (size_t)tg_double_text(text, v->u.d);
        p = text;
    } else if (v->tag != TG_NUM) {
        return tg_err_set(err, TG_ERR_DATA,
                          "a Decimal field holds a value that is no number");
    }
    int rc = tg_decimal_parse(out, p, len, &found, err);
    if (!rc && found != (int32_t)found)
        rc = tg_err_set(err, TG_ERR_DATA, "a decimal's scale is too large");
    *scale = (int32_t)found;
    return rc;
}

static int write_decimal(tg_buf *out, const tg_value *v,
                         const tg_schema *schema, tg_err *err)
{
    tg_buf unscaled = {0};
    int32_t scale = 0;
    int rc = unscaled_of(&unscaled, v, schema, &scale, err);
    if (!rc && unscaled.len == 0)
        rc = tg_err_set(err, TG_ERR_DATA, "a decimal has no digits");
    else if (!rc && unscaled.len > TG_DECIMAL_BYTES)
        rc = tg_err_set(err, TG_ERR_DATA,
                        "a decimal has an unscaled value of %zu bytes, at most"
                        " %d can be written to Protobuf, which has its number"
                        " of digits too",
                        unscaled.len, TG_DECIMAL_BYTES);
    if (!rc) {
        tg_pb_add(out, 1 << 3 | TG_PB_BYTES);
        tg_pb_add(out, unscaled.len);
        tg_buf_add(out, unscaled.p, unscaled.len);
        put(out, 2, precision_of(unscaled.p, unscaled.len));
        put(out, 3, scale);
    }
    tg_buf_fini(&unscaled);
    return rc;
}

int tg_pb_write_special(int special, tg_buf *out, const tg_value *v,
                        const tg_schema *schema, tg_err *err)
{
    int32_t ok = 1;
    if (special == TG_PB_DECIMAL)
        return write_decimal(out, v, schema, err);
    int64_t i = tg_value_int64(v, &ok);
    if (!ok)
        return tg_err_set(err, TG_ERR_DATA,
                          "a field with the schema %s holds a value that is no"
                          " integer",
                          schema->name ? schema->name : "of a date");
    if (special == TG_PB_DATE)
        return write_date(out, i, err);
    if (special == TG_PB_TIME)
        return write_time(out, i, err);
    return write_timestamp(out, i, err);
}
