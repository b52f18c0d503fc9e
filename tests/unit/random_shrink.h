/* Makes a program that fails smaller, as long as it still fails. */
#ifndef TESTS_UNIT_RANDOM_SHRINK_H
#define TESTS_UNIT_RANDOM_SHRINK_H

#include "support/arena.h"
#include <stdbool.h>

typedef bool StillFails(void *user, const char *text);

const char *random_shrink(Arena *arena, const char *text, StillFails *fails, void *user);

#endif
