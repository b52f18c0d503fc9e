/* Did you mean: what is the same but for upper and lower case, or the nearest candidate by edit distance,
 * where a swap of neighbours counts as one edit. */
#include "support/diagnostic.h"
#include <stdint.h>
#include <string.h>
#include <strings.h>

enum { LONGEST = 64 }; /* names longer than this get no suggestion */

static unsigned min2(unsigned a, unsigned b) { return a < b ? a : b; }

/* Optimal string alignment distance. Both texts have at most LONGEST bytes. Three rows of the table suffice.
 */
static unsigned distance(const char *a, size_t a_length, const char *b, size_t b_length) {
    unsigned rows[3][LONGEST + 1];
    for (size_t j = 0; j <= b_length; j++) rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= a_length; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i - 1) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_length; j++) {
            unsigned best = min2(min2(row[j - 1], above[j]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            row[j] = swapped ? min2(best, two_above[j - 2] + 1) : best;
        }
    }
    return rows[a_length % 3][b_length];
}

/* A third of the letters may be wrong; of one or two letters, none but a swap or a letter too many. */
static unsigned tolerance(size_t length) { return length < 3 ? 1 : (unsigned)(length + 2) / 3; }

/* The only candidate that begins with the name, of at least three letters; NULL if there are none or several.
 */
static const char *completion(const char *name, const char *const *candidates, size_t count) {
    size_t length = strlen(name);
    const char *found = NULL;
    for (size_t i = 0; i < count && length >= 3; i++) {
        if (strncmp(candidates[i], name, length) != 0) continue;
        if (found && strcmp(found, candidates[i]) != 0) return NULL;
        found = candidates[i];
    }
    return found;
}

const char *suggest(const char *name, const char *const *candidates, size_t count) {
    size_t length = strlen(name);
    const char *nearest = NULL;
    if (length > LONGEST) return NULL;
    unsigned best = tolerance(length) + 1;
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(candidates[i]);
        if (size > LONGEST) continue;
        if (strcasecmp(name, candidates[i]) == 0) return candidates[i];
        unsigned d = distance(name, length, candidates[i], size);
        /* All letters replaced is another word, not a typing error. */
        if (d < best && d < (length > size ? length : size)) best = d, nearest = candidates[i];
    }
    return nearest ? nearest : completion(name, candidates, count);
}
