/*
 * topics.regex is a Java regular expression; librdkafka matches with the POSIX
 * ones of the C library. The common ground is translated: groups, classes with
 * \d \w \s, lazy quantifiers (the question is only whether a name matches).
 * What POSIX cannot say is refused with its name, never matched differently.
 *
 * Any thread; no state.
 */
#include "kafka/consumer_priv.h"
#include "base/mem.h"
#include <regex.h>

static int refuse(const char *java, const char *what, tg_err *err)
{
    return tg_err_set(
        err, TG_ERR_CONFIG,
        "topics.regex=%s cannot be used: %s is not available "
        "here; groups, classes such as [a-z], \\d \\w \\s and the "
        "quantifiers are",
        java, what);
}

/* What \d, \w and \s stand for, without the brackets. */
static const char *class_of(char c)
{
    switch (c) {
    case 'd':
    case 'D':
        return "0-9";
    case 'w':
    case 'W':
        return "A-Za-z0-9_";
    case 's':
    case 'S':
        return " \t\r\n\f\v";
    default:
        return NULL;
    }
}

static int escape(const char *java, char c, tg_buf *out, tg_err *err)
{
    const char *set = class_of(c);

    if (set) {
        tg_buf_printf(out, "[%s%s]", c < 'a' ? "^" : "", set);
        return TG_OK;
    }
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
        (c >= '0' && c <= '9')) {
        char what[16] = "the escape \\?";

        what[12] = c;
        return refuse(java, c ? what : "a single \\ at the end", err);
    }
    if (!c)
        return refuse(java, "a single \\ at the end", err);
    /* An escaped character stands for itself. */
    tg_buf_printf(out, strchr(".^$*+?()[{}|\\", c) ? "\\%c" : "%c", c);
    return TG_OK;
}

/* A bracket expression. In POSIX a backslash is an ordinary character there,
 * ']' must come first and '-' last. *p is behind the '['. */
static int brackets(const char *java, const char **at, tg_buf *out, tg_err *err)
{
    const char *p = *at;
    bool negated = *p == '^', closing = false, dash = false, first = true;
    tg_buf set = {0};
    int rc = TG_OK;

    if (negated)
        p++;
    for (; *p && (*p != ']' || first); p++, first = false) {
        char c = *p;

        if (c == '[' || (c == '&' && p[1] == '&')) {
            rc = refuse(java, "a class inside a class", err);
            goto out;
        }
        if (c == '\\') {
            const char *inner = class_of(p[1]);

            c = *++p;
            if (inner && c >= 'a') {
                tg_buf_str(&set, inner);
                continue;
            }
            if (!c || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
                rc = refuse(java, "this escape inside a class", err);
                goto out;
            }
            if (c == '-') {
                dash = true;
                continue;
            }
        }
        if (c == ']')
            closing = true;
        else if (c == '-' && (first || p[1] == ']'))
            dash = true;
        else
            tg_buf_add(&set, &c, 1);
    }
    if (!*p) {
        rc = refuse(java, "a [ without ]", err);
        goto out;
    }
    tg_buf_printf(out, "[%s%s%s%s]", negated ? "^" : "", closing ? "]" : "",
                  tg_buf_cstr(&set), dash ? "-" : "");
    *at = p;
out:
    tg_buf_fini(&set);
    return rc;
}

static int translate(const char *java, tg_buf *out, tg_err *err)
{
    const char *p;

    for (p = java; *p; p++) {
        int rc = TG_OK;

        if (*p == '\\') {
            rc = escape(java, *++p, out, err);
            if (rc)
                return rc;
        } else if (*p == '[') {
            p++;
            rc = brackets(java, &p, out, err);
            if (rc)
                return rc;
        } else if (p[0] == '(' && p[1] == '?') {
            if (p[2] != ':')
                return refuse(java,
                              "(?...) (look-ahead, look-behind, named group, "
                              "flag)",
                              err);
            tg_buf_str(out, "(");
            p += 2;
        } else if (strchr("*+?}", *p)) {
            tg_buf_add(out, p, 1);
            if (p[1] == '+')
                return refuse(java, "a possessive quantifier", err);
            if (p[1] == '?')
                p++;
        } else {
            tg_buf_add(out, p, 1);
        }
    }
    return TG_OK;
}

char *tg__regex_posix(const char *java, tg_err *err)
{
    tg_buf out = {0};
    regex_t compiled;
    char why[128];
    int rc;

    tg_buf_str(&out, "^(");
    if (translate(java, &out, err))
        goto fail;
    tg_buf_str(&out, ")$");
    rc = regcomp(&compiled, tg_buf_cstr(&out), REG_EXTENDED | REG_NOSUB);
    if (rc) {
        regerror(rc, &compiled, why, sizeof why);
        tg_err_set(err, TG_ERR_CONFIG,
                   "topics.regex=%s is no regular expression: %s", java, why);
        goto fail;
    }
    regfree(&compiled);
    tg_buf_cstr(&out);
    return tg_buf_steal(&out);
fail:
    tg_buf_fini(&out);
    return NULL;
}

int tg_consumer_check_regex(const char *java, tg_err *err)
{
    char *posix = tg__regex_posix(*java == '^' ? java + 1 : java, err);

    if (!posix)
        return TG_ERR_CONFIG;
    tg_free(posix);
    return TG_OK;
}
