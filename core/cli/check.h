/*
 * Inside of `tidegate check`: what the check of files (check.c) and that of a
 * worker's settings (check_worker.c) share. Main thread.
 */
#ifndef TG_CLI_CHECK_H
#define TG_CLI_CHECK_H
#include "base/err.h"
#include <jansson.h>

typedef struct tg__check {
    const char *worker_file, *plugin_path;
    const char **files;
    int n_files;
    json_t *worker;
    int errors;
    bool unreadable;
} tg__check;

/* Prints one finding and counts it. key may be NULL. A text that begins with
 * its place ("file:12: ...") keeps it. */
void tg__check_report(tg__check *c, const char *file, bool error,
                      const char *key, const char *text);
/* Checks a worker's properties. */
void tg__check_worker(tg__check *c, const char *file);

#endif
