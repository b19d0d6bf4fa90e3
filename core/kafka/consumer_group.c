/*
 * The consumer's partitions: subscription and static assignment, rebalances,
 * commit, seek, pause.
 *
 * A rebalance is announced by a callback in the middle of filling a batch. It
 * is only noted there and carried out before the next batch is filled (see
 * tg__rebalance); while closing there is no next batch and it is carried out
 * at once. Offsets are the task's: librdkafka stores and commits none of its
 * own.
 *
 * Thread: the consumer's.
 */
#include "kafka/consumer_priv.h"
#include "base/log.h"
#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>

enum {
    OFFSETS_TIMEOUT_MS = 5000,
    LEADERS_TIMEOUT_MS = 2000,
    ASSIGN_TIMEOUT_MS = 10000
};

/* --- the table of partitions ---------------------------------------------- */

tg__part *tg__consumer_part(tg_consumer *consumer, const char *topic,
                            int32_t partition)
{
    for (int i = 0; i < consumer->nparts; i++)
        if (consumer->parts[i].partition == partition &&
            !strcmp(consumer->parts[i].topic, topic))
            return &consumer->parts[i];
    return NULL;
}

static void forget_last(tg_consumer *consumer)
{
    consumer->last = NULL;
    consumer->last_rkt = NULL;
}

static void add_parts(tg_consumer *consumer,
                      const rd_kafka_topic_partition_list_t *list)
{
    forget_last(consumer);
    consumer->parts =
        tg_realloc(consumer->parts, (size_t)(consumer->nparts + list->cnt + 1) *
                                        sizeof *consumer->parts);
    for (int i = 0; i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *elem = &list->elems[i];
        tg__part *part =
            tg__consumer_part(consumer, elem->topic, elem->partition);

        if (!part) {
            part = &consumer->parts[consumer->nparts++];
            part->topic = tg_strdup(elem->topic);
            part->partition = elem->partition;
        }
        part->next = elem->offset >= 0 ? elem->offset : -1;
        part->eof = false;
    }
}

static void remove_part(tg_consumer *consumer, tg__part *part)
{
    tg_free(part->topic);
    *part = consumer->parts[--consumer->nparts];
    forget_last(consumer);
}

void tg__consumer_forget_parts(tg_consumer *consumer)
{
    while (consumer->nparts)
        remove_part(consumer, &consumer->parts[consumer->nparts - 1]);
}

static rd_kafka_topic_partition_list_t *list_of_parts(tg_consumer *consumer)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new(consumer->nparts);

    for (int i = 0; i < consumer->nparts; i++)
        rd_kafka_topic_partition_list_add(list, consumer->parts[i].topic,
                                          consumer->parts[i].partition);
    return list;
}

/* For the hooks: borrowed topic names. Caller frees the array. */
static tg_partition *hook_parts(const rd_kafka_topic_partition_list_t *list)
{
    tg_partition *parts = tg_alloc(((size_t)list->cnt + 1) * sizeof *parts);

    for (int i = 0; i < list->cnt; i++)
        parts[i] = (tg_partition){
            list->elems[i].topic, list->elems[i].partition,
            list->elems[i].offset >= 0 ? list->elems[i].offset : -1};
    return parts;
}

/* Records of a partition that are received but not handed out. */
static void drop_left(tg_consumer *consumer, const char *topic,
                      int32_t partition)
{
    uint32_t kept = consumer->at;

    for (uint32_t i = consumer->at; i < consumer->n; i++) {
        rd_kafka_message_t *msg = consumer->msgs[i];

        if (msg->rkt && msg->partition == partition &&
            !strcmp(rd_kafka_topic_name(msg->rkt), topic))
            rd_kafka_message_destroy(msg);
        else
            consumer->msgs[kept++] = msg;
    }
    consumer->n = kept;
}

/* --- rebalance ------------------------------------------------------------ */

static bool cooperative(tg_consumer *consumer)
{
    const char *protocol = rd_kafka_rebalance_protocol(consumer->rk.rk);

    return protocol && !strcmp(protocol, "COOPERATIVE");
}

static void remember(tg_consumer *consumer, rd_kafka_resp_err_t code,
                     const char *detail)
{
    char thing[320];
    tg_err err;

    tg_err_clear(&err);
    snprintf(thing, sizeof thing, "group %s",
             consumer->group ? consumer->group : "(none)");
    tg__rk_fail(&consumer->rk, &err, code, thing, detail);
    tg__rk_remember(&consumer->rk, &err);
}

static void remember_error(tg_consumer *consumer, rd_kafka_error_t *error)
{
    if (!error)
        return;
    remember(consumer, rd_kafka_error_code(error),
             rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
}

/* Where auto.offset.reset leads is said in advance for partitions without an
 * offset: librdkafka would look for a committed one again, and that takes a
 * tenth of a second. */
static void fill_offsets(tg_consumer *consumer,
                         rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_topic_conf_t *conf =
        rd_kafka_default_topic_conf_dup(consumer->rk.rk);
    char reset[32] = "";
    size_t size = sizeof reset;
    int64_t start = RD_KAFKA_OFFSET_INVALID;

    rd_kafka_topic_conf_get(conf, "auto.offset.reset", reset, &size);
    rd_kafka_topic_conf_destroy(conf);
    if (!strcmp(reset, "smallest") || !strcmp(reset, "earliest") ||
        !strcmp(reset, "beginning"))
        start = RD_KAFKA_OFFSET_BEGINNING;
    else if (!strcmp(reset, "largest") || !strcmp(reset, "latest") ||
             !strcmp(reset, "end"))
        start = RD_KAFKA_OFFSET_END;
    for (int i = 0; i < list->cnt; i++)
        if (!list->elems[i].err &&
            list->elems[i].offset == RD_KAFKA_OFFSET_INVALID)
            list->elems[i].offset = start;
}

/* Asks for the leaders of all topics of a list in one request: an assignment
 * without them waits half a second for its first fetch. A failure only costs
 * that wait. */
static void learn_leaders(tg_consumer *consumer,
                          const rd_kafka_topic_partition_list_t *list)
{
    const struct rd_kafka_metadata *md = NULL;
    rd_kafka_topic_t **topics = tg_alloc((size_t)list->cnt * sizeof *topics);
    const char *last = "";
    int n = 0;

    for (int i = 0; i < list->cnt; i++) {
        if (!strcmp(list->elems[i].topic, last))
            continue;
        last = list->elems[i].topic;
        topics[n] = rd_kafka_topic_new(consumer->rk.rk, last, NULL);
        if (topics[n])
            n++;
    }
    rd_kafka_metadata(consumer->rk.rk, 0, NULL, &md, LEADERS_TIMEOUT_MS);
    if (md)
        rd_kafka_metadata_destroy(md);
    while (n > 0)
        rd_kafka_topic_destroy(topics[--n]);
    tg_free(topics);
}

static void assign_parts(tg_consumer *consumer,
                         rd_kafka_topic_partition_list_t *list)
{
    tg_partition *parts;
    rd_kafka_resp_err_t code;

    /* Starting positions; where this fails librdkafka asks by itself. */
    if (list->cnt && !consumer->closing) {
        if (rd_kafka_committed(consumer->rk.rk, list, OFFSETS_TIMEOUT_MS)) {
            for (int i = 0; i < list->cnt; i++)
                list->elems[i].offset = RD_KAFKA_OFFSET_INVALID;
        } else {
            fill_offsets(consumer, list);
            learn_leaders(consumer, list);
        }
    }
    if (cooperative(consumer)) {
        remember_error(consumer,
                       rd_kafka_incremental_assign(consumer->rk.rk, list));
    } else {
        tg__consumer_forget_parts(consumer);
        code = rd_kafka_assign(consumer->rk.rk, list);
        if (code)
            remember(consumer, code, NULL);
    }
    if (consumer->paused && list->cnt)
        rd_kafka_pause_partitions(consumer->rk.rk, list);
    add_parts(consumer, list);
    if (consumer->hooks.assigned) {
        parts = hook_parts(list);
        consumer->hooks.assigned(consumer->hooks.ctx, parts, list->cnt);
        tg_free(parts);
    }
}

static void revoke_parts(tg_consumer *consumer,
                         rd_kafka_topic_partition_list_t *list)
{
    bool lost = rd_kafka_assignment_lost(consumer->rk.rk);

    for (int i = 0; i < list->cnt; i++) {
        tg__part *part = tg__consumer_part(consumer, list->elems[i].topic,
                                           list->elems[i].partition);

        list->elems[i].offset = part ? part->next : -1;
        drop_left(consumer, list->elems[i].topic, list->elems[i].partition);
    }
    if (consumer->hooks.revoked) {
        tg_partition *parts = hook_parts(list);

        consumer->hooks.revoked(consumer->hooks.ctx, parts, list->cnt, lost);
        tg_free(parts);
    }
    for (int i = 0; i < list->cnt; i++) {
        tg__part *part = tg__consumer_part(consumer, list->elems[i].topic,
                                           list->elems[i].partition);

        if (part)
            remove_part(consumer, part);
    }
    if (cooperative(consumer))
        remember_error(consumer,
                       rd_kafka_incremental_unassign(consumer->rk.rk, list));
    else
        rd_kafka_assign(consumer->rk.rk, NULL);
}

static void rebalance(tg_consumer *consumer, rd_kafka_resp_err_t code,
                      rd_kafka_topic_partition_list_t *list)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS:
        assign_parts(consumer, list);
        break;
    case RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS:
        revoke_parts(consumer, list);
        break;
    default:
        remember(consumer, code, NULL);
        tg__consumer_forget_parts(consumer);
        rd_kafka_assign(consumer->rk.rk, NULL);
    }
}

void tg__consumer_on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code,
                               rd_kafka_topic_partition_list_t *parts,
                               void *opaque)
{
    tg_consumer *consumer = opaque;
    tg__rebalance *r;

    (void)rk;
    if (!consumer->filling) {
        rebalance(consumer, code, parts);
        return;
    }
    r = tg_calloc(sizeof *r);
    r->code = code;
    r->parts = parts ? rd_kafka_topic_partition_list_copy(parts)
                     : rd_kafka_topic_partition_list_new(0);
    *consumer->pending_end = r;
    consumer->pending_end = &r->next;
    /* Nothing arrives before it is carried out: end the wait. */
    rd_kafka_queue_yield(consumer->queue);
}

void tg__consumer_settle(tg_consumer *consumer)
{
    tg__rebalance *r;

    while ((r = consumer->pending)) {
        consumer->pending = r->next;
        if (!consumer->pending)
            consumer->pending_end = &consumer->pending;
        rebalance(consumer, r->code, r->parts);
        rd_kafka_topic_partition_list_destroy(r->parts);
        tg_free(r);
    }
}

/* --- subscription and static assignment ----------------------------------- */

int tg_consumer_subscribe(tg_consumer *consumer, const json_t *topics,
                          tg_err *err)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new((int)json_array_size(topics));
    rd_kafka_resp_err_t code;
    json_t *topic;
    size_t i;
    int rc = TG_OK;

    json_array_foreach((json_t *)topics, i, topic)
    {
        const char *name = json_string_value(topic);
        char *regex = NULL;

        if (name && *name == '^') {
            regex = tg__regex_posix(name + 1, err);
            if (!regex) {
                rc = TG_ERR_CONFIG;
                goto out;
            }
        }
        if (name)
            rd_kafka_topic_partition_list_add(list, regex ? regex : name,
                                              RD_KAFKA_PARTITION_UA);
        tg_free(regex);
    }
    code = rd_kafka_subscribe(consumer->rk.rk, list);
    if (code)
        rc = tg__rk_fail(&consumer->rk, err, code, "the subscription", NULL);
out:
    rd_kafka_topic_partition_list_destroy(list);
    return rc;
}

/* Without metadata the first fetch waits half a second. */
static int prefetch(tg_consumer *consumer, const char *topic, tg_err *err)
{
    const struct rd_kafka_metadata *md = NULL;
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(consumer->rk.rk, topic, NULL);
    rd_kafka_resp_err_t code;
    char thing[320];

    code =
        rkt ? rd_kafka_metadata(consumer->rk.rk, 0, rkt, &md, ASSIGN_TIMEOUT_MS)
            : rd_kafka_last_error();
    if (md)
        rd_kafka_metadata_destroy(md);
    if (rkt)
        rd_kafka_topic_destroy(rkt);
    if (!code)
        return TG_OK;
    snprintf(thing, sizeof thing, "topic %s", topic);
    return tg__rk_fail(&consumer->rk, err, code, thing, NULL);
}

static int start_offsets(tg_consumer *consumer, const json_t *parts,
                         rd_kafka_topic_partition_list_t *list, tg_err *err)
{
    rd_kafka_resp_err_t code;
    char thing[320];

    code = rd_kafka_committed(consumer->rk.rk, list, ASSIGN_TIMEOUT_MS);
    if (code) {
        snprintf(thing, sizeof thing, "committed offsets of group %s",
                 consumer->group);
        return tg__rk_fail(&consumer->rk, err, code, thing, NULL);
    }
    fill_offsets(consumer, list);
    for (int i = 0; i < list->cnt; i++) {
        json_t *given = json_array_get(json_array_get(parts, (size_t)i), 2);

        if (json_is_integer(given))
            list->elems[i].offset = json_integer_value(given);
    }
    return TG_OK;
}

static bool all_given(const json_t *parts)
{
    json_t *part;
    size_t i;

    json_array_foreach((json_t *)parts, i, part)
    {
        if (!json_is_integer(json_array_get(part, 2)))
            return false;
    }
    return true;
}

int tg_consumer_assign(tg_consumer *consumer, const json_t *parts, tg_err *err)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new((int)json_array_size(parts));
    const char *last = "";
    rd_kafka_resp_err_t code;
    json_t *part;
    size_t i;
    int rc = TG_OK;

    json_array_foreach((json_t *)parts, i, part)
    {
        const char *topic = json_string_value(json_array_get(part, 0));
        json_t *number = json_array_get(part, 1);
        json_t *given = json_array_get(part, 2);

        if (!topic || !json_is_integer(number)) {
            rc = tg_err_set(err, TG_ERR_ARG,
                            "an assignment is a list of [\"topic\", partition] "
                            "or [\"topic\", partition, offset]");
            goto out;
        }
        if (strcmp(topic, last) != 0 && (rc = prefetch(consumer, topic, err)))
            goto out;
        last = topic;
        rd_kafka_topic_partition_list_add(list, topic,
                                          (int32_t)json_integer_value(number))
            ->offset =
            given ? json_integer_value(given) : RD_KAFKA_OFFSET_INVALID;
    }
    if (!all_given(parts) && (rc = start_offsets(consumer, parts, list, err)))
        goto out;
    code = rd_kafka_assign(consumer->rk.rk, list);
    if (code) {
        rc = tg__rk_fail(&consumer->rk, err, code, "the assignment", NULL);
        goto out;
    }
    if (consumer->paused)
        rd_kafka_pause_partitions(consumer->rk.rk, list);
    tg__consumer_forget_parts(consumer);
    add_parts(consumer, list);
    if (consumer->hooks.assigned) {
        tg_partition *array = hook_parts(list);

        consumer->hooks.assigned(consumer->hooks.ctx, array, list->cnt);
        tg_free(array);
    }
out:
    rd_kafka_topic_partition_list_destroy(list);
    return rc;
}

/* --- commit --------------------------------------------------------------- */

/* The code of a commit, or of its first partition that failed. */
static rd_kafka_resp_err_t commit_code(
    rd_kafka_resp_err_t code, const rd_kafka_topic_partition_list_t *list,
    char *where, size_t size)
{
    *where = 0;
    for (int i = 0; list && i < list->cnt; i++) {
        if (!list->elems[i].err || (code && code != list->elems[i].err))
            continue;
        snprintf(where, size, "%s-%d at offset %lld", list->elems[i].topic,
                 (int)list->elems[i].partition,
                 (long long)list->elems[i].offset);
        return list->elems[i].err;
    }
    return code;
}

static int commit_error(tg_consumer *consumer, rd_kafka_resp_err_t code,
                        const char *where, tg_err *err)
{
    char thing[320];

    snprintf(thing, sizeof thing, "commit of group %s", consumer->group);
    tg__rk_fail(&consumer->rk, err, code, thing, *where ? where : NULL);
    return err ? err->code : TG_ERR_KAFKA;
}

void tg__consumer_on_commit(rd_kafka_t *rk, rd_kafka_resp_err_t code,
                            rd_kafka_topic_partition_list_t *list, void *opaque)
{
    tg_consumer *consumer = opaque;
    tg_partition *parts;
    char where[320];
    tg_err err;

    (void)rk;
    if (!consumer->hooks.committed || !list ||
        code == RD_KAFKA_RESP_ERR__NO_OFFSET)
        return;
    tg_err_clear(&err);
    code = commit_code(code, list, where, sizeof where);
    if (code)
        commit_error(consumer, code, where, &err);
    parts = hook_parts(list);
    consumer->hooks.committed(consumer->hooks.ctx, parts, list->cnt,
                              code ? &err : NULL);
    tg_free(parts);
}

/* Answer of a synchronous commit. */
typedef struct answer {
    bool done;
    rd_kafka_resp_err_t code;
    char where[320];
} answer;

static void on_answer(rd_kafka_t *rk, rd_kafka_resp_err_t code,
                      rd_kafka_topic_partition_list_t *list, void *opaque)
{
    answer *a = opaque;

    (void)rk;
    a->done = true;
    a->code = commit_code(code, list, a->where, sizeof a->where);
}

static int commit_sync(tg_consumer *consumer,
                       const rd_kafka_topic_partition_list_t *list,
                       int timeout_ms, tg_err *err)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(consumer->rk.rk);
    answer a = {0};
    rd_kafka_resp_err_t code;
    int rc = TG_OK;

    code = rd_kafka_commit_queue(consumer->rk.rk, list, queue, on_answer, &a);
    if (code) {
        rc = commit_error(consumer, code, "", err);
        goto out;
    }
    rd_kafka_queue_poll_callback(queue, timeout_ms);
    if (!a.done)
        rc = tg_err_set(err, TG_ERR_TIMEOUT,
                        "commit of group %s was not answered within %d ms",
                        consumer->group, timeout_ms);
    else if (a.code)
        rc = commit_error(consumer, a.code, a.where, err);
    if (rc == TG_ERR_TIMEOUT && err)
        err->retriable = true;
out:
    rd_kafka_queue_destroy(queue);
    return rc;
}

int tg_consumer_commit(tg_consumer *consumer, const tg_partition *parts, int n,
                       bool sync, int timeout_ms, tg_err *err)
{
    rd_kafka_topic_partition_list_t *list;
    rd_kafka_resp_err_t code;
    int rc = TG_OK;

    list = rd_kafka_topic_partition_list_new(n);
    for (int i = 0; i < n; i++)
        if (parts[i].offset >= 0)
            rd_kafka_topic_partition_list_add(list, parts[i].topic,
                                              parts[i].partition)
                ->offset = parts[i].offset;
    if (!list->cnt)
        goto out;
    if (sync) {
        rc = commit_sync(consumer, list, timeout_ms, err);
        goto out;
    }
    code = rd_kafka_commit(consumer->rk.rk, list, 1);
    if (code)
        rc = commit_error(consumer, code, "", err);
out:
    rd_kafka_topic_partition_list_destroy(list);
    return rc;
}

/* --- pause, seek, watermarks ---------------------------------------------- */

int tg_consumer_pause(tg_consumer *consumer, bool paused, tg_err *err)
{
    rd_kafka_topic_partition_list_t *list;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;

    if (consumer->paused == paused)
        return TG_OK;
    consumer->paused = paused;
    if (!consumer->nparts)
        return TG_OK;
    list = list_of_parts(consumer);
    code = paused ? rd_kafka_pause_partitions(consumer->rk.rk, list)
                  : rd_kafka_resume_partitions(consumer->rk.rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code)
        return tg__rk_fail(&consumer->rk, err, code,
                           paused ? "pausing" : "resuming", NULL);
    /* The resumption is carried out by other threads: kick until it is. */
    if (!paused)
        tg__kick_request(consumer->kick, consumer->parts, consumer->nparts, 3);
    return TG_OK;
}

int tg_consumer_seek(tg_consumer *consumer, const char *topic,
                     int32_t partition, int64_t offset, tg_err *err)
{
    tg__part *part = tg__consumer_part(consumer, topic, partition);
    rd_kafka_topic_t *rkt;
    rd_kafka_resp_err_t code;
    char thing[320];

    if (!part)
        return tg_err_set(err, TG_ERR_STATE,
                          "cannot continue %s-%d at offset %lld: the partition "
                          "is not assigned to this task",
                          topic, (int)partition, (long long)offset);
    drop_left(consumer, topic, partition);
    rkt = rd_kafka_topic_new(consumer->rk.rk, topic, NULL);
    code = rkt ? rd_kafka_seek(rkt, partition, offset, OFFSETS_TIMEOUT_MS)
               : rd_kafka_last_error();
    if (rkt)
        rd_kafka_topic_destroy(rkt);
    if (code) {
        snprintf(thing, sizeof thing, "continuing %s-%d at offset %lld", topic,
                 (int)partition, (long long)offset);
        return tg__rk_fail(&consumer->rk, err, code, thing, NULL);
    }
    part->next = offset >= 0 ? offset : -1;
    part->eof = false;
    return TG_OK;
}

int tg_consumer_watermarks(tg_consumer *consumer, const char *topic,
                           int32_t partition, int timeout_ms, int64_t *low,
                           int64_t *high, tg_err *err)
{
    char thing[320];
    rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
        consumer->rk.rk, topic, partition, low, high, timeout_ms);

    if (!code)
        return TG_OK;
    snprintf(thing, sizeof thing, "%s-%d", topic, (int)partition);
    return tg__rk_fail(&consumer->rk, err, code, thing, NULL);
}
