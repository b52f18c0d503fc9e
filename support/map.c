/* Pointer to pointer hash map: open addressing, at most half full. Keys are compared as addresses; NULL is a
 * key like any other. */
#include "support/map.h"
#include <stdint.h>

typedef struct {
    const void *key; /* NULL = free */
    void *value;
} Entry;

static const char null_key; /* stands for NULL as a key */

struct Map {
    Arena *arena;
    Entry *entries;
    size_t count, capacity; /* capacity is 0 or a power of two */
};

enum { FIRST_CAPACITY = 8 };

Map *map_new(Arena *arena) {
    Map *map = ARENA_NEW(arena, Map);
    map->arena = arena;
    return map;
}

static size_t
hash_key(const void *key) { /* Fibonacci hashing: aligned addresses differ in their middle bits */
    uint64_t hash = (uint64_t)(uintptr_t)key * 0x9e3779b97f4a7c15u;
    return (size_t)(hash ^ hash >> 32);
}

/* The entry of the key, or the free one where it belongs. */
static Entry *find(const Map *map, const void *key) {
    size_t mask = map->capacity - 1;
    for (size_t i = hash_key(key) & mask;; i = (i + 1) & mask) {
        Entry *entry = &map->entries[i];
        if (!entry->key || entry->key == key) return entry;
    }
}

static void grow(Map *map) {
    Entry *old = map->entries;
    size_t old_capacity = map->capacity;
    map->capacity = old_capacity ? old_capacity * 2 : FIRST_CAPACITY;
    map->entries = ARENA_ARRAY(map->arena, Entry, map->capacity);
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i].key) *find(map, old[i].key) = old[i];
}

void map_put(Map *map, const void *key, void *value) {
    if (!key) key = &null_key;
    if (2 * (map->count + 1) > map->capacity) grow(map);
    Entry *entry = find(map, key);
    if (!entry->key) map->count++;
    *entry = (Entry){key, value};
}

void *map_get(const Map *map, const void *key) {
    return map->capacity ? find(map, key ? key : &null_key)->value : NULL;
}
