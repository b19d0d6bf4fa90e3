/*
 * Which files the scripts of the tasks are made of, and what happens when they
 * are saved.
 *
 *   uses (task) -> folders watched -> event -> quiet for a moment -> hashes
 *   compared -> reload to the tasks whose transforms use the file,
 *               a plan of the connector when it is its own script
 *
 * Folders are watched, not files, so that editors that save by renaming work;
 * one inotify instance of the loop for all of them. What matters is the hash
 * of the content, so a touch does nothing and a file that is just being
 * rewritten (empty, or gone) waits. File systems without events are looked at
 * every few seconds.
 *
 * Owner thread only.
 */
#include "base/log.h"
#include "base/texts.h"
#include "worker/internal.h"
#include <stdio.h>
#include <sys/stat.h>

enum {
    QUIET_MS = 20,      /* after the last event of a save */
    QUIET_MAX_MS = 200, /* a file that is written all the time */
    LOOK_MS = 3000
};

typedef struct folder {
    char *path;
    uv_fs_event_t *watch;
    uint64_t ino; /* 0: the folder that is watched is gone */
    bool used;
    bool warned;
} folder;

struct tg_files {
    tg_worker *worker;
    folder *folders;
    int n;
    json_t *names;   /* last parts of the paths in use -> true */
    json_t *looks;   /* path -> "mtime size inode" at the last look */
    json_t *changed; /* paths that may have changed -> true */
    uv_timer_t quiet, look;
    uint64_t first_ms; /* of the events that are waited for */
    bool stale;        /* folders and names hold what nobody uses */
};

/* --- folders ------------------------------------------------------------- */

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return tg_strdup(".");
    return tg_strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static void on_quiet(uv_timer_t *timer);

static void expect_quiet(tg_files *f)
{
    uint64_t now = uv_now(&f->worker->loop);
    bool waits = uv_is_active((uv_handle_t *)&f->quiet);

    if (!waits)
        f->first_ms = now;
    else if (now - f->first_ms > QUIET_MAX_MS)
        return;
    uv_timer_start(&f->quiet, on_quiet, QUIET_MS, 0);
}

static void each_use(tg_files *f, void (*fn)(tg_files *f, tg_run_task *task,
                                             json_t *uses, bool connector));

static void mark_changed(tg_files *f, tg_run_task *task, json_t *uses,
                         bool connector)
{
    const char *path;
    json_t *hash;

    (void)task;
    (void)connector;
    json_object_foreach(uses, path, hash)
        json_object_set_new(f->changed, path, json_true());
}

/* A script that could not be planned may have asked for a module that nobody
 * uses yet: any Lua file beside it may be what was mended. */
static bool may_mend(tg_files *f, const char *name)
{
    size_t n = strlen(name);
    bool any = false;

    if (n < 4 || strcmp(name + n - 4, ".lua") != 0)
        return false;
    for (int i = 0; i < f->worker->n_connectors; i++) {
        tg_connector *c = f->worker->connectors[i];
        if (!c->script_error)
            continue;
        c->script_changed = true;
        any = true;
    }
    return any;
}

/* A folder that was removed or moved says so with its own name. Another one of
 * its path may have the same inode. */
static bool folder_went(tg_files *f, const uv_fs_event_t *watch,
                        const char *name)
{
    bool went = false;

    for (int i = 0; i < f->n; i++) {
        folder *d = &f->folders[i];
        if (d->watch != watch || strcmp(name_of(d->path), name) != 0)
            continue;
        d->ino = 0;
        went = true;
    }
    return went;
}

static void on_event(uv_fs_event_t *watch, const char *name, int events,
                     int status)
{
    tg_files *f = watch->data;

    (void)events;
    if (status < 0 || (name && !folder_went(f, watch, name) &&
                       !json_object_get(f->names, name) && !may_mend(f, name)))
        return;
    each_use(f, mark_changed); /* hashes decide; there are few */
    uv_update_time(&f->worker->loop);
    expect_quiet(f);
}

static void watch_closed(uv_handle_t *handle)
{
    tg_free(handle);
}

static void unwatch(folder *d)
{
    if (d->watch)
        uv_close((uv_handle_t *)d->watch, watch_closed);
    d->watch = NULL;
}

static void watch(tg_files *f, folder *d)
{
    struct stat st;
    int rc;

    unwatch(d);
    if (stat(d->path, &st) != 0)
        return;
    d->ino = st.st_ino;
    d->watch = tg_calloc(sizeof *d->watch);
    uv_fs_event_init(&f->worker->loop, d->watch);
    d->watch->data = f;
    rc = uv_fs_event_start(d->watch, on_event, d->path, 0);
    if (rc == 0)
        return;
    unwatch(d);
    tg_log_write(
        d->warned ? TG_LOG_DEBUG : TG_LOG_WARN, "reload",
        "folder %s cannot be watched (%s); its scripts are looked at every "
        "%d s",
        d->path, uv_strerror(rc), LOOK_MS / 1000);
    d->warned = true;
}

static void use_folder(tg_files *f, const char *path)
{
    char *name = folder_of(path);
    int i = 0;

    while (i < f->n && strcmp(f->folders[i].path, name) != 0)
        i++;
    if (i == f->n) {
        f->folders =
            tg_realloc(f->folders, (size_t)(f->n + 1) * sizeof *f->folders);
        f->folders[f->n++] = (folder){.path = tg_strdup(name)};
        watch(f, &f->folders[i]);
    }
    f->folders[i].used = true;
    tg_free(name);
    json_object_set_new(f->names, name_of(path), json_true());
}

static void use_all(tg_files *f, tg_run_task *task, json_t *uses,
                    bool connector)
{
    const char *path;
    json_t *hash;

    (void)task;
    (void)connector;
    json_object_foreach(uses, path, hash) use_folder(f, path);
}

/* Lets go of what nobody uses any more. */
static void sweep(tg_files *f)
{
    int kept = 0;

    f->stale = false;
    json_object_clear(f->names);
    json_object_clear(f->looks);
    for (int i = 0; i < f->n; i++)
        f->folders[i].used = false;
    each_use(f, use_all);
    for (int i = 0; i < f->n; i++) {
        if (f->folders[i].used) {
            f->folders[kept++] = f->folders[i];
            continue;
        }
        unwatch(&f->folders[i]);
        tg_free(f->folders[i].path);
    }
    f->n = kept;
}

/* Watches folders that were replaced, or could not be watched. */
static void watch_again(tg_files *f)
{
    bool any = false;

    for (int i = 0; i < f->n; i++) {
        folder *d = &f->folders[i];
        struct stat st;
        if (stat(d->path, &st) == 0 && st.st_ino == d->ino && d->watch)
            continue;
        watch(f, d);
        any |= d->watch != NULL;
    }
    if (any)
        each_use(f, mark_changed);
}

/* --- changes ------------------------------------------------------------- */

static void each_use(tg_files *f, void (*fn)(tg_files *f, tg_run_task *task,
                                             json_t *uses, bool connector))
{
    tg_worker *w = f->worker;

    for (int i = 0; i < w->n_connectors; i++)
        for (int k = 0; k < w->connectors[i]->n_tasks; k++) {
            tg_run_task *task = w->connectors[i]->tasks[k];
            if (!task->uses || !task->child)
                continue;
            fn(f, task, json_object_get(task->uses, "files"), false);
            fn(f, task, json_object_get(task->uses, "connector"), true);
        }
}

/* Hash of the file now, looked up once a check; "" while it is not there. */
static const char *hash_now(tg_files *f, const char *path)
{
    json_t *known = json_object_get(f->changed, path);
    char hash[TG_SHA256_HEX];

    if (!json_is_string(known)) {
        tg_text_hash_file(path, hash);
        json_object_set_new(f->changed, path, json_string(hash));
        known = json_object_get(f->changed, path);
    }
    return json_string_value(known);
}

static void compare(tg_files *f, tg_run_task *task, json_t *uses,
                    bool connector)
{
    json_t *list = json_array(), *told;
    const char *path;
    void *tmp;

    json_object_foreach_safe(uses, tmp, path, told)
    {
        const char *now, *was = json_string_value(told);
        if (!json_object_get(f->changed, path))
            continue;
        now = hash_now(f, path);
        if (!*now || (was && strcmp(now, was) == 0))
            continue;
        json_array_append_new(list, json_string(path));
        json_object_set_new(uses, path, json_string(now));
    }
    if (json_array_size(list) > 0 && connector)
        task->connector->script_changed = true;
    else if (json_array_size(list) > 0)
        tg__child_send(task->child,
                       json_pack("{s:s, s:O}", "op", "reload", "files", list));
    json_decref(list);
}

static void on_quiet(uv_timer_t *timer)
{
    tg_files *f = timer->data;
    tg_worker *w = f->worker;

    if (w->stopping)
        return;
    watch_again(f);
    each_use(f, compare);
    json_object_clear(f->changed);
    for (int i = 0; i < w->n_connectors; i++) {
        tg_connector *c = w->connectors[i];
        if (!c->script_changed)
            continue;
        c->script_changed = false;
        tg__change_script(c);
    }
}

/* --- the slow look ------------------------------------------------------- */

static void look_at(tg_files *f, tg_run_task *task, json_t *uses,
                    bool connector)
{
    const char *path, *was;
    json_t *hash;

    (void)task;
    (void)connector;
    json_object_foreach(uses, path, hash)
    {
        char now[96] = "gone";
        struct stat st;
        if (stat(path, &st) == 0)
            snprintf(now, sizeof now, "%lld.%ld %lld %llu",
                     (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
                     (long long)st.st_size, (unsigned long long)st.st_ino);
        was = json_string_value(json_object_get(f->looks, path));
        if (was && strcmp(was, now) == 0)
            continue;
        if (was)
            json_object_set_new(f->changed, path, json_true());
        json_object_set_new(f->looks, path, json_string(now));
    }
}

static void on_look(uv_timer_t *timer)
{
    tg_files *f = timer->data;

    if (f->worker->stopping)
        return;
    if (f->stale)
        sweep(f);
    watch_again(f);
    each_use(f, look_at);
    if (json_object_size(f->changed) > 0)
        expect_quiet(f);
    if (f->n == 0)
        uv_timer_stop(timer);
}

/* --- from outside -------------------------------------------------------- */

void tg__files_use(tg_run_task *task, json_t *msg)
{
    tg_files *f = task->connector->worker->files;
    json_t *maps[2] = {json_object_get(msg, "files"),
                       json_object_get(msg, "connector")};

    json_decref(task->uses);
    task->uses = json_deep_copy(msg);
    for (int i = 0; i < 2; i++) {
        use_all(f, task, maps[i], i == 1);
        /* saved before the folder was watched? */
        mark_changed(f, task, maps[i], i == 1);
    }
    f->stale = true;
    if (!uv_is_active((uv_handle_t *)&f->look))
        uv_timer_start(&f->look, on_look, LOOK_MS, LOOK_MS);
    expect_quiet(f);
}

void tg__files_forget(tg_run_task *task)
{
    json_decref(task->uses);
    task->uses = NULL;
    task->connector->worker->files->stale = true;
}

tg_files *tg__files_new(tg_worker *worker)
{
    tg_files *f = tg_calloc(sizeof *f);

    f->worker = worker;
    f->names = json_object();
    f->looks = json_object();
    f->changed = json_object();
    uv_timer_init(&worker->loop, &f->quiet);
    uv_timer_init(&worker->loop, &f->look);
    f->quiet.data = f->look.data = f;
    return f;
}

void tg__files_stop(tg_files *f)
{
    for (int i = 0; f && i < f->n; i++)
        unwatch(&f->folders[i]);
}

void tg__files_free(tg_files *f)
{
    if (!f)
        return;
    for (int i = 0; i < f->n; i++)
        tg_free(f->folders[i].path);
    tg_free(f->folders);
    json_decref(f->names);
    json_decref(f->looks);
    json_decref(f->changed);
    tg_free(f);
}
