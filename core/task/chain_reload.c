/*
 * New versions of transforms and predicates, between two batches and in their
 * first one.
 *
 *   file changed -> compiled, configured, tested, given the state of the old
 *                   version -> on trial -> first batch it sees records of
 *                                            passes: the old one goes
 *                                            raises, old one passes: refused
 *                                            both raise: it is the records,
 *                                            unless the old one passes one
 *                                            that the new one raises for
 *
 * Until the first batch the old version is kept as it was, so that going back
 * loses nothing but what timers did meanwhile. A version that is refused is not
 * tried again until one of its files changes.
 *
 * The task's thread.
 */
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "host/services.h"
#include "task/chain_priv.h"
#include <stdio.h>
#include <time.h>

static const char MOD[] = "reload";

enum { HASH_SHOWN = 12, PROBES_MAX = 16 };

/* --- one version --------------------------------------------------------- */

/* Where a version and its instance are. */
typedef struct part {
    tg__stage *stage;
    tg__version *is;
    tg_instance **inst;
} part;

static int parts_of(tg__stage *s, part parts[2])
{
    parts[0] = (part){s, &s->predicate_is, &s->predicate};
    parts[1] = (part){s, &s->transform_is, &s->inst};
    return 2;
}

static void drop_error(tg__version *v)
{
    tg_free(v->error);
    v->error = NULL;
    json_decref(v->refused);
    v->refused = NULL;
}

static void retire(tg_chain *chain, tg_instance *inst)
{
    tg_err err = {0};

    if (tg_instance_stop(inst, &err) != 0)
        tg_warn(MOD, "The stop of an old version failed: %s", err.text);
    tg_instance_free(inst);
    tg_vm_flush(chain->vm);
}

/* files: {path: hash} of what is refused (taken). */
static void refuse(tg_chain *chain, const part *p, const tg_err *why,
                   const char *hash, json_t *files)
{
    tg__version *v = p->is;

    drop_error(v);
    v->refused = files;
    v->error = tg_strdup(why->text);
    v->error_ms = tg_clock_wall_ms();
    snprintf(v->error_hash, sizeof v->error_hash, "%s", hash);
    chain->news = true;
    tg_page_add(chain->page->reload_failures, 1);
    tg_warn(MOD,
            "%s %s: the new version %.*s is refused and %s (%.*s) stays: %s",
            v->kind, v->alias, HASH_SHOWN, hash, tg_instance_version(*p->inst),
            HASH_SHOWN, tg_instance_hash(*p->inst), why->text);
}

/* --- the trial ----------------------------------------------------------- */

/* Exchanges the new and the old versions. */
static void exchange(tg__stage *s)
{
    part parts[2];

    for (int i = 0, n = parts_of(s, parts); i < n; i++) {
        tg_instance *inst = *parts[i].inst;
        if (!parts[i].is->old)
            continue;
        *parts[i].inst = parts[i].is->old;
        parts[i].is->old = inst;
    }
    tg__stage_link(s);
}

static void accept(tg_chain *chain, tg__stage *s)
{
    part parts[2];

    for (int i = 0, n = parts_of(s, parts); i < n; i++) {
        tg__version *v = parts[i].is;
        if (!v->old)
            continue;
        retire(chain, v->old);
        v->old = NULL;
        v->reloads++;
        drop_error(v);
        tg_page_add(chain->page->reloads, 1);
    }
    s->trial = false;
    chain->news = true;
}

/* The old versions run again; `old` holds the new ones. */
static void refuse_all(tg_chain *chain, tg__stage *s, const tg_err *why)
{
    part parts[2];

    for (int i = 0, n = parts_of(s, parts); i < n; i++) {
        tg__version *v = parts[i].is;
        if (!v->old)
            continue;
        refuse(chain, &parts[i], why, tg_instance_hash(v->old),
               json_incref(v->tried));
        retire(chain, v->old);
        v->old = NULL;
    }
    s->trial = false;
    tg__chain_find_due(chain);
}

void tg__stage_withdraw(tg_chain *chain, tg__stage *s)
{
    part parts[2];

    if (!s->trial)
        return;
    exchange(s);
    for (int i = 0, n = parts_of(s, parts); i < n; i++) {
        if (!parts[i].is->old)
            continue;
        retire(chain, parts[i].is->old);
        parts[i].is->old = NULL;
    }
    s->trial = false;
}

/* The task stops or cannot go on, whatever the version. A script that raises
 * tide.fatal is only broken. */
static bool beyond_repair(const tg_err *err)
{
    return (err->fatal && err->code != TG_ERR_SCRIPT) ||
           err->code == TG_ERR_STOPPED || err->code == TG_ERR_LIMIT;
}

/* What a version makes of the records [lo, hi); nothing of it is left. */
static int probe(tg_chain *chain, int i, tg_batch *batch, uint32_t lo,
                 uint32_t hi, tg__apply_fn apply, tg_err *err)
{
    int rc;

    tg_err_clear(err);
    rc = apply(chain, i, batch, lo, hi, false, err);
    return rc && beyond_repair(err) ? rc : rc != 0;
}

/*
 * Both versions raise for the batch, the new one at `at`. Is there a record
 * that the old version passes and the new one does not? 1: yes; 0: none was
 * found; TG_ERR_*. The old version runs, before and afterwards.
 */
static int worse(tg_chain *chain, int i, tg_batch *batch, uint32_t at,
                 tg__apply_fn apply, tg_err *err)
{
    tg__stage *s = &chain->stages[i];
    int rc;

    for (int k = 0; k < PROBES_MAX && at < batch->n; k++) {
        if (batch->items[at]->verdict != TG_KEEP)
            return 0;
        exchange(s);
        rc = probe(chain, i, batch, at, at + 1, apply, err);
        exchange(s);
        if (rc <= 0)
            return rc; /* it was another record */
        rc = probe(chain, i, batch, at, at + 1, apply, err);
        if (rc <= 0)
            return rc < 0 ? rc : 1;
        if (at + 1 == batch->n)
            return 0;
        exchange(s);
        rc = probe(chain, i, batch, at + 1, batch->n, apply, err);
        exchange(s);
        if (rc <= 0)
            return rc;
        at = batch->cursor;
    }
    return 0;
}

int tg__chain_trial(tg_chain *chain, int i, tg_batch *batch, tg__apply_fn apply,
                    tg_err *err)
{
    tg__stage *s = &chain->stages[i];
    tg_err broken;
    uint32_t at;
    int rc = apply(chain, i, batch, 0, batch->n, true, err);

    if (rc == 0) {
        if (tg_instance_passed(s->inst) != 0)
            accept(chain, s);
        return 1;
    }
    if (beyond_repair(err))
        return rc;
    broken = *err;
    at = batch->cursor;
    exchange(s);
    rc = apply(chain, i, batch, 0, batch->n, true, err);
    if (rc == 0) {
        refuse_all(chain, s, &broken);
        return 1;
    }
    if (!beyond_repair(err))
        rc = worse(chain, i, batch, at, apply, err);
    if (rc < 0)
        return rc;
    tg_err_clear(err);
    if (rc > 0) {
        refuse_all(chain, s, &broken);
        return 0;
    }
    exchange(s);
    accept(chain, s);
    return 0;
}

/* --- loading ------------------------------------------------------------- */

static const char *seen_hash(const json_t *seen, const char *path,
                             const char *dflt)
{
    const json_t *hash = json_object_get(seen, path);

    return !hash ? dflt : json_is_null(hash) ? "" : json_string_value(hash);
}

/* {path: hash} of the files of a version and of what was refused after it, as
 * they are now. *same: those of the version are what runs; *gone: its own file
 * cannot be read at the moment, or nothing else than that is new about its
 * modules: somebody is saving. A module that is gone for good does not keep a
 * version away that has no use for it. New object. */
static json_t *look(const part *p, const json_t *seen, bool *same, bool *gone)
{
    const tg_texts *texts = tg_instance_texts(*p->inst);
    json_t *now = json_object();
    const char *path;
    json_t *hash;
    bool saved = false, own_gone = false;

    *same = true;
    for (size_t i = 0; i < texts->n; i++) {
        const tg_text *t = &texts->items[i];
        const char *is = seen_hash(seen, t->path, t->hash);
        bool differs = strcmp(is, t->hash) != 0;
        if (!*t->path)
            continue;
        json_object_set_new(now, t->path, json_string(is));
        *same &= !differs;
        saved |= differs && *is;
        own_gone |= i == 0 && !*is;
    }
    *gone = own_gone || (!*same && !saved);
    json_object_foreach(p->is->refused, path, hash)
    {
        const char *is = seen_hash(seen, path, json_string_value(hash));
        if (!json_object_get(now, path))
            json_object_set_new(now, path, json_string(is));
    }
    return now;
}

/* What a version that did not load had read counts too: a module it asked for
 * may be what has to be mended. */
static void add_attempt(tg_chain *chain, json_t *files)
{
    json_t *paths = tg_vm_attempt(chain->vm);
    char hash[TG_SHA256_HEX];
    const json_t *path;
    size_t i;

    json_array_foreach(paths, i, path)
    {
        const char *name = json_string_value(path);
        if (json_object_get(files, name))
            continue;
        tg_text_hash_file(name, hash);
        json_object_set_new(files, name, json_string(hash));
    }
    json_decref(paths);
}

static void take_over(tg_chain *chain, const part *p, tg_instance *inst,
                      json_t *files, int64_t saved_ms)
{
    tg__version *v = p->is;
    int64_t now = tg_clock_wall_ms();

    if (v->old)
        retire(chain, *p->inst); /* it never saw a record */
    else
        v->old = *p->inst;
    *p->inst = inst;
    json_decref(v->tried);
    v->tried = files;
    v->loaded_ms = now;
    p->stage->trial = true;
    chain->news = true;
    tg_info(MOD,
            "%s %s: version %s (%.*s) was loaded %lld ms after it was saved "
            "and runs from the next batch on",
            v->kind, v->alias, tg_instance_version(inst), HASH_SHOWN,
            tg_instance_hash(inst), (long long)(now - saved_ms));
}

/* files: what is there now (taken). */
static void load(tg_chain *chain, const part *p, json_t *files,
                 int64_t saved_ms)
{
    tg_instance *proven = p->is->old ? p->is->old : *p->inst, *inst = NULL;
    tg_buf state = {0};
    tg_err err = {0};

    if (tg_instance_state(proven, &state, &err) == 0)
        inst = tg__version_make(chain, p->is, proven, &state, &err);
    else
        tg_err_prefix(&err, "the state of the old version");
    tg_buf_fini(&state);
    if (inst) {
        take_over(chain, p, inst, files, saved_ms);
        return;
    }
    add_attempt(chain, files);
    refuse(chain, p, &err,
           seen_hash(files, tg_instance_file(*p->inst), "unknown"), files);
}

static void reload_part(tg_chain *chain, const part *p, const json_t *seen,
                        int64_t saved_ms)
{
    bool same, gone;
    json_t *now;

    if (!*p->inst)
        return;
    now = look(p, seen, &same, &gone);
    if (same && p->is->error) { /* back to what runs */
        drop_error(p->is);
        chain->news = true;
    }
    if (same || gone || (p->is->refused && json_equal(now, p->is->refused)))
        json_decref(now);
    else
        load(chain, p, now, saved_ms);
}

void tg_chain_reload(tg_chain *chain, const json_t *seen, int64_t saved_ms)
{
    for (int i = 0; i < chain->n; i++) {
        part parts[2];
        for (int k = 0, n = parts_of(&chain->stages[i], parts); k < n; k++)
            reload_part(chain, &parts[k], seen, saved_ms);
        tg__stage_link(&chain->stages[i]);
    }
    tg__chain_find_due(chain);
}

/* --- telling ------------------------------------------------------------- */

json_t *tg_chain_uses(const tg_chain *chain)
{
    json_t *uses = json_object();

    for (int i = 0; i < chain->n; i++) {
        part parts[2];
        for (int k = 0, n = parts_of(&chain->stages[i], parts); k < n; k++) {
            const tg_texts *texts =
                *parts[k].inst ? tg_instance_texts(*parts[k].inst) : NULL;
            for (size_t t = 0; texts && t < texts->n; t++)
                if (*texts->items[t].path)
                    json_object_set_new(uses, texts->items[t].path,
                                        json_string(texts->items[t].hash));
            if (parts[k].is->refused)
                json_object_update(uses, parts[k].is->refused);
        }
    }
    return uses;
}

json_t *tg_version_time(int64_t ms)
{
    char day[32], text[48];
    time_t t = ms / 1000;
    struct tm tm;

    gmtime_r(&t, &tm);
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text, sizeof text, "%s.%03dZ", day, (int)(ms % 1000));
    return json_string(text);
}

json_t *tg_version_object(const tg_instance *inst, int64_t loaded_ms,
                          unsigned reloads)
{
    json_t *name = json_string(tg_instance_name(inst));
    json_t *version = json_string(tg_instance_version(inst));
    json_t *file = json_string(tg_instance_file(inst));

    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:I}", "name", name ? name : json_null(),
        "version", version ? version : json_null(), "hash",
        json_stringn(tg_instance_hash(inst), HASH_SHOWN), "file",
        file ? file : json_null(), "loaded_at", tg_version_time(loaded_ms),
        "reloads", (json_int_t)reloads);
}

json_t *tg_version_error(const char *text, int64_t ms, const char *hash)
{
    json_t *s = text ? json_string(text) : NULL;

    if (!text)
        return json_null();
    return json_pack("{s:o, s:o, s:o}", "text",
                     s ? s : json_string("an error that is no UTF-8"), "at",
                     tg_version_time(ms), "hash",
                     json_stringn(hash, strnlen(hash, HASH_SHOWN)));
}

static json_t *describe(const part *p, int stage)
{
    const tg__version *v = p->is;
    json_t *o = json_pack("{s:i, s:s, s:s, s:s}", "stage", stage, "alias",
                          v->alias, "kind", v->kind, "class", v->class_name);
    json_t *rest = tg_version_object(*p->inst, v->loaded_ms, v->reloads);

    json_object_update(o, rest);
    json_object_set_new(o, "last_error",
                        tg_version_error(v->error, v->error_ms, v->error_hash));
    if (v->old)
        json_object_set_new(o, "trial", json_true());
    json_decref(rest);
    return o;
}

json_t *tg_chain_describe(const tg_chain *chain)
{
    json_t *list = json_array();

    for (int i = 0; i < chain->n; i++) {
        part parts[2];
        for (int k = 0, n = parts_of(&chain->stages[i], parts); k < n; k++)
            if (*parts[k].inst)
                json_array_append_new(list, describe(&parts[k], i + 1));
    }
    return list;
}

bool tg_chain_news(tg_chain *chain)
{
    bool news = chain->news;

    chain->news = false;
    return news;
}
