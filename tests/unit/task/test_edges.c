/*
 * Whole task processes at the edges of the promise that nothing is lost:
 * deliveries that fail for records which look alike, scripts that say "stopped"
 * or append where they may not, predicates that raise, and a sink in which
 * puts, flushes and records fail at random.
 * timeout: 240
 */
#include "harness.h"
#include "task/child.h"

static tg_embedded *broker;

/* --- plugins ------------------------------------------------------------- */

/* Record i goes to partition i % 2 * 9, so every second one to a partition that
 * does not exist; all are tombstones, or share the bytes of one line. */
static const char alike_lua[] =
    "local tide = require \"tidegate\"\n"
    "local part, at\n"
    "return tide.source {\n"
    "  config = { topic = { required = true }, count = { type = \"long\" },\n"
    "             text = { default = \"\" }, say = { default = \"\" } },\n"
    "  start = function(ctx)\n"
    "    part, at = ctx:partition({ s = \"x\" }, \"n\"), 0\n"
    "  end,\n"
    "  poll = function(batch, ctx)\n"
    "    local cfg = ctx.config\n"
    "    if cfg.say == \"stopped\" then\n"
    "      error({ code = -11, message = \"enough\" })\n"
    "    end\n"
    "    while at < cfg.count do\n"
    "      local r = batch:append()\n"
    "      if not r then break end\n"
    "      r.topic, r.partition = cfg.topic, at % 2 * 9\n"
    "      r.key = (\"v%d\"):format(at)\n"
    "      if cfg.text ~= \"\" then r.value = cfg.text end\n"
    "      at = at + 1\n"
    "      r:source(part, at)\n"
    "    end\n"
    "    return 20\n"
    "  end,\n"
    "}\n";

static const char numbers_lua[] =
    "local tide = require \"tidegate\"\n"
    "local part, at\n"
    "return tide.source {\n"
    "  config = { topic = {}, count = { type = \"long\" } },\n"
    "  start = function(ctx)\n"
    "    part, at = ctx:partition({ s = \"x\" }, \"n\"), 0\n"
    "  end,\n"
    "  poll = function(batch, ctx)\n"
    "    while at < ctx.config.count do\n"
    "      local r = batch:append()\n"
    "      if not r then break end\n"
    "      r.topic, r.value = ctx.config.topic, { n = at, v = \"v\" .. at }\n"
    "      at = at + 1\n"
    "      r:source(part, at)\n"
    "    end\n"
    "    return 20\n"
    "  end,\n"
    "}\n";

static const char greedy_lua[] =
    "local tide = require \"tidegate\"\n"
    "return tide.transform { new = function()\n"
    "  return function(batch)\n"
    "    for _, r in batch:each() do\n"
    "      local more = batch:append()\n"
    "      if more then more.value, more.topic = { n = 1 }, r.topic end\n"
    "    end\n"
    "  end\n"
    "end }\n";

static const char moody_lua[] =
    "local tide = require \"tidegate\"\n"
    "return tide.predicate { test = function(r)\n"
    "  if r.value.n % 100 == 7 then error(\"not 7\") end\n"
    "  return r.value.n % 2 == 0\n"
    "end }\n";

/* Keeps what it got until flush; a failed flush or put loses it. */
static const char chaos_lua[] =
    "local tide = require \"tidegate\"\n"
    "local held, out = {}, nil\n"
    "local function bad(what)\n"
    "  error({ message = what, retriable = true }, 0)\n"
    "end\n"
    "return tide.sink {\n"
    "  config = { file = {}, seed = { type = \"int\" } },\n"
    "  start = function(ctx)\n"
    "    math.randomseed(ctx.config.seed)\n"
    "    out = assert(io.open(ctx.config.file, \"a\"))\n"
    "  end,\n"
    "  put = function(batch)\n"
    "    local fails = math.random() < 0.1\n"
    "    for _, r in batch:each() do\n"
    "      local dice = math.random()\n"
    "      if fails and dice < 0.01 then bad(\"put\") end\n"
    "      if dice < 0.02 then r:retry()\n"
    "      else held[#held + 1] = r.value end\n"
    "    end\n"
    "    if fails then bad(\"put's end\") end\n"
    "  end,\n"
    "  flush = function()\n"
    "    local now = held\n"
    "    held = {}\n"
    "    if math.random() < 0.25 then bad(\"flush\") end\n"
    "    for _, text in ipairs(now) do out:write(text, \"\\n\") end\n"
    "    assert(out:flush())\n"
    "  end,\n"
    "}\n";

static int set_up(void **state)
{
    tg_err err = {0};
    (void)state;

    snprintf(folder, sizeof folder, "/tmp/tgedgeXXXXXX");
    if (!mkdtemp(folder))
        return -1;
    write_file("alike.lua", alike_lua);
    write_file("numbers.lua", numbers_lua);
    write_file("greedy.lua", greedy_lua);
    write_file("moody.lua", moody_lua);
    write_file("chaos.lua", chaos_lua);
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

/* Waits until the source has stored the offset. */
static void wait_offset(child *c, int64_t offset, int ms)
{
    int64_t end = now_ms() + ms;

    while (last_offset(c, "n") < offset) {
        if (now_ms() > end || c->eof)
            fail_msg("the offset is %lld, not %lld; state %s %s",
                     (long long)last_offset(c, "n"), (long long)offset,
                     c->state ? c->state : "none", c->trace ? c->trace : "");
        json_decref(child_next(c, 50));
    }
}

/* --- sources ------------------------------------------------------------- */

static void run_alike(const char *topic, const char *text)
{
    child *c;

    make_topic(topic, 1);
    c = task_start("source", worker_config(boot()),
                   connector_config("alike", "topic", topic, "count", "3000",
                                    "text", text, "errors.tolerance", "all",
                                    NULL),
                   NULL, NULL);
    wait_offset(c, 3000, 30000);
    child_stop(c);
    assert_int_equal(tg_page_get(c->page->records_out), 1500);
    assert_int_equal(tg_page_get(c->page->records_skipped), 1500);
    assert_int_equal(tg_page_get(c->page->in_flight), 0);
    child_free(c);
}

static void test_alike(void **state)
{
    (void)state;
    run_alike("tombstones", "");
    run_alike("lines", "the same line");
}

/* Without tolerance the first of them fails the task, and it can be seen where
 * the source has to go on. */
static void test_alike_fails(void **state)
{
    child *c;
    (void)state;

    make_topic("strict", 1);
    c = task_start(
        "source", worker_config(boot()),
        connector_config("alike", "topic", "strict", "count", "3000", NULL),
        NULL, NULL);
    child_wait_state(c, "FAILED", 20000);
    assert_has(c->trace, "{\"s\":\"x\"}");
    assert_int_equal(child_end(c, 10000), 0);
    assert_int_equal(last_offset(c, "n"), -1);
    child_free(c);
}

static void test_says_stopped(void **state)
{
    child *c;
    (void)state;

    make_topic("enough", 1);
    c = task_start("source", worker_config(boot()),
                   connector_config("alike", "topic", "enough", "count", "10",
                                    "say", "stopped", NULL),
                   NULL, NULL);
    child_wait_state(c, "FAILED", 10000);
    assert_has(c->trace, "enough");
    child_end(c, 10000);
    child_free(c);
}

static void test_append_in_transform(void **state)
{
    child *c;
    (void)state;

    make_topic("greedy", 1);
    c = task_start("source", worker_config(boot()),
                   connector_config("numbers", "topic", "greedy", "count", "10",
                                    "transforms", "g", "transforms.g.type",
                                    "greedy", NULL),
                   NULL, NULL);
    wait_offset(c, 10, 20000);
    child_stop(c);
    assert_int_equal(tg_page_get(c->page->records_out), 10);
    child_free(c);
}

/* A predicate of the user's before a stock transform: its error is the record's
 * and nobody else's. */
static void test_predicate_raises(void **state)
{
    child *c;
    (void)state;

    make_topic("moody", 1);
    c = task_start(
        "source", worker_config(boot()),
        connector_config("numbers", "topic", "moody", "count", "1000",
                         "transforms", "m", "transforms.m.type",
                         "org.apache.kafka.connect.transforms.MaskField$Value",
                         "transforms.m.fields", "v", "transforms.m.predicate",
                         "p", "predicates", "p", "predicates.p.type", "moody",
                         "errors.tolerance", "all", NULL),
        NULL, NULL);
    wait_offset(c, 1000, 20000);
    child_stop(c);
    assert_int_equal(tg_page_get(c->page->records_out), 990);
    assert_int_equal(tg_page_get(c->page->records_skipped), 10);
    child_free(c);
}

/* --- sinks --------------------------------------------------------------- */

static void nothing(void *ctx, tg_record *rec, const char *topic,
                    int32_t partition, int64_t offset, const tg_err *err)
{
    (void)ctx;
    (void)rec;
    (void)topic;
    (void)partition;
    (void)offset;
    assert_null(err);
}

static void fill_topic(const char *topic, int n)
{
    json_t *config = json_pack("{s:s}", "bootstrap.servers", boot());
    tg_batch *batch = tg_batch_new((uint32_t)n, 0);
    tg_err err = {0};
    uint32_t at = 0, queued = 0;
    tg_producer *producer = tg_producer_new(config, nothing, NULL, &err);

    assert_non_null(producer);
    for (int i = 0; i < n; i++) {
        tg_record *rec = tg_batch_append(batch);
        char text[32];
        int len = snprintf(text, sizeof text, "v%d", i);
        rec->topic = topic;
        rec->topiclen = (uint32_t)strlen(topic);
        rec->partition = i % 2;
        rec->value.out = tg_arena_dup(batch->arena, text, (size_t)len);
        rec->value.outlen = len;
    }
    while (tg_producer_send(producer, batch, &at, &queued, &err) == 1)
        tg_producer_poll(producer, 100);
    assert_int_equal(tg_producer_flush(producer, 10000, &err), 0);
    tg_producer_free(producer, 0);
    tg_batch_free(batch);
    json_decref(config);
}

static int64_t sunk_sum(const child *c, int64_t upto[2])
{
    size_t i;
    const json_t *t;

    json_array_foreach(c->sunk, i, t)
    {
        json_int_t p = json_integer_value(json_array_get(t, 1));
        json_int_t offset = json_integer_value(json_array_get(t, 2));
        assert_in_range(p, 0, 1);
        if (offset > upto[p])
            upto[p] = offset;
    }
    return upto[0] + upto[1];
}

static child *start_chaos(const char *file, int seed)
{
    char text[16];
    json_t *embedded = json_pack(
        "{s:s, s:i, s:i, s:[[s, i], [s, i]]}", "bootstrap", boot(), "window",
        40000, "max_records", 400, "assign", "chaos", 0, "chaos", 1);

    snprintf(text, sizeof text, "%d", seed);
    return task_start(
        "sink", worker_config(boot()),
        connector_config("chaos", "topics", "chaos", "file", file, "seed", text,
                         "consumer.override.max.poll.records", "150", NULL),
        embedded, NULL);
}

/* What is committed has been written: at every moment, and all of it at last.
 * The task is killed or stopped now and then. */
static void test_chaos(void **state)
{
    enum { N = 3000 };
    static char seen[N];
    char *file = tg_sprintf("%s/chaos", folder);
    int64_t upto[2] = {0, 0};
    int64_t until = now_ms() + 90000;
    char line[64];
    FILE *f;
    (void)state;

    make_topic("chaos", 2);
    fill_topic("chaos", N);
    for (int run = 0; upto[0] + upto[1] < N; run++) {
        child *c = start_chaos(file, run + 1);
        int64_t end = now_ms() + 1500 + run * 500;
        while (now_ms() < end && sunk_sum(c, upto) < N && !c->eof)
            json_decref(child_next(c, 20));
        if (run % 2 && sunk_sum(c, upto) < N) {
            kill(c->pid, SIGKILL);
            child_end(c, 5000);
        } else {
            child_stop(c);
        }
        sunk_sum(c, upto);
        child_free(c);
        assert_true(now_ms() < until);
    }
    f = fopen(file, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        int v = atoi(line + 1);
        assert_in_range(v, 0, N - 1);
        seen[v] = 1;
    }
    fclose(f);
    for (int i = 0; i < N; i++)
        if (!seen[i])
            fail_msg("v%d is committed and was never written", i);
    tg_free(file);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alike),
        cmocka_unit_test(test_alike_fails),
        cmocka_unit_test(test_says_stopped),
        cmocka_unit_test(test_append_in_transform),
        cmocka_unit_test(test_predicate_raises),
        cmocka_unit_test(test_chaos),
    };

    if (argc > 1 && strcmp(argv[1], "task") == 0)
        return tg_task_main();
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
