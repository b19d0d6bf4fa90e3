/*
 * DropHeaders, InsertHeader and HeaderFrom. Script thread.
 */
#include "convert/header_infer.h"
#include "transform/stock.h"

/* Sets the value of a header that was just added. */
static int set_header(tg_record *rec, int32_t at, const tg_value *v,
                      const tg_schema *schema)
{
    tg_cell *cell;
    tg_value own;
    int rc;

    if (at < 0)
        return at;
    cell = &rec->headers[at].cell;
    rc = tg__stock_copy(cell, NULL, v, &own);
    return rc ? rc : tg__stock_replace(cell, &own, schema);
}

/* --- DropHeaders -----------------------------------------------------------
 */

typedef struct text {
    char *p;
    uint32_t len;
} text;

typedef struct drop {
    tg_stock base;
    text *names;
    uint32_t n;
} drop;

static bool listed(const drop *d, const tg_header *h)
{
    for (uint32_t i = 0; i < d->n; i++)
        if (d->names[i].len == h->namelen &&
            (h->namelen == 0 ||
             memcmp(d->names[i].p, h->name, h->namelen) == 0))
            return true;
    return false;
}

static bool drop_record(tg_stock *self, tg_record *rec)
{
    if (tg_record_headers(rec) < 0)
        return false;
    for (uint32_t i = rec->nheaders; i-- > 0;)
        if (listed((drop *)self, &rec->headers[i]) &&
            tg_header_remove(rec, (int32_t)i) < 0)
            return tg__stock_refuse(rec);
    return true;
}

static void drop_fini(tg_stock *self)
{
    drop *d = (drop *)self;

    for (uint32_t i = 0; i < d->n; i++)
        tg_free(d->names[i].p);
    tg_free(d->names);
}

tg_stock *tg_stock_drop_headers(void)
{
    return tg__stock_new(sizeof(drop), drop_record, drop_fini, TG_VALUE, 0);
}

void tg_stock_drop_headers_name(tg_stock *stock, const char *name, uint32_t len)
{
    drop *d = (drop *)stock;

    d->names = tg_realloc(d->names, (d->n + 1) * sizeof *d->names);
    d->names[d->n++] = (text){tg_strndup(name, len), len};
}

/* --- InsertHeader ----------------------------------------------------------
 */

typedef struct insert {
    tg_stock base;
    text name;
    char *literal;
    tg_batch *own; /* holds the literal's value */
    tg_value value;
    const tg_schema *schema;
    const char *copy;   /* of a text value, in the arena of the batch... */
    uint32_t copied_in; /* ...with this serial */
} insert;

/* The value for a record of batch: texts are copied once a batch. */
static bool literal_in(insert *x, tg_batch *batch, tg_value *v)
{
    *v = x->value;
    if (v->tag < TG_NUM || v->tag > TG_BYTES)
        return true;
    if (!x->copy || x->copied_in != batch->serial) {
        x->copy = tg_arena_dup(batch->arena, v->u.p, v->len);
        x->copied_in = batch->serial;
    }
    v->u.p = x->copy;
    return x->copy != NULL;
}

static bool insert_record(tg_stock *self, tg_record *rec)
{
    insert *x = (insert *)self;
    tg_value v;

    if (!literal_in(x, rec->batch, &v)) {
        tg__stock_full(rec->batch);
        return tg__stock_refuse(rec);
    }
    return tg__stock_check(
        rec, set_header(rec, tg_header_add(rec, x->name.p, x->name.len), &v,
                        x->schema));
}

static void insert_fini(tg_stock *self)
{
    insert *x = (insert *)self;

    tg_free(x->name.p);
    tg_free(x->literal);
    tg_batch_free(x->own);
}

tg_stock *tg_stock_insert_header(const char *name, uint32_t len,
                                 const char *literal, uint32_t literallen)
{
    insert *x =
        tg__stock_new(sizeof *x, insert_record, insert_fini, TG_VALUE, 0);
    tg_record *rec;

    x->name = (text){tg_strndup(name, len), len};
    x->literal = tg_strndup(literal, literallen);
    x->own = tg_batch_new(1, 0);
    rec = tg_batch_append(x->own);
    tg_err_clear(tg_err_ffi());
    if (!rec || tg_header_infer(&rec->value, x->literal, literallen, &x->value,
                                &x->schema, tg_err_ffi())) {
        tg_stock_free(&x->base);
        return NULL;
    }
    return &x->base;
}

/* --- HeaderFrom ------------------------------------------------------------
 */

typedef struct from {
    tg_stock base;
    bool move;
    tg_stock_paths paths;
    text *names; /* paths.n */
    tg_stock_memo schemas;
} from;

static int add_header(from *f, tg_record *rec, tg_node *root, uint32_t i)
{
    tg_field_path *path = f->paths.p[i];
    const tg_schema *schema = NULL;
    tg_field_at at;
    tg_value v;
    int rc = 0;

    if (root->kind == TG_STRUCT)
        rc = tg_field_path_schema(path, root->shape->schema, &schema);
    if (rc)
        return rc;
    if (root->kind == TG_STRUCT && !schema)
        return tg_err_set(tg_err_ffi(), TG_ERR_DATA,
                          "Unknown field: %s (the schema of this record has no "
                          "field of that name to make a header of)",
                          path->text);
    rc = tg__stock_read(path, root, f->base.defaults, &at, &v);
    if (rc)
        return rc;
    if (v.tag == TG_ABSENT)
        v = (tg_value){.tag = TG_NULL, .flags = TG_F_NEW};
    return set_header(rec, tg_header_add(rec, f->names[i].p, f->names[i].len),
                      &v, schema);
}

/* The schema without the fields that went. */
static const tg_schema *rest(from *f, const tg_schema *schema)
{
    const tg_schema *to = tg__stock_known(&f->schemas, schema);

    if (to)
        return to;
    to = schema;
    for (uint32_t i = 0; i < f->paths.n; i++)
        to = tg_field_path_remove(f->paths.p[i], to);
    tg__stock_learn(&f->schemas, schema, to);
    return to;
}

static int remove_fields(from *f, tg_node *root)
{
    const tg_schema *to =
        root->kind == TG_STRUCT ? rest(f, root->shape->schema) : NULL;

    for (uint32_t i = 0; i < f->paths.n; i++) {
        tg_field_at at;
        int rc = tg_field_path_find(f->paths.p[i], root, false, &at);

        if (rc == 0 && at.slot >= 0)
            rc = tg_delete(at.node, at.slot);
        if (rc)
            return rc;
    }
    return to ? tg__stock_retype(root, to) : 0;
}

static bool from_record(tg_stock *self, tg_record *rec)
{
    from *f = (from *)self;
    tg_cell *cell = tg__stock_cell(rec, self->side);
    tg_node *root;

    if (!tg__stock_open(rec, cell))
        return false;
    root = tg__stock_object(rec, cell, f->move ? "header move" : "header copy",
                            false);
    if (!root)
        return false;
    for (uint32_t i = 0; i < f->paths.n; i++)
        if (add_header(f, rec, root, i))
            return tg__stock_refuse(rec);
    if (self->defaults && f->move && tg__stock_defaults(root))
        return tg__stock_refuse(rec);
    return !f->move || tg__stock_check(rec, remove_fields(f, root));
}

static void from_fini(tg_stock *self)
{
    from *f = (from *)self;

    for (uint32_t i = 0; i < f->paths.n; i++)
        tg_free(f->names[i].p);
    tg_free(f->names);
    tg__stock_paths_fini(&f->paths);
}

tg_stock *tg_stock_header_from(int32_t side, int32_t defaults, int32_t move)
{
    from *f = tg__stock_new(sizeof *f, from_record, from_fini, side, defaults);

    f->move = move != 0;
    return &f->base;
}

int32_t tg_stock_header_from_pair(tg_stock *stock, const char *field,
                                  uint32_t len, int32_t v2, const char *header,
                                  uint32_t headerlen)
{
    from *f = (from *)stock;
    int rc = tg__stock_paths_add(&f->paths, field, len, v2);

    if (rc)
        return rc;
    f->names = tg_realloc(f->names, f->paths.n * sizeof *f->names);
    f->names[f->paths.n - 1] = (text){tg_strndup(header, headerlen), headerlen};
    return 0;
}
