/*
 * Casting values. What is cast is first reduced to one of a few forms (integer,
 * double, exact decimal text, boolean, text), then converted as Java's Number
 * methods and parsers do: integers keep their low bits, doubles saturate,
 * decimals lose their fraction and keep the low bits, texts are parsed
 * strictly. Script thread.
 */
#include "transform/cast_value.h"
#include "base/number.h"
#include "convert/base64.h"
#include "convert/decimal.h"
#include "text/java_date.h"
#include "transform/stock.h"
#include <math.h>
#include <stdlib.h>
#include <strings.h>

enum { F_INT, F_REAL, F_DECIMAL, F_BOOL, F_TEXT, F_BYTES, F_TIME };

enum { DAY_MS = 86400000 };

/* A value on its way. */
typedef struct source {
    tg_batch *batch;
    const tg_value *v;
    int form;
    int64_t i;        /* F_INT, F_BOOL, F_TIME: ms */
    int64_t stored;   /* F_TIME: the number as it is stored */
    double d;         /* F_REAL */
    bool single;      /* F_REAL: it is a float */
    const char *text; /* F_TEXT, F_DECIMAL */
    uint32_t len;
    tg_buf buf; /* of a decimal's text */
} source;

/* --- sentences -------------------------------------------------------------
 */

static int out_of_range(const source *s)
{
    return tg_err_set(tg_err_ffi(), TG_ERR_DATA,
                      "Value (%.*s) was out of range for requested data type",
                      (int)(s->len < 400 ? s->len : 400), s->text);
}

static int unsupported(const char *type)
{
    return tg_err_set(tg_err_ffi(), TG_ERR_DATA,
                      "Cast transformation does not support casting from %s; "
                      "supported types are [INT8, INT16, INT32, INT64, "
                      "FLOAT32, FLOAT64, BOOLEAN, STRING, BYTES]",
                      type);
}

/* --- reading ---------------------------------------------------------------
 */

static int32_t scale_of(const tg_schema *schema)
{
    for (uint32_t i = 0; schema && i < schema->nparams; i++)
        if (strcmp(schema->params[i].key, "scale") == 0)
            return (int32_t)strtol(schema->params[i].value, NULL, 10);
    return 0;
}

/* The text of a decimal as BigDecimal prints it. */
static int read_decimal(source *s, const tg_schema *schema)
{
    const tg_value *v = s->v;
    tg_buf unscaled = {0};
    int64_t scale = scale_of(schema);
    tg_err *err = tg_err_ffi();
    int rc = 0;

    tg_err_clear(err);
    s->form = F_DECIMAL;
    if (v->tag == TG_BYTES)
        rc = tg_decimal_text(&s->buf, v->u.p, v->len, (int32_t)scale, err);
    else if (tg_tag_is_int(v->tag))
        tg_buf_printf(&s->buf, "%lld", (long long)v->u.i);
    else if (v->tag == TG_NUM)
        rc = tg_decimal_parse(&unscaled, v->u.p, v->len, &scale, err);
    else
        s->buf.len +=
            (size_t)tg_double_text(tg_buf_room(&s->buf, TG_NUMBER_MAX), v->u.d);
    if (rc == 0 && v->tag == TG_NUM)
        rc = tg_decimal_text(&s->buf, unscaled.p, unscaled.len, (int32_t)scale,
                             err);
    tg_buf_fini(&unscaled);
    s->text = s->buf.p;
    s->len = (uint32_t)s->buf.len;
    return rc;
}

static void read_number(source *s, const tg_schema *schema)
{
    const tg_value *v = s->v;
    int32_t ok;
    bool whole = tg__stock_integral(v, schema);

    s->form = F_REAL;
    s->single = schema && schema->tag == TG_FLOAT32;
    if (v->tag != TG_NUM) {
        s->d = v->u.d;
        s->single = s->single || v->tag == TG_FLOAT32;
        return;
    }
    if (whole) {
        s->i = tg_value_int64(v, &ok);
        s->form = F_INT;
        if (ok)
            return;
        s->form = F_REAL;
    }
    s->d = tg_double_parse(v->u.p, v->len);
    if (s->d == 0) /* Java reads it as a BigDecimal, which has no -0.0 */
        s->d = 0;
    if (s->single)
        s->d = (double)(float)s->d;
}

static int read_text(source *s)
{
    s->form = F_TEXT;
    s->text = tg_value_text(s->batch, s->v, &s->len);
    return s->text ? 0 : TG_ERR_LIMIT;
}

static int read_source(source *s, const tg_schema *schema)
{
    const tg_value *v = s->v;
    int logical = tg__stock_logical(v, schema);

    if (!schema && logical)
        return tg_err_set(tg_err_ffi(), TG_ERR_DATA,
                          "Cast transformation was passed a value of type "
                          "class %s which is not supported by Connect's data "
                          "API",
                          tg__stock_class(v, NULL));
    if (tg_tag_is_node(v->tag))
        return unsupported(tg_schema_type_upper(v->tag));
    if (logical == TG_LOGICAL_DECIMAL)
        return read_decimal(s, schema);
    switch (v->tag) {
    case TG_BOOL:
        s->form = F_BOOL;
        s->i = v->u.i;
        return 0;
    case TG_FLOAT32:
    case TG_FLOAT64:
    case TG_NUM:
        read_number(s, schema);
        return 0;
    case TG_STR:
    case TG_ESC:
        return read_text(s);
    case TG_BYTES:
        s->form = F_BYTES;
        return 0;
    default:
        s->form = logical ? F_TIME : F_INT;
        s->stored = v->u.i;
        s->i = logical == TG_LOGICAL_DATE ? v->u.i * DAY_MS : v->u.i;
        return 0;
    }
}

/* --- texts to numbers ------------------------------------------------------
 */

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Long.parseLong(): an optional sign and digits. */
static bool parse_integer(const char *p, uint32_t len, int64_t *out)
{
    bool minus = len > 0 && p[0] == '-';
    uint64_t limit = (uint64_t)INT64_MAX + minus, u = 0;
    uint32_t i = len > 0 && (p[0] == '-' || p[0] == '+');

    if (i == len)
        return false;
    for (; i < len; i++) {
        unsigned c = (unsigned char)p[i] - (unsigned)'0';
        if (c > 9 || u > (limit - c) / 10)
            return false;
        u = u * 10 + c;
    }
    *out = minus ? (int64_t)(0 - u) : (int64_t)u;
    return true;
}

/* Digits (hexadecimal: hex) from *p on; how many. */
static uint32_t skip_digits(const char **p, const char *end, bool hex)
{
    const char *from = *p;

    while (*p < end &&
           (digit(**p) || (hex && (**p | 32) >= 'a' && (**p | 32) <= 'f')))
        (*p)++;
    return (uint32_t)(*p - from);
}

/* Whether a text is what Double.parseDouble() reads, without spaces, sign and
 * the words: 1, 1., .5, 1e5, 1f, 0x1.8p3. *n: without a suffix f or d. */
static bool real_syntax(const char *p, uint32_t len, uint32_t *n)
{
    const char *from = p, *end = p + len;
    bool hex = len > 1 && p[0] == '0' && (p[1] | 32) == 'x';
    uint32_t digits;

    p += hex ? 2 : 0;
    digits = skip_digits(&p, end, hex);
    if (p < end && *p == '.') {
        p++;
        digits += skip_digits(&p, end, hex);
    }
    if (digits == 0)
        return false;
    if (p < end && (*p | 32) == (hex ? 'p' : 'e')) {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        if (skip_digits(&p, end, false) == 0)
            return false;
    } else if (hex) {
        return false;
    }
    *n = (uint32_t)(p - from);
    if (p < end && ((*p | 32) == 'f' || (*p | 32) == 'd'))
        p++;
    return p == end;
}

static bool is_word(const char *p, uint32_t len, const char *word)
{
    return len == strlen(word) && memcmp(p, word, len) == 0;
}

/* The nearest double or float of a text whose syntax is right. */
static double nearest(const char *p, uint32_t len, bool single)
{
    char *copy = tg_strndup(p, len);
    double d = single ? (double)strtof(copy, NULL) : strtod(copy, NULL);

    tg_free(copy);
    return d;
}

static bool parse_real(const char *p, uint32_t len, bool single, double *out)
{
    bool minus;
    uint32_t n;

    while (len > 0 && (unsigned char)p[0] <= ' ')
        p++, len--;
    while (len > 0 && (unsigned char)p[len - 1] <= ' ')
        len--;
    minus = len > 0 && p[0] == '-';
    if (len > 0 && (p[0] == '-' || p[0] == '+'))
        p++, len--;
    if (is_word(p, len, "NaN"))
        *out = NAN;
    else if (is_word(p, len, "Infinity"))
        *out = INFINITY;
    else if (real_syntax(p, len, &n))
        *out = nearest(p, n, single);
    else
        return false;
    if (minus)
        *out = -*out;
    return true;
}

/* --- to integers -----------------------------------------------------------
 */

/* Java's (int) and (long) of a double. */
static int64_t saturate(double d, bool wide)
{
    double most = wide ? 0x1p63 : 0x1p31;

    if (isnan(d))
        return 0;
    if (d >= most)
        return wide ? INT64_MAX : INT32_MAX;
    if (d < -most)
        return wide ? INT64_MIN : INT32_MIN;
    return (int64_t)d;
}

/* Low 64 bits of the integer part of a decimal's text. */
static int64_t decimal_low_bits(const char *p, uint32_t len)
{
    const char *end = p + len, *e = memchr(p, 'E', len);
    bool minus = len > 0 && *p == '-';
    long exponent = e ? strtol(e + 1, NULL, 10) : 0;
    const char *stop = e ? e : end, *dot = memchr(p, '.', len);
    long left = (dot ? dot : stop) - (p + minus) + exponent;
    uint64_t u = 0;

    for (const char *c = p + minus; c < stop && left > 0; c++) {
        if (*c == '.')
            continue;
        u = u * 10 + (uint64_t)(*c - '0');
        left--;
    }
    for (; left > 0 && u != 0; left--) /* 10^64 has no low bits */
        u *= 10;
    return (int64_t)(minus ? 0 - u : u);
}

static int to_integer(source *s, int tag, int64_t *out)
{
    switch (s->form) {
    case F_INT:
    case F_BOOL:
        *out = tg__stock_narrow(tag, s->i);
        return 0;
    case F_TIME:
        *out = tg__stock_narrow(tag, s->stored);
        return 0;
    case F_REAL:
        *out = tg__stock_narrow(tag, saturate(s->d, tag == TG_INT64));
        return 0;
    case F_DECIMAL:
        *out = tg__stock_narrow(tag, decimal_low_bits(s->text, s->len));
        return 0;
    case F_TEXT:
        if (!parse_integer(s->text, s->len, out) ||
            tg__stock_narrow(tag, *out) != *out)
            return out_of_range(s);
        return 0;
    default:
        return tg_err_set(tg_err_ffi(), TG_ERR_DATA,
                          "Unexpected type in Cast transformation: class [B");
    }
}

/* --- to floats and booleans ------------------------------------------------
 */

static int to_real(source *s, bool single, double *out)
{
    switch (s->form) {
    case F_INT:
    case F_BOOL:
        *out = single ? (double)(float)s->i : (double)s->i;
        return 0;
    case F_TIME:
        *out = single ? (double)(float)s->stored : (double)s->stored;
        return 0;
    case F_REAL:
        *out = single ? (double)(float)s->d : s->d;
        return 0;
    case F_DECIMAL:
        *out = nearest(s->text, s->len, single);
        return 0;
    case F_TEXT:
        return parse_real(s->text, s->len, single, out) ? 0 : out_of_range(s);
    default:
        return tg_err_set(tg_err_ffi(), TG_ERR_DATA,
                          "Unexpected type in Cast transformation: class [B");
    }
}

static int to_bool(source *s, int64_t *out)
{
    int rc = 0;

    if (s->form == F_TEXT)
        *out = s->len == 4 && strncasecmp(s->text, "true", 4) == 0;
    else
        rc = to_integer(s, TG_INT64, out);
    *out = *out != 0;
    return rc;
}

/* --- to texts --------------------------------------------------------------
 */

/* In UTC; Java takes the time zone of the machine. */
static void time_text(tg_buf *out, int64_t ms)
{
    static const char *const patterns[] = {"HH:mm:ss.SSS'Z'", "yyyy-MM-dd",
                                           "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'"};
    static tg_date_format *formats[3];
    int which = ms < DAY_MS ? 0 : ms % DAY_MS == 0 ? 1 : 2;

    if (!formats[which])
        formats[which] = tg_date_format_new(
            patterns[which], (uint32_t)strlen(patterns[which]), tg_err_ffi());
    tg_date_format_print(formats[which], ms, out);
}

static int give_text(source *s, const char *text, size_t len, tg_value *out)
{
    const char *p = tg_arena_dup(s->batch->arena, text, len);

    *out = (tg_value){
        .tag = TG_STR, .flags = TG_F_NEW, .len = (uint32_t)len, .u.p = p};
    return p ? 0 : tg__stock_full(s->batch);
}

static int give_number(source *s, tg_value *out)
{
    char text[TG_NUMBER_MAX];
    int n;

    if (s->form == F_INT)
        n = tg_int64_text(text, s->i);
    else if (s->single)
        n = tg_float_text(text, (float)s->d);
    else
        n = tg_double_text(text, s->d);
    return give_text(s, text, (size_t)n, out);
}

static int give_base64(source *s, tg_value *out)
{
    size_t len = tg_base64_size(s->v->len);
    char *p = tg_arena_alloc(s->batch->arena, len);

    if (!p)
        return tg__stock_full(s->batch);
    tg_base64_encode(p, s->v->u.p, s->v->len);
    *out = (tg_value){
        .tag = TG_STR, .flags = TG_F_NEW, .len = (uint32_t)len, .u.p = p};
    return 0;
}

static int to_text(source *s, tg_value *out)
{
    tg_buf made = {0};
    int rc;

    switch (s->form) {
    case F_TEXT:
        *out = *s->v;
        return 0;
    case F_INT:
    case F_REAL:
        return give_number(s, out);
    case F_BOOL:
        return give_text(s, s->i ? "true" : "false", s->i ? 4 : 5, out);
    case F_DECIMAL:
        return give_text(s, s->text, s->len, out);
    case F_BYTES:
        return give_base64(s, out);
    default:
        time_text(&made, s->i);
        rc = give_text(s, made.p, made.len, out);
        tg_buf_fini(&made);
        return rc;
    }
}

/* --- all -------------------------------------------------------------------
 */

static int integer_text(tg_batch *batch, int64_t i, tg_value *out)
{
    char *p = tg_arena_alloc(batch->arena, TG_NUMBER_MAX);

    if (!p)
        return tg__stock_full(batch);
    out->len = (uint32_t)tg_int64_text(p, i);
    out->u.p = p;
    return 1;
}

/* What needs no detour: integers of no logical type, numbers with a fraction to
 * integers, and values that are of the type already. 1: done, 0: it does,
 * TG_ERR_LIMIT. */
static int cast_plain(tg_batch *batch, const tg_value *v,
                      const tg_schema *schema, int tag, tg_value *out)
{
    if ((schema && schema->name) || v->aux != TG_LOGICAL_NONE)
        return 0;
    if (v->tag == tag && tag == TG_STR)
        *out = *v;
    else if (v->tag == tag)
        out->u = v->u;
    else if (tg_tag_is_int(v->tag) && tag == TG_STR)
        return integer_text(batch, v->u.i, out);
    else if (tg_tag_is_int(v->tag) && tg_tag_is_int(tag))
        out->u.i = tg__stock_narrow(tag, v->u.i);
    else if (v->tag == TG_NUM && tg_tag_is_int(tag) && !schema &&
             !tg__stock_integral(v, NULL))
        out->u.i = tg__stock_narrow(
            tag, saturate(tg_double_parse(v->u.p, v->len), tag == TG_INT64));
    else
        return 0;
    return 1;
}

static int cast_other(tg_batch *batch, const tg_value *v,
                      const tg_schema *schema, int tag, tg_value *out)
{
    source s = {.batch = batch, .v = v};
    int rc = read_source(&s, schema);

    if (rc)
        goto out;
    if (tag == TG_STR)
        rc = to_text(&s, out);
    else if (tag == TG_BOOL)
        rc = to_bool(&s, &out->u.i);
    else if (tg_tag_is_int(tag))
        rc = to_integer(&s, tag, &out->u.i);
    else
        rc = to_real(&s, tag == TG_FLOAT32, &out->u.d);
out:
    tg_buf_fini(&s.buf);
    return rc;
}

int tg__cast_value(tg_batch *batch, const tg_value *v, const tg_schema *schema,
                   int tag, tg_value *out)
{
    int rc;

    *out = (tg_value){.tag = (uint8_t)tag, .flags = TG_F_NEW};
    rc = cast_plain(batch, v, schema, tag, out);
    return rc ? (rc < 0 ? rc : 0) : cast_other(batch, v, schema, tag, out);
}
