/* A hash table of names. */
#include "rt_names.h"
#include "rt.h"
#include <stdlib.h>
#include <string.h>

static uint64_t hash(const char *text, size_t length) {
    uint64_t h = 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < length; i++) {
        h = (h ^ (uint8_t)text[i]) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    return h;
}

static bool is_name(const rt_names *names, int64_t number, const char *text, size_t length) {
    const rt_name *name = &names->names[number];
    return name->length == length && memcmp(names->text + name->begin, text, length) == 0;
}

/* Where in the table the name is, or would be. */
static size_t slot_of(const rt_names *names, const char *text, size_t length) {
    size_t slot = (size_t)hash(text, length) & (names->table_size - 1);
    while (names->table[slot] >= 0 && !is_name(names, names->table[slot], text, length))
        slot = (slot + 1) & (names->table_size - 1);
    return slot;
}

static void grow_table(rt_names *names) {
    free(names->table);
    names->table_size = names->table_size ? 4 * names->table_size : 64;
    names->table = rt_allocate(names->table_size * sizeof *names->table);
    for (size_t i = 0; i < names->table_size; i++) names->table[i] = -1;
    for (int64_t i = 0; i < names->count; i++)
        names->table[slot_of(names, rt_names_text(names, i), names->names[i].length)] = i;
}

static void append(rt_names *names, const char *text, size_t length) {
    if (names->count == names->capacity) {
        names->capacity = names->capacity ? 2 * names->capacity : 16;
        names->names = rt_resize(names->names, (size_t)names->capacity * sizeof *names->names);
    }
    if (names->text_capacity - names->text_length <= length) {
        names->text_capacity = 2 * names->text_capacity + length + 1;
        names->text = rt_resize(names->text, names->text_capacity);
    }
    names->names[names->count++] = (rt_name){names->text_length, length};
    memcpy(names->text + names->text_length, text, length);
    names->text[names->text_length + length] = '\0';
    names->text_length += length + 1;
}

int64_t rt_names_number(rt_names *names, const char *text, size_t length) {
    if (2 * (size_t)names->count >= names->table_size) grow_table(names);
    size_t slot = slot_of(names, text, length);
    if (names->table[slot] < 0) {
        names->table[slot] = names->count;
        append(names, text, length);
    }
    return names->table[slot];
}

int64_t rt_names_find(const rt_names *names, const char *text, size_t length) {
    return names->count ? names->table[slot_of(names, text, length)] : -1;
}

const char *rt_names_text(const rt_names *names, int64_t number) {
    return names->text + names->names[number].begin;
}

typedef struct {
    const char *text;
    int64_t number;
} Entry;

static int by_text(const void *a, const void *b) {
    return strcmp(((const Entry *)a)->text, ((const Entry *)b)->text);
}

int64_t *rt_names_sorted(const rt_names *names) {
    size_t count = (size_t)names->count;
    Entry *entries = rt_allocate(count * sizeof *entries);
    int64_t *place = rt_allocate(count * sizeof *place);
    for (size_t i = 0; i < count; i++) entries[i] = (Entry){rt_names_text(names, (int64_t)i), (int64_t)i};
    if (count) qsort(entries, count, sizeof *entries, by_text);
    for (size_t i = 0; i < count; i++) place[entries[i].number] = (int64_t)i;
    free(entries);
    return place;
}

void rt_names_free(rt_names *names) {
    free(names->text);
    free(names->names);
    free(names->table);
    *names = (rt_names){0};
}
