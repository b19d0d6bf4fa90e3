/*
 * `tidegate consume`: the console consumer. Without a group it reads the
 * partitions of the topic where it is told to and leaves no trace; with one it
 * joins it, and commits what it has printed.
 *
 * Main thread; Ctrl-C sets a flag that the loop looks at.
 */
#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/options.h"
#include "base/config.h"
#include "base/log.h"
#include "kafka/admin.h"
#include "kafka/consumer.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    POLL_MS = 100,
    REACH_MS = 5000, /* how long a broker may take to answer at first */
    WAIT_TOPIC_MS = 500,
    COMMIT_MS = 1000,
    FLUSH_BYTES = 64 * 1024,
    BATCH = 1000
};

static const char usage[] =
    "Usage: tidegate consume --topic TOPIC [OPTIONS]\n"
    "\n"
    "Prints the records of a topic, one a line, until Ctrl-C.\n"
    "\n"
    "  --bootstrap HOST:PORT  a broker (default localhost:9092)\n"
    "  --config FILE          client properties\n"
    "  --property KEY=VALUE   one client property (also --consumer-property)\n"
    "  --from-beginning       start at the first record, not at new ones\n"
    "  --partition N          only this partition\n"
    "  --offset N             start there (a number, earliest or latest;\n"
    "                         needs --partition when it is a number)\n"
    "  --count N              end after N records\n"
    "  --exit                 end at the end of the topic; starts at the\n"
    "                         beginning unless --offset says otherwise\n"
    "  --follow               wait for more (the default)\n"
    "  --timeout-ms N         end when nothing came for N ms\n"
    "  --group NAME           read as a member of a group and commit\n"
    "  --keys --headers --timestamp --partitions --offsets\n"
    "                         print these too\n"
    "  --separator TEXT       between them (default a tab)\n"
    "  --format text|json     json: an object a line; bytes that are no\n"
    "                         UTF-8 as *_base64\n"
    "\n"
    "The options of kafka-console-consumer work as well: --bootstrap-server,\n"
    "--max-messages, --include, --property print.key=true, ...\n"
    "\n"
    "Exit status: 0, or 1 when something went wrong.\n";

typedef struct consume {
    const char *bootstrap, *topic, *include, *group, *config_file;
    json_t *properties; /* of the client */
    int64_t partition;  /* -1: all */
    int64_t offset;     /* -2 beginning, -1 end, else a number */
    bool offset_given, from_beginning, exit_at_end, json;
    bool key, value, headers, timestamp, partitions, offsets;
    int64_t count;      /* -1: no end */
    int64_t timeout_ms; /* -1: none */
    char *separator, *line_end, *null_text, *header_separator;
    tg_buf out;
    bool broken; /* nobody reads standard output any more */
    int64_t printed;
    int64_t last_record_ms;
    tg_partition *commit; /* with a group: next offset of each partition */
    int ncommit;
} consume;

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* --- options -------------------------------------------------------------- */

static const tg__option options[] = {
    {"--bootstrap", 'b', TG_OPT_TEXT},
    {"--bootstrap-server", 'b', TG_OPT_TEXT},
    {"-b", 'b', TG_OPT_TEXT},
    {"--topic", 't', TG_OPT_TEXT},
    {"-t", 't', TG_OPT_TEXT},
    {"--include", 'i', TG_OPT_TEXT},
    {"--whitelist", 'i', TG_OPT_TEXT},
    {"--config", 'C', TG_OPT_TEXT},
    {"--consumer.config", 'C', TG_OPT_TEXT},
    {"--command-config", 'C', TG_OPT_TEXT},
    {"--property", 'p', TG_OPT_TEXT},
    {"--formatter-property", 'p', TG_OPT_TEXT},
    {"--consumer-property", 'P', TG_OPT_TEXT},
    {"--command-property", 'P', TG_OPT_TEXT},
    {"--from-beginning", 'B', TG_OPT_FLAG},
    {"--partition", 'n', TG_OPT_TEXT},
    {"--offset", 'o', TG_OPT_TEXT},
    {"--count", 'c', TG_OPT_TEXT},
    {"--max-messages", 'c', TG_OPT_TEXT},
    {"--exit", 'e', TG_OPT_FLAG},
    {"--follow", 'f', TG_OPT_FLAG},
    {"--timeout-ms", 'T', TG_OPT_TEXT},
    {"--group", 'g', TG_OPT_TEXT},
    {"--keys", 'k', TG_OPT_FLAG},
    {"--headers", 'h', TG_OPT_FLAG},
    {"--timestamp", 's', TG_OPT_FLAG},
    {"--timestamps", 's', TG_OPT_FLAG},
    {"--partitions", 'a', TG_OPT_FLAG},
    {"--offsets", 'O', TG_OPT_FLAG},
    {"--separator", 'S', TG_OPT_TEXT},
    {"--format", 'F', TG_OPT_TEXT},
    {"--isolation-level", 'I', TG_OPT_TEXT},
    {"--help", '?', TG_OPT_FLAG},
    {"-h", '?', TG_OPT_FLAG},
    {"--formatter", 0, TG_OPT_TEXT},
    {"--key-deserializer", 0, TG_OPT_TEXT},
    {"--value-deserializer", 0, TG_OPT_TEXT},
    {"--skip-message-on-error", 0, TG_OPT_FLAG},
    {"--enable-systest-events", 0, TG_OPT_FLAG},
    {NULL, 0, 0},
};

static void set_text(char **at, const char *text)
{
    tg_free(*at);
    *at = tg_strdup(text);
    tg__args_unescape(*at);
}

/* --property is the formatter's in Kafka's tool; what the formatter does not
 * know is a client property here. */
static int formatter_property(consume *c, const char *text, tg_err *err)
{
    json_t *pair = json_object();
    const char *key = "", *value = "";
    bool on;
    void *it;
    int rc = tg__args_pair(pair, text, "--property", err);

    if (rc)
        goto out;
    it = json_object_iter(pair);
    key = json_object_iter_key(it);
    value = json_string_value(json_object_iter_value(it));
    on = !strcmp(value, "true");
    if (!strcmp(key, "print.key"))
        c->key = on;
    else if (!strcmp(key, "print.value"))
        c->value = on;
    else if (!strcmp(key, "print.headers"))
        c->headers = on;
    else if (!strcmp(key, "print.timestamp"))
        c->timestamp = on;
    else if (!strcmp(key, "print.partition"))
        c->partitions = on;
    else if (!strcmp(key, "print.offset"))
        c->offsets = on;
    else if (!strcmp(key, "key.separator"))
        set_text(&c->separator, value);
    else if (!strcmp(key, "line.separator"))
        set_text(&c->line_end, value);
    else if (!strcmp(key, "headers.separator"))
        set_text(&c->header_separator, value);
    else if (!strcmp(key, "null.literal"))
        set_text(&c->null_text, value);
    else
        json_object_update(c->properties, pair);
out:
    json_decref(pair);
    return rc;
}

static int set_offset(consume *c, const char *text, tg_err *err)
{
    c->offset_given = true;
    if (!strcmp(text, "earliest") || !strcmp(text, "beginning"))
        c->offset = -2;
    else if (!strcmp(text, "latest") || !strcmp(text, "end"))
        c->offset = -1;
    else
        return tg__args_number(text, "--offset", 0, INT64_MAX, &c->offset, err);
    return TG_OK;
}

static int set_format(consume *c, const char *text, tg_err *err)
{
    c->json = !strcmp(text, "json");
    if (!c->json && strcmp(text, "text") != 0)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "option --format takes text or json, found \"%s\"",
                          text);
    return TG_OK;
}

static int set_option(consume *c, int id, const char *value, tg_err *err)
{
    switch (id) {
    case 'b':
        c->bootstrap = value;
        break;
    case 't':
        c->topic = value;
        break;
    case 'i':
        c->include = value;
        break;
    case 'C':
        c->config_file = value;
        break;
    case 'p':
        return formatter_property(c, value, err);
    case 'P':
        return tg__args_pair(c->properties, value, "--consumer-property", err);
    case 'B':
        c->from_beginning = true;
        break;
    case 'n':
        return tg__args_number(value, "--partition", 0, INT32_MAX,
                               &c->partition, err);
    case 'o':
        return set_offset(c, value, err);
    case 'c':
        return tg__args_number(value, "--count", -1, INT64_MAX, &c->count, err);
    case 'e':
        c->exit_at_end = true;
        break;
    case 'f':
        c->exit_at_end = false;
        break;
    case 'T':
        return tg__args_number(value, "--timeout-ms", 0, INT32_MAX,
                               &c->timeout_ms, err);
    case 'g':
        c->group = value;
        break;
    case 'k':
        c->key = true;
        break;
    case 'h':
        c->headers = true;
        break;
    case 's':
        c->timestamp = true;
        break;
    case 'a':
        c->partitions = true;
        break;
    case 'O':
        c->offsets = true;
        break;
    case 'S':
        set_text(&c->separator, value);
        break;
    case 'F':
        return set_format(c, value, err);
    case 'I':
        json_object_set_new(c->properties, "isolation.level",
                            json_string(value));
        break;
    default:
        return tg_err_set(err, TG_ERR_CONFIG, "\"%s\" is no option; see --help",
                          value);
    }
    return TG_OK;
}

static int check_options(consume *c, tg_err *err)
{
    if (!c->topic && !c->include)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "no topic is given: use --topic NAME; see --help");
    if (c->include && !c->group)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "--include needs --group: only a group can follow "
                          "the topics of a pattern");
    if (c->group && (c->partition >= 0 || c->offset_given))
        return tg_err_set(err, TG_ERR_CONFIG,
                          "--group cannot be used with --partition or "
                          "--offset: a group's members get their partitions "
                          "and offsets from the group");
    if (c->offset_given && c->offset >= 0 && c->partition < 0)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "--offset with a number needs --partition");
    if (!c->offset_given)
        c->offset = c->from_beginning || c->exit_at_end ? -2 : -1;
    return TG_OK;
}

/* --- output --------------------------------------------------------------- */

static void flush(consume *c)
{
    if (c->out.len && !c->broken)
        c->broken = !tg__write_all(STDOUT_FILENO, c->out.p, c->out.len);
    c->out.len = 0;
}

static void put_cell(consume *c, const tg_cell *cell)
{
    if (cell->raw)
        tg_buf_add(&c->out, cell->raw, (size_t)cell->rawlen);
    else
        tg_buf_str(&c->out, c->null_text);
}

static void put_headers(consume *c, tg_record *rec)
{
    if (tg_record_headers(rec) <= 0)
        tg_buf_str(&c->out, "NO_HEADERS");
    for (uint32_t i = 0; i < rec->nheaders; i++) {
        if (i)
            tg_buf_str(&c->out, c->header_separator);
        tg_buf_add(&c->out, rec->headers[i].name, rec->headers[i].namelen);
        tg_buf_str(&c->out, ":");
        put_cell(c, &rec->headers[i].cell);
    }
}

static void put_timestamp(consume *c, const tg_record *rec)
{
    static const char *const names[] = {"NO_TIMESTAMP", "CreateTime",
                                        "LogAppendTime"};

    tg_buf_str(&c->out, names[rec->timestamp_type % 3]);
    if (rec->timestamp_type)
        tg_buf_printf(&c->out, ":%lld", (long long)rec->timestamp);
}

static void put_text(consume *c, tg_record *rec)
{
    bool more = false;

#define SEPARATE                                                               \
    do {                                                                       \
        if (more)                                                              \
            tg_buf_str(&c->out, c->separator);                                 \
        more = true;                                                           \
    } while (0)
    if (c->timestamp) {
        SEPARATE;
        put_timestamp(c, rec);
    }
    if (c->partitions) {
        SEPARATE;
        tg_buf_printf(&c->out, "Partition:%d", (int)rec->origin_partition);
    }
    if (c->offsets) {
        SEPARATE;
        tg_buf_printf(&c->out, "Offset:%lld", (long long)rec->origin_offset);
    }
    if (c->headers) {
        SEPARATE;
        put_headers(c, rec);
    }
    if (c->key) {
        SEPARATE;
        put_cell(c, &rec->key);
    }
    if (c->value) {
        SEPARATE;
        put_cell(c, &rec->value);
    }
#undef SEPARATE
    tg_buf_str(&c->out, c->line_end);
}

static void put_json_cell(consume *c, const char *name, const tg_cell *cell)
{
    size_t n = cell->raw ? (size_t)cell->rawlen : 0;

    if (!cell->raw) {
        tg_buf_printf(&c->out, ",\"%s\":null", name);
    } else if (tg__out_utf8(cell->raw, n)) {
        tg_buf_printf(&c->out, ",\"%s\":", name);
        tg__out_text(&c->out, cell->raw, n);
    } else {
        tg_buf_printf(&c->out, ",\"%s_base64\":", name);
        tg__out_base64(&c->out, cell->raw, n);
    }
}

static void put_json(consume *c, tg_record *rec)
{
    tg_record_headers(rec);
    tg_buf_str(&c->out, "{\"topic\":");
    tg__out_text(&c->out, rec->topic, rec->topiclen);
    tg_buf_printf(&c->out, ",\"partition\":%d,\"offset\":%lld",
                  (int)rec->origin_partition, (long long)rec->origin_offset);
    if (rec->timestamp_type)
        tg_buf_printf(&c->out, ",\"timestamp\":%lld",
                      (long long)rec->timestamp);
    put_json_cell(c, "key", &rec->key);
    put_json_cell(c, "value", &rec->value);
    tg_buf_str(&c->out, ",\"headers\":[");
    for (uint32_t i = 0; i < rec->nheaders; i++) {
        tg_buf_str(&c->out, i ? ",{\"name\":" : "{\"name\":");
        tg__out_text(&c->out, rec->headers[i].name, rec->headers[i].namelen);
        put_json_cell(c, "value", &rec->headers[i].cell);
        tg_buf_str(&c->out, "}");
    }
    tg_buf_str(&c->out, "]}\n");
}

/* --- reading -------------------------------------------------------------- */

static void note_commit(consume *c, const tg_record *rec)
{
    int i;

    for (i = 0; i < c->ncommit; i++)
        if (c->commit[i].partition == rec->origin_partition &&
            !strcmp(c->commit[i].topic, rec->topic))
            break;
    if (i == c->ncommit) {
        c->commit = tg_realloc(c->commit, (size_t)(i + 1) * sizeof *c->commit);
        c->commit[c->ncommit++] =
            (tg_partition){tg_strdup(rec->topic), rec->origin_partition, -1};
    }
    c->commit[i].offset = rec->origin_offset + 1;
}

static void forget_commits(consume *c)
{
    for (int i = 0; i < c->ncommit; i++)
        tg_free(c->commit[i].topic);
    c->ncommit = 0;
}

/* What is committed was written out before. */
static void commit(consume *c, tg_consumer *consumer)
{
    tg_err err;

    flush(c);
    if (!c->ncommit || c->broken)
        return;
    tg_err_clear(&err);
    if (tg_consumer_commit(consumer, c->commit, c->ncommit, true, 5000, &err))
        tg_warn("consume", "%s", err.text);
    else
        forget_commits(c);
}

typedef struct members {
    consume *c;
    tg_consumer *consumer;
} members;

static void on_revoked(void *ctx, const tg_partition *parts, int n, bool lost)
{
    members *m = ctx;

    (void)parts;
    (void)n;
    if (!lost && m->consumer)
        commit(m->c, m->consumer);
    forget_commits(m->c);
}

static void print(consume *c, const tg_batch *batch)
{
    for (uint32_t i = 0; i < batch->n; i++) {
        tg_record *rec = batch->items[i];

        if (c->json)
            put_json(c, rec);
        else
            put_text(c, rec);
        if (c->group)
            note_commit(c, rec);
        c->printed++;
        if (c->out.len >= FLUSH_BYTES)
            flush(c);
    }
    flush(c);
}

/* 1: go on, 0: the end is reached, TG_ERR_*. */
static int turn(consume *c, tg_consumer *consumer, tg_batch *batch, tg_err *err)
{
    int64_t left = c->count < 0 ? BATCH : c->count - c->printed;
    int n;

    if (left <= 0)
        return 0;
    tg_batch_reset(batch);
    batch->max = (uint32_t)(left < BATCH ? left : BATCH);
    n = tg_consumer_poll(consumer, batch, POLL_MS, 0, NULL, NULL, NULL, err);
    if (n < 0)
        return n;
    if (n > 0) {
        print(c, batch);
        c->last_record_ms = now_ms();
        return c->broken ? 0 : 1;
    }
    if (tg_consumer_error(consumer, err) && (!err->retriable || err->fatal))
        return err->code;
    if (c->exit_at_end && tg_consumer_at_end(consumer))
        return 0;
    if (c->timeout_ms >= 0 && now_ms() - c->last_record_ms > c->timeout_ms)
        return 0;
    return 1;
}

static int read_all(consume *c, tg_consumer *consumer, tg_err *err)
{
    tg_batch *batch = tg_batch_new(BATCH, 0);
    int64_t committed = now_ms();
    int rc = 1;

    c->last_record_ms = committed;
    while (rc > 0 && !tg__interrupted) {
        rc = turn(c, consumer, batch, err);
        if (c->group && now_ms() - committed > COMMIT_MS) {
            commit(c, consumer);
            committed = now_ms();
        }
    }
    if (c->group)
        commit(c, consumer);
    tg_batch_free(batch);
    return rc < 0 ? rc : TG_OK;
}

/* --- finding the topic ---------------------------------------------------- */

/* Waits for the topic unless the end is asked for. 1 when it is there, 0 when
 * interrupted. */
static int find_topic(consume *c, const json_t *config, int *partitions,
                      tg_err *err)
{
    tg_admin *admin = tg_admin_new(config, err);
    bool said = false;
    int rc;

    if (!admin)
        return TG_ERR_CONFIG;
    for (;;) {
        rc = tg_admin_topic_exists(admin, c->topic, REACH_MS, partitions, err);
        if (rc || tg__interrupted)
            break;
        if (c->exit_at_end) {
            rc = tg_err_set(err, TG_ERR_NOTFOUND,
                            "topic %s does not exist on %s", c->topic,
                            tg_config_get(config, "bootstrap.servers", ""));
            break;
        }
        if (!said)
            fprintf(stderr, "Topic %s does not exist yet: waiting for it.\n",
                    c->topic);
        said = true;
        usleep(WAIT_TOPIC_MS * 1000);
    }
    tg_admin_free(admin);
    return rc;
}

static int assign(consume *c, tg_consumer *consumer, int partitions,
                  tg_err *err)
{
    json_t *parts = json_array();
    int rc;

    for (int i = 0; i < partitions; i++)
        if (c->partition < 0 || c->partition == i)
            json_array_append_new(parts, json_pack("[s,i,I]", c->topic, i,
                                                   (json_int_t)c->offset));
    if (json_array_size(parts))
        rc = tg_consumer_assign(consumer, parts, err);
    else
        rc = tg_err_set(err, TG_ERR_NOTFOUND,
                        "topic %s has no partition %lld: it has %d", c->topic,
                        (long long)c->partition, partitions);
    json_decref(parts);
    return rc;
}

static int subscribe(consume *c, tg_consumer *consumer, tg_err *err)
{
    json_t *topics = json_array();
    char *regex = c->include ? tg_sprintf("^%s", c->include) : NULL;
    int rc;

    json_array_append_new(topics, json_string(regex ? regex : c->topic));
    rc = tg_consumer_subscribe(consumer, topics, err);
    json_decref(topics);
    tg_free(regex);
    return rc;
}

static int run(consume *c, tg_err *err)
{
    members m = {c, NULL};
    tg_consumer_hooks hooks = {.revoked = on_revoked, .ctx = &m};
    json_t *config = NULL;
    int partitions = 0, rc;
    char *group = NULL;

    config =
        tg__client_config(c->config_file, c->properties, c->bootstrap, err);
    if (!config)
        return TG_ERR_CONFIG;
    if (c->topic) {
        rc = find_topic(c, config, &partitions, err);
        if (rc <= 0)
            goto out;
    }
    group = tg_sprintf("tidegate-consume-%ld", (long)getpid());
    json_object_set_new(config, "group.id",
                        json_string(c->group ? c->group : group));
    if (c->group && !json_object_get(config, "auto.offset.reset"))
        json_object_set_new(
            config, "auto.offset.reset",
            json_string(c->offset == -2 ? "earliest" : "latest"));
    /* Gone soon, and the others need not wait long for it. */
    if (c->group && !json_object_get(config, "session.timeout.ms"))
        json_object_set_new(config, "session.timeout.ms", json_string("6000"));
    json_object_set_new(config, "enable.partition.eof", json_string("true"));
    if (!json_object_get(config, "fetch.max.wait.ms"))
        json_object_set_new(config, "fetch.wait.max.ms", json_string("100"));
    m.consumer = tg_consumer_new(config, &hooks, err);
    rc = TG_ERR_CONFIG;
    if (!m.consumer)
        goto out;
    rc = c->group ? subscribe(c, m.consumer, err)
                  : assign(c, m.consumer, partitions, err);
    if (!rc)
        rc = read_all(c, m.consumer, err);
    tg_consumer_free(m.consumer);
out:
    tg_free(group);
    json_decref(config);
    return rc;
}

static void fini(consume *c)
{
    forget_commits(c);
    tg_free(c->commit);
    tg_free(c->separator);
    tg_free(c->line_end);
    tg_free(c->null_text);
    tg_free(c->header_separator);
    tg_buf_fini(&c->out);
    json_decref(c->properties);
}

int tg_cmd_consume(int argc, char **argv)
{
    tg__args args = {argc, 1, argv, options, NULL};
    consume c = {.partition = -1,
                 .count = -1,
                 .timeout_ms = -1,
                 .value = true,
                 .separator = tg_strdup("\t"),
                 .line_end = tg_strdup("\n"),
                 .null_text = tg_strdup("null"),
                 .header_separator = tg_strdup(","),
                 .properties = json_object()};
    tg_err err;
    int id, rc = TG_OK;

    tg_err_clear(&err);
    tg_log_level = TG_LOG_ERROR;
    while (!rc && (id = tg__args_next(&args, &err)) != 0) {
        if (id == '?') {
            fputs(usage, stdout);
            goto out;
        }
        rc = id < 0 ? id : set_option(&c, id, args.value, &err);
    }
    if (!rc)
        rc = check_options(&c, &err);
    if (!rc) {
        tg__catch_signals();
        rc = run(&c, &err);
    }
    if (rc < 0)
        fprintf(stderr, "tidegate consume: %s\n", err.text);
out:
    fini(&c);
    return rc < 0 ? 1 : 0;
}
