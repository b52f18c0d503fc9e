/* The context of a compilation's graphs, and the hash set by which its dimensions and types are interned. */
#include "ir/tables.h"

IrContext *ir_context_new(Arena *arena, Strings *strings) {
    IrContext *ir = ARENA_NEW(arena, IrContext);
    ir->arena = arena;
    ir->strings = strings;
    ir->symbols = map_new(arena);
    ir->suffixes = map_new(arena);
    return ir;
}

Arena *ir_arena(IrContext *ir) { return ir->arena; }

Strings *ir_strings(IrContext *ir) { return ir->strings; }

uint64_t hash_mix(uint64_t hash, uint64_t value) {
    hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
    return hash ^ (hash >> 29);
}

uint64_t hash_pointer(uint64_t hash, const void *pointer) {
    return hash_mix(hash, (uint64_t)(uintptr_t)pointer);
}

const void *table_find(const InternTable *table, uint64_t hash, const void *wanted,
                       bool (*same)(const void *wanted, const void *item)) {
    if (!table->capacity) return NULL;
    uint32_t mask = table->capacity - 1;
    for (uint32_t i = (uint32_t)hash & mask; table->items[i]; i = (i + 1) & mask)
        if (table->hashes[i] == hash && same(wanted, table->items[i])) return table->items[i];
    return NULL;
}

static void place(InternTable *table, uint64_t hash, const void *item) {
    uint32_t mask = table->capacity - 1, i = (uint32_t)hash & mask;
    while (table->items[i]) i = (i + 1) & mask;
    table->items[i] = item;
    table->hashes[i] = hash;
}

static void grow(InternTable *table, Arena *arena) {
    InternTable old = *table;
    table->capacity = old.capacity ? 2 * old.capacity : 64;
    table->items = ARENA_ARRAY(arena, const void *, table->capacity);
    table->hashes = ARENA_ARRAY(arena, uint64_t, table->capacity);
    for (uint32_t i = 0; i < old.capacity; i++)
        if (old.items[i]) place(table, old.hashes[i], old.items[i]);
}

void table_add(InternTable *table, Arena *arena, uint64_t hash, const void *item) {
    if (2 * table->count >= table->capacity) grow(table, arena); /* at most half full, so probes end */
    place(table, hash, item);
    table->count++;
}
