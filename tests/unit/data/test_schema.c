/* Schemas and writes to trees that have one. */
#include "tree.h"

static tg_record *rec;
static tg_batch *batch;

static int setup(void **state)
{
    (void)state;
    batch = one(&rec);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tg_batch_free(batch);
    return 0;
}

static const tg_schema *prim(int tag, bool optional)
{
    return tg_schema_of(tag, optional, NULL);
}

static const tg_schema *structure(const char *name,
                                  const tg_schema_field *fields, uint32_t n)
{
    tg_schema proto = {
        .tag = TG_STRUCT, .name = name, .fields = fields, .nfields = n};
    return tg_schema_intern(&proto);
}

static const tg_schema *array_of(const tg_schema *item)
{
    tg_schema proto = {.tag = TG_ARRAY, .value = item};
    return tg_schema_intern(&proto);
}

/* {i8: int8, i64: int64?, f: double?, s: string, b: bytes?, t: bool?,
 *  in: {x: int32, y: string?}?, l: [{q: int32}]} */
static const tg_schema *sample_schema(void)
{
    tg_schema_field in[] = {{intern("x"), prim(TG_INT32, false)},
                            {intern("y"), prim(TG_STR, true)}};
    tg_schema_field item[] = {{intern("q"), prim(TG_INT32, false)}};
    tg_schema_field all[] = {
        {intern("i8"), prim(TG_INT8, false)},
        {intern("i64"), prim(TG_INT64, true)},
        {intern("f"), prim(TG_FLOAT64, true)},
        {intern("s"), prim(TG_STR, false)},
        {intern("b"), prim(TG_BYTES, true)},
        {intern("t"), prim(TG_BOOL, true)},
        {intern("in"), tg_schema_optional(structure("In", in, 2), true)},
        {intern("l"), array_of(structure(NULL, item, 1))},
    };
    return structure("Sample", all, 8);
}

static tg_value scalar(int tag, int64_t i)
{
    return (tg_value){.tag = (uint8_t)tag, .u.i = i};
}

static tg_node *object(tg_node *parent, const tg_schema *s, uint32_t n)
{
    tg_node *node =
        tg_node_new(batch, s ? TG_STRUCT : TG_ARRAY,
                    s ? tg_shape_of_schema(s) : tg_shape_array(), n);
    node->parent = parent;
    node->cell = &rec->value;
    node->n = n;
    return node;
}

/* A tree of the sample schema. */
static tg_node *sample(void)
{
    const tg_schema *s = sample_schema();
    tg_node *n = object(NULL, s, 8);
    tg_node *in = object(n, s->fields[6].schema, 2);
    tg_node *l = object(n, NULL, 2);
    n->slots[0] = scalar(TG_INT8, 1);
    n->slots[1] = scalar(TG_INT64, 2);
    n->slots[2] = (tg_value){.tag = TG_NUM, .len = 4, .u.p = "1.10"};
    n->slots[3] = (tg_value){.tag = TG_STR, .len = 1, .u.p = "x"};
    n->slots[4] = (tg_value){.tag = TG_BYTES, .len = 1, .u.p = "b"};
    n->slots[5] = scalar(TG_BOOL, 1);
    n->slots[6] = (tg_value){.tag = TG_STRUCT, .u.node = in};
    n->slots[7] = (tg_value){.tag = TG_ARRAY, .u.node = l};
    in->slots[0] = scalar(TG_INT32, 7);
    in->slots[1] = (tg_value){.tag = TG_NULL};
    for (int i = 0; i < 2; i++) {
        tg_node *q = object(l, s->fields[7].schema->value, 1);
        q->slots[0] = scalar(TG_INT32, i);
        l->slots[i] = (tg_value){.tag = TG_STRUCT, .u.node = q};
    }
    rec->value.value = (tg_value){.tag = TG_STRUCT, .u.node = n};
    rec->value.state = TG_CELL_DECODED;
    rec->value.schema = s;
    rec->value.dirty = 0;
    return n;
}

/* The schemas of nodes and of the fields that hold them agree. */
static void consistent(const tg_value *v, const tg_schema *s)
{
    if (v->tag == TG_NULL || !s)
        return;
    if (v->tag == TG_STRUCT) {
        assert_ptr_equal(v->u.node->shape->schema, s);
        assert_int_equal(s->nfields, v->u.node->n);
        assert_ptr_equal(tg_node_schema(v->u.node), s);
        for (uint32_t i = 0; i < s->nfields; i++) {
            assert_ptr_equal(s->fields[i].name, v->u.node->shape->names[i]);
            consistent(&v->u.node->slots[i], s->fields[i].schema);
        }
    } else if (v->tag == TG_ARRAY) {
        assert_int_equal(s->tag, TG_ARRAY);
        for (uint32_t i = 0; i < v->u.node->n; i++)
            consistent(&v->u.node->slots[i], s->value);
    } else {
        int tag = v->tag == TG_NUM ? TG_FLOAT64 : v->tag;
        assert_int_equal(tag == TG_ESC ? TG_STR : tag, s->tag);
    }
}

static void check(void)
{
    consistent(&rec->value.value, rec->value.schema);
}

static void equal_schemas_are_one(void **state)
{
    (void)state;
    tg_schema_param p[] = {{"k", "v"}};
    tg_schema a = {.tag = TG_INT32,
                   .name = "n",
                   .doc = "d",
                   .params = p,
                   .nparams = 1,
                   .has_version = true,
                   .version = 2,
                   .has_default = true,
                   .default_json = "5"};
    const tg_schema *s = tg_schema_intern(&a);
    char name[] = "n", five[] = "5";
    a.name = name;
    a.default_json = five;
    assert_ptr_equal(tg_schema_intern(&a), s);
    tg_schema others[7];
    for (int i = 0; i < 7; i++)
        others[i] = a;
    others[0].optional = true;
    others[1].name = "m";
    others[2].doc = NULL;
    others[3].nparams = 0;
    others[4].version = 3;
    others[5].default_json = "6";
    others[6].has_default = false;
    for (int i = 0; i < 7; i++)
        assert_ptr_not_equal(tg_schema_intern(&others[i]), s);
    assert_ptr_equal(sample_schema(), sample_schema());
    assert_ptr_equal(tg_schema_optional(tg_schema_optional(s, true), false), s);
    const tg_schema *t = tg_schema_of(TG_INT64, 1, "timestamp");
    assert_string_equal(t->name, "org.apache.kafka.connect.data.Timestamp");
    assert_int_equal(t->version, 1);
    assert_null(tg_schema_of(TG_INT32, 1, "timestamp"));
    assert_null(tg_schema_of(TG_INT64, 1, "eon"));
    assert_null(tg_schema_of(TG_ARRAY, 1, NULL));
    assert_null(tg_schema_of(TG_NUM, 1, NULL));
    assert_null(tg_schema_of(-5, 1, NULL));
    assert_null(tg_schema_of(100, 1, NULL));
    assert_string_equal(tg_schema_type_name(TG_FLOAT32), "float");
    assert_string_equal(tg_schema_type_upper(TG_FLOAT64), "FLOAT64");
}

static void derivations_keep_the_rest(void **state)
{
    (void)state;
    tg_schema proto = *tg_schema_optional(sample_schema(), true);
    proto.has_default = true;
    proto.default_json = "{}";
    proto.doc = "doc";
    const tg_schema *s = tg_schema_intern(&proto);
    const tg_schema *w = tg_schema_with(s, intern("z"), prim(TG_BOOL, true));
    assert_ptr_equal(tg_schema_with(s, intern("z"), prim(TG_BOOL, true)), w);
    assert_string_equal(w->name, "Sample");
    assert_string_equal(w->doc, "doc");
    assert_false(w->optional);
    assert_false(w->has_default);
    assert_int_equal(w->nfields, 9);
    const tg_schema *x = tg_schema_without(w, 0);
    assert_ptr_equal(x->fields[0].name, intern("i64"));
    assert_int_equal(x->nfields, 8);
    const tg_schema *r = tg_schema_renamed(x, 7, intern("zz"));
    assert_ptr_equal(r->fields[7].name, intern("zz"));
    assert_ptr_equal(r->fields[7].schema, prim(TG_BOOL, true));
    const tg_schema *f = tg_schema_refield(r, 7, prim(TG_STR, true));
    assert_ptr_equal(f->fields[7].schema, prim(TG_STR, true));
    assert_ptr_equal(tg_shape_of_schema(f), tg_shape_of_schema(f));
    assert_ptr_equal(tg_shape_of_schema(f)->schema, f);
}

static void values_must_fit(void **state)
{
    (void)state;
    tg_node *n = sample();
    check();
    assert_int_equal(set_number(n, "i8", 127), 0);
    assert_int_equal(n->slots[0].tag, TG_INT8);
    assert_int_equal(set_number(n, "i8", 128), TG_ERR_DATA);
    assert_has(tg_ffi_error(), "128");
    assert_has(tg_ffi_error(), "field \"i8\"");
    assert_has(tg_ffi_error(), "INT8");
    assert_int_equal(set_number(n, "i8", 1.5), TG_ERR_DATA);
    assert_int_equal(tg_put_int64(n, 0, NULL, -129), TG_ERR_DATA);
    assert_int_equal(set_text(n, "i8", "5"), TG_ERR_DATA);
    assert_int_equal(tg_put_bool(n, 0, NULL, 1), TG_ERR_DATA);
    assert_int_equal(tg_put_null(n, 0, NULL), TG_ERR_DATA);
    assert_has(tg_ffi_error(), "Invalid value: null used for required field: "
                               "\"i8\", schema type: INT8");
    assert_int_equal(tg_put_null(n, 1, NULL), 0);
    assert_int_equal(set_number(n, "f", 3), 0);
    assert_int_equal(n->slots[2].tag, TG_FLOAT64);
    assert_int_equal(set_number(n, "s", 3), TG_ERR_DATA);
    assert_int_equal(set_text(n, "b", "zz"), 0);
    assert_int_equal(n->slots[4].tag, TG_BYTES);
    assert_int_equal(tg_put_bytes(n, 3, NULL, "z", 1), TG_ERR_DATA);
    assert_int_equal(set_number(n, "t", 1), TG_ERR_DATA);
    assert_null(tg_put_node(n, 3, NULL, TG_ARRAY));
    assert_null(tg_put_node(n, 7, NULL, TG_MAP));
    tg_node *l = child(n, "l");
    assert_int_equal(tg_put_number(l, 0, NULL, 5), TG_ERR_DATA);
    assert_has(tg_ffi_error(), "element 1");
    assert_int_equal(tg_put_null(l, 2, NULL), TG_ERR_DATA);
    assert_int_equal(set_number(child(n, "in"), "x", 1e10), TG_ERR_DATA);
    check();
    assert_int_equal(tg_field_kind(n, 0), TG_INT8);
    assert_int_equal(tg_field_kind(l, 0), 0);
}

static void equal_writes_stay_clean(void **state)
{
    (void)state;
    tg_node *n = sample();
    assert_int_equal(set_number(n, "i8", 1), 0);
    assert_int_equal(set_number(n, "f", 1.1), 0);
    assert_int_equal(tg_put_copy(n, 2, NULL, &n->slots[2]), 0);
    assert_int_equal(tg_put_copy(n, 6, NULL, &n->slots[6]), 0);
    assert_int_equal(tg_put_copy(n, 0, NULL, &n->slots[0]), 0);
    assert_int_equal(set_text(n, "b", "b"), 0);
    assert_int_equal(n->dirty, 0);
    assert_int_equal(rec->value.dirty, 0);
}

static void new_fields_get_a_schema(void **state)
{
    (void)state;
    tg_node *n = sample();
    assert_int_equal(set_number(n, "ni", 5), 0);
    assert_int_equal(set_number(n, "nf", 5.5), 0);
    assert_int_equal(set_text(n, "ns", "x"), 0);
    assert_int_equal(tg_put_bool(n, -1, intern("nb"), 1), 0);
    assert_int_equal(tg_put_null(n, -1, intern("nn")), TG_ERR_DATA);
    assert_has(tg_ffi_error(), "\"nn\"");
    check();
    const tg_schema *s = rec->value.schema;
    assert_string_equal(s->name, "Sample");
    assert_int_equal(s->nfields, 12);
    assert_ptr_equal(s->fields[8].schema, prim(TG_INT64, true));
    assert_ptr_equal(s->fields[9].schema, prim(TG_FLOAT64, true));
    int32_t at =
        tg_add_field(n, intern("ts"), tg_schema_of(TG_INT64, 0, "timestamp"));
    assert_int_equal(at, 12);
    assert_int_equal(tg_put_number(n, at, NULL, 1e12), 0);
    check();
    assert_int_equal(tg_add_field(n, intern("ts"), prim(TG_BOOL, true)),
                     TG_ERR_DATA);
    assert_has(tg_ffi_error(),
               "Cannot create field because of field name duplication ts");
    assert_int_equal(tg_add_field(n, intern("tt"), NULL), TG_ERR_ARG);
}

static void nested_changes_reach_the_root(void **state)
{
    (void)state;
    tg_node *n = sample();
    tg_node *in = child(n, "in");
    assert_int_equal(set_number(in, "z", 1), 0);
    check();
    assert_true(rec->value.schema->fields[6].schema->optional);
    assert_string_equal(rec->value.schema->fields[6].schema->name, "In");
    assert_int_equal(tg_delete(in, 0), 0);
    assert_int_equal(tg_rename(in, 0, intern("why")), 0);
    check();
    shows(&rec->value, "{\"i8\":1,\"i64\":2,\"f\":1.10,\"s\":\"x\",\"b\":<b>,"
                       "\"t\":true,\"in\":{\"why\":null,\"z\":1},"
                       "\"l\":[{\"q\":0},{\"q\":1}]}");
    tg_node *l = child(n, "l");
    for (int i = 0; i < 2; i++)
        assert_int_equal(set_text(l->slots[i].u.node, "w", "v"), 0);
    check();
    assert_int_equal(rec->value.schema->fields[7].schema->value->nfields, 2);
}

static void new_trees_grow_their_schema(void **state)
{
    (void)state;
    tg_node *n = sample();
    tg_node *a = tg_put_node(n, -1, intern("arr"), TG_ARRAY);
    check();
    assert_null(rec->value.schema->fields[8].schema->value);
    assert_int_equal(tg_put_number(a, 0, NULL, 1), 0);
    assert_int_equal(tg_put_number(a, 1, NULL, 2), 0);
    assert_int_equal(tg_put_number(a, 1, NULL, 2.5), TG_ERR_DATA);
    check();
    assert_ptr_equal(rec->value.schema->fields[8].schema->value,
                     prim(TG_INT64, true));
    tg_node *m = tg_put_node(n, -1, intern("obj"), TG_MAP);
    assert_int_equal(m->kind, TG_STRUCT);
    set_number(m, "k", 1);
    tg_node *deep = tg_put_node(m, -1, intern("objs"), TG_ARRAY);
    tg_node *e = tg_put_node(deep, 0, NULL, TG_MAP);
    assert_int_equal(set_text(e, "t", "x"), 0);
    check();
    shows(&rec->value, "{\"i8\":1,\"i64\":2,\"f\":1.10,\"s\":\"x\",\"b\":<b>,"
                       "\"t\":true,\"in\":{\"x\":7,\"y\":null},"
                       "\"l\":[{\"q\":0},{\"q\":1}],\"arr\":[1,2],"
                       "\"obj\":{\"k\":1,\"objs\":[{\"t\":\"x\"}]}}");
    /* an existing struct field is replaced by one of its schema */
    tg_node *in = tg_put_node(n, 6, NULL, TG_MAP);
    assert_int_equal(in->n, 2);
    assert_int_equal(set_number(in, "x", 3), 0);
    check();
}

static void copies_take_the_schema_of_their_place(void **state)
{
    (void)state;
    tg_node *n = sample();
    tg_record *other = tg_batch_append(batch);
    tg_node *map =
        tree(&other->value, "{\"x\":9,\"y\":\"s\",\"extra\":{\"l\":[1.5]}}");
    assert_int_equal(tg_put_copy(n, 6, NULL, &other->value.value), 0);
    check();
    tg_value text = map->slots[1];
    assert_int_equal(tg_put_copy(n, 0, NULL, &text), TG_ERR_DATA);
    tg_value big = scalar(TG_INT64, 100);
    assert_int_equal(tg_put_copy(n, 0, NULL, &big), 0);
    assert_int_equal(n->slots[0].tag, TG_INT8);
    /* a struct under a new name, and the whole into itself */
    assert_int_equal(tg_put_copy(n, -1, intern("in2"), &n->slots[6]), 0);
    assert_int_equal(tg_put_copy(n, -1, intern("self"), &rec->value.value), 0);
    check();
    assert_int_equal(tg_cell_put_copy(&other->key, &n->slots[7]), 0);
    assert_ptr_equal(other->key.schema, rec->value.schema->fields[7].schema);
}

static void undo_brings_schemas_back(void **state)
{
    (void)state;
    tg_node *n = sample();
    const tg_schema *s = rec->value.schema;
    tg_batch_begin(batch);
    set_number(child(n, "in"), "z", 1);
    set_text(child(n, "l")->slots[1].u.node, "w", "v");
    tg_delete(n, 0);
    tg_batch_undo(batch);
    assert_ptr_equal(rec->value.schema, s);
    check();
    assert_int_equal(rec->value.dirty, 0);
    assert_int_equal(child(n, "in")->dirty, 0);
}

static void decimals_take_numbers(void **state)
{
    (void)state;
    tg_schema_param scale[] = {{"scale", "2"}};
    tg_schema d = {.tag = TG_BYTES,
                   .params = scale,
                   .nparams = 1,
                   .name = "org.apache.kafka.connect.data.Decimal"};
    tg_schema_field f[] = {{intern("d"), tg_schema_intern(&d)}};
    const tg_schema *s = structure(NULL, f, 1);
    tg_node *n = object(NULL, s, 1);
    n->slots[0] = (tg_value){.tag = TG_NUM, .len = 4, .u.p = "1.50"};
    rec->value.value = (tg_value){.tag = TG_STRUCT, .u.node = n};
    rec->value.state = TG_CELL_DECODED;
    rec->value.schema = s;
    assert_int_equal(set_number(n, "d", 1.5), 0);
    assert_int_equal(n->dirty, 0);
    assert_int_equal(set_number(n, "d", 2.25), 0);
    assert_int_equal(n->slots[0].tag, TG_FLOAT64);
    assert_int_equal(set_text(n, "d", "x"), TG_ERR_DATA);
    assert_non_null(strstr(tg_ffi_error(), "tide.decimal"));
    assert_int_equal(n->slots[0].tag, TG_FLOAT64);
    assert_int_equal(tg_put_bytes(n, 0, NULL, "\x01", 1), 0); /* unscaled */
    assert_int_equal(n->slots[0].tag, TG_BYTES);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(equal_schemas_are_one),
        T(derivations_keep_the_rest),
        T(values_must_fit),
        T(equal_writes_stay_clean),
        T(new_fields_get_a_schema),
        T(nested_changes_reach_the_root),
        T(new_trees_grow_their_schema),
        T(copies_take_the_schema_of_their_place),
        T(undo_brings_schemas_back),
        T(decimals_take_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
