/*
 * Reading a field by slot with a default: what the typed handles of the SDK
 * call (tide.number and its like). Script thread.
 */
#include "data/internal.h"

static const tg_value *at(const tg_node *node, int32_t slot)
{
    return slot < 0 || (uint32_t)slot >= node->n ? NULL : &node->slots[slot];
}

double tg_slot_number(const tg_node *node, int32_t slot, double dflt)
{
    const tg_value *v = at(node, slot);
    int32_t ok = 0;
    double d = v ? tg_value_number(v, &ok) : 0;

    return ok ? d : dflt;
}

int64_t tg_slot_int64(const tg_node *node, int32_t slot, int64_t dflt,
                      int32_t *ok)
{
    const tg_value *v = at(node, slot);
    int64_t i = 0;

    *ok = 0;
    if (v)
        i = tg_value_int64(v, ok);
    return *ok ? i : dflt;
}

const char *tg_slot_text(tg_batch *batch, const tg_node *node, int32_t slot,
                         uint32_t *len)
{
    const tg_value *v = at(node, slot);

    *len = 0;
    return v ? tg_value_text(batch, v, len) : NULL;
}
