/*
 * The parser of header texts. Tokens are what stands between the characters
 * : , { } [ ] " that no backslash precedes; blanks around tokens do not count,
 * and blank tokens in front of an expected one are passed over. Every rule here
 * is what Kafka Connect's parser does, odd ones included: the rest behind a
 * complete value is ignored, commas between map entries may be missing.
 *
 * An array or map that breaks a rule makes the whole text a string. Nothing is
 * tried twice, so time is linear in the text; beyond TG_MAX_DEPTH levels it is
 * a string too. Script thread.
 */
#include "convert/header_parse.h"
#include "convert/internal.h"
#include "data/shape.h"

enum { MAX_INTERNED = 256 }; /* keys of one map, beyond: private names */

typedef struct token {
    const char *p; /* NULL: none */
    size_t n;
} token;

typedef struct parser {
    const char *text, *end, *at;
    token next; /* looked at, not yet taken */
    tg_cell *cell;
    tg_batch *batch;
    tg_err *err;
    uint32_t depth;
} parser;

static int parse(parser *p, bool embedded, tg_node *parent, tg_typed *out);

/* --- tokens --------------------------------------------------------------- */

static bool delimiter(char c)
{
    return c == ':' || c == ',' || c == '{' || c == '}' || c == '[' ||
           c == ']' || c == '"';
}

static token take(parser *p)
{
    const char *start = p->at;
    bool escaped = false;
    for (; p->at < p->end; p->at++) {
        char c = *p->at;
        if (c == '\\') {
            escaped = !escaped;
            continue;
        }
        if (delimiter(c) && !escaped) {
            p->at += p->at == start;
            break;
        }
        escaped = false;
    }
    return (token){start, (size_t)(p->at - start)};
}

/* Java's trim(): everything up to the blank goes. */
static token trim(token t)
{
    while (t.n && (unsigned char)t.p[0] <= ' ')
        t.p++, t.n--;
    while (t.n && (unsigned char)t.p[t.n - 1] <= ' ')
        t.n--;
    return t;
}

static bool has_next(const parser *p)
{
    return p->next.p || p->at < p->end;
}

static token next_token(parser *p)
{
    token t = p->next.p ? p->next : take(p);
    p->next.p = NULL;
    p->next.n = 0;
    return t;
}

static const char *mark(const parser *p)
{
    return p->at - p->next.n;
}

static void rewind_to(parser *p, const char *at)
{
    p->at = at;
    p->next.p = NULL;
    p->next.n = 0;
}

static bool consume(parser *p, const char *expected)
{
    size_t n = strlen(expected);
    if (!p->next.p) {
        if (!has_next(p))
            return false;
        p->next = take(p);
    }
    token t = trim(p->next);
    while (t.n == 0 && p->at < p->end) {
        p->next = take(p);
        t = trim(p->next);
    }
    if (t.n != n || memcmp(t.p, expected, n) != 0)
        return false;
    p->next.p = NULL;
    p->next.n = 0;
    return true;
}

/* "null", "true" or "false"; outside of arrays and maps it must be all. */
static bool literal(parser *p, bool embedded, const char *word)
{
    const char *start = mark(p);
    if (consume(p, word) && (embedded || !has_next(p)))
        return true;
    rewind_to(p, start);
    return false;
}

/* --- scalars -------------------------------------------------------------- */

static int full(parser *p)
{
    tg__converter_full(p->err);
    return TG_ERR_LIMIT;
}

static void set_text(tg_typed *out, const char *p, size_t n)
{
    out->v = (tg_value){
        .tag = TG_STR, .flags = TG_F_NEW, .len = (uint32_t)n, .u.p = p};
    out->schema = tg_schema_of(TG_STR, 0, NULL);
}

static void set_bool(tg_typed *out, bool b)
{
    out->v = (tg_value){.tag = TG_BOOL, .u.i = b};
    out->schema = tg_schema_of(TG_BOOL, 0, NULL);
}

/* A colon separates tokens: a time is five of them. */
static bool temporal(parser *p, token t, tg_typed *out)
{
    const char *start = mark(p);
    char text[192];
    int i = 0;
    while (i < 4 && has_next(p)) {
        next_token(p);
        i++;
    }
    size_t more = (size_t)(p->at - start);
    if (i == 4 && t.n + more <= sizeof text) {
        memcpy(text, t.p, t.n);
        memcpy(text + t.n, start, more);
        if (tg__header_temporal(text, t.n + more, out))
            return true;
    }
    rewind_to(p, start);
    return tg__header_temporal(t.p, t.n, out);
}

static int plain(parser *p, bool embedded, token t, tg_typed *out)
{
    int bytes;
    bool digit = tg__header_digit(t.p, t.p + t.n, &bytes) >= 0;
    if (digit && temporal(p, t, out))
        return 0;
    if (digit || *t.p == '+' || *t.p == '-') {
        int rc = tg__header_number(p->batch, t.p, t.n, out);
        if (rc < 0)
            return full(p);
        if (rc > 0)
            return 0;
    }
    if (embedded)
        return TG_HEADER_NOT;
    set_text(out, p->text, (size_t)(p->end - p->text));
    return 0;
}

/* Text up to the closing quote; blank tokens in front of a delimiter are lost
 * on the way, and then the text is put together anew. */
static int quoted(parser *p, tg_typed *out)
{
    token all = {p->at, 0};
    tg_buf *parts = NULL;
    while (has_next(p) && !consume(p, "\"")) {
        token t = next_token(p);
        if (!parts && all.n && t.p != all.p + all.n) {
            parts = tg__converter_scratch();
            tg_buf_add(parts, all.p, all.n);
        }
        if (parts)
            tg_buf_add(parts, t.p, t.n);
        else if (!all.n)
            all.p = t.p;
        all.n += t.n;
    }
    if (parts && !(all.p = tg_arena_dup(p->batch->arena, parts->p, all.n)))
        return full(p);
    if (!tg__header_temporal(all.p, all.n, out))
        set_text(out, all.p, all.n);
    return 0;
}

/* --- arrays and maps ------------------------------------------------------ */

static tg_node *new_node(parser *p, int kind, tg_node *parent)
{
    tg_node *node = tg_node_new(p->batch, kind, tg_shape_array(), 4);
    if (!node)
        return NULL;
    node->n = 0;
    node->parent = parent;
    node->cell = p->cell;
    return node;
}

static int push(parser *p, tg_node *node, const tg_value *v)
{
    if (node->n == node->cap && tg_node_reserve(node, node->cap * 2))
        return full(p);
    node->slots[node->n++] = *v;
    return 0;
}

static void set_node(tg_typed *out, tg_node *node, tg_schema *proto)
{
    out->v = (tg_value){.tag = node->kind, .u.node = node};
    out->schema = tg_schema_intern(proto);
}

static int end_of_array(tg_node *node, const tg_merger *items, tg_typed *out)
{
    tg_schema proto = {.tag = TG_ARRAY, .value = items->common};
    for (uint32_t i = 0; items->common && i < node->n; i++)
        if (tg__header_align(&node->slots[i], items->common))
            return TG_HEADER_NOT;
    set_node(out, node, &proto);
    return 0;
}

static int array(parser *p, tg_node *parent, tg_typed *out)
{
    tg_node *node = new_node(p, TG_ARRAY, parent);
    tg_merger items = {0};
    tg_typed item;
    if (!node)
        return full(p);
    while (has_next(p)) {
        if (consume(p, "]"))
            return end_of_array(node, &items, out);
        if (consume(p, ","))
            return TG_HEADER_NOT;
        int rc = parse(p, true, node, &item);
        if (!rc)
            rc = push(p, node, &item.v);
        if (rc)
            return rc;
        tg__header_merge(&items, item.schema);
        const char *at = mark(p);
        if (consume(p, "]"))
            rewind_to(p, at);
        else if (!consume(p, ","))
            return TG_HEADER_NOT;
    }
    return TG_HEADER_NOT;
}

/* Pairs whose keys are all strings are an object with names. */
static int name_members(parser *p, tg_node *node)
{
    static tg_site site;
    uint32_t n = node->n / 2;
    const tg_name **names =
        tg_arena_alloc(p->batch->arena, n * sizeof *names + 1);
    bool open = n <= MAX_INTERNED && tg_site_open(&site);
    for (uint32_t i = 0; names && i < n; i++) {
        tg_value *key = &node->slots[2 * i];
        names[i] = open ? tg_name_intern(key->u.p, key->len) : NULL;
        if (!names[i])
            names[i] = tg_name_private(p->batch, key->u.p, key->len);
        if (!names[i])
            return full(p);
        node->slots[i] = node->slots[2 * i + 1];
    }
    tg_shape *shape = names ? tg_shape_intern(p->batch, &site, names, n) : NULL;
    if (!shape)
        return full(p);
    node->kind = TG_MAP;
    node->shape = shape;
    node->n = n;
    return 0;
}

static int end_of_map(parser *p, tg_node *node, const tg_merger *keys,
                      const tg_merger *values, tg_typed *out)
{
    tg_schema proto = {.tag = TG_MAP, .key = keys->common};
    bool named = true;
    tg__header_unique(node->slots, &node->n);
    if (keys->common)
        proto.value = values->common;
    for (uint32_t i = 0; i < node->n; i++) {
        const tg_schema *to = i % 2 ? proto.value : proto.key;
        named = named && (i % 2 || node->slots[i].tag == TG_STR);
        if (to && tg__header_align(&node->slots[i], to))
            return TG_HEADER_NOT;
    }
    if (keys->common)
        tg__header_unique(node->slots, &node->n);
    int rc = named ? name_members(p, node) : 0;
    if (!rc)
        set_node(out, node, &proto);
    return rc;
}

static int entry(parser *p, tg_node *node, tg_merger *keys, tg_merger *values)
{
    tg_typed key, value = {.v.tag = TG_NULL};
    int rc = parse(p, true, node, &key);
    if (!rc && !key.schema)
        return TG_HEADER_NOT;
    if (!rc && !consume(p, ":"))
        return TG_HEADER_NOT;
    if (!rc)
        rc = parse(p, true, node, &value);
    if (!rc)
        rc = push(p, node, &key.v);
    if (!rc)
        rc = push(p, node, &value.v);
    if (rc)
        return rc;
    consume(p, ",");
    tg__header_merge(keys, key.schema);
    tg__header_merge(values, value.schema);
    return 0;
}

static int map(parser *p, tg_node *parent, tg_typed *out)
{
    tg_node *node = new_node(p, TG_PAIRS, parent);
    tg_merger keys = {0}, values = {0};
    if (!node)
        return full(p);
    while (has_next(p)) {
        if (consume(p, "}"))
            return end_of_map(p, node, &keys, &values, out);
        if (consume(p, ","))
            return TG_HEADER_NOT;
        int rc = entry(p, node, &keys, &values);
        if (rc)
            return rc;
    }
    return TG_HEADER_NOT;
}

static int container(parser *p, tg_node *parent, tg_typed *out, bool *found)
{
    bool list = consume(p, "[");
    *found = list || consume(p, "{");
    if (!*found)
        return 0;
    if (++p->depth > TG_MAX_DEPTH)
        return TG_HEADER_NOT;
    int rc = list ? array(p, parent, out) : map(p, parent, out);
    p->depth--;
    return rc;
}

static int parse(parser *p, bool embedded, tg_node *parent, tg_typed *out)
{
    bool found;
    *out = (tg_typed){.v.tag = TG_NULL};
    if (!has_next(p))
        return 0;
    if (embedded && consume(p, "\""))
        return quoted(p, out);
    if (literal(p, embedded, "null"))
        return 0;
    bool yes = literal(p, embedded, "true");
    if (yes || literal(p, embedded, "false")) {
        set_bool(out, yes);
        return 0;
    }
    const char *start = mark(p);
    int rc = container(p, parent, out, &found);
    if (found && rc != TG_HEADER_NOT)
        return rc;
    if (found)
        rewind_to(p, start);
    token t = next_token(p), trimmed = trim(t);
    if (trimmed.n)
        return plain(p, embedded, trimmed, out);
    set_text(out, t.p, t.n);
    return 0;
}

int tg_header_infer(tg_cell *cell, const char *text, uint32_t len,
                    tg_value *out, const tg_schema **schema, tg_err *err)
{
    parser p = {.text = text,
                .end = text + len,
                .at = text,
                .cell = cell,
                .batch = cell->record->batch,
                .err = err};
    tg_typed found;
    if (len == 0)
        set_text(&found, text ? text : "", 0);
    else {
        int rc = parse(&p, false, NULL, &found);
        if (rc)
            return rc;
    }
    *out = found.v;
    *schema = found.schema;
    return 0;
}
