/*
 * Connect schemas as Avro schema texts, member by member in the order in which
 * Confluent's converter writes them: a registry gives equal texts the id that
 * they have already.
 *
 * Named types are written once and by their name from then on. Two types of one
 * name must be the same; Java writes both, and every parser refuses the second.
 *
 * Control plane: once a schema. Script thread.
 */
#include "convert/internal.h"
#include "convert/avro.h"
#include "convert/base64.h"
#include "convert/decimal.h"
#include "convert/json.h"
#include "data/node.h"
#include <ctype.h>
#include <stdio.h>

typedef struct defined {
    char *full;
    const tg_schema *schema;
} defined;

typedef struct writer {
    const tg_avro_settings *set;
    tg_err *err;
    defined *names;
    uint32_t n, unnamed, depth;
    char **seen; /* names of field schemas */
    uint32_t nseen;
    const char *space; /* enclosing namespace */
} writer;

static bool write_type(writer *w, tg_buf *out, const tg_schema *s,
                       bool optional);

/* --- questions ------------------------------------------------------------ */

const char *tg__schema_param(const tg_schema *s, const char *key)
{
    for (uint32_t i = 0; i < s->nparams; i++)
        if (strcmp(s->params[i].key, key) == 0)
            return s->params[i].value;
    return NULL;
}

bool tg__avro_is_union(const tg_schema *s)
{
    return s->tag == TG_STRUCT &&
           ((s->name && strcmp(s->name, TG_AVRO_UNION) == 0) ||
            tg__schema_param(s, TG_SUM_UNION));
}

const char *tg__avro_enum(const tg_schema *s, const char **prefix)
{
    const char *name = NULL;
    if (s->tag != TG_STR)
        return NULL;
    *prefix = TG_SUM_ENUM;
    name = tg__schema_param(s, TG_SUM_ENUM);
    if (!name) {
        *prefix = TG_AVRO_ENUM;
        name = tg__schema_param(s, TG_AVRO_ENUM);
    }
    return name;
}

static bool is_fixed(const tg_schema *s)
{
    return s->tag == TG_BYTES && s->name &&
           tg__schema_param(s, TG_AVRO_FIXED_SIZE);
}

static bool refuse(writer *w, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static bool refuse(writer *w, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    tg_err_vset(w->err, TG_ERR_DATA, fmt, ap);
    va_end(ap);
    return false;
}

/* --- names ---------------------------------------------------------------- */

static bool name_char(unsigned char c)
{
    return isascii(c) && (isalnum(c) || c == '_');
}

static bool legal(const char *name)
{
    if (!*name || isdigit((unsigned char)*name))
        return false;
    for (const char *p = name; *p; p++)
        if (!name_char((unsigned char)*p))
            return false;
    return true;
}

void tg__avro_scrub(tg_buf *out, const char *name, const tg_avro_settings *set)
{
    if (!set->scrub || !*name || legal(name)) {
        tg_buf_str(out, name);
        return;
    }
    if (isdigit((unsigned char)*name))
        tg_buf_str(out, "x");
    for (const char *p = name; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (name_char(c))
            tg_buf_add(out, p, 1);
        else if (strchr(" .*-_", c))
            tg_buf_str(out, "_");
        else
            tg_buf_printf(out, "_%02X", c);
    }
}

/* Each part of a dotted name scrubbed; checks that Avro allows it. */
static char *full_name(writer *w, const char *name)
{
    tg_buf out = {0}, part = {0};
    bool ok = true;
    for (const char *p = name;; p++) {
        size_t n = strcspn(p, ".");
        char *one = tg_strndup(p, n);
        part.len = 0;
        tg__avro_scrub(&part, one, w->set);
        tg_free(one);
        ok = ok && legal(tg_buf_cstr(&part));
        tg_buf_add(&out, part.p, part.len);
        p += n;
        if (!*p)
            break;
        tg_buf_str(&out, ".");
    }
    tg_buf_fini(&part);
    if (!ok) {
        refuse(w,
               "the schema name \"%s\" is none that Avro allows (letters,"
               " digits and _, parts separated by dots); set"
               " scrub.invalid.names=true or rename it with SetSchemaMetadata",
               name);
        tg_buf_fini(&out);
        return NULL;
    }
    tg_buf_cstr(&out);
    return tg_buf_steal(&out);
}

/* Full name of a type; new. */
static char *type_name(writer *w, const char *name)
{
    if (name)
        return full_name(w, name);
    if (++w->unnamed == 1)
        return tg_strdup(TG_AVRO_DEFAULT);
    return tg_sprintf(TG_AVRO_DEFAULT "%u", w->unnamed);
}

static bool same_symbols(const tg_schema *a, const tg_schema *b)
{
    if (a->nparams != b->nparams)
        return false;
    for (uint32_t i = 0; i < a->nparams; i++)
        if (strcmp(a->params[i].key, b->params[i].key) != 0)
            return false;
    return true;
}

static bool same_type(const tg_schema *a, const tg_schema *b)
{
    if (a == b)
        return true;
    if (a->tag != b->tag || a->nfields != b->nfields)
        return false;
    if (a->tag == TG_STR)
        return same_symbols(a, b);
    if (a->tag == TG_BYTES)
        return strcmp(tg__schema_param(a, TG_AVRO_FIXED_SIZE),
                      tg__schema_param(b, TG_AVRO_FIXED_SIZE)) == 0;
    for (uint32_t i = 0; i < a->nfields; i++)
        if (a->fields[i].name != b->fields[i].name ||
            a->fields[i].schema != b->fields[i].schema)
            return false;
    return a->tag != TG_MAP || (a->key == b->key && a->value == b->value);
}

static size_t space_length(const char *full)
{
    const char *dot = strrchr(full, '.');
    return dot ? (size_t)(dot - full) : 0;
}

/* Writes the name of a type that is known: 1. Else takes note of it: 0. */
static int known_name(writer *w, tg_buf *out, char *full, const tg_schema *s)
{
    for (uint32_t i = 0; i < w->n; i++) {
        if (strcmp(w->names[i].full, full) != 0)
            continue;
        if (!same_type(w->names[i].schema, s)) {
            refuse(w,
                   "two different schemas have the name %s, which Avro does not"
                   " allow; rename one with SetSchemaMetadata",
                   full);
            tg_free(full);
            return -1;
        }
        size_t n = space_length(full);
        bool inside = strlen(w->space) == n && !memcmp(full, w->space, n);
        tg_buf_printf(out, "\"%s\"", full + (inside && n ? n + 1 : 0));
        tg_free(full);
        return 1;
    }
    w->names = tg_realloc(w->names, (w->n + 1) * sizeof *w->names);
    w->names[w->n++] = (defined){full, s};
    return 0;
}

/* "name":...,"namespace":... */
static void write_name(writer *w, tg_buf *out, const char *full)
{
    size_t n = space_length(full);
    bool inside = strlen(w->space) == n && !memcmp(full, w->space, n);
    tg_buf_printf(out, "\"name\":\"%s\"", full + (n ? n + 1 : 0));
    if (!inside)
        tg_buf_printf(out, ",\"namespace\":\"%.*s\"", (int)n, full);
}

/* --- members -------------------------------------------------------------- */

static void member(tg_buf *out, const char *key, const char *text)
{
    tg_buf_printf(out, ",\"%s\":", key);
    tg_json_string(out, text, strlen(text));
}

static void write_params(writer *w, tg_buf *out, const tg_schema *s)
{
    bool first = true;
    for (uint32_t i = 0; i < s->nparams; i++) {
        if (!w->set->discard &&
            strcmp(s->params[i].key, TG_AVRO_FIELD_DEFAULT) == 0)
            continue;
        tg_buf_str(out, first ? ",\"connect.parameters\":{" : ",");
        first = false;
        tg_json_string(out, s->params[i].key, strlen(s->params[i].key));
        tg_buf_str(out, ":");
        tg_json_string(out, s->params[i].value, strlen(s->params[i].value));
    }
    tg_buf_str(out, first ? "" : "}");
}

/* The default in Avro's form; false if there is none or Avro has none. */
static bool default_text(writer *w, tg_buf *out, const tg_schema *s)
{
    if (!s->has_default)
        return false;
    json_t *v =
        json_loads(s->default_json, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    tg_buf text = {0};
    bool ok = tg__avro_default_out(&text, v, s, w->set);
    if (ok)
        tg_buf_add(out, text.p, text.len);
    tg_buf_fini(&text);
    json_decref(v);
    return ok;
}

static void write_meta(writer *w, tg_buf *out, const tg_schema *s,
                       const char *connect_type)
{
    tg_buf text = {0};
    if (!w->set->meta)
        return;
    if (s->doc)
        member(out, "connect.doc", s->doc);
    if (s->has_version)
        tg_buf_printf(out, ",\"connect.version\":%d", (int)s->version);
    write_params(w, out, s);
    if ((w->set->discard || !tg__schema_param(s, TG_AVRO_FIELD_DEFAULT)) &&
        default_text(w, &text, s)) {
        tg_buf_str(out, ",\"connect.default\":");
        tg_buf_add(out, text.p, text.len);
    }
    if (s->name)
        member(out, "connect.name", s->name);
    if (connect_type)
        member(out, "connect.type", connect_type);
    tg_buf_fini(&text);
}

static void write_logical(tg_buf *out, const tg_schema *s)
{
    static const char *const all[][2] = {
        {"org.apache.kafka.connect.data.Date", "date"},
        {"org.apache.kafka.connect.data.Time", "time-millis"},
        {"org.apache.kafka.connect.data.Timestamp", "timestamp-millis"},
        {TG_DECIMAL_NAME, "decimal"}};
    for (size_t i = 0; s->name && i < sizeof all / sizeof *all; i++)
        if (strcmp(s->name, all[i][0]) == 0)
            member(out, "logicalType", all[i][1]);
    for (uint32_t i = 0; i < s->nparams; i++)
        if (strncmp(s->params[i].key, "avro", 4) == 0)
            member(out, s->params[i].key, s->params[i].value);
}

/* {"type":T + properties}, or T alone without any. */
static void close_type(writer *w, tg_buf *out, const tg_schema *s,
                       const char *connect_type, size_t from)
{
    size_t bare = out->len;
    write_meta(w, out, s, connect_type);
    write_logical(out, s);
    if (out->len > bare) {
        tg_buf_str(out, "}");
        return;
    }
    /* nothing to say: "int" instead of {"type":"int" */
    size_t head = strlen("{\"type\":");
    memmove(out->p + from, out->p + from + head, out->len - from - head);
    out->len -= head;
}

static bool write_decimal_members(writer *w, tg_buf *out, const tg_schema *s)
{
    const char *scale = tg__schema_param(s, "scale");
    const char *precision = tg__schema_param(s, TG_AVRO_PRECISION);
    char *end;
    long n = scale ? strtol(scale, &end, 10) : 0;
    if (!scale || *end || end == scale)
        return refuse(w, "a Decimal schema has no parameter scale that is an"
                         " integer");
    tg_buf_printf(out, ",\"scale\":%ld,\"precision\":%ld", n,
                  precision ? strtol(precision, NULL, 10)
                            : (long)TG_AVRO_PRECISION_DEFAULT);
    return true;
}

static bool write_simple(writer *w, tg_buf *out, const tg_schema *s)
{
    static const char *const types[] = {
        [TG_BOOL] = "boolean",   [TG_INT8] = "int",   [TG_INT16] = "int",
        [TG_INT32] = "int",      [TG_INT64] = "long", [TG_FLOAT32] = "float",
        [TG_FLOAT64] = "double", [TG_STR] = "string", [TG_BYTES] = "bytes"};
    size_t from = out->len;
    tg_buf_printf(out, "{\"type\":\"%s\"", types[s->tag]);
    if (tg_schema_is_decimal(s) && !write_decimal_members(w, out, s))
        return false;
    close_type(w, out, s,
               s->tag == TG_INT8    ? "int8"
               : s->tag == TG_INT16 ? "int16"
                                    : NULL,
               from);
    return true;
}

/* --- named types ---------------------------------------------------------- */

static bool write_enum(writer *w, tg_buf *out, const tg_schema *s,
                       const char *name, const char *prefix)
{
    char *full = full_name(w, name);
    size_t n = strlen(prefix);
    bool first = true;
    int known = full ? known_name(w, out, full, s) : -1;
    if (known)
        return known > 0;
    /* its documentation is filed under the last part of the schema's name */
    const char *dot = s->name ? strrchr(s->name, '.') : NULL;
    const char *simple = dot ? dot + 1 : s->name ? s->name : "ConnectDefault";
    char *key = tg_sprintf(TG_AVRO_ENUM_DOC "%s", simple);
    char *key2 = tg_sprintf(TG_AVRO_ENUM_DEFAULT "%s", simple);
    const char *doc =
        tg__schema_param(s, w->set->discard ? "connect.enum.doc" : key);
    const char *dflt = w->set->discard ? NULL : tg__schema_param(s, key2);
    tg_buf_str(out, "{\"type\":\"enum\",");
    write_name(w, out, full);
    if (doc)
        member(out, "doc", doc);
    tg_buf_str(out, ",\"symbols\":[");
    for (uint32_t i = 0; i < s->nparams; i++) {
        const char *p = s->params[i].key;
        if (strncmp(p, prefix, n) != 0 || p[n] != '.')
            continue;
        tg_buf_str(out, first ? "" : ",");
        first = false;
        tg_json_string(out, p + n + 1, strlen(p + n + 1));
    }
    tg_buf_str(out, "]");
    if (dflt)
        member(out, "default", dflt);
    tg_free(key);
    tg_free(key2);
    write_meta(w, out, s, NULL);
    write_logical(out, s);
    tg_buf_str(out, "}");
    return true;
}

static bool write_fixed(writer *w, tg_buf *out, const tg_schema *s)
{
    char *full = full_name(w, s->name);
    int known = full ? known_name(w, out, full, s) : -1;
    if (known)
        return known > 0;
    tg_buf_str(out, "{\"type\":\"fixed\",");
    write_name(w, out, full);
    tg_buf_printf(out, ",\"size\":%ld",
                  strtol(tg__schema_param(s, TG_AVRO_FIXED_SIZE), NULL, 10));
    if (tg_schema_is_decimal(s) && !write_decimal_members(w, out, s))
        return false;
    write_meta(w, out, s, NULL);
    write_logical(out, s);
    tg_buf_str(out, "}");
    return true;
}

static bool seen_before(writer *w, const char *name)
{
    for (uint32_t i = 0; i < w->nseen; i++)
        if (strcmp(w->seen[i], name) == 0)
            return true;
    w->seen = tg_realloc(w->seen, (w->nseen + 1) * sizeof *w->seen);
    w->seen[w->nseen++] = tg_strdup(name);
    return false;
}

static bool is_named(const writer *w, const tg_schema *s)
{
    const char *prefix;
    return (s->tag == TG_STRUCT && !tg__avro_is_union(s)) || is_fixed(s) ||
           ((w->set->enhanced || w->set->generalized) &&
            tg__avro_enum(s, &prefix));
}

static bool write_field(writer *w, tg_buf *out, const char *name,
                        const tg_schema *s, const char *doc)
{
    tg_buf scrubbed = {0}, dflt = {0};
    bool again = s->name && seen_before(w, s->name);
    tg__avro_scrub(&scrubbed, name, w->set);
    bool ok = legal(tg_buf_cstr(&scrubbed));
    if (!ok)
        refuse(w,
               "the field name \"%s\" is none that Avro allows (letters, digits"
               " and _, no digit first); set scrub.invalid.names=true or rename"
               " it with ReplaceField",
               name);
    tg_buf_printf(out, "{\"name\":\"%s\",\"type\":", tg_buf_cstr(&scrubbed));
    if (ok && !write_type(w, out, s, s->optional)) {
        tg__converter_in(w->err, "field \"%s\"", name);
        ok = false;
    }
    if (w->set->discard)
        doc = s->doc;
    if (ok && doc)
        member(out, "doc", doc);
    /* A nullable record's type begins with null, so no other default fits; and
     * Avro has no numbers for NaN and the infinities. */
    bool fits =
        !(s->tag == TG_STRUCT && s->optional) && default_text(w, &dflt, s) &&
        !((s->tag == TG_FLOAT32 || s->tag == TG_FLOAT64) && dflt.p[0] == '"');
    if (ok && fits) {
        tg_buf_str(out, ",\"default\":");
        tg_buf_add(out, dflt.p, dflt.len);
    } else if (ok && s->optional && !s->has_default) {
        tg_buf_str(out, ",\"default\":null");
    }
    if (ok && w->set->meta && again && is_named(w, s))
        write_params(w, out, s);
    tg_buf_str(out, "}");
    tg_buf_fini(&scrubbed);
    tg_buf_fini(&dflt);
    return ok;
}

/* The head of a record up to its fields. full is kept by the writer. */
static void open_record(writer *w, tg_buf *out, const char *full,
                        const char *doc)
{
    tg_buf_str(out, "{\"type\":\"record\",");
    write_name(w, out, full);
    if (doc)
        member(out, "doc", doc);
    tg_buf_str(out, ",\"fields\":[");
}

static bool write_struct(writer *w, tg_buf *out, const tg_schema *s)
{
    char *full = type_name(w, s->name);
    int known = full ? known_name(w, out, full, s) : -1;
    if (known)
        return known > 0;
    const char *outer = w->space;
    bool ok = true;
    open_record(w, out, full,
                tg__schema_param(s, w->set->discard ? "connect.record.doc"
                                                    : TG_AVRO_RECORD_DOC));
    char *space = tg_strndup(full, space_length(full));
    w->space = space;
    for (uint32_t i = 0; ok && i < s->nfields; i++) {
        const char *name = s->fields[i].name->text;
        char *key = tg_sprintf(TG_AVRO_FIELD_DOC "%s", name);
        tg_buf_str(out, i ? "," : "");
        ok = write_field(w, out, name, s->fields[i].schema,
                         w->set->discard ? NULL : tg__schema_param(s, key));
        tg_free(key);
    }
    w->space = outer;
    tg_free(space);
    tg_buf_str(out, "]");
    write_meta(w, out, s, NULL);
    write_logical(out, s);
    tg_buf_str(out, "}");
    return ok;
}

/* A map whose keys are no texts: an array of records. */
static bool write_pairs(writer *w, tg_buf *out, const tg_schema *s)
{
    const char *outer = w->space;
    char *full =
        s->name ? full_name(w, s->name) : tg_strdup(TG_AVRO_SPACE ".MapEntry");
    tg_buf_str(out, "{\"type\":\"array\",\"items\":");
    int known = full ? known_name(w, out, full, s) : -1;
    bool ok = known >= 0;
    if (known == 0) {
        char *space = tg_strndup(full, space_length(full));
        open_record(w, out, full, NULL);
        w->space = space;
        ok = write_field(w, out, "key", s->key, NULL);
        tg_buf_str(out, ",");
        ok = ok && write_field(w, out, "value", s->value, NULL);
        w->space = outer;
        tg_free(space);
        tg_buf_str(out, "]");
        if (s->name)
            member(out, "connect.internal.type", "MapEntry");
        tg_buf_str(out, "}");
    }
    write_meta(w, out, s, NULL);
    write_logical(out, s);
    tg_buf_str(out, "}");
    return ok;
}

/* --- types ---------------------------------------------------------------- */

static bool write_list(writer *w, tg_buf *out, const tg_schema *s)
{
    /* An array that a script made and left empty: any type is true. */
    const tg_schema *items =
        s->value ? s->value : tg_schema_of(TG_STR, 1, NULL);
    tg_buf_printf(
        out, "{\"type\":\"%s\",\"%s\":", s->tag == TG_ARRAY ? "array" : "map",
        s->tag == TG_ARRAY ? "items" : "values");
    if (!write_type(w, out, items, items->optional))
        return false;
    write_meta(w, out, s, NULL);
    write_logical(out, s);
    tg_buf_str(out, "}");
    return true;
}

static bool write_union(writer *w, tg_buf *out, const tg_schema *s)
{
    tg_buf_str(out, s->optional ? "[\"null\"" : "[");
    for (uint32_t i = 0; i < s->nfields; i++) {
        tg_buf_str(out, i || s->optional ? "," : "");
        if (!write_type(w, out, s->fields[i].schema, false)) {
            tg__converter_in(w->err, "union branch \"%s\"",
                             s->fields[i].name->text);
            return false;
        }
    }
    tg_buf_str(out, "]");
    return true;
}

static bool write_required(writer *w, tg_buf *out, const tg_schema *s)
{
    const char *prefix;
    switch (s->tag) {
    case TG_STRUCT:
        return write_struct(w, out, s);
    case TG_ARRAY:
        return write_list(w, out, s);
    case TG_MAP:
        return s->key->tag == TG_STR &&
                       (!s->key->optional || w->set->optional_keys)
                   ? write_list(w, out, s)
                   : write_pairs(w, out, s);
    case TG_STR:
        if ((w->set->enhanced || w->set->generalized) &&
            tg__avro_enum(s, &prefix))
            return write_enum(w, out, s, tg__avro_enum(s, &prefix), prefix);
        return write_simple(w, out, s);
    default:
        return is_fixed(s) ? write_fixed(w, out, s) : write_simple(w, out, s);
    }
}

static bool write_type(writer *w, tg_buf *out, const tg_schema *s,
                       bool optional)
{
    if (++w->depth > TG_MAX_DEPTH)
        return refuse(w, "the schema is nested more than %d levels deep",
                      TG_MAX_DEPTH);
    bool ok, last = s->has_default && s->tag != TG_STRUCT;
    if (tg__avro_is_union(s)) {
        ok = write_union(w, out, s);
    } else if (optional) {
        tg_buf_str(out, last ? "[" : "[\"null\",");
        ok = write_required(w, out, s);
        tg_buf_str(out, last ? ",\"null\"]" : "]");
    } else {
        ok = write_required(w, out, s);
    }
    w->depth--;
    return ok;
}

/* What values without a schema are written as: a record with one field set. */
static const char anything[] =
    "{\"type\":\"record\",\"name\":\"Anything\",\"namespace\":\"" TG_AVRO_SPACE
    "\",\"fields\":["
    "{\"name\":\"boolean\",\"type\":[\"null\",\"boolean\"],\"default\":null},"
    "{\"name\":\"bytes\",\"type\":[\"null\",\"bytes\"],\"default\":null},"
    "{\"name\":\"double\",\"type\":[\"null\",\"double\"],\"default\":null},"
    "{\"name\":\"float\",\"type\":[\"null\",\"float\"],\"default\":null},"
    "{\"name\":\"int\",\"type\":[\"null\",\"int\"],\"default\":null},"
    "{\"name\":\"long\",\"type\":[\"null\",\"long\"],\"default\":null},"
    "{\"name\":\"string\",\"type\":[\"null\",\"string\"],\"default\":null},"
    "{\"name\":\"array\",\"type\":[\"null\",{\"type\":\"array\",\"items\":"
    "\"Anything\"}],\"default\":null},"
    "{\"name\":\"map\",\"type\":[\"null\",{\"type\":\"array\",\"items\":{"
    "\"type\":\"record\",\"name\":\"MapEntry\",\"fields\":["
    "{\"name\":\"key\",\"type\":\"Anything\"},"
    "{\"name\":\"value\",\"type\":\"Anything\"}]}}],\"default\":null}]}";

char *tg__avro_text(const tg_schema *schema, const tg_avro_settings *set,
                    tg_err *err)
{
    tg_err local = {0};
    writer w = {.set = set, .err = err ? err : &local, .space = ""};
    tg_buf out = {0};
    if (!schema)
        return tg_strdup(anything);
    bool ok = write_type(&w, &out, schema, schema->optional);
    for (uint32_t i = 0; i < w.n; i++)
        tg_free(w.names[i].full);
    tg_free(w.names);
    for (uint32_t i = 0; i < w.nseen; i++)
        tg_free(w.seen[i]);
    tg_free(w.seen);
    if (!ok) {
        tg_buf_fini(&out);
        return NULL;
    }
    tg_buf_cstr(&out);
    /* a plain type is a JSON text of its own: "int" */
    return tg_buf_steal(&out);
}
