/*
 * Inside of plan: what the check of the whole (plan.c) and that of the chain
 * (plan_chain.c) share. The child's main thread.
 */
#ifndef TG_TASK_PLAN_H
#define TG_TASK_PLAN_H
#include "task/task.h"

typedef struct tg__plan_state {
    const json_t *worker, *config;
    const char *name, *class_name;
    tg_vm *vm;
    json_t *errors, *warnings, *info, *tasks;
    bool source;
} tg__plan_state;

/* Appends {"key","value","message"}. */
void tg__plan_add(json_t *list, const json_t *config, const char *key,
                  const char *message);
/* Checks a plugin's settings. prefix: NULL for the connector, else what stands
 * before its keys; type_key: the key that names the class. */
void tg__plan_plugin(tg__plan_state *p, const char *kind,
                     const char *class_name, const json_t *config,
                     const char *prefix, const char *type_key);
/* Converters, transforms, predicates. */
void tg__plan_chain(tg__plan_state *p);

#endif
