/*
 * Protobuf schemas: .proto text (proto2, proto3) or a FileDescriptorProto in
 * base64, read into messages and enums whose fields know their types. No
 * Protobuf library is involved.
 *
 * A set owns one file, what it imports, and all memory of both. Any thread, one
 * at a time; read-only once it is loaded.
 */
#ifndef TG_CONVERT_PROTO_FILE_H
#define TG_CONVERT_PROTO_FILE_H
#include "base/err.h"
#include "base/mem.h"
#include <stdbool.h>

/* Types of fields: the numbers of descriptor.proto. */
enum {
    TG_PROTO_DOUBLE = 1,
    TG_PROTO_FLOAT = 2,
    TG_PROTO_INT64 = 3,
    TG_PROTO_UINT64 = 4,
    TG_PROTO_INT32 = 5,
    TG_PROTO_FIXED64 = 6,
    TG_PROTO_FIXED32 = 7,
    TG_PROTO_BOOL = 8,
    TG_PROTO_STRING = 9,
    TG_PROTO_GROUP = 10,
    TG_PROTO_MESSAGE = 11,
    TG_PROTO_BYTES = 12,
    TG_PROTO_UINT32 = 13,
    TG_PROTO_ENUM = 14,
    TG_PROTO_SFIXED32 = 15,
    TG_PROTO_SFIXED64 = 16,
    TG_PROTO_SINT32 = 17,
    TG_PROTO_SINT64 = 18
};

enum {
    TG_PROTO_PLAIN = 0, /* no label */
    TG_PROTO_OPTIONAL = 1,
    TG_PROTO_REQUIRED = 2,
    TG_PROTO_REPEATED = 3
};

enum {
    TG_PROTO_NUMBER_MAX = (1 << 29) - 1,
    TG_PROTO_DEPTH = 64 /* nested messages and blocks in a text */
};

typedef struct tg_proto_message tg_proto_message;
typedef struct tg_proto_enum tg_proto_enum;
typedef struct tg_proto_file tg_proto_file;
typedef struct tg_proto_set tg_proto_set;

/* A parameter of Confluent's field_meta option. */
typedef struct tg_proto_param {
    struct tg_proto_param *next;
    const char *key, *value;
} tg_proto_param;

typedef struct tg_proto_field {
    struct tg_proto_field *next;
    const char *name;
    int32_t number;
    int32_t oneof; /* index into message->oneofs, -1: none (proto3's optional
                      has none either) */
    uint8_t type;
    uint8_t label;
    bool presence;         /* has the keyword optional in proto3 */
    bool packed;           /* repeated scalars are written packed */
    uint8_t packed_option; /* 0 not given, 1 true, 2 false */
    const char *type_name; /* as written, of messages and enums */
    tg_proto_message *message;
    tg_proto_enum *enumeration;
    const char *dflt; /* default option: its text, strings without escapes */
    uint32_t dfltlen;
    tg_proto_param *params;
    uint32_t line;
} tg_proto_field;

struct tg_proto_message {
    tg_proto_message *next;   /* sibling, in order of declaration */
    tg_proto_message *parent; /* NULL at the top of a file */
    tg_proto_file *file;
    const char *name;
    const char *full; /* with package and parents */
    tg_proto_field *first, *last;
    tg_proto_field **fields; /* in order of declaration; set when linked */
    uint32_t nfields;
    const char **oneofs;
    uint32_t noneofs, caponeofs;
    tg_proto_message *nested, *lastnested;
    tg_proto_enum *enums, *lastenum;
    bool implied;   /* entry of a map<> field: message indexes skip it */
    bool map_entry; /* option map_entry */
    uint32_t line;
};

typedef struct tg_proto_constant {
    struct tg_proto_constant *next;
    const char *name;
    int32_t number;
} tg_proto_constant;

struct tg_proto_enum {
    tg_proto_enum *next;
    tg_proto_message *parent;
    tg_proto_file *file;
    const char *name, *full;
    tg_proto_constant *first, *last;
    uint32_t n;
    uint32_t line;
};

typedef struct tg_proto_import {
    struct tg_proto_import *next;
    const char *name;
    tg_proto_file *file; /* set when linked; NULL: a weak import that is gone */
    bool is_public;
    bool weak;
} tg_proto_import;

struct tg_proto_file {
    tg_proto_file *next;
    tg_proto_set *set;
    const char *name; /* as it is imported; "schema" for the main one */
    const char *package;
    bool proto2;
    tg_proto_import *imports;
    tg_proto_message *messages, *lastmessage;
    tg_proto_enum *enums, *lastenum;
};

struct tg_proto_set {
    tg_arena arena;
    tg_proto_file *files; /* the main one first */
};

/* A text that imports can name. */
typedef struct tg_proto_source {
    const char *name, *text;
    const struct tg_proto_source *sources; /* more of them, below it */
    uint32_t nsources;
} tg_proto_source;

/* Reads and links a schema. sources: what it imports beside the well-known
 * files that are built in. NULL with a sentence that names file and line
 * (TG_ERR_DATA, TG_ERR_LIMIT). Free with tg_proto_free. */
tg_proto_set *tg_proto_load(const char *text, const tg_proto_source *sources,
                            uint32_t nsources, tg_err *err);
void tg_proto_free(tg_proto_set *set);

/* The message that a message index list of the wire format names. NULL if there
 * is none. */
tg_proto_message *tg_proto_message_at(const tg_proto_set *set,
                                      const int32_t *path, uint32_t n);
/* The same list for a message of the main file: at most TG_PROTO_DEPTH numbers
 * into path, their count returned. */
uint32_t tg_proto_message_path(const tg_proto_message *message, int32_t *path);
/* By full name, or NULL. */
tg_proto_message *tg_proto_message_find(const tg_proto_set *set,
                                        const char *full);
/* Whether repeated fields of the message are maps. */
bool tg_proto_is_entry(const tg_proto_message *message);
/* Text of a well-known file, or NULL. */
const char *tg_proto_known(const char *name);
/* "int32", "message": as .proto texts call the type. */
const char *tg_proto_type_name(int type);

/* --- shared between the files that load ----------------------------------- */

/* Fill file from text or descriptor bytes. */
int tg__proto_parse(tg_proto_file *file, const char *text, tg_err *err);
int tg__proto_descriptor(tg_proto_file *file, const uint8_t *p, size_t len,
                         tg_err *err);
void *tg__proto_alloc(tg_proto_set *set, size_t n, tg_err *err); /* zeroed */
char *tg__proto_text(tg_proto_set *set, const char *p, size_t len, tg_err *err);
tg_proto_message *tg__proto_add_message(tg_proto_file *file,
                                        tg_proto_message *parent,
                                        const char *name, tg_err *err);
tg_proto_enum *tg__proto_add_enum(tg_proto_file *file, tg_proto_message *parent,
                                  const char *name, tg_err *err);
tg_proto_field *tg__proto_add_field(tg_proto_message *message, const char *name,
                                    tg_err *err);
int tg__proto_add_constant(tg_proto_enum *e, const char *name, int32_t number,
                           tg_err *err);
int32_t tg__proto_add_oneof(tg_proto_message *message, const char *name,
                            tg_err *err);
tg_proto_import *tg__proto_add_import(tg_proto_file *file, const char *name,
                                      tg_err *err);
int tg__proto_add_param(tg_proto_set *set, tg_proto_field *field,
                        const char *key, const char *value, tg_err *err);
/* Resolves types and checks the whole set. */
int tg__proto_link(tg_proto_set *set, tg_err *err);
/* Scalar type of a name, 0 if it is none. */
int tg__proto_scalar(const char *name, size_t len);

#endif
