/*
 * Whole task processes against the embedded broker: sources, sinks, plans,
 * failures, stops. timeout below is for slow machines with sanitizers.
 * timeout: 240
 */
#include "harness.h"
#include "task/child.h"

static tg_embedded *broker;

/* --- plugins ------------------------------------------------------------- */

static const char numbers_lua[] =
    "local tide = require \"tidegate\"\n"
    "local part, at\n"
    "return tide.source {\n"
    "  version = \"1.2.3\",\n"
    "  config = {\n"
    "    topic = { required = true },\n"
    "    count = { type = \"long\", default = -1 },\n"
    "    chunk = { type = \"int\", default = 100 },\n"
    "    pad = { type = \"int\", default = 0 },\n"
    "    fail_at = { type = \"long\", default = -1 },\n"
    "    json = { type = \"boolean\", default = false },\n"
    "  },\n"
    "  start = function(ctx)\n"
    "    local name = { gen = \"numbers\" }\n"
    "    local o = ctx:offset(name)\n"
    "    at = o and o.n or 0\n"
    "    part = ctx:partition(name, \"n\")\n"
    "  end,\n"
    "  poll = function(batch, ctx)\n"
    "    local cfg, n = ctx.config, 0\n"
    "    if cfg.fail_at >= 0 and at >= cfg.fail_at then\n"
    "      error(\"the well is dry\")\n"
    "    end\n"
    "    while n < cfg.chunk and (cfg.count < 0 or at < cfg.count) do\n"
    "      local r = batch:append()\n"
    "      if not r then break end\n"
    "      r.topic = cfg.topic\n"
    "      r.value = (\"v%d\"):format(at) .. (\"x\"):rep(cfg.pad)\n"
    "      at = at + 1\n"
    "      r:source(part, cfg.json and { n = at } or at)\n"
    "      n = n + 1\n"
    "    end\n"
    "    return n > 0 and 0 or 20\n"
    "  end,\n"
    "}\n";

static const char picky_lua[] =
    "local tide = require \"tidegate\"\n"
    "return tide.transform {\n"
    "  config = { bad = { type = \"long\", default = -1 },\n"
    "             every = { type = \"int\", default = 0 },\n"
    "             loop = { type = \"boolean\", default = false } },\n"
    "  new = function(cfg)\n"
    "    return function(batch)\n"
    "      for _, r in batch:each() do\n"
    "        local n = tonumber(r.value:match(\"%d+\"))\n"
    "        r.value = \"t\" .. r.value\n"
    "        if n == cfg.bad then\n"
    "          while cfg.loop do n = n + 1 end\n"
    "          error(\"cannot stand \" .. r.value)\n"
    "        end\n"
    "        if cfg.every > 0 and n % cfg.every == 0 then r:drop() end\n"
    "      end\n"
    "    end\n"
    "  end,\n"
    "}\n";

static const char collect_lua[] =
    "local tide = require \"tidegate\"\n"
    "local out, puts\n"
    "return tide.sink {\n"
    "  config = { file = { required = true },\n"
    "             fail_on = { default = \"\" },\n"
    "             retry_first = { type = \"int\", default = 0 } },\n"
    "  start = function(ctx)\n"
    "    out = assert(io.open(ctx.config.file, \"a\"))\n"
    "    puts = 0\n"
    "  end,\n"
    "  put = function(batch, ctx)\n"
    "    puts = puts + 1\n"
    "    for i, r in batch:each() do\n"
    "      if puts <= ctx.config.retry_first and i % 2 == 0 then\n"
    "        r:retry(\"not now\")\n"
    "      else\n"
    "        if r.value == ctx.config.fail_on then error(\"no \" .. r.value) "
    "end\n"
    "        out:write(r.value, \"\\n\")\n"
    "      end\n"
    "    end\n"
    "  end,\n"
    "  flush = function() assert(out:flush()) end,\n"
    "  stop = function() out:close() end,\n"
    "}\n";

static const char sleepy_lua[] =
    "local tide = require \"tidegate\"\n"
    "local out\n"
    "return tide.sink {\n"
    "  config = { file = { required = true }, ms = { type = \"int\", "
    "default = 0 } },\n"
    "  start = function(ctx) out = assert(io.open(ctx.config.file, \"a\")) "
    "end,\n"
    "  put = function(batch, ctx)\n"
    "    if not tide.sleep(ctx.config.ms) then return end\n"
    "    for _, r in batch:each() do out:write(r.value, \"\\n\") end\n"
    "  end,\n"
    "  flush = function() tide.sleep(50) assert(out:flush()) end,\n"
    "  stop = function() out:close() end,\n"
    "}\n";

static int set_up(void **state)
{
    tg_err err = {0};
    (void)state;

    snprintf(folder, sizeof folder, "/tmp/tgtaskXXXXXX");
    if (!mkdtemp(folder))
        return -1;
    write_file("numbers.lua", numbers_lua);
    write_file("picky.lua", picky_lua);
    write_file("collect.lua", collect_lua);
    write_file("sleepy.lua", sleepy_lua);
    broker = tg_embedded_new(&err);
    return broker ? 0 : -1;
}

static int tear_down(void **state)
{
    char *cmd = tg_sprintf("rm -rf %s", folder);
    (void)state;

    tg_embedded_free(broker);
    if (system(cmd) != 0)
        return -1;
    tg_free(cmd);
    return 0;
}

static const char *boot(void)
{
    return tg_embedded_bootstrap(broker);
}

static void make_topic(const char *topic, int partitions)
{
    tg_err err = {0};

    if (tg_embedded_topic(broker, topic, partitions, &err))
        fail_msg("%s", err.text);
}

/* --- what is in a topic -------------------------------------------------- */

static tg_converter raw = {.identity = 1};

/* Reads everything of a one-partition topic until `want` distinct values came
 * or nothing comes for two seconds. Calls back per record; returns how many. */
static int read_topic(const char *topic, int want,
                      void (*fn)(void *, const tg_record *), void *ctx)
{
    json_t *config =
        json_pack("{s:s, s:s, s:s}", "bootstrap.servers", boot(), "group.id",
                  "reader", "auto.offset.reset", "earliest");
    json_t *parts = json_pack("[[s, i, i]]", topic, 0, -2);
    tg_batch *batch = tg_batch_new(1000, 0);
    tg_err err = {0};
    tg_consumer *consumer = tg_consumer_new(config, NULL, &err);
    int64_t quiet = now_ms() + 2000; /* the first may take a while */
    int got = 0;

    if (!consumer || tg_consumer_assign(consumer, parts, &err))
        fail_msg("%s", err.text);
    while (got < want && now_ms() < quiet) {
        int n =
            tg_consumer_poll(consumer, batch, 100, 5, &raw, &raw, &raw, &err);
        assert_true(n >= 0);
        for (int i = 0; i < n && fn; i++)
            fn(ctx, batch->items[i]);
        got += n;
        if (n)
            quiet = now_ms() + 500;
        tg_batch_reset(batch);
    }
    tg_batch_free(batch);
    tg_consumer_free(consumer);
    json_decref(parts);
    json_decref(config);
    return got;
}

typedef struct tally {
    int seen[20000];
    int next; /* expected number when in order */
    bool disorder;
    char first[32];
} tally;

static void count_number(void *ctx, const tg_record *rec)
{
    tally *t = ctx;
    const char *p = rec->value.raw;
    int n = 0, i = 0;

    if (!t->first[0])
        snprintf(t->first, sizeof t->first, "%.*s",
                 rec->value.rawlen < 20 ? rec->value.rawlen : 20, p);
    while (i < rec->value.rawlen && (p[i] < '0' || p[i] > '9'))
        i++;
    for (; i < rec->value.rawlen && p[i] >= '0' && p[i] <= '9'; i++)
        n = n * 10 + p[i] - '0';
    assert_in_range(n, 0, 19999);
    t->seen[n]++;
    if (n != t->next)
        t->disorder = true;
    t->next = n + 1;
}

static void fill_topic(const char *topic, int from, int n)
{
    json_t *config = json_pack("{s:s}", "bootstrap.servers", boot());
    tg_batch *batch = tg_batch_new((uint32_t)n, 0);
    tg_err err = {0};
    uint32_t at = 0, queued = 0;
    tg_producer *producer;
    void nothing(void *, tg_record *, const char *, int32_t, int64_t,
                 const tg_err *);

    producer = tg_producer_new(config, nothing, NULL, &err);
    assert_non_null(producer);
    for (int i = 0; i < n; i++) {
        tg_record *rec = tg_batch_append(batch);
        char text[32];
        int len = snprintf(text, sizeof text, "v%d", from + i);
        rec->topic = topic;
        rec->topiclen = (uint32_t)strlen(topic);
        rec->value.out = tg_arena_dup(batch->arena, text, (size_t)len);
        rec->value.outlen = len;
    }
    while (tg_producer_send(producer, batch, &at, &queued, &err) == 1)
        tg_producer_poll(producer, 100);
    assert_int_equal(queued, n);
    assert_int_equal(tg_producer_flush(producer, 10000, &err), 0);
    tg_producer_free(producer, 0);
    tg_batch_free(batch);
    json_decref(config);
}

void nothing(void *ctx, tg_record *rec, const char *topic, int32_t partition,
             int64_t offset, const tg_err *err);
void nothing(void *ctx, tg_record *rec, const char *topic, int32_t partition,
             int64_t offset, const tg_err *err)
{
    (void)ctx;
    (void)rec;
    (void)topic;
    (void)partition;
    (void)offset;
    (void)err;
}

/* Counts the lines "v<n>" of a file. */
static int read_lines(const char *path, tally *t)
{
    FILE *f = fopen(path, "r");
    char line[64];
    int n = 0;

    while (f && fgets(line, sizeof line, f)) {
        int v = atoi(line + 1);
        assert_in_range(v, 0, 19999);
        t->seen[v]++;
        n++;
    }
    if (f)
        fclose(f);
    return n;
}

/* --- plan ---------------------------------------------------------------- */

static json_t *plan(json_t *config)
{
    child *c = child_start();
    json_t *msg;
    int status;

    child_send(c, json_pack("{s:s, s:o, s:s, s:o}", "op", "plan", "worker",
                            worker_config("127.0.0.1:1"), "name", "tst",
                            "config", config));
    msg = child_wait(c, "planned", 10000);
    status = child_end(c, 5000);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    child_free(c);
    return msg;
}

static void test_plan(void **state)
{
    json_t *msg = plan(connector_config("numbers", "topic", "t", "name", "tst",
                                        "tasks.max", "3", NULL));
    (void)state;

    assert_int_equal(json_array_size(json_object_get(msg, "errors")), 0);
    assert_int_equal(json_array_size(json_object_get(msg, "warnings")), 0);
    assert_string_equal(json_string_value(json_object_get(msg, "kind")),
                        "source");
    assert_string_equal(json_string_value(json_object_get(msg, "version")),
                        "1.2.3");
    assert_int_equal(json_array_size(json_object_get(msg, "tasks")), 1);
    assert_null(json_object_get(msg, "error"));
    json_decref(msg);
}

static bool names_key(const json_t *list, const char *key)
{
    const json_t *e;
    size_t i;

    json_array_foreach(
        list, i, e) if (strcmp(json_string_value(json_object_get(e, "key")),
                               key) == 0) return true;
    return false;
}

static void test_plan_errors(void **state)
{
    json_t *msg = plan(connector_config(
        "numbers", "cuont", "7", "value.converter", "NoSuchConverter",
        "transforms", "a,b", "transforms.a.type", "picky", "transforms.a.bad",
        "many", "errors.tolerance", "some", "tasks.max", "0",
        "producer.override.acks", "1", "topic.creation.default.partitions", "1",
        NULL));
    json_t *errors = json_object_get(msg, "errors");
    char *text = json_dumps(errors, 0);
    (void)state;

    if (!names_key(errors, "topic") || !names_key(errors, "value.converter") ||
        !names_key(errors, "transforms.a.bad") ||
        !names_key(errors, "transforms.b.type") ||
        !names_key(errors, "errors.tolerance") ||
        !names_key(errors, "topic.creation.groups") ||
        !names_key(errors, "tasks.max"))
        fail_msg("%s", text);
    assert_false(names_key(errors, "producer.override.acks"));
    assert_true(names_key(json_object_get(msg, "warnings"), "cuont"));
    assert_int_equal(json_array_size(json_object_get(msg, "tasks")), 0);
    free(text);
    json_decref(msg);
    msg = plan(connector_config("numbrs", NULL));
    errors = json_object_get(msg, "errors");
    assert_true(names_key(errors, "connector.class"));
    json_decref(msg);
    msg = plan(connector_config("collect", "file", "f", NULL));
    assert_true(names_key(json_object_get(msg, "errors"), "topics"));
    json_decref(msg);
}

/* --- sources ------------------------------------------------------------- */

static void wait_records_out(child *c, int64_t n, int ms)
{
    int64_t end = now_ms() + ms;

    while (tg_page_get(c->page->records_out) < n) {
        if (now_ms() > end || c->eof)
            fail_msg("%lld of %lld records out; state %s; %s",
                     (long long)tg_page_get(c->page->records_out), (long long)n,
                     c->state, c->trace ? c->trace : "");
        json_decref(child_next(c, 20));
    }
}

static void test_source(void **state)
{
    tally *t = tg_calloc(sizeof *t);
    child *c;
    (void)state;

    make_topic("plain", 1);
    c = task_start(
        "source", worker_config(boot()),
        connector_config("numbers", "topic", "plain", "count", "5000", NULL),
        NULL, NULL);
    child_wait_state(c, "RUNNING", 10000);
    wait_records_out(c, 5000, 20000);
    child_op(c, "pause");
    child_wait_state(c, "PAUSED", 2000);
    child_op(c, "resume");
    child_wait_state(c, "RUNNING", 2000);
    child_stop(c);
    assert_int_equal(last_offset(c, "n"), 5000);
    assert_int_equal(tg_page_get(c->page->in_flight), 0);
    child_free(c);
    assert_int_equal(read_topic("plain", 5001, count_number, t), 5000);
    assert_false(t->disorder);
    /* goes on from the stored offset */
    c = task_start("source", worker_config(boot()),
                   connector_config("numbers", "topic", "plain", "count",
                                    "5010", "json", "true", NULL),
                   NULL,
                   json_pack("[[{s:s}, {s:i}]]", "gen", "numbers", "n", 5000));
    wait_records_out(c, 10, 10000);
    child_op(c, "commit");
    json_decref(child_wait(c, "offsets", 3000));
    assert_int_equal(last_offset(c, "n"), 5010);
    child_stop(c);
    child_free(c);
    tg_free(t);
}

static void test_source_transform(void **state)
{
    tally *t = tg_calloc(sizeof *t);
    child *c;
    (void)state;

    make_topic("drops", 1);
    c = task_start("source", worker_config(boot()),
                   connector_config("numbers", "topic", "drops", "count",
                                    "1000", "transforms", "p",
                                    "transforms.p.type", "picky",
                                    "transforms.p.every", "2", NULL),
                   NULL, NULL);
    wait_records_out(c, 500, 20000);
    child_stop(c);
    assert_int_equal(last_offset(c, "n"), 1000);
    assert_int_equal(tg_page_get(c->page->records_filtered), 500);
    child_free(c);
    assert_int_equal(read_topic("drops", 501, count_number, t), 500);
    assert_string_equal(t->first, "tv1");
    for (int i = 0; i < 1000; i++)
        assert_int_equal(t->seen[i], i % 2);
    tg_free(t);
}

/* The topic was reported as active, once. */
static void assert_active(const child *c, const char *topic)
{
    assert_int_equal(json_array_size(c->topics), 1);
    assert_string_equal(json_string_value(json_array_get(c->topics, 0)), topic);
}

/* The culprit fails the task; everything before it is delivered and stored,
 * nothing behind it, and a restart gets it again. */
static void test_source_culprit(void **state)
{
    tally *t = tg_calloc(sizeof *t);
    child *c;
    (void)state;

    make_topic("culprit", 1);
    c = task_start("source", worker_config(boot()),
                   connector_config("numbers", "topic", "culprit", "count",
                                    "1000", "transforms", "p",
                                    "transforms.p.type", "picky",
                                    "transforms.p.bad", "555", NULL),
                   NULL, NULL);
    child_wait_state(c, "FAILED", 10000);
    assert_has(c->trace, "Source connector tst, task 0");
    assert_has(c->trace, "transform p");
    assert_has(c->trace, "picky.lua:13");
    assert_has(c->trace, "cannot stand tv555");
    assert_has(c->trace, "\nCaused by: DataError: Source connector tst");
    assert_active(c, "culprit");
    assert_has(c->trace, "{\"n\":556}");
    assert_int_equal(child_end(c, 10000), 0);
    assert_int_equal(last_offset(c, "n"), 555);
    child_free(c);
    assert_int_equal(read_topic("culprit", 1001, count_number, t), 555);
    assert_false(t->disorder);
    memset(t, 0, sizeof *t);
    make_topic("tolerant", 1);
    c = task_start("source", worker_config(boot()),
                   connector_config("numbers", "topic", "tolerant", "count",
                                    "1000", "transforms", "p",
                                    "transforms.p.type", "picky",
                                    "errors.tolerance", "all",
                                    "transforms.p.bad", "555", NULL),
                   NULL, NULL);
    wait_records_out(c, 999, 10000);
    child_stop(c);
    assert_int_equal(last_offset(c, "n"), 1000);
    assert_int_equal(tg_page_get(c->page->records_skipped), 1);
    child_free(c);
    assert_int_equal(read_topic("tolerant", 1001, count_number, t), 999);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(t->seen[i], i != 555);
    assert_string_equal(t->first, "tv0");
    tg_free(t);
}

static void test_source_endless_loop(void **state)
{
    child *c;
    (void)state;

    make_topic("loop", 1);
    c = task_start("source", worker_config(boot()),
                   connector_config("numbers", "topic", "loop", "count", "1000",
                                    "transforms", "p", "transforms.p.type",
                                    "picky", "transforms.p.bad", "150",
                                    "transforms.p.loop", "true", NULL),
                   NULL, NULL);
    child_wait_state(c, "FAILED", 15000);
    assert_has(c->trace, "picky.lua:12");
    assert_has(c->trace, "{\"n\":151}");
    assert_int_equal(child_end(c, 10000), 0);
    assert_int_equal(last_offset(c, "n"), 150);
    child_free(c);
}

static void test_source_poll_error(void **state)
{
    child *c;
    (void)state;

    make_topic("dry", 1);
    c = task_start(
        "source", worker_config(boot()),
        connector_config("numbers", "topic", "dry", "fail_at", "300", NULL),
        NULL, NULL);
    child_wait_state(c, "FAILED", 15000);
    assert_has(c->trace, "poll failed");
    assert_has(c->trace, "numbers.lua:22: the well is dry");
    assert_int_equal(child_end(c, 10000), 0);
    assert_int_equal(last_offset(c, "n"), 300);
    child_free(c);
    c = task_start("source", worker_config(boot()),
                   connector_config("numbers", "topic", "dry",
                                    "errors.tolerance", "maybe", NULL),
                   NULL, NULL);
    child_wait_state(c, "FAILED", 15000);
    assert_has(c->trace, "errors.tolerance");
    assert_int_equal(child_end(c, 10000), 0);
    child_free(c);
}

/* --- the embedded window ------------------------------------------------- */

static void release(child *c, const char *topic, int64_t offset)
{
    child_send(c,
               json_pack("{s:s, s:s, s:i, s:I}", "op", "released", "topic",
                         topic, "partition", 0, "offset", (json_int_t)offset));
}

static void test_source_held(void **state)
{
    tally *t = tg_calloc(sizeof *t);
    int64_t released = 0;
    child *c;
    (void)state;

    make_topic("held", 1);
    c = task_start("source", worker_config("nowhere:1"),
                   connector_config("numbers", "topic", "held", "count", "2000",
                                    "pad", "100", NULL),
                   json_pack("{s:s, s:i, s:i}", "bootstrap", boot(), "window",
                             60000, "max_records", 400),
                   NULL);
    json_decref(child_wait(c, "writes", 10000));
    child_drain(c, 300);
    assert_int_equal(tg_page_get(c->page->records_out), 0);
    child_send(c, json_pack("{s:s, s:s}", "op", "topic.ok", "topic", "held"));
    child_drain(c, 1500);
    /* 60,000 bytes at about 184 each */
    assert_in_range(tg_page_get(c->page->records_out), 200, 326);
    assert_int_equal(json_array_size(c->offsets), 0);
    while (released < 2000) {
        int64_t out = tg_page_get(c->page->records_out);
        assert_true(out - released <= 326);
        released = out - 7 > released ? out - 7 : out;
        release(c, "held", released);
        child_drain(c, 30);
        assert_true(last_offset(c, "n") <= released);
    }
    wait_records_out(c, 2000, 5000);
    release(c, "held", 2000);
    child_stop(c);
    assert_int_equal(last_offset(c, "n"), 2000);
    child_free(c);
    assert_int_equal(read_topic("held", 2001, count_number, t), 2000);
    assert_false(t->disorder);
    tg_free(t);
}

/* One record that is larger than the window, and a topic without sinks. */
static void test_source_window_edges(void **state)
{
    child *c;
    (void)state;

    make_topic("wide", 1);
    c = task_start("source", worker_config("nowhere:1"),
                   connector_config("numbers", "topic", "wide", "count", "5",
                                    "pad", "100000", NULL),
                   json_pack("{s:s, s:i, s:i}", "bootstrap", boot(), "window",
                             60000, "max_records", 400),
                   NULL);
    json_decref(child_wait(c, "writes", 10000));
    child_send(c, json_pack("{s:s, s:s}", "op", "topic.ok", "topic", "wide"));
    child_drain(c, 1000);
    assert_int_equal(tg_page_get(c->page->records_out), 1);
    release(c, "wide", -1);
    wait_records_out(c, 5, 5000);
    child_stop(c);
    assert_int_equal(last_offset(c, "n"), 5);
    child_free(c);
}

/* --- sinks --------------------------------------------------------------- */

static json_t *sink_config(const char *topic, const char *file, ...)
{
    json_t *config =
        connector_config("collect", "topics", topic, "file", file, NULL);
    const char *key;
    va_list ap;

    va_start(ap, file);
    while ((key = va_arg(ap, const char *)))
        json_object_set_new(config, key, json_string(va_arg(ap, const char *)));
    va_end(ap);
    return config;
}

static json_t *sink_embedded(const char *topic)
{
    return json_pack("{s:s, s:i, s:i, s:[[s, i]]}", "bootstrap", boot(),
                     "window", 40000, "max_records", 400, "assign", topic, 0);
}

static void wait_sunk(child *c, int64_t offset, int ms)
{
    int64_t end = now_ms() + ms;

    for (;;) {
        size_t n = json_array_size(c->sunk);
        const json_t *last = n ? json_array_get(c->sunk, n - 1) : NULL;
        if (last && json_integer_value(json_array_get(last, 2)) >= offset)
            return;
        if (now_ms() > end || c->eof)
            fail_msg("sunk never reached %lld; state %s %s", (long long)offset,
                     c->state, c->trace ? c->trace : "");
        json_decref(child_next(c, 50));
    }
}

static void test_sink(void **state)
{
    tally *t = tg_calloc(sizeof *t);
    char *file = tg_sprintf("%s/out1", folder);
    child *c;
    (void)state;

    make_topic("sink1", 1);
    fill_topic("sink1", 0, 3000);
    c = task_start("sink", worker_config(boot()),
                   sink_config("sink1", file, "retry_first", "3", NULL),
                   sink_embedded("sink1"), NULL);
    child_wait_state(c, "RUNNING", 10000);
    wait_sunk(c, 3000, 20000);
    child_op(c, "pause");
    child_wait_state(c, "PAUSED", 2000);
    fill_topic("sink1", 3000, 500);
    child_drain(c, 500);
    assert_int_equal(tg_page_get(c->page->records_out), 3000);
    child_op(c, "resume");
    wait_sunk(c, 3500, 10000);
    assert_active(c, "sink1");
    child_stop(c);
    child_free(c);
    assert_int_equal(read_lines(file, t), 3500);
    for (int i = 0; i < 3500; i++)
        assert_int_equal(t->seen[i], 1);
    /* a restart goes on where it was committed */
    fill_topic("sink1", 3500, 10);
    c = task_start("sink", worker_config(boot()),
                   sink_config("sink1", file, NULL), sink_embedded("sink1"),
                   NULL);
    wait_sunk(c, 3510, 10000);
    child_stop(c);
    child_free(c);
    memset(t, 0, sizeof *t);
    assert_int_equal(read_lines(file, t), 3510);
    tg_free(file);
    tg_free(t);
}

static void test_sink_put_error(void **state)
{
    tally *t = tg_calloc(sizeof *t);
    char *file = tg_sprintf("%s/out2", folder);
    child *c;
    (void)state;

    make_topic("sink2", 1);
    fill_topic("sink2", 0, 1000);
    c = task_start("sink", worker_config(boot()),
                   sink_config("sink2", file, "fail_on", "v700",
                               "consumer.override.max.poll.records", "100",
                               NULL),
                   sink_embedded("sink2"), NULL);
    child_wait_state(c, "FAILED", 10000);
    assert_has(c->trace, "Sink connector tst, task 0: put failed");
    assert_has(c->trace, "sink2-0@700");
    assert_has(c->trace, "collect.lua:17: no v700");
    assert_int_equal(child_end(c, 10000), 0);
    child_free(c);
    c = task_start("sink", worker_config(boot()),
                   sink_config("sink2", file, NULL), sink_embedded("sink2"),
                   NULL);
    wait_sunk(c, 1000, 10000);
    child_stop(c);
    child_free(c);
    read_lines(file, t);
    for (int i = 0; i < 1000; i++)
        assert_in_range(t->seen[i], 1, 2);
    tg_free(file);
    tg_free(t);
}

static void test_sink_culprit(void **state)
{
    tally *t = tg_calloc(sizeof *t);
    char *file = tg_sprintf("%s/out3", folder);
    json_t *last;
    child *c;
    (void)state;

    make_topic("sink3", 1);
    fill_topic("sink3", 0, 1000);
    c = task_start("sink", worker_config(boot()),
                   sink_config("sink3", file, "transforms", "p",
                               "transforms.p.type", "picky", "transforms.p.bad",
                               "321", NULL),
                   sink_embedded("sink3"), NULL);
    child_wait_state(c, "FAILED", 10000);
    assert_has(c->trace, "Sink connector tst, task 0: transform p");
    assert_has(c->trace, "sink3-0@321");
    assert_int_equal(child_end(c, 10000), 0);
    last = json_array_get(c->sunk, json_array_size(c->sunk) - 1);
    assert_int_equal(json_integer_value(json_array_get(last, 2)), 321);
    child_free(c);
    tg_free(file);
    tg_free(t);
}

/* A put that learns of the stop and returns early has not put anything. */
static void test_sink_stop_in_put(void **state)
{
    tally *t = tg_calloc(sizeof *t);
    char *file = tg_sprintf("%s/out5", folder);
    child *c;
    (void)state;

    make_topic("sink5", 1);
    fill_topic("sink5", 0, 10);
    c = task_start("sink", worker_config(boot()),
                   connector_config("sleepy", "topics", "sink5", "file", file,
                                    "ms", "1500", NULL),
                   sink_embedded("sink5"), NULL);
    while (tg_page_get(c->page->records_in) < 10)
        child_drain(c, 20);
    child_stop(c);
    assert_int_equal(json_array_size(c->sunk), 0);
    child_free(c);
    c = task_start(
        "sink", worker_config(boot()),
        connector_config("sleepy", "topics", "sink5", "file", file, NULL),
        sink_embedded("sink5"), NULL);
    wait_records_out(c, 10, 10000);
    child_stop(c);
    assert_true(json_array_size(c->sunk) > 0);
    child_free(c);
    assert_int_equal(read_lines(file, t), 10);
    tg_free(file);
    tg_free(t);
}

/* A group member: subscribes, commits every interval and at the stop. (The
 * broker does not let a second member into a group that was left, so the
 * restart takes its partitions statically.) */
static void test_sink_group(void **state)
{
    tally *t = tg_calloc(sizeof *t);
    char *file = tg_sprintf("%s/out4", folder);
    json_t *embedded;
    child *c;
    (void)state;

    make_topic("sink4", 2);
    fill_topic("sink4", 0, 1000);
    c = task_start("sink", worker_config(boot()),
                   sink_config("sink4", file, NULL), NULL, NULL);
    wait_records_out(c, 1000, 20000);
    child_stop(c);
    assert_int_equal(json_array_size(c->sunk), 0);
    assert_true(tg_page_get(c->page->commits) > 0);
    child_free(c);
    fill_topic("sink4", 1000, 100);
    embedded = json_pack("{s:s, s:i, s:i, s:[[s, i], [s, i]]}", "bootstrap",
                         boot(), "window", 40000, "max_records", 400, "assign",
                         "sink4", 0, "sink4", 1);
    c = task_start("sink", worker_config(boot()),
                   sink_config("sink4", file, NULL), embedded, NULL);
    wait_records_out(c, 100, 20000);
    child_drain(c, 300);
    child_stop(c);
    assert_int_equal(tg_page_get(c->page->records_in), 100);
    child_free(c);
    assert_int_equal(read_lines(file, t), 1100);
    for (int i = 0; i < 1100; i++)
        assert_int_equal(t->seen[i], 1);
    tg_free(file);
    tg_free(t);
}

/* --- the end of the supervisor ------------------------------------------- */

static void test_orphan(void **state)
{
    child *c;
    int status, tries = 0;
    (void)state;

    make_topic("orphan", 1);
    c = task_start("source", worker_config(boot()),
                   connector_config("numbers", "topic", "orphan", NULL), NULL,
                   NULL);
    child_wait_state(c, "RUNNING", 10000);
    shutdown(c->fd, SHUT_RDWR);
    while (waitpid(c->pid, &status, WNOHANG) == 0 && ++tries < 500)
        usleep(10000);
    assert_true(tries < 500);
    assert_true(WIFEXITED(status));
    child_free(c);
}

static void test_sigterm(void **state)
{
    child *c;
    int status;
    (void)state;

    make_topic("term", 1);
    c = task_start(
        "source", worker_config(boot()),
        connector_config("numbers", "topic", "term", "count", "50", NULL), NULL,
        NULL);
    wait_records_out(c, 50, 10000);
    kill(c->pid, SIGTERM);
    status = child_end(c, 10000);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGTERM);
    assert_int_equal(last_offset(c, "n"), 50);
    child_free(c);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan),
        cmocka_unit_test(test_plan_errors),
        cmocka_unit_test(test_source),
        cmocka_unit_test(test_source_transform),
        cmocka_unit_test(test_source_culprit),
        cmocka_unit_test(test_source_endless_loop),
        cmocka_unit_test(test_source_poll_error),
        cmocka_unit_test(test_source_held),
        cmocka_unit_test(test_source_window_edges),
        cmocka_unit_test(test_sink),
        cmocka_unit_test(test_sink_put_error),
        cmocka_unit_test(test_sink_culprit),
        cmocka_unit_test(test_sink_stop_in_put),
        cmocka_unit_test(test_sink_group),
        cmocka_unit_test(test_orphan),
        cmocka_unit_test(test_sigterm),
    };

    if (argc > 1 && strcmp(argv[1], "task") == 0)
        return tg_task_main();
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
