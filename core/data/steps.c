/*
 * Steps of the stock transforms over a whole batch: open the key or value of
 * each record, then select, insert or mask its fields. One call a batch: what
 * a record costs is the same with and without the JIT, and nothing of it can
 * fall off a trace.
 *
 * A record that does not fit is rejected with Kafka Connect's sentence; its
 * neighbours do not notice. Field lookups remember the last interned shape, so
 * records of one layout are looked up once. Script thread.
 */
#include "data/internal.h"
#include <stdio.h>

enum { PLAN, INSERT, MASK };

typedef struct step {
    int kind;
    tg_plan *plan; /* the caller's */
    const tg_name *name;
    const tg_shape *shape; /* of the last lookup, with its result */
    int32_t slot;
    int what;                /* TG_INSERT_* */
    const tg_schema *schema; /* of an inserted field */
    char *text;              /* inserted, or the replacement; NULL: none */
    uint32_t len;
    int forms; /* TG_MASK_* of the replacement, with its values */
    int64_t i;
    double d;
    tg_shape *longer;   /* shape with the name at its end, or NULL */
    bool utf8;          /* the text may stand in a value as it is */
    const char *copy;   /* of the text, in the arena of the batch... */
    uint32_t copied_in; /* ...with this serial */
} step;

struct tg_steps {
    bool key, null_passes, defaults;
    char *purpose;
    step *list;
    uint32_t n, cap;
};

int (*tg_schema_default_hook)(tg_node *parent, const tg_schema *schema,
                              tg_value *out, tg_err *err);

/* --- making --------------------------------------------------------------- */

tg_steps *tg_steps_new(int32_t side, const char *purpose, int32_t null_passes,
                       int32_t defaults)
{
    tg_steps *s = tg_calloc(sizeof *s);

    s->key = side == TG_KEY;
    s->purpose = tg_strdup(purpose);
    s->null_passes = null_passes != 0;
    s->defaults = defaults != 0;
    return s;
}

void tg_steps_free(tg_steps *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < s->n; i++)
        tg_free(s->list[i].text);
    tg_free(s->list);
    tg_free(s->purpose);
    tg_free(s);
}

static step *add(tg_steps *s, int kind)
{
    step *st;

    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 4;
        s->list = tg_realloc(s->list, s->cap * sizeof *s->list);
    }
    st = &s->list[s->n++];
    *st = (step){.kind = kind};
    return st;
}

static void set_text(step *st, const char *p, uint32_t len)
{
    if (!p)
        return;
    st->text = tg_strndup(p, len);
    st->len = len;
    st->utf8 = tg_text_check(p, len) < 0;
}

void tg_steps_plan(tg_steps *s, tg_plan *plan)
{
    if (s && plan)
        add(s, PLAN)->plan = plan;
}

void tg_steps_insert(tg_steps *s, int32_t what, const tg_name *name,
                     int32_t required, const char *text, uint32_t len)
{
    int tag = what == TG_INSERT_PARTITION ? TG_INT32
              : what == TG_INSERT_OFFSET || what == TG_INSERT_TIMESTAMP
                  ? TG_INT64
                  : TG_STR;
    step *st;

    if (!s || !name)
        return;
    st = add(s, INSERT);
    st->what = what;
    st->name = name;
    st->schema = tg_schema_of(tag, !required,
                              what == TG_INSERT_TIMESTAMP ? "timestamp" : NULL);
    set_text(st, text, len);
}

void tg_steps_mask(tg_steps *s, const tg_name *name, const char *text,
                   uint32_t len, int32_t forms, int64_t i, double d)
{
    step *st;

    if (!s || !name)
        return;
    st = add(s, MASK);
    st->name = name;
    set_text(st, text, len);
    st->forms = forms;
    st->i = i;
    st->d = d;
}

/* --- sentences ------------------------------------------------------------ */

enum { NO_LOGICAL, DECIMAL, DATE_LIKE };

static int logical(const tg_schema *schema)
{
    static const char prefix[] = "org.apache.kafka.connect.data.";
    const char *name = schema ? schema->name : NULL;

    if (!name || strncmp(name, prefix, sizeof prefix - 1) != 0)
        return NO_LOGICAL;
    name += sizeof prefix - 1;
    if (strcmp(name, "Decimal") == 0)
        return DECIMAL;
    return strcmp(name, "Date") == 0 || strcmp(name, "Time") == 0 ||
                   strcmp(name, "Timestamp") == 0
               ? DATE_LIKE
               : NO_LOGICAL;
}

/* The Java class that Kafka Connect would name. */
static const char *java_class(int tag, const tg_schema *schema)
{
    static const char *const names[] = {
        [TG_BOOL] = "java.lang.Boolean",
        [TG_INT8] = "java.lang.Byte",
        [TG_INT16] = "java.lang.Short",
        [TG_INT32] = "java.lang.Integer",
        [TG_INT64] = "java.lang.Long",
        [TG_FLOAT32] = "java.lang.Float",
        [TG_FLOAT64] = "java.lang.Double",
        [TG_NUM] = "java.lang.Double",
        [TG_STR] = "java.lang.String",
        [TG_ESC] = "java.lang.String",
        [TG_BYTES] = "[B",
        [TG_ARRAY] = "java.util.ArrayList",
        [TG_MAP] = "java.util.HashMap",
        [TG_STRUCT] = "org.apache.kafka.connect.data.Struct",
        [TG_PAIRS] = "java.util.HashMap",
    };
    int kind = logical(schema);

    if (tag <= TG_NULL)
        return "null";
    if (kind == DECIMAL)
        return "java.math.BigDecimal";
    return kind == DATE_LIKE ? "java.util.Date" : names[tag];
}

static bool refuse(tg_record *rec)
{
    tg_record_reject(rec, "%s", tg_ffi_error());
    return false;
}

/* A status of a write: true to go on. */
static bool check(tg_record *rec, int rc)
{
    return rc >= 0 || refuse(rec);
}

/* --- opening -------------------------------------------------------------- */

static tg_node *wrong_kind(const tg_steps *s, tg_record *rec,
                           const tg_cell *cell)
{
    int tag = cell->state == TG_CELL_NULL ? TG_NULL : cell->value.tag;

    tg_record_reject(rec,
                     cell->schema
                         ? "Only Struct objects supported for [%s], found: %s"
                         : "Only Map objects supported in absence of schema "
                           "for [%s], found: %s",
                     s->purpose, java_class(tag, cell->schema));
    return NULL;
}

/* Null fields that have a default get it, as Struct.get() reads them. */
static int fill_defaults(tg_node *node)
{
    const tg_schema *schema = node->shape->schema;
    tg_err *err = tg_err_ffi();

    for (uint32_t i = 0; i < node->n; i++) {
        const tg_schema *field = schema->fields[i].schema;
        tg_value v;
        int rc;

        if (!field->has_default || node->slots[i].tag > TG_NULL)
            continue;
        rc = tg_node_touch(node);
        tg_err_clear(err);
        if (rc == 0 && tg_schema_default_hook)
            rc = tg_schema_default_hook(node, field, &v, err);
        if (rc)
            return rc;
        if (tg_schema_default_hook)
            node->slots[i] = v;
    }
    return 0;
}

/* Decoded or null. */
static bool decode(tg_record *rec, tg_cell *cell)
{
    if (cell->state == TG_CELL_NULL || cell->state == TG_CELL_DECODED ||
        tg_cell_open(cell) >= 0)
        return true;
    return rec->verdict == TG_REJECT ? false : refuse(rec);
}

/* The map or struct of a record; NULL when there is nothing to do for it. */
static tg_node *open_node(const tg_steps *s, tg_record *rec)
{
    tg_cell *cell = s->key ? &rec->key : &rec->value;
    int tag;

    if (!decode(rec, cell))
        return NULL;
    tag = cell->state == TG_CELL_NULL ? TG_NULL : cell->value.tag;
    if (tag == TG_NULL && s->null_passes)
        return NULL;
    if (tag != TG_STRUCT && !(tag == TG_MAP && !cell->schema))
        return wrong_kind(s, rec, cell);
    if (tag == TG_STRUCT && s->defaults &&
        !check(rec, fill_defaults(cell->value.u.node)))
        return NULL;
    return cell->value.u.node;
}

static int32_t find(step *st, const tg_node *node)
{
    const tg_shape *shape = node->shape;

    if (shape->id == 0)
        return tg_slot_find(node, st->name);
    if (shape != st->shape) {
        st->slot = tg_slot_find(node, st->name);
        st->shape = shape;
        st->longer = NULL;
    }
    return st->slot;
}

/* --- constants ------------------------------------------------------------ */

/* The text as a value; one copy of it serves a whole batch. false: the arena
 * is full. */
static bool constant(step *st, tg_batch *batch, tg_value *v)
{
    if (!st->copy || st->copied_in != batch->serial) {
        st->copy = tg_arena_dup(batch->arena, st->text, st->len);
        st->copied_in = batch->serial;
    }
    *v = (tg_value){
        .tag = TG_STR, .flags = TG_F_NEW, .len = st->len, .u.p = st->copy};
    return st->copy != NULL;
}

/* Behind the fields of an object of an interned shape. */
static int append(step *st, tg_batch *batch, tg_node *node, const tg_value *v)
{
    tg_shape *to = st->longer;

    if (!to)
        to = tg_shape_add(batch, node->shape, st->name, NULL);
    if (!to)
        return tg__fail_full(batch);
    if (to->id)
        st->longer = to;
    if (tg_node_touch(node) || tg_node_reserve(node, node->n + 1))
        return TG_ERR_LIMIT;
    node->slots[node->n++] = *v;
    node->shape = to;
    return 0;
}

/* What tg_put_text does with the step's text, shorter where there is no schema
 * to follow. slot: of the last find(). */
static int put_constant(step *st, tg_node *node, int32_t slot)
{
    tg_batch *batch = tg__node_batch(node);
    tg_value *old = slot < 0 ? NULL : &node->slots[slot];
    tg_value v;

    if (!st->utf8 || node->kind != TG_MAP || node->cell->schema ||
        node->shape->id == 0 || (old && old->tag != TG_STR) ||
        !constant(st, batch, &v))
        return tg_put_text(node, slot, st->name, st->text, st->len);
    if (!old)
        return append(st, batch, node, &v);
    if (old->len == v.len && memcmp(old->u.p, v.u.p, v.len) == 0)
        return 0;
    if (tg_node_touch(node))
        return TG_ERR_LIMIT;
    *old = v;
    return 0;
}

/* --- inserting ------------------------------------------------------------ */

static int put_inserted(step *st, const tg_record *rec, tg_node *node,
                        int32_t slot)
{
    switch (st->what) {
    case TG_INSERT_TOPIC:
        return tg_put_text(node, slot, st->name, rec->topic, rec->topiclen);
    case TG_INSERT_PARTITION:
        return rec->partition < 0
                   ? 0
                   : tg_put_int64(node, slot, st->name, rec->partition);
    case TG_INSERT_OFFSET:
        return tg_put_int64(node, slot, st->name, rec->origin_offset);
    case TG_INSERT_TIMESTAMP:
        return rec->timestamp == -1
                   ? 0
                   : tg_put_int64(node, slot, st->name, rec->timestamp);
    default:
        return st->text ? put_constant(st, node, slot)
                        : tg_put_text(node, slot, st->name, NULL, st->len);
    }
}

static bool insert(step *st, tg_record *rec, tg_node *node)
{
    int32_t slot = find(st, node);

    if (st->what == TG_INSERT_OFFSET && !rec->origin_topic) {
        tg_record_reject(rec,
                         "Only SinkRecord supported for [field insertion], "
                         "found: "
                         "org.apache.kafka.connect.source.SourceRecord");
        return false;
    }
    if (node->kind == TG_STRUCT) {
        if (slot >= 0) {
            tg_record_reject(rec,
                             "Cannot create field because of field name "
                             "duplication %s",
                             st->name->text);
            return false;
        }
        slot = tg_add_field(node, st->name, st->schema);
        if (slot < 0)
            return refuse(rec);
    }
    return check(rec, put_inserted(st, rec, node, slot));
}

/* --- masking -------------------------------------------------------------- */

static bool cannot_mask(tg_record *rec, int tag, const tg_schema *schema,
                        bool replaced)
{
    tg_record_reject(rec,
                     replaced ? "Cannot mask value of type class %s with "
                                "custom replacement."
                              : "Cannot mask value of type: class %s",
                     java_class(tag, schema));
    return false;
}

static int64_t narrow(int tag, int64_t i)
{
    switch (tag) {
    case TG_INT8:
        return (int8_t)i;
    case TG_INT16:
        return (int16_t)i;
    case TG_INT32:
        return (int32_t)i;
    default:
        return i;
    }
}

static int put_number(const step *st, tg_node *node, int32_t slot, int tag,
                      const tg_schema *schema)
{
    tg_value text = {.tag = TG_NUM, .len = st->len, .u.p = st->text};

    if (logical(schema) == DECIMAL && st->forms & TG_MASK_JSON)
        return tg_put_copy(node, slot, st->name, &text);
    if (tg_tag_is_int(tag))
        return tg_put_int64(node, slot, st->name, narrow(tag, st->i));
    return tg_put_number(node, slot, st->name, st->d);
}

static bool replace(step *st, tg_record *rec, tg_node *node, int32_t slot,
                    const tg_schema *schema)
{
    int tag = node->slots[slot].tag, kind = logical(schema);
    int form = tg_tag_is_int(tag) ? TG_MASK_INT : TG_MASK_REAL;

    if (tag <= TG_NULL)
        return true;
    if (kind == DATE_LIKE || tag == TG_BOOL ||
        (tag >= TG_BYTES && kind != DECIMAL))
        return cannot_mask(rec, tag, schema, true);
    if (tag == TG_STR || tag == TG_ESC)
        return check(rec, put_constant(st, node, slot));
    if (!(st->forms & form)) {
        tg_record_reject(
            rec, "Unable to convert %s (class java.lang.String) to a number",
            st->text);
        return false;
    }
    return check(rec, put_number(st, node, slot, tag, schema));
}

/* A string becomes the empty one, where there is no schema to ask. */
static int blank(tg_node *node, int32_t slot)
{
    if (node->slots[slot].len == 0)
        return 0;
    if (tg_node_touch(node))
        return TG_ERR_LIMIT;
    node->slots[slot] = (tg_value){.tag = TG_STR, .flags = TG_F_NEW, .u.p = ""};
    return 0;
}

static bool mask(step *st, tg_record *rec, tg_node *node)
{
    int32_t slot = find(st, node);
    const tg_schema *schema;
    int tag;

    if (slot < 0)
        return node->kind != TG_MAP ||
               check(rec, tg_put_null(node, -1, st->name));
    tag = node->slots[slot].tag;
    schema = node->kind == TG_STRUCT ? node->shape->schema->fields[slot].schema
                                     : NULL;
    if (st->text)
        return replace(st, rec, node, slot, schema);
    if (tag == TG_STR && node->kind == TG_MAP && !node->cell->schema)
        return check(rec, blank(node, slot));
    if (logical(schema) == DECIMAL && tag > TG_NULL)
        return check(rec, tg_put_int64(node, slot, st->name, 0));
    if (tag == TG_BYTES || tag == TG_STRUCT)
        return cannot_mask(rec, tag, NULL, false);
    return check(rec, tg_put_zero(node, slot));
}

/* --- applying ------------------------------------------------------------- */

static bool run(step *st, tg_record *rec, tg_node *node)
{
    switch (st->kind) {
    case PLAN:
        return check(rec, tg_plan_apply(st->plan, node));
    case INSERT:
        return insert(st, rec, node);
    default:
        return mask(st, rec, node);
    }
}

int32_t tg_steps_apply(tg_steps *s, tg_batch *batch)
{
    if (!s || !batch)
        return tg__fail(TG_ERR_ARG, "there is no batch to work on");
    for (uint32_t i = batch->lo; i < batch->hi; i++) {
        tg_record *rec = batch->items[i];
        tg_node *node;

        if (rec->verdict != TG_KEEP)
            continue;
        batch->cursor = i;
        node = open_node(s, rec);
        for (uint32_t k = 0; node && k < s->n; k++)
            if (!run(&s->list[k], rec, node))
                break;
    }
    return 0;
}

/* --- hoisting ------------------------------------------------------------- */

static int hoist(tg_cell *cell, const tg_name *name)
{
    tg_value old = cell->value;
    const tg_schema *schema = cell->schema;
    bool null = cell->state == TG_CELL_NULL || old.tag <= TG_NULL;
    int32_t slot = -1;
    tg_node *node;

    if (null && schema && !schema->optional)
        return tg__fail(TG_ERR_DATA,
                        "Invalid value: null used for required field: \"%s\", "
                        "schema type: %s",
                        name->text, tg_schema_type_upper(schema->tag));
    node = tg_cell_put_node(cell, schema ? TG_STRUCT : TG_MAP);
    if (!node)
        return TG_ERR_LIMIT;
    if (schema)
        slot = tg_add_field(node, name, schema);
    if (schema && (slot < 0 || null))
        return slot;
    return null ? tg_put_null(node, slot, name)
                : tg_put_copy(node, slot, name, &old);
}

int32_t tg_steps_hoist(tg_batch *batch, int32_t side, const tg_name *name)
{
    if (!batch || !name)
        return tg__fail(TG_ERR_ARG, "there is no batch to work on");
    for (uint32_t i = batch->lo; i < batch->hi; i++) {
        tg_record *rec = batch->items[i];
        tg_cell *cell = side == TG_KEY ? &rec->key : &rec->value;

        if (rec->verdict != TG_KEEP)
            continue;
        batch->cursor = i;
        if (decode(rec, cell))
            check(rec, hoist(cell, name));
    }
    return 0;
}
