/* Writes to nodes without a schema: kinds, no-op rule, marks, bad arguments. */
#include "tree.h"
#include <math.h>

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

static void equal_writes_change_nothing(void **state)
{
    (void)state;
    tg_node *n =
        tree(&rec->value, "{\"a\":1,\"b\":1.10,\"c\":\"x\",\"d\":\"\\u0041\","
                          "\"e\":true,\"f\":null,\"g\":[],\"h\":1e2,"
                          "\"i\":12345678901234567890,"
                          "\"j\":1000000000000000000}");
    assert_int_equal(n->slots[9].tag, TG_NUM);
    assert_int_equal(set_number(n, "j", 1e18), 0);
    assert_int_equal(tg_put_int64(n, 9, NULL, 1000000000000000000), 0);
    assert_int_equal(set_number(n, "a", 1), 0);
    assert_int_equal(set_number(n, "b", 1.1), 0);
    assert_int_equal(set_text(n, "c", "x"), 0);
    assert_int_equal(set_text(n, "d", "A"), 0);
    assert_int_equal(tg_put_bool(n, 4, NULL, 7), 0);
    assert_int_equal(tg_put_null(n, 5, NULL), 0);
    assert_ptr_equal(tg_put_node(n, 6, NULL, TG_ARRAY), n->slots[6].u.node);
    assert_int_equal(set_number(n, "h", 100), 0);
    assert_int_equal(tg_put_int64(n, 7, NULL, 100), 0);
    assert_int_equal(set_number(n, "i", 12345678901234567890.0), 0);
    assert_int_equal(tg_put_copy(n, 1, NULL, &n->slots[1]), 0);
    assert_int_equal(tg_rename(n, 0, intern("a")), 0);
    assert_int_equal(tg_put_copy(n, 6, NULL, &n->slots[6]), 0);
    assert_int_equal(n->dirty, 0);
    assert_int_equal(rec->value.dirty, 0);
}

static void numbers_keep_their_kind(void **state)
{
    (void)state;
    tg_node *n = tree(&rec->value, "{\"i\":1,\"f\":1.5,\"e\":1e2,"
                                   "\"big\":12345678901234567890,\"s\":\"x\"}");
    set_number(n, "i", 5);
    set_number(n, "f", 5);
    set_number(n, "e", 5);
    set_number(n, "big", 7);
    set_number(n, "s", 9);
    set_number(n, "new", 3);
    set_number(n, "half", 0.5);
    shows(&rec->value, "{\"i\":5,\"f\":5.0,\"e\":5.0,\"big\":7,\"s\":9,"
                       "\"new\":3,\"half\":0.5}");
    set_number(n, "i", 1.25);
    assert_int_equal(n->slots[0].tag, TG_FLOAT64);
    set_number(n, "i", 2);
    shows(&rec->value, "{\"i\":2.0,\"f\":5.0,\"e\":5.0,\"big\":7,\"s\":9,"
                       "\"new\":3,\"half\":0.5}");
    tg_put_int64(n, 1, NULL, INT64_MAX); /* no double holds it */
    assert_int_equal(n->slots[1].tag, TG_INT64);
    assert_true(n->slots[1].u.i == INT64_MAX);
    set_number(n, "i", 1e300);
    set_number(n, "new", 0x1p63); /* just too large */
    assert_int_equal(n->slots[5].tag, TG_FLOAT64);
    set_number(n, "half", NAN);
    n->dirty = 0;
    set_number(n, "half", NAN); /* the same again */
    assert_int_equal(n->dirty, 0);
    set_number(n, "half", 0.0);
    n->dirty = 0;
    set_number(n, "half", -0.0); /* prints otherwise */
    assert_int_equal(n->dirty, 1);
    set_number(n, "z", -0.0);
    assert_int_equal(n->slots[7].tag, TG_FLOAT64);
}

static void narrow_integers_widen(void **state)
{
    (void)state;
    tg_node *n = tree(&rec->value, "{\"a\":1}");
    n->slots[0].tag = TG_INT8;
    set_number(n, "a", 127);
    assert_int_equal(n->slots[0].tag, TG_INT8);
    tg_put_int64(n, 0, NULL, 128);
    assert_int_equal(n->slots[0].tag, TG_INT64);
}

static void marks_go_up_and_not_sideways(void **state)
{
    (void)state;
    tg_node *n =
        tree(&rec->value, "{\"a\":{\"b\":{\"c\":1},\"d\":{}},\"e\":[1]}");
    set_number(child(child(n, "a"), "b"), "c", 2);
    shows_marks(&rec->value,
                "**{\"a\":*{\"b\":*{\"c\":2},\"d\":{}},\"e\":[1]}");
    check_clean(&rec->value.value);
}

static void fields_are_added_deleted_and_renamed(void **state)
{
    (void)state;
    tg_node *n = tree(&rec->value, "{\"a\":1,\"b\":2,\"c\":3}");
    assert_int_equal(tg_delete(n, 1), 0);
    shows(&rec->value, "{\"a\":1,\"c\":3}");
    for (int i = 0; i < 20; i++) {
        char name[8];
        snprintf(name, sizeof name, "n%d", i);
        assert_int_equal(set_number(n, name, i), 0);
    }
    assert_int_equal(n->n, 22);
    assert_int_equal(slot_of(n, "n19"), 21);
    for (int i = 0; i < 20; i++)
        assert_int_equal(tg_delete(n, 2), 0);
    assert_int_equal(tg_rename(n, 0, intern("z")), 0);
    shows(&rec->value, "{\"z\":1,\"c\":3}");
    assert_int_equal(tg_rename(n, 1, intern("z")), 0);
    shows(&rec->value, "{\"z\":3}");
    /* slot -1 with a name that exists writes that field */
    assert_int_equal(tg_put_number(n, -1, intern("z"), 4), 0);
    shows(&rec->value, "{\"z\":4}");
    assert_int_equal(tg_add_field(n, intern("z"), NULL), 0);
    assert_int_equal(tg_add_field(n, intern("y"), NULL), 1);
    shows(&rec->value, "{\"z\":4,\"y\":null}");
}

static void private_shapes_work_the_same(void **state)
{
    (void)state;
    tg_node *n = private_tree(&rec->value, "{\"a\":1,\"b\":2,\"c\":3}");
    assert_int_equal(n->shape->id, 0);
    assert_int_equal(tg_slot_find(n, intern("c")), 2);
    tg_delete(n, 1);
    set_number(n, "d", 4);
    tg_shape *old = n->shape;
    set_number(n, "e", 5);
    assert_ptr_equal(old->names, n->shape->names); /* shared while it fits */
    tg_rename(n, 0, intern("z"));
    shows(&rec->value, "{\"z\":1,\"c\":3,\"d\":4,\"e\":5}");
    assert_int_equal(n->shape->id, 0);
    assert_int_equal(old->n, 3);
    for (int i = 0; i < 30; i++) {
        char name[8];
        snprintf(name, sizeof name, "p%d", i);
        set_number(n, name, i);
        assert_int_equal(slot_of(n, name), 4 + i);
    }
}

static void arrays_grow_and_shrink(void **state)
{
    (void)state;
    tg_node *n = tree(&rec->value, "[1,2]");
    for (int i = 2; i < 50; i++)
        assert_int_equal(tg_put_number(n, i, NULL, i), 0);
    assert_int_equal(n->n, 50);
    for (int i = 0; i < 47; i++)
        assert_int_equal(tg_delete(n, 1), 0);
    shows(&rec->value, "[1,48,49]");
    tg_node *m = tg_put_node(n, 3, NULL, TG_MAP);
    assert_int_equal(set_text(m, "k", "v\"w"), 0);
    assert_int_equal(m->slots[0].flags, TG_F_NEW);
    shows(&rec->value, "[1,48,49,{\"k\":\"v\"w\"}]");
}

static void copies_are_deep_and_keep_number_text(void **state)
{
    (void)state;
    tg_record *other;
    tg_batch *b2 = one(&other);
    tg_node *from = private_tree(&other->value,
                                 "{\"a\":[1.10,{\"k\":\"\\n\"}],\"b\":1e400}");
    tg_node *n = tree(&rec->value, "{\"x\":0}");
    assert_int_equal(tg_put_copy(n, -1, intern("y"), &other->value.value), 0);
    assert_int_equal(tg_put_copy(n, -1, intern("num"), &from->slots[1]), 0);
    set_number(from, "b", 7);
    tg_batch_reset(b2); /* poisons what was copied from */
    shows(&rec->value, "{\"x\":0,\"y\":{\"a\":[1.10,{\"k\":\"\\n\"}],"
                       "\"b\":1e400},\"num\":1e400}");
    tg_batch_free(b2);
    /* into itself */
    assert_int_equal(tg_put_copy(n, 0, NULL, &rec->value.value), 0);
    assert_int_equal(child(n, "x")->n, 3);
    /* long numbers are compared by text */
    tg_node *m = tree(&rec->key, "[10000000000000000001,10000000000000000002]");
    assert_int_equal(tg_put_copy(m, 0, NULL, &m->slots[1]), 0);
    shows(&rec->key, "[10000000000000000002,10000000000000000002]");
}

static void zeros_of_each_kind(void **state)
{
    (void)state;
    tg_node *n = tree(&rec->value,
                      "{\"i\":3,\"f\":1.5,\"s\":\"x\",\"e\":\"\\n\",\"b\":true,"
                      "\"n\":null,\"a\":[1],\"m\":{\"k\":1},"
                      "\"big\":12345678901234567890}");
    for (int i = 0; i < 9; i++)
        assert_int_equal(tg_put_zero(n, i), 0);
    shows(&rec->value, "{\"i\":0,\"f\":0.0,\"s\":\"\",\"e\":\"\",\"b\":false,"
                       "\"n\":null,\"a\":[],\"m\":{},\"big\":0}");
    tg_put_bytes(n, 0, NULL, "zz", 2);
    assert_int_equal(tg_put_zero(n, 0), TG_ERR_DATA);
    assert_has(tg_ffi_error(), "Cannot mask value of type: BYTES");
    /* zero already: clean */
    n = tree(&rec->value, "{\"a\":0,\"b\":0.00,\"c\":\"\",\"d\":[],\"e\":{}}");
    for (int i = 0; i < 5; i++)
        assert_int_equal(tg_put_zero(n, i), 0);
    assert_int_equal(n->dirty, 0);
}

static void zeros_fit_the_schema(void **state)
{
    (void)state;
    const tg_name *name = intern("d");
    tg_node *n = tg_cell_put_node(&rec->value, TG_STRUCT);
    assert_int_equal(tg_add_field(n, name, tg_schema_of(TG_FLOAT64, 0, NULL)),
                     0);
    n->slots[0] = (tg_value){.tag = TG_NUM, .len = 2, .u.p = "42"};
    assert_int_equal(tg_put_zero(n, 0), 0);
    assert_int_equal(n->slots[0].tag, TG_FLOAT64);
    assert_true(n->slots[0].u.d == 0);
}

static void names_are_utf8(void **state)
{
    (void)state;
    assert_null(tg_name_intern("a\xff", 2));
    assert_has(tg_ffi_error(), "not UTF-8");
    assert_non_null(tg_name_intern("\xc3\xa4", 2));
}

static void bytes_stay_bytes(void **state)
{
    (void)state;
    tg_node *n = tree(&rec->value, "{\"a\":1}");
    tg_put_bytes(n, 0, NULL, "\xFF\x00", 2);
    assert_int_equal(tg_put_text(n, 0, NULL, "\xFE", 1), 0);
    assert_int_equal(n->slots[0].tag, TG_BYTES);
    assert_int_equal(tg_put_text(n, -1, intern("s"), "a\xFFz", 3), TG_ERR_DATA);
    assert_has(tg_ffi_error(), "byte 0xFF at offset 1");
    assert_int_equal(n->n, 1);
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    tg_node *n = tree(&rec->value, "{\"a\":1,\"l\":[1]}");
    tg_node *l = child(n, "l");
    int32_t slots[] = {-2, 2, 1000000, INT32_MAX, INT32_MIN, -1};
    for (int i = 0; i < 6; i++) {
        assert_int_equal(tg_put_number(n, slots[i], NULL, 1), TG_ERR_ARG);
        assert_int_equal(tg_delete(n, slots[i]), TG_ERR_ARG);
        assert_int_equal(tg_rename(n, slots[i], intern("q")), TG_ERR_ARG);
        assert_int_equal(tg_put_zero(n, slots[i]), TG_ERR_ARG);
        assert_int_equal(tg_put_null(l, slots[i], NULL), TG_ERR_ARG);
        assert_int_equal(tg_delete(l, slots[i]), TG_ERR_ARG);
        assert_int_equal(tg_field_kind(n, slots[i]), 0);
        assert_true(tg_slot_number(n, slots[i], 5) == 5);
    }
    assert_int_equal(tg_put_text(NULL, 0, NULL, "x", 1), TG_ERR_ARG);
    assert_int_equal(tg_put_text(n, 0, NULL, NULL, 1), TG_ERR_ARG);
    assert_int_equal(tg_put_copy(n, 0, NULL, NULL), TG_ERR_ARG);
    assert_null(tg_put_node(n, 0, NULL, TG_STR));
    assert_null(tg_put_node(NULL, 0, NULL, TG_MAP));
    assert_int_equal(tg_rename(n, 0, NULL), TG_ERR_ARG);
    assert_int_equal(tg_rename(l, 0, intern("q")), TG_ERR_ARG);
    assert_int_equal(tg_slot_find(l, intern("a")), -1);
    assert_int_equal(tg_slot_find(NULL, intern("a")), -1);
    assert_int_equal(tg_slot_find(n, NULL), -1);
    assert_int_equal(tg_slot_find_text(n, NULL, 3), -1);
    assert_int_equal(tg_add_field(l, intern("x"), NULL), TG_ERR_ARG);
    assert_int_equal(n->dirty, 0);
}

static void depth_is_limited(void **state)
{
    (void)state;
    tg_node *root = tree(&rec->value, "{}"), *n = root;
    int depth = 1;
    for (tg_node *next; (next = tg_put_node(n, -1, intern("x"), TG_MAP));
         n = next)
        depth++;
    assert_int_equal(depth, TG_MAX_DEPTH);
    assert_has(tg_ffi_error(), "deeper than 512");
    assert_int_equal(set_number(n, "leaf", 1), 0);
    tg_value one = {.tag = TG_MAP, .u.node = n};
    assert_int_equal(tg_put_copy(n, -1, intern("y"), &one), TG_ERR_DATA);
    assert_int_equal(tg_put_copy(root, -1, intern("y"), &one), 0);
    assert_int_equal(tg_put_copy(root, -1, intern("z"), &rec->value.value),
                     TG_ERR_DATA);
    assert_int_equal(tg_cell_put_copy(&rec->key, &rec->value.value), 0);
}

static void a_full_arena_is_reported(void **state)
{
    (void)state;
    tg_batch *small = tg_batch_new(10, 300000);
    tg_record *r = tg_batch_append(small);
    tg_node *n = tree(&r->value, "{\"a\":1}");
    static char text[100000];
    int rc = 0, i = 0;
    memset(text, 'x', sizeof text);
    tg_batch_begin(small);
    while (rc == 0 && i++ < 50) {
        text[0] = (char)('a' + i % 20);
        rc = tg_put_text(n, 0, NULL, text, sizeof text);
    }
    assert_int_equal(rc, TG_ERR_LIMIT);
    assert_has(tg_ffi_error(), "300000");
    tg_batch_undo(small);
    shows(&r->value, "{\"a\":1}");
    tg_batch_free(small);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(equal_writes_change_nothing),
        T(numbers_keep_their_kind),
        T(narrow_integers_widen),
        T(marks_go_up_and_not_sideways),
        T(fields_are_added_deleted_and_renamed),
        T(private_shapes_work_the_same),
        T(arrays_grow_and_shrink),
        T(copies_are_deep_and_keep_number_text),
        T(zeros_of_each_kind),
        T(zeros_fit_the_schema),
        T(names_are_utf8),
        T(bytes_stay_bytes),
        T(bad_arguments_are_refused),
        T(depth_is_limited),
        T(a_full_arena_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
