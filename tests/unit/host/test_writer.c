/* Writing values of records as lines of a file. */
#include "base/file.h"
#include "convert/converter.h"
#include "host/services.h"
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <signal.h>

static char dir[64], path[128];
static tg_batch *batch;

static tg_record *add(const char *conv, const char *text)
{
    tg_record *rec = tg_batch_append(batch);
    tg_cell_set_raw(&rec->value, tg_converter_named(conv), text,
                    (int32_t)strlen(text));
    return rec;
}

static void expect_file(const char *text)
{
    tg_err err = {0};
    size_t len;
    char *p = tg_file_read(path, 1 << 28, &len, &err);
    assert_non_null(p);
    assert_string_equal(p, text);
    tg_free(p);
}

static tg_line_writer *start(void)
{
    unlink(path);
    tg_batch_reset(batch);
    tg_line_writer *w = tg_writer_open(path);
    assert_non_null(w);
    return w;
}

static void test_values(void **state)
{
    (void)state;
    tg_line_writer *w = start();
    add("string", "plain \xff text");
    add("bytes", "by\1tes");
    add("json", "{ \"a\" : 1.10 }");
    add("json", "\"as \\u0041 received\""); /* a string: its text */
    add("json", "{\n  \"a\": [1,\r\n 2],\t\"b c\": \"x \\\" \\n y\"\n}");
    tg_record *edited = add("json", "{\"a\":1.10,\"b\":2}");
    assert_int_equal(tg_cell_open(&edited->value), 0);
    assert_int_equal(tg_put_text(edited->value.value.u.node, 1, NULL, "x", 1),
                     0);
    tg_cell_put_text(&tg_batch_append(batch)->value, "made", 4);
    tg_cell_put_number(&tg_batch_append(batch)->value, 2.5);
    tg_batch_append(batch); /* null */
    add("json", "null");
    add("string", "");
    add("string", "dropped")->verdict = TG_DROP;
    tg_record *bad = add("json", "{");
    assert_int_equal(tg_writer_put(w, batch), 11);
    assert_int_equal(bad->verdict, TG_REJECT);
    assert_has(bad->reason, "cannot be written to ");
    assert_has(bad->reason, "invalid JSON at byte 1");
    assert_int_equal(tg_writer_flush(w, 1), 0);
    expect_file("plain \xff text\n"
                "by\1tes\n"
                "{ \"a\" : 1.10 }\n"
                "as A received\n"
                "{\"a\":[1,2],\"b c\":\"x \\\" \\n y\"}\n"
                "{\"a\":1.10,\"b\":\"x\"}\n"
                "made\n2.5\nnull\nnull\n\n");
    tg_writer_close(w);
}

static tg_record *edit(tg_record *rec, const char *text, uint32_t len)
{
    assert_int_equal(tg_cell_open(&rec->value), 0);
    assert_int_equal(tg_put_text(rec->value.value.u.node, 1, NULL, text, len),
                     0);
    return rec;
}

/* Untouched parts of a changed object are copied, but not their line breaks. */
static void test_changed_is_one_line(void **state)
{
    (void)state;
    tg_line_writer *w = start();
    edit(add("json", "{\"a\":{\n \"b\" : \" \\n\"\r\n},\"c\":1}"), "x", 1);
    edit(add("json", "{\"a\":{ \"b\":1},\"c\":1}"), "y", 1);
    assert_int_equal(tg_writer_put(w, batch), 2);
    assert_int_equal(tg_writer_flush(w, 0), 0);
    expect_file("{\"a\":{\"b\":\" \\n\"},\"c\":\"x\"}\n"
                "{\"a\":{ \"b\":1},\"c\":\"y\"}\n");
    tg_writer_close(w);
}

/* Changed objects of every length around what the short way has room for. */
static void test_changed_lengths(void **state)
{
    (void)state;
    static char text[700], wanted[800];
    memset(text, 'x', sizeof text);
    for (uint32_t len = 400; len < sizeof text; len++) {
        tg_line_writer *w = start();
        edit(add("json", "{\"a\":1,\"b\":2}"), text, len);
        assert_int_equal(tg_writer_put(w, batch), 1);
        assert_int_equal(tg_writer_flush(w, 0), 0);
        snprintf(wanted, sizeof wanted, "{\"a\":1,\"b\":\"%.*s\"}\n", (int)len,
                 text);
        expect_file(wanted);
        tg_cell *cell = &batch->items[0]->value;
        assert_int_equal(tg_cell_encode(cell, tg_converter_named("json"), NULL),
                         0);
        assert_int_equal(cell->outlen, (int)strlen(wanted) - 1);
        assert_memory_equal(cell->out, wanted, (size_t)cell->outlen);
        tg_writer_close(w);
    }
}

static void test_range(void **state)
{
    (void)state;
    tg_line_writer *w = start();
    add("string", "a");
    add("string", "b");
    add("string", "c");
    batch->lo = 1;
    batch->hi = 2;
    assert_int_equal(tg_writer_put(w, batch), 1);
    tg_writer_close(w);
    expect_file("b\n");
}

static void test_appends(void **state)
{
    (void)state;
    tg_line_writer *w = start();
    add("string", "one");
    tg_writer_put(w, batch);
    tg_writer_close(w);
    w = tg_writer_open(path);
    tg_writer_put(w, batch);
    tg_writer_close(w);
    expect_file("one\none\n");
}

/* A crash left a part of a line: it becomes a line of its own. */
static void test_unfinished_line(void **state)
{
    (void)state;
    tg_line_writer *w = start();
    tg_writer_close(w);
    FILE *f = fopen(path, "w");
    fputs("whole\nhal", f);
    fclose(f);
    w = tg_writer_open(path);
    add("string", "half");
    tg_writer_put(w, batch);
    tg_writer_close(w);
    expect_file("whole\nhal\nhalf\n");
}

static void test_much(void **state)
{
    (void)state;
    tg_line_writer *w = start();
    tg_buf want = {0};
    char *line = malloc(700001);
    memset(line, 'x', 700000);
    line[700000] = 0;
    for (int i = 0; i < 2000; i++)
        add("string", i == 1000 ? line : line + 700000 - i % 500);
    for (int i = 0; i < 2000; i++) {
        tg_buf_str(&want, i == 1000 ? line : line + 700000 - i % 500);
        tg_buf_str(&want, "\n");
    }
    assert_int_equal(tg_writer_put(w, batch), 2000);
    assert_int_equal(tg_writer_flush(w, 0), 0);
    expect_file(tg_buf_cstr(&want));
    tg_writer_close(w);
    tg_buf_fini(&want);
    free(line);
}

static void test_cannot_open(void **state)
{
    (void)state;
    assert_null(tg_writer_open("/nowhere/at/all"));
    assert_has(tg_ffi_error(), "cannot open /nowhere/at/all for appending");
    assert_null(tg_writer_open(dir));
}

static void test_disk_full(void **state)
{
    (void)state;
    if (access("/dev/full", W_OK) != 0)
        skip();
    tg_batch_reset(batch);
    tg_line_writer *w = tg_writer_open("/dev/full");
    assert_non_null(w);
    add("string", "x");
    assert_int_equal(tg_writer_put(w, batch), 1);
    assert_int_equal(tg_writer_flush(w, 0), TG_ERR_IO);
    assert_has(tg_ffi_error(), "no space left on device writing /dev/full");
    assert_has(tg_ffi_error(), "free space and restart the task");
    tg_writer_close(w);
}

/* A write that stops half way goes on where it stopped. */
static void test_goes_on(void **state)
{
    (void)state;
    struct rlimit old, small;
    tg_line_writer *w = start();
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    small = old;
    small.rlim_cur = 10;
    setrlimit(RLIMIT_FSIZE, &small);
    add("string", "first");
    add("string", "second");
    assert_int_equal(tg_writer_put(w, batch), 2);
    int rc = tg_writer_flush(w, 0);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(rc, TG_ERR_IO);
    assert_has(tg_ffi_error(), "at byte 10");
    expect_file("first\nseco");
    assert_int_equal(tg_writer_flush(w, 0), 0);
    expect_file("first\nsecond\n");
    tg_writer_close(w);
}

static int sync_error;

/* Stands in for the system's. */
int fdatasync(int fd)
{
    (void)fd;
    errno = sync_error;
    return sync_error ? -1 : 0;
}

/* After a failed sync the system may have forgotten the bytes: a later one
 * that succeeds says nothing about them. */
static void test_failed_sync(void **state)
{
    (void)state;
    tg_line_writer *w = start();
    add("string", "x");
    assert_int_equal(tg_writer_put(w, batch), 1);
    sync_error = EIO;
    assert_int_equal(tg_writer_flush(w, 1), TG_ERR_IO);
    sync_error = 0;
    assert_int_equal(tg_writer_flush(w, 1), TG_ERR_IO);
    assert_has(tg_ffi_error(), "restart the task");
    tg_writer_close(w);
    w = start();
    sync_error = EINVAL; /* a pipe: nothing to sync */
    assert_int_equal(tg_writer_flush(w, 1), 0);
    sync_error = 0;
    assert_int_equal(tg_writer_flush(w, 1), 0);
    tg_writer_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_changed_is_one_line),
        cmocka_unit_test(test_changed_lengths),
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_appends),
        cmocka_unit_test(test_unfinished_line),
        cmocka_unit_test(test_much),
        cmocka_unit_test(test_cannot_open),
        cmocka_unit_test(test_disk_full),
        cmocka_unit_test(test_goes_on),
        cmocka_unit_test(test_failed_sync),
    };
    tg_convert_init();
    strcpy(dir, "/tmp/tg-writer-XXXXXX");
    if (!mkdtemp(dir))
        return 1;
    snprintf(path, sizeof path, "%s/out.txt", dir);
    batch = tg_batch_new(0, 0);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    tg_batch_free(batch);
    unlink(path);
    rmdir(dir);
    return failed;
}
