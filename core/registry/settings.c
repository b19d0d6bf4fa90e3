/*
 * The settings of a registry client, under the names that Confluent's
 * serializers know them by. Those that have to do with the client itself may
 * also be written behind "schema.registry.", as Confluent's client reads them.
 * What needs Java (custom strategies, login modules) is refused with a sentence
 * instead of being ignored.
 *
 * Script thread.
 */
#include "base/config.h"
#include "registry/internal.h"
#include <stdio.h>
#include <strings.h>

const char *tg__reg_get(const json_t *config, const char *key)
{
    char longer[128];
    snprintf(longer, sizeof longer, "schema.registry.%s", key);
    const char *text = tg_config_get(config, longer, NULL);
    if (!text || !*text)
        text = tg_config_get(config, key, NULL);
    return text && *text ? text : NULL;
}

/* --- URLs ----------------------------------------------------------------- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 32);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %41 -> A, in place. */
static void unescape(char *text)
{
    char *to = text;
    for (const char *p = text; *p; p++) {
        int a = *p == '%' ? hex_digit(p[1]) : -1;
        int b = a >= 0 ? hex_digit(p[2]) : -1;
        if (b >= 0) {
            *to++ = (char)(a * 16 + b);
            p += 2;
        } else {
            *to++ = *p;
        }
    }
    *to = 0;
}

/* Refuses a URL, which is shown without a user and password. */
static int refuse_url(const char *text, const char *why, tg_err *err)
{
    const char *host = strstr(text, "://"), *at = strrchr(text, '@');
    int scheme = host ? (int)(host + 3 - text) : 0;
    return tg_err_set(err, TG_ERR_CONFIG,
                      "schema.registry.url has \"%.*s%s%s\"%s", scheme, text,
                      at ? "***" : "", at ? at : text + scheme, why);
}

static int read_url(tg_reg_url *url, const char *text, tg_err *err)
{
    const char *host = strstr(text, "://");
    if (strncmp(text, "http://", 7) != 0 && strncmp(text, "https://", 8) != 0)
        return refuse_url(text,
                          "; accepted are URLs that begin with http:// or"
                          " https://, separated by commas",
                          err);
    host += 3;
    size_t len = strcspn(host, "/?#");
    if (strchr(host, '@') && !memchr(host, '@', len))
        return refuse_url(text,
                          ", with an @ behind the host; write / ? # of a user"
                          " or password as %2F %3F %23, and @ of a path as"
                          " %40",
                          err);
    const char *at = memchr(host, '@', len);
    for (const char *p = at; p;
         p = memchr(p + 1, '@', (size_t)(host + len - p - 1)))
        at = p;
    if (at) {
        url->user = tg_strndup(host, (size_t)(at - host));
        unescape(url->user);
        if (!strchr(url->user, ':'))
            return tg_err_set(err, TG_ERR_CONFIG,
                              "schema.registry.url has a user without a"
                              " password; write http://user:password@host:port"
                              " or set basic.auth.user.info");
    }
    const char *rest = at ? at + 1 : host;
    size_t n = strlen(rest);
    while (n > 0 && rest[n - 1] == '/')
        n--;
    if (n == 0)
        return refuse_url(text, ", which names no host", err);
    url->text = tg_sprintf("%.*s%.*s", (int)(host - text), text, (int)n, rest);
    return 0;
}

static int read_urls(tg_reg_settings *s, const json_t *config, tg_err *err)
{
    json_t *list = tg_config_list(config, "schema.registry.url");
    size_t i;
    json_t *item;
    int rc = 0;
    if (json_array_size(list) == 0)
        rc = tg_err_set(err, TG_ERR_CONFIG,
                        "schema.registry.url is missing: the address of the"
                        " schema registry, such as http://127.0.0.1:8081");
    s->urls = tg_calloc((json_array_size(list) + 1) * sizeof *s->urls);
    json_array_foreach(list, i, item)
    {
        if (!rc)
            rc = read_url(&s->urls[s->nurls++], json_string_value(item), err);
    }
    json_decref(list);
    return rc;
}

/* --- credentials ---------------------------------------------------------- */

/* username="x" out of a JAAS line; *out NULL if it is not there. */
static void jaas_option(const char *jaas, const char *option, char **out)
{
    size_t n = strlen(option);
    *out = NULL;
    for (const char *p = jaas; (p = strstr(p, option)); p += n) {
        const char *v = p + n;
        if (p > jaas && (unsigned char)p[-1] > ' ')
            continue;
        v += strspn(v, " \t");
        if (*v++ != '=')
            continue;
        v += strspn(v, " \t");
        if (*v == '"' || *v == '\'') {
            const char *end = strchr(v + 1, *v);
            *out = end ? tg_strndup(v + 1, (size_t)(end - v - 1)) : NULL;
        } else {
            *out = tg_strndup(v, strcspn(v, " \t;"));
        }
        return;
    }
}

static int inherit_sasl(tg_reg_settings *s, const json_t *config, tg_err *err)
{
    const char *jaas = tg_config_get(config, "sasl.jaas.config", "");
    char *user, *password;
    jaas_option(jaas, "username", &user);
    jaas_option(jaas, "password", &password);
    if (user && password)
        s->user = tg_sprintf("%s:%s", user, password);
    tg_free(user);
    tg_free(password);
    if (s->user)
        return 0;
    return tg_err_set(err, TG_ERR_CONFIG,
                      "basic.auth.credentials.source is SASL_INHERIT, but the"
                      " converter has no sasl.jaas.config with username=\"...\""
                      " password=\"...\"");
}

static int read_basic(tg_reg_settings *s, const json_t *config, tg_err *err)
{
    const char *source = tg__reg_get(config, "basic.auth.credentials.source");
    const char *info = tg__reg_get(config, "basic.auth.user.info");
    if (!source || strcasecmp(source, "URL") == 0)
        return 0;
    for (uint32_t i = 0; i < s->nurls; i++) { /* only URL reads them */
        tg_free(s->urls[i].user);
        s->urls[i].user = NULL;
    }
    if (strcasecmp(source, "SASL_INHERIT") == 0)
        return inherit_sasl(s, config, err);
    if (strcasecmp(source, "USER_INFO") != 0)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "basic.auth.credentials.source is \"%s\"; accepted"
                          " are URL, USER_INFO and SASL_INHERIT",
                          source);
    if (!info || !strchr(info, ':'))
        return tg_err_set(err, TG_ERR_CONFIG,
                          "basic.auth.credentials.source is USER_INFO, so"
                          " basic.auth.user.info must be user:password");
    s->user = tg_strdup(info);
    return 0;
}

static int read_bearer(tg_reg_settings *s, const json_t *config, tg_err *err)
{
    const char *source = tg__reg_get(config, "bearer.auth.credentials.source");
    const char *token = tg__reg_get(config, "bearer.auth.token");
    s->cluster = tg_strdup(tg__reg_get(config, "bearer.auth.logical.cluster"));
    s->pool = tg_strdup(tg__reg_get(config, "bearer.auth.identity.pool.id"));
    if (!source && !token)
        return 0;
    if (source && strcasecmp(source, "STATIC_TOKEN") != 0)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "bearer.auth.credentials.source is \"%s\"; accepted"
                          " is STATIC_TOKEN, with the token in"
                          " bearer.auth.token",
                          source);
    if (!token)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "bearer.auth.credentials.source is STATIC_TOKEN, so"
                          " bearer.auth.token must be set");
    if (strpbrk(token, "\r\n"))
        return tg_err_set(err, TG_ERR_CONFIG,
                          "bearer.auth.token must be one line");
    s->token = tg_strdup(token);
    return 0;
}

/* --- subjects ------------------------------------------------------------- */

static const char *simple_name(const char *class_name)
{
    const char *dot = strrchr(class_name, '.');
    return dot ? dot + 1 : class_name;
}

static int read_strategy(tg_reg_settings *s, const json_t *config,
                         const char *role, tg_err *err)
{
    static const char *const names[] = {
        "TopicNameStrategy", "RecordNameStrategy", "TopicRecordNameStrategy"};
    s->strategy_key = strcmp(role, "key") == 0 ? "key.subject.name.strategy"
                                               : "value.subject.name.strategy";
    const char *text = tg_config_get(config, s->strategy_key, NULL);
    if (!text || !*text)
        return 0;
    for (int i = 0; i < 3; i++) {
        if (strcmp(simple_name(text), names[i]) == 0) {
            s->strategy = (tg_strategy)i;
            return 0;
        }
    }
    return tg_err_set(err, TG_ERR_CONFIG,
                      "%s is \"%s\"; accepted are io.confluent.kafka."
                      "serializers.subject.TopicNameStrategy,"
                      " RecordNameStrategy and TopicRecordNameStrategy",
                      s->strategy_key, text);
}

/* Settings that name Java classes: only the one that is built in. */
static int refuse_classes(const json_t *config, tg_err *err)
{
    static const char *const known[][2] = {
        {"context.name.strategy", "NullContextNameStrategy"},
        {"key.schema.id.serializer", "PrefixSchemaIdSerializer"},
        {"value.schema.id.serializer", "PrefixSchemaIdSerializer"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const char *text = tg_config_get(config, known[i][0], "");
        if (*text && strcmp(simple_name(text), known[i][1]) != 0)
            return tg_err_set(err, TG_ERR_CONFIG,
                              "%s is \"%s\"; accepted is %s", known[i][0], text,
                              known[i][1]);
    }
    return 0;
}

/* --- all of them ---------------------------------------------------------- */

static int read_int(const json_t *config, const char *key, int64_t dflt,
                    int64_t min, int64_t *out, tg_err *err)
{
    char longer[128];
    snprintf(longer, sizeof longer, "schema.registry.%s", key);
    bool is_long = json_object_get(config, longer) != NULL;
    return tg_config_int(config, is_long ? longer : key, dflt, min, INT32_MAX,
                         out, err);
}

static int read_numbers(tg_reg_settings *s, const json_t *config, tg_err *err)
{
    const struct {
        const char *key;
        int64_t dflt, min, unit;
        int64_t *out;
    } all[] = {
        {"http.connect.timeout.ms", 60000, 1, 1, &s->connect_ms},
        {"http.read.timeout.ms", 60000, 1, 1, &s->read_ms},
        {"max.retries", 3, 0, 1, &s->retries},
        {"retries.wait.ms", 1000, 0, 1, &s->wait_ms},
        {"retries.max.wait.ms", 20000, 0, 1, &s->max_wait_ms},
        {"max.schemas.per.subject", 1000, 1, 1, &s->max_schemas},
        {"use.schema.id", -1, -1, 1, &s->use_id},
        {"latest.cache.ttl.sec", -1, -1, 1000, &s->latest_ttl_ms},
        {"missing.id.cache.ttl.sec", 10, 0, 1000, &s->missing_ms},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        int rc = read_int(config, all[i].key, all[i].dflt, all[i].min,
                          all[i].out, err);
        if (rc)
            return rc;
        if (*all[i].out > 0)
            *all[i].out *= all[i].unit;
    }
    return 0;
}

static int read_flags(tg_reg_settings *s, const json_t *config, tg_err *err)
{
    bool latest_strict, id_strict;
    const struct {
        const char *key;
        bool dflt;
        bool *out;
    } all[] = {
        {"auto.register.schemas", true, &s->auto_register},
        {"use.latest.version", false, &s->latest},
        {"normalize.schemas", false, &s->normalize},
        {"latest.compatibility.strict", true, &latest_strict},
        {"id.compatibility.strict", true, &id_strict},
        {"schema.registry.url.randomize", false, &s->randomize},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        int rc =
            tg_config_bool(config, all[i].key, all[i].dflt, all[i].out, err);
        if (rc)
            return rc;
    }
    /* As Confluent's serializers: registering wins over both, an id over the
     * newest version. */
    if (s->auto_register) {
        s->latest = false;
        s->use_id = -1;
    }
    s->strict = s->use_id >= 0 ? id_strict : latest_strict;
    return 0;
}

static int read_proxy(tg_reg_settings *s, const json_t *config, tg_err *err)
{
    const char *host = tg__reg_get(config, "proxy.host");
    int64_t port;
    int rc = read_int(config, "proxy.port", -1, -1, &port, err);
    if (rc || !host)
        return rc;
    if (port < 1 || port > 65535)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "proxy.host is set, so proxy.port must be its port"
                          " (1 to 65535)");
    s->proxy = tg_sprintf("http://%s:%d", host, (int)port);
    return 0;
}

int tg__reg_settings_read(tg_reg_settings *s, const json_t *config,
                          const char *role, tg_err *err)
{
    int rc = read_urls(s, config, err);
    if (!rc)
        rc = read_basic(s, config, err);
    if (!rc)
        rc = read_bearer(s, config, err);
    if (!rc)
        rc = read_strategy(s, config, role, err);
    if (!rc)
        rc = refuse_classes(config, err);
    if (!rc)
        rc = read_numbers(s, config, err);
    if (!rc)
        rc = read_flags(s, config, err);
    if (!rc)
        rc = read_proxy(s, config, err);
    return rc ? rc : tg__reg_tls_read(&s->tls, config, err);
}

void tg__reg_settings_fini(tg_reg_settings *s)
{
    for (uint32_t i = 0; i < s->nurls; i++) {
        tg_free(s->urls[i].text);
        tg_free(s->urls[i].user);
    }
    tg_free(s->urls);
    tg_free(s->user);
    tg_free(s->token);
    tg_free(s->cluster);
    tg_free(s->pool);
    tg_free(s->proxy);
    tg__reg_tls_fini(&s->tls);
}
