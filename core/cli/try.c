/*
 * `tidegate try`: what a connector's converters and transforms make of
 * records, with nothing written and no offsets moved.
 *
 * The VM and the chain are those of a task, made in this process from the
 * connector's and the worker's settings; the connector itself is not started.
 * Records go through one at a time, so that every line of output belongs to the
 * line of input before it and memory holds one record. A record that fails is a
 * line of output like any other: the next one is tried all the same.
 *
 * Main thread; Ctrl-C sets a flag that the loop looks at.
 */
#include "cli/cli.h"
#include "cli/options.h"
#include "cli/try.h"
#include "base/config.h"
#include "base/log.h"
#include "task/tools.h"
#include <stdio.h>
#include <unistd.h>

enum {
    RECORD_LIMIT = 0, /* of the arena: none, the line is limited */
    USAGE = 2
};

static const char usage[] =
    "Usage: tidegate try [OPTIONS] CONNECTOR.{properties,json} [FILE|-]\n"
    "\n"
    "Shows what a connector's converters and transforms make of records.\n"
    "Nothing is written and no offset moves; the connector is not started.\n"
    "\n"
    "Reads one JSON object a line (from standard input without FILE):\n"
    "  "
    "{\"topic\":\"t\",\"partition\":0,\"offset\":5,\"timestamp\":1577880000123,"
    "\n"
    "   \"key\":\"k\",\"value\":\"{\\\"a\\\":1}\",\n"
    "   \"headers\":[{\"name\":\"h\",\"value\":\"x\"}]}\n"
    "key, value and header values are the text on the wire, null, or\n"
    "{\"base64\":\"...\"}; every member may be absent. What `tidegate consume\n"
    "--format json` prints is accepted. Writes one such object a line for "
    "each\n"
    "record that comes out, encoded with the same converters, else\n"
    "{\"dropped\":true,...} or {\"error\":\"...\",...} with the place of the "
    "input.\n"
    "\n"
    "  --stages             also the record as decoded and after every\n"
    "                       transform, with a member \"stage\"\n"
    "  --worker FILE        the worker's properties: converters that the\n"
    "                       connector does not set, plugin.path, Kafka.\n"
    "                       Without: JsonConverter with schemas, as in\n"
    "                       config/connect-standalone.properties\n"
    "  --plugin-path DIR    one more folder of plugins\n"
    "  --source, --sink     which kind of records, when the connector's class\n"
    "                       is not installed here\n"
    "  --topic NAME         takes the records from a topic instead, as no\n"
    "                       member of any group: all of it,\n"
    "  --count N            or its newest N records\n"
    "  --follow             new records as they come, until Ctrl-C or N\n"
    "  --partition N        only this partition\n"
    "  --offset N           start there (a number, earliest or latest)\n"
    "  --bootstrap HOST:PORT\n"
    "                       a broker, instead of the worker's\n"
    "\n"
    "Schemas are never registered: a record whose schema a registry does not\n"
    "have is an error here.\n"
    "\n"
    "Exit status: 0; 1 when any record failed; 2 when the arguments or the\n"
    "configuration are wrong.\n";

/* --- options -------------------------------------------------------------- */

static const tg__option options[] = {
    {"--stages", 's', TG_OPT_FLAG},
    {"--worker", 'w', TG_OPT_TEXT},
    {"-w", 'w', TG_OPT_TEXT},
    {"--plugin-path", 'P', TG_OPT_TEXT},
    {"--source", 'S', TG_OPT_FLAG},
    {"--sink", 'K', TG_OPT_FLAG},
    {"--topic", 't', TG_OPT_TEXT},
    {"-t", 't', TG_OPT_TEXT},
    {"--count", 'c', TG_OPT_TEXT},
    {"--max-messages", 'c', TG_OPT_TEXT},
    {"--follow", 'f', TG_OPT_FLAG},
    {"--partition", 'n', TG_OPT_TEXT},
    {"--offset", 'o', TG_OPT_TEXT},
    {"--bootstrap", 'b', TG_OPT_TEXT},
    {"--bootstrap-server", 'b', TG_OPT_TEXT},
    {"-b", 'b', TG_OPT_TEXT},
    {"--help", '?', TG_OPT_FLAG},
    {"-h", '?', TG_OPT_FLAG},
    {NULL, 0, 0},
};

static int set_offset(tg__try *t, const char *text, tg_err *err)
{
    if (strcmp(text, "earliest") == 0)
        t->live.offset = -2;
    else if (strcmp(text, "latest") == 0)
        t->live.offset = -1;
    else
        return tg__args_number(text, "--offset", 0, INT64_MAX, &t->live.offset,
                               err);
    return 0;
}

static int set_file(tg__try *t, const char *name, tg_err *err)
{
    if (!t->connector_file)
        t->connector_file = name;
    else if (!t->input_file)
        t->input_file = name;
    else
        return tg_err_set(err, TG_ERR_CONFIG,
                          "one connector and one input are taken, found a "
                          "third file: %s",
                          name);
    return 0;
}

static int set_option(tg__try *t, int id, const char *value, tg_err *err)
{
    switch (id) {
    case 1:
        return set_file(t, value, err);
    case 's':
        t->stages = true;
        break;
    case 'w':
        t->worker_file = value;
        break;
    case 'P':
        t->plugin_path = value;
        break;
    case 'S':
    case 'K':
        t->kind = id;
        break;
    case 't':
        t->live.topic = value;
        break;
    case 'c':
        return tg__args_number(value, "--count", 0, INT64_MAX, &t->live.count,
                               err);
    case 'f':
        t->live.follow = true;
        break;
    case 'n':
        return tg__args_number(value, "--partition", 0, INT32_MAX,
                               &t->live.partition, err);
    case 'o':
        return set_offset(t, value, err);
    case 'b':
        t->bootstrap = value;
        break;
    }
    return 0;
}

static int check_options(tg__try *t, tg_err *err)
{
    const tg__try_live *l = &t->live;

    if (!t->connector_file)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "the connector's file is missing; see --help");
    if (l->topic && t->input_file)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "--topic takes the records from a topic: remove it "
                          "or the file %s",
                          t->input_file);
    if (!l->topic && (l->count >= 0 || l->follow || l->partition >= 0 ||
                      l->offset != INT64_MIN || t->bootstrap))
        return tg_err_set(err, TG_ERR_CONFIG,
                          "--count, --follow, --partition, --offset and "
                          "--bootstrap need --topic");
    if (l->offset >= 0 && l->partition < 0)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "--offset with a number needs --partition");
    if (t->live.follow && t->live.offset == INT64_MIN)
        t->live.offset = -1;
    return 0;
}

/* --- making the chain ----------------------------------------------------- */

/* Registries are only read: nothing is registered. */
static void read_only(json_t *settings, const char *role)
{
    char *url = tg_sprintf("%s.converter.schema.registry.url", role);
    char *key = tg_sprintf("%s.converter.auto.register.schemas", role);

    if (json_object_get(settings, url))
        json_object_set_new(settings, key, json_string("false"));
    tg_free(url);
    tg_free(key);
}

/* What config/connect-standalone.properties has, and a word about it. */
static void default_converter(tg__try *t, const char *role)
{
    char *key = tg_sprintf("%s.converter", role);
    char *schemas = tg_sprintf("%s.converter.schemas.enable", role);

    if (!tg_config_get(t->config, key, NULL) &&
        !tg_config_get(t->worker, key, NULL)) {
        json_object_set_new(
            t->worker, key,
            json_string("org.apache.kafka.connect.json.JsonConverter"));
        json_object_set_new(t->worker, schemas, json_string("true"));
        fprintf(stderr,
                "tidegate try: %s is not set by the connector: using "
                "JsonConverter with schemas.enable=true; name the worker's "
                "properties with --worker\n",
                key);
    }
    tg_free(schemas);
    tg_free(key);
}

static void add_plugin_path(json_t *worker, const char *folder)
{
    const char *set = tg_config_get(worker, "plugin.path", "");
    char *path = tg_sprintf("%s%s%s", set, *set ? "," : "", folder);

    json_object_set_new(worker, "plugin.path", json_string(path));
    tg_free(path);
}

static int load(tg__try *t, tg_err *err)
{
    t->connector = tg_connector_file_load(t->connector_file, err);
    if (!t->connector)
        return err->code;
    t->config = json_object_get(t->connector, "config");
    t->worker = t->worker_file ? tg_properties_load(t->worker_file, err)
                               : json_object();
    if (!t->worker)
        return err->code;
    if (t->plugin_path)
        add_plugin_path(t->worker, t->plugin_path);
    if (t->bootstrap)
        json_object_set_new(t->worker, "bootstrap.servers",
                            json_string(t->bootstrap));
    default_converter(t, "key");
    default_converter(t, "value");
    for (int i = 0; i < 2; i++) {
        read_only(json_object_get(t->connector, "config"), i ? "key" : "value");
        read_only(t->worker, i ? "key" : "value");
    }
    return 0;
}

static int find_kind(tg__try *t, tg_err *err)
{
    const char *class_name = tg_config_get(t->config, "connector.class", NULL);
    json_t *info = NULL;
    const char *kind;
    int rc;

    if (!t->kind && !class_name)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "%s: connector.class is missing; set it, or say "
                          "--source or --sink",
                          t->connector_file);
    if (t->kind) {
        t->shape.source = t->kind == 'S';
        return 0;
    }
    rc = tg_plugin_find(t->vm, "connector", class_name, &info, err);
    if (rc) {
        tg_err_prefix(err,
                      "%s: connector.class (if the connector is not "
                      "installed here, say --source or --sink)",
                      t->connector_file);
        return rc;
    }
    kind = json_string_value(json_object_get(info, "kind"));
    t->shape.source = kind && strcmp(kind, "source") == 0;
    json_decref(info);
    return 0;
}

/* Topic of lines without one: what the connector is about. */
static const char *default_topic(const tg__try *t)
{
    static char topic[250];
    const char *key = t->shape.source ? "topic" : "topics";
    json_t *list = tg_config_list(t->config, key);
    const char *first = json_string_value(json_array_get(list, 0));

    snprintf(topic, sizeof topic, "%s", first && *first ? first : "topic");
    json_decref(list);
    return topic;
}

static int make(tg__try *t, tg_err *err)
{
    int rc = load(t, err);

    if (rc == 0 && !(t->page = tg_page_new(&t->page_fd, err)))
        rc = err->code;
    if (rc == 0 && !(t->vm = tg_task_vm(t->worker, t->config, t->page, err)))
        rc = err->code;
    if (rc || (rc = find_kind(t, err)))
        return rc;
    t->chain = tg_chain_new(t->vm, t->worker, t->config, t->shape.source, true,
                            t->page, err);
    if (!t->chain) {
        tg_err_prefix(err, "%s", t->connector_file);
        return err->code;
    }
    if (t->stages)
        tg_chain_watch(t->chain, tg__try_watch, t);
    t->live.key = t->shape.key = tg_chain_key(t->chain);
    t->live.value = t->shape.value = tg_chain_value(t->chain);
    t->live.header = t->shape.header = tg_chain_header(t->chain);
    t->shape.topic = default_topic(t);
    t->batch = tg_batch_new(0, RECORD_LIMIT);
    return 0;
}

static void fini(tg__try *t)
{
    tg_batch_free(t->batch);
    tg_chain_free(t->chain);
    if (t->vm)
        tg_vm_free(t->vm);
    if (t->page) {
        tg_page_unmap(t->page);
        close(t->page_fd);
    }
    tg_buf_fini(&t->out);
    json_decref(t->connector);
    json_decref(t->worker);
}

int tg_cmd_try(int argc, char **argv)
{
    tg__args args = {argc, 1, argv, options, NULL};
    tg__try t = {.live = {.partition = -1, .offset = INT64_MIN, .count = -1}};
    tg_err err = {0};
    int id, rc = 0;

    tg_log_level = TG_LOG_WARN;
    while (!rc && (id = tg__args_next(&args, &err)) != 0) {
        if (id == '?') {
            fputs(usage, stdout);
            return 0;
        }
        rc = id < 0 ? id : set_option(&t, id, args.value, &err);
    }
    if (!rc)
        rc = check_options(&t, &err);
    if (!rc)
        rc = make(&t, &err);
    if (!rc) {
        tg__catch_signals();
        rc = t.live.topic ? tg__try_run_topic(&t, &err)
                          : tg__try_run_file(&t, &err);
        tg__try_flush(&t);
    }
    if (err.code)
        fprintf(stderr, "tidegate try: %s\n", err.text);
    rc = err.code && !t.fatal.code ? USAGE : t.failed || rc ? 1 : 0;
    fini(&t);
    return rc;
}
