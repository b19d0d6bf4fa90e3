/*
 * What happens to a record that fails: how long it is tried again
 * (errors.retry.*), what is written about it (errors.log.*, dead letters), and
 * whether the task goes on without it (errors.tolerance).
 *
 * The task's thread.
 */
#ifndef TG_TASK_ERROR_POLICY_H
#define TG_TASK_ERROR_POLICY_H
#include "base/config.h"
#include "base/page.h"
#include "data/batch.h"

/* errors.retry.timeout and errors.retry.delay.max.ms. */
typedef struct tg_retry_limits {
    int64_t timeout_ms;   /* 0: no second try, -1: for ever */
    int64_t delay_max_ms; /* longest pause */
} tg_retry_limits;

typedef struct tg_error_policy {
    const char *connector;
    int task;
    bool source;
    bool tolerate;     /* errors.tolerance=all */
    bool log;          /* errors.log.enable */
    bool log_messages; /* errors.log.include.messages */
    tg_retry_limits retry;
    tg_page *page;
    struct tg_dead_letters *dead; /* NULL: no dead-letter topic */
} tg_error_policy;

/* Where and how a record failed; texts are borrowed. */
typedef struct tg_error_stage {
    const char *stage; /* TRANSFORMATION, VALUE_CONVERTER, ... */
    const char *what;  /* "transform mask", "value.converter" */
    const char *class_name;
    const char *trace;     /* further lines, or NULL */
    const char *exception; /* Java class that Kafka Connect would throw; NULL:
                              DataException */
} tg_error_stage;

/* Reads the errors.* settings. connector is borrowed. dead is left NULL: the
 * task sets it. TG_ERR_CONFIG names the key. */
int tg_error_policy_init(tg_error_policy *policy, const json_t *config,
                         const char *connector, int task, bool source,
                         tg_page *page, tg_err *err);
/* Appends {"key","value","message"} to errors for every wrong setting,
 * dead letters' clients included. */
void tg_error_policy_check(const json_t *worker, const json_t *config,
                           bool source, json_t *errors);
/* Decides about one rejected record: 0 means skip it (it counts as processed),
 * TG_ERR_DATA that the task fails with err. original: the record as it came,
 * for the dead letter; NULL: as it is now. */
int tg_error_policy_record(const tg_error_policy *policy, const tg_record *rec,
                           tg_record *original, const tg_error_stage *stage,
                           tg_err *err);
/* Pause before try number attempt + 1 (attempt counts from 1): 300 ms, doubled
 * each time, a random time below the limit once it is above. */
int64_t tg_retry_delay_ms(const tg_retry_limits *limits, int attempt);
/* "the record data-0@5", or the source partition and offset. In buf. */
const char *tg_record_place(const tg_record *rec, char *buf, size_t size);

#endif
