/*
 * Prometheus text of the whole worker, read from the shared pages: no task is
 * asked. Two families of names: tidegate_*, and kafka_connect_* as the usual
 * JMX exporter rules call Kafka Connect's own metrics, so that dashboards go
 * on working.
 *
 * Owner thread only.
 */
#include "worker/internal.h"

#include <ctype.h>
#include <stddef.h>
#include <unistd.h>

typedef struct series {
    const char *name, *type, *help;
    size_t field; /* offset of an int64 in the page */
    int kind;     /* TG_SOURCE, TG_SINK, 0: both */
    double scale; /* value times this; 0: as it is */
} series;

#define PAGE(f) offsetof(tg_page, f)

static const series page_series[] = {
    {"tidegate_task_records_in_total", "counter",
     "Records polled from the source or consumed from Kafka.", PAGE(records_in),
     0, 0},
    {"tidegate_task_bytes_in_total", "counter",
     "Bytes of keys and values of those records.", PAGE(bytes_in), 0, 0},
    {"tidegate_task_records_out_total", "counter",
     "Records acknowledged by Kafka or taken by the sink.", PAGE(records_out),
     0, 0},
    {"tidegate_task_bytes_out_total", "counter", "Bytes of those records.",
     PAGE(bytes_out), 0, 0},
    {"tidegate_task_records_filtered_total", "counter",
     "Records dropped by transforms.", PAGE(records_filtered), 0, 0},
    {"tidegate_task_batches_total", "counter", "Batches processed.",
     PAGE(batches), 0, 0},
    {"tidegate_task_in_flight_records", "gauge",
     "Records sent and not acknowledged.", PAGE(in_flight), 0, 0},
    {"tidegate_task_in_flight_bytes", "gauge", "Bytes of those records.",
     PAGE(in_flight_bytes), 0, 0},
    {"tidegate_task_lag", "gauge",
     "Sink: records behind the end of its topics. Source: what the connector "
     "reports, bytes for files. -1: unknown.",
     PAGE(lag), 0, 0},
    {"tidegate_task_last_record_timestamp_seconds", "gauge",
     "When the last record came in.", PAGE(last_record_ms), 0, 1e-3},
    {"tidegate_task_last_commit_timestamp_seconds", "gauge",
     "When offsets were last committed.", PAGE(last_commit_ms), 0, 1e-3},
    {"tidegate_task_commits_total", "counter", "Offset commits.", PAGE(commits),
     0, 0},
    {"tidegate_task_commit_failures_total", "counter",
     "Offset commits that failed.", PAGE(commit_failures), 0, 0},
    {"tidegate_task_script_memory_bytes", "gauge", "Memory held by the Lua VM.",
     PAGE(lua_bytes), 0, 0},
    {"tidegate_task_jit_heals_total", "counter",
     "Loops that fell off the JIT and were compiled anew.", PAGE(jit_heals), 0,
     0},
    {"tidegate_task_reloads_total", "counter", "Scripts reloaded.",
     PAGE(reloads), 0, 0},
    {"tidegate_task_reload_failures_total", "counter",
     "Versions of scripts that were refused.", PAGE(reload_failures), 0, 0},
    {"tidegate_task_timer_failures_total", "counter",
     "Timers of scripts that raised an error.", PAGE(timer_failures), 0, 0},
    {"tidegate_task_script_interrupts_total", "counter",
     "Script calls stopped for taking too long.", PAGE(interrupts), 0, 0},
    {"tidegate_task_decode_seconds_total", "counter", "Time spent decoding.",
     PAGE(ns_decode), 0, 1e-9},
    {"tidegate_task_encode_seconds_total", "counter", "Time spent encoding.",
     PAGE(ns_encode), 0, 1e-9},
    {"tidegate_task_send_seconds_total", "counter",
     "Time spent handing records to Kafka.", PAGE(ns_send), 0, 1e-9},
    {"tidegate_task_poll_seconds_total", "counter", "Time spent in poll.",
     PAGE(ns_poll), 0, 1e-9},
    {"tidegate_task_put_seconds_total", "counter", "Time spent in put.",
     PAGE(ns_put), 0, 1e-9},
    {"kafka_connect_source_task_source_record_poll_total", "counter",
     "Records polled before transforms.", PAGE(records_in), TG_SOURCE, 0},
    {"kafka_connect_source_task_source_record_write_total", "counter",
     "Records written to Kafka.", PAGE(records_out), TG_SOURCE, 0},
    {"kafka_connect_source_task_source_record_active_count", "gauge",
     "Records not yet written.", PAGE(in_flight), TG_SOURCE, 0},
    {"kafka_connect_sink_task_sink_record_read_total", "counter",
     "Records read from Kafka.", PAGE(records_in), TG_SINK, 0},
    {"kafka_connect_sink_task_sink_record_send_total", "counter",
     "Records given to the sink.", PAGE(records_out), TG_SINK, 0},
    {"kafka_connect_sink_task_sink_record_active_count", "gauge",
     "Records read and not yet committed.", PAGE(in_flight), TG_SINK, 0},
    {"kafka_connect_sink_task_offset_commit_completion_total", "counter",
     "Offset commits completed.", PAGE(commits), TG_SINK, 0},
    {"kafka_connect_task_error_total_record_failures", "counter",
     "Failures of records, those that were tried again among them.",
     PAGE(records_failed), 0, 0},
    {"kafka_connect_task_error_total_record_errors", "counter",
     "Records that were given up.", PAGE(record_errors), 0, 0},
    {"kafka_connect_task_error_total_records_skipped", "counter",
     "Records skipped because of errors.", PAGE(records_skipped), 0, 0},
    {"kafka_connect_task_error_total_retries", "counter",
     "Operations tried again.", PAGE(retries), 0, 0},
    {"kafka_connect_task_error_total_errors_logged", "counter",
     "Errors of records that were logged.", PAGE(errors_logged), 0, 0},
    {"kafka_connect_task_error_deadletterqueue_produce_requests", "counter",
     "Records written to the dead-letter topic, or tried to.",
     PAGE(dlq_requests), 0, 0},
    {"kafka_connect_task_error_deadletterqueue_produce_failures", "counter",
     "Records that could not be written to the dead-letter topic.",
     PAGE(dlq_failures), 0, 0},
    {"kafka_connect_task_error_last_error_timestamp", "gauge",
     "When a record last failed, in ms since 1970; 0: never.",
     PAGE(last_error_ms), 0, 0},
};

static void header(tg_buf *out, const char *name, const char *type,
                   const char *help)
{
    tg_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Label value: backslash, quote and newline are escaped. */
static void label(tg_buf *out, const char *name, const char *value)
{
    tg_buf_printf(out, "%s=\"", name);
    for (const char *p = value; *p; p++) {
        if (*p == '\\' || *p == '"')
            tg_buf_add(out, "\\", 1);
        tg_buf_add(out, *p == '\n' ? "\\n" : p, *p == '\n' ? 2 : 1);
    }
    tg_buf_str(out, "\"");
}

static void task_labels(tg_buf *out, const char *name, const tg_run_task *task)
{
    tg_buf_printf(out, "%s{", name);
    label(out, "connector", task->connector->name);
    tg_buf_printf(out, ",task=\"%d\"", task->id);
}

typedef void (*task_fn)(tg_buf *out, const tg_run_task *task, const void *arg);

static void each(tg_worker *w, tg_buf *out, task_fn fn, const void *arg)
{
    for (int i = 0; i < w->n_connectors; i++)
        for (int k = 0; k < w->connectors[i]->n_tasks; k++)
            fn(out, w->connectors[i]->tasks[k], arg);
}

static void page_value(tg_buf *out, const tg_run_task *task, const void *arg)
{
    const series *s = arg;
    if (!task->page || (s->kind && s->kind != task->connector->type))
        return;
    const _Atomic int64_t *at =
        (const _Atomic int64_t *)((const char *)task->page + s->field);
    int64_t v = atomic_load_explicit(at, memory_order_relaxed);
    task_labels(out, s->name, task);
    if (s->scale != 0)
        tg_buf_printf(out, "} %.6f\n", (double)v * s->scale);
    else
        tg_buf_printf(out, "} %lld\n", (long long)v);
}

static void lower(char *out, const char *s)
{
    for (; *s; s++)
        *out++ = (char)tolower((unsigned char)*s);
    *out = 0;
}

static void status_value(tg_buf *out, const tg_run_task *task, const void *arg)
{
    char state[32];
    if (task->state == TG_STATE_NONE)
        return;
    lower(state, tg_state_name(task->state));
    task_labels(out, arg, task);
    tg_buf_printf(out, ",status=\"%s\"} 1\n", state);
}

/* One series a state, so that "FAILED == 1" can be asked for. */
static void state_values(tg_buf *out, const tg_run_task *task, const void *arg)
{
    for (int s = TG_STATE_UNASSIGNED; s < TG_STATE_STOPPED; s++) {
        task_labels(out, arg, task);
        tg_buf_printf(out, ",state=\"%s\"} %d\n", tg_state_name(s),
                      task->state == s);
    }
}

static void start_value(tg_buf *out, const tg_run_task *task, const void *arg)
{
    task_labels(out, arg, task);
    tg_buf_printf(out, "} %llu\n", (unsigned long long)task->starts);
}

static void memory_value(tg_buf *out, const tg_run_task *task, const void *arg)
{
    task_labels(out, arg, task);
    tg_buf_printf(out, "} %lld\n", task->child ? (long long)task->memory : 0LL);
}

static void stage_values(tg_buf *out, const tg_run_task *task, const void *arg)
{
    if (!task->page)
        return;
    for (int s = 0; s < TG_PAGE_STAGES; s++) {
        int64_t n = tg_page_get(task->page->records_stage[s]);
        if (n == 0)
            continue;
        task_labels(out, arg, task);
        tg_buf_printf(out, ",stage=\"%d\"} %.6f\n", s,
                      (double)tg_page_get(task->page->ns_stage[s]) * 1e-9);
    }
}

static void task_series(tg_worker *w, tg_buf *out)
{
    static const struct {
        const char *name, *type, *help;
        task_fn fn;
    } list[] = {
        {"tidegate_task_state", "gauge", "1 for the state the task is in.",
         state_values},
        {"kafka_connect_connector_status", "gauge", "State of a task.",
         status_value},
        {"tidegate_task_starts_total", "counter", "Processes started.",
         start_value},
        {"tidegate_task_memory_bytes", "gauge",
         "Resident memory of the task's process that is not shared.",
         memory_value},
        {"tidegate_task_stage_seconds_total", "counter",
         "Time spent in a transform, by place in the chain.", stage_values},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        header(out, list[i].name, list[i].type, list[i].help);
        each(w, out, list[i].fn, list[i].name);
    }
}

static void worker_series(tg_worker *w, tg_buf *out)
{
    int tasks = 0;
    for (int i = 0; i < w->n_connectors; i++)
        tasks += w->connectors[i]->n_tasks;
    header(out, "tidegate_info", "gauge", "Version of the worker.");
    tg_buf_str(out, "tidegate_info{version=\"" TG_VERSION "\"} 1\n");
    header(out, "tidegate_uptime_seconds", "gauge", "Age of the worker.");
    tg_buf_printf(out, "tidegate_uptime_seconds %.3f\n",
                  (double)(tg__now_ns() - w->started_ns) / 1e9);
    header(out, "tidegate_ready", "gauge", "1 when start-up is complete.");
    tg_buf_printf(out, "tidegate_ready %d\n", w->ready);
    header(out, "tidegate_offset_flush_failures", "gauge",
           "Times in a row that source offsets could not be saved.");
    tg_buf_printf(out, "tidegate_offset_flush_failures %d\n",
                  w->flush_failures);
    header(out, "kafka_connect_worker_connector_count", "gauge",
           "Connectors of this worker.");
    tg_buf_printf(out, "kafka_connect_worker_connector_count %d\n",
                  w->n_connectors);
    header(out, "kafka_connect_worker_task_count", "gauge",
           "Tasks of this worker.");
    tg_buf_printf(out, "kafka_connect_worker_task_count %d\n", tasks);
    header(out, "kafka_connect_worker_task_startup_attempts_total", "counter",
           "Times a task was started.");
    tg_buf_printf(out,
                  "kafka_connect_worker_task_startup_attempts_total %llu\n",
                  (unsigned long long)w->task_startups);
    header(out, "kafka_connect_worker_task_startup_failure_total", "counter",
           "Tasks that failed after their first start.");
    tg_buf_printf(out, "kafka_connect_worker_task_startup_failure_total %llu\n",
                  (unsigned long long)w->task_startup_failures);
}

static void connector_series(tg_worker *w, tg_buf *out)
{
    static const struct {
        const char *name;
        int state;
    } counts[] = {
        {"kafka_connect_worker_connector_running_task_count", TG_STATE_RUNNING},
        {"kafka_connect_worker_connector_paused_task_count", TG_STATE_PAUSED},
        {"kafka_connect_worker_connector_failed_task_count", TG_STATE_FAILED},
        {"kafka_connect_worker_connector_unassigned_task_count",
         TG_STATE_UNASSIGNED},
        {"kafka_connect_worker_connector_restarting_task_count",
         TG_STATE_RESTARTING},
    };
    for (size_t s = 0; s < sizeof counts / sizeof *counts; s++) {
        header(out, counts[s].name, "gauge", "Tasks of a connector by state.");
        for (int i = 0; i < w->n_connectors; i++) {
            int n = 0;
            for (int k = 0; k < w->connectors[i]->n_tasks; k++)
                n += w->connectors[i]->tasks[k]->state == counts[s].state;
            tg_buf_printf(out, "%s{", counts[s].name);
            label(out, "connector", w->connectors[i]->name);
            tg_buf_printf(out, "} %d\n", n);
        }
    }
    header(out, "tidegate_connector_state", "gauge",
           "1 for the state the connector is in.");
    for (int i = 0; i < w->n_connectors; i++)
        for (int s = TG_STATE_UNASSIGNED; s < TG_STATES; s++) {
            tg_buf_str(out, "tidegate_connector_state{");
            label(out, "connector", w->connectors[i]->name);
            tg_buf_printf(out, ",state=\"%s\"} %d\n", tg_state_name(s),
                          w->connectors[i]->state == s);
        }
}

void tg_metrics_write(tg_worker *w, tg_buf *out)
{
    worker_series(w, out);
    connector_series(w, out);
    task_series(w, out);
    for (size_t i = 0; i < sizeof page_series / sizeof *page_series; i++) {
        const series *s = &page_series[i];
        header(out, s->name, s->type, s->help);
        each(w, out, page_value, s);
    }
}
