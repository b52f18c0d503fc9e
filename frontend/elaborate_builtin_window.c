/* Builtin functions on what lies around an element: padding, and the windows of an axis that convolution and
 * pooling are made of. */
#include "frontend/elaborate_builtin.h"
#include "ir/shape.h"

/* --- pad */
/* The number of elements added at one end; NULL after reporting. */
static const Dim *margin_argument(Elab *e, BuiltinCall *c, uint32_t slot) {
    if (!c->slot[slot]) return dim_const(e->ir, 0);
    const Dim *dim = dim_of(e, c->slot[slot], c->span_of[slot]);
    int64_t n;
    if (!dim || !dim_is_const(dim, &n) || n >= 0) return dim;
    Diagnostic *d = diag_report(e->diags, D_NEGATIVE_SIZE, c->span_of[slot], el_dim(e, dim));
    diag_help(d, "a slice takes elements away: `x[1:-1]`");
    return NULL;
}

static Value *fill_argument(Elab *e, BuiltinCall *c, uint32_t slot, DType dtype) {
    Builder b = el_builder(e, c->span);
    const Type *scalar = type_scalar(e->ir, dtype);
    if (!c->slot[slot]) return build_const(&b, scalar, 0);
    const Val *v = c->slot[slot];
    if (v->kind == VAL_NUMBER) v = op_literal_as(e, v, dtype, c->span_of[slot]);
    if (val_poisoned(v)) return NULL;
    if (v->kind == VAL_TENSOR && v->tensor.type == scalar) return val_value(e, v, c->span_of[slot]);
    c->slot[slot] = v;
    refuse_argument(e, c, slot, type_text_nn(e, scalar));
    return NULL;
}

/* pad(x, axis, before, after, value) */
const Val *builtin_pad(Elab *e, BuiltinCall *c) {
    Value *x = tensor_argument(e, c, 0);
    int64_t axis, interior[MAX_RANK] = {0};
    if (!x || !axis_argument(e, c, 1, x->type->rank, 0, &axis)) return e->poison;
    const Dim *margins[2] = {margin_argument(e, c, 2), margin_argument(e, c, 3)};
    Value *fill = fill_argument(e, c, 4, x->type->dtype);
    if (!margins[0] || !margins[1] || !fill) return e->poison;
    dims_require(e, 2, margins, c->span);
    const Dim *low[MAX_RANK], *high[MAX_RANK];
    for (uint32_t i = 0; i < x->type->rank; i++) low[i] = high[i] = dim_const(e->ir, 0);
    low[axis] = margins[0];
    high[axis] = margins[1];
    const Dim *all = dim_add(e->ir, dim_add(e->ir, x->type->dims[axis], margins[0]), margins[1]);
    if (!all) {
        diag_report(e->diags, D_OVERFLOW, c->span);
        return e->poison;
    }
    Builder b = el_builder(e, c->span);
    return val_of(e, build_pad(&b, x, fill, low, high, interior));
}

/* --- windows */
typedef struct {
    int64_t axis;
    const Dim *size, *stride, *dilation;
} Windows;

/* An int of at least `least`, which is checked when it runs where it isn't known; NULL after reporting. */
static const Dim *count_argument(Elab *e, BuiltinCall *c, uint32_t slot, int64_t least, const char *message) {
    if (!c->slot[slot]) return dim_const(e->ir, 1);
    const Dim *dim = dim_of(e, c->slot[slot], c->span_of[slot]);
    int64_t n;
    if (!dim || dim_at_least(dim, least)) return dim;
    if (dim_is_const(dim, &n)) {
        diag_report(e->diags, D_WINDOW_STEP, c->span_of[slot], builtin_what(e, c), (int)least,
                    el_dim(e, dim));
        return NULL;
    }
    Builder b = el_builder(e, c->span);
    Value *value = build_size(&b, dim);
    runtime_check(e, build_binary(&b, OP_ge, value, build_int(&b, least)), message, 1, &value, c->span);
    return dim;
}

/* Arguments from slot 2 on: size, stride, dilation. */
static bool steps_arguments(Elab *e, BuiltinCall *c, const Dim *size, Windows *w) {
    w->size = size;
    w->stride = count_argument(e, c, 3, 1, "windows can't begin {} elements apart");
    w->dilation = count_argument(e, c, 4, 1, "the elements of a window can't be {} apart");
    return w->size && w->stride && w->dilation;
}

/* The elements from a window's first to its last; NULL on overflow. */
static const Dim *extent_of(Elab *e, const Dim *size, const Dim *dilation) {
    const Dim *one = dim_const(e->ir, 1);
    return dim_add(e->ir, dim_mul(e->ir, dim_sub(e->ir, size, one), dilation), one);
}

/* The library's windows are those of convolutions and pooling, whose callers speak of kernels and padding. */
static void refuse_window(Elab *e, const BuiltinCall *c, const Dim *axis, const Dim *extent) {
    Diagnostic *d = diag_report(e->diags, D_WINDOW, c->span, el_dim(e, extent), el_dim(e, axis));
    if (!module_is_library(e->modules, c->span.source)) return;
    diag_note(d, "the kernel spans %s positions (with its dilation), and the input has %s (with its padding)",
              el_dim(e, extent), el_dim(e, axis));
    diag_help(d, "more `padding` or a smaller `kernel` makes it fit");
}

/* At least one window is on an axis; what can't be proved is checked when it runs. */
static bool require_window(Elab *e, BuiltinCall *c, const Dim *axis, const Dim *extent) {
    const Dim *room = dim_sub(e->ir, axis, extent);
    int64_t n;
    if (room && dim_at_least(room, 0)) return true;
    if (room && dim_is_const(room, &n)) {
        refuse_window(e, c, axis, extent);
        return false;
    }
    Builder b = el_builder(e, c->span);
    Value *sizes[2] = {build_size(&b, extent), build_size(&b, axis)};
    runtime_check(e, build_binary(&b, OP_le, sizes[0], sizes[1]),
                  "a window of {} elements is on an axis of {}", 2, sizes, c->span);
    return true;
}

static const Val *overflow(Elab *e, const BuiltinCall *c) {
    diag_report(e->diags, D_OVERFLOW, c->span);
    return e->poison;
}

/* window(x, axis, size, stride, dilation) */
const Val *builtin_window(Elab *e, BuiltinCall *c) {
    Value *x = tensor_argument(e, c, 0);
    Windows w;
    if (!x || !axis_argument(e, c, 1, x->type->rank, 0, &w.axis) ||
        !steps_arguments(e, c, count_argument(e, c, 2, 1, "a window can't have {} elements"), &w))
        return e->poison;
    if (x->type->rank == MAX_RANK) {
        diag_report(e->diags, D_RANK_LIMIT, c->span, MAX_RANK);
        return e->poison;
    }
    const Dim *axis = x->type->dims[w.axis], *extent = extent_of(e, w.size, w.dilation);
    if (!extent || !window_count(e->ir, axis, w.size, w.stride, w.dilation)) return overflow(e, c);
    if (!require_window(e, c, axis, extent)) return e->poison;
    Builder b = el_builder(e, c->span);
    return val_of(e, build_window(&b, x, w.axis, w.size, w.stride, w.dilation));
}

/* window_add(part, axis, size, stride, dilation) */
const Val *builtin_window_add(Elab *e, BuiltinCall *c) {
    Value *part = tensor_argument(e, c, 0);
    Windows w;
    if (!part) return e->poison;
    uint32_t rank = part->type->rank;
    if (!axis_argument(e, c, 1, rank ? rank - 1 : 0, 0, &w.axis) ||
        !steps_arguments(e, c, dim_of(e, c->slot[2], c->span_of[2]), &w))
        return e->poison;
    if (part->type->dtype == DTYPE_bool) return refuse_argument(e, c, 0, "a tensor of numbers");
    const Dim *windows = part->type->dims[w.axis], *size = part->type->dims[w.axis + 1];
    const Dim *count = window_count(e->ir, w.size, size, w.stride, w.dilation);
    if (!count) return overflow(e, c);
    if (count != windows) {
        Diagnostic *d = diag_report(e->diags, D_WINDOW_SUM, c->span, el_dim(e, w.size), el_dim(e, count),
                                    el_dim(e, windows));
        diag_note(d, "an axis of n elements has (n - %s)//%s + 1 windows of this size",
                  el_dim(e, extent_of(e, size, w.dilation)), el_dim(e, w.stride));
        return e->poison;
    }
    Builder b = el_builder(e, c->span);
    return val_of(e, build_window_add(&b, part, w.axis, w.size, w.stride, w.dilation));
}
