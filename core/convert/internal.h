/* What the converters of this folder share with each other only. */
#ifndef TG_CONVERT_INTERNAL_H
#define TG_CONVERT_INTERNAL_H
#include "convert/converter.h"

extern const tg_converter_ops tg__json_ops;
extern const tg_converter_ops tg__string_ops;
extern const tg_converter_ops tg__bytes_ops;
extern const tg_converter_ops tg__header_ops;
extern const tg_converter_ops tg__short_ops, tg__integer_ops, tg__long_ops;
extern const tg_converter_ops tg__float_ops, tg__double_ops, tg__boolean_ops;
extern const tg_converter_ops tg__avro_ops;
extern const tg_converter_ops tg__protobuf_ops, tg__jsonschema_ops;

/* Number of a converter's class and settings; text names the settings that
 * change what bytes mean. */
uint32_t tg__converter_identity(const tg_converter_ops *ops, const char *text);

/* An empty buffer for one encode call, kept from call to call. */
tg_buf *tg__converter_scratch(void);
/* Copies the scratch buffer into the arena as the bytes to send. */
int tg__converter_emit(tg_cell *cell, tg_batch *batch, const tg_buf *buf,
                       tg_err *err);
/* Bytes that live as long as the batch, as the bytes to send. */
int tg__converter_borrow(tg_cell *cell, const char *p, size_t len, tg_err *err);
/* Null bytes: a tombstone. */
int tg__converter_null(tg_cell *cell);
/* TG_ERR_LIMIT for a full arena. */
int tg__converter_full(tg_err *err);

/* Refuses a schema of another type, in Kafka Connect's words. */
int tg__converter_schema(const char *converter, const tg_schema *schema,
                         tg_err *err);

/* Puts the place (element 5, field "a") in front of an error's sentence, as
 * long as there is room for it: far down in a tree the sentence counts more
 * than the path. */
void tg__converter_in(tg_err *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void tg__converter_in_field(tg_err *err, const char *name);

/* Kind of the class that a value has in Java: numbers in text get the one of
 * their schema, or Long or Double; TG_ABSENT for BigDecimal and Date. */
int tg__java_tag(const tg_value *v, const tg_schema *schema);
/* Name of that class: "java.lang.Long", "java.util.Date". */
const char *tg__java_class(const tg_value *v, const tg_schema *schema);

/* tg_schema_default_hook of core/data. */
int tg__json_default(tg_node *parent, const tg_schema *schema, tg_value *out,
                     tg_err *err);
/* True if the converter reads and writes JSON; its decimals are numbers. */
bool tg__json_is(const tg_converter *conv);
bool tg__json_numeric(const tg_converter *conv);

/* script_schema.c: what tg_decimal_hook is. */
int tg__script_decimal(tg_batch *batch, const tg_schema *from,
                       const tg_value *v, const tg_schema *to, tg_value *out,
                       tg_err *err);

#endif
