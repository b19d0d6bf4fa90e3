/*
 * Error policy. Invariant: a record leaves the pipeline without being delivered
 * only through the tolerated branch here (counted in records_skipped) or by a
 * script's drop. With a dead-letter topic that branch leads through
 * dead_letter.c, which keeps offsets back until Kafka has the letter.
 *
 * The task's thread.
 */
#include "task/error_policy.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "host/services.h"
#include "task/client_config.h"
#include "task/dead_letter.h"
#include "text/regex.h"
#include <stdio.h>

static const char MOD[] = "errors";

enum { DELAY_MIN_MS = 300, DELAY_MAX_MS = 60000 };

static const char TOLERANCE[] = "errors.tolerance";
static const char RETRY_TIMEOUT[] = "errors.retry.timeout";
static const char RETRY_DELAY[] = "errors.retry.delay.max.ms";
static const char LOG_ENABLE[] = "errors.log.enable";
static const char LOG_MESSAGES[] = "errors.log.include.messages";

/* --- settings ------------------------------------------------------------ */

static int read_tolerance(const json_t *config, bool *out, tg_err *err)
{
    const char *text = tg_config_get(config, TOLERANCE, "none");

    *out = strcmp(text, "all") == 0;
    if (*out || strcmp(text, "none") == 0)
        return 0;
    return tg_err_set(err, TG_ERR_CONFIG,
                      "Invalid value %s for configuration %s: String must be "
                      "one of: none, all",
                      text, TOLERANCE);
}

static int read_timeout(const json_t *config, int64_t *out, tg_err *err)
{
    return tg_config_int(config, RETRY_TIMEOUT, 0, -1, INT64_MAX / 2000000, out,
                         err);
}

static int read_delay(const json_t *config, int64_t *out, tg_err *err)
{
    return tg_config_int(config, RETRY_DELAY, DELAY_MAX_MS, 0, INT32_MAX, out,
                         err);
}

int tg_error_policy_init(tg_error_policy *policy, const json_t *config,
                         const char *connector, int task, bool source,
                         tg_page *page, tg_err *err)
{
    *policy = (tg_error_policy){
        .connector = connector, .task = task, .source = source, .page = page};
    if (read_tolerance(config, &policy->tolerate, err) ||
        read_timeout(config, &policy->retry.timeout_ms, err) ||
        read_delay(config, &policy->retry.delay_max_ms, err) ||
        tg_config_bool(config, LOG_ENABLE, false, &policy->log, err) ||
        tg_config_bool(config, LOG_MESSAGES, false, &policy->log_messages, err))
        return TG_ERR_CONFIG;
    return 0;
}

static void complain(json_t *errors, const json_t *config, const char *key,
                     const char *message)
{
    json_t *value = json_object_get(config, key);

    json_array_append_new(
        errors, json_pack("{s:s, s:O, s:s}", "key", key, "value",
                          value ? value : json_null(), "message", message));
}

static bool listed(const json_t *list, const char *text)
{
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item) if (strcmp(json_string_value(item),
                                                 text) == 0) return true;
    return false;
}

static bool matches(const char *pattern, const char *topic)
{
    tg_regex *re = tg_regex_new(pattern, (uint32_t)strlen(pattern), NULL);
    bool yes =
        re && tg_regex_matches(re, topic, (uint32_t)strlen(topic), NULL) == 1;

    tg_regex_free(re);
    return yes;
}

/* A sink that reads its own dead letters never comes to an end. */
static void check_loop(const json_t *config, const char *topic, json_t *errors)
{
    json_t *topics = tg_config_list(config, "topics");
    const char *pattern = tg_config_get(config, "topics.regex", "");
    bool in_list = listed(topics, topic);

    if (in_list || (*pattern && matches(pattern, topic))) {
        const char *key = in_list ? "topics" : "topics.regex";
        char *text = tg_sprintf(
            "The DLQ topic '%s' may not be included in the %s "
            "('%s=%s') consumed by the connector",
            topic, in_list ? "list of topics" : "regex matching the topics",
            key, tg_config_get(config, key, ""));
        complain(errors, config, key, text);
        tg_free(text);
    }
    json_decref(topics);
}

static void check_dead_letters(const json_t *worker, const json_t *config,
                               bool source, json_t *errors)
{
    tg_dead_letter_settings dead;
    const char *key = NULL;
    tg_err err = {0};

    if (tg_dead_letter_settings_read(&dead, config, &key, &err))
        complain(errors, config, key, err.text);
    if (!dead.topic)
        return;
    if (!source) {
        check_loop(config, dead.topic, errors);
        tg_client_config_check(worker, config, "producer.override.", errors);
    }
    tg_client_config_check(worker, config, "admin.override.", errors);
}

void tg_error_policy_check(const json_t *worker, const json_t *config,
                           bool source, json_t *errors)
{
    int64_t n;
    bool b;
    tg_err err = {0};

    if (read_tolerance(config, &b, &err))
        complain(errors, config, TOLERANCE, err.text);
    if (read_timeout(config, &n, &err))
        complain(errors, config, RETRY_TIMEOUT, err.text);
    if (read_delay(config, &n, &err))
        complain(errors, config, RETRY_DELAY, err.text);
    if (tg_config_bool(config, LOG_ENABLE, false, &b, &err))
        complain(errors, config, LOG_ENABLE, err.text);
    if (tg_config_bool(config, LOG_MESSAGES, false, &b, &err))
        complain(errors, config, LOG_MESSAGES, err.text);
    check_dead_letters(worker, config, source, errors);
}

/* --- retries ------------------------------------------------------------- */

int64_t tg_retry_delay_ms(const tg_retry_limits *limits, int attempt)
{
    int shift = attempt < 1 ? 0 : attempt > 40 ? 39 : attempt - 1;
    int64_t ms = (int64_t)DELAY_MIN_MS << shift;

    if (ms <= limits->delay_max_ms)
        return ms;
    if (limits->delay_max_ms == 0)
        return 0;
    /* tasks that fail together should not come back together */
    return (int64_t)((uint64_t)tg_clock_ns() / 1000 %
                     (uint64_t)limits->delay_max_ms);
}

/* --- one record ---------------------------------------------------------- */

static const char *sink_place(const tg_record *rec, char *buf, size_t size)
{
    snprintf(buf, size, "%.*s-%d@%lld", (int)rec->origin_topiclen,
             rec->origin_topic, rec->origin_partition,
             (long long)rec->origin_offset);
    return buf;
}

const char *tg_record_place(const tg_record *rec, char *buf, size_t size)
{
    const char *partition, *name = NULL;

    if (rec->origin_topic)
        return sink_place(rec, buf, size);
    partition = rec->origin_partition >= 0
                    ? tg_partition_text(rec->origin_partition, &name)
                    : NULL;
    if (!partition)
        snprintf(buf, size, "without a source partition");
    else if (rec->source_offset)
        snprintf(buf, size, "%.200s %.*s", partition,
                 rec->source_offsetlen > 200 ? 200 : (int)rec->source_offsetlen,
                 rec->source_offset);
    else
        snprintf(buf, size, "%.200s {\"%.60s\":%lld}", partition,
                 name ? name : "offset", (long long)rec->origin_offset);
    return buf;
}

static void log_record(const tg_error_policy *p, const tg_record *rec,
                       const tg_record *original, const tg_error_stage *stage,
                       const char *place)
{
    char consumed[700] = "";

    if (p->log_messages && p->source)
        snprintf(consumed, sizeof consumed,
                 ", where source record is {topic='%.*s', source=%s}",
                 (int)original->topiclen,
                 original->topic ? original->topic : "", place);
    else if (p->log_messages)
        snprintf(
            consumed, sizeof consumed,
            ", where consumed record is {topic='%.*s', partition=%d, "
            "offset=%lld, timestamp=%lld, timestampType=%s}",
            (int)rec->origin_topiclen, rec->origin_topic, rec->origin_partition,
            (long long)rec->origin_offset, (long long)original->timestamp,
            original->timestamp_type == TG_TIME_APPEND   ? "LogAppendTime"
            : original->timestamp_type == TG_TIME_CREATE ? "CreateTime"
                                                         : "NoTimestampType");
    tg_error(MOD,
             "Error encountered in task %s-%d. Executing stage '%s' with class "
             "'%s'%s. %.*s",
             p->connector, p->task, stage->stage, stage->class_name, consumed,
             (int)rec->reasonlen, rec->reason ? rec->reason : "");
}

/* What fails for now would fail for the next records too: they are not to be
 * skipped. */
static void advise(const tg_error_policy *p, const tg_error_stage *stage,
                   tg_err *err)
{
    const char *topic = p->dead ? tg_dead_letters_topic(p->dead) : NULL;

    if (stage->exception && strstr(stage->exception, "RetriableException"))
        tg_err_suffix(err,
                      "; see to what it waits for and restart the task; with "
                      "%s=-1 (it is %lld) it would wait for ever",
                      RETRY_TIMEOUT, (long long)p->retry.timeout_ms);
    else
        tg_err_suffix(err,
                      "; correct the data or the configuration, or set "
                      "errors.tolerance=all to %s%s%s",
                      topic ? "go on without such records (this one goes to "
                              "topic "
                            : "skip such records",
                      topic ? topic : "", topic ? ")" : "");
}

static int task_fails(const tg_error_policy *p, const tg_record *rec,
                      const tg_error_stage *stage, const char *place,
                      tg_err *err)
{
    bool from = p->source && rec->origin_partition >= 0;

    tg_err_set(err, TG_ERR_DATA,
               "%s connector %s, task %d: %s failed at the record %s%s: %.*s",
               p->source ? "Source" : "Sink", p->connector, p->task,
               stage->what, from ? "from " : "", place,
               rec->reasonlen > 500 ? 500 : (int)rec->reasonlen,
               rec->reason ? rec->reason : "rejected without a reason");
    advise(p, stage, err);
    tg_err_trace(err, "Executing stage '%s' with class '%s'", stage->stage,
                 stage->class_name);
    if (stage->trace && *stage->trace)
        tg_err_trace(err, "%s", stage->trace);
    return TG_ERR_DATA;
}

int tg_error_policy_record(const tg_error_policy *p, const tg_record *rec,
                           tg_record *original, const tg_error_stage *stage,
                           tg_err *err)
{
    char buf[600];
    const char *place = tg_record_place(rec, buf, sizeof buf);

    tg_page_add(p->page->records_failed, 1);
    tg_page_add(p->page->record_errors, 1);
    tg_page_set(p->page->last_error_ms, tg_clock_wall_ms());
    if (p->log) {
        log_record(p, rec, original ? original : rec, stage, place);
        tg_page_add(p->page->errors_logged, 1);
    }
    if (p->dead)
        tg_dead_letters_add(p->dead, rec, original, stage);
    if (!p->tolerate)
        return task_fails(p, rec, stage, place, err);
    tg_page_add(p->page->records_skipped, 1);
    return 0;
}
