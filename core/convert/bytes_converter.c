/*
 * ByteArrayConverter: bytes as they are, both ways. A decoded cell points at
 * the received bytes. Script thread.
 */
#include "convert/internal.h"

static int bytes_decode(const tg_converter *conv, tg_cell *cell,
                        tg_batch *batch, tg_err *err)
{
    (void)conv;
    (void)batch;
    (void)err;
    cell->value = (tg_value){
        .tag = TG_BYTES, .len = (uint32_t)cell->rawlen, .u.p = cell->raw};
    if (!cell->schema)
        cell->schema = tg_schema_of(TG_BYTES, 1, NULL);
    return 0;
}

static int bytes_encode(const tg_converter *conv, tg_cell *cell,
                        tg_batch *batch, tg_err *err)
{
    const tg_value *v = &cell->value;
    (void)conv;
    (void)batch;
    if (cell->schema && cell->schema->tag != TG_BYTES)
        return tg__converter_schema("ByteArrayConverter", cell->schema, err);
    if (cell->state == TG_CELL_NULL || v->tag <= TG_NULL)
        return tg__converter_null(cell);
    if (tg__java_tag(v, cell->schema) == TG_BYTES)
        return tg__converter_borrow(cell, v->u.p, v->len, err);
    return tg_err_set(err, TG_ERR_DATA,
                      "ByteArrayConverter is not compatible with objects of"
                      " type class %s; set StringConverter or JsonConverter,"
                      " or make bytes of the value",
                      tg__java_class(v, cell->schema));
}

static int bytes_configure(tg_converter *conv, const json_t *config,
                           tg_err *err)
{
    (void)config;
    (void)err;
    conv->null_schema = tg_schema_of(TG_BYTES, 1, NULL);
    conv->identity = tg__converter_identity(conv->ops, "");
    return 0;
}

const tg_converter_ops tg__bytes_ops = {
    .class_name = "org.apache.kafka.connect.converters.ByteArrayConverter",
    .short_name = "ByteArray",
    .decode = bytes_decode,
    .encode = bytes_encode,
    .configure = bytes_configure,
};
