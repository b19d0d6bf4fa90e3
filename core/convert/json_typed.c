/*
 * JSON payloads against a Connect schema: what JsonConverter reads with
 * schemas.enable=true, except that a scalar of another type is refused instead
 * of being turned into 0 or null.
 *
 * Structs expect their fields in the order of the schema (one comparison each)
 * and look the others up; members that the schema does not know are passed
 * over. Values of kind float and Decimal keep their number text. Script thread.
 */
#include "convert/base64.h"
#include "convert/decimal.h"
#include "convert/internal.h"
#include "convert/json_scan.h"
#include "convert/logical.h"

static const char *kind_at(const tg_json_in *in, const char *at)
{
    switch (at < in->end ? *at : 0) {
    case '"':
        return "a string";
    case '{':
        return "an object";
    case '[':
        return "an array";
    case 't':
    case 'f':
        return "a boolean";
    case 'n':
        return "null";
    default:
        return "a number";
    }
}

static int mismatch(tg_json_in *in, const char *at, const tg_schema *schema)
{
    return tg__json_misfit(
        in, at, "found %s where the schema says %s%s%s%s", kind_at(in, at),
        tg_schema_type_name(schema->tag), schema->name ? " (" : "",
        schema->name ? schema->name : "", schema->name ? ")" : "");
}

/* --- scalars -------------------------------------------------------------- */

static int read_integer(tg_json_in *in, tg_value *v, const char *at,
                        const tg_schema *schema)
{
    static const int64_t most[] = {INT8_MAX, INT16_MAX, INT32_MAX, INT64_MAX};
    int ok = 1;
    if (v->tag != TG_NUM && v->tag != TG_INT64)
        return mismatch(in, at, schema);
    bool minus_zero = v->tag == TG_NUM && v->len == 2 && v->u.p[1] == '0';
    if (minus_zero)
        return 0; /* keeps its text */
    if (v->tag == TG_NUM) {
        for (uint32_t i = 0; i < v->len; i++)
            if (v->u.p[i] == '.' || (v->u.p[i] | 32) == 'e')
                return tg__json_misfit(
                    in, at, "found the number %.*s where the schema says %s",
                    (int)(v->len < 40 ? v->len : 40), v->u.p,
                    tg_schema_type_name(schema->tag));
        v->u.i = tg_value_int64(v, &ok);
    }
    int64_t max = most[schema->tag - TG_INT8];
    if (ok && schema->tag == TG_INT32 && schema->name &&
        (v->u.i < 0 || v->u.i > 86400000) &&
        tg_logical_schema(schema) == TG_LOGICAL_TIME)
        return tg__json_misfit(in, at,
                               "Time values must use number of milliseconds"
                               " greater than 0 and less than 86400000, found"
                               " %lld",
                               (long long)v->u.i);
    if (!ok || v->u.i > max || v->u.i < -max - 1)
        return tg__json_misfit(in, at,
                               "found a number that does not fit into %s",
                               tg_schema_type_name(schema->tag));
    v->tag = schema->tag;
    v->len = 0;
    return 0;
}

static int read_real(tg_json_in *in, tg_value *v, const char *at,
                     const tg_schema *schema)
{
    if (v->tag == TG_NUM)
        return 0;
    if (v->tag == TG_INT64) { /* as text, which an encoder copies */
        v->tag = TG_NUM;
        v->u.p = at;
        v->len = (uint32_t)(in->p - at);
        return 0;
    }
    double d = 0;
    if (v->tag == TG_STR && v->len == 3 && memcmp(v->u.p, "NaN", 3) == 0)
        d = __builtin_nan("");
    else if (v->tag == TG_STR && v->len == 8 && !memcmp(v->u.p, "Infinity", 8))
        d = __builtin_inf();
    else if (v->tag == TG_STR && v->len == 9 && !memcmp(v->u.p, "-Infinity", 9))
        d = -__builtin_inf();
    else
        return mismatch(in, at, schema);
    v->tag = schema->tag;
    v->len = 0;
    v->u.d = d;
    return 0;
}

static int read_bytes(tg_json_in *in, tg_value *v, const char *at,
                      const tg_schema *schema)
{
    bool decimal = schema->name && strcmp(schema->name, TG_DECIMAL_NAME) == 0;
    if (decimal && v->tag == TG_NUM)
        return 0;
    if (decimal && v->tag == TG_INT64) {
        v->tag = TG_NUM;
        v->u.p = at;
        v->len = (uint32_t)(in->p - at);
        return 0;
    }
    if (v->tag != TG_STR && v->tag != TG_ESC)
        return mismatch(in, at, schema);
    uint32_t len;
    size_t bad;
    const char *text = tg_value_text(in->batch, v, &len);
    uint8_t *p =
        text ? tg_arena_alloc(in->batch->arena, len / 4 * 3 + 1) : NULL;
    if (!p)
        return tg__json_no_room(in);
    ssize_t n = tg_base64_decode(p, text, len, &bad);
    if (decimal && n >= 0) {
        int32_t scale;
        if (n == 0)
            return tg__json_misfit(in, at,
                                   "Invalid bytes for Decimal field: there are"
                                   " none");
        if (tg_decimal_scale(schema, &scale, in->err))
            return TG_ERR_DATA;
    }
    if (n < 0)
        return tg__json_misfit(in, at,
                               "found a string that is not base64 (character"
                               " %zu of %u) where the schema says bytes",
                               bad + 1, len);
    v->tag = TG_BYTES;
    v->flags = 0;
    v->len = (uint32_t)n;
    v->u.p = (const char *)p;
    return 0;
}

static int read_scalar(tg_json_in *in, tg_value *out, const tg_schema *schema)
{
    const char *at = in->p;
    if (at < in->end && (*at == '{' || *at == '['))
        return mismatch(in, at, schema);
    int rc = tg__json_scalar(in, out);
    if (rc)
        return rc;
    switch (schema->tag) {
    case TG_BOOL:
        return out->tag == TG_BOOL ? 0 : mismatch(in, at, schema);
    case TG_STR:
        return out->tag == TG_STR || out->tag == TG_ESC
                   ? 0
                   : mismatch(in, at, schema);
    case TG_FLOAT32:
    case TG_FLOAT64:
        return read_real(in, out, at, schema);
    case TG_BYTES:
        return read_bytes(in, out, at, schema);
    default:
        return read_integer(in, out, at, schema);
    }
}

/* --- null and defaults ---------------------------------------------------- */

static int read_null(tg_json_in *in, const char *at, tg_value *out,
                     tg_node *parent, const tg_schema *schema)
{
    if (schema->has_default && in->defaults) {
        tg_json_in of = *in;
        of.start = of.p = schema->default_json;
        of.end = of.p + strlen(of.p);
        return tg__json_typed(&of, out, parent, tg__json_wild_site(), schema);
    }
    tg__json_set(out, TG_NULL, 0);
    if (schema->optional)
        return 0;
    return tg__json_misfit(in, at, "Invalid null value for required %s field",
                           tg_schema_type_upper(schema->tag));
}

/* --- structs -------------------------------------------------------------- */

/* Slot of the key at in->p, moved behind the colon; node->n if the schema does
 * not know it; negative on error. */
static int64_t find_field(tg_json_in *in, tg_node *node, uint32_t expected)
{
    const char *text;
    uint32_t len;
    if (expected < node->n && tg__json_key_is(in, node->shape->names[expected]))
        return expected;
    int rc = tg__json_key_text(in, &text, &len);
    if (rc)
        return rc;
    int32_t slot = tg_slot_find_text(node, text, len);
    return slot < 0 ? (int64_t)node->n : slot;
}

static void name_field(tg_json_in *in, const tg_node *node, uint32_t i)
{
    tg__converter_in_field(in->err, node->shape->names[i]->text);
}

static int read_members(tg_json_in *in, tg_node *node, const tg_schema *schema)
{
    uint32_t expected = 0;
    for (;;) {
        int64_t i = find_field(in, node, expected);
        if (i < 0)
            return (int)i;
        int rc;
        if (i == node->n) {
            rc = tg__json_skip(in);
        } else {
            rc = tg__json_typed(in, &node->slots[i], node,
                                tg_shape_site(node->shape, (uint32_t)i),
                                schema->fields[i].schema);
            if (rc)
                name_field(in, node, (uint32_t)i);
            expected = (uint32_t)i + 1;
        }
        if (rc)
            return rc;
        tg__json_ws(in);
        char c = in->p < in->end ? *in->p : 0;
        if (c != ',' && c != '}')
            return tg__json_fail(in, in->p, "',' or '}' after a member");
        in->p++;
        if (c == '}')
            return 0;
        tg__json_ws(in);
    }
}

static int read_struct(tg_json_in *in, tg_value *out, tg_node *parent,
                       const tg_schema *schema)
{
    const char *src = in->p++;
    tg_shape *shape = tg_shape_of_schema(schema);
    tg_node *node = tg_node_new(in->batch, TG_STRUCT, shape, shape->n);
    if (!node)
        return tg__json_no_room(in);
    node->parent = parent;
    node->cell = in->cell;
    node->n = shape->n;
    memset(node->slots, 0, shape->n * sizeof *node->slots);
    tg__json_set(out, TG_STRUCT, 0);
    out->u.node = node;
    tg__json_ws(in);
    int rc = 0;
    if (in->p < in->end && *in->p == '}')
        in->p++;
    else
        rc = read_members(in, node, schema);
    for (uint32_t i = 0; !rc && i < node->n; i++) {
        if (node->slots[i].tag != TG_ABSENT)
            continue;
        rc =
            read_null(in, src, &node->slots[i], node, schema->fields[i].schema);
        if (rc)
            name_field(in, node, i);
    }
    node->src = src;
    node->srclen = (uint32_t)(in->p - src);
    return rc;
}

/* --- maps ----------------------------------------------------------------- */

static int read_comma(tg_json_in *in, char c, const char *expected)
{
    tg__json_ws(in);
    if (in->p == in->end || *in->p != c)
        return tg__json_fail(in, in->p, expected);
    in->p++;
    tg__json_ws(in);
    return 0;
}

/* [key,value] into two slots. */
static int read_pair(tg_json_in *in, tg_node *node, tg_site *site,
                     const tg_schema *schema)
{
    int rc = read_comma(in, '[', "a [key,value] pair");
    for (int i = 0; !rc && i < 2; i++) {
        rc = tg__json_grow(in, node);
        if (!rc)
            rc = tg__json_typed(in, &node->slots[node->n], node, site,
                                i == 0 ? schema->key : schema->value);
        if (!rc)
            rc = read_comma(in, i == 0 ? ',' : ']',
                            i == 0 ? "',' between key and value"
                                   : "']' after a key and a value");
        node->n++;
    }
    return rc;
}

static int read_pairs(tg_json_in *in, tg_value *out, tg_node *parent,
                      tg_site *site, const tg_schema *schema)
{
    const char *src = in->p++;
    tg_node *node = tg_node_new(in->batch, TG_PAIRS, tg_shape_array(), 8);
    if (!node)
        return tg__json_no_room(in);
    node->parent = parent;
    node->cell = in->cell;
    node->n = 0;
    tg__json_set(out, TG_PAIRS, 0);
    out->u.node = node;
    tg__json_ws(in);
    bool more = !(in->p < in->end && *in->p == ']');
    in->p += !more;
    while (more) {
        int rc = read_pair(in, node, site, schema);
        char c = in->p < in->end ? *in->p : 0;
        if (!rc && c != ',' && c != ']')
            rc = tg__json_fail(in, in->p, "',' or ']' after a pair");
        if (rc)
            return rc;
        in->p++;
        more = c == ',';
        if (more)
            tg__json_ws(in);
    }
    node->src = src;
    node->srclen = (uint32_t)(in->p - src);
    return 0;
}

int tg__json_typed(tg_json_in *in, tg_value *out, tg_node *parent,
                   tg_site *site, const tg_schema *schema)
{
    const char *at = in->p;
    char c = at < in->end ? *at : 0;
    if (c == 'n') {
        int rc = tg__json_scalar(in, out);
        return rc ? rc : read_null(in, at, out, parent, schema);
    }
    if (schema->tag < TG_ARRAY)
        return read_scalar(in, out, schema);
    bool pairs = schema->tag == TG_MAP && schema->key->tag != TG_STR;
    if (c != (schema->tag == TG_ARRAY || pairs ? '[' : '{')) {
        int rc = tg__json_skip(in);
        return rc ? rc : mismatch(in, at, schema);
    }
    if (schema->tag == TG_ARRAY)
        return tg__json_array(in, out, parent, site, schema->value);
    if (schema->tag == TG_MAP && !pairs)
        return tg__json_object(in, out, parent, site, schema->value);
    if (++in->depth > TG_MAX_DEPTH)
        return tg__json_too_deep(in);
    int rc = pairs ? read_pairs(in, out, parent, site, schema)
                   : read_struct(in, out, parent, schema);
    in->depth--;
    return rc;
}

/* --- defaults outside of decoding ----------------------------------------- */

int tg__json_default(tg_node *parent, const tg_schema *schema, tg_value *out,
                     tg_err *err)
{
    const char *text = schema->default_json;
    tg_json_in in = {.start = text,
                     .p = text,
                     .end = text + strlen(text),
                     .batch = parent->cell->record->batch,
                     .cell = parent->cell,
                     .err = err,
                     .defaults = true};

    return tg__json_typed(&in, out, parent, tg__json_wild_site(), schema);
}
