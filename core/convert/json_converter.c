/*
 * JsonConverter. Without schemas a value is JSON and nothing else. With
 * schemas.enable=true it is {"schema":...,"payload":...}: the schema is looked
 * up by its received text (most records carry the one of the record before:
 * one comparison), the payload is read against it. With schema.content too the
 * schema is the setting's, and what is read is the payload alone (KIP-1054);
 * written is an envelope all the same.
 *
 * One mistake of Kafka Connect is not repeated: a payload whose scalars are of
 * another type than the schema says is refused, where Connect reads 0 or null.
 * Script thread.
 */
#include "base/config.h"
#include "convert/internal.h"
#include "convert/json_scan.h"
#include "convert/json_write.h"
#include <strings.h>

typedef struct schema_entry {
    char *text;
    size_t len;
    uint64_t hash;
    const tg_schema *schema;
} schema_entry;

/* Sites are never freed, since shapes of batches point at them: those of
 * converters that are gone are taken over by the next ones. */
typedef struct root_site {
    tg_site site;
    struct root_site *next;
} root_site;

static root_site *free_sites;

typedef struct json_impl {
    bool schemas;
    tg_json_style style;
    const tg_schema *content; /* schema.content; NULL: in each record */
    root_site *root;
    schema_entry *cache; /* open addressing */
    size_t cap, n, max;
    const schema_entry *last;
} json_impl;

bool tg__json_is(const tg_converter *conv)
{
    return conv && conv->ops == &tg__json_ops;
}

bool tg__json_numeric(const tg_converter *conv)
{
    const json_impl *impl = conv->impl;
    return impl->style.numeric;
}

/* --- schemas by text ------------------------------------------------------ */

static uint64_t hash_text(const char *p, size_t len)
{
    uint64_t h = len * 0x9E3779B97F4A7C15u;
    for (; len >= 8; p += 8, len -= 8)
        h = (h ^ tg__json_word(p)) * 0xE7037ED1A0B428DBu, h ^= h >> 32;
    for (; len; p++, len--)
        h = (h ^ (unsigned char)*p) * 0xE7037ED1A0B428DBu, h ^= h >> 32;
    return h;
}

static void cache_clear(json_impl *impl)
{
    for (size_t i = 0; i < impl->cap; i++)
        tg_free(impl->cache[i].text);
    tg_free(impl->cache);
    impl->cache = NULL;
    impl->cap = impl->n = 0;
    impl->last = NULL;
}

static schema_entry *cache_slot(json_impl *impl, const char *p, size_t len,
                                uint64_t hash)
{
    size_t i = hash & (impl->cap - 1);
    while (impl->cache[i].text &&
           (impl->cache[i].hash != hash || impl->cache[i].len != len ||
            memcmp(impl->cache[i].text, p, len) != 0))
        i = (i + 1) & (impl->cap - 1);
    return &impl->cache[i];
}

/* The whole cache goes when it is full: a topic has few schemas at a time. */
static const tg_schema *schema_of_text(json_impl *impl, tg_json_in *in,
                                       const char *p, size_t len)
{
    uint64_t hash = hash_text(p, len);
    if (impl->n >= impl->max)
        cache_clear(impl);
    if (!impl->cache) {
        for (impl->cap = 64; impl->cap < impl->max * 2;)
            impl->cap *= 2;
        impl->cache = tg_calloc(impl->cap * sizeof *impl->cache);
    }
    schema_entry *entry = cache_slot(impl, p, len, hash);
    if (!entry->text) {
        const tg_schema *schema =
            tg_json_schema_read(in->batch, p, len, in->err);
        if (!schema)
            return NULL;
        entry->text = tg_strndup(p, len);
        entry->len = len;
        entry->hash = hash;
        entry->schema = schema;
        impl->n++;
    }
    impl->last = entry;
    return entry->schema;
}

/* --- the envelope --------------------------------------------------------- */

static int no_envelope(tg_json_in *in)
{
    return tg_err_set(in->err, TG_ERR_DATA,
                      "JsonConverter with schemas.enable requires \"schema\""
                      " and \"payload\" fields and may not contain additional"
                      " fields. If you are trying to deserialize plain JSON"
                      " data, set schemas.enable=false in your converter"
                      " configuration.");
}

typedef struct envelope {
    const char *schema, *payload;
    size_t schemalen;
} envelope;

/* Checks the whole text and finds the two members. */
static int find_members(tg_json_in *in, envelope *e)
{
    tg__json_ws(in);
    if (in->p == in->end || *in->p != '{') {
        int rc = tg__json_skip(in);
        return rc ? rc : no_envelope(in);
    }
    for (char c = '{'; c != '}';) {
        const char *key;
        uint32_t len;
        in->p++;
        tg__json_ws(in);
        if (c == '{' && in->p < in->end && *in->p == '}')
            return no_envelope(in);
        int rc = tg__json_key_text(in, &key, &len);
        const char *at = in->p;
        if (!rc)
            rc = tg__json_skip(in);
        if (rc)
            return rc;
        if (len == 6 && memcmp(key, "schema", 6) == 0) {
            e->schema = at;
            e->schemalen = (size_t)(in->p - at);
        } else if (len == 7 && memcmp(key, "payload", 7) == 0) {
            e->payload = at;
        } else {
            return no_envelope(in);
        }
        tg__json_ws(in);
        c = in->p < in->end ? *in->p : 0;
        if (c != ',' && c != '}')
            return tg__json_fail(in, in->p, "',' or '}' after a member");
    }
    in->p++;
    tg__json_ws(in);
    if (in->p != in->end)
        return tg__json_fail(in, in->p, "nothing after the end of the value");
    return e->schema && e->payload ? 0 : no_envelope(in);
}

/* The record before had this schema, and the members stand as Kafka Connect
 * writes them: in->p moves to the payload. */
static bool same_as_before(const json_impl *impl, tg_json_in *in)
{
    static const char head[] = "{\"schema\":", mid[] = ",\"payload\":";
    const schema_entry *last = impl->last;
    size_t need = sizeof head - 1 + sizeof mid - 1;
    if (!last || (size_t)(in->end - in->p) < need + last->len ||
        memcmp(in->p, head, sizeof head - 1) != 0)
        return false;
    const char *p = in->p + sizeof head - 1;
    if (memcmp(p, last->text, last->len) != 0 ||
        memcmp(p + last->len, mid, sizeof mid - 1) != 0)
        return false;
    in->p = p + last->len + sizeof mid - 1;
    tg__json_ws(in);
    return true;
}

static int read_payload(json_impl *impl, tg_json_in *in, tg_cell *cell,
                        const tg_schema *schema)
{
    int rc = schema ? tg__json_typed(in, &cell->value, NULL, &impl->root->site,
                                     schema)
                    : tg__json_value(in, &cell->value, NULL, &impl->root->site);
    if (!rc)
        cell->schema = schema;
    return rc;
}

static int read_envelope(json_impl *impl, tg_json_in *in, tg_cell *cell)
{
    if (same_as_before(impl, in)) {
        int rc = read_payload(impl, in, cell, impl->last->schema);
        if (rc)
            return rc;
        tg__json_ws(in);
        if (in->p < in->end && *in->p == '}') {
            in->p++;
            tg__json_ws(in);
            if (in->p == in->end)
                return 0;
        }
        in->p = in->start; /* something unusual: read it the long way */
    }
    envelope e = {0};
    const tg_schema *schema = NULL;
    in->depth = 0;
    int rc = find_members(in, &e);
    if (rc)
        return rc;
    if (e.schemalen != 4 || memcmp(e.schema, "null", 4) != 0) {
        schema = schema_of_text(impl, in, e.schema, e.schemalen);
        if (!schema)
            return in->err && in->err->code ? in->err->code : TG_ERR_DATA;
    }
    in->p = e.payload;
    in->depth = 0;
    return read_payload(impl, in, cell, schema);
}

/* The whole text is the payload. */
static int read_plain(json_impl *impl, tg_json_in *in, tg_cell *cell)
{
    tg__json_ws(in);
    int rc = read_payload(impl, in, cell, impl->content);
    if (rc)
        return rc;
    tg__json_ws(in);
    return in->p == in->end
               ? 0
               : tg__json_fail(in, in->p, "nothing after the end of the value");
}

/* --- the converter -------------------------------------------------------- */

static int json_decode(const tg_converter *conv, tg_cell *cell, tg_batch *batch,
                       tg_err *err)
{
    json_impl *impl = conv->impl;
    size_t len = (size_t)cell->rawlen;
    if (!impl->schemas && len > 0)
        return tg_json_decode(batch, cell, &impl->root->site, cell->raw, len,
                              &cell->value, err);
    if (!impl->schemas) {
        cell->value = (tg_value){.tag = TG_NULL};
        return 0;
    }
    tg_json_in in = {.start = cell->raw,
                     .p = cell->raw,
                     .end = cell->raw + len,
                     .batch = batch,
                     .cell = cell,
                     .err = err,
                     .defaults = impl->style.replace_null};
    return impl->content ? read_plain(impl, &in, cell)
                         : read_envelope(impl, &in, cell);
}

/* Straight into the arena, when the chunk has room; what was too much is given
 * back. */
static bool encode_small(tg_cell *cell, tg_arena *arena)
{
    bool copies;
    size_t room = TG_JSON_SMALL_MORE;
    if (cell->raw && cell->rawlen > 0)
        room = ((size_t)cell->rawlen + room) & ~(size_t)7;
    if (room > TG_JSON_SMALL_MAX || room + 8 > (size_t)(arena->end - arena->at))
        return false;
    char *p = tg_arena_alloc(arena, room);
    if (!p)
        return false;
    char *end = tg__json_put_small(p, room, &cell->value, &copies);
    size_t len = end ? (size_t)(end - p) : 0;
    if (arena->at == p + room)
        arena->at = p + ((len + 7) & ~(size_t)7);
    if (!end)
        return false;
    cell->out = p;
    cell->outlen = (int32_t)len;
    return true;
}

static int json_encode(const tg_converter *conv, tg_cell *cell, tg_batch *batch,
                       tg_err *err)
{
    const json_impl *impl = conv->impl;
    static const tg_value null = {.tag = TG_NULL};
    const tg_value *v = cell->state == TG_CELL_NULL ? &null : &cell->value;
    if (v->tag == TG_NULL && !cell->schema)
        return tg__converter_null(cell);
    tg_json_style style = impl->style;
    style.copy = !tg__json_is(cell->conv) ||
                 tg__json_numeric(cell->conv) == style.numeric;
    const tg_schema *schema = NULL;
    if (!impl->schemas && style.copy && !cell->schema &&
        encode_small(cell, batch->arena))
        return 0;
    if (cell->schema || v->tag == TG_STRUCT) {
        schema = tg_json_schema_now(v, cell->schema, err);
        if (!schema)
            return TG_ERR_DATA;
    }
    tg_buf *out = tg__converter_scratch();
    if (impl->schemas) {
        size_t len = 4;
        const char *text = schema ? tg_json_schema_text(schema, &len) : "null";
        tg_buf_str(out, "{\"schema\":");
        tg_buf_add(out, text, len);
        tg_buf_str(out, ",\"payload\":");
    }
    int rc = tg__json_write(out, v, schema, &style, err);
    if (impl->schemas)
        tg_buf_str(out, "}");
    return rc ? rc : tg__converter_emit(cell, batch, out, err);
}

static int read_format(const json_t *config, bool *numeric, tg_err *err)
{
    const char *text = tg_config_get(config, "decimal.format", "BASE64");
    *numeric = strcasecmp(text, "NUMERIC") == 0;
    if (*numeric || strcasecmp(text, "BASE64") == 0)
        return 0;
    return tg_err_set(err, TG_ERR_CONFIG,
                      "decimal.format is \"%s\"; accepted are BASE64 and"
                      " NUMERIC",
                      text);
}

/* schema.content; it only counts for reading, and with schemas.enable. */
static int read_content(json_impl *impl, const json_t *config, tg_err *err)
{
    tg_err inner = {0};
    const char *text = tg_config_get(config, "schema.content", "");
    if (*text)
        impl->content = tg_json_schema_setting(text, &inner);
    if (inner.code)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "schema.content cannot be read: %s", inner.text);
    if (!impl->schemas)
        impl->content = NULL;
    return 0;
}

static int json_configure(tg_converter *conv, const json_t *config, tg_err *err)
{
    json_impl *impl = tg_calloc(sizeof *impl);
    int64_t size = 1000;
    conv->impl = impl;
    conv->strict = true;
    impl->root = free_sites ? free_sites : tg_calloc(sizeof *impl->root);
    free_sites = impl->root->next;
    int rc =
        tg_config_bool(config, "schemas.enable", true, &impl->schemas, err);
    if (!rc)
        rc = tg_config_int(config, "schemas.cache.size", 1000, 0, 1000000,
                           &size, err);
    if (!rc)
        rc = tg_config_bool(config, "replace.null.with.default", true,
                            &impl->style.replace_null, err);
    if (!rc)
        rc = read_format(config, &impl->style.numeric, err);
    if (!rc)
        rc = read_content(impl, config, err);
    if (rc)
        return rc;
    impl->style.java = true;
    impl->max = size > 0 ? (size_t)size : 1;
    char settings[64] = "plain";
    if (impl->schemas)
        snprintf(settings, sizeof settings, "schemas numeric=%d replace=%d",
                 impl->style.numeric, impl->style.replace_null);
    if (!impl->content)
        conv->identity = tg__converter_identity(conv->ops, settings);
    return 0;
}

static void json_fini(tg_converter *conv)
{
    json_impl *impl = conv->impl;
    if (!impl)
        return;
    cache_clear(impl);
    impl->root->next = free_sites;
    free_sites = impl->root;
    tg_free(impl);
}

const tg_converter_ops tg__json_ops = {
    .class_name = "org.apache.kafka.connect.json.JsonConverter",
    .short_name = "Json",
    .decode = json_decode,
    .encode = json_encode,
    .configure = json_configure,
    .fini = json_fini,
};
