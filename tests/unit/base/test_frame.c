/*
 * Frames: any cut of the stream, limits, rubbish, closed ends.
 * labels: tsan
 */
#include "unit.h"
#include "base/frame.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

static void any_cut_is_fine(void **state)
{
    json_t *msg =
        json_pack("{s:s,s:[s,i]}", "op", "status", "a", "\xc3\xa9", 5);
    tg_buf stream = {0};
    size_t step, i;

    (void)state;
    for (i = 0; i < 5; i++)
        tg_frame_encode(&stream, msg);
    for (step = 1; step <= stream.len; step++) {
        tg_buf in = {0};
        int frames = 0;
        for (i = 0; i < stream.len; i += step) {
            size_t n = stream.len - i < step ? stream.len - i : step;
            json_t *got;
            int status;
            tg_buf_add(&in, stream.p + i, n);
            while ((status = tg_frame_decode(&in, &got, NULL)) == 1) {
                assert_true(json_equal(got, msg));
                json_decref(got);
                frames++;
            }
            assert_int_equal(status, 0);
            assert_null(got);
        }
        assert_int_equal(frames, 5);
        assert_int_equal(in.len, 0);
        tg_buf_fini(&in);
    }
    tg_buf_fini(&stream);
    json_decref(msg);
}

static void rubbish(const char *bytes, size_t n, const char *want)
{
    tg_buf in = {0};
    json_t *msg;
    tg_err err;

    tg_buf_add(&in, bytes, n);
    assert_int_equal(tg_frame_decode(&in, &msg, &err), TG_ERR_DATA);
    assert_null(msg);
    assert_has(err.text, want);
    tg_buf_fini(&in);
}

static void rubbish_is_named(void **state)
{
    (void)state;
    rubbish("\0\0\0\1x", 5, "no JSON");
    rubbish("\0\0\0\0", 4, "no JSON");
    rubbish("\0\0\0\2[]", 6, "no \"op\"");
    rubbish("\0\0\0\2{}", 6, "no \"op\"");
    rubbish("\0\0\0\10{\"op\":1}", 12, "no \"op\"");
    rubbish("\xff\xff\xff\xff", 4, "4294967295 bytes");
    rubbish("GET / HTTP/1.1", 14, "bytes; at most");
}

typedef struct sender {
    int fd;
    int count;
    int status;
} sender;

static void *send_all(void *arg)
{
    sender *s = arg;
    json_t *msg = json_object();
    char *text = malloc(300001);
    int i;

    memset(text, 'x', 300000);
    text[300000] = '\0';
    json_object_set_new(msg, "op", json_string("big"));
    json_object_set_new(msg, "text", json_string(text));
    free(text);
    for (i = 0; i < s->count && s->status == TG_OK; i++) {
        json_object_set_new(msg, "i", json_integer(i));
        s->status = tg_frame_write(s->fd, msg, NULL);
    }
    json_decref(msg);
    shutdown(s->fd, SHUT_WR);
    return NULL;
}

/* More than a socket buffer holds, over a non-blocking socket. */
static void through_a_socket(void **state)
{
    sender s = {.count = 20};
    tg_buf in = {0};
    pthread_t thread;
    tg_err err = {0};
    json_t *msg;
    int fds[2];
    int next = 0;
    int status;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    fcntl(fds[1], F_SETFL, O_NONBLOCK);
    assert_int_equal(tg_frame_fill(fds[1], &in, 0, &err), 0);
    assert_int_equal(tg_frame_fill(fds[1], &in, 10, &err), 0);
    s.fd = fds[0];
    pthread_create(&thread, NULL, send_all, &s);
    while ((status = tg_frame_fill(fds[1], &in, -1, &err)) == 1) {
        while ((status = tg_frame_decode(&in, &msg, &err)) == 1) {
            assert_int_equal(json_integer_value(json_object_get(msg, "i")),
                             next);
            next++;
            json_decref(msg);
        }
        assert_int_equal(status, 0);
    }
    pthread_join(thread, NULL);
    assert_int_equal(s.status, TG_OK);
    assert_int_equal(status, TG_ERR_STOPPED);
    assert_int_equal(next, 20);
    assert_int_equal(in.len, 0);
    tg_buf_fini(&in);
    close(fds[0]);
    close(fds[1]);
}

static void a_closed_peer_is_told(void **state)
{
    json_t *msg = json_pack("{s:s}", "op", "x");
    tg_err err = {0};
    int fds[2];

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    close(fds[1]);
    assert_int_equal(tg_frame_write(fds[0], msg, &err), TG_ERR_STOPPED);
    close(fds[0]);
    assert_int_equal(tg_frame_write(fds[0], msg, &err), TG_ERR_IO);
    json_decref(msg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_cut_is_fine),
        cmocka_unit_test(rubbish_is_named),
        cmocka_unit_test(through_a_socket),
        cmocka_unit_test(a_closed_peer_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
