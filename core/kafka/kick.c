/*
 * The kick. librdkafka 2.0.2 stops fetching a partition whose local queue is
 * full, or that was resumed, until its broker thread wakes for another reason,
 * up to a second later. Any request to the broker is such a reason; the end
 * offsets are asked for, since the lag needs them anyway.
 *
 * A helper thread makes the call, because it blocks for a round trip. It is
 * started by the first request: an idle task has none. Lock: kick->lock guards
 * everything below it; it is never held during a call of librdkafka.
 */
#include "kafka/consumer_priv.h"
#include "base/log.h"
#include "base/mem.h"
#include <pthread.h>
#include <signal.h>
#include <time.h>

enum { CALL_TIMEOUT_MS = 500, PAUSE_NS = 3000000, STACK = 256 * 1024 };

struct tg__kick {
    rd_kafka_t *rk;
    pthread_t thread;
    bool running;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;
    int times;                               /* requests still to be made */
    rd_kafka_topic_partition_list_t *wanted; /* for these; NULL: none */
    rd_kafka_topic_partition_list_t *ends;   /* last answer; NULL: none */
};

static void ask(tg__kick *kick, rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_topic_partition_list_t *old;

    for (int i = 0; i < list->cnt; i++)
        list->elems[i].offset = RD_KAFKA_OFFSET_END;
    if (rd_kafka_offsets_for_times(kick->rk, list, CALL_TIMEOUT_MS)) {
        rd_kafka_topic_partition_list_destroy(list);
        return;
    }
    pthread_mutex_lock(&kick->lock);
    old = kick->ends;
    kick->ends = list;
    pthread_mutex_unlock(&kick->lock);
    if (old)
        rd_kafka_topic_partition_list_destroy(old);
}

static void *run(void *arg)
{
    tg__kick *kick = arg;
    struct timespec pause = {0, PAUSE_NS};
    rd_kafka_topic_partition_list_t *list;

    pthread_mutex_lock(&kick->lock);
    while (!kick->stop) {
        if (!kick->times || !kick->wanted) {
            pthread_cond_wait(&kick->wake, &kick->lock);
            continue;
        }
        kick->times--;
        list = rd_kafka_topic_partition_list_copy(kick->wanted);
        pthread_mutex_unlock(&kick->lock);
        ask(kick, list);
        nanosleep(&pause, NULL);
        pthread_mutex_lock(&kick->lock);
    }
    pthread_mutex_unlock(&kick->lock);
    return NULL;
}

/* Signals are the business of the process's own threads. */
static void start(tg__kick *kick)
{
    sigset_t all, old;
    pthread_attr_t attr;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    kick->running = !pthread_create(&kick->thread, &attr, run, kick);
    pthread_attr_destroy(&attr);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (!kick->running)
        tg_warn("kafka", "cannot start the helper thread of the consumer: "
                         "reading may pause for up to a second at times");
}

tg__kick *tg__kick_new(rd_kafka_t *rk)
{
    tg__kick *kick = tg_calloc(sizeof *kick);

    kick->rk = rk;
    pthread_mutex_init(&kick->lock, NULL);
    pthread_cond_init(&kick->wake, NULL);
    return kick;
}

void tg__kick_free(tg__kick *kick)
{
    if (!kick)
        return;
    pthread_mutex_lock(&kick->lock);
    kick->stop = true;
    pthread_cond_signal(&kick->wake);
    pthread_mutex_unlock(&kick->lock);
    if (kick->running)
        pthread_join(kick->thread, NULL);
    if (kick->wanted)
        rd_kafka_topic_partition_list_destroy(kick->wanted);
    if (kick->ends)
        rd_kafka_topic_partition_list_destroy(kick->ends);
    pthread_cond_destroy(&kick->wake);
    pthread_mutex_destroy(&kick->lock);
    tg_free(kick);
}

void tg__kick_request(tg__kick *kick, const tg__part *parts, int nparts,
                      int times)
{
    rd_kafka_topic_partition_list_t *list, *old;

    if (!nparts)
        return;
    if (!kick->running)
        start(kick);
    list = rd_kafka_topic_partition_list_new(nparts);
    for (int i = 0; i < nparts; i++)
        rd_kafka_topic_partition_list_add(list, parts[i].topic,
                                          parts[i].partition);
    pthread_mutex_lock(&kick->lock);
    old = kick->wanted;
    kick->wanted = list;
    if (kick->times < times)
        kick->times = times;
    pthread_cond_signal(&kick->wake);
    pthread_mutex_unlock(&kick->lock);
    if (old)
        rd_kafka_topic_partition_list_destroy(old);
}

int64_t tg__kick_end(tg__kick *kick, const char *topic, int32_t partition)
{
    rd_kafka_topic_partition_t *elem = NULL;
    int64_t end = -1;

    pthread_mutex_lock(&kick->lock);
    if (kick->ends)
        elem = rd_kafka_topic_partition_list_find(kick->ends, topic, partition);
    if (elem && !elem->err && elem->offset >= 0)
        end = elem->offset;
    pthread_mutex_unlock(&kick->lock);
    return end;
}
