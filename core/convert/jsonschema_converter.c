/*
 * JsonSchemaConverter: values as Confluent's converter of that name writes and
 * reads them: 0, id of the schema, JSON.
 *
 * Reading: id and topic find a Connect schema; mostly it is that of the record
 * before. Writing: Connect schema and topic find the id. Script thread.
 */
#include "base/config.h"
#include "convert/internal.h"
#include "convert/registered.h"
#include "convert/json_write.h"
#include "convert/jsonschema.h"
#include <strings.h>

enum { BUCKETS = 256, HEAD = 5 };

typedef struct read_entry {
    struct read_entry *next;
    int32_t id;
    char *topic;
    uint32_t topiclen;
    const tg_schema *schema;
} read_entry;

typedef struct write_entry {
    struct write_entry *next;
    const tg_schema *schema;
    char *topic;
    uint32_t topiclen;
    const tg_registry_schema *registered;
} write_entry;

/* Sites are never freed, since shapes of batches point at them: those of
 * converters that are gone are taken over by the next ones. */
typedef struct root_site {
    tg_site site;
    struct root_site *next;
} root_site;

static root_site *free_sites;

typedef struct js_impl {
    tg_registry *registry;
    tg_js_settings set;
    root_site *root;
    read_entry *reads[BUCKETS], *last_read;
    write_entry *writes[BUCKETS], *last_write;
    tg_buf subject;
} js_impl;

static int make_subject(js_impl *impl, const tg_record *rec, const char *title,
                        tg_err *err)
{
    return tg__registered_subject(impl->registry, rec, title, &impl->subject,
                                  err);
}

/* --- reading -------------------------------------------------------------- */

/* Confluent's client names a JSON Schema by its title. */
static char *title_of(const char *text)
{
    json_t *root = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    const char *title = json_string_value(json_object_get(root, "title"));
    char *own = tg_strdup(title);
    json_decref(root);
    return own;
}

static const tg_schema *make_schema(js_impl *impl, const tg_record *rec,
                                    int32_t id, tg_err *err)
{
    tg_registry_schema *schema =
        tg_registry_by_id(impl->registry, id, TG_SCHEMA_JSON, err);
    if (!schema)
        return NULL;
    tg_err ignored = {0};
    char *title = title_of(schema->text);
    int version = 0;
    if (make_subject(impl, rec, title, &ignored) == 0)
        version =
            tg_registry_version(impl->registry, impl->subject.p, schema, err);
    tg_free(title);
    if (version < 0)
        return NULL;
    const tg_schema *made = tg_js_read(schema->text, schema->refs,
                                       schema->nrefs, &impl->set, version, err);
    if (!made)
        tg_err_prefix(err, "schema id %d", (int)id);
    return made;
}

static const read_entry *reader_slow(js_impl *impl, const tg_record *rec,
                                     int32_t id, tg_err *err)
{
    read_entry **bucket = &impl->reads[(uint32_t)id % BUCKETS];
    for (read_entry *e = *bucket; e; e = e->next)
        if (e->id == id && tg__same_topic(rec, e->topic, e->topiclen))
            return impl->last_read = e;
    const tg_schema *schema = make_schema(impl, rec, id, err);
    if (!schema)
        return NULL;
    read_entry *e = tg_alloc(sizeof *e);
    *e = (read_entry){.next = *bucket,
                      .id = id,
                      .topic = tg__registered_topic(rec),
                      .topiclen = rec->topiclen,
                      .schema = schema};
    *bucket = e;
    return impl->last_read = e;
}

static int js_decode(const tg_converter *conv, tg_cell *cell, tg_batch *batch,
                     tg_err *err)
{
    js_impl *impl = conv->impl;
    tg_err local = {0};
    int32_t id;
    err = err ? err : &local;
    int rc = tg_registry_read_id(cell->raw, (size_t)cell->rawlen, &id, err);
    if (rc < 0)
        return rc;
    const read_entry *e = impl->last_read;
    if (!e || e->id != id ||
        !tg__same_topic(cell->record, e->topic, e->topiclen)) {
        e = reader_slow(impl, cell->record, id, err);
        if (!e)
            return err->code;
    }
    rc = tg_js_decode(e->schema, cell->raw + HEAD, (size_t)cell->rawlen - HEAD,
                      batch, cell, &impl->root->site, err);
    if (rc == TG_ERR_DATA)
        tg_err_prefix(err, "JSON with schema id %d", (int)id);
    return rc;
}

/* --- writing -------------------------------------------------------------- */

static const tg_registry_schema *registered(js_impl *impl, const tg_record *rec,
                                            const tg_schema *schema,
                                            tg_err *err)
{
    const tg_registry_schema *found = NULL;
    char *text = tg_js_text(schema, &impl->set);
    if (make_subject(impl, rec, schema->name, err) == 0)
        found = tg_registry_for_write(impl->registry, impl->subject.p,
                                      TG_SCHEMA_JSON, text, NULL, 0, err);
    tg_free(text);
    return found;
}

static const write_entry *writer_slow(js_impl *impl, const tg_record *rec,
                                      const tg_schema *schema, tg_err *err)
{
    write_entry **bucket = &impl->writes[schema->id % BUCKETS];
    write_entry *e = *bucket;
    while (e &&
           (e->schema != schema || !tg__same_topic(rec, e->topic, e->topiclen)))
        e = e->next;
    if (e && tg_registry_fresh(e->registered))
        return impl->last_write = e;
    const tg_registry_schema *found = registered(impl, rec, schema, err);
    if (!found)
        return NULL;
    if (!e) {
        e = tg_alloc(sizeof *e);
        *e = (write_entry){.next = *bucket,
                           .schema = schema,
                           .topic = tg__registered_topic(rec),
                           .topiclen = rec->topiclen};
        *bucket = e;
    }
    e->registered = found;
    return impl->last_write = e;
}

static int schema_now(const tg_cell *cell, const tg_value *v,
                      const tg_schema **out, tg_err *err)
{
    *out = cell->schema;
    if (v->tag >= TG_ARRAY && (*out || v->tag == TG_STRUCT)) {
        *out = tg_json_schema_now(v, *out, err);
        if (!*out)
            return TG_ERR_DATA;
    }
    if (*out)
        return 0;
    return tg_err_set(err, TG_ERR_DATA,
                      "JsonSchemaConverter writes values with a schema, this"
                      " one has none; use JsonConverter, or a converter or"
                      " transform that gives it one");
}

static int js_encode(const tg_converter *conv, tg_cell *cell, tg_batch *batch,
                     tg_err *err)
{
    static const tg_value null = {.tag = TG_NULL};
    js_impl *impl = conv->impl;
    tg_err local = {0};
    const tg_value *v = cell->state == TG_CELL_NULL ? &null : &cell->value;
    const tg_schema *schema;
    err = err ? err : &local;
    if (v->tag <= TG_NULL && !cell->schema)
        return tg__converter_null(cell);
    int rc = schema_now(cell, v, &schema, err);
    if (rc)
        return rc;
    const write_entry *e = impl->last_write;
    if (!e || e->schema != schema || !tg_registry_fresh(e->registered) ||
        !tg__same_topic(cell->record, e->topic, e->topiclen)) {
        e = writer_slow(impl, cell->record, schema, err);
        if (!e)
            return err->code;
    }
    tg_buf *out = tg__converter_scratch();
    tg_registry_write_id(tg_buf_room(out, HEAD), e->registered->id);
    out->len += HEAD;
    rc = tg_js_encode(out, v, schema, &impl->set, batch, err);
    if (rc)
        return rc;
    return out->len == HEAD ? tg__converter_null(cell)
                            : tg__converter_emit(cell, batch, out, err);
}

/* --- life ----------------------------------------------------------------- */

static int read_settings(tg_js_settings *set, const json_t *config, tg_err *err)
{
    const tg_flag all[] = {
        {"generalized.sum.type.support", false, &set->generalized},
        {"ignore.default.for.nullables", false, &set->ignore_default},
        {"flatten.singleton.unions", true, &set->flatten},
        {"use.optional.for.nonrequired", false, &set->optional},
        {"object.additional.properties", true, &set->additional},
    };
    int rc = tg__registered_flags(config, all, sizeof all / sizeof *all, err);
    const char *format = tg_config_get(config, "decimal.format", "BASE64");
    set->numeric = strcasecmp(format, "NUMERIC") == 0;
    if (!rc && !set->numeric && strcasecmp(format, "BASE64") != 0)
        rc = tg_err_set(err, TG_ERR_CONFIG,
                        "decimal.format is \"%s\"; accepted are BASE64 and"
                        " NUMERIC",
                        format);
    return rc;
}

/* Settings that are known and would silently do nothing here. */
static int refuse_settings(const json_t *config, tg_err *err)
{
    static const char *const keys[] = {"json.fail.invalid.schema",
                                       "preserve.additional.properties"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        bool on;
        int rc = tg_config_bool(config, keys[i], false, &on, err);
        if (rc)
            return rc;
        if (on)
            return tg_err_set(err, TG_ERR_CONFIG,
                              "%s=true is not supported by"
                              " JsonSchemaConverter here; leave it out",
                              keys[i]);
    }
    return 0;
}

static int js_configure(tg_converter *conv, const json_t *config, tg_err *err)
{
    if (tg__registered_role(conv, err))
        return TG_ERR_CONFIG;
    js_impl *impl = tg_calloc(sizeof *impl);
    tg_err local = {0};
    conv->impl = impl;
    conv->strict = true;
    impl->root = free_sites ? free_sites : tg_calloc(sizeof *impl->root);
    free_sites = impl->root->next;
    err = err ? err : &local;
    int rc = read_settings(&impl->set, config, err);
    if (!rc)
        rc = refuse_settings(config, err);
    if (rc)
        return rc;
    return tg__registered_open(conv, config, &impl->registry, err);
}

static void js_fini(tg_converter *conv)
{
    js_impl *impl = conv->impl;
    if (!impl)
        return;
    for (int i = 0; i < BUCKETS; i++) {
        for (read_entry *e = impl->reads[i], *next; e; e = next) {
            next = e->next;
            tg_free(e->topic);
            tg_free(e);
        }
        for (write_entry *e = impl->writes[i], *next; e; e = next) {
            next = e->next;
            tg_free(e->topic);
            tg_free(e);
        }
    }
    impl->root->next = free_sites;
    free_sites = impl->root;
    tg_registry_close(impl->registry);
    tg_buf_fini(&impl->subject);
    tg_free(impl);
}

const tg_converter_ops tg__jsonschema_ops = {
    .class_name = "io.confluent.connect.json.JsonSchemaConverter",
    .short_name = "JsonSchema",
    .decode = js_decode,
    .encode = js_encode,
    .configure = js_configure,
    .fini = js_fini,
};
