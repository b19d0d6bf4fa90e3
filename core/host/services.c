/*
 * Small services of a task process: the registry of source partitions, clocks,
 * and the stop flag. Script thread, except tg_task_set_stopping, which only
 * stores an atomic.
 */
#include "host/services.h"
#include "base/mem.h"
#include "data/shape.h"
#include <jansson.h>
#include <stdatomic.h>
#include <time.h>

typedef struct source_partition {
    char *json;
    uint32_t len, hash;
    char *offset_name;
} source_partition;

static struct {
    source_partition *list;
    uint32_t n, cap;
    uint32_t *index; /* id + 1 by hash; twice as large as list */
} partitions;

static atomic_bool stopping;
static atomic_bool told; /* a script has learnt of it */

/* --- source partitions ---------------------------------------------------- */

static bool same_name(const char *a, const char *b, uint32_t blen)
{
    if (!a || !b)
        return !a && !b;
    return strlen(a) == blen && memcmp(a, b, blen) == 0;
}

static uint32_t *find(const char *json, uint32_t len, uint32_t hash,
                      const char *offset_name, uint32_t namelen)
{
    uint32_t mask = partitions.cap * 2 - 1;
    for (uint32_t h = hash;; h++) {
        uint32_t *slot = &partitions.index[h & mask];
        if (*slot == 0)
            return slot;
        const source_partition *p = &partitions.list[*slot - 1];
        if (p->hash == hash && p->len == len &&
            memcmp(p->json, json, len) == 0 &&
            same_name(p->offset_name, offset_name, namelen))
            return slot;
    }
}

static void grow(void)
{
    partitions.cap = partitions.cap ? partitions.cap * 2 : 16;
    partitions.list =
        tg_realloc(partitions.list, partitions.cap * sizeof *partitions.list);
    tg_free(partitions.index);
    uint32_t cap = partitions.cap * 2;
    partitions.index = tg_calloc(cap * sizeof *partitions.index);
    for (uint32_t i = 0; i < partitions.n; i++) {
        uint32_t h = partitions.list[i].hash;
        while (partitions.index[h & (cap - 1)])
            h++;
        partitions.index[h & (cap - 1)] = i + 1;
    }
}

static bool is_object(const char *json, uint32_t len)
{
    json_t *v = json_loadb(json, len, 0, NULL);
    bool ok = json_is_object(v);
    json_decref(v);
    return ok;
}

int32_t tg_task_source_partition(const char *json, uint32_t len,
                                 const char *offset_name, uint32_t namelen)
{
    if (!json)
        return tg_err_set(tg_err_ffi(), TG_ERR_ARG,
                          "a source partition must be a JSON object");
    uint32_t hash = tg_name_hash(json, len);
    if (partitions.n == partitions.cap)
        grow();
    uint32_t *slot = find(json, len, hash, offset_name, namelen);
    if (*slot)
        return (int32_t)*slot - 1;
    if (!is_object(json, len))
        return tg_err_set(tg_err_ffi(), TG_ERR_ARG,
                          "the source partition \"%.*s\" is no JSON object",
                          (int)(len < 200 ? len : 200), json);
    if (partitions.n >= INT32_MAX / 4)
        return tg_err_set(tg_err_ffi(), TG_ERR_LIMIT,
                          "too many source partitions");
    partitions.list[partitions.n++] = (source_partition){
        .json = tg_strndup(json, len),
        .len = len,
        .hash = hash,
        .offset_name = offset_name ? tg_strndup(offset_name, namelen) : NULL};
    *slot = partitions.n;
    return (int32_t)partitions.n - 1;
}

const char *tg_partition_text(int32_t id, const char **offset_name)
{
    bool known = id >= 0 && (uint32_t)id < partitions.n;
    if (offset_name)
        *offset_name = known ? partitions.list[id].offset_name : NULL;
    return known ? partitions.list[id].json : NULL;
}

/* --- clocks and stopping -------------------------------------------------- */

int64_t tg_clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t tg_clock_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void tg_task_set_stopping(bool stop)
{
    atomic_store(&stopping, stop);
}

int32_t tg_task_stopping(void)
{
    bool stop = atomic_load_explicit(&stopping, memory_order_relaxed);

    if (stop)
        atomic_store_explicit(&told, true, memory_order_relaxed);
    return stop;
}

bool tg_task_take_told(void)
{
    return atomic_exchange(&told, false);
}
