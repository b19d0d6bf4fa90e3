/*
 * \p{..}: Java's names of general categories, binary properties, POSIX classes,
 * scripts, blocks and the methods of java.lang.Character, as the inside of a
 * PCRE2 class.
 *
 * Any thread; no state.
 */
#include "text/regex_priv.h"
#include <stdio.h>
#include <strings.h>

const char tg__re_uword[] =
    "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}";

#define GRAPH_NOT "\\p{White_Space}\\p{Cc}\\p{Cs}\\p{Cn}"
#define CONTROL   "\\x{0}-\\x{1f}\\x{7f}-\\x{9f}"
#define IGNORABLE "\\x{0}-\\x{8}\\x{e}-\\x{1b}\\x{7f}-\\x{9f}\\p{Cf}"
#define ANY_CASE  "\\p{Lu}\\p{Ll}\\p{Lt}"

/* text: the inside of a class; with '^' first, of a negated one. fold: the same
 * when case does not matter, NULL: no difference. */
typedef struct property {
    const char *name, *text, *fold;
} property;

/* Case of names counts. */
static const property plain[] = {
    {"L1", "\\x{0}-\\x{ff}", NULL},
    {"all", "\\x{0}-\\x{10ffff}", NULL},
    {"LC", ANY_CASE, NULL},
    {"LD", "\\p{L}\\p{Nd}", NULL},
    {"Lu", "\\p{Lu}", ANY_CASE},
    {"Ll", "\\p{Ll}", ANY_CASE},
    {"Lt", "\\p{Lt}", ANY_CASE},
    {"ASCII", "\\x{0}-\\x{7f}", NULL},
    {"Alnum", "A-Za-z0-9", NULL},
    {"Alpha", "A-Za-z", NULL},
    {"Blank", "\\x{20}\\t", NULL},
    {"Cntrl", "\\x{0}-\\x{1f}\\x{7f}", NULL},
    {"Digit", "0-9", NULL},
    {"Graph", "!-~", NULL},
    {"Lower", "a-z", "A-Za-z"},
    {"Print", "\\x{20}-~", NULL},
    {"Punct", "!-\\/:-@\\[-`{-~", NULL},
    {"Space", "\\t-\\r\\x{20}", NULL},
    {"Upper", "A-Z", "A-Za-z"},
    {"XDigit", "0-9A-Fa-f", NULL},
    {"javaLowerCase", "\\p{Lowercase}", "\\p{Lowercase}\\p{Uppercase}\\p{Lt}"},
    {"javaUpperCase", "\\p{Uppercase}", "\\p{Lowercase}\\p{Uppercase}\\p{Lt}"},
    {"javaTitleCase", "\\p{Lt}", "\\p{Lowercase}\\p{Uppercase}\\p{Lt}"},
    {"javaAlphabetic", "\\p{Alphabetic}", NULL},
    {"javaIdeographic", "\\p{Ideographic}", NULL},
    {"javaDigit", "\\p{Nd}", NULL},
    {"javaDefined", "\\P{Cn}", NULL},
    {"javaLetter", "\\p{L}", NULL},
    {"javaLetterOrDigit", "\\p{L}\\p{Nd}", NULL},
    {"javaJavaIdentifierStart", "\\p{L}\\p{Nl}\\p{Sc}\\p{Pc}", NULL},
    {"javaJavaIdentifierPart",
     "\\p{L}\\p{Nl}\\p{Sc}\\p{Pc}\\p{Nd}\\p{Mc}\\p{Mn}" IGNORABLE, NULL},
    {"javaUnicodeIdentifierStart", "\\p{ID_Start}", NULL},
    {"javaUnicodeIdentifierPart", "\\p{ID_Continue}" IGNORABLE, NULL},
    {"javaIdentifierIgnorable", IGNORABLE, NULL},
    {"javaSpaceChar", "\\p{Z}", NULL},
    {"javaWhitespace",
     "\\t-\\r\\x{1c}-\\x{20}\\x{1680}\\x{2000}-\\x{2006}\\x{2008}-\\x{200a}"
     "\\x{2028}\\x{2029}\\x{205f}\\x{3000}",
     NULL},
    {"javaISOControl", CONTROL, NULL},
    {"javaMirrored", "\\p{Bidi_Mirrored}", NULL},
};

/* \p{IsX}; case does not count. */
static const property binary[] = {
    {"ALPHABETIC", "\\p{Alphabetic}", NULL},
    {"LETTER", "\\p{L}", NULL},
    {"IDEOGRAPHIC", "\\p{Ideographic}", NULL},
    {"LOWERCASE", "\\p{Lowercase}", "\\p{Lowercase}\\p{Uppercase}\\p{Lt}"},
    {"UPPERCASE", "\\p{Uppercase}", "\\p{Lowercase}\\p{Uppercase}\\p{Lt}"},
    {"TITLECASE", "\\p{Lt}", "\\p{Lowercase}\\p{Uppercase}\\p{Lt}"},
    {"WHITE_SPACE", "\\p{White_Space}", NULL},
    {"WHITESPACE", "\\p{White_Space}", NULL},
    {"CONTROL", "\\p{Cc}", NULL},
    {"PUNCTUATION", "\\p{P}", NULL},
    {"HEX_DIGIT", "\\p{Nd}\\p{Hex_Digit}", NULL},
    {"HEXDIGIT", "\\p{Nd}\\p{Hex_Digit}", NULL},
    {"ASSIGNED", "\\P{Cn}", NULL},
    {"NONCHARACTER_CODE_POINT", "\\p{Noncharacter_Code_Point}", NULL},
    {"NONCHARACTERCODEPOINT", "\\p{Noncharacter_Code_Point}", NULL},
    {"DIGIT", "\\p{Nd}", NULL},
    {"ALNUM", "\\p{Alphabetic}\\p{Nd}", NULL},
    {"BLANK", "\\p{Zs}\\t", NULL},
    {"GRAPH", "^" GRAPH_NOT, NULL},
    {"WORD", tg__re_uword, NULL},
    {"JOIN_CONTROL", "\\p{Join_Control}", NULL},
    {"JOINCONTROL", "\\p{Join_Control}", NULL},
};

/* \p{X} under (?U); case does not count. */
static const property posix[] = {
    {"ALPHA", "\\p{Alphabetic}", NULL},
    {"LOWER", "\\p{Lowercase}", "\\p{Lowercase}\\p{Uppercase}\\p{Lt}"},
    {"UPPER", "\\p{Uppercase}", "\\p{Lowercase}\\p{Uppercase}\\p{Lt}"},
    {"SPACE", "\\p{White_Space}", NULL},
    {"PUNCT", "\\p{P}", NULL},
    {"XDIGIT", "\\p{Nd}\\p{Hex_Digit}", NULL},
    {"ALNUM", "\\p{Alphabetic}\\p{Nd}", NULL},
    {"CNTRL", "\\p{Cc}", NULL},
    {"DIGIT", "\\p{Nd}", NULL},
    {"BLANK", "\\p{Zs}\\t", NULL},
    {"GRAPH", "^" GRAPH_NOT, NULL},
};

/* Names that Java and PCRE2 share. */
static const char *const categories[] = {
    "C",  "Cc", "Cf", "Cn", "Co", "Cs", "L",  "Lm", "Lo", "M",  "Mc", "Me",
    "Mn", "N",  "Nd", "Nl", "No", "P",  "Pc", "Pd", "Pe", "Pf", "Pi", "Po",
    "Ps", "S",  "Sc", "Sk", "Sm", "So", "Z",  "Zl", "Zp", "Zs",
};

#define COUNT(list) (sizeof(list) / sizeof *(list))

static bool put(tg__re_set *out, const char *text)
{
    out->neg = *text == '^';
    tg_buf_str(&out->plain, text + out->neg);
    return true;
}

static bool find(const tg__re *t, const property *list, size_t n, bool any_case,
                 const char *name, tg__re_set *out)
{
    for (size_t i = 0; i < n; i++) {
        const property *p = &list[i];
        if ((any_case ? strcasecmp(name, p->name) : strcmp(name, p->name)) == 0)
            return put(out, p->fold && tg__re_has(t, TG_RE_CASE) ? p->fold
                                                                 : p->text);
    }
    return false;
}

static bool general(const tg__re *t, const char *name, tg__re_set *out)
{
    for (size_t i = 0; i < COUNT(categories); i++)
        if (strcmp(name, categories[i]) == 0) {
            tg_buf_printf(&out->plain, "\\p{%s}", name);
            return true;
        }
    return find(t, plain, COUNT(plain), false, name, out);
}

/* PRINT is GRAPH and BLANK without controls: two ranges PCRE2 cannot join. */
static bool print_class(const char *name, tg__re_set *out)
{
    if (strcasecmp(name, "PRINT") != 0)
        return false;
    tg_buf_str(&out->extra, "[^" GRAPH_NOT "]|\\p{Zs}");
    return true;
}

/* A script by its name or four-letter code: PCRE2 says whether it is one. */
static bool script(tg__re *t, const char *name, tg__re_set *out)
{
    for (const char *p = name; *p; p++)
        if (*p != '_' && !((*p | 32) >= 'a' && (*p | 32) <= 'z'))
            return tg__re_fail(t, "Unknown character script name {%s}", name);
    tg_buf_printf(&out->plain, "\\p{sc:%s}", name);
    return true;
}

static bool block(tg__re *t, const char *name, tg__re_set *out)
{
    char bare[64];
    size_t n = 0;
    uint32_t first, last;

    for (const char *p = name; *p && n < sizeof bare - 1; p++)
        if (*p != ' ' && *p != '_' && *p != '-')
            bare[n++] = *p >= 'a' && *p <= 'z' ? (char)(*p - 32) : *p;
    bare[n] = 0;
    if (!tg__re_block(bare, &first, &last))
        return tg__re_fail(t, "Unknown character block name {%s}", name);
    tg__re_put_char(&out->plain, first);
    tg_buf_str(&out->plain, "-");
    tg__re_put_char(&out->plain, last);
    return true;
}

/* \p{name=value} */
static bool assigned(tg__re *t, char *name, const char *value, tg__re_set *out)
{
    if (strcasecmp(name, "sc") == 0 || strcasecmp(name, "script") == 0)
        return script(t, value, out);
    if (strcasecmp(name, "blk") == 0 || strcasecmp(name, "block") == 0)
        return block(t, value, out);
    if ((strcasecmp(name, "gc") == 0 ||
         strcasecmp(name, "general_category") == 0) &&
        general(t, value, out))
        return true;
    return tg__re_fail(t, "Unknown Unicode property {name=<%s>, value=<%s>}",
                       name, value);
}

static bool named(tg__re *t, char *name, tg__re_set *out)
{
    char *equals = strchr(name, '=');

    if (equals) {
        *equals = 0;
        return assigned(t, name, equals + 1, out);
    }
    if (strncmp(name, "In", 2) == 0)
        return block(t, name + 2, out);
    if (strncmp(name, "Is", 2) == 0)
        return print_class(name + 2, out) ||
               find(t, binary, COUNT(binary), true, name + 2, out) ||
               general(t, name + 2, out) || script(t, name + 2, out);
    if (tg__re_has(t, TG_RE_UCLASS) &&
        (print_class(name, out) ||
         find(t, posix, COUNT(posix), true, name, out)))
        return true;
    return general(t, name, out) ||
           tg__re_fail(t, "Unknown character property name {%s}", name);
}

/* The name behind \p: one letter, or what stands in braces. */
static bool read_name(tg__re *t, char *name, size_t size)
{
    uint32_t c = tg__re_next(t);
    size_t n = 0;

    if (c != '{') {
        if (t->at >= t->n)
            return tg__re_fail(t, "Unknown character property name {}");
        name[0] = c < 128 ? (char)c : '?';
        name[1] = 0;
        tg__re_read(t);
        return true;
    }
    t->at++;
    for (;;) {
        if (t->at >= t->n)
            return tg__re_fail(t, "Unclosed character family");
        c = tg__re_read(t);
        if (c == '}')
            break;
        if (n < size - 1)
            name[n++] = c < 128 && c ? (char)c : '?';
    }
    name[n] = 0;
    return n > 0 || tg__re_fail(t, "Empty character family");
}

bool tg__re_property(tg__re *t, bool complement, tg__re_set *out)
{
    char name[80];

    if (!read_name(t, name, sizeof name) || !named(t, name, out))
        return false;
    if (complement)
        tg__re_set_not(out);
    return true;
}
