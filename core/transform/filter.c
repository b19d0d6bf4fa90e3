/*
 * Filter: drops every record that its predicate lets through. Script thread.
 */
#include "transform/stock.h"

static bool record(tg_stock *self, tg_record *rec)
{
    (void)self;
    return tg__stock_check(rec, tg_record_set_verdict(rec, TG_DROP, NULL, 0));
}

tg_stock *tg_stock_filter(void)
{
    return tg__stock_new(sizeof(tg_stock), record, NULL, TG_VALUE, 0);
}
