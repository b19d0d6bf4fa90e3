/*
 * Child processes: started with uv_spawn (fork and exec), spoken to over a
 * socketpair on their descriptor 3.
 *
 * The end of a child is its SIGCHLD, not the end of its socket: a process that
 * it left behind could hold the socket for ever. What the child wrote before it
 * died is in the socket by then, so it is read to the end first and the owner
 * hears of messages before it hears of the exit. Memory goes when libuv has
 * closed both handles.
 *
 * Owner thread only.
 */
#include "worker/child.h"
#include "base/frame.h"
#include "base/log.h"
#include "task/protocol.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_SIZE = 64 * 1024, QUEUE_MAX = 64 * 1024 * 1024 };

static const int64_t EOF_MAX_NS = 5000000000;

struct tg_child {
    uv_process_t process;
    uv_pipe_t pipe;
    int open_handles;
    bool gone;         /* exited was called */
    int64_t eof_ns;    /* when its end of the socket was closed; 0: open */
    bool deaf;         /* sent rubbish: what follows is not read */
    tg_buf in;         /* bytes of frames not yet whole */
    const char *fault; /* why we killed it */
    tg_child_hooks hooks;
};

typedef struct write_req {
    uv_write_t req;
    tg_buf bytes;
} write_req;

static void handle_closed(uv_handle_t *handle)
{
    tg_child *child = handle->data;
    if (--child->open_handles > 0)
        return;
    tg_buf_fini(&child->in);
    tg_free(child);
}

static void close_handles(tg_child *child)
{
    uv_close((uv_handle_t *)&child->process, handle_closed);
    uv_close((uv_handle_t *)&child->pipe, handle_closed);
}

/* Delivers every whole frame. */
static void deliver(tg_child *child)
{
    while (!child->deaf) {
        tg_err err = {0};
        json_t *msg = NULL;
        int rc = tg_frame_decode(&child->in, &msg, &err);
        if (rc == 0)
            return;
        if (rc < 0) {
            tg_error("child", "process %d sent no message: %s",
                     child->process.pid, err.text);
            child->deaf = true;
            uv_read_stop((uv_stream_t *)&child->pipe);
            tg__child_kill(child, SIGKILL,
                           "it sent bytes that are no message of the protocol");
            return;
        }
        child->hooks.message(child->hooks.ctx, msg);
        json_decref(msg);
    }
}

static void alloc_read(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    tg_child *child = handle->data;
    (void)size;
    buf->base = tg_buf_room(&child->in, READ_SIZE);
    buf->len = READ_SIZE;
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    tg_child *child = stream->data;
    (void)buf;
    if (n < 0) {
        uv_read_stop(stream); /* its exit follows, or tg__child_check */
        child->eof_ns = (int64_t)uv_hrtime();
        return;
    }
    child->in.len += (size_t)n;
    deliver(child);
}

/* What the child had still written when it died. */
static void drain(tg_child *child)
{
    uv_os_fd_t fd;
    uv_read_stop((uv_stream_t *)&child->pipe);
    if (uv_fileno((uv_handle_t *)&child->pipe, &fd) != 0)
        return;
    while (!child->deaf) {
        ssize_t n = recv(fd, tg_buf_room(&child->in, READ_SIZE), READ_SIZE,
                         MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        child->in.len += (size_t)n;
        deliver(child);
    }
}

static void on_process_exit(uv_process_t *process, int64_t code, int signal)
{
    tg_child *child = process->data;
    drain(child);
    tg_child_exit how = {.code = (int)code,
                         .signal = signal,
                         .fault = child->fault,
                         .pid = process->pid};
    child->gone = true;
    child->hooks.exited(child->hooks.ctx, &how);
    close_handles(child);
}

tg_child *tg__child_start(uv_loop_t *loop, const char *exe, const char *command,
                          const char *label, int page_fd,
                          const tg_child_hooks *hooks, tg_err *err)
{
    tg_child *child = tg_calloc(sizeof *child);
    child->hooks = *hooks;
    child->open_handles = 2;
    uv_pipe_init(loop, &child->pipe, 0);
    child->pipe.data = child;
    child->process.data = child;

    char *args[] = {"tidegate", (char *)command, (char *)label, NULL};
    uv_stdio_container_t stdio[5] = {
        {.flags = UV_INHERIT_FD, .data.fd = 0},
        {.flags = UV_INHERIT_FD, .data.fd = 1},
        {.flags = UV_INHERIT_FD, .data.fd = 2},
        {.flags = UV_CREATE_PIPE | UV_READABLE_PIPE | UV_WRITABLE_PIPE,
         .data.stream = (uv_stream_t *)&child->pipe},
        {.flags = page_fd >= 0 ? UV_INHERIT_FD : UV_IGNORE, .data.fd = page_fd},
    };
    uv_process_options_t options = {
        .exit_cb = on_process_exit,
        .file = exe,
        .args = args,
        .stdio = stdio,
        .stdio_count = page_fd >= 0 ? 5 : 4,
    };
    int rc = uv_spawn(loop, &child->process, &options);
    if (rc != 0) {
        tg_err_set(err, TG_ERR_IO, "cannot start the process `%s %s`: %s", exe,
                   command, uv_strerror(rc));
        close_handles(child);
        return NULL;
    }
    uv_read_start((uv_stream_t *)&child->pipe, alloc_read, on_read);
    return child;
}

static void on_written(uv_write_t *req, int status)
{
    write_req *w = (write_req *)req;
    (void)status; /* a broken pipe is followed by the exit */
    tg_buf_fini(&w->bytes);
    tg_free(w);
}

void tg__child_send(tg_child *child, json_t *msg)
{
    uv_stream_t *stream = (uv_stream_t *)&child->pipe;
    if (child->gone || !uv_is_writable(stream)) {
        json_decref(msg);
        return;
    }
    write_req *w = tg_calloc(sizeof *w);
    tg_frame_encode(&w->bytes, msg);
    json_decref(msg);
    uv_buf_t buf = uv_buf_init(w->bytes.p, (unsigned)w->bytes.len);
    if (uv_write(&w->req, stream, &buf, 1, on_written) != 0) {
        tg_buf_fini(&w->bytes);
        tg_free(w);
    } else if (uv_stream_get_write_queue_size(stream) > QUEUE_MAX)
        tg__child_kill(child, SIGKILL, "it does not read its messages");
}

void tg__child_kill(tg_child *child, int signal, const char *fault)
{
    if (child->gone)
        return;
    if (fault && !child->fault)
        child->fault = fault;
    uv_process_kill(&child->process, signal);
}

void tg__child_check(tg_child *child)
{
    if (child->eof_ns && (int64_t)uv_hrtime() - child->eof_ns > EOF_MAX_NS)
        tg__child_kill(child, SIGKILL, "it closed its socket to the worker");
}

int tg__child_pid(const tg_child *child)
{
    return child->process.pid;
}
