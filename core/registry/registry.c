/*
 * What is known of a registry: schemas by id, and what was registered or looked
 * up, by subject and text. Both are hash tables that only grow (ids never
 * change their schema); errors stay in them for a while, so that a batch of bad
 * records costs one request. After a request that nobody answered, all others
 * fail at once for a second.
 *
 * Objects are shared by settings: key and value converter of a task mostly
 * differ in their role only, and the role counts just for subjects.
 *
 * Script thread.
 */
#include "registry/registry.h"
#include "base/config.h"
#include "base/log.h"
#include "registry/internal.h"
#include <time.h>

enum { DOWN_MS = 1000, REFUSED_MS = 10000, IDS_MAX = 100000 };

/* An id or a subject with a text, and what became of it. */
typedef struct entry {
    struct entry *next;
    uint64_t hash;
    int version;          /* of versions: 0 if there is none */
    int32_t id;           /* by id */
    char *subject, *text; /* by subject */
    tg_schema_type type;
    tg_registry_schema *schema; /* NULL: failed */
    int64_t until;              /* then the failure is forgotten */
    tg_err *err;
} entry;

typedef struct table {
    entry **slots;
    size_t cap, n;
} table;

struct tg_registry {
    tg_registry *next;
    uint32_t refs;
    char *settings_text, *role;
    uint32_t identity;
    tg_reg_settings settings;
    tg_http *http;
    tg_arena arena;
    tg_reg_refs references;
    table ids, writes, versions;
    int64_t down_until;
    tg_err down;
    tg_registry_schema **schemas; /* all, to free what codecs hung on them */
    size_t nschemas;
};

static tg_registry *open_ones;

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

const char *tg_schema_type_text(tg_schema_type type)
{
    static const char *const names[] = {"AVRO", "PROTOBUF", "JSON"};
    return names[type];
}

/* --- tables --------------------------------------------------------------- */

static uint64_t hash_text(uint64_t h, const char *text)
{
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 0x100000001B3u;
    return (h ^ 0xFF) * 0x100000001B3u;
}

static uint64_t hash_id(int32_t id)
{
    uint64_t h = (uint32_t)id * 0x9E3779B97F4A7C15u;
    return h ^ h >> 32;
}

static void table_grow(table *t)
{
    size_t cap = t->cap ? t->cap * 2 : 64;
    entry **slots = tg_calloc(cap * sizeof *slots);
    for (size_t i = 0; i < t->cap; i++) {
        for (entry *e = t->slots[i], *next; e; e = next) {
            next = e->next;
            e->next = slots[e->hash & (cap - 1)];
            slots[e->hash & (cap - 1)] = e;
        }
    }
    tg_free(t->slots);
    t->slots = slots;
    t->cap = cap;
}

static entry *table_add(table *t, uint64_t hash)
{
    if (t->n >= t->cap)
        table_grow(t);
    entry *e = tg_calloc(sizeof *e);
    e->hash = hash;
    e->next = t->slots[hash & (t->cap - 1)];
    t->slots[hash & (t->cap - 1)] = e;
    t->n++;
    return e;
}

static void entry_free(entry *e)
{
    tg_free(e->subject);
    tg_free(e->text);
    tg_free(e->err);
    tg_free(e);
}

static void table_fini(table *t)
{
    for (size_t i = 0; i < t->cap; i++) {
        for (entry *e = t->slots[i], *next; e; e = next) {
            next = e->next;
            entry_free(e);
        }
    }
    tg_free(t->slots);
    *t = (table){0};
}

/* Takes the failures out whose time is over. */
static void table_sweep(table *t)
{
    int64_t now = now_ms();
    for (size_t i = 0; i < t->cap; i++) {
        for (entry **at = &t->slots[i]; *at;) {
            entry *e = *at;
            if (e->schema || e->until > now) {
                at = &e->next;
                continue;
            }
            *at = e->next;
            entry_free(e);
            t->n--;
        }
    }
}

static entry *find_id(table *t, int32_t id)
{
    uint64_t hash = hash_id(id);
    entry *e = t->cap ? t->slots[hash & (t->cap - 1)] : NULL;
    while (e && e->id != id)
        e = e->next;
    return e;
}

static entry *find_write(table *t, uint64_t hash, const char *subject,
                         tg_schema_type type, const char *text)
{
    entry *e = t->cap ? t->slots[hash & (t->cap - 1)] : NULL;
    while (e &&
           (e->hash != hash || e->type != type ||
            strcmp(e->subject, subject) != 0 || strcmp(e->text, text) != 0))
        e = e->next;
    return e;
}

/* --- life ----------------------------------------------------------------- */

/* Number of settings, the role aside. */
static uint32_t identity_of(const char *text)
{
    static char **known;
    static uint32_t n;
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(known[i], text) == 0)
            return i + 1;
    known = tg_realloc(known, (n + 1) * sizeof *known);
    known[n++] = tg_strdup(text);
    return n;
}

static void registry_free(tg_registry *reg)
{
    for (size_t i = 0; i < reg->nschemas; i++)
        if (reg->schemas[i]->compiled && reg->schemas[i]->compiled_free)
            reg->schemas[i]->compiled_free(reg->schemas[i]->compiled);
    tg_free(reg->schemas);
    table_fini(&reg->ids);
    table_fini(&reg->writes);
    table_fini(&reg->versions);
    tg__http_free(reg->http);
    tg__reg_settings_fini(&reg->settings);
    tg_arena_fini(&reg->arena);
    tg_free(reg->settings_text);
    tg_free(reg->role);
    tg_free(reg);
}

tg_registry *tg_registry_open(const json_t *config, const char *role,
                              tg_err *err)
{
    char *dump = json_dumps(config, JSON_COMPACT | JSON_SORT_KEYS);
    char *text = tg_strdup(dump ? dump : "");
    free(dump);
    for (tg_registry *reg = open_ones; reg; reg = reg->next) {
        if (strcmp(reg->settings_text, text) == 0 &&
            strcmp(reg->role, role) == 0) {
            tg_free(text);
            reg->refs++;
            return reg;
        }
    }
    tg_registry *reg = tg_calloc(sizeof *reg);
    reg->refs = 1;
    reg->settings_text = text;
    reg->role = tg_strdup(role);
    tg_arena_init(&reg->arena, 0);
    if (tg__reg_settings_read(&reg->settings, config, role, err) ||
        !(reg->http = tg__http_new(&reg->settings, err))) {
        registry_free(reg);
        return NULL;
    }
    reg->references = (tg_reg_refs){.http = reg->http, .arena = &reg->arena};
    reg->identity = identity_of(text);
    reg->next = open_ones;
    open_ones = reg;
    return reg;
}

void tg_registry_close(tg_registry *reg)
{
    if (!reg || --reg->refs > 0)
        return;
    tg_registry **at = &open_ones;
    while (*at != reg)
        at = &(*at)->next;
    *at = reg->next;
    registry_free(reg);
}

uint32_t tg_registry_identity(const tg_registry *reg)
{
    return reg->identity;
}

bool tg_registry_given(const tg_registry *reg)
{
    return !reg->settings.latest && reg->settings.use_id < 0;
}

bool tg_registry_strict(const tg_registry *reg)
{
    return reg->settings.strict;
}

bool tg_registry_fresh(const tg_registry_schema *schema)
{
    return schema->until_ms == 0 || now_ms() < schema->until_ms;
}

/* --- asking --------------------------------------------------------------- */

static int copy_err(tg_err *err, const tg_err *from)
{
    if (err)
        *err = *from;
    return from->code;
}

/* As tg__http_ask, but at once while the registry is known not to answer. */
static json_t *ask(tg_registry *reg, const char *path, const json_t *body,
                   int *status, int *code, tg_err *err)
{
    *status = *code = 0;
    if (reg->down_until > now_ms()) {
        copy_err(err, &reg->down);
        return NULL;
    }
    json_t *answer = tg__http_ask(reg->http, path, body, status, code, err);
    if (!answer && err->code != TG_ERR_STOPPED &&
        (err->retriable || *status == 0)) {
        reg->down = *err;
        reg->down_until = now_ms() + DOWN_MS;
    }
    return answer;
}

static tg_schema_type type_of(const json_t *answer)
{
    const char *text = json_string_value(json_object_get(answer, "schemaType"));
    if (text && strcmp(text, "PROTOBUF") == 0)
        return TG_SCHEMA_PROTOBUF;
    if (text && strcmp(text, "JSON") == 0)
        return TG_SCHEMA_JSON;
    return TG_SCHEMA_AVRO;
}

static tg_registry_schema *schema_new(tg_registry *reg, int32_t id,
                                      tg_schema_type type, const char *text)
{
    tg_registry_schema *s = tg_arena_alloc(&reg->arena, sizeof *s);
    memset(s, 0, sizeof *s);
    s->id = id;
    s->type = type;
    s->text = tg_arena_dup(&reg->arena, text, strlen(text) + 1);
    reg->schemas =
        tg_realloc(reg->schemas, (reg->nschemas + 1) * sizeof *reg->schemas);
    reg->schemas[reg->nschemas++] = s;
    return s;
}

/* Rules change values (encrypt them) on the way: leaving them out could show
 * what is to be hidden. */
static bool has_rules(const json_t *answer)
{
    static const char *const kinds[] = {"domainRules", "encodingRules"};
    const json_t *rules = json_object_get(answer, "ruleSet");
    for (int i = 0; i < 2; i++)
        if (json_array_size(json_object_get(rules, kinds[i])) > 0)
            return true;
    return false;
}

/* A schema that is known already: its id stands for one text, and codecs hang
 * what they made of it on it. */
static tg_registry_schema *schema_known(const tg_registry *reg, int32_t id,
                                        tg_schema_type type, const char *text)
{
    for (size_t i = 0; i < reg->nschemas; i++) {
        tg_registry_schema *s = reg->schemas[i];
        if (s->id == id && s->type == type && strcmp(s->text, text) == 0)
            return s;
    }
    return NULL;
}

/* The schema in an answer; id from the answer if it has one. */
static tg_registry_schema *schema_from(tg_registry *reg, const json_t *answer,
                                       int32_t id, tg_err *err)
{
    const char *text = json_string_value(json_object_get(answer, "schema"));
    const json_t *number = json_object_get(answer, "id");
    const tg_registry_ref *refs;
    uint32_t nrefs;
    if (!text || (number && !json_is_integer(number)) || (!number && id < 0)) {
        tg_err_set(err, TG_ERR_IO,
                   "the schema registry at %s answers without a schema: is"
                   " schema.registry.url the base address of Confluent's REST"
                   " API?",
                   reg->settings.urls[0].text);
        return NULL;
    }
    if (has_rules(answer)) {
        tg_err_set(err, TG_ERR_DATA,
                   "the schema has rules (ruleSet), which tidegate does not"
                   " carry out; register a version without them");
        return NULL;
    }
    if (id < 0)
        id = (int32_t)json_integer_value(number);
    tg_registry_schema *s = schema_known(reg, id, type_of(answer), text);
    if (s)
        return s;
    if (tg__reg_refs_read(&reg->references,
                          json_object_get(answer, "references"), &refs, &nrefs,
                          err))
        return NULL;
    s = schema_new(reg, id, type_of(answer), text);
    s->refs = refs;
    s->nrefs = nrefs;
    return s;
}

/* Remembers a failure of an entry; those of the connection are the registry's,
 * and no answer to a task that stops is none. */
static void remember(entry *e, const tg_err *err, int64_t ms)
{
    if (!e->err)
        e->err = tg_alloc(sizeof *e->err);
    *e->err = *err;
    bool passing = err->retriable || err->code == TG_ERR_STOPPED;
    e->until = passing ? 0 : now_ms() + ms;
}

/* --- by id ---------------------------------------------------------------- */

static tg_registry_schema *fetch_id(tg_registry *reg, int32_t id, tg_err *err)
{
    char path[64];
    int status, code;
    snprintf(path, sizeof path, "/schemas/ids/%d", (int)id);
    json_t *answer = ask(reg, path, NULL, &status, &code, err);
    if (!answer) {
        if (status == 404 && err->code == TG_ERR_DATA)
            tg_err_set(err, TG_ERR_NOTFOUND,
                       "the schema registry at %s has no schema with id %d;"
                       " were the records written with another registry?",
                       reg->settings.urls[0].text, (int)id);
        else if (err->code == TG_ERR_DATA)
            tg_err_prefix(err, "schema id %d", (int)id);
        return NULL;
    }
    tg_registry_schema *s = schema_from(reg, answer, id, err);
    json_decref(answer);
    return s;
}

static tg_registry_schema *id_of(tg_registry *reg, int32_t id, tg_err *err)
{
    entry *e = find_id(&reg->ids, id);
    if (e && e->schema)
        return e->schema;
    if (e && e->until > now_ms()) {
        copy_err(err, e->err);
        return NULL;
    }
    if (!e && reg->ids.n >= IDS_MAX)
        table_sweep(&reg->ids);
    tg_registry_schema *s = fetch_id(reg, id, err);
    if (!e) {
        e = table_add(&reg->ids, hash_id(id));
        e->id = id;
    }
    e->schema = s;
    if (!s)
        remember(e, err, reg->settings.missing_ms);
    return s;
}

tg_registry_schema *tg_registry_by_id(tg_registry *reg, int32_t id,
                                      tg_schema_type want, tg_err *err)
{
    tg_err local = {0};
    err = err ? err : &local;
    tg_registry_schema *s = id_of(reg, id, err);
    if (!s || s->type == want)
        return s;
    tg_err_set(err, TG_ERR_DATA,
               "schema id %d is of type %s, but this converter reads %s",
               (int)id, tg_schema_type_text(s->type),
               tg_schema_type_text(want));
    return NULL;
}

/* --- for writing ---------------------------------------------------------- */

static void subject_path(tg_buf *path, const char *subject, const char *rest)
{
    tg_buf_str(path, "/subjects/");
    tg__http_escape(path, subject);
    tg_buf_str(path, rest);
}

/* Says what the registry's refusal of a schema means. */
static void explain_refusal(const tg_registry *reg, const char *subject,
                            int status, int code, tg_err *err)
{
    char reason[sizeof err->text];
    memcpy(reason, err->text, sizeof reason);
    if (err->code != TG_ERR_DATA)
        return;
    if (status == 409)
        tg_err_set(err, TG_ERR_DATA,
                   "the schema of these records is not compatible with what"
                   " subject %s allows: %s",
                   subject, reason);
    else if (status == 404 && reg->settings.use_id < 0)
        tg_err_set(err, TG_ERR_DATA,
                   "the schema registry at %s has no %s of subject %s (%s);"
                   " register it, or set auto.register.schemas=true",
                   reg->settings.urls[0].text,
                   code == 40401 || reg->settings.latest ? "version"
                                                         : "such schema",
                   subject, reason);
    else
        tg_err_set(err, TG_ERR_DATA,
                   "the schema registry refuses the schema of subject %s (HTTP"
                   " %d): %s",
                   subject, status, reason);
}

/* {"schema":..., "schemaType":..., "references":[...]}; NULL with a sentence.
 */
static json_t *body_of(const char *subject, tg_schema_type type,
                       const char *text, const tg_registry_ref *refs,
                       uint32_t nrefs, tg_err *err)
{
    json_t *body = json_pack("{s:s}", "schema", text);
    if (!body) {
        tg_err_set(err, TG_ERR_DATA, "the schema of subject %s is not UTF-8",
                   subject);
        return NULL;
    }
    if (type != TG_SCHEMA_AVRO)
        json_object_set_new(body, "schemaType",
                            json_string(tg_schema_type_text(type)));
    if (nrefs)
        json_object_set_new(body, "references", tg__reg_refs_json(refs, nrefs));
    return body;
}

/* POSTs the schema: to register it, or to find it. */
static tg_registry_schema *post(tg_registry *reg, const char *subject,
                                tg_schema_type type, const char *text,
                                const tg_registry_ref *refs, uint32_t nrefs,
                                tg_err *err)
{
    const tg_reg_settings *s = &reg->settings;
    json_t *body = body_of(subject, type, text, refs, nrefs, err);
    tg_buf path = {0};
    int status, code;
    if (!body)
        return NULL;
    subject_path(&path, subject, s->auto_register ? "/versions" : "");
    if (s->normalize)
        tg_buf_str(&path, "?normalize=true");
    json_t *answer = ask(reg, tg_buf_cstr(&path), body, &status, &code, err);
    const json_t *id = json_object_get(answer, "id");
    tg_registry_schema *out = NULL;
    if (!answer)
        explain_refusal(reg, subject, status, code, err);
    else if (!json_is_integer(id))
        tg_err_set(err, TG_ERR_IO,
                   "the schema registry at %s answers without an id for"
                   " subject %s",
                   s->urls[0].text, subject);
    else
        out = schema_new(reg, (int32_t)json_integer_value(id), type, text);
    if (out && s->auto_register)
        tg_info("registry", "subject %s: the schema has id %d", subject,
                (int)out->id);
    tg_buf_fini(&path);
    json_decref(body);
    json_decref(answer);
    return out;
}

int tg_registry_version(tg_registry *reg, const char *subject,
                        const tg_registry_schema *schema, tg_err *err)
{
    tg_err local = {0};
    err = err ? err : &local;
    uint64_t hash = hash_text(hash_text(schema->type, subject), schema->text);
    entry *e =
        find_write(&reg->versions, hash, subject, schema->type, schema->text);
    if (e && (e->version > 0 || e->until > now_ms()))
        return e->version;
    tg_buf path = {0};
    int status, code;
    json_t *body = body_of(subject, schema->type, schema->text, schema->refs,
                           schema->nrefs, err);
    subject_path(&path, subject, "?deleted=true");
    if (reg->settings.normalize)
        tg_buf_str(&path, "&normalize=true");
    json_t *answer =
        body ? ask(reg, tg_buf_cstr(&path), body, &status, &code, err) : NULL;
    json_int_t version = json_integer_value(json_object_get(answer, "version"));
    tg_buf_fini(&path);
    json_decref(body);
    json_decref(answer);
    if (!answer && (err->retriable || err->code == TG_ERR_STOPPED))
        return err->code;
    if (!e) {
        e = table_add(&reg->versions, hash);
        e->subject = tg_strdup(subject);
        e->text = tg_strdup(schema->text);
        e->type = schema->type;
    }
    e->version = version > 0 && version <= INT32_MAX ? (int)version : 0;
    e->until = now_ms() + REFUSED_MS;
    return e->version;
}

static tg_registry_schema *newest(tg_registry *reg, const char *subject,
                                  tg_err *err)
{
    tg_buf path = {0};
    int status, code;
    subject_path(&path, subject, "/versions/latest");
    json_t *answer = ask(reg, tg_buf_cstr(&path), NULL, &status, &code, err);
    tg_buf_fini(&path);
    if (!answer) {
        explain_refusal(reg, subject, status, code, err);
        return NULL;
    }
    tg_registry_schema *s = schema_from(reg, answer, -1, err);
    json_decref(answer);
    if (s && reg->settings.latest_ttl_ms >= 0)
        s->until_ms = now_ms() + reg->settings.latest_ttl_ms + 1;
    return s;
}

static const tg_registry_ref *copy_refs(tg_arena *arena,
                                        const tg_registry_ref *refs, uint32_t n)
{
    tg_registry_ref *to = n ? tg_arena_alloc(arena, n * sizeof *to) : NULL;
    for (uint32_t i = 0; i < n; i++) {
        to[i] = refs[i];
        to[i].name =
            tg_arena_dup(arena, refs[i].name, strlen(refs[i].name) + 1);
        to[i].subject =
            tg_arena_dup(arena, refs[i].subject, strlen(refs[i].subject) + 1);
        if (refs[i].text)
            to[i].text =
                tg_arena_dup(arena, refs[i].text, strlen(refs[i].text) + 1);
        to[i].refs = copy_refs(arena, refs[i].refs, refs[i].nrefs);
    }
    return to;
}

static tg_registry_schema *ask_write(tg_registry *reg, const char *subject,
                                     tg_schema_type type, const char *text,
                                     const tg_registry_ref *refs,
                                     uint32_t nrefs, tg_err *err)
{
    tg_registry_schema *s;
    if (reg->settings.use_id >= 0)
        return tg_registry_by_id(reg, (int32_t)reg->settings.use_id, type, err);
    if (reg->settings.latest) {
        s = newest(reg, subject, err);
        if (s && s->type != type) {
            tg_err_set(err, TG_ERR_DATA,
                       "the newest version of subject %s is of type %s, but"
                       " this converter writes %s",
                       subject, tg_schema_type_text(s->type),
                       tg_schema_type_text(type));
            s = NULL;
        }
        return s;
    }
    s = post(reg, subject, type, text, refs, nrefs, err);
    if (s) {
        s->refs = copy_refs(&reg->arena, refs, nrefs);
        s->nrefs = nrefs;
    }
    return s;
}

static bool too_many(const tg_registry *reg, const char *subject, tg_err *err)
{
    int64_t n = 0;
    for (size_t i = 0; i < reg->writes.cap; i++)
        for (const entry *e = reg->writes.slots[i]; e; e = e->next)
            n += strcmp(e->subject, subject) == 0;
    if (n < reg->settings.max_schemas)
        return false;
    tg_err_set(err, TG_ERR_DATA,
               "the records for subject %s have more than %lld different"
               " schemas (max.schemas.per.subject)",
               subject, (long long)reg->settings.max_schemas);
    return true;
}

tg_registry_schema *tg_registry_for_write(tg_registry *reg, const char *subject,
                                          tg_schema_type type, const char *text,
                                          const tg_registry_ref *refs,
                                          uint32_t nrefs, tg_err *err)
{
    tg_err local = {0};
    err = err ? err : &local;
    uint64_t hash = hash_text(hash_text(type, subject), text);
    for (uint32_t i = 0; i < nrefs; i++)
        hash = hash_text(hash + (uint64_t)refs[i].version, refs[i].subject);
    entry *e = find_write(&reg->writes, hash, subject, type, text);
    if (e && e->schema && tg_registry_fresh(e->schema))
        return e->schema;
    if (e && !e->schema && e->until > now_ms()) {
        copy_err(err, e->err);
        return NULL;
    }
    if (!e) {
        table_sweep(&reg->writes);
        if (too_many(reg, subject, err))
            return NULL;
    }
    tg_registry_schema *s =
        ask_write(reg, subject, type, text, refs, nrefs, err);
    if (!s && e && e->schema) {
        /* the newest version known: better than nothing, and for a while, so
         * that not every record waits for an answer */
        e->schema->until_ms = now_ms() + REFUSED_MS;
        return e->schema;
    }
    if (!e) {
        e = table_add(&reg->writes, hash);
        e->subject = tg_strdup(subject);
        e->text = tg_strdup(text);
        e->type = type;
    }
    e->schema = s;
    if (!s)
        remember(e, err, REFUSED_MS);
    return s;
}

/* --- subjects ------------------------------------------------------------- */

int tg_registry_subject(const tg_registry *reg, const char *topic,
                        uint32_t topiclen, const char *record_name, tg_buf *out,
                        tg_err *err)
{
    const tg_reg_settings *s = &reg->settings;
    if (s->strategy == TG_TOPIC_NAME) {
        tg_buf_add(out, topic, topiclen);
        tg_buf_str(out, strcmp(reg->role, "key") == 0 ? "-key" : "-value");
        return 0;
    }
    if (!record_name)
        return tg_err_set(err, TG_ERR_DATA,
                          "%s names subjects after the record type, but the %s"
                          " is no record with a name",
                          s->strategy_key, reg->role);
    if (s->strategy == TG_TOPIC_RECORD_NAME) {
        tg_buf_add(out, topic, topiclen);
        tg_buf_str(out, "-");
    }
    tg_buf_str(out, record_name);
    return 0;
}

/* --- the wire format ------------------------------------------------------ */

int tg_registry_read_id(const char *p, size_t len, int32_t *id, tg_err *err)
{
    if (len > 0 && p[0] != 0)
        return tg_err_set(err, TG_ERR_DATA,
                          "the bytes begin with 0x%02X, but those written with"
                          " a schema registry begin with 0x00 and the id of"
                          " their schema; is this the right converter?",
                          (unsigned char)p[0]);
    if (len < 5)
        return tg_err_set(err, TG_ERR_DATA,
                          "%zu bytes are too few for 0x00 and the 4 bytes of a"
                          " schema id; is this the right converter?",
                          len);
    const unsigned char *u = (const unsigned char *)p;
    *id = (int32_t)((uint32_t)u[1] << 24 | (uint32_t)u[2] << 16 |
                    (uint32_t)u[3] << 8 | u[4]);
    return 5;
}

void tg_registry_write_id(char *to, int32_t id)
{
    uint32_t u = (uint32_t)id;
    to[0] = 0;
    to[1] = (char)(u >> 24);
    to[2] = (char)(u >> 16);
    to[3] = (char)(u >> 8);
    to[4] = (char)u;
}
