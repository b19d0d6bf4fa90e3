/*
 * Memory. Small allocations cannot fail: they end the process with a clear line
 * (a task is restarted by its supervisor). Data-sized ones go through arenas,
 * which have a limit and report TG_ERR_LIMIT.
 */
#ifndef TG_BASE_MEM_H
#define TG_BASE_MEM_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Exit status of a process that the system refused memory. */
enum { TG_EXIT_MEMORY = 12 };

void *tg_alloc(size_t n);  /* never NULL; not cleared */
void *tg_calloc(size_t n); /* never NULL; zeroed */
void *tg_realloc(void *p, size_t n);
char *tg_strdup(const char *s); /* NULL gives NULL */
char *tg_strndup(const char *s, size_t n);
void tg_free(void *p);
/* Caller frees with tg_free. */
char *tg_sprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A growing byte buffer. Zero-initialised is empty and valid. */
typedef struct tg_buf {
    char *p;
    size_t len, cap;
} tg_buf;

void tg_buf_fini(tg_buf *b);
/* Makes room for n more bytes and returns where to write them. */
char *tg_buf_room(tg_buf *b, size_t n);
void tg_buf_add(tg_buf *b, const void *p, size_t n);
void tg_buf_str(tg_buf *b, const char *s);
void tg_buf_printf(tg_buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* NUL-terminates (not counted) and returns b->p. */
const char *tg_buf_cstr(tg_buf *b);
/* Ownership of the bytes moves to the caller; b is empty afterwards. */
char *tg_buf_steal(tg_buf *b);

/*
 * An arena: bump allocation, freed or recycled in one call. 8-byte aligned.
 * One thread at a time. Debug builds (TG_POISON) poison what is reset and give
 * released chunks back unmapped, so that a stale pointer faults.
 */
typedef struct tg_arena_chunk tg_arena_chunk;
struct tg_arena {
    char *at, *end;
    tg_arena_chunk *chunks; /* newest first */
    size_t used;            /* bytes in full chunks */
    size_t limit;           /* 0: none */
};
typedef struct tg_arena tg_arena;

void tg_arena_init(tg_arena *a, size_t limit);
void tg_arena_fini(tg_arena *a);
/* Keeps one chunk of ordinary size for reuse, returns the rest. */
void tg_arena_reset(tg_arena *a);
/* tg_arena_alloc gives NULL only when the limit is reached; 0 bytes are a valid
 * pointer. The arena's memory is not cleared. */
void *tg_arena_slow(tg_arena *a, size_t n);
static inline void *tg_arena_alloc(tg_arena *a, size_t n)
{
#ifdef TG_POISON
    return tg_arena_slow(a, n);
#else
    n = (n + !n + 7) & ~(size_t)7;
    if ((size_t)(a->end - a->at) < n)
        return tg_arena_slow(a, n);
    void *p = a->at;
    a->at += n;
    return p;
#endif
}
char *tg_arena_dup(tg_arena *a, const void *p, size_t n);
/* Bytes handed out since the last reset. */
size_t tg_arena_size(const tg_arena *a);

#endif
