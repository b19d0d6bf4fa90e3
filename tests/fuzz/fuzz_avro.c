/*
 * Avro schemas and bytes: the first byte chooses settings, the rest up to a
 * line end is a schema, what follows are bytes of it. What is taken and written
 * anew must be taken again and then be written the same; also by the Avro
 * schema made from the Connect schema.
 */
#include "convert/avro.h"
#include "data/node.h"
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

static tg_cell *decode(const tg_avro_plan *plan, const char *p, size_t len,
                       const tg_schema *schema)
{
    tg_err err = {0};
    tg_cell *cell = &tg_batch_append(batch)->value;
    if (checked(tg__avro_decode(plan, p, len, batch, cell, &site, &cell->value,
                                &err),
                &err))
        return NULL;
    cell->schema = schema;
    cell->state = TG_CELL_DECODED;
    return cell;
}

/* Writes v, reads that and writes it again: the same bytes. False when the
 * value cannot be written. */
static bool round_trip(tg_avro_doc *doc, const tg_schema *schema,
                       const tg_avro_settings *set, const tg_value *v)
{
    tg_err err = {0};
    tg_buf one = {0}, two = {0};
    bool ok = false;
    const tg_avro_out *out =
        tg__avro_out(doc, doc->root, schema, set, true, &err);
    if (!out) {
        checked(TG_ERR_DATA, &err);
        return false;
    }
    if (!checked(tg__avro_encode(out, &one, batch, v, &err), &err)) {
        const tg_avro_plan *plan =
            tg__avro_plan(doc, doc->root, schema, set, &err);
        tg_cell *back =
            plan ? decode(plan, one.p ? one.p : "", one.len, schema) : NULL;
        if (!back || tg__avro_encode(out, &two, batch, &back->value, &err) ||
            one.len != two.len || (one.len && memcmp(one.p, two.p, one.len)))
            abort();
        ok = true;
    }
    tg_buf_fini(&one);
    tg_buf_fini(&two);
    return ok;
}

static void derived(const tg_schema *schema, const tg_avro_settings *set,
                    const tg_value *v)
{
    tg_err err = {0};
    char *text = tg__avro_text(schema, set, &err);
    if (!text) {
        checked(TG_ERR_DATA, &err);
        return;
    }
    tg_registry_schema own = {.text = text};
    tg_avro_doc *doc = tg__avro_parse(&own, &err);
    if (doc) {
        const tg_schema *again =
            schema ? tg__avro_connect(doc, doc->root, set, 0, &err) : NULL;
        const tg_avro_out *out =
            tg__avro_out(doc, doc->root, schema, set, true, &err);
        const tg_avro_plan *plan =
            out && (again || !schema)
                ? tg__avro_plan(doc, doc->root, again, set, &err)
                : NULL;
        tg_buf bytes = {0};
        if (plan && !tg__avro_encode(out, &bytes, batch, v, &err) &&
            !decode(plan, bytes.p ? bytes.p : "", bytes.len, again))
            abort();
        tg_buf_fini(&bytes);
        tg__avro_free(doc);
    } else {
        checked(TG_ERR_DATA, &err);
    }
    tg_free(text);
}

static void run(const tg_avro_settings *set, const char *schema_text,
                const char *p, size_t len)
{
    tg_err err = {0};
    tg_registry_schema own = {.text = schema_text};
    tg_avro_doc *doc = tg__avro_parse(&own, &err);
    const tg_schema *schema = NULL;
    if (!doc) {
        checked(TG_ERR_DATA, &err);
        return;
    }
    bool none = tg__avro_schemaless(doc->root);
    if (!none)
        schema = tg__avro_connect(doc, doc->root, set, 1, &err);
    if (schema || none) {
        const tg_avro_plan *plan =
            tg__avro_plan(doc, doc->root, schema, set, &err);
        tg_cell *cell = plan ? decode(plan, p, len, schema) : NULL;
        if (cell && cell->value.tag > TG_NULL) {
            round_trip(doc, schema, set, &cell->value);
            derived(schema, set, &cell->value);
        }
    } else {
        checked(TG_ERR_DATA, &err);
    }
    tg__avro_free(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *line = size > 1 ? memchr(data + 1, '\n', size - 1) : NULL;
    if (!line)
        return 0;
    if (!batch) {
        tg_convert_init();
        batch = tg_batch_new(0, 64 << 20);
    }
    const tg_avro_settings set = {.enhanced = data[0] & 1,
                                  .generalized = data[0] & 2,
                                  .meta = !(data[0] & 4),
                                  .scrub = data[0] & 8,
                                  .discard = data[0] & 16,
                                  .flatten = !(data[0] & 32),
                                  .optional_keys = data[0] & 64,
                                  .ignore_default = data[0] & 128};
    char *schema =
        tg_strndup((const char *)data + 1, (size_t)(line - data - 1));
    size_t len = size - (size_t)(line + 1 - data);
    char *bytes = malloc(len + !len);
    if (len)
        memcpy(bytes, line + 1, len);
    run(&set, schema, bytes, len);
    tg_batch_reset(batch);
    free(bytes);
    tg_free(schema);
    return 0;
}
