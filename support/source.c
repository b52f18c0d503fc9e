/* The table of source texts, with the start of every line, so that a byte offset becomes a line in O(log n).
 */
#include "support/source.h"
#include "support/vec.h"
#include <string.h>

enum { BLOCK = 4096 };

typedef struct {
    Source source;
    VEC(uint32_t) lines;  /* offset of each line's first byte; never empty */
    VEC(uint32_t) blocks; /* characters before each block of BLOCK bytes: for columns in very long lines */
} Entry;

struct Sources {
    Arena *arena;
    VEC(Entry *) entries;
};

static bool continues_character(char c) { return ((unsigned char)c & 0xc0) == 0x80; }

Sources *sources_new(Arena *arena) {
    Sources *sources = ARENA_NEW(arena, Sources);
    sources->arena = arena;
    return sources;
}

uint32_t sources_add(Sources *sources, const char *path, const char *text, uint32_t length) {
    Arena *arena = sources->arena;
    Entry *entry = ARENA_NEW(arena, Entry);
    entry->source = (Source){arena_strdup(arena, path), text, length};
    vec_push(arena, &entry->lines, 0u);
    for (uint32_t i = 0; i < length; i++)
        if (text[i] == '\n') vec_push(arena, &entry->lines, i + 1);
    for (uint32_t i = 0, characters = 0; i < length; i++) {
        if (i % BLOCK == 0) vec_push(arena, &entry->blocks, characters);
        characters += !continues_character(text[i]);
    }
    vec_push(arena, &sources->entries, entry);
    return sources->entries.count;
}

static const Entry *get_entry(const Sources *sources, uint32_t source) {
    return source && source <= sources->entries.count ? sources->entries.at[source - 1] : NULL;
}

const Source *sources_get(const Sources *sources, uint32_t source) {
    const Entry *entry = get_entry(sources, source);
    return entry ? &entry->source : NULL;
}

/* Index of the line that holds the offset. */
static uint32_t line_of(const Entry *entry, uint32_t offset) {
    uint32_t low = 0, high = entry->lines.count; /* the line is in [low, high) */
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (entry->lines.at[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static uint32_t characters(const Entry *entry, uint32_t from, uint32_t to) {
    uint32_t count = 0;
    for (uint32_t i = from; i < to; i++) count += !continues_character(entry->source.text[i]);
    return count;
}

static uint32_t characters_before(const Entry *entry, uint32_t offset) {
    uint32_t block = offset / BLOCK;
    if (block == entry->blocks.count) return block ? characters(entry, 0, offset) : 0;
    return entry->blocks.at[block] + characters(entry, block * BLOCK, offset);
}

Loc sources_loc(const Sources *sources, Span span) {
    const Entry *entry = get_entry(sources, span.source);
    if (!entry) return (Loc){0};
    uint32_t offset = span.start < entry->source.length ? span.start : entry->source.length;
    uint32_t line = line_of(entry, offset), start = entry->lines.at[line];
    uint32_t column = offset - start <= BLOCK
                          ? characters(entry, start, offset)
                          : characters_before(entry, offset) - characters_before(entry, start);
    return (Loc){entry->source.path, line + 1, column + 1};
}

static uint32_t source_of_path(const Sources *sources, const char *path) {
    for (uint32_t i = 0; path && i < sources->entries.count; i++)
        if (!strcmp(sources->entries.at[i]->source.path, path)) return i + 1;
    return 0;
}

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* End of the word at `start`, or of the one character that is there. */
static uint32_t word_end(const Source *source, uint32_t start) {
    uint32_t end = start;
    while (end < source->length && is_word(source->text[end])) end++;
    if (end > start || start == source->length || source->text[start] == '\n') return end;
    do end++;
    while (end < source->length && continues_character(source->text[end]));
    return end;
}

Span sources_span(const Sources *sources, Loc loc) {
    uint32_t number = source_of_path(sources, loc.file);
    const Entry *entry = get_entry(sources, number);
    if (!entry || !loc.line || loc.line > entry->lines.count) return (Span){0};
    const Source *source = &entry->source;
    uint32_t start = entry->lines.at[loc.line - 1];
    for (uint32_t column = 1; column < loc.column && start < source->length; column++) {
        if (source->text[start] == '\n') break;
        do start++;
        while (start < source->length && continues_character(source->text[start]));
    }
    return (Span){number, start, word_end(source, start)};
}

Span span_join(Span a, Span b) {
    if (!a.source) return b;
    if (!b.source || a.source != b.source) return a;
    return (Span){a.source, a.start < b.start ? a.start : b.start, a.end > b.end ? a.end : b.end};
}
