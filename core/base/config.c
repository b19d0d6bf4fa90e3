/*
 * Typed reads of configurations, with the parsing rules of Kafka's ConfigDef.
 *
 * Any thread; no state.
 */
#include "base/config.h"
#include "base/mem.h"
#include <strings.h>

/* Java's String.trim: everything up to the space. */
static const char *trim(const char *s, size_t *len)
{
    size_t n = strlen(s);

    while (n > 0 && (unsigned char)s[n - 1] <= ' ')
        n--;
    while (n > 0 && (unsigned char)*s <= ' ') {
        s++;
        n--;
    }
    *len = n;
    return s;
}

const char *tg_config_get(const json_t *config, const char *key,
                          const char *dflt)
{
    const char *text = json_string_value(json_object_get(config, key));

    return text ? text : dflt;
}

/* Java's Long.parseLong: optional sign and ASCII digits, nothing else. */
static bool parse_long(const char *s, size_t n, int64_t *out)
{
    bool minus = n > 0 && *s == '-';
    uint64_t max = (uint64_t)INT64_MAX + minus;
    uint64_t v = 0;
    size_t i = n > 0 && (*s == '-' || *s == '+');

    if (i == n)
        return false;
    for (; i < n; i++) {
        unsigned digit = (unsigned)(s[i] - '0');
        if (digit > 9 || v > (max - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *out = (int64_t)(minus ? 0 - v : v);
    return true;
}

static int bad_int(const char *key, const char *found, int64_t min, int64_t max,
                   tg_err *err)
{
    if (min == INT64_MIN && max == INT64_MAX)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "%s is \"%s\", but must be an integer", key, found);
    if (max == INT64_MAX)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "%s is \"%s\", but must be an integer of at least "
                          "%lld",
                          key, found, (long long)min);
    if (min == INT64_MIN)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "%s is \"%s\", but must be an integer of at most "
                          "%lld",
                          key, found, (long long)max);
    return tg_err_set(err, TG_ERR_CONFIG,
                      "%s is \"%s\", but must be an integer from %lld to %lld",
                      key, found, (long long)min, (long long)max);
}

/* Text of a scalar in a form to read or to show; NULL when absent or null.
 * Caller frees. */
static char *scalar_text(const json_t *v)
{
    if (!v || json_is_null(v))
        return NULL;
    if (json_is_string(v))
        return tg_strdup(json_string_value(v));
    return json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
}

int tg_config_int(const json_t *config, const char *key, int64_t dflt,
                  int64_t min, int64_t max, int64_t *out, tg_err *err)
{
    char *text = scalar_text(json_object_get(config, key));
    int status = TG_OK;
    int64_t v = dflt;
    const char *s;
    size_t n;

    if (text) {
        s = trim(text, &n);
        if (!parse_long(s, n, &v) || v < min || v > max)
            status = bad_int(key, text, min, max, err);
        tg_free(text);
    }
    if (status == TG_OK)
        *out = v;
    return status;
}

int tg_config_bool(const json_t *config, const char *key, bool dflt, bool *out,
                   tg_err *err)
{
    char *text = scalar_text(json_object_get(config, key));
    int status = TG_OK;
    const char *s;
    size_t n;

    if (!text) {
        *out = dflt;
        return TG_OK;
    }
    s = trim(text, &n);
    if (n == 4 && strncasecmp(s, "true", 4) == 0)
        *out = true;
    else if (n == 5 && strncasecmp(s, "false", 5) == 0)
        *out = false;
    else
        status =
            tg_err_set(err, TG_ERR_CONFIG,
                       "%s is \"%s\", but must be true or false", key, text);
    tg_free(text);
    return status;
}

json_t *tg_config_list(const json_t *config, const char *key)
{
    json_t *list = json_array();
    size_t n;
    const char *s = trim(tg_config_get(config, key, ""), &n);
    const char *end = s + n;

    if (n == 0)
        return list;
    for (;;) {
        const char *comma = memchr(s, ',', (size_t)(end - s));
        char *part = tg_strndup(s, (size_t)((comma ? comma : end) - s));
        const char *text = trim(part, &n);
        json_array_append_new(list, json_stringn(text, n));
        tg_free(part);
        if (!comma)
            return list;
        s = comma + 1;
    }
}

json_t *tg_config_prefixed(const json_t *config, const char *prefix)
{
    json_t *sub = json_object();
    size_t n = strlen(prefix);
    const char *key;
    json_t *v;

    json_object_foreach((json_t *)config, key, v)
    {
        if (strncmp(key, prefix, n) == 0 && key[n] != '\0')
            json_object_set(sub, key + n, v);
    }
    return sub;
}
