/* Reading lines of files that grow, are replaced and are cut. */
#include "base/mem.h"
#include "convert/converter.h"
#include "data/schema.h"
#include "host/services.h"
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static char dir[64], path[128];
static tg_batch *batch;

static void append_file(const char *p, size_t n)
{
    FILE *f = fopen(path, "a");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void put(const char *text)
{
    append_file(text, strlen(text));
}

/* The lines of one read, joined by '|'; "!" for an error. */
static const char *lines(tg_line_reader *r, int mode)
{
    static tg_buf out;
    out.len = 0;
    tg_batch_reset(batch);
    int n = tg_lines_read(r, batch, mode, "topic", 5, 0);
    if (n < 0)
        return "!";
    assert_int_equal(n, batch->n);
    for (int i = 0; i < n; i++) {
        const tg_record *rec = batch->items[i];
        if (i)
            tg_buf_str(&out, "|");
        tg_buf_add(&out, rec->value.raw, (size_t)rec->value.rawlen);
    }
    return tg_buf_cstr(&out);
}

static void expect(tg_line_reader *r, const char *text)
{
    assert_string_equal(lines(r, TG_LINES_TEXT), text);
}

static tg_line_reader *start(const char *text, int64_t position)
{
    unlink(path);
    if (text)
        put(text);
    tg_line_reader *r = tg_lines_open(path, position);
    assert_non_null(r);
    return r;
}

static void test_ends(void **state)
{
    (void)state;
    tg_line_reader *r = start("a\nb\r\nc\rd\n\n\r\ne", 0);
    expect(r, "a|b|c|d||");
    assert_int_equal(tg_lines_position(r), 12);
    assert_int_equal(batch->items[1]->origin_offset, 5);
    assert_int_equal(batch->items[2]->origin_offset, 7);
    expect(r, "");
    put("f\r");
    expect(r, "");
    put("\ng\r");
    expect(r, "ef");
    assert_int_equal(tg_lines_position(r), 16);
    put("h\n");
    expect(r, "g|h");
    assert_int_equal(tg_lines_position(r), tg_lines_size(r));
    tg_lines_close(r);
}

static void test_record(void **state)
{
    (void)state;
    tg_line_reader *r = start("a\n\xff\xc3\n", 0);
    expect(r, "a|\xff\xc3");
    const tg_record *rec = batch->items[0];
    assert_int_equal(rec->topiclen, 5);
    assert_memory_equal(rec->topic, "topic", 5);
    assert_int_equal(rec->origin_partition, 0);
    assert_int_equal(rec->origin_offset, 2);
    assert_true(rec->timestamp > 1600000000000);
    assert_int_equal(rec->partition, -1);
    assert_int_equal(rec->value.state, TG_CELL_RAW);
    assert_int_equal(rec->value.dirty, 0);
    assert_false(rec->value.schema->optional);
    assert_int_equal(rec->key.state, TG_CELL_NULL);
    assert_int_equal(batch->bytes, 3);
    tg_lines_close(r);
}

static void test_modes(void **state)
{
    (void)state;
    tg_line_reader *r = start("{\"a\":1}\n\n{\n", 0);
    assert_string_equal(lines(r, TG_LINES_JSON), "{\"a\":1}||{");
    assert_int_equal(tg_cell_open(&batch->items[0]->value), 0);
    assert_int_equal(batch->items[0]->value.value.tag, TG_MAP);
    assert_int_equal(batch->items[1]->verdict, TG_REJECT);
    assert_has(batch->items[1]->reason, "is empty, expected JSON");
    assert_int_equal(tg_cell_open(&batch->items[2]->value), TG_ERR_DATA);
    put("x\n");
    assert_string_equal(lines(r, TG_LINES_BYTES), "x");
    assert_int_equal(tg_cell_open(&batch->items[0]->value), 0);
    assert_int_equal(batch->items[0]->value.value.tag, TG_BYTES);
    assert_string_equal(lines(r, 7), "!");
    tg_lines_close(r);
}

static void test_position(void **state)
{
    (void)state;
    tg_line_reader *r = start("one\ntwo\nthree\n", 4);
    expect(r, "two|three");
    tg_lines_close(r);
    r = start("one\n", 400);
    expect(r, "one");
    assert_int_equal(tg_lines_restarts(r), 1);
    tg_lines_close(r);
}

static void test_missing(void **state)
{
    (void)state;
    tg_line_reader *r = start(NULL, 0);
    expect(r, "");
    assert_has(tg_ffi_error(), "does not exist yet");
    put("here\n");
    expect(r, "here");
    tg_lines_close(r);
    assert_null(tg_lines_open(dir, 0));
    assert_has(tg_ffi_error(), "it is a directory");
}

static void test_batch_limit(void **state)
{
    (void)state;
    tg_batch *small = tg_batch_new(2, 0);
    tg_line_reader *r = start("1\n2\n3\n4\n5\n", 0);
    assert_int_equal(tg_lines_read(r, small, 0, "t", 1, 0), 2);
    assert_int_equal(tg_lines_position(r), 4);
    tg_batch_reset(small);
    assert_int_equal(tg_lines_read(r, small, 0, "t", 1, 0), 2);
    tg_batch_reset(small);
    assert_int_equal(tg_lines_read(r, small, 0, "t", 1, 0), 1);
    tg_lines_close(r);
    tg_batch_free(small);
}

static void test_rotation(void **state)
{
    (void)state;
    char old[160];
    snprintf(old, sizeof old, "%s.1", path);
    tg_line_reader *r = start("a\nb\n", 0);
    expect(r, "a|b");
    put("c\nd without end");
    assert_int_equal(rename(path, old), 0);
    put("e\nf\n");
    expect(r, "c|d without end|e|f");
    assert_int_equal(tg_lines_restarts(r), 1);
    assert_int_equal(tg_lines_position(r), 4);
    assert_int_equal(batch->items[3]->origin_offset, 4);
    put("g\n");
    expect(r, "g");
    assert_int_equal(rename(path, old), 0);
    expect(r, ""); /* no new file yet */
    put("h\n");
    expect(r, "h");
    unlink(old);
    tg_lines_close(r);
}

/* Who writes the old file opens the new one only some time after it was made:
 * until then lines still come into the old one. */
static void test_slow_rotation(void **state)
{
    (void)state;
    char old[160];
    snprintf(old, sizeof old, "%s.1", path);
    tg_line_reader *r = start("a\n", 0);
    expect(r, "a");
    FILE *writer = fopen(path, "a");
    assert_int_equal(rename(path, old), 0);
    put("");
    expect(r, "");
    fputs("b\nc", writer);
    fflush(writer);
    expect(r, "b");
    fputs("c\n", writer);
    fclose(writer);
    put("d\n");
    expect(r, "cc|d");
    assert_int_equal(tg_lines_restarts(r), 1);
    unlink(old);
    tg_lines_close(r);
}

static void test_truncation(void **state)
{
    (void)state;
    tg_line_reader *r = start("aaaa\nbbbb\npart", 0);
    expect(r, "aaaa|bbbb");
    assert_int_equal(truncate(path, 0), 0);
    expect(r, "");
    put("c\n");
    expect(r, "c");
    assert_int_equal(tg_lines_restarts(r), 1);
    assert_int_equal(tg_lines_position(r), 2);
    tg_lines_close(r);
}

/* Lines of all lengths over many buffers, in batches that live on together:
 * whatever was handed out stays as it was. */
static void test_large(void **state)
{
    (void)state;
    tg_buf file = {0};
    enum { LINES = 3000, BATCHES = 64 };
    static size_t starts[LINES + 1];
    for (int i = 0; i < LINES; i++) {
        size_t n = i == 1500   ? 3000000
                   : i == 2000 ? 300000
                               : (size_t)i * 7 % 900;
        starts[i] = file.len;
        char *p = tg_buf_room(&file, n + 1);
        memset(p, 'a' + i % 26, n);
        p[n] = '\n';
        file.len += n + 1;
    }
    starts[LINES] = file.len;
    tg_line_reader *r = start("", 0);
    append_file(file.p, file.len);
    tg_batch *batches[BATCHES] = {0};
    int seen = 0, b = 0;
    while (seen < LINES && b < BATCHES) {
        batches[b] = tg_batch_new(97, 0);
        int n = tg_lines_read(r, batches[b], TG_LINES_TEXT, "t", 1, 0);
        assert_true(n > 0);
        seen += n;
        b++;
    }
    assert_int_equal(seen, LINES);
    tg_lines_close(r);
    for (int i = 0, k = 0; k < b; k++) {
        for (uint32_t j = 0; j < batches[k]->n; j++, i++) {
            const tg_cell *c = &batches[k]->items[j]->value;
            assert_int_equal(c->rawlen, starts[i + 1] - starts[i] - 1);
            assert_memory_equal(c->raw, file.p + starts[i], c->rawlen);
            assert_int_equal(batches[k]->items[j]->origin_offset,
                             starts[i + 1]);
        }
        tg_batch_free(batches[k]);
    }
    tg_buf_fini(&file);
}

/* Random pieces, written and read in turns, with all three line ends. */
static void test_pieces(void **state)
{
    (void)state;
    tg_line_reader *r = start("", 0);
    tg_buf got = {0}, want = {0};
    unsigned seed = 7;
    bool cr = false; /* the last byte was a \r */
    for (int i = 0; i < 3000; i++) {
        char piece[8];
        int n = rand_r(&seed) % 8;
        for (int k = 0; k < n; k++) {
            piece[k] = "ab\r\n"[rand_r(&seed) % 4];
            if (!(cr && piece[k] == '\n'))
                tg_buf_add(&want, piece[k] == '\r' ? "\n" : piece + k, 1);
            cr = piece[k] == '\r';
        }
        append_file(piece, (size_t)n);
        tg_batch_reset(batch);
        int count = tg_lines_read(r, batch, TG_LINES_TEXT, "t", 1, 0);
        assert_true(count >= 0);
        for (int k = 0; k < count; k++) {
            const tg_cell *c = &batch->items[k]->value;
            tg_buf_add(&got, c->raw, (size_t)c->rawlen);
            tg_buf_str(&got, "\n");
        }
    }
    assert_true(got.len <= want.len && want.len - got.len < 40);
    assert_memory_equal(got.p, want.p, got.len);
    tg_buf_fini(&got);
    tg_buf_fini(&want);
    tg_lines_close(r);
}

static void test_stdin(void **state)
{
    (void)state;
    int fds[2], saved = dup(0);
    assert_int_equal(pipe(fds), 0);
    dup2(fds[0], 0);
    tg_line_reader *r = tg_lines_open(NULL, 0);
    expect(r, "");
    assert_int_equal(write(fds[1], "a\nb", 3), 3);
    expect(r, "a");
    expect(r, "");
    close(fds[1]);
    expect(r, "b");
    expect(r, "");
    tg_lines_close(r);
    dup2(saved, 0);
    close(saved);
    close(fds[0]);
}

static void test_fifo(void **state)
{
    (void)state;
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    tg_line_reader *r = tg_lines_open(path, 0);
    assert_non_null(r);
    expect(r, "");
    int fd = open(path, O_WRONLY | O_NONBLOCK);
    assert_int_equal(write(fd, "x\ny", 3), 3);
    expect(r, "x");
    close(fd);
    expect(r, "");
    tg_lines_close(r);
}

static void test_too_long(void **state)
{
    (void)state;
    tg_line_reader *r = start("first\n", 0);
    size_t n = 65u << 20;
    char *p = malloc(n);
    memset(p, 'x', n);
    append_file(p, n);
    free(p);
    expect(r, "first");
    expect(r, "!");
    assert_has(tg_ffi_error(), "the line at byte 6 of ");
    assert_has(tg_ffi_error(), "longer than 64 MB");
    tg_lines_close(r);
}

static void test_partitions(void **state)
{
    (void)state;
    char json[64];
    const char *name;
    int32_t first =
        tg_task_source_partition("{\"filename\":\"x\"}", 16, "position", 8);
    assert_true(first >= 0);
    assert_int_equal(
        tg_task_source_partition("{\"filename\":\"x\"}", 16, "position", 8),
        first);
    assert_string_equal(tg_partition_text(first, &name),
                        "{\"filename\":\"x\"}");
    assert_string_equal(name, "position");
    for (int i = 0; i < 500; i++) {
        int n = snprintf(json, sizeof json, "{\"p\":%d}", i);
        assert_int_equal(tg_task_source_partition(json, (uint32_t)n, NULL, 0),
                         first + 1 + i);
    }
    assert_int_equal(tg_task_source_partition("{\"p\":77}", 8, NULL, 0),
                     first + 78);
    assert_null(tg_partition_text(100000, &name));
    assert_null(tg_partition_text(-1, NULL));
    assert_int_equal(tg_task_source_partition("[1]", 3, NULL, 0), TG_ERR_ARG);
    assert_has(tg_ffi_error(), "is no JSON object");
    assert_int_equal(tg_task_stopping(), 0);
    tg_task_set_stopping(true);
    assert_int_equal(tg_task_stopping(), 1);
    tg_task_set_stopping(false);
    assert_true(tg_clock_ns() > 0 && tg_clock_ms() > 1600000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_record),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_position),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_batch_limit),
        cmocka_unit_test(test_rotation),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_slow_rotation),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_stdin),
        cmocka_unit_test(test_fifo),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_partitions),
    };
    tg_convert_init();
    strcpy(dir, "/tmp/tg-lines-XXXXXX");
    if (!mkdtemp(dir))
        return 1;
    snprintf(path, sizeof path, "%s/in.txt", dir);
    batch = tg_batch_new(0, 0);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    tg_batch_free(batch);
    unlink(path);
    rmdir(dir);
    return failed;
}
