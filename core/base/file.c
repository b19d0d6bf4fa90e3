/*
 * Files as the control plane uses them: read whole, replaced atomically. And
 * the places of the installation. Record files have their own readers
 * (core/host).
 *
 * Any thread. The paths of the executable and the home are found once, behind
 * pthread_once, and never change.
 */
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static pthread_once_t home_once = PTHREAD_ONCE_INIT;
static pthread_once_t exe_once = PTHREAD_ONCE_INIT;
static char *home_path;
static tg_err home_err;
static char exe_path[PATH_MAX];

/* Reads up to max bytes and one more, to see that there is no more. */
static int read_all(int fd, const char *path, size_t max, tg_buf *out,
                    tg_err *err)
{
    for (;;) {
        size_t want = 64 * 1024;
        ssize_t n = read(fd, tg_buf_room(out, want), want);
        if (n == 0)
            return TG_OK;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return tg_err_set(err, TG_ERR_IO, "cannot read %s: %s", path,
                              strerror(errno));
        out->len += (size_t)n;
        if (out->len > max)
            return tg_err_set(err, TG_ERR_LIMIT,
                              "%s is larger than %zu bytes, the most that is "
                              "read",
                              path, max);
    }
}

char *tg_file_read(const char *path, size_t max, size_t *len, tg_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    tg_buf out = {0};
    int status;

    if (fd < 0) {
        tg_err_set(err, errno == ENOENT ? TG_ERR_NOTFOUND : TG_ERR_IO,
                   "cannot open %s: %s", path, strerror(errno));
        return NULL;
    }
    status = read_all(fd, path, max, &out, err);
    close(fd);
    if (status != TG_OK) {
        tg_buf_fini(&out);
        return NULL;
    }
    if (len)
        *len = out.len;
    return tg_buf_steal(&out);
}

static int write_synced(int fd, const char *path, const char *p, size_t n,
                        tg_err *err)
{
    while (n > 0) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return tg_err_set(err, TG_ERR_IO, "cannot write %s: %s", path,
                              strerror(errno));
        p += done;
        n -= (size_t)done;
    }
    if (fsync(fd) != 0)
        return tg_err_set(err, TG_ERR_IO, "cannot sync %s to disk: %s", path,
                          strerror(errno));
    return TG_OK;
}

/* Makes a rename in the folder of path durable. */
static int sync_folder(const char *path, tg_err *err)
{
    const char *slash = strrchr(path, '/');
    char *dir = !slash          ? tg_strdup(".")
                : slash == path ? tg_strdup("/")
                                : tg_strndup(path, (size_t)(slash - path));
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int status = TG_OK;

    /* Some file systems cannot sync a folder: EINVAL. */
    if (fd < 0 || (fsync(fd) != 0 && errno != EINVAL))
        status = tg_err_set(err, TG_ERR_IO, "cannot sync folder %s: %s", dir,
                            strerror(errno));
    if (fd >= 0)
        close(fd);
    tg_free(dir);
    return status;
}

int tg_file_replace(const char *path, const void *data, size_t len, tg_err *err)
{
    char *real = realpath(path, NULL); /* a symbolic link stays one */
    const char *target = real ? real : path;
    char *tmp = tg_sprintf("%s.%ld.tmp", target, (long)getpid());
    struct stat st;
    mode_t mode = stat(target, &st) == 0 ? st.st_mode & 0777 : 0644;
    int fd;
    int status;

    fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0) {
        status = tg_err_set(err, TG_ERR_IO, "cannot create %s: %s", tmp,
                            strerror(errno));
        goto out;
    }
    if (real)
        fchmod(fd, mode);
    status = write_synced(fd, tmp, data, len, err);
    if (close(fd) != 0 && status == TG_OK)
        status = tg_err_set(err, TG_ERR_IO, "cannot write %s: %s", tmp,
                            strerror(errno));
    if (status == TG_OK && rename(tmp, target) != 0)
        status = tg_err_set(err, TG_ERR_IO, "cannot replace %s: %s", target,
                            strerror(errno));
    if (status == TG_OK)
        status = sync_folder(target, err);
    else
        unlink(tmp);
out:
    tg_free(tmp);
    free(real);
    return status;
}

/* --- places -------------------------------------------------------------- */

static void find_exe(void)
{
    ssize_t n = readlink("/proc/self/exe", exe_path, sizeof exe_path - 1);
    const char *gone = " (deleted)";
    size_t tail = strlen(gone);

    if (n <= 0) {
        snprintf(exe_path, sizeof exe_path, "tidegate");
        return;
    }
    exe_path[n] = '\0';
    /* The binary was replaced while it runs: its successor has the name. */
    if ((size_t)n > tail && strcmp(exe_path + n - tail, gone) == 0)
        exe_path[(size_t)n - tail] = '\0';
}

const char *tg_exe(void)
{
    pthread_once(&exe_once, find_exe);
    return exe_path;
}

static bool is_home(const char *dir)
{
    char *init = tg_sprintf("%s/lua/tidegate/init.lua", dir);
    bool yes = access(init, R_OK) == 0;

    tg_free(init);
    return yes;
}

/* Cuts the last component off; false at the root. */
static bool up(char *path)
{
    char *slash = strrchr(path, '/');

    if (!slash || slash == path)
        return false;
    *slash = '\0';
    return true;
}

/* Looks beside and above the executable. New string or NULL. */
static char *home_of_exe(const char *exe)
{
    char *dir = tg_strdup(exe);
    char *share;

    if (!up(dir)) {
        tg_free(dir);
        return NULL;
    }
    share = tg_sprintf("%s/../share/tidegate", dir);
    if (is_home(share)) {
        char *real = realpath(share, NULL);
        tg_free(dir);
        if (!real)
            return share;
        tg_free(share);
        return real;
    }
    tg_free(share);
    while (up(dir))
        if (is_home(dir))
            return dir;
    tg_free(dir);
    return NULL;
}

static void find_home(void)
{
    const char *env = getenv("TIDEGATE_HOME");

    if (env && *env) {
        if (is_home(env))
            home_path = tg_strdup(env);
        else
            tg_err_set(&home_err, TG_ERR_CONFIG,
                       "TIDEGATE_HOME is \"%s\", but there is no "
                       "lua/tidegate/init.lua in it: set it to the folder that "
                       "holds lua/, connectors/ and config/",
                       env);
        return;
    }
    home_path = home_of_exe(tg_exe());
    if (!home_path)
        tg_err_set(&home_err, TG_ERR_CONFIG,
                   "cannot find lua/tidegate/init.lua in ../share/tidegate "
                   "beside %s nor in a folder above it: set TIDEGATE_HOME to "
                   "the folder that holds lua/, connectors/ and config/",
                   tg_exe());
}

const char *tg_home(tg_err *err)
{
    pthread_once(&home_once, find_home);
    if (!home_path && err)
        *err = home_err;
    return home_path;
}

int64_t tg_clock_wall_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
