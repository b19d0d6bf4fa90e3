/*
 * Loading of Protobuf schemas: the file, then everything it imports (given
 * sources first, well-known files else), then linking (proto_link.c). All
 * memory is the set's arena, which is limited, so that no schema text can take
 * more. Any thread.
 */
#include "convert/proto_file.h"
#include "convert/base64.h"

enum { SET_LIMIT = 64 << 20, FILES_MAX = 1000 };

/* --- memory and lists ----------------------------------------------------- */

void *tg__proto_alloc(tg_proto_set *set, size_t n, tg_err *err)
{
    void *p = tg_arena_alloc(&set->arena, n);
    if (!p) {
        tg_err_set(err, TG_ERR_LIMIT,
                   "a Protobuf schema takes more than %d MB of memory",
                   SET_LIMIT >> 20);
        return NULL;
    }
    memset(p, 0, n);
    return p;
}

char *tg__proto_text(tg_proto_set *set, const char *p, size_t len, tg_err *err)
{
    char *s = tg__proto_alloc(set, len + 1, err);
    if (s && len)
        memcpy(s, p, len);
    return s;
}

static const char *full_name(tg_proto_file *file,
                             const tg_proto_message *parent, const char *name,
                             tg_err *err)
{
    const char *scope = parent ? parent->full : file->package;
    bool dot = scope && *scope;
    char *full = tg_sprintf("%s%s%s", dot ? scope : "", dot ? "." : "", name);
    const char *kept = tg__proto_text(file->set, full, strlen(full), err);
    tg_free(full);
    return kept;
}

tg_proto_message *tg__proto_add_message(tg_proto_file *file,
                                        tg_proto_message *parent,
                                        const char *name, tg_err *err)
{
    tg_proto_message *m = tg__proto_alloc(file->set, sizeof *m, err);
    if (!m)
        return NULL;
    m->parent = parent;
    m->file = file;
    m->name = name;
    m->full = full_name(file, parent, name, err);
    if (!m->full)
        return NULL;
    tg_proto_message **first = parent ? &parent->nested : &file->messages;
    tg_proto_message **last = parent ? &parent->lastnested : &file->lastmessage;
    if (*last)
        (*last)->next = m;
    else
        *first = m;
    *last = m;
    return m;
}

tg_proto_enum *tg__proto_add_enum(tg_proto_file *file, tg_proto_message *parent,
                                  const char *name, tg_err *err)
{
    tg_proto_enum *e = tg__proto_alloc(file->set, sizeof *e, err);
    if (!e)
        return NULL;
    e->parent = parent;
    e->file = file;
    e->name = name;
    e->full = full_name(file, parent, name, err);
    if (!e->full)
        return NULL;
    tg_proto_enum **first = parent ? &parent->enums : &file->enums;
    tg_proto_enum **last = parent ? &parent->lastenum : &file->lastenum;
    if (*last)
        (*last)->next = e;
    else
        *first = e;
    *last = e;
    return e;
}

tg_proto_field *tg__proto_add_field(tg_proto_message *message, const char *name,
                                    tg_err *err)
{
    tg_proto_field *f = tg__proto_alloc(message->file->set, sizeof *f, err);
    if (!f)
        return NULL;
    f->name = name;
    f->oneof = -1;
    if (message->last)
        message->last->next = f;
    else
        message->first = f;
    message->last = f;
    message->nfields++;
    return f;
}

int tg__proto_add_constant(tg_proto_enum *e, const char *name, int32_t number,
                           tg_err *err)
{
    tg_proto_constant *c = tg__proto_alloc(e->file->set, sizeof *c, err);
    if (!c)
        return TG_ERR_LIMIT;
    c->name = name;
    c->number = number;
    if (e->last)
        e->last->next = c;
    else
        e->first = c;
    e->last = c;
    e->n++;
    return 0;
}

int32_t tg__proto_add_oneof(tg_proto_message *message, const char *name,
                            tg_err *err)
{
    if (message->noneofs == message->caponeofs) {
        uint32_t cap = message->caponeofs ? message->caponeofs * 2 : 4;
        const char **list =
            tg__proto_alloc(message->file->set, cap * sizeof *list, err);
        if (!list)
            return TG_ERR_LIMIT;
        if (message->noneofs)
            memcpy(list, message->oneofs, message->noneofs * sizeof *list);
        message->oneofs = list;
        message->caponeofs = cap;
    }
    message->oneofs[message->noneofs] = name;
    return (int32_t)message->noneofs++;
}

tg_proto_import *tg__proto_add_import(tg_proto_file *file, const char *name,
                                      tg_err *err)
{
    tg_proto_import *im = tg__proto_alloc(file->set, sizeof *im, err);
    if (!im)
        return NULL;
    im->name = name;
    tg_proto_import **end = &file->imports;
    while (*end)
        end = &(*end)->next;
    *end = im;
    return im;
}

int tg__proto_add_param(tg_proto_set *set, tg_proto_field *field,
                        const char *key, const char *value, tg_err *err)
{
    tg_proto_param *p = tg__proto_alloc(set, sizeof *p, err);
    if (!p)
        return TG_ERR_LIMIT;
    p->key = key;
    p->value = value;
    tg_proto_param **end = &field->params;
    while (*end)
        end = &(*end)->next;
    *end = p;
    return 0;
}

/* --- names of types ------------------------------------------------------- */

static const char *const type_names[] = {
    NULL,      "double",   "float",    "int64",  "uint64",  "int32", "fixed64",
    "fixed32", "bool",     "string",   "group",  "message", "bytes", "uint32",
    "enum",    "sfixed32", "sfixed64", "sint32", "sint64"};

const char *tg_proto_type_name(int type)
{
    return type > 0 && type <= TG_PROTO_SINT64 ? type_names[type] : "unknown";
}

int tg__proto_scalar(const char *name, size_t len)
{
    for (int i = 1; i <= TG_PROTO_SINT64; i++)
        if (i != TG_PROTO_GROUP && i != TG_PROTO_MESSAGE &&
            i != TG_PROTO_ENUM && strlen(type_names[i]) == len &&
            memcmp(type_names[i], name, len) == 0)
            return i;
    return 0;
}

/* --- files ---------------------------------------------------------------- */

/* Text, or, when it is one long word, a descriptor in base64. */
static bool looks_encoded(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (c >= '0' && c <= '9') || c == '+' || c == '/' || c == '='))
            return false;
    }
    return len > 0 && len % 4 == 0;
}

static int read_file(tg_proto_file *file, const char *text, tg_err *err)
{
    size_t len = strlen(text), bad;
    if (!looks_encoded(text, len))
        return tg__proto_parse(file, text, err);
    uint8_t *bytes = tg__proto_alloc(file->set, len, err);
    if (!bytes)
        return TG_ERR_LIMIT;
    ssize_t n = tg_base64_decode(bytes, text, len, &bad);
    if (n < 0)
        return tg__proto_parse(file, text, err);
    return tg__proto_descriptor(file, bytes, (size_t)n, err);
}

static tg_proto_file *add_file(tg_proto_set *set, const char *name,
                               const char *text, tg_err *err)
{
    tg_proto_file *file = tg__proto_alloc(set, sizeof *file, err);
    if (!file)
        return NULL;
    file->set = set;
    file->name = tg__proto_text(set, name, strlen(name), err);
    if (!file->name)
        return NULL;
    tg_proto_file **end = &set->files;
    while (*end)
        end = &(*end)->next;
    *end = file;
    return read_file(file, text, err) ? NULL : file;
}

static const char *source_text(const tg_proto_source *sources, uint32_t n,
                               const char *name, int depth)
{
    for (uint32_t i = 0; i < n; i++) {
        if (strcmp(sources[i].name, name) == 0)
            return sources[i].text;
        const char *below =
            depth < TG_PROTO_DEPTH
                ? source_text(sources[i].sources, sources[i].nsources, name,
                              depth + 1)
                : NULL;
        if (below)
            return below;
    }
    return NULL;
}

static int load_import(tg_proto_set *set, tg_proto_file *file,
                       tg_proto_import *im, const tg_proto_source *sources,
                       uint32_t nsources, tg_err *err)
{
    uint32_t count = 0;
    for (tg_proto_file *f = set->files; f; f = f->next) {
        if (f != set->files && strcmp(f->name, im->name) == 0) {
            im->file = f;
            return 0;
        }
        count++;
    }
    const char *text = source_text(sources, nsources, im->name, 0);
    if (!text)
        text = tg_proto_known(im->name);
    if (!text && im->weak)
        return 0;
    if (!text)
        return tg_err_set(err, TG_ERR_DATA,
                          "protobuf %s imports \"%s\", which is neither among"
                          " the references of the schema nor built in",
                          file->name, im->name);
    if (count >= FILES_MAX)
        return tg_err_set(err, TG_ERR_LIMIT,
                          "a Protobuf schema imports more than %d files",
                          FILES_MAX);
    im->file = add_file(set, im->name, text, err);
    return im->file ? 0 : TG_ERR_DATA;
}

tg_proto_set *tg_proto_load(const char *text, const tg_proto_source *sources,
                            uint32_t nsources, tg_err *err)
{
    tg_proto_set *set = tg_calloc(sizeof *set);
    tg_arena_init(&set->arena, SET_LIMIT);
    int rc = add_file(set, "schema", text, err) ? 0 : TG_ERR_DATA;
    for (tg_proto_file *f = set->files; !rc && f; f = f->next)
        for (tg_proto_import *im = f->imports; !rc && im; im = im->next)
            rc = load_import(set, f, im, sources, nsources, err);
    if (!rc)
        rc = tg__proto_link(set, err);
    if (!rc)
        return set;
    tg_proto_free(set);
    return NULL;
}

void tg_proto_free(tg_proto_set *set)
{
    if (!set)
        return;
    tg_arena_fini(&set->arena);
    tg_free(set);
}

/* --- looking up ----------------------------------------------------------- */

/* A file that only passes another one on stands for that one. */
static const tg_proto_file *main_file(const tg_proto_set *set)
{
    const tg_proto_file *file = set->files;
    if (file->messages || file->enums)
        return file;
    for (const tg_proto_import *im = file->imports; im; im = im->next)
        if (im->is_public && im->file)
            return im->file;
    return file;
}

static tg_proto_message *nth(tg_proto_message *m, int32_t at)
{
    for (; m; m = m->next)
        if (!m->implied && at-- == 0)
            return m;
    return NULL;
}

tg_proto_message *tg_proto_message_at(const tg_proto_set *set,
                                      const int32_t *path, uint32_t n)
{
    tg_proto_message *list = main_file(set)->messages, *m = NULL;
    for (uint32_t i = 0; i < n; i++) {
        m = path[i] < 0 ? NULL : nth(list, path[i]);
        if (!m)
            return NULL;
        list = m->nested;
    }
    return m;
}

uint32_t tg_proto_message_path(const tg_proto_message *message, int32_t *path)
{
    uint32_t n = 0;
    for (const tg_proto_message *m = message; m; m = m->parent)
        n++;
    uint32_t at = n;
    for (const tg_proto_message *m = message; m; m = m->parent) {
        const tg_proto_message *list =
            m->parent ? m->parent->nested : m->file->messages;
        path[--at] = 0;
        for (; list != m; list = list->next)
            path[at] += !list->implied;
    }
    return n;
}

static tg_proto_message *find_in(tg_proto_message *m, const char *full)
{
    for (; m; m = m->next) {
        size_t len = strlen(m->full);
        if (strncmp(full, m->full, len) != 0)
            continue;
        if (!full[len])
            return m;
        tg_proto_message *below =
            full[len] == '.' ? find_in(m->nested, full) : NULL;
        if (below)
            return below;
    }
    return NULL;
}

tg_proto_message *tg_proto_message_find(const tg_proto_set *set,
                                        const char *full)
{
    for (const tg_proto_file *f = set->files; f; f = f->next) {
        tg_proto_message *m = find_in(f->messages, full);
        if (m)
            return m;
    }
    return NULL;
}

bool tg_proto_is_entry(const tg_proto_message *message)
{
    size_t len = strlen(message->name);
    if (message->nfields != 2 || len < 5 ||
        strcmp(message->name + len - 5, "Entry") != 0)
        return message->map_entry && message->nfields == 2;
    const tg_proto_field *key = message->first, *value = key->next;
    return strcmp(key->name, "key") == 0 && strcmp(value->name, "value") == 0 &&
           key->label != TG_PROTO_REPEATED && value->label != TG_PROTO_REPEATED;
}
