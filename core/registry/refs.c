/*
 * Schemas that others refer to. A version of a subject never changes, so each
 * is fetched once; a chain of references that comes back to its start, or is
 * deeper than any real one, is refused.
 *
 * Script thread.
 */
#include "registry/internal.h"

enum { DEPTH_MAX = 64, REFS_MAX = 10000 };

typedef struct tg_reg_version {
    struct tg_reg_version *next;
    const char *subject;
    int version;
    const char *text;
    const tg_registry_ref *refs;
    uint32_t nrefs;
} tg_reg_version;

typedef struct walk {
    tg_reg_refs *refs;
    uint32_t depth;
    tg_err *err;
} walk;

static int read_list(walk *w, const json_t *list, const tg_registry_ref **out,
                     uint32_t *n);

static const char *keep(tg_arena *arena, const char *text)
{
    return tg_arena_dup(arena, text, strlen(text) + 1);
}

static tg_reg_version *fetch(walk *w, const char *subject, int version)
{
    tg_reg_refs *refs = w->refs;
    tg_buf path = {0};
    int status, code;
    tg_buf_str(&path, "/subjects/");
    tg__http_escape(&path, subject);
    tg_buf_printf(&path, "/versions/%d?deleted=true", version);
    json_t *answer = tg__http_ask(refs->http, tg_buf_cstr(&path), NULL, &status,
                                  &code, w->err);
    tg_buf_fini(&path);
    if (!answer) {
        tg_err_prefix(w->err, "referenced schema %s version %d", subject,
                      version);
        return NULL;
    }
    const char *text = json_string_value(json_object_get(answer, "schema"));
    tg_reg_version *v = tg_arena_alloc(refs->arena, sizeof *v);
    memset(v, 0, sizeof *v);
    int rc = 0;
    if (!text)
        rc = tg_err_set(w->err, TG_ERR_IO,
                        "the schema registry answers without a schema for"
                        " version %d of subject %s",
                        version, subject);
    else
        rc = read_list(w, json_object_get(answer, "references"), &v->refs,
                       &v->nrefs);
    if (!rc) {
        v->subject = keep(refs->arena, subject);
        v->version = version;
        v->text = keep(refs->arena, text);
        v->next = refs->known;
        refs->known = v;
    }
    json_decref(answer);
    return rc ? NULL : v;
}

static tg_reg_version *find(walk *w, const char *subject, int version)
{
    for (tg_reg_version *v = w->refs->known; v; v = v->next)
        if (v->version == version && strcmp(v->subject, subject) == 0)
            return v;
    return fetch(w, subject, version);
}

static int read_one(walk *w, const json_t *item, tg_registry_ref *ref)
{
    const char *name = json_string_value(json_object_get(item, "name"));
    const char *subject = json_string_value(json_object_get(item, "subject"));
    json_int_t version = json_integer_value(json_object_get(item, "version"));
    if (!name || !subject || version < 1 || version > INT32_MAX)
        return tg_err_set(w->err, TG_ERR_IO,
                          "the schema registry sent a reference without name,"
                          " subject and version");
    tg_reg_version *v = find(w, subject, (int)version);
    if (!v)
        return w->err && w->err->code ? w->err->code : TG_ERR_IO;
    *ref = (tg_registry_ref){.name = keep(w->refs->arena, name),
                             .subject = v->subject,
                             .version = v->version,
                             .text = v->text,
                             .refs = v->refs,
                             .nrefs = v->nrefs};
    return 0;
}

static int read_list(walk *w, const json_t *list, const tg_registry_ref **out,
                     uint32_t *n)
{
    size_t count = json_array_size(list);
    *out = NULL;
    *n = 0;
    if (count == 0)
        return 0;
    if (++w->depth > DEPTH_MAX || count > REFS_MAX)
        return tg_err_set(w->err, TG_ERR_DATA,
                          "the references of a schema in the registry are more"
                          " than %d levels deep or lead back to it",
                          DEPTH_MAX);
    tg_registry_ref *refs =
        tg_arena_alloc(w->refs->arena, count * sizeof *refs);
    int rc = 0;
    for (size_t i = 0; !rc && i < count; i++)
        rc = read_one(w, json_array_get(list, i), &refs[i]);
    w->depth--;
    if (rc)
        return rc;
    *out = refs;
    *n = (uint32_t)count;
    return 0;
}

int tg__reg_refs_read(tg_reg_refs *refs, const json_t *list,
                      const tg_registry_ref **out, uint32_t *n, tg_err *err)
{
    tg_err local = {0};
    walk w = {.refs = refs, .err = err ? err : &local};
    return read_list(&w, list, out, n);
}

json_t *tg__reg_refs_json(const tg_registry_ref *refs, uint32_t n)
{
    json_t *list = n ? json_array() : NULL;
    for (uint32_t i = 0; i < n; i++)
        json_array_append_new(
            list, json_pack("{s:s,s:s,s:i}", "name", refs[i].name, "subject",
                            refs[i].subject, "version", refs[i].version));
    return list;
}
