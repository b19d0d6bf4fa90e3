/*
 * Reloading in a task.
 *
 *   reload {files}   transforms and predicates in place (chain_reload.c)
 *   chain {config}   another list of them (chain_swap.c)
 *   renew            the connector: state, stop, the VM goes, a new VM, the
 *                    chain moves into it with its states, start
 *
 * Only one VM of a process may limit the time of its calls, and C types are
 * declared once in a VM: so the old one is freed before the new one is made,
 * and going back means making the old version again from the texts it had, with
 * the state it gave. A connector is on trial until a record has passed through
 * it; whatever comes before that, another version included, one goes back to
 * the last that was proven.
 *
 * The task's thread.
 */
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "host/services.h"
#include "task/task.h"
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

static const char MOD[] = "reload";

/* --- messages ------------------------------------------------------------ */

bool tg__reload_message(tg_task *task, const char *op, const json_t *msg)
{
    tg__reload *r = &task->reload;

    if (strcmp(op, "reload") == 0) {
        r->due = true;
    } else if (strcmp(op, "renew") == 0) {
        r->renew = true;
    } else if (strcmp(op, "chain") == 0) {
        json_decref(r->config);
        r->config = json_incref(json_object_get(msg, "config"));
        r->due = true;
    } else {
        return false;
    }
    return true;
}

/* --- what is told -------------------------------------------------------- */

static const char *hash_shown(const tg_task *task)
{
    return task->instance ? tg_instance_hash(task->instance) : "";
}

static json_t *describe_connector(const tg_task *task)
{
    const tg__reload *r = &task->reload;
    json_t *o = json_pack("{s:i, s:s, s:s, s:s}", "stage", 0, "alias",
                          "connector", "kind", task->source ? "source" : "sink",
                          "class", task->class_name);
    json_t *rest = tg_version_object(task->instance, r->loaded_ms, r->reloads);

    json_object_update(o, rest);
    json_object_set_new(o, "last_error",
                        tg_version_error(r->error, r->error_ms, r->error_hash));
    if (r->trial)
        json_object_set_new(o, "trial", json_true());
    json_decref(rest);
    return o;
}

static json_t *versions(const tg_task *task)
{
    json_t *list = tg_chain_describe(task->chain);

    if (task->instance)
        json_array_insert_new(list, 0, describe_connector(task));
    return list;
}

static void tell_versions(tg_task *task)
{
    tg_control_send(task->control, json_pack("{s:s, s:o}", "op", "transforms",
                                             "transforms", versions(task)));
}

static bool is_same(const json_t *version, const json_t *refused)
{
    static const char *const members[] = {"kind", "alias", "hash"};

    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (!json_equal(json_object_get(version, members[i]),
                        json_object_get(refused, members[i])))
            return false;
    return true;
}

int tg__reload_check(const tg_task *task, tg_err *err)
{
    const json_t *all = json_object_get(task->start, "refused"), *refused, *v;
    json_t *list = versions(task);
    size_t i, k;

    json_array_foreach(all, i, refused)
        json_array_foreach(list, k, v) if (is_same(v, refused)) tg_err_set(
            err, TG_ERR_SCRIPT,
            "%s %s: version %s in %s was refused while the task "
            "ran and is not used: %s; save one that works, then "
            "restart the task",
            tg_config_get(v, "kind", ""), tg_config_get(v, "alias", ""),
            tg_config_get(v, "hash", ""), tg_config_get(v, "file", "its file"),
            tg_config_get(refused, "text", ""));
    json_decref(list);
    return err->code;
}

/* Files as they were last looked at, not as they run: what was refused is not
 * asked for again. */
static void as_seen(json_t *uses, const json_t *seen)
{
    const char *path;
    json_t *hash;

    json_object_foreach((json_t *)(uintptr_t)seen, path,
                        hash) if (json_object_get(uses, path))
        json_object_set(uses, path, hash);
}

static void tell_uses(tg_task *task)
{
    tg__reload *r = &task->reload;
    json_t *files = tg_chain_uses(task->chain), *own = json_object(), *msg;

    if (r->attempt)
        json_object_update(own, r->attempt);
    if (task->instance) {
        const tg_texts *texts = tg_instance_texts(task->instance);
        for (size_t i = 0; i < texts->n; i++)
            if (*texts->items[i].path)
                json_object_set_new(own, texts->items[i].path,
                                    json_string(texts->items[i].hash));
    }
    as_seen(files, r->seen);
    as_seen(own, r->seen);
    msg = json_pack("{s:s, s:o, s:o}", "op", "uses", "files", files,
                    "connector", own);
    if (!r->told || !json_equal(msg, r->told)) {
        json_decref(r->told);
        r->told = json_deep_copy(msg);
        tg_control_send(task->control, json_incref(msg));
    }
    json_decref(msg);
}

/* --- transforms ---------------------------------------------------------- */

static int64_t changed_ms(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return 0;
    return (int64_t)st.st_ctim.tv_sec * 1000 + st.st_ctim.tv_nsec / 1000000;
}

/* Looks at the files {path: hash known}; *saved_ms: when the newest that
 * differs was saved. */
static void look_at(tg__reload *r, const json_t *files, int64_t *saved_ms)
{
    const char *path;
    json_t *known;

    if (!r->seen)
        r->seen = json_object();
    json_object_foreach((json_t *)(uintptr_t)files, path, known)
    {
        char hash[TG_SHA256_HEX];
        bool there = tg_text_hash_file(path, hash);
        json_object_set_new(r->seen, path,
                            there ? json_string(hash) : json_null());
        if (there && strcmp(json_string_value(known), hash) != 0 &&
            changed_ms(path) > *saved_ms)
            *saved_ms = changed_ms(path);
    }
}

static void reload_files(tg_task *task)
{
    json_t *uses = tg_chain_uses(task->chain);
    int64_t saved_ms = 0;

    look_at(&task->reload, uses, &saved_ms);
    tg_chain_reload(task->chain, task->reload.seen,
                    saved_ms ? saved_ms : tg_clock_wall_ms());
    json_decref(uses);
}

static void set_error(tg_task *task, const tg_err *why, const char *hash)
{
    tg__reload *r = &task->reload;

    tg_free(r->error);
    r->error = why ? tg_strdup(why->text) : NULL;
    r->error_ms = tg_clock_wall_ms();
    snprintf(r->error_hash, sizeof r->error_hash, "%s", hash);
    r->news = true;
}

/* Invariant: what task->config pointed into lives on: others point there too.
 */
static void change_chain(tg_task *task)
{
    tg__reload *r = &task->reload;
    json_t *config = r->config;
    tg_err err = {0};

    r->config = NULL;
    if (tg_chain_change(task->chain, config, &err) != 0) {
        tg_page_add(task->page->reload_failures, 1);
        tg_warn(MOD, "The chain of transforms stays as it was: %s", err.text);
        set_error(task, &err, "");
        json_decref(config);
        return;
    }
    if (!r->kept)
        r->kept = json_array();
    json_array_append_new(r->kept, config);
    task->config = config;
    tg_page_add(task->page->reloads, 1);
    tg_info(MOD, "The chain of transforms was changed without a restart");
}

/* --- between two batches ------------------------------------------------- */

static void tick_connector(tg_task *task)
{
    tg_err err = {0};

    if (!task->instance || tg_instance_due(task->instance) == INT64_MAX ||
        tg_instance_tick(task->instance, tg_clock_ns(), &err) >= 0)
        return;
    tg_page_add(task->page->timer_failures, 1);
    tg_warn(MOD, "The connector's timer failed: %s", err.text);
}

void tg__task_between(tg_task *task)
{
    tg__reload *r = &task->reload;
    unsigned uses;

    if (r->due) {
        r->due = false;
        if (r->config)
            change_chain(task);
        reload_files(task);
        tell_uses(task);
    }
    tick_connector(task);
    r->due_ns = tg_chain_tick(task->chain);
    if (task->instance && tg_instance_due(task->instance) < r->due_ns)
        r->due_ns = tg_instance_due(task->instance);
    uses = tg_vm_uses(task->vm);
    if (tg_chain_news(task->chain) || r->news || uses != r->uses) {
        r->news = false;
        r->uses = uses;
        if (!r->loaded_ms)
            r->loaded_ms = tg_clock_wall_ms();
        tell_uses(task);
        tell_versions(task);
    }
}

int tg__task_ms_to_timer(const tg_task *task, int cap)
{
    int64_t ms;

    if (task->reload.due_ns == INT64_MAX)
        return cap;
    ms = (task->reload.due_ns - tg_clock_ns() + 999999) / 1000000;
    return ms < 0 ? 0 : ms < cap ? (int)ms : cap;
}

/* --- the connector ------------------------------------------------------- */

/* What is needed to make connector and chain in another VM. */
typedef struct move {
    tg_chain_states *states;
    tg_texts stages; /* of the chain: they run on as they were */
    const json_t *offsets, *parts;
} move;

static void move_fini(move *m)
{
    tg_chain_states_free(m->states);
    tg_texts_fini(&m->stages);
}

/* Nothing of the old VM is left afterwards. */
static void leave(tg_task *task, move *m)
{
    tg_err err = {0};

    if (tg_instance_stop(task->instance, &err) != 0)
        tg_warn(MOD, "The connector's stop failed: %s", err.text);
    tg_instance_free(task->instance);
    task->instance = NULL;
    m->states = tg_chain_leave_vm(task->chain, &m->stages);
    tg_vm_free(task->vm);
    task->vm = NULL;
}

/* After a failure in the middle of enter. */
static void undo_enter(tg_task *task, bool chain)
{
    tg_texts ignored = {0};

    if (task->instance)
        tg_instance_free(task->instance);
    task->instance = NULL;
    if (chain)
        tg_chain_states_free(tg_chain_leave_vm(task->chain, &ignored));
    tg_texts_fini(&ignored);
    if (task->vm)
        tg_vm_free(task->vm);
    task->vm = NULL;
}

/* The files of a version that is refused: one of them may be mended, also one
 * that the version before has no use for. */
static void note_attempt(tg_task *task)
{
    tg__reload *r = &task->reload;
    json_t *paths =
        task->vm && !task->instance ? tg_vm_attempt(task->vm) : json_array();
    const tg_texts *texts =
        task->instance ? tg_instance_texts(task->instance) : NULL;
    char hash[TG_SHA256_HEX];
    const json_t *path;
    size_t i;

    json_decref(r->attempt);
    r->attempt = json_object();
    if (task->instance)
        tg_vm_uses(task->vm); /* what it required at last, too */
    for (i = 0; texts && i < texts->n; i++)
        if (*texts->items[i].path)
            json_object_set_new(r->attempt, texts->items[i].path,
                                json_string(texts->items[i].hash));
    json_array_foreach(paths, i, path)
    {
        const char *name = json_string_value(path);
        tg_text_hash_file(name, hash);
        json_object_set_new(r->attempt, name, json_string(hash));
    }
    json_decref(paths);
}

/* before: texts of the connector, NULL: its files. */
static int enter(tg_task *task, const move *m, const tg_texts *before,
                 tg_err *err)
{
    tg_instance_options options = {.kind = task->source ? "source" : "sink",
                                   .class_name = task->class_name,
                                   .config = task->task_config,
                                   .state = &task->reload.state};
    bool chain = false;
    int rc = tg__task_make_vm(task, err);

    if (rc == 0) {
        tg_vm_overlay(task->vm, &m->stages);
        rc = tg_chain_enter_vm(task->chain, task->vm, m->states, err);
        chain = rc == 0;
        tg_vm_overlay(task->vm, before);
    }
    if (rc == 0) {
        task->instance = tg_instance_make(task->vm, &options, err);
        rc = task->instance ? 0 : err->code;
    }
    if (rc == 0)
        rc = tg_instance_start(task->instance, m->offsets, err);
    if (rc == 0 && m->parts && json_array_size(m->parts) > 0)
        rc = tg_instance_open(task->instance, m->parts, err);
    if (task->vm)
        tg_vm_overlay(task->vm, NULL);
    if (rc && !before)
        note_attempt(task);
    if (rc)
        undo_enter(task, chain);
    return rc;
}

/* Back to the version of r->before, because of why. */
static int go_back(tg_task *task, const move *m, const tg_err *why,
                   const char *hash, tg_err *err)
{
    tg__reload *r = &task->reload;
    int rc;

    tg_page_add(task->page->reload_failures, 1);
    set_error(task, why, hash);
    rc = enter(task, m, &r->before, err);
    if (rc) {
        err->fatal = true;
        err->code = TG_ERR_STATE; /* nothing of the connector is left */
        tg_err_prefix(err,
                      "the version before does not start either, after \"%s\"",
                      why->text);
        return err->code;
    }
    tg_warn(MOD,
            "The new version of the connector is refused and %s (%.12s) runs "
            "again: %s",
            tg_instance_version(task->instance), hash_shown(task), why->text);
    tg__reload_proven(task);
    return 0;
}

static void look_at_connector(tg_task *task, int64_t *saved_ms)
{
    json_t *own = json_object();
    const tg_texts *texts = tg_instance_texts(task->instance);

    for (size_t i = 0; i < texts->n; i++)
        if (*texts->items[i].path)
            json_object_set_new(own, texts->items[i].path,
                                json_string(texts->items[i].hash));
    look_at(&task->reload, own, saved_ms);
    json_decref(own);
}

static void renewed(tg_task *task, int64_t saved_ms)
{
    tg__reload *r = &task->reload;

    tg_free(r->error);
    r->error = NULL;
    json_decref(r->attempt);
    r->attempt = NULL;
    r->trial = true;
    r->reloads++;
    r->loaded_ms = tg_clock_wall_ms();
    r->news = true;
    tg_page_add(task->page->reloads, 1);
    tg_info(MOD,
            "The connector runs in version %s (%.12s), %lld ms after it was "
            "saved",
            tg_instance_version(task->instance), hash_shown(task),
            (long long)(r->loaded_ms - (saved_ms ? saved_ms : r->loaded_ms)));
    tg__task_report_state(task);
}

/* What to go back to: the version that runs, unless it is on trial itself. */
static int keep_proven(tg_task *task, tg_err *err)
{
    tg__reload *r = &task->reload;
    int rc;

    if (r->trial)
        return 0;
    tg_buf_fini(&r->state);
    tg_texts_fini(&r->before);
    rc = tg_instance_state(task->instance, &r->state, err);
    if (rc == 0)
        tg_texts_join(&r->before, tg_instance_texts(task->instance));
    return rc;
}

int tg__reload_renew(tg_task *task, const json_t *offsets, const json_t *parts,
                     tg_err *err)
{
    tg__reload *r = &task->reload;
    move m = {.offsets = offsets, .parts = parts};
    int64_t saved_ms = 0;
    tg_err why = {0};
    int rc;

    r->renew = false;
    look_at_connector(task, &saved_ms);
    if (keep_proven(task, &why) != 0) {
        tg_err_prefix(&why, "the connector's state");
        tg_warn(MOD, "The connector is not reloaded: %s", why.text);
        set_error(task, &why, "");
        tg_page_add(task->page->reload_failures, 1);
        return 0;
    }
    tg__task_at(task, TG_AT_LOAD);
    leave(task, &m);
    rc = enter(task, &m, NULL, &why);
    if (rc == 0) {
        renewed(task, saved_ms);
    } else if (rc == TG_ERR_STOPPED && tg__task_stopping(task)) {
        *err = why;
        err->fatal = true; /* there is no instance */
    } else {
        rc = go_back(task, &m, &why, "", err);
    }
    r->due = true; /* a stage may have changed meanwhile */
    move_fini(&m);
    return rc;
}

int tg__reload_revert(tg_task *task, const tg_err *why, const json_t *offsets,
                      const json_t *parts, tg_err *err)
{
    move m = {.offsets = offsets, .parts = parts};
    char hash[TG_SHA256_HEX];
    int rc;

    snprintf(hash, sizeof hash, "%s", hash_shown(task));
    note_attempt(task);
    tg__task_at(task, TG_AT_LOAD);
    leave(task, &m);
    rc = go_back(task, &m, why, hash, err);
    move_fini(&m);
    return rc;
}

void tg__reload_proven(tg_task *task)
{
    tg__reload *r = &task->reload;

    r->news |= r->trial;
    r->trial = false;
    tg_texts_fini(&r->before);
    tg_buf_fini(&r->state);
}

void tg__reload_fini(tg_task *task)
{
    tg__reload *r = &task->reload;

    json_decref(r->config);
    json_decref(r->kept);
    json_decref(r->seen);
    json_decref(r->told);
    json_decref(r->attempt);
    tg_texts_fini(&r->before);
    tg_buf_fini(&r->state);
    tg_free(r->error);
}
