/*
 * Input lines of `tidegate try`. A line that is taken is written again, and
 * what was written must read as the same record; what is refused must come with
 * a sentence. The first byte chooses converters and kind of record.
 */
#include "cli/json_out.c" /* NOLINT: the command's files are in no library */
#include "cli/try_line.c" /* NOLINT */
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static tg_batch *batch, *again;

static const tg_converter *converter(int which)
{
    static const char *const names[] = {"bytes", "string", "json"};

    return tg_converter_named(names[which % 3]);
}

static bool same_bytes(const tg_cell *a, const tg_cell *b)
{
    return (a->raw == NULL) == (b->raw == NULL) && a->rawlen == b->rawlen &&
           (a->rawlen == 0 || memcmp(a->raw, b->raw, (size_t)a->rawlen) == 0);
}

static void check_same(const tg_record *a, const tg_record *b)
{
    if (a->topiclen != b->topiclen ||
        memcmp(a->topic, b->topic, a->topiclen) != 0 ||
        a->partition != b->partition || a->timestamp != b->timestamp ||
        a->origin_offset != b->origin_offset || a->nheaders != b->nheaders ||
        !same_bytes(&a->key, &b->key) || !same_bytes(&a->value, &b->value))
        abort();
    for (uint32_t i = 0; i < a->nheaders; i++)
        if (a->headers[i].namelen != b->headers[i].namelen ||
            memcmp(a->headers[i].name, b->headers[i].name,
                   a->headers[i].namelen) != 0 ||
            !same_bytes(&a->headers[i].cell, &b->headers[i].cell))
            abort();
}

/* Bytes go out as they came: nothing was decoded. */
static void check_written(const tg__try_shape *shape)
{
    tg_record *rec = batch->items[0];
    tg__try_origin from = tg__try_origin_of(rec, shape->line);
    json_t *root = NULL;
    tg_buf out = {0};
    tg_err err = {0};

    tg__try_write_stage(&out, rec, shape, &from, NULL);
    if (out.len == 0 || out.p[out.len - 1] != '\n' ||
        memchr(out.p, '\n', out.len - 1))
        abort();
    if (tg__try_read(shape, again, out.p, out.len - 1, &root, &err))
        abort();
    check_same(rec, again->items[0]);
    tg_batch_reset(again);
    json_decref(root);
    tg_buf_fini(&out);
}

static void check_refusal(const tg__try_shape *shape, const tg_err *err)
{
    tg__try_origin from = {.line = shape->line};
    tg_buf out = {0};

    if (!err->code || !err->text[0])
        abort();
    tg__try_write_error(&out, err->text, strlen(err->text), &from, "x\xff");
    json_t *line = json_loadb(out.p, out.len, 0, NULL);
    if (!json_is_string(json_object_get(line, "error")))
        abort();
    json_decref(line);
    tg_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *root = NULL;
    tg_err err = {0};
    char *text;

    if (size == 0)
        return 0;
    if (!batch) {
        batch = tg_batch_new(0, 0);
        again = tg_batch_new(0, 0);
    }
    tg__try_shape shape = {.key = converter(data[0]),
                           .value = converter(data[0] / 3),
                           .header = converter(data[0] / 9),
                           .source = data[0] >= 128,
                           .topic = "topic",
                           .line = 7};
    text = malloc(size);
    memcpy(text, data + 1, size - 1);
    if (tg__try_read(&shape, batch, text, size - 1, &root, &err))
        check_refusal(&shape, &err);
    else
        check_written(&shape);
    free(text);
    tg_batch_reset(batch);
    json_decref(root);
    return 0;
}
