/* Interned strings: an open-addressing table, at most half full, of texts with their hashes. */
#include "support/intern.h"
#include <stdint.h>
#include <string.h>

typedef struct {
    const char *text; /* NULL = free */
    size_t length;
    uint64_t hash;
} Entry;

struct Strings {
    Arena *arena;
    Entry *entries;
    size_t count, capacity; /* capacity is a power of two */
};

enum { FIRST_CAPACITY = 256 };

static uint64_t hash_text(const char *text, size_t length) { /* FNV-1a */
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < length; i++) hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3u;
    return hash ^ hash >> 32;
}

Strings *strings_new(Arena *arena) {
    Strings *strings = ARENA_NEW(arena, Strings);
    strings->arena = arena;
    strings->capacity = FIRST_CAPACITY;
    strings->entries = ARENA_ARRAY(arena, Entry, FIRST_CAPACITY);
    return strings;
}

/* The entry of the text, or the free one where it belongs. */
static Entry *find(const Strings *strings, const char *text, size_t length, uint64_t hash) {
    size_t mask = strings->capacity - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        Entry *entry = &strings->entries[i];
        if (!entry->text) return entry;
        if (entry->hash == hash && entry->length == length && !memcmp(entry->text, text, length))
            return entry;
    }
}

static void grow(Strings *strings) {
    Entry *old = strings->entries;
    size_t old_capacity = strings->capacity;
    strings->capacity *= 2;
    strings->entries = ARENA_ARRAY(strings->arena, Entry, strings->capacity);
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i].text) *find(strings, old[i].text, old[i].length, old[i].hash) = old[i];
}

const char *intern_n(Strings *strings, const char *text, size_t length) {
    uint64_t hash = hash_text(text, length);
    Entry *entry = find(strings, text, length, hash);
    if (entry->text) return entry->text;
    if (2 * (strings->count + 1) > strings->capacity) {
        grow(strings);
        entry = find(strings, text, length, hash);
    }
    strings->count++;
    *entry = (Entry){arena_strndup(strings->arena, text, length), length, hash};
    return entry->text;
}

const char *intern(Strings *strings, const char *text) { return intern_n(strings, text, strlen(text)); }
