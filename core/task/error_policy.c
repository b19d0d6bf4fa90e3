/*
 * Error policy. Invariant: a record leaves the pipeline without being delivered
 * only through the tolerated branch here (counted in records_skipped) or by a
 * script's drop.
 *
 * The task's thread.
 */
#include "task/error_policy.h"
#include "base/log.h"
#include "host/services.h"
#include <stdio.h>
#include <strings.h>

static const char MOD[] = "errors";

int tg_error_policy_init(tg_error_policy *policy, const json_t *config,
                         const char *connector, int task, bool source,
                         tg_page *page, tg_err *err)
{
    const char *tolerance = tg_config_get(config, "errors.tolerance", "none");

    *policy = (tg_error_policy){
        .connector = connector, .task = task, .source = source, .page = page};
    if (strcasecmp(tolerance, "all") == 0)
        policy->tolerate = true;
    else if (strcasecmp(tolerance, "none") != 0)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "errors.tolerance is \"%s\"; none and all are "
                          "accepted",
                          tolerance);
    if (tg_config_bool(config, "errors.log.enable", false, &policy->log, err) ||
        tg_config_bool(config, "errors.log.include.messages", false,
                       &policy->log_messages, err))
        return TG_ERR_CONFIG;
    return 0;
}

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
                       const tg_error_stage *stage, const char *place)
{
    char consumed[700] = "";

    if (p->log_messages && p->source)
        snprintf(consumed, sizeof consumed,
                 ", where source record is {topic='%.*s', source=%s}",
                 (int)rec->topiclen, rec->topic ? rec->topic : "", place);
    else if (p->log_messages)
        snprintf(consumed, sizeof consumed,
                 ", where consumed record is {topic='%.*s', partition=%d, "
                 "offset=%lld, timestamp=%lld, timestampType=%s}",
                 (int)rec->origin_topiclen, rec->origin_topic,
                 rec->origin_partition, (long long)rec->origin_offset,
                 (long long)rec->timestamp,
                 rec->timestamp_type == 2   ? "LogAppendTime"
                 : rec->timestamp_type == 1 ? "CreateTime"
                                            : "NoTimestampType");
    tg_error(MOD,
             "Error encountered in task %s-%d. Executing stage '%s' with class "
             "'%s'%s. %.*s",
             p->connector, p->task, stage->stage, stage->class_name, consumed,
             (int)rec->reasonlen, rec->reason ? rec->reason : "");
}

int tg_error_policy_record(const tg_error_policy *p, const tg_record *rec,
                           const tg_error_stage *stage, tg_err *err)
{
    char buf[600];
    const char *place = tg_record_place(rec, buf, sizeof buf);

    tg_page_add(p->page->records_failed, 1);
    if (p->log)
        log_record(p, rec, stage, place);
    if (p->tolerate) {
        tg_page_add(p->page->records_skipped, 1);
        return 0;
    }
    tg_err_set(err, TG_ERR_DATA,
               "%s connector %s, task %d: %s failed at the record %s%s: %.*s; "
               "correct the data or the configuration, or set "
               "errors.tolerance=all to skip such records",
               p->source ? "Source" : "Sink", p->connector, p->task,
               stage->what, p->source ? "from " : "", place,
               rec->reasonlen > 500 ? 500 : (int)rec->reasonlen,
               rec->reason ? rec->reason : "rejected without a reason");
    tg_err_trace(err, "Executing stage '%s' with class '%s'", stage->stage,
                 stage->class_name);
    if (stage->trace && *stage->trace)
        tg_err_trace(err, "%s", stage->trace);
    return TG_ERR_DATA;
}
