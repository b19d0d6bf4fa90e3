/*
 * Maps in Protobuf: entries that follow each other are read in one go. Entries
 * that come later make the map be read again from the start of the message, so
 * that every byte is looked at a bounded number of times. Script thread.
 */
#include "convert/map_build.h"
#include "convert/protobuf_read.h"
#include "data/shape.h"

enum { HASHED_PAIRS = 16 };

/* Key and value of an entry; value's objects hang below parent. */
static int read_entry(tg_pb_reading *r, const tg_pb_field *f, tg_pb_in *in,
                      tg_node *parent, tg_value *key, tg_value *value)
{
    tg_pb_in body;
    tg_value entry;
    const char *at = in->p;
    if (!tg__pb_message_bytes(f, in, &body))
        return tg__pb_malformed(r, at, f);
    int rc = tg__pb_struct(r, f->sub, f->sub->shape, body, parent, &entry);
    if (rc)
        return rc;
    tg_node *node = entry.u.node;
    *key = node->slots[0];
    *value = node->slots[1];
    for (int i = 0; i < 2; i++)
        if (tg_tag_is_node(node->slots[i].tag))
            node->slots[i].u.node->parent = parent;
    const tg_pb_field *vf = &f->sub->fields[1];
    /* The value of an entry that does not say it is its empty message. */
    if (value->tag == TG_NULL &&
        (vf->type == TG_PROTO_MESSAGE || vf->type == TG_PROTO_GROUP) &&
        !vf->repeated && !vf->map && f->field->message->map_entry) {
        tg_pb_in empty = {body.end, body.end};
        rc = tg__pb_body(r, vf, empty, parent, value);
    }
    return rc;
}

static int map_entry(tg_pb_reading *r, const tg_pb_field *f, tg_pb_in *in,
                     tg_map_build *m)
{
    tg_value key, value;
    tg_site *below;
    bool bad = false;
    int rc = read_entry(r, f, in, m->node, &key, &value);
    if (rc)
        return rc;
    bool text = key.tag == TG_STR;
    tg_value *slot =
        tg__map_key(m, text ? key.u.p : "", text ? key.len : 0, &below, &bad);
    if (!slot)
        return tg__pb_full(r);
    *slot = value;
    return 0;
}

static int pair_entry(tg_pb_reading *r, const tg_pb_field *f, tg_pb_in *in,
                      tg_node *node)
{
    tg_value key, value;
    int rc = read_entry(r, f, in, node, &key, &value);
    if (rc)
        return rc;
    if (tg__slots_grow(r->batch, node, 2))
        return tg__pb_full(r);
    node->slots[node->n++] = key;
    node->slots[node->n++] = value;
    return 0;
}

static bool same_key(const tg_value *a, const tg_value *b)
{
    if (a->tag != b->tag || tg_tag_is_node(a->tag))
        return false;
    if (a->tag == TG_STR || a->tag == TG_BYTES)
        return a->len == b->len && memcmp(a->u.p, b->u.p, a->len) == 0;
    return a->u.i == b->u.i;
}

static uint32_t hash_key(const tg_value *v)
{
    uint64_t h = v->tag == TG_STR || v->tag == TG_BYTES
                     ? tg_name_hash(v->u.p, v->len)
                     : (uint64_t)v->u.i;
    h *= 0x9E3779B97F4A7C15u;
    return (uint32_t)(h >> 32);
}

/* The last of equal keys wins and stands where the first one stood. */
static void unite_pairs(tg_node *node)
{
    uint32_t n = node->n / 2, kept = 0, mask = 63;
    while (mask < n * 2)
        mask = mask * 2 + 1;
    uint32_t *table =
        n > HASHED_PAIRS ? tg_calloc((mask + 1) * sizeof *table) : NULL;
    for (uint32_t i = 0; i < n; i++) {
        const tg_value *key = &node->slots[i * 2];
        uint32_t at = kept, h = table ? hash_key(key) & mask : 0;
        for (uint32_t j = 0; !table && j < kept; j++)
            if (same_key(&node->slots[j * 2], key))
                at = j;
        for (; table && table[h]; h = (h + 1) & mask)
            if (same_key(&node->slots[(table[h] - 1) * 2], key)) {
                at = table[h] - 1;
                break;
            }
        if (table && !table[h])
            table[h] = at + 1;
        tg_value k = *key, v = node->slots[i * 2 + 1];
        node->slots[at * 2] = k;
        node->slots[at * 2 + 1] = v;
        kept += at == kept;
    }
    node->n = kept * 2;
    tg_free(table);
}

/* Entries from in->p on (behind the key of the first) as long as they follow
 * each other; all: of the whole message. */
static int read_entries(tg_pb_reading *r, const tg_pb_field *f, tg_pb_in *in,
                        bool all, tg_node *pairs, tg_map_build *m)
{
    uint64_t want = f->number << 3 | (uint32_t)f->wire;
    bool first = !all;
    uint64_t key = want;
    while (first || in->p < in->end) {
        const char *at = in->p;
        if (!first && (!tg_pb_varint(in, &key) || key >> 32 || !(key >> 3)))
            return tg__pb_malformed(r, at, NULL);
        first = false;
        if (key != want && !all) {
            in->p = at;
            return 0;
        }
        int rc = 0;
        if (key == want)
            rc = pairs ? pair_entry(r, f, in, pairs) : map_entry(r, f, in, m);
        else if (!tg_pb_skip(in, (uint32_t)key, 0))
            rc = tg__pb_malformed(r, at, NULL);
        if (rc)
            return rc;
    }
    return 0;
}

static int read_pairs(tg_pb_reading *r, const tg_pb_frame *fr,
                      const tg_pb_field *f, tg_pb_in *in, bool all,
                      tg_value *slot)
{
    tg_node *node = tg_node_new(r->batch, TG_PAIRS, tg_shape_array(), 8);
    if (!node)
        return tg__pb_full(r);
    node->n = 0;
    node->parent = fr->node;
    node->cell = r->cell;
    int rc = read_entries(r, f, in, all, node, NULL);
    unite_pairs(node);
    tg__pb_set(slot, TG_PAIRS, 0);
    slot->u.node = node;
    return rc;
}

static int read_text_map(tg_pb_reading *r, const tg_pb_frame *fr,
                         const tg_pb_field *f, tg_pb_in *in, bool all,
                         tg_value *slot)
{
    tg_map_build m;
    tg_site *site = tg_shape_site(fr->node->shape, (uint32_t)f->slot);
    if (tg__map_begin(&m, r->batch, r->cell, fr->node, site))
        return tg__pb_full(r);
    int rc = read_entries(r, f, in, all, NULL, &m);
    if (rc) {
        tg__map_drop(&m);
        return rc;
    }
    if (tg__map_end(&m))
        return tg__pb_full(r);
    tg__pb_set(slot, TG_MAP, 0);
    slot->u.node = m.node;
    return 0;
}

int tg__pb_map(tg_pb_reading *r, tg_pb_frame *fr, const tg_pb_field *f,
               tg_pb_in *in, tg_value *slot)
{
    uint8_t *state = &fr->state[f - fr->plan->fields];
    tg_pb_in part, whole = fr->all;
    if (*state == TG_PB_WHOLE)
        return tg__pb_message_bytes(f, in, &part)
                   ? 0
                   : tg__pb_malformed(r, in->p, f);
    bool again = *state == TG_PB_SEEN;
    if (again && !tg__pb_message_bytes(f, in, &part))
        return tg__pb_malformed(r, in->p, f);
    *state = again ? TG_PB_WHOLE : TG_PB_SEEN;
    tg_pb_in *from = again ? &whole : in;
    return f->tag == TG_MAP ? read_text_map(r, fr, f, from, again, slot)
                            : read_pairs(r, fr, f, from, again, slot);
}

int tg__pb_no_entries(tg_pb_reading *r, const tg_pb_frame *fr,
                      const tg_pb_field *f, tg_value *slot)
{
    tg_pb_in none = {fr->all.end, fr->all.end};
    return f->tag == TG_MAP ? read_text_map(r, fr, f, &none, true, slot)
                            : read_pairs(r, fr, f, &none, true, slot);
}
