/*
 * Values of records as Lua values and back, for the classic face; and the
 * checks that every access makes.
 *
 * Thread: the script thread.
 */
#include "script/classic.h"

static const double EXACT = 9007199254740992; /* 2^53 */

int tg__raise_ffi(lua_State *L)
{
    return tg__raise(L, "%s", tg_ffi_error());
}

static void stale(lua_State *L, const tg_vm *vm)
{
    if (!vm->batch)
        tg__raise(L, "there is no batch outside poll, put and apply: records "
                     "cannot be used here");
    tg__raise(L, "a value of an earlier batch was used: copy what you keep "
                 "(tide.str, fields)");
}

/* A stale view points into an arena that was recycled, which debug builds
 * poison: looking at the serial there is the purpose. */
#define MAY_BE_STALE __attribute__((no_sanitize("address")))

MAY_BE_STALE
void tg__check_node(lua_State *L, const tg_vm *vm, const tg_node *node)
{
    if (!vm->batch || node->born != vm->batch->serial)
        stale(L, vm);
}

MAY_BE_STALE
void tg__check_record(lua_State *L, const tg_vm *vm, const tg_record *rec)
{
    if (!vm->batch || rec->batch != vm->batch)
        stale(L, vm);
}

tg_record *tg__self(lua_State *L, tg_vm *vm, int kind, const char *method)
{
    void *p = lua_touserdata(L, 1);
    if (lua_type(L, 1) != LUA_TLIGHTUSERDATA || tg__view_kind(p) != kind)
        tg__raise(L, "call it as %s, with a colon", method);
    tg_record *rec = tg__view_address(p);
    tg__check_record(L, vm, rec);
    return rec;
}

static void push_number_text(lua_State *L, const tg_value *v)
{
    int32_t ok;
    double d = tg_value_number(v, &ok);
    if (d < EXACT && d > -EXACT) {
        lua_pushnumber(L, d);
        return;
    }
    int64_t i = tg_value_int64(v, &ok);
    if (ok)
        tg__push_int64(L, i);
    else
        lua_pushnumber(L, d);
}

void tg__push_value(lua_State *L, tg_vm *vm, const tg_value *v)
{
    uint32_t len;
    const char *p;
    switch (v->tag) {
    case TG_STR:
    case TG_BYTES:
        lua_pushlstring(L, v->u.p, v->len);
        break;
    case TG_INT8:
    case TG_INT16:
    case TG_INT32:
    case TG_INT64:
        tg__push_int64(L, v->u.i);
        break;
    case TG_NUM:
        push_number_text(L, v);
        break;
    case TG_FLOAT32:
    case TG_FLOAT64:
        lua_pushnumber(L, v->u.d);
        break;
    case TG_ARRAY:
    case TG_MAP:
    case TG_STRUCT:
    case TG_PAIRS:
        tg__push_view(L, v->u.node, TG_VIEW_NODE);
        break;
    case TG_BOOL:
        lua_pushboolean(L, v->u.i != 0);
        break;
    case TG_NULL:
        tg__push_null(L);
        break;
    case TG_ESC:
        p = tg_value_text(vm->batch, v, &len);
        if (!p)
            tg__raise_ffi(L);
        lua_pushlstring(L, p, len);
        break;
    default:
        lua_pushnil(L);
        break;
    }
}

/* A tide.decimal of the text that C found; false when there is none. */
static bool push_decimal(lua_State *L, const tg_vm *vm, const char *text,
                         uint32_t len)
{
    if (!text && len == 0)
        return false;
    if (!text)
        tg__raise_ffi(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->sdk_refs.decimal);
    lua_pushlstring(L, text, len);
    lua_call(L, 1, 1);
    return true;
}

static bool may_be_decimal(const tg_value *v)
{
    return v->tag == TG_BYTES || v->tag == TG_NUM;
}

void tg__push_slot(lua_State *L, tg_vm *vm, const tg_node *node, uint32_t i)
{
    const tg_value *v = &node->slots[i];
    uint32_t len;
    if (may_be_decimal(v) && (node->cell->schema || node->kind == TG_STRUCT)) {
        const char *p = tg_decimal_slot(vm->batch, node, (int32_t)i, &len);
        if (push_decimal(L, vm, p, len))
            return;
    }
    tg__push_value(L, vm, v);
}

void tg__push_cell(lua_State *L, tg_vm *vm, tg_cell *cell)
{
    if (cell->state == TG_CELL_NULL) {
        tg__push_null(L);
        return;
    }
    if (cell->state != TG_CELL_DECODED && tg_cell_open(cell) < 0)
        tg__raise_ffi(L);
    uint32_t len;
    if (cell->schema && may_be_decimal(&cell->value)) {
        const char *p = tg_decimal_cell(cell, &len);
        if (push_decimal(L, vm, p, len))
            return;
    }
    tg__push_value(L, vm, &cell->value);
}

int32_t tg__store_cell(lua_State *L, tg_cell *cell, int idx)
{
    tg_target to = {.cell = cell};
    return lua_isnil(L, idx) ? tg_cell_put_null(cell)
                             : tg__put_lua(L, &to, idx, 0);
}
