/*
 * Protobuf messages onto values and Connect schemas, as Confluent's
 * ProtobufConverter maps them.
 *
 *   schema text --tg_proto_load--> tg_proto_message
 *                                     |  tg_pb_reader_new: Connect schema, plan
 *                                     +--> tg_pb_decode
 *   tg_schema --tg_pb_text--> schema text --tg_proto_load--> tg_proto_message
 *                                     |  tg_pb_writer_new: plan
 *                                     +--> tg_pb_encode
 *
 * Connect schemas are trees here, so a message inside itself ends as a field of
 * bytes that holds the encoded message (TG_PB_RECURSIVE). Script thread.
 */
#ifndef TG_CONVERT_PROTOBUF_H
#define TG_CONVERT_PROTOBUF_H
#include "convert/converter.h"
#include "convert/proto_file.h"

#define TG_PB_SPACE   "io.confluent.connect.protobuf"
#define TG_PB_ENUM    TG_PB_SPACE ".Enum"
#define TG_PB_UNION   TG_PB_SPACE ".Union"
#define TG_PB_TAG     TG_PB_SPACE ".Tag"
#define TG_PB_TYPE    TG_PB_SPACE ".Type"
#define TG_PB_WRAPPER TG_PB_SPACE ".Wrapper"
/* Of a bytes field that holds an encoded message: the message's full name. */
#define TG_PB_RECURSIVE "tidegate.protobuf.message"
#define TG_PB_PRECISION "connect.decimal.precision"
/* With generalized.sum.type.support. */
#define TG_PB_SUM_UNION "org.apache.kafka.connect.data.Union"
#define TG_PB_SUM_ENUM  "org.apache.kafka.connect.data.Enum"
#define TG_PB_DEFAULT   "ConnectDefault"

/* The settings of ProtobufConverter that change schemas and values. */
typedef struct tg_pb_settings {
    bool generalized;        /* generalized.sum.type.support */
    bool ignore_default;     /* ignore.default.for.nullables */
    bool enhanced;           /* enhanced.protobuf.schema.support */
    bool scrub;              /* scrub.invalid.names */
    bool int_enums;          /* int.for.enums */
    bool optional_nullables; /* optional.for.nullables */
    bool optional_proto2;    /* optional.for.proto2 */
    bool wrapper_nullables;  /* wrapper.for.nullables */
    bool wrapper_raw;        /* wrapper.for.raw.primitives */
    bool struct_nulls;       /* generate.struct.for.nulls */
    bool index_unions;       /* generate.index.for.unions */
    bool flatten;            /* flatten.unions */
} tg_pb_settings;

/* Messages with a meaning of their own. */
enum {
    TG_PB_ORDINARY = 0,
    TG_PB_DECIMAL,
    TG_PB_DATE,
    TG_PB_TIME,
    TG_PB_TIMESTAMP,
    TG_PB_WRAPPED /* google.protobuf.*Value of a scalar */
};
int tg_pb_special(const tg_proto_message *message);
const char *tg_pb_param(const tg_schema *schema, const char *key);
bool tg_pb_is_union(const tg_schema *schema);

/* --- reading -------------------------------------------------------------- */

typedef struct tg_pb_plan tg_pb_plan;

/* How the field of a message becomes a value. */
typedef struct tg_pb_field {
    uint32_t number;
    uint32_t key;    /* number and wire type as it is usually written */
    uint8_t type;    /* TG_PROTO_* */
    uint8_t wire;    /* wire type of a single value */
    uint8_t tag;     /* kind of a single value */
    uint8_t special; /* TG_PB_* of messages */
    bool repeated;   /* an array */
    bool map;        /* with text keys if tag is TG_MAP, else TG_PAIRS */
    bool closed;     /* enum of proto2: other numbers are unknown fields */
    bool raw;        /* TG_PB_RECURSIVE */
    int32_t slot;    /* in its struct */
    int32_t within;  /* slot of the union that has it, -1: none */
    int32_t oneof;   /* -1: none */
    const tg_schema *schema; /* of a single value, its element or a map */
    tg_shape *shape;         /* of a struct */
    tg_pb_plan *sub;         /* message, map entry, wrapper */
    const tg_proto_field *field;
} tg_pb_field;

/* A slot that needs more than a copy of its first value. */
typedef struct tg_pb_fill {
    uint32_t slot;
    const tg_pb_field *field;
} tg_pb_fill;

/* A message as a struct. */
struct tg_pb_plan {
    const tg_proto_message *message;
    const tg_schema *schema; /* required, without a tag */
    tg_shape *shape;
    tg_pb_field *fields; /* n, by number */
    uint32_t n;
    uint32_t noneofs;
    tg_value *first;   /* values of the slots before anything is read */
    tg_pb_fill *fills; /* nfills */
    uint32_t nfills;
    bool stateful;      /* has messages or maps that may come in parts */
    uint8_t direct[64]; /* number -> field + 1, for numbers below 64 */
    bool cut;           /* while it is made: the tree ends at a message above */
};

typedef struct tg_pb_reader {
    tg_arena arena;
    const tg_schema *schema; /* of the whole value */
    tg_shape *shape;
    tg_pb_plan *plan;
    bool scalar; /* the message is a wrapper that stands for its value */
    const tg_pb_settings *set;
} tg_pb_reader;

/* Of a message; version: what the Connect schema gets, 0 for none. The message
 * and the settings must outlive it. NULL with TG_ERR_DATA or TG_ERR_LIMIT. */
tg_pb_reader *tg_pb_reader_new(const tg_proto_message *message,
                               const tg_pb_settings *set, int version,
                               tg_err *err);
void tg_pb_reader_free(tg_pb_reader *reader);
/* Reads p[0..len) completely into cell->value and cell->schema. */
int tg_pb_decode(const tg_pb_reader *reader, const char *p, size_t len,
                 tg_batch *batch, tg_cell *cell, tg_err *err);
/* Special messages: p[0..len) as a value of the schema. TG_ERR_DATA. */
int tg_pb_read_special(int special, const char *p, size_t len,
                       const tg_schema *schema, tg_batch *batch, tg_value *out,
                       tg_err *err);

/* --- writing -------------------------------------------------------------- */

typedef struct tg_pb_out tg_pb_out;

/* How a value becomes a field. */
typedef struct tg_pb_put {
    uint32_t key; /* number and wire type; of the list when it is packed */
    uint8_t type; /* TG_PROTO_* */
    uint8_t special;
    bool repeated;
    bool map;
    bool packed;
    bool skip_zero; /* proto3 without optional: defaults are not written */
    bool missing;   /* the message has no such field: only null goes */
    int32_t slot;   /* in its struct */
    int32_t within; /* slot of the union that has it, -1 */
    const tg_schema *schema; /* of a single value, its element or a map */
    const tg_schema *whole;  /* of the slot: its default */
    tg_pb_out *sub;          /* struct, map entry; wrapper: its field */
    const tg_proto_field *field;
    const char *name;
} tg_pb_put;

/* A struct as a message. */
struct tg_pb_out {
    const tg_proto_message *message;
    const tg_schema *schema;
    tg_pb_put *puts; /* n, by number */
    uint32_t n;
    tg_pb_out *next;
};

typedef struct tg_pb_writer {
    tg_arena arena;
    tg_pb_out *root;
    tg_pb_out *made; /* all of them */
    const tg_schema *schema;
    const tg_pb_settings *set;
    bool lenient; /* fields that the message does not have are left out */
} tg_pb_writer;

/* .proto text of a Connect schema, and the full name of its message; both new
 * strings. NULL with TG_ERR_DATA. */
char *tg_pb_text(const tg_schema *schema, const tg_pb_settings *set,
                 char **message, tg_err *err);
/* How values of a Connect schema are written as a message. */
tg_pb_writer *tg_pb_writer_new(const tg_proto_message *message,
                               const tg_schema *schema,
                               const tg_pb_settings *set, tg_err *err);
void tg_pb_writer_free(tg_pb_writer *writer);
/* Appends the message. */
int tg_pb_encode(const tg_pb_writer *writer, tg_buf *out, tg_batch *batch,
                 tg_cell *cell, const tg_value *v, tg_err *err);
/* Appends the body of a special message for a value. */
int tg_pb_write_special(int special, tg_buf *out, const tg_value *v,
                        const tg_schema *schema, tg_err *err);
/* Appends a name with what Protobuf does not allow replaced, when the settings
 * ask for it. */
void tg_pb_scrub(tg_buf *out, const char *name, const tg_pb_settings *set);

#endif
