/*
 * Settings that tidegate adds to Kafka Connect's: looked up in the connector's
 * configuration first, then in the worker's. And the sizes that are no
 * settings. Any thread.
 */
#ifndef TG_TASK_SETTINGS_H
#define TG_TASK_SETTINGS_H
#include "base/config.h"

enum {
    TG_SOURCE_BATCH = 1000, /* records asked of one poll */
    TG_SINK_BATCH = 1000,   /* records of one put, unless max.poll.records */
    TG_SINK_LINGER_MS = 5   /* to fill it */
};

int tg__setting_int(const json_t *worker, const json_t *config, const char *key,
                    int64_t dflt, int64_t min, int64_t max, int64_t *out,
                    tg_err *err);
int tg__setting_bool(const json_t *worker, const json_t *config,
                     const char *key, bool dflt, bool *out, tg_err *err);

#endif
