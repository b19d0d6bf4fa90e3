/*
 * Java regular expressions (java.util.regex.Pattern) on PCRE2: the pattern is
 * translated where the two differ. Text and pattern are UTF-8. Objects are
 * immutable and belong to the thread that uses them.
 */
#ifndef TG_TEXT_REGEX_H
#define TG_TEXT_REGEX_H
#include "base/err.h"
#include "base/mem.h"

/* NULL with TG_ERR_CONFIG and a sentence that shows where the pattern is wrong,
 * or which Java construct is not supported. */
tg_regex *tg_regex_new(const char *pattern, uint32_t len, tg_err *err);
void tg_regex_free(tg_regex *re);
/* Matcher.matches(): the whole text. 1, 0, or TG_ERR_DATA when it takes too
 * many steps (a limit stops endless backtracking). */
int tg_regex_matches(const tg_regex *re, const char *text, uint32_t len,
                     tg_err *err);
/* Matcher.find() from a byte position: 1 with *start and *end, or 0. */
int tg_regex_find(const tg_regex *re, const char *text, uint32_t len,
                  uint32_t from, uint32_t *start, uint32_t *end, tg_err *err);
/* If the whole text matches, appends Matcher.replaceFirst(replacement) to out
 * ($1, ${name}, \ escapes as in Java) and gives 1; else 0 and nothing.
 * TG_ERR_DATA for an illegal group reference. */
int tg_regex_replace_whole(const tg_regex *re, const char *text, uint32_t len,
                           const char *replacement, uint32_t replen,
                           tg_buf *out, tg_err *err);
/* Matcher.replaceFirst, or replaceAll when all: appends the whole text with
 * what was found replaced. Number of replacements, or TG_ERR_DATA. */
int tg_regex_replace(const tg_regex *re, const char *text, uint32_t len,
                     const char *replacement, uint32_t replen, bool all,
                     tg_buf *out, tg_err *err);
/* Capturing groups of the pattern, and the number of a named one (0: there is
 * none of that name). */
uint32_t tg_regex_groups(const tg_regex *re);
uint32_t tg_regex_group_number(const tg_regex *re, const char *name,
                               uint32_t len);
/* Group i (0: all) of the last match: false when it took no part in it, or i is
 * above tg_regex_groups. */
bool tg_regex_group(const tg_regex *re, uint32_t i, uint32_t *start,
                    uint32_t *end);

#endif
