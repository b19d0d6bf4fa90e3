/*
 * A chain as a whole: another list of transforms, another VM under it, and the
 * timers of its stages. Everything here happens between two batches; the
 * converters stay, since cells of batches that wait point at them.
 *
 * The task's thread.
 */
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "host/services.h"
#include "task/chain_priv.h"

static const char MOD[] = "chain";

/* --- another configuration ----------------------------------------------- */

static void free_stages(tg__stage *stages, int n)
{
    tg_err err = {0};

    for (int i = 0; i < n; i++) {
        if (stages[i].inst && tg_instance_stop(stages[i].inst, &err) != 0)
            tg_warn(MOD, "The stop of transform %s failed: %s", stages[i].alias,
                    err.text);
        tg__stage_fini(&stages[i]);
    }
    tg_free(stages);
}

/* What the new stages have taken over does not belong to the old ones. */
static void give_up_shared(tg__stage *old, int nold, const tg__stage *stages,
                           int n)
{
    for (int i = 0; i < nold; i++)
        for (int k = 0; k < n; k++) {
            if (old[i].inst == stages[k].inst)
                old[i].inst = NULL;
            if (old[i].predicate == stages[k].predicate)
                old[i].predicate = NULL;
        }
}

int tg_chain_change(tg_chain *chain, const json_t *config, tg_err *err)
{
    tg__stage *stages;
    int n;

    for (int i = 0; i < chain->n; i++)
        tg__stage_withdraw(chain, &chain->stages[i]);
    stages = tg__stages_new(chain, config, chain->stages, chain->n, &n, err);
    if (!stages)
        return err->code;
    give_up_shared(chain->stages, chain->n, stages, n);
    free_stages(chain->stages, chain->n);
    tg_vm_flush(chain->vm);
    chain->stages = stages;
    chain->n = n;
    for (int i = 0; i < n; i++)
        tg__stage_link(&stages[i]);
    chain->news = true;
    tg__chain_find_due(chain);
    return 0;
}

/* --- another VM ---------------------------------------------------------- */

struct tg_chain_states {
    int n;
    tg_buf *of; /* [2 * i] of transform i, [2 * i + 1] of its predicate */
};

/* A state that cannot be had is not handed on: the task goes on without. */
static void take_state(tg_instance *inst, const char *alias, tg_buf *out)
{
    tg_err err = {0};

    if (inst && tg_instance_state(inst, out, &err) != 0)
        tg_warn(MOD, "The state of %s is lost: %s", alias, err.text);
}

static void part_with(tg_instance **inst, tg_texts *texts)
{
    tg_err err = {0};

    if (!*inst)
        return;
    tg_texts_join(texts, tg_instance_texts(*inst));
    if (tg_instance_stop(*inst, &err) != 0)
        tg_warn(MOD, "The stop of %s failed: %s", tg_instance_name(*inst),
                err.text);
    tg_instance_free(*inst);
    *inst = NULL;
}

tg_chain_states *tg_chain_leave_vm(tg_chain *chain, tg_texts *texts)
{
    tg_chain_states *states = tg_calloc(sizeof *states);

    states->n = chain->n;
    states->of = tg_calloc((size_t)(2 * chain->n + 1) * sizeof *states->of);
    for (int i = 0; i < chain->n; i++) {
        tg__stage *s = &chain->stages[i];
        tg__stage_withdraw(chain, s);
        take_state(s->inst, s->alias, &states->of[2 * i]);
        take_state(s->predicate, s->predicate_is.alias, &states->of[2 * i + 1]);
        part_with(&s->inst, texts);
        part_with(&s->predicate, texts);
    }
    chain->vm = NULL;
    return states;
}

static void drop_instances(tg_chain *chain)
{
    for (int i = 0; i < chain->n; i++) {
        tg__stage *s = &chain->stages[i];
        if (s->inst)
            tg_instance_free(s->inst);
        if (s->predicate)
            tg_instance_free(s->predicate);
        s->inst = s->predicate = NULL;
    }
    chain->vm = NULL;
}

int tg_chain_enter_vm(tg_chain *chain, tg_vm *vm, const tg_chain_states *states,
                      tg_err *err)
{
    chain->vm = vm;
    for (int i = 0; i < chain->n; i++) {
        tg__stage *s = &chain->stages[i];
        s->inst = tg__version_make(chain, &s->transform_is, NULL,
                                   &states->of[2 * i], err);
        if (s->inst && s->predicate_is.class_name)
            s->predicate = tg__version_make(chain, &s->predicate_is, NULL,
                                            &states->of[2 * i + 1], err);
        if (!s->inst || (s->predicate_is.class_name && !s->predicate)) {
            tg_err_prefix(err, "%s %s", s->inst ? "predicate" : "transform",
                          s->inst ? s->predicate_is.alias : s->alias);
            drop_instances(chain);
            return err->code;
        }
        tg__stage_link(s);
    }
    chain->news = true;
    tg__chain_find_due(chain);
    return 0;
}

void tg_chain_states_free(tg_chain_states *states)
{
    if (!states)
        return;
    for (int i = 0; i < 2 * states->n; i++)
        tg_buf_fini(&states->of[i]);
    tg_free(states->of);
    tg_free(states);
}

/* --- timers -------------------------------------------------------------- */

int64_t tg_chain_due(const tg_chain *chain)
{
    return chain->due_ns;
}

static void tick(tg_chain *chain, const tg__version *v, tg_instance *inst,
                 int64_t now)
{
    tg_err err = {0};

    if (tg_instance_tick(inst, now, &err) >= 0)
        return;
    tg_page_add(chain->page->timer_failures, 1);
    tg_warn(MOD, "%s %s: its timer failed: %s", v->kind, v->alias, err.text);
}

int64_t tg_chain_tick(tg_chain *chain)
{
    int64_t now = chain->due_ns == INT64_MAX ? 0 : tg_clock_ns();

    if (now < chain->due_ns)
        return chain->due_ns;
    for (int i = 0; i < chain->n; i++) {
        tg__stage *s = &chain->stages[i];
        tick(chain, &s->transform_is, s->inst, now);
        if (s->predicate)
            tick(chain, &s->predicate_is, s->predicate, now);
    }
    tg__chain_find_due(chain);
    return chain->due_ns;
}
