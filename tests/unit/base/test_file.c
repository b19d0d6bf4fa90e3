/* Reading and replacing files, finding the installation. */
#include "unit.h"
#include "base/file.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char dir[] = "/tmp/tidegate-test-XXXXXX";

static char *in_dir(const char *name)
{
    return tg_sprintf("%s/%s", dir, name);
}

static void content_is(const char *path, const char *want)
{
    size_t len;
    tg_err err;
    char *text = tg_file_read(path, 1 << 20, &len, &err);

    if (!text)
        fail_msg("%s", err.text);
    assert_int_equal(len, strlen(want));
    assert_string_equal(text, want);
    tg_free(text);
}

static void replaces(void **state)
{
    char *path = in_dir("a");
    char *link = in_dir("link");
    struct stat st;

    (void)state;
    assert_int_equal(tg_file_replace(path, "one", 3, NULL), TG_OK);
    content_is(path, "one");
    chmod(path, 0600);
    assert_int_equal(tg_file_replace(path, "", 0, NULL), TG_OK);
    content_is(path, "");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    /* A link stays a link, its target is replaced. */
    assert_int_equal(symlink("a", link), 0);
    assert_int_equal(tg_file_replace(link, "two", 3, NULL), TG_OK);
    content_is(path, "two");
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    unlink(link);
    unlink(path);
    tg_free(link);
    tg_free(path);
    /* No temporary file is left: the folder can be removed at the end. */
}

static void replaces_in_the_current_folder(void **state)
{
    (void)state;
    assert_int_equal(chdir(dir), 0);
    assert_int_equal(tg_file_replace("here", "x", 1, NULL), TG_OK);
    content_is("here", "x");
    unlink("here");
}

static void failures_name_the_file(void **state)
{
    char *path = in_dir("none/x");
    tg_err err;
    size_t len;

    (void)state;
    assert_int_equal(tg_file_replace(path, "x", 1, &err), TG_ERR_IO);
    assert_has(err.text, path);
    assert_null(tg_file_read(path, 10, &len, &err));
    assert_int_equal(err.code, TG_ERR_NOTFOUND);
    assert_has(err.text, path);
    tg_free(path);
    path = in_dir("big");
    assert_int_equal(tg_file_replace(path, "0123456789", 10, NULL), TG_OK);
    assert_null(tg_file_read(path, 9, &len, &err));
    assert_int_equal(err.code, TG_ERR_LIMIT);
    tg_free(tg_file_read(path, 10, &len, &err));
    assert_int_equal(len, 10);
    unlink(path);
    tg_free(path);
}

static void a_full_disk_keeps_the_old_file(void **state)
{
    char *path = in_dir("old");
    char *big = tg_calloc(1 << 20);
    struct rlimit limit, old;
    tg_err err;

    (void)state;
    assert_int_equal(tg_file_replace(path, "old", 3, NULL), TG_OK);
    getrlimit(RLIMIT_FSIZE, &old);
    limit = old;
    limit.rlim_cur = 4096;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    assert_int_equal(tg_file_replace(path, big, 1 << 20, &err), TG_ERR_IO);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_has(err.text, path);
    content_is(path, "old");
    unlink(path);
    tg_free(big);
    tg_free(path);
}

/* tg_home of a process that runs with env; its text or error. */
static void home_in_child(const char *env, char *out, size_t cap)
{
    int pipes[2];
    ssize_t n;
    pid_t pid;

    assert_int_equal(pipe(pipes), 0);
    pid = fork();
    if (pid == 0) {
        tg_err err = {0};
        const char *home;
        if (env)
            setenv("TIDEGATE_HOME", env, 1);
        else
            unsetenv("TIDEGATE_HOME");
        home = tg_home(&err);
        dprintf(pipes[1], "%s", home ? home : err.text);
        _exit(0);
    }
    close(pipes[1]);
    n = read(pipes[0], out, cap - 1);
    out[n > 0 ? n : 0] = '\0';
    close(pipes[0]);
    waitpid(pid, NULL, 0);
}

static void finds_home(void **state)
{
    char *lua = in_dir("lua");
    char *sdk = in_dir("lua/tidegate");
    char *init = in_dir("lua/tidegate/init.lua");
    char out[2048];

    (void)state;
    home_in_child(dir, out, sizeof out);
    assert_has(out, "TIDEGATE_HOME is \"");
    assert_has(out, "init.lua");
    assert_int_equal(mkdir(lua, 0755) | mkdir(sdk, 0755), 0);
    assert_int_equal(tg_file_replace(init, "", 0, NULL), TG_OK);
    home_in_child(dir, out, sizeof out);
    assert_string_equal(out, dir);
    unlink(init);
    rmdir(sdk);
    rmdir(lua);
    tg_free(init);
    tg_free(sdk);
    tg_free(lua);
    /* Built inside the source tree, the tree is found from the executable. */
    home_in_child(NULL, out, sizeof out);
    if (getenv("SOURCE_DIR") && strncmp(tg_exe(), getenv("SOURCE_DIR"),
                                        strlen(getenv("SOURCE_DIR"))) == 0)
        assert_string_equal(out, getenv("SOURCE_DIR"));
}

static void clock_is_wall_time(void **state)
{
    int64_t ms = tg_clock_wall_ms();

    (void)state;
    assert_true(ms > INT64_C(1600000000000));
    assert_true(ms < INT64_C(10000000000000));
    assert_int_equal(tg_exe()[0], '/');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replaces),
        cmocka_unit_test(replaces_in_the_current_folder),
        cmocka_unit_test(failures_name_the_file),
        cmocka_unit_test(a_full_disk_keeps_the_old_file),
        cmocka_unit_test(finds_home),
        cmocka_unit_test(clock_is_wall_time),
    };
    int failed;

    if (!mkdtemp(dir))
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    /* Fails when a test left something behind. */
    if (rmdir(dir) != 0) {
        perror(dir);
        return 1;
    }
    return failed;
}
