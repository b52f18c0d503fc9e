/* Growable arrays in an arena: `VEC(int) v = {0}; vec_push(arena, &v, 3); v.at[0]`. */
#ifndef SUPPORT_VEC_H
#define SUPPORT_VEC_H

#include "support/arena.h"
#include <stdint.h>
#include <string.h>

#define VEC(T)                    \
    struct {                      \
        T *at;                    \
        uint32_t count, capacity; \
    }

#define vec_push(arena, v, item)                                                               \
    do {                                                                                       \
        if ((v)->count == (v)->capacity)                                                       \
            (v)->at = vec_grow((arena), (v)->at, (v)->count, &(v)->capacity, sizeof *(v)->at); \
        (v)->at[(v)->count++] = (item);                                                        \
    } while (0)

/* Doubles `*capacity` and returns the moved elements. */
void *vec_grow(Arena *arena, void *at, uint32_t count, uint32_t *capacity, size_t size);

#endif
