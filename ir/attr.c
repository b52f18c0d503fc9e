/* The columns of attrs.def: names and kinds; attributes by value, their equality, and what is in them. */
#include "ir/build.h"
#include "ir/graph.h"
#include <assert.h>

typedef struct {
    const char *name;
    AttrKind kind;
} AttrRow;

static const AttrRow rows[ATTR_COUNT] = {
#define ATTR(name, kind) {#name, ATTR_KIND_##kind},
#include "ir/attrs.def"
#undef ATTR
};

const char *attr_name(AttrKey key) { return rows[key].name; }

AttrKind attr_kind(AttrKey key) { return rows[key].kind; }

bool attr_from_name(const char *name, size_t length, AttrKey *key) {
    for (int i = 0; i < ATTR_COUNT; i++) {
        if (strlen(rows[i].name) != length || memcmp(rows[i].name, name, length) != 0) continue;
        *key = (AttrKey)i;
        return true;
    }
    return false;
}

bool attr_same(const Attr *a, const Attr *b) {
    if (a->key != b->key || a->count != b->count) return false;
    switch (attr_kind(a->key)) {
    case ATTR_KIND_INT: return a->integer == b->integer;
    case ATTR_KIND_NUMBER: return memcmp(&a->number, &b->number, sizeof a->number) == 0; /* 0 is not -0 */
    case ATTR_KIND_STR: return a->str == b->str;
    case ATTR_KIND_DIM: return a->dim == b->dim;
    case ATTR_KIND_DTYPE: return a->dtype == b->dtype;
    case ATTR_KIND_INTS: return !a->count || memcmp(a->ints, b->ints, sizeof *a->ints * a->count) == 0;
    case ATTR_KIND_STRS: return !a->count || memcmp(a->strs, b->strs, sizeof *a->strs * a->count) == 0;
    case ATTR_KIND_DIMS: return !a->count || memcmp(a->dims, b->dims, sizeof *a->dims * a->count) == 0;
    case ATTR_KIND_TYPES: return !a->count || memcmp(a->types, b->types, sizeof *a->types * a->count) == 0;
    }
    return false;
}

uint32_t attr_find(const Attr *ints, int64_t number) {
    uint32_t i = 0;
    while (i < ints->count && ints->ints[i] != number) i++;
    return i;
}

bool attr_has(const Attr *ints, int64_t number) { return attr_find(ints, number) < ints->count; }

uint32_t attr_bits(const Attr *axes) {
    uint32_t bits = 0;
    for (uint32_t i = 0; i < axes->count; i++) bits |= 1u << axes->ints[i];
    return bits;
}

Attr attr_int(AttrKey key, int64_t value) {
    assert(attr_kind(key) == ATTR_KIND_INT);
    return (Attr){.key = key, .integer = value};
}

Attr attr_number(AttrKey key, double value) {
    assert(attr_kind(key) == ATTR_KIND_NUMBER);
    return (Attr){.key = key, .number = value};
}

Attr attr_str(AttrKey key, const char *interned) {
    assert(attr_kind(key) == ATTR_KIND_STR);
    return (Attr){.key = key, .str = interned};
}

Attr attr_ints(AttrKey key, uint32_t count, const int64_t *values) {
    assert(attr_kind(key) == ATTR_KIND_INTS);
    return (Attr){.key = key, .count = count, .ints = values};
}

Attr attr_strs(AttrKey key, uint32_t count, const char *const *interned) {
    assert(attr_kind(key) == ATTR_KIND_STRS);
    return (Attr){.key = key, .count = count, .strs = interned};
}

Attr attr_dim(AttrKey key, const Dim *dim) {
    assert(attr_kind(key) == ATTR_KIND_DIM && dim);
    return (Attr){.key = key, .dim = dim};
}

Attr attr_dims(AttrKey key, uint32_t count, const Dim *const *dims) {
    assert(attr_kind(key) == ATTR_KIND_DIMS);
    return (Attr){.key = key, .count = count, .dims = dims};
}

Attr attr_types(AttrKey key, uint32_t count, const Type *const *types) {
    assert(attr_kind(key) == ATTR_KIND_TYPES);
    return (Attr){.key = key, .count = count, .types = types};
}

Attr attr_dtype(AttrKey key, DType dtype) {
    assert(attr_kind(key) == ATTR_KIND_DTYPE);
    return (Attr){.key = key, .dtype = dtype};
}
