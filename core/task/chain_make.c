/*
 * Making a chain: converters, transforms and predicates from configuration.
 *
 * The task's thread.
 */
#include "base/config.h"
#include "base/mem.h"
#include "task/chain_priv.h"

/* --- making it ----------------------------------------------------------- */

tg_converter *tg_chain_converter(const json_t *worker, const json_t *config,
                                 const char *role, tg_err *err)
{
    char *key = tg_sprintf("%s.converter", role);
    char *prefix = tg_sprintf("%s.converter.", role);
    const json_t *from = tg_config_get(config, key, NULL) ? config : worker;
    const char *class_name = tg_config_get(from, key, NULL);
    json_t *settings = tg_config_prefixed(from, prefix);
    tg_converter *conv = NULL;

    if (!class_name && strcmp(role, "header") == 0)
        class_name = "org.apache.kafka.connect.storage.SimpleHeaderConverter";
    json_object_del(settings, "plugin.version");
    if (class_name)
        conv = tg_converter_new(class_name, settings, role, err);
    else
        tg_err_set(err, TG_ERR_CONFIG,
                   "%s is set neither in the connector's nor in the worker's "
                   "configuration; name a converter, for example "
                   "org.apache.kafka.connect.json.JsonConverter",
                   key);
    if (!conv && class_name)
        tg_err_prefix(err, "%s", key);
    json_decref(settings);
    tg_free(prefix);
    tg_free(key);
    return conv;
}

json_t *tg_chain_plugin_config(const json_t *config, const char *prefix,
                               const char *alias)
{
    char *full = tg_sprintf("%s%s.", prefix, alias);
    json_t *own = tg_config_prefixed(config, full);

    json_object_del(own, "type");
    json_object_del(own, "predicate");
    json_object_del(own, "negate");
    json_object_del(own, "plugin.version");
    tg_free(full);
    return own;
}

static tg_instance *make_plugin(tg_chain *chain, const json_t *config,
                                const char *kind, const char *alias,
                                char **class_name, tg_err *err)
{
    char *prefix = tg_sprintf("%ss.", kind);
    char *key = tg_sprintf("%s%s.type", prefix, alias);
    const char *type = tg_config_get(config, key, NULL);
    json_t *own = tg_chain_plugin_config(config, prefix, alias);
    tg_instance *inst = NULL;

    if (!type)
        tg_err_set(err, TG_ERR_CONFIG,
                   "%s is missing: it names the class of the %s %s", key, kind,
                   alias);
    else
        inst = tg_instance_new(chain->vm, kind, type, own, err);
    if (!inst && type)
        tg_err_prefix(err, "%s %s", kind, alias);
    if (inst && class_name)
        *class_name = tg_strdup(type);
    json_decref(own);
    tg_free(key);
    tg_free(prefix);
    return inst;
}

static int add_predicate(tg_chain *chain, tg__stage *s, const json_t *config,
                         tg_err *err)
{
    char *key = tg_sprintf("transforms.%s.predicate", s->alias);
    char *negate_key = tg_sprintf("transforms.%s.negate", s->alias);
    const char *alias = tg_config_get(config, key, NULL);
    bool negate = false;
    int rc = tg_config_bool(config, negate_key, false, &negate, err);

    if (rc == 0 && alias) {
        s->predicate =
            make_plugin(chain, config, "predicate", alias, NULL, err);
        if (s->predicate)
            tg_instance_predicate(s->inst, s->predicate, negate);
        else
            rc = err->code;
        if (s->predicate && !tg_instance_stock(s->predicate))
            s->stock = false; /* it may raise, as a user's transform may */
    } else if (rc == 0 && negate) {
        rc = tg_err_set(err, TG_ERR_CONFIG,
                        "%s is true, but %s is not set: there is nothing to "
                        "negate",
                        negate_key, key);
    }
    tg_free(key);
    tg_free(negate_key);
    return rc;
}

static int add_stage(tg_chain *chain, const json_t *config, const char *alias,
                     tg_err *err)
{
    tg__stage *s = &chain->stages[chain->n];

    *s = (tg__stage){.alias = tg_strdup(alias)};
    chain->n++;
    s->inst =
        make_plugin(chain, config, "transform", alias, &s->class_name, err);
    if (!s->inst)
        return err->code;
    s->what = tg_sprintf("transform %s", alias);
    s->stock = tg_instance_stock(s->inst);
    return add_predicate(chain, s, config, err);
}

static int add_stages(tg_chain *chain, const json_t *config, tg_err *err)
{
    json_t *aliases = tg_config_list(config, "transforms");
    const json_t *alias;
    size_t i;
    int rc = 0;

    chain->stages =
        tg_calloc((json_array_size(aliases) + 1) * sizeof *chain->stages);
    json_array_foreach(aliases, i, alias)
    {
        rc = add_stage(chain, config, json_string_value(alias), err);
        if (rc)
            break;
    }
    json_decref(aliases);
    return rc;
}

tg_chain *tg_chain_new(tg_vm *vm, const json_t *worker, const json_t *config,
                       bool source, bool tolerate, tg_page *page, tg_err *err)
{
    tg_chain *chain = tg_calloc(sizeof *chain);

    *chain = (tg_chain){
        .vm = vm, .page = page, .source = source, .tolerate = tolerate};
    chain->key = tg_chain_converter(worker, config, "key", err);
    if (chain->key)
        chain->value = tg_chain_converter(worker, config, "value", err);
    if (chain->value)
        chain->header = tg_chain_converter(worker, config, "header", err);
    if (chain->header && add_stages(chain, config, err) == 0)
        return chain;
    tg_chain_free(chain);
    return NULL;
}

void tg_chain_free(tg_chain *chain)
{
    if (!chain)
        return;
    for (int i = 0; i < chain->n; i++) {
        tg__stage *s = &chain->stages[i];
        if (s->inst)
            tg_instance_free(s->inst);
        if (s->predicate)
            tg_instance_free(s->predicate);
        tg_free(s->alias);
        tg_free(s->what);
        tg_free(s->class_name);
    }
    tg_free(chain->stages);
    if (chain->key)
        tg_converter_free(chain->key);
    if (chain->value)
        tg_converter_free(chain->value);
    if (chain->header)
        tg_converter_free(chain->header);
    tg_free(chain->notes);
    tg_free(chain);
}

const tg_converter *tg_chain_key(const tg_chain *chain)
{
    return chain->key;
}

const tg_converter *tg_chain_value(const tg_chain *chain)
{
    return chain->value;
}

const tg_converter *tg_chain_header(const tg_chain *chain)
{
    return chain->header;
}
