/* Field paths: the syntax of KIP-821, and finding fields in values and
 * schemas. The expected steps are those of Kafka Connect's SingleFieldPath. */
#include "unit.h"
#include "../data/tree.h"
#include "transform/field_path.h"

/* What steps a text has, joined with '|'; the error's text when it is none. */
static const char *steps_of(const char *text, bool v2)
{
    static char out[256];
    tg_err err = {0};
    tg_field_path *path =
        tg_field_path_parse(text, (uint32_t)strlen(text), v2, &err);

    if (!path) {
        assert_int_equal(err.code, TG_ERR_CONFIG);
        snprintf(out, sizeof out, "%s", err.text);
        return out;
    }
    out[0] = '\0';
    assert_string_equal(path->text, text);
    for (uint32_t i = 0; i < path->n; i++) {
        strcat(out, i ? "|" : "");
        strcat(out, path->steps[i].name->text);
    }
    tg_field_path_free(path);
    return out;
}

static void test_v1_is_one_name(void **state)
{
    (void)state;
    assert_string_equal(steps_of("a.b", false), "a.b");
    assert_string_equal(steps_of("`a`", false), "`a`");
    assert_string_equal(steps_of("", false), "");
}

static void test_v2_steps(void **state)
{
    static const char *const cases[][2] = {
        {"a", "a"},
        {"a.b.c", "a|b|c"},
        {"`a.b`.c", "a.b|c"},
        {"a.", "a|"},
        {"a..b", "a||b"},
        {".a", "|a"},
        {".", "|"},
        {"`a`", "a"},
        {"a`b", "a`b"},
        {"a`.b", "a`|b"},
        {"`a\\`.b`.c", "a`.b|c"},
        {"`a``", "a`"},
        {"`a`b`", "a`b"},
        {"`a`b`.c", "a`b|c"},
        {"``", ""},
        {"``.a", "|a"},
        {"`a\\`b`", "a\\`b"},
        {"a.`b.c`.d", "a|b.c|d"},
        {"`a.b`.", "a.b|"},
        {"`a\\`.`", "a`."},
        {"`a`.`b`", "a|b"},
        {"\\`a.b", "\\`a|b"},
        {"`a\\``.b", "a\\`|b"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(steps_of(cases[i][0], true), cases[i][1]);
}

static void test_v2_errors(void **state)
{
    (void)state;
    assert_string_equal(steps_of("`a", true),
                        "Incomplete backtick pair in path: [`a], consider "
                        "adding a backslash before backtick at position 0 to "
                        "escape it");
    assert_has(steps_of("a.`", true), "backtick at position 2");
    assert_has(steps_of("`a\\`", true), "[`a\\`]");
    assert_has(steps_of("`", true), "position 0");
    assert_has(steps_of("`a.b`c.d", true), "Incomplete backtick pair");
    assert_has(steps_of("", true), "at least one step");
    assert_has(steps_of("a.\xFF", true), "is not UTF-8");
}

/* --- values and schemas --------------------------------------------------- */

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

static tg_field_path *v2(const char *text)
{
    tg_err err = {0};
    tg_field_path *path =
        tg_field_path_parse(text, (uint32_t)strlen(text), true, &err);

    assert_non_null(path);
    return path;
}

/* Where a path ends in a tree: "slot of n fields", "no parent" or the error.
 * Twice, as the second time the layout is known. */
static const char *place(const char *text, tg_node *root)
{
    static char out[160];
    tg_field_path *path = v2(text);
    tg_field_at at;

    for (int i = 0; i < 2; i++) {
        if (tg_field_path_find(path, root, false, &at))
            snprintf(out, sizeof out, "%s", tg_ffi_error());
        else if (!at.node)
            snprintf(out, sizeof out, "no parent");
        else
            snprintf(out, sizeof out, "%d of %u", at.slot, at.node->n);
    }
    tg_field_path_free(path);
    return out;
}

static void test_find_in_maps(void **state)
{
    static const char text[] = "{\"s\":\"x\",\"m\":{\"x\":1,\"y\":{\"z\":2}},"
                               "\"n\":null,\"a.b\":{\"c\":9},\"l\":[1]}";

    (void)state;
    for (int i = 0; i < 2; i++) {
        tg_node *root =
            i ? private_tree(&rec->value, text) : tree(&rec->value, text);
        assert_string_equal(place("s", root), "0 of 5");
        assert_string_equal(place("m.y", root), "1 of 2");
        assert_string_equal(place("m.y.z", root), "0 of 1");
        assert_string_equal(place("`a.b`.c", root), "0 of 1");
        assert_string_equal(place("q", root), "-1 of 5");
        assert_string_equal(place("m.q", root), "-1 of 2");
        assert_string_equal(place("n.q", root), "no parent");
        assert_string_equal(place("q.r.s", root), "no parent");
        assert_string_equal(place("s.a", root),
                            "Only Map objects supported in absence of schema "
                            "for [nested field access], found: "
                            "java.lang.String");
        assert_has(place("l.a", root), "found: java.util.ArrayList");
        assert_has(place("m.x.z", root), "found: java.lang.Long");
    }
}

/* One path over layouts that change. */
static void test_layouts_change(void **state)
{
    tg_field_path *path = v2("a.b");
    tg_field_at at;

    (void)state;
    for (int i = 0; i < 6; i++) {
        static const char *const texts[] = {"{\"a\":{\"b\":1}}",
                                            "{\"z\":1,\"a\":{\"y\":1,\"b\":2}}",
                                            "{\"a\":{\"c\":1}}"};
        tg_node *root = tree(&rec->value, texts[i % 3]);
        assert_int_equal(tg_field_path_find(path, root, false, &at), 0);
        assert_int_equal(at.slot, i % 3 == 2 ? -1 : i % 3);
    }
    tg_field_path_free(path);
}

static const tg_schema *structure(const tg_schema_field *fields, uint32_t n,
                                  bool optional)
{
    tg_schema proto = {.tag = TG_STRUCT,
                       .optional = optional,
                       .name = "com.x.R",
                       .has_version = true,
                       .version = 3,
                       .fields = fields,
                       .nfields = n};

    return tg_schema_intern(&proto);
}

static void test_schemas(void **state)
{
    const tg_schema *i32 = tg_schema_of(TG_INT32, 0, NULL);
    const tg_schema *text = tg_schema_of(TG_STR, 1, NULL);
    tg_schema_field in[] = {{intern("x"), i32}, {intern("y"), i32}};
    const tg_schema *inner = structure(in, 2, true);
    tg_schema_field out[] = {{intern("i"), i32}, {intern("in"), inner}};
    const tg_schema *outer = structure(out, 2, true), *s;
    tg_field_path *path = v2("in.x"), *deep = v2("i.x"), *none = v2("in.q");

    (void)state;
    assert_int_equal(tg_field_path_schema(path, outer, &s), 0);
    assert_ptr_equal(s, i32);
    assert_int_equal(tg_field_path_schema(none, outer, &s), 0);
    assert_null(s);
    assert_int_equal(tg_field_path_schema(deep, outer, &s), TG_ERR_DATA);
    assert_has(tg_ffi_error(), "Cannot look up fields on non-struct type");

    s = tg_field_path_retype(path, outer, text, true);
    assert_true(s->optional);
    assert_string_equal(s->name, "com.x.R");
    assert_ptr_equal(s->fields[0].schema, i32);
    assert_true(s->fields[1].schema->optional);
    assert_ptr_equal(s->fields[1].schema->fields[0].schema, text);
    assert_ptr_equal(s->fields[1].schema->fields[1].schema, i32);
    s = tg_field_path_retype(path, outer, text, false);
    assert_false(s->optional);
    assert_int_equal(s->version, 3);

    s = tg_field_path_remove(path, outer);
    assert_int_equal(s->fields[1].schema->nfields, 1);
    assert_ptr_equal(s->fields[1].schema->fields[0].name, intern("y"));
    tg_field_path_free(path);
    tg_field_path_free(deep);
    tg_field_path_free(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_v1_is_one_name),
        cmocka_unit_test(test_v2_steps),
        cmocka_unit_test(test_v2_errors),
        cmocka_unit_test_setup_teardown(test_find_in_maps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_layouts_change, setup, teardown),
        cmocka_unit_test(test_schemas),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
