/* One program, compiled in several ways, against the interpreter, in a process of its own. */
#ifndef TESTS_UNIT_RANDOM_CHECK_H
#define TESTS_UNIT_RANDOM_CHECK_H

#include "tests/unit/native.h"
#include "tests/unit/random_program.h"

/* Bits: which rows of the table of variants (random_check.c) are tried. */
enum { VARIANTS = 8, VARIANTS_ALL = (1 << VARIANTS) - 1 };

typedef struct {
    int64_t size;
    bool special, verbose;
    uint32_t variants;
    uint32_t seconds; /* of the processor, in a process of its own */
} RandomCase;

typedef enum { CHECK_RIGHT, CHECK_WRONG, CHECK_REFUSED } Verdict;

typedef struct {
    Verdict verdict;
    uint32_t variant; /* the first that is wrong */
    NativeCounts counts;
    char message[600];
} CheckResult;

/* A crash, a failed assertion or no end is wrong, too. What a variant compiles as another one did is tried
 * once. */
void random_check_apart(const RandomCase *c, const char *text, CheckResult *result);

/* A program kept in a file, and from its first lines how to run it. NULL if it can't be read. */
const char *random_case_read(Arena *arena, const char *path, RandomCase *c);

#endif
