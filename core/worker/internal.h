/*
 * The structures of the supervisor. Inside core/worker only; every field
 * belongs to the owner thread.
 *
 *   tg_worker -> connectors -> tasks -> child process + shared page
 *             -> embedded (broker child, topics, what sinks have committed)
 *             -> kafka thread, offset store, timers
 */
#ifndef TG_WORKER_INTERNAL_H
#define TG_WORKER_INTERNAL_H
#include "base/page.h"
#include "store/offsets.h"
#include "worker/call.h"
#include "worker/child.h"
#include "worker/herder.h"

typedef struct tg_embedded_broker tg_embedded_broker;
typedef struct tg_kafka_thread tg_kafka_thread;
typedef struct tg_files tg_files;
typedef struct tg_change tg_change;

/* What to do once the process of a task is gone. */
typedef enum tg_next {
    TG_NEXT_NONE,   /* nobody asked it to go */
    TG_NEXT_IDLE,   /* stays down: UNASSIGNED */
    TG_NEXT_START,  /* starts again */
    TG_NEXT_FAILED, /* it was killed for `trace`, which is set */
} tg_next;

struct tg_run_task {
    tg_connector *connector;
    int id;
    char name[300]; /* "connector-0" */
    int state;      /* TG_STATE_* */
    char *trace;    /* of the last failure, or NULL */
    char *version;
    json_t *config;
    tg_child *child; /* NULL: no process */
    tg_page *page;   /* for the life of the task: counters go on */
    int page_fd;
    tg_next next;
    bool said_failed;   /* status FAILED has come; the exit follows */
    bool said_stopped;  /* status STOPPED has come */
    bool retriable;     /* ... and it may succeed later */
    bool warned_silent; /* the heartbeat is late and was reported */
    bool held;          /* start waits for the embedded broker's rules */
    bool queued;        /* start waits for its turn */
    bool waits;         /* start waits for processes of another configuration */
    int64_t started_ns, failed_ns;
    int restarts; /* since it last ran well: sets the back-off */
    uint64_t starts;
    uv_timer_t *timer;    /* back-off, or the deadline of a stop */
    int64_t memory_max;   /* bytes; 0: none */
    int64_t memory;       /* as last read */
    int64_t timeout_ns;   /* longest script call; 0: none */
    unsigned broker_life; /* which life of the broker it was started for */
    unsigned generation;  /* which of the connector its process is of */
    json_t *writes;       /* embedded: topics it has announced in this life */
    json_t *needs;        /* embedded: topics it waits for, of dead letters */
    int64_t seen_records, seen_bytes; /* progress: at the last line */
    json_t *uses;          /* its last `uses`, with the hashes it was told */
    json_t *transforms;    /* its last `transforms`: an array */
    json_t *transforms_of; /* the connector's configuration at that time */
    tg_run_task *retired;  /* next in the list of tasks that are not needed any
                              more and whose process is ending */
    bool is_retired;
};

struct tg_connector {
    tg_worker *worker;
    char *name;
    json_t *config;
    char *file; /* where the config came from, or NULL */
    int target; /* TG_TARGET_* */
    int state;  /* TG_STATE_*; TG_STATE_NONE: not reported yet */
    char *trace, *version;
    int type; /* TG_SOURCE, TG_SINK, 0 unknown */
    json_t *task_configs;
    tg_child *plan;
    bool plan_answered; /* the child of this plan has said what it found */
    int64_t plan_started_ns;
    bool planned;     /* task_configs hold */
    bool plan_queued; /* waits for its turn */
    tg_run_task **tasks;
    int n_tasks;
    unsigned generation; /* counts configurations that took new processes */
    json_t *topics;      /* active topics: name -> true */
    tg_change *change;   /* a change under way, and those behind it */
    bool script_changed; /* files of its own script were saved */
    char *script_error;  /* why its new script is not used, or NULL */
    int64_t script_error_ms;
    bool was_idle;  /* progress: nothing moved before the last line */
    int was_failed; /* ... and so many tasks were FAILED */
};

struct tg_worker {
    uv_loop_t loop;
    uv_async_t wake;
    uv_async_t stop_async;
    uv_signal_t sigint, sigterm, sighup;
    uv_timer_t watch_timer, commit_timer, flush_timer, progress_timer,
        stop_timer, start_timer;
    tg_calls *calls;
    tg_call *waiting_ready; /* health calls until the start-up is complete */

    json_t *config;
    char *config_name;
    char *exe;
    char id[300];
    char *cluster_id;
    bool progress;
    int64_t flush_interval_ms, flush_timeout_ms, stop_timeout_ms;

    tg_connector **connectors;
    int n_connectors;
    int plans_running;

    tg_offsets *offsets;
    bool flushing;    /* an image is being written */
    bool flush_again; /* asked for meanwhile */
    int flush_failures;
    int64_t commit_asked_ns; /* when tasks were last asked for offsets */
    uint64_t watch_turn;
    int n_running; /* processes of tasks, at the last look of the watchdog */

    tg_files *files;
    tg_run_task *retired; /* tasks of an earlier configuration, ending */

    tg_embedded_broker *embedded; /* NULL: a real cluster */
    tg_kafka_thread *kafka;
    bool broker_ready;
    bool ready; /* start-up complete */

    bool stopping;  /* begun to stop */
    int stop_phase; /* 1 sources, 2 sinks and plans, 3 broker, 4 offsets */
    int exit_code;
    int64_t started_ns, stop_ns;
    uint64_t task_startups, task_startup_failures;
};

int64_t tg__now_ns(void);
/* Owner's strings: frees *s and puts a copy. */
void tg__set_text(char **s, const char *text);

/* ---- supervisor.c */
/* Prints the sentence, stops everything, and ends with that exit code. */
void tg__worker_fatal(tg_worker *worker, int exit_code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Goes on with a stop when what it waited for is gone. */
void tg__worker_stop_step(tg_worker *worker);

/* ---- herder.c */
tg_connector *tg__connector_new(tg_worker *worker, const char *name,
                                json_t *config, const char *file);
void tg__connector_free(tg_connector *connector);
/* Validates and splits it in a child of its own, then starts its tasks. */
void tg__connector_plan(tg_connector *connector);
/* Starts the tasks of every planned connector as soon as the broker is there;
 * completes the start-up. */
void tg__herder_go_on(tg_worker *worker);
/* Takes what a plan found. */
void tg__herder_accept(tg_connector *connector, const json_t *planned);
void tg__herder_stop_plans(tg_worker *worker);
/* Is it known of every connector what it is? */
bool tg__herder_planned(const tg_worker *worker);

/* ---- run_task.c */
tg_run_task *tg__task_new(tg_connector *connector, int id, json_t *config);
void tg__task_free(tg_run_task *task);
void tg__task_start(tg_run_task *task);
/* Starts it when its turn comes: many at once would hold up the loop. */
void tg__task_start_soon(tg_run_task *task);
/* Starts what is queued, for some milliseconds; then again. */
void tg__tasks_start_queued(tg_worker *worker);
/* Asks its process to stop within timeout_ms, then kills it; then `next`. */
void tg__task_stop(tg_run_task *task, int64_t timeout_ms, tg_next next);
/* Kills it at once: FAILED with the trace (taken). */
void tg__task_kill_failed(tg_run_task *task, char *trace);
/* Kills it at once, then `next`. */
void tg__task_kill(tg_run_task *task, tg_next next);
void tg__task_send(tg_run_task *task, const char *op);
/* "in poll of connectors/x/source.lua, record 17" from its page. */
void tg__task_place(const tg_run_task *task, char *out, size_t size);
bool tg__task_is_source(const tg_run_task *task);

/* Another configuration for its next start. */
void tg__task_configure(tg_run_task *task, json_t *config);
/* Ends it for good; it is freed when its process is gone. The connector does
 * not have it any more. */
void tg__task_retire(tg_run_task *task);

/* ---- files.c */
tg_files *tg__files_new(tg_worker *worker);
/* Closes its watches; free it when the loop has run. */
void tg__files_stop(tg_files *files);
void tg__files_free(tg_files *files);
/* A `uses` message has come. */
void tg__files_use(tg_run_task *task, json_t *msg);
/* Its process is gone. */
void tg__files_forget(tg_run_task *task);

/* ---- change.c */
/* The connector's own script was saved: looks whether it can be used, and lets
 * the tasks go on with it. */
void tg__change_script(tg_connector *connector);
/* The plan of its start is over: what waited for it goes on. */
void tg__change_go_on(tg_connector *connector);
/* Kills a plan that has run for max_s seconds. */
void tg__change_watch(tg_connector *connector, int64_t now_ns, int max_s);
/* Frees what waits; kills what runs. */
void tg__change_stop(tg_connector *connector);

/* ---- watch.c */
void tg__watch(tg_worker *worker);

/* ---- commits.c */
void tg__commits_tick(tg_worker *worker);
void tg__commits_take(tg_run_task *task, const json_t *offsets);
/* Writes the file soon, away from the loop. */
void tg__commits_flush_soon(tg_worker *worker);
void tg__commits_flush(tg_worker *worker);

/* ---- embedded.c */
tg_embedded_broker *tg__embedded_new(tg_worker *worker);
void tg__embedded_free(tg_embedded_broker *broker);
void tg__embedded_start(tg_embedded_broker *broker);
void tg__embedded_stop(tg_embedded_broker *broker);
bool tg__embedded_running(const tg_embedded_broker *broker);
/* Makes the topics of sinks that were planned; true when all are there. */
bool tg__embedded_prepare(tg_embedded_broker *broker);
/* Member "embedded" of the start message. New reference. */
json_t *tg__embedded_task(tg_embedded_broker *broker, const tg_run_task *task);
void tg__embedded_writes(tg_run_task *task, const char *topic);
/* The task wants a topic to exist, without being one of its sources. */
void tg__embedded_needs(tg_run_task *task, const char *topic);
void tg__embedded_sunk(tg_run_task *task, const json_t *offsets);
/* May the process of this task start now? If not, tasks that write to the same
 * topics are being stopped and it starts when they are gone. */
bool tg__embedded_may_start(tg_run_task *task);
/* The process of a task is gone: starts those that waited for it. */
void tg__embedded_task_gone(tg_run_task *task);
/* Whom the source waits for, or "". */
void tg__embedded_waits_for(const tg_run_task *task, char *out, size_t size);

/* ---- kafka_thread.c */
struct tg_admin;
/* A job of the Kafka thread: the head of a larger structure. */
typedef struct tg_kafka_job {
    /* On the Kafka thread. *admin is NULL or a client of the worker's
     * configuration; a job that needs one makes it. */
    void (*run)(struct tg_kafka_job *job, const json_t *config,
                struct tg_admin **admin);
    /* On the owner thread; owns the job from here on. */
    void (*done)(tg_worker *worker, struct tg_kafka_job *job);
    /* Frees a job that was never done. Owner thread. */
    void (*discard)(struct tg_kafka_job *job);
    struct tg_kafka_job *next;
} tg_kafka_job;
tg_kafka_thread *tg__kafka_new(tg_worker *worker, tg_err *err);
void tg__kafka_free(tg_kafka_thread *thread);
/* The job is taken until done or discard is called. */
void tg__kafka_post(tg_kafka_thread *thread, tg_kafka_job *job);
/* Looks for the cluster until it answers; sets worker->cluster_id and
 * broker_ready, or ends the worker. */
void tg__kafka_find_cluster(tg_worker *worker);

/* ---- progress.c */
void tg__progress(tg_worker *worker);

#endif
