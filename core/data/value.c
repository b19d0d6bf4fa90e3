/*
 * Reading values: numbers, texts, equality. Nothing here changes a value; text
 * with escapes is decoded into the arena of the batch at every call. Arguments
 * come from scripts, so NULL and wrong kinds are answered, never trusted.
 * Script thread.
 */
#include "base/number.h"
#include "data/internal.h"
#include <math.h>

enum { EXACT_DIGITS = 15 }; /* decimal digits that a double always holds */

/* --- numbers -------------------------------------------------------------- */

bool tg__text_integral(const char *p, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++)
        if (p[i] == '.' || p[i] == 'e' || p[i] == 'E')
            return false;
    return len > 0;
}

bool tg__text_int64(const char *p, uint32_t len, int64_t *out)
{
    bool minus = len > 0 && p[0] == '-';
    uint64_t limit = (uint64_t)INT64_MAX + minus;
    uint64_t u = 0;
    uint32_t i = minus;

    if (i == len)
        return false;
    for (; i < len; i++) {
        unsigned digit = (unsigned char)p[i] - (unsigned)'0';
        if (digit > 9 || u > limit / 10 || u * 10 > limit - digit)
            return false;
        u = u * 10 + digit;
    }
    *out = minus ? (int64_t)(0 - u) : (int64_t)u;
    return true;
}

double tg__number(const tg_value *v)
{
    if (tg_tag_is_int(v->tag))
        return (double)v->u.i;
    if (tg_tag_is_float(v->tag))
        return v->u.d;
    return tg_double_parse(v->u.p, v->len);
}

double tg_value_number(const tg_value *v, int32_t *ok)
{
    bool number = v && tg_tag_is_number(v->tag);

    if (ok)
        *ok = number;
    return number ? tg__number(v) : 0.0;
}

/* An integral double within int64. */
static bool double_int64(double d, int64_t *out)
{
    if (!(d >= -0x1p63 && d < 0x1p63) || d != trunc(d))
        return false;
    *out = (int64_t)d;
    return true;
}

/* Digits from the first one on that is not 0. */
static uint32_t digits(const tg_value *v)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < v->len && (v->u.p[i] | 32) != 'e'; i++)
        n += v->u.p[i] >= '0' && v->u.p[i] <= '9' && (n || v->u.p[i] != '0');
    return n;
}

/* Number text that a double (d) may not tell from its neighbours. */
static bool rough(const tg_value *v, double d)
{
    if (v->tag != TG_NUM)
        return false;
    uint32_t n = digits(v);
    return n > EXACT_DIGITS || isinf(d) || (d == 0 && n > 0);
}

static bool value_int64(const tg_value *v, int64_t *out)
{
    if (!v || !tg_tag_is_number(v->tag))
        return false;
    if (tg_tag_is_int(v->tag)) {
        *out = v->u.i;
        return true;
    }
    if (v->tag == TG_NUM && tg__text_integral(v->u.p, v->len))
        return tg__text_int64(v->u.p, v->len, out);
    double d = tg__number(v);
    return !rough(v, d) && double_int64(d, out);
}

int64_t tg_value_int64(const tg_value *v, int32_t *ok)
{
    int64_t i = 0;
    bool found = value_int64(v, &i);

    if (ok)
        *ok = found;
    return found ? i : 0;
}

/* --- text ----------------------------------------------------------------- */

static int hex4(const char *p, const char *end)
{
    int u = 0;

    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int c = p[i] | 0x20;
        if (p[i] >= '0' && p[i] <= '9')
            u = u * 16 + p[i] - '0';
        else if (c >= 'a' && c <= 'f')
            u = u * 16 + c - 'a' + 10;
        else
            return -1;
    }
    return u;
}

static uint32_t put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 63));
        out[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 63));
    out[2] = (char)(0x80 | (c >> 6 & 63));
    out[3] = (char)(0x80 | (c & 63));
    return 4;
}

/* The escape at p (behind the backslash) into out; returns what follows it. */
static const char *unescape_one(const char *p, const char *end, char *out,
                                uint32_t *n)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    const char *known;

    *n = 1;
    if (*p != 'u') {
        known = memchr(from, *p, 5);
        *out = known ? to[known - from] : *p;
        return p + 1;
    }
    int c = hex4(p + 1, end);
    if (c < 0) {
        *out = 'u';
        return p + 1;
    }
    p += 5;
    if (c >= 0xD800 && c < 0xDC00 && end - p >= 6 && p[0] == '\\' &&
        p[1] == 'u') {
        int low = hex4(p + 2, end);
        if (low >= 0xDC00 && low < 0xE000) {
            *n = put_utf8(out, 0x10000u + ((uint32_t)(c - 0xD800) << 10) +
                                   (uint32_t)(low - 0xDC00));
            return p + 6;
        }
    }
    if (c >= 0xD800 && c < 0xE000)
        c = 0xFFFD;
    *n = put_utf8(out, (uint32_t)c);
    return p;
}

uint32_t tg_text_unescape(char *out, const char *p, uint32_t len)
{
    const char *end = p + len;
    char *o = out;
    uint32_t n;

    while (p < end) {
        if (*p != '\\' || end - p < 2) {
            *o++ = *p++;
            continue;
        }
        p = unescape_one(p + 1, end, o, &n);
        o += n;
    }
    return (uint32_t)(o - out);
}

/* Length of the UTF-8 character at p, 0 if it is none. */
static int utf8_length(const unsigned char *p, size_t left)
{
    unsigned c = p[0];
    int n = c < 0x80 ? 1 : c < 0xC2 ? 0 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;

    if (n == 0 || c > 0xF4 || (size_t)n > left)
        return 0;
    for (int i = 1; i < n; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    if ((c == 0xE0 && p[1] < 0xA0) || (c == 0xED && p[1] > 0x9F) ||
        (c == 0xF0 && p[1] < 0x90) || (c == 0xF4 && p[1] > 0x8F))
        return 0;
    return n;
}

int64_t tg_text_check(const char *p, size_t len)
{
    size_t i = 0;

    while (i < len) {
        uint64_t word;
        while (len - i >= 8) {
            memcpy(&word, p + i, 8);
            if (word & UINT64_C(0x8080808080808080))
                break;
            i += 8;
        }
        if (i == len)
            break;
        int n = utf8_length((const unsigned char *)p + i, len - i);
        if (n == 0)
            return (int64_t)i;
        i += (size_t)n;
    }
    return -1;
}

const char *tg_value_text(tg_batch *batch, const tg_value *v, uint32_t *len)
{
    uint32_t none;

    if (!len)
        len = &none;
    *len = 0;
    if (!v || (v->tag != TG_STR && v->tag != TG_ESC && v->tag != TG_BYTES))
        return NULL;
    if (v->tag != TG_ESC) {
        *len = v->len;
        return v->u.p ? v->u.p : "";
    }
    char *out = batch ? tg_arena_alloc(batch->arena, v->len) : NULL;
    if (!out) {
        if (batch)
            tg__fail_full(batch);
        return NULL;
    }
    *len = tg_text_unescape(out, v->u.p, v->len);
    return out;
}

/* Compares while decoding, so that nothing is allocated. */
static bool escaped_eq(const tg_value *v, const char *p, uint32_t len)
{
    const char *at = v->u.p, *end = at + v->len;
    char c[4];
    uint32_t n;

    if (len > v->len)
        return false;
    while (at < end) {
        if (*at != '\\' || end - at < 2) {
            c[0] = *at++;
            n = 1;
        } else {
            at = unescape_one(at + 1, end, c, &n);
        }
        if (n > len || memcmp(c, p, n) != 0)
            return false;
        p += n;
        len -= n;
    }
    return len == 0;
}

int32_t tg_value_eq(tg_batch *batch, const tg_value *v, const char *p,
                    uint32_t len)
{
    (void)batch;
    if (!v || (!p && len))
        return 0;
    if (v->tag == TG_ESC)
        return escaped_eq(v, p, len);
    if (v->tag != TG_STR && v->tag != TG_BYTES)
        return 0;
    return v->len == len && (len == 0 || memcmp(v->u.p, p, len) == 0);
}

const char *tg_value_json(tg_batch *batch, const tg_value *v, uint32_t *len)
{
    tg_buf out = {0};
    char *text = NULL;
    uint32_t none;

    if (!len)
        len = &none;
    *len = 0;
    if (!batch || !v || !tg_value_json_hook) {
        tg__fail(batch && v ? TG_ERR_STATE : TG_ERR_ARG,
                 "this value cannot be written as JSON here");
        return NULL;
    }
    if (tg_value_json_hook(&out, v, tg_err_ffi()))
        goto out;
    if (out.len <= UINT32_MAX)
        text = tg_arena_dup(batch->arena, out.p, out.len);
    if (text)
        *len = (uint32_t)out.len;
    else
        tg__fail_full(batch);
out:
    tg_buf_fini(&out);
    return text;
}

/* --- slots with defaults -------------------------------------------------- */

static const tg_value *slot_at(const tg_node *node, int32_t slot)
{
    return node && slot >= 0 && (uint32_t)slot < node->n ? &node->slots[slot]
                                                         : NULL;
}

/* The value of a slot; of a Decimal its number as text, made in *own. */
static const tg_value *number_at(const tg_node *node, int32_t slot,
                                 tg_value *own)
{
    const tg_value *v = slot_at(node, slot);
    const tg_schema *s;

    if (!v || v->tag != TG_BYTES || !node->cell || !tg_decimal_hook)
        return v;
    s = tg_slot_schema(node, slot);
    if (!s || !tg__is_decimal(s) ||
        tg_decimal_hook(node->cell->record->batch, s, v, NULL, own,
                        tg_err_ffi()))
        return v;
    return own;
}

double tg_slot_number(const tg_node *node, int32_t slot, double dflt)
{
    tg_value own;
    const tg_value *v = number_at(node, slot, &own);

    return v && tg_tag_is_number(v->tag) ? tg__number(v) : dflt;
}

int64_t tg_slot_int64(const tg_node *node, int32_t slot, int64_t dflt,
                      int32_t *ok)
{
    int64_t i;
    tg_value own;
    bool found = value_int64(number_at(node, slot, &own), &i);

    if (ok)
        *ok = found;
    return found ? i : dflt;
}

const char *tg_slot_text(tg_batch *batch, const tg_node *node, int32_t slot,
                         uint32_t *len)
{
    tg_value own = {.tag = TG_ABSENT};
    const tg_value *v = number_at(node, slot, &own);

    if (own.tag == TG_ABSENT)
        return tg_value_text(batch, v, len);
    if (len)
        *len = own.len;
    return own.u.p;
}

/* --- equality ------------------------------------------------------------- */

static bool equal_numbers(const tg_value *a, const tg_value *b)
{
    int64_t x, y;

    if (a->tag == TG_NUM && b->tag == TG_NUM && a->len == b->len &&
        memcmp(a->u.p, b->u.p, a->len) == 0)
        return true;
    if (value_int64(a, &x) && value_int64(b, &y))
        return x == y;
    double d = tg__number(a), e = tg__number(b);
    if (isnan(d) && isnan(e))
        return true;
    return d == e && !rough(a, d) && !rough(b, e);
}

static bool equal_texts(const tg_value *a, const tg_value *b)
{
    if (a->tag == TG_STR)
        return tg_value_eq(NULL, b, a->u.p, a->len);
    if (b->tag == TG_STR)
        return tg_value_eq(NULL, a, b->u.p, b->len);
    if (a->len == b->len && memcmp(a->u.p, b->u.p, a->len) == 0)
        return true;
    char *text = tg_alloc(a->len + !a->len);
    uint32_t len = tg_text_unescape(text, a->u.p, a->len);
    bool equal = tg_value_eq(NULL, b, text, len);
    tg_free(text);
    return equal;
}

static uint32_t present(const tg_node *node)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < node->n; i++)
        n += node->slots[i].tag != TG_ABSENT;
    return n;
}

static bool equal_objects(const tg_node *a, const tg_node *b)
{
    if (a->shape->schema != b->shape->schema || present(a) != present(b))
        return false;
    for (uint32_t i = 0; i < a->n; i++) {
        if (a->slots[i].tag == TG_ABSENT)
            continue;
        int32_t at = (int32_t)i;
        if (a->shape != b->shape &&
            (i >= b->n ||
             !tg__name_same(a->shape->names[i], b->shape->names[i])))
            at = tg_shape_find(b->shape, a->shape->names[i]);
        if (at < 0 || !tg_value_equal(&a->slots[i], &b->slots[at]))
            return false;
    }
    return true;
}

static bool equal_nodes(const tg_node *a, const tg_node *b)
{
    if (a == b)
        return true;
    if (a->kind != b->kind)
        return false;
    if (a->kind == TG_MAP || a->kind == TG_STRUCT)
        return equal_objects(a, b);
    if (a->n != b->n)
        return false;
    for (uint32_t i = 0; i < a->n; i++)
        if (!tg_value_equal(&a->slots[i], &b->slots[i]))
            return false;
    return true;
}

bool tg_value_equal(const tg_value *a, const tg_value *b)
{
    if (tg_tag_is_number(a->tag) && tg_tag_is_number(b->tag))
        return equal_numbers(a, b);
    bool text = a->tag == TG_STR || a->tag == TG_ESC;
    if (text && (b->tag == TG_STR || b->tag == TG_ESC))
        return equal_texts(a, b);
    if (a->tag != b->tag)
        return false;
    if (tg_tag_is_node(a->tag))
        return equal_nodes(a->u.node, b->u.node);
    if (a->tag == TG_BYTES)
        return tg_value_eq(NULL, a, b->u.p, b->len);
    return a->tag != TG_BOOL || a->u.i == b->u.i;
}
