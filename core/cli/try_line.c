/*
 * The lines of `tidegate try`.
 *
 * This is the one place where jansson reads what comes from a record: the
 * envelope of a debugging tool, not the record. The texts of key, value and
 * header values are handed to the converters byte for byte as they stand in
 * the JSON strings (escapes resolved); no number or nested value of a record
 * passes through it.
 *
 * Main thread; no state.
 */
#include "cli/try_line.h"
#include "cli/json_out.h"
#include "convert/base64.h"

enum { SHOWN = 60 };

/* --- reading -------------------------------------------------------------- */

static const char *kind_of(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a fraction";
    case JSON_NULL:
        return "null";
    default:
        return "a boolean";
    }
}

/* An integer from min on, or dflt when it is absent or null. */
static int read_integer(const json_t *line, const char *name, int64_t min,
                        int64_t max, int64_t dflt, int64_t *out, tg_err *err)
{
    const json_t *v = json_object_get(line, name);

    *out = dflt;
    if (!v || json_is_null(v))
        return 0;
    if (!json_is_integer(v))
        return tg_err_set(err, TG_ERR_DATA,
                          "\"%s\" is %s, but must be an integer or null", name,
                          kind_of(v));
    *out = json_integer_value(v);
    if (*out < min || *out > max)
        return tg_err_set(err, TG_ERR_DATA,
                          "\"%s\" is %lld, but must be from %lld to %lld", name,
                          (long long)*out, (long long)min, (long long)max);
    return 0;
}

static int read_base64(tg_cell *cell, const tg_converter *conv,
                       const char *what, const json_t *text, tg_err *err)
{
    const char *p = json_string_value(text);
    size_t len = json_string_length(text), bad = 0;
    uint8_t *bytes;
    ssize_t n;

    if (!p)
        return tg_err_set(err, TG_ERR_DATA,
                          "%s: \"base64\" is %s, but must be a string", what,
                          kind_of(text));
    bytes = tg_arena_alloc(cell->record->batch->arena, len / 4 * 3 + 1);
    if (!bytes)
        return tg_err_set(err, TG_ERR_LIMIT, "%s is too large", what);
    n = tg_base64_decode(bytes, p, len, &bad);
    if (n < 0 || n > INT32_MAX)
        return tg_err_set(err, TG_ERR_DATA,
                          "%s is no base64 text with padding: character %zu "
                          "is wrong",
                          what, bad + 1);
    tg_cell_set_raw(cell, conv, (const char *)bytes, (int32_t)n);
    return 0;
}

/* A text, null, or {"base64":"..."}. */
static int read_cell(tg_cell *cell, const tg_converter *conv, const char *what,
                     const json_t *v, tg_err *err)
{
    const json_t *text;

    cell->dirty = 0;
    if (!v || json_is_null(v)) {
        tg_cell_set_raw(cell, NULL, NULL, 0);
        cell->schema = conv->null_schema;
        return 0;
    }
    if (json_is_string(v)) {
        if (json_string_length(v) > INT32_MAX)
            return tg_err_set(err, TG_ERR_LIMIT, "%s is too large", what);
        tg_cell_set_raw(cell, conv, json_string_value(v),
                        (int32_t)json_string_length(v));
        return 0;
    }
    text = json_object_get(v, "base64");
    if (text && json_object_size(v) == 1)
        return read_base64(cell, conv, what, text, err);
    return tg_err_set(err, TG_ERR_DATA,
                      "%s is %s, but must be the text on the wire as a string, "
                      "null, or {\"base64\":\"...\"}%s",
                      what, kind_of(v),
                      json_is_object(v) || json_is_array(v)
                          ? "; JSON goes into a string: \"{\\\"a\\\":1}\""
                          : "");
}

/* Key or value, which `tidegate consume` prints as *_base64 when it is no
 * text. */
static int read_side(tg_cell *cell, const tg_converter *conv, const char *name,
                     const json_t *line, tg_err *err)
{
    const json_t *v = json_object_get(line, name);
    char coded[16], what[20];
    const json_t *base64;

    snprintf(coded, sizeof coded, "%s_base64", name);
    snprintf(what, sizeof what, "\"%s\"", name);
    base64 = json_object_get(line, coded);
    if (!base64)
        return read_cell(cell, conv, what, v, err);
    if (v)
        return tg_err_set(err, TG_ERR_DATA,
                          "\"%s\" and \"%s\" are both given: remove one", name,
                          coded);
    return read_base64(cell, conv, what, base64, err);
}

static bool is_one_of(const char *name, const char *const *known)
{
    for (; *known; known++)
        if (strcmp(name, *known) == 0)
            return true;
    return false;
}

/* A member that is not known: what it is, for people, cut and printable. */
static int unknown_member(const char *where, const char *name,
                          const char *accepted, tg_err *err)
{
    int cut = (int)strlen(name);

    if (cut > SHOWN)
        for (cut = SHOWN; cut > 0 && (name[cut] & 0xC0) == 0x80;)
            cut--;
    return tg_err_set(err, TG_ERR_DATA,
                      "%shas the unknown member \"%.*s\"; accepted are %s",
                      where, cut, name, accepted);
}

static int read_header(tg_record *rec, const tg_converter *conv, size_t at,
                       const json_t *h, tg_err *err)
{
    static const char *const known[] = {"name", "value", "value_base64", NULL};
    const json_t *name = json_object_get(h, "name");
    char what[40];
    const char *key;
    json_t *v;
    int32_t i;

    snprintf(what, sizeof what, "header %zu ", at + 1);
    if (!json_is_object(h))
        return tg_err_set(err, TG_ERR_DATA,
                          "%sis %s, but must be {\"name\",\"value\"}", what,
                          kind_of(h));
    json_object_foreach((json_t *)(uintptr_t)h, key, v)
    {
        if (!is_one_of(key, known))
            return unknown_member(what, key, "name and value", err);
    }
    if (!json_is_string(name))
        return tg_err_set(err, TG_ERR_DATA,
                          "%shas no \"name\", which must be a string", what);
    i = tg_header_add(rec, json_string_value(name),
                      (uint32_t)json_string_length(name));
    if (i < 0)
        return tg_err_set(err, TG_ERR_DATA, "%s%s", what, tg_ffi_error());
    if (read_side(&rec->headers[i].cell, conv, "value", h, err)) {
        tg_err_prefix(err, "header %zu", at + 1);
        return err->code;
    }
    return 0;
}

static int read_headers(tg_record *rec, const tg_converter *conv,
                        const json_t *list, tg_err *err)
{
    const json_t *h;
    size_t i;
    int rc;

    if (!list || json_is_null(list))
        return 0;
    if (!json_is_array(list))
        return tg_err_set(err, TG_ERR_DATA,
                          "\"headers\" is %s, but must be an array of "
                          "{\"name\",\"value\"}",
                          kind_of(list));
    json_array_foreach(list, i, h)
    {
        rc = read_header(rec, conv, i, h, err);
        if (rc)
            return rc;
    }
    return 0;
}

static int read_topic(const tg__try_shape *shape, tg_record *rec,
                      const json_t *line, tg_err *err)
{
    const json_t *v = json_object_get(line, "topic");
    const char *topic = shape->topic;
    size_t len = strlen(topic);

    if (v && !json_is_null(v)) {
        topic = json_string_value(v);
        len = json_string_length(v);
    }
    if (!topic)
        return tg_err_set(err, TG_ERR_DATA,
                          "\"topic\" is %s, but must be a string", kind_of(v));
    if (len > UINT32_MAX || tg_record_set_topic(rec, topic, (uint32_t)len) != 0)
        return tg_err_set(err, TG_ERR_DATA, "\"topic\": %s", tg_ffi_error());
    return 0;
}

static int read_place(const tg__try_shape *shape, tg_record *rec,
                      const json_t *line, tg_err *err)
{
    int64_t partition, offset, ms;
    int rc = read_topic(shape, rec, line, err);

    if (rc ||
        (rc = read_integer(line, "partition", -1, INT32_MAX,
                           shape->source ? -1 : 0, &partition, err)) ||
        (rc = read_integer(line, "offset", -1, INT64_MAX,
                           shape->source ? -1 : shape->line - 1, &offset,
                           err)) ||
        (rc = read_integer(line, "timestamp", -1, INT64_MAX, -1, &ms, err)))
        return rc;
    if (!shape->source && (partition < 0 || offset < 0))
        return tg_err_set(err, TG_ERR_DATA,
                          "\"%s\" is -1, but a record of a sink has one, 0 or "
                          "more",
                          partition < 0 ? "partition" : "offset");
    rec->partition = (int32_t)partition;
    rec->origin_offset = offset;
    rec->timestamp = ms;
    rec->timestamp_type = ms < 0 ? TG_TIME_NONE : TG_TIME_CREATE;
    if (!shape->source) {
        rec->origin_topic = rec->topic;
        rec->origin_topiclen = rec->topiclen;
        rec->origin_partition = rec->partition;
    }
    return 0;
}

static int read_record(const tg__try_shape *shape, tg_record *rec,
                       const json_t *line, tg_err *err)
{
    static const char *const known[] = {
        "topic",      "partition", "offset",       "timestamp", "key",
        "key_base64", "value",     "value_base64", "headers",   NULL};
    const char *key;
    json_t *v;
    int rc;

    json_object_foreach((json_t *)(uintptr_t)line, key, v)
    {
        if (!is_one_of(key, known))
            return unknown_member("the line ", key,
                                  "topic, partition, offset, timestamp, key, "
                                  "value and headers",
                                  err);
    }
    rc = read_place(shape, rec, line, err);
    if (!rc)
        rc = read_side(&rec->key, shape->key, "key", line, err);
    if (!rc)
        rc = read_side(&rec->value, shape->value, "value", line, err);
    if (!rc)
        rc = read_headers(rec, shape->header, json_object_get(line, "headers"),
                          err);
    return rc;
}

int tg__try_read(const tg__try_shape *shape, tg_batch *batch, const char *p,
                 size_t len, json_t **root, tg_err *err)
{
    json_error_t why;
    json_t *line = json_loadb(
        p, len, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
        &why);
    tg_record *rec;
    int rc;

    *root = NULL;
    if (!line)
        return tg_err_set(
            err, TG_ERR_DATA, "invalid JSON at byte %d: %s%s", why.position,
            why.text,
            json_error_code(&why) == json_error_invalid_utf8
                ? "; bytes that are no UTF-8 go into {\"base64\":\"...\"}"
                : "");
    if (!json_is_object(line)) {
        tg_err_set(err, TG_ERR_DATA,
                   "the line is %s, but must be an object: "
                   "{\"topic\":\"t\",\"key\":null,\"value\":\"text\"}",
                   kind_of(line));
        json_decref(line);
        return TG_ERR_DATA;
    }
    rec = tg_batch_append(batch);
    rc = rec ? read_record(shape, rec, line, err)
             : tg_err_set(err, TG_ERR_LIMIT, "%s", tg_ffi_error());
    if (rc)
        json_decref(line);
    else
        *root = line;
    return rc;
}

tg__try_origin tg__try_origin_of(const tg_record *rec, int64_t line)
{
    return (tg__try_origin){.topic = rec->topic,
                            .topiclen = rec->topiclen,
                            .partition = rec->partition,
                            .offset = rec->origin_offset,
                            .line = line};
}

/* --- writing -------------------------------------------------------------- */

static void put_integer(tg_buf *out, const char *name, int64_t n)
{
    if (n < 0)
        tg_buf_printf(out, ",\"%s\":null", name);
    else
        tg_buf_printf(out, ",\"%s\":%lld", name, (long long)n);
}

static void put_bytes(tg_buf *out, const char *p, int32_t len)
{
    if (len < 0) {
        tg_buf_str(out, "null");
    } else if (len == 0 || tg__out_utf8(p, (size_t)len)) {
        tg__out_text(out, len ? p : "", (size_t)len);
    } else {
        tg_buf_str(out, "{\"base64\":");
        tg__out_base64(out, p, (size_t)len);
        tg_buf_str(out, "}");
    }
}

/* Text that need not be UTF-8. */
static void put_shown(tg_buf *out, const char *p, size_t n)
{
    char *copy;

    if (tg__out_utf8(p, n)) {
        tg__out_text(out, p, n);
        return;
    }
    copy = tg_strndup(p, n);
    n = strlen(copy);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)copy[i] >= 0x80)
            copy[i] = '?';
    tg__out_text(out, copy, n);
    tg_free(copy);
}

static void put_cell(tg_buf *out, tg_cell *cell, const tg_converter *conv)
{
    tg_err err = {0};

    if (!conv) {
        put_bytes(out, cell->out, cell->outlen);
    } else if (cell->state == TG_CELL_RAW) { /* nobody looked at it yet */
        put_bytes(out, cell->raw, cell->rawlen);
    } else if (tg_cell_encode(cell, conv, &err) == 0) {
        put_bytes(out, cell->out, cell->outlen);
    } else {
        tg_buf_str(out, "{\"error\":");
        put_shown(out, err.text, strlen(err.text));
        tg_buf_str(out, "}");
    }
}

/* shape NULL: the cells hold their bytes already. */
static void put_record(tg_buf *out, tg_record *rec, const tg__try_shape *shape,
                       const tg__try_origin *from, const char *stage)
{
    tg_buf_str(out, "{");
    if (stage) {
        tg_buf_str(out, "\"stage\":");
        put_shown(out, stage, strlen(stage));
        tg_buf_str(out, ",");
    }
    tg_buf_str(out, "\"topic\":");
    put_shown(out, rec->topic, rec->topiclen);
    put_integer(out, "partition", rec->partition);
    put_integer(out, "offset", from->offset);
    put_integer(out, "timestamp", rec->timestamp);
    tg_buf_str(out, ",\"key\":");
    put_cell(out, &rec->key, shape ? shape->key : NULL);
    tg_buf_str(out, ",\"value\":");
    put_cell(out, &rec->value, shape ? shape->value : NULL);
    tg_buf_str(out, ",\"headers\":[");
    for (uint32_t i = 0; i < rec->nheaders; i++) {
        tg_buf_str(out, i ? ",{\"name\":" : "{\"name\":");
        put_shown(out, rec->headers[i].name, rec->headers[i].namelen);
        tg_buf_str(out, ",\"value\":");
        put_cell(out, &rec->headers[i].cell, shape ? shape->header : NULL);
        tg_buf_str(out, "}");
    }
    tg_buf_str(out, "]}\n");
}

void tg__try_write(tg_buf *out, tg_record *rec, const tg__try_origin *from)
{
    put_record(out, rec, NULL, from, NULL);
}

void tg__try_write_stage(tg_buf *out, tg_record *rec,
                         const tg__try_shape *shape, const tg__try_origin *from,
                         const char *stage)
{
    put_record(out, rec, shape, from, stage);
}

static void put_origin(tg_buf *out, const tg__try_origin *from)
{
    if (from->topic) {
        tg_buf_str(out, ",\"topic\":");
        put_shown(out, from->topic, from->topiclen);
        put_integer(out, "partition", from->partition);
        put_integer(out, "offset", from->offset);
    }
    if (from->line > 0)
        tg_buf_printf(out, ",\"line\":%lld", (long long)from->line);
}

void tg__try_write_dropped(tg_buf *out, const tg__try_origin *from)
{
    tg_buf_str(out, "{\"dropped\":true");
    put_origin(out, from);
    tg_buf_str(out, "}\n");
}

void tg__try_write_error(tg_buf *out, const char *text, size_t len,
                         const tg__try_origin *from, const char *stage)
{
    tg_buf_str(out, "{\"error\":");
    put_shown(out, text, len);
    if (stage) {
        tg_buf_str(out, ",\"stage\":");
        put_shown(out, stage, strlen(stage));
    }
    put_origin(out, from);
    tg_buf_str(out, "}\n");
}
