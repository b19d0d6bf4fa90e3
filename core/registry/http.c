/*
 * Requests to a registry. The URLs are tried in turn, from the one that
 * answered last; what may be better later (no answer, 408, 429, 5xx) is tried
 * again with doubling waits until the retries are used up. Everything else is
 * an answer, good or bad, and ends it. Redirects are not followed: credentials
 * stay with the host that they were given for.
 *
 * A transfer asks tg_registry_stopping_hook about once a second, so that a task
 * which stops does not wait for a server.
 *
 * Script thread.
 */
#include "base/log.h"
#include "registry/internal.h"
#include <time.h>
#include <unistd.h>

enum { ANSWER_MAX = 32 * 1024 * 1024, SHOWN = 200 };

static const char mime[] = "application/vnd.schemaregistry.v1+json";

bool (*tg_registry_stopping_hook)(void);

struct tg_http {
    const tg_reg_settings *s;
    CURL *easy;
    struct curl_slist *headers;
    uint32_t at; /* URL that answered last */
};

/* How one try ended. */
typedef struct answer {
    tg_buf body;
    bool stopped, too_long;
    bool again; /* another server or moment may do better */
    long status;
    char *redirect;
} answer;

static bool stopping(void)
{
    return tg_registry_stopping_hook && tg_registry_stopping_hook();
}

/* --- the client ----------------------------------------------------------- */

static int add_header(tg_http *http, const char *name, const char *value)
{
    char *line = tg_sprintf("%s: %s", name, value);
    struct curl_slist *list = tg__curl.slist_append(http->headers, line);
    tg_free(line);
    if (list)
        http->headers = list;
    return list ? 0 : -1;
}

static int make_headers(tg_http *http)
{
    const tg_reg_settings *s = http->s;
    int rc = add_header(http, "Accept",
                        "application/vnd.schemaregistry.v1+json,"
                        " application/vnd.schemaregistry+json;q=0.9,"
                        " application/json;q=0.8");
    rc |= add_header(http, "Content-Type", mime);
    rc |= add_header(http, "Expect", "");
    if (s->token) {
        char *bearer = tg_sprintf("Bearer %s", s->token);
        rc |= add_header(http, "Authorization", bearer);
        tg_free(bearer);
    }
    if (s->cluster)
        rc |= add_header(http, "target-sr-cluster", s->cluster);
    if (s->pool)
        rc |= add_header(http, "Confluent-Identity-Pool-Id", s->pool);
    return rc;
}

tg_http *tg__http_new(const tg_reg_settings *settings, tg_err *err)
{
    if (tg__curl_load(err))
        return NULL;
    tg_http *http = tg_calloc(sizeof *http);
    http->s = settings;
    if (settings->randomize)
        http->at = (uint32_t)(getpid() ^ time(NULL)) % settings->nurls;
    http->easy = tg__curl.easy_init();
    if (!http->easy || make_headers(http)) {
        tg_err_set(err, TG_ERR_LIMIT, "no memory for an HTTP client");
        tg__http_free(http);
        return NULL;
    }
    return http;
}

void tg__http_free(tg_http *http)
{
    if (!http)
        return;
    if (http->easy)
        tg__curl.easy_cleanup(http->easy);
    tg__curl.slist_free_all(http->headers);
    tg_free(http);
}

/* --- one try -------------------------------------------------------------- */

static size_t take_body(char *p, size_t size, size_t n, void *to)
{
    answer *a = to;
    n *= size;
    if (a->body.len + n > ANSWER_MAX) {
        a->too_long = true;
        return 0;
    }
    tg_buf_add(&a->body, p, n);
    return n;
}

static int on_progress(void *of, curl_off_t a, curl_off_t b, curl_off_t c,
                       curl_off_t d)
{
    answer *this = of;
    (void)a, (void)b, (void)c, (void)d;
    this->stopped = stopping();
    return this->stopped;
}

static void set_blob(CURL *easy, CURLoption option, char *p, size_t len)
{
    struct curl_blob blob = {p, len, CURL_BLOB_NOCOPY};
    tg__curl.easy_setopt(easy, option, &blob);
}

static void set_tls(CURL *easy, tg_reg_tls tls)
{
    if (tls.trust)
        set_blob(easy, CURLOPT_CAINFO_BLOB, tls.trust, strlen(tls.trust));
    if (tls.any_host)
        tg__curl.easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    if (!tls.chain)
        return;
    tg__curl.easy_setopt(easy, CURLOPT_SSLCERTTYPE, tls.p12 ? "P12" : "PEM");
    set_blob(easy, CURLOPT_SSLCERT_BLOB, tls.chain, tls.chainlen);
    if (!tls.p12) {
        char *key = tls.key ? tls.key : tls.chain;
        set_blob(easy, CURLOPT_SSLKEY_BLOB, key, strlen(key));
    }
    if (tls.password)
        tg__curl.easy_setopt(easy, CURLOPT_KEYPASSWD, tls.password);
}

static void prepare(tg_http *http, const tg_reg_url *url, const char *address,
                    const char *body, answer *a, char *why)
{
    const tg_reg_settings *s = http->s;
    CURL *easy = http->easy;
    const char *user = s->user ? s->user : url->user;
#define SET(option, value) tg__curl.easy_setopt(easy, CURLOPT_##option, value)
    tg__curl.easy_reset(easy); /* keeps connections */
    SET(URL, address);
    SET(PROTOCOLS_STR, "http,https");
    SET(NOSIGNAL, 1L);
    SET(USERAGENT, "tidegate");
    SET(HTTPHEADER, http->headers);
    SET(ERRORBUFFER, why);
    SET(CONNECTTIMEOUT_MS, (long)s->connect_ms);
    SET(TIMEOUT_MS, (long)(s->connect_ms + s->read_ms));
    SET(WRITEFUNCTION, take_body);
    SET(WRITEDATA, a);
    SET(XFERINFOFUNCTION, on_progress);
    SET(XFERINFODATA, a);
    SET(NOPROGRESS, 0L);
    /* As Java's client: what the environment says about proxies does not
     * count, nor does .netrc. */
    SET(PROXY, s->proxy ? s->proxy : "");
    if (s->proxy)
        SET(HTTPPROXYTUNNEL, strncmp(address, "https", 5) == 0 ? 1L : 0L);
    if (user) {
        char *name = tg_strndup(user, strcspn(user, ":"));
        SET(HTTPAUTH, (long)CURLAUTH_BASIC);
        SET(USERNAME, name);
        SET(PASSWORD, strchr(user, ':') + 1);
        tg_free(name);
    }
    if (body) {
        SET(POST, 1L);
        SET(POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
        SET(POSTFIELDS, body);
    }
#undef SET
    set_tls(easy, s->tls);
}

/* Sets err (TG_ERR_IO) when no answer came. */
static int try_once(tg_http *http, const tg_reg_url *url, const char *path,
                    const char *body, answer *a, tg_err *err)
{
    char why[CURL_ERROR_SIZE] = "";
    char *address = tg_sprintf("%s%s", url->text, path), *redirect = NULL;
    a->body.len = 0;
    a->status = 0;
    tg_free(a->redirect);
    a->redirect = NULL;
    prepare(http, url, address, body, a, why);
    CURLcode code = tg__curl.easy_perform(http->easy);
    tg__curl.easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &a->status);
    tg__curl.easy_getinfo(http->easy, CURLINFO_REDIRECT_URL, &redirect);
    a->redirect = tg_strdup(redirect);
    tg_debug("registry", "%s %s: %s%ld", body ? "POST" : "GET", address,
             code ? "failed, " : "", code ? (long)code : a->status);
    tg_free(address);
    if (!code) {
        a->again = a->status >= 500 || a->status == 408 || a->status == 429;
        return 0;
    }
    a->status = 0;
    if (a->stopped)
        return tg_err_set(err, TG_ERR_STOPPED,
                          "the task stops: the request to the schema registry"
                          " was given up");
    if (a->too_long)
        return tg_err_set(err, TG_ERR_IO,
                          "the answer of %s is longer than %d bytes: is that a"
                          " schema registry?",
                          url->text, ANSWER_MAX);
    a->again =
        code != CURLE_SSL_CACERT_BADFILE && code != CURLE_SSL_CERTPROBLEM;
    tg_err_set(err, TG_ERR_IO, "no answer from the schema registry at %s: %s",
               url->text, *why ? why : tg__curl.easy_strerror(code));
    if (code == CURLE_PEER_FAILED_VERIFICATION) {
        a->again = false;
        tg_err_set(err, TG_ERR_IO,
                   "the certificate of the schema registry at %s is not"
                   " trusted: %s; set schema.registry.ssl.truststore.location"
                   " to a PEM file with the certificate of its authority",
                   url->text, *why ? why : tg__curl.easy_strerror(code));
    }
    return TG_ERR_IO;
}

/* --- what an answer means ------------------------------------------------- */

/* Start of a text for messages, control characters as spaces. */
static const char *shown(const tg_buf *body, char *to)
{
    size_t n = body->len < SHOWN ? body->len : SHOWN;
    for (size_t i = 0; i < n; i++)
        to[i] = (unsigned char)body->p[i] < ' ' ? ' ' : body->p[i];
    to[n] = 0;
    return to;
}

static void not_a_registry(const tg_reg_url *url, const char *path,
                           const answer *a, tg_err *err)
{
    char start[SHOWN + 1];
    if (a->redirect)
        tg_err_set(err, TG_ERR_IO,
                   "%s sends requests on to %s (HTTP %ld); set"
                   " schema.registry.url to the address of the registry itself",
                   url->text, a->redirect, a->status);
    else
        tg_err_set(err, TG_ERR_IO,
                   "%s%s was answered with HTTP %ld and \"%s\", which no schema"
                   " registry does; schema.registry.url must be the base"
                   " address of Confluent's REST API (Apicurio:"
                   " http://host:port/apis/ccompat/v7)",
                   url->text, path, a->status, shown(&a->body, start));
}

/* Sentence of an answer that is an error; *code its error_code. */
static void explain(const tg_reg_url *url, const char *path, const answer *a,
                    const json_t *json, int *code, tg_err *err)
{
    const json_t *number = json_object_get(json, "error_code");
    const char *message = json_string_value(json_object_get(json, "message"));
    char start[SHOWN + 1];
    *code = (int)json_integer_value(number);
    if (a->status == 401 || a->status == 403)
        tg_err_set(err, TG_ERR_IO,
                   "the schema registry at %s refuses the credentials (HTTP"
                   " %ld%s%s) for %s; look at basic.auth.credentials.source,"
                   " basic.auth.user.info and the rights of that user",
                   url->text, a->status, message ? ": " : "",
                   message ? message : "", path);
    else if (a->again)
        tg_err_set(err, TG_ERR_IO,
                   "the schema registry at %s answers HTTP %ld: %s", url->text,
                   a->status, message ? message : shown(&a->body, start));
    else if (number && message && (a->status != 404 || *code > 404))
        /* a registry says 40401 and the like, any other server 404 */
        tg_err_set(err, TG_ERR_DATA, "%s", message);
    else
        not_a_registry(url, path, a, err);
}

/* --- tries ---------------------------------------------------------------- */

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* False when the task stops meanwhile. */
static bool pause_for(int64_t ms)
{
    int64_t end = now_ms() + ms;
    for (int64_t left = ms; left > 0; left = end - now_ms()) {
        int64_t part = left < 200 ? left : 200;
        struct timespec t = {part / 1000, part % 1000 * 1000000};
        if (stopping())
            return false;
        nanosleep(&t, NULL);
    }
    return true;
}

static json_t *read_answer(tg_http *http, const char *path, answer *a,
                           int *code, tg_err *err)
{
    const tg_reg_url *url = &http->s->urls[http->at];
    json_t *json = json_loadb(a->body.p ? a->body.p : "", a->body.len,
                              JSON_DECODE_ANY, NULL);
    if (a->status == 200 && json)
        return json;
    if (a->status / 100 == 2 || a->status / 100 == 3)
        not_a_registry(url, path, a, err);
    else
        explain(url, path, a, json, code, err);
    json_decref(json);
    return NULL;
}

/* One turn over all URLs; true when it is final (out or an error). */
static bool one_turn(tg_http *http, const char *path, const char *body,
                     answer *a, json_t **out, int *code, tg_err *err)
{
    for (uint32_t i = 0; i < http->s->nurls; i++) {
        const tg_reg_url *url = &http->s->urls[http->at];
        a->again = false;
        if (!try_once(http, url, path, body, a, err)) {
            *out = read_answer(http, path, a, code, err);
            if (!a->again)
                return true;
        } else if (!a->again) {
            return true;
        }
        http->at = (http->at + 1) % http->s->nurls;
    }
    return false;
}

json_t *tg__http_ask(tg_http *http, const char *path, const json_t *body,
                     int *status, int *code, tg_err *err)
{
    tg_err local = {0};
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    int64_t wait = http->s->wait_ms;
    json_t *out = NULL;
    answer a = {0};
    err = err ? err : &local;
    *code = 0;
    for (int64_t i = 0;; i++) {
        bool final = one_turn(http, path, text, &a, &out, code, err);
        if (!final && i >= http->s->retries)
            err->retriable = true;
        if (final || i >= http->s->retries)
            break;
        if (i == 0)
            tg_warn("registry", "%s; trying again", err->text);
        if (!pause_for(wait)) {
            tg_err_set(err, TG_ERR_STOPPED,
                       "the task stops: the schema registry was not asked"
                       " again");
            break;
        }
        wait =
            wait * 2 < http->s->max_wait_ms ? wait * 2 : http->s->max_wait_ms;
    }
    *status = (int)a.status;
    tg_buf_fini(&a.body);
    tg_free(a.redirect);
    free(text);
    return out;
}

void tg__http_escape(tg_buf *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
            (c >= 'a' && c <= 'z') || strchr("-._~", c))
            tg_buf_add(out, text, 1);
        else
            tg_buf_printf(out, "%%%02X", c);
    }
}
