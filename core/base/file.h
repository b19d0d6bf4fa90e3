/* Files, paths, clock. Any thread. */
#ifndef TG_BASE_FILE_H
#define TG_BASE_FILE_H
#include "base/err.h"
#include "base/mem.h"

/* Whole file, NUL-terminated; caller frees with tg_free. */
char *tg_file_read(const char *path, size_t max, size_t *len, tg_err *err);
/* Replaces path atomically: temporary file beside it, fsync, rename, fsync of
 * the directory. After a crash either the old or the new content is there. */
int tg_file_replace(const char *path, const void *data, size_t len,
                    tg_err *err);

/* Folder that holds lua/, connectors/ and config/: $TIDEGATE_HOME, else
 * <exe>/../share/tidegate, else the nearest parent folder of the executable
 * with lua/tidegate/init.lua. NULL with a sentence. Computed once. */
const char *tg_home(tg_err *err);
/* Path of this executable. */
const char *tg_exe(void);

int64_t tg_clock_wall_ms(void);

#endif
