/*
 * Protobuf schemas and bytes: the first byte chooses settings, the rest up to a
 * NUL is a schema (.proto text or a descriptor in base64), what follows are
 * bytes of its first message. What is read is written by the schema made from
 * the Connect schema, must be read again, and then be written the same.
 */
#include "convert/protobuf.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static tg_batch *batch;

static int checked(int rc, const tg_err *err)
{
    if (rc && ((err->code != TG_ERR_DATA && err->code != TG_ERR_LIMIT) ||
               !err->text[0]))
        abort();
    return rc;
}

static tg_cell *decode(const tg_pb_reader *reader, const char *p, size_t len)
{
    tg_err err = {0};
    tg_cell *cell = &tg_batch_append(batch)->value;
    if (checked(tg_pb_decode(reader, p, len, batch, cell, &err), &err))
        return NULL;
    cell->state = TG_CELL_DECODED;
    return cell;
}

/* A schema that this project wrote, with its message. */
static tg_proto_set *made_for(const tg_schema *schema,
                              const tg_pb_settings *set,
                              const tg_proto_message **message)
{
    tg_err err = {0};
    char *name, *text = tg_pb_text(schema, set, &name, &err);
    tg_proto_set *made = NULL;
    if (!text)
        checked(TG_ERR_DATA, &err);
    else
        made = tg_proto_load(text, NULL, 0, &err);
    if (made)
        *message = tg_proto_message_find(made, name);
    tg_free(text);
    tg_free(name);
    return made;
}

static void round_trip(const tg_proto_message *m, const tg_pb_settings *set,
                       const tg_cell *from)
{
    tg_err err = {0};
    tg_buf out[3] = {{0}, {0}, {0}};
    tg_pb_reader *reader = tg_pb_reader_new(m, set, 0, &err);
    tg_pb_writer *one = tg_pb_writer_new(m, from->schema, set, &err), *two = 0;
    const tg_cell *cell = from;
    if (reader)
        two = tg_pb_writer_new(m, reader->schema, set, &err);
    for (int i = 0; i < 3 && one && two && cell; i++) {
        if (checked(tg_pb_encode(i ? two : one, &out[i], batch, NULL,
                                 &cell->value, &err),
                    &err)) {
            if (i)
                abort();
            break;
        }
        cell = decode(reader, out[i].p ? out[i].p : "", out[i].len);
        if (i == 2 &&
            (out[1].len != out[2].len ||
             (out[1].len && memcmp(out[1].p, out[2].p, out[1].len) != 0)))
            abort();
    }
    for (int i = 0; i < 3; i++)
        tg_buf_fini(&out[i]);
    tg_pb_writer_free(one);
    tg_pb_writer_free(two);
    tg_pb_reader_free(reader);
}

static void run(const tg_proto_set *set, const tg_pb_settings *how,
                const char *p, size_t len)
{
    static const int32_t path[] = {0};
    tg_err err = {0};
    const tg_proto_message *m = tg_proto_message_at(set, path, 1), *to = NULL;
    tg_pb_reader *reader = m ? tg_pb_reader_new(m, how, 0, &err) : NULL;
    if (m && !reader)
        checked(TG_ERR_DATA, &err);
    const tg_cell *cell = reader ? decode(reader, p, len) : NULL;
    tg_proto_set *made = cell ? made_for(cell->schema, how, &to) : NULL;
    if (made && to)
        round_trip(to, how, cell);
    tg_proto_free(made);
    tg_pb_reader_free(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 20000)
        return 0;
    if (!batch)
        batch = tg_batch_new(0, 64 << 20);
    tg_convert_init();
    uint8_t b = data[0];
    tg_pb_settings how = {.scrub = true,
                          .index_unions = true,
                          .wrapper_raw = true,
                          .optional_proto2 = (b & 1) == 0,
                          .optional_nullables = b & 2,
                          .wrapper_nullables = b & 4,
                          .struct_nulls = b & 8,
                          .flatten = b & 16,
                          .int_enums = b & 32,
                          .enhanced = b & 64,
                          .generalized = b & 128};
    char *text = tg_strndup((const char *)data + 1, size - 1);
    size_t len = strlen(text), rest = size - 1 - len;
    char *bytes = tg_alloc(rest + 1);
    if (rest)
        memcpy(bytes, data + 1 + len, rest);
    tg_err err = {0};
    tg_proto_set *set = tg_proto_load(text, NULL, 0, &err);
    if (!set)
        checked(TG_ERR_DATA, &err);
    else
        run(set, &how, bytes + (rest > 0), rest - (rest > 0));
    tg_proto_free(set);
    tg_batch_reset(batch);
    tg_free(text);
    tg_free(bytes);
    return 0;
}
