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

struct tg_chain {
    tg_vm *vm;
    tg_page *page;
    bool source, tolerate;
    tg_converter *key, *value, *header;
    tg__stage *stages;
    int n;
    char *trace; /* Lua traceback of the first culprit of this batch */
    const tg_record *traced;
    tg_chain_watch_fn watch; /* NULL: nobody looks on */
    void *watch_ctx;
};

#endif
