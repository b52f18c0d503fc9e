/* Source texts and places in them. A Span is what every AST node and diagnostic carries. */
#ifndef SUPPORT_SOURCE_H
#define SUPPORT_SOURCE_H

#include "support/arena.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    const char *path; /* as shown to the user */
    const char *text; /* NUL-terminated; may hold further NULs before `length` */
    uint32_t length;
} Source;

/* Bytes [start, end) of source number `source`. All zero = no place. Sources are numbered from 1. */
typedef struct {
    uint32_t source, start, end;
} Span;

typedef struct {
    const char *file;      /* NULL = unknown */
    uint32_t line, column; /* both from 1; the column counts UTF-8 characters */
} Loc;

typedef struct Sources Sources;

Sources *sources_new(Arena *arena);
/* Takes `text` as it is (not copied); returns the source's number, from 1. */
uint32_t sources_add(Sources *sources, const char *path, const char *text, uint32_t length);
const Source *sources_get(const Sources *sources, uint32_t source);
Loc sources_loc(const Sources *sources, Span span);
/* The place as a span of the word (or character) there; empty where the file is not in `sources`. */
Span sources_span(const Sources *sources, Loc loc);
/* The smallest span that holds both; either may be empty. */
Span span_join(Span a, Span b);

#endif
