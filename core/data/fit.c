/*
 * What a written value becomes in its place: the same kind as before where that
 * is possible, the kind of the schema where there is one, and nothing at all
 * when the place holds an equal value already (an untouched number keeps its
 * text, 1.10 written over 1.10 is no write). Script thread.
 */
#include "data/internal.h"
#include <math.h>
#include <stdio.h>

/* --- messages ------------------------------------------------------------- */

const char *tg__place_text(const tg_place *at)
{
    static _Thread_local char text[160];

    if (!at->node)
        return "the whole value";
    if (at->name)
        snprintf(text, sizeof text, "field \"%.*s\"",
                 (int)(at->name->len < 120 ? at->name->len : 120),
                 at->name->text);
    else
        snprintf(text, sizeof text, "element %u", at->slot + 1);
    return text;
}

static int misfit(const tg_place *at, const char *found)
{
    return tg__fail(TG_ERR_DATA,
                    "Invalid value: %s does not fit %s, schema type: %s; write "
                    "a value of that type or replace the field by one with "
                    "another schema",
                    found, tg__place_text(at),
                    at->schema->name ? at->schema->name
                                     : tg_schema_type_upper(at->schema->tag));
}

static int misfit_number(const tg_place *at, double d)
{
    char found[40];

    snprintf(found, sizeof found, "%.17g", d);
    return misfit(at, found);
}

static int misfit_int64(const tg_place *at, int64_t i)
{
    char found[40];

    snprintf(found, sizeof found, "%lld", (long long)i);
    return misfit(at, found);
}

/* --- helpers -------------------------------------------------------------- */

static tg_value make(int tag)
{
    return (tg_value){.tag = (uint8_t)tag, .flags = TG_F_NEW};
}

static int old_tag(const tg_place *at)
{
    return at->old ? at->old->tag : TG_ABSENT;
}

static bool fits_width(int tag, int64_t i)
{
    switch (tag) {
    case TG_INT8:
        return i >= INT8_MIN && i <= INT8_MAX;
    case TG_INT16:
        return i >= INT16_MIN && i <= INT16_MAX;
    case TG_INT32:
        return i >= INT32_MIN && i <= INT32_MAX;
    default:
        return true;
    }
}

static bool integral(double d, int64_t *i)
{
    if (!(d >= -0x1p63 && d < 0x1p63) || d != trunc(d))
        return false;
    *i = (int64_t)d;
    return true;
}

bool tg__is_decimal(const tg_schema *s)
{
    return s->tag == TG_BYTES && s->name &&
           strcmp(s->name, "org.apache.kafka.connect.data.Decimal") == 0;
}

static bool same_double(double a, double b)
{
    return a == b ? signbit(a) == signbit(b) : isnan(a) && isnan(b);
}

/* --- decimals ------------------------------------------------------------- */

/* A Decimal, or a number, for a Decimal or for a tree without schemas. */
static int give_decimal(const tg_place *at, const tg_value *v, tg_value *out)
{
    tg_err *err = tg_err_ffi();
    int rc;

    tg_err_clear(err);
    rc = tg_decimal_hook(at->cell->record->batch, at->from, v, at->schema, out,
                         err);
    if (rc)
        return rc;
    return at->old && at->old->tag == out->tag && tg_value_equal(at->old, out)
               ? 0
               : 1;
}

static int number_as_decimal(const tg_place *at, tg_value v, tg_value *out)
{
    if (at->old && tg_tag_is_number(at->old->tag) &&
        tg_value_equal(at->old, &v))
        return 0;
    if (tg_decimal_hook)
        return give_decimal(at, &v, out);
    *out = v;
    return 1;
}

/* --- integers ------------------------------------------------------------- */

static int give_int(const tg_place *at, int tag, int64_t i, tg_value *out)
{
    if (at->old && tg_tag_is_int(at->old->tag) && at->old->u.i == i)
        return 0;
    *out = make(tag);
    out->u.i = i;
    return 1;
}

static int give_double(const tg_place *at, int tag, double d, tg_value *out)
{
    const tg_value *old = at->old;

    if (tag == TG_FLOAT32)
        d = (double)(float)d;
    if (old && tg_tag_is_float(old->tag) && same_double(old->u.d, d))
        return 0;
    if (old && old->tag == TG_NUM && tg__number(old) == d)
        return 0;
    *out = make(tag);
    out->u.d = d;
    return 1;
}

/* Without a schema: old integers stay integers, old fractions stay such. */
static int free_int64(const tg_place *at, int64_t i, tg_value *out)
{
    int tag = old_tag(at);
    int64_t was;

    if (tg_tag_is_float(tag) && integral((double)i, &was) && was == i)
        return give_double(at, tag, (double)i, out);
    if (tag == TG_NUM && tg__text_int64(at->old->u.p, at->old->len, &was) &&
        was == i)
        return 0;
    if (tag == TG_NUM && !tg__text_integral(at->old->u.p, at->old->len) &&
        integral((double)i, &was) && was == i)
        return give_double(at, TG_FLOAT64, (double)i, out);
    if (tg_tag_is_int(tag) && fits_width(tag, i))
        return give_int(at, tag, i, out);
    return give_int(at, TG_INT64, i, out);
}

static int free_number(const tg_place *at, double d, tg_value *out)
{
    int tag = old_tag(at);
    int64_t i;

    if (tg_tag_is_float(tag))
        return give_double(at, tag, d, out);
    if (tag == TG_NUM && tg__number(at->old) == d)
        return 0;
    if (tag == TG_NUM && !tg__text_integral(at->old->u.p, at->old->len))
        return give_double(at, TG_FLOAT64, d, out);
    if (!integral(d, &i) || (i == 0 && signbit(d) && !tg_tag_is_number(tag)))
        return give_double(at, TG_FLOAT64, d, out);
    if (tg_tag_is_int(tag) && fits_width(tag, i))
        return give_int(at, tag, i, out);
    return give_int(at, TG_INT64, i, out);
}

int tg__fit_int64(const tg_place *at, int64_t i, tg_value *out)
{
    const tg_schema *s = at->schema;
    int64_t was;

    if (!s)
        return free_int64(at, i, out);
    if (tg_tag_is_int(s->tag)) {
        if (!fits_width(s->tag, i))
            return misfit_int64(at, i);
        if (old_tag(at) == TG_NUM &&
            tg__text_int64(at->old->u.p, at->old->len, &was) && was == i)
            return 0;
        return give_int(at, s->tag, i, out);
    }
    if (tg_tag_is_float(s->tag))
        return give_double(at, s->tag, (double)i, out);
    if (tg__is_decimal(s))
        return number_as_decimal(at, (tg_value){.tag = TG_INT64, .u.i = i},
                                 out);
    return misfit_int64(at, i);
}

int tg__fit_number(const tg_place *at, double d, tg_value *out)
{
    const tg_schema *s = at->schema;
    int64_t i;

    if (!s)
        return free_number(at, d, out);
    if (tg_tag_is_int(s->tag))
        return integral(d, &i) && fits_width(s->tag, i)
                   ? tg__fit_int64(at, i, out)
                   : misfit_number(at, d);
    if (tg_tag_is_float(s->tag))
        return give_double(at, s->tag, d, out);
    if (tg__is_decimal(s) && isfinite(d))
        return number_as_decimal(at, (tg_value){.tag = TG_FLOAT64, .u.d = d},
                                 out);
    return misfit_number(at, d);
}

/* --- other scalars -------------------------------------------------------- */

static int refuse_null(const tg_place *at)
{
    const char *type = tg_schema_type_upper(at->schema->tag);

    if (at->node && at->name)
        return tg__fail(TG_ERR_DATA,
                        "Invalid value: null used for required field: "
                        "\"%.*s\", schema type: %s; write a value, or make "
                        "the field optional in the schema",
                        (int)(at->name->len < 120 ? at->name->len : 120),
                        at->name->text, type);
    return tg__fail(TG_ERR_DATA,
                    "Invalid value: null used for required %s, schema type: "
                    "%s; write a value, or make it optional in the schema",
                    tg__place_text(at), type);
}

int tg__fit_null(const tg_place *at, tg_value *out)
{
    if (old_tag(at) == TG_NULL)
        return 0;
    if (at->schema && !at->schema->optional)
        return refuse_null(at);
    if (!at->schema && at->typed && !at->from)
        return tg__fail(TG_ERR_DATA,
                        "Invalid value: null used for new %s, which has no "
                        "schema yet; write a value or add the field with a "
                        "schema",
                        tg__place_text(at));
    *out = make(TG_NULL);
    return 1;
}

int tg__fit_bool(const tg_place *at, bool b, tg_value *out)
{
    if (at->schema && at->schema->tag != TG_BOOL)
        return misfit(at, b ? "true" : "false");
    if (old_tag(at) == TG_BOOL && at->old->u.i == b)
        return 0;
    *out = make(TG_BOOL);
    out->u.i = b;
    return 1;
}

static int give_text(const tg_place *at, int tag, const char *p, uint32_t len,
                     tg_value *out)
{
    int was = old_tag(at) == TG_ESC ? TG_STR : old_tag(at);

    if (was == tag && tg_value_eq(NULL, at->old, p, len))
        return 0;
    *out = make(tag);
    out->u.p = p;
    out->len = len;
    return 1;
}

int tg__fit_bytes(const tg_place *at, const char *p, uint32_t len,
                  tg_value *out)
{
    if (at->schema && at->schema->tag != TG_BYTES)
        return misfit(at, "a byte string");
    return give_text(at, TG_BYTES, p, len, out);
}

int tg__fit_text(const tg_place *at, const char *p, uint32_t len, tg_value *out)
{
    int want = at->schema ? at->schema->tag : old_tag(at);

    if (at->schema && tg__is_decimal(at->schema))
        return misfit(at, "a string (write tide.decimal(text))");
    if (want == TG_BYTES)
        return tg__fit_bytes(at, p, len, out);
    if (at->schema && want != TG_STR)
        return misfit(at, "a string");
    int rc = give_text(at, TG_STR, p, len, out);
    if (rc <= 0 || !at->node)
        return rc;
    int64_t bad = tg_text_check(p, len);
    if (bad >= 0)
        return tg__fail(TG_ERR_DATA,
                        "the string for %s is not UTF-8: byte 0x%02X at offset "
                        "%lld; write it as bytes (tide.bytes) or convert it",
                        tg__place_text(at), (unsigned char)p[bad],
                        (long long)bad);
    return 1;
}

static int fit_numeric(const tg_place *at, const tg_value *v, tg_value *out)
{
    const tg_schema *s = at->schema;
    int32_t ok;
    int64_t i = tg_value_int64(v, &ok);

    if (s && tg_tag_is_int(s->tag))
        return ok ? tg__fit_int64(at, i, out)
                  : tg__fit_number(at, tg__number(v), out);
    if (s && !tg__is_decimal(s))
        return tg__fit_number(at, tg__number(v), out);
    if (s)
        return number_as_decimal(at, *v, out);
    *out = *v;
    return 1;
}

/* A Decimal that is copied: its bytes mean nothing without its scale. */
static int fit_decimal(const tg_place *at, const tg_value *v, tg_value *out)
{
    const tg_schema *s = at->schema;
    tg_place plain = *at;
    tg_value text;
    int rc;

    if (!tg_decimal_hook || (!s && at->typed)) {
        *out = *v;
        return 1;
    }
    if (!s || tg__is_decimal(s))
        return give_decimal(at, v, out);
    if (!tg_tag_is_number(s->tag))
        return misfit(at, "a Decimal");
    plain.schema = NULL;
    rc = give_decimal(&plain, v, &text);
    plain.schema = s;
    return rc < 0 ? rc : fit_numeric(&plain, &text, out);
}

/* Days into ms, and the like: the same number means something else. */
static bool other_time(const tg_place *at)
{
    static const char prefix[] = "org.apache.kafka.connect.data.";
    const tg_schema *from = at->from, *s = at->schema;

    return from && from->name && s && s->name &&
           strncmp(from->name, prefix, sizeof prefix - 1) == 0 &&
           strncmp(s->name, prefix, sizeof prefix - 1) == 0 &&
           strcmp(from->name, s->name) != 0;
}

int tg__fit_scalar(const tg_place *at, const tg_value *v, tg_value *out)
{
    if (v->tag <= TG_NULL)
        return tg__fit_null(at, out);
    if (at->from && tg__is_decimal(at->from))
        return fit_decimal(at, v, out);
    if (other_time(at))
        return misfit(at, at->from->name);
    if (at->old && !(at->schema && tg_tag_is_number(v->tag)) &&
        tg_value_equal(at->old, v))
        return 0;
    if (v->tag == TG_BOOL)
        return tg__fit_bool(at, v->u.i != 0, out);
    if (tg_tag_is_number(v->tag))
        return fit_numeric(at, v, out);
    if (v->tag == TG_BYTES)
        return tg__fit_bytes(at, v->u.p, v->len, out);
    if (at->schema && at->schema->tag != TG_STR)
        return misfit(at, "a string");
    *out = *v;
    return 1;
}

/* --- containers ----------------------------------------------------------- */

const tg_schema *tg__schema_infer(const tg_value *v)
{
    tg_schema proto = {.tag = v->tag, .optional = true};

    switch (v->tag) {
    case TG_ABSENT:
    case TG_NULL:
        return NULL;
    case TG_ARRAY:
        return tg_schema_intern(&proto);
    case TG_STRUCT:
        return tg_schema_optional(v->u.node->shape->schema, true);
    case TG_MAP:
    case TG_PAIRS:
        return NULL;
    case TG_NUM:
        return tg_schema_of(TG_FLOAT64, 1, NULL);
    case TG_ESC:
        return tg_schema_of(TG_STR, 1, NULL);
    default:
        return tg_schema_of(v->tag, 1, NULL);
    }
}

/* Struct schema without fields, for nested structs made by scripts. */
static const tg_schema *empty_struct(bool optional)
{
    tg_schema proto = {.tag = TG_STRUCT, .optional = optional};

    return tg_schema_intern(&proto);
}

/* Kind and struct schema of a container for a place; 0 or TG_ERR_DATA. */
static int choose(const tg_place *at, int *kind, const tg_schema **schema)
{
    const tg_schema *s = at->schema;

    *schema = NULL;
    if (!s) {
        if (*kind == TG_MAP && at->typed)
            *kind = TG_STRUCT;
        if (*kind == TG_STRUCT)
            *schema = empty_struct(at->node != NULL);
        return 0;
    }
    if (*kind == TG_ARRAY)
        return s->tag == TG_ARRAY ? 0 : misfit(at, "an array");
    if (s->tag == TG_STRUCT) {
        *kind = TG_STRUCT;
        *schema = s;
        return 0;
    }
    if (s->tag == TG_MAP && *kind == TG_MAP && s->key && s->key->tag == TG_STR)
        return 0;
    return misfit(at, *kind == TG_MAP ? "a map" : "a struct");
}

int tg__fit_node(const tg_place *at, int kind, tg_value *out)
{
    const tg_schema *schema;
    tg_batch *batch = at->cell->record->batch;

    if (choose(at, &kind, &schema))
        return TG_ERR_DATA;
    if (old_tag(at) == kind && kind != TG_STRUCT && at->old->u.node->n == 0) {
        *out = *at->old;
        return 0;
    }
    if (tg__node_depth(at->node) >= TG_MAX_DEPTH)
        return tg__fail_deep();
    tg_shape *shape = kind == TG_ARRAY ? tg_shape_array()
                      : schema         ? tg_shape_of_schema(schema)
                                       : tg_shape_empty();
    uint32_t n = kind == TG_STRUCT ? shape->n : 0;
    *out = make(kind);
    out->u.node = tg__node_fresh(batch, at->cell, at->node, kind, shape, n + 4);
    if (!out->u.node)
        return TG_ERR_LIMIT;
    for (uint32_t i = 0; i < n; i++)
        out->u.node->slots[i] = make(TG_NULL);
    out->u.node->n = n;
    return 1;
}
