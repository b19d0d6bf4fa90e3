/* The offset file against bytes that a Java worker wrote, and against damage at
 * every one of them. */
#include "store/offsets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/stat.h>

#include <cmocka.h>

/* A HashMap with ["src",{"filename":"/data/in.txt"}] -> {"position":11},
 * ["gone",{"a":1}] -> null and a MirrorMaker entry, as Java serializes it. */
static const unsigned char java_file[] = {
    0xac, 0xed, 0x00, 0x05, 0x73, 0x72, 0x00, 0x11, 0x6a, 0x61, 0x76, 0x61,
    0x2e, 0x75, 0x74, 0x69, 0x6c, 0x2e, 0x48, 0x61, 0x73, 0x68, 0x4d, 0x61,
    0x70, 0x05, 0x07, 0xda, 0xc1, 0xc3, 0x16, 0x60, 0xd1, 0x03, 0x00, 0x02,
    0x46, 0x00, 0x0a, 0x6c, 0x6f, 0x61, 0x64, 0x46, 0x61, 0x63, 0x74, 0x6f,
    0x72, 0x49, 0x00, 0x09, 0x74, 0x68, 0x72, 0x65, 0x73, 0x68, 0x6f, 0x6c,
    0x64, 0x78, 0x70, 0x3f, 0x40, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0c, 0x77,
    0x08, 0x00, 0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x03, 0x75, 0x72, 0x00,
    0x02, 0x5b, 0x42, 0xac, 0xf3, 0x17, 0xf8, 0x06, 0x08, 0x54, 0xe0, 0x02,
    0x00, 0x00, 0x78, 0x70, 0x00, 0x00, 0x00, 0x23, 0x5b, 0x22, 0x73, 0x72,
    0x63, 0x22, 0x2c, 0x7b, 0x22, 0x66, 0x69, 0x6c, 0x65, 0x6e, 0x61, 0x6d,
    0x65, 0x22, 0x3a, 0x22, 0x2f, 0x64, 0x61, 0x74, 0x61, 0x2f, 0x69, 0x6e,
    0x2e, 0x74, 0x78, 0x74, 0x22, 0x7d, 0x5d, 0x75, 0x71, 0x00, 0x7e, 0x00,
    0x02, 0x00, 0x00, 0x00, 0x0f, 0x7b, 0x22, 0x70, 0x6f, 0x73, 0x69, 0x74,
    0x69, 0x6f, 0x6e, 0x22, 0x3a, 0x31, 0x31, 0x7d, 0x75, 0x71, 0x00, 0x7e,
    0x00, 0x02, 0x00, 0x00, 0x00, 0x10, 0x5b, 0x22, 0x68, 0x6f, 0x6e, 0x65,
    0x22, 0x2c, 0x7b, 0x22, 0x61, 0x22, 0x3a, 0x31, 0x7d, 0x5d, 0x70, 0x75,
    0x71, 0x00, 0x7e, 0x00, 0x02, 0x00, 0x00, 0x00, 0x34, 0x5b, 0x22, 0x6d,
    0x69, 0x72, 0x72, 0x6f, 0x72, 0x22, 0x2c, 0x7b, 0x22, 0x74, 0x6f, 0x70,
    0x69, 0x63, 0x22, 0x3a, 0x22, 0x74, 0x22, 0x2c, 0x22, 0x63, 0x6c, 0x75,
    0x73, 0x74, 0x65, 0x72, 0x22, 0x3a, 0x22, 0x41, 0x22, 0x2c, 0x22, 0x70,
    0x61, 0x72, 0x74, 0x69, 0x74, 0x69, 0x6f, 0x6e, 0x22, 0x3a, 0x30, 0x7d,
    0x5d, 0x75, 0x71, 0x00, 0x7e, 0x00, 0x02, 0x00, 0x00, 0x00, 0x0d, 0x7b,
    0x22, 0x6f, 0x66, 0x66, 0x73, 0x65, 0x74, 0x22, 0x3a, 0x34, 0x31, 0x7d,
    0x78};

static char dir[] = "/tmp/tg-offsets-XXXXXX";
static char path[64];

static void put(const void *p, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    fclose(f);
}

static char *text(json_t *value)
{
    char *s = json_dumps(value, JSON_COMPACT);
    json_decref(value);
    return s;
}

static void check(const tg_offsets *store, const char *connector,
                  const char *expected)
{
    char *s = text(tg_offsets_get(store, connector));
    assert_string_equal(s, expected);
    free(s);
}

static void set(tg_offsets *store, const char *connector, const char *partition,
                const char *offset)
{
    json_t *p = json_loads(partition, 0, NULL);
    json_t *o = json_loads(offset, JSON_DECODE_ANY, NULL);
    assert_non_null(p);
    assert_non_null(o);
    tg_offsets_set(store, connector, p, o);
    json_decref(p);
    json_decref(o);
}

static void reads_java(void **state)
{
    (void)state;
    tg_err err = {0};
    put(java_file, sizeof java_file);
    tg_offsets *store = tg_offsets_open_file(path, &err);
    assert_non_null(store);
    check(store, "src",
          "[[{\"filename\":\"/data/in.txt\"},{\"position\":11}]]");
    check(store, "gone", "[]");
    check(store, "nosuch", "[]");
    assert_false(tg_offsets_dirty(store));
    tg_offsets_free(store);
}

/* Another member order finds the entry; its key bytes stay. */
static void keeps_key_bytes(void **state)
{
    (void)state;
    tg_err err = {0};
    put(java_file, sizeof java_file);
    tg_offsets *store = tg_offsets_open_file(path, &err);
    set(store, "mirror", "{\"partition\":0,\"cluster\":\"A\",\"topic\":\"t\"}",
        "{\"offset\":42}");
    assert_true(tg_offsets_dirty(store));
    assert_int_equal(tg_offsets_flush(store, &err), TG_OK);
    assert_false(tg_offsets_dirty(store));
    tg_offsets_free(store);

    char bytes[1024] = {0};
    FILE *f = fopen(path, "rb");
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    const char key[] = "[\"mirror\",{\"topic\":\"t\",\"cluster\":\"A\","
                       "\"partition\":0}]";
    assert_non_null(memmem(bytes, n, key, sizeof key - 1));
    store = tg_offsets_open_file(path, &err);
    check(store, "mirror",
          "[[{\"topic\":\"t\",\"cluster\":\"A\",\"partition\":0},"
          "{\"offset\":42}]]");
    tg_offsets_free(store);
}

/* What Java wrote and we only read comes out with the same bytes. */
static void same_bytes(void **state)
{
    (void)state;
    tg_err err = {0};
    unlink(path);
    tg_offsets *store = tg_offsets_open_file(path, &err);
    set(store, "src", "{\"filename\":\"/data/in.txt\"}", "{\"position\":11}");
    tg_buf image = {0};
    uint64_t version = tg_offsets_image(store, &image);
    size_t upto = 0xa4; /* the first pair, and the header but the count */
    assert_true(image.len == upto + 1);
    for (size_t i = 0; i < upto; i++)
        if (i != 0x50)
            assert_int_equal((unsigned char)image.p[i], java_file[i]);
    assert_int_equal(image.p[0x50], 1);
    assert_int_equal(image.p[upto], 0x78);
    set(store, "src", "{\"filename\":\"/data/in.txt\"}", "{\"position\":12}");
    tg_offsets_saved(store, version);
    assert_true(tg_offsets_dirty(store)); /* changed since the image */
    tg_buf_fini(&image);
    tg_offsets_free(store);
}

static void round_trip(void **state)
{
    (void)state;
    tg_err err = {0};
    char partition[64], offset[64];
    unlink(path);
    tg_offsets *store = tg_offsets_open_file(path, &err);
    assert_non_null(store);
    for (int i = 0; i < 1000; i++) {
        snprintf(partition, sizeof partition, "{\"f\":\"\\u00fc%d\"}", i);
        snprintf(offset, sizeof offset, "{\"p\":%d,\"r\":0.1}", i);
        set(store, "c", partition, offset);
    }
    for (int i = 0; i < 1000; i++)
        if (i % 10) {
            snprintf(partition, sizeof partition, "{\"f\":\"\\u00fc%d\"}", i);
            set(store, "c", partition, "null");
        }
    set(store, "c", "{\"f\":\"\\u00fc990\"}", "{\"p\":-1}");
    assert_int_equal(tg_offsets_flush(store, &err), TG_OK);
    tg_offsets_free(store);
    store = tg_offsets_open_file(path, &err);
    assert_non_null(store);
    json_t *list = tg_offsets_get(store, "c");
    assert_int_equal(json_array_size(list), 100);
    for (size_t i = 0; i < 99; i++) {
        json_t *o = json_array_get(json_array_get(list, i), 1);
        assert_int_equal(json_integer_value(json_object_get(o, "p")), i * 10);
    }
    json_decref(list);
    tg_offsets_free(store);
}

static void missing_and_empty(void **state)
{
    (void)state;
    tg_err err = {0};
    unlink(path);
    tg_offsets *store = tg_offsets_open_file(path, &err);
    assert_non_null(store);
    assert_int_equal(tg_offsets_flush(store, &err), TG_OK);
    assert_int_not_equal(access(path, F_OK), 0); /* nothing to write */
    tg_offsets_free(store);
    put("", 0);
    store = tg_offsets_open_file(path, &err);
    assert_non_null(store);
    tg_offsets_free(store);
    assert_null(tg_offsets_open_file(dir, &err));
    assert_non_null(strstr(err.text, "is not a file"));
}

/* Cut anywhere: refused, and the sentence names the place. */
static void cut(void **state)
{
    (void)state;
    for (size_t n = 1; n < sizeof java_file; n++) {
        tg_err err = {0};
        put(java_file, n);
        assert_null(tg_offsets_open_file(path, &err));
        assert_int_equal(err.code, TG_ERR_DATA);
        assert_non_null(strstr(err.text, "is damaged at byte"));
        assert_non_null(strstr(err.text, path));
    }
}

/* Any byte changed to any of several others: refused or read, never worse. */
static void flipped(void **state)
{
    (void)state;
    static const unsigned char masks[] = {0x01, 0x80, 0xff, 0x7f};
    unsigned char bytes[sizeof java_file];
    for (size_t i = 0; i < sizeof java_file; i++)
        for (size_t m = 0; m < sizeof masks; m++) {
            tg_err err = {0};
            memcpy(bytes, java_file, sizeof bytes);
            bytes[i] ^= masks[m];
            put(bytes, sizeof bytes);
            tg_offsets *store = tg_offsets_open_file(path, &err);
            if (!store) {
                assert_int_equal(err.code, TG_ERR_DATA);
                assert_non_null(strstr(err.text, "byte"));
                continue;
            }
            assert_true(i >= 0x3f); /* never inside the prologue */
            tg_buf image = {0};
            tg_offsets_image(store, &image);
            tg_buf_fini(&image);
            tg_offsets_free(store);
        }
    unsigned char more[sizeof java_file + 1];
    memcpy(more, java_file, sizeof java_file);
    more[sizeof java_file] = 0x78;
    put(more, sizeof more);
    tg_err err = {0};
    assert_null(tg_offsets_open_file(path, &err));
}

/* An entry we cannot use is kept with its bytes. */
static void foreign_entries(void **state)
{
    (void)state;
    tg_err err = {0};
    unsigned char bytes[sizeof java_file];
    memcpy(bytes, java_file, sizeof bytes);
    bytes[0x68] = '{'; /* key is no JSON any more */
    put(bytes, sizeof bytes);
    tg_offsets *store = tg_offsets_open_file(path, &err);
    assert_non_null(store);
    check(store, "src", "[]");
    tg_buf image = {0};
    tg_offsets_image(store, &image);
    assert_non_null(memmem(image.p, image.len, bytes + 0x68, 0x23));
    tg_buf_fini(&image);
    tg_offsets_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_java),        cmocka_unit_test(keeps_key_bytes),
        cmocka_unit_test(same_bytes),        cmocka_unit_test(round_trip),
        cmocka_unit_test(missing_and_empty), cmocka_unit_test(cut),
        cmocka_unit_test(flipped),           cmocka_unit_test(foreign_entries),
    };
    if (!mkdtemp(dir))
        return 1;
    snprintf(path, sizeof path, "%s/connect.offsets", dir);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    rmdir(dir);
    return failed;
}
