/*
 * "Did you mean": the candidate with the smallest edit distance (insert,
 * delete, replace, swap of neighbours; letters of either case are equal), if
 * that is small beside the word. Class names also match by what follows their
 * last dot.
 *
 * Any thread; no state.
 */
#include "base/config.h"
#include <ctype.h>
#include <string.h>

enum { WORD_MAX = 128 };

static bool same(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* Distance, or more than `most` when it is greater. */
static int distance(const char *a, const char *b, int most)
{
    int rows[3][WORD_MAX + 1];
    int n = (int)strlen(a);
    int m = (int)strlen(b);
    int i, j;

    if (n > WORD_MAX || m > WORD_MAX || n - m > most || m - n > most)
        return most + 1;
    for (j = 0; j <= m; j++)
        rows[0][j] = j;
    for (i = 1; i <= n; i++) {
        int *row = rows[i % 3];
        const int *prev = rows[(i + 2) % 3];
        const int *prev2 = rows[(i + 1) % 3];
        row[0] = i;
        for (j = 1; j <= m; j++) {
            int cost = !same(a[i - 1], b[j - 1]);
            row[j] =
                least(least(prev[j] + 1, row[j - 1] + 1), prev[j - 1] + cost);
            if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) &&
                same(a[i - 2], b[j - 1]))
                row[j] = least(row[j], prev2[j - 2] + 1);
        }
    }
    return rows[n % 3][m];
}

static const char *last_part(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot && dot[1] ? dot + 1 : name;
}

/* A third of the letters may be wrong; short words need care. */
static int tolerance(const char *word)
{
    int n = (int)strlen(word);

    return n < 3 ? n - 1 : least((n + 1) / 3, WORD_MAX);
}

const char *tg_nearest(const char *word, const json_t *candidates)
{
    const char *tail = last_part(word);
    int most = tolerance(word);
    int tail_most = tolerance(tail);
    const char *best = NULL;
    int best_distance = WORD_MAX + 1;
    size_t i;

    for (i = 0; i < json_array_size(candidates); i++) {
        const char *name = json_string_value(json_array_get(candidates, i));
        int d, t;

        if (!name)
            continue;
        d = distance(word, name, most);
        if (d > most)
            d = WORD_MAX + 1;
        t = distance(tail, last_part(name), tail_most);
        if (t <= tail_most)
            d = least(d, t);
        if (d < best_distance) {
            best = name;
            best_distance = d;
        }
    }
    return best;
}
