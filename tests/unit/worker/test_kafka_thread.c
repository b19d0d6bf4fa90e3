/*
 * The queue of the Kafka thread: jobs run there in order, come back to the
 * owner, and are freed wherever they are when it ends.
 * labels: tsan
 */
#include "worker/internal.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { JOBS = 500 };

typedef struct count_job {
    tg_kafka_job job;
    int number;
    pthread_t ran_on;
} count_job;

static int ran, done, discarded;
static pthread_t owner;

static void count_run(tg_kafka_job *job, const json_t *config,
                      struct tg_admin **admin)
{
    count_job *c = (count_job *)job;
    (void)admin;
    assert_string_equal(
        json_string_value(json_object_get(config, "bootstrap.servers")),
        "embedded:");
    c->ran_on = pthread_self();
    assert_int_equal(c->number, __atomic_fetch_add(&ran, 1, __ATOMIC_RELAXED));
}

static void count_done(tg_worker *worker, tg_kafka_job *job)
{
    count_job *c = (count_job *)job;
    assert_true(pthread_equal(pthread_self(), owner));
    assert_false(pthread_equal(c->ran_on, owner));
    assert_int_equal(c->number, done);
    tg_free(c);
    if (++done == JOBS)
        uv_stop(&worker->loop);
}

static void count_discard(tg_kafka_job *job)
{
    discarded++;
    tg_free(job);
}

static void post(tg_kafka_thread *thread, int number)
{
    count_job *c = tg_calloc(sizeof *c);
    c->job.run = count_run;
    c->job.done = count_done;
    c->job.discard = count_discard;
    c->number = number;
    tg__kafka_post(thread, &c->job);
}

static void in_order(void **state)
{
    (void)state;
    tg_err err = {0};
    char dir[] = "/tmp/tg-kafka-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/offsets", dir);
    json_t *config =
        json_pack("{s:s, s:s}", "bootstrap.servers",
                  "embedded:", "offset.storage.file.filename", path);
    tg_worker *worker = tg_worker_new(
        &(tg_worker_options){.config = config, .config_name = "w"}, &err);
    assert_non_null(worker);
    tg_kafka_thread *thread = tg__kafka_new(worker, &err);
    assert_non_null(thread);
    owner = pthread_self();
    for (int i = 0; i < JOBS; i++)
        post(thread, i);
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    assert_int_equal(done, JOBS);
    for (int i = 0; i < 50; i++)
        post(thread, JOBS + i);
    tg__kafka_free(thread);
    assert_int_equal(done, JOBS);
    assert_int_equal(discarded, 50); /* run or not, none was left */
    tg_worker_free(worker);
    json_decref(config);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(in_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
