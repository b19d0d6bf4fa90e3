/*
 * JsonConverter with schemas: envelopes, schemas, defaults, decimals. What is
 * taken and written anew must be taken again and then be written the same. A
 * first line that ends within the input is also tried as schema.content for the
 * rest: what is read with it is written as an envelope.
 */
#include "convert/converter.h"
#include "convert/json.h"
#include "data/node.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static tg_batch *batch;
static tg_converter *convs[3];

static void setup(void)
{
    static const char *const formats[] = {"BASE64", "NUMERIC", "BASE64"};
    batch = tg_batch_new(0, 0);
    for (int i = 0; i < 3; i++) {
        json_t *config =
            json_pack("{s:s, s:s}", "decimal.format", formats[i],
                      "replace.null.with.default", i < 2 ? "true" : "false");
        convs[i] = tg_converter_new("JsonConverter", config, "value", NULL);
        json_decref(config);
    }
}

static void mark_all(const tg_value *v)
{
    if (v->tag < TG_ARRAY)
        return;
    if (tg_node_touch(v->u.node))
        abort();
    for (uint32_t i = 0; i < v->u.node->n; i++)
        mark_all(&v->u.node->slots[i]);
}

/* Decodes and writes everything anew; NULL when it is refused. */
static tg_cell *rewrite(const tg_converter *conv, const char *p, size_t len)
{
    tg_err err = {0};
    tg_cell *cell = &tg_batch_append(batch)->value;
    tg_cell_set_raw(cell, conv, p, (int32_t)len);
    if (tg_cell_decode(cell, &err)) {
        if (err.code != TG_ERR_DATA || !err.text[0])
            abort();
        return NULL;
    }
    mark_all(&cell->value);
    cell->dirty = 1;
    if (tg_cell_encode(cell, conv, &err)) {
        if (err.code != TG_ERR_DATA || !err.text[0])
            abort();
        return NULL;
    }
    return cell;
}

static void with_content(const char *text, size_t size)
{
    const char *line = size ? memchr(text, '\n', size) : NULL;
    tg_err err = {0};
    if (!line || memchr(text, 0, (size_t)(line - text)))
        return;
    char *schema = tg_strndup(text, (size_t)(line - text));
    json_t *content = json_string(schema);
    json_t *config = json_object();
    json_object_set_new(config, "schema.content", content);
    tg_converter *conv =
        content ? tg_converter_new("JsonConverter", config, "value", &err)
                : NULL;
    if (content && !conv && (err.code != TG_ERR_CONFIG || !err.text[0]))
        abort();
    if (conv && conv->identity == 0) {
        size_t len = size - (size_t)(line + 1 - text);
        tg_cell *cell = rewrite(conv, line + 1, len);
        if (cell && cell->outlen >= 0 &&
            !rewrite(convs[0], cell->out, (size_t)cell->outlen))
            abort();
    }
    tg_batch_reset(batch);
    tg_converter_free(conv);
    json_decref(config);
    tg_free(schema);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!batch)
        setup();
    char *text = malloc(size + !size);
    if (size)
        memcpy(text, data, size);
    for (int i = 0; i < 3; i++) {
        tg_batch_reset(batch);
        tg_cell *cell = rewrite(convs[i], text, size);
        if (!cell || cell->outlen < 0)
            continue;
        tg_cell *again = rewrite(convs[i], cell->out, (size_t)cell->outlen);
        if (!again || again->outlen != cell->outlen ||
            memcmp(again->out, cell->out, (size_t)cell->outlen) != 0)
            abort();
        tg_err err = {0};
        tg_cell_encode(cell, convs[(i + 1) % 3], &err);
        tg_cell_encode(cell, tg_converter_named("string"), &err);
        tg_cell_encode(cell, tg_converter_named("json"), &err);
    }
    tg_batch_reset(batch);
    with_content(text, size);
    free(text);
    return 0;
}
