/* Names, sites, budgets and transitions. The budgets are the process's: the
 * test that uses them up comes last. */
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

static void names_are_interned_by_content(void **state)
{
    (void)state;
    const tg_name *a = intern("a\"\\\n\x01\x1f"
                              "b");
    assert_ptr_equal(a, tg_name_intern("a\"\\\n\x01\x1f"
                                       "b",
                                       7));
    assert_int_equal(a->len, 7);
    const char *json = ",\"a\\\"\\\\\\n\\u0001\\u001Fb\":";
    assert_int_equal(a->jsonlen, strlen(json));
    assert_memory_equal(a->json, json, a->jsonlen);
    assert_ptr_not_equal(intern("a"), intern("b"));
    assert_ptr_not_equal(tg_name_intern("a\0", 2), intern("a"));
    assert_int_equal(tg_name_intern("", 0)->jsonlen, 4);
    assert_null(tg_name_intern(NULL, 3));
    const tg_name *p = tg_name_private(batch, "a", 1);
    assert_int_equal(p->id, 0);
    assert_string_equal(p->text, "a");
    assert_true(tg__name_same(p, intern("a")));
    /* many, so that the table grows */
    const tg_name *first = intern("many-0");
    for (int i = 0; i < 3000; i++) {
        char name[16];
        snprintf(name, sizeof name, "many-%d", i);
        const tg_name *n = intern(name);
        assert_string_equal(n->text, name);
        assert_ptr_equal(n, intern(name));
    }
    assert_ptr_equal(first, intern("many-0"));
}

/* Input in memory of exactly its size, so that a byte too much is caught. */
static bool matches(const char *name, const char *input, size_t len,
                    size_t used)
{
    char *exact = malloc(len + !len);
    memcpy(exact, input, len);
    const char *next = tg_name_match(intern(name), exact, exact + len);
    bool ok = next && (size_t)(next - exact) == used;
    assert_true(ok == (next != NULL));
    free(exact);
    return ok;
}

static void names_match_input(void **state)
{
    (void)state;
    static const char *names[] = {
        "",        "a",        "abc",       "abcdef",
        "abcdefg", "abcdefgh", "abcdefghi", "a longer name of a field"};
    for (size_t i = 0; i < 8; i++) {
        char text[64];
        size_t n = strlen(names[i]);
        for (int tail = 0; tail < 12; tail++) {
            snprintf(text, sizeof text, "%s\":12345678901", names[i]);
            assert_true(matches(names[i], text, n + 1 + (size_t)tail, n + 1));
        }
        for (size_t cut = 0; cut <= n; cut++)
            assert_false(matches(names[i], text, cut, 0));
        for (size_t at = 0; at <= n; at++) {
            text[at] ^= 1;
            assert_false(matches(names[i], text, n + 10, 0));
            text[at] ^= 1;
        }
    }
    assert_true(matches("q\"", "q\\\"\":1", 6, 4));
}

static void layouts_are_shared(void **state)
{
    (void)state;
    tg_site site = {0};
    const tg_name *ab[] = {intern("a"), intern("b")};
    const tg_name *ba[] = {intern("b"), intern("a")};
    tg_shape *s = tg_shape_intern(batch, &site, ab, 2);
    assert_true(s->id > 2);
    assert_true(s->id < tg_shape_count());
    assert_ptr_equal(tg_shape_guess(&site), s);
    assert_ptr_equal(tg_shape_intern(batch, NULL, ab, 2), s);
    tg_shape *t = tg_shape_intern(batch, &site, ba, 2);
    assert_ptr_not_equal(s, t);
    assert_int_equal(site.made, 2);
    assert_ptr_equal(tg_shape_intern(batch, &site, ab, 0), tg_shape_empty());
    /* private names of a known layout find it */
    const tg_name *mixed[] = {tg_name_private(batch, "a", 1), ab[1]};
    assert_ptr_equal(tg_shape_intern(batch, &site, mixed, 2), s);
    const tg_name *unknown[] = {tg_name_private(batch, "never seen", 10)};
    tg_shape *u = tg_shape_intern(batch, &site, unknown, 1);
    assert_int_equal(u->id, 0);
    assert_ptr_equal(tg_shape_site(u, 5), tg_site_below(&site));
    assert_ptr_not_equal(tg_shape_guess(&site), u);
    assert_ptr_not_equal(tg_shape_site(s, 0), tg_shape_site(s, 1));
    assert_ptr_equal(tg_shape_site(s, 1), tg_shape_site(s, 1));
    assert_int_equal(tg_shape_array()->id, 1);
    assert_int_equal(tg_shape_empty()->id, 2);
}

static void wide_shapes_are_indexed(void **state)
{
    (void)state;
    const tg_name *names[300];
    char text[16];
    for (int i = 0; i < 300; i++) {
        snprintf(text, sizeof text, "wide-%d", i);
        names[i] = intern(text);
    }
    tg_shape *s = tg_shape_intern(batch, NULL, names, 300);
    for (int i = 0; i < 300; i++)
        assert_int_equal(tg_shape_find(s, names[i]), i);
    assert_int_equal(tg_shape_find(s, intern("elsewhere")), -1);
    tg_shape *t = tg_shape_drop(batch, s, 7);
    assert_int_equal(t->n, 299);
    assert_int_equal(tg_shape_find(t, names[8]), 7);
    assert_int_equal(tg_shape_find(t, names[7]), -1);
}

static void edits_are_cached_transitions(void **state)
{
    (void)state;
    const tg_name *ab[] = {intern("ea"), intern("eb")};
    tg_shape *s = tg_shape_intern(batch, NULL, ab, 2);
    tg_shape *t = tg_shape_add(batch, s, intern("ec"), NULL);
    uint32_t count = tg_shape_count();
    assert_ptr_equal(tg_shape_add(batch, s, intern("ec"), NULL), t);
    assert_ptr_equal(tg_shape_drop(batch, t, 2), s);
    tg_shape *r = tg_shape_rename(batch, s, 1, intern("ed"));
    assert_string_equal(r->names[1]->text, "ed");
    assert_ptr_equal(tg_shape_rename(batch, r, 1, intern("eb")), s);
    assert_int_equal(tg_shape_count(), count + 1);
    assert_ptr_equal(tg_shape_drop(batch, tg_shape_drop(batch, s, 0), 0),
                     tg_shape_empty());
}

static void a_site_has_a_budget(void **state)
{
    (void)state;
    tg_site site = {0};
    char text[16];
    for (int i = 0; i < 70; i++) {
        snprintf(text, sizeof text, "site-%d", i);
        const tg_name *name = intern(text);
        tg_shape *s = tg_shape_intern(batch, &site, &name, 1);
        assert_int_equal(s->id == 0, i >= TG_SHAPE_SITE_BUDGET);
    }
    const tg_name *known = intern("site-3");
    assert_true(tg_shape_intern(batch, &site, &known, 1)->id > 0);
    tg_site other = {0};
    const tg_name *name = intern("site-69");
    assert_true(tg_shape_intern(batch, &other, &name, 1)->id > 0);
}

static void the_process_has_a_budget(void **state)
{
    (void)state;
    char text[16];
    tg_shape *last = NULL;
    assert_true(tg_site_open(NULL));
    for (int i = 0; i < TG_SHAPE_TOTAL + 10; i++) {
        snprintf(text, sizeof text, "total-%d", i);
        const tg_name *name = intern(text);
        last = tg_shape_intern(batch, NULL, &name, 1);
        assert_non_null(last);
    }
    assert_int_equal(last->id, 0);
    assert_false(tg_site_open(NULL));
    /* edits go on */
    tg_node *n = tree(&rec->value, "{\"ea\":1,\"eb\":2}");
    assert_true(n->shape->id > 0);
    set_number(n, "beyond", 3);
    assert_true(n->shape->id > 0);
    /* up to 64 from one shape */
    for (int i = 0; i < 70; i++) {
        n = tree(&rec->value, "{\"ea\":1,\"eb\":2}");
        snprintf(text, sizeof text, "edit-%d", i);
        set_number(n, text, 3);
        assert_int_equal(slot_of(n, text), 2);
    }
    assert_int_equal(n->shape->id, 0);
    tg_delete(n, 0);
    tg_rename(n, 0, intern("zz"));
    shows(&rec->value, "{\"zz\":2,\"edit-69\":3}");
    /* and 4,096 in all: objects that grow field by field */
    for (int i = 0; i < 60; i++) {
        n = tree(&rec->value, "{}");
        for (int j = 0; j < 100; j++) {
            snprintf(text, sizeof text, "g-%d-%d", i, j);
            set_number(n, text, j);
        }
        assert_int_equal(slot_of(n, text), 99);
    }
    assert_int_equal(n->shape->id, 0);
    assert_true(tg_shape_count() <= TG_SHAPE_TOTAL + TG_SHAPE_EDITS + 3);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(names_are_interned_by_content),
        T(names_match_input),
        T(layouts_are_shared),
        T(wide_shapes_are_indexed),
        T(edits_are_cached_transitions),
        T(a_site_has_a_budget),
        T(the_process_has_a_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
