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

/*
 * Versions (chain_reload.c, chain_swap.c). All of these belong between two
 * batches.
 *
 * A stage whose files changed is made anew and is on trial in its first batch:
 * when the new version raises there and the old one does not, the old one
 * stays, and the new one is not tried again until its files change.
 */
/* Files of the stages: new {path: hash of the text that runs}; paths of a
 * version that was refused are there too. */
json_t *tg_chain_uses(const tg_chain *chain);
/* seen: {path: hash of the file now, null when it cannot be read}. Makes the
 * stages anew that those files belong to. saved_ms: when they were saved (wall
 * clock), for the log. */
void tg_chain_reload(tg_chain *chain, const json_t *seen, int64_t saved_ms);
/* New array with an object a transform or predicate: stage, alias, kind, class,
 * version, hash, file, loaded_at, reloads, last_error and, on trial, trial. */
json_t *tg_chain_describe(const tg_chain *chain);
/* Parts of such objects, for versions of connectors too. text NULL: null. */
json_t *tg_version_time(int64_t ms);
json_t *tg_version_object(const tg_instance *inst, int64_t loaded_ms,
                          unsigned reloads);
json_t *tg_version_error(const char *text, int64_t ms, const char *hash);
/* True once after the versions, their errors or their files have changed. */
bool tg_chain_news(tg_chain *chain);
/* Runs the timers that are due; returns when the next one is (tg_clock_ns),
 * INT64_MAX if there is none. Errors are logged and counted. */
int64_t tg_chain_tick(tg_chain *chain);
int64_t tg_chain_due(const tg_chain *chain);

/* Other transforms and predicates from another configuration of the same
 * connector; those with equal settings keep their instances, with their state.
 * On an error everything stays. */
int tg_chain_change(tg_chain *chain, const json_t *config, tg_err *err);

/* For a new VM: takes the states of all stages and frees their instances, then
 * makes them again in the other VM. In between nothing else may be called but
 * tg_chain_free. texts: those that ran are added. */
typedef struct tg_chain_states tg_chain_states;
tg_chain_states *tg_chain_leave_vm(tg_chain *chain, tg_texts *texts);
/* May be tried again after an error, in another VM. */
int tg_chain_enter_vm(tg_chain *chain, tg_vm *vm, const tg_chain_states *states,
                      tg_err *err);
void tg_chain_states_free(tg_chain_states *states);

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

/* For a record that is rejected since put looked at a key or header: 1: it can
 * be read now; 0: not yet, and `later` says that there is time to try again;
 * -1: it stays rejected. The verdict is the caller's to change. */
int tg_chain_reread(tg_chain *chain, tg_record *rec, bool later);

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
