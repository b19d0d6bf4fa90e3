/*
 * The shared page, between two processes and two threads.
 * labels: tsan
 */
#include "unit.h"
#include "base/page.h"
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

static void a_child_writes_and_we_read(void **state)
{
    tg_err err = {0};
    tg_page *page;
    int fd, status;
    pid_t pid;

    (void)state;
    page = tg_page_new(&fd, &err);
    assert_non_null(page);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(tg_page_get(page->records_in), 0);
    pid = fork();
    if (pid == 0) {
        tg_page *mine = tg_page_map(fd, NULL);
        if (!mine)
            _exit(1);
        tg_page_add(mine->records_in, 40);
        tg_page_add(mine->records_in, 2);
        tg_page_set(mine->at, TG_AT_PUT);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    assert_int_equal(tg_page_get(page->records_in), 42);
    assert_int_equal(tg_page_get(page->at), TG_AT_PUT);
    /* Nobody can shrink it under us. */
    assert_int_equal(ftruncate(fd, 0), -1);
    tg_page_unmap(page);
    tg_page_unmap(NULL);
    close(fd);
}

static void what_is_no_page_is_refused(void **state)
{
    tg_err err = {0};
    int pipes[2];
    int memfd;

    (void)state;
    assert_null(tg_page_map(999, &err));
    assert_has(err.text, "descriptor 999");
    assert_int_equal(pipe(pipes), 0);
    assert_null(tg_page_map(pipes[0], &err));
    assert_int_equal(err.code, TG_ERR_IO);
    close(pipes[0]);
    close(pipes[1]);
    memfd = memfd_create("x", 0);
    assert_int_equal(ftruncate(memfd, 100), 0);
    assert_null(tg_page_map(memfd, &err));
    assert_int_equal(ftruncate(memfd, TG_PAGE_SIZE), 0);
    assert_null(tg_page_map(memfd, &err));
    assert_int_equal(err.code, TG_ERR_STATE);
    assert_has(err.text, "ABI 0");
    close(memfd);
}

static void *count(void *arg)
{
    tg_page *page = arg;
    int i;

    for (i = 0; i < 100000; i++)
        tg_page_add(page->records_out, 1);
    return NULL;
}

static void counters_are_atomic(void **state)
{
    pthread_t threads[2];
    int64_t seen = 0;
    tg_page *page;
    int fd;

    (void)state;
    page = tg_page_new(&fd, NULL);
    assert_non_null(page);
    pthread_create(&threads[0], NULL, count, page);
    pthread_create(&threads[1], NULL, count, page);
    while (seen < 200000) {
        int64_t now = tg_page_get(page->records_out);
        assert_true(now >= seen);
        seen = now;
    }
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    assert_int_equal(seen, 200000);
    tg_page_unmap(page);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_writes_and_we_read),
        cmocka_unit_test(what_is_no_page_is_refused),
        cmocka_unit_test(counters_are_atomic),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
