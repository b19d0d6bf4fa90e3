/* What the files of the regular expressions share with each other only. */
#ifndef TG_TEXT_REGEX_PRIV_H
#define TG_TEXT_REGEX_PRIV_H
#include "text/regex.h"

/* Flags of a pattern; letters as in (?idmsuxU). */
enum {
    TG_RE_CASE = 1,      /* i */
    TG_RE_UNIX = 2,      /* d: only \n ends a line */
    TG_RE_MULTI = 4,     /* m */
    TG_RE_DOTALL = 8,    /* s */
    TG_RE_UCASE = 16,    /* u: case by Unicode's rules */
    TG_RE_COMMENTS = 32, /* x */
    TG_RE_UCLASS = 64    /* U: \w and friends by Unicode's rules */
};

/* Marks a code point that stood between \Q and \E: never special. */
#define TG_RE_QUOTED 0x80000000u

typedef struct tg__re_name {
    char *text;
    uint32_t len, group;
} tg__re_name;

/* A look-behind: where it begins in the source and in the translation. */
typedef struct tg__re_mark {
    uint32_t source, out;
} tg__re_mark;

/* A pattern on its way to PCRE2. */
typedef struct tg__re {
    const uint32_t *cp; /* code points, followed by zeros */
    uint32_t n;
    uint32_t at;
    uint32_t flags;
    uint32_t groups; /* capturing groups so far */
    uint32_t total;  /* in the whole pattern; known in the second pass */
    uint32_t depth;
    uint32_t inbehind; /* look-behinds around the current place */
    tg__re_name *names;
    uint32_t nnames;
    tg__re_mark *behind;
    uint32_t nbehind;
    tg_buf out;
    tg_err *err;
} tg__re;

/*
 * A set of code points on its way to PCRE2: the union of what stands in plain
 * (inside [..]), in fold (inside (?i:[..])) and of the alternatives in extra,
 * each of which matches exactly one code point. neg: the complement of plain,
 * the others being empty.
 */
typedef struct tg__re_set {
    tg_buf plain, fold, extra;
    bool neg;
} tg__re_set;

/* --- regex_translate.c -----------------------------------------------------
 */
/* Translates. *groups, *names, *nnames: what the pattern defines; the caller
 * frees each name's text and the list, and the marks. 0 or TG_ERR_CONFIG. */
int tg__re_translate(const char *pattern, uint32_t len, tg__re *out,
                     tg_err *err);
void tg__re_fini(tg__re *t);
/* Sets the error with Java's "near index"; always false. */
bool tg__re_fail(tg__re *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Steps through the pattern; peek, next and read pass white space and comments
 * under (?x). skip: the character behind the current one, as it is. */
uint32_t tg__re_peek(tg__re *t);
uint32_t tg__re_next(tg__re *t);
uint32_t tg__re_read(tg__re *t);
uint32_t tg__re_skip(tg__re *t);
static inline uint32_t tg__re_char(const tg__re *t, uint32_t at)
{
    return at < t->n ? t->cp[at] : 0;
}
static inline bool tg__re_has(const tg__re *t, uint32_t flag)
{
    return (t->flags & flag) != 0;
}
/* The code point of an escape that stands for one, the letter being read
 * already; -1 when it stands for none, -2 with the error set. */
int64_t tg__re_escaped_char(tg__re *t, uint32_t letter);

/* --- regex_class.c ---------------------------------------------------------
 */
/* A class, at its '['; consumes the ']'. */
bool tg__re_class(tg__re *t, tg__re_set *out);
/* \d \D \h \H \s \S \v \V \w \W as a set; false when letter is none. */
bool tg__re_shorthand(const tg__re *t, uint32_t letter, tg__re_set *out);
/* Appends a set as an expression for one code point. */
void tg__re_set_put(tg_buf *out, const tg__re_set *set);
void tg__re_set_fini(tg__re_set *set);
/* The complement. */
void tg__re_set_not(tg__re_set *set);
/* A code point as PCRE2 text, in a class or outside. */
void tg__re_put_char(tg_buf *out, uint32_t cp);

/* --- regex_property.c ------------------------------------------------------
 */
/* \p or \P, the letter being the current character; moves behind it. */
bool tg__re_property(tg__re *t, bool complement, tg__re_set *out);
/* \w by Unicode's rules, for the inside of a class. */
extern const char tg__re_uword[];

/* --- regex_blocks.c --------------------------------------------------------
 */
/* Range of a Unicode block by a name in capitals without separators. */
bool tg__re_block(const char *name, uint32_t *first, uint32_t *last);

#endif
