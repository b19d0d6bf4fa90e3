/*
 * A child process of the supervisor and the framed messages to and from it.
 * Owner thread; nothing here waits.
 */
#ifndef TG_WORKER_CHILD_H
#define TG_WORKER_CHILD_H
#include "base/err.h"
#include <jansson.h>
#include <uv.h>

typedef struct tg_child tg_child;

typedef struct tg_child_exit {
    int code;          /* exit code, when signal is 0 */
    int signal;        /* 0: it exited by itself */
    const char *fault; /* why the supervisor killed it itself (rubbish on the
                          socket, messages not read), or NULL */
    int pid;
} tg_child_exit;

typedef struct tg_child_hooks {
    /* A message has come. Borrowed. */
    void (*message)(void *ctx, json_t *msg);
    /* It is gone and everything it said was delivered. The child is invalid
     * from here on. */
    void (*exited)(void *ctx, const tg_child_exit *how);
    void *ctx;
} tg_child_hooks;

/* Starts `exe command label` with the socket and, if page_fd is not -1, the
 * page as protocol.h says. label tells people who look at ps what it is; NULL:
 * none.
 */
tg_child *tg__child_start(uv_loop_t *loop, const char *exe, const char *command,
                          const char *label, int page_fd,
                          const tg_child_hooks *hooks, tg_err *err);
/* Queues a message; msg is taken. What can't be sent to a dying child is
 * dropped: its exit follows. */
void tg__child_send(tg_child *child, json_t *msg);
/* fault (static text or NULL) shows up in the exit. */
void tg__child_kill(tg_child *child, int signal, const char *fault);
/* Kills a process that can't be spoken to any more. Call it now and then. */
void tg__child_check(tg_child *child);
int tg__child_pid(const tg_child *child);

#endif
