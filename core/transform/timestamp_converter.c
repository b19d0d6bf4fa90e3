/*
 * TimestampConverter: a field, or the whole key or value, from one form of a
 * point in time to another: text, unix time, Date, Time or Timestamp. Every
 * form is read to ms since the epoch first. Without a schema a value that is a
 * java.util.Date in Kafka Connect says so in aux (TG_LOGICAL_*). Script thread.
 */
#include "text/java_date.h"
#include "transform/stock.h"
#include <inttypes.h>

static const char PURPOSE[] = "converting timestamp formats";

enum { DAY_MS = 86400000 };

typedef struct converter {
    tg_stock base;
    int target; /* TG_TIME_TO_* */
    int precision;
    tg_date_format *format; /* NULL: none was given */
    char *pattern;
    tg_field_path *path; /* NULL: the whole value */
    tg_stock_memo schemas;
    tg_buf text; /* scratch */
} converter;

/* --- reading -----------------------------------------------------------------
 */

/* a * b, or the nearest int64: as java.util.concurrent.TimeUnit converts. */
static int64_t times(int64_t a, int64_t b)
{
    int64_t product;

    if (!__builtin_mul_overflow(a, b, &product))
        return product;
    return a < 0 ? INT64_MIN : INT64_MAX;
}

static int64_t from_unix(const converter *c, int64_t t)
{
    switch (c->precision) {
    case TG_UNIX_SECONDS:
        return times(t, 1000);
    case TG_UNIX_MICROS:
        return t / 1000;
    case TG_UNIX_NANOS:
        return t / 1000000;
    default:
        return t;
    }
}

static int64_t to_unix(const converter *c, int64_t ms)
{
    switch (c->precision) {
    case TG_UNIX_SECONDS:
        return ms / 1000;
    case TG_UNIX_MICROS:
        return times(ms, 1000);
    case TG_UNIX_NANOS:
        return times(ms, 1000000);
    default:
        return ms;
    }
}

static int parse(const converter *c, tg_batch *batch, const tg_value *v,
                 int64_t *ms)
{
    tg_err *err = tg_err_ffi(), why;
    const char *text;
    uint32_t len;

    if (!c->format)
        return tg_err_set(err, TG_ERR_DATA,
                          "TimestampConverter needs format=... to read a text "
                          "as a timestamp: set it to the pattern of the texts");
    text = tg_value_text(batch, v, &len);
    if (!text)
        return TG_ERR_LIMIT;
    if (tg_date_format_parse(c->format, text, len, ms, &why) == 0)
        return 0;
    return tg_err_set(err, TG_ERR_DATA,
                      "Could not parse timestamp: value (%.*s) does not match "
                      "pattern (%s)",
                      len > 200 ? 200 : (int)len, text, c->pattern);
}

static int unknown_schema(const tg_schema *schema)
{
    const char *type = tg_schema_type_upper(schema->tag);

    return tg_err_set(tg_err_ffi(), TG_ERR_DATA,
                      "Schema Schema{%s%s%s} does not correspond to a known "
                      "timestamp type format",
                      schema->name ? schema->name : "", schema->name ? ":" : "",
                      type);
}

/* Whether schema is one that a time can be read from. */
static int check_schema(const tg_schema *schema)
{
    static const tg_value none = {.tag = TG_NULL};

    if (tg__stock_logical(&none, schema) >= TG_LOGICAL_DATE ||
        schema->tag == TG_STR || schema->tag == TG_INT64)
        return 0;
    return unknown_schema(schema);
}

/* An integer of any kind that Java reads as a Long. */
static bool is_long(const tg_value *v, int64_t *out)
{
    int32_t ok = 1;

    if (v->tag != TG_INT64 &&
        (v->tag != TG_NUM || !tg__stock_integral(v, NULL)))
        return false;
    *out = tg_value_int64(v, &ok);
    return ok;
}

/* ms of a value that is not null. */
static int read_time(const converter *c, tg_batch *batch, const tg_value *v,
                     const tg_schema *schema, int64_t *ms)
{
    int logical = tg__stock_logical(v, schema);
    int64_t t;

    if (logical == TG_LOGICAL_DATE)
        *ms = times(v->u.i, DAY_MS);
    else if (logical == TG_LOGICAL_TIME || logical == TG_LOGICAL_TIMESTAMP)
        *ms = v->u.i;
    else if (logical == TG_LOGICAL_NONE &&
             (v->tag == TG_STR || v->tag == TG_ESC))
        return parse(c, batch, v, ms);
    else if (logical == TG_LOGICAL_NONE && is_long(v, &t))
        *ms = from_unix(c, t);
    else
        return tg_err_set(tg_err_ffi(), TG_ERR_DATA,
                          "TimestampConverter does not support class %s "
                          "objects as timestamps",
                          tg__stock_class(v, schema));
    return 0;
}

/* --- writing
 * ------------------------------------------------------------------ */

static int print(converter *c, tg_batch *batch, int64_t ms, tg_value *out)
{
    char *text;

    c->text.len = 0;
    tg_date_format_print(c->format, ms, &c->text);
    text = tg_arena_dup(batch->arena, c->text.p, c->text.len);
    if (!text)
        return tg__stock_full(batch);
    *out = (tg_value){.tag = TG_STR,
                      .flags = TG_F_NEW,
                      .len = (uint32_t)c->text.len,
                      .u.p = text};
    return 0;
}

/* typed: the value gets a schema, which says what it is. */
static int write_time(converter *c, tg_batch *batch, int64_t ms, bool typed,
                      tg_value *out)
{
    int64_t day = ms / DAY_MS - (ms % DAY_MS < 0);

    *out = (tg_value){.tag = TG_INT64, .flags = TG_F_NEW, .u.i = ms};
    switch (c->target) {
    case TG_TIME_TO_STRING:
        return print(c, batch, ms, out);
    case TG_TIME_TO_UNIX:
        out->u.i = to_unix(c, ms);
        return 0;
    case TG_TIME_TO_DATE:
        if (typed && (day > INT32_MAX || day < INT32_MIN))
            return tg_err_set(tg_err_ffi(), TG_ERR_DATA,
                              "%" PRId64 " ms since 1970 is no day of the "
                              "schema type Date, which has 32 bits",
                              ms);
        out->tag = TG_INT32;
        out->u.i = day;
        break;
    case TG_TIME_TO_TIME:
        out->tag = TG_INT32;
        out->u.i = ms % DAY_MS + (ms % DAY_MS < 0 ? DAY_MS : 0);
        break;
    default:
        break;
    }
    if (!typed) /* what the targets are numbered by */
        out->aux = (uint16_t)c->target;
    return 0;
}

/* A value that is not null, as the target. */
static int convert(converter *c, tg_batch *batch, const tg_value *v,
                   const tg_schema *schema, tg_value *out)
{
    int64_t ms;
    int rc = read_time(c, batch, v, schema, &ms);

    return rc ? rc : write_time(c, batch, ms, schema != NULL, out);
}

static const tg_schema *target_schema(const converter *c, bool optional)
{
    switch (c->target) {
    case TG_TIME_TO_STRING:
        return tg_schema_of(TG_STR, optional, NULL);
    case TG_TIME_TO_UNIX:
        return tg_schema_of(TG_INT64, optional, NULL);
    case TG_TIME_TO_DATE:
        return tg_schema_of(TG_INT32, optional, "date");
    case TG_TIME_TO_TIME:
        return tg_schema_of(TG_INT32, optional, "time");
    default:
        return tg_schema_of(TG_INT64, optional, "timestamp");
    }
}

/* --- whole values
 * --------------------------------------------------------------- */

static bool whole(converter *c, tg_record *rec, tg_cell *cell)
{
    const tg_schema *schema = cell->schema;
    tg_value v = {.tag = TG_NULL};

    if (schema && check_schema(schema))
        return tg__stock_refuse(rec);
    if (!tg__stock_null(cell) &&
        convert(c, rec->batch, &cell->value, schema, &v))
        return tg__stock_refuse(rec);
    if (!schema && v.tag == TG_NULL)
        return true;
    return tg__stock_check(
        rec, tg__stock_replace(
                 cell, &v, schema ? target_schema(c, schema->optional) : NULL));
}

/* --- fields
 * --------------------------------------------------------------------- */

/* The struct schema with the field converted, kept by the schema it came from;
 * NULL with the sentence. */
static const tg_schema *result(converter *c, const tg_schema *from)
{
    const tg_schema *to = tg__stock_known(&c->schemas, from), *field;

    if (to)
        return to;
    if (from->tag != TG_STRUCT) {
        tg_err_set(tg_err_ffi(), TG_ERR_DATA,
                   "Cannot list fields on non-struct type");
        return NULL;
    }
    if (tg_field_path_schema(c->path, from, &field))
        return NULL;
    if (field && from->has_default) {
        tg_err_set(tg_err_ffi(), TG_ERR_DATA,
                   "the schema of a struct with a default value cannot be "
                   "changed by TimestampConverter: drop the default");
        return NULL;
    }
    to = from;
    if (field)
        to = tg_field_path_retype(c->path, from,
                                  target_schema(c, field->optional), true);
    tg__stock_learn(&c->schemas, from, to);
    return to;
}

/* Converts the field below root. */
static int convert_field(converter *c, tg_batch *batch, tg_node *root)
{
    const tg_schema *schema;
    tg_field_at at;
    tg_value v, to;
    int rc = tg__stock_read(c->path, root, c->base.defaults, &at, &v);

    if (rc || !at.node)
        return rc;
    if (at.slot < 0)
        return at.node->kind == TG_STRUCT
                   ? 0
                   : tg_put_null(at.node, -1,
                                 c->path->steps[c->path->n - 1].name);
    schema = tg__stock_declared(&at);
    if (schema && (rc = check_schema(schema)))
        return rc;
    if (v.tag <= TG_NULL)
        return 0;
    rc = convert(c, batch, &v, schema, &to);
    return rc ? rc : tg__stock_put(at.node, at.slot, &to);
}

/* A null struct: only its schema changes. */
static bool null_struct(converter *c, tg_record *rec, tg_cell *cell)
{
    static const tg_value none = {.tag = TG_NULL};
    const tg_schema *to;

    if (!cell->schema)
        return true;
    to = result(c, cell->schema);
    if (!to)
        return tg__stock_refuse(rec);
    return to == cell->schema ||
           tg__stock_check(rec, tg__stock_replace(cell, &none, to));
}

static bool field(converter *c, tg_record *rec, tg_cell *cell)
{
    const tg_schema *to = NULL;
    tg_node *root;

    if (tg__stock_null(cell))
        return null_struct(c, rec, cell);
    root = tg__stock_object(rec, cell, PURPOSE, false);
    if (!root)
        return false;
    if (root->kind == TG_STRUCT) {
        to = result(c, root->shape->schema);
        if (!to || (c->base.defaults && tg__stock_defaults(root)))
            return tg__stock_refuse(rec);
    }
    if (convert_field(c, rec->batch, root))
        return tg__stock_refuse(rec);
    return !to || tg__stock_check(rec, tg__stock_retype(root, to));
}

/* --- records
 * -------------------------------------------------------------------- */

static bool record(tg_stock *self, tg_record *rec)
{
    converter *c = (converter *)self;
    tg_cell *cell = tg__stock_cell(rec, self->side);

    if (!tg__stock_open(rec, cell))
        return false;
    return c->path ? field(c, rec, cell) : whole(c, rec, cell);
}

static void fini(tg_stock *self)
{
    converter *c = (converter *)self;

    tg_date_format_free(c->format);
    tg_field_path_free(c->path);
    tg_free(c->pattern);
    tg_buf_fini(&c->text);
}

tg_stock *tg_stock_timestamp_converter(int32_t side, int32_t defaults,
                                       int32_t target, int32_t precision,
                                       const char *pattern, uint32_t len)
{
    tg_date_format *format = NULL;
    converter *c;

    if (len > 0 && !(format = tg_date_compile(pattern, len)))
        return NULL;
    if (!format && target == TG_TIME_TO_STRING) {
        tg_err_set(tg_err_ffi(), TG_ERR_CONFIG,
                   "TimestampConverter requires format option to be specified "
                   "when using string timestamps");
        return NULL;
    }
    c = tg__stock_new(sizeof *c, record, fini, side, defaults);
    c->target = target;
    c->precision = precision;
    c->format = format;
    c->pattern = tg_strndup(len ? pattern : "", len);
    return &c->base;
}

int32_t tg_stock_timestamp_converter_field(tg_stock *stock, const char *field,
                                           uint32_t len, int32_t v2)
{
    converter *c = (converter *)stock;

    tg_field_path_free(c->path);
    c->path = tg_stock_path_new(field, len, v2);
    return c->path ? 0 : TG_ERR_CONFIG;
}
