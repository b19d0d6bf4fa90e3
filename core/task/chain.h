/*
 * The chain of a task: strict decode of the value, the transforms in order,
 * and for sources the encode with the task's converters. Records keep their
 * place in the batch; what happened to them is in their verdict and, when they
 * were rejected, in tg_chain_stage().
 *
 * The task's thread.
 */
#ifndef TG_TASK_CHAIN_H
#define TG_TASK_CHAIN_H
#include "convert/converter.h"
#include "script/script.h"
#include "task/error_policy.h"

typedef struct tg_chain tg_chain;

/* Makes converters and transforms from worker and connector configuration.
 * NULL with a sentence that names the key. */
tg_chain *tg_chain_new(tg_vm *vm, const json_t *worker, const json_t *config,
                       bool source, bool tolerate, tg_page *page, tg_err *err);
void tg_chain_free(tg_chain *chain);

/* Runs a batch through. 0: every record has its verdict, REJECT included, and
 * the bytes to send of KEEP records are set (sources). TG_ERR_STOPPED: the task
 * stops, nothing of the batch may be used. Other TG_ERR_*: the task cannot go
 * on (the VM is dead, a transform fails as a whole). */
int tg_chain_run(tg_chain *chain, tg_batch *batch, tg_err *err);

/* Called inside tg_chain_run after the values were decoded (stage -1, alias
 * NULL) and after each transform; the records must not be changed. NULL ends
 * it. */
typedef void (*tg_chain_watch_fn)(void *ctx, int stage, const char *alias,
                                  tg_batch *batch);
void tg_chain_watch(tg_chain *chain, tg_chain_watch_fn fn, void *ctx);

/* Between two tries of something that failed for now: waits about ms and keeps
 * alive what must live. 0; TG_ERR_*: tg_chain_run gives up with it. */
typedef int (*tg_chain_wait_fn)(void *ctx, int64_t ms, tg_err *err);
/* Conversions and transforms that fail with a retriable error are tried again
 * within the limits; without this call they are not. Records that lose their
 * verdict KEEP during a wait are left alone. */
void tg_chain_retry(tg_chain *chain, const tg_retry_limits *limits,
                    tg_chain_wait_fn fn, void *ctx);

/* Where a rejected record of the last batch failed; texts are the chain's and
 * the batch's. */
tg_error_stage tg_chain_stage(const tg_chain *chain, const tg_record *rec);

/* Converters of the task. */
const tg_converter *tg_chain_key(const tg_chain *chain);
const tg_converter *tg_chain_value(const tg_chain *chain);
const tg_converter *tg_chain_header(const tg_chain *chain);

/* role: "key", "value", "header": class and settings from the connector, else
 * the worker. NULL with a sentence. */
tg_converter *tg_chain_converter(const json_t *worker, const json_t *config,
                                 const char *role, tg_err *err);
/* Settings of transforms.<alias>. without the framework's keys. New object. */
json_t *tg_chain_plugin_config(const json_t *config, const char *prefix,
                               const char *alias);

/* Verdict of records behind the culprit when the task is to fail: they did not
 * pass every transform and may not be sent. */
enum { TG_UNPROCESSED = 0x7f };

#endif
