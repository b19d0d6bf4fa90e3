/*
 * AvroConverter: values as Confluent's converter of that name writes and reads
 * them, with the schema in a registry and its id in front of the bytes.
 *
 * Reading: the id (and, for the version of the Connect schema, the topic) finds
 * a plan; mostly it is that of the record before. Writing: the Connect schema
 * and the topic find a plan and an id. What is made of one schema text hangs on
 * the registry client's schema, which outlives the converter; the two tables
 * below only find it. They also keep why a schema is of no use, so that a topic
 * full of such records costs no more than one of them.
 *
 * Script thread.
 */
#include "convert/avro.h"
#include "convert/internal.h"
#include "convert/registered.h"
#include "convert/json_write.h"

enum { BUCKETS = 256, HEAD = 5 };

/* A schema as it is read from one topic. */
typedef struct tg_avro_reader {
    struct tg_avro_reader *next; /* of the same document */
    int version;
    const tg_schema *schema; /* NULL: values without one */
    const tg_avro_plan *plan;
} tg_avro_reader;

/* A Connect schema as it is written by a schema of the registry. */
typedef struct tg_avro_writer {
    struct tg_avro_writer *next;
    const tg_schema *schema;
    const tg_avro_out *plan;
} tg_avro_writer;

typedef struct read_entry {
    struct read_entry *next;
    int32_t id;
    uint32_t topiclen;
    char *topic;
    const tg_avro_reader *reader; /* NULL: */
    tg_err *refused;
} read_entry;

typedef struct write_entry {
    struct write_entry *next;
    const tg_schema *schema;
    uint32_t topiclen;
    char *topic;
    const tg_registry_schema *registered;
    const tg_avro_out *plan; /* NULL: */
    tg_err *refused;
} write_entry;

/* Avro text of a Connect schema, made once. */
typedef struct text_entry {
    struct text_entry *next;
    const tg_schema *schema;
    char *text;
    char *record_name;
} text_entry;

/* Sites are never freed, since shapes of batches point at them: those of
 * converters that are gone are taken over by the next ones. */
typedef struct root_site {
    tg_site site;
    struct root_site *next;
} root_site;

static root_site *free_sites;

typedef struct avro_impl {
    tg_registry *registry;
    tg_avro_settings set;
    root_site *root;
    read_entry *reads[BUCKETS], *last_read;
    write_entry *writes[BUCKETS], *last_write;
    text_entry *texts[BUCKETS];
    tg_buf subject;
} avro_impl;

static tg_err *keep_err(const tg_err *err)
{
    tg_err *own = tg_alloc(sizeof *own);
    *own = *err;
    return own;
}

/* Name of a schema for the strategies that name subjects after it. */
static const char *subject_name(const tg_avro *root)
{
    return root->type == AVRO_RECORD ? root->full : NULL;
}

static int make_subject(avro_impl *impl, const tg_record *rec,
                        const char *record_name, tg_err *err)
{
    return tg__registered_subject(impl->registry, rec, record_name,
                                  &impl->subject, err);
}

/* --- reading -------------------------------------------------------------- */

static tg_avro_doc *doc_of(tg_registry_schema *schema, tg_err *err)
{
    if (!schema->compiled) {
        schema->compiled = tg__avro_parse(schema, err);
        schema->compiled_free = tg__avro_free;
        if (!schema->compiled)
            tg_err_prefix(err, "schema id %d", (int)schema->id);
    }
    return schema->compiled;
}

static const tg_avro_reader *reader_new(avro_impl *impl, tg_avro_doc *doc,
                                        int version, tg_err *err)
{
    for (const tg_avro_reader *r = doc->readers; r; r = r->next)
        if (r->version == version)
            return r;
    const tg_schema *schema = NULL;
    if (!tg__avro_schemaless(doc->root)) {
        schema = tg__avro_connect(doc, doc->root, &impl->set, version, err);
        if (!schema)
            return NULL;
    }
    const tg_avro_plan *plan =
        tg__avro_plan(doc, doc->root, schema, &impl->set, err);
    if (!plan)
        return NULL;
    tg_avro_reader *r = tg_arena_alloc(&doc->arena, sizeof *r);
    *r = (tg_avro_reader){doc->readers, version, schema, plan};
    doc->readers = r;
    return r;
}

/* Version of the schema in the subject of the record's topic, 0 if unknown. */
static int version_of(avro_impl *impl, const tg_record *rec,
                      const tg_registry_schema *schema, const tg_avro_doc *doc,
                      tg_err *err)
{
    tg_err ignored = {0};
    if (tg__avro_schemaless(doc->root))
        return 0;
    if (make_subject(impl, rec, subject_name(doc->root), &ignored))
        return 0;
    return tg_registry_version(impl->registry, impl->subject.p, schema, err);
}

static const tg_avro_reader *reader_slow(avro_impl *impl, const tg_record *rec,
                                         int32_t id, tg_err *err)
{
    read_entry **bucket = &impl->reads[(uint32_t)id % BUCKETS];
    for (read_entry *e = *bucket; e; e = e->next) {
        if (e->id != id || !tg__same_topic(rec, e->topic, e->topiclen))
            continue;
        if (e->refused)
            *err = *e->refused;
        else
            impl->last_read = e;
        return e->reader;
    }
    tg_registry_schema *schema =
        tg_registry_by_id(impl->registry, id, TG_SCHEMA_AVRO, err);
    if (!schema)
        return NULL;
    tg_avro_doc *doc = doc_of(schema, err);
    int version = doc ? version_of(impl, rec, schema, doc, err) : 0;
    if (version < 0)
        return NULL;
    const tg_avro_reader *reader =
        doc ? reader_new(impl, doc, version, err) : NULL;
    if (doc && !reader)
        tg_err_prefix(err, "schema id %d", (int)id);
    read_entry *e = tg_alloc(sizeof *e);
    *e = (read_entry){.next = *bucket,
                      .id = id,
                      .topiclen = rec->topiclen,
                      .topic = tg__registered_topic(rec),
                      .reader = reader,
                      .refused = reader ? NULL : keep_err(err)};
    *bucket = e;
    if (reader)
        impl->last_read = e;
    return reader;
}

static int avro_decode(const tg_converter *conv, tg_cell *cell, tg_batch *batch,
                       tg_err *err)
{
    avro_impl *impl = conv->impl;
    tg_err local = {0};
    int32_t id;
    err = err ? err : &local;
    int rc = tg_registry_read_id(cell->raw, (size_t)cell->rawlen, &id, err);
    if (rc < 0)
        return rc;
    const read_entry *last = impl->last_read;
    const tg_avro_reader *reader =
        last && last->id == id &&
                tg__same_topic(cell->record, last->topic, last->topiclen)
            ? last->reader
            : reader_slow(impl, cell->record, id, err);
    if (!reader)
        return err->code;
    rc = tg__avro_decode(reader->plan, cell->raw + HEAD,
                         (size_t)cell->rawlen - HEAD, batch, cell,
                         &impl->root->site, &cell->value, err);
    if (rc == TG_ERR_DATA)
        tg_err_prefix(err, "Avro with schema id %d", (int)id);
    if (!rc)
        cell->schema = reader->schema;
    return rc;
}

/* --- writing -------------------------------------------------------------- */

static const text_entry *text_of(avro_impl *impl, const tg_schema *schema,
                                 tg_err *err)
{
    uint32_t at = (schema ? schema->id : 0) % BUCKETS;
    for (text_entry *e = impl->texts[at]; e; e = e->next)
        if (e->schema == schema)
            return e;
    char *text = tg__avro_text(schema, &impl->set, err);
    if (!text)
        return NULL;
    /* a name for the subject, as the registry's schema will have it */
    tg_registry_schema own = {.text = text};
    tg_avro_doc *doc = tg__avro_parse(&own, err);
    if (!doc) {
        tg_free(text);
        return NULL;
    }
    text_entry *e = tg_alloc(sizeof *e);
    *e = (text_entry){impl->texts[at], schema, text,
                      tg_strdup(subject_name(doc->root))};
    tg__avro_free(doc);
    impl->texts[at] = e;
    return e;
}

static const tg_avro_out *writer_of(avro_impl *impl, tg_avro_doc *doc,
                                    const tg_schema *schema, tg_err *err)
{
    for (const tg_avro_writer *w = doc->writers; w; w = w->next)
        if (w->schema == schema)
            return w->plan;
    bool strict =
        tg_registry_given(impl->registry) || tg_registry_strict(impl->registry);
    const tg_avro_out *plan =
        tg__avro_out(doc, doc->root, schema, &impl->set, strict, err);
    if (!plan)
        return NULL;
    tg_avro_writer *w = tg_arena_alloc(&doc->arena, sizeof *w);
    *w = (tg_avro_writer){doc->writers, schema, plan};
    doc->writers = w;
    return plan;
}

/* Asks the registry for the id, and fills the entry; it has no plan when what
 * the registry holds is of no use. */
static int entry_fill(avro_impl *impl, write_entry *e, const tg_record *rec,
                      tg_err *err)
{
    const text_entry *text = text_of(impl, e->schema, err);
    if (!text || make_subject(impl, rec, text->record_name, err))
        return err->code;
    tg_registry_schema *registered =
        tg_registry_for_write(impl->registry, impl->subject.p, TG_SCHEMA_AVRO,
                              text->text, NULL, 0, err);
    if (!registered)
        return err->code;
    tg_avro_doc *doc = doc_of(registered, err);
    e->registered = registered;
    e->plan = doc ? writer_of(impl, doc, e->schema, err) : NULL;
    e->refused = e->plan ? NULL : keep_err(err);
    return 0;
}

static const write_entry *writer_slow(avro_impl *impl, const tg_record *rec,
                                      const tg_schema *schema, tg_err *err)
{
    write_entry **bucket = &impl->writes[(schema ? schema->id : 0) % BUCKETS];
    write_entry *e = *bucket;
    while (e &&
           (e->schema != schema || !tg__same_topic(rec, e->topic, e->topiclen)))
        e = e->next;
    if (!e || !tg_registry_fresh(e->registered)) {
        write_entry fresh = {.schema = schema};
        if (entry_fill(impl, &fresh, rec, err))
            return NULL;
        if (!e) {
            e = tg_calloc(sizeof *e);
            e->next = *bucket;
            e->schema = schema;
            e->topic = tg__registered_topic(rec);
            e->topiclen = rec->topiclen;
            *bucket = e;
        }
        tg_free(e->refused);
        e->registered = fresh.registered;
        e->plan = fresh.plan;
        e->refused = fresh.refused;
    }
    if (e->refused)
        *err = *e->refused;
    return impl->last_write = e->plan ? e : NULL;
}

static int avro_encode(const tg_converter *conv, tg_cell *cell, tg_batch *batch,
                       tg_err *err)
{
    avro_impl *impl = conv->impl;
    tg_err local = {0};
    const tg_value *v = &cell->value;
    const tg_schema *schema = cell->schema;
    err = err ? err : &local;
    if (cell->state == TG_CELL_NULL || v->tag <= TG_NULL) {
        if (schema && !schema->optional)
            return tg_err_set(err, TG_ERR_DATA,
                              "null for a value that its schema requires");
        return tg__converter_null(cell);
    }
    if (v->tag >= TG_ARRAY && (schema || v->tag == TG_STRUCT)) {
        schema = tg_json_schema_now(v, schema, err);
        if (!schema)
            return TG_ERR_DATA;
    }
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
    int rc = tg__avro_encode(e->plan, out, batch, v, err);
    return rc ? rc : tg__converter_emit(cell, batch, out, err);
}

/* --- life ----------------------------------------------------------------- */

static int read_settings(tg_avro_settings *set, const json_t *config,
                         tg_err *err)
{
    const tg_flag all[] = {
        {"enhanced.avro.schema.support", false, &set->enhanced},
        {"generalized.sum.type.support", false, &set->generalized},
        {"connect.meta.data", true, &set->meta},
        {"scrub.invalid.names", false, &set->scrub},
        {"discard.type.doc.default", false, &set->discard},
        {"flatten.singleton.unions", true, &set->flatten},
        {"allow.optional.map.keys", false, &set->optional_keys},
        {"ignore.default.for.nullables", false, &set->ignore_default},
    };
    return tg__registered_flags(config, all, sizeof all / sizeof *all, err);
}

static int avro_configure(tg_converter *conv, const json_t *config, tg_err *err)
{
    if (tg__registered_role(conv, err))
        return TG_ERR_CONFIG;
    avro_impl *impl = tg_calloc(sizeof *impl);
    conv->impl = impl;
    conv->strict = true;
    impl->root = free_sites ? free_sites : tg_calloc(sizeof *impl->root);
    free_sites = impl->root->next;
    int rc = read_settings(&impl->set, config, err);
    if (rc)
        return rc;
    tg_err local = {0};
    err = err ? err : &local;
    return tg__registered_open(conv, config, &impl->registry, err);
}

static void avro_fini(tg_converter *conv)
{
    avro_impl *impl = conv->impl;
    if (!impl)
        return;
    for (int i = 0; i < BUCKETS; i++) {
        for (read_entry *e = impl->reads[i], *next; e; e = next) {
            next = e->next;
            tg_free(e->topic);
            tg_free(e->refused);
            tg_free(e);
        }
        for (write_entry *e = impl->writes[i], *next; e; e = next) {
            next = e->next;
            tg_free(e->topic);
            tg_free(e->refused);
            tg_free(e);
        }
        for (text_entry *e = impl->texts[i], *next; e; e = next) {
            next = e->next;
            tg_free(e->text);
            tg_free(e->record_name);
            tg_free(e);
        }
    }
    tg_registry_close(impl->registry);
    tg_buf_fini(&impl->subject);
    impl->root->next = free_sites;
    free_sites = impl->root;
    tg_free(impl);
}

const tg_converter_ops tg__avro_ops = {
    .class_name = "io.confluent.connect.avro.AvroConverter",
    .short_name = "Avro",
    .decode = avro_decode,
    .encode = avro_encode,
    .configure = avro_configure,
    .fini = avro_fini,
};
