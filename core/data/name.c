/*
 * Field names: interned ones are immortal, so that their address identifies
 * them; private ones live in a batch and are compared by text. Both carry their
 * text as the JSON encoder writes it, padded so that 8 bytes can be read at any
 * place of it.
 *
 * An open-addressing table over a keyed hash: names come from outside, and
 * nobody should be able to choose ones that collide. Script thread only.
 */
#include "data/internal.h"
#include <sys/random.h>
#include <time.h>

enum { PAD = 8, FIRST_CAP = 1024 };

static struct {
    tg_name **slots;
    uint32_t cap; /* power of two */
    uint32_t n;
    uint64_t key; /* 0: not drawn yet */
} names;

static uint64_t draw_key(void)
{
    uint64_t key = 0;

    if (getrandom(&key, sizeof key, GRND_NONBLOCK) != sizeof key)
        key = (uint64_t)time(NULL) ^ (uintptr_t)&key;
    return key | 1;
}

__extension__ typedef unsigned __int128 wide;

static inline uint64_t mix(uint64_t a, uint64_t b)
{
    wide r = (wide)a * b;
    return (uint64_t)r ^ (uint64_t)(r >> 64);
}

/* The last bytes, fewer than 8; which of them are read twice depends on the
 * length only, and that is part of the hash. */
static inline uint64_t tail(const char *text, uint32_t len)
{
    const unsigned char *s = (const unsigned char *)text;
    uint32_t a, b;

    if (len >= 4) {
        memcpy(&a, text, 4);
        memcpy(&b, text + len - 4, 4);
        return (uint64_t)b << 32 | a;
    }
    if (len == 0)
        return 0;
    return (uint64_t)s[0] << 16 | (uint64_t)s[len / 2] << 8 | s[len - 1];
}

uint32_t tg_name_hash(const char *text, uint32_t len)
{
    if (!names.key)
        names.key = draw_key();
    uint64_t h = names.key ^ (len * UINT64_C(0x9E3779B97F4A7C15));
    uint64_t word;

    for (; len >= 8; len -= 8, text += 8) {
        memcpy(&word, text, 8);
        h = mix(h ^ word, UINT64_C(0xE7037ED1A0B428DB) ^ names.key);
    }
    word = tail(text, len);
    h = mix(h ^ word, UINT64_C(0xA0761D6478BD642F) ^ names.key);
    return (uint32_t)(h ^ (h >> 32));
}

/* --- JSON form ------------------------------------------------------------ */

/* Letter of a two-character escape, 'u' for \u00XX, 0 for a plain byte. */
static char escape_of(unsigned char c)
{
    static const char low[] = "uuuuuuuubtnufruu";

    if (c == '"' || c == '\\')
        return (char)c;
    if (c >= 0x20)
        return 0;
    return c < 16 ? low[c] : 'u';
}

/* Bytes at the start that need no escape; perhaps not all of them. */
static uint32_t plain(const char *text, uint32_t len)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint32_t n = 0;
    uint64_t w, quote, slash;

    for (; len - n >= 8; n += 8) {
        memcpy(&w, text + n, 8);
        quote = w ^ (ones * '"');
        slash = w ^ (ones * '\\');
        if ((((quote - ones) & ~quote) | ((slash - ones) & ~slash) |
             ((w - ones * 0x20) & ~w)) &
            ones * 0x80)
            return n;
    }
    while (n < len && escape_of((unsigned char)text[n]) == 0)
        n++;
    return n;
}

static uint32_t json_size(const char *text, uint32_t len)
{
    uint32_t i = plain(text, len);
    uint32_t n = 4 + i; /* ,"": */

    for (; i < len; i++) {
        char e = escape_of((unsigned char)text[i]);
        n += e == 0 ? 1 : e == 'u' ? 6 : 2;
    }
    return n;
}

static void json_write(char *out, const char *text, uint32_t len,
                       uint32_t jsonlen)
{
    static const char hex[] = "0123456789ABCDEF";
    uint32_t i = jsonlen == len + 4 ? len : 0; /* nothing to escape */

    *out++ = ',';
    *out++ = '"';
    if (i)
        memcpy(out, text, i);
    out += i;
    for (; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        char e = escape_of(c);
        if (e == 0) {
            *out++ = (char)c;
            continue;
        }
        *out++ = '\\';
        *out++ = e;
        if (e == 'u') {
            *out++ = '0';
            *out++ = '0';
            *out++ = hex[c >> 4];
            *out++ = hex[c & 15];
        }
    }
    *out++ = '"';
    *out++ = ':';
    memset(out, 0, PAD);
}

/* Lays the name out in memory of name_size() bytes. */
static size_t name_size(uint32_t len, uint32_t jsonlen)
{
    return sizeof(tg_name) + len + PAD + jsonlen + PAD;
}

static tg_name *name_fill(void *mem, const char *text, uint32_t len,
                          uint32_t hash, uint32_t jsonlen)
{
    tg_name *name = mem;
    char *copy = (char *)(name + 1);
    char *json = copy + len + PAD;

    if (len)
        memcpy(copy, text, len);
    memset(copy + len, 0, PAD);
    json_write(json, text, len, jsonlen);
    *name = (tg_name){.len = len,
                      .hash = hash,
                      .jsonlen = jsonlen,
                      .text = copy,
                      .json = json};
    return name;
}

/* --- table ---------------------------------------------------------------- */

static tg_name **find(const char *text, uint32_t len, uint32_t hash)
{
    for (uint32_t i = hash;; i++) {
        tg_name **slot = &names.slots[i & (names.cap - 1)];
        if (!*slot)
            return slot;
        if ((*slot)->hash == hash && (*slot)->len == len &&
            (len == 0 || memcmp((*slot)->text, text, len) == 0))
            return slot;
    }
}

static void grow(void)
{
    uint32_t oldcap = names.cap;
    tg_name **old = names.slots;

    names.cap = oldcap ? oldcap * 2 : FIRST_CAP;
    names.slots = tg_calloc(names.cap * sizeof *names.slots);
    for (uint32_t i = 0; i < oldcap; i++)
        if (old[i])
            *find(old[i]->text, old[i]->len, old[i]->hash) = old[i];
    tg_free(old);
}

const tg_name *tg__name_lookup(const char *text, uint32_t len, uint32_t hash)
{
    return names.cap ? *find(text, len, hash) : NULL;
}

const tg_name *tg_name_intern(const char *text, uint32_t len)
{
    if ((!text && len) || len > UINT32_MAX / 8) {
        tg__fail(TG_ERR_ARG, "a field name of %u bytes is not possible", len);
        return NULL;
    }
    uint32_t hash = tg_name_hash(text, len);
    if (names.n >= names.cap / 2)
        grow();
    tg_name **slot = find(text, len, hash);
    if (*slot)
        return *slot;
    if (names.n >= TG_NAME_MAX) {
        tg__fail(TG_ERR_LIMIT,
                 "scripts of this task used %d different field names; read "
                 "maps with arbitrary keys with pairs() instead of by name",
                 TG_NAME_MAX);
        return NULL;
    }
    int64_t bad = tg_text_check(text, len);
    if (bad >= 0) {
        tg__fail(TG_ERR_DATA,
                 "a field name is not UTF-8: byte 0x%02X at offset %lld of "
                 "%u; convert it",
                 (unsigned char)text[bad], (long long)bad, len);
        return NULL;
    }
    uint32_t jsonlen = json_size(text, len);
    tg_name *name =
        name_fill(tg_alloc(name_size(len, jsonlen)), text, len, hash, jsonlen);
    name->id = ++names.n;
    *slot = name;
    return name;
}

const tg_name *tg_name_private(tg_batch *batch, const char *text, uint32_t len)
{
    if (len > UINT32_MAX / 8)
        return NULL;
    uint32_t jsonlen = json_size(text, len);
    void *mem = tg_arena_alloc(batch->arena, name_size(len, jsonlen));

    if (!mem)
        return NULL;
    return name_fill(mem, text, len, tg_name_hash(text, len), jsonlen);
}
