/* Entry of the child process `tidegate task`. Main thread. */
#ifndef TG_TASK_CHILD_H
#define TG_TASK_CHILD_H

/* Reads the first message from descriptor 3, plans or runs a task as it says,
 * and returns the exit code: 0 after a plan, a clean stop and a reported
 * failure; 1 when it could not report; 2 when it was not started by a
 * supervisor. */
int tg_task_main(void);

#endif
