/*
 * tg_transform_cost PLAN: what converters and transforms cost a record, with
 * the converters, the VM and the chain of a task, in batches.
 *
 * PLAN is a JSON file: {"batch", "seconds", "files": {"json", "envelope"},
 * "rows": [{"name", "topic", "input", "edit", "config"}]}. A row's records are
 * the lines of the file that input names; input "encode" takes those of
 * "envelope" and writes them with the row's value converter first. A row
 * decodes, runs its chain and encodes; with edit it has no chain: the host
 * changes the first field itself, so that the encoder has work to do.
 *
 * Prints a JSON object a row: {"name", "ns" (CPU time a record), "chain_ns" (of
 * it inside the transforms), "bytes" (of a record as read), "topic", "result"
 * (what became of the first record, as JSON)} or {"name", "error"}. One thread;
 * it is the only one that is timed.
 */
#include "base/config.h"
#include "base/file.h"
#include "base/log.h"
#include "base/page.h"
#include "task/chain.h"
#include "task/tools.h"
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { LINES_MAX = 256 << 20 };

typedef struct text {
    char *p;
    int32_t len;
} text;

typedef struct texts {
    text *items;
    uint32_t n, cap;
} texts;

typedef struct row {
    const json_t *config;
    text topic;
    bool edit;
    uint32_t batch_size;
    tg_vm *vm;
    tg_chain *chain;
    tg_batch *batch;
    texts input;
    double decoded, in_chain; /* CPU seconds: when; in all of its transforms */
} row;

static tg_page *page;

static double cpu(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The chain's watch: after decoding and after each transform of a batch. */
static void watch(void *ctx, int stage, const char *alias, tg_batch *batch)
{
    row *r = ctx;
    double now = cpu();

    (void)alias;
    (void)batch;
    if (stage >= 0)
        r->in_chain += now - r->decoded;
    r->decoded = now;
}

/* --- input ---------------------------------------------------------------- */

static void add_text(texts *list, const char *p, size_t len)
{
    if (list->n == list->cap) {
        list->cap = list->cap ? 2 * list->cap : 1024;
        list->items = tg_realloc(list->items, list->cap * sizeof *list->items);
    }
    char *copy = tg_realloc(NULL, len + 1);
    memcpy(copy, p, len);
    list->items[list->n++] = (text){.p = copy, .len = (int32_t)len};
}

static void free_texts(texts *list)
{
    for (uint32_t i = 0; i < list->n; i++)
        tg_free(list->items[i].p);
    tg_free(list->items);
    *list = (texts){0};
}

static int read_lines(texts *out, const char *path, tg_err *err)
{
    size_t len;
    char *whole = tg_file_read(path, LINES_MAX, &len, err);
    char *p = whole, *eol;

    if (!whole)
        return err->code;
    while ((eol = memchr(p, '\n', len - (size_t)(p - whole)))) {
        add_text(out, p, (size_t)(eol - p));
        p = eol + 1;
    }
    tg_free(whole);
    return out->n ? 0 : tg_err_set(err, TG_ERR_DATA, "%s has no lines", path);
}

static tg_cell *put_record(tg_batch *batch, const row *r,
                           const tg_converter *conv, const text *t)
{
    tg_record *rec = tg_batch_append(batch);

    rec->topic = r->topic.p;
    rec->topiclen = (uint32_t)r->topic.len;
    tg_cell_set_raw(&rec->value, conv, t->p, t->len);
    return &rec->value;
}

static tg_converter *json_converter(const char *schemas, tg_err *err)
{
    json_t *config = json_pack("{ss}", "schemas.enable", schemas);
    tg_converter *conv = tg_converter_new(
        "org.apache.kafka.connect.json.JsonConverter", config, "value", err);

    json_decref(config);
    return conv;
}

/* Writes the lines, JSON with schemas, anew with the row's converter. */
static int encode_input(row *r, tg_err *err)
{
    tg_converter *from = json_converter("true", err);
    texts out = {0};
    int rc = from ? 0 : err->code;

    for (uint32_t i = 0; rc == 0 && i < r->input.n; i++) {
        tg_batch_reset(r->batch);
        tg_cell *cell = put_record(r->batch, r, from, &r->input.items[i]);
        rc = tg_cell_decode(cell, err);
        if (rc == 0)
            rc = tg_cell_encode(cell, tg_chain_value(r->chain), err);
        if (rc == 0)
            add_text(&out, cell->out, (size_t)cell->outlen);
    }
    tg_batch_reset(r->batch);
    if (from)
        tg_converter_free(from);
    free_texts(&r->input);
    r->input = out;
    return rc;
}

static int open_row(row *r, const json_t *plan, const json_t *spec, tg_err *err)
{
    const char *input = json_string_value(json_object_get(spec, "input"));
    bool encode = input && strcmp(input, "encode") == 0;
    const char *path = json_string_value(json_object_get(
        json_object_get(plan, "files"), encode ? "envelope" : input));
    json_t *worker = json_object();
    int rc;

    r->config = json_object_get(spec, "config");
    r->topic.p =
        (char *)(uintptr_t)json_string_value(json_object_get(spec, "topic"));
    r->topic.len = (int32_t)strlen(r->topic.p);
    r->edit = json_is_true(json_object_get(spec, "edit"));
    r->batch_size =
        (uint32_t)json_integer_value(json_object_get(plan, "batch"));
    r->batch = tg_batch_new(0, 0);
    if (!path)
        rc = tg_err_set(err, TG_ERR_CONFIG, "the plan has no file \"%s\"",
                        input);
    else if (!(r->vm = tg_task_vm(worker, r->config, page, err)) ||
             !(r->chain = tg_chain_new(r->vm, worker, r->config, true, false,
                                       page, err)))
        rc = err->code;
    else
        rc = read_lines(&r->input, path, err);
    if (rc == 0 && encode)
        rc = encode_input(r, err);
    if (rc == 0)
        tg_chain_watch(r->chain, watch, r);
    json_decref(worker);
    return rc;
}

static void close_row(row *r)
{
    tg_batch_free(r->batch);
    tg_chain_free(r->chain);
    if (r->vm)
        tg_vm_free(r->vm);
    free_texts(&r->input);
}

/* --- running -------------------------------------------------------------- */

static int edit_batch(row *r, tg_err *err)
{
    const tg_converter *conv = tg_chain_value(r->chain);
    int rc = 0;

    for (uint32_t i = 0; rc == 0 && i < r->batch->n; i++) {
        tg_cell *cell = &r->batch->items[i]->value;
        rc = tg_cell_decode(cell, err);
        if (rc == 0 &&
            tg_put_int64(cell->value.u.node, 0, NULL, -1 - (int64_t)i))
            rc = tg_err_set(err, TG_ERR_DATA, "%s", tg_ffi_error());
        if (rc == 0)
            rc = tg_cell_encode(cell, conv, err);
    }
    return rc;
}

static int check_kept(const tg_batch *batch, tg_err *err)
{
    for (uint32_t i = 0; i < batch->n; i++) {
        const tg_record *rec = batch->items[i];
        if (rec->verdict != TG_KEEP)
            return tg_err_set(err, TG_ERR_DATA, "a record went: %.*s",
                              (int)rec->reasonlen,
                              rec->reason ? rec->reason : "");
    }
    return 0;
}

static int run_batch(row *r, uint32_t from, tg_err *err)
{
    const tg_converter *conv = tg_chain_value(r->chain);
    uint32_t to = from + r->batch_size;
    int rc;

    tg_batch_reset(r->batch);
    for (uint32_t i = from; i < to && i < r->input.n; i++)
        put_record(r->batch, r, conv, &r->input.items[i]);
    if (r->edit)
        return edit_batch(r, err);
    r->batch->lo = 0;
    r->batch->hi = r->batch->n;
    rc = tg_chain_run(r->chain, r->batch, err);
    tg_vm_idle(r->vm);
    return rc ? rc : check_kept(r->batch, err);
}

static int run_pass(row *r, tg_err *err)
{
    int rc = 0;

    for (uint32_t i = 0; rc == 0 && i < r->input.n; i += r->batch_size)
        rc = run_batch(r, i, err);
    return rc;
}

/* CPU seconds a record, in r->in_chain those of its transforms; a fifth of the
 * time before is spent warming up. */
static int measure(row *r, double seconds, double *cost, tg_err *err)
{
    double begin = cpu(), spent;
    uint64_t records = 0;
    int rc;

    do
        rc = run_pass(r, err);
    while (rc == 0 && cpu() - begin < seconds / 5);
    r->in_chain = 0;
    begin = cpu();
    do {
        rc = rc ? rc : run_pass(r, err);
        records += r->input.n;
        spent = cpu() - begin;
    } while (rc == 0 && spent < seconds);
    *cost = spent / (double)records;
    r->in_chain /= (double)records;
    return rc;
}

/* --- what came out -------------------------------------------------------- */

/* The first record of a batch as JSON, read back from its bytes. */
static json_t *result(row *r, tg_err *err)
{
    tg_converter *plain = json_converter("false", err);
    tg_batch *batch = tg_batch_new(0, 0);
    json_t *found = NULL;

    if (plain && run_batch(r, 0, err) == 0) {
        const tg_record *rec = r->batch->items[0];
        text out = {.p = (char *)(uintptr_t)rec->value.out,
                    .len = rec->value.outlen};
        tg_cell *cell = put_record(batch, r, tg_chain_value(r->chain), &out);
        if (tg_cell_decode(cell, err) == 0 &&
            tg_cell_encode(cell, plain, err) == 0)
            found = json_pack("{ss%ss%}", "topic", rec->topic,
                              (size_t)rec->topiclen, "result", cell->out,
                              (size_t)cell->outlen);
    }
    tg_batch_free(batch);
    if (plain)
        tg_converter_free(plain);
    return found;
}

static json_t *run_row(const json_t *plan, const json_t *spec)
{
    double seconds = json_number_value(json_object_get(plan, "seconds"));
    row r = {0};
    tg_err err = {0};
    double cost = 0;
    double chain = 0;
    json_t *found = NULL;

    if (open_row(&r, plan, spec, &err) == 0 &&
        measure(&r, seconds, &cost, &err) == 0) {
        chain = r.in_chain;
        found = result(&r, &err);
    }
    if (found) {
        json_object_set_new(found, "ns", json_real(cost * 1e9));
        json_object_set_new(found, "chain_ns", json_real(chain * 1e9));
        json_object_set_new(found, "bytes", json_integer(r.input.items[0].len));
    } else {
        found = json_pack("{ss}", "error", err.text);
    }
    json_object_set(found, "name", json_object_get(spec, "name"));
    close_row(&r);
    return found;
}

int main(int argc, char **argv)
{
    tg_err err = {0};
    json_error_t where;
    json_t *plan = NULL, *spec;
    size_t i;
    int fd = -1;

    if (argc != 2) {
        fprintf(stderr, "usage: tg_transform_cost PLAN\n");
        return 2;
    }
    tg_log_level = TG_LOG_WARN;
    plan = json_load_file(argv[1], 0, &where);
    if (!plan) {
        fprintf(stderr, "%s: %s\n", argv[1], where.text);
        return 2;
    }
    page = tg_page_new(&fd, &err);
    if (!page) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    json_array_foreach(json_object_get(plan, "rows"), i, spec)
    {
        json_t *found = run_row(plan, spec);
        json_dumpf(found, stdout, JSON_COMPACT);
        putchar('\n');
        fflush(stdout);
        json_decref(found);
    }
    tg_page_unmap(page);
    close(fd);
    json_decref(plan);
    return 0;
}
