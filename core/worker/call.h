/* The owner thread's end of the calls. Inside core/worker only. */
#ifndef TG_WORKER_CALL_H
#define TG_WORKER_CALL_H
#include "worker/worker.h"

typedef struct tg_calls tg_calls;

/* wake is called from any thread after a call was queued. */
tg_calls *tg__calls_new(void (*wake)(void *ctx), void *ctx);
void tg__calls_free(tg_calls *calls);
/* Runs what is queued. Owner thread. */
void tg__calls_run(tg_calls *calls, tg_worker *worker);
/* From now on every call is refused: the worker stops. */
void tg__calls_close(tg_calls *calls);
bool tg__calls_ask(tg_calls *calls, tg_call *call, int timeout_ms,
                   tg_reply *reply);

/* Stage of the worker: began doing what, or done with it. */
void tg__calls_stage(tg_calls *calls, const char *what);
void tg__calls_stage_done(tg_calls *calls);
void tg__calls_started(tg_calls *calls);
void tg__calls_stage_text(tg_calls *calls, char *text, size_t size,
                          bool *started);

#endif
