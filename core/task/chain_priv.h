/*
 * Inside of the chain: what making it (chain_make.c) and running it (chain.c)
 * share. The task's thread.
 */
#ifndef TG_TASK_CHAIN_PRIV_H
#define TG_TASK_CHAIN_PRIV_H
#include "task/chain.h"

/* What is known of the versions of a transform or predicate: how it was made,
 * and what came of the last try to make it anew (chain_reload.c). */
typedef struct tg__version {
    const char *kind; /* "transform", "predicate" */
    char *alias, *class_name;
    json_t *config;   /* its own settings */
    tg_instance *old; /* the proven one, while the new one is on trial */
    json_t *tried;    /* {path: hash} of what is on trial, or was last */
    json_t *refused;  /* {path: hash} of what is not tried again; NULL: none */
    char *error;      /* why it was refused; NULL: nothing was */
    char error_hash[TG_SHA256_HEX];
    int64_t error_ms, loaded_ms; /* wall clock */
    unsigned reloads;
} tg__version;

typedef struct tg__stage {
    char *alias, *what, *class_name;
    tg_instance *inst, *predicate;
    bool stock; /* needs no undo log */
    bool negate;
    bool trial; /* one of the instances is new: tg__chain_trial runs it */
    tg__version transform_is, predicate_is;
} tg__stage;

/* More about a record that failed than the record itself can hold. */
typedef struct tg__note {
    const tg_record *rec;
    const char *trace; /* Lua traceback, in the arena of the batch; or NULL */
    const char *exception;
} tg__note;

struct tg_chain {
    tg_vm *vm;
    tg_page *page;
    char *name; /* of the connector */
    bool source, tolerate;
    tg_converter *key, *value, *header;
    tg__stage *stages;
    int n;
    tg__note *notes; /* about the batch at hand */
    uint32_t n_notes, cap_notes;
    tg_retry_limits retry;
    tg_chain_wait_fn wait; /* NULL: nothing is tried again */
    void *wait_ctx;
    tg_chain_watch_fn watch; /* NULL: nobody looks on */
    void *watch_ctx;
    bool news;      /* what tg_chain_describe or _uses says has changed */
    int64_t due_ns; /* earliest timer of a stage; INT64_MAX: none */
};

/* One call of a stage under the undo log, for the records [lo, hi). When it
 * fails, nothing of it is left; without keep also when it passes. */
typedef int (*tg__apply_fn)(tg_chain *chain, int i, tg_batch *batch,
                            uint32_t lo, uint32_t hi, bool keep, tg_err *err);

/* --- chain_make.c -------------------------------------------------------- */
/* Stages of a configuration, in *n; those that `from` has with equal settings
 * are taken over with `taken` set there. NULL with err: nothing was changed. */
tg__stage *tg__stages_new(tg_chain *chain, const json_t *config,
                          const tg__stage *from, int nfrom, int *n,
                          tg_err *err);
void tg__stage_fini(tg__stage *s);
/* Instance of a version in its VM, as described by v. */
tg_instance *tg__version_make(tg_chain *chain, const tg__version *v,
                              tg_instance *previous, const tg_buf *state,
                              tg_err *err);
/* Connects transform and predicate after either has changed. */
void tg__stage_link(tg__stage *s);
/* Computes when the next timer is due. */
void tg__chain_find_due(tg_chain *chain);

/* --- chain_reload.c ------------------------------------------------------ */
/* Runs the batch through a stage that is on trial. 1: done; 0: the stage runs
 * it as usual; TG_ERR_*. */
int tg__chain_trial(tg_chain *chain, int i, tg_batch *batch, tg__apply_fn apply,
                    tg_err *err);
/* Ends a trial without a batch: the proven versions stay, and what was on trial
 * may be tried again. */
void tg__stage_withdraw(tg_chain *chain, tg__stage *s);

#endif
