/* Interned strings: the same text is the same pointer, so names compare by `==`. */
#ifndef SUPPORT_INTERN_H
#define SUPPORT_INTERN_H

#include "support/arena.h"

typedef struct Strings Strings;

Strings *strings_new(Arena *arena);
/* NUL-terminated; lives as long as the arena of `strings_new`. */
const char *intern(Strings *strings, const char *text);
const char *intern_n(Strings *strings, const char *text, size_t length);

#endif
