/* The interning tables behind an IrContext; for ir/context.c, ir/dim.c and ir/type.c only. */
#ifndef IR_TABLES_H
#define IR_TABLES_H

#include "ir/context.h"
#include "support/map.h"
#include <stdbool.h>
#include <stdint.h>

/* A hash set of items that are equal by what they say. The caller computes the hashes. */
typedef struct {
    const void **items;
    uint64_t *hashes;
    uint32_t count, capacity; /* the capacity is a power of two, or 0 */
} InternTable;

struct IrContext {
    Arena *arena;
    Strings *strings;
    InternTable dims, types;
    Map *symbols;  /* interned name → its Dim */
    Map *suffixes; /* interned base name → uint32_t: the last suffix that dim_fresh tried */
};

/* The item equal to `wanted`, or NULL. */
const void *table_find(const InternTable *table, uint64_t hash, const void *wanted,
                       bool (*same)(const void *wanted, const void *item));
void table_add(InternTable *table, Arena *arena, uint64_t hash, const void *item);

uint64_t hash_mix(uint64_t hash, uint64_t value);
uint64_t hash_pointer(uint64_t hash, const void *pointer);

#endif
