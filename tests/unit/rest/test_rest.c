/*
 * The REST server over real sockets, in front of a worker with fake children:
 * status, headers and bodies byte for byte as clients of Kafka Connect know
 * them. Runs under ThreadSanitizer too.
 * labels: tsan
 */
#include "rest/rest.h"
#include "base/file.h"
#include "rest/internal.h"
#include "rest/listener.h"

#include "worker/fake_child.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>

#include <cmocka.h>

static char dir[] = "/tmp/tg-rest-XXXXXX";
static char offsets_path[64];
static tg_rest *rest;
static pthread_t owner;
static pthread_barrier_t made;
static int port;

/* "GET /x" -> the whole response. Caller frees. */
static char *http(const char *line, const char *headers)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char request[2048];
    tg_buf in = {0};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    int n = snprintf(request, sizeof request,
                     "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n",
                     line, headers);
    assert_int_equal(write(fd, request, (size_t)n), n);
    for (;;) {
        ssize_t got = read(fd, tg_buf_room(&in, 65536), 65536);
        if (got <= 0)
            break;
        in.len += (size_t)got;
    }
    close(fd);
    tg_buf_cstr(&in);
    return tg_buf_steal(&in);
}

static void expect(const char *line, const char *headers, int status,
                   const char *header, const char *body)
{
    char *response = http(line, headers);
    char first[64];
    snprintf(first, sizeof first, "HTTP/1.1 %d ", status);
    const char *got = strstr(response, "\r\n\r\n");
    if (strncmp(response, first, strlen(first)) != 0)
        fail_msg("%s: wanted %d, got %s", line, status, response);
    if (header && *header == '!') {
        if (strstr(response, header + 1))
            fail_msg("%s: %s in %s", line, header + 1, response);
    } else if (header && !strstr(response, header))
        fail_msg("%s: no %s in %s", line, header, response);
    if (body) {
        assert_non_null(got);
        assert_string_equal(got + 4, body);
    }
    tg_free(response);
}

static const char json[] = "Content-Type: application/json\r\n";

static void root(void **state)
{
    (void)state;
    expect("GET /", "", 200, json,
           "{\"version\":\"4.1.1-tidegate-" TG_VERSION
           "\",\"commit\":\"unknown\",\"kafka_cluster_id\":\"embedded\"}");
    expect("HEAD /", "", 200, json, "");
}

static void health(void **state)
{
    (void)state;
    expect("GET /health", "", 200, json,
           "{\"status\":\"healthy\",\"message\":\"Worker has completed startup "
           "and is ready to handle requests.\"}");
}

#define CONFIG                                                                 \
    "{\"name\":\"a b\",\"fake\":\"\",\"tasks.max\":\"2\",\"topics\":\"\"}"

static void connectors(void **state)
{
    (void)state;
    expect("GET /connectors", "", 200, json, "[\"a b\",\"bad\"]");
    expect("GET /connectors/", "", 200, json, "[\"a b\",\"bad\"]");
    expect("GET /connectors?expand=", "", 200, json, "{\"a b\":{},\"bad\":{}}");
    expect("GET /connectors?expand=status,info", "", 200, json,
           "{\"a b\":{},\"bad\":{}}");
    char *both = http("GET /connectors?expand=status&expand=info", "");
    assert_non_null(strstr(both, "{\"a b\":{\"status\":{\"name\":\"a b\","
                                 "\"connector\":{\"state\":\"RUNNING\","));
    assert_non_null(strstr(both, "\"info\":{\"name\":\"a b\",\"config\":" CONFIG
                                 ",\"tasks\":[{\"connector\":\"a b\",\"task\":"
                                 "0},{\"connector\":\"a b\",\"task\":1}],"
                                 "\"type\":\"source\"}}"));
    tg_free(both);
    expect("GET /connectors/a%20b", "", 200, json,
           "{\"name\":\"a b\",\"config\":" CONFIG
           ",\"tasks\":[{\"connector\":\"a b\",\"task\":0},{\"connector\":"
           "\"a b\",\"task\":1}],\"type\":\"source\"}");
    expect("GET /connectors/a%20b;x=y/config", "", 200, json, CONFIG);
    expect("GET /connectors/a%20b/tasks", "", 200, json,
           "[{\"id\":{\"connector\":\"a b\",\"task\":0},\"config\":{\"task\":0}"
           "},{\"id\":{\"connector\":\"a b\",\"task\":1},\"config\":{\"task\":1"
           "}}]");
    expect("GET /connectors/nosuch/topics", "", 200, json,
           "{\"nosuch\":{\"topics\":[]}}");
    expect("GET /connectors/%c3%28/topics", "", 200, json,
           "{\"?(\":{\"topics\":[]}}");
    expect("GET /connectors/nosuch", "", 404, json,
           "{\"error_code\":404,\"message\":\"Connector nosuch not found\"}");
    expect("GET /connectors/nosuch/config", "", 404, json,
           "{\"error_code\":404,\"message\":\"Connector nosuch not found\"}");
}

static void status(void **state)
{
    (void)state;
    char state0[128], task[256];
    snprintf(state0, sizeof state0,
             "{\"id\":0,\"state\":\"RUNNING\",\"worker_id\":\"%s\",\"version\":"
             "\"1.2.3\"}",
             tg_rest_id(rest));
    expect("GET /connectors/a%20b/tasks/0/status", "", 200, json, state0);
    expect("GET /connectors/nosuch/status", "", 404, json,
           "{\"error_code\":404,\"message\":\"No status found for connector "
           "nosuch\"}");
    expect("GET /connectors/a%20b/tasks/7/status", "", 404, json,
           "{\"error_code\":404,\"message\":\"No status found for task a "
           "b-7\"}");
    expect("GET /connectors/a%20b/tasks/-1/status", "", 404, json, NULL);
    expect("GET /connectors/a%20b/tasks/x/status", "", 404, NULL,
           "{\"error_code\":404,\"message\":\"HTTP 404 Not Found\"}");
    for (int i = 0; i < 300; i++) {
        char *response = http("GET /connectors/bad/status", "");
        bool failed = strstr(response, "\"state\":\"FAILED\"") != NULL;
        snprintf(task, sizeof task, "%s",
                 strstr(response, "\"trace\":\"TaskCrashed: ") ? "traced" : "");
        tg_free(response);
        if (failed)
            break;
        usleep(10000);
    }
    assert_string_equal(task, "traced");
}

static void actions(void **state)
{
    (void)state;
    expect("PUT /connectors/a%20b/pause", "", 202, NULL, "");
    for (int i = 0; i < 300; i++) {
        char *response = http("GET /connectors/a%20b/status", "");
        bool paused = strstr(response, "\"id\":1,\"state\":\"PAUSED\"") != NULL;
        tg_free(response);
        if (paused)
            break;
        usleep(10000);
    }
    char *response = http("GET /connectors/a%20b/status", "");
    assert_non_null(strstr(response, "\"connector\":{\"state\":\"PAUSED\""));
    assert_non_null(strstr(response, "\"id\":1,\"state\":\"PAUSED\""));
    tg_free(response);
    expect("PUT /connectors/a%20b/resume", "", 202, NULL, "");
    expect("PUT /connectors/nosuch/pause", "", 404, json,
           "{\"error_code\":404,\"message\":\"Unknown connector nosuch\"}");
    expect("POST /connectors/a%20b/tasks/0/restart", "", 204, NULL, NULL);
    expect("POST /connectors/a%20b/tasks/9/restart", "", 404, json,
           "{\"error_code\":404,\"message\":\"Task a b-9 not found\"}");
}

static void router(void **state)
{
    (void)state;
    expect("GET /nosuch", "", 404, NULL,
           "{\"error_code\":404,\"message\":\"HTTP 404 Not Found\"}");
    expect("GET /a/b/c/d/e/f/g/h/i/j/k", "", 404, NULL, NULL);
    expect("PUT /health", "", 405, NULL,
           "{\"error_code\":405,\"message\":\"HTTP 405 Method Not Allowed\"}");
    expect("FROB /connectors", "", 405, NULL, NULL);
    expect("OPTIONS /connectors/x", "", 200, "Allow: GET,HEAD,OPTIONS",
           "GET, HEAD, OPTIONS");
    expect("OPTIONS /nosuch", "", 404, NULL, NULL);
    expect("GET /connectors", "Accept: text/html\r\n", 406, "!Allow",
           "{\"error_code\":406,\"message\":\"HTTP 406 Not Acceptable\"}");
    expect("GET /connectors", "Accept: text/html, application/*;q=0.5\r\n", 200,
           NULL, NULL);
    expect("PUT /connectors/a%20b/pause",
           "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi", 415,
           "!Allow",
           "{\"error_code\":415,\"message\":\"HTTP 415 Unsupported Media "
           "Type\"}");
    expect("GET /connectors/a%2Fb", "", 400, "text/html", NULL);
    expect("GET /connectors/a%25b", "", 400, "text/html", NULL);
    expect("GET //connectors", "", 400, "text/html", NULL);
    expect("PUT //connectors", "", 400, "!text/html", "");
    expect("GET /connectors/a%00b", "", 400, "text/html", NULL);
    expect("GET /connectors/%zz%c3%28", "", 404, NULL, NULL);
    expect("GET /metrics", "Accept: text/plain\r\n", 200,
           "Content-Type: text/plain; version=0.0.4", NULL);
}

static void listeners(void **state)
{
    (void)state;
    tg_err err = {0};
    tg_listener l;
    static const char *const wrong[] = {
        "",           "8083",           "ftp://x:1",  "http://x",
        "http://x:y", "http://x:70000", "https://x:1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(tg__listener_parse(wrong[i], "w:1", &l, &err),
                         TG_ERR_CONFIG);
    assert_int_equal(tg__listener_parse("HTTP://:0", "w:1", &l, &err), 0);
    assert_string_equal(l.host, "");
    int fd = tg__listener_open(&l, "w:1", &err);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(tg__listener_parse("http://[::1]:0", "w", &l, &err), 0);
    assert_string_equal(l.host, "::1");
    char taken[64];
    snprintf(taken, sizeof taken, "http://127.0.0.1:%d", port);
    assert_int_equal(tg__listener_parse(taken, "w:1", &l, &err), 0);
    assert_int_equal(tg__listener_open(&l, "w.properties:3", &err), -1);
    assert_non_null(strstr(err.text, "w.properties:3: listeners: port "));
    assert_non_null(strstr(err.text, "is in use"));
}

static tg_worker *worker;

static void *run(void *arg)
{
    tg_err err = {0};
    tg_worker_options options = {
        .config = arg, .config_name = "w.properties", .child_exe = tg_exe()};
    worker = tg_worker_new(&options, &err);
    json_t *good =
        json_pack("{s:s, s:{s:s, s:s, s:s, s:s}}", "name", "a b", "config",
                  "name", "a b", "fake", "", "tasks.max", "2", "topics", "");
    json_t *bad = json_pack("{s:s, s:{s:s, s:s, s:s}}", "name", "bad", "config",
                            "name", "bad", "fake", "segv", "tasks.max", "1");
    tg_worker_add(worker, good, NULL, &err);
    tg_worker_add(worker, bad, NULL, &err);
    json_decref(good);
    json_decref(bad);
    rest = tg_rest_start(worker, arg, NULL, &err);
    if (!rest)
        abort();
    tg_worker_set_id(worker, tg_rest_id(rest));
    pthread_barrier_wait(&made);
    tg_worker_run(worker);
    return NULL;
}

static json_t *config;

static int set_up(void **state)
{
    (void)state;
    config = json_pack("{s:s, s:s, s:s}", "bootstrap.servers",
                       "embedded:", "offset.storage.file.filename",
                       offsets_path, "listeners", "http://127.0.0.1:0");
    pthread_barrier_init(&made, NULL, 2);
    pthread_create(&owner, NULL, run, config);
    pthread_barrier_wait(&made);
    port = atoi(strrchr(tg_rest_url(rest, 0), ':') + 1);
    for (int i = 0; i < 300; i++) { /* both tasks of "a b" */
        char *response = http("GET /connectors/a%20b/status", "");
        bool up = strstr(response, "\"id\":1,\"state\":\"RUNNING\"") != NULL &&
                  strstr(response, "\"id\":0,\"state\":\"RUNNING\"") != NULL;
        tg_free(response);
        if (up)
            return 0;
        usleep(10000);
    }
    return 1;
}

static int tear_down(void **state)
{
    (void)state;
    tg_worker_stop(worker);
    pthread_join(owner, NULL);
    tg_rest_stop(rest);
    tg_worker_free(worker);
    json_decref(config);
    pthread_barrier_destroy(&made);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(root),       cmocka_unit_test(health),
        cmocka_unit_test(connectors), cmocka_unit_test(status),
        cmocka_unit_test(actions),    cmocka_unit_test(router),
        cmocka_unit_test(listeners),
    };
    int child = fake_main(argc, argv);
    if (child >= 0)
        return child;
    if (!mkdtemp(dir))
        return 1;
    snprintf(offsets_path, sizeof offsets_path, "%s/connect.offsets", dir);
    int failed = cmocka_run_group_tests(tests, set_up, tear_down);
    unlink(offsets_path);
    rmdir(dir);
    return failed;
}
