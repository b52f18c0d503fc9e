/* Compiled programs at random against the interpreter, each in a process of its own with a limit of time.
 *
 *     fuzz_native FIRST COUNT [DIRECTORY]   seeds FIRST …; failures go, minimised, to DIRECTORY/seed-N.nnir
 *     fuzz_native -t SEED                   the program's text
 *     fuzz_native -f FILE                   checks the program in a file
 *
 * Floats are compared within the interpreter's error bounds, everything else exactly. Where a bound is
 * infinite (sums that may overflow, decisions near a tie) nothing is compared but the bits of one order of
 * the chunks with those of another; the last line says how many elements that were. */
#include "ir/text.h"
#include "tests/unit/native.h"
#include "tests/unit/random_check.h"
#include "tests/unit/random_shrink.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    uint64_t run, refused, failed;
    NativeCounts counts;
} Tally;

static bool still_fails(void *user, const char *text) {
    const RandomCase *c = user;
    CheckResult result;
    random_check_apart(c, text, &result);
    return result.verdict == CHECK_WRONG;
}

static void save_failure(Arena *arena, const RandomCase *c, uint64_t seed, const char *text,
                         const char *message, const char *directory) {
    const char *path = arena_printf(arena, "%s/seed-%llu.nnir", directory, (unsigned long long)seed);
    FILE *file = fopen(path, "w");
    if (!file) {
        perror(path);
        return;
    }
    fprintf(file, "# size: %lld\n# special: %d\n# %s\n%s", (long long)c->size, c->special, message, text);
    fclose(file);
}

/* The first line alone. */
static const char *first_line(Arena *arena, const char *text) {
    return arena_strndup(arena, text, strcspn(text, "\n"));
}

static void check_seed(uint64_t seed, const char *directory, Tally *tally) {
    Arena *arena = arena_new();
    RandomProgram program = random_program(arena, seed);
    RandomCase c = {
        .size = program.size, .special = program.special, .variants = VARIANTS_ALL, .seconds = 60};
    CheckResult result;
    random_check_apart(&c, program.text, &result);
    tally->run++;
    tally->refused += result.verdict == CHECK_REFUSED;
    tally->counts.elements += result.counts.elements;
    tally->counts.unbounded += result.counts.unbounded;
    if (result.verdict == CHECK_WRONG) {
        tally->failed++;
        printf("seed %llu: %s\n", (unsigned long long)seed, first_line(arena, result.message));
        fflush(stdout);
        c.variants = 1u << result.variant;
        const char *text = directory ? random_shrink(arena, program.text, still_fails, &c) : program.text;
        random_check_apart(&c, text, &result);
        if (directory) save_failure(arena, &c, seed, text, first_line(arena, result.message), directory);
    } else if (result.verdict == CHECK_REFUSED && getenv("FUZZ_VERBOSE")) {
        printf("seed %llu: %s\n", (unsigned long long)seed, first_line(arena, result.message));
    }
    arena_free(arena);
}

static int check_file(const char *path) {
    Arena *arena = arena_new();
    RandomCase c;
    const char *text = random_case_read(arena, path, &c);
    c.verbose = getenv("FUZZ_VERBOSE") != NULL;
    CheckResult result = {.verdict = CHECK_WRONG, .message = "cannot be read"};
    if (text) random_check_apart(&c, text, &result);
    printf("%s: %s\n", path, result.verdict == CHECK_RIGHT ? "right" : result.message);
    arena_free(arena);
    return result.verdict == CHECK_RIGHT ? 0 : 1;
}

static void print_tally(const Tally *tally) {
    printf("%llu programs, %llu refused, %llu failed; %lld elements, %lld of them without a bound\n",
           (unsigned long long)tally->run, (unsigned long long)tally->refused,
           (unsigned long long)tally->failed, (long long)tally->counts.elements,
           (long long)tally->counts.unbounded);
    fflush(stdout);
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "-f") == 0) return check_file(argv[2]);
    if (argc == 3 && strcmp(argv[1], "-t") == 0) {
        Arena *arena = arena_new();
        RandomProgram program = random_program(arena, strtoull(argv[2], NULL, 10));
        printf("# size: %lld\n# special: %d\n%s", (long long)program.size, program.special, program.text);
        arena_free(arena);
        return 0;
    }
    if (argc < 3) {
        fputs("usage: fuzz_native FIRST COUNT [DIRECTORY] | -t SEED | -f FILE\n", stderr);
        return 2;
    }
    uint64_t first = strtoull(argv[1], NULL, 10), count = strtoull(argv[2], NULL, 10);
    Tally tally = {0};
    for (uint64_t seed = first; seed < first + count; seed++) {
        check_seed(seed, argc > 3 ? argv[3] : NULL, &tally);
        if (tally.run % 250 == 0) print_tally(&tally);
    }
    print_tally(&tally);
    return tally.failed != 0;
}
