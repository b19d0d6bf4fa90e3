/*
 * JSON Schemas and values: the first byte chooses settings, the rest up to a
 * NUL is a schema, what follows is a value. What is read is written anew, and
 * that must be read again and written the same; the schema made from the
 * Connect schema must be one.
 */
#include "convert/jsonschema.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static tg_batch *batch;
static tg_site site;

static int checked(int rc, const tg_err *err)
{
    if (rc && ((err->code != TG_ERR_DATA && err->code != TG_ERR_LIMIT) ||
               !err->text[0]))
        abort();
    return rc;
}

static tg_cell *decode(const tg_schema *schema, const char *p, size_t len)
{
    tg_err err = {0};
    tg_cell *cell = &tg_batch_append(batch)->value;
    if (checked(tg_js_decode(schema, p, len, batch, cell, &site, &err), &err))
        return NULL;
    cell->state = TG_CELL_DECODED;
    return cell;
}

static void round_trip(const tg_schema *schema, const tg_js_settings *set,
                       const tg_cell *cell)
{
    tg_err err = {0};
    tg_buf one = {0}, two = {0};
    if (!checked(tg_js_encode(&one, &cell->value, schema, set, batch, &err),
                 &err) &&
        one.len) {
        const tg_cell *back = decode(schema, one.p, one.len);
        if (back &&
            !tg_js_encode(&two, &back->value, schema, set, batch, &err)) {
            const tg_cell *again = decode(schema, two.p, two.len);
            tg_buf three = {0};
            if (!again ||
                tg_js_encode(&three, &again->value, schema, set, batch, &err) ||
                two.len != three.len || memcmp(two.p, three.p, two.len) != 0)
                abort();
            tg_buf_fini(&three);
        }
    }
    tg_buf_fini(&one);
    tg_buf_fini(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 20000)
        return 0;
    if (!batch)
        batch = tg_batch_new(0, 64 << 20);
    tg_convert_init();
    uint8_t b = data[0];
    tg_js_settings set = {.generalized = b & 1,
                          .ignore_default = b & 2,
                          .flatten = b & 4,
                          .optional = b & 8,
                          .additional = b & 16,
                          .numeric = b & 32};
    char *text = tg_strndup((const char *)data + 1, size - 1);
    size_t len = strlen(text), rest = size - 1 - len;
    char *value = tg_alloc(rest + 1);
    if (rest)
        memcpy(value, data + 1 + len, rest);
    tg_err err = {0};
    const tg_schema *schema = tg_js_read(text, NULL, 0, &set, 0, &err);
    if (!schema) {
        checked(TG_ERR_DATA, &err);
    } else {
        char *own = tg_js_text(schema, &set);
        if (!tg_js_read(own, NULL, 0, &set, 0, &err))
            checked(TG_ERR_DATA, &err);
        const tg_cell *cell =
            decode(schema, value + (rest > 0), rest - (rest > 0));
        if (cell)
            round_trip(schema, &set, cell);
        tg_free(own);
    }
    tg_batch_reset(batch);
    tg_free(text);
    tg_free(value);
    return 0;
}
