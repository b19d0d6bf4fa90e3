/*
 * Writing the slots of a node. Every write goes the same way: find the place
 * (bounds, name, schema), ask fit.c what the value becomes there (or that it is
 * equal to what is there), mark the path as changed and save it for undo, then
 * store. In a tree with a schema a changed struct gives its parents and the
 * cell a new schema too. Arguments come from scripts and are not trusted.
 * Script thread.
 */
#include "data/internal.h"

/* --- places --------------------------------------------------------------- */

static int bad_slot(const tg_node *node, int32_t slot)
{
    if (!node)
        return tg__fail(TG_ERR_ARG, "there is no object or array to write to");
    return tg__fail(TG_ERR_ARG,
                    "slot %d is not one of the %u of this %s; names are needed "
                    "to add fields, and elements are added at the end",
                    slot, node->n, node->kind == TG_ARRAY ? "array" : "object");
}

/* Slot of a field to write: an existing one or node->n for a new one. */
static int locate_field(const tg_node *node, int32_t slot, const tg_name *name,
                        tg_place *at)
{
    if (slot < 0 && name)
        slot = tg_shape_find(node->shape, name);
    else if (slot < 0 || (uint32_t)slot >= node->n)
        return bad_slot(node, slot);
    at->slot = slot < 0 ? node->n : (uint32_t)slot;
    at->name = slot < 0 ? name : node->shape->names[slot];
    return 0;
}

static int locate(tg_node *node, int32_t slot, const tg_name *name,
                  tg_place *at)
{
    *at = (tg_place){.node = node};
    if (!node || !node->cell)
        return bad_slot(NULL, slot);
    at->cell = node->cell;
    if (node->kind == TG_MAP || node->kind == TG_STRUCT) {
        if (slot < -1 || locate_field(node, slot, name, at))
            return bad_slot(node, slot);
    } else {
        bool append = node->kind == TG_ARRAY;
        if (slot < 0 || (uint32_t)slot >= node->n + append ||
            (!append && slot % 2 == 0))
            return bad_slot(node, slot);
        at->slot = (uint32_t)slot;
    }
    if (at->slot < node->n)
        at->old = &node->slots[at->slot];
    if (!node->cell->schema && node->kind != TG_STRUCT)
        return 0;
    const tg_schema *s = tg_node_schema(node);
    at->typed = s != NULL;
    if (s && node->kind != TG_STRUCT)
        at->schema = s->value;
    else if (s && at->old)
        at->schema = s->fields[at->slot].schema;
    return 0;
}

/* --- storing -------------------------------------------------------------- */

/* Schema of a new field or of the first element; NULL for null of none. */
static const tg_schema *new_schema(const tg_place *at, const tg_value *v)
{
    return at->from ? tg_schema_optional(at->from, true) : tg__schema_infer(v);
}

static int append_element(const tg_place *at, const tg_value *v)
{
    tg_node *node = at->node;

    if (node->n == UINT32_MAX / 2 || tg_node_reserve(node, node->n + 1))
        return TG_ERR_LIMIT;
    node->slots[node->n++] = *v;
    if (at->typed && !at->schema) {
        const tg_schema *s = tg_node_schema(node);
        const tg_schema *item = new_schema(at, v);
        if (s && item)
            tg__schema_follow(node, tg_schema_items(s, item));
    }
    return 0;
}

/* field: schema of the new field, NULL in a map. The node was touched. */
static int append_field(tg_node *node, const tg_name *name,
                        const tg_schema *field, const tg_value *v)
{
    tg_batch *batch = tg__node_batch(node);
    tg_shape *shape = node->shape;

    if (tg_node_reserve(node, node->n + 1))
        return TG_ERR_LIMIT;
    if (node->kind != TG_STRUCT) {
        shape = tg_shape_add(batch, shape, name, NULL);
        if (!shape)
            return tg__fail_full(batch);
    }
    node->slots[node->n++] = *v;
    if (node->kind == TG_STRUCT)
        tg__node_retype(node, tg_schema_with(shape->schema, name, field));
    else
        node->shape = shape;
    return 0;
}

/* Writes v, whose text may still be the script's. */
static int store(const tg_place *at, tg_value *v)
{
    tg_node *node = at->node;

    if (tg_node_touch(node) || tg__value_own(tg__node_batch(node), v))
        return TG_ERR_LIMIT;
    if (at->old) {
        node->slots[at->slot] = *v;
        return 0;
    }
    if (node->kind == TG_ARRAY)
        return append_element(at, v);
    return append_field(node, at->name, at->typed ? new_schema(at, v) : NULL,
                        v);
}

/* rc: what a tg__fit_* said. */
static int finish(const tg_place *at, int rc, tg_value *v)
{
    return rc > 0 ? store(at, v) : rc;
}

/* --- scalars -------------------------------------------------------------- */

int32_t tg_put_null(tg_node *node, int32_t slot, const tg_name *name)
{
    tg_place at;
    tg_value v;
    int rc = locate(node, slot, name, &at);

    return rc ? rc : finish(&at, tg__fit_null(&at, &v), &v);
}

int32_t tg_put_bool(tg_node *node, int32_t slot, const tg_name *name, int32_t b)
{
    tg_place at;
    tg_value v;
    int rc = locate(node, slot, name, &at);

    return rc ? rc : finish(&at, tg__fit_bool(&at, b != 0, &v), &v);
}

int32_t tg_put_number(tg_node *node, int32_t slot, const tg_name *name,
                      double d)
{
    tg_place at;
    tg_value v;
    int rc = locate(node, slot, name, &at);

    return rc ? rc : finish(&at, tg__fit_number(&at, d, &v), &v);
}

int32_t tg_put_int64(tg_node *node, int32_t slot, const tg_name *name,
                     int64_t i)
{
    tg_place at;
    tg_value v;
    int rc = locate(node, slot, name, &at);

    return rc ? rc : finish(&at, tg__fit_int64(&at, i, &v), &v);
}

int32_t tg_put_text(tg_node *node, int32_t slot, const tg_name *name,
                    const char *p, uint32_t len)
{
    tg_place at;
    tg_value v;
    int rc = locate(node, slot, name, &at);

    if (!rc && !p && len)
        rc = tg__fail(TG_ERR_ARG, "there is no text to write");
    return rc ? rc : finish(&at, tg__fit_text(&at, p, len, &v), &v);
}

int32_t tg_put_bytes(tg_node *node, int32_t slot, const tg_name *name,
                     const char *p, uint32_t len)
{
    tg_place at;
    tg_value v;
    int rc = locate(node, slot, name, &at);

    if (!rc && !p && len)
        rc = tg__fail(TG_ERR_ARG, "there are no bytes to write");
    return rc ? rc : finish(&at, tg__fit_bytes(&at, p, len, &v), &v);
}

/* --- containers ----------------------------------------------------------- */

static tg_node *put_node(const tg_place *at, int kind)
{
    tg_value v;
    int rc = tg__fit_node(at, kind, &v);

    if (rc < 0 || (rc > 0 && store(at, &v)))
        return NULL;
    return v.u.node;
}

tg_node *tg_put_node(tg_node *node, int32_t slot, const tg_name *name,
                     int32_t kind)
{
    tg_place at;

    if (kind != TG_ARRAY && kind != TG_MAP && kind != TG_STRUCT) {
        tg__fail(TG_ERR_ARG, "kind %d is no array, map or struct", kind);
        return NULL;
    }
    if (locate(node, slot, name, &at))
        return NULL;
    return put_node(&at, kind);
}

/* Schema of slot i of a container; is: of the container. */
static const tg_schema *part_of(const tg_node *from, const tg_schema *is,
                                uint32_t i)
{
    if (from->kind == TG_STRUCT)
        return from->shape->schema->fields[i].schema;
    return is ? is->value : NULL;
}

/* Fills an empty container that the schema asks for from one of any kind, which
 * has the schema is (NULL: none). */
static int fill(tg_node *to, const tg_node *from, const tg_schema *is)
{
    for (uint32_t i = 0; i < from->n; i++) {
        const tg_value *v = &from->slots[i];
        const tg_name *name = NULL;
        int32_t slot = (int32_t)i;
        if (v->tag == TG_ABSENT)
            continue;
        if (from->kind != TG_ARRAY) {
            name = from->shape->names[i];
            if (name->id == 0)
                name = tg_name_intern(name->text, name->len);
            if (!name)
                return tg_err_ffi()->code;
            slot = tg_slot_find(to, name);
        }
        int rc = tg_put_copy_as(to, slot, name, v, part_of(from, is, i));
        if (rc)
            return rc;
    }
    return 0;
}

/* A container into a tree with a schema that is not the container's own (is,
 * NULL: none). */
static int put_converted(const tg_place *at, const tg_value *v,
                         const tg_schema *is)
{
    tg_value own;

    if (v->tag == TG_PAIRS)
        return tg__fail(TG_ERR_DATA,
                        "a map whose keys are not strings cannot be copied to "
                        "%s",
                        tg__place_text(at));
    int rc = tg_value_copy(tg__node_batch(at->node), at->cell, NULL, v, &own);
    if (rc)
        return rc;
    tg_node *to = put_node(at, v->tag == TG_ARRAY ? TG_ARRAY : TG_MAP);
    return to ? fill(to, own.u.node, is) : tg_err_ffi()->code;
}

static bool holds_decimals(const tg_schema *s)
{
    return s && (tg__is_decimal(s) || holds_decimals(s->value));
}

static int copy_container(const tg_place *at, const tg_value *from)
{
    const tg_schema *is =
        from->tag == TG_STRUCT ? from->u.node->shape->schema : at->from;
    const tg_schema *want = at->schema;
    tg_place to = *at;
    tg_value v;

    if (at->typed && !want && is)
        want = tg_schema_optional(is, true);
    bool same = is && want && tg_schema_optional(is, want->optional) == want;
    if (at->old && (same || !is || !at->typed) && tg_value_equal(at->old, from))
        return 0;
    if (at->typed ? !same : from->tag != TG_STRUCT && holds_decimals(is))
        return put_converted(at, from, is);
    int rc =
        tg_value_copy(tg__node_batch(at->node), at->cell, at->node, from, &v);
    if (rc)
        return rc;
    if (at->typed && v.tag == TG_STRUCT)
        v.u.node->shape = tg_shape_of_schema(want);
    to.from = is;
    return store(&to, &v);
}

int32_t tg_put_copy_as(tg_node *node, int32_t slot, const tg_name *name,
                       const tg_value *v, const tg_schema *schema)
{
    tg_place at;
    tg_value out;
    int rc = locate(node, slot, name, &at);

    if (!rc && !v)
        rc = tg__fail(TG_ERR_ARG, "there is no value to copy");
    if (rc)
        return rc;
    tg_value from = *v; /* may lie in the slots that are about to move */
    at.from = schema;
    if (tg_tag_is_node(from.tag))
        return copy_container(&at, &from);
    return finish(&at, tg__fit_scalar(&at, &from, &out), &out);
}

/* Schema of a container that lives in a record. */
static const tg_schema *own_schema(const tg_value *v)
{
    if (!v || !tg_tag_is_node(v->tag) || !v->u.node->cell)
        return NULL;
    return tg_node_schema(v->u.node);
}

int32_t tg_put_copy(tg_node *node, int32_t slot, const tg_name *name,
                    const tg_value *v)
{
    return tg_put_copy_as(node, slot, name, v, own_schema(v));
}

int32_t tg_put_slot(tg_node *node, int32_t slot, const tg_name *name,
                    const tg_node *from, int32_t from_slot)
{
    if (!from || from_slot < 0 || (uint32_t)from_slot >= from->n)
        return bad_slot(from, from_slot);
    return tg_put_copy_as(node, slot, name, &from->slots[from_slot],
                          tg_slot_schema(from, from_slot));
}

/* --- fields --------------------------------------------------------------- */

static void close_gap(tg_node *node, uint32_t at, uint32_t n)
{
    memmove(node->slots + at, node->slots + at + n,
            (size_t)(node->n - at - n) * sizeof *node->slots);
    node->n -= n;
}

int32_t tg_delete(tg_node *node, int32_t slot)
{
    if (!node || !node->cell || slot < 0 || (uint32_t)slot >= node->n)
        return bad_slot(node, slot);
    if (tg_node_touch(node))
        return TG_ERR_LIMIT;
    if (node->kind == TG_ARRAY || node->kind == TG_PAIRS) {
        bool pairs = node->kind == TG_PAIRS;
        close_gap(node, (uint32_t)(pairs ? slot & ~1 : slot), 1u + pairs);
        return 0;
    }
    if (node->kind == TG_STRUCT) {
        close_gap(node, (uint32_t)slot, 1);
        tg__node_retype(node,
                        tg_schema_without(node->shape->schema, (uint32_t)slot));
        return 0;
    }
    tg_batch *batch = tg__node_batch(node);
    tg_shape *shape = tg_shape_drop(batch, node->shape, (uint32_t)slot);
    if (!shape)
        return tg__fail_full(batch);
    close_gap(node, (uint32_t)slot, 1);
    node->shape = shape;
    return 0;
}

int32_t tg_rename(tg_node *node, int32_t slot, const tg_name *name)
{
    if (!node || !node->cell || slot < 0 || (uint32_t)slot >= node->n ||
        !name || (node->kind != TG_MAP && node->kind != TG_STRUCT))
        return bad_slot(node, slot);
    int32_t other = tg_shape_find(node->shape, name);
    if (other == slot)
        return 0;
    if (tg_node_touch(node))
        return TG_ERR_LIMIT;
    if (other >= 0) {
        int rc = tg_delete(node, other);
        if (rc)
            return rc;
        slot -= other < slot;
    }
    if (node->kind == TG_STRUCT) {
        tg__node_retype(
            node, tg_schema_renamed(node->shape->schema, (uint32_t)slot, name));
        return 0;
    }
    tg_batch *batch = tg__node_batch(node);
    tg_shape *shape = tg_shape_rename(batch, node->shape, (uint32_t)slot, name);
    if (!shape)
        return tg__fail_full(batch);
    node->shape = shape;
    return 0;
}

int32_t tg_add_field(tg_node *node, const tg_name *name,
                     const tg_schema *schema)
{
    static const tg_value null = {.tag = TG_NULL, .flags = TG_F_NEW};

    if (!node || !node->cell || !name ||
        (node->kind != TG_MAP && node->kind != TG_STRUCT))
        return tg__fail(TG_ERR_ARG,
                        "a field can be added to a map or struct only");
    int32_t slot = tg_shape_find(node->shape, name);
    if (slot >= 0 && node->kind == TG_MAP)
        return slot;
    if (slot >= 0)
        return tg__fail(TG_ERR_DATA,
                        "Cannot create field because of field name duplication "
                        "%s; choose another name or remove the field first",
                        name->text);
    if (node->kind == TG_STRUCT && !schema)
        return tg__fail(TG_ERR_ARG, "field \"%s\" of a struct needs a schema",
                        name->text);
    if (tg_node_touch(node) || append_field(node, name, schema, &null))
        return TG_ERR_LIMIT;
    return (int32_t)node->n - 1;
}

int32_t tg_field_kind(const tg_node *node, int32_t slot)
{
    if (!node || node->kind != TG_STRUCT || slot < 0 ||
        (uint32_t)slot >= node->n)
        return 0;
    return node->shape->schema->fields[slot].schema->tag;
}

/* --- masks ---------------------------------------------------------------- */

static int empty_container(tg_node *node)
{
    if (node->n == 0)
        return 0;
    if (tg_node_touch(node))
        return TG_ERR_LIMIT;
    node->n = 0;
    if (node->kind == TG_MAP)
        node->shape = tg_shape_empty();
    return 0;
}

int32_t tg_put_zero(tg_node *node, int32_t slot)
{
    tg_value v = {.flags = TG_F_NEW};
    tg_place at;

    if (!node || slot < 0 || (uint32_t)slot >= node->n)
        return bad_slot(node, slot);
    int rc = locate(node, slot, NULL, &at);
    if (rc)
        return rc;
    v.tag = at.old->tag;
    switch (at.old->tag) {
    case TG_ABSENT:
    case TG_NULL:
        return 0;
    case TG_STR:
    case TG_ESC:
        return tg_put_text(node, slot, NULL, "", 0);
    case TG_ARRAY:
    case TG_MAP:
    case TG_PAIRS:
        return empty_container(at.old->u.node);
    case TG_BYTES:
    case TG_STRUCT:
        return tg__fail(TG_ERR_DATA,
                        "Cannot mask value of type: %s (%s); name fields that "
                        "hold numbers, strings, booleans, arrays or maps",
                        tg_schema_type_upper(at.old->tag), tg__place_text(&at));
    case TG_NUM:
        if (tg__number(at.old) == 0)
            return 0;
        if (at.schema && tg_tag_is_float(at.schema->tag))
            v.tag = at.schema->tag;
        else
            v.tag = tg__text_integral(at.old->u.p, at.old->len) ? TG_INT64
                                                                : TG_FLOAT64;
        break;
    default: /* booleans, integers and floats: all bits zero */
        if (at.old->u.i == 0)
            return 0;
    }
    return store(&at, &v);
}
