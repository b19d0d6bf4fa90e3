/*
 * Dead letters. They are collected in batches of their own, whose memory lives
 * until Kafka has acknowledged or refused each of them:
 *
 *   add -> last batch of the list -> producer -> report -> batch empty: freed
 *
 * A broker refuses all letters of a request for one of them, or for their size
 * together: each is sent once more in a request of its own. One that is refused
 * with a stack trace in it is then sent without (the trace may be what made it
 * too large). When that fails too, a letter of a task that goes on without its
 * record (errors.tolerance=all) would be a lost record: the task fails instead
 * and its offsets stay. When the task fails anyway, the failure is logged and
 * counted only.
 *
 * The task's thread; delivery reports are served inside tg_producer_poll.
 */
#include "task/letter.h"
#include "base/log.h"
#include "base/mem.h"
#include "host/services.h"
#include "kafka/admin.h"
#include "kafka/producer.h"
#include <stdio.h>

static const char MOD[] = "errors";

enum {
    ADMIN_TIMEOUT_MS = 30000,
    LETTERS = 256,         /* of one batch */
    BATCH_BYTES = 4 << 20, /* of one batch, roughly */
    UNDER_WAY_MAX = 2000,  /* letters; then add waits */
    BYTES_MAX = 64 << 20,  /* of them */
    WAIT_MS = 50,
    TELL_S = 30
};

/* Stage of a letter that goes in a request of its own. */
enum { ALONE = 1 };

static const char TOPIC[] = "errors.deadletterqueue.topic.name";
static const char REPLICATION[] =
    "errors.deadletterqueue.topic.replication.factor";
static const char CONTEXT[] = "errors.deadletterqueue.context.headers.enable";

typedef struct letters {
    struct letters *next;
    tg_batch *batch;
    uint32_t from;    /* handed to the producer up to here */
    uint32_t pending; /* of those: no report yet */
    size_t bytes;
} letters;

struct tg_dead_letters {
    tg_task *task;
    tg_dead_letter_settings settings;
    char *topic;
    tg_producer *producer; /* NULL until the first letter */
    letters *first, *last;
    int64_t under_way; /* letters that are not settled */
    int64_t bytes;
    bool alone; /* the producer may have a letter that is to be alone */
    bool closing;
    bool failed;
    tg_err failure;
    bool answered; /* embedded broker: the topic is there */
    tg_err answer;
};

/* --- settings ------------------------------------------------------------ */

int tg_dead_letter_settings_read(tg_dead_letter_settings *out,
                                 const json_t *config, const char **key,
                                 tg_err *err)
{
    const char *topic = tg_config_get(config, TOPIC, "");
    int64_t n = 3;

    *out = (tg_dead_letter_settings){.topic = *topic ? topic : NULL};
    *key = TOPIC;
    if (strlen(topic) > 249 || strspn(topic, "abcdefghijklmnopqrstuvwxyz"
                                             "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                             "0123456789._-") != strlen(topic))
        return tg_err_set(err, TG_ERR_CONFIG,
                          "Invalid value %.300s for configuration %s: a topic "
                          "name has 1 to 249 characters of a-z, A-Z, 0-9, '.', "
                          "'_' and '-'",
                          topic, TOPIC);
    *key = REPLICATION;
    if (tg_config_int(config, REPLICATION, 3, -1, INT16_MAX, &n, err))
        return TG_ERR_CONFIG;
    if (n == 0)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "Invalid value 0 for configuration %s: at least 1, "
                          "or -1 for the broker's default",
                          REPLICATION);
    out->replication = (int)n;
    *key = CONTEXT;
    return tg_config_bool(config, CONTEXT, false, &out->context, err);
}

/* --- the topic ----------------------------------------------------------- */

bool tg_dead_letters_answer(tg_dead_letters *d, const json_t *msg)
{
    const char *topic = json_string_value(json_object_get(msg, "topic"));
    const char *error = json_string_value(json_object_get(msg, "error"));

    if (!d || d->answered || !topic || strcmp(topic, d->topic) != 0)
        return false;
    d->answered = true;
    if (error)
        tg_err_set(&d->answer, TG_ERR_KAFKA,
                   "the embedded broker cannot make it: %s", error);
    return true;
}

static int ask_supervisor(tg_dead_letters *d, tg_err *err)
{
    tg_task *task = d->task;

    tg_control_send(task->control,
                    json_pack("{s:s, s:s}", "op", "needs", "topic", d->topic));
    while (!d->answered) {
        if (tg__task_stopping(task))
            return tg_err_set(err, TG_ERR_STOPPED, "the task stops");
        tg__task_heartbeat(task);
        tg__task_control(task, 500);
    }
    if (d->answer.code)
        *err = d->answer;
    return d->answer.code;
}

static int make_topic(tg_dead_letters *d, tg_err *err)
{
    tg_client_scope scope = tg__task_scope(d->task);
    json_t *config = tg_client_config_dlq_admin(&scope, err);
    tg_admin *admin = config ? tg_admin_new(config, err) : NULL;
    int partitions, rc = admin ? 0 : err->code;

    json_decref(config);
    if (rc)
        return rc;
    rc = tg_admin_topic_exists(admin, d->topic, ADMIN_TIMEOUT_MS, &partitions,
                               err);
    if (rc == 0) {
        rc = tg_admin_create_topic(admin, d->topic, 1, d->settings.replication,
                                   NULL, ADMIN_TIMEOUT_MS, err);
        if (rc == 0)
            tg_info(MOD, "Created the dead-letter topic %s", d->topic);
        else
            tg_err_prefix(err, "it cannot be created with %s=%d", REPLICATION,
                          d->settings.replication);
    } else if (rc > 0) {
        rc = 0;
    }
    tg_admin_free(admin);
    return rc;
}

/* --- life ---------------------------------------------------------------- */

int tg_dead_letters_start(tg_task *task, tg_err *err)
{
    tg_dead_letter_settings settings;
    tg_dead_letters *d;
    const char *key;
    int rc = tg_dead_letter_settings_read(&settings, task->config, &key, err);

    if (rc || !settings.topic)
        return rc;
    d = tg_calloc(sizeof *d);
    d->task = task;
    d->settings = settings;
    d->topic = tg_strdup(settings.topic);
    task->policy.dead = d;
    rc = task->embedded ? ask_supervisor(d, err) : make_topic(d, err);
    if (rc && rc != TG_ERR_STOPPED)
        tg_err_prefix(err, "%s=%s", TOPIC, d->topic);
    return rc;
}

const char *tg_dead_letters_topic(const tg_dead_letters *d)
{
    return d->topic;
}

static void letters_free(tg_dead_letters *d, letters *l)
{
    d->bytes -= (int64_t)l->bytes;
    tg_batch_free(l->batch);
    tg_free(l);
}

void tg_dead_letters_free(tg_dead_letters *d, int timeout_ms)
{
    tg_err err = {0};

    if (!d)
        return;
    if (timeout_ms > 0 && tg_dead_letters_settle(d, timeout_ms, &err) == 1)
        tg_warn(MOD,
                "%lld dead letters for topic %s were not acknowledged "
                "before the task ended",
                (long long)d->under_way, d->topic);
    d->closing = true;
    tg_producer_free(d->producer, 0);
    while (d->first) {
        letters *next = d->first->next;
        letters_free(d, d->first);
        d->first = next;
    }
    tg_free(d->topic);
    tg_free(d);
}

/* --- letters ------------------------------------------------------------- */

static letters *room(tg_dead_letters *d)
{
    letters *l = d->last;

    if (l && l->batch->n < LETTERS && l->bytes < BATCH_BYTES)
        return l;
    l = tg_calloc(sizeof *l);
    l->batch = tg_batch_new(LETTERS, 0);
    l->batch->owner = l;
    if (d->last)
        d->last->next = l;
    else
        d->first = l;
    d->last = l;
    return l;
}

static tg_record *new_letter(tg_dead_letters *d, uint32_t headers)
{
    letters *l = room(d);
    tg_record *letter = tg_batch_append(l->batch);

    letter->topic = d->topic;
    letter->topiclen = (uint32_t)strlen(d->topic);
    letter->headers =
        tg_arena_alloc(l->batch->arena, (headers + 1) * sizeof(tg_header));
    memset(letter->headers, 0, (headers + 1) * sizeof(tg_header));
    letter->capheaders = headers + 1;
    return letter;
}

static void weigh(tg_dead_letters *d, const tg_record *letter)
{
    letters *l = letter->batch->owner;
    size_t n = sizeof(tg_record);

    n += letter->key.outlen > 0 ? (size_t)letter->key.outlen : 0;
    n += letter->value.outlen > 0 ? (size_t)letter->value.outlen : 0;
    for (uint32_t i = 0; i < letter->nheaders; i++)
        n += sizeof(tg_header) + (letter->headers[i].cell.outlen > 0
                                      ? (size_t)letter->headers[i].cell.outlen
                                      : 0);
    l->bytes += n;
    d->bytes += (int64_t)n;
    d->under_way++;
}

/* --- sending ------------------------------------------------------------- */

/* The same letter once more, alone and with so many of its headers. */
static void send_again(tg_dead_letters *d, const tg_record *old,
                       uint32_t headers)
{
    tg_record *letter = new_letter(d, headers);

    tg__letter_copy(letter, old, headers);
    letter->stage = ALONE;
    weigh(d, letter);
}

static void refused(tg_dead_letters *d, const tg_record *letter,
                    const tg_err *why)
{
    const char *place = letter->reason ? letter->reason : "that failed";

    d->under_way--;
    if (d->closing)
        return;
    if (why->code == TG_ERR_DATA && letter->stage != ALONE) {
        send_again(d, letter, letter->nheaders);
        return;
    }
    if (tg__letter_has_trace(letter)) {
        send_again(d, letter, letter->nheaders - 1);
        return;
    }
    tg_page_add(d->task->page->dlq_failures, 1);
    tg_error(MOD,
             "The record %s could not be written to the dead-letter topic "
             "%s: %s",
             place, d->topic, why->text);
    if (!d->task->policy.tolerate || d->failed)
        return;
    d->failed = true;
    tg_err_set(&d->failure, TG_ERR_KAFKA,
               "%s connector %s, task %d: the record %s failed and could not "
               "be written to the dead-letter topic %s: %.500s; nothing is "
               "committed behind it: mend the topic (or remove %s to skip such "
               "records) and restart the task",
               d->task->source ? "Source" : "Sink", d->task->name, d->task->id,
               place, d->topic, why->text, TOPIC);
}

static void on_report(void *ctx, tg_record *letter, const char *topic,
                      int32_t partition, int64_t offset, const tg_err *err)
{
    tg_dead_letters *d = ctx;
    letters *l = letter->batch->owner;

    (void)topic;
    (void)partition;
    (void)offset;
    l->pending--;
    if (err)
        refused(d, letter, err);
    else
        d->under_way--;
}

static int make_producer(tg_dead_letters *d, tg_err *err)
{
    tg_client_scope scope = tg__task_scope(d->task);
    json_t *config;

    if (d->producer)
        return 0;
    config = tg_client_config_dlq_producer(&scope, err);
    if (config)
        d->producer = tg_producer_new(config, on_report, d, err);
    json_decref(config);
    return d->producer ? 0 : err->code;
}

/* The end of what may follow in one go: a letter that goes alone, or those
 * before it. 0: not now. */
static uint32_t next_end(tg_dead_letters *d, const tg_batch *batch,
                         uint32_t from)
{
    bool idle = tg_producer_outstanding(d->producer) == 0;
    uint32_t end = from;

    if (d->alone && !idle)
        return 0;
    d->alone = batch->items[from]->stage == ALONE;
    if (d->alone)
        return idle ? from + 1 : 0;
    while (end < batch->n && batch->items[end]->stage != ALONE)
        end++;
    return end;
}

/* Hands over what the producer takes. */
static void hand_over(tg_dead_letters *d)
{
    for (letters *l = d->first; l; l = l->next) {
        while (l->from < l->batch->n) {
            uint32_t queued = 0, n = l->batch->n, end = n;
            tg_err err = {0};
            int rc = make_producer(d, &err);
            if (rc == 0) {
                end = next_end(d, l->batch, l->from);
                if (end == 0)
                    return;
                l->batch->n = end;
                rc = tg_producer_send(d->producer, l->batch, &l->from, &queued,
                                      &err);
                l->batch->n = n;
            }
            l->pending += queued;
            if (rc == 0)
                continue;
            if (rc == 1 || (err.retriable && !err.fatal))
                return;
            refused(d, l->batch->items[l->from++], &err);
        }
    }
}

/* Frees the batches of which nothing is under way; not inside a report, when
 * librdkafka still has the bytes. */
static void sweep(tg_dead_letters *d)
{
    letters **at = &d->first;

    d->last = NULL;
    while (*at) {
        letters *l = *at;
        if (l->from == l->batch->n && l->pending == 0) {
            *at = l->next;
            letters_free(d, l);
        } else {
            d->last = l;
            at = &l->next;
        }
    }
}

static void turn(tg_dead_letters *d, int wait_ms)
{
    tg_err err = {0};

    hand_over(d);
    if (!d->producer)
        return;
    tg_producer_poll(d->producer, wait_ms);
    sweep(d);
    if (tg_producer_error(d->producer, &err))
        tg_log_write(err.fatal ? TG_LOG_ERROR : TG_LOG_WARN, MOD,
                     "Dead letters for topic %s: %s", d->topic, err.text);
}

/* --- for the task -------------------------------------------------------- */

/* True when there is room; false when the task stops or a letter is lost. */
static bool wait_room(tg_dead_letters *d)
{
    int64_t told = tg_clock_ns();

    while (d->under_way >= UNDER_WAY_MAX || d->bytes >= BYTES_MAX) {
        if (d->failed || (tg__task_stopping(d->task) &&
                          tg__task_stop_left(d->task, INT32_MAX) == 0))
            return false;
        turn(d, WAIT_MS);
        tg__task_heartbeat(d->task);
        if (tg_control_pending(d->task->control))
            tg__task_control(d->task, 0);
        if (tg_clock_ns() - told < TELL_S * 1000000000LL)
            continue;
        told = tg_clock_ns();
        tg_warn(MOD, "%lld dead letters wait for topic %s",
                (long long)d->under_way, d->topic);
    }
    return true;
}

/* A letter that was never queued: the same as one that was refused for good. */
static void give_up(tg_dead_letters *d, const tg_record *rec)
{
    char place[600];

    if (d->failed)
        return;
    d->failed = true;
    tg_err_set(&d->failure, TG_ERR_STOPPED,
               "the task stops before the record %s was written to the "
               "dead-letter topic %s",
               tg_record_place(rec, place, sizeof place), d->topic);
}

void tg_dead_letters_add(tg_dead_letters *d, const tg_record *rec,
                         tg_record *original, const tg_error_stage *stage)
{
    tg_record *letter;

    if (!wait_room(d)) {
        give_up(d, rec);
        return;
    }
    if (!original)
        original = (tg_record *)(uintptr_t)rec;
    letter = new_letter(d, tg__letter_headers(original));
    tg__letter_write(d->task, d->settings.context, letter, rec, original,
                     stage);
    weigh(d, letter);
    tg_page_add(d->task->page->dlq_requests, 1);
    turn(d, 0);
}

int tg_dead_letters_serve(tg_dead_letters *d, tg_err *err)
{
    if (!d)
        return 0;
    if (d->under_way > 0)
        turn(d, 0);
    if (d->failed)
        *err = d->failure;
    return d->failed ? d->failure.code : 0;
}

int tg_dead_letters_settle(tg_dead_letters *d, int timeout_ms, tg_err *err)
{
    int64_t end = tg_clock_ns() + (int64_t)timeout_ms * 1000000;

    while (d && d->under_way > 0 && !d->failed) {
        int64_t left = (end - tg_clock_ns()) / 1000000;
        left = tg__task_stop_left(d->task, left < 0 ? 0 : (int)left);
        turn(d, left < WAIT_MS ? (int)left : WAIT_MS);
        tg__task_heartbeat(d->task);
        if (tg_control_pending(d->task->control))
            tg__task_control(d->task, 0);
        if (left <= 0 && d->under_way > 0 && !d->failed)
            return 1;
    }
    return tg_dead_letters_serve(d, err);
}
