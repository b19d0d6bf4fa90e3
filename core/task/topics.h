/*
 * Topics that a source task writes to. Before the first record to a topic it
 * is made: by the topic.creation.* groups when they are configured, by the
 * supervisor on the embedded broker, else by the broker itself. Also collects
 * the active topics for the status.
 *
 * The task's thread.
 */
#ifndef TG_TASK_TOPICS_H
#define TG_TASK_TOPICS_H
#include "kafka/admin.h"
#include "task/task.h"

typedef struct tg_topics tg_topics;

/* NULL when the topic.creation.* settings are wrong. */
tg_topics *tg_topics_new(tg_task *task, tg_err *err);
void tg_topics_free(tg_topics *topics);
/* Makes sure that records may be sent to the topic; may wait (control messages
 * are served meanwhile). *fresh: it was not known before. TG_ERR_STOPPED when
 * the task stops. */
int tg_topics_ensure(tg_topics *topics, const char *name, uint32_t len,
                     bool *fresh, tg_err *err);
/* topic.ok of the supervisor. */
void tg_topics_answer(tg_topics *topics, const json_t *msg);
/* Reports topics that were not reported yet. */
void tg_topics_report(tg_topics *topics);

/* Group of topic.creation.* that a topic belongs to: NULL when none is
 * configured, else its name ("default"). Borrowed from the object. For tests
 * too. */
const char *tg_topics_group(const tg_topics *topics, const char *topic);

#endif
