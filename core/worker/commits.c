/*
 * Source offsets on their way to the file.
 *
 *   every offset.flush.interval.ms: commit -> tasks
 *   tasks: offsets -> memory at once, to the file a moment later when they
 *          answer a commit or stop, else with the next interval
 *
 * Tasks report only what Kafka has acknowledged (with the embedded broker: what
 * every sink has committed), so what is in memory may be written at any time.
 * The image is made on the owner thread; writing it, with its fsync, happens on
 * a thread of libuv's pool, one at a time. A failure keeps everything in memory
 * and is tried again at the next interval; the tasks go on.
 *
 * Owner thread only, but for the one function that writes.
 */
#include "worker/internal.h"
#include "base/file.h"
#include "base/log.h"

#include <string.h>

enum { GATHER_MS = 100, ANSWER_S = 5 };
static const int64_t NS = 1000000000;

typedef struct flush {
    uv_work_t work;
    tg_worker *worker;
    tg_buf image;
    uint64_t version;
    char *path;
    int rc;
    tg_err err;
    _Atomic bool done;
} flush;

/* libuv orders the two threads; this and `done` say it again for the thread
 * sanitizer, which cannot see into libuv. */
static _Atomic unsigned handed_over;

/* Pool thread. */
static void write_image(uv_work_t *work)
{
    bool asked = atomic_load(&handed_over) > 0; /* before anything of f */
    flush *f = work->data;
    f->rc = asked ? tg_file_replace(f->path, f->image.p, f->image.len, &f->err)
                  : TG_ERR_STATE;
    atomic_store(&f->done, true);
}

static void report(tg_worker *worker, const flush *f)
{
    if (f->rc == TG_OK) {
        if (worker->flush_failures)
            tg_info("offsets", "source offsets are being saved again");
        worker->flush_failures = 0;
        tg_debug("offsets", "source offsets saved in %s", f->path);
        return;
    }
    worker->flush_failures++;
    tg_error("offsets",
             "source offsets cannot be saved (%s); they stay in memory and are "
             "tried again in %lld ms. If the worker ends before, sources "
             "repeat the records since the last save",
             f->err.text, (long long)worker->flush_interval_ms);
}

static void written(uv_work_t *work, int status)
{
    flush *f = work->data;
    tg_worker *worker = f->worker;
    worker->flushing = false;
    if (status != 0 || !atomic_load(&f->done))
        f->rc = tg_err_set(&f->err, TG_ERR_IO, "the write did not begin");
    if (f->rc == TG_OK)
        tg_offsets_saved(worker->offsets, f->version);
    report(worker, f);
    bool again = worker->flush_again && f->rc == TG_OK;
    worker->flush_again = false;
    tg_buf_fini(&f->image);
    tg_free(f->path);
    tg_free(f);
    if (again)
        tg__commits_flush(worker);
    if (worker->stopping)
        tg__worker_stop_step(worker);
}

void tg__commits_flush(tg_worker *worker)
{
    if (!tg_offsets_dirty(worker->offsets))
        return;
    if (worker->flushing) {
        worker->flush_again = true;
        return;
    }
    flush *f = tg_calloc(sizeof *f);
    f->worker = worker;
    f->work.data = f;
    f->version = tg_offsets_image(worker->offsets, &f->image);
    f->path = tg_strdup(tg_offsets_path(worker->offsets));
    worker->flushing = true;
    atomic_fetch_add(&handed_over, 1);
    uv_queue_work(&worker->loop, &f->work, write_image, written);
}

static void on_gathered(uv_timer_t *timer)
{
    tg__commits_flush(timer->data);
}

void tg__commits_flush_soon(tg_worker *worker)
{
    if (!uv_is_active((uv_handle_t *)&worker->flush_timer))
        uv_timer_start(&worker->flush_timer, on_gathered, GATHER_MS, 0);
}

void tg__commits_tick(tg_worker *worker)
{
    worker->commit_asked_ns = tg__now_ns();
    for (int i = 0; i < worker->n_connectors; i++) {
        tg_connector *c = worker->connectors[i];
        for (int t = 0; t < c->n_tasks && c->type == TG_SOURCE; t++)
            if (c->tasks[t]->next == TG_NEXT_NONE)
                tg__task_send(c->tasks[t], "commit");
    }
    tg__commits_flush_soon(worker);
}

void tg__commits_take(tg_run_task *task, const json_t *offsets)
{
    tg_connector *c = task->connector;
    size_t i;
    json_t *pair;
    json_array_foreach(offsets, i, pair)
    {
        json_t *partition = json_array_get(pair, 0);
        if (json_is_object(partition) || json_is_null(partition))
            tg_offsets_set(c->worker->offsets, c->name, partition,
                           json_array_get(pair, 1));
        else
            tg_warn("offsets",
                    "task %s reported an offset without a source partition; "
                    "it is ignored",
                    task->name);
    }
    bool asked = tg__now_ns() - c->worker->commit_asked_ns < ANSWER_S * NS;
    if (asked || task->next != TG_NEXT_NONE || c->worker->stopping)
        tg__commits_flush_soon(c->worker);
}
