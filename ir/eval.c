/* The ground under the reference interpreter: tensors, their elements and what these may be off by,
 * dimensions at run time. */
#include "ir/eval.h"
#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A tensor of more elements is refused: the interpreter is for small cases, and a hostile shape mustn't take
 * the machine's memory. */
enum { MAX_ELEMENTS = 1 << 28 };

bool eval_fail(Eval *e, const Node *node, const char *format, ...) {
    if (e->message) return false;
    va_list args;
    va_start(args, format);
    e->message = arena_vprintf(e->lasting, format, args);
    va_end(args);
    if (node) e->loc = node->loc;
    return false;
}

/* --- dimensions */
static bool symbol_value(void *user, const Dim *symbol, int64_t *out) {
    const Eval *e = user;
    const int64_t *bound = map_get(e->symbols, symbol);
    if (bound) *out = *bound;
    return bound != NULL;
}

bool eval_dim(Eval *e, const Node *node, const Dim *dim, int64_t *value) {
    if (dim_is_const(dim, value) || dim_eval(dim, symbol_value, e, value)) return true;
    return eval_fail(e, node, "a dimension has no value at run time or leaves 64 bits");
}

void eval_bind(Eval *e, const Dim *symbol, int64_t value) {
    int64_t *bound = map_get(e->symbols, symbol);
    if (!bound) {
        bound = ARENA_NEW(e->lasting, int64_t);
        map_put(e->symbols, symbol, bound);
    }
    *bound = value;
}

/* --- tensors */
/* False where the product leaves what is allowed. */
static bool count_elements(uint32_t rank, const int64_t *dims, int64_t *count) {
    int64_t n = 1;
    for (uint32_t d = 0; d < rank; d++)
        if (dims[d] == 0) n = 0;
    for (uint32_t d = 0; d < rank; d++) {
        if (dims[d] < 0 || __builtin_mul_overflow(n, dims[d], &n) || n > MAX_ELEMENTS) return false;
    }
    *count = n;
    return true;
}

Tensor tensor_new(Arena *arena, DType dtype, uint32_t rank, const int64_t *dims) {
    Tensor t = {.dtype = dtype, .rank = rank, .count = 1};
    for (uint32_t d = 0; d < rank; d++) t.dims[d] = dims[d];
    bool fits = count_elements(rank, dims, &t.count);
    assert(fits);
    (void)fits;
    size_t room = (size_t)t.count + 1; /* never empty, so that pointers say the class */
    if (dtype_is_float(dtype))
        t.f = ARENA_ARRAY(arena, double, room);
    else if (dtype_class(dtype) == CLASS_OPAQUE)
        t.p = ARENA_ARRAY(arena, const void *, room);
    else
        t.i = ARENA_ARRAY(arena, int64_t, room);
    return t;
}

/* Arenas abort when memory is gone, so ask first. */
static bool memory_for(int64_t elements) {
    if (elements < 1 << 20) return true;
    void *probe = malloc((size_t)elements * 2 * sizeof(double));
    free(probe);
    return probe != NULL;
}

bool eval_tensor(Eval *e, const Node *node, const Type *type, bool inexact, Tensor *out) {
    int64_t dims[MAX_RANK] = {0}, count = 0;
    for (uint32_t d = 0; d < type->rank; d++) {
        if (!eval_dim(e, node, type->dims[d], &dims[d])) return false;
        if (dims[d] < 0)
            return eval_fail(e, node, "a tensor would have the negative size %lld", (long long)dims[d]);
    }
    if (!count_elements(type->rank, dims, &count) || !memory_for(count))
        return eval_fail(e, node, "a tensor has more elements than the interpreter holds");
    *out = tensor_new(e->arena, type->dtype, type->rank, dims);
    if (e->errors && (out->f || inexact)) out->error = ARENA_ARRAY(e->arena, double, count + 1);
    return true;
}

Tensor tensor_copy(Arena *arena, const Tensor *t) {
    Tensor copy = tensor_new(arena, t->dtype, t->rank, t->dims);
    size_t n = (size_t)t->count;
    if (t->f) memcpy(copy.f, t->f, n * sizeof *t->f);
    if (t->i) memcpy(copy.i, t->i, n * sizeof *t->i);
    for (size_t k = 0; t->p && k < n; k++)
        copy.p[k] = t->dtype == DTYPE_str && t->p[k] ? arena_strdup(arena, t->p[k]) : t->p[k];
    if (t->error) copy.error = arena_copy(arena, t->error, n * sizeof *t->error);
    return copy;
}

void tensor_copy_element(const Tensor *from, int64_t source, Tensor *to, int64_t target) {
    if (from->f) to->f[target] = from->f[source];
    if (from->i) to->i[target] = from->i[source];
    if (from->p) to->p[target] = from->p[source];
    if (to->error) to->error[target] = tensor_error(from, source);
}

double tensor_error(const Tensor *t, int64_t at) { return t->error ? t->error[at] : 0; }

bool tensor_inexact(const Tensor *t) {
    for (int64_t k = 0; t->error && k < t->count; k++)
        if (t->error[k] != 0) return true;
    return false;
}

void tensor_distrust(Eval *e, Tensor *t) {
    if (t->p) return;
    t->error = ARENA_ARRAY(e->arena, double, t->count + 1);
    for (int64_t k = 0; k < t->count; k++) t->error[k] = INFINITY;
}

void tensor_strides(const Tensor *t, int64_t *strides) {
    int64_t stride = 1;
    for (uint32_t d = t->rank; d-- > 0;) {
        strides[d] = stride;
        stride *= t->dims[d];
    }
}

bool index_next(uint32_t rank, const int64_t *dims, int64_t *index) {
    for (uint32_t d = rank; d-- > 0;) {
        if (++index[d] < dims[d]) return true;
        index[d] = 0;
    }
    return false;
}

void tensor_copy_strided(const Tensor *in, int64_t offset, const int64_t *strides, Tensor *out) {
    int64_t index[MAX_RANK] = {0};
    for (int64_t k = 0; k < out->count; k++) {
        int64_t at = offset;
        for (uint32_t d = 0; d < out->rank; d++) at += index[d] * strides[d];
        tensor_copy_element(in, at, out, k);
        index_next(out->rank, out->dims, index);
    }
}

void tensor_write_strided(const Tensor *in, Tensor *out, int64_t offset, const int64_t *strides) {
    int64_t index[MAX_RANK] = {0};
    for (int64_t k = 0; k < in->count; k++) {
        int64_t at = offset;
        for (uint32_t d = 0; d < in->rank; d++) at += index[d] * strides[d];
        tensor_copy_element(in, k, out, at);
        index_next(in->rank, in->dims, index);
    }
}

int64_t tensor_line(int64_t number, int64_t stride, int64_t length) {
    return number / stride * stride * length + number % stride;
}

/* --- dtypes */
int64_t wrap(DType dtype, uint64_t value) { return dtype_wrap(dtype, value); }

/* Bits of the significand with the hidden one, and the exponent of the smallest denormal. */
typedef struct {
    int precision, smallest;
    double largest;
} FloatFormat;

static FloatFormat float_format(DType dtype) {
    if (dtype == DTYPE_f32) return (FloatFormat){24, -149, FLT_MAX};
    if (dtype == DTYPE_f16) return (FloatFormat){11, -24, 65504};
    if (dtype == DTYPE_bf16) return (FloatFormat){8, -133, 0x1.fep127};
    return (FloatFormat){53, -1074, DBL_MAX};
}

double round_to(DType dtype, double value) {
    if (dtype == DTYPE_f64 || !isfinite(value) || value == 0) return value;
    FloatFormat format = float_format(dtype);
    int exponent;
    frexp(value, &exponent); /* |value| in [2^(exponent-1), 2^exponent) */
    int quantum = exponent - format.precision;
    if (quantum < format.smallest) quantum = format.smallest;
    double rounded = ldexp(nearbyint(ldexp(value, -quantum)), quantum);
    return fabs(rounded) > format.largest ? copysign(INFINITY, value) : rounded;
}

double unit_roundoff(DType dtype) { return ldexp(1, -float_format(dtype).precision); }

static DType accumulator(DType dtype) { return dtype == DTYPE_f64 ? DTYPE_f64 : DTYPE_f32; }

double accumulator_roundoff(DType dtype) { return unit_roundoff(accumulator(dtype)); }

double accumulator_limit(DType dtype) { return float_format(accumulator(dtype)).largest; }

double accumulator_denormal(DType dtype) { return ldexp(1, float_format(accumulator(dtype)).smallest); }

double largest_finite(DType dtype) { return float_format(dtype).largest; }

double zero_error(DType dtype) { return ldexp(1, float_format(dtype).smallest); }

double error_after(DType dtype, double y, double spread, double units) {
    if (!isfinite(y)) return spread == 0 ? 0 : INFINITY;
    if (isnan(spread)) return INFINITY;
    if (fabs(y) + spread > largest_finite(dtype)) return INFINITY;
    /* Exact operands, correctly rounded: the one rounding is known. */
    if (spread == 0 && units <= 1) return fabs(round_to(dtype, y) - y);
    if (dtype == DTYPE_f64) units += 1; /* what is computed here is rounded as well */
    return spread + units * (unit_roundoff(dtype) * (fabs(y) + spread) + zero_error(dtype));
}
