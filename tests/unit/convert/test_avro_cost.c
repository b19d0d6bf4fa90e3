/*
 * What reading and writing a record of the bench costs as Avro, with one field
 * changed in between, beside the same as JSON: CPU time, printed and not judged
 * (machines and builds differ). The goal is 0.5 us for Avro in a release build.
 */
#include "base/log.h"
#include "cells.h"
#include "registry/fake_registry.h"
#include <sys/resource.h>

enum { RECORDS = 500, PASSES = 40 };

static const char schema[] =
    "{\"type\":\"record\",\"name\":\"bench.Sale\",\"fields\":["
    "{\"name\":\"id\",\"type\":\"long\"},{\"name\":\"time\",\"type\":\"long\"},"
    "{\"name\":\"customer\",\"type\":\"string\"},"
    "{\"name\":\"amount\",\"type\":\"double\"},"
    "{\"name\":\"paid\",\"type\":\"boolean\"},"
    "{\"name\":\"card\",\"type\":\"string\"},"
    "{\"name\":\"note\",\"type\":\"string\"}]}";

static const char envelope[] =
    "{\"schema\":{\"type\":\"struct\",\"name\":\"bench.Sale\",\"optional\":"
    "false,\"fields\":[{\"field\":\"id\",\"type\":\"int64\",\"optional\":"
    "false},{\"field\":\"time\",\"type\":\"int64\",\"optional\":false},{"
    "\"field\":\"customer\",\"type\":\"string\",\"optional\":false},{\"field\":"
    "\"amount\",\"type\":\"double\",\"optional\":false},{\"field\":\"paid\","
    "\"type\":\"boolean\",\"optional\":false},{\"field\":\"card\",\"type\":"
    "\"string\",\"optional\":false},{\"field\":\"note\",\"type\":\"string\","
    "\"optional\":false}]},\"payload\":";

static const char line[] =
    "{\"id\":123456,\"time\":1735690464192,\"customer\":\"c-04711\","
    "\"amount\":1234.56,\"paid\":true,\"card\":\"4000123412341234\",\"note\":"
    "\"returned once because\"}";

static double cpu(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* Least seconds a record of some passes; out: what the last record became. */
static double cost(const tg_converter *conv, const char *p, size_t len,
                   tg_buf *out)
{
    tg_batch *batch = tg_batch_new(0, 0);
    tg_err err = {0};
    double best = 1e9;
    for (int pass = 0; pass < PASSES; pass++) {
        double from = cpu();
        for (int turn = 0; turn < 10; turn++) {
            tg_batch_reset(batch);
            for (int i = 0; i < RECORDS; i++) {
                tg_cell *cell = &tg_batch_append(batch)->value;
                cell->record->topic = "bench";
                cell->record->topiclen = 5;
                tg_cell_set_raw(cell, conv, p, (int32_t)len);
                if (tg_cell_decode(cell, &err) ||
                    tg_put_int64(cell->value.u.node, 0, NULL, i) ||
                    tg_cell_encode(cell, conv, &err))
                    fail_msg("%s", err.text);
                out->p = (char *)(uintptr_t)cell->out;
                out->len = (size_t)cell->outlen;
            }
        }
        double spent = (cpu() - from) / 10 / RECORDS;
        best = spent < best ? spent : best;
    }
    tg_buf copy = {0};
    tg_buf_add(&copy, out->p, out->len);
    *out = copy;
    tg_batch_free(batch);
    return best;
}

static void test_cost(void **state)
{
    char settings[128];
    tg_err err = {0};
    tg_buf out = {0}, plain = {0};
    (void)state;
    fake_registry *fake = fake_start();
    fake_put(fake, "bench-value", schema);
    snprintf(settings, sizeof settings, "schema.registry.url=%s", fake->url);
    tg_converter *avro = converter("Avro", settings, "value");
    tg_converter *with = converter("Json", "schemas.enable=true", "value");
    tg_converter *json = converter("Json", "schemas.enable=false", "value");

    tg_batch *batch = tg_batch_new(0, 0);
    char *text = tg_sprintf("%s%s}", envelope, line);
    tg_cell *cell = cell_of(batch, with, text, strlen(text));
    tg_record_set_topic(cell->record, "bench", 5);
    if (tg_cell_encode(cell, avro, &err))
        fail_msg("%s", err.text);
    double a = cost(avro, cell->out, (size_t)cell->outlen, &out);
    double j = cost(json, line, sizeof line - 1, &plain);
    tg_buf_fini(&plain);
    double e = cost(with, text, strlen(text), &plain);
    printf("# decode, change a field, encode: Avro (%d bytes) %.0f ns, JSON"
           " (%zu bytes) %.0f ns, JSON with a schema (%zu bytes) %.0f ns\n",
           cell->outlen, a * 1e9, sizeof line - 1, j * 1e9, strlen(text),
           e * 1e9);
    tg_buf_fini(&plain);

    cell = cell_of(batch, avro, out.p, out.len);
    tg_record_set_topic(cell->record, "bench", 5);
    char *want = tg_strdup(line);
    char *id = strstr(want, "123456");
    memcpy(id, "   499", 6);
    decoded(cell);
    const char *found = encoded(cell, json);
    assert_int_equal(strncmp(found, "{\"id\":499,", 10), 0);
    assert_string_equal(strchr(found, ','), strchr(want, ','));
    tg_free(want);
    tg_free(text);
    tg_free(out.p);
    tg_batch_free(batch);
    tg_converter_free(avro);
    tg_converter_free(with);
    tg_converter_free(json);
    fake_stop(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cost)};
    tg_convert_init();
    tg_log_level = TG_LOG_WARN;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
