/*
 * `tidegate new`: files to begin a plugin with, from the templates in
 * lua/tidegate/new. What it writes works as it is and comes with a test that
 * needs nothing but this binary: `tidegate try` for a transform or predicate, a
 * worker with the embedded broker for a source or sink.
 *
 * Main thread.
 */
#include "cli/cli.h"
#include "cli/options.h"
#include "base/file.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] =
    "Usage: tidegate new transform|predicate|source|sink NAME [DIR]\n"
    "\n"
    "Writes a plugin that works, an example configuration and a test into DIR\n"
    "(default: this folder). NAME is made of a-z, 0-9 and _. Nothing that\n"
    "exists is overwritten.\n"
    "\n"
    "  transform, predicate   DIR/NAME.lua, DIR/NAME.properties,\n"
    "                         DIR/NAME_test.sh\n"
    "  source, sink           DIR/NAME/source.lua (or sink.lua),\n"
    "                         DIR/NAME/example.properties, DIR/NAME/test.sh\n"
    "\n"
    "DIR is what plugin.path names. Run the test with sh.\n"
    "\n"
    "Exit status: 0; 1 when a file cannot be written; 2 when the arguments "
    "are\n"
    "wrong.\n";

enum { USAGE = 2, NAME_MAX_LEN = 60, PATH_SIZE = 4096, FILE_MAX = 1 << 20 };

/* What a kind of plugin consists of; @NAME@, here and in the templates, is the
 * plugin's name. The template is lua/tidegate/new/<kind><ending>. */
static const struct kind {
    const char *name;
    bool folder; /* the plugin has a folder of its own */
    struct file {
        const char *ending, *path;
    } files[3];
} kinds[] = {
    {"transform",
     false,
     {{".lua", "@NAME@.lua"},
      {".properties", "@NAME@.properties"},
      {"_test.sh", "@NAME@_test.sh"}}},
    {"predicate",
     false,
     {{".lua", "@NAME@.lua"},
      {".properties", "@NAME@.properties"},
      {"_test.sh", "@NAME@_test.sh"}}},
    {"source",
     true,
     {{".lua", "@NAME@/source.lua"},
      {".properties", "@NAME@/example.properties"},
      {"_test.sh", "@NAME@/test.sh"}}},
    {"sink",
     true,
     {{".lua", "@NAME@/sink.lua"},
      {".properties", "@NAME@/example.properties"},
      {"_test.sh", "@NAME@/test.sh"}}},
};

enum { KINDS = sizeof kinds / sizeof *kinds, FILES = 3 };

static const tg__option options[] = {
    {"--help", '?', TG_OPT_FLAG},
    {"-h", '?', TG_OPT_FLAG},
    {NULL, 0, 0},
};

static bool legal_name(const char *name)
{
    size_t n = strlen(name);

    if (n == 0 || n > NAME_MAX_LEN || !islower((unsigned char)name[0]))
        return false;
    for (; *name; name++)
        if (!islower((unsigned char)*name) && !isdigit((unsigned char)*name) &&
            *name != '_')
            return false;
    return true;
}

/* text with every @NAME@ replaced. Caller frees with tg_free. */
static char *expand(const char *text, const char *name)
{
    static const char mark[] = "@NAME@";
    tg_buf out = {0};
    const char *at;

    while ((at = strstr(text, mark))) {
        tg_buf_add(&out, text, (size_t)(at - text));
        tg_buf_str(&out, name);
        text = at + sizeof mark - 1;
    }
    tg_buf_str(&out, text);
    tg_buf_cstr(&out);
    return tg_buf_steal(&out);
}

static int write_file(const char *path, const char *text, tg_err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    bool done;

    if (fd < 0 && errno == EEXIST)
        return tg_err_set(err, TG_ERR_STATE,
                          "%s exists already and is not overwritten", path);
    if (fd < 0)
        return tg_err_set(err, TG_ERR_IO, "cannot create %s: %s", path,
                          strerror(errno));
    done = tg__write_all(fd, text, strlen(text));
    if (close(fd) != 0 || !done)
        return tg_err_set(err, TG_ERR_IO, "cannot write %s: %s", path,
                          strerror(errno));
    return 0;
}

static void target(const struct file *f, const char *name, const char *folder,
                   char path[PATH_SIZE])
{
    char *relative = expand(f->path, name);

    snprintf(path, PATH_SIZE, "%s/%s", folder, relative);
    tg_free(relative);
}

/* Refuses before anything is written. */
static int check_free(const struct kind *kind, const char *name,
                      const char *folder, tg_err *err)
{
    for (int i = 0; i < FILES; i++) {
        char path[PATH_SIZE];
        struct stat st;
        target(&kind->files[i], name, folder, path);
        if (lstat(path, &st) == 0)
            return tg_err_set(err, TG_ERR_STATE,
                              "%s exists already and is not overwritten", path);
    }
    return 0;
}

static int make_folder(const char *path, tg_err *err)
{
    if (mkdir(path, 0777) == 0 || errno == EEXIST)
        return 0;
    return tg_err_set(err, TG_ERR_IO, "cannot create the folder %s: %s", path,
                      strerror(errno));
}

static int make_file(const struct kind *kind, const struct file *f,
                     const char *name, const char *folder, tg_err *err)
{
    const char *home = tg_home(err);
    char path[PATH_SIZE];
    char *text, *full;
    int rc;

    if (!home)
        return TG_ERR_IO;
    snprintf(path, sizeof path, "%s/lua/tidegate/new/%s%s", home, kind->name,
             f->ending);
    text = tg_file_read(path, FILE_MAX, NULL, err);
    if (!text)
        return TG_ERR_IO;
    full = expand(text, name);
    target(f, name, folder, path);
    rc = write_file(path, full, err);
    if (rc == 0)
        puts(path);
    tg_free(full);
    tg_free(text);
    return rc;
}

static int write_all(const struct kind *kind, const char *name,
                     const char *folder, tg_err *err)
{
    char path[PATH_SIZE];
    int rc = make_folder(folder, err);

    if (rc == 0 && kind->folder) {
        snprintf(path, sizeof path, "%s/%s", folder, name);
        rc = make_folder(path, err);
    }
    for (int i = 0; rc == 0 && i < FILES; i++)
        rc = make_file(kind, &kind->files[i], name, folder, err);
    return rc;
}

static int make(const char *kind_name, const char *name, const char *folder,
                tg_err *err)
{
    const struct kind *kind = kinds;
    int rc;

    while (kind < kinds + KINDS && strcmp(kind->name, kind_name) != 0)
        kind++;
    if (kind == kinds + KINDS)
        return tg_err_set(err, TG_ERR_ARG,
                          "%s is no kind of plugin; there are transform, "
                          "predicate, source and sink",
                          kind_name);
    if (!legal_name(name))
        return tg_err_set(err, TG_ERR_ARG,
                          "%.80s is no name for a plugin: up to %d of a-z, "
                          "0-9 and _, the first one a letter",
                          name, NAME_MAX_LEN);
    rc = check_free(kind, name, folder, err);
    return rc ? rc : write_all(kind, name, folder, err);
}

int tg_cmd_new(int argc, char **argv)
{
    tg__args args = {argc, 1, argv, options, NULL};
    const char *words[3] = {NULL, NULL, "."};
    tg_err err = {0};
    int id, n = 0, rc = 0;

    while (!rc && (id = tg__args_next(&args, &err)) != 0) {
        if (id == '?') {
            fputs(usage, stdout);
            return 0;
        }
        if (id == 1 && n < 3)
            words[n++] = args.value;
        else
            rc = id < 0 ? id
                        : tg_err_set(&err, TG_ERR_ARG,
                                     "there are too many arguments");
    }
    if (!rc && n < 2)
        rc = tg_err_set(&err, TG_ERR_ARG,
                        "a kind and a name are needed; see --help");
    if (!rc)
        rc = make(words[0], words[1], words[2], &err);
    if (rc)
        fprintf(stderr, "tidegate new: %s\n", err.text);
    return rc == 0 ? 0 : rc == TG_ERR_IO || rc == TG_ERR_STATE ? 1 : USAGE;
}
