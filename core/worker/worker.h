/*
 * The worker: one supervisor process that owns every connector's state and runs
 * no script. This is what REST and the command line see of it.
 *
 * Threads: one owner thread (the one in tg_worker_run, a libuv loop) owns all
 * state and takes no lock for it. Other threads reach it only with a tg_call,
 * which runs on the owner thread.
 */
#ifndef TG_WORKER_WORKER_H
#define TG_WORKER_WORKER_H
#include "base/err.h"
#include <jansson.h>

typedef struct tg_worker tg_worker;

typedef struct tg_worker_options {
    json_t *config;          /* worker properties; a reference is taken */
    const char *config_name; /* file they came from, for errors */
    const char *child_exe;   /* NULL: this executable */
    bool progress;           /* a line a second per connector */
} tg_worker_options;

/* Opens the offset store and checks the worker's own settings. NULL with a
 * sentence. Must be called on the thread that calls tg_worker_run. */
tg_worker *tg_worker_new(const tg_worker_options *options, tg_err *err);
void tg_worker_free(tg_worker *worker);

/* A connector to start with: {"name","config","initial_state"?} from file.
 * Before tg_worker_run. */
int tg_worker_add(tg_worker *worker, json_t *connector, const char *file,
                  tg_err *err);

/* "host:port" of the REST server, shown as worker_id. Before tg_worker_run. */
void tg_worker_set_id(tg_worker *worker, const char *id);

/* Runs until a signal or a fatal error. Exit code of the process. */
int tg_worker_run(tg_worker *worker);
/* Asks tg_worker_run to stop as SIGTERM does. Any thread. */
void tg_worker_stop(tg_worker *worker);

/* ------------------------------------------------------------------ calls */

typedef struct tg_reply {
    int status; /* HTTP's */
    char *body; /* NULL: none; tg_free */
    size_t len;
    const char *type; /* media type, static; NULL: none */
} tg_reply;

typedef struct tg_call tg_call;
/* Runs on the owner thread; must see to it that the call is answered, now or
 * later, with one of the tg_call_* functions below. */
typedef void (*tg_call_fn)(tg_worker *worker, tg_call *call);

struct tg_call {
    tg_call_fn run;
    char *connector; /* copied; may be NULL */
    int task;
    unsigned flags;
    json_t *body;  /* of the request; owned; may be NULL */
    tg_call *next; /* in a list of calls that wait for something */
    struct tg_call_state *state;
};

tg_call *tg_call_new(tg_call_fn run, const char *connector, int task,
                     unsigned flags);
/*
 * Hands the call over (it is freed) and waits for its answer. True with *reply
 * filled, which the caller frees with tg_reply_fini; false after timeout_ms:
 * what was begun is not undone. Any thread but the owner.
 */
bool tg_worker_ask(tg_worker *worker, tg_call *call, int timeout_ms,
                   tg_reply *reply);
void tg_reply_fini(tg_reply *reply);

/* Answers, on the owner thread, once. body is taken; NULL: no body. */
void tg_call_json(tg_call *call, int status, json_t *body);
/* {"error_code":status,"message":text} */
void tg_call_error(tg_call *call, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* text is taken (tg_free). type is static. */
void tg_call_text(tg_call *call, int status, const char *type, char *text,
                  size_t len);

/* A JSON string of any text: bytes that are not UTF-8 become '?'. NULL for
 * NULL. */
json_t *tg_json_text(const char *s);

/* Wall clock as "2026-01-31T12:00:00.000Z". New string. */
json_t *tg_call_instant(int64_t ms);

/* "file:line" of key in a connector or worker file; "file" if it is not there,
 * "" without a file. Any thread. */
void tg_worker_where(const char *file, const char *key, char *out, size_t size);

/* What the worker is doing, as a sentence: "The worker is currently X, which
 * began at T." or "The last operation the worker completed was ...". Any
 * thread. started: startup is complete. */
void tg_worker_stage(tg_worker *worker, char *text, size_t size, bool *started);

#endif
