/* Logical types of values and the text of instants. Any thread. */
#include "convert/logical.h"
#include "data/node.h"
#include <string.h>

enum { DAY_MS = 86400000 };

int tg_logical_schema(const tg_schema *schema)
{
    static const char prefix[] = "org.apache.kafka.connect.data.";
    if (!schema || !schema->name ||
        strncmp(schema->name, prefix, sizeof prefix - 1) != 0)
        return TG_LOGICAL_NONE;
    const char *last = schema->name + sizeof prefix - 1;
    if (schema->tag == TG_BYTES && strcmp(last, "Decimal") == 0)
        return TG_LOGICAL_DECIMAL;
    if (schema->tag == TG_INT32 && strcmp(last, "Date") == 0)
        return TG_LOGICAL_DATE;
    if (schema->tag == TG_INT32 && strcmp(last, "Time") == 0)
        return TG_LOGICAL_TIME;
    if (schema->tag == TG_INT64 && strcmp(last, "Timestamp") == 0)
        return TG_LOGICAL_TIMESTAMP;
    return TG_LOGICAL_NONE;
}

int tg_logical_of(const tg_value *v, const tg_schema *schema)
{
    bool may = tg_tag_is_number(v->tag) || v->tag == TG_BYTES;
    if (!may)
        return TG_LOGICAL_NONE;
    return v->aux ? v->aux : tg_logical_schema(schema);
}

bool tg_logical_instant(const tg_value *v, const tg_schema *schema, int64_t *ms)
{
    int logical = tg_tag_is_int(v->tag) ? tg_logical_of(v, schema) : 0;
    if (logical < TG_LOGICAL_DATE || (!v->aux && v->tag != schema->tag))
        return false;
    *ms = v->u.i;
    return logical != TG_LOGICAL_DATE ||
           !__builtin_mul_overflow(v->u.i, DAY_MS, ms);
}

/* Year, month and day of a day at or after 1970-01-01. */
static void civil(int64_t days, int64_t *year, int *month, int *day)
{
    int64_t z = days + 719468;
    int64_t era = z / 146097, of_era = z % 146097;
    int64_t y =
        (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int64_t mp = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = era * 400 + y + (*month <= 2);
}

static void put_time(tg_buf *out, int64_t of_day)
{
    int ms = (int)of_day;
    tg_buf_printf(out, "%02d:%02d:%02d.%03dZ", ms / 3600000, ms / 60000 % 60,
                  ms / 1000 % 60, ms % 1000);
}

void tg_logical_iso(tg_buf *out, int64_t ms)
{
    int64_t of_day = (ms % DAY_MS + DAY_MS) % DAY_MS, year;
    int month, day;
    if (ms < DAY_MS) {
        put_time(out, of_day);
        return;
    }
    civil(ms / DAY_MS, &year, &month, &day);
    tg_buf_printf(out, "%04lld-%02d-%02d", (long long)year, month, day);
    if (of_day) {
        tg_buf_str(out, "T");
        put_time(out, of_day);
    }
}
