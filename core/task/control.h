/*
 * The child's end of the socketpair. A small thread reads messages from the
 * supervisor into a queue, so that a stop is seen while the task's thread is
 * inside a script or waits for Kafka: it sets tg_task_set_stopping at once.
 *
 * When the supervisor is gone (end of file, or SIGTERM with another parent) the
 * thread queues a stop by itself and ends the process after a grace.
 *
 * Messages go up on the task's thread. All functions: the task's thread.
 */
#ifndef TG_TASK_CONTROL_H
#define TG_TASK_CONTROL_H
#include "base/frame.h"

typedef struct tg_control tg_control;

/* in: bytes of fd that were already read (taken over, empty afterwards). Blocks
 * SIGTERM in this process and takes it as a stop. NULL with err. */
tg_control *tg_control_new(int fd, tg_buf *in, tg_err *err);
/* Ends the thread. fd stays open. */
void tg_control_free(tg_control *c);

/* Next message from the supervisor (caller owns it); waits up to timeout_ms,
 * NULL when none came. */
json_t *tg_control_next(tg_control *c, int timeout_ms);
/* Something is waiting: cheap, for between two steps. */
bool tg_control_pending(const tg_control *c);
/* A stop was received or the supervisor is gone; stays true. */
bool tg_control_stopping(const tg_control *c);
/* The supervisor is gone. */
bool tg_control_orphan(const tg_control *c);
/* SIGTERM while the supervisor lives asked for the stop: its number, else 0. */
int tg_control_signalled(const tg_control *c);
/* How long the process may live on as an orphan; default 0. */
void tg_control_set_grace(tg_control *c, int ms);

/* Sends msg (reference taken). A supervisor that is gone is no error: there is
 * nobody left to tell. */
void tg_control_send(tg_control *c, json_t *msg);

#endif
