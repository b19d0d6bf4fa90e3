/*
 * The log: a line is formatted on the stack and leaves in one write(2), so that
 * lines of several threads and processes that share standard error never mix.
 * A line longer than the buffer goes through the heap, whole. Line breaks in
 * the text are kept: Kafka Connect prints stack traces the same way.
 *
 * A pipe that nobody reads must stop neither the supervisor nor a task, so the
 * descriptor is polled before a write. It is shared with other processes and
 * stays blocking: one of them may be quicker to the last free page, which is
 * the one case left where a line waits.
 *
 * Any thread. The context is set before threads start.
 */
#include "base/log.h"
#include "base/mem.h"
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

int tg_log_level = TG_LOG_INFO;

static char log_context[256];
static const char *const names[] = {"TRACE", "DEBUG", "INFO", "WARN",
                                    "ERROR", "FATAL", "OFF"};

enum { LEVELS = sizeof names / sizeof names[0] };

/* What a pipe takes at once when it takes anything; how long a line waits for
 * that while none has been dropped. */
enum { PIECE = 4096, PATIENCE_MS = 200 };

static _Atomic int dropped; /* lines since the last one that got through */

void tg_log_context(const char *context)
{
    snprintf(log_context, sizeof log_context, "%s", context ? context : "");
}

int tg_log_level_parse(const char *text)
{
    int i;

    if (!text)
        return -1;
    for (i = 0; i < LEVELS; i++)
        if (strcasecmp(text, names[i]) == 0)
            return i;
    return -1;
}

const char *tg_log_level_name(int level)
{
    if (level < 0 || level >= LEVELS)
        return "UNKNOWN";
    return names[level];
}

/* "[time] LEVEL [context] " into line. Returns its length. */
static size_t put_head(char *line, size_t cap, int level)
{
    struct timespec now;
    struct tm tm;
    size_t len;
    int n;

    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &tm);
    len = strftime(line, cap, "[%Y-%m-%d %H:%M:%S", &tm);
    n = snprintf(line + len, cap - len, ",%03d] %s %s%s%s",
                 (int)(now.tv_nsec / 1000000), tg_log_level_name(level),
                 log_context[0] ? "[" : "", log_context,
                 log_context[0] ? "] " : "");
    return n > 0 ? len + (size_t)n : len;
}

bool tg_log_can_write(int fd, int wait_ms)
{
    struct pollfd pfd = {.fd = fd, .events = POLLOUT};
    int n;

    do
        n = poll(&pfd, 1, wait_ms);
    while (n < 0 && errno == EINTR);
    return n != 0;
}

/* False when nobody takes it. */
static bool write_all(const char *p, size_t n, int wait_ms)
{
    while (n > 0) {
        ssize_t done;
        if (!tg_log_can_write(STDERR_FILENO, wait_ms))
            return false;
        done = write(STDERR_FILENO, p, n < PIECE ? n : PIECE);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return true;
        p += done;
        n -= (size_t)done;
    }
    return true;
}

static size_t put_head(char *line, size_t cap, int level);

static void write_line(const char *p, size_t n)
{
    int lost = atomic_load(&dropped);
    char note[512];
    size_t len;

    if (lost > 0) {
        len = put_head(note, sizeof note, TG_LOG_WARN);
        len += (size_t)snprintf(note + len, sizeof note - len,
                                "%d lines of the log were dropped: nobody read "
                                "standard error (log)\n",
                                lost);
        if (!write_all(note, len, 0)) {
            atomic_fetch_add(&dropped, 1);
            return;
        }
        atomic_fetch_sub(&dropped, lost);
    }
    if (!write_all(p, n, lost > 0 ? 0 : PATIENCE_MS))
        atomic_fetch_add(&dropped, 1);
}

void tg_log_write(int level, const char *module, const char *fmt, ...)
{
    char line[2048];
    char *p = line;
    char *big = NULL;
    int saved = errno;
    size_t head = put_head(line, sizeof line, level);
    size_t mod = module ? strlen(module) + 4 : 1;
    size_t len;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(line + head, sizeof line - head, fmt, ap);
    va_end(ap);
    if (n < 0)
        n = 0;
    len = head + (size_t)n;
    if (len + mod + 1 > sizeof line) {
        big = tg_alloc(len + mod + 1);
        memcpy(big, line, head);
        errno = saved;
        va_start(ap, fmt);
        vsnprintf(big + head, (size_t)n + 1, fmt, ap);
        va_end(ap);
        p = big;
    }
    if (module)
        snprintf(p + len, mod + 1, " (%s)\n", module);
    else
        memcpy(p + len, "\n", 2);
    write_line(p, len + mod);
    tg_free(big);
    errno = saved;
}
