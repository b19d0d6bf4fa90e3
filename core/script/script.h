/*
 * Lua: one VM per task process, the plugins in it, and calls into them. The
 * only folder that sees lua.h. Thread: the task's thread, except
 * tg_script_interrupt.
 *
 * A plugin is one Lua file that returns a table made by tide.source, tide.sink,
 * tide.transform or tide.predicate. An instance is a plugin with a parsed
 * configuration. Every call is protected; a failing one gives TG_ERR_SCRIPT
 * with "file.lua:12: message" first and the Lua traceback in err->trace.
 */
#ifndef TG_SCRIPT_SCRIPT_H
#define TG_SCRIPT_SCRIPT_H
#include "base/page.h"
#include "base/texts.h"
#include "data/batch.h"
#include <jansson.h>

typedef struct tg_vm tg_vm;
typedef struct tg_instance tg_instance;

typedef struct tg_vm_options {
    const json_t *plugin_path; /* array of folders; home's own come first */
    size_t memory_max;         /* bytes for Lua's allocator, 0: none */
    int64_t timeout_ns;        /* longest single call, 0: none */
    bool jit;                  /* false: interpreter and classic views */
    tg_page *page;             /* breadcrumb and counters; may be NULL */
} tg_vm_options;

tg_vm *tg_vm_new(const tg_vm_options *options, tg_err *err);
void tg_vm_free(tg_vm *vm);
/* Lua memory in bytes. */
size_t tg_vm_memory(const tg_vm *vm);
/* Steps the collector between batches. */
void tg_vm_idle(tg_vm *vm);
/* Async-signal-safe, any thread: makes the running call end with a time-out
 * error at its next line, compiled or not. Normally called by the VM's own
 * watchdog when timeout_ns has passed. */
void tg_vm_interrupt(tg_vm *vm);

/*
 * Finds a plugin: kind "source", "sink", "connector" (either), "transform",
 * "predicate". class_name: the file name, a declared name or alias, or the Java
 * class it stands for. On success *info (new reference) is
 * {"kind","name","class","version","doc","file","config":[{definition}...]}.
 * TG_ERR_NOTFOUND names the nearest ones.
 */
int tg_plugin_find(tg_vm *vm, const char *kind, const char *class_name,
                   json_t **info, tg_err *err);
/* All plugins: array of such objects without "config". Files that do not load
 * are listed with "error". */
json_t *tg_plugin_list(tg_vm *vm);
/* Checks a configuration against the plugin's table without making anything:
 * *errors (new array) of {"key","value","message"}; *warnings the same for
 * unknown keys with "did you mean". known: the keys of the framework. */
int tg_plugin_validate(tg_vm *vm, const char *kind, const char *class_name,
                       const json_t *config, const json_t *known,
                       json_t **errors, json_t **warnings, tg_err *err);
/* What the compiler accepts all the same: *warnings (new array) of
 * {"line","message"}. The plugin's file is loaded, nothing of it is called. */
int tg_plugin_lint(tg_vm *vm, const char *kind, const char *class_name,
                   json_t **warnings, tg_err *err);
/* connector: the task configurations, array of 1..max objects of strings (an
 * absent hook gives one copy of config). */
int tg_plugin_tasks(tg_vm *vm, const char *class_name, const json_t *config,
                    int max, json_t **tasks, tg_err *err);

typedef struct tg_instance_options {
    const char *kind, *class_name;
    const json_t *config;
    const char *label; /* what messages call a script of a configuration, such
                          as "orders.transforms.mask"; may be NULL */
    tg_instance *previous; /* the version before: this is the next version of
                              the same plugin (no connector), its own test
                              included; NULL: found by its class */
    const tg_buf *state;   /* of the version before, tg_instance_state; may be
                              NULL or empty */
} tg_instance_options;

/* A new instance; config is checked again. Loads the plugin's file afresh. */
tg_instance *tg_instance_make(tg_vm *vm, const tg_instance_options *options,
                              tg_err *err);
/* The same with nothing but these. */
tg_instance *tg_instance_new(tg_vm *vm, const char *kind,
                             const char *class_name, const json_t *config,
                             tg_err *err);
void tg_instance_free(tg_instance *inst);
/* Class, version and file for status and logs; borrowed. */
const char *tg_instance_name(const tg_instance *inst);
const char *tg_instance_version(const tg_instance *inst);

const char *tg_instance_file(const tg_instance *inst);
/* The texts it is made of, its own file first, and the hash over them. */
const tg_texts *tg_instance_texts(const tg_instance *inst);
const char *tg_instance_hash(const tg_instance *inst);

/* What its next version gets: plain data as bytes, appended to the empty out,
 * which stays empty when the plugin keeps no state. TG_ERR_* when it raises or
 * what it gives is no plain data. */
int tg_instance_state(tg_instance *inst, tg_buf *out, tg_err *err);
/* Calls the plugin's timer if it is due at now_ns (tg_clock_ns). Outside of
 * batches. 1: called, 0: not due, TG_ERR_*: it raised. */
int tg_instance_tick(tg_instance *inst, int64_t now_ns, tg_err *err);
/* When it is due next; INT64_MAX: it has no timer. */
int64_t tg_instance_due(const tg_instance *inst);
/* How many records its predicate let through in the last call; -1: it has
 * none. */
int64_t tg_instance_passed(tg_instance *inst);

/* Grows when instances that exist already load another file; their texts are
 * brought up to date then. */
unsigned tg_vm_uses(tg_vm *vm);
/* Paths of the files that the last loading of a plugin used, even if it failed.
 * New array. */
json_t *tg_vm_attempt(tg_vm *vm);
/* Throws all compiled code away; it is compiled again when it is hot. After a
 * version has gone: code compiled for it hangs on the code of the SDK, keeps it
 * in memory, and in the end leaves no room for that of later ones. */
void tg_vm_flush(tg_vm *vm);
/* Texts that are read instead of files of these paths until NULL is given.
 * Borrowed. */
void tg_vm_overlay(tg_vm *vm, const tg_texts *texts);

/* Connector hooks. Absent ones succeed at once. offsets: array of
 * [partition, offset] objects (source). */
int tg_instance_start(tg_instance *inst, const json_t *offsets, tg_err *err);
/* Source: appends records to the empty batch. Returns ms to wait before the
 * next poll when it had nothing (>= 0; 0: poll again at once), or TG_ERR_*. */
int tg_instance_poll(tg_instance *inst, tg_batch *batch, tg_err *err);
/* Source: offsets were committed. */
int tg_instance_commit(tg_instance *inst, tg_err *err);
/* Sink: records [lo, hi) of the batch; verdicts are set by the script. */
int tg_instance_put(tg_instance *inst, tg_batch *batch, tg_err *err);
/* Sink: everything put so far must be durable when it returns. */
int tg_instance_flush(tg_instance *inst, tg_err *err);
/* Sink: partitions opened or closed: [["topic", n], ...]. */
int tg_instance_open(tg_instance *inst, const json_t *parts, tg_err *err);
int tg_instance_close(tg_instance *inst, const json_t *parts, tg_err *err);
int tg_instance_stop(tg_instance *inst, tg_err *err);
/* What the source reported with ctx:lag(n), -1 if nothing. */
int64_t tg_instance_lag(const tg_instance *inst);

/* Transform over records [lo, hi) with verdict KEEP; skips others. Predicate,
 * when given, decides per record. stage: index for breadcrumb and counters. */
int tg_instance_apply(tg_instance *inst, tg_batch *batch, int stage,
                      tg_err *err);
/* The plugin is one of tidegate's own (needs no undo). */
bool tg_instance_stock(const tg_instance *inst);
void tg_instance_predicate(tg_instance *inst, tg_instance *predicate,
                           bool negate);

#endif
