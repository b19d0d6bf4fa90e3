/*
 * TLS and SASL settings. Java's describe key stores and login modules of the
 * Java runtime; librdkafka wants PEM (or PKCS#12 for the key), and user and
 * password. What can be expressed is mapped, the rest is an error that says
 * how to convert it: a client that silently dropped a security setting would
 * be worse than one that does not start.
 *
 * Any thread; no global state.
 */
#include "kafka/map.h"
#include "base/config.h"
#include "base/mem.h"
#include <ctype.h>
#include <stdio.h>
#include <strings.h>

enum { PATH_SIZE = 4096, PEM_SIZE = 64 * 1024 };

/* --- sasl.jaas.config ----------------------------------------------------- */

/* Finds name="value" (or 'value', or bare) among the options. False when it is
 * not there. */
static bool jaas_option(const char *jaas, const char *name, char *out,
                        size_t size)
{
    size_t len = strlen(name), n = 0;
    const char *p = jaas;
    char quote = 0;

    while (*p) {
        const char *word;

        while (*p && (isspace((unsigned char)*p) || *p == ';'))
            p++;
        word = p;
        while (*p && *p != '=' && *p != ';' && !isspace((unsigned char)*p))
            p++;
        if (*p != '=')
            continue;
        bool hit = (size_t)(p - word) == len && !memcmp(word, name, len);
        p++;
        quote = *p == '"' || *p == '\'' ? *p++ : 0;
        n = 0;
        while (*p && (quote ? *p != quote
                            : *p != ';' && !isspace((unsigned char)*p))) {
            if (quote && *p == '\\' && p[1])
                p++;
            if (n + 1 < size)
                out[n++] = *p;
            p++;
        }
        out[n] = 0;
        if (quote && *p == quote)
            p++;
        if (hit)
            return true;
    }
    return false;
}

static int jaas_login(tg__map *map, const char *jaas, const char *module,
                      tg_err *err)
{
    char user[1024], password[4096];

    if (!jaas_option(jaas, "username", user, sizeof user) ||
        !jaas_option(jaas, "password", password, sizeof password))
        return tg_err_set(err, TG_ERR_CONFIG,
                          "sasl.jaas.config for %s needs username=\"...\" and "
                          "password=\"...\" and a ';' at the end",
                          module);
    if (tg__map_set(map, "sasl.username", user, "sasl.jaas.config", err))
        return TG_ERR_CONFIG;
    return tg__map_set(map, "sasl.password", password, "sasl.jaas.config", err);
}

static int jaas_oauth(tg__map *map, const char *jaas, tg_err *err)
{
    static const char *const options[][2] = {
        {"clientId", "sasl.oauthbearer.client.id"},
        {"clientSecret", "sasl.oauthbearer.client.secret"},
        {"scope", "sasl.oauthbearer.scope"}};
    char text[4096];

    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (jaas_option(jaas, options[i][0], text, sizeof text) &&
            tg__map_set(map, options[i][1], text, "sasl.jaas.config", err))
            return TG_ERR_CONFIG;
    return TG_OK;
}

static int jaas_kerberos(tg__map *map, const char *jaas, tg_err *err)
{
    char text[PATH_SIZE];

    if (jaas_option(jaas, "principal", text, sizeof text) &&
        tg__map_set(map, "sasl.kerberos.principal", text, "sasl.jaas.config",
                    err))
        return TG_ERR_CONFIG;
    if (jaas_option(jaas, "keyTab", text, sizeof text))
        return tg__map_set(map, "sasl.kerberos.keytab", text,
                           "sasl.jaas.config", err);
    tg__map_warn(map,
                 "sasl.jaas.config names no keyTab: the ticket cache of kinit "
                 "is used");
    return TG_OK;
}

static int map_jaas(tg__map *map, const char *jaas, tg_err *err)
{
    char module[256];
    const char *dot, *name;

    if (sscanf(jaas, " %255s", module) != 1)
        return TG_OK;
    dot = strrchr(module, '.');
    name = dot ? dot + 1 : module;
    if (!strcmp(name, "PlainLoginModule") || !strcmp(name, "ScramLoginModule"))
        return jaas_login(map, jaas, name, err);
    if (!strcmp(name, "OAuthBearerLoginModule"))
        return jaas_oauth(map, jaas, err);
    if (!strcmp(name, "Krb5LoginModule"))
        return jaas_kerberos(map, jaas, err);
    return tg_err_set(err, TG_ERR_CONFIG,
                      "sasl.jaas.config: the login module %s is unknown; "
                      "PlainLoginModule, ScramLoginModule, "
                      "OAuthBearerLoginModule and Krb5LoginModule are "
                      "accepted",
                      module);
}

static int map_oauth_endpoint(tg__map *map, tg_err *err)
{
    static const char *const keys[][2] = {
        {"sasl.oauthbearer.token.endpoint.url",
         "sasl.oauthbearer.token.endpoint.url"},
        {"sasl.oauthbearer.scope", "sasl.oauthbearer.scope"},
        {"sasl.oauthbearer.client.credentials.client.id",
         "sasl.oauthbearer.client.id"},
        {"sasl.oauthbearer.client.credentials.client.secret",
         "sasl.oauthbearer.client.secret"}};
    char text[4096];

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (tg__map_value(map, keys[i][0], text, sizeof text) && *text &&
            tg__map_set(map, keys[i][1], text, keys[i][0], err))
            return TG_ERR_CONFIG;
    if (json_object_get(map->out, "sasl.oauthbearer.token.endpoint.url") &&
        !json_object_get(map->config, "sasl.oauthbearer.method"))
        return tg__map_set(map, "sasl.oauthbearer.method", "oidc",
                           "sasl.oauthbearer.token.endpoint.url", err);
    return TG_OK;
}

static int map_sasl(tg__map *map, tg_err *err)
{
    char *text = tg_alloc(PEM_SIZE);
    int rc = TG_OK;

    if (tg__map_value(map, "sasl.mechanism", text, PEM_SIZE) ||
        tg__map_value(map, "sasl.mechanisms", text, PEM_SIZE))
        rc = tg__map_set(map, "sasl.mechanisms", text, "sasl.mechanism", err);
    if (!rc && tg__map_value(map, "sasl.jaas.config", text, PEM_SIZE))
        rc = map_jaas(map, text, err);
    if (!rc)
        rc = map_oauth_endpoint(map, err);
    tg_free(text);
    return rc;
}

/* --- TLS ------------------------------------------------------------------ */

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n >= m && !strcasecmp(text + n - m, end);
}

static int map_truststore(tg__map *map, tg_err *err)
{
    char type[32], path[PATH_SIZE], *pem = tg_alloc(PEM_SIZE);
    int rc = TG_OK;

    if (tg__map_value(map, "ssl.truststore.certificates", pem, PEM_SIZE) &&
        *pem) {
        rc = tg__map_set(map, "ssl.ca.pem", pem, "ssl.truststore.certificates",
                         err);
        goto out;
    }
    if (!tg__map_value(map, "ssl.truststore.location", path, sizeof path) ||
        !*path)
        goto out;
    if (!tg__map_value(map, "ssl.truststore.type", type, sizeof type))
        strcpy(type, "JKS");
    if (!strcasecmp(type, "PEM"))
        rc = tg__map_set(map, "ssl.ca.location", path,
                         "ssl.truststore.location", err);
    else
        rc = tg_err_set(
            err, TG_ERR_CONFIG,
            "ssl.truststore.location=%s of type %s cannot be read: only PEM "
            "is. Convert it with `keytool -exportcert -rfc -keystore %s -alias "
            "ALIAS > ca.pem` and set ssl.truststore.type=PEM and "
            "ssl.truststore.location=ca.pem",
            path, type, path);
out:
    tg_free(pem);
    return rc;
}

static int keystore_file(tg__map *map, const char *path, tg_err *err)
{
    char type[32] = "JKS", password[1024];
    bool typed = tg__map_value(map, "ssl.keystore.type", type, sizeof type);

    if (!strcasecmp(type, "PEM")) {
        /* One file holds the key and the certificate chain. */
        if (tg__map_set(map, "ssl.key.location", path, "ssl.keystore.location",
                        err))
            return TG_ERR_CONFIG;
        return tg__map_set(map, "ssl.certificate.location", path,
                           "ssl.keystore.location", err);
    }
    if (!strcasecmp(type, "PKCS12") ||
        (!typed && (ends_with(path, ".p12") || ends_with(path, ".pfx")))) {
        if (tg__map_value(map, "ssl.keystore.password", password,
                          sizeof password) &&
            tg__map_set(map, "ssl.keystore.password", password,
                        "ssl.keystore.password", err))
            return TG_ERR_CONFIG;
        return tg__map_set(map, "ssl.keystore.location", path,
                           "ssl.keystore.location", err);
    }
    return tg_err_set(
        err, TG_ERR_CONFIG,
        "ssl.keystore.location=%s of type %s cannot be read: PEM and PKCS12 "
        "are. Convert it with `keytool -importkeystore -srckeystore %s "
        "-destkeystore keystore.p12 -deststoretype PKCS12` and set "
        "ssl.keystore.type=PKCS12 and ssl.keystore.location=keystore.p12",
        path, type, path);
}

static int map_keystore(tg__map *map, tg_err *err)
{
    char path[PATH_SIZE], *pem = tg_alloc(PEM_SIZE);
    int rc = TG_OK;

    if (tg__map_value(map, "ssl.keystore.key", pem, PEM_SIZE) && *pem)
        rc = tg__map_set(map, "ssl.key.pem", pem, "ssl.keystore.key", err);
    if (!rc &&
        tg__map_value(map, "ssl.keystore.certificate.chain", pem, PEM_SIZE) &&
        *pem)
        rc = tg__map_set(map, "ssl.certificate.pem", pem,
                         "ssl.keystore.certificate.chain", err);
    if (!rc && !json_object_get(map->out, "ssl.key.pem") &&
        tg__map_value(map, "ssl.keystore.location", path, sizeof path) && *path)
        rc = keystore_file(map, path, err);
    if (!rc && tg__map_value(map, "ssl.key.password", pem, PEM_SIZE) && *pem)
        rc = tg__map_set(map, "ssl.key.password", pem, "ssl.key.password", err);
    tg_free(pem);
    return rc;
}

static int map_tls(tg__map *map, tg_err *err)
{
    char text[4096];

    if (map_truststore(map, err) || map_keystore(map, err))
        return TG_ERR_CONFIG;
    if (tg__map_value(map, "ssl.endpoint.identification.algorithm", text,
                      sizeof text) &&
        tg__map_set(map, "ssl.endpoint.identification.algorithm",
                    *text ? text : "none",
                    "ssl.endpoint.identification.algorithm", err))
        return TG_ERR_CONFIG;
    if (tg__map_value(map, "ssl.cipher.suites", text, sizeof text) && *text) {
        for (char *p = text; *p; p++)
            if (*p == ',')
                *p = ':';
        return tg__map_set(map, "ssl.cipher.suites", text, "ssl.cipher.suites",
                           err);
    }
    return TG_OK;
}

/* --- both ----------------------------------------------------------------- */

int tg__map_security(tg__map *map, tg_err *err)
{
    char protocol[64] = "plaintext";
    bool given =
        tg__map_value(map, "security.protocol", protocol, sizeof protocol);

    for (char *p = protocol; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    if (given && tg__map_set(map, "security.protocol", protocol,
                             "security.protocol", err))
        return tg_err_set(err, TG_ERR_CONFIG,
                          "client setting security.protocol=%s is not "
                          "accepted: it takes PLAINTEXT, SSL, SASL_PLAINTEXT "
                          "or SASL_SSL",
                          protocol);
    if (!strncmp(protocol, "sasl", 4) && map_sasl(map, err))
        return TG_ERR_CONFIG;
    if (strstr(protocol, "ssl") && map_tls(map, err))
        return TG_ERR_CONFIG;
    return TG_OK;
}
