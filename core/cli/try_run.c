/*
 * Running records through the chain of `tidegate try`: one at a time, from
 * lines or from a topic, and writing what became of each.
 *
 * Main thread; Ctrl-C sets a flag that the loops look at.
 */
#include "cli/options.h"
#include "cli/try.h"
#include "base/config.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { READ = 64 * 1024, FLUSH_BYTES = 64 * 1024, LINE_MAX_BYTES = 1 << 30 };

/* --- one record ----------------------------------------------------------- */

void tg__try_flush(tg__try *t)
{
    if (t->out.len && !t->broken)
        t->broken = !tg__write_all(STDOUT_FILENO, t->out.p, t->out.len);
    t->out.len = 0;
}

void tg__try_watch(void *ctx, int stage, const char *alias, tg_batch *batch)
{
    tg__try *t = ctx;
    char *name =
        stage < 0 ? tg_strdup("decoded") : tg_sprintf("transform %s", alias);

    for (uint32_t i = 0; i < batch->n; i++)
        if (batch->items[i]->verdict == TG_KEEP)
            tg__try_write_stage(&t->out, batch->items[i], &t->shape, &t->from,
                                name);
    tg_free(name);
}

static void put_error(tg__try *t, const char *text, size_t len,
                      const char *stage)
{
    t->failed = true;
    tg__try_write_error(&t->out, text, len, &t->from, stage);
}

/* The bytes of a sink's record: its task would not make them. */
static bool encode(tg__try *t, tg_record *rec)
{
    const char *where = "value.converter";
    tg_err err = {0};
    int rc = tg_cell_encode(&rec->value, t->shape.value, &err);

    if (!rc) {
        where = "key.converter";
        rc = tg_cell_encode(&rec->key, t->shape.key, &err);
    }
    for (uint32_t i = 0; !rc && i < rec->nheaders; i++) {
        where = "header.converter";
        rc = tg_cell_encode(&rec->headers[i].cell, t->shape.header, &err);
    }
    if (rc)
        put_error(t, err.text, strlen(err.text), where);
    return rc == 0;
}

static void put_record(tg__try *t, tg_record *rec)
{
    const char *why = rec->reason ? rec->reason : "rejected without a reason";
    size_t len = rec->reason ? rec->reasonlen : strlen(why);
    tg_error_stage stage;

    if (rec->verdict == TG_KEEP) {
        if (t->shape.source || encode(t, rec))
            tg__try_write(&t->out, rec, &t->from);
    } else if (rec->verdict == TG_DROP) {
        tg__try_write_dropped(&t->out, &t->from);
    } else {
        stage = tg_chain_stage(t->chain, rec);
        put_error(t, why, len, stage.what);
    }
}

/* The record in t->batch: through the chain, and out. Not 0: no more records
 * can be tried. */
static int run_record(tg__try *t)
{
    int rc = tg_chain_run(t->chain, t->batch, &t->fatal);

    if (rc) {
        put_error(t, t->fatal.text, strlen(t->fatal.text), NULL);
        tg__try_flush(t);
        return rc;
    }
    for (uint32_t i = 0; i < t->batch->n; i++)
        put_record(t, t->batch->items[i]);
    tg_vm_idle(t->vm);
    if (t->out.len >= FLUSH_BYTES)
        tg__try_flush(t);
    return t->broken ? TG_ERR_STOPPED : 0;
}

/* --- lines of a file ------------------------------------------------------ */

static bool is_blank(const char *p, size_t len)
{
    for (; len > 0; p++, len--)
        if (!strchr(" \t\r", *p) || !*p)
            return false;
    return true;
}

static int run_line(tg__try *t, const char *p, size_t len)
{
    json_t *root = NULL;
    tg_err err = {0};
    int rc = 0;

    t->shape.line++;
    if (is_blank(p, len))
        return 0;
    tg_batch_reset(t->batch);
    if (tg__try_read(&t->shape, t->batch, p, len, &root, &err)) {
        t->from = (tg__try_origin){.line = t->shape.line};
        put_error(t, err.text, strlen(err.text), NULL);
    } else {
        t->from = tg__try_origin_of(t->batch->items[0], t->shape.line);
        rc = run_record(t);
    }
    tg_batch_reset(t->batch);
    json_decref(root);
    return rc;
}

static void too_long(tg__try *t)
{
    char *text = tg_sprintf("the line is longer than %d bytes", LINE_MAX_BYTES);

    t->from = (tg__try_origin){.line = ++t->shape.line};
    put_error(t, text, strlen(text), NULL);
    tg_free(text);
}

/* Takes the complete lines out of the buffer; skip: inside a line that is too
 * long. */
static int run_lines(tg__try *t, tg_buf *in, bool *skip)
{
    char *p = in->p, *end = in->p + in->len, *eol;
    int rc = 0;

    while (rc == 0 && (eol = memchr(p, '\n', (size_t)(end - p)))) {
        if (!*skip)
            rc = run_line(t, p, (size_t)(eol - p));
        *skip = false;
        p = eol + 1;
    }
    in->len = (size_t)(end - p);
    memmove(in->p, p, in->len);
    if (*skip)
        in->len = 0;
    if (in->len > LINE_MAX_BYTES) {
        too_long(t);
        *skip = true;
        tg_buf_fini(in);
    }
    return rc;
}

static int read_lines(tg__try *t, int fd, tg_err *err)
{
    tg_buf in = {0};
    bool skip = false;
    size_t searched = 0;
    int rc = 0;

    while (rc == 0 && !tg__interrupted) {
        ssize_t n = read(fd, tg_buf_room(&in, READ), READ);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            rc = tg_err_set(err, TG_ERR_IO, "cannot read %s: %s", t->input_file,
                            strerror(errno));
            break;
        }
        if (n == 0) {
            if (in.len > 0 && !skip)
                rc = run_line(t, in.p, in.len);
            break;
        }
        searched = in.len; /* no line ends before it */
        in.len += (size_t)n;
        if (memchr(in.p + searched, '\n', (size_t)n) ||
            in.len > LINE_MAX_BYTES) {
            rc = run_lines(t, &in, &skip);
            tg__try_flush(t);
        }
    }
    tg_buf_fini(&in);
    return rc;
}

int tg__try_run_file(tg__try *t, tg_err *err)
{
    bool file = t->input_file && strcmp(t->input_file, "-") != 0;
    int fd = STDIN_FILENO, rc;

    if (!file)
        t->input_file = "standard input";
    else if ((fd = open(t->input_file, O_RDONLY | O_CLOEXEC)) < 0)
        return tg_err_set(err, TG_ERR_CONFIG, "cannot open %s: %s",
                          t->input_file, strerror(errno));
    rc = read_lines(t, fd, err);
    if (file)
        close(fd);
    return rc;
}

/* --- records of a topic --------------------------------------------------- */

static int run_live_record(void *ctx)
{
    tg__try *t = ctx;
    tg_record *rec = t->batch->items[0];
    int rc = 0;

    t->from = tg__try_origin_of(rec, 0);
    if (tg_record_headers(rec) < 0) {
        put_error(t, rec->reason, rec->reasonlen, "header.converter");
    } else {
        if (t->shape.source) { /* as if a source had made it */
            rec->origin_topic = NULL;
            rec->origin_topiclen = 0;
            rec->origin_partition = -1;
        }
        rc = run_record(t);
    }
    tg__try_flush(t);
    return rc;
}

int tg__try_run_topic(tg__try *t, tg_err *err)
{
    const char *name = json_string_value(json_object_get(t->connector, "name"));
    tg_client_scope scope = {.worker = t->worker,
                             .config = t->config,
                             .connector = name ? name : "try"};

    if (strncmp(tg_config_get(t->worker, "bootstrap.servers", ""),
                "embedded:", 9) == 0)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "bootstrap.servers=embedded: is a broker inside a "
                          "running worker: give the address that the worker "
                          "prints when it starts with --bootstrap");
    return tg__try_consume(&t->live, &scope, t->batch, run_live_record, t, err);
}
