/*
 * Records and headers of the classic face.
 *
 * Thread: the script thread.
 */
#include "script/classic.h"
#include <math.h>
#include <stdlib.h>

/* Members of a record that are data; methods are functions in the same table
 * (vm->ref_record). */
enum {
    F_VALUE = 1,
    F_KEY,
    F_TOPIC,
    F_PARTITION,
    F_TIMESTAMP,
    F_OFFSET,
    F_HEADERS,
    F_ORIGIN_TOPIC,
    F_ORIGIN_PARTITION
};

static const double EXACT = 9007199254740992; /* 2^53 */

/* --- verdicts and other methods ------------------------------------------ */

static int set_verdict(lua_State *L, int verdict, const char *method)
{
    tg_record *rec = tg__self(L, tg__vm_of(L), TG_VIEW_RECORD, method);
    if (tg_record_set_verdict(rec, verdict, NULL, 0) < 0)
        return tg__raise_ffi(L);
    return 0;
}

static int record_drop(lua_State *L)
{
    return set_verdict(L, TG_DROP, "r:drop()");
}

static int record_keep(lua_State *L)
{
    return set_verdict(L, TG_KEEP, "r:keep()");
}

static int record_retry(lua_State *L)
{
    return set_verdict(L, TG_RETRY, "r:retry()");
}

static int record_done(lua_State *L)
{
    return set_verdict(L, TG_DONE, "r:done()");
}

static int record_reject(lua_State *L)
{
    tg_record *rec =
        tg__self(L, tg__vm_of(L), TG_VIEW_RECORD, "r:reject(reason)");
    if (lua_type(L, 2) != LUA_TSTRING)
        return tg__raise(L, "r:reject needs a reason (string), got %s",
                         luaL_typename(L, 2));
    size_t len;
    const char *reason = lua_tolstring(L, 2, &len);
    if (tg_record_set_verdict(rec, TG_REJECT, reason, (uint32_t)len) < 0)
        return tg__raise_ffi(L);
    return 0;
}

static int record_split(lua_State *L)
{
    tg_record *rec = tg__self(L, tg__vm_of(L), TG_VIEW_RECORD, "r:split()");
    tg_record *copy = tg_record_split(rec);
    if (!copy)
        return tg__raise_ffi(L);
    tg__push_view(L, copy, TG_VIEW_RECORD);
    return 1;
}

/* A whole number or int64 at idx. */
static bool whole(lua_State *L, int idx, int64_t *out)
{
    if (lua_type(L, idx) == LUA_TNUMBER) {
        double d = lua_tonumber(L, idx);
        if (d != floor(d) || d > EXACT || d < -EXACT)
            return false;
        *out = (int64_t)d;
        return true;
    }
    return lua_type(L, idx) == TG_LUA_TCDATA &&
           tg__classify(L, idx, out, NULL) == TG_CDATA_INT64;
}

static const char *text_of(lua_State *L, int idx)
{
    if (lua_isstring(L, idx))
        return lua_tostring(L, idx);
    return luaL_callmeta(L, idx, "__tostring") ? lua_tostring(L, -1)
                                               : luaL_typename(L, idx);
}

static int record_source(lua_State *L)
{
    tg_record *rec = tg__self(L, tg__vm_of(L), TG_VIEW_RECORD,
                              "r:source(partition, offset)");
    int64_t part, offset;
    int32_t rc;
    if (lua_type(L, 2) != LUA_TNUMBER || !whole(L, 2, &part) || part < 0 ||
        part > INT32_MAX)
        return tg__raise(L, "r:source needs the number that ctx:partition "
                            "returned");
    if (lua_istable(L, 3)) {
        json_t *v = tg__json_read(L, 3);
        char *text = json_dumps(v, JSON_COMPACT | JSON_SORT_KEYS);
        json_decref(v);
        rc = text ? tg_record_set_source_json(rec, (int32_t)part, text,
                                              (uint32_t)strlen(text))
                  : tg_err_set(tg_err_ffi(), TG_ERR_ARG,
                               "a source offset must be a table of strings, "
                               "numbers and booleans");
        free(text);
    } else if (whole(L, 3, &offset)) {
        rc = tg_record_set_source(rec, (int32_t)part, offset);
    } else {
        return tg__raise(L,
                         "a source offset is a whole number or a table, "
                         "got %s",
                         text_of(L, 3));
    }
    return rc < 0 ? tg__raise_ffi(L) : 0;
}

/* --- members ------------------------------------------------------------- */

static int no_field(lua_State *L, int idx)
{
    return tg__raise(L,
                     "records have no field '%s'; there are value, key, "
                     "topic, partition, timestamp, offset, headers, "
                     "origin_topic, origin_partition and drop, keep, "
                     "reject, retry, done, split, source",
                     text_of(L, idx));
}

static int member(lua_State *L, const tg_vm *vm)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->ref_record);
    lua_pushvalue(L, 2);
    lua_rawget(L, -2);
    return lua_type(L, -1) == LUA_TNUMBER ? (int)lua_tointeger(L, -1) : 0;
}

int tg__record_index(lua_State *L, tg_vm *vm, tg_record *rec)
{
    tg__check_record(L, vm, rec);
    if (lua_type(L, 2) == LUA_TSTRING &&
        lua_tostring(L, 2) == vm->str_value) { /* Lua interns strings */
        tg__push_cell(L, vm, &rec->value);
        return 1;
    }
    switch (member(L, vm)) {
    case F_VALUE:
        tg__push_cell(L, vm, &rec->value);
        return 1;
    case F_KEY:
        tg__push_cell(L, vm, &rec->key);
        return 1;
    case F_TOPIC:
        lua_pushlstring(L, rec->topic ? rec->topic : "", rec->topiclen);
        return 1;
    case F_PARTITION:
        if (rec->partition < 0)
            return 0;
        lua_pushinteger(L, rec->partition);
        return 1;
    case F_TIMESTAMP:
        if (rec->timestamp == -1)
            return 0;
        tg__push_int64(L, rec->timestamp);
        return 1;
    case F_OFFSET:
        if (!rec->origin_topic)
            return 0;
        tg__push_int64(L, rec->origin_offset);
        return 1;
    case F_HEADERS:
        tg__push_view(L, rec, TG_VIEW_HEADERS);
        return 1;
    case F_ORIGIN_TOPIC:
        if (!rec->origin_topic)
            return 0;
        lua_pushlstring(L, rec->origin_topic, rec->origin_topiclen);
        return 1;
    case F_ORIGIN_PARTITION:
        if (!rec->origin_topic)
            return 0;
        lua_pushinteger(L, rec->origin_partition);
        return 1;
    default:
        return lua_isnil(L, -1) ? no_field(L, 2) : 1;
    }
}

/* tide.null counts as nil here, as `x == nil` does. */
static bool is_nothing(lua_State *L, int idx)
{
    return lua_isnil(L, idx) ||
           (lua_type(L, idx) == TG_LUA_TCDATA &&
            tg__classify(L, idx, NULL, NULL) == TG_CDATA_NULL);
}

static int32_t set_topic(lua_State *L, tg_record *rec)
{
    if (lua_type(L, 3) != LUA_TSTRING)
        tg__raise(L, "r.topic is a string, got %s", luaL_typename(L, 3));
    size_t len;
    const char *topic = lua_tolstring(L, 3, &len);
    return tg_record_set_topic(rec, topic, (uint32_t)len);
}

static int32_t set_partition(lua_State *L, tg_record *rec)
{
    int64_t v = -1;
    if (!is_nothing(L, 3) && (lua_type(L, 3) != LUA_TNUMBER ||
                              !whole(L, 3, &v) || v < -1 || v > INT32_MAX))
        tg__raise(L, "r.partition is a whole number from 0 or nil, got %s",
                  text_of(L, 3));
    return tg_record_set_partition(rec, (int32_t)v);
}

static int32_t set_timestamp(lua_State *L, tg_record *rec)
{
    int64_t v = -1;
    if (!is_nothing(L, 3) && !whole(L, 3, &v))
        tg__raise(L,
                  "r.timestamp is a whole number of milliseconds or nil, "
                  "got %s",
                  text_of(L, 3));
    return tg_record_set_timestamp(rec, v);
}

int tg__record_newindex(lua_State *L, tg_vm *vm, tg_record *rec)
{
    tg__check_record(L, vm, rec);
    int32_t rc = 0;
    switch (member(L, vm)) {
    case F_VALUE:
        rc = tg__store_cell(L, &rec->value, 3);
        break;
    case F_KEY:
        rc = tg__store_cell(L, &rec->key, 3);
        break;
    case F_TOPIC:
        rc = set_topic(L, rec);
        break;
    case F_PARTITION:
        rc = set_partition(L, rec);
        break;
    case F_TIMESTAMP:
        rc = set_timestamp(L, rec);
        break;
    case F_OFFSET:
    case F_HEADERS:
    case F_ORIGIN_TOPIC:
    case F_ORIGIN_PARTITION:
        return tg__raise(L, "r.%s cannot be changed", lua_tostring(L, 2));
    default:
        return no_field(L, 2);
    }
    return rc < 0 ? tg__raise_ffi(L) : 0;
}

/* --- headers ------------------------------------------------------------- */

static tg_record *header_args(lua_State *L, const char *method,
                              const char **name, uint32_t *len)
{
    tg_record *rec = tg__self(L, tg__vm_of(L), TG_VIEW_HEADERS, method);
    if (tg_record_headers(rec) < 0)
        tg__raise_ffi(L);
    if (lua_type(L, 2) != LUA_TSTRING)
        tg__raise(L, "a header name is a string, got %s", luaL_typename(L, 2));
    size_t n;
    *name = lua_tolstring(L, 2, &n);
    *len = (uint32_t)n;
    return rec;
}

static int headers_get(lua_State *L)
{
    const char *name;
    uint32_t len;
    tg_record *rec = header_args(L, "headers:get(name)", &name, &len);
    int32_t found = -1;
    for (int32_t i = -1; (i = tg_header_find(rec, name, len, i + 1)) >= 0;)
        found = i;
    if (found < 0)
        return 0;
    tg__push_cell(L, tg__vm_of(L), &rec->headers[found].cell);
    return 1;
}

static int headers_all(lua_State *L)
{
    const char *name;
    uint32_t len;
    tg_record *rec = header_args(L, "headers:all(name)", &name, &len);
    int n = 0;
    lua_newtable(L);
    for (int32_t i = -1; (i = tg_header_find(rec, name, len, i + 1)) >= 0;) {
        tg__push_cell(L, tg__vm_of(L), &rec->headers[i].cell);
        lua_rawseti(L, -2, ++n);
    }
    return 1;
}

/* but: how many at the end stay. */
static int remove_headers(lua_State *L, tg_record *rec, const char *name,
                          uint32_t len, uint32_t but)
{
    int removed = 0;
    for (int32_t i = 0; (i = tg_header_find(rec, name, len, i)) >= 0 &&
                        (uint32_t)i + but < rec->nheaders;
         removed++)
        if (tg_header_remove(rec, i) < 0)
            tg__raise_ffi(L);
    return removed;
}

static void add_header(lua_State *L, tg_record *rec, const char *name,
                       uint32_t len)
{
    int32_t i = tg_header_add(rec, name, len);
    if (i < 0)
        tg__raise_ffi(L);
    if (tg__store_cell(L, &rec->headers[i].cell, 3) < 0) {
        tg_header_remove(rec, i);
        tg__raise_ffi(L);
    }
}

static int headers_set(lua_State *L)
{
    const char *name;
    uint32_t len;
    lua_settop(L, 3);
    tg_record *rec = header_args(L, "headers:set(name, value)", &name, &len);
    add_header(L, rec, name, len);
    remove_headers(L, rec, name, len, 1);
    return 0;
}

static int headers_add(lua_State *L)
{
    const char *name;
    uint32_t len;
    lua_settop(L, 3);
    tg_record *rec = header_args(L, "headers:add(name, value)", &name, &len);
    add_header(L, rec, name, len);
    return 0;
}

static int headers_remove(lua_State *L)
{
    const char *name;
    uint32_t len;
    tg_record *rec = header_args(L, "headers:remove(name)", &name, &len);
    lua_pushinteger(L, remove_headers(L, rec, name, len, 0));
    return 1;
}

int tg__headers_index(lua_State *L)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, tg__vm_of(L)->ref_headers);
    lua_pushvalue(L, 2);
    lua_rawget(L, -2);
    if (lua_isnil(L, -1))
        return tg__raise(L, "use headers:get('%s')", text_of(L, 2));
    return 1;
}

/* State {view, index}. */
int tg__headers_next(lua_State *L)
{
    tg_vm *vm = tg__vm_of(L);
    if (!lua_istable(L, 1))
        return tg__raise(L, "pairs: not the headers of a record");
    lua_rawgeti(L, 1, 1);
    lua_rawgeti(L, 1, 2);
    void *p = lua_touserdata(L, -2);
    double d = lua_tonumber(L, -1);
    if (lua_type(L, -2) != LUA_TLIGHTUSERDATA ||
        tg__view_kind(p) != TG_VIEW_HEADERS || lua_type(L, -1) != LUA_TNUMBER ||
        !(d >= 0))
        return tg__raise(L, "pairs: not the headers of a record");
    tg_record *rec = tg__view_address(p);
    tg__check_record(L, vm, rec);
    int32_t n = tg_record_headers(rec);
    if (n < 0)
        return tg__raise_ffi(L);
    if (!(d < n) || d != floor(d))
        return 0;
    lua_pushnumber(L, d + 1);
    lua_rawseti(L, 1, 2);
    tg_header *header = &rec->headers[(uint32_t)d];
    lua_pushlstring(L, header->name, header->namelen);
    tg__push_cell(L, vm, &header->cell);
    return 2;
}

/* --- tables -------------------------------------------------------------- */

static void add_members(lua_State *L)
{
    static const struct {
        const char *name;
        int code;
    } members[] = {
        {"value", F_VALUE},
        {"key", F_KEY},
        {"topic", F_TOPIC},
        {"partition", F_PARTITION},
        {"timestamp", F_TIMESTAMP},
        {"offset", F_OFFSET},
        {"headers", F_HEADERS},
        {"origin_topic", F_ORIGIN_TOPIC},
        {"origin_partition", F_ORIGIN_PARTITION},
    };
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        lua_pushinteger(L, members[i].code);
        lua_setfield(L, -2, members[i].name);
    }
}

void tg__record_open(lua_State *L, tg_vm *vm)
{
    static const luaL_Reg record[] = {
        {"drop", record_drop},     {"keep", record_keep},
        {"retry", record_retry},   {"done", record_done},
        {"reject", record_reject}, {"split", record_split},
        {"source", record_source}, {NULL, NULL},
    };
    static const luaL_Reg headers[] = {
        {"get", headers_get}, {"all", headers_all},       {"set", headers_set},
        {"add", headers_add}, {"remove", headers_remove}, {NULL, NULL},
    };
    lua_newtable(L);
    luaL_register(L, NULL, record);
    add_members(L);
    lua_pushliteral(L, "value");
    vm->str_value = lua_tostring(L, -1);
    lua_pop(L, 1);
    vm->ref_record = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_newtable(L);
    luaL_register(L, NULL, headers);
    vm->ref_headers = luaL_ref(L, LUA_REGISTRYINDEX);
}
