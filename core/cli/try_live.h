/*
 * Records of a topic for `tidegate try`: assigned, not subscribed, so that no
 * group is joined and nothing is committed. Main thread; blocking.
 */
#ifndef TG_CLI_TRY_LIVE_H
#define TG_CLI_TRY_LIVE_H
#include "convert/converter.h"
#include "task/client_config.h"

typedef struct tg__try_live {
    const char *topic;
    int64_t partition; /* -1: all */
    int64_t offset;    /* -2 beginning, -1 end, else a number; INT64_MIN: so
                          that count records lie before the end */
    int64_t count;     /* -1: no end */
    bool follow;       /* wait for more at the end of the topic */
    const tg_converter *key, *value, *header;
} tg__try_live;

/* Consumes with the consumer settings of the scope. each: called with a batch
 * of one record; anything but 0 ends it. The batch is reset afterwards. 0, or
 * TG_ERR_* with a sentence. Ends early when tg__interrupted is set. */
int tg__try_consume(const tg__try_live *live, const tg_client_scope *scope,
                    tg_batch *batch, int (*each)(void *ctx), void *ctx,
                    tg_err *err);

#endif
