/*
 * Source texts: what an instance was made of, kept so that a version can be
 * told from the next and be made again when the next one does not work.
 * Any thread; a list belongs to one.
 */
#ifndef TG_BASE_TEXTS_H
#define TG_BASE_TEXTS_H
#include "base/sha256.h"
#include "base/mem.h"
#include <stdbool.h>

typedef struct tg_text {
    char *path; /* "": it stands in a configuration */
    char *text;
    size_t len;
    char hash[TG_SHA256_HEX];
} tg_text;

typedef struct tg_texts {
    tg_text *items;
    size_t n;
} tg_texts;

/* Copies a text into the list unless the path is there. */
void tg_texts_add(tg_texts *texts, const char *path, const char *text,
                  size_t len);
/* Adds all of `more`. */
void tg_texts_join(tg_texts *texts, const tg_texts *more);
/* NULL when there is none of that path. Borrowed. */
const tg_text *tg_texts_find(const tg_texts *texts, const char *path);
void tg_texts_fini(tg_texts *texts);
/* Hash over all texts in order: of one file, that file's. */
void tg_texts_hash(const tg_texts *texts, char out[TG_SHA256_HEX]);

/* Hash of a file's content now; false when it cannot be read or is empty, which
 * is what a file looks like while it is being saved. */
bool tg_text_hash_file(const char *path, char out[TG_SHA256_HEX]);

#endif
