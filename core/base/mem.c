/*
 * Small allocations, byte buffers and arenas.
 *
 * Small allocations end the process when the system has no memory: a task is a
 * process and its supervisor restarts it, which is cleaner than half a record.
 *
 * An arena is a list of chunks, newest first; `at` and `end` bound the free
 * part of the newest ordinary chunk:
 *
 *   chunks -> [hdr|used....|at  free  end] -> [hdr|used.....] -> ...
 *
 * Chunks start at 64 KB and double up to 1 MB while a batch keeps growing. An
 * allocation that would waste much of a chunk gets one of its own, linked
 * behind the newest so that bumping goes on where it was. Reset keeps the
 * biggest ordinary chunk, which is warm in the cache, and releases the rest.
 *
 * With TG_POISON every chunk is a mapping of its own: reset unmaps all of them
 * but the kept one, which is filled with 0xDD, so that a stale pointer faults
 * or reads rubbish. Under AddressSanitizer only the bytes handed out may be
 * touched.
 *
 * Any thread; a buffer or an arena belongs to one at a time.
 */
#include "base/mem.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#ifdef TG_POISON
#include <sys/mman.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
#define HAVE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN 1
#endif
#endif
#ifdef HAVE_ASAN
#include <sanitizer/asan_interface.h>
#define poison(p, n)   ASAN_POISON_MEMORY_REGION(p, n)
#define unpoison(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define poison(p, n)   ((void)(p), (void)(n))
#define unpoison(p, n) ((void)(p), (void)(n))
#endif

enum { CHUNK_MIN = 64 * 1024, CHUNK_MAX = 1024 * 1024, CHUNK_PAGE = 4096 };

struct tg_arena_chunk {
    tg_arena_chunk *next;
    size_t size; /* bytes of data behind the header */
};

/* --- small allocations --------------------------------------------------- */

static _Noreturn void out_of_memory(size_t n)
{
    char line[128];
    int len = snprintf(line, sizeof line,
                       "tidegate: out of memory: the system refused %zu bytes;"
                       " the process ends\n",
                       n);

    if (len > 0 && write(STDERR_FILENO, line, (size_t)len) < 0)
        _exit(TG_EXIT_MEMORY);
    _exit(TG_EXIT_MEMORY);
}

void *tg_alloc(size_t n)
{
    void *p = malloc(n ? n : 1);

    if (!p)
        out_of_memory(n);
    return p;
}

void *tg_calloc(size_t n)
{
    void *p = calloc(1, n ? n : 1);

    if (!p)
        out_of_memory(n);
    return p;
}

void *tg_realloc(void *p, size_t n)
{
    void *q = realloc(p, n ? n : 1);

    if (!q)
        out_of_memory(n);
    return q;
}

char *tg_strndup(const char *s, size_t n)
{
    char *p;

    if (!s)
        return NULL;
    n = strnlen(s, n);
    p = tg_alloc(n + 1);
    memcpy(p, s, n);
    p[n] = '\0';
    return p;
}

char *tg_strdup(const char *s)
{
    return s ? tg_strndup(s, strlen(s)) : NULL;
}

void tg_free(void *p)
{
    free(p);
}

char *tg_sprintf(const char *fmt, ...)
{
    va_list ap;
    char *p = NULL;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&p, fmt, ap);
    va_end(ap);
    if (n < 0)
        out_of_memory(strlen(fmt));
    return p;
}

/* --- buffers ------------------------------------------------------------- */

void tg_buf_fini(tg_buf *b)
{
    tg_free(b->p);
    *b = (tg_buf){0};
}

char *tg_buf_room(tg_buf *b, size_t n)
{
    size_t cap = b->cap;

    if (cap - b->len >= n && b->p)
        return b->p + b->len;
    if (n > SIZE_MAX / 4 - b->len)
        out_of_memory(n);
    if (cap < 64)
        cap = 64;
    while (cap - b->len < n)
        cap *= 2;
    b->p = tg_realloc(b->p, cap);
    b->cap = cap;
    return b->p + b->len;
}

void tg_buf_add(tg_buf *b, const void *p, size_t n)
{
    char *to = tg_buf_room(b, n);

    if (n > 0)
        memcpy(to, p, n);
    b->len += n;
}

void tg_buf_str(tg_buf *b, const char *s)
{
    tg_buf_add(b, s, strlen(s));
}

void tg_buf_printf(tg_buf *b, const char *fmt, ...)
{
    va_list ap, again;
    size_t room;
    int n;

    tg_buf_room(b, 64);
    room = b->cap - b->len;
    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(b->p + b->len, room, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n >= room) {
        tg_buf_room(b, (size_t)n + 1);
        vsnprintf(b->p + b->len, (size_t)n + 1, fmt, again);
    }
    va_end(again);
    if (n > 0)
        b->len += (size_t)n;
}

const char *tg_buf_cstr(tg_buf *b)
{
    *tg_buf_room(b, 1) = '\0';
    return b->p;
}

char *tg_buf_steal(tg_buf *b)
{
    char *p;

    tg_buf_cstr(b);
    p = b->p;
    *b = (tg_buf){0};
    return p;
}

/* --- arenas -------------------------------------------------------------- */

static char *chunk_data(tg_arena_chunk *c)
{
    return (char *)(c + 1);
}

#ifdef TG_POISON
static tg_arena_chunk *chunk_map(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

static void chunk_release(tg_arena_chunk *c)
{
    size_t bytes = sizeof *c + c->size;

    unpoison(c, bytes);
    munmap(c, bytes);
}
#else
static tg_arena_chunk *chunk_map(size_t bytes)
{
    return malloc(bytes);
}

static void chunk_release(tg_arena_chunk *c)
{
    free(c);
}
#endif

/* A chunk with room for n bytes at least. */
static tg_arena_chunk *chunk_new(size_t n)
{
    size_t bytes = sizeof(tg_arena_chunk) + n;
    tg_arena_chunk *c;

    bytes = (bytes + CHUNK_PAGE - 1) & ~(size_t)(CHUNK_PAGE - 1);
    c = chunk_map(bytes);
    if (!c)
        out_of_memory(bytes);
    c->next = NULL;
    c->size = bytes - sizeof *c;
#ifdef TG_POISON
    poison(chunk_data(c), c->size);
#endif
    return c;
}

/* The chunk worth keeping: the biggest that is not an outsized one. */
static tg_arena_chunk *chunk_keep(tg_arena_chunk *c)
{
    tg_arena_chunk *best = NULL;

    for (; c; c = c->next)
        if (c->size <= CHUNK_MAX && (!best || c->size > best->size))
            best = c;
    return best;
}

/* Makes c the chunk to bump in; the limit cuts its free part. */
static void chunk_use(tg_arena *a, tg_arena_chunk *c)
{
    size_t room = c->size;

    if (a->limit && a->limit - a->used < room)
        room = (a->limit - a->used) & ~(size_t)7;
    c->next = a->chunks;
    a->chunks = c;
    a->at = chunk_data(c);
    a->end = a->at + room;
}

void tg_arena_init(tg_arena *a, size_t limit)
{
    *a = (tg_arena){.limit = limit};
}

void tg_arena_fini(tg_arena *a)
{
    tg_arena_chunk *c = a->chunks;

    while (c) {
        tg_arena_chunk *next = c->next;
        chunk_release(c);
        c = next;
    }
    *a = (tg_arena){.limit = a->limit};
}

void tg_arena_reset(tg_arena *a)
{
    tg_arena_chunk *keep = chunk_keep(a->chunks);
    tg_arena_chunk *c = a->chunks;

    while (c) {
        tg_arena_chunk *next = c->next;
        if (c != keep)
            chunk_release(c);
        c = next;
    }
    *a = (tg_arena){.limit = a->limit};
    if (!keep)
        return;
#ifdef TG_POISON
    unpoison(chunk_data(keep), keep->size);
    memset(chunk_data(keep), 0xDD, keep->size);
    poison(chunk_data(keep), keep->size);
#endif
    chunk_use(a, keep);
}

/* Size of the next ordinary chunk: doubles while the arena grows. */
static size_t next_size(size_t used)
{
    size_t size = CHUNK_MIN;

    while (size < CHUNK_MAX && size <= used)
        size *= 2;
    return size - sizeof(tg_arena_chunk);
}

/* Gives an allocation a chunk of its own behind the newest one. */
static void *own_chunk(tg_arena *a, size_t n)
{
    tg_arena_chunk *c = chunk_new(n);
    size_t room = (size_t)(a->end - a->at);

    c->next = a->chunks->next;
    a->chunks->next = c;
    a->used += n;
    if (a->limit && room > a->limit - tg_arena_size(a))
        a->end = a->at + ((a->limit - tg_arena_size(a)) & ~(size_t)7);
    return chunk_data(c);
}

/* Where n bytes (a multiple of 8) may go, in whatever chunk; NULL: limit. */
static void *arena_take(tg_arena *a, size_t n)
{
    size_t room = (size_t)(a->end - a->at);
    size_t used = tg_arena_size(a);
    size_t want = next_size(used);
    void *p;

    if (n > room) {
        if (a->limit && (used > a->limit || n > a->limit - used))
            return NULL;
        if (a->chunks && n > want / 4 && room >= want / 4)
            return own_chunk(a, n);
        a->used = used;
        chunk_use(a, chunk_new(n > want ? n : want));
    }
    p = a->at;
    a->at += n;
    return p;
}

#if defined(TG_POISON) && defined(HAVE_ASAN)
/* Exact bounds: the tail of the last word and the word after it stay
 * poisoned. */
void *tg_arena_slow(tg_arena *a, size_t n)
{
    void *p = NULL;

    if (n < SIZE_MAX / 2)
        p = arena_take(a, ((n + 7) & ~(size_t)7) + 8);
    if (p)
        unpoison(p, n);
    return p;
}
#else
void *tg_arena_slow(tg_arena *a, size_t n)
{
    if (n >= SIZE_MAX / 2)
        return NULL;
    return arena_take(a, (n + !n + 7) & ~(size_t)7);
}
#endif

char *tg_arena_dup(tg_arena *a, const void *p, size_t n)
{
    char *to = tg_arena_alloc(a, n);

    if (to && n > 0)
        memcpy(to, p, n);
    return to;
}

size_t tg_arena_size(const tg_arena *a)
{
    if (!a->chunks)
        return 0;
    return a->used + (size_t)(a->at - (char *)(a->chunks + 1));
}
