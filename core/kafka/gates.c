/*
 * The one table of behaviours that depend on the librdkafka version. The
 * library is linked dynamically, so the version is asked at run time.
 * Any thread; no state.
 */
#include "kafka/rk.h"

static const struct {
    int gate;
    int since; /* as rd_kafka_version(): 0xMMmmrrxx */
} gates[] = {
    {TG_GATE_SEEK_TIMEOUT, 0x02010000},   {TG_GATE_QUEUE_BACKOFF, 0x02020000},
    {TG_GATE_GROUP_PROTOCOL, 0x02040000}, {TG_GATE_LONG_CLIENT_ID, 0x02050000},
    {TG_GATE_HEADER_FREE, 0x020c0000},
};

bool tg__rk_gate(int gate)
{
    for (size_t i = 0; i < sizeof gates / sizeof *gates; i++)
        if (gates[i].gate == gate)
            return rd_kafka_version() >= gates[i].since;
    return false;
}

const char *tg_kafka_version(void)
{
    return rd_kafka_version_str();
}
