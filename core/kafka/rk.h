/*
 * What the files of this folder share: a librdkafka handle with the state that
 * turns its errors into sentences, and the version gates. The only header of
 * the project that shows rdkafka.h; never included from another folder.
 *
 * Thread: error state belongs to the thread that polls the handle; the log
 * callback runs on librdkafka's threads and only writes log lines.
 */
#ifndef TG_KAFKA_RK_H
#define TG_KAFKA_RK_H
#include "kafka/client.h"
#include <librdkafka/rdkafka.h>

/* Behaviour that depends on the librdkafka that is loaded. One row each in
 * gates.c: from which version the better behaviour can be relied on. */
enum {
    TG_GATE_SEEK_TIMEOUT,  /* rd_kafka_seek_partitions waits as long as asked */
    TG_GATE_QUEUE_BACKOFF, /* fetch.queue.backoff.ms exists: no need to kick a
                              full fetch queue */
    TG_GATE_GROUP_PROTOCOL, /* group.protocol exists */
    TG_GATE_LONG_CLIENT_ID, /* long client ids do not crash */
    TG_GATE_HEADER_FREE     /* produceva frees own headers once on failure */
};
bool tg__rk_gate(int gate);

typedef struct tg__rk {
    rd_kafka_t *rk;
    char *bootstrap; /* bootstrap.servers, for sentences */
    char *client_id; /* for sentences and logs */
    char cause[256]; /* why the last connection failed; "" none */
    char said[256];  /* last cause that was logged */
    tg_err pending;  /* error not yet asked for */
    bool has_pending;
    int64_t max_bytes; /* message.max.bytes */
} tg__rk;

/* Makes rk->conf from a mapped object and creates the handle. conf carries the
 * callbacks already set by the caller and is always taken over. 0 or
 * TG_ERR_CONFIG / TG_ERR_KAFKA. */
int tg__rk_open(tg__rk *rk, rd_kafka_type_t type, rd_kafka_conf_t *conf,
                const json_t *mapped, tg_err *err);
/* Destroys the handle and the strings. The caller has closed what it holds. */
void tg__rk_close(tg__rk *rk);

/* Maps config, logs each warning once and opens the handle. conf as above. */
int tg__rk_open_config(tg__rk *rk, int kind, rd_kafka_conf_t *conf,
                       const json_t *config, tg_err *err);

/* A sentence for an error of librdkafka or the broker about a thing ("topic
 * orders", "group connect-x"; NULL: none). detail may be NULL. Fills code and
 * flags. Returns TG_ERR_KAFKA (or TG_ERR_TIMEOUT). */
int tg__rk_fail(tg__rk *rk, tg_err *err, rd_kafka_resp_err_t code,
                const char *thing, const char *detail);
/* The sentence about brokers that cannot be reached. */
int tg__rk_unreachable(tg__rk *rk, tg_err *err);
/* Remembers an error for tg_*_error(); the first one wins until it is taken. */
void tg__rk_remember(tg__rk *rk, const tg_err *err);
bool tg__rk_take(tg__rk *rk, tg_err *err);

/* JSON value of a config as text: strings as they are, numbers and booleans
 * printed into buf. NULL for others. */
const char *tg__config_text(const json_t *value, char *buf, size_t size);

#endif
