/*
 * The Kafka thread: every librdkafka call that may wait runs here, one after
 * the other, never on the loop. A job is posted with what to run here and what
 * to do on the owner thread afterwards.
 *
 * The admin client is made for the first job and given back when none has come
 * for a while, since an idle client costs memory and a connection.
 *
 * Threads: the Kafka thread runs `work`; the owner posts and collects. The lock
 * guards the two lists and the flag.
 */
#include "worker/internal.h"
#include "base/config.h"
#include "base/log.h"
#include "kafka/admin.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

enum { SLICE_MS = 500, REPORT_S = 5, API_TIMEOUT_MS = 60000, IDLE_S = 5 };

struct tg_kafka_thread {
    tg_worker *worker;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work;
    tg_kafka_job *todo, **todo_last;
    tg_kafka_job *done, **done_last;
    bool quit;
    json_t *config; /* the thread's own copy */
    uv_async_t *collected;
};

/* Waits for a job: for ever, or with a client in hand for IDLE_S. NULL: time is
 * up, or the thread must end (*quit). */
static tg_kafka_job *take_job(tg_kafka_thread *t, bool has_admin, bool *quit)
{
    struct timespec until;
    int rc = 0;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += IDLE_S;
    pthread_mutex_lock(&t->lock);
    while (!t->todo && !t->quit && rc == 0)
        rc = has_admin ? pthread_cond_timedwait(&t->work, &t->lock, &until)
                       : pthread_cond_wait(&t->work, &t->lock);
    *quit = t->quit;
    tg_kafka_job *job = t->quit ? NULL : t->todo;
    if (job) {
        t->todo = job->next;
        if (!t->todo)
            t->todo_last = &t->todo;
        job->next = NULL;
    }
    pthread_mutex_unlock(&t->lock);
    return job;
}

static void give_back(tg_kafka_thread *t, tg_kafka_job *job)
{
    pthread_mutex_lock(&t->lock);
    *t->done_last = job;
    t->done_last = &job->next;
    uv_async_send(t->collected);
    pthread_mutex_unlock(&t->lock);
}

static void *work(void *arg)
{
    tg_kafka_thread *t = arg;
    tg_admin *admin = NULL;
    bool quit = false;
    while (!quit) {
        tg_kafka_job *job = take_job(t, admin != NULL, &quit);
        if (job) {
            job->run(job, t->config, &admin);
            give_back(t, job);
        } else {
            tg_admin_free(admin);
            admin = NULL;
        }
    }
    return NULL;
}

static void on_collected(uv_async_t *async)
{
    tg_kafka_thread *t = async->data;
    pthread_mutex_lock(&t->lock);
    tg_kafka_job *job = t->done;
    t->done = NULL;
    t->done_last = &t->done;
    pthread_mutex_unlock(&t->lock);
    while (job) {
        tg_kafka_job *next = job->next;
        job->done(t->worker, job);
        job = next;
    }
}

/* The worker's properties that are meant for a client; the rest is about
 * connectors, converters and REST. */
static json_t *client_config(const json_t *config)
{
    static const char *const prefixes[] = {
        "bootstrap.", "client.",   "security.", "ssl.",         "sasl.",
        "request.",   "reconnect", "retry.",    "metadata.",    "connections.",
        "socket.",    "broker.",   "send.",     "receive.",     "enable.ssl",
        "debug",      "api.",      "retries",   "default.api.",
    };
    json_t *out = json_object(), *value;
    const char *key;
    json_object_foreach((json_t *)config, key,
                        value) for (size_t i = 0;
                                    i < sizeof prefixes / sizeof *prefixes;
                                    i++) if (strncmp(key, prefixes[i],
                                                     strlen(prefixes[i])) == 0)
        json_object_set_new(out, key, json_deep_copy(value));
    return out;
}

tg_kafka_thread *tg__kafka_new(tg_worker *worker, tg_err *err)
{
    tg_kafka_thread *t = tg_calloc(sizeof *t);
    t->worker = worker;
    t->todo_last = &t->todo;
    t->done_last = &t->done;
    t->config = client_config(worker->config);
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->work, NULL);
    t->collected = tg_calloc(sizeof *t->collected);
    uv_async_init(&worker->loop, t->collected, on_collected);
    t->collected->data = t;
    int rc = pthread_create(&t->thread, NULL, work, t);
    if (rc == 0)
        return t;
    tg_err_set(err, TG_ERR_IO, "cannot start the Kafka thread: %s",
               strerror(rc));
    t->quit = true;
    t->thread = 0;
    tg__kafka_free(t);
    return NULL;
}

static void async_closed(uv_handle_t *handle)
{
    tg_free(handle);
}

static void free_jobs(tg_kafka_job *job)
{
    while (job) {
        tg_kafka_job *next = job->next;
        job->discard(job);
        job = next;
    }
}

void tg__kafka_free(tg_kafka_thread *t)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->lock);
    t->quit = true;
    pthread_cond_signal(&t->work);
    pthread_mutex_unlock(&t->lock);
    if (t->thread)
        pthread_join(t->thread, NULL);
    free_jobs(t->todo);
    free_jobs(t->done);
    uv_close((uv_handle_t *)t->collected, async_closed);
    pthread_cond_destroy(&t->work);
    pthread_mutex_destroy(&t->lock);
    json_decref(t->config);
    tg_free(t);
}

void tg__kafka_post(tg_kafka_thread *t, tg_kafka_job *job)
{
    pthread_mutex_lock(&t->lock);
    job->next = NULL;
    *t->todo_last = job;
    t->todo_last = &job->next;
    pthread_cond_signal(&t->work);
    pthread_mutex_unlock(&t->lock);
}

/* -------------------------------------------------------------- cluster id */

typedef struct find_job {
    tg_kafka_job job;
    int64_t began_ns, reported_ns, limit_ns;
    char *id;
    tg_err err;
} find_job;

static void find_run(tg_kafka_job *job, const json_t *config, tg_admin **admin)
{
    find_job *f = (find_job *)job;
    tg_err_clear(&f->err);
    if (!*admin)
        *admin = tg_admin_new(config, &f->err);
    if (*admin)
        f->id = tg_admin_cluster_id(*admin, SLICE_MS, &f->err);
}

static void find_discard(tg_kafka_job *job)
{
    find_job *f = (find_job *)job;
    tg_free(f->id);
    tg_free(f);
}

static void find_failed(tg_worker *worker, find_job *f)
{
    int64_t now = tg__now_ns();
    const char *servers =
        tg_config_get(worker->config, "bootstrap.servers", "localhost:9092");
    if (f->err.code == TG_ERR_CONFIG) {
        tg__worker_fatal(worker, 1, "%s", f->err.text);
    } else if (now - f->began_ns > f->limit_ns) {
        char where[600];
        tg_worker_where(worker->config_name, "bootstrap.servers", where,
                        sizeof where);
        tg__worker_fatal(
            worker, 1,
            "%s: no Kafka broker answers at bootstrap.servers=%s within %lld "
            "ms (default.api.timeout.ms): %s. Start Kafka, correct the "
            "address, or use bootstrap.servers=embedded: to run without Kafka",
            where, servers, (long long)(f->limit_ns / 1000000), f->err.text);
    } else {
        if (now - f->reported_ns > REPORT_S * 1000000000LL) {
            f->reported_ns = now;
            tg_warn("worker",
                    "waiting for a Kafka broker at bootstrap.servers=%s: %s",
                    servers, f->err.text);
        }
        tg__kafka_post(worker->kafka, &f->job);
        return;
    }
    find_discard(&f->job);
}

static void find_done(tg_worker *worker, tg_kafka_job *job)
{
    find_job *f = (find_job *)job;
    if (worker->stopping) {
        find_discard(job);
    } else if (!f->id) {
        find_failed(worker, f);
    } else {
        tg__set_text(&worker->cluster_id, f->id);
        tg_info("worker", "Kafka cluster %s", f->id);
        find_discard(job);
        worker->broker_ready = true;
        tg__herder_go_on(worker);
    }
}

void tg__kafka_find_cluster(tg_worker *worker)
{
    int64_t ms = API_TIMEOUT_MS;
    tg_err err = {0};
    if (tg_config_int(worker->config, "default.api.timeout.ms", ms, 0,
                      INT32_MAX, &ms, &err) != TG_OK) {
        tg__worker_fatal(worker, 1, "%s: %s", worker->config_name, err.text);
        return;
    }
    find_job *f = tg_calloc(sizeof *f);
    f->job.run = find_run;
    f->job.done = find_done;
    f->job.discard = find_discard;
    f->began_ns = f->reported_ns = tg__now_ns();
    f->limit_ns = ms * 1000000;
    tg__kafka_post(worker->kafka, &f->job);
}
