/*
 * Connector files and JSON configurations.
 *
 * jansson turns numbers into binary and would lose how they were written, so a
 * text is read twice: once as it is, for errors with their true position, and
 * once with quotes put around its numbers.
 *
 * Any thread; no state.
 */
#include "base/config.h"
#include "base/file.h"
#include "base/mem.h"
#include <strings.h>

enum { FILE_MAX = 16 * 1024 * 1024 };

static bool is_number_char(char c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' ||
           c == 'e' || c == 'E';
}

/* End of the string that begins at p (behind its closing quote). */
static const char *string_end(const char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p++)
        if (*p == '\\')
            p++;
    return p < end ? p + 1 : end;
}

/* Copies valid JSON and puts quotes around its numbers. */
static void quote_numbers(const char *p, size_t len, tg_buf *out)
{
    const char *end = p + len;

    while (p < end) {
        const char *from = p;
        if (*p == '"') {
            p = string_end(p, end);
            tg_buf_add(out, from, (size_t)(p - from));
        } else if (*p == '-' || (*p >= '0' && *p <= '9')) {
            while (p < end && is_number_char(*p))
                p++;
            tg_buf_str(out, "\"");
            tg_buf_add(out, from, (size_t)(p - from));
            tg_buf_str(out, "\"");
        } else {
            tg_buf_add(out, p++, 1);
        }
    }
}

json_t *tg_config_json_parse(const char *text, size_t len, const char *name,
                             tg_err *err)
{
    tg_buf quoted = {0};
    json_error_t why;
    json_t *json = json_loadb(text, len, JSON_DECODE_INT_AS_REAL, &why);

    /* A number too big for jansson is valid all the same. */
    if (json || json_error_code(&why) == json_error_numeric_overflow) {
        json_decref(json);
        quote_numbers(text, len, &quoted);
        json = json_loadb(tg_buf_cstr(&quoted), quoted.len, 0, &why);
        tg_buf_fini(&quoted);
    }
    if (!json)
        tg_err_set(err, TG_ERR_CONFIG, "%s:%d:%d: invalid JSON: %s", name,
                   why.line, why.column, why.text);
    return json;
}

json_t *tg_config_strings(const json_t *object, tg_err *err)
{
    json_t *strings = json_object();
    const char *key;
    json_t *v;

    json_object_foreach((json_t *)object, key, v)
    {
        if (json_is_string(v)) {
            json_object_set(strings, key, v);
        } else if (json_is_array(v) || json_is_object(v) || json_is_null(v)) {
            if (json_is_null(v))
                tg_err_set(err, TG_ERR_CONFIG,
                           "%s is null: Null value can not be supplied as the "
                           "configuration value.",
                           key);
            else
                tg_err_set(err, TG_ERR_CONFIG,
                           "%s is an %s, but must be a string, a number or a "
                           "boolean",
                           key, json_is_array(v) ? "array" : "object");
            json_decref(strings);
            return NULL;
        } else {
            char *text =
                json_dumps(v, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
            json_object_set_new(strings, key, json_string(text));
            tg_free(text);
        }
    }
    return strings;
}

/* Checks initial_state and puts it into the result in capitals. */
static int take_state(const json_t *from, json_t *to, tg_err *err)
{
    static const char *const states[] = {"RUNNING", "PAUSED", "STOPPED"};
    const json_t *state = json_object_get(from, "initial_state");
    const char *text = json_string_value(state);
    size_t i;

    if (!state || json_is_null(state))
        return TG_OK;
    for (i = 0; text && i < sizeof states / sizeof *states; i++) {
        if (strcasecmp(text, states[i]) == 0) {
            json_object_set_new(to, "initial_state", json_string(states[i]));
            return TG_OK;
        }
    }
    return tg_err_set(err, TG_ERR_CONFIG,
                      "initial_state is \"%s\", but must be RUNNING, PAUSED or "
                      "STOPPED",
                      text ? text : "(no string)");
}

/* {"name","config"} of a configuration (reference is taken); its name is the
 * given one, or the one inside. NULL when there is none. */
static json_t *connector_of(const char *name, json_t *config, tg_err *err)
{
    const char *inner = tg_config_get(config, "name", NULL);
    json_t *result = NULL;

    if (!name)
        name = inner;
    if (!name || !*name)
        tg_err_set(err, TG_ERR_CONFIG,
                   "name is missing: a connector file must say what the "
                   "connector is called");
    else if (inner && strcmp(inner, name) != 0)
        tg_err_set(err, TG_ERR_CONFIG,
                   "name is \"%s\", but \"config\" says name is \"%s\": give "
                   "one of them",
                   name, inner);
    else
        result = json_pack("{s:s,s:O}", "name", name, "config", config);
    if (result && !inner)
        json_object_set_new(config, "name", json_string(name));
    json_decref(config);
    return result;
}

/* {"name","config","initial_state"}; other members are ignored. */
static json_t *from_request(const json_t *json, tg_err *err)
{
    const json_t *name = json_object_get(json, "name");
    json_t *config;
    json_t *result;

    if (name && !json_is_string(name)) {
        tg_err_set(err, TG_ERR_CONFIG, "name must be a string");
        return NULL;
    }
    config = tg_config_strings(json_object_get(json, "config"), err);
    if (!config)
        return NULL;
    result = connector_of(json_string_value(name), config, err);
    if (result && take_state(json, result, err) != TG_OK) {
        json_decref(result);
        return NULL;
    }
    return result;
}

static json_t *from_json(const char *text, size_t len, const char *path,
                         tg_err *err)
{
    json_t *json = tg_config_json_parse(text, len, path, err);
    json_t *result = NULL;

    if (!json)
        return NULL;
    if (json_is_object(json_object_get(json, "config"))) {
        result = from_request(json, err);
    } else {
        json_t *config = tg_config_strings(json, err);
        if (config)
            result = connector_of(NULL, config, err);
    }
    json_decref(json);
    if (!result)
        tg_err_prefix(err, "%s", path);
    return result;
}

static json_t *from_properties(const char *text, size_t len, const char *path,
                               tg_err *err)
{
    json_t *config = tg_properties_parse(text, len, path, err);
    json_t *result;

    if (!config)
        return NULL;
    result = connector_of(NULL, config, err);
    if (!result)
        tg_err_prefix(err, "%s", path);
    return result;
}

json_t *tg_connector_file_load(const char *path, tg_err *err)
{
    size_t len;
    char *text = tg_file_read(path, FILE_MAX, &len, err);
    json_t *result;
    size_t i = 0;

    if (!text)
        return NULL;
    while (i < len && strchr(" \t\r\n\f", text[i]) && text[i])
        i++;
    if (i < len && text[i] == '{')
        result = from_json(text, len, path, err);
    else
        result = from_properties(text, len, path, err);
    tg_free(text);
    return result;
}
