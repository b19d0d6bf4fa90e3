/*
 * The producer. Records are handed to librdkafka without copying: the batch
 * owns them and their bytes until the last one is delivered, and each message
 * carries its record as opaque.
 *
 * Plain records go through rd_kafka_produce_batch in runs of one topic and one
 * requested partition, because in that form librdkafka accepts a prefix: an
 * error of the topic hits the whole run, a full queue its end. The only error
 * of a single message, its size, is looked at before. Should an accepted
 * message still stand behind a refused one, the refused one is reported through
 * the delivery function, so that what is counted as queued stays exact.
 * Records with a timestamp of their own or headers need rd_kafka_produceva, one
 * by one.
 *
 * The partitioner is Java's (murmur2 of the key, random without one). For
 * topics of one partition it is skipped; the number is asked for before the
 * first record and every ten seconds, in case the topic has grown.
 *
 * Thread: the owner's. partition_cnt of a topic is also written by librdkafka's
 * main thread (partitioner of records that waited for metadata): atomic.
 */
#include "kafka/producer.h"
#include "kafka/rk.h"
#include "kafka/window.h"
#include "base/config.h"
#include "base/log.h"
#include "base/mem.h"
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

enum {
    RUN = 512, /* messages handed over in one call */
    METADATA_MS = 500,
    BUCKETS = 256, /* topic table; power of two */
    MAX_TOPIC = 249,
};
static const int64_t RECHECK_NS = 10000000000;

typedef int32_t (*partition_fn)(const rd_kafka_topic_t *rkt, const void *key,
                                size_t keylen, int32_t partition_cnt,
                                void *rkt_opaque, void *msg_opaque);

typedef struct topic {
    struct topic *next; /* in the bucket */
    rd_kafka_topic_t *rkt;
    partition_fn choose;
    _Atomic int32_t partition_cnt; /* 0: not known yet */
    int32_t counted;               /* of them in the window */
    int64_t checked_ns;            /* when the partitioner last saw it */
    uint32_t namelen;
    char name[];
} topic;

/* A message refused behind accepted ones: reported by the next poll. */
typedef struct refused {
    struct refused *next;
    tg_record *rec;
    topic *topic;
    size_t size;
    int32_t partition;
    rd_kafka_resp_err_t code;
} refused;

struct tg_producer {
    tg__rk rk; /* first: librdkafka's callbacks get its address */
    tg_delivery_fn fn;
    void *ctx;
    partition_fn choose;
    topic *topics[BUCKETS];
    topic *last; /* most batches have one topic */
    tg__window window;
    int served;       /* reports served by the running poll */
    refused *refused; /* newest last */
    refused **refused_end;
    rd_kafka_message_t run[RUN];
};

/* --- delivery reports ----------------------------------------------------- */

static bool about_contents(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
           code == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE ||
           code == RD_KAFKA_RESP_ERR_INVALID_RECORD ||
           code == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP;
}

static void deliver(tg_producer *producer, tg_record *rec, const char *name,
                    int32_t partition, int64_t offset, size_t size,
                    rd_kafka_resp_err_t code)
{
    char thing[320], detail[128];
    tg_err err;

    producer->served++;
    tg__window_give(&producer->window, size);
    if (!code) {
        producer->fn(producer->ctx, rec, name, partition, offset, NULL);
        return;
    }
    tg_err_clear(&err);
    snprintf(thing, sizeof thing, "topic %s", name);
    snprintf(detail, sizeof detail, "partition %d, a record of %zu bytes, %s",
             (int)partition, size, rd_kafka_err2name(code));
    tg__rk_fail(&producer->rk, &err, code, thing, detail);
    if (about_contents(code))
        err.code = TG_ERR_DATA;
    producer->fn(producer->ctx, rec, name, partition, -1, &err);
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *msg,
                        void *opaque)
{
    tg_producer *producer = opaque;

    (void)rk;
    deliver(producer, msg->_private, rd_kafka_topic_name(msg->rkt),
            msg->partition, msg->err ? -1 : msg->offset,
            msg->len + msg->key_len, msg->err);
}

static void serve_refused(tg_producer *producer)
{
    refused *list = producer->refused, *next;

    producer->refused = NULL;
    producer->refused_end = &producer->refused;
    for (; list; list = next) {
        next = list->next;
        deliver(producer, list->rec, list->topic->name, list->partition, -1,
                list->size, list->code);
        tg_free(list);
    }
}

static void refuse_later(tg_producer *producer, topic *t,
                         const rd_kafka_message_t *msg, int32_t partition)
{
    refused *r = tg_alloc(sizeof *r);

    *r = (refused){.rec = msg->_private,
                   .topic = t,
                   .size = msg->len + msg->key_len,
                   .partition = partition,
                   .code = msg->err};
    *producer->refused_end = r;
    producer->refused_end = &r->next;
}

static int64_t clock_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* --- topics --------------------------------------------------------------- */

static int32_t on_partition(const rd_kafka_topic_t *rkt, const void *key,
                            size_t keylen, int32_t partition_cnt,
                            void *rkt_opaque, void *msg_opaque)
{
    topic *t = rkt_opaque;

    atomic_store_explicit(&t->partition_cnt, partition_cnt,
                          memory_order_relaxed);
    return t->choose(rkt, key, keylen, partition_cnt, NULL, msg_opaque);
}

static partition_fn partitioner_named(const char *name)
{
    static const struct {
        const char *name;
        partition_fn fn;
    } known[] = {
        {"murmur2_random", rd_kafka_msg_partitioner_murmur2_random},
        {"murmur2", rd_kafka_msg_partitioner_murmur2},
        {"consistent", rd_kafka_msg_partitioner_consistent},
        {"consistent_random", rd_kafka_msg_partitioner_consistent_random},
        {"random", rd_kafka_msg_partitioner_random},
        {"fnv1a", rd_kafka_msg_partitioner_fnv1a},
        {"fnv1a_random", rd_kafka_msg_partitioner_fnv1a_random},
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i].name, name))
            return known[i].fn;
    return rd_kafka_msg_partitioner_murmur2_random;
}

static uint32_t hash(const char *p, uint32_t n)
{
    uint32_t h = 2166136261u;

    while (n--)
        h = (h ^ (unsigned char)*p++) * 16777619u;
    return h ^ h >> 15;
}

/* Asks for the number of partitions and waits for it: a record whose partition
 * is not known costs librdkafka's main thread as much again, and for records
 * without a key librdkafka never calls the partitioner. Without an answer the
 * last number stays. */
static void learn_partitions(tg_producer *producer, topic *t)
{
    const struct rd_kafka_metadata *md;

    if (rd_kafka_metadata(producer->rk.rk, 0, t->rkt, &md, METADATA_MS) == 0) {
        if (md->topic_cnt == 1 && !md->topics[0].err) {
            int32_t n = md->topics[0].partition_cnt;
            atomic_store_explicit(&t->partition_cnt, n, memory_order_relaxed);
            producer->window.partitions += n - t->counted;
            t->counted = n;
        }
        rd_kafka_metadata_destroy(md);
    }
    t->checked_ns = clock_ns();
}

static topic *topic_open(tg_producer *producer, const char *name, uint32_t len,
                         uint32_t h, tg_err *err)
{
    rd_kafka_topic_conf_t *conf;
    topic *t;

    if (!len || len > MAX_TOPIC || memchr(name, 0, len)) {
        tg_err_set(err, TG_ERR_DATA,
                   "\"%.*s\" is no legal topic name: 1 to 249 letters, digits, "
                   "'.', '_' and '-'",
                   len > 300 ? 300 : (int)len, name);
        return NULL;
    }
    t = tg_calloc(sizeof *t + len + 1);
    memcpy(t->name, name, len);
    t->namelen = len;
    t->choose = producer->choose;
    conf = rd_kafka_default_topic_conf_dup(producer->rk.rk);
    rd_kafka_topic_conf_set_opaque(conf, t);
    rd_kafka_topic_conf_set_partitioner_cb(conf, on_partition);
    t->rkt = rd_kafka_topic_new(producer->rk.rk, t->name, conf);
    if (!t->rkt) {
        char thing[320];

        snprintf(thing, sizeof thing, "topic %s", t->name);
        tg__rk_fail(&producer->rk, err, rd_kafka_last_error(), thing, NULL);
        rd_kafka_topic_conf_destroy(conf);
        tg_free(t);
        return NULL;
    }
    t->next = producer->topics[h & (BUCKETS - 1)];
    producer->topics[h & (BUCKETS - 1)] = t;
    learn_partitions(producer, t);
    return t;
}

static topic *topic_get(tg_producer *producer, const char *name, uint32_t len,
                        tg_err *err)
{
    topic *t = producer->last;
    uint32_t h;

    if (t && t->namelen == len && !memcmp(t->name, name, len))
        return t;
    h = hash(name, len);
    for (t = producer->topics[h & (BUCKETS - 1)]; t; t = t->next)
        if (t->namelen == len && !memcmp(t->name, name, len))
            break;
    if (!t)
        t = topic_open(producer, name, len, h, err);
    if (t)
        producer->last = t;
    return t;
}

/* Partition to ask for when a record leaves the choice to us. */
static int32_t usual_partition(tg_producer *producer, topic *t, int64_t now)
{
    if (now - t->checked_ns >= RECHECK_NS)
        learn_partitions(producer, t);
    return atomic_load_explicit(&t->partition_cnt, memory_order_relaxed) == 1
               ? 0
               : RD_KAFKA_PARTITION_UA;
}

/* --- sending -------------------------------------------------------------- */

static bool plain(const tg_record *rec)
{
    bool stamped = rec->timestamp >= 0 && rec->timestamp_type != TG_TIME_POLL;
    return !stamped && !rec->nheaders;
}

static size_t part_size(const tg_cell *cell)
{
    return cell->outlen < 0 ? 0 : (size_t)cell->outlen;
}

/* What the window counts: a delivery report knows no more. */
static size_t size_of(const tg_record *rec)
{
    return part_size(&rec->key) + part_size(&rec->value);
}

static int check_size(tg_producer *producer, const tg_record *rec, tg_err *err)
{
    size_t size = size_of(rec);

    for (uint32_t i = 0; i < rec->nheaders; i++)
        size += rec->headers[i].namelen + part_size(&rec->headers[i].cell);
    if ((int64_t)size <= producer->rk.max_bytes)
        return TG_OK;
    return tg_err_set(err, TG_ERR_LIMIT,
                      "topic %.*s: a record of %zu bytes is larger than "
                      "max.request.size=%lld: raise it (and max.message.bytes "
                      "of the topic), or send smaller records",
                      (int)rec->topiclen, rec->topic, size,
                      (long long)producer->rk.max_bytes);
}

static const char *bytes_of(const tg_cell *cell)
{
    if (cell->outlen < 0)
        return NULL;
    return cell->out ? cell->out : "";
}

static void fill(rd_kafka_message_t *msg, tg_record *rec)
{
    msg->err = RD_KAFKA_RESP_ERR_NO_ERROR;
    msg->payload = (void *)(uintptr_t)bytes_of(&rec->value);
    msg->len = part_size(&rec->value);
    msg->key = (void *)(uintptr_t)bytes_of(&rec->key);
    msg->key_len = part_size(&rec->key);
    msg->_private = rec;
}

static int fail_record(tg_producer *producer, topic *t,
                       rd_kafka_resp_err_t code, tg_err *err)
{
    char thing[320];

    snprintf(thing, sizeof thing, "topic %s", t->name);
    return tg__rk_fail(&producer->rk, err, code, thing, NULL);
}

/* What became of a run of n messages. Sets *taken to how many of them are
 * ours no longer: queued, or refused in the middle and reported later. */
static int judge_run(tg_producer *producer, topic *t, int32_t partition, int n,
                     int accepted, int *taken, tg_err *err)
{
    rd_kafka_message_t *run = producer->run;
    int last = n, first_bad = 0;

    if (accepted == n) {
        *taken = n;
        return TG_OK;
    }
    while (last > 0 && run[last - 1].err)
        last--;
    for (int i = 0; i < last; i++)
        if (run[i].err)
            refuse_later(producer, t, &run[i], partition);
    *taken = first_bad = last;
    if (run[first_bad].err == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        return 1;
    return fail_record(producer, t, run[first_bad].err, err);
}

/* Sends the run of plain records that starts at items[*from]. */
static int send_run(tg_producer *producer, tg_batch *batch, topic *t,
                    int64_t now, uint32_t *from, uint32_t *queued, tg_err *err)
{
    const tg_record *first = batch->items[*from];
    uint32_t at[RUN + 1]; /* index of each message's record */
    int32_t partition = first->partition;
    uint32_t i = *from;
    int n = 0, taken, rc;
    bool full = false;

    for (; i < batch->n && n < RUN; i++) {
        tg_record *rec = batch->items[i];

        if (rec->verdict != TG_KEEP)
            continue;
        if (!plain(rec) || rec->partition != partition ||
            (rec->topic != first->topic &&
             (rec->topiclen != t->namelen ||
              memcmp(rec->topic, t->name, t->namelen) != 0)) ||
            check_size(producer, rec, NULL))
            break;
        full = !tg__window_room(&producer->window, size_of(rec));
        if (full)
            break;
        tg__window_take(&producer->window, size_of(rec));
        at[n] = i;
        fill(&producer->run[n++], rec);
    }
    at[n] = i;
    if (n == 0)
        return 1;
    if (partition < 0)
        partition = usual_partition(producer, t, now);
    rc = judge_run(
        producer, t, partition, n,
        rd_kafka_produce_batch(t->rkt, partition, 0, producer->run, n), &taken,
        err);
    for (int k = taken; k < n; k++)
        tg__window_give(&producer->window, size_of(batch->items[at[k]]));
    *queued += (uint32_t)taken;
    *from = at[taken];
    return rc == 0 && full ? 1 : rc;
}

static rd_kafka_headers_t *headers_of(const tg_record *rec)
{
    rd_kafka_headers_t *headers;

    if (!rec->nheaders)
        return NULL;
    headers = rd_kafka_headers_new(rec->nheaders);
    for (uint32_t i = 0; i < rec->nheaders; i++) {
        const tg_header *h = &rec->headers[i];

        rd_kafka_header_add(headers, h->name, (ssize_t)h->namelen,
                            bytes_of(&h->cell), (ssize_t)part_size(&h->cell));
    }
    return headers;
}

/* One record with a timestamp or headers. The headers stay ours if the call
 * fails (headers that librdkafka builds itself are freed twice there before
 * 2.12). */
static int send_one(tg_producer *producer, topic *t, int64_t now,
                    tg_record *rec, tg_err *err)
{
    rd_kafka_headers_t *headers = headers_of(rec);
    int32_t partition =
        rec->partition < 0 ? usual_partition(producer, t, now) : rec->partition;
    rd_kafka_vu_t vus[7];
    rd_kafka_error_t *error;
    rd_kafka_resp_err_t code;
    size_t n = 0;

    vus[n].vtype = RD_KAFKA_VTYPE_RKT;
    vus[n++].u.rkt = t->rkt;
    vus[n].vtype = RD_KAFKA_VTYPE_PARTITION;
    vus[n++].u.i32 = partition;
    vus[n].vtype = RD_KAFKA_VTYPE_VALUE;
    vus[n].u.mem.ptr = (void *)(uintptr_t)bytes_of(&rec->value);
    vus[n++].u.mem.size = part_size(&rec->value);
    vus[n].vtype = RD_KAFKA_VTYPE_KEY;
    vus[n].u.mem.ptr = (void *)(uintptr_t)bytes_of(&rec->key);
    vus[n++].u.mem.size = part_size(&rec->key);
    vus[n].vtype = RD_KAFKA_VTYPE_OPAQUE;
    vus[n++].u.ptr = rec;
    if (rec->timestamp >= 0) {
        vus[n].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
        vus[n++].u.i64 = rec->timestamp;
    }
    if (headers) {
        vus[n].vtype = RD_KAFKA_VTYPE_HEADERS;
        vus[n++].u.headers = headers;
    }
    error = rd_kafka_produceva(producer->rk.rk, vus, n);
    if (!error)
        return TG_OK;
    code = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    if (headers)
        rd_kafka_headers_destroy(headers);
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        return 1;
    return fail_record(producer, t, code, err);
}

int tg_producer_send(tg_producer *producer, tg_batch *batch, uint32_t *from,
                     uint32_t *queued, tg_err *err)
{
    int64_t now = clock_ns();

    while (*from < batch->n) {
        tg_record *rec = batch->items[*from];
        topic *t;
        int rc;

        if (rec->verdict != TG_KEEP) {
            ++*from;
            continue;
        }
        rc = check_size(producer, rec, err);
        if (rc)
            return rc;
        t = topic_get(producer, rec->topic, rec->topiclen, err);
        if (!t)
            return err ? err->code : TG_ERR_KAFKA;
        if (plain(rec)) {
            rc = send_run(producer, batch, t, now, from, queued, err);
        } else if (!tg__window_room(&producer->window, size_of(rec))) {
            rc = 1;
        } else {
            rc = send_one(producer, t, now, rec, err);
            if (!rc) {
                tg__window_take(&producer->window, size_of(rec));
                ++*from;
                ++*queued;
            }
        }
        if (rc)
            return rc;
    }
    return TG_OK;
}

int tg_producer_poll(tg_producer *producer, int timeout_ms)
{
    producer->served = 0;
    if (producer->refused) {
        serve_refused(producer);
        timeout_ms = 0;
    }
    rd_kafka_poll(producer->rk.rk, timeout_ms);
    return producer->served;
}

int tg_producer_flush(tg_producer *producer, int timeout_ms, tg_err *err)
{
    rd_kafka_resp_err_t code;

    serve_refused(producer);
    code = rd_kafka_flush(producer->rk.rk, timeout_ms);
    if (!code)
        return TG_OK;
    if (*producer->rk.cause && producer->rk.has_pending)
        return tg_err_set(err, TG_ERR_TIMEOUT,
                          "%d records were not acknowledged within %d ms (%s)",
                          rd_kafka_outq_len(producer->rk.rk), timeout_ms,
                          producer->rk.cause);
    return tg_err_set(err, TG_ERR_TIMEOUT,
                      "%d records were not acknowledged within %d ms by %s",
                      rd_kafka_outq_len(producer->rk.rk), timeout_ms,
                      producer->rk.bootstrap);
}

int tg_producer_outstanding(tg_producer *producer)
{
    int n = rd_kafka_outq_len(producer->rk.rk);

    for (const refused *r = producer->refused; r; r = r->next)
        n++;
    return n;
}

bool tg_producer_error(tg_producer *producer, tg_err *err)
{
    return tg__rk_take(&producer->rk, err);
}

/* --- life ----------------------------------------------------------------- */

tg_producer *tg_producer_new(const json_t *config, tg_delivery_fn fn, void *ctx,
                             tg_err *err)
{
    tg_producer *producer = tg_calloc(sizeof *producer);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const char *name = tg_config_get(config, "partitioner", "");

    producer->fn = fn;
    producer->ctx = ctx;
    producer->refused_end = &producer->refused;
    producer->choose = partitioner_named(name);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    if (tg__rk_open_config(&producer->rk, TG_CLIENT_PRODUCER, conf, config,
                           err)) {
        tg__rk_close(&producer->rk);
        tg_free(producer);
        return NULL;
    }
    tg__window_init(&producer->window, producer->rk.rk);
    return producer;
}

void tg_producer_free(tg_producer *producer, int timeout_ms)
{
    if (!producer)
        return;
    if (timeout_ms > 0)
        tg_producer_flush(producer, timeout_ms, NULL);
    serve_refused(producer);
    /* Whatever is left gets its delivery call with an error. */
    rd_kafka_purge(producer->rk.rk,
                   RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(producer->rk.rk, 1000);
    for (int i = 0; i < BUCKETS; i++) {
        topic *t, *next;

        for (t = producer->topics[i]; t; t = next) {
            next = t->next;
            rd_kafka_topic_destroy(t->rkt);
            /* The partitioner may still run until the handle is gone. */
            t->rkt = NULL;
        }
    }
    tg__rk_close(&producer->rk);
    for (int i = 0; i < BUCKETS; i++) {
        topic *t, *next;

        for (t = producer->topics[i]; t; t = next) {
            next = t->next;
            tg_free(t);
        }
    }
    tg_free(producer);
}
