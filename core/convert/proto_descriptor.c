/*
 * FileDescriptorProto (descriptor.proto) in its binary form, which some clients
 * register in base64 instead of the text. Read into the same structures; what
 * is not needed is passed over. Any thread.
 */
#include "convert/proto_file.h"
#include "convert/proto_lex.h"
#include "convert/protobuf_wire.h"

typedef struct reader {
    tg_proto_file *file;
    tg_err *err;
    int rc;
} reader;

/* One field of a descriptor. */
typedef struct item {
    uint32_t number;
    uint32_t wire;
    uint64_t v;   /* varint */
    tg_pb_in sub; /* bytes */
} item;

static int broken(reader *r)
{
    if (!r->rc)
        r->rc = tg_err_set(r->err, TG_ERR_DATA,
                           "protobuf %s: the schema is neither .proto text nor"
                           " a FileDescriptorProto in base64",
                           r->file->name);
    return r->rc;
}

/* The next field of in; false at the end and on failure. */
static bool take(reader *r, tg_pb_in *in, item *it)
{
    uint64_t key;
    if (r->rc || in->p == in->end)
        return false;
    if (!tg_pb_varint(in, &key) || key >> 3 == 0 || key >> 32) {
        broken(r);
        return false;
    }
    it->number = (uint32_t)(key >> 3);
    it->wire = (uint32_t)(key & 7);
    it->v = 0;
    it->sub = (tg_pb_in){0};
    bool good = it->wire == TG_PB_VARINT  ? tg_pb_varint(in, &it->v)
                : it->wire == TG_PB_BYTES ? tg_pb_bytes(in, &it->sub)
                                          : tg_pb_skip(in, (uint32_t)key, 0);
    if (!good)
        broken(r);
    return good;
}

static char *text_of(reader *r, const item *it)
{
    char *s = tg__proto_text(r->file->set, it->sub.p,
                             (size_t)(it->sub.end - it->sub.p), r->err);
    if (!s && !r->rc)
        r->rc = TG_ERR_LIMIT;
    return s;
}

/* Names are known before their block is made. */
static const char *name_in(reader *r, tg_pb_in in, uint32_t number)
{
    item it;
    const char *found = "";
    while (take(r, &in, &it))
        if (it.number == number && it.wire == TG_PB_BYTES)
            found = text_of(r, &it);
    return r->rc ? NULL : found;
}

static void read_param(reader *r, tg_proto_field *f, tg_pb_in in)
{
    const char *key = name_in(r, in, 1), *value = name_in(r, in, 2);
    if (!r->rc && tg__proto_add_param(r->file->set, f, key, value, r->err))
        r->rc = TG_ERR_LIMIT;
}

static void read_meta(reader *r, tg_proto_field *f, tg_pb_in in)
{
    item it;
    while (take(r, &in, &it))
        if (it.number == 2 && it.wire == TG_PB_BYTES)
            read_param(r, f, it.sub);
}

static void read_field_options(reader *r, tg_proto_field *f, tg_pb_in in)
{
    enum { PACKED = 2, FIELD_META = 1088 };
    item it;
    while (take(r, &in, &it)) {
        if (it.number == PACKED && it.wire == TG_PB_VARINT)
            f->packed_option = it.v ? 1 : 2;
        else if (it.number == FIELD_META && it.wire == TG_PB_BYTES)
            read_meta(r, f, it.sub);
    }
}

/* The default of bytes is C-escaped text. */
static void decode_default(reader *r, tg_proto_field *f)
{
    tg_buf out = {0};
    if (!tg__proto_unescape(&out, f->dflt))
        broken(r);
    f->dflt = tg__proto_text(r->file->set, out.p, out.len, r->err);
    f->dfltlen = (uint32_t)out.len;
    if (!f->dflt && !r->rc)
        r->rc = TG_ERR_LIMIT;
    tg_buf_fini(&out);
}

static void read_field(reader *r, tg_proto_message *m, tg_pb_in in)
{
    const char *name = name_in(r, in, 1);
    tg_proto_field *f = name ? tg__proto_add_field(m, name, r->err) : NULL;
    item it;
    if (!f) {
        r->rc = r->rc ? r->rc : TG_ERR_LIMIT;
        return;
    }
    while (take(r, &in, &it)) {
        switch (it.number) {
        case 3:
            f->number = (int32_t)it.v;
            break;
        case 4:
            f->label = it.v == 2   ? TG_PROTO_REQUIRED
                       : it.v == 3 ? TG_PROTO_REPEATED
                                   : TG_PROTO_OPTIONAL;
            break;
        case 5:
            f->type = it.v <= TG_PROTO_SINT64 ? (uint8_t)it.v : 0;
            break;
        case 6:
            f->type_name = text_of(r, &it);
            break;
        case 7:
            f->dflt = text_of(r, &it);
            f->dfltlen = (uint32_t)(it.sub.end - it.sub.p);
            break;
        case 8:
            read_field_options(r, f, it.sub);
            break;
        case 9:
            f->oneof = it.v < INT32_MAX ? (int32_t)it.v : INT32_MAX;
            break;
        case 17:
            f->presence = it.v != 0;
            break;
        default:
            break;
        }
    }
    if (f->number < 1 || f->number > TG_PROTO_NUMBER_MAX || !f->type)
        broken(r);
    if (f->dflt && f->type == TG_PROTO_BYTES)
        decode_default(r, f);
    if (!m->file->proto2 && f->label == TG_PROTO_OPTIONAL && !f->presence)
        f->label = TG_PROTO_PLAIN;
}

static void read_constant(reader *r, tg_proto_enum *e, tg_pb_in in)
{
    const char *name = name_in(r, in, 1);
    int32_t number = 0;
    item it;
    while (take(r, &in, &it))
        if (it.number == 2 && it.wire == TG_PB_VARINT)
            number = (int32_t)it.v;
    if (!r->rc && tg__proto_add_constant(e, name, number, r->err))
        r->rc = TG_ERR_LIMIT;
}

static void read_enum(reader *r, tg_proto_message *parent, tg_pb_in in)
{
    const char *name = name_in(r, in, 1);
    tg_proto_enum *e =
        name ? tg__proto_add_enum(r->file, parent, name, r->err) : NULL;
    item it;
    if (!e) {
        r->rc = r->rc ? r->rc : TG_ERR_LIMIT;
        return;
    }
    while (take(r, &in, &it))
        if (it.number == 2 && it.wire == TG_PB_BYTES)
            read_constant(r, e, it.sub);
}

static void read_message_options(reader *r, tg_proto_message *m, tg_pb_in in)
{
    item it;
    while (take(r, &in, &it))
        if (it.number == 7 && it.wire == TG_PB_VARINT)
            m->map_entry = it.v != 0;
}

/* Oneofs that only stand for proto3's optional come last and are dropped. */
static void settle_oneofs(reader *r, tg_proto_message *m)
{
    uint32_t real = 0;
    for (tg_proto_field *f = m->first; f; f = f->next) {
        if (f->oneof >= (int32_t)m->noneofs) {
            broken(r);
            return;
        }
        if (f->presence)
            f->oneof = -1;
        else if (f->oneof >= (int32_t)real)
            real = (uint32_t)f->oneof + 1;
    }
    m->noneofs = real;
}

static void read_message(reader *r, tg_proto_message *parent, tg_pb_in in,
                         int depth)
{
    const char *name = name_in(r, in, 1);
    tg_proto_message *m =
        name ? tg__proto_add_message(r->file, parent, name, r->err) : NULL;
    item it;
    if (!m || depth > TG_PROTO_DEPTH) {
        if (m)
            broken(r);
        r->rc = r->rc ? r->rc : TG_ERR_LIMIT;
        return;
    }
    while (take(r, &in, &it)) {
        if (it.wire != TG_PB_BYTES)
            continue;
        if (it.number == 2)
            read_field(r, m, it.sub);
        else if (it.number == 3)
            read_message(r, m, it.sub, depth + 1);
        else if (it.number == 4)
            read_enum(r, m, it.sub);
        else if (it.number == 7)
            read_message_options(r, m, it.sub);
        else if (it.number == 8) {
            const char *oneof = name_in(r, it.sub, 1);
            if (oneof && tg__proto_add_oneof(m, oneof, r->err) < 0)
                r->rc = TG_ERR_LIMIT;
        }
    }
    if (!r->rc)
        settle_oneofs(r, m);
}

/* Imports come before the list of which of them are public. */
static void mark_import(reader *r, uint64_t at, bool is_public)
{
    tg_proto_import *im = r->file->imports;
    for (; im && at; at--)
        im = im->next;
    if (im && is_public)
        im->is_public = true;
    else if (im)
        im->weak = true;
}

static void read_file(reader *r, const item *it)
{
    switch (it->number) {
    case 3: {
        const char *name = text_of(r, it);
        if (name && !tg__proto_add_import(r->file, name, r->err))
            r->rc = TG_ERR_LIMIT;
        break;
    }
    case 4:
        read_message(r, NULL, it->sub, 0);
        break;
    case 5:
        read_enum(r, NULL, it->sub);
        break;
    case 10:
    case 11:
        mark_import(r, it->v, it->number == 10);
        break;
    default:
        break;
    }
}

/* Package and syntax first: names and labels depend on them. */
static void read_head(reader *r, tg_pb_in in)
{
    item it;
    r->file->proto2 = true;
    while (take(r, &in, &it)) {
        if (it.wire != TG_PB_BYTES)
            continue;
        if (it.number == 2)
            r->file->package = text_of(r, &it);
        if (it.number != 12)
            continue;
        const char *syntax = text_of(r, &it);
        if (syntax && strcmp(syntax, "proto3") == 0)
            r->file->proto2 = false;
        else if (syntax && strcmp(syntax, "proto2") != 0)
            r->rc = tg_err_set(r->err, TG_ERR_DATA,
                               "protobuf %s: syntax \"%s\" is not supported;"
                               " supported are proto2 and proto3",
                               r->file->name, syntax);
    }
}

int tg__proto_descriptor(tg_proto_file *file, const uint8_t *p, size_t len,
                         tg_err *err)
{
    reader r = {.file = file, .err = err};
    tg_pb_in in = {(const char *)p, (const char *)p + len};
    item it;
    read_head(&r, in);
    while (take(&r, &in, &it))
        read_file(&r, &it);
    if (!r.rc && !file->messages && !file->enums)
        broken(&r);
    return r.rc;
}
