/* Bump allocation: see arena.h. Chunks double up to a limit; a request that is larger than a chunk gets one
 * of its own, so that it doesn't waste the rest of the current one. */
#include "support/arena.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Chunk Chunk;
struct Chunk {
    Chunk *previous;
    max_align_t data[];
};

struct Arena {
    Chunk *chunks; /* the first is the one that is being filled */
    char *free, *end;
    size_t next_size; /* bytes of the next chunk */
    Arena *parent, *children, *sibling;
};

enum { FIRST_CHUNK = 1 << 12, LAST_CHUNK = 1 << 20 };

static _Noreturn void out_of_memory(void) {
    fputs("out of memory\n", stderr);
    abort();
}

Arena *arena_new(void) {
    Arena *arena = calloc(1, sizeof *arena);
    if (!arena) out_of_memory();
    arena->next_size = FIRST_CHUNK;
    return arena;
}

Arena *arena_child(Arena *parent) {
    Arena *arena = arena_new();
    arena->parent = parent;
    arena->sibling = parent->children;
    return parent->children = arena;
}

static void leave_parent(Arena *arena) {
    Arena **at = &arena->parent->children;
    while (*at != arena) at = &(*at)->sibling;
    *at = arena->sibling;
}

void arena_free(Arena *arena) {
    if (!arena) return;
    while (arena->children) arena_free(arena->children);
    if (arena->parent) leave_parent(arena);
    for (Chunk *chunk = arena->chunks; chunk;) {
        Chunk *previous = chunk->previous;
        free(chunk);
        chunk = previous;
    }
    free(arena);
}

/* calloc: fresh pages are zero already, so zeroing costs nothing for large chunks. */
static Chunk *chunk_new(size_t size) {
    if (size > SIZE_MAX - sizeof(Chunk)) out_of_memory();
    Chunk *chunk = calloc(1, sizeof(Chunk) + size);
    if (!chunk) out_of_memory();
    return chunk;
}

static void *alloc_alone(Arena *arena, size_t size) {
    Chunk *chunk = chunk_new(size);
    if (arena->chunks) { /* behind the current chunk, which stays current */
        chunk->previous = arena->chunks->previous;
        arena->chunks->previous = chunk;
    } else {
        arena->chunks = chunk;
    }
    return chunk->data;
}

static void add_chunk(Arena *arena) {
    Chunk *chunk = chunk_new(arena->next_size);
    chunk->previous = arena->chunks;
    arena->chunks = chunk;
    arena->free = (char *)chunk->data;
    arena->end = arena->free + arena->next_size;
    if (arena->next_size < LAST_CHUNK) arena->next_size *= 2;
}

void *arena_alloc(Arena *arena, size_t size) {
    const size_t unit = _Alignof(max_align_t);
    if (size > SIZE_MAX - unit) out_of_memory();
    size = size ? (size + unit - 1) / unit * unit : unit; /* every request has an address of its own */
    if (size > (size_t)(arena->end - arena->free)) {
        if (size > arena->next_size / 2) return alloc_alone(arena, size);
        add_chunk(arena);
    }
    void *result = arena->free;
    arena->free += size;
    return result;
}

void *arena_copy(Arena *arena, const void *data, size_t size) {
    void *copy = arena_alloc(arena, size);
    if (size) memcpy(copy, data, size);
    return copy;
}

char *arena_strndup(Arena *arena, const char *text, size_t length) {
    char *copy = arena_alloc(arena, length + 1);
    if (length) memcpy(copy, text, length);
    return copy;
}

char *arena_strdup(Arena *arena, const char *text) { return arena_strndup(arena, text, strlen(text)); }

char *arena_vprintf(Arena *arena, const char *format, va_list args) {
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    if (length < 0) abort(); /* only for an invalid format */
    char *text = arena_alloc(arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

char *arena_printf(Arena *arena, const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *text = arena_vprintf(arena, format, args);
    va_end(args);
    return text;
}
