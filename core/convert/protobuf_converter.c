/*
 * ProtobufConverter: values as Confluent's converter of that name writes and
 * reads them: 0, id of the schema, path to the message in it, message.
 *
 * Reading: the bytes in front of the message (and, for the version of the
 * Connect schema, the topic) find a plan; mostly it is that of the record
 * before. Writing: Connect schema and topic find a plan and those bytes. The
 * parsed schema hangs on the registry client's, plans on the converter. Script
 * thread.
 */
#include "convert/internal.h"
#include "convert/registered.h"
#include "convert/json_write.h"
#include "convert/protobuf.h"
#include "convert/protobuf_wire.h"

enum { BUCKETS = 256, ID_SIZE = 5, HEAD_MAX = ID_SIZE + 10 * TG_PROTO_DEPTH };

typedef struct read_entry {
    struct read_entry *next;
    char *head; /* bytes in front of the message */
    size_t headlen;
    char *topic;
    uint32_t topiclen;
    tg_pb_reader *reader;
} read_entry;

typedef struct write_entry {
    struct write_entry *next;
    const tg_schema *schema;
    char *topic;
    uint32_t topiclen;
    const tg_registry_schema *registered;
    char *head;
    size_t headlen;
    tg_pb_writer *writer;
} write_entry;

typedef struct proto_impl {
    tg_registry *registry;
    tg_pb_settings set;
    read_entry *reads[BUCKETS], *last_read;
    write_entry *writes[BUCKETS], *last_write;
    tg_buf subject;
} proto_impl;

static int make_subject(proto_impl *impl, const tg_record *rec,
                        const char *message, tg_err *err)
{
    return tg__registered_subject(impl->registry, rec, message, &impl->subject,
                                  err);
}

/* --- schemas of the registry ---------------------------------------------- */

/* References below references as one list, in the order in which a search would
 * come by them; what several refer to stands there once. */
typedef struct sources {
    tg_proto_source *p;
    uint32_t n, cap;
} sources;

static bool has_source(const sources *all, const tg_registry_ref *ref)
{
    for (uint32_t i = 0; i < all->n; i++)
        if (all->p[i].text == ref->text &&
            strcmp(all->p[i].name, ref->name) == 0)
            return true;
    return false;
}

static void add_sources(sources *all, const tg_registry_ref *refs, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (has_source(all, &refs[i]))
            continue;
        if (all->n == all->cap) {
            all->cap = all->cap ? all->cap * 2 : 8;
            all->p = tg_realloc(all->p, all->cap * sizeof *all->p);
        }
        all->p[all->n++] =
            (tg_proto_source){.name = refs[i].name, .text = refs[i].text};
        add_sources(all, refs[i].refs, refs[i].nrefs);
    }
}

static void free_set(void *set)
{
    tg_proto_free(set);
}

static tg_proto_set *set_of(tg_registry_schema *schema, tg_err *err)
{
    if (schema->compiled)
        return schema->compiled;
    sources all = {0};
    add_sources(&all, schema->refs, schema->nrefs);
    schema->compiled = tg_proto_load(schema->text, all.p, all.n, err);
    tg_free(all.p);
    schema->compiled_free = free_set;
    if (!schema->compiled)
        tg_err_prefix(err, "schema id %d", (int)schema->id);
    return schema->compiled;
}

/* --- the bytes in front --------------------------------------------------- */

/* A number in as few bytes as it takes: no two forms of one path. */
static bool read_number(tg_pb_in *in, int64_t *out)
{
    const char *at = in->p;
    uint64_t v;
    if (!tg_pb_varint(in, &v) || v >> 32 ||
        (size_t)(in->p - at) != tg_pb_size(v))
        return false;
    *out = tg_pb_unzigzag(v);
    return true;
}

/* The message's path behind the id: its numbers into path; the bytes taken, or
 * 0 when they are malformed. */
static size_t read_path(const char *p, size_t len, int32_t *path, uint32_t *n)
{
    tg_pb_in in = {p, p + len};
    int64_t count, v;
    if (!read_number(&in, &count) || count < 0 || count > TG_PROTO_DEPTH)
        return 0;
    *n = count ? (uint32_t)count : 1;
    path[0] = 0;
    for (int64_t i = 0; i < count; i++) {
        if (!read_number(&in, &v))
            return 0;
        path[i] = (int32_t)v;
    }
    return (size_t)(in.p - p);
}

static size_t write_head(char *to, int32_t id, const tg_proto_message *message)
{
    int32_t path[TG_PROTO_DEPTH * 2];
    uint32_t n = tg_proto_message_path(message, path);
    tg_registry_write_id(to, id);
    char *p = to + ID_SIZE;
    if (n == 1 && path[0] == 0)
        return (size_t)(tg_pb_store(p, 0) - to);
    p = tg_pb_store(p, tg_pb_zigzag(n));
    for (uint32_t i = 0; i < n; i++)
        p = tg_pb_store(p, tg_pb_zigzag(path[i]));
    return (size_t)(p - to);
}

/* --- reading -------------------------------------------------------------- */

static tg_pb_reader *make_reader(proto_impl *impl, const tg_record *rec,
                                 int32_t id, const int32_t *path, uint32_t n,
                                 tg_err *err)
{
    tg_registry_schema *schema =
        tg_registry_by_id(impl->registry, id, TG_SCHEMA_PROTOBUF, err);
    tg_proto_set *set = schema ? set_of(schema, err) : NULL;
    if (!set)
        return NULL;
    const tg_proto_message *m = tg_proto_message_at(set, path, n);
    if (!m) {
        tg_err_set(err, TG_ERR_DATA,
                   "schema id %d has no message at the place that the record"
                   " names (number %d%s)",
                   (int)id, (int)path[0], n > 1 ? " and below" : "");
        return NULL;
    }
    tg_err ignored = {0};
    int version = 0;
    if (make_subject(impl, rec, m->full, &ignored) == 0)
        version =
            tg_registry_version(impl->registry, impl->subject.p, schema, err);
    if (version < 0)
        return NULL;
    tg_pb_reader *r = tg_pb_reader_new(m, &impl->set, version, err);
    if (!r)
        tg_err_prefix(err, "schema id %d", (int)id);
    return r;
}

static const read_entry *reader_slow(proto_impl *impl, const tg_cell *cell,
                                     tg_err *err)
{
    int32_t id, path[TG_PROTO_DEPTH];
    uint32_t n;
    size_t len = (size_t)cell->rawlen;
    if (tg_registry_read_id(cell->raw, len, &id, err) < 0)
        return NULL;
    size_t more = read_path(cell->raw + ID_SIZE, len - ID_SIZE, path, &n);
    if (!more) {
        tg_err_set(err, TG_ERR_DATA,
                   "the path to the message behind schema id %d is malformed;"
                   " the bytes may be Avro or JSON with a schema registry",
                   (int)id);
        return NULL;
    }
    size_t headlen = ID_SIZE + more;
    read_entry **bucket = &impl->reads[(uint32_t)id % BUCKETS];
    for (read_entry *e = *bucket; e; e = e->next)
        if (e->headlen == headlen && memcmp(e->head, cell->raw, headlen) == 0 &&
            tg__same_topic(cell->record, e->topic, e->topiclen))
            return impl->last_read = e;
    tg_pb_reader *r = make_reader(impl, cell->record, id, path, n, err);
    if (!r)
        return NULL;
    read_entry *e = tg_alloc(sizeof *e);
    *e = (read_entry){.next = *bucket,
                      .head = tg_strndup("", 0),
                      .headlen = headlen,
                      .topic = tg__registered_topic(cell->record),
                      .topiclen = cell->record->topiclen,
                      .reader = r};
    e->head = tg_realloc(e->head, headlen);
    memcpy(e->head, cell->raw, headlen);
    *bucket = impl->last_read = e;
    return e;
}

static int proto_decode(const tg_converter *conv, tg_cell *cell,
                        tg_batch *batch, tg_err *err)
{
    proto_impl *impl = conv->impl;
    tg_err local = {0};
    const read_entry *e = impl->last_read;
    size_t len = (size_t)cell->rawlen;
    err = err ? err : &local;
    if (!e || len < e->headlen || memcmp(cell->raw, e->head, e->headlen) != 0 ||
        !tg__same_topic(cell->record, e->topic, e->topiclen)) {
        e = reader_slow(impl, cell, err);
        if (!e)
            return err->code;
    }
    int rc = tg_pb_decode(e->reader, cell->raw + e->headlen, len - e->headlen,
                          batch, cell, err);
    if (rc == TG_ERR_DATA)
        tg_err_prefix(err, "Protobuf message %s",
                      e->reader->plan->message->full);
    return rc;
}

/* --- writing -------------------------------------------------------------- */

/* The message to write: of that name, or else the first one of a schema that
 * somebody else registered. */
static const tg_proto_message *target(const tg_proto_set *set, const char *name)
{
    static const int32_t first[] = {0};
    const tg_proto_message *m = tg_proto_message_find(set, name);
    return m ? m : tg_proto_message_at(set, first, 1);
}

static int entry_fill(proto_impl *impl, write_entry *e, const tg_record *rec,
                      tg_err *err)
{
    char *name, head[HEAD_MAX];
    char *text = tg_pb_text(e->schema, &impl->set, &name, err);
    const tg_proto_message *m = NULL;
    if (!text)
        return TG_ERR_DATA;
    int rc = make_subject(impl, rec, name, err);
    tg_registry_schema *registered =
        rc ? NULL
           : tg_registry_for_write(impl->registry, impl->subject.p,
                                   TG_SCHEMA_PROTOBUF, text, NULL, 0, err);
    tg_proto_set *set = registered ? set_of(registered, err) : NULL;
    if (set && !(m = target(set, name)))
        tg_err_set(err, TG_ERR_DATA, "schema id %d has no message",
                   (int)registered->id);
    tg_free(text);
    tg_free(name);
    e->writer = m ? tg_pb_writer_new(m, e->schema, &impl->set, err) : NULL;
    if (!e->writer)
        return err->code;
    e->writer->lenient = !tg_registry_given(impl->registry) &&
                         !tg_registry_strict(impl->registry);
    e->registered = registered;
    e->headlen = write_head(head, registered->id, m);
    e->head = tg_alloc(e->headlen);
    memcpy(e->head, head, e->headlen);
    return 0;
}

static void entry_clear(write_entry *e)
{
    tg_pb_writer_free(e->writer);
    tg_free(e->head);
    e->writer = NULL;
    e->head = NULL;
}

static const write_entry *writer_slow(proto_impl *impl, const tg_record *rec,
                                      const tg_schema *schema, tg_err *err)
{
    write_entry **bucket = &impl->writes[schema->id % BUCKETS];
    write_entry *e = *bucket;
    while (e &&
           (e->schema != schema || !tg__same_topic(rec, e->topic, e->topiclen)))
        e = e->next;
    if (e && tg_registry_fresh(e->registered))
        return impl->last_write = e;
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
    entry_clear(e);
    e->registered = fresh.registered;
    e->writer = fresh.writer;
    e->head = fresh.head;
    e->headlen = fresh.headlen;
    return impl->last_write = e;
}

static int schema_now(const tg_cell *cell, const tg_schema **out, tg_err *err)
{
    const tg_value *v = &cell->value;
    *out = cell->schema;
    if (v->tag >= TG_ARRAY && (*out || v->tag == TG_STRUCT)) {
        *out = tg_json_schema_now(v, *out, err);
        if (!*out)
            return TG_ERR_DATA;
    }
    if (*out)
        return 0;
    return tg_err_set(err, TG_ERR_DATA,
                      "ProtobufConverter writes values with a schema, this one"
                      " has none; use a converter or transform that gives it"
                      " one");
}

static int proto_encode(const tg_converter *conv, tg_cell *cell,
                        tg_batch *batch, tg_err *err)
{
    proto_impl *impl = conv->impl;
    tg_err local = {0};
    const tg_schema *schema;
    err = err ? err : &local;
    if (cell->state == TG_CELL_NULL || cell->value.tag <= TG_NULL)
        return tg__converter_null(cell);
    int rc = schema_now(cell, &schema, err);
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
    tg_buf_add(out, e->head, e->headlen);
    rc = tg_pb_encode(e->writer, out, batch, cell, &cell->value, err);
    return rc ? rc : tg__converter_emit(cell, batch, out, err);
}

/* --- life ----------------------------------------------------------------- */

static int read_settings(tg_pb_settings *set, const json_t *config, tg_err *err)
{
    const tg_flag all[] = {
        {"generalized.sum.type.support", false, &set->generalized},
        {"ignore.default.for.nullables", false, &set->ignore_default},
        {"enhanced.protobuf.schema.support", false, &set->enhanced},
        {"scrub.invalid.names", false, &set->scrub},
        {"int.for.enums", false, &set->int_enums},
        {"optional.for.nullables", false, &set->optional_nullables},
        {"optional.for.proto2", true, &set->optional_proto2},
        {"wrapper.for.nullables", false, &set->wrapper_nullables},
        {"wrapper.for.raw.primitives", true, &set->wrapper_raw},
        {"generate.struct.for.nulls", false, &set->struct_nulls},
        {"generate.index.for.unions", true, &set->index_unions},
        {"flatten.unions", false, &set->flatten},
    };
    return tg__registered_flags(config, all, sizeof all / sizeof *all, err);
}

static int proto_configure(tg_converter *conv, const json_t *config,
                           tg_err *err)
{
    if (tg__registered_role(conv, err))
        return TG_ERR_CONFIG;
    proto_impl *impl = tg_calloc(sizeof *impl);
    tg_err local = {0};
    conv->impl = impl;
    conv->strict = true;
    err = err ? err : &local;
    int rc = read_settings(&impl->set, config, err);
    if (rc)
        return rc;
    return tg__registered_open(conv, config, &impl->registry, err);
}

static void proto_fini(tg_converter *conv)
{
    proto_impl *impl = conv->impl;
    if (!impl)
        return;
    for (int i = 0; i < BUCKETS; i++) {
        for (read_entry *e = impl->reads[i], *next; e; e = next) {
            next = e->next;
            tg_pb_reader_free(e->reader);
            tg_free(e->head);
            tg_free(e->topic);
            tg_free(e);
        }
        for (write_entry *e = impl->writes[i], *next; e; e = next) {
            next = e->next;
            entry_clear(e);
            tg_free(e->topic);
            tg_free(e);
        }
    }
    tg_registry_close(impl->registry);
    tg_buf_fini(&impl->subject);
    tg_free(impl);
}

const tg_converter_ops tg__protobuf_ops = {
    .class_name = "io.confluent.connect.protobuf.ProtobufConverter",
    .short_name = "Protobuf",
    .decode = proto_decode,
    .encode = proto_encode,
    .configure = proto_configure,
    .fini = proto_fini,
};
