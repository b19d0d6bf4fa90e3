/*
 * Log lines: the format, long lines, one write a line.
 * labels: tsan
 */
#include "unit.h"
#include "base/log.h"
#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>
#include <regex.h>
#include <stdio.h>

/* Runs fn with standard error in a file; returns what was written. */
static char *captured(void (*fn)(void))
{
    FILE *f = tmpfile();
    int saved = dup(2);
    char *text;
    long size;

    assert_non_null(f);
    dup2(fileno(f), 2);
    fn();
    dup2(saved, 2);
    close(saved);
    fseek(f, 0, SEEK_END);
    size = ftell(f);
    rewind(f);
    text = tg_calloc((size_t)size + 1);
    assert_int_equal(fread(text, 1, (size_t)size, f), size);
    fclose(f);
    return text;
}

static void matches(const char *text, const char *pattern)
{
    regex_t re;

    assert_int_equal(regcomp(&re, pattern, REG_EXTENDED), 0);
    if (regexec(&re, text, 0, NULL, 0) != 0)
        fail_msg("\"%s\" does not match %s", text, pattern);
    regfree(&re);
}

#define STAMP "^\\[[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8},[0-9]{3}\\] "

static void some_line(void)
{
    errno = ENOENT;
    tg_info("worker", "%d records: %m", 5);
    assert_int_equal(errno, ENOENT);
}

static void no_module(void)
{
    tg_log_write(TG_LOG_ERROR, NULL, "x");
}

static void hidden(void)
{
    tg_debug("x", "not shown");
}

static void long_line(void)
{
    char text[9001];

    memset(text, 'y', 9000);
    text[9000] = '\0';
    tg_warn("m", "%s|%s", text, "end");
}

static void format(void **state)
{
    char *s;

    (void)state;
    tg_log_context(NULL);
    s = captured(some_line);
    matches(s, STAMP "INFO 5 records: No such file or directory "
                     "\\(worker\\)\n$");
    tg_free(s);
    tg_log_context("src|task-0");
    s = captured(some_line);
    matches(s, STAMP "INFO \\[src\\|task-0\\] 5 records: .*\\(worker\\)\n$");
    tg_free(s);
    s = captured(no_module);
    matches(s, STAMP "ERROR \\[src\\|task-0\\] x\n$");
    tg_free(s);
    s = captured(hidden);
    assert_string_equal(s, "");
    tg_free(s);
    s = captured(long_line);
    matches(s, STAMP "WARN \\[src\\|task-0\\] y+\\|end \\(m\\)\n$");
    assert_true(strlen(s) > 9000);
    tg_free(s);
}

static void every_length(void)
{
    int n;

    for (n = 1900; n < 2100; n++)
        tg_info("mod", "%*d", n, 1);
}

/* Around the size of the buffer nothing is cut. */
static void no_length_is_special(void **state)
{
    int lines = 0;
    char *p, *s;

    (void)state;
    tg_log_context("c");
    s = captured(every_length);
    for (p = s; *p; lines++) {
        char *end = strchr(p, '\n');
        assert_non_null(end);
        *end = '\0';
        matches(p, STAMP "INFO \\[c\\] +1 \\(mod\\)$");
        p = end + 1;
    }
    assert_int_equal(lines, 200);
    tg_free(s);
}

static void levels(void **state)
{
    (void)state;
    assert_int_equal(tg_log_level_parse("warn"), TG_LOG_WARN);
    assert_int_equal(tg_log_level_parse("TRACE"), TG_LOG_TRACE);
    assert_int_equal(tg_log_level_parse("Off"), TG_LOG_OFF);
    assert_int_equal(tg_log_level_parse("loud"), -1);
    assert_int_equal(tg_log_level_parse(""), -1);
    assert_int_equal(tg_log_level_parse(NULL), -1);
    assert_string_equal(tg_log_level_name(TG_LOG_FATAL), "FATAL");
    assert_string_equal(tg_log_level_name(99), "UNKNOWN");
}

static int64_t ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Lines into a pipe that nobody reads are dropped, and counted once it is read
 * again. Nothing waits. */
static void blocked_pipe(void **state)
{
    int saved = dup(2), fd[2];
    char *text = tg_alloc(1 << 17);
    ssize_t n, len = 0;
    int64_t began;

    (void)state;
    tg_log_context(NULL);
    assert_int_equal(pipe(fd), 0);
    dup2(fd[1], 2);
    close(fd[1]);
    began = ms();
    for (int i = 0; i < 5000; i++)
        tg_info("m", "line %d", i);
    assert_true(ms() - began < 3000);
    fcntl(fd[0], F_SETFL, O_NONBLOCK);
    while ((n = read(fd[0], text, 1 << 16)) > 0)
        ;
    tg_info("m", "goes on");
    dup2(saved, 2);
    close(saved);
    while ((n = read(fd[0], text + len, 1 << 16)) > 0)
        len += n;
    text[len] = '\0';
    matches(text, STAMP "WARN [0-9]+ lines of the log were dropped: .*"
                        "INFO goes on \\(m\\)\n$");
    close(fd[0]);
    tg_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(format),
        cmocka_unit_test(no_length_is_special),
        cmocka_unit_test(levels),
        cmocka_unit_test(blocked_pipe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
