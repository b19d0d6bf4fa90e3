/*
 * Reloading in a task: what the messages `reload`, `renew` and `chain` ask for,
 * done between two batches. Internal to core/task; the task's thread.
 */
#ifndef TG_TASK_RELOAD_H
#define TG_TASK_RELOAD_H
#include "base/err.h"
#include "base/file.h"
#include "base/texts.h"
#include <jansson.h>
#include <stdbool.h>

typedef struct tg_task tg_task;

typedef struct tg__reload {
    bool due;       /* a message came that tg__task_between carries out */
    bool renew;     /* the connector's script changed: tg__reload_renew */
    json_t *config; /* `chain`: the new configuration; NULL: none came */
    json_t *kept;   /* the configuration that task->config points into */
    json_t *seen;   /* {path: hash or null}: files as last looked at */
    json_t *told;   /* what `uses` said last */
    unsigned uses;  /* tg_vm_uses at that time */
    bool news;      /* the connector's version or its error changed */
    int64_t due_ns; /* next timer */
    /* the connector's version */
    bool trial;      /* it has not yet given or taken a record */
    tg_texts before; /* of the version that has, while there is a trial */
    tg_buf state;    /* ... and what that one handed on */
    json_t *attempt; /* {path: hash} of what was refused; NULL: nothing */
    int64_t loaded_ms, error_ms;
    unsigned reloads;
    char *error, error_hash[TG_SHA256_HEX];
} tg__reload;

/* Takes reload, renew and chain messages; false: it is another. */
bool tg__reload_message(tg_task *task, const char *op, const json_t *msg);

/* Between two batches: new versions, another chain, timers, and what has to be
 * told of them. Cheap when there is nothing. */
void tg__task_between(tg_task *task);
/* Milliseconds until the next timer, at most cap. */
int tg__task_ms_to_timer(const tg_task *task, int cap);

/*
 * The connector in a new VM, with the chain and all states. offsets: what start
 * gets (source); parts: what open gets (sink), may be NULL. When the new
 * version does not start, the old one is started again and the error recorded:
 * 0. TG_ERR_*: neither does, or the task stops; there is no instance then and
 * err is fatal.
 */
int tg__reload_renew(tg_task *task, const json_t *offsets, const json_t *parts,
                     tg_err *err);
/* The new version failed at its first work (why): back to the one before. */
int tg__reload_revert(tg_task *task, const tg_err *why, const json_t *offsets,
                      const json_t *parts, tg_err *err);
/* Is one of the versions that were loaded one that the task has refused in an
 * earlier process? TG_ERR_SCRIPT with its reason. Before start is called. */
int tg__reload_check(const tg_task *task, tg_err *err);
/* It has given or taken a record. */
void tg__reload_proven(tg_task *task);
void tg__reload_fini(tg_task *task);

#endif
