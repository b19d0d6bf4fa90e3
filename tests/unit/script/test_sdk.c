/*
 * The C side together with the real SDK: plugins found, checked, applied to
 * records, and failing with the script's line and the record.
 */
#include "mini.h"
#include "convert/converter.h"

static char plugins[64];

static void write_plugin(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", plugins, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static int setup(void **state)
{
    (void)state;
    snprintf(plugins, sizeof plugins, "/tmp/tg-plugins-XXXXXX");
    return mkdtemp(plugins) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", plugins);
    return system(command) ? -1 : 0;
}

static tg_vm *sdk_vm(bool jit)
{
    tg_vm_options options = {.jit = jit, .timeout_ns = 5000000000};
    json_t *folders = json_pack("[s]", plugins);
    options.plugin_path = folders;
    tg_vm *vm = mini_vm(&options);
    json_decref(folders);
    return vm;
}

static tg_batch *make_batch(const char *const *values, uint32_t n)
{
    tg_batch *batch = tg_batch_new(n, 0);
    const tg_converter *json = tg_converter_named("json");
    for (uint32_t i = 0; i < n; i++) {
        tg_record *rec = tg_batch_append(batch);
        assert_int_equal(tg_record_set_topic(rec, "t", 1), 0);
        tg_cell_set_raw(&rec->value, json, values[i],
                        (int32_t)strlen(values[i]));
    }
    batch->lo = 0;
    batch->hi = batch->n;
    return batch;
}

static void check_value(tg_batch *batch, uint32_t i, const char *text)
{
    tg_err err = {0};
    tg_cell *cell = &batch->items[i]->value;
    assert_int_equal(tg_cell_encode(cell, tg_converter_named("json"), &err), 0);
    char *got = tg_strndup(cell->out, (size_t)cell->outlen);
    assert_string_equal(got, text);
    tg_free(got);
}

static tg_instance *new_transform(tg_vm *vm, const char *class_name,
                                  const char *config)
{
    tg_err err = {0};
    json_t *c = json_loads(config, 0, NULL);
    assert_non_null(c);
    tg_instance *inst = tg_instance_new(vm, "transform", class_name, c, &err);
    json_decref(c);
    if (!inst)
        fail_msg("%s\n%s", err.text, err.trace);
    return inst;
}

static void check_stock(bool jit)
{
    static const char *const values[] = {"{\"a\":1,\"b\":1.10}",
                                         "{\"b\":null,\"c\":[]}"};
    tg_vm *vm = sdk_vm(jit);
    tg_err err = {0};
    tg_instance *inst = new_transform(
        vm, "org.apache.kafka.connect.transforms.ReplaceField$Value",
        "{\"exclude\":\"a\",\"renames\":\"c:d\"}");
    assert_true(tg_instance_stock(inst));
    tg_batch *batch = make_batch(values, 2);
    if (tg_instance_apply(inst, batch, 0, &err))
        fail_msg("%s\n%s", err.text, err.trace);
    check_value(batch, 0, "{\"b\":1.10}");
    check_value(batch, 1, "{\"b\":null,\"d\":[]}");
    tg_batch_free(batch);
    tg_vm_free(vm);
}

static void test_stock(void **state)
{
    (void)state;
    check_stock(true);
    check_stock(false);
}

/* What the task does when a batch call fails: undo, then one by one. */
static void check_culprit(bool jit)
{
    static const char *const values[] = {"{\"a\":1}", "{\"a\":2}", "{\"a\":3}",
                                         "{\"a\":4}"};
    write_plugin("touchy.lua", "local tide = require 'tidegate'\n"
                               "return tide.transform {\n"
                               "  new = function()\n"
                               "    return function(batch)\n"
                               "      for _, r in batch:each() do\n"
                               "        r.value.b = 1\n"
                               "        if r.value.a == 3 then\n"
                               "          r.value.x.y = 5\n"
                               "        end\n"
                               "      end\n"
                               "    end\n"
                               "  end,\n"
                               "}\n");
    tg_vm *vm = sdk_vm(jit);
    tg_err err = {0};
    tg_instance *inst = new_transform(vm, "touchy", "{}");
    assert_false(tg_instance_stock(inst));
    tg_batch *batch = make_batch(values, 4);
    tg_batch_begin(batch);
    assert_int_equal(tg_instance_apply(inst, batch, 0, &err), TG_ERR_SCRIPT);
    char where[64];
    snprintf(where, sizeof where, "touchy.lua:8: attempt to index");
    if (!strstr(err.text, where))
        fail_msg("%s", err.text);
    assert_non_null(strstr(err.trace, "touchy.lua:8"));
    assert_int_equal(batch->cursor, 2);
    tg_batch_undo(batch);
    int failed = 0;
    for (uint32_t i = 0; i < 4; i++) {
        batch->lo = i;
        batch->hi = i + 1;
        tg_batch_begin(batch);
        if (tg_instance_apply(inst, batch, 0, &err) == 0) {
            tg_batch_commit(batch);
            continue;
        }
        assert_int_equal(i, 2);
        failed++;
        tg_batch_undo(batch);
        tg_batch_commit(batch);
    }
    assert_int_equal(failed, 1);
    check_value(batch, 0, "{\"a\":1,\"b\":1}");
    check_value(batch, 2, "{\"a\":3}");
    check_value(batch, 3, "{\"a\":4,\"b\":1}");
    tg_batch_free(batch);
    tg_vm_free(vm);
}

static void test_culprit(void **state)
{
    (void)state;
    check_culprit(true);
    check_culprit(false);
}

static void test_bad_settings(void **state)
{
    (void)state;
    tg_vm *vm = sdk_vm(true);
    tg_err err = {0};
    json_t *empty = json_object(), *info, *errors, *warnings;
    assert_null(
        tg_instance_new(vm, "transform", "InsertFeld$Value", empty, &err));
    assert_int_equal(err.code, TG_ERR_NOTFOUND);
    assert_non_null(strstr(err.text, "InsertField"));
    assert_null(
        tg_instance_new(vm, "transform", "MaskField$Value", empty, &err));
    assert_int_equal(err.code, TG_ERR_CONFIG);
    assert_non_null(strstr(err.text, "fields"));
    assert_int_equal(
        tg_plugin_find(vm, "transform", "MaskField$Value", &info, &err), 0);
    assert_true(json_array_size(json_object_get(info, "config")) > 0);
    json_decref(info);
    json_t *config = json_pack("{s:s}", "feilds", "a");
    assert_int_equal(tg_plugin_validate(vm, "transform", "MaskField$Value",
                                        config, NULL, &errors, &warnings, &err),
                     0);
    assert_true(json_array_size(errors) > 0);
    assert_true(json_array_size(warnings) > 0);
    json_decref(errors);
    json_decref(warnings);
    json_decref(config);
    json_decref(empty);
    tg_vm_free(vm);
}

static void test_list(void **state)
{
    (void)state;
    write_plugin("broken.lua", "return tide.transform { = }\n");
    tg_vm *vm = sdk_vm(true);
    json_t *list = tg_plugin_list(vm), *item;
    size_t i;
    bool stock = false, broken = false;
    json_array_foreach(list, i, item)
    {
        const char *name = json_string_value(json_object_get(item, "name"));
        stock |= strcmp(name, "mask_field") == 0;
        broken |= strcmp(name, "broken") == 0 && json_object_get(item, "error");
    }
    assert_true(stock && broken);
    json_decref(list);
    tg_vm_free(vm);
}

/* A user's endless loop names its line; the VM goes on. */
static void test_endless(void **state)
{
    (void)state;
    static const char *const values[] = {"{\"a\":1}"};
    write_plugin("endless.lua", "local tide = require 'tidegate'\n"
                                "return tide.transform {\n"
                                "  record = function(r)\n"
                                "    while true do\n"
                                "      r.value.a = r.value.a + 1\n"
                                "    end\n"
                                "  end,\n"
                                "}\n");
    json_t *folders = json_pack("[s]", plugins);
    tg_vm_options options = {
        .jit = true, .timeout_ns = 50000000, .plugin_path = folders};
    tg_vm *vm = mini_vm(&options);
    tg_err err = {0};
    tg_instance *inst = new_transform(vm, "endless", "{}");
    for (int i = 0; i < 5; i++) {
        tg_batch *batch = make_batch(values, 1);
        tg_batch_begin(batch);
        assert_int_equal(tg_instance_apply(inst, batch, 0, &err),
                         TG_ERR_TIMEOUT);
        if (!strstr(err.text, "endless.lua:") ||
            !strstr(err.text, "time limit of 50 ms"))
            fail_msg("%s", err.text);
        tg_batch_undo(batch);
        check_value(batch, 0, "{\"a\":1}");
        tg_batch_free(batch);
    }
    tg_vm_free(vm);
    json_decref(folders);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stock), cmocka_unit_test(test_culprit),
        cmocka_unit_test(test_bad_settings), cmocka_unit_test(test_list),
        cmocka_unit_test(test_endless)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
