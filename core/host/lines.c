/*
 * Lines of a file that grows, as records.
 *
 *   | lines handed out | start: unfinished line | scan .. end: not looked at |
 *
 * The file is read in blocks into a buffer that records point into: no line is
 * copied. A buffer counts its users: the reader, and each batch that has a line
 * in it (released with the batch). When a buffer is full the unfinished line
 * moves to a new one, and to the front of the same when nobody else uses it.
 *
 * A line ends with \n, \r\n or \r; a \r at the end of what was read waits for
 * the byte after it. At the end of the file the reader looks whether the path
 * names another file now (as soon as there is something in that, the rest of
 * the old one is a line, and the new one is read from 0) or the file became
 * shorter (from 0; an unfinished line is forgotten, its bytes are gone). Script
 * thread.
 */
#include "base/file.h"
#include "convert/converter.h"
#include "data/schema.h"
#include "host/services.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BLOCK = 256 * 1024,            /* size of a buffer */
    LEAST = 32 * 1024,             /* room that is worth a read */
    LONGEST = 64 * 1024 * 1024,    /* line */
    BATCH_BYTES = 4 * 1024 * 1024, /* enough for one batch */
    SPARES = 4
};

typedef struct block {
    struct block *next; /* in the list of spares */
    uint32_t users;
    uint32_t serial; /* last batch that holds it */
    size_t cap;
    char data[];
} block;

struct tg_line_reader {
    char *path; /* NULL: standard input */
    int fd;     /* -1: the file does not exist yet */
    bool seekable;
    bool finished; /* no byte will follow: the rest is a line */
    dev_t dev;
    ino_t ino;
    int32_t restarts;
    int64_t position; /* in the file, of start */
    block *block;
    size_t start, scan, end;
    size_t newline;  /* place of the next \n at or after scan ... */
    size_t searched; /* ... if it is below this: bytes searched for one */
};

/* --- buffers -------------------------------------------------------------- */

static struct {
    block *list;
    int n;
} spares;

static block *block_new(size_t cap)
{
    block *b = spares.list;
    if (cap <= BLOCK && b) {
        spares.list = b->next;
        spares.n--;
    } else {
        cap = cap < BLOCK ? BLOCK : cap;
        b = tg_alloc(sizeof *b + cap);
        b->cap = cap;
    }
    b->users = 1;
    b->serial = 0;
    return b;
}

static void block_unref(void *arg)
{
    block *b = arg;
    if (--b->users > 0)
        return;
    if (b->cap == BLOCK && spares.n < SPARES) {
        b->next = spares.list;
        spares.list = b;
        spares.n++;
    } else {
        tg_free(b);
    }
}

static void hold(block *b, tg_batch *batch)
{
    if (b->serial == batch->serial)
        return;
    b->serial = batch->serial;
    b->users++;
    tg_batch_on_release(batch, block_unref, b);
}

/* Room for at least LEAST bytes behind end. */
static void make_room(tg_line_reader *r)
{
    block *old = r->block;
    size_t rest = r->end - r->start;
    if (old && old->cap - r->end >= LEAST)
        return;
    if (!old || old->users > 1 || rest + LEAST > old->cap) {
        r->block = block_new(rest + LEAST > BLOCK ? rest * 2 : BLOCK);
        if (rest)
            memcpy(r->block->data, old->data + r->start, rest);
        if (old)
            block_unref(old);
    } else {
        memmove(old->data, old->data + r->start, rest);
    }
    r->scan -= r->start;
    r->newline = r->searched = r->scan;
    r->start = 0;
    r->end = rest;
}

static void forget_rest(tg_line_reader *r)
{
    r->start = r->scan = r->newline = r->searched = r->end;
}

/* --- the file ------------------------------------------------------------- */

static int io_error(const tg_line_reader *r, const char *what)
{
    return tg_err_set(tg_err_ffi(), TG_ERR_IO, "cannot %s %s: %s", what,
                      r->path ? r->path : "standard input", strerror(errno));
}

/* 0, or TG_ERR_NOTFOUND while there is no file, or TG_ERR_IO. */
static int open_file(tg_line_reader *r)
{
    struct stat st;
    int fd = open(r->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return tg_err_set(tg_err_ffi(), TG_ERR_NOTFOUND,
                          "file %s does not exist yet", r->path);
    if (fd < 0 || fstat(fd, &st) < 0) {
        int rc = io_error(r, "open");
        if (fd >= 0)
            close(fd);
        return rc;
    }
    if (S_ISDIR(st.st_mode)) {
        close(fd);
        return tg_err_set(tg_err_ffi(), TG_ERR_IO,
                          "cannot read lines from %s: it is a directory",
                          r->path);
    }
    if (r->fd >= 0)
        close(r->fd);
    r->fd = fd;
    r->dev = st.st_dev;
    r->ino = st.st_ino;
    r->seekable = S_ISREG(st.st_mode);
    return 0;
}

tg_line_reader *tg_lines_open(const char *path, int64_t position)
{
    tg_line_reader *r = tg_calloc(sizeof *r);
    r->fd = -1;
    r->position = path && position > 0 ? position : 0;
    if (!path) {
        r->fd = STDIN_FILENO;
        return r;
    }
    r->path = tg_strdup(path);
    if (open_file(r) == TG_ERR_IO) {
        tg_lines_close(r);
        return NULL;
    }
    return r;
}

void tg_lines_close(tg_line_reader *reader)
{
    if (!reader)
        return;
    if (reader->path && reader->fd >= 0)
        close(reader->fd);
    if (reader->block)
        block_unref(reader->block);
    tg_free(reader->path);
    tg_free(reader);
}

/* Bytes read, 0 when there is nothing now, TG_ERR_IO. */
static int64_t read_more(tg_line_reader *r)
{
    make_room(r);
    char *to = r->block->data + r->end;
    size_t room = r->block->cap - r->end;
    ssize_t n;
    if (!r->path) {
        struct pollfd p = {.fd = r->fd, .events = POLLIN};
        if (poll(&p, 1, 0) <= 0)
            return 0;
    }
    do
        n = r->seekable ? pread(r->fd, to, room,
                                r->position + (int64_t)(r->end - r->start))
                        : read(r->fd, to, room);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return 0;
    if (n < 0)
        return io_error(r, "read");
    if (n == 0 && !r->path)
        r->finished = true;
    r->end += (size_t)n;
    return n;
}

static void restart(tg_line_reader *r)
{
    r->position = 0;
    r->finished = false;
    r->restarts++;
    forget_rest(r);
}

/* At the end of what is there: has the file been truncated or replaced? 1 when
 * there is something new to read or a last line to hand out, else 0, or
 * TG_ERR_IO. */
static int look_again(tg_line_reader *r)
{
    struct stat st, named;
    if (!r->seekable || fstat(r->fd, &st) < 0)
        return 0;
    if (st.st_size < r->position + (int64_t)(r->end - r->start)) {
        restart(r);
        return st.st_size > 0;
    }
    if (r->finished) { /* the old file is done, its last line handed out */
        int rc = open_file(r);
        if (rc)
            return rc == TG_ERR_NOTFOUND ? 0 : rc;
        restart(r);
        return 1;
    }
    if (stat(r->path, &named) < 0 ||
        (named.st_ino == r->ino && named.st_dev == r->dev))
        return 0;
    if (S_ISREG(named.st_mode) && named.st_size == 0)
        return 0; /* who writes may not have moved on to it yet */
    r->finished = read_more(r) == 0; /* what came since the last look */
    return 1;
}

/* --- lines ---------------------------------------------------------------- */

/* Place of the next \n from scan on, or end. */
static size_t find_newline(tg_line_reader *r)
{
    const char *data = r->block->data;
    if (r->newline >= r->scan && r->newline < r->searched)
        return r->newline;
    size_t from = r->searched > r->scan ? r->searched : r->scan;
    const char *p = memchr(data + from, '\n', r->end - from);
    r->newline = p ? (size_t)(p - data) : r->end;
    r->searched = p ? r->newline + 1 : r->end;
    return r->newline;
}

/* The next whole line; *next is where the one after it starts. */
static bool find_line(tg_line_reader *r, size_t *stop, size_t *next)
{
    if (!r->block || r->start == r->end)
        return false;
    const char *data = r->block->data;
    size_t newline = find_newline(r);
    const char *cr = memchr(data + r->scan, '\r', newline - r->scan);
    *stop = cr ? (size_t)(cr - data) : newline;
    if (cr && *stop + 1 < r->end) {
        *next = *stop + (data[*stop + 1] == '\n' ? 2 : 1);
        return true;
    }
    if (!cr && newline < r->end) {
        *next = newline + 1;
        return true;
    }
    r->scan = *stop;
    *next = r->end;
    return r->finished;
}

typedef struct lines_out {
    tg_batch *batch;
    const tg_converter *conv;
    const tg_schema *schema;
    const char *topic; /* of the first record, shared by the others */
    uint32_t topiclen;
    int32_t partition;
    int32_t mode;
    int64_t now;
    uint64_t enough; /* batch->bytes at which this call stops */
} lines_out;

static int set_topic(lines_out *out, tg_record *rec, const char *topic)
{
    int rc = tg_record_set_topic(rec, topic, out->topiclen);
    out->topic = rec->topic;
    out->topiclen = rec->topiclen;
    return rc;
}

/* 1, 0 when the batch takes no more, or TG_ERR_*. */
static int append(tg_line_reader *r, lines_out *out, const char *topic,
                  size_t stop, size_t next)
{
    tg_record *rec = tg_batch_append(out->batch);
    size_t len = stop - r->start;
    if (!rec)
        return 0;
    if (!out->topic) {
        int rc = set_topic(out, rec, topic);
        if (rc) {
            out->batch->hi = --out->batch->n;
            return rc;
        }
    }
    rec->topic = out->topic;
    rec->topiclen = out->topiclen;
    rec->timestamp = out->now;
    rec->timestamp_type = TG_TIME_POLL;
    hold(r->block, out->batch);
    tg_cell_set_raw(&rec->value, out->conv, r->block->data + r->start,
                    (int32_t)len);
    rec->value.schema = out->schema;
    r->position += (int64_t)(next - r->start);
    r->start = r->scan = next;
    if (out->partition >= 0) {
        rec->origin_partition = out->partition;
        rec->origin_offset = r->position;
    }
    out->batch->bytes += len;
    if (out->mode == TG_LINES_JSON && len == 0)
        tg_record_reject(rec,
                         "the line that ends at byte %lld of %s is empty,"
                         " expected JSON",
                         (long long)r->position,
                         r->path ? r->path : "standard input");
    return 1;
}

static int set_mode(lines_out *out, int32_t mode)
{
    static const char *const names[] = {"string", "json", "bytes"};
    if (mode < TG_LINES_TEXT || mode > TG_LINES_BYTES)
        return tg_err_set(tg_err_ffi(), TG_ERR_ARG,
                          "lines are text (0), JSON (1) or bytes (2), not %d",
                          (int)mode);
    out->mode = mode;
    out->conv = tg_converter_named(names[mode]);
    if (mode != TG_LINES_JSON)
        out->schema =
            tg_schema_of(mode == TG_LINES_TEXT ? TG_STR : TG_BYTES, 0, NULL);
    return 0;
}

/* Lines that are in the buffer. 1 when it holds no whole line any more, 0 when
 * the batch takes no more. */
static int take_lines(tg_line_reader *r, lines_out *out, const char *topic)
{
    size_t stop, next;
    const tg_batch *batch = out->batch;
    while (find_line(r, &stop, &next)) {
        if ((batch->max && batch->n >= batch->max) ||
            batch->bytes >= out->enough)
            return 0;
        int rc = append(r, out, topic, stop, next);
        if (rc <= 0)
            return rc;
    }
    return 1;
}

static int too_long(const tg_line_reader *r)
{
    return tg_err_set(tg_err_ffi(), TG_ERR_LIMIT,
                      "the line at byte %lld of %s is longer than %d MB; is"
                      " this a text file?",
                      (long long)r->position,
                      r->path ? r->path : "standard input",
                      LONGEST / 1024 / 1024);
}

int32_t tg_lines_read(tg_line_reader *reader, tg_batch *batch, int32_t mode,
                      const char *topic, uint32_t topiclen, int32_t partition)
{
    tg_line_reader *r = reader;
    uint32_t before = batch->n;
    lines_out out = {.batch = batch,
                     .topiclen = topiclen,
                     .partition = partition,
                     .now = tg_clock_ms(),
                     .enough = batch->bytes + BATCH_BYTES};
    int rc = set_mode(&out, mode);
    if (rc)
        return rc;
    tg_err_clear(tg_err_ffi());
    if (r->fd < 0) {
        rc = open_file(r);
        if (rc)
            return rc == TG_ERR_NOTFOUND ? 0 : rc;
    }
    for (;;) {
        rc = take_lines(r, &out, topic);
        if (rc <= 0)
            break;
        if (r->end - r->start > LONGEST) {
            rc = too_long(r);
            break;
        }
        int64_t n = r->finished ? 0 : read_more(r);
        if (n == 0 && !(r->finished && r->start < r->end))
            n = look_again(r);
        else if (n == 0)
            continue; /* the rest of a finished file is a line */
        if (n <= 0) {
            rc = (int)n;
            break;
        }
    }
    /* Lines that were found are handed out first; the error comes again. */
    return batch->n > before || rc >= 0 ? (int32_t)(batch->n - before) : rc;
}

int64_t tg_lines_position(const tg_line_reader *reader)
{
    return reader->position;
}

int64_t tg_lines_size(const tg_line_reader *reader)
{
    struct stat st;
    if (reader->fd < 0 || !reader->seekable || fstat(reader->fd, &st) < 0)
        return reader->position;
    return st.st_size;
}

int32_t tg_lines_restarts(const tg_line_reader *reader)
{
    return reader->restarts;
}
