/*
 * Control channel of a child. Reader thread -> list of messages under a mutex
 * -> task's thread.
 *
 * Threads: the reader, and the task's. The lock guards the list; the flags are
 * atomics that only the reader sets.
 */
#include "task/control.h"
#include "base/log.h"
#include "host/services.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

static const char MOD[] = "control";

typedef struct message {
    struct message *next;
    json_t *json;
} message;

struct tg_control {
    int fd, wake, signals;
    pid_t parent;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    message *head, *tail; /* under lock */
    tg_buf in;            /* reader's */
    _Atomic int pending;
    _Atomic int grace_ms;
    _Atomic int signalled;
    _Atomic bool stopping, orphan, quit;
};

static void push(tg_control *c, json_t *json)
{
    message *m = tg_calloc(sizeof *m);
    const char *op = json_string_value(json_object_get(json, "op"));

    m->json = json;
    if (op && strcmp(op, "stop") == 0) {
        atomic_store(&c->stopping, true);
        tg_task_set_stopping(true);
    }
    pthread_mutex_lock(&c->lock);
    if (c->tail)
        c->tail->next = m;
    else
        c->head = m;
    c->tail = m;
    atomic_fetch_add(&c->pending, 1);
    pthread_cond_signal(&c->cond);
    pthread_mutex_unlock(&c->lock);
}

static void push_stop(tg_control *c)
{
    push(c, json_pack("{s:s}", "op", "stop"));
}

/* 0, or TG_ERR_* when the channel cannot be read any more. */
static int read_frames(tg_control *c, tg_err *err)
{
    int rc = tg_frame_fill(c->fd, &c->in, 0, err);
    json_t *msg;

    if (rc < 0)
        return rc;
    while ((rc = tg_frame_decode(&c->in, &msg, err)) == 1)
        push(c, msg);
    return rc;
}

/* Nobody reads what this process reports any more, so it may not go on. */
static void orphaned(tg_control *c)
{
    struct pollfd pfd = {.fd = c->wake, .events = POLLIN};

    atomic_store(&c->orphan, true);
    push_stop(c);
    poll(&pfd, 1, atomic_load(&c->grace_ms));
    if (!atomic_load(&c->quit))
        _exit(0);
}

static void take_signal(tg_control *c)
{
    struct signalfd_siginfo info;

    if (read(c->signals, &info, sizeof info) != sizeof info)
        return;
    if (getppid() != c->parent) {
        orphaned(c);
    } else {
        if (!atomic_load(&c->stopping))
            atomic_store(&c->signalled, (int)info.ssi_signo);
        push_stop(c);
    }
}

static void *reader(void *arg)
{
    tg_control *c = arg;
    struct pollfd pfd[3] = {{.fd = c->fd, .events = POLLIN},
                            {.fd = c->wake, .events = POLLIN},
                            {.fd = c->signals, .events = POLLIN}};

    while (!atomic_load(&c->quit)) {
        tg_err err = {0};
        if (poll(pfd, 3, -1) < 0 && errno != EINTR)
            break;
        if (pfd[2].revents)
            take_signal(c);
        if (pfd[0].revents && read_frames(c, &err) < 0) {
            if (err.code != TG_ERR_STOPPED)
                tg_error(MOD, "The supervisor cannot be understood: %s",
                         err.text);
            orphaned(c);
            break;
        }
    }
    return NULL;
}

static int start_thread(tg_control *c, tg_err *err)
{
    sigset_t all, old;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&c->thread, NULL, reader, c);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc)
        return tg_err_set(err, TG_ERR_IO, "cannot start a thread: %s",
                          strerror(rc));
    pthread_setname_np(c->thread, "control");
    return 0;
}

tg_control *tg_control_new(int fd, tg_buf *in, tg_err *err)
{
    tg_control *c = tg_calloc(sizeof *c);
    pthread_condattr_t attr;
    sigset_t term;
    json_t *msg;
    int rc;

    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL);
    c->fd = fd;
    c->parent = getppid();
    c->in = *in;
    *in = (tg_buf){0};
    c->wake = eventfd(0, EFD_CLOEXEC);
    c->signals = signalfd(-1, &term, SFD_CLOEXEC);
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->cond, &attr);
    pthread_condattr_destroy(&attr);
    while ((rc = tg_frame_decode(&c->in, &msg, err)) == 1)
        push(c, msg);
    if (rc == 0 && (c->wake < 0 || c->signals < 0))
        rc = tg_err_set(err, TG_ERR_IO, "cannot open a descriptor: %s",
                        strerror(errno));
    if (rc == 0)
        rc = start_thread(c, err);
    if (rc == 0)
        return c;
    c->thread = 0;
    tg_control_free(c);
    return NULL;
}

void tg_control_free(tg_control *c)
{
    uint64_t one = 1;

    if (!c)
        return;
    atomic_store(&c->quit, true);
    if (c->thread) {
        while (write(c->wake, &one, sizeof one) < 0 && errno == EINTR)
            ;
        pthread_join(c->thread, NULL);
    }
    while (c->head) {
        message *next = c->head->next;
        json_decref(c->head->json);
        tg_free(c->head);
        c->head = next;
    }
    if (c->wake >= 0)
        close(c->wake);
    if (c->signals >= 0)
        close(c->signals);
    pthread_cond_destroy(&c->cond);
    pthread_mutex_destroy(&c->lock);
    tg_buf_fini(&c->in);
    tg_free(c);
}

static void deadline_in(struct timespec *ts, int ms)
{
    clock_gettime(CLOCK_MONOTONIC, ts);
    ts->tv_sec += ms / 1000;
    ts->tv_nsec += (long)(ms % 1000) * 1000000;
    if (ts->tv_nsec >= 1000000000) {
        ts->tv_sec++;
        ts->tv_nsec -= 1000000000;
    }
}

json_t *tg_control_next(tg_control *c, int timeout_ms)
{
    struct timespec end;
    json_t *json = NULL;
    message *m;

    if (timeout_ms <= 0 && !tg_control_pending(c))
        return NULL;
    deadline_in(&end, timeout_ms > 0 ? timeout_ms : 0);
    pthread_mutex_lock(&c->lock);
    while (!c->head && timeout_ms > 0)
        if (pthread_cond_timedwait(&c->cond, &c->lock, &end) == ETIMEDOUT)
            break;
    m = c->head;
    if (m) {
        c->head = m->next;
        if (!c->head)
            c->tail = NULL;
        atomic_fetch_sub(&c->pending, 1);
        json = m->json;
        tg_free(m);
    }
    pthread_mutex_unlock(&c->lock);
    return json;
}

bool tg_control_pending(const tg_control *c)
{
    return atomic_load_explicit(&c->pending, memory_order_acquire) > 0;
}

bool tg_control_stopping(const tg_control *c)
{
    return atomic_load(&c->stopping);
}

bool tg_control_orphan(const tg_control *c)
{
    return atomic_load(&c->orphan);
}

int tg_control_signalled(const tg_control *c)
{
    return atomic_load(&c->signalled);
}

void tg_control_set_grace(tg_control *c, int ms)
{
    atomic_store(&c->grace_ms, ms);
}

void tg_control_send(tg_control *c, json_t *msg)
{
    tg_err err = {0};

    if (!atomic_load(&c->orphan) && tg_frame_write(c->fd, msg, &err) != 0)
        tg_debug(MOD, "A report to the supervisor was not sent: %s", err.text);
    json_decref(msg);
}
