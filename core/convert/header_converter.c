/*
 * SimpleHeaderConverter, Kafka Connect's default for headers. Received bytes
 * pass through as they are until a script looks at a header; then they read as
 * a string, or as bytes where they are no UTF-8. Kafka Connect guesses numbers,
 * dates, lists and maps from the text and so changes headers that merely pass
 * through (`1.0` becomes `1`); the guessing of types for scripts belongs to
 * the work on records and transforms and is not done here.
 *
 * Written are strings as their text, numbers and booleans as text, bytes as
 * base64, lists and maps as JSON. Script thread.
 */
#include "convert/base64.h"
#include "convert/internal.h"
#include "convert/java_text.h"
#include "convert/json_scan.h"

static int header_decode(const tg_converter *conv, tg_cell *cell,
                         tg_batch *batch, tg_err *err)
{
    (void)conv;
    (void)batch;
    (void)err;
    size_t len = (size_t)cell->rawlen;
    bool text = !tg__utf8_check(cell->raw, len);
    cell->value = (tg_value){.tag = text ? TG_STR : TG_BYTES,
                             .flags = text ? TG_F_NEW : 0,
                             .len = (uint32_t)len,
                             .u.p = cell->raw};
    if (!cell->schema)
        cell->schema = tg_schema_of(text ? TG_STR : TG_BYTES, 1, NULL);
    return 0;
}

static int header_encode(const tg_converter *conv, tg_cell *cell,
                         tg_batch *batch, tg_err *err)
{
    const tg_value *v = &cell->value;
    tg_buf *out = tg__converter_scratch();
    uint32_t len;
    int rc = 0;
    (void)conv;
    if (cell->state == TG_CELL_NULL || v->tag == TG_NULL)
        return tg__converter_null(cell);
    if (v->tag == TG_STR || v->tag == TG_ESC) {
        const char *p = tg_value_text(batch, v, &len);
        return p ? tg__converter_borrow(cell, p, len, err)
                 : tg__converter_full(err);
    }
    if (v->tag == TG_BYTES) {
        size_t size = tg_base64_size(v->len);
        tg_base64_encode(tg_buf_room(out, size), v->u.p, v->len);
        out->len = size;
    } else if (v->tag >= TG_ARRAY) {
        rc = tg_json_encode(out, v, err);
    } else {
        rc = tg_java_text(out, batch, v, cell->schema, err);
    }
    return rc ? rc : tg__converter_emit(cell, batch, out, err);
}

static int header_configure(tg_converter *conv, const json_t *config,
                            tg_err *err)
{
    (void)config;
    (void)err;
    conv->identity = tg__converter_identity(conv->ops, "");
    return 0;
}

const tg_converter_ops tg__header_ops = {
    .class_name = "org.apache.kafka.connect.storage.SimpleHeaderConverter",
    .short_name = "SimpleHeader",
    .decode = header_decode,
    .encode = header_encode,
    .configure = header_configure,
};
