/*
 * What happens to a record that was rejected: errors.tolerance none (the task
 * fails with one sentence) or all (counted, logged if asked, skipped). Retries
 * and dead letters belong here too; they come with their own settings.
 *
 * The task's thread.
 */
#ifndef TG_TASK_ERROR_POLICY_H
#define TG_TASK_ERROR_POLICY_H
#include "base/config.h"
#include "base/page.h"
#include "data/batch.h"

typedef struct tg_error_policy {
    const char *connector;
    int task;
    bool source;
    bool tolerate;     /* errors.tolerance=all */
    bool log;          /* errors.log.enable */
    bool log_messages; /* errors.log.include.messages */
    tg_page *page;
} tg_error_policy;

/* Where a record failed. */
typedef struct tg_error_stage {
    const char *stage; /* TRANSFORMATION, VALUE_CONVERTER, ... */
    const char *what;  /* "transform mask", "value.converter" */
    const char *class_name;
    const char *trace; /* further lines, or NULL */
} tg_error_stage;

/* Reads the errors.* settings. connector is borrowed. */
int tg_error_policy_init(tg_error_policy *policy, const json_t *config,
                         const char *connector, int task, bool source,
                         tg_page *page, tg_err *err);
/* Decides about one rejected record: 0 means skip it (it counts as processed),
 * TG_ERR_DATA that the task fails with err. */
int tg_error_policy_record(const tg_error_policy *policy, const tg_record *rec,
                           const tg_error_stage *stage, tg_err *err);
/* "the record data-0@5", or the source partition and offset. In buf. */
const char *tg_record_place(const tg_record *rec, char *buf, size_t size);

#endif
