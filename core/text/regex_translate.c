/*
 * Translates a Java pattern into one for PCRE2 (UTF, DOTALL, no UCP): a
 * recursive descent over code points that reads what java.util.regex reads and
 * refuses what it refuses with the same words.
 *
 * Nothing in the result depends on options: flags such as (?i) are worked into
 * every atom, because Java's case folding, line ends and \w differ from
 * PCRE2's. Every atom is written so that a quantifier can follow it. The text
 * is parsed twice: the first pass counts the groups that back references need.
 *
 * Any thread; no state.
 */
#include "text/regex_priv.h"
#include <stdarg.h>
#include <stdio.h>

enum { DEPTH_MAX = 200, PATTERN_MAX = 60000, REPEAT_MAX = 65535 };

#define EOL_NEXT "\\x{85}\\x{2028}\\x{2029}"

bool tg__re_fail(tg__re *t, const char *fmt, ...)
{
    char what[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    tg_err_set(t->err, TG_ERR_CONFIG, "%s near index %u", what,
               t->at ? t->at - 1 : 0);
    return false;
}

/* --- stepping --------------------------------------------------------------
 */

static bool is_space(uint32_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_line_end(const tg__re *t, uint32_t c)
{
    if (tg__re_has(t, TG_RE_UNIX))
        return c == '\n';
    return c == '\n' || c == '\r' || c == 0x85 || (c | 1) == 0x2029;
}

/* Moves to the next character that counts under (?x). */
static void pass_blank(tg__re *t)
{
    if (!tg__re_has(t, TG_RE_COMMENTS))
        return;
    while (t->at < t->n) {
        uint32_t c = t->cp[t->at];
        if (c == '#') {
            while (t->at < t->n && !is_line_end(t, t->cp[t->at]))
                t->at++;
        } else if (!is_space(c)) {
            return;
        } else {
            t->at++;
        }
    }
}

uint32_t tg__re_peek(tg__re *t)
{
    pass_blank(t);
    return tg__re_char(t, t->at);
}

uint32_t tg__re_next(tg__re *t)
{
    if (t->at < t->n)
        t->at++;
    return tg__re_peek(t);
}

uint32_t tg__re_read(tg__re *t)
{
    uint32_t c = tg__re_peek(t);

    if (t->at <= t->n) /* beyond the end too: messages count it */
        t->at++;
    return c;
}

uint32_t tg__re_skip(tg__re *t)
{
    uint32_t c = tg__re_char(t, t->at + 1);

    t->at = t->at + 2 < t->n ? t->at + 2 : t->n;
    return c;
}

/* --- atoms ------------------------------------------------------------------
 */

static bool is_letter(uint32_t c)
{
    c |= 0x20;
    return c >= 'a' && c <= 'z';
}

static void put_literal(tg__re *t, uint32_t cp)
{
    if (!tg__re_has(t, TG_RE_CASE) ||
        (!is_letter(cp) && !(cp >= 128 && tg__re_has(t, TG_RE_UCASE)))) {
        tg__re_put_char(&t->out, cp);
    } else if (tg__re_has(t, TG_RE_UCASE)) {
        tg_buf_str(&t->out, "(?i:");
        tg__re_put_char(&t->out, cp);
        tg_buf_str(&t->out, ")");
    } else {
        tg_buf_printf(&t->out, "[%c%c]", (int)(cp & ~0x20u), (int)(cp | 0x20));
    }
}

/* A set that was filled by ok. */
static bool put_set(tg__re *t, tg__re_set *set, bool ok)
{
    if (ok)
        tg__re_set_put(&t->out, set);
    tg__re_set_fini(set);
    return ok;
}

static const char *dollar(const tg__re *t, bool multi)
{
    if (tg__re_has(t, TG_RE_UNIX))
        return multi ? "(?:(?=\\n|\\z))" : "(?:(?=\\n?\\z))";
    return multi ? "(?:(?=[\\r" EOL_NEXT "]|(?<!\\r)\\n|\\z))"
                 : "(?:(?=(?:\\r\\n?|[" EOL_NEXT "]|(?<!\\r)\\n)?\\z))";
}

static const char *caret(const tg__re *t)
{
    if (!tg__re_has(t, TG_RE_MULTI))
        return "(?:\\A)";
    return tg__re_has(t, TG_RE_UNIX) ? "(?:(?!\\z)(?:\\A|(?<=\\n)))"
                                     : "(?:(?!\\z)(?:\\A|(?<=[\\n" EOL_NEXT
                                       "])|(?<=\\r)(?!\\n)))";
}

static const char *dot(const tg__re *t)
{
    if (tg__re_has(t, TG_RE_DOTALL))
        return ".";
    return tg__re_has(t, TG_RE_UNIX) ? "[^\\n]" : "[^\\n\\r" EOL_NEXT "]";
}

static bool put_boundary(tg__re *t, bool negated)
{
    const char *w = tg__re_uword;

    if (!negated && tg__re_peek(t) == '{')
        return tg__re_fail(t, "\\b{g} (boundary of a grapheme cluster) is not "
                              "supported");
    if (!tg__re_has(t, TG_RE_UCLASS))
        tg_buf_str(&t->out, negated ? "(?:\\B)" : "(?:\\b)");
    else
        tg_buf_printf(&t->out,
                      negated ? "(?:(?<=[%s])(?=[%s])|(?<![%s])(?![%s]))"
                              : "(?:(?<=[%s])(?![%s])|(?<![%s])(?=[%s]))",
                      w, w, w, w);
    return true;
}

static bool put_reference(tg__re *t, uint32_t group)
{
    if (t->inbehind)
        return tg__re_fail(t, "Look-behind group does not have an obvious "
                              "maximum length");
    if (group > t->total)
        tg_buf_str(&t->out, "(?:(?!))"); /* Java: it never matches */
    else
        tg_buf_printf(
            &t->out, tg__re_has(t, TG_RE_CASE) ? "(?i:\\g{%u})" : "(?:\\g{%u})",
            group);
    return true;
}

static bool numbered_reference(tg__re *t, uint32_t digit)
{
    uint32_t group = digit - '0';

    for (;;) {
        uint32_t c = tg__re_peek(t);
        if (c < '0' || c > '9' || group * 10 + (c - '0') > t->groups)
            break;
        group = group * 10 + (c - '0');
        tg__re_read(t);
    }
    return put_reference(t, group);
}

static bool is_name_char(uint32_t c, bool first)
{
    return (c < 128 && is_letter(c)) || (!first && c >= '0' && c <= '9');
}

/* A group's name behind '<', into buf; reads the '>'. */
static bool group_name(tg__re *t, tg_buf *name)
{
    uint32_t c = tg__re_read(t);

    if (!is_name_char(c, true))
        return tg__re_fail(t, "capturing group name does not start with a "
                              "Latin letter");
    for (; is_name_char(c, false); c = tg__re_read(t)) {
        char byte = (char)c;
        tg_buf_add(name, &byte, 1);
    }
    if (c != '>')
        return tg__re_fail(t, "named capturing group is missing trailing '>'");
    tg_buf_cstr(name);
    return true;
}

static const tg__re_name *find_name(const tg__re *t, const tg_buf *name)
{
    for (uint32_t i = 0; i < t->nnames; i++)
        if (t->names[i].len == name->len &&
            memcmp(t->names[i].text, name->p, name->len) == 0)
            return &t->names[i];
    return NULL;
}

static bool named_reference(tg__re *t)
{
    tg_buf name = {0};
    const tg__re_name *found = NULL;
    bool ok = false;

    if (tg__re_read(t) != '<') {
        tg__re_fail(t, "\\k is not followed by '<' for named capturing group");
    } else if (group_name(t, &name)) {
        found = find_name(t, &name);
        ok =
            found ||
            tg__re_fail(t, "named capturing group <%s> does not exist", name.p);
    }
    if (found)
        ok = put_reference(t, found->group);
    tg_buf_fini(&name);
    return ok;
}

/* An escape outside a class, at its backslash. */
static bool escape(tg__re *t)
{
    uint32_t c = tg__re_char(t, t->at + 1);
    tg__re_set set = {0};
    int64_t cp;

    if (t->at + 1 >= t->n) {
        t->at = t->n;
        return tg__re_fail(t, "Unescaped trailing backslash");
    }
    if (c == 'p' || c == 'P') {
        t->at++;
        return put_set(t, &set, tg__re_property(t, c == 'P', &set));
    }
    tg__re_skip(t);
    if (tg__re_shorthand(t, c, &set))
        return put_set(t, &set, true);
    switch (c) {
    case 'A':
        tg_buf_str(&t->out, "(?:\\A)");
        return true;
    case 'B':
    case 'b':
        return put_boundary(t, c == 'B');
    case 'G':
        tg_buf_str(&t->out, "(?:\\G)");
        return true;
    case 'R':
        tg_buf_str(&t->out, "(?:\\r\\n|[\\n-\\r" EOL_NEXT "])");
        return true;
    case 'X':
        tg_buf_str(&t->out, "\\X");
        return true;
    case 'Z':
        tg_buf_str(&t->out, dollar(t, false));
        return true;
    case 'z':
        tg_buf_str(&t->out, "(?:\\z)");
        return true;
    case 'k':
        return named_reference(t);
    case 'N':
        return tg__re_fail(t, "\\N{...} (a character by its name) is not "
                              "supported: write \\x{...}");
    default:
        if (c >= '1' && c <= '9')
            return numbered_reference(t, c);
    }
    cp = tg__re_escaped_char(t, c);
    if (cp == -1)
        return tg__re_fail(t, "Illegal/unsupported escape sequence");
    if (cp >= 0)
        put_literal(t, (uint32_t)cp);
    return cp >= 0;
}

/* --- quantifiers ------------------------------------------------------------
 */

static bool number(tg__re *t, uint32_t *out)
{
    uint32_t c, value = 0;

    while ((c = tg__re_char(t, t->at)) >= '0' && c <= '9') {
        if (value > REPEAT_MAX)
            return tg__re_fail(t,
                               "a repetition of more than %d times is not "
                               "supported",
                               REPEAT_MAX);
        value = value * 10 + (c - '0');
        t->at++;
    }
    *out = value;
    return value <= REPEAT_MAX ||
           tg__re_fail(t, "a repetition of more than %d times is not supported",
                       REPEAT_MAX);
}

/* {n}, {n,} or {n,m}; the '{' is the current character. */
static bool braces(tg__re *t, char *text, size_t size)
{
    uint32_t min = 0, max = 0, c;
    bool open = false;

    c = tg__re_char(t, t->at + 1);
    if (c < '0' || c > '9')
        return tg__re_fail(t, "Illegal repetition");
    t->at++;
    if (!number(t, &min))
        return false;
    if (tg__re_char(t, t->at) == ',') {
        c = tg__re_char(t, ++t->at);
        open = c == '}';
        if (!open && !number(t, &max))
            return false;
    } else {
        max = min;
    }
    if (tg__re_char(t, t->at) != '}')
        return tg__re_fail(t, "Unclosed counted closure");
    if (!open && max < min)
        return tg__re_fail(t, "Illegal repetition range");
    if (open)
        snprintf(text, size, "{%u,}", min);
    else
        snprintf(text, size, "{%u,%u}", min, max);
    return true;
}

/* The quantifier behind an atom, if there is one. empty: the atom is the empty
 * text, which needs none. */
static bool quantifier(tg__re *t, bool empty)
{
    uint32_t c = tg__re_peek(t);
    char text[40] = {0};

    if (c == '?' || c == '*' || c == '+')
        text[0] = (char)c;
    else if (c != '{')
        return true;
    else if (!braces(t, text, sizeof text))
        return false;
    c = tg__re_next(t);
    if (!empty)
        tg_buf_str(&t->out, text);
    if (c == '?' || c == '+') {
        if (!empty)
            tg_buf_str(&t->out, c == '?' ? "?" : "+");
        tg__re_next(t);
    }
    return true;
}

/* --- groups -----------------------------------------------------------------
 */

static bool expression(tg__re *t);

static uint32_t flag_of(uint32_t c)
{
    switch (c) {
    case 'i':
        return TG_RE_CASE;
    case 'd':
        return TG_RE_UNIX;
    case 'm':
        return TG_RE_MULTI;
    case 's':
        return TG_RE_DOTALL;
    case 'u':
        return TG_RE_UCASE;
    case 'x':
        return TG_RE_COMMENTS;
    case 'U':
        return TG_RE_UCLASS | TG_RE_UCASE;
    default:
        return 0;
    }
}

/* Reads flags up to ')' or ':', which becomes *end. */
static bool inline_flags(tg__re *t, uint32_t *end)
{
    bool off = false;

    for (;;) {
        uint32_t c = tg__re_peek(t), flag = flag_of(c);
        if (c == 'c')
            return tg__re_fail(t, "(?c) (canonical equivalence) is not "
                                  "supported");
        if (flag && off)
            t->flags &= ~flag;
        else if (flag)
            t->flags |= flag;
        else if (c == '-' && !off)
            off = true;
        else
            break;
        tg__re_next(t);
    }
    *end = tg__re_read(t);
    return *end == ')' || *end == ':' ||
           tg__re_fail(t, "Unknown inline modifier");
}

static void add_behind(tg__re *t)
{
    t->behind = tg_realloc(t->behind, (t->nbehind + 1) * sizeof *t->behind);
    t->behind[t->nbehind++] = (tg__re_mark){t->at, (uint32_t)t->out.len};
}

static bool add_name(tg__re *t)
{
    tg_buf name = {0};

    if (!group_name(t, &name)) {
        tg_buf_fini(&name);
        return false;
    }
    if (find_name(t, &name)) {
        tg__re_fail(t, "Named capturing group <%s> is already defined", name.p);
        tg_buf_fini(&name);
        return false;
    }
    t->names = tg_realloc(t->names, (t->nnames + 1) * sizeof *t->names);
    t->names[t->nnames].len = (uint32_t)name.len;
    t->names[t->nnames].group = t->groups + 1;
    t->names[t->nnames++].text = tg_buf_steal(&name);
    return true;
}

/* What follows "(?". *flags_only: it was (?i) and the like. *close: how it
 * ends in the translation. */
static bool special_group(tg__re *t, bool *flags_only, const char **close)
{
    uint32_t c = tg__re_skip(t), end = 0;

    switch (c) {
    case ':':
        tg_buf_str(&t->out, "(?:");
        return true;
    case '>':
        tg_buf_str(&t->out, "(?>");
        return true;
    case '=':
    case '!':
        tg_buf_str(&t->out, c == '=' ? "(?:(?=" : "(?:(?!");
        *close = "))";
        return true;
    case '<':
        c = tg__re_peek(t);
        if (c == '=' || c == '!') {
            tg__re_read(t);
            add_behind(t);
            tg_buf_str(&t->out, c == '=' ? "(?:(?<=" : "(?:(?<!");
            *close = "))";
            return true;
        }
        if (!add_name(t))
            return false;
        t->groups++;
        tg_buf_str(&t->out, "(");
        return true;
    case '$':
    case '@':
        return tg__re_fail(t, "Unknown group type");
    default:
        t->at--;
        if (!inline_flags(t, &end))
            return false;
        *flags_only = end == ')';
        if (end == ':')
            tg_buf_str(&t->out, "(?:");
        return true;
    }
}

/* A group at its '(', with its quantifier. */
static bool group(tg__re *t)
{
    uint32_t save = t->flags, behind = t->nbehind, inside = t->inbehind;
    const char *close = ")";
    bool flags_only = false;

    if (t->depth >= DEPTH_MAX)
        return tg__re_fail(t, "more than %d nested groups are not supported",
                           DEPTH_MAX);
    if (tg__re_next(t) == '?') {
        if (!special_group(t, &flags_only, &close))
            return false;
        if (flags_only)
            return true; /* to the end of the group around it */
    } else {
        t->groups++;
        tg_buf_str(&t->out, "(");
    }
    if (t->nbehind > behind)
        t->inbehind++;
    else if (close[1]) /* of a look-ahead the length does not count */
        t->inbehind = 0;
    t->depth++;
    if (!expression(t))
        return false;
    t->inbehind = inside;
    t->depth--;
    if (tg__re_read(t) != ')')
        return tg__re_fail(t, "Unclosed group");
    t->flags = save;
    tg_buf_str(&t->out, close);
    return quantifier(t, false);
}

/* --- sequences --------------------------------------------------------------
 */

static bool atom(tg__re *t, uint32_t c)
{
    tg__re_set set = {0};

    switch (c) {
    case '[':
        return put_set(t, &set, tg__re_class(t, &set));
    case '\\':
        return escape(t);
    case '^':
        tg__re_next(t);
        tg_buf_str(&t->out, caret(t));
        return true;
    case '$':
        tg__re_next(t);
        tg_buf_str(&t->out, dollar(t, tg__re_has(t, TG_RE_MULTI)));
        return true;
    case '.':
        tg__re_next(t);
        tg_buf_str(&t->out, dot(t));
        return true;
    case '?':
    case '*':
    case '+':
        tg__re_next(t);
        return tg__re_fail(t, "Dangling meta character '%c'", (int)c);
    default:
        tg__re_next(t);
        put_literal(t, c & ~TG_RE_QUOTED);
        return true;
    }
}

/* Up to '|', ')' or the end. */
static bool sequence(tg__re *t)
{
    for (;;) {
        uint32_t c = tg__re_peek(t);

        if (t->at >= t->n || c == '|' || c == ')')
            return true;
        if (c == '(') {
            if (!group(t))
                return false;
        } else if (c == '{') { /* Java repeats the empty text */
            if (!quantifier(t, true))
                return false;
        } else if (!atom(t, c) || !quantifier(t, false)) {
            return false;
        }
    }
}

static bool expression(tg__re *t)
{
    for (;;) {
        if (!sequence(t))
            return false;
        if (tg__re_peek(t) != '|')
            return true;
        tg__re_next(t);
        tg_buf_str(&t->out, "|");
    }
}

/* --- passes -----------------------------------------------------------------
 */

/* One code point of UTF-8; 0 bytes: not valid. */
static uint32_t utf8(const char *p, uint32_t len, uint32_t *cp)
{
    const uint8_t *s = (const uint8_t *)p;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t n = s[0] < 0x80   ? 1
                 : s[0] < 0xc0 ? 0
                 : s[0] < 0xe0 ? 2
                 : s[0] < 0xf0 ? 3
                 : s[0] < 0xf8 ? 4
                               : 0;
    uint32_t c = n == 1 ? s[0] : s[0] & (0x7fu >> n);

    if (n == 0 || n > len)
        return 0;
    for (uint32_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3f);
    }
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *cp = c;
    return n;
}

/* Code points of the pattern; \Q and \E are gone, what stood between them is
 * marked. NULL: not UTF-8. */
static uint32_t *unquote(const char *p, uint32_t len, uint32_t *count)
{
    uint32_t *out = tg_alloc((len + 1) * sizeof *out);
    uint32_t n = 0, at = 0, cp, size;
    bool quoted = false;

    while (at < len) {
        if (p[at] == '\\' && at + 1 < len &&
            p[at + 1] == (quoted ? 'E' : 'Q')) {
            quoted = !quoted;
            at += 2;
            continue;
        }
        size = utf8(p + at, len - at, &cp);
        if (!size) {
            tg_free(out);
            return NULL;
        }
        out[n++] = quoted ? cp | TG_RE_QUOTED : cp;
        at += size;
        if (!quoted && cp == '\\' && at < len) { /* \\Q is no quote */
            size = utf8(p + at, len - at, &cp);
            if (!size) {
                tg_free(out);
                return NULL;
            }
            out[n++] = cp;
            at += size;
        }
    }
    *count = n;
    return out;
}

static void forget_names(tg__re *t)
{
    for (uint32_t i = 0; i < t->nnames; i++)
        tg_free(t->names[i].text);
    t->nnames = t->nbehind = 0;
}

static bool pass(tg__re *t)
{
    forget_names(t);
    t->at = t->flags = t->groups = t->depth = t->inbehind = 0;
    t->out.len = 0;
    if (!expression(t))
        return false;
    if (t->at < t->n)
        return tg__re_fail(t, "Unmatched closing ')'");
    tg_buf_cstr(&t->out);
    return true;
}

void tg__re_fini(tg__re *t)
{
    forget_names(t);
    tg_free(t->names);
    tg_free(t->behind);
    tg_buf_fini(&t->out);
    *t = (tg__re){0};
}

int tg__re_translate(const char *pattern, uint32_t len, tg__re *out,
                     tg_err *err)
{
    uint32_t *cp;
    bool ok;

    *out = (tg__re){.err = err};
    if (len > PATTERN_MAX)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "the regular expression has %u bytes, at most %d are "
                          "supported",
                          len, PATTERN_MAX);
    cp = unquote(pattern, len, &out->n);
    if (!cp)
        return tg_err_set(err, TG_ERR_CONFIG,
                          "the regular expression is not valid UTF-8");
    out->cp = cp;
    out->total = UINT32_MAX;
    ok = pass(out);
    out->total = out->groups;
    ok = ok && pass(out);
    out->cp = NULL;
    tg_free(cp);
    if (ok)
        return 0;
    tg__re_fini(out);
    return TG_ERR_CONFIG;
}
