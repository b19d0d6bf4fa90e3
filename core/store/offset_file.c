/*
 * The offset file of standalone workers, in Kafka Connect's own format: the
 * Java serialization of a HashMap<byte[], byte[]>. Keys are JSON arrays
 * [connector, partition], values JSON objects.
 *
 * Entries keep the bytes they were read with, so that what we did not touch
 * (members in another order, numbers that do not fit a C type, keys of another
 * shape) is written back as it came. The index maps the canonical text of a key
 * (members sorted) to the place of its entry.
 *
 *   file    prologue | loadFactor threshold | 77 08 buckets entries | pairs |
 * 78 array   75 <class> length bytes     class: described once, then 71 00 7e
 * 00 02, a reference to that description null    70
 *
 * One thread at a time.
 */
#include "store/offsets.h"
#include "base/file.h"
#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { FILE_MAX = 1 << 30, BUCKETS_MIN = 16 };

typedef struct entry {
    char *key; /* bytes of the key as in the file; NULL: removed */
    size_t key_len;
    char *value;
    size_t value_len;
    json_t *connector, *partition; /* NULL: not a key of this kind */
    json_t *offset;
} entry;

struct tg_offsets {
    char *path;
    entry *entries;
    size_t n, cap, holes;
    json_t *index; /* canonical key -> place in entries */
    uint64_t version, saved;
};

/* ------------------------------------------------------------- the format */

/* Stream header, class description of java.util.HashMap. */
static const unsigned char prologue[] = {
    0xac, 0xed, 0x00, 0x05, 0x73, 0x72, 0x00, 0x11, 'j',  'a',  'v', 'a',  '.',
    'u',  't',  'i',  'l',  '.',  'H',  'a',  's',  'h',  'M',  'a', 'p',  0x05,
    0x07, 0xda, 0xc1, 0xc3, 0x16, 0x60, 0xd1, 0x03, 0x00, 0x02, 'F', 0x00, 0x0a,
    'l',  'o',  'a',  'd',  'F',  'a',  'c',  't',  'o',  'r',  'I', 0x00, 0x09,
    't',  'h',  'r',  'e',  's',  'h',  'o',  'l',  'd',  'x',  'p'};
/* Class description of byte[]. */
static const unsigned char array_class[] = {0x72, 0x00, 0x02, '[',  'B',  0xac,
                                            0xf3, 0x17, 0xf8, 0x06, 0x08, 0x54,
                                            0xe0, 0x02, 0x00, 0x00, 'x',  'p'};
/* Reference to it: handle 2, after the description and object of the map. */
static const unsigned char array_again[] = {0x71, 0x00, 0x7e, 0x00, 0x02};

enum { TC_NULL = 0x70, TC_ARRAY = 0x75, TC_BLOCK = 0x77, TC_END = 0x78 };

typedef struct reader {
    const unsigned char *p;
    size_t at, len;
    bool described; /* the class of byte[] was seen */
    const char *path;
    tg_err *err;
} reader;

static int damaged(reader *in, size_t at, const char *what)
{
    char found[24] = "the end of the file";
    if (at < in->len)
        snprintf(found, sizeof found, "byte 0x%02x", in->p[at]);
    return tg_err_set(
        in->err, TG_ERR_DATA,
        "the offset file %s is damaged at byte %zu of %zu: expected %s, found "
        "%s; put back a copy of it, or move it away so that the sources start "
        "from the beginning",
        in->path, at, in->len, what, found);
}

static int expect(reader *in, const unsigned char *bytes, size_t n,
                  const char *what)
{
    for (size_t i = 0; i < n; i++)
        if (in->at + i >= in->len || in->p[in->at + i] != bytes[i])
            return damaged(in, in->at + i, what);
    in->at += n;
    return TG_OK;
}

static int read_u32(reader *in, const char *what, uint32_t *v)
{
    if (in->len - in->at < 4)
        return damaged(in, in->len, what);
    const unsigned char *p = in->p + in->at;
    *v = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
         p[3];
    in->at += 4;
    return TG_OK;
}

/* One byte[] or null; *bytes is NULL for null. Borrowed from the file. */
static int read_array(reader *in, const char **bytes, size_t *len)
{
    *bytes = NULL;
    *len = 0;
    if (in->at < in->len && in->p[in->at] == TC_NULL) {
        in->at++;
        return TG_OK;
    }
    if (in->at >= in->len || in->p[in->at] != TC_ARRAY)
        return damaged(in, in->at, "a byte array (0x75) or null (0x70)");
    in->at++;
    int rc = in->described ? expect(in, array_again, sizeof array_again,
                                    "a reference to the byte array class")
                           : expect(in, array_class, sizeof array_class,
                                    "the description of the byte array class");
    if (rc)
        return rc;
    in->described = true;
    uint32_t n = 0;
    rc = read_u32(in, "the length of a byte array", &n);
    if (rc)
        return rc;
    if (n > in->len - in->at)
        return tg_err_set(
            in->err, TG_ERR_DATA,
            "the offset file %s is damaged at byte %zu of %zu: a byte array "
            "of %u bytes, but only %zu bytes follow; put back a copy of it, or "
            "move it away so that the sources start from the beginning",
            in->path, in->at - 4, in->len, n, in->len - in->at);
    *bytes = (const char *)in->p + in->at;
    *len = n;
    in->at += n;
    return TG_OK;
}

static void put_u32(tg_buf *out, uint32_t v)
{
    unsigned char b[4] = {(unsigned char)(v >> 24), (unsigned char)(v >> 16),
                          (unsigned char)(v >> 8), (unsigned char)v};
    tg_buf_add(out, b, sizeof b);
}

static void put_byte(tg_buf *out, unsigned char b)
{
    tg_buf_add(out, &b, 1);
}

static void put_array(tg_buf *out, const char *p, size_t n, bool *described)
{
    put_byte(out, TC_ARRAY);
    if (*described)
        tg_buf_add(out, array_again, sizeof array_again);
    else
        tg_buf_add(out, array_class, sizeof array_class);
    *described = true;
    put_u32(out, (uint32_t)n);
    tg_buf_add(out, p, n);
}

/* --------------------------------------------------------------- entries */

static void entry_fini(entry *e)
{
    tg_free(e->key);
    tg_free(e->value);
    json_decref(e->connector);
    json_decref(e->partition);
    json_decref(e->offset);
    memset(e, 0, sizeof *e);
}

static entry *entry_add(tg_offsets *store)
{
    if (store->n == store->cap) {
        store->cap = store->cap ? store->cap * 2 : 16;
        store->entries =
            tg_realloc(store->entries, store->cap * sizeof *store->entries);
    }
    entry *e = &store->entries[store->n++];
    memset(e, 0, sizeof *e);
    return e;
}

static char *copy(const char *p, size_t n)
{
    return memcpy(tg_alloc(n + 1), p, n);
}

/* Same text for equal keys whatever the order of members. Caller frees with
 * free(). */
static char *canonical(json_t *connector, json_t *partition)
{
    json_t *key = json_array();
    json_array_append(key, connector);
    json_array_append(key, partition);
    char *text =
        json_dumps(key, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII);
    json_decref(key);
    return text;
}

/* Bytes that Kafka Connect would write for a JSON value. */
static char *bytes_of(const json_t *value, size_t *len)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    char *copy = tg_strdup(text ? text : "null");
    free(text);
    *len = strlen(copy);
    return copy;
}

static void set_index(tg_offsets *store, const char *text, size_t place)
{
    json_object_set_new_nocheck(store->index, text,
                                json_integer((json_int_t)place));
}

/* Closes the holes of removed entries once they are the greater part. */
static void compact(tg_offsets *store)
{
    if (store->holes < 64 || store->holes <= store->n / 2)
        return;
    size_t to = 0;
    for (size_t i = 0; i < store->n; i++) {
        entry *e = &store->entries[i];
        if (!e->key)
            continue;
        if (e->connector && to != i) {
            char *text = canonical(e->connector, e->partition);
            set_index(store, text, to);
            free(text);
        }
        store->entries[to++] = *e;
    }
    store->n = to;
    store->holes = 0;
}

/* Understands the key and value of a pair read from the file. What it does not
 * understand stays as bytes. */
static void entry_parse(tg_offsets *store, size_t place)
{
    entry *e = &store->entries[place];
    json_t *key = json_loadb(e->key, e->key_len, JSON_ALLOW_NUL, NULL);
    json_t *offset = json_loadb(e->value, e->value_len,
                                JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
    json_t *connector = json_array_get(key, 0);
    json_t *partition = json_array_get(key, 1);
    char *text = NULL;
    if (json_array_size(key) == 2 && json_is_string(connector) &&
        (json_is_object(partition) || json_is_null(partition)) &&
        json_is_object(offset))
        text = canonical(connector, partition);
    if (!text) {
        tg_warn("offsets",
                "%s: entry %zu (%.*s) is not [connector, partition] -> offset; "
                "it is kept and not used",
                store->path, place, (int)(e->key_len < 200 ? e->key_len : 200),
                e->key);
        goto out;
    }
    json_t *old = json_object_get(store->index, text);
    if (old) {
        tg_warn("offsets",
                "%s: the source partition %.*s of connector %s is there twice; "
                "the later entry counts",
                store->path, (int)(e->key_len < 200 ? e->key_len : 200), e->key,
                json_string_value(connector));
        entry_fini(&store->entries[json_integer_value(old)]);
        store->holes++;
    }
    e->connector = json_incref(connector);
    e->partition = json_incref(partition);
    e->offset = json_incref(offset);
    set_index(store, text, place);
out:
    free(text);
    json_decref(key);
    json_decref(offset);
}

static int read_pairs(tg_offsets *store, reader *in, uint32_t pairs)
{
    for (uint32_t i = 0; i < pairs; i++) {
        const char *key, *value;
        size_t key_len, value_len, at = in->at;
        int rc = read_array(in, &key, &key_len);
        if (!rc)
            rc = read_array(in, &value, &value_len);
        if (rc)
            return rc;
        if (!key)
            return damaged(in, at, "a key");
        if (!value)
            continue; /* null: the offset was reset */
        entry *e = entry_add(store);
        e->key = copy(key, key_len);
        e->key_len = key_len;
        e->value = copy(value, value_len);
        e->value_len = value_len;
        entry_parse(store, store->n - 1);
    }
    return TG_OK;
}

static int read_file(tg_offsets *store, const char *bytes, size_t len,
                     tg_err *err)
{
    static const unsigned char block[] = {TC_BLOCK, 8}, end[] = {TC_END};
    reader in = {.p = (const unsigned char *)bytes,
                 .len = len,
                 .path = store->path,
                 .err = err};
    uint32_t load, threshold, buckets, pairs;
    int rc = expect(&in, prologue, sizeof prologue,
                    "the start of a serialized java.util.HashMap");
    if (!rc)
        rc = read_u32(&in, "the load factor", &load);
    if (!rc)
        rc = read_u32(&in, "the threshold", &threshold);
    if (!rc)
        rc = expect(&in, block, sizeof block, "a block of 8 bytes (0x77 0x08)");
    if (!rc)
        rc = read_u32(&in, "the number of buckets", &buckets);
    if (!rc)
        rc = read_u32(&in, "the number of entries", &pairs);
    if (!rc)
        rc = read_pairs(store, &in, pairs);
    if (!rc)
        rc = expect(&in, end, sizeof end, "the end of the map (0x78)");
    if (!rc && in.at != in.len)
        rc = damaged(&in, in.at, "nothing more");
    return rc;
}

/* -------------------------------------------------------------- interface */

/* The file itself when path is a symbolic link: it is the target that must be
 * replaced. */
static char *resolve(const char *path)
{
    char real[PATH_MAX];
    return tg_strdup(realpath(path, real) ? real : path);
}

tg_offsets *tg_offsets_open_file(const char *path, tg_err *err)
{
    char *bytes = NULL;
    size_t len = 0;
    struct stat st;
    tg_offsets *store = tg_calloc(sizeof *store);
    store->path = resolve(path);
    store->index = json_object();
    if (stat(store->path, &st) != 0) {
        if (errno == ENOENT)
            return store;
        tg_err_set(err, TG_ERR_IO,
                   "offset.storage.file.filename=%s cannot be read: %s", path,
                   strerror(errno));
        goto fail;
    }
    if (!S_ISREG(st.st_mode)) {
        tg_err_set(err, TG_ERR_CONFIG,
                   "offset.storage.file.filename=%s is not a file; name a file "
                   "that may be created or replaced",
                   path);
        goto fail;
    }
    if (st.st_size == 0)
        return store;
    bytes = tg_file_read(store->path, FILE_MAX, &len, err);
    if (!bytes || (len && read_file(store, bytes, len, err) != TG_OK))
        goto fail;
    tg_free(bytes);
    return store;
fail:
    tg_free(bytes);
    tg_offsets_free(store);
    return NULL;
}

void tg_offsets_free(tg_offsets *store)
{
    if (!store)
        return;
    for (size_t i = 0; i < store->n; i++)
        entry_fini(&store->entries[i]);
    tg_free(store->entries);
    json_decref(store->index);
    tg_free(store->path);
    tg_free(store);
}

json_t *tg_offsets_get(const tg_offsets *store, const char *connector)
{
    json_t *list = json_array();
    for (size_t i = 0; i < store->n; i++) {
        const entry *e = &store->entries[i];
        if (!e->connector ||
            strcmp(json_string_value(e->connector), connector) != 0)
            continue;
        json_t *pair = json_array();
        json_array_append(pair, e->partition);
        json_array_append(pair, e->offset);
        json_array_append_new(list, pair);
    }
    return list;
}

void tg_offsets_set(tg_offsets *store, const char *connector, json_t *partition,
                    json_t *offset)
{
    json_t *name = json_string(connector);
    char *text = canonical(name, partition);
    json_t *place = json_object_get(store->index, text);
    entry *e = place ? &store->entries[json_integer_value(place)] : NULL;

    if (!offset || json_is_null(offset)) {
        if (e) {
            entry_fini(e);
            json_object_del(store->index, text);
            store->holes++;
            store->version++;
            compact(store);
        }
    } else if (e) {
        if (!json_equal(e->offset, offset)) {
            json_decref(e->offset);
            e->offset = json_incref(offset);
            tg_free(e->value);
            e->value = bytes_of(offset, &e->value_len);
            store->version++;
        }
    } else {
        json_t *key = json_array();
        json_array_append(key, name);
        json_array_append(key, partition);
        e = entry_add(store);
        e->key = bytes_of(key, &e->key_len);
        e->value = bytes_of(offset, &e->value_len);
        e->connector = json_incref(name);
        e->partition = json_incref(partition);
        e->offset = json_incref(offset);
        set_index(store, text, store->n - 1);
        json_decref(key);
        store->version++;
    }
    free(text);
    json_decref(name);
}

uint64_t tg_offsets_image(const tg_offsets *store, tg_buf *out)
{
    uint32_t live = 0, buckets = BUCKETS_MIN;
    for (size_t i = 0; i < store->n; i++)
        live += store->entries[i].key != NULL;
    while (live > buckets / 4 * 3)
        buckets *= 2;
    tg_buf_add(out, prologue, sizeof prologue);
    put_u32(out, 0x3f400000); /* 0.75f */
    put_u32(out, buckets / 4 * 3);
    put_byte(out, TC_BLOCK);
    put_byte(out, 8);
    put_u32(out, buckets);
    put_u32(out, live);
    bool described = false;
    for (size_t i = 0; i < store->n; i++) {
        const entry *e = &store->entries[i];
        if (!e->key)
            continue;
        put_array(out, e->key, e->key_len, &described);
        put_array(out, e->value, e->value_len, &described);
    }
    put_byte(out, TC_END);
    return store->version;
}

void tg_offsets_saved(tg_offsets *store, uint64_t version)
{
    if (version > store->saved)
        store->saved = version;
}

const char *tg_offsets_path(const tg_offsets *store)
{
    return store->path;
}

bool tg_offsets_dirty(const tg_offsets *store)
{
    return store->version != store->saved;
}

int tg_offsets_flush(tg_offsets *store, tg_err *err)
{
    if (!tg_offsets_dirty(store))
        return TG_OK;
    tg_buf image = {0};
    uint64_t version = tg_offsets_image(store, &image);
    int rc = tg_file_replace(store->path, image.p, image.len, err);
    if (rc == TG_OK)
        tg_offsets_saved(store, version);
    tg_buf_fini(&image);
    return rc;
}
