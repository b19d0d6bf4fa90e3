/*
 * tidegate standalone worker.properties [connector.{properties,json} ...]
 *
 * Also what the binary does when it is called connect-standalone. Reads and
 * checks the files, opens REST before anything that takes time, and runs the
 * worker on this thread.
 */
#include "cli/cli.h"
#include "base/config.h"
#include "base/log.h"
#include "rest/rest.h"
#include "worker/worker.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static const char usage[] =
    "Usage: tidegate standalone [options] worker.properties "
    "[connector.properties | connector.json ...]\n"
    "\n"
    "Runs one worker with the connectors of the given files. The files are "
    "those of\nKafka Connect's connect-standalone. bootstrap.servers=embedded: "
    "needs no Kafka.\n"
    "\n"
    "Options:\n"
    "  --progress          a line a second per connector, also when standard "
    "output\n                      is no terminal\n"
    "  --no-progress       no such lines\n"
    "  --log-level LEVEL   trace, debug, info, warn, error\n"
    "  --help, --version\n";

typedef struct options {
    const char *worker_file;
    char **connector_files;
    int n_connectors;
    int progress; /* -1: as the terminal and the properties say */
} options;

static int complain(const char *fmt, const char *a)
{
    fputs("tidegate standalone: ", stderr);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    fprintf(stderr, fmt, a);
#pragma GCC diagnostic pop
    fputs("\nTry `tidegate standalone --help`.\n", stderr);
    return 1;
}

/* -1: go on; else the exit code. */
static int parse_options(int argc, char **argv, options *o)
{
    int i = 1;
    *o = (options){.progress = -1};
    for (; i < argc && argv[i][0] == '-'; i++) {
        const char *a = argv[i];
        if (strcmp(a, "--help") == 0 || strcmp(a, "-h") == 0) {
            fputs(usage, stdout);
            return 0;
        }
        if (strcmp(a, "--version") == 0) {
            puts("tidegate " TG_VERSION " (Kafka Connect 4.1.1 API)");
            return 0;
        }
        if (strcmp(a, "--progress") == 0)
            o->progress = 1;
        else if (strcmp(a, "--no-progress") == 0)
            o->progress = 0;
        else if (strcmp(a, "--log-level") == 0) {
            int level = i + 1 < argc ? tg_log_level_parse(argv[++i]) : -1;
            if (level < 0)
                return complain("--log-level needs trace, debug, info, warn or "
                                "error%s",
                                "");
            tg_log_level = level;
        } else
            return complain("there is no option %s", a);
    }
    if (i >= argc)
        return complain("the worker's properties file is missing%s", "");
    o->worker_file = argv[i];
    o->connector_files = argv + i + 1;
    o->n_connectors = argc - i - 1;
    return -1;
}

static int check_worker(const json_t *config, const char *file, tg_err *err)
{
    static const char *const needed[] = {"key.converter", "value.converter",
                                         "offset.storage.file.filename"};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        const char *v = tg_config_get(config, needed[i], "");
        if (!*v)
            return tg_err_set(
                err, TG_ERR_CONFIG,
                "%s: Missing required configuration \"%s\" which has no "
                "default value; add a line %s=%s",
                file, needed[i], needed[i],
                i < 2 ? "org.apache.kafka.connect.json.JsonConverter"
                      : "/tmp/connect.offsets");
    }
    return TG_OK;
}

static bool wants_progress(const options *o, const json_t *config)
{
    if (o->progress >= 0)
        return o->progress;
    const char *text = tg_config_get(config, "tidegate.progress", "");
    if (*text)
        return strcasecmp(text, "true") == 0;
    return isatty(STDOUT_FILENO);
}

static int add_connectors(tg_worker *worker, const options *o, tg_err *err)
{
    for (int i = 0; i < o->n_connectors; i++) {
        const char *file = o->connector_files[i];
        json_t *connector = tg_connector_file_load(file, err);
        int rc =
            connector ? tg_worker_add(worker, connector, file, err) : err->code;
        json_decref(connector);
        if (rc != TG_OK)
            return rc;
    }
    return TG_OK;
}

int tg_cmd_standalone(int argc, char **argv)
{
    options o;
    tg_err err = {0};
    tg_worker *worker = NULL;
    tg_rest *rest = NULL;
    int code = parse_options(argc, argv, &o);
    if (code >= 0)
        return code;

    code = 1;
    json_t *config = tg_properties_load(o.worker_file, &err);
    if (!config || check_worker(config, o.worker_file, &err) != TG_OK)
        goto out;
    worker = tg_worker_new(
        &(tg_worker_options){.config = config,
                             .config_name = o.worker_file,
                             .progress = wants_progress(&o, config)},
        &err);
    if (!worker || add_connectors(worker, &o, &err) != TG_OK)
        goto out;
    rest = tg_rest_start(worker, config, o.worker_file, &err);
    if (!rest)
        goto out;
    tg_worker_set_id(worker, tg_rest_id(rest));
    code = tg_worker_run(worker);
out:
    if (err.code)
        tg_log_write(TG_LOG_FATAL, "standalone", "%s", err.text);
    tg_rest_stop(rest);
    tg_worker_free(worker);
    json_decref(config);
    return code;
}
