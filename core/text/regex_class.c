/*
 * Character classes: Java's unions, intersections and complements as sets that
 * PCRE2 can express. A set is a union of what fits into one [..], of what needs
 * (?i:[..]), and of alternatives that match exactly one code point each, so an
 * intersection is (?=A)B and a complement (?!A) before any code point. Where
 * there are alternatives the group is atomic: one code point has one way to
 * match, and nothing backtracks into it.
 *
 * Any thread; no state.
 */
#include "text/regex_priv.h"

enum { NESTING_MAX = 60 };

#define MINUS_I 0x20u

void tg__re_set_fini(tg__re_set *set)
{
    tg_buf_fini(&set->plain);
    tg_buf_fini(&set->fold);
    tg_buf_fini(&set->extra);
    *set = (tg__re_set){0};
}

void tg__re_put_char(tg_buf *out, uint32_t cp)
{
    if ((cp >= '0' && cp <= '9') ||
        (cp < 128 && (cp | 32) >= 'a' && (cp | 32) <= 'z'))
        tg_buf_printf(out, "%c", (int)cp);
    else if (cp > ' ' && cp < 127)
        tg_buf_printf(out, "\\%c", (int)cp);
    else
        tg_buf_printf(out, "\\x{%x}", cp);
}

static void put_range(tg_buf *out, uint32_t from, uint32_t to)
{
    tg__re_put_char(out, from);
    if (from == to)
        return;
    tg_buf_str(out, "-");
    tg__re_put_char(out, to);
}

/* --- algebra -----------------------------------------------------------------
 */

static void alternative(tg_buf *out)
{
    if (out->len)
        tg_buf_str(out, "|");
}

/* The members of a set as alternatives. */
static void put_alternatives(tg_buf *out, const tg__re_set *set)
{
    if (set->plain.len) {
        alternative(out);
        tg_buf_str(out, set->neg ? "[^" : "[");
        tg_buf_add(out, set->plain.p, set->plain.len);
        tg_buf_str(out, "]");
    }
    if (set->fold.len) {
        alternative(out);
        tg_buf_str(out, "(?i:[");
        tg_buf_add(out, set->fold.p, set->fold.len);
        tg_buf_str(out, "])");
    }
    if (set->extra.len) {
        alternative(out);
        tg_buf_add(out, set->extra.p, set->extra.len);
    }
}

void tg__re_set_put(tg_buf *out, const tg__re_set *set)
{
    tg_buf all = {0};
    bool simple = !set->fold.len && !set->extra.len;

    put_alternatives(&all, set);
    if (!simple)
        tg_buf_str(out, "(?>");
    tg_buf_add(out, all.p, all.len);
    if (!simple)
        tg_buf_str(out, ")");
    tg_buf_fini(&all);
}

/* Turns all of a set into alternatives, so that others can be added. */
static void loosen(tg__re_set *set)
{
    tg_buf all = {0};

    put_alternatives(&all, set);
    tg__re_set_fini(set);
    set->extra = all;
}

static bool is_empty(const tg__re_set *set)
{
    return !set->plain.len && !set->fold.len && !set->extra.len;
}

/* to becomes the union; from is used up. */
static void unite(tg__re_set *to, tg__re_set *from)
{
    if (to->neg)
        loosen(to);
    if (from->neg)
        loosen(from);
    tg_buf_add(&to->plain, from->plain.p, from->plain.len);
    tg_buf_add(&to->fold, from->fold.p, from->fold.len);
    if (from->extra.len) {
        alternative(&to->extra);
        tg_buf_add(&to->extra, from->extra.p, from->extra.len);
    }
    tg__re_set_fini(from);
}

/* to becomes the intersection; from is used up. */
static void intersect(tg__re_set *to, tg__re_set *from)
{
    tg_buf both = {0};

    tg_buf_str(&both, "(?=");
    tg__re_set_put(&both, to);
    tg_buf_str(&both, ")");
    tg__re_set_put(&both, from);
    tg__re_set_fini(to);
    tg__re_set_fini(from);
    to->extra = both;
}

void tg__re_set_not(tg__re_set *set)
{
    tg_buf none = {0};

    if (!set->fold.len && !set->extra.len) {
        set->neg = !set->neg;
        return;
    }
    tg_buf_str(&none, "(?!");
    tg__re_set_put(&none, set);
    tg_buf_str(&none, ").");
    tg__re_set_fini(set);
    set->extra = none;
}

/* --- members -----------------------------------------------------------------
 */

/* The part of [from, to] in [low, high], moved by the bit of case. */
static void put_other_case(tg_buf *out, uint32_t from, uint32_t to, char low,
                           char high)
{
    uint32_t a = from > (uint32_t)low ? from : (uint32_t)low;
    uint32_t b = to < (uint32_t)high ? to : (uint32_t)high;

    if (a <= b)
        put_range(out, a ^ MINUS_I, b ^ MINUS_I);
}

static void add_range(const tg__re *t, tg__re_set *set, uint32_t from,
                      uint32_t to)
{
    if (tg__re_has(t, TG_RE_CASE) && tg__re_has(t, TG_RE_UCASE)) {
        put_range(&set->fold, from, to);
        return;
    }
    put_range(&set->plain, from, to);
    if (tg__re_has(t, TG_RE_CASE)) {
        put_other_case(&set->plain, from, to, 'a', 'z');
        put_other_case(&set->plain, from, to, 'A', 'Z');
    }
}

bool tg__re_shorthand(const tg__re *t, uint32_t letter, tg__re_set *out)
{
    bool u = tg__re_has(t, TG_RE_UCLASS);

    switch (letter) {
    case 'd':
    case 'D':
        tg_buf_str(&out->plain, u ? "\\p{Nd}" : "0-9");
        break;
    case 's':
    case 'S':
        tg_buf_str(&out->plain, u ? "\\p{White_Space}" : "\\t-\\r\\x{20}");
        break;
    case 'w':
    case 'W':
        tg_buf_str(&out->plain, u ? tg__re_uword : "A-Za-z0-9_");
        break;
    case 'h':
    case 'H':
        tg_buf_str(&out->plain, "\\h");
        break;
    case 'v':
    case 'V':
        tg_buf_str(&out->plain, "\\v");
        break;
    default:
        return false;
    }
    out->neg = letter < 'a';
    return true;
}

/* An escape in a class, at its backslash: *cp its code point, or -1 when it is
 * a set in out. ranged: it is an end of a range, where \v is a character. */
static bool class_escape(tg__re *t, tg__re_set *out, bool ranged, int64_t *cp)
{
    uint32_t c = tg__re_char(t, t->at + 1);

    *cp = -1;
    if (t->at + 1 >= t->n) {
        t->at = t->n;
        return tg__re_fail(t, "Unclosed character class");
    }
    if (!ranged && (c == 'p' || c == 'P')) {
        t->at++;
        return tg__re_property(t, c == 'P', out);
    }
    tg__re_skip(t);
    if (c == 'v' && (ranged || tg__re_char(t, t->at) == '-')) {
        *cp = 0x0b;
        return true;
    }
    if (tg__re_shorthand(t, c, out))
        return true;
    *cp = tg__re_escaped_char(t, c);
    if (*cp == -1)
        return tg__re_fail(t, c == 'N' ? "\\N{...} (a character by its name) "
                                         "is not supported: write \\x{...}"
                                       : "Illegal/unsupported escape sequence");
    return *cp >= 0;
}

/* The end of a range behind '-'. */
static bool range_end(tg__re *t, uint32_t from, uint32_t *to)
{
    tg__re_set unused = {0};
    uint32_t c = tg__re_next(t); /* behind the '-' */
    int64_t cp;

    if (c == '\\') {
        if (!class_escape(t, &unused, true, &cp)) {
            tg__re_set_fini(&unused);
            return false;
        }
        tg__re_set_fini(&unused);
    } else {
        cp = c & ~TG_RE_QUOTED;
        tg__re_next(t);
    }
    *to = (uint32_t)cp;
    return cp >= (int64_t)from || tg__re_fail(t, "Illegal character range");
}

/* One character, range, shorthand or property. */
static bool member(tg__re *t, tg__re_set *set)
{
    uint32_t c = tg__re_peek(t), to;
    tg__re_set one = {0};
    int64_t cp = c & ~TG_RE_QUOTED;
    bool ok = true;

    if (c == '\\')
        ok = class_escape(t, &one, false, &cp);
    else
        tg__re_next(t);
    if (ok && cp < 0) {
        unite(set, &one);
        return true;
    }
    tg__re_set_fini(&one);
    if (!ok)
        return false;
    to = (uint32_t)cp;
    if (tg__re_peek(t) == '-') {
        uint32_t end = tg__re_char(t, t->at + 1);
        if (end != '[' && end != ']' && !range_end(t, (uint32_t)cp, &to))
            return false;
    }
    if (set->neg)
        loosen(set);
    add_range(t, set, (uint32_t)cp, to);
    return true;
}

/* --- classes -----------------------------------------------------------------
 */

static bool read_class(tg__re *t, tg__re_set *out, bool consume);

/* A class inside another one. */
static bool nested(tg__re *t, tg__re_set *set, bool consume)
{
    tg__re_set inner = {0};
    bool ok = t->depth < NESTING_MAX ||
              tg__re_fail(t, "more than %d nested classes are not supported",
                          NESTING_MAX);

    t->depth++;
    ok = ok && read_class(t, &inner, consume);
    t->depth--;
    if (ok)
        unite(set, &inner);
    tg__re_set_fini(&inner);
    return ok;
}

/* What follows "&&", the second '&' being the current character. */
static bool intersection(tg__re *t, tg__re_set *left)
{
    uint32_t c = tg__re_next(t);
    tg__re_set right = {0};
    bool ok = true;

    while (ok && c != ']' && c != '&') {
        if (t->at >= t->n)
            ok = tg__re_fail(t, "Unclosed character class");
        else if (c == '[')
            ok = nested(t, &right, true);
        else {
            t->at--; /* read_class begins behind the current character */
            ok = nested(t, &right, false);
        }
        c = tg__re_peek(t);
    }
    if (ok && is_empty(left) && is_empty(&right))
        ok = tg__re_fail(t, "Bad class syntax");
    if (ok && is_empty(left))
        unite(left, &right);
    else if (ok && !is_empty(&right))
        intersect(left, &right);
    tg__re_set_fini(&right);
    return ok;
}

/* Members behind the current character up to ']'. */
static bool read_class(tg__re *t, tg__re_set *out, bool consume)
{
    uint32_t c = tg__re_next(t);
    bool negated = false, ok = true;

    if (c == '^' && tg__re_char(t, t->at - 1) == '[') {
        c = tg__re_next(t);
        negated = true;
    }
    for (; ok; c = tg__re_peek(t)) {
        if (t->at >= t->n)
            return tg__re_fail(t, "Unclosed character class");
        if (c == ']' && !is_empty(out))
            break;
        if (c == '[') {
            ok = nested(t, out, true);
        } else if (c == '&') {
            uint32_t save = t->at;
            if (tg__re_next(t) == '&') {
                ok = intersection(t, out);
            } else {
                t->at = save;
                ok = member(t, out);
            }
        } else {
            ok = member(t, out);
        }
    }
    if (!ok)
        return false;
    if (consume)
        tg__re_next(t);
    if (negated)
        tg__re_set_not(out);
    return true;
}

bool tg__re_class(tg__re *t, tg__re_set *out)
{
    uint32_t depth = t->depth;
    bool ok;

    t->depth = 0;
    ok = read_class(t, out, true);
    t->depth = depth;
    return ok;
}
