/*
 * The consumer: batches of referenced messages. rd_kafka_consume_batch_queue
 * fills an array, the records of the batch point into the messages, and the
 * messages are destroyed when the batch is reset. It also serves rebalances,
 * commit results and errors on the way.
 *
 * Messages of partitions that are not (or no longer) assigned are dropped: the
 * assignment is taken back by other threads a moment after it was given up, and
 * their offsets are not committed by us.
 *
 * Thread: the owner's; kick.c has a helper thread of its own.
 */
#include "kafka/consumer_priv.h"
#include "base/config.h"
#include "base/log.h"
#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    CLOSE_MS = 5000,
    LAG_KICK_MS = 5000, /* how old the ends of paused partitions may get */
    IDLE_KICK_MS = 100,
    BATCH_DEFAULT = 500
};

static int64_t clock_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* --- life ----------------------------------------------------------------- */

static int64_t mapped_int(tg_consumer *consumer, const char *key)
{
    char text[64];
    size_t size = sizeof text;

    if (rd_kafka_conf_get(rd_kafka_conf(consumer->rk.rk), key, text, &size))
        return 0;
    return atoll(text);
}

tg_consumer *tg_consumer_new(const json_t *config,
                             const tg_consumer_hooks *hooks, tg_err *err)
{
    tg_consumer *consumer = tg_calloc(sizeof *consumer);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    if (hooks)
        consumer->hooks = *hooks;
    consumer->pending_end = &consumer->pending;
    rd_kafka_conf_set_rebalance_cb(conf, tg__consumer_on_rebalance);
    rd_kafka_conf_set_offset_commit_cb(conf, tg__consumer_on_commit);
    if (!*tg_config_get(config, "group.id", "")) {
        tg_err_set(err, TG_ERR_CONFIG,
                   "group.id is not set: a consumer needs a group for its "
                   "offsets");
        rd_kafka_conf_destroy(conf);
        goto fail;
    }
    if (tg__rk_open_config(&consumer->rk, TG_CLIENT_CONSUMER, conf, config,
                           err))
        goto fail;
    consumer->group = tg_strdup(tg_config_get(config, "group.id", ""));
    rd_kafka_poll_set_consumer(consumer->rk.rk);
    consumer->queue = rd_kafka_queue_get_consumer(consumer->rk.rk);
    consumer->kick = tg__kick_new(consumer->rk.rk);
    consumer->queued_min = mapped_int(consumer, "queued.min.messages");
    consumer->queued_max_bytes =
        mapped_int(consumer, "queued.max.messages.kbytes") * 1024;
    return consumer;
fail:
    tg__rk_close(&consumer->rk);
    tg_free(consumer);
    return NULL;
}

static void drop_all(tg_consumer *consumer)
{
    for (uint32_t i = consumer->at; i < consumer->n; i++)
        rd_kafka_message_destroy(consumer->msgs[i]);
    consumer->at = consumer->n = 0;
}

/* Leaves the group. Rebalances are served from a queue of its own, so that the
 * wait can be bounded: a broker that does not answer must not hold a task. */
static bool leave(tg_consumer *consumer)
{
    rd_kafka_t *rk = consumer->rk.rk;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    int64_t until = clock_ns() + (int64_t)CLOSE_MS * 1000000;
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(rk, queue);
    bool closed = !error;

    if (error)
        rd_kafka_error_destroy(error);
    while (closed && !rd_kafka_consumer_closed(rk)) {
        rd_kafka_message_t *msg;

        if (clock_ns() >= until) {
            tg_warn("kafka",
                    "group %s was not left in order within %d ms: the broker "
                    "notices after session.timeout.ms",
                    consumer->group, CLOSE_MS);
            closed = false;
            break;
        }
        if (rd_kafka_consume_batch_queue(queue, 20, &msg, 1) > 0)
            rd_kafka_message_destroy(msg);
    }
    rd_kafka_queue_destroy(queue);
    return closed;
}

void tg_consumer_free(tg_consumer *consumer)
{
    bool left;

    if (!consumer)
        return;
    consumer->closing = true;
    tg__consumer_settle(consumer);
    drop_all(consumer);
    rd_kafka_queue_destroy(consumer->queue);
    left = leave(consumer);
    tg__kick_free(consumer->kick);
    if (!left) {
        rd_kafka_destroy_flags(consumer->rk.rk,
                               RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
        consumer->rk.rk = NULL;
    }
    tg__rk_close(&consumer->rk);
    tg__consumer_forget_parts(consumer);
    tg_free(consumer->parts);
    tg_free(consumer->msgs);
    tg_free(consumer->group);
    tg_free(consumer);
}

/* --- errors and ends of partitions among the messages --------------------- */

static void on_trouble(tg_consumer *consumer, const rd_kafka_message_t *msg)
{
    const char *topic = msg->rkt ? rd_kafka_topic_name(msg->rkt) : NULL;
    char thing[320];
    tg_err err;

    if (msg->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        tg__part *part =
            topic ? tg__consumer_part(consumer, topic, msg->partition) : NULL;

        if (part) {
            part->next = msg->offset;
            part->eof = true;
        }
        return;
    }
    tg_err_clear(&err);
    if (topic && msg->partition >= 0)
        snprintf(thing, sizeof thing, "topic %s (partition %d)", topic,
                 (int)msg->partition);
    else if (topic)
        snprintf(thing, sizeof thing, "topic %s", topic);
    else
        snprintf(thing, sizeof thing, "group %s", consumer->group);
    tg__rk_fail(&consumer->rk, &err, msg->err, thing,
                rd_kafka_message_errstr(msg));
    tg__rk_remember(&consumer->rk, &err);
}

/* --- the kick ------------------------------------------------------------- */

/*
 * librdkafka stops fetching when the queue holds queued.min.messages records or
 * queued.max.messages.kbytes; the bytes are estimated from the average record.
 * Its look at the queue falls between two of ours, so that a queue seen a batch
 * or two below the limit may have stopped already: one that was above 5/8 of it
 * is kicked once when it falls to half, and the next fetch arrives before it is
 * empty. A kick too many costs a small request.
 */
static void kick_if_due(tg_consumer *consumer)
{
    int64_t len = (int64_t)rd_kafka_queue_length(consumer->queue);
    int64_t limit = consumer->queued_min;

    if (consumer->avg_size > 0 &&
        consumer->queued_max_bytes / consumer->avg_size < limit)
        limit = consumer->queued_max_bytes / consumer->avg_size;
    if (len >= limit * 5 / 8)
        consumer->armed = true;
    if (!consumer->armed || len > limit / 2)
        return;
    consumer->armed = false;
    tg__kick_request(consumer->kick, consumer->parts, consumer->nparts, 1);
}

/* Nothing came although records are known to be there. */
static void kick_if_behind(tg_consumer *consumer)
{
    int64_t now;

    if (consumer->paused || !consumer->nparts)
        return;
    now = clock_ns();
    if (now - consumer->idle_kick_ns < (int64_t)IDLE_KICK_MS * 1000000)
        return;
    consumer->idle_kick_ns = now;
    if (tg_consumer_lag(consumer) > 0)
        tg__kick_request(consumer->kick, consumer->parts, consumer->nparts, 1);
}

/* --- polling -------------------------------------------------------------- */

static void fill(tg_consumer *consumer, uint32_t most, int timeout_ms)
{
    ssize_t got;

    consumer->filling = true;
    got = rd_kafka_consume_batch_queue(consumer->queue, timeout_ms,
                                       consumer->msgs + consumer->n, most);
    consumer->filling = false;
    if (got > 0)
        consumer->n += (uint32_t)got;
}

/* Receives up to most messages behind what is there already. Waits for the
 * first one, then takes what is there. */
static void receive(tg_consumer *consumer, uint32_t most, int timeout_ms,
                    int linger_ms)
{
    uint32_t before = consumer->n;

    if (consumer->n + most > consumer->cap) {
        consumer->cap = consumer->n + most;
        consumer->msgs =
            tg_realloc(consumer->msgs, consumer->cap * sizeof *consumer->msgs);
    }
    fill(consumer, most, 0);
    if (consumer->n == before && timeout_ms > 0 && !consumer->pending) {
        kick_if_behind(consumer);
        fill(consumer, 1, timeout_ms);
        if (consumer->n > before && most > 1)
            fill(consumer, most - 1, linger_ms);
    } else if (consumer->n > before && consumer->n < before + most &&
               linger_ms > 0) {
        fill(consumer, most - (consumer->n - before), linger_ms);
    }
    kick_if_due(consumer);
}

/* The partition of a message, if it is ours. */
static tg__part *owner(tg_consumer *consumer, const rd_kafka_message_t *msg)
{
    tg__part *part = consumer->last;

    if (part && consumer->last_rkt == msg->rkt &&
        part->partition == msg->partition)
        return part;
    part = tg__consumer_part(consumer, rd_kafka_topic_name(msg->rkt),
                             msg->partition);
    if (part) {
        consumer->last = part;
        consumer->last_rkt = msg->rkt;
    }
    return part;
}

/* Called when somebody looks: librdkafka allocates even where there are none.
 * The message keeps what it parsed. */
static int load_headers(const void *conv, tg_record *rec)
{
    rd_kafka_headers_t *list;
    tg_header *headers;
    size_t n;

    if (rd_kafka_message_headers(rec->unread, &list))
        return TG_OK;
    n = rd_kafka_header_cnt(list);
    headers = tg_arena_alloc(rec->batch->arena, n * sizeof *headers);
    if (!headers)
        return TG_ERR_LIMIT;
    memset(headers, 0, n * sizeof *headers);
    for (size_t i = 0; i < n; i++) {
        const char *name;
        const void *p;
        size_t len;

        rd_kafka_header_get_all(list, i, &name, &p, &len);
        headers[i].name = name;
        headers[i].namelen = (uint32_t)strlen(name);
        headers[i].cell.record = rec;
        tg_cell_set_raw(&headers[i].cell, conv, p, p ? (int32_t)len : -1);
    }
    rec->headers = headers;
    rec->nheaders = rec->capheaders = (uint32_t)n;
    return TG_OK;
}

static void set_part(tg_cell *cell, const tg_converter *conv, const void *p,
                     size_t len)
{
    if (p)
        tg_cell_set_raw(cell, conv, p, (int32_t)len);
    else if (conv)
        cell->schema = conv->null_schema;
}

static int make_record(tg_batch *batch, const rd_kafka_message_t *msg,
                       const tg__part *part, const tg_converter *key,
                       const tg_converter *value)
{
    tg_record *rec = tg_batch_append(batch);
    rd_kafka_timestamp_type_t type;

    if (!rec)
        return TG_ERR_LIMIT;
    rec->topic = rec->origin_topic = rd_kafka_topic_name(msg->rkt);
    rec->topiclen = rec->origin_topiclen = (uint32_t)strlen(part->topic);
    rec->partition = rec->origin_partition = msg->partition;
    rec->origin_offset = msg->offset;
    rec->timestamp = rd_kafka_message_timestamp(msg, &type);
    rec->timestamp_type = (uint8_t)type;
    set_part(&rec->key, key, msg->key, msg->key_len);
    set_part(&rec->value, value, msg->payload, msg->len);
    batch->bytes += msg->key_len + msg->len;
    rec->unread = msg;
    return TG_OK;
}

/* Messages referenced by one batch. */
typedef struct held {
    uint32_t n;
    rd_kafka_message_t *msgs[];
} held;

static void release(void *arg)
{
    held *h = arg;

    for (uint32_t i = 0; i < h->n; i++)
        rd_kafka_message_destroy(h->msgs[i]);
    tg_free(h);
}

static void hand_out(tg_consumer *consumer, tg_batch *batch,
                     const tg_converter *key, const tg_converter *value,
                     const tg_converter *header)
{
    uint32_t n = consumer->n - consumer->at;
    held *h = tg_alloc(sizeof *h + n * sizeof *h->msgs);

    h->n = 0;
    while (consumer->at < consumer->n) {
        rd_kafka_message_t *msg = consumer->msgs[consumer->at];
        tg__part *part;

        if (msg->err) {
            on_trouble(consumer, msg);
            rd_kafka_message_destroy(msg);
            consumer->at++;
            continue;
        }
        part = owner(consumer, msg);
        if (!part) {
            rd_kafka_message_destroy(msg);
            consumer->at++;
            continue;
        }
        /* What does not fit is the start of the next batch. */
        if (batch->n >= batch->max || make_record(batch, msg, part, key, value))
            break;
        part->next = msg->offset + 1;
        part->eof = false;
        h->msgs[h->n++] = msg;
        consumer->at++;
    }
    if (consumer->at == consumer->n)
        consumer->at = consumer->n = 0;
    tg_batch_on_release(batch, release, h);
    tg_batch_on_headers(batch, load_headers, header);
}

int tg_consumer_poll(tg_consumer *consumer, tg_batch *batch, int timeout_ms,
                     int linger_ms, const tg_converter *key,
                     const tg_converter *value, const tg_converter *header,
                     tg_err *err)
{
    uint32_t most;

    tg__consumer_settle(consumer);
    if (!batch->max)
        batch->max = BATCH_DEFAULT;
    most = batch->max;
    if (consumer->at == consumer->n) {
        receive(consumer, most, timeout_ms, linger_ms);
    } else if (consumer->paused) {
        /* Still serve what is not a record: none are fetched now. */
        receive(consumer, most, timeout_ms, 0);
        return 0;
    }
    if (consumer->at < consumer->n)
        hand_out(consumer, batch, key, value, header);
    if (!batch->n)
        tg__consumer_settle(consumer);
    else
        consumer->avg_size =
            (consumer->avg_size * 7 + (int64_t)(batch->bytes / batch->n)) / 8;
    if (!batch->n && consumer->rk.has_pending && consumer->rk.pending.fatal) {
        tg__rk_take(&consumer->rk, err);
        return TG_ERR_KAFKA;
    }
    return (int)batch->n;
}

/* --- what is known about the ends ----------------------------------------- */

int64_t tg_consumer_lag(tg_consumer *consumer)
{
    int64_t sum = 0;

    if (!consumer->nparts)
        return -1;
    for (int i = 0; i < consumer->nparts; i++) {
        const tg__part *part = &consumer->parts[i];
        int64_t low, high = -1, end, next = part->next;

        if (rd_kafka_get_watermark_offsets(consumer->rk.rk, part->topic,
                                           part->partition, &low, &high))
            high = -1;
        end = tg__kick_end(consumer->kick, part->topic, part->partition);
        if (end > high)
            high = end;
        if (high < 0)
            return -1;
        /* Nothing read and nothing committed yet: all of it is to come. */
        if (next < 0)
            next = low >= 0 ? low : 0;
        if (high > next)
            sum += high - next;
    }
    if (consumer->paused &&
        clock_ns() - consumer->idle_kick_ns > (int64_t)LAG_KICK_MS * 1000000) {
        consumer->idle_kick_ns = clock_ns();
        tg__kick_request(consumer->kick, consumer->parts, consumer->nparts, 1);
    }
    return sum;
}

bool tg_consumer_at_end(tg_consumer *consumer)
{
    for (int i = 0; i < consumer->nparts; i++)
        if (!consumer->parts[i].eof)
            return false;
    return consumer->nparts > 0 && !consumer->pending &&
           consumer->at == consumer->n;
}

bool tg_consumer_error(tg_consumer *consumer, tg_err *err)
{
    return tg__rk_take(&consumer->rk, err);
}
