/* Batches, records, headers, splits and whole cells. */
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

static int released[3], nreleased;

static void on_release(void *arg)
{
    released[nreleased++] = *(int *)arg;
}

static void a_batch_is_recycled(void **state)
{
    (void)state;
    static int ids[] = {1, 2, 3};
    tg_batch *b = tg_batch_new(3, 0);
    uint32_t serial = b->serial;
    assert_true(serial != 0 && serial != batch->serial);
    for (int i = 0; i < 3; i++)
        assert_non_null(tg_batch_append(b));
    assert_null(tg_batch_append(b));
    assert_has(tg_ffi_error(), "it takes 3 records");
    assert_int_equal(b->hi, 3);
    nreleased = 0;
    for (int i = 0; i < 3; i++)
        tg_batch_on_release(b, on_release, &ids[i]);
    tg_batch_reset(b);
    assert_int_equal(nreleased, 3);
    assert_int_equal(released[0], 3);
    assert_int_equal(released[2], 1);
    assert_true(b->serial != serial && b->serial != 0);
    assert_int_equal(b->n, 0);
    tg_record *r = tg_batch_append(b);
    assert_int_equal(r->partition, -1);
    assert_int_equal(r->timestamp, -1);
    assert_int_equal(r->key.state, TG_CELL_NULL);
    assert_int_equal(r->key.outlen, -1);
    assert_ptr_equal(r->value.record, r);
    nreleased = 0;
    tg_batch_on_release(b, on_release, &ids[1]);
    tg_batch_free(b);
    assert_int_equal(nreleased, 1);
    assert_null(tg_batch_append(NULL));
    tg_batch_free(NULL);
}

static void many_records(void **state)
{
    (void)state;
    tg_batch *b = tg_batch_new(0, 0);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 5000; i++)
            tg_batch_append(b)->origin_offset = i;
        for (int i = 0; i < 5000; i++)
            assert_int_equal(b->items[i]->origin_offset, i);
        tg_batch_reset(b);
    }
    tg_batch_free(b);
}

static void fields_are_checked(void **state)
{
    (void)state;
    static const char *bad[] = {"", ".", "..", "a b", "a/b", "\xC3\xA9"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(
            tg_record_set_topic(rec, bad[i], (uint32_t)strlen(bad[i])),
            TG_ERR_DATA);
    char longest[250];
    memset(longest, 'x', sizeof longest);
    assert_int_equal(tg_record_set_topic(rec, longest, 250), TG_ERR_DATA);
    assert_int_equal(tg_record_set_topic(rec, longest, 249), 0);
    assert_int_equal(tg_record_set_topic(rec, "...", 3), 0);
    assert_int_equal(tg_record_set_topic(rec, "a.B_9-", 6), 0);
    const char *was = rec->topic;
    assert_int_equal(tg_record_set_topic(rec, "a.B_9-", 6), 0);
    assert_ptr_equal(rec->topic, was);
    assert_int_equal(tg_record_set_partition(rec, -2), TG_ERR_DATA);
    assert_int_equal(tg_record_set_timestamp(rec, -2), TG_ERR_DATA);
    assert_int_equal(tg_record_set_verdict(rec, 9, NULL, 0), TG_ERR_ARG);
    assert_int_equal(tg_record_set_verdict(rec, TG_REJECT, "bad", 3), 0);
    assert_memory_equal(rec->reason, "bad", 3);
    assert_int_equal(tg_record_set_topic(NULL, "a", 1), TG_ERR_ARG);
    assert_int_equal(tg_record_set_verdict(NULL, 0, NULL, 0), TG_ERR_ARG);
    assert_int_equal(tg_record_set_source(rec, 4, 77), 0);
    assert_int_equal(rec->origin_partition, 4);
    assert_int_equal(rec->origin_offset, 77);
    assert_int_equal(tg_record_set_source_json(rec, 5, "{\"a\":1}", 7), 0);
    assert_int_equal(rec->source_offsetlen, 7);
}

static void headers_keep_order_and_trees(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(tg_header_add(rec, i == 1 ? "b" : "a", 1), i);
    tree(&rec->headers[2].cell, "{\"k\":[{\"j\":1}]}");
    assert_int_equal(tg_header_find(rec, "a", 1, 0), 0);
    assert_int_equal(tg_header_find(rec, "a", 1, 1), 2);
    assert_int_equal(tg_header_find(rec, "a", 1, 3), -1);
    assert_int_equal(tg_header_find(rec, "a", 1, -1), -1);
    assert_int_equal(tg_header_find(rec, "zz", 2, 0), -1);
    assert_int_equal(tg_header_find(NULL, "a", 1, 0), -1);
    assert_int_equal(tg_header_remove(rec, 0), 0);
    tg_cell *cell = &rec->headers[1].cell;
    shows(cell, "{\"k\":[{\"j\":1}]}"); /* checks the links too */
    for (int i = 0; i < 20; i++)
        tg_header_add(rec, "n", 1);
    cell = &rec->headers[1].cell;
    shows(cell, "{\"k\":[{\"j\":1}]}");
    assert_int_equal(cell->dirty, 0);
    tg_node *k = child(cell->value.u.node, "k");
    set_number(k->slots[0].u.node, "j", 2);
    assert_int_equal(cell->dirty, 1);
    assert_int_equal(tg_header_remove(rec, -1), TG_ERR_ARG);
    assert_int_equal(tg_header_remove(rec, 22), TG_ERR_ARG);
    while (rec->nheaders)
        assert_int_equal(tg_header_remove(rec, 0), 0);
}

static void splits_keep_order(void **state)
{
    (void)state;
    tree(&rec->value, "{\"a\":{\"b\":1.10}}");
    tg_header_add(rec, "h", 1);
    tree(&rec->headers[0].cell, "[1]");
    tg_record *second = tg_batch_append(batch);
    tg_record *a = tg_record_split(rec);
    tg_record *b = tg_record_split(rec);
    tg_record *aa = tg_record_split(a);
    tg_record *ab = tg_record_split(a);
    tg_record *c = tg_record_split(rec);
    tg_record *aab = tg_record_split(aa);
    tg_record *s = tg_record_split(second);
    tg_record *want[] = {rec, a, aa, aab, ab, b, c, second, s};
    shows_marks(&a->value, "{\"a\":{\"b\":1.10}}");
    check_clean(&a->value.value);
    set_number(child(a->value.value.u.node, "a"), "b", 2);
    shows(&rec->value, "{\"a\":{\"b\":1.10}}");
    shows(&a->headers[0].cell, "[1]");
    assert_ptr_not_equal(a->headers, rec->headers);
    assert_ptr_equal(a->value.raw, rec->value.raw);
    tg_batch_settle(batch);
    assert_int_equal(batch->n, 9);
    for (int i = 0; i < 9; i++) {
        assert_ptr_equal(batch->items[i], want[i]);
        assert_null(batch->items[i]->split);
    }
    tg_record *again = tg_record_split(a);
    tg_batch_settle(batch);
    assert_ptr_equal(batch->items[2], again);
    assert_int_equal(batch->n, 10);
    assert_int_equal(batch->hi, 10);
    assert_null(tg_record_split(NULL));
}

static void undo_takes_splits_back(void **state)
{
    (void)state;
    tg_batch_begin(batch);
    tg_record *a = tg_record_split(rec);
    tg_batch_begin(batch); /* a stays */
    tg_record_split(a);
    tg_record_split(rec);
    tg_batch_undo(batch);
    assert_null(a->split);
    assert_ptr_equal(rec->split, a);
    tg_record *b = tg_record_split(rec);
    tg_batch_settle(batch);
    assert_int_equal(batch->n, 3);
    assert_ptr_equal(batch->items[1], a);
    assert_ptr_equal(batch->items[2], b);
}

/* --- cells ---------------------------------------------------------------- */

static void whole_values(void **state)
{
    (void)state;
    tg_cell *c = &rec->value;
    tg_cell_set_text(c, "line", 4);
    assert_int_equal(tg_cell_put_text(c, "line", 4), 0);
    assert_int_equal(c->dirty, 0);
    assert_int_equal(tg_cell_put_text(c, "other", 5), 0);
    assert_int_equal(c->dirty, 1);
    shows(c, "\"other\"");
    tg_cell_put_number(c, 5);
    assert_int_equal(c->value.tag, TG_INT64);
    tg_cell_put_number(c, 5.5);
    tg_cell_put_int64(c, 6);
    shows(c, "6.0");
    tg_cell_put_bool(c, 1);
    shows(c, "true");
    tg_cell_put_bytes(c, "\xFF", 1);
    tg_node *n = tg_cell_put_node(c, TG_MAP);
    assert_ptr_equal(n, tg_cell_put_node(c, TG_MAP)); /* empty still */
    set_number(n, "a", 1);
    tg_node *l = tg_put_node(n, -1, intern("l"), TG_ARRAY);
    tg_put_text(l, 0, NULL, "x", 1);
    shows(c, "{\"a\":1,\"l\":[\"x\"]}");
    assert_int_equal(tg_cell_put_copy(c, &n->slots[1]), 0);
    shows(c, "[\"x\"]");
    assert_int_equal(tg_cell_put_copy(&rec->key, &c->value), 0);
    shows(&rec->key, "[\"x\"]");
    assert_int_equal(tg_cell_put_null(c), 0);
    assert_int_equal(c->state, TG_CELL_NULL);
    assert_null(c->schema);
    assert_int_equal(tg_cell_put_null(NULL), TG_ERR_ARG);
    assert_int_equal(tg_cell_put_copy(c, NULL), TG_ERR_ARG);
    assert_null(tg_cell_put_node(c, TG_NULL));
    assert_null(tg_cell_put_node(NULL, TG_MAP));
}

static void received_bytes_stay_for_dead_letters(void **state)
{
    (void)state;
    tg_cell *c = &rec->value;
    tree(c, "{\"a\":1}");
    const char *raw = c->raw;
    tg_cell_put_text(c, "x", 1);
    assert_ptr_equal(c->raw, raw);
    assert_int_equal(c->dirty, 1);
    tg_cell_put_null(c);
    assert_ptr_equal(c->raw, raw);
}

static void a_schema_follows_the_value(void **state)
{
    (void)state;
    tg_cell *c = &rec->value;
    tg_cell_set_text(c, "5", 1);
    c->schema = tg_schema_of(TG_STR, 1, NULL);
    tg_cell_put_text(c, "6", 1);
    assert_ptr_equal(c->schema, tg_schema_of(TG_STR, 1, NULL));
    tg_cell_put_number(c, 7);
    assert_ptr_equal(c->schema, tg_schema_of(TG_INT64, 1, NULL));
    c->schema = tg_schema_of(TG_INT8, 0, NULL);
    c->value.tag = TG_INT8;
    tg_cell_put_number(c, 100);
    assert_int_equal(c->value.tag, TG_INT8);
    tg_cell_put_number(c, 300);
    assert_int_equal(c->value.tag, TG_INT64);
    assert_ptr_equal(c->schema, tg_schema_of(TG_INT64, 1, NULL));
    tg_cell_put_node(c, TG_MAP);
    assert_null(c->schema);
    tg_node *s = tg_cell_put_node(c, TG_STRUCT);
    assert_int_equal(c->schema->tag, TG_STRUCT);
    set_text(s, "f", "x");
    assert_ptr_equal(c->schema, s->shape->schema);
    assert_int_equal(c->schema->nfields, 1);
    tg_node *t = tg_cell_put_node(c, TG_MAP); /* a struct again */
    assert_int_equal(t->kind, TG_STRUCT);
    assert_int_equal(c->schema->nfields, 0);
}

static const tg_converter *fake_named(const char *name)
{
    return strcmp(name, "json") == 0 ? (const tg_converter *)1 : NULL;
}

static void encoded_bytes_wait_to_be_opened(void **state)
{
    (void)state;
    tg_cell *c = &rec->value;
    assert_int_equal(tg_cell_put_encoded(c, "json", "{}", 2), TG_ERR_STATE);
    tg_converter_named_hook = fake_named;
    char text[] = "{}";
    tg_batch_begin(batch);
    assert_int_equal(tg_cell_put_encoded(c, "json", text, 2), 0);
    text[0] = '!';
    assert_int_equal(c->state, TG_CELL_RAW);
    assert_memory_equal(c->raw, "{}", 2);
    assert_int_equal(tg_cell_put_encoded(c, "jsn", "{}", 2), TG_ERR_ARG);
    assert_has(tg_ffi_error(), "'jsn'");
    assert_int_equal(tg_cell_open(c), TG_ERR_STATE);
    assert_int_equal(rec->verdict, TG_KEEP);
    tg_batch_undo(batch);
    assert_int_equal(c->state, TG_CELL_NULL);
    assert_null(c->raw);
    tg_converter_named_hook = NULL;
}

/* A message of the tests: the names of its headers, one byte each. */
static int loads;

static int load_headers(const void *arg, tg_record *r)
{
    const char *names = r->unread;
    uint32_t n = (uint32_t)strlen(names);
    tg_header *headers =
        tg_arena_alloc(r->batch->arena, (n + 1) * sizeof *headers);

    assert_ptr_equal(arg, &loads);
    loads++;
    if (!headers)
        return TG_ERR_LIMIT;
    memset(headers, 0, (n + 1) * sizeof *headers);
    for (uint32_t i = 0; i < n; i++) {
        headers[i].name = names + i;
        headers[i].namelen = 1;
        headers[i].cell.record = r;
    }
    r->headers = headers;
    r->nheaders = r->capheaders = n;
    return 0;
}

static void unread(const char *names)
{
    loads = 0;
    tg_batch_on_headers(batch, load_headers, &loads);
    rec->unread = names;
}

static void headers_are_read_when_somebody_looks(void **state)
{
    (void)state;
    unread("abc");
    tg_record_set_topic(rec, "t", 1);
    assert_int_equal(loads, 0);
    assert_int_equal(tg_record_headers(rec), 3);
    assert_int_equal(tg_record_headers(rec), 3);
    assert_int_equal(loads, 1);
    assert_null(rec->unread);
    rec->nheaders = rec->capheaders = 0;
    unread("abc");
    assert_int_equal(tg_header_find(rec, "c", 1, 0), 2);
    unread("ab");
    assert_int_equal(tg_header_add(rec, "x", 1), 2);
    assert_memory_equal(rec->headers[1].name, "b", 1);
    unread("ab");
    assert_int_equal(tg_header_remove(rec, 0), 0);
    assert_int_equal(rec->nheaders, 1);
    assert_memory_equal(rec->headers[0].name, "b", 1);
    unread("");
    assert_int_equal(tg_record_headers(rec), 0);
    assert_int_equal(tg_header_remove(rec, 0), TG_ERR_ARG);
    assert_int_equal(tg_record_headers(NULL), TG_ERR_ARG);
}

static void undo_keeps_unread_headers(void **state)
{
    (void)state;
    unread("ab");
    tg_batch_begin(batch);
    tg_record_set_partition(rec, 4);
    tg_header_add(rec, "x", 1);
    tg_cell_put_text(&rec->headers[0].cell, "changed", 7);
    assert_int_equal(rec->nheaders, 3);
    tg_batch_undo(batch);
    assert_int_equal(tg_record_headers(rec), 2);
    assert_int_equal(rec->headers[0].cell.state, TG_CELL_NULL);
    tg_batch_begin(batch);
    assert_int_equal(tg_header_remove(rec, 0), 0);
    tg_batch_undo(batch);
    assert_int_equal(tg_record_headers(rec), 2);
    assert_memory_equal(rec->headers[0].name, "a", 1);
    tg_batch_commit(batch);
}

static void splits_read_their_own_headers(void **state)
{
    (void)state;
    unread("ab");
    tg_record *copy = tg_record_split(rec);
    assert_int_equal(loads, 0);
    assert_int_equal(tg_header_remove(rec, 0), 0);
    assert_int_equal(tg_record_headers(copy), 2);
    assert_ptr_equal(copy->headers[0].cell.record, copy);
    assert_int_equal(tg_record_headers(rec), 1);
    unread("a");
    tg_record_headers(rec);
    assert_int_equal(tg_record_headers(tg_record_split(rec)), 1);
}

static void headers_that_do_not_fit_reject_the_record(void **state)
{
    (void)state;
    char *names = tg_alloc(100001);
    tg_batch *small = tg_batch_new(0, 1 << 20);
    tg_record *r = tg_batch_append(small);

    memset(names, 'n', 100000);
    names[100000] = 0;
    tg_batch_on_headers(small, load_headers, &loads);
    r->unread = names;
    r->origin_topic = "orders";
    r->origin_topiclen = 6;
    r->origin_partition = 3;
    r->origin_offset = 17;
    assert_int_equal(tg_header_find(r, "n", 1, 0), -1);
    assert_int_equal(tg_header_add(r, "n", 1), TG_ERR_DATA);
    assert_int_equal(tg_header_remove(r, 0), TG_ERR_DATA);
    assert_int_equal(tg_record_headers(r), TG_ERR_DATA);
    assert_has(tg_ffi_error(), "orders-3 at offset 17");
    assert_int_equal(r->verdict, TG_REJECT);
    assert_has(r->reason, "the headers do not fit");
    tg_batch_free(small);
    tg_free(names);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_batch_is_recycled),
        T(many_records),
        T(fields_are_checked),
        T(headers_keep_order_and_trees),
        T(splits_keep_order),
        T(headers_are_read_when_somebody_looks),
        T(undo_keeps_unread_headers),
        T(splits_read_their_own_headers),
        T(headers_that_do_not_fit_reject_the_record),
        T(undo_takes_splits_back),
        T(whole_values),
        T(received_bytes_stay_for_dead_letters),
        T(a_schema_follows_the_value),
        T(encoded_bytes_wait_to_be_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
