/* Plans: ReplaceField's rules on maps and structs. */
#include "tree.h"

static tg_record *rec;
static tg_batch *batch;
static tg_plan *plan;

static int setup(void **state)
{
    (void)state;
    batch = one(&rec);
    plan = tg_plan_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tg_plan_free(plan);
    tg_batch_free(batch);
    return 0;
}

static void exclude(const char *name)
{
    tg_plan_exclude(plan, intern(name));
}

static void include(const char *name)
{
    tg_plan_include(plan, intern(name));
}

static void renames(const char *from, const char *to)
{
    tg_plan_rename(plan, intern(from), intern(to));
}

/* The plan on an interned and on a private shape, twice each. */
static void gives(const char *from, const char *want)
{
    for (int i = 0; i < 4; i++) {
        tg_node *n =
            i % 2 ? private_tree(&rec->value, from) : tree(&rec->value, from);
        rec->value.dirty = 0;
        assert_int_equal(tg_plan_apply(plan, n), 0);
        shows(&rec->value, want);
        check_clean(&rec->value.value);
        assert_int_equal(n->dirty, strcmp(from, want) != 0);
    }
}

static void fields_are_selected_and_renamed(void **state)
{
    (void)state;
    exclude("f");
    renames("i", "ii");
    gives("{\"i\":300,\"s\":\"12\",\"f\":1}", "{\"ii\":300,\"s\":\"12\"}");
    gives("{\"f\":{\"x\":1},\"a\":{\"b\":[1.10]}}", "{\"a\":{\"b\":[1.10]}}");
    gives("{\"f\":1}", "{}");
    gives("{}", "{}");
    gives("{\"a\":1}", "{\"a\":1}");
}

static void include_is_tested_before_renaming(void **state)
{
    (void)state;
    include("ii");
    renames("i", "ii");
    gives("{\"i\":300}", "{}");
    gives("{\"i\":300,\"ii\":1,\"z\":2}", "{\"ii\":1}");
}

static void exclude_wins_over_include(void **state)
{
    (void)state;
    include("a");
    include("b");
    exclude("b");
    gives("{\"b\":1,\"a\":2,\"c\":3}", "{\"a\":2}");
}

static void the_later_of_equal_names_wins(void **state)
{
    (void)state;
    renames("c", "a");
    gives("{\"a\":1,\"b\":2,\"c\":3}", "{\"a\":3,\"b\":2}");
    gives("{\"c\":3,\"b\":2,\"a\":1}", "{\"a\":1,\"b\":2}");
    gives("{\"c\":3}", "{\"a\":3}");
}

static void names_can_be_swapped(void **state)
{
    (void)state;
    renames("a", "b");
    renames("b", "a");
    gives("{\"a\":1,\"x\":0,\"b\":2}", "{\"b\":1,\"x\":0,\"a\":2}");
}

static void a_plan_can_be_extended(void **state)
{
    (void)state;
    gives("{\"a\":1,\"b\":2}", "{\"a\":1,\"b\":2}");
    exclude("b");
    gives("{\"a\":1,\"b\":2}", "{\"a\":1}");
    tg_plan_exclude(plan, NULL);
    tg_plan_rename(plan, NULL, NULL);
    tg_plan_include(NULL, NULL);
    tg_plan_free(NULL);
}

static void undo_and_nested_nodes(void **state)
{
    (void)state;
    exclude("x");
    tg_node *n = tree(&rec->value, "{\"a\":{\"x\":1,\"y\":2},\"x\":3}");
    tg_batch_begin(batch);
    assert_int_equal(tg_plan_apply(plan, n), 0);
    assert_int_equal(tg_plan_apply(plan, child(n, "a")), 0);
    shows_marks(&rec->value, "**{\"a\":*{\"y\":2}}");
    tg_batch_undo(batch);
    shows_marks(&rec->value, "{\"a\":{\"x\":1,\"y\":2},\"x\":3}");
}

static void structs_keep_their_schema(void **state)
{
    (void)state;
    tg_schema_field f[] = {{intern("a"), tg_schema_of(TG_INT32, 0, NULL)},
                           {intern("b"), tg_schema_of(TG_STR, 1, NULL)},
                           {intern("c"), tg_schema_of(TG_BOOL, 1, NULL)}};
    tg_schema proto = {.tag = TG_STRUCT,
                       .name = "S",
                       .doc = "d",
                       .optional = true,
                       .has_version = true,
                       .version = 4,
                       .fields = f,
                       .nfields = 3};
    const tg_schema *s = tg_schema_intern(&proto);
    tg_node *n = tg_node_new(batch, TG_STRUCT, tg_shape_of_schema(s), 3);
    n->cell = &rec->value;
    n->n = 3;
    n->slots[0] = (tg_value){.tag = TG_INT32, .u.i = 5};
    n->slots[1] = (tg_value){.tag = TG_NULL};
    n->slots[2] = (tg_value){.tag = TG_BOOL, .u.i = 1};
    rec->value.value = (tg_value){.tag = TG_STRUCT, .u.node = n};
    rec->value.state = TG_CELL_DECODED;
    rec->value.schema = s;
    renames("c", "a");
    assert_int_equal(tg_plan_apply(plan, n), TG_ERR_DATA);
    assert_has(tg_ffi_error(), "duplication a;");
    assert_ptr_equal(rec->value.schema, s);
    assert_int_equal(n->dirty, 0);
    exclude("a");
    assert_int_equal(tg_plan_apply(plan, n), 0);
    shows(&rec->value, "{\"b\":null,\"a\":true}");
    const tg_schema *t = rec->value.schema;
    assert_ptr_equal(t, n->shape->schema);
    assert_string_equal(t->name, "S");
    assert_string_equal(t->doc, "d");
    assert_int_equal(t->version, 4);
    assert_false(t->optional);
    assert_int_equal(t->nfields, 2);
    assert_ptr_equal(t->fields[1].schema, tg_schema_of(TG_BOOL, 1, NULL));
}

static void only_objects(void **state)
{
    (void)state;
    tg_node *n = tree(&rec->value, "[1]");
    assert_int_equal(tg_plan_apply(plan, n), TG_ERR_ARG);
    assert_int_equal(tg_plan_apply(plan, NULL), TG_ERR_ARG);
    assert_int_equal(tg_plan_apply(NULL, n), TG_ERR_ARG);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(fields_are_selected_and_renamed),
        T(include_is_tested_before_renaming),
        T(exclude_wins_over_include),
        T(the_later_of_equal_names_wins),
        T(names_can_be_swapped),
        T(a_plan_can_be_extended),
        T(undo_and_nested_nodes),
        T(structs_keep_their_schema),
        T(only_objects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
