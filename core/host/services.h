/*
 * Services that scripts reach through ffi/tidegate.h (lines of files, source
 * partitions, clocks), and the C side of them. Script thread, except
 * tg_task_set_stopping (any thread, async-signal-safe).
 */
#ifndef TG_HOST_SERVICES_H
#define TG_HOST_SERVICES_H
#include "base/err.h"
#include "data/batch.h"

/* JSON text of a source partition registered with tg_task_source_partition and
 * the member name of its short offset form (NULL if none). NULL for an unknown
 * id. Borrowed, immortal. */
const char *tg_partition_text(int32_t id, const char **offset_name);

/* What tg_task_stopping() answers to scripts. */
void tg_task_set_stopping(bool stopping);
/* Whether tg_task_stopping() has answered yes since the last call of this: what
 * a script did then may be cut short (put returned early), and must not count
 * as done. */
bool tg_task_take_told(void);

#endif
