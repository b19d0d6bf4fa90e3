/* What reads Protobuf (protobuf_decode.c) and its maps (protobuf_map.c) share.
 * Script thread. */
#ifndef TG_CONVERT_PROTOBUF_READ_H
#define TG_CONVERT_PROTOBUF_READ_H
#include "convert/protobuf.h"
#include "convert/protobuf_wire.h"

/* State of a field that can come in parts. */
enum { TG_PB_SEEN = 1, TG_PB_WHOLE = 2 };

typedef struct tg_pb_reading {
    tg_batch *batch;
    tg_cell *cell;
    tg_err *err;
    const char *start;
    uint32_t depth;
} tg_pb_reading;

/* One message that is being read. */
typedef struct tg_pb_frame {
    const tg_pb_plan *plan;
    tg_pb_in all; /* of the message */
    tg_node *node;
    uint8_t *state;   /* by field; NULL when the plan needs none */
    int32_t *member;  /* by oneof: field that is set, -1 */
    const char **run; /* by oneof: where it was set */
} tg_pb_frame;

/* Sentences; both return their code. */
int tg__pb_malformed(tg_pb_reading *r, const char *at, const tg_pb_field *f);
int tg__pb_full(tg_pb_reading *r);
/* Bytes of a message behind its key, without the closing key of a group. */
bool tg__pb_message_bytes(const tg_pb_field *f, tg_pb_in *in, tg_pb_in *out);
int tg__pb_struct(tg_pb_reading *r, const tg_pb_plan *plan, tg_shape *shape,
                  tg_pb_in in, tg_node *parent, tg_value *out);
/* A message of any kind from its bytes. */
int tg__pb_body(tg_pb_reading *r, const tg_pb_field *f, tg_pb_in in,
                tg_node *parent, tg_value *out);
/* The entries of a map from in->p on, which stands behind the key of one. */
int tg__pb_map(tg_pb_reading *r, tg_pb_frame *fr, const tg_pb_field *f,
               tg_pb_in *in, tg_value *slot);
/* A map without entries. */
int tg__pb_no_entries(tg_pb_reading *r, const tg_pb_frame *fr,
                      const tg_pb_field *f, tg_value *slot);

static inline void tg__pb_set(tg_value *out, uint8_t tag, int64_t i)
{
    out->tag = tag;
    out->flags = 0;
    out->aux = 0;
    out->len = 0;
    out->u.i = i;
}

#endif
