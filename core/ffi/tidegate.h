/*
 * The FFI contract: every structure and function that C and Lua share.
 *
 * This file is the only source of the layout. gcc compiles it; the build turns
 * it into the text given to ffi.cdef (cmake/ffi_cdef.cmake drops lines that
 * start with '#' and comments). Keep to the subset that both understand: plain
 * structs, enums, prototypes; no macros, no bit-fields, no inline functions,
 * no aggregates by value. sizeof and offsetof of every member are compared on
 * both sides by tests/lua/abi_spec.lua.
 *
 * Thread: everything here belongs to the script thread of one task process.
 * Functions never raise a Lua error, never call back into Lua and never wait.
 * Those that can fail return 0 or a negative TG_ERR_* and leave one sentence
 * in tg_ffi_error().
 *
 * Ownership: everything reachable from a batch lives in the arena of the batch
 * and dies when the batch is reset. Lua borrows it for the length of one call.
 */
#ifndef TIDEGATE_FFI_H
#define TIDEGATE_FFI_H
#include <stdint.h>
#pragma GCC visibility push(default)

enum { TG_ABI = 1 };

/* Every status of the project. 0 is success; texts are in core/base/err.c. */
enum {
    TG_OK = 0,
    TG_ERR_ARG = -1,     /* a caller passed something impossible */
    TG_ERR_CONFIG = -2,  /* a setting is missing or wrong */
    TG_ERR_DATA = -3,    /* a record does not fit: goes to the error policy */
    TG_ERR_IO = -4,      /* file, pipe, socket */
    TG_ERR_KAFKA = -5,   /* librdkafka or the broker */
    TG_ERR_SCRIPT = -6,  /* a Lua error */
    TG_ERR_TIMEOUT = -7, /* a deadline passed */
    TG_ERR_LIMIT = -8,   /* a size limit, out of memory */
    TG_ERR_STATE = -9,   /* not possible now */
    TG_ERR_NOTFOUND = -10,
    TG_ERR_STOPPED = -11 /* interrupted because the task stops */
};

/* Kind of a value. The order is part of the contract. */
enum {
    TG_ABSENT = 0, /* no such field: never written out */
    TG_NULL = 1,
    TG_BOOL = 2, /* u.i is 0 or 1 */
    TG_INT8 = 3, /* u.i, as all integers */
    TG_INT16 = 4,
    TG_INT32 = 5,
    TG_INT64 = 6,   /* schemaless integers are INT64 */
    TG_FLOAT32 = 7, /* u.d */
    TG_FLOAT64 = 8, /* u.d */
    TG_NUM = 9,     /* u.p, len: number text as received, parsed when read */
    TG_STR = 10,    /* u.p, len: UTF-8; may be emitted without an escape scan
                       unless TG_F_NEW is set */
    TG_ESC = 11,    /* u.p, len: JSON string text that contains escapes, without
                       the quotes */
    TG_BYTES = 12,  /* u.p, len */
    TG_ARRAY = 13,  /* u.node; slots are the elements */
    TG_MAP = 14,    /* u.node; object with string keys, names in the shape */
    TG_STRUCT = 15, /* u.node; as TG_MAP, the shape carries a schema */
    TG_PAIRS = 16   /* u.node; map with other keys: slots are key, value, ... */
};

/* Flags of a value. */
enum {
    TG_F_NEW = 1 /* made by a script or connector: no source text, and strings
                    need an escape scan when they are encoded as JSON */
};

/*
 * tg_value.aux: the logical type of a value that no schema describes (Java's
 * BigDecimal and Date in trees without a schema). Where there is a schema it
 * decides, and aux may be set as well. A DECIMAL is TG_NUM, the text as
 * BigDecimal prints it (10.00, 1E+3); DATE is TG_INT32 (days), TIME is TG_INT32
 * (ms of the day), TIMESTAMP is TG_INT64 (ms since 1970-01-01 UTC). Under a
 * schema a decimal may be TG_BYTES (unscaled) or a number.
 */
enum {
    TG_LOGICAL_NONE = 0,
    TG_LOGICAL_DECIMAL = 1,
    TG_LOGICAL_DATE = 2,
    TG_LOGICAL_TIME = 3,
    TG_LOGICAL_TIMESTAMP = 4
};

/* What a script wants to happen with a record. */
enum {
    TG_KEEP = 0,
    TG_DROP = 1,   /* filtered: not passed on, counts as processed */
    TG_RETRY = 2,  /* sink put: hand this record to put again */
    TG_REJECT = 3, /* goes to the error policy with record.reason */
    TG_DONE = 4    /* sink put: written; the default after a put */
};

/* State of a cell. */
enum {
    TG_CELL_NULL = 0,    /* no bytes, no value: null without a schema */
    TG_CELL_RAW = 1,     /* raw holds bytes that conv can decode; not decoded */
    TG_CELL_DECODED = 2, /* value is valid; raw too unless raw is NULL */
    TG_CELL_BAD = 3      /* decoding failed; reason is in the record */
};

/* Where a record's timestamp comes from. */
enum {
    TG_TIME_NONE = 0,
    TG_TIME_CREATE = 1,
    TG_TIME_APPEND = 2, /* the broker's log append time */
    TG_TIME_POLL = 3    /* the moment of the poll: the producer may stamp the
                           record when it sends it, which is cheaper */
};

/* Which cell of a record. Headers are >= 0 by index. */
enum { TG_VALUE = -1, TG_KEY = -2 };

typedef struct tg_arena tg_arena;
typedef struct tg_schema tg_schema;
typedef struct tg_shape_priv tg_shape_priv;
typedef struct tg_converter tg_converter;
typedef struct tg_undo tg_undo;
typedef struct tg_plan tg_plan;

/* 16 bytes. */
typedef struct tg_value {
    uint8_t tag;
    uint8_t flags;
    uint16_t aux;
    uint32_t len; /* bytes of p */
    union {
        int64_t i;
        double d;
        const char *p;
        struct tg_node *node;
    } u;
} tg_value;

/* An interned field name; never freed, so its address identifies it. */
typedef struct tg_name {
    uint32_t id;
    uint32_t len;
    uint32_t hash;
    uint32_t jsonlen;
    const char *text; /* UTF-8, NUL-terminated for convenience */
    const char *json; /* ,"name": escaped, as the encoder writes it */
} tg_name;

/*
 * The ordered field names of an object. Interned and immortal when id > 0, so
 * one shape is one layout. id 0: a private shape in the batch arena (its names
 * point into the input), made when a site used up its budget of layouts.
 * id 1: the shape of all arrays and pairs, without names.
 */
typedef struct tg_shape {
    uint32_t id;
    uint32_t n;
    const tg_name **names;   /* n */
    const tg_schema *schema; /* NULL unless the object is a TG_STRUCT */
    tg_shape_priv *priv;
} tg_shape;

/* An object or array: 64 bytes, allocated with slots behind it. Never moves;
 * only its slots move when it grows, so views stay valid. */
typedef struct tg_node {
    tg_shape *shape;
    tg_value *slots;
    struct tg_node *parent; /* NULL at the root of a cell */
    struct tg_cell *cell;
    const char *src; /* text it was decoded from, NULL if made by a script */
    uint32_t srclen;
    uint32_t n;     /* slots in use */
    uint32_t cap;   /* slots allocated */
    uint32_t born;  /* serial of the batch that made it */
    uint32_t epoch; /* last stage epoch that saved it for undo */
    uint8_t kind;   /* TG_ARRAY, TG_MAP, TG_STRUCT or TG_PAIRS */
    uint8_t dirty;  /* it or something below differs from src */
    uint16_t reserved;
} tg_node;

/* Key, value or the value of a header. */
typedef struct tg_cell {
    tg_value value;           /* valid in state DECODED */
    const char *raw;          /* bytes as received, NULL when there are none */
    const char *out;          /* bytes to send, set by the converter */
    const tg_converter *conv; /* how raw was encoded, NULL if there is no raw */
    const tg_schema *schema;  /* NULL: schemaless */
    struct tg_record *record;
    int32_t rawlen;
    int32_t outlen; /* -1: null bytes (tombstone) */
    uint8_t state;  /* TG_CELL_* */
    uint8_t dirty;  /* value differs from raw */
    uint16_t reserved;
    uint32_t epoch; /* last stage epoch that saved it for undo */
} tg_cell;

typedef struct tg_header {
    const char *name;
    uint32_t namelen;
    uint32_t reserved;
    tg_cell cell;
} tg_header;

typedef struct tg_record {
    tg_cell key;
    tg_cell value;
    tg_header *headers; /* of a consumed record: after tg_record_headers */
    uint32_t nheaders;
    uint32_t capheaders;
    const char *topic;
    uint32_t topiclen;
    int32_t partition; /* -1: the producer chooses */
    int64_t timestamp; /* ms since the epoch, -1: none */
    /* Where the record came from; transforms cannot change it. */
    const char *origin_topic; /* sink: consumed topic; source: NULL */
    int32_t origin_partition; /* sink: partition; source: id given by
                                 tg_task_source_partition, -1: none */
    uint32_t origin_topiclen;
    int64_t origin_offset;     /* sink: Kafka offset; source: the integer of the
                                  short offset form */
    const char *source_offset; /* source: offset as compact JSON object, NULL
                                  when the short form is used */
    uint32_t source_offsetlen;
    uint8_t timestamp_type; /* TG_TIME_* */
    uint8_t verdict;        /* TG_KEEP ... */
    uint16_t stage;         /* stage that set the verdict */
    uint32_t reasonlen;
    uint32_t epoch;
    const char *reason; /* why it was rejected; arena */
    struct tg_batch *batch;
    struct tg_record *split; /* next record that a script made from this one */
    const void *unread; /* sink: message that the headers are still to be read
                           from (tg_record_headers), else NULL */
} tg_record;

/*
 * One poll. items lists the records in order. A record that a script adds
 * hangs on the split list of the record it was made from until
 * tg_batch_settle() folds the lists in and takes the dropped records out.
 */
typedef struct tg_batch {
    tg_record **items;
    uint32_t n;
    uint32_t cap;
    uint32_t serial; /* never 0; unique among living batches of the process */
    uint32_t epoch;  /* current stage epoch; 0: no undo wanted */
    uint32_t cursor; /* record that the script is looking at (breadcrumb) */
    uint32_t lo;     /* each() walks [lo, hi): the host narrows it to one */
    uint32_t hi;     /* record when it looks for a culprit */
    uint32_t max;    /* source poll: most records wanted */
    tg_arena *arena;
    tg_undo *undo;
    uint64_t bytes; /* payload bytes, kept by the codecs */
    void *owner;    /* the task's */
} tg_batch;

/* --- errors ------------------------------------------------------------- */

/* Sentence about the last failed call of this file on this thread; never NULL.
 * Valid until the next call. */
const char *tg_ffi_error(void);

/* --- names and shapes --------------------------------------------------- */

/* Interns a name. NULL when it is not UTF-8, or above 4 million names. */
const tg_name *tg_name_intern(const char *text, uint32_t len);

/* Slot of a field in a node of kind MAP or STRUCT, or -1. Works for private
 * shapes too. name must come from tg_name_intern. */
int32_t tg_slot_find(const tg_node *node, const tg_name *name);

/* The same by text, without interning: for private shapes and rare names. */
int32_t tg_slot_find_text(const tg_node *node, const char *text, uint32_t len);

/* One more than the highest shape id so far: sizes the lookup caches in Lua.
 * Never above 32,000. */
uint32_t tg_shape_count(void);

/* --- reading ------------------------------------------------------------ */

/* Decodes a cell if it is RAW. 0, or TG_ERR_DATA with the record rejected. */
int32_t tg_cell_open(tg_cell *cell);

/* A number of any numeric kind as double. Sets *ok to 0 if it is no number.
 * Integers beyond 2^53 are rounded: read those with tg_value_int64. */
double tg_value_number(const tg_value *v, int32_t *ok);

/* An integer exactly; *ok 0 when v is no integer or does not fit. */
int64_t tg_value_int64(const tg_value *v, int32_t *ok);

/* Text of a string (unescaped into the arena when it is TG_ESC). Sets *len.
 * NULL when v is neither string nor bytes. */
const char *tg_value_text(tg_batch *batch, const tg_value *v, uint32_t *len);

/* 1 when v is a string or bytes value equal to the given bytes. Nothing is
 * interned or copied. */
int32_t tg_value_eq(tg_batch *batch, const tg_value *v, const char *p,
                    uint32_t len);

/* The same by slot of a node, with a default for a slot of -1, null and values
 * of other kinds: one call without a branch in Lua (typed handles). A Decimal
 * is a number, and its text. */
double tg_slot_number(const tg_node *node, int32_t slot, double dflt);
/* Sets *ok to 0 when the default was taken. */
int64_t tg_slot_int64(const tg_node *node, int32_t slot, int64_t dflt,
                      int32_t *ok);
/* NULL stands for the default. */
const char *tg_slot_text(tg_batch *batch, const tg_node *node, int32_t slot,
                         uint32_t *len);

/* JSON text of a value, compact, as JsonConverter with schemas off writes it;
 * in the arena. NULL on error. */
const char *tg_value_json(tg_batch *batch, const tg_value *v, uint32_t *len);

/* --- writing a node ------------------------------------------------------
 * slot is an existing slot, or -1 with a name to add the field at the end.
 * Arrays: slot is the element (0-based); slot == n appends; name is NULL.
 * Writing a value equal to the old one changes nothing and leaves the node
 * clean. An INT slot keeps its kind when the new number is integral, a FLOAT
 * slot keeps its. In a struct the value must fit the field's schema, and a new
 * field gets an optional schema of the value's kind. Strings are copied.
 */
int32_t tg_put_null(tg_node *node, int32_t slot, const tg_name *name);
int32_t tg_put_bool(tg_node *node, int32_t slot, const tg_name *name,
                    int32_t b);
int32_t tg_put_number(tg_node *node, int32_t slot, const tg_name *name,
                      double d);
int32_t tg_put_int64(tg_node *node, int32_t slot, const tg_name *name,
                     int64_t i);
int32_t tg_put_text(tg_node *node, int32_t slot, const tg_name *name,
                    const char *p, uint32_t len);
int32_t tg_put_bytes(tg_node *node, int32_t slot, const tg_name *name,
                     const char *p, uint32_t len);
/* Deep copy of a value that lives in any batch; number text is kept. */
int32_t tg_put_copy(tg_node *node, int32_t slot, const tg_name *name,
                    const tg_value *v);
/* The same of a slot of another node, whose schema is known: a Decimal, date or
 * time keeps its meaning. A new field gets the schema, another Decimal other
 * digits; where the meaning would change it is an error. */
int32_t tg_put_slot(tg_node *node, int32_t slot, const tg_name *name,
                    const tg_node *from, int32_t from_slot);
/* A new empty array or map (kind TG_ARRAY or TG_MAP), returned for filling;
 * NULL on error. In a struct TG_MAP makes what the schema of the field asks
 * for, and a nested struct when the field is new; TG_STRUCT asks for one. */
tg_node *tg_put_node(tg_node *node, int32_t slot, const tg_name *name,
                     int32_t kind);
/* Removes a field, or an array element (later ones move down). */
int32_t tg_delete(tg_node *node, int32_t slot);
/* Renames a field in place; an existing field of the new name is removed. */
int32_t tg_rename(tg_node *node, int32_t slot, const tg_name *name);
/* Sets the value to the zero of its kind as MaskField does: numbers 0, string
 * "", boolean false, array and map empty; null stays null. TG_ERR_DATA for
 * bytes and structs. */
int32_t tg_put_zero(tg_node *node, int32_t slot);

/* --- writing a cell (whole key, value, header value) -------------------- */

int32_t tg_cell_put_null(tg_cell *cell);
int32_t tg_cell_put_bool(tg_cell *cell, int32_t b);
int32_t tg_cell_put_number(tg_cell *cell, double d);
int32_t tg_cell_put_int64(tg_cell *cell, int64_t i);
int32_t tg_cell_put_text(tg_cell *cell, const char *p, uint32_t len);
int32_t tg_cell_put_bytes(tg_cell *cell, const char *p, uint32_t len);
int32_t tg_cell_put_copy(tg_cell *cell, const tg_value *v);
/* kind TG_ARRAY, TG_MAP (a struct when the cell held one) or TG_STRUCT. */
tg_node *tg_cell_put_node(tg_cell *cell, int32_t kind);
/* Bytes in the encoding of a named converter ("json", "string", "bytes"):
 * they are decoded only when somebody looks. Copied. */
int32_t tg_cell_put_encoded(tg_cell *cell, const char *conv, const char *p,
                            uint32_t len);

/* --- plans: select and rename fields, compiled once per shape ------------ */

/* include (may be empty), exclude: names; from/to: renames. As ReplaceField:
 * a field is kept if it is not excluded and include is empty or lists it,
 * tested before renaming. Owned by the process, never freed while a plugin
 * may use it: free with tg_plan_free when the plugin goes. */
tg_plan *tg_plan_new(void);
void tg_plan_free(tg_plan *plan);
void tg_plan_include(tg_plan *plan, const tg_name *name);
void tg_plan_exclude(tg_plan *plan, const tg_name *name);
void tg_plan_rename(tg_plan *plan, const tg_name *from, const tg_name *to);
/* Applies the plan to a MAP or STRUCT node: one lookup and one pass. */
int32_t tg_plan_apply(tg_plan *plan, tg_node *node);

/* --- schemas ------------------------------------------------------------- */

/* The shared schema of a primitive kind (TG_BOOL ... TG_BYTES); logical is
 * NULL or "timestamp", "date", "time". NULL if there is no such schema. */
const tg_schema *tg_schema_of(int32_t tag, int32_t optional,
                              const char *logical);
/* Adds a field with a given schema to a struct (TG_ERR_DATA when the name
 * exists, as Kafka Connect refuses it); in a map it only adds or finds the
 * slot. Returns the slot, holding null, or a negative TG_ERR_*. */
int32_t tg_add_field(tg_node *node, const tg_name *name,
                     const tg_schema *schema);
/* Kind (TG_INT8 ...) that the schema of a struct field asks for, 0 if the node
 * is no struct. */
int32_t tg_field_kind(const tg_node *node, int32_t slot);

/* --- records ------------------------------------------------------------- */

/* Source poll: a new record at the end of the batch, all null. NULL when the
 * batch is full (max records or its byte limit), and while a stage is open. */
tg_record *tg_batch_append(tg_batch *batch);
/* A copy of rec (deep, cells keep their raw bytes) that follows it, for
 * scripts that split. NULL on error. */
tg_record *tg_record_split(tg_record *rec);
/* Strings are copied. Topic must be a legal Kafka topic name. */
int32_t tg_record_set_topic(tg_record *rec, const char *p, uint32_t len);
int32_t tg_record_set_partition(tg_record *rec, int32_t partition);
int32_t tg_record_set_timestamp(tg_record *rec, int64_t ms);
int32_t tg_record_set_verdict(tg_record *rec, int32_t verdict,
                              const char *reason, uint32_t len);
/* Source: where the record came from; the short form is one integer under the
 * offset name registered with the partition. */
int32_t tg_record_set_source(tg_record *rec, int32_t partition, int64_t offset);
int32_t tg_record_set_source_json(tg_record *rec, int32_t partition,
                                  const char *json, uint32_t len);
/* Number of headers. Those of a consumed record are read from its message by
 * the first call: until then headers and nheaders say there are none, and
 * unread is set. TG_ERR_DATA with the record rejected when they do not fit into
 * the memory of the batch. No write: undo keeps what was read. */
int32_t tg_record_headers(tg_record *rec);
/* Index of the next header of that name at or after from, or -1; also when the
 * headers cannot be read. */
int32_t tg_header_find(tg_record *rec, const char *name, uint32_t len,
                       int32_t from);
/* Appends a header with a null value and returns its index, or TG_ERR_*. */
int32_t tg_header_add(tg_record *rec, const char *name, uint32_t len);
/* Removes header i; later ones move down. */
int32_t tg_header_remove(tg_record *rec, int32_t i);

/* --- services for connectors: lines of files -----------------------------
 * Bulk work for connectors that read or write text, so that no line crosses
 * the border by itself. Blocking only as long as a local file system does.
 */
typedef struct tg_line_reader tg_line_reader;
typedef struct tg_line_writer tg_line_writer;

/* How lines become values. */
enum { TG_LINES_TEXT = 0, TG_LINES_JSON = 1, TG_LINES_BYTES = 2 };

/* Opens path for tailing from a byte position; path NULL is standard input.
 * NULL with tg_ffi_error(). Free with tg_lines_close. */
tg_line_reader *tg_lines_open(const char *path, int64_t position);
void tg_lines_close(tg_line_reader *reader);
/*
 * Appends up to batch->max complete lines as records with the topic, source
 * partition and byte position after each line as source offset (short form).
 * Returns the number of records, 0 at the end of what is there now, or
 * TG_ERR_IO. A last line without newline waits for it. A file that was
 * replaced (other inode) is read to its end, and on until the new one is no
 * longer empty, then the new one from 0; a file that became shorter than the
 * position is read again from 0.
 */
int32_t tg_lines_read(tg_line_reader *reader, tg_batch *batch, int32_t mode,
                      const char *topic, uint32_t topiclen, int32_t partition);
/* Byte position after the last line handed out, and size of the file now. */
int64_t tg_lines_position(const tg_line_reader *reader);
int64_t tg_lines_size(const tg_line_reader *reader);
/* Incremented each time the file was replaced or truncated. */
int32_t tg_lines_restarts(const tg_line_reader *reader);

/* Opens path for appending (created if missing); NULL is standard output. */
tg_line_writer *tg_writer_open(const char *path);
void tg_writer_close(tg_line_writer *writer);
/* Writes the value of every record of [batch->lo, batch->hi) as one line: text
 * and bytes as they are, JSON-decoded values as JSON text (clean ones as
 * received), null as "null". Buffers. Returns records written or TG_ERR_IO. */
int32_t tg_writer_put(tg_line_writer *writer, tg_batch *batch);
/* Writes out the buffer; sync != 0 also calls fdatasync. 0 or TG_ERR_IO. */
int32_t tg_writer_flush(tg_line_writer *writer, int32_t sync);

/* --- services of the task ------------------------------------------------ */

/* Registers a source partition (a compact JSON object such as
 * {"filename":"x"}) and the member name of its short offset form (NULL when
 * only JSON offsets are used). The same partition gives the same id. */
int32_t tg_task_source_partition(const char *json, uint32_t len,
                                 const char *offset_name, uint32_t namelen);
/* Monotonic clock in ns, wall clock in ms. */
int64_t tg_clock_ns(void);
int64_t tg_clock_ms(void);
/* 1 when the task was asked to stop: long loops should return. */
int32_t tg_task_stopping(void);

/* --- schemas and decimals for scripts (convert/script_schema.c) ----------- */

/* The schema that a text in the form of JsonConverter's envelope describes;
 * equal texts give one pointer, which lives as long as the process. NULL with
 * tg_ffi_error(). */
const tg_schema *tg_schema_parse(const char *json, uint32_t len);
/* That text of a schema; lives as long as the schema. */
const char *tg_schema_json(const tg_schema *schema, uint32_t *len);
/* Schema of a map, struct or array of a record; NULL if it has none. */
const tg_schema *tg_schema_at(const tg_node *node);
/* Exact text of a Decimal as BigDecimal prints it: of a slot of a node whose
 * schema says Decimal, or of a decoded cell. In the arena. NULL with *len 0
 * when it is no Decimal, with *len 1 on error. */
const char *tg_decimal_slot(tg_batch *batch, const tg_node *node, int32_t slot,
                            uint32_t *len);
const char *tg_decimal_cell(tg_cell *cell, uint32_t *len);

/* --- stock transforms ----------------------------------------------------
 * What the files in lua/tidegate/transforms call. Each tg_stock_<what> makes a
 * transform from its configuration; the functions behind it add to it, before
 * the first batch. tg_stock_apply is one call a batch and rejects the records
 * that do not fit one by one, with Kafka Connect's sentence.
 *
 * side: TG_KEY or TG_VALUE. defaults: null fields of a struct read as their
 * schema's default. Fields are given as text with v2: 0 for a plain name, 1 for
 * a path in the syntax of KIP-821 (a.b, `a.b`.c). Texts are copied. NULL and
 * TG_ERR_CONFIG: tg_ffi_error() says what is wrong.
 */
typedef struct tg_field_path tg_field_path;
typedef struct tg_stock tg_stock;

int32_t tg_stock_apply(tg_stock *stock, tg_batch *batch);
void tg_stock_free(tg_stock *stock);

/* The path to a field, for checking configurations. */
tg_field_path *tg_stock_path_new(const char *text, uint32_t len, int32_t v2);
void tg_stock_path_free(tg_field_path *path);

/* Cast. whole and tag: TG_BOOL ... TG_FLOAT64 or TG_STR; whole is 0 when fields
 * are cast. */
tg_stock *tg_stock_cast(int32_t side, int32_t defaults, int32_t whole);
int32_t tg_stock_cast_field(tg_stock *stock, const char *field, uint32_t len,
                            int32_t v2, int32_t tag);
/* DropHeaders. */
tg_stock *tg_stock_drop_headers(void);
void tg_stock_drop_headers_name(tg_stock *stock, const char *name,
                                uint32_t len);
/* ExtractField. */
tg_stock *tg_stock_extract_field(int32_t side, int32_t defaults,
                                 const char *field, uint32_t len, int32_t v2);
/* ExtractTopic. side 0: the header called field; field may be empty on the
 * other sides (all of it). syntax: as v2, or TG_PATH_JSON. */
enum { TG_PATH_JSON = 2 };
tg_stock *tg_stock_extract_topic(int32_t side, const char *field, uint32_t len,
                                 int32_t syntax, int32_t skip);
/* Filter. */
tg_stock *tg_stock_filter(void);
/* Flatten. */
tg_stock *tg_stock_flatten(int32_t side, const char *delimiter, uint32_t len);
/* HeaderFrom. */
tg_stock *tg_stock_header_from(int32_t side, int32_t defaults, int32_t move);
int32_t tg_stock_header_from_pair(tg_stock *stock, const char *field,
                                  uint32_t len, int32_t v2, const char *header,
                                  uint32_t headerlen);
/* HoistField. */
tg_stock *tg_stock_hoist(int32_t side, const char *field, uint32_t len);
/* InsertField. what: TG_INSERT_*; text: of TG_INSERT_STATIC. */
enum {
    TG_INSERT_TOPIC = 0,
    TG_INSERT_PARTITION = 1,
    TG_INSERT_OFFSET = 2,
    TG_INSERT_TIMESTAMP = 3,
    TG_INSERT_STATIC = 4
};
tg_stock *tg_stock_insert_field(int32_t side, int32_t defaults);
int32_t tg_stock_insert_field_add(tg_stock *stock, int32_t what,
                                  const char *field, uint32_t len, int32_t v2,
                                  int32_t required, const char *text,
                                  uint32_t textlen);
/* InsertHeader. */
tg_stock *tg_stock_insert_header(const char *name, uint32_t len,
                                 const char *literal, uint32_t literallen);
/* MaskField. text: the replacement, NULL for zeroes; forms: what it is, as Java
 * reads it; i and d: its values as such. */
enum {
    TG_MASK_INT = 1,  /* an integer; of a fraction the part before the point */
    TG_MASK_REAL = 2, /* a double */
    TG_MASK_JSON = 4  /* it has the form of a JSON number */
};
tg_stock *tg_stock_mask_field(int32_t side, int32_t defaults, const char *text,
                              uint32_t len, int32_t forms, int64_t i, double d);
int32_t tg_stock_mask_field_add(tg_stock *stock, const char *field,
                                uint32_t len, int32_t v2);
/* ReplaceField. */
tg_stock *tg_stock_replace_field(int32_t side, int32_t defaults);
int32_t tg_stock_replace_field_exclude(tg_stock *stock, const char *field,
                                       uint32_t len, int32_t v2);
int32_t tg_stock_replace_field_include(tg_stock *stock, const char *field,
                                       uint32_t len, int32_t v2);
int32_t tg_stock_replace_field_rename(tg_stock *stock, const char *field,
                                      uint32_t len, int32_t v2, const char *to,
                                      uint32_t tolen);
/* SetSchemaMetadata. name NULL: it stays. */
tg_stock *tg_stock_schema_metadata(int32_t side, int32_t defaults,
                                   const char *name, int32_t has_version,
                                   int32_t version);
/* ValueToKey. */
tg_stock *tg_stock_value_to_key(int32_t defaults);
int32_t tg_stock_value_to_key_field(tg_stock *stock, const char *field,
                                    uint32_t len, int32_t v2);

/* RegexRouter, TimestampRouter. */
tg_stock *tg_stock_regex_router(const char *regex, uint32_t len,
                                const char *replacement, uint32_t replen);
tg_stock *tg_stock_timestamp_router(const char *topic_format, uint32_t len,
                                    const char *timestamp_format,
                                    uint32_t timelen);
/* TimestampConverter; pattern may be empty unless the target is a string. */
enum {
    TG_TIME_TO_STRING = 0,
    TG_TIME_TO_UNIX = 1,
    TG_TIME_TO_DATE = 2, /* these as TG_LOGICAL_* */
    TG_TIME_TO_TIME = 3,
    TG_TIME_TO_TIMESTAMP = 4
};
enum {
    TG_UNIX_SECONDS = 0,
    TG_UNIX_MILLIS = 1,
    TG_UNIX_MICROS = 2,
    TG_UNIX_NANOS = 3
};
tg_stock *tg_stock_timestamp_converter(int32_t side, int32_t defaults,
                                       int32_t target, int32_t precision,
                                       const char *pattern, uint32_t len);
int32_t tg_stock_timestamp_converter_field(tg_stock *stock, const char *field,
                                           uint32_t len, int32_t v2);

/* Predicates. TG_HIDDEN: verdict of a record that a predicate keeps from a
 * transform; no record has it outside of that transform's call. text: name of
 * the header, or the regular expression for the topic. */
enum { TG_HIDDEN = 255 };
enum { TG_TEST_HEADER = 0, TG_TEST_TOMBSTONE = 1, TG_TEST_TOPIC = 2 };
typedef struct tg_stock_test tg_stock_test;
tg_stock_test *tg_stock_test_new(int32_t what, const char *text, uint32_t len);
void tg_stock_test_free(tg_stock_test *test);
/* Hides the records in [batch->lo, batch->hi) for which the predicate is false
 * (negate: true), and rejects those that it cannot look at. Number of records
 * that are left. */
int32_t tg_stock_test_hide(tg_stock_test *test, tg_batch *batch,
                           int32_t negate);
/* Shows what is hidden there. */
void tg_stock_test_show(tg_batch *batch);

/* --- texts: Java regular expressions and date patterns --------------------
 * Objects belong to the script thread. Texts that are returned live until the
 * next call of this section.
 */

typedef struct tg_regex tg_regex;
typedef struct tg_date_format tg_date_format;

/* A java.util.regex.Pattern. NULL: what is wrong with it, and where. */
tg_regex *tg_regex_compile(const char *p, uint32_t len);
void tg_regex_free(tg_regex *re);
/* The whole text matches, or from the byte position on some part of it: 1 or 0,
 * or TG_ERR_DATA when it takes too many steps. */
int32_t tg_regex_test(const tg_regex *re, const char *p, uint32_t len);
int32_t tg_regex_search(const tg_regex *re, const char *p, uint32_t len,
                        uint32_t from);
/* Number of capturing groups; number of a named one, 0: there is none. */
uint32_t tg_regex_groups(const tg_regex *re);
uint32_t tg_regex_group_number(const tg_regex *re, const char *name,
                               uint32_t len);
/* Group i (0: all) of the last match: 1 with its first byte in span[0] and the
 * one behind it in span[1]; 0: it took no part. */
int32_t tg_regex_span(const tg_regex *re, uint32_t i, uint32_t *span);
/* The text with the first match (all != 0: every one) replaced by a Java
 * template. NULL on error. */
const char *tg_regex_replaced(const tg_regex *re, const char *p, uint32_t len,
                              const char *replacement, uint32_t replen,
                              int32_t all, uint32_t *outlen);

/* A java.text.SimpleDateFormat in UTC with English names. NULL: what is wrong
 * with the pattern. */
tg_date_format *tg_date_compile(const char *p, uint32_t len);
void tg_date_format_free(tg_date_format *format);
const char *tg_date_text(const tg_date_format *format, int64_t ms,
                         uint32_t *len);
/* Lenient, as Java: 0 with *ms, or TG_ERR_DATA. */
int32_t tg_date_parse(const tg_date_format *format, const char *p, uint32_t len,
                      int64_t *ms);

#pragma GCC visibility pop
#endif
