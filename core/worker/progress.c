/*
 * A line a second per connector, for a person who watches: how many records,
 * how fast, how far behind, and whom it waits for. A connector that is idle and
 * was so at the last line is left out.
 *
 * Owner thread only.
 */
#include "worker/internal.h"
#include "base/log.h"

#include <stdio.h>
#include <unistd.h>

/* 1234567 -> "1,234,567". */
static const char *grouped(int64_t v, char *out, size_t size)
{
    char digits[32];
    int n = snprintf(digits, sizeof digits, "%lld", (long long)v), at = 0;
    for (int i = 0; i < n && at + 2 < (int)size; i++) {
        if (i && digits[i - 1] != '-' && (n - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = 0;
    return out;
}

static const char *size_text(double bytes, char *out, size_t size)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    int u = 0;
    while (bytes >= 1000 && u < 4) {
        bytes /= 1000;
        u++;
    }
    snprintf(out, size, u && bytes < 10 ? "%.1f %s" : "%.0f %s", bytes,
             units[u]);
    return out;
}

typedef struct sums {
    int64_t records, bytes, new_records, new_bytes, in_flight, lag;
    int running, failed;
    char waits[300];
} sums;

static void add_task(sums *s, tg_run_task *task)
{
    s->running += task->state == TG_STATE_RUNNING;
    s->failed += task->state == TG_STATE_FAILED;
    if (!task->page)
        return;
    int64_t records = tg_page_get(task->page->records_out);
    int64_t bytes = tg_page_get(task->page->bytes_out);
    int64_t lag = tg_page_get(task->page->lag);
    int64_t in_flight = tg_page_get(task->page->in_flight);
    s->records += records;
    s->bytes += bytes;
    s->new_records += records - task->seen_records;
    s->new_bytes += bytes - task->seen_bytes;
    s->in_flight += in_flight;
    s->lag += lag > 0 ? lag : 0;
    if (task->connector->worker->embedded && tg__task_is_source(task) &&
        records == task->seen_records && (in_flight > 0 || lag != 0))
        tg__embedded_waits_for(task, s->waits, sizeof s->waits);
    task->seen_records = records;
    task->seen_bytes = bytes;
}

static void line(tg_connector *c)
{
    char records[48], rate[48], bytes[48], speed[48], lag[48], text[1024];
    sums s = {0};
    for (int i = 0; i < c->n_tasks; i++)
        add_task(&s, c->tasks[i]);
    bool idle = s.new_records == 0 && !s.waits[0];
    if (idle && c->was_idle && c->was_failed == s.failed)
        return;
    c->was_idle = idle;
    c->was_failed = s.failed;
    int n = snprintf(
        text, sizeof text, "%-20s %-7s %12s records %9s  %11s/s %9s/s  lag %s",
        c->name, s.failed ? "FAILED" : tg_state_name(c->state),
        grouped(s.records, records, sizeof records),
        size_text((double)s.bytes, bytes, sizeof bytes),
        grouped(s.new_records, rate, sizeof rate),
        size_text((double)s.new_bytes, speed, sizeof speed),
        c->type == TG_SINK ? grouped(s.lag, lag, sizeof lag)
                           : size_text((double)s.lag, lag, sizeof lag));
    if (n > 0 && (size_t)n < sizeof text && s.waits[0])
        snprintf(text + n, sizeof text - (size_t)n, "  waits for %s", s.waits);
    else if (n > 0 && (size_t)n < sizeof text && s.failed)
        snprintf(text + n, sizeof text - (size_t)n, "  %d of %d tasks FAILED",
                 s.failed, c->n_tasks);
    if (!tg_log_can_write(STDOUT_FILENO, 0))
        return; /* nobody looks */
    puts(text);
    fflush(stdout);
}

void tg__progress(tg_worker *worker)
{
    for (int i = 0; i < worker->n_connectors && !worker->stopping; i++)
        if (worker->connectors[i]->tasks)
            line(worker->connectors[i]);
}
