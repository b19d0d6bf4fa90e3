/*
 * The shared page of a task: one mmap of a memfd, written by the task process
 * and read by the supervisor without any system call. Every field is a relaxed
 * atomic of its own; readers tolerate values of different moments. Fields have
 * one writer: the task, except those marked (supervisor).
 */
#ifndef TG_BASE_PAGE_H
#define TG_BASE_PAGE_H
#include "base/err.h"
#include <stdatomic.h>
#include <stdint.h>

enum { TG_PAGE_SIZE = 4096, TG_PAGE_STAGES = 16 };

/* What the task is doing: the breadcrumb that names the place of a crash. */
enum {
    TG_AT_IDLE,
    TG_AT_START,
    TG_AT_POLL,
    TG_AT_TRANSFORM,
    TG_AT_DECODE,
    TG_AT_ENCODE,
    TG_AT_SEND,
    TG_AT_PUT,
    TG_AT_FLUSH,
    TG_AT_COMMIT,
    TG_AT_STOP,
    TG_AT_LOAD
};

typedef struct tg_page {
    _Atomic uint32_t abi;
    _Atomic uint32_t at;           /* TG_AT_* */
    _Atomic uint32_t at_stage;     /* index of the transform */
    _Atomic uint32_t at_record;    /* cursor in the batch */
    _Atomic int64_t call_start_ns; /* CLOCK_MONOTONIC; 0: no script call runs */
    _Atomic int64_t heartbeat_ns;  /* last turn of the task's loop */
    _Atomic int64_t lease_until_ns; /* (supervisor) BOOTTIME; 0: none */
    char at_plugin[64];             /* NUL-terminated */

    _Atomic int64_t records_in; /* polled from the source / consumed */
    _Atomic int64_t bytes_in;
    _Atomic int64_t records_out; /* acknowledged by Kafka / put */
    _Atomic int64_t bytes_out;
    _Atomic int64_t records_filtered;
    _Atomic int64_t records_failed;
    _Atomic int64_t records_skipped; /* tolerated errors */
    _Atomic int64_t retries;
    _Atomic int64_t batches;
    _Atomic int64_t in_flight; /* records not yet acknowledged */
    _Atomic int64_t in_flight_bytes;
    _Atomic int64_t lag; /* sink: records behind; source: bytes or
                            whatever the connector reports; -1 */
    _Atomic int64_t last_poll_ms, last_record_ms, last_commit_ms; /* wall */
    _Atomic int64_t commits, commit_failures;
    _Atomic int64_t lua_bytes; /* memory held by the VM */
    _Atomic int64_t jit_heals, reloads;
    _Atomic int64_t reload_failures; /* versions that were refused */
    _Atomic int64_t timer_failures;  /* timers of scripts that raised */
    _Atomic int64_t interrupts; /* script calls stopped for being overdue */
    _Atomic int64_t ns_decode, ns_encode, ns_send, ns_poll, ns_put;
    _Atomic int64_t ns_stage[TG_PAGE_STAGES], records_stage[TG_PAGE_STAGES];
    /* records_failed counts every failed attempt, record_errors every record
     * that was given up, whatever became of it. */
    _Atomic int64_t record_errors, errors_logged, last_error_ms;
    _Atomic int64_t dlq_requests, dlq_failures; /* dead letters */
} tg_page;

_Static_assert(sizeof(tg_page) <= TG_PAGE_SIZE, "shared page too large");

/* Creates a page in a memfd (close-on-exec); *fd is for the child. */
tg_page *tg_page_new(int *fd, tg_err *err);
/* Maps the page given by the parent. */
tg_page *tg_page_map(int fd, tg_err *err);
void tg_page_unmap(tg_page *page);

#define tg_page_add(field, v)                                                  \
    atomic_fetch_add_explicit(&(field), (v), memory_order_relaxed)
#define tg_page_set(field, v)                                                  \
    atomic_store_explicit(&(field), (v), memory_order_relaxed)
#define tg_page_get(field) atomic_load_explicit(&(field), memory_order_relaxed)

#endif
