/*
 * Frames: 4-byte big-endian length, then that many bytes of compact JSON. The
 * reader keeps what came in a tg_buf and takes whole frames off its front; a
 * partial frame waits for the rest.
 *
 * Any thread; a descriptor's writer and reader are one thread each.
 */
#include "base/frame.h"
#include <errno.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

enum { HEAD = 4, FILL = 64 * 1024 };

static int dump_to_buf(const char *p, size_t n, void *buf)
{
    tg_buf_add(buf, p, n);
    return 0;
}

void tg_frame_encode(tg_buf *out, const json_t *msg)
{
    size_t start = out->len;
    size_t n;
    unsigned char *head;

    tg_buf_room(out, HEAD);
    out->len += HEAD;
    json_dump_callback(msg, dump_to_buf, out, JSON_COMPACT | JSON_ENCODE_ANY);
    n = out->len - start - HEAD;
    head = (unsigned char *)out->p + start;
    head[0] = (unsigned char)(n >> 24);
    head[1] = (unsigned char)(n >> 16);
    head[2] = (unsigned char)(n >> 8);
    head[3] = (unsigned char)n;
}

/* A JSON object with a string "op", or NULL. */
static json_t *parse_body(const char *p, size_t n, tg_err *err)
{
    json_error_t why;
    json_t *msg = json_loadb(p, n, JSON_ALLOW_NUL, &why);

    if (!msg) {
        tg_err_set(err, TG_ERR_DATA,
                   "a message between processes is no JSON object (byte %d of "
                   "%zu): %s",
                   why.position, n, why.text);
        return NULL;
    }
    if (!json_is_object(msg) || !json_is_string(json_object_get(msg, "op"))) {
        tg_err_set(err, TG_ERR_DATA,
                   "a message between processes has no \"op\": %.*s",
                   n > 100 ? 100 : (int)n, p);
        json_decref(msg);
        return NULL;
    }
    return msg;
}

int tg_frame_decode(tg_buf *in, json_t **msg, tg_err *err)
{
    const unsigned char *p = (const unsigned char *)in->p;
    size_t n;

    *msg = NULL;
    if (in->len < HEAD)
        return 0;
    n = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    if (n > TG_FRAME_MAX)
        return tg_err_set(err, TG_ERR_DATA,
                          "a message between processes claims %zu bytes; at "
                          "most %d are allowed",
                          n, TG_FRAME_MAX);
    if (in->len - HEAD < n)
        return 0;
    *msg = parse_body(in->p + HEAD, n, err);
    if (!*msg)
        return TG_ERR_DATA;
    in->len -= HEAD + n;
    if (in->len > 0)
        memmove(in->p, in->p + HEAD + n, in->len);
    return 1;
}

/* Waits until fd is ready. 1, 0 on time-out, TG_ERR_IO. A signal does not make
 * the wait longer. */
static int wait_for(int fd, short events, int timeout_ms, tg_err *err)
{
    struct pollfd pfd = {.fd = fd, .events = events};
    struct timespec now;
    int64_t end = 0;
    int left = timeout_ms;

    if (timeout_ms > 0) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        end = now.tv_sec * 1000 + now.tv_nsec / 1000000 + timeout_ms;
    }
    for (;;) {
        int n = poll(&pfd, 1, left);
        if (n >= 0)
            return n > 0;
        if (errno != EINTR)
            return tg_err_set(err, TG_ERR_IO,
                              "cannot wait for descriptor %d: %s", fd,
                              strerror(errno));
        if (timeout_ms > 0) {
            clock_gettime(CLOCK_MONOTONIC, &now);
            left = (int)(end - now.tv_sec * 1000 - now.tv_nsec / 1000000);
            if (left < 0)
                left = 0;
        }
    }
}

static int write_all(int fd, const char *p, size_t n, tg_err *err)
{
    while (n > 0) {
        ssize_t done = write(fd, p, n);
        if (done >= 0) {
            p += done;
            n -= (size_t)done;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            int status = wait_for(fd, POLLOUT, -1, err);
            if (status < 0)
                return status;
        } else if (errno == EPIPE || errno == ECONNRESET) {
            return tg_err_set(err, TG_ERR_STOPPED,
                              "the other process has closed descriptor %d", fd);
        } else if (errno != EINTR) {
            return tg_err_set(err, TG_ERR_IO,
                              "cannot write %zu bytes to descriptor %d: %s", n,
                              fd, strerror(errno));
        }
    }
    return TG_OK;
}

int tg_frame_write(int fd, const json_t *msg, tg_err *err)
{
    tg_buf out = {0};
    int status;

    tg_frame_encode(&out, msg);
    if (out.len - HEAD > TG_FRAME_MAX)
        status = tg_err_set(err, TG_ERR_LIMIT,
                            "message \"%s\" has %zu bytes; at most %d can be "
                            "sent between processes",
                            json_string_value(json_object_get(msg, "op")),
                            out.len - HEAD, TG_FRAME_MAX);
    else
        status = write_all(fd, out.p, out.len, err);
    tg_buf_fini(&out);
    return status;
}

int tg_frame_fill(int fd, tg_buf *in, int timeout_ms, tg_err *err)
{
    for (;;) {
        int status = wait_for(fd, POLLIN, timeout_ms, err);
        ssize_t n;

        if (status <= 0)
            return status;
        n = read(fd, tg_buf_room(in, FILL), FILL);
        if (n > 0) {
            in->len += (size_t)n;
            return 1;
        }
        if (n == 0 || errno == ECONNRESET)
            return tg_err_set(err, TG_ERR_STOPPED,
                              "the other process has closed descriptor %d", fd);
        if (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)
            return tg_err_set(err, TG_ERR_IO,
                              "cannot read from descriptor %d: %s", fd,
                              strerror(errno));
    }
}
