/*
 * Making a chain: converters, transforms and predicates from configuration.
 *
 * The task's thread.
 */
#include "base/config.h"
#include "base/file.h"
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

/* --- versions ------------------------------------------------------------ */

static void version_fini(tg__version *v)
{
    if (v->old)
        tg_instance_free(v->old);
    tg_free(v->alias);
    tg_free(v->class_name);
    json_decref(v->config);
    json_decref(v->refused);
    json_decref(v->tried);
    tg_free(v->error);
    *v = (tg__version){0};
}

/* What the configuration says of a transform or predicate. */
static int version_read(tg__version *v, const char *kind, const char *alias,
                        const json_t *config, tg_err *err)
{
    char *prefix = tg_sprintf("%ss.", kind);
    char *key = tg_sprintf("%s%s.type", prefix, alias);
    const char *type = tg_config_get(config, key, NULL);
    int rc = 0;

    if (type)
        *v = (tg__version){.kind = kind,
                           .alias = tg_strdup(alias),
                           .class_name = tg_strdup(type),
                           .config =
                               tg_chain_plugin_config(config, prefix, alias)};
    else
        rc = tg_err_set(err, TG_ERR_CONFIG,
                        "%s is missing: it names the class of the %s %s", key,
                        kind, alias);
    tg_free(key);
    tg_free(prefix);
    return rc;
}

tg_instance *tg__version_make(tg_chain *chain, const tg__version *v,
                              tg_instance *previous, const tg_buf *state,
                              tg_err *err)
{
    char *label = tg_sprintf("%s.%ss.%s", chain->name, v->kind, v->alias);
    tg_instance_options options = {.kind = v->kind,
                                   .class_name = v->class_name,
                                   .config = v->config,
                                   .label = label,
                                   .previous = previous,
                                   .state = state};
    tg_instance *inst = tg_instance_make(chain->vm, &options, err);

    tg_free(label);
    return inst;
}

static bool same_version(const tg__version *a, const tg__version *b)
{
    return a->class_name && b->class_name && strcmp(a->alias, b->alias) == 0 &&
           strcmp(a->class_name, b->class_name) == 0 &&
           json_equal(a->config, b->config);
}

/* --- stages -------------------------------------------------------------- */

void tg__stage_link(tg__stage *s)
{
    tg_instance_predicate(s->inst, s->predicate, s->negate);
    s->stock = tg_instance_stock(s->inst) &&
               (!s->predicate || tg_instance_stock(s->predicate));
}

void tg__stage_fini(tg__stage *s)
{
    if (s->inst)
        tg_instance_free(s->inst);
    if (s->predicate)
        tg_instance_free(s->predicate);
    version_fini(&s->transform_is);
    version_fini(&s->predicate_is);
    tg_free(s->alias);
    tg_free(s->what);
    tg_free(s->class_name);
    *s = (tg__stage){0};
}

/* The instance of an equal version of `from`, with all that is known of it; or
 * a new one. Invariant: what was taken over is in both until the caller decides
 * for one of them. */
static tg_instance *take_or_make(tg_chain *chain, tg__version *v,
                                 const tg__version *was, tg_instance *has,
                                 tg_err *err)
{
    tg_instance *inst;

    if (was && has && !was->old && same_version(v, was)) {
        v->error = tg_strdup(was->error);
        v->refused = json_incref(was->refused);
        memcpy(v->error_hash, was->error_hash, sizeof v->error_hash);
        v->error_ms = was->error_ms;
        v->loaded_ms = was->loaded_ms;
        v->reloads = was->reloads;
        return has;
    }
    inst = tg__version_make(chain, v, NULL, NULL, err);
    if (!inst)
        tg_err_prefix(err, "%s %s", v->kind, v->alias);
    v->loaded_ms = tg_clock_wall_ms();
    return inst;
}

static int add_predicate(tg_chain *chain, tg__stage *s, const json_t *config,
                         const tg__stage *was, tg_err *err)
{
    char *key = tg_sprintf("transforms.%s.predicate", s->alias);
    char *negate_key = tg_sprintf("transforms.%s.negate", s->alias);
    const char *alias = tg_config_get(config, key, NULL);
    int rc = tg_config_bool(config, negate_key, false, &s->negate, err);

    if (rc == 0 && alias) {
        rc = version_read(&s->predicate_is, "predicate", alias, config, err);
        if (rc == 0)
            s->predicate = take_or_make(chain, &s->predicate_is,
                                        was ? &was->predicate_is : NULL,
                                        was ? was->predicate : NULL, err);
        if (!s->predicate)
            rc = err->code;
    } else if (rc == 0 && s->negate) {
        rc = tg_err_set(err, TG_ERR_CONFIG,
                        "%s is true, but %s is not set: there is nothing to "
                        "negate",
                        negate_key, key);
    }
    tg_free(key);
    tg_free(negate_key);
    return rc;
}

static int stage_init(tg_chain *chain, tg__stage *s, const char *alias,
                      const json_t *config, const tg__stage *was, tg_err *err)
{
    int rc;

    *s = (tg__stage){.alias = tg_strdup(alias),
                     .what = tg_sprintf("transform %s", alias)};
    rc = version_read(&s->transform_is, "transform", alias, config, err);
    if (rc)
        return rc;
    s->class_name = tg_strdup(s->transform_is.class_name);
    s->inst =
        take_or_make(chain, &s->transform_is, was ? &was->transform_is : NULL,
                     was ? was->inst : NULL, err);
    if (!s->inst)
        return err->code;
    return add_predicate(chain, s, config, was, err);
}

/* Lets go of what belongs to `from`, then frees. */
static void stages_abandon(tg__stage *stages, int n, const tg__stage *from,
                           int nfrom)
{
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < nfrom; k++) {
            if (stages[i].inst == from[k].inst)
                stages[i].inst = NULL;
            if (stages[i].predicate == from[k].predicate)
                stages[i].predicate = NULL;
        }
        tg__stage_fini(&stages[i]);
    }
    tg_free(stages);
}

static const tg__stage *find_stage(const tg__stage *from, int nfrom,
                                   const char *alias)
{
    for (int i = 0; i < nfrom; i++)
        if (strcmp(from[i].alias, alias) == 0)
            return &from[i];
    return NULL;
}

tg__stage *tg__stages_new(tg_chain *chain, const json_t *config,
                          const tg__stage *from, int nfrom, int *n, tg_err *err)
{
    json_t *aliases = tg_config_list(config, "transforms");
    tg__stage *stages =
        tg_calloc((json_array_size(aliases) + 1) * sizeof *stages);
    const json_t *alias;
    size_t i;
    int rc = 0;

    *n = 0;
    json_array_foreach(aliases, i, alias)
    {
        const char *name = json_string_value(alias);
        rc = stage_init(chain, &stages[(*n)++], name, config,
                        find_stage(from, nfrom, name), err);
        if (rc)
            break;
    }
    json_decref(aliases);
    if (rc == 0)
        return stages;
    stages_abandon(stages, *n, from, nfrom);
    return NULL;
}

void tg__chain_find_due(tg_chain *chain)
{
    chain->due_ns = INT64_MAX;
    for (int i = 0; i < chain->n; i++) {
        const tg__stage *s = &chain->stages[i];
        if (tg_instance_due(s->inst) < chain->due_ns)
            chain->due_ns = tg_instance_due(s->inst);
        if (s->predicate && tg_instance_due(s->predicate) < chain->due_ns)
            chain->due_ns = tg_instance_due(s->predicate);
    }
}

tg_chain *tg_chain_new(tg_vm *vm, const json_t *worker, const json_t *config,
                       bool source, bool tolerate, tg_page *page, tg_err *err)
{
    tg_chain *chain = tg_calloc(sizeof *chain);

    *chain = (tg_chain){
        .vm = vm,
        .page = page,
        .name = tg_strdup(tg_config_get(config, "name", "connector")),
        .source = source,
        .tolerate = tolerate,
        .news = true};
    chain->key = tg_chain_converter(worker, config, "key", err);
    if (chain->key)
        chain->value = tg_chain_converter(worker, config, "value", err);
    if (chain->value)
        chain->header = tg_chain_converter(worker, config, "header", err);
    if (chain->header)
        chain->stages = tg__stages_new(chain, config, NULL, 0, &chain->n, err);
    if (!chain->stages) {
        chain->n = 0;
        tg_chain_free(chain);
        return NULL;
    }
    for (int i = 0; i < chain->n; i++)
        tg__stage_link(&chain->stages[i]);
    tg__chain_find_due(chain);
    return chain;
}

void tg_chain_free(tg_chain *chain)
{
    if (!chain)
        return;
    for (int i = 0; i < chain->n; i++)
        tg__stage_fini(&chain->stages[i]);
    tg_free(chain->stages);
    if (chain->key)
        tg_converter_free(chain->key);
    if (chain->value)
        tg_converter_free(chain->value);
    if (chain->header)
        tg_converter_free(chain->header);
    tg_free(chain->notes);
    tg_free(chain->name);
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
