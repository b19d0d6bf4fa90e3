/*
 * Key and trust stores of the connection to a registry: PEM as Kafka's clients
 * take it (files or text in the settings), and PKCS12 for the client's own key.
 * The form is found out from the content, since ssl.*.type is often left at
 * Java's default.
 *
 * Script thread.
 */
#include "base/config.h"
#include "base/file.h"
#include "registry/internal.h"
#include <stdio.h>

enum { STORE_MAX = 4 * 1024 * 1024 };

typedef enum form { FORM_PEM, FORM_JKS, FORM_P12, FORM_OTHER } form;

static form form_of(const char *p, size_t len)
{
    static const char jks[] = {'\xfe', '\xed', '\xfe', '\xed'};
    static const char jceks[] = {'\xce', '\xce', '\xce', '\xce'};
    if (len >= 4 && (!memcmp(p, jks, 4) || !memcmp(p, jceks, 4)))
        return FORM_JKS;
    if (len >= 2 && p[0] == '\x30' && (p[1] & '\x80'))
        return FORM_P12;
    return strstr(p, "-----BEGIN ") ? FORM_PEM : FORM_OTHER;
}

static const char *ssl_get(const json_t *config, const char *key)
{
    char name[64];
    snprintf(name, sizeof name, "ssl.%s", key);
    return tg__reg_get(config, name);
}

static int refuse_jks(const char *key, const char *path, tg_err *err)
{
    return tg_err_set(
        err, TG_ERR_CONFIG,
        "schema.registry.ssl.%s.location is %s, a Java key store; PEM is"
        " accepted: keytool -importkeystore -srckeystore %s -destkeystore"
        " store.p12 -deststoretype PKCS12 && openssl pkcs12 -in store.p12%s"
        " -nodes -out store.pem",
        key, path, path, *key == 't' ? " -nokeys" : "");
}

/* File of a store; NULL with *rc 0 when the setting is absent. */
static char *read_store(const json_t *config, const char *key, size_t *len,
                        form *found, int *rc, tg_err *err)
{
    char name[64];
    snprintf(name, sizeof name, "%s.location", key);
    const char *path = ssl_get(config, name);
    *rc = 0;
    if (!path)
        return NULL;
    tg_err why = {0};
    char *text = tg_file_read(path, STORE_MAX, len, &why);
    if (!text) {
        *rc = tg_err_set(err, TG_ERR_CONFIG, "schema.registry.ssl.%s: %s", name,
                         why.text);
        return NULL;
    }
    *found = form_of(text, *len);
    if (*found == FORM_JKS)
        *rc = refuse_jks(key, path, err);
    else if (*found == FORM_OTHER)
        *rc = tg_err_set(err, TG_ERR_CONFIG,
                         "schema.registry.ssl.%s is %s, which is not PEM", name,
                         path);
    if (!*rc)
        return text;
    tg_free(text);
    return NULL;
}

static int read_trust(tg_reg_tls *tls, const json_t *config, tg_err *err)
{
    size_t len;
    form found;
    int rc;
    const char *inline_pem = ssl_get(config, "truststore.certificates");
    tls->trust = tg_strdup(inline_pem);
    if (inline_pem)
        return 0;
    tls->trust = read_store(config, "truststore", &len, &found, &rc, err);
    if (tls->trust && found == FORM_P12)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "schema.registry.ssl.truststore.location is %s, a"
                          " PKCS12 store; PEM is accepted: openssl pkcs12 -in"
                          " %s -nokeys -out store.pem",
                          ssl_get(config, "truststore.location"),
                          ssl_get(config, "truststore.location"));
    return rc;
}

static int read_key(tg_reg_tls *tls, const json_t *config, tg_err *err)
{
    form found = FORM_PEM;
    int rc;
    const char *chain = ssl_get(config, "keystore.certificate.chain");
    const char *key = ssl_get(config, "keystore.key");
    const char *password = ssl_get(config, "key.password");
    if (!chain != !key)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "schema.registry.ssl.keystore.key and"
                          " schema.registry.ssl.keystore.certificate.chain go"
                          " together");
    if (chain) {
        tls->chain = tg_strdup(chain);
        tls->chainlen = strlen(chain);
        tls->key = tg_strdup(key);
    } else {
        tls->chain =
            read_store(config, "keystore", &tls->chainlen, &found, &rc, err);
        if (rc)
            return rc;
        tls->p12 = found == FORM_P12;
    }
    if (!password || tls->p12)
        password = ssl_get(config, "keystore.password");
    tls->password = tg_strdup(password);
    return 0;
}

int tg__reg_tls_read(tg_reg_tls *tls, const json_t *config, tg_err *err)
{
    const char *name = "schema.registry.ssl.endpoint.identification.algorithm";
    const char *host = tg_config_get(config, name, NULL);
    if (!host)
        host =
            tg_config_get(config, name + strlen("schema.registry."), "https");
    tls->any_host = !*host;
    int rc = read_trust(tls, config, err);
    return rc ? rc : read_key(tls, config, err);
}

void tg__reg_tls_fini(tg_reg_tls *tls)
{
    tg_free(tls->trust);
    tg_free(tls->chain);
    tg_free(tls->key);
    tg_free(tls->password);
}
