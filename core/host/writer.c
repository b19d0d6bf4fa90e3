/*
 * Values of records as lines of a file.
 *
 * Lines are gathered and written whole, many in one write(2), in append mode,
 * so several tasks may share a file. A process that dies in the middle of a
 * write can still leave a part of a line at the end: nothing that is in the
 * file is ever taken away (it may be somebody else's), so opening ends such a
 * line with a newline; its record is delivered again as a line of its own.
 * After a failed write the unwritten bytes stay in the buffer and the next
 * flush goes on where it stopped. After a failed sync the system may have
 * dropped what it held, and would report success the next time: so all later
 * syncs of this writer fail too. Script thread.
 */
#include "convert/converter.h"
#include "convert/internal.h"
#include "convert/json_write.h"
#include "host/services.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

enum { GATHER = 256 * 1024, KEEP = 1024 * 1024 };

struct tg_line_writer {
    char *path; /* NULL: standard output */
    int fd;
    tg_buf buf;
    int unsynced; /* errno of a sync that failed: the file is given up */
    uint32_t text, bytes; /* identities whose bytes are the line */
};

static const char *name_of(const tg_line_writer *w)
{
    return w->path ? w->path : "standard output";
}

/* --- opening -------------------------------------------------------------- */

/* Ends a line that a crash left unfinished. */
static void finish_last_line(tg_line_writer *w)
{
    struct stat st;
    char last = '\n';
    if (fstat(w->fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
        return;
    int fd = open(w->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (pread(fd, &last, 1, st.st_size - 1) == 1 && last != '\n')
        tg_buf_add(&w->buf, "\n", 1);
    close(fd);
}

tg_line_writer *tg_writer_open(const char *path)
{
    tg_line_writer *w = tg_calloc(sizeof *w);
    w->text = tg_converter_named("string")->identity;
    w->bytes = tg_converter_named("bytes")->identity;
    w->fd = STDOUT_FILENO;
    if (!path)
        return w;
    w->path = tg_strdup(path);
    w->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (w->fd < 0) {
        tg_err_set(tg_err_ffi(), TG_ERR_IO, "cannot open %s for appending: %s",
                   path, strerror(errno));
        tg_writer_close(w);
        return NULL;
    }
    finish_last_line(w);
    return w;
}

void tg_writer_close(tg_line_writer *writer)
{
    if (!writer)
        return;
    if (writer->fd >= 0)
        tg_writer_flush(writer, 0);
    if (writer->path && writer->fd >= 0)
        close(writer->fd);
    tg_buf_fini(&writer->buf);
    tg_free(writer->path);
    tg_free(writer);
}

/* --- writing -------------------------------------------------------------- */

static int write_error(const tg_line_writer *w, int code)
{
    struct stat st;
    long long at = fstat(w->fd, &st) == 0 ? (long long)st.st_size : 0;
    if (code == ENOSPC || code == EDQUOT)
        return tg_err_set(tg_err_ffi(), TG_ERR_IO,
                          "no space left on device writing %s at byte %lld;"
                          " free space and restart the task",
                          name_of(w), at);
    return tg_err_set(tg_err_ffi(), TG_ERR_IO,
                      "cannot write %s at byte %lld: %s", name_of(w), at,
                      strerror(code));
}

static int sync_error(const tg_line_writer *w)
{
    return tg_err_set(tg_err_ffi(), TG_ERR_IO,
                      "cannot bring %s to disk: %s; lines written before may be"
                      " lost: look after the disk and restart the task, which"
                      " writes them again",
                      name_of(w), strerror(w->unsynced));
}

static int write_out(tg_line_writer *w)
{
    size_t done = 0;
    int rc = 0;
    while (done < w->buf.len) {
        ssize_t n = write(w->fd, w->buf.p + done, w->buf.len - done);
        if (n >= 0) {
            done += (size_t)n;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            struct pollfd p = {.fd = w->fd, .events = POLLOUT};
            poll(&p, 1, 1000);
        } else if (errno != EINTR) {
            rc = write_error(w, errno);
            break;
        }
    }
    w->buf.len -= done;
    if (w->buf.len && done)
        memmove(w->buf.p, w->buf.p + done, w->buf.len);
    else if (w->buf.cap > KEEP && !w->buf.len)
        tg_buf_fini(&w->buf);
    return rc;
}

int32_t tg_writer_flush(tg_line_writer *writer, int32_t sync)
{
    int rc = write_out(writer);
    if (rc || !sync)
        return rc;
    if (!writer->unsynced && fdatasync(writer->fd) < 0 && errno != EINVAL &&
        errno != EROFS && errno != ENOTSUP)
        writer->unsynced = errno;
    return writer->unsynced ? sync_error(writer) : 0;
}

/* --- values --------------------------------------------------------------- */

/* Valid JSON without its line breaks: one record is one line. */
static void add_one_line(tg_buf *out, const char *p, size_t len)
{
    bool string = false;
    if (!memchr(p, '\n', len) && !memchr(p, '\r', len)) {
        tg_buf_add(out, p, len);
        return;
    }
    char *to = tg_buf_room(out, len);
    for (size_t i = 0; i < len; i++) {
        if (!string &&
            (p[i] == ' ' || p[i] == '\t' || p[i] == '\n' || p[i] == '\r'))
            continue;
        *to++ = p[i];
        if (p[i] == '"')
            string = !string;
        else if (string && p[i] == '\\')
            *to++ = p[++i];
    }
    out->len = (size_t)(to - out->p);
}

/* Straight into the buffer. Only text that is copied as received can contain
 * line breaks: then the long way takes them out. */
static bool add_small(tg_line_writer *w, const tg_cell *cell)
{
    bool copies;
    size_t room = TG_JSON_SMALL_MORE;
    if (cell->raw && cell->rawlen > 0)
        room += (size_t)cell->rawlen;
    if (room > TG_JSON_SMALL_MAX)
        return false;
    char *p = tg__buf_room(&w->buf, room);
    char *end = tg__json_put_small(p, room, &cell->value, &copies);
    if (!end)
        return false;
    size_t len = (size_t)(end - p);
    if (copies && (memchr(p, '\n', len) || memchr(p, '\r', len)))
        return false;
    w->buf.len += len;
    return true;
}

static int add_json(tg_line_writer *w, tg_cell *cell, tg_err *err)
{
    tg_json_style style = tg_json_plain_style;
    if (!cell->schema && add_small(w, cell))
        return 0;
    style.numeric = tg__json_is(cell->conv) && tg__json_numeric(cell->conv);
    tg_buf *text = tg__converter_scratch();
    int rc = tg__json_write(text, &cell->value, cell->schema, &style, err);
    if (!rc)
        add_one_line(&w->buf, text->p, text->len);
    return rc;
}

static int add_value(tg_line_writer *w, tg_cell *cell, tg_batch *batch,
                     tg_err *err)
{
    const tg_value *v = &cell->value;
    uint32_t len;
    if (v->tag == TG_BYTES && !(cell->schema && cell->schema->name)) {
        tg_buf_add(&w->buf, v->u.p, v->len);
        return 0;
    }
    if (v->tag != TG_STR && v->tag != TG_ESC)
        return add_json(w, cell, err);
    const char *p = tg_value_text(batch, v, &len);
    if (!p)
        return tg_err_set(err, TG_ERR_LIMIT,
                          "the batch reached its memory limit");
    tg_buf_add(&w->buf, p, len);
    return 0;
}

static int add_cell(tg_line_writer *w, tg_cell *cell, tg_batch *batch,
                    tg_err *err)
{
    if (cell->state == TG_CELL_NULL) {
        tg_buf_add(&w->buf, "null", 4);
        return 0;
    }
    const tg_converter *conv = cell->conv;
    bool clean = conv && cell->raw && !cell->dirty, text;
    if (clean && (conv->identity == w->text || conv->identity == w->bytes)) {
        tg_buf_add(&w->buf, cell->raw, (size_t)cell->rawlen);
        return 0;
    }
    int rc = tg_cell_decode(cell, err);
    if (rc)
        return rc;
    text = cell->value.tag == TG_STR || cell->value.tag == TG_ESC;
    if (clean && !text && tg__json_is(conv) && !cell->schema &&
        conv->identity == tg_converter_named("json")->identity &&
        cell->rawlen > 0) {
        add_one_line(&w->buf, cell->raw, (size_t)cell->rawlen);
        return 0;
    }
    if (cell->value.tag != TG_NULL)
        return add_value(w, cell, batch, err);
    tg_buf_add(&w->buf, "null", 4);
    return 0;
}

int32_t tg_writer_put(tg_line_writer *writer, tg_batch *batch)
{
    int32_t written = 0;
    tg_err err;
    tg_err_clear(&err);
    for (uint32_t i = batch->lo; i < batch->hi; i++) {
        tg_record *rec = batch->items[i];
        size_t before = writer->buf.len;
        if (rec->verdict != TG_KEEP && rec->verdict != TG_RETRY)
            continue;
        if (add_cell(writer, &rec->value, batch, &err)) {
            writer->buf.len = before;
            tg_record_reject(rec, "the value cannot be written to %s: %s",
                             name_of(writer), err.text);
            continue;
        }
        tg_buf_add(&writer->buf, "\n", 1);
        written++;
        int rc = writer->buf.len >= GATHER ? write_out(writer) : 0;
        if (rc)
            return rc;
    }
    return written;
}
