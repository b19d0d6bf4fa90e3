/*
 * Records of a topic for `tidegate try`.
 *
 * Main thread; Ctrl-C sets a flag that the loop looks at.
 */
#include "cli/try_live.h"
#include "cli/options.h"
#include "base/mem.h"
#include "kafka/admin.h"
#include "kafka/consumer.h"
#include <unistd.h>

enum { REACH_MS = 5000, POLL_MS = 100 };

/* Where a partition begins when the newest `share` records of it are wanted. */
static int64_t near_end(tg_consumer *consumer, const char *topic, int partition,
                        int64_t share, tg_err *err)
{
    int64_t low, high;

    if (tg_consumer_watermarks(consumer, topic, partition, REACH_MS, &low,
                               &high, err))
        return -2;
    return high - low > share ? high - share : low;
}

/* ["topic", partition, offset] of every partition wanted. */
static int assign(const tg__try_live *live, tg_consumer *consumer,
                  int partitions, tg_err *err)
{
    int n = live->partition < 0 ? partitions : 1;
    int64_t share = live->count < 0 ? -1 : (live->count + n - 1) / n;
    json_t *parts = json_array();
    int rc = 0;

    for (int i = 0; i < partitions && rc == 0; i++) {
        int64_t at = live->offset;
        if (live->partition >= 0 && live->partition != i)
            continue;
        tg_err_clear(err);
        if (at == INT64_MIN)
            at =
                share < 0 ? -2 : near_end(consumer, live->topic, i, share, err);
        rc = err->code;
        json_array_append_new(
            parts, json_pack("[s,i,I]", live->topic, i, (json_int_t)at));
    }
    if (rc == 0 && json_array_size(parts) == 0)
        rc = tg_err_set(err, TG_ERR_NOTFOUND,
                        "topic %s has no partition %lld: it has %d",
                        live->topic, (long long)live->partition, partitions);
    if (rc == 0)
        rc = tg_consumer_assign(consumer, parts, err);
    json_decref(parts);
    return rc;
}

static int find_topic(const tg__try_live *live, const json_t *config,
                      int *partitions, tg_err *err)
{
    tg_admin *admin = tg_admin_new(config, err);
    int rc = TG_ERR_CONFIG;

    if (admin)
        rc = tg_admin_topic_exists(admin, live->topic, REACH_MS, partitions,
                                   err);
    if (rc == 0)
        rc = tg_err_set(err, TG_ERR_NOTFOUND, "topic %s does not exist on %s",
                        live->topic,
                        tg_config_get(config, "bootstrap.servers", ""));
    tg_admin_free(admin);
    return rc < 0 ? rc : 0;
}

static int read_all(const tg__try_live *live, tg_consumer *consumer,
                    tg_batch *batch, int (*each)(void *ctx), void *ctx,
                    tg_err *err)
{
    int64_t seen = 0;
    int rc = 0;

    while (rc == 0 && !tg__interrupted &&
           (live->count < 0 || seen < live->count)) {
        int n;
        tg_batch_reset(batch);
        batch->max = 1;
        n = tg_consumer_poll(consumer, batch, POLL_MS, 0, live->key,
                             live->value, live->header, err);
        if (n < 0)
            return n;
        seen += n;
        if (n > 0)
            rc = each(ctx);
        else if (tg_consumer_error(consumer, err) &&
                 (!err->retriable || err->fatal))
            rc = err->code;
        else if (!live->follow && tg_consumer_at_end(consumer))
            break;
    }
    tg_batch_reset(batch);
    return rc;
}

int tg__try_consume(const tg__try_live *live, const tg_client_scope *scope,
                    tg_batch *batch, int (*each)(void *ctx), void *ctx,
                    tg_err *err)
{
    tg_consumer_hooks hooks = {0};
    json_t *config = tg_client_config_consumer(scope, err);
    json_t *admin = config ? tg_client_config_admin(scope, err) : NULL;
    tg_consumer *consumer = NULL;
    int partitions = 0, rc = TG_ERR_CONFIG;
    char *group;

    if (!admin || (rc = find_topic(live, admin, &partitions, err)))
        goto out;
    group = tg_sprintf("tidegate-try-%ld", (long)getpid());
    json_object_set_new(config, "group.id", json_string(group));
    tg_free(group);
    json_object_set_new(config, "enable.partition.eof", json_string("true"));
    rc = TG_ERR_CONFIG;
    consumer = tg_consumer_new(config, &hooks, err);
    if (!consumer)
        goto out;
    rc = assign(live, consumer, partitions, err);
    if (!rc)
        rc = read_all(live, consumer, batch, each, ctx, err);
out:
    tg_consumer_free(consumer);
    json_decref(admin);
    json_decref(config);
    return rc;
}
