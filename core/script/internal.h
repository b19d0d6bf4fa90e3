/*
 * What the files of core/script share: the VM, its instances, and how C enters
 * Lua. Nobody outside this folder includes it, except the Lua test runner.
 *
 * Everything here belongs to the script thread; the fields of tg_watch are
 * also read by the SIGPROF handler, which runs on that same thread.
 */
#ifndef TG_SCRIPT_INTERNAL_H
#define TG_SCRIPT_INTERNAL_H
#include "script/script.h"
#include "base/mem.h"
#include "data/shape.h"
#include <lauxlib.h>
#include <lua.h>
#include <luajit.h>
#include <lualib.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

/* The text of core/ffi/tidegate.h for ffi.cdef; made by the build. */
extern const char tg_ffi_cdef[];

/* A full userdata kind of LuaJIT's C API that lua.h has no name for. */
enum { TG_LUA_TCDATA = 10 };

/* What the error of a stopped script says inside the script. */
#define TG_OVERDUE "script exceeded its time limit"

/* The running call, as the time limit sees it. */
typedef struct tg_watch {
    _Atomic int64_t start;      /* ns, monotonic; 0: no call runs */
    _Atomic int64_t deadline;   /* ns; 0: none */
    _Atomic uint32_t serial;    /* counts calls */
    _Atomic uint32_t interrupt; /* serial of the call to stop, 0: none */
    _Atomic bool overdue;       /* the call is being stopped */
    _Atomic bool armed;         /* the timer will fire */
    char at[160];               /* where the call was stopped, "" until then */
    int64_t limit;              /* ns per call, 0: none */
    timer_t timer;
    bool has_timer;
    bool profiling; /* compiled code polls for the profiler */
    pthread_t thread;
} tg_watch;

/* Marks of tables, in the order of the markers of tg__sdk. */
enum {
    TG_MARK_ARRAY,
    TG_MARK_MAP,
    TG_MARK_ORDERED,
    TG_MARK_BYTES,
    TG_MARK_RAW,
    TG_MARK_TYPED,   /* {schema pointer, data}: tide.schema */
    TG_MARK_DECIMAL, /* {text}: tide.decimal */
    TG_MARKS
};

/* What the SDK hands to C once, with host.adopt(t); view.lua describes it. */
typedef struct tg__sdk {
    bool given;
    int null;              /* tide.null */
    int classify;          /* function: "null", "int64", "view" or nil */
    int int64_new;         /* function: int64 cdata of *int64 */
    int decimal;           /* function: tide.decimal of a text */
    int markers[TG_MARKS]; /* metatables, order of TG_MARK_* */
    int64_t *int64;        /* payload of t.int64 */
    void **pointer;        /* payload of t.pointer */
} tg__sdk;

struct tg_vm {
    lua_State *L;
    size_t used, max; /* bytes of Lua's allocator; max 0: no limit */
    size_t settled;   /* used after the last whole collection */
    int reserve;      /* > 0: the reserve above max may be used */
    bool oom;         /* an allocation was refused during this call */
    bool dead;        /* ran out of memory: no further calls */
    bool jit;
    tg_watch watch;
    tg_page *page;
    tg_err *err;         /* of the running call, for the message handler */
    bool shaped;         /* the message handler filled err */
    lua_CFunction entry; /* what tg__enter calls */
    void *entry_ud;
    int ref_enter, ref_handler, ref_int64, ref_array, ref_object;
    int ref_boot;     /* the table that boot.lua returned */
    int ref_host;     /* the table that it was given */
    tg__sdk sdk_refs; /* what the SDK gave with host.adopt */
    int ref_batch, ref_each_next, ref_record, ref_headers; /* classic.c */
    const char *str_value; /* Lua's string "value", kept by ref_record */
    tg_batch **slot;       /* payload of the SDK's tg_batch *[1] cdata */
    tg_batch *slot_none;   /* what it shows outside a call */
    tg_batch *batch;       /* batch of the running call */
    const tg_instance *at; /* instance of the running call */
    tg_instance *instances;
    char *home;
    char *sdk; /* "@<home>/lua/tidegate/" */
    json_t *plugin_path;
    int64_t last_heal_ns;
    const tg_texts *overlay; /* read instead of files; NULL: none */
    unsigned uses;           /* counts files that instances loaded later */
    unsigned uses_seen;      /* ... as the instances' texts show them */
};

/* Functions of an instance, in the order of tg__hook_names. */
enum {
    TG_HOOK_START,
    TG_HOOK_POLL,
    TG_HOOK_COMMIT,
    TG_HOOK_PUT,
    TG_HOOK_FLUSH,
    TG_HOOK_OPEN,
    TG_HOOK_CLOSE,
    TG_HOOK_STOP,
    TG_HOOK_APPLY,
    TG_HOOK_LAG,
    TG_HOOK_TICK,
    TG_HOOKS
};

struct tg_instance {
    tg_vm *vm;
    tg_instance *next;
    char *name, *version, *file;
    bool stock;
    int ref;             /* the SDK's instance table */
    int hooks[TG_HOOKS]; /* LUA_NOREF: absent */
    int64_t lag;
    tg_texts texts;
    char hash[TG_SHA256_HEX];
    int64_t every_ns, due_ns; /* timer; due_ns INT64_MAX: none */
    /* healing */
    int slow; /* consecutive slow batches */
    int heals;
    bool warned;
};

/* --- vm.c, host_api.c, classic.c ----------------------------------------- */
tg_vm *tg__vm_of(lua_State *L);
/* A whole collection: after loading, which leaves much garbage. */
void tg__vm_collect(tg_vm *vm);
/* Registers the functions of host into the table on top of the stack. */
void tg__host_open(tg_vm *vm);
/* Pushes the host.classic table and gives light userdata its metatable. */
void tg__classic_open(tg_vm *vm);
/* Makes batch (or none: NULL) what scripts see. */
void tg__show_batch(tg_vm *vm, tg_batch *batch);
/* Node of a classic value view at idx, NULL when it is none; raises when it is
 * stale. */
tg_node *tg__classic_node(lua_State *L, int idx);

/* --- call.c -------------------------------------------------------------- */
int tg__call_init(tg_vm *vm, tg_err *err);
/* Runs fn(L) protected and with the time limit on. The Lua stack is as before
 * afterwards. TG_ERR_SCRIPT, TG_ERR_TIMEOUT or TG_ERR_LIMIT, or the code of the
 * error table that was raised. */
int tg__protect(tg_vm *vm, lua_CFunction fn, void *ud, tg_err *err);
/* The argument given to tg__protect; valid at the start of fn. */
void *tg__arg(lua_State *L);
/* Calls without time limit and with the memory reserve: for bookkeeping. */
int tg__protect_quiet(tg_vm *vm, lua_CFunction fn, void *ud, tg_err *err);
/* "file.lua:12" of the first frame from level on that is user code; false when
 * there is none. */
bool tg__user_position(lua_State *L, int level, char *out, size_t size);

/* --- versions.c ----------------------------------------------------------- */
/* Reads the texts of an instance anew. Raises Lua errors. */
void tg__read_texts(lua_State *L, tg_instance *inst);

/* --- watchdog.c ---------------------------------------------------------- */
int tg__watch_init(tg_vm *vm, int64_t timeout_ns, tg_err *err);
void tg__watch_fini(tg_vm *vm);
void tg__watch_begin(tg_vm *vm);
/* Ends the call; true when it was stopped for being overdue. */
bool tg__watch_end(tg_vm *vm);
/* The running call waits in the host: that time does not count. Within one call
 * of a host function; nothing raises in between. */
typedef struct tg_pause {
    int64_t begin, deadline, start;
} tg_pause;
void tg__watch_pause(tg_vm *vm, tg_pause *pause);
void tg__watch_resume(tg_vm *vm, const tg_pause *pause);

/* --- crash.c ------------------------------------------------------------- */
/* Installs the process's crash handler once and makes vm the one it reports. */
void tg__crash_watch(tg_vm *vm);
void tg__crash_forget(tg_vm *vm);

/* --- json_lua.c ---------------------------------------------------------- */
/* Pushes a JSON value. Raises Lua errors. */
void tg__json_push(lua_State *L, const json_t *v);
/* New reference to the value at idx; raises a Lua error that names the path of
 * what cannot be converted. */
json_t *tg__json_read(lua_State *L, int idx);

/* --- put_table.c --------------------------------------------------------- */
/* host.put_table(target, is_cell, slot, name | nil, table). */
int tg__put_table(lua_State *L);

/* Writes the Lua value at idx. Exactly one of node and cell is given. 0, or
 * TG_ERR_* with the sentence in tg_err_ffi(). */
typedef struct tg_target {
    tg_node *node;
    tg_cell *cell;
    int32_t slot;
    const tg_name *name;
} tg_target;
int32_t tg__put_lua(lua_State *L, const tg_target *to, int idx, int depth);

/* Which mark the table at idx carries: TG_MARK_* or -1. */
int tg__marker(lua_State *L, int idx);
/* Keys of a map, sorted by bytes. Pushes a userdata that holds them; their
 * texts live in the table at idx. NULL with the sentence when one is no
 * string. */
typedef struct tg__key {
    const char *p;
    size_t len;
} tg__key;
tg__key *tg__sorted_keys(lua_State *L, int idx, size_t *count);
/* Gives an empty map these fields, null. */
int32_t tg__lay_out(tg_node *node, tg_site *site, const tg__key *keys,
                    size_t n);

/* --- put_typed.c ---------------------------------------------------------- */
/* Writes what a table marked TYPED or DECIMAL says. As tg__put_lua. */
int32_t tg__put_typed(lua_State *L, const tg_target *to, int idx);
int32_t tg__put_decimal(lua_State *L, const tg_target *to, int idx);

/* --- sdk.c --------------------------------------------------------------- */
/* host.adopt(t). */
int tg__adopt(lua_State *L);
/* What a cdata at idx (absolute) is to the SDK. INT64 sets *i, VIEW sets
 * *node; either may be NULL. */
enum { TG_CDATA_OTHER, TG_CDATA_NULL, TG_CDATA_INT64, TG_CDATA_VIEW };
int tg__classify(lua_State *L, int idx, int64_t *i, tg_node **node);
/* tide.null, or host.null before the SDK has given it. */
void tg__push_null(lua_State *L);
/* Pushes a number, or an int64_t cdata when it is beyond 2^53. */
void tg__push_int64(lua_State *L, int64_t v);
/* Address in a light userdata or in a pointer or reference cdata; raises an
 * argument error for anything else. */
void *tg__address(lua_State *L, int idx);
/* Raises "file.lua:12: text" with the position of the first user frame. */
int tg__raise(lua_State *L, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
