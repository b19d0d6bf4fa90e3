/*
 * A Connect schema as .proto text, with the names, numbers and options that
 * Confluent's converter gives: numbers from the parameter Tag or in order,
 * confluent.field_meta for what Protobuf has no type for, unions as oneofs,
 * maps as repeated entries.
 *
 * Where Confluent's converter makes a schema that no registry takes, this does
 * better: a field without a number of its own gets one above the others, and
 * structs of one name but other fields get names of their own. Script thread.
 */
#include "convert/decimal.h"
#include "convert/protobuf.h"
#include <stdio.h>
#include <stdlib.h>

enum { DEPTH_MAX = TG_PROTO_DEPTH - 4 };

/* A type to define inside a message. */
typedef struct inner {
    struct inner *next;
    char *name;
    const tg_schema *schema;
    bool entry;
} inner;

typedef struct level {
    const struct level *up;
    const char *name; /* of the message */
    const char *full;
    inner *types, **end;
    int indent;
} level;

typedef struct writer {
    const tg_pb_settings *set;
    tg_buf body;
    const char *package;
    uint32_t unnamed;
    bool meta, decimal, date, time, timestamp, wrappers;
    const char *dot; /* in front of well-known types */
    tg_err *err;
} writer;

/* --- names ---------------------------------------------------------------- */

static bool plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_';
}

static bool starts(char c)
{
    return plain(c) && !(c >= '0' && c <= '9');
}

void tg_pb_scrub(tg_buf *out, const char *name, const tg_pb_settings *set)
{
    bool good = starts(*name) && *name != '_';
    for (const char *c = name; *c; c++)
        good &= plain(*c);
    if (good || !set->scrub || !*name) {
        tg_buf_str(out, name);
        return;
    }
    if (plain(*name) && (!starts(*name) || *name == '_'))
        tg_buf_str(out, "x");
    for (const char *c = name; *c; c++) {
        if (plain(*c))
            tg_buf_add(out, c, 1);
        else if (strchr("*-. ", *c))
            tg_buf_str(out, "_");
        else
            tg_buf_printf(out, "_%02X", (unsigned char)*c);
    }
}

/* A valid name, new; NULL with a sentence. */
static char *own_name(writer *w, const char *what, const char *name)
{
    tg_buf out = {0};
    tg_pb_scrub(&out, name, w->set);
    const char *c = tg_buf_cstr(&out);
    bool good = starts(*c);
    for (; *c; c++)
        good &= plain(*c);
    if (good)
        return tg_buf_steal(&out);
    tg_err_set(w->err, TG_ERR_DATA,
               "the name \"%.100s\" of a %s is none for Protobuf (letters,"
               " digits and _, no digit first); set"
               " scrub.invalid.names=true to have it replaced",
               name, what);
    tg_buf_fini(&out);
    return NULL;
}

/* What follows the last dot of a schema's name, or a made-up one. */
static char *type_name(writer *w, const char *name)
{
    char made[32];
    if (!name || !*name) {
        snprintf(made, sizeof made, "%s%u", TG_PB_DEFAULT, ++w->unnamed);
        name = made;
    }
    const char *dot = strrchr(name, '.');
    return own_name(w, "schema", dot ? dot + 1 : name);
}

/* "a_b" gives "ABEntry", "ab" gives "abEntry", as Confluent names entries. */
static char *entry_name(writer *w, const char *name)
{
    char *base = type_name(w, name);
    tg_buf out = {0};
    if (!base)
        return NULL;
    bool camel = strchr(base, '_') != NULL, upper = camel;
    for (const char *c = base; *c; c++) {
        if (camel && *c == '_') {
            upper = true;
            continue;
        }
        char letter = *c;
        if (upper && letter >= 'a' && letter <= 'z')
            letter -= 32;
        else if (camel && !upper && letter >= 'A' && letter <= 'Z')
            letter += 32;
        upper = false;
        tg_buf_add(&out, &letter, 1);
    }
    tg_buf_str(&out, "Entry");
    tg_buf_cstr(&out);
    tg_free(base);
    return tg_buf_steal(&out);
}

static bool same_fields(const tg_schema *a, const tg_schema *b)
{
    if (a->tag != b->tag || a->nfields != b->nfields)
        return false;
    for (uint32_t i = 0; i < a->nfields; i++)
        if (a->fields[i].name != b->fields[i].name ||
            a->fields[i].schema != b->fields[i].schema)
            return false;
    return a->tag == TG_STRUCT || (a->key == b->key && a->value == b->value);
}

/* Has the type defined in the message; name is taken, the final one returned,
 * owned by the level. */
static const char *define(level *l, char *name, const tg_schema *schema,
                          bool entry)
{
    size_t len = strlen(name);
    for (uint32_t n = 2;; n++) {
        inner *same = l->types;
        while (same && strcmp(same->name, name) != 0)
            same = same->next;
        if (same && same->entry == entry && same_fields(same->schema, schema)) {
            tg_free(name);
            return same->name;
        }
        if (!same)
            break;
        char *other = tg_sprintf("%.*s%u", (int)len, name, n);
        tg_free(name);
        name = other;
    }
    inner *t = tg_calloc(sizeof *t);
    *t = (inner){.name = name, .schema = schema, .entry = entry};
    *l->end = t;
    l->end = &t->next;
    return name;
}

static void free_types(level *l)
{
    for (inner *t = l->types, *next; t; t = next) {
        next = t->next;
        tg_free(t->name);
        tg_free(t);
    }
}

/* --- types of fields ------------------------------------------------------ */

static const char *enum_prefix(const tg_schema *s)
{
    static const char *const all[] = {TG_PB_SUM_ENUM, TG_PB_ENUM};
    for (int i = 0; i < 2; i++) {
        size_t n = strlen(all[i]);
        for (uint32_t j = 0; j < s->nparams; j++)
            if ((s->tag == TG_STR || i == 1) &&
                strncmp(s->params[j].key, all[i], n) == 0 &&
                s->params[j].key[n] == '.' &&
                (s->tag == TG_STR || s->tag == TG_INT32))
                return all[i];
    }
    return NULL;
}

static bool is_named(const tg_schema *s, const char *what)
{
    static const char space[] = "org.apache.kafka.connect.data.";
    size_t n = sizeof space - 1;
    return s->name && strncmp(s->name, space, n) == 0 &&
           strcmp(s->name + n, what) == 0;
}

static const char *logical_type(writer *w, const tg_schema *s)
{
    if (s->tag == TG_BYTES && is_named(s, "Decimal")) {
        w->decimal = true;
        return "confluent.type.Decimal";
    }
    if (s->tag == TG_INT32 && is_named(s, "Date")) {
        w->date = true;
        return "google.type.Date";
    }
    if (s->tag == TG_INT32 && is_named(s, "Time")) {
        w->time = true;
        return "google.type.TimeOfDay";
    }
    if (s->tag == TG_INT64 && is_named(s, "Timestamp")) {
        w->timestamp = true;
        return "google.protobuf.Timestamp";
    }
    return NULL;
}

static const char *integer_type(const tg_schema *s)
{
    static const char *const wide[] = {"uint32", "fixed32", "uint64",
                                       "sint64", "fixed64", "sfixed64"};
    const char *type = tg_pb_param(s, TG_PB_TYPE);
    if (s->tag == TG_INT32 && type &&
        (strcmp(type, "sint32") == 0 || strcmp(type, "sfixed32") == 0))
        return type;
    for (int i = 0; s->tag == TG_INT64 && type && i < 6; i++)
        if (strcmp(type, wide[i]) == 0)
            return wide[i];
    return s->tag == TG_INT64 ? "int64" : "int32";
}

static const char *scalar_type(const tg_schema *s)
{
    switch (s->tag) {
    case TG_FLOAT32:
        return "float";
    case TG_FLOAT64:
        return "double";
    case TG_BOOL:
        return "bool";
    case TG_STR:
        return "string";
    case TG_BYTES:
        return "bytes";
    default:
        return integer_type(s);
    }
}

static const char *wrapper_type(const tg_schema *s)
{
    const char *type = scalar_type(s);
    switch (s->tag) {
    case TG_FLOAT32:
        return "google.protobuf.FloatValue";
    case TG_FLOAT64:
        return "google.protobuf.DoubleValue";
    case TG_BOOL:
        return "google.protobuf.BoolValue";
    case TG_STR:
        return "google.protobuf.StringValue";
    case TG_BYTES:
        return "google.protobuf.BytesValue";
    case TG_INT64:
        return strstr(type, "32") ? "google.protobuf.UInt32Value"
               : strcmp(type, "uint64") == 0 || strcmp(type, "fixed64") == 0
                   ? "google.protobuf.UInt64Value"
                   : "google.protobuf.Int64Value";
    default:
        return "google.protobuf.Int32Value";
    }
}

/* The message around this one that a field of encoded bytes stands for. */
static const char *enclosing(const level *l, const tg_schema *s)
{
    const char *full =
        s->tag == TG_BYTES ? tg_pb_param(s, TG_PB_RECURSIVE) : NULL;
    const char *dot = full ? strrchr(full, '.') : NULL;
    const char *name = dot ? dot + 1 : full;
    for (; name && l; l = l->up)
        if (strcmp(l->name, name) == 0)
            return l->name;
    return NULL;
}

static const char *struct_type(writer *w, level *l, const tg_schema *s,
                               const char *field)
{
    char *name = type_name(w, s->name);
    if (name && strcmp(name, field) == 0) {
        char *longer = tg_sprintf("%sMessage", name);
        tg_free(name);
        name = longer;
    }
    return name ? define(l, name, s, false) : NULL;
}

/* Type of a field as the text says it. *dot: with well-known types' dot. */
static const char *field_type(writer *w, level *l, const tg_schema *s,
                              const char *field, bool member, bool *known)
{
    const char *type = logical_type(w, s);
    *known = type != NULL;
    if (type)
        return type;
    if (s->tag == TG_STRUCT)
        return struct_type(w, l, s, field);
    if (s->tag == TG_MAP) {
        char *name = entry_name(w, s->name);
        return name ? define(l, name, s, true) : NULL;
    }
    if (enum_prefix(s)) {
        const char *prefix = enum_prefix(s);
        const char *param = tg_pb_param(s, prefix);
        char *name = type_name(w, s->name ? s->name : param);
        return name ? define(l, name, s, false) : NULL;
    }
    if ((type = enclosing(l, s)) != NULL)
        return type;
    const char *mark = tg_pb_param(s, TG_PB_WRAPPER);
    if (w->set->wrapper_nullables && s->optional &&
        (!member || (mark && strcmp(mark, "true") == 0))) {
        w->wrappers = *known = true;
        return wrapper_type(s);
    }
    return scalar_type(s);
}

/* --- fields --------------------------------------------------------------- */

static void indent(writer *w, const level *l)
{
    for (int i = 0; i < l->indent; i++)
        tg_buf_str(&w->body, "  ");
}

static void write_params(writer *w, const level *l, const char *const *keys,
                         const char *const *values)
{
    w->meta = true;
    tg_buf_printf(&w->body, " [(%sconfluent.field_meta) = {\n", w->dot);
    indent(w, l);
    tg_buf_str(&w->body, "  params: [");
    for (int i = 0, n = 0; i < 2; i++) {
        if (!values[i])
            continue;
        tg_buf_str(&w->body, n++ ? ",\n" : "\n");
        indent(w, l);
        tg_buf_printf(&w->body, "    {key: \"%s\", value: \"%s\"}", keys[i],
                      values[i]);
    }
    tg_buf_str(&w->body, "\n");
    indent(w, l);
    tg_buf_str(&w->body, "  ]\n");
    indent(w, l);
    tg_buf_str(&w->body, "}]");
}

static bool is_number(const char *text)
{
    char *end;
    if (!text || !*text)
        return false;
    strtol(text, &end, 10);
    return !*end;
}

static void write_meta(writer *w, const level *l, const tg_schema *s)
{
    static const char *const decimal_keys[] = {"precision", "scale"};
    static const char *const type_keys[] = {"connect.type", ""};
    const char *values[2] = {NULL, NULL};
    if (s->tag == TG_BYTES && is_named(s, "Decimal")) {
        const char *precision = tg_pb_param(s, TG_PB_PRECISION);
        const char *scale = tg_pb_param(s, "scale");
        values[0] = is_number(precision) ? precision : NULL;
        values[1] = is_number(scale) ? scale : NULL;
        if (values[0] || values[1])
            write_params(w, l, decimal_keys, values);
    } else if (s->tag == TG_INT8 || s->tag == TG_INT16) {
        values[0] = s->tag == TG_INT8 ? "int8" : "int16";
        write_params(w, l, type_keys, values);
    }
}

static int write_field(writer *w, level *l, const char *title,
                       const tg_schema *schema, int32_t number, bool member,
                       bool entry)
{
    const tg_schema *s = schema;
    bool known = false, many = s->tag == TG_ARRAY || s->tag == TG_MAP;
    if (s->tag == TG_ARRAY)
        s = s->value ? s->value : tg_schema_of(TG_STR, 1, NULL);
    if (s->tag == TG_ARRAY || (many && s->tag == TG_MAP && s != schema) ||
        tg_pb_is_union(s))
        return tg_err_set(w->err, TG_ERR_DATA,
                          "field \"%s\" is an array of arrays, maps or unions,"
                          " or a map of unions, which Protobuf cannot hold",
                          title);
    if (member && many)
        return tg_err_set(w->err, TG_ERR_DATA,
                          "field \"%s\" of a union is an array or map, which"
                          " Protobuf cannot hold in a oneof",
                          title);
    char *name = own_name(w, "field", title);
    const char *type = name ? field_type(w, l, s, name, member, &known) : NULL;
    if (!type) {
        tg_free(name);
        return TG_ERR_DATA;
    }
    indent(w, l);
    if (many)
        tg_buf_str(&w->body, "repeated ");
    else if (w->set->optional_nullables && schema->optional && !member &&
             !entry)
        tg_buf_str(&w->body, "optional ");
    tg_buf_printf(&w->body, "%s%s %s = %d", known ? w->dot : "", type, name,
                  (int)number);
    write_meta(w, l, s);
    tg_buf_str(&w->body, ";\n");
    tg_free(name);
    return 0;
}

/* --- numbers -------------------------------------------------------------- */

typedef struct numbering {
    int32_t *used; /* so far */
    uint32_t n;
    int32_t most; /* of all fields of the message */
    bool any;
} numbering;

static int32_t tag_of(const tg_schema *s)
{
    const char *text = tg_pb_param(s, TG_PB_TAG);
    char *end;
    long n = text ? strtol(text, &end, 10) : 0;
    if (!text || *end || n < 1 || n > TG_PROTO_NUMBER_MAX ||
        (n >= 19000 && n <= 19999))
        return 0;
    return (int32_t)n;
}

static void collect(numbering *num, const tg_schema *s)
{
    for (uint32_t i = 0; i < s->nfields; i++) {
        const tg_schema *of = s->fields[i].schema;
        if (tg_pb_is_union(of))
            collect(num, of);
        int32_t tag = tg_pb_is_union(of) ? 0 : tag_of(of);
        num->n++;
        if (tag > num->most)
            num->most = tag;
    }
}

static int32_t number_of(numbering *num, const tg_schema *s)
{
    int32_t tag = tag_of(s);
    for (uint32_t i = 0; tag && i < num->n; i++)
        if (num->used[i] == tag)
            tag = 0;
    if (!tag) {
        tag = ++num->most;
        if (tag >= 19000 && tag <= 19999)
            tag = num->most = 20000;
    }
    num->used[num->n++] = tag;
    return tag;
}

/* --- messages and enums --------------------------------------------------- */

static int write_struct(writer *w, const level *up, const char *name,
                        const tg_schema *s);

static int write_oneof(writer *w, level *l, const tg_schema *s, numbering *num)
{
    size_t skip = strlen(TG_PB_UNION) + 1;
    const char *name = tg_pb_param(s, TG_PB_SUM_UNION);
    if (!name)
        name = s->name && strlen(s->name) > skip ? s->name + skip : "";
    char *own = type_name(w, name);
    int rc = own ? 0 : TG_ERR_DATA;
    if (!rc) {
        indent(w, l);
        tg_buf_printf(&w->body, "oneof %s {\n", own);
        l->indent++;
    }
    for (uint32_t i = 0; i < s->nfields && !rc; i++)
        rc = write_field(w, l, s->fields[i].name->text, s->fields[i].schema,
                         number_of(num, s->fields[i].schema), true, false);
    if (own) {
        l->indent--;
        indent(w, l);
        tg_buf_str(&w->body, "}\n");
    }
    tg_free(own);
    return rc;
}

static int write_fields(writer *w, level *l, const tg_schema *s)
{
    numbering num = {0};
    int rc = 0;
    collect(&num, s);
    num.used = tg_calloc((num.n + 1) * sizeof *num.used);
    num.n = 0;
    for (uint32_t i = 0; i < s->nfields && !rc; i++) {
        const tg_schema *of = s->fields[i].schema;
        rc = tg_pb_is_union(of)
                 ? write_oneof(w, l, of, &num)
                 : write_field(w, l, s->fields[i].name->text, of,
                               number_of(&num, of), false, false);
    }
    tg_free(num.used);
    return rc;
}

static int by_value(const void *a, const void *b)
{
    const tg_schema_param *x = *(const tg_schema_param *const *)a;
    const tg_schema_param *y = *(const tg_schema_param *const *)b;
    long i = strtol(x->value, NULL, 10), j = strtol(y->value, NULL, 10);
    bool zi = i == 0, zj = j == 0;
    return zi != zj ? zj - zi : (x > y) - (x < y);
}

static int write_enum(writer *w, const level *l, const char *name,
                      const tg_schema *s)
{
    const char *prefix = enum_prefix(s);
    size_t skip = strlen(prefix) + 1;
    const tg_schema_param **list = tg_alloc((s->nparams + 1) * sizeof *list);
    uint32_t n = 0;
    bool twice = false;
    for (uint32_t i = 0; i < s->nparams; i++)
        if (strncmp(s->params[i].key, prefix, skip - 1) == 0 &&
            s->params[i].key[skip - 1] == '.')
            list[n++] = &s->params[i];
    qsort(list, n, sizeof *list, by_value); /* 0 first, else as it was */
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < i && !twice; j++)
            twice = strcmp(list[i]->value, list[j]->value) == 0;
    indent(w, l);
    tg_buf_printf(&w->body, "enum %s {\n", name);
    if (twice) {
        indent(w, l);
        tg_buf_str(&w->body, "  option allow_alias = true;\n");
    }
    int rc = 0;
    for (uint32_t i = 0; i < n && !rc; i++) {
        char *own = own_name(w, "constant", list[i]->key + skip);
        rc = own ? 0 : TG_ERR_DATA;
        if (own && !is_number(list[i]->value))
            rc = tg_err_set(w->err, TG_ERR_DATA,
                            "constant %s of enum %s has the number \"%.30s\"",
                            own, name, list[i]->value);
        indent(w, l);
        tg_buf_printf(&w->body, "  %s = %s;\n", own ? own : "", list[i]->value);
        tg_free(own);
    }
    indent(w, l);
    tg_buf_str(&w->body, "}\n");
    tg_free(list);
    return rc;
}

static int write_inner(writer *w, const level *l, const inner *t)
{
    if (t->schema->tag != TG_STRUCT && !t->entry)
        return write_enum(w, l, t->name, t->schema);
    return write_struct(w, l, t->name, t->schema);
}

static int depth_of(const level *l)
{
    int n = 0;
    for (; l; l = l->up)
        n++;
    return n;
}

static int write_struct(writer *w, const level *up, const char *name,
                        const tg_schema *s)
{
    level l = {.up = up, .name = name, .indent = up ? up->indent + 1 : 1};
    l.end = &l.types;
    if (depth_of(&l) > DEPTH_MAX)
        return tg_err_set(w->err, TG_ERR_DATA,
                          "the schema nests structs more than %d deep",
                          DEPTH_MAX);
    level outer = {.indent = l.indent - 1};
    indent(w, &outer);
    tg_buf_printf(&w->body, "message %s {\n", name);
    int rc = 0;
    if (s->tag == TG_MAP) {
        rc = write_field(w, &l, "key", s->key, 1, false, true);
        if (!rc)
            rc = write_field(w, &l, "value", s->value, 2, false, true);
    } else {
        rc = write_fields(w, &l, s);
    }
    for (const inner *t = l.types; t && !rc; t = t->next)
        rc = write_inner(w, &l, t);
    indent(w, &outer);
    tg_buf_str(&w->body, "}\n");
    free_types(&l);
    return rc;
}

/* --- whole texts ---------------------------------------------------------- */

/* Package of a schema's name, valid; "" for none. New, or NULL. */
static char *package_of(writer *w, const char *name)
{
    tg_buf out = {0};
    const char *dot = name ? strrchr(name, '.') : NULL;
    while (dot && name <= dot) {
        const char *end = strchr(name, '.');
        char *part = tg_strndup(name, (size_t)(end - name));
        char *own = own_name(w, "schema", part);
        tg_free(part);
        if (!own) {
            tg_buf_fini(&out);
            return NULL;
        }
        tg_buf_printf(&out, "%s%s", out.len ? "." : "", own);
        tg_free(own);
        name = end + 1;
    }
    tg_buf_cstr(&out);
    return tg_buf_steal(&out);
}

/* "google" in a package hides the well-known types from a plain name. */
static bool hides(const char *package)
{
    return strstr(package, "google") || strstr(package, "confluent");
}

static char *whole_text(writer *w, const char *package)
{
    tg_buf out = {0};
    const struct {
        bool wanted;
        const char *file;
    } imports[] = {{w->meta, "confluent/meta.proto"},
                   {w->decimal, "confluent/type/decimal.proto"},
                   {w->timestamp, "google/protobuf/timestamp.proto"},
                   {w->wrappers, "google/protobuf/wrappers.proto"},
                   {w->date, "google/type/date.proto"},
                   {w->time, "google/type/timeofday.proto"}};
    tg_buf_str(&out, "syntax = \"proto3\";\n");
    if (*package)
        tg_buf_printf(&out, "package %s;\n", package);
    bool first = true;
    for (size_t i = 0; i < sizeof imports / sizeof *imports; i++) {
        if (!imports[i].wanted)
            continue;
        tg_buf_printf(&out, "%simport \"%s\";\n", first ? "\n" : "",
                      imports[i].file);
        first = false;
    }
    tg_buf_str(&out, "\n");
    tg_buf_add(&out, w->body.p, w->body.len);
    tg_buf_cstr(&out);
    return tg_buf_steal(&out);
}

static char *scalar_text(const tg_schema *schema, char **message)
{
    *message = tg_strdup(wrapper_type(schema));
    return tg_strdup(tg_proto_known("google/protobuf/wrappers.proto"));
}

char *tg_pb_text(const tg_schema *schema, const tg_pb_settings *set,
                 char **message, tg_err *err)
{
    writer w = {.set = set, .dot = "", .err = err};
    *message = NULL;
    if (schema->tag < TG_ARRAY) {
        tg_schema plain_schema = *schema;
        plain_schema.nparams = 0;
        return scalar_text(&plain_schema, message);
    }
    if (schema->tag != TG_STRUCT || tg_pb_is_union(schema)) {
        tg_err_set(err, TG_ERR_DATA,
                   "ProtobufConverter writes structs and scalars; the whole"
                   " value is %s",
                   schema->tag == TG_STRUCT ? "a union"
                                            : tg_schema_type_name(schema->tag));
        return NULL;
    }
    char *name = type_name(&w, schema->name);
    char *package = name ? package_of(&w, schema->name) : NULL;
    char *text = NULL;
    if (package) {
        w.dot = hides(package) ? "." : "";
        if (write_struct(&w, NULL, name, schema) == 0) {
            text = whole_text(&w, package);
            *message = tg_sprintf("%s%s%s", package, *package ? "." : "", name);
        }
    }
    tg_buf_fini(&w.body);
    tg_free(name);
    tg_free(package);
    return text;
}
