/* The window of an idempotent producer: limits, and what opens it. */
#include "unit.h"
#include "kafka/window.h"
#include <string.h>

static rd_kafka_t *handle(const char *idempotence, const char *records)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    rd_kafka_conf_set(conf, "enable.idempotence", idempotence, text,
                      sizeof text);
    rd_kafka_conf_set(conf, "batch.num.messages", records, text, sizeof text);
    return rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
}

static void test_records(void **state)
{
    rd_kafka_t *rk = handle("true", "3");
    tg__window w;

    (void)state;
    tg__window_init(&w, rk);
    for (int i = 0; i < 3; i++) {
        assert_true(tg__window_room(&w, 10));
        tg__window_take(&w, 10);
    }
    assert_false(tg__window_room(&w, 10));
    w.partitions = 2;
    assert_true(tg__window_room(&w, 10));
    w.partitions = 1;
    tg__window_give(&w, 10);
    assert_true(tg__window_room(&w, 10));
    rd_kafka_destroy(rk);
}

static void test_bytes(void **state)
{
    rd_kafka_t *rk = handle("true", "5000");
    tg__window w;

    (void)state;
    tg__window_init(&w, rk);
    assert_int_equal(w.request_bytes, 1000000);
    assert_true(tg__window_room(&w, 5000000)); /* alone, it always may */
    tg__window_take(&w, 900000);
    assert_true(tg__window_room(&w, 99000));
    assert_false(tg__window_room(&w, 100000));
    rd_kafka_destroy(rk);
}

static void test_open(void **state)
{
    rd_kafka_t *rk = handle("false", "3");
    tg__window w;

    (void)state;
    tg__window_init(&w, rk);
    for (int i = 0; i < 100; i++)
        tg__window_take(&w, 1000000);
    assert_true(tg__window_room(&w, 1000000));
    rd_kafka_destroy(rk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
