/* Growth of the arrays of vec.h. The old elements stay in the arena, which costs at most as much again. */
#include "support/vec.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

void *vec_grow(Arena *arena, void *at, uint32_t count, uint32_t *capacity, size_t size) {
    if (*capacity > UINT32_MAX / 2 || (size && *capacity > SIZE_MAX / 2 / size)) {
        fputs("out of memory\n", stderr);
        abort();
    }
    uint32_t first = size > sizeof(void *) ? 2 : 4; /* there are many, and most stay small */
    *capacity = *capacity ? *capacity * 2 : first;
    void *moved = arena_alloc(arena, *capacity * size);
    if (count) memcpy(moved, at, count * size);
    return moved;
}
