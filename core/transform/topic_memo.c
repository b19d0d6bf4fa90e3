/*
 * Results by topic: a direct-mapped table. Script thread.
 */
#include "transform/topic_memo.h"

tg_topic_result *tg__topic_place(tg_topic_memo *memo, const char *topic,
                                 uint32_t len, bool *known)
{
    uint32_t hash = len;
    tg_topic_result *place;

    for (uint32_t i = 0; i < len; i++)
        hash = hash * 31 + (uint8_t)topic[i];
    place = &memo->list[(hash ^ hash >> 8) % TG_TOPIC_MEMO];
    *known = place->topic && place->len == len &&
             memcmp(place->topic, topic, len) == 0;
    return place;
}

void tg__topic_learn(tg_topic_result *place, const char *topic, uint32_t len)
{
    tg_free(place->topic);
    tg_free(place->to);
    *place = (tg_topic_result){.topic = tg_strndup(topic, len), .len = len};
}

void tg__topic_memo_fini(tg_topic_memo *memo)
{
    for (int i = 0; i < TG_TOPIC_MEMO; i++) {
        tg_free(memo->list[i].topic);
        tg_free(memo->list[i].to);
    }
    *memo = (tg_topic_memo){0};
}
