/* Undo of a stage, by cases and by a random walk beside a simple model. */
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

static const char *sample =
    "{\"a\":1.10,\"b\":{\"c\":[1,2,{\"d\":\"x\"}],\"e\":null},\"f\":\"s\"}";

static void everything_comes_back(void **state)
{
    (void)state;
    tg_node *n = tree(&rec->value, sample);
    tg_header_add(rec, "h", 1);
    tree(&rec->headers[0].cell, "{\"k\":1}");
    tg_record_set_topic(rec, "t", 1);
    tg_batch_begin(batch);
    set_number(n, "a", 7);
    set_text(n, "new", "v");
    tg_delete(n, slot_of(n, "f"));
    tg_rename(child(n, "b"), 1, intern("ee"));
    tg_delete(child(child(n, "b"), "c"), 0);
    tg_cell_put_text(&rec->key, "key", 3);
    tg_record_set_topic(rec, "other", 5);
    tg_record_set_partition(rec, 4);
    tg_record_set_timestamp(rec, 99);
    tg_record_set_verdict(rec, TG_DROP, NULL, 0);
    set_number(rec->headers[0].cell.value.u.node, "k", 2);
    for (int i = 0; i < 9; i++)
        tg_header_add(rec, "x", 1);
    tg_header_remove(rec, 0);
    tg_batch_undo(batch);
    shows_marks(&rec->value, sample);
    assert_int_equal(rec->key.state, TG_CELL_NULL);
    assert_int_equal(rec->key.dirty, 0);
    assert_memory_equal(rec->topic, "t", 2);
    assert_int_equal(rec->partition, -1);
    assert_int_equal(rec->timestamp, -1);
    assert_int_equal(rec->verdict, TG_KEEP);
    assert_int_equal(rec->nheaders, 1);
    shows(&rec->headers[0].cell, "{\"k\":1}");
    assert_ptr_equal(rec->headers[0].cell.value.u.node->cell,
                     &rec->headers[0].cell);
}

static void untouched_headers_find_their_cells_again(void **state)
{
    (void)state;
    tg_header_add(rec, "a", 1);
    tg_header_add(rec, "b", 1);
    tree(&rec->headers[1].cell, "{\"k\":[1]}");
    tg_batch_begin(batch);
    tg_header_remove(rec, 0);
    for (int i = 0; i < 9; i++)
        tg_header_add(rec, "x", 1);
    shows(&rec->headers[0].cell, "{\"k\":[1]}");
    tg_batch_undo(batch);
    shows_marks(&rec->headers[1].cell, "{\"k\":[1]}");
}

/* The root was saved where its cell was, its members have moved since. */
static void written_headers_find_their_cells_again(void **state)
{
    (void)state;
    tg_header_add(rec, "a", 1);
    tg_header_add(rec, "b", 1);
    tg_node *n = tree(&rec->headers[1].cell, "{\"k\":1,\"in\":{\"x\":1}}");
    tg_batch_begin(batch);
    set_number(n, "k", 2);
    tg_header_remove(rec, 0);
    tg_batch_undo(batch);
    shows_marks(&rec->headers[1].cell, "{\"k\":1,\"in\":{\"x\":1}}");
    set_number(child(rec->headers[1].cell.value.u.node, "in"), "x", 5);
    assert_int_equal(rec->headers[1].cell.dirty, 1);
    shows(&rec->headers[1].cell, "{\"k\":1,\"in\":{\"x\":5}}");
}

static void a_stage_appends_no_records(void **state)
{
    (void)state;
    uint32_t n = batch->n;
    tg_batch_begin(batch);
    assert_null(tg_batch_append(batch));
    assert_has(tg_ffi_error(), "only a source");
    tg_batch_commit(batch);
    assert_non_null(tg_batch_append(batch));
    assert_int_equal(batch->n, n + 1);
}

static void whole_cells_come_back(void **state)
{
    (void)state;
    tree(&rec->value, sample);
    tg_batch_begin(batch);
    tg_node *n = tg_cell_put_node(&rec->value, TG_MAP);
    set_number(n, "q", 1);
    tg_cell_put_null(&rec->value);
    assert_int_equal(rec->value.state, TG_CELL_NULL);
    tg_batch_undo(batch);
    shows_marks(&rec->value, sample);
}

static void commit_keeps_and_the_next_stage_saves_again(void **state)
{
    (void)state;
    tg_node *n = tree(&rec->value, "{\"a\":1}");
    tg_batch_begin(batch);
    set_number(n, "a", 2);
    tg_batch_commit(batch);
    tg_batch_undo(batch); /* no stage: nothing */
    shows(&rec->value, "{\"a\":2}");
    tg_batch_begin(batch);
    set_number(n, "a", 3);
    set_number(n, "a", 4);
    tg_batch_begin(batch); /* commits */
    set_number(n, "a", 5);
    tg_batch_undo(batch);
    shows(&rec->value, "{\"a\":4}");
    set_number(n, "a", 6); /* the stage is open still */
    tg_batch_undo(batch);
    shows(&rec->value, "{\"a\":4}");
    assert_int_equal(n->dirty, 1);
}

/* As the host does it: all at once, then one by one. */
static int stage(void)
{
    for (uint32_t i = batch->lo; i < batch->hi; i++) {
        tg_record *r = batch->items[i];
        if (r->verdict != TG_KEEP)
            continue;
        set_number(r->value.value.u.node, "a", 100);
        tg_record *s = tg_record_split(r);
        set_text(s->value.value.u.node, "s", "split");
        if (i == 2 || i == 4)
            return -1;
    }
    return 0;
}

static void culprits_are_found_and_neighbours_survive(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        if (i)
            tg_batch_append(batch);
        tree(&batch->items[i]->value, "{\"a\":1}");
    }
    tg_batch_begin(batch);
    assert_int_equal(stage(), -1);
    tg_batch_undo(batch);
    for (int i = 0; i < 6; i++) {
        shows_marks(&batch->items[i]->value, "{\"a\":1}");
        assert_null(batch->items[i]->split);
    }
    uint32_t n = batch->n;
    for (uint32_t i = 0; i < n; i++) {
        batch->lo = i;
        batch->hi = i + 1;
        tg_batch_begin(batch);
        if (stage()) {
            tg_batch_undo(batch);
            tg_record_reject(batch->items[i], "line %d", 12);
        } else {
            tg_batch_commit(batch);
        }
    }
    tg_batch_settle(batch);
    assert_int_equal(batch->n, 10);
    assert_int_equal(batch->lo, 0);
    assert_int_equal(batch->hi, 10);
    int kept = 0, rejected = 0;
    for (uint32_t i = 0; i < batch->n; i++) {
        tg_record *r = batch->items[i];
        if (r->verdict == TG_REJECT) {
            rejected++;
            shows_marks(&r->value, "{\"a\":1}");
            assert_string_equal(r->reason, "line 12");
            assert_int_equal(r->reasonlen, 7);
        } else if (kept++ % 2 == 0) {
            shows(&r->value, "{\"a\":100}");
        } else {
            shows(&r->value, "{\"a\":100,\"s\":\"split\"}");
        }
    }
    assert_int_equal(rejected, 2);
}

static int fake_open(tg_cell *cell, tg_err *err)
{
    assert_int_equal(cell->state, TG_CELL_RAW);
    if (cell->raw[0] == '!')
        return tg_err_set(err, TG_ERR_DATA, "no JSON at byte 0");
    tree(cell, cell->raw);
    return 0;
}

static void decoding_inside_a_stage_is_no_write(void **state)
{
    (void)state;
    tg_cell_open_hook = fake_open;
    tg_cell_set_raw(&rec->key, NULL, "{\"k\":1}", 7);
    tg_batch_begin(batch);
    assert_int_equal(tg_cell_open(&rec->key), 0);
    assert_int_equal(rec->key.dirty, 0);
    set_number(rec->key.value.u.node, "k", 2);
    tg_batch_undo(batch);
    shows_marks(&rec->key, "{\"k\":1}");
    tg_cell_set_raw(&rec->key, NULL, "!", 1);
    assert_int_equal(tg_cell_open(&rec->key), TG_ERR_DATA);
    assert_int_equal(rec->verdict, TG_REJECT);
    assert_string_equal(rec->reason, "no JSON at byte 0");
    assert_int_equal(tg_cell_open(&rec->key), TG_ERR_DATA);
    tg_cell_open_hook = NULL;
}

/* --- the model ------------------------------------------------------------ */

enum { NUL, BOOLEAN, NUMBER, TEXT, LIST, OBJECT };

typedef struct item item;
struct item {
    int kind;
    double d;
    char text[16];
    int n;
    char names[40][8];
    item *kids[40];
};

static item *item_new(int kind)
{
    item *it = calloc(1, sizeof *it);
    it->kind = kind;
    return it;
}

static void item_free(item *it)
{
    for (int i = 0; i < it->n; i++)
        item_free(it->kids[i]);
    free(it);
}

static item *item_copy(const item *from)
{
    item *it = malloc(sizeof *it);
    *it = *from;
    for (int i = 0; i < it->n; i++)
        it->kids[i] = item_copy(from->kids[i]);
    return it;
}

static int item_depth(const item *it)
{
    int most = 0;
    for (int i = 0; i < it->n; i++) {
        int d = item_depth(it->kids[i]);
        most = d > most ? d : most;
    }
    return most + 1;
}

static void item_print(tg_buf *b, const item *it)
{
    if (it->kind == NUL)
        tg_buf_str(b, "null");
    else if (it->kind == BOOLEAN)
        tg_buf_str(b, it->d != 0 ? "true" : "false");
    else if (it->kind == NUMBER)
        tg_buf_printf(b, "%.17g", it->d);
    else if (it->kind == TEXT)
        tg_buf_printf(b, "\"%s\"", it->text);
    else {
        tg_buf_str(b, it->kind == OBJECT ? "{" : "[");
        for (int i = 0; i < it->n; i++) {
            if (i)
                tg_buf_str(b, ",");
            if (it->kind == OBJECT)
                tg_buf_printf(b, "\"%s\":", it->names[i]);
            item_print(b, it->kids[i]);
        }
        tg_buf_str(b, it->kind == OBJECT ? "}" : "]");
    }
}

static item *item_of(const tg_value *v)
{
    item *it;
    uint32_t len;
    const char *s;
    if (v->tag == TG_NULL)
        return item_new(NUL);
    if (v->tag == TG_BOOL || tg_tag_is_number(v->tag)) {
        it = item_new(v->tag == TG_BOOL ? BOOLEAN : NUMBER);
        it->d = v->tag == TG_BOOL ? (double)v->u.i : tg__number(v);
        return it;
    }
    if (!tg_tag_is_node(v->tag)) {
        it = item_new(TEXT);
        s = tg_value_text(batch, v, &len);
        memcpy(it->text, s, len);
        return it;
    }
    it = item_new(v->tag == TG_MAP ? OBJECT : LIST);
    for (uint32_t i = 0; i < v->u.node->n; i++) {
        if (it->kind == OBJECT)
            strcpy(it->names[i], v->u.node->shape->names[i]->text);
        it->kids[it->n++] = item_of(&v->u.node->slots[i]);
    }
    return it;
}

static void item_drop(item *it, int at)
{
    item_free(it->kids[at]);
    for (int i = at; i + 1 < it->n; i++) {
        it->kids[i] = it->kids[i + 1];
        memcpy(it->names[i], it->names[i + 1], sizeof it->names[i]);
    }
    it->n--;
}

static int item_find(const item *it, const char *name)
{
    for (int i = 0; i < it->n; i++)
        if (strcmp(it->names[i], name) == 0)
            return i;
    return -1;
}

/* Puts kid at position at (== n: appended under name). */
static void item_put(item *it, int at, const char *name, item *kid)
{
    if (at == it->n) {
        snprintf(it->names[it->n++], 8, "%s", name);
    } else {
        item_free(it->kids[at]);
    }
    it->kids[at] = kid;
}

static uint32_t seed;

static uint32_t rnd(uint32_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 10) % n;
}

/* A random container of both trees; the way down in path. */
static tg_node *walk(tg_node *n, item **it)
{
    while (rnd(3)) {
        int at = -1;
        for (int try = 0; try < 4 && at < 0 && n->n; try++) {
            uint32_t i = rnd(n->n);
            if (tg_tag_is_node(n->slots[i].tag))
                at = (int)i;
        }
        if (at < 0)
            break;
        n = n->slots[at].u.node;
        *it = (*it)->kids[at];
    }
    return n;
}

static void random_put(tg_node *n, item *it, tg_node *root, item *root_item)
{
    char name[8] = "";
    int at = (int)rnd((uint32_t)it->n + 1);
    if (n->kind == TG_MAP) {
        snprintf(name, sizeof name, "n%u", rnd(12));
        at = item_find(it, name);
        at = at < 0 ? it->n : at;
    }
    if (at >= 30)
        return;
    int32_t slot = n->kind == TG_MAP && at == it->n ? -1 : at;
    const tg_name *in = n->kind == TG_MAP ? intern(name) : NULL;
    item *kid;
    static const double numbers[] = {0, 1, -5, 1.1, 2.5, 1e20, 300};
    switch (rnd(7)) {
    case 0:
        kid = item_new(NUL);
        assert_int_equal(tg_put_null(n, slot, in), 0);
        break;
    case 1:
        kid = item_new(BOOLEAN);
        kid->d = rnd(2);
        assert_int_equal(tg_put_bool(n, slot, in, kid->d != 0), 0);
        break;
    case 2:
        kid = item_new(NUMBER);
        kid->d = numbers[rnd(7)];
        assert_int_equal(tg_put_number(n, slot, in, kid->d), 0);
        break;
    case 3:
        kid = item_new(NUMBER);
        kid->d = rnd(9);
        assert_int_equal(tg_put_int64(n, slot, in, (int64_t)kid->d), 0);
        break;
    case 4:
        kid = item_new(TEXT);
        snprintf(kid->text, sizeof kid->text, "t%u", rnd(9));
        assert_int_equal(
            tg_put_text(n, slot, in, kid->text, (uint32_t)strlen(kid->text)),
            0);
        break;
    case 5: {
        int kind = rnd(2) ? TG_MAP : TG_ARRAY;
        kid = item_new(kind == TG_MAP ? OBJECT : LIST);
        assert_non_null(tg_put_node(n, slot, in, kind));
        break;
    }
    default: {
        item *from_item = root_item;
        tg_node *from = walk(root, &from_item);
        if (item_depth(root_item) > 8 || from->n == 0)
            return;
        uint32_t i = rnd(from->n);
        kid = item_copy(from_item->kids[i]);
        assert_int_equal(tg_put_copy(n, slot, in, &from->slots[i]), 0);
    }
    }
    item_put(it, at, name, kid);
}

static void random_edit(tg_node *root, item *root_item)
{
    item *it = root_item;
    tg_node *n = walk(root, &it);
    if (rnd(4)) {
        random_put(n, it, root, root_item);
        return;
    }
    if (n->n == 0)
        return;
    uint32_t at = rnd(n->n);
    if (n->kind == TG_ARRAY || rnd(2)) {
        assert_int_equal(tg_delete(n, (int32_t)at), 0);
        item_drop(it, (int)at);
        return;
    }
    char name[8];
    snprintf(name, sizeof name, "n%u", rnd(12));
    assert_int_equal(tg_rename(n, (int32_t)at, intern(name)), 0);
    int other = item_find(it, name);
    if (other == (int)at)
        return;
    snprintf(it->names[at], 8, "%s", name);
    if (other >= 0)
        item_drop(it, other);
}

static void same(const item *it)
{
    tg_buf b = {0};
    char *have = shown(&rec->value, BY_VALUE);
    item_print(&b, it);
    if (strcmp(tg_buf_cstr(&b), have) != 0)
        print_error("have %s\nwant %s\n", have, b.p);
    assert_string_equal(b.p, have);
    tg_free(have);
    tg_buf_fini(&b);
    check_clean(&rec->value.value);
}

static const char *documents[] = {
    "{\"n1\":1.10,\"n2\":{\"n3\":[1,2.0,{\"n4\":\"x\"}],\"n5\":null},"
    "\"n6\":\"s\",\"n7\":[],\"n8\":{},\"n9\":true,\"n10\":1e2}",
    "[{\"n1\":1,\"n2\":\"a\"},{\"n1\":2,\"n2\":\"b\"},[[1,2],[3.50]],"
    "\"\\u0041\\n\",null]",
};

static void walk_once(uint32_t start, bool private_shapes)
{
    seed = start;
    tg_batch_reset(batch);
    rec = tg_batch_append(batch);
    const char *text = documents[rnd(2)];
    tg_node *root = private_shapes ? private_tree(&rec->value, text)
                                   : tree(&rec->value, text);
    item *it = item_of(&rec->value.value);
    for (int stages = 0; stages < 4; stages++) {
        char *before = shown(&rec->value, MARKS);
        item *was = item_copy(it);
        bool logged = rnd(4) > 0;
        if (logged)
            tg_batch_begin(batch);
        for (int runs = 0; runs < 2; runs++) {
            for (uint32_t i = 0, n = rnd(25); i < n; i++) {
                random_edit(root, it);
                same(it);
            }
            if (!logged || rnd(2))
                break;
            tg_batch_undo(batch);
            item_free(it);
            it = item_copy(was);
            same(it);
            char *after = shown(&rec->value, MARKS);
            assert_string_equal(before, after);
            tg_free(after);
        }
        if (logged && rnd(2))
            tg_batch_commit(batch);
        item_free(was);
        tg_free(before);
    }
    item_free(it);
}

static void random_edits_agree_with_the_model(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 1500; i++)
        walk_once(i * 7919 + 1, i % 4 == 3);
    assert_true(tg_shape_count() <= TG_SHAPE_TOTAL + TG_SHAPE_EDITS + 3);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(everything_comes_back),
        T(untouched_headers_find_their_cells_again),
        T(written_headers_find_their_cells_again),
        T(a_stage_appends_no_records),
        T(whole_cells_come_back),
        T(commit_keeps_and_the_next_stage_saves_again),
        T(culprits_are_found_and_neighbours_survive),
        T(decoding_inside_a_stage_is_no_write),
        T(random_edits_agree_with_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
