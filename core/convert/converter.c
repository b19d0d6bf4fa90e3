/*
 * The registry of converters, and what all of them share: who can read which
 * bytes (identity), decoding on demand, and the rule that a clean cell is sent
 * as it was received. Script thread, or one other thread at a time where no
 * task runs.
 */
#include "convert/converter.h"
#include "base/config.h"
#include "convert/internal.h"
#include "convert/json.h"

static const tg_converter_ops *const registry[] = {
    &tg__string_ops,    &tg__bytes_ops,  &tg__json_ops,    &tg__header_ops,
    &tg__boolean_ops,   &tg__short_ops,  &tg__integer_ops, &tg__long_ops,
    &tg__float_ops,     &tg__double_ops, &tg__avro_ops,    &tg__protobuf_ops,
    &tg__jsonschema_ops};

enum { CLASSES = sizeof registry / sizeof *registry, SCRATCH_KEPT = 1 << 20 };

/* --- identity ------------------------------------------------------------- */

static struct {
    char **text;
    uint32_t n;
} identities;

uint32_t tg__converter_identity(const tg_converter_ops *ops, const char *text)
{
    char *key = tg_sprintf("%s|%s", ops->class_name, text);
    for (uint32_t i = 0; i < identities.n; i++) {
        if (strcmp(identities.text[i], key) == 0) {
            tg_free(key);
            return i + 1;
        }
    }
    identities.text =
        tg_realloc(identities.text, (identities.n + 1) * sizeof(char *));
    identities.text[identities.n++] = key;
    return identities.n;
}

/* --- making converters ---------------------------------------------------- */

static const char *simple_name(const tg_converter_ops *ops)
{
    return strrchr(ops->class_name, '.') + 1;
}

static const tg_converter_ops *find_class(const char *name)
{
    for (int i = 0; i < CLASSES; i++)
        if (strcmp(name, registry[i]->class_name) == 0 ||
            strcmp(name, registry[i]->short_name) == 0 ||
            strcmp(name, simple_name(registry[i])) == 0)
            return registry[i];
    return NULL;
}

json_t *tg_converter_classes(void)
{
    json_t *list = json_array();
    for (int i = 0; i < CLASSES; i++)
        json_array_append_new(list, json_string(registry[i]->class_name));
    return list;
}

static int unknown_class(const char *name, const char *role, tg_err *err)
{
    json_t *all = json_array();
    tg_buf known = {0};
    for (int i = 0; i < CLASSES; i++) {
        json_array_append_new(all, json_string(registry[i]->class_name));
        json_array_append_new(all, json_string(simple_name(registry[i])));
        json_array_append_new(all, json_string(registry[i]->short_name));
        tg_buf_printf(&known, "%s%s", i ? ", " : "", simple_name(registry[i]));
    }
    const char *nearest = tg_nearest(name, all);
    tg_err_set(err, TG_ERR_CONFIG,
               "unknown %s converter class \"%s\"%s%s%s; known are %s", role,
               name, nearest ? ": did you mean " : "", nearest ? nearest : "",
               nearest ? "?" : "", tg_buf_cstr(&known));
    tg_buf_fini(&known);
    json_decref(all);
    return TG_ERR_CONFIG;
}

tg_converter *tg_converter_new(const char *class_name, const json_t *config,
                               const char *role, tg_err *err)
{
    const tg_converter_ops *ops = find_class(class_name);
    tg_convert_init();
    if (!ops) {
        unknown_class(class_name, role, err);
        return NULL;
    }
    if (ops == &tg__header_ops && strcmp(role, "header") != 0) {
        tg_err_set(err, TG_ERR_CONFIG,
                   "%s can only be a header converter, not the %s converter",
                   ops->class_name, role);
        return NULL;
    }
    json_t *none = config ? NULL : json_object();
    tg_converter *conv = tg_calloc(sizeof *conv);
    conv->ops = ops;
    conv->role = strcmp(role, "key") == 0      ? "key"
                 : strcmp(role, "header") == 0 ? "header"
                                               : "value";
    if (ops->configure(conv, config ? config : none, err)) {
        tg_converter_free(conv);
        conv = NULL;
    }
    json_decref(none);
    return conv;
}

void tg_converter_free(tg_converter *conv)
{
    if (!conv)
        return;
    if (conv->ops->fini)
        conv->ops->fini(conv);
    tg_free(conv);
}

const tg_converter *tg_converter_named(const char *name)
{
    static const char *const names[] = {"json", "string", "bytes"};
    static const char *const classes[] = {"JsonConverter", "StringConverter",
                                          "ByteArrayConverter"};
    static tg_converter *made[3];
    for (int i = 0; i < 3; i++) {
        if (strcmp(name, names[i]) != 0)
            continue;
        if (!made[i]) {
            json_t *config = json_pack("{s:s}", "schemas.enable", "false");
            made[i] = tg_converter_new(classes[i], config, "value", NULL);
            json_decref(config);
        }
        return made[i];
    }
    return NULL;
}

void tg_convert_init(void)
{
    tg_cell_open_hook = tg_cell_decode;
    tg_value_json_hook = tg_json_encode;
    tg_schema_default_hook = tg__json_default;
    tg_converter_named_hook = tg_converter_named;
    tg_decimal_hook = tg__script_decimal;
}

/* --- cells ---------------------------------------------------------------- */

static tg_buf scratch;

tg_buf *tg__converter_scratch(void)
{
    if (scratch.cap > SCRATCH_KEPT)
        tg_buf_fini(&scratch);
    scratch.len = 0;
    return &scratch;
}

int tg__converter_full(tg_err *err)
{
    return tg_err_set(err, TG_ERR_LIMIT,
                      "the batch reached its memory limit while a value was"
                      " converted; poll fewer records at a time");
}

int tg__converter_borrow(tg_cell *cell, const char *p, size_t len, tg_err *err)
{
    if (len > INT32_MAX)
        return tg_err_set(err, TG_ERR_LIMIT,
                          "a value of %zu bytes is larger than any Kafka"
                          " message",
                          len);
    cell->out = p;
    cell->outlen = (int32_t)len;
    return 0;
}

int tg__converter_emit(tg_cell *cell, tg_batch *batch, const tg_buf *buf,
                       tg_err *err)
{
    if (buf->len > INT32_MAX)
        return tg__converter_borrow(cell, buf->p, buf->len, err);
    char *p = tg_arena_alloc(batch->arena, buf->len);
    if (!p)
        return tg__converter_full(err);
    if (buf->len)
        memcpy(p, buf->p, buf->len);
    return tg__converter_borrow(cell, p, buf->len, err);
}

int tg__converter_null(tg_cell *cell)
{
    cell->out = NULL;
    cell->outlen = -1;
    return 0;
}

int tg__converter_schema(const char *converter, const tg_schema *schema,
                         tg_err *err)
{
    return tg_err_set(err, TG_ERR_DATA,
                      "Invalid schema type for %s: %s; choose a converter for"
                      " that type, or cast the value",
                      converter, tg_schema_type_upper(schema->tag));
}

void tg__converter_in(tg_err *err, const char *fmt, ...)
{
    char where[sizeof err->text / 2];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(where, sizeof where, fmt, ap);
    va_end(ap);
    if (err && n > 0 && strlen(err->text) + (size_t)n < sizeof where)
        tg_err_prefix(err, "%s", where);
}

void tg__converter_in_field(tg_err *err, const char *name)
{
    tg__converter_in(err, "field \"%s\"", name);
}

int tg_cell_decode(tg_cell *cell, tg_err *err)
{
    if (cell->state == TG_CELL_DECODED || cell->state == TG_CELL_NULL)
        return 0;
    if (cell->state == TG_CELL_BAD)
        return tg_err_set(err, TG_ERR_DATA,
                          "the bytes could not be decoded before");
    int rc =
        cell->conv->ops->decode(cell->conv, cell, cell->record->batch, err);
    cell->state = rc ? TG_CELL_BAD : TG_CELL_DECODED;
    return rc;
}

int tg_cell_encode(tg_cell *cell, const tg_converter *conv, tg_err *err)
{
    if (cell->state == TG_CELL_NULL && !cell->schema)
        return tg__converter_null(cell);
    bool same = !cell->dirty && cell->raw && cell->conv && conv->identity &&
                cell->conv->identity == conv->identity;
    /* What nobody looked at is checked all the same: Kafka Connect refuses
     * malformed input too. */
    if (cell->state != TG_CELL_DECODED && (!same || cell->conv->strict)) {
        int rc = tg_cell_decode(cell, err);
        if (rc)
            return rc;
    }
    if (same) {
        cell->out = cell->raw;
        cell->outlen = cell->rawlen;
        return 0;
    }
    return conv->ops->encode(conv, cell, cell->record->batch, err);
}
