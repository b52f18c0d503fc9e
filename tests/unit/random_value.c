/* Values of wanted types, found or made. */
#include "tests/unit/random_program.h"

typedef struct {
    const Random *r;
    bool least;
} SymbolValue;

static bool symbol_value(void *user, const Dim *symbol, int64_t *out) {
    const SymbolValue *want = user;
    const Random *r = want->r;
    for (uint32_t i = 0; i < r->symbols.count; i++)
        if (r->symbols.at[i].dim == symbol) {
            *out = want->least ? r->symbols.at[i].least : r->symbols.at[i].most;
            return true;
        }
    return false;
}

/* Sums of symbols grow with each, and there are few others. */
bool dim_limit(const Random *r, const Dim *dim, int64_t *most) {
    SymbolValue value = {r, false};
    return dim_eval(dim, symbol_value, &value, most);
}

int64_t dim_least(const Random *r, const Dim *dim) {
    SymbolValue value = {r, true};
    int64_t least;
    return dim_eval(dim, symbol_value, &value, &least) ? least : 0;
}

int64_t type_limit(const Random *r, const Type *type) {
    int64_t count = 1, most;
    for (uint32_t i = 0; i < type->rank; i++)
        if (!dim_limit(r, type->dims[i], &most) || __builtin_mul_overflow(count, most > 0 ? most : 1, &count))
            return INT64_MAX;
    return count;
}

/* --- types */
DType random_number(Random *r) {
    if (chance(r, 60)) return r->floats;
    if (chance(r, 70)) return r->integers;
    return (DType)below(r, DTYPE_bool);
}

DType random_dtype(Random *r) { return chance(r, 12) ? DTYPE_bool : random_number(r); }

const Dim *random_size(Random *r) {
    if (r->symbols.count > 2 && chance(r, 25)) return r->symbols.at[below(r, r->symbols.count)].dim;
    return r->sizes[below(r, 5)];
}

const Type *random_type(Random *r, DType dtype, uint32_t most_rank) {
    const Dim *dims[MAX_RANK];
    uint32_t rank = below(r, most_rank + 1);
    const Type *type = type_scalar(r->ir, dtype);
    for (uint32_t i = 0; i < rank; i++) {
        dims[i] = random_size(r);
        const Type *next = type_tensor(r->ir, dtype, i + 1, dims);
        if (type_limit(r, next) > r->most_elements) break;
        type = next;
    }
    return type;
}

/* --- values */
static Value *find_type(Random *r, const Type *type) {
    for (int tries = 0; tries < 30; tries++) {
        Value *value = r->pool.at[below(r, r->pool.count)];
        if (value->type == type) return value;
    }
    return NULL;
}

static bool is_lasting(const Random *r, const Type *type) {
    for (uint32_t s = r->lasting; s < r->symbols.count; s++)
        for (uint32_t i = 0; i < type->rank; i++)
            if (dim_mentions(type->dims[i], r->symbols.at[s].dim)) return false;
    return true;
}

/* Bits from the generator, as numbers of all signs. */
static Value *random_value(Random *r, Builder *b, const Type *type) {
    Value *operands[] = {r->counts.at[below(r, r->counts.count)], build_int(b, below(r, 100))};
    Attr dims = attr_dims(ATTR_dims, type->rank, type->dims);
    Value *bits = build_node(b, OP_random_bits, 2, operands, 1, &dims)->results[0];
    const Type *integers = bits->type;
    bits = build_binary(b, OP_mod, bits, build_const(b, integers, 19));
    Value *centred = build_binary(b, OP_sub, bits, build_const(b, integers, 9));
    return build_cast(b, type->dtype == DTYPE_bool ? bits : centred, type->dtype);
}

static Value *made_value(Random *r, Builder *b, const Type *type) {
    if (type->rank == 0 || type->dtype == DTYPE_bool || chance(r, 50)) return random_value(r, b, type);
    return build_iota(b, type, below(r, type->rank));
}

Value *fresh_value(Random *r, Builder *b, const Type *type) {
    if (!is_lasting(r, type) || r->load->result_count > 24 || chance(r, 15)) return made_value(r, b, type);
    return node_add_result(r->load, type);
}

/* A value with leading axes missing, repeated along them. */
static Value *repeated_value(Random *r, Builder *b, const Type *type) {
    const Dim *dims[MAX_RANK];
    int64_t axes[MAX_RANK];
    uint32_t rank = 0;
    for (uint32_t i = 0; i < type->rank; i++) {
        if (chance(r, 50)) continue;
        axes[rank] = i;
        dims[rank++] = type->dims[i];
    }
    const Type *small = type_tensor(r->ir, type->dtype, rank, dims);
    Value *value = find_type(r, small);
    if (!value) value = fresh_value(r, b, small);
    return rank == type->rank ? value : build_broadcast(b, value, type->rank, type->dims, axes);
}

Value *value_of(Random *r, Builder *b, const Type *type) {
    static const double constants[] = {0, 1, -1, 2, -0.0, 0.5, 3, -7};
    Value *value = chance(r, 85) ? find_type(r, type) : NULL;
    if (value) return value;
    if (chance(r, 15))
        return build_const(b, type, type->dtype == DTYPE_bool ? below(r, 2) : constants[below(r, 8)]);
    return chance(r, 50) ? repeated_value(r, b, type) : fresh_value(r, b, type);
}

Value *some_value(Random *r, Builder *b, DType dtype) {
    for (int tries = 0; tries < 30; tries++) {
        Value *value = r->pool.at[below(r, r->pool.count)];
        if (value->type->dtype == dtype) return value;
    }
    return fresh_value(r, b, random_type(r, dtype, 4));
}

Value *any_value(Random *r, uint32_t most_rank) {
    /* Mostly a recent one, so that programs are deep. */
    for (int tries = 0; tries < 50; tries++) {
        uint32_t span = chance(r, 60) && r->pool.count > 8 ? 8 : r->pool.count;
        Value *value = r->pool.at[r->pool.count - 1 - below(r, span)];
        if (value->type->rank <= most_rank) return value;
    }
    return r->counts.at[0];
}

/* --- indices */
Value *index_below(Random *r, Builder *b, const Dim *size) {
    Value *count = r->counts.at[below(r, r->counts.count)];
    if (chance(r, 30)) count = some_value(r, b, DTYPE_i64);
    if (count->type->rank) count = r->counts.at[below(r, r->counts.count)];
    return build_binary(b, OP_mod, count, build_size(b, size));
}

Value *indices_below(Random *r, Builder *b, const Type *type, const Dim *size) {
    Value *ids = value_of(r, b, type);
    Value *limit = build_cast(b, build_size(b, size), type->dtype);
    return build_binary(b, OP_mod, ids, build_like(b, limit, type));
}
