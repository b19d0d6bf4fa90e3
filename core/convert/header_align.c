/*
 * The common schema of the elements of an array or of the keys and values of a
 * map in a header text: numbers widen, everything else must be of one type.
 * Then the elements are turned into it. Script thread.
 */
#include "convert/header_parse.h"
#include "convert/logical.h"

enum { DAY_MS = 86400000, PAIRWISE = 8 };

static bool numeric(int tag)
{
    return tag >= TG_INT8 && tag <= TG_FLOAT64;
}

void tg__header_merge(tg_merger *m, const tg_schema *latest)
{
    if (!latest || m->incompatible)
        return;
    if (!m->common || m->common->tag == latest->tag) {
        m->common = latest;
        return;
    }
    bool numbers = numeric(m->common->tag) && numeric(latest->tag);
    m->incompatible = !numbers;
    if (!numbers)
        m->common = NULL;
    else if (latest->tag > m->common->tag)
        m->common = latest;
}

/* An instant stays what it is under any date's schema; a timestamp's only needs
 * another unit. */
static int align_instant(tg_value *v, const tg_schema *to, int want)
{
    if (want == TG_LOGICAL_NONE)
        return TG_HEADER_NOT;
    if (want == TG_LOGICAL_TIMESTAMP) {
        v->u.i *= v->aux == TG_LOGICAL_DATE ? DAY_MS : 1;
        v->aux = TG_LOGICAL_TIMESTAMP;
        v->tag = to->tag;
    }
    return 0;
}

static int align_integer(tg_value *v, const tg_schema *to, int want)
{
    if (want == TG_LOGICAL_TIME && (v->u.i < 0 || v->u.i > DAY_MS))
        return TG_HEADER_NOT;
    v->tag = to->tag;
    v->aux = (uint16_t)want;
    return 0;
}

static void align_real(tg_value *v, const tg_schema *to)
{
    if (v->tag <= TG_INT64)
        v->u.d = (double)v->u.i;
    if (to->tag == TG_FLOAT32)
        v->u.d = (double)(float)v->u.d;
    v->tag = to->tag;
}

int tg__header_align(tg_value *v, const tg_schema *to)
{
    int want = tg_logical_schema(to);
    if (v->tag == TG_NULL)
        return TG_HEADER_NOT;
    if (!numeric(v->tag))
        return 0;
    if (v->aux >= TG_LOGICAL_DATE)
        return align_instant(v, to, want);
    if (to->tag <= TG_INT64)
        return align_integer(v, to, want);
    align_real(v, to);
    return 0;
}

/* --- equal keys ----------------------------------------------------------- */

static uint32_t mix(uint32_t h, uint64_t x)
{
    x = (x ^ h) * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(x >> 32);
}

static uint32_t hash_value(const tg_value *v)
{
    uint32_t h = v->tag;
    uint64_t bits;
    if (tg_tag_is_node(v->tag)) {
        const tg_node *node = v->u.node;
        for (uint32_t i = 0; i < node->n; i++)
            h = mix(h, hash_value(&node->slots[i]));
        return mix(h, node->n);
    }
    if (v->tag >= TG_NUM) {
        for (uint32_t i = 0; i < v->len; i++)
            h = (h ^ (unsigned char)v->u.p[i]) * 16777619u;
        return mix(h, v->len);
    }
    memcpy(&bits, &v->u, sizeof bits);
    return v->tag == TG_NULL ? h : mix(h, bits);
}

/* As Java's equals(): 1 as a byte is not 1 as a short, 0.0 is not -0.0. */
static bool same(const tg_value *a, const tg_value *b)
{
    if (a->tag != b->tag || a->aux != b->aux)
        return false;
    return tg_tag_is_float(a->tag) ? memcmp(&a->u, &b->u, sizeof a->u) == 0
                                   : tg_value_equal(a, b);
}

/* Index of the entry with the key of entry i, or i. table NULL: compare all. */
static uint32_t first_of(const tg_value *slots, uint32_t i, const tg_value *key,
                         uint32_t *table, uint32_t mask)
{
    if (!table) {
        for (uint32_t j = 0; j < i; j++)
            if (same(&slots[2 * j], key))
                return j;
        return i;
    }
    for (uint32_t h = hash_value(key) & mask;; h = (h + 1) & mask) {
        if (table[h] == 0) {
            table[h] = i + 1;
            return i;
        }
        if (same(&slots[2 * (table[h] - 1)], key))
            return table[h] - 1;
    }
}

void tg__header_unique(tg_value *slots, uint32_t *n)
{
    uint32_t size = 64, *table = NULL, kept = 0;
    if (*n / 2 > PAIRWISE) {
        while (size < *n)
            size *= 2;
        table = tg_calloc(size * sizeof *table);
    }
    for (uint32_t i = 0; i < *n; i += 2) {
        tg_value key = slots[i], value = slots[i + 1];
        uint32_t at = first_of(slots, kept, &key, table, size - 1);
        if (at == kept) {
            slots[2 * kept] = key;
            kept++;
        }
        slots[2 * at + 1] = value;
    }
    *n = kept * 2;
    tg_free(table);
}
