/*
 * Settings, topics and subjects of the converters with a schema registry.
 * Script thread.
 */
#include "convert/registered.h"
#include "base/config.h"
#include "convert/internal.h"
#include <stdio.h>

int tg__registered_flags(const json_t *config, const tg_flag *flags, size_t n,
                         tg_err *err)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < n; i++)
        rc = tg_config_bool(config, flags[i].key, flags[i].dflt, flags[i].out,
                            err);
    return rc;
}

int tg__registered_role(const tg_converter *conv, tg_err *err)
{
    if (strcmp(conv->role, "header") != 0)
        return 0;
    return tg_err_set(err, TG_ERR_CONFIG,
                      "%s is no header converter: a header has no subject;"
                      " use SimpleHeaderConverter or JsonConverter",
                      conv->ops->class_name);
}

int tg__registered_open(tg_converter *conv, const json_t *config,
                        tg_registry **out, tg_err *err)
{
    char number[16];
    *out = tg_registry_open(config, conv->role, err);
    if (!*out)
        return err->code;
    snprintf(number, sizeof number, "%u", tg_registry_identity(*out));
    conv->identity = tg__converter_identity(conv->ops, number);
    return 0;
}

int tg__registered_subject(const tg_registry *reg, const tg_record *rec,
                           const char *name, tg_buf *out, tg_err *err)
{
    out->len = 0;
    int rc = tg_registry_subject(reg, rec->topic ? rec->topic : "",
                                 rec->topiclen, name, out, err);
    tg_buf_cstr(out);
    return rc;
}

char *tg__registered_topic(const tg_record *rec)
{
    return tg_strndup(rec->topic ? rec->topic : "", rec->topiclen);
}
