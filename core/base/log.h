/*
 * Logging in Kafka Connect's line format:
 *   [2026-11-22 20:00:00,123] INFO [src|task-0] text (module)
 * to standard error, one write(2) a line. The context (connector and task) is
 * per process and set once. Any thread.
 *
 * Nobody waits for a reader of the log: when the pipe or terminal has been full
 * for a moment, lines are dropped until it moves again, and counted.
 */
#ifndef TG_BASE_LOG_H
#define TG_BASE_LOG_H
#include <stdbool.h>

enum {
    TG_LOG_TRACE,
    TG_LOG_DEBUG,
    TG_LOG_INFO,
    TG_LOG_WARN,
    TG_LOG_ERROR,
    TG_LOG_FATAL,
    TG_LOG_OFF
};

extern int tg_log_level;

void tg_log_write(int level, const char *module, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Can fd take 4096 bytes without waiting? Waits up to wait_ms for that. Where
 * it cannot be known: true. */
bool tg_log_can_write(int fd, int wait_ms);
/* "src|task-0"; NULL for none. Copied. */
void tg_log_context(const char *context);
/* -1 if text is no level name (any case). */
int tg_log_level_parse(const char *text);
const char *tg_log_level_name(int level);

#define tg_log_at(lv, mod, ...)                                                \
    do {                                                                       \
        if ((lv) >= tg_log_level)                                              \
            tg_log_write(lv, mod, __VA_ARGS__);                                \
    } while (0)
#define tg_debug(mod, ...) tg_log_at(TG_LOG_DEBUG, mod, __VA_ARGS__)
#define tg_info(mod, ...)  tg_log_at(TG_LOG_INFO, mod, __VA_ARGS__)
#define tg_warn(mod, ...)  tg_log_at(TG_LOG_WARN, mod, __VA_ARGS__)
#define tg_error(mod, ...) tg_log_at(TG_LOG_ERROR, mod, __VA_ARGS__)

#endif
