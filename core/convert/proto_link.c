/*
 * Linking of Protobuf schemas: names of types are looked up from the innermost
 * scope outwards, in the file, what it imports and what those pass on; numbers
 * and names are checked to be unique; lists become arrays. Any thread.
 */
#include "convert/proto_file.h"
#include <stdio.h>
#include <stdlib.h>

typedef struct linker {
    tg_proto_set *set;
    tg_err *err;
} linker;

typedef struct found {
    tg_proto_message *message;
    tg_proto_enum *enumeration;
} found;

/* --- types by name -------------------------------------------------------- */

static tg_proto_enum *enum_of(tg_proto_enum *list, const char *full)
{
    for (; list; list = list->next)
        if (strcmp(list->full, full) == 0)
            return list;
    return NULL;
}

static bool in_messages(tg_proto_message *m, const char *full, found *out)
{
    for (; m; m = m->next) {
        size_t len = strlen(m->full);
        if (strncmp(full, m->full, len) != 0)
            continue;
        if (!full[len]) {
            out->message = m;
            return true;
        }
        if (full[len] != '.')
            continue;
        out->enumeration = enum_of(m->enums, full);
        if (out->enumeration || in_messages(m->nested, full, out))
            return true;
    }
    return false;
}

static bool in_file(const tg_proto_file *f, const char *full, found *out)
{
    out->enumeration = enum_of(f->enums, full);
    return out->enumeration || in_messages(f->messages, full, out);
}

/* What f imports; of imported files only what they pass on. */
static bool in_imports(const tg_proto_file *f, const char *full, bool all,
                       int depth, found *out)
{
    for (const tg_proto_import *im = f->imports; im; im = im->next) {
        if (!im->file || (!all && !im->is_public))
            continue;
        if (in_file(im->file, full, out) ||
            (depth < TG_PROTO_DEPTH &&
             in_imports(im->file, full, false, depth + 1, out)))
            return true;
    }
    return false;
}

static bool visible(const tg_proto_file *f, const char *full, found *out)
{
    return in_file(f, full, out) || in_imports(f, full, true, 0, out);
}

/* A name as written inside a scope ("a.b.M"): the scope loses its last part
 * until the name is known. */
static bool resolve(const tg_proto_file *f, const char *scope,
                    const char *written, found *out)
{
    if (*written == '.')
        return visible(f, written + 1, out);
    char *full = tg_alloc(strlen(scope) + strlen(written) + 2);
    size_t len = strlen(scope);
    bool known = false;
    for (;;) {
        memcpy(full, scope, len);
        if (len)
            full[len++] = '.';
        strcpy(full + len, written);
        known = visible(f, full, out);
        len -= len > 0;
        if (known || len == 0)
            break;
        while (len > 0 && scope[len - 1] != '.')
            len--;
        len -= len > 0;
    }
    tg_free(full);
    return known;
}

/* --- checks --------------------------------------------------------------- */

static int wrong(linker *l, const tg_proto_message *m, const tg_proto_field *f,
                 const char *what)
{
    return tg_err_set(l->err, TG_ERR_DATA,
                      "protobuf %s, line %u: field %s.%s %s", m->file->name,
                      f->line, m->full, f->name, what);
}

static int by_number(const void *a, const void *b)
{
    const tg_proto_field *x = *(tg_proto_field *const *)a;
    const tg_proto_field *y = *(tg_proto_field *const *)b;
    return (x->number > y->number) - (x->number < y->number);
}

static int by_name(const void *a, const void *b)
{
    const tg_proto_field *x = *(tg_proto_field *const *)a;
    const tg_proto_field *y = *(tg_proto_field *const *)b;
    return strcmp(x->name, y->name);
}

static int check_unique(linker *l, const tg_proto_message *m)
{
    uint32_t n = m->nfields;
    tg_proto_field **list = tg_alloc((n + 1) * sizeof *list);
    int rc = 0;
    memcpy(list, m->fields, n * sizeof *list);
    qsort(list, n, sizeof *list, by_number);
    for (uint32_t i = 1; i < n && !rc; i++)
        if (list[i]->number == list[i - 1]->number)
            rc = wrong(l, m, list[i], "has the number of another field");
    if (!rc)
        qsort(list, n, sizeof *list, by_name);
    for (uint32_t i = 1; i < n && !rc; i++)
        if (strcmp(list[i]->name, list[i - 1]->name) == 0)
            rc = wrong(l, m, list[i], "exists twice");
    tg_free(list);
    return rc;
}

static bool packable(const tg_proto_field *f)
{
    return f->label == TG_PROTO_REPEATED && f->type != TG_PROTO_STRING &&
           f->type != TG_PROTO_BYTES && f->type != TG_PROTO_MESSAGE &&
           f->type != TG_PROTO_GROUP;
}

static int link_field(linker *l, tg_proto_message *m, tg_proto_field *f)
{
    found to = {0};
    bool named = !f->type || f->type == TG_PROTO_MESSAGE ||
                 f->type == TG_PROTO_GROUP || f->type == TG_PROTO_ENUM;
    if (named && !f->message && !f->enumeration) {
        if (!f->type_name || !resolve(m->file, m->full, f->type_name, &to)) {
            char what[200];
            snprintf(what, sizeof what,
                     "has the type %.100s, which is not defined",
                     f->type_name ? f->type_name : "(none)");
            return wrong(l, m, f, what);
        }
        f->message = to.message;
        f->enumeration = to.enumeration;
        if (f->type != TG_PROTO_GROUP)
            f->type = to.message ? TG_PROTO_MESSAGE : TG_PROTO_ENUM;
        else if (!to.message)
            return wrong(l, m, f, "is a group of an enum");
    }
    if (f->number >= 19000 && f->number <= 19999)
        return wrong(l, m, f,
                     "has a number between 19000 and 19999, which Protobuf"
                     " keeps for itself");
    if (f->enumeration && !f->enumeration->first)
        return wrong(l, m, f, "has an enum without constants");
    f->packed = packable(f) && (f->packed_option == 1 ||
                                (!f->packed_option && !m->file->proto2));
    return 0;
}

static int link_messages(linker *l, tg_proto_message *m)
{
    for (; m; m = m->next) {
        int rc = 0;
        uint32_t n = 0;
        m->fields =
            tg__proto_alloc(l->set, (m->nfields + 1) * sizeof(void *), l->err);
        if (!m->fields)
            return TG_ERR_LIMIT;
        for (tg_proto_field *f = m->first; f && !rc; f = f->next) {
            m->fields[n++] = f;
            rc = link_field(l, m, f);
        }
        if (!rc)
            rc = check_unique(l, m);
        if (!rc)
            rc = link_messages(l, m->nested);
        if (rc)
            return rc;
    }
    return 0;
}

int tg__proto_link(tg_proto_set *set, tg_err *err)
{
    linker l = {set, err};
    for (tg_proto_file *f = set->files; f; f = f->next) {
        int rc = link_messages(&l, f->messages);
        if (rc)
            return rc;
    }
    return 0;
}
