/*
 * Writing values as JSON, with or without schemas: shared by JsonConverter and
 * the services. Script thread.
 */
#ifndef TG_CONVERT_JSON_WRITE_H
#define TG_CONVERT_JSON_WRITE_H
#include "convert/json.h"

typedef struct tg_json_style {
    bool numeric;      /* decimals as numbers, else as base64 */
    bool replace_null; /* null with a default is written as the default */
    bool copy;         /* clean subtrees as received */
    bool java;         /* refuse what JsonConverter cannot write: dates and
                          decimals without a schema, maps without one of their
                          keys */
} tg_json_style;

extern const tg_json_style tg_json_plain_style;

/* Appends v. schema: its schema, NULL for none (structs know theirs). */
int tg__json_write(tg_buf *out, const tg_value *v, const tg_schema *schema,
                   const tg_json_style *style, tg_err *err);

/* The short way for an object without a schema, made of the usual scalars and
 * of objects: writes it (as style.copy allows) and returns the end; NULL when
 * that takes more than room bytes or tg__json_write has to do it, which also
 * reports what cannot be written. copies: the text contains some as it was
 * received, with its white space. */
char *tg__json_put_small(char *at, size_t room, const tg_value *v,
                         bool *copies);
/* Room for most of them that came from text of so many bytes. */
enum { TG_JSON_SMALL_MORE = 512, TG_JSON_SMALL_MAX = 16384 };

/* --- schemas as JSON (json_schema.c) -------------------------------------- */

/* Schema object as JsonConverter writes it; cached, immortal. */
const char *tg_json_schema_text(const tg_schema *schema, size_t *len);
/* Reads a schema object. NULL with a sentence. */
const tg_schema *tg_json_schema_read(tg_batch *batch, const char *p, size_t len,
                                     tg_err *err);
/* The schema that a text describes, from a converter's setting: NULL and no
 * error for null. */
const tg_schema *tg_json_schema_setting(const char *text, tg_err *err);
/* Schema of v as it is now: what was declared for it, or, where a script
 * changed structs in it, the changed one. NULL with a sentence when elements of
 * one array or map got different schemas. */
const tg_schema *tg_json_schema_now(const tg_value *v,
                                    const tg_schema *declared, tg_err *err);

/* Copies n bytes inline: for the short texts that records are made of. */
static inline void tg__copy_short(char *to, const char *from, size_t n)
{
    uint64_t a, b, c, d;
    if (n > 32) {
        memcpy(to, from, n);
    } else if (n >= 16) {
        memcpy(&a, from, 8);
        memcpy(&b, from + 8, 8);
        memcpy(&c, from + n - 16, 8);
        memcpy(&d, from + n - 8, 8);
        memcpy(to, &a, 8);
        memcpy(to + 8, &b, 8);
        memcpy(to + n - 16, &c, 8);
        memcpy(to + n - 8, &d, 8);
    } else if (n >= 8) {
        memcpy(&a, from, 8);
        memcpy(&b, from + n - 8, 8);
        memcpy(to, &a, 8);
        memcpy(to + n - 8, &b, 8);
    } else if (n >= 4) {
        uint32_t x, y;
        memcpy(&x, from, 4);
        memcpy(&y, from + n - 4, 4);
        memcpy(to, &x, 4);
        memcpy(to + n - 4, &y, 4);
    } else {
        for (size_t i = 0; i < n; i++)
            to[i] = from[i];
    }
}

static inline char *tg__buf_room(tg_buf *b, size_t n)
{
    return b->cap - b->len >= n ? b->p + b->len : tg_buf_room(b, n);
}

#endif
