/*
 * Default values: what an Avro schema says in JSON (bytes as characters up to
 * U+00FF, unions by their first branch) to what JsonConverter writes (bytes as
 * base64, structs with all fields), and back. Numbers are printed as Java does.
 *
 * Control plane: once a schema. Script thread.
 */
#include "base/number.h"
#include "convert/avro.h"
#include "convert/base64.h"
#include "convert/json.h"
#include "convert/json_scan.h"
#include <math.h>

/* --- scalars -------------------------------------------------------------- */

static bool put_integer(tg_buf *out, const json_t *v, const tg_schema *s)
{
    static const int64_t most[] = {INT8_MAX, INT16_MAX, INT32_MAX, INT64_MAX};
    json_int_t i = json_integer_value(v);
    if (json_is_real(v) && json_real_value(v) == floor(json_real_value(v)) &&
        fabs(json_real_value(v)) < 9e15)
        i = (json_int_t)json_real_value(v);
    else if (!json_is_integer(v))
        return false;
    int64_t max = most[s->tag - TG_INT8];
    if (i > max || i < -max - 1)
        return false;
    tg_buf_printf(out, "%lld", (long long)i);
    return true;
}

static bool put_real(tg_buf *out, const json_t *v, const tg_schema *s)
{
    char text[TG_NUMBER_MAX];
    const char *word = json_string_value(v);
    if (word && (!strcmp(word, "NaN") || !strcmp(word, "Infinity") ||
                 !strcmp(word, "-Infinity"))) {
        tg_buf_printf(out, "\"%s\"", word);
        return true;
    }
    if (!json_is_number(v))
        return false;
    double d = json_number_value(v);
    int n = s->tag == TG_FLOAT32 ? tg_float_text(text, (float)d)
                                 : tg_double_text(text, d);
    if (s->tag == TG_FLOAT32 && !isfinite((float)d))
        return false;
    tg_buf_add(out, text, (size_t)n);
    return true;
}

/* Characters up to U+00FF to bytes. */
static bool to_latin1(tg_buf *out, const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)p[i];
        if (c >= 0x80) {
            if ((c != 0xC2 && c != 0xC3) || i + 1 == len)
                return false;
            c = (unsigned char)((c << 6) | ((unsigned char)p[++i] & 0x3F));
        }
        tg_buf_add(out, &c, 1);
    }
    return true;
}

static void put_base64(tg_buf *out, const tg_buf *bytes)
{
    char *at = tg_buf_room(out, tg_base64_size(bytes->len) + 2);
    size_t n = tg_base64_size(bytes->len);
    at[0] = '"';
    tg_base64_encode(at + 1, bytes->p, bytes->len);
    at[n + 1] = '"';
    out->len += n + 2;
}

static bool put_bytes(tg_buf *out, const json_t *v, const tg_avro *a)
{
    tg_buf bytes = {0};
    bool ok = json_is_string(v) &&
              to_latin1(&bytes, json_string_value(v), json_string_length(v));
    if (a->type == AVRO_FIXED && bytes.len != a->size)
        ok = false;
    if (ok)
        put_base64(out, &bytes);
    tg_buf_fini(&bytes);
    return ok;
}

static bool put_text(tg_buf *out, const json_t *v, const tg_avro *a)
{
    const char *text = json_string_value(v);
    if (!text)
        return false;
    bool known = a->type != AVRO_ENUM;
    for (uint32_t i = 0; i < a->n && !known; i++)
        known = strcmp(a->symbols[i], text) == 0;
    if (known)
        tg_json_string(out, text, json_string_length(v));
    return known;
}

/* --- containers ----------------------------------------------------------- */

/* Reads it as an absent value: the field's own default, or null. */
static bool put_missing(tg_buf *out, const tg_schema *s)
{
    if (!s->has_default && !s->optional)
        return false;
    tg_buf_str(out, s->has_default ? s->default_json : "null");
    return true;
}

static void put_key(tg_buf *out, const char *name, bool first)
{
    tg_buf_str(out, first ? "{" : ",");
    tg_json_string(out, name, strlen(name));
    tg_buf_str(out, ":");
}

static bool put_record(tg_buf *out, const json_t *v, const tg_avro *a,
                       const tg_schema *s, const tg_avro_settings *set)
{
    if (!json_is_object(v) || s->tag != TG_STRUCT || s->nfields != a->n)
        return false;
    for (uint32_t i = 0; i < a->n; i++) {
        const json_t *field = json_object_get(v, a->fields[i].name);
        const tg_schema *fs = s->fields[i].schema;
        put_key(out, a->fields[i].name, i == 0);
        if (field ? !tg__avro_default_in(out, field, a->fields[i].type, fs, set)
                  : !put_missing(out, fs))
            return false;
    }
    tg_buf_str(out, a->n ? "}" : "{}");
    return true;
}

static bool put_array(tg_buf *out, const json_t *v, const tg_avro *a,
                      const tg_schema *s, const tg_avro_settings *set)
{
    size_t n = json_array_size(v);
    if (!json_is_array(v) || s->tag != TG_ARRAY)
        return false;
    tg_buf_str(out, "[");
    for (size_t i = 0; i < n; i++) {
        tg_buf_str(out, i ? "," : "");
        if (!tg__avro_default_in(out, json_array_get(v, i), a->items, s->value,
                                 set))
            return false;
    }
    tg_buf_str(out, "]");
    return true;
}

/* A map as an array of records with key and value. */
static bool put_pairs(tg_buf *out, const json_t *v, const tg_avro *a,
                      const tg_schema *s, const tg_avro_settings *set)
{
    const tg_avro_field *k = tg__avro_field(a->items, "key");
    const tg_avro_field *w = tg__avro_field(a->items, "value");
    size_t n = json_array_size(v);
    if (!json_is_array(v))
        return false;
    tg_buf_str(out, "[");
    for (size_t i = 0; i < n; i++) {
        const json_t *e = json_array_get(v, i);
        tg_buf_str(out, i ? ",[" : "[");
        if (!tg__avro_default_in(out, json_object_get(e, "key"), k->type,
                                 s->key, set))
            return false;
        tg_buf_str(out, ",");
        if (!tg__avro_default_in(out, json_object_get(e, "value"), w->type,
                                 s->value, set))
            return false;
        tg_buf_str(out, "]");
    }
    tg_buf_str(out, "]");
    return true;
}

static bool put_map(tg_buf *out, const json_t *v, const tg_avro *a,
                    const tg_schema *s, const tg_avro_settings *set)
{
    const char *key;
    json_t *item;
    bool first = true;
    if (!json_is_object(v) || s->tag != TG_MAP)
        return false;
    json_object_foreach((json_t *)v, key, item)
    {
        put_key(out, key, first);
        first = false;
        if (!tg__avro_default_in(out, item, a->items, s->value, set))
            return false;
    }
    tg_buf_str(out, first ? "{}" : "}");
    return true;
}

/* The first branch, as Avro has it; in a nullable type any that fits. */
static bool put_union(tg_buf *out, const json_t *v, const tg_avro *a,
                      const tg_schema *s, const tg_avro_settings *set)
{
    uint32_t at;
    if (tg__avro_union(a, set, &at) != TG_UNION_STRUCT)
        return tg__avro_default_in(out, v, a->branches[at], s, set);
    if (a->branches[0]->type == AVRO_NULL)
        return false;
    for (uint32_t i = 0; i < s->nfields; i++) {
        put_key(out, s->fields[i].name->text, i == 0);
        if (i > 0)
            tg_buf_str(out, "null");
        else if (!tg__avro_default_in(out, v, a->branches[0],
                                      s->fields[0].schema, set))
            return false;
    }
    tg_buf_str(out, "}");
    return true;
}

bool tg__avro_default_in(tg_buf *out, const json_t *v, const tg_avro *a,
                         const tg_schema *s, const tg_avro_settings *set)
{
    if (!v)
        return false;
    if (json_is_null(v)) {
        tg_buf_str(out, "null");
        return s->optional;
    }
    switch (a->type) {
    case AVRO_BOOLEAN:
        tg_buf_str(out, json_is_true(v) ? "true" : "false");
        return json_is_boolean(v);
    case AVRO_INT:
    case AVRO_LONG:
        return put_integer(out, v, s);
    case AVRO_FLOAT:
    case AVRO_DOUBLE:
        return put_real(out, v, s);
    case AVRO_BYTES:
    case AVRO_FIXED:
        return put_bytes(out, v, a);
    case AVRO_STRING:
    case AVRO_ENUM:
        return put_text(out, v, a);
    case AVRO_RECORD:
        return put_record(out, v, a, s, set);
    case AVRO_MAP:
        return put_map(out, v, a, s, set);
    case AVRO_ARRAY:
        return tg__avro_is_pairs(a) ? put_pairs(out, v, a, s, set)
                                    : put_array(out, v, a, s, set);
    case AVRO_UNION:
        return put_union(out, v, a, s, set);
    default:
        return false;
    }
}

/* --- the other way round -------------------------------------------------- */

/* Bytes as characters of a JSON string. */
static void latin1_text(tg_buf *out, const uint8_t *p, size_t n)
{
    tg_buf text = {0};
    for (size_t i = 0; i < n; i++) {
        char two[2] = {(char)(0xC0 | p[i] >> 6), (char)(0x80 | (p[i] & 0x3F))};
        if (p[i] < 0x80)
            tg_buf_add(&text, &p[i], 1);
        else
            tg_buf_add(&text, two, 2);
    }
    tg_json_string(out, text.p ? text.p : "", text.len);
    tg_buf_fini(&text);
}

static bool bytes_out(tg_buf *out, const json_t *v)
{
    size_t len = json_string_length(v), bad;
    uint8_t *bytes = tg_alloc(len / 4 * 3 + 1);
    ssize_t n = json_is_string(v)
                    ? tg_base64_decode(bytes, json_string_value(v), len, &bad)
                    : -1;
    if (n >= 0)
        latin1_text(out, bytes, (size_t)n);
    tg_free(bytes);
    return n >= 0;
}

static bool struct_out(tg_buf *out, const json_t *v, const tg_schema *s,
                       const tg_avro_settings *set)
{
    tg_buf name = {0};
    bool ok = json_is_object(v) && !tg__avro_is_union(s);
    for (uint32_t i = 0; ok && i < s->nfields; i++) {
        const char *field = s->fields[i].name->text;
        name.len = 0;
        tg__avro_scrub(&name, field, set);
        put_key(out, tg_buf_cstr(&name), i == 0);
        ok = tg__avro_default_out(out, json_object_get(v, field),
                                  s->fields[i].schema, set);
    }
    tg_buf_str(out, s->nfields ? "}" : "{}");
    tg_buf_fini(&name);
    return ok;
}

static bool list_out(tg_buf *out, const json_t *v, const tg_schema *s,
                     const tg_avro_settings *set)
{
    size_t n = json_array_size(v);
    if (!json_is_array(v))
        return false;
    tg_buf_str(out, "[");
    for (size_t i = 0; i < n; i++) {
        tg_buf_str(out, i ? "," : "");
        if (!tg__avro_default_out(out, json_array_get(v, i), s->value, set))
            return false;
    }
    tg_buf_str(out, "]");
    return true;
}

static bool map_out(tg_buf *out, const json_t *v, const tg_schema *s,
                    const tg_avro_settings *set)
{
    const char *key;
    json_t *item;
    bool first = true;
    if (!json_is_object(v))
        return false;
    json_object_foreach((json_t *)v, key, item)
    {
        put_key(out, key, first);
        first = false;
        if (!tg__avro_default_out(out, item, s->value, set))
            return false;
    }
    tg_buf_str(out, first ? "{}" : "}");
    return true;
}

bool tg__avro_default_out(tg_buf *out, const json_t *v, const tg_schema *s,
                          const tg_avro_settings *set)
{
    if (!v || json_is_null(v)) {
        tg_buf_str(out, "null");
        return v && s->optional;
    }
    switch (s->tag) {
    case TG_BOOL:
        tg_buf_str(out, json_is_true(v) ? "true" : "false");
        return json_is_boolean(v);
    case TG_FLOAT32:
    case TG_FLOAT64:
        return put_real(out, v, s);
    case TG_STR:
        tg_json_string(out, json_string_value(v) ? json_string_value(v) : "",
                       json_string_length(v));
        return json_is_string(v);
    case TG_BYTES:
        return bytes_out(out, v);
    case TG_STRUCT:
        return struct_out(out, v, s, set);
    case TG_ARRAY:
        return s->value && list_out(out, v, s, set);
    case TG_MAP:
        return s->key->tag == TG_STR && map_out(out, v, s, set);
    default:
        return put_integer(out, v, s);
    }
}
