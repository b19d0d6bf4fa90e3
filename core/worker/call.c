/*
 * Calls: how threads of the REST server ask the owner thread and wait.
 *
 * A call is queued under the mutex, the loop is woken, the owner runs it and
 * answers. The asking thread waits on the call's own condition. Whoever is last
 * frees the call: a thread that gave up waiting leaves it to the owner, who may
 * answer it much later.
 *
 * One mutex (calls->lock) guards the queue, every call's state and the stage;
 * nothing is called while it is held. Functions run on the owner thread with
 * the lock released.
 */
#include "worker/call.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct tg_calls {
    pthread_mutex_t lock;
    tg_call *first, **last;
    bool closed, started;
    void (*wake)(void *ctx);
    void *ctx;
    char stage[256];
    int64_t began_ms, done_ms; /* done_ms 0: still at it */
};

typedef struct tg_call_state {
    tg_calls *calls;
    pthread_cond_t changed;
    bool answered, abandoned;
    tg_reply reply;
} tg_call_state;

tg_calls *tg__calls_new(void (*wake)(void *ctx), void *ctx)
{
    tg_calls *calls = tg_calloc(sizeof *calls);
    pthread_mutex_init(&calls->lock, NULL);
    calls->last = &calls->first;
    calls->wake = wake;
    calls->ctx = ctx;
    return calls;
}

static void call_free(tg_call *call)
{
    pthread_cond_destroy(&call->state->changed);
    tg_reply_fini(&call->state->reply);
    tg_free(call->state);
    tg_free(call->connector);
    json_decref(call->body);
    tg_free(call);
}

void tg__calls_free(tg_calls *calls)
{
    if (!calls)
        return;
    tg__calls_close(calls);
    pthread_mutex_destroy(&calls->lock);
    tg_free(calls);
}

tg_call *tg_call_new(tg_call_fn run, const char *connector, int task,
                     unsigned flags)
{
    pthread_condattr_t attr;
    tg_call *call = tg_calloc(sizeof *call);
    call->run = run;
    call->connector = tg_strdup(connector);
    call->task = task;
    call->flags = flags;
    call->state = tg_calloc(sizeof *call->state);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&call->state->changed, &attr);
    pthread_condattr_destroy(&attr);
    return call;
}

void tg_reply_fini(tg_reply *reply)
{
    tg_free(reply->body);
    memset(reply, 0, sizeof *reply);
}

/* Length of the UTF-8 character at s, 0 if there is none. Short forms and
 * surrogates are left to jansson to refuse. */
static int utf8_len(const unsigned char *s)
{
    int n = s[0] < 0x80                   ? 1
            : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
            : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
            : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
                                          : 0;
    for (int i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

json_t *tg_json_text(const char *s)
{
    json_t *text = json_string(s);
    if (text || !s)
        return text;
    char *clean = tg_strdup(s), *to = clean;
    for (const unsigned char *p = (const unsigned char *)s; *p;) {
        int n = utf8_len(p);
        json_t *one = n ? json_stringn((const char *)p, (size_t)n) : NULL;
        if (one)
            for (int i = 0; i < n; i++)
                *to++ = (char)p[i];
        else
            *to++ = '?';
        p += one ? n : 1;
        json_decref(one);
    }
    *to = 0;
    text = json_string(clean);
    tg_free(clean);
    return text;
}

static void error_reply(tg_reply *reply, int status, const char *text)
{
    json_t *body = json_pack("{s:i, s:o}", "error_code", status, "message",
                             tg_json_text(text));
    char *dump = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    reply->status = status;
    reply->body = tg_strdup(dump ? dump : "{}");
    reply->len = strlen(reply->body);
    reply->type = "application/json";
    free(dump);
}

static struct timespec deadline(int timeout_ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += timeout_ms / 1000;
    t.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

bool tg__calls_ask(tg_calls *calls, tg_call *call, int timeout_ms,
                   tg_reply *reply)
{
    struct timespec until = deadline(timeout_ms);
    tg_call_state *state = call->state;
    state->calls = calls;

    pthread_mutex_lock(&calls->lock);
    if (calls->closed) {
        pthread_mutex_unlock(&calls->lock);
        call_free(call);
        error_reply(reply, 500, "Worker is shutting down");
        return true;
    }
    call->next = NULL;
    *calls->last = call;
    calls->last = &call->next;
    /* Under the lock: the loop can't be closed in between. */
    calls->wake(calls->ctx);
    int rc = 0;
    while (!state->answered && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&state->changed, &calls->lock, &until);
    bool answered = state->answered;
    if (answered) {
        *reply = state->reply;
        memset(&state->reply, 0, sizeof state->reply);
    } else
        state->abandoned = true;
    pthread_mutex_unlock(&calls->lock);
    if (answered)
        call_free(call);
    return answered;
}

/* Gives the answer to who asked, or frees the call when nobody waits. */
static void answer(tg_call *call, const tg_reply *reply)
{
    tg_call_state *state = call->state;
    tg_calls *calls = state->calls;
    pthread_mutex_lock(&calls->lock);
    bool abandoned = state->abandoned;
    state->reply = *reply;
    state->answered = true;
    if (!abandoned)
        pthread_cond_signal(&state->changed);
    pthread_mutex_unlock(&calls->lock);
    if (abandoned)
        call_free(call);
}

void tg__calls_run(tg_calls *calls, tg_worker *worker)
{
    pthread_mutex_lock(&calls->lock);
    tg_call *call = calls->first;
    calls->first = NULL;
    calls->last = &calls->first;
    pthread_mutex_unlock(&calls->lock);
    while (call) {
        tg_call *next = call->next;
        call->next = NULL;
        call->run(worker, call);
        call = next;
    }
}

void tg__calls_close(tg_calls *calls)
{
    pthread_mutex_lock(&calls->lock);
    calls->closed = true;
    tg_call *call = calls->first;
    calls->first = NULL;
    calls->last = &calls->first;
    pthread_mutex_unlock(&calls->lock);
    while (call) {
        tg_call *next = call->next;
        tg_call_error(call, 500, "Worker is shutting down");
        call = next;
    }
}

void tg_call_json(tg_call *call, int status, json_t *body)
{
    char *dump = body ? json_dumps(body, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    tg_reply reply = {.status = status, .body = tg_strdup(dump)};
    if (dump) {
        reply.len = strlen(dump);
        reply.type = "application/json";
    }
    free(dump);
    json_decref(body);
    answer(call, &reply);
}

void tg_call_error(tg_call *call, int status, const char *fmt, ...)
{
    char text[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    tg_reply reply = {0};
    error_reply(&reply, status, text);
    answer(call, &reply);
}

void tg_call_text(tg_call *call, int status, const char *type, char *text,
                  size_t len)
{
    tg_reply reply = {.status = status, .body = text, .len = len, .type = type};
    answer(call, &reply);
}

/* ------------------------------------------------------------------- stage */

void tg__calls_stage(tg_calls *calls, const char *what)
{
    pthread_mutex_lock(&calls->lock);
    snprintf(calls->stage, sizeof calls->stage, "%s", what);
    calls->began_ms = tg_clock_wall_ms();
    calls->done_ms = 0;
    pthread_mutex_unlock(&calls->lock);
}

void tg__calls_stage_done(tg_calls *calls)
{
    pthread_mutex_lock(&calls->lock);
    calls->done_ms = tg_clock_wall_ms();
    pthread_mutex_unlock(&calls->lock);
}

void tg__calls_started(tg_calls *calls)
{
    pthread_mutex_lock(&calls->lock);
    calls->started = true;
    pthread_mutex_unlock(&calls->lock);
}

static void instant(int64_t ms, char *text, size_t size)
{
    struct tm tm;
    char day[32];
    time_t t = ms / 1000;
    gmtime_r(&t, &tm);
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text, size, "%s.%03dZ", day, (int)(ms % 1000));
}

json_t *tg_call_instant(int64_t ms)
{
    char text[48];
    instant(ms, text, sizeof text);
    return json_string(text);
}

void tg__calls_stage_text(tg_calls *calls, char *text, size_t size,
                          bool *started)
{
    char began[48], done[48];
    pthread_mutex_lock(&calls->lock);
    instant(calls->began_ms, began, sizeof began);
    instant(calls->done_ms, done, sizeof done);
    if (!calls->stage[0])
        snprintf(text, size, "%s", "");
    else if (!calls->done_ms)
        snprintf(text, size, "The worker is currently %s, which began at %s.",
                 calls->stage, began);
    else
        snprintf(text, size,
                 "The last operation the worker completed was %s, which began "
                 "at %s and completed at %s.",
                 calls->stage, began, done);
    *started = calls->started;
    pthread_mutex_unlock(&calls->lock);
}
