/* Helpers of the stock transforms: whose fault a record is, undo, schemas of
 * nested structs. */
#include "unit.h"
#include "../data/tree.h"
#include "transform/stock.h"

static tg_record *rec;
static tg_batch *batch;

static int setup(void **state)
{
    (void)state;
    batch = one(&rec);
    batch->lo = 0;
    batch->hi = 1;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tg_batch_free(batch);
    tg_cell_open_hook = NULL;
    return 0;
}

static int cannot_read(tg_cell *cell, tg_err *err)
{
    (void)cell;
    return tg_err_set(err, TG_ERR_DATA, "these bytes are no JSON");
}

static void apply(tg_stock *stock)
{
    assert_non_null(stock);
    assert_int_equal(tg_stock_apply(stock, batch), 0);
    tg_stock_free(stock);
}

static void set_bad(tg_cell *cell)
{
    tg_cell_set_raw(cell, NULL, "{", 1);
    tg_cell_open_hook = cannot_read;
}

static void undecodable_cells_name_their_converter(void **state)
{
    (void)state;
    set_bad(&rec->key);
    apply(tg_stock_hoist(TG_KEY, "x", 1));
    assert_int_equal(rec->verdict, TG_REJECT);
    assert_int_equal(rec->stage, TG_STAGE_KEY);
    assert_string_equal(rec->reason, "these bytes are no JSON");

    tg_record_set_verdict(rec, TG_KEEP, NULL, 0);
    set_bad(&rec->value);
    apply(tg_stock_hoist(TG_VALUE, "x", 1));
    assert_int_equal(rec->stage, TG_STAGE_VALUE);

    tg_record_set_verdict(rec, TG_KEEP, NULL, 0);
    assert_int_equal(tg_header_add(rec, "h", 1), 0);
    set_bad(&rec->headers[0].cell);
    apply(tg_stock_extract_topic(0, "h", 1, 0, 0));
    assert_int_equal(rec->verdict, TG_REJECT);
    assert_int_equal(rec->stage, TG_STAGE_HEADER);
}

static void rejected_records_are_left_alone(void **state)
{
    (void)state;
    tree(&rec->value, "{\"a\":1}");
    tg_record_reject(rec, "earlier");
    apply(tg_stock_hoist(TG_VALUE, "x", 1));
    shows(&rec->value, "{\"a\":1}");
    assert_string_equal(rec->reason, "earlier");
}

/* Every transform that moves trees puts them back when its stage is undone. */
static void stages_can_be_undone(void **state)
{
    static const char text[] = "{\"a\":{\"b\":{\"c\":1}},\"d\":[{\"e\":2}]}";
    static const char *const want[] = {
        "{\"x\":{\"a\":{\"b\":{\"c\":1}},\"d\":[{\"e\":2}]}}",
        "{\"b\":{\"c\":1}}",
        "{\"a.b.c\":1,\"d\":[{\"e\":2}]}",
    };

    (void)state;
    for (int i = 0; i < 3; i++) {
        tree(&rec->value, text);
        rec->value.dirty = 0;
        tg_batch_begin(batch);
        apply(i == 0   ? tg_stock_hoist(TG_VALUE, "x", 1)
              : i == 1 ? tg_stock_extract_field(TG_VALUE, 1, "a", 1, 0)
                       : tg_stock_flatten(TG_VALUE, ".", 1));
        shows(&rec->value, want[i]);
        tg_batch_undo(batch);
        tg_batch_commit(batch);
        shows(&rec->value, text);
    }
}

static const tg_schema *structure(const tg_schema_field *fields, uint32_t n)
{
    tg_schema proto = {
        .tag = TG_STRUCT, .optional = true, .fields = fields, .nfields = n};

    return tg_schema_intern(&proto);
}

/* A struct {in: {x}} whose inner one is given another schema from the top. */
static void nested_structs_follow(void **state)
{
    tg_schema_field x = {intern("x"), tg_schema_of(TG_INT32, 0, NULL)};
    tg_schema_field y = {intern("x"), tg_schema_of(TG_STR, 0, NULL)};
    tg_schema_field was = {intern("in"), structure(&x, 1)};
    tg_schema_field now = {intern("in"), structure(&y, 1)};
    const tg_schema *from = structure(&was, 1), *to = structure(&now, 1);
    tg_cell *cell = &rec->value;
    tg_node *root, *in;
    tg_value v;

    (void)state;
    root = tg__stock_node(cell, TG_STRUCT, tg_shape_of_schema(from), 1);
    in = tg__stock_node(cell, TG_STRUCT, tg_shape_of_schema(was.schema), 1);
    in->parent = root;
    in->slots[0] = (tg_value){.tag = TG_INT32, .u.i = 5};
    in->n = root->n = 1;
    root->slots[0] = (tg_value){.tag = TG_STRUCT, .u.node = in};
    v = (tg_value){.tag = TG_STRUCT, .u.node = root};
    assert_int_equal(tg__stock_replace(cell, &v, from), 0);

    assert_int_equal(tg__stock_retype(root, to), 0);
    assert_ptr_equal(cell->schema, to);
    assert_ptr_equal(root->shape->schema, to);
    assert_ptr_equal(in->shape->schema, now.schema);

    root->slots[0].tag = TG_NULL; /* also where it is null */
    assert_int_equal(tg__stock_retype(root, from), 0);
    assert_ptr_equal(root->shape->schema, from);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(undecodable_cells_name_their_converter,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(rejected_records_are_left_alone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(stages_can_be_undone, setup, teardown),
        cmocka_unit_test_setup_teardown(nested_structs_follow, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
