/* topic.creation.*: which group a topic belongs to, and wrong settings. */
#include "unit.h"
#include "task/topics.h"

static tg_topics *make(tg_task *task, const char *json, tg_err *err)
{
    json_t *config = json_loads(json, 0, NULL);
    tg_topics *t;

    assert_non_null(config);
    memset(task, 0, sizeof *task);
    task->worker = json_object();
    task->config = config;
    task->name = "src";
    t = tg_topics_new(task, err);
    return t;
}

static void done(tg_task *task, tg_topics *t)
{
    tg_topics_free(t);
    json_decref((json_t *)(uintptr_t)task->worker);
    json_decref((json_t *)(uintptr_t)task->config);
}

#define BASE                                                                   \
    "\"topic.creation.default.partitions\":\"3\","                             \
    "\"topic.creation.default.replication.factor\":\"-1\""

static void test_groups(void **state)
{
    tg_task task;
    tg_err err = {0};
    tg_topics *t = make(&task,
                        "{" BASE ",\"topic.creation.groups\":\"logs,num,odd\","
                        "\"topic.creation.logs.include\":\"log-.*,audit\","
                        "\"topic.creation.logs.exclude\":\"log-x.*\","
                        "\"topic.creation.num.include\":\"n\\\\d+\","
                        "\"topic.creation.odd.include\":"
                        "\"(?i)ODD(?!x).*,[a-z&&[^b]]{2}\","
                        "\"topic.creation.num.partitions\":\"7\"}",
                        &err);
    (void)state;

    if (!t)
        fail_msg("%s", err.text);
    assert_string_equal(tg_topics_group(t, "log-a"), "logs");
    assert_string_equal(tg_topics_group(t, "audit"), "logs");
    assert_string_equal(tg_topics_group(t, "my-audit"), "default");
    assert_string_equal(tg_topics_group(t, "log-xy"), "default");
    assert_string_equal(tg_topics_group(t, "n42"), "num");
    assert_string_equal(tg_topics_group(t, "n42a"), "default");
    assert_string_equal(tg_topics_group(t, "oddy"), "odd");
    assert_string_equal(tg_topics_group(t, "oddx"), "default");
    assert_string_equal(tg_topics_group(t, "ac"), "odd");
    assert_string_equal(tg_topics_group(t, "ab"), "default");
    done(&task, t);
}

static void refuse(const char *json, const char *part)
{
    tg_task task;
    tg_err err = {0};
    tg_topics *t = make(&task, json, &err);

    assert_null(t);
    assert_int_equal(err.code, TG_ERR_CONFIG);
    assert_has(err.text, part);
    done(&task, t);
}

static void test_wrong(void **state)
{
    tg_task task;
    tg_err err = {0};
    tg_topics *t = make(&task, "{\"topic\":\"x\"}", &err);
    (void)state;

    assert_non_null(t);
    assert_null(tg_topics_group(t, "any"));
    done(&task, t);
    refuse("{\"topic.creation.default.partitions\":\"3\"}",
           "topic.creation.default.replication.factor is missing");
    refuse("{" BASE ",\"topic.creation.groups\":\"a\","
           "\"topic.creation.a.partitions\":\"0\"}",
           "topic.creation.a.partitions is 0");
    refuse("{" BASE ",\"topic.creation.groups\":\"a\","
           "\"topic.creation.a.include\":\"(\"}",
           "topic.creation.a.include");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
