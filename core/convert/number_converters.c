/*
 * BooleanConverter and Kafka Connect's NumberConverters (Short, Integer, Long,
 * Float, Double): fixed lengths, big-endian, only values of exactly their
 * class. Without a schema the class of a value is what Java would hold: a JSON
 * integer is a Long, other JSON numbers are a Double. Whole numbers that a
 * script wrote have no class yet and take the converter's when they fit. Script
 * thread.
 */
#include "convert/internal.h"
#include "convert/logical.h"
#include "data/node.h"

typedef struct kind {
    uint8_t tag, size;
    const char *name;   /* in messages */
    const char *reader; /* Kafka's deserializer, as it calls itself */
} kind;

static const kind kinds[] = {{TG_INT16, 2, "short", "ShortDeserializer"},
                             {TG_INT32, 4, "integer", "IntegerDeserializer"},
                             {TG_INT64, 8, "long", "LongDeserializer"},
                             {TG_FLOAT32, 4, "float", "Deserializer"},
                             {TG_FLOAT64, 8, "double", "Deserializer"},
                             {TG_BOOL, 1, "boolean", "BooleanDeserializer"}};

static const kind *kind_of(const tg_converter *conv)
{
    return conv->impl;
}

/* --- reading -------------------------------------------------------------- */

static uint64_t load(const char *p, int n)
{
    uint64_t u = 0;
    for (int i = 0; i < n; i++)
        u = u << 8 | (unsigned char)p[i];
    return u;
}

static void read_value(const kind *k, const char *p, tg_value *out)
{
    uint64_t u = load(p, k->size);
    uint32_t low = (uint32_t)u;
    float f;
    *out = (tg_value){.tag = k->tag};
    if (k->tag == TG_FLOAT64) {
        memcpy(&out->u.d, &u, sizeof u);
    } else if (k->tag == TG_FLOAT32) {
        memcpy(&f, &low, sizeof f);
        out->u.d = (double)f;
    } else {
        int unused = 64 - 8 * k->size;
        out->u.i = (int64_t)(u << unused) >> unused;
    }
}

static int number_decode(const tg_converter *conv, tg_cell *cell,
                         tg_batch *batch, tg_err *err)
{
    const kind *k = kind_of(conv);
    (void)batch;
    if (cell->rawlen != k->size)
        return tg_err_set(err, TG_ERR_DATA,
                          "Failed to deserialize %s: Size of data received by"
                          " %s is not %d (it is %d)",
                          k->name, k->reader, k->size, cell->rawlen);
    if (k->tag == TG_BOOL && (unsigned char)cell->raw[0] > 1)
        return tg_err_set(err, TG_ERR_DATA,
                          "Failed to deserialize boolean: Unexpected byte"
                          " received by BooleanDeserializer: %d (0 and 1 are"
                          " accepted)",
                          (signed char)cell->raw[0]);
    read_value(k, cell->raw, &cell->value);
    cell->schema = conv->null_schema;
    return 0;
}

/* --- writing -------------------------------------------------------------- */

static int store(const kind *k, tg_cell *cell, tg_batch *batch, uint64_t u,
                 tg_err *err)
{
    char *p = tg_arena_alloc(batch->arena, k->size);
    if (!p)
        return tg__converter_full(err);
    for (int i = k->size; i-- > 0; u >>= 8)
        p[i] = (char)u;
    return tg__converter_borrow(cell, p, k->size, err);
}

static bool fits(int tag, int64_t i)
{
    return tag == TG_INT16   ? i == (int16_t)i
           : tag == TG_INT32 ? i == (int32_t)i
                             : true;
}

/* A number that a script wrote, without a schema to say what it is. */
static bool classless(const tg_cell *cell)
{
    const tg_value *v = &cell->value;
    return !cell->schema && v->flags & TG_F_NEW && !v->aux &&
           (v->tag == TG_INT64 || v->tag == TG_FLOAT64);
}

static int wrong_class(const kind *k, const tg_cell *cell, tg_err *err)
{
    const char *found = tg__java_class(&cell->value, cell->schema);
    if (k->tag == TG_BOOL)
        return tg_err_set(err, TG_ERR_DATA,
                          "BooleanConverter is not compatible with objects of"
                          " type class %s",
                          found);
    return tg_err_set(err, TG_ERR_DATA,
                      "Failed to serialize to %s (was class %s): only %s"
                      " values are accepted; cast the value or choose another"
                      " converter",
                      k->name, found, tg_schema_type_upper(k->tag));
}

static int number_encode(const tg_converter *conv, tg_cell *cell,
                         tg_batch *batch, tg_err *err)
{
    const kind *k = kind_of(conv);
    const tg_value *v = &cell->value;
    bool null = cell->state == TG_CELL_NULL || v->tag <= TG_NULL;
    int32_t ok = 0;
    uint64_t bits;
    if (k->tag == TG_BOOL && cell->schema && cell->schema->tag != TG_BOOL)
        return tg__converter_schema("BooleanConverter", cell->schema, err);
    if (null)
        return tg__converter_null(cell);
    if (tg__java_tag(v, cell->schema) != k->tag && !classless(cell))
        return wrong_class(k, cell, err);
    if (k->tag == TG_BOOL)
        return v->tag == TG_BOOL ? store(k, cell, batch, (uint64_t)v->u.i, err)
                                 : wrong_class(k, cell, err);
    if (tg_tag_is_int(k->tag)) {
        int64_t i = tg_value_int64(v, &ok);
        return ok && fits(k->tag, i) ? store(k, cell, batch, (uint64_t)i, err)
                                     : wrong_class(k, cell, err);
    }
    double d = tg_value_number(v, &ok);
    float f = (float)d;
    uint32_t low;
    memcpy(&bits, &d, sizeof bits);
    memcpy(&low, &f, sizeof low);
    return store(k, cell, batch, k->tag == TG_FLOAT32 ? low : bits, err);
}

/* --- the converters ------------------------------------------------------- */

static int configure(tg_converter *conv, int which)
{
    conv->impl = (void *)&kinds[which];
    conv->strict = true;
    conv->null_schema = tg_schema_of(kinds[which].tag, 1, NULL);
    conv->identity = tg__converter_identity(conv->ops, "");
    return 0;
}

#define NUMBER_CONVERTER(prefix, which, java)                                  \
    static int prefix##_configure(tg_converter *conv, const json_t *config,    \
                                  tg_err *err)                                 \
    {                                                                          \
        (void)config;                                                          \
        (void)err;                                                             \
        return configure(conv, which);                                         \
    }                                                                          \
    const tg_converter_ops tg__##prefix##_ops = {                              \
        .class_name = "org.apache.kafka.connect.converters." java "Converter", \
        .short_name = java,                                                    \
        .decode = number_decode,                                               \
        .encode = number_encode,                                               \
        .configure = prefix##_configure,                                       \
    }

NUMBER_CONVERTER(short, 0, "Short");
NUMBER_CONVERTER(integer, 1, "Integer");
NUMBER_CONVERTER(long, 2, "Long");
NUMBER_CONVERTER(float, 3, "Float");
NUMBER_CONVERTER(double, 4, "Double");
NUMBER_CONVERTER(boolean, 5, "Boolean");
