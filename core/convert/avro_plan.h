/*
 * How Avro values are read: what avro_plan.c compiles and avro_decode.c carries
 * out.
 */
#ifndef TG_CONVERT_AVRO_PLAN_H
#define TG_CONVERT_AVRO_PLAN_H
#include "convert/avro.h"

enum { TG_AVRO_LEAST_MAX = 1 << 20 };

typedef enum tg_avro_read {
    OP_NULL,
    OP_BOOL,
    OP_INT8,
    OP_INT16,
    OP_INT,
    OP_LONG,
    OP_FLOAT,
    OP_DOUBLE,
    OP_TEXT,
    OP_BYTES,
    OP_FIXED,
    OP_ENUM,
    OP_NULLABLE,
    OP_STRUCT,
    OP_ARRAY,
    OP_MAP,
    OP_PAIRS,
    OP_UNION,
    OP_ANYTHING
} tg_avro_read;

/* A type with its Connect schema. */
struct tg_avro_plan {
    tg_avro_read op;
    bool decimal, key_first;
    uint32_t n;     /* subs; fixed: bytes */
    uint32_t null;  /* nullable, union: branch of null, or n */
    uint32_t least; /* bytes that a value takes at least */
    const tg_schema *schema;
    tg_shape *shape;
    const tg_avro_plan **subs;
    const uint32_t *slots; /* union: branch to slot */
    const tg_avro *type;
    struct tg_avro_plan *next; /* of the same type */
};

/* Sum of two least lengths, as far as they matter. */
static inline uint32_t tg__avro_plus(uint32_t a, uint32_t b)
{
    return a + b > TG_AVRO_LEAST_MAX ? TG_AVRO_LEAST_MAX : a + b;
}

#endif
