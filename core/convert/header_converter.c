/*
 * SimpleHeaderConverter, Kafka Connect's default for headers. Received bytes
 * pass through as they are, unread, until a script or transform looks at a
 * header: then its type is inferred from the text (header_infer.h). Kafka
 * Connect prints headers that merely pass through anew (`1.0` becomes `1`);
 * here they keep their bytes, also when a script looked. Bytes that are no
 * UTF-8 read as bytes. Script thread.
 */
#include "convert/header_infer.h"
#include "convert/internal.h"
#include "convert/json_scan.h"

static int header_decode(const tg_converter *conv, tg_cell *cell,
                         tg_batch *batch, tg_err *err)
{
    size_t len = (size_t)cell->rawlen;
    (void)conv;
    (void)batch;
    if (!tg__utf8_check(cell->raw, len))
        return tg_header_infer(cell, cell->raw, (uint32_t)len, &cell->value,
                               &cell->schema, err);
    cell->value =
        (tg_value){.tag = TG_BYTES, .len = (uint32_t)len, .u.p = cell->raw};
    cell->schema = tg_schema_of(TG_BYTES, 0, NULL);
    return 0;
}

static int header_encode(const tg_converter *conv, tg_cell *cell,
                         tg_batch *batch, tg_err *err)
{
    const tg_value *v = &cell->value;
    uint32_t len;
    (void)conv;
    if (cell->state == TG_CELL_NULL || v->tag <= TG_NULL)
        return tg__converter_null(cell);
    if (v->tag == TG_STR || v->tag == TG_ESC) {
        const char *p = tg_value_text(batch, v, &len);
        return p ? tg__converter_borrow(cell, p, len, err)
                 : tg__converter_full(err);
    }
    tg_buf *out = tg__converter_scratch();
    int rc = tg_header_text(out, batch, v, cell->schema, err);
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
