/* What a value is in Java: for the checks of converters and for messages.
 * Script thread. */
#include "convert/internal.h"
#include "convert/logical.h"
#include "data/node.h"

/* Number text without a schema: a Long where it has neither fraction nor
 * exponent. */
static int number_tag(const tg_value *v)
{
    for (uint32_t i = 0; i < v->len; i++)
        if (v->u.p[i] == '.' || (v->u.p[i] | 32) == 'e')
            return TG_FLOAT64;
    return TG_INT64;
}

int tg__java_tag(const tg_value *v, const tg_schema *schema)
{
    if (tg_logical_of(v, schema) != TG_LOGICAL_NONE)
        return TG_ABSENT;
    switch (v->tag) {
    case TG_NUM:
        return schema ? schema->tag : number_tag(v);
    case TG_ESC:
        return TG_STR;
    case TG_PAIRS:
        return TG_MAP;
    default:
        return v->tag;
    }
}

const char *tg__java_class(const tg_value *v, const tg_schema *schema)
{
    static const char *const names[] = {
        [TG_BOOL] = "java.lang.Boolean",
        [TG_INT8] = "java.lang.Byte",
        [TG_INT16] = "java.lang.Short",
        [TG_INT32] = "java.lang.Integer",
        [TG_INT64] = "java.lang.Long",
        [TG_FLOAT32] = "java.lang.Float",
        [TG_FLOAT64] = "java.lang.Double",
        [TG_STR] = "java.lang.String",
        [TG_BYTES] = "[B",
        [TG_ARRAY] = "java.util.ArrayList",
        [TG_MAP] = "java.util.HashMap",
        [TG_STRUCT] = "org.apache.kafka.connect.data.Struct"};
    int logical = tg_logical_of(v, schema);
    if (logical != TG_LOGICAL_NONE)
        return logical == TG_LOGICAL_DECIMAL ? "java.math.BigDecimal"
                                             : "java.util.Date";
    int tag = tg__java_tag(v, schema);
    bool known = tag >= TG_BOOL && tag <= TG_STRUCT && names[tag];
    return known ? names[tag] : "null";
}
