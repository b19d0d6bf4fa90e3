/*
 * Field paths: parsing, finding in values, and following in schemas. A lookup
 * remembers the last interned shape at each step, so records of one layout cost
 * one comparison a step. Script thread.
 */
#include "transform/field_path.h"
#include "data/node.h"
#include "data/shape.h"
#include "transform/stock.h"

/* --- parsing -------------------------------------------------------------- */

typedef struct parser {
    const char *text;
    uint32_t len;
    tg_buf step;  /* characters of the current one */
    tg_buf steps; /* const tg_name *, one after the other */
    tg_err *err;
} parser;

static int end_step(parser *ps, const char *p, uint32_t len)
{
    const tg_name *name = tg_name_intern(p ? p : "", len);

    if (!name)
        return tg_err_set(ps->err, TG_ERR_CONFIG,
                          "the field path [%.*s] is not UTF-8", (int)ps->len,
                          ps->text);
    tg_buf_add(&ps->steps, &name, sizeof name);
    return 0;
}

static int unclosed(parser *ps, uint32_t at)
{
    return tg_err_set(ps->err, TG_ERR_CONFIG,
                      "Incomplete backtick pair in path: [%.*s], consider "
                      "adding a backslash before backtick at position %u to "
                      "escape it",
                      (int)ps->len, ps->text, at);
}

/* The step whose opening backtick is at *i; moves *i behind its dot. A backtick
 * ends the step only before a dot or at the end of the text. */
static int quoted_step(parser *ps, uint32_t *i)
{
    uint32_t open = *i, at = open + 1, from = at;

    ps->step.len = 0;
    for (;; at++) {
        bool escaped;

        while (at < ps->len && ps->text[at] != '`')
            at++;
        if (at == ps->len)
            return unclosed(ps, open);
        escaped = ps->text[at - 1] == '\\';
        if (at + 1 == ps->len && escaped)
            return unclosed(ps, open);
        if (at + 1 < ps->len && ps->text[at + 1] != '.')
            continue;
        if (!escaped)
            break;
        tg_buf_add(&ps->step, ps->text + from, at - 1 - from);
        tg_buf_add(&ps->step, "`", 1);
        from = at + 1;
    }
    tg_buf_add(&ps->step, ps->text + from, at - from);
    *i = at + 1 < ps->len ? at + 2 : ps->len;
    return end_step(ps, ps->step.p, (uint32_t)ps->step.len);
}

static int plain_step(parser *ps, uint32_t *i)
{
    const char *from = ps->text + *i;
    const char *dot = memchr(from, '.', ps->len - *i);
    uint32_t len = dot ? (uint32_t)(dot - from) : ps->len - *i;

    *i += len + (dot != NULL);
    return end_step(ps, from, len);
}

static int split(parser *ps)
{
    uint32_t i = 0;

    while (i < ps->len) {
        int rc = ps->text[i] == '`' ? quoted_step(ps, &i) : plain_step(ps, &i);
        if (rc)
            return rc;
    }
    return ps->text[ps->len - 1] == '.' ? end_step(ps, "", 0) : 0;
}

static tg_field_path *build(parser *ps)
{
    size_t n = ps->steps.len / sizeof(tg_name *);
    tg_field_path *path = tg_calloc(sizeof *path + n * sizeof *path->steps);

    path->text = tg_strndup(ps->text, ps->len);
    path->n = (uint32_t)n;
    for (size_t i = 0; i < n; i++)
        memcpy(&path->steps[i].name, ps->steps.p + i * sizeof(tg_name *),
               sizeof(tg_name *));
    return path;
}

static void parser_fini(parser *ps)
{
    tg_buf_fini(&ps->step);
    tg_buf_fini(&ps->steps);
}

tg_field_path *tg_field_path_parse(const char *text, uint32_t len, bool v2,
                                   tg_err *err)
{
    parser ps = {.text = text, .len = len, .err = err};
    tg_field_path *path = NULL;
    int rc;

    if (v2 && len == 0)
        rc = tg_err_set(err, TG_ERR_CONFIG,
                        "a field path needs at least one step");
    else
        rc = v2 ? split(&ps) : end_step(&ps, text, len);
    if (rc == 0)
        path = build(&ps);
    parser_fini(&ps);
    return path;
}

/* --- JSON paths ----------------------------------------------------------- */

static int bad_json_path(parser *ps, uint32_t at)
{
    return tg_err_set(ps->err, TG_ERR_CONFIG,
                      "the JSON path [%.*s] cannot be used from character %u "
                      "on: only names of fields are possible, $.a.b or "
                      "$['a']['b']",
                      (int)ps->len, ps->text, at + 1);
}

/* ['name'] or ["name"] at *i, which moves behind it. */
static int bracket_step(parser *ps, uint32_t *i)
{
    uint32_t at = *i + 1;
    char quote = at < ps->len ? ps->text[at] : 0;

    if (quote != '\'' && quote != '"')
        return bad_json_path(ps, *i);
    ps->step.len = 0;
    for (at++; at < ps->len && ps->text[at] != quote; at++) {
        if (ps->text[at] == '\\' && at + 1 < ps->len)
            at++;
        tg_buf_add(&ps->step, ps->text + at, 1);
    }
    if (at + 1 >= ps->len || ps->text[at + 1] != ']')
        return bad_json_path(ps, *i);
    *i = at + 2;
    return end_step(ps, ps->step.p, (uint32_t)ps->step.len);
}

static int dot_step(parser *ps, uint32_t *i)
{
    uint32_t from = *i + 1, at = from;

    while (at < ps->len && !strchr(".[]*?@()'\" ", ps->text[at]))
        at++;
    if (at == from ||
        (at < ps->len && ps->text[at] != '.' && ps->text[at] != '['))
        return bad_json_path(ps, *i);
    *i = at;
    return end_step(ps, ps->text + from, at - from);
}

tg_field_path *tg_field_path_json(const char *text, uint32_t len, tg_err *err)
{
    parser ps = {.text = text, .len = len, .err = err};
    tg_field_path *path = NULL;
    uint32_t i = 1;
    int rc = len > 1 && text[0] == '$' ? 0 : bad_json_path(&ps, 0);

    while (rc == 0 && i < len) {
        if (text[i] == '.')
            rc = dot_step(&ps, &i);
        else
            rc = text[i] == '[' ? bracket_step(&ps, &i) : bad_json_path(&ps, i);
    }
    if (rc == 0)
        path = build(&ps);
    parser_fini(&ps);
    return path;
}

void tg_field_path_free(tg_field_path *path)
{
    if (!path)
        return;
    tg_free(path->text);
    tg_free(path);
}

tg_field_path *tg_stock_path_new(const char *text, uint32_t len, int32_t v2)
{
    tg_err *err = tg_err_ffi();

    tg_err_clear(err);
    return tg_field_path_parse(text ? text : "", text ? len : 0, v2 != 0, err);
}

void tg_stock_path_free(tg_field_path *path)
{
    tg_field_path_free(path);
}

/* --- values --------------------------------------------------------------- */

static int32_t lookup(tg_path_step *step, const tg_node *node)
{
    const tg_shape *shape = node->shape;

    if (shape->id == 0)
        return tg_slot_find(node, step->name);
    if (shape != step->shape) {
        step->slot = tg_slot_find(node, step->name);
        step->shape = shape;
    }
    return step->slot;
}

static bool leads_on(const tg_node *from, const tg_value *v)
{
    return v->tag == (from->kind == TG_STRUCT ? TG_STRUCT : TG_MAP);
}

/* The default of a null field, as Struct.get() reads it. */
static int read_default(tg_node *node, int32_t slot, tg_value *v)
{
    const tg_schema *s = node->kind == TG_STRUCT
                             ? node->shape->schema->fields[slot].schema
                             : NULL;

    if (!s || !s->has_default || !tg_schema_default_hook)
        return 0;
    tg_err_clear(tg_err_ffi());
    return tg_schema_default_hook(node, s, v, tg_err_ffi());
}

int tg_field_path_find(tg_field_path *path, tg_node *root, bool defaults,
                       tg_field_at *at)
{
    tg_node *node = root;

    for (uint32_t i = 0;; i++) {
        int32_t slot = lookup(&path->steps[i], node);
        tg_value v = {.tag = TG_NULL};
        int rc = 0;

        *at = (tg_field_at){node, slot};
        if (i + 1 == path->n)
            return 0;
        if (slot >= 0)
            v = node->slots[slot];
        if (slot >= 0 && v.tag <= TG_NULL && defaults)
            rc = read_default(node, slot, &v);
        if (rc)
            return rc;
        if (v.tag <= TG_NULL) {
            at->node = NULL;
            at->slot = -1;
            return 0;
        }
        if (!leads_on(node, &v))
            return tg__stock_wrong_object(
                node->kind == TG_STRUCT, "nested field access", &v,
                node->kind == TG_STRUCT
                    ? node->shape->schema->fields[slot].schema
                    : NULL);
        node = v.u.node;
    }
}

/* --- schemas -------------------------------------------------------------- */

static int32_t index_of(const tg_schema *s, const tg_name *name)
{
    for (uint32_t i = 0; i < s->nfields; i++)
        if (s->fields[i].name == name)
            return (int32_t)i;
    return -1;
}

int tg_field_path_schema(const tg_field_path *path, const tg_schema *s,
                         const tg_schema **out)
{
    *out = NULL;
    for (uint32_t i = 0; i < path->n; i++) {
        int32_t at;

        if (s->tag != TG_STRUCT)
            return tg_err_set(tg_err_ffi(), TG_ERR_DATA,
                              "Cannot look up fields on non-struct type "
                              "(step %u of field \"%s\" is in a value of type "
                              "%s)",
                              i + 1, path->text, tg_schema_type_upper(s->tag));
        at = index_of(s, path->steps[i].name);
        if (at < 0)
            return 0;
        s = s->fields[at].schema;
    }
    *out = s;
    return 0;
}

/* s with the field of steps[i..] changed: removed when field is NULL. */
static const tg_schema *change(const tg_field_path *path, uint32_t i,
                               const tg_schema *s, const tg_schema *field,
                               bool keep)
{
    int32_t at = index_of(s, path->steps[i].name);
    tg_schema_field *fields;
    tg_schema proto = *s;

    if (at < 0)
        return s;
    fields = tg_alloc((s->nfields + 1) * sizeof *fields);
    memcpy(fields, s->fields, s->nfields * sizeof *fields);
    if (i + 1 < path->n)
        fields[at].schema = change(path, i + 1, fields[at].schema, field, true);
    else if (field)
        fields[at].schema = field;
    else
        memmove(fields + at, fields + at + 1,
                (--proto.nfields - (uint32_t)at) * sizeof *fields);
    proto.fields = fields;
    if (!keep)
        proto.optional = false;
    proto.has_default = proto.has_default && keep && i == 0;
    s = tg_schema_intern(&proto);
    tg_free(fields);
    return s;
}

const tg_schema *tg_field_path_retype(const tg_field_path *path,
                                      const tg_schema *s,
                                      const tg_schema *field, bool keep)
{
    return change(path, 0, s, field, keep);
}

const tg_schema *tg_field_path_remove(const tg_field_path *path,
                                      const tg_schema *s)
{
    return change(path, 0, s, NULL, false);
}

static const tg_schema *insert(const tg_field_path *path, uint32_t i,
                               const tg_schema *s, const tg_schema *field)
{
    const tg_name *name = path->steps[i].name;
    int32_t at = index_of(s, name);
    const tg_schema *below;

    if (i + 1 == path->n && at < 0)
        return tg_schema_with(s, name, field);
    if (i + 1 == path->n) {
        tg_err_set(tg_err_ffi(), TG_ERR_DATA,
                   "Cannot create field because of field name duplication %s",
                   path->text);
        return NULL;
    }
    below = at < 0 ? NULL : s->fields[at].schema;
    if (!below || below->tag != TG_STRUCT) {
        tg_err_set(tg_err_ffi(), TG_ERR_DATA,
                   "Unknown field: %s (\"%s\" is no struct in the schema of "
                   "this record)",
                   path->text, name->text);
        return NULL;
    }
    below = insert(path, i + 1, below, field);
    if (!below)
        return NULL;
    below = tg_schema_optional(below, s->fields[at].schema->optional);
    return tg_schema_refield(s, (uint32_t)at, below);
}

const tg_schema *tg_field_path_insert(const tg_field_path *path,
                                      const tg_schema *s,
                                      const tg_schema *field)
{
    return insert(path, 0, s, field);
}
