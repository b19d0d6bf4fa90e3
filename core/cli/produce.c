/*
 * `tidegate produce`: the console producer. Input is read in large pieces into
 * the arenas of a ring of batches; each line is a record whose value points
 * into its piece, so nothing is copied on the way to librdkafka. A batch is
 * used again when its last record was delivered; when all are busy, the input
 * waits.
 *
 * Main thread; Ctrl-C ends the input, what was read is still delivered.
 */
#include "cli/cli.h"
#include "cli/options.h"
#include "base/config.h"
#include "base/log.h"
#include "kafka/admin.h"
#include "kafka/producer.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

enum {
    PIECE = 256 * 1024,
    RING = 32,
    REACH_MS = 5000,
    POLL_MS = 200,
    FLUSH_MS = 35000, /* beyond the delivery time-out */
    MAX_COMPLAINTS = 10
};

static const char usage[] =
    "Usage: tidegate produce --topic TOPIC [OPTIONS] [FILE|-]\n"
    "\n"
    "Sends each line of a file, or of standard input, as a record.\n"
    "\n"
    "  --bootstrap HOST:PORT  a broker (default localhost:9092)\n"
    "  --config FILE          client properties\n"
    "  --property KEY=VALUE   one client property (also --producer-property)\n"
    "  --keys SEPARATOR       a line is key, separator, value\n"
    "  --header NAME=VALUE    a header of every record; may be repeated\n"
    "  --null TEXT            this key or value stands for null\n"
    "  --partition N          send to this partition\n"
    "  --compression CODEC    none, gzip, snappy, lz4 or zstd\n"
    "  --count                print the number of delivered records\n"
    "\n"
    "The options of kafka-console-producer work as well: --bootstrap-server,\n"
    "--property parse.key=true --property key.separator=:, ...\n"
    "\n"
    "Exit status: 0 when every line was delivered, else 1.\n";

/* A batch and how many of its records are on their way. */
typedef struct slot {
    tg_batch *batch;
    uint32_t outstanding;
} slot;

typedef struct produce {
    const char *bootstrap, *topic, *config_file, *path;
    json_t *properties;
    bool parse_key, count;
    char *separator; /* of the key; NULL: no keys */
    char *null_text; /* NULL: none */
    int64_t partition;
    const char *header_names[32], *header_values[32];
    uint32_t nheaders;
    tg_producer *producer;
    slot ring[RING];
    char *rest; /* start of a line whose end was not read yet */
    size_t nrest;
    int64_t line; /* number of the last line */
    int64_t sent, delivered, failed;
} produce;

/* --- options -------------------------------------------------------------- */

static const tg__option options[] = {
    {"--bootstrap", 'b', TG_OPT_TEXT},
    {"--bootstrap-server", 'b', TG_OPT_TEXT},
    {"--broker-list", 'b', TG_OPT_TEXT},
    {"-b", 'b', TG_OPT_TEXT},
    {"--topic", 't', TG_OPT_TEXT},
    {"-t", 't', TG_OPT_TEXT},
    {"--config", 'C', TG_OPT_TEXT},
    {"--producer.config", 'C', TG_OPT_TEXT},
    {"--command-config", 'C', TG_OPT_TEXT},
    {"--reader-config", 'C', TG_OPT_TEXT},
    {"--property", 'p', TG_OPT_TEXT},
    {"--reader-property", 'p', TG_OPT_TEXT},
    {"--producer-property", 'P', TG_OPT_TEXT},
    {"--command-property", 'P', TG_OPT_TEXT},
    {"--keys", 'k', TG_OPT_TEXT},
    {"--header", 'h', TG_OPT_TEXT},
    {"--headers", 'h', TG_OPT_TEXT},
    {"--null", '0', TG_OPT_TEXT},
    {"--partition", 'n', TG_OPT_TEXT},
    {"--compression", 'z', TG_OPT_TEXT},
    {"--compression-codec", 'z', TG_OPT_TEXT},
    {"--request-required-acks", 'a', TG_OPT_TEXT},
    {"--batch-size", 'B', TG_OPT_TEXT},
    {"--count", 'c', TG_OPT_FLAG},
    {"--help", '?', TG_OPT_FLAG},
    {"--sync", 0, TG_OPT_FLAG},
    {"--line-reader", 0, TG_OPT_TEXT},
    {"--timeout", 0, TG_OPT_TEXT},
    {"--max-block-ms", 0, TG_OPT_TEXT},
    {"--max-memory-bytes", 0, TG_OPT_TEXT},
    {"--max-partition-memory-bytes", 0, TG_OPT_TEXT},
    {"--message-send-max-retries", 0, TG_OPT_TEXT},
    {"--metadata-expiry-ms", 0, TG_OPT_TEXT},
    {"--request-timeout-ms", 0, TG_OPT_TEXT},
    {"--retry-backoff-ms", 0, TG_OPT_TEXT},
    {"--socket-buffer-size", 0, TG_OPT_TEXT},
    {NULL, 0, 0},
};

static void set_text(char **at, const char *text)
{
    tg_free(*at);
    *at = tg_strdup(text);
    tg__args_unescape(*at);
}

static int reader_property(produce *p, const char *text, tg_err *err)
{
    if (!strncmp(text, "parse.key=", 10))
        p->parse_key = !strcmp(text + 10, "true");
    else if (!strncmp(text, "key.separator=", 14))
        set_text(&p->separator, text + 14);
    else if (!strncmp(text, "null.marker=", 12))
        set_text(&p->null_text, text + 12);
    else if (!strncmp(text, "parse.headers=true", 18))
        return tg_err_set(err, TG_ERR_CONFIG,
                          "--property parse.headers is not available: use "
                          "--header NAME=VALUE");
    else if (!strncmp(text, "parse.headers=", 14) ||
             !strncmp(text, "headers.", 8) ||
             !strncmp(text, "ignore.error=", 13))
        return TG_OK;
    else
        return tg__args_pair(p->properties, text, "--property", err);
    return TG_OK;
}

static int add_header(produce *p, char *text, tg_err *err)
{
    char *equals = strchr(text, '=');

    if (!equals || equals == text ||
        p->nheaders == sizeof p->header_names / sizeof *p->header_names)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "option --header takes NAME=VALUE (up to 32 times), "
                          "found \"%s\"",
                          text);
    *equals = 0;
    p->header_names[p->nheaders] = text;
    p->header_values[p->nheaders++] = equals + 1;
    return TG_OK;
}

static void set_client(produce *p, const char *key, const char *value)
{
    json_object_set_new(p->properties, key, json_string(value));
}

static int set_option(produce *p, int id, const char *value, tg_err *err)
{
    switch (id) {
    case 'b':
        p->bootstrap = value;
        break;
    case 't':
        p->topic = value;
        break;
    case 'C':
        p->config_file = value;
        break;
    case 'p':
        return reader_property(p, value, err);
    case 'P':
        return tg__args_pair(p->properties, value, "--producer-property", err);
    case 'k':
        set_text(&p->separator, value);
        p->parse_key = true;
        break;
    case 'h':
        return add_header(p, (char *)(uintptr_t)value, err);
    case '0':
        set_text(&p->null_text, value);
        break;
    case 'n':
        return tg__args_number(value, "--partition", 0, INT32_MAX,
                               &p->partition, err);
    case 'z':
        set_client(p, "compression.type", value);
        break;
    case 'a':
        set_client(p, "acks", value);
        break;
    case 'B':
        set_client(p, "batch.size", value);
        break;
    case 'c':
        p->count = true;
        break;
    default:
        if (p->path)
            return tg_err_set(err, TG_ERR_CONFIG,
                              "one file is read, found a second: %s", value);
        p->path = value;
    }
    return TG_OK;
}

static int check_options(produce *p, tg_err *err)
{
    if (!p->topic)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "no topic is given: use --topic NAME; see --help");
    if (p->parse_key && (!p->separator || !*p->separator))
        set_text(&p->separator, "\t");
    return TG_OK;
}

/* --- deliveries ----------------------------------------------------------- */

static void complain(produce *p, const char *text)
{
    if (p->failed <= MAX_COMPLAINTS)
        fprintf(stderr, "tidegate produce: %s\n", text);
    if (p->failed == MAX_COMPLAINTS)
        fprintf(stderr, "tidegate produce: further errors are only counted\n");
}

static void on_delivery(void *ctx, tg_record *rec, const char *topic,
                        int32_t partition, int64_t offset, const tg_err *err)
{
    produce *p = ctx;
    slot *s = rec->batch->owner;

    (void)topic;
    (void)partition;
    (void)offset;
    s->outstanding--;
    if (!err) {
        p->delivered++;
        return;
    }
    p->failed++;
    complain(p, err->text);
}

/* Errors that librdkafka goes on trying to overcome: said once each. */
static void say_trouble(produce *p)
{
    tg_err err;

    tg_err_clear(&err);
    if (tg_producer_error(p->producer, &err))
        fprintf(stderr, "tidegate produce: %s\n", err.text);
}

/* A batch that nobody uses any more; waits for one. */
static slot *free_slot(produce *p)
{
    for (;;) {
        for (int i = 0; i < RING; i++) {
            if (p->ring[i].outstanding)
                continue;
            tg_batch_reset(p->ring[i].batch);
            return &p->ring[i];
        }
        tg_producer_poll(p->producer, POLL_MS);
        say_trouble(p);
    }
}

/* --- lines to records ----------------------------------------------------- */

static void set_part(produce *p, tg_cell *cell, const char *text, size_t n)
{
    if (p->null_text && strlen(p->null_text) == n &&
        !memcmp(text, p->null_text, n)) {
        cell->out = NULL;
        cell->outlen = -1;
        return;
    }
    cell->out = text;
    cell->outlen = (int32_t)n;
}

static int split_key(produce *p, tg_record *rec, const char *text, size_t n,
                     tg_err *err)
{
    size_t len = strlen(p->separator);
    const char *hit = memmem(text, n, p->separator, len);

    if (!hit)
        return tg_err_set(err, TG_ERR_DATA,
                          "line %lld has no key: \"%s\" is not in it",
                          (long long)p->line, p->separator);
    set_part(p, &rec->key, text, (size_t)(hit - text));
    set_part(p, &rec->value, hit + len, (size_t)(text + n - (hit + len)));
    return TG_OK;
}

static void set_headers(produce *p, tg_record *rec)
{
    tg_header *headers =
        tg_arena_alloc(rec->batch->arena, p->nheaders * sizeof *headers);

    memset(headers, 0, p->nheaders * sizeof *headers);
    for (uint32_t i = 0; i < p->nheaders; i++) {
        headers[i].name = p->header_names[i];
        headers[i].namelen = (uint32_t)strlen(p->header_names[i]);
        headers[i].cell.out = p->header_values[i];
        headers[i].cell.outlen = (int32_t)strlen(p->header_values[i]);
    }
    rec->headers = headers;
    rec->nheaders = rec->capheaders = p->nheaders;
}

/* Appends a line; the bytes live in the batch. */
static int add_line(produce *p, tg_batch *batch, const char *text, size_t n,
                    tg_err *err)
{
    tg_record *rec;

    p->line++;
    if (n > INT32_MAX)
        return tg_err_set(err, TG_ERR_LIMIT, "line %lld is longer than 2 GB",
                          (long long)p->line);
    rec = tg_batch_append(batch);
    rec->topic = p->topic;
    rec->topiclen = (uint32_t)strlen(p->topic);
    rec->partition = (int32_t)p->partition;
    rec->timestamp = -1;
    rec->origin_offset = p->line;
    rec->key.out = NULL;
    rec->key.outlen = -1;
    if (p->nheaders)
        set_headers(p, rec);
    if (!p->parse_key) {
        set_part(p, &rec->value, text, n);
        return TG_OK;
    }
    if (!split_key(p, rec, text, n, err))
        return TG_OK;
    rec->verdict = TG_DROP;
    return TG_ERR_DATA;
}

/* Hands a batch over. A record that cannot be sent is counted and left out. */
static int send(produce *p, slot *s, tg_err *err)
{
    uint32_t from = 0;

    while (from < s->batch->n) {
        uint32_t queued = 0;
        int rc;

        tg_err_clear(err);
        rc = tg_producer_send(p->producer, s->batch, &from, &queued, err);
        s->outstanding += queued;
        p->sent += queued;
        if (rc == 1) {
            tg_producer_poll(p->producer, POLL_MS);
            say_trouble(p);
        } else if (rc == TG_ERR_LIMIT) {
            tg_err_prefix(err, "line %lld",
                          (long long)s->batch->items[from]->origin_offset);
            p->failed++;
            complain(p, err->text);
            from++;
        } else if (rc) {
            return rc;
        }
    }
    tg_producer_poll(p->producer, 0);
    return TG_OK;
}

/* Cuts a piece into lines. What follows the last newline is kept as rest; at
 * the end of the input it is a line too. */
static int cut(produce *p, slot *s, const char *piece, size_t n, bool last,
               tg_err *err)
{
    const char *at = piece, *end = piece + n, *newline;

    while (at < end) {
        size_t len;

        newline = memchr(at, '\n', (size_t)(end - at));
        if (!newline && !last)
            break;
        len = (size_t)((newline ? newline : end) - at);
        if (len && at[len - 1] == '\r')
            len--;
        if (add_line(p, s->batch, at, len, err)) {
            p->failed++;
            complain(p, err->text);
        }
        at = newline ? newline + 1 : end;
    }
    p->nrest = (size_t)(end - at);
    tg_free(p->rest);
    p->rest = p->nrest ? tg_alloc(p->nrest) : NULL;
    if (p->nrest)
        memcpy(p->rest, at, p->nrest);
    return send(p, s, err);
}

/* Waits for input; serves reports meanwhile. False at Ctrl-C. */
static bool wait_input(produce *p, int fd)
{
    struct pollfd pfd = {.fd = fd, .events = POLLIN};

    while (!tg__interrupted) {
        if (poll(&pfd, 1, POLL_MS) > 0)
            return true;
        tg_producer_poll(p->producer, 0);
        say_trouble(p);
    }
    return false;
}

static int read_lines(produce *p, int fd, tg_err *err)
{
    for (;;) {
        slot *s = free_slot(p);
        /* Room for a long line grows with it, so that reading stays linear. */
        size_t room = p->nrest > PIECE ? p->nrest : PIECE;
        char *piece = tg_arena_alloc(s->batch->arena, p->nrest + room);
        bool open = wait_input(p, fd);
        ssize_t n = 0;
        int rc;

        if (p->nrest)
            memcpy(piece, p->rest, p->nrest);
        if (open) {
            n = read(fd, piece + p->nrest, room);
            if (n < 0 && errno == EINTR)
                continue;
            if (n < 0)
                return tg_err_set(err, TG_ERR_IO, "cannot read %s: %s", p->path,
                                  strerror(errno));
        }
        rc = cut(p, s, piece, p->nrest + (size_t)n, n == 0, err);
        if (rc || n == 0)
            return rc;
    }
}

/* --- life ----------------------------------------------------------------- */

static int check_broker(const json_t *config, tg_err *err)
{
    tg_admin *admin = tg_admin_new(config, err);
    char *id;

    if (!admin)
        return TG_ERR_CONFIG;
    id = tg_admin_cluster_id(admin, REACH_MS, err);
    tg_admin_free(admin);
    tg_free(id);
    return id ? TG_OK : TG_ERR_KAFKA;
}

static int run(produce *p, int fd, tg_err *err)
{
    json_t *config =
        tg__client_config(p->config_file, p->properties, p->bootstrap, err);
    tg_err late;
    int rc;

    if (!config)
        return TG_ERR_CONFIG;
    /* Somebody waits for the result: not for ever. */
    if (!json_object_get(config, "delivery.timeout.ms") &&
        !json_object_get(config, "message.timeout.ms"))
        json_object_set_new(config, "delivery.timeout.ms",
                            json_string("30000"));
    rc = check_broker(config, err);
    if (rc)
        goto out;
    p->producer = tg_producer_new(config, on_delivery, p, err);
    rc = TG_ERR_CONFIG;
    if (!p->producer)
        goto out;
    for (int i = 0; i < RING; i++) {
        p->ring[i].batch = tg_batch_new(UINT32_MAX, 0);
        p->ring[i].batch->owner = &p->ring[i];
    }
    rc = read_lines(p, fd, err);
    tg_err_clear(&late);
    if (tg_producer_flush(p->producer, FLUSH_MS, &late) && !rc) {
        *err = late;
        rc = late.code;
    }
    tg_producer_free(p->producer, 0);
    for (int i = 0; i < RING; i++)
        tg_batch_free(p->ring[i].batch);
out:
    json_decref(config);
    return rc;
}

static int open_input(produce *p, tg_err *err)
{
    int fd;

    if (!p->path || !strcmp(p->path, "-")) {
        p->path = "standard input";
        return STDIN_FILENO;
    }
    fd = open(p->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        tg_err_set(err, TG_ERR_IO, "cannot open %s: %s", p->path,
                   strerror(errno));
    return fd;
}

static void report(const produce *p)
{
    if (p->count)
        printf("%lld\n", (long long)p->delivered);
    if (p->failed)
        fprintf(stderr,
                "%lld records delivered to topic %s, %lld not delivered\n",
                (long long)p->delivered, p->topic, (long long)p->failed);
    else if (!p->count)
        fprintf(stderr, "%lld records delivered to topic %s\n",
                (long long)p->delivered, p->topic);
}

int tg_cmd_produce(int argc, char **argv)
{
    tg__args args = {argc, 1, argv, options, NULL};
    produce p = {.partition = -1, .properties = json_object()};
    tg_err err;
    int id, fd = -1, rc = TG_OK;

    tg_err_clear(&err);
    tg_log_level = TG_LOG_ERROR;
    while (!rc && (id = tg__args_next(&args, &err)) != 0) {
        if (id == '?') {
            fputs(usage, stdout);
            goto out;
        }
        rc = id < 0 ? id : set_option(&p, id, args.value, &err);
    }
    if (!rc)
        rc = check_options(&p, &err);
    if (!rc && (fd = open_input(&p, &err)) < 0)
        rc = TG_ERR_IO;
    if (!rc) {
        tg__catch_signals();
        rc = run(&p, fd, &err);
        if (rc)
            fprintf(stderr, "tidegate produce: %s\n", err.text);
        if (!rc || p.line)
            report(&p);
    } else {
        fprintf(stderr, "tidegate produce: %s\n", err.text);
    }
    if (fd > STDIN_FILENO)
        close(fd);
out:
    tg_free(p.separator);
    tg_free(p.null_text);
    tg_free(p.rest);
    json_decref(p.properties);
    return rc || p.failed || p.delivered != p.sent ? 1 : 0;
}
