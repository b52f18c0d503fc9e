/* The shape column of ops.def. Each rule checks what it relies on, since the query may come from a hostile
 * text. */
#include "ir/shape.h"
#include <assert.h>
#include <ctype.h>

#define FAIL(q, ...) return arena_printf(ir_arena((q)->ir), __VA_ARGS__)
/* Passes on what a helper complains of. */
#define TRY(call)                  \
    do {                           \
        const char *why_ = (call); \
        if (why_) return why_;     \
    } while (0)

/* --- parts of a query */
static const Type *in(const ShapeQuery *q, uint32_t i) { return q->operand[i]->type; }

static DTypeClass class_of(const Type *type) { return dtype_class(type->dtype); }

static const Attr *attr_of(const ShapeQuery *q, AttrKey key) {
    for (uint32_t i = 0; i < q->attrs; i++)
        if (q->attr[i].key == key) return &q->attr[i];
    return NULL;
}

static const char *need(ShapeQuery *q, AttrKey key, const Attr **attr) {
    *attr = attr_of(q, key);
    if (!*attr) FAIL(q, "attribute `%s` is missing", attr_name(key));
    return NULL;
}

/* An array attribute with an entry per axis. */
static const char *need_count(ShapeQuery *q, AttrKey key, uint32_t count, const Attr **attr) {
    TRY(need(q, key, attr));
    if ((*attr)->count != count)
        FAIL(q, "attribute `%s` has %u entries where %u are needed", attr_name(key), (*attr)->count, count);
    return NULL;
}

static const char *need_axis(ShapeQuery *q, uint32_t rank, uint32_t *axis) {
    const Attr *attr;
    TRY(need(q, ATTR_axis, &attr));
    if (attr->integer < 0 || attr->integer >= (int64_t)rank)
        FAIL(q, "no axis %lld", (long long)attr->integer);
    *axis = (uint32_t)attr->integer;
    return NULL;
}

/* Strictly ascending axes of a tensor of this rank. */
static const char *need_axes(ShapeQuery *q, uint32_t rank, const Attr **attr) {
    TRY(need(q, ATTR_axes, attr));
    for (uint32_t i = 0; i < (*attr)->count; i++) {
        int64_t axis = (*attr)->ints[i];
        if (axis < 0 || axis >= (int64_t)rank) FAIL(q, "no axis %lld", (long long)axis);
        if (i && axis <= (*attr)->ints[i - 1]) FAIL(q, "axes are not ascending");
    }
    return NULL;
}

static const char *need_scalar(ShapeQuery *q, uint32_t i, DType dtype) {
    if (in(q, i) != type_scalar(q->ir, dtype))
        FAIL(q, "operand %u is %s, not %s", i, type_text(q->ir, in(q, i)), dtype_name(dtype));
    return NULL;
}

static const char *need_equal(ShapeQuery *q, uint32_t i, uint32_t j) {
    if (in(q, i) != in(q, j))
        FAIL(q, "operands are %s and %s", type_text(q->ir, in(q, i)), type_text(q->ir, in(q, j)));
    return NULL;
}

static const char *need_class(ShapeQuery *q, uint32_t i, bool ok, const char *wanted) {
    if (!ok) FAIL(q, "operand %u is %s, not %s", i, type_text(q->ir, in(q, i)), wanted);
    return NULL;
}

static const char *need_float(ShapeQuery *q, uint32_t i) {
    return need_class(q, i, class_of(in(q, i)) == CLASS_FLOAT, "a float");
}

static const char *need_bool(ShapeQuery *q, uint32_t i) {
    return need_class(q, i, class_of(in(q, i)) == CLASS_BOOL, "a bool");
}

static bool is_number(DType dtype) { return dtype_is_float(dtype) || dtype_is_integer(dtype); }

static const char *need_number(ShapeQuery *q, uint32_t i) {
    return need_class(q, i, is_number(in(q, i)->dtype), "a number");
}

static const char *need_integers(ShapeQuery *q, uint32_t i) {
    return need_class(q, i, dtype_is_integer(in(q, i)->dtype), "an integer");
}

/* --- answers */
static const char *no_result(ShapeQuery *q) {
    q->results = 0;
    return NULL;
}

static const char *one_type(ShapeQuery *q, const Type *type) {
    q->results = 1;
    q->result = ARENA_NEW(ir_arena(q->ir), const Type *);
    q->result[0] = type;
    return NULL;
}

static const char *one_scalar(ShapeQuery *q, DType dtype) { return one_type(q, type_scalar(q->ir, dtype)); }

static const char *one_tensor(ShapeQuery *q, DType dtype, uint32_t rank, const Dim *const *dims) {
    if (rank > MAX_RANK) FAIL(q, "the result would have rank %u; at most %d is supported", rank, MAX_RANK);
    for (uint32_t i = 0; i < rank; i++) {
        int64_t value;
        if (!dims[i]) FAIL(q, "the size of axis %u overflows", i);
        if (dim_is_const(dims[i], &value) && value < 0) FAIL(q, "axis %u has size %lld", i, (long long)value);
    }
    return one_type(q, type_tensor(q->ir, dtype, rank, dims));
}

static const char *types_of_attr(ShapeQuery *q) {
    const Attr *types;
    TRY(need(q, ATTR_types, &types));
    q->results = types->count;
    q->result = arena_copy(ir_arena(q->ir), types->types, sizeof *types->types * types->count);
    return NULL;
}

/* --- values from nowhere */
static const char *shape_const(ShapeQuery *q) {
    const Attr *dims, *dtype, *value;
    TRY(need(q, ATTR_dims, &dims));
    TRY(need(q, ATTR_dtype, &dtype));
    switch (dtype_class(dtype->dtype)) {
    case CLASS_FLOAT: TRY(need(q, ATTR_value, &value)); break;
    case CLASS_INT:
    case CLASS_UINT:
    case CLASS_BOOL: TRY(need(q, ATTR_ivalue, &value)); break;
    case CLASS_OPAQUE:
        TRY(need(q, ATTR_text, &value));
        if (dtype->dtype != DTYPE_str || dims->count) FAIL(q, "no constant of this type");
        break;
    }
    return one_tensor(q, dtype->dtype, dims->count, dims->dims);
}

static const char *shape_iota(ShapeQuery *q) {
    const Attr *dims, *dtype;
    uint32_t axis;
    TRY(need(q, ATTR_dims, &dims));
    TRY(need(q, ATTR_dtype, &dtype));
    TRY(need_axis(q, dims->count, &axis));
    if (!is_number(dtype->dtype)) FAIL(q, "no iota of %s", dtype_name(dtype->dtype));
    return one_tensor(q, dtype->dtype, dims->count, dims->dims);
}

static const char *shape_size(ShapeQuery *q) {
    const Attr *dim;
    TRY(need(q, ATTR_dim, &dim));
    return one_scalar(q, DTYPE_i64);
}

static const char *shape_symbol(ShapeQuery *q) {
    const Attr *dim;
    TRY(need(q, ATTR_dim, &dim));
    if (!dim_symbol_name(dim->dim)) FAIL(q, "`%s` is not a symbol", dim_text(q->ir, dim->dim));
    TRY(need_scalar(q, 0, DTYPE_i64));
    return no_result(q);
}

static const char *shape_seed(ShapeQuery *q) { return one_scalar(q, DTYPE_i64); }

static const char *shape_random_bits(ShapeQuery *q) {
    const Attr *dims;
    TRY(need(q, ATTR_dims, &dims));
    TRY(need_scalar(q, 0, DTYPE_i64));
    TRY(need_scalar(q, 1, DTYPE_i64));
    return one_tensor(q, DTYPE_i32, dims->count, dims->dims);
}

/* --- elementwise */
static const char *shape_same(ShapeQuery *q) {
    TRY(need_class(q, 0, in(q, 0)->dtype != DTYPE_data, "a tensor"));
    return one_type(q, in(q, 0));
}

static const char *shape_unary(ShapeQuery *q) {
    TRY(need_number(q, 0));
    return one_type(q, in(q, 0));
}

static const char *shape_unary_float(ShapeQuery *q) {
    TRY(need_float(q, 0));
    return one_type(q, in(q, 0));
}

static const char *shape_unary_bool(ShapeQuery *q) {
    TRY(need_bool(q, 0));
    return one_type(q, in(q, 0));
}

static const char *shape_predicate(ShapeQuery *q) {
    TRY(need_float(q, 0));
    return one_type(q, type_with_dtype(q->ir, in(q, 0), DTYPE_bool));
}

static const char *shape_cast(ShapeQuery *q) {
    const Attr *dtype;
    TRY(need(q, ATTR_dtype, &dtype));
    if (class_of(in(q, 0)) == CLASS_OPAQUE || dtype_class(dtype->dtype) == CLASS_OPAQUE)
        FAIL(q, "no cast from %s to %s", dtype_name(in(q, 0)->dtype), dtype_name(dtype->dtype));
    return one_type(q, type_with_dtype(q->ir, in(q, 0), dtype->dtype));
}

static const char *shape_binary(ShapeQuery *q) {
    TRY(need_equal(q, 0, 1));
    return shape_unary(q);
}

static const char *shape_binary_float(ShapeQuery *q) {
    TRY(need_equal(q, 0, 1));
    return shape_unary_float(q);
}

static const char *shape_binary_bool(ShapeQuery *q) {
    TRY(need_equal(q, 0, 1));
    return shape_unary_bool(q);
}

static const char *shape_compare(ShapeQuery *q) {
    TRY(need_equal(q, 0, 1));
    TRY(need_class(q, 0, class_of(in(q, 0)) != CLASS_OPAQUE, "comparable"));
    return one_type(q, type_with_dtype(q->ir, in(q, 0), DTYPE_bool));
}

static const char *shape_select(ShapeQuery *q) {
    TRY(need_bool(q, 0));
    TRY(need_equal(q, 1, 2));
    if (!type_same_shape(in(q, 0), in(q, 1)))
        FAIL(q, "condition and choices are %s and %s", type_text(q->ir, in(q, 0)),
             type_text(q->ir, in(q, 1)));
    return one_type(q, in(q, 1));
}

/* --- views */
static const char *shape_masked(ShapeQuery *q) {
    TRY(need_bool(q, 1));
    if (!type_same_shape(in(q, 0), in(q, 1)))
        FAIL(q, "operand and mask are %s and %s", type_text(q->ir, in(q, 0)), type_text(q->ir, in(q, 1)));
    return one_type(q, in(q, 0));
}

static const char *shape_reshape(ShapeQuery *q) {
    const Attr *dims;
    TRY(need(q, ATTR_dims, &dims));
    const Type *x = in(q, 0);
    TRY(one_tensor(q, x->dtype, dims->count, dims->dims));
    const Dim *before = type_elements(q->ir, x), *after = type_elements(q->ir, q->result[0]);
    if (!before || before != after)
        FAIL(q, "%s has not as many elements as %s", type_text(q->ir, x), type_text(q->ir, q->result[0]));
    return NULL;
}

static const char *shape_permute(ShapeQuery *q) {
    const Attr *perm;
    const Type *x = in(q, 0);
    TRY(need_count(q, ATTR_perm, x->rank, &perm));
    const Dim *dims[MAX_RANK];
    bool seen[MAX_RANK] = {false};
    for (uint32_t i = 0; i < x->rank; i++) {
        int64_t axis = perm->ints[i];
        if (axis < 0 || axis >= (int64_t)x->rank || seen[axis])
            FAIL(q, "attribute `perm` is not a permutation");
        seen[axis] = true;
        dims[i] = x->dims[axis];
    }
    return one_tensor(q, x->dtype, x->rank, dims);
}

/* The indices start, start + step, … of `count` elements are inside an axis of `size`, as far as they are
 * known. */
static bool slice_fits(const Dim *start, const Dim *count, int64_t step, const Dim *size) {
    int64_t first, n, length, last;
    bool known = dim_is_const(start, &first);
    if (known && first < 0) return false;
    if (!dim_is_const(count, &n) || n == 0 || !known) return true;
    if (__builtin_mul_overflow(n - 1, step, &last) || __builtin_add_overflow(last, first, &last))
        return false;
    return last >= 0 && (!dim_is_const(size, &length) || (first < length && last < length));
}

static const char *shape_slice(ShapeQuery *q) {
    const Attr *start, *dims, *step;
    const Type *x = in(q, 0);
    TRY(need_count(q, ATTR_start, x->rank, &start));
    TRY(need_count(q, ATTR_dims, x->rank, &dims));
    TRY(need_count(q, ATTR_step, x->rank, &step));
    for (uint32_t i = 0; i < x->rank; i++) {
        if (step->ints[i] == 0) FAIL(q, "the step of axis %u is 0", i);
        if (!slice_fits(start->dims[i], dims->dims[i], step->ints[i], x->dims[i]))
            FAIL(q, "the slice leaves axis %u of %s", i, type_text(q->ir, x));
    }
    return one_tensor(q, x->dtype, x->rank, dims->dims);
}

static const char *shape_broadcast(ShapeQuery *q) {
    const Attr *dims, *axes;
    const Type *x = in(q, 0);
    TRY(need(q, ATTR_dims, &dims));
    TRY(need_axes(q, dims->count, &axes));
    TRY(need_count(q, ATTR_axes, x->rank, &axes));
    for (uint32_t i = 0; i < x->rank; i++)
        if (x->dims[i] != dims->dims[axes->ints[i]])
            FAIL(q, "axis %u of %s has not the size of the result's", i, type_text(q->ir, x));
    return one_tensor(q, x->dtype, dims->count, dims->dims);
}

/* low + size + interior * (size - 1) + high; an axis of run-time size holds at least one element where
 * `interior` isn't 0. */
static const Dim *padded_size(IrContext *ir, const Dim *size, const Dim *low, const Dim *high,
                              int64_t interior) {
    const Dim *sum = dim_add(ir, dim_add(ir, low, size), high);
    if (!interior || dim_is(size, 0)) return sum;
    const Dim *gaps = dim_sub(ir, size, dim_const(ir, 1));
    return dim_add(ir, sum, dim_mul(ir, gaps, dim_const(ir, interior)));
}

static bool is_negative(const Dim *d) {
    int64_t value;
    return dim_is_const(d, &value) && value < 0;
}

static const char *shape_pad(ShapeQuery *q) {
    const Attr *low, *high, *interior;
    const Type *x = in(q, 0);
    TRY(need_scalar(q, 1, x->dtype));
    TRY(need_count(q, ATTR_low, x->rank, &low));
    TRY(need_count(q, ATTR_high, x->rank, &high));
    TRY(need_count(q, ATTR_interior, x->rank, &interior));
    const Dim *dims[MAX_RANK];
    for (uint32_t i = 0; i < x->rank; i++) {
        if (is_negative(low->dims[i]) || is_negative(high->dims[i]) || interior->ints[i] < 0)
            FAIL(q, "the padding of axis %u is negative", i);
        dims[i] = padded_size(q->ir, x->dims[i], low->dims[i], high->dims[i], interior->ints[i]);
    }
    return one_tensor(q, x->dtype, x->rank, dims);
}

static const char *shape_concat(ShapeQuery *q) {
    uint32_t axis;
    if (!q->operands) FAIL(q, "nothing to concatenate");
    const Type *x = in(q, 0);
    TRY(need_axis(q, x->rank, &axis));
    const Dim *dims[MAX_RANK];
    for (uint32_t i = 0; i < x->rank; i++) dims[i] = x->dims[i];
    for (uint32_t j = 1; j < q->operands; j++) {
        const Type *y = in(q, j);
        bool ok = y->dtype == x->dtype && y->rank == x->rank;
        for (uint32_t i = 0; i < x->rank && ok; i++) ok = i == axis || x->dims[i] == y->dims[i];
        if (!ok) FAIL(q, "cannot concatenate %s and %s", type_text(q->ir, x), type_text(q->ir, y));
        dims[axis] = dim_add(q->ir, dims[axis], y->dims[axis]);
    }
    return one_tensor(q, x->dtype, x->rank, dims);
}

/* The starts of dynamic operations: operands from `first`, an i64 scalar per entry of `axes`. */
static const char *need_starts(ShapeQuery *q, uint32_t first, uint32_t rank, const Attr **axes) {
    TRY(need_axes(q, rank, axes));
    if (q->operands != first + (*axes)->count) FAIL(q, "there must be a start per entry of `axes`");
    for (uint32_t i = first; i < q->operands; i++) TRY(need_scalar(q, i, DTYPE_i64));
    return NULL;
}

/* A part of x: equal but for the sizes of `axes`, which must not be known to be larger. */
static const char *need_part(ShapeQuery *q, const Type *x, uint32_t rank, const Dim *const *dims,
                             const Attr *axes) {
    if (rank != x->rank) FAIL(q, "a part of rank %u of %s", rank, type_text(q->ir, x));
    for (uint32_t i = 0; i < rank; i++) {
        int64_t part, whole;
        bool known = dim_is_const(dims[i], &part) && dim_is_const(x->dims[i], &whole);
        if (attr_has(axes, i) ? known && part > whole : dims[i] != x->dims[i])
            FAIL(q, "axis %u of the part does not fit %s", i, type_text(q->ir, x));
    }
    return NULL;
}

static const char *shape_dynamic_slice(ShapeQuery *q) {
    const Attr *axes, *dims;
    if (!q->operands) FAIL(q, "nothing to slice");
    const Type *x = in(q, 0);
    TRY(need_starts(q, 1, x->rank, &axes));
    TRY(need_count(q, ATTR_dims, x->rank, &dims));
    TRY(need_part(q, x, dims->count, dims->dims, axes));
    return one_tensor(q, x->dtype, x->rank, dims->dims);
}

static const char *shape_update_slice(ShapeQuery *q) {
    const Attr *axes;
    if (q->operands < 2) FAIL(q, "nothing to update");
    const Type *x = in(q, 0), *part = in(q, 1);
    if (x->dtype != part->dtype) FAIL(q, "a part of %s in %s", dtype_name(part->dtype), dtype_name(x->dtype));
    TRY(need_starts(q, 2, x->rank, &axes));
    TRY(need_part(q, x, part->rank, part->dims, axes));
    return one_type(q, x);
}

/* --- windows */
typedef struct {
    uint32_t axis;
    const Dim *size, *stride, *dilation;
} Windows;

/* A dimension that isn't known to be less than 1. */
static const char *need_step(ShapeQuery *q, AttrKey key, const Dim **step) {
    const Attr *attr;
    int64_t value;
    TRY(need(q, key, &attr));
    if (dim_is_const(attr->dim, &value) && value < 1)
        FAIL(q, "attribute `%s` is %lld", attr_name(key), (long long)value);
    *step = attr->dim;
    return NULL;
}

static const char *need_windows(ShapeQuery *q, uint32_t axes, Windows *w) {
    const Attr *size;
    TRY(need_axis(q, axes, &w->axis));
    TRY(need(q, ATTR_size, &size));
    TRY(need_step(q, ATTR_stride, &w->stride));
    w->size = size->dim;
    return need_step(q, ATTR_dilation, &w->dilation);
}

const Dim *window_count(IrContext *ir, const Dim *axis, const Dim *size, const Dim *stride,
                        const Dim *dilation) {
    const Dim *one = dim_const(ir, 1);
    const Dim *room = dim_sub(ir, dim_sub(ir, axis, one), dim_mul(ir, dim_sub(ir, size, one), dilation));
    return dim_add(ir, dim_floordiv(ir, room, stride), one);
}

static const char *shape_window(ShapeQuery *q) {
    Windows w;
    const Type *x = in(q, 0);
    TRY(need_windows(q, x->rank, &w));
    if (x->rank == MAX_RANK)
        FAIL(q, "the result would have rank %u; at most %d is supported", x->rank + 1, MAX_RANK);
    const Dim *dims[MAX_RANK];
    for (uint32_t i = 0; i < x->rank; i++) dims[i < w.axis ? i : i + 1] = x->dims[i];
    dims[w.axis] = window_count(q->ir, x->dims[w.axis], w.size, w.stride, w.dilation);
    dims[w.axis + 1] = w.size;
    return one_tensor(q, x->dtype, x->rank + 1, dims);
}

static const char *shape_window_add(ShapeQuery *q) {
    Windows w;
    const Type *part = in(q, 0);
    TRY(need_number(q, 0));
    TRY(need_windows(q, part->rank ? part->rank - 1 : 0, &w));
    if (part->dims[w.axis] != window_count(q->ir, w.size, part->dims[w.axis + 1], w.stride, w.dilation))
        FAIL(q, "an axis of size %s has not the windows of %s", dim_text(q->ir, w.size),
             type_text(q->ir, part));
    const Dim *dims[MAX_RANK];
    for (uint32_t i = 0; i + 1 < part->rank; i++) dims[i] = part->dims[i <= w.axis ? i : i + 1];
    dims[w.axis] = w.size;
    return one_tensor(q, part->dtype, part->rank - 1, dims);
}

/* --- gather and scatter */
/* The shape of x with `axis` replaced by the ids' axes; its rank, which may be too large. */
static uint32_t gathered_shape(const Type *x, const Type *ids, uint32_t axis, const Dim *dims[2 * MAX_RANK]) {
    uint32_t rank = 0;
    for (uint32_t i = 0; i < axis; i++) dims[rank++] = x->dims[i];
    for (uint32_t i = 0; i < ids->rank; i++) dims[rank++] = ids->dims[i];
    for (uint32_t i = axis + 1; i < x->rank; i++) dims[rank++] = x->dims[i];
    return rank;
}

static const char *shape_gather(ShapeQuery *q) {
    uint32_t axis;
    const Type *x = in(q, 0);
    TRY(need_axis(q, x->rank, &axis));
    TRY(need_integers(q, 1));
    const Dim *dims[2 * MAX_RANK];
    uint32_t rank = gathered_shape(x, in(q, 1), axis, dims);
    return one_tensor(q, x->dtype, rank, dims);
}

static const char *shape_scatter(ShapeQuery *q) {
    const Type *x = in(q, 0), *part = in(q, 2);
    TRY(shape_gather(q));
    if (q->result[0] != part)
        FAIL(q, "the part is %s, not %s", type_text(q->ir, part), type_text(q->ir, q->result[0]));
    return one_type(q, x);
}

static const char *shape_scatter_add(ShapeQuery *q) {
    TRY(need_number(q, 0));
    return shape_scatter(q);
}

/* --- reductions */
static const char *reduced(ShapeQuery *q, DType dtype) {
    const Attr *axes;
    const Type *x = in(q, 0);
    TRY(need_axes(q, x->rank, &axes));
    const Dim *dims[MAX_RANK];
    uint32_t rank = 0;
    for (uint32_t i = 0; i < x->rank; i++)
        if (!attr_has(axes, i)) dims[rank++] = x->dims[i];
    return one_tensor(q, dtype, rank, dims);
}

static const char *shape_reduce(ShapeQuery *q) {
    TRY(need_number(q, 0));
    return reduced(q, in(q, 0)->dtype);
}

static const char *shape_reduce_bool(ShapeQuery *q) {
    TRY(need_bool(q, 0));
    return reduced(q, DTYPE_bool);
}

static const char *shape_arg_reduce(ShapeQuery *q) {
    const Attr *axes;
    TRY(need_number(q, 0));
    TRY(need_count(q, ATTR_axes, 1, &axes));
    return reduced(q, DTYPE_i64);
}

/* --- running reductions */
static const char *shape_scan(ShapeQuery *q) {
    uint32_t axis;
    TRY(need_axis(q, in(q, 0)->rank, &axis));
    return shape_unary(q);
}

static const char *shape_scan_pair(ShapeQuery *q) {
    TRY(need_equal(q, 0, 1));
    return shape_scan(q);
}

static const char *shape_argsort(ShapeQuery *q) {
    const Attr *descending, *size;
    const Dim *dims[MAX_RANK];
    const Type *x = in(q, 0);
    uint32_t axis;
    int64_t wanted, all;
    TRY(need(q, ATTR_descending, &descending));
    TRY(need(q, ATTR_size, &size));
    TRY(shape_scan(q));
    TRY(need_axis(q, x->rank, &axis));
    if (dim_is_const(size->dim, &wanted) && dim_is_const(x->dims[axis], &all) && wanted > all)
        FAIL(q, "%s of %s elements are wanted", dim_text(q->ir, size->dim), dim_text(q->ir, x->dims[axis]));
    memcpy(dims, x->dims, x->rank * sizeof *dims);
    dims[axis] = size->dim;
    return one_tensor(q, DTYPE_i64, x->rank, dims);
}

/* --- products */
static bool read_labels(const char **text, char labels[MAX_RANK + 1]) {
    uint32_t n = 0;
    for (; isalpha((unsigned char)**text); ++*text) {
        if (n == MAX_RANK || memchr(labels, **text, n)) return false;
        labels[n++] = **text;
    }
    labels[n] = '\0';
    return true;
}

bool contract_spec_parse(const char *text, ContractSpec *spec) {
    if (!read_labels(&text, spec->x) || *text++ != ',') return false;
    if (!read_labels(&text, spec->y) || strncmp(text, "->", 2) != 0) return false;
    text += 2;
    return read_labels(&text, spec->result) && !*text;
}

static const Dim *label_size(const char *labels, const Type *type, char label) {
    const char *at = strchr(labels, label);
    return at ? type->dims[at - labels] : NULL;
}

/* Every label of an operand is in the other one, with the same size, or in the result. */
static const char *check_labels(ShapeQuery *q, const ContractSpec *spec) {
    if (strlen(spec->x) != in(q, 0)->rank || strlen(spec->y) != in(q, 1)->rank)
        FAIL(q, "the labels are not as many as the operands' axes");
    for (const char *label = spec->x; *label; label++) {
        const Dim *other = label_size(spec->y, in(q, 1), *label);
        if (other && other != label_size(spec->x, in(q, 0), *label))
            FAIL(q, "label `%c` has two sizes", *label);
        if (!other && !strchr(spec->result, *label)) FAIL(q, "label `%c` is in one place only", *label);
    }
    for (const char *label = spec->y; *label; label++)
        if (!strchr(spec->x, *label) && !strchr(spec->result, *label))
            FAIL(q, "label `%c` is in one place only", *label);
    return NULL;
}

static const char *shape_contract(ShapeQuery *q) {
    const Attr *text;
    ContractSpec spec;
    TRY(need(q, ATTR_spec, &text));
    TRY(need_number(q, 0));
    if (in(q, 0)->dtype != in(q, 1)->dtype) FAIL(q, "operands of two element types");
    if (!contract_spec_parse(text->str, &spec)) FAIL(q, "`%s` is not a contraction", text->str);
    TRY(check_labels(q, &spec));
    const Dim *dims[MAX_RANK];
    uint32_t rank = (uint32_t)strlen(spec.result);
    for (uint32_t i = 0; i < rank; i++) {
        const Dim *x = label_size(spec.x, in(q, 0), spec.result[i]);
        dims[i] = x ? x : label_size(spec.y, in(q, 1), spec.result[i]);
        if (!dims[i]) FAIL(q, "label `%c` is in no operand", spec.result[i]);
    }
    return one_tensor(q, in(q, 0)->dtype, rank, dims);
}

/* --- control */
static const char *shape_region(ShapeQuery *q) { FAIL(q, "`%s` needs its blocks", op_name(q->op)); }

static const char *shape_yield(ShapeQuery *q) { return no_result(q); }

static const char *shape_grad(ShapeQuery *q) {
    if (q->operands < 1) FAIL(q, "nothing to differentiate");
    for (uint32_t i = 0; i < q->operands; i++) TRY(need_float(q, i));
    if (in(q, 0)->rank) FAIL(q, "the differentiated value is %s, not a scalar", type_text(q->ir, in(q, 0)));
    q->results = q->operands - 1;
    q->result = ARENA_ARRAY(ir_arena(q->ir), const Type *, q->results);
    for (uint32_t i = 0; i < q->results; i++) q->result[i] = in(q, i + 1);
    return NULL;
}

/* --- effects */
/* The number of `{}` and `{:spec}` in a template; -1 where its braces don't match. */
static int template_arguments(const char *text) {
    int count = 0;
    for (; *text; text++) {
        if ((text[0] == '{' || text[0] == '}') && text[1] == text[0]) {
            text++; /* an escaped brace */
        } else if (*text == '}') {
            return -1;
        } else if (*text == '{') {
            text += strcspn(text, "}");
            if (!*text) return -1;
            count++;
        }
    }
    return count;
}

/* The template takes all operands from number `first`. */
static const char *need_template(ShapeQuery *q, uint32_t first) {
    const Attr *text;
    TRY(need(q, ATTR_text, &text));
    if (template_arguments(text->str) != (int)(q->operands - first))
        FAIL(q, "the template does not take %u arguments", q->operands - first);
    for (uint32_t i = first; i < q->operands; i++)
        TRY(need_class(q, i, in(q, i)->dtype != DTYPE_data, "printable"));
    return NULL;
}

static const char *shape_print(ShapeQuery *q) {
    TRY(need_template(q, 0));
    return no_result(q);
}

static const char *shape_format(ShapeQuery *q) {
    TRY(need_template(q, 0));
    return one_scalar(q, DTYPE_str);
}

static const char *shape_text_len(ShapeQuery *q) {
    TRY(need_scalar(q, 0, DTYPE_str));
    return one_scalar(q, DTYPE_i64);
}

static const char *shape_text_equal(ShapeQuery *q) {
    TRY(need_scalar(q, 0, DTYPE_str));
    TRY(need_scalar(q, 1, DTYPE_str));
    return one_scalar(q, DTYPE_bool);
}

static const char *shape_text_bytes(ShapeQuery *q) {
    const Attr *dims;
    TRY(need_scalar(q, 0, DTYPE_str));
    TRY(need_count(q, ATTR_dims, 1, &dims));
    return one_type(q, type_tensor(q->ir, DTYPE_u8, 1, dims->dims));
}

static const char *shape_bytes_text(ShapeQuery *q) {
    TRY(need_class(q, 0, in(q, 0)->dtype == DTYPE_u8 && in(q, 0)->rank <= 1, "u8 or u8[n]"));
    return one_scalar(q, DTYPE_str);
}

static const char *shape_check(ShapeQuery *q) {
    if (!q->operands) FAIL(q, "nothing to check");
    TRY(need_scalar(q, 0, DTYPE_bool));
    TRY(need_template(q, 1));
    return no_result(q);
}

static const char *shape_guard(ShapeQuery *q) {
    TRY(need_float(q, 0));
    if (in(q, 0)->rank) FAIL(q, "operand 1 is no scalar");
    return no_result(q);
}

static const char *shape_report(ShapeQuery *q) {
    const Attr *names;
    TRY(need_count(q, ATTR_names, q->operands, &names));
    for (uint32_t i = 0; i < q->operands; i++)
        TRY(need_class(q, i, in(q, i)->rank == 0 && class_of(in(q, i)) != CLASS_OPAQUE, "a scalar"));
    return no_result(q);
}

static const char *shape_progress(ShapeQuery *q) {
    const Attr *phase;
    TRY(need(q, ATTR_phase, &phase));
    bool begin = strcmp(phase->str, "begin") == 0;
    if (!begin && strcmp(phase->str, "step") != 0 && strcmp(phase->str, "end") != 0)
        FAIL(q, "no phase `%s`", phase->str);
    if (q->operands != (begin ? 1 : 0)) FAIL(q, "phase `%s` with %u operands", phase->str, q->operands);
    if (begin) TRY(need_scalar(q, 0, DTYPE_i64));
    return no_result(q);
}

static const char *shape_save(ShapeQuery *q) {
    const Attr *names;
    if (!q->operands) FAIL(q, "no path");
    TRY(need_scalar(q, 0, DTYPE_str));
    TRY(need_count(q, ATTR_names, q->operands - 1, &names));
    for (uint32_t i = 1; i < q->operands; i++)
        TRY(need_class(q, i, class_of(in(q, i)) != CLASS_OPAQUE, "a tensor"));
    return no_result(q);
}

static const char *shape_load(ShapeQuery *q) {
    const Attr *names;
    TRY(need_scalar(q, 0, DTYPE_str));
    TRY(types_of_attr(q));
    TRY(need_count(q, ATTR_names, q->results, &names));
    for (uint32_t i = 0; i < q->results; i++)
        if (class_of(q->result[i]) == CLASS_OPAQUE)
            FAIL(q, "a file holds no %s", type_text(q->ir, q->result[i]));
    return NULL;
}

/* The state of a run: path, every, keep, and what lives on. */
static const char *shape_checkpoint(ShapeQuery *q) {
    const Attr *dtype, *names;
    if (q->operands < 3) FAIL(q, "no path, interval and number of files");
    TRY(need_scalar(q, 0, DTYPE_str));
    TRY(need_scalar(q, 1, DTYPE_i64));
    TRY(need_scalar(q, 2, DTYPE_i64));
    TRY(need(q, ATTR_dtype, &dtype));
    if (q->operands > 3) TRY(need_count(q, ATTR_names, q->operands - 3, &names));
    return no_result(q);
}

static const char *shape_resume(ShapeQuery *q) {
    const Attr *text, *dtype;
    for (uint32_t i = 0; i < q->operands; i++) TRY(need_scalar(q, i, DTYPE_str));
    TRY(need(q, ATTR_text, &text));
    TRY(need(q, ATTR_dtype, &dtype));
    return no_result(q);
}

/* --- data */
static const char *shape_data_open(ShapeQuery *q) {
    const Attr *format, *types;
    TRY(need(q, ATTR_format, &format));
    TRY(need(q, ATTR_types, &types));
    for (uint32_t i = 0; i < q->operands; i++) TRY(need_scalar(q, i, DTYPE_str));
    return one_scalar(q, DTYPE_data);
}

static const char *shape_data_len(ShapeQuery *q) {
    TRY(need_scalar(q, 0, DTYPE_data));
    return one_scalar(q, DTYPE_i64);
}

/* (data, i64…) → data */
static const char *shape_data_view(ShapeQuery *q) {
    TRY(need_scalar(q, 0, DTYPE_data));
    for (uint32_t i = 1; i < q->operands; i++) TRY(need_scalar(q, i, DTYPE_i64));
    return one_scalar(q, DTYPE_data);
}

static const char *shape_data_read(ShapeQuery *q) {
    TRY(need_scalar(q, 0, DTYPE_data));
    TRY(need_scalar(q, 1, DTYPE_i64));
    TRY(types_of_attr(q));
    for (uint32_t i = 0; i < q->results; i++) {
        const Type *type = q->result[i];
        if (class_of(type) == CLASS_OPAQUE || !type->rank || type->dims[0] != q->result[0]->dims[0])
            FAIL(q, "column %u is %s: not as many samples as the first", i, type_text(q->ir, type));
    }
    return NULL;
}

/* --- made by plan */
static const char *shape_frame(ShapeQuery *q) {
    const Attr *frame, *bytes;
    TRY(need(q, ATTR_frame, &frame));
    TRY(need(q, ATTR_dim, &bytes));
    if (frame->integer < 0 || frame->integer > INT32_MAX) FAIL(q, "no frame %lld", (long long)frame->integer);
    return no_result(q);
}

/* --- the column */
const char *shape_infer(ShapeQuery *q) {
    static const char *(*const rules[OP_COUNT])(ShapeQuery *) = {
#define OP(name, arity, traits, shape, derive) [OP_##name] = shape_##shape,
#include "ir/ops.def"
#undef OP
    };
    int arity = op_arity(q->op);
    if (arity != VARIADIC && q->operands != (uint32_t)arity)
        FAIL(q, "%u operands where %d are needed", q->operands, arity);
    return rules[q->op](q);
}

uint32_t broadcast_axis(const Node *broadcast, uint32_t axis) {
    const Attr *axes = node_attr(broadcast, ATTR_axes);
    uint32_t place = attr_find(axes, axis);
    return place < axes->count ? place : MAX_RANK;
}

bool labels_have(const char *labels, char label) { return label && strchr(labels, label) != NULL; }

uint32_t labels_axis(const char *labels, char label) { return (uint32_t)(strchr(labels, label) - labels); }

bool shape_keeps_axes(const Node *reshape, int64_t *axes) {
    const Type *from = reshape->operands[0]->type, *to = reshape->results[0]->type;
    uint32_t k = 0;
    for (uint32_t i = 0; i < from->rank; i++) {
        axes[i] = -1;
        if (dim_is(from->dims[i], 1) && (k == to->rank || !dim_is(to->dims[k], 1))) continue;
        while (k < to->rank && to->dims[k] != from->dims[i] && dim_is(to->dims[k], 1)) k++;
        if (k == to->rank || to->dims[k] != from->dims[i]) return false;
        axes[i] = k++;
    }
    while (k < to->rank && dim_is(to->dims[k], 1)) k++;
    return k == to->rank;
}
