/*
 * One task: what its process knows, and what the loops share. Internal to
 * core/task. Everything belongs to the task's thread.
 */
#ifndef TG_TASK_TASK_H
#define TG_TASK_TASK_H
#include "base/config.h"
#include "base/page.h"
#include "script/script.h"
#include "task/chain.h"
#include "task/client_config.h"
#include "task/control.h"
#include "task/error_policy.h"
#include "task/reload.h"

struct tg_task {
    json_t *start; /* the start message; what is below borrows from it */
    const json_t *worker, *config, *task_config, *offsets, *embedded;
    const char *name;
    const char *class_name;
    int id;
    bool source;
    bool paused;
    bool commit_asked;
    bool failed;              /* FAILED was reported */
    int64_t busy_ns;          /* when a record was last seen */
    bool trimmed;             /* memory was given back since then */
    int64_t stop_deadline_ns; /* set by stop */
    int64_t flush_interval_ms, flush_timeout_ms, stop_timeout_ms;

    tg_page *page;
    tg_control *control;
    tg_vm *vm;
    tg_instance *instance;
    tg_chain *chain;
    tg_error_policy policy;
    tg__reload reload;

    /* Messages that only one kind of task knows: true if it took it. */
    bool (*on_message)(void *ctx, const char *op, const json_t *msg);
    void *ctx;
};

/* Runs a task from its start message (borrowed; in: what was read behind it)
 * to the end. 0; 1 when it cannot even report; a signal number when the process
 * was asked by a signal to stop, not by the supervisor. */
int tg__task_run(json_t *msg, tg_buf *in);

/* Runs until the task stops or fails: 0, or the reason of the failure. They
 * report RUNNING, PAUSED and offsets; the caller reports FAILED and STOPPED. */
int tg__source_task_run(tg_task *task, tg_err *err);
int tg__sink_task_run(tg_task *task, tg_err *err);

/* Takes messages; waits up to wait_ms for the first. Sets paused, commit_asked
 * and stop_deadline_ns. True if there was any. */
bool tg__task_control(tg_task *task, int wait_ms);
static inline bool tg__task_stopping(const tg_task *task)
{
    return tg_control_stopping(task->control);
}
/* What a task's end means: 0 when it stops because it was asked to. A script
 * may raise TG_ERR_STOPPED by itself: that is a failure like any other. */
static inline int tg__task_outcome(const tg_task *task, int rc)
{
    return rc == TG_ERR_STOPPED && tg__task_stopping(task) ? 0 : rc;
}
/* After a failure: no hook can be called any more. A script that raises
 * tide.fatal only asks for the end of the task. */
static inline bool tg__task_vm_gone(int rc, const tg_err *err)
{
    return rc && err->fatal && err->code != TG_ERR_SCRIPT;
}
/* Milliseconds left for stopping, at most cap. */
int tg__task_stop_left(const tg_task *task, int cap);

/* A VM with the limits of the settings into task->vm. */
int tg__task_make_vm(tg_task *task, tg_err *err);
/* Makes the connector's instance and calls its start hook; waits before that
 * while the task is paused. TG_ERR_STOPPED when stopped meanwhile. */
int tg__task_start_instance(tg_task *task, tg_err *err);
/* Reports RUNNING or PAUSED. */
void tg__task_report_state(tg_task *task);
/* Reports FAILED, once; the first error stays. */
void tg__task_report_failed(tg_task *task, const tg_err *err);
void tg__task_report_topics(tg_task *task, json_t *topics);

void tg__task_heartbeat(tg_task *task);
/* Records came. */
void tg__task_busy(tg_task *task);
/* Nothing came: collects Lua's garbage. True once after a second of that, when
 * the caller should free its spare batches and call tg__task_trim. */
bool tg__task_idle(tg_task *task);
/* Gives memory back to the system. */
void tg__task_trim(void);
static inline void tg__task_at(tg_task *task, uint32_t at)
{
    tg_page_set(task->page->at, at);
}

/* What clients of this task are configured from. */
tg_client_scope tg__task_scope(const tg_task *task);

/* plan: answers to `planned`. New object. */
json_t *tg__plan(const json_t *msg);
/* VM options from worker and connector settings. plugin_path: new array that
 * the caller frees after tg_vm_new. */
int tg__vm_options(const json_t *worker, const json_t *config,
                   tg_vm_options *options, json_t **plugin_path, tg_err *err);
/* Puts "{text, trace}" of an error together as a trace of lines. Caller frees
 * with tg_free. */
char *tg__trace_text(const tg_err *err);

#endif
