/*
 * `tidegate check`: everything that starting would refuse, without starting.
 *
 * A connector file runs through the checks of create (core/task/plan.c), in
 * this process; a plugin file is compiled, run and its settings are read; a
 * worker's properties are checked here. Each finding is one line,
 * "file:line: error: key: message", so that editors can jump to it.
 *
 * Main thread.
 */
#include "cli/check.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "base/config.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "task/tools.h"
#include "worker/worker.h"
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/stat.h>

static const char usage[] =
    "Usage: tidegate check [--worker FILE] FILE...\n"
    "\n"
    "Checks connector files (properties or JSON), worker properties and "
    "plugin\n"
    "files (Lua) without starting anything: everything that would be refused,\n"
    "and warnings about keys that nobody knows.\n"
    "\n"
    "  --worker FILE      the worker's properties: converters, plugin.path "
    "and\n"
    "                     what its connectors may override. One among the\n"
    "                     files serves as well; without one, JsonConverter\n"
    "  --plugin-path DIR  one more folder of plugins\n"
    "\n"
    "Prints FILE:LINE: error: KEY: MESSAGE (or warning), else FILE: ok.\n"
    "\n"
    "Exit status: 0; 1 when there are errors; 2 when the arguments are wrong\n"
    "or a file cannot be read.\n";

enum { USAGE = 2, FILE_MAX = 16 << 20 };

static const tg__option options[] = {
    {"--worker", 'w', TG_OPT_TEXT},
    {"-w", 'w', TG_OPT_TEXT},
    {"--plugin-path", 'P', TG_OPT_TEXT},
    {"--help", '?', TG_OPT_FLAG},
    {"-h", '?', TG_OPT_FLAG},
    {NULL, 0, 0},
};

/* --- findings ------------------------------------------------------------- */

/* Length of "file:12:8: " or "file:12: " or "file: " at the start of text; the
 * place without the last ": " goes to where. */
static size_t place_in(const char *file, const char *text, char *where,
                       size_t size)
{
    size_t n = strlen(file);

    if (strncmp(text, file, n) != 0 || text[n] != ':')
        return 0;
    n += strspn(text + n, ":0123456789");
    while (n > 0 && text[n - 1] == ':')
        n--;
    if (strncmp(text + n, ": ", 2) != 0)
        return 0;
    snprintf(where, size, "%.*s", (int)n, text);
    return n + 2;
}

void tg__check_report(tg__check *c, const char *file, bool error,
                      const char *key, const char *text)
{
    char where[4200];
    size_t skip = place_in(file, text, where, sizeof where);

    if (!skip && key)
        tg_worker_where(file, key, where, sizeof where);
    else if (!skip)
        snprintf(where, sizeof where, "%s", file);
    text += skip;
    if (key && strncmp(text, key, strlen(key)) == 0 &&
        strncmp(text + strlen(key), ": ", 2) == 0)
        text += strlen(key) + 2;
    printf("%s: %s: %s%s%s\n", where, error ? "error" : "warning",
           key ? key : "", key ? ": " : "", text);
    c->errors += error;
}

static void report_list(tg__check *c, const char *file, bool error,
                        const json_t *list)
{
    const json_t *e;
    size_t i;

    json_array_foreach(list, i, e)
        tg__check_report(c, file, error, tg_config_get(e, "key", NULL),
                         tg_config_get(e, "message", "wrong"));
}

/* --- connectors ----------------------------------------------------------- */

static void check_connector(tg__check *c, const char *file)
{
    tg_err err = {0};
    json_t *connector = tg_connector_file_load(file, &err);
    int before = c->errors;
    const json_t *failure;
    json_t *plan;

    if (!connector) {
        tg__check_report(c, file, true, NULL, err.text);
        return;
    }
    plan = tg_task_check(c->worker, json_object_get(connector, "config"),
                         tg_config_get(connector, "name", NULL));
    report_list(c, file, true, json_object_get(plan, "errors"));
    report_list(c, file, false, json_object_get(plan, "warnings"));
    failure = json_object_get(plan, "error");
    if (failure && c->errors == before)
        tg__check_report(c, file, true, "connector.class",
                         tg_config_get(failure, "text", "unknown error"));
    if (c->errors == before)
        printf("%s: ok (%s connector %s, %zu task%s)\n", file,
               tg_config_get(plan, "kind", "a"),
               tg_config_get(connector, "name", ""),
               json_array_size(json_object_get(plan, "tasks")),
               json_array_size(json_object_get(plan, "tasks")) == 1 ? "" : "s");
    json_decref(plan);
    json_decref(connector);
}

/* --- plugins -------------------------------------------------------------- */

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;

    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev &&
           x.st_ino == y.st_ino;
}

/* The worker's settings with nothing but the folder of the file as path. */
static tg_vm *vm_for(const tg__check *c, const char *file, tg_err *err)
{
    json_t *worker = json_copy(c->worker), *none = json_object();
    char *copy = tg_strdup(file);
    tg_vm *vm;

    json_object_set_new(worker, "plugin.path", json_string(dirname(copy)));
    vm = tg_task_vm(worker, none, NULL, err);
    tg_free(copy);
    json_decref(none);
    json_decref(worker);
    return vm;
}

static void report_lint(const char *file, tg_vm *vm, const char *kind,
                        const char *class_name)
{
    json_t *warnings = NULL;
    tg_err err = {0};
    const json_t *w;
    size_t i;

    if (tg_plugin_lint(vm, kind, class_name, &warnings, &err))
        return; /* it was found a moment ago */
    json_array_foreach(warnings, i, w)
        printf("%s:%d: warning: %s\n", file,
               (int)json_number_value(json_object_get(w, "line")),
               tg_config_get(w, "message", ""));
    json_decref(warnings);
}

static void report_plugin(tg__check *c, const char *file, tg_vm *vm,
                          const json_t *entry)
{
    const char *error = tg_config_get(entry, "error", NULL);
    const char *kind = tg_config_get(entry, "kind", "plugin");
    const char *name = tg_config_get(entry, "name", "");
    const char *class_name = tg_config_get(entry, "class", name);
    json_t *info = NULL;
    tg_err err = {0};

    if (error) {
        tg__check_report(c, file, true, NULL, error);
        return;
    }
    if (tg_plugin_find(vm, kind, class_name, &info, &err)) {
        tg__check_report(c, file, true, NULL, err.text);
        return;
    }
    report_lint(file, vm, kind, class_name);
    printf("%s: ok (%s %s, %zu settings)\n", file, kind, name,
           json_array_size(json_object_get(info, "config")));
    json_decref(info);
}

static void check_plugin(tg__check *c, const char *file)
{
    tg_err err = {0};
    tg_vm *vm = vm_for(c, file, &err);
    json_t *list = vm ? tg_plugin_list(vm) : NULL;
    const json_t *entry, *found = NULL;
    size_t i;

    if (!vm)
        tg__check_report(c, file, true, NULL, err.text);
    json_array_foreach(list, i, entry)
    {
        if (!found && same_file(tg_config_get(entry, "file", ""), file))
            found = entry;
    }
    if (found)
        report_plugin(c, file, vm, found);
    else if (vm)
        tg__check_report(
            c, file, true, NULL,
            "is no plugin file: a transform or predicate is NAME.lua, a "
            "connector is NAME/source.lua or NAME/sink.lua, and tests "
            "(_spec.lua) are none");
    json_decref(list);
    if (vm)
        tg_vm_free(vm);
}

/* --- which file is what ----------------------------------------------------
 */

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n >= m && strcmp(s + n - m, end) == 0;
}

/* Properties without connector.class that have a worker's keys. */
static bool is_worker(const char *file)
{
    static const char *const signs[] = {"offset.storage.file.filename",
                                        "bootstrap.servers", "plugin.path"};
    json_t *config;
    bool yes = false;

    if (ends_with(file, ".lua") || ends_with(file, ".json"))
        return false;
    config = tg_properties_load(file, NULL);
    for (size_t i = 0; i < sizeof signs / sizeof *signs && !yes; i++)
        yes = tg_config_get(config, signs[i], NULL) != NULL;
    yes = yes && !tg_config_get(config, "connector.class", NULL);
    json_decref(config);
    return yes;
}

static void set_default(json_t *worker, const char *key, const char *value)
{
    if (!json_object_get(worker, key))
        json_object_set_new(worker, key, json_string(value));
}

static int load_worker(tg__check *c, tg_err *err)
{
    static const char json[] = "org.apache.kafka.connect.json.JsonConverter";
    const char *file = c->worker_file;

    for (int i = 0; i < c->n_files && !file; i++)
        if (is_worker(c->files[i]))
            file = c->files[i];
    c->worker = file ? tg_properties_load(file, err) : json_object();
    if (!c->worker && c->worker_file)
        return err->code;
    tg_err_clear(err);
    if (!c->worker) /* its own check says why */
        c->worker = json_object();
    if (c->plugin_path) {
        const char *path = tg_config_get(c->worker, "plugin.path", "");
        char *more =
            tg_sprintf("%s%s%s", path, *path ? "," : "", c->plugin_path);
        json_object_set_new(c->worker, "plugin.path", json_string(more));
        tg_free(more);
    }
    set_default(c->worker, "key.converter", json);
    set_default(c->worker, "value.converter", json);
    return 0;
}

static void check_file(tg__check *c, const char *file)
{
    tg_err err = {0};
    char *text = tg_file_read(file, FILE_MAX, NULL, &err);

    if (!text) {
        fprintf(stderr, "tidegate check: %s\n", err.text);
        c->unreadable = true;
        return;
    }
    tg_free(text);
    if (ends_with(file, ".lua"))
        check_plugin(c, file);
    else if (is_worker(file))
        tg__check_worker(c, file);
    else
        check_connector(c, file);
}

static int set_option(tg__check *c, int id, const char *value)
{
    if (id == 'w')
        c->worker_file = value;
    else if (id == 'P')
        c->plugin_path = value;
    else
        c->files[c->n_files++] = value;
    return 0;
}

int tg_cmd_check(int argc, char **argv)
{
    tg__args args = {argc, 1, argv, options, NULL};
    tg__check c = {.files = tg_calloc((size_t)(argc + 1) * sizeof *c.files)};
    tg_err err = {0};
    int id, rc = 0;

    tg_log_level = TG_LOG_ERROR;
    while (!rc && (id = tg__args_next(&args, &err)) != 0) {
        if (id == '?') {
            fputs(usage, stdout);
            goto out;
        }
        rc = id < 0 ? id : set_option(&c, id, args.value);
    }
    if (!rc && c.n_files == 0)
        rc = tg_err_set(&err, TG_ERR_CONFIG, "no file is given; see --help");
    if (!rc)
        rc = load_worker(&c, &err);
    for (int i = 0; !rc && i < c.n_files; i++)
        check_file(&c, c.files[i]);
    if (rc)
        fprintf(stderr, "tidegate check: %s\n", err.text);
    rc = rc || c.unreadable ? USAGE : c.errors > 0;
out:
    json_decref(c.worker);
    tg_free(c.files);
    return rc;
}
