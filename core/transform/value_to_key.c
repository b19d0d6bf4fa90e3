/*
 * ValueToKey: the key becomes a map or an anonymous struct of fields of the
 * value. Its fields are called as the last steps of their paths. Script thread.
 */
#include "transform/stock.h"

static const char PURPOSE[] = "copying fields from value to key";

typedef struct to_key {
    tg_stock base;
    tg_stock_paths paths;
    uint32_t *slots;       /* of each path in a map: equal names share one */
    uint32_t nmap;         /* fields of such a map */
    tg_shape *map;         /* of the key without a schema */
    tg_stock_memo structs; /* key schema by the value's */
} to_key;

static const tg_name *last_step(const tg_field_path *path)
{
    return path->steps[path->n - 1].name;
}

/* --- without a schema ------------------------------------------------------
 */

static tg_shape *map_shape(to_key *k, tg_batch *batch)
{
    const tg_name **names;
    tg_shape *shape = k->map;

    if (shape)
        return shape;
    names = tg_alloc((k->nmap + 1) * sizeof *names);
    for (uint32_t i = 0; i < k->paths.n; i++)
        names[k->slots[i]] = last_step(k->paths.p[i]);
    shape = tg_shape_intern(batch, NULL, names, k->nmap);
    if (shape && shape->id)
        k->map = shape;
    tg_free(names);
    return shape;
}

/* --- with a schema ---------------------------------------------------------
 */

static int add_field(const tg_schema *value, const tg_field_path *path,
                     tg_schema_field *fields, uint32_t n)
{
    const tg_schema *field;
    int rc = tg_field_path_schema(path, value, &field);

    if (rc)
        return rc;
    if (!field)
        return tg_err_set(tg_err_ffi(), TG_ERR_DATA, "Field does not exist: %s",
                          path->text);
    for (uint32_t i = 0; i < n; i++)
        if (fields[i].name == last_step(path))
            return tg_err_set(tg_err_ffi(), TG_ERR_DATA,
                              "Cannot create field because of field name "
                              "duplication %s",
                              fields[i].name->text);
    fields[n] = (tg_schema_field){last_step(path), field};
    return 0;
}

/* NULL with the sentence when the value has not all of the fields. */
static const tg_schema *key_schema(to_key *k, const tg_schema *value)
{
    const tg_schema *to = tg__stock_known(&k->structs, value);
    tg_schema_field *fields;
    int rc = 0;

    if (to)
        return to;
    fields = tg_alloc(k->paths.n * sizeof *fields);
    for (uint32_t i = 0; i < k->paths.n && rc == 0; i++)
        rc = add_field(value, k->paths.p[i], fields, i);
    if (rc == 0) {
        tg_schema proto = {
            .tag = TG_STRUCT, .nfields = k->paths.n, .fields = fields};
        to = tg_schema_intern(&proto);
        tg__stock_learn(&k->structs, value, to);
    }
    tg_free(fields);
    return to;
}

/* --- records ---------------------------------------------------------------
 */

/* null in a required field, as Struct.put() refuses it. */
static int check_null(const tg_schema *key, uint32_t slot, const tg_value *v)
{
    const tg_schema_field *f = key ? &key->fields[slot] : NULL;

    if (v->tag != TG_NULL || !f || f->schema->optional)
        return 0;
    return tg_err_set(tg_err_ffi(), TG_ERR_DATA,
                      "Invalid value: null used for required field: \"%s\", "
                      "schema type: %s",
                      f->name->text, tg_schema_type_upper(f->schema->tag));
}

static int fill(to_key *k, tg_node *root, tg_node *key)
{
    for (uint32_t i = 0; i < k->paths.n; i++) {
        uint32_t slot = key->kind == TG_STRUCT ? i : k->slots[i];
        tg_field_at at;
        tg_value v;
        int rc = tg__stock_read(k->paths.p[i], root, k->base.defaults, &at, &v);

        if (rc)
            return rc;
        if (v.tag == TG_ABSENT)
            v = (tg_value){.tag = TG_NULL, .flags = TG_F_NEW};
        rc = check_null(key->shape->schema, slot, &v);
        if (rc == 0)
            rc = tg__stock_copy(key->cell, key, &v, &key->slots[slot]);
        if (rc)
            return rc;
        if (slot == key->n)
            key->n++;
    }
    return 0;
}

static bool record(tg_stock *self, tg_record *rec)
{
    to_key *k = (to_key *)self;
    const tg_schema *schema = NULL;
    tg_node *root, *key = NULL;
    tg_shape *shape;
    tg_value v;

    if (!tg__stock_open(rec, &rec->value))
        return false;
    root = tg__stock_object(rec, &rec->value, PURPOSE, false);
    if (!root)
        return false;
    if (root->kind == TG_STRUCT) {
        schema = key_schema(k, root->shape->schema);
        if (!schema)
            return tg__stock_refuse(rec);
    }
    shape = schema ? tg_shape_of_schema(schema) : map_shape(k, rec->batch);
    if (shape)
        key = tg__stock_node(&rec->key, schema ? TG_STRUCT : TG_MAP, shape,
                             k->paths.n);
    if (!key) {
        tg__stock_full(rec->batch);
        return tg__stock_refuse(rec);
    }
    if (fill(k, root, key))
        return tg__stock_refuse(rec);
    v = (tg_value){.tag = key->kind, .flags = TG_F_NEW, .u.node = key};
    return tg__stock_check(rec, tg__stock_replace(&rec->key, &v, schema));
}

static void fini(tg_stock *self)
{
    to_key *k = (to_key *)self;

    tg__stock_paths_fini(&k->paths);
    tg_free(k->slots);
}

tg_stock *tg_stock_value_to_key(int32_t defaults)
{
    return tg__stock_new(sizeof(to_key), record, fini, TG_VALUE, defaults);
}

int32_t tg_stock_value_to_key_field(tg_stock *stock, const char *field,
                                    uint32_t len, int32_t v2)
{
    to_key *k = (to_key *)stock;
    int rc = tg__stock_paths_add(&k->paths, field, len, v2);
    uint32_t n = k->paths.n, i = 0;

    if (rc)
        return rc;
    k->slots = tg_realloc(k->slots, n * sizeof *k->slots);
    while (last_step(k->paths.p[i]) != last_step(k->paths.p[n - 1]))
        i++;
    k->slots[n - 1] = i == n - 1 ? k->nmap++ : k->slots[i];
    return 0;
}
