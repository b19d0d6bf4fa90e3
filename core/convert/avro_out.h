/*
 * How values are written in Avro: what avro_out.c compiles and avro_encode.c
 * carries out.
 */
#ifndef TG_CONVERT_AVRO_OUT_H
#define TG_CONVERT_AVRO_OUT_H
#include "convert/avro.h"

/* Slot of a field that records do not have. */
enum { TG_AVRO_NO_SLOT = UINT32_MAX };

typedef enum tg_avro_op {
    OP_BOOL,
    OP_INT,
    OP_LONG,
    OP_FLOAT,
    OP_DOUBLE,
    OP_TEXT,
    OP_BYTES,
    OP_FIXED,
    OP_DECIMAL,
    OP_ENUM,
    OP_STRUCT,
    OP_ARRAY,
    OP_MAP,
    OP_PAIRS,
    OP_UNION,
    OP_ANYTHING
} tg_avro_op;

/* A field of a record, in the order of the record. */
typedef struct tg_avro_out_field {
    const tg_avro_out *plan;
    uint32_t slot;        /* TG_AVRO_NO_SLOT: always the constant */
    uint32_t len;         /* of constant */
    const char *constant; /* what is written for null: the default */
} tg_avro_out_field;

struct tg_avro_out {
    tg_avro_op op;
    bool in_union;
    uint8_t prefixlen; /* branch of the value in its union, encoded */
    uint8_t nulllen;   /* 0: null is refused */
    char prefix[5], null[5];
    bool value_first; /* pairs */
    uint32_t n;
    const tg_schema *schema;
    const tg_avro *type;
    tg_avro_out_field *fields; /* struct */
    const tg_avro_out **subs;
    int32_t scale;
    const tg_shape *checked; /* struct: layout that was seen to fit */
    struct tg_avro_out *next;
};

/* Appends a value that is part of another one (bytes have their length). */
int tg__avro_write(const tg_avro_out *plan, tg_buf *out, tg_batch *batch,
                   const tg_value *v, tg_err *err);
/* "a.b.Record", "long": for messages. */
const char *tg__avro_type_text(const tg_avro *a);

#endif
