/* Inside core/rest only: the request, its answer, and the routes. */
#ifndef TG_REST_INTERNAL_H
#define TG_REST_INTERNAL_H
#include "base/mem.h"
#include "worker/worker.h"

enum { TG_REST_SEGMENTS = 8 };

enum {
    TG_EXPAND = 1, /* ?expand was given */
    TG_EXPAND_STATUS = 2,
    TG_EXPAND_INFO = 4
};

typedef struct tg_request {
    tg_worker *worker;
    const char *method;
    const char *content_type, *accept; /* NULL: absent */
    char *path;                        /* what segments point into */
    char *segments[TG_REST_SEGMENTS];  /* decoded */
    int n_segments;
    char *query; /* raw, "" if none */
    const char *body;
    size_t body_len;

    const char *connector; /* {c} of the route, or NULL */
    int task;              /* {t} of the route */
    bool head;
} tg_request;

typedef struct tg_answer {
    tg_reply reply;
    char allow[64]; /* OPTIONS: the methods */
} tg_answer;

/* One function a route: fills the answer. */
typedef void (*tg_handler)(tg_request *req, tg_answer *answer);

typedef struct tg_route {
    const char *method;
    const char *path; /* "/connectors/{c}/tasks/{t}/status" */
    tg_handler handle;
} tg_route;

/* Every resource file has its own table; it ends with a NULL method. */
extern const tg_route tg__rest_root[], tg__rest_connectors[], tg__rest_status[],
    tg__rest_metrics[];

/* Splits the raw target of a request ("/connectors/a%20b?expand=info"). False
 * when the server must refuse it; *why is the title of the page then. Sets
 * path, segments and query, which tg__request_fini frees. */
bool tg__request_parse(tg_request *req, const char *target, const char **why);
void tg__request_fini(tg_request *req);
/* Finds the route and answers. */
void tg__rest_route(tg_request *req, tg_answer *answer);

/* Is there ?name=value (name alone: value NULL)? Decoded. */
bool tg__query_has(const tg_request *req, const char *name, const char *value);

/* Reply of a router or handler: {"error_code","message"}; plain ones have no
 * media type. */
void tg__answer_error(tg_answer *answer, int status, bool typed,
                      const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Asks the owner thread and waits up to 90 s, which gives 500. */
void tg__rest_ask(tg_request *req, tg_answer *answer, tg_call_fn fn,
                  unsigned flags);
/* The same with a body for the call (taken). */
void tg__rest_ask_with(tg_request *req, tg_answer *answer, tg_call_fn fn,
                       json_t *body);
/* The body of a request as a map of texts, as Kafka Connect reads it: numbers
 * and booleans become texts. NULL when it is none, with the answer filled. */
json_t *tg__rest_config(const tg_request *req, tg_answer *answer);

#endif
