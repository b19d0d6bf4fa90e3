/* Settings of tasks: connector before worker. Any thread. */
#include "task/settings.h"

int tg__setting_int(const json_t *worker, const json_t *config, const char *key,
                    int64_t dflt, int64_t min, int64_t max, int64_t *out,
                    tg_err *err)
{
    const json_t *from = tg_config_get(config, key, NULL) ? config : worker;

    return tg_config_int(from, key, dflt, min, max, out, err);
}

int tg__setting_bool(const json_t *worker, const json_t *config,
                     const char *key, bool dflt, bool *out, tg_err *err)
{
    const json_t *from = tg_config_get(config, key, NULL) ? config : worker;

    return tg_config_bool(from, key, dflt, out, err);
}
