/*
 * Chain of a task.
 *
 * A user's transform runs under an undo log: if the call raises, everything it
 * wrote is put back and the records are given to it one by one, so that only
 * the culprit is rejected and its neighbours are what a run without the error
 * would have made of them. Stock transforms reject record by record and need
 * no undo; if one raises all the same, the task fails, since what it half wrote
 * cannot be told apart.
 *
 * The task's thread.
 */
#include "task/chain.h"
#include "base/config.h"
#include "base/log.h"
#include "base/mem.h"
#include <stdio.h>

static const char MOD[] = "chain";

enum {
    MAX_TIMEOUTS = 3, /* in one batch, before the transform is given up */
    HIDDEN = 255 /* kept from the transform by its predicate: the SDK's mark,
                    left behind when the call fails */
};

typedef struct stage {
    char *alias, *what, *class_name;
    tg_instance *inst, *predicate;
    bool stock; /* needs no undo log */
} stage;

struct tg_chain {
    tg_vm *vm;
    tg_page *page;
    bool source, tolerate;
    tg_converter *key, *value, *header;
    stage *stages;
    int n;
    char *trace; /* Lua traceback of the first culprit of this batch */
    const tg_record *traced;
};

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

static int add_predicate(tg_chain *chain, stage *s, const json_t *config,
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
    stage *s = &chain->stages[chain->n];

    *s = (stage){.alias = tg_strdup(alias)};
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
        stage *s = &chain->stages[i];
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
    tg_free(chain->trace);
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

/* --- running it ---------------------------------------------------------- */

static void reject_at(tg_record *rec, uint16_t stage_no, const tg_err *err)
{
    tg_record_reject(rec, "%s", err->text);
    rec->stage = stage_no;
}

/* Values are checked on receipt: a converter that is strict decodes now, even
 * if nobody looks; keys and headers wait until somebody does. */
static void decode(tg_chain *chain, tg_batch *batch)
{
    int64_t start = tg_clock_ns();
    tg_err err = {0};

    tg_page_set(chain->page->at, TG_AT_DECODE);
    for (uint32_t i = 0; i < batch->n; i++) {
        tg_record *rec = batch->items[i];
        tg_cell *cell = &rec->value;
        if (cell->state != TG_CELL_RAW || !cell->conv || !cell->conv->strict ||
            rec->verdict != TG_KEEP)
            continue;
        batch->cursor = i;
        if (tg_cell_decode(cell, &err) != 0)
            reject_at(rec, TG_STAGE_VALUE, &err);
    }
    tg_page_add(chain->page->ns_decode, tg_clock_ns() - start);
}

static int encode_headers(tg_chain *chain, tg_record *rec, tg_err *err)
{
    for (uint32_t i = 0; i < rec->nheaders; i++) {
        int rc = tg_cell_encode(&rec->headers[i].cell, chain->header, err);
        if (rc)
            return rc;
    }
    return 0;
}

static void encode(tg_chain *chain, tg_batch *batch)
{
    int64_t start = tg_clock_ns();
    tg_err err = {0};

    tg_page_set(chain->page->at, TG_AT_ENCODE);
    for (uint32_t i = 0; i < batch->n; i++) {
        tg_record *rec = batch->items[i];
        if (rec->verdict != TG_KEEP)
            continue;
        batch->cursor = i;
        if (tg_cell_encode(&rec->value, chain->value, &err) != 0)
            reject_at(rec, TG_STAGE_VALUE, &err);
        else if (tg_cell_encode(&rec->key, chain->key, &err) != 0)
            reject_at(rec, TG_STAGE_KEY, &err);
        else if (rec->nheaders && encode_headers(chain, rec, &err) != 0)
            reject_at(rec, TG_STAGE_HEADER, &err);
    }
    tg_page_add(chain->page->ns_encode, tg_clock_ns() - start);
}

static void keep_trace(tg_chain *chain, const tg_record *rec, const tg_err *err)
{
    if (chain->traced)
        return;
    chain->traced = rec;
    tg_free(chain->trace);
    chain->trace = tg_strdup(err->trace);
}

/* The whole transform is at fault, or the task is. */
static bool beyond_repair(const tg_err *err)
{
    return err->fatal || err->code == TG_ERR_STOPPED ||
           err->code == TG_ERR_LIMIT;
}

/* One call under the undo log, for the records [lo, hi). When it fails, nothing
 * of it is left. */
static int apply_undoable(tg_chain *chain, int i, tg_batch *batch, uint32_t lo,
                          uint32_t hi, tg_err *err)
{
    int rc;

    batch->lo = lo;
    batch->hi = hi;
    tg_batch_begin(batch);
    rc = tg_instance_apply(chain->stages[i].inst, batch, i, err);
    if (rc) {
        tg_batch_undo(batch);
        for (uint32_t at = 0; at < batch->n; at++)
            if (batch->items[at]->verdict == HIDDEN)
                batch->items[at]->verdict = TG_KEEP;
    }
    tg_batch_commit(batch);
    batch->lo = 0;
    batch->hi = batch->n;
    return rc;
}

/* The task is going to fail at record at: what stands behind it has not been
 * through this stage and must not look as if it had. */
static void leave_rest(tg_batch *batch, uint32_t at)
{
    for (uint32_t i = at + 1; i < batch->n; i++)
        if (batch->items[i]->verdict == TG_KEEP)
            batch->items[i]->verdict = TG_UNPROCESSED;
}

/* A time-out is not searched record by record when the task will fail anyway:
 * the record that the script was looking at is the culprit. Those before it are
 * transformed again. */
static bool reject_timed_out(tg_chain *chain, int i, tg_batch *batch,
                             const tg_err *err)
{
    uint32_t at = batch->cursor;
    tg_err again = {0};
    int rc = 0;

    if (err->code != TG_ERR_TIMEOUT || chain->tolerate || at >= batch->n ||
        batch->items[at]->verdict != TG_KEEP)
        return false;
    if (at > 0)
        rc = apply_undoable(chain, i, batch, 0, at, &again);
    if (rc)
        return false;
    reject_at(batch->items[at], (uint16_t)(i + 1), err);
    keep_trace(chain, batch->items[at], err);
    leave_rest(batch, at);
    return true;
}

static int apply_one(tg_chain *chain, int i, tg_batch *batch, uint32_t at,
                     tg_err *err)
{
    tg_record *rec = batch->items[at];
    int rc;

    tg_err_clear(err);
    rc = apply_undoable(chain, i, batch, at, at + 1, err);
    if (rc == 0 || beyond_repair(err))
        return rc;
    reject_at(rec, (uint16_t)(i + 1), err);
    keep_trace(chain, rec, err);
    return rc;
}

/* Gives the records to the stage one at a time. */
static int isolate(tg_chain *chain, int i, tg_batch *batch, tg_err *err)
{
    int timeouts = 0, rc = 0;
    uint32_t n = batch->n;

    tg_debug(MOD, "Looking for the culprit in transform %s: %s",
             chain->stages[i].alias, err->text);
    for (uint32_t at = 0; at < n; at++) {
        if (batch->items[at]->verdict != TG_KEEP)
            continue;
        rc = apply_one(chain, i, batch, at, err);
        if (rc && beyond_repair(err))
            break;
        if (rc && err->code == TG_ERR_TIMEOUT && ++timeouts == MAX_TIMEOUTS)
            break;
        rc = 0;
        if (!chain->tolerate && batch->items[at]->verdict == TG_REJECT) {
            leave_rest(batch, at);
            break;
        }
    }
    return rc;
}

static int run_user(tg_chain *chain, int i, tg_batch *batch, tg_err *err)
{
    int rc = apply_undoable(chain, i, batch, 0, batch->n, err);

    if (rc == 0 || beyond_repair(err))
        return rc;
    if (reject_timed_out(chain, i, batch, err))
        return 0;
    return isolate(chain, i, batch, err);
}

/* Names the stage of what was rejected in it; counts what is left. A verdict
 * that only a sink's put may give is a mistake of the script: the record must
 * not vanish by it. */
static uint32_t mark_rejected(tg_batch *batch, uint16_t no)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < batch->n; i++) {
        tg_record *rec = batch->items[i];
        if (rec->verdict == TG_KEEP) {
            kept++;
            continue;
        }
        if (rec->verdict == TG_RETRY || rec->verdict == TG_DONE)
            tg_record_reject(rec, "the transform gave a verdict that belongs "
                                  "to a sink's put; keep, drop or reject");
        if (rec->verdict == TG_REJECT && rec->stage == TG_STAGE_UNSET)
            rec->stage = no;
    }
    return kept;
}

int tg_chain_run(tg_chain *chain, tg_batch *batch, tg_err *err)
{
    uint32_t kept = batch->n;

    chain->traced = NULL;
    batch->lo = 0;
    batch->hi = batch->n;
    decode(chain, batch);
    for (int i = 0; i < chain->n && kept > 0; i++) {
        stage *s = &chain->stages[i];
        int rc;
        tg_page_set(chain->page->at, TG_AT_TRANSFORM);
        rc = s->stock ? tg_instance_apply(s->inst, batch, i, err)
                      : run_user(chain, i, batch, err);
        if (rc) {
            tg_err_prefix(err, "transform %s", s->alias);
            return rc;
        }
        tg_batch_settle(batch);
        batch->lo = 0;
        batch->hi = batch->n;
        kept = mark_rejected(batch, (uint16_t)(i + 1));
    }
    if (chain->source && kept > 0)
        encode(chain, batch);
    batch->cursor = 0;
    return 0;
}

tg_error_stage tg_chain_stage(const tg_chain *chain, const tg_record *rec)
{
    tg_error_stage out = {
        .stage = "TRANSFORMATION", .what = "the task", .class_name = "unknown"};

    if (rec == chain->traced)
        out.trace = chain->trace;
    if (rec->stage == TG_STAGE_VALUE) {
        out = (tg_error_stage){"VALUE_CONVERTER", "value.converter",
                               chain->value->ops->class_name, NULL};
    } else if (rec->stage == TG_STAGE_KEY) {
        out = (tg_error_stage){"KEY_CONVERTER", "key.converter",
                               chain->key->ops->class_name, NULL};
    } else if (rec->stage == TG_STAGE_HEADER) {
        out = (tg_error_stage){"HEADER_CONVERTER", "header.converter",
                               chain->header->ops->class_name, NULL};
    } else if (rec->stage == TG_STAGE_SEND) {
        out = (tg_error_stage){
            "KAFKA_PRODUCE", "sending to Kafka",
            "org.apache.kafka.connect.runtime.WorkerSourceTask", NULL};
    } else if (rec->stage == TG_STAGE_PUT) {
        out = (tg_error_stage){"TASK_PUT", "put",
                               "org.apache.kafka.connect.sink.SinkTask", NULL};
    } else if (rec->stage > 0 && rec->stage <= chain->n) {
        const stage *s = &chain->stages[rec->stage - 1];
        out.what = s->what;
        out.class_name = s->class_name;
    }
    return out;
}
