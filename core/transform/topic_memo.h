/*
 * What became of a topic the last times: topics repeat, so no record pays for a
 * regular expression. Script thread.
 */
#ifndef TG_TRANSFORM_TOPIC_MEMO_H
#define TG_TRANSFORM_TOPIC_MEMO_H
#include "base/mem.h"
#include <stdbool.h>

enum { TG_TOPIC_MEMO = 16 };

typedef struct tg_topic_result {
    char *topic; /* NULL: an empty place */
    char *to;    /* owned, NULL: the topic stays */
    uint32_t len, tolen;
    int32_t found; /* of a predicate */
} tg_topic_result;

/* Zero-initialised is empty. */
typedef struct tg_topic_memo {
    tg_topic_result list[TG_TOPIC_MEMO];
} tg_topic_memo;

/* The topic's place; *known: it holds the topic's result. If not, the caller
 * calls tg__topic_learn and fills it. */
tg_topic_result *tg__topic_place(tg_topic_memo *memo, const char *topic,
                                 uint32_t len, bool *known);
void tg__topic_learn(tg_topic_result *place, const char *topic, uint32_t len);
void tg__topic_memo_fini(tg_topic_memo *memo);

#endif
