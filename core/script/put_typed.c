/*
 * Plain Lua values -> values of a schema: what schema{...} stores. Everything
 * is checked against the schema before the record changes; a failure names the
 * path of the field. Access to tables is raw, as in put_table.c.
 *
 * Thread: the script thread.
 */
#include "script/internal.h"
#include "convert/decimal.h"
#include "convert/script_schema.h"
#include "data/node.h"
#include "data/shape.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct builder {
    lua_State *L;
    tg_batch *batch;
    tg_cell *cell;
} builder;

static int build(builder *b, const tg_schema *s, int idx, tg_node *parent,
                 int depth, tg_value *out);

static int refuse(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static int refuse(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    tg_err_vset(tg_err_ffi(), TG_ERR_DATA, fmt, ap);
    va_end(ap);
    return TG_ERR_DATA;
}

static int full(void)
{
    return tg_err_set(tg_err_ffi(), TG_ERR_LIMIT,
                      "the batch reached its memory limit; make smaller "
                      "records or fewer of them in one poll");
}

static int misfit(const builder *b, const tg_schema *s, int idx)
{
    const char *type = luaL_typename(b->L, idx);
    if (lua_type(b->L, idx) == LUA_TNUMBER)
        return refuse("%.17g does not fit the schema, which says %s",
                      lua_tonumber(b->L, idx), tg_schema_type_upper(s->tag));
    return refuse("a %s does not fit the schema, which says %s%s%s", type,
                  tg_schema_type_upper(s->tag), s->name ? " " : "",
                  s->name ? s->name : "");
}

/* --- scalars ------------------------------------------------------------- */

static int build_int(builder *b, const tg_schema *s, int idx, tg_value *out)
{
    static const int64_t most[] = {
        [TG_INT8] = INT8_MAX, [TG_INT16] = INT16_MAX, [TG_INT32] = INT32_MAX};
    int64_t i = 0;
    bool ok = false;
    if (lua_type(b->L, idx) == LUA_TNUMBER) {
        double d = lua_tonumber(b->L, idx);
        ok = d >= -0x1p63 && d < 0x1p63 && d == trunc(d);
        i = ok ? (int64_t)d : 0;
    } else if (lua_type(b->L, idx) == TG_LUA_TCDATA) {
        ok = tg__classify(b->L, idx, &i, NULL) == TG_CDATA_INT64;
    }
    if (!ok)
        return misfit(b, s, idx);
    if (s->tag != TG_INT64 && (i > most[s->tag] || i < -most[s->tag] - 1))
        return refuse("%lld does not fit the schema, which says %s",
                      (long long)i, tg_schema_type_upper(s->tag));
    *out = (tg_value){.tag = s->tag, .flags = TG_F_NEW, .u.i = i};
    return 0;
}

static int build_float(builder *b, const tg_schema *s, int idx, tg_value *out)
{
    int64_t i;
    double d;
    if (lua_type(b->L, idx) == LUA_TNUMBER)
        d = lua_tonumber(b->L, idx);
    else if (lua_type(b->L, idx) == TG_LUA_TCDATA &&
             tg__classify(b->L, idx, &i, NULL) == TG_CDATA_INT64)
        d = (double)i;
    else
        return misfit(b, s, idx);
    if (s->tag == TG_FLOAT32 && isfinite(d) && isinf((float)d))
        return misfit(b, s, idx);
    if (s->tag == TG_FLOAT32)
        d = (double)(float)d;
    *out = (tg_value){.tag = s->tag, .flags = TG_F_NEW, .u.d = d};
    return 0;
}

static int keep(builder *b, int tag, const char *p, size_t len, tg_value *out)
{
    if (len > INT32_MAX)
        return refuse("a text of %zu bytes is too long; at most 2 GB fit", len);
    char *copy = tg_arena_dup(b->batch->arena, p, len);
    if (!copy)
        return full();
    *out = (tg_value){.tag = (uint8_t)tag,
                      .flags = TG_F_NEW,
                      .len = (uint32_t)len,
                      .u.p = copy};
    return 0;
}

static int build_text(builder *b, const tg_schema *s, int idx, tg_value *out)
{
    size_t len;
    if (lua_type(b->L, idx) != LUA_TSTRING)
        return misfit(b, s, idx);
    const char *p = lua_tolstring(b->L, idx, &len);
    int64_t bad = tg_text_check(p, len);
    if (bad >= 0)
        return refuse("the string is not UTF-8: byte 0x%02X at offset %lld; "
                      "make the field bytes, or convert it",
                      (unsigned char)p[bad], (long long)bad);
    return keep(b, TG_STR, p, len, out);
}

/* Text of a number, a tide.decimal or a string; NULL for anything else. The
 * buffer is for numbers. */
static const char *number_text(builder *b, int idx, size_t *len, char *buf,
                               size_t size)
{
    lua_State *L = b->L;
    int64_t i;
    if (lua_type(L, idx) == LUA_TNUMBER) {
        double d = lua_tonumber(L, idx);
        if (!isfinite(d))
            return NULL;
        for (int digits = 15; digits <= 17; digits++) {
            *len = (size_t)snprintf(buf, size, "%.*g", digits, d);
            if (strtod(buf, NULL) == d)
                break;
        }
        return buf;
    }
    if (lua_type(L, idx) == TG_LUA_TCDATA &&
        tg__classify(L, idx, &i, NULL) == TG_CDATA_INT64) {
        *len = (size_t)snprintf(buf, size, "%lld", (long long)i);
        return buf;
    }
    if (lua_type(L, idx) == LUA_TTABLE &&
        tg__marker(L, idx) == TG_MARK_DECIMAL) {
        lua_rawgeti(L, idx, 1);
        const char *p = lua_tolstring(L, -1, len);
        lua_pop(L, 1); /* the table holds it */
        return p;
    }
    return lua_type(L, idx) == LUA_TSTRING ? lua_tolstring(L, idx, len) : NULL;
}

static int build_bytes(builder *b, const tg_schema *s, int idx, tg_value *out)
{
    char buf[40];
    size_t len = 0;
    const char *p = NULL;
    if (tg_schema_is_decimal(s)) {
        p = number_text(b, idx, &len, buf, sizeof buf);
        if (!p)
            return misfit(b, s, idx);
        return tg_decimal_value(b->batch, s, p, len, out, tg_err_ffi());
    }
    if (lua_type(b->L, idx) == LUA_TSTRING) {
        p = lua_tolstring(b->L, idx, &len);
    } else if (lua_type(b->L, idx) == LUA_TTABLE &&
               tg__marker(b->L, idx) == TG_MARK_BYTES) {
        lua_rawgeti(b->L, idx, 1);
        p = lua_tolstring(b->L, -1, &len);
        lua_pop(b->L, 1);
    }
    return p ? keep(b, TG_BYTES, p, len, out) : misfit(b, s, idx);
}

/* --- containers ---------------------------------------------------------- */

static tg_node *fresh(builder *b, int kind, tg_shape *shape, tg_node *parent,
                      uint32_t n, tg_value *out)
{
    tg_node *node = tg_node_new(b->batch, kind, shape, n);
    if (!node) {
        full();
        return NULL;
    }
    node->cell = b->cell;
    node->parent = parent;
    node->epoch = b->batch->epoch;
    node->dirty = 1;
    *out = (tg_value){.tag = (uint8_t)kind, .flags = TG_F_NEW, .u.node = node};
    return node;
}

static int build_array(builder *b, const tg_schema *s, int idx, tg_node *parent,
                       int depth, tg_value *out)
{
    uint32_t n = (uint32_t)lua_objlen(b->L, idx);
    tg_node *node =
        fresh(b, TG_ARRAY, tg_shape_array(), parent, n ? n : 1, out);
    if (!node)
        return TG_ERR_LIMIT;
    for (uint32_t i = 0; i < n; i++) {
        lua_rawgeti(b->L, idx, (int)i + 1);
        int rc = build(b, s->value, lua_gettop(b->L), node, depth + 1,
                       &node->slots[i]);
        lua_pop(b->L, 1);
        if (rc) {
            tg_err_prefix(tg_err_ffi(), "element %u", i + 1);
            return rc;
        }
        node->n = i + 1;
    }
    return 0;
}

/* One field: the table's value, else the default, else null. */
static int build_field(builder *b, const tg_schema *s, int idx, tg_node *node,
                       int depth, tg_value *out, int *found)
{
    bool absent = lua_isnil(b->L, idx);
    *found += !absent;
    if (absent && s->has_default && tg_schema_default_hook)
        return tg_schema_default_hook(node, s, out, tg_err_ffi());
    return build(b, s, idx, node, depth + 1, out);
}

static int unknown_field(builder *b, const tg_schema *s, int idx)
{
    lua_State *L = b->L;
    for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
        bool known = false;
        size_t len;
        if (lua_type(L, -2) != LUA_TSTRING)
            return refuse("a table with the key %s is no struct; its keys are "
                          "field names",
                          luaL_typename(L, -2));
        const char *key = lua_tolstring(L, -2, &len);
        for (uint32_t i = 0; i < s->nfields && !known; i++)
            known = s->fields[i].name->len == len &&
                    memcmp(s->fields[i].name->text, key, len) == 0;
        if (!known)
            return refuse("the schema%s%s has no field '%.100s'; add it to the "
                          "schema or leave it out",
                          s->name ? " " : "", s->name ? s->name : "", key);
    }
    return 0;
}

static int build_struct(builder *b, const tg_schema *s, int idx,
                        tg_node *parent, int depth, tg_value *out)
{
    lua_State *L = b->L;
    int found = 0, keys = 0;
    tg_node *node = fresh(b, TG_STRUCT, tg_shape_of_schema(s), parent,
                          s->nfields ? s->nfields : 1, out);
    if (!node)
        return TG_ERR_LIMIT;
    for (uint32_t i = 0; i < s->nfields; i++)
        node->slots[i] = (tg_value){.tag = TG_NULL, .flags = TG_F_NEW};
    node->n = s->nfields;
    for (uint32_t i = 0; i < s->nfields; i++) {
        const tg_name *name = s->fields[i].name;
        lua_pushlstring(L, name->text, name->len);
        lua_rawget(L, idx);
        int rc = build_field(b, s->fields[i].schema, lua_gettop(L), node, depth,
                             &node->slots[i], &found);
        lua_pop(L, 1);
        if (rc) {
            tg_err_prefix(tg_err_ffi(), "field '%.100s'", name->text);
            return rc;
        }
    }
    for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1))
        keys++;
    return keys == found ? 0 : unknown_field(b, s, idx);
}

static int build_entry(builder *b, const tg_schema *s, tg_node *node, int key,
                       int value, int depth, uint32_t at)
{
    if (tg_node_reserve(node, at + 2))
        return full();
    int rc = build(b, s->key, key, node, depth + 1, &node->slots[at]);
    if (rc) {
        tg_err_prefix(tg_err_ffi(), "a key of the map");
        return rc;
    }
    node->n = at + 1;
    rc = build(b, s->value, value, node, depth + 1, &node->slots[at + 1]);
    node->n = at + 2;
    return rc;
}

/* A map whose keys are no strings. */
static int build_pairs(builder *b, const tg_schema *s, int idx, tg_node *parent,
                       int depth, tg_value *out)
{
    lua_State *L = b->L;
    uint32_t at = 0;
    tg_node *node = fresh(b, TG_PAIRS, tg_shape_array(), parent, 8, out);
    if (!node)
        return TG_ERR_LIMIT;
    for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1), at += 2) {
        int top = lua_gettop(L);
        int rc = build_entry(b, s, node, top - 1, top, depth, at);
        if (rc)
            return rc;
    }
    return 0;
}

static int build_map(builder *b, const tg_schema *s, int idx, tg_node *parent,
                     int depth, tg_value *out)
{
    static tg_site site;
    lua_State *L = b->L;
    size_t n;
    tg__key *keys = tg__sorted_keys(L, idx, &n);
    if (!keys)
        return TG_ERR_DATA;
    tg_node *node =
        fresh(b, TG_MAP, tg_shape_empty(), parent, n ? (uint32_t)n : 1, out);
    if (!node)
        return TG_ERR_LIMIT;
    if (n > 0 && tg__lay_out(node, &site, keys, n) < 0)
        return tg_err_ffi()->code;
    for (size_t i = 0; i < n; i++) {
        lua_pushlstring(L, keys[i].p, keys[i].len);
        lua_rawget(L, idx);
        int rc =
            build(b, s->value, lua_gettop(L), node, depth + 1, &node->slots[i]);
        lua_pop(L, 1);
        if (rc) {
            tg_err_prefix(tg_err_ffi(), "entry '%.100s'", keys[i].p);
            return rc;
        }
    }
    lua_pop(L, 1); /* the keys */
    return 0;
}

static int build_table(builder *b, const tg_schema *s, int idx, tg_node *parent,
                       int depth, tg_value *out)
{
    int mark = tg__marker(b->L, idx);
    if (mark == TG_MARK_TYPED) {
        lua_rawgeti(b->L, idx, 2);
        int rc = build(b, s, lua_gettop(b->L), parent, depth + 1, out);
        lua_pop(b->L, 1);
        return rc;
    }
    if (mark == TG_MARK_BYTES || mark == TG_MARK_RAW ||
        mark == TG_MARK_DECIMAL || mark == TG_MARK_ORDERED)
        return misfit(b, s, idx);
    if (s->tag == TG_ARRAY)
        return build_array(b, s, idx, parent, depth, out);
    if (s->tag == TG_STRUCT)
        return build_struct(b, s, idx, parent, depth, out);
    return s->key->tag == TG_STR ? build_map(b, s, idx, parent, depth, out)
                                 : build_pairs(b, s, idx, parent, depth, out);
}

/* A value of a record, with or without a schema of its own. */
static int build_view(builder *b, const tg_schema *s, tg_node *from,
                      tg_node *parent, tg_value *out)
{
    tg_value v = {.tag = from->kind, .u.node = from};
    return tg_schema_convert(b->batch, b->cell, parent, s, &v, out,
                             tg_err_ffi());
}

/* The node behind a view, NULL when idx holds something else. */
static tg_node *view_at(lua_State *L, int idx)
{
    tg_node *node = NULL;
    if (lua_type(L, idx) == LUA_TLIGHTUSERDATA && lua_touserdata(L, idx))
        return tg__classic_node(L, idx);
    if (lua_type(L, idx) == TG_LUA_TCDATA &&
        tg__classify(L, idx, NULL, &node) == TG_CDATA_VIEW)
        return node;
    return NULL;
}

static bool is_null(lua_State *L, int idx)
{
    if (lua_isnil(L, idx))
        return true;
    if (lua_type(L, idx) == LUA_TLIGHTUSERDATA)
        return !lua_touserdata(L, idx);
    return lua_type(L, idx) == TG_LUA_TCDATA &&
           tg__classify(L, idx, NULL, NULL) == TG_CDATA_NULL;
}

static int build_bool(builder *b, const tg_schema *s, int idx, tg_value *out)
{
    if (!lua_isboolean(b->L, idx))
        return misfit(b, s, idx);
    *out = (tg_value){
        .tag = TG_BOOL, .flags = TG_F_NEW, .u.i = lua_toboolean(b->L, idx)};
    return 0;
}

static int build(builder *b, const tg_schema *s, int idx, tg_node *parent,
                 int depth, tg_value *out)
{
    if (depth >= TG_MAX_DEPTH || !lua_checkstack(b->L, 24))
        return refuse("the value is nested deeper than %d levels, or contains "
                      "itself",
                      TG_MAX_DEPTH);
    if (is_null(b->L, idx)) {
        *out = (tg_value){.tag = TG_NULL, .flags = TG_F_NEW};
        return s->optional ? 0
                           : refuse("null or nothing where the schema wants a "
                                    "%s; give a value, or make it optional",
                                    tg_schema_type_upper(s->tag));
    }
    tg_node *view = view_at(b->L, idx);
    if (view)
        return build_view(b, s, view, parent, out);
    if (s->tag == TG_BOOL)
        return build_bool(b, s, idx, out);
    if (tg_tag_is_int(s->tag))
        return build_int(b, s, idx, out);
    if (tg_tag_is_float(s->tag))
        return build_float(b, s, idx, out);
    if (s->tag == TG_STR)
        return build_text(b, s, idx, out);
    if (s->tag == TG_BYTES)
        return build_bytes(b, s, idx, out);
    return lua_istable(b->L, idx) ? build_table(b, s, idx, parent, depth, out)
                                  : misfit(b, s, idx);
}

/* --- storing ------------------------------------------------------------- */

int32_t tg__put_typed(lua_State *L, const tg_target *to, int idx)
{
    tg_cell *cell = to->cell ? to->cell : to->node->cell;
    builder b = {.L = L, .batch = cell->record->batch, .cell = cell};
    tg_value v;
    lua_rawgeti(L, idx, 1);
    const tg_schema *s = tg__address(L, lua_gettop(L));
    lua_rawgeti(L, idx, 2);
    tg_err_clear(tg_err_ffi());
    int rc = build(&b, s, lua_gettop(L), NULL, 0, &v);
    if (rc)
        return rc;
    if (to->cell)
        return tg_cell_store(cell, &v, s);
    return tg_put_copy_as(to->node, to->slot, to->name, &v, s);
}

/* Schema of a place, NULL when it has none. */
static const tg_schema *schema_of(const tg_target *to)
{
    if (to->cell)
        return to->cell->state == TG_CELL_DECODED ? to->cell->schema : NULL;
    const tg_schema *s = tg_node_schema(to->node);
    if (!s)
        return NULL;
    if (s->tag != TG_STRUCT)
        return s->value;
    return to->slot >= 0 && (uint32_t)to->slot < s->nfields
               ? s->fields[to->slot].schema
               : NULL;
}

/* A new field of a struct gets the decimal's own scale. */
static int32_t add_decimal(const tg_target *to, const char *p, size_t len)
{
    tg_node *node = to->node;
    const tg_schema *s = tg_decimal_schema(p, len, tg_err_ffi());
    tg_value v;
    if (!s)
        return tg_err_ffi()->code;
    int rc = tg_decimal_value(node->cell->record->batch, s, p, len, &v,
                              tg_err_ffi());
    if (rc)
        return rc;
    int32_t slot = tg_add_field(node, to->name, s);
    return slot < 0 ? slot : tg_put_bytes(node, slot, NULL, v.u.p, v.len);
}

int32_t tg__put_decimal(lua_State *L, const tg_target *to, int idx)
{
    const tg_schema *s = schema_of(to);
    tg_batch *batch = (to->cell ? to->cell : to->node->cell)->record->batch;
    size_t len;
    tg_value v;
    lua_rawgeti(L, idx, 1);
    const char *p = lua_tolstring(L, -1, &len);
    if (!p)
        return refuse("a tide.decimal holds no text");
    tg_err_clear(tg_err_ffi());
    if (s && tg_schema_is_decimal(s)) {
        int rc = tg_decimal_value(batch, s, p, len, &v, tg_err_ffi());
        if (rc)
            return rc;
        return to->cell
                   ? tg_cell_put_bytes(to->cell, v.u.p, v.len)
                   : tg_put_bytes(to->node, to->slot, to->name, v.u.p, v.len);
    }
    if (!s && !to->cell && to->node->kind == TG_STRUCT && to->name)
        return add_decimal(to, p, len);
    builder b = {.L = L, .batch = batch};
    int rc = keep(&b, TG_NUM, p, len, &v);
    if (rc)
        return rc;
    return to->cell ? tg_cell_put_copy(to->cell, &v)
                    : tg_put_copy(to->node, to->slot, to->name, &v);
}
