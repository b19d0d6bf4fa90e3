/*
 * JSON -> values of a Connect schema, with what JsonSchemaConverter does
 * otherwise than JsonConverter: unions are the value alone, maps with other
 * keys than texts are arrays of {"key","value"}, a required property may be
 * missing, "anything" is the text itself. A value of another type than its
 * schema is refused. Script thread.
 */
#include "convert/internal.h"
#include "convert/json_scan.h"
#include "convert/jsonschema.h"
#include "convert/map_build.h"

static int read_value(tg_json_in *in, tg_value *out, tg_node *parent,
                      tg_site *site, const tg_schema *schema);

static int mismatch(tg_json_in *in, const char *at, const tg_schema *schema,
                    const char *wanted)
{
    char c = at < in->end ? *at : 0;
    const char *found = c == '{'   ? "an object"
                        : c == '[' ? "an array"
                        : c == '"' ? "a string"
                                   : "a scalar";
    return tg__json_misfit(in, at, "found %s where the schema says %s%s", found,
                           wanted, schema->optional ? " or null" : "");
}

static tg_node *new_node(tg_json_in *in, int kind, tg_shape *shape, uint32_t n,
                         tg_node *parent, tg_value *out)
{
    tg_node *node = tg_node_new(in->batch, kind, shape, n);
    if (!node) {
        tg__json_no_room(in);
        return NULL;
    }
    node->parent = parent;
    node->cell = in->cell;
    node->n = 0;
    tg__json_set(out, (uint8_t)kind, 0);
    out->u.node = node;
    return node;
}

/* The character that opens a container, and white space. */
static void opened(tg_json_in *in)
{
    in->p++;
    tg__json_ws(in);
}

/* ',' or the end behind a member: 1 when another one follows. */
static int more(tg_json_in *in, char end, const char *expected)
{
    tg__json_ws(in);
    char c = in->p < in->end ? *in->p : 0;
    if (c != ',' && c != end)
        return tg__json_fail(in, in->p, expected);
    in->p++;
    if (c == end)
        return 0;
    tg__json_ws(in);
    return 1;
}

static bool closes(tg_json_in *in, char end)
{
    if (in->p == in->end || *in->p != end)
        return false;
    in->p++;
    return true;
}

/* --- structs -------------------------------------------------------------- */

/* A property that is not there: its default, or null even if it is required. */
static int read_missing(tg_json_in *in, tg_value *out, tg_node *parent,
                        const tg_schema *schema)
{
    tg__json_set(out, TG_NULL, 0);
    if (!schema->has_default)
        return 0;
    tg_json_in of = *in;
    of.start = of.p = schema->default_json;
    of.end = of.p + strlen(of.p);
    return tg__json_typed(&of, out, parent, tg__json_wild_site(), schema);
}

/* Slot of the key at in->p, moved behind the colon; node->n when the schema
 * does not have it; negative on error. */
static int64_t find_field(tg_json_in *in, tg_node *node, uint32_t expected)
{
    const char *text;
    uint32_t len;
    if (expected < node->n && tg__json_key_is(in, node->shape->names[expected]))
        return expected;
    int rc = tg__json_key_text(in, &text, &len);
    if (rc)
        return rc;
    int32_t slot = tg_slot_find_text(node, text, len);
    return slot < 0 ? (int64_t)node->n : slot;
}

static int read_members(tg_json_in *in, tg_node *node, const tg_schema *schema)
{
    uint32_t expected = 0;
    int again = 1;
    while (again > 0) {
        int64_t i = find_field(in, node, expected);
        if (i < 0)
            return (int)i;
        int rc;
        if (i == node->n) {
            rc = tg__json_skip(in);
        } else {
            rc = read_value(in, &node->slots[i], node,
                            tg_shape_site(node->shape, (uint32_t)i),
                            schema->fields[i].schema);
            if (rc)
                tg__converter_in(in->err, "field \"%s\"",
                                 node->shape->names[i]->text);
            expected = (uint32_t)i + 1;
        }
        if (rc)
            return rc;
        again = more(in, '}', "',' or '}' after a member");
    }
    return again;
}

static int read_struct(tg_json_in *in, tg_value *out, tg_node *parent,
                       const tg_schema *schema)
{
    tg_shape *shape = tg_shape_of_schema(schema);
    tg_node *node = new_node(in, TG_STRUCT, shape, shape->n, parent, out);
    if (!node)
        return TG_ERR_LIMIT;
    node->n = shape->n;
    memset(node->slots, 0, shape->n * sizeof *node->slots);
    opened(in);
    int rc = closes(in, '}') ? 0 : read_members(in, node, schema);
    for (uint32_t i = 0; !rc && i < node->n; i++)
        if (node->slots[i].tag == TG_ABSENT)
            rc = read_missing(in, &node->slots[i], node,
                              schema->fields[i].schema);
    return rc;
}

/* --- arrays and maps ------------------------------------------------------ */

static int read_array(tg_json_in *in, tg_value *out, tg_node *parent,
                      tg_site *site, const tg_schema *schema)
{
    tg_node *node = new_node(in, TG_ARRAY, tg_shape_array(), 4, parent, out);
    if (!node)
        return TG_ERR_LIMIT;
    opened(in);
    int again = !closes(in, ']');
    while (again > 0) {
        if (tg__slots_grow(in->batch, node, 1))
            return tg__json_no_room(in);
        int rc =
            read_value(in, &node->slots[node->n], node, site, schema->value);
        if (rc) {
            tg__converter_in(in->err, "element %u", node->n + 1);
            return rc;
        }
        node->n++;
        again = more(in, ']', "',' or ']' after an element");
    }
    return again;
}

static int map_members(tg_json_in *in, tg_map_build *m, const tg_schema *schema)
{
    int again = !closes(in, '}');
    while (again > 0) {
        const char *key;
        uint32_t len;
        tg_site *below;
        tg_value v;
        bool bad;
        int rc = tg__json_key_text(in, &key, &len);
        if (rc)
            return rc;
        tg_value *slot = tg__map_key(m, key, len, &below, &bad);
        if (!slot)
            return tg__json_no_room(in);
        rc = read_value(in, &v, m->node, below, schema->value);
        if (rc)
            return rc;
        m->node->slots[m->node->n - 1] = v;
        again = more(in, '}', "',' or '}' after a member");
    }
    return again;
}

/* One {"key":...,"value":...}. */
static int read_entry(tg_json_in *in, tg_node *parent, tg_site *site,
                      const tg_schema *schema, tg_value *pair)
{
    const char *at = in->p;
    if (in->p == in->end || *in->p != '{')
        return mismatch(in, at, schema, "the entries of a map as objects");
    opened(in);
    tg__json_set(&pair[0], TG_ABSENT, 0);
    tg__json_set(&pair[1], TG_ABSENT, 0);
    int again = !closes(in, '}');
    while (again > 0) {
        const char *key;
        uint32_t len;
        int rc = tg__json_key_text(in, &key, &len);
        bool is_key = len == 3 && memcmp(key, "key", 3) == 0;
        if (!rc && !is_key && (len != 5 || memcmp(key, "value", 5) != 0))
            rc = tg__json_misfit(in, at,
                                 "the entry of a map has a member that"
                                 " is neither \"key\" nor \"value\"");
        if (!rc)
            rc = read_value(in, &pair[!is_key], parent, site,
                            is_key ? schema->key : schema->value);
        if (rc)
            return rc;
        again = more(in, '}', "',' or '}' after a member");
    }
    if (!again && (pair[0].tag == TG_ABSENT || pair[1].tag == TG_ABSENT))
        return tg__json_misfit(in, at,
                               "the entry of a map needs \"key\" and"
                               " \"value\"");
    return again;
}

static int text_entry(tg_json_in *in, tg_map_build *m, const tg_value *pair)
{
    uint32_t len;
    tg_site *below;
    bool bad;
    if (pair[0].tag == TG_NULL)
        return tg__json_misfit(in, in->p,
                               "the key of a map with texts as keys is null");
    const char *key = tg_value_text(in->batch, &pair[0], &len);
    tg_value *slot = key ? tg__map_key(m, key, len, &below, &bad) : NULL;
    if (!slot)
        return tg__json_no_room(in);
    *slot = pair[1];
    return 0;
}

static int pair_entry(tg_json_in *in, tg_node *node, const tg_value *pair)
{
    if (tg__slots_grow(in->batch, node, 2))
        return tg__json_no_room(in);
    node->slots[node->n++] = pair[0];
    node->slots[node->n++] = pair[1];
    return 0;
}

/* Entries into m (text keys) or into node. */
static int read_entries(tg_json_in *in, tg_map_build *m, tg_node *node,
                        tg_site *site, const tg_schema *schema)
{
    tg_value pair[2];
    opened(in);
    int again = !closes(in, ']');
    while (again > 0) {
        int rc = read_entry(in, node, site, schema, pair);
        if (!rc)
            rc = m ? text_entry(in, m, pair) : pair_entry(in, node, pair);
        if (rc)
            return rc;
        again = more(in, ']', "',' or ']' after an entry");
    }
    return again;
}

static int read_text_map(tg_json_in *in, tg_value *out, tg_node *parent,
                         tg_site *site, const tg_schema *schema)
{
    tg_map_build m;
    bool object = *in->p == '{';
    if (tg__map_begin(&m, in->batch, in->cell, parent, site))
        return tg__json_no_room(in);
    int rc;
    if (object) {
        opened(in);
        rc = map_members(in, &m, schema);
    } else {
        rc = read_entries(in, &m, m.node, site, schema);
    }
    if (rc) {
        tg__map_drop(&m);
        return rc;
    }
    if (tg__map_end(&m))
        return tg__json_no_room(in);
    tg__json_set(out, TG_MAP, 0);
    out->u.node = m.node;
    return 0;
}

static int read_map(tg_json_in *in, tg_value *out, tg_node *parent,
                    tg_site *site, const tg_schema *schema)
{
    if (schema->key->tag == TG_STR)
        return read_text_map(in, out, parent, site, schema);
    tg_node *node = new_node(in, TG_PAIRS, tg_shape_array(), 8, parent, out);
    return node ? read_entries(in, NULL, node, site, schema) : TG_ERR_LIMIT;
}

/* --- unions --------------------------------------------------------------- */

/* How many properties of an object the struct knows, those of structs inside
 * included. */
static uint32_t count_known(const tg_node *node, const tg_schema *schema,
                            int depth)
{
    uint32_t n = 0;
    if (schema->tag != TG_STRUCT || depth > 64)
        return 0;
    for (uint32_t i = 0; i < schema->nfields; i++) {
        const tg_name *name = schema->fields[i].name;
        int32_t slot = tg_slot_find_text(node, name->text, name->len);
        if (slot < 0)
            continue;
        n++;
        if (node->slots[slot].tag == TG_MAP)
            n += count_known(node->slots[slot].u.node, schema->fields[i].schema,
                             depth + 1);
    }
    return n;
}

static bool scalar_is(const tg_value *v, const tg_schema *s)
{
    bool whole = v->tag == TG_INT64;
    if (v->tag == TG_NUM) {
        whole = true;
        for (uint32_t i = 0; i < v->len; i++)
            whole &= v->u.p[i] == '-' || (v->u.p[i] >= '0' && v->u.p[i] <= '9');
    }
    bool number = v->tag == TG_INT64 || v->tag == TG_NUM;
    bool text = v->tag == TG_STR || v->tag == TG_ESC;
    switch (s->tag) {
    case TG_INT8:
    case TG_INT16:
    case TG_INT32:
    case TG_INT64:
        return whole;
    case TG_FLOAT32:
    case TG_FLOAT64:
        return number;
    case TG_BOOL:
        return v->tag == TG_BOOL;
    case TG_STR:
        return text;
    case TG_BYTES:
        return number && !whole;
    case TG_ARRAY:
        return v->tag == TG_ARRAY;
    case TG_MAP:
        return v->tag == TG_MAP || v->tag == TG_ARRAY;
    default:
        return false;
    }
}

/* The member of a union for a value, as Confluent chooses it; beyond that, text
 * for bytes. nfields: none. */
static uint32_t choose(const tg_value *v, const tg_schema *schema)
{
    uint32_t best = schema->nfields, most = 0;
    for (uint32_t i = 0; i < schema->nfields; i++) {
        const tg_schema *s = schema->fields[i].schema;
        if (tg_js_is_any(s) || scalar_is(v, s))
            return i;
        uint32_t n = v->tag == TG_MAP ? count_known(v->u.node, s, 0) : 0;
        if (n > most) {
            most = n;
            best = i;
        }
    }
    for (uint32_t i = 0; best == schema->nfields && i < schema->nfields; i++) {
        const tg_schema *s = schema->fields[i].schema;
        bool text = v->tag == TG_STR || v->tag == TG_ESC;
        if ((s->tag == TG_BYTES && text) ||
            (s->tag == TG_STRUCT && (s->nfields == 0 || tg_js_is_union(s)) &&
             v->tag == TG_MAP))
            return i;
    }
    return best;
}

static int read_union(tg_json_in *in, tg_value *out, tg_node *parent,
                      const tg_schema *schema)
{
    tg_json_in look = *in;
    const char *at = in->p;
    tg_value v;
    tg_shape *shape = tg_shape_of_schema(schema);
    int rc = tg__json_value(&look, &v, NULL, tg__json_wild_site());
    if (rc)
        return rc;
    uint32_t i = choose(&v, schema);
    if (i == schema->nfields)
        return tg__json_misfit(in, at,
                               "the value fits none of the schemas of a oneOf");
    tg_node *node = new_node(in, TG_STRUCT, shape, shape->n, parent, out);
    if (!node)
        return TG_ERR_LIMIT;
    node->n = shape->n;
    for (uint32_t j = 0; j < node->n; j++)
        tg__json_set(&node->slots[j], TG_NULL, 0);
    return read_value(in, &node->slots[i], node, tg_shape_site(shape, i),
                      schema->fields[i].schema);
}

/* --- any value ------------------------------------------------------------ */

static int read_any(tg_json_in *in, tg_value *out)
{
    const char *at = in->p;
    int rc = tg__json_skip(in);
    tg__json_set(out, TG_STR, 0);
    out->flags = TG_F_NEW;
    out->len = (uint32_t)(in->p - at);
    out->u.p = at;
    return rc;
}

static int read_null(tg_json_in *in, const char *at, tg_value *out,
                     tg_node *parent, const tg_schema *schema)
{
    int rc = tg__json_scalar(in, out);
    if (rc || schema->has_default)
        return rc ? rc : read_missing(in, out, parent, schema);
    if (schema->optional)
        return 0;
    return tg__json_misfit(in, at, "null for a required %s",
                           tg_schema_type_name(schema->tag));
}

static int read_container(tg_json_in *in, tg_value *out, tg_node *parent,
                          tg_site *site, const tg_schema *schema)
{
    char c = in->p < in->end ? *in->p : 0;
    if (tg_js_is_union(schema))
        return read_union(in, out, parent, schema);
    if (schema->tag == TG_ARRAY)
        return c == '[' ? read_array(in, out, parent, site, schema)
                        : mismatch(in, in->p, schema, "an array");
    if (schema->tag == TG_STRUCT)
        return c == '{' ? read_struct(in, out, parent, schema)
                        : mismatch(in, in->p, schema, "an object");
    if (c == (tg_js_is_object(schema) ? '{' : '['))
        return read_map(in, out, parent, site, schema);
    return mismatch(in, in->p, schema,
                    tg_js_is_object(schema) ? "an object"
                                            : "a map as an array of entries");
}

static int read_value(tg_json_in *in, tg_value *out, tg_node *parent,
                      tg_site *site, const tg_schema *schema)
{
    const char *at = in->p;
    if (at < in->end && *at == 'n')
        return read_null(in, at, out, parent, schema);
    if (tg_js_is_any(schema))
        return read_any(in, out);
    if (schema->tag < TG_ARRAY)
        return tg__json_typed(in, out, parent, site, schema);
    if (++in->depth > TG_MAX_DEPTH)
        return tg__json_too_deep(in);
    int rc = read_container(in, out, parent, site, schema);
    in->depth--;
    return rc;
}

int tg_js_decode(const tg_schema *schema, const char *p, size_t len,
                 tg_batch *batch, tg_cell *cell, tg_site *site, tg_err *err)
{
    tg_json_in in = {.start = p,
                     .p = p,
                     .end = p + len,
                     .batch = batch,
                     .cell = cell,
                     .err = err,
                     .defaults = true};
    tg__json_ws(&in);
    int rc = read_value(&in, &cell->value, NULL, site, schema);
    if (rc)
        return rc;
    tg__json_ws(&in);
    if (in.p != in.end)
        return tg__json_fail(&in, in.p, "nothing after the end of the value");
    cell->schema = schema;
    return 0;
}
