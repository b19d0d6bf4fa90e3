/*
 * The whole supervisor with children that misbehave: every failure must end in
 * a state and a trace that a person can use, and touch nothing else. Runs under
 * ThreadSanitizer too.
 * labels: tsan
 */
#include "base/file.h"
#include "kafka/embedded.h"
#include "store/offsets.h"
#include "worker/herder.h"

#include "fake_child.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static char dir[] = "/tmp/tg-worker-XXXXXX";
static char offsets_path[64];

/* A worker on a thread of its own. */
typedef struct running {
    pthread_t thread;
    tg_worker *worker;
    json_t *config;
    json_t *connectors;
    tg_err err;
    int code;
    pthread_mutex_t lock;
    pthread_cond_t made;
    bool ready;
} running;

static void *run(void *arg)
{
    running *r = arg;
    tg_worker_options options = {.config = r->config,
                                 .config_name = "worker.properties",
                                 .child_exe = tg_exe()};
    size_t i;
    json_t *c;
    tg_worker *worker = tg_worker_new(&options, &r->err);
    if (worker)
        json_array_foreach(r->connectors, i, c)
            tg_worker_add(worker, c, NULL, &r->err);
    pthread_mutex_lock(&r->lock);
    r->worker = worker;
    r->ready = true;
    pthread_cond_signal(&r->made);
    pthread_mutex_unlock(&r->lock);
    r->code = worker ? tg_worker_run(worker) : 1;
    return NULL;
}

static void start_with(running *r, json_t *connectors, const char *key,
                       const char *value)
{
    memset(r, 0, sizeof *r);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->made, NULL);
    r->connectors = connectors;
    r->config = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "bootstrap.servers",
                          "embedded:", "offset.storage.file.filename",
                          offsets_path, "offset.flush.interval.ms", "200",
                          "task.script.timeout.ms", "300", "task.memory.max.mb",
                          "64", "task.shutdown.graceful.timeout.ms", "2000");
    json_object_set_new(r->config, key, json_string(value));
    pthread_create(&r->thread, NULL, run, r);
    pthread_mutex_lock(&r->lock);
    while (!r->ready)
        pthread_cond_wait(&r->made, &r->lock);
    pthread_mutex_unlock(&r->lock);
}

static void start(running *r, json_t *connectors)
{
    start_with(r, connectors, "bootstrap.servers", "embedded:");
}

static int join(running *r)
{
    pthread_join(r->thread, NULL);
    tg_worker_free(r->worker);
    json_decref(r->config);
    json_decref(r->connectors);
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->made);
    return r->code;
}

static int stop(running *r)
{
    tg_worker_stop(r->worker);
    return join(r);
}

static void call_status(tg_worker *worker, tg_call *call)
{
    tg_connector *c = tg_herder_find(worker, call->connector);
    json_t *status = c ? tg_herder_status(c) : NULL;
    if (status)
        tg_call_json(call, 200, status);
    else
        tg_call_error(call, 404, "none");
}

static void call_target(tg_worker *worker, tg_call *call)
{
    tg_herder_set_target(tg_herder_find(worker, call->connector),
                         (int)call->flags);
    tg_call_json(call, 202, NULL);
}

static void call_restart(tg_worker *worker, tg_call *call)
{
    bool there = tg_herder_restart_task(tg_herder_find(worker, call->connector),
                                        call->task);
    tg_call_json(call, there ? 204 : 404, NULL);
}

static void call_metrics(tg_worker *worker, tg_call *call)
{
    tg_buf out = {0};
    tg_metrics_write(worker, &out);
    tg_buf_cstr(&out);
    size_t len = out.len;
    tg_call_text(call, 200, "text/plain", tg_buf_steal(&out), len);
}

static json_t *ask(running *r, tg_call_fn fn, const char *name, int task,
                   unsigned flags)
{
    tg_reply reply = {0};
    assert_true(tg_worker_ask(r->worker, tg_call_new(fn, name, task, flags),
                              5000, &reply));
    json_t *body =
        reply.body ? json_loads(reply.body, JSON_DECODE_ANY, NULL) : NULL;
    tg_reply_fini(&reply);
    return body;
}

/* State and trace of a task; "" while there is none. */
static void look(running *r, const char *name, int task, char *state,
                 char *trace)
{
    json_t *status = ask(r, call_status, name, 0, 0);
    json_t *t = json_array_get(json_object_get(status, "tasks"), (size_t)task);
    snprintf(state, 32, "%s", fake_text(t, "state"));
    snprintf(trace, 1024, "%s", fake_text(t, "trace"));
    json_decref(status);
}

static void await(running *r, const char *name, int task, const char *wanted,
                  char *trace)
{
    char state[32] = "", spare[1024];
    for (int i = 0; i < 1000 && strcmp(state, wanted) != 0; i++) {
        look(r, name, task, state, trace ? trace : spare);
        if (strcmp(state, wanted) != 0)
            usleep(10000);
    }
    assert_string_equal(state, wanted);
}

static json_t *connector(const char *name, const char *fake, int tasks,
                         const char *topics)
{
    char n[16];
    snprintf(n, sizeof n, "%d", tasks);
    return json_pack("{s:s, s:{s:s, s:s, s:s, s:s}}", "name", name, "config",
                     "name", name, "fake", fake, "tasks.max", n, "topics",
                     topics);
}

static void runs_and_stops(void **state)
{
    (void)state;
    running r;
    start(&r, json_pack("[o, o]", connector("src", "", 2, ""),
                        connector("snk", "sinks", 1, "t")));
    await(&r, "src", 0, "RUNNING", NULL);
    await(&r, "src", 1, "RUNNING", NULL);
    await(&r, "snk", 0, "RUNNING", NULL);
    json_t *status = ask(&r, call_status, "src", 0, 0);
    char *text = json_dumps(status, JSON_COMPACT);
    assert_string_equal(
        text,
        "{\"name\":\"src\",\"connector\":{\"state\":\"RUNNING\",\"worker_id\":"
        "\"127.0.0.1:8083\",\"version\":\"1.2.3\"},\"tasks\":[{\"id\":0,"
        "\"state\":\"RUNNING\",\"worker_id\":\"127.0.0.1:8083\",\"version\":"
        "\"1.2.3\"},{\"id\":1,\"state\":\"RUNNING\",\"worker_id\":"
        "\"127.0.0.1:8083\",\"version\":\"1.2.3\"}],\"type\":\"source\"}");
    free(text);
    json_decref(status);
    assert_int_equal(stop(&r), 0);
}

/* Waits until the file has these offsets of a connector. */
static void await_offsets(const char *name, const char *wanted)
{
    tg_err err = {0};
    char *found = NULL;
    for (int i = 0; i < 500 && !(found && strcmp(found, wanted) == 0); i++) {
        usleep(10000);
        tg_offsets *store = tg_offsets_open_file(offsets_path, &err);
        assert_non_null(store);
        json_t *list = tg_offsets_get(store, name);
        free(found);
        found = json_dumps(list, JSON_COMPACT);
        json_decref(list);
        tg_offsets_free(store);
    }
    assert_string_equal(found, wanted);
    free(found);
}

/* What the sink has committed reaches the source, and the file. */
static void released_to_the_file(void **state)
{
    (void)state;
    running r;
    unlink(offsets_path);
    start(&r, json_pack("[o, o]", connector("src", "", 1, ""),
                        connector("snk", "sinks", 1, "t")));
    await(&r, "snk", 0, "RUNNING", NULL);
    await_offsets("src", "[[{\"part\":0},{\"position\":123}]]");
    assert_int_equal(stop(&r), 0);
}

/* The slowest sink counts, also one that reads by pattern. A sink that has
 * committed nothing holds everything. */
static void slowest_sink_counts(void **state)
{
    (void)state;
    running r;
    json_t *pattern = connector("slow", "sinks50", 1, "x");
    json_object_set_new(json_object_get(pattern, "config"), "topics.regex",
                        json_string("[s-t]"));
    unlink(offsets_path);
    start(&r, json_pack("[o, o, o]", connector("src", "", 1, ""),
                        connector("snk", "sinks", 1, "s,t"), pattern));
    await_offsets("src", "[[{\"part\":0},{\"position\":50}]]");
    assert_int_equal(stop(&r), 0);

    unlink(offsets_path);
    start(&r, json_pack("[o, o, o]", connector("src", "", 1, ""),
                        connector("snk", "sinks", 1, "t"),
                        connector("none", "", 1, "t")));
    await(&r, "none", 0, "RUNNING", NULL);
    await_offsets("src", "[[{\"part\":0},{\"position\":7}]]");
    assert_int_equal(stop(&r), 0);
}

/* The broker is up, and one sink of the topic known, long before the other: it
 * counts all the same. */
static void late_sink_counts(void **state)
{
    (void)state;
    running r;
    unlink(offsets_path);
    start(&r, json_pack("[o, o, o]", connector("src", "", 1, ""),
                        connector("snk", "sinks", 1, "t"),
                        connector("slow", "late-sinks50", 1, "t")));
    await(&r, "slow", 0, "RUNNING", NULL);
    await_offsets("src", "[[{\"part\":0},{\"position\":50}]]");
    assert_int_equal(stop(&r), 0);
}

static void refused_topic(void **state)
{
    (void)state;
    running r;
    char now[32], trace[1024];
    start(&r, json_pack("[o]", connector("src", "bad-topic", 1, "")));
    await(&r, "src", 0, "RUNNING", NULL);
    usleep(300000);
    look(&r, "src", 0, now, trace);
    assert_string_equal(now, "RUNNING");
    assert_int_equal(stop(&r), 0);
}

static void fails_alone(const char *fake, const char *const *words)
{
    running r;
    char trace[1024];
    start(&r, json_pack("[o, o]", connector("bad", fake, 2, ""),
                        connector("good", "", 1, "")));
    await(&r, "bad", 0, "FAILED", trace);
    for (; *words; words++)
        if (!strstr(trace, *words))
            fail_msg("\"%s\" is not in \"%s\"", *words, trace);
    await(&r, "bad", 1, "RUNNING", NULL);
    await(&r, "good", 0, "RUNNING", NULL);
    assert_int_equal(stop(&r), 0);
}

static void crash(void **state)
{
    (void)state;
    fails_alone("segv",
                (const char *[]){"task bad-0", "signal 11", "SIGSEGV",
                                 "in poll of connectors/x/source.lua",
                                 "record 17", "\nCaused by: Signal: ", NULL});
}

static void hang(void **state)
{
    (void)state;
    fails_alone("hang", (const char *[]){"task bad-0", "put of connectors/x",
                                         "task.script.timeout.ms=300", NULL});
}

static void exit_code(void **state)
{
    (void)state;
    fails_alone("exit", (const char *[]){"task bad-0", "exit code 3", NULL});
}

static void garbage(void **state)
{
    (void)state;
    fails_alone("garbage", (const char *[]){"task bad-0", "no message", NULL});
}

static void closed_socket(void **state)
{
    (void)state;
    fails_alone("close",
                (const char *[]){"task bad-0", "closed its socket", NULL});
}

static void memory(void **state)
{
    (void)state;
    fails_alone("memory",
                (const char *[]){"task bad-0", "task.memory.max.mb=64", NULL});
}

static void said_failed(void **state)
{
    (void)state;
    fails_alone("failed", (const char *[]){"ScriptError: x.lua:3: boom",
                                           "Caused by: Lua: boom", NULL});
}

static void plan_error(void **state)
{
    (void)state;
    static const char *const fakes[] = {"plan-error", "plan-crash",
                                        "plan-unknown"};
    for (size_t i = 0; i < 3; i++) {
        running r;
        start(&r, json_pack("[o, o]", connector("good", "", 1, ""),
                            connector("bad", fakes[i], 1, "")));
        assert_int_equal(join(&r), 1);
    }
}

/* Children of this process, by what they were started as. */
static int children(const char *command, int *pids, int max)
{
    int n = 0;
    char text[256];
    FILE *ps = popen("ps -eo pid,ppid,args", "r");
    while (fgets(text, sizeof text, ps)) {
        int pid, parent, at = 0;
        char wanted[32];
        snprintf(wanted, sizeof wanted, "tidegate %s", command);
        if (sscanf(text, "%d %d %n", &pid, &parent, &at) == 2 &&
            parent == getpid() &&
            strncmp(text + at, wanted, strlen(wanted)) == 0 &&
            !strstr(text, "(plan)") && n < max)
            pids[n++] = pid;
    }
    pclose(ps);
    return n;
}

static void killed_task_comes_back(void **state)
{
    (void)state;
    running r;
    int before[4], after[4];
    start(&r, json_pack("[o]", connector("src", "", 1, "")));
    await(&r, "src", 0, "RUNNING", NULL);
    assert_int_equal(children("task", before, 4), 1);
    kill(before[0], SIGKILL);
    usleep(100000);
    await(&r, "src", 0, "RUNNING", NULL);
    assert_int_equal(children("task", after, 4), 1);
    assert_int_not_equal(before[0], after[0]);
    kill(after[0], SIGTERM); /* it is told to stop by somebody else */
    usleep(100000);
    await(&r, "src", 0, "RUNNING", NULL);
    assert_int_equal(stop(&r), 0);
}

/* A process that says it has stopped and stays is killed, and comes back. */
static void stopped_process_must_end(void **state)
{
    (void)state;
    running r;
    int before[4], after[4];
    start_with(&r, json_pack("[o]", connector("src", "stays", 1, "")),
               "task.shutdown.graceful.timeout.ms", "200");
    await(&r, "src", 0, "RUNNING", NULL);
    assert_int_equal(children("task", before, 4), 1);
    usleep(800000);
    await(&r, "src", 0, "RUNNING", NULL);
    assert_int_equal(children("task", after, 4), 1);
    assert_int_not_equal(before[0], after[0]);
    assert_int_equal(stop(&r), 0);
}

/* Tasks that write to one topic of the embedded broker start again together:
 * each goes back to what the sinks have committed. */
static void writers_start_together(void **state)
{
    (void)state;
    running r;
    int before[8], after[8];
    start(&r, json_pack("[o, o]", connector("src", "", 3, ""),
                        connector("snk", "sinks", 1, "t")));
    for (int i = 0; i < 3; i++)
        await(&r, "src", i, "RUNNING", NULL);
    await(&r, "snk", 0, "RUNNING", NULL);
    usleep(200000); /* all have said what they write to */
    assert_int_equal(children("task src", before, 8), 3);
    kill(before[1], SIGKILL);
    usleep(500000);
    for (int i = 0; i < 3; i++)
        await(&r, "src", i, "RUNNING", NULL);
    assert_int_equal(children("task src", after, 8), 3);
    for (int i = 0; i < 9; i++)
        assert_int_not_equal(before[i / 3], after[i % 3]);
    assert_int_equal(children("task snk", after, 8), 1);
    assert_int_equal(stop(&r), 0);
}

static void killed_broker_comes_back(void **state)
{
    (void)state;
    running r;
    int broker[2], tasks[8], now[8];
    start(&r, json_pack("[o, o]", connector("src", "", 2, ""),
                        connector("snk", "sinks", 1, "t")));
    await(&r, "src", 1, "RUNNING", NULL);
    await(&r, "snk", 0, "RUNNING", NULL);
    assert_int_equal(children("broker", broker, 2), 1);
    assert_int_equal(children("task", tasks, 8), 3);
    kill(broker[0], SIGKILL);
    usleep(300000);
    await(&r, "src", 0, "RUNNING", NULL);
    await(&r, "src", 1, "RUNNING", NULL);
    await(&r, "snk", 0, "RUNNING", NULL);
    int old = broker[0];
    assert_int_equal(children("broker", broker, 2), 1);
    assert_int_not_equal(broker[0], old);
    assert_int_equal(children("task", now, 8), 3);
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++)
            assert_int_not_equal(now[i], tasks[k]);
    assert_int_equal(stop(&r), 0);
}

static void pause_and_restart(void **state)
{
    (void)state;
    running r;
    int before[2], after[2];
    start(&r, json_pack("[o]", connector("src", "", 1, "")));
    await(&r, "src", 0, "RUNNING", NULL);
    ask(&r, call_target, "src", 0, TG_TARGET_PAUSED);
    await(&r, "src", 0, "PAUSED", NULL);
    assert_int_equal(children("task", before, 2), 1);
    ask(&r, call_restart, "src", 0, 0);
    usleep(200000);
    await(&r, "src", 0, "PAUSED", NULL); /* it starts as it was */
    assert_int_equal(children("task", after, 2), 1);
    assert_int_not_equal(before[0], after[0]);
    ask(&r, call_target, "src", 0, TG_TARGET_STARTED);
    await(&r, "src", 0, "RUNNING", NULL);
    assert_int_equal(stop(&r), 0);
}

static void metrics(void **state)
{
    (void)state;
    running r;
    tg_reply reply = {0};
    start(&r, json_pack("[o, o]", connector("a\"b", "", 1, ""),
                        connector("bad", "segv", 1, "")));
    await(&r, "bad", 0, "FAILED", NULL);
    await(&r, "a\"b", 0, "RUNNING", NULL);
    usleep(100000);
    assert_true(tg_worker_ask(r.worker, tg_call_new(call_metrics, NULL, 0, 0),
                              5000, &reply));
    static const char *const lines[] = {
        "\ntidegate_task_records_out_total{connector=\"a\\\"b\",task=\"0\"} "
        "1000\n",
        "\ntidegate_task_state{connector=\"bad\",task=\"0\",state=\"FAILED\"} "
        "1\n",
        "\nkafka_connect_connector_status{connector=\"bad\",task=\"0\",status="
        "\"failed\"} 1\n",
        "\nkafka_connect_worker_connector_failed_task_count{connector=\"bad\"} "
        "1\n",
        "\nkafka_connect_worker_connector_count 2\n"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (!strstr(reply.body, lines[i]))
            fail_msg("%s is missing in\n%s", lines[i], reply.body);
    tg_reply_fini(&reply);
    assert_int_equal(stop(&r), 0);
}

static void duplicate_names(void **state)
{
    (void)state;
    tg_err err = {0};
    json_t *config =
        json_pack("{s:s, s:s}", "bootstrap.servers",
                  "embedded:", "offset.storage.file.filename", offsets_path);
    tg_worker_options options = {.config = config, .config_name = "w"};
    tg_worker *worker = tg_worker_new(&options, &err);
    json_t *c = connector("src", "", 1, "");
    assert_non_null(worker);
    assert_int_equal(tg_worker_add(worker, c, "a.properties", &err), TG_OK);
    assert_int_equal(tg_worker_add(worker, c, "b.properties", &err),
                     TG_ERR_CONFIG);
    assert_non_null(strstr(err.text, "b.properties: name=src is taken: "
                                     "a.properties"));
    json_decref(c);
    tg_worker_free(worker);
    json_object_set_new(config, "bootstrap.servers",
                        json_string("embedded:9092"));
    assert_null(tg_worker_new(&options, &err));
    json_object_set_new(config, "bootstrap.servers", json_string("embedded:"));
    json_object_set_new(config, "offset.storage.file.filename",
                        json_string("/nonexistent/x"));
    assert_null(tg_worker_new(&options, &err));
    assert_non_null(strstr(err.text, "/nonexistent"));
    json_decref(config);
}

#ifndef __SANITIZE_THREAD__
static void call_root(tg_worker *worker, tg_call *call)
{
    tg_call_json(call, 200, tg_worker_root(worker));
}

/* A cluster by its address: the id comes from the Kafka thread. */
static void finds_the_cluster(void **state)
{
    (void)state;
    running r;
    tg_err err = {0};
    tg_embedded *broker = tg_embedded_new(&err);
    assert_non_null(broker);
    start_with(&r, json_pack("[o]", connector("src", "", 1, "")),
               "bootstrap.servers", tg_embedded_bootstrap(broker));
    await(&r, "src", 0, "RUNNING", NULL);
    json_t *root = ask(&r, call_root, NULL, 0, 0);
    assert_true(json_is_string(json_object_get(root, "kafka_cluster_id")));
    json_decref(root);
    assert_int_equal(stop(&r), 0);
    tg_embedded_free(broker);
}

/* No cluster there: the worker says so and ends. */
static void no_cluster(void **state)
{
    (void)state;
    tg_err err = {0};
    json_t *config = json_pack("{s:s, s:s, s:s}", "bootstrap.servers",
                               "127.0.0.1:1", "offset.storage.file.filename",
                               offsets_path, "default.api.timeout.ms", "700");
    tg_worker *worker = tg_worker_new(
        &(tg_worker_options){.config = config, .config_name = "w"}, &err);
    assert_non_null(worker);
    assert_int_equal(tg_worker_run(worker), 1);
    tg_worker_free(worker);
    json_decref(config);
}

#endif

/* Many threads ask while tasks come and go: nothing is lost or torn. */
static void *hammer(void *arg)
{
    running *r = arg;
    for (int i = 0; i < 200; i++) {
        tg_reply reply = {0};
        tg_call *call =
            tg_call_new(i % 2 ? call_status : call_metrics, "src", 0, 0);
        if (tg_worker_ask(r->worker, call, i % 7 ? 5000 : 0, &reply))
            assert_true(reply.status == 200 || reply.status == 404 ||
                        reply.status == 500);
        tg_reply_fini(&reply);
    }
    return NULL;
}

static void many_askers(void **state)
{
    (void)state;
    running r;
    pthread_t threads[4];
    start(&r, json_pack("[o, o]", connector("src", "", 2, ""),
                        connector("bad", "segv", 1, "")));
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, hammer, &r);
    usleep(50000);
    tg_worker_stop(r.worker);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(join(&r), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_and_stops),
        cmocka_unit_test(released_to_the_file),
        cmocka_unit_test(slowest_sink_counts),
        cmocka_unit_test(late_sink_counts),
        cmocka_unit_test(refused_topic),
        cmocka_unit_test(crash),
        cmocka_unit_test(hang),
        cmocka_unit_test(exit_code),
        cmocka_unit_test(garbage),
        cmocka_unit_test(closed_socket),
        cmocka_unit_test(memory),
        cmocka_unit_test(said_failed),
        cmocka_unit_test(plan_error),
        cmocka_unit_test(killed_task_comes_back),
        cmocka_unit_test(stopped_process_must_end),
        cmocka_unit_test(writers_start_together),
        cmocka_unit_test(killed_broker_comes_back),
        cmocka_unit_test(pause_and_restart),
        cmocka_unit_test(metrics),
        cmocka_unit_test(duplicate_names),
#ifndef __SANITIZE_THREAD__ /* librdkafka's C11 threads are unknown to it */
        cmocka_unit_test(finds_the_cluster),
        cmocka_unit_test(no_cluster),
#endif
        cmocka_unit_test(many_askers),
    };
    int child = fake_main(argc, argv);
    if (child >= 0)
        return child;
    if (!mkdtemp(dir))
        return 1;
    snprintf(offsets_path, sizeof offsets_path, "%s/connect.offsets", dir);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(offsets_path);
    rmdir(dir);
    return failed;
}
