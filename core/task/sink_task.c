/*
 * Sink task: consume -> chain -> put, and commits of what was put.
 *
 *   take messages -> commit if due -> poll the consumer (paused while records
 *   wait to be put again, or while the connector is paused) -> chain -> put
 *
 * The consumer is polled in every turn, so that the membership in its group
 * lives whatever the connector does. On the embedded broker a commit is due
 * when a quarter of the window was put, or when nothing more comes.
 *
 * Threads: the task's. librdkafka's own threads do the network.
 */
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "host/services.h"
#include "task/settings.h"
#include "task/sink.h"

static const char MOD[] = "sink";

enum {
    IDLE_MS = 200,  /* longest poll of the consumer: a stop waits so long */
    DIRTY_MS = 10,  /* embedded broker: sources wait for the last commit */
    PAUSED_MS = 50, /* the same while records wait to be put again */
    LAG_MS = 1000,
    QUEUE_MAX = 8 /* batches that may still come out of a paused consumer */
};

/* --- polling ------------------------------------------------------------- */

static int poll_timeout(const tg__sink *s)
{
    int64_t now = tg_clock_ns(), ms = IDLE_MS;
    int64_t commit = (s->next_commit_ns - now) / 1000000;

    if (s->queue)
        ms = PAUSED_MS;
    if (s->queue && s->queue->retry_ns &&
        (s->queue->retry_ns - now) / 1000000 < ms)
        ms = (s->queue->retry_ns - now) / 1000000 + 1;
    if (s->window_bytes && ms > DIRTY_MS && tg__sink_offsets_dirty(&s->offsets))
        ms = DIRTY_MS;
    if (commit < ms)
        ms = commit;
    ms = ms < 0 ? 0 : ms;
    return tg__task_ms_to_timer(s->task, (int)ms);
}

static void count_polled(tg__sink *s, const tg_batch *batch)
{
    tg_page *page = s->task->page;
    int64_t now = tg_clock_wall_ms();

    tg_page_set(page->last_poll_ms, now);
    if (batch->n == 0)
        return;
    tg__task_busy(s->task);
    tg_page_set(page->last_record_ms, now);
    tg_page_add(page->records_in, batch->n);
    tg_page_add(page->bytes_in, (int64_t)batch->bytes);
    tg_page_add(page->batches, 1);
}

static void log_client_error(tg__sink *s)
{
    tg_err err = {0};

    if (!tg_consumer_error(s->consumer, &err))
        return;
    tg_log_write(err.fatal ? TG_LOG_ERROR : TG_LOG_WARN, MOD, "%s", err.text);
    if (!err.fatal || s->failed)
        return;
    tg_err_prefix(&err, "Sink connector %s, task %d", s->task->name,
                  s->task->id);
    s->failed = true;
    s->failure = err;
}

static int hook_failure(const tg__sink *s, tg_err *err)
{
    if (!s->failed)
        return 0;
    *err = s->failure;
    return err->code;
}

/* A transform that was saved while the consumer waited for these records is
 * theirs already. */
static void check_reload(tg__sink *s)
{
    if (tg_control_pending(s->task->control))
        tg__task_control(s->task, 0);
    if (s->task->reload.due)
        tg__task_between(s->task);
}

/* What arrived in the meantime is kept in the queue; what the queue does not
 * hold stays with the consumer, which is paused. */
static int consume(tg__sink *s, tg_err *err)
{
    const tg_chain *chain = s->task->chain;
    tg__sink_batch *sb;
    int depth = 0, n;

    for (sb = s->queue; sb; sb = sb->next)
        depth++;
    sb = tg__sink_take(s);
    if (depth >= QUEUE_MAX)
        sb->batch->max = 1; /* only to keep the membership alive */
    tg__task_at(s->task, TG_AT_IDLE);
    n = tg_consumer_poll(s->consumer, sb->batch, poll_timeout(s),
                         TG_SINK_LINGER_MS, tg_chain_key(chain),
                         tg_chain_value(chain), tg_chain_header(chain), err);
    log_client_error(s);
    count_polled(s, sb->batch);
    if (n < 0 || s->failed) {
        tg__sink_give(s, sb);
        if (s->failed)
            return hook_failure(s, err);
        tg_err_prefix(err, "Sink connector %s, task %d", s->task->name,
                      s->task->id);
        if (err->retriable && !err->fatal) {
            tg_warn(MOD, "Consuming is tried again: %s", err->text);
            tg__task_control(s->task, 100);
            return 0;
        }
        return n;
    }
    if (sb->batch->n == 0) {
        tg__sink_give(s, sb);
        if (tg__task_idle(s->task)) {
            tg__sink_trim(s);
            tg__task_trim();
        }
        return 0;
    }
    check_reload(s);
    return tg__sink_enqueue(s, sb, err);
}

/* --- when to commit ------------------------------------------------------ */

static bool commit_due(const tg__sink *s, bool idle)
{
    int64_t now = tg_clock_ns();

    if (s->task->commit_asked || now >= s->next_commit_ns)
        return true;
    if (!s->window_bytes || now < s->next_retry_commit_ns)
        return false;
    if (s->uncommitted_bytes >= s->window_bytes ||
        s->uncommitted_records >= s->window_records)
        return true;
    return idle && tg__sink_offsets_dirty(&s->offsets);
}

static void update_page(tg__sink *s)
{
    int64_t now = tg_clock_ns();

    if (now < s->next_lag_ns)
        return;
    s->next_lag_ns = now + LAG_MS * 1000000LL;
    tg_page_set(s->task->page->lag, tg_consumer_lag(s->consumer));
    tg_page_set(s->task->page->lua_bytes, (int64_t)tg_vm_memory(s->task->vm));
}

/* --- the loop ------------------------------------------------------------ */

static int pause_changed(tg__sink *s, bool *was, tg_err *err)
{
    if (*was == s->task->paused)
        return 0;
    *was = s->task->paused;
    return *was ? tg__sink_commit(s, false, err) : 0;
}

static void report_topics(tg__sink *s)
{
    json_t *list = json_array();

    s->offsets.news = false;
    for (int i = 0; i < s->offsets.n; i++)
        if (s->offsets.parts[i].consumed)
            json_array_append_new(list, json_string(s->offsets.parts[i].topic));
    tg__task_report_topics(s->task, list);
}

static int turn(tg__sink *s, tg_err *err)
{
    int64_t before = tg_page_get(s->task->page->records_in);
    int rc = tg_consumer_pause(s->consumer, s->task->paused || s->queue, err);

    if (rc) {
        tg_err_prefix(err, "Sink connector %s, task %d", s->task->name,
                      s->task->id);
        return rc;
    }
    rc = consume(s, err);
    if (s->offsets.news)
        report_topics(s);
    if (rc == 0 && !s->task->paused)
        rc = tg__sink_put(s, err);
    if (rc == 0 &&
        commit_due(s, tg_page_get(s->task->page->records_in) == before))
        rc = tg__sink_commit(s, false, err);
    update_page(s);
    return rc;
}

/* --- reloading ----------------------------------------------------------- */

static json_t *open_partitions(const tg__sink *s)
{
    json_t *list = json_array();

    for (int i = 0; i < s->offsets.n; i++)
        json_array_append_new(list,
                              json_pack("[s, i]", s->offsets.parts[i].topic,
                                        s->offsets.parts[i].partition));
    return list;
}

static void close_partitions(tg__sink *s)
{
    json_t *list = open_partitions(s);
    tg_err err = {0};

    if (json_array_size(list) > 0 &&
        tg_instance_close(s->task->instance, list, &err) != 0)
        tg_warn(MOD, "The connector's close failed: %s", err.text);
    json_decref(list);
}

/* The connector's script has changed. What was put is flushed and committed
 * first; what waits in the queue is put by the new version. The consumer and
 * its partitions stay. */
static int renew(tg__sink *s, tg_err *err)
{
    json_t *parts;
    int rc = tg__sink_commit(s, true, err);

    if (rc || s->unflushed)
        return rc; /* in the next turn */
    close_partitions(s);
    parts = open_partitions(s);
    rc = tg__reload_renew(s->task, NULL, parts, err);
    json_decref(parts);
    if (rc)
        tg_err_prefix(err, "Sink connector %s, task %d", s->task->name,
                      s->task->id);
    return rc;
}

/* A new version that fails before it has put anything goes. 0: the version
 * before is back. */
static int revert(tg__sink *s, tg_err *err)
{
    json_t *parts = open_partitions(s);
    tg_err why = *err;
    int rc = tg__reload_revert(s->task, &why, NULL, parts, err);

    json_decref(parts);
    tg__sink_put_anew(s);
    s->unflushed = false;
    return rc;
}

static int turn_or_revert(tg__sink *s, tg_err *err)
{
    tg_page *page = s->task->page;
    int64_t out = tg_page_get(page->records_out);
    int rc;

    s->put_failed = false;
    rc = turn(s, err);

    if (!s->task->reload.trial)
        return rc;
    if (tg_page_get(page->records_out) != out)
        tg__reload_proven(s->task);
    else if (rc && s->put_failed && !tg__task_vm_gone(rc, err))
        rc = revert(s, err);
    return rc;
}

static int loop(tg__sink *s, tg_err *err)
{
    bool paused = s->task->paused;
    int rc = hook_failure(s, err);

    while (rc == 0 && !tg__task_stopping(s->task)) {
        tg__task_heartbeat(s->task);
        if (tg_control_pending(s->task->control))
            tg__task_control(s->task, 0);
        rc = pause_changed(s, &paused, err);
        if (rc == 0 && s->task->reload.renew)
            rc = renew(s, err);
        if (rc)
            break;
        tg__task_between(s->task);
        rc = turn_or_revert(s, err);
    }
    return tg__task_outcome(s->task, rc);
}

/* --- life ---------------------------------------------------------------- */

static json_t *topics_of(const tg_task *task, tg_err *err)
{
    const char *regex = tg_config_get(task->config, "topics.regex", "");
    json_t *topics = tg_config_list(task->config, "topics");

    if (json_array_size(topics) == 0 && *regex) {
        char *pattern = tg_sprintf("^%s", *regex == '^' ? regex + 1 : regex);
        json_array_append_new(topics, json_string(pattern));
        tg_free(pattern);
    }
    if (json_array_size(topics) > 0)
        return topics;
    json_decref(topics);
    tg_err_set(err, TG_ERR_CONFIG,
               "Must configure one of topics or topics.regex");
    return NULL;
}

static int start_consumer(tg__sink *s, tg_err *err)
{
    tg_client_scope scope = tg__task_scope(s->task);
    tg_consumer_hooks hooks = tg__sink_hooks;
    json_t *config = tg_client_config_consumer(&scope, err);
    int64_t max = TG_SINK_BATCH;

    hooks.ctx = s;
    if (config && tg_config_int(config, "max.poll.records", TG_SINK_BATCH, 1,
                                INT32_MAX, &max, err) == 0)
        s->consumer = tg_consumer_new(config, &hooks, err);
    s->batch_max = (uint32_t)(max < 100000 ? max : 100000);
    json_decref(config);
    return s->consumer ? 0 : err->code;
}

static int subscribe(tg__sink *s, tg_err *err)
{
    const json_t *assign = json_object_get(s->task->embedded, "assign");
    json_t *topics;
    int rc;

    if (assign)
        return tg_consumer_assign(s->consumer, assign, err);
    topics = topics_of(s->task, err);
    rc = topics ? tg_consumer_subscribe(s->consumer, topics, err) : err->code;
    json_decref(topics);
    return rc;
}

static void read_window(tg__sink *s)
{
    const json_t *e = s->task->embedded;
    int64_t bytes, records;

    if (!e)
        return;
    bytes = json_integer_value(json_object_get(e, "window"));
    records = json_integer_value(json_object_get(e, "max_records"));
    s->window_bytes = (bytes > 0 ? bytes : 4 << 20) / 4;
    s->window_records = (records > 0 ? records : 50000) / 4;
}

/* Last commit of what was put, also after a failure; hooks are called unless
 * the VM is dead. */
static void finish(tg__sink *s, int rc, const tg_err *why)
{
    tg_err err = {0};

    s->closing = true;
    if (tg__task_vm_gone(rc, why))
        return;
    /* the last flush may take its time; the supervisor sees to the limit */
    tg_task_set_stopping(false);
    if (tg__sink_commit(s, true, &err) != 0)
        tg_warn(MOD,
                "The last commit failed; records since the one before are put "
                "again: %s",
                err.text);
    tg_task_set_stopping(tg__task_stopping(s->task));
    if (rc)
        tg__task_report_failed(s->task, why);
    close_partitions(s);
    tg__task_at(s->task, TG_AT_STOP);
    tg_err_clear(&err);
    if (tg_instance_stop(s->task->instance, &err) != 0)
        tg_warn(MOD, "The connector's stop failed: %s", err.text);
}

static int run(tg__sink *s, tg_err *err)
{
    int rc = tg__task_start_instance(s->task, err);

    if (rc)
        return rc;
    s->next_commit_ns = tg_clock_ns() + s->task->flush_interval_ms * 1000000;
    rc = subscribe(s, err);
    if (rc)
        tg_err_prefix(err, "Sink connector %s, task %d", s->task->name,
                      s->task->id);
    else
        rc = loop(s, err);
    finish(s, rc, err);
    return rc;
}

int tg__sink_task_run(tg_task *task, tg_err *err)
{
    tg__sink s = {.task = task};
    int rc;

    tg_control_set_grace(task->control, 2000);
    read_window(&s);
    rc = start_consumer(&s, err);
    if (rc)
        tg_err_prefix(err, "Sink connector %s, task %d", task->name, task->id);
    else
        rc = run(&s, err);
    s.closing = true;
    tg__sink_free_batches(&s);
    if (s.consumer)
        tg_consumer_free(s.consumer);
    tg__sink_offsets_fini(&s.offsets);
    return tg__task_outcome(task, rc);
}
