/*
 * `tidegate docs DIR` (for scripts/docs): a page of Markdown for every plugin
 * of tidegate itself, from what the plugin files declare, and an index.
 *
 * Main thread.
 */
#include "cli/cli.h"
#include "cli/options.h"
#include "base/config.h"
#include "base/file.h"
#include "base/log.h"
#include "task/tools.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static const char made[] =
    "<!-- Made by scripts/docs from the plugin's file: do not edit. -->\n";

typedef struct docs {
    const char *folder;
    tg_vm *vm;
    tg_buf index;
} docs;

/* A text inside a table: pipes and line ends would end the cell. */
static void put_cell(tg_buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            tg_buf_str(out, "\\|");
        else
            tg_buf_add(out, *text == '\n' ? " " : text, 1);
    }
}

static const char *text_of(const json_t *object, const char *key)
{
    return tg_config_get(object, key, "");
}

/* --- one page ------------------------------------------------------------- */

static void put_accepted(tg_buf *out, const json_t *def)
{
    const json_t *choices = json_object_get(def, "choices"), *c;
    size_t i;

    json_array_foreach(choices, i, c)
    {
        tg_buf_str(out, i ? ", `" : "`");
        put_cell(out, json_string_value(c));
        tg_buf_str(out, "`");
    }
}

static void put_default(tg_buf *out, const json_t *def)
{
    const char *dflt = tg_config_get(def, "default_value", NULL);

    if (json_is_true(json_object_get(def, "required"))) {
        tg_buf_str(out, "required");
    } else if (dflt && *dflt) {
        tg_buf_str(out, "`");
        put_cell(out, dflt);
        tg_buf_str(out, "`");
    } else if (dflt) {
        tg_buf_str(out, "empty");
    }
}

static void put_lower(tg_buf *out, const char *text)
{
    for (; *text; text++) {
        char c = *text >= 'A' && *text <= 'Z' ? (char)(*text + 32) : *text;
        tg_buf_add(out, &c, 1);
    }
}

static void put_settings(tg_buf *out, const json_t *config)
{
    const json_t *def;
    size_t i;

    if (json_array_size(config) == 0) {
        tg_buf_str(out, "\nIt has no settings.\n");
        return;
    }
    tg_buf_str(out, "\n| setting | type | default | accepted | importance | "
                    "meaning |\n|---|---|---|---|---|---|\n");
    json_array_foreach(config, i, def)
    {
        tg_buf_str(out, "| `");
        put_cell(out, text_of(def, "name"));
        tg_buf_str(out, "` | ");
        put_lower(out, text_of(def, "type"));
        tg_buf_str(out, " | ");
        put_default(out, def);
        tg_buf_str(out, " | ");
        put_accepted(out, def);
        tg_buf_str(out, " | ");
        put_lower(out, text_of(def, "importance"));
        tg_buf_str(out, " | ");
        put_cell(out, text_of(def, "documentation"));
        tg_buf_str(out, " |\n");
    }
}

/* A value for the example: the default, else something of the type. */
static const char *example_value(const json_t *def)
{
    const json_t *choices = json_object_get(def, "choices");
    const char *type = text_of(def, "type");

    if (json_array_size(choices))
        return json_string_value(json_array_get(choices, 0));
    if (strcmp(type, "INT") == 0 || strcmp(type, "LONG") == 0)
        return "1";
    if (strcmp(type, "BOOLEAN") == 0)
        return "true";
    return "...";
}

/* The settings that must be there. */
static void put_example(tg_buf *out, const char *kind, const char *name,
                        const json_t *info)
{
    bool chain =
        strcmp(kind, "transform") == 0 || strcmp(kind, "predicate") == 0;
    const char *class_name = text_of(info, "class");
    char prefix[300] = "";
    const json_t *def;
    size_t i;

    tg_buf_str(out, "\n```properties\n");
    if (chain) {
        snprintf(prefix, sizeof prefix, "%ss.%s.", kind, name);
        tg_buf_printf(out, "%ss=%s\n%stype=%s\n", kind, name, prefix,
                      class_name);
    } else {
        tg_buf_printf(out, "name=my-%s\nconnector.class=%s\n%s", name,
                      class_name,
                      strcmp(kind, "sink") == 0 ? "topics=...\n" : "");
    }
    json_array_foreach(json_object_get(info, "config"), i, def)
    {
        if (json_is_true(json_object_get(def, "required")))
            tg_buf_printf(out, "%s%s=%s\n", prefix, text_of(def, "name"),
                          example_value(def));
    }
    tg_buf_str(out, "```\n");
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n >= m && strcmp(s + n - m, end) == 0;
}

/* Text of a file beside the plugin, or NULL. */
static char *beside(const json_t *info, const char *name)
{
    const char *file = text_of(info, "file");
    const char *slash = strrchr(file, '/');
    char *path, *text;

    if (!slash)
        return NULL;
    path = tg_sprintf("%.*s/%s", (int)(slash - file), file, name);
    text = tg_file_read(path, 1 << 20, NULL, NULL);
    tg_free(path);
    return text;
}

static int write_page(const docs *d, const char *page, const tg_buf *text,
                      tg_err *err)
{
    char *path = tg_sprintf("%s/%s", d->folder, page);
    FILE *f = fopen(path, "w");
    bool done = f && fwrite(text->p, 1, text->len, f) == text->len;

    if (f && fclose(f) != 0)
        done = false;
    if (!done)
        tg_err_set(err, TG_ERR_IO, "cannot write %s: %s", path,
                   strerror(errno));
    tg_free(path);
    return done ? 0 : TG_ERR_IO;
}

/* "Class: `X`." or, of a plugin with sides, "Classes: `X$Key`, `X$Value`." */
static void put_classes(tg_buf *out, const json_t *list, const json_t *info)
{
    const json_t *entry;
    int n = 0;
    size_t i;

    json_array_foreach(list, i, entry)
    {
        if (strcmp(text_of(entry, "kind"), text_of(info, "kind")) != 0 ||
            strcmp(text_of(entry, "name"), text_of(info, "name")) != 0)
            continue;
        tg_buf_printf(out, "%s`%s`", n++ ? ", " : "", text_of(entry, "class"));
    }
}

static void put_page(tg_buf *out, const json_t *list, const json_t *info)
{
    const char *kind = text_of(info, "kind"), *name = text_of(info, "name");
    tg_buf classes = {0};
    char *readme = NULL;

    put_classes(&classes, list, info);
    tg_buf_printf(out, "# %s: %s\n\n%s\n%s\n\n%s: %s.\n", kind, name, made,
                  text_of(info, "doc"),
                  strchr(tg_buf_cstr(&classes), ',') ? "Classes" : "Class",
                  tg_buf_cstr(&classes));
    tg_buf_fini(&classes);
    put_settings(out, json_object_get(info, "config"));
    put_example(out, kind, name, info);
    if (ends_with(text_of(info, "file"), "source.lua") ||
        ends_with(text_of(info, "file"), "sink.lua"))
        readme = beside(info, "README.md");
    if (readme)
        tg_buf_printf(out,
                      "\nMore: [connectors/%s](../../connectors/%s/README.md)."
                      "\n",
                      name, name);
    tg_free(readme);
}

/* Up to the first sentence's end. */
static int first_sentence(const char *doc)
{
    const char *end = strstr(doc, ". ");

    return end ? (int)(end - doc) + 1 : (int)strlen(doc);
}

static int one(docs *d, const json_t *list, const json_t *entry, tg_err *err)
{
    const char *kind = text_of(entry, "kind"), *name = text_of(entry, "name");
    const char *class_name = text_of(entry, "class");
    char *page = tg_sprintf("%s-%s.md", kind, name);
    json_t *info = NULL;
    tg_buf text = {0};
    int rc = tg_plugin_find(d->vm, kind, class_name, &info, err);

    if (rc == 0) {
        put_page(&text, list, info);
        rc = write_page(d, page, &text, err);
        tg_buf_printf(&d->index, "| [%s](%s) | ", name, page);
        char *doc = tg_sprintf("%.*s", first_sentence(text_of(info, "doc")),
                               text_of(info, "doc"));
        put_cell(&d->index, doc);
        tg_buf_str(&d->index, " |\n");
        tg_free(doc);
    }
    tg_buf_fini(&text);
    json_decref(info);
    tg_free(page);
    return rc;
}

/* --- all of them ---------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    const json_t *const *x = a, *const *y = b;

    return strcmp(text_of(*x, "name"), text_of(*y, "name"));
}

/* Of a plugin with sides one stands for all. */
static bool is_main(const char *class_name)
{
    return !strchr(class_name, '$') || ends_with(class_name, "$Value");
}

/* The plugins of a kind, the $Value form of those that have two, by name. */
static int of_kind(docs *d, json_t *list, const char *kind, tg_err *err)
{
    const json_t **chosen =
        tg_calloc((json_array_size(list) + 1) * sizeof *chosen);
    size_t n = 0, i;
    const json_t *entry;
    int rc = 0;

    json_array_foreach(list, i, entry)
    {
        if (strcmp(text_of(entry, "kind"), kind) == 0 &&
            is_main(text_of(entry, "class")) &&
            !json_object_get(entry, "error"))
            chosen[n++] = entry;
    }
    qsort(chosen, n, sizeof *chosen, by_name);
    tg_buf_printf(&d->index, "\n## %c%ss\n\n| name | |\n|---|---|\n",
                  kind[0] - 32, kind + 1);
    for (i = 0; i < n && rc == 0; i++)
        rc = one(d, list, chosen[i], err);
    tg_free(chosen);
    return rc;
}

/* A plugin of tidegate that does not load would be left out silently. */
static int check_errors(const json_t *list, tg_err *err)
{
    const json_t *entry;
    size_t i;

    json_array_foreach(list, i, entry)
    {
        const char *error = tg_config_get(entry, "error", NULL);
        if (error)
            return tg_err_set(err, TG_ERR_SCRIPT, "%s", error);
    }
    return 0;
}

static int run(docs *d, tg_err *err)
{
    static const char *const kinds[] = {"transform", "predicate", "source",
                                        "sink"};
    json_t *none = json_object(), *list = NULL;
    int rc = TG_ERR_SCRIPT;

    if (mkdir(d->folder, 0777) != 0 && errno != EEXIST) {
        rc = tg_err_set(err, TG_ERR_IO, "cannot create %s: %s", d->folder,
                        strerror(errno));
        goto out;
    }
    d->vm = tg_task_vm(none, none, NULL, err);
    if (!d->vm)
        goto out;
    tg_buf_printf(&d->index,
                  "# Plugins of tidegate\n\n%s\n"
                  "Each is one Lua file; [write one of your own]"
                  "(../write-a-transform.md).\n",
                  made);
    list = tg_plugin_list(d->vm);
    rc = check_errors(list, err);
    for (size_t i = 0; rc == 0 && i < 4; i++)
        rc = of_kind(d, list, kinds[i], err);
    if (rc == 0)
        rc = write_page(d, "README.md", &d->index, err);
out:
    json_decref(list);
    json_decref(none);
    if (d->vm)
        tg_vm_free(d->vm);
    return rc;
}

int tg_cmd_docs(int argc, char **argv)
{
    docs d = {.folder = argc == 2 && argv[1][0] != '-' ? argv[1] : NULL};
    tg_err err = {0};
    int rc;

    if (!d.folder) {
        fputs("Usage: tidegate docs DIR\n", stderr);
        return 2;
    }
    tg_log_level = TG_LOG_ERROR;
    rc = run(&d, &err);
    if (rc)
        fprintf(stderr, "tidegate docs: %s\n", err.text);
    tg_buf_fini(&d.index);
    return rc ? 1 : 0;
}
