/*
 * ExtractTopic: the topic becomes the text of the key, the value, one of their
 * fields, or a header. Script thread.
 */
#include "transform/stock.h"

enum { FROM_HEADER = 0 }; /* side, besides TG_KEY and TG_VALUE */

typedef struct topic {
    tg_stock base;
    char *header; /* name, NULL: key or value */
    uint32_t headerlen;
    tg_field_path *path; /* NULL: the whole key or value */
    bool skip;           /* records without the field keep their topic */
} topic;

/* Nothing to take the topic from. */
static bool missing(const topic *t, tg_record *rec, const char *what,
                    const char *name)
{
    if (t->skip)
        return true;
    return tg__stock_reject(rec,
                            "%s%s is missing or null and can't be used as the "
                            "topic name; set skip.missing.or.null=true to keep "
                            "the topic of such records",
                            what, name);
}

static bool use(const topic *t, tg_record *rec, const tg_value *v,
                const tg_schema *schema, const char *what, const char *name)
{
    const char *text;
    uint32_t len;

    if (v->tag <= TG_NULL)
        return missing(t, rec, what, name);
    if (v->tag != TG_STR && v->tag != TG_ESC)
        return tg__stock_reject(rec,
                                "%s%s can't be used as the topic name: it must "
                                "be a string, found: %s",
                                what, name, tg__stock_class(v, schema));
    text = tg_value_text(rec->batch, v, &len);
    if (!text)
        return tg__stock_refuse(rec);
    if (len == 0)
        return missing(t, rec, what, name);
    return tg__stock_check(rec, tg_record_set_topic(rec, text, len));
}

static bool from_header(const topic *t, tg_record *rec)
{
    int32_t at = -1, next = tg_header_find(rec, t->header, t->headerlen, 0);
    tg_cell *cell;

    for (; next >= 0;
         next = tg_header_find(rec, t->header, t->headerlen, at + 1))
        at = next; /* the last one counts */
    if (rec->verdict != TG_KEEP)
        return false;
    if (at < 0)
        return missing(t, rec, "Header ", t->header);
    cell = &rec->headers[at].cell;
    if (!tg__stock_open(rec, cell))
        return false;
    if (tg__stock_null(cell))
        return missing(t, rec, "Header ", t->header);
    return use(t, rec, &cell->value, cell->schema, "Header ", t->header);
}

static bool from_field(const topic *t, tg_record *rec, tg_cell *cell)
{
    tg_field_at at;
    tg_node *root;
    tg_value v;

    if (tg__stock_null(cell) && t->skip)
        return true;
    root = tg__stock_object(rec, cell, "topic name extraction", false);
    if (!root)
        return false;
    if (tg__stock_read(t->path, root, true, &at, &v))
        return tg__stock_refuse(rec);
    return use(t, rec, &v, tg__stock_declared(&at), "Field ", t->path->text);
}

static bool record(tg_stock *self, tg_record *rec)
{
    topic *t = (topic *)self;
    const char *what = self->side == TG_KEY ? "Key" : "Value";
    tg_cell *cell;

    if (t->header)
        return from_header(t, rec);
    cell = tg__stock_cell(rec, self->side);
    if (!tg__stock_open(rec, cell))
        return false;
    if (t->path)
        return from_field(t, rec, cell);
    if (tg__stock_null(cell))
        return missing(t, rec, what, "");
    return use(t, rec, &cell->value, cell->schema, what, "");
}

static void fini(tg_stock *self)
{
    topic *t = (topic *)self;

    tg_free(t->header);
    tg_field_path_free(t->path);
}

tg_stock *tg_stock_extract_topic(int32_t side, const char *field, uint32_t len,
                                 int32_t syntax, int32_t skip)
{
    tg_field_path *path = NULL;
    topic *t;

    tg_err_clear(tg_err_ffi());
    if (len && side != FROM_HEADER)
        path = syntax == TG_PATH_JSON
                   ? tg_field_path_json(field, len, tg_err_ffi())
                   : tg_stock_path_new(field, len, syntax);
    if (len && side != FROM_HEADER && !path)
        return NULL;
    t = tg__stock_new(sizeof *t, record, fini, side, 1);
    t->header = side == FROM_HEADER ? tg_strndup(field, len) : NULL;
    t->headerlen = len;
    t->path = path;
    t->skip = skip != 0;
    return &t->base;
}
