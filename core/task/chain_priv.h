/*
 * Inside of the chain: what making it (chain_make.c) and running it (chain.c)
 * share. The task's thread.
 */
#ifndef TG_TASK_CHAIN_PRIV_H
#define TG_TASK_CHAIN_PRIV_H
#include "task/chain.h"

typedef struct tg__stage {
    char *alias, *what, *class_name;
    tg_instance *inst, *predicate;
    bool stock; /* needs no undo log */
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
};

#endif
