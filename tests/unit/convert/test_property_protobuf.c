/*
 * Random values of all types through ProtobufConverter, with a registry in a
 * thread. What Protobuf cannot say is left out of the schemas: see fix.
 *
 * timeout: 300
 */
#include "base/log.h"
#include "random_value.h"
#include "registry/fake_registry.h"

enum { RECORDS = 100000 };

static uint32_t named;
static bool keywords; /* optional.for.nullables */

static const tg_schema *with_param(const tg_schema *s, const char *key,
                                   const char *value)
{
    tg_schema_param *list = tg_alloc((s->nparams + 1) * sizeof *list);
    tg_schema copy = *s;
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->nparams; i++)
        list[n++] = s->params[i];
    list[n++] = (tg_schema_param){key, value};
    copy.params = list;
    copy.nparams = n;
    const tg_schema *to = tg_schema_intern(&copy);
    tg_free(list);
    return to;
}

/* As it comes back: what a field has beside its type is its number. */
static const tg_schema *bare(const tg_schema *s)
{
    static const tg_schema_param none[] = {{NULL, NULL}};
    tg_schema copy = *s;
    copy.doc = NULL;
    copy.has_default = false;
    copy.default_json = NULL;
    bool logical = s->name && strncmp(s->name, "org.apache.", 11) == 0;
    if (!logical)
        copy.params = none, copy.nparams = 0;
    if (!logical && s->tag != TG_STRUCT && s->tag != TG_MAP)
        copy.name = NULL;
    if (!logical)
        copy.has_version = false, copy.version = 0;
    return tg_schema_intern(&copy);
}

static const tg_schema *field(const tg_schema *s, uint32_t number)
{
    char text[16];
    snprintf(text, sizeof text, "%u", number);
    tg_schema copy = *bare(s);
    if (!keywords)
        copy.optional = true;
    if (copy.tag == TG_STRUCT || copy.tag == TG_ARRAY || copy.tag == TG_MAP)
        copy.optional = true;
    if (copy.name && copy.tag < TG_ARRAY)
        copy.optional = true;
    return with_param(tg_schema_intern(&copy),
                      "io.confluent.connect.protobuf.Tag", text);
}

/* Elements of arrays have no number. */
static const tg_schema *element(const tg_schema *s)
{
    return tg_schema_optional(bare(s), true);
}

static bool nested(const tg_schema *s)
{
    return s->tag == TG_ARRAY || s->tag == TG_MAP;
}

static const tg_schema *fix(const tg_schema *schema, int depth)
{
    tg_schema s = *bare(schema);
    tg_schema_field fields[RANDOM_FIELDS + 1];
    char name[48];
    (void)depth;
    const tg_schema *text = tg_schema_of(TG_STR, 1, NULL);
    if (s.tag == TG_ARRAY)
        s.value = element(nested(s.value) ? text : s.value);
    if (s.tag == TG_MAP) {
        /* dates are settled later, which could make two keys equal */
        bool plain = !nested(s.key) && s.key->tag != TG_STRUCT && !s.key->name;
        s.key = field(tg_schema_optional(plain ? s.key : text, false), 1);
        s.value = field(
            tg_schema_optional(nested(s.value) ? text : s.value, false), 2);
        snprintf(name, sizeof name, "m%u", named++);
        s.name = name;
    }
    if (s.tag == TG_STRUCT) {
        for (uint32_t i = 0; i < s.nfields; i++)
            fields[i] = (tg_schema_field){s.fields[i].name,
                                          field(s.fields[i].schema, i + 1)};
        s.fields = fields;
        snprintf(name, sizeof name, "T%u", named++);
        s.name = name;
    }
    return tg_schema_intern(&s);
}

/* --- values that Protobuf can hold ---------------------------------------- */

static void settle(random_state *r, tg_cell *cell, tg_value *v,
                   const tg_schema *s);

static void settle_scalar(tg_value *v, const tg_schema *s)
{
    const char *last = s->name ? strrchr(s->name, '.') : NULL;
    if (!last || strncmp(s->name, "org.apache.", 11) != 0)
        return;
    if (strcmp(last, ".Date") == 0)
        v->u.i %= 700000;
    else if (strcmp(last, ".Time") == 0)
        v->u.i = (v->u.i & INT32_MAX) % 86400000;
    else if (strcmp(last, ".Timestamp") == 0)
        v->u.i %= INT64_C(60000000000000);
}

/* A field that is null: lists cannot be. */
static void settle_null(random_state *r, tg_cell *cell, tg_node *parent,
                        tg_value *v, const tg_schema *s)
{
    if (!nested(s))
        return;
    bool pairs = s->tag == TG_MAP && s->key->tag != TG_STR;
    int kind = s->tag == TG_ARRAY ? TG_ARRAY : pairs ? TG_PAIRS : TG_MAP;
    tg_node *node =
        tg_node_new(r->batch, kind,
                    kind == TG_MAP ? tg_shape_empty() : tg_shape_array(), 0);
    node->n = 0;
    node->cell = cell;
    node->parent = parent;
    *v = (tg_value){.tag = (uint8_t)kind};
    v->u.node = node;
}

static void settle_element(random_state *r, tg_cell *cell, tg_value *v,
                           const tg_schema *s, bool may_be_null)
{
    const tg_schema *required = tg_schema_optional(s, false);
    if (v->tag == TG_NULL && !(may_be_null && s->tag >= TG_ARRAY))
        *v = random_value(r, cell, NULL, required);
    settle(r, cell, v, s);
}

static void settle(random_state *r, tg_cell *cell, tg_value *v,
                   const tg_schema *s)
{
    if (v->tag < TG_ARRAY) {
        if (v->tag > TG_NULL)
            settle_scalar(v, s);
        return;
    }
    tg_node *node = v->u.node;
    for (uint32_t i = 0; i < node->n; i++) {
        tg_value *slot = &node->slots[i];
        bool key = node->kind == TG_PAIRS && i % 2 == 0;
        if (node->kind == TG_STRUCT) {
            const tg_schema *of = s->fields[i].schema;
            if (slot->tag == TG_NULL)
                settle_null(r, cell, node, slot, of);
            else
                settle(r, cell, slot, of);
        } else {
            settle_element(r, cell, slot, key ? s->key : s->value,
                           node->kind != TG_ARRAY && !key);
        }
    }
}

/* --- the property --------------------------------------------------------- */

static void check_one(const random_run *run, random_state *r, tg_batch *back,
                      const tg_schema *s, uint32_t i)
{
    tg_err err = {0};
    tg_batch_reset(r->batch);
    tg_cell *from = &tg_batch_append(r->batch)->value;
    from->value = random_value(r, from, NULL, tg_schema_optional(s, false));
    settle(r, from, &from->value, s);
    from->schema = s;
    from->state = TG_CELL_DECODED;
    from->dirty = 1;
    if (tg_cell_encode(from, run->conv, &err))
        random_wrong(run, i, "cannot be encoded", from, &err);
    tg_cell *cell = cell_of(back, run->conv, from->out, (size_t)from->outlen);
    if (tg_cell_decode(cell, &err))
        random_wrong(run, i, "cannot be decoded", from, &err);
    if (cell->schema != s) {
        size_t n;
        snprintf(err.text, sizeof err.text, "%s",
                 tg_json_schema_text(cell->schema, &n));
        random_wrong(run, i, "another schema", from, &err);
    }
    if (!random_same(&from->value, &cell->value, s))
        random_wrong(run, i, "another value", from, &err);
    if (tg_cell_encode(cell, run->conv, &err) || cell->out != cell->raw)
        random_wrong(run, i, "untouched, but not sent as received", from, &err);
    random_mark(&cell->value);
    cell->dirty = 1;
    if (tg_cell_encode(cell, run->conv, &err))
        random_wrong(run, i, "cannot be encoded again", from, &err);
    if (cell->outlen != from->outlen ||
        memcmp(cell->out, from->out, (size_t)from->outlen) != 0)
        random_wrong(run, i, "other bytes", from, &err);
}

static void check(const char *settings, uint32_t records, uint32_t root)
{
    random_options options = {.kinds = RANDOM_ALL,
                              .root = root,
                              .logical = true,
                              .optional = true,
                              .any_keys = true,
                              .identifiers = true,
                              .scale = 12,
                              .fix = fix};
    char text[256];
    fake_registry *fake = fake_start();
    fake->no_versions = true;
    snprintf(text, sizeof text,
             "schema.registry.url=%s,max.schemas.per.subject=1000000%s",
             fake->url, settings);
    tg_converter *conv = converter("Protobuf", text, "value");
    random_run run = {
        .options = &options, .conv = conv, .records = records, .seed = 12};
    random_state r = {.seed = 77, .o = &options, .batch = tg_batch_new(0, 0)};
    tg_batch *back = tg_batch_new(0, 0);
    const tg_schema *s = NULL;
    for (uint32_t i = 0; i < records; i++) {
        if (i % RANDOM_PER_SCHEMA == 0)
            s = random_schema(&r);
        check_one(&run, &r, back, s, i);
    }
    tg_batch_free(r.batch);
    tg_batch_free(back);
    tg_converter_free(conv);
    fake_stop(fake);
}

static void test_structs(void **state)
{
    (void)state;
    keywords = true;
    check(",optional.for.nullables=true", RECORDS, 1u << TG_STRUCT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_structs)};
    tg_convert_init();
    tg_log_level = TG_LOG_WARN;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
