/*
 * Protobuf bytes -> structs, by a plan (protobuf_plan.c).
 *
 * Fields are expected in the order of their numbers: one comparison each, a
 * table or a search for the others. A message or map that comes in parts is
 * joined as Protobuf says: the second part makes the field be read again, whole
 * and from the start of the message, so that every byte is looked at a bounded
 * number of times. Unknown fields are passed over. Script thread.
 */
#include "convert/internal.h"
#include "convert/json_scan.h"
#include "convert/map_build.h"
#include "convert/protobuf_read.h"

enum { STACK_STATE = 64 };

/* --- errors --------------------------------------------------------------- */

int tg__pb_malformed(tg_pb_reading *r, const char *at, const tg_pb_field *f)
{
    return tg_err_set(r->err, TG_ERR_DATA,
                      "malformed Protobuf at byte %zu%s%s: a key, length or"
                      " value is cut off or impossible",
                      (size_t)(at - r->start), f ? " of field " : "",
                      f ? f->field->name : "");
}

int tg__pb_full(tg_pb_reading *r)
{
    return tg__converter_full(r->err);
}

static int within_field(tg_pb_reading *r, const tg_pb_field *f, int rc)
{
    tg__converter_in(r->err, "field \"%s\"", f->field->name);
    return rc;
}

/* --- scalars -------------------------------------------------------------- */

static inline void set_real(tg_value *out, uint8_t tag, double d)
{
    tg__pb_set(out, tag, 0);
    out->u.d = d;
}

static int set_enum(tg_pb_reading *r, const tg_pb_field *f, int32_t n,
                    tg_value *out)
{
    const tg_proto_constant *c = f->field->enumeration->first;
    while (c && c->number != n)
        c = c->next;
    if (!c && f->closed)
        return 1;
    tg__pb_set(out, f->tag, n);
    if (f->tag != TG_STR)
        return 0;
    if (c) {
        out->u.p = c->name;
        out->len = (uint32_t)strlen(c->name);
        return 0;
    }
    char text[32];
    const char *name = f->field->enumeration->name;
    int tail = snprintf(text, sizeof text, "_%d", n);
    static const char head[] = "UNKNOWN_ENUM_VALUE_";
    size_t len = sizeof head - 1 + strlen(name) + (size_t)tail;
    char *p = tg_arena_alloc(r->batch->arena, len + 1);
    if (!p)
        return tg__pb_full(r);
    snprintf(p, len + 1, "%s%s%s", head, name, text);
    out->u.p = p;
    out->len = (uint32_t)len;
    return 0;
}

static int narrow(tg_pb_reading *r, const tg_pb_field *f, int64_t i,
                  tg_value *out)
{
    if ((f->tag == TG_INT8 && i != (int8_t)i) ||
        (f->tag == TG_INT16 && i != (int16_t)i))
        return tg_err_set(r->err, TG_ERR_DATA, "%lld does not fit into %s",
                          (long long)i, tg_schema_type_name(f->tag));
    tg__pb_set(out, f->tag, i);
    return 0;
}

static int read_varint(tg_pb_reading *r, const tg_pb_field *f, tg_pb_in *in,
                       tg_value *out)
{
    uint64_t v;
    const char *at = in->p;
    if (!tg_pb_varint(in, &v))
        return tg__pb_malformed(r, at, f);
    switch (f->type) {
    case TG_PROTO_BOOL:
        tg__pb_set(out, TG_BOOL, v != 0);
        return 0;
    case TG_PROTO_UINT32:
        tg__pb_set(out, TG_INT64, (int64_t)(uint32_t)v);
        return 0;
    case TG_PROTO_SINT64:
        tg__pb_set(out, TG_INT64, tg_pb_unzigzag(v));
        return 0;
    case TG_PROTO_SINT32:
        return narrow(r, f, (int32_t)tg_pb_unzigzag((uint32_t)v), out);
    case TG_PROTO_INT32:
        return narrow(r, f, (int32_t)v, out);
    case TG_PROTO_ENUM:
        return set_enum(r, f, (int32_t)v, out);
    default:
        tg__pb_set(out, TG_INT64, (int64_t)v);
        return 0;
    }
}

static int read_fixed(tg_pb_reading *r, const tg_pb_field *f, tg_pb_in *in,
                      tg_value *out)
{
    uint32_t w = 0;
    uint64_t v = 0;
    float x;
    double d;
    bool four = f->type == TG_PROTO_FLOAT || f->type == TG_PROTO_FIXED32 ||
                f->type == TG_PROTO_SFIXED32;
    if (!(four ? tg_pb_fixed32(in, &w) : tg_pb_fixed64(in, &v)))
        return tg__pb_malformed(r, in->p, f);
    switch (f->type) {
    case TG_PROTO_FLOAT:
        memcpy(&x, &w, 4);
        set_real(out, TG_FLOAT32, (double)x);
        return 0;
    case TG_PROTO_DOUBLE:
        memcpy(&d, &v, 8);
        set_real(out, TG_FLOAT64, d);
        return 0;
    case TG_PROTO_SFIXED32:
        return narrow(r, f, (int32_t)w, out);
    case TG_PROTO_FIXED32:
        tg__pb_set(out, TG_INT64, (int64_t)w);
        return 0;
    default:
        tg__pb_set(out, TG_INT64, (int64_t)v);
        return 0;
    }
}

static int read_text(tg_pb_reading *r, const tg_pb_field *f, tg_pb_in *in,
                     tg_value *out)
{
    tg_pb_in b;
    if (!tg_pb_bytes(in, &b))
        return tg__pb_malformed(r, in->p, f);
    size_t len = (size_t)(b.end - b.p);
    if (f->type == TG_PROTO_STRING) {
        const char *bad = tg__json_plain(b.p, b.end) == b.end
                              ? NULL
                              : tg__utf8_check(b.p, len);
        if (bad)
            return tg_err_set(r->err, TG_ERR_DATA,
                              "a string is not UTF-8: byte 0x%02X at position"
                              " %zu; the field should be bytes",
                              (unsigned char)*bad, (size_t)(bad - b.p));
    }
    tg__pb_set(out, f->type == TG_PROTO_STRING ? TG_STR : TG_BYTES, 0);
    out->flags = TG_F_NEW;
    out->len = (uint32_t)len;
    out->u.p = b.p;
    return 0;
}

/* A scalar; 1: an enum's number that counts as unknown. */
static inline int read_scalar(tg_pb_reading *r, const tg_pb_field *f,
                              tg_pb_in *in, tg_value *out)
{
    switch ((uint32_t)f->wire) {
    case TG_PB_VARINT:
        return read_varint(r, f, in, out);
    case TG_PB_BYTES:
        return read_text(r, f, in, out);
    default:
        return read_fixed(r, f, in, out);
    }
}

/* --- messages inside ------------------------------------------------------ */

static bool is_message(const tg_pb_field *f)
{
    return f->type == TG_PROTO_MESSAGE || f->type == TG_PROTO_GROUP;
}

bool tg__pb_message_bytes(const tg_pb_field *f, tg_pb_in *in, tg_pb_in *out)
{
    uint64_t key;
    if (f->type == TG_PROTO_MESSAGE)
        return tg_pb_bytes(in, out);
    out->p = in->p;
    for (;;) {
        out->end = in->p;
        if (!tg_pb_varint(in, &key) || key >> 32 || !(key >> 3))
            return false;
        if ((key & 7) == TG_PB_STOP)
            return key >> 3 == f->number;
        if (!tg_pb_skip(in, (uint32_t)key, 0))
            return false;
    }
}

static int read_wrapped(tg_pb_reading *r, const tg_pb_plan *plan, tg_pb_in in,
                        tg_value *out)
{
    const tg_pb_field *f = &plan->fields[0];
    uint64_t key;
    *out = plan->first[0];
    while (in.p < in.end) {
        const char *at = in.p;
        if (!tg_pb_varint(&in, &key) || key >> 32 || !(key >> 3))
            return tg__pb_malformed(r, at, NULL);
        int rc = 0;
        if (key == f->key)
            rc = read_scalar(r, f, &in, out);
        else if (!tg_pb_skip(&in, (uint32_t)key, 0))
            rc = tg__pb_malformed(r, at, NULL);
        if (rc)
            return rc;
    }
    return 0;
}

int tg__pb_body(tg_pb_reading *r, const tg_pb_field *f, tg_pb_in in,
                tg_node *parent, tg_value *out)
{
    if (f->raw) {
        tg__pb_set(out, TG_BYTES, 0);
        out->len = (uint32_t)(in.end - in.p);
        out->u.p = in.p;
        return 0;
    }
    if (f->special == TG_PB_WRAPPED)
        return read_wrapped(r, f->sub, in, out);
    if (f->special)
        return tg_pb_read_special(f->special, in.p, (size_t)(in.end - in.p),
                                  f->schema, r->batch, out, r->err);
    return tg__pb_struct(r, f->sub, f->shape, in, parent, out);
}

/* Whether the key sets another member of the oneof that f belongs to. */
static bool sets_other(const tg_pb_frame *fr, const tg_pb_field *f,
                       uint64_t key)
{
    for (uint32_t i = 0; f->oneof >= 0 && i < fr->plan->n; i++)
        if (fr->plan->fields[i].oneof == f->oneof &&
            fr->plan->fields[i].key == key)
            return true;
    return false;
}

/* Length of the field's parts from `from` on, for a oneof up to where another
 * member is set; copied to `to` unless it is NULL. -1 on error. */
static int64_t join_parts(tg_pb_reading *r, const tg_pb_frame *fr,
                          const tg_pb_field *f, const char *from, char *to)
{
    tg_pb_in in = {from, fr->all.end}, part;
    uint64_t key, want = f->number << 3 | (uint32_t)f->wire;
    int64_t len = 0;
    while (in.p < in.end) {
        const char *at = in.p;
        bool good = tg_pb_varint(&in, &key) && !(key >> 32) && key >> 3;
        if (good && key != want && sets_other(fr, f, key))
            break;
        if (good && key == want)
            good = tg__pb_message_bytes(f, &in, &part);
        else
            good = good && tg_pb_skip(&in, (uint32_t)key, 0);
        if (!good) {
            tg__pb_malformed(r, at, f);
            return -1;
        }
        if (key != want)
            continue;
        if (to)
            memcpy(to + len, part.p, (size_t)(part.end - part.p));
        len += part.end - part.p;
    }
    return len;
}

static int join(tg_pb_reading *r, const tg_pb_frame *fr, const tg_pb_field *f,
                const char *from, tg_pb_in *out)
{
    int64_t len = join_parts(r, fr, f, from, NULL);
    if (len < 0)
        return TG_ERR_DATA;
    char *to = tg_arena_alloc(r->batch->arena, (size_t)len);
    if (!to)
        return tg__pb_full(r);
    join_parts(r, fr, f, from, to);
    *out = (tg_pb_in){to, to + len};
    return 0;
}

static int read_message(tg_pb_reading *r, tg_pb_frame *fr, const tg_pb_field *f,
                        tg_pb_in *in, tg_node *parent, tg_value *out)
{
    uint8_t *state = &fr->state[f - fr->plan->fields];
    tg_pb_in body;
    const char *at = in->p;
    if (!tg__pb_message_bytes(f, in, &body))
        return tg__pb_malformed(r, at, f);
    if (*state == TG_PB_WHOLE)
        return 0;
    if (*state == TG_PB_SEEN) {
        const char *from = f->oneof >= 0 ? fr->run[f->oneof] : fr->all.p;
        int rc = join(r, fr, f, from, &body);
        if (rc)
            return rc;
        *state = TG_PB_WHOLE;
    } else {
        *state = TG_PB_SEEN;
    }
    return tg__pb_body(r, f, body, parent, out);
}

/* --- arrays --------------------------------------------------------------- */

static tg_node *array_of(tg_pb_reading *r, tg_node *parent, tg_value *slot)
{
    if (slot->tag == TG_ARRAY)
        return slot->u.node;
    tg_node *node = tg_node_new(r->batch, TG_ARRAY, tg_shape_array(), 4);
    if (!node)
        return NULL;
    node->n = 0;
    node->parent = parent;
    node->cell = r->cell;
    tg__pb_set(slot, TG_ARRAY, 0);
    slot->u.node = node;
    return node;
}

static int append(tg_pb_reading *r, const tg_pb_field *f, tg_pb_in *in,
                  tg_node *array)
{
    tg_pb_in body;
    int rc;
    if (array->n == array->cap && tg__slots_grow(r->batch, array, 1))
        return tg__pb_full(r);
    tg_value *out = &array->slots[array->n];
    if (!is_message(f)) {
        rc = read_scalar(r, f, in, out);
        if (rc > 0)
            return 0;
    } else {
        const char *at = in->p;
        if (!tg__pb_message_bytes(f, in, &body))
            return tg__pb_malformed(r, at, f);
        rc = tg__pb_body(r, f, body, array, out);
    }
    array->n += rc == 0;
    return rc;
}

static int read_repeated(tg_pb_reading *r, const tg_pb_field *f, uint32_t wire,
                         tg_pb_in *in, tg_node *parent, tg_value *slot)
{
    tg_node *array = array_of(r, parent, slot);
    tg_pb_in list;
    if (!array)
        return tg__pb_full(r);
    if (wire == (uint32_t)f->wire)
        return append(r, f, in, array);
    if (!tg_pb_bytes(in, &list))
        return tg__pb_malformed(r, in->p, f);
    int rc = 0;
    while (list.p < list.end && !rc)
        rc = append(r, f, &list, array);
    return rc;
}

/* --- oneofs --------------------------------------------------------------- */

static int set_node(tg_pb_reading *r, const tg_schema *schema, tg_node *parent,
                    tg_value *out)
{
    tg_shape *shape = tg_shape_of_schema(schema);
    tg_node *node = tg_node_new(r->batch, TG_STRUCT, shape, shape->n);
    if (!node)
        return tg__pb_full(r);
    node->n = shape->n;
    node->parent = parent;
    node->cell = r->cell;
    for (uint32_t i = 0; i < shape->n; i++)
        tg__pb_set(&node->slots[i], TG_NULL, 0);
    tg__pb_set(out, TG_STRUCT, 0);
    out->u.node = node;
    return 0;
}

/* Makes f the member that is set; its slot and what that hangs on. */
static int choose(tg_pb_reading *r, tg_pb_frame *fr, const tg_pb_field *f,
                  const char *at, tg_node **parent, tg_value **slot)
{
    int32_t own = (int32_t)(f - fr->plan->fields);
    int32_t before = fr->member[f->oneof];
    *parent = fr->node;
    if (before != own) {
        if (before >= 0 && f->within < 0)
            tg__pb_set(&fr->node->slots[fr->plan->fields[before].slot], TG_NULL,
                       0);
        if (before >= 0 && fr->state)
            fr->state[before] = 0;
        fr->member[f->oneof] = own;
        fr->run[f->oneof] = at;
        if (f->within >= 0) {
            const tg_schema *s = fr->plan->schema->fields[f->within].schema;
            int rc = set_node(r, s, fr->node, &fr->node->slots[f->within]);
            if (rc)
                return rc;
        }
    }
    if (f->within >= 0)
        *parent = fr->node->slots[f->within].u.node;
    *slot = &(*parent)->slots[f->slot];
    return 0;
}

/* --- structs -------------------------------------------------------------- */

static const tg_pb_field *find(const tg_pb_plan *plan, uint32_t number)
{
    if (number < 64 && plan->direct[number])
        return &plan->fields[plan->direct[number] - 1];
    uint32_t lo = 0, hi = plan->n;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (plan->fields[mid].number < number)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < plan->n && plan->fields[lo].number == number ? &plan->fields[lo]
                                                             : NULL;
}

/* The value behind a key of the plan; at: where the key stands. */
static int read_field(tg_pb_reading *r, tg_pb_frame *fr, const tg_pb_field *f,
                      uint32_t wire, const char *at, tg_pb_in *in)
{
    tg_node *parent = fr->node;
    tg_value *slot = &parent->slots[f->slot], v;
    int rc;
    if (f->repeated)
        return read_repeated(r, f, wire, in, parent, slot);
    if (f->map)
        return tg__pb_map(r, fr, f, in, slot);
    if (!is_message(f)) {
        rc = read_scalar(r, f, in, &v);
        if (rc)
            return rc > 0 ? 0 : rc;
        if (f->oneof >= 0)
            rc = choose(r, fr, f, at, &parent, &slot);
        if (!rc)
            *slot = v;
        return rc;
    }
    if (f->oneof >= 0 && (rc = choose(r, fr, f, at, &parent, &slot)))
        return rc;
    return read_message(r, fr, f, in, parent, slot);
}

/* Whether the bytes are for the field; of scalars in a repeated field both
 * forms are. */
static bool fits(const tg_pb_field *f, uint32_t wire)
{
    uint32_t own = (uint32_t)f->wire;
    return wire == own || (f->repeated && wire == TG_PB_BYTES &&
                           own != TG_PB_BYTES && own != TG_PB_START);
}

static int read_fields(tg_pb_reading *r, tg_pb_frame *fr)
{
    const tg_pb_plan *plan = fr->plan;
    const tg_pb_field *expected = plan->fields, *last = expected + plan->n;
    tg_pb_in in = fr->all;
    uint64_t key;
    while (in.p < in.end) {
        const char *at = in.p;
        if (!tg_pb_varint(&in, &key) || key >> 32 || !(key >> 3))
            return tg__pb_malformed(r, at, NULL);
        const tg_pb_field *f = expected < last && expected->key == key
                                   ? expected
                                   : find(plan, (uint32_t)(key >> 3));
        if (f && fits(f, key & 7)) {
            int rc = read_field(r, fr, f, key & 7, at, &in);
            if (rc)
                return within_field(r, f, rc);
            expected = f + !f->repeated;
        } else if (!tg_pb_skip(&in, (uint32_t)key, 0)) {
            return tg__pb_malformed(r, at, NULL);
        }
    }
    return 0;
}

/* Values of fields that the bytes do not have. */
static int fill(tg_pb_reading *r, const tg_pb_frame *fr)
{
    const tg_pb_plan *plan = fr->plan;
    for (uint32_t i = 0; i < plan->nfills; i++) {
        const tg_pb_field *f = plan->fills[i].field;
        tg_value *slot = &fr->node->slots[plan->fills[i].slot];
        tg_pb_in none = {fr->all.end, fr->all.end};
        int rc = 0;
        if (slot->tag == TG_STR || slot->tag == TG_BYTES) {
            if (slot->u.p != plan->first[f->slot].u.p)
                continue;
            slot->u.p = tg_arena_dup(r->batch->arena, slot->u.p, slot->len);
            rc = slot->u.p ? 0 : tg__pb_full(r);
        } else if (slot->tag != TG_NULL) {
            continue;
        } else if (f->repeated) {
            rc = array_of(r, fr->node, slot) ? 0 : tg__pb_full(r);
        } else if (f->map) {
            rc = tg__pb_no_entries(r, fr, f, slot);
        } else {
            rc = tg__pb_body(r, f, none, fr->node, slot);
        }
        if (rc)
            return within_field(r, f, rc);
    }
    return 0;
}

static int start_frame(tg_pb_reading *r, tg_pb_frame *fr, uint8_t *state,
                       int32_t *member, const char **run)
{
    const tg_pb_plan *plan = fr->plan;
    if (plan->stateful) {
        fr->state = plan->n <= STACK_STATE
                        ? state
                        : tg_arena_alloc(r->batch->arena, plan->n);
        if (!fr->state)
            return tg__pb_full(r);
        memset(fr->state, 0, plan->n);
    }
    if (plan->noneofs) {
        fr->member = member;
        fr->run = run;
        if (plan->noneofs > 4) {
            fr->member =
                tg_arena_alloc(r->batch->arena, plan->noneofs * sizeof *member);
            fr->run =
                tg_arena_alloc(r->batch->arena, plan->noneofs * sizeof *run);
            if (!fr->member || !fr->run)
                return tg__pb_full(r);
        }
        memset(fr->member, 0xff, plan->noneofs * sizeof *member);
    }
    return 0;
}

int tg__pb_struct(tg_pb_reading *r, const tg_pb_plan *plan, tg_shape *shape,
                  tg_pb_in in, tg_node *parent, tg_value *out)
{
    uint8_t state[STACK_STATE];
    int32_t member[4];
    const char *run[4];
    tg_pb_frame fr = {.plan = plan, .all = in};
    if (++r->depth > TG_PB_DEPTH)
        return tg_err_set(r->err, TG_ERR_DATA,
                          "messages are nested more than %d deep", TG_PB_DEPTH);
    uint32_t n = shape->n;
    tg_node *node = tg_node_new(r->batch, TG_STRUCT, shape, n);
    if (!node)
        return tg__pb_full(r);
    node->n = n;
    node->parent = parent;
    node->cell = r->cell;
    memcpy(node->slots, plan->first, n * sizeof *node->slots);
    fr.node = node;
    tg__pb_set(out, TG_STRUCT, 0);
    out->u.node = node;
    int rc = start_frame(r, &fr, state, member, run);
    if (!rc)
        rc = read_fields(r, &fr);
    if (!rc && plan->nfills)
        rc = fill(r, &fr);
    r->depth--;
    return rc;
}

int tg_pb_decode(const tg_pb_reader *reader, const char *p, size_t len,
                 tg_batch *batch, tg_cell *cell, tg_err *err)
{
    tg_pb_reading r = {.batch = batch, .cell = cell, .err = err, .start = p};
    tg_pb_in in = {p, p + len};
    int rc = reader->scalar ? read_wrapped(&r, reader->plan, in, &cell->value)
                            : tg__pb_struct(&r, reader->plan, reader->shape, in,
                                            NULL, &cell->value);
    if (!rc)
        cell->schema = reader->schema;
    return rc;
}
