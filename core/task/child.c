/*
 * A child process from exec to exit: descriptors, signals, the first message.
 * It dies with its parent: by SIGTERM when the parent is gone, and by end of
 * file on the socket (control.c).
 *
 * Threads: main.
 */
#include "task/child.h"
#include "base/log.h"
#include "task/protocol.h"
#include "task/task.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static const char MOD[] = "task";

static bool started_by_supervisor(void)
{
    struct stat st;

    return fstat(TG_FD_SOCKET, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* The supervisor takes the terminal's signals and tells us. */
static void prepare_process(void)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    close_range(TG_FD_PAGE + 1, ~0U, 0); /* what libraries left open */
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    fcntl(TG_FD_SOCKET, F_SETFD, FD_CLOEXEC);
    fcntl(TG_FD_PAGE, F_SETFD, FD_CLOEXEC);
    json_object_seed(0);
}

static json_t *first_message(tg_buf *in, tg_err *err)
{
    json_t *msg = NULL;
    int rc;

    for (;;) {
        rc = tg_frame_decode(in, &msg, err);
        if (rc == 1)
            return msg;
        if (rc < 0 || tg_frame_fill(TG_FD_SOCKET, in, -1, err) < 0)
            return NULL;
    }
}

static int answer_plan(const json_t *msg)
{
    const char *name = json_string_value(json_object_get(msg, "name"));
    tg_err err = {0};
    json_t *out;
    int rc;

    tg_log_context(name);
    out = tg__plan(msg);
    rc = tg_frame_write(TG_FD_SOCKET, out, &err);
    if (rc)
        tg_error(MOD, "The plan could not be reported: %s", err.text);
    json_decref(out);
    return rc ? 1 : 0;
}

/* As if the signal had had its way at once. */
static int die_by(int signal_no)
{
    sigset_t set;

    signal(signal_no, SIG_DFL);
    raise(signal_no);
    sigemptyset(&set);
    sigaddset(&set, signal_no);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    return 1;
}

int tg_task_main(void)
{
    tg_buf in = {0};
    tg_err err = {0};
    const char *op;
    json_t *msg;
    int rc = 1;

    if (!started_by_supervisor()) {
        fprintf(stderr, "tidegate task: this is the process of one task; "
                        "`tidegate standalone` starts it\n");
        return 2;
    }
    prepare_process();
    msg = first_message(&in, &err);
    op = json_string_value(json_object_get(msg, "op"));
    if (!msg)
        rc = err.code == TG_ERR_STOPPED ? 0 : 1;
    else if (strcmp(op, "plan") == 0)
        rc = answer_plan(msg);
    else if (strcmp(op, "start") == 0)
        rc = tg__task_run(msg, &in);
    else
        tg_error(MOD, "The first message is %s; plan or start was expected",
                 op);
    if (!msg && rc)
        tg_error(MOD, "The supervisor cannot be understood: %s", err.text);
    json_decref(msg);
    tg_buf_fini(&in);
    return rc > 1 ? die_by(rc) : rc;
}
