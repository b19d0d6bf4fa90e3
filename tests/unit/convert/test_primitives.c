/*
 * The converters of one primitive type: bytes both ways, lengths, Kafka
 * Connect's sentences, and the property of random_value.h. The expected texts
 * were printed by the classes of Kafka Connect 4.1.
 */
#include "random_value.h"

enum { RECORDS = 100000 };

static tg_batch *batch;

static tg_cell *cell_with(tg_value v, const tg_schema *schema)
{
    tg_batch_reset(batch);
    tg_cell *cell = &tg_batch_append(batch)->value;
    cell->value = v;
    cell->schema = schema;
    cell->state = TG_CELL_DECODED;
    cell->dirty = 1;
    return cell;
}

static tg_value integer(int tag, int64_t i)
{
    return (tg_value){.tag = (uint8_t)tag, .u.i = i};
}

static tg_value real(int tag, double d)
{
    return (tg_value){.tag = (uint8_t)tag, .u.d = d};
}

static tg_value text(int tag, const char *s)
{
    return (tg_value){
        .tag = (uint8_t)tag, .len = (uint32_t)strlen(s), .u.p = s};
}

static void gives(const char *class_name, tg_value v, const tg_schema *schema,
                  const char *bytes, int32_t len)
{
    tg_converter *conv = converter(class_name, "", "value");
    tg_cell *cell = cell_with(v, schema);
    tg_err err = {0};
    if (tg_cell_encode(cell, conv, &err))
        fail_msg("%s: %s", class_name, err.text);
    assert_int_equal(cell->outlen, len);
    if (len > 0)
        assert_memory_equal(cell->out, bytes, (size_t)len);
    tg_converter_free(conv);
}

static void refuses(const char *class_name, tg_value v, const tg_schema *schema,
                    const char *sentence)
{
    tg_converter *conv = converter(class_name, "", "value");
    tg_err err = {0};
    assert_int_equal(tg_cell_encode(cell_with(v, schema), conv, &err),
                     TG_ERR_DATA);
    assert_has(err.text, sentence);
    tg_converter_free(conv);
}

static void reads(const char *class_name, const char *bytes, int32_t len,
                  int tag, double expected)
{
    tg_converter *conv = converter(class_name, "", "key");
    tg_cell *cell = cell_of(batch, conv, bytes, (size_t)len);
    decoded(cell);
    assert_int_equal(cell->value.tag, tag);
    assert_ptr_equal(cell->schema, tg_schema_of(tag, 1, NULL));
    assert_ptr_equal(cell->schema, conv->null_schema);
    double d = tag == TG_BOOL ? (double)cell->value.u.i
                              : tg_value_number(&cell->value, NULL);
    assert_true(d == expected);
    tg_converter_free(conv);
}

static void cannot_read(const char *class_name, const char *bytes, int32_t len,
                        const char *sentence)
{
    tg_converter *conv = converter(class_name, "", "header");
    tg_cell *cell = cell_of(batch, conv, bytes, (size_t)len);
    tg_err err = {0};
    assert_true(conv->strict); /* also when nobody looks */
    assert_int_equal(tg_cell_encode(cell, conv, &err), TG_ERR_DATA);
    assert_has(err.text, sentence);
    tg_converter_free(conv);
}

static void test_numbers_written(void **state)
{
    (void)state;
    gives("ShortConverter", integer(TG_INT16, -2), NULL, "\xff\xfe", 2);
    gives("IntegerConverter", integer(TG_INT32, 5), NULL, "\0\0\0\5", 4);
    gives("Long", integer(TG_INT64, INT64_MIN), NULL, "\x80\0\0\0\0\0\0\0", 8);
    gives("Float", real(TG_FLOAT32, 1.5), NULL, "\x3f\xc0\0\0", 4);
    gives("Double", real(TG_FLOAT64, -0.0), NULL, "\x80\0\0\0\0\0\0\0", 8);
    gives("Boolean", integer(TG_BOOL, 1), NULL, "\1", 1);
    gives("org.apache.kafka.connect.converters.BooleanConverter",
          integer(TG_BOOL, 0), tg_schema_of(TG_BOOL, 0, NULL), "\0", 1);
    gives("Integer", (tg_value){.tag = TG_NULL}, tg_schema_of(TG_STR, 1, NULL),
          "", -1);
}

/* What JSON without a schema holds as text: a Long or a Double. */
static void test_number_texts(void **state)
{
    (void)state;
    gives("Long", text(TG_NUM, "9223372036854775807"), NULL,
          "\x7f\xff\xff\xff\xff\xff\xff\xff", 8);
    gives("Double", text(TG_NUM, "1.5"), NULL, "\x3f\xf8\0\0\0\0\0\0", 8);
    gives("Float", text(TG_NUM, "1.5"), tg_schema_of(TG_FLOAT32, 0, NULL),
          "\x3f\xc0\0\0", 4);
    refuses("Float", text(TG_NUM, "1.5"), NULL,
            "Failed to serialize to float (was class java.lang.Double): ");
    refuses("Double", text(TG_NUM, "9223372036854775807"), NULL,
            "Failed to serialize to double (was class java.lang.Long): ");
    refuses("Long", text(TG_NUM, "9223372036854775808"), NULL,
            "Failed to serialize to long");
}

/* A script's number has no class yet. */
static void test_script_numbers(void **state)
{
    tg_value v = integer(TG_INT64, 300);
    (void)state;
    v.flags = TG_F_NEW;
    gives("Integer", v, NULL, "\0\0\1\x2c", 4);
    gives("Short", v, NULL, "\1\x2c", 2);
    gives("Double", v, NULL, "\x40\x72\xc0\0\0\0\0\0", 8);
    v.u.i = 40000;
    refuses("Short", v, NULL, "Failed to serialize to short");
    v.u.i = 1;
    refuses("Boolean", v, NULL, "BooleanConverter is not compatible");
}

static void test_refusals(void **state)
{
    tg_value date = integer(TG_INT32, 5);
    (void)state;
    refuses("Integer", integer(TG_INT64, 4), NULL,
            "Failed to serialize to integer (was class java.lang.Long): ");
    refuses("Integer", integer(TG_INT16, 4), NULL,
            "Failed to serialize to integer (was class java.lang.Short): ");
    refuses("Short", integer(TG_BOOL, 1), NULL,
            "Failed to serialize to short (was class java.lang.Boolean): ");
    refuses("Double", text(TG_STR, "x"), NULL,
            "Failed to serialize to double (was class java.lang.String): ");
    refuses("Integer", date, tg_schema_of(TG_INT32, 0, "date"),
            "Failed to serialize to integer (was class java.util.Date): ");
    date.aux = TG_LOGICAL_DATE;
    refuses("Integer", date, NULL, "(was class java.util.Date): ");
    refuses("Boolean", integer(TG_INT8, 1), NULL,
            "BooleanConverter is not compatible with objects of type class"
            " java.lang.Byte");
    refuses("Boolean", (tg_value){.tag = TG_NULL},
            tg_schema_of(TG_STR, 1, NULL),
            "Invalid schema type for BooleanConverter: STRING");
    refuses("ByteArray", integer(TG_INT32, 5), tg_schema_of(TG_INT32, 0, NULL),
            "Invalid schema type for ByteArrayConverter: INT32");
    refuses("ByteArray", text(TG_STR, "x"), NULL,
            "ByteArrayConverter is not compatible with objects of type class"
            " java.lang.String");
    refuses("ByteArray", text(TG_BYTES, "x"),
            tg_schema_intern(
                &(tg_schema){.tag = TG_BYTES, .name = TG_DECIMAL_NAME}),
            "objects of type class java.math.BigDecimal");
}

static void test_read(void **state)
{
    (void)state;
    reads("Short", "\xff\xfe", 2, TG_INT16, -2);
    reads("Integer", "\x7f\xff\xff\xff", 4, TG_INT32, INT32_MAX);
    reads("Long", "\xff\xff\xff\xff\xff\xff\xff\xff", 8, TG_INT64, -1);
    reads("Float", "\x3f\xc0\0\0", 4, TG_FLOAT32, 1.5);
    reads("Double", "\x3f\xf8\0\0\0\0\0\0", 8, TG_FLOAT64, 1.5);
    reads("Boolean", "\1", 1, TG_BOOL, 1);
    reads("Boolean", "\0", 1, TG_BOOL, 0);
}

static void test_malformed(void **state)
{
    (void)state;
    cannot_read("Short", "", 0,
                "Failed to deserialize short: Size of data received by"
                " ShortDeserializer is not 2");
    cannot_read("Integer", "\0\0\0", 3,
                "Failed to deserialize integer: Size of data received by"
                " IntegerDeserializer is not 4");
    cannot_read("Long", "123456789", 9, "LongDeserializer is not 8");
    cannot_read("Float", "1", 1,
                "Failed to deserialize float: Size of data received by"
                " Deserializer is not 4");
    cannot_read("Double", "1", 1, "Deserializer is not 8");
    cannot_read("Boolean", "12", 2, "BooleanDeserializer is not 1");
    cannot_read("Boolean", "\2", 1,
                "Failed to deserialize boolean: Unexpected byte received by"
                " BooleanDeserializer: 2");
}

static void test_null(void **state)
{
    static const char *const classes[] = {"Short",  "Integer",  "Long",
                                          "Float",  "Double",   "Boolean",
                                          "String", "ByteArray"};
    (void)state;
    for (int i = 0; i < 8; i++) {
        tg_converter *conv = converter(classes[i], "", "value");
        tg_batch_reset(batch);
        tg_cell *cell = &tg_batch_append(batch)->value;
        tg_cell_set_raw(cell, conv, NULL, 0);
        assert_string_equal(encoded(cell, conv), "(null)");
        assert_true(conv->null_schema && conv->null_schema->optional);
        tg_converter_free(conv);
    }
}

static const tg_schema *optional_form(const tg_schema *schema)
{
    return tg_schema_optional(schema, true);
}

static void test_properties(void **state)
{
    static const struct {
        const char *class_name, *settings;
        int tag;
    } all[] = {{"Short", "", TG_INT16},
               {"Integer", "", TG_INT32},
               {"Long", "", TG_INT64},
               {"Float", "", TG_FLOAT32},
               {"Double", "", TG_FLOAT64},
               {"Boolean", "", TG_BOOL},
               {"ByteArray", "", TG_BYTES},
               {"String", "", TG_STR},
               {"String", "converter.encoding=UTF-16", TG_STR},
               {"String", "converter.encoding=UTF-16LE", TG_STR}};
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        random_options options = {.root = 1u << all[i].tag, .root_null = true};
        tg_converter *conv =
            converter(all[i].class_name, all[i].settings, "value");
        random_check(&(random_run){.options = &options,
                                   .conv = conv,
                                   .records = RECORDS,
                                   .seed = 3,
                                   .expect = optional_form});
        tg_converter_free(conv);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_numbers_written),
                                       cmocka_unit_test(test_number_texts),
                                       cmocka_unit_test(test_script_numbers),
                                       cmocka_unit_test(test_refusals),
                                       cmocka_unit_test(test_read),
                                       cmocka_unit_test(test_malformed),
                                       cmocka_unit_test(test_null),
                                       cmocka_unit_test(test_properties)};
    tg_convert_init();
    batch = tg_batch_new(0, 0);
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    tg_batch_free(batch);
    return rc;
}
