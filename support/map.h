/* A hash map from pointers (or anything cast to one) to pointers, in an arena. A missing key yields NULL. */
#ifndef SUPPORT_MAP_H
#define SUPPORT_MAP_H

#include "support/arena.h"

typedef struct Map Map;

Map *map_new(Arena *arena);
void map_put(Map *map, const void *key, void *value);
void *map_get(const Map *map, const void *key);

#endif
