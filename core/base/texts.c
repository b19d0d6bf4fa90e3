/* Lists of source texts; see texts.h. */
#include "base/texts.h"
#include "base/file.h"

enum { FILE_MAX = 64 * 1024 * 1024 };

void tg_texts_add(tg_texts *texts, const char *path, const char *text,
                  size_t len)
{
    tg_sha256 sha;
    tg_text *t;

    if (*path && tg_texts_find(texts, path))
        return;
    texts->items =
        tg_realloc(texts->items, (texts->n + 1) * sizeof *texts->items);
    t = &texts->items[texts->n++];
    t->path = tg_strdup(path);
    t->text = tg_alloc(len + 1);
    memcpy(t->text, text, len);
    t->text[len] = '\0';
    t->len = len;
    tg_sha256_init(&sha);
    tg_sha256_add(&sha, text, len);
    tg_sha256_hex(&sha, t->hash);
}

void tg_texts_join(tg_texts *texts, const tg_texts *more)
{
    for (size_t i = 0; i < more->n; i++)
        tg_texts_add(texts, more->items[i].path, more->items[i].text,
                     more->items[i].len);
}

const tg_text *tg_texts_find(const tg_texts *texts, const char *path)
{
    for (size_t i = 0; i < texts->n; i++)
        if (strcmp(texts->items[i].path, path) == 0)
            return &texts->items[i];
    return NULL;
}

void tg_texts_fini(tg_texts *texts)
{
    for (size_t i = 0; i < texts->n; i++) {
        tg_free(texts->items[i].path);
        tg_free(texts->items[i].text);
    }
    tg_free(texts->items);
    *texts = (tg_texts){0};
}

void tg_texts_hash(const tg_texts *texts, char out[TG_SHA256_HEX])
{
    tg_sha256 sha;

    tg_sha256_init(&sha);
    for (size_t i = 0; i < texts->n; i++)
        tg_sha256_add(&sha, texts->items[i].text, texts->items[i].len);
    tg_sha256_hex(&sha, out);
}

bool tg_text_hash_file(const char *path, char out[TG_SHA256_HEX])
{
    size_t len = 0;
    char *text = tg_file_read(path, FILE_MAX, &len, NULL);
    bool any = text && len > 0;
    tg_sha256 sha;

    tg_sha256_init(&sha);
    if (any) {
        tg_sha256_add(&sha, text, len);
        tg_sha256_hex(&sha, out);
    } else {
        *out = '\0';
    }
    tg_free(text);
    return any;
}
