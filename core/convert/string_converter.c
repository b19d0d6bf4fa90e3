/*
 * StringConverter: text in converter.encoding. With UTF-8 nothing is copied or
 * checked: a decoded cell points at the received bytes and is marked new, so
 * that a JSON encoder scans it. Values that are no strings are written as
 * Java's toString() prints them. Script thread.
 */
#include "base/config.h"
#include "convert/charset.h"
#include "convert/internal.h"
#include "convert/java_text.h"

static tg_charset charset_of(const tg_converter *conv)
{
    return *(const tg_charset *)conv->impl;
}

static int string_decode(const tg_converter *conv, tg_cell *cell,
                         tg_batch *batch, tg_err *err)
{
    tg_value v = {.tag = TG_STR,
                  .flags = TG_F_NEW,
                  .len = (uint32_t)cell->rawlen,
                  .u.p = cell->raw};
    if (charset_of(conv) != TG_UTF8) {
        tg_buf *text = tg__converter_scratch();
        tg_charset_decode(text, charset_of(conv), cell->raw,
                          (size_t)cell->rawlen);
        char *p = tg_arena_alloc(batch->arena, text->len);
        if (!p)
            return tg__converter_full(err);
        if (text->len)
            memcpy(p, text->p, text->len);
        v.u.p = p;
        v.len = (uint32_t)text->len;
    }
    cell->value = v;
    if (!cell->schema)
        cell->schema = tg_schema_of(TG_STR, 1, NULL);
    return 0;
}

static int string_encode(const tg_converter *conv, tg_cell *cell,
                         tg_batch *batch, tg_err *err)
{
    const tg_value *v = &cell->value;
    tg_charset charset = charset_of(conv);
    const char *p;
    uint32_t len;
    if (cell->state == TG_CELL_NULL || v->tag == TG_NULL)
        return tg__converter_null(cell);
    if (v->tag == TG_BYTES && !(cell->schema && cell->schema->name))
        return tg__converter_borrow(cell, v->u.p, v->len, err);
    if (v->tag == TG_STR || v->tag == TG_ESC) {
        p = tg_value_text(batch, v, &len);
        if (!p)
            return tg__converter_full(err);
        if (charset == TG_UTF8)
            return tg__converter_borrow(cell, p, len, err);
        tg_buf *out = tg__converter_scratch();
        tg_charset_encode(out, charset, p, len);
        return tg__converter_emit(cell, batch, out, err);
    }
    tg_buf text = {0};
    int rc = tg_java_text(&text, batch, v, cell->schema, err);
    tg_buf *out = tg__converter_scratch();
    if (!rc) {
        tg_charset_encode(out, charset, text.p, text.len);
        rc = tg__converter_emit(cell, batch, out, err);
    }
    tg_buf_fini(&text);
    return rc;
}

static int string_configure(tg_converter *conv, const json_t *config,
                            tg_err *err)
{
    const char *name = tg_config_get(config, "converter.encoding", "UTF-8");
    tg_charset charset;
    if (!tg_charset_parse(name, &charset))
        return tg_err_set(err, TG_ERR_CONFIG,
                          "converter.encoding is \"%s\"; StringConverter knows"
                          " UTF-8, ISO-8859-1, US-ASCII, UTF-16, UTF-16BE and"
                          " UTF-16LE",
                          name);
    conv->impl = tg_alloc(sizeof charset);
    memcpy(conv->impl, &charset, sizeof charset);
    conv->null_schema = tg_schema_of(TG_STR, 1, NULL);
    conv->identity =
        tg__converter_identity(conv->ops, tg_charset_name(charset));
    return 0;
}

static void string_fini(tg_converter *conv)
{
    tg_free(conv->impl);
}

const tg_converter_ops tg__string_ops = {
    .class_name = "org.apache.kafka.connect.storage.StringConverter",
    .short_name = "String",
    .decode = string_decode,
    .encode = string_encode,
    .configure = string_configure,
    .fini = string_fini,
};
