/* Bump allocation. Everything the compiler allocates lives in an arena and is freed with it; nothing is
 * freed one by one. A pointer returned by a function lives as long as the arena that was passed to it. */
#ifndef SUPPORT_ARENA_H
#define SUPPORT_ARENA_H

#include <stdarg.h>
#include <stddef.h>

typedef struct Arena Arena;

Arena *arena_new(void);
Arena *arena_child(Arena *parent); /* is freed with its parent, if not before */
void arena_free(Arena *arena);     /* accepts NULL */

/* Zeroed memory aligned for any type; never NULL (aborts when the machine has no memory left). */
void *arena_alloc(Arena *arena, size_t size);
/* A copy of `size` bytes. */
void *arena_copy(Arena *arena, const void *data, size_t size);
char *arena_strdup(Arena *arena, const char *text);
char *arena_strndup(Arena *arena, const char *text, size_t length);
char *arena_printf(Arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(Arena *arena, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

#define ARENA_NEW(arena, T) ((T *)arena_alloc((arena), sizeof(T)))
#define ARENA_ARRAY(arena, T, n) ((T *)arena_alloc((arena), sizeof(T) * (size_t)(n)))

#endif
