/*
 * What the command line tools use of a task without running one: its checks,
 * and a VM with the limits of its settings. The calling thread.
 */
#ifndef TG_TASK_TOOLS_H
#define TG_TASK_TOOLS_H
#include "script/script.h"

/* Everything that create checks: new {"op":"planned","kind","errors",
 * "warnings","tasks","error"?}, errors and warnings being arrays of
 * {"key","value","message"}. */
json_t *tg_task_check(const json_t *worker, const json_t *config,
                      const char *name);
/* VM for the plugins of a connector, with the limits and the plugin.path that
 * worker and connector configure. Free with tg_vm_free. */
tg_vm *tg_task_vm(const json_t *worker, const json_t *config, tg_page *page,
                  tg_err *err);

#endif
