/*
 * `tidegate broker`: the embedded broker in a process of its own. Started by
 * the supervisor it speaks framed JSON on descriptor 3 (core/task/protocol.h):
 * sends up, answers topic, and ends when its parent does. Started by hand it
 * prints its address and runs until Ctrl-C.
 *
 * One thread here; the mock cluster has its own.
 */
#include "cli/cli.h"
#include "cli/options.h"
#include "base/frame.h"
#include "base/log.h"
#include "kafka/embedded.h"
#include "task/protocol.h"
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int reply_topic(tg_embedded *broker, const json_t *msg, tg_err *err)
{
    const char *topic = json_string_value(json_object_get(msg, "topic"));
    json_t *partitions = json_object_get(msg, "partitions");
    json_t *answer;
    tg_err why;
    int rc;

    tg_err_clear(&why);
    if (topic)
        tg_embedded_topic(broker, topic,
                          json_is_integer(partitions)
                              ? (int)json_integer_value(partitions)
                              : 1,
                          &why);
    else
        tg_err_set(&why, TG_ERR_ARG, "the request names no topic");
    answer =
        json_pack("{s:s, s:s}", "op", "topic.ok", "topic", topic ? topic : "");
    if (why.code)
        json_object_set_new(answer, "error", json_string(why.text));
    rc = tg_frame_write(TG_FD_SOCKET, answer, err);
    json_decref(answer);
    return rc;
}

static int serve(tg_embedded *broker, tg_err *err)
{
    json_t *msg = json_pack("{s:s, s:s}", "op", "up", "bootstrap",
                            tg_embedded_bootstrap(broker));
    tg_buf in = {0};
    int rc = tg_frame_write(TG_FD_SOCKET, msg, err);

    json_decref(msg);
    while (rc >= 0) {
        const char *op;

        rc = tg_frame_decode(&in, &msg, err);
        if (rc == 0) {
            rc = tg_frame_fill(TG_FD_SOCKET, &in, -1, err);
            continue;
        }
        if (rc < 0)
            break;
        op = json_string_value(json_object_get(msg, "op"));
        if (op && !strcmp(op, "topic"))
            rc = reply_topic(broker, msg, err);
        else if (op && !strcmp(op, "stop"))
            rc = TG_ERR_STOPPED;
        else
            tg_warn("broker", "unknown message \"%s\" is ignored",
                    op ? op : "");
        json_decref(msg);
    }
    tg_buf_fini(&in);
    /* The end of the socket is the end of the worker: nothing is wrong. */
    return rc == TG_ERR_STOPPED ? TG_OK : rc;
}

static bool started_by_worker(void)
{
    struct stat st;

    return !fstat(TG_FD_SOCKET, &st) && S_ISSOCK(st.st_mode);
}

static void run_by_hand(tg_embedded *broker)
{
    sigset_t set;
    int sig;

    printf("The embedded broker listens on %s. It keeps about 5 MB a partition "
           "in memory; Ctrl-C stops it.\n",
           tg_embedded_bootstrap(broker));
    fflush(stdout);
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigwait(&set, &sig);
}

int tg_cmd_broker(int argc, char **argv)
{
    bool child = started_by_worker();
    tg_embedded *broker;
    sigset_t set;
    tg_err err;
    int rc = TG_OK;

    (void)argv;
    if (argc > 1) {
        fprintf(stderr, "Usage: tidegate broker\n\n"
                        "Runs an in-memory Kafka broker for trying things out "
                        "and prints its address.\n");
        return argc == 2 && !strcmp(argv[1], "--help") ? 0 : 1;
    }
    if (child) {
        pid_t parent = getppid();

        /* A signal to the whole group stops the worker, which stops the tasks
         * first: they still need the broker. */
        signal(SIGINT, SIG_IGN);
        signal(SIGTERM, SIG_IGN);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close_range(TG_FD_SOCKET + 1, ~0U, 0); /* what libraries left open */
        if (getppid() != parent)
            return 0;
        tg_log_context("embedded broker");
    } else {
        /* Before librdkafka's threads start, so that they inherit it. */
        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGTERM);
        sigprocmask(SIG_BLOCK, &set, NULL);
    }
    signal(SIGPIPE, SIG_IGN);
    tg_err_clear(&err);
    broker = tg_embedded_new(&err);
    if (!broker) {
        tg_error("broker", "%s", err.text);
        return 1;
    }
    if (child)
        rc = serve(broker, &err);
    else
        run_by_hand(broker);
    tg_embedded_free(broker);
    if (rc)
        tg_error("broker", "%s", err.text);
    return rc ? 1 : 0;
}
