/*
 * Flatten: the fields of nested maps and structs become fields of the top with
 * names joined by a delimiter.
 *
 * Structs: the flat schema is derived once per schema, and the leaves of a
 * value are collected in its order. Maps: the leaves and the layouts that were
 * met are collected; when a record met the same layouts in the same places as
 * the one before, the flat layout is the same too, else names are joined again.
 * Script thread.
 */
#include "transform/stock.h"

enum { HELD = 64 };

/* Leaves of one record; grows on the heap and is kept. */
typedef struct leaves {
    tg_value *v;
    uint32_t n, cap;
} leaves;

/* Layouts of one record in the order of the walk: each nested one with its slot
 * before it and a mark behind, so that equal lists mean equal trees. */
typedef struct trail {
    uintptr_t *p;
    uint32_t n, cap;
    bool known; /* none of them is private */
} trail;

typedef struct flat_layout {
    tg_shape *shape;
    uint32_t *to; /* slot of each leaf: equal names share one */
    uint32_t n;   /* leaves */
} flat_layout;

typedef struct flatten {
    tg_stock base;
    char *delimiter;
    uint32_t delimiterlen;
    leaves found;
    trail now, last;
    flat_layout layout; /* for last */
    tg_stock_memo schemas;
    tg_site site;
} flatten;

/* --- growing ---------------------------------------------------------------
 */

static void push_leaf(leaves *l, const tg_value *v)
{
    if (l->n == l->cap) {
        l->cap = l->cap ? l->cap * 2 : HELD;
        l->v = tg_realloc(l->v, l->cap * sizeof *l->v);
    }
    l->v[l->n++] = *v;
}

static void push_mark(trail *t, uintptr_t mark)
{
    if (t->n == t->cap) {
        t->cap = t->cap ? t->cap * 2 : HELD;
        t->p = tg_realloc(t->p, t->cap * sizeof *t->p);
    }
    t->p[t->n++] = mark;
}

/* A name below a prefix, joined into buf. */
static size_t join(const flatten *f, tg_buf *buf, size_t prefix,
                   const tg_name *name)
{
    buf->len = prefix;
    if (prefix)
        tg_buf_add(buf, f->delimiter, f->delimiterlen);
    tg_buf_add(buf, name->text, name->len);
    return buf->len;
}

/* --- maps ------------------------------------------------------------------
 */

/* false: the value is of a class that Java's data API does not know. */
static bool collect(flatten *f, const tg_node *node, const tg_value **wrong)
{
    push_mark(&f->now, (uintptr_t)node->shape);
    if (node->shape->id == 0)
        f->now.known = false;
    for (uint32_t i = 0; i < node->n; i++) {
        const tg_value *v = &node->slots[i];

        if (v->aux != TG_LOGICAL_NONE && v->tag > TG_NULL &&
            !tg_tag_is_node(v->tag)) {
            *wrong = v;
            return false;
        }
        if (v->tag == TG_MAP) {
            push_mark(&f->now, i);
            if (!collect(f, v->u.node, wrong))
                return false;
            push_mark(&f->now, UINTPTR_MAX);
        } else {
            push_leaf(&f->found, v);
        }
    }
    return true;
}

static bool same_trail(const trail *a, const trail *b)
{
    return a->known && b->known && a->n == b->n && a->n > 0 &&
           memcmp(a->p, b->p, a->n * sizeof *a->p) == 0;
}

typedef struct namer {
    flatten *f;
    tg_batch *batch;
    const tg_name **names;
    uint32_t leaf, n;
    uint32_t *index; /* by hash: slot + 1, 0: free */
    uint32_t mask;
    bool interning;
    tg_buf buf;
} namer;

static bool same_name(const tg_name *a, const tg_name *b)
{
    return a == b || (a->hash == b->hash && a->len == b->len &&
                      memcmp(a->text, b->text, a->len) == 0);
}

/* Slot of a name; a new one takes the next. */
static uint32_t slot_of(namer *nm, const tg_name *name)
{
    uint32_t *at = &nm->index[name->hash & nm->mask];

    for (uint32_t i = name->hash; *at; at = &nm->index[++i & nm->mask])
        if (same_name(nm->names[*at - 1], name))
            return *at - 1;
    nm->names[nm->n] = name;
    *at = ++nm->n;
    return nm->n - 1;
}

static int name_leaf(namer *nm)
{
    const char *text = nm->buf.p ? nm->buf.p : "";
    const tg_name *name =
        nm->interning ? tg_name_intern(text, (uint32_t)nm->buf.len)
                      : tg_name_private(nm->batch, text, (uint32_t)nm->buf.len);

    if (!name)
        return tg__stock_full(nm->batch);
    nm->f->layout.to[nm->leaf++] = slot_of(nm, name);
    return 0;
}

static int name_leaves(namer *nm, const tg_node *node, size_t prefix)
{
    for (uint32_t i = 0; i < node->n; i++) {
        size_t len = join(nm->f, &nm->buf, prefix, node->shape->names[i]);
        const tg_value *v = &node->slots[i];
        int rc =
            v->tag == TG_MAP ? name_leaves(nm, v->u.node, len) : name_leaf(nm);
        if (rc)
            return rc;
    }
    return 0;
}

/* The layout of the leaves found in root. */
static int make_layout(flatten *f, tg_batch *batch, const tg_node *root)
{
    uint32_t n = f->found.n, cap = 16;
    namer nm = {.f = f, .batch = batch};
    trail was = f->last;
    int rc;

    while (cap < n * 2)
        cap *= 2;
    nm.names = tg_alloc((n + 1) * sizeof *nm.names);
    nm.index = tg_calloc(cap * sizeof *nm.index);
    nm.mask = cap - 1;
    nm.interning = f->now.known && tg_site_open(&f->site);
    f->layout.to = tg_realloc(f->layout.to, (n + 1) * sizeof *f->layout.to);
    f->layout.n = n;
    f->layout.shape = NULL;
    f->last.n = 0;
    rc = name_leaves(&nm, root, 0);
    if (rc == 0) {
        f->layout.shape = nm.interning
                              ? tg_shape_intern(batch, &f->site, nm.names, nm.n)
                              : tg_shape_private(batch, nm.names, nm.n);
        rc = f->layout.shape ? 0 : tg__stock_full(batch);
    }
    if (rc == 0 && f->layout.shape->id) {
        f->last = f->now;
        f->now = was;
    }
    tg_free(nm.names);
    tg_free(nm.index);
    tg_buf_fini(&nm.buf);
    return rc;
}

static int put_leaves(flatten *f, tg_cell *cell, tg_node *node)
{
    for (uint32_t i = 0; i < f->layout.n; i++) {
        uint32_t slot = f->layout.to[i];

        if (tg__stock_adopt(cell, node, &f->found.v[i]))
            return TG_ERR_LIMIT;
        node->slots[slot] = f->found.v[i];
        if (slot >= node->n)
            node->n = slot + 1;
    }
    return 0;
}

static int flatten_map(flatten *f, tg_cell *cell)
{
    tg_batch *batch = cell->record->batch;
    tg_node *root = cell->value.u.node, *node;
    const tg_value *wrong = NULL;
    tg_value v;
    int rc = 0;

    f->found.n = 0;
    f->now.n = 0;
    f->now.known = true;
    if (!collect(f, root, &wrong))
        return tg_err_set(tg_err_ffi(), TG_ERR_DATA,
                          "Flatten transformation was passed a value of type "
                          "class %s which is not supported by Connect's data "
                          "API",
                          tg__stock_class(wrong, NULL));
    if (f->now.n == 1)
        return 0; /* it is flat */
    if (!same_trail(&f->now, &f->last))
        rc = make_layout(f, batch, root);
    if (rc)
        return rc;
    node = tg__stock_node(cell, TG_MAP, f->layout.shape, f->layout.shape->n);
    if (!node || put_leaves(f, cell, node))
        return tg__stock_full(batch);
    v = (tg_value){.tag = TG_MAP, .flags = TG_F_NEW, .u.node = node};
    return tg__stock_replace(cell, &v, NULL);
}

/* --- schemas ---------------------------------------------------------------
 */

typedef struct deriver {
    const flatten *f;
    tg_node *at; /* node of the batch: where defaults are made */
    tg_buf name, json;
    tg_schema_field *fields;
    uint32_t n, cap;
} deriver;

/* Default of field i of a struct, whose own default is dflt (NULL: none). The
 * result is TG_ABSENT when there is none. */
static int default_of(deriver *d, const tg_schema *s, uint32_t i,
                      const tg_value *dflt, tg_value *out)
{
    const tg_schema *field = s->fields[i].schema;

    *out = (tg_value){.tag = TG_ABSENT};
    if (field->has_default && tg_schema_default_hook) {
        tg_err_clear(tg_err_ffi());
        return tg_schema_default_hook(d->at, field, out, tg_err_ffi());
    }
    if (dflt && dflt->tag == TG_STRUCT)
        *out = dflt->u.node->slots[i];
    return 0;
}

static int add_leaf(deriver *d, const tg_schema *field, bool optional,
                    const tg_value *dflt)
{
    const tg_name *name =
        tg_name_intern(d->name.p ? d->name.p : "", (uint32_t)d->name.len);
    tg_schema proto = *field;

    if (!name)
        return TG_ERR_LIMIT;
    for (uint32_t i = 0; i < d->n; i++)
        if (d->fields[i].name == name)
            return tg_err_set(tg_err_ffi(), TG_ERR_DATA,
                              "Cannot create field because of field name "
                              "duplication %s",
                              name->text);
    proto.optional = optional;
    if (dflt->tag > TG_NULL && !field->has_default) {
        d->json.len = 0;
        tg_err_clear(tg_err_ffi());
        if (tg_value_json_hook(&d->json, dflt, tg_err_ffi()))
            return TG_ERR_DATA;
        proto.has_default = true;
        proto.default_json = tg_buf_cstr(&d->json);
    }
    if (d->n == d->cap) {
        d->cap = d->cap ? d->cap * 2 : HELD;
        d->fields = tg_realloc(d->fields, d->cap * sizeof *d->fields);
    }
    d->fields[d->n++] = (tg_schema_field){name, tg_schema_intern(&proto)};
    return 0;
}

static int derive(deriver *d, const tg_schema *s, size_t prefix, bool optional,
                  const tg_value *dflt)
{
    for (uint32_t i = 0; i < s->nfields; i++) {
        const tg_schema *field = s->fields[i].schema;
        size_t len = join(d->f, &d->name, prefix, s->fields[i].name);
        tg_value own;
        int rc = default_of(d, s, i, dflt, &own);

        if (rc)
            return rc;
        if (field->tag == TG_MAP)
            return tg_err_set(tg_err_ffi(), TG_ERR_DATA,
                              "Flatten transformation does not support MAP for "
                              "record with schemas (for field %s).",
                              tg_buf_cstr(&d->name));
        if (field->tag == TG_STRUCT)
            rc = derive(d, field, len, optional || field->optional, &own);
        else
            rc = add_leaf(d, field, optional || field->optional, &own);
        if (rc)
            return rc;
    }
    return 0;
}

/* NULL with the sentence when the schema cannot be flattened. */
static const tg_schema *flat_schema(flatten *f, tg_node *root)
{
    const tg_schema *s = root->shape->schema;
    const tg_schema *to = tg__stock_known(&f->schemas, s);
    deriver d = {.f = f, .at = root};
    tg_value dflt = {.tag = TG_ABSENT};
    int rc = 0;

    if (to)
        return to;
    if (s->has_default && tg_schema_default_hook) {
        tg_err_clear(tg_err_ffi());
        rc = tg_schema_default_hook(root, s, &dflt, tg_err_ffi());
    }
    if (rc == 0)
        rc = derive(&d, s, 0, s->optional, &dflt);
    if (rc == 0) {
        to = tg_schema_fields(s, d.fields, d.n);
        tg__stock_learn(&f->schemas, s, to);
    }
    tg_free(d.fields);
    tg_buf_fini(&d.name);
    tg_buf_fini(&d.json);
    return to;
}

/* --- structs ---------------------------------------------------------------
 */

/* Leaves of a null struct. */
static void put_nulls(tg_node *out, const tg_schema *s)
{
    for (uint32_t i = 0; i < s->nfields; i++) {
        const tg_schema *field = s->fields[i].schema;

        if (field->tag == TG_STRUCT)
            put_nulls(out, field);
        else
            out->slots[out->n++] =
                (tg_value){.tag = TG_NULL, .flags = TG_F_NEW};
    }
}

static int put_struct(tg_cell *cell, tg_node *out, tg_node *node)
{
    const tg_schema *s = node->shape->schema;

    for (uint32_t i = 0; i < node->n; i++) {
        const tg_value *v = &node->slots[i];
        int rc = 0;

        if (s->fields[i].schema->tag != TG_STRUCT) {
            rc = tg__stock_adopt(cell, out, v);
            out->slots[out->n++] = *v;
        } else if (v->tag == TG_STRUCT) {
            rc = tg__stock_defaults(v->u.node);
            if (rc == 0)
                rc = put_struct(cell, out, v->u.node);
        } else {
            put_nulls(out, s->fields[i].schema);
        }
        if (rc)
            return rc;
    }
    return 0;
}

static int flatten_struct(flatten *f, tg_cell *cell)
{
    tg_node *root = cell->value.u.node, *out;
    const tg_schema *to = flat_schema(f, root);
    tg_value v;
    int rc;

    if (!to)
        return TG_ERR_DATA;
    rc = tg__stock_defaults(root);
    if (rc)
        return rc;
    out = tg__stock_node(cell, TG_STRUCT, tg_shape_of_schema(to), to->nfields);
    rc = out ? put_struct(cell, out, root)
             : tg__stock_full(root->cell->record->batch);
    if (rc)
        return rc;
    v = (tg_value){.tag = TG_STRUCT, .flags = TG_F_NEW, .u.node = out};
    return tg__stock_replace(cell, &v, to);
}

/* --- records ---------------------------------------------------------------
 */

static bool record(tg_stock *self, tg_record *rec)
{
    flatten *f = (flatten *)self;
    tg_cell *cell = tg__stock_cell(rec, self->side);
    tg_node *root;

    if (!tg__stock_open(rec, cell))
        return false;
    if (tg__stock_null(cell))
        return true;
    root = tg__stock_object(rec, cell, "flattening", false);
    if (!root)
        return false;
    return tg__stock_check(rec, root->kind == TG_STRUCT
                                    ? flatten_struct(f, cell)
                                    : flatten_map(f, cell));
}

static void fini(tg_stock *self)
{
    flatten *f = (flatten *)self;

    tg_free(f->delimiter);
    tg_free(f->found.v);
    tg_free(f->now.p);
    tg_free(f->last.p);
    tg_free(f->layout.to);
}

tg_stock *tg_stock_flatten(int32_t side, const char *delimiter, uint32_t len)
{
    flatten *f = tg__stock_new(sizeof *f, record, fini, side, 1);

    f->delimiter = tg_strndup(delimiter, len);
    f->delimiterlen = len;
    return &f->base;
}
