/*
 * The classic face of the views, inside: see classic.c.
 */
#ifndef TG_SCRIPT_CLASSIC_H
#define TG_SCRIPT_CLASSIC_H
#include "script/internal.h"
#include "data/node.h"

/* What a view shows: the low bits of its address. */
enum {
    TG_VIEW_NODE = 0,
    TG_VIEW_RECORD = 1,
    TG_VIEW_HEADERS = 2,
    TG_VIEW_MASK = 7
};

static inline int tg__view_kind(const void *p)
{
    return (int)((uintptr_t)p & TG_VIEW_MASK);
}

static inline void *tg__view_address(const void *p)
{
    return (void *)((uintptr_t)p & ~(uintptr_t)TG_VIEW_MASK);
}

static inline void tg__push_view(lua_State *L, void *p, int kind)
{
    lua_pushlightuserdata(L, (char *)p + kind);
}

/* classic_read.c: a value, a cell (opened if needed) as Lua values. */
void tg__push_value(lua_State *L, tg_vm *vm, const tg_value *v);
void tg__push_slot(lua_State *L, tg_vm *vm, const tg_node *node, uint32_t i);
void tg__push_cell(lua_State *L, tg_vm *vm, tg_cell *cell);
/* Raises the sentence of tg_ffi_error(). */
int tg__raise_ffi(lua_State *L);
/* Stores the Lua value at idx in a cell: 0, or a status with the sentence. */
int32_t tg__store_cell(lua_State *L, tg_cell *cell, int idx);
/* Checks that node or record belongs to the current batch; raises. */
void tg__check_node(lua_State *L, const tg_vm *vm, const tg_node *node);
void tg__check_record(lua_State *L, const tg_vm *vm, const tg_record *rec);
/* Record behind a view of the given kind at index 1; raises "call it as ...".*/
tg_record *tg__self(lua_State *L, tg_vm *vm, int kind, const char *method);

/* classic_node.c: metamethods of value views; argument 1 is the view. */
int tg__node_index(lua_State *L, tg_vm *vm, tg_node *node);
int tg__node_newindex(lua_State *L, tg_vm *vm, tg_node *node);
int tg__node_len(lua_State *L, tg_vm *vm, tg_node *node);
int tg__node_tostring(lua_State *L, tg_vm *vm, tg_node *node);
/* Replacements of pairs and ipairs; upvalue 1: the original. */
int tg__classic_pairs(lua_State *L);
int tg__classic_ipairs(lua_State *L);

/* classic_record.c */
int tg__record_index(lua_State *L, tg_vm *vm, tg_record *rec);
int tg__record_newindex(lua_State *L, tg_vm *vm, tg_record *rec);
int tg__headers_index(lua_State *L);
int tg__headers_next(lua_State *L);
/* Makes the tables of methods (vm->classic_*). */
void tg__record_open(lua_State *L, tg_vm *vm);

#endif
