/*
 * Inside of `tidegate try`: what setting it up (try.c) and running it
 * (try_run.c) share. Main thread.
 */
#ifndef TG_CLI_TRY_H
#define TG_CLI_TRY_H
#include "cli/try_line.h"
#include "cli/try_live.h"
#include "base/page.h"
#include "task/chain.h"

typedef struct tg__try {
    const char *worker_file, *plugin_path, *bootstrap;
    const char *connector_file, *input_file;
    int kind; /* 's' source, 'k' sink, 0: as the class says */
    bool stages;
    tg__try_live live;

    json_t *connector, *worker;
    const json_t *config; /* inside connector */
    tg_page *page;
    int page_fd;
    tg_vm *vm;
    tg_chain *chain;
    tg_batch *batch;
    tg__try_shape shape;
    tg__try_origin from; /* of the record under way */
    tg_buf out;
    bool broken; /* nobody reads standard output any more */
    bool failed; /* a record failed */
    tg_err fatal;
} tg__try;

/* Records of the input file, or of standard input, through the chain. 0; not 0
 * with err filled when the input cannot be read, or with t->fatal filled when
 * the chain cannot go on. */
int tg__try_run_file(tg__try *t, tg_err *err);
/* The same with records of a topic. */
int tg__try_run_topic(tg__try *t, tg_err *err);
/* Writes out what is in t->out. */
void tg__try_flush(tg__try *t);
/* The chain's watch, for --stages; ctx is the tg__try. */
void tg__try_watch(void *ctx, int stage, const char *alias, tg_batch *batch);

#endif
