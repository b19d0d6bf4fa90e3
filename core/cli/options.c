/*
 * Options of the small Kafka tools. One table per command, walked linearly.
 * Main thread; the signal handler only sets a flag.
 */
#include "cli/options.h"
#include "base/config.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

volatile sig_atomic_t tg__interrupted;

static void on_signal(int sig)
{
    (void)sig;
    tg__interrupted = 1;
}

void tg__catch_signals(void)
{
    struct sigaction sa = {.sa_handler = on_signal};

    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGHUP, &sa, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static int unknown(const tg__args *args, const char *name, tg_err *err)
{
    json_t *names = json_array();
    const char *near;

    for (const tg__option *o = args->options; o->name; o++)
        json_array_append_new(names, json_string(o->name));
    near = tg_nearest(name, names);
    tg_err_set(err, TG_ERR_CONFIG, "unknown option %s%s%s%s; see --help", name,
               near ? ": did you mean " : "", near ? near : "",
               near ? "?" : "");
    json_decref(names);
    return TG_ERR_CONFIG;
}

int tg__args_next(tg__args *args, tg_err *err)
{
    const char *arg, *equals;
    size_t len;

    if (args->at >= args->argc)
        return 0;
    arg = args->argv[args->at++];
    args->value = arg;
    if (arg[0] != '-' || !arg[1])
        return 1;
    equals = strncmp(arg, "--", 2) ? NULL : strchr(arg, '=');
    len = equals ? (size_t)(equals - arg) : strlen(arg);
    for (const tg__option *o = args->options; o->name; o++) {
        if (strlen(o->name) != len || memcmp(o->name, arg, len) != 0)
            continue;
        if (o->kind == TG_OPT_FLAG && equals)
            return tg_err_set(err, TG_ERR_CONFIG, "option %s takes no value",
                              o->name);
        args->value = NULL;
        if (o->kind == TG_OPT_TEXT) {
            if (!equals && args->at >= args->argc)
                return tg_err_set(err, TG_ERR_CONFIG, "option %s needs a value",
                                  o->name);
            args->value = equals ? equals + 1 : args->argv[args->at++];
        }
        return o->id ? o->id : tg__args_next(args, err);
    }
    return unknown(args, arg, err);
}

int tg__args_pair(json_t *object, const char *text, const char *option,
                  tg_err *err)
{
    const char *equals = strchr(text, '=');

    if (!equals || equals == text)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "option %s takes name=value, found \"%s\"", option,
                          text);
    char *name = strndup(text, (size_t)(equals - text));
    json_t *value = json_string(equals + 1);
    int failed = !value || json_object_set_new(object, name, value);

    free(name);
    if (failed)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "option %s takes UTF-8 text, found \"%s\"", option,
                          text);
    return TG_OK;
}

int tg__args_number(const char *text, const char *option, int64_t min,
                    int64_t max, int64_t *out, tg_err *err)
{
    char *end;

    errno = 0;
    *out = strtoll(text, &end, 10);
    if (errno || end == text || *end || *out < min || *out > max)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "option %s takes a number from %lld on, found \"%s\"",
                          option, (long long)min, text);
    return TG_OK;
}

void tg__args_unescape(char *text)
{
    char *out = text;

    for (; *text; text++) {
        if (*text == '\\' && text[1]) {
            static const char from[] = "tnr\\", to[] = "\t\n\r\\";
            const char *hit = strchr(from, text[1]);

            if (hit) {
                *out++ = to[hit - from];
                text++;
                continue;
            }
        }
        *out++ = *text;
    }
    *out = 0;
}

json_t *tg__client_config(const char *file, const json_t *overrides,
                          const char *bootstrap, tg_err *err)
{
    json_t *config = file ? tg_properties_load(file, err) : json_object();

    if (!config)
        return NULL;
    json_object_update(config, (json_t *)overrides);
    if (bootstrap)
        json_object_set_new(config, "bootstrap.servers",
                            json_string(bootstrap));
    if (!*tg_config_get(config, "bootstrap.servers", ""))
        json_object_set_new(config, "bootstrap.servers",
                            json_string("localhost:9092"));
    if (!strncmp(tg_config_get(config, "bootstrap.servers", ""),
                 "embedded:", 9)) {
        tg_err_set(err, TG_ERR_CONFIG,
                   "bootstrap.servers=embedded: is a broker inside a running "
                   "worker: give the address that the worker prints when it "
                   "starts with --bootstrap");
        json_decref(config);
        return NULL;
    }
    return config;
}

bool tg__write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t k = write(fd, p, n);

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0 && errno == EAGAIN) {
            struct pollfd pfd = {.fd = fd, .events = POLLOUT};

            poll(&pfd, 1, 1000);
            continue;
        }
        if (k < 0)
            return false;
        p += k;
        n -= (size_t)k;
    }
    return true;
}
