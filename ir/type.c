/* Element types and tensor types: the table of dtypes.def, interning, and text. */
#include "ir/type.h"
#include "ir/tables.h"
#include <assert.h>
#include <ctype.h>
#include <string.h>

/* --- element types */
typedef struct {
    const char *name;
    uint32_t bytes;
    DTypeClass class;
} DTypeRow;

static const DTypeRow rows[DTYPE_COUNT] = {
#define DTYPE(name, bytes, class) {#name, bytes, CLASS_##class},
#include "ir/dtypes.def"
#undef DTYPE
};

const char *dtype_name(DType dtype) { return rows[dtype].name; }

uint32_t dtype_bytes(DType dtype) { return rows[dtype].bytes; }

DTypeClass dtype_class(DType dtype) { return rows[dtype].class; }

bool dtype_is_float(DType dtype) { return rows[dtype].class == CLASS_FLOAT; }

bool dtype_is_half(DType dtype) { return dtype == DTYPE_f16 || dtype == DTYPE_bf16; }

bool dtype_is_integer(DType dtype) {
    return rows[dtype].class == CLASS_INT || rows[dtype].class == CLASS_UINT;
}

int64_t dtype_wrap(DType dtype, uint64_t value) {
    if (dtype == DTYPE_bool) return value != 0;
    uint32_t bits = dtype_bytes(dtype) * 8;
    if (bits == 64) return (int64_t)value;
    uint64_t low = value & ((UINT64_C(1) << bits) - 1);
    bool negative = dtype_class(dtype) == CLASS_INT && low >> (bits - 1) != 0;
    return (int64_t)low - (negative ? INT64_C(1) << bits : 0);
}

bool dtype_from_name(const char *name, size_t length, DType *dtype) {
    for (int i = 0; i < DTYPE_COUNT; i++) {
        if (strlen(rows[i].name) != length || memcmp(rows[i].name, name, length) != 0) continue;
        *dtype = (DType)i;
        return true;
    }
    return false;
}

/* --- tensor types */
static bool same_type(const void *wanted, const void *item) {
    const Type *a = wanted, *b = item;
    return a->dtype == b->dtype && type_same_shape(a, b);
}

const Type *type_tensor(IrContext *ir, DType dtype, uint32_t rank, const Dim *const *dims) {
    assert(rank <= MAX_RANK);
    Type type = {.dtype = dtype, .rank = rank};
    uint64_t hash = hash_mix(hash_mix(1, (uint64_t)dtype), rank);
    for (uint32_t i = 0; i < rank; i++) {
        assert(dims[i]);
        type.dims[i] = dims[i];
        hash = hash_pointer(hash, dims[i]);
    }
    const Type *found = table_find(&ir->types, hash, &type, same_type);
    if (found) return found;
    found = arena_copy(ir->arena, &type, sizeof type);
    table_add(&ir->types, ir->arena, hash, found);
    return found;
}

const Type *type_scalar(IrContext *ir, DType dtype) { return type_tensor(ir, dtype, 0, NULL); }

const Type *type_with_dtype(IrContext *ir, const Type *type, DType dtype) {
    return type_tensor(ir, dtype, type->rank, type->dims);
}

bool type_same_shape(const Type *a, const Type *b) {
    if (a->rank != b->rank) return false;
    for (uint32_t i = 0; i < a->rank; i++)
        if (a->dims[i] != b->dims[i]) return false;
    return true;
}

const Dim *type_elements(IrContext *ir, const Type *type) {
    const Dim *product = dim_const(ir, 1);
    for (uint32_t i = 0; i < type->rank && product; i++) product = dim_mul(ir, product, type->dims[i]);
    return product;
}

bool type_count(const Type *type, int64_t *count) {
    int64_t size;
    *count = 1;
    for (uint32_t i = 0; i < type->rank; i++)
        if (!dim_is_const(type->dims[i], &size) || __builtin_mul_overflow(*count, size, count)) return false;
    return true;
}

const Type *type_substitute(IrContext *ir, const Type *type, const Dim *(*map)(void *user, const Dim *symbol),
                            void *user) {
    const Dim *dims[MAX_RANK];
    for (uint32_t i = 0; i < type->rank; i++) {
        dims[i] = dim_substitute(ir, type->dims[i], map, user);
        if (!dims[i]) return NULL;
    }
    return type_tensor(ir, type->dtype, type->rank, dims);
}

/* --- text */
void type_print(FILE *out, const Type *type) {
    fputs(dtype_name(type->dtype), out);
    if (!type->rank) return;
    for (uint32_t i = 0; i < type->rank; i++) {
        fputs(i ? ", " : "[", out);
        dim_print(out, type->dims[i]);
    }
    fputc(']', out);
}

const char *type_text(IrContext *ir, const Type *type) {
    const char *text = dtype_name(type->dtype);
    for (uint32_t i = 0; i < type->rank; i++)
        text = arena_printf(ir->arena, "%s%s%s", text, i ? ", " : "[", dim_text(ir, type->dims[i]));
    return type->rank ? arena_printf(ir->arena, "%s]", text) : text;
}

static void skip_space(const char **cursor) {
    while (isspace((unsigned char)**cursor)) ++*cursor;
}

/* The dimensions after `[`, up to and with the `]`. */
static const Type *parse_shape(IrContext *ir, DType dtype, const char **cursor) {
    const Dim *dims[MAX_RANK];
    uint32_t rank = 0;
    for (char separator = ','; separator == ','; ++*cursor) {
        if (rank == MAX_RANK || !(dims[rank++] = dim_parse(ir, cursor))) return NULL;
        skip_space(cursor);
        separator = **cursor;
        if (separator != ',' && separator != ']') return NULL;
    }
    return type_tensor(ir, dtype, rank, dims);
}

const Type *type_parse(IrContext *ir, const char **cursor) {
    skip_space(cursor);
    size_t length = 0;
    while (isalnum((unsigned char)(*cursor)[length])) length++;
    DType dtype;
    if (!dtype_from_name(*cursor, length, &dtype)) return NULL;
    *cursor += length;
    if (**cursor != '[') return type_scalar(ir, dtype);
    ++*cursor;
    return parse_shape(ir, dtype, cursor);
}
