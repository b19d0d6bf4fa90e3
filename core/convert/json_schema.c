/*
 * Connect schemas <-> the "schema" member of JsonConverter's envelope. Texts
 * are written once per schema and kept; reading goes through the ordinary
 * decoder (its callers cache by text). Script thread.
 */
#include "convert/internal.h"
#include "convert/json_scan.h"
#include "convert/json_write.h"
#include "data/schema.h"

/* --- writing -------------------------------------------------------------- */

static struct {
    char **text; /* by schema id */
    size_t *len;
    size_t n;
} texts;

static void write_member(tg_buf *out, const char *key, const char *text)
{
    tg_buf_printf(out, ",\"%s\":", key);
    tg_json_string(out, text, strlen(text));
}

static void write_schema(tg_buf *out, const tg_schema *s, const char *field);

static void write_parts(tg_buf *out, const tg_schema *s)
{
    if (s->tag == TG_ARRAY) {
        tg_buf_str(out, ",\"items\":");
        /* An array that a script made and left empty: any schema is true. The
         * required ones without items are those of header texts. */
        write_schema(out,
                     s->value || !s->optional ? s->value
                                              : tg_schema_of(TG_STR, 1, NULL),
                     NULL);
    } else if (s->tag == TG_MAP) {
        tg_buf_str(out, ",\"keys\":");
        write_schema(out, s->key, NULL);
        tg_buf_str(out, ",\"values\":");
        write_schema(out, s->value, NULL);
    } else if (s->tag == TG_STRUCT) {
        tg_buf_str(out, ",\"fields\":[");
        for (uint32_t i = 0; i < s->nfields; i++) {
            if (i > 0)
                tg_buf_str(out, ",");
            write_schema(out, s->fields[i].schema, s->fields[i].name->text);
        }
        tg_buf_str(out, "]");
    }
}

static void write_schema(tg_buf *out, const tg_schema *s, const char *field)
{
    if (!s) {
        tg_buf_str(out, "null");
        return;
    }
    tg_buf_printf(out, "{\"type\":\"%s\"", tg_schema_type_name(s->tag));
    write_parts(out, s);
    tg_buf_printf(out, ",\"optional\":%s", s->optional ? "true" : "false");
    if (s->name)
        write_member(out, "name", s->name);
    if (s->has_version)
        tg_buf_printf(out, ",\"version\":%d", (int)s->version);
    if (s->doc)
        write_member(out, "doc", s->doc);
    for (uint32_t i = 0; i < s->nparams; i++) {
        tg_buf_str(out, i ? "," : ",\"parameters\":{");
        tg_json_string(out, s->params[i].key, strlen(s->params[i].key));
        tg_buf_str(out, ":");
        tg_json_string(out, s->params[i].value, strlen(s->params[i].value));
    }
    if (s->nparams)
        tg_buf_str(out, "}");
    if (s->has_default)
        tg_buf_printf(out, ",\"default\":%s", s->default_json);
    if (field)
        write_member(out, "field", field);
    tg_buf_str(out, "}");
}

const char *tg_json_schema_text(const tg_schema *schema, size_t *len)
{
    if (schema->id >= texts.n) {
        size_t n = texts.n ? texts.n : 64;
        while (n <= schema->id)
            n *= 2;
        texts.text = tg_realloc(texts.text, n * sizeof *texts.text);
        texts.len = tg_realloc(texts.len, n * sizeof *texts.len);
        memset(texts.text + texts.n, 0, (n - texts.n) * sizeof *texts.text);
        texts.n = n;
    }
    if (!texts.text[schema->id]) {
        tg_buf out = {0};
        write_schema(&out, schema, NULL);
        texts.len[schema->id] = out.len;
        tg_buf_cstr(&out);
        texts.text[schema->id] = tg_buf_steal(&out);
    }
    *len = texts.len[schema->id];
    return texts.text[schema->id];
}

/* --- reading -------------------------------------------------------------- */

typedef struct reader {
    tg_batch *batch;
    tg_err *err;
} reader;

static const tg_schema *read_schema(reader *r, const tg_value *v);

/* Member of an object, NULL when it is missing or null. */
static const tg_value *member(const tg_node *node, const char *key)
{
    int32_t i = tg_slot_find_text(node, key, (uint32_t)strlen(key));
    return i < 0 || node->slots[i].tag == TG_NULL ? NULL : &node->slots[i];
}

static bool is_text(const tg_value *v)
{
    return v && (v->tag == TG_STR || v->tag == TG_ESC);
}

/* Text of a string value, terminated, in the arena. */
static const char *text_of(reader *r, const tg_value *v)
{
    uint32_t len;
    const char *p = tg_value_text(r->batch, v, &len);
    char *copy = p ? tg_arena_alloc(r->batch->arena, (size_t)len + 1) : NULL;
    if (!copy)
        return NULL;
    memcpy(copy, p, len);
    copy[len] = 0;
    return copy;
}

static void *refuse(reader *r, const char *what)
{
    tg_err_set(r->err, TG_ERR_DATA, "invalid schema in a JSON envelope: %s",
               what);
    return NULL;
}

static int type_of(const char *name)
{
    static const int tags[] = {TG_BOOL,  TG_INT8,    TG_INT16,   TG_INT32,
                               TG_INT64, TG_FLOAT32, TG_FLOAT64, TG_STR,
                               TG_BYTES, TG_ARRAY,   TG_MAP,     TG_STRUCT};
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if (strcmp(tg_schema_type_name(tags[i]), name) == 0)
            return tags[i];
    return -1;
}

static bool read_fields(reader *r, tg_schema *s, const tg_node *node)
{
    const tg_value *v = member(node, "fields");
    if (!v || v->tag != TG_ARRAY)
        return refuse(r, "a struct needs \"fields\", an array of schemas");
    const tg_node *list = v->u.node;
    tg_schema_field *fields =
        tg_arena_alloc(r->batch->arena, list->n * sizeof *fields + 1);
    if (!fields)
        return refuse(r, "the batch reached its memory limit");
    for (uint32_t i = 0; i < list->n; i++) {
        uint32_t len;
        const tg_value *of = &list->slots[i];
        const tg_value *key =
            of->tag == TG_MAP ? member(of->u.node, "field") : NULL;
        if (!is_text(key))
            return refuse(r, "each field of a struct needs its name as"
                             " \"field\"");
        const char *text = tg_value_text(r->batch, key, &len);
        fields[i].name = text ? tg_name_intern(text, len) : NULL;
        if (!fields[i].name)
            return refuse(r, "too many different field names");
        for (uint32_t j = 0; j < i; j++)
            if (fields[j].name == fields[i].name)
                return refuse(r, "two fields of a struct have one name");
        fields[i].schema = read_schema(r, of);
        if (!fields[i].schema) {
            tg__converter_in(r->err, "field \"%s\"", fields[i].name->text);
            return false;
        }
    }
    s->fields = fields;
    s->nfields = list->n;
    return true;
}

static bool read_parts(reader *r, tg_schema *s, const tg_node *node)
{
    const tg_value *v;
    if (s->tag == TG_STRUCT)
        return read_fields(r, s, node);
    if (s->tag == TG_MAP) {
        if (!(v = member(node, "keys")))
            return refuse(r, "a map needs \"keys\", the schema of its keys");
        if (!(s->key = read_schema(r, v)))
            return false;
    }
    if (s->tag != TG_MAP && s->tag != TG_ARRAY)
        return true;
    if (!(v = member(node, s->tag == TG_MAP ? "values" : "items")))
        return refuse(r, s->tag == TG_MAP
                             ? "a map needs \"values\", the schema of its"
                               " values"
                             : "an array needs \"items\", the schema of its"
                               " elements");
    return (s->value = read_schema(r, v)) != NULL;
}

static bool read_params(reader *r, tg_schema *s, const tg_value *v)
{
    if (!v)
        return true;
    if (v->tag != TG_MAP)
        return refuse(r, "\"parameters\" must be an object of strings");
    const tg_node *node = v->u.node;
    tg_schema_param *params =
        tg_arena_alloc(r->batch->arena, node->n * sizeof *params + 1);
    for (uint32_t i = 0; params && i < node->n; i++) {
        if (!is_text(&node->slots[i]))
            return refuse(r, "\"parameters\" must be an object of strings");
        params[i].key = node->shape->names[i]->text;
        params[i].value = text_of(r, &node->slots[i]);
        if (!params[i].value)
            params = NULL;
    }
    if (!params)
        return refuse(r, "the batch reached its memory limit");
    s->params = params;
    s->nparams = node->n;
    return true;
}

/* The default must be a value of the schema itself. */
static bool read_default(reader *r, tg_schema *s, const tg_value *v)
{
    tg_buf out = {0};
    tg_value unused;
    if (!v)
        return true;
    if (tg_json_encode(&out, v, r->err)) {
        tg_buf_fini(&out);
        return false;
    }
    char *text = tg_arena_dup(r->batch->arena, tg_buf_cstr(&out), out.len + 1);
    size_t len = out.len;
    tg_buf_fini(&out);
    if (!text)
        return refuse(r, "the batch reached its memory limit");
    tg_json_in in = {.start = text,
                     .p = text,
                     .end = text + len,
                     .batch = r->batch,
                     .err = r->err,
                     .defaults = true};
    if (tg__json_typed(&in, &unused, NULL, tg__json_wild_site(),
                       tg_schema_intern(s))) {
        tg_err_prefix(r->err, "default of a schema in a JSON envelope");
        return false;
    }
    s->has_default = true;
    s->default_json = text;
    return true;
}

static const tg_schema *read_schema(reader *r, const tg_value *v)
{
    tg_schema s = {0};
    char what[128];
    if (v->tag != TG_MAP)
        return refuse(r, "a schema must be an object");
    const tg_node *node = v->u.node;
    const tg_value *m = member(node, "type");
    if (!is_text(m))
        return refuse(r, "a schema needs a \"type\"");
    const char *type = text_of(r, m);
    int tag = type ? type_of(type) : -1;
    if (tag < 0) {
        size_t len = type ? strlen(type) : 0;
        bool show = len <= 20 && len > 0;
        snprintf(what, sizeof what,
                 "unknown type%s%s%s (boolean, int8 ... int64, float,"
                 " double, string, bytes, array, map, struct)",
                 show ? " \"" : "", show ? type : "", show ? "\"" : "");
        return refuse(r, what);
    }
    s.tag = (uint8_t)tag;
    if (!read_parts(r, &s, node))
        return NULL;
    if ((m = member(node, "optional")))
        s.optional = m->tag == TG_BOOL && m->u.i;
    if (is_text(m = member(node, "name")) && !(s.name = text_of(r, m)))
        return refuse(r, "the batch reached its memory limit");
    if ((m = member(node, "version"))) {
        if (m->tag != TG_INT64 || m->u.i != (int32_t)m->u.i)
            return refuse(r, "\"version\" must be an integer");
        s.has_version = true;
        s.version = (int32_t)m->u.i;
    }
    if ((m = member(node, "doc")) && !is_text(m))
        return refuse(r, "\"doc\" must be a string");
    if (m && !(s.doc = text_of(r, m)))
        return refuse(r, "the batch reached its memory limit");
    if (!read_params(r, &s, member(node, "parameters")) ||
        !read_default(r, &s, member(node, "default")))
        return NULL;
    return tg_schema_intern(&s);
}

const tg_schema *tg_json_schema_read(tg_batch *batch, const char *p, size_t len,
                                     tg_err *err)
{
    static tg_site site;
    tg_value v;
    reader r = {.batch = batch, .err = err};
    if (tg_json_decode(batch, NULL, &site, p, len, &v, err))
        return NULL;
    return read_schema(&r, &v);
}

const tg_schema *tg_json_schema_setting(const char *text, tg_err *err)
{
    static tg_site site;
    tg_batch *batch = tg_batch_new(0, 0);
    const tg_schema *schema = NULL;
    tg_value v;
    reader r = {.batch = batch, .err = err};
    if (!tg_json_decode(batch, NULL, &site, text, strlen(text), &v, err) &&
        v.tag != TG_NULL)
        schema = read_schema(&r, &v);
    tg_batch_free(batch);
    return schema;
}

/* --- schemas of changed values -------------------------------------------- */

/* What the elements declare now; *out stays NULL where nothing describes them
 * (mixed arrays of header texts). */
static int of_elements(const tg_node *node, bool keys,
                       const tg_schema *declared, const tg_schema **out,
                       tg_err *err)
{
    const tg_schema *found = NULL;
    uint32_t step = node->kind == TG_PAIRS ? 2 : 1;
    *out = declared;
    for (uint32_t i = step == 2 && !keys ? 1 : 0; i < node->n; i += step) {
        const tg_value *v = &node->slots[i];
        if (v->tag < TG_ARRAY || (!declared && v->tag != TG_STRUCT))
            continue;
        const tg_schema *s = tg_json_schema_now(v, declared, err);
        if (!s)
            return TG_ERR_DATA;
        if (found && s != found)
            return tg_err_set(err, TG_ERR_DATA,
                              "the elements of one array or map have different"
                              " schemas");
        found = s;
    }
    *out = found ? found : declared;
    return 0;
}

static const tg_schema *of_struct(const tg_node *node,
                                  const tg_schema *declared, tg_err *err)
{
    const tg_schema *s = node->shape->schema;
    for (uint32_t i = 0; node->dirty && i < node->n; i++) {
        if (node->slots[i].tag < TG_ARRAY)
            continue;
        const tg_schema *was = s->fields[i].schema;
        const tg_schema *now = tg_json_schema_now(&node->slots[i], was, err);
        if (!now)
            return NULL;
        if (now != was)
            s = tg_schema_refield(s, i, now);
    }
    if (declared && declared->tag == TG_STRUCT && s != declared &&
        tg_schema_optional(s, declared->optional) == declared)
        return declared;
    return s;
}

const tg_schema *tg_json_schema_now(const tg_value *v,
                                    const tg_schema *declared, tg_err *err)
{
    if (v->tag < TG_ARRAY)
        return declared;
    const tg_node *node = v->u.node;
    if (v->tag == TG_STRUCT)
        return of_struct(node, declared, err);
    if (!declared || !node->dirty || node->n == 0)
        return declared;
    tg_schema s = *declared;
    if (of_elements(node, false, declared->value, &s.value, err))
        return NULL;
    if (v->tag == TG_PAIRS &&
        of_elements(node, true, declared->key, &s.key, err))
        return NULL;
    if (s.value == declared->value && s.key == declared->key)
        return declared;
    return tg_schema_intern(&s);
}
