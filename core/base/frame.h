/*
 * Messages between the supervisor and its children: a 4-byte big-endian length
 * and one JSON object with a member "op". The list of messages, who sends them
 * and what they hold is in core/task/protocol.h.
 */
#ifndef TG_BASE_FRAME_H
#define TG_BASE_FRAME_H
#include "base/err.h"
#include "base/mem.h"
#include <jansson.h>

enum { TG_FRAME_MAX = 64 * 1024 * 1024 };

/* Appends a frame to out. */
void tg_frame_encode(tg_buf *out, const json_t *msg);
/* Takes the first whole frame out of in (bytes are consumed). 1 and a new
 * reference in *msg; 0 when more bytes are needed; TG_ERR_DATA when the peer
 * sent rubbish. */
int tg_frame_decode(tg_buf *in, json_t **msg, tg_err *err);
/* Blocking write of one frame to a file descriptor; EINTR is handled. */
int tg_frame_write(int fd, const json_t *msg, tg_err *err);
/* Reads what is there (waits up to timeout_ms, -1 for ever) into in. 1 if bytes
 * came, 0 on time-out, TG_ERR_STOPPED at end of file. */
int tg_frame_fill(int fd, tg_buf *in, int timeout_ms, tg_err *err);

#endif
