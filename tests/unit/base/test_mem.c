/* Buffers and arenas: growth, limits, reuse, poisoning. */
#include "unit.h"
#include "base/mem.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void strings(void **state)
{
    char *s = tg_strndup("hello", 3);

    (void)state;
    assert_string_equal(s, "hel");
    tg_free(s);
    s = tg_strndup("ab\0cd", 5);
    assert_string_equal(s, "ab");
    tg_free(s);
    assert_null(tg_strdup(NULL));
    s = tg_sprintf("%s-%d", "x", 7);
    assert_string_equal(s, "x-7");
    tg_free(s);
    tg_free(NULL);
    s = tg_calloc(0);
    assert_non_null(s);
    tg_free(s);
}

static void buffer_grows(void **state)
{
    tg_buf b = {0};
    char *text;
    size_t i;

    (void)state;
    tg_buf_add(&b, NULL, 0);
    assert_string_equal(tg_buf_cstr(&b), "");
    for (i = 0; i < 10000; i++)
        tg_buf_printf(&b, "%zu,", i);
    tg_buf_str(&b, "end");
    assert_int_equal(strlen(tg_buf_cstr(&b)), b.len);
    assert_memory_equal(b.p, "0,1,2,", 6);
    assert_string_equal(b.p + b.len - 8, "9999,end");
    /* The NUL is not counted, and room never moves the end. */
    i = b.len;
    tg_buf_room(&b, 100000);
    assert_int_equal(b.len, i);
    text = tg_buf_steal(&b);
    assert_int_equal(strlen(text), i);
    assert_null(b.p);
    assert_int_equal(b.len + b.cap, 0);
    tg_free(text);
    text = tg_buf_steal(&b);
    assert_string_equal(text, "");
    tg_free(text);
    tg_buf_fini(&b);
}

static void buffer_prints_every_length(void **state)
{
    size_t n;

    (void)state;
    for (n = 0; n < 300; n++) {
        tg_buf b = {0};
        tg_buf_printf(&b, "%*s|", (int)n, "x");
        assert_int_equal(b.len, (n ? n : 1) + 1);
        assert_string_equal(tg_buf_cstr(&b) + b.len - 2, "x|");
        tg_buf_fini(&b);
    }
}

static void buffer_prints_long_lines(void **state)
{
    static char big[5000];
    tg_buf b = {0};

    (void)state;
    memset(big, 'x', sizeof big - 1);
    tg_buf_str(&b, "a");
    tg_buf_printf(&b, "%s|%d", big, 5);
    assert_int_equal(b.len, 1 + sizeof big - 1 + 2);
    assert_string_equal(tg_buf_cstr(&b) + b.len - 2, "|5");
    tg_buf_fini(&b);
}

/* Allocates sizes from a small generator and checks that none overlap. */
static void fill_and_check(tg_arena *a, unsigned seed)
{
    enum { N = 3000 };
    static unsigned char *p[N];
    static size_t size[N];
    size_t total = 0;
    size_t i, j;

    for (i = 0; i < N; i++) {
        seed = seed * 1103515245 + 12345;
        size[i] = seed >> 16 & 0xff;
        if (i % 100 == 0)
            size[i] = seed >> 12 & 0x3ffff;
        p[i] = tg_arena_alloc(a, size[i]);
        assert_non_null(p[i]);
        assert_int_equal((uintptr_t)p[i] % 8, 0);
        memset(p[i], (int)(i & 0xff), size[i]);
        total += size[i];
    }
    for (i = 0; i < N; i++)
        for (j = 0; j < size[i]; j++)
            if (p[i][j] != (i & 0xff))
                fail_msg("allocation %zu was overwritten at %zu", i, j);
    assert_true(tg_arena_size(a) >= total);
}

static void arena_keeps_allocations_apart(void **state)
{
    tg_arena a;
    unsigned round;

    (void)state;
    tg_arena_init(&a, 0);
    assert_int_equal(tg_arena_size(&a), 0);
    for (round = 1; round < 6; round++) {
        fill_and_check(&a, round * 77);
        tg_arena_reset(&a);
        assert_int_equal(tg_arena_size(&a), 0);
    }
    tg_arena_fini(&a);
    /* Usable again after fini, as after init. */
    assert_non_null(tg_arena_alloc(&a, 1));
    tg_arena_fini(&a);
}

static void arena_empty_allocation_is_no_failure(void **state)
{
    tg_arena a;

    (void)state;
    tg_arena_init(&a, 0);
    assert_non_null(tg_arena_dup(&a, NULL, 0));
    assert_memory_equal(tg_arena_dup(&a, "abc", 4), "abc", 4);
    tg_arena_fini(&a);
}

static void arena_has_a_limit(void **state)
{
    enum { LIMIT = 300 * 1024 };
    tg_arena a;
    size_t got;
    int round;

    (void)state;
    tg_arena_init(&a, LIMIT);
    for (round = 0; round < 3; round++) {
        assert_null(tg_arena_alloc(&a, LIMIT + 1));
        for (got = 0; tg_arena_alloc(&a, 1000); got += 1000)
            assert_true(got <= LIMIT);
        assert_true(got >= LIMIT * 9 / 10);
        assert_true(tg_arena_size(&a) <= LIMIT);
        tg_arena_reset(&a);
    }
    /* One big one, then what is left. */
    assert_non_null(tg_arena_alloc(&a, 200 * 1024));
    for (got = 0; tg_arena_alloc(&a, 1000); got += 1000)
        assert_true(tg_arena_size(&a) <= LIMIT);
    assert_true(got >= 80 * 1024);
    assert_null(tg_arena_alloc(&a, (size_t)-64));
    tg_arena_fini(&a);
}

static void arena_big_one_leaves_the_chunk(void **state)
{
    tg_arena a;
    char *first, *second;

    (void)state;
    tg_arena_init(&a, 0);
    first = tg_arena_alloc(&a, 16);
    assert_non_null(tg_arena_alloc(&a, 5 * 1024 * 1024));
    second = tg_arena_alloc(&a, 16);
    assert_true(second > first && second - first < 100);
    assert_in_range(tg_arena_size(&a), 5 * 1024 * 1024 + 32,
                    5 * 1024 * 1024 + 100);
    tg_arena_fini(&a);
}

static void arena_reset_reuses_memory(void **state)
{
    tg_arena a;
    char *first;
    int i;

    (void)state;
    tg_arena_init(&a, 0);
    first = tg_arena_alloc(&a, 100);
    tg_arena_reset(&a);
    assert_ptr_equal(tg_arena_alloc(&a, 100), first);
    /* A batch of some megabytes leaves one chunk of at most one. */
    for (i = 0; i < 4000; i++)
        tg_arena_alloc(&a, 2000);
    tg_arena_reset(&a);
    for (i = 0; i < 400; i++)
        assert_non_null(tg_arena_alloc(&a, 2000));
    assert_non_null(a.chunks);
    tg_arena_fini(&a);
}

#ifdef TG_POISON
/* What happens to a process that reads p: true if it dies. */
static int dies_reading(const volatile char *p)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        close(2);
        signal(SIGSEGV, SIG_DFL);
        _exit((unsigned char)*p == 0xDD ? 99 : 0);
    }
    waitpid(pid, &status, 0);
    return !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void arena_poisons_what_is_reset(void **state)
{
    tg_arena a;
    char *small, *big;

    (void)state;
    tg_arena_init(&a, 0);
    small = tg_arena_dup(&a, "small", 6);
    big = tg_arena_alloc(&a, 3 * 1024 * 1024);
    memset(big, 0, 100);
    assert_false(dies_reading(small));
    tg_arena_reset(&a);
    assert_true(dies_reading(small));
    assert_true(dies_reading(big));
    tg_arena_fini(&a);
}
#endif

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static void no_memory_ends_with_a_line(void **state)
{
    char line[200] = "";
    int pipes[2];
    int status;
    pid_t pid;

    (void)state;
    assert_int_equal(pipe(pipes), 0);
    pid = fork();
    if (pid == 0) {
        struct rlimit limit = {512 << 20, 512 << 20};
        setrlimit(RLIMIT_AS, &limit);
        dup2(pipes[1], 2);
        tg_alloc((size_t)4 << 30);
        _exit(0);
    }
    close(pipes[1]);
    assert_true(read(pipes[0], line, sizeof line - 1) > 0);
    close(pipes[0]);
    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), TG_EXIT_MEMORY);
    assert_has(line, "out of memory");
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings),
        cmocka_unit_test(buffer_grows),
        cmocka_unit_test(buffer_prints_every_length),
        cmocka_unit_test(buffer_prints_long_lines),
        cmocka_unit_test(arena_keeps_allocations_apart),
        cmocka_unit_test(arena_empty_allocation_is_no_failure),
        cmocka_unit_test(arena_has_a_limit),
        cmocka_unit_test(arena_big_one_leaves_the_chunk),
        cmocka_unit_test(arena_reset_reuses_memory),
#ifdef TG_POISON
        cmocka_unit_test(arena_poisons_what_is_reset),
#endif
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        cmocka_unit_test(no_memory_ends_with_a_line),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
