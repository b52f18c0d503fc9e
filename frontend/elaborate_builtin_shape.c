/* Builtin functions that make tensors or see them in another shape. */
#include "frontend/elaborate_builtin.h"
#include <string.h>

/* --- views */
/* Could two sizes that can't be proved equal be equal, depending on whether a division comes out even? */
static bool hangs_on_division(Elab *e, const Dim *a, const Dim *b) {
    const Dim *difference = dim_sub(e->ir, a, b);
    const DimTerm *terms;
    uint32_t count = difference ? dim_terms(difference, &terms) : 0;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < terms[i].count; k++)
            if (!terms[i].atoms[k].symbol) return true;
    return false;
}

static bool refuse_reshape(Elab *e, BuiltinCall *c, const Type *type, uint32_t rank, const Dim **dims,
                           const Dim *made) {
    Diagnostic *d =
        diag_report(e->diags, D_RESHAPE, c->span, type_text_nn(e, type), shape_text(e, rank, dims));
    const char *has = arena_printf(e->arena, "%s has %s elements", type_text_nn(e, type),
                                   el_dim(e, type_elements(e->ir, type)));
    uint32_t open = 0;
    for (uint32_t i = 0; i < rank; i++) open += dim_is(dims[i], -1);
    if (open == 1 && dim_is(made, 0))
        diag_note(d, "beside a size of 0, `-1` could be any");
    else if (open == 1)
        diag_note(d, "%s, and that is no multiple of %s", has, el_dim(e, made));
    else if (open)
        diag_note(d, "only one size can be `-1`");
    else
        diag_note(d, "%s, and the new shape %s", has, el_dim(e, made));
    return false;
}

/* Works the one `-1` among the sizes of a reshape out from the rest. `made`: how many elements the new shape
 * has; `rest`: how many the other sizes have, NULL where all are written. */
static bool infer_size(Elab *e, BuiltinCall *c, const Type *type, uint32_t rank, const Dim **dims,
                       const Dim **made, const Dim **rest) {
    const Dim *known = dim_const(e->ir, 1), *total = type_elements(e->ir, type);
    uint32_t open = rank, opens = 0;
    for (uint32_t i = 0; i < rank; i++) {
        if (dim_is(dims[i], -1) && opens++ == 0)
            open = i;
        else
            known = known ? dim_mul(e->ir, known, dims[i]) : NULL;
    }
    if (known && total && opens == 1 && !dim_is(known, 0)) {
        const Dim *size = dim_floordiv(e->ir, total, known), *all = size ? dim_mul(e->ir, size, known) : NULL;
        if (all && !(dim_is_const(all, NULL) && dim_is_const(total, NULL) && all != total)) {
            dims[open] = size;
            *rest = known;
            known = all;
        }
    }
    if (!known || !total) {
        diag_report(e->diags, D_OVERFLOW, c->span);
        return false;
    }
    *made = known;
    bool ok = known == total || hangs_on_division(e, known, total);
    for (uint32_t i = 0; i < rank; i++) ok &= !dim_is(dims[i], -1);
    return ok || refuse_reshape(e, c, type, rank, dims, known);
}

/* x as one axis of `made` elements, which it is found to have when it runs. `rest`: as of infer_size. */
static Value *require_elements(Elab *e, Value *x, const Dim *made, const Dim *rest, Span span) {
    Builder b = el_builder(e, span);
    const Dim *total = type_elements(e->ir, x->type), *start = dim_const(e->ir, 0);
    int64_t step = 1;
    Value *counts[2] = {build_size(&b, total), build_size(&b, made)};
    Value *equal = build_binary(&b, OP_eq, counts[0], counts[1]);
    if (rest) counts[1] = build_size(&b, rest);
    runtime_check(e, equal,
                  rest ? "a tensor of {} elements can't be reshaped: that is no multiple of {}"
                       : "a tensor of {} elements can't be reshaped to {}",
                  2, counts, span);
    return build_slice(&b, build_reshape(&b, x, 1, &total), &start, &made, &step);
}

const Val *builtin_reshape(Elab *e, BuiltinCall *c) {
    Value *x = tensor_argument(e, c, 0);
    const Dim *dims[MAX_RANK], *made, *rest = NULL;
    uint32_t rank;
    if (!x || !sizes_argument(e, c, &rank, dims) || !infer_size(e, c, x->type, rank, dims, &made, &rest))
        return e->poison;
    Builder b = el_builder(e, c->span);
    if (!dims_require(e, rank, dims, c->span)) return e->poison;
    if (made != type_elements(e->ir, x->type)) x = require_elements(e, x, made, rest, c->span);
    return val_of(e, build_reshape(&b, x, rank, dims));
}

const Val *builtin_permute(Elab *e, BuiltinCall *c) {
    Value *x = tensor_argument(e, c, 0);
    const Dim *dims[MAX_RANK];
    uint32_t rank;
    if (!x || !sizes_argument(e, c, &rank, dims)) return e->poison;
    int64_t perm[MAX_RANK];
    bool seen[MAX_RANK] = {false}, ok = rank == x->type->rank;
    for (uint32_t i = 0; i < rank && ok; i++) {
        ok = dim_is_const(dims[i], &perm[i]);
        if (ok && perm[i] < 0) perm[i] += rank;
        ok = ok && perm[i] >= 0 && perm[i] < rank && !seen[perm[i]];
        if (ok) seen[perm[i]] = true;
    }
    if (!ok) {
        Diagnostic *d = diag_report(e->diags, D_PERMUTE, c->span, (int)x->type->rank);
        if (x->type->rank == 2)
            diag_help(d, "`x.permute(1, 0)`, or `x.T`, swaps them");
        else if (x->type->rank == 3)
            diag_help(d, "`x.permute(0, 2, 1)` swaps the last two");
        else
            diag_help(d, "`x.transpose(a, b)` swaps two of them");
        return e->poison;
    }
    Builder b = el_builder(e, c->span);
    return val_of(e, build_permute(&b, x, perm));
}

const Val *builtin_transpose(Elab *e, BuiltinCall *c) {
    Value *x = tensor_argument(e, c, 0);
    int64_t a, b, perm[MAX_RANK];
    if (!x || !axis_argument(e, c, 1, x->type->rank, -2, &a) ||
        !axis_argument(e, c, 2, x->type->rank, -1, &b))
        return e->poison;
    for (uint32_t i = 0; i < x->type->rank; i++) perm[i] = i;
    perm[a] = b;
    perm[b] = a;
    Builder builder = el_builder(e, c->span);
    return val_of(e, build_permute(&builder, x, perm));
}

const Val *builtin_flatten(Elab *e, BuiltinCall *c) {
    Value *x = tensor_argument(e, c, 0);
    int64_t start;
    if (!x) return e->poison;
    uint32_t rank = x->type->rank;
    if (!axis_argument(e, c, 1, rank ? rank : 1, 0, &start)) return e->poison;
    const Dim *dims[MAX_RANK], *rest = dim_const(e->ir, 1);
    for (uint32_t i = 0; i < (uint32_t)start; i++) dims[i] = x->type->dims[i];
    for (uint32_t i = (uint32_t)start; i < rank && rest; i++) rest = dim_mul(e->ir, rest, x->type->dims[i]);
    if (!rest) {
        diag_report(e->diags, D_OVERFLOW, c->span);
        return e->poison;
    }
    dims[start] = rest;
    Builder b = el_builder(e, c->span);
    return val_of(e, build_reshape(&b, x, (uint32_t)start + 1, dims));
}

const Val *builtin_squeeze(Elab *e, BuiltinCall *c) {
    Value *x = tensor_argument(e, c, 0);
    if (!x) return e->poison;
    int64_t axis = -1;
    if (c->slot[1] && !axis_argument(e, c, 1, x->type->rank, 0, &axis)) return e->poison;
    if (axis >= 0 && !dim_is(x->type->dims[axis], 1)) {
        diag_report(e->diags, D_SQUEEZE, c->span_of[1], (int)axis, el_dim(e, x->type->dims[axis]));
        return e->poison;
    }
    const Dim *dims[MAX_RANK];
    uint32_t rank = 0;
    for (uint32_t i = 0; i < x->type->rank; i++)
        if (axis >= 0 ? i != (uint32_t)axis : !dim_is(x->type->dims[i], 1)) dims[rank++] = x->type->dims[i];
    Builder b = el_builder(e, c->span);
    return val_of(e, build_reshape(&b, x, rank, dims));
}

const Val *builtin_unsqueeze(Elab *e, BuiltinCall *c) {
    Value *x = tensor_argument(e, c, 0);
    int64_t axis;
    if (!x || !axis_argument(e, c, 1, x->type->rank + 1, 0, &axis)) return e->poison;
    if (x->type->rank == MAX_RANK) {
        diag_report(e->diags, D_RANK_LIMIT, c->span, MAX_RANK);
        return e->poison;
    }
    const Dim *dims[MAX_RANK];
    uint32_t rank = 0;
    for (uint32_t i = 0; i <= x->type->rank; i++) {
        if (i == (uint32_t)axis) dims[rank++] = dim_const(e->ir, 1);
        if (i < x->type->rank) dims[rank++] = x->type->dims[i];
    }
    Builder b = el_builder(e, c->span);
    return val_of(e, build_reshape(&b, x, rank, dims));
}

const Val *builtin_broadcast(Elab *e, BuiltinCall *c) {
    Value *x = tensor_argument(e, c, 0);
    const Dim *dims[MAX_RANK];
    uint32_t rank;
    if (!x || !sizes_argument(e, c, &rank, dims)) return e->poison;
    bool ok = rank >= x->type->rank;
    for (uint32_t i = 0; ok && i < x->type->rank; i++) {
        const Dim *own = x->type->dims[i];
        ok = own == dims[rank - x->type->rank + i] || dim_is(own, 1);
    }
    if (!dims_require(e, rank, dims, c->span)) return e->poison;
    if (ok) return op_broadcast(e, val_of(e, x), rank, dims, c->span);
    diag_report(e->diags, D_RESHAPE, c->span, type_text_nn(e, x->type), shape_text(e, rank, dims));
    return e->poison;
}

/* --- joining */
/* What literals among the parts become: the element type of the first part that has one, or float where a
 * literal is one. */
static DType literal_type(Elab *e, const Val *list) {
    DType dtype = DTYPE_i64;
    for (uint32_t i = 0; i < list->list.count; i++) {
        const Val *item = list->list.items[i];
        if (item->kind == VAL_TENSOR && !item->tensor.dim) return item->tensor.type->dtype;
        if (item->kind == VAL_NUMBER && item->number.is_float) dtype = e->float_type;
    }
    return dtype;
}

/* Part `i` is a list itself. Where the parts are written out, that one is the place. */
static void refuse_list_part(Elab *e, const BuiltinCall *c, uint32_t i) {
    const AstExpr *expr = c->expr_of[0];
    const Val *part = c->slot[0]->list.items[i];
    const char *what = arena_printf(e->arena, "a part of %s", builtin_what(e, c));
    bool written = expr && (expr->kind == AST_LIST || expr->kind == AST_TUPLE);
    Span span = c->span_of[0];
    if (written) {
        const AstExpr *item = expr->items;
        while (i--) item = item->next;
        span = item->span;
    }
    Diagnostic *d = diag_report(e->diags, D_TYPE_MISMATCH, span, what, "a tensor", val_type_text(e, part));
    if (written)
        help_stack(e, d, ty_of(e, part), span);
    else
        diag_help(d, "make a tensor of each: `[stack(part) for part in %s]`", el_source(e, span));
}

static bool parts_argument(Elab *e, BuiltinCall *c, uint32_t *count, Value ***parts) {
    const Val *list = c->slot[0];
    if ((list->kind != VAL_LIST && list->kind != VAL_TUPLE) || list->list.count == 0) {
        refuse_argument(e, c, 0, "a list of tensors");
        return false;
    }
    *count = list->list.count;
    *parts = ARENA_ARRAY(e->arena, Value *, *count);
    for (uint32_t i = 0; i < *count; i++) {
        BuiltinCall one = *c;
        one.slot[0] = list->list.items[i];
        if (one.slot[0]->kind == VAL_NUMBER)
            one.slot[0] = op_literal_as(e, one.slot[0], literal_type(e, list), c->span_of[0]);
        if (val_poisoned(one.slot[0])) return false;
        if (one.slot[0]->kind == VAL_LIST || one.slot[0]->kind == VAL_TUPLE) {
            refuse_list_part(e, c, i);
            return false;
        }
        if (!((*parts)[i] = tensor_argument(e, &one, 0))) return false;
    }
    return true;
}

/* The only axis in which two shapes differ; -1 where there is none or several. */
static int axis_of_difference(const Type *a, const Type *b) {
    int axis = -1;
    for (uint32_t i = 0; a->rank == b->rank && i < a->rank; i++) {
        if (a->dims[i] == b->dims[i]) continue;
        if (axis >= 0) return -1;
        axis = (int)i;
    }
    return axis;
}

static const Val *parts_differ(Elab *e, BuiltinCall *c, const Value *a, const Value *b) {
    Diagnostic *d =
        diag_report(e->diags, D_PARTS, c->span_of[0], type_text_nn(e, a->type), type_text_nn(e, b->type));
    int axis = axis_of_difference(a->type, b->type);
    if (a->type->dtype != b->type->dtype)
        diag_help(d, "nothing converts by itself: write `%s(…)` around one of them",
                  type_text_nn(e, type_scalar(e->ir, a->type->dtype)));
    else if (strcmp(c->builtin->name, "stack") == 0)
        diag_note(d, "what is stacked has one shape");
    else if (axis >= 0)
        diag_help(d, "they differ in axis %d: join them along it, `concat(…, axis=%d)`", axis, axis);
    else
        diag_note(d, "parts may differ in the axis along which they are joined only");
    return e->poison;
}

const Val *builtin_concat(Elab *e, BuiltinCall *c) {
    uint32_t count;
    Value **parts;
    int64_t axis;
    if (!parts_argument(e, c, &count, &parts)) return e->poison;
    const Type *first = parts[0]->type;
    if (!axis_argument(e, c, 1, first->rank, 0, &axis)) return e->poison;
    for (uint32_t i = 1; i < count; i++) {
        bool ok = parts[i]->type->rank == first->rank && parts[i]->type->dtype == first->dtype;
        for (uint32_t k = 0; ok && k < first->rank; k++)
            ok = k == (uint32_t)axis || parts[i]->type->dims[k] == first->dims[k];
        if (!ok) return parts_differ(e, c, parts[0], parts[i]);
    }
    Builder b = el_builder(e, c->span);
    return val_of(e, build_concat(&b, count, parts, axis));
}

const Val *builtin_stack(Elab *e, BuiltinCall *c) {
    uint32_t count;
    Value **parts;
    int64_t axis;
    if (!parts_argument(e, c, &count, &parts)) return e->poison;
    const Type *first = parts[0]->type;
    if (!axis_argument(e, c, 1, first->rank + 1, 0, &axis)) return e->poison;
    if (first->rank == MAX_RANK) {
        diag_report(e->diags, D_RANK_LIMIT, c->span, MAX_RANK);
        return e->poison;
    }
    const Dim *dims[MAX_RANK];
    uint32_t rank = 0;
    for (uint32_t i = 0; i <= first->rank; i++) {
        if (i == (uint32_t)axis) dims[rank++] = dim_const(e->ir, 1);
        if (i < first->rank) dims[rank++] = first->dims[i];
    }
    Builder b = el_builder(e, c->span);
    for (uint32_t i = 0; i < count; i++) {
        if (parts[i]->type != first) return parts_differ(e, c, parts[0], parts[i]);
    }
    for (uint32_t i = 0; i < count; i++) parts[i] = build_reshape(&b, parts[i], rank, dims);
    return val_of(e, build_concat(&b, count, parts, axis));
}

/* --- repeating and cutting */
/* An axis `count` times over: as a whole, or each element. */
static const Val *repeated(Elab *e, const Val *v, uint32_t axis, const Dim *count, bool each, Span span) {
    Builder b = el_builder(e, span);
    Value *x = val_value(e, v, span);
    const Type *type = x->type;
    const Dim *wide[MAX_RANK + 1], *joined[MAX_RANK];
    int64_t axes[MAX_RANK];
    uint32_t added = each ? axis + 1 : axis;
    if (dim_is(count, 1)) return v;
    if (type->rank == MAX_RANK) {
        diag_report(e->diags, D_RANK_LIMIT, span, MAX_RANK);
        return e->poison;
    }
    for (uint32_t i = 0; i < type->rank; i++) {
        axes[i] = i + (i >= added);
        wide[axes[i]] = joined[i] = type->dims[i];
    }
    wide[added] = count;
    joined[axis] = dim_mul(e->ir, count, type->dims[axis]);
    if (!joined[axis]) {
        diag_report(e->diags, D_OVERFLOW, span);
        return e->poison;
    }
    x = build_broadcast(&b, x, type->rank + 1, wide, axes);
    return val_of(e, build_reshape(&b, x, type->rank, joined));
}

/* As often as the sizes say, axis by axis; axes are added in front where there are more sizes. */
const Val *builtin_tile(Elab *e, BuiltinCall *c) {
    Value *x = tensor_argument(e, c, 0);
    const Dim *counts[MAX_RANK], *dims[MAX_RANK];
    uint32_t rank;
    if (!x || !sizes_argument(e, c, &rank, counts)) return e->poison;
    if (!dims_require(e, rank, counts, c->span)) return e->poison;
    uint32_t all = rank > x->type->rank ? rank : x->type->rank, front = all - x->type->rank;
    for (uint32_t i = 0; i < all; i++) dims[i] = i < front ? dim_const(e->ir, 1) : x->type->dims[i - front];
    Builder b = el_builder(e, c->span);
    const Val *v = val_of(e, build_reshape(&b, x, all, dims));
    for (uint32_t i = 0; i < rank && !val_poisoned(v); i++)
        v = repeated(e, v, all - rank + i, counts[i], false, c->span);
    return v;
}

const Val *builtin_repeat(Elab *e, BuiltinCall *c) {
    Value *x = tensor_argument(e, c, 0);
    const Dim *count = x ? dim_of(e, c->slot[1], c->span_of[1]) : NULL;
    int64_t axis;
    if (!count || !axis_argument(e, c, 2, x->type->rank, 0, &axis)) return e->poison;
    if (!dims_require(e, 1, &count, c->span_of[1])) return e->poison;
    return repeated(e, val_of(e, x), (uint32_t)axis, count, true, c->span);
}

Value *part_of(Elab *e, Builder *b, Value *x, int64_t axis, const Dim *first, const Dim *size) {
    const Dim *start[MAX_RANK], *dims[MAX_RANK];
    int64_t step[MAX_RANK];
    for (uint32_t i = 0; i < x->type->rank; i++) {
        start[i] = i == axis ? first : dim_const(e->ir, 0);
        dims[i] = i == axis ? size : x->type->dims[i];
        step[i] = 1;
    }
    return build_slice(b, x, start, dims, step);
}

static const Val *cut_evenly(Elab *e, BuiltinCall *c, Value *x, int64_t axis, const Dim *size,
                             uint32_t count) {
    ValList parts = {0};
    Builder b = el_builder(e, c->span);
    const Dim *first = dim_const(e->ir, 0), *n = x->type->dims[axis];
    for (uint32_t i = 0; i < count; i++) {
        const Dim *rest = dim_sub(e->ir, n, first);
        int64_t left, most;
        bool last = dim_is_const(rest, &left) && dim_is_const(size, &most) && left < most;
        vec_push(e->arena, &parts, val_of(e, part_of(e, &b, x, axis, first, last ? rest : size)));
        first = dim_add(e->ir, first, size);
    }
    return val_tuple(e, VAL_LIST, parts.count, parts.at);
}

/* `count` parts of one size; where it doesn't come out even the last one is smaller (and there may be fewer),
 * as far as the size is known. */
const Val *builtin_chunk(Elab *e, BuiltinCall *c) {
    Value *x = tensor_argument(e, c, 0);
    int64_t axis, count, n;
    if (!x || !constant_argument(e, c, 1, 1, &count) || !axis_argument(e, c, 2, x->type->rank, 0, &axis))
        return e->poison;
    if (count < 1 || count > INT32_MAX) return refuse_argument(e, c, 1, "a number of parts");
    const Dim *size = x->type->dims[axis], *by = dim_const(e->ir, count);
    if (dim_is_const(size, &n)) {
        int64_t part = (n + count - 1) / count;
        int64_t parts = part ? (n + part - 1) / part : 1;
        return cut_evenly(e, c, x, axis, dim_const(e->ir, part), (uint32_t)parts);
    }
    const Dim *part = dim_floordiv(e->ir, size, by);
    if (dim_mul(e->ir, part, by) != size) {
        const char *wanted =
            arena_printf(e->arena, "a tensor whose axis %d is a multiple of %d", (int)axis, (int)count);
        return refuse_argument(e, c, 0, wanted);
    }
    return cut_evenly(e, c, x, axis, part, (uint32_t)count);
}

/* Parts of one size but for the last, as far as sizes are known; else the axis is a known multiple of it. */
static const Val *split_evenly(Elab *e, BuiltinCall *c, Value *x, int64_t axis) {
    const Dim *size = dim_of(e, c->slot[1], c->span_of[1]), *whole = x->type->dims[axis];
    int64_t n, part, count;
    if (!size) return e->poison;
    bool known = dim_is_const(size, &part);
    if (known && part < 1) return refuse_argument(e, c, 1, "a size above 0");
    if (known && dim_is_const(whole, &n) && n / part <= INT32_MAX)
        return cut_evenly(e, c, x, axis, dim_const(e->ir, n ? part : 0),
                          n ? (uint32_t)((n + part - 1) / part) : 1);
    const Dim *parts = dim_floordiv(e->ir, whole, size);
    if (!dim_is_const(parts, &count) || count < 1 || count > INT32_MAX ||
        dim_mul(e->ir, parts, size) != whole)
        return refuse_argument(e, c, 0,
                               arena_printf(e->arena, "a tensor whose axis %d is a known multiple of %s",
                                            (int)axis, el_dim(e, size)));
    return cut_evenly(e, c, x, axis, size, (uint32_t)count);
}

/* Parts of the sizes in a list, or of one size but for the last. */
const Val *builtin_split(Elab *e, BuiltinCall *c) {
    Value *x = tensor_argument(e, c, 0);
    int64_t axis;
    if (!x || !axis_argument(e, c, 2, x->type->rank, 0, &axis)) return e->poison;
    const Val *sizes = c->slot[1];
    const Dim *whole = x->type->dims[axis], *first = dim_const(e->ir, 0);
    if (sizes->kind != VAL_LIST && sizes->kind != VAL_TUPLE) return split_evenly(e, c, x, axis);
    ValList parts = {0};
    Builder b = el_builder(e, c->span);
    for (uint32_t i = 0; i < sizes->list.count; i++) {
        const Dim *part = dim_of(e, sizes->list.items[i], c->span_of[1]);
        if (!part) return e->poison;
        if (!dims_require(e, 1, &part, c->span_of[1])) return e->poison;
        if (!dims_in_order(e, dim_add(e->ir, first, part), whole, c->span_of[1],
                           "the parts end at {}, and the axis at {}"))
            return e->poison;
        vec_push(e->arena, &parts, val_of(e, part_of(e, &b, x, axis, first, part)));
        first = dim_add(e->ir, first, part);
    }
    if (!dims_in_order(e, whole, first, c->span_of[1], "the axis has {} elements, and the parts {}"))
        return e->poison;
    return val_tuple(e, VAL_LIST, parts.count, parts.at);
}

/* --- making */
/* The shape from the sizes, or else from what is expected. */
static const Type *unchecked_type(Elab *e, BuiltinCall *c, DType dtype, bool any_dtype) {
    const Dim *dims[MAX_RANK];
    uint32_t rank;
    const Type *expected = c->expected && c->expected->kind == TY_TENSOR ? c->expected->tensor : NULL;
    if (expected && any_dtype && expected->dtype != DTYPE_str && expected->dtype != DTYPE_data)
        dtype = expected->dtype;
    if (c->rest.count == 0 && expected) return type_with_dtype(e->ir, expected, dtype);
    if (!sizes_argument(e, c, &rank, dims)) return NULL;
    for (uint32_t i = 0; i < rank; i++) {
        int64_t n;
        if (!dim_is_const(dims[i], &n) || n >= 0) continue;
        diag_report(e->diags, D_NEGATIVE_SIZE, c->rest_spans.at[i < c->rest.count ? i : 0],
                    el_dim(e, dims[i]));
        return NULL;
    }
    return type_tensor(e->ir, dtype, rank, dims);
}

static const Type *wanted_type(Elab *e, BuiltinCall *c, DType dtype, bool any_dtype) {
    const Type *type = unchecked_type(e, c, dtype, any_dtype);
    if (type) dims_require(e, type->rank, type->dims, c->span);
    return type;
}

const Val *builtin_filled(Elab *e, BuiltinCall *c) {
    const Type *type = wanted_type(e, c, e->float_type, true);
    if (!type) return e->poison;
    Builder b = el_builder(e, c->span);
    return val_of(e, build_const(&b, type, c->builtin->op == OP_max ? 1 : 0));
}

const Val *builtin_full(Elab *e, BuiltinCall *c) {
    const Val *v = c->slot[0];
    if (v->kind == VAL_NUMBER) {
        DType dtype = c->expected && c->expected->kind == TY_TENSOR ? c->expected->tensor->dtype
                      : v->number.is_float                          ? e->float_type
                                                                    : DTYPE_i64;
        v = op_literal_as(e, v, dtype, c->span_of[0]);
        if (val_poisoned(v)) return v;
        c->slot[0] = v;
    }
    Value *x = tensor_argument(e, c, 0);
    if (!x) return e->poison;
    if (x->type->rank) return refuse_argument(e, c, 0, "a scalar");
    const Type *type = wanted_type(e, c, x->type->dtype, false);
    Builder b = el_builder(e, c->span);
    return type ? val_of(e, build_like(&b, x, type)) : e->poison;
}

/* 0, 1, … of a length. */
static Value *counted(Elab *e, BuiltinCall *c, const Dim *n) {
    Builder b = el_builder(e, c->span);
    return build_iota(&b, type_tensor(e->ir, DTYPE_i64, 1, &n), 0);
}

const Val *builtin_range(Elab *e, BuiltinCall *c) {
    int64_t constant;
    if (!c->slot[1]) {
        const Dim *n = dim_of(e, c->slot[0], c->span_of[0]);
        if (!n) return e->poison;
        if (dim_is_const(n, &constant) && constant < 0) n = dim_const(e->ir, 0);
        dims_require(e, 1, &n, c->span);
        return val_of(e, counted(e, c, n));
    }
    for (uint32_t i = 0; i < 2; i++)
        if (!val_is_int(c->slot[i])) return refuse_argument(e, c, i, "int");
    const Val *length = op_binary(e, AST_SUB, c->slot[1], c->span_of[1], c->slot[0], c->span_of[0], c->span);
    const Dim *n = dim_of(e, length, c->span);
    if (!n) return e->poison;
    if (dim_is_const(n, &constant) && constant < 0) n = dim_const(e->ir, 0);
    if (!dim_is_const(n, &constant) && !dim_at_least(n, 0)) {
        Builder b = el_builder(e, c->span);
        Value *args[2] = {val_value(e, c->slot[0], c->span), val_value(e, c->slot[1], c->span)};
        runtime_check(e, build_binary(&b, OP_le, args[0], args[1]), "the range {}..{} runs backwards", 2,
                      args, c->span);
    }
    Value *iota = counted(e, c, n);
    Builder b = el_builder(e, c->span);
    Value *low = build_cast(&b, val_value(e, c->slot[0], c->span_of[0]), DTYPE_i64);
    return val_of(e, build_binary(&b, OP_add, iota, build_like(&b, low, iota->type)));
}

/* Are these the places of an axis of `size` elements, in order? */
static bool is_every_place(const Value *ids, const Dim *size) {
    return ids->node && ids->node->op == OP_iota && ids->type->rank == 1 && ids->type->dims[0] == size;
}

/* bool[…, classes]: true at the class's place. */
const Val *builtin_one_hot(Elab *e, BuiltinCall *c) {
    Value *ids = tensor_argument(e, c, 0);
    const Dim *classes = ids ? dim_of(e, c->slot[1], c->span_of[1]) : NULL;
    if (!classes) return e->poison;
    if (!dtype_is_integer(ids->type->dtype)) return refuse_argument(e, c, 0, "a tensor of ints");
    uint32_t rank = ids->type->rank;
    if (rank == MAX_RANK) {
        diag_report(e->diags, D_RANK_LIMIT, c->span, MAX_RANK);
        return e->poison;
    }
    const Dim *dims[MAX_RANK];
    int64_t axes[MAX_RANK];
    for (uint32_t i = 0; i < rank; i++) {
        dims[i] = ids->type->dims[i];
        axes[i] = i;
    }
    dims[rank] = classes;
    if (!dims_require(e, 1, &classes, c->span_of[1])) return e->poison;
    if (!is_every_place(ids, classes)) ids_require(e, ids, classes, c->span_of[0]);
    Builder b = el_builder(e, c->span);
    Value *wide = build_cast(&b, ids, DTYPE_i64);
    Value *spread = build_broadcast(&b, wide, rank + 1, dims, axes);
    Value *places = build_iota(&b, type_tensor(e->ir, DTYPE_i64, rank + 1, dims), rank);
    return val_of(e, build_binary(&b, OP_eq, places, spread));
}

const Val *builtin_random_bits(Elab *e, BuiltinCall *c) {
    const Type *type = wanted_type(e, c, DTYPE_i32, false);
    if (!type) return e->poison;
    Builder b = el_builder(e, c->span);
    Value *operands[2] = {build_node(&b, OP_seed, 0, NULL, 0, NULL)->results[0], next_stream(e, c->span)};
    Attr attr = attr_dims(ATTR_dims, type->rank, type->dims);
    return val_of(e, build_node(&b, OP_random_bits, 2, operands, 1, &attr)->results[0]);
}

const Val *builtin_enumerate(Elab *e, BuiltinCall *c) {
    const Val *list = c->slot[0];
    if (list->kind != VAL_LIST && list->kind != VAL_TUPLE) return refuse_argument(e, c, 0, "a list");
    ValList items = {0};
    for (uint32_t i = 0; i < list->list.count; i++) {
        const Val *both[2] = {val_dim(e, dim_const(e->ir, i)), list->list.items[i]};
        vec_push(e->arena, &items, val_tuple(e, VAL_TUPLE, 2, both));
    }
    return val_tuple(e, VAL_LIST, items.count, items.at);
}

const Val *builtin_len(Elab *e, BuiltinCall *c) {
    AstName len = {el_name(e, "len"), c->span_of[0]};
    return el_field(e, c->slot[0], len, c->span, c->expr_of[0]);
}
