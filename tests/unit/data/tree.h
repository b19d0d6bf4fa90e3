/* Trees for the tests of core/data: made from JSON text as a decoder makes them
 * (clean, with src), and printed. Names and strings are plain; objects are
 * small. */
#ifndef TG_TEST_TREE_H
#define TG_TEST_TREE_H
#include "unit.h"
#include "data/internal.h"
#include "base/number.h"
#include <stdio.h>

typedef struct reader {
    tg_batch *batch;
    tg_cell *cell;
    const char *p;
    bool private_shapes;
} reader;

static void read_value(reader *r, tg_node *parent, tg_value *out);

static const tg_name *intern(const char *s)
{
    return tg_name_intern(s, (uint32_t)strlen(s));
}

static const tg_name *read_name(reader *r)
{
    const char *s = ++r->p;
    while (*r->p != '"')
        r->p++;
    uint32_t len = (uint32_t)(r->p++ - s);
    r->p++; /* colon */
    return r->private_shapes ? tg_name_private(r->batch, s, len)
                             : tg_name_intern(s, len);
}

static void read_node(reader *r, tg_node *parent, tg_value *out)
{
    const char *src = r->p;
    char close = *r->p++ == '{' ? '}' : ']';
    const tg_name *names[64];
    tg_value slots[64] = {{0}};
    uint32_t n = 0;
    tg_node *node = tg_node_new(r->batch, close == '}' ? TG_MAP : TG_ARRAY,
                                tg_shape_array(), 64);
    node->parent = parent;
    node->cell = r->cell;
    while (*r->p != close) {
        if (close == '}')
            names[n] = read_name(r);
        read_value(r, node, &slots[n++]);
        if (*r->p == ',')
            r->p++;
    }
    r->p++;
    memcpy(node->slots, slots, n * sizeof *slots);
    node->n = n;
    if (close == '}')
        node->shape = r->private_shapes
                          ? tg_shape_private(r->batch, names, n)
                          : tg_shape_intern(r->batch, NULL, names, n);
    node->src = src;
    node->srclen = (uint32_t)(r->p - src);
    *out = (tg_value){.tag = node->kind, .u.node = node};
}

static void read_scalar(reader *r, tg_value *out)
{
    const char *s = r->p;
    if (*s == '"') {
        bool esc = false;
        for (r->p++; *r->p != '"'; r->p++)
            if (*r->p == '\\') {
                esc = true;
                r->p++;
            }
        *out = (tg_value){.tag = esc ? TG_ESC : TG_STR,
                          .len = (uint32_t)(r->p++ - s - 1),
                          .u.p = s + 1};
        return;
    }
    size_t n = strcspn(s, ",]}");
    r->p += n;
    if (*s == 'n')
        *out = (tg_value){.tag = TG_NULL};
    else if (*s == 't' || *s == 'f')
        *out = (tg_value){.tag = TG_BOOL, .u.i = *s == 't'};
    else if (tg__text_integral(s, (uint32_t)n) && n < 19)
        *out = (tg_value){.tag = TG_INT64, .u.i = atoll(s)};
    else
        *out = (tg_value){.tag = TG_NUM, .len = (uint32_t)n, .u.p = s};
}

static void read_value(reader *r, tg_node *parent, tg_value *out)
{
    if (*r->p == '{' || *r->p == '[')
        read_node(r, parent, out);
    else
        read_scalar(r, out);
}

/* Sets a cell to the tree of text (which must outlive the batch). */
static __attribute__((unused)) tg_node *tree(tg_cell *cell, const char *text)
{
    reader r = {cell->record->batch, cell, text, false};
    tg_cell_set_raw(cell, NULL, text, (int32_t)strlen(text));
    read_value(&r, NULL, &cell->value);
    cell->state = TG_CELL_DECODED;
    return cell->value.u.node;
}

static __attribute__((unused)) tg_node *private_tree(tg_cell *cell,
                                                     const char *text)
{
    reader r = {cell->record->batch, cell, text, true};
    tg_cell_set_raw(cell, NULL, text, (int32_t)strlen(text));
    read_value(&r, NULL, &cell->value);
    cell->state = TG_CELL_DECODED;
    return cell->value.u.node;
}

/* How to print: as the encoder would, with dirty marks (*), or numbers and
 * strings by value only. */
enum { PLAIN, MARKS, BY_VALUE };

static void print(tg_buf *b, const tg_value *v, int how);

static void print_node(tg_buf *b, const tg_node *node, int how)
{
    bool object = node->kind == TG_MAP || node->kind == TG_STRUCT;
    bool first = true;
    if (how == MARKS && node->dirty)
        tg_buf_str(b, "*");
    tg_buf_str(b, object ? "{" : "[");
    for (uint32_t i = 0; i < node->n; i++) {
        if (node->slots[i].tag == TG_ABSENT)
            continue;
        if (!first)
            tg_buf_str(b, ",");
        first = false;
        if (object)
            tg_buf_printf(b, "\"%s\":", node->shape->names[i]->text);
        if (tg_tag_is_node(node->slots[i].tag)) {
            assert_ptr_equal(node->slots[i].u.node->parent, node);
            assert_ptr_equal(node->slots[i].u.node->cell, node->cell);
        }
        print(b, &node->slots[i], how);
    }
    tg_buf_str(b, object ? "}" : "]");
    if (object)
        assert_int_equal(node->shape->n, node->n);
}

static void print(tg_buf *b, const tg_value *v, int how)
{
    char text[64], *s;
    if (tg_tag_is_number(v->tag) && how == BY_VALUE) {
        tg_buf_printf(b, "%.17g", tg__number(v));
        return;
    }
    switch (v->tag) {
    case TG_NULL:
        tg_buf_str(b, "null");
        break;
    case TG_BOOL:
        tg_buf_str(b, v->u.i ? "true" : "false");
        break;
    case TG_FLOAT32:
    case TG_FLOAT64:
        tg_buf_add(b, text, (size_t)tg_double_text(text, v->u.d));
        break;
    case TG_NUM:
        tg_buf_add(b, v->u.p, v->len);
        break;
    case TG_ESC:
    case TG_STR:
        tg_buf_str(b, "\"");
        s = tg_alloc(v->len + 1);
        if (v->tag == TG_ESC && how == BY_VALUE)
            tg_buf_add(b, s, tg_text_unescape(s, v->u.p, v->len));
        else
            tg_buf_add(b, v->u.p, v->len);
        tg_free(s);
        tg_buf_str(b, "\"");
        break;
    case TG_BYTES:
        tg_buf_printf(b, "<%.*s>", (int)v->len, v->u.p);
        break;
    default:
        if (tg_tag_is_int(v->tag))
            tg_buf_printf(b, "%lld", (long long)v->u.i);
        else
            print_node(b, v->u.node, how);
    }
}

/* Text of a cell's value; free with tg_free. */
static __attribute__((unused)) char *shown(const tg_cell *cell, int how)
{
    tg_buf b = {0};
    if (how == MARKS && cell->dirty)
        tg_buf_str(&b, "*");
    if (cell->state == TG_CELL_DECODED && tg_tag_is_node(cell->value.tag))
        assert_ptr_equal(cell->value.u.node->cell, cell);
    if (cell->state == TG_CELL_DECODED)
        print(&b, &cell->value, how);
    else
        tg_buf_printf(&b, "state %d", cell->state);
    tg_buf_cstr(&b);
    return tg_buf_steal(&b);
}

#define shows(cell, want)       do_show(cell, PLAIN, want, __FILE__, __LINE__)
#define shows_marks(cell, want) do_show(cell, MARKS, want, __FILE__, __LINE__)

static __attribute__((unused)) void do_show(const tg_cell *cell, int how,
                                            const char *want, const char *file,
                                            int line)
{
    char *text = shown(cell, how);
    bool same = strcmp(text, want) == 0;
    if (!same)
        print_error("%s:%d: have %s, want %s\n", file, line, text, want);
    tg_free(text);
    assert_true(same);
}

/* Every clean node below prints as what it was decoded from. */
static __attribute__((unused)) void check_clean(const tg_value *v)
{
    if (!tg_tag_is_node(v->tag))
        return;
    const tg_node *node = v->u.node;
    if (!node->dirty) {
        tg_buf b = {0};
        print_node(&b, node, PLAIN);
        assert_non_null(node->src);
        assert_int_equal(b.len, node->srclen);
        assert_memory_equal(b.p, node->src, b.len);
        tg_buf_fini(&b);
    }
    for (uint32_t i = 0; i < node->n; i++) {
        if (tg_tag_is_node(node->slots[i].tag) && node->slots[i].u.node->dirty)
            assert_true(node->dirty);
        check_clean(&node->slots[i]);
    }
}

/* A batch of one record. */
static __attribute__((unused)) tg_batch *one(tg_record **rec)
{
    tg_batch *batch = tg_batch_new(100, 0);
    *rec = tg_batch_append(batch);
    return batch;
}

static __attribute__((unused)) int32_t slot_of(const tg_node *node,
                                               const char *name)
{
    return tg_slot_find_text(node, name, (uint32_t)strlen(name));
}

static __attribute__((unused)) int32_t set_number(tg_node *node,
                                                  const char *name, double d)
{
    return tg_put_number(node, slot_of(node, name), intern(name), d);
}

static __attribute__((unused)) int32_t set_text(tg_node *node, const char *name,
                                                const char *s)
{
    return tg_put_text(node, slot_of(node, name), intern(name), s,
                       (uint32_t)strlen(s));
}

static __attribute__((unused)) tg_node *child(const tg_node *node,
                                              const char *name)
{
    int32_t at = slot_of(node, name);
    assert_true(at >= 0);
    return node->slots[at].u.node;
}

#endif
